"""FID, KID, inception score, precision, recall and NDB against closed forms and other implementations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from i2izoo_metrics.fid import FID
from i2izoo_metrics.gaussian import Gaussian, frechet_distance
from i2izoo_metrics.inception_score import InceptionScore
from i2izoo_metrics.kid import KID, mmd2, standard_error
from i2izoo_metrics.ndb import NDB
from i2izoo_metrics.precision_recall import Precision, Recall
from i2izoo_metrics.reservoir import Reservoir
from torch import Tensor

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, MetricError
from i2izoo.interfaces import FeatureExtractor, SetMetric


class Plain(FeatureExtractor):
    """The features are the image: N x 3 x H x W, of which the first channel counts, is N x HW."""

    def forward(self, image: Tensor) -> Tensor:
        return image[:, 0].flatten(1)

    def logits(self, features: Tensor) -> Tensor:
        return features


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("extractors"), "_registered", {})
    i2izoo.register("extractors", "plain")(Plain)


def draw(n: int, d: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    """N x D normal features whose covariance is not diagonal."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator) / d**0.5 + torch.eye(d)
    return torch.randn(n, d, generator=generator) @ mixing * scale + shift


def as_images(features: Tensor) -> Tensor:
    return features[:, None, None, :].expand(-1, 3, -1, -1)


def filled(metric: Any, fake: Tensor, real: Tensor | None = None, batch: int = 7) -> Any:
    """The metric with these features, in batches."""
    for part in fake.split(batch):
        metric.update(prediction=as_images(part))
    for part in () if real is None else real.split(batch):
        metric.add_reference(as_images(part))
    return metric


def gaussian(rows: Tensor, batch: int = 64) -> Gaussian:
    result = Gaussian()
    for part in rows.split(batch):
        result.add(part)
    return result


def with_moments(mean: Tensor, covariance: Tensor, n: int) -> Tensor:
    """N x D rows, float64, of exactly this mean and covariance."""
    rows = torch.randn(n, len(mean), generator=torch.Generator().manual_seed(1), dtype=torch.double)
    rows -= rows.mean(0)
    whitened = rows @ torch.linalg.inv(torch.linalg.cholesky(rows.T @ rows / (n - 1))).T
    return whitened @ torch.linalg.cholesky(covariance).T + mean


SETS: list[type[SetMetric]] = [FID, KID, Precision, Recall, NDB]


# ------------------------------------------------------------------------------------------------------------ FID


@pytest.mark.parametrize("n", [100, 1000], ids=["rows held", "rows folded"])
def test_fid_of_diagonal_gaussians(n: int) -> None:
    """|m1 - m2|^2 + sum (s1 - s2)^2, with standard deviations s."""
    s1, s2, m1, m2 = torch.tensor([[1, 2, 0.5], [3, 0.1, 0.5], [0, 1, 2], [1, 1, 4]], dtype=torch.double)
    first, second = (gaussian(with_moments(m, s.square().diag(), n)) for m, s in ((m1, s1), (m2, s2)))
    assert frechet_distance(first, second) == pytest.approx(1 + 4 + 4 + 1.9**2, rel=1e-10)


@pytest.mark.parametrize("n", [50, 2000], ids=["rows held", "rows folded"])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_fid_of_full_covariances_is_scipys(n: int, shift: float) -> None:
    real, fake = draw(n, 12, 0).double(), draw(n, 12, 1, 1.5, shift).double()
    found = frechet_distance(gaussian(fake), gaussian(real))
    s1, s2 = np.cov(fake.numpy(), rowvar=False), np.cov(real.numpy(), rowvar=False)
    root = scipy.linalg.sqrtm(s1 @ s2).real
    wanted = (fake.mean(0) - real.mean(0)).square().sum().item() + np.trace(s1 + s2 - 2 * root)
    assert found == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("counts", [(40, 60), (40, 900), (900, 700)], ids=str)
