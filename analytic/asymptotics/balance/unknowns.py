r"""All unknowns of a problem as series: alone or in pairs, and the physical one of several.

κ falls from κ ~ z with the ridge, so that its largest solution is the physical one.  An unknown
that is a trace itself (no spectral sum at it) may have several positive solutions; the one is taken
that is nearest to the certified solution of the matrix equations, at sizes that are of this regime.
"""

from __future__ import annotations

import cmath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ...errors import OutsideTheoryError, SolvableError
from ...notation import a, b
from .corner_sums import Corner
from .coupled import solve_pair
from .dominant import BEYOND, Equation, Solution, solve
from .multiseries import Scales, Series
from .places import place_symbol
from .traces import evaluate, read_trace, traces_of

if TYPE_CHECKING:
    from .problem import Problem
    from .regime_statement import Regime

LARGEST = 10**10  # size at which solutions are told apart
SMALLEST = sp.Rational(1, 10**6)
APART = 2  # the second nearest solution must be farther by this factor


@dataclass
class Unknowns:
    """Every unknown as a series, its corner, what the symbols in them are, and exact sums."""

    images: dict[sp.Symbol, Series] = field(default_factory=dict)
    corners: dict[sp.Symbol, Corner] = field(default_factory=dict)
    notes: dict[sp.Expr, Any] = field(default_factory=dict)
    exact: dict[sp.Expr, sp.Expr] = field(default_factory=dict)


def solve_unknowns(problem: Problem, regime: Regime, scales: Scales, size: sp.Expr) -> Unknowns:
    """The physical solution of all equations."""
    found = Unknowns()
    places = {p.kappa for t in traces_of(problem.output) for p in read_trace(t)}
    for pairs in blocks(problem.equations):
        block = []
        for unknown, expression in pairs:
            space = problem.spaces.get(unknown)
            own = size if space is None or space == problem.size else regime.applied(space)
            _check_space(own, problem, regime)
            block.append(Equation(unknown, regime.applied(expression), own, problem.isotropic,
                                  spectral=unknown in places))  # fmt: skip
        if len(block) == 1:
            _alone(block[0], problem, regime, scales, found)
        elif len(block) == 2:
            _together(block, scales, found)
        else:
            raise OutsideTheoryError(f"{len(block)} unknowns that no equation has alone")
    return found


def blocks(
    equations: Sequence[tuple[sp.Symbol, sp.Expr]],
) -> Iterator[list[tuple[sp.Symbol, sp.Expr]]]:
    """Equations that share unknowns."""
    left = list(equations)
    while left:
        block = [left[0]]
        for unknown, expression in left[1:]:
            shared = expression.free_symbols & {u for u, _ in block}
            if shared or any(e.has(unknown) for _, e in block):
                block.append((unknown, expression))
        left = [pair for pair in left if pair not in block]
        yield block


def _check_space(size: sp.Expr, problem: Problem, regime: Regime) -> None:
    """A number of modes is a size that moves or stays, and of two spaces both move."""
    if not (size == sp.oo or size.is_Integer or size.is_Symbol):
        raise OutsideTheoryError(f"{size} modes: a ratio of the sizes of two spectra has no series")
    if len(set(problem.spaces.values())) > 1 and size not in regime.growth:
        raise OutsideTheoryError("sums over two spaces, one of fixed size, have no series")


def _alone(
    equation: Equation, problem: Problem, regime: Regime, scales: Scales, found: Unknowns
) -> None:
    factors = _factors(equation, regime)
    equation = _simple(equation, problem, regime, factors)
    chosen = None
    if not problem.positive and (least := _least_factor(equation, factors, scales)) is not None:
        trace, value = least
        chosen = next(solve(replace(equation, expression=trace - value), scales), None)
        found.exact.update({trace: value} if chosen is not None else {})
    if chosen is None:
        chosen = _chosen(equation, problem, regime, scales)
    if chosen is None:
        raise OutsideTheoryError(
            f"no real {equation.unknown} in powers of the sizes solves the equation here: it is "
            "complex, as where z lies inside the spectrum, or has no power"
        )
    found.images[equation.unknown], found.corners[equation.unknown] = chosen.series, chosen.corner
    found.notes.update(chosen.lead.known or {})
    chosen.lead.settle(equation.unknown, scales)
    if chosen.lead.implicit is not None:
        found.notes[chosen.lead.implicit.symbol] = chosen.lead.implicit


def _chosen(
    equation: Equation, problem: Problem, regime: Regime, scales: Scales
) -> Solution | None:
    """The physical solution of the whole equation."""
    if problem.positive:
        return next(_positive(equation, problem, regime, scales), None)
    solutions = solve(equation, scales)
    if traces_of(equation.polynomial):
        return next(solutions, None)
    return _physical(list(solutions), equation, problem, regime, scales)


