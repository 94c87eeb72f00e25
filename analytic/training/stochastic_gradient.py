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

    L̂ = (F̂ + gK̂ σ²/(ξ − 1))/(1 − gK̂/ξ),    F̂ = ξ/(2ηs) [f(z₊) − f(z₋)],    K̂ likewise with k,
    f = R₁κh₁/z = h₁/R₃,    k = −z d₁,

whose coefficients are contour integrals ∮ ξⁿ L̂ dξ/(2πiξ): n = 10¹⁵ costs what n = 10² costs. L̂ is
singular on [1 − 1/c, 1] only, as long as gK̂(1) < 1; beyond the critical step (`stability`) the pole
gK̂ = ξ lies at ξ* > 1, and the loss grows as ξ*ⁿ.

Momentum β adds the moments b = E[u p], d = E[p²] with the previous u to a = V: with r = 1 + β − ηx,

    a' = (r² + (c − 1)η²x²) a − 2βr b + β² d + g x² ℓ,      b' = r a − β b,      d' = a,

whose resolvent at ξ has the denominator ξ²η²A (x + z₊)(x + z₋): again two points are enough. With
ρ = β/ξ and e = (1 − ρ)(1 − βρ),

    A = (1 − ρ) + (c − 1)(1 + ρ),   E = (1 + β)(1 − ρ),   C = (ξ − 1) e,
    s = √(E² + AC),    ηz₊ = C/(E + s),    ηz₋ = −(E + s)/A,
    F̂ = ξ/(2ηs) [(e − 2ρηz₊) f(z₊) − (e − 2ρηz₋) f(z₋)],    K̂ = ξ(1 + ρ)/(2ηs) [k(z₊) − k(z₋)].

Its modes oscillate as long as |ξ| ≈ β to the power n is not small: so long ξ goes round a circle
of O(n) nodes, later ones do not see it.

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

from ..errors import PrecisionError
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

ROUNDING = 8e-16
SMALL, SURE = 1e-300, 1 - 1e-15  # an eigenvalue that is none, and the largest one below 1
ROUNDED, GRID = 1e-6, 1025  # angle of what turns; points of the spectrum at which it is sought
CLOSE = 0.1  # of the rounding error of ξ, per step on the circle
MOST_OSCILLATING = {False: 40_000, True: 400}  # steps on a circle, in float64 and in mpmath
HEIGHT = 1e-8  # relative to |z|, of what is real on the real axis: its square is lost


@dataclass(frozen=True)
class BatchNoise:
    """η, c and g of a rule, one number each or arrays that end in an axis for the nodes, and β."""

    step: Any
    curvature: Any
    strength: Any
    momentum: Any = 0

    @property
    def degrees(self) -> Any:
        """cη²/g, which Σ λ/(y−λ) is at the critical step without momentum."""
        gain, infinite = self.strength / self.step**2, np.asarray(self.strength == 0)
        return np.where(infinite, np.inf, self.curvature / np.where(infinite, 1, gain))[()]

    def multiplier(self, x: Any) -> Any:
        """q(x), without momentum."""
        return 1 - self.step * x * (2 - self.curvature * self.step * x)

    def frequencies(self, xi: Any, less_one: Any) -> tuple[Any, Any, Any]:
        """z₊, z₋ and s at ξ on a path; ``less_one`` is ξ − 1."""
        beta, ratio = self.momentum, self.momentum / xi
        own = (less_one + (1 - beta)) / xi
        lead = own + (self.curvature - 1) * (1 + ratio)
        middle, last = (1 + beta) * own, less_one * own * (1 - beta * ratio)
        root = _continued_root(middle * middle + lead * last)
        return last / (middle + root) / self.step, -(middle + root) / (lead * self.step), root

    def eigenvalues(self, x: np.ndarray) -> np.ndarray:
        """Those of the step of the moments (a, b, d) at real x *(n,)*, *(n, 3)*."""
        beta, reach = float(self.momentum), 1 + float(self.momentum) - float(self.step) * x
        step = np.zeros((*x.shape, 3, 3))
        noise = (float(self.curvature) - 1) * (float(self.step) * x) ** 2
        step[..., 0, 0], step[..., 0, 1] = reach**2 + noise, -2 * beta * reach
        step[..., 0, 2], step[..., 1, 0] = beta**2, reach
        step[..., 1, 1], step[..., 2, 0] = -beta, 1
        return np.linalg.eigvals(step)


