"""Metrics of single images that look through networks; the networks are the real ones with random weights.

`read_state` is replaced, so that no file of weights is needed; that files are found and checked is tested elsewhere.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from i2izoo_metrics import perceptual_nets
from i2izoo_metrics.diversity import LPIPSDiversity
from i2izoo_metrics.gram import GramDistance
from i2izoo_metrics.lpips import LPIPS
from i2izoo_metrics.lpips_loss import LPIPSLoss
from i2izoo_metrics.perceptual import PerceptualDistance
from i2izoo_metrics.perceptual_nets import ALEXNET, TRUNKS, VGG19
from i2izoo_metrics.ppl import PerceptualPathLength, slerp
from torch import Tensor, nn
from torch.nn import functional as F

from i2izoo.errors import ConfigError, MetricError
from i2izoo.interfaces import Batch, Latent, Method, Update
from i2izoo.models.translator import Translator

CPU = torch.device("cpu")


def images(count: int = 2, side: int = 40, seed: int = 0, channels: int = 3) -> Tensor:
    """Noise of 8 bits."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, side, side), generator=generator) / 127.5 - 1


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give these tensors where a file of weights is asked for."""

    def use(state: dict[str, Tensor]) -> None:
        monkeypatch.setattr(perceptual_nets, "find", lambda weights: Path(weights.file))
        monkeypatch.setattr(perceptual_nets, "read_state", lambda path, weights: state)

    return use


@pytest.fixture(scope="module")
def alexnet() -> nn.Sequential:
    """torchvision's AlexNet up to its last convolution."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    return alexnet(weights=None).features.eval()


def state_of(features: nn.Module) -> dict[str, Tensor]:
    return {f"features.{k}": v for k, v in features.state_dict().items()}


# ------------------------------------------------------------------------------------------------------------- LPIPS


@pytest.fixture(scope="module")
def reference(alexnet: nn.Sequential) -> Iterator[Any]:
    """The lpips package's own AlexNet, of which torchvision's weights are loaded slice by slice, by hand."""
    import lpips

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    for i, part in enumerate((range(2), range(2, 5), range(5, 8), range(8, 10), range(10, 12)), start=1):
        for j in part:
            getattr(getattr(network.net, f"slice{i}"), str(j)).load_state_dict(alexnet[j].state_dict())
    return network


