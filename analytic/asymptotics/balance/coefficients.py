r"""The numbers that stand before the monomials of a series, as exact rational functions.

ℚ(a, b, parameters, atoms): an atom is a number that is not rational in the parameters (a value of
ζ, a sum over a spectrum at a fixed place) and counts as a symbol.  A symbol that is a root of a
polynomial over the rest, as the leading coefficient of a balance of three terms is, is kept to
powers below its degree, so that what vanishes by its equation is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp

from ...algebra.rational import Field, Fraction, Polynomial
from ...errors import OutsideTheoryError
from ...notation import a, b
from ...spectral_functions import DegreesOfFreedom, Moment, TargetSum
from ...spectrum import Spectrum
from .traces import spectral_number

ATOMS = 48  # named numbers in the field


class Singular(ArithmeticError):
    """A coefficient is 0/0 at the point, where another root of an equation vanishes (b = 2)."""


class TooMany(OutsideTheoryError):
    """Series longer than can be held: as where the sizes are close to a wall."""


class Coefficients:
    """The field, and its value at the representative ``point`` of a, b and every parameter."""

    def __init__(
        self, point: Mapping[sp.Symbol, Any], parameters: Iterable[sp.Symbol] = ()
    ) -> None:
        self.point = dict(point)
        self.parameters = [s for s in parameters if s not in (a, b)]
        self._pool = [sp.Dummy(f"atom{i}") for i in range(ATOMS)]
        self.field = Field([a, b, *self.parameters, *self._pool])
        self.atoms: dict[sp.Expr, sp.Dummy] = {}
        self._elements: dict[sp.Expr, Fraction] = {}
        self.spectrum: Spectrum | None = None
        self.reduced = True  # whether roots are reduced by their equations
        self.listed = False  # whether the spectrum is this one, and no power law with b and a

    def atom(self, value: sp.Expr) -> Fraction:
        """A number that is not rational in the parameters, as a symbol of the field."""
        if value not in self.atoms:
            if not self._pool:
                raise TooMany("more named numbers than the field can hold, close to a wall")
            self.atoms[value] = self._pool.pop(0)
        return self.field.generator(self.atoms[value])

    def element(self, expression: Any) -> Fraction:
        """A rational expression in a, b, the parameters and atoms, as a field element."""
        expression = sp.sympify(expression)
        if expression not in self._elements:
            self._elements[expression] = self.field(expression)
        return self._elements[expression]

    def settle(self, symbol: sp.Symbol, relation: Polynomial | None) -> None:
        """Let a symbol of the field be a root of this, or of nothing, from now on."""
        self.field.relate(symbol, relation if self.reduced else None)
        self._elements = {e: x for e, x in self._elements.items() if not e.has(symbol)}

    def irreducible(self, body: sp.Expr, symbol: sp.Symbol) -> Polynomial | None:
        """The one factor of a polynomial of the field that a symbol stands in, None of several."""
        self.settle(symbol, None)
        factors = [f for f, _ in self.field(body).numer.factor_list()[1]
                   if f.degree(self.field.position[symbol])]  # fmt: skip
        return factors[0] if len(factors) == 1 else None

    def expression(self, coefficient: Fraction) -> sp.Expr:
        """The coefficient with every atom written out, in factors."""
        names = {symbol: value for value, symbol in self.atoms.items()}
        above, below = self._factored(coefficient.numer), self._factored(coefficient.denom)
        return (above / below).xreplace(names)

    def _factored(self, polynomial: Polynomial) -> sp.Expr:
        """A polynomial in factors; of one with a root of an equation, its coefficients."""
        number, factors = polynomial.factor_list()
        product = sp.Integer(number)
        for factor, power in factors:
            parts = self.field.by_power(factor)
            if len(parts) == 1:
                product *= factor.as_expr() ** power
            else:
                product *= sp.Add(*(self._factored(x) * u for x, u in parts)) ** power
        return product

    def number(self, coefficient: Fraction, digits: int = 30) -> sp.Expr:
        """The coefficient at the representative point."""
        return self.number_of(self.expression(coefficient), digits)

    def number_of(self, expression: sp.Expr, digits: int = 30) -> sp.Expr:
        """A constant at the representative point, sums over the representative spectrum."""
        sums = {
            atom: spectral_number(atom, self.point, self.spectrum, digits)
            for atom in expression.atoms(DegreesOfFreedom, TargetSum, Moment)
        }
        value = sp.N(expression.xreplace(sums).subs(self.point), digits)
        if value in (sp.nan, sp.zoo) and self.field.algebraic:
            raise Singular
        return value


__all__ = ["Coefficients", "Singular"]
