"""The HTML report in a real browser: it runs without errors, sorts, zooms, and shows something."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import SCHEMES, acted, browse, needs_browser, told
from PIL import Image
from report_example import MODELS, comparison

from i2izoo.report.page import write_report

pytestmark = needs_browser

ACT = """
const all = (what, root = document) => [...root.querySelectorAll(what)];
const models = () => all("#scores tbody .name").map(each => each.textContent);
const sorted = () => all("#scores thead [aria-sort]").map(each => [each.cellIndex, each.getAttribute("aria-sort")]);
const change = (form, name, value) => {
  form.elements[name].value = value;
  form.dispatchEvent(new Event("change", {bubbles: true}));
};
const press = (where, key) => where.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));

found.given = models();
const heads = all("#scores thead button");
heads[1].click(); found.psnr = [models(), sorted()];
heads[1].click(); found.psnrAgain = [models(), sorted()];
heads[3].click(); found.fid = [models(), sorted()];
heads[0].click(); found.names = [models(), sorted()];

const row = document.querySelector(".case:not([hidden]) .row");
const frame = all(".frame", row)[2];
frame.scrollIntoView({behavior: "instant"});
const box = frame.getBoundingClientRect();
const move = (x, y) => frame.dispatchEvent(new PointerEvent("pointermove",
  {clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerType: "mouse", bubbles: true}));
const drawn = () => all("img", row).map(image => {
  const style = getComputedStyle(image);
  return [style.transform, style.imageRendering, style.transformOrigin];
});
found.still = drawn();
move(.25, .5); found.zoomed = drawn(); found.width = box.width;
row.dispatchEvent(new PointerEvent("pointerleave")); found.left = drawn();

const which = document.getElementById("which");
const shown = () => all(".case:not([hidden])").map(each => each.dataset.name);
found.chosen = shown();
change(which, "kind", "worst"); found.worst = [shown(), document.getElementById("told").textContent];
change(which, "model", "1"); found.worstOfSecond = shown();
change(which, "kind", "chosen"); found.chosenAgain = shown();

const viewer = document.getElementById("viewer");
const title = () => document.getElementById("viewer-title").textContent;
frame.click(); found.viewer = [viewer.open, title()];
press(viewer, "ArrowRight"); found.right = title();
press(viewer, "ArrowDown"); found.down = title();
press(viewer, "ArrowUp"); press(viewer, "ArrowLeft"); press(viewer, "ArrowLeft"); found.back = title();
document.querySelector("[data-go=close]").click(); found.closed = !viewer.open;

const dots = () => all("#plot circle");
const plot = () => document.querySelector("#plot svg");
found.dots = dots().length;
found.corners = all("#plot .corner").map(each => each.textContent);
const lowest = dots().reduce((a, b) => Number(a.getAttribute("cx")) < Number(b.getAttribute("cx")) ? a : b);
const place = lowest.getBoundingClientRect();
plot().dispatchEvent(new PointerEvent("pointermove", {clientX: place.x + 5, clientY: place.y + 5}));
found.point = [document.querySelector("#point h3").textContent, all("#point img").length,
  document.querySelector("#point .read").textContent];
plot().dispatchEvent(new MouseEvent("click", {clientX: place.x + 5, clientY: place.y + 5}));
found.case = document.querySelector(".case.found")?.dataset.name;
press(plot(), "ArrowRight"); found.next = document.querySelector("#point h3").textContent;
change(document.getElementById("axes"), "y", "1 0"); found.diagonals = all("#plot .diagonal").length;

const toggle = document.querySelector(".intervals"), interval = document.querySelector("#scores .ci");
const seen = () => interval.getClientRects().length > 0;
found.intervals = [seen()];
toggle.click(); found.intervals.push(seen());

found.sideways = document.documentElement.scrollWidth > innerWidth;
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def example(folder):
    return comparison(folder, n=16)


@pytest.fixture(scope="module")
def report(example, folder) -> Path:
    return write_report(example, folder / "report.html", cases=3)


