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

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from .. import precision
from ..errors import InputError, OutsideTheoryError, PrecisionError
from .block_equation import floating, number
from .declarations import Internal
from .dyson import self_energy
from .physical_root import Components, PhysicalRoot, newton
from .scalar_system import ordered_atoms
from .trace_values import DeterministicValues, compile_trace, exact_trace, lambdified

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

TOLERANCE = 1e-9
AGREEMENT = 1e-9  # relative difference of the value from that of the block resolvent
NEAR_ZERO = (1e-6, 1e-4, 1e-8)  # spectral parameters from which 0 is approached
LARGEST_CHECK = 400_000  # numbers in the block resolvent up to which the two are compared


@dataclass(frozen=True)
class NumericalSolution:
    """The value, the unknowns, and what proves them.

    ``residual``: the relative size of one more Newton step; ``certified_by``: what shows that the
    root is the physical one; ``margin``: 1 − ρ, the least over the components of the pencil.
    """

    value: Any
    unknowns: dict[sp.Symbol, Any]
    residual: Any
    certified_by: str = ""
    margin: Any = None
    root: PhysicalRoot | None = field(default=None, repr=False)


class CompiledExpressions:
    """Several expressions in traces as one numpy function of all symbols."""

    def __init__(self, expressions: list[sp.Expr], given: DeterministicValues) -> None:
        self.atoms = ordered_atoms(expressions)
        self.traces = [compile_trace(atom, given) for atom in self.atoms]
        names = {atom: Internal(f"trace_{i}") for i, atom in enumerate(self.atoms)}
        bodies = tuple(e.xreplace(names) for e in expressions)
        free = set().union(*(b.free_symbols for b in bodies)) - set(names.values())
        self.symbols = sorted(free, key=sp.default_sort_key)
        self.function = lambdified((*self.symbols, *names.values()), bodies, "numpy")

    def __call__(self, values: Mapping[sp.Symbol, Any], dimensions: Mapping[Any, Any]) -> list[Any]:
        traces = [trace(values, dimensions) for trace in self.traces]
        return self.function(*(values[s] for s in self.symbols), *traces)


