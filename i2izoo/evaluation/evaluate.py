"""`i2izoo.evaluate`: one model, one protocol, the numbers and how sure they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2izoo.contracts.dataset import Dataset
from i2izoo.errors import EvaluationError
from i2izoo.evaluation.result import Result
from i2izoo.evaluation.running import run
from i2izoo.evaluation.settings import EvaluationSettings
from i2izoo.evaluation.setup import set_up
from i2izoo.files.weights import weights_in
from i2izoo.models.translator import Translator


def evaluate(
    model: Translator | str | os.PathLike[str],
    data: str | os.PathLike[str] | Mapping[str, Any] | Dataset | None = None,
    *,
    settings: EvaluationSettings | None = None,
    out: str | os.PathLike[str] | None = None,
    keep_images: bool = False,
    name: str | None = None,
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
        settings: what is measured, and how; None: the defaults.
        out: folder to write protocol.json, scores.json and per-image.csv into.
        keep_images: write each prediction to `out`/images/NAME.png, too.
        name: of the model in the result; None: as given.
        options: any of [`EvaluationSettings`][i2izoo.evaluation.settings.EvaluationSettings] (`metrics`, `to`, `split`,
            `sides`, `rename`, `size`, `filter`, `samples`, `seed`, `limit`, `protocol`, `costs`, `weights`,
            `batch_size`, `device`, `progress`), and the method's own options of translation.

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
    asked = EvaluationSettings.of(settings, options)
    with weights_in(asked.weights):
        place = None if out is None else Path(out).expanduser()
        return run(set_up(model, data, asked, name), place, keep_images=keep_images)
