r"""The Dyson equation in numbers: G(u) = (F − Σ(u))^{-1}, u = v Tr(R G_jk L), at many points.

The blocks of a pencil are arrays over points (and over the modes of deterministic matrices that
commute; matrices that do not are kept whole). Four things are computed from G:

    f(u)_a   = v_a Tr(R_a G_jk L_a),                                     the equation u = f(u)
    ∂f_a/∂u_b = v_a Tr(R_a G (∂Σ/∂u_b) G L_a),                                   Newton's method
    T(V)     = G* E[𝒳* V 𝒳] G,                                                  the certificate
    Σ c_i G_ij b_j + d,                                                         the outputs.

T acts on V through the finitely many traces v Tr(Lᵀ V_{ii'} L') that E[𝒳* V 𝒳] contains, so its
spectral radius is that of a small matrix. The Hermitian double [[−iε, Q], [Q*, −iε]] of a pencil is
a pencil again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from .entries import Word
from .mode_blocks import Diagonal, Link, Whole
from .pencil_numbers import Numbers, Term, letters_of, times, transposed

Key = tuple[Any, ...]


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


class BlockEquation:
    """u = f(u) for some blocks of a pencil, at every point."""

    def __init__(
        self,
        numbers: Numbers,
        terms: list[Term],
        spaces: list[sp.Expr],
        blocks: list[int],
        support: Callable[[int, int], bool] | None = None,
        outside: Iterable[Word] = (),
        traced: Iterable[sp.Expr] = (),
    ) -> None:
        self.numbers, self.spaces, self.blocks = numbers, spaces, sorted(blocks)
        inside = set(blocks)
        self.terms = [t for t in terms if t.row in inside and t.column in inside]
        self.fixed = [t for t in self.terms if not t.matrix]
        self.random = [t for t in self.terms if t.matrix]
        self.variances = {
            t.matrix: numbers.scalar(numbers.model.random[t.matrix].variance) for t in self.random
        }
        inner = [w for t in self.terms for w in (t.left, t.right)]
        names = letters_of([*inner, *outside])
        self._group(names, traced)
        self._pair(support)
        self._pair_adjoint()

    def _group(self, names: set[str], traced: Iterable[sp.Expr]) -> None:
        """Blocks by space: one small matrix for each mode of it."""
        model, given = self.numbers.model, self.numbers.given
        dimensions = {self.spaces[b] for b in self.blocks} | {*traced}
        dimensions |= {d for n in names for d in model.fixed[n].symbol.shape}
        dimensions |= {
            d for t in self.random for d in model.random[t.matrix].symbol.shape
        }  # a word beside X lives on a space of X
        leader = _joined(model, names, sorted(dimensions, key=str))
        self.on: dict[sp.Expr, Any] = {}
        for root in {leader[d] for d in dimensions}:
            members = {d for d in dimensions if leader[d] == root}
            own = {n for n in names if model.fixed[n].symbol.rows in members}
            families = {model.family(n) for n in own}
            diagonal = given.is_diagonal([model.fixed[n].eigenvalue for n in own])
            kind = Whole if len(families) > 1 and not diagonal else Diagonal
            modes = kind(self.numbers, own, members)
            self.on.update(dict.fromkeys(members, modes))
        self.groups: dict[int, tuple[Any, list[int]]] = {}
        for block in self.blocks:
            modes = self.on[self.spaces[block]]
            self.groups.setdefault(id(modes), (modes, []))[1].append(block)
        self.place = {b: k for _, g in self.groups.values() for k, b in enumerate(g)}

    def same(self, first: int, second: int) -> bool:
        """Whether two blocks are coupled by deterministic entries (lie on one space)."""
        return self.on[self.spaces[first]] is self.on[self.spaces[second]]

    def _traced(self, block: int, word: Word) -> np.ndarray:
        """A word that is traced over the space of a block."""
        space = self.spaces[block]
        return self.on[space].traced(word, space)

    def _word(self, block: int, word: Word) -> np.ndarray:
        """A word on the space of a block."""
        space = self.spaces[block]
        return self.on[space].word(word, space)

    def _pair(self, support: Callable[[int, int], bool] | None) -> None:
        """The unknowns u = v Tr(R G_jk L') and where they enter Σ."""
        self.keys: dict[Key, int] = {}
        self.enter: list[tuple[int, int, int, np.ndarray]] = []  # unknown, row, column, weight
        self.of: list[tuple[int, int, np.ndarray]] = []  # row, column, weight
        for first in self.random:
            for second in self.random:
                symmetric = self.numbers.model.random[first.matrix].symmetric
                paired = first.matrix == second.matrix and (
                    symmetric or first.transposed != second.transposed
                )
                j, k = first.column, second.row
                if not paired or not self.same(j, k) or not (support is None or support(j, k)):
                    continue
                key = (first.matrix, j, k, first.right, second.left)
                if key not in self.keys:
                    self.keys[key] = len(self.keys)
                    weight = self._traced(k, (*second.left, *first.right))
                    self.of.append((j, k, times(self.variances[first.matrix], weight)))
                words = self._word(first.row, (*first.left, *second.right))
                weight = times(first.coefficient * second.coefficient, words)
                self.enter.append((self.keys[key], first.row, second.column, weight))

    def _pair_adjoint(self) -> None:
        """The traces v Tr(Lᵀ V_ii' L') of T and where they enter E[𝒳* V 𝒳]."""
        keys: dict[Key, int] = {}
        self.adjoint_enter: list[tuple[int, int, int, np.ndarray]] = []
        self.adjoint_of: list[tuple[int, int, np.ndarray]] = []
        for first in self.random:
            for second in self.random:
                symmetric = self.numbers.model.random[first.matrix].symmetric
                if first.matrix != second.matrix or not (
                    symmetric or first.transposed == second.transposed
                ):
                    continue
                if not self.same(first.row, second.row):
                    continue
                kind = (first.matrix, first.transposed)
                key = (*kind, first.row, second.row, first.left, second.left)
                if key not in keys:
                    keys[key] = len(keys)
                    word = (*second.left, *transposed(first.left))
                    weight = times(
                        np.abs(self.variances[first.matrix]), self._traced(second.row, word)
                    )
                    self.adjoint_of.append((first.row, second.row, weight))
                words = self._word(first.column, (*transposed(first.right), *second.right))
                weight = times(np.conj(first.coefficient) * second.coefficient, words)
                self.adjoint_enter.append((keys[key], first.column, second.column, weight))

    @property
    def modes(self) -> int:
        """How many numbers a block has for each point."""
        return max((modes.length for modes, _ in self.groups.values()), default=1)

    @property
    def size(self) -> int:
        """The number of unknowns."""
        return len(self.keys)

    def zero(self) -> np.ndarray:
        """u = 0 at every point."""
        return np.zeros((self.size, self.numbers.points), complex)

    def green(self, u: np.ndarray, at: np.ndarray, scale: float = 1.0) -> dict[int, Any]:
        """G(u) at the points ``at``, one array (points, modes, n, n) for each group."""
        result = {}
        for name, (modes, blocks) in self.groups.items():
            members, parts = set(blocks), []
            for term in self.fixed:
                if term.row in members:
                    word = _rows(self._word(term.row, term.left), at)
                    place = self.place[term.row], self.place[term.column]
                    parts.append((*place, times(term.coefficient[at], word)))
            for index, row, column, weight in self.enter:
                if row in members:
                    value = times(-scale * u[index], _rows(weight, at))
                    parts.append((self.place[row], self.place[column], value))
            spaces = [self.spaces[b] for b in blocks]
            result[name] = modes.inverse(len(blocks), len(at), parts, spaces)
        return result

    def entry(self, green: dict[int, Any], row: int, column: int) -> np.ndarray:
        """G_jk at every point and mode."""
        modes = self.on[self.spaces[row]]
        return modes.entry(green[id(modes)], self.place[row], self.place[column], self.spaces)

    def _trace(self, block: int, *factors: np.ndarray) -> np.ndarray:
        return self.on[self.spaces[block]].trace(*factors)

    def mapped(self, green: dict[int, Any], at: np.ndarray) -> np.ndarray:
        """f(u) from G(u)."""
        rows = [
            self._trace(j, _rows(weight, at), self.entry(green, j, k)) for j, k, weight in self.of
        ]
        return np.array(rows, complex).reshape(self.size, len(at))

    def _pairs(
        self, green: dict[int, Any], at: np.ndarray, of: Any, enter: Any, adjoint: bool
    ) -> np.ndarray:
        """Σ_modes w_a w_b G_{j i} G_{l k}, or with a conjugate for T: (points, a, b)."""
        result = np.zeros((len(at), len(of), len(of)), complex)
        for name, (modes, blocks) in self.groups.items():
            members, place = set(blocks), self.place
            rows = [
                Link(a, place[j], place[k], _rows(weight, at))
                for a, (j, k, weight) in enumerate(of)
                if j in members and k in members
            ]
            columns = [
                Link(b, place[i], place[k], _rows(weight, at))
                for b, i, k, weight in enter
                if i in members and k in members
            ]
            if rows and columns:
                modes.add_pairs(green[name], rows, columns, result, adjoint)
        return result

    def jacobian(self, green: dict[int, Any], at: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """∂f_a/∂u_b."""
        return scale * self._pairs(green, at, self.of, self.enter, False)

    def output(
        self,
        green: dict[int, Any],
        at: np.ndarray,
        c: Mapping[int, Any],
        b: Mapping[int, Any],
        d: Any,
        space: sp.Expr,
    ) -> np.ndarray:
        """Tr(Σ c_i G_ij b_j + d) over a space."""
        scalar, modes = self.numbers.scalar, self.on[space]
        total = np.zeros(len(at), complex)
        for (word, _, _), coefficient in d.items():
            one = modes.word((), space)
            total = total + scalar(coefficient)[at] * modes.trace(
                _rows(modes.traced(word, space), at), one
            )
        for i, left in c.items():
            for j, right in b.items():
                if not self.same(i, j):
                    continue
                for (first, _, _), a in left.items():
                    for (second, _, _), e in right.items():
                        word = _rows(self._traced(j, (*second, *first)), at)
                        trace = self._trace(i, word, self.entry(green, i, j))
                        total = total + (scalar(a) * scalar(e))[at] * trace
        return total

    def radius(self, green: dict[int, Any], at: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """The spectral radius of T at every point (1 where it is not finite)."""
        matrix = scale * self._pairs(green, at, self.adjoint_of, self.adjoint_enter, True)
        good = np.all(np.isfinite(matrix), axis=(1, 2))
        result = np.full(len(at), np.inf)
        if matrix.shape[1] == 0:
            return np.zeros(len(at))
        with np.errstate(all="ignore"):
            result[good] = np.abs(np.linalg.eigvals(_balanced(matrix[good]))).max(axis=1)
        return result


def _rows(weight: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The rows of some points of an array over points and modes (one row serves all)."""
    return weight if len(weight) == 1 else weight[at]


def _balanced(matrices: np.ndarray) -> np.ndarray:
    """D^{-1} M D with D from the root of row and column sums: sizes differ by many orders."""
    result = np.array(matrices)
    for _ in range(8):
        rows, columns = np.abs(result).sum(axis=2), np.abs(result).sum(axis=1)
        scale = np.sqrt(np.where((rows > 0) & (columns > 0), rows / columns, 1.0))
        result = result / scale[:, :, None] * scale[:, None, :]
    return result


class DoubledEquation(BlockEquation):
    """The Hermitian double [[−iε, Q], [Q*, −iε]] of some blocks; ``shift`` holds −iε."""

    def __init__(
        self, numbers: Numbers, terms: list[Term], spaces: list[sp.Expr], blocks: list[int]
    ) -> None:
        n, inside = len(spaces), set(blocks)
        self.offset = n
        self.shift = np.zeros(numbers.points, complex)
        kept = [t for t in terms if t.row in inside and t.column in inside]
        upper = [replace(t, column=t.column + n) for t in kept]
        lower = [t.adjoint(n) for t in kept]
        both = [*blocks, *(b + n for b in blocks)]
        diagonal = [Term(b, b, self.shift, ()) for b in both]
        super().__init__(numbers, [*upper, *lower, *diagonal], spaces + spaces, both)
