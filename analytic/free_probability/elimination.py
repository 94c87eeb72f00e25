r"""Exact elimination in a polynomial ring, with a witness that chooses factors.

All equations are kept as polynomials over ℚ in parameters, unknowns, shifts and traces (one
generator for each). Three operations are needed:

* `Workspace.vanishing`: the irreducible factor of a polynomial that is zero at the witness. A
  product that vanishes identically on the solution, a power series, has a factor that does;
* `Workspace.substitute`: put u = n/d into a rational function, with a single gcd at the end;
* `Workspace.eliminate`: solve polynomials for unknowns that occur linearly, the simplest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import mpmath
import sympy as sp

from .rational import Field, Fraction, Polynomial
from .scalar_system import DIGITS, ScalarSystem, Witness


@dataclass
class Workspace:
    """The field of rational functions in everything, and the witness values of its generators."""

    system: ScalarSystem
    witness: Witness
    extra: list[sp.Symbol] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.atoms = self.system.atoms()
        self.names = {atom: sp.Symbol(f"t_{i}") for i, atom in enumerate(self.atoms)}
        self.traces = {name: atom for atom, name in self.names.items()}
        symbols = [
            *self.extra,
            *self.system.equations,
            *self.system.shifts,
            *self.names.values(),
            *self.system.scalars(),
        ]
        self.field = Field(symbols)
        self.position = self.field.position
        with mpmath.workdps(DIGITS + 10):
            self.numbers = [self._number(s) for s in self.field.symbols]

    def _number(self, symbol: sp.Symbol) -> Any:
        if symbol in self.traces:
            return self.witness.trace(self.traces[symbol])
        return self.witness.values.get(symbol)

    def set_value(self, symbol: sp.Symbol, value: Any) -> None:
        """The witness value of an extra generator."""
        self.numbers[self.position[symbol]] = value

    def element(self, expression: sp.Expr) -> Fraction:
        """An expression in the field; traces become generators."""
        return self.field.from_expr(sp.sympify(expression).xreplace(self.names))

    def restore(self, expression: sp.Expr) -> sp.Expr:
        """Put the traces back."""
        return expression.xreplace(self.traces)

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
        with mpmath.workdps(DIGITS + 10):
            value, scale = self.size(polynomial)
            return abs(value) < scale * mpmath.mpf(10) ** -(DIGITS - 25)

    def vanishing(self, polynomial: Polynomial) -> Any:
        """The irreducible factor that is zero on the solution."""
        if not polynomial:
            return polynomial
        _, factors = polynomial.factor_list()
        zero = [g for g, _ in factors if self.is_zero(g)]
        if not zero:
            raise ArithmeticError(f"no factor of {polynomial} vanishes on the solution")
        return min(zero, key=lambda g: (len(g), str(g)))

    def coefficients(self, polynomial: Polynomial, symbol: sp.Symbol) -> list[Any]:
        """The coefficients of 1, u, u², … as ring elements."""
        i = self.position[symbol]
        groups: list[dict[Any, Any]] = []
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

    def _homogeneous(self, groups: list[Any], by: Fraction) -> Any:
        """Σ c_k n^k d^{D−k}."""
        total = self.field.zero_polynomial
        degree = len(groups) - 1
        for k, coefficient in enumerate(groups):
            if coefficient:
                total += coefficient * by.numer**k * by.denom ** (degree - k)
        return total

    def resultant(self, first: Polynomial, second: Polynomial, symbol: sp.Symbol) -> Polynomial:
        """The resultant in one symbol."""
        raw = first.raw.resultant(second.raw, self.position[symbol])
        return Polynomial(self.field, raw)

    def eliminate(
        self, polynomials: list[Any], unknowns: Iterable[sp.Symbol]
    ) -> tuple[list[tuple[sp.Symbol, Fraction]], list[Any]]:
        """Solve for unknowns that occur linearly in some polynomial, until none is left.

        Returns the solutions in the order found (an earlier one may contain later unknowns) and
        the remaining polynomials, each reduced to its vanishing factor.
        """
        remaining = [self.vanishing(p) for p in polynomials]
        open_unknowns = list(unknowns)
        solved: list[tuple[sp.Symbol, Fraction]] = []
        while choice := self._choice(remaining, open_unknowns):
            index, symbol = choice
            zeroth, first = self.coefficients(remaining.pop(index), symbol)
            solution = self.field.fraction(-zeroth, first)
            solved.append((symbol, solution))
            open_unknowns.remove(symbol)
            for i, polynomial in enumerate(remaining):
                if self.holds(polynomial, symbol):
                    groups = self.coefficients(polynomial, symbol)
                    remaining[i] = self.vanishing(self._homogeneous(groups, solution))
            remaining = _distinct(remaining)
        return solved, remaining

    def _choice(
        self, polynomials: list[Any], unknowns: list[sp.Symbol]
    ) -> tuple[int, sp.Symbol] | None:
        """The polynomial and the linear unknown whose solution is simplest."""
        best: tuple[Any, int, sp.Symbol] | None = None
        for index, polynomial in enumerate(polynomials):
            for order, symbol in enumerate(unknowns):
                groups = self.coefficients(polynomial, symbol)
                if len(groups) != 2 or self.is_zero(groups[1]):
                    continue
                score = (len(groups[1]), len(polynomial), order, index)
                if best is None or score < best[0]:
                    best = (score, index, symbol)
        return (best[1], best[2]) if best else None


def _distinct(polynomials: list[Any]) -> list[Any]:
    """Drop zeros and repetitions."""
    kept: list[Any] = []
    for polynomial in polynomials:
        if polynomial and polynomial not in kept and -polynomial not in kept:
            kept.append(polynomial)
    return kept


def presented(workspace: Workspace, value: Fraction) -> sp.Expr:
    """A field element as a factored expression, with traces put back.

    A factor N − D₁ over N is written as the bracket 1 − D₁/N.
    """
    content, tops = value.numer.factor_list()
    below_content, bottoms = value.denom.factor_list()
    constant = sp.Rational(content, below_content)
    above, below = dict(tops), dict(bottoms)
    factors: list[sp.Expr] = []
    dimensions = {workspace.position[s] for s in workspace.system.scalars()}
    for own, other, side in ((above, below, 1), (below, above, -1)):
        for g in sorted(own, key=lambda g: (len(g), str(g))):
            while own.get(g, 0) > 0 and len(g) > 1:
                bracket, sign = _bracket(g, other, dimensions)
                if bracket is None:
                    break
                factors.append(bracket**side)
                constant *= sign
                own[g] -= 1
    for own, side in ((above, 1), (below, -1)):
        for g, power in sorted(own.items(), key=lambda item: str(item[0])):
            sign = _orientation(workspace, g)
            constant *= sign**power
            factors.append(
                sp.Add(*(sign * t for t in sp.Add.make_args(g.as_expr()))) ** (side * power)
            )
    return workspace.restore(constant * sp.Mul(*factors))


def _orientation(workspace: Workspace, g: Polynomial) -> int:
    """The sign that makes the first term of parameters alone positive."""
    inner = [workspace.position[s] for s in (*workspace.system.shifts, *workspace.traces)]
    inner += [workspace.position[s] for s in workspace.extra]
    terms = sorted(g.terms(), key=lambda t: (sum(t[0][i] for i in inner), [-e for e in t[0]]))
    return 1 if terms[0][1] > 0 else -1


def _bracket(
    g: Polynomial, others: dict[Polynomial, int], parameters: set[int]
) -> tuple[sp.Expr | None, int]:
    """g/n as 1 − … for a parameter n among the others, which is then used up."""
    for monomial, coefficient in sorted(g.terms()):
        single = [i for i, power in enumerate(monomial) if power]
        if abs(coefficient) != 1 or sum(monomial) != 1 or single[0] not in parameters:
            continue
        generator = g.field.from_dict({monomial: 1})
        if others.get(generator, 0) > 0:
            others[generator] -= 1
            name = generator.as_expr()
            terms = sp.Add.make_args(g.as_expr())
            return sp.Add(*(sp.expand(coefficient * t / name) for t in terms)), coefficient
    return None, 1
