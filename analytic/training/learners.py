r"""Training rules: one class each, for theory and for simulation.

A linear rule started from zero multiplies the component of the training residual along an
eigenvector of eigenvalue λ of the training kernel by its *filter* p_t(λ), p_0 = 1, and reaches
weights θ ∝ g_t(λ) φy with the *gain* g = (1 − p)/λ. Its loss is the two-point function seen
through the filter, in both frequencies:

    p_t(λ) = Σ_i w_i(t)/(z_i + λ)      ⇒      L(t) = Σ_ij w_i(t) w_j(t) C₀(z_i, z_j).

| rule | p_t(λ) | transform | z |
|---|---|---|---|
| ridge regression at t = z = γ/NT | z/(λ + z) | itself | z |
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

Stochastic gradient descent is no filter, but its mean loss is a quotient of generating functions:
see `stochastic_gradient`, and `stochastic_rules` for the rules.

Source: dynamical paper, eqs. (11), (136), (139)–(141).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import mpmath
import numpy as np

from .. import arguments
from ..errors import PrecisionError
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
from .convolution import Circle
from .stability import spectral_edge
from .stochastic_rules import MinibatchSGD, OnePassSGD
from .training_rule import Filter, Quadrature, about, below_one, finite

__all__ = [
    "GradientDescent", "GradientFlow", "HeavyBall", "MinibatchSGD", "OnePassSGD",
    "PreconditionedDescent", "RidgeRegression",
]  # fmt: skip

MOST_OSCILLATING = {False: 20_000, True: 200}  # steps on a circle, in float64 and in mpmath
MARGIN = 1.1  # distance that a contour of few steps keeps from the circle √β, as a factor


@dataclass(frozen=True)
class RidgeRegression(Filter):
    """Ridge regression, θ = φ(φᵀφ + γ)^{-1}y, scored at ridges z = γ/(σ_u² N T); 0 is ridgeless.

    Losses are those of `static_loss`. Raises `InputError` for a negative ridge. Source: solvable-
    model paper, whose loss without ridge is eq. (163).

    >>> RidgeRegression().gain([0.0, 0.5], np.array([[0.0], [0.5]]))
    array([[0., 2.],
           [2., 1.]])
    """

    rule = "ridge"
    scored = "ridge"

    def gain(self, eigenvalue: Any, times: Any) -> np.ndarray:
        """1/(λ + z); the null space is left alone, where λ + z has no finite inverse."""
        total = np.asarray(eigenvalue, float) + np.asarray(times, float)
        tiny = np.finfo(float).tiny
        return np.divide(1.0, total, out=np.zeros_like(total), where=total >= tiny)

    def quadratures(
        self, times: np.ndarray, accuracy: Any, critical: float, *, mp: bool = False
    ) -> list[Quadrature]:
        """p is z times the resolvent at z: one real node, counted twice."""
        return [
            Quadrature(np.array([i]), (times[[i]],), times[[i]][:, None] / 2)
            for i in range(len(times))
        ]


@dataclass(frozen=True)
class GradientFlow(Filter):
    """v̇ = −Kv; with weight decay g the weights also decay at rate g.

    As t → ∞ this is ridge regression with the unnormalised ridge γ = g N T (σ_u = 1).

    ``decay`` g ≥ 0, in units of the eigenvalues; K = φᵀφ/(σ_u²NT). Raises `InputError` for a
    negative one. Source: dynamical paper, eq. (9).

    >>> float(GradientFlow(decay=1.0).residual(1.0, 0.0))
    1.0
    """

    decay: Any = field(
        default=0, metadata=about(arguments.nonnegative, "rate γ/(NT) of weight decay")
    )
    rule = "flow"
    scored = "time"
    example = (0.02,)

    def gain(self, eigenvalue: Any, times: Any) -> np.ndarray:
        """(1 − e^{−(λ+g)t})/(λ+g), and its limit t at λ + g = 0."""
        rate, time = np.broadcast_arrays(np.asarray(eigenvalue, float) + float(self.decay), times)
        return np.divide(-np.expm1(-rate * time), rate, out=time.astype(float), where=rate > 0)

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
class GradientDescent(Filter):
    """Gradient descent v_{n+1} = v_n − ηKv_n.

    ``step`` η > 0, in units of 1/λ. It diverges in the mean above `critical_step` = 2/λ_max.
    Raises `InputError` for η ≤ 0. Source: dynamical paper, eq. (136).

    >>> GradientDescent(step=0.5).residual(1.0, [0, 1, 2])
    array([1.  , 0.5 , 0.25])
    """

    step: Any = field(metadata=about(arguments.positive, "step size η"))
    momentum = 0
    rule = "gd"
    scored = "step"
    example: ClassVar[tuple[float, ...]] = (0.3,)

    def gain(self, eigenvalue: Any, times: Any) -> np.ndarray:
        """(1 − (1 − ηλ)^n)/λ, and its limit nη at λ = 0."""
        rate, steps = np.broadcast_arrays(np.asarray(eigenvalue, float), times)
        shrink = float(self.step) * rate
        slow = np.where(shrink < 0.5, shrink, 0.0)
        with np.errstate(over="ignore"):
            left = np.where(
                shrink < 0.5, np.expm1(steps * np.log1p(-slow)), (1 - shrink) ** steps - 1
            )
        return np.divide(-left, rate, out=steps * float(self.step), where=rate > 0)

    def critical_step(self, spectrum: Spectrum, features: float, samples: float) -> float:
        """η = 2(1 + β)/λ_max: there μ = −1 at the largest eigenvalue of the random matrix."""
        return 2 * (1 + float(self.momentum)) / spectral_edge(spectrum, features, samples)

    def growth(self, critical: float) -> float:
        """The largest |μ| on the negative axis: below 1 unless the rule diverges.

        μ + β/μ = 1 + β − ηλ_max; 0 if the spectrum does not reach the negative axis outside √β.
        """
        beta = float(self.momentum)
        half = (1 + beta) * (0.5 - float(self.step) / critical)
        return -half + math.sqrt(half**2 - beta) if half < -math.sqrt(beta) else 0.0

    def growth_rate(
        self, spectrum: Spectrum, features: float, samples: float, critical: float
    ) -> float:
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
            self._check_oscillations(float(times[index[-1]]), few, mp)
            contour = circle(int(times[index[-1]]), max(1.0, growth), accuracy, mp=mp)
            rule = self._assemble(index, [self._piece(contour, times[index], mp)])
            radius = exponential(real(contour.nodes[:1]))[0]
            shape = Circle(radius, _number(self.step, mp), _number(self.momentum, mp))
            out.append(replace(rule, circle=shape))
        for index in _groups(times, ~chosen):
            contour = window_hyperbola(times[index], accuracy, mp=mp)
            pieces = [self._piece(contour, times[index], mp)]
            if growth > 0:
                mirror = Contour(np.conj(contour.nodes), np.conj(contour.weights))
                pieces.append(self._piece(mirror, times[index], mp, -max(1.0, growth)))
            out.append(self._assemble(index, pieces))
        return out

    def _check_oscillations(self, steps: float, few: float, mp: bool) -> None:
        """`PrecisionError` where so many steps need too many nodes on the circle."""
        most = MOST_OSCILLATING[mp]
        if self.momentum > 0 and steps > most:
            raise PrecisionError(
                f"with momentum {float(self.momentum):g} the modes oscillate for {few:.0f} steps, "
                f"of which {most} at most are resolved, not {steps:.0f}: fewer steps, or more "
                f"than {few:.0f}"
            )

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


@dataclass(frozen=True)
class PreconditionedDescent(GradientDescent):
    """Gradient descent whose features of mode J are scaled by λ_J^{s/2}: eigenvalues λ^{1+s}.

    s = −1 whitens the modes, −1 < s < 0 lets slow modes learn faster.
    """

    preconditioner: Any = field(
        default=-0.5, metadata=about(finite, "exponent s of the preconditioner λ^s")
    )
    rule = "preconditioned"
    example = (0.2, -0.4)


@dataclass(frozen=True)
class HeavyBall(GradientDescent):
    """v_{n+1} = v_n − ηKv_n + β(v_n − v_{n−1}) from rest.

    ``step`` η > 0, ``momentum`` β in [0, 1); it diverges above η = 2(1 + β)/λ_max. Raises
    `InputError` for others. Source: dynamical paper, eqs. (137), (141).

    >>> HeavyBall(step=0.5, momentum=0.5).residual(1.0, [0, 1, 2])
    array([1. , 0.5, 0. ])
    """

    momentum: Any = field(default=0, metadata=about(below_one, "momentum β in [0, 1)"))
    rule = "momentum"
    example = (0.2, 0.6)

    def gain(self, eigenvalue: Any, times: Any) -> np.ndarray:
        """g_{n+1} = g_n + β(g_n − g_{n−1}) + η(1 − λg_n), run to the last of ``times``."""
        rate, steps = np.asarray(eigenvalue, float), np.asarray(times)
        before = now = np.zeros(rate.shape)
        out = np.zeros(np.broadcast_shapes(rate.shape, steps.shape))
        wanted = set(steps.ravel().tolist())
        for n in range(1, int(np.max(steps)) + 1):
            push = float(self.step) * (1 - rate * now)
            before, now = now, now + float(self.momentum) * (now - before) + push
            if n in wanted:
                out = np.where(steps == n, now, out)
        return out


def _groups(times: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
    """Windows among the chosen times, as indices of all times, ascending in time."""
    positions = np.flatnonzero(chosen)
    return [positions[group] for group in windows(times[positions])]


def _number(value: Any, mp: bool) -> Any:
    return mpmath.mpmathify(value) if mp else float(value)
