r"""How a series is written: LaTeX for papers, one line of text for terminals.

Terms stand in order of size, coefficients are factored but otherwise left as computed, the
remainder is an O(…).  ``factored=True`` pulls out the leading term, which is how prefactor and
relative corrections are usually quoted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sympy as sp

from .truncated_series import Order, SeriesTerm, TruncatedSeries

S = TypeVar("S", bound=TruncatedSeries)

__all__ = ["definitions_latex", "latex", "text"]


def neat(coefficient: sp.Expr) -> sp.Expr:
    """The coefficient as a product, where that is shorter than the sum it was computed as."""
    coefficient = coefficient.replace(sp.gamma, lambda x: sp.gamma(sp.together(x)))
    if not coefficient.is_Add:
        return coefficient
    factored = sp.factor_terms(sp.factor(coefficient, deep=False), radical=True)
    return min((factored, coefficient), key=lambda e: (e.count_ops(), len(str(e))))


def _monomial(term: SeriesTerm | Order, x: sp.Symbol, show: Callable[[sp.Expr], str]) -> str:
    """x^p log^k x, with the exponent over one denominator; empty for the constant 1."""
    exponent = sp.expand(term.power)
    if sp.fraction(sp.together(exponent))[1].free_symbols:
        exponent = sp.together(exponent)
    name, tex = show(x), show is sp.latex
    pieces = []
    if exponent == 1:
        pieces.append(name)
    elif exponent != 0:
        body = show(exponent)
        plain = (exponent.is_Integer and exponent > 0) or exponent.is_Symbol
        pieces.append(f"{name}^{{{body}}}" if tex else f"{name}**{body if plain else f'({body})'}")
    if term.log:
        count = "" if term.log == 1 else str(term.log)
        raised = (f"^{{{count}}}" if tex else f"**{count}") if count else ""
        pieces.append(rf"\log{raised} {name}" if tex else f"log({name}){raised}")
    return (r"\," if tex else "*").join(pieces)


def _join(
    series: S,
    terms: tuple[SeriesTerm, ...],
    remainder: Order | None,
    show: Callable[[sp.Expr], str],
    product: str,
    big_o: tuple[str, str],
) -> str:
    """Signed terms, then the remainder."""
    pieces: list[str] = []
    for term in terms:
        coefficient = neat(term.coefficient)
        negative = coefficient.could_extract_minus_sign()
        if negative:
            coefficient = -coefficient
        body = _product(coefficient, _monomial(term, series.variable, show), show, product)
        pieces.append((" - " if negative else " + ") + body)
    line = "".join(pieces) or " + 0"
    line = line[3:] if line.startswith(" + ") else "-" + line[3:]
    if remainder is not None:
        line += f" + {big_o[0]}{_monomial(remainder, series.variable, show) or '1'}{big_o[1]}"
    return line


def _product(
    coefficient: sp.Expr, monomial: str, show: Callable[[sp.Expr], str], product: str
) -> str:
    if not monomial:
        return show(coefficient)
    if coefficient == 1:
        return monomial
    left = show(coefficient)
    if coefficient.is_Add:
        left = rf"\left({left}\right)" if show is sp.latex else f"({left})"
    return f"{left}{product}{monomial}"


def latex(series: S, factored: bool = False, remainder: bool = True) -> str:
    """LaTeX of the series.

    >>> from solvable.analytic.asymptotics.expansion import Expansion
    >>> x, p = sp.symbols("x p", positive=True)
    >>> print(latex(Expansion.build(x, 0, [(1, 0), (-p, 1)], order=2)))
    1 - p\\,x + O\\!\\left(x^{2}\\right)
    """
    big_o = (r"O\!\left(", r"\right)")
    order = series.remainder if remainder else None
    if not factored or len(series.terms) < 2 or series.lead.log:
        return _join(series, series.terms, order, sp.latex, r"\,", big_o)
    lead, rest = _pull_out(series)
    inner = _join(rest, rest.terms, rest.remainder if remainder else None, sp.latex, r"\,", big_o)
    monomial = _monomial(lead, series.variable, sp.latex)
    head = _product(neat(lead.coefficient), monomial, sp.latex, r"\,")
    return rf"{head}\left[{inner}\right]"


def _pull_out(series: S) -> tuple[SeriesTerm, S]:
    lead = series.lead
    rest = series * series.monomial(1 / lead.coefficient, -lead.power)
    return lead, rest.map_coefficients(lambda c: _shorter(sp.factor_terms(sp.powsimp(c))))


def _shorter(coefficient: sp.Expr) -> sp.Expr:
    """In lowest terms, where that is shorter: b (r − 1)/(2 (1 − r)) is −b/2."""
    if not coefficient.is_rational_function(*coefficient.free_symbols):
        return coefficient
    return min((coefficient, sp.factor(coefficient)), key=lambda e: e.count_ops())


def text(series: S, factored: bool = False) -> str:
    """One line of plain text.

    >>> from solvable.analytic.asymptotics.expansion import Expansion
    >>> x = sp.Symbol("x", positive=True)
    >>> print(text(Expansion.build(x, sp.oo, [(1, 0), (-2, -1)], order=-2)))
    1 - 2*x**(-1) + O(x**(-2))
    """
    if factored and len(series.terms) > 1 and not series.lead.log:
        lead, rest = _pull_out(series)
        head = _product(neat(lead.coefficient), _monomial(lead, series.variable, str), str, "*")
        return f"{head}*[{_join(rest, rest.terms, rest.remainder, str, '*', ('O(', ')'))}]"
    return _join(series, series.terms, series.remainder, str, "*", ("O(", ")"))


def definitions_latex(series: S) -> list[str]:
    """One ``symbol = value`` line for every named constant, dependencies after their users."""
    return [f"{sp.latex(s)} = {sp.latex(v)}" for s, v in series.definitions.items()]
