"""Folders that another library writes: how they are known, and which of their files are needed. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from i2izoo.contracts.registry import registry
from i2izoo.errors import StorageError, listing

OWN = ("config.json", "model.safetensors")
"""What a folder of i2izoo holds at least."""

TEXTS = (".json", ".txt", ".model", ".jinja")
"""Configurations and vocabularies."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

WEIGHTS = ("diffusion_pytorch_model", "model")
"""How a file of weights in a component begins; an adapter beside it begins otherwise."""


def foreign() -> dict[str, str]:
    """The file by which a folder of another library is known -> the method that reads and writes it.

    An entry point of the group `i2izoo.formats` has the file's name, and the place of a method's class. Such a method
    takes the options `folder` and `dtype`, writes a folder by `write(folder)`, and has `facts`, what its card is to say
    (`i2izoo.models.cards`). The file is JSON and names the components, each a sub-folder: `{"unet": ["diffusers",
    "UNet2DConditionModel"], ...}`.

    >>> foreign()
    {'model_index.json': 'diffusers'}
    """
    methods = {entry.value: entry.name for entry in registry("methods").entries()}
    known = {entry.name: methods.get(entry.value) for entry in registry("formats").entries()}
    return {index: method for index, method in known.items() if method is not None}


def foreign_index(names: Iterable[str]) -> str | None:
    """The file by which the folder with these files is known as another library's; None: it is ours, or nobody's.

    >>> foreign_index(["README.md", "model_index.json", "unet/config.json"])
    'model_index.json'
    >>> foreign_index(["config.json", "model.safetensors"]) is None
    True
    """
    names = set(names)
    return None if set(OWN) <= names else next((index for index in foreign() if index in names), None)


def index_in(folder: Path) -> str | None:
    """`foreign_index` of a folder on this machine."""
    return foreign_index(name for name in (*OWN, *foreign()) if (folder / name).is_file())


def components(index: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Component -> (library, class), without the optional ones that are not there."""
    pairs = {k: v for k, v in index.items() if k[:1] != "_" and isinstance(v, (list, tuple)) and len(v) == 2}
    return {k: (v[0], v[1]) for k, v in pairs.items() if v[0] is not None}


def variant(name: str) -> str | None:
    """Which copy of the weights a file belongs to: None for the plain one.

    >>> variant("unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors")
    'fp16'
    >>> variant("text_encoder/model-00001-of-00002.safetensors") is None
    True
    """
    stem = re.sub(r"-\d+-of-\d+", "", PurePosixPath(name).name.removesuffix(".safetensors"))
    return stem.partition(".")[2] or None


def needed_files(index: Mapping[str, Any], names: Iterable[str], where: str) -> list[str]:
    """The files of the components: configurations, vocabularies and one copy of the weights, in safetensors.

    The plain copy is taken, and where there is none, "fp16" or another.

    Args:
        index: what the index file holds.
        names: all files of the folder, relative to it.
        where: its name in messages.

    Raises:
        StorageError: a component has its weights as a pickle only.
    """
    names = sorted(names)
    needed: list[str] = []
    for component in _folders(index, names):
        own = [name for name in names if name.startswith(f"{component}/")]
        needed += [name for name in own if name.endswith(TEXTS)]
        copies: dict[str | None, list[str]] = {}
        for name in own:
            if name.endswith(".safetensors") and re.match(rf"({'|'.join(WEIGHTS)})[.-]", PurePosixPath(name).name):
                copies.setdefault(variant(name), []).append(name)
        if copies:
            chosen = next((kind for kind in (None, "fp16") if kind in copies), min(copies, key=str))
            needed += copies[chosen]
        elif pickles := [name for name in own if name.endswith(PICKLES)]:
            raise StorageError(
                f"{where} has its {component} as a pickle only ({listing(pickles, 2)}), and i2izoo reads weights from "
                "safetensors alone: look for a revision that has them, or save the pipeline again with diffusers."
            )
    return needed


def _folders(index: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Those of the components. One that is several (MultiControlNetModel) has `controlnet`, `controlnet_1`, ..."""
    tops = sorted({name.partition("/")[0] for name in names})
    several = [name for name, (_, kind) in components(index).items() if str(kind).startswith("Multi")]
    more = [top for top in tops if (parts := top.rpartition("_"))[0] in several and parts[2].isdigit()]
    return [*components(index), *more]
