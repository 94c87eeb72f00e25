r"""Numbers: the certified physical root, read out by the reduced equations.

`physical_root` finds the solution of the unreduced Dyson equation and certifies it. The reduced
equations are then solved by Newton's method from there, which costs nothing and does not cancel
where the unreduced traces do; the unknowns that were eliminated are put back and must be the
certified ones. The value is compared with that of the block resolvent, and where the two differ
(close to a factor such as 1/(P − Q) that the elimination divided by) it is found in
multi-precision, beside the singular point if need be.

With mpmath numbers among the parameters the solution is polished by Newton's method at the current
precision, with guard digits that are doubled until two evaluations agree, and rounded once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from ..errors import InputError, OutsideTheoryError, PrecisionError
from .certified_root import (
    TOLERANCE,
    all_unknowns,
    block_value,
    check_roots,
    physical_root,
    read_out,
    read_parameters,
)
from .exact_solution import arbitrated, continued_to_zero, exactly, multiprecision
from .pencil_numbers import floating
from .physical_root import Components, PhysicalRoot
from .reduced_problem import ReducedProblem
from .trace_values import DeterministicValues

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

AGREEMENT = 1e-9  # relative difference of the value from that of the block resolvent
NEAR_ZERO = (1e-6, 1e-4, 1e-8)  # spectral parameters from which 0 is approached
LARGEST_CHECK = 400_000  # numbers in the block resolvent up to which the two are compared


@dataclass(frozen=True)
class NumericalSolution:
    """The value, the unknowns, and what proves them.

    ``residual``: the relative size of one more Newton step; ``certified_by``: what shows that the
    root is the physical one; ``margin``: 1 − ρ, the least over the components of the pencil, NaN
    for rotations, where no contraction proves the root.
    """

    value: Any
    unknowns: dict[sp.Symbol, Any]
    residual: Any
    certified_by: str = ""
    margin: Any = None
    root: PhysicalRoot | None = field(default=None, repr=False)


def solve(
    equations: Any,
    parameters: Mapping[Any, Any],
    matrices: Mapping[Any, Any],
    points: Callable[..., Any] | None = None,
) -> NumericalSolution:
    """The certified physical solution of the reduced equations, and the value of the expression.

    ``parameters``: numbers or arrays (of one broadcast shape) by symbol or name; ``matrices``:
    eigenvalues or square arrays by name. mpmath numbers give mpmath numbers. ``points`` solves
    equations that are not reduced, in float64, in the place of `solve_points`.
    Errors: `InputError` for missing or odd values, `OutsideTheoryError` where no solution is
    certified as the physical one (on the spectrum or at its edge), `PrecisionError` where digits
    are lost.

    >>> from solvable.analytic.free_probability.models import expression
    >>> solution = expression("semicircle").derive().solve({"z": 3.0, "sigma": 1, "M": 100})
    >>> round(float(solution.value), 10), round((3 - 5**0.5) / 2, 10)
    (0.3819660113, 0.3819660113)
    """
    given = DeterministicValues.read(equations.model, matrices)
    check_roots(equations, given)
    values = read_parameters(equations, parameters, given)
    if any(isinstance(v, (mpmath.mpf, mpmath.mpc)) for v in values.values()):
        if points is not None:
            allowed = "float64 numbers: the equations are not reduced"
            raise InputError("parameters", "mpmath numbers", allowed)
        return _solve_exactly(equations, values, given)
    arrays = {s: floating(v) for s, v in values.items()}
    shape = np.broadcast_shapes(*(a.shape for a in arrays.values()))
    flat = {s: np.broadcast_to(a, shape).ravel() for s, a in arrays.items()}
    flat = {s: a if np.ptp(a.real) or np.ptp(a.imag) else a[:1] for s, a in flat.items()}
    count = int(np.prod(shape, dtype=int))
    root, unknowns, value, residual = (points or solve_points)(equations, flat, given)
    real = not any(np.iscomplexobj(a) and np.any(a.imag) for a in flat.values())

    def shaped(array: Any) -> Any:
        full = np.broadcast_to(array, count).reshape(shape)
        full = full.real if real and np.iscomplexobj(full) else full
        return full[()]

    names = zip(equations.unknown_symbols, unknowns, strict=True)
    found = {s: shaped(u) for s, u in names}
    margin = shaped(root.margin) if root.certificates else 1.0
    return NumericalSolution(shaped(value), found, shaped(residual), root.describe(), margin, root)


def solve_points(
    equations: SelfConsistentEquations,
    flat: dict[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    start: Mapping[sp.Symbol, np.ndarray] | None = None,
) -> tuple[PhysicalRoot, np.ndarray, np.ndarray, np.ndarray]:
    """Root, reduced unknowns, value and residual at flat arrays of the parameters."""
    parts, root = physical_root(equations, flat, given, start)
    if not root.certified.all():
        parts, root = _near_zero(equations, flat, given, parts, root)
    root.refuse()
    problem = ReducedProblem(equations, flat, given)
    if root.approach:
        zero = np.zeros(parts.numbers.points, bool)
        for s in equations.spectral:
            zero |= flat[s] == 0
        if zero.all():
            return root, *_at_zero(problem, parts, root)
        return root, *_in_two_parts(equations, flat, given, zero)
    unknowns, residual, good = read_out(problem, parts, root)
    value = problem.value(unknowns)
    suspect = ~good | _differs(equations, parts, root, given, value)
    for point in map(int, np.flatnonzero(suspect)):
        value[point], unknowns[:, point], residual[point] = arbitrated(
            equations, root, flat, given, point
        )
    return root, unknowns, value, residual


def _near_zero(
    equations: SelfConsistentEquations,
    flat: dict[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    parts: Components,
    root: PhysicalRoot,
) -> tuple[Components, PhysicalRoot]:
    """Where a spectral parameter is zero and Q singular: the root beside it, for z → 0+."""
    zeros = [s for s in equations.spectral if np.any(flat[s] == 0)]
    if not zeros:
        return parts, root
    for small in NEAR_ZERO:
        near = {s: np.where(v == 0, small, v) if s in zeros else v for s, v in flat.items()}
        beside, limit = physical_root(equations, near, given)
        if limit.certified.all():
            return beside, replace(limit, approach=f"limit {', '.join(map(str, zeros))} → 0+, ")
    return parts, root


def _in_two_parts(
    equations: SelfConsistentEquations,
    flat: dict[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    first: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unknowns, value and residual at some points and at the others, solved apart."""
    unknowns = np.zeros((len(equations.unknown_symbols), len(first)), complex)
    value, residual = np.zeros(len(first), complex), np.zeros(len(first))
    for part in (first, ~first):
        there = {s: v[part] if len(v) > 1 else v for s, v in flat.items()}
        _, unknowns[:, part], value[part], residual[part] = solve_points(equations, there, given)
    return unknowns, value, residual


