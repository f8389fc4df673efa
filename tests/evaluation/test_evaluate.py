"""`i2izoo.evaluate`: numbers that are known, what metrics are given, protocols, references, results."""

from __future__ import annotations

import json
import math
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluating import Drawn, Mean, Offset, Seen, Spread, make_pairs, register_all
from PIL import Image

import i2izoo
from i2izoo.contracts.dataset import Dataset
from i2izoo.data.open import open_dataset
from i2izoo.errors import ConfigError, EvaluationError, OptionTypeError, UnknownNameError
from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import Result
from i2izoo.interfaces import Score


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    register_all(monkeypatch, tmp_path)


@pytest.fixture
def pairs(tmp_path) -> Path:
    return make_pairs(tmp_path / "pairs")


# ------------------------------------------------------------------------------------------------------------- numbers


def test_psnr_of_a_known_offset_is_exact(pairs):
    result = i2izoo.evaluate(i2izoo.create("offset", levels=51), pairs, metrics=["psnr"])
    score = result["psnr"]
    assert score.value == pytest.approx(20 * math.log10(255 / 51), abs=1e-4)  # every difference is a fifth of the range
    assert score.low == pytest.approx(score.value, abs=1e-4)
    assert (score.n, score.unit, score.higher_is_better) == (6, "dB", True)
    assert result.names == [f"p{i}" for i in range(6)]
    assert len(result.values["psnr"]) == 6


def test_interval_is_that_of_the_mean(tmp_path):
    data = make_pairs(tmp_path / "d", count=100, size=(4, 4), make=lambda i: 0)
    for i in range(0, 100, 2):
        Image.new("RGB", (4, 4), (100, 100, 100)).save(data / "photo" / f"p{i}.png")
        Image.new("RGB", (4, 4), (102, 102, 102)).save(data / "label" / f"p{i}.png")
    score = i2izoo.evaluate(i2izoo.create("offset"), data, metrics=["seen"])["seen"]
    assert score.value == pytest.approx(1.0)  # half of them 2, half 0: standard error 0.1
    assert score.low == pytest.approx(1 - 1.96 * 0.1, abs=0.05)
    assert score.high == pytest.approx(1 + 1.96 * 0.1, abs=0.05)


def test_several_scores_of_one_metric_have_names_of_their_own(pairs):
    result = i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["spread"], samples=3, more=1.0)
    assert list(result.scores) == ["spread.mean", "spread.least"]
    assert result["spread.mean"].n == 6
    assert result["spread.mean"].value == pytest.approx(sum(result.values["spread.mean"]) / 6)
    assert result["spread.mean"].low < result["spread.mean"].value < result["spread.mean"].high
    assert result["spread.least"].low is None  # the values of single images are the first's


def test_metrics_that_ask_for_samples_get_them_and_the_others_the_first(pairs):
    i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["spread", "seen"], samples=3, seed=4, more=1.0)
    samples = torch.cat([got["samples"] for got in Spread.got])
    assert samples.shape == (6, 3, 3, 12, 16)
    assert len({samples[0, j, 0, 0, 0].item() for j in range(3)}) > 1
    assert torch.equal(samples[:, 0], torch.cat([got["prediction"] for got in Seen.got]))
    Seen.got.clear()
    i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"], seed=4, more=1.0)
    assert torch.equal(samples[:, 0], torch.cat([got["prediction"] for got in Seen.got]))


