"""Every expression of the field, from its matrices to its equations, proved twice.

Each derivation has the same four parts: a linear pencil (checked on random matrices), the reduced
self-consistent equations and the value of the expression (checked against the sums over planar
pairings, exactly, order by order in 1/z), and a simulation at growing size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from solvable.analytic.free_probability import SelfConsistentEquations
from solvable.analytic.free_probability.models import EXPRESSIONS, MatrixExpression

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import FiniteSize, Verdict, passes_if, simulated_verdict
from ..derivation import Step, equation

ORDER = 4
SCALES, DRAWS, SEED = (1, 2, 4), 24, 1
PENCIL_TOLERANCE = 1e-9

_REFERENCES = {
    "marchenko-pastur": (Reference("marchenko-pastur"),),
    "sample-covariance": (Reference("marchenko-pastur"),),
    "semicircle": (Reference("wigner"),),
    "random-feature-resolvent": (Reference("solvable-model"), Reference("dynamical-model")),
    "deep-random-features": (Reference("renormalization"),),
    "random-feature-loss": (Reference("solvable-model"), Reference("dimension-free")),
    "gradient-flow": (Reference("dynamical-model"), Reference("two-point")),
}


def pencil_check(equations: SelfConsistentEquations) -> Callable[[sp.Basic], Verdict]:
    """The claimed pencil's Schur complement is the expression, on random matrices."""

    def check(claim: sp.Basic) -> Verdict:
        if not isinstance(claim.args[1], sp.BlockMatrix):
            return Verdict("fail", "the claim is not a block matrix")
        error = equations.pencil.check_matrix(claim.args[1])
        message = f"the Schur complement and the expression differ by {error:.1e} (relative)"
        return passes_if(error < PENCIL_TOLERANCE, message, error=error)

    return check


def _planar(equations: SelfConsistentEquations) -> Verdict:
    comparison = equations.prove_planar(ORDER)
    if comparison.holds:
        last = comparison.orders[-1]
        return Verdict("pass", f"equal to the sums over planar pairings to order {last} in 1/z")
    if not comparison.orders:
        return Verdict("undecided", "no order could be compared")
    return Verdict("fail", f"differs from the pairings at order {comparison.first_failure}")


def relation_check(equations: SelfConsistentEquations, index: int) -> Callable[[sp.Basic], Verdict]:
    """With the claim as relation ``index`` the moments equal the sums over planar pairings."""

    def check(claim: sp.Basic) -> Verdict:
        relations = list(equations.relations)
        relations[index] = claim
        return _planar(equations.with_relations(*relations))

    return check


def value_check(equations: SelfConsistentEquations) -> Callable[[sp.Basic], Verdict]:
    """With the claimed value the moments equal the sums over planar pairings."""
    return lambda claim: _planar(equations.with_value(claim.args[1]))


@dataclass(frozen=True)
class GrowingSize(FiniteSize):
    """Draws of the expression approach the claimed value (real and imaginary part)."""

    name: str = ""
    equations: SelfConsistentEquations = field(kw_only=True)

    def __call__(self, claim: sp.Basic) -> Verdict:
        from solvable.validation.executors import one_blas_thread
        from solvable.validation.matrix_expressions import instance, prove_by_simulation

        claimed = self.equations.with_value(claim.args[1])
        with one_blas_thread():
            scaling = prove_by_simulation(claimed, instance(self.name), self.scales, DRAWS, SEED)
        sizes = f"{self.sizes} at " + ", ".join(f"×{scale}" for scale in self.scales)
        found = simulated_verdict(scaling.judgement, str(DRAWS), sizes, "ratio to the claim")
        return replace(found, message=f"{found.message}; {scaling.slopes}")


