"""Load, create and call: images in, images out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooWarning, UnknownNameError
from i2izoo.images.batching import in_batches
from i2izoo.images.reading import read
from i2izoo.images.types import check_depth, sides
from i2izoo.images.writing import find_images
from i2izoo.models import storage
from i2izoo.models.building import build
from i2izoo.models.call_options import check_numbers, check_own_options
from i2izoo.models.features import chosen, find_layers, layers_of, recorded
from i2izoo.models.generating import Generating
from i2izoo.models.locate import locate
from i2izoo.models.running import gathered, read_items, run, tracked
from i2izoo.models.starting import Start
from i2izoo.nn.device import find_device, find_dtype

if TYPE_CHECKING:
    from i2izoo.models.backends.attached import Backend
    from i2izoo.models.exporting import Exported

FAR_LARGER = 8
"""An image of more than so many times the pixels that a model has learned from is worth a warning."""


def load(
    name_or_path: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    backend: Backend | None = None,
    compile: bool = False,
) -> Translator:
    """Load a trained translator.

    Args:
        name_or_path: what exists as a pretrained folder goes first: `"./folder"`, any path, a training checkpoint;
            then a pretrained entry (`i2izoo.list_models(pretrained=True)`); then a Hub repository `"user/repo"`,
            `"user/repo@revision"` or `"hf-hub:user/repo@revision"`. A folder or repository of diffusers
            (`model_index.json`) is one, too: docs/methods/diffusers.md.
        revision: branch, tag or commit of a Hub repository.
        token: for private repositories; None uses the one that `hf auth login` stored, False none.
        cache_dir: where downloads lie; None: the Hub's own cache, and that of i2izoo for what other places publish.
        local_files_only: never ask the network.
        device: "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest there is; None: the CPU.
        dtype: of weights and computation: "fp16", "bf16", or torch's own; None: float32.
        backend: what computes the networks: "onnxruntime" or "openvino" on a CPU, "compile" for PyTorch's compiler,
            "auto" for the one that is faster here, see docs/performance.md; None: PyTorch as it is. The first image
            takes longer, and is compared with PyTorch's.
        compile: the same as `backend="compile"`.

    Raises:
        UnknownNameError: there is no such entry, folder or possible repository; close matches are given.
        StorageError: the folder is incomplete, damaged or of another format.
        HubError: the Hub refuses or cannot be reached.
        ConfigError: a device, type or backend is none, or not installed, or the model has no networks for it.
        DataError: what an entry names elsewhere cannot be fetched, or is not what it was on first use.

    >>> load("no-such-model")
    Traceback (most recent call last):
    ...
    i2izoo.errors.UnknownNameError: there is no pretrained entry, folder or Hub repository 'no-such-model'...
    """
    device, dtype = None if device is None else find_device(device), find_dtype(dtype)
    folder = locate(
        os.fspath(name_or_path), revision, token=token, cache_dir=cache_dir, local_files_only=local_files_only
    )
    method, config = storage.load_folder(folder, dtype)
    model = Translator(method, config).to(device, dtype)
    model.backend = backend = "compile" if compile and backend is None else backend
    if backend is not None:
        from i2izoo.models.backends.attached import attach

        attach(method, backend)
    return model


def create(method: str, *, pretrained: str | os.PathLike[str] | None = None, **options: Any) -> Translator:
    """Make a translator to train: `create("pix2pix", generator="resnet_9blocks", in_channels=1)`.

    Args:
        method: a name of `i2izoo.list_models(pretrained=False)`.
        pretrained: a model of this method whose options and weights it starts with, as `load` takes it; weights that
            only training needs (a discriminator's) come from its folder's `training/`, as an import or a checkpoint has
            it, or stay untrained. None: all is untrained.
        options: the method's own; a part is a name or `{"name": ..., option: value}`.

    Raises:
        UnknownNameError: there is no such method; close matches are given.
        ConfigError: an option is unknown, missing or ill-typed, or `pretrained` is of another method.
        StorageError: `pretrained` cannot be read, or its weights do not fit the options.

    >>> model = create("cyclegan", pretrained="cyclegan-facades", learning_rate=1e-5)
    >>> model.method.config["learning_rate"]
    1e-05
    """
    methods = registry("methods")
    if method not in methods and method in registry("pretrained"):
        raise UnknownNameError(f"{method!r} is a pretrained entry: i2izoo.load({method!r}) gives it, trained.")
    start = None if pretrained is None else Start(pretrained)
    built = build({"name": method, **(options if start is None else start.options(method, options))})
    if start is not None:
        start.load_into(built)
    return Translator(built.eval(), storage.method_config(built, method))


class Translator(Generating):
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
    _said_larger = False

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
        size: int | Sequence[int] | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        depth: Literal[8, 16] | None = None,
        progress: bool = False,
        **options: Any,
    ) -> Any:
        """Translate images; each result has the size and the kind of its input.

        Args:
            image: a path, PIL image, array (H x W or H x W x C; uint8, uint16, bool or float in [0, 1]) or tensor
                (C x H x W or N x C x H x W; float in [-1, 1] or uint8), any size from 1 x 1; a list or another
                iterable of them, mixed as you like; or a folder or glob (`"scans/*.tif"`), which gives the list of its
                images in natural order.
            to: target domain; None: the first of `directions`.
            samples: give a list of so many different translations of each image (methods that can sample).
            size: side, or height and width, in pixels that images are resized to for the translation, whose results are
                scaled back; None: they are translated as they are, and a warning says once where they are far larger
                than what the model has learned from.
            seed: results are a function of (seed, place in the list, number of the sample), never of the batch.
            batch_size: images of one size that run together; None: as many as make about a megapixel.
            depth: bits of each channel of the result, in whole numbers; None: those of the image.
            progress: show a progress bar on stderr.
            options: the method's own (`steps=20`); those that are images (`mask=`) are read as `image` is, and
                may be a list with one for each image; a latent (`latent=`) is a vector, and a text (`prompt=`) a
                string, or a list with one for each image.

        Returns:
            PIL for a path or PIL image, otherwise an array or tensor of the input's dtype, range, layout and device;
            a list for a list, folder or glob. A bool image comes back in 8 bits. What Pillow has no mode for is an
            array H x W x C in the place of a PIL image: 16 bits or float in several channels, which `depth=8`
            avoids, and more than four channels.

        Raises:
            ImageError: an image cannot be used; the message names it.
            UnknownNameError: `to` is no target domain.
            ConfigError: an unknown option, or `samples` where the method cannot.
        """
        sources, many, batch = gathered(image)
        translated = self.stream(
            sources, to=to, samples=samples, size=size, seed=seed, batch_size=batch_size, depth=depth,
            progress=progress, **options,
        )  # fmt: skip
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
        size: int | Sequence[int] | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        depth: Literal[8, 16] | None = None,
        progress: bool = False,
        on_error: Literal["raise", "give"] = "raise",
        names: Sequence[str] | None = None,
        **options: Any,
    ) -> Iterator[tuple[Any, Any]]:
        """Translate thousands of images in flat memory: an iterator of (source, result), in order.

        Args:
            sources: images, read when their turn comes; or a folder or glob.
            on_error: "give" puts the ImageError of an unreadable image in the place of its result and goes on.
            names: one for each image. A result is then a function of (seed, name, number of the sample), not of the
                place in the list, and to the bit the same among whichever other images: batches are of one size for
                all images of one size, and filled up; on a CPU that is 1 where `batch_size` is None.

        The other arguments, results and errors are those of a call; mistakes in them are raised here, at once.
        """
        if isinstance(sources, (str, os.PathLike)):
            sources = find_images(sources)
        target = self._target(to, from_nothing=False)
        plain, each = check_own_options(options, self.method, self.name, from_nothing=False)
        if hasattr(sources, "__len__"):  # of others it is known when one is there that has no value
            count = len(sources)  # type: ignore[arg-type]
            for option in each.values():
                option.check_count(count)
        alone = isinstance(sources, (list, tuple)) and len(sources) == 1
        if progress and alone and "progress" in self.method.translate_options():
            plain["progress"], progress = True, False  # of the steps: one bar at a time, the one that moves
        check_numbers(seed, samples=samples, batch_size=batch_size)
        if names is not None:
            names, sources = list(names), sources if isinstance(sources, (list, tuple)) else list(sources)
            if len(names) != len(sources):
                raise ConfigError(f"there are {len(names)} names for {len(sources)} images; give one for each.")
            if batch_size is None and self.device.type == "cpu":  # which larger ones make no faster
                batch_size = 1
        if samples is not None and not self.method.samples:
            raise ConfigError(f"method {self.name!r} has one answer for each image; leave samples out.")
        check_depth(depth)
        source = str(self.directions[target])
        channels = self.method.image_channels[source]
        items = read_items(
            sources, channels, each, tolerant=on_error == "give", size=None if size is None else sides(size),
            depth=depth, check=self._say_if_far_larger, palette=self.method.label_maps.get(source), names=names,
        )  # fmt: skip
        run_rows = partial(run, self.method, to=target, seed=seed, options=plain)
        done = in_batches(items, samples or 1, batch_size, run_rows, filled=names is not None)
        results = tracked(done, sources) if progress else done
        return ((item.source, item.error or (found[0] if samples is None else found)) for item, found in results)

    def _say_if_far_larger(self, image: Tensor) -> None:
        """Warn once of an image that has far more pixels than what the model has learned from."""
        height, width = image.shape[-2:]
        learned = self.native_size
        if learned is None or self._said_larger or height * width <= FAR_LARGER * learned[0] * learned[1]:
            return
        self._said_larger = True
        warnings.warn(
            f"{self.name!r} has learned from images of {learned[1]} x {learned[0]} pixels, and this one has {width} x "
            f"{height}, which may take long and look unlike them; size={max(learned)} (--size {max(learned)}) "
            "translates at that size.",
            I2IZooWarning,
            stacklevel=2,
        )

    def export(self, path: str | os.PathLike[str], **arguments: Any) -> Exported:
        """Write one direction for ONNX Runtime, a browser, QGIS or C++: `model.export("model.onnx")`.

        The arguments, the result and the errors are those of `i2izoo.models.exporting.export`.
        """
        from i2izoo.models.exporting import export

        return export(self, path, **arguments)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that translating may run, for `features`."""
        return tuple(layers_of(self.method))

    def features(
        self,
        image: Any,
        *,
        layers: str | Sequence[str],
        to: str | None = None,
        seed: int = 0,
        call: int = -1,
        **options: Any,
    ) -> Any:
        """What layers give while an image is translated: layer -> tensor, of the image read and padded as for a call.

        Args:
            image: as of a call: one image, a tensor or array of several of one size, or a list, folder or glob.
            layers: one or more names of `model.layers`.
            to: target domain; None: the first of `directions`.
            seed: of what the method draws, as of a call.
            call: of a layer that runs more than once, as in each step of a diffusion model, which time: 0 is the
                first, -1 the last.
            options: the method's own, as of a call.

        Returns:
            A dict of tensors on the model's device, as the layers give them: the first dimension is the images, 1 for
            one image, where a layer does not have windows or heads there. A list, folder or glob gives a list of dicts.
            Of a layer that gives several tensors, the first.

        Raises:
            UnknownNameError: there is no such layer or target domain; close matches are given.
            ConfigError: a layer is not run on the way to `to`, or not so often, or gives no tensor.
            ImageError: an image cannot be used; the message names it.

        >>> import i2izoo, numpy as np
        >>> model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4})
        >>> model.layers[:3]
        ('generator', 'generator.layers', 'generator.layers.pad_in')
        >>> found = model.features(np.zeros((32, 48, 3), np.uint8), layers=["generator.layers.block1", "generator"])
        >>> {name: tuple(tensor.shape) for name, tensor in found.items()}
        {'generator.layers.block1': (1, 16, 8, 12), 'generator': (1, 3, 32, 48)}
        """
        wanted = find_layers(self.method, layers, self.name)
        target = self._target(to, from_nothing=False)
        plain, each = check_own_options(options, self.method, self.name, from_nothing=False)
        check_numbers(seed)
        found, many, batch = gathered(image)
        sources = list(found)
        for option in each.values():
            option.check_count(len(sources))
        channels = self.method.image_channels[str(self.directions[target])]
        rows = [(item, 0) for item in read_items(sources, channels, each, tolerant=False)]
        given = []
        for together in [rows] if batch else [[row] for row in rows]:
            with recorded(wanted) as calls:
                run(self.method, together, target, seed, plain)
            given.append(chosen(calls, call, target))
        return given if many and not batch else given[0]

    def read(self, image: Any, domain: str) -> Tensor:
        """An image as the method sees those of a domain: C x H x W, float32, in [-1, 1]."""
        return read(image, self.method.image_channels[domain])[0]
