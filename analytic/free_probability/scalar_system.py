r"""The closed scalar equations before reduction, and a numeric solution that decides branches.

    u_i = f_i(u, κ, traces),      κ_a = g_a(u),

one equation for each unknown trace u, and one for each shift κ. The system is a fixed-point map
that contracts when the spectral parameters are large, and its limit is the solution that decays
as 1/z. A *witness* is this solution, to many digits, at generic rational parameters and for a
few generic deterministic matrices: it finds which unknowns are equal, and, when an elimination
produces a product of polynomials, which of them vanishes. What it suggests is proved afterwards:
equal unknowns must satisfy identical equations, and the result is expanded against the planar
pairings.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

from .. import precision
from ..errors import OutsideTheoryError
from .declarations import MatrixModel
from .dyson import DysonSystem, Unknown
from .effort import go_on
from .spectral_trace import SpectralTrace
from .sum_inverse import SumInverse
from .sum_values import MPMATH, CompiledWord, Space
from .trace_expansion import TraceExpansion

DIGITS = 60
MODES = 3
PLAIN, DAMPED, NEWTON = 300, 300, 20  # steps of the iteration
CLOSE = mpmath.mpf(10) ** -5  # relative steps from which Newton's method is tried


@dataclass(frozen=True)
class ScalarSystem:
    """Unknowns with their equations, shifts with their definitions, outputs."""

    model: MatrixModel
    equations: dict[sp.Symbol, sp.Expr]
    unexpanded: dict[sp.Symbol, sp.Expr]
    shifts: dict[sp.Symbol, sp.Expr]
    outputs: list[sp.Expr]
    unknowns: list[Unknown]
    merged: dict[sp.Symbol, sp.Expr]

    def atoms(self) -> list[SpectralTrace]:
        """The traces that appear, in an order that does not depend on hashing."""
        return ordered_atoms([*self.equations.values(), *self.outputs])

    def scalars(self) -> list[sp.Symbol]:
        """The parameters: all symbols that are neither unknowns nor shifts."""
        inside = set(self.equations) | set(self.shifts)
        found: set[sp.Symbol] = set()
        for expression in (*self.equations.values(), *self.shifts.values(), *self.outputs):
            found |= expression.free_symbols
        return sorted(found - inside, key=sp.default_sort_key)


def ordered_atoms(expressions: Iterable[sp.Expr]) -> list[SpectralTrace]:
    """All spectral traces in some expressions, sorted."""
    found: set[SpectralTrace] = set()
    for expression in expressions:
        found |= expression.atoms(SpectralTrace)
    return sorted(found, key=sp.default_sort_key)


def scalar_system(system: DysonSystem) -> ScalarSystem:
    """Take the traces of a Dyson system."""
    expansion = TraceExpansion(system)
    equations, unexpanded, dropped = {}, {}, {}
    for unknown in system.energy.unknowns:
        value = expansion.expand(system.traced(unknown))
        if unknown.symbol in system.merged:
            dropped[unknown.symbol] = value
        else:
            equations[unknown.symbol] = value
            unexpanded[unknown.symbol] = expansion.unexpanded(system.traced(unknown))
    for symbol, right in system.energy.weights.items():
        value = right.xreplace(system.merged)
        if symbol in system.merged:
            dropped[symbol] = value
        else:
            equations[symbol] = unexpanded[symbol] = value
    outputs = [sp.Add(*map(expansion.expand, parts)) for parts in system.outputs()]
    _verify_merging(system, equations, dropped)
    definitions = expansion.table.definitions()
    needed = _needed(outputs, equations, unexpanded, definitions)
    equations = {u: e for u, e in equations.items() if u in needed}
    unexpanded = {u: e for u, e in unexpanded.items() if u in needed}
    shifts = {k: e for k, e in definitions.items() if k in needed}
    model, unknowns = system.pencil.model, system.energy.unknowns
    return ScalarSystem(model, equations, unexpanded, shifts, outputs, unknowns, system.merged)


def _needed(outputs: list[sp.Expr], *definitions: dict[sp.Symbol, sp.Expr]) -> set[sp.Symbol]:
    """The symbols that the outputs depend on, directly or through definitions."""
    found: set[sp.Symbol] = set()
    stack = [s for expression in outputs for s in expression.free_symbols]
    while stack:
        symbol = stack.pop()
        if symbol not in found:
            found.add(symbol)
            right = (d[symbol] for d in definitions if symbol in d)
            stack.extend(s for expression in right for s in expression.free_symbols)
    return found


class MergingError(Exception):
    """Two unknowns that are equal at the witness do not satisfy identical equations."""

    def __init__(self, symbols: list[sp.Symbol]) -> None:
        super().__init__(str(symbols))
        self.symbols = symbols


def _verify_merging(
    system: DysonSystem, equations: dict[sp.Symbol, sp.Expr], dropped: dict[sp.Symbol, sp.Expr]
) -> None:
    """With u_j put equal to u_i, the equation of u_j must be that of u_i, identically."""
    wrong = []
    for symbol, value in dropped.items():
        target = system.merged[symbol]
        difference = value - (equations[target] if target != 0 else 0)
        names = {atom: sp.Dummy() for atom in ordered_atoms([difference])}
        if sp.cancel(sp.together(difference.xreplace(names))) != 0:
            wrong.append(symbol)
    if wrong:
        raise MergingError(wrong)


@dataclass
class Witness:
    """Numbers for all symbols and traces at the solution that decays as 1/z.

    A deterministic matrix is held as its eigenvalues and the orthogonal bases of its family on
    spaces of each size; ``modes`` says how many modes stand for a dimension, if not `MODES`.
    """

    values: dict[sp.Symbol, Any]
    eigenvalues: dict[sp.Symbol, list[Any]]
    bases: dict[sp.Symbol, dict[int, Any]]
    modes: dict[Any, int]
    compiled: dict[SpectralTrace, Any] = field(default_factory=dict)

    def trace(self, atom: SpectralTrace) -> Any:
        """A trace: modes are weighted so that Tr 1 is the dimension."""
        if atom not in self.compiled:
            self.compiled[atom] = CompiledWord(atom, MPMATH)
        dimension = self._number(atom.dimension)
        count = self.modes.get(atom.dimension, MODES)
        space = Space(count, lambda x: self._modes(x, count), lambda x: self._vectors(x, count))
        word = self.compiled[atom]
        if len(atom.factors) == 1 and not atom.has(SumInverse):
            space = space._replace(vectors=lambda x: None)
        return word(space, self.values) * (dimension / count)

    def _modes(self, letter: sp.Symbol, count: int) -> list[Any]:
        """The eigenvalues; squared singular values are padded by zeros to the dimension."""
        given = self.eigenvalues[letter]
        return [*given[:count], *[mpmath.mpf(0)] * (count - len(given))]

    def _vectors(self, letter: sp.Symbol, count: int) -> Any:
        return self.bases[letter][count]

    def _number(self, expression: Any) -> Any:
        expression = sp.sympify(expression)
        if expression.is_number:
            return mpmath.mpf(int(expression))
        return self.values[expression]

    def at(self, expression: sp.Expr) -> Any:
        """The value of an expression."""
        atoms = ordered_atoms([expression])
        names = {atom: sp.Dummy() for atom in atoms}
        body = expression.xreplace(names)
        symbols = [s for s in self.values if s in body.free_symbols]
        function = sp.lambdify([*symbols, *names.values()], body, "mpmath", dummify=True)
        return mpmath.mpmathify(
            function(*(self.values[s] for s in symbols), *(self.trace(a) for a in atoms))
        )


def find_witness(system: ScalarSystem, spectral: Iterable[sp.Symbol], seed: int = 1) -> Witness:
    """Solve the system at generic parameters, large ``spectral`` ones, to `DIGITS` digits."""
    rng = random.Random(seed)
    with precision.workdps(DIGITS + 10):
        witness = _parameters(system, set(spectral), rng)
        for symbol in system.equations:
            witness.values[symbol] = mpmath.mpf(0)
        try:
            _iterate(system, witness)
        except ZeroDivisionError as problem:
            raise OutsideTheoryError(
                "the self-consistent equations have no solution that an iteration finds at generic "
                "parameters; put a scalar multiple z*I, z a symbol, inside every inverse"
            ) from problem
    return witness


def _number(rng: random.Random, low: int, high: int) -> Any:
    value = Fraction(rng.randrange(low * 997, high * 997), 997)
    return mpmath.mpf(value.numerator) / value.denominator


def _parameters(system: ScalarSystem, spectral: set[sp.Symbol], rng: random.Random) -> Witness:
    model = system.model
    values: dict[sp.Symbol, Any] = {}
    modes: dict[Any, int] = {}
    for record in model.fixed.values():  # these need whole dimensions
        if record.symbol.rows != record.symbol.cols:
            for dimension in record.symbol.shape:
                if dimension not in modes:
                    modes[dimension] = len(modes) + 3 if dimension.is_Symbol else int(dimension)
    values.update({d: mpmath.mpf(count) for d, count in modes.items() if d.is_Symbol})
    symbols = set(system.scalars()) | set().union(*(d.free_symbols for d in model.dimensions()))
    for symbol in sorted(symbols, key=sp.default_sort_key):
        if symbol not in values:
            values[symbol] = _number(rng, 2, 4) * (300 if symbol in spectral else 1)
    families = {
        model.family(name): {n: _orthogonal(rng, n) for n in sorted({MODES, *modes.values()})}
        for name in sorted(model.fixed)
    }
    eigenvalues, bases = {}, {}
    for name in sorted(model.fixed):
        record = model.fixed[name]
        letter, size = record.eigenvalue, modes.get(record.symbol.rows, MODES)
        count = size if record.symmetric else min(2, size, modes[record.symbol.cols])
        eigenvalues[letter] = [_number(rng, 1, 3) for _ in range(count)]
        bases[letter] = families[model.family(name)]
    return Witness(values, eigenvalues, bases, modes)


def _orthogonal(rng: random.Random, size: int) -> Any:
    """(1−S)(1+S)^{-1} for a random antisymmetric S (Cayley)."""
    s = mpmath.zeros(size)
    for i in range(size):
        for j in range(i):
            s[i, j] = _number(rng, 0, 1)
            s[j, i] = -s[i, j]
    one = mpmath.eye(size)
    return (one - s) * (one + s) ** -1


def _iterate(system: ScalarSystem, witness: Witness) -> None:
    """Iterate u ← f(u) to convergence, from u = 0, and fill in the shifts.

    Plain steps contract if spectral parameters are large. Where there is none, f may overshoot:
    half steps, and Newton's method where they are close.
    """
    right, u = _right_side(system, witness), [mpmath.mpf(0)] * len(system.unexpanded)
    target = mpmath.mpf(10) ** -DIGITS
    for count in range(PLAIN + DAMPED):
        new = right(u)
        change = max((abs(a - b) / (1 + abs(a)) for a, b in zip(new, u)), default=0)
        u = new if count < PLAIN else [(a + b) / 2 for a, b in zip(u, new)]
        if change < (target if count < PLAIN else CLOSE):
            break
    if change >= target:
        u = _newton(right, u, target)
    witness.values.update(zip(system.unexpanded, u))
    for symbol, definition in system.shifts.items():
        witness.values[symbol] = witness.at(definition)


def _right_side(system: ScalarSystem, witness: Witness) -> Callable[[list[Any]], list[Any]]:
    """u ↦ f(u) at the parameters of a witness."""
    symbols = list(system.unexpanded)
    atoms = ordered_atoms(system.unexpanded.values())
    names = {atom: sp.Dummy() for atom in atoms}
    scalars = [s for s in witness.values if s not in symbols and s not in system.shifts]
    bodies = [system.unexpanded[u].xreplace(names) for u in symbols]
    arguments = [*scalars, *symbols, *names.values()]
    update = sp.lambdify(arguments, bodies, "mpmath", dummify=True)
    fixed = [witness.values[s] for s in scalars]

    def right(u: list[Any]) -> list[Any]:
        go_on("a numerical solution at generic parameters")
        witness.values.update(zip(symbols, u))
        traces = [witness.trace(atom) for atom in atoms]
        return [mpmath.mpmathify(x) for x in update(*fixed, *u, *traces)]

    return right


def _newton(right: Callable[[list[Any]], list[Any]], u: list[Any], target: Any) -> list[Any]:
    """The solution of u = f(u) near u; slopes by differences, which half the digits suffice for."""
    count, small = len(u), mpmath.mpf(10) ** -(DIGITS // 2)
    for _ in range(NEWTON):
        new, slopes = right(u), mpmath.eye(count)
        for k in range(count):
            step = small * (1 + abs(u[k]))
            moved = right([x + step * (i == k) for i, x in enumerate(u)])
            for i in range(count):
                slopes[i, k] -= (moved[i] - new[i]) / step
        change = mpmath.lu_solve(slopes, mpmath.matrix([a - b for a, b in zip(new, u)]))
        u = [a + b for a, b in zip(u, change)]
        if max(abs(b) / (1 + abs(a)) for a, b in zip(u, change)) < target:
            return u
    raise ZeroDivisionError("Newton's method does not converge")
