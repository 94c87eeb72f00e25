r"""Blocks of a resolvent on one space: one small matrix for each mode, or whole matrices.

Where the deterministic matrices of a space are diagonal in one basis, a block is an array over
points and modes, and the block matrix of a space is inverted mode by mode. Where they do not
commute, blocks are whole matrices over points.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from ..errors import OutsideTheoryError
from .entries import FixedInverse, Word, word_value
from .pencil_numbers import Numbers

MANY = 4_096  # numbers in a block from which blocks are multiplied one by one
TOGETHER = 100_000  # numbers in one array of products


class Link(NamedTuple):
    """An unknown, the blocks (row, column) that it belongs to or enters, and its weight."""

    unknown: int
    row: int
    column: int
    weight: np.ndarray


class Diagonal:
    """A space on which all deterministic matrices are diagonal: one entry for each mode."""

    def __init__(self, numbers: Numbers, names: set[str], spaces: set[sp.Expr]) -> None:
        self.numbers, given = numbers, numbers.given
        records = [numbers.model.fixed[name] for name in sorted(names)]
        self.weights = {space: numbers.scalar(space)[:, None] for space in spaces}
        self.roots: dict[str, np.ndarray] = {}
        length = 1
        if records:
            longest = [len(given.eigenvalues[r.eigenvalue]) for r in records]
            sizes = [float(np.max(numbers.scalar(s).real)) for r in records for s in r.symbol.shape]
            length = max(*longest, *(int(s) for s in sizes))
            order = np.arange(length)
            for space in spaces:
                size = numbers.scalar(space)[:, None]
                self.weights[space] = np.where(order < size, 1.0, 0.0)
        for record in records:
            modes = given.eigenvalues[record.eigenvalue]
            padded = np.concatenate([modes, np.zeros(length - len(modes))])
            self.roots[record.symbol.name] = padded
        self.length = length

    def word(self, word: Word, space: sp.Expr) -> np.ndarray:
        """A deterministic word at every mode (and point, if its coefficients vary)."""
        total: Any = np.ones((1, 1))
        for letter in word:
            if isinstance(letter, FixedInverse):
                parts = (
                    self.numbers.scalar(c)[:, None] * self.word(w, space) for w, c in letter.terms
                )
                total = total / sum(parts)
            else:
                symmetric = self.numbers.model.fixed[letter.name].symmetric
                power = letter.exponent if symmetric else sp.Rational(1, 2)
                root = self.roots[letter.name]
                total = total * (root if power == 1 else np.sqrt(root) ** int(2 * power))
        return total

    def traced(self, word: Word, space: sp.Expr) -> np.ndarray:
        """The word with the multiplicity of every mode."""
        return self.word(word, space) * self.weights[space]

    def inverse(
        self, n: int, points: int, parts: list[Any], spaces: list[sp.Expr]
    ) -> list[list[Any]]:
        """The inverse of the block matrix with (row, column, block), for every mode: its blocks."""
        found: list[list[Any]] = [[None] * n for _ in range(n)]
        for row, column, block in parts:
            known = found[row][column]
            found[row][column] = block if known is None else known + block
        return inverse_blocks(found)

    def entry(self, matrix: list[list[Any]], row: int, column: int, spaces: Any) -> np.ndarray:
        """One block."""
        return matrix[row][column]  # type: ignore[no-any-return]

    def stacked(self, matrix: list[list[Any]]) -> np.ndarray:
        """The blocks as small matrices, over points and modes."""
        blocks = np.array(np.broadcast_arrays(*(b for row in matrix for b in row)))
        return np.moveaxis(blocks, 0, -1).reshape(*blocks.shape[1:], len(matrix), len(matrix))

    def trace(self, *factors: np.ndarray) -> np.ndarray:
        """The trace of a product, the first factor being `traced`."""
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return np.sum(product, axis=1)

    adjoint = staticmethod(np.conj)

    def add_pairs(
        self, blocks: list[list[Any]], of: list[Link], enter: list[Link], result: np.ndarray,
        adjoint: bool,
    ) -> None:  # fmt: skip
        """Add Σ_modes w_a w_b G_{j i} G_{l k} (G_{i j}* for ``adjoint``) to result[:, a, b]."""
        if len(result) * self.length > MANY:
            for a, j, k, own in of:
                for b, i, m, other in enter:
                    first = np.conj(blocks[i][j]) if adjoint else blocks[j][i]
                    result[:, a, b] += self.trace(own, first, other, blocks[m][k])
            return
        green = _joined([block for row in blocks for block in row])
        green = green.reshape(len(blocks), len(blocks), *green.shape[1:])
        own = _joined([link.weight for link in of])[:, None]
        other = _joined([link.weight for link in enter])
        ends = np.array([(link.row, link.column) for link in of])[:, :, None]
        inside = np.array([(link.row, link.column) for link in enter])
        sums = np.zeros((len(enter), result.shape[2]))
        sums[np.arange(len(enter)), [link.unknown for link in enter]] = 1.0
        each = max(TOGETHER // (len(enter) * len(result) * self.length), 1)
        for start in range(0, len(of), each):
            part = slice(start, start + each)
            before, after = ends[part, 0], ends[part, 1]
            rows, columns = inside[:, 0], inside[:, 1]
            first = np.conj(green[rows, before]) if adjoint else green[before, rows]
            product = np.sum(own[part] * first * other * green[columns, after], axis=3)
            places = [link.unknown for link in of[part]]
            result[:, places] += np.moveaxis(product, 2, 0) @ sums


class Whole:
    """A space on which deterministic matrices do not commute: blocks are whole matrices."""

    def __init__(self, numbers: Numbers, names: set[str], spaces: set[sp.Expr]) -> None:
        self.numbers, given = numbers, numbers.given
        self.matrices: dict[str, np.ndarray] = {}
        for name in sorted(names):
            record = numbers.model.fixed[name]
            letter = record.eigenvalue
            values, sides = given.eigenvalues[letter], given.sides.get(letter)
            basis = given.bases[letter]
            if sides is not None:
                left, right = (sides[d] for d in record.symbol.shape)
                whole = (left[:, : len(values)] * np.sqrt(values)) @ right[:, : len(values)].T
            elif not record.symmetric:
                raise OutsideTheoryError(f"{name}: give the whole matrix, not its singular values")
            else:
                whole = np.diag(values) if basis is None else (basis * values) @ basis.T
            self.matrices[name] = whole
        self.sizes = {s: int(np.max(numbers.scalar(s).real)) for s in spaces}
        self.edges: list[int] = []
        self.length = max(self.sizes.values()) ** 2

    def word(self, word: Word, space: sp.Expr) -> np.ndarray:
        """A deterministic word as matrices over points (one, if its coefficients are constant)."""
        total = np.eye(self.sizes[space])[None]
        for letter in word:
            if isinstance(letter, FixedInverse):
                parts = (
                    self.numbers.scalar(c)[:, None, None] * self.word(w, self._space(total))
                    for w, c in letter.terms
                )
                total = total @ np.linalg.inv(sum(parts))
            else:
                total = total @ word_value((letter,), 0, self.matrices, {})
        return total

    traced = word

    def inverse(self, n: int, points: int, parts: list[Any], spaces: list[sp.Expr]) -> np.ndarray:
        """The inverse of the block matrix with (row, column, block)."""
        self.edges = edges = [0, *np.cumsum([self.sizes[s] for s in spaces]).tolist()]
        matrix = np.zeros((points, edges[-1], edges[-1]), complex)
        for i, j, block in parts:
            matrix[:, edges[i] : edges[i + 1], edges[j] : edges[j + 1]] += block
        return inverses(matrix)

    @staticmethod
    def stacked(matrix: np.ndarray) -> np.ndarray:
        """The whole matrix, over points."""
        return matrix

    def _space(self, matrix: np.ndarray) -> sp.Expr:
        """A space of the size of the columns of a matrix."""
        return next(s for s, size in self.sizes.items() if size == matrix.shape[-1])

    def entry(self, matrix: np.ndarray, row: int, column: int, spaces: Any) -> np.ndarray:
        """One block."""
        edges = self.edges
        return matrix[:, edges[row] : edges[row + 1], edges[column] : edges[column + 1]]

    def trace(self, *factors: np.ndarray) -> np.ndarray:
        """The trace of a product."""
        product = factors[0]
        for factor in factors[1:-1]:
            product = product @ factor
        return np.sum(product * np.swapaxes(factors[-1], -1, -2), axis=(-1, -2))

    @staticmethod
    def adjoint(matrix: np.ndarray) -> np.ndarray:
        """The adjoint of a block."""
        return np.conj(np.swapaxes(matrix, -1, -2))

    def add_pairs(
        self, green: np.ndarray, of: list[Link], enter: list[Link], result: np.ndarray,
        adjoint: bool,
    ) -> None:  # fmt: skip
        """Add Tr(w_a G_{j i} w_b G_{l k}) (G_{i j}* for ``adjoint``) to result[:, a, b]."""
        right: dict[Any, np.ndarray] = {}
        for a, j, k, own in of:
            left: dict[int, np.ndarray] = {}
            for b, i, m, other in enter:
                if i not in left:
                    first = (
                        self.entry(green, i, j, None) if adjoint else self.entry(green, j, i, None)
                    )
                    left[i] = own @ (self.adjoint(first) if adjoint else first)
                if (key := (id(other), m, k)) not in right:
                    right[key] = np.swapaxes(other @ self.entry(green, m, k, None), -1, -2)
                result[:, a, b] += np.einsum("pij,pij->p", left[i], right[key])


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    """Arrays that broadcast to one shape, as one array."""
    shape = np.broadcast_shapes(*{block.shape for block in blocks})
    result = np.empty((len(blocks), *shape), complex)
    for place, block in zip(result, blocks, strict=True):
        place[...] = block
    return result


def inverse_blocks(blocks: list[list[Any]]) -> list[list[Any]]:
    """The blocks of the inverse, from blocks (None: zero) that broadcast over points and modes."""
    n, zero = len(blocks), np.zeros((1, 1))
    with np.errstate(all="ignore"):
        if n == 1:
            return [[1 / (zero if blocks[0][0] is None else blocks[0][0])]]
        if n == 2:
            (a, b), (c, d) = ([zero if x is None else x for x in row] for row in blocks)
            inverse = 1 / (a * d - b * c)
            return [[d * inverse, -b * inverse], [-c * inverse, a * inverse]]
    shape = np.broadcast_shapes(*(x.shape for row in blocks for x in row if x is not None))
    matrix = np.zeros((*shape, n, n), complex)
    for i, row in enumerate(blocks):
        for j, block in enumerate(row):
            if block is not None:
                matrix[..., i, j] = block
    found = np.ascontiguousarray(np.moveaxis(inverses(matrix), (-2, -1), (0, 1)))
    return [[found[i, j] for j in range(n)] for i in range(n)]


def inverses(matrices: np.ndarray) -> np.ndarray:
    """The inverses of many matrices; NaN where one is singular."""
    n = matrices.shape[-1]
    with np.errstate(all="ignore"):
        try:
            return np.linalg.inv(matrices)
        except np.linalg.LinAlgError:
            each = [_inverse(m) for m in matrices.reshape(-1, n, n)]
            return np.array(each).reshape(matrices.shape)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse, NaN if singular."""
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.full(matrix.shape, np.nan, complex)
