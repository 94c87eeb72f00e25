r"""The site formula: T of P points drawn, each point its own effective ridge.

Regression on a subset S is (K + D)⁻¹ with D_i = r on S and ∞ elsewhere. Its average over subsets,
α = T/P, is 𝒢 = (cK + diag κ)⁻¹, each site being treated exactly in the mean of the others
(the coherent potential): with g = diag 𝒢 and the variance h_i = 1/g_i − κ_i of point i that the
others leave unexplained,

    g_i = α/(h_i + r),      so      κ_i = r + (1 − α)/g_i,

    1/c = 1 + Tr(K𝒢)/N      for regression on N random features of kernel K, c = 1 for N = ∞.

Every error is a derivative of yᵀ𝒢y. Points left out are given a large ridge 1/ε, and
E_test = (P − T)⁻¹ ∂_ε yᵀ𝒢y, E_train = −(r²/T) ∂_r yᵀ𝒢y. With k = −∂κ and u = 𝒢y this is

    A k = α 1 + δ b,      A = diag(g²/(1 − α)) − 𝒢∘𝒢,      b = diag(𝒢K𝒢),
    E_test = [Σ k_i u_i² + δ uᵀKu]/(P − T),      δ = (b·k)/[N (1/c² − Tr(K𝒢K𝒢)/N)],

and the same with −κ for κ and g²/(1 − α) for α gives E_train. A is positive definite; its
smallest eigenvalue is the distance to the pole of the variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator, cg

from ..equality import Comparable
from ..errors import OutsideTheoryError, PrecisionError

STEPS = 400
TOLERANCE, QUADRATIC = 1e-9, 3e-7  # relative, of κ_i


@dataclass(frozen=True, eq=False)
class Medium(Comparable):
    """The mean resolvent 𝒢 of the subsets, κ_i, and c."""

    resolvent: np.ndarray
    kappa: np.ndarray
    compression: float
    share: float
    ridge: float
    features: float

    @property
    def diagonal(self) -> np.ndarray:
        """g."""
        return np.diag(self.resolvent)


@dataclass(frozen=True, eq=False)
class SiteErrors(Comparable):
    """Test and training error, means over subsets.

    ``response`` is k and ``noise`` w, the solution of A w = u²: α w_i/(1 − α) is the mean error of
    point i where it is left out, and w the noise that the others seem to have.
    """

    test: float
    train: float
    response: np.ndarray
    noise: np.ndarray


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a positive definite matrix, through its Cholesky factor."""
    factor, failed = lapack.dpotrf(matrix, lower=1)
    if failed:
        raise PrecisionError("the kernel matrix plus ridge is not positive definite in float64", 0)
    lower, _ = lapack.dpotri(factor, lower=1)
    lower = np.tril(lower)
    return lower + np.tril(lower, -1).T


def medium(
    kernel: np.ndarray,
    samples: float,
    ridge: float,
    features: float = np.inf,
    start: Medium | None = None,
    leak: float = 0.0,
    source: np.ndarray | None = None,
) -> Medium:
    """Solve for κ_i and c, from the medium of a neighbouring size if one is given.

    ``leak`` is ε: points that are left out have the ridge 1/ε. ``source`` is a matrix that is added
    to cK.

    >>> found = medium(np.eye(4), 2, 1.0)  # independent points: h = 1, κ = (r + (1 − α)h)/α
    >>> found.kappa.round(9)
    array([3., 3., 3., 3.])
    """
    pool = len(kernel)
    share = samples / pool
    if not 0 < share < 1:
        raise OutsideTheoryError(f"{samples:g} of {pool} points: a part of the pool is to be drawn")
    kappa, scale = _start(kernel, share, ridge, start)
    for _ in range(STEPS):
        resolvent = _resolvent(kernel, kappa, scale, source)
        g = np.diag(resolvent)
        missing = 1 / g - unexplained(g, share, ridge, leak) - kappa
        change = solve_ladder(resolvent, share, missing * g**2 / (1 - share))
        change = np.maximum(change, -0.7 * kappa)  # κ stays positive
        new_scale: float = scale
        if np.isfinite(features):
            explained = pool - kappa @ g - (0 if source is None else np.sum(source * resolvent))
            new_scale = float(1 / (1 + explained / scale / features))  # cK𝒢 = 1 − (κ + source)𝒢
        kappa = kappa + change
        moved = max(np.max(np.abs(change / kappa)), abs(new_scale / scale - 1))
        scale = new_scale
        quadratic = np.isinf(features) and leak == 0  # Newton's step, whose error is moved²
        if moved < (QUADRATIC if quadratic else TOLERANCE):
            break
    else:
        if start is not None:  # from above, where the start was of no use
            return medium(kernel, samples, ridge, features, None, leak, source)
        raise PrecisionError(f"the site equations did not settle in {STEPS} steps", 0)
    resolvent = _resolvent(kernel, kappa, scale, source)
    return Medium(resolvent, kappa, scale, share, ridge, features)


