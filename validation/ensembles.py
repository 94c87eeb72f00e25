r"""The random-feature ensemble at size: moments of features, data and targets, streamed.

The model is φ = u x (N×T), labels y = w·x + ε, and a trained θ acts as the weights uᵀθ, so
that the population excess loss is Σ_J λ_J v_J² with v = w − uᵀθ. For every rule that is linear
in the labels, θ = A y with a matrix A (N×T) made from φ alone, and then

    Σ λ v² = Σ λ w² − 2 tr(Aᵀ C) + tr(Aᵀ K A (G + σ_ε² 1)),

    K = u Λ uᵀ  (N×N),    G = xᵀ w wᵀ x  (T×T),    C = u Λ w wᵀ x  (N×T).

The loss is exact (no test set is drawn) and needs four small matrices, never u (N×M) or x
(M×T). With wwᵀ replaced by its mean diag(E w_J²) they give the average over targets, and σ_ε²
the average over noise, both in closed form. All four are sums over modes and are accumulated
over tiles of `TILE` modes, from the smallest eigenvalue to the largest. A tile is drawn from its
own counter (`validation.entry_laws`), so the numbers depend on the seed alone: not on the threads
that drew them, nor on what is held at once. Memory: N·T, N², T² and a few tiles.

With a = √λ u and x = √λ g, per tile: φ += aᵀg, K += aᵀa, C += (p a)ᵀ g, G += (√p g)ᵀ(√p g),
p = E w²λ: two products N×T and two symmetric ones, the *bare products* of `bare_flops`.

E feature draws (or B data draws) are kept side by side: N becomes E·N, T becomes B·T.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cells import Cell
from .entry_laws import TILE, EntryLaw, Role, Seed, Streams
from .memory import check_memory

Array = np.ndarray


@dataclass(frozen=True)
class Moments:
    """What the loss of every linear rule follows from; float64, noiseless labels.

    ``kernel`` φ is (EN, BT), ``features`` K is (EN, EN), ``labels`` G is (BT, BT), ``cross`` C is
    (EN, BT), ``power`` is Σ λ w² (target power at θ = 0). ``accuracy`` is the unit roundoff of the
    arithmetic they were summed in.
    """

    kernel: Array
    features: Array
    labels: Array
    cross: Array
    power: float
    accuracy: float


@dataclass(frozen=True)
class Sums:
    """The sums over modes, as they were accumulated.

    With averaged targets ``labels`` is G (BT, BT) and ``cross`` is C (EN, BT); with D explicit
    targets they are the factors xᵀw (BT, D) and uΛw (EN, D), and ``power`` is Σ_J λ_J w_J², summed
    over targets.
    """

    kernel: Array
    features: Array
    labels: Array
    cross: Array
    power: float


def moments(cell: Cell, seed: Seed, *, threads: int = 1) -> Moments:
    """Draw one realisation of the cell's model and accumulate its moments.

    ``threads`` > 1 draws the next tiles while the products of this one are taken; it changes no
    number. Raises `InputError` when the arrays cannot fit in memory.
    """
    check_memory(cell, threads=threads)
    drawn = accumulate(cell, seed, threads=threads)
    labels, cross, power = drawn.labels, drawn.cross, drawn.power
    if cell.targets != "average":
        count = cell.explicit_targets
        cross = cross @ labels.T / count
        labels = labels @ labels.T / count
        power /= count
    accuracy = float(np.finfo(cell.dtype).eps)
    return Moments(drawn.kernel, drawn.features, labels, cross, power, accuracy)


def accumulate(cell: Cell, seed: Seed, *, threads: int = 1) -> Sums:
    """One pass over the modes, last tile first."""
    streams = Streams.of(seed)
    spectrum = cell.spectrum
    rows, columns = cell.feature_draws * cell.features, cell.data_draws * cell.samples
    averaged = cell.targets == "average"
    width = columns if averaged else cell.explicit_targets
    kernel, features, labels, cross = (
        TileSum(*shape, cell.dtype)
        for shape in ((rows, columns), (rows, rows), (columns, width), (rows, width))
    )
    power = 0.0
    for start, u, g in _tiles(cell, spectrum.size, streams, threads):
        eigenvalues = spectrum.eigenvalues(start, start + len(u))
        target_power = spectrum.target_power(start, start + len(u))
        scale_modes(u, np.sqrt(eigenvalues))
        kernel.add(u, g)
        features.add_square(u)
        if averaged:
            power += float(np.sum(target_power))
            scale_modes(u, target_power)
            cross.add(u, g)
            scale_modes(g, np.sqrt(target_power))
            labels.add_square(g)
        else:
            targets = weighted_targets(cell, target_power, streams, start // TILE)
            power += float(np.sum(targets**2))
            labels.add(g, targets.astype(g.dtype))
            cross.add(u, targets.astype(u.dtype))
    return _with_norms(
        cell, streams, Sums(kernel.full(), features.full(), labels.full(), cross.full(), power)
    )


def _with_norms(cell: Cell, streams: Streams, sums: Sums) -> Sums:
    """Multiply the samples of elliptical data by their common factors τ_t."""
    factors = [
        cell.data_law.column_factors(streams, draw, cell.samples) for draw in range(cell.data_draws)
    ]
    drawn = [factor for factor in factors if factor is not None]
    if not drawn:
        return sums
    norms = np.concatenate(drawn)
    averaged = cell.targets == "average"
    return Sums(
        kernel=sums.kernel * norms,
        features=sums.features,
        labels=sums.labels * norms[:, None] * (norms if averaged else 1),
        cross=sums.cross * (norms if averaged else 1),
        power=sums.power,
    )


def scale_modes(block: Array, factors: Array) -> None:
    """Multiply each mode (row) of a tile by its factor, in place and in the tile's arithmetic."""
    block *= factors.astype(block.dtype)[:, None]


