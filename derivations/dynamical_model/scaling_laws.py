r"""Section 4 and appendices J, N: exponents, prefactors, and how to spend compute.

For λ_k = k^{-b}, w_k²λ_k = k^{-a}, M = ∞ every exponent is the leading pole of an exact sum. Two
of the paper's statements hold for hard tasks (a − 1 < b) only: the model exponent min(a−1, 2b),
which is that of the bias alone, and the compute-optimal exponents built on it. Simulation and the
exact curves decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
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
from solvable.analytic.dynamics import dynamics
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import N, P, a, b, kappa, t
from solvable.analytic.resolvent.solution import solve
from solvable.analytic.slopes import log_slope, slope_weights
from solvable.analytic.spectrum import PowerLaw
from solvable.validation import sampled

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, Point, Statistical, Verdict
from ..derivation import Step, equation
from .mean_field import PAPER
from .notation import D2, Agrees, h1, h2, noise, rational
from .static_limit import final_error

loss = sp.Symbol("L")
r_time, r_size, r_data = sp.symbols("r_t r_N r_P")


def _law(target: Any, exponent: Any, size: float = math.inf) -> PowerLaw:
    return PowerLaw(exponent=exponent, target_exponent=target, size=size)


@dataclass(frozen=True)
class Fitted:
    """The claimed exponent (a function of a and b) is the slope of a curve.

    ``curve`` gives the loss on ``grid``, which spans at least four decades. The slope may be off by
    0.4 % of the exponent, and by no more than 0.01.
    """

    curve: Callable[[np.ndarray], np.ndarray]
    grid: np.ndarray
    point: tuple[Any, Any]

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Compare the slope in a log–log plot with the claim at (a, b)."""
        expected = float(claim.args[1].subs({a: self.point[0], b: self.point[1]}))
        observed = -log_slope(self.grid, self.curve(self.grid))
        allowed = min(0.01, 0.004 * abs(expected))
        message = f"slope {observed:.4f} over {len(self.grid)} points, claimed {expected:.4f}"
        outcome = "pass" if abs(observed - expected) <= allowed else "fail"
        return Verdict(outcome, message, {"slope": observed, "claimed": expected})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Holds:
    """An inequality between letters holds at every one of computed points.

    ``values`` gives a list of substitutions; none at all is undecided.
    """

    values: Callable[[], list[dict[sp.Symbol, float]]] = field(repr=False)

    def __call__(self, claim: sp.Basic) -> Verdict:
        """The number of points at which the claim is true."""
        points = self.values()
        truths = [bool(claim.subs(point)) for point in points]
        message = f"true at {sum(truths)} of {len(truths)} points"
        if not truths:
            return Verdict("undecided", message)
        return Verdict("pass" if all(truths) else "fail", message)


# ---- bottlenecks -------------------------------------------------------------------------


@derivation(
    "time-law",
    "The loss against time when nothing else limits it",
    Reference(PAPER, "13"),
)  # fmt: skip
def derive_time_law() -> Parts:
    """N, P → ∞: every mode decays by itself, and the Mellin transform of the sum has a single pole,
    so that the power law with its Γ prefactor is exact up to terms smaller than any power."""
    law = time_law("3/2", "5/4")
    value = law.expression
    times = np.geomspace(1e3, 1e7, 9)

    def exact() -> float:
        return float(dynamics(_law(1.5, 1.25), math.inf, math.inf, 1e4).excess_loss)

    def claimed(claim: sp.Basic) -> float:
        return float(claim.args[1].subs({**law.point, t: 10**4}))

    def curve(x: np.ndarray) -> np.ndarray:
        return dynamics(_law(1.5, 1.25), math.inf, math.inf, x).excess_loss

    steps = [
        Step("prefactor", equation(loss, value), "Exact loss at t = 10⁴, a = 3/2, b = 5/4.",
             Agrees(exact, claimed, 9), Reference(PAPER, "13"),
             (equation(loss, value * 2 ** ((a - 1) / b)), equation(loss, value * b))),
        Step("exponent", equation(r_time, law.powers[0]), "Slope over four decades.",
             Fitted(curve, times, (1.5, 1.25)), Reference(PAPER, "13"),
             (equation(r_time, a - 1), equation(r_time, a / b))),
    ]  # fmt: skip
    return Parts(steps, equation(loss, value), ("a > 1, b > 1, M = ∞, gradient flow",))


