"""The site as it is built: a page for each model, links that lead somewhere, and what a reader does in a browser."""

from __future__ import annotations

import html
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import tiny  # noqa: F401  (registers tiny-method)
from browser import SCHEMES, acted, needs_browser, told
from filelock import FileLock
from PIL import Image

import i2izoo
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import registry

ROOT = Path(__file__).parents[2]
OTHER, BROKEN = "night-streets", "lost-model"
FACTS = {"licence": "CC0-1.0", "data": "streets of one town", "crop_size": 64, "limitations": "Knows one town."}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Entries of another zoo package: one that is whole, and one whose files are missing."""
    place = tmp_path_factory.mktemp("zoo")
    folder = place / "other_zoo" / "entries" / OTHER
    model = i2izoo.create("tiny-method")
    model.config["provenance"] = FACTS
    model.save_pretrained(folder)
    (place / "other_zoo" / "__init__.py").touch()
    Image.new("RGB", (8, 8), "navy").save(folder / "a street.png")
    known = registry("pretrained")
    before = dict(known._registered)
    known.register(OTHER, PretrainedEntry("CC0-1.0", "Streets at night.", bundled=f"other_zoo/entries/{OTHER}"))
    known.register(BROKEN, PretrainedEntry("MIT", bundled="other_zoo/entries/none"))
    sys.path.insert(0, str(place))
    yield
    sys.path.remove(str(place))
    known._registered = before


@pytest.fixture(scope="module")
def site(zoo: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all workers, strictly: a warning is an error."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    base = tmp_path_factory.getbasetemp()
    place = (base.parent if base.name.startswith("popen-") else base) / "site"
    with FileLock(f"{place}.lock"):
        if not (place / "sitemap.xml").exists():
            build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(place), strict=True))
    return place


@dataclass(frozen=True)
class Page:
    """Anchors and references of a page."""

    ids: frozenset[str]
    links: tuple[str, ...]


@cache
def parsed(path: Path) -> Page:
    found = re.findall(r'\s(id|name|href|src)="([^"]*)"', re.sub(r"<pre.*?</pre>", "", text(path), flags=re.DOTALL))
    links = [html.unescape(value) for name, value in found if name in ("href", "src") and not value.startswith("data:")]
    return Page(frozenset(html.unescape(v) for name, v in found if name in ("id", "name")), tuple(links))


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_links_and_anchors_lead_somewhere(site):
    lost = []
    for path in sorted(site.rglob("*.html")):
        here = "/" + path.relative_to(site).as_posix().removesuffix("index.html")
        for link in parsed(path).links:
            at = urlsplit(urljoin(here, link))
            if at.scheme or at.netloc or path.name == "404.html":
                continue
            target = site / unquote(at.path).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            found = target.is_file() and (
                not at.fragment or target.suffix != ".html" or unquote(at.fragment) in parsed(target).ids
            )
            lost += [] if found or at.fragment.startswith("__") else [f"{here} -> {link}"]
    assert lost == []


def models() -> list[str]:
    """Names of all entries that are no checkpoints of other code."""
    return [n for n in registry("pretrained").names() if n != BROKEN and not registry("pretrained").get(n).checkpoints]


def test_what_authors_publish_is_a_table_of_its_own(site):
    overview = text(site / "models" / "index.html")
    rows = [re.sub(r"<[^>]+>", " ", row) for row in re.findall(r"<tr>.*?</tr>", overview, re.DOTALL)]
    entries = {n: registry("pretrained").get(n) for n in registry("pretrained").names()}
    for name, entry in ((n, e) for n, e in entries.items() if e.checkpoints and n not in models()):
        (row,) = (row for row in rows if name in row.split())
        ((to, source),) = entry.directions.items()
        assert f"{source} → {to}" in row
        assert entry.licence in row
        assert f"{entry.size / 1e6:.0f}" in row.split()
        assert not (site / "models" / name).exists()


def test_every_entry_has_a_page_and_a_row(site):
    overview = text(site / "models" / "index.html")
    for name in models():
        page = text(site / "models" / name / "index.html")
        assert re.search(rf"<h1[^>]*>{re.escape(name)}", page)
        assert f'load(</span><span class="s2">&quot;{name}&quot;' in page or name in re.sub(r"<[^>]+>", "", page)
        entry = registry("pretrained").get(name)
        assert entry.method in page
        if entry.bundled:  # the first lines are the call that it has
            called = re.sub(r"<[^>]+>", "", page)
            assert ("model.generate(4" in called) == (set(entry.directions.values()) == {None})
        assert f'href="../models/{name}/"' in overview
        rows = re.findall(r"<tr data-about.*?</tr>", overview)
        assert sum(f">{name}</a>" in row for row in rows) == len(entry.domains)


def test_the_page_says_what_lies_beside_the_weights(site):
    page = text(site / "models" / "pix2pix-facades" / "index.html")
    folder = registry("pretrained").get("pix2pix-facades").folder()
    scores = json.loads(text(folder / "evaluation" / "scores.json"))["scores"]
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    assert all(label in words for label in scores)
    assert f"{scores['psnr']['value']:.2f} dB" in words
    assert "knows no other images than label maps" in words  # the card's limitations
    assert "max_width: 128" in words  # the recipe
    assert f"{(folder / 'model.safetensors').stat().st_size / 1e6:.1f} MB" in words
    assert "assets/gallery/pix2pix-facades/label-to-photo.webp" in page


def test_a_zoo_of_others_has_its_page_and_its_images(site):
    page = text(site / "models" / OTHER / "index.html")
    assert "Streets at night." in page
    assert "Knows one town." in page
    (image,) = (link for link in parsed(site / "models" / OTHER / "index.html").links if "street.png" in unquote(link))
    assert Image.open(site / "models" / OTHER / unquote(image)).size == (8, 8)
    row = re.search(rf"<tr data-about=\"Streets at night\.\">.*?{OTHER}.*?</tr>", text(site / "models" / "index.html"))
    assert row
    assert "label → photo" in row[0]
    assert "cc0-1.0" in row[0]


def test_a_broken_entry_is_left_out(site):
    assert BROKEN not in text(site / "models" / "index.html")
    assert not (site / "models" / BROKEN).exists()


def test_without_scripts_the_table_of_models_is_whole(site):
    table = re.search(r'<div class="scores" id="zoo">.*?</table>', text(site / "models" / "index.html"), re.DOTALL)
    assert table
    assert "hidden" not in table[0]
    assert "<button" not in table[0]


def test_tables_are_made_for_narrow_screens(site):
    """Words become a list with labels, figures scroll under a first column; no table is left as it was."""
    assert '<td data-label="What it is for">' in text(site / "methods" / "index.html")
    assert '<table class="figures">' in text(site / "study" / "index.html")
    assert [path for path in site.rglob("index.html") if "<table>" in text(path)] == []


def test_intervals_are_shown_on_demand(site):
    results = text(site / "results" / "index.html")
    assert results.count('class="intervals"') == results.count('class="sortable"') > 5
    assert 'class="intervals" autocomplete="off" checked' not in results


def test_every_method_of_the_package_is_on_the_overview():
    overview = text(ROOT / "docs" / "methods" / "index.md")
    methods = [e.name for e in registry("methods").entries() if e.distribution == "i2izoo"]
    assert methods
    assert [name for name in methods if f"`{name}`" not in overview] == []


# ------------------------------------------------------------------------------------------------------ in a browser

FILTER = """
const rows = () => [...document.querySelectorAll("#zoo tbody tr")].filter(row => !row.hidden);
const names = () => rows().map(row => row.querySelector(".name").textContent);
const form = document.querySelector(".filters");
const set = (name, value) => {
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(new Event("input", {bubbles: true}));
};
const head = text => [...document.querySelectorAll("#zoo thead th")].find(each => each.textContent.startsWith(text));
found.all = names();
set("find", "two back"); found.searched = names();
set("find", ""); set("translates", "photo → label"); found.to_label = names();
set("method", "segmenter"); found.one = names(); found.count = form.querySelector("output").textContent;
found.address = decodeURIComponent(location.search);
set("method", ""); set("translates", "");
const parameters = () => rows().map(row => Number(row.cells[head("Parameters").cellIndex].dataset.value));
head("Parameters").querySelector("button").click(); found.rising = parameters();
head("Parameters").querySelector("button").click(); found.falling = parameters();
const labels = [...form.querySelectorAll(".columns label")];
const fid = head("fid"), box = labels.find(each => each.textContent.includes("fid"));
found.fid = [fid.hidden];
box.querySelector("input").click(); found.fid.push(fid.hidden);
"""

LOOK = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const over = (paper, colour) => {
  canvas.fillStyle = `rgb(${paper})`; canvas.fillRect(0, 0, 1, 1);
  canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const paper = element => over(element.parentElement ? paper(element.parentElement) : [255, 255, 255],
  getComputedStyle(element).backgroundColor);
const light = colour => colour.map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
const ratio = element => {
  const below = paper(element), [a, b] = [below, over(below, getComputedStyle(element).color)].map(light);
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
};
const speaks = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
const seen = element => element.getClientRects().length && speaks(element);

const frame = document.createElement("iframe");
Object.assign(frame.style, {width: "390px", height: "800px", border: 0});
document.body.append(frame);
Object.assign(found, {looked_at: 0, buttons: 0, low: [], wide: [], paper: []});
for (const page of PAGES) {
  await new Promise(loaded => { frame.onload = loaded; frame.src = page; });
  const shown = frame.contentDocument, size = shown.scrollingElement;
  if (size.clientWidth !== 390 || size.scrollWidth > 390) found.wide.push(`${page}: ${size.scrollWidth}`);
  const words = [...shown.querySelectorAll("main *")].filter(seen)
    .filter(each => !each.closest("pre, code, svg, .headerlink"));
  found.looked_at += words.length;
  found.buttons += shown.querySelectorAll("main .md-button, main button").length;
  found.low.push(...words.filter(each => ratio(each) < 4.5)
    .map(each => `${page}: ${each.tagName}.${each.className} "${each.textContent.trim().slice(0, 20)}"`));
  found.paper.push(light(paper(shown.body)));
}
"""


