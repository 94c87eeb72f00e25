"""Walls between regimes: where two terms are of one size, and what is the same there.

Where sizes are powers of one, two terms are of one size at values of a and b, whatever grows.  On
these walls exponents that agree are the same, and what leads together is one term.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from ...errors import OutsideTheoryError
from ...notation import a, b, lambda_plus

if TYPE_CHECKING:
    from .limiting_form import LimitTerm
    from .multiseries import Scales, Vector

Walls = Mapping[sp.Symbol, sp.Expr]  # a, in b, and b as a number
CANCELLED = ("terms cancel at these numbers, on a border of two laws; a distance from it "
             "(z - x = m) is seen where x is a symbol or rational")  # fmt: skip


class Tie(OutsideTheoryError):
    """Two terms of one weight lead: the point lies on the border between two regimes.

    ``walls`` are the values of a or b at which they are of one size whatever grows, None where
    that depends on how sizes grow.  ``units`` says that they differ in powers of λ₊ alone.
    """

    def __init__(self, scales: Scales, ratio: Vector) -> None:
        super().__init__(f"the point lies on a wall: {scales.monomial(ratio)} ~ 1 there; fix this "
                         "ratio, or say which is larger")  # fmt: skip
        exponents = scales.exponents(ratio)
        self.walls, self.units = walls_of(scales, exponents), set(exponents) == {lambda_plus}


def on_walls(scales: Scales, exponent: sp.Expr) -> sp.Expr:
    """An exponent by its value: at a number b, a multiple of b, and of a where that is free."""
    exponent = sp.expand(exponent.subs(a, scales.walls.get(a, a)))
    if b not in scales.walls:
        return exponent
    slope = exponent.coeff(a, 1)
    rest = scales.value(exponent - slope * a) / scales.value(b)
    return sp.Rational(rest) * b + sp.Rational(scales.value(slope)) * a


def walls_of(scales: Scales, monomial: Mapping[sp.Expr, sp.Expr]) -> Walls | None:
    """Where the exponents of all sizes in a monomial vanish; None if the point is not there."""
    found: dict[sp.Symbol, sp.Expr] = {}
    for scale, power in monomial.items():
        exponent = sp.expand(power.subs(found))
        if exponent == 0 or not scales.growth.get(scale):
            continue
        if scale not in scales.sizes or scales.value(exponent) != 0:
            return None
        symbol = a if exponent.has(a) else b
        found[symbol] = sp.solve(exponent, a)[0] if symbol == a else scales.point[b]
    return found


def joined(first: Walls, second: Walls) -> Walls:
    """Both at once."""
    return {s: x.subs(second) for s, x in first.items()} | dict(second)


def merged(scales: Scales, terms: list[LimitTerm]) -> tuple[list[LimitTerm], Walls]:
    """The terms, those that lead together in one, and where all that is so."""
    first, walls = terms[0], scales.walls
    lead = [t for t in terms if t.weight == first.weight]
    for term in lead[1:]:
        found = walls_of(scales, divided(term.exponents, first.exponents))
        if found is None:
            return terms, walls
        walls = joined(walls, found)
    if lead[1:]:
        total = sp.Add(*(t.coefficient * sp.Mul(*(s**e for s, e in t.exponents.items()
                         if s not in scales.sizes)) for t in lead))  # fmt: skip
        exponents = {s: e for s, e in first.exponents.items() if s in scales.sizes}
        first = replace(first, coefficient=total, exponents=exponents)
    return [replace(t, exponents={s: sp.expand(sp.sympify(e).subs(walls))
                                  if s in scales.sizes else e for s, e in t.exponents.items()})
            for t in (first, *terms[len(lead) :])], walls  # fmt: skip


def check_border(terms: list[LimitTerm], scales: Scales) -> None:
    """Raise `OutsideTheoryError` where a coefficient is infinite at the representative point."""
    numbers = {s: scales.point[s] for s in scales.parameters if s in scales.point}
    for coefficient in (t.coefficient for t in terms):
        if coefficient.xreplace(numbers).has(sp.zoo, sp.nan):
            here = [s for s in numbers if s in coefficient.free_symbols]
            if any(isinstance(s, sp.Dummy) for s in here):
                raise OutsideTheoryError(CANCELLED)
            place = ", ".join(f"{s} = {numbers[s]}" for s in here)
            raise OutsideTheoryError(f"a coefficient is infinite at {place}, on a border of two "
                                     "laws: give other numbers, or tie sizes to these")  # fmt: skip


def divided(
    first: Mapping[sp.Expr, sp.Expr], second: Mapping[sp.Expr, sp.Expr]
) -> dict[sp.Expr, sp.Expr]:
    """The exponents of a ratio of monomials."""
    keys = {*first, *second}
    return {s: sp.expand(first.get(s, 0) - second.get(s, 0)) for s in keys}


__all__ = ["Tie", "Walls", "check_border", "divided", "joined", "merged", "on_walls", "walls_of"]
