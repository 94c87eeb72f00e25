"""The test loss in closed form, from the two-point function at equal frequencies."""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from solvable.analytic import correlation
from solvable.analytic.free_probability.declarations import Eigenvalue
from solvable.analytic.free_probability.models import expression, gradient_flow_two_point
from solvable.analytic.free_probability.spectral_trace import SpectralTrace, in_spectral_functions
from solvable.analytic.loss import (
    abbreviated_loss,
    excess_loss_formula,
    isotropic_loss_formula,
    static_loss,
)
from solvable.analytic.notation import M, N, T, kappa, kappa_prime, sigma_eps, sigma_w, z, z_prime
from solvable.analytic.resolvent import solution as resolvent
from solvable.analytic.spectral_functions import DegreesOfFreedom, TargetSum, evaluate, isotropic
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Check, Equals, Exact, FiniteSize, Numeric, Point, Verdict
from ..derivation import Step, equation
from ..typesetting import absorb_sign
from .points import ISOTROPIC

D1, D2 = DegreesOfFreedom(1, kappa), DegreesOfFreedom(2, kappa)
h1, h2 = TargetSum(1, kappa), TargetSum(2, kappa)
LOSS = sp.Symbol("L")
TRAIN_LOSS = sp.Symbol("Lhat")
SEEDS, LATENT, RIDGE, NOISE = 40, 600, 0.1, 0.05


def at_equal_frequencies(correlation_function: sp.Expr) -> sp.Expr:
    """z² C(z, z) of a solution of system (2), in D_q, h_q and κ, with κ R₁ R₃ = z."""
    c = correlation
    r3, r1 = 1 - D1 / N, 1 - D1 / T
    shrink = (kappa / z) ** 2  # H_k(z)² = (κ/z)²/(λ_k+κ)²
    mode = (D1 - D2) / kappa  # Σ λ/(λ+κ)²
    sums = {
        c.S_TARGET: shrink * h2, c.S_MODE: shrink * mode, c.S_MODE2: shrink * D2,
        c.S_TARGET2: shrink * (h1 - kappa * h2),
        c.R1: r1, c.R1_PRIME: r1, c.R3: r3, c.R3_PRIME: r3,
        c.NU: 1 / N, c.TAU: 1 / T, c.NOISE: sigma_eps**2, c.z_prime: z,
    }  # fmt: skip
    value = (z**2 * correlation_function).subs(sums, simultaneous=True)
    return sp.factor(sp.cancel(value.subs(z, kappa * r1 * r3)))


@cache
def _simulated(size: int) -> np.ndarray:
    """Excess losses over seeds at (N, T) = size × (30, 60)."""
    from solvable.validation.cells import Cell
    from solvable.validation.sweep import seed_sequence
    from solvable.validation.training import simulate

    cell = Cell(
        spectrum=PowerLaw(alpha=0.5, size=LATENT), features=30 * size,
        samples=60 * size, at=(RIDGE,), noise=NOISE,
    )  # fmt: skip
    (name,) = (name for name in cell.observables() if name.startswith("excess_loss"))
    return np.array([simulate(cell, seed_sequence(0, cell, i))[name] for i in range(SEEDS)])


def _claimed(claim: sp.Basic, size: int) -> float:
    """The claim's right side at the cell that is simulated."""
    spectrum = PowerLaw(alpha=0.5, size=LATENT)
    n, t = 30 * size, 60 * size
    k = resolvent.solve(spectrum, n, t, RIDGE / n / t).value
    values = {N: n, T: t, kappa: float(k), sigma_eps: NOISE**0.5, sigma_w: 1}
    return float(evaluate(claim.args[1].subs(written_out()), values, spectrum))


@cache
def two_point_from_the_matrices() -> sp.Expr:
    """E vᵀ(z)Λv(z') as the matrix calculus gives it, in A, B, D, E of `analytic.correlation`.

    These are the sums of w²λ, λ, λ² and w²λ² over 1/((λ+κ)(λ+κ')).
    """
    value = gradient_flow_two_point().value
    mode, weight = Eigenvalue("lambda"), Eigenvalue("lambda_W")
    shared = (mode + kappa) * (mode + kappa_prime)
    names = {
        mode * weight: correlation.A, mode: correlation.B, mode**2: correlation.D,
        mode**2 * weight: correlation.E,
    }  # fmt: skip
    sums = {
        trace: names[sp.cancel(trace.factors[0] * shared)] for trace in value.atoms(SpectralTrace)
    }
    return value.xreplace(sums)


