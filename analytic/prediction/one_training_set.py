r"""The test error estimated from one training set: generalised and leave-one-out cross-validation.

With G = (K_SS + r)⁻¹ the residual of a point that was trained on is r (Gy)_i, and leaving it out
changes it to (Gy)_i/G_ii. Then

    leave-one-out:   T⁻¹ Σ_i [(Gy)_i/G_ii]²,        generalised:   T⁻¹ Σ_i [(Gy)_i]²/(T⁻¹ Tr G)².

The second replaces G_ii by its mean, which is exact where all points have the same leverage (free
compression); on real data they have not, and it is biased where the first is not.

Source: Golub, Heath, Wahba 1979; Wei, Hu, Steinhardt 2203.06176.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..errors import InputError
from .sites import inverse


def cross_validation(kernel: Any, targets: Any, ridge: float) -> tuple[float, float]:
    """(generalised, leave-one-out) from the kernel matrix and targets of a training set.

    kernel: shape (T, T); targets: (T,) or (T, C); errors are summed over columns. Raises
    `InputError` for a ridge ≤ 0 and shapes that do not fit.

    >>> tuple(round(x, 9) for x in cross_validation(np.eye(4), np.ones(4), 0.5))
    (1.0, 1.0)
    """
    arguments.positive("ridge", ridge)
    matrix, y = np.asarray(kernel, float), np.asarray(targets, float)
    y = y[:, None] if y.ndim == 1 else y
    if matrix.ndim != 2 or matrix.shape != (len(y), len(y)):
        raise InputError("kernel", f"of shape {matrix.shape}", f"({len(y)}, {len(y)})")
    g = inverse(matrix + ridge * np.eye(len(y)))
    weights = np.sum((g @ y) ** 2, axis=1)
    own = np.diag(g)
    return float(np.mean(weights) / np.mean(own) ** 2), float(np.mean(weights / own**2))
