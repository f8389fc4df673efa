"""What a pipeline of diffusers can be asked for, read off the signature of its call and said in the words of i2izoo."""

from __future__ import annotations

import inspect
import types
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Union, get_args, get_origin

from i2izoo.contracts.annotations import check_value
from i2izoo.contracts.config import function_options
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Image, Text

SOURCES = ("image", "control_image")
"""The image that is translated, by what pipelines call it; the first that a pipeline has."""

MASKS = ("mask_image", "control_mask")
"""What is to be filled."""

IMAGES = ("control_image", "example_image", "original_image")
"""Further images, options under their own names."""

WORDS = {"steps": "num_inference_steps", "guidance": "guidance_scale"}
"""The words of i2izoo for what diffusers calls otherwise; both are understood."""

RESULTS = ("images", "image")
"""What a call gives, by what pipelines call it."""

OURS = (
    "generator", "output_type", "return_dict", "height", "width", "batch_size", "num_images_per_prompt",
    "padding_mask_crop", "callback_steps", "callback_on_step_end_tensor_inputs",
)  # fmt: skip
"""What the translator sets, or has no use for."""

PROMPT_OPTIONAL = ("StableUnCLIPImg2ImgPipeline", "QwenImageLayeredPipeline")
"""Pipelines that have a prompt and do well without."""


@dataclass(frozen=True)
class Options:
    """The options of one pipeline class.

    Attributes:
        pipeline: name of the class.
        source: the argument that takes the input; None: there is none.
        mask: the argument that takes the mask; None: there is none.
        images: further images.
        texts: prompts, by name.
        plain: JSON values, by name.
        wanted: arguments that a call cannot do without and no option gives.
        arguments: everything that the call takes.
        gives: the names of what a call gives, as far as it says so.
    """

    pipeline: str
    source: str | None
    mask: str | None
    images: tuple[str, ...]
    texts: tuple[str, ...]
    plain: dict[str, inspect.Parameter]
    wanted: tuple[str, ...]
    arguments: frozenset[str] = field(repr=False)
    gives: tuple[str, ...]

    @classmethod
    def of(cls, pipeline: type) -> Options:
        """Read them off a class.

        >>> from diffusers import StableDiffusionImg2ImgPipeline
        >>> options = Options.of(StableDiffusionImg2ImgPipeline)
        >>> options.source, options.mask, options.texts, "strength" in options.plain
        ('image', None, ('prompt', 'negative_prompt'), True)
        """
        found = function_options(pipeline.__call__)
        source = next((name for name in SOURCES if name in found), None)
        mask = next((name for name in MASKS if name in found), None)
        images = tuple(name for name in IMAGES if name in found and name != source)
        plain = {
            name: parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in found.items()
            if name not in (*OURS, *SOURCES, *MASKS, *IMAGES)
            and not name.endswith("_embeds")  # tensors, whatever some are declared as
            and (kind := _plain_type(parameter.annotation, parameter.default)) is not None
        }
        texts = tuple(n for n, p in plain.items() if "prompt" in n and str in _members(p.annotation))
        given = {*texts, *images, *plain, source, mask}
        wanted = [n for n, p in found.items() if p.default is p.empty and n not in given and n not in OURS]
        plain = {name: parameter for name, parameter in plain.items() if name not in texts}
        results = _members(inspect.signature(pipeline.__call__).return_annotation)
        gives = tuple(f.name for result in results if is_dataclass(result) for f in fields(result))
        return cls(pipeline.__name__, source, mask, images, texts, plain, tuple(wanted), frozenset(found), gives)

    @property
    def makes_images(self) -> bool:
        """False where it is known to make something else: a video, a depth map, embeddings."""
        return not self.gives or any(name in self.gives for name in RESULTS)

    @property
    def wants_prompt(self) -> bool:
        return "prompt" in self.texts and self.pipeline not in PROMPT_OPTIONAL

    def parameters(self) -> dict[str, inspect.Parameter]:
        """Name -> parameter, as of a translation."""
        plain = dict(self.plain)
        words = {word: plain.pop(name) for word, name in WORDS.items() if name in plain}
        kinds: dict[str, Any] = dict.fromkeys(self.texts, Text | None)
        kinds |= dict.fromkeys((*["mask"] * (self.mask is not None), *self.images), Image | None)
        options = {name: _option(name, kind) for name, kind in kinds.items()}
        options |= {word: _option(word, p.annotation, p.default) for word, p in (words | plain).items()}
        options |= {n: _option(n, words[w].annotation, None) for w, n in WORDS.items() if w in words}
        return options | {"progress": _option("progress", bool, False)}

    def check(self, options: dict[str, Any]) -> dict[str, Any]:
        """The plain options by diffusers' own names, those that are None left out.

        Raises:
            OptionTypeError: one has a value of the wrong type.
            ConfigError: one is given under both of its names.
        """
        checked: dict[str, Any] = {}
        for word, value in options.items():
            name = WORDS.get(word, word)
            if value is None:
                continue
            if name in checked:
                raise ConfigError(f"{word} and {name} are one option of {self.pipeline}; give one of them.")
            if name not in self.plain:
                raise ConfigError(f"{self.pipeline} has no option {word!r}; leave it out.")
            kind = self.plain[name].annotation
            check_value(value, kind, f"option {word!r} of {self.pipeline}")
            if isinstance(value, int) and float in (kinds := _members(kind)) and not {int, bool} & {*kinds}:
                value = float(value)  # some look at the class of a number
            checked[name] = value
        return checked


def _option(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    if default is inspect.Parameter.empty:
        default = None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _plain_type(annotation: Any, default: Any) -> Any:
    """What of a declared type JSON can hold; None if nothing."""
    if annotation is Any:  # undeclared: the default tells
        return type(default) if isinstance(default, (bool, int, float, str)) else None
    plain = [member for member in _members(annotation) if _is_plain(member)]
    return Union[(*plain, type(None))] if plain else None


def _is_plain(kind: Any) -> bool:
    if get_origin(kind) in (list, tuple, dict):
        return all(inner in (Any, ...) or _is_plain(inner) for inner in get_args(kind))
    return kind in (bool, int, float, str, list, tuple, dict)
