"""`gan` and `dcgan`: the order of their updates, classes, priors, sizes, and their messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from i2izoo_generation.gan import DCGAN, GAN
from PIL import Image
from scipy import stats
from torch import Tensor, nn

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Text
from i2izoo.nn.random import seeded
from i2izoo.testing.training import stepper_of

TINY = {"name": "dcgan", "width": 2, "init_gain": 0.3}


def tiny(**options: Any) -> GAN:
    return GAN(**{"size": 8, "latent": 4, "generator": TINY, "discriminator": TINY, **options})


def batch(rows: int = 4, size: int = 8, step: int = 0, labels: list[int] | None = None) -> Batch:
    images = torch.rand(rows, 3, size, size, generator=torch.Generator().manual_seed(step)) * 2 - 1
    return Batch({"image": images}, step, labels=None if labels is None else torch.tensor(labels))


def test_a_step_is_algorithm_1_of_the_paper() -> None:
    """The discriminator ascends log D(x) + log(1 - D(G(z))), then the generator log D(G(z')) of a new z', past it."""
    with seeded(0):
        method = tiny().train()
    twin = tiny().train()
    twin.load_state_dict(method.state_dict())
    with seeded(1):
        stepper_of(method).run([batch()])

    G, D = twin.generator, twin.discriminator
    optimizers = {
        name: torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999)) for name, network in (("g", G), ("d", D))
    }
    with seeded(1):
        z, other = torch.randn(4, 4), torch.randn(4, 4)
    real, fake = batch()["image"], G(z).detach()
    bce = nn.BCEWithLogitsLoss()
    loss = bce(D(real)[0], torch.ones(4, 1)) + bce(D(fake)[0], torch.zeros(4, 1))
    optimizers["d"].zero_grad()
    loss.backward()
    optimizers["d"].step()
    optimizers["g"].zero_grad()
    bce(D(G(other))[0], torch.ones(4, 1)).backward()
    optimizers["g"].step()

    for name, value in twin.state_dict().items():
        torch.testing.assert_close(method.state_dict()[name], value, atol=2e-5, rtol=1e-4, msg=name)


def test_the_generator_learns_in_every_so_many_steps() -> None:
    method = tiny(discriminator_steps=3)
    stepper, changed = stepper_of(method), []
    for step in range(6):
        before = method.generator.project.weight.clone()
        stepper.run([batch(step=step)])
        changed.append(not torch.equal(before, method.generator.project.weight))
    assert changed == [False, False, True] * 2


def test_dcgan_is_the_method_of_its_paper() -> None:
    planned = DCGAN(generator=TINY, discriminator=TINY)
    assert (planned.latent_size, planned.prior, planned.size) == (100, "uniform", 64)
    assert set(planned.learning_rates.values()) == {2e-4}  # section 4: Adam, 0.0002, momentum 0.5
    assert planned.betas == [0.5, 0.999]
    assert DCGAN.recipe["batch_size"] == 128
    assert planned.config["gan_loss"]["name"] == "vanilla"


@pytest.mark.parametrize(("prior", "distribution"), [("uniform", stats.uniform(-1, 2)), ("normal", stats.norm())])
def test_the_prior(prior: str, distribution: Any) -> None:
    method = tiny(prior=prior)
    with seeded(0):
        z = method.noise(torch.zeros(2000, 1))
    assert stats.kstest(z.flatten().numpy(), distribution.cdf).pvalue > 0.01


# --------------------------------------------------------------------------------------------------------- classes


def told_of(method: GAN, labels: list[int]) -> Tensor:
    (found,) = method.conditions(batch(labels=labels))
    return found


def test_both_players_are_told_the_class() -> None:
    method = tiny(classes=["a", "b", "c"])
    assert told_of(method, [2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]
    told: dict[str, list[Tensor]] = {"G": [], "D": []}
    method.generator.register_forward_pre_hook(lambda module, inputs: told["G"].append(inputs[1]))
    method.discriminator.register_forward_pre_hook(lambda module, inputs: told["D"].append(inputs[1]))
    stepper_of(method).run([batch(labels=[2, 0, 1, 1])])
    wanted = torch.eye(3)[[2, 0, 1, 1]]
    assert [len(seen) for seen in told.values()] == [2, 3]  # fake, fake; real, fake, fake
    assert all(torch.equal(one, wanted) for seen in told.values() for one in seen)


def test_a_discriminator_that_takes_no_condition_sees_planes() -> None:
    method = tiny(size=16, classes=["a", "b"], discriminator={"name": "patchgan", "width": 2, "layers": 1})
    seen: list[Tensor] = []
    method.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    given = batch(2, size=16, labels=[1, 0])
    stepper_of(method).run([given])
    assert torch.equal(seen[0][:, 2:], given["image"])
    assert seen[0][:, :2].unique(dim=2).unique(dim=3).flatten(1).tolist() == [[0, 1], [1, 0]]


def test_a_label_decides_and_a_seed_draws_one_where_there_is_none() -> None:
    model = i2izoo.create("gan", domains=["image"], size=8, latent=4, classes=["a", "b"], generator=TINY)
    both = [model.generate(1, label=name, output="array")[0] for name in ("a", "b")]
    assert (both[0] != both[1]).any()
    assert (model.generate(1, label=1, output="array")[0] == both[1]).all()
    drawn = model.generate(40, output="array")
    given = {name: model.generate(40, label=name, output="array") for name in ("a", "b")}
    shares = [sum((one == other).all() for one, other in zip(drawn, given[name], strict=True)) for name in ("a", "b")]
    assert sum(shares) == 40
    assert min(shares) >= 8  # of 20 that are expected; fewer than 8 of 40 is four standard deviations away


def folders(path: Path, classes: dict[str, int]) -> Path:
    for name, grey in classes.items():
        (path / name).mkdir(parents=True)
        for index in range(3):
            Image.fromarray(np.full((10, 10, 3), grey + index, np.uint8)).save(path / name / f"{index}.png")
    return path


def test_training_finds_the_classes_in_folders(tmp_path: Path) -> None:
    data = folders(tmp_path / "data", {"dark": 20, "light": 220})
    run = i2izoo.Trainer(
        {"name": "gan", "classes": "data", "size": 8, "latent": 4, "generator": TINY, "discriminator": TINY}, data,
        out=tmp_path / "run", steps=1, batch_size=2, tensorboard=False, progress=False, device="cpu",
    )  # fmt: skip
    run.fit()
    loaded = i2izoo.load(tmp_path / "run" / "model")
    assert loaded.method.classes == ["dark", "light"]
    assert loaded.generate(label="light")[0].size == (8, 8)
    with pytest.raises(ConfigError, match="did you mean 'light'"):
        loaded.generate(label="lihgt")

    other = folders(tmp_path / "other", {"dark": 20, "medium": 120})
    with pytest.raises(ConfigError, match="learns the classes dark, light, and the data has dark, medium"):
        i2izoo.Trainer(loaded, other, steps=1, batch_size=2)


def test_data_without_classes_is_refused(tmp_path: Path) -> None:
    folders(tmp_path, {"all": 20})
    with pytest.raises(ConfigError, match="the data has none; put the images of each class into a folder"):
        i2izoo.Trainer({"name": "gan", "classes": "data", "size": 8}, tmp_path / "all", steps=1)


class OfText(GAN):
    """Both are told how often each of the first letters comes in a text: the least that a text encoder could say."""

    def condition_length(self) -> int:
        return 4

    def embedded(self, texts: list[str]) -> Tensor:
        return torch.tensor([[float(text.count(letter)) for letter in "abcd"] for text in texts])

    def conditions(self, batch: Batch) -> tuple[Tensor, ...]:
        return (self.embedded(batch.texts or []),)

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int], text: Text | None = None) -> Tensor:
        texts = text if isinstance(text, list) else ["" if text is None else text] * len(seeds)
        return self.images(self.latents(seeds), [self.embedded(texts)], size)


def test_a_method_of_texts_says_what_both_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("methods"), "_registered", {})
    i2izoo.register("methods", "of_text")(OfText)
    method = OfText(size=8, latent=4, generator=TINY, discriminator=TINY)
    told: list[Tensor] = []
    method.discriminator.register_forward_pre_hook(lambda module, inputs: told.append(inputs[1]))
    given = batch(2)
    given.texts = ["abba", "dad"]
    stepper_of(method).run([given])
    assert told[0].tolist() == [[2, 2, 0, 0], [1, 0, 0, 2]]

    model = i2izoo.create("of_text", size=8, latent=4, generator=TINY, discriminator=TINY)
    one, other, again = model.generate(3, text=["a", "b", "a"], output="array")
    assert (model.generate(3, text="a", output="array")[2] == again).all()
    assert (model.generate(2, text="a", output="array")[1] != other).any()
    assert (one != again).any()  # of another seed


# ----------------------------------------------------------------------------------------------- sizes and messages


def test_other_sizes_are_scaled_and_cropped() -> None:
    model = i2izoo.create("gan", domains=["image"], size=16, latent=4, generator=TINY)
    own = model.generate(1, output="tensor")[0]
    double = model.generate(1, size=32, output="tensor")[0]
    assert own.shape == (3, 16, 16)
    wanted = nn.functional.interpolate(own[None], (32, 32), mode="bilinear")[0]
    torch.testing.assert_close(double, wanted, atol=1e-5, rtol=0)
    wide = model.generate(1, size=(16, 32), output="tensor")[0]
    torch.testing.assert_close(wide, double[:, 8:24], atol=1e-5, rtol=0)


def test_its_recipe_is_of_its_size() -> None:
    assert GAN.recipe_for({"size": 32})["crop_size"] == 32
    assert GAN.recipe_for({})["load_size"] == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "data"}, "which only training can do; give them"),
        ({"classes": ["a", "a"]}, "each class has a name of its own"),
        ({"domains": []}, "domains is empty"),
        ({"generator": "unet_256"}, "no latent generator named 'unet_256'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(i2izoo.errors.I2IZooError, match=message):
        tiny(**options)


def test_images_of_another_size_are_refused_before_training() -> None:
    with pytest.raises(ConfigError, match="learns from images of 64 x 64, and those of 'photo' come as 32 x 32"):
        i2izoo.Trainer("gan", "synthetic-facades", to="photo", steps=1, crop_size=32, load_size=32)


def test_what_generation_has_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="knows no classes; leave label out"):
        tiny().generate(to="image", seeds=[0], size=(8, 8), label=torch.tensor([0]))
    with pytest.raises(ConfigError, match=r"wants a latent of shape \(N, 4\)"):
        tiny().generate(to="image", seeds=[0], size=(8, 8), latent=torch.zeros(1, 3))
