"""What every derivation begins with: text is read, matrices are checked, names are set apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp
from sympy.matrices.expressions import MatrixExpr

from ..errors import InputError
from .declarations import MatrixModel
from .expression import Polynomial, check, inverses_of, letters_of
from .text import parse_expression
from .trace_function import TraceFunction, trace_function


def prepared(
    expression: Any, model: MatrixModel, scalars: Iterable[str]
) -> tuple[Any, TraceFunction, MatrixModel, tuple[sp.Symbol, ...]]:
    """What is shown, φ and its matrices, the model with names of its own, spectral parameters."""
    if isinstance(expression, str):
        expression = parse_expression(expression, model, scalars)
    function = trace_function(expression)
    spectral: set[sp.Symbol] = set()
    dimensions = set().union(*(sp.sympify(d).free_symbols for d in model.dimensions()))
    model = model.avoiding(_typed_names(function, model))
    for matrix in function.matrices:
        if matrix.rows != matrix.cols:
            raise InputError("trace", matrix, "the trace of a square expression")
        spectral |= spectral_parameters(check(matrix, model), dimensions)
    ordered = tuple(sorted(spectral, key=sp.default_sort_key))
    shown = expression
    if isinstance(expression, MatrixExpr):
        shown = sp.Trace(expression) / expression.rows
    return shown, function, model, ordered


def _typed_names(function: TraceFunction, model: MatrixModel) -> set[str]:
    """The names of all scalars that were typed; one name is one symbol (`InputError`)."""
    symbols = set(model.scalars()) | function.scalars
    for matrix in function.matrices:
        symbols |= {s for s in matrix.free_symbols if isinstance(s, sp.Symbol)}
    names: dict[str, sp.Symbol] = {}
    for symbol in symbols:
        if names.setdefault(symbol.name, symbol) != symbol:
            allowed = "one symbol for one name, with the same assumptions everywhere"
            raise InputError("symbols", symbol.name, allowed)
    return set(names)


def spectral_parameters(polynomials: Iterable[Any], dimensions: set[sp.Symbol]) -> set[sp.Symbol]:
    """The symbols that multiply an identity inside an inverse, dimensions excepted.

    They are those with which the coefficient grows: z, not b, in z/b. Where there is no identity,
    those that multiply a single deterministic matrix: z in z G + XXᵀ.
    """
    found: set[sp.Symbol] = set()
    for letter in inverses_of(polynomials):
        inner = dict(letter.terms)
        found |= _growing(inner[()]) if () in inner else _penalties(inner)
    return found - dimensions


def _growing(coefficient: sp.Expr) -> set[sp.Symbol]:
    """The symbols of higher degree above than below the line of a rational function."""
    above, below = sp.fraction(sp.cancel(coefficient))
    return {s for s in coefficient.free_symbols if sp.degree(above, s) > sp.degree(below, s)}


def _penalties(inner: Polynomial) -> set[sp.Symbol]:
    """The symbols in front of single letters, if no other term holds them."""
    own: set[sp.Symbol] = set()
    other: set[sp.Symbol] = set()
    for word, coefficient in inner.items():
        names = {letter.name for letter in letters_of([(word, coefficient)])}
        (own if len(word) == 1 == len(names) else other).update(coefficient.free_symbols)
    return own - other
