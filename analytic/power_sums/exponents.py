"""The arguments of a power sum: exact exponents, sizes, and when the sum has a value.

P(s, b, q; κ, M) = Σ_{J=1}^{M} J^{-s}/(1+κJ^b)^q converges at M = ∞ exactly when its
terms fall faster than 1/J: s + bq > 1 if κ ≠ 0, s > 1 if κ = 0.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import mpmath

from .. import arguments
from ..errors import InputError


def exact(name: str, value: Any) -> Fraction:
    """The exact value of an int, float, Fraction, mpmath or rational sympy number.

    >>> exact("b", 1.5)
    Fraction(3, 2)
    """
    allowed = "a finite real number"
    value = arguments.one(name, value, allowed)
    if isinstance(value, bool | str | bytes | complex | mpmath.mpc):
        raise InputError(name, repr(value), allowed)
    try:
        if isinstance(value, mpmath.mpf):
            numerator, exponent = int(value.man), value.exp
            if numerator == 0 and exponent != 0:  # inf and nan have no mantissa
                raise ValueError
            return int(mpmath.sign(value)) * Fraction(numerator) * Fraction(2) ** exponent
        return Fraction(value)
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        return Fraction(float(value))
    except (TypeError, ValueError, OverflowError):
        raise InputError(name, value, allowed) from None


LARGEST = 10**4  # exponent: J^-s must be a number of a magnitude that can be held


class Exponents(NamedTuple):
    """Exact s, b and q of one sum."""

    s: Fraction
    b: Fraction
    q: Fraction

    @property
    def lower(self) -> Fraction:
        """c = (1−s)/b: the integral of the summand behaves as y^c at y = κJ^b → 0."""
        return (1 - self.s) / self.b

    @property
    def upper(self) -> Fraction:
        """c − q: the integral of the summand behaves as y^{c−q} at y → ∞."""
        return self.lower - self.q

    def check_convergence(self, kappa_is_zero: bool) -> None:
        """Raise `InputError` if the sum over J = 1 … ∞ diverges."""
        decay = self.s if kappa_is_zero else self.s + self.b * self.q
        if decay > 1:
            return
        law = "s" if kappa_is_zero else "s + b q"
        raise InputError(
            "size",
            "inf",
            f"a finite count: the terms fall as J^-({law}) with {law} = {float(decay):.6g} ≤ 1"
            + (" at κ = 0" if kappa_is_zero else "")
            + ", so that the infinite sum diverges",
        )


def exponents(s: Any, b: Any, q: Any) -> Exponents:
    """Checked exponents: s real, b > 0, q ≥ 0."""
    try:
        return _exponents(s, b, q)
    except TypeError:  # not hashable: an array
        return _exponents.__wrapped__(s, b, q)


@lru_cache(maxsize=256, typed=True)
def _exponents(s: Any, b: Any, q: Any) -> Exponents:
    result = Exponents(exact("s", s), exact("b", b), exact("q", q))
    for name, value, given in zip(result._fields, result, (s, b, q)):
        if abs(value) > LARGEST:
            raise InputError(name, given, f"a number of magnitude up to {LARGEST}")
    if result.b <= 0:
        raise InputError("b", b, "a number > 0")
    if result.q < 0:
        raise InputError("q", q, "a number ≥ 0")
    return result


def count(size: Any) -> int | float:
    """M as an exact int, or `math.inf`."""
    allowed = "a whole number ≥ 1 or infinity"
    size = arguments.one("size", size, allowed)
    try:
        if size == math.inf:
            return math.inf
        whole = int(size)
        valid = whole == size and whole >= 1 and not isinstance(size, bool)
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid:
        raise InputError("size", size, allowed)
    return whole
