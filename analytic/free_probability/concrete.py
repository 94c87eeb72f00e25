r"""The planar proof on given matrices: exact rational numbers in the place of symbols.

Traces of words in matrices that do not commute are too many to be symbols of a field. Here every
deterministic matrix is a random rational one of `MODES` rows, repeated as often as its dimension
says, every dimension and other scalar a random rational number, and a spectral parameter z stands
for a number over ε. An identity between the series of both sides that holds at random rational
points holds identically, up to a set of measure zero (Schwartz, Zippel); nothing is rounded.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp
from flint import fmpq, fmpq_mat

from ..algebra import Field, Fraction, Laurent
from .declarations import Eigenvalue, MatrixModel
from .expander import Expander, Ground, NotExpandableError
from .spectral_trace import SpectralTrace
from .sum_inverse import SumInverse

MODES = 5


class NumericField(Field):
    """ℚ, with a number for each symbol."""

    def __init__(self, values: Mapping[sp.Symbol, sp.Rational]) -> None:
        super().__init__([])
        self.values = dict(values)

    def generator(self, symbol: sp.Expr) -> Fraction:
        """The number of a symbol."""
        return super().__call__(self.values[symbol])

    def __call__(self, expression: Any) -> Fraction:
        """The number of an expression."""
        expression = sp.sympify(expression)
        if expression in self.values:
            return self.generator(expression)
        return super().__call__(expression)


class ConcreteGround(Ground):
    """Random rational matrices, dimensions and scalars for one model."""

    def __init__(self, scalars: Iterable[sp.Symbol], model: MatrixModel, seed: int = 1) -> None:
        rng = random.Random(seed)
        ordered = sorted(set(scalars) | model.scalars(), key=sp.default_sort_key)
        numbers = {s: sp.Rational(rng.randrange(20, 90), 20 + i) for i, s in enumerate(ordered)}
        self.scalars, self.model, self.traces = ordered, model, {}
        self.field = NumericField(numbers)
        roots = rng.sample(range(3, 40), MODES * max(len(model.fixed), 1))
        self.modes = {
            record.eigenvalue: [sp.Rational(roots.pop(), 12) ** 2 for _ in range(MODES)]
            for _, record in sorted(model.fixed.items())
        }
        families = {model.family(name) for name in model.fixed}
        self.bases = {family: _orthogonal(rng) for family in sorted(families)}
        self.memory: dict[Any, Any] = {}

    def expander(
        self, spectral: Iterable[sp.Symbol], values: Mapping[sp.Symbol, Laurent], cut: int
    ) -> ConcreteExpander:
        """Formulas as series on these numbers."""
        return ConcreteExpander(self, spectral, values, cut)

    def trace(self, dimension: sp.Expr, factors: list[sp.Expr]) -> Fraction:
        """The trace of a word of functions of letters."""
        product = identity()
        for factor in factors:
            if factor not in self.memory:
                family, modes = self.function(factor)
                numbers = [rational(self.field(f)) for f in modes]
                self.memory[factor] = self.in_basis(family, numbers)
            product = product * self.memory[factor]
        return self.number(trace_of(product)) * self.weight(dimension, factors)

    def function(self, factor: sp.Expr) -> tuple[str, list[sp.Expr]]:
        """A function of one family at each mode."""
        letters = sorted(factor.atoms(Eigenvalue), key=lambda x: str(x.name))
        family = self.model.family(self.model.owner(letters[0]).symbol.name)
        modes = [{x: self.modes[x][i] for x in letters} for i in range(MODES)]
        return family, [factor.xreplace(mode) for mode in modes]

    def in_basis(self, family: str, diagonal: list[fmpq]) -> fmpq_mat:
        """V diag V^T."""
        vectors = self.bases[family]
        rows = [[diagonal[i] if i == j else 0 for j in range(MODES)] for i in range(MODES)]
        return vectors * fmpq_mat(rows) * vectors.transpose()

    def weight(self, dimension: sp.Expr, factors: Iterable[sp.Expr]) -> Fraction:
        """How often the modes are repeated: those of a rectangular matrix as often as its rows."""
        for factor in factors:
            for letter in factor.atoms(Eigenvalue):
                record = self.model.owner(letter)
                if not record.symmetric and not factor.has(SumInverse):
                    dimension = record.symbol.rows
        return self.field(dimension) * self.field(sp.Rational(1, MODES))

    def number(self, value: fmpq) -> Fraction:
        """A rational number in the field."""
        return self.field(sp.Rational(int(value.p), int(value.q)))


def _orthogonal(rng: random.Random) -> fmpq_mat:
    """(1 − S)(1 + S)^{-1} for a random antisymmetric S (Cayley)."""
    rows = [[0] * MODES for _ in range(MODES)]
    for i in range(MODES):
        for j in range(i):
            rows[i][j] = rng.choice([-2, -1, 1, 2])
            rows[j][i] = -rows[i][j]
    return (identity() - fmpq_mat(rows)) * (identity() + fmpq_mat(rows)).inv()


def identity() -> fmpq_mat:
    """The unit matrix."""
    return fmpq_mat([[int(i == j) for j in range(MODES)] for i in range(MODES)])


def trace_of(matrix: fmpq_mat) -> fmpq:
    """The sum of the diagonal."""
    return sum((matrix[i, i] for i in range(MODES)), fmpq(0))


def rational(value: Fraction) -> fmpq:
    """A fraction without symbols as a number."""
    top, bottom = (sum(c for _, c in p.terms()) for p in (value.numer, value.denom))
    return fmpq(top, bottom)


@dataclass(frozen=True)
class MatrixSeries:
    """Σ_k terms[k] ε^k with rational matrices, known for k ≤ cut."""

    terms: Mapping[int, fmpq_mat]
    cut: int

    @property
    def low(self) -> int:
        """The lowest order that occurs."""
        return min(self.terms, default=self.cut + 1)

    def __add__(self, other: MatrixSeries) -> MatrixSeries:
        cut, terms = min(self.cut, other.cut), dict(self.terms)
        for k, matrix in other.terms.items():
            terms[k] = terms[k] + matrix if k in terms else matrix
        return MatrixSeries({k: m for k, m in terms.items() if k <= cut and _nonzero(m)}, cut)

    def __mul__(self, other: MatrixSeries) -> MatrixSeries:
        cut = min(self.low + other.cut, other.low + self.cut)
        terms: dict[int, fmpq_mat] = {}
        for i, a in self.terms.items():
            for j, b in other.terms.items():
                if i + j <= cut:
                    terms[i + j] = terms[i + j] + a * b if i + j in terms else a * b
        return MatrixSeries({k: m for k, m in terms.items() if _nonzero(m)}, cut)

    def inverse(self) -> MatrixSeries:
        """The inverse, from that of the leading matrix."""
        low, cut = self.low, self.cut - 2 * self.low
        try:
            first = self.terms[low].inv()
        except (KeyError, ZeroDivisionError) as problem:
            raise NotExpandableError("an inverse of a sum is singular as z → ∞") from problem
        found = {-low: first}
        for k in range(-low + 1, cut + 1):
            total = identity() * 0
            for j in range(1, k + low + 1):
                if low + j in self.terms and k - j in found:
                    total = total + self.terms[low + j] * found[k - j]
            if _nonzero(total):
                found[k] = -(first * total)
        return MatrixSeries(found, cut)


def _nonzero(matrix: fmpq_mat) -> bool:
    return any(matrix[i, j] != 0 for i in range(MODES) for j in range(MODES))


class ConcreteExpander(Expander):
    """Expands trace formulas on the numbers of a `ConcreteGround`."""

    ground: ConcreteGround

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.matrices: dict[sp.Expr, MatrixSeries] = {}

    def _trace(self, atom: SpectralTrace) -> Laurent:
        product = self.product(atom.factors)
        weight = self.ground.weight(atom.dimension, atom.factors)
        items = {k: self.ground.number(trace_of(m)) * weight for k, m in product.terms.items()}
        return Laurent(self.field, {k: c for k, c in items.items() if c}, product.cut)

    def product(self, factors: Iterable[sp.Expr]) -> MatrixSeries:
        """The product of some factors."""
        result = MatrixSeries({0: identity()}, self.cut + 20)
        for factor in factors:
            if factor not in self.matrices:
                self.matrices[factor] = self.matrix(factor)
            result = result * self.matrices[factor]
        return result

    def matrix(self, factor: sp.Expr) -> MatrixSeries:
        """One factor as a series of matrices."""
        if isinstance(factor, SumInverse):
            total = MatrixSeries({}, self.cut + 20)
            for coefficient, inner in factor.terms:
                total = total + self.scalar(coefficient) * self.product(inner)
            return total.inverse()
        if not factor.atoms(Eigenvalue):
            return self.scalar(factor)
        family, modes = self.ground.function(factor)
        series = [self(mode) for mode in modes]
        cut = min(s.cut for s in series)
        orders = sorted({k for s in series for k in s.coefficients if k <= cut})
        terms = {k: self.ground.in_basis(family, [rational(s[k]) for s in series]) for k in orders}
        return MatrixSeries(terms, cut)

    def scalar(self, expression: sp.Expr) -> MatrixSeries:
        """A multiple of the identity."""
        series = self(expression)
        terms = {k: identity() * rational(c) for k, c in series.coefficients.items()}
        return MatrixSeries(terms, series.cut)
