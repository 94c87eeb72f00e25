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

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from .block_layout import Layout, Supported
from .entries import Word
from .mode_blocks import MANY, Diagonal, DiagonalBlocks, ManyBlocks, Whole, WholeBlocks
from .pencil_numbers import Numbers, Term, rows_of

Green = list[Any]


class BlockEquation:
    """u = f(u) for some blocks of a pencil, at every point."""

    def __init__(
        self,
        numbers: Numbers,
        terms: list[Term],
        spaces: list[sp.Expr],
        blocks: list[int],
        support: Supported | None = None,
        outside: Iterable[Word] = (),
        traced: Iterable[sp.Expr] = (),
        layout: Layout | None = None,
    ) -> None:
        self.numbers = numbers
        self.layout = layout or Layout(
            numbers.model, terms, spaces, blocks, support, outside, traced
        )
        self.keys, self.blocks, self.spaces = self.layout.keys, self.layout.blocks, spaces
        self.coefficients = np.array([t.coefficient for t in terms]).reshape(-1, numbers.points)
        self._fill()

    def _fill(self) -> None:
        """The groups of blocks in numbers."""
        with np.errstate(all="ignore"):  # a coefficient may be 1/0: see `Components.finite`
            self._filled(self.numbers, self.layout)

    def _filled(self, numbers: Numbers, layout: Layout) -> None:
        variances = [numbers.scalar(numbers.model.random[m].variance) for m in layout.matrices]
        self.variances = np.array(variances).reshape(-1, numbers.points)
        self.spread: list[Any] = []
        self.groups: list[Any] = []
        for group in layout.groups:
            families = {numbers.model.family(n) for n in group.names}
            letters = [numbers.model.fixed[n].eigenvalue for n in group.names]
            commute = len(families) < 2 or numbers.given.is_diagonal(letters)
            spread: Any = Diagonal if commute else Whole
            modes = spread(numbers, group.names, group.dimensions)
            blocks: Any = WholeBlocks
            if commute:
                many = numbers.points * modes.length > MANY
                blocks = ManyBlocks if many else DiagonalBlocks
            self.spread.append(modes)
            self.groups.append(blocks(modes, group, self.coefficients, self.variances))

    @property
    def modes(self) -> int:
        """How many numbers a block has for each point."""
        return max((m.length for m, g in zip(self.spread, self.layout.groups) if g.blocks),
                   default=1)  # fmt: skip

    @property
    def size(self) -> int:
        """The number of unknowns."""
        return len(self.keys)

    def zero(self) -> np.ndarray:
        """u = 0 at every point."""
        return np.zeros((self.size, self.numbers.points), complex)

    def green(self, u: np.ndarray, at: np.ndarray, scale: float = 1.0) -> Green:
        """G(u) at the points ``at``, one array for each group."""
        if not np.any(u.imag):  # and so is G where the pencil is real
            u = u.real
        return [group.green(u, at, scale) for group in self.groups]  # within `np.errstate`

    def entry(self, green: Green, row: int, column: int) -> np.ndarray:
        """G_jk at every point and mode."""
        on, place = self.layout.on[self.spaces[row]], self.layout.place
        return self.groups[on].entry(green[on], place[row], place[column])  # type: ignore[no-any-return]

    def mapped(self, green: Green, at: np.ndarray) -> np.ndarray:
        """f(u) from G(u)."""
        result = np.empty((self.size, len(at)), complex)
        for group, own in zip(self.groups, green, strict=True):
            group.mapped(own, at, result)
        return result

    def jacobian(
        self, green: Green, at: np.ndarray, scale: float = 1.0, only: np.ndarray | None = None
    ) -> np.ndarray:
        """∂f_a/∂u_b, of all unknowns or ``only`` of some."""
        places = np.arange(self.size)
        if only is not None:
            places = np.full(self.size, -1)
            places[only] = np.arange(len(only))
        count = int(places.max(initial=-1)) + 1
        kind = self._kind(green)
        result = np.zeros((len(at), count, count), kind)
        for group, own in zip(self.groups, green, strict=True):
            group.add_slopes(own, at, result, places)
        return scale * result

    def _kind(self, green: Green) -> np.dtype[Any]:
        """The type of numbers that sums of products of blocks have."""
        kinds = [group.kind(own) for group, own in zip(self.groups, green, strict=True)]
        return np.result_type(float, *kinds, self.coefficients, self.variances)

    def output(
        self,
        green: Green,
        at: np.ndarray,
        c: Mapping[int, Any],
        b: Mapping[int, Any],
        d: Any,
        space: sp.Expr,
    ) -> np.ndarray:
        """Tr(Σ c_i G_ij b_j + d) over a space."""
        scalar, modes = self.numbers.scalar, self.spread[self.layout.on[space]]
        total = np.zeros(len(at), complex)
        for (word, _, _), coefficient in d.items():
            one = modes.word((), space)
            total = total + scalar(coefficient)[at] * modes.trace(
                rows_of(modes.traced(word, space), at), one
            )
        for i, left in c.items():
            for j, right in b.items():
                if not self.layout.same(i, j):
                    continue
                own, there = self.spaces[j], self.spread[self.layout.on[self.spaces[j]]]
                for (first, _, _), a in left.items():
                    for (second, _, _), e in right.items():
                        word = rows_of(there.traced((*second, *first), own), at)
                        trace = there.trace(word, self.entry(green, i, j))
                        total = total + (scalar(a) * scalar(e))[at] * trace
        return total

    def radius(self, green: Green, at: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """The spectral radius of T at every point (infinite where it is not finite)."""
        count = len(self.layout.adjoint_keys)
        if count == 0:
            return np.zeros(len(at))
        kind = self._kind(green)
        matrix = np.zeros((len(at), count, count), kind)
        for group, own in zip(self.groups, green, strict=True):
            group.add_adjoint(own, at, matrix)
        matrix *= scale
        good = np.all(np.isfinite(matrix), axis=(1, 2))
        result = np.full(len(at), np.inf)
        with np.errstate(all="ignore"):
            result[good] = np.abs(np.linalg.eigvals(_balanced(matrix[good]))).max(axis=1)
        return result


def _balanced(matrices: np.ndarray) -> np.ndarray:
    """D^{-1} M D with D from the root of row and column sums: sizes differ by many orders."""
    result = np.array(matrices)
    for _ in range(8):
        size = np.abs(result)
        rows, columns = size.sum(axis=2), size.sum(axis=1)
        scale = np.sqrt(np.where((rows > 0) & (columns > 0), rows / columns, 1.0))
        if not len(scale) or scale.max() < 2 * scale.min():
            break
        result = result / scale[:, :, None] * scale[:, None, :]
    return result


class DoubledEquation(BlockEquation):
    """The Hermitian double [[−iε, Q], [Q*, −iε]] of some blocks; `shifted` sets −iε."""

    def __init__(
        self, numbers: Numbers, terms: list[Term], spaces: list[sp.Expr], blocks: list[int]
    ) -> None:
        n, inside = len(spaces), set(blocks)
        self.offset = n
        shift = np.zeros(numbers.points, complex)
        kept = [t for t in terms if t.row in inside and t.column in inside]
        upper = [t._replace(column=t.column + n) for t in kept]
        lower = [t.adjoint(n) for t in kept]
        both = [*blocks, *(b + n for b in blocks)]
        diagonal = [Term(b, b, shift, ()) for b in both]
        self.diagonal = slice(len(upper) + len(lower), None)
        super().__init__(numbers, [*upper, *lower, *diagonal], spaces + spaces, both)

    def shifted(self, at: np.ndarray, shift: complex) -> None:
        """Set the diagonal, −iε, at some points."""
        self.coefficients[self.diagonal, at] = shift
        self._fill()

    def plain(self, equation: BlockEquation, u: np.ndarray, at: np.ndarray) -> np.ndarray:
        """The unknowns of Q itself: traces of the lower left blocks of 𝐆."""
        with np.errstate(all="ignore"):
            green = self.green(u, at)
        result = np.zeros((equation.size, len(at)), complex)
        for group in equation.groups:
            for a, j, k, weight in group.weights():
                block = self.entry(green, j + self.offset, k)
                result[a] = group.modes.trace(rows_of(weight, at), block)
        return result
