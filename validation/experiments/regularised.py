"""Optimal regularisation: the law k(1/N + 1/T)^α, double descent, equiparameterisation.

Source: solvable-model paper, section 4.2, figures 9 (right) and 11, eqs. (1), (6); the talk.
In the scaling regime the optimal ridge gives D₁⋆ in closed form (`analytic.optimal_ridge`); at
α = 1 the law is exact, and elsewhere off by a bounded factor.
"""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Any

import numpy as np

from solvable.analytic.optimum import lowest, minimum
from solvable.analytic.slopes import log_slope

from .building_blocks import (
    LOSS_AXES_N,
    LOSS_AXES_T,
    line_grid,
    power_law,
    ridge_curve,
    ridge_curves,
    static,
)
from .experiment import Axes, Budget, Guide, Items, Parameters, experiment
from .facts import above, below, near
from .ridgeless_curves import plateau

KINDS = {0: "ridgeless", "optimal": "optimal ridge"}  # ridges and their names


def best(alpha: float, size: int, n: float, t: float) -> float:
    """The loss of the optimal ridge."""
    return float(static(power_law(alpha, size), n, t, ridge="optimal"))


def law(alpha: float, size: int, n: Any, t: Any) -> Any:
    """k(1/N + 1/T)^α."""
    return plateau(alpha, 1 / (1 / n + 1 / t), size)


@experiment(
    title="The phenomenological law against the exact optimum",
    source="solvable-model paper, eq. (1) and the optimal-ridge figures; talk, L = k(1/N + 1/T)^α",
    claim="With the optimal ridge the loss has no pole and follows k(1/N + 1/T)^α up to a bounded "
    "factor, which is 1 at α = 1.",
    sizes={"M": 6000, "N": (100, 4000), "T": (150, 300, 600, 1200, 2400, 5000)},
    constants={"alpha": 0.5}, axes=LOSS_AXES_T,
    quick=Budget(0.125, 10, {"N": (200, 1600), "T": (160, 400, 800, 1600)}, 0.1),
    thorough=Budget(1.0, 32, fewest=8),
)  # fmt: skip
def phenomenological_law_against_exact(p: Parameters) -> Items:
    """The numbers of the paper's figure, and how far the law is off."""
    from solvable.analytic.notation import N, T, alpha
    from solvable.analytic.optimal_ridge import law_ratio

    spectrum, x = power_law(p.alpha, p.M), line_grid(min(p.T) / 2, max(p.T) * 1.1, p.N)
    for n in p.N:
        points, line = [(t, n, t) for t in p.T], (x, np.full_like(x, n), x)
        labels = {ridge: f"N = {n}, {words}" for ridge, words in KINDS.items()}
        yield from ridge_curves(labels, spectrum, points, line)
        label = "$k(1/N + 1/T)^\\alpha$" if n == p.N[0] else ""
        yield Guide("curve", label, x, law(p.alpha, p.M, n, x))

    def ratio(exponent: float, n: float, t: float) -> float:
        return best(exponent, 10**14, n, t) / law(exponent, 10**14, n, t)

    def printed_ratio(n: int, printed: float) -> float:
        return best(0.5, 6000, n, 5000) / printed

    for n, printed in ((100, 2.84e-5), (4000, 2.78e-6)):
        name = f"optimal loss at M = 6000, α = ½, N = {n}, T = 5000, in units of {printed:g}"
        yield near(name, partial(printed_ratio, n, printed), 1, 2e-3)
    for n, t in ((2e4, 2e4), (2e3, 2e5)):
        predicted = float(law_ratio().subs({alpha: p.alpha, N: n, T: t}))
        name = f"optimal loss/law at N/T = {n / t:g}, M = 10^14"
        yield near(name, partial(ratio, p.alpha, n, t), predicted, 2e-3)
    name = "the same at α = 1, where the law is exact"
    yield near(name, lambda: ratio(1.0, 2e4, 3e4), 1, 2e-4)


@cache
def local_minimum(alpha: float, t: int, size: int) -> float:
    """N⋆ < T of the ridgeless loss at fixed T: the black star of figure 11."""
    spectrum = power_law(alpha, size)

    def loss(n: np.ndarray) -> np.ndarray:
        return np.asarray(static(spectrum, n, t))

    grid = np.geomspace(1, 0.999 * t, 64)
    return float(minimum(loss, lowest(grid, loss(grid)))[0])


