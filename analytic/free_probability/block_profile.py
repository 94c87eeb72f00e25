r"""Variance profiles: matrices of blocks, each with its own variance, by Schur complements.

X of K×L blocks X_ab (M_a × T_b, Gaussian entries of variance s_ab) has independent entries with a
piecewise constant variance. An expression of X is written block by block; the inverse of a block
matrix is

    [[A, B], [C, D]]^{-1} = [[S, −S B D^{-1}], [−D^{-1} C S, D^{-1} + D^{-1} C S B D^{-1}]],
    S = (A − B D^{-1} C)^{-1},

and the trace is the sum of the traces of the diagonal blocks, which are expressions in the X_ab.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from ..errors import OutsideTheoryError
from . import unreduced
from .declarations import MatrixModel
from .effort import TooLongError, go_on, limited
from .entries import Entry, entry, scale
from .equations import SelfConsistentEquations, derive
from .minimisation import minimise_pencil
from .pencil import Output, Pencil
from .realisation import realise
from .trace_function import trace_function
from .unreduced import UnreducedEquations

Blocks = list[list[sp.MatrixExpr]]


def has_blocks(expression: Any) -> bool:
    """Whether a matrix of blocks occurs."""
    return bool(sp.sympify(expression).atoms(sp.BlockMatrix))


def derive_blocks(
    expression: sp.Expr, model: MatrixModel, seconds: float
) -> SelfConsistentEquations | UnreducedEquations:
    """A function of the trace of the inverse of one matrix of blocks.

    The pencil is that of the whole inverse, read off at its diagonal blocks; equations that are not
    reduced within ``seconds`` are left in blocks.
    """
    with limited(seconds):
        body, pencil = _block_pencil(expression, model)
    try:
        found = derive(body, model, pencil=pencil, seconds=seconds)
        return replace(found, expression=expression)
    except TooLongError as problem:
        left = unreduced.derive(body, model, reason=str(problem), pencil=pencil)
        return replace(left, expression=expression)


def _block_pencil(expression: sp.Expr, model: MatrixModel) -> tuple[sp.Expr, Pencil]:
    """The expression in traces of diagonal blocks, and the pencil of these traces."""
    found = [t for t in expression.atoms(sp.Trace) if has_blocks(t)]
    if len(found) != 1 or not isinstance(found[0].arg, sp.Inverse):
        raise OutsideTheoryError(
            f"{expression}: of a profile the resolvent is derived, tr(inv(E)) of an E with blocks"
        )
    inside = in_blocks(found[0].arg.arg)
    inverse = _inverse(inside)
    diagonal = [inverse[i][i] for i in range(len(inverse))]
    total = sp.Add(*(sp.Trace(block) for block in diagonal))
    body = expression.xreplace({found[0]: total})
    function = trace_function(body)
    pencil = _inverse_pencil(inside, diagonal, model)
    ordered = [next(o for o in pencil.outputs if o.expression == m) for m in function.matrices]
    return body, Pencil(model, pencil.spaces, pencil.q, ordered)


def _inverse_pencil(inside: Blocks, diagonal: list[sp.MatrixExpr], model: MatrixModel) -> Pencil:
    """[[Q, B], [−C, D]] with the states of all entries first, and one block for each row."""
    spaces: list[sp.Expr] = []
    q: dict[tuple[int, int], Entry] = {}
    ends: list[tuple[int, int, Any]] = []
    for i, row in enumerate(inside):
        for j, block in enumerate(row):
            part = realise(block, model).shifted(len(spaces))
            spaces, q = spaces + part.spaces, {**q, **part.q}
            ends.append((i, j, part))
    last = len(spaces)
    for i, j, part in ends:
        q.update({(k, last + j): item for k, item in part.b.items() if item})
        q.update({(last + i, k): scale(item, sp.S.NegativeOne) for k, item in part.c.items()})
        if part.d:
            q[last + i, last + j] = part.d
    sizes = [row[i].rows for i, row in enumerate(inside)]
    outputs = [
        Output(1 / sp.sympify(size), block, size, {last + i: entry()}, {last + i: entry()}, {})
        for i, (size, block) in enumerate(zip(sizes, diagonal, strict=True))
    ]
    return minimise_pencil(Pencil(model, [*spaces, *sizes], q, outputs))


def in_blocks(matrix: Any, sizes: tuple[sp.Expr, ...] = ()) -> Blocks:
    """A matrix expression block by block; ``sizes`` are those of an identity beside blocks."""
    if isinstance(matrix, sp.BlockMatrix):
        return [list(row) for row in matrix.blocks.tolist()]
    if isinstance(matrix, sp.Identity):
        sizes = sizes or (matrix.rows,)
        return [[sp.Identity(m) if i == j else sp.ZeroMatrix(m, n) for j, n in enumerate(sizes)]
                for i, m in enumerate(sizes)]  # fmt: skip
    if isinstance(matrix, sp.Transpose):
        inner = in_blocks(matrix.arg)
        return [[_tidy(inner[i][j].T) for i in range(len(inner))] for j in range(len(inner[0]))]
    if isinstance(matrix, sp.MatAdd):
        whole = next((in_blocks(term) for term in matrix.args if has_blocks(term)), [])
        parts = [in_blocks(term, tuple(row[0].rows for row in whole)) for term in matrix.args]
        return [[_sum([p[i][j] for p in parts]) for j in range(len(parts[0][0]))]
                for i in range(len(parts[0]))]  # fmt: skip
    if isinstance(matrix, sp.MatMul):
        coefficient, factors = matrix.as_coeff_matrices()
        product = in_blocks(factors[0], sizes)
        for factor in factors[1:]:
            product = _product(product, in_blocks(factor, sizes))
        return [[_tidy(sp.MatMul(coefficient, block)) for block in row] for row in product]
    if isinstance(matrix, (sp.Inverse, sp.MatPow)):
        return _power(matrix)
    if isinstance(matrix, sp.MatrixExpr):
        return [[matrix]]
    raise OutsideTheoryError(f"{matrix}: a matrix of blocks stands in no such expression")


def _power(matrix: sp.MatPow) -> Blocks:
    base, exponent = in_blocks(matrix.args[0]), sp.sympify(matrix.args[1])
    if not exponent.is_Integer or exponent == 0:
        raise OutsideTheoryError(f"{matrix}: whole powers and inverses of a matrix of blocks")
    if exponent < 0:
        base = _inverse(base)
    product = base
    for _ in range(abs(int(exponent)) - 1):
        product = _product(product, base)
    return product


def _tidy(block: sp.MatrixExpr) -> sp.MatrixExpr:
    """In canonical form where its parts are: operators of matrices would tidy these again, too."""
    return block.doit(deep=False)


def _sum(blocks: list[sp.MatrixExpr]) -> sp.MatrixExpr:
    kept = [b for b in blocks if not isinstance(b, sp.ZeroMatrix)]
    return _tidy(sp.MatAdd(*kept)) if kept else blocks[0]


def _product(left: Blocks, right: Blocks) -> Blocks:
    columns, inner = range(len(right[0])), range(len(right))
    go_on("the inverse of a matrix of blocks")
    return [
        [_sum([_tidy(sp.MatMul(row[k], right[k][j])) for k in inner]) for j in columns]
        for row in left
    ]


def _negative(blocks: Blocks) -> Blocks:
    return [[_tidy(sp.MatMul(-1, block)) for block in row] for row in blocks]


def _added(left: Blocks, right: Blocks) -> Blocks:
    return [
        [_sum([a, b]) for a, b in zip(*rows, strict=True)] for rows in zip(left, right, strict=True)
    ]


def _inverse(blocks: Blocks) -> Blocks:
    """By the Schur complement of the lower right part."""
    if len(blocks) == 1:
        return [[_tidy(sp.Inverse(blocks[0][0]))]]
    a, b = [blocks[0][:1]], [blocks[0][1:]]
    c, d = [row[:1] for row in blocks[1:]], [row[1:] for row in blocks[1:]]
    lower = _inverse(d)
    left, right = _product(b, lower), _product(lower, c)
    first = _inverse(_added(a, _negative(_product(left, c))))
    above = _negative(_product(first, left))
    below = _negative(_product(right, first))
    rest = _added(lower, _product(_product(right, first), left))
    top = [[*first[0], *above[0]]]
    return top + [[*below[i], *rest[i]] for i in range(len(rest))]
