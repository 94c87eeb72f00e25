"""Allocation as catalogue entries: N against T, the phenomenological law, N against time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

from analytic import allocation
from analytic.allocation import A, B, C, kaplan_form, kaplan_relation, p, q, r_N, r_t
from analytic.allocation import ratio as size_ratio
from analytic.loss import static_loss
from analytic.optimal_ridge import optimal_ridge
from analytic.spectrum import PowerLaw
from analytic.symbols import N, alpha, t

from .bibliography import Reference
from .catalogue import Parts, derivation
from .checks import Check, Exact, Numeric, Point, Verdict
from .derivation import Step, equation
from .laws import judge, right_side

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
            equation(sp.simplify(returns.subs(alpha, 1)), size_ratio / (1 + size_ratio)),
            "α = 1: G = k (1 + r), so r/(1 + r) = q/(p + q) and N/T = q/p.",
            Exact(),
        ),
        Step(
            "unequal-powers",
            equation(size_ratio, sp.Float(unequal, 12)),
            "α = ½ under N T² = C: the law (1/N + 1/T)^α would give N/T = 2.",
            _budget_check(),
            None,
            (equation(size_ratio, sp.Integer(2)),),
        ),
        Step(
            "without-ridge",
            equation(size_ratio, closed),
            "Zero ridge, N < T: G = k/(1 − r).",
            _ridgeless_budget_check(),
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
    """The claimed N/T minimises the exact loss under the budget, extrapolated in the size."""

    loss: Callable[[float, float], float]
    powers: tuple[int, int]
    values: dict[sp.Symbol, Any]
    tolerance: float = 0.02

    def __call__(self, claim: sp.Basic) -> Verdict:
        from scipy.optimize import minimize_scalar

        claimed = float(right_side(claim).subs(self.values))
        one, two = self.powers
        budget = 3 * 10.0 ** (4 * (one + two))

        def along(log_ratio: float) -> float:
            r = float(sp.exp(log_ratio))
            features = (budget * r**two) ** (1 / (one + two))
            return self.loss(features, features / r)

        centre = float(sp.log(claimed))
        best = minimize_scalar(
            along,
            bounds=(centre - 1, min(centre + 1, self._limit())),
            method="bounded",
            options={"xatol": 1e-5},
        )
        observed = float(sp.exp(best.x))
        return judge(
            abs(observed / claimed - 1) < self.tolerance,
            f"exact minimum at N/T = {observed:.5f}, claimed {claimed:.5f}",
            {"ratio": observed},
        )

    def _limit(self) -> float:
        return -0.01 if self.values else 10.0


def _budget_check() -> Check:
    spectrum = PowerLaw(alpha=0.5)
    return _RatioCheck(lambda n, m: float(optimal_ridge(spectrum, n, m).excess_loss), (1, 2), {})


def _ridgeless_budget_check() -> Check:
    spectrum = PowerLaw(alpha=0.5)
    return _RatioCheck(
        lambda n, m: float(static_loss(spectrum, n, m).excess_loss),
        (1, 2),
        {alpha: Fraction(1, 2), p: 1, q: 2},
    )


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
            equation(sp.simplify(one), 1),
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
            n = 3e4
            best = optimal_ridge(PowerLaw(alpha=float(exponent)), n, n / r).excess_loss
            power = 1 + float(exponent)
            k = (mpmath.pi / power / mpmath.sin(mpmath.pi / power)) ** power
            observed = float(best / (k * (1 / n + r / n) ** float(exponent)))
            rows.append((claimed, observed))
        worst = max(abs(x / y - 1) for x, y in rows)
        return judge(
            worst < 1e-3,
            f"claimed and exact factors {rows}",
            {"worst": worst},
        )

    return check


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
    total = A * t**-r_t + B * N**-r_N
    paper = r_t * r_N / (r_t + r_N)
    steps = [
        Step(
            "features",
            equation(N, best.features),
            "The optimum of the linear system.",
            _optimum_check(total, best, "features"),
            Reference("dynamical-model", "154"),
            (equation(N, 2 * best.features),),
        ),
        Step(
            "time",
            equation(t, best.time),
            "The time that the budget leaves.",
            _optimum_check(total, best, "time"),
            Reference("dynamical-model", "155"),
            (equation(t, 2 * best.time),),
        ),
        Step(
            "loss",
            equation(LOSS, best.loss),
            "The loss there: one of the two terms times 1 + p r_t/(q r_N).",
            _optimum_check(total, best, "loss"),
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


def _optimum_check(total: sp.Expr, best: Any, which: str) -> Check:
    values = {A: 0.7, B: 1.3, r_t: 0.4, r_N: 0.8, p: 1, q: 2, C: 1e6}

    def check(claim: sp.Basic) -> Verdict:
        from scipy.optimize import minimize_scalar

        def along(log_size: float) -> float:
            size = float(sp.exp(log_size))
            moment = (values[C] / size ** values[p]) ** (1 / values[q])
            return float(total.subs({**values, N: size, t: moment}))

        found = minimize_scalar(along, bounds=(0, 12), method="bounded", options={"xatol": 1e-9})
        size = float(sp.exp(found.x))
        exact = {"features": size, "time": (values[C] / size) ** 0.5, "loss": found.fun}[which]
        claimed = float(right_side(claim).subs(values))
        off = abs(claimed / exact - 1)
        return judge(
            off < 1e-5,
            f"claimed {claimed:.8g}, numerical minimum {exact:.8g}",
            {"off": off},
        )

    return check
