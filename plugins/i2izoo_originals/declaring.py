"""What all entries of this package have in common; torch-free, since listing reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.published import CheckpointFile

HOST = "http://efrosgans.eecs.berkeley.edu"
"""Of the authors' download scripts; it answers to http alone."""
TERMS = "The licence is that of {0}, which says nothing of the weights apart; the data have terms of their own."


def declared(
    method: str,
    source: str,
    target: str,
    files: Mapping[str, CheckpointFile],
    *,
    code: str,
    citation: str,
    data: str,
    description: str,
    **options: Any,
) -> PretrainedEntry:
    """An entry for what the authors of a method publish.

    Args:
        method: its name here.
        source: domain of the inputs.
        target: domain of the outputs.
        files: role -> file.
        code: address of the authors' repository.
        citation: BibTeX.
        data: what the weights have learned from.
        description: one line.
        options: of the method, which the tensors do not tell.
    """
    return PretrainedEntry(
        licence="BSD-2-Clause",
        description=description,
        checkpoints=files,
        remote_method=method,
        remote_domains=(target,),
        options={"domains": [source, target], **options},
        facts={"data": data, "crop_size": 256, "citation": citation, "notes": TERMS.format(code)},
    )
