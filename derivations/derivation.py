"""A derivation: steps, each with a claim, a reason and a check, and a conclusion.

A claim is a relation between named things that the code of the derivation has computed. A check is
a function of the claim, so that a wrong claim can be put in its place and must be rejected: that is
how a check is itself tested. Claims are numbered, (1), (2), …; a step that is further evidence for
the claim of another repeats nothing and has no number.

Texts refer to a claim by the name of its step: ``@name``, or ``@derivation/name`` for one of
another derivation. Exporters put its number there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from solvable.analytic.typesetting import latex

from .bibliography import Reference
from .checks import Check, Verdict
from .relations import Relation, as_relation

_REFERENCE = re.compile(r"@(?:([a-z0-9-]+)/)?([A-Za-z0-9-]*[A-Za-z0-9])")


@dataclass(frozen=True)
class Step:
    """One step: what is claimed, why, and how it is checked.

    ``name`` is a short identifier unique in the derivation; ``source`` the place where a
    paper states the claim; ``wrong`` claims that the check must reject; ``supports`` the name of
    the step for whose claim this one is further evidence.
    """

    name: str
    claim: sp.Basic
    reason: str
    check: Check
    source: Reference | None = None
    wrong: tuple[sp.Basic, ...] = ()
    supports: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "claim", as_relation(self.claim))
        object.__setattr__(self, "wrong", tuple(map(as_relation, self.wrong)))

    def verify(self) -> Verdict:
        """The verdict of the check on the claim."""
        return self.check(self.claim)

    def with_claim(self, claim: sp.Basic) -> Step:
        """The same step with another claim (a wrong one, to test the check)."""
        return replace(self, claim=claim)

    def evidence(
        self,
        name: str,
        reason: str,
        check: Check,
        source: Reference | None = None,
        wrong: tuple[sp.Basic, ...] = (),
    ) -> Step:
        """A further check of the same claim."""
        return Step(name, self.claim, reason, check, source, wrong or self.wrong, self.name)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {latex(self.claim)}$"


@dataclass(frozen=True)
class Derivation:
    """Checked steps that end in a conclusion.

    ``conclusion`` is computed from the steps by the function that builds the derivation: a relation
    or several, most often claims of steps; ``notes`` are remarks for the reader (a misprint found,
    a range of validity).
    """

    name: str
    title: str
    summary: str
    steps: tuple[Step, ...]
    conclusion: Any
    references: tuple[Reference, ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"derivation {self.name} needs steps with distinct names: {names}")
        for step in self.steps:
            if step.supports and step.claim != self[step.supports].claim:
                raise ValueError(f"{self.name}/{step.name} claims something else than its support")
        several = isinstance(self.conclusion, tuple | sp.Tuple)
        claims = tuple(self.conclusion) if several else (self.conclusion,)
        object.__setattr__(self, "conclusion", tuple(map(as_relation, claims)))

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"{self.name} has no step {name!r}")

    @property
    def claims(self) -> tuple[Step, ...]:
        """The steps that claim something new, in the order of their numbers."""
        return tuple(step for step in self.steps if not step.supports)

    def number(self, name: str) -> int:
        """The number of the claim of a step, or of the claim that it supports."""
        step = self[name]
        return 1 + self.claims.index(self[step.supports] if step.supports else step)

    def concluding(self, relation: Relation) -> Step | None:
        """The step that claims a relation of the conclusion, if one does."""
        return next((step for step in self.claims if step.claim == relation), None)

    def verify(self) -> Iterator[tuple[Step, Verdict]]:
        """Run the checks one after the other."""
        for step in self.steps:
            yield step, step.verify()

    def _repr_latex_(self) -> str:
        body = r",\quad ".join(map(latex, self.conclusion))
        return rf"$\displaystyle {body}$"


def referring(
    text: str, plain: Callable[[str], str], number: Callable[[str | None, str], str]
) -> str:
    """A text, ``plain`` applied to its words and ``number(derivation, step)`` to its references.

    >>> referring("by @law and @resolvent/duality", str.upper, lambda d, s: f"<{d} {s}>")
    'BY <None law> AND <resolvent duality>'
    """
    pieces = _REFERENCE.split(text)
    out = [plain(pieces[0])]
    for index in range(1, len(pieces), 3):
        derivation, step, rest = pieces[index : index + 3]
        out += [number(derivation, step), plain(rest)]
    return "".join(out)
