"""The picture of a regime map: regimes as colours, borders as lines."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from solvable.analytic.asymptotics.fan import SIGNS
from solvable.analytic.asymptotics.regimes import BETWEEN, RegimeMap
from solvable.analytic.errors import InputError, SolvableError

from . import figure_style as style

if TYPE_CHECKING:
    from solvable.analytic.asymptotics.fan import Fan

FAN_CELLS, FAR = 120, 9.0  # points of the picture; decades of the largest size for exponents
DIGITS = 10  # of the exact quantity
#: Okabe and Ito's palette for areas, distinguishable with every common colour vision deficiency
PALETTE = (
    "#0072B2", "#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00", "#999999",
    "#DDDDDD",
)  # fmt: skip
HATCHES = ("", "////", "....", "\\\\\\\\", "xxx", "---", "+++", "|||", "oo")  #: tell areas in grey
HATCHED: dict[Any, Any] = {"hatch.linewidth": 0.3, "axes.grid": False}
WHITE = "#FFFFFF"
_EXPONENT = re.compile(r"\^(\d+\.\d+)")
FORMATS = (".png", ".pdf", ".svg")


def draw_map(chart: RegimeMap, path: str | Path) -> Path:
    """Draw the map to a PNG, PDF or SVG file, in colours that colour-blind readers can tell."""
    import matplotlib
    from matplotlib.colors import BoundaryNorm, ListedColormap

    path = checked_picture(path)
    present = [i for i in range(len(chart.names)) if np.any(chart.index == i)]
    relations = [style.mathematics(_EXPONENT.sub(r"^{\1}", b.relation)) for b in chart.borders]
    colours = ListedColormap([_colour(chart, i) for i in range(len(chart.names))])
    norm = BoundaryNorm(np.arange(len(chart.names) + 1) - 0.5, len(chart.names))
    with matplotlib.rc_context(style.STYLE | HATCHED):
        areas = [_area(_colour(chart, i), _hatch(chart, i), chart.names[i]) for i in present]
        labels = [*(chart.names[i] for i in present), *(b.relation for b in chart.borders)]
        figure, axis, columns = style.panel_above_legend(labels, style.COLUMN, style.COLUMN)
        axis.set(xscale="log", yscale="log")
        axis.pcolormesh(chart.x, chart.y, chart.index, cmap=colours, shading="nearest", norm=norm,
                        rasterized=True)  # fmt: skip
        for i in present:
            axis.contourf(chart.x, chart.y, chart.index == i, levels=[0.5, 1.5], colors="none",
                          hatches=[_hatch(chart, i)])  # fmt: skip
        for i, border in enumerate(chart.borders):
            scattered = "=" in border.relation and border.relation.startswith("σ")
            axis.plot(
                border.x, border.y, color="black", lw=1.1, label=relations[i],
                ls="none" if scattered else style.STYLES[i % len(style.STYLES)],
                marker="." if scattered else None,
            )  # fmt: skip
        axis.set(
            xlim=(chart.x.min(), chart.x.max()), ylim=(chart.y.min(), chart.y.max()),
            xlabel=_axis_name(chart.axes[0]), ylabel=_axis_name(chart.axes[1]),
        )  # fmt: skip
        _finish(figure, axis, [*areas, *axis.get_legend_handles_labels()[0]], columns, path)
    return path


def _area(colour: str, hatch: str, label: str, alpha: float | None = None) -> Any:
    """The sign of an area in a legend."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, edgecolor="black", lw=0.4, label=label, alpha=alpha,
                 hatch=hatch)  # fmt: skip


def _finish(figure: Any, axis: Any, handles: Sequence[Any], columns: int, path: Path) -> None:
    """Ticks, the legend below, and the file."""
    for one in (axis.xaxis, axis.yaxis):
        style.tick_logarithms(one)
    figure.legend(handles=handles, loc="lower center", ncols=columns, columnspacing=1.0)
    style.write_picture(figure, path, path.suffix[1:].lower())


def checked_picture(path: str | Path, name: str = "path") -> Path:
    """The path, if it ends as a picture does."""
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(name, str(path), f"a file name that ends in {', '.join(FORMATS)}")
    return Path(path)


