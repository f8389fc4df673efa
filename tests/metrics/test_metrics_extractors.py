"""Feature extractors: the real networks, found weights, sharing, resizing, and a user's own."""

from __future__ import annotations

import gc
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from i2izoo_metrics import networks
from i2izoo_metrics.extractors import KEPT, open_extractor
from i2izoo_metrics.fid import FID
from i2izoo_metrics.inception_score import InceptionScore
from i2izoo_metrics.kid import KID
from i2izoo_metrics.networks import VGG16, Inception, Pixels, Timm
from i2izoo_metrics.precision_recall import Precision
from i2izoo_metrics.resizing import resize, to_bytes
from PIL import Image
from torch import Tensor, nn

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, MetricError, UnknownNameError
from i2izoo.evaluation.measuring import build
from i2izoo.interfaces import FeatureExtractor, Weights
from i2izoo.nn.random import seeded


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, and nothing else: no cache of the user's and no network."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(folder))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("I2IZOO_OFFLINE", "1")
    return folder


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry("extractors"), "_registered", {})
    yield
    gc.collect()


class Counting(FeatureExtractor):
    """Means of the colours, and a count of its calls."""

    calls = 0

    def forward(self, image: Tensor) -> Tensor:
        type(self).calls += 1
        return image.mean((2, 3))


@pytest.fixture
def counting() -> type[Counting]:
    class Fresh(Counting):
        pass

    i2izoo.register("extractors", "counting")(Fresh)
    return Fresh


def images(n: int = 4, side: int = 8, seed: int = 0, channels: int = 3) -> Tensor:
    with seeded(seed):
        return torch.randint(0, 256, (n, channels, side, side)) / 127.5 - 1


def saved(state: dict[str, Tensor], folder: Path, known: Weights) -> Weights:
    """The state as the file that `known` is, and that with its checksum."""
    memory = io.BytesIO()
    torch.save(state, memory)
    (folder / known.file).write_bytes(memory.getvalue())
    return Weights(known.file, known.url, hashlib.sha256(memory.getvalue()).hexdigest(), known.licence, known.size)


# ------------------------------------------------------------------------------------------------------- sharing


def test_metrics_of_one_evaluation_compute_features_once(counting: type[Counting]) -> None:
    metrics = [FID(features="counting"), KID(features="counting"), Precision(features="counting")]
    for seed in range(3):
        prediction, reference = images(seed=seed), images(seed=9 + seed)
        for metric in metrics:
            metric.update(prediction=prediction)
            metric.add_reference(reference)
    assert counting.calls == 2 * 3


def test_one_extractor_is_shared_and_freed_with_its_last_user(counting: type[Counting]) -> None:
    first, second = FID(features="counting"), KID(features="counting")
    assert first.extractor is second.extractor
    held = first.extractor
    assert open_extractor("counting") is held
    del first, second, held
    gc.collect()
    assert open_extractor("counting").device is None  # a new one, not prepared


def test_extractors_of_different_options_are_not_shared() -> None:
    assert open_extractor("pixels", resize="clean") is not open_extractor("pixels", resize="legacy")


def test_features_are_forgotten_with_the_images_and_when_these_change(counting: type[Counting]) -> None:
    extractor = open_extractor("counting")
    batch = images()
    assert extractor(batch) is extractor(batch)
    batch.fill_(1.0)
    assert torch.equal(extractor(batch), torch.ones(4, 3))
    assert counting.calls == 2
    many = [images(seed=s) for s in range(KEPT + 2)]
    for one in many:
        extractor(one)
    assert len(extractor._seen) == KEPT
    del many, one, batch
    gc.collect()
    assert not extractor._seen


def test_images_of_inference_mode_have_features(counting: type[Counting]) -> None:
    with torch.inference_mode():
        batch = images()
    assert torch.equal(open_extractor("counting")(batch), batch.mean((2, 3)))


# ------------------------------------------------------------------------------------------- images and results


def test_a_gradient_goes_straight_through_the_rounding() -> None:
    """The values are those without a gradient, bit for bit; the slope is that of the scale, none beyond black and
    white."""
    with seeded(0):
        values = torch.cat([torch.rand(100_000) * 2.4 - 1.2, torch.arange(1, 510) / 255 - 1])
    wanted = to_bytes(values)
    assert torch.equal(wanted, ((values.double() + 1) * 127.5).float().round().clamp(0, 255))
    found = to_bytes(values.requires_grad_())
    assert torch.equal(found, wanted)
    (slope,) = torch.autograd.grad(found.sum(), values)
    assert torch.equal(slope, 127.5 * (values.detach().abs() < 1))


