"""Seeds that are tried: the best goes on, and its run is the one that it would have been alone."""

import json

import pytest
import torch
import training_run
from safetensors.torch import load_file
from test_training_resume import log
from training_run import DATA, DISCRIMINATOR, METHODS, SIZES, trainer
from two_processes import launch

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, MetricError, TrainingError, UnknownNameError
from i2izoo.images.writing import resize
from i2izoo.interfaces import Metric, Score
from i2izoo.nn.random import derive_seed, seeded
from i2izoo.training.by_recipe import train
from i2izoo.training.checkpoint import checkpoints, read_facts
from i2izoo.training.prepare import redraw
from i2izoo.training.recipe import Recipe
from i2izoo.training.schedule import TimedSchedule

CYCLEGAN = {"name": "cyclegan", **METHODS["cyclegan"]}
STEPS = {"steps": 5, "decay_steps": 3, "log_every": 2, "checkpoint_every": 2, "ema": 0.5}
ALL = {"device": "cpu", "tensorboard": False, "sample_every": 0, **SIZES, **STEPS}
SCREENED = {"screen_seeds": 3, "screen_steps": 3, "screen_metric": "toy_light"}


@i2izoo.register("metrics", "toy_light")
class Light(Metric):
    """Mean brightness of the translations."""

    higher_is_better, inputs = True, ("prediction",)

    def __init__(self):
        self.values = []

    def update(self, prediction):
        self.values.append(prediction.mean(dim=(1, 2, 3)))

    def compute(self):
        return Score(torch.cat(self.values).mean().item(), n=6)


@i2izoo.register("metrics", "toy_even")
class Even(Light):
    """The same for all."""

    def compute(self):
        return Score(1.0, n=6)


def run(out, model=CYCLEGAN, data=DATA, resume=None, **options):
    to = None if isinstance(model, i2izoo.models.translator.Translator) else "photo"
    return i2izoo.Trainer(model, data, to=to, out=out, resume=resume, progress=False, **{**ALL, **options})


def tensors(out):
    last = checkpoints(out / "checkpoints")[-1]
    files = [out / "model/model.safetensors", last / "model.safetensors", last / "training/state.safetensors"]
    return {f"{file.parent.name}/{k}": v for file in files for k, v in load_file(file).items()}


def assert_same(out, other):
    found, expected = tensors(out), tensors(other)
    assert found.keys() == expected.keys()
    assert [k for k in expected if not torch.equal(found[k], expected[k])] == []


def screening(out):
    return json.loads((out / "run.json").read_text())["screening"]


def light(seed):
    """Mean brightness by target domain of what a seed gives after three steps of its own run."""
    alone = run(None, seed=seed)
    for _ in range(3):
        alone.train_step()
    alone.loader.close()
    data = i2izoo.open_dataset({**DATA, "split": "val"})
    items = [data.sample(index, None) for index in range(6)]
    return {
        to: torch.stack(alone.model([resize(item[source], (16, 16)) for item in items], to=to)).mean().item()
        for to, source in alone.model.directions.items()
    }


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    out = tmp_path_factory.mktemp("screened") / "out"
    run(out, seed=4, **SCREENED).fit()
    return out


def test_the_run_that_goes_on_is_that_of_its_seed_alone(screened, tmp_path):
    """Weights, averages, optimisers, replay pools and the log, all bits, though others were trained before it."""
    seed = screening(screened)["chosen"]
    assert seed != 4
    run(tmp_path, seed=seed).fit()
    assert_same(screened, tmp_path)
    lines, alone = log(screened), log(tmp_path)
    assert [row for row in lines if row["step"] not in "34"] == [row for row in alone if row["step"] != "4"]
    assert not (screened / "screening").exists()
    assert [p.name for p in checkpoints(screened / "checkpoints")] == ["step-00000006", "step-00000008"]


