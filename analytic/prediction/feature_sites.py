r"""Random features as they are: each feature a site of its own, as each point is.

N features φ_r of R, and T points of P, are drawn. Regression on the pair is (Φ E⁻¹ Φᵀ + D)⁻¹ with
D_i = r and E_r = N where drawn, ∞ elsewhere; points and features are the two kinds of sites of one
block matrix, and the average over both treats each site exactly in the mean of the others,

    𝒢 = (Φ diag(1/η) Φᵀ + diag κ)⁻¹,      κ_i = [r + (1 − T/P) h_i] P/T,      h_i = 1/g_i − κ_i,
                                           η_r = [N + (1 − N/R) q_r] R/N,      q_r = 1/ĝ_r − η_r,

with g = diag 𝒢 and ĝ_r = 1/η_r − φ_rᵀ𝒢φ_r/η_r². For Gaussian features q_r is the same for all, and
1/η = c/R is the formula of `sites`. Features of data are not: where inputs have a mean, or lie in
clusters, some are nearly off and some nearly linear, q_r differs, and there are fewer of them than
N. The R features of the pool are drawn from their law and turned so that ΦΦᵀ/R = K.

Points that are left out have the ridge 1/ε, and E_test = (P − T)⁻¹ ∂_ε yᵀ𝒢y. The functional whose
saddle this is depends on the share β_r with which feature r is drawn through ½ ln(1 + q_r/N), so
that drawing it changes the error by

    Δ_r = (P − T)⁻¹ ∂_s ∂_ε ln(1 + q_r/N)      at  ΦE⁻¹Φᵀ + s yyᵀ,

and the draw of features adds N Var_r Δ_r to the variance of the error, to first order.

Source: this package; the coherent potential of `sites`, for both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import PrecisionError
from .kernel_matrix import KernelMatrix
from .sites import inverse, medium, site_errors, solve_ladder, unexplained

POOL, FEWEST = 640, 200  # points of the pool on which features are looked at
PER_POINT, PER_DRAWN, LEAST = 12, 8, 2  # features of their pool
LARGEST = 6_000_000  # entries of it
STEPS, TOLERANCE = 300, 1e-8
SOURCE, LEAK = 1e-2, 3e-3  # relative sizes of s and ε
JITTER = 1e-11


@dataclass(frozen=True)
class FeatureEffect:
    """What features that are not Gaussian do: ``ratio`` of the test error to that of Gaussian
    features, and ``spread``, the standard deviation over draws of the features, relative to it.
    """

    ratio: float
    spread: float


def feature_effect(
    kernel: KernelMatrix,
    targets: np.ndarray,
    samples: float,
    ridge: float,
    features: float,
    noise: float = 0.0,
    seed: int = 0,
) -> FeatureEffect | None:
    """Found on a part of the pool that holds T points twice; None where that is too large.

    >>> from .kernel_matrix import kernel_matrix
    >>> x = np.random.default_rng(0).normal(size=(60, 20))
    >>> found = feature_effect(kernel_matrix(x, "linear"), x[:, :1], 30, 0.1, 40)  # Gaussian ones
    >>> abs(found.ratio - 1) < 0.1 and 0 < found.spread < 1
    True
    """
    size = min(len(targets), max(2 * int(samples), FEWEST))
    count = int(min(max(PER_POINT * size, PER_DRAWN * features), LARGEST // size))
    if size > POOL or samples > size - 1 or count < LEAST * features:
        return None
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    part = rng.permutation(len(targets))[:size]
    matrix, y = kernel.matrix[np.ix_(part, part)], targets[part]
    drawn = random_features(kernel, count, rng)[part]
    start = medium(matrix, samples, ridge, features)
    gaussian = site_errors(matrix, y, start, noise).test
    sites = _Sites(_turned(drawn, matrix), y, samples, ridge, features, noise)
    try:
        error, spread = sites.errors(start.kappa, np.full(count, count / start.compression))
    except (PrecisionError, np.linalg.LinAlgError):
        return None
    return FeatureEffect(error / gaussian, spread / error)


def _turned(features: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """K^{1/2} S^{-1/2} Φ (by Cholesky factors), S = ΦΦᵀ/R, whose second moment is K."""
    from scipy.linalg import solve_triangular

    own = features @ features.T / features.shape[1]
    factors = [np.linalg.cholesky(m + JITTER * np.trace(m) * np.eye(len(m))) for m in (own, kernel)]
    return factors[1] @ solve_triangular(factors[0], features, lower=True)


class _Sites:
    """The saddle of points and features."""

    def __init__(
        self, features: np.ndarray, targets: np.ndarray, samples: float, ridge: float,
        drawn: float, noise: float,
    ) -> None:  # fmt: skip
        self.phi, self.ridge, self.drawn = features, ridge, drawn
        self.left, self.share = len(targets) - samples, samples / len(targets)
        self.beta = drawn / features.shape[1]
        self.outer = targets @ targets.T + noise * targets.shape[1] * np.eye(len(targets))

    def solve(
        self, s: float, leak: float, kappa: np.ndarray, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """𝒢, κ, η and q at a source and a leak, from a start."""
        for _ in range(STEPS):
            fixed = (self.phi / eta) @ self.phi.T + s * self.outer
            fixed[np.diag_indices(len(kappa))] += kappa
            resolvent = inverse(fixed)
            g = np.diag(resolvent)
            own = 1 / eta - np.sum(self.phi * (resolvent @ self.phi), axis=0) / eta**2
            q = np.maximum(1 / own - eta, 0)
            new = (self.drawn + (1 - self.beta) * q) / self.beta
            missing = 1 / g - unexplained(g, self.share, self.ridge, leak) - kappa
            step = solve_ladder(resolvent, self.share, missing * g**2 / (1 - self.share))
            step = np.maximum(step, -0.7 * kappa)
            moved = max(np.abs(step / kappa).max(), np.abs(new / eta - 1).max())
            kappa, eta = kappa + step, new
            if moved < TOLERANCE:
                return resolvent, kappa, eta, q
        raise PrecisionError(f"the equations of points and features did not settle in {STEPS}", 0)

    def errors(self, kappa: np.ndarray, eta: np.ndarray) -> tuple[float, float]:
        """The test error, and its standard deviation over draws of the features."""
        resolvent, kappa, eta, _ = self.solve(0.0, 0.0, kappa, eta)
        s = SOURCE / float(np.sum(resolvent * self.outer))
        leak = LEAK * float(np.median(np.diag(resolvent)))
        energy, effect = 0.0, np.zeros(len(eta))
        for sign in (1, -1):
            for side in (1, -1):
                found, *_, q = self.solve(sign * s, side * leak, kappa, eta)
                energy += side * float(np.sum(found * self.outer))
                effect += sign * side * np.log1p(q / self.drawn)
        change = effect / (4 * s * leak * self.left)
        return energy / (4 * leak * self.left), float(np.sqrt(self.drawn * np.var(change)))


def random_features(kernel: KernelMatrix, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` random features of every sample, shape (P, N), whose φφᵀ/N averages to K.

    >>> from solvable.analytic.prediction.kernel_matrix import KERNELS, kernel_matrix
    >>> x, rng = np.random.default_rng(1).normal(size=(6, 3)), np.random.default_rng(0)
    >>> for name in KERNELS:
    ...     phi, exact = random_features(k := kernel_matrix(x, name), 40000, rng), k.matrix
    ...     assert np.abs(phi @ phi.T / 40000 - exact).max() < 0.06, name
    """
    x = kernel.inputs / kernel.scale
    w = rng.standard_normal((x.shape[1], count))
    if kernel.length is not None:
        length = kernel.length / kernel.scale
        if kernel.kernel == "laplace":  # the Cauchy law: a Gaussian over an independent |Gaussian|
            w = w / np.abs(rng.standard_normal(count))
        return np.sqrt(2) * np.cos(x @ w / length + 2 * np.pi * rng.random(count))
    field = x @ w
    if kernel.kernel == "linear":
        return field
    if kernel.kernel == "relu":
        return np.sqrt(2) * np.maximum(field, 0)
    return np.maximum(field, 0) + (field > 0) * (x @ rng.standard_normal(w.shape))
