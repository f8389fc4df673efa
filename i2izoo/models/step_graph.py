"""One step of a translation in many steps as a network: what is exported of a diffusion model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from i2izoo.contracts.method import Method
from i2izoo.contracts.stepwise import Row, Step, Stepwise
from i2izoo.errors import ConfigError
from i2izoo.models.trimming import example_image, trimmed
from i2izoo.nn.padding import valid_side
from i2izoo.nn.random import noise_given


class StepGraph(nn.Module):
    """From an image, a noisy image and numbers of a step to the translation so far.

    What is drawn beside the steps, such as the noise that fills holes, is an input, too: `noise_0` and so on.

    Args:
        method: in evaluation mode.
        inside: it, or the method inside it that does the steps.
        to: target domain.
        options: of `translate`: numbers, words, truth values.

    Attributes:
        source, target: the domains.
        rows: of all steps.
        names, outputs: of the inputs and outputs.
    """

    latent = None

    def __init__(self, method: Method, inside: Stepwise, to: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.method, self.target, self.options = trimmed(method), to, dict(options)
        self.source = str(method.directions[to])
        self.rows: list[Row] = inside.step_table(**options)
        self.channels = int(inside.channels[inside.target])  # type: ignore[attr-defined]
        self.multiple = (method.size_multiple(to), method.min_size(to))
        self.drawn = self._draws()
        self.names = ("image", "noisy", "step", *(f"noise_{i}" for i in range(len(self.drawn))))
        self.outputs = ("translation", "clean")

    def forward(self, image: Tensor, noisy: Tensor, step: Tensor, *noise: Tensor) -> tuple[Tensor, Tensor]:
        """Images of valid sides in [0, 1], N x D x H x W, and time, alpha and sigma of a row, 3.

        Returns:
            The translation in [0, 1], as if this step were the last, and the clean image in the step's own values.
        """
        left = iter(noise)
        output, taken = self._taken(image, noisy, step, lambda shape: next(left))
        assert taken.clean is not None
        return (self.method.outside(output, self.target) + 1) / 2, taken.clean

    def example(self, height: int, width: int, count: int = 1, seed: int = 0) -> tuple[Tensor, ...]:
        """Noise of the shapes of the inputs, whose sides are rounded up to valid ones."""
        height, width = (valid_side(side, *self.multiple) for side in (height, width))
        image = example_image(self.method, self.source, height, width, count, seed)
        row = self.rows[len(self.rows) // 2]
        generator = torch.Generator().manual_seed(seed)
        draws = [(self.channels, height, width), *((n, height, width) for n in self.drawn)]
        noisy, *noise = (torch.randn(count, *shape, generator=generator) for shape in draws)
        return (image, noisy, torch.tensor([row["time"], row["alpha"], row["sigma"]]), *noise)

    def free(self) -> tuple[Any, ...]:
        """Which dimensions of the inputs may change."""
        image = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
        return (image, image, None, *([(image,) * len(self.drawn)] if self.drawn else []))

    def about(self) -> dict[str, Any]:
        """What a loop has to know: see docs/export.md."""
        multiple, least = self.multiple
        return {"rows": self.rows, "channels": self.channels, "noise": self.drawn, "multiple": multiple, "least": least}

    def _draws(self) -> list[int]:
        """Channels of what is drawn beside the steps, each of the size of the image."""
        found: list[tuple[int, ...]] = []
        self.drawn = []
        image, noisy, step = self.example(1, 1)

        def draw(shape: tuple[int, ...]) -> Tensor:
            found.append(shape)
            return torch.zeros(1, *shape)

        with torch.inference_mode():
            self._taken(image, noisy, step, draw)
        if any(shape[1:] != image.shape[2:] for shape in found):
            raise ConfigError(f"{type(self.method).__name__} draws noise of another size than the image's.")
        return [shape[0] for shape in found]

    def _taken(
        self, image: Tensor, noisy: Tensor, step: Tensor, draw: Callable[[tuple[int, ...]], Tensor]
    ) -> tuple[Tensor, Step]:
        taken, translate = Step(noisy, *step), cast(Any, self.method).translate  # one with an option `step`
        with noise_given(draw):
            inside = self.method.inside(image * 2 - 1, self.source)
            return translate(inside, to=self.target, seeds=[0], **self.options, step=taken), taken
