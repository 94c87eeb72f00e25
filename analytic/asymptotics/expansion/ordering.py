r"""Which of two powers is the smaller one, when the exponents are symbols.

A generalised asymptotic series orders its terms by their exponents.  When the exponents are
expressions such as ``a - 1`` and ``2*b`` the order is a statement about the parameters, and this
module keeps that statement visible.  The sign of a difference ``d`` of exponents is decided

1. by *proof*: ``d`` is a number, or sympy knows its sign from the assumptions of its symbols, or
   ``d`` is linear and keeps one sign over the declared ranges (a linear function on a box has its
   extremes at corners);
2. else at a *representative point*: the declared values of the symbols are put in.  The decision is
   then only valid where ``d`` keeps that sign, and whoever used it reports the inequality
   (:meth:`Ordering.condition`), so that the printed series says where its order of terms holds;
3. else not at all: :class:`~analytic.errors.InputError` asks for a value.

Values are made exact rationals from their decimal form (``0.1`` is 1/10), so that two exponents
that coincide at the point are *found* to coincide: that is where logarithms come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from ...arguments import fraction
from ...errors import InputError

__all__ = ["Ordering", "exact_number"]


def exact_number(value: Any, name: str = "") -> sp.Expr:
    """A number of any type as an exact sympy number, floats by their shortest decimal form.

    With the ``name`` of an argument it has to be one real number without symbols.

    >>> exact_number(1.25)
    5/4
    """
    if isinstance(value, sp.Expr):
        if name and not (value.is_number and value.is_real):
            raise InputError(name, value, "a real number without symbols")
        return value.xreplace({x: fraction(name or "value", x) for x in value.atoms(sp.Float)})
    return fraction(name or "value", value)


class Ordering:
    """The order of exponents: declared ranges (proof) and a representative point (decision).

    ``point`` maps symbols to values, ``ranges`` maps symbols to open intervals ``(low, high)``.
    Instances are immutable; ``merge`` unites two of them and refuses contradictions.

    >>> a, b = sp.symbols("a b", positive=True)
    >>> order = Ordering({a: 1.5, b: 1.25}, ranges={b: (1, sp.oo)})
    >>> order.sign(b - 1), order.condition(b - 1) is None      # proved from the range
    (1, True)
    >>> order.sign(2*b - a + 1), order.condition(2*b - a + 1)  # decided at the point
    (1, a < 2*b + 1)
    """

    def __init__(
        self,
        point: Mapping[sp.Symbol, Any] | None = None,
        ranges: Mapping[sp.Symbol, tuple[Any, Any]] | None = None,
    ) -> None:
        self.point = {s: exact_number(v) for s, v in (point or {}).items()}
        self.ranges = {
            s: (exact_number(lo), exact_number(hi)) for s, (lo, hi) in (ranges or {}).items()
        }
        for symbol, (low, high) in self.ranges.items():
            if not (low < high):
                raise InputError(f"ranges[{symbol}]", (low, high), "an open interval low < high")
            value = self.point.get(symbol)
            if value is not None and not (low < value < high):
                raise InputError(str(symbol), value, f"a value in ({low}, {high})")
        self._signs: dict[sp.Expr, int] = {}

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ordering)
            and self.point == other.point
            and self.ranges == other.ranges
        )

    def __hash__(self) -> int:
        return hash((frozenset(self.point.items()), frozenset(self.ranges.items())))

    def __repr__(self) -> str:
        return f"Ordering(point={self.point}, ranges={self.ranges})"

    def merge(self, other: Ordering) -> Ordering:
        """The ordering that knows what both know; contradictory values raise InputError."""
        if self is other or self == other:
            return self
        for mine, theirs, what in (
            (self.point, other.point, "value"),
            (self.ranges, other.ranges, "range"),
        ):
            for symbol in mine.keys() & theirs.keys():
                if mine[symbol] != theirs[symbol]:  # type: ignore[index]
                    raise InputError(
                        str(symbol),
                        theirs[symbol],  # type: ignore[index]
                        f"the same {what} in both series, {mine[symbol]}",
                    )  # type: ignore[index]
        return Ordering({**self.point, **other.point}, {**self.ranges, **other.ranges})

    # -- signs -----------------------------------------------------------------------------------

    def proved_sign(self, difference: sp.Expr) -> int | None:
        """Sign of ``difference`` where it needs no representative point, else None."""
        if difference.is_zero:
            return 0
        if difference.is_positive:
            return 1
        if difference.is_negative:
            return -1
        difference = _cleared(difference)
        if difference.is_zero:
            return 0
        if difference.is_number:
            return _number_sign(difference)
        return self._sign_on_box(difference)

    def _sign_on_box(self, difference: sp.Expr) -> int | None:
        """Sign of a linear function on the declared box, or None if it changes there."""
        low = high = sp.Integer(0)
        for term in sp.Add.make_args(difference):
            coefficient, rest = term.as_coeff_Mul()
            if rest == 1:
                low, high = low + coefficient, high + coefficient
                continue
            if not rest.is_Symbol:
                return None
            ends = self.ranges.get(rest, (sp.S.Zero if rest.is_positive else -sp.oo, sp.oo))
            ends = (coefficient * ends[0], coefficient * ends[1])
            low, high = low + min(ends), high + max(ends)
        if low >= 0:
            return 1
        if high <= 0:
            return -1
        return None

    def sign(self, difference: sp.Expr) -> int:
        """Sign of ``difference``: by proof, else at the representative point."""
        difference = sp.sympify(difference)
        if difference not in self._signs:
            proved = self.proved_sign(difference)
            self._signs[difference] = self._sign_at_point(difference) if proved is None else proved
        return self._signs[difference]

    def _sign_at_point(self, difference: sp.Expr) -> int:
        value = difference.subs(self.point)
        if not value.is_number:
            missing = sorted(map(str, value.free_symbols))
            raise InputError(
                "ordering",
                f"no value for {', '.join(missing)}",
                f"a value for each, because the sign of {difference} orders the terms",
            )
        return _number_sign(value)

    def condition(self, difference: sp.Expr) -> sp.Basic | None:
        """The inequality (or equation) on which ``sign(difference)`` rests; None when proved."""
        difference = _cleared(sp.sympify(difference))
        if self.proved_sign(difference) is not None:
            return None
        return _readable(difference, self.sign(difference))

    def value(self, expression: sp.Expr) -> sp.Expr:
        """``expression`` at the representative point."""
        return sp.sympify(expression).subs(self.point)


def _cleared(difference: sp.Expr) -> sp.Expr:
    """The difference times its denominator, where that is known to be positive."""
    numerator, denominator = sp.fraction(sp.together(difference))
    return sp.expand(numerator) if denominator.is_positive else sp.expand(difference)


def _number_sign(value: sp.Expr) -> int:
    """Exact sign of a sympy number (evaluated to 60 digits when it is not rational)."""
    if value.is_zero:
        return 0
    if value.is_Rational:
        return 1 if value > 0 else -1
    simplified = sp.nsimplify(value) if value.has(sp.Float) else value
    approximate = sp.N(simplified, 60, chop=True)
    if abs(approximate) < sp.Float("1e-50") and sp.simplify(simplified) == 0:
        return 0
    return 1 if approximate > 0 else -1


def _readable(difference: sp.Expr, sign: int) -> sp.Basic:
    """Write ``difference > 0`` (``< 0``, ``= 0``) with positive terms on each side."""
    positive: list[sp.Expr] = []
    negative: list[sp.Expr] = []
    for term in sp.Add.make_args(difference):
        (negative if term.could_extract_minus_sign() else positive).append(term)
    left, right = sp.Add(*positive), -sp.Add(*negative)
    if sign == 0:
        return sp.Eq(left, right, evaluate=False)
    if sign < 0:
        left, right = right, left
    return sp.Lt(right, left, evaluate=False)
