r"""Fixed numbers under fractional powers, as whole powers of a root.

M = y N and z ~ N^{-3/2} say z = y_z (y/M)^{3/2}: with y = u² everything is rational in u, and terms
that cancel are seen to.  A number has its root in the same way: 2^{3/2} = u³.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import lcm
from typing import Any

import sympy as sp

from ...errors import OutsideTheoryError
from .places import Implicit
from .regime_statement import Regime
from .walls import CANCELLED

Roots = dict[sp.Symbol, sp.Expr]  # u, and the power that it is


def with_roots(regime: Regime) -> tuple[Regime, Roots]:
    """The regime in roots u of the numbers that it has fractional powers of, and what these are."""
    fixed, orders = {**regime.values, **regime.ranked}, dict[sp.Expr, int]()
    for power in set().union(*(v.atoms(sp.Pow) for v in regime.substitutions.values())):
        for base in power.base.free_symbols & set(fixed) or {power.base} - set(regime.growth):
            if base.is_Symbol or base.is_Rational:
                shares = (t.as_coeff_Mul()[0] for t in sp.Add.make_args(sp.expand(power.exp)))
                orders[base] = lcm(orders.get(base, 1), *(sp.Rational(x).q for x in shares))
    roots = {sp.Dummy(f"root_{base}", positive=True): base ** sp.Rational(1, order)
             for base, order in orders.items() if order > 1}  # fmt: skip
    whole = {power.base: u ** (1 / power.exp) for u, power in roots.items()}

    def rooted(value: sp.Expr) -> sp.Expr:
        parts = sp.expand_power_base(value, force=True).replace(
            lambda x: x.is_Pow and x.base in whole, lambda x: whole[x.base] ** x.exp)  # fmt: skip
        return parts.xreplace({y: u for y, u in whole.items() if y.is_Symbol})

    numbers = {u: power.subs(regime.values) for u, power in roots.items()}
    ranked = {u: regime.ranked[power.base] * power.exp for u, power in roots.items()
              if power.base in regime.ranked}  # fmt: skip
    return replace(
        regime,
        substitutions={s: rooted(v) for s, v in regime.substitutions.items()},
        values=_without({**regime.values, **numbers}, whole),
        ranked=_without({**regime.ranked, **ranked}, whole),
    ), roots


def _without(first: Mapping[sp.Symbol, Any], second: Mapping[sp.Symbol, Any]) -> dict[Any, Any]:
    return {s: v for s, v in first.items() if s not in second}


def without_roots(form: Any, regime: Regime, roots: Roots) -> Any:
    """A limiting form in the numbers of the statement itself."""

    def plain(x: Any) -> Any:
        if isinstance(x, Implicit):
            return replace(x, expression=plain(x.expression))
        return x.xreplace(roots) if isinstance(x, sp.Basic) else x

    def term(t: Any) -> Any:
        exponents: dict[sp.Expr, sp.Expr] = {}
        for scale, e in t.exponents.items():
            base, power = roots.get(scale, plain(scale)).as_base_exp()
            exponents[base] = exponents.get(base, sp.S.Zero) + e * power
        coefficient = plain(t.coefficient).replace(lambda x: x.is_Add and x.is_number, sp.radsimp)
        if coefficient == 0 or coefficient.has(sp.zoo, sp.nan, sp.oo):
            raise OutsideTheoryError(CANCELLED)
        return replace(t, coefficient=coefficient, exponents=exponents)

    return replace(
        form,
        regime=regime,
        terms=tuple(map(term, form.terms)),
        remainder=term(form.remainder) if form.remainder is not None else None,
        conditions=tuple(map(plain, form.conditions)),
        where={s: plain(v) for s, v in form.where.items()} | dict(regime.substitutions),
        solutions={s: plain(v) for s, v in form.solutions.items()},
    )
