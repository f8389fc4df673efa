"""Reading, writing and scaling images. Expected values are closed forms, Pillow's own, or hand-made files."""

import logging
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from i2izoo.errors import ImageError, WriteError
from i2izoo.images import reading
from i2izoo.images.reading import read, to_tensor
from i2izoo.images.writing import find_images, give_back, grid, resize, save, to_array, to_pil
from i2izoo.nn.padding import pad_to_valid

SIZES = [(1, 1), (1, 7), (5, 3), (33, 65)]  # height, width


def noise(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def as_8_bits(tensor):
    """The inverse of the value map, written independently of the code under test."""
    return np.clip(np.rint((tensor.numpy().astype(np.float64) + 1) * 127.5), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def png(array, depth=16):
    """A PNG file by hand: Pillow cannot write 16-bit colour."""
    height, width, channels = array.shape
    rows = b""
    for row in array.astype(">u2").view(np.uint8).reshape(height, width, 2 * channels):
        rows += b"\1" + np.diff(row, axis=0, prepend=np.zeros_like(row[:1])).tobytes()  # the filter "Sub"

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(array, order):
    """An uncompressed TIFF of 16-bit colour by hand, with bytes in either order."""
    height, width, channels = array.shape
    data = array.astype(f"{order}u2").tobytes()
    bits_at, extra = 8 + len(data), [(338, 3, 2)] if channels == 4 else []  # the fourth is unassociated alpha
    entries = [(256, 3, width), (257, 3, height), (258, 3, None), (259, 3, 1), (262, 3, 2), (273, 4, 8)]
    entries += [(277, 3, channels), (278, 3, height), (279, 4, len(data)), *extra]
    rows = b""
    for tag, kind, value in entries:
        if tag == 258:
            rows += struct.pack(f"{order}HHII", tag, kind, channels, bits_at)
        elif kind == 3:
            rows += struct.pack(f"{order}HHIHH", tag, kind, 1, value, 0)
        else:
            rows += struct.pack(f"{order}HHII", tag, kind, 1, value)
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, bits_at + len(bits))
    return head + data + bits + struct.pack(f"{order}H", len(entries)) + rows + bytes(4)


# ------------------------------------------------------------------------------------------------- values and modes


def test_values_are_the_closed_form():
    image = to_tensor(np.array([[0, 51, 102, 255]], np.uint8))
    assert image.shape == (1, 1, 4)
    torch.testing.assert_close(image[0, 0], torch.tensor([-1.0, -0.6, -0.2, 1.0]))
    image = to_tensor(np.array([[0, 13107, 65535]], np.uint16))
    torch.testing.assert_close(image[0, 0], torch.tensor([-1.0, -0.6, 1.0]))
    torch.testing.assert_close(to_tensor(np.array([[0.0, 0.25, 1.0]])), torch.tensor([[[-1.0, -0.5, 1.0]]]))
    torch.testing.assert_close(to_tensor(np.array([[False, True]])), torch.tensor([[[-1.0, 1.0]]]))


def test_every_8_and_16_bit_value_survives_the_round_trip():
    for dtype in (np.uint8, np.uint16):
        values = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(-1, 16)
        assert np.array_equal(to_array(to_tensor(values), dtype)[..., 0], values)


def test_every_number_of_half_precision_survives_the_round_trip():
    numbers = np.arange(0x3C01, dtype=np.uint16).view(np.float16)[None]  # 0 to 1
    assert numbers[0, -1] == 1
    assert np.array_equal(give_back(*read(numbers)), numbers)


def test_rounding_is_to_the_nearest_and_clamps():
    image = torch.tensor([[[-3.0, -1.0, -0.999, -0.995, 0.99, 1.0, 3.0]]])
    assert to_array(image)[0, :, 0].tolist() == [0, 0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
)
def test_every_8_bit_mode_reads_as_pillow_converts_it(mode, size):
    bands = {"L": 1, "1": 1, "P": 3, "PA": 4, "LA": 2, "La": 2}.get(mode)
    if mode == "P":
        image = Image.fromarray(noise(*size, 3)).quantize(16)
    elif mode == "PA":
        image = Image.fromarray(noise(*size, 3)).quantize(16).convert("PA")
    elif mode in ("La", "RGBa"):
        opaque = noise(*size, {"La": 2, "RGBa": 4}[mode])
        opaque[..., -1] = 255  # premultiplied by anything else, the colours lose bits
        image = Image.fromarray(opaque, {"La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    else:
        bands = bands or len(Image.new(mode, (1, 1)).getbands())
        data = noise(*size, bands) if bands > 1 else noise(*size)
        image = Image.fromarray(data).convert("1") if mode == "1" else Image.frombytes(mode, size[::-1], data.tobytes())
    grey = mode in ("1", "L", "LA", "La")
    opaque = {"PA": "RGBA", "RGBa": "RGBA", "La": "LA"}.get(mode, mode)
    expected = image.convert(opaque).convert("RGB")
    found = to_tensor(image, channels=3)
    assert found.dtype == torch.float32
    assert np.array_equal(as_8_bits(found), np.array(expected))
    assert to_tensor(image).shape == (1 if grey else 3, *size)


def test_alpha_is_left_out_unless_asked_for():
    pixels = noise(3, 4, 4)
    image = Image.fromarray(pixels, "RGBA")
    assert np.array_equal(as_8_bits(to_tensor(image)), pixels[..., :3])  # not blended with any background
    assert np.array_equal(as_8_bits(to_tensor(image, 4)), pixels)
    assert to_tensor(image.convert("LA")).shape == (1, 3, 4)
    assert to_tensor(image.convert("LA"), 2).shape == (2, 3, 4)


def test_transparent_palette_and_colour_key(tmp_path):
    image = Image.fromarray(noise(4, 5, 3)).quantize(8)
    image.info["transparency"] = 0
    image.save(tmp_path / "p.png")
    assert np.array_equal(as_8_bits(to_tensor(tmp_path / "p.png")), np.array(image.convert("RGBA"))[..., :3])


def test_luma_is_that_of_bt_601():
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    expected = torch.tensor([0.299, 0.587, 0.114, 1.0]) * 2 - 1
    torch.testing.assert_close(to_tensor(colours, 1)[0, 0], expected)
    image = Image.fromarray(noise(9, 9, 3))
    difference = as_8_bits(to_tensor(image, 1))[..., 0].astype(int) - np.array(image.convert("L"))
    assert abs(difference).max() <= 1  # Pillow's is the same sum in fixed point


def test_grey_repeats_to_three_channels():
    image = to_tensor(noise(4, 3), 3)
    assert torch.equal(image[0], image[1])
    assert torch.equal(image[0], image[2])


# ---------------------------------------------------------------------------------------------------------- 16 bits


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("size", SIZES)
def test_16_bit_grey_files_keep_every_bit(tmp_path, ending, size):
    values = noise(*size, dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{ending}")
    image, form = read(tmp_path / f"a.{ending}")
    expected = torch.from_numpy(values.astype(np.float64) / 32767.5 - 1)
    torch.testing.assert_close(image[0].double(), expected, atol=1e-7, rtol=0)
    returned = give_back(image, form)
    assert returned.mode == "I;16"
    assert np.array_equal(np.array(returned), values)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bit_colour_png_keeps_every_bit(tmp_path, channels):
    values = noise(5, 4, channels, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png(values))
    colours = channels - (channels in (2, 4))
    assert np.array_equal(to_array(to_tensor(tmp_path / "a.png"), np.uint16), values[..., :colours])
    assert np.array_equal(to_array(to_tensor(tmp_path / "a.png", channels), np.uint16), values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_tiff_keeps_every_bit(tmp_path, channels, order):
    values = noise(5, 4, channels, dtype=np.uint16)
    (tmp_path / "a.tif").write_bytes(tiff(values, order))
    assert np.array_equal(to_array(to_tensor(tmp_path / "a.tif", channels), np.uint16), values)
    assert np.array_equal(to_array(to_tensor(tmp_path / "a.tif"), np.uint16), values[..., :3])


def test_16_bit_colour_that_pillow_would_cut_is_refused(tmp_path):
    (tmp_path / "deep.ppm").write_bytes(b"P6 1 1 65535\n" + bytes(range(6)))
    with pytest.raises(ImageError, match=r"deep\.ppm.*8 bits"):
        to_tensor(tmp_path / "deep.ppm")
    (tmp_path / "plain.ppm").write_bytes(b"P6 1 1 255\n" + bytes([0, 51, 255]))
    assert as_8_bits(to_tensor(tmp_path / "plain.ppm")).tolist() == [[[0, 51, 255]]]


def test_modes_i_and_f():
    values = noise(3, 4, dtype=np.uint16)
    image, form = read(Image.fromarray(values.astype(np.int32), "I"))
    assert np.array_equal(to_array(image, np.uint16)[..., 0], values)
    assert give_back(image, form).mode == "I;16"
    big_endian = Image.frombytes("I;16B", (4, 3), values.astype(">u2").tobytes())
    assert np.array_equal(to_array(to_tensor(big_endian), np.uint16)[..., 0], values)
    floats = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    image, form = read(Image.fromarray(floats))
    torch.testing.assert_close(image[0], torch.from_numpy(floats * 2 - 1))
    np.testing.assert_allclose(np.array(give_back(image, form)), floats, atol=1e-7)
    with pytest.raises(ImageError, match="70000"):
        to_tensor(Image.fromarray(np.array([[70000]], np.int32), "I"))
    with pytest.raises(ImageError, match="scale it"):
        to_tensor(Image.fromarray(np.array([[200.0]], np.float32)))


# ------------------------------------------------------------------------------------------------------------- EXIF


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation, ending):
    image = resize(Image.fromarray(noise(3, 5, 3)), (24, 40), "nearest")
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    image.save(path, exif=exif, **({"lossless": True} if ending == "webp" else {}))
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
             7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip
    stored = image
    if ending == "jpg":
        stored = Image.open(path)
        stored.load()
    upright = stored if orientation == 1 else stored.transpose(Image.Transpose[turns[orientation]])
    assert np.array_equal(as_8_bits(to_tensor(path)), np.array(upright))
    assert np.array_equal(as_8_bits(to_tensor(Image.open(path))), np.array(upright))  # PIL images, too
    assert np.array_equal(as_8_bits(to_tensor(path)), np.array(ImageOps.exif_transpose(Image.open(path))))


# ----------------------------------------------------------------------------------------------------- broken files


def one_sentence(error, *words):
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "bmp", "gif", "ppm"])
def test_truncated_files_are_named(tmp_path, ending):
    path = tmp_path / f"cut.{ending}"
    Image.fromarray(noise(64, 64, 3)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError) as error:
        to_tensor(path)
    one_sentence(error, f"cut.{ending}")


def test_truncated_16_bit_colour_is_named(tmp_path):
    data = png(noise(64, 64, 3, dtype=np.uint16))
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError) as error:
        to_tensor(tmp_path / "cut.png")
    one_sentence(error, "cut.png")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"])
def test_unreadable_files_are_named(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(ImageError) as error:
        to_tensor(str(tmp_path / "bad.png"))
    one_sentence(error, "bad.png")


@pytest.mark.parametrize("bug", [AttributeError, TypeError])
def test_a_mistake_of_our_own_is_not_the_files_fault(tmp_path, monkeypatch, bug):
    def broken(*_):
        raise bug("ours")

    Image.new("L", (4, 4)).save(tmp_path / "good.png")
    monkeypatch.setattr(reading, "_read_array", broken)
    with pytest.raises(bug, match="ours"):
        to_tensor(tmp_path / "good.png")


def test_damaged_pil_image_is_named(tmp_path):
    Image.fromarray(noise(64, 64, 3)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"a\.png"):
        to_tensor(Image.open(tmp_path / "a.png"))


@pytest.mark.parametrize("factor", [1.5, 3])  # Pillow warns past its limit and refuses past twice its limit
def test_decompression_bombs_are_refused_and_the_limit_can_be_raised(tmp_path, monkeypatch, recwarn, factor):
    Image.new("L", (60, 60)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(3600 / factor))
    with pytest.raises(ImageError) as error:
        to_tensor(tmp_path / "bomb.png")
    one_sentence(error, "bomb.png", "MAX_IMAGE_PIXELS")
    assert not recwarn.list
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3600)
    assert to_tensor(tmp_path / "bomb.png").shape == (1, 60, 60)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ImageError, match=r"no\.png' does not exist"):
        to_tensor(tmp_path / "no.png")
    with pytest.raises(ImageError, match="is a folder"):
        to_tensor(tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((2, 3, 4, 5), np.uint8), "shape"),
        (np.zeros((0, 3), np.uint8), "empty"),
        (np.zeros((2, 3), np.int64), "int64"),
        (np.full((2, 3), 255.0), "scale"),
        (np.full((2, 3), np.nan), "nan"),
        (torch.full((3, 2, 2), 255.0), "scale"),
        (torch.zeros(2, 3, 4, 4), "shape"),
        (torch.zeros(4, 4), "shape"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "int64"),
        (3, "int"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_image_is_refused(source, message):
    with pytest.raises(ImageError, match=message):
        to_tensor(source)


def test_wrong_channel_counts_are_refused():
    with pytest.raises(ImageError, match=r"5 channels, 3 are wanted"):
        to_tensor(noise(4, 5, 5), 3)
    with pytest.raises(ImageError, match=r"H x W x C"):
        to_tensor(noise(3, 32, 32), 3)
    assert to_tensor(noise(4, 5, 13), 13).shape == (13, 4, 5)


# --------------------------------------------------------------------------------------------------------- give back


@pytest.mark.parametrize("size", SIZES)
def test_sources_come_back_as_they_were(size, tmp_path):
    for array in (noise(*size), noise(*size, 1), noise(*size, 3), noise(*size, 5, dtype=np.uint16)):
        again = give_back(*read(array))
        assert again.dtype == array.dtype
        assert np.array_equal(again, array)
    for dtype in (np.float16, np.float32, np.float64):
        array = (noise(*size, 3) / 255).astype(dtype)
        again = give_back(*read(array))
        assert again.dtype == dtype
        np.testing.assert_allclose(again, array, atol=1e-3 if dtype == np.float16 else 1e-6)
    for tensor in (torch.rand(3, *size) * 2 - 1, torch.rand(1, 2, *size), torch.rand(3, *size).double()):
        again = give_back(*read(tensor))
        assert again.dtype == tensor.dtype
        torch.testing.assert_close(again, tensor, atol=1e-6, rtol=0)
    tensor = torch.from_numpy(noise(3, *size))
    assert torch.equal(give_back(*read(tensor)), tensor)
    for mode in ("L", "RGB"):
        image = Image.fromarray(noise(*size, 3)).convert(mode)
        assert give_back(*read(image)) == image


def test_nan_is_never_written():
    with pytest.raises(ImageError, match="NaN"):
        to_pil(torch.full((3, 2, 2), torch.nan))


def test_to_pil_modes():
    assert [to_pil(torch.zeros(c, 2, 3)).mode for c in (1, 2, 3, 4)] == ["L", "LA", "RGB", "RGBA"]
    with pytest.raises(ImageError, match="to_array"):
        to_pil(torch.zeros(5, 2, 3))
    with pytest.raises(ImageError, match="1 channel"):
        to_pil(torch.zeros(3, 2, 3), "uint16")


# ------------------------------------------------------------------------------------------------------------ saving


def test_save_writes_whole_files(tmp_path):
    image = to_tensor(noise(5, 3, 3))
    path = save(image, tmp_path / "new" / "a.PNG")
    assert np.array_equal(np.array(Image.open(path)), to_array(image))
    assert [p.name for p in path.parent.iterdir()] == ["a.PNG"]
    grey = noise(5, 3, dtype=np.uint16)
    assert np.array_equal(np.array(Image.open(save(to_tensor(grey), tmp_path / "b.png", depth=16))), grey)
    save(image, tmp_path / "c.jpg", quality=50)
    assert Image.open(tmp_path / "c.jpg").format == "JPEG"


def test_a_failed_save_leaves_the_old_file_alone(tmp_path):
    old = save(to_tensor(noise(4, 4)), tmp_path / "a.jpg").read_bytes()
    with pytest.raises(ImageError, match=r"a\.jpg.*RGBA"):
        save(Image.new("RGBA", (4, 4)), tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]


def test_save_refuses_unknown_endings_and_bad_places(tmp_path):
    with pytest.raises(ImageError, match=r"\.xyz"):
        save(torch.zeros(1, 2, 2), tmp_path / "a.xyz")
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"a\.png"):
        save(torch.zeros(1, 2, 2), tmp_path / "file" / "a.png")