def _in_shared_sums(expression: sp.Expr) -> sp.Expr:
    """Responses, frequencies and S[f] in A, B, D, E, κ and κ'.

    λ/(λ+κ) = λ(λ+κ')/((λ+κ)(λ+κ')), so that D₁(κ) = D + κ'B and D₁(κ') = D + κB.
    """
    c = correlation
    here, there = c.D + kappa_prime * c.B, c.D + kappa * c.B
    responses = {
        c.R3: 1 - here / N, c.R1: 1 - here / T, c.R3_PRIME: 1 - there / N,
        c.R1_PRIME: 1 - there / T, c.NU: 1 / N, c.TAU: 1 / T,
    }  # fmt: skip
    frequencies = {
        z: kappa * responses[c.R1] * responses[c.R3],
        z_prime: kappa_prime * responses[c.R1_PRIME] * responses[c.R3_PRIME],
    }
    unit = kappa * kappa_prime / (z * z_prime)
    sums = {
        c.S_TARGET: unit * c.A, c.S_MODE: unit * c.B, c.S_MODE2: unit * c.D,
        c.S_TARGET2: unit * c.E,
    }  # fmt: skip
    return expression.subs(sums).subs(responses).subs(frequencies)


def _against_the_matrices(index: int) -> Check:
    """C₀ of the system with the claim as its line ``index`` is what the matrices give."""

    def check(claim: sp.Basic) -> Verdict:
        system = correlation.correlation_system()
        system[index] = claim
        ((c0, *_),) = sp.linsolve(system, correlation.C)
        noise = sp.Symbol("sigma", positive=True)
        derived = two_point_from_the_matrices()
        derived = derived.subs({s: noise for s in derived.free_symbols if s.name == "sigma"})
        ours = _in_shared_sums(c0.subs(correlation.NOISE, noise**2))
        difference = equation(ours, _in_shared_sums(derived))
        return Exact(simplify=lambda e: sp.cancel(sp.together(e)))(difference)

    return check


def _evaluated_losses() -> list[Point]:
    """Points that carry the loss of the solver at ridge 1/10."""
    out = []
    for spectrum in ISOTROPIC:
        for n, t in ((3, 40), (40, 3), (4, 4)):
            ridge = mpmath.mpf(1) / 10
            result = static_loss(spectrum, n, t, ridge=ridge, digits=mpmath.mp.dps)
            values = {N: n, T: t, kappa: result.kappa, LOSS: result.excess_loss, sigma_w: 1}
            out.append(Point(values, spectrum))
    return out


def rational(expression: sp.Expr) -> sp.Expr:
    """Normal form of a rational expression."""
    return sp.cancel(sp.together(expression))


def written_out() -> list[tuple[sp.Expr, sp.Expr]]:
    """The abbreviations Q, m, E, R₃ and R₁ of equation (4), to be replaced in this order."""
    spread, mixing, quotient, _ = abbreviated_loss()
    return [
        *((line.lhs, line.rhs) for line in (quotient, mixing, spread)),
        (sp.Symbol("R_3", positive=True), 1 - D1 / N),
        (sp.Symbol("R_1", positive=True), 1 - D1 / T),
    ]


@cache
def _loss_from_the_matrices() -> sp.Expr:
    derived = in_spectral_functions(expression("random-feature-loss").derive().value)
    return derived.subs({s: sigma_eps for s in derived.free_symbols if s.name == "sigma"})


@cache
def _loss_from_the_system() -> sp.Expr:
    return at_equal_frequencies(correlation.correlation_solution()[0])