def test_the_best_figure_is_chosen_and_stated(screened):
    found = screening(screened)
    assert {k: found[k] for k in ("metric", "to", "images", "steps", "higher_is_better")} == {
        "metric": "toy_light", "to": None, "images": "6 held-out", "steps": 3, "higher_is_better": True,
    }  # fmt: skip
    assert [result["seed"] for result in found["seeds"]] == [4, 5, 6]
    for result in found["seeds"]:
        for to, expected in light(result["seed"]).items():
            assert result["figures"][f"toy_light_{to}"] == pytest.approx(expected, abs=5e-3)  # rounded to 8 bits
        assert result["value"] == pytest.approx(sum(result["figures"].values()) / 2)
    best = max(found["seeds"], key=lambda result: result["value"])
    assert found["chosen"] == best["seed"]
    facts = i2izoo.load(screened / "model").config["provenance"]
    assert facts["seed"] == best["seed"]
    card = (screened / "model/README.md").read_text()
    assert f"seed {best['seed']}: {best['value']:.4g} (chosen)" in card
    assert "| Seeds tried | 3 steps each, by toy_light on 6 held-out images: seed 4: " in card
    training = json.loads((screened / "run.json").read_text())["training"]
    assert (training["seed"], training["screen_seeds"]) == (4, 3)


def test_one_direction_alone_counts_where_it_is_named(screened, tmp_path):
    run(tmp_path, seed=4, screen_to="label", **SCREENED).fit()
    both, one = screening(screened)["seeds"], screening(tmp_path)["seeds"]
    assert [r["value"] for r in one] == [r["figures"]["toy_light_label"] for r in both]


def test_weights_that_are_given_are_those_of_all_seeds(tmp_path):
    """And without a folder, nothing is left of the others."""
    options = {"steps": 4, "decay_steps": 0, "screen_steps": 2, "screen_metric": "toy_light", "screen_seeds": 4}
    kept = run(tmp_path / "out", training_run.model("pix2pix"), **options)
    kept.fit()
    loose = run(None, training_run.model("pix2pix"), **options)
    model = loose.fit()
    chosen = screening(tmp_path / "out")["chosen"]
    assert loose.options.seed == kept.options.seed == chosen
    run(tmp_path / "alone", training_run.model("pix2pix"), steps=4, decay_steps=0, seed=chosen).fit()
    assert_same(tmp_path / "out", tmp_path / "alone")
    own = model.method.inference_state()
    for name, value in load_file(tmp_path / "alone/model/model.safetensors").items():
        assert torch.equal(own[name], value), name


@pytest.mark.parametrize("after", ["the second seed", "the choice", "the run's first checkpoint"])
def test_going_on_after_an_exception_in_any_phase(screened, tmp_path, monkeypatch, after):
    """What kills do to it is in tests/house/test_kills.py."""
    stopped = run(tmp_path, seed=4, **SCREENED)

    def stop(*_, **__):
        raise KeyboardInterrupt

    if after == "the second seed":
        step = stopped.method.training_step
        stopped.method.training_step = lambda b: stop() if stopped.options.seed == 5 and b.step == 2 else step(b)
    else:
        place = "save" if after == "the choice" else "run"
        plain = getattr(stopped, place)
        setattr(stopped, place, lambda *a, **k: plain(*a, **k) if stopped.out != tmp_path else stop())
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()
    with pytest.raises(TrainingError, match="already holds a run"):
        run(tmp_path, seed=4, **SCREENED)
    if after != "the run's first checkpoint":
        with pytest.raises(TrainingError, match=r"being screened with other options: batch_size was 1, is 2"):
            run(tmp_path, seed=4, resume="auto", batch_size=2, **SCREENED)
    run(tmp_path, seed=4, resume="auto", **SCREENED).fit()
    assert_same(tmp_path, screened)
    assert screening(tmp_path) == screening(screened)
    assert not (tmp_path / "screening").exists()


def test_a_run_that_is_done_and_one_that_goes_on_know_their_seed(screened, tmp_path):
    again = run(screened, seed=4, resume="auto", **SCREENED)
    assert (again.step, again.options.seed) == (8, screening(screened)["chosen"])
    place = checkpoints(screened / "checkpoints")[0]
    longer = run(tmp_path / "longer", seed=4, resume=place, **(SCREENED | {"batch_size": 2}))
    assert (longer.step, longer.options.seed) == (6, again.options.seed)
    with pytest.raises(TrainingError, match="screen_seeds was 3, is 2"):
        run(screened, seed=4, resume="auto", **(SCREENED | {"screen_seeds": 2}))
    run(tmp_path / "plain", steps=1, decay_steps=0).fit()
    with pytest.raises(ConfigError, match="has its seed"):
        run(tmp_path / "x", resume=checkpoints(tmp_path / "plain/checkpoints")[0], **SCREENED)