def test_fid_of_degenerate_features_is_that_of_what_varies(counts: tuple[int, int]) -> None:
    """Turned into 300 dimensions, of which they fill 6, Gaussians are as far apart as in those 6."""
    turn = torch.linalg.qr(torch.randn(300, 300, generator=torch.Generator().manual_seed(5), dtype=torch.double))[0]
    small = [draw(n, 6, seed, 1 + seed).double() for seed, n in enumerate(counts)]
    large = [s @ turn[:6] + 3.0 for s in small]
    wanted, found = frechet_distance(*map(gaussian, small)), frechet_distance(*map(gaussian, large))
    assert found == pytest.approx(wanted, rel=1e-6)


def test_fid_of_fewer_images_than_features_is_exact() -> None:
    """Sets in orthogonal subspaces share nothing: the distance is that of the means and the two traces."""
    real, fake = torch.zeros(5, 400), torch.zeros(6, 400)
    real[:, :200], fake[:, 200:] = draw(5, 200, 0), draw(6, 200, 1)
    metric = filled(FID(features="plain"), fake, real)
    spread = sum(x.double().var(0).sum() + x.double().mean(0).square().sum() for x in (real, fake))
    assert metric.compute().value == pytest.approx(float(spread), rel=1e-10)


def test_fid_is_torch_fidelitys_and_torchmetrics() -> None:
    metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
    from torchmetrics.image.fid import FrechetInceptionDistance

    real, fake = draw(600, 64, 0), draw(500, 64, 1, 1.1, 0.2)
    value = filled(FID(features="plain"), fake, real).compute().value
    statistics = [metric_fid.fid_features_to_statistics(x.double()) for x in (fake, real)]
    [wanted] = metric_fid.fid_statistics_to_metric(*statistics, verbose=False).values()
    assert value == pytest.approx(wanted, rel=1e-6)

    class Identity(torch.nn.Module):
        num_features = 64

        def forward(self, x: Tensor) -> Tensor:
            return x

    theirs = FrechetInceptionDistance(feature=Identity())
    theirs.update(real.double(), real=True)
    theirs.update(fake.double(), real=False)
    assert value == pytest.approx(float(theirs.compute()), rel=1e-6)


def test_fid_does_not_lose_digits_to_a_large_mean() -> None:
    """A common shift of all features changes nothing; in sums of squares it would drown the variance of 1."""
    real, fake = draw(700, 8, 0).double(), draw(700, 8, 1).double()
    near, far = ([gaussian(x + shift) for x in (fake, real)] for shift in (0.0, 2.0**30))
    assert frechet_distance(*far) == pytest.approx(frechet_distance(*near), rel=1e-5)


def test_memory_of_fid_does_not_grow_with_the_images() -> None:
    sizes = []
    for n in (300, 3000):
        held = gaussian(draw(n, 9, 0))
        held.covariance()
        sizes.append(sum(t.numel() for t in vars(held).values() if isinstance(t, Tensor)))
    assert sizes[0] == sizes[1]


def test_fid_of_a_set_and_itself_is_zero() -> None:
    same = draw(30, 9, 0)
    assert filled(FID(features="plain"), same, same).compute().value == pytest.approx(0, abs=1e-10)


def test_fid_warns_below_2048_images() -> None:
    few = filled(FID(features="plain"), draw(30, 3, 0), draw(30, 3, 1)).compute()
    assert few.notes == ("30 images: FID is biased upwards below 2048; prefer KID",)
    assert few.n == 30
    many = filled(FID(features="plain"), draw(2048, 3, 0), draw(2048, 3, 1), batch=1000).compute()
    assert many.notes == ()


# ------------------------------------------------------------------------------------------------------------ KID


def test_kid_is_torch_fidelitys() -> None:
    metric_kid = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = draw(120, 16, 0), draw(150, 16, 1, 1.1, 0.2)
    value = filled(KID(features="plain", subset_size=50, subsets=10, seed=3), fake, real).compute().value
    wanted = metric_kid.kid_features_to_metric(
        fake.double(), real.double(), kid_subset_size=50, kid_subsets=10, rng_seed=3, verbose=False
    )
    assert value == pytest.approx(wanted["kernel_inception_distance_mean"], rel=1e-6)


