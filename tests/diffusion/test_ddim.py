"""ddim and ddpm: their step is that of plain torch code, they train without pairs, and learn two answers to one x."""

import copy
import json

import diffusers
import numpy as np
import pytest
import torch
from i2izoo_diffusion.ddim import DDIM, DDPM
from PIL import Image
from steps import train

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch
from i2izoo.testing.training import stepper_of

UNET = {"name": "unet2d", "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4}
DATA = {"name": "synthetic-facades", "count": 4, "size": 16}
RUN = {"load_size": 16, "crop_size": 16, "batch_size": 2, "device": "cpu", "tensorboard": False, "progress": False}


def model(name="ddim", **options):
    torch.manual_seed(0)
    return i2izoo.create(name, **{"generator": UNET, "sampling_steps": 2, "domains": ["label", "photo"], **options})


# --------------------------------------------------------------------------------------------------- a training step


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("kind", [DDIM, DDPM])
def test_two_steps_against_plain_torch(kind, prediction):
    """diffusers' own add_noise and get_velocity, half of the sources hidden."""
    torch.manual_seed(0)
    method = kind(
        generator=UNET, prediction=prediction, condition_dropout=0.5, in_channels=2, learning_rate=1e-3,
        weight_decay=0.1,
    ).double()  # fmt: skip
    net = copy.deepcopy(method.generator.net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    scheduler = diffusers.DDPMScheduler(rescale_betas_zero_snr=prediction != "epsilon")
    ours, hidden = stepper_of(method), 0
    for step in range(2):
        generator = torch.Generator().manual_seed(step)
        x, y = (torch.rand(4, c, 8, 8, generator=generator, dtype=torch.float64) * 2 - 1 for c in (2, 3))
        torch.manual_seed(100 + step)
        logged = ours.run([Batch({"source": x, "target": y}, step)])

        torch.manual_seed(100 + step)
        time, noise = torch.randint(1000, (4,)), torch.randn_like(y)
        flag = (torch.rand(4) >= 0.5).double()[:, None, None, None]
        noisy = scheduler.add_noise(y, noise, time)
        said = net(torch.cat([noisy, flag * x, flag.expand(4, 1, 8, 8)], 1), time).sample
        wanted = {"epsilon": noise, "sample": y, "v_prediction": scheduler.get_velocity(y, noise, time)}[prediction]
        loss = torch.nn.functional.mse_loss(said, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        hidden += int(4 - flag.sum())
        assert logged["denoising"].item() == pytest.approx(loss.item(), rel=1e-5)
        for (name, a), b in zip(method.generator.net.named_parameters(), net.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6, msg=name)
    assert 0 < hidden < 8


def test_the_planes_of_the_network():
    """Noisy image, source and flag; without dropout no flag; of generation the noisy image alone."""
    for options, channels in (({}, 3 + 1 + 1), ({"condition_dropout": 0.0}, 3 + 1), ({"task": "generation"}, 3)):
        assert model(in_channels=1, **options).method.generator.config["in_channels"] == channels


def test_ddpm_is_ddim_with_another_sampler():
    ddim, ddpm = model().method, model("ddpm").method
    differ = ("scheduler", "sampling_eta")  # the noise of DDPM's steps is its own
    assert {k: v for k, v in ddim.config.items() if k not in differ} == {
        k: v for k, v in ddpm.config.items() if k not in differ
    }
    assert (ddim.config["scheduler"]["name"], ddpm.config["scheduler"]["name"]) == ("ddim", "ddpm")
    assert DDPM(generator=UNET).sampling_steps == 1000  # those of the paper
    assert registry("methods").get("ddim") is DDIM
    assert registry("methods").get("ddpm") is DDPM


# ------------------------------------------------------------------------------------------------------ whole runs


@pytest.mark.parametrize("name", ["ddim", "ddpm"])
def test_an_unconditional_model_trains_saves_loads_and_samples(name, tmp_path):
    trained = model(name, task="generation", domains=["photo"], prediction="v_prediction")
    assert trained.directions == {"photo": None}
    run = i2izoo.Trainer(trained, DATA, out=tmp_path, steps=2, sample_every=2, **RUN)
    run.fit()
    loaded = i2izoo.load(tmp_path / "model")
    assert loaded.method.data == "single"
    first, second = loaded.generate(2, size=(10, 13), steps=3, output="array")
    assert first.shape == second.shape == (10, 13, 3)
    assert (first != second).any()
    assert loaded.generate(steps=3)[0].size == (16, 16)  # that of the training
    assert Image.open(tmp_path / "samples/step-00000002.png").size == (4 * 18 - 2, 16)


def test_averaged_weights_and_channels_last_reach_the_folder(tmp_path):
    trainer, live = None, {}
    for ema, out in ((0.0, None), (0.5, tmp_path)):
        trainer = i2izoo.Trainer(model(), DATA, out=out, steps=3, sample_every=0, ema=ema, channels_last=True, **RUN)
        trainer.fit()
        live = live or {k: v.clone() for k, v in trainer.method.inference_state().items()}
    saved = i2izoo.load(tmp_path / "model")
    for name, value in saved.method.inference_state().items():
        torch.testing.assert_close(value, trainer.ema.state[name], msg=name)
    assert any(not torch.equal(live[name], value) for name, value in trainer.ema.state.items())
    image = torch.rand(3, 16, 16)
    plain = saved(image, guidance=1.5)
    saved.method.to(memory_format=torch.channels_last)
    torch.testing.assert_close(saved(image, guidance=1.5), plain, rtol=0, atol=2e-4)


def test_the_recipe_averages_the_weights():
    assert (DDIM.recipe["ema"], DDIM.recipe["max_grad_norm"]) == (0.9999, 1.0)


def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((12, 20, 3), 90, np.uint8)).save("in.png")
    tiny = ["generator.channels=[8,16]", "generator.attention=[1]", "generator.layers=1", "generator.norm_groups=4"]
    assert main([
        "train", "ddim", "--data", "synthetic-facades", "--to", "photo", "--out", "run", "steps=2", "crop_size=16",
        "load_size=16", "batch_size=2", "prediction=v_prediction", "scheduler=unipc", *tiny,
    ]) == 0  # fmt: skip
    assert json.loads((tmp_path / "run/model/scheduler/scheduler_config.json").read_text())["_class_name"] == (
        "UniPCMultistepScheduler"
    )
    translate = ["translate", "run/model", "in.png", "-o", "out", "steps=5"]
    assert main([*translate, "guidance=1.5", "--samples", "2"]) == 0
    images = [np.asarray(Image.open(tmp_path / "out" / f"in_{k}.png")) for k in range(2)]
    assert images[0].shape == (12, 20, 3)
    assert (images[0] != images[1]).any()
    capsys.readouterr()
    assert main([*translate, "--force", "eta=0.5"]) == 2
    assert capsys.readouterr().err == (
        "i2izoo: eta is an option of the scheduler 'ddim'; UniPCMultistepScheduler has none.\n"
    )


# ------------------------------------------------------------------------------------------------------ learning


def two_answers(rows, generator):
    """A grey x, and one of two images, +-(0.3 + 0.4 x), with equal probability."""
    x = torch.rand(rows, 1, 1, 1, generator=generator).repeat(1, 1, 4, 4)
    sign = torch.where(torch.rand(rows, generator=generator) < 0.5, -1.0, 1.0)[:, None, None, None]
    return {"source": x, "target": sign * (0.3 + 0.4 * x)}


def test_samples_are_nearer_to_an_answer_than_any_single_answer_can_be(learned, learning_seed):
    """Of a single answer f(x), E |y - f(x)|^2 = a(x)^2 + f(x)^2 with a = 0.3 + 0.4 x: at least E a^2, which the
    conditional mean, f = 0, reaches. It is also how far that mean is from the nearer of the two answers. Samples are to
    come to less than a third of it, and to both answers."""
    method = train(
        lambda: DDIM(
            in_channels=1, out_channels=1, prediction="v_prediction", learning_rate=3e-3, condition_dropout=0.1,
            generator={"name": "unet2d", "channels": [16], "attention": [], "layers": 1, "norm_groups": 4},
            scheduler={"name": "ddim", "beta_schedule": "squaredcos_cap_v2"},
        ),
        lambda draw: two_answers(64, draw), steps=200, seed=learning_seed,
    )  # fmt: skip
    x = two_answers(256, torch.Generator().manual_seed(99 + learning_seed))["source"]
    with torch.inference_mode():
        drawn = method(x, to="target", seeds=list(range(256)), steps=20)
    answer = 0.3 + 0.4 * x
    bound = answer.square().mean()
    nearest = torch.minimum((drawn - answer).square().mean((1, 2, 3)), (drawn + answer).square().mean((1, 2, 3)))
    learned("squared distance, of that of a single answer", nearest.mean() / bound, below=1 / 3, untrained=1.0)
    positive = (drawn.mean(dim=(1, 2, 3)) > 0).float().mean()
    learned("share of the rarer answer", min(positive, 1 - positive), above=0.2, untrained=0.0)


# ------------------------------------------------------------------------------------------ a model's own way to sample


def test_guidance_and_eta_of_the_model_serve_where_none_are_given():
    own, plain = model(sampling_guidance=2.5, sampling_eta=1.0), model()
    label = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    assert np.array_equal(own(label, seed=3), plain(label, seed=3, guidance=2.5, eta=1.0))
    assert np.array_equal(own(label, seed=3, guidance=1.0, eta=0.0), plain(label, seed=3))
    assert not np.array_equal(own(label, seed=3), plain(label, seed=3))
    # eta is the own scheduler's
    assert np.array_equal(own(label, seed=3, scheduler="unipc"), plain(label, seed=3, scheduler="unipc", guidance=2.5))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sampling_eta": 1.5}, r"sampling_eta' of DDIM wants float from 0 to 1, found 1.5"),
        ({"sampling_guidance": 2.0, "condition_dropout": 0.0}, "give condition_dropout=0.1, too"),
    ],
)
def test_ways_to_sample_that_cannot_be(options, said):
    with pytest.raises(ConfigError, match=said):
        model(**options)
