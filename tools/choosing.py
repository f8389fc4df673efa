"""The table of "Choose a method": what the methods say of themselves, and what their training was measured to cost."""

from __future__ import annotations

import re
from typing import Any

import stored
import torch

from i2izoo.contracts.method import Method
from i2izoo.contracts.registry import registry

LEARNS = {"paired": "pairs", "unpaired": "two sets", "single": "one set"}
TOOLS = re.compile(r"_distillation$|^noisy_classifier$|^vit$|^diffusers$|^spandrel$")
"""Methods that nobody chooses to translate with: they make others faster, guide them, tell classes, or are trained
elsewhere."""


def table() -> str:
    """A line for each method that learns a translation, those that are learned from the same data together."""
    measured = costs((stored.DOCS / "performance.md").read_text(encoding="utf-8"))
    heads = ["Method", "Learns from", "Ways", "Answers", "Network runs", "Step", "Memory", "Parameters", "Multiple of"]
    rows = [line(name, measured) for name in names()]
    rows.sort(key=lambda row: [*LEARNS.values(), "images alone"].index(row[1]))
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * 4 + ["---:"] * 5, *rows])


def names() -> list[str]:
    """The methods that come along; what is installed beside them, or registered by a test, is no part of the site."""
    return [e.name for e in registry("methods").entries() if e.distribution == "i2izoo" and not TOOLS.search(e.name)]


def line(name: str, measured: dict[str, list[str]]) -> list[str]:
    """The cells of one method, with its default networks."""
    kind: type[Method] = registry("methods").get(name)
    with torch.device("meta"):  # no memory for weights that nobody uses
        method = kind()
    learns = "images alone" if method.dataset is not None else LEARNS[method.data]
    to = next(iter(method.directions))
    sides = method.size_multiple(to)
    step, _, memory, parameters, _ = measured.get(name, ["", "", "", "", ""])
    return [
        linked(name),
        learns,
        "both" if len(method.directions) > 1 else "one",
        "many" if method.samples else "one",
        str(passes(method)),
        f"{float(step) / 1000:.1f} s" if step else "",
        f"{memory} GB" if memory else "",
        parameters,
        str(sides),
    ]


PAGES = {
    "fastcut": "cut", "unit_public": "unit", "clr_gan": "bicyclegan", "cvae_gan": "bicyclegan", "ddpm": "ddim",
    "uncropping": "restoration", "inpainting": "restoration", "jpeg_restoration": "restoration",
    "photo_restoration": "restoration", "dcgan": "gan",
}  # fmt: skip
"""Methods that stand on the page of another one."""


def linked(name: str, base: str = "") -> str:
    """A method, and where its page is; those of others have none here."""
    page = f"methods/{PAGES.get(name, name)}.md"
    return f"[`{name}`]({base}{page})" if (stored.DOCS / page).is_file() else f"`{name}`"


def passes(method: Any) -> int:
    """How often a translation runs the network."""
    return int(method.config.get("sampling_steps") or 1)


def costs(page: str) -> dict[str, list[str]]:
    """Method -> the cells behind its name, of the table on the page of performance."""
    section = page.partition("## What each method costs")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", section, re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
