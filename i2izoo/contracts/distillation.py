"""The contract of methods by which a student learns from a trained teacher; see `i2izoo.distill`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from inspect import Parameter
from typing import Any, ClassVar

from torch import Tensor

from i2izoo.contracts.method import Method
from i2izoo.contracts.ranges import Palette


class Distillation(Method):
    """A method whose result is another method, the student, that does with fewer steps what its teacher does.

    A subclass has the options `teacher` (the spec of a method) and `student_steps`, and builds `teacher` and `student`
    in its constructor; the weights of the teacher come by `learn_from`. Its name in the registry ends in
    "_distillation".

    Attributes:
        teacher: the trained method; it stays as it is.
        student: what learns, translates and is saved in the end, by itself.
        student_name: the student's name in the registry.
    """

    inference_parts = ("student",)
    samples: ClassVar[bool] = True
    teacher: Method
    student: Method
    student_name: str

    @classmethod
    @abstractmethod
    def stages(cls, teacher: Method, student_steps: int, start: int | None = None) -> list[tuple[str, int]]:
        """What is trained one after the other: method and steps of its student, who is the next one's teacher.

        Args:
            teacher: the first teacher.
            student_steps: of the last student.
            start: steps of the first teacher; None: a number that follows from its own.

        Raises:
            ConfigError: there is no way from there to here.
        """

    @abstractmethod
    def learn_from(self, teacher: Method) -> None:
        """Take a trained teacher's weights, for the teacher and as the student's start."""

    @property
    def directions(self) -> Mapping[str, str | None]:
        return self.student.directions

    @property
    def channels(self) -> dict[str, int]:
        return self.student.channels

    @property
    def label_maps(self) -> Mapping[str, Palette]:
        return self.student.label_maps

    def size_multiple(self, to: str) -> int:
        return self.student.size_multiple(to)

    def min_size(self, to: str) -> int:
        return self.student.min_size(to)

    def translate(self, image: Tensor, *, to: str, seeds: list[int], **options: Any) -> Tensor:
        """The student's translation, with its options."""
        return self.student.translate(image, to=to, seeds=seeds, **options)

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int], **options: Any) -> Tensor:
        """What the student makes from nothing, with its options."""
        return self.student.generate(to=to, seeds=seeds, size=size, **options)

    def translate_options(self) -> dict[str, Parameter]:
        return self.student.translate_options()

    def generate_options(self) -> dict[str, Parameter]:
        return self.student.generate_options()

    def train(self, mode: bool = True) -> Distillation:
        super().train(mode)
        self.teacher.eval()
        return self

    def inference_state(self) -> dict[str, Tensor]:
        return {f"student.{name}": tensor for name, tensor in self.student.inference_state().items()}