@derivation(
    "bottleneck-exponents",
    "Exponents of data and model size, and the misprint in the second",
    Reference(PAPER, "13"), Reference(PAPER, "17"),
)  # fmt: skip
def bottleneck_exponents() -> Parts:
    """At the end of training N features leave κh₁ and P samples leave κ²h₂/(1 − D₂/P). Their
    leading poles give min(a−1, b) and min(a−1, 2b); the second is the exponent of the bias."""
    narrow, wide = final_error(N), final_error(P)
    features = sp.limit(narrow.subs(noise, 0), P, sp.oo)
    data = sp.limit(sp.cancel(wide.subs(noise, 0)), N, sp.oo)
    steps = [
        Step("feature-loss", equation(loss, sp.factor(features)),
             "t, P → ∞ in the ridgeless loss.",
             Exact({loss: kappa * h1}, rational), Reference(PAPER, "17"),
             (equation(loss, kappa**2 * h2),)),
        Step("data-loss", equation(loss, sp.factor(data)), "t, N → ∞ in the ridgeless loss.",
             Exact({loss: kappa**2 * h2 / (1 - D2 / P)}, rational), Reference(PAPER, "17"),
             (equation(loss, kappa**2 * h2), equation(loss, kappa * h1))),
        _simulated_bottleneck(),
        *_exponent_steps(),
        _crossover_step("features", feature_law("5/2", "3/2"), (2.5, 1.5)),
        _crossover_step("data", data_law(4, "3/2"), (4, 1.5)),
    ]  # fmt: skip
    return Parts(
        steps, sp.Tuple(equation(r_size, sp.Min(a - 1, b)), equation(r_data, sp.Min(a - 1, 2 * b))),
        ("a > 1, b > 1, M = ∞, no label noise",),
        ("(13), (17): the model exponent is min(a−1, b). The printed min(a−1, 2b) is that of the "
         "bias κ²h₂ alone; the variance κh₁ − κ²h₂ falls as N^{-b}. Only easy tasks, a − 1 > b, "
         "change. Simulation at a = 3.4, b = 1.2 and the exact curve both reject the printed one.",
         "Where a − 1 = b (features) or a − 1 = 2b (data) two poles coincide: N^{-b} ln N."),
    )  # fmt: skip


def _simulated_bottleneck() -> Step:
    """Loss of N = 64 features trained on the population: κh₁ against the bias κ²h₂."""
    cell = sampled.task(64, 1, 1200, b=1.2, a=3.4)
    spectrum = cell.spectrum
    root = solve(spectrum, cell.features, math.inf, 0.0).value
    point = Point({kappa: root}, spectrum)
    return Step(
        "simulated-feature-loss", equation(loss, kappa * h1),
        "60 draws of 64 features, the best linear read-out of the population.",
        Statistical(lambda: sampled.best_readout(cell, 60), lambda c: float(point(c.args[1])),
                    sizes=cell.sizes()),
        Reference(PAPER, "17"), (equation(loss, kappa**2 * h2), equation(loss, 2 * kappa * h1)),
    )  # fmt: skip


def _exponent_steps() -> list[Step]:
    """The claimed minimum against the exact curves, for hard and easy tasks."""
    sizes = np.geomspace(1e4, 1e8, 9)

    def by_features(target: Any, exponent: Any) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: static_loss(_law(target, exponent), x, math.inf).excess_loss

    def by_data(target: Any, exponent: Any) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: static_loss(_law(target, exponent), math.inf, x).excess_loss

    model, samples = sp.Min(a - 1, b), sp.Min(a - 1, 2 * b)
    steps = []
    for point in ((1.5, 1.25), (4, 2), (4, 1.25)):
        hard = point[0] - 1 < point[1]
        steps.append(Step(
            f"model-exponent-a{point[0]}-b{point[1]}", equation(r_size, model),
            "Slope of the exact loss over N = 10⁴ … 10⁸.",
            Fitted(by_features(*point), sizes, point), Reference(PAPER, "17"),
            (equation(r_size, b if hard else sp.Min(a - 1, 2 * b)),),
        ))  # fmt: skip
    for point in ((1.5, 1.25), (4, 2), (4, 1.25)):
        steps.append(Step(
            f"data-exponent-a{point[0]}-b{point[1]}", equation(r_data, samples),
            "Slope of the exact loss over P = 10⁴ … 10⁸.",
            Fitted(by_data(*point), sizes, point), Reference(PAPER, "13"),
            (equation(r_data, b if point[0] - 1 < 2 * point[1] else a - 1),),
        ))  # fmt: skip
    return steps


