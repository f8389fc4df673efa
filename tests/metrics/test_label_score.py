"""The metric `label_score` on label maps whose figures are counted by hand."""

import pytest
import torch
from i2izoo_metrics.label_score import LabelScore

from i2izoo.errors import ConfigError, MetricError
from i2izoo.nn.label_maps import colours_of

PALETTE = [[0, 0, 0], [255, 0, 0], [0, 0, 255]]


def maps(*rows: list[int]) -> torch.Tensor:
    return colours_of(torch.tensor([rows]), PALETTE)


def test_measures_of_label_maps_by_hand():
    truth, found = maps([0, 0, 0, 0], [1, 1, 1, 1]), maps([0, 0, 0, 1], [1, 1, 2, 2])
    metric = LabelScore(palette=PALETTE)
    assert metric.update(prediction=found, target=truth).tolist() == [5 / 8]
    scores = metric.compute()
    assert scores["pixel_accuracy"].value == 5 / 8
    assert scores["class_accuracy"].value == pytest.approx((3 / 4 + 2 / 4) / 2)  # class 2 is in no truth
    assert scores["class_iou"].value == pytest.approx((3 / 4 + 2 / 5) / 2)
    assert scores["class_iou"].notes == ("1 of 3 classes do not occur in these label maps and do not count",)


def test_generated_colours_count_as_the_nearest_class_and_true_ones_far_from_all_do_not_count():
    truth = torch.tensor([[[0, 250, 128, 0]], [[0, 0, 128, 0]], [[0, 0, 128, 250]]])[None] / 127.5 - 1
    found = torch.tensor([[[90, 160, 0, 10]], [[90, 60, 0, 10]], [[80, 60, 0, 200]]])[None] / 127.5 - 1
    metric = LabelScore(palette=PALETTE)
    metric.update(prediction=found, target=truth)
    # of the three that count all are nearest to their class; the grey one is 128 * sqrt(3) from black and does not
    assert metric.compute()["pixel_accuracy"].value == 1.0
    assert metric.compute()["pixel_accuracy"].notes == ("25% of the pixels, whose colour is no class's, do not count",)


def test_what_is_no_label_map_is_refused():
    grey = torch.full((1, 3, 4, 4), 0.5)
    with pytest.raises(MetricError, match="none of the 3 colours"):
        LabelScore(palette=PALETTE).update(prediction=grey, target=grey)
    with pytest.raises(MetricError, match="1 channels"):
        LabelScore(palette=PALETTE).update(prediction=grey[:, :1], target=grey)
    with pytest.raises(MetricError, match="no image"):
        LabelScore().compute()
    with pytest.raises(ConfigError, match="of 2 to 4096, found"):
        LabelScore(palette=[[0, 0, 0]])
