"""Figures of experiments: theory lines, simulated points with error bars, and a caption.

Legible in print and without colour: the palette is that of Okabe and Ito, which readers with any
common colour vision can tell apart, and every series has its own marker and line style as well.
The caption states claim, parameters, seeds and verdict, and is part of the picture. The backend
is Agg: no display is needed, and the user's matplotlib state is left alone.
"""

from __future__ import annotations

import math
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from solvable.analytic.errors import InputError

from .experiments.evaluate import CurveEvidence, Evidence
from .experiments.experiment import Guide
from .writing import replacing

# Okabe & Ito's palette without its yellow, which is too light for lines on white paper
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
STYLES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)),
    (0, (2, 2)), (0, (10, 1)),
)  # fmt: skip
WIDTH = 6.4  # inches
PLOT_HEIGHT = 4.2
CAPTION_SIZE = 7.5
CAPTION_COLUMNS = 112
LINE_HEIGHT = 0.145  # inches
FORMATS = ("png", "svg")
FAR = 5.0  # times beyond the tested points, where untested ones are left out of the picture
GUIDE_STYLES = ((0, (2, 2)), (0, (6, 2, 1, 2)))
LEGEND_COLUMN = 7  # entries in one column of the legend
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.labelsize": 10, "legend.fontsize": 7.5, "axes.titlesize": 10,
    "xtick.direction": "in", "ytick.direction": "in", "svg.hashsalt": "solvable",
    "svg.fonttype": "path", "mathtext.fontset": "dejavusans",
}  # fmt: skip


def caption(evidence: Evidence) -> str:
    """Claim, parameters, seeds, verdict and source, as lines of text."""
    experiment, (least, most) = evidence.experiment, evidence.seeds
    seeds = f"{least}" if least == most else f"{least} to {most}"
    parts = (
        experiment.claim,
        f"Lines: theory; points: simulation, mean ± 2 standard errors (hollow: not tested). "
        f"{evidence.parameters}; {seeds} repetitions per point, root seed {evidence.root_seed}, "
        f"scale {evidence.scale:g} of the source.",
        f"Verdict: {evidence.outcome}. {evidence.message}.",
        f"Source: {experiment.source}.",
    )
    kept = (part.replace(" = ", "\u00a0=\u00a0") for part in parts)  # not broken between lines
    return "\n".join(textwrap.fill(part, CAPTION_COLUMNS) for part in kept)


def draw(evidence: Evidence) -> Any:
    """The matplotlib figure of an experiment."""
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "figure",
            evidence.experiment.name,
            "the extra 'figures' to be installed (pip install 'solvable[figures]')",
        ) from error
    text = caption(evidence)
    below = LINE_HEIGHT * (text.count("\n") + 2)
    height = PLOT_HEIGHT + below
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        FigureCanvasAgg(figure)
        box = (0.135, (below + 0.5) / height, 0.845, (PLOT_HEIGHT - 0.85) / height)
        axes = figure.add_axes(box)
        _plot(axes, evidence)
        figure.text(
            0.02, (below - 0.06) / height, text, fontsize=CAPTION_SIZE, va="top", ha="left",
            parse_math=False,
        )  # fmt: skip
    return figure


def _plot(axes: Any, evidence: Evidence) -> None:
    experiment = evidence.experiment
    axes.set_xscale(experiment.axes.x_scale)
    axes.set_yscale(experiment.axes.y_scale)
    labels = [guide.label for guide in evidence.guides if guide.kind == "curve" and guide.label]
    for guide in evidence.guides:
        order = labels.index(guide.label) if guide.label in labels else 0
        _guide(axes, guide, GUIDE_STYLES[order % len(GUIDE_STYLES)])
    shown = [series for series in evidence.series if series.shown]
    for index, series in enumerate(shown):
        _series(axes, series, index, experiment.axes.y_scale)
    axes.set_xlabel(experiment.axes.x)
    axes.set_ylabel(experiment.axes.y)
    axes.set_title(experiment.title, loc="left")
    axes.set_ylim(*_limits(evidence))
    for axis in (axes.xaxis, axes.yaxis):
        _label_minor_ticks(axis)
    axes.grid(True, which="major", linewidth=0.3, alpha=0.5)
    entries = len(axes.get_legend_handles_labels()[1])
    axes.legend(
        frameon=True, framealpha=0.85, edgecolor="none", handlelength=3.4, borderpad=0.2,
        ncols=1 + (entries - 1) // LEGEND_COLUMN, columnspacing=1.0, loc="best",
    )  # fmt: skip


