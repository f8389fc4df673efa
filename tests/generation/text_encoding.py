"""A tiny random CLIP model as a folder, as users have them, with tokenizer and weights; no network."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_pipelines import clip_text, clip_tokenizer


def clip_folder(place: Path, width: int = 16) -> Path:
    """The folder `place / "tiny-clip"`."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    clip_text(tokenizer, projection=True, width=width).save_pretrained(place / "tiny-clip")
    tokenizer.save_pretrained(place / "tiny-clip")
    return place / "tiny-clip"
