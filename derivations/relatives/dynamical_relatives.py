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
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.asymptotics.dynamic_laws import compute_optimal
from solvable.analytic.dynamics import dynamics
from solvable.analytic.learners import OnePassSGD
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import N, P, alpha, kappa, kappa_prime, t, z, z_prime
from solvable.analytic.resolvent.solution import solve
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import PowerLaw
from solvable.validation import sampled
from solvable.validation.cells import Cell

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, FiniteSize, Point, Verdict
from ..derivation import Step, equation
from ..dynamical_model.mean_field import E, two_point_solution
from ..dynamical_model.notation import (
    D1,
    D1p,
    Solves,
    T_lam,
    T_lam2,
    T_target,
    divided_differences,
    noise,
    rational,
)
from ..dynamical_model.scaling_laws import Fitted, Holds

PHASES, TWO_POINT, LEARNING = "phases", "two-point", "feature-learning"
beta = sp.Symbol("beta", positive=True)
a, b = 2 * alpha + 2 * beta, 2 * alpha  #: exponents of the target and of the spectrum
r_size, r_time = sp.symbols("r_d r_r")


# ---- one-pass SGD ------------------------------------------------------------------------


class _At:
    """A fit at (α, β): the claimed exponent is evaluated there."""

    def __init__(self, fit: Any, point: tuple[Any, Any]) -> None:
        self.fit, self.point = fit, point

    def __call__(self, claim: sp.Basic) -> Verdict:
        """The fit's verdict on the claim at (α, β)."""
        numbers = dict(zip((alpha, beta), map(sp.Rational, self.point), strict=True))
        verdict: Verdict = self.fit(equation(claim.args[0], claim.args[1].subs(numbers)))
        return verdict


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
    steps = [
        *(Step(f"capacity-{name}", equation(r_size, capacity),
               "Exact static loss over d = 10⁵ … 10⁹.",
               _At(Fitted(_static(point), sizes, (0, 0)), point), Reference(PHASES),
               (equation(r_size, 2 * alpha if name == "hard" else 4 * alpha),))
          for name, point in (("hard", hard), ("easy", easy))),
        Step("learning", equation(r_time, learning), "Exact loss at d → ∞, r = 10⁴ … 10⁸.",
             _At(Fitted(_timed(hard), times, (0, 0)), hard), Reference(PHASES),
             (equation(r_time, 2 * alpha + 2 * beta - 1),)),
        Step("distortion", equation(r_time, distortion),
             "d·(exact loss − its limit) at d → ∞, r = 10⁴ … 10⁸.",
             _At(Fitted(_embedded(easy), times, (0, 0)), easy), Reference(PHASES),
             (equation(r_time, learning), equation(r_time, kernel))),
        Step("kernel", equation(r_time, kernel), "Σ λ² e^{−2λr}, r = 10⁴ … 10⁸.",
             _At(Fitted(_kernel(hard), times, (0, 0)), hard), Reference(PHASES),
             (equation(r_time, distortion),)),
        *_phase_steps(),
        _third_phase_step(),
    ]  # fmt: skip
    return Parts(
        steps, _phase_table(), ("α > 1/2 (a trace that exists), M = ∞, batch noise small",),
        ("The recalled exponents of forcing and kernel hold as they stand. The phases with α < 1/2 "
         "need a finite M and are outside these steps.",),
    )  # fmt: skip


def _static(point: tuple[Any, Any]) -> Any:
    return lambda x: static_loss(_law(*point), x, math.inf).excess_loss


def _timed(point: tuple[Any, Any]) -> Any:
    return lambda x: dynamics(_law(*point), math.inf, math.inf, x).excess_loss


def _embedded(point: tuple[Any, Any]) -> Any:
    def curve(x: np.ndarray) -> np.ndarray:
        size = 1e9
        wide = dynamics(_law(*point), size, math.inf, x).excess_loss
        limit = dynamics(_law(*point), math.inf, math.inf, x).excess_loss
        return size * (wide - limit)

    return curve


def _kernel(point: tuple[Any, Any]) -> Any:
    """Σ λ² e^{−2λr} is the loss of a target with a = 2b."""
    exponent = 2 * float(sp.Rational(point[0]))
    law = PowerLaw(exponent=exponent, target_exponent=2 * exponent)
    return lambda x: dynamics(law, math.inf, math.inf, x).excess_loss