def test_kid_of_a_small_set_is_one_subset_and_says_so() -> None:
    metric_kid = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = draw(40, 16, 0), draw(40, 16, 1, 1.1, 0.2)
    score = filled(KID(features="plain"), fake, real).compute()
    wanted = metric_kid.kid_features_to_metric(
        fake.double(), real.double(), kid_subset_size=40, kid_subsets=1, rng_seed=0, verbose=False
    )
    assert score.value == pytest.approx(wanted["kernel_inception_distance_mean"], rel=1e-6)
    assert score.notes == ("subsets of 40 images, not 1000: there are no more",)


def test_kid_may_be_negative_and_is_unbiased() -> None:
    generator = torch.Generator().manual_seed(0)
    pairs = [torch.randn(2, 8, 3, generator=generator, dtype=torch.double) for _ in range(2000)]
    values = [mmd2(x, y) for x, y in pairs]
    error = np.std(values) / len(values) ** 0.5
    assert min(values) < 0
    assert abs(np.mean(values)) < 4 * error


def test_kid_interval_is_as_wide_as_the_value_varies() -> None:
    """1.96 standard errors of the jackknife, against the spread of the value over fresh samples."""
    generator = torch.Generator().manual_seed(0)
    values, errors = [], []
    for _ in range(300):
        x = torch.randn(40, 3, generator=generator, dtype=torch.double)
        y = torch.randn(60, 3, generator=generator, dtype=torch.double) * 1.2 + 0.5
        values.append(mmd2(x, y))
        errors.append(standard_error(x, y))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_jackknife_is_that_of_the_definition() -> None:
    x, y = draw(7, 3, 0).double(), draw(5, 3, 1).double()
    wanted = 0.0
    for these, without in (
        (x, lambda i: mmd2(torch.cat([x[:i], x[i + 1 :]]), y)),
        (y, lambda i: mmd2(x, torch.cat([y[:i], y[i + 1 :]]))),
    ):
        left = np.array([without(i) for i in range(len(these))])
        wanted += (len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum()
    assert standard_error(x, y, rows=2) == pytest.approx(math.sqrt(wanted), rel=1e-9)


def test_kid_keeps_a_bounded_sample_and_says_so() -> None:
    metric = filled(KID(features="plain", max_samples=20), draw(50, 4, 0), draw(30, 4, 1))
    assert len(metric.predictions.rows()) == len(metric.references.rows()) == 20
    notes = metric.compute().notes
    assert "a random 20 of 50 predictions count (max_samples)" in notes
    assert "a random 20 of 30 references count (max_samples)" in notes


def test_a_reservoir_is_a_uniform_sample_whatever_the_batches() -> None:
    rows = torch.arange(60.0)[:, None]
    kept = []
    for seed in range(400):
        whole, parts = Reservoir(15, seed), Reservoir(15, seed)
        whole.add(rows)
        for part in rows.split(1 + seed % 9):
            parts.add(part)
        assert torch.equal(whole.rows(), parts.rows())
        kept.append(whole.rows()[:, 0].long())
    counts = torch.cat(kept).bincount(minlength=60)
    expected, spread = 400 * 15 / 60, math.sqrt(400 * 0.25 * 0.75)
    assert (counts - expected).abs().max() < 4.5 * spread


# ------------------------------------------------------------------------------------------------ inception score


def test_inception_score_of_sure_and_even_classes_is_their_number() -> None:
    logits = torch.eye(4).repeat(5, 1) * 1000
    assert filled(InceptionScore(features="plain"), logits).compute().value == pytest.approx(4)


def test_inception_score_of_equal_images_is_one() -> None:
    assert filled(InceptionScore(features="plain"), torch.zeros(6, 5)).compute().value == pytest.approx(1)


def test_inception_score_of_known_probabilities() -> None:
    """Two kinds of images, (0.9, 0.1) and (0.1, 0.9): exp of 0.9 log(0.9 / 0.5) + 0.1 log(0.1 / 0.5)."""
    logits = torch.tensor([[0.9, 0.1], [0.1, 0.9]]).log().repeat(4, 1)
    wanted = math.exp(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
    assert filled(InceptionScore(features="plain"), logits).compute().value == pytest.approx(wanted, rel=1e-6)


def test_inception_score_is_torch_fidelitys_on_the_same_splits() -> None:
    metric_isc = pytest.importorskip("torch_fidelity.metric_isc")
    logits = draw(1000, 6, 0)
    score = filled(InceptionScore(features="plain"), logits, batch=64).compute()
    in_turn = torch.cat([logits[split::10] for split in range(10)])  # they split in runs, we in turn
    wanted = metric_isc.isc_features_to_metric(in_turn, splits=10, shuffle=False)
    assert score.value == pytest.approx(wanted["inception_score_mean"], rel=1e-6)
    # Student's t at 9 degrees of freedom from a table; their deviation has no correction of degrees of freedom
    margin = 2.262157 * wanted["inception_score_std"] / 3
    assert score.high - score.low == pytest.approx(2 * margin, rel=1e-5)


def test_inception_score_makes_fewer_splits_of_fewer_images_and_says_so() -> None:
    logits = draw(250, 6, 0)
    score = filled(InceptionScore(features="plain"), logits).compute()
    assert score.notes[0] == "2 splits, not 10: of at least 100"
    alone = filled(InceptionScore(features="plain"), logits[:150]).compute()
    assert alone.notes[0] == "1 split, not 10: of at least 100"
    assert alone.low is None
    assert "150 images" in alone.notes[1]
    assert "5000" in alone.notes[1]


# ------------------------------------------------------------------------------------------- precision and recall

SQUARE = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])


