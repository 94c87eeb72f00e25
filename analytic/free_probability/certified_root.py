r"""The certified root at given numbers, and how the reduced equations are read off it.

`physical_root` finds the solution of the unreduced Dyson equation and certifies it. The reduced
unknowns are read from it and polished by Newton's method; the unknowns that were eliminated are put
back and must be the certified ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..errors import InputError, OutsideTheoryError
from .dyson import self_energy
from .followed_root import followed_root
from .physical_root import Components, PhysicalRoot, relative
from .reduced_problem import ReducedProblem, needed_unknowns, solved
from .tape import number
from .trace_values import DeterministicValues, named_numbers

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations
    from .unreduced import UnreducedEquations

TOLERANCE = 1e-9
STEPS = 30  # of Newton's method for two-point unknowns


def read_parameters(
    equations: SelfConsistentEquations | UnreducedEquations,
    given: Mapping[Any, Any],
    matrices: DeterministicValues,
) -> dict[sp.Symbol, Any]:
    """Values by symbol; names are allowed; dimensions follow from the matrices."""
    symbols = {s.name: s for s in equations.all_scalars()}
    sizes = set().union(*(sp.sympify(d).free_symbols for d in equations.model.dimensions()))
    values: dict[sp.Symbol, Any] = dict(matrices.dimensions)
    for name, value in named_numbers(given, symbols.values(), equations.model.spare).items():
        numbers = np.asarray(value, complex)
        if symbols[name] in sizes and not np.all((numbers.real > 0) & (numbers.imag == 0)):
            raise InputError(f"parameters[{name}]", value, "a size > 0")
        known = values.get(symbols[name])
        if known is not None and not np.all(np.asarray(value) == known):
            raise InputError(f"parameters[{name}]", value, f"{known}, the size of the matrices")
        values[symbols[name]] = value
    missing = [s.name for s in symbols.values() if s not in values]
    if missing:
        raise InputError("parameters", sorted(map(str, given)), "also " + ", ".join(missing))
    matrices.check_lengths(equations.model, values)
    return values


def check_roots(
    equations: SelfConsistentEquations | UnreducedEquations, given: DeterministicValues
) -> None:
    """A matrix whose square root is taken has no negative eigenvalue."""
    powers = {p for _, matrix in equations.targets for p in matrix.atoms(sp.MatPow)}
    roots = {p.base.name for p in powers if not p.exp.is_Integer and hasattr(p.base, "name")}
    for name in sorted(roots & set(equations.model.fixed)):
        smallest = given.eigenvalues[equations.model.fixed[name].eigenvalue].min(initial=0.0)
        if smallest < 0:
            raise InputError(f"matrices[{name}]", smallest, "eigenvalues ≥ 0 under a square root")


def components_at(
    equations: SelfConsistentEquations | UnreducedEquations,
    flat: dict[sp.Symbol, np.ndarray],
    given: DeterministicValues,
) -> Components:
    """The components of the pencil at flat arrays of the parameters."""
    energy, support = self_energy(equations.pencil)
    return Components(equations.pencil, energy, support, flat, given)


def physical_root(
    equations: SelfConsistentEquations,
    flat: dict[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    start: Mapping[sp.Symbol, np.ndarray] | None = None,
    quick: bool = False,
) -> tuple[Components, PhysicalRoot]:
    """The certified unknowns of the Dyson equation at flat arrays of the parameters.

    ``quick`` proposes by iteration alone.
    """
    parts = components_at(equations, flat, given)
    if equations.model.has_rotations:
        return parts, followed_root(equations, flat, given, parts.numbers.points)
    return parts, parts.solve(start, quick)


def block_unknowns(problem: ReducedProblem, unknowns: np.ndarray) -> dict[sp.Symbol, Any]:
    """The unknowns of the Dyson equation at reduced ones: kept, put back, or equal to another."""
    equations, merged = problem.equations, problem.equations.system.merged
    known = {**dict(zip(problem.unknowns, unknowns, strict=True)), **problem.eliminated(unknowns)}
    found: dict[sp.Symbol, Any] = {}
    for unknown in equations.system.unknowns:
        target = merged.get(unknown.symbol, unknown.symbol)
        value = 0.0 if target == 0 else known.get(equations.renamed(target))
        if value is not None:
            found[unknown.symbol] = value
    return found


def read_out(
    problem: ReducedProblem, parts: Components, root: PhysicalRoot
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The reduced unknowns by Newton's method from the certified root, their residual, and where
    they give the certified root back."""
    points = parts.numbers.points
    if not problem.unknowns:
        return np.zeros((0, points), complex), np.zeros(points), np.full(points, True)
    known = dict(root.unknowns)
    if not needed_unknowns(problem.equations) <= set(known):
        known = all_unknowns(parts, root)
    start = problem.start(known)
    unknowns, residual = problem.newton(start)
    good = residual < TOLERANCE
    certified = {s: root.unknowns[s] for s in problem.eliminated(start) if s in root.unknowns}
    with np.errstate(invalid="ignore"):
        for symbol, found in problem.eliminated(unknowns).items():
            if symbol in certified:
                good &= (
                    np.abs(found - certified[symbol]) <= 1e-5 * np.abs(certified[symbol]) + 1e-300
                )
        if not certified:
            good &= np.all(np.abs(unknowns - start) <= 1e-5 * np.abs(start), axis=0)
    return unknowns, residual, good


