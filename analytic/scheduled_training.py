r"""The exact mean loss of SGD under a schedule of rates, batches and momentum.

On the complex modes of the kernel (`complex_modes`) a step is, with c_n and g_n of the batch,

    y ← (1 + 2η_n z + c_n η_n² z²) y + g_n k ℓ_n,       ℓ_n = Re Σ y + σ²,

for the mean training loss, noise included, which is the test loss on fresh samples; on T samples
seen again and again the test loss is the sum of the pairs of modes,

    y' ← [(1 + η_n z)(1 + η_n z') + (c_n − 1)η_n² zz'] y' + g_n T N₀ ℓ_n,

N₀ the coefficient of σ²/(zz') in C₀. On fresh samples a mode may have a memory: with the momenta
β_n and r = 1 + β_n + η_n z its second moments a = E u_n², b = E u_n u_{n−1}, d = E u_{n−1}² obey

    a' = (r² + (c_n − 1)η_n² z²) a − 2β_n r b + β_n² d + g_n k ℓ_n,    b' = r a − β_n b,    d' = a,

and with weights that decay at the rate w, r = 1 + η_n(z − w), b = E u_n u_0, d = E u_0²,

    a' = (r² + (c_n − 1)η_n² z²) a + 2rη_n w b + η_n² w² d + g_n k ℓ_n,
    b' = r b + η_n w d,    d' = d.

All are solved piece by piece (`difference_equation`), in a time that grows with the logarithm of
the number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import arguments
from .complex_modes import complex_modes
from .contour import FLOAT_ANGLE
from .difference_equation import Modes, evolve
from .errors import InputError, PrecisionError
from .schedules import Schedule, flat, from_values
from .spectrum import Spectrum, as_spectrum
from .stochastic_gradient import BatchNoise, batch_noise

Array = np.ndarray

LONGEST = 2.0**53  # steps
INSIDE = 1.6  # share of the ellipse |μ| < 1 of momentum in which the contour stays


@dataclass(frozen=True)
class ScheduledLoss:
    """Losses at ``times``, arrays *(times,)*, and their absolute errors.

    ``excess_loss`` Σ λ_k E[v_k²]; ``train_loss`` the mean squared training residual with its noise;
    infinite after an overflow. ``exceeded`` is the first of the times at which the excess loss is
    above ``bound``, None if none is.

    Made by `scheduled_dynamics`, with its errors. Source: arXiv:2502.05074 for SGD at constant
    rate.

    >>> from solvable.analytic.spectrum import Flat
    >>> found = scheduled_dynamics(Flat(10), 20, math.inf, [0, 1], [0.5])
    >>> found.excess_loss.shape, found.exceeded
    ((2,), None)
    """

    times: Array
    excess_loss: Array
    train_loss: Array
    error_estimate: Array
    bound: float

    @property
    def exceeded(self) -> float | None:
        """The first of the times at which the excess loss is above the bound."""
        above = np.flatnonzero(self.excess_loss > self.bound)
        return float(self.times[above[0]]) if len(above) else None


def scheduled_dynamics(
    spectrum: Spectrum,
    features: float,
    samples: float,
    times: Any,
    rates: Schedule | Sequence[float] | Array,
    *,
    batch: float | Schedule | Sequence[float] | Array = 1,
    replacement: bool = False,
    momentum: float | Schedule | Sequence[float] | Array = 0.0,
    decay: float = 0.0,
    noise: float = 0.0,
    bound: float | None = None,
) -> ScheduledLoss:
    """Exact mean losses of SGD after ``times`` steps under a schedule of rates.

    Parameters
    ----------
    features, samples: N and T. Infinite samples are fresh ones (one pass); of finitely many each
        step draws a batch anew, with or without ``replacement``.
    rates: a `Schedule`, or one rate η_n ≥ 0 for each step.
    batch: samples in a batch; one number (``inf``: all), a schedule, or one number a step.
    momentum: β_n in [0, 1), like ``batch``. decay: the rate of weight decay; weights lose the
        fraction η_n decay in a step. One of the two, and on fresh samples only.
    noise: σ_ε². bound: of the excess loss, by default a thousand times its start.

    Result: arrays *(times,)* in float64. Raises `InputError` for rates, batches or momenta that
    are not allowed, or fewer of them than steps. Source: arXiv:2502.05074 at constant rate;
    dynamical paper, eq. (16).

    >>> from solvable.analytic.schedules import schedule
    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(exponent=1.25, target_exponent=1.5)
    >>> rates = schedule("cosine", 0.5, 10**6)
    >>> scheduled_dynamics(law, 100, math.inf, [10**6], rates, batch=8).excess_loss.round(6)
    array([0.529527])
    """
    rates = rates if callable(rates) else from_values(rates)
    batches = _one_a_step("batch", batch)
    momenta = _one_a_step("momentum", momentum)
    moments = _checked(features, samples, times, rates, batches, replacement)
    _check_memory(samples, momenta, float(arguments.nonnegative("decay", decay)))
    spectrum = as_spectrum(spectrum, numbers=True)
    hidden = float(spectrum.irreducible)  # acts on training as label noise does, and stays
    noise = float(arguments.nonnegative("noise", noise)) + hidden
    problem = _ScheduledProblem(
        spectrum, features, samples, rates, batches, replacement, noise, momenta, float(decay)
    )
    order = np.argsort(moments.ravel(), kind="stable")
    edges = sorted(
        edge for edge in {*rates.edges, *batches.edges, *momenta.edges} if edge < rates.last
    )
    pieces = list(zip([0, *edges], [*edges, rates.last]))
    train, test, error = evolve(problem.active(), problem.passive(), pieces, moments.ravel()[order])
    if samples == math.inf:
        train, test = train + noise, train
    start = float(spectrum.total_target_power())
    back = np.argsort(order, kind="stable")
    test, train = np.maximum(test, 0) + hidden, np.maximum(train, 0)
    test, train, error = (x[back].reshape(moments.shape)[()] for x in (test, train, error))
    limit = 1e3 * start if bound is None else float(arguments.positive("bound", bound))
    return ScheduledLoss(moments, test, train, error, limit)


def _one_a_step(name: str, value: Any) -> Schedule:
    """One number, one a step, or a schedule of them, as a schedule."""
    if callable(value):
        return value
    if np.ndim(value):
        return from_values(value, name)
    check = arguments.positive_or_infinite if name == "batch" else arguments.nonnegative
    return Schedule(name, (flat(0, 1, float(check(name, value))),))


def _check_memory(samples: float, momenta: Schedule, decay: float) -> None:
    largest = float(momenta.sampled().max())
    if not largest < 1:
        raise InputError("momentum", largest, "numbers in [0, 1)")
    if largest > 0 and decay > 0:
        raise InputError("decay", decay, "0 with momentum")
    if samples < math.inf and (largest > 0 or decay > 0):
        raise InputError("samples", samples, "inf with momentum or weight decay: fresh samples")


def _checked(
    features: Any, samples: Any, times: Any, rates: Schedule, batches: Schedule, replacement: bool
) -> Array:
    """The times; `InputError` for what is not allowed."""
    for name, size in (("features", features), ("samples", samples)):
        if np.ndim(arguments.positive_or_infinite(name, size)):
            raise InputError(name, size, "one number")
    moments = np.asarray(arguments.nonnegative("times", times), float)
    if np.any(moments != np.floor(moments)):
        raise InputError("times", times, "whole numbers of steps")
    if moments.max() > LONGEST:
        raise PrecisionError(f"float64 does not count {moments.max():.3g} steps, only to 2^53")
    if moments.max() > rates.last:
        raise InputError("times", moments.max(), f"at most {rates.last}, the steps of the schedule")
    if len(batches.pieces) > 1 and batches.last < moments.max():
        raise InputError(
            "batch", f"{batches.last} values", f"one for each of {moments.max()} steps"
        )
    sizes = batches.sampled()
    if not np.all(sizes >= 1):
        raise InputError("batch", sizes.min(), "at least one sample")
    if not replacement and np.any((sizes > samples) & (sizes < math.inf)):
        raise InputError("batch", sizes.max(), f"at most the {samples} samples")
    return moments


@dataclass
class _ScheduledProblem:
    """The modes of a model, and what a step does to them."""

    spectrum: Spectrum
    features: float
    samples: float
    rates: Schedule
    batches: Schedule
    replacement: bool
    noise: float
    momenta: Schedule
    decay: float

    def __post_init__(self) -> None:
        rate = self.rates.sampled().max()
        largest = rate * np.max(self.batch(self.batches.sampled()).curvature)
        beta = float(self.momenta.sampled().max())
        angle = FLOAT_ANGLE
        if beta:  # Im ηz on the contour is about 0.8 tan(π/2 − α), and |μ| < 1 up to 1 − β
            angle = max(angle, math.pi / 2 - math.atan(INSIDE * (1 - beta)))
        self.modes = complex_modes(
            self.spectrum, self.features, self.samples, self.rates.total() / (1 - beta),
            float(largest) / (1 + beta) or 1.0, angle=angle, paired=self.samples < math.inf,
        )  # fmt: skip

    def batch(self, size: Array, rate: Any = 1.0) -> BatchNoise:
        """c and g of batches; of all samples where the size is infinite."""
        whole = np.isinf(size)
        found = batch_noise(
            rate, np.where(whole, 1, size), self.samples, replacement=self.replacement
        )
        curvature = np.where(whole, 1.0, found.curvature)
        return BatchNoise(rate, curvature, np.where(whole, 0.0, found.strength))

    def at(self, n: Array) -> BatchNoise:
        """η, c and g of the steps n, or of the first one where all are equal."""
        if all(x.piece(n[0]).constant for x in (self.rates, self.batches, self.momenta)):
            n = n[:1]
        return self.batch(self.batches(n), self.rates(n))

    def active(self) -> Modes:
        """The modes of the training loss; of the excess loss, and σ² beside them, if T = ∞."""
        z, response = self.modes.z[:, None], self.modes.response[:, None]

        def coefficients(n: Array) -> tuple[Array, Array]:
            b = self.at(n)
            return -b.step * z * (2 + b.curvature * b.step * z), b.strength * response

        if np.any(self.momenta.sampled() > 0) or self.decay > 0:
            second = self.with_momentum if self.decay == 0 else self.with_decay
            values = np.repeat(self.modes.power[:, None], 3, axis=1)
            return Modes(values, second, self.noise)
        if self.samples == math.inf:
            return Modes(self.modes.power, coefficients, self.noise)
        return Modes(self.modes.power + self.noise * self.modes.noisy, coefficients)

    def with_momentum(self, n: Array) -> tuple[Array, Array]:
        """1 − M and source of the moments (a, b, d) of a mode with momentum."""
        b = self.at(n)
        beta = self.momenta(n)[: len(np.atleast_1d(b.step))]
        x = b.step * self.modes.z[:, None]
        r, one = 1 + beta + x, np.ones_like(x)
        squared = r**2 + (b.curvature - 1) * x**2
        rows = [
            [squared, -2 * beta * r, beta**2 * one], [r, -beta * one, 0 * one],
            [one, 0 * one, 0 * one],
        ]  # fmt: skip
        return self._moments(rows, b)

    def with_decay(self, n: Array) -> tuple[Array, Array]:
        """1 − M and source of the moments (a, b, d) of a mode with weight decay."""
        b = self.at(n)
        x, w = b.step * self.modes.z[:, None], b.step * self.decay
        r, one = 1 + x - w, np.ones_like(x)
        squared = r**2 + (b.curvature - 1) * x**2
        rows = [
            [squared, 2 * r * w, w**2 * one], [0 * one, r, w * one], [0 * one, 0 * one, one]
        ]  # fmt: skip
        return self._moments(rows, b)

    def _moments(self, rows: list[list[Array]], b: BatchNoise) -> tuple[Array, Array]:
        loss = np.eye(3) - np.moveaxis(np.array(rows), (0, 1), (2, 3))
        source = np.zeros((*loss.shape[:2], 3), dtype=complex)
        source[..., 0] = b.strength * self.modes.response[:, None]
        return loss, source

    def passive(self) -> Modes | None:
        """The pairs of modes of the test loss, if it is not the training loss."""
        if self.samples == math.inf:
            return None
        z, z_prime, power, response = self.modes.pairs(self.noise)
        total, product = (z + z_prime)[:, None], (z * z_prime)[:, None]
        response = self.samples * response[:, None]

        def coefficients(n: Array) -> tuple[Array, Array]:
            b = self.at(n)
            loss = -b.step * (total + b.curvature * b.step * product)
            return loss, b.strength * response

        return Modes(power, coefficients)