#: phase → (condition, loss exponent, size exponent) at the best split of C = d r
TABLE = {
    "Ia": (beta < sp.Rational(1, 2), (2 * alpha + 2 * beta - 1) / (2 * alpha + 1),
           1 / (2 * alpha + 1)),
    "II": (sp.And(beta > sp.Rational(1, 2), beta < alpha),
           (2 * alpha + 2 * beta - 1) / (2 * (alpha + beta)), beta / (alpha + beta)),
    "III": (beta > alpha, (4 * alpha - 1) / (4 * alpha), sp.Rational(1, 2)),
}  # fmt: skip
POINTS = {
    "Ia": (("3/4", "1/4"), ("1", "2/5")),
    "II": (("1", "3/4"), ("5/4", "1")),
    "III": (("3/4", "1"), ("1", "3/2")),
}


def _phase_table() -> sp.Tuple:
    return sp.Tuple(*[
        sp.Tuple(sp.Symbol(name), condition, loss, size)
        for name, (condition, loss, size) in TABLE.items()
    ])  # fmt: skip


class _Phase:
    """The claimed exponent is that of the best split, at two points inside the phase."""

    def __init__(self, name: str, quantity: str) -> None:
        self.name, self.quantity = name, quantity

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Exact comparison with the piecewise linear optimisation."""
        condition = TABLE[self.name][0]
        for point in POINTS[self.name]:
            numbers = dict(zip((alpha, beta), map(sp.Rational, point), strict=True))
            if condition.subs(numbers) != sp.true:
                return Verdict("undecided", f"{point} is outside the phase")
            values = [sp.sympify(x).subs(numbers) for x in (a, b)]
            found = getattr(compute_optimal(*map(str, values), one_pass=True), self.quantity)
            claimed = claim.args[1].subs(numbers)
            if found != claimed:
                return Verdict("fail", f"at {point}: {found}, claimed {claimed}")
        return Verdict("pass", f"the optimum at {len(POINTS[self.name])} points of the phase")


def _phase_steps() -> list[Step]:
    steps = []
    others = {"Ia": "II", "II": "III", "III": "II"}
    for name, (_, loss, size) in TABLE.items():
        for quantity, value, index in (("loss", loss, 1), ("size", size, 2)):
            symbol = sp.Symbol("eta_C" if quantity == "loss" else "xi_C")
            steps.append(Step(
                f"phase-{name}-{quantity}", equation(symbol, value),
                "The two largest terms cross at the best split of compute.",
                _Phase(name, quantity), Reference(PHASES),
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
        "phase-III-optimum", sp.Lt(middle, beside),
        "Exact loss of one-pass SGD at equal compute, α = 3/4, β = 3/2, C = 10⁸, 10¹⁰.",
        Holds(values), Reference(PHASES), (sp.Gt(middle, beside),),
    )  # fmt: skip


# ---- two-point equivalents ---------------------------------------------------------------

FREQUENCIES = (0.02, 0.3)


@derivation(
    "two-point-equivalents",
    "Deterministic equivalents of two resolvents, and how SGD needs only one",
    Reference(TWO_POINT),
)  # fmt: skip
def two_point_equivalents() -> Parts:
    """The equivalent of a product of two resolvents with different arguments is the two-point
    function of the dynamics. For unlimited features it has the known form with T[λ²]/P; for
    unlimited data forcing and kernel are divided differences of one resolvent."""
    error = two_point_solution()[E]
    classical = noise + kappa * kappa_prime * T_target
    linear = _limit(error, N)
    product = equation(sp.Symbol("z z' C_0"), error.subs(noise, 0))
    frequencies = {z: kappa * (1 - D1 / N), z_prime: kappa_prime * (1 - D1p / N)}
    steps = [
        Step("linear-regression", equation(E, classical / (1 - T_lam2 / P)),
             "N → ∞ in the two-point function.", Solves([equation(E, linear)]),
             Reference(TWO_POINT),
             (equation(E, classical), equation(E, classical / (1 - T_lam2 / P) ** 2))),
        Step("inserted-covariance",
             equation(sp.cancel(linear.subs(noise, 0)),
                      kappa * kappa_prime * (T_target + T_target * T_lam2 / (P - T_lam2))),
             "The disconnected product and its correction Tr[AΣ…]Tr[BΣ…]/(P − Tr ΣΣ…).",
             Exact(simplify=rational), Reference(TWO_POINT),
             (equation(sp.cancel(linear.subs(noise, 0)),
                       kappa * kappa_prime * (T_target + T_target * T_lam2 / P)),)),
        Step("two-frequencies", product,
             "vᵀ(z)Λv(z') at z = 0.02, z' = 0.3, 100 draws at three sizes.",
             _two_frequencies(), Reference(TWO_POINT),
             (equation(product.lhs, kappa * kappa_prime * T_target),
              equation(product.lhs, linear.subs(noise, 0)))),
        Step("sum-rule", equation((T_lam * kappa_prime + T_lam2).xreplace(divided_differences), D1),
             "λ/(λ+κ) = (λκ' + λ²)/((λ+κ)(λ+κ')).", Exact(simplify=rational), None,
             (equation((T_lam * kappa + T_lam2).xreplace(divided_differences), D1),)),
        Step("frequency-difference",
             equation((1 - T_lam2 / N).xreplace(divided_differences),
                      ((z - z_prime) / (kappa - kappa_prime)).subs(frequencies)),
             "P → ∞: the denominator is the divided difference of z(κ), which cancels in F and K.",
             Exact(simplify=rational), Reference(TWO_POINT),
             (equation((1 - T_lam / N).xreplace(divided_differences),
                       ((z - z_prime) / (kappa - kappa_prime)).subs(frequencies)),)),
    ]  # fmt: skip
    return Parts(steps, product, ("real frequencies z, z' > 0, or complex off the negative axis",))


def _limit(value: sp.Expr, size: sp.Symbol) -> sp.Expr:
    """size → ∞ in a rational function."""
    inverse = sp.Dummy(positive=True)
    return sp.factor(sp.cancel(sp.together(value.subs(size, 1 / inverse))).subs(inverse, 0))


def _two_frequencies() -> FiniteSize:
    """N = 30s, P = 45s, M = 75s at s = 1, 2, 4."""

    def setting(size: int) -> Cell:
        return sampled.task(30 * size, 45 * size, 75 * size)

    def theory(claim: sp.Basic, size: int) -> float:
        here = setting(size)
        spectrum = here.spectrum
        first, second = (solve(spectrum, here.features, here.samples, q).value for q in FREQUENCIES)
        values = {kappa: first, kappa_prime: second, N: here.features, P: here.samples}
        point = Point(values, spectrum)
        return float(point(claim.args[1].xreplace(divided_differences)))

    return FiniteSize(
        lambda size: sampled.ridge_product(setting(size), FREQUENCIES, 100), theory,
        sizes=setting(1).sizes(),
    )  # fmt: skip


# ---- feature learning --------------------------------------------------------------------

source = sp.Symbol("beta", positive=True)  #: β = (a − 1)/b, the exponent of time
chi = sp.Symbol("chi", positive=True)  #: the exponent of time with feature learning
own_time = sp.Symbol("tau", positive=True)  #: τ(t), the time of the kernel at rest


def _near(value: sp.Expr) -> sp.Basic:
    return sp.Lt(sp.Abs(chi / value - 1), sp.Rational(3, 100))


@derivation(
    "feature-learning",
    "Feature learning doubles the exponent of hard tasks, at most",
    Reference(LEARNING),
)  # fmt: skip
def feature_learning() -> Parts:
    """A kernel that grows with the norm of the learned weights runs the same dynamics in a faster
    time. Hard tasks have an infinite norm, so that their time accelerates for ever; the norm of
    easy tasks saturates and changes a prefactor."""
    norm = sp.Symbol("w^2")
    growth = 1 - source
    speed = own_time ** (growth / 2)
    solution = ((1 - growth / 2) * t) ** (1 / (1 - growth / 2))
    exponent = source / (1 - growth / 2)
    combined = source * sp.Max(1, 2 / (1 + source))
    times = np.geomspace(1e6, 1e11, 11)
    steps = [
        Step("norm", equation(norm, growth),
             "Σ w_k²(1 − e^{−λ_kτ})², a = 3/2, b = 5/4: minus the slope over five decades.",
             _NormGrowth(times), Reference(LEARNING),
             (equation(norm, source), equation(norm, growth / 2))),
        Step("clock", equation(own_time, solution), "dτ/dt = |w| ~ τ^{(1−β)/2}, integrated.",
             _Clock(speed), Reference(LEARNING),
             (equation(own_time, t ** (1 / (1 - growth))), equation(own_time, t))),
        Step("exponent", equation(exponent, 2 * source / (1 + source)),
             "The loss falls as τ^{−β}.", Exact(), Reference(LEARNING),
             (equation(exponent, 2 * source),)),
        *(Step(f"loss-{name}", equation(chi, combined),
               "Exact loss at τ(t), the clock integrated with the exact norm.",
               _Learned(point), Reference(LEARNING), (equation(chi, wrong),))
          for name, point, wrong in (
              ("hard", (1.5, 1.25), source), ("easy", (3.5, 1.25), 2 * source / (1 + source)))),
        Step("trained", _near(combined),
             "Gradient flow of a two-layer network with one hidden unit on 10⁸ modes: within 3 %.",
             Holds(_trained_slope), Reference(LEARNING), (_near(source), _near(2 * source))),
    ]  # fmt: skip
    return Parts(
        steps,
        equation(chi, combined),
        ("N, P → ∞; the kernel is λ_k|w(t)|: layers of a two-layer network stay balanced",),
        (
            "Only what follows from a changed spectrum is derived here: the amplification by |w| "
            "is an assumption, tested by training one such network.",
        ),
    )


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


class _NormGrowth:
    """The slope of the squared norm in τ at a = 3/2, b = 5/4."""

    def __init__(self, times: np.ndarray) -> None:
        self.times = times

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Compare with the claim at β = 2/5."""
        squared = _norm(self.times, (1.5, 1.25))
        observed = log_slope(self.times, squared)
        claimed = float(claim.args[1].subs(source, sp.Rational(2, 5)))
        outcome = "pass" if abs(observed - claimed) < 0.004 else "fail"
        return Verdict(outcome, f"slope {observed:.4f}, claimed {claimed:.4f}")  # type: ignore[arg-type]


