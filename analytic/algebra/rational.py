r"""Exact rational functions over ℤ in many symbols, on FLINT's sparse polynomials.

A `Field` fixes the symbols (or other expressions that are to count as symbols: 1/N, D_2(κ₀)). Its
`Polynomial`s and `Fraction`s have the few operations that the project needs (arithmetic,
coefficients by monomial, factors, conversion from and to sympy). Fractions are kept in lowest
terms with a positive leading coefficient below, so that equal functions are equal objects. FLINT's
greatest common divisors are what makes elimination fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sympy as sp
from flint import Ordering, fmpz_mpoly, fmpz_mpoly_ctx

from ..errors import InputError

Monomial = tuple[int, ...]
LONGEST_FACTORED = 40  # terms; factoring a longer polynomial takes more time than it saves


class Field:
    """ℚ(symbols).

    >>> x, y = sp.symbols("x y")
    >>> field = Field([x, y])
    >>> field((x**2 - y**2) / (x - y)).as_expr()
    x + y
    """

    def __init__(self, symbols: Iterable[sp.Expr]) -> None:
        self.symbols = tuple(dict.fromkeys(symbols))
        self.position = {s: i for i, s in enumerate(self.symbols)}
        names = [f"x{i}" for i in range(max(len(self.symbols), 1))]
        self.context = fmpz_mpoly_ctx.get(names, Ordering.lex)
        self.width = len(names)
        self.zero_polynomial, self.one_polynomial = self.constant(0), self.constant(1)
        self.zero = Fraction(self.zero_polynomial, self.one_polynomial)
        self.one = Fraction(self.one_polynomial, self.one_polynomial)

    def constant(self, value: int) -> Polynomial:
        """An integer as a polynomial."""
        return Polynomial(self, self.context.constant(int(value)))

    def polynomial(self, symbol: sp.Expr) -> Polynomial:
        """A symbol as a polynomial."""
        return Polynomial(self, self.context.gen(self.position[symbol]))

    def from_dict(self, terms: Mapping[Monomial, int]) -> Polynomial:
        """The polynomial Σ coefficient·monomial."""
        return Polynomial(self, self.context.from_dict(dict(terms)))

    def generator(self, symbol: sp.Expr) -> Fraction:
        """A symbol as a fraction."""
        return Fraction(self.polynomial(symbol), self.one_polynomial)

    def fraction(self, numerator: Polynomial, denominator: Polynomial) -> Fraction:
        """numerator/denominator in lowest terms."""
        top, bottom = numerator.raw, denominator.raw
        common = top.gcd(bottom)
        if not common.is_one():
            top, bottom = top // common, bottom // common
        if bottom.leading_coefficient() < 0:
            top, bottom = -top, -bottom
        return Fraction(Polynomial(self, top), Polynomial(self, bottom))

    def coerce(self, value: Any) -> Fraction:
        """A fraction as it is, a number or an expression as a fraction."""
        if isinstance(value, Fraction):
            return value
        return self._number(value, 1) if isinstance(value, int) else self(value)

    def _number(self, above: int, below: int) -> Fraction:
        return Fraction(self.constant(above), self.constant(below))

    def __call__(self, expression: Any) -> Fraction:
        """A sympy expression, rational in the symbols (InputError if it is not)."""
        expression = sp.sympify(expression)
        if expression in self.position:
            return self.generator(expression)
        if isinstance(expression, sp.Rational):
            return self._number(expression.p, expression.q)
        if isinstance(expression, sp.Add):
            total = self.zero
            for term in expression.args:
                total = total + self(term)
            return total
        if isinstance(expression, sp.Mul):
            result = self.one
            for factor in expression.args:
                result = result * self(factor)
            return result
        if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
            return self(expression.base) ** int(expression.exp)
        raise InputError("expression", expression, f"rational in {self.symbols}")


class Polynomial:
    """A polynomial over ℤ of a `Field`."""

    __slots__ = ("_hash", "field", "raw")

    def __init__(self, field: Field, raw: fmpz_mpoly) -> None:
        self.field, self.raw = field, raw
        self._hash: int | None = None

    def __bool__(self) -> bool:
        return not self.raw.is_zero()

    def __len__(self) -> int:
        return len(self.raw)

    def __iter__(self) -> Iterator[Monomial]:
        return (tuple(int(e) for e in monomial) for monomial in self.raw.monoms())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and bool(self.raw == other.raw)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(tuple(self.terms()))
        return self._hash

    def __str__(self) -> str:
        return str(self.raw)

    def __add__(self, other: Polynomial) -> Polynomial:
        return Polynomial(self.field, self.raw + other.raw)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return Polynomial(self.field, self.raw - other.raw)

    def __neg__(self) -> Polynomial:
        return Polynomial(self.field, -self.raw)

    def __mul__(self, other: Polynomial) -> Polynomial:
        return Polynomial(self.field, self.raw * other.raw)

    def __pow__(self, power: int) -> Polynomial:
        return Polynomial(self.field, self.raw**power)

    def degree(self, position: int) -> int:
        """The degree in one symbol (0 for the zero polynomial)."""
        return max(int(self.raw.degrees()[position]), 0)

    def degrees(self) -> int:
        """The sum of the degrees in all symbols, a measure of length."""
        return sum(max(int(d), 0) for d in self.raw.degrees())

    def terms(self) -> list[tuple[Monomial, int]]:
        """(monomial, coefficient) in lexicographic order."""
        monomials = ((tuple(map(int, m)), int(c)) for m, c in self.raw.terms())
        return list(monomials)

    def factor_list(self) -> tuple[int, list[tuple[Polynomial, int]]]:
        """The content and the irreducible factors with their powers, sorted."""
        content, factors = self.raw.factor()
        found = [(Polynomial(self.field, g), int(power)) for g, power in factors]
        constant = int(content)
        for index, (g, power) in enumerate(found):
            if g.raw.leading_coefficient() < 0:
                found[index] = (-g, power)
                constant *= (-1) ** power
        return constant, sorted(found, key=lambda item: (len(item[0]), str(item[0])))

    def as_expr(self, symbols: Sequence[sp.Expr] | None = None) -> sp.Expr:
        """The sympy expression, in the field's symbols or in others."""
        symbols = symbols or self.field.symbols
        return sp.Add(
            *(
                sp.Mul(sp.Integer(c), *(symbols[i] ** e for i, e in enumerate(m) if e))
                for m, c in self.terms()
            )
        )


