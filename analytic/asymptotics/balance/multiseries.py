r"""Series in several scales at once, with symbolic exponents and exact coefficients.

    f = Σ_v c_v Π_s s^{e_s(v)} + (terms of weight ≥ cut),

where the scales s are sizes that grow or vanish as powers of one large L, s ~ L^{p_s}, and positive
constants (p = 0) that carry symbolic powers; the exponents e are rational functions of a and b; the
coefficients c are exact rational functions of a, b, of parameters and of named atoms (values of ζ,
sums over a spectrum at a fixed place, …).  The weight of a monomial, −Σ p_s e_s at the
representative point, orders the terms: f shrinks as L^{−weight}.

`Scales` fixes sizes, point and field; a `Series` has sums, products and powers.  Every power of a
series rests on its leading term; which terms were found smaller is remembered in
`Scales.comparisons`, monomial by monomial: these are the conditions of a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction as Rational
from math import lcm
from operator import add, mul
from typing import Any

import sympy as sp

from ...algebra.rational import Fraction
from ...errors import InputError, OutsideTheoryError
from ...notation import a, b
from .coefficients import Coefficients, TooMany
from .walls import Tie, Walls, on_walls

Vector = tuple[Any, ...]
WIDTH = 40  # coordinates: (scale, kind of exponent)
MAX_POWERS = 400
MAX_TERMS = 600
LONG = "too many terms before the order asked for: the sizes are too far apart, or too many"
MAX_MULTIPLIED = 4  # whole powers that need no leading term


class TooShallow(OutsideTheoryError):
    """The series were cut before the leading terms of what was asked."""


class PoleLeft(TooShallow):
    """An infinite coefficient at a resonance, its partner not among the terms."""


class MultipleRoot(TooShallow):
    """Two roots that the terms found so far do not tell apart."""


def as_rational(value: Any) -> Rational:
    """An exact number as a Python fraction."""
    value = sp.nsimplify(value) if isinstance(value, sp.Float) else sp.sympify(value)
    if not value.is_Rational:
        raise InputError("exponent", value, "a rational value at the representative point")
    return Rational(int(value.p), int(value.q))


def _whole(value: Rational) -> Rational | int:
    """An integer where it is one: monomials are hashed and added by the million."""
    return value.numerator if value.denominator == 1 else value


class Scales(Coefficients):
    """The sizes and how they grow, at the representative point and over its coefficients.

    ``growth`` maps each scale s to p in s ~ L^p; ``point`` gives a, b and every parameter a value;
    ``depth`` is the relative weight beyond which products are cut off.  On ``walls``, values of a
    and b, exponents of the sizes that agree there are the same.
    """

    def __init__(
        self,
        growth: Mapping[sp.Expr, Any],
        point: Mapping[sp.Symbol, Any],
        depth: Any,
        parameters: Iterable[sp.Symbol] = (),
        walls: Walls | None = None,
    ) -> None:
        self.growth = {s: as_rational(p) for s, p in growth.items()}
        self.sizes, self.walls = {s for s, p in self.growth.items() if p}, walls or {}
        super().__init__(point, parameters)
        self.depth = as_rational(depth)
        self.coordinates: list[tuple[sp.Expr, sp.Expr]] = []
        self._index: dict[tuple[sp.Expr, sp.Expr], int] = {}
        self._rates: list[Rational] = [Rational(0)] * WIDTH
        self._counts, self._step = [0] * WIDTH, 1  # the rates as counts of 1/step
        self.unit: Vector = (0,) * WIDTH
        self._weights: dict[Vector, Rational] = {self.unit: Rational(0)}
        self._vectors: dict[tuple[sp.Expr, sp.Expr], Vector] = {}
        self._scaled: dict[tuple[Vector, sp.Expr], Vector] = {}
        self.comparisons: set[Vector] = set()
        self.vertices: dict[Any, Any] = {}  # of polygons
        self.folds: dict[int, Fraction] = {}  # coordinates of constants that the field knows
        self.relations: dict[tuple[sp.Expr, sp.Expr], Fraction] = {}  # u^kind, rational in u

    def deepen(self, depth: Any) -> None:
        """Another depth from now on, with comparisons of its own."""
        self.depth, self.comparisons = as_rational(depth), set()

    # -- monomials -------------------------------------------------------------------------------

    def value(self, expression: Any) -> Rational:
        """An exponent at the representative point."""
        return as_rational(sp.sympify(expression).subs(self.point))

    def vector(self, scale: sp.Expr, exponent: Any = 1) -> Vector:
        """The monomial scale^exponent."""
        exponent = sp.sympify(exponent)
        key = (scale, exponent)
        if key not in self._vectors:
            result = list(self.unit)
            if self.walls and scale in self.sizes:
                exponent = on_walls(self, exponent)
            for term in sp.Add.make_args(_canonical(exponent)):
                coefficient, kind = term.as_coeff_Mul()
                result[self._coordinate(scale, kind)] += _whole(as_rational(coefficient))
            self._vectors[key] = tuple(result)
        return self._vectors[key]

    def _coordinate(self, scale: sp.Expr, kind: sp.Expr) -> int:
        if (scale, kind) not in self._index:
            if len(self.coordinates) == WIDTH:
                raise OutsideTheoryError("more kinds of powers than the series can hold")
            self._index[scale, kind] = len(self.coordinates)
            self._set_rate(len(self.coordinates), scale, kind)
            known = scale.xreplace(self.atoms).free_symbols <= set(self.field.symbols)
            if (scale, kind) in self.relations:
                self.folds[len(self.coordinates)] = self.relations[scale, kind]
            elif kind == 1 and scale not in self.growth and known:
                self.folds[len(self.coordinates)] = self.element(scale.xreplace(self.atoms))
            self.coordinates.append((scale, kind))
        return self._index[scale, kind]

    def _set_rate(self, coordinate: int, scale: sp.Expr, kind: sp.Expr) -> None:
        self._rates[coordinate] = -self.growth.get(scale, Rational(0)) * self.value(kind)
        self._step = lcm(*(rate.denominator for rate in self._rates))
        self._counts = [int(rate * self._step) for rate in self._rates]

    def regrow(self, scale: sp.Expr, growth: Any) -> None:
        """Let a scale grow at another rate; series that hold it have to be made anew."""
        self.growth[scale] = as_rational(growth)
        for i, (base, kind) in enumerate(self.coordinates):
            if base == scale:
                self._set_rate(i, scale, kind)
        self._weights = {self.unit: Rational(0)}

    def weight(self, vector: Vector) -> Rational:
        """How fast the monomial vanishes: it is L^{−weight}."""
        if vector not in self._weights:
            self._weights[vector] = Rational(sum(map(mul, vector, self._counts)), self._step)
        return self._weights[vector]

    def exponents(self, vector: Vector) -> dict[sp.Expr, sp.Expr]:
        """The monomial as a map from scales to exponents."""
        found: dict[sp.Expr, sp.Expr] = {}
        for (scale, kind), value in zip(self.coordinates, vector):
            if value:
                power = sp.Rational(Rational(value)) * kind
                found[scale] = found.get(scale, sp.S.Zero) + power
        return found

    def monomial(self, vector: Vector) -> sp.Expr:
        """The monomial as a sympy expression."""
        return sp.Mul(*(s**e for s, e in self.exponents(vector).items()))

    def scaled(self, vector: Vector, exponent: sp.Expr) -> Vector:
        """The monomial raised to a symbolic power."""
        if exponent.is_Rational:
            factor = as_rational(exponent)
            return tuple(_whole(v * factor) if v else 0 for v in vector)
        key = (vector, exponent)
        if key not in self._scaled:
            total = self.unit
            for scale, power in self.exponents(vector).items():
                total = tuple(map(add, total, self.vector(scale, sp.expand(power * exponent))))
            self._scaled[key] = total
        return self._scaled[key]

    def relate(self, base: sp.Expr, kind: sp.Expr, element: Fraction) -> None:
        """Let base^kind be an element of the field from now on."""
        self.relations[base, kind] = element
        if (base, kind) in self._index:
            self.folds[self._index[base, kind]] = element

    # -- series ----------------------------------------------------------------------------------

    def constant(self, value: Any) -> Series:
        """The exact series that is a field element or a rational expression."""
        element = value if isinstance(value, Fraction) else self.element(value)
        return Series(self, {self.unit: element} if element else {})

    def scale(self, scale: sp.Expr, exponent: Any = 1) -> Series:
        """The exact series scale^exponent."""
        return Series(self, {self.vector(scale, exponent): self.field.one})

    def evaluate(self, expression: sp.Expr, images: Mapping[sp.Expr, Series]) -> Series:
        """Put series in the place of symbols and traces of a rational expression."""
        return _Evaluation(self, images)(sp.sympify(expression))


def _canonical(exponent: sp.Expr) -> sp.Expr:
    """A sum of terms that are linearly independent over ℚ, whatever the form it came in."""
    denominator = sp.denom(sp.together(exponent))
    if denominator.is_number or denominator.is_Symbol:
        return sp.expand(exponent)
    return sp.expand(sp.apart(sp.together(exponent), b))


class Series:
    """Terms by monomial, known up to (not including) the weight ``cut``; None: exact."""

    __slots__ = ("_items", "cut", "scales", "terms")

    def __init__(
        self, scales: Scales, terms: Mapping[Vector, Fraction], cut: Rational | None = None
    ) -> None:
        self.scales, self.cut = scales, cut
        weight = scales.weight
        self.terms = {v: c for v, c in terms.items() if c and (cut is None or weight(v) < cut)}
        self._items: list[tuple[Rational, Vector, Fraction]] | None = None

    @property
    def items(self) -> list[tuple[Rational, Vector, Fraction]]:
        """(weight, monomial, coefficient), the largest term first."""
        if self._items is None:
            weight = self.scales.weight
            self._items = sorted(((weight(v), v, c) for v, c in self.terms.items()),
                                 key=lambda item: (item[0], item[1]))  # fmt: skip
        return self._items

    @property
    def order(self) -> Rational | None:
        """The weight of the leading term, or of what is unknown; None for an exact zero."""
        return self.items[0][0] if self.terms else self.cut

    def lead(self) -> tuple[Vector, Fraction]:
        """The leading term; `Tie` if two terms lead."""
        if not self.terms:
            raise TooShallow("all terms cancel to the order that was computed")
        weight, vector, coefficient = self.items[0]
        for other, second, _ in self.items[1:]:
            difference = tuple(x - y for x, y in zip(second, vector))
            if other == weight:
                raise Tie(self.scales, difference)
            self.scales.comparisons.add(difference)
        return vector, coefficient

    def known_to(self, cut: Rational | None) -> Series:
        """The same with what is at or beyond the weight ``cut`` unknown."""
        if cut is None or (self.cut is not None and self.cut <= cut):
            return self
        return Series(self.scales, self.terms, cut)

    def _coerce(self, other: Any) -> Series:
        return other if isinstance(other, Series) else self.scales.constant(other)

    def __add__(self, other: Any) -> Series:
        other = self._coerce(other)
        terms = dict(self.terms)
        for vector, c in other.terms.items():
            terms[vector] = terms[vector] + c if vector in terms else c
        return Series(self.scales, terms, _smaller(self.cut, other.cut))

    __radd__ = __add__

    def __neg__(self) -> Series:
        return Series(self.scales, {v: -c for v, c in self.terms.items()}, self.cut)

    def __sub__(self, other: Any) -> Series:
        return self + (-self._coerce(other))

    def __rsub__(self, other: Any) -> Series:
        return self._coerce(other) - self

    def __mul__(self, other: Any) -> Series:
        other = self._coerce(other)
        if self.order is None or other.order is None:
            return Series(self.scales, {})
        first, second = self.order, other.order
        cuts = [f.cut + order for f, order in ((self, second), (other, first)) if f.cut is not None]
        limit = min([first + second + self.scales.depth, *cuts])
        cut: Rational | None = min(cuts) if cuts else None
        terms: dict[Vector, Fraction] = {}
        for w1, v1, c1 in self.items:
            for w2, v2, c2 in other.items:
                if w1 + w2 >= limit:
                    cut = limit
                    break
                vector, product = tuple(map(add, v1, v2)), c1 * c2
                if self.scales.folds:
                    vector, product = _settled(self.scales, vector, product)
                terms[vector] = terms[vector] + product if vector in terms else product
            if len(terms) > MAX_TERMS:
                raise TooMany(LONG)
        return Series(self.scales, terms, cut)

    __rmul__ = __mul__

    def __pow__(self, exponent: Any) -> Series:
        return power(self, sp.sympify(exponent))

    def __truediv__(self, other: Any) -> Series:
        return self * self._coerce(other) ** -1

    def __rtruediv__(self, other: Any) -> Series:
        return self._coerce(other) * self**-1


def _smaller(first: Rational | None, second: Rational | None) -> Rational | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


def monomial_power(
    scales: Scales, vector: Vector, coefficient: Fraction, exponent: sp.Expr
) -> tuple[Vector, Fraction]:
    """(c·m)^e: rational factors of c that are no e-th powers join the monomial as constants."""
    if exponent.is_Integer:
        return _settled(scales, scales.scaled(vector, exponent), coefficient ** int(exponent))
    vector, coefficient = _unfolded(scales, vector, coefficient)
    if coefficient == scales.field.one:
        return _settled(scales, scales.scaled(vector, exponent), coefficient)
    if not scales.number(coefficient) > 0:
        raise OutsideTheoryError(
            f"a power {exponent} of {scales.expression(coefficient)}, which is negative"
        )
    total = scales.scaled(vector, exponent)
    for factor, count in _factors(scales, coefficient):
        base, inner = factor.as_base_exp()
        total = tuple(map(add, total, scales.vector(base, sp.expand(inner * count * exponent))))
    return _settled(scales, total, scales.field.one)


def _unfolded(scales: Scales, vector: Vector, coefficient: Fraction) -> tuple[Vector, Fraction]:
    """A coefficient that holds u^kind as a rational function of u gives it back to the monomial."""
    for (base, kind), element in scales.relations.items():
        if base in scales.field.position and base in used_symbols(scales, coefficient):
            for sign in (1, -1):
                rest = coefficient / element**sign
                if base not in used_symbols(scales, rest):
                    return tuple(map(add, vector, scales.vector(base, sign * kind))), rest
    return vector, coefficient


def used_symbols(scales: Scales, coefficient: Fraction) -> set[sp.Symbol]:
    """The symbols of the field that a coefficient holds."""
    parts = (coefficient.numer, coefficient.denom)
    return {s for p in parts for m in p for s, e in zip(scales.field.symbols, m) if e}


def _factors(scales: Scales, coefficient: Fraction) -> list[tuple[sp.Expr, int]]:
    """Positive factors of a positive coefficient, with their powers."""
    positive: list[tuple[sp.Expr, int]] = []
    number = sp.S.One
    for polynomial, sign in ((coefficient.numer, 1), (coefficient.denom, -1)):
        constant, factors = polynomial.factor_list()
        number *= sp.Integer(constant) ** sign
        for factor, count in factors:
            base = factor.as_expr()
            names = {symbol: value for value, symbol in scales.atoms.items()}
            if scales.number_of(base.xreplace(names)) < 0:
                base, number = -base, number * (-1) ** count
            positive.append((base.xreplace(names), sign * count))
    for prime, count in sp.factorrat(number).items():
        positive.append((sp.Integer(prime), int(count)))
    return positive


def _settled(scales: Scales, vector: Vector, coefficient: Fraction) -> tuple[Vector, Fraction]:
    """Whole powers of constants that the field knows move from the monomial to the coefficient."""
    result: list[Any] | None = None
    for i, element in scales.folds.items():
        value = vector[i]
        if value and value == int(value):
            result = result or list(vector)
            coefficient = coefficient * element ** int(value)
            result[i] = 0
    return (tuple(result) if result else vector), coefficient


def power(series: Series, exponent: sp.Expr) -> Series:
    """f^e = lead^e Σ_n binom(e, n) δ^n for f = lead (1 + δ)."""
    scales = series.scales
    if exponent.is_Integer and 0 <= exponent <= MAX_MULTIPLIED:
        result = scales.constant(1)
        for _ in range(int(exponent)):
            result = result * series
        return result
    vector, coefficient = series.lead()
    head_vector, head = monomial_power(scales, vector, coefficient, exponent)
    first = Series(scales, {head_vector: head})
    if len(series.terms) == 1 and series.cut is None:
        return first
    inverse = scales.field.one / coefficient
    weight = scales.weight(vector)
    delta = Series(
        scales,
        {tuple(x - y for x, y in zip(v, vector)): c * inverse
         for v, c in series.terms.items() if v != vector},
        None if series.cut is None else series.cut - weight,
    ).known_to(scales.depth)  # fmt: skip
    return first * binomial_sum(powers(delta), exponent)


def powers(delta: Series) -> list[Series]:
    """1, δ, δ², … until nothing is left above the cut."""
    scales = delta.scales
    limit = scales.depth if delta.cut is None else delta.cut
    found = [scales.constant(1).known_to(limit), delta.known_to(limit)]
    while found[-1].terms:
        if len(found) > MAX_POWERS:
            ratio = scales.monomial(delta.lead()[0])
            raise OutsideTheoryError(f"too many terms near a wall, {ratio} ~ 1: fix this ratio")
        found.append((found[-1] * delta).known_to(limit))
    return found


def binomial_sum(delta_powers: Sequence[Series], exponent: sp.Expr) -> Series:
    """(1+δ)^e from the powers of δ."""
    scales = delta_powers[0].scales
    total, factor, e = delta_powers[0], scales.field.one, scales.element(exponent)
    for n, term in enumerate(delta_powers[1:]):
        factor = factor * (e - scales.element(n)) / scales.element(n + 1)
        if not factor:
            break
        total = total + term * Series(scales, {scales.unit: factor})
    return total


class _Evaluation:
    """Recursion over an expression; every part is evaluated once."""

    def __init__(self, scales: Scales, images: Mapping[sp.Expr, Series]) -> None:
        self.scales, self.known = scales, dict(images)

    def __call__(self, expression: sp.Expr) -> Series:
        if expression not in self.known:
            self.known[expression] = self._compute(expression)
        return self.known[expression]

    def _compute(self, expression: sp.Expr) -> Series:
        scales = self.scales
        if expression in scales.growth:
            return scales.scale(expression)
        if expression in scales.atoms:
            return scales.constant(scales.atom(expression))
        if expression.is_Rational or expression in scales.field.position:
            return scales.constant(expression)
        if expression.is_Add or expression.is_Mul:
            first, *rest = expression.args
            total = self(first)
            for part in rest:
                total = total + self(part) if expression.is_Add else total * self(part)
            return total
        if expression.is_Pow and not expression.exp.free_symbols - {a, b}:
            return self(expression.base) ** expression.exp
        raise InputError("expression", expression, "built from sums, products and powers of "
                         "quantities that the regime fixes")  # fmt: skip
