"""Every expression of the field, from its matrices to its equations, proved twice.

Each derivation has the same four parts: a linear pencil (checked on random matrices), the reduced
self-consistent equations and the value of the expression (checked against the sums over planar
pairings, exactly, order by order in 1/z), and a simulation at growing size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from solvable.analytic.free_probability import Reduced, SelfConsistentEquations
from solvable.analytic.free_probability.models import EXPRESSIONS, MatrixExpression
from solvable.analytic.typesetting import as_mathematics, one_line

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, FiniteSize, Verdict, simulated_verdict
from ..derivation import Step
from ..relations import (
    Definition,
    Equivalent,
    Expectation,
    Relation,
    as_relation,
    entries,
    equation,
)
from .pairings import ORDER, Planar

SCALES, DRAWS, SEED = (1, 2, 4), 24, 1
PENCIL_TOLERANCE = 1e-9

ASSUMPTIONS = (
    "independent real Gaussian entries",
    "all dimensions large at fixed ratios; corrections are smaller by 1/dimension",
    "Tr is the plain trace; tr = Tr/dimension where an expression is typed",
)

_REFERENCES = {
    "marchenko-pastur": (Reference("marchenko-pastur"),),
    "sample-covariance": (Reference("marchenko-pastur"),),
    "semicircle": (Reference("wigner"),),
    "random-feature-resolvent": (Reference("solvable-model"), Reference("dynamical-model")),
    "deep-random-features": (Reference("renormalization"),),
    "random-feature-loss": (Reference("solvable-model"), Reference("dimension-free")),
    "gradient-flow": (Reference("dynamical-model"), Reference("two-point")),
}


#: matrices that are displayed under another name than typed: L is the loss, Q the pencil
DISPLAYED = {"L": "Lambda", "Q": "Xi"}


def _renamed(expression: sp.Basic, names: dict[str, str]) -> Any:
    letters = expression.atoms(sp.MatrixSymbol)
    return expression.xreplace(
        {x: sp.MatrixSymbol(names[x.name], *x.shape) for x in letters if x.name in names}
    )


def shown(expression: sp.Basic) -> Any:
    """The expression as it is displayed."""
    return _renamed(expression, DISPLAYED)


def typed(expression: sp.Basic) -> Any:
    """The inverse of `shown`."""
    return _renamed(expression, {name: key for key, name in DISPLAYED.items()})


def pencil_step(equations: SelfConsistentEquations, reason: str) -> Step:
    """Q, whose Schur complement is the expression, on random matrices."""
    blocks = shown(equations.pencil.block_matrix())
    q = sp.Symbol("Q")
    if entries(Definition(q, blocks)):
        reason += " Blocks that are not listed are 𝕀 on the diagonal and 0 elsewhere."

    def error(claim: Relation) -> float:
        whole = isinstance(claim.rhs, sp.BlockMatrix)
        return equations.pencil.check_matrix(typed(claim.rhs)) if whole else float("inf")

    return Step(
        "pencil", Definition(q, blocks), reason,
        Agrees(lambda: 0, error, PENCIL_TOLERANCE, absolute=True), Reference("linear-pencils"),
        (Definition(q, corrupted_pencil(blocks)),),
    )  # fmt: skip


@dataclass(frozen=True)
class GrowingSize(FiniteSize):
    """Draws of the expression approach the claimed value (real and imaginary part)."""

    name: str = ""
    equations: Any = None

    def __call__(self, claim: Relation) -> Verdict:
        from solvable.validation.executors import one_blas_thread
        from solvable.validation.matrix_expressions import instance, prove_by_simulation

        claimed = self.equations.with_value(claim.rhs)
        with one_blas_thread():
            scaling = prove_by_simulation(claimed, instance(self.name), self.scales, DRAWS, SEED)
        sizes = f"{self.sizes} at " + ", ".join(f"×{scale}" for scale in self.scales)
        found = simulated_verdict(scaling.judgement, str(DRAWS), sizes, "ratio to the claim")
        observed = {**found.observed, "errors": [scaling.scales, scaling.errors, scaling.slope]}
        return replace(found, message=f"{found.message}; {scaling.slopes}", observed=observed)


def simulation_check(name: str, equations: Reduced) -> GrowingSize:
    """Draw the named expression at growing size and compare with the claimed value."""
    from solvable.validation import matrix_expressions as drawn

    def simulate(size: int) -> Any:
        return drawn.sample(equations, drawn.instance(name), size, DRAWS, SEED)

    def theory(claim: Relation, size: int) -> float:
        value = drawn.theory(equations.with_value(claim.rhs), drawn.instance(name), size)
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


def _corrupted(relation: sp.Eq, size: sp.Expr) -> Relation:
    """A wrong equation: one side raised by one part in ``size`` (or by one, if the other is 0)."""
    if relation.rhs == 0:
        return equation(relation.lhs + 1, 0)
    return equation(relation.lhs, relation.rhs * (1 + 1 / size))


def _relation_names(equations: SelfConsistentEquations) -> list[str]:
    """self-consistency, -1, -2 … where there are several, and unknown-1 … for named traces."""
    defined = [r.lhs in equations.reduction.defined for r in equations.relations]
    several = defined.count(False) > 1
    counts = {True: 0, False: 0}
    names = []
    for own in defined:
        counts[own] += 1
        stem = "unknown" if own else "self-consistency"
        names.append(f"{stem}-{counts[own]}" if own or several else stem)
    return names


def equation_steps(equations: SelfConsistentEquations) -> list[Step]:
    """The pencil and the relations."""
    size = equations.model.dimensions()[0]
    steps = [
        pencil_step(
            equations,
            "A block matrix, linear in the random matrices, whose Schur complement is the "
            "expression; its expectation obeys the Dyson equation G = (F − Σ(G))^{-1}.",
        )
    ]
    names, defined = _relation_names(equations), equations.reduction.defined
    for index, (relation, step) in enumerate(zip(equations.relations, names, strict=True)):
        reason = (
            "An unknown that keeps its name, since to put it in would make pages of a formula; the "
            "notes say of which trace it is the value."
            if relation.lhs in defined
            else "The traces of the block resolvent close; what is linear is eliminated, and the "
            "shift of the deterministic resolvent is the unknown that remains."
        )
        check, wrong = Planar.relation(equations, index), (_corrupted(relation, size),)
        steps.append(Step(step, as_relation(relation), reason, check, wrong=wrong))
    return steps


def build(expression: MatrixExpression) -> Parts:
    """The derivation of one expression."""
    equations = expression.derive()
    size = equations.model.dimensions()[0]
    steps = equation_steps(equations)
    average = Expectation(shown(equations.expression))
    value = Step(
        "value",
        Equivalent(average, equations.value),
        "The expression in terms of the unknowns. Its moments are sums over non-crossing "
        f"pairings, here to {ORDER} orders beyond the first, exactly.",
        Planar.value(equations),
        wrong=(Equivalent(average, equations.value * (1 + 1 / size)),),
    )
    simulated = value.evidence(
        "simulation",
        "The same expression drawn at growing size, extrapolated.",
        simulation_check(expression.name, equations),
        wrong=(Equivalent(average, equations.value * sp.Rational(6, 5)),),
    )
    return Parts(
        [*steps, value, simulated],
        value.claim,
        assumptions=ASSUMPTIONS,
        notes=tuple(f"{one_line(u.symbol)} = {meaning(u.meaning)}" for u in equations.unknowns),
    )


def meaning(text: str) -> str:
    """What an unknown stands for, in the names that are displayed."""
    text = text.replace("[Q^-1]", "[@]")
    for key, name in DISPLAYED.items():
        text = re.sub(rf"\b{key}\b", name, text)
    text = text.replace("[@]", "[Q⁻¹]")
    return as_mathematics(re.sub(r"sqrt\(([^()]*)\)", r"\1^{1/2}", text))


def register(expression: MatrixExpression) -> None:
    """Enter the derivation of an expression in the catalogue."""
    EXPRESSIONS.setdefault(expression.name, expression)

    def parts() -> Parts:
        return build(expression)

    parts.__doc__ = (
        f"{expression.title}: a linear pencil of the expression, the self-consistent equations "
        "of its limit, and their two proofs."
    )
    references = (*_REFERENCES.get(expression.name, ()), Reference("linear-pencils"))
    derivation(f"matrix-{expression.name}", expression.title, *references)(parts)


for _expression in EXPRESSIONS.values():
    register(_expression)
