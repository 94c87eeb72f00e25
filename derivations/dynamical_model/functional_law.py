r"""Schedules of SGD as a convolution in intrinsic time: exponents, the best annealing, collapse.

A corollary of the exact recursion of one-pass SGD (@one-pass-sgd) for small rates, N = ∞: with the
intrinsic time τ = Σ η the loss without noise is that of gradient flow, and label noise adds

    (σ²/B) ∫_0^τ K(v) η dv,      K(v) = Σ λ² e^{−2λv},      v = τ − u.

Everything is compared with the exact recursion over up to 10⁸ steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import sympy as sp
from scipy.interpolate import CubicSpline

from solvable.analytic.notation import N, a, b, letter
from solvable.analytic.optimum import lowest, minimum
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.annealing import (
    least_noise,
    noise_kernel,
    optimal_annealing,
    polynomial_decay,
)
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.scheduled_training import scheduled_dynamics
from solvable.analytic.training.schedules import Schedule, schedule

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Inequality, Slope
from ..derivation import Step
from ..relations import Equivalent, Less, equation
from .mean_field import PAPER
from .optimisers import curvature, eta, multiplier, x

p, length, kernel, integral, price = sp.symbols("p L K S mu", positive=True)
second = sp.Symbol("c_2")
error_power, noise_power, budget_power = sp.symbols("r_eta r_p r_L")
best = letter("η*", r"\eta^{*}")
best_noise, other_noise, cost = sp.symbols("V_* V_s V", positive=True)
best_time = letter("t*", r"t^{*}")

LOUD = 1e18  # label noise beside which the loss of the target is nothing
BATCH = 10**4


def noise_of(law: PowerLaw, rates: Schedule) -> float:
    """The loss that label noise of variance B adds, by the exact recursion."""
    found = scheduled_dynamics(
        law, math.inf, math.inf, [rates.last], rates, batch=BATCH, noise=LOUD
    )
    return float(found.excess_loss[0]) / LOUD * BATCH


def convolved(law: PowerLaw, rate: float, total: float) -> float:
    """∫_0^τ K(v) η dv of a constant rate, by Gauss–Legendre in ln(1 + v)."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    width = math.log1p(total)
    v = np.expm1(width * (nodes + 1) / 2)
    return float(rate * np.sum(width / 2 * weights * (1 + v) * noise_kernel(law)(v)))


@derivation(
    "functional-scaling-law",
    "Schedules as a convolution in intrinsic time, and the best annealing",
    Reference(PAPER, "16"), Reference("functional-law"), Reference("optimal-schedules"),
)  # fmt: skip
def functional_scaling_law() -> Parts:
    """A step of a small rate is a piece of intrinsic time. Noise that enters when v of it is left
    is kept by the kernel K(v); the decay of the rates decides how much that is, and a product of
    two Cauchy–Schwarz factors bounds it from below."""
    logarithm = sp.series(sp.log(multiplier), eta, 0, 3).removeO()
    annealed = integral / (length * sp.sqrt(kernel))
    steps = [
        Step("intrinsic-time", equation(second, curvature - 2),
             "ln q = −2ηx + c₂η²x² + …: to first order the product of the factors q of all steps "
             "is e^{−2xτ}, and the error is Σ η² x².",
             Exact(value=lambda: sp.expand(logarithm).coeff(eta, 2) / x**2), None,
             (equation(second, curvature), equation(second, curvature / 2 - 2))),
        Step("error", equation(error_power, 1),
             "The exact noise of a constant rate less ∫Kη dv, relative to it, at the intrinsic "
             "time 50 and b = 3/2: first order in the rate.",
             Slope([({}, _errors)], sign=1, axes=("η", "relative error")), None,
             (equation(error_power, 2), equation(error_power, sp.Rational(1, 2)))),
        _noise_exponents(),
        Step("annealing", equation(best, annealed),
             "The least ∫dv Kη of L steps, ∫dv/η = L, is that of K = μ/η²; μ is fixed by L, with "
             "S = ∫dv √K.",
             Exact(residual=_euler_lagrange), None,
             (equation(best, integral / (length * kernel)), equation(best, annealed * 2))),
        Step("least-noise", Equivalent(cost, integral**2 / length),
             "In units of σ²/B; the exact recursion under these rates, 2·10⁵ steps, τ = 2000.",
             Agrees(lambda: noise_of(LAW, _annealed()), _claimed_noise, 1e-3), None,
             (Equivalent(cost, integral / length), Equivalent(cost, 2 * integral**2 / length))),
        Step("others-are-worse", Less(best_noise, other_noise),
             "The exact noise under these rates and under linear, cosine, quadratic and "
             "warm-up–stable–decay ones of as many steps and the same intrinsic time.",
             Inequality(_compared), None, (Less(other_noise, best_noise),)),
        Step("budget", equation(budget_power, (a - 1) / a),
             "The loss of L steps at the best intrinsic time, E(τ) + S²/L, falls as L^{−r_L}, "
             "if a > b (else the time is limited by the largest rate).",
             Slope([_budget(3, 1.5), _budget(2.5, 2)], axes=("L", "loss")), None,
             (equation(budget_power, (a - 1) / b), equation(budget_power, 1 - 1 / b))),
        Step("collapse", equation(best_time, N**b),
             "The times along which curves of all sizes are one: L(xt*)/L(t*) at x = 10⁻³, 10⁻², "
             "10⁻¹ of 10⁴ features is that of 10⁶, b = 5/4, a = 3/2.",
             Agrees(lambda: _collapsed(1e4, 1e4**1.25), _claimed_collapse, 1e-3), None,
             (equation(best_time, N), equation(best_time, N**a))),
    ]  # fmt: skip
    return Parts(
        steps, (steps[1].claim, steps[2].claim, steps[4].claim, steps[6].claim),
        ("fresh Gaussian samples, N = ∞ (but for @functional-scaling-law/collapse), M = ∞",
         "rates small against 1/λ₁"),
    )  # fmt: skip


