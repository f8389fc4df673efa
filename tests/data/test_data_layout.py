"""Every layout is found by itself, and what is ambiguous or mismatched gives one clear error."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2izoo.data.open import open_dataset
from i2izoo.errors import DataError, OptionTypeError


def image(path: Path, value: int = 0, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def value(image) -> int:
    """The grey value of an image of one colour."""
    assert image.min() == image.max()
    return round((float(image.min()) + 1) * 127.5)


@pytest.fixture
def folders(tmp_path):
    for i, stem in enumerate(("b10", "b9", "a")):
        image(tmp_path / "label" / f"{stem}.png", 10 + i)
        image(tmp_path / "photo" / f"{stem}.jpg", 100 + i)
    return tmp_path


@pytest.fixture
def side_by_side(tmp_path):
    halves = np.concatenate([np.full((8, 8, 3), 200), np.full((8, 8, 3), 30)], axis=1).astype(np.uint8)
    for split, count in (("train", 3), ("val", 2)):
        (tmp_path / split).mkdir()
        for i in range(count):
            Image.fromarray(halves).save(tmp_path / split / f"{i}.png")
    return tmp_path


def test_sides_name_the_left_and_the_right_half(side_by_side):
    data = open_dataset(side_by_side, split="train", sides=("photo", "label"))
    assert (data.domains, data.kind, len(data)) == (("photo", "label"), "paired", 3)
    assert {d: value(x) for d, x in data.sample(0, None).items()} == {"photo": 200, "label": 30}


def test_sides_are_a_and_b_by_default_and_domains_choose_the_order(side_by_side):
    data = open_dataset(side_by_side / "val", domains=("B", "A"))
    assert {d: value(x) for d, x in data.sample(1, None).items()} == {"B": 30, "A": 200}
    assert data.domains == ("B", "A")


def test_folders_are_paired_by_stem_whatever_the_ending_in_natural_order(folders):
    data = open_dataset(folders)
    assert (data.domains, data.kind) == (("label", "photo"), "paired")
    assert [data.name(i) for i in range(3)] == ["a", "b9", "b10"]
    assert {d: value(x) for d, x in data.sample(1, None).items()} == {"label": 11, "photo": 101}


def test_folders_of_other_names_are_unpaired(tmp_path):
    for i in range(2):
        image(tmp_path / "horse" / f"h{i}.png")
    for i in range(5):
        image(tmp_path / "zebra" / f"z{i}.png")
    data = open_dataset(tmp_path)
    assert (data.kind, len(data)) == ("unpaired", 5)


@pytest.mark.parametrize("form", ["{split}/{domain}", "{split}{domain}"])
def test_splits_as_folders_and_as_train_a(tmp_path, form):
    for split, count in (("train", 3), ("test", 2)):
        for domain in "AB":
            for i in range(count):
                image(tmp_path / form.format(split=split, domain=domain) / f"{i}.png")
    assert open_dataset(tmp_path, split="test").domains == ("A", "B")
    assert [len(open_dataset(tmp_path, split=s)) for s in ("train", "test")] == [3, 2]
    with pytest.raises(DataError, match=r"no split 'val'.*train, test"):
        open_dataset(tmp_path, split="val")
    with pytest.raises(DataError, match=r"divided into train, test; choose one with split='train'"):
        open_dataset(tmp_path)


def test_csv_names_domains_and_paths(folders):
    (folders / "pairs.csv").write_text("sketch,photo\nlabel/a.png,photo/b9.jpg\n\nlabel/b9.png,photo/a.jpg\n")
    data = open_dataset(folders / "pairs.csv")
    assert (data.domains, len(data), data.kind) == (("sketch", "photo"), 2, "paired")
    assert {d: value(x) for d, x in data.sample(0, None).items()} == {"sketch": 12, "photo": 101}


def test_csv_with_wrong_cells_names_the_lines(folders):
    (folders / "pairs.csv").write_text("label,photo\nlabel/a.png,photo/none.jpg\nlabel/a.png\n")
    with pytest.raises(DataError, match=r"line 2: there is no file 'photo/none.jpg', line 3: the cell of 'photo'"):
        open_dataset(folders / "pairs.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])  # both are what spreadsheets write
def test_csv_in_another_encoding_is_named(folders, encoding):
    (folders / "pairs.csv").write_bytes("label,photo\nlabel/ä.png,photo/a.jpg\n".encode(encoding))
    with pytest.raises(DataError, match=r"pairs\.csv' cannot be read as CSV in UTF-8"):
        open_dataset(folders / "pairs.csv")


def test_data_without_splits_is_not_a_validation_set(folders):
    assert len(open_dataset(folders, split="train")) == 3
    with pytest.raises(DataError, match=r"not divided into splits, so it has no 'val'"):
        open_dataset(folders, split="val")


def test_mismatch_names_the_file_and_unpaired_is_a_way_out(folders):
    image(folders / "label" / "lonely.png")
    with pytest.raises(DataError, match=r"label/lonely\.png has no partner of the same stem in photo.*kind='unpaired'"):
        open_dataset(folders)
    assert len(open_dataset(folders, kind="unpaired")) == 4


def test_two_images_of_one_stem_are_ambiguous(folders):
    image(folders / "label" / "a.bmp")
    with pytest.raises(DataError, match=r"'label' has several images with the stem 'a'|label has several"):
        open_dataset(folders)


def test_images_beside_folders_are_ambiguous_until_told(folders):
    image(folders / "1.png", 5, (16, 8))
    with pytest.raises(DataError, match=r"both images and folders of images \(label, photo\)"):
        open_dataset(folders)
    assert len(open_dataset(folders, domains=("photo", "label"))) == 3
    assert len(open_dataset(folders, sides=("l", "r"))) == 1


def test_three_folders_ask_which_two(folders):
    image(folders / "depth" / "a.png")
    with pytest.raises(DataError, match=r"depth, label, photo.*domains="):
        open_dataset(folders)
    assert open_dataset(folders, domains=("photo", "label")).domains == ("photo", "label")


def test_unknown_domain_is_suggested(folders):
    with pytest.raises(DataError, match=r"no domain 'foto'; did you mean 'photo'\?; it has label, photo"):
        open_dataset(folders, domains=("label", "foto"))


def test_square_images_do_not_look_side_by_side(tmp_path):
    image(tmp_path / "1.png", size=(8, 8))
    with pytest.raises(DataError, match=r"1\.png .* is 8 x 8, which does not look like two images side by side"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, sides=("l", "r")).sample(0, None)["l"].shape == (3, 8, 4)


def test_domains_alone_do_not_say_which_half_is_which(side_by_side):
    with pytest.raises(DataError, match=r"sides=\(left, right\)"):
        open_dataset(side_by_side / "val", domains=("label", "photo"))


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(DataError, match=r"no folder or file 'facade', and no dataset .*did you mean 'facades'"):
        open_dataset("facade")
    with pytest.raises(DataError, match=r"it has no images"):
        open_dataset(tmp_path)


def test_a_name_that_is_also_a_folder_is_ambiguous(tmp_path, monkeypatch):
    image(tmp_path / "facades" / "1.png", 7, (16, 8))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"both a dataset and a path"):
        open_dataset("facades")
    assert len(open_dataset("./facades")) == 1


def test_an_open_dataset_is_itself_and_takes_no_options(folders):
    data = open_dataset(folders)
    assert open_dataset(data) is data
    with pytest.raises(DataError, match="crop_size"):
        open_dataset(data, crop_size=4)


def test_a_dataset_can_be_built_again_from_its_config(folders):
    data = open_dataset(folders, kind="unpaired", crop_size=4, channels={"label": 1})
    again = type(data)(**data.config)
    assert [again.sample(0, 5)[d].tolist() for d in again.domains] == [
        data.sample(0, 5)[d].tolist() for d in data.domains
    ]


def test_impossible_options_are_refused(folders):
    with pytest.raises(DataError, match="load_size=4 is smaller than crop_size=8"):
        open_dataset(folders, load_size=4, crop_size=8)
    with pytest.raises(OptionTypeError, match="'paired', 'unpaired'"):
        open_dataset(folders, kind="pared")
    assert len(open_dataset(folders, limit=2)) == 2


def test_a_single_domain_is_a_folder_of_images(tmp_path):
    for name in ("b.png", "a.png"):
        Image.new("RGB", (8, 4)).save(tmp_path / name)
    data = open_dataset(tmp_path, kind="single")
    assert (data.kind, data.domains, len(data), data.name(0)) == ("single", ("image",), 2, "a")
    assert data.sample(0, None)["image"].shape == (3, 4, 8)


def test_a_single_domain_may_have_a_folder_of_its_name(tmp_path):
    (tmp_path / "photo").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "photo" / "x.png")
    assert open_dataset(tmp_path, kind="single", domains=["photo"]).domains == ("photo",)
    with pytest.raises(DataError, match="there are no images directly in"):
        open_dataset(tmp_path, kind="single", domains=["label"])
    with pytest.raises(DataError, match="has one domain"):
        open_dataset(tmp_path, kind="single", domains=["label", "photo"])
    (tmp_path / "pairs.csv").write_text("label,photo\n")
    with pytest.raises(DataError, match="is a folder of images; found the CSV file"):
        open_dataset(tmp_path / "pairs.csv", kind="single")
