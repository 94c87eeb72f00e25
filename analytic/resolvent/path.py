r"""κ(z) of equation (1) along a contour: predictor, corrector, and a coarse spectrum first.

A contour is a path z_1, z_2, …, z_n in the upper half-plane along which κ(z) is analytic.
With the logarithmic slope of equation (1),

    d ln κ/d ln z = R₁R₃/(R₁R₃ + E (R₁/N + R₃/T)),        E = κ Σ λ/(λ+κ)²,

the value at one node predicts the next, κ_{i+1} ≈ κ_i (z_{i+1}/z_i)^slope, and Newton's
method corrects it. The first node is reached along the arc from |z_1|, where κ is real and
bisection finds it. All paths advance together; nodes follow one another.

The path is followed in a *coarse* spectrum, whose modes J > 64 are gathered into geometric
blocks: it has a few hundred modes even for M = ∞ and sums that are off by about 1e-5. Newton's
method in the true spectrum, for all nodes at once, then doubles the correct digits with each
step. The outcome is checked: a small residual, Im κ of the sign of Im z, a small correction.
Nodes that fail are handed to `resolvent.solve`, which takes no short cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np

from ..contour import as_array
from ..errors import InputError, PrecisionError
from ..spectrum import Spectrum
from . import solution as resolvent
from .solution import Solution

EXACT_MODES = 1000  # a spectrum up to this size is its own coarse spectrum
LEADING_MODES = 64  # modes that a coarse spectrum keeps one by one
BLOCK, BLOCK_NODES = 1.0, 4  # length of a block in ln J, and the modes that stand for it
LARGEST_MODE = 1e60  # of a coarse spectrum
ARC_STEP = 0.15  # radians
BISECTIONS = 30
CORRECTIONS = 2
POLISHING_STEPS = 8
CONVERGED = 1e-8  # relative Newton step whose successor is below rounding
LARGEST_MOVE = 0.2  # of κ from the coarse to the true spectrum, relative
TOLERANCE = 2e-14
START_BITS = 40  # that the float64 solution has right
EXTRA_BITS = 20
MAX_REFINEMENTS = 80


@dataclass(frozen=True)
class ContourSolution(Solution):
    """A solution of equation (1) with ``degrees``, D₁(κ)."""

    degrees: Any


def solve_along(spectrum: Spectrum, features: Any, samples: Any, z: np.ndarray) -> ContourSolution:
    """κ, R₁, R₃ at the nodes of contours, shape *(…, n)*; ``z`` is followed along its last axis.

    ``features`` and ``samples`` broadcast against the leading shape of ``z``.

    >>> from solvable.analytic.spectrum import Flat
    >>> along = solve_along(Flat(10), 5, 20, np.array([1 + 0.1j, 1j, -1 + 1j]))
    >>> direct = resolvent.solve(Flat(10), 5, 20, np.array([1 + 0.1j, 1j, -1 + 1j]))
    >>> bool(np.allclose(along.value, direct.value, rtol=1e-12))
    True
    """
    lead = np.broadcast_shapes(np.shape(features), np.shape(samples), z.shape[:-1])
    n, t = (np.broadcast_to(np.asarray(x, float), lead) for x in (features, samples))
    z = np.broadcast_to(z, (*lead, z.shape[-1])).astype(complex)
    nu, tau = 1 / n[..., None], 1 / t[..., None]
    rate, weight = coarse_modes(spectrum)
    k = _follow(rate, weight, nu, tau, z)
    k, d1, error = _polish(spectrum, nu, tau, z, k)
    bad = ~(error <= TOLERANCE)
    if bad.any():
        sizes = (np.broadcast_to(x[..., None], z.shape)[bad] for x in (n, t))
        again = resolvent.solve(spectrum, next(sizes), next(sizes), z[bad])
        k[bad], error[bad] = again.value, again.residual
        d1[bad] = spectrum.resolvent_sum(k[bad], 1, 1)
    return ContourSolution(k, *responses(d1, nu, tau, z / k), error, d1)


def solve_paths(
    spectrum: Spectrum,
    features: Any,
    samples: Any,
    paths: Sequence[np.ndarray],
    *,
    mp: bool = False,
) -> ContourSolution:
    """The same for several paths of shape *(n_i,)*, joined along the last axis.

    Paths of equal length are followed together.
    """
    if mp:
        return solve_along_exactly(spectrum, features, samples, np.concatenate(paths))
    lead = (np.asarray(size, float)[..., None] for size in (features, samples))
    n, t = np.broadcast_arrays(*lead)
    found: list[Any] = [None] * len(paths)
    for length in {len(path) for path in paths}:
        chosen = [i for i, path in enumerate(paths) if len(path) == length]
        group = solve_along(spectrum, n, t, np.stack([paths[i] for i in chosen]))
        for row, i in enumerate(chosen):
            found[i] = [x[..., row, :] for x in vars(group).values()]
    return ContourSolution(*(np.concatenate(parts, axis=-1) for parts in zip(*found)))


def coarse_modes(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of a short spectrum close to the given one, and their multiplicities.

    Modes beyond the leading ones are summed by Gauss–Legendre quadrature in ln J.
    """
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


