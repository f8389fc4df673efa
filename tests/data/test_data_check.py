"""`check_dataset` names every problem, not only the first."""

import numpy as np
from PIL import Image

from i2izoo.data.check import check_dataset


def image(path, size=(8, 8), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def the(report, *words: str) -> str:
    """The one problem that says all the words."""
    (found,) = [p for p in report.problems if all(w in p for w in words)]
    return found


def test_sound_data_is_ok_and_counted(tmp_path):
    for split in ("train", "val"):
        for domain in ("label", "photo"):
            image(tmp_path / split / domain / "1.png")
    report = check_dataset(tmp_path)
    assert report.ok
    assert report.counts == {"train/label": 1, "train/photo": 1, "val/label": 1, "val/photo": 1}
    assert report.sizes == {(8, 8): 4}
    assert report.channels == {3: 4}
    assert "no problems" in str(report)


def test_every_problem_of_folders_is_named(tmp_path):
    for domain in ("label", "photo"):
        for i in range(6):
            image(tmp_path / domain / f"{i}.png")
    image(tmp_path / "label" / "lonely.png")
    image(tmp_path / "photo" / "stray.png")
    cut = tmp_path / "photo" / "1.png"
    cut.write_bytes(cut.read_bytes()[:-40])
    (tmp_path / "label" / "2.png").write_bytes(b"no image")
    (tmp_path / "label" / "3.png").write_bytes(b"")
    image(tmp_path / "photo" / "4.png", (10, 8))
    image(tmp_path / "label" / "5.png", mode="L")
    report = check_dataset(tmp_path, crop_size=9)
    assert not report.ok
    assert "no partner" in the(report, "label/lonely.png")
    assert "no partner" in the(report, "photo/stray.png")
    for damaged in ("photo/1.png", "label/2.png", "label/3.png"):
        the(report, damaged)
    assert "4.png is 8 x 8" in the(report, "pair differs in size")
    assert "1 images of 1, 3 images of 3" in the(report, "domain 'label' mixes channels")
    small = [p for p in report.problems if "smaller than the crop of 9" in p]
    assert len(small) == 4 + 5  # of 6 pairs label lacks two and photo one that can be read
    assert str(report).count("\n  ") == len(report.problems)


def test_every_problem_of_side_by_side_images_is_named(tmp_path):
    image(tmp_path / "1.png", (16, 8))
    image(tmp_path / "2.png", (17, 8))
    image(tmp_path / "3.png", (16, 8))
    path = tmp_path / "3.png"
    path.write_bytes(path.read_bytes()[:50])
    report = check_dataset(tmp_path)
    assert "17 pixels wide" in the(report, "2.png")
    the(report, "3.png")
    assert len(report.problems) == 2


def test_every_line_of_a_csv_is_checked(tmp_path):
    image(tmp_path / "a.png")
    (tmp_path / "p.csv").write_text("x,y\na.png,a.png\na.png,b.png\n,a.png\n")
    report = check_dataset(tmp_path / "p.csv")
    assert report.problems == ["line 3: there is no file 'b.png'", "line 4: the cell of 'x' is empty"]
    assert report.counts == {"x": 1, "y": 1}


def test_what_cannot_be_understood_is_a_problem_not_a_crash(tmp_path):
    assert "no images" in the(check_dataset(tmp_path), "side-by-side")
    assert "check the path" in the(check_dataset(tmp_path / "nowhere"), "nowhere")
