"""`solvable map`: map the regimes of the (N, T) or (N, t) plane.

Without --time: the (N, T) plane at zero ridge. With --time: the (N, t) plane of gradient flow,
for which --a and --b are needed. With --fan: every law and every wall in two or three free powers,
exactly: of N, T, M and z for the static loss; with t among them for that of gradient flow, with eta
for that of one-pass SGD; and with --budget how sizes share a budget by these laws.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvable.analytic.asymptotics.regimes import RegimeMap, size_map, time_map
from solvable.analytic.errors import InputError

from . import options as types
from . import output

if TYPE_CHECKING:
    from solvable.analytic.asymptotics.fan import Fan

MODES = 10**6  # where M is among the sizes: any number
CELLS = (40, 16)  # grid for the picture and JSON, and for the text


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable map`."""
    add = parser.add_argument
    types.add_spectrum(parser, latent=math.inf)
    add("--noise", type=types.nonnegative, metavar="S2", help="label noise σ_ε²")
    add("--features", type=types.listed(types.positive), metavar="LOW,HIGH",
        help="range of N (default: 10,1e5)")  # fmt: skip
    add("--samples", type=types.listed(types.positive), metavar="LOW,HIGH",
        help="range of T (default: 10,1e5)")  # fmt: skip
    add("--time", type=types.listed(types.positive), metavar="LOW,HIGH", help="range of t")
    add("--tolerance", type=types.positive, metavar="E", help="a law holds within (default: 0.25)")
    add("--fan", metavar="N,T,…",
        help="two or three of N, T, M, z, t, eta that grow (z and eta fall) as powers")  # fmt: skip
    add("--tie", metavar="R", help='with --fan: what ties another size to these, as "N = M/2"')
    add("--budget", metavar="N*t",
        help="with --fan: a product of powers of sizes, which they share")  # fmt: skip
    add("--to", metavar="FILE", help="draw to a PNG, PDF or SVG file")
    types.add_format(parser)


def _grid(
    name: str, ends: Sequence[float] | None, default: tuple[float, float], cells: int
) -> np.ndarray:
    low, high = (float(x) for x in ends) if ends and len(ends) == 2 else default
    if (ends and len(ends) != 2) or not low < high:
        raise InputError(name, ",".join(map(str, ends or ())), "LOW,HIGH with LOW < HIGH")
    return np.geomspace(low, high, cells)


def run(arguments: argparse.Namespace) -> int:
    """Compute the map and print or draw it."""
    if arguments.to:
        from solvable.validation.regime_figure import checked_picture
        from solvable.validation.writing import check_writable

        checked_picture(arguments.to, "--to")
        check_writable(arguments.to, "--to")
    if arguments.fan:
        return _run_fan(arguments)
    for name in ("tie", "budget"):
        if getattr(arguments, name) is not None:
            raise InputError(f"--{name}", getattr(arguments, name), "nothing without --fan")
    cells = CELLS[0] if arguments.format == "json" or arguments.to else CELLS[1]
    chart = _time_chart(arguments, cells) if arguments.time else _size_chart(arguments, cells)
    if arguments.to:
        from solvable.validation.regime_figure import draw_map

        _write(draw_map, chart, arguments)
    if arguments.format == "json":
        output.print_json(chart.as_data())
    elif not arguments.to:
        _print(chart)
    return 0


def _write(
    draw: Callable[[Any, Any], Any], subject: Any, arguments: argparse.Namespace
) -> None:  # fmt: skip
    """Draw beside the file, then put it in place."""
    from solvable.validation.writing import replacing

    with replacing(arguments.to, "--to") as beside:
        draw(subject, beside)
    if arguments.format != "json":
        print(arguments.to)


def _size_chart(arguments: argparse.Namespace, cells: int) -> RegimeMap:
    return size_map(
        types.power_law_of(arguments, "which law holds where is known for power laws"),
        _grid("--features", arguments.features, (10, 1e5), cells),
        _grid("--samples", arguments.samples, (10, 1e5), cells),
        noise=float(arguments.noise or 0),
        tolerance=float(arguments.tolerance or 0.25),
    )


def _time_chart(arguments: argparse.Namespace, cells: int) -> RegimeMap:
    types.unused(arguments, "--time", "samples", "noise")
    law = types.power_law_of(arguments, "which law holds when is known for power laws, M = ∞")
    if law.size < math.inf:
        raise InputError("--latent", arguments.latent, "inf, with --time")
    return time_map(
        law.exponent,
        law.target_exponent,
        _grid("--features", arguments.features, (10, 1e5), cells),
        _grid("--time", arguments.time, (1, 1e8), cells),
        tolerance=float(arguments.tolerance or 0.25),
    )


