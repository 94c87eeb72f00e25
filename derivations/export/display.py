r"""Formulas as displayed equations that fit the line.

A formula that is wider than the line is broken where a mathematician breaks it: after the left
side, before a relation, before a + or −, between the factors of a product; a fraction becomes
numerator over denominator, both in brackets. It is never set smaller. What is broken is the
expression, not its LaTeX, so that every line is again the LaTeX of an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy as sp

from solvable.analytic.formula_width import LINE, width
from solvable.analytic.typesetting import latex, positive_first

from ..relations import Expectation, Minimiser, Relation, Truncated, entries

BREAK = r" \\ "
INDENT = 2.0  # ems of \qquad before a continued line
TALL = 12  # lines that are kept together on a page
SIGN = 1.9  # ems of a relation and what surrounds it
LEFT_SIDE = 0.4  # of the line: a left side that is wider stands on lines of its own
SMALL = 0.3  # of the line: a numerator or denominator that stays in one piece


def display(claim: Relation, names: Mapping[str, str] | None = None, line: float = LINE) -> str:
    """The claim as the body of a displayed equation, of several lines where one is too short."""
    return arranged(*Display(names, line).rows(claim))


def arranged(kind: str, rows: Sequence[str]) -> str:
    """Lines as one body."""
    return rf"\begin{{{kind}ed}} {BREAK.join(rows)} \end{{{kind}ed}}" if kind else rows[0]


def labelled(kind: str, rows: Sequence[str], label: str) -> str:
    """Lines as a displayed equation with a label; one of many lines may end its page."""
    if len(rows) <= TALL:
        body = arranged(kind, rows)
        return "\n".join([rf"\begin{{equation}}\label{{{label}}}", body, r"\end{equation}"])
    body = " \\notag \\displaybreak[1] \\\\\n".join(rows)
    return "\n".join([rf"\begin{{{kind}}}", rf"{body} \label{{{label}}}", rf"\end{{{kind}}}"])


def pieces(codes: Sequence[str], line: float, glue: str) -> list[str]:
    """Short formulas, as many on each line as fit."""
    rows: list[str] = []
    for code in codes:
        together = f"{rows[-1]}{glue}{code}" if rows else code
        if rows and width(together) <= line:
            rows[-1] = together
        else:
            rows.append(code)
    return rows


class Display:
    """Breaks expressions; ``names`` is LaTeX for symbols by name, ``line`` the width in ems."""

    def __init__(self, names: Mapping[str, str] | None = None, line: float = LINE) -> None:
        self.names, self.line = names, line

    def tex(self, expression: Any) -> str:
        """LaTeX on one line."""
        return latex(expression, self.names)

    def fits(self, expression: Any, room: float) -> bool:
        """Whether the expression is no wider than the room."""
        return width(self.tex(expression)) <= room

    def rows(self, claim: Relation) -> tuple[str, list[str]]:
        """The lines of a claim, broken at its sign and within its sides, and what arranges them."""
        if listed := entries(claim):
            return "gather", pieces([self.tex(e) for e in listed], self.line, r",\quad ")
        if self.fits(claim, self.line):
            return "", [self.tex(claim)]
        left = self.lines(claim.lhs, self.line)
        beside = len(left) == 1 and width(left[0]) <= LEFT_SIDE * self.line
        room = self.line - SIGN - INDENT - (width(left[0]) if beside else 0)
        first, *rest = self.right(claim, room)
        rest = [rf"& \qquad {line}" for line in rest]
        if beside:
            return "align", [rf"{left[0]} {claim.tex} {{}} & {first}", *rest]
        return "align", [*(f"& {line}" for line in left), rf"& \quad {claim.tex} {first}", *rest]

    def right(self, claim: Relation, room: float) -> list[str]:
        """The right side with what belongs to its relation."""
        lines = self.lines(claim.rhs, room)
        if isinstance(claim, Truncated):
            order = rf"+ O\!\left({self.tex(claim.args[2])}\right)"
            return [*lines[:-1], *pieces([lines[-1], order], room, " ")]
        if isinstance(claim, Minimiser):
            return bracketed(lines, rf"\operatorname*{{argmin}}_{{{self.tex(claim.args[2])}}} ")
        return lines

    def lines(self, expression: Any, room: float) -> list[str]:
        """The expression as lines that fit the room where that is possible."""
        if self.fits(expression, room):
            return [self.tex(expression)]
        if isinstance(expression, Expectation):
            return bracketed(self.lines(expression.args[0], room - 1), r"\mathbb{E} ")
        if isinstance(expression, sp.Trace):
            inside = self.lines(expression.arg, room - 1)
            return bracketed(inside, r"\operatorname{Tr} ")
        if isinstance(expression, sp.Add | sp.MatAdd):
            return self.sum(expression, room)
        if isinstance(expression, sp.MatMul):
            return self.product(expression.args, room)
        if isinstance(expression, sp.Mul):
            return self.fraction(expression, room)
        if isinstance(expression, sp.Pow | sp.MatPow | sp.Inverse):
            return self.power(expression, room)
        if isinstance(expression, sp.Sum):
            head = self.tex(sp.Sum(sp.Symbol("x"), *expression.limits)).removesuffix("x")
            return bracketed(self.lines(expression.function, room - 2), head)
        return [self.tex(expression)]

    def sum(self, expression: Any, room: float) -> list[str]:
        """Terms of a sum, as many on a line as fit."""
        ordered = isinstance(expression, sp.Add)
        terms = positive_first(expression.as_ordered_terms()) if ordered else expression.args
        done: list[str] = []
        last = ""
        for term in terms:
            first, *rest = self.lines(term, room - 1)
            if (last or done) and not first.startswith("-"):
                first = "+ " + first
            if last and (rest or width(f"{last} {first}") > room):
                done.append(last)
                last = ""
            last = f"{last} {first}".strip()
            if rest:
                done += [last, *rest[:-1]]
                last = rest[-1]
        return [*done, last]

    def fraction(self, expression: sp.Mul, room: float) -> list[str]:
        """Numerator over denominator, both in brackets where they are long."""
        if expression.could_extract_minus_sign():
            first, *rest = self.lines(-expression, room - 1)
            return [f"- {first}", *rest]
        above, below = sp.fraction(expression)
        if below == 1:
            return self.product(above.as_ordered_factors(), room)
        small = SMALL * self.line
        if self.fits(below, small):
            factors = above.as_ordered_factors()
            long = [factor for factor in factors if not self.fits(factor, small)]
            short = sp.Mul(*(factor for factor in factors if factor not in long))
            if not self.fits(short, small):
                long, short = factors, sp.Integer(1)
            return self.product(long, room, rf"\frac{{{self.tex(short)}}}{{{self.tex(below)}}}")
        under = bracketed(self.lines(below, room - 1))
        if self.fits(above, small):
            return [rf"{self.factor(above)} \Big/ {under[0]}", *under[1:]]
        over = self.lines(above, room - 1)
        over = bracketed(over) if isinstance(above, sp.Add) else over
        return [*over, rf"\Big/ {under[0]}", *under[1:]]

    def factor(self, expression: Any) -> str:
        """A factor of a product: sums in brackets."""
        sums = isinstance(expression, sp.Add | sp.MatAdd)
        code = self.tex(expression)
        return rf"\left({code}\right)" if sums else code

    def product(self, factors: Iterable[Any], room: float, before: str = "") -> list[str]:
        """Factors, as many on a line as fit; a long one is broken inside its brackets."""
        done: list[str] = []
        last = before
        for factor in factors:
            code = self.factor(factor)
            if width(code) <= room:
                if last and width(f"{last} {code}") > room:
                    done.append(last)
                    last = ""
                last = f"{last} {code}".strip()
                continue
            inside = self.lines(factor, room - 1)
            sums = isinstance(factor, sp.Add | sp.MatAdd)
            first, *rest = bracketed(inside) if sums else inside
            if last and width(f"{last} {first}") > room:
                done.append(last)
                last = ""
            done += [f"{last} {first}".strip(), *rest[:-1]]
            last = rest[-1] if rest else ""
            if not rest:
                last = done.pop()
        return [*done, last] if last else done

    def power(self, expression: Any, room: float) -> list[str]:
        """A long base in brackets, and its exponent."""
        base, exponent = expression.args[0], self.tex(expression.exp)
        lines = bracketed(self.lines(base, room - 1))
        return [*lines[:-1], f"{lines[-1]}^{{{exponent}}}"]


def bracketed(lines: Sequence[str], before: str = "") -> list[str]:
    """Lines in large brackets that span them."""
    first, *rest = [rf"{before}\Bigl[ {lines[0]}", *lines[1:]]
    return [first, *rest[:-1], rf"{rest[-1]} \Bigr]"] if rest else [rf"{first} \Bigr]"]
