r"""Functions of random matrices and limits without a ridge, from the resolvent that they are of.

Each derivation proves the resolvent first, against planar pairings, and then its integral over the
spectral parameter, or its limit as the ridge goes to zero, against draws at growing size. The
inverse Wishart limit is also the leading term of the exact mean at any size.
"""

from __future__ import annotations

import sympy as sp

from solvable.analytic.free_probability import exact_mean
from solvable.analytic.free_probability.function_integral import TraceOfFunction
from solvable.analytic.free_probability.models import LIMITS, LimitExpression
from solvable.analytic.free_probability.ridgeless import RidgelessLimit
from solvable.analytic.typesetting import one_line

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact
from ..derivation import Step
from ..relations import Equivalent, Expectation
from .pairings import Planar
from .random_matrices import ASSUMPTIONS, equation_steps, meaning, shown, simulation_check

#: limits whose exact mean at every size is known, by Weingarten calculus
EXACT = ("inverse-wishart", "inverse-sample-covariance")


def build(expression: LimitExpression) -> Parts:
    """The derivation of one function or limit."""
    equations = expression.derived()
    inner, size = equations.inner[0], equations.model.dimensions()[0]
    integral = isinstance(equations.parts[0], TraceOfFunction)
    steps = equation_steps(inner)
    resolvent = Step(
        "resolvent",
        Equivalent(Expectation(shown(inner.expression)), inner.value),
        "The trace with the resolvent in the place of the function."
        if integral
        else "With a ridge in every inverse that has no deterministic part.",
        Planar.value(inner),
        wrong=(Equivalent(Expectation(shown(inner.expression)), inner.value * (1 + 1 / size)),),
    )
    average = Expectation(shown(equations.expression))
    value = Step(
        "value",
        Equivalent(average, equations.value),
        "The function as an integral over the resolvent, for an exponent between 0 and 1."
        if integral
        else "The limit as the ridge goes to zero: the branch is that of certified small ridges.",
        simulation_check(expression.name, equations),
        wrong=(Equivalent(average, equations.value * sp.Rational(6, 5)),),
    )
    steps += [resolvent, value]
    if expression.name in EXACT:
        steps.append(_exact(value, expression))
    notes = tuple(f"{one_line(u.symbol)} = {meaning(u.meaning)}" for u in equations.unknowns)
    return Parts(steps, value.claim, assumptions=ASSUMPTIONS, notes=notes)


def _exact(value: Step, expression: LimitExpression) -> Step:
    """The limit as the leading term of the exact mean."""
    mean = exact_mean(expression.text, expression.declarations())
    limit = expression.derived().parts[0]
    assert isinstance(limit, RidgelessLimit)
    (closed,) = limit.branches.values()

    def leading() -> sp.Expr:
        return mean.expansion(1).coefficients[0]

    claim = Equivalent(value.claim.lhs, closed)
    reason = (
        "At full rank (κ = 0): the first term in 1/size of the exact mean, which is known at every "
        "size by Weingarten calculus."
    )
    check = Exact(value=leading)
    wrong = (claim.with_right(2 * closed),)
    if claim == value.claim:
        return value.evidence("exact-mean", reason, check, wrong=wrong)
    return Step("exact-mean", claim, reason, check, wrong=wrong)


def register(expression: LimitExpression) -> None:
    """Enter the derivation in the catalogue."""

    def parts() -> Parts:
        return build(expression)

    parts.__doc__ = (
        f"{expression.title}: a pencil and the self-consistent equations of the resolvent, proved "
        "by planar pairings, and what follows for the function or the limit, proved by simulation."
    )
    derivation(f"matrix-{expression.name}", expression.title, Reference("linear-pencils"))(parts)


for _expression in LIMITS.values():
    register(_expression)
