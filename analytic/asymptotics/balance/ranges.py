r"""The range of a fixed ratio that a statement leaves free: on which side of 1 the terms hold.

A ratio of sizes, N/T = r, has its border where the sizes cross, at r = 1, unless the same leading
term stands on both sides.  The terms are ordered at one number; what leads is looked for at others,
beyond the border and on either end of the side of that number.  Where three sizes are tied,
N/T = r, T/M = s, the third pair has its border at r s = 1.  A size that stays has its border at the
number of modes, where that is the one of a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import sympy as sp

from ...errors import InputError, SolvableError
from .limiting_form import LimitingForm, limiting_form
from .problem import Problem
from .regime_statement import Regime

BELOW, ABOVE = sp.Rational(2, 3), sp.Rational(3, 2)  # the side that the number is not on
ENDS = (sp.Rational(1, 9), sp.Rational(8, 9))  # and their inverses, of the side that it is on


def with_ranges(
    form: LimitingForm, problem: Problem, point: Mapping[sp.Symbol, Any]
) -> LimitingForm:
    """The form with the side of 1, for every free ratio, on which its leading term leads.

    Raises `InputError` where another term leads on the same side: a range is needed there.
    """
    regime = form.regime
    chains: list[tuple[sp.Expr, sp.Expr]] = []
    for ratio in free_ratios(regime):
        number = regime.values[ratio]

        def leads(at: sp.Expr, ratio: sp.Symbol = ratio) -> bool:
            return _leads_at(form, problem, point, {ratio: at})

        if number == 1 or leads(ABOVE if number < 1 else BELOW):
            continue
        ends = ENDS if number < 1 else tuple(1 / x for x in ENDS)
        for end in ends:
            if not leads(end):
                raise InputError("regime", f"{regime.text}: no range of {ratio}",
                                 f"numbers that bound {ratio} around {number}: another term leads "
                                 f"at {ratio} = {end}")  # fmt: skip
        chains.append((ratio, sp.S.One) if number < 1 else (sp.S.One, ratio))
    chains += _joint(form, problem, point, chains)
    chains += _beside_modes(form, problem, point)
    stated = replace(regime, chains=(*regime.chains, *chains))
    ranges = tuple(sp.Lt(*chain, evaluate=False) for chain in chains)
    return replace(form, regime=stated, ranges=ranges)


def _joint(
    form: LimitingForm, problem: Problem, point: Mapping[sp.Symbol, Any],
    single: list[tuple[sp.Expr, sp.Expr]],
) -> Iterator[tuple[sp.Expr, sp.Expr]]:  # fmt: skip
    """The side of 1 of quotients of sizes that hold several free ratios, where it matters."""
    regime, free = form.regime, set(free_ratios(form.regime))
    tied = {s: regime.substitutions.get(s, s) for s in problem.sizes}
    quotients = {sp.cancel(x / y) for x, y in combinations(tied.values(), 2)}
    joint = [q if sp.numer(q).free_symbols else 1 / q for q in quotients
             if len(q.free_symbols) > 1 and q.free_symbols <= free]  # fmt: skip
    for quotient in sorted(joint, key=str):
        number = quotient.subs(regime.values)
        for ratio in sorted(quotient.free_symbols, key=str):  # one is moved across, alone
            target = ABOVE if number < 1 else BELOW
            place = sp.solve(quotient.subs({**regime.values, ratio: ratio}) - target, ratio)[0]
            moved = {**regime.values, ratio: place}
            if number != 1 and all(x.subs(moved) < y.subs(moved) for x, y in single):
                if not _leads_at(form, problem, point, {ratio: place}):
                    yield (quotient, sp.S.One) if number < 1 else (sp.S.One, quotient)
                break


def _beside_modes(
    form: LimitingForm, problem: Problem, point: Mapping[sp.Symbol, Any]
) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """The order of sizes that stay, and of the number of modes of a list, where it matters."""
    modes, regime = problem.size, form.regime
    stay = [s for s in problem.sizes if s in regime.values]
    for x, y in combinations(sorted(stay, key=lambda s: regime.values[s]), 2):
        swapped = {x: regime.values[y], y: regime.values[x]}
        numbers = {**regime.values, **swapped}
        told = any(bool(first.subs(numbers) >= second.subs(numbers))  # as the statement says
                   for chain in regime.chains for first, second in pairwise(chain)
                   if {first, second} & {x, y})  # fmt: skip
        if not told and not _leads_at(form, problem, point, swapped):
            yield (x, y)
    if modes is None or not modes.is_number:
        return
    for size in stay:
        number = regime.values[size]
        below = bool(number < modes)
        stated = {c[-1] if below else c[0] for c in regime.chains if size in c}
        if any(x.is_number and (x <= modes if below else x >= modes) for x in stated):
            continue
        factor = (ABOVE if below else BELOW) * modes / number
        sign = 1 if below else -1  # what lies beyond it goes along
        moved = {s: x * factor for s in stay if sign * ((x := regime.values[s]) - number) >= 0}
        if not _leads_at(form, problem, point, moved):
            yield (size, modes) if below else (modes, size)


def free_ratios(regime: Regime) -> Iterator[sp.Symbol]:
    """The fixed ratios of sizes of which no range is stated."""
    bounded = {s for chain in regime.chains for s in chain}
    for symbol in (s for s in regime.values if s not in regime.ranked):
        tied = any(v.is_Mul and v.has(symbol) for v in regime.substitutions.values())
        if tied and symbol not in bounded:
            yield symbol


def _leads_at(
    form: LimitingForm, problem: Problem, point: Mapping[sp.Symbol, Any],
    numbers: Mapping[sp.Symbol, Any],
) -> bool:  # fmt: skip
    """Whether the same term leads at other numbers."""
    elsewhere = replace(form.regime, values={**form.regime.values, **numbers})
    try:
        found = limiting_form(problem, elsewhere, point, 1, remainder=False)
    except SolvableError:
        return False
    first, second = (f.terms[0].expression for f in (form, found))
    symbols = first.free_symbols & second.free_symbols
    return bool(first == second and all(form.where.get(s) == found.where.get(s) for s in symbols))


__all__ = ["free_ratios", "with_ranges"]
