r"""The spread of the test error over training sets.

The summed error X of the points left out is a function of which points are drawn. By its analysis
of variance (Hoeffding), with the mixed differences Δ_i and Δ_ij of the mean of X by drawing one
point and two,

    Var X = α(1 − α) P/(P − 1) Σ_i Δ_i² + [α(1 − α)]² ½ Σ_{i≠j} Δ_ij² + …,

row means taken out of Δ_i because T is fixed. Δ_i is the derivative of X = Σ k_i u_i² by its own
α_i in the site formula. The higher orders are those of ½ ln det(1 + T𝒢′), of which X is the
derivative 2 ∂_s ∂_ε as in `loops`. A walk through k different sites is uncorrelated with every
other, so that for two copies of the training set, each with its own s and ε,

    C = Σ_{i<j} [α(1 − α)]² L_ij L′_ij + Σ_{k≥3} Tr S^k/(2k),      Var X ∋ 4 ∂_s∂_ε ∂_s′∂_ε′ C,

    L_ij = the mixed difference of ½ ln(1 − T_i T_j 𝒢_ij²),      S_ij = √γ_i 𝒢′_ij 𝒢′_ij′ √γ_j,

γ = ⟨T T′⟩: two sites to all orders, and the longer walks that visit each of theirs once. N random
features of kernel K, if Gaussian, are one more site for all of them, through which walks go with

    S_if = √(γ_i cc′/N) (𝒢K𝒢′)_ii,      S_ff = cc′ Tr(K𝒢K𝒢′)/N,

and C has their own Tr S_ff/2, the features alone, and the walks of points and features beside.

Source: this package; Efron, Stein 1981 for the analysis of variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from ..errors import PrecisionError
from .loops import Disturbed, log_det
from .sites import Medium, SiteErrors, solve_ladder


def spread(
    at: Medium, targets: np.ndarray, errors: SiteErrors, disturbed: Sequence[Disturbed]
) -> tuple[float, float]:
    """The standard deviation of the mean error of the points left out, over training sets.

    ``disturbed`` are the media of `loops.disturbances`. The second number is what single features
    have in the first, 0 for a kernel.

    >>> from itertools import combinations
    >>> from solvable.analytic.prediction.loops import disturbances
    >>> from solvable.analytic.prediction.sites import medium, site_errors
    >>> kernel, y = np.eye(6), np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0])[:, None]
    >>> at = medium(kernel, 2, 1.0)  # independent points: what matters is which are left out
    >>> left_out = [np.mean(np.delete(y, drawn) ** 2) for drawn in combinations(range(6), 2)]
    >>> found, _ = spread(at, y, site_errors(kernel, y, at), disturbances(kernel, y, at))
    >>> bool(np.isclose(found, np.std(left_out), rtol=1e-4))
    True
    """
    share, pool = at.share, len(targets)
    effect = _effects(at, targets, errors)
    single = share * (1 - share) * pool / (pool - 1) * np.sum((effect - effect.mean()) ** 2)
    try:
        walks = np.maximum(_walks(disturbed), 0.0)
    except PrecisionError:  # through features they do not converge: single points alone
        walks = np.zeros(2)
    found = np.sqrt([single + walks[0], walks[1]]) / (pool * (1 - share))
    return float(found[0]), float(found[1])


def _walks(disturbed: Sequence[Disturbed]) -> np.ndarray:
    """4 ∂_s∂_ε ∂_s′∂_ε′ C, and the share of single features in it."""
    total = np.zeros(2)
    for one, other in combinations_with_replacement(disturbed, 2):
        twice = 4 if one is other else 8
        total += twice * one.weight * other.weight * np.array(_covariance(one, other))
    return total


def _effects(at: Medium, targets: np.ndarray, errors: SiteErrors) -> np.ndarray:
    """Δ_i, by which X changes when point i is drawn."""
    resolvent, g, share = at.resolvent, at.diagonal, at.share
    k, w, u = errors.response, errors.noise, resolvent @ targets
    between = (resolvent * w) @ resolvent
    by_kappa = (
        2 * (resolvent**2 @ (w * k * g)) / (1 - share)
        - 2 * np.sum(u * (resolvent @ (k[:, None] * u)), axis=1)
        - 2 * np.sum(between * k * resolvent, axis=1)
    )
    direct = w - w * k * (g / (1 - share)) ** 2
    return direct - g / (1 - share) * solve_ladder(resolvent, share, by_kappa)


def _covariance(one: Disturbed, other: Disturbed) -> tuple[float, float]:
    """C, of two copies of the training set, and the share of single features in it."""
    share = one.medium.share
    pairs = float(np.sum(one.pair_difference * other.pair_difference)) / 2
    root = np.sqrt(share * one.drawn * other.drawn + (1 - share) * one.left * other.left)
    ring = one.links * other.links * root * root[:, None]
    own, alone = float(np.sum(ring * ring)), 0.0  # two points are in the pairs
    if one.through is not None and other.through is not None:
        weight = one.medium.compression * other.medium.compression / one.medium.features
        aside = np.sqrt(weight) * root * np.sum(one.through * other.medium.resolvent, axis=1)
        within = weight * float(np.sum(one.through * other.through.T))
        ring = np.block([[ring, aside[:, None]], [aside[None, :], np.full((1, 1), within)]])
        alone = within / 2
    longer = -(log_det(np.eye(len(ring)) - ring) + own / 2) / 2
    return (share * (1 - share)) ** 2 * pairs + longer, alone

