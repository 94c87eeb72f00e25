r"""From block resolvents to a few standard traces: where κ comes from.

Inside a trace, a block resolvent is a rational function of the eigenvalue λ whose denominator is a
product of factors a λ + b with coefficients that depend on the unknowns. The *shift*

    κ = b/a,      1/(aλ + b) = (1/a) · 1/(λ + κ),

is the only way in which the unknowns enter the spectrum of Λ, so it is introduced as the new
unknown, named κ; equal shifts share a name. What remains is brought to a basis:

* λ^p/(λ+κ)^e          →  D_q(κ) = Tr (Λ/(Λ+κ))^q, by 1/(λ+κ) = (1 − λ/(λ+κ))/κ;
* w λ^p/(λ+κ)^e        →  h_q(κ) = Tr WΛ(Λ+κ)^{-q} and Tr WΛ^k, w any other letter or matrix;
* in longer words         →  (Λ+κ)^{-q} and Λ^k, each in its place;
* λ^p/((λ+κ)(λ+κ')…)   →  1 ≤ p ≤ n, n the number of factors, and Tr Λ^k;
* (F_0 + κ₁F_1 + …)^{-1} for F that do not commute  →  a factor `SumInverse`, the ratios of its
  coefficients being the new unknowns, and Tr F_0 R = M − κ₁ Tr F_1 R − …;
* anything else (several letters, or non-linear factors) stays as it is, the coefficients
  of its monic denominator being the new unknowns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product as cartesian
from typing import Any

import sympy as sp

from ..algebra import Fraction
from ..errors import OutsideTheoryError
from .declarations import Internal, MatrixModel
from .deterministic import Algebra, Factor, merge
from .dyson import DysonSystem, Traced
from .effort import go_on, readable
from .spectral_trace import spectral_trace
from .sum_inverse import SumInverse, flattened, has_sum_inverse, sorted_terms

Powers = tuple[int, ...]
Term = tuple[sp.Expr, sp.Expr]  # coefficient, function of letters


@dataclass
class ShiftTable:
    """The shifts met so far: the field element b/a and the symbol that names it."""

    algebra: Algebra
    unknowns: list[sp.Symbol]
    symbols: dict[Any, sp.Symbol] = field(default_factory=dict)

    def name(self, value: Fraction) -> sp.Expr:
        """The symbol of a shift, or its value if it holds no unknown."""
        expression = value.as_expr()
        if not expression.has(*self.unknowns):
            return sp.factor(expression)
        if value not in self.symbols:
            self.symbols[value] = Internal(f"kappa_{len(self.symbols) + 1}", positive=True)
        return self.symbols[value]

    def ratio(self, above: sp.Expr, below: sp.Expr) -> sp.Expr:
        """The name of a ratio of coefficients."""
        value = sp.cancel(above / below)
        if not value.free_symbols & set(self.symbols.values()):
            return self.name(self.algebra.field(value))
        if value not in self.symbols:  # a coefficient that holds an earlier shift
            self.symbols[value] = Internal(f"kappa_{len(self.symbols) + 1}", positive=True)
        return self.symbols[value]

    def definitions(self) -> dict[sp.Symbol, sp.Expr]:
        """Every shift in terms of unknowns and of earlier shifts."""
        return {
            symbol: value if isinstance(value, sp.Expr) else value.as_expr()
            for value, symbol in self.symbols.items()
        }


class TraceExpansion:
    """Expands the traces of one Dyson system."""

    def __init__(self, system: DysonSystem) -> None:
        self.system, self.algebra = system, system.algebra
        self.table = ShiftTable(system.algebra, system.kept or [sp.Dummy()])
        self.inverses: dict[int, tuple[sp.Expr, SumInverse]] = {}

    def expand(self, traced: Traced) -> sp.Expr:
        """prefactor·Tr(element) in standard traces."""
        total = []
        for word, coefficient in traced.element.terms.items():
            readable(len(coefficient.numer) + len(coefficient.denom))
            scalar = coefficient.as_expr()
            total.append(scalar * self.word_trace(word, traced.dimension))
        return traced.prefactor * sp.Add(*total)

    def unexpanded(self, traced: Traced) -> sp.Expr:
        """prefactor·Tr(element) as it stands: a function of unknowns and eigenvalues."""
        total = []
        for word, coefficient in traced.element.terms.items():
            readable(len(coefficient.numer) + len(coefficient.denom))
            word, dimension = self.closed(word, traced.dimension)
            for combination in cartesian(*map(self.as_it_stands, word)):
                scalar = sp.Mul(coefficient.as_expr(), *(c for c, _ in combination))
                total.append(scalar * spectral_trace(dimension, [f for _, f in combination]))
        return traced.prefactor * sp.Add(*total)

    def as_it_stands(self, factor: Factor) -> list[Term]:
        """A factor as a function of unknowns and eigenvalues, without new names."""
        number = self.algebra.sum_of(factor.family)
        if number is None:
            roots = {root: sp.sqrt(letter) for root, letter in self.algebra.rooted.items()}
            return [(sp.S.One, factor.value.as_expr().xreplace(roots))]
        terms = []
        for word, coefficient in self.algebra.sums[number].terms.items():
            for combination in cartesian(*map(self.as_it_stands, word)):
                scalar = sp.Mul(coefficient.as_expr(), *(c for c, _ in combination))
                terms.append((scalar, tuple(flattened(f for _, f in combination if f != 1))))
        return self.powers(factor.value, number, sp.S.One, SumInverse(*sorted_terms(terms)))

    def powers(self, value: Fraction, number: int, scale: sp.Expr, inverse: sp.Expr) -> list[Term]:
        """A polynomial in the letter of an inverse of a sum, which is scale·inverse."""
        position = self.algebra.field.position[self.algebra.slots[number]]
        below = value.denom.as_expr()
        groups = self.split(value.numer, [position])
        return [(c / below * scale ** p[0], inverse ** p[0]) for p, c in groups.items()]

    def inverse_of_sum(self, number: int) -> tuple[sp.Expr, SumInverse]:
        """The inverse of a sum as scale·SumInverse with coefficients 1, κ₁, κ₂ …"""
        if number not in self.inverses:
            collected: dict[tuple[sp.Expr, ...], sp.Expr] = {}
            for word, coefficient in self.algebra.sums[number].terms.items():
                for combination in cartesian(*(self.expanded(f, 3) for f in word)):
                    scalar = sp.Mul(coefficient.as_expr(), *(c for c, _ in combination))
                    functions = tuple(flattened(f for _, f in combination if f != 1))
                    collected[functions] = collected.get(functions, sp.S.Zero) + scalar
            cancelled = {functions: sp.cancel(c) for functions, c in collected.items()}
            rows = sorted_terms((c, functions) for functions, c in cancelled.items() if c != 0)
            first = rows[0][0]
            terms = [sp.Tuple(self.table.ratio(row[0], first), *row[1:]) for row in rows]
            self.inverses[number] = (1 / first, SumInverse(*terms))
        return self.inverses[number]

    def expanded(self, factor: Factor, length: int) -> list[Term]:
        """A factor of a word of this length as Σ coefficient·basis function."""
        number = self.algebra.sum_of(factor.family)
        if number is None:
            return self.factor(factor.value, length)
        return self.powers(factor.value, number, *self.inverse_of_sum(number))

    def closed(
        self, word: tuple[Factor, ...], dimension: sp.Expr
    ) -> tuple[tuple[Factor, ...], sp.Expr]:
        """The word as a cycle: first and last factor meet if they are of one family."""
        while len(word) > 1 and word[0].family == word[-1].family:
            word = merge((word[-1],), word[:-1])
            dimension = word[0].rows
        if len(word) > 1 and any(self.open_rectangle(f) for f in word):
            raise OutsideTheoryError(
                "a rectangular deterministic matrix A stands between other deterministic matrices "
                "inside a trace, so that not A Aᵀ but A itself occurs: declare it together with "
                "one of them as a single matrix"
            )
        return word, dimension

    def open_rectangle(self, factor: Factor) -> bool:
        """Whether a factor is a rectangular matrix and not a function of A Aᵀ."""
        record = self.system.pencil.model.fixed.get(factor.family)
        return record is not None and not record.symmetric and factor.rows != factor.columns

    def word_trace(self, word: tuple[Factor, ...], dimension: sp.Expr) -> sp.Expr:
        """The trace of one word in standard traces."""
        word, dimension = self.closed(word, dimension)
        if not word:
            return dimension
        length = (
            len(word) if not any(self.algebra.sum_of(f.family) is not None for f in word) else 3
        )
        expansions = [self.expanded(f, length) for f in word]
        total = []
        for combination in cartesian(*expansions):
            go_on("traces of the block resolvent")
            coefficient = sp.Mul(*(c for c, _ in combination))
            functions = self.joined([f for _, f in combination], word)
            total.append(coefficient * self.standard(self.home(dimension, functions), functions))
        return sp.Add(*total)

    def standard(self, dimension: sp.Expr, functions: list[sp.Expr]) -> sp.Expr:
        """The trace, with Tr F_0 R = M − Σ κ_j Tr F_j R for R = (F_0 + Σ κ_j F_j)^{-1}."""
        if len(functions) == 2 and has_sum_inverse(functions):
            for inverse, other in (functions, functions[::-1]):
                first = inverse.terms[0] if isinstance(inverse, SumInverse) else (0, ())
                if first == (1, (other,)):
                    rest = (
                        c * spectral_trace(dimension, [inverse, *f]) for c, f in inverse.terms[1:]
                    )
                    return dimension - sp.Add(*rest)
        return spectral_trace(dimension, functions)

    def home(self, dimension: sp.Expr, functions: list[sp.Expr]) -> sp.Expr:
        """Tr_m f(AAᵀ) = Tr_n f(AᵀA) if f(0) = 0: both are written with the rows of A."""
        return home_dimension(self.system.pencil.model, dimension, functions)

    def joined(self, functions: list[sp.Expr], word: tuple[Factor, ...]) -> list[sp.Expr]:
        """Multiply neighbours of one family, which meet where a function is 1."""
        parts = [(w.family, f) for w, f in zip(word, functions, strict=True) if f != 1]
        merged: list[tuple[str, sp.Expr]] = []
        for family, function in parts:
            if merged and merged[-1][0] == family:
                merged[-1] = (family, merged[-1][1] * function)
            else:
                merged.append((family, function))
        if len(merged) > 1 and merged[0][0] == merged[-1][0]:
            last = merged.pop()
            merged[0] = (last[0], last[1] * merged[0][1])
        return [f if f.has(SumInverse) else sp.factor(f) for _, f in merged]

    def factor(self, value: Fraction, length: int) -> list[Term]:
        """A function of one family as Σ coefficient·basis function."""
        numerator, denominator, variables = self.halved(value)
        active = [i for i in variables if any(m[i] for m in (*numerator, *denominator))]
        scalars, factors = self.denominators(denominator, active)
        tops = self.split(numerator, active)
        inside = sorted({i for g, _ in factors for m in g for i in active if m[i]})
        if not factors:
            return [(c / scalars, self.monomial(p, active, variables)) for p, c in tops.items()]
        linear = len(inside) == 1 and all(
            max(m[inside[0]] for m in g) == 1 and self.tail(g, inside[0]) for g, _ in factors
        )
        if linear:
            return self.shifted(tops, scalars, factors, inside[0], active, variables, length)
        return self.general(tops, scalars, factors, active, variables)

    def halved(self, value: Fraction) -> tuple[Any, Any, dict[int, sp.Expr]]:
        """Numerator and denominator in λ = root² where only even powers occur."""
        algebra = self.algebra
        numerator, denominator = value.numer, value.denom
        variables: dict[int, sp.Expr] = {}
        for letter, position in algebra.positions.items():
            if letter not in algebra.rooted:
                variables[position] = letter
                continue
            square = algebra.rooted[letter]
            parities = [{m[position] % 2 for m in p} for p in (numerator, denominator)]
            if parities[0] == {1} and parities[1] == {1}:
                root = algebra.field.polynomial(letter)
                numerator, denominator = numerator * root, denominator * root
                parities = [{0}, {0}]
            if all(parity <= {0} for parity in parities):
                numerator, denominator = _halve(numerator, position), _halve(denominator, position)
                variables[position] = square
            else:
                variables[position] = sp.sqrt(square)
        return numerator, denominator, variables

    def denominators(self, denominator: Any, active: list[int]) -> tuple[sp.Expr, list[Any]]:
        """The scalar part and the irreducible factors that hold letters, with powers."""
        content, factors = denominator.factor_list()
        scalars = sp.sympify(content)
        lettered = []
        for g, power in factors:
            if any(m[i] for m in g for i in active):
                lettered.append((g, power))
            else:
                scalars *= g.as_expr() ** power
        lettered.sort(key=lambda item: str(item[0]))
        return scalars, lettered

    def split(self, polynomial: Any, active: list[int]) -> dict[Powers, sp.Expr]:
        """Coefficients by powers of the active letters."""
        groups: dict[Powers, Any] = {}
        for monomial, coefficient in polynomial.terms():
            powers = tuple(monomial[i] for i in active)
            rest = tuple(0 if i in active else e for i, e in enumerate(monomial))
            groups.setdefault(powers, {})[rest] = coefficient
        return {
            p: polynomial.field.from_dict(terms).as_expr() for p, terms in sorted(groups.items())
        }

    def monomial(self, powers: Powers, active: list[int], variables: dict[int, Any]) -> sp.Expr:
        """The product of letters."""
        return sp.Mul(*(variables[i] ** p for i, p in zip(active, powers, strict=True)))

    def tail(self, g: Any, position: int) -> Any:
        """The constant term b of a x + b as a ring element (zero if absent)."""
        return g.field.from_dict({m: c for m, c in g.terms() if m[position] == 0})

    def shifted(
        self,
        tops: dict[Powers, sp.Expr],
        scalars: sp.Expr,
        factors: list[Any],
        position: int,
        active: list[int],
        variables: dict[int, Any],
        length: int,
    ) -> list[Term]:
        """Denominators Π (a x + b)^e in one letter x."""
        x = variables[position]
        poles = []
        for g, power in factors:
            b = self.tail(g, position)
            a = g.field.from_dict(
                {
                    tuple(0 if i == position else e for i, e in enumerate(m)): c
                    for m, c in (g - b).terms()
                }
            )
            ratio = self.algebra.field.fraction(b, a)
            poles.append((self.table.name(ratio), power))
            scalars *= a.as_expr() ** power
        slot = active.index(position)
        result = []
        for powers, coefficient in tops.items():
            rest = tuple(0 if i == slot else p for i, p in enumerate(powers))
            weight = self.monomial(rest, active, variables)
            if len(poles) == 1:
                expand = _basis(length, weight)
                terms = expand(x, powers[slot], *poles[0])
            else:
                terms = _several(x, powers[slot], poles)
            result += [(coefficient / scalars * c, weight * f) for c, f in terms]
        return result

    def general(
        self,
        tops: dict[Powers, sp.Expr],
        scalars: sp.Expr,
        factors: list[Any],
        active: list[int],
        variables: dict[int, Any],
    ) -> list[Term]:
        """Several letters, or non-linear factors: monic denominators with named coefficients."""
        below = sp.S.One
        for g, power in factors:
            parts = self.split_ring(g, active)
            leading = parts[max(parts)]
            monic = []
            for powers, coefficient in sorted(parts.items(), reverse=True):
                ratio = self.algebra.field.fraction(coefficient, leading)
                monic.append(self.table.name(ratio) * self.monomial(powers, active, variables))
            below *= sp.Add(*monic) ** power
            scalars *= leading.as_expr() ** power
        return [(c / scalars, self.monomial(p, active, variables) / below) for p, c in tops.items()]

    def split_ring(self, g: Any, active: list[int]) -> dict[Powers, Any]:
        """As `split`, with ring elements."""
        groups: dict[Powers, Any] = {}
        for monomial, coefficient in g.terms():
            powers = tuple(monomial[i] for i in active)
            rest = tuple(0 if i in active else e for i, e in enumerate(monomial))
            groups.setdefault(powers, {})[rest] = coefficient
        return {p: g.field.from_dict(terms) for p, terms in groups.items()}


def home_dimension(model: MatrixModel, dimension: sp.Expr, functions: list[sp.Expr]) -> sp.Expr:
    """The number of rows of a rectangular A for a function of it that vanishes at zero."""
    if len(functions) != 1:
        return dimension
    for record in model.fixed.values():
        rows, columns = record.symbol.shape
        letter = record.eigenvalue
        if rows != columns and functions[0].has(letter) and functions[0].subs(letter, 0) == 0:
            return rows
    return dimension


def _halve(polynomial: Any, position: int) -> Any:
    terms = {
        tuple(e // 2 if i == position else e for i, e in enumerate(m)): c
        for m, c in polynomial.terms()
    }
    return polynomial.field.from_dict(terms)


def _basis(length: int, weight: sp.Expr) -> Any:
    """How functions of one shift are written, by the number of factors of the word."""
    if length > 2:
        return _resolvents
    return _degrees if length == 1 and weight == 1 else _weighted


def _resolvents(x: sp.Expr, p: int, kappa: sp.Expr, e: int) -> list[Term]:
    """x^p/(x+κ)^e in 1/(x+κ)^j, j ≥ 0, and powers of x."""
    if p == 0 or e == 0:
        return [(sp.S.One, x**p / (x + kappa) ** e)]
    rest = [(-kappa * c, f) for c, f in _resolvents(x, p - 1, kappa, e)]
    return _resolvents(x, p - 1, kappa, e - 1) + rest


def _degrees(x: sp.Expr, p: int, kappa: sp.Expr, e: int) -> list[Term]:
    """x^p/(x+κ)^e in powers of x/(x+κ) and of x."""
    if p > e:  # x^p/(x+κ)^e = x^{p−1}/(x+κ)^{e−1} − κ x^{p−1}/(x+κ)^e
        if e == 0:
            return [(sp.S.One, x**p)]
        rest = [(-kappa * c, f) for c, f in _degrees(x, p - 1, kappa, e)]
        return _degrees(x, p - 1, kappa, e - 1) + rest
    d = x / (x + kappa)
    return [
        (kappa ** (p - e) * sp.binomial(e - p, k) * (-1) ** k, d ** (p + k))
        for k in range(e - p + 1)
    ]


def _weighted(x: sp.Expr, p: int, kappa: sp.Expr, e: int) -> list[Term]:
    """x^p/(x+κ)^e in x/(x+κ)^j, j ≥ 1, and powers of x."""
    if e == 0:
        return [(sp.S.One, x**p)]
    if p == 1:
        return [(sp.S.One, x / (x + kappa) ** e)]
    if p == 0:  # 1/(x+κ)^e = (1/(x+κ)^{e−1} − x/(x+κ)^e)/κ
        rest = [(c / kappa, f) for c, f in _weighted(x, 0, kappa, e - 1)]
        return [*rest, (-1 / kappa, x / (x + kappa) ** e)]
    rest = [(-kappa * c, f) for c, f in _weighted(x, p - 1, kappa, e)]
    return _weighted(x, p - 1, kappa, e - 1) + rest


def _several(x: sp.Expr, p: int, poles: list[tuple[sp.Expr, int]]) -> list[Term]:
    """x^p/Π(x+κ_i)^{e_i} with 1 ≤ p ≤ n = Σ e_i, and powers of x."""
    below = sp.Mul(*((x + kappa) ** e for kappa, e in poles))
    coefficients = sp.Poly(sp.expand(below), x).all_coeffs()[::-1]
    n = len(coefficients) - 1
    if p > n:
        terms = [(sp.S.One, x ** (p - n))]
        for k in range(n):
            terms += [(-coefficients[k] * c, f) for c, f in _several(x, p - n + k, poles)]
        return terms
    if p >= 1:
        return [(sp.S.One, x**p / below)]
    first = coefficients[0]
    return [(1 / first, sp.S.One)] + [
        (-coefficients[k] / first, x**k / below) for k in range(1, n + 1)
    ]
