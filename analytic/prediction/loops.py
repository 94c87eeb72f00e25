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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from ..errors import PrecisionError
from .sites import Medium, inverse, medium, site_errors, unexplained

SOURCE, LEAK = 3e-2, 3e-3  # relative sizes of s and ε
STEP = 0.03  # of T in derivatives


@dataclass(frozen=True, eq=False)
class Disturbed:
    """The medium at a source s and a leak ε: ``drawn`` and ``left`` are T_in and T_out.

    ``links`` is 𝒢′, ``rings`` Ψ_rings, ``through`` is 𝒢K where features are drawn. Values at
    ±s, ±ε, each times its ``weight`` ±1/(4 s ε), add up to the derivative by both.
    """

    weight: float
    medium: Medium
    drawn: np.ndarray
    left: np.ndarray
    links: np.ndarray
    rings: float
    through: np.ndarray | None = None

    def pair(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """½ ln(1 − T_i T_j 𝒢_ij²) for all pairs, i in one state and j in another."""
        return np.log1p(-np.outer(one, other) * self.links**2) / 2

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Both sites drawn, the first alone, none."""
        return (self.pair(self.drawn, self.drawn), self.pair(self.drawn, self.left),
                self.pair(self.left, self.left))  # fmt: skip

    @property
    def pair_mean(self) -> float:
        """Ψ_pairs."""
        share, (both, first, none) = self.medium.share, self.pairs
        mean = share**2 * both + 2 * share * (1 - share) * first + (1 - share) ** 2 * none
        return float(np.sum(mean)) / 2

    @cached_property
    def pair_difference(self) -> np.ndarray:
        """The mixed difference of ½ ln(1 − T_i T_j 𝒢_ij²) by drawing one site and the other."""
        both, first, none = self.pairs
        return both - first - first.T + none


def disturbances(
    kernel: np.ndarray, targets: np.ndarray, at: Medium, noise: float = 0.0
) -> list[Disturbed]:
    """The media at ±s and ±ε."""
    pool, columns = targets.shape
    energy = float(np.sum(targets * (at.resolvent @ targets)))
    s, epsilon = SOURCE / energy, LEAK * float(np.median(at.diagonal))
    outer = targets @ targets.T
    outer[np.diag_indices(pool)] += noise * columns
    return [
        _disturbed(kernel, at, one * s * outer, other * epsilon, one * other / (4 * s * epsilon))
        for one in (1, -1)
        for other in (1, -1)
    ]


def _disturbed(
    kernel: np.ndarray, start: Medium, source: np.ndarray, leak: float, weight: float
) -> Disturbed:
    drawn = start.share * len(kernel)
    at = medium(kernel, drawn, start.ridge, start.features, start, leak, source)
    g, kappa, r, share = at.diagonal, at.kappa, at.ridge, at.share
    h = unexplained(g, share, r, leak)
    inside, left = (r - kappa) / (g * (h + r)), (1 - leak * kappa) / (g * (1 + leak * h))
    links = at.resolvent.copy()
    np.fill_diagonal(links, 0)
    if max(np.max(np.outer(t, t) * links**2) for t in (inside, left)) >= 1:  # T_in T_out < 0
        raise PrecisionError("two sites determine one another here", 0)
    root = np.sqrt(share * inside**2 + (1 - share) * left**2)
    rings = _rings(links**2 * root * root[:, None])
    through = at.resolvent @ kernel if np.isfinite(at.features) else None
    return Disturbed(weight, at, inside, left, links, rings, through)


def loop_correction(
    kernel: np.ndarray, targets: np.ndarray, at: Medium, test: float,
    disturbed: Sequence[Disturbed], noise: float = 0.0,
) -> float:  # fmt: skip
    """x: what pairs, rings and the fixed number T add to E_test, relative to it.

    >>> kernel, y = np.eye(6), np.ones((6, 1))  # independent points: nothing to add
    >>> at = medium(kernel, 3, 1.0)
    >>> abs(loop_correction(kernel, y, at, 1.0, disturbances(kernel, y, at))) < 1e-6
    True
    """
    left = len(targets) * (1 - at.share)
    loops = 2 * sum(d.weight * (d.pair_mean + d.rings) for d in disturbed) / left
    return (loops + _fixed_number(kernel, targets, at, test, noise)) / test


def bounded(x: float) -> float:
    """The factor by which E_test changes.

    >>> [bounded(x) for x in (-0.5, 0.0, 1.0)]
    [0.5, 1.0, 1.5]
    """
    return 1 + x / (1 + max(x, 0.0))


def _rings(ring: np.ndarray) -> float:
    """−Σ_{k≥3} (1/4k + 1/4) Tr S^k = ¼ [ln det(1 − S) + ½ Tr S²] − ¼ Tr [(1 − S)⁻¹ − 1 − S²]."""
    rest = np.eye(len(ring)) - ring
    second, volume = float(np.sum(ring**2)), log_det(rest)
    return (volume + second / 2 - (float(np.trace(inverse(rest))) - len(ring) - second)) / 4


def log_det(rest: np.ndarray) -> float:
    """ln det(1 − S), where the sum over walks converges.

    >>> log_det(np.eye(3))
    0.0
    """
    factor, failed = lapack.dpotrf(rest, lower=1)
    if failed:
        raise PrecisionError("the variance of the site formula diverges here", 0)
    return 2 * float(np.sum(np.log(np.diag(factor))))


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
