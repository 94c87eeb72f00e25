"""A derivation as text for a terminal, and as data."""

from __future__ import annotations

import textwrap
from typing import Any

import sympy as sp

from solvable.analytic.notation import sigma_eps

from ..bibliography import cite
from ..derivation import Derivation
from ..typesetting import latex, two_dimensional

WIDTH = 96
INDENT = "      "
SHORT_NAMES = {sigma_eps: sp.Symbol("σ_ε")}  # a subscript that unicode lacks


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def pretty(claim: sp.Basic) -> str:
    """The claim in two-dimensional text; the sides of a wide equation below one another."""
    claim = claim.xreplace(SHORT_NAMES)
    drawn = two_dimensional(claim)
    if max(map(len, drawn.splitlines())) > WIDTH and isinstance(claim, sp.Eq):
        sides = [_one_side(claim.lhs), _one_side(claim.rhs)]
        return textwrap.indent("\n\n=\n\n".join(sides), INDENT)
    return textwrap.indent(_one_side(claim), INDENT)


def _one_side(expression: sp.Basic) -> str:
    """Two-dimensional if it fits the line, else in one dimension and wrapped."""
    drawn = two_dimensional(expression)
    if max(map(len, drawn.splitlines())) <= WIDTH:
        return drawn
    return textwrap.fill(str(expression), WIDTH - len(INDENT))


def as_text(derivation: Derivation) -> str:
    """Title, steps with claims, reasons and sources, and the conclusion."""
    lines = [derivation.title, "=" * len(derivation.title), "", _wrapped(derivation.summary)]
    if derivation.references:
        lines.append(_wrapped("After " + cite(derivation.references) + "."))
    if derivation.assumptions:
        lines += ["", "Assumptions:"]
        lines += [_wrapped("· " + text, "  ") for text in derivation.assumptions]
    for number, step in enumerate(derivation.steps, 1):
        source = f"  [{step.source}]" if step.source else ""
        lines += ["", f"{number}. {step.name}{source}", _wrapped(step.reason, "   ")]
        lines += ["", pretty(step.claim)]
    lines += ["", "Conclusion:", "", pretty(derivation.conclusion)]
    lines += (
        ["", *(_wrapped("Note. " + note) for note in derivation.notes)] if derivation.notes else []
    )
    return "\n".join(lines)


def as_json(derivation: Derivation) -> dict[str, Any]:
    """Everything as strings: sympy source form and LaTeX of each claim."""
    return {
        "name": derivation.name,
        "title": derivation.title,
        "summary": derivation.summary,
        "references": [str(reference) for reference in derivation.references],
        "assumptions": list(derivation.assumptions),
        "steps": [
            {
                "name": step.name,
                "claim": str(step.claim),
                "latex": latex(step.claim),
                "reason": step.reason,
                "source": str(step.source) if step.source else None,
                "check": type(step.check).__name__.lower(),
            }
            for step in derivation.steps
        ],
        "conclusion": {
            "claim": str(derivation.conclusion),
            "latex": latex(derivation.conclusion),
        },
        "notes": list(derivation.notes),
    }
