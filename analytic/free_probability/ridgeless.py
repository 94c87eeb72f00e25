r"""Limits without a ridge: inverses that have no invertible deterministic part.

(X Xᵀ)^{-1} has no expansion to start from. It is derived as the limit s → 0⁺ of (X Xᵀ + s)^{-1}:
the system with s is derived, and reduced to s = Z(κ). Its root at s = 0 is a root of a factor of
Z; κ → 0 where the matrix has full rank, the vanishing of another factor where it has not, as for
minimum-norm interpolation. Where the value is 0/0 at κ = 0 every trace is expanded,

    Tr f(Λ; κ) = Tr f(Λ; 0) + κ Tr ∂_κ f(Λ; 0) + …,

and where a factor is linear in the unknown it is solved; both give closed values. Which branch is
the physical one is decided by certified solutions at small s: a closed value is used where it
agrees with their extrapolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import mpmath
import sympy as sp
from sympy.matrices.expressions import Identity, Inverse, MatPow, MatrixExpr

from ..errors import OutsideTheoryError, PrecisionError
from .declarations import MatrixModel
from .equations import SelfConsistentEquations, derive
from .exact_solution import exact_value
from .expression import InverseLetter, words
from .matrix_function import PseudoInverse
from .scalar_system import ordered_atoms
from .spectral_trace import SpectralTrace, spectral_trace
from .stieltjes import Integral
from .trace_values import DeterministicValues

ORDERS = 4  # of the expansion at κ = 0
SMALL = (1e-6, 1e-7)  # ridges, relative to the scale of one, between which s → 0 is extrapolated
CLOSE = 1e-9  # how close a closed value must be to the extrapolated one at least
LEAST = 1e-14  # a ridge below what changes the value in float64


def is_singular(matrix: MatrixExpr, model: MatrixModel) -> bool:
    """Whether every word of a matrix holds a random letter, so that its inverse needs a ridge."""
    found = words(matrix, model)
    return bool(found) and all(
        any(not isinstance(x, InverseLetter) and x.name in model.random for x in word)
        for word in found
    )


def with_ridge(expression: Any, model: MatrixModel, shift: sp.Symbol) -> Any:
    """The expression with s·I inside every inverse that has no deterministic part."""
    if not isinstance(expression, sp.Basic) or not expression.args:
        return expression
    inside = [with_ridge(arg, model, shift) for arg in expression.args]
    if isinstance(expression, PseudoInverse):
        return PseudoInverse(inside[0]).with_ridge(shift)
    negative = isinstance(expression, MatPow) and sp.sympify(expression.args[1]).is_negative
    if isinstance(expression, Inverse) or negative:
        base = inside[0]
        if is_singular(base, model):
            inside[0] = base + shift * Identity(base.rows)
        if isinstance(expression, Inverse):
            return inside[0].inv()
    return expression.func(*inside) if inside != list(expression.args) else expression


@dataclass(frozen=True)
class RidgelessLimit:
    """An expression at s → 0⁺: ``equations`` with s, and what follows from them at s = 0."""

    equations: SelfConsistentEquations
    shift: sp.Symbol
    memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def value(self) -> sp.Expr:
        """The closed value if there is one and no other branch, else the value at s = Z = 0."""
        branches = self.branches
        if len(branches) == 1 and not self._open:
            return next(iter(branches.values()))
        return self._on_shell

    @property
    def relations(self) -> list[sp.Eq]:
        """The relations at s = 0; none if the value is closed."""
        if not self.value.free_symbols & set(self.equations.unknown_symbols):
            return []
        zero = {self.shift: sp.S.Zero}
        return [
            sp.Eq(r.lhs.subs(zero), r.rhs.subs(zero), evaluate=False)
            for r in self.equations.relations
        ]

    @property
    def _explicit(self) -> sp.Expr | None:
        """Z(κ), if one relation is s = Z(κ)."""
        found = (r.rhs for r in self.equations.relations if r.lhs == self.shift)
        return next(found, None)

    @property
    def _on_shell(self) -> sp.Expr:
        """The value with s replaced by Z, so that what cancels does."""
        value, explicit = self.equations.value, self._explicit
        if explicit is not None:
            value = _rational(value.subs(self.shift, explicit))
        return value.subs(self.shift, 0)

    @cached_property
    def factors(self) -> list[sp.Expr]:
        """The factors of the one relation at s = 0."""
        relations = self.equations.relations
        if len(relations) != 1 or len(self.equations.unknown_symbols) != 1:
            return []
        difference = (relations[0].rhs - relations[0].lhs).subs(self.shift, 0)
        names = {t: sp.Dummy() for t in ordered_atoms([difference])}
        top = sp.numer(sp.together(difference.xreplace(names)))
        back = {dummy: t for t, dummy in names.items()}
        return [factor.xreplace(back) for factor, _ in sp.factor_list(top)[1]]

    @property
    def _open(self) -> bool:
        """Whether a factor is left whose root is not known in closed form."""
        (unknown,) = self.equations.unknown_symbols or [None]
        inside = [f for f in self.factors if f.has(unknown)]
        return len(inside) > len(self.branches)

    @cached_property
    def branches(self) -> dict[str, sp.Expr]:
        """Closed values by what the unknown is on them."""
        found: dict[str, sp.Expr] = {}
        if not self.factors:
            return found
        (unknown,) = self.equations.unknown_symbols
        for factor in self.factors:
            if factor == unknown:
                value = self._at_zero(unknown)
                if value is not None:
                    found[f"{unknown} = 0"] = value
            elif not ordered_atoms([factor]) and sp.degree(factor, unknown) == 1:
                root = sp.factor(sp.solve(factor, unknown)[0])
                value = _rational(self._on_shell.subs(unknown, root))
                if value.is_finite is not False and not value.has(sp.nan, sp.zoo):
                    found[f"{unknown} = {root}"] = value
        return found

    def _at_zero(self, unknown: sp.Symbol) -> sp.Expr | None:
        """The value as κ → 0, every trace expanded; None if it is infinite."""
        value = self._on_shell
        small = {t: _expanded(t, unknown) for t in value.atoms(SpectralTrace) if t.has(unknown)}
        names = {t: sp.Dummy() for e in small.values() for t in ordered_atoms([e])}
        body = value.xreplace({t: e.xreplace(names) for t, e in small.items()})
        top, bottom = sp.fraction(sp.cancel(sp.together(body)))
        lowest = sp.expand(bottom).subs(unknown, 0)
        if lowest == 0:
            return None
        limit = sp.factor(sp.expand(top).subs(unknown, 0) / lowest)
        return limit.xreplace({dummy: t for t, dummy in names.items()})

    def number(self, values: Mapping[str, Any], matrices: Mapping[str, Any]) -> Integral:
        """The value at numbers, and the relative uncertainty."""
        plain = {k: complex(v).real for k, v in values.items()}
        names = {s.name for s in self.equations.all_scalars()}
        plain = {k: v for k, v in plain.items() if k in names}
        near = [
            complex(self.equations.solve({**plain, self.shift.name: s}, matrices).value)
            for s in SMALL
        ]
        if abs(near[1]) > 3 * abs(near[0]):
            raise OutsideTheoryError(
                "the limit without a ridge is infinite at these sizes: the matrix that is inverted "
                "has not full rank; keep a ridge z*I, or use the pseudo-inverse pinv"
            )
        for value in self.branches.values():
            number = self._closed(value, values, matrices)
            apart = abs(complex(number) - near[1])
            if apart <= abs(near[0] - near[1]) / 2 + CLOSE * abs(near[1]):
                return Integral(number, 0.0)
        exact = {k: v for k, v in values.items() if k in names}
        solution = self._at_the_end(exact, matrices)
        if abs(complex(solution.value) - near[1]) > 0.1 * abs(near[1]):
            raise OutsideTheoryError(
                "the limit without a ridge is not approached by small ridges: the spectrum "
                "reaches zero at these sizes"
            )
        return Integral(solution.value, solution.residual)

    def _at_the_end(self, values: Mapping[str, Any], matrices: Any) -> Any:
        """The solution at s = 0, or, in float64, at an s below rounding."""
        exact = any(isinstance(v, (mpmath.mpf, mpmath.mpc)) for v in values.values())
        problem: Exception | None = None
        for end in (mpmath.mpf(0),) if exact else (LEAST, 0.0):
            try:
                return self.equations.solve({**values, self.shift.name: end}, matrices)
            except (PrecisionError, OutsideTheoryError) as found:
                problem = found
        raise OutsideTheoryError(f"no limit without a ridge is found ({problem})") from problem

    def _closed(self, value: sp.Expr, values: Mapping[str, Any], matrices: Any) -> Any:
        given = DeterministicValues.read(self.equations.model, matrices)
        numbers: dict[Any, Any] = dict(given.dimensions)
        numbers |= {s: values[s.name] for s in value.free_symbols if s.name in values}
        numbers = {k: mpmath.mpmathify(v) for k, v in numbers.items()}
        found = exact_value(value, numbers, given)
        exact = any(isinstance(v, (mpmath.mpf, mpmath.mpc)) for v in values.values())
        return (
            found if exact else (float(found) if isinstance(found, mpmath.mpf) else complex(found))
        )


def _rational(value: sp.Expr) -> sp.Expr:
    """A formula in traces as one fraction in lowest terms."""
    names = {t: sp.Dummy() for t in ordered_atoms([value])}
    plain = sp.factor(sp.cancel(sp.together(value.xreplace(names))))
    return plain.xreplace({dummy: t for t, dummy in names.items()})


def _expanded(trace: SpectralTrace, unknown: sp.Symbol) -> sp.Expr:
    """Σ_n κ^n/n! ∂^n Tr at κ = 0."""
    total, slope = sp.S.Zero, sp.sympify(trace)
    for n in range(ORDERS):
        total += _at_origin(slope, unknown) * unknown**n / sp.factorial(n)
        slope = slope.diff(unknown)
    return total


def _at_origin(expression: sp.Expr, unknown: sp.Symbol) -> sp.Expr:
    def value(trace: SpectralTrace) -> sp.Expr:
        factors = [sp.factor(sp.cancel(f.subs(unknown, 0))).as_coeff_Mul() for f in trace.factors]
        scalar = sp.Mul(*(c for c, _ in factors))
        return scalar * spectral_trace(trace.dimension, [f for _, f in factors])

    return expression.xreplace({t: value(t) for t in expression.atoms(SpectralTrace)})


def derive_ridgeless(
    expression: sp.Expr, model: MatrixModel, shift: sp.Symbol
) -> RidgelessLimit | None:
    """The limit of an expression some of whose inverses need a ridge; None if none does."""
    ridged = with_ridge(expression, model, shift)
    if ridged == expression:
        return None
    return RidgelessLimit(derive(ridged, model), shift)
