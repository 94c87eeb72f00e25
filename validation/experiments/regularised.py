"""Optimal regularisation: the law k(1/N + 1/T)^α, double descent, equiparameterisation.

Source: solvable-model paper, section 4.2, figures 9 (right) and 11, eqs. (1), (6); the talk.
In the scaling regime the optimal ridge gives D₁⋆ in closed form (`analytic.optimal_ridge`); at
α = 1 the law is exact, and elsewhere off by a bounded factor.
"""

from __future__ import annotations

import math
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
    above,
    below,
    near,
)
from .ridgeless import plateau
from .static import LOSS_AXES_N, LOSS_AXES_T, line_grid, power_law, ridge_series, theory

# ---- the phenomenological law against the exact one --------------------------------------


def _law(p: Parameters) -> Plan:
    spectrum = power_law(p.alpha, p.M)
    cells: list[Cell] = []
    series, guides = [], []
    x = line_grid(min(p.T) / 2, max(p.T) * 1.1, p.N)
    for n in p.N:
        sizes, line = [(t, n, t) for t in p.T], (x, np.full_like(x, n), x)
        for optimal, words in ((False, "ridgeless"), (True, "optimal ridge")):
            series.append(
                ridge_series(
                    f"N = {n}, {words}", spectrum, sizes, cells, optimal=optimal, line=line
                )
            )
        label = "$k(1/N + 1/T)^\\alpha$" if n == p.N[0] else ""
        guides.append(Guide("curve", label, x, plateau(p.alpha, 1 / (1 / n + 1 / x), p.M)))
    return Plan(cells, tuple(series), partial(_law_facts, p), tuple(guides))


def _law_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """The numbers of the paper's figure, and how far the law is off."""
    from solvable.analytic.notation import N, T, alpha
    from solvable.analytic.optimal_ridge import law_ratio

    printed = {100: 2.84e-5, 4000: 2.78e-6}
    facts = [
        near(
            f"optimal loss at M = 6000, α = ½, N = {n}, T = 5000, in units of {value:g}",
            float(theory(power_law(0.5, 6000), n, 5000, ridge="optimal")) / value,
            1,
            2e-3,
        )
        for n, value in printed.items()
    ]
    ratio = law_ratio().subs(alpha, p.alpha)
    size = 10**14
    for n, t in ((2e4, 2e4), (2e3, 2e5)):
        exact = float(theory(power_law(p.alpha, size), n, t, ridge="optimal"))
        found = exact / plateau(p.alpha, 1 / (1 / n + 1 / t), size)
        predicted = float(ratio.subs({N: n, T: t}))
        name = f"optimal loss/law at N/T = {n / t:g}, M = 10^14"
        facts.append(near(name, found, predicted, 2e-3))
    one = theory(power_law(1.0, size), 2e4, 3e4, ridge="optimal")
    law = plateau(1.0, 1 / (1 / 2e4 + 1 / 3e4), size)
    facts.append(near("the same at α = 1, where the law is exact", float(one) / law, 1, 2e-4))
    return facts


LAW = Experiment(
    name="phenomenological-law-against-exact",
    title="The phenomenological law against the exact optimum",
    source="solvable-model paper, eq. (1) and the optimal-ridge figures; talk, L = k(1/N + 1/T)^α",
    claim="With the optimal ridge the loss has no pole and follows k(1/N + 1/T)^α up to a bounded "
    "factor, which is 1 at α = 1.",
    sizes={"M": 6000, "N": (100, 4000), "T": (150, 300, 600, 1200, 2400, 5000)},
    constants={"alpha": 0.5},
    axes=LOSS_AXES_T,
    build=_law,
    quick=Budget(0.125, 10, {"N": (200, 1600), "T": (160, 400, 800, 1600)}, 0.1),
    thorough=Budget(1.0, 32),
)

# ---- double descent ----------------------------------------------------------------------


def local_minimum(alpha: float, t: int, size: int) -> float:
    """N⋆ < T of the ridgeless loss at fixed T: the black star of figure 11."""
    from scipy.optimize import minimize_scalar

    spectrum = power_law(alpha, size)

    def logarithm(n: float) -> float:
        return math.log(float(theory(spectrum, n, t)))

    return float(minimize_scalar(logarithm, bounds=(1, 0.999 * t), method="bounded").x)


def _descent(p: Parameters) -> Plan:
    spectrum = power_law(p.alpha, p.M)
    cells: list[Cell] = []
    series, guides = [], []
    for t, name in ((p.T, "T₀"), (p.more, "8T₀")):
        x = line_grid(min(p.N) / 2, max(p.N) * 1.1, [t])
        sizes, line = [(n, n, t) for n in p.N], (x, x, np.full_like(x, t))
        for optimal, words in ((False, "ridgeless"), (True, "optimal ridge")):
            label = f"T = {name}, {words}"
            series.append(ridge_series(label, spectrum, sizes, cells, optimal=optimal, line=line))
        guides.append(Guide("vertical", f"N = {name}", t))
    star = local_minimum(p.alpha, p.T, p.M)
    guides.append(Guide("star", "local minimum N⋆", star, float(theory(spectrum, star, p.T))))
    return Plan(cells, tuple(series), partial(_descent_facts, p), tuple(guides))


