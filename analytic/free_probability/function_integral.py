"""One trace of a function of random matrices as an integral over its resolvent.

With the kernels w_f of `stieltjes`, Tr A f(E) B = ∫ w_f(t) Tr A (E + t)^{-1} B dt: every node of
the integral is a certified solution of the equations of the resolvent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from sympy.matrices.expressions import Identity, MatMul, MatPow, MatrixExpr, Trace

from ..arguments import fraction
from ..errors import InputError, OutsideTheoryError
from .boundary_values import RealAxis
from .declarations import MatrixModel
from .dyson import NoExpansionError
from .equations import SelfConsistentEquations, derive
from .exact_solution import multiprecision
from .matrix_function import Function
from .numerics import NumericalSolution
from .stieltjes import Integral, Rule, ellipse, half_line
from .trace_values import DeterministicValues

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
        if self.function.kind == "exp":
            return self._exponential(values, matrices)
        try:
            if self.closed is None:
                return self._half_line(values, matrices)
            solution = self._solved(self.closed, {**values, self.shift.name: 0.0}, matrices)
        except NoExpansionError:  # for no numbers at all
            raise
        except OutsideTheoryError as problem:  # whose words are of the resolvent
            raise OutsideTheoryError(
                f"{self.function.node}: the spectrum of {self.function.matrix} is not positive at "
                "these numbers, or reaches zero; add a multiple of I that lifts it"
            ) from problem
        return Integral(solution.value, solution.residual)

    def _half_line(self, values: Mapping[str, Any], matrices: Mapping[str, Any]) -> Integral:
        exact = is_exact(values)
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
        exact = is_exact(values)

        def inner(points: Any) -> Any:
            if not exact:
                at = {**values, self.shift.name: np.asarray(points)}
                return self._solved(equations, at, matrices).value
            found = [{**values, self.shift.name: t} for t in points]
            return [self._solved(equations, at, matrices).value for at in found]

        return inner

    def _exponential(self, values: Mapping[str, Any], matrices: Mapping[str, Any]) -> Integral:
        exact = is_exact(values)
        plain = derive(Trace(self.shifted.inv()) / self.size, self.model)
        low, high = _interval(plain, self.shift, known_values(plain, values), matrices)
        inner = self._on_line(self.resolvent(), values, matrices)
        mass = self._whole(values, matrices)

        def around(x: Any) -> Any:
            return [-g for g in inner([-y for y in x])] if exact else -np.asarray(inner(-x))

        return ellipse(mpmath.exp if exact else np.exp, around, low, high, mass, exact)

    def _solved(
        self, equations: SelfConsistentEquations, values: Mapping[str, Any], matrices: Any
    ) -> NumericalSolution:
        return equations.solve(known_values(equations, values), matrices)


def known_values(equations: SelfConsistentEquations, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that the equations have a symbol for."""
    names = {s.name for s in equations.all_scalars()}
    return {k: v for k, v in values.items() if k in names}


def is_exact(values: Mapping[str, Any]) -> bool:
    """Whether a value is a number of mpmath."""
    return any(isinstance(v, (mpmath.mpf, mpmath.mpc)) for v in values.values())


def _exponent(exponent: sp.Expr, values: Mapping[str, Any]) -> Any:
    named = {s: values.get(s.name) for s in exponent.free_symbols}
    missing = [s.name for s, v in named.items() if v is None]
    if missing:
        raise InputError("parameters", sorted(values), "also " + ", ".join(missing))
    if not is_exact(values):
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
