"""Dual kernels from Hermite coefficients."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.features.dual_kernels import U, arc_cosine_formula, erf_formula
from solvable.analytic.features.dual_kernels import tangent_kernel as tangent
from solvable.analytic.features.hermite import closed_form
from solvable.analytic.notation import letter

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact
from ..derivation import Step
from ..relations import Equality, Expectation

s, t = sp.symbols("s t", real=True)
POINTS = (sp.Rational(-3, 5), sp.Rational(1, 4), sp.Rational(4, 5))
TERMS = 11


@derivation(
    "dual-kernels",
    "Dual kernels: arc-cosine of every order, erf, and the tangent kernel",
    Reference("arc-cosine"),
    Reference("dual-activations"),
    Reference("tangent-kernel"),
)
def dual_kernels() -> Parts:
    """Two Gaussians g, g′ of unit variance and correlation u: Hermite polynomials of different
    degree are uncorrelated and those of degree k have the correlation u^k, so that a dual kernel is
    the power series of the squared Hermite coefficients. For max(x, 0)ⁿ it is an arc-cosine
    kernel, for erf an arcsine; derivatives by u belong to derivatives of σ."""
    generating = sp.exp(t * s * U)
    ramp, stair = arc_cosine_formula(1), arc_cosine_formula(0)
    quarter = erf_formula(U, 1, 1)
    kernel = sp.Function("k_relu")(U)
    steps = [
        Step(
            "mehler",
            Equality(
                Expectation(letter("e^(tg - t²/2 + sg' - s²/2)", r"e^{tg-t^2/2+sg'-s^2/2}")),
                generating,
            ),
            "e^{tg − t²/2} = Σ t^k He_k(g)/k! generates the Hermite polynomials; the average is "
            "that of a Gaussian of variance t² + s² + 2tsu. Coefficients of (ts)^k: "
            "E h_j(g) h_k(g′) = δ_jk u^k.",
            Exact(value=_generated),
            Reference("dual-activations"),
            (Equality(sp.Symbol("g"), sp.exp(t * s * U**2)),),
        ),
        Step(
            "relu-series",
            Equality(kernel, ramp / 2),
            "The arc-cosine kernel of order 1 against Σ a_k² u^k with the closed-form Hermite "
            f"coefficients of max(x, 0): its Taylor coefficients up to u^{TERMS - 1}.",
            Exact(residual=lambda claim: _coefficients(claim.rhs, "relu")),
            Reference("arc-cosine"),
            (Equality(kernel, ramp), Equality(kernel, stair / 2)),
        ),
        Step(
            "erf-series",
            Equality(sp.Function("k_erf")(U), quarter),
            "The same for erf of inputs of unit norm.",
            Exact(residual=lambda claim: _coefficients(claim.rhs, "erf")),
            Reference("dual-activations"),
            (Equality(sp.Function("k_erf")(U), erf_formula(U, sp.Rational(1, 2), 1)),),
        ),
        *(_ladder(n) for n in range(1, 5)),
        _tangent(),
    ]
    return Parts(
        steps, (steps[0].claim, steps[1].claim, steps[2].claim),
        assumptions=("inputs of unit norm, weights independent standard normal",),
    )  # fmt: skip


def _ladder(n: int) -> Step:
    own, below = arc_cosine_formula(n), arc_cosine_formula(n - 1)
    return Step(
        f"ladder-{n}",
        Equality(
            sp.Derivative(sp.Function(f"kappa_{n}")(U), U), sp.Rational(n**2, 2 * n - 1) * below
        ),
        "The derivative of a dual kernel is the dual kernel of the derivative; for "
        f"max(x, 0)^{n}, with κ_n = 1 at u = 1.",
        Exact(value=lambda: sp.diff(own, U)),
        Reference("dual-activations"),
    )


def _tangent() -> Step:
    left = sp.Function("Theta_2")(U)
    return Step(
        "tangent",
        Equality(left, tangent(U, 2)),
        "The tangent kernel of two hidden layers is the sum over layers of the covariance there "
        "times the slopes above: composed from κ₁ and its derivative.",
        Agrees(_composed, lambda claim: [float(claim.rhs.subs(U, x)) for x in POINTS], 1e-12),
        Reference("tangent-kernel"),
        (Equality(left, tangent(U, 1)),),
    )


def _generated() -> sp.Expr:
    """E e^{tg + sg′} by the covariance matrix of (g, g′), times e^{−(t²+s²)/2}."""
    vector, covariance = sp.Matrix([t, s]), sp.Matrix([[1, U], [U, 1]])
    exponent = (vector.T * covariance * vector)[0] / 2 - (t**2 + s**2) / 2
    return sp.exp(sp.expand(exponent))


def _coefficients(formula: sp.Expr, name: str) -> list[sp.Expr]:
    series = sp.series(formula, U, 0, TERMS).removeO()
    found = []
    for k in range(TERMS):
        own = closed_form(name, k)
        assert own is not None
        found.append(sp.simplify(series.coeff(U, k) - own**2))
    return found


def _composed() -> list[float]:
    """(Σ² + Σ¹ slope + Σ⁰ slope slope)/3, slopes by numerical differentiation of κ₁."""
    first = sp.lambdify(U, arc_cosine_formula(1), "mpmath")

    def at(x: Any) -> float:
        layers = [x, first(x), first(first(x))]
        slopes = [mpmath.diff(first, layers[0]), mpmath.diff(first, layers[1])]
        return float((layers[2] + layers[1] * slopes[1] + layers[0] * slopes[0] * slopes[1]) / 3)

    return [at(mpmath.mpf(x.p) / x.q) for x in POINTS]
