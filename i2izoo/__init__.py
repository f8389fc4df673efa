"""A plugin-based model zoo for image-to-image translation in PyTorch.

`import i2izoo` and listing are instant: every name below is imported on first use, and only what works on images
imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2izoo import errors
    from i2izoo.contracts.listing import list_models, list_parts
    from i2izoo.contracts.registry import register
    from i2izoo.data.open import open_dataset
    from i2izoo.evaluation.evaluate import evaluate
    from i2izoo.models.translate_files import translate_files
    from i2izoo.models.translator import Translator, create, load
    from i2izoo.rasters.translate import translate_raster
    from i2izoo.report.compare import compare
    from i2izoo.sweeps.sweep import sweep
    from i2izoo.training.distill import distill
    from i2izoo.training.trainer import Trainer

    __version__: str

_PLACES = {
    "Trainer": "i2izoo.training.trainer",
    "Translator": "i2izoo.models.translator",
    "compare": "i2izoo.report.compare",
    "create": "i2izoo.models.translator",
    "distill": "i2izoo.training.distill",
    "evaluate": "i2izoo.evaluation.evaluate",
    "list_models": "i2izoo.contracts.listing",
    "list_parts": "i2izoo.contracts.listing",
    "load": "i2izoo.models.translator",
    "open_dataset": "i2izoo.data.open",
    "register": "i2izoo.contracts.registry",
    "sweep": "i2izoo.sweeps.sweep",
    "translate_files": "i2izoo.models.translate_files",
    "translate_raster": "i2izoo.rasters.translate",
}

__all__ = [
    "Trainer",
    "Translator",
    "__version__",
    "compare",
    "create",
    "distill",
    "errors",
    "evaluate",
    "list_models",
    "list_parts",
    "load",
    "open_dataset",
    "register",
    "sweep",
    "translate_files",
    "translate_raster",
]


def __getattr__(name: str) -> Any:
    value: Any
    if name in _PLACES:
        value = getattr(importlib.import_module(_PLACES[name]), name)
    elif name == "errors":
        value = importlib.import_module("i2izoo.errors")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("i2izoo")
    else:
        raise AttributeError(f"module 'i2izoo' has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
