"""Equal numbers of different types: an answer does not depend on what was asked before.

What is remembered is found by equality, and 1 == True == 1.0 == Fraction(1) have one hash: the
second call must not be given the answer, or the refusal, of the first.
"""

import functools
import gc
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp

import solvable as sv
from tests.test_bad_arguments import example_calls

EQUAL = (
    (Fraction(3, 2), sp.Float("1.5", 40), 1.5, sp.Rational(3, 2), mpmath.mpf("1.5")),
    (True, 1, 1.0, sp.Integer(1), np.bool_(True), Fraction(1), sp.true, 1 + 0j),
    (0, False, 0.0, sp.Integer(0), mpmath.mpf(0)),
)
NAMES = ("power_sum", "enclosure", "excess_loss_formula", "PowerLaw")


def forget():
    """Empty what the package remembers."""
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper) and one.__module__.startswith("solvable."):
            one.cache_clear()


def answer(name, signature, bound, argument, value):
    given = signature.bind(*bound.args, **bound.kwargs)
    given.arguments[argument] = value
    try:
        return repr(getattr(sv, name)(*given.args, **given.kwargs))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("name", NAMES)
def test_equal_values_do_not_answer_for_one_another(name):
    signature, bound = next(example_calls(name))
    first = next(iter(signature.parameters))
    for values in EQUAL:
        alone = []
        for value in values:
            forget()
            alone.append(answer(name, signature, bound, first, value))
        forget()
        for k in (*range(len(values)), *reversed(range(len(values)))):
            assert answer(name, signature, bound, first, values[k]) == alone[k], values[k]
