r"""What is left of a quantity after the terms of its limiting form, measured.

Along sizes s = L^p, p the exponents at which the terms were ordered, |exact − Σ terms| must fall as
the remainder: L^{−weight}, up to logarithms.  L is so large that each term is below `APART` of the
one before it, and the exact value is taken to as many digits as the difference needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy as sp

from ... import precision
from .dominant import BEYOND
from .exact_value import exact_value
from .limiting_form import LimitingForm
from .problem import Problem
from .regime_statement import MUCH

LOGARITHMS = (18, 20)  #: log₁₀ L at which the difference is taken, at least
APART, FARTHEST = 2, 90  #: −log₁₀ of the ratio of a term to the one before it; of a size, at most


@dataclass(frozen=True)
class RemainderSlope:
    """The measured and the claimed exponent of L in what is left, and in the quantity itself."""

    measured: float
    claimed: float
    lead_measured: float
    lead_claimed: float
    exact: bool = False  #: nothing is claimed to be left, and nothing is to the digits taken

    def holds(self, tolerance: float = 0.05) -> bool:
        """Whether the rest falls at least as fast as claimed, and the quantity as its lead."""
        lead = abs(self.lead_measured - self.lead_claimed) < tolerance
        return lead and (self.measured < self.claimed + tolerance or self.exact)


def sizes_at(
    problem: Problem, form: LimitingForm, point: Mapping[sp.Symbol, Any], scale: Any
) -> dict[sp.Symbol, Any]:
    """Every size, share and exponent where L = ``scale``."""
    regime, clock = form.regime, problem.clock.time if problem.clock else None
    values: dict[sp.Symbol, Any] = {s: sp.nsimplify(v) for s, v in point.items()}
    typical = dict.fromkeys(problem.parameters, sp.S.One) | dict(problem.typical)
    values |= {s: v for s, v in typical.items() if s not in regime.substitutions}
    values |= dict(regime.values)
    digits = mpmath.mp.dps
    for symbol, growth in regime.growth.items():
        if abs(growth) < BEYOND:
            size = scale ** (mpmath.mpf(growth.numerator) / growth.denominator)
            whole = symbol in (problem.size, clock) or symbol in problem.spaces.values()
            values[symbol] = sp.Integer(int(size)) if whole else sp.Float(size, digits)
    for symbol, growth in regime.ranked.items():
        power = mpmath.mpf(growth.numerator) / growth.denominator / MUCH
        values[symbol] = sp.Float(scale**power, digits)
    return values


def far_enough(form: LimitingForm, logarithms: tuple[float, float]) -> tuple[float, float]:
    """log₁₀ L, moved out until L^gap tells each term from the next.

    Terms so close that no L does fall alike: their sum has the slope of either.
    """
    least = APART / float(form.gap) if form.gap else 0.0
    growth = max((abs(float(p)) for p in form.regime.growth.values() if abs(p) < BEYOND), default=1)
    reach = FARTHEST / max(growth, 1e-9)
    shift = max(0.0, min(least, reach) - logarithms[0]) if least < FARTHEST else 0.0
    return logarithms[0] + shift, logarithms[1] + shift


def measured_slope(
    problem: Problem,
    form: LimitingForm,
    point: Mapping[sp.Symbol, Any],
    logarithms: tuple[float, float] = LOGARITHMS,
    wrong: Any = 1,
) -> RemainderSlope:
    """The slopes between two values of L; ``wrong`` multiplies the sum, to see it rejected."""
    rest = form.remainder
    logarithms = far_enough(form, logarithms)
    claimed = -float(rest.weight) if rest is not None else -float("inf")
    depth = abs(claimed) if rest is not None else abs(float(form.terms[-1].weight)) + 2
    spare = 25 if problem.clock is None else 12  # contours cost the square of the digits
    digits = spare + int(max(logarithms) * (depth + abs(float(form.terms[0].weight))))
    left, whole = [], []
    with precision.workdps(digits):
        for power in logarithms:
            values = sizes_at(problem, form, point, mpmath.mpf(10) ** power)
            found = exact_value(problem, form, values, digits)
            exact = found.value
            *_, total = form.partial_sums(values, found.spectrum)
            left.append(abs(exact - wrong * total))
            whole.append(abs(exact))
        step = mpmath.log(mpmath.mpf(10) ** (logarithms[1] - logarithms[0]))

        def slope(pair: list[Any]) -> float:
            if not all(pair):
                return -float("inf")
            return float(mpmath.log(pair[1] / pair[0]) / step)

        share = max(x / y for x, y in zip(left, whole) if y)
        nothing = share < mpmath.mpf(10) ** (spare - 10 - digits)
        lead = -float(form.terms[0].weight)
        return RemainderSlope(slope(left), claimed, slope(whole), lead, rest is None and nothing)


__all__ = ["RemainderSlope", "measured_slope", "sizes_at"]
