"""Model cards: what the Hub's own parser reads back, and only facts that are there."""

import subprocess
import sys

import pytest
from huggingface_hub import ModelCard

from i2izoo.errors import StorageError
from i2izoo.models.cards import read_card, render_card

FULL = {
    "method": "cyclegan",
    "options": {"domains": ["label", "photo"]},
    "provenance": {
        "data": "cmp-facades",
        "data_url": "https://example.org/facades",
        "split": "train (400 images)",
        "steps": 20000,
        "epochs": 50,
        "batch_size": 1,
        "crop_size": 128,
        "hardware": "4 CPU cores",
        "seed": 0,
        "recipe": "cyclegan-facades",
        "date": "2025-01-02",
        "licence": "Apache-2.0",
        "citation": "@inproceedings{x, title={Y | Z}}",
        "metrics": {
            "psnr": {"value": 14.123456, "on": "val", "n": 100, "mean photo": 13.41, "nearest label": 10.7},
            "ssim": {"value": 0.3, "on": "val", "n": 100, "mean photo": 0.266},
        },
        "notes": "Half precision.",
        "limitations": ["Facades only.", "256 x 256 pixels."],
    },
}


def test_the_hub_reads_the_card_back():
    card = ModelCard(render_card(FULL, name="cyclegan-facades"))
    data = card.data.to_dict()
    assert data["library_name"] == "i2izoo"
    assert data["pipeline_tag"] == "image-to-image"
    assert data["license"] == "apache-2.0"
    assert data["tags"] == ["i2izoo", "cyclegan", "label", "photo"]
    assert data["datasets"] == ["cmp-facades"]
    (entry,) = data["model-index"]
    assert entry["name"] == "cyclegan-facades"
    values = {m["type"]: m["value"] for result in entry["results"] for m in result["metrics"]}
    assert values == {"psnr": 14.123456, "ssim": 0.3}
    assert card.data.eval_results[0].dataset_name == "cmp-facades (val)"


def test_the_body_states_the_facts():
    text = render_card(FULL, name="cyclegan-facades")
    assert 'model = i2izoo.load("cyclegan-facades")' in text
    assert 'model("image.png", to="photo")' in text
    assert "trained on [cmp-facades](https://example.org/facades)" in text
    assert "| Size | 128 x 128 pixels |" in text
    assert "| Seed | 0 |" in text  # zero is a fact, not a gap
    assert "```bash\ni2izoo train --recipe cyclegan-facades --data PATH --out runs/cyclegan-facades\n```" in text
    assert "| Metric | Value | Measured on | Images | mean photo | nearest label |" in text
    assert "| psnr | 14.12 | val | 100 | 13.41 | 10.7 |" in text
    assert "| ssim | 0.3 | val | 100 | 0.266 |  |" in text
    assert "- Facades only.\n- 256 x 256 pixels." in text
    assert "```bibtex\n@inproceedings{x, title={Y | Z}}\n```" in text


def test_label_maps_are_said():
    palette = [[0, 0, 0], [255, 0, 0], [0, 0, 255]]
    text = render_card(FULL | {"options": {"domains": ["label", "photo"], "label_maps": {"label": palette}}})
    assert "Images of `label` are label maps of 3 classes" in text
    assert "label maps" not in render_card(FULL)


def test_the_example_is_python():
    code = render_card(FULL).split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")


def test_without_provenance_nothing_is_claimed():
    text = render_card({"method": "tiny-method", "options": {}})
    assert ModelCard(text).data.to_dict() == {
        "library_name": "i2izoo",
        "pipeline_tag": "image-to-image",
        "tags": ["i2izoo", "tiny-method"],
    }
    for title in ["Training", "Metrics", "Limitations", "Citation", "Licence", "Notes"]:
        assert f"## {title}" not in text
    assert "None" not in text
    assert "to=" not in text


def test_a_licence_that_the_hub_does_not_know():
    text = render_card({"method": "m", "provenance": {"licence": "Research only: ask first!"}})
    data = ModelCard(text).data.to_dict()
    assert data["license"] == "other"
    assert data["license_name"] == "research-only-ask-first"
    assert "Research only: ask first!" in text


@pytest.mark.parametrize("title", ["a: b", "- x", "# y", "'q\"", "yes", "ünï", "{z}"])
def test_yaml_stays_yaml_whatever_the_names(title):
    config = {"method": "m", "options": {"domains": [title, "x"]}, "provenance": {"metrics": {"psnr": 1.0}}}
    data = ModelCard(render_card(config, name=title)).data.to_dict()
    assert data["tags"] == ["i2izoo", "m", title, "x"]
    assert data["model-index"][0]["name"] == title


def test_text_with_bars_newlines_and_fences_does_not_break_the_page():
    facts = {"hardware": "a | b\nc", "citation": "@misc{x, title={'```'}}"}
    text = render_card({"method": "m", "provenance": facts})
    assert "| Hardware | a \\| b c |" in text
    assert "````bibtex\n@misc{x, title={'```'}}\n````" in text


def test_read_card_gives_the_front_matter(tmp_path):
    (tmp_path / "README.md").write_text(render_card(FULL, name="x"), encoding="utf-8")
    card = read_card(tmp_path)
    assert card["license"] == "apache-2.0"
    assert card["tags"][1] == "cyclegan"


def test_read_card_says_what_is_wrong(tmp_path):
    with pytest.raises(StorageError, match=r"no model card \(README\.md\)"):
        read_card(tmp_path)
    (tmp_path / "README.md").write_text("# no front matter\n")
    with pytest.raises(StorageError, match="no front matter"):
        read_card(tmp_path)
    (tmp_path / "README.md").write_text("---\na: [1\n---\n# x\n")
    with pytest.raises(StorageError, match="is not YAML"):
        read_card(tmp_path)


def test_cards_do_not_import_torch():
    code = "import sys, i2izoo.models.cards as c; c.render_card({'method': 'm'}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_model_that_generates_says_how():
    text = render_card({"method": "ddim", "options": {"domains": ["label", "photo"]}, "directions": {"photo": None}})
    data = ModelCard(text).data.to_dict()
    assert (data["pipeline_tag"], data["tags"]) == ("unconditional-image-generation", ["i2izoo", "ddim", "photo"])
    assert "makes images of `photo` from nothing" in text
    assert "images = model.generate(4, seed=0)" in text
    assert "translate" not in text
    compile(text.split("```python\n")[1].split("```")[0], "card", "exec")
