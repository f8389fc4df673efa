"""The classifier of Vision Transformers: it learns what lies somewhere, shows where it looked, and is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from i2izoo_transformers.classifier import ViT
from i2izoo_transformers.rollout import rollout
from PIL import Image
from torch import Tensor

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch
from i2izoo.testing.training import stepper_of

TINY = {"dim": 24, "depth": 2, "heads": 3, "patch": 4, "positions": 16}
CLASSES = ["horizontal", "vertical", "checked", "flat"]
LINE = torch.tensor([1.0, -1.0, 1.0, -1.0])
PATTERNS = torch.stack([LINE[:, None].expand(4, 4), LINE.expand(4, 4), LINE[:, None] * LINE, torch.ones(4, 4)])


def patterns(rows: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """One of the 16 patches of a noisy image has a pattern, which is the class; which patch says nothing."""
    labels = torch.randint(4, (rows,), generator=draw)
    places = 4 * torch.randint(4, (rows, 2), generator=draw)
    images = 0.3 * torch.randn(rows, 1, 16, 16, generator=draw)
    for image, label, (top, left) in zip(images, labels.tolist(), places.tolist(), strict=True):
        image[:, top : top + 4, left : left + 4] += PATTERNS[label]
    return images.clamp(-1, 1), labels


@pytest.fixture(scope="module")
def trained(learning_seed: int) -> ViT:
    torch.manual_seed(learning_seed)
    method = ViT(in_channels=1, classes=CLASSES, **TINY, learning_rate=5e-3)
    stepper, draw = stepper_of(method), torch.Generator().manual_seed(learning_seed)
    for step in range(80):
        images, labels = patterns(32, draw)
        stepper.set_rate(min((step + 1) / 10, 1.0, 2 - step / 40))
        stepper.run([Batch({"image": images}, step, step / 80, labels=labels)])
    return method.eval()


def test_it_learns_what_lies_somewhere(trained: ViT, learned: Any) -> None:
    """15 of 16 patches say nothing: the class token has to hear of the one that does."""
    images, labels = patterns(400, torch.Generator().manual_seed(10**6))
    with torch.no_grad():
        probabilities = trained.log_probabilities(images).exp()
        right = (trained.classify(images) == labels).float().mean().item()
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(400))
    assert torch.equal(probabilities.argmax(dim=1), trained.classify(images))
    learned("accuracy", right, above=0.7, untrained=0.25)


def test_rollout_is_a_product_of_what_attends_to_what() -> None:
    """Of two blocks in which every token attends to the next one alone, the closed form is (S^2 + 2 S + 1) / 4."""
    shift = torch.eye(3).roll(1, dims=1)
    found = rollout([shift.expand(1, 2, 3, 3)] * 2)
    torch.testing.assert_close(found[0], (shift @ shift + 2 * shift + torch.eye(3)) / 4)


def test_it_shows_what_the_class_token_attended_to() -> None:
    """With keys that see brightness alone, the bright patch is the brightest in what is shown, and the dark fades."""
    torch.manual_seed(0)
    method = ViT(in_channels=1, classes=CLASSES, **{**TINY, "depth": 1, "heads": 1}).eval()
    block = method.trunk.vit.blocks[0]
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.zero_()
        method.trunk.vit.patch_embed.proj.weight[0] = 1.0  # the first number of a token is its patch's brightness ...
        block.norm1.weight.fill_(1.0)
        block.attn.qkv.bias[0] = 4.0  # ... queries ask for it ...
        block.attn.qkv.weight[24, 0] = 4.0  # ... and keys have it
        image = -torch.ones(1, 1, 16, 16)
        image[..., 8:12, 4:8] = 1.0
        shown = method(image, to="image")
    assert shown.shape == image.shape
    inside = shown[..., 8:12, 4:8]
    assert inside.max() > 0.5
    assert (shown - image).abs().max() < 1.0  # nothing is brighter than it was, and black stays black
    assert shown.min() == -1
    assert method.trunk.vit.blocks[0].attn.fused_attn  # as it was


def test_weight_decay_is_that_of_matrices() -> None:
    method = ViT(**ViT.tiny_options, weight_decay=0.2)
    names = {id(p): n for n, p in method.named_parameters()}
    decayed, rest = method.optimizers()["classifier"].param_groups
    assert (decayed["weight_decay"], rest["weight_decay"]) == (0.2, 0.0)
    spared = {names[id(p)] for p in rest["params"]}
    assert {"trunk.vit.pos_embed", "trunk.vit.cls_token", "trunk.vit.norm.weight", "head.2.bias"} <= spared
    assert not any(name.endswith(("fc1.weight", "proj.weight", "qkv.weight", "head.2.weight")) for name in spared)


def test_folders_of_classes_are_what_it_learns_from(tmp_path: Path) -> None:
    for name, colour in (("brick", "firebrick"), ("plaster", "wheat")):
        (tmp_path / "walls" / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (16, 16), colour).save(tmp_path / "walls" / name / f"{index}.png")
    spec = {"name": "vit", "classes": "data", **TINY}
    out = tmp_path / "run"
    run = i2izoo.Trainer(spec, tmp_path / "walls", out=out, steps=2, batch_size=4, sample_every=0, progress=False)
    assert run.fit().method.classes == ["brick", "plaster"]
    loaded = i2izoo.load(out / "model")
    assert loaded.method.config["classes"] == ["brick", "plaster"]
    shown = loaded(tmp_path / "walls" / "brick" / "0.png")
    assert shown.size == (16, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "data"}, "only training can do"),
        ({"classes": ["one"]}, "two classes or more"),
        ({"classes": ["one", "one"]}, "two classes or more"),
        ({"domains": []}, "domains is empty"),
    ],
)
def test_what_it_cannot_learn_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ViT(**{**ViT.tiny_options, **options})


def test_labels_are_needed() -> None:
    method = ViT(**ViT.tiny_options)
    with pytest.raises(ConfigError, match="folder of its own"):
        next(method.training_step(Batch({"image": torch.zeros(1, 3, 32, 32)})))
