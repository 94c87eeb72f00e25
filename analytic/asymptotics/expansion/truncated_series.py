r"""Generalised asymptotic series with their remainder, as a ring.

    f(x) = Σ_i c_i x^{p_i} log(x)^{k_i} + O(x^{p} log(x)^{k}),     x → 0⁺ or x → ∞.

Here are the terms in order of size, sums, products, derivatives and truncation; `asymptotic_series`
says what such a series is, and adds powers, composition, numbers and print.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cmp_to_key
from itertools import pairwise
from typing import Any, Self

import sympy as sp

from ...algebra import Laurent
from ...errors import InputError
from .ordering import Ordering

__all__ = ["Order", "SeriesTerm", "TruncatedSeries", "Validity"]


@dataclass(frozen=True)
class SeriesTerm:
    """One term ``coefficient * x**power * log(x)**log``."""

    coefficient: sp.Expr
    power: sp.Expr
    log: int = 0

    def expression(self, x: sp.Expr) -> sp.Expr:
        """The term as a sympy expression in ``x``."""
        return self.coefficient * x**self.power * sp.log(x) ** self.log


@dataclass(frozen=True)
class Order:
    """The size of a remainder: O(x^power log(x)^log)."""

    power: sp.Expr
    log: int = 0


@dataclass(frozen=True)
class Validity:
    """Where a series may be used: ``low < |x| < high``, in words, and what to use elsewhere."""

    low: sp.Expr = sp.S.Zero
    high: sp.Expr = sp.oo
    words: str = ""
    otherwise: str = ""


@dataclass(frozen=True)
class TruncatedSeries:
    """Terms, remainder and range of a series in ``variable`` at ``point`` (0 from above, or ∞)."""

    variable: sp.Symbol
    point: sp.Expr
    terms: tuple[SeriesTerm, ...]
    remainder: Order | None = None
    ordering: Ordering = field(default_factory=Ordering)
    definitions: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    validity: Validity = Validity()
    assumed: frozenset[sp.Basic] = frozenset()

    def __post_init__(self) -> None:
        if self.point not in (sp.S.Zero, sp.oo):
            raise InputError("point", self.point, "0 (from above) or oo")
        for term in self.terms:
            if term.coefficient.has(self.variable):
                raise InputError("coefficient", term.coefficient, f"free of {self.variable}")

    # -- construction ----------------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        variable: sp.Symbol,
        point: Any,
        terms: Iterable[tuple[Any, ...]],
        order: Any = None,
        order_log: int = 0,
        **options: Any,
    ) -> Self:
        """Make a series from tuples ``(coefficient, power[, log])``; ``order`` is the remainder."""
        remainder = None if order is None else Order(sp.sympify(order), order_log)
        raw = [SeriesTerm(sp.sympify(t[0]), sp.sympify(t[1]), *t[2:]) for t in terms]
        blank = cls(variable, sp.sympify(point), (), remainder, **options)
        return blank._with_terms(raw, expand=False)

    def constant(self, value: Any) -> Self:
        """The exact series that is the number (or expression free of x) ``value``."""
        value = sp.sympify(value)
        terms = () if value == 0 else (SeriesTerm(value, sp.S.Zero),)
        return replace(self, terms=terms, remainder=None, assumed=frozenset())

    @classmethod
    def of_laurent(
        cls,
        series: Laurent,
        variable: sp.Symbol,
        point: Any = 0,
        terms: int | None = None,
        **options: Any,
    ) -> Self:
        """The first ``terms`` terms of a Laurent series (at ∞ its powers count 1/variable)."""
        sign, order = (1 if sp.sympify(point) == 0 else -1), series.cut + 1
        found = sorted(series.coefficients.items())
        if terms is not None and len(found) > terms:
            order, found = found[terms][0], found[:terms]
        pairs = [(c.factored(), sign * power) for power, c in found]
        return cls.build(variable, point, pairs, order=sign * order, **options)

    def monomial(self, coefficient: Any = 1, power: Any = 1, log: int = 0) -> Self:
        """The exact series of one term."""
        return replace(
            self.constant(0), terms=(SeriesTerm(sp.sympify(coefficient), sp.sympify(power), log),)
        )

    # -- sizes -----------------------------------------------------------------------------------

    def grade(self, power: sp.Expr) -> sp.Expr:
        """The power of smallness of x^power: p at 0 and −p at ∞."""
        return power if self.point == 0 else -power

    def compare(self, first: SeriesTerm | Order, second: SeriesTerm | Order) -> int:
        """−1 if ``first`` is the larger quantity near the point, 1 if it is smaller, 0 if alike."""
        sign = self.ordering.sign(self.grade(first.power - second.power))
        return sign or (second.log > first.log) - (second.log < first.log)

    def _with_terms(self, raw: Iterable[SeriesTerm], expand: bool = True) -> Self:
        """Merge like terms, drop what the remainder covers, sort by size.

        Coefficients that stay alone keep their form unless ``expand``.  Different exponents that
        happen to coincide at the representative point stay apart.
        """
        merged: list[SeriesTerm] = []
        assumed = set(self.assumed)
        for term in raw:
            term = replace(term, power=sp.expand(term.power))
            for i, other in enumerate(merged):
                if other.log == term.log and other.power == term.power:
                    total = sp.expand(other.coefficient + term.coefficient)
                    merged[i] = replace(other, coefficient=total)
                    break
            else:
                alone = sp.expand(term.coefficient) if expand else term.coefficient
                merged.append(replace(term, coefficient=alone))
        kept = []
        for term in merged:
            if term.coefficient == 0:
                continue
            if self.remainder is None or self.compare(term, self.remainder) < 0:
                kept.append(term)
            else:
                self._note(assumed, term.power - self.remainder.power)
        kept.sort(key=cmp_to_key(self.compare))
        return replace(self, terms=tuple(kept), assumed=frozenset(assumed))

    def _note(self, assumed: set[sp.Basic], difference: sp.Expr) -> None:
        """Remember the inequality behind a comparison; terms of equal size need none."""
        if self.ordering.sign(difference) != 0:
            condition = self.ordering.condition(difference)
            if condition is not None:
                assumed.add(condition)

    @property
    def conditions(self) -> tuple[sp.Basic, ...]:
        """Inequalities and equations between parameters on which the order of the terms rests.

        Empty when everything was proved from the declared ranges.  A condition that another one
        implies by adding something positive is left out.
        """
        found = set(self.assumed)
        shown: list[SeriesTerm | Order] = [
            *self.terms,
            *([self.remainder] if self.remainder else []),
        ]
        for first, second in pairwise(shown):
            self._note(found, second.power - first.power)
        for condition in sorted(found, key=sp.default_sort_key):
            if any(self._implies(other, condition) for other in found - {condition}):
                found.remove(condition)
        return tuple(sorted(found, key=sp.default_sort_key))

    def _implies(self, known: sp.Basic, wanted: sp.Basic) -> bool:
        """Whether ``known`` gives ``wanted`` by adding something provably positive."""
        if not (isinstance(known, sp.StrictLessThan) and isinstance(wanted, sp.StrictLessThan)):
            return False
        slack = sp.expand((wanted.rhs - wanted.lhs) - (known.rhs - known.lhs))
        sign = self.ordering.proved_sign(slack)
        return sign is not None and sign >= 0

    @property
    def lead(self) -> SeriesTerm:
        """The largest term."""
        if not self.terms:
            raise InputError("series", str(self), "a series with at least one term")
        return self.terms[0]

    @property
    def expression(self) -> sp.Expr:
        """The kept terms as one sympy expression (the sympy face), largest first in ``terms``."""
        return sp.Add(*(t.expression(self.variable) for t in self.terms))

    def resolved(self) -> Self:
        """The same series with every named constant written out."""
        terms = tuple(
            replace(t, coefficient=self._write_out(t.coefficient), power=self._write_out(t.power))
            for t in self.terms
        )
        return replace(self, terms=terms, definitions={})

    def _write_out(self, expression: sp.Expr) -> sp.Expr:
        for _ in range(len(self.definitions) + 1):
            if not (expression.free_symbols & self.definitions.keys()):
                break
            expression = expression.subs(self.definitions)
        return expression

    @property
    def parameters(self) -> frozenset[sp.Symbol]:
        """The symbols of coefficients, exponents and range, the variable excepted."""
        series = self.resolved()
        expressions = [series.validity.low, series.validity.high]
        for t in series.terms:
            expressions += [t.coefficient, t.power]
        return frozenset().union(*(e.free_symbols for e in expressions)) - {self.variable}

    @property
    def parameter_names(self) -> frozenset[str]:
        """Their names, by which a call takes values for them."""
        return frozenset(map(str, self.parameters))

    # -- truncation ------------------------------------------------------------------------------

    def keep(self, count: int) -> Self:
        """The first ``count`` terms; the remainder is the first term left out.

        Raises InputError if the series does not hold that many terms.
        """
        if not 0 <= count <= len(self.terms):
            raise InputError("terms", count, f"a number of terms from 0 to {len(self.terms)}")
        if count == len(self.terms):
            return self
        omitted = self.terms[count]
        return self.truncate(omitted.power, omitted.log)

    def truncate(self, power: Any, log: int = 0) -> Self:
        """The same function with O(x^power log^log), unless its own remainder is larger."""
        wanted = Order(sp.sympify(power), log)
        if self.remainder is not None and self.compare(self.remainder, wanted) < 0:
            return self
        return replace(self, remainder=wanted)._with_terms(self.terms)

    # -- arithmetic ------------------------------------------------------------------------------

    def _shared(self, other: Self) -> dict[str, Any]:
        """What a combination inherits: ordering, definitions, conditions, validity."""
        if other.variable != self.variable or other.point != self.point:
            raise InputError(
                "series",
                f"in {other.variable} → {other.point}",
                f"a series in {self.variable} → {self.point}",
            )
        for symbol in self.definitions.keys() & other.definitions.keys():
            if self.definitions[symbol] != other.definitions[symbol]:
                raise InputError(
                    str(symbol),
                    other.definitions[symbol],
                    f"one meaning, {self.definitions[symbol]}",
                )
        mine, theirs = self.validity, other.validity
        validity = mine if theirs == Validity() or theirs == mine else theirs
        if Validity() not in (mine, theirs) and mine != theirs:
            validity = Validity(
                sp.Max(mine.low, theirs.low),
                sp.Min(mine.high, theirs.high),
                "; ".join(w for w in (mine.words, theirs.words) if w),
                mine.otherwise or theirs.otherwise,
            )
        return {
            "ordering": self.ordering.merge(other.ordering),
            "definitions": {**self.definitions, **other.definitions},
            "assumed": self.assumed | other.assumed,
            "validity": validity,
        }

    def _coerce(self, other: Any) -> Self:
        return other if isinstance(other, type(self)) else self.constant(other)

    def _larger(self, orders: Iterable[Order | None]) -> Order | None:
        """The largest of several remainders."""
        largest: Order | None = None
        for order in orders:
            if order is not None and (largest is None or self.compare(order, largest) < 0):
                largest = order
        return largest

    def __add__(self, other: Any) -> Self:
        other = self._coerce(other)
        result = replace(self, terms=(), **self._shared(other))
        result = replace(result, remainder=result._larger([self.remainder, other.remainder]))
        return result._with_terms((*self.terms, *other.terms))

    __radd__ = __add__

    def __neg__(self) -> Self:
        return replace(
            self, terms=tuple(replace(t, coefficient=-t.coefficient) for t in self.terms)
        )

    def __sub__(self, other: Any) -> Self:
        return self + (-self._coerce(other))

    def __rsub__(self, other: Any) -> Self:
        return self._coerce(other) + (-self)

    def __mul__(self, other: Any) -> Self:
        other = self._coerce(other)
        result = replace(self, terms=(), remainder=None, **self._shared(other))
        orders = [
            _order_product(f.remainder, g.terms[0] if g.terms else g.remainder)
            for f, g in ((self, other), (other, self))
        ]
        result = replace(result, remainder=result._larger(orders))
        return result._with_terms(
            SeriesTerm(s.coefficient * t.coefficient, s.power + t.power, s.log + t.log)
            for s in self.terms
            for t in other.terms
            if result.remainder is None
            or result.ordering.sign(result.grade(s.power + t.power - result.remainder.power)) <= 0
        )

    __rmul__ = __mul__

    def derivative(self) -> Self:
        """d/dx of the series, term by term (legitimate for the analytic functions met here)."""
        terms = []
        for t in self.terms:
            terms.append(SeriesTerm(t.coefficient * t.power, t.power - 1, t.log))
            if t.log:
                terms.append(SeriesTerm(t.coefficient * t.log, t.power - 1, t.log - 1))
        order = self.remainder and Order(self.remainder.power - 1, self.remainder.log)
        return replace(self, terms=(), remainder=order)._with_terms(terms)

    def map_coefficients(self, function: Any) -> Self:
        """Apply ``function`` to every coefficient (for instance a substitution of a parameter)."""
        mapped = (replace(t, coefficient=sp.sympify(function(t.coefficient))) for t in self.terms)
        return replace(self, terms=tuple(t for t in mapped if t.coefficient != 0))


def _order_product(order: Order | None, factor: SeriesTerm | Order | None) -> Order | None:
    """The order of remainder × (leading term or remainder of the other factor)."""
    if order is None or factor is None:
        return None
    return Order(order.power + factor.power, order.log + factor.log)
