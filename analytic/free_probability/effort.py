"""How long a derivation may take: beyond it the expression is refused, with the stage it was in.

Most expressions take milliseconds; some, such as high powers or several nested inverses around one
deterministic matrix, have closed forms that no one could read and that take hours.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

from ..errors import OutsideTheoryError


class TooLongError(OutsideTheoryError):
    """The reduced equations take too long to find, or are too long to read."""


SECONDS = 15.0  # of the processor
TERMS = 4_000  # of one trace

_end: ContextVar[tuple[float, float] | None] = ContextVar("end", default=None)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Within the block `go_on` refuses once this much processor time was spent.

    A block inside another ends no later than that one.
    """
    inner, outer = (time.thread_time() + seconds, seconds), _end.get()
    token = _end.set(min(inner, outer or inner))
    try:
        yield
    finally:
        _end.reset(token)


def go_on(stage: str) -> None:
    """`OutsideTheoryError` if the time allowed is over."""
    limit = _end.get()
    if limit is not None and time.thread_time() > limit[0]:
        raise TooLongError(
            f"the equations were not found in {limit[1]:g} s of processor time ({stage}): "
            "use a lower power or fewer nested inverses, split the expression into traces that are "
            "derived one by one, or allow more time with derive(..., seconds=…)"
        )


def readable(terms: int) -> None:
    """`OutsideTheoryError` for a trace of so many terms that its equations help nobody."""
    go_on("traces of the block resolvent")
    if terms > TERMS:
        raise TooLongError(
            f"a trace of the block resolvent has {terms} terms, more than {TERMS}: use a lower "
            "power or fewer nested inverses"
        )