def _label_minor_ticks(axis: Any) -> None:
    """On a logarithmic axis of less than two decades, 2 and 5 times the powers of ten.

    On one of less than 0.8 decades, 3, 4, 6 and 8 times as well.
    """
    from matplotlib.ticker import FuncFormatter

    if axis.get_scale() != "log":
        return
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    labelled = () if decades >= 2 else (2, 5) if decades >= 0.8 else (2, 3, 4, 5, 6, 8)

    def label(value: float, position: int | None = None) -> str:
        exponent = math.floor(math.log10(value) + 1e-9)
        mantissa = round(value / 10.0**exponent)
        if mantissa not in labelled:
            return ""
        if -2 <= exponent <= 3:
            return f"{mantissa * 10.0**exponent:g}"
        return rf"${mantissa}\times 10^{{{exponent}}}$"

    axis.set_minor_formatter(FuncFormatter(label))


def _series(axes: Any, series: CurveEvidence, index: int, scale: str) -> None:
    """Line, error bars, and the untested points hollow."""
    k = index % len(COLOURS)
    colour, marker = COLOURS[k], MARKERS[k]
    x = np.array([point.x for point in series.points])
    y = np.array([point.simulated.mean for point in series.points])
    error = 2 * np.array([point.simulated.error for point in series.points])
    tested = np.array([point.limit is not None for point in series.points])
    visible = np.isfinite(y) & ((y > 0) | (scale == "linear"))
    if scale == "log":  # a bar that reaches zero ends at the edge of the picture
        error = np.minimum(error, 0.999 * np.abs(y))
    common = {"color": colour, "markersize": 4.5, "capsize": 2, "elinewidth": 0.8, "linestyle": ""}
    for chosen, face in ((visible & tested, colour), (visible & ~tested, "white")):
        if chosen.any():
            axes.errorbar(
                x[chosen], y[chosen], error[chosen], marker=marker, markerfacecolor=face,
                zorder=3, **common,
            )  # fmt: skip
    if series.line is not None:
        line_x, line_y = (np.asarray(part, float) for part in series.line)
        good = np.isfinite(line_y) & ((line_y > 0) | (scale == "linear"))
        axes.plot(
            line_x[good], line_y[good], color=colour, linestyle=STYLES[k], linewidth=1.1, zorder=2
        )
    style = STYLES[k] if series.line is not None else ""
    axes.plot([], [], color=colour, marker=marker, markersize=4.5, linestyle=style, linewidth=1.1,
              label=series.label)  # fmt: skip


def _guide(axes: Any, guide: Guide, style: Any) -> None:
    label = guide.label or None
    if guide.kind == "vertical":
        axes.axvline(guide.x, color="#555555", linewidth=0.8, linestyle=":", zorder=1)
        axes.annotate(
            guide.label, (guide.x, 0.985), xycoords=("data", "axes fraction"), fontsize=7,
            rotation=90, ha="right", va="top", color="#333333", zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )  # fmt: skip
    elif guide.kind == "star":
        axes.plot([guide.x], [guide.y], marker="*", markersize=13, color="black", linestyle="",
                  markeredgecolor="white", label=label, zorder=5)  # fmt: skip
    else:
        axes.plot(guide.x, guide.y, color="#555555", linewidth=0.9, linestyle=style,
                  label=label, zorder=1)  # fmt: skip


def _limits(evidence: Evidence) -> tuple[float, float]:
    """Range of the ordinate: the tested points, and others that are not far from them.

    Poles and zeros of theory, and points next to them, would otherwise set the scale.
    """
    logarithmic = evidence.experiment.axes.y_scale == "log"
    points = [p for s in evidence.series if s.shown for p in s.points]
    points = [p for p in points if np.isfinite(p.simulated.mean)]
    points = [p for p in points if p.simulated.mean > 0 or not logarithmic]
    tested = [p.simulated.mean for p in points if p.limit is not None]
    low, high = (min(tested), max(tested)) if tested else (-math.inf, math.inf)
    means = np.array(tested + [
        p.simulated.mean for p in points
        if math.isnan(p.theory) or low / FAR < p.simulated.mean < high * FAR
    ])  # fmt: skip
    if not len(means):
        return (0.1, 1.0)
    if not logarithmic:
        margin = 0.08 * (means.max() - means.min() or 1.0)
        return float(means.min() - margin), float(means.max() + margin)
    spread = max(float(np.log(means.max() / means.min())), 0.7)
    return float(means.min() * np.exp(-0.25 * spread)), float(means.max() * np.exp(0.3 * spread))


def prepare(folder: str | Path) -> Path:
    """The folder, made when it is missing; `InputError` when nothing can be written there."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        allowed = f"a folder that can be written ({error.strerror})"
        raise InputError("folder", folder, allowed) from error
    return folder


def save(evidence: Evidence, folder: str | Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write NAME.png and NAME.svg to the folder, which is made when it is missing."""
    folder, figure, paths = prepare(folder), draw(evidence), []
    import matplotlib

    for kind in formats:
        path = folder / f"{evidence.experiment.name}.{kind}"
        undated = {"Date": None} if kind == "svg" else None
        with matplotlib.rc_context(STYLE), replacing(path, "--to") as beside:
            figure.savefig(beside, dpi=200, metadata=undated)
        paths.append(path)
    return paths
