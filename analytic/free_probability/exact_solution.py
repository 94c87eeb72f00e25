r"""Multi-precision: from a certified float64 root to any number of digits.

The reduced equations are polished by Newton's method at the current precision with guard digits,
which are doubled until two evaluations agree; the result is rounded once. Where a formula is 0/0,
close to a factor such as 1/(P − Q) that the elimination divided by, it is the mean of two points
beside it, which is exact to the square of their distance.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from .. import precision
from ..errors import PrecisionError
from .certified_root import all_unknowns, physical_root
from .physical_root import PhysicalRoot
from .reduced_problem import ReducedProblem, needed_unknowns, relations_tape
from .tape import Tape
from .trace_values import DeterministicValues, exact_trace

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

AGREED = 1e-13  # relative difference of two extrapolations to z = 0


def arbitrated(
    equations: SelfConsistentEquations,
    root: PhysicalRoot,
    flat: dict[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    point: int,
) -> tuple[complex, np.ndarray, float]:
    """Value, unknowns and residual of one point by multi-precision, from the certified root."""
    numbers, start = _at_point(root, flat, point)
    with precision.workdps(17):
        value, unknowns, residual = exactly(equations, numbers, given, start)
    rounded = [complex(unknowns[u]) for u in equations.unknown_symbols]
    return complex(value), np.array(rounded, complex), float(residual)


def continued_to_zero(
    equations: SelfConsistentEquations,
    root: PhysicalRoot,
    flat: dict[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    point: int,
    zeros: list[sp.Symbol],
) -> tuple[complex, np.ndarray, float]:
    """Value, unknowns and residual at z = 0 from a certified root beside it, at z = ε.

    The polynomials through ε, …, 4ε and 5ε agree at 0 if the value is analytic there; unknowns
    that are not are infinite. `PrecisionError` if the value is not.
    """
    numbers, start = _at_point(root, flat, point)
    rows = []
    for k in range(1, 6):
        near = {**numbers, **{s: k * numbers[s] for s in zeros}}
        with precision.workdps(30):
            value, unknowns, residual = exactly(equations, near, given, start)
            rows.append([value, *(unknowns[u] for u in equations.unknown_symbols)])
    with precision.workdps(30):
        short, long = (
            [sum((-1) ** k * math.comb(n, k + 1) * x for k, x in enumerate(column[:n])) for column
             in zip(*rows)] for n in (4, 5)
        )  # fmt: skip
        settled = [abs(x - y) <= AGREED * abs(y) for x, y in zip(short, long)]
    if not settled[0]:
        raise PrecisionError("the value is not analytic at z = 0")
    found = [complex(x) if good else complex(np.inf) for x, good in zip(long, settled)]
    return found[0], np.array(found[1:], complex), float(residual)


def _at_point(
    root: PhysicalRoot, flat: dict[sp.Symbol, np.ndarray], point: int
) -> tuple[dict[sp.Symbol, Any], dict[sp.Symbol, Any]]:
    """The parameters as mpmath numbers and the certified unknowns of one point."""
    numbers = {s: mpmath.mpmathify(complex(v[point if len(v) > 1 else 0])) for s, v in flat.items()}
    numbers = {s: v.real if v.imag == 0 else v for s, v in numbers.items()}
    return numbers, {u: r[point if len(r) > 1 else 0] for u, r in root.unknowns.items()}


def multiprecision(value: Any) -> Any:
    """Any number as an mpmath number: integers and fractions exactly."""
    if isinstance(value, (np.integer, np.floating, np.complexfloating)):
        value = value.item()
    value = sp.Rational(value) if isinstance(value, numbers.Rational) else value
    if isinstance(value, sp.Rational):
        return mpmath.mpf(int(value.p)) / int(value.q)
    if isinstance(value, sp.Expr):
        return mpmath.mpmathify(value.evalf(mpmath.mp.dps + 5))
    return mpmath.mpmathify(value)


def exactly(
    equations: SelfConsistentEquations,
    numbers: dict[sp.Symbol, Any],
    given: DeterministicValues,
    root: Mapping[sp.Symbol, Any],
) -> tuple[Any, dict[sp.Symbol, Any], Any]:
    """Value, unknowns and residual at the current precision, from a certified float64 root.

    Evaluated with growing guard digits until two evaluations agree; where the formula is 0/0, as
    the mean of two points beside it, which is exact to the square of their distance.
    """
    digits = mpmath.mp.dps
    before = None
    problem = PrecisionError("the value keeps changing with the precision")
    for guard in (12, 25, 50, 100, 200):
        with precision.workdps(digits + guard):
            try:
                found = _polished(equations, numbers, given, root)
                if found is None:
                    found = _beside(equations, numbers, given, root, digits)
            except PrecisionError as error:  # with more guard digits, perhaps
                found, problem = None, error
        if before is not None and found is not None:
            with precision.workdps(digits + 5):
                change = abs(found[0] - before[0])
                if change <= abs(found[0]) * mpmath.mpf(10) ** (-digits):
                    value, unknowns, residual = found
                    break
                if found[0] == before[0] or mpmath.isinf(found[0]):
                    value, unknowns, residual = found
                    break
        before = found
    else:
        raise problem
    return +value, {u: +x for u, x in unknowns.items()}, +residual


def _beside(
    equations: SelfConsistentEquations,
    numbers: dict[sp.Symbol, Any],
    given: DeterministicValues,
    root: Mapping[sp.Symbol, Any],
    digits: int,
) -> Any:
    """The mean over two points at ±δ, in three times the digits; None if they do not agree."""
    free = [s for s in sorted(numbers, key=str) if s not in given.dimensions]
    with precision.workdps(4 * mpmath.mp.dps):
        delta = mpmath.mpf(10) ** (-(digits + 10))
        pair = []
        for sign in (1, -1):
            near = dict(numbers)
            for index, symbol in enumerate(free):
                step = sign * delta * mpmath.sqrt(index + 2)
                near[symbol] = numbers[symbol] * (1 + step) or step
            found = _polished(equations, near, given, root)
            if found is None:
                return None
            pair.append(found)
        first, second = pair
        if abs(first[0] - second[0]) > mpmath.sqrt(delta) * abs(first[0]):
            return None
        unknowns = {u: (x + second[1][u]) / 2 for u, x in first[1].items()}
        return (first[0] + second[0]) / 2, unknowns, max(first[2], second[2])


def _polished(
    equations: SelfConsistentEquations,
    numbers: dict[sp.Symbol, Any],
    given: DeterministicValues,
    root: Mapping[sp.Symbol, Any],
) -> Any:
    """Newton's method for the reduced equations; None where the value is 0/0."""
    numbers, unknowns = dict(numbers), list(equations.unknown_symbols)
    flat = {s: np.array([complex(v)]) for s, v in numbers.items()}
    problem = ReducedProblem(equations, flat, given)
    residual = mpmath.mpf(0)
    if unknowns:
        known = {u: np.atleast_1d(np.asarray(x, complex)) for u, x in root.items()}
        if not needed_unknowns(equations) <= set(known):
            parts, certified = physical_root(equations, flat, given, known)
            known = all_unknowns(parts, certified)
        start = problem.start(known)  # certified, where it is a block; Newton's own may be nearer
        rough, settled = problem.newton(start)
        points = [start, rough] if settled[0] < 1e-4 else [start]
    try:
        if unknowns:
            numbers, residual = _newton_exactly(equations, numbers, given, points)
        value = exact_value(equations.value, numbers, given)
    except ZeroDivisionError:
        return None
    if mpmath.isnan(value):
        return None
    return value, {u: numbers[u] for u in unknowns}, residual


