r"""(Σ c_j F_j)^{-1} for deterministic matrices F_j that do not commute, as one factor of a trace.

Two populations, a ridge with a general penalty matrix, noise with another covariance than the
signal: there the block resolvent is the inverse of a sum of matrices with different eigenvectors,

    R = (F_0 + κ₁ F_1 + κ₂ F_2 + …)^{-1},

which is not a function of any of them. `SumInverse` holds the c_j and the F_j, each a product of
functions of eigenvalue letters, in order. Its derivative by a symbol inside is −R (∂E) R, so that

    ∂ Tr(P R) / ∂κ₁ = −Tr(P R F_1 R),

which are the two-point traces. Where all matrices are diagonal it is an ordinary function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp


class SumInverse(sp.Function):
    """The inverse of Σ c F F' …, from tuples (c, F, F', …).

    >>> from solvable.analytic.free_probability import Eigenvalue
    >>> a, b, kappa = Eigenvalue("lambda"), Eigenvalue("lambda_G"), sp.Symbol("kappa")
    >>> inverse = SumInverse(sp.Tuple(1, a), sp.Tuple(kappa, b))
    >>> inverse
    (lambda + kappa*lambda_G)^-1
    >>> inverse.commuting()
    1/(lambda + lambda_G*kappa)
    """

    @property
    def terms(self) -> list[tuple[sp.Expr, tuple[sp.Expr, ...]]]:
        """(coefficient, factors in order)."""
        return [(term[0], tuple(term[1:])) for term in self.args]

    def transposed(self) -> SumInverse:
        """The inverse of the transposed sum."""
        return SumInverse(
            *sorted_terms((c, tuple(map(transposed, f[::-1]))) for c, f in self.terms)
        )

    def commuting(self) -> sp.Expr:
        """The function that it is if all matrices are diagonal."""
        return 1 / sp.Add(*(c * sp.Mul(*map(commuting, f)) for c, f in self.terms))

    def slope_words(self, symbol: sp.Symbol) -> list[tuple[sp.Expr, tuple[sp.Expr, ...]]]:
        """∂R = −R (∂E) R as a sum of words."""
        found = []
        for coefficient, factors in self.terms:
            slope = coefficient.diff(symbol)
            if slope != 0:
                found.append((-slope, (self, *factors, self)))
            for i, factor in enumerate(factors):
                for c, word in slope_words(factor, symbol):
                    inner = (*factors[:i], *word, *factors[i + 1 :])
                    found.append((-coefficient * c, (self, *inner, self)))
        return found

    def matrix(
        self, value: Callable[[sp.Expr], Any], unit: Any, inverse: Callable[[Any], Any]
    ) -> Any:
        """The matrix itself, from numbers for scalars and matrices for functions."""
        total = unit * 0
        for coefficient, factors in self.terms:
            product = unit
            for factor in factors:
                product = product @ value(factor)
            total = total + value(coefficient) * product
        return inverse(total)

    def _sympystr(self, printer: Any) -> str:
        parts = []
        for coefficient, factors in self.terms:
            body = "*".join(printer.parenthesize(f, 50) for f in factors)
            scalar = "" if coefficient == 1 and body else printer.parenthesize(coefficient, 45)
            parts.append("*".join(p for p in (scalar, body) if p))
        return f"({' + '.join(parts)})^-1"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        parts = []
        for coefficient, factors in self.terms:
            body = r" ".join(printer.parenthesize(f, 50) for f in factors)
            scalar = "" if coefficient == 1 and body else printer.parenthesize(coefficient, 45)
            parts.append(f"{scalar} {body}".strip())
        text = rf"\left({' + '.join(parts)}\right)^{{-1}}"
        return rf"\left({text}\right)^{{{exp}}}" if exp else text


def sorted_terms(terms: Any) -> list[sp.Tuple]:
    """The terms in an order that does not depend on hashing: matrices first, the identity last."""
    rows = [sp.Tuple(c, *factors) for c, factors in terms]
    return sorted(rows, key=lambda t: (len(t) == 1, [sp.default_sort_key(f) for f in t[1:]]))


def transposed(factor: sp.Expr) -> sp.Expr:
    """The transpose of a factor: functions of one family are symmetric."""
    if isinstance(factor, SumInverse):
        return factor.transposed()
    base, power = factor.as_base_exp()
    if isinstance(base, SumInverse):
        return base.transposed() ** power
    return factor


def commuting(factor: sp.Expr) -> sp.Expr:
    """A factor as an ordinary function."""
    return factor.replace(SumInverse, lambda *terms: SumInverse(*terms).commuting())


def flattened(factors: Any) -> list[sp.Expr]:
    """Integer powers of a sum inverse as repeated factors."""
    found: list[sp.Expr] = []
    for factor in factors:
        base, power = factor.as_base_exp()
        repeated = isinstance(base, SumInverse) and power.is_Integer and power > 0
        found += [base] * int(power) if repeated else [factor]
    return found


def slope_words(factor: sp.Expr, symbol: sp.Symbol) -> list[tuple[sp.Expr, tuple[sp.Expr, ...]]]:
    """The derivative of a factor as a sum of words."""
    if isinstance(factor, SumInverse):
        return factor.slope_words(symbol)
    slope = sp.factor(factor.diff(symbol))
    return [(sp.S.One, (slope,))] if slope != 0 else []


def has_sum_inverse(factors: Any) -> bool:
    """Whether one of the factors holds an inverse of a sum that does not commute."""
    return any(factor.has(SumInverse) for factor in factors)
