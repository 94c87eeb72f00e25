r"""Relatives of the dynamical model: one-pass SGD phases, two-point equivalents, feature learning.

In the letters of 2405.15074 the data have λ_j = j^{-2α} and the target j^{-2β}, that is b = 2α and
a = 2α + 2β, with d features and r steps:

    F₀   ~ d^{−2α + max(0, 1−2β)}      what d features leave
    F_pp ~ r^{−(2α+2β−1)/2α}           modes not yet learned
    F_ac ~ d^{−1} r^{−1 + 1/2α}        distortion of the learned modes by the features
    K_pp ~ r^{−2 + 1/2α}               noise of the batches

are the feature law, the time law, the embedding law and the batch noise of `analytic.dynamic_laws`;
which two of them cross at the best split of compute gives the phases.

In 2409.17858 features are learned. With a kernel that grows like the norm of what has been learned,
λ_k → λ_k |w(t)|, time runs faster, dτ = |w| dt, and |w|² ~ τ^{1−β} for hard tasks, β = (a−1)/b < 1,
so that τ ~ t^{2/(1+β)}: the exponent β becomes β max(1, 2/(1+β)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.asymptotics.dynamic_laws import compute_optimal
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import (
    N,
    T,
    alpha,
    kappa,
    kappa_prime,
    noise,
    sigma_eps,
    t,
    z,
    z_prime,
)
from solvable.analytic.resolvent import solve
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectral_functions import D1, D1_prime
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import OnePassSGD
from solvable.validation import sampled
from solvable.validation.cells import Cell

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, FiniteSize, Inequality, Point, Slope, Solves, rational
from ..derivation import Step
from ..dynamical_model.mode_sums import U_lam, U_lam2, U_target, divided_differences, unlimited
from ..dynamical_model.two_point import X, two_point_solution
from ..relations import Equivalent, Expectation, Greater, Less, Relation, equation

PHASES, TWO_POINT, LEARNING = "phases", "two-point", "feature-learning"
beta = sp.Symbol("beta", positive=True)
a, b = 2 * alpha + 2 * beta, 2 * alpha  #: exponents of the target and of the spectrum


# ---- one-pass SGD ------------------------------------------------------------------------


def _law(first: Any, second: Any) -> PowerLaw:
    """The spectrum and target of (α, β)."""
    first, second = float(sp.Rational(first)), float(sp.Rational(second))
    return PowerLaw(exponent=2 * first, target_exponent=2 * (first + second))


@derivation(
    "sgd-phases",
    "Forcing, kernel and compute-optimal phases of one-pass SGD",
    Reference(PHASES),
)  # fmt: skip
def sgd_phases() -> Parts:
    """The four terms of the loss of one-pass SGD are bottleneck laws of the dynamical model; each
    exponent is compared with exact sums, and the phases with the best split of compute."""
    capacity = 2 * alpha - sp.Max(0, 1 - 2 * beta)
    learning = (2 * alpha + 2 * beta - 1) / (2 * alpha)
    distortion = 1 - 1 / (2 * alpha)
    kernel = 2 - 1 / (2 * alpha)
    sizes, times = np.geomspace(1e5, 1e9, 9), np.geomspace(1e4, 1e8, 9)
    hard, easy = ("3/4", "1/4"), (1, 1)
    rates = [sp.Symbol(f"r_{name}") for name in ("0", "pp", "ac", "K")]
    phases = _phase_steps()
    steps = [
        Step("capacity", equation(rates[0], capacity),
             "F₀ falls as d^{-r_0}: exact static loss over d = 10⁵ … 10⁹.",
             Slope([_case(_static, hard, sizes), _case(_static, easy, sizes)],
                   axes=("d", "F₀")), Reference(PHASES),
             (equation(rates[0], 2 * alpha), equation(rates[0], 4 * alpha))),
        Step("learning", equation(rates[1], learning),
             "F_pp falls as r^{-r_pp}: exact loss at d → ∞, r = 10⁴ … 10⁸.",
             Slope([_case(_timed, hard, times)], axes=("r", "$F_{pp}$")), Reference(PHASES),
             (equation(rates[1], 2 * alpha + 2 * beta - 1),)),
        Step("distortion", equation(rates[2], distortion),
             "F_ac falls as r^{-r_ac}/d: d·(exact loss − its limit) at d → ∞, r = 10⁴ … 10⁸.",
             Slope([_case(_embedded, easy, times)], axes=("r", "$d F_{ac}$")), Reference(PHASES),
             (equation(rates[2], learning), equation(rates[2], kernel))),
        Step("kernel", equation(rates[3], kernel),
             "K_pp falls as r^{-r_K}: Σ λ² e^{−2λr}, r = 10⁴ … 10⁸.",
             Slope([_case(_kernel, hard, times)], axes=("r", "$K_{pp}$")), Reference(PHASES),
             (equation(rates[3], distortion),)),
        *phases,
        _third_phase_step(),
    ]  # fmt: skip
    return Parts(
        steps, tuple(step.claim for step in phases),
        ("α > 1/2 (a trace that exists), M = ∞, batch noise small",
         "phase Ia: β < 1/2; II: 1/2 < β < α; III: β > α"),
        ("The recalled exponents of forcing and kernel hold as they stand. The phases with α < 1/2 "
         "need a finite M and are outside these steps.",),
    )  # fmt: skip


Curve = Callable[[tuple[Any, Any], np.ndarray], Any]


def _case(curve: Curve, point: tuple[Any, Any], x: np.ndarray) -> Any:
    """x ↦ curve at (α, β), as a case of `Slope`."""
    numbers = dict(zip((alpha, beta), map(sp.Rational, point), strict=True))
    return numbers, cache(lambda: (x, curve(point, x)))


def _static(point: tuple[Any, Any], x: Any) -> Any:
    return static_loss(_law(*point), x, math.inf).excess_loss


def _timed(point: tuple[Any, Any], x: Any) -> Any:
    return dynamics(_law(*point), math.inf, math.inf, x).excess_loss


def _embedded(point: tuple[Any, Any], x: Any) -> Any:
    size = 1e9
    return size * (dynamics(_law(*point), size, math.inf, x).excess_loss - _timed(point, x))


def _kernel(point: tuple[Any, Any], x: Any) -> Any:
    """Σ λ² e^{−2λr} is the loss of a target with a = 2b."""
    exponent = 2 * float(sp.Rational(point[0]))
    law = PowerLaw(exponent=exponent, target_exponent=2 * exponent)
    return dynamics(law, math.inf, math.inf, x).excess_loss


#: phase → (loss exponent, size exponent) at the best split of C = d r, and points inside it
TABLE = {
    "Ia": ((2 * alpha + 2 * beta - 1) / (2 * alpha + 1), 1 / (2 * alpha + 1)),
    "II": ((2 * alpha + 2 * beta - 1) / (2 * (alpha + beta)), beta / (alpha + beta)),
    "III": ((4 * alpha - 1) / (4 * alpha), sp.Rational(1, 2)),
}
POINTS = {
    "Ia": (("3/4", "1/4"), ("1", "2/5")),
    "II": (("1", "3/4"), ("5/4", "1")),
    "III": (("3/4", "1"), ("1", "3/2")),
}


def _is_optimal(name: str, quantity: str) -> Exact:
    """The claimed exponent is that of the best split, at two points inside the phase."""

    def residual(claim: Relation) -> list[sp.Expr]:
        out = []
        for point in POINTS[name]:
            numbers = dict(zip((alpha, beta), map(sp.Rational, point), strict=True))
            values = [sp.sympify(x).subs(numbers) for x in (a, b)]
            found = getattr(compute_optimal(*values, one_pass=True), quantity)
            out.append(found - claim.rhs.subs(numbers))
        return out

    return Exact(residual=residual)


def _phase_steps() -> list[Step]:
    steps = []
    others = {"Ia": "II", "II": "III", "III": "II"}
    for name, values in TABLE.items():
        for index, (quantity, letter) in enumerate((("loss", "eta"), ("size", "xi"))):
            symbol = sp.Symbol(f"{letter}_{name}")
            falls = "L ~ C^{-η}" if quantity == "loss" else "d ~ C^{ξ}"
            steps.append(Step(
                f"phase-{name}-{quantity}", equation(symbol, values[index]),
                f"{falls} where the two largest terms cross at the best split of compute C = d r.",
                _is_optimal(name, quantity), Reference(PHASES),
                (equation(symbol, TABLE[others[name]][index]),),
            ))  # fmt: skip
    return steps


def _third_phase_step() -> Step:
    """Phase III: at N = √C both a wider and a narrower model are worse, by the exact SGD loss."""
    middle, beside = sp.symbols("L_half L_other")

    @cache
    def values() -> list[dict[sp.Symbol, float]]:
        law, rule = _law("3/4", "3/2"), OnePassSGD(step=0.5, batch=1)
        points = []
        for exponent in (4, 5):
            size = 10.0**exponent
            best = float(dynamics(law, size, math.inf, size, learner=rule).excess_loss)
            for factor in (1 / 8, 8):
                steps = float(round(size / factor))
                other = dynamics(law, size * factor, math.inf, steps, learner=rule).excess_loss
                points.append({middle: best, beside: float(other)})
        return points

    return Step(
        "phase-III-optimum", Less(middle, beside),
        "Exact loss of one-pass SGD at equal compute, α = 3/4, β = 3/2, C = 10⁸, 10¹⁰.",
        Inequality(values), Reference(PHASES), (Greater(middle, beside),),
    )  # fmt: skip


# ---- two-point equivalents ---------------------------------------------------------------


@derivation(
    "two-point-equivalents",
    "Deterministic equivalents of two resolvents, and how SGD needs only one",
    Reference(TWO_POINT),
)  # fmt: skip
def two_point_equivalents() -> Parts:
    """The equivalent of a product of two resolvents with different arguments is the two-point
    function of the dynamics. For unlimited features it has the known form with U[λ²]/T; for
    unlimited data forcing and kernel are divided differences of one resolvent."""
    error = two_point_solution()[X]
    classical = noise + kappa * kappa_prime * U_target
    linear = unlimited(error, N)
    product = error.subs(sigma_eps, 0)
    average = Expectation(sp.Symbol("v(z)ᵀΛv(z')"))
    corrected = kappa * kappa_prime * (U_target + U_target * U_lam2 / (T - U_lam2))
    brackets = [
        (z, kappa * (1 - D1 / N)), (z_prime, kappa_prime * (1 - D1_prime / N)),
        *divided_differences.items(),
    ]  # fmt: skip
    slope = (z - z_prime) / (kappa - kappa_prime)
    degrees = kappa_prime * U_lam + U_lam2
    steps = [
        Step("linear-regression", equation(X, classical / (1 - U_lam2 / T)),
             "N → ∞ in @two-point-function/error.", Solves([equation(X, linear)]),
             Reference(TWO_POINT),
             (equation(X, classical), equation(X, classical / (1 - U_lam2 / T) ** 2))),
        Step("inserted-covariance", equation(X, corrected),
             "Without noise: the disconnected product and its correction "
             "Tr[AΣ…]Tr[BΣ…]/(T − Tr ΣΣ…).",
             Exact(simplify=rational, value=lambda: linear.subs(sigma_eps, 0)),
             Reference(TWO_POINT),
             (equation(X, kappa * kappa_prime * (U_target + U_target * U_lam2 / T)),)),
        Step("two-frequencies", Equivalent(average, product),
             "v = z(z + AᵀAΨᵀΨ/(NT))^{-1}w at z = 0.02, z' = 0.3, 100 draws at three sizes.",
             _two_frequencies(), Reference(TWO_POINT),
             (Equivalent(average, kappa * kappa_prime * U_target),
              Equivalent(average, linear.subs(sigma_eps, 0)))),
        Step("sum-rule", equation(D1, degrees), "λ/(λ+κ) = (λκ' + λ²)/((λ+κ)(λ+κ')).",
             Exact(divided_differences, rational), None, (equation(D1, kappa * U_lam + U_lam2),)),
        Step("frequency-difference", equation(slope, 1 - U_lam2 / N),
             "T → ∞: the denominator is the divided difference of z(κ), which cancels in "
             "@one-pass-sgd/forcing and @one-pass-sgd/kernel.",
             Exact(brackets, rational), Reference(TWO_POINT), (equation(slope, 1 - U_lam / N),)),
    ]  # fmt: skip
    return Parts(
        steps, steps[2].claim, ("real frequencies z, z' > 0, or complex off the negative axis",)
    )


def _two_frequencies() -> FiniteSize:
    """N = 30s, T = 45s, M = 75s at s = 1, 2, 4."""

    def setting(size: int) -> Cell:
        return sampled.task(30 * size, 45 * size, 75 * size)

    def frequencies(size: int) -> tuple[float, float]:
        """Scaled so that D₁/T stays about the same."""
        return 0.02 * size**-1.25, 0.3 * size**-1.25

    def theory(claim: Relation, size: int) -> float:
        here = setting(size)
        spectrum = here.spectrum
        first, second = (
            solve(spectrum, here.features, here.samples, q).value for q in frequencies(size)
        )
        values = {kappa: first, kappa_prime: second, N: here.features, T: here.samples}
        return float(Point(values, spectrum)(claim.rhs.xreplace(divided_differences)))

    return FiniteSize(
        lambda size: sampled.ridge_product(setting(size), frequencies(size), 100), theory,
        sizes=setting(1).sizes(),
    )  # fmt: skip


# ---- feature learning --------------------------------------------------------------------

source = sp.Symbol("beta", positive=True)  #: β = (a − 1)/b, the exponent of time
chi = sp.Symbol("chi", positive=True)  #: the exponent of time with feature learning
own_time = sp.Symbol("tau", positive=True)  #: τ(t), the time of the kernel at rest


def _near(value: sp.Expr) -> Relation:
    return Less(sp.Abs(chi / value - 1), sp.Rational(3, 100))


@derivation(
    "feature-learning",
    "Feature learning doubles the exponent of hard tasks, at most",
    Reference(LEARNING),
)  # fmt: skip
def feature_learning() -> Parts:
    """A kernel that grows with the norm of the learned weights runs the same dynamics in a faster
    time. Hard tasks have an infinite norm, so that their time accelerates for ever; the norm of
    easy tasks saturates and changes a prefactor."""
    growth = 1 - source
    speed = own_time ** (growth / 2)
    solution = ((1 - growth / 2) * t) ** (1 / (1 - growth / 2))
    exponent = source / (1 - growth / 2)
    combined = source * sp.Max(1, 2 / (1 + source))
    rate = sp.Symbol("r_w")
    learned = Step(
        "loss", equation(chi, combined),
        "L falls as t^{-χ}: exact loss at τ(t), the clock integrated with the exact norm, for a "
        "hard and an easy task.",
        Slope([_learned((1.5, 1.25)), _learned((3.5, 1.25))], axes=("t", "L")), Reference(LEARNING),
        (equation(chi, source), equation(chi, 2 * source / (1 + source))),
    )  # fmt: skip
    steps = [
        Step("norm", equation(rate, growth),
             "|w|² = Σ w_k²(1 − e^{−λ_kτ})² grows as τ^{r_w}: a = 3/2, b = 5/4, over five decades.",
             Slope([_norm_growth()], axes=("τ", "$|w|^2$"), tolerance=0.007, sign=1),
             Reference(LEARNING),
             (equation(rate, source), equation(rate, growth / 2))),
        Step("clock", equation(own_time, solution), "dτ/dt = |w| ~ τ^{(1−β)/2}, integrated.",
             Exact(residual=lambda claim: sp.expand_log(
                 sp.log(sp.diff(claim.rhs, t)) - sp.log(speed.subs(own_time, claim.rhs)),
                 force=True)),
             Reference(LEARNING),
             (equation(own_time, t ** (1 / (1 - growth))), equation(own_time, t))),
        Step("exponent", equation(chi, 2 * source / (1 + source)),
             "β < 1: the loss falls as τ^{−β} with τ from @clock.", Exact(value=lambda: exponent),
             Reference(LEARNING), (equation(chi, 2 * source),)),
        learned,
        Step("trained", _near(combined),
             "Gradient flow of a two-layer network with one hidden unit on 10⁸ modes: within 3 %.",
             Inequality(_trained_slope), Reference(LEARNING), (_near(source), _near(2 * source))),
    ]  # fmt: skip
    return Parts(
        steps,
        learned.claim,
        ("N, T → ∞; the kernel is λ_k|w(t)|: layers of a two-layer network stay balanced",),
        (
            "Only what follows from a changed spectrum is derived here: the amplification by |w| "
            "is an assumption, tested by training one such network.",
        ),
    )  # fmt: skip


def _blocks(direct: int, last: float, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Mode indices and multiplicities: 1 … ``direct``, then geometric blocks up to ``last``."""
    edges = np.unique(np.round(np.geomspace(direct + 0.5, last, blocks + 1)))
    index = np.concatenate([np.arange(1, direct + 1.0), np.sqrt(edges[:-1] * edges[1:])])
    return index, np.concatenate([np.ones(direct), np.diff(edges)])