def batch_noise(
    step: Any, batch: Any, samples: Any = math.inf, *, replacement: bool = True
) -> BatchNoise:
    """η, c and g of batches of ``batch`` out of ``samples``, drawn anew for every step.

    >>> batch_noise(0.5, 4)
    BatchNoise(step=0.5, curvature=1.25, strength=0.0625, momentum=0)
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
    spectrum: Spectrum, features: Any, samples: Any, z: np.ndarray, *, mp: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """f = R₁κh₁/z = h₁/R₃ and k = −zd₁, along a path z in the upper half-plane."""
    solution = (solve_along_exactly if mp else solve_along)(spectrum, features, samples, z)
    target = mode_sum(spectrum, solution.value, 1, target=True)
    return target / solution.feature_response, -z * solution.degrees


@dataclass(frozen=True)
class MeanLoss:
    """The mean excess loss of a rule on a model with label noise σ², by contours.

    Sizes may be arrays of one shape.
    """

    spectrum: Spectrum
    features: Any
    samples: Any
    batch: BatchNoise
    noise: Any
    mp: bool = False

    def __call__(
        self, times: np.ndarray, accuracy: Any, growth: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """(loss, rounding error) after positive numbers of steps, *(sizes…, times)*.

        ``growth`` is the `growth_factor` of a rule that diverges.
        """
        level = -float(mpmath.log(accuracy))
        many = level * max(1.0, -1 / math.log(self._oscillating()))
        lead = np.broadcast_shapes(np.shape(self.features), np.shape(self.samples))
        kind = object if self.mp else float
        out, errors = (np.empty((*lead, len(times)), dtype=kind) for _ in "12")
        few = np.array([t <= many for t in times], dtype=bool)
        for chosen in (few, ~few):
            positions = np.flatnonzero(chosen)
            for index in (positions[group] for group in windows(times[positions])):
                close: Any = 1.0
                if chosen is few:
                    self._check_nodes(float(times[index[-1]]), many)
                    contour = circle(int(times[index[-1]]), 1.0, accuracy, mp=self.mp)
                    close = self._closeness(times[index])
                else:
                    contour = window_hyperbola(times[index], accuracy, mp=self.mp)
                hat = self.generating_function(contour, growth)
                powers = np.multiply.outer(times[index], contour.nodes + math.log(growth))
                weights = contour.weights * exponential(powers)
                out[..., index] = real(2 * hat @ weights.T)
                errors[..., index] = ROUNDING * close * (abs(hat) @ abs(weights).T)
        return out, errors

    def _oscillating(self) -> float:
        """The largest modulus of eigenvalues of a step that turn, on the spectrum; ε if none."""
        if not self.batch.momentum:
            return SMALL
        edge = np.max([
            spectral_edge(self.spectrum, float(n), float(t))
            for n, t in np.nditer([np.asarray(x, float) for x in (self.features, self.samples)])
        ])  # fmt: skip
        found = self.batch.eigenvalues(float(edge) * np.linspace(0, 1, GRID) ** 2)
        turning = (np.abs(found.imag) > ROUNDED * np.abs(found)) | (found.real < 0)
        return min(max(float(self.batch.momentum), np.abs(found[turning]).max(initial=SMALL)), SURE)

    def _closeness(self, steps: np.ndarray) -> Any:
        """How much rounding ξ counts: modes that turn lie all along the circle, at 1/n from it."""
        return 1 + CLOSE * steps.astype(float) if self.batch.momentum else 1.0

    def _check_nodes(self, steps: float, many: float) -> None:
        """`PrecisionError` where the oscillations of so many steps are too many for a circle."""
        most = MOST_OSCILLATING[self.mp]
        if steps > most and self.batch.momentum:
            raise PrecisionError(
                f"with momentum {float(self.batch.momentum):g} the modes oscillate for "
                f"{many:.0f} steps, of which {most} at most are resolved, not {steps:.0f}: "
                f"fewer steps, or more than {many:.0f}"
            )

    def generating_function(self, contour: Contour, growth: float = 1.0) -> np.ndarray:
        """L̂(ξ) = Σ_n L_n ξ^{−n} at ξ = growth · e^s on a contour of s, *(sizes…, nodes)*."""
        xi = exponential(contour.nodes) * growth
        less_one = exponential_less_one(contour.nodes) if growth == 1 else xi - 1
        forcing, amplified = self._responses(xi, less_one)
        return (forcing + amplified * self.noise * xi / less_one) / (1 - amplified)

    def _responses(self, xi: np.ndarray, less_one: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F̂ and gK̂/ξ."""
        eta, beta = self.batch.step, self.batch.momentum
        upper, lower, root = self.batch.frequencies(xi, less_one)
        f, k = self._one_point(upper)
        f_minus, k_minus = self._beyond(np.conj(lower))  # in the upper half-plane
        both = 2 * eta * root
        ratio = beta / xi
        forced, coupled = (1 - ratio) * (1 - beta * ratio), 2 * ratio * eta
        forcing = (forced - coupled * upper) * f - (forced - coupled * lower) * np.conj(f_minus)
        kernel = self.batch.strength * (1 + ratio) * (k - np.conj(k_minus))
        return xi * forcing / both, kernel / both

    def _one_point(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return one_point_functions(self.spectrum, self.features, self.samples, z, mp=self.mp)

    def _beyond(self, z: np.ndarray) -> tuple[np.ndarray, ...]:
        """f and k at z₋, beyond the spectrum, where Im z may be too small to be resolved.

        They are real on the real axis there: at height ε they have the real part of the axis up to
        ε², and an imaginary part in proportion to the height.
        """
        if self.mp:
            return self._one_point(z)
        lift = HEIGHT * np.abs(z)
        low = (z.real < 0) & (z.imag < lift)
        found = self._one_point(np.where(low, z.real + 1j * lift, z))
        share = np.where(low, z.imag / lift, 1.0)
        return tuple(x.real + 1j * x.imag * share for x in found)


def _continued_root(square: np.ndarray) -> np.ndarray:
    """√ of what a path *(n,)* from near the positive axis passes, continuously along it.

    >>> _continued_root(np.exp(1j * np.array([0.1, 2.0, 4.0, 6.0]))).round(3)[-1]
    np.complex128(-0.99+0.141j)
    """
    exact = square.dtype == object
    root = np.frompyfunc(mpmath.sqrt, 1, 1)(square) if exact else np.sqrt(square)
    if not square.ndim:
        return root
    turned = real(root[1:] * np.conj(root[:-1])) < 0
    signs = np.cumprod(np.concatenate([[1], np.where(turned, -1, 1)]))
    return root * signs


def growth_factor(spectrum: Spectrum, features: float, samples: float, batch: BatchNoise) -> float:
    """ξ* > 1: the factor by which the loss grows per step above the critical step size.

    The root of gK̂(ξ) = ξ right of the spectrum, or the growth at λ_max if gK̂ < ξ throughout.

    >>> from solvable.analytic.spectrum import Flat
    >>> round(growth_factor(Flat(10), math.inf, math.inf, batch_noise(1.0, 5)), 12)
    2.2
    """
    from scipy.optimize import brentq

    largest = batch.eigenvalues(np.array(spectral_edge(spectrum, features, samples)))
    edge = max(1.0, float(np.abs(largest).max()))
    beta, twice_step = float(batch.momentum), 2 * float(batch.step)

    def excess(log_xi: float) -> float:
        xi = np.float64(math.exp(log_xi))
        z_plus, z_minus, root = batch.frequencies(xi, np.float64(math.expm1(log_xi)))
        right = solve(spectrum, features, samples, float(z_plus)).value
        d_plus = float(spectrum.resolvent_sum(right, 1, 1))
        _, d_minus = exterior_kappa(spectrum, features, samples, float(z_minus))
        gain = float(batch.strength) * (1 + beta / xi) / (twice_step * root)
        return float(gain * (z_minus * d_minus - z_plus * d_plus) - 1)

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