def test_of_equals_the_lowest_seed(tmp_path, capsys):
    tied = run(tmp_path, seed=4, **(SCREENED | {"screen_metric": "toy_even"}))
    tied.progress = True
    tied.fit()
    assert screening(tmp_path)["chosen"] == 4
    said = capsys.readouterr().err
    assert "screening seeds 4 to 6, 3 steps each, by toy_even (higher is better) on 6 held-out images" in said
    assert [line.split()[:2] for line in said.splitlines() if line.startswith("     ")] == [
        ["4", "1"], ["5", "1"], ["6", "1"],
    ]  # fmt: skip
    assert "going on with seed 4" in said


def diverging(trainer, seeds):
    step = trainer.method.training_step

    def spoilt(batch):
        if trainer.options.seed in seeds and batch.step == 1:
            with torch.no_grad():
                next(trainer.method.parameters()).fill_(float("nan"))
        return step(batch)

    trainer.method.training_step = spoilt
    return trainer


def test_a_seed_that_diverges_is_out(tmp_path):
    diverging(run(tmp_path, seed=4, **(SCREENED | {"screen_metric": "toy_even"})), {4, 5}).fit()
    first, second, third = screening(tmp_path)["seeds"]
    assert first["value"] is second["value"] is None
    assert "is not finite at step 2" in first["reason"]
    assert (third["value"], screening(tmp_path)["chosen"]) == (1.0, 6)
    assert "seed 4: none, seed 5: none, seed 6: 1 (chosen)" in (tmp_path / "model/README.md").read_text()
    run(tmp_path / "alone", seed=6).fit()
    assert_same(tmp_path, tmp_path / "alone")


def test_where_all_diverge_the_run_ends_and_says_why(tmp_path):
    with pytest.raises(
        TrainingError, match=r"none of the seeds 4 to 6 can go on \(seed 4: .* is not finite at step 2;"
    ):
        diverging(run(tmp_path, seed=4, **SCREENED), {4, 5, 6}).fit()
    assert screening(tmp_path)["chosen"] is None
    with pytest.raises(TrainingError, match="none of the seeds 4 to 6"):
        run(tmp_path, seed=4, resume="auto", **SCREENED).fit()


def test_training_images_judge_where_none_are_held_out(tmp_path):
    data = i2izoo.open_dataset({**DATA, "count": 5, "split": "val", "crop_size": 16})  # which has no other split
    options = {name: value for name, value in ALL.items() if name not in SIZES}
    i2izoo.Trainer(CYCLEGAN, data, to="photo", out=tmp_path, progress=False, **options, **SCREENED).fit()
    assert screening(tmp_path)["images"] == "5 training"


def test_minutes_are_those_of_the_seed_that_goes_on(tmp_path, monkeypatch):
    """60 seconds at 7 a step are nine steps; what the other seeds took comes on top."""
    now = [1000.0]
    monkeypatch.setattr(TimedSchedule.__init__, "__defaults__", (0, lambda: now[0]))
    timed = trainer(
        "regression", tmp_path, steps=None, minutes=1.0, decay_share=0.5, screen_seeds=3, screen_steps=2,
        screen_metric="toy_light",
    )  # fmt: skip
    step, seen = timed.method.training_step, []

    def slow(batch):
        seen.append(batch.progress)
        yield from step(batch)
        now[0] += 7

    timed.method.training_step = slow
    timed.fit()
    assert seen == pytest.approx([0, 7 / 60] * 3 + [7 * step / 60 for step in range(2, 9)])
    assert read_facts(checkpoints(tmp_path / "checkpoints")[-1])["schedule"] == {"seconds": 63.0, "length": 9}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"screen_metric": "no_such"}, UnknownNameError, "no_such"),
        ({"screen_to": "sky"}, UnknownNameError, "sky"),
        ({"screen_steps": 9}, ConfigError, "more than the 8 steps"),
        ({"screen_seeds": 1001}, ConfigError, "from 0 to 1000"),
        ({"seed": 2**63 - 2}, ConfigError, "no 3 seeds"),
    ],
)
def test_what_cannot_be_screened_is_said_before_training(options, error, words, tmp_path):
    with pytest.raises(error, match=words):
        run(tmp_path, **{**SCREENED, **options})


