"""Allocation as catalogue entries: N against T, the phenomenological law, N against time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.asymptotics import allocation
from solvable.analytic.asymptotics.allocation import (
    A,
    B,
    C,
    kaplan_form,
    kaplan_relation,
    p,
    q,
    r_N,
    r_t,
)
from solvable.analytic.asymptotics.allocation import ratio as size_ratio
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import N, alpha, t
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Check, Exact, Numeric, Point, Verdict
from ..derivation import Step, equation
from .competing_poles import judge, right_side

LOSS = sp.Symbol("L")


@derivation(
    "equiparameterisation",
    "How to split a budget between features and samples",
    Reference("solvable-model"),
    Reference("talk"),
)
def equiparameterisation() -> Parts:
    """At the optimal ridge the loss is N^{-α} G(N/T). Under N^p T^q = C the best N/T does not
    depend on C: N = T for p = q whatever α, q/p at α = 1, and something else otherwise. Without
    ridge the best ratio keeps away from the peak at N = T."""
    below = allocation.ridgeless_loss("N")
    closed = sp.solve(allocation.stationarity(below), size_ratio)[0]
    loss = allocation.reduced_optimal_loss()
    unequal = allocation.allocate(Fraction(1, 2), 1, 2).ratio
    returns = size_ratio * sp.diff(loss, size_ratio) / loss
    steps = [
        Step(
            "equal-powers",
            equation(returns.subs(size_ratio, 1), alpha / 2),
            "N ↔ T symmetry: at N = T the returns on both resources agree, d ln G/d ln r = α/2, "
            "for every α. Equal powers in the budget mean N = T.",
            Numeric(_alphas, digits=18),
            Reference("solvable-model"),
            (equation(returns.subs(size_ratio, 1), alpha),),
        ),
        Step(
            "at-one",
            equation(returns.subs(alpha, 1), size_ratio / (1 + size_ratio)),
            "α = 1: G = k (1 + r), so r/(1 + r) = q/(p + q) and N/T = q/p.",
            Exact(),
        ),
        Step(
            "unequal-powers",
            equation(size_ratio, sp.Float(unequal, 12)),
            "α = ½ under N T² = C: the law (1/N + 1/T)^α would give N/T = 2.",
            _RatioCheck("optimal", {}),
            None,
            (equation(size_ratio, sp.Integer(2)),),
        ),
        Step(
            "without-ridge",
            equation(size_ratio, closed),
            "Zero ridge, N < T: G = k/(1 − r).",
            _RatioCheck("zero", {alpha: Fraction(1, 2), p: 1, q: 2}),
            None,
            (equation(size_ratio, q / p),),
        ),
    ]
    return Parts(
        steps,
        steps[0].claim,
        ("isotropic target, M = ∞, N and T large, no noise", "r = N/T, budget N^p T^q = C"),
    )


def _alphas() -> list[Point]:
    return [Point({alpha: mpmath.mpf(x) / 3}) for x in (1, 2, 4, 7)]


@dataclass(frozen=True)
class _RatioCheck:
    """The claimed N/T minimises the exact loss (at the optimal or at zero ridge) under N T² = C."""

    ridge: str
    values: dict[sp.Symbol, Any]
    tolerance: float = 0.002

    def __call__(self, claim: sp.Basic) -> Verdict:
        claimed = float(right_side(claim).subs(self.values))
        observed = _best_ratio(self.ridge)
        return judge(
            abs(observed / claimed - 1) < self.tolerance,
            f"exact minimum at N/T = {observed:.5f}, claimed {claimed:.5f}",
            {"ratio": observed},
        )


@cache
def _best_ratio(ridge: str) -> float:
    """N/T that minimises the exact loss at α = ½ under N T² = 3·10¹²; without ridge, N < T."""
    from scipy.optimize import minimize_scalar

    spectrum, budget = PowerLaw(alpha=0.5), 3e12

    def along(log_ratio: float) -> float:
        r = math.exp(log_ratio)
        features = (budget * r**2) ** (1 / 3)
        loss = optimal_ridge if ridge == "optimal" else static_loss
        return float(loss(spectrum, features, features / r).excess_loss)

    bounds = (-2.0, 3.0) if ridge == "optimal" else (-4.0, -0.05)
    best = minimize_scalar(along, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    return math.exp(best.x)


@derivation(
    "phenomenological-law",
    "The phenomenological law, N(T), and what the model says",
    Reference("solvable-model", "1"),
    Reference("solvable-model", "6"),
    Reference("kaplan"),
)
def phenomenological_law() -> Parts:
    """[(N_c/N)^{α_N/α_T} + T_c/T]^{α_T} has both terms equal at N(T) = N_c (T/T_c)^{α_T/α_N}. The
    model has α_N = α_T = α and N_c = T_c; its loss at the optimal ridge is the law times a factor
    that depends on N/T and α only, and is 1 at α = 1."""
    form, relation = kaplan_form(), kaplan_relation()
    first, second = form.base.args
    error = allocation.law_error()
    one = allocation.law_error().subs(alpha, 1)
    equal = sp.Symbol("rho", positive=True)
    steps = [
        Step(
            "balance",
            equation(N, relation),
            "Where (N_c/N)^{α_N/α_T} = T_c/T.",
            _balance_check(first, second),
            Reference("solvable-model", "6"),
            (equation(N, 1 / relation),),
        ),
        Step(
            "exact-at-one",
            equation(one, 1),
            "α = 1: the law is exact at the optimal ridge.",
            Exact(),
            Reference("zhang"),
        ),
        Step(
            "factor",
            equation(equal, error),
            "L*/[k (1/N + 1/T)^α] as a function of r = N/T; the exact loss approaches it "
            "as the sizes grow.",
            _factor_check(),
            Reference("talk"),
            (equation(equal, sp.Integer(1)),),
        ),
    ]
    return Parts(steps, steps[-1].claim, ("isotropic target, M = ∞, N and T large, no noise",))


def _balance_check(first: sp.Expr, second: sp.Expr) -> Check:
    def check(claim: sp.Basic) -> Verdict:
        residual = sp.expand_log(sp.log((first / second).subs(N, right_side(claim))), force=True)
        zero = sp.simplify(sp.expand(residual)) == 0
        return judge(
            zero,
            "ln(first term/second term) at N(T) " + ("vanishes" if zero else f"is {residual}"),
        )

    return check


def _factor_check() -> Check:
    def check(claim: sp.Basic) -> Verdict:
        rows = []
        for exponent, r in ((Fraction(1, 2), 1), (Fraction(1, 2), 3), (Fraction(2), 1)):
            claimed = float(sp.N(right_side(claim).subs({alpha: exponent, size_ratio: r})))
            rows.append((claimed, _exact_factor(float(exponent), float(r))))
        worst = max(abs(x / y - 1) for x, y in rows)
        return judge(worst < 1e-3, f"claimed and exact factors {rows}", {"worst": worst})

    return check


@cache
def _exact_factor(exponent: float, r: float) -> float:
    """L*/[k (1/N + 1/T)^α] of the exact loss at N = 3·10⁴, T = N/r."""
    n, power = 3e4, 1 + exponent
    best = optimal_ridge(PowerLaw(alpha=exponent), n, n / r).excess_loss
    k = (mpmath.pi / power / mpmath.sin(mpmath.pi / power)) ** power
    return float(best / (k * (1 / n + r / n) ** exponent))


@derivation(
    "time-and-features",
    "The best model size and training time for a compute budget",
    Reference("dynamical-model", "153"),
    Reference("dynamical-model", "156"),
)
def time_and_features() -> Parts:
    """Minimise A t^{-r_t} + B N^{-r_N} under N^p t^q = C: in logarithms the condition of equal
    returns is linear, so exponents and prefactors follow for every budget."""
    best = allocation.time_allocation()
    paper = r_t * r_N / (r_t + r_N)
    steps = [
        Step(
            "features",
            equation(N, best.features),
            "The optimum of the linear system.",
            _optimum_check("features"),
            Reference("dynamical-model", "154"),
            (equation(N, 2 * best.features),),
        ),
        Step(
            "time",
            equation(t, best.time),
            "The time that the budget leaves.",
            _optimum_check("time"),
            Reference("dynamical-model", "155"),
            (equation(t, 2 * best.time),),
        ),
        Step(
            "loss",
            equation(LOSS, best.loss),
            "The loss there: one of the two terms times 1 + p r_t/(q r_N).",
            _optimum_check("loss"),
            Reference("dynamical-model", "156"),
            (equation(LOSS, 2 * best.loss),),
        ),
        Step(
            "exponent",
            equation(-best.exponents()[2].subs({p: 1, q: 1}), paper),
            "For C = N t the exponent of the paper.",
            Exact(),
            Reference("dynamical-model", "156"),
            (equation(-best.exponents()[2].subs({p: 1, q: 1}), 2 * paper),),
        ),
    ]
    return Parts(steps, steps[2].claim, ("L = A t^{-r_t} + B N^{-r_N}, budget N^p t^q = C",))


#: a point at which the optimum is also found numerically
SOMEWHERE = {A: 0.7, B: 1.3, r_t: 0.4, r_N: 0.8, p: 1, q: 2, C: 1e6}


def _optimum_check(which: str) -> Check:
    def check(claim: sp.Basic) -> Verdict:
        exact, claimed = _numerical_optimum()[which], float(right_side(claim).subs(SOMEWHERE))
        off = abs(claimed / exact - 1)
        message = f"claimed {claimed:.8g}, numerical minimum {exact:.8g}"
        return judge(off < 1e-5, message, {"off": off})

    return check


@cache
def _numerical_optimum() -> dict[str, float]:
    """N, t and the loss that minimise A t^{-r_t} + B N^{-r_N} under N t² = C, by search."""
    from scipy.optimize import minimize_scalar

    total = sp.lambdify((N, t), (A * t**-r_t + B * N**-r_N).subs(SOMEWHERE), "math")

    def moment(size: float) -> float:
        return math.sqrt(SOMEWHERE[C] / size)

    found = minimize_scalar(
        lambda x: total(math.exp(x), moment(math.exp(x))),
        bounds=(0, 12),
        method="bounded",
        options={"xatol": 1e-9},
    )
    size = math.exp(found.x)
    return {"features": size, "time": moment(size), "loss": found.fun}
