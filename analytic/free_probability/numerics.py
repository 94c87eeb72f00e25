r"""Numbers: the reduced equations solved by Newton's method, continued from infinity.

The solution that is a power series in 1/z is followed from z + s d, s large, to z along a
straight line, where d = ±1 for real z and ±i for complex z, so that the path stays off the real
spectrum. At the far end the unreduced equations contract and give the start; on the way each
point of an array takes its own steps: a prediction that is not confirmed by Newton's method is
retried with a smaller step. The residual is computed again at the end and returned; a residual
that is not small is an error.

With mpmath numbers among the parameters the float64 solution is polished by Newton's method at
the current precision (raised by guard digits and rounded once).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from ..errors import InputError, OutsideTheoryError, PrecisionError
from .scalar_system import ordered_atoms
from .trace_values import DeterministicValues, compile_trace, exact_trace

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

TOLERANCE = 1e-9
ON_THE_WAY = 1e-6  # relative Newton step at which a point of the path is left
MAX_STEPS = 4000


@dataclass(frozen=True)
class NumericalSolution:
    """The value, the unknowns, and the residual: the relative size of one more Newton step."""

    value: Any
    unknowns: dict[sp.Symbol, Any]
    residual: Any


class CompiledExpressions:
    """Several expressions in traces as one numpy function of all symbols."""

    def __init__(self, expressions: list[sp.Expr], given: DeterministicValues) -> None:
        self.atoms = ordered_atoms(expressions)
        self.traces = [compile_trace(atom, given) for atom in self.atoms]
        self.names = {atom: sp.Dummy() for atom in self.atoms}
        bodies = [e.xreplace(self.names) for e in expressions]
        free = set().union(*(b.free_symbols for b in bodies)) - set(self.names.values())
        self.symbols = sorted(free, key=sp.default_sort_key)
        self.function = sp.lambdify(
            [*self.symbols, *self.names.values()], bodies, "numpy", cse=True, dummify=True
        )

    def __call__(self, values: Mapping[sp.Symbol, Any], dimensions: Mapping[Any, Any]) -> list[Any]:
        traces = [trace(values, dimensions) for trace in self.traces]
        return self.function(*(values[s] for s in self.symbols), *traces)


class _Problem:
    """The relations, their Jacobian and the start, compiled for given matrices."""

    def __init__(
        self, equations: SelfConsistentEquations, parameters: dict[Any, Any], given: Any
    ) -> None:
        self.equations, self.parameters, self.given = equations, parameters, given
        self.unknowns = equations.unknown_symbols
        self.differences = [r.lhs - r.rhs for r in equations.relations]
        slopes = [d.diff(u) for d in self.differences for u in self.unknowns]
        self.relations = CompiledExpressions(self.differences + slopes, given)
        system = equations.system
        self.fixed_point = CompiledExpressions(list(system.unexpanded.values()), given)
        self.readout = CompiledExpressions([*system.shifts.values(), *system.outputs], given)

    def values(self, spectral: np.ndarray, unknowns: np.ndarray) -> dict[sp.Symbol, Any]:
        """All symbols at once; rows of ``spectral`` and ``unknowns`` are symbols."""
        values = dict(self.parameters)
        values.update(zip(self.equations.spectral, spectral, strict=True))
        values.update(zip(self.unknowns, unknowns, strict=True))
        return values

    def newton(
        self, spectral: np.ndarray, start: np.ndarray, tolerance: float = 1e-13
    ) -> tuple[np.ndarray, np.ndarray]:
        """Newton's method from ``start``: the result and which points settled."""
        unknowns, size = start.copy(), len(self.unknowns)
        settled = np.zeros(start.shape[1], bool)
        with np.errstate(all="ignore"):
            for _ in range(25):
                flat = self.relations(self.values(spectral, unknowns), self.parameters)
                rows = [np.broadcast_to(x, settled.shape) for x in flat]
                residual = np.array(rows[:size]).T[..., None]
                jacobian = np.array(rows[size:]).reshape(size, size, -1).transpose(2, 0, 1)
                step = _solved(jacobian, residual)[..., 0].T
                good = np.all(np.isfinite(step), axis=0)
                unknowns = np.where(good & ~settled, unknowns - step, unknowns)
                small = np.abs(step) <= tolerance * np.abs(unknowns) + 1e-300
                settled |= good & np.all(small, axis=0)
                if settled.all():
                    break
            near = np.abs(step) <= 1e-10 * np.abs(unknowns)
            settled |= good & np.all(near, axis=0)  # rounding keeps the last digits moving
        return unknowns, settled

    def start(self, spectral: np.ndarray) -> np.ndarray | None:
        """The unknowns where the unreduced equations contract, or None if they do not."""
        system = self.equations.system
        symbols = list(system.unexpanded)
        current = np.zeros((len(symbols), spectral.shape[1]), complex)
        values = dict(self.parameters)
        values.update(zip(self.equations.spectral, spectral, strict=True))
        with np.errstate(all="ignore"):
            for _ in range(200):
                values.update(zip(symbols, current, strict=True))
                rows = self.fixed_point(values, self.parameters)
                full = [np.broadcast_to(x, current.shape[1:]) for x in rows]
                new = np.array(full, complex).reshape(current.shape)
                if not np.all(np.isfinite(new)):
                    return None
                change = np.abs(new - current).max(initial=0)
                current = new
                if change < 1e-14 * (1 + np.abs(current).max(initial=0)):
                    break
            else:
                return None
            values.update(zip(symbols, current, strict=True))
            found = self.readout(self._with_shifts(values), self.parameters)
        return self._kept(values, found, current)

    def _with_shifts(self, values: dict[Any, Any]) -> dict[Any, Any]:
        system = self.equations.system
        for symbol, definition in system.shifts.items():
            needed = sorted(definition.free_symbols, key=sp.default_sort_key)
            function = sp.lambdify(needed, definition, "numpy", dummify=True)
            values[symbol] = function(*(values[s] for s in needed))
        return values

    def _kept(self, values: dict[Any, Any], found: list[Any], current: np.ndarray) -> np.ndarray:
        equations, system = self.equations, self.equations.system
        known = {equations.renamed(s): values[s] for s in (*system.shifts, *system.unexpanded)}
        if equations.output_symbol is not None:
            known[equations.output_symbol] = found[len(system.shifts)]
        shape = current.shape[1:]
        return np.array([np.broadcast_to(known[u], shape) for u in self.unknowns], complex)

    def residual(self, spectral: np.ndarray, unknowns: np.ndarray) -> np.ndarray:
        """The relative size of one more Newton step: the backward error of the unknowns."""
        size, shape = len(self.unknowns), unknowns.shape[1:]
        flat = self.relations(self.values(spectral, unknowns), self.parameters)
        rows = np.array([np.broadcast_to(x, shape) for x in flat])
        step = _solved(
            rows[size:].reshape(size, size, -1).transpose(2, 0, 1), rows[:size].T[..., None]
        )
        return np.max(np.abs(step[..., 0].T) / np.abs(unknowns), axis=0)


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


