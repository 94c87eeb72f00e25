r"""What every unknown stands for, in words that refer to the pencil and to the expression.

A trace unknown is u = v Tr(R [Q^{-1}]_{jk} L), with Q the pencil; a shift κ is the ratio b/a of the
block resolvent (aΛ + b)^{-1}, given by the unknowns; an output stands for the expression itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from .dyson import Unknown
from .entries import Entry, FixedInverse
from .expression import Letter
from .pencil import Pencil

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations


@dataclass(frozen=True)
class NamedUnknown:
    """An unknown of the reduced equations and the trace that it stands for."""

    symbol: sp.Symbol
    meaning: str


def letter_text(letter: Any) -> str:
    """A letter of a deterministic word."""
    if isinstance(letter, FixedInverse):
        terms = " + ".join(f"({c})*{word_text(w) or 'I'}" for w, c in letter.terms)
        return f"inv({terms})"
    text = f"{letter.name}.T" if letter.transposed else letter.name
    return text if letter.exponent == 1 else f"sqrt({text})"


def word_text(word: tuple[Any, ...]) -> str:
    """A deterministic word."""
    return "*".join(map(letter_text, word))


def entry_text(item: Entry) -> str:
    """An entry of a pencil in the text form of expressions."""
    terms = []
    for (left, letter, right), coefficient in sorted(item.items(), key=lambda i: str(i[0])):
        middle = (letter,) if isinstance(letter, Letter) else ()
        body = word_text((*left, *middle, *right)) or "I"
        if coefficient == 1:
            terms.append(body)
        elif coefficient == -1:
            terms.append(f"-{body}")
        else:
            factor = str(coefficient) if coefficient.is_Atom else f"({coefficient})"
            terms.append(f"{factor}*{body}")
    return " + ".join(terms).replace(" + -", " - ") or "0"


def pencil_rows(pencil: Pencil) -> list[list[str]]:
    """The pencil as text, row by row."""
    size = pencil.size
    return [[entry_text(pencil.q.get((i, j), {})) for j in range(size)] for i in range(size)]


def unknown_text(unknown: Unknown) -> str:
    """v Tr(R [Q^{-1}]_{jk} L)."""
    j, k = unknown.block
    parts = [word_text(unknown.right), f"[Q^-1]_{{{j + 1},{k + 1}}}", word_text(unknown.left)]
    body = " ".join(part for part in parts if part)
    variance = "" if unknown.variance == 1 else f"({unknown.variance}) "
    return f"{variance}Tr({body})"


def closed_system(equations: SelfConsistentEquations) -> list[tuple[sp.Eq, str]]:
    """The closed system before reduction: u = v Tr(R G_jk(u) L), and the trace that u names.

    The definitions of the shifts, κ = b/a in these unknowns, come last.
    """
    system = equations.system
    traces = {u.symbol: u for u in system.unknowns}
    rows = [
        (sp.Eq(symbol, right, evaluate=False), unknown_text(traces[symbol]))
        for symbol, right in system.unexpanded.items()
    ]
    for symbol, definition in system.shifts.items():
        name = equations.renamed(symbol)
        rows.append((sp.Eq(name, definition, evaluate=False), "shift of the block resolvent"))
    return rows


def describe(equations: SelfConsistentEquations) -> list[NamedUnknown]:
    """Every unknown of the reduced equations with its meaning."""
    system, reduction = equations.system, equations.reduction
    back = {new: old for old, new in reduction.renamed.items()}
    traces = {u.symbol: u for u in system.unknowns}
    described = []
    inside = [u for block in reduction.linear for u in block.unknowns]
    for symbol in (*reduction.unknowns, *inside):
        original = back.get(symbol, symbol)
        if original in system.shifts:
            definition = system.shifts[original]
            used = sorted(definition.free_symbols & set(traces), key=lambda s: str(s))
            where = ", ".join(f"{u} = {unknown_text(traces[u])}" for u in used)
            described.append(NamedUnknown(symbol, f"{definition} with {where}"))
        elif original in traces:
            described.append(NamedUnknown(symbol, unknown_text(traces[original])))
        else:
            _, matrix = equations.targets[0]
            described.append(NamedUnknown(symbol, f"({1 / matrix.rows}) Tr({sp.sstr(matrix)})"))
    return described


def pencil_latex(pencil: Pencil) -> str:
    """The pencil as a LaTeX matrix."""

    def letter_latex(letter: Any) -> str:
        if isinstance(letter, FixedInverse):
            terms = " + ".join(f"{sp.latex(c)} {word_latex(w) or '1'}" for w, c in letter.terms)
            return rf"\left({terms}\right)^{{-1}}"
        text = sp.latex(sp.Symbol(letter.name))
        if letter.transposed:
            return rf"{text}^{{\mathsf T}}"
        return text if letter.exponent == 1 else rf"{text}^{{1/2}}"

    def word_latex(word: tuple[Any, ...]) -> str:
        return " ".join(map(letter_latex, word))

    def entry_latex(item: Entry) -> str:
        terms = []
        for (left, letter, right), c in sorted(item.items(), key=lambda i: str(i[0])):
            middle = (letter,) if letter is not None else ()
            body = word_latex((*left, *middle, *right))
            sign = {1: "", -1: "-"}.get(c, sp.latex(c) + " ")
            terms.append(sign + body if body else sp.latex(c))
        return " + ".join(terms).replace(" + -", " - ") or "0"

    size = pencil.size
    rows = (
        " & ".join(entry_latex(pencil.q.get((i, j), {})) for j in range(size)) for i in range(size)
    )
    body = " \\\\\n".join(rows)
    return f"\\[ Q = \\begin{{pmatrix}}\n{body}\n\\end{{pmatrix}} \\]"