def _simple(
    equation: Equation, problem: Problem, regime: Regime, factors: list[tuple[sp.Expr, int]]
) -> Equation:
    """The equation, factors that are squares where something is zero taken once.

    Raises `OutsideTheoryError` for a loss there, which is infinite.
    """
    if not any(n > 1 and traces_of(f) for f, n in factors):
        return equation
    if problem.source is None and problem.output != equation.unknown:
        zero = _zeros(regime)
        ties = ", ".join(f"{s} = {x}" for s, x in [*regime.substitutions.items(), *zero.items()])
        small = ", ".join(f"{s} -> 0" for s in zero)
        raise OutsideTheoryError(f"infinite at {ties}, a multiple root of the equations; {small}, "
                                 "or sizes at a distance (T - N = m), give its law")  # fmt: skip
    return replace(equation, expression=sp.Mul(*(f for f, _ in factors)))


def _zeros(regime: Regime) -> dict[sp.Expr, sp.Expr]:
    return dict.fromkeys((s for s, p in regime.growth.items() if p <= -BEYOND), sp.S.Zero)


def _factors(equation: Equation, regime: Regime) -> list[tuple[sp.Expr, int]]:
    """The factors of the equation at what is exactly zero; none where nothing is."""
    zero = _zeros(regime)
    names = {t: sp.Dummy("trace") for t in traces_of(equation.polynomial)}
    found = sp.factor_list(equation.polynomial.xreplace(names).subs(zero))[1] if zero else []
    back = {name: t for t, name in names.items()}
    return [(f.xreplace(back), n) for f, n in found]


def _least_factor(
    equation: Equation, factors: list[tuple[sp.Expr, int]], scales: Scales
) -> tuple[sp.Expr, sp.Expr] | None:
    """(trace, value) where the equation falls into factors, trace − value: that of least value.

    Every sum falls with κ, so that this factor has the largest root.
    """
    traces = {t for f, _ in factors for t in traces_of(f)}
    if len(traces) != 1:
        return None
    (trace,) = traces
    name, values = sp.Dummy("trace"), []
    for factor, _ in factors:
        factor = factor.xreplace({trace: name})
        poly = sp.Poly(factor, name)
        if poly.degree() > 1 or (poly.degree() == 1 and factor.has(equation.unknown)):
            return None
        if poly.degree() == 1:
            values.append(sp.cancel(-poly.nth(0) / poly.nth(1)))
    least = values[0]
    for value in values[1:]:
        first = scales.evaluate(value - least, {}).lead()[1]
        least = value if scales.number(first) < 0 else least
    return trace, least


def exact_output(problem: Problem, regime: Regime, known: Mapping[sp.Expr, sp.Expr]) -> Any:
    """The output with the sums that are known exactly, None where it depends on an unknown.

    Raises `OutsideTheoryError` where it is zero or infinite.
    """
    output = regime.applied(problem.output).subs(_zeros(regime)).xreplace(known)
    names = {t: sp.Dummy("trace") for t in traces_of(output)}
    output = sp.cancel(output.xreplace(names))
    unknown = {u for u, _ in problem.equations}
    if output.free_symbols & {*unknown, *names.values()}:
        return None
    place, small = (", ".join(f"{s} {x} 0" for s in _zeros(regime)) for x in ("=", "->"))
    if output == 0:
        raise OutsideTheoryError(f"the limit is zero at {place}; {small} gives its law")
    if output.has(sp.zoo, sp.oo, sp.nan):
        raise OutsideTheoryError(f"the limit does not exist: it is infinite at {place}")
    return output


def _positive(
    equation: Equation, problem: Problem, regime: Regime, scales: Scales
) -> Iterator[Solution]:
    """The solutions at which what must be positive is so.

    Raises `OutsideTheoryError` where there is none; κ stays above its value without ridge, so that
    with more modes than features or samples this is found with endlessly many.
    """
    modes = [equation.size]
    known = [scales.growth[s] for s in problem.sizes if s != equation.size and s in scales.growth]
    sums = all(scales.value(x) > 1 for x in (a, b) if x in scales.point)
    if sums and scales.growth.get(equation.size, 0) > min(known, default=BEYOND):
        modes = [sp.oo, equation.size]
    found: Iterator[Solution] = iter(())
    for size in modes:
        own = replace(equation, size=size)
        each = (s for s in solve(own, scales) if _is_positive(s, own, problem, regime, scales))
        first = next(each, None)
        if first is None:
            raise OutsideTheoryError("no ridge above zero makes the loss stationary in this regime:"
                                     " the least loss is that at zero ridge, z = 0")  # fmt: skip
        found = chain((first,), each)
    return found


