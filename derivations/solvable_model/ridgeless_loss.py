"""The ridgeless loss: bottlenecks, plateau, power law, double descent, breakdown."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.loss import isotropic_loss_formula, static_loss
from solvable.analytic.notation import M, N, T, alpha, kappa, larger, loss, sigma_w, smaller, z
from solvable.analytic.resolvent import solve
from solvable.analytic.spectral_functions import D1
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.typesetting import absorb_sign

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, Asymptotic, Exact, Numeric, Point
from ..derivation import Step
from ..relations import Truncated, equation
from .points import ISOTROPIC

LATENT = 400
SPECTRUM = PowerLaw(alpha=Fraction(1, 2), size=LATENT)


def ridgeless(saturated: sp.Symbol) -> sp.Expr:
    """(3) at D₁(κ) = N or D₁(κ) = T: D₂ drops out."""
    return absorb_sign(sp.factor(sp.simplify(isotropic_loss_formula(kappa).subs(D1, saturated))))


def _exact_points(sizes: tuple[tuple[int, int], ...]) -> list[Point]:
    """Points that carry κ and the loss of the solver (not of the formula that is checked)."""
    out = []
    for spectrum in ISOTROPIC:
        for n, t in sizes:
            solution = static_loss(spectrum, n, t, digits=mpmath.mp.dps)
            values = {N: n, T: t, kappa: solution.kappa, loss: solution.excess_loss, sigma_w: 1}
            out.append(Point(values, spectrum))
    return out


@derivation(
    "ridgeless-loss",
    "The ridgeless loss below and above the interpolation threshold",
    Reference("solvable-model", "163"),
)
def ridgeless_loss() -> Parts:
    """As γ → 0, D₁(κ) = m with m = min(N, T) < M, and the loss needs κ alone: a bottleneck
    by the smaller resource, times a factor that diverges where the two are equal."""
    few_features, few_samples = ridgeless(N), ridgeless(T)
    unified = few_features.subs({N: smaller, T: larger}, simultaneous=True)
    plateau = sp.limit(few_features, T, sp.oo)
    dual = sp.Function("L")
    mirrored = few_samples.subs({N: T, T: N}, simultaneous=True)
    steps = [
        Step("underparameterised", equation(loss, few_features),
             "N < T, N < M: 1 − D₁/N → 0, and D₁ = N is put into @test-loss/isotropic-target; D₂ "
             "cancels.",
             Numeric(lambda: _exact_points(((3, 4), (4, 40))), digits=25),
             Reference("solvable-model", "163")),
        Step("overparameterised", equation(loss, few_samples),
             "T < N, T < M: D₁ = T, by the duality N ↔ T.",
             Numeric(lambda: _exact_points(((4, 3), (40, 4))), digits=25),
             Reference("solvable-model", "163")),
        Step("duality", equation(dual(N, T), dual(T, N)),
             "@underparameterised and @overparameterised are one formula in m = min(N, T) and "
             "n = max(N, T).",
             Exact({dual(N, T): few_features, dual(T, N): mirrored})),
        Step("plateau", Truncated(loss, plateau, 1 / T),
             "T → ∞ at fixed N: the loss is bounded below by the bottleneck N.", _plateau_check(),
             Reference("solvable-model", "1")),
    ]  # fmt: skip
    return Parts(
        steps,
        equation(loss, unified),
        assumptions=("m = min(N, T) < M, D₁(κ) = m, n = max(N, T), isotropic target, no noise",),
        notes=(
            "Half of this, with σ_w² replaced by σ_w²/M, is the loss of the solvable-model paper.",
        ),
    )


def _plateau_check() -> Asymptotic:
    n = 20
    k = solve(SPECTRUM, mpmath.mpf(n), mpmath.inf).value

    def exact(t: Any) -> Any:
        return static_loss(SPECTRUM, n, t, digits=30).excess_loss

    grid = [mpmath.mpf(10) ** j for j in range(3, 8)]
    return Asymptotic(
        exact, T, grid, -1.0, values={N: n, kappa: mpmath.mpf(k), sigma_w: 1}, digits=15
    )


@derivation(
    "scaling-law",
    "The power law inherited from the spectrum",
    *references("solvable-model", "163", "1"),
)
def scaling_law() -> Parts:
    """For an infinite power-law spectrum the sum D₁(κ) = m is an integral to leading order,
    and the bottleneck L = σ_w² κ m is a power law in m, with the exponent α of the spectrum."""
    x, b, m = sp.Symbol("x", positive=True), 1 + alpha, smaller
    # ∫₀^∞ dJ/(1+κJ^b) = κ^{-1/b} ∫₀^∞ dx/(1+x^b), a beta function
    constant = sp.gammasimp(sp.gamma(1 / b) * sp.gamma(1 - 1 / b) / b)
    named = sp.Symbol("c", positive=True)
    leading_kappa = (named / m) ** b
    law = sp.powsimp(sigma_w**2 * leading_kappa * m)
    spectrum = PowerLaw(alpha=Fraction(1, 2))

    def exact(size: Any) -> Any:
        return static_loss(spectrum, size, math.inf, digits=40).excess_loss

    def exact_kappa(size: Any) -> Any:
        return solve(spectrum, size, mpmath.inf).value

    grid = [mpmath.mpf(10) ** j for j in range(2, 8)]
    with mpmath.workdps(60):
        half = {alpha: mpmath.mpf(1) / 2, sigma_w: 1,
                named: Point({alpha: mpmath.mpf(1) / 2})(constant)}  # fmt: skip
    steps = [
        Step(
            "integral",
            equation(sp.Integral(1 / (1 + x**b), (x, 0, sp.oo)), constant),
            "With J = x κ^{-1/b} the sum over modes becomes κ^{-1/b} times this beta integral c, "
            "b = 1 + α.",
            Agrees(lambda: [_quadrature(value) for value in EXPONENTS],
                   lambda claim: [claim.rhs.subs(alpha, sp.Rational(value)).evalf(30)
                                  for value in EXPONENTS], 1e-12),
        ),
        Step(
            "leading-kappa",
            Truncated(kappa, leading_kappa, m ** (-b - 1)),
            "D₁(κ) = m is solved for κ, with c from @integral; the corrections to the integral are "
            "of relative order 1/m.",
            Asymptotic(exact_kappa, m, grid, -2.5, values=half),
        ),
        Step("law", Truncated(loss, law, m**-b),
             "L = σ_w² κ m, in the limit where the larger resource is infinite; here at α = ½.",
             Asymptotic(exact, m, grid, -1.5, values=half), Reference("solvable-model", "163")),
    ]  # fmt: skip
    return Parts(
        steps, steps[2].claim, assumptions=("M = ∞, λ₊ = 1, m = min(N, T) ≫ 1, max(N, T) = ∞",)
    )


EXPONENTS = (Fraction(1, 3), Fraction(1), Fraction(5, 2))


@cache
def _quadrature(exponent: Fraction) -> Any:
    """∫₀^∞ dx/(1+x^{1+α}); x = e^u turns the algebraic tail into an exponential one."""
    with mpmath.workdps(30):
        power = 1 + mpmath.mpmathify(exponent)

        def tail(u: Any) -> Any:
            return mpmath.exp(u) / (1 + mpmath.exp(power * u))

        return mpmath.quad(lambda x: 1 / (1 + x**power), [0, 1]) + mpmath.quad(
            tail, [0, mpmath.inf]
        )


@derivation(
    "double-descent", "The pole at N = T, and how a ridge rounds it", Reference("solvable-model")
)
def double_descent() -> Parts:
    """At N = T both brackets of @resolvent/equation vanish together as z → 0. The loss diverges as
    z^{-1/2}; approached in N/T at zero ridge it has a simple pole."""
    bracket = sp.Symbol("r", positive=True)
    at_threshold = isotropic_loss_formula(kappa).subs(N, T).subs(D1, T * (1 - bracket))
    leading = sp.simplify(sp.limit(at_threshold * bracket, bracket, 0))
    rounded = sp.simplify(leading / sp.sqrt(z / kappa))
    spectrum = SPECTRUM
    size = 30
    ratio = ridgeless(N)
    residue = sp.simplify(sp.limit(ratio * (1 - N / T), N, T))

    def exact(point: Any) -> Any:
        ridge = point * size * size
        return static_loss(spectrum, size, size, ridge=ridge, digits=40).excess_loss

    grid = [mpmath.mpf(10) ** -j for j in range(10, 22, 2)]
    with mpmath.workdps(45):
        start = solve(spectrum, mpmath.mpf(size), mpmath.mpf(size)).value
    values = {T: size, kappa: start, sigma_w: 1}
    steps = [
        Step("brackets-close-together", equation(sp.Symbol("r"), sp.sqrt(z / kappa)),
             "At N = T @resolvent/equation reads z = κ r², r = 1 − D₁/T.",
             Numeric(_threshold_points, digits=20)),
        Step("rounded-pole", Truncated(loss, rounded, 1),
             "r → 0 in @test-loss/isotropic-target leaves half of σ_w² κ T/r: the loss at N = T "
             "diverges as z^{-1/2}; the remainder stays bounded.",
             Asymptotic(exact, z, grid, 0.0, values=values, digits=45)),
        Step("pole", equation(sp.Limit((1 - N / T) * sp.Function("L")(N), N, T), residue),
             "At zero ridge the same divergence is approached as a simple pole in N/T from "
             "either side, with residue σ_w² κ T: double descent.",
             Exact(value=lambda: sp.limit(ratio * (1 - N / T), N, T)),
             Reference("solvable-model", "163")),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[1].claim,
        assumptions=("N = T < M, z = γ/(σ_u² N T) → 0, isotropic target, no noise",),
    )


def _threshold_points() -> list[Point]:
    out = []
    for spectrum in ISOTROPIC:
        point = mpmath.mpf(10) ** -6
        solution = solve(spectrum, mpmath.mpf(4), mpmath.mpf(4), point)
        degrees = spectrum.degrees_of_freedom(solution.value)
        out.append(Point({sp.Symbol("r"): 1 - degrees / 4, z: point, kappa: solution.value}))
    return out


@derivation(
    "breakdown",
    "Breakdown: the loss vanishes as min(N, T) reaches the latent dimension",
    Reference("talk"),
    Reference("solvable-model"),
)
def breakdown() -> Parts:
    """With M finite, κ → 0 as m = min(N, T) → M: the noiseless loss vanishes linearly in
    M − m and is zero beyond. The talk's law (1/m − 1/M)^α is a fit to this curve."""
    inverse_trace = sp.Symbol("tau", positive=True)  # Σ 1/λ
    # D₁ = Σ λ/(λ+κ) = M − κ Σ 1/λ + O(κ²)
    linear_kappa = sp.solve(sp.Eq(M - kappa * inverse_trace, smaller), kappa)[0]
    law = ridgeless(N).subs({N: smaller, T: larger, kappa: linear_kappa})
    near = law.subs({smaller: M - z})
    spectrum = PowerLaw(alpha=1, size=40)
    with mpmath.workdps(45):
        trace = spectrum.trace(-1, mp=True)

    def exact(distance: Any) -> Any:
        return static_loss(spectrum, 40 - distance, 90, digits=40).excess_loss

    grid = [mpmath.mpf(10) ** -j for j in range(1, 7)]
    gap = sp.Symbol("delta", positive=True)
    values = {inverse_trace: trace, larger: 90, sigma_w: 1, M: 40}
    steps = [
        Step("linear-kappa", Truncated(kappa, linear_kappa.subs(smaller, M - gap), gap**2),
             "For κ → 0, D₁ = M − κτ + O(κ²) with τ = Σ 1/λ, and D₁ = m = M − δ gives κ.",
             Asymptotic(lambda d: solve(spectrum, 40 - d, mpmath.mpf(90)).value, gap, grid, 2.0,
                        values=values)),
        Step("linear-loss", Truncated(loss, near.subs(z, gap), gap**2),
             "@ridgeless-loss/underparameterised with this κ: the loss vanishes linearly in "
             "δ = M − m, for every spectrum.",
             Asymptotic(exact, gap, grid, 2.0, values=values), Reference("talk")),
        Step(
            "beyond",
            equation(loss, 0),
            "For N, T ≥ M all latent modes are learned: κ = 0, and without noise the loss is zero.",
            Numeric(
                lambda: [
                    Point({loss: static_loss(spectrum, n, t, digits=30).excess_loss})
                    for n, t in ((40, 50), (50, 40), (41, 60), (60, 60))
                ],
                digits=25,
                absolute=True,
            ),
        ),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[1].claim,
        assumptions=("δ = M − min(N, T) ≪ M, n = max(N, T) > M, τ = Σ 1/λ, no noise",),
        notes=(
            "The talk's (1/m − 1/M)^α vanishes with the power α, not linearly: near m = M it "
            "is too large for α < 1 and too small for α > 1.",
        ),
    )