def _directions(spectral: np.ndarray) -> np.ndarray:
    """±1 for real z (1 for 0), ±i for complex z, so that the line avoids the spectrum."""
    real = np.where(spectral.real < 0, -1.0, 1.0)
    return np.where(spectral.imag == 0, real, 1j * np.sign(spectral.imag))


def _far(problem: _Problem, spectral: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A distance s at which the unreduced equations contract, and the unknowns there."""
    directions = _directions(spectral)
    distance = 20 * (1 + np.abs(spectral).max(initial=0))
    while distance < 1e14:
        start = problem.start(spectral + distance * directions)
        if start is not None and np.all(np.isfinite(start)):
            return np.full(spectral.shape[1], distance), start
        distance *= 30
    raise OutsideTheoryError(
        "no start: the equations do not contract for large spectral parameters"
    )


def _continued(problem: _Problem, spectral: np.ndarray) -> np.ndarray:
    """Follow the solution from infinity to the given spectral parameters."""
    directions = _directions(spectral)
    distance, unknowns = _far(problem, spectral)
    unknowns, _ = problem.newton(spectral + distance * directions, unknowns)
    before, back = unknowns.copy(), distance * 2.0
    ratio = np.full(distance.shape, 0.5)
    floor = 1e-12 * (1 + np.abs(spectral).max(axis=0, initial=0))
    for _ in range(MAX_STEPS):
        active = np.flatnonzero(distance > 0)
        if not active.size:
            return problem.newton(spectral, unknowns)[0]
        target = distance[active] * ratio[active]
        target = np.where(target < floor[active], 0.0, target)
        slope = (unknowns - before)[:, active] / (distance - back)[active]
        guess = unknowns[:, active] + slope * (target - distance[active])
        point = spectral[:, active] + target * directions[:, active]
        new, settled = problem.newton(point, guess, ON_THE_WAY)
        moved = np.abs(new - guess).max(axis=0) / np.abs(new).max(axis=0)
        accepted = settled & (moved < 0.2)
        good, bad = active[accepted], active[~accepted]
        before[:, good], back[good] = unknowns[:, good], distance[good]
        unknowns[:, good], distance[good] = new[:, accepted], target[accepted]
        ratio[good] = np.maximum(ratio[good] ** 1.5, 0.3)
        ratio[bad] = ratio[bad] ** 0.4
        if np.any(ratio > 1 - 1e-7):
            break
    raise PrecisionError(
        "continuation from infinity stalls: the parameters lie on the spectrum or at its edge; "
        "give the spectral parameter a larger imaginary part"
    )


def floating(value: Any) -> np.ndarray:
    """A number or an array as float64 or complex128: never as machine integers, which overflow."""
    array = np.asarray(value, complex)
    return array if np.iscomplexobj(value) or np.any(array.imag) else array.real


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
    """Solve the reduced equations and evaluate the expression.

    ``parameters``: numbers or arrays (of one broadcast shape) by symbol or name; ``matrices``:
    eigenvalues or square arrays by name. mpmath numbers give mpmath numbers.
    Errors: `InputError` for missing or odd values, `PrecisionError` where Newton's method fails.

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
    flat = {s: a if len(set(a.tolist())) > 1 else a[:1] for s, a in flat.items()}
    count = int(np.prod(shape, dtype=int))
    spectral = np.array(
        [np.broadcast_to(flat[s], count) for s in equations.spectral], complex
    ).reshape(len(equations.spectral), count)
    problem = _Problem(equations, flat, given)
    if problem.unknowns:
        unknowns = _continued(problem, spectral)
        residual = problem.residual(spectral, unknowns)
        if not np.all(residual < TOLERANCE):
            raise PrecisionError(f"the residual {residual.max():.1e} is not small")
    else:
        unknowns, residual = np.zeros((0, count), complex), np.zeros(count)
    with np.errstate(divide="ignore", invalid="ignore"):  # tr B^{-1} may be infinite
        everything = problem.values(spectral, unknowns)
        value = CompiledExpressions([equations.value], given)(everything, flat)[0]
    real = np.all(spectral.imag == 0) and not any(np.iscomplexobj(a) for a in flat.values())

    def shaped(array: Any) -> Any:
        full = np.broadcast_to(array, count).reshape(shape)
        full = full.real if real and np.iscomplexobj(full) else full
        return full[()]

    names = zip(problem.unknowns, unknowns, strict=True)
    return NumericalSolution(shaped(value), {s: shaped(u) for s, u in names}, shaped(residual))


def _solve_exactly(
    equations: SelfConsistentEquations, values: dict[sp.Symbol, Any], given: DeterministicValues
) -> NumericalSolution:
    """Polish the float64 solution with mpmath and evaluate at the current precision."""
    rough_values = {
        s: complex(v) if complex(v).imag else complex(v).real for s, v in values.items()
    }
    rough_values = {s: v for s, v in rough_values.items() if s not in given.dimensions}
    names = {model: given_matrix(given, record) for model, record in equations.model.fixed.items()}
    rough = solve(equations, rough_values, names)  # (B + 0)^{-1} may be infinite, κ is not
    numbers = {s: mpmath.mpmathify(v) for s, v in values.items()}
    digits = mpmath.mp.dps
    with mpmath.workdps(digits + 12):
        unknowns = list(equations.unknown_symbols)
        point = [mpmath.mpmathify(complex(rough.unknowns[u])) for u in unknowns]
        if all(abs(x.imag) == 0 for x in point):
            point = [x.real for x in point]
        differences = [r.lhs - r.rhs for r in equations.relations]
        residual = mpmath.mpf(0)
        for _ in range(12):
            numbers.update(zip(unknowns, point))
            flat = [_exact(d, numbers, given) for d in differences]
            slopes = [[_exact(d.diff(u), numbers, given) for u in unknowns] for d in differences]
            if not unknowns:
                break
            step = mpmath.lu_solve(mpmath.matrix(slopes), mpmath.matrix(flat))
            point = [x - s for x, s in zip(point, step)]
            residual = max(abs(s) / abs(x) for x, s in zip(point, step))
            if residual < mpmath.mpf(10) ** -(digits + 8):
                break
        else:
            raise PrecisionError("Newton's method does not settle at this precision")
        numbers.update(zip(unknowns, point))
        value = _exact(equations.value, numbers, given)
    return NumericalSolution(+value, {u: +x for u, x in zip(unknowns, point)}, +residual)


def given_matrix(given: DeterministicValues, record: Any) -> np.ndarray:
    """The matrix that was given, from its eigenvalues and basis."""
    values, basis = given.eigenvalues[record.eigenvalue], given.bases[record.eigenvalue]
    return values if basis is None else (basis * values) @ basis.T


def _exact(expression: sp.Expr, numbers: dict[Any, Any], given: DeterministicValues) -> Any:
    atoms = ordered_atoms([expression])
    names = {atom: sp.Dummy() for atom in atoms}
    body = expression.xreplace(names)
    symbols = [s for s in numbers if s in body.free_symbols]
    function = sp.lambdify([*symbols, *names.values()], body, "mpmath", dummify=True)
    traces = [exact_trace(atom, given, numbers) for atom in atoms]
    return mpmath.mpmathify(function(*(numbers[s] for s in symbols), *traces))


def density(
    equations: SelfConsistentEquations,
    points: Any,
    parameters: Mapping[Any, Any],
    matrices: Mapping[Any, Any],
    *,
    height: float = 1e-7,
) -> np.ndarray:
    """The spectral density of B at real ``points``, for an expression tr (B + z)^{-1}.

    ρ(x) = Im g(−x − i0)/π. The imaginary part is ``height`` times the largest |x|, and the
    density is that of the spectrum smoothed over this width. Other expressions:
    `OutsideTheoryError`.
    """
    parameter = resolvent_parameter(equations)
    x = np.asarray(points, float)
    width = height * max(float(np.abs(x).max(initial=0)), 1e-3)
    at = {**dict(parameters), parameter: -x - 1j * width}
    return np.maximum(solve(equations, at, matrices).value.imag / np.pi, 0.0)


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
        "a density belongs to a resolvent tr(inv(B + z*I)) with z nowhere else in it"
    )


def unreduced(
    equations: SelfConsistentEquations, parameters: Mapping[Any, Any], matrices: Mapping[Any, Any]
) -> dict[sp.Symbol, complex]:
    """The trace unknowns of the unreduced system, by iterating it to its fixed point.

    It contracts for spectral parameters larger than the spectrum; elsewhere `PrecisionError`.
    """
    given = DeterministicValues.read(equations.model, matrices)
    numbers = _parameters(equations, parameters, given)
    values = {s: np.atleast_1d(floating(v)) for s, v in numbers.items()}
    system = equations.system
    symbols = list(system.unexpanded)
    update = CompiledExpressions(list(system.unexpanded.values()), given)
    current = np.zeros((len(symbols), 1), complex)
    for _ in range(10_000):
        new = np.array(
            [
                np.broadcast_to(x, 1)
                for x in update({**values, **dict(zip(symbols, current))}, values)
            ]
        )
        change = np.max(np.abs(new - current) / (1 + np.abs(new)), initial=0)
        current = 0.5 * (new + current)
        if change < 1e-13:
            return {s: complex(x[0]) for s, x in zip(symbols, current)}
    raise PrecisionError("the unreduced equations do not contract at these parameters")
