"""Derivations as a LaTeX article that pdflatex compiles.

Every formula is the LaTeX of a sympy object. A display that is wider than the page is
broken at the terms of its sums, and scaled to the line if it is still too wide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

import sympy as sp

from solvable.analytic.typesetting import latex, positive_first

from ..bibliography import PAPERS, Reference
from ..derivation import Derivation, Step, referring
from ..relations import Expectation, Minimiser, Relation, Truncated, entries
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
\newcommand{\fit}[1]{\adjustbox{max width=0.85\linewidth}{$\displaystyle #1$}}
"""


def display(claim: Relation) -> str:
    """The claim as the body of a displayed equation, broken into lines where it is long."""
    if listed := entries(claim):
        shown = [latex(entry) for entry in listed]
        rows = [r",\quad ".join(shown[i : i + 4]) for i in range(0, len(shown), 4)]
        return rf"\fit{{\begin{{gathered}} {_BREAK.join(rows)} \end{{gathered}}}}"
    if _width(latex(claim)) <= WIDE:
        return rf"\fit{{{latex(claim)}}}"
    left, lines = _lines(claim.lhs), _lines(claim.rhs)
    if isinstance(claim, Truncated):
        lines.append(rf"+ O\!\left({latex(claim.args[2])}\right)")
    if isinstance(claim, Minimiser):
        lines = _bracketed(lines, rf"\operatorname*{{argmin}}_{{{latex(claim.args[2])}}}")
    if len(left) > 1 or _width(left[0]) > WIDE // 3:  # the left side on lines of its own
        body = rf"& {f'{_BREAK}& '.join(left)}{_BREAK}& \quad {claim.tex} {lines[0]}"
    else:
        body = rf"{left[0]} {claim.tex} {{}} & {lines[0]}"
    body += "".join(rf"{_BREAK}& \qquad {line}" for line in lines[1:])
    return rf"\fit{{\begin{{aligned}} {body} \end{{aligned}}}}"


_BREAK = r" \\ "


def _width(code: str) -> float:
    """About the number of characters that LaTeX code occupies on the line."""
    code = re.sub(r"\\(left|right|displaystyle|operatorname|mathbb|quad)", "", code)
    code = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", lambda m: max(m[1], m[2], key=len), code)
    return len(re.sub(r"\\[A-Za-z]+|[{}_^ ]", "x", code).replace("x", " ").replace("  ", " "))


def _bracketed(lines: list[str], before: str = "") -> list[str]:
    """Lines in large brackets that span them."""
    first, *rest = [rf"{before}\Bigl[ {lines[0]}", *lines[1:]]
    return [first, *rest[:-1], rf"{rest[-1]} \Bigr]"] if rest else [rf"{first} \Bigr]"]


def _lines(expression: Any) -> list[str]:
    """The expression as lines that fit the page: terms of sums, numerator over denominator."""
    if _width(latex(expression)) <= WIDE:
        return [latex(expression)]
    if isinstance(expression, Expectation):
        return _bracketed(_lines(expression.args[0]), r"\mathbb{E}")
    if expression.is_Add:
        return _sum_lines(positive_first(expression.as_ordered_terms()))
    if not (expression.is_Mul and expression.is_commutative):
        return [latex(expression)]
    numerator, denominator = sp.fraction(expression)
    above, below = latex(numerator), latex(denominator)
    if denominator != 1 and _width(below) <= WIDE // 3:
        return _bracketed(_lines(numerator), rf"\frac{{1}}{{{below}}}")
    if denominator != 1 and _width(above) <= WIDE // 3:
        return _bracketed(_lines(denominator), rf"{above} \Big/ ")
    if denominator != 1:
        return [*_bracketed(_lines(numerator)), *_bracketed(_lines(denominator), r"\Big/ ")]
    longest = max(expression.args, key=lambda factor: _width(latex(factor)))
    others = expression / longest
    return _bracketed(_lines(longest), "" if others == 1 else latex(others))


def _sum_lines(terms: Sequence[sp.Expr]) -> list[str]:
    lines: list[str] = []
    line = ""
    for term in terms:
        first, *rest = _lines(term)
        if (line or lines) and not first.startswith("-"):
            first = "+ " + first
        if line and (rest or _width(line) + _width(first) > WIDE):
            lines.append(line)
            line = ""
        line = f"{line} {first}".strip()
        if rest:
            lines += [line, *rest[:-1]]
            line = rest[-1]
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
        items = _items(derivation.assumptions, lambda t: _prose(t, derivation, included))
        lines += ["", r"\noindent Assumptions:", rf"\begin{{itemize}}{items}\end{{itemize}}"]
    lines += [_step(step, derivation, included) for step in derivation.steps]
    lines += _conclusion(derivation)
    for note in derivation.notes:
        lines.append(rf"\paragraph{{Note.}} {_prose(note, derivation, included)}")
    return "\n".join(lines)


def _items(texts: Iterable[str], show: Callable[[str], str] = escape) -> str:
    return "\n".join(rf"\item {show(text)}" for text in texts)


NOTATION = (
    "N features, T samples (the dynamical paper's P), M latent modes; u are the features, N×M, "
    "x the data, M×T; the dynamical paper's A and Ψ are u and xᵀ.",
    "λ_J the eigenvalues of the latent covariance Λ, λ₊ J^{-(1+α)} or J^{-b} for a power law; w "
    "the target, w_J² λ_J ∝ J^{-a}; σ_ε² the variance of the label noise; γ the ridge.",
    "κ the renormalised ridge; D_q = Σ (λ/(λ+κ))^q and h_q = Σ w²λ/(λ+κ)^q its sums over modes.",
    "L the excess loss Σ λ_J v_J² in the limit of large size, v the error of the learned weights; "
    "L̂ the mean squared residual on the training data.",
    "Tr the plain trace; tr A = Tr A divided by the dimension of A.",
    "E[·] the average over data, features, noise and target; a ≃ b: a/b → 1 in the limit of the "
    "section, N, T, M → ∞ at fixed ratios if it names no other; := defines; a prime marks the "
    "second of two frequencies.",
)


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
            r"\section*{Notation}",
            rf"\begin{{itemize}}{_items(NOTATION)}\end{{itemize}}",
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
