"""DragGAN for programs that show it: the editor `drag`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from i2izoo.contracts.editor import Edited, Editor, Point
from i2izoo.contracts.method import Method
from i2izoo.contracts.ranges import Range
from i2izoo.contracts.styles import StyleGenerator, StyleMethod
from i2izoo_generation.editing.drag import Drag
from i2izoo_generation.editing.styles import drawn, render

if TYPE_CHECKING:
    from torch import Tensor

    from i2izoo import Translator


class PointDrag(Editor):
    """Drag points of an image of a model with styles to where they are wanted (DragGAN)."""

    @classmethod
    def edits(cls, method: Method) -> bool:
        """Those whose images come of styles."""
        return isinstance(method, StyleMethod) and isinstance(method.generator, StyleGenerator)

    def image(self, model: Translator, seed: int) -> Tensor:
        """That which `model.generate(seed=seed, noise="constant")` makes."""
        return render(model, drawn(model, seed=seed))

    def steps(
        self,
        model: Translator,
        seed: int,
        *,
        points: Sequence[Point],
        targets: Sequence[Point],
        steps: Annotated[int, Range(1, 1000)] = 100,
        learning_rate: Annotated[float, Range(0, 1, without="low")] = 0.002,
        layers: Annotated[int, Range(1, 32)] = 6,
    ) -> Iterator[Edited]:
        """Take the steps of a `Drag`.

        Args:
            model, seed, points, targets: see `Editor`.
            steps: at most.
            learning_rate: of Adam.
            layers: w of so many of the first layers moves, which decide what is where; the others stay.
        """
        drag = Drag(
            model, seed, points=points, targets=targets, steps=steps, learning_rate=learning_rate, layers=layers
        )
        for now in drag:
            far = max(now.distances)
            said = f"step {now.done} of at most {now.steps}: {far:.1f} pixels to go"
            yield Edited(now.image(), tuple(now.points), said, now.done / now.steps)