def all_unknowns(parts: Components, root: PhysicalRoot) -> dict[sp.Symbol, np.ndarray]:
    """The two-point unknowns too: linear equations, once those of the resolvents between are known.

    Newton's method for them alone, the certified ones held fixed; each step settles one more
    resolvent between.
    """
    whole = parts.whole
    symbols = [parts.symbols[key] for key in whole.keys]
    points = np.arange(parts.numbers.points)
    zero = np.zeros(len(points), complex)
    u = np.array([root.unknowns.get(s, zero) for s in symbols], complex)
    u = u.reshape(len(symbols), len(points))
    still = np.array([i for i, s in enumerate(symbols) if s not in root.unknowns], int)
    with np.errstate(all="ignore"):
        for _ in range(STEPS if len(still) else 0):
            green = whole.green(u, points)
            defect = (whole.mapped(green, points) - u)[still]
            slopes = np.eye(len(still)) - whole.jacobian(green, points, only=still)
            step = solved(slopes, defect.T[..., None])[..., 0].T
            u[still] += step
            if not np.any(relative(step, u[still]) > 1e-14):
                break
    return dict(zip(symbols, u, strict=True))


def block_value(
    equations: SelfConsistentEquations, parts: Components, root: PhysicalRoot
) -> np.ndarray:
    """The expression from the block resolvent itself."""
    return block_solution(equations, parts, root)[0]


def block_solution(
    equations: SelfConsistentEquations | UnreducedEquations, parts: Components, root: PhysicalRoot
) -> tuple[np.ndarray, dict[sp.Symbol, np.ndarray], np.ndarray]:
    """φ of the traces Tr(c G b + d) of the block resolvent, all unknowns and their residual."""
    whole = parts.whole
    known = all_unknowns(parts, root)
    points = np.arange(parts.numbers.points)
    u = np.array([known[parts.symbols[key]] for key in whole.keys], complex)
    u = u.reshape(whole.size, len(points))
    with np.errstate(all="ignore"):
        green = whole.green(u, points)
        residual = relative(whole.mapped(green, points) - u, u)
    traces = {
        slot: whole.output(green, points, o.c, o.b, o.d, o.space)
        for slot, o in zip(equations.function.slots, equations.pencil.outputs, strict=True)
    }
    value = number(equations.function.body, {**parts.numbers.values, **traces})
    value = np.array(np.broadcast_to(np.asarray(value, complex), (len(points),)))
    return value, known, np.where(np.isfinite(residual), residual, np.inf)


def resolvent_parameter(equations: SelfConsistentEquations) -> sp.Symbol:
    """The z of an expression tr (B + z)^{-1}, or `OutsideTheoryError`; B may hold c I."""
    inverses = [m for _, m in equations.targets if isinstance(m, sp.matrices.expressions.Inverse)]
    if len(equations.targets) == 1 and inverses and equations.constant == 0:
        weight, matrix = equations.targets[0]
        body = matrix.arg
        terms = body.args if isinstance(body, sp.MatAdd) else (body,)
        unit = sp.Identity(matrix.rows)
        scaled = [(t, *t.as_coeff_mmul()) for t in terms]
        shift = sp.expand(sp.Add(*(c for _, c, m in scaled if m.doit() == unit)))
        others = sp.Tuple(*(t for t, _, m in scaled if m.doit() != unit))
        found = [s for s in equations.spectral if shift.diff(s) == 1 and not others.has(s)]
        found = [s for s in found if s.name == "z"] or found
        if len(found) == 1 and sp.cancel(weight * matrix.rows - 1) == 0:
            return found[0]
    raise OutsideTheoryError(
        "a density belongs to one resolvent tr(inv(B + z*I)); this expression is not of that form"
    )
