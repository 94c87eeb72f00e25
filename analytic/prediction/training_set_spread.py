r"""The spread of the test error over training sets.

The summed error X of the points left out is a function of which points are drawn. By its analysis
of variance (Hoeffding), with the mixed differences Δ_i and Δ_ij of the mean of X by drawing one
point and two,

    Var X = α(1 − α) P/(P − 1) Σ_i Δ_i² + [α(1 − α)]² ½ Σ_{i≠j} Δ_ij² + …,

row means taken out of both because T is fixed. Δ_i is the derivative of X = Σ k_i u_i² by its own
α_i in the site formula. For Δ_ij two sites are treated exactly in the mean of the others. With the
T-matrices t = −(1 − α)/(αg) of a point drawn and 1/g of one left out, and the amplitudes ũ that
arrive from elsewhere, whose second moments are

    W_ij = u_i u_j + Σ_{k≠i,j} 𝒢_ik w_k 𝒢_jk,      W_ii = α g_i² w_i/(1 − α),      A w = u²,

u_i = (ũ_i − 𝒢_ij t_j ũ_j)/(1 − t_i t_j 𝒢_ij²), and X is that of both, of what they scatter to others,
and of its interference with what is there,

    X_ij = ⟨V_i u_i² + V_j u_j² + 2 t_i t_j u_i u_j C_ij − 2 Σ_l k_l ũ_l (𝒢_li t_i u_i + 𝒢_lj t_j u_j)⟩,
    V_i = [left out]/g_i² + t_i² Σ_{l≠i} k_l 𝒢_li²,      C_ij = Σ_l k_l 𝒢_li 𝒢_lj.

That ũ_i ũ_j fluctuates with the other points adds to Δ_ij², averaged over them; that counts what
three points do together three times, and a third of it is taken for all higher orders.

Source: this package; Efron, Stein 1981 for the analysis of variance.
"""  # noqa: E501

from __future__ import annotations

import numpy as np

from .sites import Medium, SiteErrors, solve_ladder

HIGHER = 1 / 3  # of the fluctuation of Δ_ij


def spread(at: Medium, targets: np.ndarray, errors: SiteErrors) -> float:
    """The standard deviation of the mean error of the points left out, over training sets.

    >>> from itertools import combinations
    >>> from solvable.analytic.prediction.sites import medium, site_errors
    >>> kernel, y = np.eye(6), np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0])[:, None]
    >>> at = medium(kernel, 2, 1.0)  # independent points: what matters is which are left out
    >>> left_out = [np.mean(np.delete(y, drawn) ** 2) for drawn in combinations(range(6), 2)]
    >>> bool(np.isclose(spread(at, y, site_errors(kernel, y, at)), np.std(left_out)))
    True
    """
    share, pool = at.share, len(targets)
    effect = _effects(at, targets, errors)
    single = float(np.sum((effect - effect.mean()) ** 2))
    joint, fluctuation = _PairOfSites(at, targets, errors).interactions()
    pairs = float(np.sum(_centred(joint) ** 2) + HIGHER * np.sum(fluctuation)) / 2
    drawn = share * (1 - share)
    variance = drawn * pool / (pool - 1) * single + drawn**2 * pairs
    return float(np.sqrt(variance)) / (pool * (1 - share))


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


def _centred(joint: np.ndarray) -> np.ndarray:
    """Without what depends on one point only, of a symmetric matrix of zero diagonal."""
    pool = len(joint)
    if pool < 4:
        return joint
    rows = joint.sum(axis=1) / (pool - 2)
    centred = joint - rows[:, None] - rows + joint.sum() / ((pool - 1) * (pool - 2))
    np.fill_diagonal(centred, 0)
    return centred


class _PairOfSites:
    """Two sites, treated exactly in the mean of the others, for all pairs at once."""

    def __init__(self, at: Medium, targets: np.ndarray, errors: SiteErrors) -> None:
        g, share, k, w = at.diagonal, at.share, errors.response, errors.noise
        self.g, self.share, self.u = g, share, at.resolvent @ targets
        self.link = at.resolvent.copy()  # 𝒢 off the diagonal
        np.fill_diagonal(self.link, 0)
        self.own = share * g**2 / (1 - share) * w  # W_ii
        self.moment = self.u @ self.u.T + (self.link * w) @ self.link  # W_ij
        np.fill_diagonal(self.moment, 0)
        weighted = self.link * k
        self.joint = weighted @ self.link  # C
        self.crossed = weighted @ self.moment  # Σ_l 𝒢_il k_l W_lj
        self.alone = np.sum(weighted * self.moment, axis=1)
        self.scattered = k * g**2 * share / (1 - share) - share  # Σ_{l≠i} k_l 𝒢_li², by A k = α

    def states(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """(t, V) of every site left out, and drawn."""
        out, drawn = 1 / self.g, -(1 - self.share) / (self.share * self.g)
        return (out, out**2 * (1 + self.scattered)), (drawn, drawn**2 * self.scattered)

    def interactions(self) -> tuple[np.ndarray, np.ndarray]:
        """Δ_ij, and the variance that the fluctuation of ũ_i ũ_j gives to it."""
        mixed = np.zeros_like(self.link)
        for i, one in enumerate(self.states()):
            for j, other in enumerate(self.states()):
                mixed += (1 if i == j else -1) * self._error(*one, *other)
        np.fill_diagonal(mixed, 0)
        (out, left_out), (drawn, inside) = self.states()
        step = out - drawn  # 1/(αg)
        turned = self.link * np.outer(inside - left_out, step)
        slope = 2 * (turned + turned.T + self.joint * np.outer(step, step))
        changed = slope**2 * self._fluctuation()
        np.fill_diagonal(changed, 0)
        return mixed, changed

    def _error(
        self, t: np.ndarray, v: np.ndarray, other_t: np.ndarray, other_v: np.ndarray
    ) -> np.ndarray:
        """X_ij, with site i (rows) in one state and site j (columns) in another."""
        a, b = t[:, None], other_t[None, :]
        own, other, link = self.own[:, None], self.own[None, :], self.link
        whole = 1 - a * b * link**2
        first = (own - 2 * link * b * self.moment + (link * b) ** 2 * other) / whole**2
        second = (other - 2 * link * a * self.moment + (link * a) ** 2 * own) / whole**2
        mixed = self.moment * (2 - whole) - link * (a * own + b * other)
        crossed = a * (self.alone[:, None] - link * b * self.crossed)
        crossed += b * (self.alone[None, :] - link * a * self.crossed.T)
        return (
            v[:, None] * first + other_v[None, :] * second
            + 2 * a * b * self.joint * mixed / whole**2 - 2 * crossed / whole
        )  # fmt: skip

    def _fluctuation(self) -> np.ndarray:
        """The variance of ũ_i ũ_j, as of Gaussian amplitudes, alike in all columns of targets."""
        mean = self.u @ self.u.T
        squares = np.diag(mean)
        moving, along = np.maximum(self.own - squares, 0), self.moment - mean
        found = np.outer(moving, moving) + along**2 + 2 * mean * along
        found += np.outer(squares, moving) + np.outer(moving, squares)
        return np.maximum(found, 0) / self.u.shape[1]