class _Clock:
    """The claimed τ(t) obeys dτ/dt = speed(τ)."""

    def __init__(self, speed: sp.Expr) -> None:
        self.speed = speed

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Insert at seeded values of t and β."""
        value = claim.args[1]
        residual = sp.diff(value, t) - self.speed.subs(own_time, value)
        rng = np.random.default_rng(4)
        points = [{t: rng.uniform(1, 9), source: rng.uniform(0.1, 0.9)} for _ in range(6)]
        worst = max(abs(complex(residual.subs(point))) for point in points)
        outcome = "pass" if worst < 1e-10 else "fail"
        return Verdict(outcome, f"the equation is off by {worst:.1e}")  # type: ignore[arg-type]


class _Learned:
    """The exponent of the exact loss at τ(t), with t = ∫dτ/|w(τ)| integrated numerically."""

    def __init__(self, point: tuple[float, float]) -> None:
        self.point = point

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Slope over the last decades of t against the claim at β."""
        clock = np.geomspace(1e-3, 1e13, 1500)
        speed = np.sqrt(_norm(clock, self.point))
        elapsed = np.cumsum(np.diff(clock) * 0.5 * (1 / speed[:-1] + 1 / speed[1:]))
        chosen = np.linspace(1125, 1498, 12).astype(int)
        law = PowerLaw(exponent=self.point[1], target_exponent=self.point[0])
        loss = dynamics(law, math.inf, math.inf, clock[chosen + 1]).excess_loss
        observed = -log_slope(elapsed[chosen], loss)
        value = sp.Rational(str((self.point[0] - 1) / self.point[1]))
        claimed = float(claim.args[1].subs(source, value))
        outcome = "pass" if abs(observed - claimed) < 0.004 * claimed else "fail"
        return Verdict(outcome, f"slope {observed:.4f}, claimed {claimed:.4f}")  # type: ignore[arg-type]


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
    observed = -log_slope(late[:, 0], late[:, 1])
    return [{chi: observed, source: 0.4}]
