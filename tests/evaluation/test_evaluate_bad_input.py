"""Bad input gets one clear sentence, and what had been computed is kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from evaluating import Offset, make_pairs, mark, register_all
from PIL import Image

import i2izoo
from i2izoo.contracts.dataset import Dataset
from i2izoo.errors import ConfigError, DataError, EvaluationError, ImageError
from i2izoo.evaluation.result import Result
from i2izoo.interfaces import Metric, Score


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    register_all(monkeypatch, tmp_path)


@pytest.fixture
def pairs(tmp_path) -> Path:
    return make_pairs(tmp_path / "pairs")


def stopped(expected, *arguments, **options):
    with pytest.raises(expected) as caught:
        i2izoo.evaluate(*arguments, metrics=["seen", "mean", "failing"], **options)
    return caught.value


def check_kept(out: Path, partial: Result, done: int) -> None:
    """What the images before the bad one gave is in the files and in the partial result."""
    assert partial.names == [f"p{i}" for i in range(done)]
    assert partial["seen"].n == done
    assert partial["seen"].value == pytest.approx(2)
    assert partial.problem
    assert f"{done} of 6 images" in partial.problem
    assert Result.load(out) == partial
    assert len((out / "per-image.csv").read_text().splitlines()) == done + 1
    assert {p.name for p in (out / "images").iterdir()} == {f"p{i}.png" for i in range(done)}


# --------------------------------------------------------------------------------------------------------- on the way


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_an_unreadable_image_keeps_those_before_it(pairs, tmp_path, batch_size):
    path = pairs / "label" / "p4.png"
    path.write_bytes(path.read_bytes()[:50])
    model, out = i2izoo.create("offset", levels=2), tmp_path / "out"
    error = stopped(EvaluationError, model, pairs, out=out, keep_images=True, batch_size=batch_size)
    assert "p4.png" in str(error)
    assert f"What the 4 of 6 images before it gave is kept in {out}." in str(error)
    assert isinstance(error.__cause__, ImageError)
    check_kept(out, error.partial, 4)
    assert "needs all the true images" in error.partial["mean"].reason


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_a_translation_that_is_not_finite_keeps_those_before_it(pairs, tmp_path, bad):
    mark(pairs, 3)
    model, out = i2izoo.create("offset", levels=2, bad=bad), tmp_path / "out"
    error = stopped(EvaluationError, model, pairs, out=out, keep_images=True)
    assert "the translation of 'p3' holds NaN or infinite values" in str(error)
    check_kept(out, error.partial, 3)
    assert error.partial["mean"].n == 3


def test_a_translation_of_another_size_is_said(pairs):
    error = stopped(EvaluationError, i2izoo.create("offset", bad="small"), pairs)
    assert "translation of 'p0' is 3 x 12 x 15, its truth 3 x 12 x 16" in str(error)
    assert str(error).endswith("It is the first of 6.")
    assert error.partial.names == []
    assert error.partial["mean"].reason == "needs at least 1 image; 0 could be measured"


def test_ctrl_c_keeps_what_was_done(pairs, tmp_path):
    mark(pairs, 3)
    model, out = i2izoo.create("offset", levels=2, bad="interrupt"), tmp_path / "out"
    error = stopped(KeyboardInterrupt, model, pairs, out=out, keep_images=True, batch_size=1)
    assert "interrupted" in error.partial.problem
    check_kept(out, error.partial, 3)


def test_a_bug_in_the_method_is_raised_as_it_is_and_keeps_what_was_done(pairs, tmp_path):
    mark(pairs, 2)
    model, out = i2izoo.create("offset", levels=2, bad="crash"), tmp_path / "out"
    error = stopped(ZeroDivisionError, model, pairs, out=out, keep_images=True, batch_size=1)
    check_kept(out, error.partial, 2)


class Buggy(Metric):
    """Divides by zero in its second batch."""

    higher_is_better = True
    inputs = ("prediction",)

    def __init__(self) -> None:
        self.left = 1

    def update(self, prediction):
        self.left -= 1 // self.left
        return prediction.mean(dim=(1, 2, 3))

    def compute(self):
        return Score(0.5)


def test_a_bug_in_a_metric_is_raised_as_it_is_and_keeps_whole_batches(pairs, tmp_path):
    i2izoo.register("metrics", "buggy")(Buggy)
    with pytest.raises(ZeroDivisionError) as caught:
        i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen", "buggy"], batch_size=2, out=tmp_path / "out")
    partial = caught.value.partial
    assert partial.names == ["p0", "p1"]
    assert {label: len(values) for label, values in partial.values.items()} == {"seen": 2, "buggy": 2}
    assert Result.load(tmp_path / "out") == partial


def test_an_error_is_not_hidden_by_one_in_keeping_what_was_done(pairs, tmp_path, monkeypatch):
    def full(self, result):
        raise OSError(28, "no space left on device")

    mark(pairs, 3)
    monkeypatch.setattr("i2izoo.evaluation.files.Folder.close", full)
    error = stopped(EvaluationError, i2izoo.create("offset", bad="nan"), pairs, out=tmp_path / "out")
    assert "'p3' holds NaN" in str(error)
    assert "could not be kept" in error.__notes__[0]


class OwnCount(Dataset):
    """Hides the method `count` behind a number."""

    domains = ("label", "photo")
    kind = "paired"

    def __init__(self):
        self.count = 2

    def __len__(self):
        return self.count

    def sample(self, index, seed):
        return dict.fromkeys(self.domains, torch.zeros(3, 4, 4))

    def name(self, index):
        return f"p{index}"


def test_a_data_set_that_hides_a_method_is_one_sentence():
    said = str(stopped(DataError, i2izoo.create("offset", levels=2), OwnCount()))
    assert "OwnCount sets the attributes count, which hide the methods of Dataset" in said


class Broken(Dataset):
    """A dataset that is no files of ours, whose third image cannot be had."""

    domains = ("label", "photo")
    kind = "paired"

    def __len__(self):
        return 5

    def sample(self, index, seed):
        if index == 2:
            raise DataError("the tape has snapped.")
        return dict.fromkeys(self.domains, torch.zeros(3, 4, 4))

    def name(self, index):
        return f"p{index}"


def test_data_of_any_kind_keeps_what_came_before():
    error = stopped(EvaluationError, i2izoo.create("offset", levels=2), Broken())
    assert str(error).startswith("the tape has snapped.")
    assert error.partial.names == ["p0", "p1"]


def test_without_a_folder_the_partial_result_is_in_the_error(pairs):
    mark(pairs, 3)
    error = stopped(EvaluationError, i2izoo.create("offset", levels=2, bad="nan"), pairs)
    assert "kept in `partial` of this error" in str(error)
    assert error.partial["seen"].n == 3


def test_files_are_there_before_the_end(pairs, tmp_path, monkeypatch):
    """What a process that is killed leaves: the lines that were done, and a protocol."""
    mark(pairs, 4)
    out = tmp_path / "out"
    monkeypatch.setattr("i2izoo.evaluation.files.Folder.close", lambda self, result: None)
    stopped(EvaluationError, i2izoo.create("offset", levels=2, bad="nan"), pairs, out=out, batch_size=2)
    lines = (out / "per-image.csv").read_text().splitlines()
    assert lines[0] == "name,seen"
    assert [line.split(",")[0] for line in lines[1:]] == ["p0", "p1", "p2", "p3"]
    assert json.loads((out / "protocol.json").read_text())["n"] == 6
    with pytest.raises(EvaluationError, match="no scores of an evaluation"):
        Result.load(out)


# ------------------------------------------------------------------------------------------- images made elsewhere


def elsewhere(pairs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pairs / "photo", tmp_path / "elsewhere"))


def test_missing_images_are_named(pairs, tmp_path):
    folder = elsewhere(pairs, tmp_path)
    for i in (1, 2, 4, 5):
        (folder / f"p{i}.png").unlink()
    error = stopped(EvaluationError, folder, pairs, to="photo")
    assert "the 2 images in" in str(error)
    assert "4 of the data's 6 images are missing in it (p1, p2, p4, ... (1 more))" in str(error)


def test_names_that_do_not_match_are_named(pairs, tmp_path):
    folder = elsewhere(pairs, tmp_path)
    (folder / "p0.png").rename(folder / "other.png")
    (folder / "p1.png").rename(folder / "p2.jpg")
    message = str(stopped(EvaluationError, folder, pairs, to="photo"))
    assert "missing in it (p0, p1)" in message
    assert "not in the data (other)" in message
    assert "several endings (p2)" in message


def test_sizes_that_do_not_match_are_named(pairs, tmp_path):
    folder = elsewhere(pairs, tmp_path)
    Image.new("RGB", (20, 12)).save(folder / "p3.png")
    message = str(stopped(EvaluationError, folder, pairs, to="photo"))
    assert "1 of its images have another size than the data's (p3 is 20 x 12, not 16 x 12)" in message


def test_an_unreadable_image_made_elsewhere_keeps_those_before_it(pairs, tmp_path):
    folder = elsewhere(pairs, tmp_path)
    (folder / "p2.png").write_bytes((folder / "p2.png").read_bytes()[:50])
    error = stopped(EvaluationError, folder, pairs, to="photo")
    assert "p2.png" in str(error)
    assert error.partial.names == ["p0", "p1"]


# ------------------------------------------------------------------------------------------------- before it begins


def test_an_out_with_another_evaluation_is_not_written_over(pairs, tmp_path):
    model, out = i2izoo.create("offset", levels=2), tmp_path / "out"
    i2izoo.evaluate(model, pairs, metrics=["seen"], out=out)
    before = (out / "scores.json").read_bytes()
    with pytest.raises(EvaluationError, match="same model with another data_sha256, n, limit;"):
        i2izoo.evaluate(model, pairs, metrics=["seen"], limit=3, out=out)
    with pytest.raises(EvaluationError, match="the evaluation of 'offset'"):
        i2izoo.evaluate(str(model.save_pretrained(tmp_path / "model")), pairs, metrics=["seen"], out=out)
    assert (out / "scores.json").read_bytes() == before
    i2izoo.evaluate(model, pairs, metrics=["seen"], out=out)  # the same once more
    assert (out / "scores.json").read_bytes() == before


def test_an_out_with_files_of_others_is_not_written_over(pairs, tmp_path):
    (tmp_path / "out" / "images").mkdir(parents=True)
    with pytest.raises(EvaluationError, match="of no evaluation"):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"], out=tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="is a file"):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"], out=tmp_path / "file")


def test_what_a_stopped_evaluation_kept_is_not_lost_to_one_of_other_data(pairs, tmp_path):
    model, out = i2izoo.create("offset", levels=2), tmp_path / "out"
    path = pairs / "label" / "p4.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    stopped(EvaluationError, model, pairs, out=out)
    path.write_bytes(whole)
    with pytest.raises(EvaluationError, match="data_sha256"):  # mended data is other data
        i2izoo.evaluate(model, pairs, metrics=["seen", "mean", "failing"], out=out)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"keep_images": True}, EvaluationError, "wants a folder"),
        ({"to": "phto"}, i2izoo.errors.UnknownNameError, "did you mean 'photo'"),
        ({"samples": 2, "weights": "/no/such/folder"}, EvaluationError, "no folder"),
        ({"split": "val"}, DataError, "not divided into splits"),
        ({"filter": "sinc"}, i2izoo.errors.OptionTypeError, "'bicubic'"),
        ({"mroe": 3}, ConfigError, "no argument 'mroe'.* did you mean 'more'"),
        ({"device": "gpu"}, ConfigError, "cannot use device gpu"),
        ({"metric": ["psnr"]}, ConfigError, "did you mean 'metrics'"),
    ],
)
def test_mistakes_are_said_before_anything_is_translated(pairs, options, kind, message):
    with pytest.raises(kind, match=message):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"], **options)
    assert Offset.calls == []


def test_data_of_other_domains_says_what_it_has(tmp_path):
    data = make_pairs(tmp_path / "data")
    (data / "label").rename(data / "map")
    with pytest.raises(DataError, match=r"no domain 'label'.*it has map, photo"):
        i2izoo.evaluate(i2izoo.create("offset"), data, metrics=["seen"])
    opened = i2izoo.open_dataset(data)
    with pytest.raises(EvaluationError, match=r"'label' -> 'photo' .* no domain 'label'; it has map, photo"):
        i2izoo.evaluate(i2izoo.create("offset"), opened, metrics=["seen"])


def test_pairs_that_do_not_match_are_named(pairs):
    (pairs / "photo" / "p1.png").unlink()
    with pytest.raises(DataError, match=r"label/p1\.png has no partner"):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"])


def test_an_open_dataset_keeps_its_split(pairs):
    with pytest.raises(EvaluationError, match="open already, with split=None"):
        i2izoo.evaluate(i2izoo.create("offset"), i2izoo.open_dataset(pairs), metrics=["seen"], split="val")


def test_images_made_elsewhere_have_no_options_and_a_device_like_any(pairs):
    for options, message in (({"more": 2}, "no such option"), ({"device": "gpu"}, "cannot use device gpu")):
        with pytest.raises(ConfigError, match=message):
            i2izoo.evaluate(pairs / "photo", pairs, metrics=["seen"], to="photo", **options)
