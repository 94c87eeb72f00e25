r"""Section 4 and appendices J, N: exponents, prefactors, and how to spend compute.

For λ_k = k^{-b}, w_k²λ_k = k^{-a}, M = ∞ every exponent is the leading pole of an exact sum. Two
of the paper's statements hold for hard tasks (a − 1 < b) only: the model exponent min(a−1, 2b),
which is that of the bias alone, and the compute-optimal exponents built on it. Simulation and the
exact curves decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.asymptotics.dynamic_laws import (
    bottleneck_laws,
    compute,
    compute_frontier,
    compute_optimal,
    data_law,
    feature_law,
    time_law,
)
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import N, T, a, b, kappa, loss, sigma_eps, t
from solvable.analytic.resolvent import solve
from solvable.analytic.slopes import slope_weights
from solvable.analytic.spectral_functions import D2, h1, h2
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.validation import sampled

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Inequality, Point, Slope, Statistical, rational
from ..derivation import Step
from ..relations import Equivalent, Expectation, Greater, Less, Relation, equation
from ..solvable_model.regression_loss import v_norm
from .mean_field import PAPER
from .mode_sums import unlimited
from .static_limit import final_error

r_time, r_size, r_data = sp.symbols("r_t r_N r_T")


def _law(target: Any, exponent: Any, size: float = math.inf) -> PowerLaw:
    return PowerLaw(exponent=exponent, target_exponent=target, size=size)


def case(
    loss_of: Callable[[PowerLaw, np.ndarray], Any], point: tuple[Any, Any], x: np.ndarray
) -> tuple[dict[sp.Symbol, Any], Callable[[], tuple[Any, Any]]]:
    """The curve x ↦ loss for the task (a, b), as a case of `Slope`."""
    return dict(zip((a, b), point)), cache(lambda: (x, loss_of(_law(*point), x)))


def _static(law: PowerLaw, features: Any, samples: Any) -> Any:
    return static_loss(law, features, samples).excess_loss


# ---- bottlenecks -------------------------------------------------------------------------


@derivation(
    "time-law",
    "The loss against time when nothing else limits it",
    Reference(PAPER, "13"),
)  # fmt: skip
def derive_time_law() -> Parts:
    """N, T → ∞: every mode decays by itself, and the Mellin transform of the sum has a single pole,
    so that the power law with its Γ prefactor is exact up to terms smaller than any power."""
    law = time_law("3/2", "5/4")
    value = law.expression

    def curve(task: PowerLaw, x: Any) -> Any:
        return dynamics(task, math.inf, math.inf, x).excess_loss

    steps = [
        Step("prefactor", Equivalent(loss, value), "Exact loss at t = 10⁴, a = 3/2, b = 5/4.",
             Agrees(lambda: float(curve(_law(1.5, 1.25), 1e4)),
                    lambda claim: float(claim.rhs.subs({**law.point, t: 10**4})), 1e-9),
             Reference(PAPER, "13"),
             (Equivalent(loss, value * 2 ** ((a - 1) / b)), Equivalent(loss, value * b))),
        Step("exponent", equation(r_time, law.powers[0]),
             "L falls as t^{-r_t}: slope over four decades.",
             Slope([case(curve, (1.5, 1.25), np.geomspace(1e3, 1e7, 9))], axes=("t", "L")),
             Reference(PAPER, "13"), (equation(r_time, a - 1), equation(r_time, a / b))),
    ]  # fmt: skip
    return Parts(steps, steps[0].claim, ("a > 1, b > 1, M = ∞, gradient flow, t → ∞",))


@derivation(
    "bottleneck-exponents",
    "Exponents of data and model size, and the misprint in the second",
    *references(PAPER, "13", "17"),
)  # fmt: skip
def bottleneck_exponents() -> Parts:
    """At the end of training N features leave κh₁ and T samples leave κ²h₂/(1 − D₂/T). Their
    leading poles give min(a−1, b) and min(a−1, 2b); the second is the exponent of the bias."""
    narrow, wide = (final_error(size).subs(sigma_eps, 0) for size in (N, T))
    variance = kappa**2 * h2 / (1 - D2 / T)
    features = Step(
        "feature-loss", equation(loss, kappa * h1),
        "t, T → ∞ in @late-time-limit/few-features, where D₁(κ) = N.",
        Exact(simplify=rational, value=lambda: unlimited(narrow, T)), Reference(PAPER, "17"),
        (equation(loss, kappa**2 * h2),),
    )  # fmt: skip
    steps = [
        features,
        _simulated_bottleneck(features),
        Step("data-loss", equation(loss, variance),
             "t, N → ∞ in @late-time-limit/few-samples, where D₁(κ) = T.",
             Exact(simplify=rational, value=lambda: unlimited(wide, N)), Reference(PAPER, "13"),
             (equation(loss, kappa**2 * h2), equation(loss, kappa * h1))),
        *_exponent_steps(),
        _crossover_step("features", feature_law("5/2", "3/2"), (2.5, 1.5)),
        _crossover_step("data", data_law(4, "3/2"), (4, 1.5)),
    ]  # fmt: skip
    return Parts(
        steps, (steps[3].claim, steps[4].claim),
        ("a > 1, b > 1, M = ∞, no label noise",),
        ("The paper's (13), (17): the model exponent is min(a−1, b). The printed min(a−1, 2b) is "
         "that of the bias κ²h₂ alone; the variance κh₁ − κ²h₂ falls as N^{-b}. Only easy tasks, "
         "a − 1 > b, change. Simulation at a = 3.4, b = 1.2 and the exact curve both reject the "
         "printed one.",
         "Where a − 1 = b (features) or a − 1 = 2b (data) two poles coincide: N^{-b} ln N."),
    )  # fmt: skip


def _simulated_bottleneck(features: Step) -> Step:
    """Loss of N = 64 features trained on the population: κh₁ against the bias κ²h₂."""
    cell = sampled.task(64, 1, 1200, b=1.2, a=3.4)
    spectrum = cell.spectrum
    point = Point({kappa: solve(spectrum, cell.features, math.inf, 0.0).value}, spectrum)
    return features.evidence(
        "simulated-feature-loss",
        "60 draws of 64 features, the best linear read-out of the population.",
        Statistical(lambda: sampled.best_readout(cell, 60), point.right, sizes=cell.sizes()),
        Reference(PAPER, "17"),
    )  # fmt: skip


def _exponent_steps() -> list[Step]:
    """The claimed minimum against the exact curves, for hard and easy tasks."""
    sizes, tasks = np.geomspace(1e4, 1e8, 9), ((1.5, 1.25), (4, 2), (4, 1.25))
    model, samples = sp.Min(a - 1, b), sp.Min(a - 1, 2 * b)

    def by_features(law: PowerLaw, x: Any) -> Any:
        return _static(law, x, math.inf)

    def by_data(law: PowerLaw, x: Any) -> Any:
        return _static(law, math.inf, x)

    return [
        Step("model-exponent", equation(r_size, model),
             "@feature-loss falls as N^{-r_N}: slope of the exact loss over N = 10⁴ … 10⁸.",
             Slope([case(by_features, point, sizes) for point in tasks], axes=("N", "L")),
             Reference(PAPER, "17"), (equation(r_size, samples), equation(r_size, b))),
        Step("data-exponent", equation(r_data, samples),
             "@data-loss falls as T^{-r_T}: slope of the exact loss over T = 10⁴ … 10⁸.",
             Slope([case(by_data, point, sizes) for point in tasks], axes=("T", "L")),
             Reference(PAPER, "13"), (equation(r_data, b), equation(r_data, a - 1))),
    ]  # fmt: skip


def _crossover_step(name: str, law: Any, point: tuple[Any, Any]) -> Step:
    """At coinciding poles loss/size^{-p} grows like coefficient × logarithm of the size."""
    sizes = np.geomspace(1e4, 1e8, 9)
    size, index = (N, 1) if name == "features" else (T, 2)
    power = law.exponents[index]

    def slope() -> float:
        pair = (sizes, math.inf) if name == "features" else (math.inf, sizes)
        scaled = _static(_law(*point), *pair) * sizes ** float(power)
        return float(slope_weights(np.log(sizes)) @ scaled)  # linear in the logarithm

    def claimed(claim: Relation) -> float:
        scaled = sp.simplify(claim.rhs.subs(law.point) * size**power)
        return float(sp.diff(scaled, size).subs(size, 1.0))

    value = law.expression
    return Step(
        f"crossover-{name}", Equivalent(loss, value),
        f"a = {point[0]}, b = {point[1]}: loss × size^p against ln(size), 10⁴ … 10⁸.",
        Agrees(slope, claimed, 1e-3), Reference(PAPER, "17"),
        (Equivalent(loss, value / sp.log(size)), Equivalent(loss, 2 * value)),
    )  # fmt: skip


# ---- compute -----------------------------------------------------------------------------

coefficient_time, coefficient_size = sp.symbols("A B", positive=True)
p, q = sp.symbols("r_t r_N", positive=True)


@derivation(
    "compute-optimal",
    "How to spend compute C = N t: asymmetric, and different for easy tasks",
    *references(PAPER, "14", "153", "154", "155", "156"), Reference("phases"),
)  # fmt: skip
def compute_optimal_allocation() -> Parts:
    """Minimising A t^{-r_t} + B N^{-r_N} at fixed N t gives the paper's exponents, which hold for
    hard tasks. For easy tasks the 1/N correction of the dynamics is met first, and the frontier
    is flatter: C^{-(a−1)/a}. Both are compared with the exact loss minimised over N."""
    balance = p * coefficient_time / (q * coefficient_size)
    time = balance ** (1 / (p + q)) * compute ** (q / (p + q))
    hard, easy = compute_optimal(sp.Rational(3, 2), sp.Rational(5, 4)), compute_optimal(4, 2)
    printed = (a - 1) * sp.Min(a - 1, 2 * b) / (a - 1 + b * sp.Min(a - 1, 2 * b))
    two_terms = p * q / (p + q)
    exponent = sp.Piecewise(((a - 1) / (b + 1), a - 1 < b), ((a - 1) / a, True))
    with_hard = {p: (a - 1) / b, q: a - 1}
    with_easy = {p: (a - 1) / b, q: b}
    r_loss, xi_time, xi_size = sp.symbols("r_C xi_t xi_N")
    summed = hard.expressions[2]
    wrong = ((a - 1) / a, (a - 1) / (2 * b), printed, two_terms.subs(with_easy))
    frontier = Step(
        "frontier", equation(r_loss, exponent),
        "Exact loss minimised over N, C = 10¹⁰ … 10¹⁴, for a hard and an easy task.",
        Slope([_minimised((1.5, 1.25)), _minimised((4, 2))], axes=("C", "L")),
        Reference(PAPER, "14"),
        tuple(equation(r_loss, other) for other in wrong),
    )  # fmt: skip
    steps = [
        Step("stationary", equation(t, time),
             "The minimum of A t^{-r_t} + B (C/t)^{-r_N}, where the derivative by t vanishes.",
             Agrees(lambda: [0] * DRAWS, _logarithmic_slopes, absolute=True),
             Reference(PAPER, "153"),
             (equation(t, balance ** (1 / (p + q)) * compute ** (p / (p + q))),
              equation(t, compute / 2))),
        Step("hard-exponent", equation(r_loss, (a - 1) / (b + 1)),
             "At @stationary L falls as C^{-r_C} with r_C = r_t r_N/(r_t + r_N); for hard tasks "
             "r_t = (a−1)/b and r_N = a − 1, the paper's exponent at m = a − 1.",
             Exact(value=lambda: two_terms.subs(with_hard)), Reference(PAPER, "14"),
             (equation(r_loss, (a - 1) / b),)),
        Step("asymmetry", equation(xi_time - xi_size, (b - 1) / (b + 1)),
             "t ~ C^{ξ_t} and N ~ C^{ξ_N} with ξ_t = b/(b+1), ξ_N = 1/(b+1): time grows faster "
             "since b > 1.",
             Exact(value=lambda: ((q - p) / (p + q)).subs(with_hard)), Reference(PAPER, "14"),
             (equation(xi_time - xi_size, 0),)),
        frontier,
        Step("easy-prefactor", Equivalent(loss, easy.expressions[2]),
             "a = 4, b = 2: time against feature embedding, with prefactors, and the exact minimum "
             "at C = 10¹⁴.",
             Agrees(lambda: _frontier_losses((4, 2))[1][-1],
                    lambda claim: float(claim.rhs.subs(compute, 1e14)), 1e-3),
             Reference(PAPER, "156"), (Equivalent(loss, 2 * easy.expressions[2]),)),
        Step("hard-scaling-function", Less(loss, summed * sp.Rational(9, 10)),
             "a = 3/2, b = 5/4: at t ~ N^b the exact loss is a scaling function, well below the "
             "sum of two laws.",
             Inequality(_hard_frontier), None, (Greater(loss, summed), Less(loss, summed / 2))),
        _simulated_embedding(),
    ]  # fmt: skip
    return Parts(
        steps, frontier.claim,
        ("unlimited data, gradient flow, M = ∞, compute C = N t",),
        ("The paper's (14): exact for a − 1 < b, where m = a − 1. For easy tasks neither the "
         "printed m = min(a−1, 2b) nor m = min(a−1, b) is the exponent of the exact frontier; the "
         "term N^{-1} t^{-(b−1)/b} stands between the two power laws.",),
    )  # fmt: skip


def _minimised(point: tuple[Any, Any]) -> tuple[dict[sp.Symbol, Any], Any]:
    """The exponents of a task, and its losses along the frontier."""
    return dict(zip((a, b), point)), lambda: _frontier_losses(point)


DRAWS = 8


def _logarithmic_slopes(claim: Relation) -> list[complex]:
    """t·d/dt of the logarithm of the two laws at fixed C, at the claimed t and seeded letters."""
    total = coefficient_time * t**-p + coefficient_size * (compute / t) ** -q
    slope = sp.diff(total, t) * t / total
    rng, slopes = np.random.default_rng(154), []
    for _ in range(DRAWS):
        letters = (coefficient_time, coefficient_size, p, q, compute)
        point = {x: sp.Float(rng.uniform(0.3, 3)) for x in letters}
        point[compute] *= 100
        slopes.append(complex(slope.subs({**point, t: claim.rhs.subs(point)})))
    return slopes


@cache
def _frontier_losses(point: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    budgets = np.geomspace(1e10, 1e14, 3)
    return budgets, compute_frontier(_law(*point), budgets).loss


def _hard_frontier() -> list[dict[sp.Symbol, float]]:
    budgets, losses = _frontier_losses((1.5, 1.25))
    return [{compute: c, loss: x} for c, x in zip(budgets, losses, strict=True)]


def _simulated_embedding() -> Step:
    """A wide model at moderate time: time law + embedding against time law + static bottleneck."""
    cell = sampled.task(400, 1, 500, b=2.0, a=4.0)
    time = 60.0
    laws = bottleneck_laws(4, 2)
    sums = {
        name: laws["time"].expression + laws[name].expression
        for name in ("feature embedding", "features")
    }

    def value(claim: Relation) -> float:
        return float(claim.rhs.subs({a: 4, b: 2, N: cell.features, t: time}))

    average = Expectation(v_norm)
    return Step(
        "simulated-embedding", Equivalent(average, sums["feature embedding"]),
        "24 models of 400 features trained on the population to t = 60, a = 4, b = 2.",
        Statistical(lambda: sampled.population_flow(cell, time, 24), value, sizes=cell.sizes()),
        Reference("phases"), (Equivalent(average, sums["features"]),),
    )  # fmt: skip


# ---- ensembles, width --------------------------------------------------------------------


@derivation(
    "ensembling-is-not-compute-optimal",
    "An ensemble of E models loses against one model E times larger",
    Reference(PAPER, "19"),
)  # fmt: skip
def ensembling_against_width() -> Parts:
    """An ensemble removes variance and leaves the bias; width removes both. For power laws the
    comparison is an inequality between weighted means; along training it is checked on exact
    losses at equal compute E N t."""
    members = sp.Symbol("E", positive=True)
    u = sp.Symbol("u", positive=True)  # (a−1)/b, below 1 for hard tasks
    bias, total = sp.Symbol("bias"), loss
    averaged = 1 - u + u / members
    ensemble, wider = sp.symbols("L_ensemble L_wide")
    steps = [
        Step("bias-share", equation(bias / total, 1 - u),
             "h₁ ~ κ^{u−1}, so κ²h₂ = −κ²h₁' = (1−u) κh₁.",
             Exact({bias: _power_bias(u), total: kappa**u}), Reference(PAPER, "19"),
             (equation(bias / total, u), equation(bias / total, 1 / u))),
        Step("means", Less(members**-u, averaged),
             "The weighted geometric mean of 1 and 1/E is below the arithmetic one.",
             Inequality(lambda: _grid(members, u)), None, (Greater(members**-u, averaged),)),
        Step("width-wins", Less(members ** (-u * b), averaged),
             "E times the width divides the loss by E^{ub}, b > 1.",
             Inequality(lambda: _grid(members, u)),
             Reference(PAPER, "19"), (Greater(members ** (-u * b), averaged),)),
        Step("along-training", Less(wider, ensemble),
             "Exact losses at equal compute, E = 2, 4, N = 32, 128, t = 10² … 10⁶, three tasks.",
             Inequality(lambda: _equal_compute(ensemble, wider)), Reference(PAPER, "19"),
             (Greater(wider, ensemble),)),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[2].claim,
        ("unlimited data; hard tasks for the inequality, any task along training",),
    )


def _power_bias(u: sp.Symbol) -> sp.Expr:
    """κ²h₂ = −κ² dh₁/dκ for h₁ = κ^{u−1}."""
    return sp.simplify(-(kappa**2) * sp.diff(kappa ** (u - 1), kappa))


def _grid(members: sp.Symbol, u: sp.Symbol) -> list[dict[sp.Symbol, float]]:
    return [
        {members: e, u: x, b: y}
        for e in (1.01, 2, 4, 50, 1e4) for x in (0.05, 0.3, 0.6, 0.95) for y in (1.01, 1.25, 2)
    ]  # fmt: skip


@cache
def _equal_compute(ensemble: sp.Symbol, wider: sp.Symbol) -> list[dict[sp.Symbol, float]]:
    points = []
    times = np.geomspace(1e2, 1e6, 5)
    for target, exponent in ((1.5, 1.25), (2.0, 1.5), (4.0, 2.0)):
        law = _law(target, exponent)
        for size in (32, 128):
            for count in (2, 4):
                mean = dynamics(law, size, math.inf, times, ensemble=count).excess_loss
                wide = dynamics(law, size * count, math.inf, times).excess_loss
                points += [{ensemble: x, wider: y} for x, y in zip(mean, wide, strict=True)]
    return points


@derivation(
    "wider-is-better",
    "Wider is better, until the data are used again",
    Reference(PAPER, "9"), Reference("talk"),
)  # fmt: skip
def wider_is_better() -> Parts:
    """With unlimited data the loss falls with N at every time. With T samples it first falls, then
    rises towards N = T late in training: the order of two widths is reversed by reusing data."""
    below = sp.factor(final_error(N).subs(sigma_eps, 0))
    online, reused = (tuple(LOSS(n, size, t) for n in (N, 2 * N)) for size in (sp.oo, T))
    steps = [
        Step("online", Less(online[1], online[0]),
             "Exact losses of N and 2N features, T = ∞, N = 16 … 256, t = 1 … 10⁶, three tasks.",
             Inequality(lambda: _doubled(online)), Reference(PAPER, "9"),
             (Greater(*online[::-1]),)),
        Step("early", Less(reused[1], reused[0]),
             "L(N, T, t) at T = 128, N = 60 and its double, t ≤ 1: wider is still better.",
             Inequality(lambda: _reused(reused, (0.1, 0.3, 1.0))), Reference(PAPER, "9"),
             (Greater(*reused[::-1]),)),
        Step("reversal", Greater(reused[1], reused[0]),
             "The same models at t ≥ 10⁶: wider is worse.",
             Inequality(lambda: _reused(reused, (1e6, 1e8))), Reference(PAPER, "9"),
             (Less(*reused[::-1]),)),
        Step("pole", equation(LOSS(N, T, sp.oo), T * kappa * h1 / (T - N)),
             "At the end of training the loss has a pole at N = T.",
             Exact(simplify=rational, value=lambda: below), None,
             (equation(LOSS(N, T, sp.oo), kappa * h1),)),
    ]  # fmt: skip
    return Parts(
        steps, steps[0].claim, ("unlimited data: T = ∞",),
        notes=("The optimally regularised or early-stopped model does not show the reversal.",),
    )  # fmt: skip


LOSS = sp.Function("L")  # of N, T and t
Pair = tuple[sp.Expr, sp.Expr]


@cache
def _doubled(pair: Pair) -> list[dict[sp.Expr, float]]:
    sizes, times = 2.0 ** np.arange(4, 9), np.geomspace(1, 1e6, 7)
    points = []
    for target, exponent in ((1.5, 1.25), (2.0, 1.5), (4.0, 2.0)):
        found = dynamics(_law(target, exponent), sizes, math.inf, times).excess_loss
        sides = zip(found[:-1].ravel(), found[1:].ravel(), strict=True)
        points += [dict(zip(pair, values)) for values in sides]
    return points


@cache
def _reused(pair: Pair, times: tuple[float, ...]) -> list[dict[sp.Expr, float]]:
    found = dynamics(_law(1.5, 1.25), np.array([60.0, 120.0]), 128, np.array(times)).excess_loss
    return [dict(zip(pair, values)) for values in zip(found[0], found[1], strict=True)]
