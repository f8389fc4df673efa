"""The head of the page: what was measured on what."""

from __future__ import annotations

import base64
import json
from html import escape

from i2izoo.evaluation.protocol import Protocol


def definition_list(protocol: Protocol) -> str:
    """The protocol for readers."""
    images = str(protocol.n) if protocol.limit is None else f"the first {protocol.n}"
    kept = "as they are"
    if protocol.size:
        kept = f"{' x '.join(map(str, protocol.size))} px, {protocol.filter}"
    items = {
        "data": protocol.data + (f", {protocol.split}" if protocol.split else ""),
        "direction": f"{protocol.source or 'nothing'} → {protocol.to}",
        "images": images,
        "size": kept,
        "samples": f"{protocol.samples} of each image",
        "seed": str(protocol.seed),
        "rounded to": f"{protocol.bits} bits",
        "options": ", ".join(f"{k} = {v}" for k, v in protocol.options.items()),
        "data hash": protocol.data_sha256[:12],
    }
    return "<dl>" + "".join(_item(name, text) for name, text in items.items() if text) + "</dl>"


def _item(name: str, text: str) -> str:
    return f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>"


def folded(protocol: Protocol) -> str:
    """Versions and the JSON, folded away."""
    text = json.dumps(protocol.config, indent=2, ensure_ascii=False)
    uri = "data:application/json;base64," + base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    versions = "".join(_item(escape(name), version) for name, version in protocol.versions.items())
    return (
        (f"<details><summary>Versions</summary><dl>{versions}</dl></details>" if versions else "")
        + "<details><summary>Protocol as JSON</summary>"
        '<p class="actions"><button type="button" data-copy="protocol">Copy</button> '
        f'<a class="button" download="protocol.json" href="{uri}">Download</a> '
        "The same protocol on the same data gives the same numbers again.</p>"
        f'<pre id="protocol">{escape(text)}</pre></details>'
    )