def test_metrics_draw_from_the_protocols_seed_and_leave_the_global_state_alone(pairs):
    model = i2izoo.create("offset")
    before = torch.get_rng_state()
    first, again, other = (i2izoo.evaluate(model, pairs, metrics=["drawn"], seed=s) for s in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    assert first["drawn.own"].value == 5
    assert first["drawn.global"].value == again["drawn.global"].value != other["drawn.global"].value
    assert i2izoo.evaluate(model, pairs, metrics=[{"name": "drawn", "seed": 9}])["drawn.own"].value == 9


# ----------------------------------------------------------------------------------------------- what metrics are given


def test_metrics_get_their_inputs_in_order_rounded_as_a_saved_image(pairs, tmp_path):
    model = i2izoo.create("offset", levels=3.4)
    i2izoo.evaluate(model, pairs, metrics=["seen"], batch_size=4, out=tmp_path / "out", keep_images=True)
    assert [len(got["prediction"]) for got in Seen.got] == [4, 2]
    assert all(set(got) == {"prediction", "target", "source"} for got in Seen.got)
    predictions = torch.cat([got["prediction"] for got in Seen.got])
    for index, prediction in enumerate(predictions):
        saved = np.asarray(Image.open(tmp_path / "out" / "images" / f"p{index}.png"))
        assert torch.equal(prediction, torch.from_numpy(saved.copy()).permute(2, 0, 1) / 127.5 - 1)
        label = np.asarray(Image.open(pairs / "label" / f"p{index}.png"))
        assert np.array_equal(saved, label + 3)


def test_values_of_images_do_not_depend_on_the_batch(pairs):
    Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(pairs / "label" / "p2.png")  # of another size in the middle
    Image.fromarray(np.full((8, 8, 3), 2, np.uint8)).save(pairs / "photo" / "p2.png")
    model = i2izoo.create("offset", levels=1)
    results = [i2izoo.evaluate(model, pairs, metrics=["seen"], batch_size=b) for b in (None, 1, 4)]
    assert results[0].values["seen"] == pytest.approx([1, 1, 8, 1, 1, 1])
    assert results[0].values == results[1].values == results[2].values


@pytest.mark.parametrize("size", [6, [6, 8]])
def test_inputs_and_truths_are_resized_as_pillow_does(pairs, size):
    result = i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"], size=size, filter="box")
    height, width = (6, 6) if size == 6 else (6, 8)
    assert result.protocol.size == [height, width]
    label = Image.open(pairs / "label" / "p3.png")
    wanted = np.asarray(label.resize((width, height), Image.Resampling.BOX)).astype(float)
    for name in ("source", "target"):
        found = torch.cat([got[name] for got in Seen.got])[3].permute(1, 2, 0).numpy() * 127.5 + 127.5
        assert np.abs(found - wanted).max() <= 1  # Pillow rounds between the directions, too
        assert np.abs(found - found.round()).max() < 1e-4


def test_a_truth_is_read_with_the_channels_that_the_model_gives(pairs):
    for path in (pairs / "photo").iterdir():
        Image.open(path).convert("L").save(path)
    i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"])
    assert Seen.got[0]["target"].shape[1] == 3


# ---------------------------------------------------------------------------------------------------------------- data


def test_the_training_split_is_never_taken_silently(tmp_path):
    data = tmp_path / "data"
    for split in ("train", "val", "test"):
        make_pairs(data / split, count=1 + len(split))
    model = i2izoo.create("offset")

    def found(**options):
        result = i2izoo.evaluate(model, data, metrics=["seen"], **options)
        return result.protocol.split, result.protocol.n

    assert found() == ("val", 4)
    assert found(split="train") == ("train", 6)
    shutil.rmtree(data / "val")
    assert found() == ("test", 5)
    shutil.rmtree(data / "test")
    with pytest.raises(i2izoo.errors.DataError, match="divided into train"):
        found()


def test_procedural_data_is_of_its_validation_split():
    data = {"name": "synthetic-facades", "count": 3, "size": 16}
    result = i2izoo.evaluate(i2izoo.create("offset"), data, metrics=["seen"])
    assert (result.protocol.data, result.protocol.split, result.protocol.n) == ("synthetic-facades", "val", 3)
    assert result.names[0] == "facade_1000000"


def test_a_dataset_of_files_that_is_open_for_training_is_evaluated_at_its_crop(pairs):
    opened = open_dataset(pairs, load_size=10, crop_size=8, limit=4, domains=("label", "photo"))
    model = i2izoo.create("offset")
    result = i2izoo.evaluate(model, opened, metrics=["seen"])
    assert (result.protocol.size, result.protocol.limit, result.protocol.n) == ([8, 8], 4, 4)
    assert result.protocol.config == i2izoo.evaluate(model, pairs, metrics=["seen"], size=8, limit=4).protocol.config


def test_unpaired_data_is_a_reference_for_sets_and_not_for_pairs(tmp_path):
    data = tmp_path / "data"
    for domain, values in (("label", [10, 20]), ("photo", [30, 40, 50])):
        (data / domain).mkdir(parents=True)
        for value in values:
            Image.new("RGB", (4, 4), (value,) * 3).save(data / domain / f"{domain}{value}.png")
    result = i2izoo.evaluate(i2izoo.create("offset"), data, metrics=["seen", "mean"])
    assert result["mean"].value == pytest.approx(40 - 15)
    assert result["seen"].value is None
    assert result["seen"].reason.startswith("needs pairs")
    assert result.names == ["label10", "label20"]


def test_data_of_the_source_alone_serves_metrics_without_truths(pairs):
    data = open_dataset(pairs, kind="single", domains=["label"])
    result = i2izoo.evaluate(i2izoo.create("offset"), data, metrics=["drawn", "mean", "seen"])
    assert result["drawn.own"].value == 0
    assert "true images of 'photo'" in result["mean"].reason
    assert "pairs" in result["seen"].reason


class Grey(Offset):
    """A method of one domain."""

    data = "single"
    directions = {"image": "image"}  # noqa: RUF012
    channels = {"image": 1}  # noqa: RUF012


def test_a_method_of_one_domain_is_evaluated_on_a_folder_of_images(pairs):
    i2izoo.register("methods", "grey")(Grey)
    result = i2izoo.evaluate(i2izoo.create("grey", levels=5), pairs / "photo", metrics=["mean", "seen"])
    assert result["mean"].value == pytest.approx(5)
    assert result["seen"].value is None


class Plain(Dataset):
    """A dataset with nothing but what the interface asks for, and one name for all."""

    domains = ("label", "photo")
    kind = "paired"

    def __len__(self):
        return 3

    def sample(self, index, seed):
        assert seed is None
        return {"label": torch.full((3, 4, 4), index / 4), "photo": torch.full((3, 4, 4), index / 4)}

    def name(self, index):
        return "a/image"


def test_any_dataset_will_do_and_names_become_those_of_files(tmp_path):
    result = i2izoo.evaluate(
        i2izoo.create("offset"), Plain(), metrics=["seen", "mean"], out=tmp_path / "out", keep_images=True
    )
    assert result.names == ["a_image-0", "a_image-1", "a_image-2"]
    assert {p.stem for p in (tmp_path / "out" / "images").iterdir()} == set(result.names)
    assert result["mean"].value == 0


class Many(Plain):
    """700 images that count how many of them are alive."""

    alive = most = 0

    def __len__(self):
        return 700

    def sample(self, index, seed):
        images = {domain: torch.full((3, 4, 4), index / 700) for domain in self.domains}
        Many.alive += 1
        Many.most = max(Many.most, Many.alive)
        weakref.finalize(images["label"], Many._gone)
        return images

    @staticmethod
    def _gone():
        Many.alive -= 1


def test_memory_does_not_grow_with_the_images():
    class Blind(Drawn):
        def update(self, prediction):
            return prediction.mean(dim=(1, 2, 3)).double()

    i2izoo.register("metrics", "blind")(Blind)
    result = i2izoo.evaluate(i2izoo.create("offset"), Many(), metrics=["blind", "mean"])
    assert len(result.values["blind.own"]) == 700
    assert Many.most <= 256 + 2 * 16  # those that are read ahead, and a batch on its way


# -------------------------------------------------------------------------------------------------------------- metrics


def test_a_variant_names_itself(pairs):
    model = i2izoo.create("offset")
    asked = ["mean", "mean[1]", {"name": "mean", "channel": 2, "power": 2}]
    result = i2izoo.evaluate(model, pairs, metrics=asked)
    assert list(result.scores) == ["mean", "mean[1]", "mean[2]"]
    assert result.protocol.metrics["mean[2]"] == {"name": "mean", "channel": 2, "power": 2}
    assert list(i2izoo.evaluate(model, pairs, metrics=["mean[all]"]).scores) == ["mean"]


@pytest.mark.parametrize(
    ("metrics", "kind", "message"),
    [
        (["sene"], UnknownNameError, "did you mean 'seen'"),
        (["seen[3]"], ConfigError, "has no variants"),
        (["seen", "seen"], ConfigError, "twice"),
        ("seen", ConfigError, "is a list"),
        ([{"power": 2}], ConfigError, "needs a 'name'"),
        ([{"name": "mean", "pwer": 2}], ConfigError, "did you mean 'power'"),
    ],
)
def test_a_wrong_metric_is_one_clear_sentence(pairs, metrics, kind, message):
    with pytest.raises(kind, match=message):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=metrics)
    assert Offset.calls == []


