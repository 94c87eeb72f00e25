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

import mpmath
import numpy as np
import sympy as sp
from sympy.matrices.expressions import Identity, MatMul, MatPow, MatrixExpr, MatrixSymbol, Trace

from ..arguments import fraction
from ..errors import InputError, OutsideTheoryError
from ..typesetting import aligned
from .boundary_values import RealAxis
from .declarations import Internal, MatrixModel, free_stem
from .equations import NamedUnknown, SelfConsistentEquations, derive
from .exact_solution import multiprecision
from .log_determinant import NoClosedFormError, log_determinant
from .matrix_function import Function, only_function, split_traces
from .numerics import NumericalSolution
from .pencil import Pencil
from .pencil_numbers import floating
from .planar import PlanarComparison
from .reduced_form import LinearSystem, Reduction, renamed_sides
from .ridgeless import RidgelessLimit
from .scalar_system import ScalarSystem
from .stieltjes import Integral, Rule, ellipse, half_line
from .tape import Tape
from .trace_function import TraceFunction, trace_function
from .trace_values import DeterministicValues, named_numbers

SIZES = np.geomspace(1e-6, 1e6, 37)  # where the size of the eigenvalues is looked for
BOUNDS = np.geomspace(1e-8, 1e8, 300)  # magnitudes between which the ends of a spectrum are found


@dataclass(frozen=True)
class TraceOfFunction:
    """Tr of ``matrix``, which holds ``function`` once; ``shift`` is the t of the resolvent."""

    matrix: MatrixExpr
    function: Function
    model: MatrixModel
    shift: sp.Symbol
    closed: SelfConsistentEquations | None = None
    memory: dict[Any, SelfConsistentEquations] = field(default_factory=dict, compare=False)

    def with_node(self, node: MatrixExpr) -> SelfConsistentEquations:
        """The derived trace with another matrix in the place of the function."""
        if node not in self.memory:
            matrix = self.matrix.xreplace({self.function.node: node}).doit()
            self.memory[node] = derive(Trace(matrix), self.model)
        return self.memory[node]

    @property
    def size(self) -> sp.Expr:
        """The dimension of E."""
        return self.function.matrix.rows

    @property
    def shifted(self) -> MatrixExpr:
        """E + t."""
        return self.function.matrix + self.shift * Identity(self.size)

    def resolvent(self, power: int = 0) -> SelfConsistentEquations:
        """The trace with E^power (E + t)^{-1}."""
        inverse = self.shifted.inv()
        node = MatMul(MatPow(self.function.matrix, power), inverse).doit() if power else inverse
        return self.with_node(node)

    @property
    def equations(self) -> SelfConsistentEquations:
        """The equations that are displayed: of the closed form, or of the resolvent."""
        return self.closed or self.resolvent(1 if self.function.kind == "power" else 0)

    @property
    def relations(self) -> list[sp.Eq]:
        """The relations of these equations; t = 0 in a closed form."""
        hidden = {self.shift: sp.S.Zero} if self.closed is not None else {}
        return [
            sp.Eq(r.lhs.subs(hidden), r.rhs.subs(hidden), evaluate=False)
            for r in self.equations.relations
        ]

    @property
    def value(self) -> sp.Expr:
        """The closed form, or the integral over the value of the resolvent."""
        if self.closed is not None:
            return self.closed.value.subs(self.shift, 0)
        t, kind, a = self.shift, self.function.kind, self.function.exponent
        inner = self.equations.value
        if kind == "power":
            return sp.sin(sp.pi * a) / sp.pi * sp.Integral(t ** (a - 1) * inner, (t, 0, sp.oo))
        if kind == "log":
            plain = self.matrix == self.function.node
            whole = self.size if plain else self.with_node(Identity(self.size)).value
            return sp.Integral(whole / (1 + t) - inner, (t, 0, sp.oo))
        return sp.Integral(sp.exp(-t) * inner, t) / (2 * sp.pi * sp.I)  # around −spectrum

    def number(self, values: Mapping[str, Any], matrices: Mapping[str, Any]) -> Integral:
        """The value at numbers (of numpy's or mpmath's kind) and its relative uncertainty."""
        if self.closed is not None:
            solution = self._solved(self.closed, {**values, self.shift.name: 0.0}, matrices)
            return Integral(solution.value, solution.residual)
        if self.function.kind == "exp":
            return self._exponential(values, matrices)
        return self._half_line(values, matrices)

    def _half_line(self, values: Mapping[str, Any], matrices: Mapping[str, Any]) -> Integral:
        exact = _is_exact(values)
        plain = {k: complex(v).real for k, v in values.items()} if exact else values
        number = mpmath.mpf if exact else float
        if self.function.kind == "log":
            scale, whole = number(self._scale(0, plain, matrices)), self._whole(values, matrices)
            lines = [
                self._differences(whole, scale, self._on_line(self.resolvent(), v, matrices))
                for v in ((plain, values) if exact else (values,))
            ]
            found = half_line(lines[0], Rule(number(1), 2, scale), *lines[1:])
            logarithm = mpmath.log(scale) if exact else np.log(scale)
            return Integral(found.value + whole * logarithm, found.change)
        exponent = _exponent(self.function.exponent, values)
        low = int(mpmath.floor(exponent))
        part = exponent - low
        if part == 0 and low == 0:
            return Integral(self._whole(values, matrices), 0.0)
        if part == 0:
            node = MatPow(self.function.matrix, low).doit()
            solution = self._solved(self.with_node(node), values, matrices)
            return Integral(solution.value, solution.residual)
        equations = self.resolvent(low + 1)
        rule = Rule(part, 1, number(self._scale(low + 1, plain, matrices)), low == -1)
        lines = [
            self._on_line(equations, v, matrices) for v in ((plain, values) if exact else (values,))
        ]
        found = half_line(lines[0], rule, *lines[1:])
        factor = mpmath.sinpi(part) / mpmath.pi if exact else np.sin(np.pi * part) / np.pi
        return Integral(found.value * factor, found.change)

    @staticmethod
    def _differences(whole: Any, scale: Any, inner: Any) -> Any:
        """t ↦ Tr [1/(s + t) − 1/(E + t)]."""

        def integrand(points: Any) -> Any:
            return [whole / (scale + t) - g for t, g in zip(points, inner(points), strict=True)]

        return integrand

    def _whole(self, values: Mapping[str, Any], matrices: Mapping[str, Any]) -> Any:
        """The trace with the identity in the place of the function."""
        if self.matrix != self.function.node:
            return self._solved(self.with_node(Identity(self.size)), values, matrices).value
        sizes = DeterministicValues.read(self.model, matrices).dimensions
        known = {s.name: v for s, v in sizes.items()} | dict(values)
        return known[self.size.name] if self.size.is_Symbol else int(self.size)

    def _scale(self, power: int, values: Mapping[str, Any], matrices: Mapping[str, Any]) -> float:
        """A t of the size of the eigenvalues: where the trace with E/(E + t) has fallen to half."""
        plain = {k: complex(v).real for k, v in values.items()}
        equations = self.resolvent(max(power, 1))
        traces = np.abs(np.asarray(self._on_line(equations, plain, matrices)(SIZES)))
        below = np.flatnonzero(traces < traces[0] / 2)
        return float(SIZES[below[0]]) if below.size else 1.0

    def _on_line(self, equations: SelfConsistentEquations, values: Any, matrices: Any) -> Any:
        """t ↦ the trace with the resolvent, for a sequence of points."""
        exact = _is_exact(values)

        def inner(points: Any) -> Any:
            try:
                if not exact:
                    at = {**values, self.shift.name: np.asarray(points)}
                    return self._solved(equations, at, matrices).value
                found = [{**values, self.shift.name: t} for t in points]
                return [self._solved(equations, at, matrices).value for at in found]
            except OutsideTheoryError as problem:
                if self.function.kind == "exp":
                    raise
                raise OutsideTheoryError(
                    f"{self.function.node}: the spectrum of {self.function.matrix} is not "
                    f"positive at these numbers, or reaches zero ({problem})"
                ) from problem

        return inner

    def _exponential(self, values: Mapping[str, Any], matrices: Mapping[str, Any]) -> Integral:
        exact = _is_exact(values)
        plain = derive(Trace(self.shifted.inv()) / self.size, self.model)
        low, high = _interval(plain, self.shift, _known(plain, values), matrices)
        inner = self._on_line(self.resolvent(), values, matrices)
        if exact:
            return ellipse(mpmath.exp, lambda x: [-g for g in inner([-y for y in x])], low, high,
                           True)  # fmt: skip
        return ellipse(np.exp, lambda x: -np.asarray(inner(-x)), low, high, False)

    def _solved(
        self, equations: SelfConsistentEquations, values: Mapping[str, Any], matrices: Any
    ) -> NumericalSolution:
        return equations.solve(_known(equations, values), matrices)