def _crossover_step(name: str, law: Any, point: tuple[Any, Any]) -> Step:
    """At coinciding poles loss/size^{-p} grows like coefficient × logarithm of the size."""
    sizes = np.geomspace(1e4, 1e8, 9)
    infinite = np.full(len(sizes), math.inf)
    pair = (sizes, infinite) if name == "features" else (infinite, sizes)
    size = N if name == "features" else P

    def slope() -> float:
        exact = static_loss(_law(*point), *pair).excess_loss
        power = float(law.exponents[1 if name == "features" else 2])
        return float(slope_weights(np.log(sizes)) @ (exact * sizes**power))

    def claimed(claim: sp.Basic) -> float:
        power = law.exponents[1 if name == "features" else 2]
        scaled = sp.simplify(claim.args[1].subs(law.point) * size**power)
        return float(sp.diff(scaled, size).subs(size, 1.0))

    value = law.expression
    return Step(
        f"crossover-{name}", equation(loss, value),
        f"a = {point[0]}, b = {point[1]}: loss × size^{{p}} against ln(size), 10⁴ … 10⁸.",
        Agrees(slope, claimed, 3), Reference(PAPER, "17"),
        (equation(loss, value / sp.log(size)), equation(loss, 2 * value)),
    )  # fmt: skip


# ---- compute -----------------------------------------------------------------------------

coefficient_time, coefficient_size = sp.symbols("A B", positive=True)
p, q = sp.symbols("r_t r_N", positive=True)


@derivation(
    "compute-optimal",
    "How to spend compute C = N t: asymmetric, and different for easy tasks",
    Reference(PAPER, "14"), Reference(PAPER, "153"), Reference(PAPER, "154"),
    Reference(PAPER, "155"), Reference(PAPER, "156"), Reference("phases"),
)  # fmt: skip
def compute_optimal_allocation() -> Parts:
    """Minimising A t^{-r_t} + B N^{-r_N} at fixed N t gives the paper's exponents, which hold for
    hard tasks. For easy tasks the 1/N correction of the dynamics is met first, and the frontier
    is flatter: C^{-(a−1)/a}. Both are compared with the exact loss minimised over N."""
    balance = p * coefficient_time / (q * coefficient_size)
    time = balance ** (1 / (p + q)) * compute ** (q / (p + q))
    hard, easy = compute_optimal("3/2", "5/4"), compute_optimal(4, 2)
    printed = (a - 1) * sp.Min(a - 1, 2 * b) / (a - 1 + b * sp.Min(a - 1, 2 * b))
    two_terms = p * q / (p + q)
    exponent = sp.Piecewise(((a - 1) / (b + 1), a - 1 < b), ((a - 1) / a, True))
    with_hard = {p: (a - 1) / b, q: a - 1}
    with_easy = {p: (a - 1) / b, q: b}
    r_loss = sp.Symbol("r_C")
    steps = [
        Step("stationary", equation(t, time), "Derivative of A t^{-r_t} + B (C/t)^{-r_N} by t.",
             _Stationary(), Reference(PAPER, "153"),
             (equation(t, balance ** (1 / (p + q)) * compute ** (p / (p + q))),
              equation(t, compute / 2))),
        Step("hard-exponent", equation(two_terms.subs(with_hard), (a - 1) / (b + 1)),
             "r_t = (a−1)/b and r_N = a−1, the paper's exponent at m = a − 1.", Exact(),
             Reference(PAPER, "14"), (equation(two_terms.subs(with_hard), (a - 1) / b),)),
        Step("asymmetry", equation((q - p).subs(with_hard) / (p + q).subs(with_hard),
                                   (b - 1) / (b + 1)),
             "t ~ C^{b/(b+1)} and N ~ C^{1/(b+1)}: time grows faster since b > 1.", Exact(),
             Reference(PAPER, "14"),
             (equation((q - p).subs(with_hard) / (p + q).subs(with_hard), 0),)),
        _frontier_step("hard-frontier", (1.5, 1.25), equation(r_loss, exponent), (
            equation(r_loss, (a - 1) / a), equation(r_loss, (a - 1) / (2 * b)))),
        _frontier_step("easy-frontier", (4, 2), equation(r_loss, exponent), (
            equation(r_loss, printed), equation(r_loss, two_terms.subs(with_easy)))),
        Step("easy-prefactor", equation(loss, easy.expressions[2]),
             "Time against feature embedding, with prefactors, and the exact minimum at C = 10¹⁴.",
             Agrees(lambda: _frontier_losses((4, 2))[1][-1],
                    lambda c: float(c.args[1].subs(compute, 1e14)), 3),
             Reference(PAPER, "156"), (equation(loss, 2 * easy.expressions[2]),)),
        Step("hard-scaling-function",
             sp.Lt(loss, hard.expressions[2] * sp.Rational(9, 10)),
             "At t ~ N^b the exact loss is a scaling function, well below the sum of two laws.",
             Holds(_hard_frontier), None,
             (sp.Gt(loss, hard.expressions[2]), sp.Lt(loss, hard.expressions[2] / 2))),
        _simulated_embedding(),
    ]  # fmt: skip
    return Parts(
        steps, equation(r_loss, exponent),
        ("unlimited data, gradient flow, M = ∞, compute C = N t",),
        ("(14): exact for a − 1 < b, where m = a − 1. For easy tasks neither the printed "
         "m = min(a−1, 2b) nor m = min(a−1, b) is the exponent of the exact frontier; the term "
         "N^{-1} t^{-(b−1)/b} stands between the two power laws.",),
    )  # fmt: skip