def test_grey_images_are_repeated_to_rgb() -> None:
    extractor, grey = open_extractor("pixels"), images(channels=1)
    assert torch.equal(extractor(grey), extractor(grey.repeat(1, 3, 1, 1)))


def test_other_numbers_of_channels_are_refused() -> None:
    with pytest.raises(MetricError, match=r"grey or RGB.*found 2 x 4 x 8 x 8"):
        open_extractor("pixels")(torch.zeros(2, 4, 8, 8))


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(MetricError, match="NaN or infinite"):
        open_extractor("pixels")(torch.full((1, 3, 8, 8), torch.nan))


def test_features_of_another_shape_are_refused() -> None:
    @i2izoo.register("extractors", "map")
    class Map(FeatureExtractor):
        def forward(self, image: Tensor) -> Tensor:
            return image

    with pytest.raises(MetricError, match="extractor 'map' is to give N x D features; found"):
        open_extractor("map")(images())


def test_pixels_wants_a_size() -> None:
    with pytest.raises(ConfigError, match="from 1 to 65536, found 0"):
        Pixels(size=0)


# ------------------------------------------------------------------------------------------------------- resizing


@pytest.mark.parametrize(("side", "size"), [(64, 29), (16, 29), (40, 40)])
def test_clean_resizing_is_pillows_bicubic_in_floating_point(side: int, size: int) -> None:
    image = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0)) * 255
    one = Image.fromarray(image[0, 0].numpy())  # mode F
    wanted = np.asarray(one.resize((size, size), Image.Resampling.BICUBIC)).clip(0, 255)
    np.testing.assert_allclose(resize(image, (size, size), "clean")[0, 0].numpy(), wanted, atol=1e-3)


def test_legacy_resizing_takes_the_corner_and_does_not_antialias() -> None:
    """TensorFlow 1 puts output pixel i at input i * in / out: halving keeps every other pixel as it is."""
    image = torch.rand(1, 3, 8, 8) * 255
    assert torch.allclose(resize(image, (4, 4), "legacy"), image[..., ::2, ::2])
    assert not torch.allclose(resize(image, (4, 4), "clean"), image[..., ::2, ::2], atol=1.0)


# ------------------------------------------------------------------------------------------------------- networks


