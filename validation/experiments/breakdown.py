"""How the scaling law ends when N or T reaches the size M of the latent space.

Without noise κ → 0 as min(N, T) → M: the loss vanishes there and stays zero beyond. The form of
the talk, (1/T − 1/M)^α/(1 − T/N), has the right place and the right pole and is a fit.
With noise the loss beyond M is (σ_ε²/2) M/(T − M) for the noise of the paper's normalisation,
whatever the spectrum: a 1/T fall-off that has nothing to do with α.
Source: solvable-model paper, section 4.1, figures 9 and 10, eqs. (163), (186), (188); the talk.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from solvable.analytic.slopes import log_slope

from .building_blocks import LOSS_AXES_T, line_grid, power_law, ridge_curve, ridge_curves, static
from .experiment import Array, Budget, Guide, Items, Parameters, experiment
from .facts import below, near


def talk_form(alpha: float, n: float, t: Array, size: int) -> Array:
    """(1/T − 1/M)^α/(1 − T/N) for T < N, T < M, up to its constant."""
    return (1 / t - 1 / size) ** alpha / (1 - t / n)


def _rounding(alpha: float, size: int) -> float:
    """Relative size of a loss that is zero in theory: roundoff times λ₁/λ_M, with a margin."""
    return float(1e5 * np.finfo(float).eps * size ** (1 + alpha))


@experiment(
    title="Breakdown of the scaling law at the size of the latent space",
    source="solvable-model paper, figure 9 (left), eq. (163); talk, slide 24",
    claim="Without noise the ridgeless loss drops to zero at T = M, linearly, and is zero beyond; "
    "the form of the talk (dashed, matched at small T) is a fit.",
    sizes={"M": 1000, "N": 2000, "T": (50, 100, 200, 400, 600, 800, 950), "beyond": (1100, 1500)},
    constants={"alpha": (3.0, 1.0, 0.33)}, axes=LOSS_AXES_T,
    quick=Budget(0.25, 16, {"T": (100, 200, 400, 600, 800)}, 0.1), thorough=Budget(1.0, 40),
)  # fmt: skip
def breakdown_without_noise(p: Parameters) -> Items:
    """Zero beyond M where float64 can tell the loss from zero, linear before it."""
    inside = np.geomspace(min(p.T) / 2, p.M * (1 - 2e-3), 140)
    x = np.concatenate([inside, p.M * (1 - np.geomspace(1e-3, 1e-6, 12))])
    yield Guide("vertical", "T = M", p.M)
    resolved = [alpha for alpha in p.alpha if _rounding(alpha, p.sizes["M"]) < 1e-3]
    for alpha in p.alpha:
        spectrum = power_law(alpha, p.M)
        points = [(t, p.N, t) for t in (*p.T, *(p.beyond if alpha in resolved else ()))]
        yield ridge_curve(f"α = {alpha:g}", spectrum, points, (x, np.full_like(x, p.N), x))
        form = talk_form(alpha, p.N, inside, p.M)
        form *= float(static(spectrum, p.N, inside[0])) / form[0]
        yield Guide("curve", "form of the talk" * (alpha == p.alpha[0]), inside, form)

    def beyond(alpha: float, m: dict) -> float:
        curve = m[f"α = {alpha:g}"]
        return np.max(curve.mean[curve.x > p.M]) / curve.theory[0]

    def power(alpha: float) -> float:
        gap = np.array([1e-5, 1e-4])
        return log_slope(gap, static(power_law(alpha, p.M), p.N, p.M * (1 - gap)))

    for alpha in resolved:
        name = f"simulated loss beyond M relative to T = {p.T[0]}, α = {alpha:g}"
        yield below(name, partial(beyond, alpha), _rounding(alpha, p.M))
    for alpha in p.alpha:
        name = f"power of (M − T) with which the loss vanishes, α = {alpha:g}"
        yield near(name, partial(power, alpha), 1, 0.02)


@experiment(
    title="Label noise: a 1/T fall-off beyond the latent space",
    source="solvable-model paper, figure 10, eqs. (186), (188)",
    claim="With label noise the loss has a pole at T = M and falls as 1/T once N and T exceed M, "
    "with and without regularisation, for every spectrum.",
    sizes={"M": 1000, "N": 2000, "T": (100, 300, 600, 2000, 3000, 5000, 10000)},
    constants={"alpha": 1.0, "noise": (1e-6, 1e-8, 1e-10)}, axes=LOSS_AXES_T,
    quick=Budget(0.125, 10, {"T": (200, 300, 500, 2000, 4000)}, 0.1),
    thorough=Budget(1.0, 32, fewest=12),
)  # fmt: skip
def breakdown_with_noise(p: Parameters) -> Items:
    """The noise of the paper, σ_ε², is Mσ_ε² per mode; beyond M and N: ½σ_ε² M/(T − M)."""
    spectrum, x = power_law(p.alpha, p.M), line_grid(min(p.T) / 2, max(p.T) * 1.1, [p.M])
    points, line = [(t, p.N, t) for t in p.T], (x, np.full_like(x, p.N), x)
    first = p.noise[0] * p.M
    for noise in p.noise:
        labels: dict[Any, str] = {0: f"σ_ε² = {noise:g}"}
        if noise == p.noise[0]:
            labels["optimal"] = f"σ_ε² = {noise:g}, optimal ridge"
        yield from ridge_curves(labels, spectrum, points, line, noise=noise * p.M)
    yield Guide("vertical", "T = M", p.M)
    yield Guide("vertical", "T = N", p.N)

    def departure() -> float:
        t = np.array([4.0, 40.0]) * max(p.N, p.M)
        return np.abs(static(spectrum, p.N, t, noise=first) / (0.5 * first / (t - p.M)) - 1).max()

    def exponent(ridge: float | str) -> float:
        far = np.array([1e4, 1e5]) * p.M
        return log_slope(far, static(spectrum, p.N, far, noise=first, ridge=ridge))

    yield below("largest |L/(½σ²M/(T−M)) − 1| beyond M", departure, 1e-9)
    yield near("exponent of T beyond M, ridgeless", lambda: exponent(0), -1, 1e-3)
    yield near("exponent of T beyond M, optimal ridge", lambda: exponent("optimal"), -1, 1e-2)