@pytest.mark.parametrize("at", ["prepare", "update", "compute"])
def test_a_metric_that_cannot_go_on_leaves_the_others_alone(pairs, tmp_path, at):
    failing = {"name": "failing", "at": at, "after": 1 if at == "update" else 0}
    result = i2izoo.evaluate(
        i2izoo.create("offset", levels=2), pairs, metrics=[failing, "seen"], batch_size=2, out=tmp_path / "out"
    )
    assert result["seen"].value == pytest.approx(2)
    assert result["failing"].value is None
    assert result["failing"].reason == f"needs what is not here ({at})"
    assert "failing" not in result.values
    again = Result.load(tmp_path / "out")
    assert again["failing"].reason == result["failing"].reason
    assert (tmp_path / "out" / "per-image.csv").read_text().splitlines()[0] == "name,seen"


def test_nothing_is_translated_for_metrics_that_cannot_be_computed(pairs):
    result = i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["failing", "spread"])
    assert Offset.calls == []
    assert "samples=2" in result["spread"].reason
    assert [s.value for s in result.scores.values()] == [None, None]


def test_too_few_images_are_a_reason_and_few_a_note(tmp_path):
    model = i2izoo.create("offset")
    few = i2izoo.evaluate(model, make_pairs(tmp_path / "a", count=4), metrics=["demanding"])["demanding"]
    some = i2izoo.evaluate(model, make_pairs(tmp_path / "b", count=6), metrics=["demanding"])["demanding"]
    assert few.reason == "needs at least 5 images; found 4"
    assert some.value == 0
    assert "6 images" in some.notes[0]
    assert "10" in some.notes[0]


