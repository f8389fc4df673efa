"""Labels and texts: a folder for each class, and metadata as Hugging Face's image folders have it."""

import json

import pytest
import torch
from PIL import Image

from i2izoo.data.check import check_dataset
from i2izoo.data.loader import Loader
from i2izoo.data.open import open_dataset
from i2izoo.errors import DataError


def save(folder, *names, size=(4, 4)):
    """Images, each of one grey level of its own."""
    for level, name in enumerate(names, 1):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 10 * level).save(folder / name)
    return folder


def notes(data):
    return [(data.name(i), data.label(i), data.text(i)) for i in range(len(data))]


def test_a_folder_for_each_class(tmp_path):
    save(tmp_path, "train/cat/1.png", "train/cat/2.png", "train/dog/1.png", "val/dog/3.png", "val/bird/4.png")
    data = open_dataset(tmp_path, kind="single", split="train")
    assert (data.domains, data.kind, list(data.classes)) == (("image",), "single", ["bird", "cat", "dog"])
    assert notes(data) == [("cat/1", 1, None), ("cat/2", 1, None), ("dog/1", 2, None)]
    held_out = data.with_options(split="val")  # a number is the same class in every split
    assert notes(held_out) == [("bird/4", 0, None), ("dog/3", 2, None)]
    named = open_dataset(tmp_path, kind="single", split="train", domains=["dog"])  # a folder of the domain's name
    assert (list(named.classes), notes(named)) == ([], [("1", None, None)])


def test_two_folders_are_domains_unless_one_domain_is_wanted(tmp_path):
    save(tmp_path, "label/1.png", "photo/1.png")
    assert open_dataset(tmp_path).domains == ("label", "photo")
    assert list(open_dataset(tmp_path).classes) == []
    save(tmp_path, "other/1.png")
    with pytest.raises(DataError, match=r"Choose with domains=.*classes of one domain are kind='single'"):
        open_dataset(tmp_path)
    save(tmp_path, "loose.png")
    with pytest.raises(DataError, match=r"both images and folders of images .*folder of their class"):
        open_dataset(tmp_path, kind="single")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_metadata_beside_images(tmp_path, form):
    save(tmp_path, "a.png", "b.png", "c.png")
    rows = [("b.png", "10", "a big one"), ("a.png", "9", ""), ("c.png", "10", "two, with a comma")]
    if form == "csv":
        lines = ["file_name,label,text", *(f'{name},{label},"{text}"' for name, label, text in rows)]
    else:
        lines = [json.dumps({"file_name": n, "label": int(label), "text": text}) for n, label, text in rows]
    (tmp_path / f"metadata.{form}").write_text("\n".join(lines) + "\n")
    data = open_dataset(tmp_path, kind="single")
    assert list(data.classes) == ["9", "10"]
    assert notes(data) == [("a", 0, ""), ("b", 1, "a big one"), ("c", 1, "two, with a comma")]
    assert notes(open_dataset(tmp_path, kind="single", limit=2)) == notes(data)[:2]
    report = check_dataset(tmp_path, kind="single")
    assert report.ok
    assert (dict(report.classes), report.texts) == ({"9": 1, "10": 2}, 2)
    assert "classes: 9 1, 10 2\ntexts: 2" in str(report)


def test_metadata_of_pairs(tmp_path):
    save(tmp_path / "two", "label/1.png", "label/2.png", "photo/1.png", "photo/2.png")
    (tmp_path / "two/metadata.csv").write_text("file_name,text\nphoto/2.png,second\nlabel/1.png,first\n")
    assert notes(open_dataset(tmp_path / "two")) == [("1", None, "first"), ("2", None, "second")]
    save(tmp_path / "side/train", "x.png", "y.png", size=(8, 4))
    (tmp_path / "side/train/metadata.jsonl").write_text(
        '{"file_name": "y.png", "label": "new"}\n{"file_name": "x.png", "label": "old"}\n'
    )
    side = open_dataset(tmp_path / "side", split="train", sides=["photo", "label"])
    assert (side.domains, notes(side)) == (("photo", "label"), [("x", 1, None), ("y", 0, None)])


