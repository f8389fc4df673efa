"""Image files that are damaged, odd or hostile, and images of any class: an image comes of each, or one sentence.

A case takes a whole file of one of the formats and spoils it: bytes flipped, cut, doubled or made up, sizes made huge,
checksums mended so that decoders go on, EXIF data of noise, another ending, a name that is no text. Then it is read,
translated in Python and by the command, checked as data, and sampled.
"""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from fuzzing import cases, one_sentence, sensible, sensible_command
from PIL import Image
from tiny import Negative
from torch import Tensor

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.data.check import check_dataset
from i2izoo.data.open import open_dataset
from i2izoo.errors import I2IZooError
from i2izoo.images.reading import to_tensor

LIMIT = 1 << 16
"""Pixels that Pillow takes for a bomb here, to keep the cases small."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of `Negative`."""
    methods = registry("methods")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "_registered", {**methods._registered})
        patch.setattr(Image, "MAX_IMAGE_PIXELS", LIMIT)
        methods.register("fuzzed-negative", Negative)
        yield i2izoo.create("fuzzed-negative").save_pretrained(tmp_path_factory.mktemp("model"))


# ------------------------------------------------------------------------------------------------------- whole files


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def by_pillow(mode: str, ending: str, size: tuple[int, int] = (24, 17), **options: Any) -> bytes:
    image = Image.fromarray(noise(*size, 3)).convert("RGB")
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    if options.pop("exif", False):
        exif = Image.Exif()
        exif[0x0112], exif[0x010E] = 6, "a description"
        options["exif"] = exif
    file = io.BytesIO()
    image.save(file, Image.registered_extensions()[ending], **options)
    return file.getvalue()


def moving(ending: str) -> bytes:
    frames = [Image.fromarray(noise(9, 8 + i, 3)).resize((8, 9)) for i in range(3)]
    file = io.BytesIO()
    frames[0].save(file, Image.registered_extensions()[ending], save_all=True, append_images=frames[1:])
    return file.getvalue()


def tiff(*shape: int, dtype: Any = np.uint16, **options: Any) -> bytes:
    values = noise(*shape, dtype=np.uint16)
    values = (values / 65535).astype(dtype) if np.dtype(dtype).kind == "f" else values.astype(dtype)
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def deep_png() -> bytes:
    """16 bits in three channels."""
    rows = np.insert(noise(9, 8 * 6), 0, 0, axis=1).tobytes()
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 8, 9, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def whole_files() -> list[tuple[str, bytes]]:
    """Ending and content of a file of each kind."""
    made: list[tuple[str, bytes]] = [(".png", deep_png())]
    made += [(".png", by_pillow(mode, ".png")) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
    made += [(".png", by_pillow("P", ".png", transparency=3)), (".png", by_pillow("RGB", ".png", exif=True))]
    made += [(".jpg", by_pillow(mode, ".jpg", exif=exif)) for mode in ("L", "RGB", "CMYK") for exif in (False, True)]
    made += [(".jpg", by_pillow("RGB", ".jpg", progressive=True))]
    packed = ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "zstd")
    made += [(".tif", by_pillow("RGB", ".tif", compression=c)) for c in packed]
    made += [(".tif", by_pillow(mode, ".tif", exif=True)) for mode in ("1", "L", "P", "RGBA", "CMYK", "I;16", "F")]
    made += [(".tif", by_pillow("1", ".tif", compression=c)) for c in ("group3", "group4")]
    for planes in ("contig", "separate"):
        shape = (9, 8, 3) if planes == "contig" else (3, 9, 8)
        made += [(".tif", tiff(*shape, photometric="rgb", planarconfig=planes))]
    made += [(".tif", tiff(9, 8, 6, dtype=t, photometric="minisblack", planarconfig="contig", compression="zlib"))
             for t in (np.uint8, np.uint16, np.float32, np.int32, np.float16)]  # fmt: skip
    made += [
        (".tif", tiff(3, 9, 8, photometric="minisblack")),
        (".tif", tiff(9, 8, 3, photometric="rgb", bigtiff=True)),
    ]
    made += [(".webp", by_pillow(mode, ".webp", lossless=lossless)) for mode in ("RGB", "RGBA") for lossless in (0, 1)]
    made += [(ending, moving(ending)) for ending in (".gif", ".webp", ".png", ".tif")]
    made += [(".gif", by_pillow(mode, ".gif")) for mode in ("1", "L", "P")]
    made += [(".bmp", by_pillow(mode, ".bmp")) for mode in ("1", "L", "P", "RGB", "RGBA")]
    made += [(".ppm", by_pillow("RGB", ".ppm")), (".pgm", by_pillow("L", ".ppm")), (".pgm", by_pillow("I;16", ".ppm"))]
    return [*made, (".ppm", b"P6 2 1 65535\n" + bytes(range(12))), (".ppm", b"P3 2 1 300\n" + b"1 2 300 4 5 6")]