# ----------------------------------------------------------------------------------------------------------- references


def test_references_are_kept_by_the_hash_of_their_data(pairs):
    model = i2izoo.create("offset", levels=7)
    first = i2izoo.evaluate(model, pairs, metrics=["mean"])
    assert sum(map(len, Mean.references)) == 6
    second = i2izoo.evaluate(model, pairs, metrics=["mean"])
    assert sum(map(len, Mean.references)) == 6
    assert first["mean"].value == second["mean"].value == pytest.approx(7)
    for change in ({"size": 8}, {"limit": 3}, {"metrics": [{"name": "mean", "power": 2}]}):
        Mean.references.clear()
        i2izoo.evaluate(model, pairs, **{"metrics": ["mean"], **change})
        assert Mean.references, change
    Mean.references.clear()
    Image.new("RGB", (16, 12), (200,) * 3).save(pairs / "photo" / "p0.png")
    assert i2izoo.evaluate(model, pairs, metrics=["mean"])["mean"].value > 7
    assert Mean.references


def test_a_damaged_reference_is_made_anew(pairs, tmp_path):
    model = i2izoo.create("offset", levels=7)
    i2izoo.evaluate(model, pairs, metrics=["mean"])
    (kept,) = (tmp_path / "cache" / "references").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-9])
    Mean.references.clear()
    assert i2izoo.evaluate(model, pairs, metrics=["mean"])["mean"].value == pytest.approx(7)
    assert Mean.references
    assert kept.read_bytes() == whole


def test_references_do_without_a_place_to_keep_them(pairs, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path / "file"))
    assert i2izoo.evaluate(i2izoo.create("offset", levels=7), pairs, metrics=["mean"])["mean"].value == pytest.approx(7)


