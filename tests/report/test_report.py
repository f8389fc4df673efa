"""The HTML report as a file: complete, escaped, small, the same each time, and asking for nothing outside."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_example import FID_NOTE, MODELS, REASON, comparison, protocol

from i2izoo.errors import EvaluationError
from i2izoo.evaluation.comparison import load_comparison, to_dict
from i2izoo.evaluation.result import Comparison, Result
from i2izoo.files.writing import write_text
from i2izoo.interfaces import Score
from i2izoo.report.images import embed
from i2izoo.report.page import write_report
from i2izoo.report.selection import by_rank, spread
from i2izoo.report.view import columns

VOID = {"meta", "img", "input", "br", "wbr", "link", "path", "rect", "line", "circle"}
HOSTILE = """<b>a&b</b>"'</script><script>alert(1)</script>"""


class Page(HTMLParser):
    """Elements as (tag, attributes), and the text outside scripts and styles; checks that tags are balanced."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text, self.raw = "", {"script": [], "style": []}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
            if tag in self.raw:
                self.raw[tag].append("")

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]][-1] += data
        else:
            self.text += data + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def data(self) -> dict:
        ids = [a.get("id") for a in self.all("script")]
        return json.loads(self.raw["script"][ids.index("data")])

    def cases(self, hidden: bool | None = None) -> list[str | None]:
        found = [a for a in self.all("section") if a.get("class") == "case"]
        return [a["data-name"] for a in found if hidden is None or hidden == ("hidden" in a)]


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Comparison:
    return comparison(tmp_path_factory.mktemp("example"), n=20)


@pytest.fixture(scope="module")
def file(example, tmp_path_factory) -> Path:
    return write_report(example, tmp_path_factory.mktemp("report") / "new folder" / "report.html", cases=4)


@pytest.fixture(scope="module")
def page(file) -> Page:
    return Page(file.read_text(encoding="utf-8"))


def test_nothing_outside_is_asked_for(page):
    loads = [
        a[key] for _, a in page.elements for key in ("src", "srcset", "poster", "data", "xlink:href") if a.get(key)
    ]
    assert loads
    assert all(address.startswith("data:image/webp;base64,") for address in loads)
    assert all(a["href"].startswith(("#", "data:")) for _, a in page.elements if "href" in a)
    assert not page.all("link")
    for style in page.raw["style"]:
        assert "url(" not in style
        assert "@import" not in style
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_every_score_is_in_the_table(example, page):
    cells = {a["data-value"] for a in page.all("td") if "data-value" in a}
    for result in example.results:
        for score in result.scores.values():
            assert score.value is None or repr(score.value) in cells
        assert result.model in page.text
        assert f"{result.costs.parameters / 1e6:.1f} M" in page.text
        psnr = result["psnr"]
        assert f"{psnr.low:.2f} to {psnr.high:.2f}" in page.text  # half of the narrowest interval has two digits
        assert f"{psnr.value:.2f}" in page.text
    assert "31.2" in page.text  # milliseconds of 0.0312 s
    assert "0.7431" in page.text  # fcn_score of the true images


def test_warnings_reasons_and_failures_are_visible(page):
    assert page.text.count(FID_NOTE) == 1  # one footnote, whichever models it concerns
    assert f"not computed: {REASON}" in page.text
    assert sum(a.get("title") == f"not computed: {REASON}" for a in page.all("td")) == len(MODELS)
    assert "The output for image 110 holds NaN" in page.text
    assert "scored on 10 of 20 images" in page.text


def test_one_reason_is_one_footnote(tmp_path):
    needs = Score(None, reason="needs a file")
    results = [Result(m, protocol(3), {"fid": needs, "kid": needs}, notes=("Slow.",)) for m in ("a", "b")]
    page = Page(write_report(Comparison(protocol(3), results), tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "fid, kid  not computed: needs a file." in page.text
    assert "a, b  Slow." in page.text
    assert len([a for a in page.all("li") if a.get("id", "").startswith("note-")]) == 2


def test_protocol_is_there_to_copy_and_to_keep(example, page):
    link = next(a for a in page.all("a") if a.get("download") == "protocol.json")
    kept = json.loads(base64.b64decode(link["href"].split(",", 1)[1]))
    assert kept == example.protocol.config
    assert "96 x 96 px, bicubic" in page.text


def test_same_comparison_same_bytes(example, file, tmp_path):
    assert write_report(example, tmp_path / "again.html", cases=4).read_bytes() == file.read_bytes()


def test_worst_and_best_are_embedded(example, page):
    data = page.data()
    assert page.cases(hidden=False) == data["chosen"] == ["102", "107", "112", "117"]
    psnr = data["metrics"][0]
    values = dict(zip(example.results[1].names, example.results[1].values["psnr"], strict=True))
    rising = sorted(values, key=values.get)
    assert psnr["worst"][1]
    assert psnr["worst"][1] == rising[: len(psnr["worst"][1])]
    assert psnr["best"][1] == rising[::-1][: len(psnr["best"][1])]
    assert set(page.cases()) >= {name for m in data["metrics"] for names in m["worst"] + m["best"] for name in names}
    assert len(page.cases()) < 20
    assert set(data["thumbnails"]) == set(data["names"]) - set(page.cases())  # the scatter shows these


def test_size_stays_modest(tmp_path):
    """Images of pure noise, which no format makes small: 5 models and 12 cases of 256 x 256."""
    names = [f"{i:03}" for i in range(60)]
    noise = Image.effect_noise((256, 256), 60).convert("RGB")
    for place in ("inputs", "truths", *"01234"):
        (tmp_path / place).mkdir()
        for name in names:
            (tmp_path / place / f"{name}.png").symlink_to(tmp_path / "noise.png")
    noise.save(tmp_path / "noise.png")
    results = [
        Result(
            f"model {m}",
            protocol(60),
            {k: Score(0.5) for k in ("a", "b", "c")},
            names,
            {k: [(7 * i * (m + 2) + j * i * i) % 59 for i in range(60)] for j, k in enumerate(("a", "b", "c"))},
            images=tmp_path / str(m),
        )
        for m in range(5)
    ]
    many = Comparison(protocol(60), results, inputs=tmp_path / "inputs", truths=tmp_path / "truths")
    size = write_report(many, tmp_path / "report.html").stat().st_size
    case = 7 * len(embed(tmp_path / "noise.png", 1024).uri)
    assert 12 * case < size < 13 * case + 4_000_000 + 60 * 7 * 4000


def test_a_small_report_is_made_of_what_a_site_keeps(example, tmp_path):
    """comparison.json, and WebP images of the cases that are shown: no byte more than was allowed."""
    shown = spread(example.results[0].names, 12)
    kept = []
    for place in ("inputs", "truths", *(f"models/{m}" for m in range(len(MODELS)))):
        (tmp_path / place).mkdir(parents=True)
        for name in shown:
            if (own := example.inputs.parent / place / f"{name}.png").exists():
                Image.open(own).save(tmp_path / place / f"{name}.webp", quality=90)
                kept.append(tmp_path / place / f"{name}.webp")
    moved = [replace(r, images=tmp_path / "models" / str(m)) for m, r in enumerate(example.results)]
    stored = replace(example, results=moved, inputs=tmp_path / "inputs", truths=tmp_path / "truths")
    write_text(tmp_path / "comparison.json", json.dumps(to_dict(stored, tmp_path)))
    report = write_report(load_comparison(tmp_path), tmp_path / "small.html", cases=12, max_bytes=500_000)
    page = Page(report.read_text(encoding="utf-8"))
    assert report.stat().st_size <= 500_000
    assert page.cases() == page.cases(hidden=False) == shown
    assert page.data()["thumbnails"] == {}
    embedded = {base64.b64decode(a["src"].split(",", 1)[1]) for a in page.all("img") if a.get("src")}
    assert embedded == {path.read_bytes() for path in kept}  # not encoded a second time


def test_images_shrink_until_the_page_fits(example, tmp_path):
    whole = write_report(example, tmp_path / "whole.html", cases=4, max_bytes=10_000_000).stat().st_size
    report = write_report(example, tmp_path / "small.html", cases=4, max_bytes=whole - 1)
    assert report.stat().st_size < whole
    widths = [int(a["width"]) for a in Page(report.read_text(encoding="utf-8")).all("img") if "width" in a]
    assert widths
    assert max(widths) <= 96
    with pytest.raises(EvaluationError, match="max_bytes is 1,000; show fewer than 4 cases"):
        write_report(example, tmp_path / "small.html", cases=4, max_bytes=1000)
    assert report.exists()


def test_text_is_escaped(tmp_path):
    names = [HOSTILE.replace("/", "_"), "plain"]
    (tmp_path / "own").mkdir()
    for name in names:
        Image.new("RGB", (4, 4), "red").save(tmp_path / "own" / f"{name}.png")
    results = [
        Result(
            HOSTILE + str(m),
            protocol(2, data=HOSTILE, source=HOSTILE),
            {HOSTILE: Score(1.5, notes=(HOSTILE,), unit=HOSTILE), "none": Score(None, reason=HOSTILE)},
            names,
            {HOSTILE: [1.0 + m, 2.0]},
            problem=HOSTILE,
            images=tmp_path / "own",
        )
        for m in range(2)
    ]
    hostile = Comparison(protocol(2, data=HOSTILE, source=HOSTILE, versions={HOSTILE: HOSTILE}), results)
    text = write_report(hostile, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<b>a&b" not in text
    page = Page(text)
    assert page.data()["models"] == [HOSTILE + "0", HOSTILE + "1"]
    assert set(page.cases()) == set(names)
    assert not [a for _, a in page.elements if any(key.startswith("on") for key in a)]


def test_names_that_are_no_text(tmp_path):
    odd = "caf\udce9"  # a file name of bytes that are not UTF-8
    result = Result(odd, protocol(2), {"psnr": Score(1.0)}, [odd, "b"], {"psnr": [1.0, 2.0]})
    text = write_report(Comparison(protocol(2), [result]), tmp_path / "report.html").read_bytes().decode("utf-8")
    assert "caf?" in text


@pytest.mark.parametrize("models", [MODELS, MODELS[:1]])
def test_without_images(models, tmp_path):
    bare = comparison(tmp_path, models=models, images=False)
    page = Page(write_report(bare, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not page.all("img")[1:]  # only the empty one of the viewer
    assert "Image by image" in page.text
    assert page.cases() == []


def test_folders_that_vanished_and_images_that_are_damaged(tmp_path):
    partly = comparison(tmp_path, models=MODELS[:2], n=3)
    (tmp_path / "truths" / "100.png").write_bytes(b"no image")
    (tmp_path / "truths" / "101.png").unlink()
    partly.inputs = tmp_path / "gone"
    page = Page(write_report(partly, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.text.count("no image") == 2
    assert "input: label" not in page.text
    assert len(page.cases()) == 3


def test_no_values_of_single_images_and_no_truths(tmp_path):
    unpaired = comparison(tmp_path, models=MODELS[:2], n=3)
    unpaired.truths, unpaired.differences = None, []
    for result in unpaired.results:
        result.values.clear()
        del result.scores["psnr"], result.scores["ssim"]
    page = Page(write_report(unpaired, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "truth" not in page.text
    assert "Image by image" not in page.text
    assert "Which differences are real" not in page.text
    assert page.cases(hidden=False) == ["100", "101", "102"]


def test_infinite_and_undefined_values(tmp_path):
    names = ["a", "b", "c"]
    perfect = Result(
        "copy", protocol(3), {"psnr": Score(float("inf"))}, names, {"psnr": [float("inf"), float("nan"), 30.0]}
    )
    other = Result("other", protocol(3), {"psnr": Score(20.0, 19.0, 21.0)}, names, {"psnr": [20.0, 19.0, 21.0]})
    page = Page(
        write_report(Comparison(protocol(3), [perfect, other]), tmp_path / "r.html").read_text(encoding="utf-8")
    )
    assert "\u221e" in page.text
    assert page.data()["metrics"][0]["values"][0] == [None, None, 30.0]
    assert columns(Comparison(protocol(3), [perfect, other]))[0].best == {0}


def test_best_and_ties():
    """Lower is better; a model that failed cannot win; what the test does not tell from the best is a tie."""
    made = comparison(Path("none"), images=False)
    psnr = next(column for column in columns(made) if column.label == "psnr")
    means = [sum(r.values["psnr"]) / len(r.values["psnr"]) for r in made.results[:4]]
    assert psnr.best == {means.index(max(means))}
    assert psnr.ties == {0, 2} - psnr.best
    fid = next(column for column in columns(made) if column.label == "fid")
    assert fid.best == {0}  # 100.5
    made.results[0].problem = "stopped"
    assert next(column for column in columns(made) if column.label == "fid").best == {2}  # 102.5


def test_chosen_come_first(example, tmp_path):
    report = write_report(example, tmp_path / "r.html", cases=3, chosen=["119", "104"])
    shown = Page(report.read_text(encoding="utf-8")).data()["chosen"]
    assert shown[:2] == ["119", "104"]
    assert len(shown) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [({"chosen": ["1001"]}, "No image '1001' was evaluated.*There are: 100"), ({"cases": -1}, "cases is -1")],
)
def test_mistakes_leave_the_old_file(example, tmp_path, options, message):
    place = tmp_path / "r.html"
    place.write_text("old")
    with pytest.raises(EvaluationError, match=message):
        write_report(example, place, **options)
    assert place.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_a_folder_is_no_file_and_nothing_is_no_comparison(example, tmp_path):
    with pytest.raises(EvaluationError, match=re.escape("give the name of a file in it")):
        write_report(example, tmp_path)
    with pytest.raises(EvaluationError, match="no model"):
        write_report(Comparison(protocol(1), []), tmp_path / "r.html")


def test_spread_and_ranks():
    names = [str(i) for i in range(100)]
    assert spread(names, 4) == ["12", "37", "62", "87"]
    assert spread(names[:2], 12) == ["0", "1"]
    assert spread(names, 0) == []
    assert [name for _, name in by_rank([["a", "b", "c"], ["d", "a"]], without=[])] == ["a", "d", "b", "c"]


def _decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def test_label_maps_and_small_images_are_exact(tmp_path):
    label = Image.new("RGB", (200, 100), (0, 0, 170))
    label.paste((255, 85, 0), (3, 3, 50, 51))
    label.save(tmp_path / "label.png")
    noise = Image.effect_noise((9, 7), 80).convert("RGB")
    noise.save(tmp_path / "small.png")
    for name, own in (("label", label), ("small", noise)):
        kept = embed(tmp_path / f"{name}.png", 1024)
        assert _decoded(kept.uri).convert("RGB").tobytes() == own.tobytes()
        assert (kept.width, kept.height, kept.reduced) == (*own.size, False)


def test_large_grey_and_deep_images(tmp_path):
    Image.new("L", (300, 1200), 90).save(tmp_path / "tall.png")
    tall = embed(tmp_path / "tall.png", 1024)
    assert (tall.width, tall.height, tall.reduced) == (256, 1024, True)
    Image.new("I;16", (4, 4), 32896).save(tmp_path / "deep.png")  # 32896 = 128 * 257
    assert _decoded(embed(tmp_path / "deep.png", 1024).uri).convert("RGB").getpixel((0, 0)) == (128, 128, 128)


def test_an_image_that_is_made_smaller_takes_fewer_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.webp", quality=75)
    sizes = [len(embed(tmp_path / "a.webp", side, 50).uri) for side in (96, 80, 64)]
    assert sizes == sorted(sizes, reverse=True)