def test_a_metric_that_cannot_be_computed_ends_it_before_training(tmp_path, monkeypatch):
    def lacking(self, device):
        raise MetricError("needs eyes.pth")

    monkeypatch.setattr(Light, "prepare", lacking)
    stopped = run(tmp_path, **SCREENED)
    with pytest.raises(TrainingError, match=r"needs eyes\.pth"):
        stopped.fit()
    assert not (tmp_path / "screening").exists()


def test_stages_of_a_recipe_go_on_with_the_seed_of_the_first(tmp_path):
    """And a start that lacks parts draws them from each seed."""
    with seeded(1):  # or it depends on the tests before which seed is chosen
        pix2pix = i2izoo.create("pix2pix", domains=["label", "photo"], **METHODS["pix2pix"])
    pix2pix.save_pretrained(tmp_path / "start")  # without the discriminator
    recipe = {
        "method": "pix2pix", "to": "photo", "data": DATA, "start": str(tmp_path / "start"),
        "options": {"discriminator": DISCRIMINATOR | {"norm": "batch"}},
        "training": {**ALL, "steps": 6, "decay_steps": 2, "seed": 4},
        "stages": [{"steps": 4}, {}],
    }  # fmt: skip
    train(Recipe(**recipe), out=tmp_path / "out", progress=False)
    recipe["training"] |= SCREENED
    train(Recipe(**recipe), out=tmp_path / "screened", progress=False)
    chosen = screening(tmp_path / "screened/stage-1")["chosen"]
    assert chosen != 4
    del recipe["training"]["screen_seeds"]
    recipe["training"]["seed"] = chosen
    train(Recipe(**recipe), out=tmp_path / "alone", progress=False)
    assert_same(tmp_path / "screened", tmp_path / "alone")
    assert "(chosen)" in i2izoo.load(tmp_path / "screened/model").config["provenance"]["screening"]


def test_from_the_command_line(tmp_path, capsys):
    words = ["train", "cyclegan", "--data", "synthetic-facades", "--screen-seeds", "2", "--screen-steps", "1",
             "--screen-metric", "kid[pixels]", "--screen-to", "photo", "generator.width=2", "generator.blocks=1",
             "discriminator.width=2", "discriminator.layers=1", "steps=2", "load_size=18", "crop_size=16",
             "sample_every=0", "val_limit=4"]  # fmt: skip
    assert main([*words, "--dry-run"]) == 0
    assert "the best of 2 seeds from 0 on by kid[pixels]" in capsys.readouterr().out
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert "going on with seed" in capsys.readouterr().err
    assert screening(tmp_path)["images"] == "4 held-out"
    assert main([*words, "--out", str(tmp_path / "x"), "screen_seeds=3"]) == 2
    assert "--screen-seeds and screen_seeds= disagree" in capsys.readouterr().err


def test_two_processes_choose_the_same_seed(tmp_path):
    """And go on as they would with this seed alone; without pools, of which checkpoints hold those of the first."""
    launch(
        tmp_path,
        """
        sys.path.insert(0, os.path.join(sys.path[0], "training"))
        import test_screening as s
        from pathlib import Path
        out = Path(sys.argv[1])
        run = s.run(out / "screened", dict(s.CYCLEGAN, pool_size=0), seed=4, **s.SCREENED)
        assert run.world == 2
        run.fit()
        chosen = s.screening(out / "screened")["chosen"]
        assert run.options.seed == chosen
        s.run(out / "alone", dict(s.CYCLEGAN, pool_size=0), seed=chosen).fit()
        """,
        tmp_path / "two",
    )
    assert_same(tmp_path / "two/screened", tmp_path / "two/alone")
    assert not (tmp_path / "two/screened/screening").exists()


SMALL = sorted(
    name
    for name in registry("methods").names()
    if registry("methods").get(name).tiny_options is not None and "tiny" not in name and "toy" not in name
)


@pytest.mark.parametrize("name", SMALL)
def test_any_method_is_drawn_again_as_it_would_be_from_that_seed(name):
    kind = registry("methods").get(name)
    options = dict(kind.tiny_options)
    if "domains" in schema(kind):
        options.setdefault("domains", schema(kind)["domains"].default)
    with seeded(derive_seed(3, "weights")):
        expected = i2izoo.create(name, **options).method.state_dict()
    with seeded(derive_seed(0, "weights")):
        other = i2izoo.create(name, **options)
    found = redraw(other, 3).method.state_dict()
    assert found.keys() == expected.keys()
    assert [k for k in expected if not torch.equal(found[k], expected[k])] == []
