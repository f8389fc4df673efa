"""Palette against numpy, plain torch, plain diffusers loops and numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from i2izoo_diffusion.palette import Palette, draw_gammas, training_gammas
from scipy.stats import kstest
from torch import Tensor

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch
from i2izoo.nn.random import derive_seed, randn, seeded
from i2izoo.training.step import Stepper

PAPER = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.09, "variance_type": "fixed_large"}
MILD = {"name": "ddpm", "beta_start": 1e-4, "beta_end": 0.02}
"""Noise levels that end about where those of training do, for all samplers."""
KEEPERS = ["ddpm", "ddim", "dpmsolver++", "unipc", "euler", "euler_ancestral"]


def palette(seed: int = 0, **options: Any) -> Palette:
    with seeded(seed):
        return Palette(**{**Palette.tiny_options, **options}).eval()


def asked(method: Palette) -> list[tuple[Tensor, Tensor]]:
    """What the network is asked from now on: (planes, times), as a list that grows."""
    calls: list[tuple[Tensor, Tensor]] = []
    method.generator.register_forward_pre_hook(lambda _, inputs: calls.append((inputs[0].clone(), inputs[1].clone())))
    return calls


def holes(*shape: int) -> Tensor:
    """A mask with a hole at the left."""
    mask = torch.zeros(*shape)
    mask[..., : shape[-1] // 3 + 1] = 1
    return mask


# ------------------------------------------------------------------------------------------------------ noise levels


def test_noise_levels_of_training_are_the_papers() -> None:
    betas = [1e-6 + (0.01 - 1e-6) * t / 1999 for t in range(2000)]
    gammas = Palette(**Palette.tiny_options).gammas.numpy()
    assert len(gammas) == 2001
    assert gammas[0] == 1
    np.testing.assert_allclose(gammas[1:], np.cumprod(1 - np.array(betas)), rtol=1e-12)
    # the series of log(1 - b): the sums of b, b^2 / 2 and b^3 / 3 over a straight line from 0.000001 to 0.01
    assert np.log(gammas[-1]) == pytest.approx(-(10.001 + 2000 * 1e-4 / 3 / 2 + 2000 * 1e-6 / 4 / 3), abs=1e-3)


def test_noise_levels_of_sampling_are_the_papers(tmp_path: Any) -> None:
    model = i2izoo.create("palette", **Palette.tiny_options)
    model.save_pretrained(tmp_path)
    scheduler = DDPMScheduler.from_pretrained(tmp_path / "scheduler")  # by diffusers alone
    kept = np.cumprod(1 - np.linspace(1e-4, 0.09, 1000))
    np.testing.assert_allclose(scheduler.alphas_cumprod.numpy(), kept, rtol=1e-4)
    assert kept[-1] == pytest.approx(7e-21, rel=0.1)
    scheduler.set_timesteps(1000)
    assert scheduler.timesteps.tolist() == list(range(999, -1, -1))
    # the larger variance is beta itself
    variances = [float(scheduler._get_variance(t)) for t in (1, 500, 999)]
    np.testing.assert_allclose(variances, np.linspace(1e-4, 0.09, 1000)[[1, 500, 999]], rtol=1e-3)
    assert (scheduler.config.clip_sample, scheduler.config.clip_sample_range) == (True, 1)
    assert Palette.__init__.__kwdefaults__["sampling_steps"] == 1000


def test_gamma_is_uniform_between_neighbouring_levels() -> None:
    gammas = training_gammas(3, 0.1, 0.6)  # 1, 0.9, 0.585, 0.234
    np.testing.assert_allclose(gammas, [1, 0.9, 0.585, 0.234], rtol=1e-12)
    with seeded(0):
        drawn = draw_gammas(gammas, 20_000).numpy()
    assert drawn.dtype == np.float64
    # P(gamma < g) is a straight line from level to level, each of them a third
    levels = gammas.numpy()[::-1]
    assert kstest(drawn, lambda g: np.interp(g, levels, [0, 1 / 3, 2 / 3, 1])).pvalue > 0.01
    assert kstest(drawn, lambda g: np.interp(g, [0.234, 1], [0, 1])).pvalue < 1e-9  # it could fail


def test_the_network_is_told_gamma_in_training() -> None:
    method = palette(train_steps=1, train_betas=[0.5, 0.5])
    calls = asked(method)
    x, y = torch.zeros(64, 3, 8, 8), torch.zeros(64, 3, 8, 8)
    with seeded(0):
        next(iter(method.training_step(Batch({"source": x, "target": y}))))
    ((planes, times),) = calls
    assert 500 < times.min() < 550 < 950 < times.max() < 1000  # uniform from 0.5 to 1, thousandfold
    # of an image of zeros, the network sees sqrt(1 - gamma) e
    measured = planes[:, :3].square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(measured, 1 - times / 1000, rtol=0.4, atol=0.01)
    assert np.corrcoef(measured, 1 - times / 1000)[0, 1] > 0.95


# -------------------------------------------------------------------------------------------------------------- loss


@pytest.mark.parametrize(
    ("loss", "mean", "expected"),
    [("l2", "unknown", 8.5), ("l2", "all", 4.25), ("l1", "unknown", 2.5), ("l1", "all", 1.25)],
)
def test_known_pixels_have_no_loss(loss: str, mean: str, expected: float) -> None:
    method = palette(loss=loss, loss_mean=mean)
    prediction = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(1, 3, 2, 2).clone().requires_grad_()
    mask = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(1, 1, 2, 2)  # 1 and 4 count: 17 / 2, and 5 / 2
    found = method.masked_loss(prediction, torch.zeros(1, 3, 2, 2), mask)
    assert found.item() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(found, prediction)
    assert torch.equal(gradient != 0, mask.bool().expand(1, 3, 2, 2))


def test_without_a_mask_all_pixels_count() -> None:
    prediction = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 2, 2)
    assert palette().masked_loss(prediction, torch.zeros(1, 1, 2, 2), None).item() == pytest.approx(7.5)
    assert palette().masked_loss(prediction, torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).item() == 7.5


@pytest.mark.parametrize("known", ["clean", "noisy"])
def test_what_the_network_sees_of_known_pixels_in_training(known: str) -> None:
    method = palette(known_pixels=known)
    calls = asked(method)
    x, y, mask = torch.zeros(4, 3, 8, 8), torch.rand(4, 3, 8, 8), holes(4, 1, 8, 8)
    with seeded(3):
        next(iter(method.training_step(Batch({"source": x, "target": y}, extras={"mask": mask}))))
    same = calls[0][0][:, :3] == y
    unknown = mask.bool().expand_as(y)
    assert not same[unknown].any()
    assert same[~unknown].all() if known == "clean" else not same[~unknown].any()


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_two_steps_are_those_of_plain_torch(kind: str) -> None:
    method, twin = palette(prediction=kind).double(), palette(prediction=kind).double()
    x, y, mask = (torch.rand(2, c, 8, 8, dtype=torch.float64) * 2 - 1 for c in (3, 3, 1))
    mask = (mask > 0).double()
    stepper = Stepper(method.train(), lambda: torch.autocast("cpu", enabled=False), torch.amp.GradScaler(enabled=False))
    optimizer = torch.optim.Adam(twin.train().parameters(), 1e-4)
    levels = torch.cat([torch.ones(1), 1 - torch.linspace(1e-6, 0.01, 2000).double()]).double().cumprod(0)
    for step in range(2):
        with seeded(step):
            logged = stepper.run([Batch({"source": x, "target": y}, step, extras={"mask": mask})])
        with seeded(step):
            t = torch.randint(1, 2001, (2,))
            share = torch.rand(2, dtype=torch.float64)
            gamma = (levels[t - 1] * (1 - share) + levels[t] * share).view(2, 1, 1, 1)
            noise = torch.randn(2, 3, 8, 8, dtype=torch.float64)
        seen = mask * (gamma.sqrt() * y + (1 - gamma).sqrt() * noise) + (1 - mask) * y
        prediction = twin.generator(torch.cat([seen, x], dim=1), 1000 * gamma.view(2))
        wanted = {"epsilon": noise, "sample": y, "v_prediction": gamma.sqrt() * noise - (1 - gamma).sqrt() * y}[kind]
        loss = (mask * (prediction - wanted) ** 2).sum() / (3 * mask.sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert logged["denoising"].item() == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in method.named_parameters():
        torch.testing.assert_close(parameter, twin.get_parameter(name), rtol=0, atol=2e-6)


# ---------------------------------------------------------------------------------------------------------- sampling


@pytest.mark.parametrize(
    ("masked", "kind"), [(False, "epsilon"), (True, "epsilon"), (True, "sample"), (True, "v_prediction")]
)
def test_sampling_is_a_plain_loop_of_diffusers(masked: bool, kind: str) -> None:
    method = palette(prediction=kind)
    source, mask, seeds = torch.rand(2, 3, 16, 8) * 2 - 1, holes(2, 1, 16, 8), [4, 5]
    with torch.inference_mode():
        output = method(source, to="target", seeds=seeds, steps=25, **({"mask": mask} if masked else {}))

        mask = mask if masked else torch.ones_like(mask)
        scheduler = DDPMScheduler(
            **PAPER, timestep_spacing="trailing", prediction_type=kind, rescale_betas_zero_snr=kind != "epsilon"
        )
        scheduler.set_timesteps(25)
        draws = [torch.Generator().manual_seed(derive_seed(seed, "steps")) for seed in seeds]
        x = randn((3, 16, 8), [derive_seed(seed, "noise") for seed in seeds])
        x = mask * x + (1 - mask) * source
        for t in scheduler.timesteps:
            gamma = scheduler.alphas_cumprod[t].double()
            noise = method.generator(torch.cat([x, source], dim=1), (1000 * gamma).float().expand(2))
            x = scheduler.step(noise, t, x, generator=draws).prev_sample
            x = mask * x + (1 - mask) * source
    torch.testing.assert_close(output, x.clamp(-1, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("scheduler", [*KEEPERS, "lcm"])
def test_the_network_is_told_gamma_by_every_scheduler(scheduler: str) -> None:
    method = palette(scheduler=MILD)
    calls = asked(method)
    with torch.inference_mode():
        output = method(torch.zeros(1, 3, 8, 8), to="target", steps=4, scheduler=scheduler)
    assert torch.isfinite(output).all()
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    times = [float(t) for _, t in calls]
    assert len(times) == 4
    assert times == sorted(times)  # from noise to image, gamma grows
    if scheduler in ("ddpm", "ddim", "euler", "euler_ancestral"):  # the others have steps of their own
        np.testing.assert_allclose(times, 1000 * kept[[999, 749, 499, 249]], rtol=1e-4)


@pytest.mark.parametrize("known", ["clean", "noisy"])
@pytest.mark.parametrize("scheduler", KEEPERS)
def test_known_pixels_come_out_bit_for_bit_at_odd_sizes(scheduler: str, known: str) -> None:
    model = i2izoo.create("palette", **Palette.tiny_options, known_pixels=known, scheduler=MILD)
    image = np.random.default_rng(0).random((33, 21, 3), np.float32)
    mask = np.zeros((33, 21), np.uint8)
    mask[5:20, 3:9] = 255
    output = model(image, mask=mask, steps=3, scheduler=scheduler)
    # images in [0, 1] become tensors in [-1, 1] and images again, as they do without any model
    round_trip = (image * 2 - 1 + 1) / 2
    assert np.array_equal(output[mask == 0], round_trip[mask == 0].astype(np.float32))
    assert not np.array_equal(output[mask == 255], round_trip[mask == 255].astype(np.float32))

    eight_bits = np.random.default_rng(1).integers(0, 256, (33, 21, 3), dtype=np.uint8)
    output = model(eight_bits, mask=mask, steps=2, scheduler=scheduler)
    assert np.array_equal(output[mask == 0], eight_bits[mask == 0])


@pytest.mark.parametrize("scheduler", KEEPERS)
def test_the_network_sees_clean_known_pixels_in_every_step(scheduler: str) -> None:
    method = palette(scheduler=MILD)
    calls, previews = asked(method), []
    source, mask = torch.rand(1, 3, 8, 8) * 2 - 1, holes(1, 1, 8, 8)
    known = mask.expand(1, 3, 8, 8) == 0
    with torch.inference_mode():
        method(
            source, to="target", mask=mask, steps=5, scheduler=scheduler, seeds=[0],
            preview=lambda run: previews.append(run.clean),
        )  # fmt: skip
    assert len(calls) == len(previews) >= 5
    for (planes, _), preview in zip(calls, previews, strict=True):
        torch.testing.assert_close(planes[:, :3][known], source[known], rtol=0, atol=1e-5)
        torch.testing.assert_close(preview[known], source[known], rtol=0, atol=1e-3)


@pytest.mark.parametrize("scheduler", ["dpmsolver++", "unipc", "euler", "euler_ancestral"])
def test_samplers_that_do_not_clip_refuse_the_papers_noise_levels(scheduler: str) -> None:
    source = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ConfigError, match="gamma = 7e-21, where training ended at 4e-05"):
        palette()(source, to="target", scheduler=scheduler)
    with torch.inference_mode():
        assert torch.isfinite(palette()(source, to="target", scheduler="ddim")).all()
        # which says what the image is where there is nothing but noise
        output = palette(prediction="v_prediction", scheduler=MILD)(source, to="target", scheduler=scheduler, steps=5)
        assert torch.isfinite(output).all()


def test_a_mask_of_black_changes_nothing_and_half_is_known() -> None:
    method, source = palette(), torch.rand(1, 3, 8, 8) * 2 - 1
    with torch.inference_mode():
        assert torch.equal(method(source, to="target", mask=-torch.ones(1, 1, 8, 8)), source)
        all_of_it = method(source, to="target", mask=torch.ones(1, 3, 8, 8))
        torch.testing.assert_close(all_of_it, method(source, to="target"), rtol=0, atol=1e-6)


# ----------------------------------------------------------------------------------------------------------- learning


def test_learns_to_fill_a_hole_from_what_is_known(learned: Callable[..., None], learning_seed: int) -> None:
    """Images of one grey value g, uniform in [-1, 1], with a hole: g is only to be had from the known pixels.

    A model that does not look at them has a mean squared error of at least Var(g) = 1/3, and 2/3 if it samples.
    """
    torch.manual_seed(learning_seed)
    method = palette(
        learning_seed,
        generator={"name": "unet2d", "channels": [32], "attention": [], "layers": 1, "norm_groups": 8},
        scheduler={"name": "ddim", "beta_start": 1e-4, "beta_end": 0.02}, learning_rate=5e-3,
    ).train()  # fmt: skip

    def pairs(count: int) -> tuple[Tensor, Tensor, Tensor]:
        y = (torch.rand(count, 1, 1, 1) * 2 - 1).expand(count, 3, 4, 4).contiguous()
        mask = holes(count, 1, 4, 4)
        return torch.lerp(y, torch.randn_like(y), mask), y, mask

    (optimizer,) = method.optimizers().values()
    for step in range(150):
        x, y, mask = pairs(32)
        (update,) = method.training_step(Batch({"source": x, "target": y}, step, extras={"mask": mask}))
        optimizer.zero_grad()
        update.losses["denoising"].backward()
        optimizer.step()
    x, y, mask = pairs(64)
    with torch.inference_mode():
        found = method.eval()(x, to="target", seeds=list(range(64)), mask=mask, steps=10)
    hole = mask.expand_as(y) == 1
    learned("mean squared error in the hole", (found - y)[hole].square().mean(), below=0.1, untrained=1 / 3)


# ------------------------------------------------------------------------------------------------------------- tasks


TASKS: dict[str, dict[str, Any]] = {
    "colorization": {"domains": ["grey", "photo"]},
    "inpainting": {"domains": ["masked", "photo"]},
    "uncropping": {"domains": ["cropped", "photo"]},
    "jpeg_restoration": {"domains": ["compressed", "photo"]},
    "restoration": {"domains": ["damaged", "photo"]},
}


@pytest.mark.parametrize("task", TASKS)
def test_learns_every_task(task: str) -> None:
    model = i2izoo.create(task, base={"name": "palette", **Palette.tiny_options}, **TASKS[task])
    if task in ("inpainting", "uncropping", "restoration"):  # it knows masks, and needs no plane that marks them
        assert model.method.base.config["in_channels"] == 3
    trainer = i2izoo.Trainer(
        model, {"name": "synthetic-facades", "count": 4, "size": 32}, steps=2, load_size=18, crop_size=16, batch_size=4,
        warmup_steps=0, progress=False,
    )  # fmt: skip
    before = {name: p.detach().clone() for name, p in model.method.named_parameters()}
    model = trainer.fit()
    assert any(not torch.equal(p, before[name]) for name, p in model.method.named_parameters())


def test_colours_are_red_green_and_blue_or_lab() -> None:
    grey = np.full((9, 7), 100, np.uint8)
    for colour, channels in (("rgb", 3), ("lab", 2)):
        model = i2izoo.create("colorization", base={"name": "palette", **Palette.tiny_options}, colour=colour)
        assert model.method.base.config["out_channels"] == channels
        one, two = model(grey, samples=2)
        assert one.shape == (9, 7, 3)
        assert not np.array_equal(one, two)


# ------------------------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"domains": ["a", "a"]}, "different names"),
        ({"prediction": "noise"}, "prediction"),
        ({"scheduler": {"name": "ddim", "beta_end": 1.5}}, "betas of a scheduler lie between 0 and 1"),
        ({"scheduler": {"name": "ddim", "rescale_betas_zero_snr": True}}, "rescale_betas_zero_snr"),
        ({"train_steps": 0}, "wants int from 1 to 1e6, found 0"),
        ({"train_betas": [0.5, 0.1]}, "train_betas"),
        ({"train_betas": [0.0, 0.1]}, "train_betas"),
        ({"condition_dropout": 1.0}, "condition_dropout"),
        ({"sampling_steps": 0}, "sampling_steps"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        palette(**options)


def test_a_mask_wants_a_source_of_the_targets_channels() -> None:
    with pytest.raises(ConfigError, match="3 channels; found 1"):
        palette(in_channels=1)(torch.zeros(1, 1, 8, 8), to="target", mask=torch.ones(1, 1, 8, 8))


def test_guidance_wants_condition_dropout() -> None:
    source = torch.rand(1, 3, 8, 8)
    with pytest.raises(ConfigError, match="condition_dropout=0"):
        palette()(source, to="target", guidance=1.5)
    with torch.inference_mode():
        assert torch.isfinite(palette(condition_dropout=0.2)(source, to="target", guidance=1.5)).all()
