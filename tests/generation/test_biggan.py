"""`biggan`: its settings, its regulariser, truncation, learning rates, and the statistics of averaged weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from i2izoo_generation.biggan import BigGAN, truncated
from i2izoo_generation.gan import GAN
from i2izoo_generation.orthogonal import orthogonality
from i2izoo_generation.stylegan2 import StyleGAN2
from PIL import Image
from safetensors.torch import load_file
from scipy import stats
from torch import Tensor, nn

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch
from i2izoo.nn.random import seeded

TINY = BigGAN.tiny_options


def tiny(**options: Any) -> BigGAN:
    with seeded(0):
        return BigGAN(**{**TINY, **options})


def test_it_is_trained_as_in_the_paper() -> None:
    """Appendix C: Adam with betas 0 and 0.999, 5e-5 and 2e-4, two discriminator steps; 3: hinge; 3.1: beta 1e-4."""
    method = tiny()
    found = {name: optimizer.defaults for name, optimizer in method.optimizers().items()}
    assert {name: (o["lr"], o["betas"]) for name, o in found.items()} == {
        "generator": (5e-5, (0.0, 0.999)),
        "discriminator": (2e-4, (0.0, 0.999)),
    }
    assert (method.discriminator_steps, method.orthogonal, BigGAN.recipe["ema"]) == (2, 1e-4, 0.9999)
    assert method.config["gan_loss"]["name"] == "hinge"


@pytest.mark.parametrize("kind", [GAN, StyleGAN2])
def test_every_gan_here_has_a_learning_rate_for_each_player(kind: Any) -> None:
    def rates(**options: Any) -> list[float]:
        given = {**kind.tiny_options, "learning_rate": 0.25, **options}
        if kind is StyleGAN2:  # whose rates follow its regularisers, too
            given |= {"path_length": 0.0, "r1": 0.0}
        return [optimizer.defaults["lr"] for optimizer in kind(**given).optimizers().values()]

    assert rates() == [0.25, 0.25]
    assert rates(discriminator_learning_rate=1.0) == [0.25, 1.0]


# ------------------------------------------------------------------------------------------------------- regulariser


def test_the_regulariser_is_equation_3_of_the_paper() -> None:
    """Its slope is twice that of the authors' code, which adds 2 (W W^T o (1 - I)) W to the gradient of W."""
    method = tiny(classes=["a", "b"], orthogonal=0.25)
    generator = method.generator
    with seeded(1):
        for parameter in generator.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
    method.regularisers()["orthogonal"].backward()
    seen = 0
    for name, parameter in generator.named_parameters():
        if parameter.ndim < 2 or name == "embedding.weight":
            assert parameter.grad is None, name
            continue
        w = parameter.detach().flatten(1)
        authors = 2 * (w @ w.T * (1 - torch.eye(len(w)))) @ w
        torch.testing.assert_close(parameter.grad.flatten(1), 0.25 * 2 * authors, atol=1e-5, rtol=1e-4, msg=name)
        seen += 1
    assert seen == 1 + 2 * 7 + 4 + 1  # project; 3 convolutions and 4 of the norms in each block; attention; head
    assert tiny(orthogonal=0).regularisers() == {}


def test_transposed_convolutions_have_their_filters_in_the_second_dimension() -> None:
    with seeded(2):
        layer = nn.ConvTranspose2d(3, 2, 4)
    filters = layer.weight.transpose(0, 1).flatten(1)
    torch.testing.assert_close(orthogonality(layer), 2 * (filters[0] @ filters[1]) ** 2)


def test_it_is_a_term_of_the_generator_alone() -> None:
    method = tiny(discriminator_steps=1)
    updates = list(method.training_step(Batch({"image": torch.zeros(2, 3, 16, 16)})))
    assert [list(update.losses) for update in updates] == [["d_gan"], ["gan", "orthogonal"]]


# -------------------------------------------------------------------------------------------------------- truncation


