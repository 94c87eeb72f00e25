r"""κ(z) of equation (1) at complex z: along a contour, a coarse spectrum first.

A contour is a path z_1, z_2, …, z_n off the negative axis along which κ(z) is analytic. With the
logarithmic slope of equation (1),

    d ln κ/d ln z = R₁R₃/(R₁R₃ + E (R₁/N + R₃/T)),        E = κ Σ λ/(λ+κ)²,

the value at one node predicts the next, κ_{i+1} ≈ κ_i (z_{i+1}/z_i)^slope, and Newton's
method corrects it. The first node is reached along the arc from |z_1|, where κ is real and
bisection finds it. All paths advance together; nodes follow one another, those of a long path in
pieces that are reached on arcs of their own.

The path is followed in a *coarse* spectrum, whose modes J > 64 are gathered into geometric
blocks: it has a few hundred modes even for M = ∞ and sums that are off by about 1e-5. Newton's
method in the true spectrum, for all nodes at once, then doubles the correct digits with each
step. The outcome is checked: a small residual, Im κ of the sign of Im z, a small correction.
Nodes that fail are reached one by one along arcs in the true spectrum, with ever finer steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import InputError, PrecisionError
from ..spectrum import Spectrum
from .equation import ResolventSolution, brackets, product_and_slope, responses, unused
from .real import solve_real

EXACT_MODES = 1000  # a spectrum up to this size is its own coarse spectrum
LEADING_MODES = 64  # modes that a coarse spectrum keeps one by one
BLOCK, BLOCK_NODES = 1.0, 4  # length of a block in ln J, and the modes that stand for it
LARGEST_MODE = 1e60  # of a coarse spectrum
ARC_STEP = 0.15  # radians
PART = 4096  # points, each of which has as many numbers as the coarse spectrum has modes
PIECE = 32  # nodes of a long path that follow one another
FINER = (4, 16, 64)  # times as many steps on arcs in the true spectrum
BISECTIONS = 30
FAR = 1e300  # in the place of infinite N and T: 1/N is below any rounding
CORRECTIONS = 2
POLISHING_STEPS = 8
CONVERGED = 1e-8  # relative Newton step, over √|dz/dκ|, whose successor is below rounding
LARGEST_MOVE = 0.2  # of κ from the coarse to the true spectrum, relative
TOLERANCE = 2e-14
ACCEPTED = 1e-9  # residual after the finest arcs

Sums = Callable[..., tuple[Any, Any, Any]]  # (κ, N, T) ↦ (R₃, R₁, E)


def solve_complex(spectrum: Spectrum, features: Any, samples: Any, z: Any) -> ResolventSolution:
    """κ, R₃ and R₁ at complex z off the negative axis; all arguments broadcast."""
    point = np.asarray(z, complex)
    if not np.all(np.isfinite(point)) or np.any((point.imag == 0) & (point.real <= 0)):
        raise InputError("z", z, "a finite number off the negative real axis")
    n, t, point = np.broadcast_arrays(
        np.asarray(features, float), np.asarray(samples, float), point
    )
    flat = [x.ravel() for x in (n, t, point)]
    parts = ([x[i : i + PART] for x in flat] for i in range(0, max(point.size, 1), PART))
    found = [astuple(solve_along(spectrum, n, t, z[:, None])) for n, t, z in parts]
    columns = (np.concatenate(column)[:, 0] for column in zip(*found))
    return ResolventSolution(*(x.reshape(point.shape)[()] for x in columns))


def solve_along(
    spectrum: Spectrum, features: Any, samples: Any, z: np.ndarray
) -> ResolventSolution:
    """κ, R₃, R₁ at the nodes of contours, shape *(…, n)*; ``z`` is followed along its last axis.

    ``features`` and ``samples`` broadcast against the leading shape of ``z``.

    >>> from solvable.analytic.spectrum import Flat
    >>> path = np.array([1 + 0.1j, 1j, -1 + 1j])
    >>> along = solve_along(Flat(10), 5, 20, path)
    >>> bool(np.allclose(along.value, solve_complex(Flat(10), 5, 20, path).value, rtol=1e-12))
    True
    """
    lead = np.broadcast_shapes(np.shape(features), np.shape(samples), z.shape[:-1])
    n, t = (np.broadcast_to(np.asarray(x, float), lead)[..., None] for x in (features, samples))
    z = np.broadcast_to(z, (*lead, z.shape[-1])).astype(complex)
    if z.shape[-1] > 2 * PIECE:
        return _in_pieces(spectrum, n, t, z)
    sums, rows, columns = _coarse_sums(spectrum), np.minimum(n, FAR), np.minimum(t, FAR)
    start = _real_start(sums, spectrum.trace(), rows[..., 0], columns[..., 0], np.abs(z[..., 0]))
    k = _follow(sums, rows, columns, z, start, ARC_STEP)
    found = _polish(spectrum, n, t, z, k)
    bad = ~(found[-1] <= TOLERANCE)
    if bad.any():
        size, other, point = (np.broadcast_to(x, z.shape)[bad][:, None] for x in (n, t, z))
        again = _along_arcs(spectrum, size, other, point)
        for whole, part in zip(found, again):
            whole[bad] = part[:, 0]
    k, d1, r3, r1, error = found
    return ResolventSolution(k, *responses(d1, n, t, z / k, r3 + r1), error, d1)


def _in_pieces(
    spectrum: Spectrum, n: np.ndarray, t: np.ndarray, z: np.ndarray
) -> ResolventSolution:
    """The same for long paths, all pieces of which are followed together."""
    count = z.shape[-1]
    last = np.repeat(z[..., -1:], -count % PIECE, axis=-1)
    pieces = np.concatenate([z, last], axis=-1).reshape(*z.shape[:-1], -1, PIECE)
    found = astuple(solve_along(spectrum, n, t, pieces))
    return ResolventSolution(*(x.reshape(*z.shape[:-1], -1)[..., :count] for x in found))


def solve_paths(
    spectrum: Spectrum, features: Any, samples: Any, paths: Sequence[np.ndarray]
) -> ResolventSolution:
    """The same for several paths of shape *(n_i,)*, joined along the last axis.

    Paths of equal length are followed together.
    """
    lead = (np.asarray(size, float)[..., None] for size in (features, samples))
    n, t = np.broadcast_arrays(*lead)
    found: list[Any] = [None] * len(paths)
    for length in {len(path) for path in paths}:
        chosen = [i for i, path in enumerate(paths) if len(path) == length]
        group = solve_along(spectrum, n, t, np.stack([paths[i] for i in chosen]))
        for row, i in enumerate(chosen):
            found[i] = [x[..., row, :] for x in astuple(group)]
    return ResolventSolution(*(np.concatenate(parts, axis=-1) for parts in zip(*found)))


def coarse_modes(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of a short spectrum close to the given one, and their multiplicities.

    Modes beyond the leading ones are summed by Gauss–Legendre quadrature in ln J.
    """
    if spectrum.listed and len(spectrum.atoms()[0]) <= EXACT_MODES:
        return spectrum.atoms()
    if spectrum.size <= EXACT_MODES:
        values = spectrum.eigenvalues()
        return values, np.ones_like(values)
    first, last = LEADING_MODES + 0.5, min(float(spectrum.size), LARGEST_MODE) + 0.5
    edges = np.linspace(np.log(first), np.log(last), int(np.log(last / first) / BLOCK) + 2)
    x, weights = np.polynomial.legendre.leggauss(BLOCK_NODES)
    width = np.diff(edges)[:, None] / 2
    index = np.exp(edges[:-1, None] + width * (1 + x)).ravel()
    multiplicity = (width * weights).ravel() * index
    near = spectrum.eigenvalues(0, LEADING_MODES)
    return (
        np.concatenate([near, spectrum.eigenvalue(index)]),
        np.concatenate([np.ones(LEADING_MODES), multiplicity]),
    )