# ------------------------------------------------------------------------------------------------------------- protocol


def test_the_same_protocol_gives_the_same_numbers_bit_for_bit(pairs, tmp_path):
    model = i2izoo.create("offset", levels=2.5)
    first = i2izoo.evaluate(
        model, pairs, metrics=["psnr", "ssim", "mean", "drawn"], seed=3, limit=5, more=1.0, out=tmp_path / "a"
    )
    shutil.copytree(pairs, tmp_path / "elsewhere" / "pairs")  # the place of the data does not matter
    i2izoo.evaluate(model, tmp_path / "elsewhere" / "pairs", protocol=tmp_path / "a", out=tmp_path / "b")
    for name in ("protocol.json", "scores.json", "per-image.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert Protocol.load(tmp_path / "a" / "protocol.json") == first.protocol
    assert first.protocol.seed == 3
    assert first.protocol.options == {"more": 1.0}
    assert {"i2izoo", "python", "torch", "torchmetrics"} <= set(first.protocol.versions)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"seed": 1}, "seed=1 contradicts the protocol, which has 0"),
        ({"size": 8}, r"size=\[8, 8\] contradicts"),
        ({"limit": 2}, "limit=2 contradicts"),
        ({"metrics": ["psnr"]}, "metrics psnr contradict"),
        ({"more": 2.0}, "options=.*contradicts"),
        ({"split": "val"}, "split='val' contradicts"),
    ],
)
def test_an_argument_that_contradicts_the_protocol_is_an_error(pairs, argument, message):
    protocol = i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"]).protocol
    with pytest.raises(EvaluationError, match=message):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, protocol=protocol, **argument)


def test_other_data_than_the_protocols_is_an_error(pairs):
    protocol = i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"]).protocol
    i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"], protocol=protocol)
    (pairs / "label" / "p0.png").write_bytes((pairs / "label" / "p1.png").read_bytes())
    with pytest.raises(EvaluationError, match=f"expected 6 images .*{protocol.data_sha256[:16]}"):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, protocol=protocol)


def test_other_versions_than_the_protocols_are_said(pairs):
    result = i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"])
    older = Protocol(**{**result.protocol.config, "versions": {**result.protocol.versions, "torch": "1.0"}})
    again = i2izoo.evaluate(i2izoo.create("offset"), pairs, protocol=older)
    assert "torch 1.0 (here " in again.notes[0]
    assert result.notes == ()


def test_data_comes_from_the_protocol_where_it_has_a_name():
    model = i2izoo.create("offset")
    protocol = i2izoo.evaluate(model, "synthetic-facades", metrics=["seen"], limit=2, size=8).protocol
    assert i2izoo.evaluate(model, protocol=protocol).protocol == protocol
    with pytest.raises(EvaluationError, match="name the data"):
        i2izoo.evaluate(model)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "no JSON object"), ('{"n": 3}', "no protocol that this i2izoo understands")],
)
def test_a_file_that_is_no_protocol_is_said(pairs, tmp_path, text, message):
    (tmp_path / "protocol.json").write_text(text)
    with pytest.raises(EvaluationError, match=message):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, protocol=tmp_path)
    with pytest.raises(EvaluationError, match="no protocol file"):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, protocol=tmp_path / "none.json")


@pytest.mark.parametrize("bad", [{"size": 0}, {"size": [8]}, {"size": "8"}, {"samples": 0}, {"limit": 0}, {"seed": -1}])
def test_settings_that_cannot_be_are_refused(pairs, bad):
    with pytest.raises(OptionTypeError, match=next(iter(bad))):
        i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["seen"], **bad)


# -------------------------------------------------------------------------------------------------- images elsewhere


