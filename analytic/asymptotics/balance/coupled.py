r"""Two unknowns that stand in both of two equations, as series.

In the corners of κ₁ and κ₂ every sum is a series, so that each equation is Σ c m κ₁^e κ₂^f.  Where
κ_i ~ L^{-θ_i}, two terms of each equation have to balance,

    w + eθ₁ + fθ₂ = w' + e'θ₁ + f'θ₂        in both equations,

and all others have to be smaller: the vertices where two tropical curves meet.  There the leading
coefficients solve two equations between monomials.  With F_i written in units of its leading terms
the matrix J_ij = ∂F_i/∂ log κ_j of these alone is (e' − e, f' − f), and

    log κ ← log κ − J^{-1} F

gains the size of the largest correction in every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction as Rational
from itertools import combinations, product
from typing import Any

import sympy as sp

from ...errors import OutsideTheoryError
from ...notation import b
from .corner_sums import Corner
from .multiseries import Scales, Series, TooShallow, monomial_power
from .polygon import Equation, split_scale
from .traces import evaluate, traces_of

MAX_PASSES = 80
FEW = 3  # terms of a spectral sum where the leading ones are wanted


@dataclass(frozen=True)
class _Monomial:
    """A term of one equation: weight without the unknowns, their exponents, monomial, factor."""

    weight: Rational
    powers: tuple[sp.Expr, sp.Expr]
    slopes: tuple[Rational, Rational]
    rest: Any
    coefficient: Any

    def at(self, theta: tuple[Rational, Rational]) -> Rational:
        """The weight where κ_i ~ L^{-θ_i}."""
        return self.weight + sum(s * t for s, t in zip(self.slopes, theta))


@dataclass(frozen=True)
class Pair:
    """Both unknowns as series, with their corners."""

    series: tuple[Series, Series]
    corners: tuple[Corner, Corner]


def solve_pair(equations: Sequence[Equation], scales: Scales) -> Iterator[Pair]:
    """Every leading behaviour of two coupled unknowns with its series."""
    options = [list(_corners(equation, equations, scales)) for equation in equations]
    for kinds in product(*options):
        for leads in _meetings(equations, scales, kinds):
            yield _corrected(equations, scales, kinds, leads)


def _corners(
    equation: Equation, equations: Sequence[Equation], scales: Scales
) -> Iterator[tuple[str, Any, Any]]:
    """(kind, lowest θ, highest θ) for one unknown, the largest first."""
    spectral = any(
        part.kappa == equation.unknown
        for e in equations for t in traces_of(e.expression) for part in _parts(t)
    )  # fmt: skip
    if not spectral:
        yield "zero", None, None
        return
    yield "infinity", None, Rational(0)
    if equation.size == sp.oo:
        yield "zero", Rational(0), None
    elif equation.size in scales.growth:
        edge = scales.value(b) * scales.growth[equation.size]
        yield "zero", Rational(0), edge
        yield "resolved", edge, None
    else:
        yield "resolved", Rational(0), None


def _parts(trace: sp.Expr) -> Any:
    from .traces import read_trace

    return read_trace(trace)


def _images(
    equations: Sequence[Equation], scales: Scales, kinds: Sequence[Any], series: Sequence[Series],
    most: int,
) -> tuple[dict[sp.Symbol, Series], dict[sp.Symbol, Corner]]:  # fmt: skip
    unknowns = [e.unknown for e in equations]
    corners = {
        e.unknown: Corner(scales, kind[0], value, e.size, e.isotropic, most=most)
        for e, kind, value in zip(equations, kinds, series)
    }
    return dict(zip(unknowns, series)), corners


def _meetings(
    equations: Sequence[Equation], scales: Scales, kinds: Sequence[Any]
) -> Iterator[list[Series]]:
    """The leading terms of both unknowns in one pair of corners."""
    unknowns = [e.unknown for e in equations]
    for unknown, (_, low, high) in zip(unknowns, kinds):
        scales.regrow(unknown, -_inside(low, high))
    depth, scales.depth = scales.depth, Rational(4000)
    series = [scales.scale(u) for u in unknowns]
    images, corners = _images(equations, scales, kinds, series, FEW)
    lines = [_lines(evaluate(e.polynomial, images, corners), unknowns) for e in equations]
    scales.depth = depth
    found = []
    for first, second in product(combinations(lines[0], 2), combinations(lines[1], 2)):
        theta = _crossing(first, second)
        if theta is None or not all(map(_within, theta, kinds)):
            continue
        if all(_lowest(own, pair, theta) for own, pair in zip(lines, (first, second))):
            found.append((theta, first, second))
    for unknown in unknowns:
        del scales.growth[unknown]
    for _, first, second in sorted(found, key=lambda x: x[0]):
        leads = _leading(scales, first, second)
        if leads is not None:
            yield leads


def _inside(low: Any, high: Any) -> Rational:
    if low is None:
        return Rational(0) if high is None else high - Rational(101, 97)
    return low + Rational(101, 97) if high is None else (low + high) / 2


def _within(theta: Rational, kind: tuple[str, Any, Any]) -> bool:
    _, low, high = kind
    return (low is None or theta > low) and (high is None or theta < high)


def _lines(series: Series, unknowns: Sequence[sp.Symbol]) -> list[_Monomial]:
    scales = series.scales
    best: dict[tuple[Rational, Rational], _Monomial] = {}
    for vector, coefficient in series.terms.items():
        first, rest = split_scale(scales, vector, unknowns[0])
        second, rest = split_scale(scales, rest, unknowns[1])
        slopes = scales.value(first), scales.value(second)
        line = _Monomial(scales.weight(rest), (first, second), slopes, rest, coefficient)
        if slopes not in best or line.weight < best[slopes].weight:
            best[slopes] = line
    return list(best.values())


def _crossing(first: Any, second: Any) -> tuple[Rational, Rational] | None:
    rows = []
    for x, y in (first, second):
        rows.append((*(s - t for s, t in zip(x.slopes, y.slopes)), y.weight - x.weight))
    (a1, b1, c1), (a2, b2, c2) = rows
    determinant = a1 * b2 - a2 * b1
    if determinant == 0:
        return None
    return (c1 * b2 - c2 * b1) / determinant, (a1 * c2 - a2 * c1) / determinant


def _lowest(lines: list[_Monomial], pair: Any, theta: tuple[Rational, Rational]) -> bool:
    least = pair[0].at(theta)
    return all(line.at(theta) > least for line in lines if line not in pair)


def _leading(scales: Scales, first: Any, second: Any) -> list[Series] | None:
    """κ_i from κ₁^{e}κ₂^{f} = amount · monomial, twice."""
    matrix, sides = [], []
    for x, y in (first, second):
        amount = -y.coefficient / x.coefficient
        if not scales.number(amount) > 0:
            return None
        matrix.append([p - q for p, q in zip(x.powers, y.powers)])
        sides.append((tuple(u - v for u, v in zip(y.rest, x.rest)), amount))
    inverse = sp.Matrix(matrix).inv().applyfunc(lambda e: sp.expand(sp.together(e)))
    found = []
    for row in range(2):
        total = scales.constant(1)
        for (vector, amount), exponent in zip(sides, inverse.row(row)):
            v, c = monomial_power(scales, vector, amount, sp.together(exponent))
            total = total * Series(scales, {v: c})
        found.append(total)
    return found


def _corrected(
    equations: Sequence[Equation], scales: Scales, kinds: Sequence[Any], leads: list[Series]
) -> Pair:
    """Newton's steps with the matrix of the leading terms, until nothing changes."""
    jacobian, units = _jacobian(equations, scales, kinds, leads)
    inverse = jacobian.inv()
    shares = [scales.constant(1), scales.constant(1)]
    for _ in range(MAX_PASSES):
        series = [lead * share for lead, share in zip(leads, shares)]
        images, corners = _images(equations, scales, kinds, series, 300)
        rests = [evaluate(e.polynomial, images, corners) / u for e, u in zip(equations, units)]
        rests = [rest.known_to(scales.depth) for rest in rests]
        if not any(rest.terms for rest in rests):
            pair = [corners[e.unknown] for e in equations]
            series = [s.known_to(_end(s, rests, scales)) for s in series]
            return Pair((series[0], series[1]), (pair[0], pair[1]))
        for row in range(2):
            step = sum((rest * inverse[row, k] for k, rest in enumerate(rests)),
                       scales.constant(0))  # fmt: skip
            if step.terms and step.items[0][0] <= 0:
                raise OutsideTheoryError("a multiple root of two coupled equations")
            shares[row] = (shares[row] * (1 - step)).known_to(scales.depth)
    raise TooShallow("the corrections of two coupled unknowns do not settle")


