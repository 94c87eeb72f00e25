"""Allocation as catalogue entries: N against T, the phenomenological law, N against time."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
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
from solvable.analytic.notation import N, alpha, loss, t
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.optimum import lowest, minimum
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact
from ..derivation import Step
from ..relations import Relation, equation

returns = sp.Function("g")  #: d ln G/d ln r
rho = sp.Function("rho")(alpha, size_ratio)


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
    reduced = allocation.reduced_optimal_loss()
    unequal = allocation.allocate(Fraction(1, 2), 1, 2).ratio
    slope = size_ratio * sp.diff(reduced, size_ratio) / reduced
    half = {alpha: Fraction(1, 2), p: 1, q: 2}
    steps = [
        Step(
            "equal-powers",
            equation(returns(alpha, 1), alpha / 2),
            "With g = d ln G/d ln r: by the symmetry N ↔ T the returns on both resources agree at "
            "N = T, for every α. Equal powers in the budget mean N = T.",
            Agrees(
                lambda: [slope.subs({alpha: x, size_ratio: 1}).evalf(30) for x in EXPONENTS],
                lambda claim: [claim.rhs.subs(alpha, x) for x in EXPONENTS],
                1e-18,
            ),
            Reference("solvable-model"),
            (equation(returns(alpha, 1), alpha),),
        ),
        Step("at-one", equation(returns(1, size_ratio), size_ratio / (1 + size_ratio)),
             "α = 1: G = k (1 + r), so r/(1 + r) = q/(p + q) and N/T = q/p.",
             Exact(value=lambda: slope.subs(alpha, 1))),
        Step("unequal-powers", equation(size_ratio, sp.Float(unequal, 6)),
             "α = ½ under N T² = C: where the exact loss at the optimal ridge is least. The law "
             "(1/N + 1/T)^α would give N/T = 2.",
             Agrees(lambda: _best_ratio("optimal"), lambda claim: float(claim.rhs), 2e-3), None,
             (equation(size_ratio, sp.Integer(2)),)),
        Step("without-ridge", equation(size_ratio, closed),
             "Zero ridge, N < T: G = k/(1 − r); at α = ½ under N T² = C where the exact loss is "
             "least.",
             Agrees(lambda: _best_ratio("zero"), lambda claim: float(claim.rhs.subs(half)), 2e-3),
             None, (equation(size_ratio, q / p),)),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[0].claim,
        (
            "isotropic target, M = ∞, N and T large, no noise",
            "r = N/T, L = N^{-α} G(r), budget N^p T^q = C",
        ),
    )


EXPONENTS = [sp.Rational(x, 3) for x in (1, 2, 4, 7)]


@cache
def _best_ratio(ridge: str) -> float:
    """N/T that minimises the exact loss at α = ½ under N T² = 3·10¹²; without ridge, N < T."""
    spectrum, budget = PowerLaw(alpha=0.5), 3e12

    def along(log_ratio: np.ndarray) -> np.ndarray:
        r = np.exp(log_ratio)
        features = (budget * r**2) ** (1 / 3)
        loss = optimal_ridge if ridge == "optimal" else static_loss
        return np.asarray(loss(spectrum, features, features / r).excess_loss)

    grid = np.linspace(*((-2.0, 3.0) if ridge == "optimal" else (-4.0, -0.05)), 33)
    return float(np.exp(minimum(along, lowest(grid, along(grid)))[0]))


@derivation(
    "phenomenological-law",
    "The phenomenological law, N(T), and what the model says",
    *references("solvable-model", "1", "6"),
    Reference("kaplan"),
)
def phenomenological_law() -> Parts:
    """[(N_c/N)^{α_N/α_T} + T_c/T]^{α_T} has both terms equal at N(T) = N_c (T/T_c)^{α_T/α_N}. The
    model has α_N = α_T = α and N_c = T_c; its loss at the optimal ridge is the law times a factor
    that depends on N/T and α only, and is 1 at α = 1."""
    relation = kaplan_relation()
    first, second = kaplan_form().base.args
    error = allocation.law_error()

    def imbalance(claim: Relation) -> sp.Expr:
        """ln(first term/second term) at the claimed N(T)."""
        return sp.expand(sp.expand_log(sp.log((first / second).subs(N, claim.rhs)), force=True))

    def factors(claim: Relation) -> list[float]:
        return [float(sp.N(claim.rhs.subs({alpha: x, size_ratio: r}))) for x, r in PLACES]

    steps = [
        Step("balance", equation(N, relation), "Where (N_c/N)^{α_N/α_T} = T_c/T.",
             Exact(residual=imbalance), Reference("solvable-model", "6"),
             (equation(N, 1 / relation),)),
        Step("factor", equation(rho, error),
             "ρ = L⋆/[k (1/N + 1/T)^α] as a function of r = N/T; the exact loss approaches it "
             "as the sizes grow.",
             Agrees(lambda: [_exact_factor(float(x), float(r)) for x, r in PLACES], factors, 1e-3),
             Reference("talk"), (equation(rho, sp.Integer(1)),)),
        Step("exact-at-one", equation(sp.Function("rho")(1, size_ratio), 1),
             "α = 1: the law is exact at the optimal ridge.",
             Exact(value=lambda: error.subs(alpha, 1)), Reference("zhang")),
    ]  # fmt: skip
    return Parts(steps, steps[1].claim, ("isotropic target, M = ∞, N and T large, no noise",))


PLACES = ((Fraction(1, 2), 1), (Fraction(1, 2), 3), (Fraction(2), 1))  # (α, N/T)


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
    *references("dynamical-model", "153", "156"),
)
def time_and_features() -> Parts:
    """Minimise A t^{-r_t} + B N^{-r_N} under N^p t^q = C: in logarithms the condition of equal
    returns is linear, so exponents and prefactors follow for every budget."""
    best = allocation.time_allocation()
    exponent = r_t * r_N / (r_t + r_N)
    r_C = sp.Symbol("r_C")

    optima = {
        "features": (N, best.features, "154", "The optimum of the linear system."),
        "time": (t, best.time, "155", "The time that the budget leaves."),
        "loss": (loss, best.loss, "156", "The loss at @features and @time: one of the two terms "
                 "times 1 + p r_t/(q r_N)."),
    }  # fmt: skip
    steps = [
        *(
            Step(
                name,
                equation(symbol, value),
                reason,
                _optimum(name),
                Reference("dynamical-model", number),
                (equation(symbol, 2 * value),),
            )
            for name, (symbol, value, number, reason) in optima.items()
        ),
        Step("exponent", equation(r_C, exponent),
             "L ~ C^{-r_C}, for C = N t the exponent of the paper.",
             Exact(value=lambda: -best.exponents()[2].subs({p: 1, q: 1})),
             Reference("dynamical-model", "156"), (equation(r_C, 2 * exponent),)),
    ]  # fmt: skip
    return Parts(steps, steps[2].claim, ("L = A t^{-r_t} + B N^{-r_N}, budget N^p t^q = C",))


def _optimum(which: str) -> Agrees:
    """The claimed optimum is the one that is found numerically."""
    return Agrees(
        lambda: _numerical_optimum()[which], lambda claim: float(claim.rhs.subs(SOMEWHERE)), 1e-5
    )


#: a point at which the optimum is also found numerically
SOMEWHERE = {A: 0.7, B: 1.3, r_t: 0.4, r_N: 0.8, p: 1, q: 2, C: 1e6}


@cache
def _numerical_optimum() -> dict[str, float]:
    """N, t and the loss that minimise A t^{-r_t} + B N^{-r_N} under N t² = C, by search."""
    total = sp.lambdify((N, t), (A * t**-r_t + B * N**-r_N).subs(SOMEWHERE), "numpy")

    def along(x: np.ndarray) -> np.ndarray:
        return np.asarray(total(np.exp(x), np.sqrt(SOMEWHERE[C] * np.exp(-x))))

    grid = np.linspace(0, 12, 33)
    x, loss = minimum(along, lowest(grid, along(grid)))
    size = float(np.exp(x))
    return {"features": size, "time": float(np.sqrt(SOMEWHERE[C] / size)), "loss": float(loss)}
