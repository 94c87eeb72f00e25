r"""Linear difference equations y_{n+1} = q_n y_n + s_n ℓ_n with slowly varying coefficients.

Many modes y are driven by their own sum, ℓ_n = Re Σ_i y_i + o; further *passive* modes are driven
by ℓ alone. A mode may be a vector of S components, the first of which is summed, and q a matrix.
Over a block of H steps on which the coefficients are smooth, y is a polynomial in n to rounding
once its transients have died out: it is collocated at the Radau points t_k of the block,

    y(t_k + 1) − y(t_k) + (1 − q(t_k)) y(t_k) = s(t_k) ℓ(t_k),

which determines the modes given ℓ, and then ℓ by a system of the size of the points. Right Radau
points keep stiff modes stable: for H ≥ `DIRECT` no |q| ≤ 1 makes the equations singular. Blocks
double away from both ends of a smooth piece, where steps are taken one by one, so that a piece of L
steps costs O(log L); a block whose polynomials have not converged is halved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

Array = np.ndarray

POINTS = 16  # of a block
DIRECT = 64  # steps taken one by one at both ends of a piece, and the shortest block
CHUNK = 1024  # modes that are solved for at once
TOGETHER = 1 << 18  # values whose coefficients are formed at once
TAIL = 1e-10  # of the sums: Legendre coefficients beyond which a block is halved
ROUNDING = 1e-14  # of the sum of |y|
FLOOR = 1e-4  # of the sums at the start, below which they are known to so much less

#: steps *(k,)* ↦ (1 − q, s): *(modes, k)* each, or *(modes, k, S, S)* and *(modes, k, S)*; one
#: column instead of k where they do not depend on n
Coefficients = Callable[[Array], tuple[Array, Array]]


@dataclass
class Modes:
    """Modes: their present ``values`` *(modes,)* or *(modes, S)*, and their ``coefficients``."""

    values: Array
    coefficients: Coefficients
    offset: float = 0.0

    @property
    def total(self) -> float:
        """Re Σ y + o."""
        summed = self.values if self.values.ndim == 1 else self.values[:, 0]
        return float(np.sum(summed.real)) + self.offset

    def step(self, loss: Array, source: Array, drive: float) -> None:
        """One step with the coefficients 1 − q and s of that step."""
        change = source * drive
        if self.values.ndim == 1:
            change -= loss * self.values
        else:
            change -= np.einsum("iab,ib->ia", loss, self.values)
        self.values = self.values + change

    def respond(self, steps: Array, length: int) -> Iterator[tuple[slice, Array, Array]]:
        """(modes, Y₀, Y₁): Y₀ + Y₁ ℓ are the values at ``steps``; *(…, k·S)*, *(…, k·S, k)*."""
        _, shift, first = collocation(length)
        loss, source = self.coefficients(steps)
        size, parts = len(steps), 1 if self.values.ndim == 1 else self.values.shape[1]
        loss = loss.reshape(*loss.shape[:2], parts, parts)
        source = source.reshape(*source.shape[:2], parts)
        shifts, k = np.kron(shift, np.eye(parts)), np.arange(size)
        for start in range(0, len(self.values), CHUNK):
            part = slice(start, start + CHUNK)
            values = self.values[part].reshape(-1, parts)
            matrix = np.empty((len(values), size * parts, size * parts), dtype=complex)
            matrix[:] = shifts
            blocks = matrix.reshape(len(values), size, parts, size, parts)
            blocks[:, k, :, k] += loss[part].swapaxes(0, 1)
            sides = np.zeros((len(values), size, parts, 1 + size), dtype=complex)
            sides[..., 0] = -first[:, None] * values[:, None]
            sides[:, k, :, 1 + k] = source[part].swapaxes(0, 1)
            solved = np.linalg.solve(matrix, sides.reshape(len(values), size * parts, -1))
            yield part, solved[..., 0], solved[..., 1:]

    def follow(self, steps: Array, length: int, drive: Array) -> tuple[Array, Array]:
        """Sums at ``steps`` under a given ℓ, and the values after them, of modes of one part."""
        loss, source = self.coefficients(steps)
        if loss.shape[1] == 1:
            return self._follow_constant(length, loss[:, 0], source[:, 0], drive)
        _, shift, first = collocation(length)
        sums, after = np.full(len(steps), self.offset), np.empty_like(self.values)
        for start in range(0, len(self.values), CHUNK):
            part = slice(start, start + CHUNK)
            matrix = shift + loss[part, :, None] * np.eye(len(steps))
            right = source[part] * drive - first * self.values[part, None]
            values = np.linalg.solve(matrix, right[..., None])[..., 0]
            sums += values.real.sum(axis=0)
            after[part] = values[:, -1]
        return sums, after

    def _follow_constant(
        self, length: int, loss: Array, source: Array, drive: Array
    ) -> tuple[Array, Array]:
        """The same where q does not depend on n: a triangular system for all modes at once."""
        unitary, triangle, first = schur(length)
        start, driven = -(unitary.conj().T @ first), unitary.conj().T @ drive
        sums, after = np.zeros(len(drive), dtype=complex), np.empty_like(self.values)
        for first_mode in range(0, len(loss), CHUNK):  # stays in the cache
            part = slice(first_mode, first_mode + CHUNK)
            rows = start[:, None] * self.values[part] + driven[:, None] * source[part]
            for k in reversed(range(len(drive))):
                rows[k] /= triangle[k, k] + loss[part]
                rows[:k] -= triangle[:k, k, None] * rows[k]
            sums += rows.sum(axis=1)
            after[part] = np.sum(unitary[-1, :, None] * rows, axis=0)
        return (unitary @ sums).real + self.offset, after


def evolve(
    active: Modes, passive: Modes | None, pieces: list[tuple[int, int]], times: Array
) -> tuple[Array, Array, Array]:
    """Sums Re Σ y, active and passive, at ascending ``times``, and an error estimate.

    ``pieces`` are (first, last) of the stretches of steps on which the coefficients are smooth, one
    after another. Sums that overflow are infinite, and so are all later ones. The estimate is the
    size of the last Legendre coefficients of the blocks so far, relative to the sums or to `FLOOR`
    times those at the start, and the rounding errors of the largest modes.

    >>> decay = lambda n: (np.full((1, 1), 1e-3), np.zeros((1, 1)))
    >>> found, _, _ = evolve(Modes(np.ones(1), decay), None, [(0, 10**6)], np.array([10, 2000]))
    >>> bool(np.allclose(found, 0.999 ** np.array([10, 2000]), rtol=1e-12))
    True
    """
    run = _Evolution(active, passive, np.asarray(times, float))
    with np.errstate(over="ignore", invalid="ignore"):
        for first, last in pieces:
            for start, length in blocks(first, last):
                run.advance(start, length)
        run.record(run.now)
    return run.out[0], run.out[1], run.error


def blocks(first: int, last: int) -> Iterator[tuple[int, int]]:
    """(start, length): short ones at both ends, blocks that double away from them between.

    >>> [length for _, length in blocks(0, 1000)]
    [32, 32, 64, 128, 488, 128, 64, 32, 32]
    """
    ends = [DIRECT // 2, DIRECT // 2]  # too short to be solved for at once
    left = last - first - 2 * DIRECT
    if left < DIRECT:
        short, rest = divmod(last - first, DIRECT // 2)
        sizes = [DIRECT // 2] * short + [rest] * (rest > 0)
    else:
        sizes, size = [], DIRECT
        while left > 4 * size:
            sizes.append(size)
            left, size = left - 2 * size, 2 * size
        sizes = [*ends, *sizes, left, *reversed(sizes), *ends]
    for size in sizes:
        yield first, size
        first += size


class _Evolution:
    """One evolution in progress."""

    def __init__(self, active: Modes, passive: Modes | None, times: Array) -> None:
        self.active, self.passive, self.times = active, passive, times
        self.out, self.error = np.full((2, len(times)), np.inf), np.full(len(times), np.inf)
        self.now, self.next, self.tail = 0, 0, 0.0
        self.floor = FLOOR * max(map(abs, self.totals()))

    @property
    def done(self) -> bool:
        """Whether all times are recorded, or the sums have overflowed."""
        return self.next == len(self.times) or not math.isfinite(self.active.total)

    def record(self, n: int) -> None:
        """Note the sums if n is wanted."""
        while not self.done and self.times[self.next] == n:
            self._note(np.array(self.totals()))

    def _note(self, sums: Array) -> None:
        """The sums at the next of the times, and their errors."""
        sizes = [np.abs(modes.values).sum() for modes in (self.active, self.passive) if modes]
        truncation = self.tail * max(float(np.abs(sums).max()), self.floor)
        self.out[:, self.next] = sums
        self.error[self.next] = truncation + ROUNDING * float(max(sizes))
        self.next += 1

    def totals(self) -> tuple[float, float]:
        """Sums of the active and of the passive modes."""
        bare = self.active.total - self.active.offset
        return bare, self.passive.total if self.passive else 0.0

    def advance(self, start: int, length: int) -> None:
        """``length`` steps, at once if the polynomials converge, else in halves."""
        if self.done:
            return
        self.record(start)
        if length >= DIRECT and self._block(start, length):
            self.now = start + length
        elif length >= 2 * DIRECT:
            self.advance(start, length // 2)
            self.advance(start + length // 2, length - length // 2)
        else:
            self._steps(start, length)

    def _steps(self, start: int, length: int) -> None:
        """``length`` single steps."""
        all_modes = [modes for modes in (self.active, self.passive) if modes]
        group = max(1, TOGETHER // max(modes.values.size for modes in all_modes))
        for first in range(start, start + length, group):
            last = min(first + group, start + length)
            found = [modes.coefficients(np.arange(first, last, dtype=float)) for modes in all_modes]
            for n in range(first, last):
                self.record(n)
                if self.done:
                    return
                drive = self.active.total
                for modes, both in zip(all_modes, found):
                    modes.step(*(x[:, min(n - first, x.shape[1] - 1)] for x in both), drive)
                self.now = n + 1

    def _block(self, start: int, length: int) -> bool:
        """Collocate a block; False, and nothing changed, where it has not converged."""
        steps, before = float(start) + collocation(length)[0] * float(length), self.totals()
        base, response = np.full(len(steps), self.active.offset), np.eye(len(steps))
        answers = list(self.active.respond(steps, length))
        for _, zero, one in answers:
            parts = zero.shape[1] // len(steps)
            base += zero[:, ::parts].real.sum(axis=0)
            response -= one[:, ::parts].real.sum(axis=0)
        drive = np.linalg.solve(response, base)
        sums = np.zeros((2, len(steps) + 1))
        sums[0] = np.concatenate([before[:1], drive - self.active.offset])
        if not self._converged(sums[0]):
            return False
        if self.passive is not None:
            followed, after = self.passive.follow(steps, length, drive)
            sums[1] = np.concatenate([before[1:], followed])
            if not self._converged(sums[1]):
                return False
            self.passive.values = after
        for part, zero, one in answers:
            parts = zero.shape[1] // len(steps)
            last = zero[:, -parts:] + one[:, -parts:] @ drive
            self.active.values[part] = last.reshape(self.active.values[part].shape)
        while not self.done and self.times[self.next] < start + length:
            self._note(sums @ lagrange((self.times[self.next] - start) / length))
        return True

    def _converged(self, sums: Array) -> bool:
        scale = max(float(np.abs(sums).max()), self.floor)
        tail = float(np.abs(legendre_tail() @ sums).max()) / (scale or 1.0)
        if not tail <= TAIL:
            return False
        self.tail = max(self.tail, tail)
        return True


@cache
def radau() -> Array:
    """0 and the right Radau points of [0, 1], the last of which is 1."""
    from scipy.special import roots_jacobi

    inner, _ = roots_jacobi(POINTS - 1, 1, 0)
    return np.concatenate([[0.0], (1 + inner) / 2, [1.0]])


@lru_cache(256)
def collocation(length: int) -> tuple[Array, Array, Array]:
    """Points t_k of the unit block, and y(t_k + 1/H) − y(t_k) as a matrix on y and a row on y(0).

    Each entry keeps its relative accuracy at any length H: the Lagrange polynomials have the factor
    1/H off the diagonal, and e^{Σ ln(1 + 1/(H(t_j−t_i)))} − 1 on it.
    """
    x, h = radau(), 1 / length
    matrix = np.zeros((len(x), len(x)))
    for k in range(1, len(x)):
        for j in range(len(x)):
            others = np.delete(x, j)
            gaps = x[j] - others
            if j != k:
                shifted = np.where(others == x[k], h, x[k] - others + h)
                matrix[k, j] = np.prod(shifted / gaps)
            elif np.abs(gaps).min() > 2 * h:
                matrix[k, j] = math.expm1(np.sum(np.log1p(h / gaps)))
            else:
                matrix[k, j] = np.prod(1 + h / gaps) - 1
    return x[1:], matrix[1:, 1:], matrix[1:, 0]


@lru_cache(256)
def schur(length: int) -> tuple[Array, Array, Array]:
    """Unitary and triangular factors of the matrix of `collocation`, and its row on y(0)."""
    from scipy.linalg import schur as factors

    _, matrix, first = collocation(length)
    triangle, unitary = factors(matrix, output="complex")
    return unitary, triangle, first


def lagrange(x: float) -> Array:
    """Weights of the values at `radau` in the interpolant at x."""
    nodes = radau()
    return np.array([np.prod((x - nodes[nodes != a]) / (a - nodes[nodes != a])) for a in nodes])


@cache
def legendre_tail() -> Array:
    """The last two Legendre coefficients of the interpolant, as a matrix on its values."""
    return np.linalg.inv(np.polynomial.legendre.legvander(2 * radau() - 1, POINTS))[-2:]