class _Stationary:
    """The claimed t makes the sum of the two laws stationary at fixed C."""

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Insert into t·d/dt, at seeded values of every letter."""
        total = coefficient_time * t**-p + coefficient_size * (compute / t) ** -q
        slope = sp.diff(total, t) * t / total
        rng = np.random.default_rng(154)
        worst = 0.0
        for _ in range(8):
            letters = (coefficient_time, coefficient_size, p, q, compute)
            point = {x: sp.Float(rng.uniform(0.3, 3)) for x in letters}
            point[compute] *= 100
            moment = claim.args[1].subs(point)
            worst = max(worst, abs(complex(slope.subs({**point, t: moment}))))
        outcome = "pass" if worst < 1e-10 else "fail"
        return Verdict(outcome, f"largest logarithmic slope {worst:.1e}", {"slope": worst})  # type: ignore[arg-type]


@cache
def _frontier_losses(point: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    budgets = np.geomspace(1e10, 1e14, 3)
    return budgets, compute_frontier(_law(*point), budgets).loss


def _hard_frontier() -> list[dict[sp.Symbol, float]]:
    budgets, losses = _frontier_losses((1.5, 1.25))
    return [{compute: c, loss: x} for c, x in zip(budgets, losses, strict=True)]


def _frontier_step(
    name: str, point: tuple[Any, Any], claim: sp.Eq, wrong: tuple[sp.Eq, ...]
) -> Step:
    budgets = np.geomspace(1e10, 1e14, 3)
    return Step(
        name, claim,
        f"Exact loss minimised over N, C = 10¹⁰ … 10¹⁴, a = {point[0]}, b = {point[1]}.",
        Fitted(lambda _: _frontier_losses(point)[1], budgets, point), Reference(PAPER, "14"), wrong,
    )  # fmt: skip


def _simulated_embedding() -> Step:
    """A wide model at moderate time: time law + embedding against time law + static bottleneck."""
    cell = sampled.task(400, 1, 500, b=2.0, a=4.0)
    time = 60.0
    laws = bottleneck_laws(4, 2, one_pass=True)
    sums = {
        name: laws["time"].expression + laws[name].expression
        for name in ("feature embedding", "features")
    }

    def value(claim: sp.Basic) -> float:
        return float(claim.args[1].subs({a: 4, b: 2, N: cell.features, t: time}))

    return Step(
        "simulated-embedding", equation(loss, sums["feature embedding"]),
        "24 models of 400 features trained on the population to t = 60.",
        Statistical(lambda: sampled.population_flow(cell, time, 24), value, sizes=cell.sizes()),
        Reference("phases"), (equation(loss, sums["features"]),),
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
    bias, total = sp.symbols("bias L")
    averaged = 1 - u + u / members
    ensemble, wider = sp.symbols("L_ensemble L_wide")
    steps = [
        Step("bias-share", equation(bias / total, 1 - u),
             "h₁ ~ κ^{u−1}, so κ²h₂ = −κ²h₁' = (1−u) κh₁.",
             Exact({bias: _power_bias(u), total: kappa**u}), Reference(PAPER, "19"),
             (equation(bias / total, u), equation(bias / total, 1 / u))),
        Step("means", sp.Lt(members**-u, averaged),
             "The weighted geometric mean of 1 and 1/E is below the arithmetic one.",
             Holds(lambda: _grid(members, u)), None, (sp.Gt(members**-u, averaged),)),
        Step("width-wins", sp.Lt(members ** (-u * b), averaged),
             "E times the width divides the loss by E^{ub}, b > 1.",
             Holds(lambda: _grid(members, u)),
             Reference(PAPER, "19"), (sp.Gt(members ** (-u * b), averaged),)),
        Step("along-training", sp.Lt(wider, ensemble),
             "Exact losses at equal compute, E = 2, 4, N = 32, 128, t = 10² … 10⁶, three tasks.",
             Holds(lambda: _equal_compute(ensemble, wider)), Reference(PAPER, "19"),
             (sp.Gt(wider, ensemble),)),
    ]  # fmt: skip
    return Parts(
        steps,
        sp.Lt(members ** (-u * b), averaged),
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
    """With unlimited data the loss falls with N at every time. With P samples it first falls, then
    rises towards N = P late in training: the order of two widths is reversed by reusing data."""
    narrow, wide = sp.symbols("L_N L_2N")
    below = sp.factor(final_error(N).subs(noise, 0))
    steps = [
        Step("online", sp.Lt(wide, narrow),
             "Exact losses of N and 2N features, P = ∞, N = 16 … 256, t = 1 … 10⁶, three tasks.",
             Holds(lambda: _doubled(narrow, wide, math.inf)), Reference(PAPER, "9"),
             (sp.Gt(wide, narrow),)),
        Step("early", sp.Lt(wide, narrow), "P = 128, N = 32, 64, t ≤ 1: wider is still better.",
             Holds(lambda: _reused(narrow, wide, (0.1, 0.3, 1.0))), Reference(PAPER, "9"),
             (sp.Gt(wide, narrow),)),
        Step("reversal", sp.Gt(wide, narrow), "The same models at t ≥ 10⁶: wider is worse.",
             Holds(lambda: _reused(narrow, wide, (1e6, 1e8))), Reference(PAPER, "9"),
             (sp.Lt(wide, narrow),)),
        Step("pole", equation(below, P * kappa * h1 / (P - N)),
             "At the end of training the loss has a pole at N = P.", Exact(simplify=rational),
             None, (equation(below, kappa * h1),)),
    ]  # fmt: skip
    return Parts(
        steps,
        sp.Lt(wide, narrow),
        ("unlimited data: P = ∞",),
        notes=("The optimally regularised or early-stopped model does not show the reversal.",),
    )


@cache
def _doubled(narrow: sp.Symbol, wide: sp.Symbol, samples: float) -> list[dict[sp.Symbol, float]]:
    sizes, times = 2.0 ** np.arange(4, 9), np.geomspace(1, 1e6, 7)
    points = []
    for target, exponent in ((1.5, 1.25), (2.0, 1.5), (4.0, 2.0)):
        found = dynamics(_law(target, exponent), sizes, samples, times).excess_loss
        points += [
            {narrow: x, wide: y} for x, y in zip(found[:-1].ravel(), found[1:].ravel(), strict=True)
        ]
    return points


@cache
def _reused(
    narrow: sp.Symbol, wide: sp.Symbol, times: tuple[float, ...]
) -> list[dict[sp.Symbol, float]]:
    found = dynamics(_law(1.5, 1.25), np.array([64.0, 120.0]), 128, np.array(times)).excess_loss
    return [{narrow: x, wide: y} for x, y in zip(found[0], found[1], strict=True)]
