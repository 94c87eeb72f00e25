"""The picture of a regime map: regimes as colours, borders as lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from solvable.analytic.asymptotics.regimes import BETWEEN, RegimeMap
from solvable.analytic.errors import InputError

#: Okabe and Ito's palette, distinguishable with every common colour vision deficiency
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#56B4E9",
    "#F0E442",
    "#CC79A7",
    "#009E73",
    "#D55E00",
    "#999999",
    "#DDDDDD",
)

FORMATS = (".png", ".pdf", ".svg")


def draw_map(chart: RegimeMap, path: str | Path, title: str = "") -> Path:
    """Draw the map to a PNG, PDF or SVG file, in colours that colour-blind readers can tell."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError("path", path, f"a file name that ends in {', '.join(FORMATS)}")
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    present = [i for i in range(len(chart.names)) if np.any(chart.index == i)]
    colours = ListedColormap([_colour(chart, i) for i in range(len(chart.names))])
    axis.pcolormesh(
        chart.x,
        chart.y,
        chart.index,
        cmap=colours,
        shading="nearest",
        norm=BoundaryNorm(np.arange(len(chart.names) + 1) - 0.5, len(chart.names)),
    )
    styles = ("-", "--", "-.", ":")
    for i, border in enumerate(chart.borders):
        scattered = "=" in border.relation and border.relation.startswith("σ")
        axis.plot(
            border.x,
            border.y,
            color="black",
            lw=1.4,
            label=border.relation,
            ls="none" if scattered else styles[i % 4],
            marker="." if scattered else None,
        )
    axis.set(
        xscale="log",
        yscale="log",
        title=title,
        xlim=(chart.x.min(), chart.x.max()),
        ylim=(chart.y.min(), chart.y.max()),
        xlabel=_axis_name(chart.axes[0]),
        ylabel=_axis_name(chart.axes[1]),
    )
    handles = [
        Patch(facecolor=_colour(chart, i), edgecolor="black", lw=0.5, label=chart.names[i])
        for i in present
    ]
    lines = axis.get_legend_handles_labels()[0]
    figure.legend(
        handles=handles + lines, loc="outside lower center", ncols=3, fontsize=9, frameon=False
    )
    figure.savefig(path, dpi=150)
    return path


def _colour(chart: RegimeMap, i: int) -> str:
    return "#FFFFFF" if chart.names[i] in (BETWEEN, "early") else PALETTE[i % len(PALETTE)]


def _axis_name(letter: str) -> str:
    return {"N": "number of features N", "T": "number of samples T", "t": "training time t"}[letter]
