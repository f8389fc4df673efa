"""The curves of a run as an image: every metric, with its best step, and every loss, against the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2izoo.files.writing import replacing

Points = Sequence[tuple[int, float]]

COLUMNS = 3
PANEL = (4.2, 2.7)
"""Width and height of a panel, in inches."""
SMOOTH_FROM = 40
"""Points from which a loss is drawn pale, with its running mean on top."""


@dataclass(frozen=True)
class MetricCurve:
    """What is drawn of a metric.

    Attributes:
        points: step and value of each evaluation.
        low, high: step and end of the 95 % confidence interval, where there is one.
        best: step and value of the best.
        higher_is_better: direction.
        unit: "dB", or "".
    """

    points: Points
    low: Points
    high: Points
    best: tuple[int, float] | None
    higher_is_better: bool
    unit: str = ""


def draw_curves(
    path: Path, losses: Mapping[str, Points], metrics: Mapping[str, MetricCurve], domains: Sequence[str] = ()
) -> Path | None:
    """Write a PNG with a panel for each metric and for each loss.

    Args:
        path: the file; it is replaced in one go.
        losses: name -> points.
        metrics: name -> curve.
        domains: losses that only differ in a domain at their end (`d_photo`, `d_label`) share a panel.

    Returns:
        The path; None, and no file, where there is nothing to draw: no metric, and no loss with two points.
    """
    losses = {name: points for name, points in losses.items() if len(points) > 1}
    metrics = {name: curve for name, curve in metrics.items() if curve.points}
    panels: dict[str, dict[str, Points]] = {}
    for name, points in losses.items():
        domain = next((d for d in domains if name.endswith(f"_{d}")), None)
        panels.setdefault(name.removesuffix(f"_{domain}") if domain else name, {})[domain or name] = points
    count = len(metrics) + len(panels)
    if not count:
        return None

    # the object API: pyplot would keep the figure, and take over a notebook's
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    steps = [step for points in [*losses.values(), *(c.points for c in metrics.values())] for step, _ in points]
    for axis, (name, curve) in zip(axes, metrics.items(), strict=False):
        _draw_metric(axis, name, curve)
    for axis, (name, lines) in zip(axes[len(metrics) :], panels.items(), strict=False):
        _draw_losses(axis, name, lines, domains)
    for axis in axes[count:]:
        axis.remove()
    for axis in axes[:count]:
        axis.set_xlim(0, max(steps) * 1.03)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.xaxis.get_major_locator().set_params(integer=True, nbins=6)
        axis.set_xlabel("step", fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
    return path


def _draw_metric(axis: Any, name: str, curve: MetricCurve) -> None:
    low, high = dict(curve.low), dict(curve.high)
    both = sorted(low.keys() & high.keys())
    if both:
        axis.fill_between(both, [low[s] for s in both], [high[s] for s in both], alpha=0.18, linewidth=0, color="C0")
    axis.plot(*zip(*curve.points, strict=True), marker="o", markersize=3, color="C0")
    way = "\N{UPWARDS ARROW}" if curve.higher_is_better else "\N{DOWNWARDS ARROW}"
    axis.set_title(f"{name}{f' [{curve.unit}]' if curve.unit else ''} {way}", fontsize=9, loc="left")
    if curve.best is not None:
        step, value = curve.best
        axis.plot([step], [value], marker="*", markersize=12, color="C1", linestyle="none", zorder=3, clip_on=False)
        axis.set_title(f"\N{BLACK STAR} {value:.4g} at {step}", fontsize=8, loc="right", color="C1")


def _draw_losses(axis: Any, name: str, lines: Mapping[str, Points], domains: Sequence[str]) -> None:
    for label, points in lines.items():
        number = domains.index(label) if label in domains else 0  # a domain has one colour in all panels
        steps, values = zip(*points, strict=True)
        smooth = len(values) >= SMOOTH_FROM
        axis.plot(steps, values, color=f"C{number}", alpha=0.3 if smooth else 1.0, linewidth=1, label=label)
        if smooth:
            axis.plot(steps, running_mean(values), color=f"C{number}", linewidth=1.6)
    axis.set_title(name, fontsize=9, loc="left")
    if len(lines) > 1:
        legend = axis.legend(fontsize=8, frameon=False)
        for handle in legend.legend_handles:
            handle.set_alpha(1)


def running_mean(values: Sequence[float], weight: float = 0.9) -> list[float]:
    """Exponential running mean, without a bias towards zero at the beginning (as Adam corrects it).

    >>> running_mean([2.0, 2.0, 2.0])
    [2.0, 2.0, 2.0]
    """
    total, norm, means = 0.0, 0.0, []
    for value in values:
        total, norm = weight * total + (1 - weight) * value, weight * norm + (1 - weight)
        means.append(total / norm)
    return means