def _system() -> list[Step]:
    """System (2), line by line."""
    paper = Reference("dynamical-model", "35")
    lines = zip(_NAMES, correlation.correlation_system(), _REASONS)
    return [
        Step(name, line, reason, _against_the_matrices(index), paper)
        for index, (name, line, reason) in enumerate(lines)
    ]


def _abbreviations() -> list[Step]:
    """E, m and Q of equation (4)."""
    return [
        Step(f"abbreviation-{line.lhs}", line, _ABBREVIATED, Exact(written_out()))
        for line in abbreviated_loss()[:-1]
    ]


def _any_target() -> list[Step]:
    """The loss for any target power and noise, derived twice and simulated."""
    loss = abbreviated_loss()[-1]
    _, c1 = correlation.correlation_solution()
    return [
        Step(
            "excess-loss",
            loss,
            "The system is solved at z' = z, with S[f] = (κ/z)² Σ f/(λ+κ)² and z = κR₁R₃ from "
            "equation (1): z²C₀(z, z) is the excess loss of ridge regression.",
            Equals(_loss_from_the_system, written_out(), rational),
        ),
        Step(
            "from-the-matrices",
            loss,
            "The matrix calculus, applied to Tr Λ(1−K)W(1−K)ᵀ + σ_ε² Tr Λuᵀqφφᵀqu, K = uᵀqφxᵀ, "
            "as ridge regression leaves it, gives the same by itself.",
            Equals(_loss_from_the_matrices, written_out(), rational),
        ),
        Step(
            "simulation",
            loss,
            f"The formula against simulations of the model: α = ½, M = {LATENT}, (N, T) = (30, 60) "
            f"and 2 and 4 times as large, γ = {RIDGE}, σ_ε² = {NOISE}, {SEEDS} seeds each; the "
            "ratio is extrapolated to infinite size.",
            FiniteSize(_simulated, _claimed, sizes=f"N = 30, T = 60, M = {LATENT}"),
        ),
        Step(
            "training-loss",
            equation(TRAIN_LOSS, sp.Symbol("R_1", positive=True) ** 2 * (LOSS + sigma_eps**2)),
            "z²C₁(z, z) is the mean squared residual on the training data: the excess loss and "
            "the noise, reduced by the square of the data's response R₁ = 1 − D₁/T.",
            Equals(
                lambda: at_equal_frequencies(c1),
                [(LOSS, loss.rhs), *written_out()],
                rational,
            ),
        ),
    ]


def _isotropic_target() -> list[Step]:
    """Equation (3) and its duality."""
    symmetric = isotropic_loss_formula()
    noiseless = isotropic(excess_loss_formula().subs(sigma_eps, 0), sigma_w**2)
    mirrored = symmetric.subs({N: T, T: N}, simultaneous=True)
    return [
        Step(
            "isotropic-target",
            equation(LOSS, symmetric),
            "For isotropic weights h₁ = σ_w² D₁ and h₂ = σ_w² (D₁ − D₂)/κ; without noise the "
            "loss becomes symmetric in N and T.",
            Equals(lambda: noiseless, simplify=rational),
            Reference("zhang"),
        ),
        Step(
            "duality",
            equation(symmetric, mirrored),
            "N ↔ T leaves the noiseless isotropic loss as it is.",
            Exact(),
            Reference("zhang"),
        ),
        Step(
            "evaluation",
            equation(LOSS, symmetric),
            "The solver, which uses the general form, against this one, for several spectra.",
            Numeric(_evaluated_losses, digits=25),
        ),
    ]


@derivation(
    "test-loss",
    "The test loss of ridge regression, for any target and noise",
    Reference("solvable-model", "163"),
    Reference("dynamical-model", "35"),
)
def test_loss() -> Parts:
    """System (2) at two equal frequencies is solved; its first component, times z², is the
    excess loss. For isotropic weights without noise it becomes the symmetric form (3)."""
    steps = [*_system(), *_abbreviations(), *_any_target(), *_isotropic_target()]
    return Parts(
        steps,
        equation(LOSS, isotropic_loss_formula()),
        assumptions=("N and T are large, at any ratio to one another and to M",),
        notes=(
            "This is the excess loss Σ λ_J E[v_J²] in per-mode normalisation; the loss of the "
            "solvable-model paper is half of it, with σ_w² replaced by σ_w²/M.",
        ),
    )


