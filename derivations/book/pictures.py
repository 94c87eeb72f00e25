"""The figure of a derivation: what its checks observed, or the quantity that it derives.

A picture is data first (curves with labels, axes, a caption in plain words), and is drawn from
them; the data are written as csv. Checks leave behind what they measured: the remainder of a
series with the predicted power, a measured curve with the claimed slope, the error of a simulation
at growing size, an estimate with its interval.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

from solvable.validation import figure_style as style

from ..checks import Asymptotic, Verdict
from ..derivation import Derivation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE, DASHED, POINTS, HISTOGRAM = "line", "dashed", "points", "histogram"
MOST = 4  # curves from checks in one picture


@dataclass(frozen=True)
class PictureCurve:
    """Points (x, y), drawn as a line, dashed, as points with errors, or as a histogram.

    Of a histogram x are the edges of the bins; the last y has no meaning.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    kind: str = LINE
    error: Sequence[float] | None = None


@dataclass(frozen=True)
class Picture:
    """Curves in a plane; labels and caption are text in which mathematics may stand."""

    x: str
    y: str
    curves: tuple[PictureCurve, ...]
    caption: str
    scales: tuple[str, str] = ("log", "log")
    limits: tuple[float, float] | None = None
    lines: tuple[float, ...] = field(default=())  # x of poles

    def csv(self) -> str:
        """The data, one row a point."""
        rows = [
            (curve.label, x, y, *([curve.error[i]] if curve.error else [""]))
            for curve in self.curves
            for i, (x, y) in enumerate(zip(curve.x, curve.y))
        ]
        return style.as_csv(("curve", self.x, self.y, "error"), rows)


def draw(picture: Picture) -> Any:
    """The matplotlib figure, a column wide; the legend below where points could be under it."""
    import matplotlib

    labels = [curve.label for curve in picture.curves if curve.label]
    below = len(labels) > 1 and any(curve.kind == POINTS for curve in picture.curves)
    with matplotlib.rc_context(style.STYLE):
        width, height = style.COLUMN, style.COLUMN / 1.4
        if below:
            figure, axes, columns = style.panel_above_legend(labels, width, height)
        else:
            figure, axes = style.new_figure(width, height)
        axes.set_xscale(picture.scales[0])
        axes.set_yscale(picture.scales[1])
        for index, curve in enumerate(picture.curves):
            _draw_curve(axes, curve, index % len(style.COLOURS), picture.limits)
        for pole in picture.lines:
            axes.axvline(pole, color=style.GREY, linewidth=0.6, linestyle=":")
        axes.set_xlabel(style.mathematics(picture.x))
        axes.set_ylabel(style.mathematics(picture.y))
        if picture.limits:
            axes.set_ylim(*picture.limits)
        style.finish(axes)
        style.make_room(figure, [axes])
        if below:
            figure.legend(loc="lower center", ncols=columns, columnspacing=1.0)
        elif labels:
            axes.legend(loc="best")
    return figure


def _draw_curve(
    axes: Axes, curve: PictureCurve, k: int, limits: tuple[float, float] | None
) -> None:
    """One curve in the k-th colour, marker and line style."""
    colour, label = style.COLOURS[k], style.mathematics(curve.label)
    if curve.kind == POINTS:
        axes.errorbar(curve.x, curve.y, curve.error, color=colour, marker=style.MARKERS[k],
                      linestyle="", markersize=3.5, capsize=2, label=label)  # fmt: skip
    elif curve.kind == HISTOGRAM:
        axes.stairs(curve.y[:-1], curve.x, fill=True, color="#cccccc", label=label)
    elif curve.kind == DASHED:
        axes.plot(curve.x, curve.y, color=style.GREY, linestyle=(0, (4, 2)), linewidth=0.9,
                  label=label)  # fmt: skip
    else:
        high = 1e6 * limits[1] if limits else math.nan
        x, y = style.up_to_poles(curve.x, curve.y, high)
        axes.plot(x, y, color=colour, linestyle=style.STYLES[k], label=label)


def rendered(found: Picture) -> dict[str, str]:
    """A picture as text: caption, csv, svg, and pdf in base 64."""
    import matplotlib

    figure = draw(found)
    out: dict[str, str] = {"caption": found.caption, "csv": found.csv()}
    for kind, changes in (("pdf", style.STYLE), ("svg", style.LIGHT)):
        file = io.BytesIO()
        if kind == "svg":
            figure.axes[0].minorticks_off()
            style.in_common_fonts(figure)
        with matplotlib.rc_context(changes):
            style.write_picture(figure, file, kind)
        data = file.getvalue()
        out[kind] = style.lightened(data) if kind == "svg" else base64.b64encode(data).decode()
    return out


def observed(derivation: Derivation, verdicts: Mapping[str, Verdict]) -> Picture | None:
    """What the checks of a derivation measured, of the first kind that they have."""
    for build in (reach, remainders, slopes, growing_sizes, estimates):
        found = build(derivation, verdicts)
        if found:
            return found
    return None