@pytest.mark.parametrize("bound", [0.04, 0.5, 2.0])
def test_truncated_latents_are_of_the_truncated_normal_distribution(bound: float) -> None:
    with seeded(3):
        z = torch.randn(4000)
    found = truncated(z, bound)
    assert stats.kstest(found.numpy(), stats.truncnorm(-bound, bound).cdf).pvalue > 0.01
    assert torch.equal(found.argsort(), z.argsort())  # so that an image changes steadily
    torch.testing.assert_close(truncated(z, 10.0), z, atol=1e-5, rtol=1e-5)


def test_truncation_is_of_what_is_drawn() -> None:
    model = i2izoo.create("biggan", **TINY, classes=["a", "b"])
    method: Any = model.method
    with torch.no_grad():
        label, same = torch.tensor([0, 1]), {"to": "image", "size": (16, 16)}
        cut = method.generate(**same, seeds=[5, 6], label=label, truncation=0.5)
        given = method.generate(**same, seeds=[0, 0], label=label, latent=truncated(method.latents([5, 6]), 0.5))
    assert torch.equal(cut, given)
    with pytest.raises(ConfigError, match="latent gives them; leave one of them out"):
        method.generate(**same, seeds=[0, 1], latent=torch.zeros(2, 4), truncation=0.5)
    with pytest.raises(ConfigError, match="wants float above 0 to 10 or None, found 0"):
        model.generate(1, truncation=0)


# ------------------------------------------------------------------------------------------------- averaged weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, grey in {"dark": 20, "light": 200}.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(4):
            Image.fromarray(np.full((16, 16, 3), grey + 9 * index, np.uint8)).save(
                tmp_path / "data" / name / f"{index}.png"
            )
    return tmp_path


def run_of(folder: Path, name: str, **options: Any) -> i2izoo.Trainer:
    spec = {"name": "biggan", **TINY, "classes": "data", "learning_rate": 0.05, "discriminator_learning_rate": 0.05}
    return i2izoo.Trainer(
        spec, folder / "data", out=folder / name, batch_size=4, ema=0.9, tensorboard=False, progress=False,
        device="cpu", checkpoint_every=2, **options,
    )  # fmt: skip


def statistics(method: Any) -> dict[str, Tensor]:
    """Mean of what each batch norm of the generator sees, over many latents, and what it has for it, side by side."""
    seen: dict[str, Tensor] = {}
    norms = {n: m for n, m in method.generator.named_modules() if isinstance(m, nn.BatchNorm2d)}
    hooks = [
        norm.register_forward_pre_hook(lambda _, x, n=name: seen.__setitem__(n, x[0].mean((0, 2, 3))))
        for name, norm in norms.items()
    ]
    with torch.no_grad(), seeded(9):
        method.generator(torch.randn(2000, method.latent_size), torch.eye(2)[torch.randint(2, (2000,))])
    for hook in hooks:
        hook.remove()
    return {
        n: torch.stack([seen[n], m.get_buffer("running_mean"), m.get_buffer("running_var").sqrt()])
        for n, m in norms.items()
    }


def test_averaged_weights_have_statistics_of_their_own(folder: Path) -> None:
    """Of what the average generates, not of what the weights that it is made of do; in checkpoints as at the end."""
    run = run_of(folder, "run", steps=4)
    run.fit()
    for place in ("model", "checkpoints/step-00000004"):
        for name, (seen, held, deviation) in statistics(i2izoo.load(folder / "run" / place).method).items():
            assert ((seen - held) / deviation).abs().max() < 0.25, (place, name)
    live = max(((seen - held) / d).abs().max() for seen, held, d in statistics(with_copied_statistics(run)).values())
    assert live > 0.5


def with_copied_statistics(run: i2izoo.Trainer) -> Any:
    """The averaged weights with the running statistics of training, as they were without what is tested."""
    method = run.method
    assert run.ema is not None
    method.load_state_dict(run.ema.state, strict=False)
    return method.eval()


def test_resumed_it_comes_to_the_same_bits(folder: Path) -> None:
    run_of(folder, "whole", steps=4).fit()
    run_of(folder, "parts", steps=2).fit()
    (folder / "parts" / "model" / "model.safetensors").unlink()
    run_of(folder, "parts", steps=4, resume=folder / "parts" / "checkpoints" / "step-00000002").fit()
    whole, parts = (load_file(folder / name / "model" / "model.safetensors") for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
