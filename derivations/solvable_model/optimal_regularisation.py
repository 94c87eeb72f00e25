"""The optimal ridge, and how far the phenomenological law holds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.loss import isotropic_loss_formula
from solvable.analytic.notation import N, T, alpha, kappa
from solvable.analytic.optimal_ridge import law_ratio, optimal_ridge, scaling_loss, scaling_optimum
from solvable.analytic.spectral_functions import DegreesOfFreedom
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Check, Exact, Numeric, Point, Verdict
from ..derivation import Step, equation

LOSS = sp.Symbol("L")
degrees = sp.Symbol("D_1", positive=True)
D1 = DegreesOfFreedom(1, kappa)


def _to_the_quadratic(loss: sp.Expr, optimum: sp.Expr) -> list[Step]:
    """From (3) to the equation that D₁⋆ solves."""
    second = D1 + kappa * sp.Derivative(D1, kappa)
    power = kappa ** (-1 / (1 + alpha))
    scaling_second = sp.simplify(power + kappa * sp.diff(power, kappa)) / power
    stationary = sp.diff(sp.expand_log(sp.log(loss), force=True), degrees)
    return [
        Step(
            "second-degrees-of-freedom",
            equation(second, DegreesOfFreedom(2, kappa)),
            "D₂ is D₁ + κD₁', for every spectrum.",
            Exact(),
        ),
        Step(
            "scaling-regime",
            equation(DegreesOfFreedom(2, kappa) / D1, scaling_second),
            "If D₁ is a power law in κ with exponent −1/(1+α), D₂/D₁ is constant. For an "
            "infinite power-law spectrum this holds up to corrections of relative order 1/D₁.",
            _ratio_check(),
        ),
        Step(
            "loss-in-the-scaling-regime",
            equation(isotropic_loss_formula() / kappa, _back(loss)),
            "(3) with this D₂ as a function of D₁ alone (σ_w = 1; κ ∝ D₁^{-(1+α)}).",
            _substituted(),
        ),
        Step(
            "optimum",
            equation(stationary, _stationarity_form(optimum)),
            "The derivative of ln L with respect to D₁ is a quadratic over a product; it "
            "vanishes at D₁ = D₁⋆, the root below min(N, T).",
            _stationarity(optimum),
            Reference("talk"),
        ),
    ]


def _consequences(optimum: sp.Expr) -> list[Step]:
    """The optimum at α = 1, at its ends, against the law and against the exact spectrum."""
    at_one = sp.simplify(optimum.subs(alpha, 1))
    plateau = sp.limit(optimum.subs(N, 1), T, sp.oo)
    spectrum = PowerLaw(alpha=Fraction(1, 2))

    def exact(size: Any) -> Any:
        best = optimal_ridge(spectrum, size, 3 * size, digits=25)
        return spectrum.degrees_of_freedom(best.kappa) / size

    return [
        Step(
            "exact-at-one",
            equation(at_one, 1 / (1 / N + 1 / T)),
            "At α = 1 the optimum is the harmonic sum of the two resources: L⋆ ∝ 1/N + 1/T, the "
            "phenomenological law, exactly.",
            Exact(),
            Reference("zhang"),
        ),
        Step(
            "limit-of-scarce-features",
            equation(sp.Limit(optimum / N, T, sp.oo), plateau),
            "N ≪ T: all N features are used, D₁⋆ → N, and the ridge matters no longer.",
            _limit(optimum),
        ),
        Step(
            "law-at-equal-resources",
            equation(sp.Symbol("rho"), sp.simplify(law_ratio().subs(T, N))),
            "L⋆(N, N) over k (2/N)^α, where k N^{-α} is the plateau: 1.095 at α = ½, 1 at "
            "α = 1, 0.718 at α = 2.",
            Numeric(_ratio_points, digits=12),
            Reference("zhang"),
        ),
        Step(
            "against-the-exact-optimum",
            equation(sp.Symbol("D_1") / N, sp.simplify((optimum / N).subs(T, 3 * N))),
            "The exact optimum of the infinite spectrum (α = ½, T = 3N) tends to the closed "
            "form; the remainder falls as 1/N.",
            Asymptotic(
                exact,
                N,
                [mpmath.mpf(10) ** k for k in (3, 4, 5)],
                -1.0,
                values={alpha: mpmath.mpf(1) / 2},
                digits=25,
            ),
        ),
    ]


@derivation(
    "optimal-ridge",
    "The optimal ridge in closed form, and the law (1/N + 1/T)^α",
    Reference("talk"),
    Reference("zhang"),
    Reference("solvable-model", "1"),
)
def optimal_ridge_derivation() -> Parts:
    """The talk leaves the optimisation over the ridge to numerics. In the scaling regime
    D₁ ∝ κ^{-1/(1+α)}, and minimising (3) over κ is a quadratic equation for D₁. At α = 1 the
    phenomenological law is exact; for other α it errs by a bounded factor."""
    optimum = scaling_optimum()
    steps = [*_to_the_quadratic(scaling_loss(), optimum), *_consequences(optimum)]
    return Parts(
        steps,
        equation(sp.Symbol("D_1__*"), optimum),
        assumptions=("M = ∞, N, T ≫ 1, isotropic target, no noise",),
    )


def _back(loss: sp.Expr) -> sp.Expr:
    """The scaling form without its prefactor κ ∝ D₁^{-(1+α)}, in D₁(κ)."""
    return sp.simplify(loss * degrees ** (1 + alpha)).subs(degrees, D1)


def _substituted() -> Exact:
    from solvable.analytic.notation import sigma_w

    return Exact(
        {DegreesOfFreedom(2, kappa): alpha * D1 / (1 + alpha), sigma_w: 1},
        lambda e: sp.simplify(sp.together(e)),
    )


def _ratio_check() -> Asymptotic:
    spectrum = PowerLaw(alpha=Fraction(1, 2))

    def exact(k: Any) -> Any:
        return spectrum.degrees_of_freedom(k, 2) / spectrum.degrees_of_freedom(k)

    grid = [mpmath.mpf(10) ** -k for k in range(6, 15, 2)]
    slope = 2 / 3  # 1/D₁ ∝ κ^{1/b}
    return Asymptotic(exact, kappa, grid, slope, values={alpha: mpmath.mpf(1) / 2})


def _stationarity_form(optimum: sp.Expr) -> sp.Expr:
    """d ln L/d D₁, factored by the two roots of its numerator, one of them D₁⋆."""
    bracket = sp.Poly(sp.simplify(degrees**-alpha / scaling_loss()), degrees)
    condition = alpha * bracket + sp.Poly(degrees, degrees) * bracket.diff(degrees)
    other = condition.TC() / condition.LC() / optimum
    factored = condition.LC() * (degrees - optimum) * (degrees - other)
    return -factored / (degrees * bracket.as_expr())


def _stationarity(optimum: sp.Expr) -> Check:
    def check(claim: sp.Basic) -> Verdict:
        points = [
            Point({N: n, T: t, alpha: mpmath.mpf(p) / q, degrees: mpmath.mpf(d)})
            for n, t, p, q, d in ((7, 11, 1, 2, 2), (5, 50, 2, 1, 3), (9, 9, 7, 3, 4))
        ]
        verdict = Numeric(points, digits=20)(claim)
        if not verdict.passed:
            return verdict
        at_root = [Point({**point.values, degrees: point(optimum)}) for point in points]
        zero = sp.Eq(claim.rhs, 0, evaluate=False)
        return Numeric(at_root, digits=12, absolute=True)(zero)

    return check


def _limit(optimum: sp.Expr) -> Asymptotic:
    grid = [mpmath.mpf(10) ** k for k in range(3, 8)]

    def exact(t: Any) -> Any:
        return Point({N: 1, T: t, alpha: mpmath.mpf(1) / 2})(optimum)

    return Asymptotic(exact, T, grid, -1.0, values={alpha: mpmath.mpf(1) / 2})


def _ratio_points() -> list[Point]:
    """ρ by numerical minimisation of (3) in the scaling regime, N = T."""
    out = []
    for p, q in ((1, 2), (1, 1), (2, 1)):
        exponent, size = mpmath.mpf(p) / q, 6
        function = sp.lambdify(degrees, scaling_loss().subs({N: size, T: size}).subs(
            alpha, sp.Rational(p, q)), "mpmath")  # fmt: skip
        best = mpmath.findroot(lambda d, f=function: mpmath.diff(f, d), size * mpmath.mpf("0.55"))
        plateau = sp.lambdify([], sp.limit(
            scaling_loss().subs(degrees, N).subs(alpha, sp.Rational(p, q)), T, sp.oo
        ).subs(N, size), "mpmath")()  # fmt: skip
        value = function(best) / plateau / 2**exponent
        out.append(Point({sp.Symbol("rho"): value, alpha: exponent, N: size}))
    return out
