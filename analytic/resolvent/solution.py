r"""The resolvent of random features: one scalar κ(z), and the equation that it solves.

    z = κ (1 − D₁(κ)/N) (1 − D₁(κ)/T)                                            (1)

z is the ridge γ/(σ_u² N T), or a frequency iω; N features, T samples, either possibly
infinite (its bracket is then 1). κ(z) is the solution that behaves as z for |z| → ∞. The
brackets are the response functions of the dynamical paper, R₃ = 1 − D₁/N and R₁ = 1 − D₁/T.

Real z ≥ 0. With E = D₁ − D₂ = κ Σ λ/(λ+κ)² one has dD₁/d ln κ = −E, so that κR₁R₃ rises
from 0 at κ₀, D₁(κ₀) = min(N, T) (κ₀ = 0 if M ≤ min), to infinity: the root is unique.
With m = min(N, T) and ν = 1/m − 1/max(N, T), the smaller bracket R of a given product
R₁R₃ = z/κ solves R (R + νD₁) = z/κ, and equation (1) becomes

    g(ln κ) = ln(D₁/m + R) = 0,   R = 2(z/κ)/(νD₁ + √(ν²D₁² + 4z/κ)),   g' < 0,

the logarithm of a sum of near powers of κ, hence nearly straight: Newton's method on ln κ
takes a handful of steps from anywhere, inside a bracket. At z = 0, R = 0 and the root is κ₀
itself: the ridgeless limit is a limit, not a small ridge.

Close to N = T and z = 0 both brackets are small differences. They are recomputed from
their product p = R₁R₃ = z/κ and their difference δ = R₃ − R₁ = D₁ (1/T − 1/N):

    R₃ = (δ + √(δ² + 4p))/2,   R₁ = p/R₃   (δ ≥ 0, and mirrored),

which loses no digits. Close to N = M, where κ → 0 and D₁ → M, the complement
M − D₁ = κ Σ 1/(λ+κ) takes the place of D₁ for the same reason.

Complex z = |z|e^{iθ}: κ is continued from the real solution at |z| along the arc, where
equation (1) has no singularity as long as |θ| < π (the spectrum lies on the negative axis).

Source: dynamical paper, eqs. (10), (32), (68); mathematics in the solvable-model paper, §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .. import arguments
from ..errors import InputError, PrecisionError
from ..formula import is_mp
from ..notation import N, T, kappa, z
from ..spectral_functions import DegreesOfFreedom
from ..spectrum import Spectrum

MAX_ITERATIONS = 200
NEWTON_STEPS = 60
ARC_STEPS = (6, 24, 96, 384)
FLOAT_TOLERANCE = 1e-9
START_BITS, GUARD_BITS = 48, 16  # of the float64 solution; beyond twice the bits of an iterate
NEWTON_TOLERANCE = 1e-8  # a step of this size leaves an error of its square


@cache
def self_consistent_equation(*factors: sp.Symbol) -> sp.Eq:
    """Equation (1) as a sympy object; ``factors`` are the sizes, by default N and T.

    Further Gaussian factors add one bracket each (deep linear random features).

    >>> self_consistent_equation()
    Eq(z, kappa*(1 - D_1(kappa)/N)*(1 - D_1(kappa)/T))
    """
    brackets = [1 - DegreesOfFreedom(1, kappa) / size for size in factors or (N, T)]
    return sp.Eq(z, sp.Mul(kappa, *brackets), evaluate=False)


@dataclass(frozen=True)
class Solution:
    """κ(z) with its response functions and its residual.

    ``value`` κ; ``feature_response`` R₃ = 1 − D₁/N; ``sample_response`` R₁ = 1 − D₁/T;
    ``residual`` the relative error with which equation (1), evaluated afresh, holds.
    """

    value: Any
    feature_response: Any
    sample_response: Any
    residual: Any


def solve(spectrum: Spectrum, features: Any, samples: Any, z: Any = 0) -> Solution:
    """κ(z) of equation (1).

    Parameters
    ----------
    features, samples: N and T, numbers > 0 or infinity.
    z: real ≥ 0 or complex off the negative axis. The three broadcast against one another;
        if any is an mpmath number the answer is one, at the current precision.

    Raises `InputError` for arguments that are not allowed, `PrecisionError` if the residual
    of the answer is not small.

    >>> from solvable.analytic.spectrum import Flat
    >>> round(float(solve(Flat(10), 5, np.inf).value), 12)  # D₁ = 10/(1+κ) = 5
    1.0
    """
    arguments.positive_or_infinite("features", features)
    arguments.positive_or_infinite("samples", samples)
    if is_mp(features, samples, z):
        return _solve_mp(spectrum, features, samples, z)
    point = np.asarray(z)
    if point.dtype.kind == "c":
        if not np.all(np.isfinite(point)) or np.any((point.imag == 0) & (point.real <= 0)):
            raise InputError("z", z, "a finite number off the negative real axis")
        return _solve_complex(spectrum, features, samples, point)
    arguments.nonnegative("z", z)
    return _solve_real(spectrum, features, samples, point.astype(float))


# ---- float64, real z ------------------------------------------------------------------


def _lower_bound(spectrum: Spectrum, smaller: np.ndarray) -> np.ndarray:
    """A κ at which D₁(κ) ≥ min(N, T): λ_J (J−m)/m at J = 2m or J = M, since D₁ ≥ Jλ_J/(λ_J+κ)."""
    index = np.minimum(np.ceil(2 * smaller) + 1, spectrum.size)
    reach = np.clip(index - smaller, 0, None) / smaller
    return np.where(reach > 0, spectrum.eigenvalue(index) * reach, 0.0)


def _solve_real(spectrum: Spectrum, features: Any, samples: Any, z: np.ndarray) -> Solution:
    n, t, z = np.broadcast_arrays(
        np.asarray(features, float), np.asarray(samples, float), np.asarray(z, float)
    )
    shape, (n, t, z) = z.shape, (n.ravel(), t.ravel(), z.ravel())
    smaller, larger = np.minimum(n, t), np.maximum(n, t)
    x = np.zeros(z.shape)
    active = ~((z == 0) & (smaller >= spectrum.size))
    free = np.isinf(smaller)
    x[free] = z[free]
    active &= ~free
    if active.any():
        x[active] = _bracketed_newton(spectrum, smaller[active], larger[active], z[active])
    positive = x > 0
    known = positive | (spectrum.size < np.inf)  # else N = T = M = ∞: both brackets are 1
    d1 = np.where(known, spectrum.degrees_of_freedom(np.where(known, x, 1.0)), 0.0)
    vacancy = _vacancy(spectrum, x, d1)
    raw = [_bracket(spectrum, size, d1, vacancy) for size in (n, t)]
    residual = np.abs(x * raw[0] * raw[1] - z) / np.maximum(x, np.finfo(float).tiny)
    d1 = np.where((z == 0) & positive & np.isfinite(smaller), smaller, d1)  # what κ₀ solves
    product = np.divide(z, x, out=np.zeros_like(x), where=positive)
    exact = _brackets_float(d1, n, t, product)
    r3, r1 = (np.where(positive, x, y) for x, y in zip(exact, raw))
    if np.any(residual > FLOAT_TOLERANCE):
        raise PrecisionError(
            f"equation (1) holds only to {residual.max():.1e}; ask for more digits", 0
        )
    return Solution(*(y.reshape(shape)[()] for y in (x, r3, r1, residual)))


def inverse_gap(n: np.ndarray, t: np.ndarray) -> np.ndarray:
    """1/N − 1/T, to all digits where N ≈ T."""
    finite = np.isfinite(n) & np.isfinite(t)
    x, y = np.where(finite, n, 1.0), np.where(finite, t, 1.0)
    return np.where(finite, (y - x) / x / y, 1 / n - 1 / t)


def _vacancy(spectrum: Spectrum, k: np.ndarray, d1: np.ndarray) -> np.ndarray:
    """M − D₁ = κ Σ 1/(λ+κ): summed as it stands where more than half of the modes are learned."""
    vacancy = spectrum.size - d1
    crowded = vacancy < spectrum.size / 2
    if crowded.any():
        few = k[crowded]
        with np.errstate(invalid="ignore"):  # κ = 0, of an infinite sum
            summed = few * spectrum.resolvent_sum(few, 0, 1)
        vacancy[crowded] = np.where(few > 0, summed, 0.0)
    return vacancy


def _bracket(
    spectrum: Spectrum, size: np.ndarray, d1: np.ndarray, vacancy: np.ndarray
) -> np.ndarray:
    """1 − D₁/N, by way of M − D₁ where that is the smaller number."""
    finite = np.where(np.isinf(size), 1.0, size)
    rest, crowded = finite - d1, vacancy < d1
    rest[crowded] = (finite[crowded] - spectrum.size) + vacancy[crowded]
    return np.where(np.isinf(size), 1.0, rest / finite)


def _brackets_float(
    d1: np.ndarray, n: np.ndarray, t: np.ndarray, product: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(R₃, R₁) from their product and difference, without cancellation."""
    delta = d1 * inverse_gap(t, n)
    large = (np.abs(delta) + np.sqrt(delta**2 + 4 * product)) / 2
    small = np.divide(product, large, out=np.zeros_like(large), where=large > 0)
    return np.where(delta >= 0, large, small), np.where(delta >= 0, small, large)


