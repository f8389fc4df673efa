"""The models of a comparison: their names, what they are, and a fingerprint that tells whether one has changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from i2izoo.contracts.registry import registry
from i2izoo.errors import EvaluationError, escaped
from i2izoo.evaluation.translations import is_image_folder
from i2izoo.images.writing import find_images
from i2izoo.models.translator import Translator, load

Model: TypeAlias = Translator | str | os.PathLike[str]

COPY_INPUT = "copy-input"
"""The trivial answer: the image itself, untranslated."""


@dataclass(frozen=True)
class ComparedModel:
    """One model of a comparison.

    Attributes:
        name: for people; each once.
        model: as given.
        folder: name of its folder of results; each once, also where case does not count.
    """

    name: str
    model: Model
    folder: str

    @property
    def kind(self) -> int:
        """0 a translator, 1 a folder of images, 2 the copied input: in this order they are evaluated.

        A translator says what is translated to what, and the others need to be told.
        """
        if isinstance(self.model, Translator):
            return 0
        if self.model == COPY_INPUT:
            return 2
        return 1 if is_image_folder(self.model) and os.fspath(self.model) not in registry("pretrained") else 0

    def open(self, device: str | torch.device | None) -> Translator | Path:
        """The translator, or the folder of images."""
        if isinstance(self.model, Translator):
            return self.model if device is None else self.model.to(device)
        return Path(self.model).expanduser() if self.kind == 1 else load(self.model, device=device)


def name_models(models: Iterable[Model] | Mapping[str, Model] | Model) -> list[ComparedModel]:
    """Give every model a name of its own: the last part of its path where that tells them apart.

    >>> [c.name for c in name_models(["runs/a/final", "runs/b/final", "x/small", "pix2pix-facades", "x/small"])]
    ['runs/a/final', 'runs/b/final', 'small', 'pix2pix-facades', 'small (2)']

    Raises:
        EvaluationError: there are no models.
    """
    if isinstance(models, Mapping):
        names, given = [str(name) for name in models], list(models.values())
    else:
        given = [models] if isinstance(models, (str, os.PathLike, Translator)) else list(models)
        whole = [m.name if isinstance(m, Translator) else os.fspath(m) for m in given]
        last = {name: Path(name).name or name for name in whole}
        counts = Counter(last.values())
        names = _distinct([last[name] if counts[last[name]] == 1 else name for name in whole])
    if not given:
        raise EvaluationError("there is nothing to compare; name at least one model.")
    names = [escaped(name) for name in names]
    folders = _distinct([re.sub(r"[^\w.@+-]+", "_", name).strip("._") or "model" for name in names], "-{}")
    return [ComparedModel(*row) for row in zip(names, given, folders, strict=True)]


def _distinct(names: list[str], ending: str = " ({})") -> list[str]:
    """The second of a name gets "(2)"; upper and lower case do not count."""
    taken: set[str] = set()
    result = []
    for name in names:
        number, candidate = 1, name
        while candidate.lower() in taken:
            number += 1
            candidate = name + ending.format(number)
        taken.add(candidate.lower())
        result.append(candidate)
    return result


def fingerprint(model: Translator | Path) -> str:
    """SHA-256 over all that decides a model's images: options and weights, or the images themselves."""
    content = hashlib.sha256()
    if isinstance(model, Path):
        for path in find_images(model):
            content.update(json.dumps(path.name).encode())
            with path.open("rb") as file:
                content.update(hashlib.file_digest(file, "sha256").digest())
        return content.hexdigest()
    content.update(json.dumps([model.name, model.method.config, str(model.dtype), str(model.device)]).encode())
    for name, tensor in sorted(model.method.inference_state().items()):
        content.update(json.dumps([name, list(tensor.shape), str(tensor.dtype)]).encode())
        content.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return content.hexdigest()
