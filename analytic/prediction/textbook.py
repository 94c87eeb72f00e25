r"""The textbook prediction: eigenvalues of the kernel matrix and the alignment of the target.

λ_k = eig(K)/P stand for the population's eigenvalues and c_k²/P, c = Vᵀy, for the target power of
its modes; the loss is equation (4) of `analytic.loss` at these (kernel ridge regression for
N = ∞, with "kernel" normalisation of the ridge). Both were measured on the pool itself, so this
is the error over all P points, the T that were trained on included: E_pool = (T/P) E_train +
(1 − T/P) E_test. `Textbook.test` takes E_train out of it; ``uncorrected`` is E_pool itself.

Sources: Simon et al. 2110.03922, Canatar, Bordelon, Pehlevan 2006.13198 (N = ∞).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..equality import Comparable
from ..errors import InputError
from ..loss import static_loss
from ..spectrum import Empirical


@dataclass(frozen=True, eq=False)
class Eigensystem(Comparable):
    """Eigenvalues of the kernel matrix, descending, and the squares c_k² of the target in them."""

    values: np.ndarray
    power: np.ndarray

    @property
    def size(self) -> int:
        """P."""
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Textbook(Comparable):
    """Errors along the sizes of the training set."""

    test: np.ndarray
    uncorrected: np.ndarray
    train: np.ndarray


def eigensystem(matrix: np.ndarray, targets: np.ndarray) -> Eigensystem:
    """λ_k and c_k², summed over the columns of the targets.

    >>> eigensystem(np.diag([1.0, 4.0]), np.array([[3.0], [2.0]]))
    Eigensystem(values=array([4., 1.]), power=array([4., 9.]))
    """
    values, vectors = np.linalg.eigh(matrix)
    power = np.sum((vectors.T @ targets) ** 2, axis=1)
    if values[0] < -1e-8 * max(values[-1], 0) or not values[-1] > 0:
        raise InputError("kernel", f"an eigenvalue {values[0]:.3g}", "a positive semi-definite "
                         "matrix that is not zero")  # fmt: skip
    values = np.where(values > len(values) * 1e-15 * values[-1], values, 0.0)
    return Eigensystem(values[::-1].copy(), power[::-1].copy())


def textbook(
    system: Eigensystem, samples: Any, ridge: float, features: float = np.inf, noise: float = 0.0
) -> Textbook:
    """The prediction and its correction for a finite pool; ``noise`` is that of all labels."""
    pool, t = system.size, np.asarray(samples, float)
    spectrum = Empirical(system.values / pool, system.power / pool)
    found = static_loss(spectrum, features, t, ridge=ridge, noise=noise, normalisation="kernel")
    over_pool = np.asarray(found.excess_loss) + noise
    train = np.asarray(found.train_loss)
    share = t / pool
    return Textbook((over_pool - share * train) / (1 - share), over_pool, train)
