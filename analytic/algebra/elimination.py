r"""Exact elimination in a polynomial ring, with a witness that chooses factors.

Equations are polynomials over ℤ in parameters and unknowns (one generator for each). The witness
is a numeric solution at a generic point. Three operations are needed:

* `Elimination.vanishing`: the irreducible factor of a polynomial that is zero at the witness. A
  product that vanishes identically on the solution, a power series, has a factor that does;
* `Elimination.substitute`: put u = n/d into a rational function, with a single gcd at the end;
* `Elimination.eliminate`: solve polynomials for unknowns that occur linearly, the simplest first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, Self, TypeVar

import mpmath
import sympy as sp

from .. import precision
from .rational import Field, Fraction, Monomial, Polynomial


class FieldElement(Protocol):
    """What can be eliminated: a fraction or a series."""

    def __bool__(self) -> bool: ...
    def __mul__(self, other: Self) -> Self: ...
    def __sub__(self, other: Self) -> Self: ...
    def __pow__(self, power: int) -> Self: ...


Entry = TypeVar("Entry", bound=FieldElement)

GUARD_DIGITS, LOST_DIGITS = 10, 25  # beyond the witness; that its cancellation may cost


class Elimination:
    """Polynomials of a field, and the values of its generators to ``digits`` digits."""

    def __init__(self, field: Field, digits: int) -> None:
        self.field, self.position, self.digits = field, field.position, digits
        self.numbers: list[Any] = [None] * len(field.symbols)
        self._pivots: dict[tuple[Polynomial, sp.Symbol], tuple[int, int] | None] = {}

    def set_value(self, symbol: sp.Symbol, value: Any) -> None:
        """The witness value of a generator."""
        self.numbers[self.position[symbol]] = value

    def size(self, polynomial: Polynomial) -> tuple[Any, Any]:
        """The value at the witness, and the sum of the moduli of its terms."""
        total, scale = mpmath.mpf(0), mpmath.mpf(0)
        for monomial, coefficient in polynomial.terms():
            term = mpmath.mpf(coefficient)
            for i, power in enumerate(monomial):
                if power:
                    term = term * self.numbers[i] ** power
            total, scale = total + term, scale + abs(term)
        return total, scale

    def is_zero(self, polynomial: Polynomial) -> bool:
        """Whether a polynomial vanishes at the witness."""
        if not polynomial:
            return True
        with precision.workdps(self.digits + GUARD_DIGITS):
            value, scale = self.size(polynomial)
            return abs(value) < scale * mpmath.mpf(10) ** (LOST_DIGITS - self.digits)

    def vanishing(self, polynomial: Polynomial) -> Polynomial:
        """The irreducible factor that is zero on the solution."""
        if not polynomial:
            return polynomial
        _, factors = polynomial.factor_list()
        zero = [g for g, _ in factors if self.is_zero(g)]
        if not zero:
            raise ArithmeticError(f"no factor of {polynomial} vanishes on the solution")
        return min(zero, key=lambda g: (len(g), str(g)))

    def coefficients(self, polynomial: Polynomial, symbol: sp.Symbol) -> list[Polynomial]:
        """The coefficients of 1, u, u², … as ring elements."""
        i = self.position[symbol]
        groups: list[dict[Monomial, int]] = []
        for monomial, coefficient in polynomial.terms():
            while len(groups) <= monomial[i]:
                groups.append({})
            rest = (*monomial[:i], 0, *monomial[i + 1 :])
            groups[monomial[i]][rest] = coefficient
        return [self.field.from_dict(group) for group in groups]

    def holds(self, polynomial: Polynomial, symbol: sp.Symbol) -> bool:
        """Whether the symbol occurs."""
        return polynomial.degree(self.position[symbol]) > 0

    def substitute(self, value: Fraction, symbol: sp.Symbol, by: Fraction) -> Fraction:
        """value at symbol = by."""
        parts = []
        for polynomial in (value.numer, value.denom):
            groups = self.coefficients(polynomial, symbol)
            parts.append((self._homogeneous(groups, by), len(groups) - 1))
        (top, p), (bottom, q) = parts
        if p >= q:
            return self.field.fraction(top, bottom * by.denom ** (p - q))
        return self.field.fraction(top * by.denom ** (q - p), bottom)

    def _homogeneous(self, groups: list[Polynomial], by: Fraction) -> Polynomial:
        """Σ c_k n^k d^{D−k}."""
        total = self.field.zero_polynomial
        degree = len(groups) - 1
        for k, coefficient in enumerate(groups):
            if coefficient:
                total = total + coefficient * by.numer**k * by.denom ** (degree - k)
        return total

    def resultant(self, first: Polynomial, second: Polynomial, symbol: sp.Symbol) -> Polynomial:
        """The resultant in one symbol."""
        raw = first.raw.resultant(second.raw, self.position[symbol])
        return Polynomial(self.field, raw)

    def eliminate(
        self,
        polynomials: list[Polynomial],
        unknowns: Iterable[sp.Symbol],
        most: float = math.inf,
        allow: Callable[[int], None] = lambda terms: None,
    ) -> tuple[list[tuple[sp.Symbol, Fraction]], list[Polynomial]]:
        """Solve for unknowns that occur linearly in some polynomial, until none is left.

        An unknown stays where putting it in could make more than ``most`` terms; ``allow`` is asked
        before a polynomial of some terms is factored, and may raise an error of its own.

        Returns the solutions in the order found (an earlier one may contain later unknowns) and
        the remaining polynomials, each reduced to its vanishing factor.
        """
        remaining = [self.vanishing(p) for p in polynomials]
        open_unknowns = list(unknowns)
        solved: list[tuple[sp.Symbol, Fraction]] = []
        while choice := self._choice(remaining, open_unknowns, most):
            index, symbol = choice
            zeroth, first = self.coefficients(remaining.pop(index), symbol)
            solution = self.field.fraction(-zeroth, first)
            solved.append((symbol, solution))
            open_unknowns.remove(symbol)
            for i, polynomial in enumerate(remaining):
                if self.holds(polynomial, symbol):
                    groups = self.coefficients(polynomial, symbol)
                    whole = self._homogeneous(groups, solution)
                    allow(len(whole))
                    remaining[i] = self.vanishing(whole)
            remaining = _distinct(remaining)
        return solved, remaining

    def _choice(
        self, polynomials: list[Polynomial], unknowns: list[sp.Symbol], most: float
    ) -> tuple[int, sp.Symbol] | None:
        """The polynomial and the linear unknown whose solution is simplest."""
        best: tuple[tuple[int, int, int, int], int, sp.Symbol] | None = None
        for index, polynomial in enumerate(polynomials):
            for order, symbol in enumerate(unknowns):
                lengths = self._linear(polynomial, symbol)
                if lengths is None or self._growth(polynomials, index, symbol, lengths) > most:
                    continue
                score = (lengths[1], len(polynomial), order, index)
                if best is None or score < best[0]:
                    best = (score, index, symbol)
        return (best[1], best[2]) if best else None

    def _linear(self, polynomial: Polynomial, symbol: sp.Symbol) -> tuple[int, int] | None:
        """The terms of a and b if the polynomial is a + b u, with b not zero on the solution."""
        if polynomial.degree(self.position[symbol]) != 1:
            return None
        key = (polynomial, symbol)
        if key not in self._pivots:
            zeroth, first = self.coefficients(polynomial, symbol)
            self._pivots[key] = None if self.is_zero(first) else (len(zeroth), len(first))
        return self._pivots[key]

    def _growth(
        self,
        polynomials: list[Polynomial],
        index: int,
        symbol: sp.Symbol,
        lengths: tuple[int, int],
    ) -> int:
        """A bound on the terms of a polynomial in which an unknown of some terms was put in."""
        sizes, position = [0], self.position[symbol]
        for other, polynomial in enumerate(polynomials):
            degree = polynomial.degree(position)
            if other != index and degree:
                sizes.append(len(polynomial) * sum(lengths) ** degree)
        return max(sizes)


def _distinct(polynomials: list[Polynomial]) -> list[Polynomial]:
    """Drop zeros and repetitions."""
    kept: list[Polynomial] = []
    for polynomial in polynomials:
        if polynomial and polynomial not in kept and -polynomial not in kept:
            kept.append(polynomial)
    return kept


def solve_linear(
    matrix: Sequence[Sequence[Entry]],
    sources: Sequence[Entry],
    weight: Callable[[Entry], int] = lambda entry: 0,
    allow: Callable[[Entry, Entry], None] = lambda left, right: None,
) -> list[Entry]:
    """The exact solution of a small linear system, by Gauss–Jordan elimination.

    Entries are fractions or series; of the pivots that are not zero the lightest is taken
    (ZeroDivisionError if there is none). ``allow`` is asked before two entries are multiplied, and
    may raise an error of its own.
    """
    rows = [[*row, source] for row, source in zip(matrix, sources, strict=True)]
    size = len(rows)
    for j in range(size):
        pivots = [i for i in range(j, size) if rows[i][j]]
        if not pivots:
            raise ZeroDivisionError("the linear system is singular")
        pivot = min(pivots, key=lambda i: weight(rows[i][j]))
        rows[j], rows[pivot] = rows[pivot], rows[j]
        inverse = rows[j][j] ** -1
        for e in rows[j]:
            allow(inverse, e)
        rows[j] = [inverse * e for e in rows[j]]
        for i in range(size):
            if i != j and rows[i][j]:
                factor = rows[i][j]
                for p in rows[j]:
                    allow(factor, p)
                rows[i] = [e - factor * p for e, p in zip(rows[i], rows[j], strict=True)]
    return [rows[i][-1] for i in range(size)]