def _known(equations: SelfConsistentEquations, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that the equations have a symbol for."""
    names = {s.name for s in equations.all_scalars()}
    return {k: v for k, v in values.items() if k in names}


def _is_exact(values: Mapping[str, Any]) -> bool:
    return any(isinstance(v, (mpmath.mpf, mpmath.mpc)) for v in values.values())


def _exponent(exponent: sp.Expr, values: Mapping[str, Any]) -> Any:
    named = {s: values.get(s.name) for s in exponent.free_symbols}
    missing = [s.name for s, v in named.items() if v is None]
    if missing:
        raise InputError("parameters", sorted(values), "also " + ", ".join(missing))
    if not _is_exact(values):
        return float(exponent.subs(named))
    return multiprecision(exponent.subs({s: fraction(s.name, v) for s, v in named.items()}))


def _interval(
    equations: SelfConsistentEquations, shift: sp.Symbol, values: Any, matrices: Any
) -> tuple[float, float]:
    """An interval that holds the spectrum of E, from where real resolvents are certified."""
    plain = {k: complex(v).real for k, v in values.items() if k != shift.name}
    spectrum = RealAxis(equations, plain, matrices)
    ends = []
    for sign in (-1, 1):
        inside = np.flatnonzero(~spectrum.outside(sign * BOUNDS))
        last = min(inside[-1] + 1, len(BOUNDS) - 1) if inside.size else 0
        ends.append(sign * float(BOUNDS[last]))
    return ends[0], ends[1]


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
        exact = _is_exact(named)
        named = {k: multiprecision(v) if exact else floating(v)[()] for k, v in named.items()}
        found: list[Any] = []
        for part in self.parts:
            if not isinstance(part, SelfConsistentEquations):
                found.append(part.number(named, matrices))
            else:
                solution = part.solve(_known(part, named), matrices)
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
    except OutsideTheoryError:
        closed = log_determinant(part.shifted, model, part.matrix)
    return replace(part, closed=closed)