def _is_positive(
    solution: Solution, equation: Equation, problem: Problem, regime: Regime, scales: Scales
) -> bool:
    """Whether what must be positive at the solution is so, to leading order."""
    images, corners = {equation.unknown: solution.series}, {equation.unknown: solution.corner}
    values = (evaluate(regime.applied(x), images, corners) for x in problem.positive)
    return all(scales.number(value.lead()[1]) > 0 for value in values)


def _together(block: list[Equation], scales: Scales, found: Unknowns) -> None:
    """The pair whose first unknown is the largest."""
    pair = next(solve_pair(block, scales), None)
    if pair is None:
        raise OutsideTheoryError("two coupled unknowns have no solution in powers here: a balance "
                                 "of three terms, or no dominant balance")  # fmt: skip
    for equation, series, corner in zip(block, pair.series, pair.corners):
        found.images[equation.unknown], found.corners[equation.unknown] = series, corner


def _physical(
    solutions: list[Solution], equation: Equation, problem: Problem, regime: Regime, scales: Scales
) -> Solution | None:
    """The one positive solution, or of others the one that the certified numbers point to.

    Raises `OutsideTheoryError` where none is positive and the certified solution is not real, or
    is none of these: z lies on the spectrum there.
    """
    positive = [s for s in solutions if _number_of_lead(s, equation, scales) > 0]
    if not solutions or problem.source is None:
        return next(iter(positive or solutions), None)
    place = _finite_place(problem, regime, scales)
    numbers = problem.source_numbers(place)
    outside = any(x < 0 for x in numbers.values())  # where roots need not be positive
    if len(positive) == len(solutions) == 1 and not outside:
        return positive[0]
    try:
        answer = problem.source.solve({n: float(v) for n, v in numbers.items()})
    except (SolvableError, ArithmeticError, np.linalg.LinAlgError) as error:
        if positive and not outside:
            return positive[0]
        names = ", ".join(problem.source.model.fixed)
        why = f"write the expression without {names}, white" if problem.white and names else error
        raise OutsideTheoryError(f"no real solution is the physical one here: {why}") from error
    value = next(v for u, v in answer.unknowns.items() if u.name == equation.unknown.name)
    exact = complex(value)
    ratios = [complex(_leading_number(s, equation, scales, place)) / exact for s in solutions]
    distances = [abs(cmath.log(x)) for x in ratios]  # a wrong sign counts as π
    ranked = sorted(zip(distances, range(len(solutions))))
    if (outside or not positive) and ranked[0][0] > cmath.pi / 2:
        raise OutsideTheoryError(f"the physical {equation.unknown} is none of the real solutions "
                                 "in powers: it is complex here, or has no power")  # fmt: skip
    if len(ranked) > 1 and ranked[1][0] < APART * ranked[0][0]:
        return (positive or solutions)[0]
    return solutions[ranked[0][1]]


def _finite_place(problem: Problem, regime: Regime, scales: Scales) -> dict[sp.Symbol, Any]:
    """Moderate sizes of the regime, with everything that depends on them."""
    growth = {s: p for s, p in regime.growth.items() if abs(p) < BEYOND}
    most = max((abs(p) for p in growth.values()), default=1)
    place = {s: sp.Float(LARGEST) ** sp.Rational(p / most) for s, p in growth.items()}
    for symbol, p in regime.growth.items():
        if abs(p) >= BEYOND:
            place[symbol] = sp.Float(LARGEST) ** 2 if p > 0 else SMALLEST
    place |= {s: v for s, v in scales.point.items() if s not in place}
    place |= {s: v.subs(place) for s, v in regime.substitutions.items()}
    return place


def _number_of_lead(solution: Solution, equation: Equation, scales: Scales) -> sp.Expr:
    """The leading coefficient at the representative point."""
    solution.lead.settle(equation.unknown, scales)
    return scales.number(solution.series.lead()[1])


def _leading_number(
    solution: Solution, equation: Equation, scales: Scales, place: Mapping[sp.Symbol, Any]
) -> sp.Expr:
    """The first terms at moderate sizes."""
    solution.lead.settle(equation.unknown, scales)
    name = place_symbol(equation.unknown)
    here = {**place, name: scales.point[name]} if name in scales.point else place
    total = sp.S.Zero
    for _, vector, coefficient in solution.series.items[:3]:
        total += (scales.expression(coefficient) * scales.monomial(vector)).subs(here)
    return sp.N(total)


__all__ = ["Unknowns", "blocks", "exact_output", "solve_unknowns"]
