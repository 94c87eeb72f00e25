r"""The expansion of trace formulas in 1/z.

The grading replaces every spectral parameter z by z/ε; a formula becomes a Laurent series in ε
whose coefficients are exact rational functions of the scalars and of the traces Tr Λ^k (each a
generator of the field), so that equality of two coefficients is an identity in the dimensions
and in the spectrum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

import sympy as sp

from ..algebra import Field, Fraction, Laurent, Monomial, Substitution
from ..errors import InputError, OutsideTheoryError
from .declarations import Eigenvalue, Internal, MatrixModel
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
        self.roots = {x: Internal(f"root_{x.name}") for x in self.model.letters()}
        self.slots = [Internal(f"tau_{i}") for i in range(TRACE_SLOTS)]
        self.field = Field([*self.scalars, *self.roots.values(), *self.slots])
        self.letter_of = {self.field.position[r]: x for x, r in self.roots.items()}

    def trace(self, dimension: sp.Expr, factors: list[sp.Expr]) -> Fraction:
        """A deterministic trace as a generator."""
        atom = spectral_trace(home_dimension(self.model, dimension, factors), factors)
        if not isinstance(atom, SpectralTrace):
            return self.field(atom)
        if atom not in self.traces:
            if len(self.traces) == TRACE_SLOTS:
                raise NotExpandableError("more deterministic traces than the expansion can hold")
            self.traces[atom] = self.slots[len(self.traces)]
        return self.field.generator(self.traces[atom])

    def split(self, value: Fraction) -> dict[tuple[tuple[int, int], ...], Fraction]:
        """A Laurent polynomial in letters as {powers of roots: coefficient without letters}."""
        below = value.denom.terms()
        lowest = {i: min(m[i] for m, _ in below) for i in self.letter_of}
        if any(m[i] != lowest[i] for m, _ in below for i in self.letter_of):
            raise NotExpandableError("a trace has a pole at a finite eigenvalue as z → ∞")
        groups: dict[tuple[tuple[int, int], ...], dict[Monomial, int]] = {}
        for monomial, coefficient in value.numer.terms():
            moved = ((i, monomial[i] - lowest[i]) for i in self.letter_of)
            powers = tuple((i, power) for i, power in moved if power)
            groups.setdefault(powers, {})[self._without_letters(monomial)] = coefficient
        denominator = self.field.from_dict({self._without_letters(m): c for m, c in below})
        return {
            powers: self.field.fraction(self.field.from_dict(terms), denominator)
            for powers, terms in groups.items()
        }

    def _without_letters(self, monomial: Monomial) -> Monomial:
        powers = list(monomial)
        for i in self.letter_of:
            powers[i] = 0
        return tuple(powers)

    def expander(
        self, spectral: Iterable[sp.Symbol], values: Mapping[sp.Symbol, Laurent], cut: int
    ) -> Expander:
        """Formulas as series over this field."""
        return Expander(self, spectral, values, cut)

    def monomial(self, powers: Iterable[tuple[int, int]]) -> sp.Expr:
        """The product of letters with these powers of roots."""
        return sp.Mul(*(self.letter_of[i] ** sp.Rational(e, 2) for i, e in powers))


class Expander(Substitution):
    """Evaluates trace formulas on series: ``values`` for unknowns, z/ε for spectral symbols."""

    def __init__(
        self,
        ground: Ground,
        spectral: Iterable[sp.Symbol],
        values: Mapping[sp.Symbol, Laurent],
        cut: int,
    ) -> None:
        large = {s: Laurent(ground.field, {-1: ground.field.generator(s)}, cut) for s in spectral}
        super().__init__(ground.field, {**large, **values})
        self.ground, self.cut = ground, cut

    def __call__(self, expression: sp.Expr) -> Laurent:
        """The expansion of a formula; what holds no series is known to the cut."""
        value = super().__call__(expression)
        if isinstance(value, Fraction):
            value = Laurent(self.field, {0: value} if value else {}, self.cut)
            self.memory[expression] = value
        return value

    def evaluate(self, expression: sp.Expr) -> Laurent | Fraction:
        """The same without looking whether it is known."""
        if isinstance(expression, SpectralTrace):
            return self._trace(expression)
        if isinstance(expression, Eigenvalue):
            return self.field.generator(self.ground.roots[expression]) ** 2
        if isinstance(expression, sp.Pow) and isinstance(expression.base, Eigenvalue):
            root = self.field.generator(self.ground.roots[expression.base])
            return root ** int(2 * expression.exp)
        try:
            return super().evaluate(expression)
        except InputError as problem:
            raise NotExpandableError(f"{expression} has no expansion in 1/z") from problem

    def _trace(self, atom: SpectralTrace) -> Laurent:
        """Tr(f g …): expand every factor with letters in the field, then take traces."""
        factors = [self(factor) for factor in atom.factors]
        low = sum(s.valuation for s in factors)
        cut = min(s.cut - s.valuation for s in factors) + low
        split = [{k: self.ground.split(c) for k, c in s.coefficients.items()} for s in factors]
        items: dict[int, Fraction] = {}
        for orders in product(*(sorted(s.coefficients) for s in factors)):
            order = sum(orders)
            if order > cut:
                continue
            parts = [known[k] for known, k in zip(split, orders, strict=True)]
            for chosen in product(*(sorted(p.items(), key=lambda i: i[0]) for p in parts)):
                value = self.ground.trace(
                    atom.dimension, [self.ground.monomial(powers) for powers, _ in chosen]
                )
                for _, coefficient in chosen:
                    value = value * coefficient
                items[order] = items[order] + value if order in items else value
        return Laurent(self.field, {k: c for k, c in items.items() if c}, cut)
