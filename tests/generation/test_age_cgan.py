"""`age_cgan`: the encoder and the fit of latents, on weathered facades whose renderer is the generator; its stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from i2izoo_generation.age_cgan import AgeCGAN
from i2izoo_generation.fitting import fitted_latent
from PIL import Image
from torch import Tensor, nn

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.interfaces import Batch, FeatureExtractor, LatentGenerator
from i2izoo.nn.random import seeded
from i2izoo.testing.training import stepper_of

AGES = torch.tensor([0.0, 0.5, 1.0])
CLASSES = ["new", "worn", "old"]


def facades(colour: Tensor, window: Tensor, age: Tensor) -> Tensor:
    """N x 3 x 8 x 8: a wall of a colour, a window in rows 1 to 3 about a column, and stains by age in rows 5 to 7."""
    rows, columns = torch.arange(8)[:, None], torch.arange(8.0)[None]
    light = (colour[:, :, None, None] + 1).expand(-1, -1, 8, 8)
    glass = torch.exp(-(((columns - window[:, None, None]) / 1.3) ** 2)) * ((rows >= 1) & (rows <= 3))
    stains = age[:, None, None] * (rows >= 5)
    return light * (1 - 0.9 * glass - 0.6 * stains)[:, None] - 1


def read(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Colour, column of the window and age of facades."""
    light = image + 1
    colour = light[:, :, [0, 4]].mean((2, 3))
    share = 1 - light / colour[:, :, None, None]
    glass = share[:, :, 1:4].mean((1, 2)).clamp_min(0)
    window = (glass * torch.arange(8.0)).sum(1) / glass.sum(1)
    return colour - 1, window, share[:, :, 5:].mean((1, 2, 3)) / 0.6


class Renderer(LatentGenerator):
    """z is colour and window, and the condition the age: a generator that has learned all there is."""

    def __init__(self, *, latent: int = 4, condition: int = 3, out_channels: int = 3, size: int = 8) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        z = latent.tanh()
        return facades(self.gain * 0.3 + 0.5 * z[:, :3], 3.5 + 2 * z[:, 3], conditions[0] @ AGES)


class Halves(FeatureExtractor):
    """Two maps of an image; nothing is loaded."""

    def forward(self, image: Tensor) -> Tensor:
        return image.flatten(1)

    def maps(self, image: Tensor) -> list[Tensor]:
        return [image[:, :, :4], image[:, :, 4:]]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, name, part in (("latent_generators", "renderer", Renderer), ("extractors", "halves", Halves)):
        monkeypatch.setattr(registry(kind), "_registered", {})
        i2izoo.register(kind, name)(part)


def rendering(**options: Any) -> AgeCGAN:
    return AgeCGAN(
        size=8, latent=4, classes=CLASSES, generator="renderer", learning_rate=3e-3, betas=[0.5, 0.99],
        discriminator={"name": "dcgan", "width": 2},
        encoder={"name": "cnn_encoder", "width": 16, "layers": 2, "norm": "batch"}, **options,
    )  # fmt: skip