def _coarse_sums(spectrum: Spectrum) -> Sums:
    """The sums at finite N and T."""
    rate, weight = coarse_modes(spectrum)
    mass = rate * weight

    def sums(k: np.ndarray, n: np.ndarray, t: np.ndarray) -> tuple[Any, Any, Any]:
        inverse = 1 / (rate + k[..., None])
        terms = inverse * mass  # no matrix product: threads of a BLAS wait for one another
        d1, spread = terms.sum(axis=-1), k * (terms * inverse).sum(axis=-1)
        crowded = 2 * d1.real > spectrum.size
        if not crowded.any():
            return (n - d1) / n, (t - d1) / t, spread
        empty = k * (weight * inverse).sum(axis=-1)
        return *unused(spectrum.size, d1, empty, crowded, n, t), spread

    return sums


def _follow(
    sums: Sums, n: np.ndarray, t: np.ndarray, z: np.ndarray, start: np.ndarray, arc_step: float
) -> np.ndarray:
    """κ along the paths, from its real value ``start`` at |z_1|."""
    n, t = n[..., 0], t[..., 0]

    def at(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return product_and_slope(*sums(k, n, t), n, t)

    radius, angle = np.abs(z[..., 0]), np.angle(z[..., 0])
    steps = int(np.ceil(np.max(np.abs(angle), initial=0.0) / arc_step)) + 1
    arc = [radius * np.exp(1j * angle * j / steps) for j in range(steps)]
    k, found = start.astype(complex), []
    with np.errstate(all="ignore"):  # a path that is lost is found out afterwards
        p, slope = at(k)
        for here, there in pairwise([*arc, *np.moveaxis(z, -1, 0)]):
            k = k * (there / here) ** _share(p, slope)
            for _ in range(CORRECTIONS):
                p, slope = at(k)
                k = k - _share(k * p - there, slope)
            found.append(k)
    return np.stack(found[steps - 1 :], axis=-1)


def _share(change: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """change/slope; 0 where R₁ = R₃ = 0 to rounding (N = T), and κ does not depend on z."""
    return np.where(slope == 0, 0, change / slope)


def _real_start(
    sums: Sums, trace: float, n: np.ndarray, t: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """κ(z) at real z > 0 by bisection of ln κ: z ≤ κ, and κR₁R₃ rises where R₁, R₃ > 0."""
    low, high = np.log(z), np.log(z + 2 * trace * (1 / n + 1 / t))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        k = np.exp(middle)
        r3, r1, _ = sums(k, n, t)
        above = (r3 > 0) & (r1 > 0) & (k * r1 * r3 > z)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.exp((low + high) / 2)


def _polish(
    spectrum: Spectrum, n: np.ndarray, t: np.ndarray, z: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, ...]:
    """κ, D₁, R₃, R₁ in the true spectrum, and |κR₁R₃ − z|/|κ| (infinite: κ is not trusted)."""
    k = np.where(np.isfinite(start), start, z)
    with np.errstate(all="ignore"):
        for _ in range(POLISHING_STEPS):
            d1, r3, r1 = brackets(spectrum, k, n, t)
            p, slope = product_and_slope(r3, r1, k * spectrum.resolvent_sum(k, 1, 2), n, t)
            step = _share(k * p - z, slope)
            k = k - step
            if np.all(np.abs(step) <= CONVERGED * np.sqrt(np.abs(slope)) * np.abs(k)):
                break
        d1, r3, r1 = brackets(spectrum, k, n, t)
        residual = np.abs(k * r3 * r1 - z) / np.abs(k)
        moved = np.abs(k - start) > LARGEST_MOVE * np.abs(start)
        # κ/z never crosses the negative axis: Im κ carries the sign of Im z
        wrong_side = (k.imag * z.imag < 0) & (np.abs(k.imag) > 1e-12 * np.abs(k))
        untrusted = moved | wrong_side | ~np.isfinite(residual)
    return k, d1, r3, r1, np.where(untrusted, np.inf, residual)


def _along_arcs(
    spectrum: Spectrum, n: np.ndarray, t: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, ...]:
    """The same for single nodes *(…, 1)*, each along the arc from |z| in the true spectrum."""

    def sums(k: np.ndarray, n: np.ndarray, t: np.ndarray) -> tuple[Any, Any, Any]:
        return *brackets(spectrum, k, n, t)[1:], k * spectrum.resolvent_sum(k, 1, 2)

    start = np.asarray(solve_real(spectrum, n[..., 0], t[..., 0], np.abs(z[..., 0])).value)
    found: tuple[np.ndarray, ...] | None = None
    for finer in FINER:
        k = _follow(sums, n, t, z, start, ARC_STEP / finer)
        now = _polish(spectrum, n, t, z, k)
        if found is None:
            found = now
        else:
            better = now[-1] < found[-1]
            found = tuple(np.where(better, x, y) for x, y in zip(now, found))
        if np.all(found[-1] <= TOLERANCE):
            break
    assert found is not None
    error = found[-1]
    if not np.all(error <= ACCEPTED):
        worst = z.ravel()[np.argmax(np.where(np.isnan(error), np.inf, error))]
        raise PrecisionError(
            f"κ could not be continued to z = {worst} (residual {error.max():.1e})"
        )
    return found
