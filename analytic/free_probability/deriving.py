"""`derive`: what an expression is, and which theory derives it.

* traces of words and inverses (`equations`), left in blocks if they are long (`unreduced`);
* traces of functions of matrices, log, exp, non-integer powers (`function_equations`);
* traces of matrices of blocks, block by block (`block_profile`);
* traces with inverses that have no deterministic part, as limits (`ridgeless`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp
from sympy.matrices.expressions import MatrixExpr

from .. import arguments
from ..arguments import checked
from . import equations, unreduced
from .block_profile import derive_blocks, has_blocks
from .declarations import Internal, MatrixModel, free_stem
from .effort import SECONDS, TooLongError, limited
from .equations import SelfConsistentEquations
from .expression import trace
from .function_equations import FunctionEquations, derive_functions
from .matrix_function import functions_in
from .ridgeless import derive_ridgeless
from .text import parse_expression
from .trace_function import TraceFunction
from .unreduced import UnreducedEquations

Reduced = SelfConsistentEquations | FunctionEquations
Derived = Reduced | UnreducedEquations


@checked
def derive(
    expression: Any,
    model: MatrixModel,
    *,
    scalars: Iterable[str] = (),
    seconds: float = SECONDS,
) -> Derived:
    """The self-consistent equations of the limit of an expression, whatever its kind.

    ``expression``: a matrix expression (its normalised trace is taken), a rational function of
    traces, or text for `parse_expression`; ``scalars`` are further names of the text that are
    numbers. The result holds for large dimensions. Errors: `InputError` for what is not an
    expression of the declared matrices, `OutsideTheoryError` for what has no such equations; both
    name the part. Equations that are not reduced within ``seconds`` of the processor, or are too
    long to read, are left in blocks (`UnreducedEquations`). Text keeps √(W²), whose eigenvalues are
    |w|, where sympy makes W of ``(W*W)**Rational(1, 2)`` before it is handed over. Source: Rashidi
    Far et al. cs/0610045 for the equations.

    >>> from solvable.analytic.free_probability import derive, parse_declarations
    >>> model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
    >>> print(derive("tr(inv(sqrt(L)*X*X.T*sqrt(L) + z*I))", model))
    z = kappa*(1 - D_1(kappa)/T)
    value = (1 - D_1(kappa)/M)/z
    >>> print(derive("Tr(log(sqrt(L)*X*X.T*sqrt(L) + z*I))", model))
    z = kappa*(1 - D_1(kappa)/T)
    value = M*log(z/kappa) + T*log(T/(T - D_1(kappa))) - D_1(kappa) + Tr[log(lambda + kappa)]
    """
    if isinstance(expression, str):
        expression = parse_expression(expression, model, scalars)
    if isinstance(expression, MatrixExpr):
        expression = trace(expression)
    expression = arguments.expression("expression", expression)
    model = model.only({symbol.name for symbol in expression.atoms(sp.MatrixSymbol)})
    if has_blocks(expression):
        return derive_blocks(expression, model, seconds)
    with limited(seconds):
        found = _of_functions_or_limits(expression, model)
    if found is not None:
        return found
    try:
        return equations.derive(expression, model, seconds=seconds)
    except TooLongError as problem:
        if model.has_rotations:
            raise
        return unreduced.derive(expression, model, reason=str(problem))


def _of_functions_or_limits(expression: sp.Expr, model: MatrixModel) -> Reduced | None:
    """Functions of matrices, and the limit without a ridge; None for words and inverses."""
    names = {s.name for s in model.scalars()} | {str(s) for s in expression.free_symbols}
    if functions_in(expression, model):
        return derive_functions(expression, model, names)
    shift = Internal(free_stem(("s", "t", "y"), names), positive=True)
    limit = derive_ridgeless(expression, model, shift)
    if limit is None:
        return None
    slot = Internal("limit")
    function = TraceFunction(slot, (slot,), ())
    return FunctionEquations(expression, function, model, (limit,))
