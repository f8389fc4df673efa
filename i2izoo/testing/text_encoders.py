"""Rules for text encoders: a text of any length has one embedding, which depends on that text alone."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from i2izoo.nn.random import seeded
from i2izoo.testing.networks import TOLERANCE, gap
from i2izoo.testing.subject import NotApplicable, Subject, require

TEXTS = ["four floors", "", "Ein Haus für Ärzte, 四階建て", "a house of " + "many " * 200 + "windows", "three floors"]


def _embedded(encoder: nn.Module, texts: list[str] = TEXTS) -> Tensor:
    with torch.no_grad():
        return encoder(texts)


def embeddings_are_one_row_for_each_text(subject: Subject) -> None:
    """Texts of any characters, empty and long ones, too, have finite float32 embeddings N x length."""
    encoder = subject.build().eval()
    for texts in (TEXTS, TEXTS[:1]):
        found = _embedded(encoder, texts)
        wanted = (len(texts), encoder.length)
        require(tuple(found.shape) == wanted, f"{len(texts)} texts gave {tuple(found.shape)}, not {wanted}")
        require(found.dtype == torch.float32, f"found {found.dtype}, not float32")
        require(torch.isfinite(found).all(), "an embedding is not finite")


def rows_are_independent(subject: Subject) -> None:
    """In eval mode a text has the same embedding alone as among others, and another text has another."""
    encoder = subject.build().eval()
    together = _embedded(encoder)
    alone = torch.cat([_embedded(encoder, [text]) for text in TEXTS])
    difference = gap([together], [alone])
    require(difference <= TOLERANCE, f"a text differs from itself alone by {difference:.2g}, more than {TOLERANCE}")
    require(not torch.equal(together[0], together[-1]), "two texts have the same embedding")


def is_deterministic_in_eval(subject: Subject) -> None:
    """In eval mode an embedding is a function of the text alone, whatever the global random state."""
    encoder, found = subject.build().eval(), []
    for seed in (1, 2):
        with seeded(seed):
            found.append(_embedded(encoder))
    require(torch.equal(*found), "one text has two embeddings")


def gradient_reaches_everything(subject: Subject) -> None:
    """The gradient of the embeddings reaches every parameter that wants one, under autocast to bfloat16, too."""
    encoder: nn.Module = subject.build().train()
    wanting = {name: p for name, p in encoder.named_parameters() if p.requires_grad}
    if not wanting:
        raise NotApplicable("it is frozen")
    for enabled in (False, True):
        encoder.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found = encoder(TEXTS)
        with seeded(3):
            (found * torch.randn_like(found)).sum().backward()
        without = [name for name, p in wanting.items() if p.grad is None or not torch.isfinite(p.grad).all()]
        require(not without, f"parameters without a finite gradient: {without[:5]}")


def copies_and_reloads(subject: Subject) -> None:
    """A deep copy gives the same embeddings, and so does a fresh encoder of its options with its state dict."""
    encoder = subject.build().eval()
    before = _embedded(encoder)
    require(torch.equal(_embedded(copy.deepcopy(encoder)), before), "the copy gives other embeddings")
    with seeded(9):
        fresh = type(encoder)(**encoder.config).eval()
    fresh.load_state_dict(encoder.state_dict(), strict=True)
    require(torch.equal(_embedded(fresh), before), "the reloaded encoder gives other embeddings")


RULES = (
    embeddings_are_one_row_for_each_text,
    rows_are_independent,
    is_deterministic_in_eval,
    gradient_reaches_everything,
    copies_and_reloads,
)