def _seen(verdicts: Mapping[str, Verdict], key: str) -> list[tuple[str, Any]]:
    return [(name.replace("-", " "), verdict.observed)
            for name, verdict in verdicts.items() if key in verdict.observed][:MOST]  # fmt: skip


def _guide(x: Sequence[float], y: Sequence[float], slope: float) -> PictureCurve:
    """A line of this slope through the last point."""
    ends = [min(x), max(x)]
    return PictureCurve("", ends, [y[-1] * (end / x[-1]) ** slope for end in ends], DASHED)


def reach(derivation: Derivation, verdicts: Mapping[str, Verdict]) -> Picture | None:
    """The relative error of the terms of a series, from where they begin to hold."""
    checks = [(step.claim, step.check) for step in derivation.steps
              if isinstance(step.check, Asymptotic) and step.check.drawn]  # fmt: skip
    curves = []
    for count, (claim, check) in enumerate(checks, 1):
        with mpmath.workdps(30):
            found = check.remainders(claim, check.drawn)
            errors = [(float(x), float(left / exact)) for x, left, exact in found if exact]
        x, y = zip(*[(x, error) for x, error in errors if error > 1e-16])
        curves.append(PictureCurve(f"{count} term{'s' * (count > 1)}", x, y))
    if not curves:
        return None
    last = checks[-1][1]
    return Picture(
        _letter(str(last.variable)), "relative error", tuple(curves),
        "Relative error of the limiting form against the exact loss, by the number of its terms: "
        f"where it begins to hold. {last.where}.",
    )  # fmt: skip


def remainders(derivation: Derivation, verdicts: Mapping[str, Verdict]) -> Picture | None:
    """|exact − claim| of series, with their predicted powers."""
    seen = _seen(verdicts, "curve")
    variables = {found["variable"] for _, found in seen}
    if not seen or len(variables) > 1:
        return None
    curves = []
    for name, found in seen:
        x, y = zip(*found["curve"])
        power = f"{_letter(name)}, ∝ {_letter(found['variable'])}^{{{found['predicted']:.3g}}}"
        curves += [PictureCurve(power, x, y, POINTS), _guide(x, y, found["predicted"])]
    variable = variables.pop()
    return Picture(
        _letter(variable), "remainder", tuple(curves),
        "What is left out by the series, exact value minus claim, against "
        f"{_letter(variable)}. Points: computed; dashed: the predicted powers.",
    )  # fmt: skip


def _letter(name: str) -> str:
    from solvable.analytic.typesetting import as_mathematics

    return as_mathematics(name)


def slopes(derivation: Derivation, verdicts: Mapping[str, Verdict]) -> Picture | None:
    """Measured curves with the claimed exponents."""
    seen = _seen(verdicts, "curves")
    seen = [(name, found) for name, found in seen if found["axes"] == seen[0][1]["axes"]]
    curves = []
    for _, found in seen:
        for slope, points, where in found["curves"]:
            x, y = zip(*points)
            curves += [PictureCurve(_letter(where), x, y, POINTS), _guide(x, y, slope)]
    if not curves:
        return None
    across, up = seen[0][1]["axes"]
    return Picture(
        across, up, tuple(curves),
        "Exact curves (points) from which the exponents were measured; dashed: the claimed slopes.",
    )  # fmt: skip


def growing_sizes(derivation: Derivation, verdicts: Mapping[str, Verdict]) -> Picture | None:
    """The error of a draw of a random matrix against its size."""
    for _, found in _seen(verdicts, "errors"):
        scales, errors, slope = found["errors"]
        x, y = list(map(float, scales)), list(map(float, errors))
        if all(value > 0 and math.isfinite(value) for value in y):
            return Picture(
                "s", "relative error", (PictureCurve("draws", x, y, POINTS), _guide(x, y, -1.0)),
                "Relative error of a draw against the size of the matrices, s times the smallest; "
                f"dashed: 1/s. Measured slope {slope:.2f}.",
            )  # fmt: skip
    return None


def estimates(derivation: Derivation, verdicts: Mapping[str, Verdict]) -> Picture | None:
    """Simulated means over claimed values, with their intervals."""
    x: list[float] = []
    y: list[float] = []
    error: list[float] = []
    for _, found in _seen(verdicts, "interval"):
        for mean, claimed, (low, high) in zip(found["mean"], found["claimed"], found["interval"]):
            if claimed and math.isfinite(low) and math.isfinite(high):
                x.append(float(len(x) + 1))
                y.append(float(mean / claimed))
                error.append(abs(float((high - low) / 2 / claimed)))
    if len(x) < 2:
        return None
    ends = [0.5, len(x) + 0.5]
    return Picture(
        "number of the estimate", "simulation/claim",
        (PictureCurve("simulation", x, y, POINTS, error), PictureCurve("", ends, [1, 1], DASHED)),
        "Simulated value over the claimed one, with the interval that decided.",
        ("linear", "linear"), (min(np.subtract(y, error)) - 0.02, max(np.add(y, error)) + 0.02),
    )  # fmt: skip
