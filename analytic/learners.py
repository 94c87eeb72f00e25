r"""Training rules as filters of the eigenvalue, and their contours.

A linear rule started from zero multiplies the component of the training residual along an
eigenvector of eigenvalue λ of the training kernel by p_t(λ), p_0 = 1. Its loss is the
two-point function seen through the filter, in both frequencies:

    p_t(λ) = Σ_i w_i(t)/(z_i + λ)      ⇒      L(t) = Σ_ij w_i(t) w_j(t) C₀(z_i, z_j).

| rule | p_t(λ) | transform | z |
|---|---|---|---|
| gradient flow, v̇ = −Kv | e^{−λt} | ∫ e^{−st} p_t dt = 1/(z+λ) | s |
| with weight decay g, v̇ = −Kv + g(w − v) | (g + λ e^{−(λ+g)t})/(λ+g) | (z/s)/(z+λ) | s + g |
| gradient descent, v_{n+1} = v_n − ηKv_n | (1 − ηλ)ⁿ | Σ μ^{−n} p_n = (μ/η)/(z+λ) | (μ − 1)/η |
| heavy ball, … + β(v_n − v_{n−1}) | two-term recursion | ((μ − β)/η)/(z+λ) | (μ − 1)(1 − β/μ)/η |

Weight decay pulls the weights, not the residual, to zero: u̇ = b − (G + g)u for weights u, so the
residual tends to the ridge solution g/(λ+g), an affine function of the resolvent, and g is the
ridge γ/(NT) of equation (1). Heavy ball starts from rest, v_{−1} = v_0; from
μP − μ = (1 + β − ηλ)P − β(P/μ + 1) follows P = (μ − β)/(η(z+λ)); its spectrum is the circle
|μ| = √β with the real segments [β, 1] and their mirror images, so the contour stays outside √β,
and up to n ≈ 76/|ln β| steps it is a circle of O(n) nodes (`convolution`).

One-pass SGD sees fresh data (T = ∞) and is no filter, but its loss solves a Volterra equation:
see `volterra`.

Source: dynamical paper, eqs. (11), (136), (139)–(141).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np

from . import arguments
from .contour import (
    Contour,
    circle,
    exponential,
    exponential_less_one,
    window_hyperbola,
    windows,
)
from .convolution import Circle
from .errors import InputError
from .spectrum import Spectrum
from .stability import critical_sgd_step, spectral_edge

MARGIN = 1.1  # distance that a contour of few steps keeps from the circle √β, as a factor


@dataclass(frozen=True)
class Quadrature:
    """p_t(λ) = 2 Re Σ_i w_i(t)/(z_i + λ) for the times with the given indices.

    ``index`` *(k,)*; ``paths``, the nodes z in the upper half-plane as one or more paths along
    which neighbours are close, n nodes in all; ``weights`` *(k, n)*; ``circle``, if the contour
    is one.
    """

    index: np.ndarray
    paths: tuple[np.ndarray, ...]
    weights: np.ndarray
    circle: Circle | None = None

    @property
    def z(self) -> np.ndarray:
        """All nodes, *(n,)*."""
        return np.concatenate(self.paths)


class TrainingRule:
    """What all rules have in common; ``discrete`` rules count time in steps."""

    name: str
    discrete = False

    def check_times(self, times: Sequence[Any]) -> None:
        """`InputError` unless all times are allowed: a discrete rule takes whole steps."""
        for time in times if self.discrete else ():
            if time != int(time):
                raise InputError("times", time, "whole numbers of steps")

    def critical_step(self, spectrum: Spectrum, features: float, samples: float) -> float:
        """The step size above which the rule diverges."""
        return math.inf


class Learner(TrainingRule, ABC):
    """A rule that is a filter: what it leaves of an error along an eigenvalue, and its contours."""

    @abstractmethod
    def residual(self, eigenvalue: Any, times: Any) -> Any:
        """p_t(λ), broadcasting in float64."""

    @abstractmethod
    def quadratures(
        self, times: np.ndarray, accuracy: Any, critical: float, *, mp: bool = False
    ) -> list[Quadrature]:
        """Contours for all positive ``times``; ``critical`` is the critical step size."""


@dataclass(frozen=True)
class GradientFlow(Learner):
    """v̇ = −Kv; with weight decay g the weights also decay at rate g.

    As t → ∞ this is ridge regression with the unnormalised ridge γ = g N T (σ_u = 1).

    >>> float(GradientFlow(decay=1.0).residual(1.0, 0.0))
    1.0
    """

    decay: Any = 0
    name = "flow"

    def __post_init__(self) -> None:
        arguments.nonnegative("decay", self.decay)

    def residual(self, eigenvalue: Any, times: Any) -> Any:
        """(g + λ e^{−(λ+g)t})/(λ+g)."""
        rate = np.asarray(eigenvalue, float) + float(self.decay)
        decayed = np.exp(-rate * times)
        kept = np.divide(self.decay, rate, out=np.zeros_like(rate), where=rate > 0)
        return kept + (1 - kept) * decayed

    def quadratures(
        self, times: np.ndarray, accuracy: Any, critical: float, *, mp: bool = False
    ) -> list[Quadrature]:
        """Laplace contours: the pole of the ridge solution is at s = 0, the spectrum left of it."""
        out = []
        decay = _number(self.decay, mp)
        for index in windows(times):
            contour = window_hyperbola(times[index], accuracy, mp=mp)
            s = contour.nodes
            factor = contour.weights * (s + decay) / s
            weights = factor * exponential(np.multiply.outer(times[index], s))
            out.append(Quadrature(index, (s + decay,), weights))
        return out


@dataclass(frozen=True)
class HeavyBall(Learner):
    """v_{n+1} = v_n − ηKv_n + β(v_n − v_{n−1}) from rest; gradient descent is β = 0.

    >>> HeavyBall(step=0.5, momentum=0.5).residual(1.0, [0, 1, 2])
    array([1. , 0.5, 0. ])
    """

    step: Any
    momentum: Any = 0
    name = "momentum"
    discrete = True

    def __post_init__(self) -> None:
        arguments.positive("step", self.step)
        beta = arguments.nonnegative("momentum", self.momentum)
        if not beta < 1:
            raise InputError("momentum", beta, "a number in [0, 1)")

    def critical_step(self, spectrum: Spectrum, features: float, samples: float) -> float:
        """η = 2(1 + β)/λ_max: there μ = −1 at the largest eigenvalue of the random matrix."""
        return 2 * (1 + float(self.momentum)) / spectral_edge(spectrum, features, samples)

    def residual(self, eigenvalue: Any, times: Any) -> Any:
        """The two-term recursion, run to the last of ``times``."""
        eigenvalue, times = np.broadcast_arrays(np.asarray(eigenvalue, float), times)
        beta, before, now = float(self.momentum), np.ones(times.shape), np.ones(times.shape)
        out = now.copy()
        for n in range(1, int(np.max(times)) + 1):
            step = -float(self.step) * eigenvalue * now + beta * (now - before)
            before, now = now, now + step
            out = np.where(times == n, now, out)
        return out

    def growth(self, critical: float) -> float:
        """The largest |μ| on the negative axis: below 1 unless the rule diverges.

        μ + β/μ = 1 + β − ηλ_max; 0 if the spectrum does not reach the negative axis outside √β.
        """
        beta = float(self.momentum)
        half = (1 + beta) * (0.5 - float(self.step) / critical)
        return -half + math.sqrt(half**2 - beta) if half < -math.sqrt(beta) else 0.0

    def growth_rate(self, spectrum: Spectrum, features: float, critical: float) -> float:
        """The rate at which the logarithm of the loss grows per step, if it does."""
        return 2 * math.log(max(1.0, self.growth(critical)))

    def quadratures(
        self, times: np.ndarray, accuracy: Any, critical: float, *, mp: bool = False
    ) -> list[Quadrature]:
        """Circles for few steps; for many, hyperbolas in ln μ and, if 1 − ηλ < 0, in ln(−μ)."""
        level = -float(mpmath.log(accuracy))
        few = level
        if self.momentum > 0:
            few = max(few, -2 * MARGIN * level / math.log(float(self.momentum)))
        growth = self.growth(critical)
        chosen = np.array([t <= few for t in times], dtype=bool)
        out = []
        for index in _groups(times, chosen):
            contour = circle(int(times[index[-1]]), max(1.0, growth), accuracy, mp=mp)
            rule = self._assemble(index, [self._piece(contour, times[index], mp)])
            radius = math.exp(float(mpmath.re(contour.nodes[0])))
            shape = Circle(radius, float(self.step), float(self.momentum))
            out.append(replace(rule, circle=shape))
        for index in _groups(times, ~chosen):
            contour = window_hyperbola(times[index], accuracy, mp=mp)
            pieces = [self._piece(contour, times[index], mp)]
            if growth > 0:
                mirror = Contour(np.conj(contour.nodes), np.conj(contour.weights))
                pieces.append(self._piece(mirror, times[index], mp, -max(1.0, growth)))
            out.append(self._assemble(index, pieces))
        return out

    def _piece(
        self, contour: Contour, steps: np.ndarray, mp: bool, centre: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """z and weights on the contour μ = centre · e^s, ``centre`` = 1 or ≤ −1."""
        eta, beta = _number(self.step, mp), _number(self.momentum, mp)
        mu = centre * exponential(contour.nodes)
        less_one = mu - 1 if centre < 0 else exponential_less_one(contour.nodes)
        power = exponential(np.multiply.outer(steps, contour.nodes))
        if centre < 0:
            sign = np.array([(-1.0) ** int(n % 2) for n in steps])
            with np.errstate(over="ignore"):
                power = (sign * np.array([float(-centre)]) ** steps)[:, None] * power
        return less_one * (1 - beta / mu) / eta, contour.weights * (mu - beta) / eta * power

    @staticmethod
    def _assemble(index: np.ndarray, pieces: list[tuple[np.ndarray, np.ndarray]]) -> Quadrature:
        paths, weights = zip(*pieces)
        return Quadrature(index, paths, np.concatenate(weights, axis=1))


def gradient_descent(step: Any) -> HeavyBall:
    """Gradient descent v_{n+1} = v_n − ηKv_n: heavy ball without momentum."""
    return HeavyBall(step, 0)


@dataclass(frozen=True)
class OnePassSGD(TrainingRule):
    """v_{n+1} = v_n − η × gradient on ``batch`` fresh samples: no filter, see `volterra`."""

    step: Any
    batch: Any = 1
    name = "sgd"
    discrete = True

    def __post_init__(self) -> None:
        arguments.positive("step", self.step)
        arguments.positive("batch", self.batch)

    def critical_step(self, spectrum: Spectrum, features: float, samples: float) -> float:
        """The step size above which the noise of the gradients amplifies itself."""
        return critical_sgd_step(spectrum, features, float(self.batch))

    def growth_rate(self, spectrum: Spectrum, features: float, critical: float) -> float:
        """The rate at which the logarithm of the loss grows per step, if it does."""
        from .volterra import growth_factor

        return math.log(growth_factor(spectrum, features, self))


def _groups(times: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
    """Windows among the chosen times, as indices of all times, ascending in time."""
    positions = np.flatnonzero(chosen)
    return [positions[group] for group in windows(times[positions])]


def _number(value: Any, mp: bool) -> Any:
    return mpmath.mpmathify(value) if mp else float(value)
