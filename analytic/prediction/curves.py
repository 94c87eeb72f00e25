r"""Learning curves from a kernel matrix: the site formula, and the faster routes beside it.

The error of one training set scatters about its mean E by s, the spread; it is close to
log-normal, so that the interval of one set is E e^{−σ²/2 ± xσ}, σ² = ln(1 + s²/E²).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import arguments
from ..errors import InputError
from .compression import free_compression
from .kernel_matrix import KernelMatrix
from .sites import along
from .textbook import eigensystem, textbook

LEVEL = 0.95
MOST_POINTS = 8000


@dataclass(frozen=True)
class Prediction:
    """Errors along ``samples``; ``predicted`` is the mean test error over training sets.

    ``spread`` is the standard deviation of the test error of one training set, ``low`` and ``high``
    the interval in which it lies with probability ``level``; ``others`` holds the routes
    "free-compression", "textbook" and "textbook-uncorrected".

    Arrays *(samples,)*, in the units of the squared targets. Made by `predict`, with its errors.
    Source: this package; arXiv:2402.01092 for the limit of many samples.

    >>> predict(np.eye(40), np.ones(40), [10, 20], 1.0).train.shape
    (2,)
    """

    samples: np.ndarray
    predicted: np.ndarray
    train: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    others: dict[str, np.ndarray] = field(default_factory=dict)


def predict(
    kernel: KernelMatrix | Any,
    targets: Any,
    samples: Any,
    ridge: float,
    *,
    features: float = np.inf,
    noise: float = 0.0,
    fast: bool = False,
    level: float = LEVEL,
) -> Prediction:
    """The test error of kernel ridge regression on T of the P points of a pool, for several T.

    Parameters
    ----------
    kernel: K, shape (P, P), positive semi-definite. targets: shape (P,) or (P, C).
    samples: the numbers T, 1 ≤ T < P, of points that are drawn and trained on.
    ridge: r > 0 in (K + r)⁻¹, or in (φᵀφ/N + r)⁻¹ for N ``features`` of kernel K.
    noise: the variance of noise added to the labels, those of the test points included.
    fast: free compression instead of the site formula, without a spread.

    The error is the squared distance to the targets, summed over their columns, on the points of
    the pool that were not drawn.

    Raises `InputError` for a kernel that is no such matrix, for counts that are not below P and
    for r ≤ 0. Source: this package (one equation a site); df₂ as in arXiv:2405.00592.

    >>> found = predict(np.eye(40), np.ones(40), [10, 20], 1.0)  # nothing is shared
    >>> found.predicted.round(6)
    array([1., 1.])
    """
    matrix = np.asarray(kernel.matrix if isinstance(kernel, KernelMatrix) else kernel, float)
    y = np.asarray(targets, float)
    y = y[:, None] if y.ndim == 1 else y
    sizes = np.atleast_1d(np.asarray(arguments.positive("samples", samples), float))
    _check(matrix, y, sizes)
    arguments.positive("ridge", ridge)
    arguments.positive_or_infinite("features", features)
    arguments.nonnegative("noise", noise)
    system = eigensystem(matrix, y)
    columns = y.shape[1]
    free = free_compression(system, sizes, ridge, features, noise * columns)
    book = textbook(system, sizes, ridge, features, noise * columns)
    others = {
        "free-compression": free.test, "textbook": book.test,
        "textbook-uncorrected": book.uncorrected,
    }  # fmt: skip
    if fast:
        unknown = np.full(len(sizes), np.nan)
        return Prediction(sizes, free.test, free.train, unknown, unknown, unknown, level, others)
    order = np.argsort(-sizes)
    errors = along(matrix, y, sizes[order], ridge, features, noise)
    rows = np.array([(e.test, e.train, e.spread) for e in errors])[np.argsort(order)]
    mean, train, spread = rows.T
    low, high = interval(mean, spread, level)
    return Prediction(sizes, mean, train, spread, low, high, level, others)


def interval(mean: np.ndarray, spread: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The central interval of a log-normal number of this mean and standard deviation.

    >>> [float(x.round(3)) for x in interval(np.array(1.0), np.array(0.1), 0.95)]
    [0.818, 1.21]
    """
    from scipy.special import ndtri

    variance = np.log1p((spread / mean) ** 2)
    reach = ndtri((1 + level) / 2) * np.sqrt(variance)
    centre = np.log(mean) - variance / 2
    return np.exp(centre - reach), np.exp(centre + reach)


def _check(matrix: np.ndarray, targets: np.ndarray, sizes: np.ndarray) -> None:
    pool = len(matrix)
    if matrix.ndim != 2 or matrix.shape != (pool, pool) or not np.all(np.isfinite(matrix)):
        raise InputError("kernel", f"of shape {matrix.shape}", "a square matrix of finite numbers")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-10 * np.abs(matrix).max()):
        raise InputError("kernel", "not symmetric", "a symmetric matrix")
    if pool > MOST_POINTS:
        raise InputError("kernel", f"{pool} points", f"a pool of at most {MOST_POINTS}")
    if targets.ndim != 2 or len(targets) != pool or not np.all(np.isfinite(targets)):
        raise InputError("targets", f"of shape {targets.shape}", f"{pool} rows of finite numbers")
    if np.any(sizes >= pool) or np.any(sizes < 1):
        wrong = sizes[(sizes >= pool) | (sizes < 1)][0]
        raise InputError("samples", f"{wrong:g}", f"numbers from 1 to {pool - 1}: a part of the "
                         f"pool of {pool} is drawn, the rest is tested on")  # fmt: skip