class Fraction:
    """A rational function in lowest terms."""

    __slots__ = ("denom", "numer")

    def __init__(self, numer: Polynomial, denom: Polynomial) -> None:
        self.numer, self.denom = numer, denom

    @property
    def field(self) -> Field:
        """The field that it belongs to."""
        return self.numer.field

    def __bool__(self) -> bool:
        return bool(self.numer)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Fraction) and self.numer == other.numer and self.denom == other.denom
        )

    def __hash__(self) -> int:
        return hash((self.numer, self.denom))

    def __str__(self) -> str:
        return f"({self.numer})/({self.denom})"

    def __neg__(self) -> Fraction:
        return Fraction(-self.numer, self.denom)

    def __add__(self, other: Fraction | int) -> Fraction:
        if not isinstance(other, Fraction):
            if not isinstance(other, int):
                return NotImplemented
            other = self.field.coerce(other)
        if self.denom == other.denom:
            return self.field.fraction(self.numer + other.numer, self.denom)
        top = self.numer * other.denom + other.numer * self.denom
        return self.field.fraction(top, self.denom * other.denom)

    __radd__ = __add__

    def __sub__(self, other: Fraction | int) -> Fraction:
        return self + (-other)

    def __rsub__(self, other: int) -> Fraction:
        return -self + other

    def __mul__(self, other: Fraction | int) -> Fraction:
        if not isinstance(other, Fraction):
            if not isinstance(other, int):
                return NotImplemented
            other = self.field.coerce(other)
        return self.field.fraction(self.numer * other.numer, self.denom * other.denom)

    __rmul__ = __mul__

    def __truediv__(self, other: Fraction | int) -> Fraction:
        other = self.field.coerce(other)
        if not other:
            raise ZeroDivisionError("division by the zero function")
        return self.field.fraction(self.numer * other.denom, self.denom * other.numer)

    def __pow__(self, power: int) -> Fraction:
        if power >= 0:
            return Fraction(self.numer**power, self.denom**power)
        return self.field.one / Fraction(self.numer**-power, self.denom**-power)

    def as_expr(self) -> sp.Expr:
        """The sympy expression numerator/denominator."""
        return self.numer.as_expr() / self.denom.as_expr()

    def factored(self) -> sp.Expr:
        """The sympy expression in factors, unless the numerator is very long."""
        names = [sp.Dummy(f"g{i}") for i in range(len(self.field.symbols))]
        top, bottom = self.numer.as_expr(names), self.denom.as_expr(names)
        if len(self.numer) <= LONGEST_FACTORED:
            top = sp.factor(top)
        return (top / sp.factor(bottom)).xreplace(dict(zip(names, self.field.symbols)))
