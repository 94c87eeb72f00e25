r"""The Newton polygon of an equation with spectral sums: how the unknown may grow.

In a corner of κ the sums are series, so that F is Σ c m κ^e with monomials m, and at κ ~ L^{-θ}
its least weight is V(θ) = min(w + θe) over the terms whose coefficients do not cancel.  A solution
needs two terms of least weight: a bend of V.  V is concave, so that lines of it from both ends of a
corner meet on it, at its only bend there, or above it, where a third line is less; only the terms
of least weight at a few θ are made, and the sums in F are nowhere multiplied out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction as Rational
from functools import lru_cache
from itertools import count
from typing import Any

import sympy as sp

from ...errors import SolvableError
from ...notation import b
from .corner_sums import Corner
from .multiseries import LONG, Scales, Series, TooMany, TooShallow
from .traces import evaluate

BEYOND = Rational(1000)  #: growth of what the regime calls infinite
SHALLOW = Rational(1, 10000)  # of the series whose leading term alone is wanted
MARGIN, FAR = Rational(1, 1000), 4  # of a corner, beyond which κ is at its end; of one without
LEAP, DEEPER, DEEP = 64, 2, 16 * BEYOND  # times as deep where terms cancel: at first, then; the end
MANY, STEPS = 300, 64  # terms of a spectral sum; of those that may cancel
PARTS = (Rational(1, 2), Rational(3, 4), Rational(7, 8), Rational(1))  # of a corner, in order
Line = tuple[Rational, Rational]  #: (weight without the unknown, exponent of the unknown)


@dataclass(frozen=True)
class Equation:
    """F(unknown) = 0; ``size`` is the number of modes M, a symbol or ∞; ``isotropic``: a = b.

    ``spectral``: spectral sums are taken at the unknown, in F or in what is asked for.
    """

    unknown: sp.Symbol
    expression: sp.Expr
    size: sp.Expr = sp.oo
    isotropic: bool = False
    spectral: bool = False

    @property
    def polynomial(self) -> sp.Expr:
        """The numerator of F."""
        return _numerator(self.expression)


@lru_cache(maxsize=256)
def _numerator(expression: sp.Expr) -> sp.Expr:
    return sp.numer(sp.together(expression))


def exponents(
    equation: Equation, scales: Scales, kind: str, ends: tuple[Rational | None, Rational | None]
) -> Iterator[Rational]:
    """θ of the vertices, in order; each is found once for all depths, and when it is asked for,
    as those behind may lie on a wall.
    """
    key = (equation, kind, ends)
    if key not in scales.vertices:
        low, high = _inside(equation, ends, scales)
        bends = _bends(lambda theta: _least_lines(equation, scales, kind, theta, ends), low, high)
        scales.vertices[key] = [], bends
    found, bends = scales.vertices[key]
    for index in count():
        if index == len(found):
            try:
                found.append(next(bends))
            except StopIteration:
                return
            except SolvableError:
                del scales.vertices[key]
                raise
        yield found[index]


def _inside(
    equation: Equation, ends: tuple[Rational | None, Rational | None], scales: Scales
) -> tuple[Rational, Rational]:
    """The ends, moved into the corner a little, so that the sums are series there."""
    low, high = ends
    own = equation.expression.free_symbols | equation.size.free_symbols
    known = [abs(p) for s, p in scales.growth.items() if p and s in own] or [Rational(1)]
    widths = [*known, high - low] if low is not None and high is not None else known
    far = max(Rational(1), scales.value(b)) * FAR * max(known)
    margin = MARGIN * min(widths)
    return (-far if low is None else low + margin, far if high is None else high - margin)


def _least_lines(
    equation: Equation, scales: Scales, kind: str, theta: Rational,
    ends: tuple[Rational | None, Rational | None],
) -> set[Line]:  # fmt: skip
    """The terms of F of least weight at κ ~ L^{-θ}, to the least depth at which one is left.

    The weights of the terms of the sums are the distance to an end of the corner apart, or
    multiples of it, so that little is seen below it.  `TooMany` where `STEPS` terms cancel.
    """
    unknown, depth = equation.unknown, scales.depth
    apart = min((abs(theta - end) for end in ends if end is not None), default=SHALLOW)
    scales.regrow(unknown, -theta)
    scales.depth = SHALLOW
    try:
        while not (series := polynomial_in(equation, scales, kind)).terms and scales.depth < DEEP:
            scales.depth = max(min(LEAP * scales.depth, apart / 2), DEEPER * scales.depth)
            if scales.depth > STEPS * apart and ends != (None, None):
                raise TooMany(LONG)
    finally:
        scales.depth = depth
    found = set()
    for weight, vector, _ in series.items:
        if weight > series.items[0][0]:
            break
        exponent, rest = split_scale(scales, vector, unknown)
        found.add((scales.weight(rest), scales.value(exponent)))
    del scales.growth[unknown]
    if not found:
        raise TooShallow("the leading terms of the equation cancel to the order that was computed")
    return found


def _bends(
    lines: Callable[[Rational], set[Line]], low: Rational, high: Rational
) -> Iterator[Rational]:
    """Where the slope of the least weight, min(w + θe), changes, in order.

    It is concave, so that two lines of it that meet on it meet at its only bend between them; if
    they meet above it, another line is less there.  The far end, where sums may cancel at length,
    is come to last.
    """
    flattest = min(lines(low), key=_slope)
    for part in PARTS:
        theta = low + part * (high - low)
        here = lines(theta)
        yield from _between(lines, flattest, max(here, key=_slope))
        if len({_slope(line) for line in here}) > 1 and theta != high:
            yield theta
        flattest = min(here, key=_slope)


def _between(lines: Callable[[Rational], set[Line]], first: Line, last: Line) -> Iterator[Rational]:
    if first[1] == last[1]:
        return
    theta = (last[0] - first[0]) / (first[1] - last[1])
    here = lines(theta)
    steepest, flattest = max(here, key=_slope), min(here, key=_slope)
    if first not in here:
        yield from _between(lines, first, steepest)
    if steepest != flattest:
        yield theta
    if last not in here:
        yield from _between(lines, flattest, last)


def _slope(line: Line) -> Rational:
    return line[1]


def polynomial_in(equation: Equation, scales: Scales, kind: str) -> Series:
    """F with the unknown itself as a scale."""
    kappa = scales.scale(equation.unknown)
    corner = Corner(scales, kind, kappa, equation.size, equation.isotropic, most=MANY)
    return evaluate(equation.polynomial, {equation.unknown: kappa}, {equation.unknown: corner})


def split_scale(scales: Scales, vector: Any, scale: sp.Expr) -> tuple[sp.Expr, Any]:
    """A monomial as (exponent of one scale, the rest)."""
    rest, exponent = list(vector), sp.S.Zero
    for i, (base, kind) in enumerate(scales.coordinates):
        if base == scale and rest[i]:
            exponent += sp.Rational(Rational(rest[i])) * kind
            rest[i] = 0
    return exponent, tuple(rest)


__all__ = ["BEYOND", "Equation", "exponents", "polynomial_in", "split_scale"]
