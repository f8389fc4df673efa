"""The trainer as a whole, on tiny runs."""

import csv
import json

import numpy as np
import pytest
import torch
import training_run
from PIL import Image
from safetensors.torch import load_file
from training_run import trainer

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, DataError, NonFiniteLossError, TrainingError
from i2izoo.training.checkpoint import checkpoints
from i2izoo.training.device import choose_device, choose_layout, networks


def weights(model):
    return {k: v.detach().clone() for k, v in model.method.inference_state().items()}


def difference(one, other):
    return max((one[k] - other[k]).abs().max().item() for k in one)


def rows(out):
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------------------------------------ what a run leaves


def test_a_half_life_is_logged_and_on_the_card(tmp_path):
    run = trainer(
        "regression", tmp_path, ema_half_life=0.008, ema_ramp_up=1.0, batch_size=2, log_every=1, gradient_accumulation=2
    )
    run.fit()
    decays = [float(row["ema_decay"]) for row in rows(tmp_path)]
    assert decays == pytest.approx([0.0, 0.5 ** (4 / 4), 0.5 ** (4 / 8), 0.5 ** (4 / 8)], abs=1e-6)
    for name, value in weights(i2izoo.load(tmp_path / "model")).items():
        assert torch.equal(value, run.ema.state[name]), name
    training = json.loads((tmp_path / "run.json").read_text())["training"]
    assert (training["ema"], training["ema_half_life"], training["ema_ramp_up"]) == (0.0, 0.008, 1.0)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "| Half-life of the average of the weights, in thousands of images | 0.008 |" in card


def test_a_run_and_its_files(tmp_path):
    run = trainer(
        "pix2pix", tmp_path, ema=0.9, sample_every=3, log_every=2, tensorboard=True, samples=2,
        method={"inference": "paper"}, channels_last=False,  # a norm over one pixel makes all of another rounding
    )  # fmt: skip
    model = run.fit()
    assert not model.method.training
    assert {p.name for p in tmp_path.iterdir()} == {
        "checkpoints", "curves.png", "log.csv", "model", "run.json", "samples", "tensorboard",
    }  # fmt: skip
    log = rows(tmp_path)
    assert [row["step"] for row in log] == ["2", "4"]
    assert list(log[0]) == [
        "step", "epoch", "learning_rate_factor", "images_per_second", "data_wait_share", "d_gan", "gan",
        "reconstruction",
    ]  # fmt: skip
    assert all(0 <= float(row["data_wait_share"]) <= 1 and float(row["images_per_second"]) > 0 for row in log)
    assert float(log[1]["epoch"]) == pytest.approx(4 / 6, abs=1e-3)

    # the model is the average, here and in the folder
    loaded = i2izoo.load(tmp_path / "model")
    for name, value in weights(loaded).items():
        assert torch.equal(value, run.ema.state[name]), name
        assert torch.equal(value, model.method.inference_state()[name]), name
    live = load_file(tmp_path / "checkpoints/step-00000004/training/state.safetensors")
    assert not torch.equal(live["method/generator.up.0.1.weight"], run.ema.state["generator.up.0.1.weight"])
    facts = json.loads((tmp_path / "model/config.json").read_text())["provenance"]
    assert facts["data"] == "SyntheticFacades"
    assert (facts["images"], facts["steps"], facts["images_seen"], facts["crop_size"]) == (6, 4, 4, 16)
    assert json.loads((tmp_path / "run.json").read_text())["training"]["ema"] == 0.9

    # previews are what translating gives, also where that draws at random
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["step-00000003.png", "step-00000004.png"]
    items = [run.data.sample(i, None) for i in range(2)]
    outputs = loaded([item["label"] for item in items])
    expected = np.full((2 * 18 - 2, 3 * 18 - 2, 3), 255, np.uint8)  # on white, with two pixels between images of 16
    for row, (item, output) in enumerate(zip(items, outputs, strict=True)):
        for column, image in enumerate([item["label"], output, item["photo"]]):
            pixels = np.clip(np.round(127.5 * image.permute(1, 2, 0).numpy() + 127.5), 0, 255)
            expected[18 * row :, 18 * column :][:16, :16] = pixels
    with Image.open(tmp_path / "samples/step-00000004.png") as sheet:
        assert np.array_equal(np.asarray(sheet), expected)


def test_unpaired_samples_have_both_directions_and_no_truth(tmp_path):
    trainer("cyclegan", tmp_path, sample_every=4, samples=3).fit()
    with Image.open(tmp_path / "samples/step-00000004.png") as image:
        assert image.size == (2 * 18 - 2, 6 * 18 - 2)


def test_a_run_without_a_folder_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = trainer("cyclegan", sample_every=2)
    run.fit()
    assert run.step == 4
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="give out="):
        run.save()


def test_a_run_is_a_function_of_its_seed():
    one, same, other = (weights(trainer("pix2pix", seed=seed).fit()) for seed in (1, 1, 2))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert difference(one, other) > 1e-4


