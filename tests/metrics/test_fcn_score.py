"""The metric `fcn_score`: the measures, what it compares with what, and the bundled segmenter."""

import pytest
import torch
from i2izoo_metrics.confusion import bootstrap, confusion_matrix, measures
from i2izoo_metrics.fcn_score import FCNScore
from i2izoo_metrics.palette import CMP
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_jaccard_index,
)

import i2izoo
from i2izoo.contracts.registry import register
from i2izoo.errors import ConfigError, MetricError
from i2izoo.interfaces import Generator
from i2izoo.nn.label_maps import colours_of

# ------------------------------------------------------------------------------------------------- the measures


def test_measures_by_hand():
    # 4 pixels of class 0 (3 right, 1 taken for 2), 2 of class 1 (both right), none of class 2
    truth = torch.tensor([[[0, 0, 0, 0], [1, 1, -1, -1]]])
    found = torch.tensor([[[0, 0, 0, 2], [1, 1, 0, 2]]])
    confusion = confusion_matrix(truth, found, 3)
    assert confusion.tolist() == [[[3, 0, 1], [0, 2, 0], [0, 0, 0]]]
    # accuracy 5/6; classes 3/4 and 2/2; IoU 3/4 and 2/2: class 2 occurs in no truth and is not counted
    assert measures(confusion[0]).tolist() == pytest.approx([5 / 6, 7 / 8, 7 / 8])
    # 2 of 3 right of class 0, 1 of 2 of class 1: IoU 2/(3+3-2) and 1/(2+2-1)
    assert measures(torch.tensor([[2, 1], [1, 1]])).tolist() == pytest.approx([3 / 5, 7 / 12, (2 / 4 + 1 / 3) / 2])


def test_measures_agree_with_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(5, (3, 40, 30), generator=generator)
    found = torch.where(torch.rand(truth.shape, generator=generator) < 0.6, truth, truth.flip(2))
    truth[:, :3] = -1
    confusion = confusion_matrix(truth, found, 5)
    for row in range(3):
        theirs = multiclass_confusion_matrix(found[row], truth[row], 5, ignore_index=-1)
        assert torch.equal(confusion[row], theirs)
    options = {"num_classes": 5, "ignore_index": -1}
    expected = [
        multiclass_accuracy(found, truth, average="micro", **options),
        multiclass_accuracy(found, truth, average="macro", **options),
        multiclass_jaccard_index(found, truth, average="macro", **options),
    ]
    assert measures(confusion.sum(0)).tolist() == pytest.approx([v.item() for v in expected], rel=1e-6)


def test_no_pixel_is_nan_and_not_zero():
    assert measures(torch.zeros(2, 2)).isnan().all()


def test_intervals_of_equal_images_have_no_width_and_of_different_ones_that_of_a_binomial():
    right, wrong = torch.tensor([[10, 0], [0, 10]]), torch.tensor([[0, 10], [10, 0]])
    low, high = bootstrap(right.repeat(8, 1, 1), 50)
    assert low.tolist() == high.tolist() == [1.0, 1.0, 1.0]
    # the pixel accuracy of n images that are right or wrong as a coin falls: 1/2 +- 1.96 sqrt(1/4 / n)
    low, high = bootstrap(torch.stack([right, wrong]).repeat(50, 1, 1), 4000)
    assert low[0].item() == pytest.approx(0.5 - 0.098, abs=0.011)
    assert high[0].item() == pytest.approx(0.5 + 0.098, abs=0.011)


# --------------------------------------------------------------------------------------------------- the metric


@register("generators", "test-identity")
class Identity(Generator):
    """Gives its input."""

    def __init__(self, *, in_channels: int = 3, out_channels: int = 3):
        super().__init__()

    def forward(self, image, *conditions):
        return image


@register("generators", "test-sees-at-24")
class SeesAt24(Identity):
    """Gives its input if that is 24 pixels high, and otherwise blue, which is background."""

    def forward(self, image, *conditions):
        return image if image.shape[-2] == 24 else torch.tensor([-1.0, -1, 1]).view(1, 3, 1, 1).expand_as(image)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return nearest_colour("test-identity", tmp_path_factory.mktemp("reader"))