def test_images_made_elsewhere_have_the_scores_of_the_model_that_made_them(pairs, tmp_path):
    metrics = ["psnr", "seen", "mean", "spread"]
    model = i2izoo.create("offset", levels=4)
    made = i2izoo.evaluate(model, pairs, metrics=metrics, out=tmp_path / "out", keep_images=True, samples=2, more=1.0)
    found = i2izoo.evaluate(str(tmp_path / "out" / "images"), pairs, metrics=metrics, to="photo")
    assert found.values["psnr"] == made.values["psnr"]
    assert found["mean"] == made["mean"]
    assert (found.protocol.source, found.protocol.to) == ("label", "photo")
    assert "needs a model" in found["spread"].reason
    again = i2izoo.evaluate(tmp_path / "out" / "images", pairs, protocol=made.protocol)
    assert again.values == found.values
    limited = i2izoo.evaluate(tmp_path / "out" / "images", pairs, metrics=["seen"], to="photo", limit=3)
    assert limited["seen"].n == 3  # what is of the data beyond the limit does no harm
    with pytest.raises(EvaluationError, match=r"say which domain .*to='photo'"):
        i2izoo.evaluate(tmp_path / "out" / "images", pairs, metrics=["seen"])


def test_a_pretrained_folder_is_no_folder_of_images(pairs, tmp_path):
    folder = i2izoo.create("offset", levels=3).save_pretrained(tmp_path / "model")
    Image.new("RGB", (4, 4)).save(folder / "example.png")
    result = i2izoo.evaluate(folder, pairs, metrics=["seen"])
    assert result["seen"].value == pytest.approx(3)
    assert result.model == str(folder)


# -------------------------------------------------------------------------------------------------------------- results


def test_a_result_comes_back_as_it_was(pairs, tmp_path):
    result = i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["psnr", "failing"], out=tmp_path / "out")
    assert result["psnr"].value == math.inf  # nothing differs
    text = (tmp_path / "out" / "scores.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["scores"]["psnr"]["value"] == "inf"
    again = Result.load(tmp_path / "out")
    assert again == result
    assert Result.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    lines = (tmp_path / "out" / "per-image.csv").read_text().splitlines()
    assert lines[:2] == ["name,psnr", "p0,inf"]
    assert str(tmp_path) not in text


def test_a_result_prints_a_table_and_what_was_not_computed(pairs):
    text = str(i2izoo.evaluate(i2izoo.create("offset", levels=51), pairs, metrics=["psnr", "failing"]))
    assert "label -> photo, 6 images of pairs" in text
    assert "13.98 dB" in text
    assert "failing: not computed: needs what is not here (prepare)." in text


def test_costs_are_measured_where_asked_for(pairs, tmp_path):
    model = i2izoo.create("offset", levels=51)
    result = i2izoo.evaluate(model, pairs, metrics=["seen"], costs=True, out=tmp_path / "out")
    assert result.costs.parameters == model.num_parameters == 2
    assert result.costs.seconds > 0
    assert "2 parameters" in str(result)
    assert Result.load(tmp_path / "out").costs == result.costs
    assert i2izoo.evaluate(pairs / "photo", pairs, metrics=["seen"], to="photo", costs=True).costs.seconds is None
    assert i2izoo.evaluate(model, pairs, metrics=["seen"]).costs is None


def test_a_label_that_was_not_evaluated_gives_close_matches(pairs):
    result = i2izoo.evaluate(i2izoo.create("offset"), pairs, metrics=["psnr"])
    with pytest.raises(UnknownNameError, match="did you mean 'psnr'"):
        result["pnsr"]


def test_what_goes_onto_a_card():
    protocol = Protocol(data="d", data_sha256="0", source="a", to="b", metrics={}, n=9, split="val")
    scores = {
        "psnr": Score(12.3456789, 11.0, 13.0, n=9, unit="dB"),
        "ssim": Score(math.inf, n=9),
        "fid": Score(None, reason="needs weights"),
        "fcn": Score(0.5, n=9, reference=0.75, notes=("Few.",)),
    }
    rows = Result("m", protocol, scores).card_metrics()
    assert rows["psnr"] == {"value": 12.3457, "on": "val", "n": 9, "unit": "dB", "95 % interval": "11 to 13"}
    assert rows["ssim"]["value"] == "inf"
    assert rows["fcn"] == {"value": 0.5, "on": "val", "n": 9, "true images": 0.75, "note": "Few."}
    assert "fid" not in rows
    json.dumps(rows, allow_nan=False)