def _bracketed_newton(
    spectrum: Spectrum, smaller: np.ndarray, larger: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """κ by Newton's method in ln κ inside a bracket; all entries have κ > 0."""
    low = np.maximum(np.maximum(_lower_bound(spectrum, smaller), z), 1e-305)
    high = np.maximum(4 * z, 2 * spectrum.trace() / smaller) * (1 + 1e-9)
    low = np.minimum(low, high)
    k, gap, todo = low.copy(), inverse_gap(smaller, larger), np.arange(len(z))
    for _ in range(MAX_ITERATIONS):
        here, top, bottom = k[todo], high[todo], low[todo]
        g, slope = _excess(spectrum, here, smaller[todo], gap[todo], z[todo])
        low[todo] = bottom = np.where(g >= 0, here, bottom)
        high[todo] = top = np.where(g <= 0, here, top)
        with np.errstate(all="ignore"):
            step = -g / slope
            new = here * np.exp(step)
        small = np.abs(step) <= NEWTON_TOLERANCE
        inside = small | ((new > bottom) & (new < top))
        k[todo] = np.where(inside, new, np.sqrt(bottom) * np.sqrt(top))
        todo = todo[~small]
        if not todo.size:
            break
    return k


def _excess(
    spectrum: Spectrum, k: np.ndarray, smaller: np.ndarray, gap: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """g = ln(D₁/m + R) and dg/d ln κ; see the module."""
    d1 = spectrum.degrees_of_freedom(k)
    spread = k * spectrum.resolvent_sum(k, 1, 2)
    product, delta = z / k, d1 * gap
    root = np.sqrt(delta**2 + 4 * product)
    open_ = root > 0  # else z = 0 and N = T: R = 0
    response = np.divide(2 * product, delta + root, out=np.zeros_like(root), where=open_)
    change = np.divide(
        response * spread * gap - product, root, out=np.zeros_like(root), where=open_
    )
    total = d1 / smaller + response
    g, slope = np.log(total), (change - spread / smaller) / total
    vacancy = _vacancy(spectrum, k, d1)
    crowded = vacancy < d1
    if crowded.any():
        spare, part = smaller - spectrum.size, smaller * response
        both = _crowded_excess(spare, part, smaller * change, vacancy, spread)
        g, slope = (np.where(crowded, x, y) for x, y in zip(both, (g, slope)))
    return g, slope


def _crowded_excess(
    spare: np.ndarray, part: np.ndarray, change: np.ndarray, vacancy: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """g from mR = (m − M) + (M − D₁), three small numbers: every term on its positive side."""
    with np.errstate(all="ignore"):
        left = np.where(spare < 0, part - spare, part)
        right = np.where(spare < 0, vacancy, spare + vacancy)
        return np.log(left / right), change / left - spread / right


# ---- complex z ------------------------------------------------------------------------


def equation_and_slope(
    spectrum: Spectrum, k: Any, inverse_n: Any, inverse_t: Any, z: Any
) -> tuple[Any, Any]:
    """F(κ) = κR₁R₃ − z and F'(κ) = R₁R₃ + E (R₁/N + R₃/T), with E = κ Σ λ/(λ+κ)²."""
    d1 = spectrum.degrees_of_freedom(k)
    spread = k * spectrum.resolvent_sum(k, 1, 2)
    r3, r1 = 1 - d1 * inverse_n, 1 - d1 * inverse_t
    return k * r1 * r3 - z, r1 * r3 + spread * (r1 * inverse_n + r3 * inverse_t)


def _solve_complex(spectrum: Spectrum, features: Any, samples: Any, z: np.ndarray) -> Solution:
    n, t, z = np.broadcast_arrays(np.asarray(features, float), np.asarray(samples, float), z)
    from .path import responses

    shape, (n, t, z) = z.shape, (n.ravel(), t.ravel(), z.ravel())
    start = np.atleast_1d(_solve_real(spectrum, n, t, np.abs(z)).value).astype(complex)
    k = np.empty_like(start)
    error = np.full(z.shape, np.inf)
    for steps in ARC_STEPS:
        todo = error > FLOAT_TOLERANCE
        if not todo.any():
            break
        k[todo], error[todo] = _follow_arc(
            spectrum, start[todo], 1 / n[todo], 1 / t[todo], z[todo], steps
        )
    if np.any(error > FLOAT_TOLERANCE):
        worst = z[np.argmax(error)]
        raise PrecisionError(
            f"κ could not be continued to z = {worst} (residual {error.max():.1e})"
        )
    d1 = spectrum.degrees_of_freedom(k)
    parts = (k, *responses(d1, 1 / n, 1 / t, z / k), error)
    return Solution(*(y.reshape(shape)[()] for y in parts))


def _follow_arc(
    spectrum: Spectrum, k: np.ndarray, inverse_n: Any, inverse_t: Any, z: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """κ at z, followed along |z|e^{iθ} in ``steps`` steps, and its relative residual."""
    radius, angle = np.abs(z), np.angle(z)
    smallest_step = np.full(z.shape, np.inf)
    for j in range(steps):
        here, there = (radius * np.exp(1j * angle * (j + i) / steps) for i in (0, 1))
        _, slope = equation_and_slope(spectrum, k, inverse_n, inverse_t, here)
        predicted = (there - here) / slope
        k_next = k + predicted
        for _ in range(3):
            value, slope = equation_and_slope(spectrum, k_next, inverse_n, inverse_t, there)
            k_next = k_next - value / slope
        moved = np.abs(k_next - k - predicted)
        lost = moved > 0.5 * np.abs(k)  # the predictor was no guide: the step is too long
        smallest_step = np.where(lost, 0.0, smallest_step)
        k = k_next
    for _ in range(NEWTON_STEPS):
        value, slope = equation_and_slope(spectrum, k, inverse_n, inverse_t, z)
        change = value / slope
        k = k - change
        if np.all(np.abs(change) <= 1e-13 * np.abs(k)):  # the step after it was quadratic
            break
    value, _ = equation_and_slope(spectrum, k, inverse_n, inverse_t, z)
    # κ/z has no negative-axis crossing: Im κ carries the sign of Im z on the physical branch
    wrong_side = (k.imag * z.imag < 0) & (np.abs(k.imag) > 1e-12 * np.abs(k))
    bad = wrong_side | (smallest_step == 0) | ~np.isfinite(k)
    return k, np.where(bad, np.inf, np.abs(value) / np.abs(k))


# ---- mpmath ---------------------------------------------------------------------------


def _solve_mp(spectrum: Spectrum, features: Any, samples: Any, z: Any) -> Solution:
    working = mpmath.mp.prec
    with mpmath.extraprec(30):
        n, t, point = (mpmath.mpmathify(x) for x in (features, samples, z))
        if isinstance(point, mpmath.mpc) and point.imag == 0 and point.real >= 0:
            point = point.real
        if not isinstance(point, mpmath.mpc):
            arguments.nonnegative("z", point)
        elif point.imag == 0:
            raise InputError("z", z, "a number off the negative real axis")
        value = _root_mp(spectrum, n, t, point)
        if value == 0 and spectrum.size == mpmath.inf:  # N = T = M = ∞: both brackets are 1
            d1, r3, r1 = (mpmath.mpf(x) for x in (0, 1, 1))
        else:
            d1, r3, r1 = _brackets_at(spectrum, value, n, t)
        residual = abs(value * r1 * r3 - point) / abs(value) if value else mpmath.mpf(0)
        if residual > mpmath.ldexp(1, 8 - working):
            digits = int(-mpmath.log10(residual))
            raise PrecisionError(f"equation (1) holds only to {digits} digits", digits)
        if value:
            d1 = d1 if point else min(n, t)  # what κ₀ solves, exactly
            r3, r1 = _brackets_mp(d1, n, t, point / value)
    return Solution(+value, +r3, +r1, +residual)


def _brackets_at(spectrum: Spectrum, k: Any, n: Any, t: Any) -> tuple[Any, Any, Any]:
    """D₁ and both brackets, by way of M − D₁ = κ Σ 1/(λ+κ) where D₁ is nearer to M than to 0."""
    d1 = spectrum.degrees_of_freedom(k)
    if spectrum.size == mpmath.inf or 2 * d1.real < spectrum.size:
        return d1, 1 - d1 / n, 1 - d1 / t
    vacancy = k * spectrum.resolvent_sum(k, 0, 1)
    brackets = (
        mpmath.mpf(1) if x == mpmath.inf else (x - spectrum.size + vacancy) / x for x in (n, t)
    )
    return d1, *brackets


def _inverse_gap_mp(n: Any, t: Any) -> Any:
    """1/N − 1/T."""
    return 1 / n - 1 / t if mpmath.inf in (n, t) else (t - n) / n / t


def _brackets_mp(d1: Any, n: Any, t: Any, product: Any) -> tuple[Any, Any]:
    """(R₃, R₁) from their product and difference; the branch is known by the sum."""
    delta = d1 * _inverse_gap_mp(t, n)
    total = mpmath.sqrt(delta**2 + 4 * product)
    known = 2 - d1 * (1 / t + 1 / n)
    decisive = isinstance(product, mpmath.mpc) and abs(known) > 1e3 * mpmath.mp.eps
    if decisive and (total * mpmath.conj(known)).real < 0:
        total = -total
    plus, minus = (total + delta) / 2, (total - delta) / 2
    if not total and not delta:
        return plus, minus
    return (plus, product / plus) if abs(plus) >= abs(minus) else (product / minus, minus)


def _root_mp(spectrum: Spectrum, n: Any, t: Any, z: Any) -> Any:
    """Newton's method with doubling precision from the float64 solution."""
    smaller = min(n, t)
    if smaller == mpmath.inf:
        return z
    if z == 0 and smaller >= spectrum.size:
        return mpmath.mpf(0)
    k, bits = _start_mp(spectrum, n, t, z), START_BITS
    target = mpmath.mp.prec
    for _ in range(MAX_ITERATIONS):
        precision = min(target, 2 * bits + GUARD_BITS)
        with mpmath.workprec(precision):
            change = _log_newton(spectrum, n, t, z, k)
            k = k * mpmath.exp(-change) if abs(change) < 1 else k * (1 - change / 2 / abs(change))
            small = abs(change) if change else mpmath.ldexp(1, -precision)
        bits = max(START_BITS, -2 * int(mpmath.log(small, 2)) if small < 0.1 else 0)
        if precision == target and bits >= target:
            break
    return k


def _log_newton(spectrum: Spectrum, n: Any, t: Any, z: Any, k: Any) -> Any:
    """The Newton step in ln κ for equation (1): complex as it stands, real as D₁/m + R = 1."""
    k = +k
    _, r3, r1 = _brackets_at(spectrum, k, n, t)
    spread = k * spectrum.resolvent_sum(k, 1, 2)
    if isinstance(z, mpmath.mpc):
        value = k * r1 * r3
        return (value - z) / (value + k * spread * (r1 / n + r3 / t))
    smaller, bracket = (n, r3) if n <= t else (t, r1)
    if z == 0:
        return smaller * bracket / spread
    product, gap = z / k, _inverse_gap_mp(smaller, max(n, t))
    delta = smaller * (1 - bracket) * gap
    root = mpmath.sqrt(delta**2 + 4 * product)
    response = 2 * product / (delta + root)
    slope = (response * spread * gap - product) / root - spread / smaller
    return (response - bracket) / slope


def _start_mp(spectrum: Spectrum, n: Any, t: Any, z: Any) -> Any:
    """The float64 solution where float64 can hold it, else a bound found by bisection."""
    try:
        point = complex(z) if isinstance(z, mpmath.mpc) else float(z)
        start = solve(spectrum, float(n), float(t), point).value
        if 1e-280 < abs(start) < 1e280:
            return mpmath.mpmathify(complex(start) if isinstance(point, complex) else float(start))
    except (OverflowError, PrecisionError, FloatingPointError):
        pass
    if isinstance(z, mpmath.mpc):
        raise PrecisionError("z is outside the range in which complex κ can be followed", 0)
    low, high = mpmath.mpf(10) ** -3000, 4 * z + 2 * spectrum.trace(mp=True) / min(n, t)
    with mpmath.workprec(60):
        while high > low * 1.01:
            middle = mpmath.sqrt(low * high)
            _, r3, r1 = _brackets_at(spectrum, middle, n, t)
            below = min(r3, r1) < 0 or middle * r3 * r1 < z
            low, high = (middle, high) if below else (low, middle)
    return high
