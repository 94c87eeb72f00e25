"""The optimal ridge, and how far the phenomenological law holds."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.loss import isotropic_loss_formula
from solvable.analytic.notation import N, T, alpha, kappa, loss, sigma_w
from solvable.analytic.optimal_ridge import law_ratio, optimal_ridge, scaling_loss, scaling_optimum
from solvable.analytic.spectral_functions import D1, D2
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Asymptotic, Both, Exact, Numeric, Point
from ..derivation import Step
from ..relations import Relation, Truncated, equation

degrees = sp.Symbol("D_1", positive=True)
best_degrees = sp.Symbol("D_1^*", positive=True)
ratio = sp.Symbol("rho")


def _to_the_quadratic(scaled: sp.Expr, optimum: sp.Expr) -> list[Step]:
    """From the isotropic loss to the equation that D₁⋆ solves."""
    power = kappa ** (-1 / (1 + alpha))
    scaling_second = sp.simplify(power + kappa * sp.diff(power, kappa)) / power
    slope = sp.Derivative(sp.log(sp.Function("L")(degrees)), degrees)
    return [
        Step("second-degrees-of-freedom", equation(D2, D1 + kappa * sp.Derivative(D1, kappa)),
             "For every spectrum.", Exact()),
        Step("scaling-regime", Truncated(D2 / D1, scaling_second, 1 / D1),
             "If D₁ is a power law in κ with exponent −1/(1+α), D₂/D₁ is constant; for an "
             "infinite power-law spectrum it is so up to corrections.",
             _ratio_check()),
        Step("loss-in-the-scaling-regime", equation(loss / kappa, _back(scaled)),
             "@test-loss/isotropic-target with this D₂ as a function of D₁ alone (σ_w = 1; "
             "κ ∝ D₁^{-(1+α)}).",
             Exact({D2: alpha * D1 / (1 + alpha), sigma_w: 1},
                   lambda e: sp.simplify(sp.together(e)),
                   lambda: isotropic_loss_formula(kappa) / kappa)),
        Step("stationarity", equation(slope, _stationarity_form(best_degrees)),
             "The derivative of ln L with respect to D₁ is a quadratic over a product; it "
             "vanishes at D₁ = D₁⋆, the root below min(N, T), for which see @optimum.",
             _stationarity(scaled, optimum), Reference("talk")),
        Step("optimum", equation(best_degrees, optimum),
             "The root of @stationarity below min(N, T), against the numerical minimum.",
             Agrees(_numerical_optima, _claimed_optima, 1e-12), Reference("talk")),
    ]  # fmt: skip


def _consequences(optimum: sp.Expr) -> list[Step]:
    """The optimum at α = 1, at its ends, against the law and against the exact spectrum."""
    at_one = sp.simplify(optimum.subs(alpha, 1))
    spectrum = PowerLaw(alpha=Fraction(1, 2))

    def exact(size: Any) -> Any:
        best = optimal_ridge(spectrum, size, 3 * size, digits=25)
        return spectrum.degrees_of_freedom(best.kappa) / size

    return [
        Step("exact-at-one", equation(best_degrees, 1 / (1 / N + 1 / T)),
             "At α = 1 the optimum is the harmonic sum of the two resources: L⋆ ∝ 1/N + 1/T, the "
             "phenomenological law, exactly.",
             Exact(value=lambda: at_one), Reference("zhang")),
        Step("limit-of-scarce-features", Truncated(best_degrees / N, 1, N / T),
             "N ≪ T: all N features are used, D₁⋆ → N, and the ridge matters no longer.",
             _limit(optimum)),
        Step("law-at-equal-resources", equation(ratio, sp.simplify(law_ratio().subs(T, N))),
             "ρ = L⋆(N, N)/[k (2/N)^α], where k N^{-α} is the plateau: 1.095 at α = ½, 1 at "
             "α = 1, 0.718 at α = 2.",
             Numeric(_ratio_points, digits=12), Reference("zhang")),
        Step("against-the-exact-optimum",
             Truncated(best_degrees / N, sp.simplify((optimum / N).subs(T, 3 * N)), 1 / N),
             "The exact optimum of the infinite spectrum (α = ½, T = 3N) tends to @optimum.",
             Asymptotic(exact, N, [mpmath.mpf(10) ** k for k in (3, 4, 5)], -1.0,
                        values={alpha: mpmath.mpf(1) / 2}, digits=25)),
    ]  # fmt: skip


@derivation(
    "optimal-ridge",
    "The optimal ridge in closed form, and the law (1/N + 1/T)^α",
    Reference("talk"),
    Reference("zhang"),
    Reference("solvable-model", "1"),
)
def optimal_ridge_derivation() -> Parts:
    """The talk leaves the optimisation over the ridge to numerics. In the scaling regime
    D₁ ∝ κ^{-1/(1+α)}, and minimising @test-loss/isotropic-target over κ is a quadratic
    equation for D₁. At α = 1 the phenomenological law is exact; for other α it errs by a bounded
    factor."""
    optimum = scaling_optimum()
    steps = [*_to_the_quadratic(scaling_loss(), optimum), *_consequences(optimum)]
    return Parts(
        steps,
        equation(best_degrees, optimum),
        assumptions=("M = ∞, N, T ≫ 1, isotropic target, no noise",),
    )


def _back(loss: sp.Expr) -> sp.Expr:
    """The scaling form without its prefactor κ ∝ D₁^{-(1+α)}, in D₁(κ)."""
    return sp.simplify(loss * degrees ** (1 + alpha)).subs(degrees, D1)


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


PLACES = ((7, 11, 1, 2, 2), (5, 50, 2, 1, 3), (9, 9, 7, 3, 4))  # N, T, α = p/q, D₁


def _places() -> list[Point]:
    return [
        Point({N: n, T: t, alpha: mpmath.mpf(p) / q, degrees: mpmath.mpf(d)})
        for n, t, p, q, d in PLACES
    ]


def _stationarity(scaled: sp.Expr, optimum: sp.Expr) -> Both:
    """The derivative at several points, and that it vanishes at the optimum."""
    slope = sp.diff(sp.expand_log(sp.log(scaled), force=True), degrees)

    def at_root(claim: Relation) -> list[Any]:
        return [
            Point({**point.values, degrees: point(optimum)})(claim.rhs.subs(best_degrees, optimum))
            for point in _places()
        ]  # fmt: skip

    derivative = Agrees(
        lambda: [point(slope) for point in _places()],
        lambda claim: [point(claim.rhs.subs(best_degrees, optimum)) for point in _places()],
        1e-20,
    )
    return Both((derivative, Agrees(lambda: [0] * len(PLACES), at_root, 1e-12, absolute=True)))


def _claimed_optima(claim: Relation) -> list[Any]:
    return [point(claim.rhs) for point in _places()]


@cache
def _numerical_optima() -> list[Any]:
    """D₁ that minimises the scaling form, by a root of its derivative."""
    found = []
    with mpmath.workdps(30):
        for n, t, p, q, _ in PLACES:
            form = scaling_loss().subs({N: n, T: t}).subs(alpha, sp.Rational(p, q))
            function = sp.lambdify(degrees, sp.diff(form, degrees), "mpmath")
            found.append(mpmath.findroot(function, n * t / mpmath.mpf(n + t)))
    return found


def _limit(optimum: sp.Expr) -> Asymptotic:
    grid = [mpmath.mpf(10) ** k for k in range(3, 8)]

    def exact(t: Any) -> Any:
        return Point({N: 1, T: t, alpha: mpmath.mpf(1) / 2})(optimum)

    return Asymptotic(exact, T, grid, -1.0, values={alpha: mpmath.mpf(1) / 2})


def _ratio_points() -> list[Point]:
    """ρ by numerical minimisation of the loss in the scaling regime, N = T."""
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
        out.append(Point({ratio: value, alpha: exponent, N: size}))
    return out
