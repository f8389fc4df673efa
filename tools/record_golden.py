"""Make the small recordings of tests/data/golden from those of the public implementations.

    python tools/record_golden.py FULL          # the folder of the full recordings

The networks for 256 x 256 pixels are written here once more, in plain torch and by the original key names; nothing of
i2izoo is imported. Each of these twins must first give what the public implementation gave, to 1e-6; then it records
one image in steps of 1/128, which a byte holds, the U-Nets at half the width. Of the discriminators of smaller images a
part is kept as it is. tests/data/golden/README.md says what is in which file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "tests" / "data" / "golden"
State = dict[str, Tensor]


def conv(s: State, name: str, x: Tensor, stride: int = 2, padding: int = 1) -> Tensor:
    return F.conv2d(x, s[f"{name}.weight"], s.get(f"{name}.bias"), stride, padding)


def up(s: State, name: str, x: Tensor) -> Tensor:
    return F.conv_transpose2d(F.relu(x), s[f"{name}.weight"], s.get(f"{name}.bias"), stride=2, padding=1)


def batch_norm(s: State, name: str, x: Tensor) -> Tensor:
    mean, var, gain, bias = (s[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, var, gain, bias)


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


# --------------------------------------------------------------------------------------------------------- twins


def unet(s: State, image: Tensor) -> dict[str, Tensor]:
    """pix2pix' U-Net-256 in eval mode."""

    def inside(x: Tensor, at: str) -> Tensor:
        y = conv(s, f"{at}.1", leaky(x))
        if f"{at}.3.weight" in s:  # the innermost
            y = batch_norm(s, f"{at}.4", up(s, f"{at}.3", y))
        else:
            y = inside(batch_norm(s, f"{at}.2", y), f"{at}.3.model")
            y = batch_norm(s, f"{at}.6", up(s, f"{at}.5", y))
        return torch.cat([x, y], 1)

    y = inside(conv(s, "model.model.0", image), "model.model.1.model")
    return {"image": torch.tanh(up(s, "model.model.3", y))}


def unet_add_to_all(s: State, image: Tensor, latent: Tensor) -> dict[str, Tensor]:
    """BicycleGAN's U-Net-256, whose latent is tiled beside the input of every convolution on the way down."""

    def beside(x: Tensor) -> Tensor:
        return torch.cat([x, latent[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)

    def inside(x: Tensor, at: str) -> Tensor:
        y = conv(s, f"{at}.down.1", leaky(beside(x)))
        if f"{at}.submodule.down.1.weight" in s:
            y = inside(F.instance_norm(y), f"{at}.submodule")
        return torch.cat([F.instance_norm(up(s, f"{at}.up.1", y)), x], 1)

    y = inside(conv(s, "model.down.0", beside(image)), "model.submodule")
    return {"image": torch.tanh(up(s, "model.up.1", y))}


def encoder(s: State, image: Tensor) -> dict[str, Tensor]:
    """BicycleGAN's E_ResNet."""
    x = conv(s, "conv.0", image)
    for at in (f"conv.{block}" for block in range(1, 5)):
        y = conv(s, f"{at}.conv.2", leaky(F.instance_norm(x)), stride=1)
        y = F.avg_pool2d(conv(s, f"{at}.conv.5.0", leaky(F.instance_norm(y)), stride=1), 2)
        x = y + conv(s, f"{at}.shortcut.1", F.avg_pool2d(x, 2), stride=1, padding=0)
    x = F.avg_pool2d(leaky(x), 8).flatten(1)
    heads = {"mean": "fc.0", "log_variance": "fcVar.0"}
    return {name: F.linear(x, s[f"{head}.weight"], s[f"{head}.bias"]) for name, head in heads.items()}


def multi(s: State, image: Tensor) -> dict[str, Tensor]:
    """BicycleGAN's PatchGAN at two scales."""
    found = {}
    for scale in range(2):
        x = leaky(conv(s, f"model_{scale}.0", image))
        for layer in (2, 5, 8):
            x = leaky(F.instance_norm(conv(s, f"model_{scale}.{layer}", x, stride=1 if layer == 8 else 2)))
        found[f"logits_{scale}"] = conv(s, f"model_{scale}.11", x, stride=1)
        image = F.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
    return found


# ------------------------------------------------------------------------------------------------------ recording


def halved(state: State, last: str, gain: float, latent: int = 0) -> State:
    """A U-Net's weights at half the width; the last ones are larger, so that the image fills [-1, 1]."""

    def half(channels: int, beside: int = 0) -> int:
        """Half of the channels but of those of images, which are three, and of the latent beside them."""
        own = channels - beside
        return beside + (own if own == 3 else own // 2)

    found = {}
    for name, value in state.items():
        size = [half(channels, latent * (axis == 1 and ".down." in name)) for axis, channels in enumerate(value.shape)]
        found[name] = value[tuple(map(slice, size[:2]))] if value.ndim else value
        found[name] = found[name] * gain if name == last else found[name]
    return found


def read(path: Path) -> tuple[State, dict[str, str]]:
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118


def part(tensors: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def write(name: str, tensors: State, settings: dict[str, str]) -> None:
    save_file({key: value.contiguous() for key, value in tensors.items()}, GOLDEN / f"{name}.safetensors", settings)


def record(full: Path, name: str, twin: Callable[..., dict[str, Tensor]], narrow: Callable[[State], State]) -> None:
    """Prove the twin on the full recording, then record one image with it."""
    tensors, settings = read(full / f"{name}.safetensors")
    state, inputs = part(tensors, "state."), part(tensors, "input.")
    for key, found in twin(state, **inputs).items():
        difference = (found - tensors[f"output.{key}"]).abs().max().item()
        print(f"{name}: {key} of the twin differs by {difference:.1e}")
        assert difference <= 1e-6
    narrowed = narrow(state)
    settings |= {"recorded by": "the twin in tools/record_golden.py, equal to the public implementation to 1e-6"}
    if narrowed is not state:
        settings["ngf"] = str(int(settings["ngf"]) // 2)
    image = (inputs["image"][:1] * 128).floor().to(torch.int8)
    given = {"image": image.float() / 128, **{key: value[:1] for key, value in inputs.items() if key != "image"}}
    outputs = twin(narrowed, **given)
    print(f"{name}: recorded, of spread", *(f"{value.std():.2g}" for value in outputs.values()))
    kept = {f"state.{key}": value for key, value in narrowed.items()}
    kept |= {f"input.{key}": value for key, value in (given | {"image": image}).items()}
    write(name, kept | {f"output.{key}": value for key, value in outputs.items()}, settings)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("full", type=Path, help="folder of the recordings of the public implementations")
    full: Path = parser.parse_args().full
    record(full, "generator_unet_256_batch", unet, lambda s: halved(s, "model.model.3.weight", 60.0))
    record(full, "bicyclegan_generator_add_to_all", unet_add_to_all, lambda s: halved(s, "model.up.1.weight", 100.0, 8))
    record(full, "bicyclegan_encoder_resnet_256", encoder, lambda s: s)
    record(full, "bicyclegan_discriminator_multi", multi, lambda s: s)
    for name, rows, side in (("discriminator_patch_70_instance", 1, 128), ("discriminator_pixel_batch", 2, 64)):
        tensors, settings = read(full / f"{name}.safetensors")
        for key in ("input.image", "output.logits"):
            tensors[key] = tensors[key][:rows, :, :side, :side]
        write(name, tensors, settings)


if __name__ == "__main__":
    main()
