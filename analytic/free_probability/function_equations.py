r"""Traces of functions of random matrices: tr log E, tr E^a, tr A exp(E), and φ of several traces.

A trace of a product that holds one function f(E) is an integral over the derived trace with the
resolvent in its place,

    Tr A f(E) B = ∫ w_f(t) Tr A (E + t)^{-1} B dt,

with the kernels of `stieltjes`; log det of a polynomial has a closed form (`log_determinant`). What
is derived are the equations of the resolvent; every node of the integral is a certified solution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions import MatrixSymbol, Trace

from ..errors import OutsideTheoryError
from ..typesetting import aligned
from .declarations import Internal, MatrixModel, free_stem
from .effort import TooLongError
from .equations import NamedUnknown, SelfConsistentEquations, derive
from .exact_solution import multiprecision
from .function_integral import TraceOfFunction, is_exact, known_values
from .log_determinant import NoClosedFormError, log_determinant
from .matrix_function import Function, only_function, split_traces
from .numerics import NumericalSolution
from .pencil import Pencil
from .pencil_numbers import floating
from .planar import PlanarComparison
from .reduced_form import LinearSystem, Reduction, renamed_sides
from .ridgeless import RidgelessLimit
from .scalar_system import ScalarSystem
from .stieltjes import Integral
from .tape import Tape
from .trace_function import TraceFunction, trace_function
from .trace_values import DeterministicValues, named_numbers


def _branch_notes(part: RidgelessLimit) -> str:
    """The branches of a limit, and the values on them unless the unknown is the value."""
    if part.equations.value.is_Symbol:
        return "; ".join(part.branches)
    return "; ".join(f"{text}, where the value is {v}" for text, v in part.branches.items())


@dataclass(frozen=True)
class FunctionEquations:
    """φ of traces, of which some are of functions of matrices.

    It is used as `SelfConsistentEquations` are: `relations`, `value`, `solve`, `latex`. Where
    there is no closed form the value is an integral over t, the relations those of the resolvent.
    """

    expression: sp.Expr
    function: TraceFunction
    model: MatrixModel
    parts: tuple[TraceOfFunction | RidgelessLimit | SelfConsistentEquations, ...]
    claimed: sp.Expr | None = None
    memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def value(self) -> sp.Expr:
        """The expression in the unknowns of the relations."""
        if self.claimed is not None:
            return self.claimed
        named = zip(self.parts, self._names, strict=True)
        return self.function.at([part.value.xreplace(names) for part, names in named])

    @property
    def inner(self) -> list[SelfConsistentEquations]:
        """The derived equations of all parts."""
        return [p if isinstance(p, SelfConsistentEquations) else p.equations for p in self.parts]

    @property
    def relations(self) -> tuple[sp.Eq, ...]:
        """The relations of all parts, each once."""
        named = zip(self.parts, self._names, strict=True)
        found = [renamed_sides(r, names) for part, names in named for r in part.relations]
        return tuple(dict.fromkeys(found))

    @cached_property
    def _names(self) -> list[dict[sp.Symbol, sp.Symbol]]:
        """For every part other names of the unknowns that are named as a scalar or one before.

        Parts that have the same relations have the same unknowns.
        """
        users: dict[str, Any] = {s.name: "a scalar" for s in self.all_scalars()}
        found = []
        for part, equations in zip(self.parts, self.inner, strict=True):
            user = tuple(part.relations), tuple(equations.linear)
            names = {}
            for symbol in [u.symbol for u in equations.unknowns]:
                name = symbol.name
                if users.get(name, user) != user:
                    primed = (name + "'" * k for k in range(1, len(self.parts) + 1))
                    name = next(n for n in primed if users.get(n, user) == user)
                    names[symbol] = Internal(name, **symbol._assumptions_orig)
                users[name] = user
            found.append(names)
        return found

    @property
    def linear(self) -> list[LinearSystem]:
        """The linear systems of all parts."""
        named = zip(self.inner, self._names, strict=True)
        return [system.renamed(names) for e, names in named for system in e.linear]

    @property
    def equations(self) -> list[sp.Eq]:
        """Relations, linear systems and the value."""
        linear = [equation for system in self.linear for equation in system.equations()]
        name = free_stem(("value", "result"), (s.name for s in self.all_scalars()))
        return [*self.relations, *linear, sp.Eq(sp.Symbol(name), self.value, evaluate=False)]

    @property
    def unknowns(self) -> list[NamedUnknown]:
        """The unknowns of all parts."""
        inside = set().union(*(e.free_symbols for e in (self.value, *self.relations)))
        found: dict[sp.Symbol, NamedUnknown] = {}
        pencils = {id(equations.pencil) for equations in self.inner}
        for equations, names in zip(self.inner, self._names, strict=True):
            trace = str(equations.expression).replace("Trace(", "Tr(")
            of = f", Q the pencil of {trace}" if len(pencils) > 1 else ""
            for unknown in equations.unknowns:
                symbol = names.get(unknown.symbol, unknown.symbol)
                found.setdefault(symbol, NamedUnknown(symbol, unknown.meaning + of))
        for part in self.parts:
            if isinstance(part, RidgelessLimit):
                notes = _branch_notes(part)
                for symbol, unknown in found.items():
                    if notes:
                        note = f"{unknown.meaning} (without a ridge {notes})"
                        found[symbol] = NamedUnknown(symbol, note)
        return [unknown for symbol, unknown in found.items() if symbol in inside]

    @property
    def unknown_symbols(self) -> list[sp.Symbol]:
        """The symbols of the unknowns."""
        named = zip(self.inner, self._names, strict=True)
        return list(dict.fromkeys(names.get(s, s) for e, names in named for s in e.unknown_symbols))

    @property
    def closed_system(self) -> list[tuple[sp.Eq, str]]:
        """The Dyson systems of all parts."""
        return [row for equations in self.inner for row in equations.closed_system]

    @property
    def pencil(self) -> Pencil:
        """The pencil of the first part."""
        return self.inner[0].pencil

    @property
    def system(self) -> ScalarSystem:
        """The closed system of the first part."""
        return self.inner[0].system

    output_symbol = None

    @property
    def reduction(self) -> Reduction:
        """The reduction of the first part."""
        return self.inner[0].reduction

    @property
    def closed_form(self) -> FunctionEquations:
        """Itself."""
        return self

    @property
    def spectral(self) -> tuple[sp.Symbol, ...]:
        """Spectral parameters that were typed."""
        found = {s for e in self.inner for s in e.spectral}
        return tuple(sorted(found - self._shifts, key=sp.default_sort_key))

    @property
    def targets(self) -> list[Any]:
        """None: it is no resolvent."""
        return []

    constant = sp.S.Zero

    @property
    def _shifts(self) -> set[sp.Symbol]:
        return {p.shift for p in self.parts if not isinstance(p, SelfConsistentEquations)}

    def all_scalars(self) -> list[sp.Symbol]:
        """Every scalar parameter."""
        found = set(self.function.scalars)
        for equations in self.inner:
            found |= set(equations.all_scalars())
        for part in self.parts:
            if isinstance(part, TraceOfFunction):
                found |= part.function.exponent.free_symbols
        return sorted(found - self._shifts, key=sp.default_sort_key)

    def with_value(self, value: sp.Expr) -> FunctionEquations:
        """The same with another value in closed form."""
        return replace(self, claimed=value)

    def prove_planar(self, order: int = 4) -> PlanarComparison:
        """The planar proof of the one part: of its closed form, or of its resolvent."""
        if len(self.parts) > 1:
            raise OutsideTheoryError("the planar proof takes one trace of a function at a time")
        return self.inner[0].prove_planar(order)

    def solve(
        self, parameters: Mapping[Any, Any], matrices: Mapping[Any, Any] | None = None
    ) -> NumericalSolution:
        """The value at numbers or arrays of the parameters; mpmath numbers give their digits."""
        named = named_numbers(parameters, self.all_scalars(), self.model.spare)
        shape = np.broadcast_shapes(*(np.shape(v) for v in named.values()))
        if shape:
            return self._over_points(named, matrices or {}, shape)
        values, change = self._values(named, matrices or {})
        kinds = {type(part) for part in self.parts}
        by = "every resolvent by its spectral radius below one; " + (
            "nodes of the integral doubled" if TraceOfFunction in kinds else "limit s → 0+"
        )
        return NumericalSolution(values, {}, change, by, 1.0)

    def _over_points(
        self, named: dict[str, Any], matrices: Mapping[Any, Any], shape: tuple[int, ...]
    ) -> NumericalSolution:
        full = {k: np.broadcast_to(v, shape) for k, v in named.items()}
        values, changes = np.empty(shape), np.empty(shape)
        for index in np.ndindex(shape):
            point = self.solve({k: v[index] for k, v in full.items()}, matrices)
            values[index], changes[index] = point.value, point.residual
        return NumericalSolution(values, {}, changes, point.certified_by, 1.0)

    def _values(self, named: dict[str, Any], matrices: Mapping[Any, Any]) -> tuple[Any, Any]:
        """φ of the traces, and the largest of their uncertainties."""
        exact = is_exact(named)
        named = {k: multiprecision(v) if exact else floating(v)[()] for k, v in named.items()}
        found: list[Any] = []
        for part in self.parts:
            if not isinstance(part, SelfConsistentEquations):
                found.append(part.number(named, matrices))
            else:
                solution = part.solve(known_values(part, named), matrices)
                found.append(Integral(solution.value, solution.residual))
        sizes = DeterministicValues.read(self.model, matrices).dimensions
        numbers = {s.name: v for s, v in sizes.items()} | named
        body = self.function.body
        if self.claimed is not None:  # a claim is the value, or the value times scalars
            own = replace(self, claimed=None).value
            ratio = sp.cancel(self.claimed / own)
            body = ratio * body if not ratio.has(sp.Integral) else self.claimed
        known = {x: numbers[x.name] for x in body.free_symbols - set(self.function.slots)}
        known |= dict(zip(self.function.slots, (f.value for f in found), strict=True))
        tape = Tape([body])
        value = (tape.exactly if exact else tape.run)(known, {})[0]
        if not exact and isinstance(value, complex | np.complexfloating) and value.imag == 0:
            value = value.real
        return value, max((float(f.change) for f in found), default=0.0)

    def density(self, *_: Any) -> Any:
        """Refused: a density belongs to a resolvent."""
        raise OutsideTheoryError("a density belongs to one resolvent tr(inv(B + z*I))")

    def latex(self) -> str:
        r"""The equations in an ``aligned`` environment."""
        rows = [rf"{sp.latex(e.lhs)} &= {sp.latex(e.rhs)}" for e in self.equations[:-1]]
        rows.append(rf"{sp.latex(self.expression)} &\simeq {sp.latex(self.value)}")
        return aligned(rows)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return "\n".join(f"{e.lhs} = {e.rhs}" for e in self.equations)


def derive_functions(
    expression: sp.Expr, model: MatrixModel, taken: Iterable[str]
) -> FunctionEquations | SelfConsistentEquations:
    """The equations of an expression in which some traces hold functions of matrices."""
    function = trace_function(split_traces(expression, model))
    shift = Internal(free_stem(("t", "s", "y"), taken), positive=True)
    parts: list[TraceOfFunction | SelfConsistentEquations] = []
    for matrix in function.matrices:
        inside = only_function(matrix, model)
        if inside is None:
            parts.append(derive(Trace(matrix), model))
            continue
        _check_eigenvalues(inside, model)
        part = TraceOfFunction(matrix, inside, model, shift)
        parts.append(_with_closed_form(part))
    first = parts[0]
    if len(parts) == 1 and isinstance(first, TraceOfFunction) and first.closed is not None:
        closed = first.closed
        if shift not in closed.spectral and function.is_sum:
            scaled = TraceFunction(function.body, function.slots, closed.function.matrices)
            value = function.at([closed.value])
            return replace(closed, expression=expression, function=scaled, value=value)
    found = FunctionEquations(expression, function, model, tuple(parts))
    assert found.inner  # derives every part, or refuses
    return found


def _check_eigenvalues(function: Function, model: MatrixModel) -> None:
    """An integral over a resolvent needs a spectrum that random matrices make."""
    inside = {symbol.name for symbol in function.matrix.atoms(MatrixSymbol)}
    if not inside or (function.kind == "exp" and not inside & set(model.random)):
        raise OutsideTheoryError(
            f"{function.node}: no random matrix is in {function.matrix}; its eigenvalues are "
            "given, so apply the function to them"
        )


def _with_closed_form(part: TraceOfFunction) -> TraceOfFunction:
    """The same with the closed form of a log det, where there is one."""
    if part.function.kind != "log" or part.matrix != part.function.node:
        return part
    matrix, model = part.function.matrix, part.model
    try:
        closed = log_determinant(matrix, model, part.matrix)
        if not closed.spectral:
            closed = log_determinant(part.shifted, model, part.matrix)
    except NoClosedFormError:
        return part
    except TooLongError:
        raise
    except OutsideTheoryError:
        closed = log_determinant(part.shifted, model, part.matrix)
    return replace(part, closed=closed)