def unexplained(g: np.ndarray, share: float, ridge: float, leak: float) -> np.ndarray:
    """h with g = α/(h + r) + (1 − α)ε/(1 + εh).

    >>> float(unexplained(np.array(0.125), 0.5, 1.0, 0.0))  # α/g − r
    3.0
    """
    half = g * (1 + ridge * leak) - leak
    constant = g * ridge - share - (1 - share) * leak * ridge
    return -2 * constant / (half + np.sqrt(half**2 - 4 * g * leak * constant))


def _resolvent(
    kernel: np.ndarray, kappa: np.ndarray, scale: float, source: np.ndarray | None
) -> np.ndarray:
    shifted = scale * kernel if source is None else scale * kernel + source
    shifted[np.diag_indices(len(kernel))] += kappa
    return inverse(shifted)


def _start(
    kernel: np.ndarray, share: float, ridge: float, start: Medium | None
) -> tuple[np.ndarray, float]:
    if start is None:
        return (ridge + (1 - share) * np.diag(kernel)) / share, 1.0
    if start.share == share and start.ridge == ridge:
        return start.kappa, start.compression
    left = np.maximum(1 / start.diagonal - start.kappa, 0)  # h_i there
    return (ridge + (1 - share) * left) / share, start.compression


def solve_ladder(resolvent: np.ndarray, share: float, right: np.ndarray) -> np.ndarray:
    """[diag(g²/(1 − α)) − 𝒢∘𝒢]⁻¹ applied to a vector, by conjugate gradients."""
    g = np.diag(resolvent)
    squared = resolvent**2
    diagonal = g**2 / (1 - share)
    root = 1 / np.sqrt(diagonal)

    def scaled(x: np.ndarray) -> np.ndarray:
        x = x.ravel()
        return x - root * (squared @ (root * x))

    operator = LinearOperator((len(g), len(g)), matvec=scaled, dtype=float)  # type: ignore[call-arg]
    found, stalled = cg(operator, root * right, rtol=1e-11, atol=0, maxiter=20 * len(g))
    if stalled:
        raise PrecisionError("the variance equation of the sites is singular to rounding", 0)
    return root * found


def site_errors(
    kernel: np.ndarray, targets: np.ndarray, at: Medium, noise: float = 0
) -> SiteErrors:
    """The errors in a medium; ``noise`` is the variance of noise added to all labels.

    >>> kernel = np.eye(4)
    >>> site_errors(kernel, np.ones((4, 1)), medium(kernel, 2, 1.0)).train.__round__(9)
    0.25
    """
    resolvent, g, share = at.resolvent, at.diagonal, at.share
    pool = len(g)
    drawn = share * pool
    u = resolvent @ targets
    columns = targets.shape[1]
    squares = np.sum(u**2, axis=1) + noise * columns * np.sum(resolvent**2, axis=1)
    coupling, outer, energy = _features(kernel, at, u, noise * columns)
    test, train, response = 0.0, 0.0, g
    for which, source in (("test", np.full(pool, share)), ("train", g**2 / (1 - share))):
        k = solve_ladder(resolvent, share, source)
        shift = 0.0
        if coupling:
            along = solve_ladder(resolvent, share, outer)  # the rank-one response of c
            amount = (outer @ k) / (1 - coupling * (outer @ along))
            k, shift = k + coupling * amount * along, coupling * amount
        value = float(k @ squares) + shift * energy
        if which == "test":
            test, response = value / (pool - drawn), k
        else:
            train = at.ridge**2 * value / drawn
    return SiteErrors(test, train, response, solve_ladder(resolvent, share, squares))


def _features(
    kernel: np.ndarray, at: Medium, u: np.ndarray, noise: float
) -> tuple[float, np.ndarray, float]:
    """1/[N (1/c² − Tr(K𝒢K𝒢)/N)], b = diag(𝒢K𝒢) and yᵀ𝒢K𝒢y, without the matrix products."""
    if np.isinf(at.features):
        return 0.0, np.zeros(len(kernel)), 0.0
    c, g = at.compression, at.resolvent
    outer = (np.diag(g) - np.sum(g**2 * at.kappa, axis=1)) / c  # c𝒢K𝒢 = 𝒢 − 𝒢κ𝒢
    mixed = at.kappa[:, None] * g  # κ𝒢; cK𝒢 = 1 − κ𝒢
    trace = (len(g) - 2 * np.trace(mixed) + np.sum(mixed * mixed.T)) / c**2
    energy = float(np.sum(u * (kernel @ u))) + noise * float(outer.sum())
    return 1 / (at.features / c**2 - trace), outer, energy