def _descent_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """Where the star is, that it is a local minimum, and that the optimal ridge is monotone."""
    spectrum, t = power_law(p.alpha, p.M), p.T
    star = local_minimum(p.alpha, t, p.M)
    ridgeless = measured["T = T₀, ridgeless"]
    lowest = float(np.min(ridgeless.mean[ridgeless.x < t]))
    before = float(ridgeless.mean[0])
    peak = float(np.max(ridgeless.mean[ridgeless.x > star]))
    n = np.geomspace(2, 1000 * t, 400)
    steps = np.diff(np.log(theory(spectrum, n, t, ridge="optimal")))
    infinite = local_minimum(p.alpha, 10**4, 10**8)
    gain = theory(spectrum, p.N[-1], t, ridge="optimal") / theory(
        spectrum, p.more, p.more, ridge="optimal"
    )
    wider = theory(spectrum, t, t, ridge="optimal") / theory(spectrum, p.more, t, ridge="optimal")
    return [
        near("N⋆/T₀ as M → ∞: α/(1+α)", infinite / 1e4, p.alpha / (1 + p.alpha), 1e-3),
        below("N⋆/T₀", star / t, 1),
        below("simulated minimum below T₀, relative to the smallest N", lowest / before, 1),
        above("simulated peak relative to that minimum", peak / lowest, 1.5),
        below(
            "plateau N → ∞ relative to the minimum",
            float(theory(spectrum, 1e6 * t, t) / theory(spectrum, star, t)),
            1,
        ),
        below("largest step of the optimal-ridge loss with N", float(steps.max()), 0),
        above("gain from 8N at 8T₀ relative to 8N alone", float(gain / wider), 1.2),
    ]


DESCENT = Experiment(
    name="double-descent-curves",
    title="Double descent, and its removal by the optimal ridge",
    source="solvable-model paper, figure 11",
    claim="At fixed T the ridgeless loss has a local minimum at N⋆ < T (star), a peak at N = T "
    "and falls to a plateau; with the optimal ridge it falls monotonically, and scaling N and T "
    "together gains most.",
    sizes={"M": 6000, "T": 100, "more": 800, "N": (25, 50, 100, 200, 400, 800, 1600, 3200)},
    constants={"alpha": 1.0},
    axes=LOSS_AXES_N,
    build=_descent,
    quick=Budget(
        0.2, 10, {"N": (40, 90, 160, 290, 640, 1600), "T": 320, "more": 2560, "M": 4000}, 0.1
    ),
    thorough=Budget(1.0, 32),
)

# ---- equiparameterisation ----------------------------------------------------------------


def _budget(p: Parameters) -> Plan:
    cells: list[Cell] = []
    series = []
    x = np.geomspace(min(p.ratios), max(p.ratios), 81)
    for alpha in p.alpha:
        spectrum = power_law(alpha, p.M)
        sizes = [(r, round(p.C * math.sqrt(r)), round(p.C / math.sqrt(r))) for r in p.ratios]
        line = (x, p.C * np.sqrt(x), p.C / np.sqrt(x))
        label = f"α = {alpha:g}"
        series.append(ridge_series(label, spectrum, sizes, cells, optimal=True, line=line))
    return Plan(cells, tuple(series), partial(_budget_facts, p), (Guide("vertical", "N = T", 1.0),))


def _budget_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """The optimum is at N = T, and along N = T the exponent is α."""
    facts = []
    ratios = np.geomspace(0.1, 10, 2001)
    for alpha in p.alpha:
        spectrum = power_law(alpha, p.M)
        loss = theory(spectrum, p.C * np.sqrt(ratios), p.C / np.sqrt(ratios), ridge="optimal")
        best = ratios[int(np.argmin(loss))]
        facts.append(near(f"optimal log(N/T) at fixed NT, α = {alpha:g}", math.log(best), 0, 3e-3))
        simulated = measured[f"α = {alpha:g}"]
        centre = simulated.mean[np.argmin(np.abs(np.log(simulated.x)))]
        ends = min(simulated.mean[0], simulated.mean[-1])
        facts.append(
            above(
                f"simulated loss at N/T = {simulated.x[-1]:g} or its inverse, relative "
                f"to N = T, α = {alpha:g}",
                float(ends / centre),
                1.1,
            )
        )
        n = np.array([1e4, 1e5])
        slope = log_slope(n, theory(power_law(alpha, 10**12), n, n, ridge="optimal"))
        facts.append(near(f"exponent along N = T, α = {alpha:g}", slope, -alpha, 1e-2))
    return facts


EQUIPARAMETERISATION = Experiment(
    name="equiparameterised-optimum",
    title="At fixed budget NT the optimum is N = T",
    source="solvable-model paper, section 4.2, eq. (6)",
    claim="With the optimal ridge, for every exponent, the best division of a budget NT is N = T, "
    "and along N = T the loss falls as N^-α without a plateau.",
    sizes={"M": 6000, "C": 400},
    constants={"alpha": (0.5, 1.0, 2.0), "ratios": (1 / 9, 1 / 3, 1.0, 3.0, 9.0)},
    axes=Axes("N/T at fixed NT", "test loss"),
    build=_budget,
    quick=Budget(0.15, 10, {"M": 4000}, 0.1),
    thorough=Budget(1.0, 64),
)

EXPERIMENTS = (LAW, DESCENT, EQUIPARAMETERISATION)