def responses(
    d1: np.ndarray, nu: np.ndarray, tau: np.ndarray, product: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(R₃, R₁) from d₁ and their product z/κ, without loss of digits where they are small.

    With δ = R₃ − R₁ = d₁ (τ − ν) the sum is R₁ + R₃ = √(δ² + 4z/κ); the larger of the two is
    half of sum plus difference, the smaller the product divided by it.
    """
    delta = d1 * (tau - nu)
    total = np.sqrt(delta**2 + 4 * product)
    total = np.where((total * np.conj(2 - d1 * (tau + nu))).real < 0, -total, total)
    plus, minus = (total + delta) / 2, (total - delta) / 2
    first = np.abs(plus) >= np.abs(minus)
    r3 = np.where(first, plus, product / np.where(first, 1, minus))
    r1 = np.where(first, product / np.where(first, plus, 1), minus)
    return r3, r1


def _product_and_slope(d1: Any, spread: Any, nu: Any, tau: Any) -> tuple[Any, Any]:
    """p = R₁R₃ and dz/dκ = p + E (R₁/N + R₃/T)."""
    r3, r1 = 1 - d1 * nu, 1 - d1 * tau
    return r1 * r3, r1 * r3 + spread * (r1 * nu + r3 * tau)


def _follow(
    rate: np.ndarray, weight: np.ndarray, nu: np.ndarray, tau: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """κ along the paths in the coarse spectrum (modes ``rate``, multiplicities ``weight``)."""
    nu, tau = nu[..., 0], tau[..., 0]
    mass = rate * weight

    def sums(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inverse = 1 / (rate + k[..., None])
        return inverse @ mass, k * (inverse**2 @ mass)

    def advance(k: np.ndarray, here: np.ndarray, there: np.ndarray) -> np.ndarray:
        p, slope = _product_and_slope(*sums(k), nu, tau)
        k = k * (there / here) ** (p / slope)
        for _ in range(CORRECTIONS):
            p, slope = _product_and_slope(*sums(k), nu, tau)
            k = k - (k * p - there) / slope
        return k

    radius, angle = np.abs(z[..., 0]), np.angle(z[..., 0])
    steps = int(np.ceil(np.max(np.abs(angle), initial=0.0) / ARC_STEP)) + 1
    arc = [radius * np.exp(1j * angle * j / steps) for j in range(steps)]
    path = [*arc, *np.moveaxis(z, -1, 0)]
    k = _real_start(lambda x: sums(x)[0], nu, tau, radius).astype(complex)
    found = []
    with np.errstate(all="ignore"):  # a path that is lost is found out afterwards
        for here, there in pairwise(path):
            k = advance(k, here, there)
            found.append(k)
    return np.stack(found[steps - 1 :], axis=-1)


def _real_start(
    degrees: Callable[[np.ndarray], np.ndarray], nu: np.ndarray, tau: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """κ(z) at real z > 0 by bisection of ln κ: z ≤ κ, and κR₁R₃ rises where R₁, R₃ > 0."""
    low, high = np.log(z), np.log(z + 2 * degrees(np.zeros_like(z) + 1e300) * 1e300 * (nu + tau))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        k = np.exp(middle)
        d1 = degrees(k)
        r3, r1 = 1 - d1 * nu, 1 - d1 * tau
        above = (r3 > 0) & (r1 > 0) & (k * r1 * r3 > z)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.exp((low + high) / 2)


def _polish(
    spectrum: Spectrum, nu: np.ndarray, tau: np.ndarray, z: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """κ and d₁ in the true spectrum, and |κR₁R₃ − z|/|κ| (infinite where κ is not trusted)."""
    k = np.where(np.isfinite(start), start, z)
    with np.errstate(all="ignore"):
        for _ in range(POLISHING_STEPS):
            d1 = spectrum.resolvent_sum(k, 1, 1)
            spread = k * spectrum.resolvent_sum(k, 1, 2)
            p, slope = _product_and_slope(d1, spread, nu, tau)
            step = (k * p - z) / slope
            k = k - step
            if np.all(np.abs(step) <= CONVERGED * np.abs(k)):
                break
        d1 = np.asarray(spectrum.resolvent_sum(k, 1, 1))
        residual = np.abs(k * (1 - d1 * nu) * (1 - d1 * tau) - z) / np.abs(k)
        moved = np.abs(k - start) > LARGEST_MOVE * np.abs(start)
        untrusted = moved | (k.imag * z.imag < 0) | ~np.isfinite(residual)
    return k, d1, np.where(untrusted, np.inf, residual)


# ---- mpmath ---------------------------------------------------------------------------


def solve_along_exactly(
    spectrum: Spectrum, features: Any, samples: Any, z: np.ndarray
) -> ContourSolution:
    """The same at the current mpmath precision; ``z`` *(n,)* and the results hold objects.

    Newton's method with doubling precision, from the float64 solution.
    """
    n, t = mpmath.mpmathify(features), mpmath.mpmathify(samples)
    nu, tau = 1 / n, 1 / t
    try:
        start = solve_along(spectrum, float(n), float(t), z.astype(complex)).value
    except (ArithmeticError, InputError):  # z beyond the range of float64
        start = [resolvent.solve(spectrum, n, t, point).value for point in z]
    rows = [_refine(spectrum, nu, tau, *pair) for pair in zip(z, start)]
    return ContourSolution(*(as_array(list(column), True) for column in zip(*rows)))


def _refine(spectrum: Spectrum, nu: Any, tau: Any, z: Any, start: Any) -> tuple[Any, ...]:
    """(κ, R₃, R₁, residual) at one z; the smaller response is recomputed from z = κR₁R₃."""
    target = mpmath.mp.prec + EXTRA_BITS
    k, bits = mpmath.mpmathify(start), START_BITS
    with mpmath.workprec(target):
        for _ in range(MAX_REFINEMENTS):
            with mpmath.workprec(min(target, 2 * bits + EXTRA_BITS)):
                d1 = spectrum.resolvent_sum(+k, 1, 1)
                spread = k * spectrum.resolvent_sum(+k, 1, 2)
                p, slope = _product_and_slope(d1, spread, nu, tau)
                step = (k * p - z) / slope
                k = k - step
            reached = int(-mpmath.log(abs(step / k), 2)) if step else target
            bits = max(bits // 2, min(2 * reached, target))
            if 2 * reached >= target:
                break
        d1 = spectrum.resolvent_sum(k, 1, 1)
        r3, r1 = 1 - d1 * nu, 1 - d1 * tau
        residual = abs(k * r3 * r1 - z) / abs(k)
        if residual > mpmath.ldexp(1, EXTRA_BITS - target + 8):
            digits = int(-mpmath.log10(residual))
            raise PrecisionError(f"equation (1) holds only to {digits} digits at z = {z}", digits)
        r3, r1 = (z / k / r1, r1) if abs(r3) < abs(r1) else (r3, z / k / r3)
    return +k, +r3, +r1, +residual, +d1
