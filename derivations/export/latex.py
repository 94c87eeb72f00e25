r"""Derivations as LaTeX: a formula, an equation, a fragment, an article.

* a *formula* is the LaTeX of an object and nothing else;
* an *equation* is a displayed equation with a label;
* a *fragment* compiles in any document that loads amsmath and amssymb: sources are in plain words
  unless citations are asked for, and so are references to claims outside the fragment;
* an *article* is complete, with notation, references and, where asked for, sources to cite.

Every formula is the LaTeX of a sympy object, broken into lines where it is long.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from solvable.analytic import arguments
from solvable.analytic.arguments import checked
from solvable.analytic.errors import InputError
from solvable.analytic.formula_width import LINE
from solvable.analytic.prose import escape, words
from solvable.analytic.typesetting import latex

from ..bibliography import PAPERS, Reference, cite
from ..derivation import Derivation, Step, referring
from ..relations import Relation, as_relation
from .bibtex import sources
from .display import Display, arranged, labelled
from .renaming import parse_renames, symbols
from .symbol_table import CONVENTIONS, printed, table

#: macros by the code that they replace; a preamble file defines them unless the paper has its own
MACROS = {
    r"\operatorname{Tr}": r"\Tr", r"\mathbb{E}": r"\E", r"\mathbb{I}": r"\Id",
    r"\operatorname*{argmin}": r"\argmin",
}  # fmt: skip

_PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern,amsmath,amssymb}
\usepackage[margin=25mm]{geometry}
\usepackage[hidelinks]{hyperref}
\numberwithin{equation}{section}
\allowdisplaybreaks
\emergencystretch=3em
\makeatletter  % room for numbers of three figures in the table of contents
\renewcommand{\numberline}[1]{\hb@xt@2.2em{#1\hfil}}
\makeatother
"""