def _run_fan(arguments: argparse.Namespace) -> int:
    """The cells and the walls, and the split of a budget; with --to a picture of two exponents."""
    from solvable.analytic.asymptotics.fan import regime_fan

    types.unused(arguments, "--fan", "noise", "features", "samples", "time", "tolerance")
    if arguments.latent is not None:
        raise InputError("--latent", arguments.latent, "M among the sizes of --fan")
    sizes = [name.strip() for name in arguments.fan.split(",")]
    arguments.latent = MODES if "M" in sizes else None  # for exponents whose sums need an end
    law = types.power_law_of(arguments, "regimes are powers of the sizes for power laws")
    target = None if law.isotropic else law.target_exponent
    quantity = "sgd-loss" if "eta" in sizes else "flow-loss" if "t" in sizes else "loss"
    with types.names_as_typed(arguments, sizes="--fan", regime="--tie"):
        fan = regime_fan(sizes, exponent=law.exponent, target_exponent=target, quantity=quantity,
                         where=arguments.tie or "")  # fmt: skip
    split = None if arguments.budget is None else _split(fan, arguments)
    walls = [f"{wall.lhs} = {wall.rhs}" for wall in fan.walls()]
    rows = [(str(cell.lead), ", ".join(f"{r} << 1" for r in cell.ratios)) for cell in fan.cells]
    named = {str(s): str(meaning) for cell in fan.cells for s, meaning in cell.law.where.items()
             if cell.lead.has(s)}  # fmt: skip
    if arguments.to:
        from solvable.validation.regime_figure import draw_fan

        _write(draw_fan, fan, arguments)
    if arguments.format == "json":
        cells = [dict(zip(("law", "where"), row)) for row in rows]
        output.print_json({"quantity": quantity, "sizes": [s.name for s in fan.sizes],
                           "region": fan.bounds(), "cells": cells, "walls": walls, "where": named,
                           **({} if split is None else {"split": split})})  # fmt: skip
    elif not arguments.to:
        print(f"{quantity} where {', '.join(fan.bounds())}")
        output.print_table(("leading term", "where"), rows)
        for wall in walls:
            print(f"wall {wall}, up to a constant")
        for symbol, meaning in named.items():
            print(f"where {symbol} = {meaning}")
        if split is not None:
            shares = ", ".join(f"{s} ~ C^({x})" for s, x in split["shares"].items())
            print(f"{arguments.budget} = C: {shares}, {quantity} ~ C^(-{split['loss']}), where "
                  f"{' and '.join(split['laws'])} lead")  # fmt: skip
    return 0


def _split(fan: Fan, arguments: argparse.Namespace) -> dict[str, Any]:
    """The exponents of the budget C in the sizes and in the loss, and the laws that lead there."""
    from solvable.analytic.asymptotics.balance.regime_statement import read_expression
    from solvable.analytic.asymptotics.fan_allocation import allocate_on

    text, allowed = arguments.budget, "a product of powers of the sizes of --fan, as N*t or N^2*T"
    try:
        powers = read_expression(text, fan.sizes).as_powers_dict()
    except InputError:
        raise InputError("--budget", text, allowed) from None
    if not all(s in fan.sizes and x.is_Rational and x > 0 for s, x in powers.items()):
        raise InputError("--budget", text, allowed)
    with types.names_as_typed(arguments, powers="--budget"):
        best = allocate_on(fan, {s.name: x for s, x in powers.items()})
    return {"budget": text, "shares": {s.name: str(x) for s, x in best.shares.items()},
            "loss": str(best.loss), "laws": list(map(str, best.balance))}  # fmt: skip


def _print(chart: RegimeMap) -> None:
    """The map in letters, one per regime, then the borders."""
    letters = "abcdefghijklmnop"
    wide = max(len(f"{y:.2g}") for y in chart.y)
    print(f"{chart.axes[1]} (up) against {chart.axes[0]} (right), both logarithmic")
    for i in reversed(range(len(chart.y))):
        row = " ".join(letters[k] for k in chart.index[i])
        print(f"{chart.y[i]:>{wide}.2g}  {row}")
    print(f"{'':{wide}}  {chart.x[0]:.2g} … {chart.x[-1]:.2g}\n")
    present = sorted(set(chart.index.ravel().tolist()))
    output.print_table(
        ("", "law", "formula"), [(letters[k], chart.names[k], chart.formulas[k]) for k in present]
    )
    for border in chart.borders:
        print(
            f"border {border.relation}: from ({border.x[0]:.3g}, {border.y[0]:.3g}) "
            f"to ({border.x[-1]:.3g}, {border.y[-1]:.3g})"
        )