@experiment(
    title="Double descent, and its removal by the optimal ridge",
    source="solvable-model paper, figure 11",
    claim="At fixed T the ridgeless loss has a local minimum at N⋆ < T (star), a peak at N = T "
    "and falls to a plateau; with the optimal ridge it falls monotonically, and scaling N and T "
    "together gains most.",
    sizes={"M": 6000, "T": (100, 800), "N": (25, 50, 90, 100, 111, 200, 400, 800, 1600, 3200)},
    constants={"alpha": 1.0}, axes=LOSS_AXES_N,
    quick=Budget(
        0.2, 10, {"N": (40, 90, 160, 290, 640, 1600), "T": (320, 2560), "M": 4000}, 0.1
    ),
    thorough=Budget(1.0, 32, fewest=12),
)  # fmt: skip
def double_descent_curves(p: Parameters) -> Items:
    """Where the star is, that it is a local minimum, and that the optimal ridge is monotone."""
    spectrum, (fewer, more) = power_law(p.alpha, p.M), p.T
    for t, name in ((fewer, "T₀"), (more, "8T₀")):
        x = line_grid(min(p.N) / 2, max(p.N) * 1.1, [t])
        points, line = [(n, n, t) for n in p.N], (x, x, np.full_like(x, t))
        labels = {ridge: f"T = {name}, {words}" for ridge, words in KINDS.items()}
        yield from ridge_curves(labels, spectrum, points, line)
        yield Guide("vertical", f"N = {name}", t)
    star = local_minimum(p.alpha, fewer, p.M)
    yield Guide("star", "local minimum N⋆", star, float(static(spectrum, star, fewer)))

    def lowest(m: dict) -> float:
        curve = m["T = T₀, ridgeless"]
        return np.min(curve.mean[curve.x < fewer])

    def peak(m: dict) -> float:
        curve = m["T = T₀, ridgeless"]  # at N = T₀ itself the mean over draws is infinite
        return np.max(curve.mean[(curve.x > star) & (curve.x != fewer)])

    def steps() -> float:
        n = np.geomspace(2, 1000 * fewer, 400)
        return np.diff(np.log(static(spectrum, n, fewer, ridge="optimal"))).max()

    def gain() -> float:
        at = partial(best, p.alpha, p.M)
        together = at(p.N[-1], fewer) / at(more, more)
        return together * at(more, fewer) / at(fewer, fewer)

    yield near(
        "N⋆/T₀ as M → ∞: α/(1+α)",
        lambda: local_minimum(p.alpha, 10**4, 10**8) / 1e4,
        p.alpha / (1 + p.alpha),
        1e-3,
    )
    yield below("N⋆/T₀", lambda: star / fewer, 1)
    yield below(
        "simulated minimum below T₀, relative to the smallest N",
        lambda m: lowest(m) / m["T = T₀, ridgeless"].mean[0],
        1,
    )
    name = "simulated loss beside N = T₀ relative to that minimum"
    yield above(name, lambda m: peak(m) / lowest(m), 1.5)
    yield below(
        "plateau N → ∞ relative to the minimum",
        lambda: static(spectrum, 1e6 * fewer, fewer) / static(spectrum, star, fewer),
        1,
    )
    yield below("largest step of the optimal-ridge loss with N", steps, 0)
    yield above("gain from 8N at 8T₀ relative to 8N alone", gain, 1.2)


@experiment(
    title="At fixed budget NT the optimum is N = T",
    source="solvable-model paper, section 4.2, eq. (6)",
    claim="With the optimal ridge, for every exponent, the best division of a budget NT is N = T, "
    "and along N = T the loss falls as N^-α without a plateau.",
    sizes={"M": 6000, "C": 400},
    constants={"alpha": (0.5, 1.0, 2.0), "ratios": (1 / 9, 1 / 3, 1.0, 3.0, 9.0)},
    axes=Axes("N/T at fixed NT", "test loss"), quick=Budget(0.15, 10, {"M": 4000}, 0.1),
    thorough=Budget(1.0, 64),
)  # fmt: skip
def equiparameterised_optimum(p: Parameters) -> Items:
    """The optimum is at N = T, and along N = T the exponent is α."""
    x = np.geomspace(min(p.ratios), max(p.ratios), 81)
    points = [(r, round(p.C * math.sqrt(r)), round(p.C / math.sqrt(r))) for r in p.ratios]
    line = (x, p.C * np.sqrt(x), p.C / np.sqrt(x))
    for alpha in p.alpha:
        spectrum = power_law(alpha, p.M)
        yield ridge_curve(f"α = {alpha:g}", spectrum, points, line, ridge="optimal")
    yield Guide("vertical", "N = T", 1.0)

    def optimum(alpha: float) -> float:
        r = np.geomspace(0.1, 10, 2001)
        sizes = p.C * np.sqrt(r), p.C / np.sqrt(r)
        return math.log(r[np.argmin(static(power_law(alpha, p.M), *sizes, ridge="optimal"))])

    def ends(alpha: float, m: dict) -> float:
        curve = m[f"α = {alpha:g}"]
        return min(curve.mean[0], curve.mean[-1]) / curve.mean[np.argmin(np.abs(np.log(curve.x)))]

    def exponent(alpha: float) -> float:
        n = np.array([1e4, 1e5])
        return log_slope(n, static(power_law(alpha, 10**12), n, n, ridge="optimal"))

    for alpha in p.alpha:
        of = f"α = {alpha:g}"
        yield near(f"optimal log(N/T) at fixed NT, {of}", partial(optimum, alpha), 0, 3e-3)
        name = f"simulated loss at N/T = {p.ratios[-1]:g} or its inverse, relative to N = T, {of}"
        yield above(name, partial(ends, alpha), 1.1)
        yield near(f"exponent along N = T, {of}", partial(exponent, alpha), -alpha, 1e-2)
