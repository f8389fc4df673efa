"""What users of torch try on a model: done where it makes sense, and answered otherwise with where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from i2izoo.contracts.method import Method

TRAINING = {"train", "backward", "zero_grad", "requires_grad_"}
"""Attributes of a module that are asked for in order to train it."""


class ModuleLike:
    """A model is not a torch module but has one, its `method`; these are the habits that may stay.

    >>> import i2izoo
    >>> model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4})
    >>> model.eval().half().dtype
    torch.float16
    >>> model.generator
    Traceback (most recent call last):
    ...
    AttributeError: a Translator has no attribute 'generator', but its torch module has: write model.method.generator.
    """

    method: Method

    if TYPE_CHECKING:  # `Model` has it

        def to(self, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None) -> Self: ...

    def eval(self) -> Self:
        """Nothing changes, for a model always translates as it was meant to; returns itself."""
        self.method.eval()
        return self

    def cpu(self) -> Self:
        """`to("cpu")`."""
        return self.to("cpu")

    def cuda(self, device: int | None = None) -> Self:
        """`to("cuda")`, or to the one of this number."""
        return self.to("cuda" if device is None else f"cuda:{device}")

    def half(self) -> Self:
        """`to(dtype="fp16")`."""
        return self.to(dtype=torch.float16)

    def bfloat16(self) -> Self:
        """`to(dtype="bf16")`."""
        return self.to(dtype=torch.bfloat16)

    def float(self) -> Self:
        """`to(dtype="fp32")`."""
        return self.to(dtype=torch.float32)

    def parameters(self) -> Iterator[nn.Parameter]:
        """Those of the method, with the parts that only training needs."""
        return self.method.parameters()

    def state_dict(self) -> dict[str, Tensor]:
        """That of the method, with the parts that only training needs; `save_pretrained` writes the others."""
        return dict(self.method.state_dict())

    if not TYPE_CHECKING:  # a type checker shall go on to find misspelt names

        def __getattr__(self, name: str) -> Any:
            method, kind = self.__dict__.get("method"), type(self).__name__
            text = f"a {kind} has no attribute {name!r}"
            if method is not None and not name.startswith("_") and hasattr(method, name):
                text += f", but its torch module has: write model.method.{name}"
                if name in TRAINING:
                    text += ", or train the model with i2izoo.Trainer(model, data).fit()"
            raise AttributeError(f"{text}.", name=name, obj=self)
