"""Every code block of README.md, CONTRIBUTING.md and docs/ runs, page after page; so do the scripts in examples/.

A page runs from top to bottom in one namespace, in an empty folder that holds `examples/images`. Blocks by language:

- python: executed; `>>>` lines are doctests.
- bash, console: `i2izoo` commands run in this process, other commands in a shell, both must exit with 0. In a console
  block, which shows a session, what follows a command is what it prints (`...` stands for anything), and a command
  that prints `i2izoo: ...` must exit with 2. Commands that change the machine (`SKIPPED`) do not run.
- json, toml, csv, yaml: must parse; a yaml block whose first line is `# NAME.yaml` is that file for what follows.
- text: shown only.
"""

from __future__ import annotations

import contextlib
import csv
import doctest
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from i2izoo_originals import cyclegan
from originals import Resnet, drawn
from publishing import published
from scripts import script
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer
from web_server import web

from i2izoo.cli.main import main
from i2izoo.contracts.listing import list_models
from i2izoo.contracts.registry import KINDS, registry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
MODELS = [name for name in list_models(pretrained=True) if registry("pretrained").get(name).bundled]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SKIPPED = re.compile(
    r"pip |python -m (venv|pip|pytest|mkdocs)|\. \.venv|git |cd |hf auth|tensorboard |pytest|ruff |mypy|mkdocs |"
    r"export |pre-commit "
)
OUTPUT = doctest.OutputChecker()
OUTPUT_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def commands(text: str) -> Iterator[str]:
    """The single commands of a shell block, without comments and line continuations."""
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*", "", line)
        yield from filter(None, map(str.strip, line.split("&&")))


def run(command: str) -> tuple[int, str]:
    """Exit status and output of one command; nothing runs for those in `SKIPPED`."""
    if SKIPPED.match(command):
        return 0, ""
    if not command.startswith("i2izoo "):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
        return done.returncode, done.stdout + done.stderr
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(shlex.split(command)[1:])
    return code, printed.getvalue()


def run_bash(example: Example) -> str | None:
    for command in commands(example.parsed):
        code, output = run(command)
        if code:
            return f"{command!r} exits with {code}:\n{output}"
    return None


def run_console(example: Example) -> str | None:
    """Commands after `$ `, each followed by its output."""
    for part in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, wanted = re.sub(r"\\\n", " ", part).partition("\n")
        code, output = run(command.strip())
        if code != (2 if re.search("^i2izoo: ", wanted, re.MULTILINE) else 0):
            return f"{command!r} exits with {code}:\n{output}"
        if wanted.strip() and not OUTPUT.check_output(wanted.strip() + "\n", output.strip() + "\n", OUTPUT_FLAGS):
            return f"{command!r} prints\n{output}\nthe page says\n{wanted}"
    return None


def parses(reader: Callable[[str], Any]) -> Callable[[Example], None]:
    def evaluate(example: Example) -> None:
        reader(str(example.parsed))

    return evaluate


def write_yaml(example: Example) -> None:
    text = str(example.parsed)
    yaml.safe_load(text)
    if name := re.match(r"# ([\w-]+\.yaml)\n", text):
        Path(name[1]).write_text(text, encoding="utf-8")


LANGUAGES: dict[str, Callable[[Example], str | None]] = {
    "bash": run_bash,
    "console": run_console,
    "json": parses(json.loads),
    "toml": parses(tomllib.loads),
    "csv": parses(lambda text: list(csv.reader(text.splitlines(), strict=True))),
    "yaml": write_yaml,
    "text": lambda example: None,
}
PARSERS = [
    PythonCodeBlockParser(doctest_optionflags=OUTPUT_FLAGS),
    *(CodeBlockParser(n, f) for n, f in LANGUAGES.items()),
]


def tiny_pipeline(folder: Path) -> None:
    from tiny_pipelines import write

    write("text-to-image", folder / "sd")