@dataclass(frozen=True)
class Style:
    r"""How a document is written.

    ``names``: LaTeX of renamed symbols; ``citations``: ``\cite`` instead of sources in plain
    words; ``macros``: those of `MACROS` instead of what they stand for; ``included``: the names of
    the derivations that the document holds, to which it can refer by number.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    citations: bool = False
    macros: bool = False
    included: Container[str] = ()

    def short(self, code: str) -> str:
        """The code with its macros, if they are wanted."""
        if self.macros:
            for long, macro in MACROS.items():
                code = code.replace(long, macro + ("{}" if macro == r"\Id" else " "))
        return code

    def source(self, references: Sequence[Reference]) -> str:
        """Sources as citations or in plain words."""
        if not self.citations:
            return words(cite(references))
        return ", ".join(map(_cite, references))

    def prose(self, text: str, derivation: Derivation) -> str:
        """A text with references to the claims of this derivation and of those included."""
        from ..catalogue import load

        def number(other: str | None, step: str) -> str:
            home = load(other) if other else derivation
            if other is None or other in self.included:
                name = home[step].supports or step
                section = rf" of section~\ref{{{other}}}" if other else ""
                return rf"\eqref{{{home.name}:{name}}}{section}"
            return f"({home.number(step)}) of ``{escape(home.title, self.names)}''"

        return self.short(referring(text, lambda t: escape(t, self.names), number))


def formula(claim: Relation, style: Style | None = None) -> str:
    """The claim on one line."""
    style = style or Style()
    return style.short(latex(claim, style.names))


def equation(claim: Relation, label: str, style: Style | None = None) -> str:
    """The claim as a displayed equation with a label."""
    style = style or Style()
    return style.short(labelled(*Display(style.names).rows(claim), label))


@checked
def to_latex(
    thing: Any, form: str = "formula", *, rename: Mapping[str, str] | None = None,
    label: str = "result",
) -> str:  # fmt: skip
    r"""LaTeX of an expression, a relation, a step, a derivation, derived equations or a series.

    ``form``: "formula" is the bare formula, "equation" a displayed equation with a label, broken
    into lines where it is long; of a derivation also "fragment" and "article". ``rename`` is LaTeX
    for symbols by name; whatever has no sympy form of its own (`SelfConsistentEquations`, limits)
    gives what its method ``latex`` gives.

    Raises `InputError` for other forms, for names that are not printed and for names that make
    two symbols look alike. Source: this package.

    >>> from solvable.analytic.notation import N, T
    >>> print(to_latex(N / (T - N), rename={"N": r"\nu"}))
    \frac{\nu}{T - \nu}
    """
    forms = ("formula", "equation", "fragment", "article")
    if form not in forms:
        raise InputError("form", form, f"one of {', '.join(forms)}")
    texts = [f"{name}={code}" for name, code in (rename or {}).items()]
    if isinstance(thing, Derivation):
        style = Style(parse_renames(texts, printed([thing])) if texts else {})
        if form in ("fragment", "article"):
            whole = fragment(thing, style) if form == "fragment" else article([thing], style=style)
            return whole
        claims: list[Any] = list(thing.conclusion)
    else:
        claims = [thing.claim if isinstance(thing, Step) else thing]
    if form in ("fragment", "article"):
        raise InputError("form", form, "formula or equation for anything but a derivation")
    out = []
    for claim in claims:
        if not isinstance(claim, sp.Basic):
            known = hasattr(claim, "latex")
            code = claim.latex() if known else latex(arguments.formula("thing", claim))
            out.append(code if form == "formula" else _numbered(code, label))
            continue
        style = Style(parse_renames(texts, symbols([claim])) if texts else {})
        if form == "formula":
            out.append(style.short(latex(claim, style.names)))
        elif isinstance(claim, Relation | sp.Eq):
            out.append(equation(as_relation(claim), label, style))
        else:
            lines = [f"& {line}" for line in Display(style.names).lines(claim, LINE)]
            body = arranged("align", lines) if len(lines) > 1 else lines[0].removeprefix("& ")
            out.append(_numbered(body, label))
    return "\n".join(out)


def _numbered(body: str, label: str) -> str:
    return "\n".join([rf"\begin{{equation}}\label{{{label}}}", body, r"\end{equation}"])


def _cite(reference: Reference) -> str:
    place = f"[eq.~({words(reference.equation)})]" if reference.equation else ""
    return rf"\cite{place}{{{reference.paper}}}"


def _step(step: Step, derivation: Derivation, style: Style) -> str:
    """Heading, reason and claim; of evidence the heading and the reason."""
    title = escape(step.name.replace("-", " "), style.names)
    source = ""
    if step.source:
        said = style.source([step.source])
        source = f" {said}" if style.citations else f" [{said}]"
    reason = style.prose(step.reason, derivation) + source
    if step.supports:
        reference = rf"\eqref{{{derivation.name}:{step.supports}}}"
        return rf"\paragraph{{Evidence for~{reference}, {title}.}}{chr(10)}{reason}"
    heading = rf"\paragraph{{{title[:1].upper() + title[1:]}.}}"
    label = f"{derivation.name}:{step.name}"
    return "\n".join([heading, reason, equation(step.claim, label, style)])


def _conclusion(derivation: Derivation, style: Style) -> list[str]:
    """Where the conclusion was reached, or the conclusion itself if no step claims it."""
    lines = [r"\paragraph{Conclusion.}"]
    stated = [derivation.concluding(relation) for relation in derivation.conclusion]
    if any(stated):
        labels = (rf"\eqref{{{derivation.name}:{step.name}}}" for step in stated if step)
        lines.append("Equation " + " and ".join(labels) + ".")
    for index, (relation, step) in enumerate(zip(derivation.conclusion, stated)):
        if not step:
            suffix = f"-{index + 1}" if len(stated) > 1 else ""
            lines.append(equation(relation, f"{derivation.name}:conclusion{suffix}", style))
    return lines


def section(derivation: Derivation, style: Style | None = None, command: str = "section") -> str:
    """One derivation as a section of a document."""
    style = style or Style()
    title = escape(derivation.title, style.names)
    summary = style.prose(derivation.summary, derivation)
    after = f" After {style.source(derivation.references)}." if derivation.references else ""
    lines = [rf"\{command}{{{title}}}\label{{{derivation.name}}}", summary + after]
    if derivation.assumptions:
        items = _items(style.prose(text, derivation) for text in derivation.assumptions)
        lines += ["", r"\noindent Assumptions:", items]
    lines += [_step(step, derivation, style) for step in derivation.steps]
    lines += _conclusion(derivation, style)
    for note in derivation.notes:
        lines.append(rf"\paragraph{{Note.}} {style.prose(note, derivation)}")
    return "\n".join(lines)


def fragment(derivation: Derivation, style: Style | None = None) -> str:
    """One derivation for another document: nothing in it is undefined there."""
    style = replace(style or Style(), included={derivation.name})
    body = section(derivation, style, "subsection*")
    return rf"\begin{{sloppypar}}{chr(10)}{body}{chr(10)}\end{{sloppypar}}"


def _items(items: Iterable[str]) -> str:
    body = "\n".join(rf"\item {item}" for item in items)
    return rf"\begin{{itemize}}{chr(10)}{body}{chr(10)}\end{{itemize}}"


def notation(derivations: Iterable[Derivation], style: Style | None = None) -> str:
    """The table of the symbols that are printed."""
    style = style or Style()
    rows = [(rf"\({code}\)", escape(text, style.names))
            for code, text in table(derivations, style.names)]  # fmt: skip
    rows += [(escape(sign, style.names), escape(text, style.names)) for sign, text in CONVENTIONS]
    body = " \\\\\n".join(f"{code} & {text}" for code, text in rows)
    columns = r"{l@{\quad}p{0.8\linewidth}}"
    return rf"\noindent\begin{{tabular}}{columns}{chr(10)}{body}{chr(10)}\end{{tabular}}"


def preamble() -> str:
    r"""The macros of a fragment, for the preamble of a document that has amsmath and amssymb."""
    lines = []
    for code, macro in MACROS.items():
        star = "*" if "*" in code else ""
        name = code.removeprefix(rf"\operatorname{star}").strip("{}")
        body = rf"\operatorname{star}{{{name}}}" if "operatorname" in code else code
        lines.append(rf"\providecommand{{{macro}}}{{{body}}}")
    return "\n".join(["% needs amsmath and amssymb", *lines, ""])


def article(
    derivations: Sequence[Derivation],
    title: str = "Solvable models of neural scaling laws: derivations",
    style: Style | None = None,
) -> str:
    """A complete article: notation, the derivations as numbered sections, the sources."""
    included = {derivation.name for derivation in derivations}
    style = replace(style or Style(citations=True), included=included)
    macros = preamble() if style.macros else ""
    body = "\n\n".join(section(derivation, style) for derivation in derivations)
    return "\n".join(
        [
            _PREAMBLE + macros,
            rf"\title{{{escape(title)}}}\author{{}}\date{{}}",
            r"\begin{document}",
            r"\maketitle",
            r"\tableofcontents" if len(derivations) > 1 else "",
            r"\section*{Notation}",
            notation(derivations, style),
            body,
            _bibliography(sources(derivations)) if style.citations else "",
            r"\end{document}",
            "",
        ]
    )


def _bibliography(keys: Sequence[str]) -> str:
    if not keys:
        return ""
    items = "\n".join(rf"\bibitem{{{key}}} {words(str(PAPERS[key]))}." for key in keys)
    return rf"\begin{{thebibliography}}{{99}}{chr(10)}{items}{chr(10)}\end{{thebibliography}}"