def _at_zero(
    problem: ReducedProblem, parts: Components, root: PhysicalRoot
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unknowns, value and residual at z = 0 from a certified root beside it."""
    near = ReducedProblem(problem.equations, dict(parts.numbers.values), problem.given)
    beside, _, good = read_out(near, parts, root)
    unknowns, zeros = beside, [s for s in near.parameters if s in problem.equations.spectral]
    for factor in (1e-2, 1e-4, 1e-6, 0.0):
        closer = dict(near.parameters)
        for s in zeros:
            closer[s] = np.where(problem.parameters[s] == 0, factor * closer[s], closer[s])
        before, step = unknowns, ReducedProblem(problem.equations, closer, problem.given)
        unknowns, residual = step.newton(before)
        good &= np.max(np.abs(unknowns - before) / np.abs(unknowns), axis=0, initial=0) < 0.5
    value = problem.value(unknowns)
    good &= (residual < TOLERANCE) & ~np.isnan(value)

    def at_zero(point: int) -> list[sp.Symbol]:
        return [s for s in zeros if problem.parameters[s][point % len(problem.parameters[s])] == 0]

    for point in map(int, np.flatnonzero(~good)):
        with contextlib.suppress(PrecisionError):
            value[point], unknowns[:, point], residual[point] = continued_to_zero(
                problem.equations, root, parts.numbers.values, problem.given, point, at_zero(point)
            )
            good[point] = True
    if not good.all():
        raise OutsideTheoryError(
            f"Q is singular at {zeros[0]} = 0 and the reduced equations have no finite limit "
            f"there: take a small positive {zeros[0]}"
        )
    return unknowns, value, residual


def _differs(
    equations: SelfConsistentEquations,
    parts: Components,
    root: PhysicalRoot,
    given: DeterministicValues,
    value: np.ndarray,
) -> np.ndarray:
    """Where the value is not finite, or not that of the block resolvent."""
    modes = max((len(v) for v in given.eigenvalues.values()), default=1)
    work = parts.numbers.points * modes * parts.pencil.size**2
    mixed = not given.is_diagonal(list(given.eigenvalues))
    suspect, rotated = np.isnan(value), equations.model.has_rotations
    if work <= LARGEST_CHECK and not mixed and equations.read_from_blocks and not rotated:
        other = block_value(equations, parts, root)
        with np.errstate(invalid="ignore"):
            close = np.abs(value - other) <= AGREEMENT * np.abs(value)
        suspect = suspect | (~close & np.isfinite(other))
    return suspect


def _solve_exactly(
    equations: SelfConsistentEquations, values: dict[sp.Symbol, Any], given: DeterministicValues
) -> NumericalSolution:
    """Certify in float64, polish with mpmath, evaluate at the current precision."""
    flat = {s: np.atleast_1d(floating(v)) for s, v in values.items()}
    if any(v.size > 1 for v in flat.values()):
        raise InputError("parameters", "an array", "single numbers beside mpmath numbers")
    _, root = physical_root(equations, flat, given)
    root.refuse()
    numbers = {s: multiprecision(v) for s, v in values.items()}
    start = {u: r[0] for u, r in root.unknowns.items()}
    value, unknowns, residual = exactly(equations, numbers, given, start)
    by, margin = root.describe(), float(root.margin[0]) if root.certificates else 1.0
    return NumericalSolution(value, unknowns, residual, by, margin, root)


def unreduced(
    equations: SelfConsistentEquations, parameters: Mapping[Any, Any], matrices: Mapping[Any, Any]
) -> dict[sp.Symbol, complex]:
    """The trace unknowns of the unreduced system at the certified root."""
    given = DeterministicValues.read(equations.model, matrices)
    values = read_parameters(equations, parameters, given)
    flat = {s: np.atleast_1d(floating(v)) for s, v in values.items()}
    parts, root = physical_root(equations, flat, given)
    root.refuse()
    known = all_unknowns(parts, root)
    return {s: complex(known[s][0]) for s in equations.system.unexpanded}
