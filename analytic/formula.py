"""One definition, three faces: a formula that sympy, mpmath and numpy evaluate alike.

A `Formula` is a sympy expression whose arguments have Python names. Called with sympy
objects it substitutes, with mpmath numbers it evaluates at the current precision, with
floats and arrays it broadcasts. The numeric faces are generated from the expression, so
the three cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from . import precision
from .arguments import checked
from .errors import InputError


def as_objects(values: list[Any]) -> np.ndarray:
    """A one-dimensional object array, whatever the values are."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


class Rounded(mpmath.mpf):
    """An mpmath number that prints the ``digits`` it was computed with, whatever the precision.

    >>> with mpmath.workdps(30):
    ...     third = Rounded(mpmath.mpf(1) / 3, 25)
    >>> print(third)
    0.3333333333333333333333333
    """

    digits: int

    def __new__(cls, value: Any, digits: int) -> Rounded:
        with precision.workdps(digits):
            self = super().__new__(cls, value)
        self.digits = digits
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._mpf_, self.digits)

    def __str__(self) -> str:
        return mpmath.nstr(self, self.digits)

    def __repr__(self) -> str:
        return f"mpf('{self}')"


MP_TYPES = (mpmath.mpf, mpmath.mpc)


def is_mp(*values: Any) -> bool:
    """Whether any of the values is an mpmath number, which decides for the mpmath face."""
    return any(isinstance(value, MP_TYPES) for value in values)


def select(condition: Any, yes: Any, no: Any) -> Any:
    """``yes`` where the condition holds and ``no`` elsewhere, for arrays and for single numbers."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, yes, no)
    return yes if condition else no


class Formula:
    """A named formula with keyword arguments.

    ``arguments`` maps each Python name to the sympy atom (a symbol, or an applied function
    such as D₁(κ)) that stands for it in ``expression``.

    Values are sympy expressions, mpmath numbers or arrays, after what is given. Raises
    `InputError` for arguments that are missing or unknown. Source: this package.

    >>> from solvable.analytic.notation import N, T
    >>> harmonic = Formula("harmonic size", {"N": N, "T": T}, N*T/(N + T))
    >>> float(harmonic(N=2, T=2)), harmonic(N=T, T=T)
    (1.0, T/2)
    """

    @checked
    def __init__(self, name: str, arguments: Mapping[str, sp.Expr], expression: sp.Expr) -> None:
        self.name, self.arguments, self.expression = name, dict(arguments), expression

    def __call__(self, **values: Any) -> Any:
        """The value, in the face that the arguments ask for."""
        if set(values) != set(self.arguments):
            expected = ", ".join(self.arguments)
            raise InputError("arguments", tuple(values), f"for {self.name}: {expected}")
        ordered = [values[name] for name in self.arguments]
        if any(isinstance(value, sp.Basic) for value in ordered):
            return self.expression.subs(
                dict(zip(self.arguments.values(), ordered)), simultaneous=True
            )
        with precision.kept_for(*ordered):
            return (self._mpmath if is_mp(*ordered) else self._numpy)(*ordered)

    def _compiled(self, module: str) -> Callable[..., Any]:
        plain = {atom: sp.Dummy(name) for name, atom in self.arguments.items()}
        return sp.lambdify(list(plain.values()), self.expression.xreplace(plain), module)

    @cached_property
    def _numpy(self) -> Callable[..., Any]:
        return self._compiled("numpy")

    @cached_property
    def _mpmath(self) -> Callable[..., Any]:
        return self._compiled("mpmath")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.arguments, self.expression)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.__reduce__()[1] == other.__reduce__()[1]

    def __hash__(self) -> int:
        return hash((self.name, self.expression))

    def __repr__(self) -> str:
        return f"{self.name} = {self.expression}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {sp.latex(self.expression)}$"