# ----------------------------------------------------------------------------------------------------------- damages


def flipped(data: bytearray, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 3, 20))):
        data[draw.randrange(len(data))] = draw.choice((0, 255, draw.randrange(256)))


def flipped_head(data: bytearray, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 2, 5))):
        data[draw.randrange(min(len(data), 64))] = draw.choice((0, 1, 127, 255, draw.randrange(256)))


def flipped_tail(data: bytearray, draw: random.Random) -> None:  # where a TIFF has its tags
    for _ in range(draw.choice((1, 2, 5))):
        data[-1 - draw.randrange(min(len(data), 200))] = draw.choice((0, 1, 2, 255, draw.randrange(256)))


def cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def hollow(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    data[at : at + 32] = bytes(len(data[at : at + 32]))


def doubled(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    data[at:at] = data[at : at + draw.randrange(1, 64)]


def garbled(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    data[at:at] = draw.randbytes(draw.randrange(1, 64))


def appended(data: bytearray, draw: random.Random) -> None:
    data += draw.randbytes(draw.randrange(1, 2000))


def spliced(data: bytearray, draw: random.Random) -> None:
    other = draw.choice(whole_files())[1]
    at = draw.randrange(min(len(data), len(other)))
    data[at:] = other[at:]


def huge(data: bytearray, draw: random.Random) -> None:
    """Sizes that no memory holds, where formats have them."""
    side = draw.choice((0, 1, 300, 5000, 65535, 2**31 - 1, 2**32 - 1))
    if data[:4] == b"\x89PNG":
        struct.pack_into(">II", data, 16, side, draw.choice((1, side)))
    elif data[:3] == b"GIF":
        struct.pack_into("<HH", data, 6, side & 65535, draw.choice((1, side & 65535)))
    elif data[:2] == b"BM":
        struct.pack_into("<II", data, 18, side, draw.choice((1, side)))
    elif data[:2] == b"\xff\xd8" and (at := data.find(b"\xff\xc0")) > 0:
        struct.pack_into(">HH", data, at + 5, side & 65535, side & 65535)
    elif data[:4] == b"II*\0":
        for tag in (256, 257, 258, 277, 278, 279, 338):
            if draw.random() < 0.4 and (at := data.find(struct.pack("<HH", tag, 4))) > 0:
                struct.pack_into("<I", data, at + 8, side)
            if draw.random() < 0.4 and (at := data.find(struct.pack("<HH", tag, 3))) > 0:
                struct.pack_into("<H", data, at + 8, side & 65535)
    elif data[:1] == b"P":
        data[:] = data.replace(b"24", str(side).encode(), 1).replace(b"17", str(side).encode(), 1)
    else:
        flipped_head(data, draw)


def exif_of_noise(data: bytearray, draw: random.Random) -> None:
    exif = (
        b"Exif\0\0" + draw.choice((b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"")) + draw.randbytes(draw.randrange(200))
    )
    if data[:2] == b"\xff\xd8":
        data[2:2] = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    elif data[:4] == b"\x89PNG":
        data[33:33] = chunk(b"eXIf", exif[6:])
    else:
        flipped(data, draw)


DAMAGES: list[Callable[[bytearray, random.Random], None]] = [
    flipped, flipped_head, flipped_tail, cut, hollow, doubled, garbled, appended, spliced, huge, exif_of_noise,
]  # fmt: skip


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what is in them now, so that the decoder goes on."""
    whole, at = data[:8], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        whole += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return whole + data[at:]


def spoilt(draw: random.Random) -> tuple[str, bytes]:
    """Ending and content of a file that may be anything."""
    ending, content = draw.choice(whole_files())
    data = bytearray(content)
    for damage in draw.choices(DAMAGES, k=draw.choice((1, 1, 2, 4))):
        if data:
            damage(data, draw)
    if data[:4] == b"\x89PNG" and draw.random() < 0.7:
        data = bytearray(with_checksums(bytes(data)))
    return draw.choice(whole_files())[0] if draw.random() < 0.05 else ending, bytes(data)


# -------------------------------------------------------------------------------------------------------------- cases

STEMS = ("image", "a b", "=1+1", "\x1b[31mred", "two\nlines", os.fsdecode(b"half \xff"), "ü")


@cases(110, slow=700)
def test_files(seed: int, model: Path, tmp_path: Path) -> None:
    draw = random.Random(seed)
    ending, content = spoilt(draw)
    path = tmp_path / "data" / "photo" / f"{draw.choice(STEMS)}{ending}"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    for channels in (None, draw.choice((1, 2, 3, 4, 6))):
        found = sensible(lambda channels=channels: to_tensor(path, channels))
        assert isinstance(found, I2IZooError) or in_range(found, channels)
    translator = i2izoo.load(model)
    found = sensible(lambda: translator(path))
    size = None if isinstance(found, I2IZooError) else np.asarray(found).shape
    assert size is None or len(size) == 3
    code = sensible_command("translate", model, path, "-o", tmp_path / "out")
    written = list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else []
    assert (code, len(written)) == ((2, 0) if size is None else (0, 1))
    if size is not None:
        assert to_tensor(written[0], 3).shape[1:] == size[:2]

    sensible_command("data", "check", path.parent, "--kind", "single")
    report = sensible(lambda: check_dataset(path.parent, kind="single"))
    for problem in str(report).splitlines()[1:]:
        one_sentence(problem)
    sensible(lambda: open_dataset(path.parent, kind="single", crop_size=4, load_size=6, channels=3).sample(0, seed))
    sides = sensible(lambda: open_dataset(path.parent, sides=["a", "b"]))
    if not isinstance(sides, I2IZooError):
        sensible(lambda: sides.sample(0, seed))


def in_range(image: Tensor, channels: int | None) -> bool:
    return image.ndim == 3 and channels in (None, len(image)) and bool((image.abs() <= 1.0001).all())


@cases(30, slow=150)
def test_images_of_any_class(seed: int, model: Path) -> None:
    draw = random.Random(seed)
    translator = i2izoo.load(model)
    image = odd_image(draw)
    options = {"depth": draw.choice((8, 16))} if draw.random() < 0.3 else {}
    found = sensible(lambda: translator(image, **options))
    if isinstance(image, Image.Image) and not isinstance(found, I2IZooError):
        assert np.asarray(found).shape[:2] == (image.height, image.width)


def odd_image(draw: random.Random) -> Any:
    """A PIL image, array, tensor or anything else, of any mode, type and shape."""
    height, width = draw.choice((0, 1, 1, 5, 16)), draw.choice((1, 1, 7, 33))
    kind = draw.randrange(4)
    if kind == 0:
        mode = draw.choice(Image.MODES)
        image = (
            Image.new(mode, (width, height)) if draw.random() < 0.3 else Image.effect_noise((width, height or 1), 90)
        )
        try:
            image = image.convert(mode)
        except ValueError:
            image = image.convert("RGB")
        image.info = draw.choice(({}, {"transparency": 3}, {"transparency": b"\0\1"}, {"exif": draw.randbytes(40)}))
        return image
    if kind == 1:
        shape = draw.choice(((height, width), (height, width, draw.choice((0, 1, 2, 3, 4, 7))), (width,), (1, 1, 1, 1)))
        dtype = draw.choice(("u1", "u2", ">u2", "i4", "f2", "f4", "f8", "?", "c8", "S3", "O", "M8[s]"))
        array = (np.random.default_rng(draw.randrange(1000)).random(shape) * draw.choice((0.5, 1, 300))).astype(dtype)
        if array.dtype.kind == "f" and array.size and draw.random() < 0.3:
            array.flat[0] = draw.choice((np.nan, np.inf, -np.inf, 1e4))
        return array[..., ::-1] if array.ndim and draw.random() < 0.3 else array
    if kind == 2:
        shape = draw.choice(((3, height, width), (2, 3, height, width), (height, width), (4, height, width), (3, 0, 0)))
        dtype = draw.choice(
            (torch.uint8, torch.uint16, torch.bool, torch.float16, torch.float32, torch.int64, torch.complex64)
        )
        return (
            torch.rand(shape, generator=torch.Generator().manual_seed(draw.randrange(99))) * draw.choice((1, 9))
        ).to(dtype)
    return draw.choice(
        (
            None,
            3,
            b"bytes",
            "",
            ".",
            "\0",
            "no/such.png",
            "*",
            "[",
            "~",
            "a" * 5000,
            object(),
            {"a": 1},
            [],
            [[]],
            [None],
        )
    )
