"""`i2izoo.compare`: several models, one protocol, one table and a report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from i2izoo.contracts.dataset import Dataset
from i2izoo.evaluation.compare import compare_models
from i2izoo.evaluation.compared import Model
from i2izoo.evaluation.result import Comparison
from i2izoo.evaluation.settings import EvaluationSettings
from i2izoo.files.writing import write_text
from i2izoo.report.page import REPORT, write_report
from i2izoo.report.tables import FILES, render


def compare(
    models: Iterable[Model] | Mapping[str, Model],
    data: str | os.PathLike[str] | Mapping[str, Any] | Dataset | None = None,
    *,
    settings: EvaluationSettings | None = None,
    out: str | os.PathLike[str] | None = None,
    report: bool = True,
    **options: Any,
) -> Comparison:
    """Evaluate several models under one protocol and test their differences.

    Every pair of models is tested on every metric that has a value for each image (see `statistics`), and the p
    values are corrected for their number. A model that fails stays in the comparison with its `problem` and takes no
    part in the tests; the others go on.

    Args:
        models: names, folders of weights, folders of images made elsewhere, translators, or "copy-input" for the
            untranslated images as a baseline; or a dict of display name to model. The first translator decides
            what is translated to what if `to` does not.
        data: as of `i2izoo.evaluate`.
        settings: of the evaluation of every model; None: the defaults, with `costs`.
        out: folder for protocol.json, comparison.json, table.md, table.csv, table.tex, per-image.csv, report.html,
            inputs/, truths/ and models/NAME/ with each model's own results and images. Models that are there
            already, unchanged and under the same protocol, are not evaluated again.
            None: the images lie in a temporary folder that lives as long as the comparison.
        report: write report.html into `out`.
        options: any of [`EvaluationSettings`][i2izoo.evaluation.settings.EvaluationSettings], as of `i2izoo.evaluate`,
            and the methods' own options of translation.

    Raises:
        EvaluationError: no model could be evaluated, or `out` holds a comparison under another protocol.
        UnknownNameError: there is no such metric.

    >>> import i2izoo
    >>> tiny = {"name": "resnet_6blocks", "width": 4}
    >>> model = i2izoo.create("pix2pix", domains=["label", "photo"], generator=tiny)
    >>> data = {"name": "synthetic-facades", "count": 6, "size": 32}
    >>> found = i2izoo.compare([model, "copy-input"], data, metrics=["psnr"], costs=False)
    >>> [result.model for result in found.results], len(found.differences)
    (['pix2pix', 'copy-input'], 1)
    """
    asked = EvaluationSettings.of(settings or EvaluationSettings(costs=True), options)
    comparison = compare_models(models, data, asked, out)
    if out is not None:
        place = Path(out).expanduser()
        for form, name in FILES.items():
            write_text(place / name, render(comparison, form))
        if report:
            write_report(comparison, place / REPORT)
    return comparison
