"""The ridgeless loss: bottlenecks, plateau, power law, double descent, breakdown."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.loss import isotropic_loss_formula, static_loss
from solvable.analytic.notation import M, N, T, alpha, kappa, sigma_w, z
from solvable.analytic.resolvent import solution as resolvent
from solvable.analytic.spectral_functions import DegreesOfFreedom
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Check, Exact, Numeric, Point, Verdict, passes_if
from ..derivation import Step, equation
from ..typesetting import absorb_sign
from .points import ISOTROPIC

D1, D2 = DegreesOfFreedom(1, kappa), DegreesOfFreedom(2, kappa)
LOSS = sp.Symbol("L")
LATENT = 400
SPECTRUM = PowerLaw(alpha=Fraction(1, 2), size=LATENT)


def ridgeless(saturated: sp.Symbol) -> sp.Expr:
    """(3) at D₁(κ) = N or D₁(κ) = T: D₂ drops out."""
    return absorb_sign(sp.factor(sp.simplify(isotropic_loss_formula().subs(D1, saturated))))


def _exact_points(sizes: tuple[tuple[int, int], ...]) -> list[Point]:
    """Points that carry κ and the loss of the solver (not of the formula that is checked)."""
    out = []
    for spectrum in ISOTROPIC:
        for n, t in sizes:
            solution = static_loss(spectrum, n, t, digits=mpmath.mp.dps)
            values = {N: n, T: t, kappa: solution.kappa, LOSS: solution.excess_loss, sigma_w: 1}
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
    smaller, larger = sp.symbols("m n", positive=True)
    unified = few_features.subs({N: smaller, T: larger}, simultaneous=True)
    plateau = sp.limit(few_features, T, sp.oo)
    steps = [
        Step(
            "underparameterised",
            equation(LOSS, few_features),
            "N < T, N < M: 1 − D₁/N → 0, and D₁ = N is put into (3); D₂ cancels.",
            Numeric(lambda: _exact_points(((3, 4), (4, 40))), digits=25),
            Reference("solvable-model", "163"),
        ),
        Step(
            "overparameterised",
            equation(LOSS, few_samples),
            "T < N, T < M: D₁ = T, by the duality N ↔ T.",
            Numeric(lambda: _exact_points(((4, 3), (40, 4))), digits=25),
            Reference("solvable-model", "163"),
        ),
        Step(
            "duality",
            equation(few_features, few_samples.subs({N: T, T: N}, simultaneous=True)),
            "The two are one formula in m = min(N, T) and n = max(N, T).",
            Exact(),
        ),
        Step(
            "plateau",
            equation(LOSS, plateau),
            "T → ∞ at fixed N: the loss is bounded below by the bottleneck N; the correction is "
            "of relative order N/T.",
            _plateau_check(),
            Reference("solvable-model", "1"),
        ),
    ]
    return Parts(
        steps,
        equation(LOSS, unified),
        assumptions=("m = min(N, T) < M, D₁(κ) = m, n = max(N, T), isotropic target, no noise",),
        notes=(
            "Half of this, with σ_w² replaced by σ_w²/M, is the loss of the solvable-model paper.",
        ),
    )


def _plateau_check() -> Asymptotic:
    n = 20
    k = resolvent.solve(SPECTRUM, mpmath.mpf(n), mpmath.inf).value

    def exact(t: Any) -> Any:
        return static_loss(SPECTRUM, n, t, digits=30).excess_loss

    grid = [mpmath.mpf(10) ** j for j in range(3, 8)]
    return Asymptotic(
        exact, T, grid, -1.0, values={N: n, kappa: mpmath.mpf(k), sigma_w: 1}, digits=15
    )


@derivation(
    "scaling-law",
    "The power law inherited from the spectrum",
    Reference("solvable-model", "163"),
    Reference("solvable-model", "1"),
)
def scaling_law() -> Parts:
    """For an infinite power-law spectrum the sum D₁(κ) = m is an integral to leading order,
    and the bottleneck L = σ_w² κ m is a power law in m, with the exponent α of the spectrum."""
    x, b, m = sp.Symbol("x", positive=True), 1 + alpha, sp.Symbol("m", positive=True)
    # ∫₀^∞ dJ/(1+κJ^b) = κ^{-1/b} ∫₀^∞ dx/(1+x^b), a beta function
    beta = sp.gamma(1 / b) * sp.gamma(1 - 1 / b) / b
    constant = sp.gammasimp(beta)
    integral = sp.Integral(1 / (1 + x**b), (x, 0, sp.oo))
    leading_kappa = (constant / m) ** b
    law = sp.powsimp(sigma_w**2 * leading_kappa * m)
    spectrum = PowerLaw(alpha=Fraction(1, 2))

    def exact(size: Any) -> Any:
        return static_loss(spectrum, size, math.inf, digits=40).excess_loss

    def exact_kappa(size: Any) -> Any:
        return resolvent.solve(spectrum, size, mpmath.inf).value

    grid = [mpmath.mpf(10) ** j for j in range(2, 8)]
    half = {alpha: mpmath.mpf(1) / 2, sigma_w: 1}
    steps = [
        Step(
            "constant",
            equation(integral, constant),
            "With J = x κ^{-1/b} the sum over modes becomes κ^{-1/b} times this beta integral, "
            "b = 1 + α.",
            _quadrature(x),
        ),
        Step(
            "leading-kappa",
            equation(kappa, leading_kappa),
            "D₁(κ) = m is solved for κ. The corrections to the integral are of relative order "
            "1/m: |κ − leading| falls as m^{-b-1}.",
            Asymptotic(exact_kappa, m, grid, -2.5, values=half),
        ),
        Step(
            "law",
            equation(LOSS, law),
            "L = σ_w² κ m, in the limit where the larger resource is infinite; at α = ½ the "
            "remainder falls as m^{-3/2}.",
            Asymptotic(exact, m, grid, -1.5, values=half),
            Reference("solvable-model", "163"),
        ),
    ]
    return Parts(
        steps,
        equation(LOSS, law),
        assumptions=("M = ∞, λ₊ = 1, m = min(N, T) ≫ 1, max(N, T) = ∞",),
    )


def _quadrature(x: sp.Symbol) -> Check:
    """Both sides at several α, the left one by numerical integration."""

    def check(claim: sp.Basic) -> Verdict:
        worst = mpmath.mpf(0)
        with mpmath.workdps(30):
            for value in (Fraction(1, 3), Fraction(1), Fraction(5, 2)):
                integrand = sp.lambdify(
                    x, claim.lhs.function.subs(alpha, sp.Rational(value)), "mpmath"
                )
                # x = e^u turns the algebraic tail into an exponential one
                left = mpmath.quad(integrand, [0, 1]) + mpmath.quad(
                    lambda u, f=integrand: f(mpmath.exp(u)) * mpmath.exp(u), [0, mpmath.inf]
                )
                right = mpmath.mpmathify(claim.rhs.subs(alpha, sp.Rational(value)).evalf(30))
                worst = max(worst, abs(left - right) / abs(right))
        agreed = float(worst)
        return passes_if(
            agreed < 1e-12,
            f"quadrature differs by {agreed:.1e} at α = 1/3, 1, 5/2",
        )

    return check


@derivation(
    "double-descent",
    "The pole at N = T, and how a ridge rounds it",
    Reference("solvable-model"),
)
def double_descent() -> Parts:
    """At N = T both brackets of equation (1) vanish together as z → 0. The loss diverges as
    z^{-1/2}; approached in N/T at zero ridge it has a simple pole."""
    bracket = sp.Symbol("r", positive=True)
    at_threshold = isotropic_loss_formula().subs(N, T).subs(D1, T * (1 - bracket))
    leading = sp.simplify(sp.limit(at_threshold * bracket, bracket, 0))
    rounded = sp.simplify(leading / sp.sqrt(z / kappa))
    spectrum = SPECTRUM
    size = 30
    start = resolvent.solve(spectrum, mpmath.mpf(size), mpmath.mpf(size)).value
    ratio = ridgeless(N)
    residue = sp.simplify(sp.limit(ratio * (1 - N / T), N, T))

    def exact(point: Any) -> Any:
        ridge = point * size * size
        return static_loss(spectrum, size, size, ridge=ridge, digits=40).excess_loss

    def exact_kappa_loss(point: Any) -> Any:
        return exact(point) * mpmath.sqrt(point)

    grid = [mpmath.mpf(10) ** -j for j in range(10, 22, 2)]
    with mpmath.workdps(45):
        start = resolvent.solve(spectrum, mpmath.mpf(size), mpmath.mpf(size)).value
    values = {T: size, kappa: start, sigma_w: 1}
    steps = [
        Step(
            "brackets-close-together",
            equation(sp.Symbol("r"), sp.sqrt(z / kappa)),
            "At N = T equation (1) reads z = κ r², r = 1 − D₁/T.",
            Numeric(_threshold_points, digits=20),
        ),
        Step(
            "rounded-pole",
            equation(LOSS, rounded),
            "r → 0 in (3) leaves half of σ_w² κ T/r: the loss at N = T diverges as z^{-1/2}; "
            "the remainder stays bounded (slope 0).",
            Asymptotic(exact, z, grid, 0.0, values=values, digits=45),
        ),
        Step(
            "pole",
            equation(sp.Limit(ratio * (1 - N / T), N, T), residue),
            "At zero ridge the same divergence is approached as a simple pole in N/T from "
            "either side, with residue σ_w² κ T: double descent.",
            _limit_check,
            Reference("solvable-model", "163"),
        ),
    ]
    return Parts(
        steps,
        equation(LOSS, rounded),
        assumptions=("N = T < M, z = γ/(σ_u² N T) → 0, isotropic target, no noise",),
    )


def _limit_check(claim: sp.Basic) -> Verdict:
    value = claim.lhs.doit()
    residual = sp.simplify(value - claim.rhs)
    return passes_if(residual == 0, f"the limit is {value}")


def _threshold_points() -> list[Point]:
    out = []
    for spectrum in ISOTROPIC:
        point = mpmath.mpf(10) ** -6
        solution = resolvent.solve(spectrum, mpmath.mpf(4), mpmath.mpf(4), point)
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
    smaller, larger = sp.symbols("m n", positive=True)
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
        Step(
            "linear-kappa",
            equation(kappa, linear_kappa.subs(smaller, M - gap)),
            "For κ → 0, D₁ = M − κτ + O(κ²) with τ = Σ 1/λ, and D₁ = m = M − δ gives κ, "
            "up to order δ².",
            Asymptotic(
                lambda d: resolvent.solve(spectrum, 40 - d, mpmath.mpf(90)).value, gap, grid, 2.0,
                values=values,
            ),
        ),
        Step(
            "linear-loss",
            equation(LOSS, near.subs(z, gap)),
            "The ridgeless loss with this κ: it vanishes linearly in δ = M − m, for every "
            "spectrum; the remainder is of order δ².",
            Asymptotic(exact, gap, grid, 2.0, values=values),
            Reference("talk"),
        ),
        Step(
            "beyond",
            equation(LOSS, 0),
            "For N, T ≥ M all latent modes are learned: κ = 0, and without noise the loss is zero.",
            Numeric(
                lambda: [
                    Point({LOSS: static_loss(spectrum, n, t, digits=30).excess_loss})
                    for n, t in ((40, 50), (50, 40), (41, 60), (60, 60))
                ],
                digits=25,
                absolute=True,
            ),
        ),
    ]  # fmt: skip
    return Parts(
        steps,
        equation(LOSS, near.subs(z, gap)),
        assumptions=("δ = M − min(N, T) ≪ M, n = max(N, T) > M, τ = Σ 1/λ, no noise",),
        notes=(
            "The printed (1/m − 1/M)^α vanishes with the power α, not linearly: near m = M it "
            "is too large for α < 1 and too small for α > 1.",
        ),
    )
