"""Half the size of an ONNX file: weights in half precision, which the runtime widens when it reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

FEW = 256
"""Tensors of fewer numbers stay as they are: scales and shifts of norms, and constants."""


def in_half(model: Any) -> None:
    """Store the large float32 tensors of an `onnx.ModelProto` as float16, each behind a Cast to float32, in place.

    The graph computes in float32 as before; runtimes fold the casts away when they load it. A number that half
    precision cannot hold stays float32 with its tensor.
    """
    import onnx
    from onnx import numpy_helper

    graph = model.graph
    casts = []
    for index, tensor in enumerate(graph.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims, initial=1) < FEW:
            continue
        narrow = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(narrow).all():
            continue
        name = tensor.name
        graph.initializer[index].CopyFrom(numpy_helper.from_array(narrow, f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
