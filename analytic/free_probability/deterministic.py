r"""The algebra of deterministic matrices in which block resolvents are computed.

An `Element` is a sum of words; a word is a product of *factors*, each a rational function of the
matrices of one commuting family, held as a rational function of their eigenvalues. Factors of one
family that meet are multiplied as functions; factors of different families keep their order. So
Λ(Λ+κ)^{-2} is one factor, and Γ Λ(Λ+κ)^{-2} a word of two, which is never reordered.

The inverse of an element of one family is again a function. The inverse of a sum that mixes
families, (Γ + pΛ)^{-1}, is not a function of either: it becomes a letter of its own, with a family
of its own, whose definition the algebra remembers (`sums`); traces then hold `SumInverse` factors.

A rectangular deterministic A of shape m×n, m ≠ n, can only be multiplied with its own transpose
inside its family, so A and Aᵀ act through the singular value s_J: A Aᵀ ↦ s². Square roots act
through the root of the eigenvalue.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import sympy as sp

from ..algebra import Field, Fraction
from ..errors import InputError, OutsideTheoryError
from .declarations import Eigenvalue, MatrixModel
from .effort import go_on
from .entries import FixedInverse


class Factor(NamedTuple):
    """A rational function ``value`` of the letters of ``family``, mapping columns to rows."""

    family: str
    value: Fraction
    rows: sp.Expr
    columns: sp.Expr


Words = dict[tuple[Factor, ...], Fraction]

SUM_SLOTS = 12  # different inverses of sums in one expression


class Algebra:
    """The field of coefficients and the letters of one model."""

    def __init__(self, model: MatrixModel, scalars: Iterable[sp.Symbol]) -> None:
        self.model = model
        self.letters: dict[sp.Symbol, str] = {}  # letter → family
        self.rooted: dict[sp.Symbol, Eigenvalue] = {}  # root → letter of its square
        for name in sorted(model.fixed):
            self._add_letters(name)
        self.slots = [sp.Dummy(f"R_{i}") for i in range(SUM_SLOTS)]
        self.sums: list[Element] = []  # what the inverses of sums invert
        self.letters.update({slot: f"inverse {i}" for i, slot in enumerate(self.slots)})
        ordered = sorted(set(scalars), key=sp.default_sort_key)
        self.scalars = ordered
        generators = [*ordered, *self.letters]
        self.field = Field(generators)
        self.positions = {s: self.field.position[s] for s in self.letters}
        self.zero, self.one = self.field.zero, self.field.one

    def _add_letters(self, name: str) -> None:
        record = self.model.fixed[name]
        root = Eigenvalue(f"root_{name}")
        self.letters[root] = self.model.family(name)
        self.rooted[root] = record.eigenvalue

    def scalar(self, expression: Any) -> Fraction:
        """A rational function of the scalar symbols as a field element."""
        try:
            return self.field(sp.sympify(expression))
        except (ValueError, TypeError) as problem:
            allowed = "rational functions of the symbols (no roots or other functions)"
            raise InputError("coefficient", expression, allowed) from problem

    def constant(self, value: Fraction) -> Element:
        """A multiple of the identity."""
        return Element(self, {(): value} if value else {})

    def word(self, letters: Iterable[Any]) -> Element:
        """The element of a deterministic word of a pencil."""
        product = self.constant(self.one)
        for letter in letters:
            if isinstance(letter, FixedInverse):
                total = self.constant(self.zero)
                for word, coefficient in letter.terms:
                    total = total + self.word(word).scaled(self.scalar(coefficient))
                product = product * total.inverse()
            else:
                product = product * self._letter(letter)
        return product

    def _letter(self, letter: Any) -> Element:
        record = self.model.fixed[letter.name]
        rows, columns = record.symbol.shape
        if letter.transposed:
            rows, columns = columns, rows
        root = self.field.generator(Eigenvalue(f"root_{letter.name}"))
        value = root ** int(2 * letter.exponent) if record.symmetric else root
        factor = Factor(self.model.family(letter.name), value, rows, columns)
        return Element(self, {(factor,): self.one})

    def sum_inverse(self, element: Element) -> Element:
        """The inverse of a sum that mixes families, as a letter."""
        words = [word for word in element.terms if word]
        known = [i for i, other in enumerate(self.sums) if other.terms == element.terms]
        index = known[0] if known else len(self.sums)
        if index == SUM_SLOTS:
            raise OutsideTheoryError(
                f"more than {SUM_SLOTS} different inverses of sums of matrices that do not commute"
            )
        if not known:
            self.sums.append(element)
        value = self.field.generator(self.slots[index])
        factor = Factor(f"inverse {index}", value, words[0][-1].columns, words[0][0].rows)
        return Element(self, {(factor,): self.one})

    def sum_of(self, family: str) -> int | None:
        """The number of the inverse of a sum whose family this is."""
        kind, _, number = family.partition(" ")
        return int(number) if kind == "inverse" and number else None

    def is_scalar(self, value: Fraction) -> bool:
        """Whether no letter appears in a field element."""
        polynomials = (value.numer, value.denom)
        return not any(
            monomial[i]
            for polynomial in polynomials
            for monomial in polynomial
            for i in self.positions.values()
        )


@dataclass(frozen=True, eq=False)
class Element:
    """A sum of words with coefficients in the field of scalars."""

    algebra: Algebra
    terms: Words

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __add__(self, other: Element) -> Element:
        return self._collect([*self.terms.items(), *other.terms.items()])

    def __neg__(self) -> Element:
        return self.scaled(-self.algebra.one)

    def __sub__(self, other: Element) -> Element:
        return self + (-other)

    def scaled(self, factor: Fraction) -> Element:
        """The element times a scalar."""
        if not factor:
            return Element(self.algebra, {})
        return self._collect([(word, c * factor) for word, c in self.terms.items()])

    def __mul__(self, other: Element) -> Element:
        products = []
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                go_on("the block resolvent")
                products.append((merge(left, right), a * b))
        return self._collect(products)

    def _collect(self, items: Iterable[tuple[tuple[Factor, ...], Fraction]]) -> Element:
        """Add up equal words, and words of a single factor of one family as functions."""
        algebra = self.algebra
        singles: dict[tuple[str, Any, Any], Fraction] = {}
        words: Words = {}
        for word, coefficient in items:
            if len(word) == 1:
                factor = word[0]
                key = (factor.family, factor.rows, factor.columns)
                singles[key] = singles.get(key, algebra.zero) + coefficient * factor.value
            else:
                words[word] = words.get(word, algebra.zero) + coefficient
        for (family, rows, columns), value in singles.items():
            if value and algebra.is_scalar(value):
                words[()] = words.get((), algebra.zero) + value
            elif value:
                words[(Factor(family, value, rows, columns),)] = algebra.one
        words = {word: c for word, c in words.items() if c}
        if () in words and len(words) == 2:  # a scalar beside one function: one function
            (other,) = (word for word in words if word)
            if len(other) == 1 and other[0].rows == other[0].columns:
                factor = other[0]
                value = factor.value * words[other] + words[()]
                words = {(factor._replace(value=value),): algebra.one}
        return Element(algebra, words)

    def families(self) -> set[str]:
        """The families that appear."""
        return {factor.family for word in self.terms for factor in word}

    def function(self) -> Fraction | None:
        """The element as one function of one family (or a scalar), or None if it mixes."""
        families = self.families()
        if len(families) > 1 or any(len(word) > 1 for word in self.terms):
            return None
        if any(self.algebra.sum_of(family) is not None for family in families):
            return None
        total = self.algebra.zero
        for word, coefficient in self.terms.items():
            total += coefficient * (word[0].value if word else self.algebra.one)
        return total

    def inverse(self) -> Element:
        """The inverse: a function if the element is one, else a letter for the inverse of a sum."""
        if not self.terms:
            raise ZeroDivisionError("inverse of zero")
        value = self.function()
        if value is None:
            return self.algebra.sum_inverse(self)
        if not value:
            raise ZeroDivisionError("inverse of zero")
        factors = [word[0] for word in self.terms if word]
        if not factors or self.algebra.is_scalar(value):
            return self.algebra.constant(self.algebra.one / value)
        family, _, rows, columns = factors[0]
        inverse = self.algebra.one / value
        return Element(self.algebra, {(Factor(family, inverse, columns, rows),): self.algebra.one})

    def survives(self, unknowns: frozenset[int]) -> bool:
        """Whether it is not zero where these symbols of the field are zero."""
        values = [f.value for word in self.terms for f in word] or list(self.terms.values())
        return all(any(not any(m[i] for i in unknowns) for m in v.numer) for v in values)

    def is_square(self) -> bool:
        """Whether it maps a space to itself (a rectangular block is no pivot)."""
        return all(not word or word[0].rows == word[-1].columns for word in self.terms)

    def weight(self) -> tuple[int, int]:
        """How complicated: words, then terms; pivots are chosen by it."""
        values = [f.value for word in self.terms for f in word] + list(self.terms.values())
        size = sum(len(v.numer) + len(v.denom) for v in values)
        mixing = 0 if self.function() is not None else 1
        return (mixing * 1000 + max((len(word) for word in self.terms), default=0), size)


def merge(left: tuple[Factor, ...], right: tuple[Factor, ...]) -> tuple[Factor, ...]:
    """Concatenate two words, multiplying factors of one family that meet."""
    if left and right and left[-1].family == right[0].family:
        last, first = left[-1], right[0]
        factor = Factor(last.family, last.value * first.value, last.rows, first.columns)
        return (*left[:-1], factor, *right[1:])
    return left + right


Matrix = dict[tuple[int, int], Element]


def invert(
    matrix: Matrix, indices: list[int], algebra: Algebra, unknowns: frozenset[int] = frozenset()
) -> Matrix:
    """The inverse of a block matrix, by Gauss–Jordan from the left; entries do not commute.

    Pivots that do not vanish with the ``unknowns`` (positions in the field) are preferred, so that
    the result shows that it is regular there. ZeroDivisionError if it is structurally singular.
    """
    unit = algebra.constant(algebra.one)
    zero = algebra.constant(algebra.zero)
    rows = {i: {j: matrix[i, j] for j in indices if (i, j) in matrix} for i in indices}
    sides = {i: {i: unit} for i in indices}
    pivot_row: dict[int, int] = {}
    columns = sorted(indices)
    while columns:
        candidates = [
            (not rows[i][j].survives(unknowns), rows[i][j].weight(), abs(i - j), i, j)
            for i in indices
            if i not in pivot_row.values()
            for j in columns
            if j in rows[i] and rows[i][j].is_square()
        ]
        if not candidates:
            raise ZeroDivisionError("the block matrix is singular")
        *_, i, j = min(candidates)
        inverse = rows[i][j].inverse()
        rows[i] = _clean({k: inverse * e for k, e in rows[i].items()})
        rows[i][j] = unit
        sides[i] = _clean({k: inverse * e for k, e in sides[i].items()})
        for other in indices:
            if other != i and j in rows[other]:
                factor = rows[other][j]
                rows[other] = _minus(rows[other], factor, rows[i], zero)
                rows[other].pop(j, None)
                sides[other] = _minus(sides[other], factor, sides[i], zero)
        pivot_row[j] = i
        columns.remove(j)
    return {(j, k): e for j, i in pivot_row.items() for k, e in sides[i].items()}


def _clean(row: dict[int, Element]) -> dict[int, Element]:
    return {k: e for k, e in row.items() if e}


def _minus(
    row: dict[int, Element], factor: Element, other: dict[int, Element], zero: Element
) -> dict[int, Element]:
    result = dict(row)
    for k, e in other.items():
        result[k] = result.get(k, zero) - factor * e
    return _clean(result)
