"""Equality of results that hold arrays.

Two results are equal where they are of one type and every field that is compared is equal, an array
entry by entry, NaN in both counting as equal. So a result that went through a file, or another
process, compares equal to the one that was sent.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal: numbers, arrays, or lists, tuples and dicts of them.

    >>> same((1, np.array([1.0, np.nan])), (1, np.array([1.0, np.nan]))), same([1], (1,))
    (True, False)
    """
    if first is second:
        return True
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return _same_arrays(np.asarray(first), np.asarray(second))
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        ends = type(first) is type(second) and len(first) == len(second)
        return ends and all(same(x, y) for x, y in zip(first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    return bool(first == second) or bool(first != first and second != second)


def _same_arrays(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape:
        return False
    if first.dtype.kind in "fc" and second.dtype.kind in "fc":
        return np.array_equal(first, second, equal_nan=True)
    return all(same(x, y) for x, y in zip(first.flat, second.flat))


class Comparable:
    """A dataclass (declared with ``eq=False``) whose fields may be arrays."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        names = [field.name for field in fields(self) if field.compare]  # type: ignore[arg-type]
        return all(same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]
