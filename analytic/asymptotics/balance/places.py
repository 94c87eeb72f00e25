r"""Constants that a leading balance defines but no formula gives.

Where κ stays fixed, or κM^b does (the edge of the spectrum), or where three powers of κ balance,
the leading coefficient solves an equation of its own: D₁(κ₀) = N, Φ(κ₀) = N/M,
κ₀^b (1 − 1/κ₀) = y.  It enters the series as a symbol; the equation, its place among the positive
roots and its number belong to it (`Implicit`).  With u the symbol, a relation

    u^b = −A(u)/B(u)

makes every coefficient a rational function of u again (times powers u^{a…} that all terms of one
weight share), so that cancellations are seen.

At the edge, y = κM^b/λ₊, spectral sums are integrals over the share J/M (`EdgeIntegral`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import Any

import mpmath
import sympy as sp

from ... import precision
from ...algebra.rational import Polynomial
from ...errors import OutsideTheoryError
from ...notation import b
from ...optimum import root_between
from ...spectral_functions import DegreesOfFreedom, Moment, TargetSum
from ...spectrum import Spectrum
from .multiseries import Scales, Series
from .traces import spectral_number
from .walls import Tie

SCAN = (60, -100)  # roots are looked for between 10^60 and 10^-100
NEAR = (20, -40)  # the same at the representative point
STEP = mpmath.mpf(10) ** mpmath.mpf("0.22")
SCAN_DIGITS, CANCELLED = 20, 4  # the digits of a scan; of those that cancel, a decade of κ


class EdgeIntegral(sp.Function):
    r"""∫₀¹ u^{-s}/(1 + y u^b) du as ``EdgeIntegral(s, b, y)``; its finite part where s ≥ 1.

    >>> EdgeIntegral(0, 1, sp.Integer(3)).evalf(10), (sp.log(4) / 3).evalf(10)
    (0.4620981204, 0.4620981204)
    """

    nargs = 3

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0] == 0 else None

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        if self.free_symbols:
            return None
        with precision.workprec(prec + 40):
            s, power, y = (mpmath.mpmathify(x._to_mpmath(prec + 40)) for x in self.args)
            start = (1 - s) / power
            value = mpmath.hyp2f1(1, start, 1 + start, -y) / (1 - s)
            return sp.Float._new(value._mpf_, prec)

    def _sympystr(self, printer: Any) -> str:
        s, power, y = map(printer._print, self.args)
        return f"Phi({s}, {power}, {y})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        s, power, y = map(printer._print, self.args)
        body = rf"\int_0^1\frac{{x^{{-({s})}}\,dx}}{{1+{y}\,x^{{{power}}}}}"
        return rf"\left({body}\right)^{{{exp}}}" if exp else body


@dataclass(frozen=True)
class Implicit:
    """A positive number: the root of ``expression`` in ``symbol`` with ``rank`` larger ones."""

    symbol: sp.Symbol
    expression: sp.Expr
    rank: int = 0
    at_point: Any = field(default=None, compare=False)  # its value at the representative point

    def __str__(self) -> str:
        which = "the largest root" if self.rank == 0 else f"root {self.rank + 1} from the largest"
        return f"{which} of {self.expression} = 0"

    def number(
        self, values: Mapping[sp.Symbol, Any], spectrum: Spectrum | None, digits: int
    ) -> sp.Expr:
        """Its value where everything else has one."""
        for place, number in self.all_numbers(values, spectrum, digits):
            if place == self.rank:
                return number
        raise OutsideTheoryError(f"{self} does not exist at these values")

    def all_numbers(
        self, values: Mapping[sp.Symbol, Any], spectrum: Spectrum | None, digits: int,
        decades: tuple[int, int] = SCAN,
    ) -> Iterator[tuple[int, sp.Expr]]:  # fmt: skip
        """Every positive root between two powers of ten, the largest first."""
        known = {s: v for s, v in values.items() if s in self.expression.free_symbols}
        known.pop(self.symbol, None)
        equation = self.expression.subs(known)
        place = (equation, self.symbol, spectrum, digits, decades)
        found = _next_root(*place, 0)
        for rank in count():
            if found is None:
                return
            yield rank, found[0]
            found = _next_root(*place, found[1])


@lru_cache(maxsize=256)
def _next_root(
    expression: sp.Expr, symbol: sp.Symbol, spectrum: Spectrum | None, digits: int,
    decades: tuple[int, int], step: int,
) -> tuple[sp.Expr, int] | None:  # fmt: skip
    """The largest root so many steps below the start, and the step behind it."""
    face = _face(expression, symbol, spectrum)
    with precision.workdps(SCAN_DIGITS):
        start, end = (mpmath.mpf(10) ** power for power in decades)
        high, steps = start / STEP**step, step
        above = face(high)
    while high > end:
        steps += 1
        with precision.workdps(SCAN_DIGITS):
            low = start / STEP**steps
            below = face(low)
        root = _between(face, low, high, digits) if above * below < 0 else None
        if root is not None:
            return root, steps
        high, above = low, below
    return None


def _between(face: Callable[[Any], Any], low: Any, high: Any, digits: int) -> sp.Expr | None:
    """The root between two numbers, None where their signs differ by rounding only."""
    lost = int(CANCELLED * abs(mpmath.log10(high)))  # far out, the terms cancel to powers of 1/κ
    with precision.workdps(digits + 5 + lost):
        if face(+low) * face(+high) >= 0:
            return None
    with precision.workdps(digits + 5):
        found = root_between(lambda x: face(mpmath.exp(x)), mpmath.log(low), mpmath.log(high))
        return sp.Float(mpmath.exp(found), digits)


def _face(expression: sp.Expr, symbol: sp.Symbol, spectrum: Spectrum | None) -> Any:
    """The expression as a function of one mpmath number."""
    sums = sorted(expression.atoms(DegreesOfFreedom, TargetSum, Moment), key=str)
    edges = sorted(expression.atoms(EdgeIntegral), key=str)
    names = {x: sp.Dummy(f"s{k}") for k, x in enumerate([*sums, *edges])}
    outer = sp.lambdify([symbol, *names.values()], expression.xreplace(names), "mpmath")

    def value(x: Any) -> Any:
        digits = mpmath.mp.dps + 5
        here = {symbol: sp.Float(x, digits)}
        numbers = [spectral_number(s, here, spectrum, digits) for s in sums]
        numbers += [e.subs(here).evalf(digits) for e in edges]
        return outer(x, *(mpmath.mpmathify(n) for n in numbers))

    return value


@dataclass(frozen=True)
class Lead:
    """A leading term of an unknown: where it is, and what is known there.

    ``least`` is the weight at which a leading polynomial cancels by the definition of a root;
    ``relation`` the irreducible polynomial that the constant of the unknown is a root of.
    """

    series: Series
    kind: str
    place: sp.Expr | None = None
    known: Mapping[sp.Expr, sp.Expr] | None = None
    least: Any = None
    implicit: Implicit | None = None
    relation: Polynomial | None = None

    def settle(self, unknown: sp.Symbol, scales: Scales) -> None:
        """Let the constant of the unknown be that of this lead."""
        name = place_symbol(unknown)
        if self.implicit is not None:
            scales.point[self.implicit.symbol] = self.implicit.at_point
        if self.known is not None and name in self.known:
            scales.point[name] = scales.number_of(self.known[name])
        if name in scales.field.position:
            scales.settle(name, self.relation)


def place_symbol(unknown: sp.Symbol) -> sp.Symbol:
    """The symbol of the constant of an unknown."""
    return sp.Symbol(f"{unknown}_0", positive=True)


def places(polynomial: Series, kind: str, unit: Series, place: sp.Symbol) -> Iterator[Lead]:
    """The roots of the leading part of F(κ₀), the largest first; ``unit`` = κ at κ₀ = ``place``."""
    scales = polynomial.scales
    lowest = [(v, x) for w, v, x in polynomial.items if w == polynomial.items[0][0]]
    total = scales.field.zero
    for vector, coefficient in lowest:
        rest = tuple(x - y for x, y in zip(vector, lowest[0][0]))
        total = total + coefficient * scales.element(_as_constant(rest, scales))
    roots = (_of_factor(factor, kind, unit, place, polynomial.items[0][0])
             for factor, _ in total.numer.factor_list()[1])  # fmt: skip
    for _, lead in heapq.merge(*roots, key=lambda root: -root[0]):
        yield lead


def _of_factor(
    factor: Polynomial, kind: str, unit: Series, place: sp.Symbol, least: Any
) -> Iterator[tuple[Any, Lead]]:
    """The roots of one factor, largest first, each with its number."""
    scales = unit.scales
    raw = factor.as_expr()
    body = raw.xreplace({s: value for value, s in scales.atoms.items()})
    if not body.has(place):
        return
    sums = [x for x in body.atoms(DegreesOfFreedom, TargetSum, EdgeIntegral) if x.has(place)]
    if not sums and sp.degree(body, place) == 1:
        ratio = scales.element(-raw.subs(place, 0) / sp.diff(raw, place))
        value = scales.expression(ratio)
        if value != 0 and (number := scales.number_of(value)) > 0:
            series = unit * (ratio / scales.element(place))
            yield number, Lead(series, kind, value)
        return
    known = _solved(body, sums)
    equation = body if not known else next(iter(known)) - next(iter(known.values()))
    for lead in _numbered(Implicit(place, equation), scales, unit, kind, known,
                          None if known else least):  # fmt: skip
        assert lead.implicit is not None
        yield lead.implicit.at_point, lead if sums else replace(lead, relation=factor)


def _solved(body: sp.Expr, sums: list[sp.Expr]) -> dict[sp.Expr, sp.Expr]:
    """The one sum in a factor as a rational function of the rest, where it is linear."""
    poly = sp.Poly(body, *sums[:1])
    if len(sums) == 1 and poly.degree() == 1:
        slope, rest = poly.all_coeffs()
        return {sums[0]: sp.cancel(-rest / slope)}
    return {}


def _numbered(
    implicit: Implicit, scales: Scales, unit: Series, kind: str, known: Any, least: Any
) -> Iterator[Lead]:
    """One lead for every root at the representative point."""
    place = implicit.symbol
    if place not in scales.field.position:
        raise OutsideTheoryError(f"{place} is not among the parameters")
    point = {s: v for s, v in scales.point.items() if s != place}
    free = implicit.expression.free_symbols - set(point) - {place}
    if free or (implicit.expression.has(DegreesOfFreedom, TargetSum) and scales.spectrum is None):
        yield Lead(unit, kind, place, known, least, replace(implicit, at_point=scales.point[place]))
        return
    for rank, number in implicit.all_numbers(point, scales.spectrum, 30, NEAR):
        found = Implicit(place, implicit.expression, rank, number)
        yield Lead(unit, kind, place, known, least, found)


def implicit_roots(
    leading: Mapping[sp.Expr, tuple[Any, Any]], unknown: sp.Symbol, scales: Scales
) -> Iterator[Lead]:
    """κ^g = m u, for three or more powers (p b + q) g that balance; u is a symbol.

    g = 1/b where powers with b occur, else 1.
    """
    least = min(leading, key=scales.value)  # a common power of κ says nothing
    leading = {sp.expand(sp.together(e - least)): term for e, term in leading.items()}
    unit = 1 / b if any(e.has(b) for e in leading) else sp.S.One
    powers = {e: sp.expand(sp.together(e / unit)) for e in leading}
    terms = {e: (sp.expand(p).coeff(b, 1), sp.expand(p).coeff(b, 0)) for e, p in powers.items()}
    if not all(x.is_Integer for pair in terms.values() for x in pair):
        raise OutsideTheoryError(f"the leading balance has the powers {list(leading)} of {unknown}")
    u = place_symbol(unknown)
    if u not in scales.field.position:
        raise OutsideTheoryError("the leading balance does not close")
    scale, rests = _common_unit(leading, powers, scales)
    parts: dict[Any, sp.Expr] = {}
    for e, (p, q) in terms.items():
        coefficient = leading[e][1].as_expr() * _as_constant(rests[e], scales)
        parts[p] = parts.get(p, sp.S.Zero) + coefficient * u**q
    low = min(parts)
    if unit != 1 and not set(parts) <= {low, low + 1}:
        raise OutsideTheoryError(f"the leading balance has the powers {list(leading)} of {unknown}")
    if unit != 1 and len(parts) == 2:
        scales.relate(u, b, scales.element(sp.cancel(-parts[low] / parts[low + 1])))
    body = sp.numer(sp.together(sum(value * u ** (p * b) for p, value in parts.items())))
    relation = scales.irreducible(body, u) if unit == 1 else None
    body = body.xreplace({s: value for value, s in scales.atoms.items()})
    point = {s: v for s, v in scales.point.items() if s != u}
    vector = scales.scaled(scale, 1 / unit)
    for rank, number in Implicit(u, body).all_numbers(point, scales.spectrum, 30, NEAR):
        lead = tuple(x + y for x, y in zip(vector, scales.vector(u, 1 / unit)))
        series = Series(scales, {lead: scales.field.one})
        yield Lead(series, "", implicit=Implicit(u, body, rank, number), relation=relation)


def _common_unit(
    leading: Mapping[sp.Expr, tuple[Any, Any]], powers: Mapping[sp.Expr, sp.Expr], scales: Scales
) -> tuple[Any, dict[sp.Expr, Any]]:
    """m, and the constants that the terms m^{power} · monomial differ by; the fewest of these."""
    items = [(e, powers[e], monomial) for e, (monomial, _) in leading.items()]
    found = []
    for k, (_, p, v) in enumerate(items):
        for _, q, w in items[k + 1 :]:
            if (p - q).is_Add:  # 1/(b − 2) would be a new kind of power
                continue
            difference = tuple(y - x for x, y in zip(v, w))
            unit = scales.scaled(difference, sp.together(1 / (p - q)))
            shifted = {
                e: tuple(x + y for x, y in zip(monomial, scales.scaled(unit, power)))
                for e, power, monomial in items
            }
            first = shifted[items[k][0]]
            rests = {e: tuple(y - x for x, y in zip(first, vector))
                     for e, vector in shifted.items()}  # fmt: skip
            kinds = [kind for r in rests.values() for x, (_, kind) in zip(r, scales.coordinates)
                     if x]  # fmt: skip
            fractional = sum(1 for kind in kinds if sp.denom(kind) != 1)
            found.append(((len(kinds), fractional), unit, rests))
    if not found:
        raise OutsideTheoryError("the leading balance does not close")
    _, unit, rests = min(found, key=lambda x: x[0])
    return unit, rests


def _as_constant(vector: Any, scales: Scales) -> sp.Expr:
    """A monomial of weight zero in symbols of the field, which its factors belong to from now."""
    product = sp.S.One
    for (base, kind), value in zip(list(scales.coordinates), vector):
        if not value:
            continue
        if scales.growth.get(base, 0) != 0:
            raise Tie(scales, vector)
        if value != int(value):
            power = sp.Rational(value) * kind
            raise OutsideTheoryError(f"the leading terms differ by {base}**({power}); state powers "
                                     "of sizes by a and b, as z ~ T^-b")  # fmt: skip
        if (base, kind) not in scales.relations:
            scales.relate(base, kind, scales.atom(base**kind))
        product *= scales.atoms[base**kind] ** int(value)
    return product


__all__ = ["EdgeIntegral", "Implicit", "Lead", "implicit_roots", "place_symbol",
           "places"]  # fmt: skip
