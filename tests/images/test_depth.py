"""16 bits and many bands, from file to file. What is written is read by Pillow (the upper 8 bits) and tifffile, too."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from i2izoo.errors import I2IZooWarning, ImageError, OptionTypeError
from i2izoo.images import decoding
from i2izoo.images.reading import read, to_tensor
from i2izoo.images.types import Form, check_depth
from i2izoo.images.writing import give_back, save, to_array

SIZES = [(1, 1), (1, 7), (5, 3), (33, 65)]  # height, width


def noise(*shape, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def in_range(values):
    """The closed form of [-1, 1], in double precision."""
    return torch.from_numpy(np.moveaxis(values, -1, 0).astype(np.float64) / (np.iinfo(values.dtype).max / 2) - 1)


# ----------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_of_16_bits_is_what_pillow_reads(tmp_path, size, channels):
    values = noise(*size, channels)
    path = save(values, tmp_path / "a.png")
    Image.open(path).verify()  # checksums
    if channels > 2:
        assert np.array_equal(np.array(Image.open(path)), values >> 8)
    assert path.read_bytes()[24] == 16
    assert np.array_equal(to_array(to_tensor(path, channels), np.uint16), values)  # see test_images


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 13])
def test_a_tiff_of_any_bands_is_read_alike_by_tifffile(tmp_path, channels, dtype):
    values = noise(5, 7, channels, dtype=np.uint8) / np.float32(255)
    values = values if dtype == np.float32 else noise(5, 7, channels, dtype=dtype)
    save(values, tmp_path / "a.tif")
    found = tifffile.imread(tmp_path / "a.tif")
    assert found.dtype == dtype
    assert np.array_equal(found.reshape(values.shape), values)
    again, form = read(tmp_path / "a.tif", channels)
    torch.testing.assert_close(
        again.double(),
        torch.from_numpy(np.moveaxis(values * 2.0 - 1, -1, 0)).double() if dtype == np.float32 else in_range(values),
        atol=1e-7,
        rtol=0,
    )
    assert form.dtype == np.dtype(dtype).name


def test_what_a_format_does_not_hold_is_rounded_or_refused(tmp_path):
    values = noise(5, 7, 3)
    rounded = np.rint(values / 257.0)
    assert np.array_equal(np.array(Image.open(save(values, tmp_path / "a.bmp"))), rounded)
    assert np.array_equal(np.array(Image.open(save(values, tmp_path / "a.png", depth=8))), rounded)
    grey = Image.fromarray(values[..., 0])
    assert np.array_equal(np.array(Image.open(save(grey, tmp_path / "b.bmp"))), rounded[..., 0])
    assert np.array_equal(np.array(Image.open(save(grey, tmp_path / "b.png"))), values[..., 0])
    floats = Image.fromarray((values[..., 0] / 65535).astype(np.float32))
    assert np.array_equal(np.array(Image.open(save(floats, tmp_path / "c.png"))), values[..., 0])
    assert np.array_equal(np.array(Image.open(save(floats, tmp_path / "c.tif"))), np.array(floats))
    with pytest.raises(ImageError, match=r"a\.jpg.*JPEG holds 8 bits"):
        save(values, tmp_path / "a.jpg", depth=16)
    with pytest.raises(ImageError, match=r"a\.png.*5 channels.*\.tif"):
        save(noise(5, 7, 5), tmp_path / "five" / "a.png")
    assert list((tmp_path / "five").iterdir()) == []
    with pytest.raises(ImageError, match="quality"):
        save(values, tmp_path / "d.png", quality=3)
    with pytest.raises(ImageError, match="int64"):
        save(values.astype(np.int64), tmp_path / "d.png")


def test_alpha_of_a_pil_image_is_kept_at_another_depth(tmp_path):
    values = noise(4, 5, 4, dtype=np.uint8)
    save(Image.fromarray(values, "RGBA"), tmp_path / "a.png", depth=16)
    assert np.array_equal(to_array(to_tensor(tmp_path / "a.png", 4), np.uint16), values.astype(np.uint16) * 257)


# ----------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    ("channels", "photometric", "extra"),
    [
        (3, "rgb", []), (4, "rgb", ["unassalpha"]), (4, "rgb", ["unspecified"]), (6, "rgb", ["unspecified"] * 3),
        (2, "minisblack", ["unassalpha"]), (4, "minisblack", ["unspecified"] * 3),
    ],
)  # fmt: skip
def test_every_layout_of_a_tiff(tmp_path, channels, photometric, extra, planar, order):
    for dtype in (np.uint8, np.uint16):
        values = noise(9, 7, channels, dtype=dtype)
        data = values if planar == "contig" else np.moveaxis(values, -1, 0)
        tifffile.imwrite(
            tmp_path / "a.tif", data, photometric=photometric, planarconfig=planar, extrasamples=extra, byteorder=order
        )
        torch.testing.assert_close(
            to_tensor(tmp_path / "a.tif", channels).double(), in_range(values), atol=1e-7, rtol=0
        )
        own = channels - (extra == ["unassalpha"])  # alpha is left out, other bands are not
        torch.testing.assert_close(
            to_tensor(tmp_path / "a.tif").double(), in_range(values[..., :own]), atol=1e-7, rtol=0
        )
        if photometric == "rgb":
            torch.testing.assert_close(
                to_tensor(tmp_path / "a.tif", 3).double(), in_range(values[..., :3]), atol=1e-7, rtol=0
            )


def test_white_may_be_zero(tmp_path):
    for dtype in (np.uint8, np.uint16):
        values = noise(5, 4, dtype=dtype)
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite")
        expected = in_range(np.iinfo(dtype).max - values[..., None])
        torch.testing.assert_close(to_tensor(tmp_path / "a.tif").double(), expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_bands_are_turned_as_colours_are(tmp_path, orientation):
    values = noise(4, 6, 5)
    tifffile.imwrite(
        tmp_path / "bands.tif", values, photometric="minisblack", planarconfig="contig",
        extratags=[(274, 3, 1, orientation, True)],
    )  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray((values[..., :3] >> 8).astype(np.uint8)).save(tmp_path / "colours.tif", exif=exif)
    bands, colours = to_tensor(tmp_path / "bands.tif"), to_tensor(tmp_path / "colours.tif")
    assert np.array_equal(to_array(bands, np.uint16)[..., :3] >> 8, to_array(colours))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((4, 5, 5), 3.0, np.float32), "scale it"),
        (np.zeros((4, 5, 5), np.int32), "int32"),
        (np.zeros((2, 4, 5, 3), np.uint8), None),
    ],
)
def test_a_tiff_that_is_no_image_is_refused_and_of_several_the_first_page_is_read(tmp_path, values, said):
    tifffile.imwrite(
        tmp_path / "a.tif", values, photometric="rgb" if said is None else "minisblack", planarconfig="contig"
    )
    if said is None:
        assert to_tensor(tmp_path / "a.tif").shape == (3, 4, 5)
        return
    with pytest.raises(ImageError, match=rf"a\.tif.*{said}"):
        to_tensor(tmp_path / "a.tif", 5)


def test_bands_obey_the_limit_of_pixels(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", noise(30, 30, 8), photometric="minisblack", planarconfig="contig")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ImageError, match=r"a\.tif.*MAX_IMAGE_PIXELS"):
        to_tensor(tmp_path / "a.tif")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1800)
    assert to_tensor(tmp_path / "a.tif").shape == (8, 30, 30)


def test_the_last_channel_of_an_rgba_array_is_left_out_as_that_of_a_file(tmp_path):
    values = noise(4, 5, 4, dtype=np.uint8)
    Image.fromarray(values, "RGBA").save(tmp_path / "a.png")
    for channels in (1, 3, 4):
        assert torch.equal(to_tensor(values, channels), to_tensor(tmp_path / "a.png", channels))
        tensor = torch.from_numpy(np.moveaxis(values, -1, 0).copy())
        assert torch.equal(to_tensor(tensor, channels), to_tensor(tmp_path / "a.png", channels))
    assert torch.equal(to_tensor(values[..., ::2], 1), to_tensor(values[..., :1]))
    assert to_tensor(values).shape == (4, 4, 5)  # bands of anything


# --------------------------------------------------------------------------------------------------------- give back


def test_files_and_pil_images_come_back_in_their_depth(tmp_path):
    grey, colours = noise(5, 3), noise(5, 3, 3)
    for source in (Image.fromarray(grey), save(grey, tmp_path / "a.png"), save(grey, tmp_path / "a.tif")):
        again = give_back(*read(source))
        assert again.mode == "I;16"
        assert np.array_equal(np.array(again), grey)
    for path in (save(colours, tmp_path / "b.png"), save(colours, tmp_path / "b.tif")):
        again = give_back(*read(path))  # Pillow has no such mode
        assert again.dtype == np.uint16
        assert np.array_equal(again, colours)
        image, form = read(path)
        assert np.array_equal(np.array(give_back(image, form.with_depth(8))), np.rint(colours / 257.0))
    coloured = give_back(*read(Image.fromarray(grey), 3))
    assert np.array_equal(coloured, np.repeat(grey[..., None], 3, -1))
    bands = noise(5, 3, 7, dtype=np.uint8)
    assert np.array_equal(give_back(*read(save(bands, tmp_path / "c.tif"))), bands)


def test_a_depth_can_be_asked_for():
    image = torch.tensor([[[-1.0, 0.0, 1.0]]])
    assert np.array(give_back(image, Form("pil").with_depth(16))).tolist() == [[0, 32768, 65535]]
    assert give_back(image, Form("array", np.dtype(np.float32), 2).with_depth(8)).tolist() == [[0, 128, 255]]
    assert give_back(image, Form("tensor", torch.float32).with_depth(16)).dtype == torch.uint16
    with pytest.raises(OptionTypeError, match="found 12"):
        check_depth(12)


def test_what_pillow_cuts_is_said_once(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(decoding, "_said", set())
    values = noise(5, 3, 3)
    for path in (save(values, tmp_path / "a.png"), save(values, tmp_path / "a.tif")):
        assert np.array_equal(np.array(give_back(*read(Image.open(path)))), values >> 8)  # Pillow's
        opened = Image.open(path)
        opened.load()
        assert np.array_equal(np.array(give_back(*read(opened))), values >> 8)
    read(Image.open(save(values[..., 0], tmp_path / "grey.png")))
    read(Image.open(save(values, tmp_path / "flat.png", depth=8)))
    (said,) = recwarn
    assert said.category is I2IZooWarning
    assert "a.png' has 16 bits, of which Pillow keeps 8 in colour" in str(said.message)
