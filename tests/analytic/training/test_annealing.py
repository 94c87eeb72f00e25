"""The best annealing: its noise by exact recursion, its exponent, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import ExponentialDecay, PowerLaw
from solvable.analytic.training.annealing import (
    least_noise,
    noise_kernel,
    optimal_annealing,
    polynomial_decay,
)
from solvable.analytic.training.scheduled_training import scheduled_dynamics

LAW = PowerLaw(exponent=1.5)


def noise(law, rates, batch=1e4, loud=1e18):
    found = scheduled_dynamics(
        law, math.inf, math.inf, [rates.last], rates, batch=batch, noise=loud
    )
    return found.excess_loss[0] / loud * batch


@pytest.mark.parametrize("law", [LAW, ExponentialDecay(rate=0.2, size=60)])
def test_no_schedule_of_as_many_steps_and_as_much_time_leaves_less(law):
    steps, total = 20_000, 200.0
    best = noise(law, optimal_annealing(law, total, steps))
    assert best == pytest.approx(least_noise(law, total, steps), rel=1e-2)
    for power in (0.0, 0.5, 1.0, 2.0, 4.0):
        other = polynomial_decay((power + 1) * total / steps, steps, power)
        assert noise(law, other) > best


def test_a_power_law_is_annealed_as_a_power():
    rates = optimal_annealing(LAW, 1e6, 10**8)
    left = np.array([4e7, 8e7])
    assert log_slope(left, rates(1e8 - left)) == pytest.approx(2 * 1.5 - 1, rel=0.02)


@settings(max_examples=10, deadline=None)
@given(exponent=st.floats(1.2, 4), total=st.floats(1.0, 1e4))
def test_the_kernel_is_the_sum_over_modes(exponent, total):
    law = PowerLaw(exponent=exponent, size=50, scale=1.5)
    x = law.eigenvalues()
    exact = np.sum(x**2 * np.exp(-2 * x * total))
    assert noise_kernel(law)(total) == pytest.approx(exact, rel=1e-9, abs=1e-13)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="total"):
        optimal_annealing(LAW, 1e4, 1000)
    for bad in (0, -1, math.inf, math.nan):
        with pytest.raises(InputError, match="total"):
            least_noise(LAW, bad, 10)


@pytest.mark.parametrize("unit", [1e-3, 7.0, 1e4])
def test_the_least_noise_does_not_depend_on_the_unit_of_the_eigenvalues(unit):
    own = least_noise(PowerLaw(exponent=1.7), 50.0, 1000)
    other = least_noise(PowerLaw(exponent=1.7, scale=unit), 50.0 / unit, 1000)
    assert other == pytest.approx(own, rel=1e-9)


@pytest.mark.parametrize("total", [5.0, 300.0])
def test_the_rates_cover_the_intrinsic_time(total):
    rates = optimal_annealing(LAW, total, 200_000)
    assert rates(np.arange(200_000)).sum() == pytest.approx(total, rel=2e-4)


def test_a_polynomial_begins_with_the_first_step():
    assert [piece.first for piece in polynomial_decay(0.2, 30, 2.0).pieces] == [0]