class _Problem:
    """The reduced relations, their Jacobian and the read-out, compiled for given matrices."""

    def __init__(
        self, equations: SelfConsistentEquations, parameters: dict[Any, Any], given: Any
    ) -> None:
        self.equations, self.parameters, self.given = equations, parameters, given
        self.unknowns = equations.unknown_symbols
        self.relations = CompiledExpressions(_relations(equations), given)

    def values(self, unknowns: np.ndarray) -> dict[sp.Symbol, Any]:
        """All symbols at once; rows of ``unknowns`` are symbols."""
        return {**self.parameters, **dict(zip(self.unknowns, unknowns, strict=True))}

    def step(self, unknowns: np.ndarray) -> np.ndarray:
        """One step of Newton's method at every point."""
        size, shape = len(self.unknowns), unknowns.shape[1:]
        flat = self.relations(self.values(unknowns), self.parameters)
        rows = np.array([np.broadcast_to(x, shape) for x in flat], complex)
        jacobian = rows[size:].reshape(size, size, -1).transpose(2, 0, 1)
        return _solved(jacobian, rows[:size].T[..., None])[..., 0].T

    def newton(self, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Newton's method from ``start``: the unknowns and the relative size of the last step."""
        unknowns = start.copy()
        residual = np.full(start.shape[1], np.inf)
        with np.errstate(all="ignore"):
            for _ in range(60):
                step = self.step(unknowns)
                size = np.max(np.abs(step) / np.maximum(np.abs(unknowns), 1e-300), axis=0)
                better = (size < 0.9 * residual) & (size > 1e-15)
                residual = np.fmin(residual, size)
                if not better.any():
                    break
                unknowns = np.where(better, unknowns - step, unknowns)
        return unknowns, residual

    def start(self, root: Mapping[sp.Symbol, np.ndarray]) -> np.ndarray:
        """The reduced unknowns at the unknowns of the Dyson equation."""
        equations, system = self.equations, self.equations.system
        values = {**self.parameters, **root}
        shifts = list(system.shifts)
        found = CompiledExpressions(list(system.shifts.values()), self.given)
        with np.errstate(all="ignore"):
            values.update(zip(shifts, found(values, self.parameters), strict=True))
            if equations.output_symbol is not None:
                output = CompiledExpressions(list(system.outputs[:1]), self.given)
                values[equations.output_symbol] = output(values, self.parameters)[0]
        known = {equations.renamed(s): v for s, v in values.items()}
        count = max((len(np.atleast_1d(v)) for v in root.values()), default=1)
        shape = (max(count, *(len(v) for v in self.parameters.values())),)
        return np.array([np.broadcast_to(known[u], shape) for u in self.unknowns], complex)

    def value(self, unknowns: np.ndarray) -> np.ndarray:
        """The expression at every point."""
        compiled = CompiledExpressions([self.equations.value], self.given)
        if not np.any(unknowns.imag) and not any(
            np.iscomplexobj(v) for v in self.parameters.values()
        ):
            unknowns = unknowns.real  # real infinities are no NaN
        with np.errstate(divide="ignore", invalid="ignore"):  # tr B^{-1} may be infinite
            value = compiled(self.values(unknowns), self.parameters)[0]
        count = max([unknowns.shape[1], *(len(v) for v in self.parameters.values())])
        return np.array(np.broadcast_to(value, (count,)), complex)

    def eliminated(self, unknowns: np.ndarray) -> dict[sp.Symbol, Any]:
        """The unknowns that were eliminated, put back."""
        definitions = self.equations.reduction.eliminated
        found = CompiledExpressions(list(definitions.values()), self.given)
        with np.errstate(all="ignore"):
            values = found(self.values(unknowns), self.parameters)
        return dict(zip(definitions, values, strict=True))


def _relations(equations: SelfConsistentEquations) -> list[sp.Expr]:
    """The differences of the relations and their derivatives by the unknowns."""
    key = ("slopes", equations.relations)
    if key not in equations.memory:
        differences = [r.lhs - r.rhs for r in equations.relations]
        slopes = [d.diff(u) for d in differences for u in equations.unknown_symbols]
        equations.memory[key] = differences + slopes
    return equations.memory[key]


def _solved(jacobian: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """J^{-1} r for each point; a singular one gives NaN."""
    try:
        return np.linalg.solve(jacobian, residual)
    except np.linalg.LinAlgError:
        result = np.full(residual.shape, np.nan, complex)
        for p in range(len(jacobian)):
            if np.linalg.cond(jacobian[p]) < 1e15:
                result[p] = np.linalg.solve(jacobian[p], residual[p])
        return result


def _parameters(
    equations: SelfConsistentEquations, given: Mapping[Any, Any], matrices: DeterministicValues
) -> dict[sp.Symbol, Any]:
    """Values by symbol; names are allowed; dimensions follow from the matrices."""
    symbols = {s.name: s for s in equations.all_scalars()}
    values: dict[sp.Symbol, Any] = dict(matrices.dimensions)
    for key, value in given.items():
        name = getattr(key, "name", key)
        if name not in symbols:
            raise InputError("parameters", name, "one of " + ", ".join(symbols))
        if not np.all(np.isfinite(np.asarray(value, complex))):
            raise InputError(f"parameters[{name}]", value, "finite numbers")
        known = values.get(symbols[name])
        if known is not None and not np.all(np.asarray(value) == known):
            raise InputError(f"parameters[{name}]", value, f"{known}, the size of the matrices")
        values[symbols[name]] = value
    missing = [s.name for s in symbols.values() if s not in values]
    if missing:
        raise InputError("parameters", sorted(map(str, given)), "also " + ", ".join(missing))
    return values


def _check_roots(equations: SelfConsistentEquations, given: DeterministicValues) -> None:
    """A matrix whose square root is taken has no negative eigenvalue."""
    powers = {p for _, matrix in equations.targets for p in matrix.atoms(sp.MatPow)}
    roots = {p.base.name for p in powers if not p.exp.is_Integer and hasattr(p.base, "name")}
    for name in sorted(roots & set(equations.model.fixed)):
        smallest = given.eigenvalues[equations.model.fixed[name].eigenvalue].min(initial=0.0)
        if smallest < 0:
            raise InputError(f"matrices[{name}]", smallest, "eigenvalues ≥ 0 under a square root")


def solve(
    equations: SelfConsistentEquations, parameters: Mapping[Any, Any], matrices: Mapping[Any, Any]
) -> NumericalSolution:
    """The certified physical solution of the reduced equations, and the value of the expression.

    ``parameters``: numbers or arrays (of one broadcast shape) by symbol or name; ``matrices``:
    eigenvalues or square arrays by name. mpmath numbers give mpmath numbers.
    Errors: `InputError` for missing or odd values, `OutsideTheoryError` where no solution is
    certified as the physical one (on the spectrum or at its edge), `PrecisionError` where digits
    are lost.

    >>> from solvable.analytic.free_probability.models import expression
    >>> solution = expression("semicircle").derive().solve({"z": 3.0, "sigma": 1, "M": 100})
    >>> round(float(solution.value), 10), round((3 - 5**0.5) / 2, 10)
    (0.3819660113, 0.3819660113)
    """
    given = DeterministicValues.read(equations.model, matrices)
    _check_roots(equations, given)
    values = _parameters(equations, parameters, given)
    if any(isinstance(v, (mpmath.mpf, mpmath.mpc)) for v in values.values()):
        return _solve_exactly(equations, values, given)
    arrays = {s: floating(v) for s, v in values.items()}
    shape = np.broadcast_shapes(*(a.shape for a in arrays.values()))
    flat = {s: np.broadcast_to(a, shape).ravel() for s, a in arrays.items()}
    flat = {s: a if np.ptp(a.real) or np.ptp(a.imag) else a[:1] for s, a in flat.items()}
    count = int(np.prod(shape, dtype=int))
    root, unknowns, value, residual = solve_points(equations, flat, given)
    real = not any(np.iscomplexobj(a) and np.any(a.imag) for a in flat.values())

    def shaped(array: Any) -> Any:
        full = np.broadcast_to(array, count).reshape(shape)
        full = full.real if real and np.iscomplexobj(full) else full
        return full[()]

    names = zip(equations.unknown_symbols, unknowns, strict=True)
    found = {s: shaped(u) for s, u in names}
    margin = shaped(root.margin) if root.certificates else 1.0
    return NumericalSolution(shaped(value), found, shaped(residual), root.describe(), margin, root)


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
    if "energy" not in equations.memory:
        equations.memory["energy"] = self_energy(equations.pencil)
    energy, support = equations.memory["energy"]
    parts = Components(equations.pencil, energy, support, flat, given)
    return parts, parts.solve(start, quick)


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
    problem = _Problem(equations, flat, given)
    if root.approach:
        return root, *_at_zero(problem, parts, root)
    unknowns, residual, good = _read_out(problem, parts, root)
    value = problem.value(unknowns)
    suspect = ~good | _differs(equations, parts, root, given, value)
    for point in map(int, np.flatnonzero(suspect)):
        value[point], unknowns[:, point], residual[point] = _arbitrated(
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


def _at_zero(
    problem: _Problem, parts: Components, root: PhysicalRoot
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unknowns, value and residual at z = 0 from a certified root beside it."""
    near = _Problem(problem.equations, dict(parts.numbers.values), problem.given)
    beside, _, good = _read_out(near, parts, root)
    unknowns, zeros = beside, [s for s in near.parameters if s in problem.equations.spectral]
    for factor in (1e-2, 1e-4, 1e-6, 0.0):
        closer = dict(near.parameters)
        for s in zeros:
            closer[s] = np.where(problem.parameters[s] == 0, factor * closer[s], closer[s])
        before, step = unknowns, _Problem(problem.equations, closer, problem.given)
        unknowns, residual = step.newton(before)
        good &= np.max(np.abs(unknowns - before) / np.abs(unknowns), axis=0, initial=0) < 0.5
    value = problem.value(unknowns)
    if not np.all(good & (residual < TOLERANCE) & ~np.isnan(value)):
        raise OutsideTheoryError(
            "Q is singular at z = 0 and the reduced equations have no finite limit there: "
            "take a small positive spectral parameter"
        )
    return unknowns, value, residual


def _read_out(
    problem: _Problem, parts: Components, root: PhysicalRoot
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The reduced unknowns by Newton's method from the certified root, their residual, and where
    they give the certified root back."""
    points = parts.numbers.points
    if not problem.unknowns:
        return np.zeros((0, points), complex), np.zeros(points), np.full(points, True)
    known = dict(root.unknowns)
    if not needed_unknowns(problem.equations) <= set(known):
        known = _all_unknowns(parts, root)
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


def needed_unknowns(equations: SelfConsistentEquations) -> set[sp.Symbol]:
    """The unknowns of the Dyson equation that the reduced ones are read from."""
    system = equations.system
    definitions = list(system.shifts.values())
    if equations.output_symbol is not None:
        definitions += system.outputs[:1]
    inside = set().union(*(d.free_symbols for d in definitions))
    back = {new: old for old, new in equations.reduction.renamed.items()}
    inside |= {back.get(u, u) for u in equations.unknown_symbols}
    return inside & set(system.equations)


def _all_unknowns(parts: Components, root: PhysicalRoot) -> dict[sp.Symbol, np.ndarray]:
    """The two-point unknowns too, which are linear in one another once the others are known."""
    whole = parts.whole()
    symbols = [parts.symbols[key] for key in whole.keys]
    points = np.arange(parts.numbers.points)
    zero = np.zeros(len(points), complex)
    u = np.array([root.unknowns.get(s, zero) for s in symbols], complex)
    u = newton(whole, u, points, 1.0, 12)
    return dict(zip(symbols, u, strict=True))


def block_value(
    equations: SelfConsistentEquations, parts: Components, root: PhysicalRoot
) -> np.ndarray:
    """The expression from the block resolvent itself: φ of the traces Tr(c G b + d)."""
    whole = parts.whole()
    known = _all_unknowns(parts, root)
    points = np.arange(parts.numbers.points)
    u = np.array([known[parts.symbols[key]] for key in whole.keys], complex)
    green = whole.green(u.reshape(whole.size, len(points)), points)
    traces = {
        slot: whole.output(green, points, o.c, o.b, o.d, o.space)
        for slot, o in zip(equations.function.slots, equations.pencil.outputs, strict=True)
    }
    value = number(equations.function.body, {**parts.numbers.values, **traces})
    return np.broadcast_to(np.asarray(value, complex), (len(points),))


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
    suspect = np.isnan(value)
    if work <= LARGEST_CHECK and not mixed:
        other = block_value(equations, parts, root)
        with np.errstate(invalid="ignore"):
            close = np.abs(value - other) <= AGREEMENT * np.abs(value)
        suspect = suspect | (~close & np.isfinite(other))
    return suspect


def _arbitrated(
    equations: SelfConsistentEquations,
    root: PhysicalRoot,
    flat: dict[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    point: int,
) -> tuple[complex, np.ndarray, float]:
    """Value, unknowns and residual of one point by multi-precision, from the certified root."""
    numbers = {s: mpmath.mpmathify(complex(v[point if len(v) > 1 else 0])) for s, v in flat.items()}
    numbers = {s: v.real if v.imag == 0 else v for s, v in numbers.items()}
    start = {u: r[point if len(r) > 1 else 0] for u, r in root.unknowns.items()}
    with precision.workdps(17):
        value, unknowns, residual = _exactly(equations, numbers, given, start)
    rounded = [complex(unknowns[u]) for u in equations.unknown_symbols]
    return complex(value), np.array(rounded, complex), float(residual)


def _solve_exactly(
    equations: SelfConsistentEquations, values: dict[sp.Symbol, Any], given: DeterministicValues
) -> NumericalSolution:
    """Certify in float64, polish with mpmath, evaluate at the current precision."""
    flat = {s: np.atleast_1d(floating(v)) for s, v in values.items()}
    if any(v.size > 1 for v in flat.values()):
        raise InputError("parameters", "an array", "single numbers beside mpmath numbers")
    _, root = physical_root(equations, flat, given)
    root.refuse()
    numbers = {s: exact_number(v) for s, v in values.items()}
    start = {u: r[0] for u, r in root.unknowns.items()}
    value, unknowns, residual = _exactly(equations, numbers, given, start)
    by, margin = root.describe(), float(root.margin[0]) if root.certificates else 1.0
    return NumericalSolution(value, unknowns, residual, by, margin, root)


def exact_number(value: Any) -> Any:
    """Any number as an mpmath number: integers and fractions exactly."""
    if isinstance(value, (np.integer, np.floating, np.complexfloating)):
        value = value.item()
    value = sp.Rational(value) if isinstance(value, numbers.Rational) else value
    if isinstance(value, sp.Rational):
        return mpmath.mpf(int(value.p)) / int(value.q)
    if isinstance(value, sp.Expr):
        return mpmath.mpmathify(value.evalf(mpmath.mp.dps + 5))
    return mpmath.mpmathify(value)


def _exactly(
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
    for guard in (12, 25, 50, 100, 200):
        with precision.workdps(digits + guard):
            found = _polished(equations, numbers, given, root)
            if found is None:
                found = _beside(equations, numbers, given, root, digits)
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
        raise PrecisionError("the value keeps changing with the precision")
    return +value, {u: +x for u, x in unknowns.items()}, +residual


def _beside(
    equations: SelfConsistentEquations,
    numbers: dict[sp.Symbol, Any],
    given: DeterministicValues,
    root: Mapping[sp.Symbol, Any],
    digits: int,
) -> Any:
    """The mean over two points at ±δ, in three times the digits."""
    free = [s for s in sorted(numbers, key=str) if s not in given.dimensions]
    with precision.workdps(4 * mpmath.mp.dps):
        delta = mpmath.mpf(10) ** (-(digits + 10))
        pair = []
        for sign in (1, -1):
            near = dict(numbers)
            for index, symbol in enumerate(free):
                near[symbol] = numbers[symbol] * (1 + sign * delta * mpmath.sqrt(index + 2))
            found = _polished(equations, near, given, root)
            if found is None:
                return None
            pair.append(found)
        first, second = pair
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
    problem = _Problem(equations, flat, given)
    residual = mpmath.mpf(0)
    if unknowns:
        known = {u: np.atleast_1d(np.asarray(x, complex)) for u, x in root.items()}
        if not needed_unknowns(equations) <= set(known):
            parts, certified = physical_root(equations, flat, given, known)
            known = _all_unknowns(parts, certified)
        start = problem.start(known)
        rough, settled = problem.newton(start)
        if not settled[0] < 1e-4:
            rough = start
        point = [mpmath.mpmathify(complex(x[0])) for x in rough]
        if not any(isinstance(v, mpmath.mpc) for v in numbers.values()):
            point = [x.real for x in point]
    try:
        if unknowns:
            numbers, residual = _newton_exactly(equations, numbers, given, point)
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
    point: list[Any],
) -> tuple[dict[sp.Symbol, Any], Any]:
    unknowns, flat = list(equations.unknown_symbols), _relations(equations)
    size, target = len(unknowns), mpmath.mpf(10) ** (5 - mpmath.mp.dps)
    residual = mpmath.mpf(1)
    for _ in range(14):
        numbers.update(zip(unknowns, point))
        rows = [exact_value(e, numbers, given) for e in flat]
        slopes = mpmath.matrix(
            [[rows[size + i * size + j] for j in range(size)] for i in range(size)]
        )
        step = mpmath.lu_solve(slopes, mpmath.matrix(rows[:size]))
        residual = max(abs(s) / abs(x) for x, s in zip(point, step))
        if residual < target:
            break
        point = [x - s for x, s in zip(point, step)]
    if residual > mpmath.mpf(10) ** (-mpmath.mp.dps / 2):
        raise PrecisionError("Newton's method does not settle at this precision")
    return numbers, residual


def exact_value(expression: sp.Expr, numbers: dict[Any, Any], given: DeterministicValues) -> Any:
    """An expression in traces at mpmath numbers."""
    atoms = ordered_atoms([expression])
    names = {atom: Internal(f"trace_{i}") for i, atom in enumerate(atoms)}
    body = expression.xreplace(names)
    symbols = [s for s in numbers if s in body.free_symbols]
    function = lambdified((*symbols, *names.values()), body, "mpmath")
    traces = [exact_trace(atom, given, numbers) for atom in atoms]
    return mpmath.mpmathify(function(*(numbers[s] for s in symbols), *traces))


def resolvent_parameter(equations: SelfConsistentEquations) -> sp.Symbol:
    """The z of an expression tr (B + z)^{-1}, or `OutsideTheoryError`."""
    inverses = [m for _, m in equations.targets if isinstance(m, sp.matrices.expressions.Inverse)]
    if len(equations.targets) == 1 and inverses and len(equations.spectral) == 1:
        weight, matrix = equations.targets[0]
        symbol = equations.spectral[0]
        body = matrix.arg
        terms = body.args if isinstance(body, sp.MatAdd) else (body,)
        shift = [t for t in terms if t.has(symbol)]
        unit = shift == [symbol * sp.Identity(matrix.rows)]
        if unit and sp.cancel(weight * matrix.rows - 1) == 0 and equations.constant == 0:
            return symbol
    raise OutsideTheoryError(
        "a density belongs to one resolvent tr(inv(B + z*I)); this expression is not of that form"
    )


def unreduced(
    equations: SelfConsistentEquations, parameters: Mapping[Any, Any], matrices: Mapping[Any, Any]
) -> dict[sp.Symbol, complex]:
    """The trace unknowns of the unreduced system at the certified root."""
    given = DeterministicValues.read(equations.model, matrices)
    values = _parameters(equations, parameters, given)
    flat = {s: np.atleast_1d(floating(v)) for s, v in values.items()}
    parts, root = physical_root(equations, flat, given)
    root.refuse()
    known = _all_unknowns(parts, root)
    return {s: complex(known[s][0]) for s in equations.system.unexpanded}
