r"""Free compression: T of P points, where the eigenvectors are delocalised.

The kernel matrix of a subset is a compression of that of the pool, and if the eigenvectors of
the pool are those of a Haar rotation the two are free. It is the site formula (`sites`) with one κ
for all sites. With λ = eig(K)/P, L = λ/(λ + κ) over all P modes (those of λ = 0 included), z = ΣL,
q = ΣL² and t = z/P, κ solves

    T κ (1 − z/T)(1 − z/N) = r (1 − t),

and for N = ∞

    E_test = (T/P) Σ(1 − L)² c²/[T(1 − 2t + q/P) − q + z²/P],      E_train = (1 − z/T)² E_test,

so that generalised cross-validation, E_train/(1 − z/T)², is exact here. For N random features
c² (1 − L)² in the sum becomes c² (1 − L)[1 − L + L (z − q)/(N − q)], and q in the second place
[q(N − 2z) + z²]/(N − q).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from ..equality import Comparable
from ..errors import PrecisionError
from .textbook import Eigensystem

LOST = 1e-13  # of a denominator


@dataclass(frozen=True, eq=False)
class Compressed(Comparable):
    """Errors, κ and z = ΣL, which cross-validation needs, along the sizes of the training set."""

    test: np.ndarray
    train: np.ndarray
    kappa: np.ndarray
    degrees: np.ndarray


def free_compression(
    system: Eigensystem, samples: Any, ridge: float, features: float = np.inf, noise: float = 0.0
) -> Compressed:
    """The errors by free compression; ``noise`` is the variance of noise added to all labels.

    >>> flat = Eigensystem(np.ones(100), np.full(100, 1.0))  # white: nothing can be learned
    >>> free_compression(flat, [20, 50], 1.0).test.round(9)
    array([1., 1.])
    """
    rows = [_one(system, float(t), ridge, features, noise) for t in np.atleast_1d(samples)]
    return Compressed(*(np.array(column) for column in zip(*rows)))


def _one(
    system: Eigensystem, t: float, ridge: float, n: float, noise: float
) -> tuple[float, float, float, float]:
    pool, values = system.size, system.values / system.size

    def excess(log_kappa: float) -> float:
        kappa = np.exp(log_kappa)
        z = float(np.sum(values / (values + kappa)))
        return kappa * (t - z) * (1 - z / n) - ridge * (1 - z / pool)

    top = np.log((ridge + values.sum()) * pool) + 5
    bottom = np.log(_ridgeless(values, min(t, n)))
    if ridge == 0 or excess(bottom) >= 0:
        kappa = float(np.exp(bottom))
    else:
        kappa = float(np.exp(brentq(excess, bottom, top, xtol=1e-14, rtol=1e-14)))
    part = values / (values + kappa)
    z, q = float(part.sum()), float((part**2).sum())
    shared = 0.0 if np.isinf(n) else (z - q) / (n - q)
    lost = float(np.sum((1 - part) * (1 - part + part * shared) * (system.power + noise)))
    spread = q if np.isinf(n) else (q * (n - 2 * z) + z**2) / (n - q)
    left = t * (1 - 2 * z / pool + q / pool) - spread + z**2 / pool
    if left < LOST * t:
        raise PrecisionError(f"at {t:g} samples the ridge is lost to rounding; give a larger one")
    test = t * lost / left / pool
    return test, (1 - z / t) ** 2 * test, kappa, z


def _ridgeless(values: np.ndarray, size: float) -> float:
    """κ with ΣL = size, or one that is negligible where there are no more modes than that."""
    positive = values[values > 0]
    least = 1e-14 * positive[-1]
    if len(positive) <= size:
        return least

    def missing(log_kappa: float) -> float:
        return float(np.sum(positive / (positive + np.exp(log_kappa)))) - size

    high = np.log(positive.sum() / size) + 1e-9
    if missing(np.log(least)) <= 0:
        return least
    return float(np.exp(brentq(missing, np.log(least), high, xtol=1e-14)))