def _norm(values: np.ndarray, point: tuple[float, float]) -> np.ndarray:
    """Σ w_k² (1 − e^{−λ_kτ})², modes beyond 10³ in blocks."""
    target, exponent = point
    index, count = _blocks(10**3, 1e13, 2500)
    weight = count * index ** (exponent - target)
    learned = -np.expm1(-np.multiply.outer(np.atleast_1d(values), index**-exponent))
    return learned**2 @ weight


def _norm_growth() -> tuple[dict[sp.Symbol, Any], Callable[[], Any]]:
    """The squared norm against τ at a = 3/2, b = 5/4, β = 2/5."""
    times = np.geomspace(1e6, 1e11, 11)
    return {source: sp.Rational(2, 5)}, cache(lambda: (times, _norm(times, (1.5, 1.25))))


def _learned(point: tuple[float, float]) -> tuple[dict[sp.Symbol, Any], Callable[[], Any]]:
    """(t, exact loss at τ(t)) over the last decades, with t = ∫dτ/|w(τ)| integrated numerically."""

    @cache
    def curve() -> Any:
        clock = np.geomspace(1e-3, 1e13, 1500)
        speed = np.sqrt(_norm(clock, point))
        elapsed = np.cumsum(np.diff(clock) * 0.5 * (1 / speed[:-1] + 1 / speed[1:]))
        chosen = np.linspace(1125, 1498, 12).astype(int)
        law = PowerLaw(exponent=point[1], target_exponent=point[0])
        return elapsed[chosen], dynamics(law, math.inf, math.inf, clock[chosen + 1]).excess_loss

    return {source: sp.Rational(str((point[0] - 1) / point[1]))}, curve