# -------------------------------------------------------------------------------------------------- scaling, showing


@pytest.mark.parametrize("name", ["nearest", "box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", SIZES)
def test_resize_of_tensors_agrees_with_pillow_on_8_bits(name, size):
    image = Image.fromarray(noise(16, 12, 3) // 4 + 96)  # far from 0 and 255, where Pillow clamps twice
    expected = image.resize(size[::-1], Image.Resampling[name.upper()])
    assert resize(image, size, name) == expected
    found = to_array(resize(to_tensor(image), size, name))
    assert found.shape == (*size, 3)
    assert abs(found.astype(int) - np.array(expected)).max() <= 1  # Pillow rounds after each of its two passes


def test_resize_refuses_unknown_filters():
    with pytest.raises(ImageError, match="bicubic"):
        resize(torch.zeros(3, 4, 4), (2, 2), "cubic")


@pytest.mark.parametrize("size", [*SIZES, (4, 8), (2, 2)])
@pytest.mark.parametrize("multiple", [1, 4, 256])
def test_padding_is_numpys_reflection(size, multiple):
    image = torch.from_numpy(noise(2, 3, *size))
    tall, wide = (-(-side // multiple) * multiple for side in size)
    pad = [(0, 0), (0, 0), (0, tall - size[0]), (0, wide - size[1])]
    assert np.array_equal(pad_to_valid(image, multiple).numpy(), np.pad(image.numpy(), pad, mode="reflect"))


def test_grid_puts_images_in_their_cells():
    red, blue = Image.new("RGB", (4, 3), "red"), Image.new("RGB", (2, 2), "blue")
    sheet = grid([[red, blue], [blue]], gap=1)
    assert sheet.size == (9, 7)
    assert sheet.getpixel((0, 0)) == (255, 0, 0)
    assert sheet.getpixel((4, 0)) == (255, 255, 255)
    assert sheet.getpixel((5, 0)) == (0, 0, 255)
    assert sheet.getpixel((0, 4)) == (0, 0, 255)
    labelled = grid([[red, blue]], labels=["a", "b"], gap=1)
    assert labelled.height > 3
    assert labelled.getpixel((0, labelled.height - 1)) == (255, 0, 0)
    with pytest.raises(ImageError, match="at least one"):
        grid([])


# ----------------------------------------------------------------------------------------------------------- finding


def test_find_images_in_natural_order(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("10.png", "2.PNG", "1.jpg", "._1.jpg", "notes.txt", "sub/3.png"):
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in find_images(tmp_path)] == ["1.jpg", "2.PNG", "10.png"]
    assert [p.name for p in find_images(f"{tmp_path}/*.png")] == ["10.png"]
    assert [p.name for p in find_images(f"{tmp_path}/**/*.png")] == ["10.png", "3.png"]
    assert find_images(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]  # asked for by name: reading will tell
    with pytest.raises(ImageError, match="does not exist"):
        find_images(tmp_path / "none")
    with pytest.raises(ImageError, match="matches no images"):
        find_images(f"{tmp_path}/*.tif")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="holds no images"):
        find_images(tmp_path / "empty")


# ------------------------------------------------------------------------------------------------------------ silence


def odd_exif():
    """EXIF data that Pillow warns of: a tag whose text lies beyond the end."""
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x010E, 2, 9999, 26) + bytes(4)


def test_decoders_say_nothing_also_in_threads_and_leave_the_filters_alone(tmp_path, recwarn, capfd):
    Image.fromarray(noise(8, 8, 3)).save(tmp_path / "odd.jpg", exif=odd_exif())
    with pytest.warns(UserWarning, match="larger than file|Truncated File Read"):
        Image.open(tmp_path / "odd.jpg").close()
    Image.fromarray(noise(64, 64, 3)).save(tmp_path / "damaged.tif", compression="tiff_deflate")
    data = bytearray((tmp_path / "damaged.tif").read_bytes())
    data[200:260] = bytes(60)
    (tmp_path / "damaged.tif").write_bytes(data)
    before = list(warnings.filters), logging.getLogger("PIL").level

    def read_both(_):
        with pytest.raises(ImageError, match=r"damaged\.tif"):
            to_tensor(tmp_path / "damaged.tif")
        return to_tensor(tmp_path / "odd.jpg").shape

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read_both, range(40))) == {(3, 8, 8)}
    assert (list(warnings.filters), logging.getLogger("PIL").level) == before
    assert not recwarn.list
    assert capfd.readouterr().err == ""
