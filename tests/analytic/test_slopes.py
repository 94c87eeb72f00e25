"""Slopes of least-squares lines: those of powers, of numpy's fit, and of mpmath numbers."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.slopes import log_slope, slope_weights

VALUES = st.lists(st.integers(1, 1000), min_size=3, max_size=8, unique=True)


@given(VALUES, st.floats(-5, 5), st.floats(0.1, 10))
def test_a_power_has_its_exponent_in_both_kinds_of_numbers(points, power, scale):
    x = np.array(points, float)
    assert log_slope(x, scale * x**power) == pytest.approx(power, abs=1e-9)
    exact = [mpmath.mpf(p) for p in points]
    found = log_slope(exact, [mpmath.mpf(scale) * p ** mpmath.mpf(power) for p in exact])
    assert isinstance(found, mpmath.mpf) and abs(found - power) < 1e-12


@given(VALUES, st.integers(0, 10**6))
def test_the_line_is_that_of_the_least_weighted_squares(points, seed):
    rng, x = np.random.default_rng(seed), np.array(points, float)
    y, errors = rng.normal(size=len(x)), rng.uniform(0.5, 2, len(x))
    slope = np.polyfit(x, y, 1, w=1 / errors)[0]
    assert slope_weights(x, errors) @ y == pytest.approx(slope, rel=1e-6, abs=1e-9)
    assert np.sum(slope_weights(x, errors)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("x", [[1.0], [2.0, 2.0], [[1.0, 2.0]], 3.0])
def test_no_line_is_refused(x):
    with pytest.raises(InputError, match="two or more different"):
        slope_weights(x)