def draw_fan(fan: Fan, path: str | Path) -> Path:
    """Draw the cells of a fan in the plane of exponents, and the exact local exponent over them.

    Axes are the powers of a scale L as which sizes grow: of two sizes both are drawn, of three one
    is L itself. Filled circles have the colour of the law whose exponent the quantity itself has
    there, within 0.05, rings have none. White is what the fan leaves out.
    """
    import matplotlib

    path = checked_picture(path)
    ends, marks = np.linspace(0.02, 2, FAN_CELLS), np.linspace(0.25, 1.75, 7)
    laws = fan.laws
    unit, across, up = _axes(fan)

    def direction(point: tuple[float, float]) -> list[float] | None:
        found = _direction(fan, unit, across, up, point)
        return found if fan.allows(found) else None

    points = [direction((x, y)) for y in ends for x in ends]
    place = [np.nan if p is None else laws.index(fan.cell_at(p).lead) for p in points]
    grid = np.reshape(place, (FAN_CELLS, FAN_CELLS))
    with matplotlib.rc_context(style.STYLE | HATCHED):
        areas = [_area(PALETTE[i], HATCHES[i], f"${sp.latex(_scaling(fan, law))}$", 0.5)
                 for i, law in enumerate(laws)]  # fmt: skip
        labels = [str(_scaling(fan, law)) for law in laws]
        figure, axis, columns = style.panel_above_legend(labels, style.COLUMN, style.COLUMN)
        axis.contourf(ends, ends, grid, levels=np.arange(len(laws) + 1) - 0.5, alpha=0.5,
                      colors=PALETTE[: len(laws)], hatches=HATCHES[: len(laws)])  # fmt: skip
        for point in [(x, y) for y in marks for x in marks]:
            if (along := direction(point)) is None:
                continue
            try:
                measured = local_exponent(fan, along)
            except SolvableError:  # a pole, on a wall
                measured = math.inf
            near = [abs(float(np.dot(_exponents(fan, law), along)) - measured) for law in laws]
            best = int(np.argmin(near))
            axis.plot(*point, "o", ms=4, color=PALETTE[best], mec="black", mew=0.5,
                      fillstyle="full" if near[best] < 0.05 else "none")  # fmt: skip
        scale = str(unit) if up else "L"
        axis.set(xlabel=_growth_label(across, scale), ylabel=_growth_label(up or unit, scale))
        _finish(figure, axis, areas, columns, path)
    return path


def local_exponent(fan: Fan, direction: Sequence[float]) -> float:
    """d ln L/d ln scale of the quantity itself along sizes that grow in a direction."""
    from solvable.analytic.asymptotics.balance.exact_value import exact_value

    form = fan.cell_at(direction).law
    problem = form.problem
    assert problem is not None
    whole = (problem.size, problem.clock and problem.clock.time)
    reach = FAR / max(abs(x) for x in direction)
    values = []
    for log_scale in (0.8 * reach, reach):
        sizes = {s: 10 ** (log_scale * x) for s, x in zip(fan.sizes, direction)}
        known = {s: sp.Integer(round(x)) if s in whole else sp.Float(x) for s, x in sizes.items()}
        found = exact_value(problem, form, {**problem.typical, **fan.point, **known}, DIGITS)
        values.append(float(mpmath.log10(abs(found.value))))
    return (values[1] - values[0]) / (0.2 * reach)


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
    return [SIGNS[s] * growth[s] for s in fan.sizes]


def _exponents(fan: Fan, law: sp.Expr) -> tuple[float, ...]:
    return next(cell for cell in fan.cells if cell.lead == law).exponent(fan.point)


def _scaling(fan: Fan, law: sp.Expr) -> sp.Expr:
    exponents = next(cell for cell in fan.cells if cell.lead == law).law.terms[0].exponents
    return sp.Mul(*(s**e for s, e in exponents.items() if s in fan.sizes))


def _growth_label(size: sp.Symbol, scale: str) -> str:
    sign = "-" if SIGNS[size] < 0 else ""
    return rf"${sign}\ln {sp.latex(size)}/\ln {scale}$"


def _hatch(chart: RegimeMap, i: int) -> str:
    return "" if _colour(chart, i) == WHITE else HATCHES[i % len(HATCHES)]


def _colour(chart: RegimeMap, i: int) -> str:
    return WHITE if chart.names[i] in (BETWEEN, "early") else PALETTE[i % len(PALETTE)]


def _axis_name(letter: str) -> str:
    names = {"N": "features $N$", "T": "samples $T$", "t": "training time $t$"}
    return names[letter]
