"""Ridgeless loss against N and T: power law, plateau, pole; the exponent is that of the spectrum.

With m = min(N, T) < M and D₁(Δ) = m the loss is (σ_w²/2M) mΔ/(1 − min/max), and
mΔ → [(π/(1+α))/sin(π/(1+α))]^{1+α} m^{-α} as M → ∞: a power law in the smaller of N and T,
until the larger one takes over at a plateau. Source: solvable-model paper, eq. (163).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from solvable.analytic.loss import static_loss
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import PowerLaw

from .building_blocks import LOSS_AXES_N, LOSS_AXES_T, line_grid, power_law, ridge_curve, static
from .experiment import (
    Axes,
    Budget,
    Build,
    Experiment,
    Guide,
    Items,
    Parameters,
    experiment,
)
from .facts import Fact, below, near

TAIL = 1e6  # N (or T) that stands for infinity on the plateau


def plateau(alpha: float, bottleneck: float, size: int) -> float:
    """½ [(π/(1+α))/sin(π/(1+α))]^{1+α} m^{-α}/M: the plateau of an infinite power law."""
    angle = math.pi / (1 + alpha)
    return (angle / math.sin(angle)) ** (1 + alpha) * bottleneck**-alpha / (2 * size)


def _against(p: Parameters, swap: bool) -> Items:
    """One curve for each N against T, or with ``swap`` for each T against N."""
    spectrum, fixed, free = power_law(p.alpha, p.M), p.N, p.T
    if swap:
        fixed, free = free, fixed
    for m in fixed:
        x = line_grid(min(free) / 2, max(free) * 1.1, [m])
        points, ones = [(v, v, m) if swap else (v, m, v) for v in free], np.full_like(x, m)
        line = (x, x, ones) if swap else (x, ones, x)
        yield ridge_curve(f"{'T' if swap else 'N'} = {m}", spectrum, points, line)
        label = "plateau $k m^{-\\alpha}$" if m == fixed[0] else ""
        ends = np.array([m * 2.0, max(free) * 1.1])
        yield Guide("curve", label, ends, np.full(2, plateau(p.alpha, m, p.M)))
    m, n, t = min(fixed), np.array(fixed, float), 3.0 * np.array(fixed)
    yield near(
        f"plateau relative to k m^(-α), m = {m}",
        lambda: static(spectrum, TAIL * m, m) / plateau(p.alpha, m, p.M),
        1,
        4 * m / p.M + 1 / m,
    )
    yield below(
        "duality: largest |L(N,T)/L(T,N) − 1|",
        lambda: np.abs(static(spectrum, n, t) / static(spectrum, t, n) - 1).max(),
        1e-9,
    )


FIXED, FREE = (100, 400, 1600), (50, 150, 250, 600, 1000, 2500, 5000)
QUICK_FIXED, QUICK_FREE = (200, 800), (160, 400, 600, 1400, 2400)


def _ridgeless(fixed: str, free: str, title: str, axes: Axes) -> Callable[[Build], Experiment]:
    """The loss against one size, for some values of the other; the claim is the docstring."""
    return lambda build: experiment(
        title=f"Ridgeless loss against the {title}", claim=" ".join((build.__doc__ or "").split()),
        source="solvable-model paper, eq. (163) and the figures of its section 3", axes=axes,
        sizes={"M": 6000, fixed: FIXED, free: FREE}, constants={"alpha": 1.0},
        quick=Budget(0.125, 12, {fixed: QUICK_FIXED, free: QUICK_FREE}, 0.1),
        thorough=Budget(1.0, 32),
    )(build)  # fmt: skip


@_ridgeless("N", "T", "training set size", LOSS_AXES_T)
def ridgeless_against_samples(p: Parameters) -> Items:
    """For T < N the loss falls as T^-α; for T > N it reaches a plateau set by N; between them
    stands a pole at N = T."""
    return _against(p, swap=False)


@_ridgeless("T", "N", "number of features", LOSS_AXES_N)
def ridgeless_against_features(p: Parameters) -> Items:
    """N and T are dual: the loss at (N, T) is the loss at (T, N), with its power law in N, its
    pole at N = T and its plateau set by T."""
    return _against(p, swap=True)


@experiment(
    title="The exponent of the loss is inherited from the spectrum",
    source="solvable-model paper, eqs. (23) and (163)",
    claim="A spectrum λ_J ∝ J^-(1+α) gives a loss ∝ T^-α until T reaches N.",
    sizes={"M": 6000, "N": 1000, "T": (60, 150, 300, 600, 2000, 5000)},
    constants={"alpha": (0.5, 1.0, 2.0)}, axes=Axes("training set size T", "test loss"),
    quick=Budget(0.125, 10, {"N": 800, "T": (160, 240, 400, 1600, 2400)}, 0.12),
    thorough=Budget(1.0, 32),
)  # fmt: skip
def ridgeless_exponents(p: Parameters) -> Items:
    """Local slope of the theory at infinite M and N, between T = 10⁴ and 2·10⁴."""
    x = line_grid(min(p.T) / 2, max(p.T) * 1.1, [p.N])
    points, line = [(t, p.N, t) for t in p.T], (x, np.full_like(x, p.N), x)

    def slope(alpha: float) -> Fact:
        t = np.array([1e4, 2e4])
        name = f"slope in T at N = M = ∞, α = {alpha:g}"
        return near(
            name,
            lambda: log_slope(t, static_loss(PowerLaw(alpha), math.inf, t).excess_loss),
            -alpha,
            1e-3,
        )

    for alpha in p.alpha:
        yield ridge_curve(f"α = {alpha:g}", power_law(alpha, p.M), points, line)
        yield slope(alpha)
