"""A derivation as text for a terminal, and as data."""

from __future__ import annotations

import textwrap
from typing import Any

import sympy as sp

from solvable.analytic.typesetting import latex, one_line, two_dimensional

from ..bibliography import cite
from ..derivation import Derivation, Step, referring
from ..relations import as_relation, entries

WIDTH = 80
INDENT = "      "


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def pretty(claim: sp.Basic) -> str:
    """The claim in two-dimensional text; the sides of a wide one below one another."""
    claim = as_relation(claim)
    if listed := entries(claim):
        text = ";  ".join(map(one_line, listed))
        return textwrap.indent(textwrap.fill(text, WIDTH - len(INDENT)), INDENT)
    drawn = two_dimensional(claim)
    if max(map(len, drawn.splitlines())) > WIDTH - len(INDENT):
        parts = [_one_side(claim.lhs), claim.sign, _one_side(claim.rhs)]
        parts += [f"+ O({one_line(order)})" for order in claim.args[2:]]
        drawn = "\n\n".join(parts)
    return textwrap.indent(drawn, INDENT)


def _one_side(expression: sp.Basic) -> str:
    """Two-dimensional if it fits the line, else in one dimension and wrapped."""
    drawn = two_dimensional(expression)
    if max(map(len, drawn.splitlines())) <= WIDTH - len(INDENT):
        return drawn
    return textwrap.fill(one_line(expression), WIDTH - len(INDENT))


def prose(text: str, derivation: Derivation) -> str:
    """The text with the numbers of the claims that it refers to."""

    def number(other: str | None, step: str) -> str:
        if other is None:
            return f"({derivation.number(step)})"
        from ..catalogue import load

        return f"({load(other).number(step)}) of {other}"

    return referring(text, str, number)


def _step(step: Step, derivation: Derivation) -> list[str]:
    """Heading, reason and claim; of evidence the heading and the reason."""
    source = f"  [{step.source}]" if step.source else ""
    number = f"({derivation.number(step.name)})"
    reason = prose(step.reason, derivation)
    if step.supports:
        return ["", _wrapped(f"Evidence for {number}, {step.name}: {reason}{source}", "    ")]
    heading = f"{number} {step.name}{source}"
    return ["", heading, _wrapped(reason, "    "), "", pretty(step.claim)]


def as_text(derivation: Derivation, step: Step | None = None) -> str:
    """Title, steps with claims, reasons and sources, and the conclusion; or one step."""
    if step:
        return "\n".join(_step(step, derivation)[1:])
    title = _wrapped(derivation.title)
    lines = [title, "=" * max(map(len, title.splitlines())), ""]
    lines.append(_wrapped(prose(derivation.summary, derivation)))
    if derivation.references:
        lines.append(_wrapped("After " + cite(derivation.references) + "."))
    if derivation.assumptions:
        lines += ["", "Assumptions:"]
        lines += [_wrapped("· " + prose(t, derivation), "  ") for t in derivation.assumptions]
    for step in derivation.steps:
        lines += _step(step, derivation)
    lines.append("")
    for relation in derivation.conclusion:
        source = derivation.concluding(relation)
        stated = f"({derivation.number(source.name)}) {source.name}." if source else ""
        lines += [f"Conclusion: {stated}".strip(), *([] if source else ["", pretty(relation)])]
    for note in derivation.notes:
        lines += ["", _wrapped("Note. " + prose(note, derivation))]
    return "\n".join(lines)


def as_json(derivation: Derivation) -> dict[str, Any]:
    """Everything as strings: source form and LaTeX of each claim, its number, what it supports."""
    steps = [
        {
            "number": None if step.supports else derivation.number(step.name),
            "name": step.name,
            "relation": type(step.claim).__name__.lower(),
            "claim": str(step.claim),
            "latex": latex(step.claim),
            "reason": prose(step.reason, derivation),
            "source": str(step.source) if step.source else None,
            "check": type(step.check).__name__.lower(),
            "evidence_for": step.supports,
        }
        for step in derivation.steps
    ]
    stated = [derivation.concluding(relation) for relation in derivation.conclusion]
    return {
        "name": derivation.name,
        "title": derivation.title,
        "summary": prose(derivation.summary, derivation),
        "references": [str(reference) for reference in derivation.references],
        "assumptions": [prose(text, derivation) for text in derivation.assumptions],
        "steps": steps,
        "conclusion": {
            "claim": "; ".join(map(str, derivation.conclusion)),
            "latex": r",\quad ".join(map(latex, derivation.conclusion)),
            "steps": [step.name for step in stated if step],
        },
        "notes": [prose(note, derivation) for note in derivation.notes],
    }