@cache
def _train(point: tuple[float, float], final: float = 300.0) -> np.ndarray:
    """(time, loss) of f = s·u·ψ trained by gradient flow on the population (midpoint rule).

    Modes of nearly equal λ are one mode with the norm of all their weights.
    """
    index, count = _blocks(100, 1e8, 500)
    eigenvalues = index ** -point[1]
    goal = np.sqrt(count * index ** -point[0] / eigenvalues)
    outer: Any = 1.0
    inner = np.zeros(len(index))
    time, mark, path = 0.0, 1.0, []
    while time < final:
        pace = 0.3 / (outer**2 + inner @ inner)
        slope = eigenvalues * (goal - outer * inner)
        half = (outer + pace / 2 * (inner @ slope), inner + pace / 2 * outer * slope)
        slope = eigenvalues * (goal - half[0] * half[1])
        outer, inner = outer + pace * (half[1] @ slope), inner + pace * half[0] * slope
        time += pace
        if time >= mark:
            path.append((time, float((eigenvalues * (goal - outer * inner) ** 2).sum())))
            mark *= 1.4
    return np.array(path)


def _trained_slope() -> list[dict[sp.Symbol, float]]:
    """The exponent of the trained network over the second half of training, a = 3/2, b = 5/4."""
    path = _train((1.5, 1.25))
    late = path[len(path) // 2 :]
    return [{chi: -log_slope(*late.T), source: 0.4}]
