"""Weights under the names of stylegan2-ada-pytorch, against plain networks that work with these names."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from i2izoo_generation.stylegan2 import StyleGAN2
from i2izoo_generation.upfirdn import convolve_down, convolve_up, separable, upsample2d
from torch import Tensor

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError
from i2izoo.nn.random import seeded

WIDTHS, STYLE, LATENT, CLASSES = {4: 6, 8: 6, 16: 3}, 5, 4, 3


def published_generator() -> dict[str, Tensor]:
    """Names and shapes as its `state_dict()` has them, at 16 x 16, of three classes; two mapping layers."""
    shapes: dict[str, tuple[int, ...]] = {"mapping.w_avg": (STYLE,), "synthesis.b4.const": (6, 4, 4)}
    shapes |= {"mapping.embed.weight": (STYLE, CLASSES), "mapping.embed.bias": (STYLE,)}
    for layer, inputs in enumerate((LATENT + STYLE, STYLE)):
        shapes |= {f"mapping.fc{layer}.weight": (STYLE, inputs), f"mapping.fc{layer}.bias": (STYLE,)}
    for side, width in WIDTHS.items():
        block = f"synthesis.b{side}"
        shapes[f"{block}.resample_filter"] = (4, 4)
        inputs = {"conv0": WIDTHS.get(side // 2, 0), "conv1": width}
        for layer in ("conv0", "conv1") if side > 4 else ("conv1",):
            before = inputs[layer]
            shapes |= {
                f"{block}.{layer}.weight": (width, before, 3, 3), f"{block}.{layer}.bias": (width,),
                f"{block}.{layer}.noise_strength": (), f"{block}.{layer}.noise_const": (side, side),
                f"{block}.{layer}.resample_filter": (4, 4),
                f"{block}.{layer}.affine.weight": (before, STYLE), f"{block}.{layer}.affine.bias": (before,),
            }  # fmt: skip
        shapes |= {f"{block}.torgb.weight": (3, width, 1, 1), f"{block}.torgb.bias": (3,)}
        shapes |= {f"{block}.torgb.affine.weight": (width, STYLE), f"{block}.torgb.affine.bias": (width,)}
    with seeded(0):
        return {name: torch.randn(shape) for name, shape in shapes.items()}


def published_discriminator() -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {"b16.fromrgb.weight": (3, 3, 1, 1), "b16.fromrgb.bias": (3,)}
    for side in (16, 8):
        before, after = WIDTHS[side], WIDTHS[side // 2]
        shapes |= {
            f"b{side}.resample_filter": (4, 4), f"b{side}.skip.weight": (after, before, 1, 1),
            f"b{side}.conv0.weight": (before, before, 3, 3), f"b{side}.conv0.bias": (before,),
            f"b{side}.conv1.weight": (after, before, 3, 3), f"b{side}.conv1.bias": (after,),
        }  # fmt: skip
    shapes |= {"b4.conv.weight": (6, 7, 3, 3), "b4.conv.bias": (6,), "b4.fc.weight": (6, 96), "b4.fc.bias": (6,)}
    shapes |= {"b4.out.weight": (6, 6), "b4.out.bias": (6,)}
    shapes |= {"mapping.embed.weight": (6, CLASSES), "mapping.embed.bias": (6,)}
    for layer in range(8):
        shapes |= {f"mapping.fc{layer}.weight": (6, 6), f"mapping.fc{layer}.bias": (6,)}
    with seeded(1):
        return {name: torch.randn(shape) for name, shape in shapes.items()}


def linear(t: dict[str, Tensor], name: str, x: Tensor, multiplier: float = 1.0, active: bool = False) -> Tensor:
    x = x @ t[f"{name}.weight"].T * (multiplier / math.sqrt(x.shape[1])) + t[f"{name}.bias"] * multiplier
    return F.leaky_relu(x, 0.2) * math.sqrt(2) if active else x


def mapped(t: dict[str, Tensor], told: Tensor, z: Tensor | None = None) -> Tensor:
    def unit(v: Tensor) -> Tensor:
        return v / v.square().mean(dim=1, keepdim=True).sqrt()

    x = unit(linear(t, "mapping.embed", told))
    x = x if z is None else torch.cat([unit(z), x], dim=1)
    for layer in range(2 if z is not None else 8):
        x = linear(t, f"mapping.fc{layer}", x, 0.01, active=True)
    return x


def image_of(t: dict[str, Tensor], w: Tensor) -> Tensor:
    """The generator with its constant noise, one image at a time, kernels written out."""

    def modulated(x: Tensor, name: str, up: bool = False, gain: float = 0.0) -> Tensor:
        own = t[f"{name}.weight"] * linear(t, f"{name}.affine", w).view(1, -1, 1, 1) * (gain or 1.0)
        if not gain:
            own = own / own.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
        x = convolve_up(x, own, separable()) if up else F.conv2d(x, own, padding=own.shape[-1] // 2)
        if not gain:
            x = x + t[f"{name}.noise_const"] * t[f"{name}.noise_strength"]
        x = x + t[f"{name}.bias"].view(1, -1, 1, 1)
        return x if gain else F.leaky_relu(x, 0.2) * math.sqrt(2)

    x, image = t["synthesis.b4.const"][None], None
    for side, width in WIDTHS.items():
        if side > 4:
            x = modulated(x, f"synthesis.b{side}.conv0", up=True)
        x = modulated(x, f"synthesis.b{side}.conv1")
        added = modulated(x, f"synthesis.b{side}.torgb", gain=1 / math.sqrt(width))
        image = added if image is None else upsample2d(image, separable()) + added
    assert image is not None
    return image


def logit_of(t: dict[str, Tensor], image: Tensor, told: Tensor) -> Tensor:
    """The discriminator of a batch of one image, over which the deviation is that of one: 0."""

    def convolved(x: Tensor, name: str, down: bool = False, gain: float = 1.0) -> Tensor:
        weight = t[f"{name}.weight"] / math.sqrt(t[f"{name}.weight"][0].numel())
        x = convolve_down(x, weight, separable()) if down else F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        if f"{name}.bias" not in t:
            return x * gain
        return F.leaky_relu(x + t[f"{name}.bias"].view(1, -1, 1, 1), 0.2) * (math.sqrt(2) * gain)

    x, half = convolved(image, "b16.fromrgb"), math.sqrt(0.5)
    for side in (16, 8):
        around = convolved(x, f"b{side}.skip", down=True, gain=half)
        x = around + convolved(convolved(x, f"b{side}.conv0"), f"b{side}.conv1", down=True, gain=half)
    x = convolved(torch.cat([x, torch.full_like(x[:, :1], 1e-4)], dim=1), "b4.conv")
    x = linear(t, "b4.out", linear(t, "b4.fc", x.flatten(1), active=True))
    return (x * mapped(t, told)).sum(dim=1, keepdim=True) / math.sqrt(6)


def test_imported_networks_compute_what_the_published_ones_do() -> None:
    g, d = published_generator(), published_discriminator()
    method = StyleGAN2.import_checkpoints({"net_G.pt": g, "net_D.pt": d}).eval()
    assert (method.size, method.latent_size, list(method.classes)) == (16, LATENT, ["0", "1", "2"])
    with seeded(2):
        z, told = torch.randn(1, LATENT), torch.eye(CLASSES)[1:2]
        image = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        w = method.generator.mapping(z, told)
        torch.testing.assert_close(w, mapped(g, told, z))
        found = method.generator.synthesis(method.for_layers(w), "constant")
        torch.testing.assert_close(found, image_of(g, w), rtol=1e-4, atol=1e-4)
        logits = method.discriminator(image, told)[0]
        torch.testing.assert_close(logits, logit_of(d, image, told), rtol=1e-4, atol=1e-4)
    assert torch.equal(method.generator.mapping.average, g["mapping.w_avg"])


def test_the_command_line_writes_a_model(tmp_path: Path) -> None:
    torch.save(published_generator(), tmp_path / "network_G.pt")
    words = ["import", "stylegan2", str(tmp_path / "network_G.pt"), "--out", str(tmp_path / "model")]
    assert main([*words, 'classes=["cat","dog","owl"]', "domains=animal"]) == 0
    (image,) = i2izoo.load(tmp_path / "model").generate(label="owl", truncation=0.5)
    assert image.size == (16, 16)


@pytest.mark.parametrize(
    ("name", "lost", "found"),
    [
        ("net_G.pt", "synthesis.b4.const", "is no generator of stylegan2-ada-pytorch"),
        ("net_G.pt", "synthesis.b8.conv0.bias", "do not fit"),
        ("net_D.pt", "b4.fc.weight", "is no discriminator of stylegan2-ada-pytorch"),
    ],
)
def test_other_files_are_refused(name: str, lost: str, found: str) -> None:
    files = {"net_G.pt": published_generator(), "net_D.pt": published_discriminator()}
    del files[name][lost]
    with pytest.raises(ConfigError, match=found):
        StyleGAN2.import_checkpoints(files)
