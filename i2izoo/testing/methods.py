"""Rules for methods: what they say of themselves, and how they translate."""

from __future__ import annotations

import tempfile
from inspect import signature

import torch
from torch import Tensor

from i2izoo.contracts.config import check_options, schema
from i2izoo.contracts.method import Method
from i2izoo.errors import listing
from i2izoo.models.storage import method_config
from i2izoo.nn.padding import valid_side
from i2izoo.nn.random import seeded
from i2izoo.testing.networks import TOLERANCE, gap
from i2izoo.testing.subject import NotApplicable, Subject, require
from i2izoo.training.config import TrainingOptions


def answer(method: Method, image: Tensor, to: str, seeds: list[int], noise: int = 0) -> Tensor:
    """What the translator does with a batch, under a global random state that should not matter.

    A direction without a source is asked for images of the size of `image`.
    """
    with seeded(noise), torch.inference_mode():
        if method.directions[to] is None:
            return method.eval().generate_at((image.shape[-2], image.shape[-1]), to=to, seeds=seeds)
        return method.eval()(image, to=to, seeds=seeds)


def images(method: Method, to: str, count: int, height: int, width: int) -> Tensor:
    """Random images of the domain that `to` is translated from; without one, of `to` itself."""
    with seeded(11):
        return torch.rand(count, method.channels[method.directions[to] or to], height, width) * 2 - 1


def describes_itself(subject: Subject) -> None:
    """Directions, channels, domains, data, recipe and inference parts fit together."""
    method: Method = subject.build()
    require(method.directions, "directions is empty")
    for to, source in method.directions.items():
        wanted = "generate" if source is None else "translate"
        own = getattr(type(method), wanted, None) is not getattr(Method, wanted)
        require(own, f"{to!r} is made {'from nothing' if source is None else f'of {source!r}'}, but has no {wanted}")
    unknown = set(method.domains) - method.channels.keys()
    require(not unknown, f"channels says nothing about {listing(sorted(unknown))}")
    require(all(isinstance(c, int) and c > 0 for c in method.channels.values()), f"channels is {method.channels}")
    require(method.data in ("paired", "unpaired", "single"), f"data is {method.data!r}")
    check_options(TrainingOptions, method.recipe, complete=False)
    children = {name for name, _ in method.named_children()}
    absent = set(method.inference_parts) - children
    require(not absent, f"inference_parts names {listing(sorted(absent))}; sub-modules are {listing(children)}")
    require(method.inference_state(), "the inference parts hold no tensor")


def options_are_not_the_trainers(subject: Subject) -> None:
    """No option has the name of a training option: `i2izoo train METHOD option=value` could not tell which is meant."""
    both = schema(subject.part).keys() & schema(TrainingOptions).keys()
    require(not both, f"{listing(sorted(both))} are options of the trainer, too")


def options_of_translate_have_defaults(subject: Subject) -> None:
    """Every option of `translate` beyond image, to and seeds has a default; so have those of `generate`."""
    method: Method = subject.build()
    options = {**method.translate_options(), **method.generate_options()}
    bare = [name for name, option in options.items() if option.default is option.empty]
    require(not bare, f"{listing(bare)} has none")


def options_of_translate_are_not_the_calls(subject: Subject) -> None:
    """No option of `translate` or `generate` has the name of an argument of the translator, which would take it."""
    from i2izoo.models.translator import Translator

    method: Method = subject.build()
    calls = (Translator.__call__, Translator.stream, Translator.generate, Translator.generate_stream)
    own = {name for call in calls for name in signature(call).parameters} - {"progress"}  # a bar of its own may be
    taken = [name for name in {**method.translate_options(), **method.generate_options()} if name in own]
    require(not taken, f"{listing(taken)} are arguments of the translator's own")


def any_size_translates(subject: Subject) -> None:
    """Images of 1 x 1 and 33 x 65 come back, or are generated, at that size, with the target's channels, finite."""
    method: Method = subject.build()
    for to in method.directions:
        for size in ((1, 1), (33, 65)):
            output = answer(method, images(method, to, 2, *size), to, [0, 1])
            wanted = (2, method.channels[to], *size)
            require(tuple(output.shape) == wanted, f"to {to!r}: found {tuple(output.shape)}, not {wanted}")
            require(output.is_floating_point() and torch.isfinite(output).all(), f"to {to!r}: values are not finite")


def seeds_decide_everything(subject: Subject) -> None:
    """A translation is a function of image and seed; a method that samples or generates gives others for others."""
    method: Method = subject.build()
    for to in method.directions:
        image = images(method, to, 2, 16, 16)
        first = answer(method, image, to, [3, 4], noise=1)
        again = answer(method, image, to, [3, 4], noise=2)
        require(gap([first], [again]) == 0, f"to {to!r}: the same seeds give another image; draw from seeds alone")
        if method.samples or method.directions[to] is None:
            other = answer(method, image, to, [5, 6])
            require(gap([first], [other]) > 0, f"to {to!r}: it says that it samples, but seeds change nothing")


def rows_are_independent(subject: Subject) -> None:
    """A row of a batch with its seed translates as it does alone."""
    method: Method = subject.build()
    for to in method.directions:
        image = images(method, to, 3, 16, 16)
        together = answer(method, image, to, [3, 4, 5])[1:2]
        alone = answer(method, image[1:2], to, [4])
        difference = gap([together], [alone])
        require(difference <= TOLERANCE, f"to {to!r}: it differs from itself alone by {difference:.2g}")


def generates_images(subject: Subject) -> None:
    """What is generated has the asked size and lies in [-1, 1], each image is another, and a native size is valid."""
    method: Method = subject.build().eval()
    made = [to for to, source in method.directions.items() if source is None]
    if not made:
        raise NotApplicable("it makes nothing from nothing")
    for to in made:
        fit = (method.size_multiple(to), method.min_size(to))
        size = method.native_size or (valid_side(16, *fit), valid_side(32, *fit))
        valid = len(size) == 2 and all(side == valid_side(side, *fit) for side in size)
        require(valid, f"to {to!r}: native_size is {size}, and sides are multiples of {fit[0]} from {fit[1]}")
        with seeded(0), torch.inference_mode():
            output = method.generate(to=to, seeds=[3, 4], size=size)
        wanted = (2, method.channels[to], *size)
        require(tuple(output.shape) == wanted, f"to {to!r}: generate gives {tuple(output.shape)}, not {wanted}")
        low, high = output.min().item(), output.max().item()
        require(low >= -1 and high <= 1, f"to {to!r}: values are from {low:.3g} to {high:.3g}")
        require(not torch.equal(output[0], output[1]), f"to {to!r}: two seeds give one image")


def saved_is_loaded(subject: Subject) -> None:
    """`save_pretrained` and `load` give a method that translates exactly as before."""
    from i2izoo.models.translator import Translator, load

    method: Method = subject.build()
    model = Translator(method, method_config(method, subject.entry.name))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        loaded = load(folder).method
    require(loaded.config == method.config, f"config {method.config} came back as {loaded.config}")
    for to in method.directions:
        image = images(method, to, 2, 16, 16)
        difference = gap([answer(loaded, image, to, [0, 1])], [answer(method, image, to, [0, 1])])
        require(difference == 0, f"to {to!r}: the loaded method differs by {difference:.2g}")


RULES = (
    describes_itself,
    options_are_not_the_trainers,
    options_of_translate_have_defaults,
    options_of_translate_are_not_the_calls,
    any_size_translates,
    seeds_decide_everything,
    rows_are_independent,
    generates_images,
    saved_is_loaded,
)