def test_lpips_is_the_package_on_images_from_minus_one_to_one(
    alexnet: nn.Sequential, reference: Any, weights: Callable[..., None]
) -> None:
    weights(state_of(alexnet))
    metric = LPIPS()
    metric.prepare(CPU)
    first, second = images(seed=1), images(seed=2)
    found = metric.update(prediction=first, target=second)
    with torch.no_grad():
        package = reference(first, second).flatten()
        scaled = reference((first + 1) / 2, (second + 1) / 2, normalize=True).flatten()
        wrong = reference((first + 1) / 2, (second + 1) / 2).flatten()
    torch.testing.assert_close(found, package.double(), rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(found, scaled.double(), rtol=1e-4, atol=1e-7)
    assert (found - wrong).abs().min() > 0.05 * found.max()
    assert metric.compute().value == pytest.approx(package.mean().item(), rel=1e-5)
    assert metric.update(prediction=first, target=first).tolist() == [0, 0]


def test_lpips_repeats_grey(alexnet: nn.Sequential, weights: Callable[..., None]) -> None:
    weights(state_of(alexnet))
    metric = LPIPS()
    metric.prepare(CPU)
    grey = images(channels=1), images(channels=1, seed=3)
    colour = [x.repeat(1, 3, 1, 1) for x in grey]
    assert torch.equal(
        metric.score(prediction=grey[0], target=grey[1]), metric.score(prediction=colour[0], target=colour[1])
    )
    with pytest.raises(MetricError, match="1 or 3 channels, found 4"):
        metric.score(prediction=images(channels=4), target=images(channels=4))


def test_lpips_takes_the_smallest_image_that_has_features(alexnet: nn.Sequential, weights: Callable[..., None]) -> None:
    weights(state_of(alexnet))
    metric = LPIPS()
    metric.prepare(CPU)
    assert metric.score(prediction=images(side=31), target=images(side=31, seed=1)).isfinite().all()
    with pytest.raises(MetricError, match="lpips needs sides of at least 31 pixels, found 30 x 30"):
        metric.score(prediction=images(side=30), target=images(side=30))


def test_lpips_as_a_loss_is_the_mean_and_has_a_gradient(
    alexnet: nn.Sequential, reference: Any, weights: Callable[..., None]
) -> None:
    weights(state_of(alexnet))
    loss, first, second = LPIPSLoss(net="alex"), images(seed=1).requires_grad_(), images(seed=2)
    found = loss(first, second)
    torch.testing.assert_close(found, reference(first, second).mean())
    assert torch.autograd.grad(found, first)[0].any()
    assert loss.state_dict() == {}


@pytest.mark.slow
def test_lpips_on_vgg_takes_torchvisions_weights(weights: Callable[..., None]) -> None:
    from torchvision.models import vgg16

    torch.manual_seed(0)
    features = vgg16(weights=None).features.eval()
    weights(state_of(features))
    metric = LPIPS(net="vgg")
    metric.prepare(CPU)
    with torch.no_grad():
        x = images()
        ours, theirs = metric.network.net(x)[-1], features[:30](x)
    torch.testing.assert_close(ours, theirs)
    assert metric.score(prediction=images(side=16), target=images(side=16, seed=1)).isfinite().all()


@pytest.mark.parametrize("metric", [LPIPS(), LPIPSDiversity(), PerceptualPathLength(), GramDistance()])
def test_missing_weights_say_what_is_needed(metric: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("I2IZOO_OFFLINE", "1")
    [file] = metric.weights()
    with pytest.raises(MetricError, match=f"^needs {file.file} .*{file.url}"):
        metric.prepare(CPU)


def test_addresses_are_torchvisions() -> None:
    """Where the underlying library takes them, with the checksum in the name and about the size."""
    from torchvision import models

    published = {
        ALEXNET: models.AlexNet_Weights.IMAGENET1K_V1,
        TRUNKS["vgg"]: models.VGG16_Weights.IMAGENET1K_V1,
        VGG19: models.VGG19_Weights.IMAGENET1K_V1,
    }
    for ours, theirs in published.items():
        assert ours.url == theirs.url
        assert ours.url.endswith(f"-{ours.sha256}.pth")
        assert ours.size == pytest.approx(theirs.meta["_file_size"] * 2**20, rel=1e-5)


# --------------------------------------------------------------------------------------------------------- diversity


def test_diversity_is_of_consecutive_pairs() -> None:
    """Samples 0, 1, 0 and 0, 0.5, 1.5: steps of 1 and 1, of 0.5 and 1. All pairs would give 2/3 and 1."""
    metric = LPIPSDiversity()
    metric.device, metric.network = CPU, lambda a, b: (a - b).abs().mean(dim=(1, 2, 3), keepdim=True)
    levels = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.5, 1.5]])
    found = metric.update(samples=levels.view(2, 3, 1, 1, 1).expand(-1, -1, 3, 32, 32))
    assert found.tolist() == pytest.approx([1, 0.75])
    score = metric.compute()
    assert score.value == pytest.approx(0.875)
    assert score.n == 2
    assert score.notes == ("3 samples of each image: published figures have 20.",)


def test_diversity_of_the_protocol_has_nineteen_pairs_and_no_note() -> None:
    metric = LPIPSDiversity()
    seen: list[int] = []

    def distance(a: Tensor, b: Tensor) -> Tensor:
        seen.append(len(a))
        return (a - b).abs().mean(dim=(1, 2, 3))

    metric.device, metric.network = CPU, distance
    metric.update(samples=images(20, 32)[None])
    assert sum(seen) == 19
    assert not metric.compute().notes


def test_diversity_wants_two_samples() -> None:
    metric = LPIPSDiversity()
    metric.device, metric.network = CPU, None
    with pytest.raises(MetricError, match="found 1; ask for samples=20"):
        metric.update(samples=images(4)[:, None])


def test_lpips_of_2017_does_not_scale_its_input(alexnet: nn.Sequential, weights: Callable[..., None]) -> None:
    weights(state_of(alexnet))
    values = []
    for version in ("0.0", "0.1"):
        metric = LPIPSDiversity(version=version)  # type: ignore[arg-type]
        metric.prepare(CPU)
        values.append(metric.score(samples=images(3)[None]).item())
    assert values[0] != pytest.approx(values[1], rel=0.01)


# -------------------------------------------------------------------------------------------------------------- Gram

VGG19_LAYERS = [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512, "M"]


