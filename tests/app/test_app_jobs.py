"""What the app does for a visitor, without a page: one image, many files, images from nothing; limits, and an end."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_server import connected
from PIL import Image
from tiny import Negative, tiny_method

import i2izoo
from i2izoo.app.batches import translate_files
from i2izoo.app.jobs import Job, Limits, generate, side, translate
from i2izoo.app.offers import Offers
from i2izoo.app.painting import painted, paints
from i2izoo.app.sessions import Sessions, without_paths
from i2izoo.app.work import Done, Progress, StoppedError, Work
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, ImageError, UnknownNameError
from i2izoo.models.translator import Translator

NEGATIVE = Translator(Negative(), {"method": "negative"})
JOB = Job("negative")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.png"
    path.parent.mkdir()
    Image.fromarray(np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)).save(path)
    return path


def negative(path: Path) -> np.ndarray:
    return 255 - np.asarray(Image.open(path).convert("RGB"))


# ------------------------------------------------------------------------------------------------------------- images


def test_an_image_is_translated(image: Path) -> None:
    (found,) = translate(NEGATIVE, image, JOB, Limits(), Work())
    assert np.array_equal(np.asarray(found), negative(image))


def test_a_larger_one_goes_through_in_tiles(image: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)).save(image)
    (found,) = translate(NEGATIVE, image, JOB, Limits(pixels=70 * 90 - 1), Work())
    assert np.array_equal(np.asarray(found), negative(image))


def test_what_is_beyond_the_limits_is_refused(image: Path) -> None:
    for job in (Job("negative", samples=17), Job("negative", samples=0), Job("negative", size=3000)):
        with pytest.raises(ConfigError, match=r"at most|between 1 and 16"):
            translate(NEGATIVE, image, job, Limits(), Work())
    with pytest.raises(ImageError, match=r"^the image has 0\.0 megapixels"):
        translate(NEGATIVE, Image.open(image), JOB, Limits(pixels=47), Work())


def test_a_bad_image_is_one_sentence_without_its_place(tmp_path: Path) -> None:
    bad = tmp_path / "secret" / "not an image.png"
    bad.parent.mkdir()
    bad.write_bytes(b"nothing")
    sessions = Sessions(tmp_path)
    *_, last = sessions.follow("one", lambda work: translate(NEGATIVE, bad, JOB, Limits(), work))
    assert isinstance(last, Done)
    assert isinstance(last.error, ImageError)
    assert str(last.error) == ("image 'not an image.png' is not an image in a format that Pillow reads, or is damaged.")


def test_what_fails_inside_says_nothing_of_the_inside(tmp_path: Path) -> None:
    def broken(work: Work) -> None:
        raise RuntimeError(f"{tmp_path}/weights.bin")

    *_, last = Sessions(tmp_path).follow("one", broken)
    assert isinstance(last, Done)
    assert str(last.error) == "that failed inside (RuntimeError); its log says where."


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("image '/home/me/x/y.png' has 2 channels.", "image 'y.png' has 2 channels."),
        ("image '/tmp/a b/c d.png' x", "image 'c d.png' x"),
        ("cannot read /srv/models/m/config.json: no", "cannot read config.json: no"),
        (r"image 'C:\\Users\\me\\y.png' x", "image 'y.png' x"),
        ("see https://example.org/a/b and docs/faq.md, 3/4", "see https://example.org/a/b and docs/faq.md, 3/4"),
    ],
)
def test_messages_say_no_places(said: str, shown: str) -> None:
    assert without_paths(said) == shown


def test_images_from_nothing_are_those_of_generate() -> None:
    unet = {"name": "unet2d", "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4}
    model = i2izoo.create("ddim", task="generation", domains=["photo"], generator=unet)
    work = Work()
    found = generate(model, Job("photo", seed=3, samples=2, size=16, options={"steps": 2}), Limits(), work)
    assert found == model.generate(2, seed=3, size=16, steps=2)
    assert work.passes == 4
    assert work.now == Progress("2 of 2 images", 1.0)


def test_the_code_on_the_page_does_the_same() -> None:
    model = i2izoo.load("cyclegan-facades")
    assert Job("label", seed=4, size=64).code("cyclegan-facades", model) == (
        "import i2izoo\n"
        'model = i2izoo.load("cyclegan-facades")\n'
        'model("image.png", to="label", size=64, seed=4).save("result.png")'
    )


def test_sizes_are_written() -> None:
    assert side("") is None
    assert side("64") == 64
    for text in ("-3", "6.5", "many", "9" * 30):
        with pytest.raises(ConfigError, match="size is a side in pixels"):
            side(text)


# ----------------------------------------------------------------------------------------------------------- painting


def test_paint_is_a_mask_of_the_image() -> None:
    layer = np.zeros((6, 8, 4), np.uint8)
    layer[2:4, 1:5] = (255, 100, 60, 128)
    see_through = Image.new("RGBA", (8, 6), (9, 9, 9, 0))
    image, mask = painted({"background": see_through, "layers": [Image.fromarray(layer)]})
    assert image is see_through
    assert mask is not None
    assert np.array_equal(np.asarray(mask) == 255, layer[..., 3] > 0)
    assert painted({"background": see_through, "layers": [Image.new("RGBA", (8, 6))]})[1] is None
    nothings: list[Any] = [None, {"background": None, "layers": []}]
    for nothing in nothings:
        with pytest.raises(ImageError, match="choose an image first"):
            painted(nothing)


def test_those_paint_whose_task_is_to_fill() -> None:
    inpainting = i2izoo.create(
        "inpainting", base={"name": "pix2pix", "generator": {"name": "unet_128", "depth": 2, "width": 2}}
    )
    assert paints(inpainting, inpainting.target(None))
    assert not paints(NEGATIVE, "negative")


# -------------------------------------------------------------------------------------------------------------- files


def test_many_files_become_a_zip_and_bad_ones_a_list(image: Path, tmp_path: Path) -> None:
    other, bad, out = tmp_path / "other" / "a.png", tmp_path / "in" / "b.png", tmp_path / "out"
    for place in (other.parent, out):
        place.mkdir()
    Image.new("L", (5, 5), 30).save(other)
    bad.write_text("no")
    found = translate_files(NEGATIVE, [image, bad, other], out, JOB, Limits(), Work())
    assert found.done == 2
    said = "is not an image in a format that Pillow reads, or is damaged."
    assert found.failed == (f"b.png: image 'b.png' {said}",)
    assert found.file is not None
    with zipfile.ZipFile(found.file) as packed:
        assert packed.namelist() == ["a.png", "a_2.png"]
        with packed.open("a.png") as first:
            assert np.array_equal(np.asarray(Image.open(first)), negative(image))


def test_one_file_is_itself_and_rasters_stay_tiff(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (40, 60, 3), np.uint16)
    np.save(tmp_path / "scan.npy", values)
    (tmp_path / "out").mkdir()
    found = translate_files(NEGATIVE, [tmp_path / "scan.npy"], tmp_path / "out", JOB, Limits(), Work())
    assert found.file is not None, found.failed
    assert found.file.name == "scan.tif"


def test_no_files_and_too_many_are_refused(image: Path, tmp_path: Path) -> None:
    for files in ([], [image] * 3):
        with pytest.raises(ConfigError, match=f"between 1 and 2 files .* found {len(files)}"):
            translate_files(NEGATIVE, files, tmp_path, JOB, Limits(files=2), Work())


# ------------------------------------------------------------------------------------------------- progress and an end


def test_work_stops_before_the_next_pass(image: Path, tmp_path: Path) -> None:
    model = Translator(tiny_method(), {"method": "tiny-method"})
    work = Work()
    with work.watching(model.method):
        model(image)
        assert work.passes == 1
        work.cancel()
        with pytest.raises(StoppedError, match=r"^cancelled"):
            model(image)
    assert work.passes == 1
    model(image)  # nobody looks any more
    late = Work(seconds=0)
    with late.watching(model.method), pytest.raises(StoppedError, match="longer than 0 seconds"):
        model(image)


def test_a_session_is_stopped_from_elsewhere(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)

    def endless(work: Work) -> None:
        while True:
            work.tell("still at it", 0.5)

    found = []
    for now in sessions.follow("one", endless):
        found.append(now)
        sessions.cancel("another")
        sessions.cancel("one")
    assert isinstance(found[0], Progress)
    assert isinstance(found[-1], Done)
    assert isinstance(found[-1].error, StoppedError)
    assert not sessions._works


def test_results_of_long_ago_are_removed(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    old, new = sessions.new_folder(), sessions.new_folder()
    (tmp_path / "upload").mkdir()
    for place in (old, tmp_path / "upload"):
        os.utime(place, (0, 0))
    newest = sessions.new_folder()
    assert set(tmp_path.iterdir()) == {new, newest, tmp_path / "upload"}


def test_who_leaves_stops_the_work(tmp_path: Path) -> None:
    ended = []

    def endless(work: Work) -> None:
        try:
            while True:
                work.tell("still at it")
        except StoppedError:
            ended.append(True)
            raise

    following = Sessions(tmp_path).follow("one", endless)
    next(following)
    following.close()
    assert ended == [True]


# ------------------------------------------------------------------------------------------------------------- offers


def test_folders_are_offered_by_their_last_part(tmp_path: Path) -> None:
    for place in ("one/mine", "two/mine"):
        Translator(tiny_method(), {"method": "tiny-method"}).save_pretrained(tmp_path / place)
    found = Offers([str(tmp_path / "one/mine"), str(tmp_path / "two/mine")], all_entries=False)
    assert found.labels == ["mine", "mine (2)"]
    assert found["mine"].shown == "./mine"
    assert found.load("mine").name == "tiny-method"
    assert str(tmp_path) not in found["mine"].card
    with pytest.raises(UnknownNameError, match="'pix2pix-facades' is not offered here"):
        found["pix2pix-facades"]


def test_every_entry_is_offered_what_is_here_first() -> None:
    found = Offers(["unit-facades"])
    assert found.labels[0] == "unit-facades"
    assert set(found.labels) == set(i2izoo.list_models(pretrained=True))
    here = [found[label].here for label in found.labels]
    assert here == sorted(here, reverse=True)
    for label in found.labels[: sum(here)]:
        offer = found[label]
        for source in registry("pretrained").get(label).directions.values():
            wanted = source is not None  # what is made from nothing takes no image
            assert bool(offer.examples(source)) == wanted, f"{label}: examples of {source}"
        assert offer.card
        assert not offer.card.startswith("---")


@pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")
def test_a_repository_is_fetched_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with connected(monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_alice")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        Translator(tiny_method(), {"method": "tiny-method"}).push_to_hub("alice/theirs")
        found = Offers(["alice/theirs"], all_entries=False)
        assert (found["alice/theirs"].here, found["alice/theirs"].about) == (False, "Fetched when first used.")
        assert found.load("alice/theirs").name == "tiny-method"
        assert (found["alice/theirs"].here, found["alice/theirs"].about) == (True, "")
        assert found["alice/theirs"].shown == "alice/theirs"


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'unit-facades'"):
        Offers(["unit-facade"])
    with pytest.raises(ConfigError, match="name at least one model"):
        Offers(all_entries=False)
