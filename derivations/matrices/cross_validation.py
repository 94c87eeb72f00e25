r"""Generalised cross-validation: the test loss of ridge regression from the training data alone.

With the hat matrix H = Ψᵀ(ΨΨᵀ + z)^{-1}Ψ of the data Ψ = Λ^{1/2}Z and labels y = Ψᵀw + ε,

    GCV = (1/T) ‖(1 − H) y‖² / (1 − tr H)²

is a ratio of traces. Both it and the test loss are derived from their matrices, and are one and the
same function of κ, for every spectrum, target, noise and ridge.
"""

from __future__ import annotations

import sympy as sp

from solvable.analytic.free_probability import SelfConsistentEquations
from solvable.analytic.free_probability.models import expression
from solvable.analytic.free_probability.spectral_trace import in_spectral_functions
from solvable.analytic.notation import z

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, rational
from ..derivation import Step
from ..relations import Equality, Equivalent, Expectation, Relation, as_relation
from .pairings import Planar

gcv, test = Expectation(sp.Symbol("GCV")), Expectation(sp.Symbol("L_test"))


def _value(equations: SelfConsistentEquations) -> sp.Expr:
    return in_spectral_functions(equations.value)


@derivation(
    "generalised-cross-validation",
    "Generalised cross-validation equals the test loss",
    Reference("cross-validation"),
    Reference("renormalization"),
)
def generalised_cross_validation() -> Parts:
    """The training loss of ridge regression divided by (1 − tr H)², H being the hat matrix, is
    asymptotically the test loss with its label noise, for every spectrum, target, noise and
    ridge."""
    ratio = expression("generalised-cross-validation").derive()
    loss = expression("ridge-test-loss").derive()
    shift = in_spectral_functions(ratio.relations[0].rhs)
    residual_freedom = sp.Symbol("T", positive=True) * z / ratio.unknown_symbols[0]

    def on_shell(claim: Relation) -> sp.Expr:
        return rational((claim.lhs - claim.rhs).subs(z, shift))

    estimate = Step(
        "estimate",
        Equivalent(gcv, ratio.value),
        "A ratio of traces, each of which does not fluctuate to leading order.",
        Planar.value(ratio),
        wrong=(Equivalent(gcv, ratio.value * 2),),
    )
    measured = Step(
        "test-loss",
        Equivalent(test, loss.value),
        "The loss on a fresh sample: bias, variance from the noise of the labels, and that of the "
        "fresh label.",
        Planar.value(loss),
        wrong=(Equivalent(test, loss.value - sp.Symbol("sigma") ** 2),),
    )
    wrong = _value(ratio) * (residual_freedom / sp.Symbol("T", positive=True))
    equal = Step(
        "equality",
        Equality(_value(ratio), _value(loss)),
        "On z = Z(κ) the factor (1 − D₁/T)² is (z/κ)², and the two are one function of κ.",
        Exact(residual=on_shell),
        wrong=(Equality(wrong, _value(loss)),),
    )
    self_consistency = Step(
        "self-consistency",
        as_relation(ratio.relations[0]),
        "The same κ for both.",
        Planar.relation(ratio, 0),
        wrong=(Equality(z, ratio.relations[0].rhs * 2),),
    )
    return Parts(
        [self_consistency, estimate, measured, equal],
        Equivalent(gcv, test),
        assumptions=(
            "independent Gaussian data of covariance Λ, target and noise independent of them",
            "all dimensions large at fixed ratios",
        ),
        notes=(
            "For data whose samples have different leverages the mean over samples of "
            "1/(1 − H_tt)² is not that of the average leverage, and the equality fails.",
        ),
    )
