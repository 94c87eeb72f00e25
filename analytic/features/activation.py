"""Activation functions: by name, or as a formula in x, parsed against a whitelist.

| name | function |
|---|---|
| relu, step, sign, abs | max(x, 0), 1 where x > 0, ±1, |x| |
| erf, tanh, sin, cos, exp, sigmoid, softplus | as their names say |
| gelu | x Φ(x), Φ the normal distribution |
| linear | x |

A formula is made of numbers, x, pi, + − * / **, and these functions of formulas, with sqrt, log,
atan, max, min besides: ``"x**3 - 3*x"``, ``"tanh(2*x)"``. Nothing is ever evaluated as code.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..errors import InputError

X = sp.Symbol("x", real=True)
LONGEST, LARGEST_POWER = 400, 64

_FUNCTIONS: dict[str, Callable[..., sp.Expr]] = {
    "relu": lambda x: sp.Max(x, 0),
    "step": lambda x: sp.Heaviside(x, sp.Rational(1, 2)),
    "sign": sp.sign,
    "abs": sp.Abs,
    "erf": sp.erf,
    "tanh": sp.tanh,
    "sin": sp.sin,
    "cos": sp.cos,
    "exp": sp.exp,
    "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
    "softplus": lambda x: sp.log(1 + sp.exp(x)),
    "gelu": lambda x: x * (1 + sp.erf(x / sp.sqrt(2))) / 2,
    "linear": lambda x: x,
    "sqrt": sp.sqrt,
    "log": sp.log,
    "atan": sp.atan,
    "max": sp.Max,
    "min": sp.Min,
}
#: what may be given by name alone
NAMES = tuple(_FUNCTIONS)[:13]
_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


@dataclass(frozen=True)
class Activation:
    """A function σ of one real variable: ``text`` as it was given, ``expression`` in x."""

    text: str
    expression: sp.Expr

    @cached_property
    def kinks(self) -> tuple[float, ...]:
        """The places where σ or its derivative jumps."""
        found: set[float] = set()
        for atom in self.expression.atoms(sp.Max, sp.Min, sp.Heaviside, sp.sign, sp.Abs):
            inner = [atom.args[0] - y for y in atom.args[1:]] if isinstance(
                atom, sp.Max | sp.Min) else [atom.args[0]]  # fmt: skip
            for part in inner:
                if part.is_polynomial(X) and part.has(X):
                    roots = sp.Poly(part, X).nroots()
                    found |= {float(r) for r in roots if abs(sp.im(r)) < 1e-12}
        return tuple(sorted(found))

    @cached_property
    def _compiled(self) -> Callable[[np.ndarray], np.ndarray]:
        return sp.lambdify(X, self.expression, modules=[{"erf": _erf, "Heaviside": _step}, "numpy"])

    def __reduce__(self) -> tuple[Any, ...]:  # without what was compiled
        return type(self), (self.text, self.expression)

    def __call__(self, x: Any) -> Any:
        """σ of an array, in float64."""
        x = np.asarray(x, float)
        with np.errstate(over="ignore"):
            return np.broadcast_to(np.asarray(self._compiled(x), float), x.shape)

    def derivative(self) -> Activation:
        """σ′, without the delta functions at jumps."""
        slope = sp.diff(self.expression.rewrite(sp.Heaviside), X)
        slope = slope.replace(lambda e: isinstance(e, sp.DiracDelta), lambda e: sp.S.Zero)
        return Activation(f"derivative of {self.text}", sp.simplify(slope))


def _erf(x: Any) -> Any:
    from scipy.special import erf

    return erf(x)


def _step(x: Any, half: float = 0.5) -> Any:
    return np.heaviside(x, half)


def activation(given: str | Activation) -> Activation:
    """The activation of a name or of a formula in x.

    Raises `InputError` for anything that is not in the table of the module, and for a formula
    that is not real everywhere.

    >>> activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.])
    >>> activation("x**2 - 1").expression
    x**2 - 1
    >>> activation("open('x')")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    InputError: map = "open('x')" is not allowed: expected a function of x: no function 'open'
    """
    if isinstance(given, Activation):
        return given
    if not isinstance(given, str) or len(given) > LONGEST:
        raise InputError("map", repr(given)[:40], "a name or a formula in x")
    if given in NAMES:
        return Activation(given, _FUNCTIONS[given](X))
    try:
        tree = ast.parse(given.strip(), mode="eval").body
        expression = sp.sympify(_read(tree, given))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("map", repr(given), f"a name ({', '.join(NAMES)}) or a formula "
                         "in x") from None  # fmt: skip
    found = Activation(given, expression)
    _check(found)
    return found


def _refused(text: str, what: str) -> InputError:
    return InputError("map", repr(text), f"a function of x: {what}")


def _read(node: ast.AST, text: str) -> sp.Expr:
    """The expression of a syntax tree."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        if not math.isfinite(node.value):
            raise _refused(text, "a number is not finite")
        return sp.nsimplify(repr(node.value), rational=True)
    if isinstance(node, ast.Name) and node.id in ("x", "pi"):
        return X if node.id == "x" else sp.pi
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _read(node.operand, text)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _read(node.left, text), _read(node.right, text)
        if isinstance(node.op, ast.Pow) and (not right.is_number or abs(right) > LARGEST_POWER):
            raise _refused(text, f"powers are numbers up to {LARGEST_POWER}")
        return _OPERATIONS[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in _FUNCTIONS:
            raise _refused(text, f"no function '{node.func.id}'")
        values = [_read(argument, text) for argument in node.args]
        if len(values) != (2 if node.func.id in ("max", "min") else 1):
            raise _refused(text, f"'{node.func.id}' of {len(values)} values")
        return _FUNCTIONS[node.func.id](*values)
    name = getattr(node, "id", type(node).__name__)
    raise _refused(text, f"'{name}' is not known")


def _check(function: Activation) -> None:
    """σ is finite and real on a grid that covers the Gaussian."""
    grid = np.linspace(-12.0, 12.0, 481) + 0.0123
    try:
        with np.errstate(all="ignore"):
            values = function(grid)
    except (TypeError, ValueError, NameError, ZeroDivisionError):
        raise _refused(function.text, "it has no values at real x") from None
    if not np.all(np.isfinite(values)):
        raise _refused(function.text, "not finite and real everywhere")
