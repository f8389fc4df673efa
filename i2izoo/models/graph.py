"""One direction of a translator as a network from image to image: what an exported file computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from i2izoo.contracts.classifying import Classifying
from i2izoo.contracts.method import Method
from i2izoo.contracts.roles import Role, role_of
from i2izoo.contracts.stepwise import stepwise
from i2izoo.errors import ConfigError
from i2izoo.models.score_graph import ScoreGraph
from i2izoo.models.step_graph import StepGraph
from i2izoo.models.trimming import example_image, trimmed

if TYPE_CHECKING:
    from i2izoo.models.translator import Translator

    Exportable: TypeAlias = "Graph | StepGraph | ScoreGraph"


class Graph(nn.Module):
    """From images in [0, 1] to images in [0, 1], with all in between that a translator does.

    Padding to what the network needs and cropping back, the range [-1, 1], label maps to classes and back to paint,
    L*a*b* and the gamut of sRGB are inside. A latent, where the method takes one, is a second input.

    Args:
        method: in evaluation mode.
        to: target domain.
        options: of `translate`, which stay as they are here: numbers, words, truth values.

    Attributes:
        source, target: the domains.
        names: of the inputs: "image", and "latent" of a method that takes one.
        outputs: names of the outputs.
    """

    def __init__(self, method: Method, to: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.method, self.target, self.options = trimmed(method), to, dict(options)
        self.source = str(method.directions[to])
        self.latent = _latent_option(method)
        self.names = ("image", *([self.latent] if self.latent else []))
        self.outputs = ("translation",)

    def forward(self, image: Tensor, *latent: Tensor) -> Tensor:
        """N x C x H x W in [0, 1], and N x L: N x D x H x W in [0, 1]."""
        return (self.method.outside(self.output(0, image, *latent), self.target) + 1) / 2

    def output(self, seed: int, image: Tensor, *latent: Tensor) -> Tensor:
        """What the method itself gives, in [-1, 1]; the seed is of nothing in a graph, since what draws is refused."""
        inside = self.method.inside(image * 2 - 1, self.source)
        own = {self.latent: latent[0]} if self.latent else {}
        seeds = [seed] * (1 if torch.compiler.is_exporting() else len(image))
        return self.method(inside, to=self.target, seeds=seeds, **own, **self.options)  # type: ignore[no-any-return]

    def example(self, height: int, width: int, count: int = 1, seed: int = 0) -> tuple[Tensor, ...]:
        """Noise of the shapes of the inputs."""
        image = example_image(self.method, self.source, height, width, count, seed)
        if not self.latent:
            return (image,)
        generator = torch.Generator().manual_seed(seed)
        return image, torch.randn(count, cast(int, self.method.latent_size), generator=generator)

    def free(self) -> tuple[Any, ...]:
        """Which dimensions of the inputs may change."""
        count = torch.export.Dim("count")
        image = {0: count, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
        return (image, ({0: count},)) if self.latent else (image,)


def graph_of(model: Translator, to: str | None, options: Mapping[str, Any]) -> Exportable:
    """The graph of a direction of a translator, in evaluation mode on the CPU, in float32; of one that takes steps, of
    one of these, and of a classifier, of its scores.

    Raises:
        ConfigError: it makes images from nothing, draws, or wants more than an image.
    """
    to = model.target(to)
    method = model.method
    if method.directions[to] is None:
        raise ConfigError(f"{model.name!r} makes {to!r} from nothing, and what is exported takes an image.")
    if method.required_options:
        raise ConfigError(
            f"{model.name!r} wants {method.required_options} beside the image, which an exported graph does not take."
        )
    allowed = method.translate_options()
    for name, value in options.items():
        if name not in allowed or not isinstance(value, (bool, int, float, str)):
            raise ConfigError(f"an exported graph takes no option {name}={value!r} of {model.name!r}; leave it out.")
    if (inside := stepwise(method)) is not None:
        return StepGraph(method.eval(), inside, to, options)
    if isinstance(method, Classifying) and not options:
        return ScoreGraph(method.eval(), to)
    graph = Graph(method.eval(), to, options)
    side = max(method.min_size(to), 32)
    inputs = graph.example(side, side)
    with torch.inference_mode():
        first, second = (graph.output(seed, *inputs) for seed in (0, 1))
    if not torch.equal(first, second):
        raise ConfigError(f"{model.name!r} draws noise while it translates, which a graph cannot.")
    return graph


def _latent_option(method: Method) -> str | None:
    """The option that takes a vector; what is called a latent and has the size of the image is noise."""
    if not getattr(method, "latent_size", 0):
        return None
    options = method.translate_options().items()
    return next((name for name, option in options if role_of(option.annotation) is Role.LATENT), None)