def weighted_targets(cell: Cell, target_power: Array, streams: Streams, tile: int) -> Array:
    """√λ w on a tile, shaped (modes, D): drawn with E λw² = ``target_power``, or its fixed root."""
    roots = np.sqrt(target_power)[:, None]
    if cell.targets == "fixed":
        return roots
    shape = (len(roots), cell.explicit_targets)
    return roots * streams(Role.TARGETS, tile=tile).standard_normal(shape)


def draw_tile(
    law: EntryLaw,
    streams: Streams,
    role: Role,
    tile: int,
    draws: int,
    shape: tuple[int, int],
    dtype: Any,
) -> Array:
    """Standardised entries of a tile, shaped (modes, draws · width): draws side by side."""
    parts = [law.draw(streams(role, draw, tile), shape, dtype) for draw in range(draws)]
    return parts[0] if draws == 1 else np.concatenate(parts, axis=1)


def _tiles(
    cell: Cell, size: int, streams: Streams, threads: int
) -> Iterator[tuple[int, Array, Array]]:
    """(first mode, u, g) for each tile, last tile first; drawn ahead when there are threads."""
    starts = range((size - 1) // TILE * TILE, -1, -TILE)
    sides = (
        (cell.feature_law, Role.FEATURES, cell.feature_draws, cell.features),
        (cell.data_law, Role.DATA, cell.data_draws, cell.samples),
    )

    def arguments(start: int, side: tuple[EntryLaw, Role, int, int]) -> tuple[Any, ...]:
        law, role, draws, width = side
        shape = (min(TILE, size - start), width)
        return law, streams, role, start // TILE, draws, shape, cell.dtype

    if threads == 1:
        for start in starts:
            u, g = (draw_tile(*arguments(start, side)) for side in sides)
            yield start, u, g
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Any] = deque()
        for start in [*starts, None, None]:  # two tiles ahead
            if start is not None:
                drawn = [pool.submit(draw_tile, *arguments(start, side)) for side in sides]
                waiting.append((start, drawn))
            if len(waiting) > 2 or (start is None and waiting):
                first, (u, g) = waiting.popleft()
                yield first, u.result(), g.result()


class TileSum:
    """A matrix Σ aᵀb over tiles, accumulated in place by BLAS (C ← aᵀb + C)."""

    def __init__(self, rows: int, columns: int, dtype: str) -> None:
        from scipy.linalg import blas

        self.total = np.zeros((rows, columns), dtype, order="F")
        double = dtype == "float64"
        self.product = blas.dgemm if double else blas.sgemm
        self.square = blas.dsyrk if double else blas.ssyrk
        self.symmetric = False

    def add(self, a: Array, b: Array) -> None:
        """Add aᵀb, for row-major a (modes, rows) and b (modes, columns)."""
        self.total = self.product(
            1.0, a.T, b.T, beta=1.0, c=self.total, trans_b=True, overwrite_c=True
        )

    def add_square(self, a: Array) -> None:
        """Add the lower triangle of aᵀa."""
        self.symmetric = True
        self.total = self.square(1.0, a.T, beta=1.0, c=self.total, lower=True, overwrite_c=True)

    def full(self) -> Array:
        """The sum in float64, its upper triangle filled in when it is symmetric."""
        total = np.asarray(self.total, np.float64, order="F")
        if self.symmetric:
            for start in range(0, len(total), TILE):  # blocks of columns: little extra memory
                stop = start + TILE
                corner = np.tril(total[start:stop, start:stop])
                total[start:stop, start:stop] = corner + np.tril(corner, -1).T
                total[start:stop, stop:] = total[stop:, start:stop].T
        return total


def bare_flops(cell: Cell) -> float:
    """Floating-point operations of the products that the moments consist of."""
    rows, columns = cell.feature_draws * cell.features, cell.data_draws * cell.samples
    size = cell.spectrum.size
    if cell.targets == "average":
        return float(size) * (4 * rows * columns + rows**2 + columns**2)
    drawn = 2 * cell.explicit_targets * (rows + columns)
    return float(size) * (2 * rows * columns + rows**2 + drawn)
