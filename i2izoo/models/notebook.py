"""Cards for notebooks: small HTML without colours of its own, so that it is read on light and dark alike."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from i2izoo.errors import escaped

LINE = "1px solid rgba(128, 128, 128, .4)"
STYLE = {
    "card": f"display:inline-block;max-width:100%;overflow-x:auto;border:{LINE};border-radius:8px;padding:.6em 1em",
    "table": "border-collapse:collapse;background:none;color:inherit;margin:.4em 0",
    "cell": f"text-align:left;vertical-align:top;background:none;border:0;border-top:{LINE};padding:.2em 1.2em .2em 0",
    "remark": "max-width:46em;font-size:.9em;opacity:.8",
}


def card(
    title: str,
    rows: Iterable[Sequence[object]],
    heads: Sequence[str] = (),
    remarks: Iterable[str] = (),
) -> str:
    """A title, a table and sentences below it; every text is escaped.

    >>> "a &lt;b&gt;" in card("a <b>", [["method", "pix2pix"]])
    True
    """
    lines = [_row("th", heads)] if heads else []
    lines += [_row("td", row) for row in rows]
    return (
        f'<div style="{STYLE["card"]}"><b>{_shown(title)}</b>'
        f'<table style="{STYLE["table"]}">{"".join(lines)}</table>'
        + "".join(f'<div style="{STYLE["remark"]}">{_shown(remark)}</div>' for remark in remarks)
        + "</div>"
    )


def facts(content: Mapping[str, object]) -> list[Sequence[object]]:
    """The rows of what is there."""
    return [(name, value) for name, value in content.items() if value not in (None, "")]


def _shown(text: object) -> str:
    return html.escape(escaped(str(text)))


def _row(tag: str, cells: Sequence[object]) -> str:
    style = STYLE["cell"]
    return "".join(["<tr>", *(f'<{tag} style="{style}">{_shown(cell)}</{tag}>' for cell in cells), "</tr>"])
