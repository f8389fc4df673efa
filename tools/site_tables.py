"""Tables of Markdown pages as a phone can show them.

A table of figures scrolls sideways under its first column, which stays; one of words becomes a list, whose items say
what their column is called.
"""

from __future__ import annotations

import html
import re


def arrange(content: str) -> str:
    """Put every table of a page into a box of its own, and say what kind it is; `docs/assets/extra.css` does the rest.

    >>> table = "<table><thead><tr><th>Of</th></tr></thead><tbody><tr><td>it</td></tr></tbody></table>"
    >>> arrange(table).partition("</thead>")[2]
    '<tbody><tr><td data-label="Of">it</td></tr></tbody></table></div>'
    """
    return re.sub(r"<table>(.*?)</table>", _arranged, content, flags=re.DOTALL)


def _arranged(match: re.Match[str]) -> str:
    head, _, body = match[1].partition("</thead>")
    labels = [_plain(cell) for cell in re.findall(r"<th\b[^>]*>(.*?)</th>", head, re.DOTALL)]
    head = re.sub(r"<th\b[^>]*></th>", "<td></td>", head)  # a head that says nothing heads nothing
    if not any(labels):
        return f'<div class="wide"><table class="facts">{head}</thead>{body}</table></div>'
    if re.search(r"<th\b[^>]*(text-)?align[:=] ?\"?right", head):
        box = f'<div class="wide" tabindex="0" role="group" aria-label="{html.escape("Table: " + labels[-1])}">'
        body = re.sub(r"(?<=<tr>)\s*<td[^>]*>[^<]*", lambda name: name[0].replace("_", "_<wbr>"), body)
        return f'{box}<table class="figures">{head}</thead>{body}</table></div>'
    rows = re.sub(r"<tr>(.*?)</tr>", lambda row: _labelled(row, labels), body, flags=re.DOTALL)
    return f'<div class="wide"><table class="words">{head}</thead>{rows}</table></div>'


def _labelled(row: re.Match[str], labels: list[str]) -> str:
    left = iter(labels)
    return re.sub(r"<td\b", lambda _: f'<td data-label="{html.escape(next(left, ""))}"', row[0])


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", text)).strip()
