"""The test loss: the two-point function at equal frequencies.

L is the excess loss Σ λ_J v_J² in the limit of large size, where it does not fluctuate.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from solvable.analytic.free_probability.declarations import Eigenvalue
from solvable.analytic.free_probability.models import expression, gradient_flow_two_point
from solvable.analytic.free_probability.spectral_trace import SpectralTrace, in_spectral_functions
from solvable.analytic.loss import (
    abbreviated_loss,
    excess_loss_formula,
    isotropic_loss_formula,
    static_loss,
)
from solvable.analytic.notation import (
    R1,
    R3,
    M,
    N,
    T,
    kappa,
    kappa_prime,
    letter,
    loss,
    noise,
    sigma_eps,
    sigma_w,
    train_loss,
    z,
    z_prime,
)
from solvable.analytic.resolvent import solve
from solvable.analytic.spectral_functions import D1, D2, evaluate, h1, h2, isotropic
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training import correlation
from solvable.analytic.typesetting import absorb_sign

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, Asymptotic, Exact, FiniteSize, Point, rational
from ..derivation import Step
from ..relations import Definition, Equivalent, Expectation, Relation, Truncated, equation
from .points import ISOTROPIC

SEEDS, LATENT, RIDGE, NOISE = 40, 600, 0.1, 0.05
#: 1/N, 1/T and σ_ε² in the place of the letters of `analytic.training.correlation`
PLAIN = {correlation.NU: 1 / N, correlation.TAU: 1 / T, correlation.NOISE: noise}
noise_loss = sp.Symbol("L_epsilon")
v_norm = letter("Σ_J λ_J v_J²", r"\sum_J \lambda_J v_J^2")  #: excess loss of one draw


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
        **PLAIN, z_prime: z,
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


def _claimed(claim: Relation, size: int) -> float:
    """The claim's right side at the cell that is simulated."""
    spectrum = PowerLaw(alpha=0.5, size=LATENT)
    n, t = 30 * size, 60 * size
    k = solve(spectrum, n, t, RIDGE / n / t).value
    values = {N: n, T: t, kappa: float(k), sigma_eps: NOISE**0.5, sigma_w: 1}
    return float(evaluate(claim.rhs.subs(written_out()), values, spectrum))


@cache
def two_point_from_the_matrices() -> sp.Expr:
    """E vᵀ(z)Λv(z') as the matrix calculus gives it, in sums of `analytic.training.correlation`.

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
    value = value.xreplace(sums)
    return value.subs({s: sigma_eps for s in value.free_symbols if s.name == "sigma"})


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


def _against_the_matrices(index: int) -> Exact:
    """C₀ of the system with the claim as its line ``index`` is what the matrices give."""

    def residual(claim: Relation) -> sp.Expr:
        system = [line.subs(PLAIN) for line in correlation.correlation_system()]
        system[index] = sp.Eq(claim.lhs, claim.rhs, evaluate=False)
        ((c0, *_),) = sp.linsolve(system, correlation.C)
        return _in_shared_sums(c0) - _in_shared_sums(two_point_from_the_matrices())

    return Exact(residual=residual, simplify=lambda e: sp.cancel(sp.together(e)))


def _losses(value: Any) -> list[Any]:
    """``value(point, loss)`` where the solver's loss at ridge 1/10 is known."""
    out = []
    for spectrum in ISOTROPIC:
        for n, t in ((3, 40), (40, 3), (4, 4)):
            ridge = mpmath.mpf(1) / 10
            result = static_loss(spectrum, n, t, ridge=ridge, digits=mpmath.mp.dps)
            point = Point({N: n, T: t, kappa: result.kappa, sigma_w: 1}, spectrum)
            out.append(value(point, result.excess_loss))
    return out


def written_out() -> list[tuple[sp.Expr, sp.Expr]]:
    """The abbreviations Q, m, E, R₃ and R₁ of equation (4), to be replaced in this order."""
    spread, mixing, quotient, _ = abbreviated_loss()
    return [
        *((line.lhs, line.rhs) for line in (quotient, mixing, spread)),
        (R3, 1 - D1 / N),
        (R1, 1 - D1 / T),
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
        Step(name, line.subs(PLAIN), reason, _against_the_matrices(index), paper)
        for index, (name, line, reason) in enumerate(lines)
    ]