_ABBREVIATED = "An abbreviation: R₃ = 1 − D₁/N and R₁ = 1 − D₁/T are the response functions."
_NAMES = ("error-of-the-weights", "training-residual", "pull-back", "feature-projection")
_REASONS = (
    "The error of the learned weights: what no training has removed, and the variance that "
    "the finite number of features and of samples adds.",
    "The residual on the training data is the error, with noise, filtered by the response R₁.",
    "The correlation of the residual, pulled back to the modes.",
    "Its projection on the features, filtered by the response R₃.",
)


@derivation(
    "label-noise",
    "The cost of label noise, and its universal fall-off",
    Reference("solvable-model", "186"),
    Reference("solvable-model", "188"),
)
def label_noise() -> Parts:
    """The part of the loss that is proportional to σ_ε², in the three ridgeless regimes, and
    its 1/T fall-off beyond the latent dimension, with and without ridge."""
    noise = sp.cancel(
        sp.together(sp.expand(excess_loss_formula() - excess_loss_formula().subs(sigma_eps, 0)))
    )
    noise = sp.factor(noise)
    d1, d2 = sp.symbols("d1 d2")
    free_form = noise.subs({D1: d1, D2: d2})
    few_features = absorb_sign(sp.factor(free_form.subs(d1, N).simplify()))
    few_samples = sp.factor(free_form.subs(d1, T).simplify()).subs(d2, D2)
    latent = absorb_sign(sp.factor(sp.limit(free_form.subs(d2, d1), d1, M)))
    spread = T - D2
    steps = [
        Step(
            "noise-part",
            equation(sp.Symbol("L_epsilon"), noise),
            "The excess loss is linear in σ_ε²; this is its noise part at any ridge.",
            Equals(
                lambda: excess_loss_formula() - excess_loss_formula().subs(sigma_eps, 0),
                simplify=rational,
            ),
        ),
        Step(
            "few-features",
            equation(few_features, sigma_eps**2 * N / (T - N)),
            "N < T and N < M without ridge: D₁ = N.",
            Exact(),
            Reference("solvable-model", "186"),
        ),
        Step(
            "few-samples",
            equation(few_samples, sigma_eps**2 * (T / spread - 1 + T / (N - T))),
            "T < N and T < M without ridge: D₁ = T, and s = D₁ − D₂ = Σ λκ/(λ+κ)².",
            Exact(),
            Reference("solvable-model", "186"),
        ),
        Step(
            "beyond-the-latent-space",
            equation(latent, sigma_eps**2 * M / (T - M)),
            "N, T > M without ridge: κ → 0 and D₁ = D₂ = M. The noise falls as 1/T, whatever "
            "the spectrum: beyond the latent space there is nothing left to learn but noise.",
            Exact(),
            Reference("solvable-model", "186"),
        ),
        Step(
            "universal-with-ridge",
            equation(LOSS, _leading_noise()),
            "At fixed κ (a ridge that grows in proportion to T) and N = T → ∞ the noise part "
            "still falls as 1/T, with D₂ in the place of M; the next term is of order T⁻².",
            _noise_asymptotics(noise),
            Reference("solvable-model", "188"),
        ),
    ]
    return Parts(
        steps,
        equation(sp.Symbol("L_epsilon"), latent),
        assumptions=("the conclusion: N, T > M and no ridge",),
        notes=("The loss of the solvable-model paper is half of the excess loss given here.",),
    )


def _leading_noise() -> sp.Expr:
    return sigma_eps**2 * D2 / T


def _noise_asymptotics(noise: sp.Expr) -> Asymptotic:
    spectrum = PowerLaw(alpha=1, size=50)
    values = {kappa: mpmath.mpf(1) / 1000, sigma_eps: 1}

    def exact(t: Any) -> Any:
        return evaluate(noise, {**values, N: t, T: t}, spectrum)

    grid = [mpmath.mpf(10) ** k for k in range(4, 9)]
    return Asymptotic(exact, T, grid, -2.0, values=values, spectrum=spectrum)
