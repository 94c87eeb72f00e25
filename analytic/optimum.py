r"""Where something is smallest: bracket on a grid, then close in.

`lowest` finds, for many problems at once, the grid point of smallest value and its neighbours.
`minimum` closes in on the minimum between them by Chandrupatla's inverse interpolation (scipy),
as far as values can tell, which is half of the digits; where the slope is known, `crossing` finds
its zero to all of them, for arrays of problems or for one mpmath number.  `lowest_whole` is golden
section over whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np

from .errors import PrecisionError
from .formula import is_mp

MAX_STEPS = 200
HALVINGS = 12
GOLDEN = (3 - 5**0.5) / 2
WIDTH, FLAT = 1e-7, 1e-14  # relative, of x and of the values


@dataclass(frozen=True)
class Bracket:
    """Neighbouring grid points (low, middle, high), the smallest value in the middle.

    ``at_end`` marks the problems whose smallest value is at an end of the grid.
    """

    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    at_end: np.ndarray


def lowest(grid: np.ndarray, values: np.ndarray) -> Bracket:
    """The bracket around the smallest value along the first axis of ``values``.

    >>> float(lowest(np.arange(5.0), (np.arange(5.0) - 2.2) ** 2).middle)
    2.0
    """
    grid = np.broadcast_to(grid.reshape(-1, *(1,) * (values.ndim - grid.ndim), *grid.shape[1:]),
                           values.shape)  # fmt: skip
    best = np.argmin(values, axis=0)
    last = len(grid) - 1
    places = (np.maximum(best - 1, 0), best, np.minimum(best + 1, last))
    low, middle, high = (np.take_along_axis(grid, i[None], axis=0)[0] for i in places)
    return Bracket(low, middle, high, (best == 0) | (best == last))


def minimum(f: Callable[..., Any], bracket: Bracket, *others: Any) -> tuple[np.ndarray, np.ndarray]:
    """(x, f(x)) of the minimum of an elementwise function inside each bracket.

    ``others`` are further arguments of f, arrays of problems too. Where the smallest value was at
    an end of the grid the minimum may be that end.

    >>> grid = np.arange(5.0)
    >>> x, value = minimum(lambda x: (x - 2.2) ** 2 + 1, lowest(grid, (grid - 2.2) ** 2))
    >>> float(x.round(6)), float(value)
    (2.2, 1.0)
    >>> x, _ = minimum(lambda x: (x - 2.5) ** 2, lowest(grid, (grid - 2.5) ** 2))
    >>> float(x.round(6))
    2.5
    """
    from scipy.optimize.elementwise import find_minimum

    end = f(bracket.middle, *others)
    inside = bracket.middle
    for side in (bracket.low, bracket.high):  # two lowest points, one on each side: between them
        equal = ~bracket.at_end & (f(side, *others) <= end)
        inside = np.where(equal, (side + bracket.middle) / 2, inside)
    inside = np.where(bracket.at_end, (bracket.low + bracket.high) / 2, inside)
    for _ in range(HALVINGS if np.any(bracket.at_end) else 0):  # towards an end that is lower
        lower = bracket.at_end & (f(inside, *others) >= end)
        inside = np.where(lower, (inside + bracket.middle) / 2, inside)
    ends = (bracket.low, inside, bracket.high)
    found = find_minimum(f, ends, args=others, tolerances={"xrtol": WIDTH, "frtol": FLAT})
    x, value = np.asarray(found.x), np.asarray(found.f_x)
    better = np.isfinite(value) & (value < end)
    return np.where(better, x, bracket.middle), np.where(better, value, end)


def lowest_whole(f: Callable[[int], Any], low: int, high: int) -> int:
    """The whole number between two at which f, which falls and then rises, is smallest.

    >>> lowest_whole(lambda n: (n - 70.4) ** 2, 1, 10**6)
    70
    """
    f = cache(f)
    while high - low > 3:
        step = min(round(GOLDEN * (high - low)), (high - low - 1) // 2)  # left < right
        left, right = low + step, high - step
        low, high = (low, right) if f(left) <= f(right) else (left, high)
    return min(range(low, high + 1), key=f)


def crossing(slope: Callable[..., Any], low: Any, high: Any, *others: Any) -> Any:
    """Where a function that is negative at ``low`` and positive at ``high`` crosses zero.

    ``others`` are further arguments, arrays of problems too.
    Arrays of problems in float64, or one problem at the current mpmath precision. Where both
    ends have one sign the answer is the end that is nearer to a minimum, in mpmath a
    `PrecisionError`.

    >>> crossing(lambda x: x**2 - 2, np.array([1.0]), np.array([2.0])).round(12)
    array([1.41421356])
    """
    if is_mp(low, high):
        return _crossing_mp(slope, low, high)
    from scipy.optimize.elementwise import find_root

    found = find_root(slope, (low, high), args=others)
    return np.where(found.success, found.x, np.where(slope(low, *others) >= 0, low, high))


def _crossing_mp(slope: Callable[[Any], Any], low: Any, high: Any) -> Any:
    if not slope(low) < 0 < slope(high):
        raise PrecisionError("the minimum is too close to an end to be told from it", 0)
    return root_between(slope, low, high)


def root_between(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """The zero between two numbers of mpmath, where signs differ; its error is one of max(1, |x|).

    mpmath ends where the bracket is shorter than ``tol``, or the function smaller: which is scaled
    so that only a zero is.

    >>> with mpmath.workdps(40):
    ...     print(root_between(lambda x: mpmath.mpf(10) ** -90 * (x**2 - 2), mpmath.mpf(1), 2))
    1.41421356237309504880168872420969807857
    """
    ends = abs(function(low)), abs(function(high))
    tall = mpmath.mpf(10) ** (3 * mpmath.mp.dps) / max(ends)
    tolerance = mpmath.mpf(10) ** (4 - mpmath.mp.dps)  # below it, signs are those of rounding
    return mpmath.findroot(
        lambda x: function(x) * tall, (low, high), solver="anderson", tol=tolerance,
        maxsteps=MAX_STEPS, verify=False,
    )  # fmt: skip