def test_the_seed_of_the_command_line_covers_the_initial_weights(tmp_path):
    words = ["generator.name=resnet_6blocks", "generator.width=2", "generator.blocks=1", "discriminator.width=2",
             "discriminator.layers=1", "steps=1", "crop_size=16", "tensorboard=false", "sample_every=0"]  # fmt: skip
    for out, state in (("a", 1), ("b", 2)):
        torch.manual_seed(state)
        place = str(tmp_path / out)
        assert main(["train", "cyclegan", "--data", "synthetic-facades", "--to", "photo", "--out", place, *words]) == 0
    a, b = (weights(i2izoo.load(tmp_path / out / "model")) for out in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)


# ------------------------------------------------------------------------------------------ ways to the same result


@pytest.mark.parametrize("parts", [2, 3])
def test_accumulated_micro_batches_are_one_batch(parts):
    whole = weights(trainer("regression", steps=2, batch_size=6).fit())
    split = weights(trainer("regression", steps=2, batch_size=6 // parts, gradient_accumulation=parts).fit())
    assert difference(whole, split) < 1e-6
    assert difference(whole, weights(training_run.model("regression"))) > 1e-4


@pytest.mark.parametrize(("kind", "steps"), [("pix2pix", 1), ("regression", 3)])
def test_channels_last_changes_no_more_than_rounding(kind, steps):
    # without dropout, whose mask is drawn in the order of the memory
    unet = {"name": "unet_256", "width": 2, "depth": 3, "dropout": 0.0}
    method = {"init_gain": 0.2, "generator": unet} if kind == "pix2pix" else {}
    one, other = (trainer(kind, channels_last=flag, method=method) for flag in (True, False))
    for _ in range(steps):
        losses = one.train_step(), other.train_step()
        for name in losses[0]:
            torch.testing.assert_close(losses[0][name], losses[1][name], rtol=1e-5, atol=1e-5)
    for run in (one, other):
        run.loader.close()
    convolution = next(m for m in one.method.generator.modules() if isinstance(m, torch.nn.Conv2d))
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)


def test_bf16_trains_in_float32_weights(tmp_path):
    run = trainer("cyclegan", tmp_path, precision="bf16")
    seen = []
    run.method.generator["to_photo"].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    run.fit()
    assert seen[0] == torch.bfloat16
    assert all(v.dtype == torch.float32 for v in weights(i2izoo.load(tmp_path / "model")).values())
    assert all(float(row["d_photo"]) < 10 for row in rows(tmp_path))
    trainer("cyclegan", steps=1, precision="fp32").fit()  # one precision after another in one program


def test_clipping_bounds_each_update():
    run = trainer("regression", max_grad_norm=1e-6, steps=1)
    norms = []
    step = run.stepper.optimizers["generator"].step

    def spy():
        grads = [p.grad for p in run.method.generator.parameters()]
        norms.append(torch.nn.utils.get_total_norm(grads).item())
        step()

    run.stepper.optimizers["generator"].step = spy
    run.fit()
    assert norms == [pytest.approx(1e-6, rel=1e-3)]


def test_the_rate_falls_over_the_decay():
    run = trainer("regression", steps=1, decay_steps=3)
    rates = []
    for _ in range(4):
        run.train_step()
        rates.append(run.stepper.optimizers["generator"].param_groups[0]["lr"])
    run.loader.close()
    assert rates == pytest.approx([2e-4 * f for f in (1, 0.75, 0.5, 0.25)])


def test_a_method_may_have_a_schedule_of_its_own_on_top(monkeypatch):
    """UNIT halves its rate in steps, Palette warms up: both factors multiply."""
    run = trainer("regression", steps=4, warmup_steps=2)
    monkeypatch.setattr(run.method, "lr_scale", lambda step: 0.5 ** (step // 2))
    rates = []
    for _ in range(4):
        run.train_step()
        rates.append(run.stepper.optimizers["generator"].param_groups[0]["lr"])
    run.loader.close()
    assert rates == pytest.approx([2e-4 * f for f in (0.5, 1.0, 0.5, 0.5)])


def test_what_is_compiled():
    """Networks as wholes, also inside a dict of them."""
    model = training_run.model("cyclegan", discriminator={"name": "multiscale", "width": 2, "layers": 1})
    assert [type(n).__name__ for n in networks(model.method)] == ["ResNet6"] * 2 + ["MultiScalePatchGAN"] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (
            "pix2pix",
            {
                "gan_loss": "wgangp",
                "discriminator": training_run.DISCRIMINATOR,
                "generator": {"name": "unet_256", "width": 2, "depth": 3, "dropout": 0.0},
            },
        ),
        ("cyclegan", {}),
    ],
)
def test_compiled_networks_train_alike(kind, method):
    """Also where the loss differentiates twice, which compiled code cannot."""
    plain, compiled = (trainer(kind, compile=flag, method=method) for flag in (False, True))
    one, other = plain.train_step(), compiled.train_step()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-3)
    assert all(n._compiled_call_impl is not None for n in networks(compiled.method))
    for run in (plain, compiled):
        run.loader.close()


# ---------------------------------------------------------------------------------------------------------- guards


