"""`i2izoo evaluate`: what it prints, what it writes, how it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluating import make_pairs, mark, register_all

import i2izoo
from i2izoo.cli.main import main
from i2izoo.evaluation.result import Result
from i2izoo.models.cards import read_card


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    register_all(monkeypatch, tmp_path)


@pytest.fixture
def pairs(tmp_path) -> str:
    return str(make_pairs(tmp_path / "pairs"))


@pytest.fixture
def model(tmp_path) -> str:
    made = i2izoo.create("offset", levels=51)
    made.config["provenance"] = {"data": "pairs", "licence": "Apache-2.0", "metrics": {"old": {"value": 1.0}}}
    return str(made.save_pretrained(tmp_path / "model"))


def test_it_prints_a_table_then_what_to_know(model, pairs, capsys):
    assert main(["evaluate", model, "--data", pairs, "--metrics", "psnr,mean[1],demanding,failing"]) == 0
    out = capsys.readouterr().out
    table, failing, remarks = out.partition("failing: ")
    remarks = failing + remarks
    assert "label -> photo, 6 images of pairs" in table
    assert "psnr ↑" in table
    assert "13.98 dB" in table
    assert "mean[1] ↓" in table
    assert "not computed" in table
    assert "failing: not computed: needs what is not here (prepare)." in remarks
    assert "demanding: 6 images" in remarks


def test_all_flags_reach_the_evaluation(model, pairs, tmp_path):
    command = f"evaluate {model} --data {pairs} --metrics seen --to photo --size 6,8 --samples 2 --seed 7 --limit 3"
    assert main([*command.split(), "--batch-size", "2", "--out", str(tmp_path / "out"), "more=1"]) == 0
    protocol = Result.load(tmp_path / "out").protocol
    assert (protocol.size, protocol.samples, protocol.seed, protocol.limit) == ([6, 8], 2, 7, 3)
    assert protocol.options == {"more": 1}
    again = ["evaluate", model, "--data", pairs, "--protocol", str(tmp_path / "out" / "protocol.json")]
    assert main([*again, "--out", str(tmp_path / "again")]) == 0
    assert Result.load(tmp_path / "again") == Result.load(tmp_path / "out")


def test_images_made_elsewhere(pairs, capsys):
    assert main(["evaluate", f"{pairs}/label", "--data", pairs, "--metrics", "seen", "--to", "photo"]) == 0
    assert "0 levels" in capsys.readouterr().out


def test_card_has_the_numbers_and_the_protocol_beside_it(model, pairs, capsys):
    assert main(["evaluate", model, "--data", pairs, "--metrics", "psnr,failing", "--card"]) == 0
    assert "README.md" in capsys.readouterr().out
    folder = Path(model)
    facts = json.loads((folder / "config.json").read_text())["provenance"]
    assert facts["data"] == "pairs"  # all else stays
    assert list(facts["metrics"]) == ["psnr"]
    assert facts["metrics"]["psnr"]["value"] == pytest.approx(13.9794, abs=1e-4)
    assert read_card(folder)["model-index"][0]["results"][0]["metrics"][0]["value"] == facts["metrics"]["psnr"]["value"]
    scores = json.loads((folder / "evaluation" / "scores.json").read_text())
    assert scores["model"] == "model"
    assert scores["protocol"] == json.loads((folder / "evaluation" / "protocol.json").read_text())
    i2izoo.load(model)  # weights and config still belong together
    protocol = f"{model}/evaluation/protocol.json"
    before = (folder / "README.md").read_bytes()
    assert main(["evaluate", model, "--data", pairs, "--protocol", protocol, "--card"]) == 0
    assert (folder / "README.md").read_bytes() == before


def test_a_card_of_its_authors_own_keeps_their_words(model, pairs):
    path = Path(model) / "README.md"
    before, _, after = path.read_text().partition("## Metrics")
    licence = after[after.index("## Licence") :]
    path.write_text(f"{before}My own words.\n\n## Metrics\n\nold | table\n\n{licence}\nThe end.\n")
    assert main(["evaluate", model, "--data", pairs, "--metrics", "psnr", "--card"]) == 0
    text = path.read_text()
    assert "My own words.\n\n## Metrics\n" in text
    assert "| psnr | 13.98 |" in text
    assert "old | table" not in text
    assert text.endswith("\nThe end.\n")
    assert read_card(model)["license"] == "apache-2.0"
    path.write_text(before.partition("# model")[0] + "# model\n\nNo numbers yet.\n")
    assert main(["evaluate", model, "--data", pairs, "--metrics", "psnr", "--card"]) == 0
    assert path.read_text().count("## Metrics") == 1
    assert "No numbers yet." in path.read_text()


def test_columns_of_trivial_answers_stay_while_they_are_of_the_same_images(model, pairs):
    path = Path(model) / "config.json"
    config = json.loads(path.read_text())
    config["provenance"]["metrics"] = {"psnr": {"value": 3.0, "on": "pairs", "n": 6, "mean image": 13.4}}
    path.write_text(json.dumps(config))
    command = ["evaluate", model, "--data", pairs, "--metrics", "psnr", "--card"]
    assert main(command) == 0
    assert json.loads(path.read_text())["provenance"]["metrics"]["psnr"]["mean image"] == 13.4
    assert main([*command, "--limit", "3"]) == 0
    assert "mean image" not in json.loads(path.read_text())["provenance"]["metrics"]["psnr"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--size", "big"], "--size is a side or HEIGHT,WIDTH"),
        (["--metrics", "sene"], "did you mean 'seen'"),
        (["--metrics", ","], "--metrics names at least one metric"),
        (["--protocol", "none.json"], "no protocol file 'none.json'"),
        (["mroe=1"], "has no option 'mroe'; did you mean 'more'"),
        (["--data", "nowhere"], "there is no folder or file 'nowhere'"),
    ],
)
def test_mistakes_are_one_sentence(model, pairs, capsys, extra, message):
    assert main(["evaluate", model, "--data", pairs, "--metrics", "seen", *extra]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_card_wants_a_pretrained_folder(pairs, capsys):
    assert main(["evaluate", f"{pairs}/photo", "--data", pairs, "--to", "photo", "--card"]) == 2
    assert "--card writes into a pretrained folder" in capsys.readouterr().err


@pytest.mark.parametrize(("bad", "code"), [("nan", 2), ("interrupt", 130)])
def test_a_stopped_evaluation_shows_and_keeps_what_was_done(pairs, tmp_path, capsys, bad, code):
    mark(Path(pairs), 3)
    model = str(i2izoo.create("offset", levels=51, bad=bad).save_pretrained(tmp_path / "bad"))
    before = (Path(model) / "README.md").read_bytes()
    command = ["evaluate", model, "--data", pairs, "--metrics", "psnr", "--batch-size", "1", "--card"]
    assert main([*command, "--out", str(tmp_path / "out")]) == code
    found = capsys.readouterr()
    assert "13.98 dB" in found.out
    assert "3 of 6 images" in found.out
    assert f"{tmp_path / 'out'}" in found.err
    assert Result.load(tmp_path / "out")["psnr"].n == 3
    assert (Path(model) / "README.md").read_bytes() == before


def test_a_model_of_two_directions_keeps_the_numbers_of_both(pairs, tmp_path):
    tiny = {"name": "resnet_6blocks", "width": 2}
    made = i2izoo.create("cyclegan", domains=["label", "photo"], generator=tiny)
    folder = made.save_pretrained(tmp_path / "both")
    values = {}
    for to in ("photo", "label", "photo"):
        assert main(["evaluate", str(folder), "--data", pairs, "--to", to, "--metrics", "psnr", "--card"]) == 0
        scores = json.loads((folder / "evaluation" / to / "scores.json").read_text())
        assert scores["protocol"]["to"] == to
        values[f"psnr to {to}"] = pytest.approx(scores["scores"]["psnr"]["value"], rel=1e-4)
    metrics = json.loads((folder / "config.json").read_text())["provenance"]["metrics"]
    assert {label: row["value"] for label, row in metrics.items()} == values