def nearest_colour(generator, folder):
    """A segmenter that finds the nearest colour of the palette: |x - c|^2 is least where 2 c x - |c|^2 is greatest."""
    model = i2izoo.create("segmenter", generator=generator, features=3)
    colours = torch.tensor(CMP) / 127.5 - 1
    with torch.no_grad():
        model.method.head.weight.copy_(2 * colours[:, :, None, None])
        model.method.head.bias.copy_(-colours.square().sum(1))
    return str(model.save_pretrained(folder / "model"))


def prepared(reader, **options):
    metric = FCNScore(segmenter=reader, **options)
    metric.prepare(torch.device("cpu"))
    return metric


def label_maps(count=4, seed=0):
    """Maps of 3 x 5 blocks, in which every class occurs."""
    draws = torch.Generator().manual_seed(seed)
    classes = torch.stack([torch.randperm(15, generator=draws) % 12 for _ in range(count)]).reshape(count, 3, 5)
    return classes.repeat_interleave(4, 1).repeat_interleave(4, 2)


def test_a_perfect_photo_has_one_everywhere(reader):
    source = colours_of(label_maps(), CMP)
    metric = prepared(reader)
    assert metric.update(prediction=source, target=source, source=source).tolist() == [1.0] * 4
    scores = metric.compute()
    assert list(scores) == ["pixel_accuracy", "class_accuracy", "class_iou"]
    for score in scores.values():
        assert (score.value, score.low, score.high, score.reference, score.n) == (1.0, 1.0, 1.0, 1.0, 4)


def test_values_are_the_predictions_and_references_the_real_photos(reader):
    """In the prediction the left half of every image says 'background', in the real photo the upper quarter does."""
    classes = label_maps() % 11 + 1  # no background
    predicted, real = classes.clone(), classes.clone()
    predicted[:, :, :10] = 0
    real[:, :3] = 0
    rows = [colours_of(c, CMP) for c in (predicted, real, classes)]
    metric = prepared(reader)
    for part in (slice(0, 3), slice(3, 4)):  # batches make no difference
        values = metric.update(prediction=rows[0][part], target=rows[1][part], source=rows[2][part])
        assert values.tolist() == pytest.approx([0.5] * len(values))
    score = metric.compute()["pixel_accuracy"]
    assert score.value == pytest.approx(0.5)
    assert score.reference == pytest.approx(0.75)
    assert score.n == 4
    assert any("1 of 12 classes" in note for note in score.notes)


def test_small_photos_are_read_at_the_size_that_the_segmenter_knows(tmp_path):
    """Upper half door, lower half window, at 12 x 20 pixels: enlarged to twice the height, the edge stays a row's."""
    reader = nearest_colour("test-sees-at-24", tmp_path)
    classes = torch.full((1, 12, 20), 3)
    classes[:, 6:] = 5
    photo = colours_of(classes, CMP)
    as_they_are, enlarged = prepared(reader), prepared(reader, size=24)
    assert as_they_are.update(prediction=photo, target=photo, source=photo).item() == 0
    assert enlarged.update(prediction=photo, target=photo, source=photo).item() > 0.8
    assert enlarged.compute()["pixel_accuracy"].notes[0].endswith("at 24 x 24")


def test_pixels_of_no_class_do_not_count(reader):
    source = colours_of(torch.full((2, 8, 8), 3), CMP)
    source[:, :, :2] = 0.0  # grey
    wrong_there = colours_of(torch.full((2, 8, 8), 3), CMP)
    wrong_there[:, :, :2] = colours_of(torch.full((2, 2, 8), 7), CMP)
    metric = prepared(reader)
    metric.update(prediction=wrong_there, target=wrong_there, source=source)
    score = metric.compute()["pixel_accuracy"]
    assert score.value == 1.0
    assert any(note.startswith("25% of the pixels") for note in score.notes)