def _abbreviations() -> list[Step]:
    """s, m and Q of equation (4), in which the loss is the system's."""
    return [
        Step(f"abbreviation-{line.lhs}", Definition(line.lhs, line.rhs), _ABBREVIATED,
             Exact(residual=_with_abbreviation(index), simplify=rational))
        for index, line in enumerate(abbreviated_loss()[:-1])
    ]  # fmt: skip


def _with_abbreviation(index: int) -> Any:
    """What the claimed abbreviation changes in the loss of the system."""

    def residual(claim: Relation) -> sp.Expr:
        names = written_out()
        names[2 - index] = (claim.lhs, claim.rhs)
        return abbreviated_loss()[-1].rhs.subs(names) - _loss_from_the_system()

    return residual


def _any_target() -> list[Step]:
    """The loss for any target power and noise, derived twice and simulated."""
    formula = abbreviated_loss()[-1].rhs
    _, c1 = correlation.correlation_solution()
    excess = Step(
        "excess-loss",
        equation(loss, formula),
        "The system @error-of-the-weights to @feature-projection is solved at z' = z, with "
        "S[f] = (κ/z)² Σ f/(λ+κ)² and z = κR₁R₃ from @resolvent/equation: z²C₀(z, z) is the "
        "excess loss of ridge regression.",
        Exact(written_out(), rational, _loss_from_the_system),
    )
    return [
        excess,
        excess.evidence(
            "from-the-matrices",
            "The matrix calculus, applied to Tr Λ(1−K)W(1−K)ᵀ + σ_ε² Tr Λuᵀqφφᵀqu, K = uᵀqφxᵀ, "
            "as ridge regression leaves it, gives the same by itself.",
            Exact(written_out(), rational, _loss_from_the_matrices),
        ),
        Step("average", Equivalent(Expectation(v_norm), loss),
             f"v is the error of the learned weights of a draw. Simulated at α = ½, M = {LATENT}, "
             f"(N, T) = (30, 60) and 2 and 4 times as large, γ = {RIDGE}, σ_ε² = {NOISE}, {SEEDS} "
             "seeds each, L from @excess-loss; the ratio is extrapolated to infinite size.",
             FiniteSize(_simulated, lambda claim, size: _claimed(claim.subs(loss, formula), size),
                        sizes=f"N = 30, T = 60, M = {LATENT}")),
        Step("training-loss", equation(train_loss, R1**2 * (loss + noise)),
             "z²C₁(z, z) is the mean squared residual on the training data: the excess loss and "
             "the noise, reduced by the square of the data's response R₁ = 1 − D₁/T.",
             Exact([(loss, formula), *written_out()], rational, lambda: at_equal_frequencies(c1))),
    ]  # fmt: skip


def _isotropic_target() -> list[Step]:
    """Equation (3) and its duality."""
    symmetric = isotropic_loss_formula(kappa)
    noiseless = isotropic(excess_loss_formula(kappa).subs(sigma_eps, 0), sigma_w**2)
    mirrored = symmetric.subs({N: T, T: N}, simultaneous=True)
    dual = sp.Function("L")
    result = Step(
        "isotropic-target",
        equation(loss, symmetric),
        "For isotropic weights h₁ = σ_w² D₁ and h₂ = σ_w² (D₁ − D₂)/κ; without noise the "
        "loss becomes symmetric in N and T.",
        Exact(simplify=rational, value=lambda: noiseless),
        Reference("zhang"),
    )
    return [
        result,
        result.evidence(
            "evaluation",
            "The solver, which uses the general form @excess-loss, for several spectra.",
            Agrees(
                lambda: _losses(lambda _, exact: exact),
                lambda claim: _losses(lambda point, _: point(claim.rhs)),
                1e-25,
            ),
        ),
        Step("duality", equation(dual(N, T), dual(T, N)),
             "N ↔ T leaves @isotropic-target as it is.",
             Exact({dual(N, T): symmetric, dual(T, N): mirrored}), Reference("zhang")),
    ]  # fmt: skip