def spoil(run, step, what):
    """Let the loss, the weights or their average become NaN in a step that is else like the others."""
    plain = run.method.training_step

    def training_step(batch):
        for update in plain(batch):
            if batch.step == step and what == "loss":
                update.losses["reconstruction"] = update.losses["reconstruction"] * float("nan")
            yield update
            if batch.step == step and what != "loss":
                weight = next(run.method.generator.parameters()).detach()
                (weight if what == "weight" else run.ema.state["generator.layers.conv_in.weight"])[0] = float("nan")

    run.method.training_step = training_step


@pytest.mark.parametrize(
    ("what", "step", "words"),
    [
        ("loss", 4, "loss reconstruction is not finite at step 6"),
        ("weight", 5, r"weight generator\.layers\.conv_in\.weight is not finite at step 6"),  # the loss was still good
        ("average", 5, r"average of the weight generator\.layers\.conv_in\.weight is not finite at step 6"),
    ],
)
def test_a_run_stops_at_what_is_not_finite(what, step, words, tmp_path):
    run = trainer("regression", tmp_path, steps=9, checkpoint_every=3, ema=0.5, sample_every=6)
    spoil(run, step, what)
    with pytest.raises(NonFiniteLossError, match=f"(?s){words}.*last good checkpoint is .*step-00000003"):
        run.fit()
    assert [p.name for p in checkpoints(tmp_path / "checkpoints")] == ["step-00000003"]
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "samples").exists()
    good = i2izoo.load(tmp_path / "checkpoints/step-00000003")
    assert all(torch.isfinite(v).all() for v in weights(good).values())
    # and the run goes on from there with what the message advises
    trainer(
        "regression", tmp_path, resume=tmp_path / "checkpoints/step-00000003", steps=4, ema=0.5, max_grad_norm=1.0
    ).fit()


def test_nothing_good_yet():
    run = trainer("regression")
    spoil(run, 0, "loss")
    with pytest.raises(NonFiniteLossError, match="no checkpoint yet"):
        run.fit()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"epocs": 3}, ConfigError, "'epocs'; did you mean 'epochs'"),
        ({"precision": "fp16"}, TrainingError, "'fp16' wants a GPU"),
        ({"device": "tpu9"}, TrainingError, "'tpu9'"),
        ({"epochs": 3}, ConfigError, "'steps' and 'epochs' both say"),
        ({"batch_size": 7}, DataError, "6 items"),
        ({"data": "no-such-data"}, DataError, "no-such-data"),
        ({"data": {"name": "synthetic-facades", "domains": ["label", "foto"]}}, DataError, "foto"),
        ({"method": {"domains": ["label", "foto"]}}, (ConfigError, DataError), "foto"),
    ],
)
def test_mistakes_are_said_at_once(options, error, words):
    with pytest.raises(error, match=words):
        trainer("regression", **options)


def test_sizes_that_no_layer_can_take_are_said():
    with pytest.raises(ConfigError, match=r"multiples of 8 and at least 8 pixels.*'label' come as 12 x 12"):
        trainer("pix2pix", crop_size=12).fit()
    with pytest.raises(ConfigError, match="at least 24 pixels"):
        trainer("pix2pix", method={"discriminator": {"name": "patchgan", "width": 2}}).fit()


def test_an_open_dataset_is_taken_as_it_is():
    model = training_run.model("regression")
    data = i2izoo.open_dataset("synthetic-facades", kind="paired", load_size=18, crop_size=8, limit=3)
    run = i2izoo.Trainer(model, data, steps=1, device="cpu", progress=False)
    assert run.fit().config["provenance"]["crop_size"] == 8
    with pytest.raises(ConfigError, match=r"crop_size cannot change a dataset that is already open"):
        i2izoo.Trainer(model, data, steps=1, crop_size=16, progress=False)
    unpaired = i2izoo.open_dataset("synthetic-facades", kind="unpaired", crop_size=8, limit=3)
    with pytest.raises(ConfigError, match="learns from pairs"):
        i2izoo.Trainer(model, unpaired, steps=1, progress=False)


def test_the_recipe_follows_the_crop():
    assert trainer("pix2pix", load_size=None).options.load_size is None
    model, data = training_run.model("pix2pix"), training_run.DATA
    run = i2izoo.Trainer(model, data, steps=1, crop_size=16, progress=False)
    assert (run.options.load_size, run.options.epochs) == (18, 100)  # 286 to 256
    whole = {**data, "size": 16}  # a size that the networks can take
    assert i2izoo.Trainer(model, whole, steps=1, crop_size=None, progress=False).options.load_size is None
    papers = i2izoo.Trainer(model, data, progress=False)
    assert (papers.options.load_size, papers.options.crop_size) == (286, 256)
    assert papers.schedule.total == 200 * 6


def test_devices_and_layouts():
    assert choose_device("cpu", "bf16") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="'cuda' is not available here"):
            choose_device("cuda", "fp32")
    assert choose_layout(True, torch.device("cpu")) is torch.channels_last
    assert choose_layout(False, torch.device("cuda")) is torch.contiguous_format
    assert choose_layout(None, torch.device("cuda")) is torch.channels_last
