"""The studies of the field are one-line options in every method that has them, as the registry finds them."""

from __future__ import annotations

import inspect

import pytest
import torch

from i2izoo.contracts.config import schema
from i2izoo.contracts.options import flat, sort_options
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import AdversarialLoss
from i2izoo.nn.random import seeded
from i2izoo.testing.training import batches, stepper_of
from i2izoo.training.config import TrainingOptions

METHODS = {
    entry.name: registry("methods").get(f"i2izoo:{entry.name}")
    for entry in registry("methods").entries()
    if entry.distribution == "i2izoo"
}
GAN_LOSSES = [
    name
    for name in registry("losses").names()
    if inspect.isclass(part := registry("losses").get(name)) and issubclass(part, AdversarialLoss)
]
FAMILIES = {
    "unet_256": {"name": "unet_256", "width": 4, "depth": 3},
    "resnet_9blocks": {"name": "resnet_9blocks", "width": 4, "blocks": 1},
}
LAYERS = {"unet_256": ["e1", "e2"], "resnet_9blocks": ["pad_in", "down1"]}
"""What a method that compares features of its generator looks at."""


def having(*options: str) -> list[str]:
    """The methods that have all these options."""
    return [name for name, method in METHODS.items() if set(options) <= schema(method).keys()]


def build(name: str, *, tiny: bool = True, **line: object):
    """A method with one more line of options, as the command line and a sweep take them: generator__width=8."""
    method = METHODS[name]
    given = [*flat(method.tiny_options if tiny else {}), *flat({k.replace("__", "."): v for k, v in line.items()})]
    options, _ = sort_options(given, schema(method), schema(TrainingOptions), where=name)
    with seeded(0):
        return method(**options)


def train(method, steps: int = 2) -> dict[str, torch.Tensor]:
    """All losses of some steps, through the trainer's own code."""
    stepper, losses = stepper_of(method), {}
    for batch in batches(method, steps):
        with seeded(batch.step):
            losses |= stepper.run([batch])
    return losses


def finite(losses: dict[str, torch.Tensor]) -> bool:
    return bool(losses) and all(bool(torch.isfinite(value)) for value in losses.values())


def with_widths(name: str) -> bool:
    """Have both networks of a method an option for their width? Those of StyleGAN2 have a budget of channels."""
    with torch.device("meta"):
        config = METHODS[name](**METHODS[name].tiny_options).config
    return all("width" in config[part] for part in ("generator", "discriminator"))


def size(method, part: str) -> int:
    return sum(p.numel() for name, p in method.named_parameters() if name.split(".")[0] == part)


def test_the_four_losses_and_the_first_methods_are_there() -> None:
    """What the tests below find is not nothing."""
    assert {"vanilla", "lsgan", "wgangp", "hinge"} <= set(GAN_LOSSES)
    assert {"pix2pix", "cyclegan"} <= set(having("gan_loss", "generator", "discriminator"))
    assert "cyclegan" in having("identity_weight")


@pytest.mark.parametrize("loss", GAN_LOSSES)
@pytest.mark.parametrize("name", having("gan_loss"))
def test_any_gan_loss_trains(name: str, loss: str) -> None:
    method = build(name, gan_loss=loss)
    assert method.config["gan_loss"]["name"] == loss
    before = [p.detach().clone() for p in method.discriminator.parameters()]
    losses = train(method, steps=3)  # in the first of which only a text encoder may learn
    assert finite(losses)
    assert any("penalty" in term for term in losses) == (loss == "wgangp")
    assert any(not torch.equal(a, b) for a, b in zip(before, method.discriminator.parameters(), strict=True))


@pytest.mark.parametrize("name", [name for name in having("generator", "discriminator") if with_widths(name)])
def test_generator_and_discriminator_have_widths_of_their_own(name: str) -> None:
    usual = build(name)
    part = "generator" if size(usual, "generator") else next(iter(usual.inference_parts))
    for option, other in (("generator", "discriminator"), ("discriminator", "generator")):
        wider = build(name, **{f"{option}__width": 2 * usual.config[option]["width"]})
        mine, theirs = (part if o == "generator" else o for o in (option, other))
        assert size(wider, mine) > 2 * size(usual, mine)
        assert size(wider, theirs) == size(usual, theirs)
        assert finite(train(wider))


def with_families() -> list[str]:
    """The methods whose own generator is a U-Net or a ResNet."""
    names = {name: METHODS[name]().config["generator"]["name"] for name in having("generator", "domains")}
    return [name for name, generator in names.items() if generator.startswith(("unet_", "resnet_"))]


with torch.device("meta"):
    FREE = with_families()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", FREE)
def test_unet_or_resnet(name: str, family: str) -> None:
    layers = {"layers": LAYERS[family]} if name in having("layers") else {}
    with torch.device("meta"):
        paper = build(
            name, tiny=False, generator=family, **layers
        )  # at the sizes of the papers, with nothing else said
    assert paper.config["generator"]["name"] == family
    tiny = {k: v for k, v in METHODS[name].tiny_options.items() if k != "generator"}
    line = {**tiny, "generator": FAMILIES[family], **layers}
    options, _ = sort_options(flat(line), schema(METHODS[name]), schema(TrainingOptions), where=name)
    assert finite(train(METHODS[name](**options)))


def test_the_features_of_a_unet_are_what_its_levels_give() -> None:
    with seeded(0):
        network = registry("generators").build(FAMILIES["unet_256"], in_channels=3, out_channels=3).eval()
        image = torch.rand(1, 3, 32, 32)
    seen: list[torch.Tensor] = []
    for level in network.down:
        level.register_forward_hook(lambda _, __, output: seen.append(output))
    network(image)
    wanted = dict(zip(("e1", "e2", "e3"), seen.copy(), strict=True))
    found = network.features(image, ["e3", "e1"])
    assert found.keys() == {"e1", "e3"}
    assert all(torch.equal(found[name], wanted[name]) for name in found)
    with pytest.raises(ConfigError, match=r"no layer 'e4'.* Layers: e1, e2, e3"):
        network.features(image, ["e4"])


@pytest.mark.parametrize("name", having("identity_weight"))
def test_the_identity_loss_can_be_on_and_off(name: str) -> None:
    assert not any("identity" in term for term in train(build(name, identity_weight=0.0)))
    losses = train(build(name, identity_weight=0.5))
    assert finite(losses)
    assert any("identity" in term for term in losses)


@pytest.mark.parametrize("place", ["input", "all", "bottleneck"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", [name for name in having("generator", "latent") if name in FREE])
def test_the_latent_can_enter_anywhere(name: str, family: str, place: str) -> None:
    tiny = {k: v for k, v in METHODS[name].tiny_options.items() if k != "generator"}
    line = {**tiny, "latent": 3, "generator": {**FAMILIES[family], "latent_at": place}}
    options, _ = sort_options(flat(line), schema(METHODS[name]), schema(TrainingOptions), where=name)
    with seeded(0):
        method = METHODS[name](**options)
    assert method.config["generator"]["latent_at"] == place
    assert finite(train(method))
    (to,) = method.directions
    with seeded(1), torch.inference_mode():
        image = torch.rand(1, method.channels[method.directions[to]], 32, 32).mul(2).sub(1).repeat(2, 1, 1, 1)
        first, second = method.eval()(image, to=to, seeds=[1, 2])
    assert not torch.equal(first, second), "two latents, one image"
