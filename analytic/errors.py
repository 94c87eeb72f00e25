"""Three ways in which an answer can be refused.

Bad input (the question is not one), mathematics outside the theory (the question has
no answer here), and precision that ran out (the answer exists, its digits do not).
"""

from __future__ import annotations

from typing import Any


class SolvableError(Exception):
    """Base of every error that the toolkit raises on purpose.

    It has no other cause than one of its three kinds. Source: this package.

    >>> issubclass(InputError, SolvableError), issubclass(InputError, ValueError)
    (True, True)
    """


class InputError(SolvableError, ValueError):
    """An argument is not allowed: names it, shows its value, says what is allowed.

    One that is None is missing. Source: this package.

    >>> raise InputError("ridge", -1, "a number ≥ 0")
    Traceback (most recent call last):
    ...
    solvable.analytic.errors.InputError: ridge = -1 is not allowed: expected a number ≥ 0
    >>> str(InputError("--latent", None, "the number of modes"))
    '--latent is missing: expected the number of modes'
    """

    def __init__(self, argument: str, value: Any, allowed: str) -> None:
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
        wrong = "is missing" if value is None else f"= {shown} is not allowed"
        super().__init__(f"{argument} {wrong}: expected {allowed}")
        self.argument, self.value, self.allowed = argument, value, allowed

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.argument, self.value, self.allowed)


class OutsideTheoryError(SolvableError):
    """The mathematics asked for is not covered by the theory, and the message says why.

    Source: this package.

    >>> raise OutsideTheoryError("a matrix logarithm has no such equations")
    Traceback (most recent call last):
    ...
    solvable.analytic.errors.OutsideTheoryError: a matrix logarithm has no such equations
    """


class PrecisionError(SolvableError, ArithmeticError):
    """The digits asked for could not be reached; ``certain_digits`` are certain.

    Raised by whatever has ``digits``. Source: this package.

    >>> PrecisionError("only 5 of 15 digits", certain_digits=5).certain_digits
    5
    """

    def __init__(self, message: str, certain_digits: int | None = None) -> None:
        super().__init__(message)
        self.certain_digits = certain_digits

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.certain_digits)
