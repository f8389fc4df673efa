"""Progressive training: the plan of levels, and networks that fade from one to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from i2izoo_generation.dcgan import DCGANDiscriminator, DCGANGenerator
from i2izoo_generation.gan import GAN
from i2izoo_generation.levels import at_level, level_at
from torch import Tensor

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch
from i2izoo.nn.random import seeded
from i2izoo.testing.images import RandomImages
from i2izoo.testing.training import stepper_of

TINY = {"name": "dcgan", "width": 2, "init_gain": 0.3}


def published_level(seen: float, levels: int, phase: float) -> float:
    """As the authors' code counts (progressive_growing_of_gans, train.py): `lod` falls from the lowest resolution.

    A phase is `phase` images of training and as many of transition.
    """
    index = int(seen // (2 * phase))
    lod = levels - 1 - index - max(seen - 2 * phase * index - phase, 0.0) / phase
    return levels - max(lod, 0.0)


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_the_plan_is_that_of_the_authors(levels: int) -> None:
    share, images = 0.75, 1000.0
    phase = share * images / max(1, 2 * (levels - 1))  # so many phases there are until the last level is whole
    for done in range(1000):
        assert level_at(done / images, levels, share) == pytest.approx(
            published_level(float(done), levels, phase) if levels > 1 else 1.0, abs=1e-6
        )


def test_real_images_are_as_coarse_as_the_level() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    means = torch.tensor([[2.5, 4.5], [10.5, 12.5]])
    assert torch.equal(at_level(image, 2.0, 2), image)
    assert torch.equal(at_level(image, 1.0, 2)[0, 0], means)
    quarter = 0.75 * means.repeat_interleave(2, 0).repeat_interleave(2, 1) + 0.25 * image[0, 0]
    torch.testing.assert_close(at_level(image, 1.25, 2)[0, 0], quarter)


def at(network: Any, level: float, *inputs: Tensor) -> Tensor:
    network.level.fill_(level)
    with torch.no_grad():
        output = network.eval()(*inputs)
    return output if isinstance(output, Tensor) else output[0]


def test_a_generator_fades_from_one_level_to_the_next() -> None:
    """Figure 2 of the paper: (1 - a) times the doubled image of the level below, and a times that of the level."""
    with seeded(0):
        network, z = DCGANGenerator(size=32, progressive=True, width=2, init_gain=0.3), torch.randn(2, 100)
    below, above = at(network, 2, z), at(network, 3, z)
    assert (below.shape[-1], above.shape[-1]) == (16, 32)
    doubled = below.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(at(network, 2.25, z), 0.75 * doubled + 0.25 * above)


def test_a_discriminator_fades_from_one_level_to_the_next() -> None:
    """It begins as that of the level below saw the halved image, and ends as that of the level."""
    with seeded(0):
        network = DCGANDiscriminator(size=32, progressive=True, width=2, init_gain=0.3)
        image = torch.randn(2, 3, 32, 32)
    halved = image.view(2, 3, 16, 2, 16, 2).mean((3, 5))
    almost_below, almost_above = at(network, 2 + 1e-5, image), at(network, 3 - 1e-5, image)
    torch.testing.assert_close(almost_below, at(network, 2, halved), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(almost_above, at(network, 3, image), atol=1e-4, rtol=1e-3)
    assert not torch.allclose(almost_below, almost_above, atol=1e-3)


def test_at_the_last_level_they_are_the_networks_that_do_not_grow() -> None:
    for kind, given in ((DCGANGenerator, (2, 100)), (DCGANDiscriminator, (2, 3, 32, 32))):
        with seeded(0):
            grows, plain = kind(size=32, width=2, progressive=True).eval(), kind(size=32, width=2).eval()
            inputs = torch.randn(given)
        names = {"heads.0.": "heads.2."} if kind is DCGANGenerator else {}
        state = grows.state_dict()
        for name in plain.state_dict():
            other = next((name.replace(old, new) for old, new in names.items() if name.startswith(old)), name)
            plain.state_dict()[name].copy_(state[other])
        assert torch.equal(at(grows, 3, inputs), plain(inputs) if kind is DCGANGenerator else plain(inputs)[0])


def test_training_shows_the_discriminator_the_sides_of_the_plan() -> None:
    method = GAN(size=32, latent=4, generator=TINY, discriminator=TINY, progressive=0.8)
    stepper, seen = stepper_of(method), []
    method.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[-1]))
    for progress in (0.0, 0.3, 0.5, 0.7, 0.9):
        stepper.run([Batch({"image": torch.rand(2, 3, 32, 32)}, 0, progress)])
    assert seen == [side for side in (8, 16, 16, 32, 32) for _ in range(3)]


def test_a_run_that_grows_resumes_exactly_between_two_levels(tmp_path: Path) -> None:
    """And what a checkpoint of the middle makes is of the full size."""

    def trainer(out: str, resume: str | None = None) -> i2izoo.Trainer:
        torch.manual_seed(0)
        model = i2izoo.create(
            "gan", domains=["image"], size=16, latent=4, generator=TINY, discriminator=TINY, progressive=0.9,
            gan_loss={"name": "vanilla", "r1": 1.0, "r1_every": 3},
        )  # fmt: skip
        data = RandomImages(channels={"image": 3}, size=16, kind="unpaired")
        return i2izoo.Trainer(
            model, data, out=tmp_path / out, resume=resume, steps=6, batch_size=2, ema=0.9, sample_every=0,
            tensorboard=False, progress=False, device="cpu",
        )  # fmt: skip

    whole = trainer("whole")
    whole.fit()
    half = trainer("half")
    for _ in range(5):
        half.train_step()
    assert 1 < half.method.generator.level.item() < 2
    assert half.model.generate(2, output="array").shape == (2, 16, 16, 3)
    half.save()
    half.loader.close()
    resumed = trainer("half", resume="auto")
    assert 1 < resumed.method.generator.level.item() < 2
    resumed.fit()
    for name, value in whole.method.state_dict().items():
        assert torch.equal(value, resumed.method.state_dict()[name]), name


def test_networks_that_cannot_grow_are_named() -> None:
    with pytest.raises(ConfigError, match="'patchgan' has no option 'progressive'; take 'dcgan'"):
        GAN(size=32, progressive=0.5, discriminator="patchgan")
