r"""Equation (18): the gap between test and training loss, built up by reusing the data.

The training residual v¹ is the field u¹ of the test error plus the response of the data to itself,
u¹ = v¹ − R₀₂v¹/T. Its variance is the test loss, so at equal times

    L + σ_ε² − L̂ = −(2/T) ∫ R₀₂(t,s) C₁(s,t) ds + (1/T²) ∬ R₀₂(t,s) R₀₂(t,s') C₁(s,s') ds ds',

with L = C₀ and L̂ = C₁. To first order in 1/T, R₀₂(t,s) = −Σ λ_j e^{−λ_j(t−s)}, and

    L + σ_ε² − L̂ = (2/T) Σ_j λ_j ∫₀^t e^{−λ_j(t−s)} (Σ_k w_k²λ_k e^{−λ_k(t+s)} + σ_ε²) ds + O(T⁻²).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.notation import (
    C0,
    C1,
    R1,
    M,
    R1_prime,
    T,
    k,
    lam,
    letter,
    loss,
    noise,
    t,
    target,
    train_loss,
    z,
    z_prime,
)
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Asymptotic, Exact, rational
from ..derivation import Step
from ..relations import Relation, Truncated, equation
from .early_time import MODES, TIME, explicit, g_pair, index, lam_other
from .early_time import NOISE as EXAMPLE_NOISE
from .mean_field import PAPER, R02

R02_prime = letter("R_02'", "R_{02}'")
once = letter("∫R₀₂C₁ds", r"\int R_{02}\,C_1\,ds")
twice = letter("∬R₀₂R₀₂C₁ds ds'", r"\iint R_{02}R_{02}\,C_1\,ds\,ds'")
FEATURES, SAMPLES, NOISE, STEPS, STEP = 6, 9, 0.2, 25, 0.5


@derivation(
    "generalisation-gap",
    "Test minus training loss: what the reuse of data costs",
    Reference(PAPER, "18"),
)  # fmt: skip
def generalisation_gap() -> Parts:
    """The residual on the training data is the test error plus the response of the data to
    themselves; the variance of that relation is the gap between test and training loss."""
    inverse = {R1: 1 / (1 - R02 / T), R1_prime: 1 / (1 - R02_prime / T)}
    driven = C0 + noise / (z * z_prime)
    reused = -(R02 + R02_prime) * C1 / T
    gap = reused + R02 * R02_prime * C1 / T**2
    excess, first = loss + noise - train_loss, first_order_gap()
    steps = [
        Step("gap-in-frequency", equation(driven - C1, gap),
             "C₁ = R₁R₁'(C₀ + σ_ε²/(zz')) with R₁ = 1/(1 − R₀₂/T).",
             Exact({C0: (C1 / (R1 * R1_prime)).xreplace(inverse) - noise / (z * z_prime)},
                   rational),
             Reference(PAPER, "18"),
             (equation(driven - C1, -gap), equation(driven - C1, reused))),
        Step("gap-in-time", equation(excess, -2 * once / T + twice / T**2),
             "The same at equal times: L = C₀(t,t), L̂ = C₁(t,t), the integrals running to t. "
             "Stepped for gradient descent, where they are sums over steps.",
             _stepped_gap(), Reference(PAPER, "18"),
             (equation(excess, 2 * once / T + twice / T**2),
              equation(excess, -2 * once / T + twice / T))),
        Step("early-gap", Truncated(excess, first, T**-2),
             "To first order R₀₂(t,s) = −Σ λ_j e^{−λ_j(t−s)}; g_{kj} as in "
             "@early-time/small-width-loss. N → ∞, t = 3.",
             _early_gap(), Reference(PAPER, "18"),
             (Truncated(excess, 2 * first, T**-2), Truncated(excess, first.subs(noise, 0), T**-2))),
    ]  # fmt: skip
    return Parts(
        steps, steps[1].claim,
        notes=("The gap starts at zero, is of order 1/T, and grows with time: no sample, no gap "
               "(T → ∞), which is one-pass training.",),
    )  # fmt: skip


def first_order_gap() -> sp.Expr:
    """The gap to first order in 1/T."""
    reused = target**2 * lam * sp.exp(-lam * t) * lam_other * g_pair
    signal = sp.Sum(reused, (k, 1, M), (index, 1, M))
    return 2 / T * (signal + noise * sp.Sum(1 - sp.exp(-lam_other * t), (index, 1, M)))


def _stepped_gap() -> Agrees:
    """(18) for gradient descent, integrals being sums over steps, by the stepped solution."""

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

    def claimed(claim: Relation) -> float:
        found = solution()
        response = SAMPLES * (np.eye(STEPS + 1) - np.linalg.inv(found.data_response))  # R₀₂
        forward = response @ found.correlations[1]
        values = {once: forward[-1, -1], twice: (forward @ response.T)[-1, -1], T: SAMPLES}
        return float(claim.rhs.subs(values))

    return Agrees(observed, claimed)


def _early_gap() -> Asymptotic:
    """The claim, summed over the modes of an example, against the exact gap at N → ∞."""
    law = PowerLaw(exponent=1.25, target_exponent=1.5, size=MODES)

    def exact(samples: Any) -> float:
        return float(dynamics(law, np.inf, float(samples), TIME, noise=EXAMPLE_NOISE).gap)

    return Asymptotic(
        exact, T, (1e3, 2e3), -2.0, {t: TIME}, 0.03, 16,
        written=lambda right: explicit(right, law),
    )  # fmt: skip
