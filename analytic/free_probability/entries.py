r"""Entries of a pencil: sums of s·L X R with at most one random matrix X in each term.

L and R are deterministic words (tuples of letters), s a scalar. Entries are added, scaled and
multiplied; the product of two random entries is not linear and has no entry (None). They are
turned into numbers (`entry_value`) and into sympy matrix expressions (`entry_expression`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from sympy import Identity, Inverse, MatAdd, MatMul, MatPow, MatrixExpr, ZeroMatrix

from .declarations import MatrixModel
from .expression import Letter, word_key

Word = tuple[Any, ...]
Term = tuple[Word, Letter | None, Word]
Entry = dict[Term, sp.Expr]
UNIT: Term = ((), None, ())


@dataclass(frozen=True)
class FixedInverse:
    """The inverse of a purely deterministic sum of words, used as one letter."""

    terms: tuple[tuple[Word, sp.Expr], ...]

    def key(self) -> tuple[Any, ...]:
        """An order that does not depend on hashing."""
        return (2, *((word_key(word), sp.sstr(c)) for word, c in self.terms))


def entry(term: Term = UNIT, coefficient: Any = 1) -> Entry:
    """An entry of one term."""
    return {term: sp.sympify(coefficient)} if coefficient != 0 else {}


def add(*entries: Entry) -> Entry:
    """The sum of entries."""
    total: Entry = {}
    for item in entries:
        for term, coefficient in item.items():
            total[term] = total[term] + coefficient if term in total else coefficient
    return {term: s for t, c in total.items() if (s := sp.cancel(c)) != 0 for term in [t]}


def scale(item: Entry, factor: sp.Expr) -> Entry:
    """The entry times a scalar."""
    return {term: sp.cancel(factor * c) for term, c in item.items()}


def multiply(left: Entry, right: Entry) -> Entry | None:
    """The product of two entries, or None if it is not linear in the random matrices."""
    products: list[Entry] = []
    for (l1, x1, r1), c1 in left.items():
        for (l2, x2, r2), c2 in right.items():
            if x1 is not None and x2 is not None:
                return None
            if x1 is None and x2 is None:
                term: Term = (join(l1 + r1, l2 + r2), None, ())
            elif x1 is None:
                term = (join(l1 + r1, l2), x2, r2)
            else:
                term = (l1, x1, join(r1, l2 + r2))
            products.append({term: c1 * c2})
    return add(*products)


def join(left: Word, right: Word) -> Word:
    """Concatenate deterministic words, with √L √L = L."""
    result = list(left)
    for letter in right:
        last = result[-1] if result else None
        root = isinstance(letter, Letter) and not letter.exponent.is_Integer
        if root and last == letter:
            result[-1] = Letter(letter.name, exponent=2 * letter.exponent)
        else:
            result.append(letter)
    return tuple(result)


def is_scalar(item: Entry) -> bool:
    """Whether the entry is a non-zero multiple of the identity."""
    return set(item) == {UNIT}


def is_fixed(item: Entry) -> bool:
    """Whether no random matrix appears."""
    return all(term[1] is None for term in item)


def word_value(
    word: Word, size: int, matrices: Mapping[str, np.ndarray], scalars: Mapping[Any, complex]
) -> np.ndarray:
    """A deterministic word on numeric matrices; the empty word is the identity of ``size``."""
    value: Any = None
    for letter in word:
        if isinstance(letter, FixedInverse):
            rows = size if value is None else value.shape[1]
            parts = (
                complex(sp.N(c.subs(scalars))) * word_value(w, rows, matrices, scalars)
                for w, c in letter.terms
            )
            matrix = np.linalg.inv(sum(parts, np.zeros((rows, rows))))
        else:
            matrix = matrices[letter.name]
            matrix = np.conj(matrix.T) if letter.transposed else matrix
            if letter.exponent != 1:
                eigenvalues, vectors = np.linalg.eigh(matrix)
                matrix = (vectors * np.sqrt(np.clip(eigenvalues, 0, None))) @ vectors.T
        value = matrix if value is None else value @ matrix
    return np.eye(size) if value is None else value


def entry_value(
    item: Entry,
    rows: int,
    matrices: Mapping[str, np.ndarray],
    scalars: Mapping[Any, complex],
) -> Any:
    """An entry with ``rows`` rows on numeric matrices; the zero entry gives 0."""
    total: Any = 0
    for (left, letter, right), coefficient in item.items():
        value = word_value(left, rows, matrices, scalars)
        if letter is not None:
            matrix = matrices[letter.name]
            matrix = np.conj(matrix.T) if letter.transposed else matrix
            value = value @ matrix @ word_value(right, matrix.shape[1], matrices, scalars)
        total = total + complex(sp.N(coefficient.subs(scalars))) * value
    return total


def letter_expression(letter: Any, model: MatrixModel) -> MatrixExpr:
    """A letter of a word as a sympy matrix expression."""
    if isinstance(letter, FixedInverse):
        size = next(word_expression(w, model).rows for w, _ in letter.terms if w)
        parts = (c * (word_expression(w, model) if w else Identity(size)) for w, c in letter.terms)
        return Inverse(MatAdd(*parts).doit())
    record = model.random.get(letter.name) or model.fixed[letter.name]
    symbol = record.symbol.T if letter.transposed else record.symbol
    return symbol if letter.exponent == 1 else MatPow(symbol, letter.exponent)


def word_expression(word: Word, model: MatrixModel) -> MatrixExpr:
    """A deterministic word as a sympy matrix expression."""
    return MatMul(*(letter_expression(letter, model) for letter in word))


def entry_expression(
    item: Entry, rows: sp.Expr, columns: sp.Expr, model: MatrixModel
) -> MatrixExpr:
    """An entry of a pencil as a sympy matrix expression."""
    terms = []
    for (left, letter, right), c in sorted(item.items(), key=lambda pair: str(pair[0])):
        word = (*left, *((letter,) if letter is not None else ()), *right)
        body = word_expression(word, model) if word else Identity(rows)
        terms.append(body if c == 1 else MatMul(c, body).doit())
    if not terms:
        return ZeroMatrix(rows, columns)
    return terms[0] if len(terms) == 1 else MatAdd(*terms)
