r"""The growth of sizes on a budget at which the laws of a fan fall fastest.

A law falls as L^{Σ e_s p_s} along a direction p; on the budget Σ_s q_s p_s = 1 that is a linear
programme in every cell of the fan (`fan`). The best direction is at a wall, where two laws balance,
or at the edge of the region; there exponents are exact numbers, as the equations of walls, edges
and budget fix them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from .. import arguments
from ..errors import InputError, OutsideTheoryError
from .balance.limiting_form import LimitTerm
from .balance.systems import eta, ridge_z
from .expansion import exact_number
from .fan import Fan, FanCell

__all__ = ["FanAllocation", "allocate_on"]


@dataclass(frozen=True)
class FanAllocation:
    """How a budget is spent by the laws: sizes ~ C^{share}, loss ~ C^{−loss}; exact exponents.

    ``terms`` lead in the cells that meet at the optimum (one, where it is inside a cell's edge),
    and ``balance`` are these laws.
    """

    shares: Mapping[sp.Symbol, Any]
    loss: Any
    terms: tuple[LimitTerm, ...]

    @property
    def balance(self) -> tuple[sp.Expr, ...]:
        """The laws that meet."""
        return tuple(term.expression for term in self.terms)


def allocate_on(fan: Fan, powers: Mapping[str, Any]) -> FanAllocation:
    """The growth of the sizes under Π s^{powers_s} = C at which the law falls fastest.

    A linear programme in every cell; the optimum is at a wall, where two laws balance, or at the
    edge of the region. ``powers`` by size, all > 0; a ridge z and a step η cost nothing.

    >>> from solvable.analytic.asymptotics.fan import regime_fan
    >>> fan = regime_fan(("N", "T"), exponent=1.5, target_exponent=3.1)
    >>> best = allocate_on(fan, {"N": 1, "T": 1})
    >>> [str(best.shares[s]) for s in fan.sizes], str(best.loss)
    (['8/13', '5/13'], '21/26')
    """
    from scipy.optimize import linprog

    names = {s.name: s for s in fan.sizes}
    free = {eta.name, ridge_z.name}
    if set(powers) | free != set(names) | free:
        raise InputError("powers", sorted(powers), f"one for each of {', '.join(names)}")
    for name, value in powers.items():
        arguments.positive(name, value)
    budget = [float(powers.get(s.name, 0)) for s in fan.sizes]
    best: tuple[float, Any, FanCell] | None = None

    def extreme(cell: FanCell, direction: Any, *rows: Any, most: Sequence[float] = ()) -> Any:
        """Where ``direction`` is least in a cell on this budget, ``rows`` being at ``most`` …."""
        inside = [*cell.walls, *fan.region]
        return linprog(direction, A_ub=[*inside, *rows], b_ub=[*[0.0] * len(inside), *most],
                       A_eq=[budget], b_eq=[1.0], bounds=[(None, None)] * len(budget))  # fmt: skip

    for cell in fan.cells:
        found = extreme(cell, cell.exponent(fan.point))
        if found.status == 3:
            raise OutsideTheoryError("the law falls without end inside one cell: a budget of sizes "
                                     "that compete is needed")  # fmt: skip
        if found.success and (best is None or found.fun < best[0] - 1e-12):
            best = (float(found.fun), found.x, cell)
    assert best is not None
    value, direction, _ = best
    meeting = {c.lead: c.law.terms[0] for c in fan.cells if c.holds(direction, 1e-9)}
    shares, fall = _exact_optimum(fan, powers, tuple(meeting.values()), direction, -value)
    if fixed := [s.name for s in fan.sizes if s.name in powers and shares[s] == 0]:
        raise OutsideTheoryError(
            f"the loss falls fastest where {', '.join(fixed)} grows so little that no cell of the "
            "fan resolves it; minimise the exact loss instead"
        )
    for size, axis in zip(fan.sizes, np.eye(len(budget)), strict=True):
        if size.name not in powers:
            continue
        alike = [(sign, extreme(cell, sign * axis, cell.exponent(fan.point), most=[value + 1e-9]))
                 for sign in (1, -1) for cell in fan.cells]  # fmt: skip
        ends = [sign * found.fun for sign, found in alike if found.success]
        if max(ends) - min(ends) > 1e-6:
            raise OutsideTheoryError(
                f"the law falls alike, as C^({-fall}), for {size} from "
                f"C^({_rational(min(ends))}) to C^({_rational(max(ends))}): what is beyond the "
                "leading law decides; minimise the exact loss instead"
            )
    return FanAllocation(shares, fall, tuple(meeting.values()))


def _exact_optimum(
    fan: Fan, powers: Mapping[str, Any], meeting: tuple[LimitTerm, ...], direction: Any, fall: float
) -> tuple[dict[sp.Symbol, Any], Any]:
    """The shares and the exponent of the loss as exact numbers, where laws and edges fix them.

    On the budget the laws that meet are equal, and rows of the region that are zero there stay so.
    """
    laws = [[sp.sympify(term.exponents.get(s, 0)).subs(fan.point) for s in fan.sizes]
            for term in meeting]  # fmt: skip
    edges = [row for row in fan.region if abs(np.dot(row, direction)) < 1e-9]
    rows = [[exact_number(powers.get(s.name, 0)) for s in fan.sizes],
            *([x - y for x, y in zip(law, laws[0])] for law in laws[1:]),
            *([exact_number(x) for x in row] for row in edges)]  # fmt: skip
    matrix, right = sp.Matrix(rows), sp.Matrix([int(i == 0) for i in range(len(rows))])
    solved = sp.linsolve((matrix, right), *fan.sizes)
    exact = next(iter(solved), direction)
    if not all(sp.sympify(x).is_Rational for x in exact):
        return {s: _rational(x) for s, x in zip(fan.sizes, direction)}, _rational(fall)
    if any(abs(x - y) > 1e-6 for x, y in zip(exact, direction)):
        raise OutsideTheoryError(
            f"the laws that meet are equal at C^({', '.join(map(str, exact))}) of "
            f"{', '.join(map(str, fan.sizes))}, where others of nearly the same powers lead: walls "
            "too close to be told apart; minimise the exact loss instead"
        )
    found = -sum(x * y for x, y in zip(laws[0], exact))
    return dict(zip(fan.sizes, exact)), found


def _rational(value: float) -> sp.Rational:
    return sp.Rational(Fraction(float(value)).limit_denominator(10**5))