def test_precision_and_recall_of_points_in_a_plane() -> None:
    """With one neighbour the balls around the square's corners have radius 1."""
    far = torch.tensor([[9.0, 9], [9, 9.5]])  # their balls have radius 0.5
    fake = torch.cat([torch.tensor([[0.5, 0.5], [-0.9, 0.0], [1.8, 1.8]]), far])
    # of the fakes the first two lie in a ball of the square (the third is 1.13 from its corner); their own radii are
    # 1.487 (0.5,0.5 to -0.9,0), the same, 1.838 (1.8,1.8 to 0.5,0.5) and 0.5: all four corners are in the first's ball
    scores = {m: filled(m(features="plain", neighbours=1), fake, SQUARE).compute() for m in (Precision, Recall)}
    assert scores[Precision].value == pytest.approx(2 / 5)
    assert scores[Recall].value == 1
    assert scores[Recall].notes[0].startswith("4 images: it depends on the number of images")


def test_a_collapsed_model_has_precision_and_no_recall() -> None:
    fake = torch.full((6, 2), 0.5)
    assert filled(Precision(features="plain"), fake, SQUARE).compute().value == 1
    assert filled(Recall(features="plain"), fake, SQUARE).compute().value == 0


def test_precision_and_recall_are_torch_fidelitys() -> None:
    metric_prc = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = draw(80, 5, 0), draw(90, 5, 1, 0.9, 0.5)
    wanted = metric_prc.prc_features_to_metric(fake.double(), real.double(), verbose=False)
    assert 0.1 < wanted["precision"] < 0.99
    assert filled(Precision(features="plain"), fake, real).compute().value == pytest.approx(wanted["precision"])
    assert filled(Recall(features="plain"), fake, real).compute().value == pytest.approx(wanted["recall"])


# ------------------------------------------------------------------------------------------------------------ NDB


def clumps(*counts: int) -> Tensor:
    """So many points around (0, 0), (10, 0), (20, 0) and so on."""
    generator = torch.Generator().manual_seed(sum(counts))
    parts = [torch.randn(n, 2, generator=generator) * 0.1 + torch.tensor([10.0 * i, 0]) for i, n in enumerate(counts)]
    return torch.cat(parts)


@pytest.mark.parametrize(
    ("fake", "wanted"),
    [
        ((100, 100, 100, 100), 0.0),
        ((100, 100, 150, 50), 0.5),  # z = 3.2 and 4.1
        ((112, 88, 100, 100), 0.0),  # z = 0.97
        ((400, 0, 0, 0), 1.0),  # collapsed
    ],
)
def test_ndb_of_clumps_counts_those_that_differ(fake: tuple[int, ...], wanted: float) -> None:
    metric = filled(NDB(features="plain", bins=4), clumps(*fake), clumps(100, 100, 100, 100), batch=100)
    score = metric.compute()
    assert score.value == wanted
    assert score.notes == ("400 images: NDB finds few differences below 1000",)