@pytest.fixture(scope="module")
def found(report, folder) -> dict:
    page = folder / "acted.html"
    page.write_text(acted(report.read_text(encoding="utf-8"), ACT), encoding="utf-8")
    return told(page.as_uri(), "--window-size=1200,1000")


def test_no_errors(found):
    assert found["problems"] == []
    assert not found["sideways"]


def test_sorting(example, found):
    def order(label: str, reverse: bool) -> list[str]:
        def value(result):
            score = result.scores[label].value
            return float("inf") if score is None else -score if reverse else score

        return [result.model for result in sorted(example.results, key=value)]

    assert found["given"] == list(MODELS)
    assert found["psnr"] == [order("psnr", reverse=True), [[1, "descending"]]]  # higher is better: best first
    assert found["psnrAgain"] == [order("psnr", reverse=False), [[1, "ascending"]]]
    assert found["fid"] == [order("fid", reverse=False), [[3, "ascending"]]]
    assert found["fid"][0][-1] == "runs/broken"  # not computed: last
    assert found["names"] == [sorted(MODELS), [[0, "ascending"]]]


def test_intervals_are_there_until_a_reader_puts_them_away(found):
    assert found["intervals"] == [True, False]


def test_magnifier_shows_one_place_in_all_images(found):
    assert {drawn[0] for drawn in found["still"]} == {"none"}
    assert found["left"] == found["still"]
    assert len(found["zoomed"]) == 7
    (transform, rendering, origin), *others = found["zoomed"]
    assert all(other == [transform, rendering, origin] for other in others)
    assert transform.startswith("matrix(3, 0, 0, 3")
    assert rendering == "pixelated"
    assert float(origin.split("px")[0]) == pytest.approx(0.25 * found["width"], rel=0.01)


def test_worst_of_each_model(example, found):
    def rising(m: int) -> list[str]:
        result = example.results[m]
        values = dict(zip(result.names, result.values["psnr"], strict=True))
        return sorted(values, key=values.get)

    names, told = found["worst"]
    assert found["chosen"] == found["chosenAgain"] == ["102", "108", "113"]
    assert names
    assert names == rising(0)[: len(names)]
    assert f"the worst psnr of {MODELS[0]}" in told
    assert found["worstOfSecond"] == rising(1)[: len(found["worstOfSecond"])]


def test_viewer_walks_through_sides_and_cases(found):
    opened, title = found["viewer"]
    assert opened
    assert title.startswith(f"102  ·  {MODELS[0]}  ·  psnr ")
    assert found["right"].startswith(f"102  ·  {MODELS[1]}")
    assert found["down"].startswith(f"108  ·  {MODELS[1]}")
    assert found["back"] == "102  ·  truth: photo"
    assert found["closed"]


def test_scatter(example, found):
    first, second = (dict(zip(r.names, r.values["psnr"], strict=True)) for r in example.results[:2])
    assert found["dots"] == 16
    better = sum(second[name] > first[name] for name in first)
    assert found["corners"] == [f"{MODELS[1]} better on {better}", f"{MODELS[0]} better on {16 - better}"]
    name, images, read = found["point"]
    assert name == min(first, key=first.get)
    assert images == 4  # input, truth and the two models
    assert f"{first[name]:.2f}" in read
    assert f"{second[name]:.2f}" in read
    assert found["case"] == name
    assert found["next"] == sorted(first, key=first.get)[1]
    assert found["diagonals"] == 0  # psnr against ssim


@pytest.mark.parametrize(("scheme", "lightness"), [("light", (240, 255)), ("dark", (10, 60))])
def test_screenshot(report, folder, scheme, lightness):
    screenshot = folder / f"{scheme}.png"
    browse(report.as_uri(), f"--screenshot={screenshot}", "--window-size=1000,1800", SCHEMES[scheme])
    image = Image.open(screenshot).convert("RGB")
    assert image.size == (1000, 1800)
    colours = sorted(image.getcolors(1 << 24), reverse=True)
    paper = sum(colours[0][1]) / 3
    assert lightness[0] <= paper <= lightness[1]
    assert 0.3 < colours[0][0] / (1000 * 1800) < 0.97  # paper, and much that is not
    assert len(colours) > 500
