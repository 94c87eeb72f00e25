r"""Fluctuations of linear statistics of a Wishart matrix, S = X Xᵀ.

Tr f(S) fluctuates by O(1) at any size. The double contour integral over the derived resolvent is
compared with exact covariances, sums over all pairings that join two traces, and gives the known
variance of log det.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from solvable.analytic.free_probability import (
    derive_covariance,
    exact_covariance,
    parse_declarations,
)
from solvable.analytic.notation import M, T

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees
from ..derivation import Step
from ..relations import Equivalent, Expectation

if TYPE_CHECKING:
    from ..relations import Relation

SIZES = ((300, 500), (50, 400), (60, 100))  # M, T
TOLERANCE = 1e-8
POWERS = {(1, 1): "first-moment", (2, 1): "mixed-moments", (2, 2): "second-moment"}

S = sp.MatrixSymbol("S", M, M)


def covariance(first: sp.Expr, second: sp.Expr) -> sp.Expr:
    """E[x y] − E[x] E[y]."""
    return Expectation(first * second) - Expectation(first) * Expectation(second)


def _contours(first: str, second: str) -> Any:
    found = derive_covariance(first, second, parse_declarations(["X:M,T:1/T"]))
    return lambda: [float(found.solve({"M": m, "T": t}).value) for m, t in SIZES]


def _claimed(claim: Relation) -> list[float]:
    return [float(claim.rhs.subs({M: m, T: t})) for m, t in SIZES]


def _step(name: str, left: sp.Expr, value: sp.Expr, reason: str, texts: tuple[str, str]) -> Step:
    check = Agrees(_contours(*texts), _claimed, TOLERANCE)
    return Step(
        name, Equivalent(left, value), reason, check, Reference("linear-statistics"),
        (Equivalent(left, 2 * value), Equivalent(left, value * (1 + M / T))),
    )  # fmt: skip


@derivation(
    "linear-statistics",
    "Fluctuations of linear statistics of a Wishart matrix",
    Reference("linear-statistics"),
)
def linear_statistics() -> Parts:
    """The covariance of Tr f(S) and Tr h(S), S = XXᵀ with real entries of variance 1/T: the double
    contour integral over the derived resolvent equals the leading exact covariances of moments,
    and the variance of log det S is −2 log(1 − M/T)."""
    model = parse_declarations(["X:M,T:1/T"])
    steps = []
    for (j, k), name in POWERS.items():
        texts = f"Tr({'*'.join(['X*X.T'] * j)})", f"Tr({'*'.join(['X*X.T'] * k)})"
        leading = exact_covariance(texts[0], texts[1], model).expansion(1).coefficients[0]
        left = covariance(sp.Trace(S**j), sp.Trace(S**k))
        reason = "All pairings that join the two traces, to leading order in the size."
        steps.append(_step(name, left, leading, reason, texts))
    text = "Tr(log(X*X.T))"
    determinant = sp.log(sp.Determinant(S))
    steps.append(
        _step(
            "log-determinant",
            covariance(determinant, determinant),
            -2 * sp.log(1 - M / T),
            "log det S is a sum of logarithms of independent χ² variables of T, T − 1, … degrees "
            "of freedom, each of variance 2/degrees.",
            (text, text),
        )
    )
    return Parts(
        steps,
        steps[-1].claim,
        assumptions=(
            "real Gaussian entries (complex ones halve the covariance)",
            "M < T, both large",
        ),
    )
