"""The FCN score: does a generated photo show what its label map asked for? (pix2pix, Isola et al. 2017, section 4)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.contracts.ranges import Range, Side
from i2izoo.errors import I2IZooError, MetricError
from i2izoo.interfaces import Metric, Score
from i2izoo_metrics.confusion import confusion_matrix, measures, scores
from i2izoo_metrics.palette import IGNORED, NO_LABEL_MAP, to_classes
from i2izoo_metrics.segmenter import Segmenter


class FCNScore(Metric):
    """Pixel accuracy, class accuracy and class IoU of a segmenter that reads generated photos.

    The segmenter has learned from real photos. What it finds in a generated one is compared with the classes of the
    label map that the photo was made of; what it finds in the real photo of that label map gives the `reference`, which
    is no upper bound: generated photos can be tidier than the world. Memory is two small matrices for each image. The
    value that `update` gives for each image is its pixel accuracy.

    On Cityscapes, with the authors' FCN-8s, real photos have 0.80, 0.26 and 0.21, pix2pix 0.66, 0.23 and 0.17, L1 alone
    0.42, 0.15 and 0.11 (table 1). Scores by different segmenters are not comparable.

    Args:
        segmenter: a trained model of the method `segmenter`, by any name that `i2izoo.load` takes. Its palette must be
            that of the label maps.
        size: side in pixels that photos are resized to before they are read, as pix2pix does for its FCN; None: as they
            are. A segmenter reads images far from the size that it learned at badly, the real ones, too.
        resamples: draws of the bootstrap behind the confidence intervals.
    """

    higher_is_better = True
    bounds = (0.0, 1.0)
    inputs: ClassVar[tuple[str, ...]] = ("prediction", "target", "source")
    qualifier = "segmenter"

    def __init__(
        self,
        *,
        segmenter: str = "segmenter-facades",
        size: Side | None = None,
        resamples: Annotated[int, Range(1, 1_000_000)] = 1000,
    ) -> None:
        self.name, self.size, self.resamples = segmenter, size, resamples
        self.segmenter: Segmenter | None = None
        self.generated: list[Tensor] = []
        self.real: list[Tensor] = []
        self.pixels = 0

    def prepare(self, device: torch.device) -> None:
        """Load the segmenter.

        Raises:
            MetricError: there is no such model, or it is of another method.
        """
        self.segmenter = self._load(device)

    def _load(self, device: torch.device) -> Segmenter:
        import i2izoo

        try:
            method = i2izoo.load(self.name, device=device).method
        except I2IZooError as error:
            raise MetricError(f"needs the segmenter {self.name!r}, which does not load: {error}") from error
        if not isinstance(method, Segmenter):
            raise MetricError(
                f"needs a model of the method 'segmenter'; {self.name!r} is another. Train one with "
                "`i2izoo train segmenter`."
            )
        return method.eval()

    @torch.inference_mode()
    def update(self, *, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:  # type: ignore[override]
        """Add a batch.

        Args:
            prediction: generated photos, N x C x H x W.
            target: the real photos.
            source: the label maps, N x 3 x H x W, in the segmenter's palette.

        Returns:
            The pixel accuracy of each generated photo: N, float64, NaN where no pixel of the label map counts.

        Raises:
            MetricError: `source` is no label map, or the photos have other channels than the segmenter reads.
        """
        if self.segmenter is None:
            self.segmenter = self._load(prediction.device)
        method = self.segmenter
        reads = method.channels[method.source]
        if prediction.shape[1] != reads:
            raise MetricError(f"{self.name!r} reads photos of {reads} channels; these have {prediction.shape[1]}.")
        truth = self._truth(source, method)
        if truth.shape[-2:] != prediction.shape[-2:]:
            raise MetricError(
                f"fcn_score compares photos with label maps of one size; these are {tuple(prediction.shape[-2:])} and "
                f"{tuple(truth.shape[-2:])}."
            )
        for photos, kept in ((prediction, self.generated), (target, self.real)):
            found = self._read(photos.to(next(method.parameters()).dtype), method)
            kept.extend(confusion_matrix(truth, found, len(method.palette)).cpu())
        self.pixels += truth.numel()
        return measures(torch.stack(self.generated[-len(truth) :]))[:, 0]

    def _read(self, photos: Tensor, method: Segmenter) -> Tensor:
        """Classes of photos, at their own size."""
        if self.size is None:
            return method.classify(photos)
        larger = F.interpolate(photos, (self.size, self.size), mode="bicubic", antialias=True).clamp(-1, 1)
        found = method.classify(larger)[:, None].to(photos.dtype)
        return F.interpolate(found, photos.shape[-2:], mode="nearest-exact")[:, 0].long()

    @staticmethod
    def _truth(source: Tensor, method: Segmenter) -> Tensor:
        """Classes of the label maps."""
        if source.shape[1] != 3:
            raise MetricError(
                f"fcn_score reads label maps in RGB colours as the source; this one has {source.shape[1]} channels."
            )
        truth = to_classes(source, method.palette, method.tolerance)
        share = (truth == IGNORED).double().mean().item()
        if share > NO_LABEL_MAP:
            raise MetricError(
                f"fcn_score scores translations of label maps to photos, but {share:.0%} of the source's pixels have "
                f"none of the {len(method.palette)} colours of the segmenter's palette; turn the direction round, or "
                "name a segmenter for these label maps (segmenter=NAME)."
            )
        return truth

    def compute(self) -> dict[str, Score]:
        """`pixel_accuracy`, `class_accuracy` and `class_iou`; see `i2izoo_metrics.confusion.scores`."""
        read_at = "" if self.size is None else f" at {self.size} x {self.size}"
        notes = (f"read by the segmenter {self.name!r}{read_at}",)
        return scores(self.generated, self.pixels, self.resamples, self.real, notes)
