r"""Truncated power series in 1/z over an exact field, and the expansion of trace formulas in them.

The grading replaces every spectral parameter z by z/ε; a series is Σ_k a_k ε^k with finitely
many negative powers and a known cut: terms beyond it are not known. Coefficients are exact
rational functions of the scalars and of the traces Tr Λ^k (each a generator of the field), so
that equality of two coefficients is an identity in the dimensions and in the spectrum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import sympy as sp

from ..errors import OutsideTheoryError
from .declarations import Eigenvalue, MatrixModel
from .rational import Field, Fraction
from .spectral_trace import SpectralTrace, spectral_trace
from .trace_expansion import home_dimension

TRACE_SLOTS = 80


class NotExpandableError(OutsideTheoryError):
    """An expression that has no expansion in 1/z of this kind."""


@dataclass
class Ground:
    """The field of coefficients: scalars, roots of eigenvalue letters, and slots for traces."""

    scalars: list[sp.Symbol]
    model: MatrixModel
    traces: dict[sp.Expr, sp.Symbol] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roots = {x: sp.Symbol(f"root_{x.name}") for x in self.model.letters()}
        self.slots = [sp.Symbol(f"tau_{i}") for i in range(TRACE_SLOTS)]
        self.field = Field([*self.scalars, *self.roots.values(), *self.slots])
        self.letter_of = {self.field.position[r]: x for x, r in self.roots.items()}

    def trace(self, dimension: sp.Expr, factors: list[sp.Expr]) -> Fraction:
        """A deterministic trace as a generator."""
        atom = spectral_trace(home_dimension(self.model, dimension, factors), factors)
        if not isinstance(atom, SpectralTrace):
            return self.field.from_expr(atom)
        if atom not in self.traces:
            if len(self.traces) == TRACE_SLOTS:
                raise NotExpandableError("more deterministic traces than the expansion can hold")
            self.traces[atom] = self.slots[len(self.traces)]
        return self.field.generator(self.traces[atom])

    def split(self, value: Fraction) -> dict[tuple[tuple[int, int], ...], Fraction]:
        """A polynomial in letters as {powers of roots: coefficient without letters}."""
        if any(value.denom.degree(i) for i in self.letter_of):
            raise NotExpandableError("a trace has a pole at a finite eigenvalue as z → ∞")
        inside = [i for i in self.letter_of if value.numer.degree(i)]
        if not inside:
            return {(): value}
        groups: dict[tuple[tuple[int, int], ...], dict[Any, int]] = {}
        for monomial, coefficient in value.numer.terms():
            powers = tuple((i, monomial[i]) for i in inside if monomial[i])
            rest = list(monomial)
            for i, _ in powers:
                rest[i] = 0
            groups.setdefault(powers, {})[tuple(rest)] = coefficient
        below = value.denom
        return {
            powers: self.field.fraction(self.field.from_dict(terms), below)
            for powers, terms in groups.items()
        }

    def monomial(self, powers: Iterable[tuple[int, int]]) -> sp.Expr:
        """The product of letters with these powers of roots."""
        return sp.Mul(*(self.letter_of[i] ** sp.Rational(e, 2) for i, e in powers))


@dataclass(frozen=True)
class Series:
    """Σ coefficients[k] ε^k, known for k ≤ cut."""

    ground: Ground
    coefficients: Mapping[int, Fraction]
    cut: int

    @property
    def low(self) -> int:
        """The order of the first known non-zero term (cut + 1 if there is none)."""
        return min(self.coefficients, default=self.cut + 1)

    def __getitem__(self, order: int) -> Fraction:
        if order > self.cut:
            raise IndexError(f"order {order} is not known beyond {self.cut}")
        return self.coefficients.get(order, self.ground.field.zero)

    def _make(self, items: Mapping[int, Fraction], cut: int) -> Series:
        return Series(self.ground, {k: c for k, c in items.items() if c and k <= cut}, cut)

    def __add__(self, other: Series) -> Series:
        items = dict(self.coefficients)
        for k, c in other.coefficients.items():
            items[k] = items[k] + c if k in items else c
        return self._make(items, min(self.cut, other.cut))

    def __neg__(self) -> Series:
        return self._make({k: -c for k, c in self.coefficients.items()}, self.cut)

    def __sub__(self, other: Series) -> Series:
        return self + (-other)

    def __mul__(self, other: Series) -> Series:
        cut = min(self.low + other.cut, other.low + self.cut)
        items: dict[int, Fraction] = {}
        for i, a in self.coefficients.items():
            for j, b in other.coefficients.items():
                if i + j <= cut:
                    items[i + j] = items[i + j] + a * b if i + j in items else a * b
        return self._make(items, cut)

    def inverse(self) -> Series:
        """1/series; ZeroDivisionError if no non-zero term is known."""
        if not self.coefficients:
            raise ZeroDivisionError("the series is zero as far as it is known")
        low, cut = self.low, self.cut - 2 * self.low
        one = self.ground.field.one
        first = one / self[low]
        items = {-low: first}
        for k in range(-low + 1, cut + 1):
            total = self.ground.field.zero
            for j in range(1, k + low + 1):
                if low + j in self.coefficients and k - j in items:
                    total = total + self[low + j] * items[k - j]
            if total:
                items[k] = -(total * first)
        return self._make(items, cut)

    def power(self, exponent: int) -> Series:
        """An integer power."""
        base = self if exponent >= 0 else self.inverse()
        result: Series | None = None
        for _ in range(abs(exponent)):
            result = base if result is None else result * base
        return result if result is not None else constant(self.ground, sp.S.One, self.cut)

    def truncated(self, cut: int) -> Series:
        """The same, known to at most ``cut``."""
        return self._make(self.coefficients, min(cut, self.cut))


def constant(ground: Ground, value: sp.Expr, cut: int) -> Series:
    """A scalar without spectral parameter."""
    element = ground.field.from_expr(value)
    return Series(ground, {0: element} if element else {}, cut)


class Expander:
    """Evaluates trace formulas on series: ``values`` for unknowns, z/ε for spectral symbols."""

    def __init__(
        self,
        ground: Ground,
        spectral: Iterable[sp.Symbol],
        values: Mapping[sp.Symbol, Series],
        cut: int,
    ) -> None:
        self.ground, self.spectral = ground, set(spectral)
        self.values, self.cut = dict(values), cut
        self.memory: dict[sp.Expr, Series] = {}

    def __call__(self, expression: sp.Expr) -> Series:
        if expression not in self.memory:
            self.memory[expression] = self._evaluate(expression)
        return self.memory[expression]

    def _evaluate(self, expression: sp.Expr) -> Series:
        if expression in self.values:
            return self.values[expression]
        if expression in self.spectral:
            return Series(self.ground, {-1: self.ground.field.generator(expression)}, self.cut)
        if isinstance(expression, SpectralTrace):
            return self._trace(expression)
        if isinstance(expression, Eigenvalue):
            root = self.ground.field.generator(self.ground.roots[expression])
            return Series(self.ground, {0: root**2}, self.cut)
        if isinstance(expression, sp.Add):
            total = self(expression.args[0])
            for term in expression.args[1:]:
                total = total + self(term)
            return total
        if isinstance(expression, sp.Mul):
            result = self(expression.args[0])
            for factor in expression.args[1:]:
                result = result * self(factor)
            return result
        if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
            return self(expression.base).power(int(expression.exp))
        if isinstance(expression, sp.Pow) and isinstance(expression.base, Eigenvalue):
            root = self.ground.field.generator(self.ground.roots[expression.base])
            return Series(self.ground, {0: root ** int(2 * expression.exp)}, self.cut)
        try:
            return constant(self.ground, expression, self.cut)
        except ValueError as problem:
            raise NotExpandableError(f"{expression} has no expansion in 1/z") from problem

    def _trace(self, atom: SpectralTrace) -> Series:
        """Tr(f g …): expand every factor with letters in the field, then take traces."""
        factors = [self(factor) for factor in atom.factors]
        low = sum(s.low for s in factors)
        cut = min(s.cut - s.low for s in factors) + low
        items: dict[int, Fraction] = {}
        for orders in product(*(sorted(s.coefficients) for s in factors)):
            order = sum(orders)
            if order > cut:
                continue
            parts = [self.ground.split(s[k]) for s, k in zip(factors, orders, strict=True)]
            for chosen in product(*(sorted(p.items(), key=lambda i: i[0]) for p in parts)):
                value = self.ground.trace(
                    atom.dimension, [self.ground.monomial(powers) for powers, _ in chosen]
                )
                for _, coefficient in chosen:
                    value = value * coefficient
                items[order] = items[order] + value if order in items else value
        return Series(self.ground, {k: c for k, c in items.items() if c}, cut)
