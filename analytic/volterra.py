r"""One-pass SGD: a Volterra equation solved by one division of generating functions.

Every step draws B fresh samples. To the order of the mean-field theory (many modes) the excess
loss obeys (dynamical paper, eqs. (16), (142)–(144); Paquette et al., 2405.15074)

    L_n = F_n + (η²/B) Σ_{m<n} K_{n−1−m} (L_m + σ²),
    F_n = wᵀ … (1 − ηS)^{2n} … w,        K_j = tr S² (1 − ηS)^{2j},

F being the loss of gradient descent on the population and K its response to the noise of one
step; S is the random matrix AᵀA/N seen in the λ-norm. Both follow from one frequency, since T = ∞
makes (2) a divided difference in z:

    C₀(z, z') = −(f(z) − f(z'))/(z − z'),   f = κ h₁/z,      F_n = ∮ (1+ηz)^{2n} f dz/2πi,
    response  =  (k(z') − k(z))/(z − z') ,  k = −z d₁,       K_n = ∮ (1+ηz)^{2n} k dz/2πi.

Summed over n with ξ^{−n}, the poles at 1 + ηz = ±√ξ are all that is left of the integrals:

    F̂(ξ) = (√ξ/2η) [f(z₊) − f(z₋)],    z± = (±√ξ − 1)/η,      K̂ likewise with k,

and the Volterra equation becomes a division,

    L̂ = (F̂ + q σ² ξ/(ξ−1))/(1 − q),      q = (η²/B) K̂(ξ)/ξ,

whose coefficients are contour integrals ∮ ξⁿ L̂ dξ/(2πiξ): n = 10¹⁵ costs what n = 10² costs. L̂
is singular on [0, 1] only, as long as q(1) < 1; above the critical step size (`stability`) the
pole q(ξ*) = 1 lies at ξ* > 1, and the loss grows as ξ*ⁿ.

The recursion itself is `volterra_recursion`.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np

from .contour import (
    Contour,
    circle,
    exponential,
    exponential_less_one,
    real,
    window_hyperbola,
    windows,
)
from .correlation import mode_sum
from .learners import GradientDescent, OnePassSGD
from .resolvent.path import solve_along, solve_along_exactly
from .resolvent.solution import solve
from .spectrum import Spectrum
from .stability import exterior_kappa, spectral_edge


def one_point_functions(
    spectrum: Spectrum, features: Any, z: np.ndarray, *, mp: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """f = κh₁/z and k = −zd₁ at T = ∞, along a path z in the upper half-plane."""
    solution = (solve_along_exactly if mp else solve_along)(spectrum, features, math.inf, z)
    target = mode_sum(spectrum, solution.value, 1, target=True)
    return target / solution.feature_response, -z * solution.degrees


def forcing_and_kernel(
    spectrum: Spectrum, features: float, step: float, count: int, accuracy: float = 1e-15
) -> tuple[np.ndarray, np.ndarray]:
    """F_0 … F_{count−1} and K_0 … K_{count−1}.

    >>> from solvable.analytic.spectrum import Flat
    >>> forcing, kernel = forcing_and_kernel(Flat(4), math.inf, 0.5, 3)
    >>> forcing.round(12), kernel.round(12)  # 4 (1 − η)^{2n} twice
    (array([4.  , 1.  , 0.25]), array([4.  , 1.  , 0.25]))
    """
    steps = 2.0 * np.arange(1, count)
    start = float(spectrum.total_target_power())
    # K_0 = tr S² = Σ λ² + (Σ λ)²/N
    first = float(spectrum.trace(2)) + float(spectrum.trace()) ** 2 / features
    forcing, kernel = (np.full(count, x) for x in (start, first))
    rule = GradientDescent(step)
    critical = rule.critical_step(spectrum, features, math.inf)
    for quadrature in rule.quadratures(steps, accuracy, critical):
        parts = [one_point_functions(spectrum, features, z) for z in quadrature.paths]
        f, k = (np.concatenate(part) for part in zip(*parts))
        forcing[1 + quadrature.index] = 2 * (quadrature.weights @ f).real
        kernel[1 + quadrature.index] = 2 * (quadrature.weights @ k).real
    return forcing, kernel


def volterra_recursion(
    forcing: np.ndarray, kernel: np.ndarray, step: float, batch: float, noise: float = 0.0
) -> np.ndarray:
    """L_0 … L_n of the Volterra equation, one after another.

    >>> volterra_recursion(np.array([1.0, 0.5]), np.array([2.0, 1.0]), 1.0, 4)
    array([1., 1.])
    """
    loss = np.zeros(len(forcing))
    for n in range(len(forcing)):
        history = kernel[:n][::-1] @ (loss[:n] + noise)
        loss[n] = forcing[n] + step**2 / batch * history
    return loss


def one_pass_loss(
    spectrum: Spectrum,
    features: Any,
    times: np.ndarray,
    learner: OnePassSGD,
    noise: Any,
    accuracy: Any,
    critical: float,
    *,
    mp: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """(excess loss, rounding error) after positive numbers of steps, *(features…, times)*.

    ``critical`` is the critical step size; above it ``features`` is one number.
    """
    level = -float(mpmath.log(accuracy))
    growth = 1.0
    if float(learner.step) > critical:
        growth = growth_factor(spectrum, float(np.max(features)), learner)
    out = [np.empty((*np.shape(features), len(times)), dtype=object if mp else float) for _ in "12"]
    few = np.array([t <= level for t in times], dtype=bool)
    for chosen, make in ((few, circle), (~few, window_hyperbola)):
        positions = np.flatnonzero(chosen)
        for index in (positions[group] for group in windows(times[positions])):
            contour = (
                circle(int(times[index[-1]]), 1.0, accuracy, mp=mp)
                if make is circle
                else window_hyperbola(times[index], accuracy, mp=mp)
            )
            hat = generating_function(spectrum, features, contour, growth, learner, noise, mp=mp)
            power = exponential(np.multiply.outer(times[index], contour.nodes + math.log(growth)))
            weights = contour.weights * power
            out[0][..., index] = real(2 * hat @ weights.T)
            out[1][..., index] = 2e-16 * (abs(hat) @ abs(weights).T)
    return out[0], out[1]


def generating_function(
    spectrum: Spectrum,
    features: Any,
    contour: Contour,
    growth: float,
    learner: OnePassSGD,
    noise: Any,
    *,
    mp: bool = False,
) -> np.ndarray:
    """L̂(ξ) = Σ_n L_n ξ^{−n} at ξ = growth · e^s on a contour of s, *(features…, nodes)*."""
    convert = mpmath.mpmathify if mp else float
    eta, batch, radius = convert(learner.step), convert(learner.batch), convert(growth)
    half = contour.nodes / 2
    root = exponential(half) * radius**0.5
    upper = (exponential_less_one(half) if growth == 1 else root - 1) / eta
    lower = -(np.conj(root) + 1) / eta  # z₋ reflected into the upper half-plane
    f, k = one_point_functions(spectrum, features, upper, mp=mp)
    f_minus, k_minus = one_point_functions(spectrum, features, lower, mp=mp)
    xi = root**2
    forcing = root / (2 * eta) * (f - np.conj(f_minus))
    kernel = root / (2 * eta) * (k - np.conj(k_minus))
    amplified = eta**2 / batch * kernel / xi
    xi_less_one = exponential_less_one(contour.nodes) if growth == 1 else xi - 1
    return (forcing + amplified * noise * xi / xi_less_one) / (1 - amplified)


def growth_factor(spectrum: Spectrum, features: float, learner: OnePassSGD) -> float:
    """ξ* > 1: the factor by which the loss grows per step above the critical step size.

    The root of q(ξ) = 1 right of the spectrum, or (1 − ηλ_max)² if q < 1 throughout.

    >>> from solvable.analytic.spectrum import Flat
    >>> round(growth_factor(Flat(10), math.inf, OnePassSGD(1.0, 5)), 12)  # (1−η)² + η² 10/5
    2.0
    """
    from scipy.optimize import brentq

    eta, batch = float(learner.step), float(learner.batch)
    edge = max(1.0, (1 - eta * spectral_edge(spectrum, features, math.inf)) ** 2)

    def excess(log_xi: float) -> float:
        root = math.exp(log_xi / 2)
        z_plus, z_minus = (root - 1) / eta, -(root + 1) / eta
        right = solve(spectrum, features, math.inf, z_plus).value
        d_plus = float(spectrum.resolvent_sum(right, 1, 1))
        _, d_minus = exterior_kappa(spectrum, features, math.inf, z_minus)
        kernel = root / (2 * eta) * (z_minus * d_minus - z_plus * d_plus)
        return eta**2 / batch * kernel / root**2 - 1

    low = math.log(edge) + 1e-12
    if excess(low) <= 0:
        return edge
    high = low + 1
    while excess(high) > 0:
        high = 2 * high + 1
    return math.exp(brentq(excess, low, high, xtol=1e-15, rtol=1e-14))
