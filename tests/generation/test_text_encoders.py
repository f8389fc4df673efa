"""The text encoders: `cnn_rnn` against its authors' sizes and a plain loop, `clip` against transformers itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from i2izoo_generation.clip_text import CLIPText
from i2izoo_generation.cnn_rnn import ALPHABET, CNNRNN
from text_encoding import clip_folder

from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import TextEncoder
from i2izoo.nn.shapes import only_shapes
from i2izoo.testing.conformance import RULES, Check
from i2izoo.testing.subject import NotApplicable, Subject

# ---------------------------------------------------------------------------------------------------------- cnn_rnn


def test_at_the_authors_size_it_has_the_authors_layers() -> None:
    """`HybridCNNLong` of the authors' code: alphabet of 70, 384, 512 and 512 channels, embeddings of 1024."""
    with only_shapes():
        encoder = CNNRNN(length=1024, channels=[384, 512, 512])
    convolutions = [tuple(p.shape) for n, p in encoder.convolutions.named_parameters() if n.endswith("weight")]
    assert len(ALPHABET) == len(set(ALPHABET)) == 69  # 70 places in theirs, where "-" comes twice
    assert convolutions == [(384, 69, 4), (512, 384, 4), (512, 512, 4)]
    assert encoder.recurrent.weight_hh_l0.shape == (3 * 512, 512)
    assert encoder.embedding.weight.shape == (1024, 512)


def test_201_characters_leave_18_places() -> None:
    """The comments and the call `FixedRNN.rnn(18, ...)` of the authors' code."""
    encoder = CNNRNN(channels=[2, 2, 2])
    assert encoder.convolutions(encoder.one_hot(["a"])).shape == (1, 2, 18)


def test_characters_are_one_hot_and_the_rest_is_nothing() -> None:
    encoder = CNNRNN(characters=48, channels=[2, 2, 2])
    found = encoder.one_hot(["Ab é1", "x" * 60])
    assert found.shape == (2, 69, 48)
    letters = [[ALPHABET[int(c.argmax())] if c.any() else "" for c in row.T] for row in found]
    assert letters[0] == ["a", "b", " ", "", "1", *[""] * 43]
    assert letters[1] == ["x"] * 48


def test_it_is_what_the_paper_says_place_by_place() -> None:
    """Convolutions, poolings and the GRU written out in numbers, in double precision."""
    torch.manual_seed(0)
    encoder = CNNRNN(length=3, channels=[4, 5, 6], characters=60).double()
    text = "four floors, red brick, shops"
    x = encoder.one_hot([text])[0].T  # places x channels
    weights = [m for m in encoder.convolutions if isinstance(m, torch.nn.Conv1d)]
    for number, layer in enumerate(weights):
        places = range(len(x) - 3)
        x = torch.stack([torch.einsum("kc,ock->o", x[p : p + 4], layer.weight) + layer.bias for p in places]).relu()
        if number < 2:
            x = torch.stack([x[p : p + 3].amax(dim=0) for p in range(0, len(x) - 2, 3)])
    g, h, states = encoder.recurrent, torch.zeros(6, dtype=torch.double), []
    for place in x:
        r, z, n = (g.weight_ih_l0 @ place + g.bias_ih_l0).chunk(3)
        hr, hz, hn = (g.weight_hh_l0 @ h + g.bias_hh_l0).chunk(3)
        r, z = torch.sigmoid(r + hr), torch.sigmoid(z + hz)
        h = (1 - z) * torch.tanh(n + r * hn) + z * h
        states.append(h)
    wanted = encoder.embedding(torch.stack(states).mean(dim=0))
    torch.testing.assert_close(encoder([text])[0], wanted)


# ------------------------------------------------------------------------------------------------------------- clip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("weights")).parent


@pytest.fixture
def at_hand(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(weights))
    return weights  # type: ignore[return-value]


class Tiny(CLIPText):
    """CLIP's, of the tiny model. Options: model, length."""

    tiny_options: ClassVar[dict[str, Any]] = {"model": "tiny-clip"}


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES["text_encoders"]])
def test_clip_keeps_the_rules(rule: str, at_hand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("text_encoders"), "_registered", {})
    registry("text_encoders").register("tiny", Tiny)
    subject = Subject("text_encoders", Entry("tiny", f"{__name__}:Tiny", "this-program", "0", Tiny))
    check = Check(subject, next(r for r in RULES["text_encoders"] if r.__name__ == rule))
    if rule == "gradient_reaches_everything":
        with pytest.raises(NotApplicable, match="frozen"):
            check()
    else:
        check()


def test_clip_is_what_transformers_gives(at_hand: Path) -> None:
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    texts = ["a photo of a red house", "", "dog " * 40]
    tokenizer = CLIPTokenizer.from_pretrained(at_hand / "tiny-clip")
    network = CLIPTextModelWithProjection.from_pretrained(at_hand / "tiny-clip").eval()
    encoder = CLIPText(model="somebody/tiny-clip")
    assert encoder.length == 16
    with torch.no_grad():
        for text, found in zip(texts, encoder(texts), strict=True):
            tokens = tokenizer([text], return_tensors="pt", truncation=True, max_length=16)
            torch.testing.assert_close(found, network(**tokens).text_embeds[0], atol=1e-5, rtol=1e-4)


def test_clip_is_neither_trained_nor_saved(at_hand: Path) -> None:
    encoder = CLIPText(model="tiny-clip")
    assert not encoder(["a"]).requires_grad
    assert not list(encoder.parameters())
    assert not encoder.state_dict()
    assert encoder.config == {"model": "tiny-clip", "length": 16}


def test_a_model_that_is_not_there_is_missed_when_a_text_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path))
    encoder = CLIPText(model="somebody/tiny-clip", length=16)
    with pytest.raises(ConfigError, match=r"text encoder 'clip' needs config\.json, .* put them into .*tiny-clip"):
        encoder(["a"])
    with pytest.raises(ConfigError, match=r"needs config\.json"):
        CLIPText(model="somebody/tiny-clip")


def test_a_place_on_this_machine_is_no_name(at_hand: Path) -> None:
    for place in (str(at_hand / "tiny-clip"), "../tiny-clip", "~/tiny-clip", "..", ""):
        with pytest.raises(ConfigError, match="I2IZOO_WEIGHTS, and give the folder's name"):
            CLIPText(model=place, length=16)


def test_another_length_than_the_models_is_refused(at_hand: Path) -> None:
    with pytest.raises(ConfigError, match="has embeddings of length 16, and length is 8; leave length out"):
        CLIPText(model="tiny-clip", length=8)(["a"])


def test_a_folder_that_is_no_clip_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clip_folder(tmp_path)
    (folder / "model.safetensors").write_bytes(b"nothing")
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path))
    with pytest.raises(ConfigError, match=r"transformers cannot read the CLIP model in .*tiny-clip"):
        CLIPText(model="tiny-clip")(["a"])


def test_both_are_text_encoders() -> None:
    assert {"clip", "cnn_rnn"} <= set(registry("text_encoders").names())
    assert issubclass(CNNRNN, TextEncoder)
