r"""Beyond the single site: the first loops of the average over subsets.

The site formula is a saddle point. With the T-matrices of a site that is drawn or left out,

    T_in = (r − κ)/[g (h + r)],   T_out = (1 − εκ)/[g (1 + εh)],   ⟨T⟩ = 0,   γ = ⟨T²⟩,

and 𝒢′ the part of 𝒢 off the diagonal, ½⟨ln det(K + D)⟩ is the saddle's value plus
Ψ = ½⟨ln det(1 + T𝒢′)⟩, of which are summed

    Ψ_pairs = ½ Σ_{i<j} ⟨ln(1 − T_i T_j 𝒢_ij²)⟩           two sites, to all orders,
    Ψ_rings = −Σ_{k≥3} (1 + k)/(4k) Tr S^k,   S_ij = √γ_i 𝒢′_ij² √γ_j,

closed walks through k sites that visit each twice: 1 + k of them for every ring. Errors are mixed
derivatives, E_test = 2 (P − T)⁻¹ ∂_s ∂_ε at K + sYYᵀ, taken here by central differences. Exactly T
points are drawn, not each with probability α, which subtracts
½ T (1 − α) [E″ − 2E′/(P − T)], E′ = dE/dT.

The sum x of the corrections, relative to the site formula, enters as 1 + x/(1 + x) where it is
positive, which agrees to its order and stays bounded.

Source: this package; the functional is that of Baym and Kadanoff for the average over disorder.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from ..errors import PrecisionError
from .sites import Medium, inverse, medium, site_errors, unexplained

SOURCE, LEAK = 3e-2, 3e-3  # relative sizes of s and ε
STEP = 0.03  # of T in derivatives


def loop_correction(
    kernel: np.ndarray, targets: np.ndarray, at: Medium, test: float, noise: float = 0.0
) -> float:
    """x: what pairs, rings and the fixed number T add to E_test, relative to it.

    >>> kernel = np.eye(6)  # independent points: nothing to add
    >>> at = medium(kernel, 3, 1.0)
    >>> abs(loop_correction(kernel, np.ones((6, 1)), at, 1.0)) < 1e-6
    True
    """
    pool, columns = targets.shape
    left = pool * (1 - at.share)
    energy = float(np.sum(targets * (at.resolvent @ targets)))
    s, epsilon = SOURCE / energy, LEAK * float(np.median(at.diagonal))
    outer = targets @ targets.T
    outer[np.diag_indices(pool)] += noise * columns
    mixed = 0.0
    for sign in (1, -1):
        shifted = kernel + sign * s * outer
        mixed += sign * (_loops(shifted, at, epsilon) - _loops(shifted, at, -epsilon))
    loops = 2 * mixed / (4 * s * epsilon) / left
    return (loops + _fixed_number(kernel, targets, at, test, noise)) / test


def bounded(x: float) -> float:
    """The factor by which E_test changes.

    >>> [bounded(x) for x in (-0.5, 0.0, 1.0)]
    [0.5, 1.0, 1.5]
    """
    return 1 + x / (1 + max(x, 0.0))


def _loops(kernel: np.ndarray, start: Medium, leak: float) -> float:
    """Ψ at one source and one ε."""
    at = medium(kernel, start.share * len(kernel), start.ridge, start.features, start, leak)
    g, kappa, r, share = at.diagonal, at.kappa, at.ridge, at.share
    h = unexplained(g, share, r, leak)
    drawn = (r - kappa) / (g * (h + r))
    left = (1 - leak * kappa) / (g * (1 + leak * h))
    squared = at.resolvent**2
    np.fill_diagonal(squared, 0)
    pairs = 0.0
    for probability, one, other in (
        (share**2, drawn, drawn), (2 * share * (1 - share), drawn, left),
        ((1 - share) ** 2, left, left),
    ):  # fmt: skip
        scattered = np.outer(one, other) * squared
        if scattered.max() >= 1:  # copies that know of one another
            raise PrecisionError("two sites determine one another here", 0)
        pairs += probability * float(np.sum(np.log1p(-scattered)))
    root = np.sqrt(share * drawn**2 + (1 - share) * left**2)
    return pairs / 4 + _rings(squared * root * root[:, None])


def _rings(ring: np.ndarray) -> float:
    """−Σ_{k≥3} (1/4k + 1/4) Tr S^k = ¼ [ln det(1 − S) + ½ Tr S²] − ¼ Tr [(1 − S)⁻¹ − 1 − S²]."""
    rest = np.eye(len(ring)) - ring
    factor, failed = lapack.dpotrf(rest, lower=1)
    if failed:
        raise PrecisionError("the variance of the site formula diverges here", 0)
    log_det = 2 * float(np.sum(np.log(np.diag(factor))))
    second = float(np.sum(ring**2))
    return (log_det + second / 2 - (float(np.trace(inverse(rest))) - len(ring) - second)) / 4


def _fixed_number(
    kernel: np.ndarray, targets: np.ndarray, at: Medium, test: float, noise: float
) -> float:
    pool = len(kernel)
    t = at.share * pool
    step = STEP * min(t, pool - t)
    below, above = (
        site_errors(kernel, targets, medium(kernel, t + d, at.ridge, at.features, at), noise).test
        for d in (-step, step)
    )
    second, first = (below + above - 2 * test) / step**2, (above - below) / (2 * step)
    return -t * (1 - at.share) / 2 * (second - 2 * first / (pool - t))