def simulation_check(name: str, equations: SelfConsistentEquations) -> GrowingSize:
    """Draw the named expression at growing size and compare with the claimed value."""
    from solvable.validation import matrix_expressions as drawn

    def simulate(size: int) -> Any:
        return drawn.sample(equations, drawn.instance(name), size, DRAWS, SEED)

    def theory(claim: sp.Basic, size: int) -> float:
        value = drawn.theory(equations.with_value(claim.args[1]), drawn.instance(name), size)
        return float(abs(value))

    sizes = ", ".join(f"{d} = {n}" for d, n in drawn.instance(name).dimensions.items())
    return GrowingSize(simulate, theory, SCALES, sizes=sizes, name=name, equations=equations)


def corrupted_pencil(blocks: sp.BlockMatrix) -> sp.BlockMatrix:
    """A wrong pencil: its first block that is not zero is doubled."""
    rows = [list(row) for row in blocks.blocks.tolist()]
    i, j = next(
        (i, j)
        for i, row in enumerate(rows)
        for j, block in enumerate(row)
        if not isinstance(block, sp.ZeroMatrix)
    )
    rows[i][j] = 2 * rows[i][j]
    return sp.BlockMatrix(rows)


def _corrupted(relation: sp.Eq, size: sp.Expr) -> sp.Eq:
    """A wrong equation: one side raised by one part in ``size`` (or by one, if the other is 0)."""
    if relation.rhs == 0:
        return equation(relation.lhs + 1, 0)
    return equation(relation.lhs, relation.rhs * (1 + 1 / size))


def build(expression: MatrixExpression) -> Parts:
    """The derivation of one expression."""
    equations = expression.derive()
    size = equations.model.dimensions()[0]
    blocks = equations.pencil.block_matrix()
    steps = [
        Step(
            "pencil",
            equation(sp.Symbol("Q"), blocks),
            "A block matrix, linear in the random matrices, whose Schur complement is the "
            "expression; its expectation obeys the Dyson equation G = (F − Σ(G))^{-1}.",
            pencil_check(equations),
            Reference("linear-pencils"),
            wrong=(equation(sp.Symbol("Q"), corrupted_pencil(blocks)),),
        )
    ]
    for index, relation in enumerate(equations.relations):
        suffix = f"-{index + 1}" if len(equations.relations) > 1 else ""
        steps.append(
            Step(
                f"self-consistency{suffix}",
                relation,
                "The traces of the block resolvent close; what is linear is eliminated, and the "
                "shift of the deterministic resolvent is the unknown that remains.",
                relation_check(equations, index),
                wrong=(_corrupted(relation, size),),
            )
        )
    result = equation(equations.expression, equations.value)
    wrong = equation(equations.expression, equations.value * (1 + 1 / size))
    steps.append(
        Step(
            "value",
            result,
            "The expression in terms of the unknowns. Its moments are sums over non-crossing "
            f"pairings, here to {ORDER} orders beyond the first, exactly.",
            value_check(equations),
            wrong=(wrong,),
        )
    )
    steps.append(
        Step(
            "simulation",
            result,
            "The same expression drawn at growing size: the error of a draw falls as 1/size.",
            simulation_check(expression.name, equations),
            wrong=(equation(equations.expression, equations.value * sp.Rational(6, 5)),),
        )
    )
    return Parts(
        steps,
        result,
        assumptions=(
            "independent real Gaussian entries",
            "all dimensions large at fixed ratios; corrections are smaller by 1/dimension",
        ),
        notes=tuple(f"{u.symbol}: {u.meaning}" for u in equations.unknowns),
    )


def _register(expression: MatrixExpression) -> None:
    def parts() -> Parts:
        return build(expression)

    parts.__doc__ = (
        f"{expression.title}: a linear pencil of the expression, the self-consistent equations "
        "of its limit, and their two proofs."
    )
    references = (*_REFERENCES.get(expression.name, ()), Reference("linear-pencils"))
    derivation(f"matrix-{expression.name}", expression.title, *references)(parts)


for _expression in EXPRESSIONS.values():
    _register(_expression)
