"""Validation of arguments: each function returns its value or raises `InputError`.

Values may be Python numbers, mpmath numbers or numpy arrays; NaN is never allowed. Products of two
values must not overflow in float64, so every argument has a range of magnitudes, by its name,
outside of which only 0 and infinity are allowed. Multi-precision numbers have no such range.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

import mpmath
import numpy as np

from .errors import InputError

MAX_SHOWN = 60
#: least and largest magnitude of an argument; `ORDINARY` for one that is not listed
MAGNITUDES = {
    **dict.fromkeys(("features", "samples", "size", "budget"), (1e-100, 1e100)),
    **dict.fromkeys(("exponent", "alpha", "target_exponent", "rate", "target_rate"), (1e-9, 1e3)),
    **dict.fromkeys(("ensemble", "bags", "batch", "digits", "terms"), (1, 1e18)),
    **dict.fromkeys(("time", "times", "steps", "z"), (5e-324, 1e300)),
    "step": (1e-100, 1e100),
    "schedule": (5e-324, 1e100),
    "ridge": (5e-324, 1.79e308),
}
ORDINARY = (5e-324, 1e150)
ROUNDING = 1e-15  # of these ends, beside exact numbers


def _all(condition: Any) -> bool:
    return bool(np.all(condition))


def _show(value: Any) -> str:
    try:
        text = str(value)
    except ValueError:  # a whole number of more digits than Python prints
        text = f"a number of magnitude 10^{math.floor(math.log10(abs(value)))}"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _in_range(name: str, value: Any) -> Any:
    """The value (array: each entry) where 0, infinite, or of a magnitude that is allowed."""
    if isinstance(value, mpmath.mpf):
        return value
    low, high = MAGNITUDES.get(name, ORDINARY)
    narrow = isinstance(value, np.ndarray | np.generic)  # a short type overflows
    size = np.abs(np.asarray(value, dtype=float)) if narrow else abs(value)
    infinite = size == float("inf")
    inside = (size >= low * (1 - ROUNDING)) & (size <= high * (1 + ROUNDING))
    if not _all((size == 0) | infinite | inside):
        raise InputError(name, _show(value), f"a magnitude from {low:g} to {high:g}")
    return value


def number(name: str, value: Any, allowed: str = "a real number") -> Any:
    """A real number, finite or infinite, or an array of them.

    >>> number("N", 10)
    10
    """
    if isinstance(value, bool | np.bool_ | str | bytes) or value is None:
        raise InputError(name, repr(value), allowed)
    if isinstance(value, list | tuple):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "iuf" or value.size == 0 or not _all(value == value):
            raise InputError(name, _show(value), allowed)
        return _in_range(name, value)
    try:
        valid = not isinstance(value, complex | mpmath.mpc) and float(value) == float(value)
    except (TypeError, ValueError):
        valid = False
    except OverflowError:  # an integer beyond 1e308
        valid = True
    if not valid:
        raise InputError(name, _show(value), allowed)
    return _in_range(name, value)


def positive(name: str, value: Any) -> Any:
    """A finite number > 0 (array: each entry).

    >>> positive("alpha", 0.5)
    0.5
    >>> positive("alpha", 0)
    Traceback (most recent call last):
    ...
    solvable.analytic.errors.InputError: alpha = 0 is not allowed: expected a finite number > 0
    """
    allowed = "a finite number > 0"
    value = number(name, value, allowed)
    if not (_all(value > 0) and _all(value < float("inf"))):
        raise InputError(name, _show(value), allowed)
    return value


def positive_or_infinite(name: str, value: Any) -> Any:
    """A number > 0, possibly infinite."""
    allowed = "a number > 0 or infinity"
    value = number(name, value, allowed)
    if not _all(value > 0):
        raise InputError(name, _show(value), allowed)
    return value


def nonnegative(name: str, value: Any) -> Any:
    """A finite number ≥ 0 (array: each entry)."""
    allowed = "a finite number ≥ 0"
    value = number(name, value, allowed)
    if not (_all(value >= 0) and _all(value < float("inf"))):
        raise InputError(name, _show(value), allowed)
    return value


def exactly(name: str, value: Any) -> Any:
    """One number with all its digits, as an mpmath number.

    >>> print(exactly("ridge", np.float64(0.5)))
    0.5
    >>> exactly("z", [1, 2])
    Traceback (most recent call last):
    ...
    solvable.analytic.errors.InputError: z = 1, 2 is not allowed: expected one number with digits
    """
    if np.ndim(value) == 0:
        return mpmath.mpmathify(value.item() if isinstance(value, np.ndarray) else value)
    raise InputError(name, _show(", ".join(map(str, np.ravel(value)))), "one number with digits")


def count(name: str, value: Any, at_least: int = 1) -> int:
    """An integer ≥ ``at_least`` (a float with an integer value is accepted)."""
    allowed = f"an integer ≥ {at_least}"
    value = number(name, value, allowed)
    if isinstance(value, np.ndarray) or value == float("inf") or value != int(value):
        raise InputError(name, _show(value), allowed)
    if value < at_least:
        raise InputError(name, _show(value), allowed)
    return int(value)


def meant(value: str, options: Iterable[str], most: int = 3) -> str:
    """What a misspelt name may have meant, to be put behind a message.

    >>> meant("rigde", ["ridge", "noise"])
    ' (did you mean ridge?)'
    """
    close = difflib.get_close_matches(value, list(options), n=most)
    return f" (did you mean {', '.join(close)}?)" if close else ""


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """One of the named options."""
    options = list(options)
    if value not in options:
        raise InputError(name, _show(repr(value)), "one of " + ", ".join(options))
    return value
