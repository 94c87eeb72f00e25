"""How the scaling law ends when N or T reaches the size M of the latent space.

Without noise κ → 0 as min(N, T) → M: the loss vanishes there and stays zero beyond. The form of
the talk, (1/T − 1/M)^α/(1 − T/N), has the right place and the right pole and is a fit.
With noise the loss beyond M is (σ_ε²/2) M/(T − M) for the noise of the paper's normalisation,
whatever the spectrum: a 1/T fall-off that has nothing to do with α.
Source: solvable-model paper, section 4.1, figures 9 and 10, eqs. (163), (186), (188); the talk.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from solvable.analytic.slopes import log_slope

from ..cells import Cell
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
from .static import line_grid, power_law, ridge_series, theory

AXES = Axes("training set size T", "test loss")


def talk_form(alpha: float, n: float, t: np.ndarray, size: int) -> np.ndarray:
    """(1/T − 1/M)^α/(1 − T/N) for T < N, T < M, up to its constant."""
    return (1 / t - 1 / size) ** alpha / (1 - t / n)


def _noiseless(p: Parameters) -> Plan:
    cells: list[Cell] = []
    series, guides = [], [Guide("vertical", "T = M", p.M)]
    inside = np.geomspace(min(p.T) / 2, p.M * (1 - 2e-3), 140)
    for alpha in p.alpha:
        spectrum = power_law(alpha, p.M)
        beyond = p.beyond if _resolved(alpha, p.sizes["M"]) else ()
        sizes = [(t, p.N, t) for t in (*p.T, *beyond)]
        x = np.concatenate([inside, p.M * (1 - np.geomspace(1e-3, 1e-6, 12))])
        line = (x, np.full_like(x, p.N), x)
        series.append(ridge_series(f"α = {alpha:g}", spectrum, sizes, cells, line=line))
        constant = float(theory(spectrum, p.N, inside[0])) / talk_form(alpha, p.N, inside[0], p.M)
        label = "form of the talk" if alpha == p.alpha[0] else ""
        guides.append(Guide("curve", label, inside, constant * talk_form(alpha, p.N, inside, p.M)))
    return Plan(cells, tuple(series), partial(_vanishing, p), tuple(guides))


def _rounding(alpha: float, size: int) -> float:
    """Relative size of a loss that is zero in theory: roundoff times λ₁/λ_M, with a margin."""
    return float(1e5 * np.finfo(float).eps * size ** (1 + alpha))


def _resolved(alpha: float, size: int) -> bool:
    """Whether float64 can tell the loss beyond M from zero."""
    return _rounding(alpha, size) < 1e-3


def _vanishing(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """Zero beyond M, linear before it."""
    facts = []
    for alpha in p.alpha:
        m = measured[f"α = {alpha:g}"]
        if np.any(m.x > p.M):
            loss = float(np.max(m.mean[m.x > p.M]) / m.theory[0])
            name = f"simulated loss beyond M relative to T = {m.x[0]:g}, α = {alpha:g}"
            facts.append(below(name, loss, _rounding(alpha, p.M)))
        gap = np.array([1e-5, 1e-4])
        slope = log_slope(gap, theory(power_law(alpha, p.M), p.N, p.M * (1 - gap)))
        facts.append(
            near(f"power of (M − T) with which the loss vanishes, α = {alpha:g}", slope, 1, 0.02)
        )
    return facts


WITHOUT_NOISE = Experiment(
    name="breakdown-without-noise",
    title="Breakdown of the scaling law at the size of the latent space",
    source="solvable-model paper, figure 9 (left), eq. (163); talk, slide 24",
    claim="Without noise the ridgeless loss drops to zero at T = M, linearly, and is zero beyond; "
    "the form of the talk (dashed, matched at small T) is a fit.",
    sizes={"M": 1000, "N": 2000, "T": (50, 100, 200, 400, 600, 800, 950), "beyond": (1100, 1500)},
    constants={"alpha": (3.0, 1.0, 0.33)},
    axes=AXES,
    build=_noiseless,
    quick=Budget(0.25, 12, {"T": (100, 200, 400, 600, 800)}, 0.1),
    thorough=Budget(1.0, 32),
)


def _noisy(p: Parameters) -> Plan:
    """The noise of the paper, σ_ε², is Mσ_ε² per mode."""
    cells: list[Cell] = []
    series = []
    spectrum = power_law(p.alpha, p.M)
    x = line_grid(min(p.T) / 2, max(p.T) * 1.1, [p.M])
    for noise in p.noise:
        sizes = [(t, p.N, t) for t in p.T]
        line = (x, np.full_like(x, p.N), x)
        label = f"σ_ε² = {noise:g}"
        series.append(ridge_series(label, spectrum, sizes, cells, noise=noise * p.M, line=line))
    optimal = ridge_series(
        f"σ_ε² = {p.noise[0]:g}, optimal ridge",
        spectrum,
        [(t, p.N, t) for t in p.T],
        cells,
        noise=p.noise[0] * p.M,
        optimal=True,
        line=line,
    )
    guides = (Guide("vertical", "T = M", p.M), Guide("vertical", "T = N", p.N))
    return Plan(cells, (*series, optimal), partial(_tail, p), guides)


def _tail(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """Beyond M and N: ½σ_ε² M/(T − M), and its 1/T."""
    spectrum, noise = power_law(p.alpha, p.M), p.noise[0]
    t = np.array([4.0, 40.0]) * max(p.N, p.M)
    exact = theory(spectrum, p.N, t, noise=noise * p.M)
    law = 0.5 * noise * p.M / (t - p.M)
    far = np.array([1e4, 1e5]) * p.M
    slopes = [
        log_slope(far, theory(spectrum, p.N, far, noise=noise * p.M, ridge=ridge))
        for ridge in (0, "optimal")
    ]
    return [
        below("largest |L/(½σ²M/(T−M)) − 1| beyond M", float(np.abs(exact / law - 1).max()), 1e-9),
        near("exponent of T beyond M, ridgeless", slopes[0], -1, 1e-3),
        near("exponent of T beyond M, optimal ridge", slopes[1], -1, 1e-2),
    ]


WITH_NOISE = Experiment(
    name="breakdown-with-noise",
    title="Label noise: a 1/T fall-off beyond the latent space",
    source="solvable-model paper, figure 10, eqs. (186), (188)",
    claim="With label noise the loss has a pole at T = M and falls as 1/T once N and T exceed M, "
    "with and without regularisation, for every spectrum.",
    sizes={"M": 1000, "N": 2000, "T": (100, 300, 600, 2000, 3000, 5000, 10000)},
    constants={"alpha": 1.0, "noise": (1e-6, 1e-8, 1e-10)},
    axes=AXES,
    build=_noisy,
    quick=Budget(0.125, 10, {"T": (200, 300, 500, 2000, 4000)}, 0.1),
    thorough=Budget(1.0, 32),
)

EXPERIMENTS = (WITHOUT_NOISE, WITH_NOISE)
