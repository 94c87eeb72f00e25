"""Labels as targets of regression.

Text, or whole numbers of 3 to `MOST_CLASSES` different values, name classes: C columns, 1 in that
of the class and 0 elsewhere. Everything else is real: two classes given as numbers (0 and 1, or
−1 and 1) are regressed as they stand. The error of a prediction is the squared distance to the
target, summed over the columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..errors import InputError

MOST_CLASSES = 100
KINDS = ("auto", "classes", "real")


def as_targets(labels: Any, samples: int, kind: str = "auto") -> np.ndarray:
    """The targets Y of shape (P, C).

    >>> as_targets(["a", "b", "a"], 3)
    array([[1., 0.],
           [0., 1.],
           [1., 0.]])
    >>> as_targets([0.5, -1, 2], 3).shape
    (3, 1)
    """
    arguments.choice("targets", kind, KINDS)
    array = np.asarray(labels)
    if array.ndim == 0 or len(array) != samples:
        length = len(array) if array.ndim else 0
        raise InputError("labels", f"{length} of them", f"{samples}, one per sample")
    words = array.dtype.kind in "USO"
    if kind == "real" and words:
        raise InputError("labels", "words", "numbers, where targets are real")
    if not words and not np.all(np.isfinite(np.asarray(array, float))):
        raise InputError("labels", "NaN or infinity", "finite numbers, or names of classes")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim > 2 or (array.ndim == 2 and (words or kind == "classes")):
        raise InputError("labels", f"of shape {array.shape}", "one class per sample")
    if np.all(array == array[0]):
        raise InputError("labels", f"all {str(array.flat[0])[:40]}",
                         "two or more classes or values: else nothing is learned")  # fmt: skip
    if array.ndim == 2:
        return np.asarray(array, float)
    if words or kind == "classes" or (kind == "auto" and _whole(array)):
        classes, member = np.unique(array, return_inverse=True)
        if len(classes) > MOST_CLASSES or 2 * len(classes) > samples + 1:
            raise InputError("labels", f"{len(classes)} classes of {samples} samples", "at most "
                             f"{MOST_CLASSES} classes with members, or real targets")  # fmt: skip
        return np.eye(len(classes))[member.ravel()]
    return np.asarray(array, float)[:, None]


def _whole(array: np.ndarray) -> bool:
    """Whether numbers look like names of three or more classes."""
    values = np.unique(array)
    whole = bool(np.all(values == np.round(values)))
    return whole and 3 <= len(values) <= min(MOST_CLASSES, len(array) / 5)
