"""`solvable map`: which law holds where, as a table, as JSON, or as a picture."""

from __future__ import annotations

import argparse
import math
from typing import Any

from . import options as types
from . import output

CELLS = (40, 16)  # grid for the picture and JSON, and for the text


def add_parser(subparsers: Any) -> None:
    """Declare the arguments of `solvable map`."""
    parser = subparsers.add_parser(
        "map",
        help="map the regimes of the (N, T) or (N, t) plane",
        description="Without --time: the (N, T) plane at zero ridge. With --time: the (N, t) plane "
        "of gradient flow, for which --a and --b are needed.",
    )
    add = parser.add_argument
    add("--alpha", type=types.positive, metavar="A", help="spectral exponent, b = 1 + α")
    add("--b", type=types.positive, metavar="B", help="the same as 1 + α")
    add("--a", type=types.positive, metavar="A2", help="target exponent (default: isotropic)")
    add("--latent", type=types.count_or_infinite, default=math.inf, metavar="M|inf")
    add("--noise", type=types.nonnegative, default=0, metavar="S2", help="label noise σ_ε²")
    add(
        "--features",
        type=types.listed(types.positive),
        metavar="LOW,HIGH",
        help="range of N (default: 10,1e5)",
    )
    add(
        "--samples",
        type=types.listed(types.positive),
        metavar="LOW,HIGH",
        help="range of T (default: 10,1e5)",
    )
    add("--time", type=types.listed(types.positive), metavar="LOW,HIGH", help="range of t")
    add("--tolerance", type=types.positive, default=0.25, help="a law holds within (default: 0.25)")
    add("--to", metavar="FILE", help="draw to a PNG, PDF or SVG file")
    types.add_json(parser)
    parser.set_defaults(run=run)


def _grid(name: str, ends: Any, default: tuple[float, float], cells: int) -> Any:
    import numpy as np

    from solvable.analytic.errors import InputError

    low, high = (float(x) for x in ends) if ends and len(ends) == 2 else default
    if (ends and len(ends) != 2) or not low < high:
        raise InputError(name, ",".join(map(str, ends or ())), "LOW,HIGH with LOW < HIGH")
    return np.geomspace(low, high, cells)


def run(arguments: argparse.Namespace) -> int:
    """Compute the map and print or draw it."""
    if arguments.to:
        from solvable.validation.files import check_writable

        check_writable(arguments.to, "--to")
    cells = CELLS[0] if arguments.json or arguments.to else CELLS[1]
    chart = _time_chart(arguments, cells) if arguments.time else _size_chart(arguments, cells)
    if arguments.to:
        from solvable.validation.files import replacing
        from solvable.validation.regime_figure import draw_map

        with replacing(arguments.to, "--to") as beside:
            draw_map(chart, beside)
        print(arguments.to)
    if arguments.json:
        output.print_json(chart.as_data())
    elif not arguments.to:
        _print(chart)
    return 0


def _size_chart(arguments: argparse.Namespace, cells: int) -> Any:
    from solvable.analytic.asymptotics.regimes import size_map
    from solvable.analytic.errors import InputError
    from solvable.analytic.spectrum import PowerLaw

    if (arguments.alpha is None) == (arguments.b is None):
        raise InputError("--alpha", arguments.alpha, "exactly one of --alpha and --b")
    spectrum = PowerLaw(
        arguments.alpha, exponent=arguments.b, size=arguments.latent, target_exponent=arguments.a
    )
    return size_map(
        spectrum,
        _grid("--features", arguments.features, (10, 1e5), cells),
        _grid("--samples", arguments.samples, (10, 1e5), cells),
        noise=float(arguments.noise),
        tolerance=float(arguments.tolerance),
    )


def _time_chart(arguments: argparse.Namespace, cells: int) -> Any:
    from solvable.analytic.asymptotics.regimes import time_map
    from solvable.analytic.errors import InputError

    if arguments.a is None or arguments.b is None:
        raise InputError("--a, --b", (arguments.a, arguments.b), "both exponents, with --time")
    return time_map(
        arguments.b,
        arguments.a,
        _grid("--features", arguments.features, (10, 1e5), cells),
        _grid("--time", arguments.time, (1, 1e8), cells),
    )


def _print(chart: Any) -> None:
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