def test_ndb_makes_fewer_bins_of_fewer_images_and_says_so() -> None:
    metric = filled(NDB(features="plain"), draw(50, 3, 0), draw(40, 3, 1))
    assert metric.compute().notes[0] == "4 bins, not 100: 10 true images or more for each"


def test_ndb_of_equal_images_is_defined() -> None:
    same = torch.ones(30, 4)
    assert filled(NDB(features="plain"), same, same).compute().value == 0


def test_ndb_of_one_distribution_is_about_the_level_of_its_tests() -> None:
    metric = filled(NDB(features="plain", bins=50), draw(3000, 3, 0)[:1500], draw(3000, 3, 0)[1500:], batch=500)
    assert metric.compute().value < 0.2


# ------------------------------------------------------------------------------------------------ all that compare


@pytest.mark.parametrize("kind", [*SETS, InceptionScore])
def test_how_images_come_in_batches_changes_nothing(kind: type[Any]) -> None:
    real, fake = draw(700, 5, 0), draw(650, 5, 1, 1.1, 0.3)
    with_reference = issubclass(kind, SetMetric)
    scores = [
        filled(kind(features="plain"), fake, real if with_reference else None, batch=batch).compute()
        for batch in (1, 37, 700)
    ]
    assert scores[0] == scores[1] == scores[2]


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("n", [60, 600], ids=["few", "many"])
def test_reference_state_stands_for_the_images(kind: type[Any], n: int, tmp_path: Any) -> None:
    from i2izoo.files.writing import read_tensors, write_tensors

    real, fake = draw(n, 5, 0), draw(90, 5, 1, 1.1, 0.3)
    first = filled(kind(features="plain"), fake, real)
    write_tensors(tmp_path / "state.safetensors", first.reference_state())
    second = filled(kind(features="plain"), fake)
    second.load_reference_state(read_tensors(tmp_path / "state.safetensors"))
    assert first.compute() == second.compute()


@pytest.mark.parametrize("kind", SETS)
def test_too_few_images_are_refused(kind: type[Any]) -> None:
    with pytest.raises(MetricError, match=r"needs at least \d+ images of each set; found 1 and 30"):
        filled(kind(features="plain"), draw(1, 3, 0), draw(30, 3, 1)).compute()
    with pytest.raises(MetricError):
        kind(features="plain").compute()


def test_too_few_images_have_no_inception_score() -> None:
    with pytest.raises(MetricError, match="needs at least 2 images"):
        filled(InceptionScore(features="plain"), torch.zeros(1, 3)).compute()


@pytest.mark.parametrize("kind", [FID, KID, Precision, NDB])
def test_features_of_different_length_are_refused(kind: type[Any]) -> None:
    with pytest.raises(MetricError, match="have 4 and 3 values"):
        filled(kind(features="plain"), draw(30, 4, 0), draw(30, 3, 1)).compute()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (KID, {"subset_size": 1}),
        (KID, {"subsets": 0}),
        (KID, {"max_samples": 1}),
        (Precision, {"neighbours": 0}),
        (NDB, {"bins": 1}),
        (InceptionScore, {"splits": 0}),
    ],
)
def test_options_without_sense_are_refused(kind: type[Any], options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"at least|wants int from \d to 1e9, found"):
        kind(features="plain", **options)


@pytest.mark.parametrize("kind", SETS)
def test_grey_and_colour_images_have_a_value_without_weights(kind: type[Any]) -> None:
    with_seed = torch.Generator().manual_seed(0)
    metric = kind(features="pixels")
    metric.add_reference(torch.rand(30, 3, 16, 16, generator=with_seed) * 2 - 1)
    metric.update(prediction=torch.rand(30, 1, 16, 16, generator=with_seed) * 2 - 1)
    score = metric.compute()
    assert kind.bounds[0] <= score.value <= kind.bounds[1]
    assert "images resized to 32 x 32 by antialiased bicubic (resize=clean)" in score.notes
