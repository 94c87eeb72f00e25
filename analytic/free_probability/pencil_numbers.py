r"""A pencil at numbers: its terms, c L X R at a block, over many points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from .entries import FixedInverse, Word
from .pencil import Pencil
from .tape import Tape, number


class Term(NamedTuple):
    """``coefficient``·L X R at block (row, column); X is empty for a deterministic term L."""

    row: int
    column: int
    coefficient: np.ndarray
    left: Word
    matrix: str = ""
    transposed: bool = False
    right: Word = ()

    def adjoint(self, shift: int) -> Term:
        """The adjoint in the lower left of a double of ``shift`` + ``shift`` blocks."""
        word, other = transposed(self.left), transposed(self.right)
        left, right = (word, ()) if not self.matrix else (other, word)
        coefficient = np.conj(self.coefficient)
        row, column, flip = shift + self.column, self.row, not self.transposed
        return Term(row, column, coefficient, left, self.matrix, flip, right)


def transposed(word: Word) -> Word:
    """The letters of the transposed word."""
    flipped = []
    for letter in reversed(word):
        if isinstance(letter, FixedInverse):
            terms = tuple((transposed(w), c) for w, c in letter.terms)
            flipped.append(FixedInverse(terms))
        else:
            flipped.append(replacetransposed(letter))
    return tuple(flipped)


def replacetransposed(letter: Any) -> Any:
    """Xᵀ for X; the flag has no effect on symmetric matrices."""
    return replace(letter, transposed=not letter.transposed)


def floating(value: Any) -> np.ndarray:
    """A number or an array as float64 or complex128: never as machine integers, which overflow."""
    array = np.asarray(value, complex)
    return array if np.iscomplexobj(value) or np.any(array.imag) else array.real


class Numbers:
    """What a pencil is evaluated at: scalars over points, matrices, dimensions."""

    def __init__(self, pencil: Pencil, values: Mapping[sp.Symbol, Any], given: Any) -> None:
        self.pencil, self.given = pencil, given
        self.points = max(len(v) for v in values.values()) if values else 1
        self.values = dict(values)
        self.model = pencil.model
        self.known: dict[Any, np.ndarray] = {}

    def scalar(self, expression: Any) -> np.ndarray:
        """A coefficient at every point."""
        if expression not in self.known:
            with np.errstate(divide="ignore", invalid="ignore"):
                value = np.asarray(number(expression, self.values))
            self.known[expression] = np.broadcast_to(value, (self.points,))
        return self.known[expression]

    def column(self, expression: Any) -> np.ndarray:
        """A coefficient as a column, at every point or once where all points agree."""
        found = self.scalar(expression)
        return found[:1, None] if len(found) and np.all(found == found[0]) else found[:, None]

    def terms(self) -> list[Term]:
        """The terms of the pencil."""
        memory = self.pencil.memory
        if "terms" not in memory:
            memory["terms"] = _listed(self.pencil)
        terms, tape = memory["terms"]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = tape.run(self.values, {})
        return [
            Term(t.row, t.column, np.broadcast_to(c, self.points), *t[3:])
            for t, c in zip(terms, found, strict=True)
        ]


def _listed(pencil: Pencil) -> tuple[list[Term], Tape]:
    """The terms of a pencil in their order, and a tape of their coefficients."""
    terms, coefficients = [], []
    for (i, j), item in sorted(pencil.q.items()):
        for (left, letter, right), c in sorted(item.items(), key=lambda pair: str(pair[0])):
            kind = (letter.name, letter.transposed, right) if letter is not None else ()
            terms.append(Term(i, j, np.zeros(0), left, *kind))
            coefficients.append(c)
    return terms, Tape(coefficients)


def letters_of(words: Iterable[Word]) -> set[str]:
    """The names of the deterministic matrices in some words."""
    found: set[str] = set()
    for word in words:
        for letter in word:
            if isinstance(letter, FixedInverse):
                found |= letters_of(w for w, _ in letter.terms)
            else:
                found.add(letter.name)
    return found


def times(coefficient: np.ndarray, block: np.ndarray) -> np.ndarray:
    """A number for every point times a block for every point."""
    with np.errstate(invalid="ignore"):  # a coefficient may be 1/0: see `Components.finite`
        return coefficient.reshape(-1, *[1] * (block.ndim - 1)) * block


def rows_of(weight: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The rows of some points of an array over points (one row serves all)."""
    return weight if len(weight) == 1 else weight[at]
