"""Load, create and call: images in, images out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.config import describe_type, matches
from i2izoo.contracts.listing import ways
from i2izoo.contracts.method import Method
from i2izoo.contracts.registry import registry
from i2izoo.contracts.roles import Role, role_of
from i2izoo.errors import ConfigError, I2IZooError, ImageError, OptionTypeError, UnknownNameError, listing, suggest
from i2izoo.images.batching import Item, Row, in_batches
from i2izoo.images.types import Form, sides
from i2izoo.images.writing import find_images, read
from i2izoo.models import storage
from i2izoo.models.call_options import check_numbers, give_result, name_of, tracked
from i2izoo.models.locate import locate
from i2izoo.models.options import PerImage, stacked
from i2izoo.nn.device import find_device
from i2izoo.nn.modes import modes_kept
from i2izoo.nn.random import derive_seed

if TYPE_CHECKING:
    from PIL import Image

FORMS = {"pil": Form("pil"), "array": Form("array", np.dtype(np.uint8)), "tensor": Form("tensor", torch.float32)}
"""What `Translator.generate` gives, by `output`."""


def load(
    name_or_path: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Translator:
    """Load a trained translator.

    Args:
        name_or_path: what exists as a pretrained folder goes first: `"./folder"`, any path, a training checkpoint;
            then a pretrained entry (`i2izoo.list_models(pretrained=True)`); then a Hub repository `"user/repo"`,
            `"user/repo@revision"` or `"hf-hub:user/repo@revision"`. A folder or repository of diffusers
            (`model_index.json`) is one, too: docs/methods/diffusers.md.
        revision: branch, tag or commit of a Hub repository.
        token: for private repositories; None uses the one that `hf auth login` stored, False none.
        cache_dir: where downloads lie; None: the Hub's own cache.
        local_files_only: never ask the network.
        device: "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest there is; None: the CPU.
        dtype: of weights and computation; None: float32.

    Raises:
        UnknownNameError: there is no such entry, folder or possible repository; close matches are given.
        StorageError: the folder is incomplete, damaged or of another format.
        HubError: the Hub refuses or cannot be reached.

    >>> load("no-such-model")
    Traceback (most recent call last):
    ...
    i2izoo.errors.UnknownNameError: there is no pretrained entry, folder or Hub repository 'no-such-model'...
    """
    folder = locate(
        os.fspath(name_or_path), revision, token=token, cache_dir=cache_dir, local_files_only=local_files_only
    )
    method, config = storage.load_folder(folder, dtype)
    return Translator(method, config).to(device, dtype)


def create(method: str, **options: Any) -> Translator:
    """Make an untrained translator: `create("pix2pix", generator="resnet_9blocks", in_channels=1)`.

    Args:
        method: a name of `i2izoo.list_models(pretrained=False)`.
        options: the method's own; a part is a name or `{"name": ..., option: value}`.

    Raises:
        UnknownNameError: there is no such method; close matches are given.
        ConfigError: an option is unknown, missing or ill-typed.
    """
    methods = registry("methods")
    if method not in methods and method in registry("pretrained"):
        raise UnknownNameError(f"{method!r} is a pretrained entry: i2izoo.load({method!r}) gives it, trained.")
    built = methods.build({"name": method, **options})
    return Translator(built.eval(), storage.method_config(built, method))


class Translator:
    """A method with its preprocessing, its domains and its provenance; made by `load` or `create`.

    Attributes:
        method: the torch module.
        config: what config.json holds: method, options, provenance.

    >>> import i2izoo, numpy as np
    >>> model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4})
    >>> model(np.zeros((5, 7, 3), np.uint8)).shape
    (5, 7, 3)
    """

    from_pretrained = staticmethod(load)

    def __init__(self, method: Method, config: dict[str, Any]) -> None:
        self.method = method
        self.config = config

    def __repr__(self) -> str:
        return f"Translator({self.name!r}, {ways(self.directions)}, {self.num_parameters:,} parameters, {self.device})"

    @property
    def name(self) -> str:
        """The method's name in the registry."""
        return str(self.config["method"])

    @property
    def directions(self) -> Mapping[str, str | None]:
        """Target domain -> the domain that it is translated from, or None where `generate` makes it from nothing.

        The first is the default of `to`.
        """
        return self.method.directions

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains, sources first."""
        return self.method.domains

    @property
    def native_size(self) -> tuple[int, int] | None:
        """Height and width that `generate` has by itself: the network's own, or those that it was trained at."""
        facts = self.config.get("provenance") or {}
        trained = facts.get("image_size") or facts.get("crop_size")
        return self.method.native_size or (sides(trained) if trained else None)

    @property
    def num_parameters(self) -> int:
        """Number of parameters that translation needs."""
        needed = self.method.inference_state()
        return sum(p.numel() for name, p in self.method.named_parameters() if name in needed)

    @property
    def device(self) -> torch.device:
        return next((p.device for p in self.method.parameters()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        return next((p.dtype for p in self.method.parameters() if p.is_floating_point()), torch.float32)

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Translator:
        """Move the method to a device ("auto": the fastest there is) or floating-point type; returns itself."""
        device = None if device is None else find_device(device)
        dtype = None if dtype == self.dtype else dtype  # a part that was loaded in float32 on purpose stays so
        try:
            self.method.to(device=device, dtype=dtype)
        except (RuntimeError, TypeError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise ConfigError(f"cannot use device {device!s} with dtype {dtype}: {reason}.") from error
        return self

    # ------------------------------------------------------------------------------------------------- translating

    @overload
    def __call__(
        self, image: str | os.PathLike[str] | Image.Image, *, samples: None = None, **options: Any
    ) -> Image.Image: ...
    @overload
    def __call__(self, image: np.ndarray, *, samples: None = None, **options: Any) -> np.ndarray: ...
    @overload
    def __call__(self, image: Tensor, *, samples: None = None, **options: Any) -> Tensor: ...
    @overload
    def __call__(self, image: list[Any] | tuple[Any, ...], *, samples: None = None, **options: Any) -> list[Any]: ...
    @overload
    def __call__(self, image: Any, *, samples: int, **options: Any) -> list[Any]: ...
    def __call__(
        self,
        image: Any,
        *,
        to: str | None = None,
        samples: int | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        progress: bool = False,
        **options: Any,
    ) -> Any:
        """Translate images; each result has the size and the kind of its input.

        Args:
            image: a path, PIL image, array (H x W or H x W x C; uint8, uint16, bool or float in [0, 1]) or tensor
                (C x H x W or N x C x H x W; float in [-1, 1] or uint8), any size from 1 x 1; a list of them, mixed as
                you like; or a folder, which gives the list of its images in natural order.
            to: target domain; None: the first of `directions`.
            samples: give a list of so many different translations of each image (methods that can sample).
            seed: results are a function of (seed, place in the list, number of the sample), never of the batch.
            batch_size: images of one size that run together; None: as many as make about a megapixel.
            progress: show a progress bar on stderr.
            options: the method's own (`steps=20`); those that are images (`mask=`) are read as `image` is, and
                may be a list with one for each image; a latent (`latent=`) is a vector, and a text (`prompt=`) a
                string, or a list with one for each image.

        Returns:
            PIL for a path or PIL image, otherwise an array or tensor of the input's dtype, range, layout and device;
            a list for a list or folder. A bool image comes back in 8 bits.

        Raises:
            ImageError: an image cannot be used; the message names it.
            UnknownNameError: `to` is no target domain.
            ConfigError: an unknown option, or `samples` where the method cannot.
        """
        if isinstance(image, (str, os.PathLike)) and Path(image).is_dir():
            image = find_images(image)
        batch = isinstance(image, (Tensor, np.ndarray)) and image.ndim == 4 and len(image) != 1
        many = batch or isinstance(image, (list, tuple))
        sources = image if many else [image]
        translated = self.stream(
            sources, to=to, samples=samples, seed=seed, batch_size=batch_size, progress=progress, **options
        )
        results = [result for _, result in translated]
        if batch and samples is None and results:
            return torch.stack(results) if isinstance(image, Tensor) else np.stack(results)
        return results if many else results[0]

    def stream(
        self,
        sources: Iterable[Any] | str | os.PathLike[str],
        *,
        to: str | None = None,
        samples: int | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        progress: bool = False,
        on_error: Literal["raise", "give"] = "raise",
        **options: Any,
    ) -> Iterator[tuple[Any, Any]]:
        """Translate thousands of images in flat memory: an iterator of (source, result), in order.

        Args:
            sources: images, read when their turn comes; or a folder or glob.
            on_error: "give" puts the ImageError of an unreadable image in the place of its result and goes on.

        The other arguments, results and errors are those of a call; mistakes in them are raised here, at once.
        """
        if isinstance(sources, (str, os.PathLike)):
            sources = find_images(sources)
        target = self._target(to, from_nothing=False)
        plain, each = self._options(options)
        if hasattr(sources, "__len__"):  # of others it is known when one is there that has no value
            count = len(sources)  # type: ignore[arg-type]
            for option in each.values():
                option.check_count(count)
        alone = isinstance(sources, (list, tuple)) and len(sources) == 1
        if progress and alone and "progress" in self.method.translate_options():
            plain["progress"], progress = True, False  # of the steps: one bar at a time, the one that moves
        check_numbers(seed, samples=samples, batch_size=batch_size)
        if samples is not None and not self.method.samples:
            raise ConfigError(f"method {self.name!r} has one answer for each image; leave samples out.")
        return self._stream(sources, target, samples, seed, batch_size, progress, on_error == "give", plain, each)

    def _stream(
        self,
        sources: Iterable[Any],
        to: str,
        samples: int | None,
        seed: int,
        batch_size: int | None,
        progress: bool,
        tolerant: bool,
        plain: dict[str, Any],
        each: dict[str, PerImage],
    ) -> Iterator[tuple[Any, Any]]:
        def run(rows: list[Row]) -> list[Any]:
            return self._run(rows, to, seed, plain)

        reader = self._read(sources, to, each, tolerant)
        done = in_batches(reader, samples or 1, batch_size, run)
        for item, results in tracked(done, sources) if progress else done:
            yield item.source, item.error or (results[0] if samples is None else results)

    def _read(self, sources: Iterable[Any], to: str, each: dict[str, PerImage], tolerant: bool) -> Iterator[Item]:
        channels = self.method.channels[str(self.directions[to])]
        alone = isinstance(sources, list) and len(sources) == 1
        for index, source in enumerate(sources):
            try:
                image, form = read(source, channels, name="the image" if alone else f"image {index}")
                yield Item(index, source, image, form, {k: option.at(index) for k, option in each.items()})
            except ImageError as error:
                if not tolerant:
                    raise
                yield Item(index, source, error=error)

    def _run(self, rows: list[Row], to: str, seed: int, plain: dict[str, Any]) -> list[Any]:
        """Translate or generate rows of one shape and give each back in its image's form."""
        device, dtype = self.device, self.dtype
        image = torch.stack([p.image.to(device, dtype) for p, _ in rows])
        names = rows[0][0].options
        options = {k: stacked([p.options[k] for p, _ in rows], device, dtype) for k in names}
        seeds = [derive_seed(seed, p.index, j) for p, j in rows]
        try:
            with modes_kept(self.method), torch.inference_mode():
                self.method.eval()
                if self.directions[to] is None:
                    size = (image.shape[-2], image.shape[-1])
                    output = self.method.generate_at(size, to=to, seeds=seeds, **plain, **options)
                else:
                    output = self.method(image, to=to, seeds=seeds, **plain, **options)
        except RuntimeError as error:
            if isinstance(error, I2IZooError) or "memory" not in str(error):
                raise
            pixels = " x ".join(map(str, image.shape[-2:]))
            raise ImageError(
                f"{len(rows)} of {pixels} pixels, the first {name_of(rows[0][0])}, do not fit into the memory of "
                f"{device}; use a smaller batch_size or image, or another device."
            ) from error
        output = output.float().cpu()  # and cloned: what leaves inference mode must serve in autograd, too
        return [give_result(row.clone(), p) for row, (p, _) in zip(output, rows, strict=True)]

    def read(self, image: Any, domain: str) -> Tensor:
        """An image as the method sees those of a domain: C x H x W, float32, in [-1, 1]."""
        return read(image, self.method.channels[domain])[0]

    def target(self, to: str | None) -> str:
        """The target domain that `to` names; None: the first.

        Raises:
            UnknownNameError: it translates to no such domain.

        >>> import i2izoo
        >>> i2izoo.load("cyclegan-facades").target(None)
        'photo'
        """
        if to is None:
            return next(iter(self.directions))
        if to not in self.directions:
            allowed = listing(f"{to!r} (from {source or 'nothing'!r})" for to, source in self.directions.items())
            raise UnknownNameError(
                f"{self.name!r} does not translate to {to!r}{suggest(to, self.directions) or ';'} Allowed: {allowed}."
            )
        return to

    def _target(self, to: str | None, *, from_nothing: bool) -> str:
        """`target`, of the directions with a source or of those without.

        Raises:
            ConfigError: it has none of these, and the other call is meant.
        """
        can = [target for target, source in self.directions.items() if (source is None) == from_nothing]
        target = can[0] if to is None and can else self.target(to)
        if target in can:
            return target
        if from_nothing:
            raise ConfigError(
                f"{self.name!r} makes {target!r} of an image of {self.directions[target]!r}, and nothing from nothing: "
                "call model(image), or `i2izoo translate`."
            )
        raise ConfigError(
            f"{self.name!r} makes {target!r} from nothing and translates no image: call model.generate(4), or "
            "`i2izoo generate`; an image to start from, where the method can, is an option of that."
        )

    def _options(
        self, options: dict[str, Any], *, from_nothing: bool = False
    ) -> tuple[dict[str, Any], dict[str, PerImage]]:
        """Check the method's own options, and tell plain values from what may be one for each image."""
        allowed = self.method.generate_options() if from_nothing else self.method.translate_options()
        plain: dict[str, Any] = {}
        each: dict[str, PerImage] = {}
        for name, value in options.items():
            if name not in allowed:
                known = ["to", "size" if from_nothing else "samples", "seed", "batch_size", "progress", *allowed]
                raise ConfigError(
                    f"{'generating' if from_nothing else 'translating'} with {self.name!r} has no option {name!r}"
                    f"{suggest(name, allowed) or ';'} Allowed: {listing(known)}."
                )
            annotation, default = allowed[name].annotation, allowed[name].default
            if value is not None and (role := role_of(annotation)):
                each[name] = PerImage.of(name, role, value, self.method.classes)
                continue
            plain[name] = value.item() if isinstance(value, np.generic) else value
            if value is not default and not matches(plain[name], annotation):
                raise OptionTypeError(
                    f"option {name!r} of {self.name!r} wants {describe_type(annotation)}, found {value!r}."
                )
        return plain, each

    # --------------------------------------------------------------------------------------------------- generating

    @overload
    def generate(self, count: int = 1, *, output: Literal["pil"] = "pil", **options: Any) -> list[Image.Image]: ...
    @overload
    def generate(self, count: int = 1, *, output: Literal["array"], **options: Any) -> np.ndarray: ...
    @overload
    def generate(self, count: int = 1, *, output: Literal["tensor"], **options: Any) -> Tensor: ...
    def generate(
        self,
        count: int = 1,
        *,
        to: str | None = None,
        size: int | Sequence[int] | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        progress: bool = False,
        output: Literal["pil", "array", "tensor"] = "pil",
        **options: Any,
    ) -> Any:
        """Make images from nothing, by a model that `directions` names no source for.

        Args:
            count: how many.
            to: target domain; None: the first that has no source.
            size: side, or height and width, in pixels; None: that of an image among the options (`start=`), otherwise
                the network's own, otherwise the one that the model was trained at. Any size works that the memory
                holds; the network makes the next larger that it can, which is cropped.
            seed: image i is a function of (seed, i), never of `count` or the batch.
            batch_size: images that are made together; None: as many as make about a megapixel, at most 16.
            progress: show a progress bar on stderr.
            output: "pil" gives a list of PIL images, "array" N x H x W x C uint8, "tensor" N x C x H x W in [-1, 1].
            options: the method's own (`steps=20`), as of a call: an image (`start=`), latent, label or text is one for
                all, or a list with one for each.

        Raises:
            ConfigError: the model translates, has no such option, or no size of its own.
            UnknownNameError: `to` is no target domain.

        >>> import i2izoo
        >>> unet = {"name": "unet2d", "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4}
        >>> model = i2izoo.create("ddim", task="generation", domains=["photo"], generator=unet)
        >>> [image.size for image in model.generate(2, size=(16, 24), steps=2)]
        [(24, 16), (24, 16)]
        """
        check_numbers(seed, count=count)
        stream = self.generate_stream(
            range(count), to=to, size=size, seed=seed, batch_size=batch_size, progress=progress, output=output,
            **options,
        )  # fmt: skip
        made = [image for _, image in stream]
        return made if output == "pil" else np.stack(made) if output == "array" else torch.stack(made)

    def generate_stream(
        self,
        places: Iterable[int],
        *,
        to: str | None = None,
        size: int | Sequence[int] | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        progress: bool = False,
        output: Literal["pil", "array", "tensor"] = "pil",
        **options: Any,
    ) -> Iterator[tuple[int, Any]]:
        """Generate thousands of images in flat memory: an iterator of (place, image), in order.

        Args:
            places: which of the images of this seed: `range(1000)` are those of `generate(1000)`, and `[7]` is the
                eighth of them.

        The other arguments, results and errors are those of `generate`; mistakes in them are raised here, at once.
        """
        target = self._target(to, from_nothing=True)
        plain, each = self._options(options, from_nothing=True)
        check_numbers(seed, batch_size=batch_size)
        if output not in FORMS:
            raise OptionTypeError(f"output is one of {listing(FORMS)}; found {output!r}.")
        if isinstance(places, range):
            for option in each.values():
                option.check_count(len(places))
        own = self.native_size
        images = [name for name, option in each.items() if option.role is Role.IMAGE]
        if size is None and own is None and not images:
            raise ConfigError(
                f"{self.name!r} was not trained and has no size of its own; give size=64, or size=(height, width)."
            )
        if progress and isinstance(places, range) and len(places) == 1 and "progress" in self.method.generate_options():
            plain["progress"], progress = True, False
        given = None if size is None else sides(size)

        def canvas(place: int) -> Item:
            options = {name: option.at(place) for name, option in each.items()}
            of_images = [v.shape[-2:] for k in images if isinstance(v := options[k], Tensor)]
            height, width = given or (of_images[0] if of_images else own)  # type: ignore[misc]  # one of them is there
            return Item(place, place, torch.empty(0, height, width), FORMS[output], options)

        done = in_batches(map(canvas, places), 1, batch_size, lambda rows: self._run(rows, target, seed, plain))
        results = tracked(done, places, "generating") if progress else done
        return ((item.index, images[0]) for item, images in results)

    # ------------------------------------------------------------------------------------------------------ keeping

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, dtype: torch.dtype | None = None, card: str | None = None
    ) -> Path:
        """Write config.json, model.safetensors and README.md, which `load` and the Hub understand.

        Args:
            folder: created if missing.
            dtype: store weights as this (`torch.float16` halves the file); None keeps them.
            card: text of README.md; None renders it from the config.
        """
        return self._save(folder, dtype, card, Path(folder).resolve().name)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        commit_message: str | None = None,
    ) -> str:
        """Upload to the Hub repository `repo_id`, created if missing; returns the address of the commit.

        Args:
            repo_id: `"user/repo"`.
            private: of a repository that is created; None: the account's default.
            token: None uses the one that `hf auth login` stored.
            revision: branch; None: main.
            create_pr: open a pull request instead of committing.
            commit_message: None: says what was uploaded.

        Raises:
            HubError: the Hub refuses or cannot be reached.
        """
        from i2izoo.files import hub

        with tempfile.TemporaryDirectory() as folder:
            self._save(folder, None, None, repo_id)
            return hub.push_folder(
                folder,
                repo_id,
                method=self.name,
                private=private,
                token=token,
                revision=revision,
                create_pr=create_pr,
                commit_message=commit_message,
            )

    def _save(self, folder: str | os.PathLike[str], dtype: torch.dtype | None, card: str | None, name: str) -> Path:
        from i2izoo.models import cards

        base = storage.method_config(self.method, self.name)
        facts = {k: v for k, v in self.config.items() if k not in base}
        if card is None:
            card = cards.render_card({**base, **facts}, name=name)
        return storage.save_folder(self.method, folder, name=self.name, card=card, dtype=dtype, **facts)
