"""Ridgeless loss against N and T: power law, plateau, pole; the exponent is that of the spectrum.

With m = min(N, T) < M and D₁(Δ) = m the loss is (σ_w²/2M) mΔ/(1 − min/max), and
mΔ → [(π/(1+α))/sin(π/(1+α))]^{1+α} m^{-α} as M → ∞: a power law in the smaller of N and T,
until the larger one takes over at a plateau. Source: solvable-model paper, eq. (163).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .experiment import (
    Axes,
    Budget,
    Experiment,
    Fact,
    Guide,
    Measured,
    Parameters,
    Plan,
    below,
    near,
)
from .static import (
    LOSS_AXES_N,
    LOSS_AXES_T,
    line_grid,
    power_law,
    ridge_series,
    theory,
)

TAIL = 1e6  # N (or T) that stands for infinity on the plateau


def plateau(alpha: float, bottleneck: float, size: int) -> float:
    """½ [(π/(1+α))/sin(π/(1+α))]^{1+α} m^{-α}/M: the plateau of an infinite power law."""
    angle = math.pi / (1 + alpha)
    return (angle / math.sin(angle)) ** (1 + alpha) * bottleneck**-alpha / (2 * size)


def _against(p: Parameters, swap: bool) -> Plan:
    spectrum, fixed, free = power_law(p.alpha, p.M), p.N, p.T
    if swap:
        fixed, free = free, fixed
    cells: list = []
    series = []
    for m in fixed:
        x = line_grid(min(free) / 2, max(free) * 1.1, [m])
        sizes = [(v, v, m) if swap else (v, m, v) for v in free]
        ones = np.full_like(x, m)
        line = (x, x, ones) if swap else (x, ones, x)
        name = "T" if swap else "N"
        series.append(ridge_series(f"{name} = {m}", spectrum, sizes, cells, line=line))
    guides = [
        Guide(
            "curve",
            "plateau $k m^{-\\alpha}$" if m == fixed[0] else "",
            np.array([m * 2.0, max(free) * 1.1]),
            np.full(2, plateau(p.alpha, m, p.M)),
        )
        for m in fixed
    ]

    def facts(measured: Mapping[str, Measured]) -> list[Fact]:
        """Plateau and power law on the infinite power law, and duality."""
        m = min(fixed)
        found = [
            near(
                f"plateau relative to k m^(-α), m = {m}",
                float(theory(spectrum, TAIL * m, m)) / plateau(p.alpha, m, p.M),
                1,
                4 * m / p.M + 1 / m,
            )
        ]
        n, t = np.array(fixed, float), 3.0 * np.array(fixed)
        gap = np.abs(theory(spectrum, n, t) / theory(spectrum, t, n) - 1).max()
        found.append(below("duality: largest |L(N,T)/L(T,N) − 1|", float(gap), 1e-9))
        return found

    return Plan(cells, tuple(series), facts, tuple(guides))


def _against_samples(p: Parameters) -> Plan:
    return _against(p, swap=False)


def _against_features(p: Parameters) -> Plan:
    return _against(p, swap=True)


RIDGELESS_SAMPLES = Experiment(
    name="ridgeless-against-samples",
    title="Ridgeless loss against the training set size",
    source="solvable-model paper, eq. (163) and the figures of its section 3",
    claim="For T < N the loss falls as T^-α; for T > N it reaches a plateau set by N; "
    "between them stands a pole at N = T.",
    sizes={"M": 6000, "N": (100, 400, 1600), "T": (50, 150, 250, 600, 1000, 2500, 5000)},
    constants={"alpha": 1.0},
    axes=LOSS_AXES_T,
    build=_against_samples,
    quick=Budget(0.125, 12, {"N": (200, 800), "T": (160, 400, 600, 1400, 2400)}, 0.1),
    thorough=Budget(1.0, 32),
)

RIDGELESS_FEATURES = Experiment(
    name="ridgeless-against-features",
    title="Ridgeless loss against the number of features",
    source="solvable-model paper, eq. (163) and the figures of its section 3",
    claim="N and T are dual: the loss at (N, T) is the loss at (T, N), with its power law in N, "
    "its pole at N = T and its plateau set by T.",
    sizes={"M": 6000, "T": (100, 400, 1600), "N": (50, 150, 250, 600, 1000, 2500, 5000)},
    constants=RIDGELESS_SAMPLES.constants,
    axes=LOSS_AXES_N,
    build=_against_features,
    quick=Budget(0.125, 12, {"T": (200, 800), "N": (160, 400, 600, 1400, 2400)}, 0.1),
    thorough=Budget(1.0, 32),
)


def _exponents(p: Parameters) -> Plan:
    cells: list = []
    series = []
    x = line_grid(min(p.T) / 2, max(p.T) * 1.1, [p.N])
    for alpha in p.alpha:
        spectrum = power_law(alpha, p.M)
        sizes = [(t, p.N, t) for t in p.T]
        line = (x, np.full_like(x, p.N), x)
        series.append(ridge_series(f"α = {alpha:g}", spectrum, sizes, cells, line=line))

    def facts(measured: Mapping[str, Measured]) -> list[Fact]:
        """Local slope of the theory at infinite M and N, between T = 10⁴ and 2·10⁴."""
        from solvable.analytic.loss import static_loss
        from solvable.analytic.spectrum import PowerLaw

        found = []
        for alpha in p.alpha:
            low, high = (static_loss(PowerLaw(alpha), math.inf, t).excess_loss for t in (1e4, 2e4))
            slope = math.log2(float(high / low))
            found.append(near(f"slope in T at N = M = ∞, α = {alpha:g}", slope, -alpha, 1e-3))
        return found

    return Plan(cells, tuple(series), facts)


RIDGELESS_EXPONENTS = Experiment(
    name="ridgeless-exponents",
    title="The exponent of the loss is inherited from the spectrum",
    source="solvable-model paper, eqs. (23) and (163)",
    claim="A spectrum λ_J ∝ J^-(1+α) gives a loss ∝ T^-α until T reaches N.",
    sizes={"M": 6000, "N": 1000, "T": (60, 150, 300, 600, 2000, 5000)},
    constants={"alpha": (0.5, 1.0, 2.0)},
    axes=Axes("training set size T", "test loss"),
    build=_exponents,
    quick=Budget(0.125, 10, {"N": 800, "T": (160, 240, 400, 1600, 2400)}, 0.12),
    thorough=Budget(1.0, 32),
)

EXPERIMENTS = (RIDGELESS_SAMPLES, RIDGELESS_FEATURES, RIDGELESS_EXPONENTS)
