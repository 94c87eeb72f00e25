r"""A small system in named unknowns, where putting every unknown in would fill pages.

The two-point unknowns solve linear equations, and their closed form grows like a determinant: a
sum of five hundred products is true and of no use. Then the unknowns keep their names,

    C_i = f_i(C, κ),      value = f(C, κ),

each of which stands for a trace that can be measured. An unknown is put in where it is used as
long as that makes the whole shorter to write and no formula longer than `LONGEST`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp

from ..algebra import Fraction
from .effort import go_on
from .scalar_system import ordered_atoms
from .workspace import Workspace, factored_length, presented

#: symbols, numbers and traces in one formula: ten lines of a page
LONGEST = 200
#: definitions this short are not worth a name
TRIVIAL = 6
#: products of terms beyond which a definition is not put in: it would not become short
MOST = 10_000


def written(expression: Any) -> int:
    """How many symbols, numbers and traces are written down in a formula.

    >>> x, y = sp.symbols("x y")
    >>> written(1 - x*y/3)
    4
    """
    expression = sp.sympify(expression)
    names = {atom: sp.Dummy() for atom in ordered_atoms([expression])}
    parts = sp.preorder_traversal(expression.xreplace(names))
    return sum(not part.args and part is not sp.S.NegativeOne for part in parts)


def terms(value: Fraction) -> int:
    """The terms of numerator and denominator."""
    return len(value.numer) + len(value.denom)


class SmallSystem:
    """Definitions of unknowns and outputs, unknowns put in while that shortens the whole."""

    def __init__(
        self,
        work: Workspace,
        definitions: dict[sp.Symbol, Fraction],
        outputs: list[Fraction],
        outer: list[sp.Symbol],
        short: Callable[[Fraction], Fraction],
    ) -> None:
        self.work, self.short = work, short
        self.names, self.outer = list(definitions), outer
        self.definitions = {u: short(value) for u, value in definitions.items()}
        self.outputs = [short(value) for value in outputs]
        self._parts: dict[Fraction, tuple[int, list[Fraction]]] = {}
        self._left: set[tuple[Any, ...]] = set()  # what was not worth its while
        while self._put_one_in(lambda value, pairs: self.length(value) <= TRIVIAL):
            pass
        self._left.clear()
        while self._put_one_in(self._shortens):
            pass

    def _shortens(self, value: Fraction, pairs: list[tuple[int, int]]) -> bool:
        """Whether the whole becomes shorter, and no formula too long, by lengths (old, new)."""
        growth = sum(new - old for old, new in pairs)
        return growth <= self.length(value) + 1 and all(new <= max(p, LONGEST) for p, new in pairs)

    def length(self, value: Fraction) -> int:
        """The length of a formula as it is written."""
        return self.parts(value)[0]

    def shown(self, value: Fraction) -> sp.Expr:
        """A formula as it is written, see `parts`."""
        return sp.Add(*(presented(self.work, part) for part in self.parts(value)[1]))

    def parts(self, value: Fraction) -> tuple[int, list[Fraction]]:
        """A formula whole, or by named unknowns and then perhaps by traces; its length.

        The shortest is taken.
        """
        if value not in self._parts:
            whole = self._shortest(value)
            if whole[0] > TRIVIAL:
                groups = [self._shortest(part) for part in self._by(value, self.names)]
                split = sum(g[0] for g in groups), [part for g in groups for part in g[1]]
                whole = min(whole, split, key=lambda form: form[0])
            self._parts[value] = whole
        return self._parts[value]

    def _shortest(self, value: Fraction) -> tuple[int, list[Fraction]]:
        """A formula whole or by some or all traces."""
        forms = [[value], *(self._by(value, names) for names in (self.outer, self.work.traces))]
        return min(((sum(map(factored_length, f)), f) for f in forms), key=lambda form: form[0])

    def _by(self, value: Fraction, symbols: Iterable[sp.Symbol]) -> list[Fraction]:
        """The parts of a formula that hold different powers of some symbols."""
        positions = [self.work.position[s] for s in symbols]
        groups: dict[tuple[int, ...], dict[tuple[int, ...], Any]] = {}
        for monomial, coefficient in value.numer.terms():
            power = tuple(monomial[i] for i in positions)
            groups.setdefault(power, {})[tuple(monomial)] = coefficient
        field = self.work.field
        return [
            field.fraction(field.from_dict(group), value.denom)
            for _, group in sorted(groups.items())
        ]

    def holds(self, value: Fraction, symbol: sp.Symbol) -> bool:
        """Whether a symbol occurs in a formula."""
        return self.work.holds(value.numer, symbol) or self.work.holds(value.denom, symbol)

    def _put_one_in(self, worth: Callable[[Fraction, list[tuple[int, int]]], bool]) -> bool:
        """Put the first unknown in of which that is worth its while."""
        go_on("the small system")
        for symbol, value in self.definitions.items():
            if self.holds(value, symbol):
                continue
            others = [(u, v) for u, v in self.definitions.items() if u != symbol]
            inside = [v for v in (*(v for _, v in others), *self.outputs) if self.holds(v, symbol)]
            attempt = (symbol, value, *inside)
            if attempt in self._left or terms(value) * max(map(terms, inside), default=0) > MOST:
                continue
            changed = {v: self.short(self.work.substitute(v, symbol, value)) for v in inside}
            pairs = [(self.length(old), self.length(new)) for old, new in changed.items()]
            if not worth(value, pairs):
                self._left.add(attempt)
            else:
                self.definitions = {u: changed.get(v, v) for u, v in others}
                self.outputs = [changed.get(v, v) for v in self.outputs]
                return True
        return False


__all__ = ["LONGEST", "SmallSystem", "written"]
