r"""From a matrix expression to its pencil: every sub-expression realised, every result minimised.

The rules of sums, products and inverses are those of `pencil.Realisation`; after each the four
moves of `minimisation` keep the number of blocks small.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy import Identity, MatAdd, MatMul, MatPow, MatrixExpr, MatrixSymbol, Transpose, ZeroMatrix

from ..errors import InputError
from .declarations import MatrixModel
from .entries import UNIT, Entry, FixedInverse, entry, is_fixed, is_scalar
from .expression import Letter, word_key
from .minimisation import minimise, minimise_pencil
from .pencil import Output, Pencil, Realisation


def realise(expression: MatrixExpr, model: MatrixModel, flip: bool = False) -> Realisation:
    """The realisation of an expression (of its transpose if ``flip``)."""
    rows, columns = expression.shape[::-1] if flip else expression.shape
    if isinstance(expression, MatrixSymbol):
        return Realisation(rows, columns, _symbol_entry(expression, model, flip))
    if isinstance(expression, (Identity, ZeroMatrix)):
        return Realisation(rows, columns, entry() if isinstance(expression, Identity) else {})
    if isinstance(expression, Transpose):
        return realise(expression.arg, model, not flip)
    if isinstance(expression, MatAdd):
        terms = [realise(term, model, flip) for term in sorted_arguments(expression)]
        total = terms[0]
        for term in terms[1:]:
            total = total.plus(term)
        return minimise(total)
    if isinstance(expression, MatMul):
        return _product(expression, model, flip)
    base, exponent = expression.args[0], sp.sympify(expression.args[1])
    if isinstance(base, Transpose):
        return realise(MatPow(base.arg, exponent), model, not flip)
    if not exponent.is_Integer:
        root = Letter(base.name, exponent=sp.Rational(1, 2))
        word = (Letter(base.name),) * int(sp.floor(exponent)) + (root,)
        return Realisation(rows, columns, entry((word, None, ())))
    inner = realise(base, model, flip)
    if exponent < 0:
        inner = _inverted(inner)
    result = Realisation(rows, columns, entry())
    for _ in range(abs(int(exponent))):
        result = result.times(inner)
    return minimise(result)


def sorted_arguments(expression: MatrixExpr) -> list[MatrixExpr]:
    """The terms of a sum in an order that does not depend on hashing."""
    return sorted(expression.args, key=sp.default_sort_key)


def _symbol_entry(symbol: MatrixSymbol, model: MatrixModel, flip: bool) -> Entry:
    name = symbol.name
    if name in model.random:
        return entry(((), Letter(name, flip and not model.random[name].symmetric), ()))
    letter = Letter(name, flip and not model.fixed[name].symmetric)
    return entry(((letter,), None, ()))


def _product(expression: MatMul, model: MatrixModel, flip: bool) -> Realisation:
    coefficient, factors = expression.as_coeff_matrices()
    parts = [realise(f, model, flip) for f in (reversed(factors) if flip else factors)]
    result = parts[0]
    for part in parts[1:]:
        result = result.times(part)
    scaled = Realisation(result.rows, result.rows, entry(coefficient=coefficient)).times(result)
    return minimise(scaled)


def _inverted(inner: Realisation) -> Realisation:
    if not inner.spaces and not inner.d:
        raise InputError("inverse", "0", "the inverse of a non-singular expression")
    if not inner.spaces and is_fixed(inner.d):
        if is_scalar(inner.d):
            unit = entry(coefficient=1 / inner.d[UNIT])
            return Realisation(inner.rows, inner.columns, unit)
        words = {term[0]: coefficient for term, coefficient in inner.d.items()}
        terms = tuple(sorted(words.items(), key=lambda item: word_key(item[0])))
        return Realisation(inner.rows, inner.columns, entry(((FixedInverse(terms),), None, ())))
    return inner.inverse()


def build_pencil(
    targets: list[tuple[sp.Expr, MatrixExpr]],
    model: MatrixModel,
    simplify: Callable[[Pencil], Pencil] | None = None,
) -> Pencil:
    """The pencil of Σ weight·Tr(E), one output per trace, blocks shared where they coincide."""
    spaces: list[sp.Expr] = []
    q: dict[tuple[int, int], Entry] = {}
    outputs = []
    for weight, expression in targets:
        part = realise(expression, model).purified().shifted(len(spaces))
        spaces, q = spaces + part.spaces, {**q, **part.q}
        outputs.append(Output(weight, expression, expression.rows, part.c, part.b, part.d))
    pencil = Pencil(model, spaces, q, outputs)
    return (simplify or minimise_pencil)(pencil)
