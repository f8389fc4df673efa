"""Run an exported diffusion model with ONNX Runtime and NumPy alone, without i2izoo and PyTorch: copy this file.

    i2izoo export ddim-facades -o ddim.onnx
    python denoise_onnx.py ddim.onnx label.npy photo.npy --seed 0

Images are H x W x C or N x H x W x C, float in [0, 1] or uint8, and results float32 in [0, 1].
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
import onnxruntime

Draw = Callable[[tuple[int, ...]], np.ndarray]


class Denoiser:
    """An exported step, and the loop that its metadata describe.

    Args:
        path: what `i2izoo export` wrote.
        threads: of the engine; 0: as many as there are cores.
    """

    def __init__(self, path: str, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.plan = json.loads(self.session.get_modelmeta().custom_metadata_map["i2izoo_steps"])

    def __call__(self, images: np.ndarray, draw: Draw) -> np.ndarray:
        """Translate N x C x H x W in [0, 1], float32.

        Args:
            images: of any size; they are padded by reflection to what the network takes, and cropped back.
            draw: standard normal noise of a shape, float32; it is asked for what fills holes, for what the loop begins
                with, and for what each step adds.
        """
        count, _, height, width = images.shape
        tall, wide = (self._valid(side) for side in (height, width))
        images = images[..., reflected(height, tall), :][..., reflected(width, wide)]
        inputs = {"image": images}
        for i, channels in enumerate(self.plan["noise"]):
            inputs[f"noise_{i}"] = draw((count, channels, tall, wide))
        shape = (count, self.plan["channels"], tall, wide)
        noisy, translation = draw(shape), images
        for row in self.plan["rows"]:
            step = np.array([row["time"], row["alpha"], row["sigma"]], np.float32)
            translation, clean = self.session.run(None, {**inputs, "noisy": noisy, "step": step})
            noisy = row["of_clean"] * clean + row["of_noisy"] * noisy
            if row["of_noise"]:
                noisy = noisy + row["of_noise"] * draw(shape)
            noisy = noisy.astype(np.float32)
        return translation[..., :height, :width]

    def _valid(self, side: int) -> int:
        side = max(side, self.plan["least"])
        return side + -side % self.plan["multiple"]


def reflected(size: int, padded: int) -> np.ndarray:
    """Index that extends 0 to size - 1 to `padded` entries by reflection without repeating the edge."""
    period = max(1, 2 * (size - 1))
    phase = np.arange(padded) % period
    return np.minimum(phase, period - phase)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("image", help="an array, .npy")
    parser.add_argument("out", help="the translation, .npy")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    images = np.load(args.image)
    images = images / np.float32(255) if images.dtype == np.uint8 else images.astype(np.float32)
    random = np.random.default_rng(args.seed)
    several = images if images.ndim == 4 else images[None]
    found = Denoiser(args.model)(np.moveaxis(several, -1, 1), lambda shape: random.standard_normal(shape, np.float32))
    found = np.moveaxis(found, 1, -1)
    np.save(args.out, found if images.ndim == 4 else found[0])


if __name__ == "__main__":
    main()
