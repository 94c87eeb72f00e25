r"""Blocks of a resolvent on one space: one small matrix for each mode, or whole matrices.

Where the deterministic matrices of a space are diagonal in one basis, a block is an array over
points and modes, and the block matrix of a space is inverted mode by mode. Where they do not
commute, blocks are whole matrices over points.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import sympy as sp

from ..errors import OutsideTheoryError
from .block_layout import Entering, Group, Taken, choice
from .entries import FixedInverse, Word, word_value
from .pencil_numbers import Numbers, rows_of

MANY = 4_096  # points times modes from which every block is an array of its own
TOGETHER = 100_000  # numbers in one array of products


class Diagonal:
    """A space on which all deterministic matrices are diagonal: one entry for each mode."""

    def __init__(self, numbers: Numbers, names: Iterable[str], spaces: Iterable[sp.Expr]) -> None:
        self.numbers, given = numbers, numbers.given
        records = [numbers.model.fixed[name] for name in sorted(names)]
        self.weights = {space: numbers.column(space) for space in spaces}
        self.roots: dict[str, np.ndarray] = {}
        length = 1
        if records:
            longest = [len(given.eigenvalues[r.eigenvalue]) for r in records]
            sizes = [float(np.max(numbers.scalar(s).real)) for r in records for s in r.symbol.shape]
            length = max(*longest, *(int(s) for s in sizes))
            order = np.arange(length)
            for space in spaces:
                self.weights[space] = np.where(order < numbers.column(space), 1.0, 0.0)
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
                parts = (self.numbers.column(c) * self.word(w, space) for w, c in letter.terms)
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

    @staticmethod
    def trace(*factors: np.ndarray) -> np.ndarray:
        """The trace of a product, the first factor being `traced`."""
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return np.sum(product, axis=1)


class DiagonalBlocks:
    """The blocks of a group on the modes of its space: arrays over points, blocks and modes."""

    def __init__(
        self, modes: Diagonal, group: Group, coefficients: np.ndarray, variances: np.ndarray
    ) -> None:
        self.modes, self.group, self.size = modes, group, len(group.blocks)
        self.coefficients, self.variances = coefficients, variances
        self.single = [modes.word(*w) for w in group.words]
        self.words = _together(self.single)
        self.weighted = np.swapaxes(_together([modes.traced(*w) for w in group.traced]), 1, 2)
        self.traced = self.weighted
        if self.words.shape[2] == 1:  # and so is every block, on all modes
            self.traced = self.weighted.sum(axis=1, keepdims=True)
        self.enter, self.of = group.entering("enter"), group.taken("of")
        self.strength = _products(coefficients, self.enter)
        self.scale = variances[self.of.matrix]
        self.slots, constant, self.filling = group.slots
        self.base = constant @ coefficients[group.entering("fixed").first]

    def green(self, u: np.ndarray, at: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """(F − Σ(u))^{-1} at the points ``at``, over points, rows, columns and modes."""
        n = self.size
        if not n:
            return np.zeros((len(at), 0, 0, 1))
        words, filled = rows_of(self.words, at), self._filled(u, at, scale)
        blocks = np.zeros((len(at), n * n * words.shape[1]), filled.dtype)
        blocks[:, self.slots] = filled.T
        blocks = blocks.reshape(len(at), n * n, words.shape[1]) @ words
        return _inverted(blocks.reshape(len(at), n, n, -1))

    def _filled(self, u: np.ndarray, at: np.ndarray, scale: float) -> np.ndarray:
        """What multiplies the words in the entries of F − Σ(u), by slots and points."""
        filled = self.base[:, at]
        if len(self.enter.row):
            entering = self.strength[:, at] * u[self.enter.unknown]
            filled = filled - scale * (self.filling @ entering)
        return filled  # type: ignore[no-any-return]

    @staticmethod
    def entry(green: Any, row: int, column: int) -> np.ndarray:
        """One block."""
        return green[:, row, column]  # type: ignore[no-any-return]

    @staticmethod
    def kind(green: Any) -> np.dtype[Any]:
        """The type of the numbers in the blocks."""
        return green.dtype  # type: ignore[no-any-return]

    def mapped(self, green: Any, at: np.ndarray, result: np.ndarray) -> None:
        """Put v Tr(word G_jk) into the rows of the unknowns that are traces here."""
        of, points = self.of, len(at)
        if len(of.row):
            sums = green.reshape(points, self.size**2, -1) @ rows_of(self.traced, at)
            found = sums[:, of.row * self.size + of.column, of.word]
            result[of.unknown] = found.T * self.scale[:, at]

    def weights(self) -> Iterator[tuple[int, int, int, np.ndarray]]:
        """Unknown, blocks (row, column) and traced weight, v included, of what is traced here."""
        for a, j, k, word, matrix in zip(*self.of, strict=True):
            weight = self.variances[matrix][:, None] * self.weighted[:, :, word]
            yield int(a), self.group.blocks[j], self.group.blocks[k], weight

    def add_slopes(
        self, green: np.ndarray, at: np.ndarray, result: np.ndarray, places: np.ndarray
    ) -> None:
        """Add ∂f_a/∂u_b to result[:, places[a], places[b]]; a place below zero is left out."""
        self._add_pairs(green, at, self.of, self.enter, result, places, False)

    def add_adjoint(self, green: np.ndarray, at: np.ndarray, result: np.ndarray) -> None:
        """Add the matrix of T, with |v| and conjugates."""
        of, enter = self.group.taken("adjoint of"), self.group.entering("adjoint enter")
        self._add_pairs(green, at, of, enter, result, np.arange(result.shape[1]), True)

    def _add_pairs(
        self, green: np.ndarray, at: np.ndarray, of: Taken, enter: Entering, result: np.ndarray,
        places: np.ndarray, adjoint: bool,
    ) -> None:  # fmt: skip
        """Add v_a c_b Σ_modes w_a w_b G_{j i} G_{l k} (G_{i j}* for ``adjoint``)."""
        if places.min(initial=0) < 0:
            of = Taken(*(x[places[of.unknown] >= 0] for x in of))
            enter = Entering(*(x[places[enter.unknown] >= 0] for x in enter))
        if not len(of.row) or not len(enter.row):
            return
        strength = _products(self.coefficients, enter, adjoint)[:, at]
        scale = self.variances[of.matrix][:, at]
        scale = np.abs(scale) if adjoint else scale
        weights, words = rows_of(self.traced, at), rows_of(self.words, at)
        one = weights.shape[2] == words.shape[1] == 1
        both = np.swapaxes(weights, 1, 2) * words if one else None
        ends, rows = places[enter.unknown], places[of.unknown]
        gather = choice(ends, result.shape[2]).T
        each = max(TOGETHER // (len(enter.row) * green.shape[0] * green.shape[3]), 1)
        for start in range(0, len(of.row), each):
            j, k = of.row[start : start + each, None], of.column[start : start + each, None]
            first = np.conj(green[:, enter.row, j]) if adjoint else green[:, j, enter.row]
            product = first * green[:, enter.column, k]
            if both is not None:
                found = (product @ np.swapaxes(both, 1, 2)[:, None])[..., 0]
            else:
                own = np.swapaxes(weights, 1, 2)[:, of.word[start : start + each]]
                found = np.sum(product * own[:, :, None] * words[:, None, enter.word], axis=3)
            found = found * scale[start : start + each].T[:, :, None] * strength.T[:, None]
            result[:, rows[start : start + each]] += found @ gather

    def stacked(self, green: Any) -> np.ndarray:
        """The blocks as small matrices, over points and modes."""
        return np.moveaxis(green, 3, 1)


class ManyBlocks(DiagonalBlocks):
    """The same at so many points and modes that each block is an array of its own.

    Blocks that do not depend on the mode are kept once, zeros not at all.
    """

    def green(self, u: np.ndarray, at: np.ndarray, scale: float = 1.0) -> Any:
        """(F − Σ(u))^{-1} at the points ``at``: rows of blocks over points and modes."""
        found: list[list[Any]] = [[None] * self.size for _ in range(self.size)]
        for slot, factor in zip(self.slots, self._filled(u, at, scale), strict=True):
            place, word = divmod(int(slot), len(self.single))
            row, column = divmod(place, self.size)
            part, known = factor[:, None] * rows_of(self.single[word], at), found[row][column]
            found[row][column] = part if known is None else known + part
        return inverse_blocks(found) if found else found

    @staticmethod
    def entry(green: Any, row: int, column: int) -> np.ndarray:
        """One block."""
        return green[row][column]  # type: ignore[no-any-return]

    @staticmethod
    def kind(green: Any) -> np.dtype[Any]:
        """The type of the numbers in the blocks."""
        return np.result_type(float, *(block.dtype for row in green for block in row))

    def mapped(self, green: Any, at: np.ndarray, result: np.ndarray) -> None:
        """Put v Tr(word G_jk) into the rows of the unknowns that are traces here."""
        for n, (a, j, k, word, _) in enumerate(zip(*self.of, strict=True)):
            trace = self.modes.trace(rows_of(self.traced[:, :, word], at), green[j][k])
            result[a] = self.scale[n][at] * trace

    def _add_pairs(
        self, green: Any, at: np.ndarray, of: Taken, enter: Entering, result: np.ndarray,
        places: np.ndarray, adjoint: bool,
    ) -> None:  # fmt: skip
        """Add v_a c_b Σ_modes w_a w_b G_{j i} G_{l k} (G_{i j}* for ``adjoint``)."""
        strength = _products(self.coefficients, enter, adjoint)[:, at]
        for a, j, k, word, matrix in zip(*of, strict=True):
            own, scale = rows_of(self.traced[:, :, word], at), self.variances[matrix][at]
            scale = np.abs(scale) if adjoint else scale
            for n, (b, i, m, other) in enumerate(zip(*enter[:4], strict=True)):
                if places[a] < 0 or places[b] < 0:
                    continue
                first = np.conj(green[i][j]) if adjoint else green[j][i]
                trace = self.modes.trace(own, first, rows_of(self.single[other], at), green[m][k])
                result[:, places[a], places[b]] += scale * strength[n] * trace

    def stacked(self, green: Any) -> np.ndarray:
        """The blocks as small matrices, over points and modes."""
        blocks = np.array(np.broadcast_arrays(*(b for row in green for b in row)))
        return np.moveaxis(blocks, 0, -1).reshape(*blocks.shape[1:], self.size, self.size)


class Whole:
    """A space on which deterministic matrices do not commute: blocks are whole matrices."""

    def __init__(self, numbers: Numbers, names: Iterable[str], spaces: Iterable[sp.Expr]) -> None:
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

    def _space(self, matrix: np.ndarray) -> sp.Expr:
        """A space of the size of the columns of a matrix."""
        return next(s for s, size in self.sizes.items() if size == matrix.shape[-1])

    @staticmethod
    def trace(*factors: np.ndarray) -> np.ndarray:
        """The trace of a product."""
        product = factors[0]
        for factor in factors[1:-1]:
            product = product @ factor
        return np.sum(product * np.swapaxes(factors[-1], -1, -2), axis=(-1, -2))


class WholeBlocks:
    """The blocks of a group whose deterministic matrices do not commute: one matrix a point."""

    def __init__(
        self, modes: Whole, group: Group, coefficients: np.ndarray, variances: np.ndarray
    ) -> None:
        self.modes, self.group = modes, group
        self.coefficients, self.variances = coefficients, variances
        self.words = [modes.word(*w) for w in group.words]
        self.traced = [modes.traced(*w) for w in group.traced]
        self.enter, self.of = group.entering("enter"), group.taken("of")
        self.strength = _products(coefficients, self.enter)
        self.fixed = group.entering("fixed")
        self.edges = [0, *np.cumsum([modes.sizes[s] for s in group.spaces]).tolist()]

    def green(self, u: np.ndarray, at: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """(F − Σ(u))^{-1} at the points ``at``."""
        matrix = np.zeros((len(at), self.edges[-1], self.edges[-1]), complex)

        def add(row: int, column: int, coefficient: np.ndarray, word: int) -> None:
            block = coefficient[:, None, None] * rows_of(self.words[word], at)
            self.entry(matrix, row, column)[...] += block

        fixed, enter = self.fixed, self.enter
        for row, column, word, place in zip(*fixed[1:5], strict=True):
            add(row, column, self.coefficients[place][at], word)
        for n, (b, row, column, word) in enumerate(zip(*enter[:4], strict=True)):
            add(row, column, -scale * u[b] * self.strength[n][at], word)
        return inverses(matrix)

    def entry(self, green: np.ndarray, row: int, column: int) -> np.ndarray:
        """One block."""
        edges = self.edges
        return green[:, edges[row] : edges[row + 1], edges[column] : edges[column + 1]]

    def mapped(self, green: np.ndarray, at: np.ndarray, result: np.ndarray) -> None:
        """Put v Tr(word G_jk) into the rows of the unknowns that are traces here."""
        for a, j, k, word, matrix in zip(*self.of, strict=True):
            trace = self.modes.trace(rows_of(self.traced[word], at), self.entry(green, j, k))
            result[a] = self.variances[matrix][at] * trace

    def weights(self) -> Iterator[tuple[int, int, int, np.ndarray]]:
        """Unknown, blocks (row, column) and traced weight, v included, of what is traced here."""
        for a, j, k, word, matrix in zip(*self.of, strict=True):
            weight = self.variances[matrix][:, None, None] * self.traced[word]
            yield int(a), self.group.blocks[j], self.group.blocks[k], weight

    def add_slopes(
        self, green: np.ndarray, at: np.ndarray, result: np.ndarray, places: np.ndarray
    ) -> None:
        """Add ∂f_a/∂u_b to result[:, places[a], places[b]]; a place below zero is left out."""
        self._add_pairs(green, at, self.of, self.enter, result, places, False)

    def add_adjoint(self, green: np.ndarray, at: np.ndarray, result: np.ndarray) -> None:
        """Add the matrix of T, with |v| and conjugates."""
        of, enter = self.group.taken("adjoint of"), self.group.entering("adjoint enter")
        self._add_pairs(green, at, of, enter, result, np.arange(result.shape[1]), True)

    def _add_pairs(
        self, green: np.ndarray, at: np.ndarray, of: Taken, enter: Entering, result: np.ndarray,
        places: np.ndarray, adjoint: bool,
    ) -> None:  # fmt: skip
        """Add v_a c_b Tr(w_a G_{j i} w_b G_{l k}) (G_{i j}* for ``adjoint``)."""
        strength = _products(self.coefficients, enter, adjoint)[:, at]
        right: dict[Any, np.ndarray] = {}
        for a, j, k, word, matrix in zip(*of, strict=True):
            left: dict[int, np.ndarray] = {}
            own = rows_of(self.traced[word], at)
            scale = self.variances[matrix][at]
            scale = np.abs(scale) if adjoint else scale
            for n, (b, i, m, other) in enumerate(zip(*enter[:4], strict=True)):
                if places[a] < 0 or places[b] < 0:
                    continue
                if i not in left:
                    first = self.entry(green, i, j) if adjoint else self.entry(green, j, i)
                    left[i] = own @ (np.conj(np.swapaxes(first, -1, -2)) if adjoint else first)
                if (key := (other, m, k)) not in right:
                    block = rows_of(self.words[other], at) @ self.entry(green, m, k)
                    right[key] = np.swapaxes(block, -1, -2)
                found = np.einsum("pij,pij->p", left[i], right[key])
                result[:, places[a], places[b]] += scale * strength[n] * found

    @staticmethod
    def kind(green: np.ndarray) -> np.dtype[Any]:
        """The type of the numbers in the blocks."""
        return green.dtype

    @staticmethod
    def stacked(green: np.ndarray) -> np.ndarray:
        """The whole matrix, over points."""
        return green


def _together(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays over points and modes as one, (points or 1, arrays, modes)."""
    if not arrays:
        return np.zeros((1, 0, 1))
    shape = np.broadcast_shapes(*{array.shape for array in arrays})
    result = np.empty((shape[0], len(arrays), shape[1]), np.result_type(*arrays))
    for n, array in enumerate(arrays):
        result[:, n] = array
    return result


