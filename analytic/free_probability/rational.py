r"""Exact rational functions over ℤ in many symbols, on FLINT's sparse polynomials.

A `Field` fixes the symbols. Its `Polynomial`s and `Fraction`s have the few operations that the
engine needs (arithmetic, coefficients by monomial, factors, conversion from and to sympy).
Fractions are kept in lowest terms with a positive leading coefficient below, so that equal
functions are equal objects. FLINT's greatest common divisors are what makes elimination fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sympy as sp
from flint import Ordering, fmpz_mpoly, fmpz_mpoly_ctx

Monomial = tuple[int, ...]


class Field:
    """ℚ(symbols).

    >>> x, y = sp.symbols("x y")
    >>> field = Field([x, y])
    >>> field.from_expr((x**2 - y**2) / (x - y)).as_expr()
    x + y
    """

    def __init__(self, symbols: Iterable[sp.Symbol]) -> None:
        self.symbols = tuple(symbols)
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

    def polynomial(self, symbol: sp.Symbol) -> Polynomial:
        """A symbol as a polynomial."""
        return Polynomial(self, self.context.gen(self.position[symbol]))

    def from_dict(self, terms: Mapping[Monomial, int]) -> Polynomial:
        """The polynomial Σ coefficient·monomial."""
        return Polynomial(self, self.context.from_dict(dict(terms)))

    def generator(self, symbol: sp.Symbol) -> Fraction:
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

    def from_expr(self, expression: sp.Expr) -> Fraction:
        """A sympy expression, rational in the symbols (ValueError if it is not)."""
        if expression in self.position:
            return self.generator(expression)
        if isinstance(expression, sp.Rational):
            return self.fraction(self.constant(expression.p), self.constant(expression.q))
        if isinstance(expression, sp.Add):
            total = self.zero
            for term in expression.args:
                total = total + self.from_expr(term)
            return total
        if isinstance(expression, sp.Mul):
            result = self.one
            for factor in expression.args:
                result = result * self.from_expr(factor)
            return result
        if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
            return self.from_expr(expression.base) ** int(expression.exp)
        raise ValueError(f"{expression} is not rational in {self.symbols}")


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

    def as_expr(self) -> sp.Expr:
        """The sympy expression."""
        symbols = self.field.symbols
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

    def __add__(self, other: Fraction) -> Fraction:
        if self.denom == other.denom:
            return self.field.fraction(self.numer + other.numer, self.denom)
        top = self.numer * other.denom + other.numer * self.denom
        return self.field.fraction(top, self.denom * other.denom)

    def __sub__(self, other: Fraction) -> Fraction:
        return self + (-other)

    def __mul__(self, other: Fraction) -> Fraction:
        return self.field.fraction(self.numer * other.numer, self.denom * other.denom)

    def __truediv__(self, other: Fraction) -> Fraction:
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
