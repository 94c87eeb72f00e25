r"""Where the terms of a pencil enter the Dyson equation of some of its blocks, before any numbers.

Blocks that deterministic entries couple lie on one space; each space has one group of blocks. A
term c·word at (row, column) of a group is written down once, by the places of its coefficients
among those of the pencil and the place of its word among the words of the group, so that numbers
only have to be put in:

    A = F − Σ(u) = Σ_words word ⊗ (constants − Σ u_b coefficient_b),      u_a = v_a Tr(word G_jk).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from .entries import Word
from .pencil_numbers import Term, letters_of, transposed

Key = tuple[Any, ...]
Supported = Callable[[int, int], bool]


class Entering(NamedTuple):
    """c₁c₂·word at (row, column), times an unknown; the places of c₁ and c₂ in the pencil."""

    unknown: np.ndarray
    row: np.ndarray
    column: np.ndarray
    word: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Taken(NamedTuple):
    """The unknown v·Tr(word G_(row, column)), v the variance of a matrix of the layout."""

    unknown: np.ndarray
    row: np.ndarray
    column: np.ndarray
    word: np.ndarray
    matrix: np.ndarray


@dataclass
class Group:
    """The blocks on one space, by their places in it, and what enters and is taken there."""

    names: frozenset[str]
    dimensions: frozenset[sp.Expr]
    blocks: list[int] = field(default_factory=list)
    words: dict[tuple[Word, sp.Expr], int] = field(default_factory=dict)
    traced: dict[tuple[Word, sp.Expr], int] = field(default_factory=dict)
    spaces: list[sp.Expr] = field(default_factory=list)
    rows: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)

    def add(self, kind: str, words: dict[Any, int], word: Any, *numbers: int) -> None:
        """One term of some kind: its numbers and the place of its word, which may be new."""
        place = words.setdefault(word, len(words))
        self.rows.setdefault(kind, []).append((*numbers, place))

    def entering(self, kind: str) -> Entering:
        """The terms that enter."""
        if kind not in self.columns:
            b, i, k, first, second, word = self._columns(kind, 6)
            self.columns[kind] = Entering(b, i, k, word, first, second)
        return self.columns[kind]  # type: ignore[no-any-return]

    def taken(self, kind: str) -> Taken:
        """The unknowns that are traces here."""
        if kind not in self.columns:
            a, j, k, matrix, word = self._columns(kind, 5)
            self.columns[kind] = Taken(a, j, k, word, matrix)
        return self.columns[kind]  # type: ignore[no-any-return]

    def _columns(self, kind: str, count: int) -> np.ndarray:
        return np.array(self.rows.get(kind, []), int).reshape(-1, count).T

    @cached_property
    def slots(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where A has entries, by block and word, and which constants and unknowns add up there."""
        fixed, enter, count = self.entering("fixed"), self.entering("enter"), len(self.words)
        places = np.concatenate(
            [(e.row * len(self.blocks) + e.column) * count + e.word for e in (fixed, enter)]
        )
        slots, order = np.unique(places, return_inverse=True)
        constant, filling = order[: len(fixed.row)], order[len(fixed.row) :]
        return slots, choice(constant, len(slots)), choice(filling, len(slots))


def choice(places: np.ndarray, count: int) -> np.ndarray:
    """The matrix that adds the rows of an array up at their places."""
    result = np.zeros((count, len(places)))
    result[places, np.arange(len(places))] = 1.0
    return result