def _newton_exactly(
    equations: SelfConsistentEquations,
    numbers: dict[sp.Symbol, Any],
    given: DeterministicValues,
    starts: list[np.ndarray],
) -> tuple[dict[sp.Symbol, Any], Any]:
    """The unknowns among the numbers, from the first start that leads to a root."""
    unknowns, tape = list(equations.unknown_symbols), relations_tape(equations)
    target = mpmath.mpf(10) ** (5 - mpmath.mp.dps)
    is_real = not any(isinstance(v, mpmath.mpc) for v in numbers.values())
    for start in starts:
        point = [mpmath.mpmathify(complex(x[0])) for x in start]
        if is_real:
            point = [x.real for x in point]
        for _ in range(14):
            numbers.update(zip(unknowns, point))
            traces = {atom: exact_trace(atom, given, numbers) for atom in tape.slope_traces}
            defects, slopes = tape.gradient(numbers, traces, exact=True)
            step = mpmath.lu_solve(mpmath.matrix(slopes), mpmath.matrix(defects))
            residual = max(abs(s) / abs(x) for x, s in zip(point, step))
            if residual < target:
                return numbers, residual
            point = [x - s for x, s in zip(point, step)]
        if residual <= mpmath.mpf(10) ** (-mpmath.mp.dps / 2):
            return numbers, residual
    raise PrecisionError("Newton's method does not settle at this precision")


def exact_value(expression: sp.Expr, numbers: dict[Any, Any], given: DeterministicValues) -> Any:
    """An expression in traces at mpmath numbers."""
    tape = Tape([expression])
    traces = {atom: exact_trace(atom, given, numbers) for atom in tape.traces}
    return mpmath.mpmathify(tape.exactly(numbers, traces)[0])
