"""Sympy's printers, taught the order in which a person writes a sum.

A sum begins with a positive term where it has one: T − N, not −N + T.
"""

from __future__ import annotations

import re
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.pretty.pretty import PrettyPrinter
from sympy.printing.pretty.stringpict import prettyForm

from .unicode_text import math


def _positive_first(terms: list[sp.Expr]) -> list[sp.Expr]:
    """The terms in sympy's order, the first positive one moved to the front."""
    for index, term in enumerate(terms):
        if not term.could_extract_minus_sign():
            return [term, *terms[:index], *terms[index + 1 :]]
    return terms


class _Latex(LatexPrinter):
    def _print_Symbol(self, expr: sp.Symbol, style: str = "plain") -> str:
        """κ' keeps its prime, S[λ^2] its brackets."""
        head, bracket, body = expr.name.partition("[")
        if bracket:
            power = re.sub(r"\^(\w)", r"^{\1}", body.rstrip("]"))
            return rf"{head}\left[{power}\right]"
        bare = expr.name.rstrip("'")
        if bare != expr.name:
            return super()._print_Symbol(sp.Symbol(bare)) + "'" * (len(expr.name) - len(bare))
        return super()._print_Symbol(expr)

    def _as_ordered_terms(self, expr: sp.Expr, order: Any = None) -> list[sp.Expr]:
        return _positive_first(super()._as_ordered_terms(expr, order))


class _Pretty(PrettyPrinter):
    def _print_Symbol(self, expr: sp.Symbol, bold_name: bool = False) -> prettyForm:
        bare = expr.name.rstrip("'")
        if "[" in expr.name:
            return prettyForm(expr.name.replace("^2", "²"))
        drawn = super()._print_Symbol(sp.Symbol(bare))
        return prettyForm(*drawn.right("′" * (len(expr.name) - len(bare))))

    def _as_ordered_terms(self, expr: sp.Expr, order: Any = None) -> list[sp.Expr]:
        return _positive_first(super()._as_ordered_terms(expr, order))


def latex(expression: sp.Basic) -> str:
    r"""The expression as LaTeX that pdflatex takes: symbols may have Greek letters in their names.

    >>> from solvable.analytic.notation import N, T
    >>> print(latex(N / (T - N)))
    \frac{N}{T - N}
    """
    return math(_Latex({"mode": "plain"}).doprint(expression))


def two_dimensional(expression: sp.Basic) -> str:
    """The expression drawn in unicode text, in as many columns as it needs.

    >>> from solvable.analytic.notation import N, T
    >>> print(two_dimensional(T - N))
    T - N
    """
    return _Pretty({"use_unicode": True, "wrap_line": False}).doprint(expression)


def absorb_sign(expression: sp.Expr) -> sp.Expr:
    """−a/(b − c) written as a/(c − b).

    >>> from solvable.analytic.notation import N, T
    >>> absorb_sign(-N / (N - T))
    N/(-N + T)
    """
    if not (expression.is_Mul and expression.could_extract_minus_sign()):
        return expression
    for factor in expression.args:
        if factor.is_Pow and factor.base.is_Add and factor.exp == -1:
            rest = sp.Mul(-1, expression, factor.base)
            return rest * (-factor.base) ** -1
    return expression
