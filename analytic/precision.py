"""Raised working precision, for one thread at a time.

mpmath and FLINT keep their working precision in one global context. Whoever raises it here holds a
lock until it is restored, so that calls from several threads wait for one another, none computes at
the precision of another, and the caller's precision is left as it was. Who computes at the caller's
precision holds the lock, too (`kept`, `kept_for`). float64 needs none of this.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Any, TypeVar

import flint
import mpmath

Function = TypeVar("Function", bound=Callable[..., Any])
_lock = threading.RLock()


def _renew() -> None:
    """A forked child begins with a lock that nobody holds."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


@contextmanager
def _held(manager: Callable[[Any], AbstractContextManager[Any]], amount: Any) -> Iterator[None]:
    with _lock, manager(amount):
        yield


def workdps(digits: int) -> AbstractContextManager[None]:
    """Work with so many decimal digits.

    >>> with workdps(30):
    ...     print(mpmath.mpf(1) / 3)
    0.333333333333333333333333333333
    """
    return _held(mpmath.workdps, digits)


def workprec(bits: int) -> AbstractContextManager[None]:
    """Work with so many bits."""
    return _held(mpmath.workprec, bits)


def extradps(digits: int) -> AbstractContextManager[None]:
    """Work with so many decimal digits more."""
    return _held(mpmath.extradps, digits)


def extraprec(bits: int) -> AbstractContextManager[None]:
    """Work with so many bits more."""
    return _held(mpmath.extraprec, bits)


def kept_for(*values: Any) -> AbstractContextManager[None]:
    """Keep the caller's precision, where one of the values, or of their entries, is of mpmath."""
    every = [x for value in values for x in (value if isinstance(value, list | tuple) else [value])]
    if any(isinstance(x, mpmath.mpf | mpmath.mpc) for x in every):
        return extraprec(0)
    return nullcontext()


def kept(function: Function) -> Function:
    """The function, computing at the precision of its caller whatever other threads do.

    >>> print(kept(mpmath.sqrt)(2))
    1.4142135623731
    """

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        with extraprec(0):
            return function(*arguments, **options)

    return call  # type: ignore[return-value]


def ball_precision(bits: int) -> AbstractContextManager[None]:
    """Work with balls of so many bits."""
    return _held(flint.ctx.workprec, bits)