@derivation(
    "test-loss",
    "The test loss of ridge regression, for any target and noise",
    Reference("solvable-model", "163"),
    Reference("dynamical-model", "35"),
)
def test_loss() -> Parts:
    """The linear system of two-point functions is solved at two equal frequencies; its first
    component, times z², is the excess loss. For isotropic weights without noise it becomes
    symmetric in N and T, @isotropic-target."""
    steps = [*_system(), *_abbreviations(), *_any_target(), *_isotropic_target()]
    return Parts(
        steps,
        tuple(step.claim for step in steps if step.name in ("excess-loss", "isotropic-target")),
        assumptions=("N and T are large, at any ratio to one another and to M",),
        notes=(
            "This is the excess loss Σ λ_J E[v_J²] in per-mode normalisation; the loss of the "
            "solvable-model paper is half of it, with σ_w² replaced by σ_w²/M.",
        ),
    )


_ABBREVIATED = (
    "An abbreviation in @excess-loss; R₃ = 1 − D₁/N and R₁ = 1 − D₁/T are the response functions."
)
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
    *references("solvable-model", "186", "188"),
)
def label_noise() -> Parts:
    """The part of the loss that is proportional to σ_ε², in the three ridgeless regimes, and
    its 1/T fall-off beyond the latent dimension, with and without ridge."""
    full = excess_loss_formula(kappa)
    part = sp.factor(sp.cancel(sp.together(sp.expand(full - full.subs(sigma_eps, 0)))))
    d1, d2 = sp.symbols("d1 d2")
    free_form = part.subs({D1: d1, D2: d2})
    few_features = free_form.subs(d1, N)
    few_samples = sp.factor(free_form.subs(d1, T).simplify()).subs(d2, D2)
    latent = absorb_sign(sp.factor(sp.limit(free_form.subs(d2, d1), d1, M)))
    spread = T - D2
    steps = [
        Step("noise-part", equation(noise_loss, part),
             "The excess loss @test-loss/excess-loss is linear in σ_ε²; this is its noise part at "
             "any ridge.",
             Exact(simplify=rational, value=lambda: full - full.subs(sigma_eps, 0))),
        Step("few-features", equation(noise_loss, noise * N / (T - N)),
             "N < T and N < M without ridge: D₁ = N.", Exact(value=lambda: few_features),
             Reference("solvable-model", "186")),
        Step("few-samples", equation(noise_loss, noise * (T / spread - 1 + T / (N - T))),
             "T < N and T < M without ridge: D₁ = T, and D₁ − D₂ = Σ λκ/(λ+κ)².",
             Exact(value=lambda: few_samples), Reference("solvable-model", "186")),
        Step("beyond-the-latent-space", equation(noise_loss, noise * M / (T - M)),
             "N, T > M without ridge: κ → 0 and D₁ = D₂ = M. The noise falls as 1/T, whatever "
             "the spectrum: beyond the latent space there is nothing left to learn but noise.",
             Exact(value=lambda: latent), Reference("solvable-model", "186")),
        Step("universal-with-ridge", Truncated(noise_loss, noise * D2 / T, T**-2),
             "At fixed κ (a ridge that grows in proportion to T) and N = T → ∞ the noise part "
             "still falls as 1/T, with D₂ in the place of M.",
             _noise_asymptotics(part), Reference("solvable-model", "188")),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[3].claim,
        assumptions=("the conclusion: N, T > M and no ridge",),
        notes=("The loss of the solvable-model paper is half of the excess loss given here.",),
    )


def _noise_asymptotics(part: sp.Expr) -> Asymptotic:
    spectrum = PowerLaw(alpha=1, size=50)
    values = {kappa: mpmath.mpf(1) / 1000, sigma_eps: 1}

    def exact(t: Any) -> Any:
        return evaluate(part, {**values, N: t, T: t}, spectrum)

    grid = [mpmath.mpf(10) ** k for k in range(4, 9)]
    return Asymptotic(exact, T, grid, -2.0, values=values, spectrum=spectrum)
