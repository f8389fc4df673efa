"""`i2izoo.evaluate`: one model, one protocol, the numbers and how sure they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from i2izoo.contracts.config import PartSpec
from i2izoo.contracts.dataset import Dataset
from i2izoo.errors import EvaluationError
from i2izoo.evaluation.files import Folder
from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import Result
from i2izoo.evaluation.running import Run
from i2izoo.evaluation.setup import set_up
from i2izoo.files.weights import weights_in
from i2izoo.models.translator import Translator


def evaluate(
    model: Translator | str | os.PathLike[str],
    data: str | os.PathLike[str] | Mapping[str, Any] | Dataset | None = None,
    *,
    metrics: Iterable[PartSpec] | None = None,
    to: str | None = None,
    split: str | None = None,
    sides: Sequence[str] | None = None,
    size: int | Sequence[int] | None = None,
    filter: str = "bicubic",
    samples: int = 1,
    seed: int = 0,
    limit: int | None = None,
    protocol: Protocol | str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    keep_images: bool = False,
    costs: bool = False,
    weights: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
    device: str | torch.device | None = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    """Measure how well a model translates.

    Predictions and truths are rounded to 8 bits, as saved images are, before anything is measured. Every mean over
    images has a bootstrap 95 % confidence interval. A metric that cannot be computed is in the result with the
    reason, and the others go on. One protocol on the same data gives the same numbers again: bit for bit on the CPU
    with the same number of threads and the same `batch_size`, which may change the last bits.

    Args:
        model: a translator, anything that `i2izoo.load` takes, or a folder of images made elsewhere, named as those
            that they translate.
        data: a path, a dataset's name, or a dataset. Of unpaired data the target domain's images are the
            reference of the metrics that compare sets; those that want pairs are not computed.
        metrics: names (`"psnr"`, `"fid[resnet18]"`) or `{"name": ..., option: value}`; None: psnr, ssim, lpips, fid
            and kid.
        to: target domain; None: the model's first.
        split: None: "val" if the data has it, otherwise "test", otherwise the data is not divided.
        sides: domains of the left and the right half of side-by-side images.
        size: side, or height and width, in pixels that inputs and truths are resized to; None keeps them as they are.
        filter: of that resizing: nearest, box, bilinear, bicubic or lanczos, antialiased.
        samples: translations of each image, for metrics of diversity; the others look at the first.
        seed: of the translations, of what metrics draw and of the intervals.
        limit: only the first so many images.
        protocol: a protocol, or the file or folder of one: all settings come from it. An argument (other than at its
            default) that contradicts it is an error, and so is data of another hash.
        out: folder to write protocol.json, scores.json and per-image.csv into.
        keep_images: write each prediction to `out`/images/NAME.png, too.
        costs: measure time and memory of a translation, too.
        weights: folder to look for the metrics' weights in first.
        batch_size: images that run together; None: about a megapixel.
        device: None: where the model is.
        progress: show a progress bar on stderr.
        options: the method's own options of translation.

    Raises:
        EvaluationError: names, sizes or hashes do not match, or a translation is not finite. Where images had been
            measured before, `error.partial` is their Result, and the files in `out` are of them; this goes for
            every other exception on the way, Ctrl-C included.
        UnknownNameError: there is no such metric, domain or model.
        DataError: the data cannot be used.

    >>> import i2izoo
    >>> model = i2izoo.create("pix2pix", domains=["label", "photo"], generator={"name": "resnet_6blocks", "width": 4})
    >>> data = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> result = i2izoo.evaluate(model, data, metrics=["psnr"])
    >>> result["psnr"].n, result["psnr"].low < result["psnr"].value < result["psnr"].high, result.protocol.split
    (4, True, 'val')
    """
    if keep_images and out is None:
        raise EvaluationError("keep_images=True wants a folder to keep them in: out=.")
    with weights_in(weights):
        setup = set_up(
            model,
            data,
            asked={
                "split": split,
                "sides": None if sides is None else list(sides),
                "to": to,
                "size": size,
                "filter": filter,
                "samples": samples,
                "seed": seed,
                "limit": limit,
                "options": options,
            },
            metrics=metrics,
            protocol=protocol,
            device=device,
        )
        folder = None if out is None else Folder(Path(out).expanduser(), setup.protocol, setup.name, keep_images)
        run = Run(setup, folder)
        run.prepare(batch_size)
        run.measure(batch_size, progress)
        if costs:
            run.add_costs()
        return run.finish()
