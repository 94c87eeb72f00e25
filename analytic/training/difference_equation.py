r"""Linear difference equations y_{n+1} = q_n y_n + s_n ℓ_n with slowly varying coefficients.

Many modes y are driven by their own sum, ℓ_n = Re Σ_i y_i + o; further *passive* modes are driven
by ℓ alone. A mode may be a vector of S components, the first of which is summed, and q a matrix.
Over a block of H steps on which the coefficients are smooth, y is a polynomial in n to rounding
once its transients have died out: it is collocated at the Radau points t_k of the block,

    y(t_k + 1) − y(t_k) + (1 − q(t_k)) y(t_k) = s(t_k) ℓ(t_k),

which determines the modes given ℓ, and then ℓ by a system of the size of the points. Right Radau
points keep stiff modes stable: for H ≥ `DIRECT` no |q| ≤ 1 makes the equations singular. Blocks
double away from the start of a smooth piece, where steps are taken one by one, and from its end too
if rates vanish there, where even the stiffest modes come to rest; a piece of L steps costs
O(log L). A block whose polynomials have not converged is halved, as long as modes oscillate or sums
are lost in rounding errors; what would take more than `MOST_WORK` is refused, if it can be foreseen
before it begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from ..errors import PrecisionError

Array = np.ndarray

POINTS = 16  # of a block
DIRECT = 64  # steps taken one by one at the start of a piece, and the shortest block
CHUNK, FACTORED = 1024, 64  # modes that are solved for at once, and those whose systems are
TOGETHER = 1 << 18  # values whose coefficients are formed at once
GRID = 65  # points of a block at which the bound is looked for
MOST_HALVED = 200  # blocks of a piece, before the sums are taken to be lost
MOST_WORK = 6e10  # operations, about 20 seconds
#: operations of a step for each entry of a matrix, and of a block of constant coefficients
STEPPED, TRIANGULAR = 10, 10 * POINTS**2
TAIL = 1e-10  # of the sums: Legendre coefficients beyond which a block is halved
ROUNDING = 1e-14  # of the sum of |y|
FLOOR = 1e-4  # of the sums at the start, below which they are known to so much less

#: steps *(k,)* ↦ (1 − q, s): *(modes, k)* each, or *(modes, k, S, S)* and *(modes, k, S)*; one
#: column instead of k where they do not depend on n
Coefficients = Callable[[Array], tuple[Array, Array]]


@dataclass
class Modes:
    """Modes: their present ``values`` *(modes,)* or *(modes, S)*, and their ``coefficients``.

    ``read`` is the component that is summed, of modes that drive themselves the first.
    """

    values: Array
    coefficients: Coefficients
    offset: float = 0.0
    read: int = 0
    turning: float = 0.0  # steps for which they oscillate

    def costs(self, start: int) -> tuple[float, float]:
        """Operations of a single step and of a block, about, from ``start`` on."""
        parts = 1 if self.values.ndim == 1 else self.values.shape[1]
        single = STEPPED * self.values.size * parts
        if parts > 1:
            return single, len(self.values) * (POINTS * parts) ** 3
        steady = self.coefficients(start + np.arange(2.0))[0].shape[1] == 1
        return single, len(self.values) * (TRIANGULAR if steady else 4 * POINTS**3)

    @property
    def total(self) -> float:
        """Re Σ y + o."""
        return self.bare + self.offset

    @property
    def bare(self) -> float:
        """Re Σ y."""
        return float(np.sum(self.summed.real))

    @property
    def summed(self) -> Array:
        """The components that are summed, *(modes,)*."""
        return self.values if self.values.ndim == 1 else self.values[:, self.read]

    def step(self, loss: Array, source: Array, drive: float) -> None:
        """One step with the coefficients 1 − q and s of that step."""
        if self.values.ndim == 1:
            lost = loss * self.values
        else:
            lost = np.einsum("iab,ib->ia", loss, self.values)
        self.values = self.values - lost + source * drive

    def respond(self, steps: Array, length: int) -> tuple[Array, Array, Callable[[Array], Array]]:
        """(own, R, after): the sums at ``steps`` are own + Rℓ, the values after them after(ℓ)."""
        loss, source = self.coefficients(steps)
        if self.values.ndim == loss.shape[1] == source.shape[1] == 1:
            return self._respond_constant(length, loss[:, 0], source[:, 0])
        k, size = np.arange(len(steps)), len(steps)
        own, response, ends = np.zeros(size), np.zeros((size, size)), []
        for _, matrix, initial, push in self._systems(loss, source, length):
            sides = np.zeros((*initial.shape, 1 + size), dtype=complex)
            sides[..., 0] = initial
            sides[:, k, :, 1 + k] = push.swapaxes(0, 1)
            solved = np.linalg.solve(matrix, sides.reshape(*matrix.shape[:2], -1))
            solved = solved.reshape(sides.shape)
            sums = solved[:, :, 0].real.sum(axis=0)
            own, response = own + sums[:, 0], response + sums[:, 1:]
            ends.append(solved[:, -1])

        def after(drive: Array) -> Array:
            found = np.concatenate([end[..., 0] + end[..., 1:] @ drive for end in ends])
            return found.reshape(self.values.shape)

        return own, response, after

    def _respond_constant(
        self, length: int, loss: Array, source: Array
    ) -> tuple[Array, Array, Callable[[Array], Array]]:
        """The same where q and s do not depend on n, by the inverses of triangular matrices."""
        unitary, triangle, first = schur(length)
        back, size = unitary.conj().T, len(first)
        own, response = (np.zeros((size, size), dtype=complex) for _ in "12")
        last = np.empty((size, len(loss)), dtype=complex)
        for start in range(0, len(loss), CHUNK):
            part = slice(start, start + CHUNK)
            inverse = np.zeros((size, size, len(loss[part])), dtype=complex)
            for k in reversed(range(size)):
                inverse[k, k] = 1
                for j in range(k + 1, size):
                    inverse[k, j:] -= triangle[k, j] * inverse[j, j:]
                inverse[k, k:] /= triangle[k, k] + loss[part]
            own += np.einsum("kln,n->kl", inverse, self.values[part])
            response += np.einsum("kln,n->kl", inverse, source[part])
            last[:, part] = np.einsum("k,kln->ln", unitary[-1], inverse)
        initial = -(back @ first)

        def after(drive: Array) -> Array:
            moved, driven = np.einsum("ak,kn->an", (initial, back @ drive), last)
            return moved * self.values + driven * source

        return (unitary @ own @ initial).real, (unitary @ response @ back).real, after

    def _systems(
        self, loss: Array, source: Array, length: int
    ) -> Iterator[tuple[slice, Array, Array, Array]]:
        """(modes, matrix, right sides of ℓ = 0, sources) of the equations of a block."""
        _, shift, first = collocation(length)
        size, parts = len(first), 1 if self.values.ndim == 1 else self.values.shape[1]
        loss = loss.reshape(*loss.shape[:2], parts, parts)
        source = source.reshape(*source.shape[:2], parts)
        shifts, k = np.kron(shift, np.eye(parts)), np.arange(size)
        for start in range(0, len(self.values), FACTORED):
            part = slice(start, start + FACTORED)
            values = self.values[part].reshape(-1, parts)
            matrix = np.empty((len(values), size * parts, size * parts), dtype=complex)
            matrix[:] = shifts
            blocks = matrix.reshape(len(values), size, parts, size, parts)
            blocks[:, k, :, k] += loss[part].swapaxes(0, 1)
            initial = -first[:, None] * values[:, None]
            yield part, matrix, initial, np.broadcast_to(source[part], initial.shape)

    def follow(self, steps: Array, length: int, drive: Array) -> tuple[Array, Array]:
        """Sums at ``steps`` under a given ℓ, and the values after them."""
        loss, source = self.coefficients(steps)
        if self.values.ndim == loss.shape[1] == source.shape[1] == 1:
            return self._follow_constant(length, loss[:, 0], source[:, 0], drive)
        sums, after = np.zeros(len(steps)), np.empty_like(self.values)
        for part, matrix, initial, push in self._systems(loss, source, length):
            right = (initial + push * drive[:, None]).reshape(len(matrix), -1, 1)
            values = np.linalg.solve(matrix, right).reshape(initial.shape)
            sums += values[..., self.read].real.sum(axis=0)
            after[part] = values[:, -1].reshape(after[part].shape)
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
        return (unitary @ sums).real, after


def diagonal(modes: Modes) -> Modes:
    """The same sums of modes that are numbers, of vectors whose coefficients are constant.

    Eigenvalues are Wᵀ(1 − q)V for the eigenvectors, which keeps the digits of slow modes.

    >>> loss, source = np.array([[[[1.0, 0.5], [0.0, 0.25]]]]), np.ones((1, 1, 2))
    >>> found = diagonal(Modes(np.ones((1, 2), complex), lambda n: (loss, source)))
    >>> found.bare, found.coefficients(np.zeros(1))[0].ravel().tolist()
    (1.0, [(1+0j), (0.25+0j)])
    """
    loss, source = (x[:, 0].astype(complex) for x in modes.coefficients(np.zeros(1)))
    vectors = np.linalg.eig(loss)[1]
    inverse, row = np.linalg.inv(vectors), vectors[:, modes.read]
    rates = np.einsum("iab,ibc,ica->ia", inverse, loss, vectors, optimize=True).reshape(-1, 1)
    values = (row * np.einsum("iab,ib->ia", inverse, modes.values)).ravel()
    driven = (row * np.einsum("iab,ib->ia", inverse, source)).reshape(-1, 1)
    return Modes(values, lambda _: (rates, driven), modes.offset, turning=modes.turning)


def evolve(
    active: Modes, passive: Sequence[Modes], pieces: Sequence[tuple[int, int, int]],
    times: Array, bound: float = math.inf,
) -> Evolution:  # fmt: skip
    """Sums Re Σ y, active and passive, at ascending ``times``, and an error estimate.

    ``pieces`` are (first, last, layers) of stretches of steps, one after another: 0 if they are to
    be taken one by one, 1 if the coefficients are smooth, 2 if they also vanish at the end. Sums
    that overflow are infinite, and so are all later ones. The estimate is the size of the last
    Legendre coefficients of the blocks so far, relative to the sums or to `FLOOR` times those at
    the start, and the rounding errors of the largest modes. `PrecisionError` if blocks are halved
    without end.

    >>> decay = lambda n: (np.full((1, 1), 1e-3), np.zeros((1, 1)))
    >>> found = evolve(Modes(np.ones(1, complex), decay), (), [(0, 10**6, 1)], np.array([10, 2000]))
    >>> bool(np.allclose(found.sums, 0.999 ** np.array([10, 2000]), rtol=1e-12))
    True
    """
    run = _Evolution(active, tuple(passive), np.asarray(times, float), bound)
    with np.errstate(over="ignore", invalid="ignore"):
        for first, last, layers in pieces:
            run.halved = 0
            for start, length in blocks(first, last, layers):
                run.advance(start, length)
        run.record(run.now)
        run.watch(run.now, run.totals()[-1])
    return Evolution(run.out, run.error, run.crossed)


@dataclass(frozen=True)
class Evolution:
    """``sums`` *(1 + passive, times)* and their ``error`` *(times,)*.

    ``crossed`` is the first step at which the last of the sums is above the bound, if one is.
    """

    sums: Array
    error: Array
    crossed: int | None


def work(active: Modes, passive: Sequence[Modes], pieces: Sequence[tuple[int, int, int]]) -> float:
    """Operations that `evolve` takes at least, about.

    >>> decay = lambda n: (np.full((1, 1), 1e-3), np.zeros((1, 1)))
    >>> work(Modes(np.ones(1, complex), decay), (), [(0, 100, 0)])
    1000.0
    """
    found = 0.0
    for first, last, layers in pieces:
        lengths = [length for _, length in blocks(first, last, layers)] if layers else []
        at_once = sum(length >= DIRECT for length in lengths)
        short = sum(x for x in lengths if x < DIRECT) if layers else last - first
        for modes in (active, *passive):
            single, block = modes.costs(first)
            found += single * short + block * at_once
    return found


def blocks(first: int, last: int, layers: int) -> Iterator[tuple[int, int]]:
    """(start, length): short ones at the start, blocks that double away from it, or from both ends.

    >>> [length for _, length in blocks(0, 1000, 1)]
    [32, 32, 64, 128, 256, 488]
    >>> [length for _, length in blocks(0, 1000, 2)]
    [32, 32, 64, 128, 488, 256]
    """
    left = last - first - layers * DIRECT
    if left < DIRECT or not layers:
        short, rest = divmod(last - first, DIRECT // 2)
        sizes = [DIRECT // 2] * short + [rest] * (rest > 0)
    else:
        sizes, size = [], DIRECT
        while left > 2 * layers * size:
            sizes.append(size)
            left, size = left - layers * size, 2 * size
        ends = [*reversed(sizes[2:]), DIRECT + sum(sizes[:2])] if layers == 2 else []
        sizes = [DIRECT // 2, DIRECT // 2, *sizes, left, *ends]  # the first are too short for one
    for size in sizes:
        yield first, size
        first += size


class _Evolution:
    """One evolution in progress."""

    def __init__(
        self, active: Modes, passive: tuple[Modes, ...], times: Array, bound: float
    ) -> None:
        self.active, self.passive, self.times, self.bound = active, passive, times, bound
        self.out = np.full((1 + len(passive), len(times)), np.inf)
        self.error = np.full(len(times), np.inf)
        self.now, self.next, self.halved, self.tail = 0, 0, 0, 0.0
        self.spent = 0.0
        self.crossed: int | None = None
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
        sizes = [np.abs(modes.summed).sum() for modes in (self.active, *self.passive)]
        truncation = self.tail * max(float(np.abs(sums).max()), self.floor)
        self.out[:, self.next] = sums
        self.error[self.next] = truncation + ROUNDING * float(max(sizes))
        self.next += 1

    def totals(self) -> list[float]:
        """Sums of the active and of the passive modes."""
        return [modes.bare for modes in (self.active, *self.passive)]

    def watch(self, n: int, loss: float) -> None:
        """Note the step if its loss is the first above the bound (or has overflowed)."""
        if self.crossed is None and not loss <= self.bound:
            self.crossed = n

    def advance(self, start: int, length: int) -> None:
        """``length`` steps, at once if the polynomials converge, else in halves."""
        if self.done:
            return
        self.record(start)
        if length >= DIRECT and self._block(start, length):
            self.now = start + length
        elif length >= 2 * DIRECT:
            self._halve(start, length)
            self.advance(start, length // 2)
            self.advance(start + length // 2, length - length // 2)
        else:
            self._steps(start, length)

    def _halve(self, start: int, length: int) -> None:
        """`PrecisionError` where blocks have been halved too often, and one step costs too much."""
        self.halved += 1
        for modes in (self.active, *self.passive):
            single, block = modes.costs(start)
            self.spent += block + (single * length if length < 4 * DIRECT else 0)
        turning = max(modes.turning for modes in (self.active, *self.passive))
        if start < turning and self.spent > MOST_WORK:
            raise PrecisionError(
                f"modes with momentum oscillate for {turning:.0f} steps, which are followed one by "
                f"one: {start} of them at most here"
            )
        if start >= turning and self.halved > MOST_HALVED:
            raise PrecisionError(
                f"the losses are smooth over no {length} steps from step {start} on to the "
                "digits of float64, which cannot follow so many one by one"
            )

    def _steps(self, start: int, length: int) -> None:
        """``length`` single steps."""
        all_modes = (self.active, *self.passive)
        group = max(2, TOGETHER // max(modes.values.size for modes in all_modes))
        found: list[tuple[Array, Array]] = []
        first = last = start
        for n in range(start, start + length):
            constant = found and all(x.shape[1] == 1 for both in found for x in both)
            if n == last and not constant:
                first, last = n, min(n + group, start + length)  # two steps, but for the last one
                steps = np.arange(first, last, dtype=float)
                found = [modes.coefficients(steps) for modes in all_modes]
            sums = self.totals()
            if self.times[self.next] == n:
                self.record(n)
            if self.next == len(self.times) or not math.isfinite(sums[0]):
                return
            self.watch(n, sums[-1])
            drive = sums[0] + self.active.offset
            for modes, both in zip(all_modes, found):
                loss, source = (x[:, min(n - first, x.shape[1] - 1)] for x in both)
                modes.step(loss, source, drive)
            self.now = n + 1

    def _block(self, start: int, length: int) -> bool:
        """Collocate a block; False, and nothing changed, where it has not converged."""
        steps, before = float(start) + collocation(length)[0] * float(length), self.totals()
        own, response, after = self.active.respond(steps, length)
        offset = self.active.offset  # may be far larger than the sums: they are solved for alone
        bare = np.linalg.solve(np.eye(len(steps)) - response, own + response.sum(axis=1) * offset)
        drive = bare + offset
        sums = np.zeros((1 + len(self.passive), len(steps) + 1))
        sums[:, 0], sums[0, 1:] = before, bare
        if not self._converged(sums[0], self.active):
            return False
        followed = []
        for row, modes in enumerate(self.passive, start=1):
            sums[row, 1:], values = modes.follow(steps, length, drive)
            if not self._converged(sums[row], modes):
                return False
            followed.append(values)
        for modes, values in zip((*self.passive, self.active), (*followed, after(drive))):
            modes.values = values
        while not self.done and self.times[self.next] < start + length:
            self._note(sums @ lagrange((self.times[self.next] - start) / length))
        self._watch_block(start, length, sums[-1])
        return True

    def _watch_block(self, start: int, length: int, sums: Array) -> None:
        """The first step of a block above the bound: on a grid, then by bisection."""
        if self.crossed is not None or sums.max() <= self.bound:
            return

        def above(n: int) -> bool:
            return bool(sums @ lagrange((n - start) / length) > self.bound)

        grid = np.unique(np.linspace(start, start + length, GRID).astype(int))
        place = next((i for i, n in enumerate(grid) if above(n)), None)
        if place is None:
            return
        low, high = int(grid[max(place - 1, 0)]) - (place == 0), int(grid[place])
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if above(middle) else (middle, high)
        self.crossed = high

    def _converged(self, sums: Array, modes: Modes) -> bool:
        """Whether only rounding errors of the values before the block may be left."""
        scale = max(float(np.abs(sums).max()), self.floor) or 1.0
        tail = float(np.abs(legendre_tail() @ sums).max()) / scale
        if not tail <= TAIL + ROUNDING * float(np.abs(modes.summed).sum()) / scale:
            return False
        self.tail = max(self.tail, min(tail, TAIL))
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
