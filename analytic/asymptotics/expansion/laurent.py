r"""Laurent series with integer powers over an exact field of rational functions: the fast lane.

Where every exponent is an integer, the coefficients are rational functions of a few parameters, and
arithmetic in sympy's fraction field is orders of magnitude faster than with expression trees:

    f(x) = x^v (f_0 + f_1 x + … + f_{m−1} x^{m−1} + O(x^m)),     f_0 ≠ 0 in ℚ(p_1, …, p_k).

`Field` makes the field from sympy symbols (or function values such as D_2(κ₀)); a `Laurent` is
turned into an :class:`Expansion` at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy as sp

from ...errors import InputError
from .asymptotic_series import Expansion

__all__ = ["Field", "Laurent", "substitute_laurent"]

LONGEST_FACTORED = 40  # terms; factoring a longer polynomial takes more time than it saves


class Field:
    """ℚ(generators), with conversion from and to sympy expressions.

    >>> x, y = sp.symbols("x y")
    >>> field = Field([x, y])
    >>> field.expression(field(x / y) * field(y))
    x
    """

    def __init__(self, generators: Iterable[sp.Expr]) -> None:
        self.generators = list(dict.fromkeys(generators))
        self._dummies = [sp.Dummy(f"g{i}") for i in range(len(self.generators))]
        self.domain = sp.QQ.frac_field(*self._dummies)
        self._into = dict(zip(self.generators, self._dummies))
        self._back = dict(zip(self._dummies, self.generators))

    def __call__(self, expression: Any) -> Any:
        """The field element of a rational expression in the generators."""
        expression = sp.sympify(expression).xreplace(self._into)
        if not expression.free_symbols <= set(self._dummies):
            raise InputError("expression", expression, f"rational in {self.generators}")
        return self.domain.from_sympy(expression)

    def expression(self, element: Any) -> sp.Expr:
        """The sympy expression of a field element, in factors unless the numerator is very long."""
        numerator, denominator = element.numer, element.denom
        top = numerator.as_expr()
        if len(numerator) <= LONGEST_FACTORED:
            top = sp.factor(top)
        return (top / sp.factor(denominator.as_expr())).xreplace(self._back)


class Laurent:
    """x^valuation · (c_0 + c_1 x + …), known to ``len(coefficients)`` relative orders."""

    def __init__(self, field: Field, coefficients: Sequence[Any], valuation: int = 0) -> None:
        coefficients = list(coefficients)
        while coefficients and not coefficients[0]:
            coefficients, valuation = coefficients[1:], valuation + 1
        self.field, self.coefficients, self.valuation = field, coefficients, valuation

    @classmethod
    def of(cls, field: Field, expressions: Iterable[Any], valuation: int = 0) -> Laurent:
        """The series with the given sympy coefficients."""
        return cls(field, [field(e) for e in expressions], valuation)

    @property
    def order(self) -> int:
        """The first unknown power."""
        return self.valuation + len(self.coefficients)

    def coefficient(self, power: int) -> Any:
        """The coefficient of x^power, as a field element."""
        i = power - self.valuation
        return self.coefficients[i] if 0 <= i < len(self.coefficients) else self.field.domain.zero

    def _constant(self, value: Any) -> Laurent:
        length = max(len(self.coefficients), self.order) + 4
        return Laurent(self.field, [self.field(value)] + [self.field.domain.zero] * length)

    def _coerce(self, other: Any) -> Laurent:
        return other if isinstance(other, Laurent) else self._constant(other)

    def __add__(self, other: Any) -> Laurent:
        other = self._coerce(other)
        low, high = min(self.valuation, other.valuation), min(self.order, other.order)
        return Laurent(
            self.field, [self.coefficient(p) + other.coefficient(p) for p in range(low, high)], low
        )

    __radd__ = __add__

    def __neg__(self) -> Laurent:
        return Laurent(self.field, [-c for c in self.coefficients], self.valuation)

    def __sub__(self, other: Any) -> Laurent:
        return self + (-self._coerce(other))

    def __rsub__(self, other: Any) -> Laurent:
        return self._coerce(other) - self

    def __mul__(self, other: Any) -> Laurent:
        if not isinstance(other, Laurent):
            factor = self.field(other)
            if not factor:
                return self._constant(0)
            return Laurent(self.field, [factor * c for c in self.coefficients], self.valuation)
        length = min(len(self.coefficients), len(other.coefficients))
        a, b = self.coefficients, other.coefficients
        product = [
            sum((a[i] * b[n - i] for i in range(n + 1)), self.field.domain.zero)
            for n in range(length)
        ]
        return Laurent(self.field, product, self.valuation + other.valuation)

    __rmul__ = __mul__

    def power(self, exponent: Any) -> Laurent:
        """f^e for f = x^v(1 + …) and rational or symbolic e with e·v an integer; lead must be 1
        unless e is an integer (J. C. P. Miller's recurrence).
        """
        lead, e = self.coefficients[0], self.field(exponent)
        domain = self.field.domain
        whole = sp.sympify(exponent)
        if whole.is_Integer:
            first = lead ** int(whole) if whole >= 0 else (domain.one / lead) ** int(-whole)
        elif lead == domain.one:
            first = lead
        else:
            raise InputError(
                "exponent", exponent, "an integer, unless the leading coefficient is 1"
            )
        result = [first]
        for n in range(1, len(self.coefficients)):
            total = sum(
                ((e * k - (n - k)) * self.coefficients[k] * result[n - k] for k in range(1, n + 1)),
                domain.zero,
            )
            result.append(total / (n * lead))
        shift = whole * self.valuation
        if not sp.sympify(shift).is_Integer:
            raise InputError("exponent", exponent, "one that gives an integer leading power")
        return Laurent(self.field, result, int(shift))

    def __pow__(self, exponent: int) -> Laurent:
        return self.power(exponent)

    def __truediv__(self, other: Any) -> Laurent:
        return self * (other.power(-1) if isinstance(other, Laurent) else 1 / sp.sympify(other))

    def __rtruediv__(self, other: Any) -> Laurent:
        return self.power(-1) * other

    def derivative(self) -> Laurent:
        """d/dx."""
        return Laurent(
            self.field,
            [c * (self.valuation + i) for i, c in enumerate(self.coefficients)],
            self.valuation - 1,
        )

    def compose(self, inner: Laurent) -> Laurent:
        """f(g(x)) for g that vanishes at 0 (valuation ≥ 1)."""
        if inner.valuation < 1:
            raise InputError("inner", inner.valuation, "a series that vanishes at 0")
        power = inner.power(self.valuation)
        total: Laurent | None = None
        for c in self.coefficients:
            term = Laurent(self.field, [c * x for x in power.coefficients], power.valuation)
            total = term if total is None else total._add_within(term)
            power = power * inner
        assert total is not None
        known = inner.valuation * self.order
        return total._cut(known)

    def _add_within(self, other: Laurent) -> Laurent:
        return self + other if other.coefficients else self

    def _cut(self, order: int) -> Laurent:
        keep = max(0, min(len(self.coefficients), order - self.valuation))
        return Laurent(self.field, self.coefficients[:keep], self.valuation)

    def revert(self) -> Laurent:
        """The inverse of f(x) = c x + … (valuation 1), by Lagrange: [y^n] = [x^{−1}] f^{−n}/n."""
        if self.valuation != 1:
            raise InputError("series", self.valuation, "a series that begins with x")
        length = len(self.coefficients)
        inverse, power = self.power(-1), self.power(-1)
        result = []
        for n in range(1, length + 1):
            result.append(power.coefficient(-1) / n)
            power = power * inverse
        return Laurent(self.field, result, 1)

    def expansion(
        self, variable: sp.Symbol, point: Any = 0, terms: int | None = None, **options: Any
    ) -> Expansion:
        """The first ``terms`` terms as an `Expansion` (at ∞ the powers count 1/variable)."""
        sign = 1 if sp.sympify(point) == 0 else -1
        found = [(c, self.valuation + i) for i, c in enumerate(self.coefficients) if c]
        order = self.order
        if terms is not None and len(found) > terms:
            order = found[terms][1]
            found = found[:terms]
        return Expansion.build(
            variable,
            point,
            [(self.field.expression(c), sign * power) for c, power in found],
            order=sign * order,
            **options,
        )


def substitute_laurent(expression: sp.Expr, images: Mapping[sp.Expr, Laurent]) -> Laurent:
    """Put Laurent series in the place of symbols of a rational expression."""
    some = next(iter(images.values()))
    if expression in images:
        return images[expression]
    if not any(expression.has(key) for key in images):
        return some._constant(expression)
    if expression.is_Pow:
        return substitute_laurent(expression.base, images).power(expression.exp)
    if not (expression.is_Add or expression.is_Mul):
        raise InputError("expression", expression, "built from sums, products and powers")
    scalars = [e for e in expression.args if not any(e.has(key) for key in images)]
    total: Any = expression.func(*scalars)
    for part in expression.args:
        if part in scalars:
            continue
        image = substitute_laurent(part, images)
        total = image + total if expression.is_Add else image * total
    return total
