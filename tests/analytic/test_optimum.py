"""One minimiser: brackets, minima by values, zeros of slopes."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import PrecisionError
from solvable.analytic.notation import N, T, alpha
from solvable.analytic.optimal_ridge import degrees, scaling_loss, scaling_optimum
from solvable.analytic.optimum import crossing, lowest, lowest_whole, minimum

PLACES = st.floats(-2.9, 2.9)
GRID = np.linspace(-3, 3, 13)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(PLACES, min_size=1, max_size=4), st.floats(0.1, 50))
def test_minimum_and_crossing_find_the_same_place(places, steepness):
    centres = np.array(places)

    def loss(x, centre):
        return np.cosh(steepness * (x - centre) / 10)

    around = lowest(GRID, loss(GRID[:, None], centres))
    x, value = minimum(loss, around, centres)
    assert np.all(np.abs(x - centres) < 1e-4 / min(1, steepness)) and np.allclose(value, 1)
    zero = crossing(lambda x, centre: np.sinh(x - centre), around.low, around.high, centres)
    assert np.allclose(zero, centres, atol=1e-12)
    assert not np.allclose(zero, centres + 1e-3, atol=1e-12)


def test_the_end_of_the_grid_and_one_sign():
    around = lowest(GRID, GRID)
    assert around.at_end and around.low == around.middle == -3
    x, value = minimum(lambda x: x, around)
    assert x == value == -3
    assert crossing(lambda x: x + 9, np.array([1.0]), np.array([2.0])) == 1
    assert crossing(lambda x: x - 9, np.array([1.0]), np.array([2.0])) == 2
    with pytest.raises(PrecisionError, match="too close"):
        crossing(lambda x: x + 9, mp.mpf(1), mp.mpf(2))


def test_digits_of_a_crossing():
    mp.mp.dps = 60
    root = crossing(lambda x: x**3 - 2, mp.mpf(1), mp.mpf(2))
    assert abs(root - mp.cbrt(2)) < mp.mpf(10) ** -55


@pytest.mark.parametrize("low", [-40, 0, 1])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 23])
def test_the_lowest_whole_number_is_that_of_all(low, count):
    for place in range(low, low + count):
        found = lowest_whole(lambda n, p=place: abs(n - p), low, low + count - 1)
        assert found == place


@pytest.mark.parametrize("shift", [-20, 0, 20])
@pytest.mark.parametrize("place", [-2.97, -2.8, 2.8, 2.97])
def test_a_minimum_between_the_last_two_points_of_the_grid(place, shift):
    grid = GRID + shift
    around = lowest(grid, (grid - place - shift) ** 2)
    x, value = minimum(lambda x: (x - place - shift) ** 2, around)
    assert x == pytest.approx(place + shift, abs=1e-4) and value < 1e-8


@pytest.mark.parametrize("values", [(0.4, 50, 80), (1, 70, 70), (2.5, 300, 20)])
def test_the_optimum_of_the_scaling_regime_is_where_its_loss_is_least(values):
    point = dict(zip((alpha, N, T), map(mp.mpf, values), strict=True))
    loss, best = scaling_loss().subs(point), scaling_optimum().subs(point)
    assert 0 < best < min(values[1:])
    assert abs(loss.diff(degrees).subs(degrees, best) / loss.subs(degrees, best)) < 1e-12
