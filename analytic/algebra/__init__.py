"""Exact algebra that the rest stands on: fractions, power series, elimination.

rational      polynomials over ℤ and fractions in many symbols
laurent       series in integer powers over such a field
elimination   unknowns removed from polynomial equations, a numeric witness choosing factors
"""

from .elimination import Elimination, solve_linear
from .laurent import Laurent, Substitution, substitute_laurent
from .rational import Field, Fraction, Monomial, Polynomial

__all__ = [
    "Elimination",
    "Field",
    "Fraction",
    "Laurent",
    "Monomial",
    "Polynomial",
    "Substitution",
    "solve_linear",
    "substitute_laurent",
]
