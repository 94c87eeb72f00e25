"""The picture of a regime map: regimes as colours, borders as lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from solvable.analytic.asymptotics.regimes import BETWEEN, RegimeMap
from solvable.analytic.errors import InputError

if TYPE_CHECKING:
    from solvable.analytic.asymptotics.fan import Fan

FAN_CELLS, FAR = 120, 9.0  # points of the picture; decades of the largest size for exponents
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

    path = checked_picture(path)
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


def checked_picture(path: str | Path, name: str = "path") -> Path:
    """The path, if it ends as a picture does."""
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(name, str(path), f"a file name that ends in {', '.join(FORMATS)}")
    return Path(path)


def draw_fan(fan: Fan, path: str | Path) -> Path:
    """Draw the cells of a fan in the plane of exponents, and the exact local exponent over them.

    The first size of the fan that is left out of the axes is L itself; filled circles have the
    colour of the law whose exponent the exact loss has there, within 0.05, rings have none.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    path = checked_picture(path)
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    ends = np.linspace(0.02, 2, FAN_CELLS)
    laws = fan.laws
    unit, across, up = _axes(fan)
    points = [(x, y) for y in ends for x in ends]
    place = [laws.index(fan.cell_at(_direction(fan, unit, across, up, p)).lead) for p in points]
    grid = np.reshape(place, (FAN_CELLS, FAN_CELLS))
    axis.contourf(ends, ends, grid, levels=np.arange(len(laws) + 1) - 0.5,
                  colors=PALETTE[: len(laws)], alpha=0.5)  # fmt: skip
    for x, y in [(x, y) for y in np.linspace(0.25, 1.75, 7) for x in np.linspace(0.25, 1.75, 7)]:
        direction = _direction(fan, unit, across, up, (x, y))
        measured = local_exponent(fan, direction)
        near = [abs(float(np.dot(_exponents(fan, law), direction)) - measured) for law in laws]
        best = int(np.argmin(near))
        axis.plot(x, y, "o", ms=5, color=PALETTE[best], mec="black", mew=0.5,
                  fillstyle="full" if near[best] < 0.05 else "none")  # fmt: skip
    axis.set(xlabel=_growth_label(across, unit), ylabel=_growth_label(up, unit))
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=PALETTE[i], alpha=0.5, label=f"${sp.latex(_scaling(fan, law))}$")
               for i, law in enumerate(laws)]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)
    return path


def local_exponent(fan: Fan, direction: Sequence[float]) -> float:
    """d ln L/d ln scale of the exact loss along sizes that grow in a direction."""
    from solvable.analytic.asymptotics.fan import SIZES
    from solvable.analytic.loss import static_loss
    from solvable.analytic.notation import a, b
    from solvable.analytic.spectrum import PowerLaw

    values = []
    reach = FAR / max(abs(x) for x in direction)
    for log_scale in (0.8 * reach, reach):
        sizes = {s: 10 ** (log_scale * x) for s, x in zip(fan.sizes, direction)}
        n, t = (sizes.get(SIZES[s], np.inf) for s in ("N", "T"))
        z = sizes.get(SIZES["z"], 0.0)
        law = PowerLaw(exponent=fan.point[b], target_exponent=fan.point.get(a),
                       size=max(1, round(sizes.get(SIZES["M"], 0))) if SIZES["M"] in sizes
                       else np.inf)  # fmt: skip
        loss = static_loss(law, n, t, ridge=z, normalisation="rate")
        values.append(float(loss.excess_loss))
    return float(np.log10(values[1] / values[0]) / (0.2 * reach))


def _axes(fan: Fan) -> tuple[sp.Symbol, sp.Symbol, sp.Symbol | None]:
    """(the size that is L, the one across, the one up)."""
    order = [s for s in fan.sizes if s.name == "T"] or [fan.sizes[0]]
    rest = [s for s in fan.sizes if s != order[0]]
    return order[0], rest[0], rest[1] if len(rest) > 1 else None


def _direction(
    fan: Fan, unit: sp.Symbol, across: sp.Symbol, up: sp.Symbol | None, point: tuple[float, float]
) -> list[float]:
    growth = {unit: 1.0, across: point[0]} if up else {unit: point[1], across: point[0]}
    growth |= {up: point[1]} if up else {}
    return [(-growth[s] if s.name == "z" else growth[s]) for s in fan.sizes]


def _exponents(fan: Fan, law: sp.Expr) -> tuple[float, ...]:
    return next(cell for cell in fan.cells if cell.lead == law).exponent(fan.point)


def _scaling(fan: Fan, law: sp.Expr) -> sp.Expr:
    exponents = next(cell for cell in fan.cells if cell.lead == law).law.terms[0].exponents
    return sp.Mul(*(s**e for s, e in exponents.items() if s in fan.sizes))


def _growth_label(size: sp.Symbol | None, unit: sp.Symbol) -> str:
    if size is None:
        return f"ln {unit}"
    return f"ln {size} / ln {unit}" if size.name != "z" else f"−ln z / ln {unit}"


def _colour(chart: RegimeMap, i: int) -> str:
    return "#FFFFFF" if chart.names[i] in (BETWEEN, "early") else PALETTE[i % len(PALETTE)]


def _axis_name(letter: str) -> str:
    return {"N": "number of features N", "T": "number of samples T", "t": "training time t"}[letter]
