r"""The reduced equations in numbers: Newton's method, the read-out of the value, what was put in.

The relations are written on a tape (`tape`), which gives their values and their Jacobian at many
points at once; nothing is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from .tape import Tape
from .trace_values import DeterministicValues, compile_sums, compile_trace, is_sum_over_modes

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

Root = Mapping[sp.Symbol, np.ndarray]


def tape_of(equations: SelfConsistentEquations, name: Any, expressions: Iterable[sp.Expr]) -> Tape:
    """A tape of formulas of some equations, remembered by a name."""
    key = ("tape", name, *expressions)
    if key not in equations.memory:
        equations.memory[key] = Tape(key[2:])
    return equations.memory[key]  # type: ignore[no-any-return]


def relations_tape(equations: SelfConsistentEquations) -> Tape:
    """The differences of both sides of the relations, with derivatives by the unknowns."""
    key = ("relations", *equations.relations)
    if key not in equations.memory:
        differences = [r.lhs - r.rhs for r in equations.relations]
        equations.memory[key] = Tape(differences, equations.unknown_symbols)
    return equations.memory[key]  # type: ignore[no-any-return]


class ReducedProblem:
    """The reduced equations at arrays of the parameters and given matrices."""

    def __init__(
        self,
        equations: SelfConsistentEquations,
        parameters: Mapping[sp.Symbol, Any],
        given: DeterministicValues,
    ) -> None:
        self.equations, self.parameters, self.given = equations, parameters, given
        self.unknowns = equations.unknown_symbols
        self.tape = relations_tape(equations)

    def traces(self, atoms: Iterable[Any], values: Mapping[Any, Any]) -> dict[Any, Any]:
        """Traces at arrays of their symbols."""
        known, found = self.given.compiled, {}
        groups: dict[Any, list[Any]] = {}
        for atom in atoms:
            if is_sum_over_modes(atom, self.given):
                groups.setdefault((atom.dimension, tuple(atom.letters)), []).append(atom)
            else:
                if atom not in known:
                    known[atom] = compile_trace(atom, self.given)
                found[atom] = known[atom](values, self.parameters)
        for group in map(tuple, groups.values()):
            if group not in known:
                known[group] = compile_sums(group, self.given)
            found.update(zip(group, known[group](values, self.parameters), strict=True))
        return found

    def evaluated(
        self, name: Any, expressions: Iterable[sp.Expr], values: Mapping[Any, Any]
    ) -> list[Any]:
        """Formulas at these numbers."""
        tape = tape_of(self.equations, name, expressions)
        return tape.run(values, self.traces(tape.traces, values))

    def values(self, unknowns: np.ndarray, at: np.ndarray | None = None) -> dict[sp.Symbol, Any]:
        """All symbols at all points or some; rows of ``unknowns`` are symbols."""
        known = dict(self.parameters)
        if at is not None:
            known = {s: v[at] if len(v) > 1 else v for s, v in known.items()}
        return {**known, **dict(zip(self.unknowns, unknowns, strict=True))}

    def step(self, unknowns: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
        """One step of Newton's method at every point."""
        values, count = self.values(unknowns, at), unknowns.shape[1]
        found, slopes = self.tape.gradient(values, self.traces(self.tape.slope_traces, values))
        right = np.array([np.broadcast_to(x, count) for x in found], complex)
        if len(self.unknowns) == 1:
            return right / np.broadcast_to(slopes[0][0], count)
        rows = [[np.broadcast_to(x, count) for x in row] for row in slopes]
        jacobian = np.array(rows, complex).transpose(2, 0, 1)
        return solved(jacobian, right.T[..., None])[..., 0].T

    def newton(
        self, start: np.ndarray, steps: int = 60, enough: float = 1e-15
    ) -> tuple[np.ndarray, np.ndarray]:
        """Newton's method from ``start``: the unknowns and the relative size of the last step.

        A point is left when its step was below ``enough`` or shrinks no more.
        """
        unknowns = start.copy()
        residual = np.full(start.shape[1], np.inf)
        going = np.arange(start.shape[1])
        with np.errstate(all="ignore"):
            for _ in range(steps):
                at = None if len(going) == start.shape[1] else going
                step = self.step(unknowns[:, going], at)
                size = np.max(np.abs(step) / np.maximum(np.abs(unknowns[:, going]), 1e-300), axis=0)
                better = size < 0.9 * residual[going]
                residual[going] = np.fmin(residual[going], size)
                unknowns[:, going[better]] -= step[:, better]
                going = going[better & (size > enough)]
                if not going.size:
                    break
        return unknowns, residual

    def start(self, root: Root) -> np.ndarray:
        """The reduced unknowns at the unknowns of the Dyson equation."""
        equations, system = self.equations, self.equations.system
        values = {**self.parameters, **root}
        with np.errstate(all="ignore"):
            shifts = self.evaluated("shifts", system.shifts.values(), values)
            values.update(zip(system.shifts, shifts, strict=True))
            if equations.output_symbol is not None:
                (output,) = self.evaluated("output", system.outputs[:1], values)
                values[equations.output_symbol] = output
        known = {equations.renamed(s): v for s, v in values.items()}
        count = max((len(np.atleast_1d(v)) for v in root.values()), default=1)
        shape = (max(count, *(len(v) for v in self.parameters.values())),)
        return np.array([np.broadcast_to(known[u], shape) for u in self.unknowns], complex)

    def value(self, unknowns: np.ndarray) -> np.ndarray:
        """The expression at every point."""
        if not np.any(unknowns.imag) and not any(
            np.iscomplexobj(v) for v in self.parameters.values()
        ):
            unknowns = unknowns.real  # real infinities are no NaN
        with np.errstate(divide="ignore", invalid="ignore"):  # tr B^{-1} may be infinite
            (value,) = self.evaluated("value", [self.equations.value], self.values(unknowns))
        count = max([unknowns.shape[1], *(len(v) for v in self.parameters.values())])
        return np.array(np.broadcast_to(value, (count,)), complex)

    def eliminated(self, unknowns: np.ndarray) -> dict[sp.Symbol, Any]:
        """The unknowns that were eliminated, put back."""
        definitions = self.equations.reduction.eliminated
        with np.errstate(all="ignore"):
            values = self.evaluated("put back", definitions.values(), self.values(unknowns))
        return dict(zip(definitions, values, strict=True))


def solved(jacobian: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """J^{-1} r for each point; a singular one gives NaN."""
    try:
        return np.linalg.solve(jacobian, residual)
    except np.linalg.LinAlgError:
        result = np.full(residual.shape, np.nan, complex)
        for p in range(len(jacobian)):
            if np.linalg.cond(jacobian[p]) < 1e15:
                result[p] = np.linalg.solve(jacobian[p], residual[p])
        return result


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