@pytest.fixture(scope="module")
def vgg19_state() -> dict[str, Tensor]:
    """Random weights under torchvision's names: convolutions number 0, 2, 5, 7, 10, ..."""
    state, place, channels = {}, 0, 3
    generator = torch.Generator().manual_seed(0)
    for layer in VGG19_LAYERS:
        if isinstance(layer, int):
            kernel = torch.randn(layer, channels, 3, 3, generator=generator) * (2 / (9 * channels)) ** 0.5
            state |= {f"features.{place}.weight": kernel, f"features.{place}.bias": torch.full((layer,), 0.01)}
            place, channels = place + 2, layer
        else:
            place += 1
    return state


def gatys(state: dict[str, Tensor], first: Tensor, second: Tensor) -> float:
    """Equations (3) to (5) of Gatys, Ecker and Bethge 2015 of two images C x H x W, as they are written."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    maps = [(((x + 1) / 2 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1))[None] for x in (first, second)]
    total, place, block, new = 0.0, 0, 1, True
    for layer in VGG19_LAYERS:
        if layer == "M":
            maps, place, block, new = [F.max_pool2d(x, 2) for x in maps], place + 1, block + 1, True
            continue
        kernel, bias = state[f"features.{place}.weight"], state[f"features.{place}.bias"]
        maps, place = [F.conv2d(x, kernel, bias, padding=1).relu() for x in maps], place + 2
        if new:  # conv1_1, conv2_1, ..., conv5_1
            flat = [x[0].flatten(1).double() for x in maps]
            channels, places = flat[0].shape
            gram, other = (torch.einsum("ik,jk->ij", f, f) for f in flat)
            total += 0.2 * ((gram - other) ** 2).sum().item() / (4 * channels**2 * places**2)
            new = False
    assert block == 6
    return total


def test_gram_distance_is_the_style_loss_of_gatys(vgg19_state: dict[str, Tensor], weights: Callable[..., None]) -> None:
    weights(vgg19_state)
    metric = GramDistance()
    metric.prepare(CPU)
    first, second = images(side=32), images(side=32, seed=1) * 0.5
    found = metric.update(prediction=first, target=second)
    expected = [gatys(vgg19_state, a, b) for a, b in zip(first, second, strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-4)
    assert metric.update(prediction=first, target=first).tolist() == [0, 0]
    with pytest.raises(MetricError, match="gram_distance needs sides of at least 16"):
        metric.update(prediction=images(side=15), target=images(side=15))


def test_a_file_of_other_weights_is_one_sentence(vgg19_state: dict[str, Tensor], weights: Callable[..., None]) -> None:
    weights({k: v for k, v in vgg19_state.items() if k != "features.0.bias"})
    with pytest.raises(MetricError, match=f"^needs {VGG19.file}"):
        GramDistance().prepare(CPU)


# -------------------------------------------------------------------------------------------------------- perceptual


def test_perceptual_distance_is_euclidean() -> None:
    """Two flat images that differ by 0.4 in each of the 32 x 32 x 3 features of `pixels`, which are in [-1, 1]."""
    metric = PerceptualDistance(features="pixels")
    metric.prepare(CPU)
    levels = torch.tensor([0.2, 0.6]).view(2, 1, 1, 1).expand(-1, 3, 32, 32)
    values = metric.update(prediction=levels, target=torch.full((2, 3, 32, 32), 0.2))
    assert values.tolist() == pytest.approx([0, 0.4 * math.sqrt(3 * 32 * 32)], rel=1e-5)
    assert "32 x 32" in metric.compute().notes[0]


# --------------------------------------------------------------------------------------------------------------- PPL


class Toy(Method):
    """A translator with a latent of 16: an image of 16 x 16 whose rows are `function` of the latent, plus noise."""

    samples = True
    latent_size = 16

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.generator = nn.Dropout(0.5)  # would tear the ends of a step apart, were it not in evaluation mode
        self.function = function

    @property
    def directions(self) -> dict[str, str]:
        return {"photo": "label"}

    @property
    def channels(self) -> dict[str, int]:
        return {"label": 1, "photo": 1}

    def translate(self, image: Tensor, *, to: str, seeds: list[int], latent: Latent | None = None) -> Tensor:
        assert latent is not None
        noise = torch.stack([torch.randn(1, generator=torch.Generator().manual_seed(s)) for s in seeds])
        return self.generator(self.function(latent).view(-1, 1, 1, 16) + noise.view(-1, 1, 1, 1)).expand(-1, 1, 16, 16)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update((), {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


def toy(function: Callable[[Tensor], Tensor] = lambda z: z) -> Translator:
    method = Toy.__new__(Toy, function=None)  # the function is no JSON value, so it is set past the config
    method.__init__(function)  # type: ignore[misc]
    return Translator(method.double().train(), {"method": "toy"})


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean squared difference in place of LPIPS."""
    from i2izoo_metrics import ppl

    distance = lambda a, b: ((a - b) ** 2).mean(dim=(1, 2, 3), keepdim=True)  # noqa: E731
    monkeypatch.setattr(ppl, "open_lpips", lambda net, device: distance)


