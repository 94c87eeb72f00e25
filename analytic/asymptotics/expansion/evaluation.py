r"""Numbers from a series: mpmath at the current precision, numpy arrays, and where to stop.

Most of these series diverge: their terms first fall and then grow.  *Optimal truncation* sums the
terms before the smallest one and reports the size of that smallest one as the error estimate; for
x far enough inside the range this is beyond all powers of x.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import mpmath
import numpy as np
import sympy as sp

from ...errors import InputError
from ...precision import kept, workdps
from .ordering import exact_number
from .truncated_series import TruncatedSeries

__all__ = ["OptimalTruncation", "evaluate", "optimal_truncation", "term_values"]

GUARD_DIGITS = 15
ENVELOPE = 4


class OptimalTruncation(NamedTuple):
    """An optimally truncated value, the size of the first terms left out, and how many are kept."""

    value: Any
    error: Any
    terms: int


def parameter_values(
    series: TruncatedSeries, values: Mapping[str, Any]
) -> dict[sp.Symbol, sp.Expr]:
    """Parameters by symbol: the representative point, overridden by ``values`` (by name)."""
    symbols = series.parameters
    by_name = {str(s): s for s in symbols}
    point = {s: v for s, v in series.ordering.point.items() if s in symbols}
    unknown = set(values) - set(by_name) - {str(s) for s in series.ordering.point}
    if unknown:
        raise InputError(
            "parameters",
            ", ".join(sorted(unknown)),
            f"among {', '.join(sorted(by_name)) or 'none'}",
        )
    point.update({by_name[n]: exact_number(v) for n, v in values.items() if n in by_name})
    missing = {str(s) for s in symbols} - {str(s) for s in point}
    if missing:
        raise InputError(
            "parameters",
            f"no value for {', '.join(sorted(missing))}",
            "a value for every parameter",
        )
    return point


@kept
def number(expression: sp.Expr, point: Mapping[sp.Symbol, sp.Expr]) -> Any:
    """``expression`` at ``point`` as an mpmath number, with guard digits, rounded once."""
    precision = mpmath.mp.dps
    value = sp.N(expression.subs(point), precision + GUARD_DIGITS)
    if not value.is_number or value.has(sp.nan, sp.zoo, sp.oo):
        raise InputError("parameters", point, f"values where {expression} is finite")
    with workdps(precision + GUARD_DIGITS):
        real, imaginary = value.as_real_imag()
        result = (
            mpmath.mpmathify(real)
            if imaginary == 0
            else mpmath.mpc(mpmath.mpmathify(real), mpmath.mpmathify(imaginary))
        )
    return +result


def check_range(series: TruncatedSeries, x: Any, point: Mapping[sp.Symbol, sp.Expr]) -> None:
    """Raise InputError, naming the range and the alternative, when |x| leaves the validity."""
    size = np.abs(x) if isinstance(x, np.ndarray) else abs(x)
    bounds = [series.validity.low.subs(point), series.validity.high.subs(point)]
    low, high = (mpmath.inf if b == sp.oo else mpmath.mpmathify(sp.N(b, 20)) for b in bounds)
    smallest, largest = (size.min(), size.max()) if isinstance(size, np.ndarray) else (size, size)
    if not (smallest > low and largest < high):
        advice = f"; {series.validity.otherwise}" if series.validity.otherwise else ""
        raise InputError(
            str(series.variable),
            mpmath.nstr(mpmath.mpmathify(smallest if not smallest > low else largest), 6),
            f"a value with {series.validity.low} < |{series.variable}| < {series.validity.high}"
            f"{advice}",
        )


def term_values(series: TruncatedSeries, x: Any, values: Mapping[str, Any]) -> list[Any]:
    """The value of every term at ``x``, largest order first."""
    point = parameter_values(series, values)
    resolved = series.resolved()
    array = isinstance(x, np.ndarray | float | complex | np.number)
    results = []
    for t in resolved.terms:
        coefficient, exponent = number(t.coefficient, point), number(t.power, point)
        if array:
            x = np.asarray(x, dtype=complex if np.iscomplexobj(x) else float)
            coefficient = (
                complex(coefficient) if isinstance(coefficient, mpmath.mpc) else float(coefficient)
            )
            results.append(coefficient * x ** float(exponent) * np.log(x) ** t.log)
        else:
            results.append(coefficient * mpmath.power(x, exponent) * mpmath.log(x) ** t.log)
    return results


def evaluate(
    series: TruncatedSeries,
    x: Any,
    values: Mapping[str, Any],
    terms: int | None = None,
    check: bool = True,
) -> Any:
    """Sum of the first ``terms`` terms at ``x``: sympy, mpmath or numpy after the type of ``x``."""
    kept = series if terms is None else series.keep(terms)
    if isinstance(x, sp.Basic):
        expression = kept.resolved().expression
        names = {str(s): s for s in expression.free_symbols}
        return expression.subs({names[n]: v for n, v in values.items() if n in names}).subs(
            series.variable, x
        )
    if isinstance(x, int):
        x = mpmath.mpf(x)
    if check:
        check_range(series, x, parameter_values(series, values))
    parts = term_values(kept, x, values)
    if isinstance(x, float | complex | np.number):
        return sum(parts, np.zeros(()))[()]
    return (
        sum(parts, np.zeros_like(x, dtype=float))
        if isinstance(x, np.ndarray)
        else mpmath.fsum(parts)
    )


def optimal_truncation(
    series: TruncatedSeries, x: Any, values: Mapping[str, Any]
) -> OptimalTruncation:
    """Sum up to, and not including, the smallest term: that term's size is the error estimate.

    ``x`` is one number.  When the terms still fall at the end of the series, the last one kept back
    is the estimate, so at least three terms are needed.  A term that vanishes by accident, as
    ζ(−2) = 0, does not stop the sum: each size is the largest of a few neighbours (the envelope).
    """
    if len(series.terms) < 3:
        raise InputError("series", str(series), "at least three terms")
    if isinstance(x, float | int):
        x = mpmath.mpf(x)
    check_range(series, x, parameter_values(series, values))
    parts = term_values(series, x, values)
    sizes = [max(abs(p) for p in parts[i : i + ENVELOPE]) for i in range(len(parts) - 1)]
    stop = min(range(1, len(sizes)), key=lambda i: (sizes[i], i))
    return OptimalTruncation(mpmath.fsum(parts[:stop]), sizes[stop], stop)