def _end(series: Series, rests: Sequence[Series], scales: Scales) -> Rational:
    """The weight up to which an unknown is known: that of its lead, and of the equations."""
    assert series.order is not None
    cuts = [rest.cut for rest in rests if rest.cut is not None]
    return series.order + min([scales.depth, *cuts])


def _jacobian(
    equations: Sequence[Equation], scales: Scales, kinds: Sequence[Any], leads: list[Series]
) -> tuple[sp.Matrix, list[Series]]:
    """∂F_i/∂ log κ_j of the two leading terms, in units of the first of them."""
    unknowns = [e.unknown for e in equations]
    first, second = (lead.order or Rational(0) for lead in leads)
    theta = first, second
    for unknown, order in zip(unknowns, theta):
        scales.regrow(unknown, -order)
    images, corners = _images(equations, scales, kinds, [scales.scale(u) for u in unknowns], FEW)
    rows, units = [], []
    for equation in equations:
        series = evaluate(equation.polynomial, images, corners)
        lines = sorted(_lines(series, unknowns), key=lambda line: line.at(theta))
        x, y = lines[:2]
        rows.append([p - q for p, q in zip(x.powers, y.powers)])
        unit = Series(scales, {x.rest: x.coefficient})
        for lead, power in zip(leads, x.powers):
            unit = unit * lead**power
        units.append(unit)
    for unknown in unknowns:
        del scales.growth[unknown]
    return sp.Matrix(rows), units


__all__ = ["Pair", "solve_pair"]
