r"""Stochastic gradient descent at any batch size: one division of generating functions.

In u = Λ^{1/2}v a step on a batch of Gaussian samples is u ← (1 − ηKG)u, with the kernel
K = Λ^{1/2}(AᵀA/N)Λ^{1/2} and the batch's G = (1/B)Σ ggᵀ. As E[GVG] = V + (V + tr V)/B, second
moments close on the eigenvalues x of K: for the total loss ℓ = L + σ², label noise σ² included,

    V_n+1(x) = q(x) V_n(x) + g x² ℓ_n,      q(x) = 1 − 2ηx + cη²x²,      ℓ_n = Σ_x V_n(x) + σ²,

    c = 1 + 1/B,   g = η²/B          on fresh samples (T = ∞).

Of T samples seen again and again, in the basis of the samples (V the second moment of the training
residuals, ℓ their mean square), the covariance of a batch's gradient is (γ/B)(T diag R − R) with
γ = 1 with replacement, γ = (T−B)/(T−1) without; the sample eigenvectors being uniform,
T diag R − R → T/(T+2) tr R + (T−2)/(T+2) R, and so

    c = 1 + γ(T−2)/((T+2)B),   g = γη²T/((T+2)B).

T → ∞ is the first case, B = T without replacement gradient descent. Summed with ξ^{−n}, with

    s = √(1 + c(ξ − 1)),   z₊ = (ξ − 1)/((s + 1)η),   z₋ = −(1 + s)/(cη),

1/(ξ − q(x)) = [1/(x + z₊) − 1/(x + z₋)]/(2ηs) leaves one-point functions of one frequency,

    ℓ̂ = F̂/(1 − gK̂/ξ),    F̂ = ξ/(2ηs) [f(z₊) − f(z₋)],    K̂ likewise with k,
    f = R₁(κh₁ + σ²)/z,    k = −z d₁,

whose coefficients are contour integrals ∮ ξⁿ ℓ̂ dξ/(2πiξ): n = 10¹⁵ costs what n = 10² costs. ℓ̂ is
singular on [1 − 1/c, 1] only, as long as gK̂(1) < 1; beyond the critical step (`stability`) the pole
gK̂ = ξ lies at ξ* > 1, and the loss grows as ξ*ⁿ.

The mean is not all: near the critical step the loss has heavy tails over seeds, and its mean is
carried by rare ones (see `OnePassSGD`).

Source: Paquette et al., 2405.15074, and dynamical paper, eqs. (16), (142)–(144), both without the
terms cη²x² − η²x², which are of relative order one for a summable spectrum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from ..resolvent import solve, solve_along, solve_along_exactly
from ..spectrum import Spectrum
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
from .stability import exterior_kappa, spectral_edge

ROUNDING = 2e-16
HEIGHT = 1e-8  # relative to |z|, of what is real on the real axis: its square is lost


@dataclass(frozen=True)
class BatchNoise:
    """η, c and g of a rule, one number each or arrays that end in an axis for the nodes."""

    step: Any
    curvature: Any
    strength: Any

    @property
    def degrees(self) -> Any:
        """cη²/g, which Σ λ/(y−λ) is at the critical step."""
        gain, infinite = self.strength / self.step**2, np.asarray(self.strength == 0)
        return np.where(infinite, np.inf, self.curvature / np.where(infinite, 1, gain))[()]

    def multiplier(self, x: Any) -> Any:
        """q(x)."""
        return 1 - self.step * x * (2 - self.curvature * self.step * x)


def batch_noise(
    step: Any, batch: Any, samples: Any = math.inf, *, replacement: bool = True
) -> BatchNoise:
    """η, c and g of batches of ``batch`` out of ``samples``, drawn anew for every step.

    >>> batch_noise(0.5, 4)
    BatchNoise(step=0.5, curvature=1.25, strength=0.0625)
    >>> batch_noise(0.5, 4, 4, replacement=False).curvature  # gradient descent
    1.0
    >>> batch_noise(0.5, 1, 1).strength
    0.0
    """
    inverse = 1 / samples
    fraction = 1
    if samples == 1:  # which is all of them, whether it is drawn once or often
        fraction = 0
    elif not replacement and inverse != 0:
        fraction = (1 - batch * inverse) / (1 - inverse)
    share = fraction / (batch * (1 + 2 * inverse))
    return BatchNoise(step, 1 + (1 - 2 * inverse) * share, step * step * share)


def one_point_functions(
    spectrum: Spectrum, features: Any, samples: Any, z: np.ndarray, noise: Any, *, mp: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """f = R₁(κh₁ + σ²)/z and k = −zd₁, along a path z in the upper half-plane."""
    solution = (solve_along_exactly if mp else solve_along)(spectrum, features, samples, z)
    target = mode_sum(spectrum, solution.value, 1, target=True)
    signal = target / solution.feature_response
    return signal + noise * solution.sample_response / z, -z * solution.degrees


@dataclass(frozen=True)
class MeanLoss:
    """The mean total loss of a rule on a model, by contours.

    ``noise`` σ² is included in the loss; ``kept`` of it is left out again, so that the excess
    loss of fresh samples has all its digits. Sizes may be arrays of one shape.
    """

    spectrum: Spectrum
    features: Any
    samples: Any
    batch: BatchNoise
    noise: Any
    kept: Any = 0
    mp: bool = False

    def __call__(
        self, times: np.ndarray, accuracy: Any, growth: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """(loss, rounding error) after positive numbers of steps, *(sizes…, times)*.

        ``growth`` is the `growth_factor` of a rule that diverges.
        """
        level = -float(mpmath.log(accuracy))
        lead = np.broadcast_shapes(np.shape(self.features), np.shape(self.samples))
        kind = object if self.mp else float
        out, errors = (np.empty((*lead, len(times)), dtype=kind) for _ in "12")
        few = np.array([t <= level for t in times], dtype=bool)
        for chosen in (few, ~few):
            positions = np.flatnonzero(chosen)
            for index in (positions[group] for group in windows(times[positions])):
                if chosen is few:
                    contour = circle(int(times[index[-1]]), 1.0, accuracy, mp=self.mp)
                else:
                    contour = window_hyperbola(times[index], accuracy, mp=self.mp)
                hat = self.generating_function(contour, growth)
                powers = np.multiply.outer(times[index], contour.nodes + math.log(growth))
                weights = contour.weights * exponential(powers)
                out[..., index] = real(2 * hat @ weights.T)
                errors[..., index] = ROUNDING * (abs(hat) @ abs(weights).T)
        return out, errors

    def generating_function(self, contour: Contour, growth: float = 1.0) -> np.ndarray:
        """ℓ̂(ξ) = Σ_n ℓ_n ξ^{−n} at ξ = growth · e^s on a contour of s, *(sizes…, nodes)*."""
        eta, c, g = self.batch.step, self.batch.curvature, self.batch.strength
        xi = exponential(contour.nodes) * growth
        less_one = exponential_less_one(contour.nodes) if growth == 1 else xi - 1
        root = _square_root(1 + c * less_one)
        upper = less_one / (root + 1) / eta
        lower = -(np.conj(root) + 1) / (c * eta)  # z₋ reflected into the upper half-plane
        inside = self.noise - self.kept
        sizes = self.spectrum, self.features, self.samples
        f, k = one_point_functions(*sizes, upper, inside, mp=self.mp)
        f_minus, k_minus = self._beyond(sizes, lower, inside)
        forcing, kernel = (
            xi / (2 * eta * root) * (plus - np.conj(minus))
            for plus, minus in ((f, f_minus), (k, k_minus))
        )
        amplified = g * kernel / xi
        return (forcing + amplified * self.kept * xi / less_one) / (1 - amplified)

    def _beyond(
        self, sizes: tuple[Any, Any, Any], z: np.ndarray, noise: Any
    ) -> tuple[np.ndarray, ...]:
        """f and k at z₋, beyond the spectrum, where Im z may be too small to be resolved.

        They are real on the real axis there: at height ε they have the real part of the axis up to
        ε², and an imaginary part in proportion to the height.
        """
        if self.mp:
            return one_point_functions(*sizes, z, noise, mp=True)
        lift = HEIGHT * np.abs(z)
        low = (z.real < 0) & (z.imag < lift)
        found = one_point_functions(*sizes, np.where(low, z.real + 1j * lift, z), noise)
        share = np.where(low, z.imag / lift, 1.0)
        return tuple(x.real + 1j * x.imag * share for x in found)


def _square_root(x: np.ndarray) -> np.ndarray:
    """√x, of complex128 or of mpmath objects."""
    return np.sqrt(x) if x.dtype != object else np.frompyfunc(mpmath.sqrt, 1, 1)(x)


def growth_factor(spectrum: Spectrum, features: float, samples: float, batch: BatchNoise) -> float:
    """ξ* > 1: the factor by which the loss grows per step above the critical step size.

    The root of gK̂(ξ) = ξ right of the spectrum, or q(λ_max) if gK̂ < ξ throughout.

    >>> from solvable.analytic.spectrum import Flat
    >>> round(growth_factor(Flat(10), math.inf, math.inf, batch_noise(1.0, 5)), 12)
    2.2
    """
    from scipy.optimize import brentq

    eta, c, g = (float(x) for x in (batch.step, batch.curvature, batch.strength))
    edge = max(1.0, float(batch.multiplier(spectral_edge(spectrum, features, samples))))

    def excess(log_xi: float) -> float:
        less_one = math.expm1(log_xi)
        root = math.sqrt(1 + c * less_one)
        z_plus, z_minus = less_one / (root + 1) / eta, -(root + 1) / (c * eta)
        right = solve(spectrum, features, samples, z_plus).value
        d_plus = float(spectrum.resolvent_sum(right, 1, 1))
        _, d_minus = exterior_kappa(spectrum, features, samples, z_minus)
        return g / (2 * eta * root) * (z_minus * d_minus - z_plus * d_plus) - 1

    low = math.log(edge) + 1e-12
    if excess(low) <= 0:
        return edge
    high = low + 1
    while excess(high) > 0:
        high = 2 * high + 1
    return math.exp(brentq(excess, low, high, xtol=1e-15, rtol=1e-14))


def recursion(
    eigenvalues: np.ndarray, power: np.ndarray, steps: Callable[[int], BatchNoise] | BatchNoise,
    count: int, noise: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """ℓ_0 … ℓ_count − σ² of given kernel eigenvalues x and target powers V_0(x), step by step.

    Eigenvalues and powers are *(…, modes)*, the losses *(count + 1, …)*.

    >>> recursion(np.ones(10), np.full(10, 0.1), batch_noise(1.0, 5), 2).round(12)
    array([1.  , 2.2 , 4.84])
    """
    second = np.array(power, float)
    losses = np.empty((count + 1, *second.shape[:-1]))
    for n in range(count + 1):
        losses[n] = second.sum(axis=-1)
        batch = steps(n) if callable(steps) else steps
        source = batch.strength * eigenvalues**2 * (losses[n, ..., None] + noise)
        second = batch.multiplier(eigenvalues) * second + source
    return losses
