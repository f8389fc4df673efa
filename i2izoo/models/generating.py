"""Images from nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.roles import Role
from i2izoo.errors import ConfigError, OptionTypeError, listing
from i2izoo.images.batching import Item, in_batches
from i2izoo.images.types import Form, check_depth, sides
from i2izoo.models.call_options import check_numbers, check_own_options
from i2izoo.models.model import Model
from i2izoo.models.running import run, tracked

if TYPE_CHECKING:
    from PIL import Image

FORMS = {"pil": Form("pil"), "array": Form("array", np.dtype(np.uint8)), "tensor": Form("tensor", torch.float32)}
"""What `generate` gives, by `output`."""


class Generating(Model):
    """A model that makes images from nothing, where it has a direction without a source."""

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
        depth: Literal[8, 16] | None = None,
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
            depth: bits of each channel, in whole numbers; None: 8, of a tensor float.
            progress: show a progress bar on stderr.
            output: "pil" gives a list of PIL images (of arrays H x W x C for 16 bits in colour, which Pillow does not
                hold), "array" N x H x W x C, "tensor" N x C x H x W in [-1, 1].
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
            range(count), to=to, size=size, seed=seed, batch_size=batch_size, depth=depth, progress=progress,
            output=output, **options,
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
        depth: Literal[8, 16] | None = None,
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
        plain, each = check_own_options(options, self.method, self.name, from_nothing=True)
        check_numbers(seed, batch_size=batch_size)
        if output not in FORMS:
            raise OptionTypeError(f"output is one of {listing(FORMS)}; found {output!r}.")
        check_depth(depth)
        form = FORMS[output].with_depth(depth)
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
            return Item(place, place, torch.empty(0, height, width), form, options=options)

        done = in_batches(map(canvas, places), 1, batch_size, lambda rows: run(self.method, rows, target, seed, plain))
        results = tracked(done, places, "generating") if progress else done
        return ((item.index, images[0]) for item, images in results)
