r"""What a schedule of rates costs in gradient noise: a convolution in intrinsic time.

With the intrinsic time τ_n = Σ_{m<n} η_m a step of SGD on fresh samples multiplies the second
moment of a mode by q = e^{−2ηx + O(η²x²)}, so that for small rates the mean loss is, N = ∞,

    L(τ) = E(τ) + (1/B) ∫_0^τ K(τ − u) η(u) (L(u) + σ²) du,
    E(τ) = Σ w²λ e^{−2λτ},     K(v) = Σ λ² e^{−2λv} ∝ v^{−(2−1/b)}.

A schedule that ends as η ∝ (1 − n/L)^p leaves noise ∝ L^{−min(p/(p+1), 1−1/b)}. Of all schedules
of L steps and the intrinsic time τ the least noise is left by that with Kη² constant, v = τ − u,

    η*(v) = S/(L √K(v)),     S = ∫_0^τ √K dv,     noise = (σ²/B) S²/L,

η* ∝ (1 − n/L)^{2b−1} for a power law.

That is the optimum as long as a ≥ b; for harder tasks the largest rate that is stable limits it.

Source: arXiv:2509.19189 (functional scaling laws), arXiv:2602.06797 (the optimum of a power law).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..errors import InputError
from ..spectrum import Empirical, PowerLaw, Spectrum, as_spectrum
from .dynamics import dynamics
from .schedules import Piece, Schedule, Value

Array = np.ndarray

GRID = 2000  # points of intrinsic time
FIRST = 1e-4  # the first of them, in units of 1/λ₁


def noise_kernel(spectrum: Spectrum) -> Callable[[Any], Array]:
    """K(v) = Σ λ² e^{−2λv}: the loss of the gradient flow whose target power is λ²."""
    if isinstance(spectrum, PowerLaw):
        scale = spectrum.scale
        squared: Spectrum = PowerLaw(
            exponent=spectrum.exponent, size=spectrum.size, scale=scale, target_variance=scale,
            target_exponent=2 * spectrum.exponent,
        )  # fmt: skip
    else:
        values = spectrum.eigenvalues()
        squared = Empirical(values, values**2)
    return lambda v: np.asarray(dynamics(squared, math.inf, math.inf, v).excess_loss)


def roots(spectrum: Spectrum, total: float) -> tuple[Array, Array, Array]:
    """Intrinsic times v from 0 to ``total``, √K(v), and ∫_0^v √K, on one grid."""
    first = min(FIRST / float(spectrum.eigenvalue(1)), total / GRID)
    v = np.concatenate([[0.0], np.geomspace(first, total, GRID)])
    root = np.sqrt(noise_kernel(spectrum)(v))
    from scipy.integrate import cumulative_simpson

    inner = cumulative_simpson(root[1:] * v[1:], x=np.log(v[1:]), initial=0.0)
    return v, root, np.concatenate([[0.0], first * root[0] + inner])


@checked
def least_noise(spectrum: Spectrum, total: float, steps: float) -> float:
    """S²/L: the least noise, in units of σ²/B, of L steps over the intrinsic time ``total``.

    Raises `InputError` for a time or a number that is not > 0. Source: arXiv:2602.06797.

    >>> law = PowerLaw(exponent=2)
    >>> round(least_noise(law, 100.0, 10_000) / least_noise(law, 100.0, 20_000), 12)
    2.0
    """
    _, _, integral = roots(as_spectrum(spectrum), float(arguments.positive("total", total)))
    return float(integral[-1]) ** 2 / float(arguments.positive("steps", steps))


@checked
def optimal_annealing(spectrum: Spectrum, total: float, steps: int) -> Schedule:
    """The rates of least noise: L steps that cover the intrinsic time ``total``, a `schedule`.

    ``total`` is Σ η, rates are in units of 1/λ.

    Raises `InputError` where a rate would be beyond that of instability, 1/λ₁. Source:
    arXiv:2602.06797 for a power law, here for any spectrum.

    >>> rates = optimal_annealing(PowerLaw(exponent=1.5), 200.0, 10_000)
    >>> bool(abs(rates(np.arange(10_000)).sum() / 200 - 1) < 1e-2)
    True
    """
    spectrum, length = as_spectrum(spectrum), arguments.count("steps", steps)
    _, root, integral = roots(spectrum, float(arguments.positive("total", total)))
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = integral[-1] / (length * root)
    if not rates.max() * float(spectrum.eigenvalue(1)) <= 1:
        raise InputError("total", total, f"less intrinsic time in {length} steps: rates above 1/λ₁")
    left = length * integral / integral[-1]  # steps left at the intrinsic time v before the end
    return Schedule("step", (
        Piece(0, length, Value(_annealed, length, np.log1p(left), np.log(rates))),
    ))  # fmt: skip


def polynomial_decay(rate: float, steps: int, power: float) -> Schedule:
    """η (1 − (n + ½)/L)^p, n < L.

    >>> polynomial_decay(0.5, 2, 1.0)(np.arange(2))
    array([0.375, 0.125])
    """
    return Schedule("step", (
        Piece(0, steps, Value(_power_of_the_rest, rate, steps, power)),
    ))  # fmt: skip


def _annealed(n: Array, length: int, log_left: Array, log_rate: Array) -> Array:
    """A cubic spline through ln η against ln(1 + steps left)."""
    from scipy.interpolate import CubicSpline

    return np.exp(CubicSpline(log_left, log_rate)(np.log1p(length - 0.5 - n)))


def _power_of_the_rest(n: Array, rate: float, steps: int, power: float) -> Array:
    return rate * (1 - (n + 0.5) / steps) ** power
