"""A folder of diffusers as a pipeline that takes images: safetensors only, no code but that of the libraries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from i2izoo.contracts.plain import parse_json
from i2izoo.errors import ConfigError, StorageError, listing
from i2izoo.files.formats import components, needed_files, variant
from i2izoo_diffusion.pipelines.options import Options

INDEX = "model_index.json"

UNCONDITIONAL = ("DDIMPipeline", "DDPMPipeline")
"""Pipelines without an input, which the loop of this package runs from an image (SDEdit)."""


def read_index(folder: Path) -> dict[str, Any]:
    """What model_index.json holds: the class of the pipeline, and library and class of each component.

    Raises:
        StorageError: missing, damaged, or naming code that is neither diffusers' nor transformers'.
    """
    path = folder / INDEX
    try:
        index = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StorageError(f"{str(folder)!r} is no folder of diffusers: it has no {INDEX}.") from error
    except (ValueError, OSError) as error:
        raise StorageError(f"{path} cannot be read ({error}); fetch or save the folder again.") from error
    if not isinstance(index, dict) or "_class_name" not in index:
        raise StorageError(f"{path} names no pipeline; fetch or save the folder again.")
    check_libraries(index, folder)
    return index


def check_libraries(index: dict[str, Any], folder: Path) -> None:
    """Refuse what would run code that comes with the folder.

    Raises:
        StorageError: names the component and what it asks for.
    """
    import diffusers

    asked = {name: ".".join(map(str, pair)) for name, pair in components(index).items() if not _is_known(pair[0])}
    name = index["_class_name"]
    if not isinstance(name, str) or not isinstance(getattr(diffusers, name, None), type):
        asked = {"pipeline": ".".join(map(str, name)) if isinstance(name, list) else str(name), **asked}
    for config in folder.glob("*/*.json"):
        if '"auto_map"' in config.read_text(encoding="utf-8", errors="replace"):
            asked[config.parent.name] = f"auto_map in {config.name}"
    if asked:
        what = listing(f"{name}: {code}" for name, code in asked.items())
        raise StorageError(
            f"{str(folder)!r} asks for code that is not of diffusers {diffusers.__version__} or transformers ({what}); "
            "i2izoo runs no code from a repository, so upgrade diffusers, or take a pipeline that it has."
        )


def _is_known(library: Any) -> bool:
    import diffusers

    # safety checkers and the like stand in the modules of pipelines
    return library in ("diffusers", "transformers") or hasattr(diffusers.pipelines, str(library))


def load_pipeline(folder: Path, dtype: str) -> Any:
    """The pipeline of a folder, or the one that diffusers chooses for image-to-image in place of text-to-image.

    Raises:
        StorageError: a component is missing, damaged, or a pickle; or the folder asks for code.
        ConfigError: no pipeline of these components takes an image and gives one.
    """
    import diffusers
    import torch

    index = read_index(folder)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    needed = needed_files(index, names, repr(str(folder)))
    name = index["_class_name"]
    loader = getattr(diffusers, name)
    if lacking := getattr(loader, "_backends", None):  # it stands for a class whose libraries are not installed
        raise StorageError(
            f"{name} needs {listing(lacking)}: install what is missing, pip install {' '.join(lacking)}."
        )
    options = Options.of(loader)
    if not options.makes_images:
        raise ConfigError(f"{str(folder)!r} holds a {name}, which gives no images, but {listing(options.gives)}.")
    if options.source is None and name not in UNCONDITIONAL:
        loader = diffusers.AutoPipelineForImage2Image
    copies = {variant(file) for file in needed if file.endswith(".safetensors")} - {None}
    try:
        with quiet():
            pipeline = loader.from_pretrained(
                folder, dtype=getattr(torch, dtype), variant=min(copies, key=str, default=None),
                use_safetensors=True, local_files_only=True,
            )  # fmt: skip
    except Exception as error:  # of two libraries, and of every class that they have
        if "AutoPipeline can't find" in str(error):
            raise ConfigError(
                f"{str(folder)!r} holds a {name}, which takes no image, and diffusers has no pipeline of its "
                "components that does."
            ) from error
        first = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
        raise StorageError(f"{str(folder)!r} cannot be loaded as {name}: {first}.") from error
    if wanted := Options.of(type(pipeline)).wanted:
        raise ConfigError(f"{type(pipeline).__name__} wants {listing(wanted)}, which a translator cannot give.")
    return pipeline


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars and words of the two libraries about files; what they raise says it in a sentence."""
    from diffusers.utils import is_transformers_available, logging

    libraries: list[Any] = [logging]
    if is_transformers_available():
        from transformers.utils import logging as other

        libraries.append(other)
    shown = [library for library in libraries if library.is_progress_bar_enabled()]
    spoke = [(library, library.get_verbosity()) for library in libraries]
    for library in shown:
        library.disable_progress_bar()
    for library in libraries:
        library.set_verbosity(library.CRITICAL)
    try:
        yield
    finally:
        for library in shown:
            library.enable_progress_bar()
        for library, level in spoke:
            library.set_verbosity(level)


def inpainting_of(pipeline: Any) -> Any:
    """The pipeline of the same components that fills what a mask shows; None where diffusers has none."""
    from diffusers import AutoPipelineForInpainting

    if Options.of(type(pipeline)).mask is not None or "ControlNet" in type(pipeline).__name__:
        return None
    try:
        return AutoPipelineForInpainting.from_pipe(pipeline)
    except (ValueError, TypeError):  # there is none, or it wants other components
        return None