def _products(coefficients: np.ndarray, enter: Entering, adjoint: bool = False) -> np.ndarray:
    """c₁c₂ (c₁*c₂ for ``adjoint``) of what enters, over points."""
    first = coefficients[enter.first]
    return (np.conj(first) if adjoint else first) * coefficients[enter.second]


def _inverted(blocks: np.ndarray) -> np.ndarray:
    """The inverses of small matrices over points, rows, columns and modes."""
    n = blocks.shape[1]
    if n == 1:
        return 1 / blocks
    if n == 2:
        a, b, c, d = blocks[:, 0, 0], blocks[:, 0, 1], blocks[:, 1, 0], blocks[:, 1, 1]
        inverse = 1 / (a * d - b * c)
        found = np.empty_like(blocks, dtype=inverse.dtype)
        found[:, 0, 0], found[:, 0, 1] = d * inverse, -b * inverse
        found[:, 1, 0], found[:, 1, 1] = -c * inverse, a * inverse
        return found
    if blocks.shape[3] == 1:
        return inverses(blocks[..., 0])[..., None]
    found = inverses(blocks.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(found)


def inverse_blocks(blocks: list[list[Any]]) -> list[list[Any]]:
    """The blocks of the inverse, from blocks (None: zero) that broadcast over points and modes."""
    n, zero = len(blocks), np.zeros((1, 1))
    if n == 1:
        return [[1 / (zero if blocks[0][0] is None else blocks[0][0])]]
    if n == 2:
        (a, b), (c, d) = ([zero if x is None else x for x in row] for row in blocks)
        inverse = 1 / (a * d - b * c)
        return [[d * inverse, -b * inverse], [-c * inverse, a * inverse]]
    given = [x for row in blocks for x in row if x is not None]
    shape = np.broadcast_shapes(*(x.shape for x in given))
    matrix = np.zeros((*shape, n, n), np.result_type(*given))
    for i, row in enumerate(blocks):
        for j, block in enumerate(row):
            if block is not None:
                matrix[..., i, j] = block
    found = np.ascontiguousarray(np.moveaxis(inverses(matrix), (-2, -1), (0, 1)))
    return [[found[i, j] for j in range(n)] for i in range(n)]


def inverses(matrices: np.ndarray) -> np.ndarray:
    """The inverses of many matrices; NaN where one is singular."""
    n = matrices.shape[-1]
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
        return np.full(matrix.shape, np.nan, matrix.dtype)
