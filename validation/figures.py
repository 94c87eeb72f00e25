"""Figures of experiments: theory lines and simulated points with error bars.

The picture holds what is drawn and no more. The caption (claim, parameters, seeds, verdict, source)
stands beside it as LaTeX, the data as csv; the picture itself is PDF for print, SVG and PNG.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvable.analytic.prose import escape

from . import figure_style as style
from . import writing
from .experiments.evaluate import CurveEvidence, Evidence
from .experiments.experiment import Guide
from .figure_style import COLOURS, FORMATS, MARKERS, STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GUIDE_STYLES = ((0, (2, 2)), (0, (6, 2, 1, 2)))
LEGEND_COLUMN = 7  # entries of a legend inside the picture, at most
UNSURE = 0.5  # relative error of a point beyond which it does not set the scale: beside a pole


def caption(evidence: Evidence) -> str:
    """Claim, parameters, seeds, verdict and source, a paragraph each."""
    experiment, (least, most) = evidence.experiment, evidence.seeds
    seeds = f"{least}" if least == most else f"{least} to {most}"
    return "\n".join((
        experiment.claim,
        f"Lines: theory; points: simulation, mean ± 2 standard errors (hollow: not tested). "
        f"{evidence.parameters}; {seeds} repetitions per point, root seed {evidence.root_seed}, "
        f"scale {evidence.scale:g} of the source.",
        f"Verdict: {evidence.outcome}. {evidence.message}.",
        f"Source: {experiment.source}.",
    ))  # fmt: skip


def data(evidence: Evidence) -> str:
    """Simulated points and theory lines as csv."""
    rows: list[tuple[Any, ...]] = []
    for series in evidence.series:
        for p in series.points:
            tested = "no" if p.limit is None else "yes"
            error = 2 * p.simulated.error
            rows.append((series.label, "point", p.x, p.theory, p.simulated.mean, error, tested))
        if series.drawn is not None:
            rows += [(series.label, "line", float(x), float(y), "", "", "")
                     for x, y in zip(*series.drawn)]  # fmt: skip
    columns = ("series", "kind", "x", "theory", "simulation", "two standard errors", "tested")
    return style.as_csv(columns, rows)


def draw(evidence: Evidence, width: float = style.PAGE) -> Any:
    """The matplotlib figure of an experiment, as wide as a page or a column.

    A panel for each group of curves, side by side; the same name has the same colour in all. The
    legend stands inside a single panel, or below where it is long.
    """
    import matplotlib

    shown = [series for series in evidence.series if series.shown]
    panels = tuple(dict.fromkeys(series.panel for series in shown)) or ("",)
    names = list(dict.fromkeys(series.name for series in shown))
    guides = [guide.label for guide in evidence.guides if guide.kind != "vertical" and guide.label]
    listed = dict.fromkeys(names + guides)
    inside = len(panels) == 1 and len(listed) <= LEGEND_COLUMN
    columns = style.legend_columns(listed, width)
    rows = 0 if inside else -(-len(listed) // columns)
    with matplotlib.rc_context(style.STYLE):
        figure, found = style.new_panels(width, width / 1.6, len(panels), rows)
        entries: dict[str, Any] = {}
        for axes, panel in zip(found, panels):
            _plot(axes, evidence, panel, names)
            axes.set_title(style.mathematics(panel), fontsize=8, pad=3)
            if axes is not found[0]:
                axes.set_ylabel("")
                axes.tick_params(labelleft=False)
            handles, labels = axes.get_legend_handles_labels()
            entries |= dict(zip(labels, handles))
        if inside:
            found[0].legend(loc="best")
        else:
            figure.legend(entries.values(), entries.keys(), loc="lower center", ncols=columns,
                          columnspacing=1.0, frameon=False)  # fmt: skip
        style.make_room(figure, found)
    return figure


def _plot(axes: Axes, evidence: Evidence, panel: str, names: Sequence[str]) -> None:
    """One panel; colours follow the order of ``names``."""
    experiment = evidence.experiment
    axes.set_xscale(experiment.axes.x_scale)
    axes.set_yscale(experiment.axes.y_scale)
    labels = [guide.label for guide in evidence.guides if guide.kind == "curve" and guide.label]
    for guide in evidence.guides:
        order = labels.index(guide.label) if guide.label in labels else 0
        _guide(axes, guide.drawn(), GUIDE_STYLES[order % len(GUIDE_STYLES)])
    shown = [series for series in evidence.series if series.shown and series.panel == panel]
    limits = _limits(evidence)
    for series in shown:
        index = names.index(series.name)
        _series(axes, series, index, experiment.axes.y_scale, limits[1])
    axes.set_xlabel(style.mathematics(experiment.axes.x))
    axes.set_ylabel(style.mathematics(experiment.axes.y))
    axes.set_ylim(*limits)
    style.finish(axes)


def _series(axes: Axes, series: CurveEvidence, index: int, scale: str, top: float) -> None:
    """Line, error bars, and the untested points hollow; a pole of the line leaves the picture."""
    k = index % len(COLOURS)
    colour, marker = COLOURS[k], MARKERS[k]
    x = np.array([point.x for point in series.points])
    y = np.array([point.simulated.mean for point in series.points])
    error = 2 * np.array([point.simulated.error for point in series.points])
    tested = np.array([point.limit is not None for point in series.points])
    visible = np.isfinite(y) & ((y > 0) | (scale == "linear"))
    if scale == "log":  # a bar that reaches zero ends at the edge of the picture
        error = np.minimum(error, 0.999 * np.abs(y))
    common: dict[str, Any] = {
        "color": colour, "markersize": 3.5, "capsize": 2, "elinewidth": 0.8, "linestyle": "",
    }  # fmt: skip
    for chosen, face in ((visible & tested, colour), (visible & ~tested, "white")):
        if chosen.any():
            axes.errorbar(
                x[chosen], y[chosen], error[chosen], marker=marker, markerfacecolor=face,
                zorder=3, **common,
            )  # fmt: skip
    if series.drawn is not None:
        line_x, line_y = style.up_to_poles(*series.drawn, height=1e6 * abs(top))
        good = np.isfinite(line_y) & ((line_y > 0) | (scale == "linear"))
        axes.plot(
            line_x[good], line_y[good], color=colour, linestyle=STYLES[k], linewidth=1.1, zorder=2
        )
    dashes = STYLES[k] if series.line is not None else ""
    axes.plot([], [], color=colour, marker=marker, markersize=3.5, linestyle=dashes,
              label=style.mathematics(series.name))  # fmt: skip


def _guide(axes: Axes, guide: Guide, dashes: Any) -> None:
    label = style.mathematics(guide.label) or None
    if guide.kind == "vertical":
        axes.axvline(guide.x, color="#555555", linewidth=0.8, linestyle=":", zorder=1)
        axes.annotate(
            label or "", (guide.x, 0.985), xycoords=("data", "axes fraction"), fontsize=6.5,
            rotation=90, ha="right", va="top", color="#333333", zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )  # fmt: skip
    elif guide.kind == "star":
        axes.plot([guide.x], [guide.y], marker="*", markersize=10, color="black", linestyle="",
                  markeredgecolor="white", label=label, zorder=5)  # fmt: skip
    else:
        axes.plot(guide.x, guide.y, color="#555555", linewidth=0.9, linestyle=dashes,
                  label=label, zorder=1)  # fmt: skip


def _limits(evidence: Evidence) -> tuple[float, float]:
    """Range of the ordinate: the tested points, and others whose mean is known well.

    Poles and zeros of theory, and the noisy points next to them, would otherwise set the scale.
    """
    logarithmic = evidence.experiment.axes.y_scale == "log"
    points = [p for s in evidence.series if s.shown for p in s.points]
    points = [p for p in points if np.isfinite(p.simulated.mean)]
    points = [p for p in points if p.simulated.mean > 0 or not logarithmic]
    largest = max((abs(p.simulated.mean) for p in points), default=0.0)
    means = np.array([
        p.simulated.mean for p in points if p.limit is not None
        or 2 * p.simulated.error <= UNSURE * (abs(p.simulated.mean) if logarithmic else largest)
    ])  # fmt: skip
    if not len(means):
        return (0.1, 1.0)
    if not logarithmic:
        margin = 0.08 * (means.max() - means.min() or 1.0)
        return float(means.min() - margin), float(means.max() + margin)
    spread = max(float(np.log(means.max() / means.min())), 0.7)
    return float(means.min() * np.exp(-0.25 * spread)), float(means.max() * np.exp(0.3 * spread))


def save(
    evidence: Evidence, folder: str | Path, formats: Sequence[str] = FORMATS,
    width: float = style.PAGE,
) -> list[Path]:  # fmt: skip
    """Write NAME.pdf, .svg, .png, its caption NAME.tex and its data NAME.csv to the folder.

    The folder is made when it is missing.
    """
    import matplotlib

    figure, name, paths = draw(evidence, width), evidence.experiment.name, []
    with writing.folder(folder, "folder") as into:
        for kind in formats:
            paths.append(path := into / f"{name}.{kind}")
            with matplotlib.rc_context(style.STYLE), writing.replacing(path, "--to") as beside:
                style.write_picture(figure, beside, kind)
        texts = {"tex": escape(caption(evidence)) + "\n", "csv": data(evidence)}
        return paths + [writing.write_text(into / f"{name}.{kind}", text, "--to")
                        for kind, text in texts.items()]  # fmt: skip
