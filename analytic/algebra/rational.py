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
        self.algebraic: dict[int, list[fmpz_mpoly]] = {}  # of a symbol u, p with Σ p_k uᵏ = 0

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

    def relate(self, symbol: sp.Expr, polynomial: Polynomial | None) -> None:
        """Let a symbol be a root of an irreducible polynomial, or of none, from now on.

        Fractions made later are Σ_{k<n} r_k uᵏ with r_k free of u, so that what is zero is 0.
        """
        position = self.position[symbol]
        self.algebraic.pop(position, None)
        if polynomial is not None:
            self.algebraic[position] = self._split(polynomial.raw, position)

    def by_power(self, polynomial: Polynomial) -> list[tuple[Polynomial, sp.Expr]]:
        """(coefficient, power) of the first algebraic symbol that a polynomial holds, if any."""
        for position in self.algebraic:
            if polynomial.degree(position):
                parts = self._split(polynomial.raw, position)
                powers = (self.symbols[position] ** k for k in range(len(parts)))
                return [(Polynomial(self, x), u) for x, u in zip(parts, powers) if not x.is_zero()]
        return [(polynomial, sp.S.One)]

    def fraction(self, numerator: Polynomial, denominator: Polynomial) -> Fraction:
        """numerator/denominator in lowest terms."""
        top, bottom = _lowest(numerator.raw, denominator.raw)
        for position in self.algebraic:
            top, bottom = _lowest(*self._reduced(top, bottom, position))
        if bottom.leading_coefficient() < 0:
            top, bottom = -top, -bottom
        return Fraction(Polynomial(self, top), Polynomial(self, bottom))

    def _split(self, raw: fmpz_mpoly, position: int) -> list[fmpz_mpoly]:
        """The coefficients of the powers of one symbol."""
        parts: list[dict[Monomial, int]] = [{} for _ in range(max(raw.degrees()[position], 0) + 1)]
        for monomial, value in raw.terms():
            rest = list(monomial)
            rest[position] = 0
            parts[monomial[position]][tuple(rest)] = int(value)
        return [self.context.from_dict(part) for part in parts]

    def _reduced(
        self, top: fmpz_mpoly, bottom: fmpz_mpoly, position: int
    ) -> tuple[fmpz_mpoly, fmpz_mpoly]:
        """The same with the algebraic symbol in the numerator alone, to powers below the degree."""
        relation = self.algebraic[position]
        degrees = [max(raw.degrees()[position], 0) for raw in (top, bottom)]
        if degrees[1] == 0 and degrees[0] < len(relation) - 1:
            return top, bottom
        above, scale = _remainder(self._split(top, position), relation)
        bottom = bottom * scale
        if degrees[1]:
            below, scale = _remainder(self._split(bottom, position), relation)
            inverse, norm = _inverse(below, relation)
            above, factor = _remainder(_product(above, inverse), relation)
            above, bottom = [part * scale for part in above], norm * factor
        root, total = self.context.gen(position), self.context.constant(0)
        for part in reversed(above):
            total = total * root + part
        return total, bottom

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


def _lowest(top: fmpz_mpoly, bottom: fmpz_mpoly) -> tuple[fmpz_mpoly, fmpz_mpoly]:
    """Both without their greatest common divisor."""
    common = top.gcd(bottom)
    return (top, bottom) if common.is_one() else (top // common, bottom // common)


def _product(first: list[fmpz_mpoly], second: list[fmpz_mpoly]) -> list[fmpz_mpoly]:
    """The coefficients of a product of polynomials in one symbol."""
    found = [0 * first[0]] * (len(first) + len(second) - 1)
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            found[i + j] = found[i + j] + x * y
    return found


def _remainder(
    parts: list[fmpz_mpoly], relation: list[fmpz_mpoly]
) -> tuple[list[fmpz_mpoly], fmpz_mpoly]:
    """(r, s) with s Σ c_k uᵏ = Σ_{k<n} r_k uᵏ where Σ p_k uᵏ = 0; s is a power of p_n."""
    *low, lead = relation
    n, scale = len(low), lead**0
    rest = [*parts, *([0 * lead] * (n - len(parts)))]
    while len(rest) > n:
        *rest, highest = rest
        if not highest.is_zero():
            rest, scale = [x * lead for x in rest], scale * lead
            for k, p in enumerate(low, len(rest) - n):
                rest[k] = rest[k] - highest * p
    return rest, scale


def _inverse(
    parts: list[fmpz_mpoly], relation: list[fmpz_mpoly]
) -> tuple[list[fmpz_mpoly], fmpz_mpoly]:
    """(A, R) with A(u) Σ c_k uᵏ = R, free of u: a column of the adjugate of the product by c."""
    n, columns, scales = len(relation) - 1, [parts], [relation[-1] ** 0]
    for _ in range(n - 1):
        column, scale = _remainder([0 * parts[0], *columns[-1]], relation)
        columns.append(column)
        scales.append(scales[-1] * scale)
    minors = [_determinant([c[1:] for i, c in enumerate(columns) if i != k]) for k in range(n)]
    found = [(-1) ** k * minor for k, minor in enumerate(minors)]
    norm = sum((x * c[0] for x, c in zip(found, columns)), 0 * parts[0])
    if norm.is_zero():
        raise ZeroDivisionError("division by the zero function")
    return [x * scale for x, scale in zip(found, scales)], norm


def _determinant(columns: list[list[fmpz_mpoly]]) -> Any:
    if not columns:
        return 1
    (first, *rest), total = columns, 0
    for k, x in enumerate(first):
        total = total + (-1) ** k * x * _determinant([c[:k] + c[k + 1 :] for c in rest])
    return total


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
        if power < 0:
            return (self.field.one / self) ** -power
        numer, denom = self.numer**power, self.denom**power  # in lowest terms, as these are
        return self.field.fraction(numer, denom) if self.field.algebraic else Fraction(numer, denom)

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
