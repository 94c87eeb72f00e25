"""A derivation: steps, each with a claim, a reason and a check, and a conclusion.

A claim is a sympy object (most often an equation) that the code of the derivation has
computed. A check is a function of the claim, so that a wrong claim can be put in its
place and must be rejected: that is how a check is itself tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from .bibliography import Reference
from .checks import Check, Verdict
from .typesetting import latex


def equation(left: Any, right: Any) -> sp.Eq:
    """The claim ``left = right``, kept as it is displayed.

    >>> equation(1, 1)
    Eq(1, 1)
    """
    return sp.Eq(sp.sympify(left), sp.sympify(right), evaluate=False)


@dataclass(frozen=True)
class Step:
    """One step: what is claimed, why, and how it is checked.

    ``name`` is a short identifier unique in the derivation; ``source`` the place where a
    paper states the claim; ``wrong`` claims that the check must reject.
    """

    name: str
    claim: sp.Basic
    reason: str
    check: Check
    source: Reference | None = None
    wrong: tuple[sp.Basic, ...] = ()

    def verify(self) -> Verdict:
        """The verdict of the check on the claim."""
        return self.check(self.claim)

    def with_claim(self, claim: sp.Basic) -> Step:
        """The same step with another claim (a wrong one, to test the check)."""
        return replace(self, claim=claim)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {latex(self.claim)}$"


@dataclass(frozen=True)
class Derivation:
    """Checked steps that end in a conclusion.

    ``conclusion`` is computed from the steps by the function that builds the derivation;
    ``notes`` are remarks for the reader (a misprint found, a range of validity).
    """

    name: str
    title: str
    summary: str
    steps: tuple[Step, ...]
    conclusion: sp.Basic
    references: tuple[Reference, ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"derivation {self.name} needs steps with distinct names: {names}")

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"{self.name} has no step {name!r}")

    def verify(self) -> Iterator[tuple[Step, Verdict]]:
        """Run the checks one after the other."""
        for step in self.steps:
            yield step, step.verify()

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {latex(self.conclusion)}$"
