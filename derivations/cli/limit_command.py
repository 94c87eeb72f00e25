"""`solvable limit`: expand the static loss in one of its limits.

Leading term, prefactor and corrections of the static loss in a limit.
With sizes, the series is compared with the exact loss.
"""

from __future__ import annotations

import argparse
import math
from fractions import Fraction
from typing import Any

from solvable.analytic.asymptotics.limits import REGIMES

from . import options as types
from . import output

EPILOG = "regimes:\n" + "\n".join(f"  {name:18} {words}" for name, words in REGIMES.items())
SERIES = {
    "static-loss": "loss", "kappa": "kappa", "noise": "noise", "ratio": "ratio",
    # the derivations of the same quantities
    "test-loss": "loss", "ridgeless-loss": "loss", "resolvent": "kappa", "label-noise": "noise",
}  # fmt: skip
#: coefficients are symbolic in α; the order of the terms is that at one α
DEFAULT_ALPHA = Fraction(1, 2)
#: digits at which exact value and truncated series are compared
DIGITS = 30


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable limit`."""
    add = parser.add_argument
    add("name", metavar="NAME", choices=sorted(SERIES), help=f"one of {', '.join(SERIES)}")
    add("--regime", required=True, metavar="R", help='for instance "N<<T"')
    add("--order", type=types.count, default=3, metavar="K", help="number of terms (default: 3)")
    types.add_spectrum(parser, latent=math.inf)
    add("--smaller", choices=("N", "T"), default="N", help="the smaller size, where it matters")
    add("--features", type=types.positive_or_infinite, metavar="N")
    add("--samples", type=types.positive_or_infinite, metavar="T")
    add("--z", type=types.nonnegative, default=0, metavar="Z", help="γ/(σ_u² N T)")
    add("--noise", type=types.nonnegative, default=0, metavar="S2", help="label noise σ_ε²")
    types.add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compute the limit and print it."""
    from solvable.analytic.asymptotics.limits import limit

    default = arguments.alpha is None and arguments.b is None
    law = limit(
        arguments.regime,
        alpha=DEFAULT_ALPHA if default else arguments.alpha,
        exponent=arguments.b,
        target_exponent=arguments.a,
        smaller=arguments.smaller,
        terms=arguments.order,
    )
    series = law.series(SERIES[arguments.name])
    if arguments.format == "latex":
        print(series.latex(factored=True))
        return 0
    rows = _rows(series)
    table = _comparison(law, arguments)
    if arguments.format == "json":
        output.print_json(_as_json(law, arguments.name, series, rows, table))
    else:
        _print(law, arguments.name, series, rows, table)
        if default and series.conditions:
            print(f"(terms ordered at α = {DEFAULT_ALPHA}; --alpha orders them elsewhere)")
    return 0


def _rows(series: Any) -> list[tuple[str, str, str]]:
    """Coefficient, power and logarithm of each term, the named constants left short."""
    from solvable.analytic.asymptotics.expansion.printing import neat

    return [(str(neat(t.coefficient)), str(t.power), str(t.log)) for t in series.terms]


def _comparison(law: Any, arguments: argparse.Namespace) -> list[tuple[str, str, str]] | None:
    """Truncated series against the exact loss, where sizes are given."""
    if arguments.features is None or arguments.samples is None or SERIES[arguments.name] != "loss":
        return None
    import mpmath

    from solvable.analytic.asymptotics.limits import Setting

    spectrum = types.spectrum_of(arguments)
    with mpmath.workdps(DIGITS):
        setting = Setting(
            spectrum,
            _mp(arguments.features),
            _mp(arguments.samples),
            _mp(arguments.z),
            _mp(arguments.noise),
        )
        comparison = law.compare(setting)
        rows = [
            (str(k + 1), output.decimal(p), mpmath.nstr(e, 3))
            for k, (p, e) in enumerate(zip(comparison.partial, comparison.errors))
        ]
        return [("exact", output.decimal(comparison.exact), "0"), *rows]


def _mp(value: Any) -> Any:
    import mpmath

    if value == math.inf:
        return mpmath.inf
    return mpmath.mpf(getattr(value, "numerator", value)) / getattr(value, "denominator", 1)


def _remainder(series: Any) -> str:
    if series.remainder is None:
        return "none"
    log = f" log({series.variable})**{series.remainder.log}" if series.remainder.log else ""
    return f"O({series.variable}**({series.remainder.power}){log})"


def _as_json(law: Any, name: str, series: Any, rows: Any, table: Any) -> dict[str, Any]:
    return {
        "name": name,
        "regime": law.regime,
        "title": law.title,
        "when": law.when,
        "variable": str(series.variable),
        "point": str(series.point),
        "terms": [dict(zip(("coefficient", "power", "log"), row)) for row in rows],
        "remainder": _remainder(series),
        "latex": series.latex(factored=True),
        "conditions": [str(c) for c in series.conditions],
        "where": {str(s): str(v) for s, v in {**law.meaning, **series.definitions}.items()},
        "comparison": [dict(zip(("terms", "value", "relative_error"), row)) for row in table or ()],
    }


def _print(law: Any, name: str, series: Any, rows: Any, table: Any) -> None:
    print(f"{law.title} ({law.regime}): {name}, {series.variable} → {series.point}")
    print(f"holds when: {law.when}\n")
    output.print_table(("coefficient", f"power of {series.variable}", "power of log"), rows)
    print(f"remainder: {_remainder(series)}")
    for condition in series.conditions:
        print(f"this order of terms needs {condition}")
    used = set().union(*(t.coefficient.free_symbols for t in series.terms))
    for symbol, value in {**law.meaning, **series.definitions}.items():
        if symbol in used or symbol == series.variable:
            print(f"where {symbol}: {value}")
    if table:
        print()
        output.print_table(("terms", "loss", "relative error"), table)