def examples(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Facades, their classes, and other classes."""
    with seeded(5):
        label = torch.arange(count) % 3
        return Renderer()(torch.randn(count, 4), torch.eye(3)[label]), label, (label + 1 + torch.arange(count) % 2) % 3


def test_the_renderer_can_be_read() -> None:
    image, label, _ = examples(30)
    colour, window, age = read(image)
    torch.testing.assert_close(age, AGES[label])
    torch.testing.assert_close(facades(colour, window, age), image, atol=0.03, rtol=0)


def test_another_age_and_all_else_is_kept(learned: Any, learning_seed: int) -> None:
    """The answer is known: the same colour and window, rendered at the other age."""
    torch.manual_seed(learning_seed)
    method = rendering()
    stepper = stepper_of(method)
    for step in range(200):
        torch.manual_seed(learning_seed * 200 + step)
        stepper.set_rate(min(1.0, 2 - step / 100))
        given = Batch({"image": torch.zeros(32, 3, 8, 8)}, step, 0.9, labels=torch.randint(3, (32,)))
        stepper.run([given])
    image, _, other = examples(16)
    colour, window, _ = read(image)

    def errors(iterations: int) -> tuple[float, float, float]:
        with torch.inference_mode():
            made = method.eval()(image, to="image", to_label=other, iterations=iterations)
        tone, column, age = read(made)
        right = (age[:, None] - AGES).abs().argmin(dim=1) == other
        return (tone - colour).abs().mean().item(), (column - window).abs().mean().item(), right.float().mean().item()

    average = (colour - colour.mean(0)).abs().mean().item(), (window - window.mean()).abs().mean().item()
    first, fitted = errors(0), errors(30)
    learned("distance of colours by the encoder alone", first[0], below=0.7 * average[0], untrained=average[0])
    learned("distance of colours, of that by the encoder", fitted[0] / first[0], below=0.3, untrained=1)
    learned("distance of windows, of that by the encoder", fitted[1] / first[1], below=0.3, untrained=1)
    learned("share of the age that was asked for", fitted[2], above=0.8, untrained=1 / 3)


@pytest.mark.parametrize("identity", ["l2", {"name": "perceptual", "features": "halves", "l1_weight": 1.0}])
def test_a_latent_is_fitted_through_any_loss_and_the_class_is_found(identity: Any) -> None:
    method = rendering(identity=identity)
    image, label, other = examples(3)
    with torch.inference_mode():
        again = method.eval()(image, to="image", iterations=40)
        stated = method(image, to="image", iterations=1, label=label, to_label=other)
    assert (read(stated)[2] - AGES[other]).abs().max() < 1e-5
    assert (again - image).square().mean((1, 2, 3)).median() < 1e-3  # from an encoder that has learned nothing


def test_the_gan_learns_first_and_then_the_encoder() -> None:
    """Of a batch's classes; ||z - E(G(z, y))||^2, and what the variance of E adds to it."""
    tiny = {"name": "dcgan", "width": 2, "init_gain": 0.3}
    method = AgeCGAN(
        size=8, latent=4, classes=CLASSES, generator=tiny, discriminator=tiny,
        encoder={"name": "cnn_encoder", "width": 2, "layers": 2, "norm": "none"}, encoder_from=0.5,
    )  # fmt: skip
    given = Batch({"image": torch.zeros(4, 3, 8, 8)}, labels=torch.tensor([0, 1, 2, 2]))
    assert [update.optimizers for update in method.training_step(given)] == ["discriminator", "generator"]
    given.progress = 0.5
    before = {name: value.clone() for name, value in method.generator.state_dict().items()}
    with seeded(1):
        (update,) = method.train().training_step(given)
        assert method.generator.training
    with seeded(1):
        z = torch.randn(4, 4)
    made = method.generator.eval()(z, torch.eye(3)[[0, 1, 2, 2]])
    mean, log_variance = method.encoder(made)
    assert update.optimizers == "encoder"
    torch.testing.assert_close(update.losses["latent"], (z - mean).square().mean())
    torch.testing.assert_close(update.losses["spread"], log_variance.exp().mean())
    assert all(torch.equal(before[name], value) for name, value in method.generator.state_dict().items())


def test_lbfgs_finds_the_minimum_of_rosenbrock() -> None:
    def rosenbrock(z: Tensor, a: Tensor) -> Tensor:
        return (a - z[0, 0]).square() + 100 * (z[0, 1] - z[0, 0].square()).square()

    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            start, one = torch.tensor([[-1.2, 1.0]]), torch.tensor(1.0)
            found = fitted_latent(rosenbrock, start, (one,), 100)
            assert fitted_latent(rosenbrock, start, (one,), 0) is start
        torch.testing.assert_close(found, torch.ones(1, 2), atol=1e-3, rtol=0)
        assert not found.requires_grad


def test_it_is_trained_saved_and_asked_by_the_names_of_classes(tmp_path: Path) -> None:
    for name, grey in {"old": 60, "young": 200}.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(3):
            Image.fromarray(np.full((16, 16, 3), grey + 9 * index, np.uint8)).save(
                tmp_path / f"data/{name}/{index}.png"
            )
    tiny = {"name": "dcgan", "width": 2, "init_gain": 0.3}
    encoder = {"name": "cnn_encoder", "width": 2, "layers": 2, "norm": "batch"}
    sizes = {"size": 16, "latent": 4}
    run = i2izoo.Trainer(
        {"name": "age_cgan", "classes": "data", **sizes, "generator": tiny, "discriminator": tiny, "encoder": encoder},
        tmp_path / "data", to="face", out=tmp_path / "run", steps=4, batch_size=2, ema=0.5, tensorboard=False,
        progress=False, device="cpu",
    )  # fmt: skip
    run.fit()
    model = i2izoo.load(tmp_path / "run" / "model")
    assert (dict(model.directions), model.method.classes) == ({"face": "face"}, ["old", "young"])
    face = Image.new("RGB", (20, 24), "grey")
    old, young = (model(face, to_label=name, iterations=2) for name in ("old", "young"))
    assert old.size == (20, 24)
    assert (np.asarray(old) != np.asarray(young)).any()
    assert (np.asarray(model([face, face], to_label=["young", "old"], iterations=2)[1]) == np.asarray(old)).all()
    with pytest.raises(I2IZooError, match="did you mean 'young'"):
        model(face, to_label="yuong")

    method: Any = model.method  # whose encoder has the statistics of images that the averaged generator makes
    seen: list[Tensor] = []
    norm = next(layer for layer in method.encoder.modules() if isinstance(layer, nn.BatchNorm2d))
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad(), seeded(2):
        method.encoder(method.of(torch.randn(1000, 4), torch.eye(2)[torch.randint(2, (1000,))]))
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    distance = (seen[0].mean((0, 2, 3)) - mean) / variance.sqrt()
    assert distance.abs().max() < 0.2


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="gives an image another class; name them"):
        AgeCGAN(**{**AgeCGAN.tiny_options, "classes": []})
    with pytest.raises(ConfigError, match="leaves the names of the classes to be found in data"):
        AgeCGAN(classes="data")
