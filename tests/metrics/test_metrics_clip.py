"""The CLIP score, with a tiny random CLIP that transformers reads as it reads the real one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from i2izoo_metrics.clip import CLIPScore, _unit
from torch import Tensor, nn

from i2izoo.errors import MetricError

CPU = torch.device("cpu")


def images(count: int = 2, side: int = 40, seed: int = 0, channels: int = 3) -> Tensor:
    """Noise of 8 bits."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, side, side), generator=generator) / 127.5 - 1


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of 8 numbers that reads 16 letters, saved as transformers saves one."""
    transformers = pytest.importorskip("transformers", minversion="5")
    folder = tmp_path_factory.mktemp("tiny-clip")
    shape = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    letters = [*"abcdefghijklmnop", *(f"{x}</w>" for x in "abcdefghijklmnop"), "<|startoftext|>", "<|endoftext|>"]
    ends = {"bos_token_id": 32, "eos_token_id": 33, "pad_token_id": 33}
    config = transformers.CLIPConfig(
        text_config={**shape, **ends, "vocab_size": len(letters), "max_position_embeddings": 12},
        vision_config={**shape, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    crop = {"height": 32, "width": 32}
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop).save_pretrained(folder)
    transformers.CLIPTokenizer(vocab={x: i for i, x in enumerate(letters)}, merges=[]).save_pretrained(folder)
    return folder


def clip_score(folder: Path, text: str = "a bad face") -> CLIPScore:
    metric = CLIPScore(text=text, model=str(folder))
    metric.prepare(CPU)
    return metric


@pytest.mark.parametrize("text", ["a bad face", "cab", "gold"])
def test_clip_score_equals_torchmetrics(clip: Path, text: str) -> None:
    """Which gets one image at a time, in bytes, and the features of transformers 5 unpacked: else it crashes."""
    import transformers
    from torchmetrics.functional.multimodal import clip_score as theirs

    model = transformers.CLIPModel.from_pretrained(clip)

    class Unpacked(nn.Module):
        config = model.config

        def get_image_features(self, *args: Any) -> Tensor:
            return model.get_image_features(*args).pooler_output

        def get_text_features(self, *args: Any) -> Tensor:
            return model.get_text_features(*args).pooler_output

    processor = transformers.CLIPProcessor(
        transformers.CLIPImageProcessor.from_pretrained(clip), transformers.CLIPTokenizer.from_pretrained(clip)
    )
    batch = images(3, side=48)
    found = clip_score(clip, text).update(prediction=batch)
    in_bytes = ((batch + 1) * 127.5).round().byte()
    with torch.no_grad():
        expected = [theirs(b, text, lambda: (Unpacked(), processor)).item() for b in in_bytes]
    assert found.tolist() == pytest.approx(expected, abs=1e-3)


def test_clip_score_gets_every_byte_as_it_is(clip: Path) -> None:
    """Cut off instead of rounded, some of the 256 levels would arrive one too low."""
    metric = clip_score(clip)
    seen: list[Tensor] = []
    preprocess = metric.preprocess
    metric.preprocess = lambda images, **options: seen.extend(images) or preprocess(images=images, **options)
    levels = torch.arange(256).view(1, 1, 16, 16)
    metric.score(prediction=levels / 127.5 - 1)
    assert torch.equal(seen[0], levels[0].byte().expand(3, -1, -1))
    assert (((levels / 127.5 - 1) + 1) * 127.5).byte().ne(levels).any()


def test_clip_score_is_between_0_and_100(clip: Path) -> None:
    """100 cos, and 0 where the angle is obtuse: the two directions of one image are 100 and 0."""
    metric = clip_score(clip)
    image = images(1)
    with torch.no_grad():
        pixels = metric.preprocess(images=[((image[0] + 1) * 127.5).round().byte()], return_tensors="pt")
        own = _unit(metric.network.get_image_features(pixels["pixel_values"]))[0]
    for direction, expected in ((own, 100), (-own, 0)):
        metric.direction = direction
        assert metric.score(prediction=image).item() == pytest.approx(expected, abs=1e-3)


def test_clip_score_says_that_it_cut_the_text(clip: Path) -> None:
    whole, cut = clip_score(clip, "a b c d e f g h i j"), clip_score(clip, "a b c d e f g h i j k l m n o p")
    for metric in (whole, cut):
        metric.update(prediction=images(1))
    assert not whole.compute().notes
    assert cut.compute().notes == ("The text is cut to the 12 tokens that the model reads.",)
    torch.testing.assert_close(whole.direction, cut.direction)  # the end of text is kept


def test_clip_features_come_bare_or_wrapped() -> None:
    """From transformers 4 and 5."""
    bare = torch.tensor([[3.0, 4.0]])
    assert torch.equal(_unit(bare), _unit(SimpleNamespace(pooler_output=bare)))
    assert _unit(bare).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]


def test_clip_score_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MetricError, match=r"^needs the option text"):
        CLIPScore().prepare(CPU)
    pytest.importorskip("transformers")
    monkeypatch.setenv("I2IZOO_OFFLINE", "1")
    with pytest.raises(MetricError, match=r"^needs .*model.safetensors of openai/clip-vit-large-patch14 \(1711 MB"):
        CLIPScore(text="a house").prepare(CPU)
    with pytest.raises(MetricError, match=r"^needs a CLIP model that transformers can read"):
        CLIPScore(text="a house", model=str(tmp_path)).prepare(CPU)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MetricError, match=r"^needs the package transformers; .*i2izoo\[eval\]"):
        CLIPScore(text="a house").prepare(CPU)
