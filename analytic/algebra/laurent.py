r"""Laurent series: integer powers with coefficients in a field of rational functions.

    f(x) = Σ_{k ≤ cut} c_k x^k + O(x^{cut+1}),      finitely many k < 0,      c_k ∈ ℚ(symbols).

A series is known to its cut and says so: a product is known to the lesser of v_f + cut_g and
v_g + cut_f, where the valuation v is the first power with c_v ≠ 0. Fractions of the field and
integers are exact: they do not shorten a series that they meet. Since coefficients are kept in
lowest terms, the equality of two of them is an identity in all symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import sympy as sp

from ..errors import InputError
from .rational import Field, Fraction

Scalar: TypeAlias = Fraction | int | sp.Expr


@dataclass(frozen=True)
class Laurent:
    """Σ coefficients[k] x^k, known for k ≤ cut; no coefficient is stored that is zero."""

    field: Field
    coefficients: Mapping[int, Fraction]
    cut: int

    @classmethod
    def of(cls, field: Field, expressions: Iterable[Any], valuation: int = 0) -> Laurent:
        """The series c_0 x^v + c_1 x^{v+1} + … with the given sympy coefficients.

        >>> x, y = sp.symbols("x y")
        >>> Laurent.of(Field([y]), [1, y, y**2], -1).inverse()[2].as_expr()
        -y
        """
        items = {valuation + i: field(e) for i, e in enumerate(expressions)}
        return cls._make(field, items, max(items, default=valuation - 1))

    @classmethod
    def _make(cls, field: Field, items: Mapping[int, Fraction], cut: int) -> Laurent:
        return cls(field, {k: c for k, c in items.items() if c and k <= cut}, cut)

    @property
    def valuation(self) -> int:
        """The power of the first term (cut + 1 if no term is known)."""
        return min(self.coefficients, default=self.cut + 1)

    def __getitem__(self, power: int) -> Fraction:
        if power > self.cut:
            raise IndexError(f"the coefficient of x^{power} is not known beyond x^{self.cut}")
        return self.coefficients.get(power, self.field.zero)

    def known(self) -> list[tuple[int, Fraction]]:
        """(power, coefficient) from the valuation to the cut, zeros included."""
        return [(k, self[k]) for k in range(self.valuation, self.cut + 1)]

    def truncated(self, cut: int) -> Laurent:
        """The same, known to at most ``cut``."""
        return self._make(self.field, self.coefficients, min(cut, self.cut))

    def __bool__(self) -> bool:
        return bool(self.coefficients)

    # ---- arithmetic ------------------------------------------------------------------

    def __add__(self, other: Laurent | Scalar) -> Laurent:
        if not isinstance(other, Laurent):
            other = Laurent(self.field, {0: self.field.coerce(other)}, max(self.cut, 0))
        items = dict(self.coefficients)
        for k, c in other.coefficients.items():
            items[k] = items[k] + c if k in items else c
        return self._make(self.field, items, min(self.cut, other.cut))

    __radd__ = __add__

    def __neg__(self) -> Laurent:
        return Laurent(self.field, {k: -c for k, c in self.coefficients.items()}, self.cut)

    def __sub__(self, other: Laurent | Scalar) -> Laurent:
        return self + (-other)

    def __rsub__(self, other: Scalar) -> Laurent:
        return -self + other

    def __mul__(self, other: Laurent | Scalar) -> Laurent:
        if not isinstance(other, Laurent):
            factor = self.field.coerce(other)
            scaled = {k: c * factor for k, c in self.coefficients.items()}
            return self._make(self.field, scaled, self.cut)
        cut = min(self.valuation + other.cut, other.valuation + self.cut)
        items: dict[int, Fraction] = {}
        for i, a in self.coefficients.items():
            for j, b in other.coefficients.items():
                if i + j <= cut:
                    items[i + j] = items[i + j] + a * b if i + j in items else a * b
        return self._make(self.field, items, cut)

    __rmul__ = __mul__

    def __truediv__(self, other: Laurent) -> Laurent:
        return self * other.inverse()

    def __pow__(self, exponent: int) -> Laurent:
        return self.power(exponent)

    def inverse(self) -> Laurent:
        """1/f; ZeroDivisionError if no non-zero term is known."""
        return self.power(-1)

    def power(self, exponent: Any) -> Laurent:
        """f^e for f = x^v (c_v + …), by J. C. P. Miller's recurrence.

        e is an integer; or, where c_v = 1, any element of the field with e·v an integer.
        """
        if not self.coefficients:
            if isinstance(exponent, int | sp.Integer) and exponent > 0:
                return Laurent(self.field, {}, int(exponent) * (self.cut + 1) - 1)
            raise ZeroDivisionError("the series is zero as far as it is known")
        v, (first, e) = self.valuation, self._leading_power(exponent)
        shift = sp.sympify(exponent) * v
        if not shift.is_Integer:
            raise InputError("exponent", exponent, "one that gives an integer leading power")
        found, start, divided = {0: first}, int(shift), self.field.one / self[v]
        for n in range(1, self.cut - v + 1):
            total = self.field.zero
            for k in range(1, n + 1):
                if v + k in self.coefficients and n - k in found:
                    product = self[v + k] * found[n - k]
                    total = total + (-product if e == -1 else product * (e * k - (n - k)))
            if total:
                total = total * divided
                found[n] = total if e == -1 else total / n
        return Laurent._make(
            self.field, {start + n: c for n, c in found.items()}, start + self.cut - v
        )

    def _leading_power(self, exponent: Any) -> tuple[Fraction, Fraction | int]:
        """c_v^e, and e as a number or a field element."""
        lead = self[self.valuation]
        if isinstance(exponent, int) or sp.sympify(exponent).is_Integer:
            return lead ** int(exponent), int(exponent)
        if lead == self.field.one:
            return lead, self.field.coerce(exponent)
        raise InputError("exponent", exponent, "an integer, unless the leading coefficient is 1")

    # ---- calculus --------------------------------------------------------------------

    def derivative(self) -> Laurent:
        """d/dx."""
        items = {k - 1: c * k for k, c in self.coefficients.items()}
        return self._make(self.field, items, self.cut - 1)

    def compose(self, inner: Laurent) -> Laurent:
        """f(g(x)) for g that vanishes at 0 (valuation ≥ 1)."""
        if inner.valuation < 1:
            raise InputError("inner", inner.valuation, "a series that vanishes at 0")
        valuation = self.valuation
        total = Laurent(self.field, {}, inner.valuation * (self.cut + 1) - 1)
        power = inner.power(valuation)
        for k in range(valuation, self.cut + 1):
            total = total + power * self[k]
            power = power * inner
        return total

    def revert(self) -> Laurent:
        """The inverse of f(x) = c x + … (valuation 1), by Lagrange: [y^n] = [x^{−1}] f^{−n}/n."""
        if self.valuation != 1:
            raise InputError("series", self.valuation, "a series that begins with x")
        inverse = power = self.inverse()
        found = {}
        for n in range(1, self.cut + 1):
            found[n] = power[-1] / n
            power = power * inverse
        return self._make(self.field, found, self.cut)


class Substitution:
    """Evaluates rational expressions whose symbols stand for series (``images``).

    What holds no series is a fraction, and exact. Equal parts are evaluated once.
    """

    def __init__(self, field: Field, images: Mapping[sp.Expr, Laurent]) -> None:
        self.field = field
        self.memory: dict[sp.Expr, Laurent | Fraction] = dict(images)

    def __call__(self, expression: sp.Expr) -> Laurent | Fraction:
        if expression not in self.memory:
            self.memory[expression] = self.evaluate(expression)
        return self.memory[expression]

    def evaluate(self, expression: sp.Expr) -> Laurent | Fraction:
        """The value of an expression that is not known yet."""
        if expression in self.field.position:
            return self.field.generator(expression)
        if isinstance(expression, (sp.Add, sp.Mul)):
            total, *others = (self(part) for part in expression.args)
            for other in others:
                total = total + other if isinstance(expression, sp.Add) else total * other
            return total
        if isinstance(expression, sp.Pow):
            base = self(expression.base)
            if isinstance(base, Laurent):
                return base.power(expression.exp)
        return self.field(expression)


def substitute_laurent(expression: sp.Expr, images: Mapping[sp.Expr, Laurent]) -> Laurent:
    """Put Laurent series in the place of symbols of a rational expression."""
    some = next(iter(images.values()))
    value = Substitution(some.field, images)(expression)
    return value if isinstance(value, Laurent) else Laurent(some.field, {}, some.cut) + value
