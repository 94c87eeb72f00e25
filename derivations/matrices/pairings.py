"""The proof of self-consistent equations by planar pairings, as a check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from solvable.analytic.free_probability import SelfConsistentEquations
from solvable.analytic.free_probability.spectral_trace import SpectralTrace, in_spectral_functions

from ..checks import Verdict, passes_if
from ..relations import Relation

ORDER = 4


def _in_traces(expression: sp.Expr, equations: SelfConsistentEquations) -> sp.Expr:
    """D_q(κ) and h_q(κ) as the traces of the equations that they are."""
    parts = (*equations.relations, equations.value)
    traces = set().union(*(sp.sympify(part).atoms(SpectralTrace) for part in parts))
    return expression.xreplace({in_spectral_functions(trace): trace for trace in traces})


@dataclass(frozen=True)
class Planar:
    """With the claim put into the equations their moments are the sums over planar pairings.

    The moments are compared exactly, order by order in 1/z.
    """

    with_claim: Callable[[Relation], SelfConsistentEquations]

    @classmethod
    def relation(cls, equations: SelfConsistentEquations, index: int) -> Planar:
        """The claim takes the place of relation ``index``."""

        def with_claim(claim: Relation) -> SelfConsistentEquations:
            relations = list(equations.relations)
            sides = (_in_traces(side, equations) for side in (claim.lhs, claim.rhs))
            relations[index] = sp.Eq(*sides, evaluate=False)
            return equations.with_relations(*relations)

        return cls(with_claim)

    @classmethod
    def value(cls, equations: SelfConsistentEquations) -> Planar:
        """The claim's right side takes the place of the value of the expression."""
        return cls(lambda claim: equations.with_value(_in_traces(claim.rhs, equations)))

    def __call__(self, claim: Relation) -> Verdict:
        comparison = self.with_claim(claim).prove_planar(ORDER)
        if not comparison.orders:
            return Verdict("undecided", "no order could be compared")
        if not comparison.holds:
            return passes_if(
                False, f"differs from the pairings at order {comparison.first_failure}"
            )
        last = comparison.orders[-1]
        return passes_if(True, f"equal to the sums over planar pairings to order {last} in 1/z")
