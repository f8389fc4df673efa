"""What computes a network in the place of PyTorch's eager mode: ONNX Runtime, OpenVINO, PyTorch's compiler."""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from i2izoo.errors import ConfigError
from i2izoo.files.kept import cache_folder
from i2izoo.files.writing import write_bytes

Engine = Callable[..., Any]
"""Tensors in, what the network gives out: a tensor, or several."""
LIBRARIES: dict[str, tuple[str, ...]] = {
    "compile": (),
    "onnxruntime": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
}
"""Engines by name, with what has to be installed: the extra of a name has it."""


NEAR = 1e-4
"""What an engine's values may differ by from PyTorch's, where these are in [-1, 1]; of larger ones the same share."""


def need(*libraries: str, extra: str = "export") -> None:
    """Refuse to go on without the libraries of an extra.

    Raises:
        ConfigError: names the first that is missing.
    """
    for library in libraries:
        if find_spec(library) is None:
            raise ConfigError(f"this needs {library}: pip install 'i2izoo[{extra}]'.")


def build(
    name: str, network: nn.Module, inputs: tuple[Tensor, ...], *, free: bool = True, anew: bool = False
) -> Engine:
    """An engine that computes `network`, in evaluation mode.

    Args:
        name: one of `LIBRARIES`.
        network: its weights are copied.
        inputs: of a call, whose shapes tell which dimensions there are.
        free: height, width and number of images may be others in later calls.
        anew: what is kept of an earlier time is not used.

    Raises:
        Exception: of any kind: the exporter, the compiler or the engine cannot take it.
    """
    if name == "compile":
        own: Any = network._call_impl
        return torch.compile(lambda *given: own(*given), options={"freezing": True} if on_cpu(inputs) else None)
    model = _kept(network, inputs, free, anew)
    return onnxruntime_engine(model) if name == "onnxruntime" else openvino_engine(model)


def on_cpu(inputs: tuple[Tensor, ...]) -> bool:
    return all(tensor.device.type == "cpu" for tensor in inputs)


def _kept(network: nn.Module, inputs: tuple[Tensor, ...], free: bool, anew: bool) -> bytes:
    """`to_onnx`, which takes longer than many translations, once for these weights on this machine."""
    found = hashlib.sha256(
        repr((torch.__version__, str(network), free, [t.shape for t in inputs] * (not free))).encode()
    )
    for name, tensor in network.state_dict().items():
        found.update(name.encode() + tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    place = cache_folder() / "backends" / f"{found.hexdigest()[:32]}.onnx"
    if place.is_file() and not anew:
        return place.read_bytes()
    model = to_onnx(network, inputs, free)
    with contextlib.suppress(OSError):  # a disk that is full, or not to be written to
        write_bytes(place, model)
    return model


def to_onnx(network: nn.Module, inputs: tuple[Tensor, ...], free: bool) -> bytes:
    """The network as an ONNX model of the inputs `input_0`, `input_1` and so on."""
    if free:  # of one row the exporter would take it that there is always one
        inputs = tuple(torch.cat([tensor, tensor]) if len(tensor) == 1 else tensor for tensor in inputs)
    shapes = tuple(_free(tensor) for tensor in inputs) if free else None
    # what is made in inference mode has no version, which tracing asks for
    with torch.inference_mode(False), torch.no_grad(), quiet():
        inputs = tuple(tensor.clone() for tensor in inputs)
        program = torch.export.export(_Called(network), inputs, dynamic_shapes=(shapes,) if shapes else None)
        found = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=[f"input_{i}" for i in range(len(inputs))]
        )
    assert found is not None
    return found.model_proto.SerializeToString()


class _Called(nn.Module):
    """A network as it is called; the exporter reads names off a signature of its own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Any:
        return self.network(*inputs)


def _free(tensor: Tensor) -> dict[int, Any]:
    sides = (2, 3) if tensor.ndim == 4 else ()
    return dict.fromkeys((0, *(s for s in sides if tensor.shape[s] > 1)), torch.export.Dim.DYNAMIC)


@contextlib.contextmanager
def quiet() -> Any:
    """The exporter's talk about its own insides is nobody's."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def onnxruntime_session(model: bytes | str) -> Any:
    """A session of ONNX Runtime on the CPU, with as many threads as torch has now."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def onnxruntime_engine(model: bytes) -> Engine:
    """The engine of ONNX Runtime, on the CPU in float32."""
    session = onnxruntime_session(model)
    names = [put.name for put in session.get_inputs()]

    def run(*inputs: Tensor) -> Any:
        given = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        return _several([torch.from_numpy(array) for array in session.run(None, given)])

    return run


def openvino_engine(model: bytes) -> Engine:
    """The engine of OpenVINO, on the CPU in float32: by itself it would take bfloat16 where a CPU has it."""
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(core.read_model(model), "CPU", settings)
    request = compiled.create_infer_request()
    used = [int(put.any_name.removeprefix("input_")) for put in compiled.inputs]  # it drops those that do not count

    def run(*inputs: Tensor) -> Any:
        found = request.infer([inputs[i].numpy() for i in used])
        return _several([torch.from_numpy(found[put].copy()) for put in compiled.outputs])

    return run


def _several(tensors: list[Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


def difference(found: Any, expected: Any) -> float:
    """The greatest one between tensors, or between tuples of them, as `NEAR` means it.

    >>> difference(torch.tensor([1.0, 0.5]), torch.tensor([1.0, 0.25]))
    0.25
    """
    pairs = zip(*((x,) if isinstance(x, Tensor) else x for x in (found, expected)), strict=True)
    return max(float((a - b).abs().max() / max(1.0, float(b.abs().max()))) for a, b in pairs)
