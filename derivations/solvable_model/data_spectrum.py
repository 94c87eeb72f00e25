"""The spectrum of finitely many samples and features: where the power law ends."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import sympy as sp

from solvable.analytic.notation import M, T, kappa, z
from solvable.analytic.resolvent.density import eigenvalue_count, eigenvalue_density
from solvable.analytic.resolvent.solution import self_consistent_equation
from solvable.analytic.spectral_functions import DegreesOfFreedom
from solvable.analytic.spectrum import Flat, PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Check, Exact, Statistical, Verdict, passes_if
from ..derivation import Step, equation

SEEDS, MODES, SAMPLES, FEATURES = 40, 400, 60, 90
POINTS = (0.3, 0.7, 1.3)


@derivation(
    "data-spectrum",
    "The eigenvalues of finite data, and what bounds the extent of their power law",
    Reference("talk"),
    Reference("marchenko-pastur"),
)
def data_spectrum() -> Parts:
    """Below the negative axis, z = −x − i0, the imaginary part of D₁(κ) is the density of the
    eigenvalues of the finite-sample covariance (N = ∞) or of the features' Gram matrix. White
    data give the Marchenko–Pastur law; a power law ends after min(N, T, M) eigenvalues."""
    x, c = sp.symbols("x c", positive=True)  # c = M/T
    law = self_consistent_equation(T)  # N = ∞: one bracket
    white = law.subs(DegreesOfFreedom(1, kappa), M / (1 + kappa)).subs(M, c * T)
    free_kappa = sp.Symbol("kappa_w")
    quadratic = sp.numer(sp.together((white.rhs - white.lhs).subs(kappa, free_kappa)))
    roots = sp.solve(quadratic.subs(z, -x), free_kappa)
    polynomial = sp.Poly(quadratic.subs(z, -x), free_kappa)
    discriminant = sp.discriminant(polynomial)
    # Im D₁ = Tx |Im 1/κ| from D₁ = T(1 − z/κ); |Im 1/κ| = |Im κ|/|κ|², both read off by Vieta
    imaginary, modulus = sp.sqrt(-discriminant) / 2, polynomial.TC()
    density = sp.simplify(T * x * imaginary / modulus / (sp.pi * x))
    edges = sp.solve(discriminant, x)
    steps = [
        Step(
            "one-bracket",
            law,
            "The covariance xxᵀ/T of T samples is the case N = ∞.",
            _is_limit_of_two_brackets,
        ),
        Step(
            "white-data",
            equation(quadratic.subs(free_kappa, kappa), 0),
            "λ = 1 for all modes: D₁ = M/(1+κ), c = M/T, and the equation is quadratic in κ.",
            _solved_by(roots[0], x),
        ),
        Step(
            "edges",
            equation(sp.Symbol("x_+"), sp.simplify(edges[-1])),
            "κ is complex, and the density not zero, where the discriminant is negative: "
            "between x = (1 ± √c)²; this is the upper edge.",
            Exact({sp.Symbol("x_+"): (1 + sp.sqrt(c)) ** 2}),
            Reference("marchenko-pastur"),
        ),
        Step(
            "marchenko-pastur",
            equation(sp.Function("n")(x), density),
            "n(x) = Im D₁/(πx) with D₁ = T(1 − z/κ): the Marchenko–Pastur density, here per "
            "unit x for all nonzero eigenvalues.",
            _density_check(x, c),
            Reference("marchenko-pastur"),
        ),
        Step(
            "rank",
            equation(sp.Symbol("n_0"), sp.Min(sp.Symbol("N"), T, M)),
            "The number of eigenvalues above any x > 0 follows from ln det; as x → 0 it is "
            "min(N, T, M): the larger of N and T cannot extend the spectrum further.",
            _rank_check,
            Reference("talk"),
        ),
        Step(
            "simulation",
            equation(sp.Symbol("n_x"), _expected_count()),
            f"A power law, α = ½, M = {MODES}, T = {SAMPLES}, N = {FEATURES}: the number of "
            f"eigenvalues of φφᵀ/(NT) above 1/100 in {SEEDS} draws.",
            Statistical(
                _simulated_count, lambda claim: float(claim.args[1]), resolution=0.05,
                sizes=f"N = {FEATURES}, T = {SAMPLES}, M = {MODES}",
            ),
            Reference("talk"),
        ),
    ]  # fmt: skip
    return Parts(
        steps,
        equation(sp.Function("n")(x), density),
        assumptions=("the conclusion: white data, N = ∞, c = M/T, x between the edges",),
    )


def _is_limit_of_two_brackets(claim: sp.Basic) -> Verdict:
    two = self_consistent_equation()
    residual = sp.simplify(sp.limit(two.rhs, sp.Symbol("N", positive=True), sp.oo) - claim.args[1])
    return passes_if(residual == 0, f"lim N → ∞ differs by {residual}")


def _solved_by(root: sp.Expr, x: sp.Symbol) -> Check:
    def check(claim: sp.Basic) -> Verdict:
        residual = sp.simplify((claim.args[0] - claim.args[1]).subs({z: -x}).subs(kappa, root))
        return passes_if(residual == 0, f"the root put in leaves {residual}")

    return check


def _density_check(x: sp.Symbol, c: sp.Symbol) -> Check:
    def check(claim: sp.Basic) -> Verdict:
        modes, samples = 40, 160
        values = {c: Fraction(modes, samples), T: samples}
        worst = 0.0
        for point in POINTS:
            claimed = float(claim.args[1].subs(values).subs(x, point))
            solved = float(eigenvalue_density(Flat(modes), math.inf, samples, point))
            worst = max(worst, abs(claimed / solved - 1))
        message = f"solver and closed form differ by {worst:.1e}"
        return passes_if(worst < 1e-9, message, error=worst)

    return check


def _rank_check(claim: sp.Basic) -> Verdict:
    spectrum = PowerLaw(alpha=Fraction(1, 2), size=50)
    errors = []
    for n, t in ((20, 30), (30, 20), (90, 70)):
        counted = float(eigenvalue_count(spectrum, n, t, 1e-9))
        claimed = claim.args[1].subs({sp.Symbol("N"): n, T: t, M: 50})
        errors.append(abs(counted - float(claimed)))
    return passes_if(max(errors) < 1e-3, f"counted to {max(errors):.1e} for three pairs (N, T)")


def _spectrum() -> PowerLaw:
    return PowerLaw(alpha=0.5, size=MODES)


def _expected_count() -> sp.Float:
    return sp.Float(float(eigenvalue_count(_spectrum(), FEATURES, SAMPLES, 0.01)), 6)


def _simulated_count() -> np.ndarray:
    scale = np.sqrt(_spectrum().eigenvalues())[:, None]
    counts = []
    for seed in np.random.SeedSequence(2210).spawn(SEEDS):
        rng = np.random.default_rng(seed)
        data = rng.normal(size=(MODES, SAMPLES)) * scale
        features = rng.normal(size=(FEATURES, MODES)) @ data / np.sqrt(FEATURES * SAMPLES)
        counts.append(np.sum(np.linalg.svd(features, compute_uv=False) ** 2 > 0.01))
    return np.array(counts, dtype=float)
