"""Equation (1): the resolvent of the random features, and what follows from it at once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.free_probability import SelfConsistentEquations
from solvable.analytic.free_probability.models import random_feature_resolvent
from solvable.analytic.free_probability.spectral_trace import in_spectral_functions
from solvable.analytic.notation import M, N, T, kappa, z
from solvable.analytic.resolvent import self_consistent_equation, solve
from solvable.analytic.spectral_functions import D1, D2
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Exact, Numeric, rational
from ..derivation import Step
from ..matrices.pairings import Planar
from ..matrices.random_matrices import pencil_step, shown
from ..relations import Equivalent, Expectation, Truncated, equation
from .points import solved

SPECTRUM = PowerLaw(alpha=Fraction(1, 2), size=400)


def _kappa_at(point: Any) -> Any:
    return solve(SPECTRUM, 20, 50, point).value


def _degrees_at_ridge(point: Any) -> Any:
    return SPECTRUM.degrees_of_freedom(_kappa_at(point))


def large_z_expansion(order: int) -> sp.Expr:
    """κ(z) to z^{-order}, by iterating equation (1) with D₁ = Σ_k (−1)^k Tr Λ^{k+1}/κ^{k+1}."""
    traces = sp.symbols(f"t_1:{order + 2}", positive=True)
    k = z
    for _ in range(order + 2):
        degrees = sum((-1) ** j * trace / k ** (j + 1) for j, trace in enumerate(traces))
        small = sp.Symbol("epsilon")
        value = (z / ((1 - degrees / N) * (1 - degrees / T))).subs(z, 1 / small)
        k = sp.series(sp.together(value), small, 0, order + 1).removeO().subs(small, 1 / z)
        k = sp.expand(k)
    return k


@derivation(
    "resolvent",
    "The self-consistent equation of the resolvent",
    Reference("solvable-model"),
    Reference("dynamical-model", "32"),
)
def resolvent_equation() -> Parts:
    """The expected resolvent of φφᵀ is that of Λ at a renormalised ridge κ, which one scalar
    equation determines. The equation is derived from the matrices; its symmetry, the
    uniqueness of its solution, the ridgeless limit and the first terms at large z follow."""
    matrices, defining = _from_the_matrices(random_feature_resolvent())
    return Parts(
        [*matrices, *_properties(self_consistent_equation())], defining.claim,
        assumptions=(
            "u and x have independent Gaussian entries (only their variances matter)",
            "N and T are large; corrections to averages fall as 1/N and 1/T",
        ),
    )  # fmt: skip


def _from_the_matrices(derived: SelfConsistentEquations) -> tuple[list[Step], Step]:
    """From the pencil to the equation and the expected resolvent; and the step of the equation."""
    relation, value = (
        in_spectral_functions(part) for part in (derived.relations[0].rhs, derived.value)
    )
    resolvent_trace = Expectation(shown(derived.expression))
    defining = Step(
        "equation", equation(z, relation),
        "The block traces of E Q^{-1} solve the Dyson equation G = (F − Σ(G))^{-1}. Eliminating "
        "all but the shift κ of the deterministic resolvent (Λ + κ)^{-1} leaves one equation for "
        "the renormalised ridge κ(z), z = γ/(σ_u² N T).",
        Planar.relation(derived, 0), Reference("dynamical-model", "32"),
    )  # fmt: skip
    return [
        pencil_step(
            derived,
            "The resolvent of AᵀA Λ^{1/2}ZZᵀΛ^{1/2} (A has entries of variance 1/N, Z of "
            "variance 1/T) is a block of the inverse of Q, which is linear in A and Z.",
        ),
        defining,
        defining.evidence(
            "same-equation", "It is the equation that all evaluations solve.",
            Exact(simplify=rational, value=lambda: self_consistent_equation().rhs),
        ),
        defining.evidence(
            "solutions", "Values of κ(z) from the solver, for several spectra and sizes.",
            Numeric(solved(), digits=25),
        ),
        Step("expected-resolvent", Equivalent(resolvent_trace, value),
             "Its trace in terms of κ, checked against all non-crossing pairings up to the "
             "fourth order in 1/z.",
             Planar.value(derived)),
        Step("degrees-of-freedom", Equivalent(M - z * M * resolvent_trace, D1),
             "Σ μ/(μ+z) over the eigenvalues μ of the random matrix: the degrees of freedom at "
             "ridge z are those of Λ at the renormalised ridge κ.",
             Exact({resolvent_trace: value}, rational)),
    ], defining  # fmt: skip


def _properties(law: sp.Eq) -> list[Step]:
    """Symmetry, uniqueness, and the ends of small and of large ridge."""
    mirrored = law.rhs.subs({N: T, T: N}, simultaneous=True)
    slope = sp.diff(sp.log(law.rhs), kappa) * kappa
    spread = D1 - D2
    positive = 1 + spread / N / (1 - D1 / N) + spread / T / (1 - D1 / T)
    traces = {sp.Symbol(f"t_{q}", positive=True): SPECTRUM.trace(q) for q in (1, 2)}
    frequency = sp.Function("z")
    return [
        Step("duality", equation(frequency(kappa, N, T), frequency(kappa, T, N)),
             "@equation is symmetric under N ↔ T: features and samples play the same role.",
             Exact({frequency(kappa, N, T): law.rhs, frequency(kappa, T, N): mirrored})),
        Step("uniqueness", equation(kappa / z * sp.Derivative(frequency(kappa), kappa), positive),
             "d ln z/d ln κ is a sum of positive terms wherever D₁ < min(N, T): z rises "
             "strictly with κ, so that each ridge has exactly one κ.",
             Exact(value=lambda: slope)),
        Step("ridgeless-limit", Truncated(D1, N, z),
             "For N < T and N < M the bracket 1 − D₁/N must vanish as z → 0: κ tends to the "
             "solution of D₁(κ) = N (for T < N, of D₁(κ) = T).",
             Asymptotic(_degrees_at_ridge, z, [mpmath.mpf(10) ** -k for k in range(6, 12)], 1.0,
                        values={N: 20})),
        Step("large-ridge", Truncated(kappa, large_z_expansion(1), z**-2),
             "Iterating the equation from κ = z gives κ in powers of 1/z, with t_k = Tr Λᵏ "
             "(checked for a power law of 400 modes, α = ½).",
             Asymptotic(_kappa_at, z, [mpmath.mpf(10) ** k for k in range(3, 8)], -2.0,
                        values={N: 20, T: 50, **traces})),
    ]  # fmt: skip