@pytest.mark.parametrize("place", ["", "train"])
def test_columns_that_name_the_files_of_each_domain(tmp_path, place):
    """`file_name` is the domain "image"; in the folder of all splits the names begin with that of the split."""
    save(tmp_path, "train/m/1.png", "train/p/a.png", "train/p/b.png", "val/m/1.png", "val/p/c.png")
    lines = ["file_name,photo_file_name,label", "m/1.png,p/b.png,x", "m/1.png,p/a.png,y"]
    if not place:
        lines = [lines[0], *(f"train/{a},train/{b}" for a, b in (x.split(",", 1) for x in lines[1:]))]
        lines.append("val/m/1.png,val/p/c.png,z")
    (tmp_path / place / "metadata.csv").write_text("\n".join(lines))
    data = open_dataset(tmp_path, split="train")
    assert (data.domains, data.kind, len(data)) == (("image", "photo"), "paired", 2)
    assert [data.images["photo"][i].path.name for i in range(2)] == ["b.png", "a.png"]
    assert [data.classes[data.label(i)] for i in range(2)] == ["x", "y"]
    single = open_dataset(tmp_path, split="train", kind="single", domains=["photo"])
    assert (single.domains, [single.name(i) for i in range(2)]) == (("photo",), ["b", "a"])
    if not place:
        assert len(open_dataset(tmp_path, split="val")) == 1
        assert open_dataset(tmp_path / "metadata.csv").count("photo") == 3  # the file itself is data, too
        inside = tmp_path / "val" / ".." / "val"  # a way round to a folder is a way to it
        (inside / "metadata.csv").write_text("file_name,photo_file_name\nm/1.png,../train/p/a.png\n")
        assert open_dataset(inside).images["photo"][0].path == tmp_path / "train/p/a.png"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"metadata.csv": "file_name,label\na.png,1\nb.png,2\nno.png,1\n"}, r"line 4 .*no file 'no\.png'"),
        ({"metadata.csv": "file_name,label\na.png,1\n"}, r"b\.png has no line in"),
        ({"metadata.csv": "file_name,label\na.png,1\nb.png,\n"}, "1 images have no label"),
        ({"metadata.csv": "name,label\na.png,1\n"}, "no column 'file_name'"),
        ({"metadata.jsonl": '["a.png"]\n'}, "not a JSON object"),
        ({"metadata.jsonl": "{\n"}, "cannot be read as JSONL"),
        ({"metadata.jsonl": "{}\n", "metadata.csv": ""}, r"both metadata\.csv and metadata\.jsonl"),
        ({"metadata.csv": "file_name,b_file_name\na.png,b.png\n"}, "one of them is wanted"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, files, words):
    save(tmp_path, "a.png", "b.png")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=words):
        open_dataset(tmp_path, kind="single")


def test_labels_and_texts_reach_a_batch(tmp_path):
    save(tmp_path, "x/1.png", "x/2.png", "y/3.png", "y/4.png")
    data = open_dataset(tmp_path, kind="single")
    with Loader(data, 4, seed=0) as loader:
        batch = next(loader)
    assert batch.texts is None
    assert batch.labels.dtype == torch.int64
    levels = ((batch["image"][:, 0, 0, 0] + 1) * 127.5).round().long()
    assert torch.equal(batch.labels, (levels > 20).long())  # 10 and 20 are of x
    (tmp_path / "metadata.csv").write_text("file_name,text\nx/1.png,10\nx/2.png,20\ny/3.png,30\ny/4.png,40\n")
    with Loader(open_dataset(tmp_path, kind="single"), 4, seed=0) as loader:
        batch = next(loader)
    levels = ((batch["image"][:, 0, 0, 0] + 1) * 127.5).round().long()
    assert batch.texts == [str(level) for level in levels.tolist()]
    assert torch.equal(batch.labels, (levels > 20).long())
