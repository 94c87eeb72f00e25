"""The table of notation: every symbol that is printed and named for the whole package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp

from solvable.analytic import prose
from solvable.analytic.notation import MEANINGS
from solvable.analytic.typesetting import latex

from ..derivation import Derivation
from .renaming import symbols

#: what is written and not a letter
CONVENTIONS = (
    ("E[·]", "the average over data, features, noise and target"),
    ("≃", "the ratio of both sides tends to 1 in the limit of the section: N, T, M → ∞ at fixed "
     "ratios if it names no other"),
    ("Tr, tr", "the plain trace; the trace divided by the dimension"),
    ("z', κ'", "a prime marks the second of two frequencies"),
)  # fmt: skip


def printed(derivations: Iterable[Derivation]) -> set[str]:
    """The names of all symbols in claims and texts."""
    found = symbols(derivations := list(derivations))
    for derivation in derivations:
        texts = (derivation.title, derivation.summary, *derivation.assumptions, *derivation.notes,
                 *(step.reason for step in derivation.steps))  # fmt: skip
        for text in texts:
            found |= set(prose.symbols(text))
    return found | {letter for name in found for letter in _bracketed(name)}


def _bracketed(name: str) -> list[str]:
    """S[w^2λ] is a sum S of w and λ."""
    head, bracket, body = name.partition("[")
    return [head, *(w for c, w in (("λ", "lambda"), ("w", "w")) if c in body)] if bracket else []


def table(
    derivations: Iterable[Derivation], names: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """(LaTeX, meaning) of the symbols that these derivations print."""
    return meanings(printed(derivations), names)


def meanings(found: set[str], names: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """(LaTeX, meaning) of those of the symbols that are named for the whole package."""
    return [
        (latex(sp.Symbol(name), names), meaning)
        for name, meaning in MEANINGS.items()
        if name in found
    ]
