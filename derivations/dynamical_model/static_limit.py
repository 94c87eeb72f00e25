r"""Appendix C: the end of training, t → ∞, and ridge regression, z = γ.

The residual of ridge regression is z (z + KΣ)^{-1} w at z = γ/(NT), K = AᵀA/N, Σ = ΨᵀΨ/T: z times
the transform of the residual of gradient flow. So the static loss is z²C₀(z, z), and its ridgeless
limit z → 0 is the loss at t → ∞ (final value theorem): the two papers compute one function.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.loss import excess_loss_formula, isotropic_loss_formula
from solvable.analytic.notation import (
    R1,
    N,
    T,
    kappa,
    lam,
    letter,
    loss,
    noise,
    sigma_eps,
    sigma_w,
    z,
)
from solvable.analytic.resolvent import solve
from solvable.analytic.spectral_functions import D1, D2, h1, h2, isotropic
from solvable.analytic.spectrum import PowerLaw
from solvable.validation import sampled
from solvable.validation.dense import Draw, realise
from solvable.validation.sweep import seed_sequence
from solvable.validation.training import simulate

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Point, Statistical, rational
from ..derivation import Step
from ..relations import Equivalent, Expectation, Relation, equation
from .mean_field import PAPER
from .mode_sums import coincident
from .two_point import X, two_point_solution

STATIC = "solvable-model"
r = sp.Symbol("r", positive=True)  #: late-time variable of the paper, r = 1/κ
V_FLOW = letter("v⁰(z)", "v^{0}(z)")  #: transform of the residual
RESIDUAL = letter("|Ψv + ε|²/T", r"\|\Psi v+\varepsilon\|^{2}/T")


def ridge_error() -> sp.Expr:
    """X = z²C₀(z, z) + σ_ε² in D₁, D₂, h₁, h₂."""
    return sp.factor(two_point_solution()[X].xreplace(coincident))


def final_error(smaller: sp.Symbol) -> sp.Expr:
    """The same at z = 0, where D₁(κ) is the smaller of N and T."""
    return sp.factor(ridge_error().subs(D1, smaller))


@derivation(
    "flow-to-ridge",
    "Ridge regression is gradient flow at the frequency z = γ/(NT)",
    Reference(PAPER, "35"), Reference(STATIC, "163"),
)  # fmt: skip
def flow_to_ridge() -> Parts:
    """The residual of ridge regression is z times the transform of the flow's residual, so the
    two-point function on its diagonal is the static loss of the solvable-model paper."""
    static, excess = excess_loss_formula(kappa), ridge_error() - noise
    equal_weights = sp.simplify(isotropic(excess.subs(sigma_eps, 0), sigma_w**2))
    total = loss + noise
    v_ridge, diagonal = sp.Symbol("v_gamma"), z**2 * sp.Function("C_0")(z, z)
    average = Expectation(RESIDUAL)
    steps = [
        Step("resolvent", equation(v_ridge, z * V_FLOW),
             "Normal equations of ridge regression on one draw, against the flow's resolvent.",
             Agrees(_ridge_residual, _flow_residual), None,
             (equation(v_ridge, V_FLOW), equation(v_ridge, z**2 * V_FLOW))),
        Step("static-loss", equation(diagonal, loss),
             "@two-point-function/error at κ' → κ, less σ_ε², is the loss L of "
             "@test-loss/excess-loss, for any target and noise.",
             Exact({loss: static}, rational, lambda: excess), Reference(STATIC, "163"),
             (equation(diagonal, loss + noise),)),
        Step("isotropic", equation(loss, isotropic_loss_formula(kappa)),
             "w_k² = σ_w² and no noise: L = z²C₀(z, z) has the isotropic closed form.",
             Exact(simplify=rational, value=lambda: equal_weights), Reference(STATIC, "163")),
        Step("training-loss", Equivalent(average, R1**2 * total),
             "z²C₁(z, z), R₁ = 1 − D₁/T, against the training residual of simulated ridge "
             "regression.",
             _simulated_training(), None,
             (Equivalent(average, total), Equivalent(average, R1 * total))),
    ]  # fmt: skip
    return Parts(steps, steps[1].claim, ("z = γ/(NT) for features of unit variance",))


def _one_draw() -> tuple[Draw, float]:
    return realise(sampled.task(7, 11, 19, noise=0.3), 0), 0.08


def _ridge_residual() -> float:
    """First entry of w − Aᵀθ/√N with θ from the regularised normal equations."""
    draw, frequency = _one_draw()
    u, x, cell = draw.features[0], draw.data[0], draw.cell
    image = x.T @ u.T / np.sqrt(cell.features)
    labels = x.T @ draw.target + draw.label_noise
    normal = image.T @ image / cell.samples + frequency * np.eye(cell.features)
    weights = np.linalg.solve(normal, image.T @ labels / cell.samples)
    return float((draw.target - u.T @ weights / np.sqrt(cell.features))[0])


def _flow_residual(claim: Relation) -> float:
    """The claim's right side with the first entry of v⁰(z) = (z + KΣ)^{-1}(w − KΨᵀε/(Tz))."""
    draw, frequency = _one_draw()
    count = draw.cell.samples
    source = draw.target - draw.kernel @ draw.data[0] @ draw.label_noise / (count * frequency)
    matrix = frequency * np.eye(len(source)) + draw.kernel @ draw.covariance
    value = float(np.linalg.solve(matrix, source)[0])
    return float(claim.rhs.subs({z: frequency, V_FLOW: value}))


