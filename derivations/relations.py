r"""What a step claims: relations between named things.

    a = b                equality, exact
    a ≃ b                a/b → 1 in the limit of the derivation, N, T, M → ∞ at fixed ratios if
                         it names no other
    a = b + O(r)         a series with its remainder
    a := b               a definition
    a < b, a ≤ b, a > b  inequalities
    x = argmin_y f       the minimiser of f

A random quantity and its average are different things: the average is written `Expectation`, E[·].
Relations are displayed as they are made: nothing is simplified.
"""

from __future__ import annotations

from typing import Any, ClassVar

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.pretty.stringpict import prettyForm, stringPict
from sympy.printing.printer import Printer

from solvable.analytic.formula_width import LINE, width
from solvable.analytic.notation import letter
from solvable.analytic.typesetting import latex


class Expectation(sp.Expr):
    """E[x], the average of a random number over data, features, noise and target.

    >>> Expectation(sp.Symbol("x"))
    E[x]
    """

    is_commutative = True

    def _sympystr(self, printer: Printer) -> str:
        return f"E[{printer._print(self.args[0])}]"

    def _latex(self, printer: Printer, exp: str | None = None) -> str:
        body = rf"\mathbb{{E}}\left[{printer._print(self.args[0])}\right]"
        return rf"{body}^{{{exp}}}" if exp else body

    def _pretty(self, printer: Printer) -> prettyForm:
        inner = prettyForm(*printer._print(self.args[0]).parens("[", "]"))
        return prettyForm(*inner.left("E"))


class Relation(sp.Basic):
    """A left side, a right side and the sign between them."""

    sign: ClassVar[str]
    tex: ClassVar[str]

    def __new__(cls, left: Any, right: Any, *more: Any) -> Relation:
        return super().__new__(cls, *map(sp.sympify, (left, right, *more)))

    @property
    def lhs(self) -> Any:
        """The left side."""
        return self.args[0]

    @property
    def rhs(self) -> Any:
        """The right side."""
        return self.args[1]

    @property
    def difference(self) -> Any:
        """left − right."""
        return self.lhs - self.rhs

    def with_right(self, right: Any) -> Relation:
        """The same relation with another right side."""
        return self.func(self.lhs, right, *self.args[2:])

    def right(self, printer: Printer) -> Any:
        """The right side in the language of ``printer``."""
        return printer._print(self.rhs)

    def _sympystr(self, printer: Printer) -> str:
        return f"{printer._print(self.lhs)} {self.sign} {self.right(printer)}"

    def _latex(self, printer: Printer) -> str:
        return f"{printer._print(self.lhs)} {self.tex} {self.right(printer)}"

    def _pretty(self, printer: Printer) -> prettyForm:
        sides = printer._print(self.lhs), f" {self.sign} ", self.right(printer)
        return prettyForm(*stringPict.next(*sides), binding=prettyForm.OPEN)


class Equality(Relation):
    """left = right, exactly.

    >>> Equality(1, sp.Symbol("x"))
    1 = x
    """

    sign = tex = "="


class Equivalent(Relation):
    """left ≃ right: their ratio tends to 1 in the limit of the derivation (large size)."""

    sign, tex = "≃", r"\simeq"


class Definition(Relation):
    """left := right."""

    sign, tex = ":=", ":="


class Less(Relation):
    """left < right."""

    sign = tex = "<"


class AtMost(Relation):
    """left ≤ right."""

    sign, tex = "≤", r"\leq"


class Greater(Relation):
    """left > right."""

    sign = tex = ">"


class Truncated(Relation):
    """left = right + O(order).

    >>> x = sp.Symbol("x")
    >>> Truncated(sp.exp(x), 1 + x, x**2)
    exp(x) = x + 1 + O(x**2)
    """

    sign = tex = "="

    def right(self, printer: Printer) -> Any:
        """Terms and remainder."""
        terms, order = map(printer._print, self.args[1:])
        if isinstance(terms, str):
            tall = isinstance(printer, LatexPrinter)
            return terms + (rf" + O\!\left({order}\right)" if tall else f" + O({order})")
        big = prettyForm(*prettyForm(*order.parens()).left("O"))
        return prettyForm(*stringPict.next(terms, " + ", big))


class Minimiser(Relation):
    """left = argmin over ``variable`` of right.

    >>> Minimiser(sp.Symbol("t"), sp.Symbol("f"), sp.Symbol("x"))
    t = argmin_x f
    """

    sign = tex = "="

    def right(self, printer: Printer) -> Any:
        """The function that is minimised."""
        function, variable = map(printer._print, self.args[1:])
        if isinstance(function, str):
            if isinstance(printer, LatexPrinter):
                return rf"\operatorname*{{argmin}}_{{{variable}}} \left[{function}\right]"
            return f"argmin_{variable} {function}"
        body = prettyForm(*function.parens("[", "]"))
        return prettyForm(*stringPict.next("argmin_", variable, " ", body))


equation = Equality

def entries(claim: Relation) -> list[Relation]:
    """The blocks of a block matrix that are neither zero nor, on the diagonal, the identity.

    They are displayed one by one where the matrix is wider than a line. None for any other claim.
    """
    if not isinstance(claim.rhs, sp.BlockMatrix) or width(latex(claim)) <= LINE:
        return []
    blocks = claim.rhs.blocks
    trivial = (sp.ZeroMatrix, sp.Identity)
    return [
        claim.func(letter(f"{claim.lhs}_{{{i},{j}}}", f"{claim.lhs}_{{{i},{j}}}"), block)
        for i, row in enumerate(blocks.tolist(), 1)
        for j, block in enumerate(row, 1)
        if not isinstance(block, trivial[: 1 + (i == j)])
    ]


_SYMPY: dict[type, type[Relation]] = {
    sp.Eq: Equality, sp.Lt: Less, sp.Le: AtMost, sp.Gt: Greater,
}  # fmt: skip


def as_relation(claim: Any) -> Relation:
    """A relation as it is, or one of sympy's with the sign that it has."""
    if isinstance(claim, Relation):
        return claim
    if type(claim) not in _SYMPY:
        raise TypeError(f"a step claims a relation, not {claim}")
    return _SYMPY[type(claim)](*claim.args)
