"""Regression trained on random subsets of a labelled pool, tested on the rest of it.

The reference for `analytic.prediction`: nothing is taken from there but the kernel matrix and the
definition of a kernel's random features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from solvable.analytic.prediction.feature_sites import random_features
from solvable.analytic.prediction.kernel_matrix import KernelMatrix


@dataclass(frozen=True)
class SubsetErrors:
    """Test errors of single training sets: shape (sizes, repetitions), and those on the set."""

    samples: np.ndarray
    test: np.ndarray
    train: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean over training sets."""
        return self.test.mean(axis=1)

    @property
    def spread(self) -> np.ndarray:
        """The standard deviation over training sets."""
        return self.test.std(axis=1, ddof=1)

    @property
    def standard_error(self) -> np.ndarray:
        """That of the mean."""
        return self.spread / np.sqrt(self.test.shape[1])


def measure(
    kernel: KernelMatrix,
    targets: np.ndarray,
    samples: Any,
    ridge: float,
    repetitions: int,
    *,
    features: float = np.inf,
    noise: float = 0.0,
    seed: int = 0,
) -> SubsetErrors:
    """Train on ``repetitions`` random subsets of every size; fresh features for each subset.

    ``noise`` is the variance of Gaussian noise on the labels of the whole pool, drawn anew for each
    subset. The numbers depend on the seed alone, not on which other sizes there are.
    """
    sizes = np.atleast_1d(np.asarray(samples, int))
    errors = np.empty((2, len(sizes), repetitions))
    for i, size in enumerate(sizes):
        seeds = np.random.SeedSequence([seed, int(size)]).spawn(repetitions)
        for k, one in enumerate(seeds):
            rng = np.random.default_rng(one)
            errors[:, i, k] = _one(kernel, targets, int(size), ridge, features, noise, rng)
    return SubsetErrors(sizes, *errors)


def _one(
    kernel: KernelMatrix, targets: np.ndarray, size: int, ridge: float, features: float,
    noise: float, rng: np.random.Generator,
) -> tuple[float, float]:  # fmt: skip
    """(test error, training error) of one subset."""
    order = rng.permutation(len(targets))
    drawn, rest = order[:size], order[size:]
    labels = targets + np.sqrt(noise) * rng.standard_normal(targets.shape) if noise else targets
    if np.isinf(features):
        matrix = kernel.matrix
        gram, cross = matrix[np.ix_(drawn, drawn)], matrix[np.ix_(rest, drawn)]
    else:
        phi = random_features(kernel, int(features), rng) / np.sqrt(features)
        gram, cross = phi[drawn] @ phi[drawn].T, phi[rest] @ phi[drawn].T
    factor = cho_factor(gram + ridge * np.eye(size), lower=True)
    weights = cho_solve(factor, labels[drawn])
    test = np.sum((labels[rest] - cross @ weights) ** 2, axis=1).mean()
    return float(test), float(ridge**2 * np.sum(weights**2, axis=1).mean())


def measure_flow(
    kernel: KernelMatrix,
    targets: np.ndarray,
    samples: Any,
    times: Any,
    ridge: float,
    repetitions: int,
    *,
    noise: float = 0.0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean test error of gradient flow from zero, and its standard error: shape (sizes, times).

    The flow is that of ½ Σ (f − y)² + ½ ridge ‖w‖², solved in the eigenvectors of the kernel of
    the drawn points; the subsets are those of `measure`.
    """
    sizes, at = np.atleast_1d(np.asarray(samples, int)), np.atleast_1d(np.asarray(times, float))
    errors = np.empty((len(sizes), len(at), repetitions))
    matrix = kernel.matrix
    for i, size in enumerate(sizes):
        for k, one in enumerate(np.random.SeedSequence([seed, int(size)]).spawn(repetitions)):
            rng = np.random.default_rng(one)
            order = rng.permutation(len(targets))
            drawn, rest = order[:size], order[size:]
            labels = targets + np.sqrt(noise) * rng.standard_normal(targets.shape)
            values, vectors = np.linalg.eigh(matrix[np.ix_(drawn, drawn)])
            rates = np.maximum(values, 0) + ridge
            slow = rates < 1e-14 * rates[-1]  # where [1 − e^{−λt}]/λ is t
            grown = np.where(slow, at[:, None], -np.expm1(-np.outer(at, rates)) /
                             np.where(slow, 1, rates))  # fmt: skip
            inner, cross = vectors.T @ labels[drawn], matrix[np.ix_(rest, drawn)] @ vectors
            for j, one_time in enumerate(grown):
                left = labels[rest] - cross @ (one_time[:, None] * inner)
                errors[i, j, k] = np.sum(left**2, axis=1).mean()
    error = errors.std(axis=2, ddof=1) if repetitions > 1 else np.full(errors.shape[:2], np.nan)
    return errors.mean(axis=2), error / np.sqrt(repetitions)
