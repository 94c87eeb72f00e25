r"""κ(z) of equation (1) to any number of digits: Newton's method with doubling precision.

It starts from the float64 solution, or, where that is beyond the range of float64, from a bound.
The step is that of ln κ; for real z in g(ln κ) = 0, for complex z in κR₁R₃ = z (see `equation`).
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

from .. import arguments
from ..errors import InputError, PrecisionError
from ..formula import as_objects
from ..precision import extraprec, workprec
from ..spectrum import Spectrum
from .equation import (
    ResolventSolution,
    brackets,
    excess,
    inverse_gap,
    product_and_slope,
    responses,
)
from .path import solve_along, solve_complex
from .real import solve_real

MAX_ITERATIONS = 200
START_BITS, GUARD_BITS = 40, 16  # of the float64 solution; beyond twice the bits of an iterate
EXTRA_BITS = 30
LOST_BITS = 8  # of the residual of a solution that is accepted
IN_RANGE = (1e-280, 1e280)  # values of κ at which float64 gives a start


def solve_exactly(spectrum: Spectrum, features: Any, samples: Any, z: Any) -> ResolventSolution:
    """κ, R₃ and R₁ at the current mpmath precision, for single numbers."""
    with extraprec(EXTRA_BITS):
        n, t, point = (mpmath.mpmathify(x) for x in (features, samples, z))
        if isinstance(point, mpmath.mpc) and point.imag == 0 and point.real >= 0:
            point = point.real
        if not isinstance(point, mpmath.mpc):
            arguments.nonnegative("z", point)
        elif point.imag == 0 or not mpmath.isfinite(point):
            raise InputError("z", z, "a finite number off the negative real axis")
        found = _solved(spectrum, n, t, point, None)
    return ResolventSolution(*(+x for x in found))


def solve_along_exactly(
    spectrum: Spectrum, features: Any, samples: Any, z: np.ndarray
) -> ResolventSolution:
    """The same at the nodes ``z`` *(n,)* of a contour; the results hold mpmath objects."""
    n, t = mpmath.mpmathify(features), mpmath.mpmathify(samples)
    try:
        start = list(solve_along(spectrum, float(n), float(t), z.astype(complex)).value)
    except (ArithmeticError, InputError):  # z beyond the range of float64
        start = [None] * len(z)
    with extraprec(EXTRA_BITS):
        rows = [_solved(spectrum, n, t, *pair) for pair in zip(z, start)]
    return ResolventSolution(*(as_objects([+x for x in column]) for column in zip(*rows)))


def _solved(spectrum: Spectrum, n: Any, t: Any, z: Any, start: Any) -> tuple[Any, ...]:
    """(κ, R₃, R₁, residual, D₁) at one z."""
    k = _root(spectrum, n, t, z, start)
    if k == 0 and spectrum.size == mpmath.inf:  # N = T = M = ∞: both brackets are 1
        d1, r3, r1 = (mpmath.mpf(x) for x in (0, 1, 1))
    else:
        d1, r3, r1 = brackets(spectrum, k, n, t)
    residual = abs(k * r1 * r3 - z) / abs(k) if k else mpmath.mpf(0)
    if residual > mpmath.ldexp(1, LOST_BITS + EXTRA_BITS - mpmath.mp.prec):
        digits = int(-mpmath.log10(residual))
        raise PrecisionError(f"equation (1) holds only to {digits} digits at z = {z}", digits)
    if k:
        d1 = d1 if z else min(n, t)  # what κ₀ solves, exactly
        r3, r1 = responses(d1, n, t, z / k, r3 + r1)
    return k, r3, r1, residual, d1


def _root(spectrum: Spectrum, n: Any, t: Any, z: Any, start: Any) -> Any:
    """κ by Newton's method, each step in twice the bits that the last one had right."""
    smaller = min(n, t)
    if smaller == mpmath.inf:
        return z
    if z == 0 and smaller >= spectrum.size:
        return mpmath.mpf(0)
    k = _start(spectrum, n, t, z) if start is None else mpmath.mpmathify(start)
    bits, target = START_BITS, mpmath.mp.prec
    for _ in range(MAX_ITERATIONS):
        precision = min(target, 2 * bits + GUARD_BITS)
        with workprec(precision):
            change = _step(spectrum, n, t, z, +k)
            k = k * mpmath.exp(-change) if abs(change) < 1 else k * (1 - change / 2 / abs(change))
            small = abs(change) if change else mpmath.ldexp(1, -precision)
        bits = max(START_BITS, -2 * int(mpmath.log(small, 2)) if small < 0.1 else 0)
        if precision == target and bits >= target:
            break
    return k


def _step(spectrum: Spectrum, n: Any, t: Any, z: Any, k: Any) -> Any:
    """The Newton step in ln κ, to be subtracted."""
    if isinstance(z, mpmath.mpc):
        _, r3, r1 = brackets(spectrum, k, n, t)
        p, slope = product_and_slope(r3, r1, k * spectrum.resolvent_sum(k, 1, 2), n, t)
        return (p - z / k) / slope
    smaller = min(n, t)
    value, slope = excess(spectrum, k, smaller, inverse_gap(smaller, max(n, t)), z)
    return value / slope


def _start(spectrum: Spectrum, n: Any, t: Any, z: Any) -> Any:
    """The float64 solution where float64 can hold it, else a bound found by bisection."""
    try:
        if not abs(z) < IN_RANGE[1]:
            raise OverflowError
        if isinstance(z, mpmath.mpc):
            found = solve_complex(spectrum, float(n), float(t), complex(z)).value
        else:
            found = solve_real(spectrum, float(n), float(t), float(z)).value
        if IN_RANGE[0] < abs(found) < IN_RANGE[1]:
            return mpmath.mpmathify(found.item())
    except (OverflowError, PrecisionError, FloatingPointError, InputError):
        pass
    if isinstance(z, mpmath.mpc):
        raise PrecisionError("z is outside the range in which complex κ can be followed", 0)
    low, high = mpmath.mpf(10) ** -3000, 4 * z + 2 * spectrum.trace(mp=True) / min(n, t)
    with workprec(60):
        while high > low * 1.01:
            middle = mpmath.sqrt(low * high)
            _, r3, r1 = brackets(spectrum, middle, n, t)
            below = min(r3, r1) < 0 or middle * r3 * r1 < z
            low, high = (middle, high) if below else (low, middle)
    return high