def _simulated_training() -> Statistical:
    frequency, cell = 0.02, sampled.task(noise=0.1)
    spectrum = cell.spectrum
    root = solve(spectrum, cell.features, cell.samples, frequency).value
    values = {kappa: root, N: cell.features, T: cell.samples, sigma_eps: cell.noise**0.5}

    def theory(claim: Relation) -> float:
        written = claim.rhs.subs([(loss, ridge_error() - noise), (R1, 1 - D1 / T)])
        return float(Point(values, spectrum)(written))

    @cache
    def simulated() -> list[float]:
        scored = replace(cell, at=(frequency * cell.features * cell.samples,))
        runs = (simulate(scored, seed_sequence(0, scored, i)) for i in range(60))
        return [run[scored.observables()[1]] for run in runs]

    return Statistical(simulated, theory, sizes=cell.sizes())


@derivation(
    "late-time-limit",
    "The loss at the end of training, below and above N = T",
    *references(PAPER, "70", "73", "74", "76"),
)  # fmt: skip
def late_time_limit() -> Parts:
    """For z → 0 the resolvent variable κ = 1/r stays finite, at Σ λr/(1+λr) = min(N, T), and so
    does @two-point-function/error: it is the ridgeless loss, one form for each side of N = T."""
    narrow, wide = final_error(N), final_error(T)
    below = T * (kappa * h1 + noise) / (T - N)
    above = (
        T
        * (kappa**2 * h2 * (N - T) + kappa * h1 * (T - D2) + noise * (N - D2))
        / ((T - D2) * (N - T))
    )
    isotropic_below = sp.simplify(isotropic(narrow.subs(sigma_eps, 0), 1).subs(D1, N))
    exchanged = below.subs({N: T, T: N}, simultaneous=True)
    few_features = Step(
        "few-features", equation(X, below), "N < T: D₁ = N, X = L + σ_ε².",
        Exact(simplify=rational, value=lambda: narrow), Reference(PAPER, "76"),
        (equation(X, exchanged), equation(X, kappa * h1 + noise)),
    )  # fmt: skip
    few_samples = Step(
        "few-samples", equation(X, above), "T < N: D₁ = T.",
        Exact(simplify=rational, value=lambda: wide), Reference(PAPER, "73"),
        (equation(X, exchanged),),
    )  # fmt: skip
    final = sp.Limit(z * sp.Function("H_k")(z), z, 0)
    steps = [
        Step("occupation", equation(lam * r / (1 + lam * r), lam / (lam + kappa)),
             "With r = 1/κ the paper's condition min(N, T) = Σ λr/(1+λr) is D₁(κ) = min(N, T).",
             Exact({r: 1 / kappa}), Reference(PAPER, "70"),
             (equation(1 / (1 + lam * r), lam / (lam + kappa)),)),
        Step("final-transfer", equation(final, 1 / (1 + lam * r)),
             "What remains of mode k, from H_k = κ/(z(κ + λ_k)).",
             Exact({r: 1 / kappa}, value=lambda: sp.limit(z * kappa / (z * (kappa + lam)), z, 0)),
             Reference(PAPER, "74"), (equation(final, lam * r / (1 + lam * r)),)),
        few_features,
        _long_training(few_features, 4, 8),
        few_samples,
        _long_training(few_samples, 8, 4),
        Step("plateau", equation(loss, kappa * N / (1 - N / T)),
             "N < T without noise, isotropic weights: h₁ = D₁ = N.",
             Exact(simplify=rational, value=lambda: isotropic_below), Reference(STATIC, "163")),
        Step("noise-without-target",
             equation(X, noise * T * (N - D2) / ((T - D2) * (N - T))), "Label noise alone, T < N.",
             Exact(simplify=rational, value=lambda: wide.subs({h1: 0, h2: 0})),
             Reference(STATIC, "186"), (equation(X, noise * T / (N - T)),)),
    ]  # fmt: skip
    return Parts(steps, (few_features.claim, few_samples.claim))


def _long_training(step: Step, features: int, samples: int) -> Step:
    """The mean-field equations stepped in time until nothing changes any more."""
    spectrum = PowerLaw(exponent=1.25, target_exponent=1.5, size=14)
    time, sigma = 1e7, 0.2

    @cache
    def stepped() -> float:
        from solvable.validation.time_stepping import gradient_flow

        value, _ = gradient_flow(
            spectrum.eigenvalues(), spectrum.target_power(), time, points=40, levels=2,
            features=features, samples=samples, noise=sigma,
        )  # fmt: skip
        return float(value[0]) + sigma

    def claimed(claim: Relation) -> Any:
        root = solve(spectrum, features, samples, 0.0).value
        values = {kappa: root, N: features, T: samples, sigma_eps: sigma**0.5}
        return Point(values, spectrum)(claim.rhs)

    return step.evidence(
        f"long-training-N{features}-T{samples}",
        f"The mean-field equations with N = {features}, T = {samples}, stepped in time to t = 10⁷.",
        Agrees(stepped, claimed, 1e-6), Reference(PAPER, "9"),
    )  # fmt: skip