LAW = PowerLaw(exponent=1.5)
STEPS, TOTAL = 200_000, 2000.0


def _errors() -> tuple[np.ndarray, np.ndarray]:
    rates, total = np.array([0.002, 0.001, 0.0005]), 50.0
    exact = [noise_of(LAW, polynomial_decay(h, round(total / h), 0.0)) for h in rates]
    return rates, np.array([y / convolved(LAW, h, total) - 1 for y, h in zip(exact, rates)])


def _noise_exponents() -> Step:
    """The end of a decay, or the bulk of the run."""
    claim = equation(noise_power, sp.Min(p / (p + 1), 1 - 1 / b))

    def curve(power: float, exponent: float) -> tuple[np.ndarray, np.ndarray]:
        lengths = np.geomspace(1e7, 1e8, 3).round()
        law = PowerLaw(exponent=exponent)
        return lengths, np.array([
            noise_of(law, polynomial_decay(0.2, int(n), power)) for n in lengths
        ])  # fmt: skip

    points = ((3, 1.5), (0.5, 4), (1, 5))
    return Step(
        "noise-exponent", claim,
        "Rates that end as (1 − n/L)^p: near the end η = (v/L)^{p/(p+1)}, and ∫K η dv converges "
        "there, or else is ∫K over the whole run. Exact recursions of 10⁷ to 10⁸ steps.",
        Slope([({p: q, b: s}, cache(lambda q=q, s=s: curve(q, s))) for q, s in points],
              axes=("L", "V")),
        None, (equation(noise_power, p / (p + 1)), equation(noise_power, 1 - 1 / b)),
    )  # fmt: skip


def _euler_lagrange(claim: sp.Basic) -> list[sp.Expr]:
    """Stationarity of Kη + μ/η at the claimed rate, μ being the one that takes L steps."""
    rate = sp.Symbol("eta", positive=True)
    (fixed,) = sp.solve(integral / sp.sqrt(price) - length, price)  # ∫dv √(K/μ) = L
    slope = sp.diff(kernel * rate + price / rate, rate).subs(price, fixed)
    taken = integral / (claim.rhs * sp.sqrt(kernel))  # ∫dv/η, as η√K is constant
    return [sp.simplify(slope.subs(rate, claim.rhs)), sp.simplify(taken - length)]


@cache
def _annealed() -> Schedule:
    return optimal_annealing(LAW, TOTAL, STEPS)


def _claimed_noise(claim: sp.Basic) -> float:
    value = math.sqrt(least_noise(LAW, TOTAL, STEPS) * STEPS)
    return float(claim.rhs.subs({integral: value, length: STEPS}))


@cache
def _compared() -> list[dict[sp.Symbol, float]]:
    mean = TOTAL / STEPS
    others = [polynomial_decay((q + 1) * mean, STEPS, q) for q in (1.0, 2.0)]
    others += [schedule("cosine", 2 * mean, STEPS), schedule("wsd", mean / 0.9, STEPS)]
    least = noise_of(LAW, _annealed())
    return [{best_noise: least, other_noise: noise_of(LAW, rates)} for rates in others]


def _budget(
    target: float, exponent: float
) -> tuple[dict[sp.Symbol, float], Callable[[], tuple[np.ndarray, np.ndarray]]]:
    """min_τ E(τ) + S(τ)²/L over L, at σ² = B."""
    law = PowerLaw(exponent=exponent, target_exponent=target)

    def losses() -> tuple[np.ndarray, np.ndarray]:
        lengths, grid = np.geomspace(1e12, 1e16, 5), np.geomspace(1e4, 1e14, 30)
        plain = np.asarray(dynamics(law, math.inf, math.inf, grid).excess_loss)
        least = np.array([least_noise(law, tau, 1.0) for tau in grid])
        logs = CubicSpline(np.log(grid), np.log([plain, least]), axis=1)

        def total(log_tau: np.ndarray, steps: np.ndarray) -> np.ndarray:
            one, two = np.exp(logs(log_tau))
            return one + two / steps

        log_grid = np.log(grid)
        found = lowest(log_grid, np.array([total(np.full(5, y), lengths) for y in log_grid]))
        return lengths, minimum(total, found, lengths)[1]

    return {a: target, b: exponent}, cache(losses)


def _collapsed(size: float, time: float) -> list[float]:
    """L(xt)/L(t) of gradient flow on N features and unlimited samples."""
    law = PowerLaw(exponent=1.25, target_exponent=1.5)
    times = time * np.array([1.0, 1e-3, 1e-2, 0.1])
    found = np.asarray(dynamics(law, size, math.inf, times).excess_loss)
    return list(found[1:] / found[0])


def _claimed_collapse(claim: sp.Basic) -> list[float]:
    size = 10**6
    time = float(claim.rhs.subs({N: size, a: 1.5, b: 1.25}))
    return _collapsed(size, time) if time > 0 else [math.nan] * 3