@pytest.fixture
def inception(places: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """torch-fidelity's class with random weights, whose file lies in the folder of weights."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    cls = module.FeatureExtractorInceptionV3
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with monkeypatch.context() as patched, seeded(0):
        patched.setattr(nn.Module, "load_state_dict", lambda *_, **__: None)
        network = cls("random", ["2048", "logits_unbiased"], empty)
    monkeypatch.setattr(networks, "INCEPTION", saved(network.state_dict(), places, networks.INCEPTION))
    return network


def test_inception_is_torch_fidelitys_network(inception: nn.Module) -> None:
    batch = images(2, 96)
    features, logits = inception(((batch + 1) * 127.5).round().to(torch.uint8))
    extractor = open_extractor("inception", resize="legacy")
    ours = extractor(batch)
    assert ours.shape == (2, 2048)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, features, rtol=1e-4, atol=1e-4 * float(features.abs().max()))
    torch.testing.assert_close(extractor.logits(ours), logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
    assert "TensorFlow 1 (resize=legacy)" in extractor.preprocessing


def test_inception_of_another_checksum_is_refused(places: Path) -> None:
    (places / networks.INCEPTION.file).write_bytes(b"not it")
    with pytest.raises(MetricError, match=r"needs weights-inception-2015-12-05-6726825d.pth with the SHA-256 6726825d"):
        FID().prepare(torch.device("cpu"))


@pytest.mark.parametrize(("features", "file"), [("inception", "weights-inception"), ("vgg16", "vgg16-397923af.pth")])
def test_missing_weights_say_file_address_and_place(features: str, file: str, tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="^needs " + file) as caught:
        FID(features=features).prepare(torch.device("cpu"))
    message = str(caught.value)
    assert "https://" in message
    assert str(tmp_path / "torch" / "hub" / "checkpoints") in message


def test_without_torch_fidelity_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(MetricError, match=r"^needs torch-fidelity: pip install i2izoo\[eval\]$"):
        Inception().prepare(torch.device("cpu"))


def test_what_a_file_of_weights_lacks_becomes_one_sentence(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = saved({"features.0.weight": torch.zeros(1)}, places, networks.VGG16_WEIGHTS)
    monkeypatch.setattr(networks, "VGG16_WEIGHTS", known)
    with pytest.raises(MetricError, match=r"^needs vgg16-397923af\.pth .* cannot be used \(RuntimeError"):
        VGG16().prepare(torch.device("cpu"))


@pytest.mark.slow
def test_vgg16_gives_what_torch_fidelitys_gives(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("torch_fidelity.feature_extractor_vgg16")
    from torchvision.models import vgg16

    with seeded(0):
        state = vgg16(weights=None).state_dict()
    known = saved(state, places, networks.VGG16_WEIGHTS)
    monkeypatch.setattr(networks, "VGG16_WEIGHTS", known)
    theirs = module.FeatureExtractorVGG16("vgg16", ["fc2_relu"], str(places / known.file))
    batch = images(2, 64)
    [features] = theirs(((batch + 1) * 127.5).round().to(torch.uint8))
    torch.testing.assert_close(open_extractor("vgg16", resize="legacy")(batch), features, rtol=1e-4, atol=1e-4)


def test_a_timm_network_from_a_file_names_itself_and_is_timms(places: Path) -> None:
    timm = pytest.importorskip("timm")
    with seeded(0):
        whole = timm.create_model("test_resnet", pretrained=False).eval()
    torch.save(whole.state_dict(), places / "test_resnet.pth")
    batch = images(2, 160)  # its size: nothing is resized
    with torch.no_grad():  # mean and standard deviation of its config are 0.5
        wanted = whole.forward_head(whole.forward_features(batch), pre_logits=True)
    torch.testing.assert_close(open_extractor("test_resnet")(batch), wanted, rtol=1e-4, atol=1e-5)
    assert list(build(["fid[test_resnet]"], seed=0)) == ["fid[test_resnet]"]


def test_a_timm_file_that_lacks_weights_is_refused(places: Path) -> None:
    pytest.importorskip("timm")
    torch.save({"fc.weight": torch.zeros(1)}, places / "test_resnet.pth")
    with pytest.raises(MetricError, match="cannot be used"):
        open_extractor("test_resnet").prepare(torch.device("cpu"))


def test_a_timm_network_that_is_not_here_says_repository_and_file() -> None:
    pytest.importorskip("timm")
    with pytest.raises(MetricError, match=r"^needs model\.safetensors of timm/resnet18\.a1_in1k .*huggingface\.co"):
        FID(features="resnet18").prepare(torch.device("cpu"))
    [weights] = FID(features="resnet18").weights()
    assert weights.licence == "apache-2.0"


def test_an_unknown_extractor_suggests() -> None:
    with pytest.raises(UnknownNameError, match=r"no extractor named 'resnet81'; did you mean .*resnet"):
        FID(features="resnet81")


def test_pixels_and_timm_have_no_logits() -> None:
    with pytest.raises(MetricError, match="needs class logits, which Pixels does not have"):
        InceptionScore(features="pixels").update(prediction=images())
    assert Timm(model="resnet18").config == {"model": "resnet18", "resize": "clean"}


# -------------------------------------------------------------------------------------------------- a user's own


def test_a_registered_module_serves_and_its_kept_references_go_by_its_weights() -> None:
    @i2izoo.register("extractors", "mine")
    class Mine(FeatureExtractor):
        """A projection."""

        def __init__(self, *, scale: float = 1.0) -> None:
            super().__init__()
            with seeded(0):
                self.layer = nn.Linear(3, 4)

        def forward(self, image: Tensor) -> Tensor:
            return self.layer(image.mean((2, 3)))

    assert list(build(["fid", {"name": "fid", "features": "mine"}], seed=0)) == ["fid", "fid[mine]"]
    first, second = FID(features="mine"), FID(features="mine")
    first.add_reference(images())
    state = first.reference_state()
    second.load_reference_state(state)
    for metric in (first, second):
        metric.update(prediction=images(seed=1))
    assert first.compute() == second.compute()
    with torch.no_grad():
        first.extractor.extractor.layer.weight.add_(1)  # type: ignore[union-attr, operator]
    with pytest.raises(MetricError, match="kept references are of another 'mine'"):
        second.load_reference_state(state)
