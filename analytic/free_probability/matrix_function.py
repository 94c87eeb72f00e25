r"""Functions of a matrix inside a trace: log E, exp E, and E^a with a that is no whole number.

A function of a symmetric matrix acts on its eigenvalues. It is not an entrywise function, which
has no such meaning for the trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.core.symbol import Str
from sympy.printing.pretty.stringpict import prettyForm

from ..errors import InputError, OutsideTheoryError
from .declarations import MatrixModel

NAMES = ("log", "exp")


class MatrixFunction(sp.MatrixExpr):  # type: ignore[misc]
    """``name`` of a square matrix, by its eigenvalues.

    "power" (with its exponent) is for powers of powers: sympy's own (L²)^{1/2} is L, which holds
    for positive L alone.

    >>> M = sp.Symbol("M", positive=True)
    >>> L = sp.MatrixSymbol("L", M, M)
    >>> MatrixFunction("log", L), MatrixFunction("power", L**2, sp.S.Half)
    (log(L), (L**2)**(1/2))
    """

    def __new__(cls, name: Any, matrix: sp.MatrixExpr, *exponent: sp.Expr) -> sp.MatrixExpr:
        text = str(name)
        if text not in (("power",) if exponent else NAMES):
            raise InputError("function of a matrix", text, "one of " + ", ".join(NAMES))
        if matrix.rows != matrix.cols:
            raise InputError(text, matrix, "the function of a square matrix")
        if text == "log" and isinstance(matrix, sp.MatPow) and matrix.args[1].is_negative:
            return -MatrixFunction("log", matrix.inv().doit())
        return sp.Basic.__new__(cls, Str(text), matrix, *map(sp.sympify, exponent))

    @property
    def name(self) -> str:
        """log, exp or power."""
        return str(self.args[0])

    @property
    def exponent(self) -> sp.Expr:
        """That of a power; one for other functions."""
        return self.args[2] if self.name == "power" else sp.S.One

    @property
    def arg(self) -> sp.MatrixExpr:
        """The matrix."""
        return self.args[1]

    @property
    def shape(self) -> Any:
        """The shape of the matrix."""
        return self.arg.shape

    def doit(self, **_: Any) -> MatrixFunction:
        """Itself."""
        return self

    def _eval_transpose(self) -> MatrixFunction:
        return self.func(self.args[0], sp.Transpose(self.arg).doit(), *self.args[2:])

    def _sympystr(self, printer: Any) -> str:
        if self.name == "power":
            return f"({printer._print(self.arg)})**({printer._print(self.exponent)})"
        return f"{self.name}({printer._print(self.arg)})"

    def _latex(self, printer: Any) -> str:
        inside = rf"\left({printer._print(self.arg)}\right)"
        if self.name == "power":
            return rf"{inside}^{{{printer._print(self.exponent)}}}"
        return rf"\{self.name}{inside}"

    def _pretty(self, printer: Any) -> Any:
        form = prettyForm(*printer._print(self.arg).parens())
        if self.name == "power":
            return form ** printer._print(self.exponent)
        return prettyForm(*form.left(self.name))


class PseudoInverse(sp.MatrixExpr):  # type: ignore[misc]
    """The limit Eᵀ (E Eᵀ + s)^{-1}, s → 0⁺, kept whole: E times it is no identity."""

    def __new__(cls, matrix: sp.MatrixExpr) -> PseudoInverse:
        return sp.Basic.__new__(cls, matrix)

    @property
    def arg(self) -> sp.MatrixExpr:
        """The matrix."""
        return self.args[0]

    @property
    def shape(self) -> Any:
        """That of the transpose."""
        return self.arg.shape[::-1]

    def doit(self, **_: Any) -> PseudoInverse:
        """Itself."""
        return self

    def _eval_transpose(self) -> PseudoInverse:
        return PseudoInverse(sp.Transpose(self.arg).doit())

    def with_ridge(self, shift: sp.Symbol) -> sp.MatrixExpr:
        """Eᵀ (E Eᵀ + s)^{-1}."""
        square = self.arg * sp.Transpose(self.arg).doit()
        return sp.Transpose(self.arg).doit() * (square + shift * sp.Identity(square.rows)).inv()

    def _sympystr(self, printer: Any) -> str:
        return f"pinv({printer._print(self.arg)})"

    def _latex(self, printer: Any) -> str:
        return rf"\left({printer._print(self.arg)}\right)^{{+}}"


@dataclass(frozen=True)
class Function:
    """log x, exp x (exponent None) or x^exponent, of ``matrix``, at ``node`` of an expression."""

    kind: str
    matrix: sp.MatrixExpr
    node: sp.MatrixExpr
    exponent: sp.Expr = sp.S.One


def function_of(node: Any, model: MatrixModel) -> Function | None:
    """What function a node is; None if it is rational in the matrices."""
    if isinstance(node, MatrixFunction):
        return Function(node.name, node.arg, node, node.exponent)
    if not isinstance(node, sp.MatPow) or isinstance(node, sp.Inverse):
        return None
    base, exponent = node.args[0], sp.sympify(node.args[1])
    if exponent.is_Integer:
        return None
    half = exponent.is_Rational and exponent.q == 2 and exponent > 0
    letter = base.arg if isinstance(base, sp.Transpose) else base
    if half and isinstance(letter, sp.MatrixSymbol) and letter.name in model.fixed:
        return None  # a letter of the theory
    return Function("power", base, node, exponent)


def functions_in(expression: Any, model: MatrixModel) -> list[Function]:
    """The outermost functions of an expression, in an order that does not depend on hashing."""
    found: list[Function] = []
    for node in sorted(sp.sympify(expression).args, key=sp.default_sort_key):
        function = function_of(node, model)
        if function is not None:
            if function_of(function.matrix, model) or functions_in(function.matrix, model):
                raise OutsideTheoryError(f"{node}: a function of a function of matrices")
            found.append(function)
        else:
            found += functions_in(node, model)
    return found


def split_traces(expression: sp.Expr, model: MatrixModel) -> sp.Expr:
    """Traces of sums as sums of traces wherever a term holds a function."""

    def split(trace: sp.Trace) -> sp.Expr:
        if function_of(trace.arg, model) or not functions_in(trace, model):
            return trace
        terms = trace.arg.args if isinstance(trace.arg, sp.MatAdd) else [trace.arg]
        total = sp.S.Zero
        for term in terms:
            coefficient, matrix = term.as_coeff_mmul()
            total += coefficient * sp.Trace(matrix.doit())
        return total

    return expression.xreplace({t: split(t) for t in expression.atoms(sp.Trace)})


def only_function(matrix: sp.MatrixExpr, model: MatrixModel) -> Function | None:
    """The one function in the matrix of a trace, which must be linear in it; None if none is."""
    whole = function_of(matrix, model)
    found = [whole] if whole else functions_in(matrix, model)
    if not found:
        return None
    function = found[0]
    factor = isinstance(matrix, sp.MatMul) and matrix.args.count(function.node) == 1
    if len(found) > 1 or not (whole or factor):
        raise OutsideTheoryError(
            f"{matrix}: one function of one matrix in every product of a trace, and none inside an "
            "inverse; multiply functions of one matrix into a single one"
        )
    return function