def aerial_sheets(folder: Path) -> None:
    """A photograph with a place, and a grey sheet of the same ground without a corner."""
    import numpy as np
    import rasterio
    from PIL import Image

    colour = np.asarray(Image.open(folder / "examples" / "images" / "aerial.jpg")).transpose(2, 0, 1)
    grey = colour.mean(axis=0, keepdims=True).clip(1).astype(np.uint8)
    grey[:, :40, :30] = 0
    place = {"crs": "EPSG:32653", "transform": rasterio.Affine(0.6, 0, 500000, 0, -0.6, 4000150)}
    for name, array, nodata in (("today.tif", colour, None), ("sheet.tif", grey, 0)):
        size = {"count": len(array), "height": array.shape[1], "width": array.shape[2]}
        with rasterio.open(folder / name, "w", driver="GTiff", dtype="uint8", nodata=nodata, **size, **place) as file:
            file.write(array)


PREPARED: dict[str, Callable[[Path], None]] = {"methods/diffusers.md": tiny_pipeline, "aerial.md": aerial_sheets}
"""Page -> what else is in its folder."""
AUTHORS = ("coming-from-cyclegan.md", "plugins.md")
"""Pages that load what lies on the web; there it is a small generator, at every address of such a name."""


def site_text(markdown: str) -> str:
    """The Markdown of a page as the site has it, with what tools/site_hooks.py fills in."""
    return script("tools/site_hooks.py").fill(markdown)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a page or script: empty but for the example images."""
    shutil.copytree(ROOT / "examples" / "images", tmp_path / "examples" / "images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Hub on loopback, on which the reader is logged in as `me`."""
    from hub_server import connected

    with connected(monkeypatch) as server:
        server.tokens["hf_me"] = "me"
        monkeypatch.setenv("HF_TOKEN", "hf_me")
        yield


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page sees nothing that others registered, and what it registers is forgotten after it."""
    for kind in KINDS:
        monkeypatch.setattr(registry(kind), "_registered", {})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_code_blocks_of_page_run(
    page: Path, folder: Path, hub: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if page.is_relative_to(DOCS) and (prepare := PREPARED.get(page.relative_to(DOCS).as_posix())):
        prepare(folder)
    with contextlib.ExitStack() as opened:
        if page.name in AUTHORS:
            monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
            server = opened.enter_context(web(monkeypatch))
            generator = published(drawn(Resnet(blocks=9)))
            server.files |= dict.fromkeys(
                re.findall(r"http://\S+/horse2zebra\.pth", page.read_text("utf-8")), generator
            )
            server.files[cyclegan.HORSE2ZEBRA.checkpoints["G_A"].url] = generator
        run_blocks(page, site_text(page.read_text(encoding="utf-8")), folder)


@pytest.mark.parametrize("name", MODELS)
def test_code_blocks_of_the_page_of_a_model_run(name: str, folder: Path) -> None:
    run_blocks(Path("models", f"{name}.md"), site_text(f"<!-- model {name} -->"), folder)


def run_blocks(page: Path, text: str, folder: Path) -> None:
    document = Document.parse(str(_written(folder, page, text)), *PARSERS)
    found = Counter(m[2].strip() for m in re.finditer(r"^([ \t]*)```(\S[^\n]*)$", text, re.MULTILINE))
    assert set(found) <= {"python", *LANGUAGES}, "a block of another language would not run"
    whole = list(FencedCodeBlockLexer(language=r".+")(document))
    assert len(whole) == found.total(), "a block is not closed, or is not seen by the parser"
    for example in document.examples():
        example.evaluate()  # raises, with page and line


def _written(folder: Path, page: Path, text: str) -> Path:
    """The text in a file of the page's name, outside of the working folder, for messages that name it."""
    place = folder.parent / f"{folder.name}-page" / page.name
    place.parent.mkdir()
    place.write_text(text, encoding="utf-8")
    return place


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.name)
def test_example_runs(script: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(script)])
    runpy.run_path(str(script), run_name="__main__")


def test_files_that_the_readme_links_to_exist() -> None:
    """mkdocs checks those of the site."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)|<(?:img|a)[^>]+(?:src|href)=\"([^\"#]+)", text)
    local = [link for pair in links for link in pair if link and "://" not in link]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_ci_takes_its_test_command_from_the_readme() -> None:
    """.ci/run greps for this line; a README without it would make it run nothing."""
    command = 'pip install -e ".[dev]" && python -m pytest'
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert sum(line.endswith(command) for line in readme) == 1
