r"""Equation (18): the gap between test and training loss, built up by reusing the data.

The training residual v¹ is the field u¹ of the test error plus the response of the data to itself,
u¹ = v¹ − R₀₂v¹/P. Its variance is the test loss, so at equal times

    L − L̂ = −(2/P) ∫ R₀₂(t,s) C₁(s,t) ds + (1/P²) ∬ R₀₂(t,s) R₀₂(t,s') C₁(s,s') ds ds',

with L = C₀ + σ² and L̂ = C₁. To first order in 1/P, R₀₂(t,s) = −Σ λ_j e^{−λ_j(t−s)}, and

    L − L̂ ≈ (2/P) Σ_j λ_j ∫₀^t e^{−λ_j(t−s)} (Σ_k w_k²λ_k e^{−λ_k(t+s)} + σ²) ds ≥ 0.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.dynamics import dynamics
from solvable.analytic.notation import P, t, z, z_prime
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Exact
from ..derivation import Step, equation
from .early_time import filter_pair, mode, other
from .mean_field import PAPER, R02
from .notation import C0, C1, R1, Agrees, R1p, letter, noise, rational

R02p = letter("R_02'", "R_{02}'")
test, train = sp.symbols("L L_train")
FEATURES, SAMPLES, NOISE, STEPS, STEP = 6, 9, 0.2, 25, 0.5
TIME = 3.0


@derivation(
    "generalisation-gap",
    "Test minus training loss: what the reuse of data costs",
    Reference(PAPER, "18"),
)  # fmt: skip
def generalisation_gap() -> Parts:
    """The residual on the training data is the test error plus the response of the data to
    themselves; the variance of that relation is the gap between test and training loss."""
    inverse = {R1: 1 / (1 - R02 / P), R1p: 1 / (1 - R02p / P)}
    driven = C0 + noise / (z * z_prime)
    gap = -(R02 + R02p) * C1 / P + R02 * R02p * C1 / P**2
    first = first_order_gap()
    steps = [
        Step("gap-in-frequency", equation(driven - C1, gap),
             "C₁ = R₁R₁'(C₀ + σ²/zz') with R₁ = 1/(1 − R₀₂/P).",
             Exact({C0: (C1 / (R1 * R1p)).xreplace(inverse) - noise / (z * z_prime)}, rational),
             Reference(PAPER, "18"),
             (equation(driven - C1, -gap),
              equation(driven - C1, -(R02 + R02p) * C1 / P))),
        _stepped_gap(),
        Step("early-gap", equation(test - train, first),
             "The exact gap minus its first order in 1/P is of second order.", _EarlyGap(2.0),
             Reference(PAPER, "18"),
             (equation(test - train, 2 * first), equation(test - train, first.subs(noise, 0)))),
    ]  # fmt: skip
    return Parts(
        steps, equation(test - train, gap),
        notes=("The gap starts at zero, is of order 1/P, and grows with time: no sample, no gap "
               "(P → ∞), which is one-pass training.",),
    )  # fmt: skip


def first_order_gap() -> sp.Expr:
    """The summand (over j and k) of the gap to first order in 1/P, and its noise term."""
    signal = sp.Symbol("p_k", positive=True)  # w_k² λ_k
    reused = signal * sp.exp(-mode * t) * other * filter_pair()
    return 2 / P * (reused + noise * (1 - sp.exp(-other * t)))


def _stepped_gap() -> Step:
    """(18) for gradient descent, integrals being sums over steps, by the stepped solution."""
    test_at, train_at, a02, c1, samples = sp.symbols("L L_train A B P", positive=True)

    @cache
    def solution() -> Any:
        from solvable.validation.time_stepping import gradient_descent_update, solve_mean_field

        law = PowerLaw(exponent=1.25, target_exponent=1.5, size=20)
        return solve_mean_field(
            law.eigenvalues(), law.target_power(), gradient_descent_update(STEPS, STEP),
            features=FEATURES, samples=SAMPLES, noise=NOISE,
        )  # fmt: skip

    def observed() -> float:
        return float(solution().excess_loss[-1] + NOISE - solution().train_loss[-1])

    def claimed(claim: sp.Basic) -> float:
        found = solution()
        response = SAMPLES * (np.eye(STEPS + 1) - np.linalg.inv(found.data_response))  # R₀₂
        once = (response @ found.correlations[1])[-1, -1]
        twice = (response @ found.correlations[1] @ response.T)[-1, -1]
        return float(claim.args[1].subs({a02: once, c1: twice, samples: SAMPLES}))

    right = -2 * a02 / samples + c1 / samples**2
    return Step(
        "gap-in-time", equation(test_at - train_at, right),
        "A = ∫R₀₂C₁, B = ∬R₀₂R₀₂C₁ at the last step of gradient descent.",
        Agrees(observed, claimed, 10), Reference(PAPER, "18"),
        (equation(test_at - train_at, 2 * a02 / samples + c1 / samples**2),
         equation(test_at - train_at, -2 * a02 / samples + c1 / samples)),
    )  # fmt: skip


class _EarlyGap:
    """The claim, summed over the modes of an example, against the exact gap at N → ∞."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def __call__(self, claim: sp.Basic) -> Any:
        """Slope of |exact − claim| in 1/P."""
        law, inverse = PowerLaw(exponent=1.25, target_exponent=1.5, size=6), sp.Symbol("x")
        summand = claim.args[1].subs({P: 1 / inverse, t: TIME})
        label = summand.subs(sp.Symbol("p_k", positive=True), 0).subs(noise, NOISE)
        signal = summand.subs(noise, 0)
        total: Any = 0
        for y in law.eigenvalues():
            total += label.subs(other, y)
            for x, p in zip(law.eigenvalues(), law.target_power(), strict=True):
                # the integral at λ_j = λ_k is the limit of its neighbours
                split = x * (1 + 1e-7) if x == y else x
                total += signal.subs({mode: split, other: y, sp.Symbol("p_k", positive=True): p})

        def exact(value: Any) -> float:
            return float(dynamics(law, np.inf, float(1 / value), TIME, noise=NOISE).gap)

        return Asymptotic(exact, inverse, (1e-3, 5e-4), self.slope, {}, 0.03, 16)(
            equation(0, total)
        )