class Layout:
    """The groups of some blocks of a pencil, and the unknowns that are traces of their blocks."""

    def __init__(
        self,
        model: Any,
        terms: Sequence[Term],
        spaces: Sequence[sp.Expr],
        blocks: Iterable[int],
        support: Supported | None = None,
        outside: Iterable[Word] = (),
        traced: Iterable[sp.Expr] = (),
    ) -> None:
        self.model, self.terms, self.spaces, self.blocks = model, terms, spaces, sorted(blocks)
        inside = set(self.blocks)
        places = [n for n, t in enumerate(terms) if t.row in inside and t.column in inside]
        self.fixed = [n for n in places if not terms[n].matrix]
        self.random = [n for n in places if terms[n].matrix]
        self.matrices = sorted({terms[n].matrix for n in self.random})
        inner = [w for n in places for w in (terms[n].left, terms[n].right)]
        self.groups = self._grouped(letters_of([*inner, *outside]), traced)
        self.group = {b: self.groups[self.on[spaces[b]]] for b in self.blocks}
        self.place = {b: k for group in self.groups for k, b in enumerate(group.blocks)}
        for n in self.fixed:
            i, k, word = terms[n].row, terms[n].column, terms[n].left
            self._enter("fixed", 0, i, k, word, n, n)
        self.keys = self._pair(support)
        self.adjoint_keys = self._pair_adjoint()

    def _grouped(self, names: set[str], traced: Iterable[sp.Expr]) -> list[Group]:
        """One group for every space; spaces that a rectangular matrix connects share it."""
        fixed, random = self.model.fixed, self.model.random
        dimensions = {self.spaces[b] for b in self.blocks} | {*traced}
        dimensions |= {d for n in names for d in fixed[n].symbol.shape}
        dimensions |= {
            d for m in self.matrices for d in random[m].symbol.shape
        }  # a word beside X lives on a space of X
        leader = _joined(self.model, names, sorted(dimensions, key=str))
        order = sorted({leader[d] for d in dimensions}, key=str)
        self.on = {d: order.index(leader[d]) for d in dimensions}
        groups = []
        for root in order:
            members = frozenset(d for d in dimensions if leader[d] == root)
            own = frozenset(n for n in names if fixed[n].symbol.rows in members)
            groups.append(Group(own, members))
        for block in self.blocks:
            group = groups[self.on[self.spaces[block]]]
            group.blocks.append(block)
            group.spaces.append(self.spaces[block])
        return groups

    def same(self, first: int, second: int) -> bool:
        """Whether two blocks lie on one space."""
        return self.on[self.spaces[first]] == self.on[self.spaces[second]]

    def _enter(
        self, kind: str, unknown: int, row: int, column: int, word: Word, *terms: int
    ) -> None:
        group, places = self.group[row], (self.place[row], self.place[column])
        group.add(kind, group.words, (word, self.spaces[row]), unknown, *places, *terms)

    def _take(self, kind: str, unknown: int, row: int, column: int, word: Word, name: str) -> None:
        group, places = self.group[row], (self.place[row], self.place[column])
        matrix = self.matrices.index(name)
        group.add(kind, group.traced, (word, self.spaces[column]), unknown, *places, matrix)

    def _pair(self, support: Supported | None) -> dict[Key, int]:
        """The unknowns u = v Tr(R G_jk L') and where they enter Σ."""
        keys: dict[Key, int] = {}
        for n, first in self._letters():
            for m, second in self._letters():
                symmetric = self.model.random[first.matrix].symmetric
                paired = first.matrix == second.matrix and (
                    symmetric or first.transposed != second.transposed
                )
                j, k = first.column, second.row
                if not paired or not self.same(j, k) or not (support is None or support(j, k)):
                    continue
                key = (first.matrix, j, k, first.right, second.left)
                if key not in keys:
                    keys[key] = len(keys)
                    word = (*second.left, *first.right)
                    self._take("of", keys[key], j, k, word, first.matrix)
                words = (*first.left, *second.right)
                self._enter("enter", keys[key], first.row, second.column, words, n, m)
        return keys

    def _pair_adjoint(self) -> dict[Key, int]:
        """The traces v Tr(Lᵀ V_ii' L') of T and where they enter E[𝒳* V 𝒳]."""
        keys: dict[Key, int] = {}
        for n, first in self._letters():
            for m, second in self._letters():
                symmetric = self.model.random[first.matrix].symmetric
                if first.matrix != second.matrix or not (
                    symmetric or first.transposed == second.transposed
                ):
                    continue
                i, j = first.row, second.row
                if not self.same(i, j):
                    continue
                key = (first.matrix, first.transposed, i, j, first.left, second.left)
                if key not in keys:
                    keys[key] = len(keys)
                    word = (*second.left, *transposed(first.left))
                    self._take("adjoint of", keys[key], i, j, word, first.matrix)
                words = (*transposed(first.right), *second.right)
                place = first.column, second.column
                self._enter("adjoint enter", keys[key], *place, words, n, m)
        return keys

    def _letters(self) -> list[tuple[int, Term]]:
        return [(n, self.terms[n]) for n in self.random]


def _joined(model: Any, names: set[str], spaces: Iterable[sp.Expr]) -> dict[sp.Expr, sp.Expr]:
    """A leader for every space; spaces that a rectangular matrix connects share it."""
    leader = {space: space for space in spaces}

    def find(space: sp.Expr) -> sp.Expr:
        while leader.setdefault(space, space) != space:
            space = leader[space]
        return space

    for name in sorted(names):
        first, second = (find(space) for space in model.fixed[name].symbol.shape)
        leader[first] = second
    return {space: find(space) for space in list(leader)}