def length(function: Callable[[Tensor], Tensor] = lambda z: z, count: int = 64, **options: Any) -> float:
    metric = PerceptualPathLength(**{"pairs": 64, **options})
    metric.prepare(CPU)
    metric.update(source=torch.zeros(count, 1, 16, 16), model=toy(function))
    value = metric.compute().value
    assert value is not None
    return value


@pytest.mark.usefixtures("squares")
@pytest.mark.parametrize("space", ["full", "end"])
def test_ppl_of_a_linear_generator(space: str) -> None:
    """G(z) = z along a line: |z1 - z0|^2 / 16, which is 2 in the mean, wherever on the line."""
    assert length(space=space, interpolation="lerp") == pytest.approx(2, rel=0.03)


@pytest.mark.usefixtures("squares")
def test_ppl_along_the_sphere() -> None:
    """An arc between normal latents spans about a right angle: (pi / 2)^2 = 2.47, and 2 along the chord."""
    assert length(interpolation="slerp") == pytest.approx((math.pi / 2) ** 2, rel=0.04)


@pytest.mark.usefixtures("squares")
def test_ppl_full_is_not_ppl_end() -> None:
    """G(z) = z^2 / 2 has the slope z(t) (z1 - z0), whose mean square is 4 - 12 t + 12 t^2: 4 at the end, 2 over all."""
    assert length(lambda z: z**2 / 2, space="end", interpolation="lerp") == pytest.approx(4, rel=0.1)
    assert length(lambda z: z**2 / 2, space="full", interpolation="lerp") == pytest.approx(2, rel=0.1)


@pytest.mark.usefixtures("squares")
def test_ppl_is_a_function_of_seed_and_place() -> None:
    """Batches do not matter, the seed does; and the model is in the mode that it was in."""
    model, source = toy(), torch.zeros(4, 1, 16, 16)
    values = []
    for sizes, seed in (((4,), 0), ((1, 2, 1), 0), ((4,), 1)):
        metric = PerceptualPathLength(seed=seed)
        metric.prepare(CPU)
        found = [metric.update(source=part, model=model) for part in source.split(sizes)]
        values.append(torch.cat(found).tolist())
    assert values[0] == pytest.approx(values[1], rel=1e-9)
    assert values[0] != pytest.approx(values[2], rel=1e-3)
    assert len(set(values[0])) == 4
    assert model.method.training


@pytest.mark.usefixtures("squares")
def test_ppl_wants_a_latent_and_precision() -> None:
    metric, source = PerceptualPathLength(), torch.zeros(1, 1, 16, 16)
    metric.prepare(CPU)
    without = toy()
    without.method.translate_options = dict  # type: ignore[method-assign]
    with pytest.raises(MetricError, match=r"ppl measures methods with a latent .* which 'toy' has not"):
        metric.update(source=source, model=without)
    half = toy()
    half.method.register_parameter("p", nn.Parameter(torch.zeros(1, dtype=torch.float16)))
    with pytest.raises(MetricError, match="load the model in float32"):
        metric.update(source=source, model=half)
    named = PerceptualPathLength(to="foto")
    named.prepare(CPU)
    with pytest.raises(MetricError, match="no target 'foto'; did you mean 'photo'"):
        named.update(source=source, model=toy())
    with pytest.raises(ConfigError, match="'pairs' of PerceptualPathLength wants int from 1 to"):
        PerceptualPathLength(pairs=0)


def test_slerp_keeps_the_radius_and_the_ends() -> None:
    start, end = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    end = end / end.norm(dim=1, keepdim=True) * start.norm(dim=1, keepdim=True)
    for t in (0.0, 0.3, 1.0):
        between = slerp(start, end, torch.full((5, 1), t, dtype=torch.float64))
        torch.testing.assert_close(between.norm(dim=1), start.norm(dim=1))
    torch.testing.assert_close(between, end)
    torch.testing.assert_close(slerp(start, start, torch.full((5, 1), 0.5, dtype=start.dtype)), start)
