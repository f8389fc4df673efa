"""A model whose networks are computed by an engine: all between them, and all that asks for more, stays PyTorch's."""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from i2izoo.contracts.method import Method
from i2izoo.errors import ConfigError, I2IZooError, I2IZooWarning, listing, suggest
from i2izoo.models.backends.engines import LIBRARIES, NEAR, Engine, build, difference, need, on_cpu
from i2izoo.models.backends.fastest import fastest

Backend = Literal["compile", "onnxruntime", "openvino", "auto"]


class BackendError(I2IZooError):
    """An engine cannot take a network, or computes something else."""


def attach(method: Method, backend: str) -> None:
    """Have an engine compute the networks of a method from now on.

    Args:
        method: what `load` built; a copy or a saved one has no engine.
        backend: one of `Backend`; "auto" measures, see `fastest`.

    Raises:
        ConfigError: there is no such engine, its library is not installed, or the method has no networks for it.
    """
    known = get_args(Backend)
    if backend not in known:
        raise ConfigError(f"there is no backend {backend!r}{suggest(backend, known) or '.'} Known: {listing(known)}.")
    need(*LIBRARIES.get(backend, ()), extra="openvino" if backend == "openvino" else "export")
    networks = [network for network in method.networks() if any(True for _ in network.parameters())]
    if not networks:
        raise ConfigError(
            f"no backend takes the networks of {type(method).__name__}, which calls them with more than tensors."
        )
    for network in networks:  # where torch.compile has its own, too; copies and files go without
        network._compiled_call_impl = Attached(network, backend)  # type: ignore[assignment]


class Attached:
    """What is called in the place of a network.

    Args:
        network: is called itself wherever an engine would not do the same.
        backend: name of the engine.
    """

    def __init__(self, network: nn.Module, backend: str) -> None:
        self.network, self.backend = network, backend
        self.engines: dict[Any, Engine] = {}
        self.fixed = False  # an engine for each shape, as the exporter finds none for all
        self._said = False

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if torch.compiler.is_compiling() or torch.compiler.is_exporting():
            return self.network._call_impl(*inputs, **named)
        if reason := self.unfit(inputs, named):
            self._say(reason)
            return self.network._call_impl(*inputs, **named)
        if self.backend == "auto":
            self.backend = fastest(self.network, inputs)
        if self.backend == "eager":
            return self.network._call_impl(*inputs)
        given = tuple(tensor.contiguous() for tensor in inputs)
        engine = self.engines.get(self._key(given)) or self._built(given)
        return engine(*given)

    def unfit(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> str:
        """Why PyTorch has to compute this call; empty: it has not."""
        if torch.is_grad_enabled():
            return "gradients are asked for"
        if not all(isinstance(tensor, Tensor) for tensor in inputs) or named:
            return "it is given more than tensors"
        for module in self.network.modules():
            if module.training:
                return "layers are in training mode"
            if module is not self.network and ("forward" in module.__dict__ or module._forward_hooks):
                return "its layers are looked into, as for tiles that share statistics"
        return ""

    def _built(self, inputs: tuple[Tensor, ...]) -> Engine:
        if self.backend != "compile" and not (on_cpu(inputs) and inputs[0].dtype == torch.float32):
            raise ConfigError(
                f"{self.backend} computes on the CPU in float32; this model is on {inputs[0].device}, "
                f"{inputs[0].dtype}: use backend='compile', or none."
            )
        expected = self.network._call_impl(*inputs)
        engine = self._checked(inputs, expected)
        self.engines[self._key(inputs)] = engine
        return engine

    def _checked(self, inputs: tuple[Tensor, ...], expected: Any) -> Engine:
        """The engine, which has been seen to give what PyTorch gives."""
        apart = 0.0
        for free, anew in ((True, False), (True, True), (False, True)):
            if free and self.fixed:
                continue
            try:
                engine = build(self.backend, self.network, inputs, free=free, anew=anew)
                apart = difference(engine(*inputs), expected)
            except Exception as error:  # of any kind, and long
                if not free or self.backend == "compile":
                    first = next(iter(str(error).strip().splitlines()), "")[:200]
                    raise BackendError(
                        f"{self.backend} cannot take {type(self.network).__name__}: {type(error).__name__}: {first}"
                    ) from error
                continue
            if apart <= NEAR:
                self.fixed = not free
                return engine
        raise BackendError(
            f"{self.backend} gives other values for {type(self.network).__name__} than PyTorch (by {apart:.2g}); load "
            "the model without backend=."
        )

    def _key(self, inputs: tuple[Tensor, ...]) -> Any:
        return tuple(tensor.shape for tensor in inputs) if self.fixed else tuple(tensor.ndim for tensor in inputs)

    def _say(self, reason: str) -> None:
        if self._said or self.backend in ("auto", "eager"):
            return
        self._said = True
        kind = type(self.network).__name__
        warnings.warn(f"PyTorch computes {kind}, not {self.backend}: {reason}.", I2IZooWarning, stacklevel=2)