def test_the_same_images_give_the_same_interval(reader):
    source = colours_of(label_maps(6), CMP)
    generated = colours_of(torch.where(label_maps(6, 1) < 6, label_maps(6), 0), CMP)
    scores = []
    for _ in range(2):
        metric = prepared(reader, resamples=100)
        metric.update(prediction=generated, target=source, source=source)
        scores.append(metric.compute())
    assert scores[0] == scores[1]
    score = scores[0]["class_iou"]
    assert score.low < score.value < score.high < score.reference == 1.0


def test_one_image_has_no_interval(reader):
    source = colours_of(label_maps(1), CMP)
    metric = prepared(reader)
    metric.update(prediction=source, target=source, source=source)
    assert metric.compute()["pixel_accuracy"].low is None


# -------------------------------------------------------------------------------------------------- what is wrong


def test_the_wrong_direction_is_noticed(reader):
    photo = torch.zeros(2, 3, 16, 16)
    label = colours_of(torch.zeros(2, 16, 16, dtype=torch.long), CMP)
    with pytest.raises(MetricError, match=r"100% of the source's pixels have none of the 12 colours .* turn the"):
        prepared(reader).update(prediction=label, target=label, source=photo)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((1, 1, 8, 8), (1, 1, 8, 8), (1, 3, 8, 8)), "reads photos of 3 channels; these have 1"),
        (((1, 3, 8, 8), (1, 3, 8, 8), (1, 1, 8, 8)), "RGB colours as the source; this one has 1 channels"),
        (((1, 3, 8, 8), (1, 3, 8, 8), (1, 3, 9, 8)), r"one size; these are \(8, 8\) and \(9, 8\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(reader, shapes, message):
    background = torch.tensor(CMP[0]).reshape(1, 3, 1, 1) / 127.5 - 1
    images = [background[:, : shape[1]].expand(shape) for shape in shapes]
    metric = prepared(reader)
    with pytest.raises(MetricError, match=message):
        metric.update(**dict(zip(("prediction", "target", "source"), images, strict=True)))


def test_a_segmenter_is_needed():
    with pytest.raises(MetricError, match=r"needs the segmenter 'segmenter-facade', which does not load: .*did you"):
        prepared("segmenter-facade")
    with pytest.raises(MetricError, match="needs a model of the method 'segmenter'; 'pix2pix-facades' is another"):
        prepared("pix2pix-facades")
    with pytest.raises(ConfigError, match="'resamples' of FCNScore wants int from 1 to"):
        FCNScore(resamples=0)
    with pytest.raises(MetricError, match="no image was added"):
        FCNScore().compute()


# ------------------------------------------------------------------------------------------ the bundled segmenter


def test_the_bundled_segmenter_reads_facades():
    """On drawn facades, which it has never seen. Always saying 'wall' would give 0.38, 0.08 and 0.03 here."""
    data = i2izoo.open_dataset("synthetic-facades", split="val", load_size=256, crop_size=256)
    pix2pix = i2izoo.load("pix2pix-facades")
    metric, upside_down = FCNScore(resamples=50), FCNScore(resamples=50)
    for index in range(4):
        pair = data.sample(index, None)
        label, photo = pair["label"][None], pair["photo"][None]
        generated = pix2pix(pair["label"], to="photo")[None]
        metric.update(prediction=generated, target=photo, source=label)
        upside_down.update(prediction=generated.flip(2), target=photo, source=label)
    for name, least in {"pixel_accuracy": 0.5, "class_accuracy": 0.25, "class_iou": 0.15}.items():
        score = metric.compute()[name]
        assert score.value > least
        assert score.reference > least
        assert upside_down.compute()[name].value < score.low


def test_models_are_compared_by_their_pixel_accuracy():
    """A value for each image belongs to the first of the three scores."""
    models = ["pix2pix-facades", "cyclegan-facades"]
    data = {"name": "synthetic-facades", "count": 8}
    found = i2izoo.compare(models, data, metrics=["fcn_score"], to="photo", size=128)
    for result in found.results:
        assert list(result.values) == ["fcn_score.pixel_accuracy"]
    (difference,) = found.differences
    assert difference.metric == "fcn_score.pixel_accuracy"
    assert difference.better == "pix2pix-facades"  # it has learned from pairs which colour is which part
