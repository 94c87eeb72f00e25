r"""The power of a law read off its values: slopes of least-squares straight lines.

The line through (x_i, y_i), of weights 1/e_i², has the slope

    Σ_i c_i y_i,      c_i = e_i^{-2} (x_i − x̄)/Σ_j e_j^{-2} (x_j − x̄)²,      Σ_i c_i = 0,

linear in y, so that independent errors e_i of the y_i give it the error (Σ c_i² e_i²)^{1/2}. On
logarithmic axes it is the exponent of a power law; between two points, the local one.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

from .errors import InputError


def slope_weights(x: Any, errors: Any = 1.0) -> Any:
    """The c_i with which the slope of y against x is Σ c_i y_i.

    ``errors`` are those of the y_i, up to a common factor. Raises `InputError` for fewer than two
    different x.

    >>> slope_weights([1.0, 2.0, 3.0])
    array([-0.5,  0. ,  0.5])
    """
    x = np.asarray(x)
    if x.ndim != 1 or len(set(x.tolist())) < 2:
        raise InputError("x", x, "two or more different values in one row")
    weights = 1 / np.broadcast_to(np.asarray(errors), x.shape) ** 2
    centred = x - np.sum(weights * x) / np.sum(weights)
    return weights * centred / np.sum(weights * centred**2)


def log_slope(x: Any, y: Any) -> Any:
    """The exponent p of y ∝ x^p: the least-squares slope of ln y against ln x, all weights one.

    Floating-point arrays give a float; mpmath numbers an mpmath number at the working precision.

    >>> round(log_slope([1, 10, 100], [3, 0.3, 0.03]), 12)
    -1.0
    >>> with mpmath.workdps(30):
    ...     mpmath.nstr(log_slope([mpmath.mpf(2), mpmath.mpf(4)], [8, 64]), 25)
    '3.0'
    """
    x, y = np.asarray(x), np.asarray(y)
    if object in (x.dtype, y.dtype):
        x, y = (np.array([mpmath.log(value) for value in values.tolist()]) for values in (x, y))
        return np.sum(slope_weights(x) * y)
    return float(slope_weights(np.log(x)) @ np.log(y))
