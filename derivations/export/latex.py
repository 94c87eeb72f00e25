"""Derivations as a LaTeX article that pdflatex compiles.

Every formula is the LaTeX of a sympy object. A display that is wider than the page is
broken at the terms of its sums, and scaled to the line if it is still too wide.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence

import sympy as sp

from solvable.analytic.typesetting import latex

from ..bibliography import PAPERS, Reference
from ..derivation import Derivation, Step, referring
from ..relations import Relation
from .prose import escape

WIDE = 90  # characters on a line beyond which an equation is broken

_PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern,amsmath,amssymb,adjustbox}
\usepackage[margin=25mm]{geometry}
\usepackage[hidelinks]{hyperref}
\numberwithin{equation}{section}
\allowdisplaybreaks
\newcommand{\fit}[1]{\adjustbox{max width=0.9\linewidth}{$\displaystyle #1$}}
"""


def display(claim: Relation) -> str:
    """The claim as the body of a displayed equation, broken into lines where it is long."""
    if _width(latex(claim)) <= WIDE:
        return rf"\fit{{{latex(claim)}}}"
    lines = _lines(claim.rhs)
    lines += [rf"+ O\!\left({latex(order)}\right)" for order in claim.args[2:]]
    left = latex(claim.lhs)
    if _width(left) > WIDE // 3:  # the left side on lines of its own
        first = r" \\ & ".join(_lines(claim.lhs))
        body = rf"& {first} \\ & \quad {claim.tex} {lines[0]}"
    else:
        body = rf"{left} {claim.tex} {{}} & {lines[0]}"
    body += "".join(rf" \\ & \qquad {line}" for line in lines[1:])
    return rf"\fit{{\begin{{aligned}} {body} \end{{aligned}}}}"


def _width(code: str) -> float:
    """About the number of characters that LaTeX code occupies on the line."""
    code = re.sub(r"\\(left|right|displaystyle|operatorname|mathbb|quad)", "", code)
    code = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", lambda m: max(m[1], m[2], key=len), code)
    return len(re.sub(r"\\[A-Za-z]+|[{}_^ ]", "x", code).replace("x", " ").replace("  ", " "))


def _lines(expression: sp.Expr) -> list[str]:
    """A sum as lines of whole terms that fit the page."""
    terms = expression.as_ordered_terms() if expression.is_Add else [expression]
    lines: list[str] = []
    line = ""
    for term in terms:
        piece = latex(term)
        if (line or lines) and not piece.startswith("-"):
            piece = "+ " + piece
        if line and _width(line) + _width(piece) > WIDE:
            lines.append(line)
            line = ""
        line = f"{line} {piece}".strip()
    return [*lines, line]


def _cite(reference: Reference) -> str:
    place = f"[eq.~({escape(reference.equation)})]" if reference.equation else ""
    return rf"\cite{place}{{{reference.paper}}}"


def _prose(text: str, derivation: Derivation, included: Container[str]) -> str:
    """The text with references to the claims of this derivation and of those in the document."""
    from ..catalogue import load

    def number(other: str | None, step: str) -> str:
        home = load(other) if other else derivation
        if other is None or other in included:
            name = home[step].supports or step
            section = rf" of section~\ref{{{other}}}" if other else ""
            return rf"\eqref{{{home.name}:{name}}}{section}"
        return f"({home.number(step)}) of ``{escape(home.title)}''"

    return referring(text, escape, number)


def _step(step: Step, derivation: Derivation, included: Container[str]) -> str:
    source = f" {_cite(step.source)}" if step.source else ""
    title = step.name.replace("-", " ")
    reason = _prose(step.reason, derivation, included) + source
    if step.supports:
        reference = rf"\eqref{{{derivation.name}:{step.supports}}}"
        return rf"\paragraph{{Evidence for~{reference}, {escape(title)}.}}{chr(10)}{reason}"
    body = display(step.claim)
    if step.claim in derivation.conclusion:
        body = rf"\boxed{{{body}}}"
    return "\n".join(
        [
            rf"\paragraph{{{escape(title[:1].upper() + title[1:])}.}}",
            reason,
            rf"\begin{{equation}}\label{{{derivation.name}:{step.name}}}",
            body,
            r"\end{equation}",
        ]
    )


def _conclusion(derivation: Derivation) -> list[str]:
    """Where the conclusion was reached, or the conclusion itself if no step claims it."""
    lines = [r"\paragraph{Conclusion.}"]
    stated = [derivation.concluding(relation) for relation in derivation.conclusion]
    if any(stated):
        labels = (rf"\eqref{{{derivation.name}:{step.name}}}" for step in stated if step)
        lines.append("Equation " + " and ".join(labels) + ".")
    for relation, step in zip(derivation.conclusion, stated):
        if not step:
            body = rf"\boxed{{{display(relation)}}}"
            lines += [r"\begin{equation}", body, r"\end{equation}"]
    return lines


def section(derivation: Derivation, included: Container[str] = ()) -> str:
    """One derivation as a section of a document in which those of ``included`` are too."""
    lines = [rf"\section{{{escape(derivation.title)}}}\label{{{derivation.name}}}"]
    cites = ", ".join(map(_cite, derivation.references))
    summary = _prose(derivation.summary, derivation, included)
    lines.append(summary + (f" After {cites}." if cites else ""))
    if derivation.assumptions:
        items = "\n".join(
            rf"\item {_prose(text, derivation, included)}" for text in derivation.assumptions
        )
        lines += ["", r"\noindent Assumptions:", rf"\begin{{itemize}}{items}\end{{itemize}}"]
    lines += [_step(step, derivation, included) for step in derivation.steps]
    lines += _conclusion(derivation)
    for note in derivation.notes:
        lines.append(rf"\paragraph{{Note.}} {_prose(note, derivation, included)}")
    return "\n".join(lines)


def article(
    derivations: Sequence[Derivation],
    title: str = "Solvable models of neural scaling laws: derivations",
) -> str:
    """A complete article: the derivations as numbered sections, and the references."""
    included = {derivation.name for derivation in derivations}
    body = "\n\n".join(section(derivation, included) for derivation in derivations)
    return "\n".join(
        [
            _PREAMBLE,
            rf"\title{{{escape(title)}}}\author{{}}\date{{}}",
            r"\begin{document}",
            r"\maketitle",
            r"\tableofcontents" if len(derivations) > 1 else "",
            body,
            _bibliography(_references(derivations)),
            r"\end{document}",
            "",
        ]
    )


def _references(derivations: Iterable[Derivation]) -> list[str]:
    used = {
        reference.paper
        for derivation in derivations
        for reference in (*derivation.references, *(s.source for s in derivation.steps if s.source))
    }
    return [key for key in PAPERS if key in used]


def _bibliography(keys: Sequence[str]) -> str:
    if not keys:
        return ""
    items = "\n".join(rf"\bibitem{{{key}}} {escape(str(PAPERS[key]))}." for key in keys)
    return rf"\begin{{thebibliography}}{{99}}{chr(10)}{items}{chr(10)}\end{{thebibliography}}"
