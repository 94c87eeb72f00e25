r"""The spread of the test error over training sets.

The error on the points left out is a function of which points are drawn. By the first two orders
of its analysis of variance (Hoeffding, Efron and Stein)

    Var X = α(1 − α) Σ_i (Δ_i − Δ̄)² + 2 Σ_{i≠j} (1 − α)² Cov(e_i, e_j)²,

where Δ_i, the effect of drawing point i, is the derivative of X = Σ k_i u_i² by its own α_i in the
site formula, Δ̄ is taken out because T is fixed, and the covariance of the errors of two points is
that of the ladder in which every point has an independent noise of variance w_i, A w = u²:

    Cov(e_i, e_j) = (𝒢 diag(w) 𝒢)_ij/(g_i g_j) − 𝒢_ij (w_i/g_j + w_j/g_i),

but not more than the variances of both allow.

Source: Efron, Stein 1981; the covariances are those of `sites`.
"""

from __future__ import annotations

import numpy as np

from .sites import Medium, SiteErrors, solve_ladder


def spread(at: Medium, targets: np.ndarray, errors: SiteErrors) -> float:
    """The standard deviation of the mean error of the points left out, over training sets."""
    resolvent, g, share = at.resolvent, at.diagonal, at.share
    k, w, u = errors.response, errors.noise, resolvent @ targets
    pool, columns = u.shape
    linked = resolvent / g  # ladder between two points: 𝒢 diag(w) 𝒢 over g g, less each end's noise
    between = (resolvent * w) @ resolvent
    moving = between / np.outer(g, g) - w[:, None] * linked.T - w * linked
    own = np.maximum(share / (1 - share) * w - np.sum((u / g[:, None]) ** 2, axis=1), 0)
    most = np.sqrt(np.outer(own, own))  # of a covariance; the ladder of two close points exceeds it
    moving = np.clip(moving, -most, most)
    np.fill_diagonal(moving, 0)
    pairs = 2 * (1 - share) ** 2 * float(np.sum(moving**2)) / columns
    by_kappa = (
        2 * (resolvent**2 @ (w * k * g)) / (1 - share)
        - 2 * np.sum(u * (resolvent @ (k[:, None] * u)), axis=1)
        - 2 * np.sum(between * k * resolvent, axis=1)
    )
    direct = w - w * k * (g / (1 - share)) ** 2
    effect = direct - g / (1 - share) * solve_ladder(resolvent, share, by_kappa)
    singles = share * (1 - share) * float(np.sum((effect - effect.mean()) ** 2))
    return float(np.sqrt(singles + pairs)) / (pool * (1 - share))
