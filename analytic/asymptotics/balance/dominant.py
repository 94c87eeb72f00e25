r"""The unknown of a self-consistent equation as a series: dominant balance, then Newton.

F(κ) = 0 with F a polynomial in κ, spectral sums and sizes.

1. In each corner of κ the sums are series, so F is Σ c m κ^e with monomials m.  κ ~ L^{−θ} is
   possible where two of the weights w(m) + θe are equal and smallest: the vertices of a Newton
   polygon (`polygon`).  The terms there are a polynomial whose root is the leading coefficient.
2. Where κ stays at a fixed place κ₀, the leading part of F factors; a factor n − D₁(κ₀) or κ₀ − z
   says what κ₀ is, and the sums are Taylor series.
3. κ = lead (1 + δ) turns F into Σ F_n δ^n.  The polygon of the F_n gives the size of δ: −F₀/F₁ at
   a simple root, a fractional power at a multiple one (√z at the double-descent peak), and so on
   until the root is simple; then δ = −(F₀ + F₂δ² + …)/F₁ is iterated until it stands.

All solutions are returned, the largest κ first: κ falls from κ ~ z with the ridge, so that the
first is the physical one for κ; for traces without spectral sums a positive one comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction as Rational
from functools import cmp_to_key, lru_cache
from typing import Any

import sympy as sp

from ...algebra.rational import Polynomial
from ...errors import InputError, OutsideTheoryError
from ...notation import b, lambda_plus
from .corner_sums import Corner
from .multiseries import MultipleRoot, Scales, Series, TooMany, TooShallow, monomial_power
from .places import Lead, implicit_roots, place_symbol, places
from .polygon import BEYOND, Equation, exponents, polynomial_in, split_scale
from .traces import evaluate, traces_of
from .walls import Tie, walls_of

MAX_PASSES = 120
FORESEEN = 40  # passes beyond which terms become too many, one scale against another
MOST_COMPARED = 12
MAX_MULTIPLICITY = 4
SHALLOW = Rational(1, 1000)  # of the series whose leading term alone is wanted

SMALL = sp.Dummy("delta", positive=True)  # δ
UNIT_ROOT = sp.Dummy("u")  # κ^step in units of its leading monomial


@dataclass(frozen=True)
class Solution:
    """The unknown as a series, with the corner that it lies in."""

    series: Series
    corner: Corner
    lead: Lead


def solve(equation: Equation, scales: Scales) -> Iterator[Solution]:
    """All leading behaviours of the unknown with their series, the largest first."""
    scales.growth[SMALL] = Rational(0)
    for lead in _leads(equation, scales):
        lead.settle(equation.unknown, scales)

        def corner(kappa: Series, lead: Lead = lead) -> Corner:
            return Corner(scales, lead.kind, kappa, equation.size, equation.isotropic,
                          lead.place, lead.known or {})  # fmt: skip

        def expanded(rate: Rational, lead: Lead = lead, make: Any = corner) -> list[Series]:
            scales.regrow(SMALL, -rate)
            kappa = lead.series * (1 + scales.scale(SMALL))
            image = {equation.unknown: kappa}
            total = evaluate(equation.polynomial, image, {equation.unknown: make(kappa)})
            return _by_power(total, lead.least)

        shifts = list(_shifts(expanded, scales))  # none of a double root that turns complex
        for delta in sorted(shifts, key=cmp_to_key(_smaller_first), reverse=True):
            kappa = lead.series * (1 + delta)
            yield Solution(kappa, corner(kappa), lead)


def _smaller_first(first: Series, second: Series) -> int:
    """−1, 0 or 1 as the first is below, as far as is known at, or above the second far out."""
    difference = first - second
    return int(sp.sign(difference.scales.number(difference.lead()[1]))) if difference.terms else 0


# ---- leading behaviours -----------------------------------------------------------------


def _leads(equation: Equation, scales: Scales) -> Iterator[Lead]:
    """Every leading term of the unknown, the largest first."""
    if not (equation.spectral or traces_of(equation.polynomial)):
        found = list(_vertices(equation, scales, "free", (None, None)))
        # traces of positive matrices come first; a negative one only where there is no other
        yield from sorted(found, key=lambda x: not scales.number(x.series.lead()[1]) > 0)
        return
    yield from _vertices(equation, scales, "infinity", (None, Rational(0)))
    yield from _places(equation, scales, "fixed")
    size = equation.size
    if size == sp.oo:
        yield from _vertices(equation, scales, "zero", (Rational(0), None))
    elif size in scales.growth:
        edge = scales.value(b) * scales.growth[size]
        yield from _vertices(equation, scales, "zero", (Rational(0), edge))
        yield from _places(equation, scales, "edge")
        yield from _vertices(equation, scales, "resolved", (edge, None))
    else:
        yield from _vertices(equation, scales, "resolved", (Rational(0), None))


def _places(equation: Equation, scales: Scales, kind: str) -> Iterator[Lead]:
    """κ at a fixed place between the eigenvalues, or at the edge κ ~ M^{-b}."""
    place = place_symbol(equation.unknown)
    if place not in scales.field.position:
        return
    scales.settle(place, None)
    unit = scales.constant(place)
    if kind == "edge":
        unit = unit * scales.scale(lambda_plus) * scales.scale(equation.size, -b)
    depth, scales.depth = scales.depth, SHALLOW
    corner = Corner(scales, kind, unit, equation.size, equation.isotropic, place)
    try:
        total = evaluate(equation.polynomial, {equation.unknown: unit}, {equation.unknown: corner})
    finally:
        scales.depth = depth
    if total.terms:
        yield from places(total, kind, unit, place)


def _vertices(
    equation: Equation, scales: Scales, kind: str, ends: tuple[Rational | None, Rational | None]
) -> Iterator[Lead]:
    """Leading terms of the unknown in one corner, the largest (smallest θ) first."""
    unknown = equation.unknown

    for theta in exponents(equation, scales, kind, ends):
        scales.regrow(unknown, -theta)
        polynomial = polynomial_in(equation, scales, kind)
        leading = _leading_part(polynomial, unknown)
        least = polynomial.items[0][0]
        found = [replace(root, kind="zero" if kind == "free" else kind)
                 for root in _roots(leading, unknown, scales, kind == "free", least)]  # fmt: skip
        conditions = [_balance_conditions(polynomial, unknown, lead.series) for lead in found]
        del scales.growth[unknown]
        for lead, needed in zip(found, conditions):
            scales.comparisons |= needed
            yield lead
    scales.growth.pop(unknown, None)


def _leading_part(series: Series, unknown: sp.Symbol) -> dict[sp.Expr, tuple[Any, Any]]:
    """exponent → (monomial, coefficient) of the terms of least weight."""
    if not series.terms:
        raise TooShallow("the leading terms of the equation cancel to the order that was computed")
    scales, least = series.scales, series.items[0][0]
    found: dict[sp.Expr, tuple[Any, Any]] = {}
    for weight, vector, coefficient in series.items:
        exponent, rest = split_scale(scales, vector, unknown)
        if weight > least:
            break
        if exponent in found and found[exponent][0] != rest:
            raise Tie(scales, tuple(x - y for x, y in zip(rest, found[exponent][0])))
        found[exponent] = (rest, coefficient)
    return found


def _balance_conditions(series: Series, unknown: sp.Symbol, lead: Series) -> set[Any]:
    """Monomials that must vanish for the leading terms to lead, at the solution itself."""
    scales, (lead_vector, _) = series.scales, lead.lead()
    at_root = []
    for _, vector, _ in series.items[:MOST_COMPARED]:
        exponent, rest = split_scale(scales, vector, unknown)
        at_root.append(tuple(x + y for x, y in zip(rest, scales.scaled(lead_vector, exponent))))
    first = at_root[0]
    found = {tuple(x - y for x, y in zip(other, first)) for other in at_root[1:]}
    return {v for v in found if scales.weight(v) > 0}


def _roots(
    leading: dict[sp.Expr, tuple[Any, Any]], unknown: sp.Symbol, scales: Scales, signed: bool,
    least: Rational,
) -> Iterator[Lead]:  # fmt: skip
    """The roots of the leading polynomial, positive ones only unless ``signed``."""
    if len(leading) == 2:
        (e1, (m1, c1)), (e2, (m2, c2)) = leading.items()
        vector = tuple(x - y for x, y in zip(m2, m1))
        amount = -c2 / c1  # κ^{e1−e2} = amount · vector
        for root in _power_roots(scales, vector, amount, sp.together(1 / (e1 - e2)), signed):
            yield Lead(root, "")
        return
    found = _named_roots(leading, unknown, scales, signed)
    for lead in implicit_roots(leading, unknown, scales) if found is None else found:
        yield replace(lead, least=least)


def _power_roots(
    scales: Scales, vector: Any, amount: Any, exponent: sp.Expr, signed: bool
) -> list[Series]:
    """The roots of κ^{1/exponent} = amount · vector."""
    number = scales.number(amount)
    if number == 0 or not number.is_finite:
        raise OutsideTheoryError("a coefficient of the leading balance vanishes at these numbers, "
                                 "on a border of two regimes: take them beside these")  # fmt: skip
    positive = number > 0
    if exponent == 1 or exponent == -1:
        v, c = monomial_power(scales, vector, amount, exponent)
        return [Series(scales, {v: c})] if positive or signed else []
    if not positive:
        return []
    v, c = monomial_power(scales, vector, amount, exponent)
    root = Series(scales, {v: c})
    even = signed and exponent.is_Rational and exponent.q % 2 == 0
    return [root, -root] if even else [root]


def _named_roots(
    leading: dict[sp.Expr, tuple[Any, Any]], unknown: sp.Symbol, scales: Scales, signed: bool
) -> list[Lead] | None:
    """κ = unit · root^{1/step}, the largest first, where the leading terms are a quadratic in
    κ^step, else None.

    A root with a square root whose power holds b is a symbol, which comes with its meaning.
    """
    exponents = sorted(leading, key=scales.value)
    steps = [sp.together(e - exponents[0]) for e in exponents]
    least = steps[1]
    counts = [sp.together(step / least) for step in steps]
    if counts != [0, 1, 2]:
        return None
    low, high = leading[exponents[0]], leading[exponents[1]]
    vector = tuple(x - y for x, y in zip(low[0], high[0]))  # κ^least in units of this monomial
    u, total = UNIT_ROOT, sp.S.Zero
    for n, e in zip(counts, exponents):
        monomial, coefficient = leading[e]
        shift = tuple(m + n * v - m0 for m, v, m0 in zip(monomial, vector, low[0]))
        if walls_of(scales, scales.exponents(shift)):
            raise Tie(scales, shift)
        total += scales.expression(coefficient) * scales.monomial(shift) * u**n
    if total.free_symbols & set(scales.growth):
        raise OutsideTheoryError("the leading balance does not close")
    found = []
    for root in _solutions(total):
        value = scales.number_of(root)
        if abs(sp.im(value)) > 1e-20 or value == 0 or (value < 0 and not signed):
            continue
        element, known, relation = _as_element(scales, root), None, None
        if element is None and not least.is_Rational:
            name = place_symbol(unknown)
            element, known, scales.point[name] = scales.element(name), {name: root}, value
            relation = _relation(scales, total, name)
        elif element is None:
            element = scales.atom(root)
            name = scales.atoms[root]
            scales.settle(name, _relation(scales, total, name))
        v, coefficient = monomial_power(scales, vector, element, sp.together(1 / least))
        place = (bool(sp.re(value) < 0), -sp.re(value) * sp.sign(scales.value(least)))
        series = Series(scales, {v: coefficient})
        found.append((place, Lead(series, "", known=known, relation=relation)))
    return [lead for _, lead in sorted(found, key=lambda x: x[0])]


def _relation(scales: Scales, total: sp.Expr, name: sp.Symbol) -> Polynomial | None:
    """The polynomial of a root of ``total``, in its name; None where no field holds it."""
    try:
        return scales.irreducible(total.xreplace(scales.atoms).subs(UNIT_ROOT, name), name)
    except InputError:
        return None


@lru_cache(maxsize=256)
def _solutions(quadratic: sp.Expr) -> list[sp.Expr]:
    """Its roots, found once for all depths."""
    return list(sp.roots(sp.Poly(quadratic, UNIT_ROOT)))


@lru_cache(maxsize=256)
def _simplified(root: sp.Expr) -> sp.Expr:
    return sp.simplify(root)


def _as_element(scales: Scales, root: sp.Expr) -> Any:
    """The root in the field, None where it is not rational in the parameters."""
    try:
        return scales.element(_simplified(root).xreplace(scales.atoms))
    except ValueError:
        return None


# ---- corrections --------------------------------------------------------------------------


def _by_power(total: Series, least: Rational | None) -> list[Series]:
    """F_n of Σ F_n δ^n; the terms of weight ``least`` in F₀ cancel at a named root."""
    scales = total.scales
    found: dict[int, dict[Any, Any]] = {}
    for vector, coefficient in total.terms.items():
        exponent, rest = split_scale(scales, vector, SMALL)
        found.setdefault(int(exponent), {})[rest] = coefficient
    rate = -scales.growth[SMALL]
    result = []
    for n in range(max(found, default=0) + 1):
        cut = None if total.cut is None else total.cut - n * rate
        terms = found.get(n, {})
        if n == 0 and least is not None:
            terms = {v: c for v, c in terms.items() if scales.weight(v) > least}
        result.append(Series(scales, terms, cut))
    return result


def _order(series: Series) -> Rational:
    """The weight of the leading term, or of what is unknown."""
    if series.order is None:
        raise OutsideTheoryError("a coefficient of the equation is zero")
    return series.order


def _shifts(expanded: Any, scales: Scales) -> Iterator[Series]:
    """Every real δ with F(lead (1+δ)) = 0 that vanishes."""
    trial = expanded(scales.depth / MAX_MULTIPLICITY)
    if not trial[0].terms and len(trial) > 1 and trial[1].terms:
        cut, one = trial[0].cut, _order(trial[1])
        if cut is None:  # the leading term is the whole solution
            yield scales.constant(0)
            return
        if len(trial) > 2 and trial[2].terms and 2 * one >= cut + _order(trial[2]):
            raise MultipleRoot("a multiple root, or one too close to it")
        yield scales.constant(0).known_to(cut - one)
        return
    for rate in _rates(trial):
        if rate >= scales.depth:
            yield scales.constant(0).known_to(scales.depth)
            return
        functions = expanded(rate)
        yield from _small_roots(functions, scales)


def _rates(functions: list[Series]) -> list[Rational]:
    """Weights of δ from the lower hull of (n, weight of F_n), steepest last."""
    points = [(n, _order(f)) for n, f in enumerate(functions) if f.terms or (n == 0 and f.cut)]
    if not points or points[0][0] != 0:
        return [Rational(10**9)]
    found, n, w = [], *points[0]
    while True:
        ahead = [(m, v) for m, v in points if m > n]
        if not ahead:
            break
        slope = max((w - v) / (m - n) for m, v in ahead)
        if slope <= 0:
            break
        found.append(slope)
        n, w = max((m, v) for m, v in ahead if (w - v) / (m - n) == slope)
    if not found:
        raise TooShallow("the corrections to the leading term are not known")
    return found


def _small_roots(functions: list[Series], scales: Scales, every: bool = False) -> Iterator[Series]:
    """δ for Σ F_n δ^n = 0 on the first side of the polygon, or on every one."""
    rates = _rates(functions)
    for rate in rates if every else rates[:1]:
        yield from _roots_of_side(functions, rate, scales)


def _roots_of_side(functions: list[Series], rate: Rational, scales: Scales) -> Iterator[Series]:
    """δ of this weight: on a side, terms of Σ F_n δ^n lead together."""
    orders = {n: _order(f) + n * rate for n, f in enumerate(functions) if f.terms}
    least = min(orders.values(), default=rate)
    side = [(n, functions[n]) for n, order in orders.items() if order == least]
    first = bool(side) and side[0][0] == 0
    if not functions[0].terms or (first and (len(side) == 1 or [n for n, _ in side] == [0, 1])):
        yield _simple_root(functions, scales)
        return
    if [n for n, _ in side] == [0, 1, 2]:
        roots = _pair(scales, [f for _, f in side])
    elif len(side) != 2:
        raise OutsideTheoryError("a multiple root whose correction is not a power")
    else:
        (m, low), (n, top) = side
        vector, coefficient = (low / top).lead()  # δ^{n−m} = −F_m/F_n at leading order
        roots = _power_roots(scales, vector, -coefficient, sp.Rational(1, n - m), True)
    for lead in roots:
        inner = _shifted(functions, lead, scales)
        for delta in _small_roots(inner, scales, len(side) == 3 and len(roots) == 1):
            yield lead * (1 + delta)


def _pair(scales: Scales, functions: list[Series]) -> list[Series]:
    """The real roots of F₀ + F₁δ + F₂δ² at leading order, the largest first."""
    low, middle, high = functions
    vector, half = (middle / high).lead()
    product, constant = (low / high).lead()
    half, constant = scales.expression(half) / 2, scales.expression(constant)
    root = sp.sqrt(sp.factor(half**2 - constant))
    if product != tuple(2 * x for x in vector):
        raise OutsideTheoryError("a multiple root whose correction is not a power")
    if root == 0:  # a double root, which the next terms tell apart
        return [Series(scales, {vector: _as_element(scales, -half)})]
    if not scales.number_of(root).is_real:
        return []
    found = sorted((root - half, -root - half), key=lambda x: -scales.number_of(x))
    elements = [(_as_element(scales, x), x) for x in map(sp.powdenest, map(sp.simplify, found))]
    return [Series(scales, {vector: scales.atom(x) if e is None else e}) for e, x in elements]


def _shifted(functions: list[Series], lead: Series, scales: Scales) -> list[Series]:
    """G_k of Σ F_n lead^n (1+δ)^n = Σ G_k δ^k."""
    result = []
    scaled = [f * lead**n for n, f in enumerate(functions)]
    for k in range(len(functions)):
        total = scales.constant(0)
        for n in range(k, len(functions)):
            total = total + scaled[n] * sp.binomial(n, k)
        result.append(total)
    return result


def _simple_root(functions: list[Series], scales: Scales) -> Series:
    """δ = −(F₀ + F₂δ² + …)/F₁, iterated."""
    first, delta = functions[0], scales.constant(0)
    known = len(functions) > 2 and all(f.order is not None for f in functions[:3])
    orders = [_order(f) for f in functions[:3]] if known else []
    if known and 2 * orders[1] >= orders[0] + orders[2]:
        raise MultipleRoot("a multiple root, or one too close to it")
    step = scales.depth  # every pass makes so much more of δ right
    if first.order is not None and functions[1].order is not None:
        step = first.order - functions[1].order or step
    if scales.depth > FORESEEN * step > 0:
        raise TooMany("too many terms close to a wall between two regimes")
    inverse = functions[1] ** -1
    delta = -(first * inverse)
    factors = [f * inverse for f in functions]
    for count in range(1, MAX_PASSES):
        limit = (count + 2) * step if step > 0 else None
        total, power_of = -factors[0], delta
        for factor in factors[2:]:
            power_of = (power_of * delta).known_to(limit)
            if not power_of.terms and limit is not None and limit < scales.depth:
                break
            total = total - factor * power_of
        total = total.known_to(limit)
        if total.terms == delta.terms and total.cut == delta.cut:
            return total
        delta = total
    raise OutsideTheoryError("the corrections do not settle")


__all__ = ["BEYOND", "Equation", "Solution", "evaluate", "solve"]
