r"""A pencil at numbers: its terms, c L X R at a block, over many points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from .entries import FixedInverse, Word
from .pencil import Pencil
from .tape import number


@dataclass(frozen=True)
class Term:
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

    def scalar(self, expression: Any) -> np.ndarray:
        """A coefficient at every point."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(number(expression, self.values))
        return np.broadcast_to(value, (self.points,))

    def terms(self) -> list[Term]:
        """The terms of the pencil."""
        return [
            Term(i, j, self.scalar(c), left, letter.name, letter.transposed, right)
            if letter is not None
            else Term(i, j, self.scalar(c), left)
            for (i, j), item in sorted(self.pencil.q.items())
            for (left, letter, right), c in sorted(item.items(), key=lambda pair: str(pair[0]))
        ]


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
