"""`i2izoo info` of metrics and extractors: what they measure, and which weights they need and where those lie."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.files.weights import torch_folder
from i2izoo.interfaces import FeatureExtractor, ImageMetric, Score, SetMetric, Weights

Capture = pytest.CaptureFixture[str]
CONTENT = b"weights of a tiny net"
SHA = hashlib.sha256(CONTENT).hexdigest()
FILES = {"small": "small-net.pth", "large": "large-net.pth"}


class Sharpness(ImageMetric):
    """How sharp the image is.

    Args:
        net: which network looks.
    """

    higher_is_better = True
    bounds = (0.0, float("inf"))
    unit = "dB"
    inputs = ("prediction",)
    qualifier = "net"

    def __init__(self, *, net: str = "small") -> None:
        self.net = net

    def weights(self) -> tuple[Weights, ...]:
        return (Weights(FILES[self.net], f"https://example.org/{FILES[self.net]}", SHA, "MIT", 2_000_000),)

    def score(self, *, prediction: Tensor) -> Tensor:
        return prediction.mean(dim=(1, 2, 3))


class Spread(SetMetric):
    """How far the sets are apart."""

    higher_is_better = False
    bounds = (-1.0, 1.0)
    min_samples = 2
    advised_samples = 50

    def update(self, *, prediction: Tensor) -> None:
        self.seen = len(prediction)

    def add_reference(self, images: Tensor) -> None:
        self.seen = 0

    def reference_state(self) -> dict[str, Tensor]:
        return {}

    def load_reference_state(self, state: Any) -> None:
        self.seen = 0

    def compute(self) -> Score:
        return Score(0.0, n=self.seen)


class Named(Spread):
    """Wants a text.

    Args:
        text: what the image shows.
    """

    def __init__(self, *, text: str) -> None:
        self.text = text


class Tiny(FeatureExtractor):
    """Three features."""

    def weights(self) -> tuple[Weights, ...]:
        url = "https://huggingface.co/alice/tiny/resolve/main/model.safetensors"
        return (Weights("model.safetensors", url, SHA, "Apache-2.0"),)

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3))


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("I2IZOO_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for kind in ("metrics", "extractors"):
        monkeypatch.setattr(registry(kind), "_registered", {})
    for part in (Sharpness, Spread, Named):
        i2izoo.register("metrics", part.__name__.lower())(part)
    i2izoo.register("extractors", "tiny")(Tiny)


def printed(capsys: Capture, name: str) -> str:
    assert main(["info", name]) == 0
    return capsys.readouterr().out


def test_a_metric_says_what_it_measures(capsys: Capture) -> None:
    module = __name__
    assert printed(capsys, "sharpness") == (
        "sharpness: metric of plugin this-program 0\n"
        "  How sharp the image is.\n"
        f"  class {module}.Sharpness\n"
        "  better: higher\n"
        "  range: 0 or more\n"
        "  unit: dB\n"
        "  looks at: prediction\n"
        "  images: at least 1\n"
        "  variants: sharpness[NET]\n"
        "  weights:\n"
        "    small-net.pth (2 MB, MIT)\n"
        "      https://example.org/small-net.pth\n"
        f"      not here: it is fetched when first needed; or put it into {torch_folder()}, or name its folder with "
        "--weights or I2IZOO_WEIGHTS\n"
        "  options:\n"
        '    net (str), default "small": which network looks.\n'
    )


def test_a_metric_of_sets(capsys: Capture) -> None:
    out = printed(capsys, "spread")
    assert "  better: lower\n  range: -1 to 1\n" in out
    assert "looks at: prediction, the true images as a set\n" in out
    assert "images: at least 2, advised 50 or more\n" in out
    assert "weights: none\n" in out
    assert "unit" not in out
    assert "variants" not in out


def test_weights_that_are_here_are_shown_with_their_place(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch_folder().mkdir(parents=True)
    (torch_folder() / FILES["small"]).write_bytes(CONTENT)
    assert f"      here: {torch_folder() / FILES['small']}\n" in printed(capsys, "sharpness")
    (torch_folder() / FILES["small"]).write_bytes(b"other")
    out = printed(capsys, "sharpness")
    assert f"not usable: needs small-net.pth with the SHA-256 {SHA}, but {torch_folder()}" in out
    (tmp_path / FILES["small"]).write_bytes(CONTENT)
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path))
    assert f"      here: {tmp_path / FILES['small']}\n" in printed(capsys, "sharpness")


def test_a_variant_needs_weights_of_its_own(capsys: Capture) -> None:
    out = printed(capsys, "sharpness[large]")
    assert out.startswith('sharpness[large]: metric of plugin this-program 0, with net="large"\n')
    assert "    large-net.pth (2 MB, MIT)\n" in out
    assert "small-net.pth" not in out


@pytest.mark.parametrize(
    ("name", "words"),
    [("spread[x]", "metric 'spread' has no variants"), ("sharpnes", "did you mean 'sharpness'")],
)
def test_what_is_no_variant_or_metric_is_one_sentence(capsys: Capture, name: str, words: str) -> None:
    assert main(["info", name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


def test_a_metric_that_wants_options_is_described_without_them(capsys: Capture) -> None:
    assert "    text (str), required: what the image shows.\n" in printed(capsys, "named")


def test_an_extractor_names_its_weights(capsys: Capture) -> None:
    out = printed(capsys, "tiny")
    assert "tiny: extractor of plugin this-program 0\n  Three features.\n" in out
    assert "    model.safetensors (Apache-2.0)\n" in out
    assert "or put it into a folder tiny, and name the folder that holds it with --weights or I2IZOO_WEIGHTS\n" in out


def test_every_installed_metric_can_be_asked_about(capsys: Capture) -> None:
    names = i2izoo.list_parts("metrics")
    assert {"psnr", "ssim", "lpips", "fid", "kid"} <= set(names)
    for name in names:
        out = printed(capsys, name)
        assert "  better: " in out
        assert "  weights:" in out
