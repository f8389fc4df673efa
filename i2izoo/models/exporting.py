"""Write a translator for runtimes that know nothing of it: ONNX, a program of torch.export, a compiled library."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.classifying import Classifying
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.files.writing import replacing
from i2izoo.models.backends.engines import need, onnxruntime_session
from i2izoo.models.graph import graph_of
from i2izoo.models.half_weights import in_half
from i2izoo.models.score_graph import ScoreGraph
from i2izoo.models.step_graph import StepGraph
from i2izoo.nn.modes import modes_kept

if TYPE_CHECKING:
    from i2izoo.models.graph import Exportable
    from i2izoo.models.translator import Translator

Format = Literal["onnx", "torch", "aotinductor"]
ENDINGS: dict[str, str] = {"onnx": ".onnx", "torch": ".pt2", "aotinductor": ".pt2"}
SIZES = ((64, 80, 2), (96, 65, 1))
"""Heights, widths and numbers of images at which an export is compared with the translator, where sizes are free."""
FAR = 1e-2
"""A difference, of values in [0, 1], from which on an export is no export of the model; weights in half stay below."""
FEW = 1e-3
"""Share of the pixels of a painted label map that may fall to another class: where two scores are equal."""

Run = Callable[[tuple[Tensor, ...]], np.ndarray]


class ExportError(I2IZooError):
    """The model was written, read again, and gave something else; or it cannot be written in this format."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file.
        size: of it in bytes.
        difference: greatest one from the translator, of values in [0, 1]; of painted label maps the share of pixels
            of another class.
    """

    path: Path
    size: int
    difference: float


def export(
    model: Translator,
    path: str | os.PathLike[str],
    *,
    to: str | None = None,
    format: Format | None = None,
    half: bool = False,
    size: int | tuple[int, int] | None = None,
    deepness: bool = False,
    **options: Any,
) -> Exported:
    """Write one direction of a translator to a file, read it again, and compare it with the translator.

    The file takes images N x C x H x W in [0, 1], float32, and gives N x D x H x W in [0, 1]: padding, ranges, label
    maps, L*a*b* and gamut are inside. A latent of a method that takes one is a second input, N x L. In ONNX the
    configuration, the direction and the licence are in the file's metadata, as `i2izoo`. Of a model that translates in
    steps one step is written (ONNX), and which there are is in the metadata, as `i2izoo_steps`: see docs/export.md.

    Args:
        model: what `load` gives; it is moved nowhere, and must be on the CPU in float32.
        path: `.onnx`, or `.pt2` for the other formats.
        to: target domain; None: the first.
        format: "onnx"; "torch", a program that `torch.export.load` reads; "aotinductor", compiled for this machine by a
            C++ compiler, which `torch._inductor.aoti_load_package` reads. None: by the ending, `.pt2` is "torch".
        half: weights are stored in half precision, computed with in float32 (ONNX).
        size: side, or height and width, that images will have; None: any, and any number of images.
        deepness: for the QGIS plugin of this name: one image of a fixed square `size` (default 512), with its metadata
            (ONNX).
        options: of `translate`: plain values, which the graph has for good.

    Raises:
        ConfigError: the model draws, or wants more than an image; or the arguments do not fit.
        ExportError: what was written gives other images, or the format has no way to say it.
        WriteError: the system refuses.

    >>> import i2izoo, tempfile
    >>> model = i2izoo.create("pix2pix", generator={"name": "unet_128", "depth": 2, "width": 4})
    >>> done = export(model, Path(tempfile.mkdtemp()) / "model.pt2")
    >>> done.difference < 1e-4
    True
    """
    path = Path(path).expanduser()
    kind = _format(path, format)
    if kind != "onnx" and (half or deepness):
        raise ConfigError(f"half and deepness are of ONNX, and {path.name} would be of format {kind!r}.")
    if deepness:
        size = 512 if size is None else size
        if not isinstance(size, int):
            raise ConfigError(f"deepness has square tiles; found size={size!r}: give one side.")
    if model.device.type != "cpu" or model.dtype != torch.float32:
        raise ConfigError(f"a model is exported from the CPU in float32; this is on {model.device}, {model.dtype}.")
    sides = (size, size) if isinstance(size, int) else size
    with modes_kept(model.method):
        graph = graph_of(model, to, options)
        if deepness and (graph.latent or isinstance(graph, ScoreGraph)):
            raise ConfigError(f"deepness takes what makes an image of an image alone, which {model.name!r} does not.")
        if isinstance(graph, StepGraph) and (kind != "onnx" or deepness):
            raise ConfigError(
                f"{model.name!r} takes steps, which are exported to ONNX: its metadata say which they are."
            )
        with replacing(path) as temporary:
            written = temporary.with_suffix(path.suffix)  # by which readers tell formats apart
            try:
                runner = _onnx(graph, written, sides) if kind == "onnx" else _torch(graph, written, sides, kind)
                if kind == "onnx":
                    _complete(written, _about(model, graph, sides, deepness), half)
                found = difference(graph, runner(), sides)
                if found > (FEW if graph.target in graph.method.label_maps else FAR):
                    raise ExportError(
                        f"{model.name!r} exported to {kind} gives other images (by {found:.2g}); nothing was written."
                    )
                written.replace(temporary)
            finally:
                written.unlink(missing_ok=True)
    return Exported(path, path.stat().st_size, found)


def difference(graph: Exportable, run: Run, sides: tuple[int, int] | None = None) -> float:
    """How far what was exported is from the graph that it was made of, at several sizes; see `Exported`."""
    worst, painted = 0.0, graph.target in graph.method.label_maps
    for height, width, count in [(*sides, 1)] if sides else SIZES:
        inputs = graph.example(height, width, count, seed=height)
        with torch.inference_mode():
            found = graph(*inputs)
        expected = (found[0] if isinstance(found, tuple) else found).numpy()
        apart = np.abs(run(inputs) - expected)
        worst = max(worst, float((apart.max(1) > 1e-3).mean() if painted else apart.max()))
    return worst


def _format(path: Path, format: str | None) -> str:
    found = format or next((name for name, ending in ENDINGS.items() if path.suffix == ending), None)
    if found not in ENDINGS or path.suffix != ENDINGS[found]:
        raise ConfigError(
            f"a model is exported to .onnx (ONNX) or .pt2 (torch, aotinductor); found {path.name!r}"
            f"{'' if format is None else f' and format {format!r}'}."
        )
    if found == "onnx":
        need("onnx", "onnxscript", "onnxruntime")
    return found


def _program(graph: Exportable, sides: tuple[int, int] | None) -> torch.export.ExportedProgram:
    height, width, count = (*sides, 1) if sides else SIZES[0]
    try:
        with torch.no_grad():
            return torch.export.export(
                graph, graph.example(height, width, count), dynamic_shapes=None if sides else graph.free(), strict=False
            )
    except Exception as error:  # of any kind, and long
        raise _failed(graph, error) from error


def _failed(graph: Exportable, error: Exception) -> ExportError:
    reason = str(error).strip().splitlines()[0][:200]
    return ExportError(f"{type(graph.method).__name__} cannot be exported: {type(error).__name__}: {reason}")


def _onnx(graph: Exportable, path: Path, sides: tuple[int, int] | None) -> Callable[[], Run]:
    program = _program(graph, sides)
    try:
        found = torch.onnx.export(
            program, dynamo=True, input_names=list(graph.names), output_names=list(graph.outputs), verbose=False
        )
        assert found is not None
        found.save(path)
    except Exception as error:
        raise _failed(graph, error) from error
    return lambda: session(path)


def session(path: Path) -> Run:
    """What runs an ONNX file on the CPU, with as many threads as torch has."""
    runner = onnxruntime_session(str(path))
    names = [found.name for found in runner.get_inputs()]
    return lambda inputs: np.asarray(
        runner.run(None, {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)})[0]
    )


def _torch(graph: Exportable, path: Path, sides: tuple[int, int] | None, kind: str) -> Callable[[], Run]:
    program = _program(graph, sides)
    if kind == "torch":
        torch.export.save(program, path)
        return lambda: _called(torch.export.load(path).module())
    from torch import _inductor

    try:
        _inductor.aoti_compile_and_package(program, package_path=str(path))
    except Exception as error:
        raise _failed(graph, error) from error
    return lambda: _called(_inductor.aoti_load_package(str(path)))


def _called(module: Callable[..., Tensor]) -> Run:
    def run(inputs: tuple[Tensor, ...]) -> np.ndarray:
        with torch.inference_mode():
            return module(*inputs).numpy()

    return run


def _about(model: Translator, graph: Exportable, sides: tuple[int, int] | None, deepness: bool) -> dict[str, str]:
    """What the metadata of an ONNX file say."""
    about: dict[str, Any] = {"i2izoo": {**model.config, "direction": {graph.target: graph.source}}}
    if isinstance(graph, StepGraph):
        about["i2izoo_steps"] = graph.about()
    if isinstance(graph, ScoreGraph):
        about["i2izoo_answers"] = list(cast(Classifying, graph.method).answers)
    if deepness and sides is not None:
        said = model.config.get("provenance")
        resolution = said.get("ground_resolution") if isinstance(said, Mapping) else None
        about |= {"model_type": "Superresolution", "tile_size": sides[0], "tiles_overlap": 0}
        about |= {} if resolution is None else {"resolution": resolution}
    return {key: json.dumps(value) for key, value in about.items()}


def _complete(path: Path, about: Mapping[str, str], half: bool) -> None:
    """Add the metadata to an ONNX file, and store its weights in half precision if that is asked for."""
    import onnx

    model = onnx.load(path)
    if half:
        in_half(model)
    onnx.helper.set_model_props(model, dict(about))
    onnx.save(model, path)
