r"""Learning curves from a kernel matrix: the site formula, its loops, and faster routes beside it.

The error of one training set scatters about its mean E by s, the spread; it is close to
log-normal, so that the interval of one set is E e^{−σ²/2 ± xσ}, σ² = ln(1 + s²/E²). It is no
bound: on digits, MNIST and a table of cancer cases (T from P/12 to P/2, four kernels, ridges 10⁻³
to 10) s was 0.85 to 1.12 of what repetition shows in all of 108 cells but two, and intervals of
95 % held 92 to 97 % of training sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import Level, Table, checked
from ..equality import Comparable
from ..errors import InputError, PrecisionError
from .compression import free_compression
from .feature_sites import feature_effect
from .kernel_matrix import MOST_POINTS, KernelMatrix
from .loops import Disturbed, bounded, disturbances, loop_correction
from .sites import Medium, medium, site_errors
from .textbook import eigensystem, textbook
from .training_set_spread import spread

LEVEL = 0.95
ROUTES = ("loops", "sites", "compression")
SITE_ACCURACY, SITE_FLOOR = 0.03, 0.003  # relative, without loops and with them
LOOP_ACCURACY, NO_LOOPS = 0.25, 0.3  # of the correction x by loops, beside x²; where they diverge
FEATURE_ACCURACY, FEATURE_RATIO = 0.02, 0.5  # of random features, and of what tells them apart
UNKNOWN_FEATURES = 0.15  # where their law is not looked at
FARTHEST = 1e60  # of a kernel from one, and of a ridge from the kernel


@dataclass(frozen=True, eq=False)
class Prediction(Comparable):
    """Errors along ``samples``, made by `predict`, with its errors.

    ``predicted`` is the mean test error over training sets and ``accuracy`` how far the theory may
    be off there, ``train`` the training error, ``spread`` the standard deviation of the error of
    one training set, ``low`` and ``high`` its interval, of nominal probability ``level`` (see the
    module).
    ``others`` holds the routes "site-formula" (without loops), "free-compression", "textbook" and
    "textbook-uncorrected". All are arrays of the shape of ``samples``. Source: this package.

    >>> found = predict(np.eye(40), np.ones(40), [10], 1.0)
    >>> sorted(found.others)
    ['free-compression', 'site-formula', 'textbook', 'textbook-uncorrected']
    """

    samples: np.ndarray
    predicted: np.ndarray
    accuracy: np.ndarray
    train: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    others: dict[str, np.ndarray] = field(default_factory=dict)


@checked
def predict(
    kernel: KernelMatrix | Table,
    targets: Table,
    samples: Any,
    ridge: float,
    *,
    features: float = np.inf,
    noise: float = 0.0,
    route: str = "loops",
    level: Level = LEVEL,
) -> Prediction:
    """The test error of kernel ridge regression on T of the P points of a pool, for several T.

    Parameters
    ----------
    kernel: K, shape (P, P), positive semi-definite. targets: shape (P,) or (P, C).
    samples: the numbers T, 1 ≤ T < P, of points that are drawn and trained on.
    ridge: r > 0 in (K + r)⁻¹, or in (φᵀφ/N + r)⁻¹ for N ``features`` of kernel K.
    noise: the variance of noise added to the labels, those of the test points included.
    route: "loops", the site formula and the first loops beyond it; "sites", the formula alone;
        "compression", which takes eigenvalues only and knows no spread. The N features of a
        `KernelMatrix` are taken as they are (`feature_sites`), those of a plain K as Gaussian.

    The error is the squared distance to the targets, summed over columns, on the points that were
    not drawn. Raises `InputError` for a kernel that is no symmetric positive
    semi-definite matrix, for targets that do not fit and for T outside 1 … P − 1. Source: this
    package; Simon et al. arXiv:2110.03922 for the textbook beside it.

    >>> found = predict(np.eye(40), np.ones(40), [10, 20], 1.0)  # nothing is shared
    >>> found.predicted.round(6)
    array([1., 1.])
    """
    matrix = kernel.matrix if isinstance(kernel, KernelMatrix) else kernel
    y = targets[:, None] if targets.ndim == 1 else targets
    sizes = np.atleast_1d(np.asarray(arguments.positive("samples", samples), float))
    arguments.choice("route", route, ROUTES)
    arguments.positive("ridge", ridge)
    _check(matrix, y, sizes, ridge)
    arguments.positive_or_infinite("features", features)
    arguments.nonnegative("noise", noise)
    system = eigensystem(matrix, y)
    summed = noise * y.shape[1]
    free = free_compression(system, sizes, ridge, features, summed)
    book = textbook(system, sizes, ridge, features, summed)
    others = {
        "free-compression": free.test, "textbook": book.test,
        "textbook-uncorrected": book.uncorrected,
    }  # fmt: skip
    if route == "compression":
        unknown = np.full(len(sizes), np.nan)
        return Prediction(sizes, free.test, unknown, free.train, unknown, unknown, unknown,
                          level, others)  # fmt: skip
    rows = _sites(matrix, y, sizes, ridge, features, noise, route)
    if np.isfinite(features) and isinstance(kernel, KernelMatrix):
        _as_they_are(rows, kernel, y, sizes, ridge, features, noise)
    mean, accuracy, train, deviation, site, _ = rows.T
    low, high = interval(mean, np.hypot(deviation, accuracy), level)
    others = {"site-formula": site} | others
    return Prediction(sizes, mean, accuracy, train, deviation, low, high, level, others)


def _sites(
    matrix: np.ndarray, y: np.ndarray, sizes: np.ndarray, ridge: float, features: float,
    noise: float, route: str,
) -> np.ndarray:  # fmt: skip
    """Mean, accuracy, training error, spread, the site formula alone, and the relative spread by
    single features: a row per size.

    The smallest size is solved first, and each starts the next, from above.
    """
    rows, at = np.empty((len(sizes), 6)), None
    for i in np.argsort(sizes):
        at = medium(matrix, float(sizes[i]), ridge, features, at)
        errors = site_errors(matrix, y, at, noise)
        try:
            disturbed = disturbances(matrix, y, at, noise)
        except PrecisionError:  # walks between sites do not converge
            disturbed = []
        factor, left_out = 1.0, SITE_ACCURACY
        if route == "loops":
            factor, left_out = _loops(matrix, y, at, errors.test, disturbed, noise)
        left_out += 0 if np.isinf(features) else FEATURE_ACCURACY
        deviation, alone = spread(at, y, errors, disturbed)
        mean, alone = errors.test * factor, alone / errors.test
        rows[i] = (mean, (SITE_FLOOR + left_out) * mean, errors.train, deviation * factor,
                   errors.test, alone)  # fmt: skip
    return rows


def _as_they_are(
    rows: np.ndarray, kernel: KernelMatrix, y: np.ndarray, sizes: np.ndarray, ridge: float,
    features: float, noise: float,
) -> None:  # fmt: skip
    """Put the law of the features into mean, accuracy and spread of every size."""
    for row, size in zip(rows, sizes):
        found = feature_effect(kernel, y, float(size), ridge, features, noise)
        if found is None:
            row[1] = np.hypot(row[1], UNKNOWN_FEATURES * min(1.0, 4 * size / features) * row[0])
            continue
        loops = row[0] / row[4] - 1  # of the points: right where these are few among features
        taken = loops * max(0.0, 1 - size / features)
        mean = row[4] * found.ratio * (1 + taken)
        others = max((row[3] / row[0]) ** 2 - row[5] ** 2, 0.0)  # than single features
        row[3] = mean * np.sqrt(others + found.spread**2)
        left_out = FEATURE_ACCURACY + FEATURE_RATIO * abs(found.ratio - 1)
        row[1] = (left_out + LOOP_ACCURACY * abs(taken) + abs(loops - taken)) * mean
        row[0] = mean


def _loops(
    matrix: np.ndarray, y: np.ndarray, at: Medium, test: float, disturbed: list[Disturbed],
    noise: float,
) -> tuple[float, float]:  # fmt: skip
    """The factor that loops give to the error, and the relative accuracy of what they leave out."""
    if not disturbed:
        return 1.0, NO_LOOPS
    try:
        x = loop_correction(matrix, y, at, test, disturbed, noise)
    except PrecisionError:
        return 1.0, NO_LOOPS
    return bounded(x), LOOP_ACCURACY * abs(x) + x**2


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


def _check(matrix: np.ndarray, targets: np.ndarray, sizes: np.ndarray, ridge: float) -> None:
    pool = len(matrix)
    if matrix.ndim != 2 or matrix.shape != (pool, pool):
        raise InputError("kernel", f"of shape {matrix.shape}", "a square matrix of finite numbers")
    scale = float(np.abs(matrix).max())
    if scale > FARTHEST or 0 < scale < 1 / FARTHEST:
        raise InputError("kernel", f"numbers up to {scale:.3g}", f"sizes from {1 / FARTHEST:g} to "
                         f"{FARTHEST:g}: change the unit")  # fmt: skip
    if scale and not scale / FARTHEST < ridge < scale * FARTHEST:
        raise InputError("ridge", f"{ridge:g}", f"{1 / FARTHEST:g} to {FARTHEST:g} of the kernel, "
                         f"which goes to {scale:.3g}")  # fmt: skip
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-10 * np.abs(matrix).max()):
        raise InputError("kernel", "not symmetric", "a symmetric matrix")
    if pool > MOST_POINTS:
        raise InputError("kernel", f"{pool} points", f"a pool of at most {MOST_POINTS}")
    if targets.ndim != 2 or len(targets) != pool:
        raise InputError("targets", f"of shape {targets.shape}", f"{pool} rows of finite numbers")
    if np.any(sizes >= pool) or np.any(sizes < 1):
        wrong = sizes[(sizes >= pool) | (sizes < 1)][0]
        raise InputError("samples", f"{wrong:g}", f"numbers from 1 to {pool - 1}: a part of the "
                         f"pool of {pool} is drawn, the rest is tested on")  # fmt: skip