def tried(site: Path, page: str, script: str, *options: str) -> dict:
    """What a script found on a page of the site; a copy of the page lies beside it for that."""
    path = site / page
    with tempfile.NamedTemporaryFile("w", suffix=".tried.htm", dir=path.parent, encoding="utf-8") as copy:
        copy.write(acted(text(path), script))
        copy.flush()
        found = told(Path(copy.name).as_uri(), "--allow-file-access-from-files", *options)
    assert found["problems"] == []
    return found


@needs_browser
def test_the_table_of_models_filters_and_sorts(site):
    found = tried(site, "models/index.html", FILTER, "--window-size=1440,900")
    everything = models()
    assert sorted(set(found["all"])) == sorted(everything)
    both_ways = [n for n in everything if len(registry("pretrained").get(n).domains) > 1]
    assert set(found["searched"]) <= set(both_ways)
    assert found["searched"]
    to_label = [n for n in everything if "label" in registry("pretrained").get(n).domains]
    assert sorted(found["to_label"]) == sorted(to_label)
    assert found["one"] == ["segmenter-facades"]
    assert found["count"].startswith("1 of")
    assert "method=segmenter" in found["address"]
    assert found["rising"] == sorted(found["rising"])
    assert found["falling"] == found["rising"][::-1]
    assert found["fid"] == [True, False]


SHOWN = [
    "index.html",
    "methods/index.html",
    "models/index.html",
    "models/pix2pix-facades/index.html",
    "results/index.html",
]


@needs_browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_phone_no_page_is_too_wide_and_words_stand_out(site, scheme):
    script = f"const PAGES = {json.dumps(SHOWN)};" + LOOK
    found = tried(site, "404.html", script, SCHEMES[scheme], "--window-size=600,900", "--virtual-time-budget=200000")
    assert found["looked_at"] > 500
    assert found["buttons"]
    assert all((paper < 0.2) == (scheme == "dark") for paper in found["paper"])
    assert found["wide"] == []
    assert found["low"] == []
