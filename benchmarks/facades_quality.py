"""PSNR and SSIM of a facades model on the validation split, beside two trivial answers, and grids to look at.

    python benchmarks/facades_quality.py pix2pix-facades --data facades --trivial --grids docs/assets/gallery

The trivial answers (for the photo side): the mean photo of the training split, the same for every input; and the photo
of the training pair whose label map is nearest in squared distance. PSNR and SSIM are means over pictures, of values in
[0, 1].
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

import i2izoo
from i2izoo import images


def scores(outputs: list[Tensor], truths: list[Tensor]) -> dict[str, float]:
    """Mean PSNR in dB and mean SSIM of C x H x W pictures in [-1, 1]."""
    # in [0, 1], as is customary: SSIM compares means, so it is not the same for a range around 0
    pairs = [((o + 1) / 2, (t + 1) / 2) for o, t in zip(outputs, truths, strict=True)]
    psnr = [peak_signal_noise_ratio(o, t, data_range=1.0).item() for o, t in pairs]
    ssim = [measured_ssim(o[None], t[None]).item() for o, t in pairs]
    return {"psnr": sum(psnr) / len(psnr), "ssim": sum(ssim) / len(ssim), "n": len(psnr)}


def measured_ssim(output: Tensor, truth: Tensor) -> Tensor:
    value = structural_similarity_index_measure(output, truth, data_range=1.0)
    return value if isinstance(value, Tensor) else value[0]  # the library's type allows for a pair


def split(data: str, name: str, sides: list[str], size: int) -> list[dict[str, Tensor]]:
    dataset = i2izoo.open_dataset(data, split=name, sides=sides, kind="paired", crop_size=size, load_size=size)
    return [dataset.sample(i, None) for i in range(len(dataset))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", required=True, help="facades in the pix2pix layout, with train/ and val/")
    parser.add_argument("--sides", default="photo,label", help="left and right half")
    parser.add_argument("--to", default="photo")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--grids", help="folder for grids of input, output, truth")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--trivial", action="store_true", help="score the two trivial answers too")
    arguments = parser.parse_args()

    model = i2izoo.load(arguments.model)
    source, to = model.directions[arguments.to], arguments.to
    val = split(arguments.data, "val", arguments.sides.split(","), arguments.size)
    inputs, truths = [v[source] for v in val], [v[to] for v in val]
    # outputs as a user gets them: 8 bits
    outputs = [images.to_tensor(model(images.to_pil(x), to=to)) for x in inputs]
    result = {arguments.model: scores(outputs, truths)}
    if arguments.trivial:
        train = split(arguments.data, "train", arguments.sides.split(","), arguments.size)
        mean = torch.stack([t[to] for t in train]).mean(0)
        result["mean training picture"] = scores([mean] * len(val), truths)
        maps = torch.stack([t[source].flatten() for t in train])
        nearest = [train[int((maps - x.flatten()).square().sum(1).argmin())][to] for x in inputs]
        result["nearest training input"] = scores(nearest, truths)
    print("| | PSNR, dB | SSIM | pictures |\n|---|---:|---:|---:|")
    for name, s in result.items():
        print(f"| {name} | {s['psnr']:.2f} | {s['ssim']:.3f} | {s['n']} |")
    print(json.dumps(result))
    if arguments.grids:
        folder = Path(arguments.grids) / arguments.model.strip("./").replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        chosen = list(range(0, len(val), max(1, len(val) // arguments.rows)))[: arguments.rows]
        rows = [[inputs[i], outputs[i], truths[i]] for i in chosen]
        images.grid(rows, labels=[source, f"{to} (model)", f"{to} (truth)"]).save(folder / f"{source}-to-{to}.png")


if __name__ == "__main__":
    main()
