"""The spectrum of finitely many samples and features: where the power law ends."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np
import sympy as sp

from solvable.analytic.notation import M, N, T, kappa, letter, z
from solvable.analytic.resolvent import self_consistent_equation
from solvable.analytic.resolvent.density import eigenvalue_count, eigenvalue_density
from solvable.analytic.spectral_functions import D1
from solvable.analytic.spectrum import Flat, PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Statistical
from ..derivation import Step
from ..relations import Equivalent, Expectation, equation

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
    white = law.subs(D1, M / (1 + kappa)).subs(M, c * T)
    free_kappa = sp.Symbol("kappa_w")
    quadratic = sp.numer(sp.together((white.rhs - white.lhs).subs(kappa, free_kappa)))
    roots = sp.solve(quadratic.subs(z, -x), free_kappa)
    polynomial = sp.Poly(quadratic.subs(z, -x), free_kappa)
    discriminant = sp.discriminant(polynomial)
    # Im D₁ = Tx |Im 1/κ| from D₁ = T(1 − z/κ); |Im 1/κ| = |Im κ|/|κ|², both read off by Vieta
    imaginary, modulus = sp.sqrt(-discriminant) / 2, polynomial.TC()
    density = sp.simplify(T * x * imaginary / modulus / (sp.pi * x))
    edges = sp.solve(discriminant, x)
    values = {c: sp.Rational(*WHITE), T: WHITE[1]}
    counted = letter("#{μ > 1/100}", r"\#\{\mu>1/100\}")
    steps = [
        Step("one-bracket", law, "The covariance xxᵀ/T of T samples is the case N = ∞.",
             Exact(value=lambda: sp.limit(self_consistent_equation().rhs, N, sp.oo))),
        Step("white-data", equation(quadratic.subs(free_kappa, kappa), 0),
             "λ = 1 for all modes: D₁ = M/(1+κ), c = M/T, and the equation is quadratic in κ.",
             Exact([(z, -x), (kappa, roots[0])])),
        Step("edges", equation(sp.Symbol("x_+"), sp.simplify(edges[-1])),
             "κ is complex, and the density not zero, where the discriminant is negative: "
             "between x = (1 ± √c)²; this is the upper edge.",
             Exact(value=lambda: (1 + sp.sqrt(c)) ** 2), Reference("marchenko-pastur")),
        Step(
            "marchenko-pastur",
            equation(sp.Function("n")(x), density),
            "n(x) = Im D₁/(πx) with D₁ = T(1 − z/κ): the Marchenko–Pastur density, here per "
            "unit x for all nonzero eigenvalues.",
            Agrees(
                _solved_density,
                lambda claim: [float(claim.rhs.subs({**values, x: point})) for point in POINTS],
                1e-9,
            ),
            Reference("marchenko-pastur"),
        ),
        Step("rank", equation(sp.Limit(sp.Function("n_>")(x), x, 0), sp.Min(N, T, M)),
             "n_>(x), the number of eigenvalues above x > 0, follows from ln det; as x → 0 it is "
             "min(N, T, M): the larger of N and T cannot extend the spectrum further.",
             Agrees(_counted,
                    lambda claim: [float(claim.rhs.subs({N: n, T: t, M: 50})) for n, t in PAIRS],
                    1e-3),
             Reference("talk")),
        Step("simulation", Equivalent(Expectation(counted), _expected_count()),
             f"A power law, α = ½, M = {MODES}, T = {SAMPLES}, N = {FEATURES}: the number of "
             f"eigenvalues μ of φφᵀ/(NT) above 1/100 in {SEEDS} draws.",
             Statistical(_simulated_count, lambda claim: float(claim.rhs), resolution=0.05,
                         sizes=f"N = {FEATURES}, T = {SAMPLES}, M = {MODES}"),
             Reference("talk")),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[3].claim,
        assumptions=("the conclusion: white data, N = ∞, c = M/T, x between the edges",),
    )


WHITE, PAIRS = (40, 160), ((20, 30), (30, 20), (90, 70))  # (M, T), and pairs (N, T) at M = 50


def _solved_density() -> list[float]:
    modes, samples = WHITE
    return [float(eigenvalue_density(Flat(modes), math.inf, samples, x)) for x in POINTS]


@cache
def _counted() -> list[float]:
    spectrum = PowerLaw(alpha=Fraction(1, 2), size=50)
    return [float(eigenvalue_count(spectrum, n, t, 1e-9)) for n, t in PAIRS]


@cache
def _spectrum() -> PowerLaw:
    return PowerLaw(alpha=0.5, size=MODES)


def _expected_count() -> sp.Float:
    return sp.Float(float(eigenvalue_count(_spectrum(), FEATURES, SAMPLES, 0.01)), 6)


@cache
def _simulated_count() -> np.ndarray:
    scale = np.sqrt(_spectrum().eigenvalues())[:, None]
    counts = []
    for seed in np.random.SeedSequence(2210).spawn(SEEDS):
        rng = np.random.default_rng(seed)
        data = rng.normal(size=(MODES, SAMPLES)) * scale
        features = rng.normal(size=(FEATURES, MODES)) @ data / np.sqrt(FEATURES * SAMPLES)
        counts.append(np.sum(np.linalg.svd(features, compute_uv=False) ** 2 > 0.01))
    return np.array(counts, dtype=float)
