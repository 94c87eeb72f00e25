"""Contour quadrature, and κ continued along contours."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.resolvent import solve, solve_along, solve_along_exactly
from solvable.analytic.resolvent.equation import responses
from solvable.analytic.resolvent.path import coarse_modes
from solvable.analytic.spectrum import Empirical, Flat, PowerLaw
from solvable.analytic.training.contour import as_array, circle, exponential, hyperbola, windows

SPECTRA = [
    Flat(30),
    PowerLaw(alpha=0.5, size=300),
    PowerLaw(alpha=0.1),
    PowerLaw(alpha=1, size=10**6),
    Empirical([5.0, 1.0, 1.0, 1e-3]),
]


def inverse_laplace(contour, time, rate):
    terms = contour.weights * exponential(contour.nodes * time) / (contour.nodes + rate)
    return 2 * np.sum(terms).real


@settings(max_examples=60, deadline=None)
@given(
    time=st.floats(1e-15, 1e15),
    ratio=st.floats(1, 8),
    rate=st.floats(0, 1e3),
    inside=st.floats(0, 1),
)
def test_hyperbola_reaches_its_accuracy_at_all_times(time, ratio, rate, inside):
    accuracy = 1e-12
    contour = hyperbola(time, time * ratio, accuracy)
    moment = time * ratio**inside
    value = inverse_laplace(contour, moment, rate / time)
    assert abs(value - math.exp(-rate / time * moment)) < 10 * accuracy


def test_error_falls_geometrically_with_the_number_of_nodes():
    """ln(error) against n is a line of slope −(π² − 2πα)/arcosh(…) ≈ −1.8, as observed."""
    nodes, errors = [], []
    for accuracy in 10.0 ** np.arange(-2, -12, -1):
        contour = hyperbola(1.0, 1.0, accuracy)
        nodes.append(len(contour.nodes))
        rates = np.geomspace(1e-3, 1e3, 40)
        errors.append(max(abs(inverse_laplace(contour, 1.0, r) - math.exp(-r)) for r in rates))
    slope = np.polyfit(nodes, np.log(errors), 1)[0]
    assert -2.3 < slope < -1.5, slope


def test_number_of_nodes_does_not_depend_on_time():
    assert len({len(hyperbola(t, t, 1e-15).nodes) for t in 10.0 ** np.arange(-15, 31)}) == 1


def test_hyperbola_outside_its_window_fails():
    contour = hyperbola(1.0, 2.0, 1e-12)
    assert abs(inverse_laplace(contour, 1.5, 0.5) - math.exp(-0.75)) < 1e-10
    assert abs(inverse_laplace(contour, 0.01, 0.5) - math.exp(-0.005)) > 1e-3


@pytest.mark.parametrize("digits", [30, 80])
def test_hyperbola_in_any_precision(digits):
    with mpmath.workdps(2 * digits):
        contour = hyperbola(mpmath.mpf(3), mpmath.mpf(3), mpmath.mpf(10) ** -digits, mp=True)
        value = inverse_laplace(contour, 3, mpmath.mpf(1) / 3)
        assert abs(value - mpmath.exp(-1)) < mpmath.mpf(10) ** (1 - digits)


@pytest.mark.parametrize("steps", [1, 2, 7, 34])
@pytest.mark.parametrize("radius", [1.0, 1.5])
def test_circle(steps, radius):
    contour = circle(steps, radius, 1e-14)
    for eigenvalue in (0.0, 1.0, -radius, 0.3, 0.2j):
        for n in range(steps + 1):
            mu = np.exp(contour.nodes)
            upper = contour.weights * mu ** (n + 1)
            value = np.sum(upper / (mu - eigenvalue) + np.conj(upper) / (np.conj(mu) - eigenvalue))
            assert abs(value - complex(eigenvalue) ** n) < 1e-11 * radius**n


@given(st.lists(st.floats(1e-10, 1e10), min_size=1, max_size=30))
def test_windows_cover_every_time_once(times):
    groups = windows(np.array(times), 8.0)
    assert sorted(i for group in groups for i in group) == list(range(len(times)))
    for group in groups:
        members = [times[i] for i in group]
        assert members == sorted(members) and members[-1] <= 8.0 * members[0]


@pytest.mark.parametrize("spectrum", SPECTRA, ids=repr)
@pytest.mark.parametrize("sizes", [(8, 20), (20, 8), (12, 12), (math.inf, 9), (9, math.inf)])
def test_continuation_agrees_with_the_solver(spectrum, sizes):
    for time in (1e-2, 1.0, 1e6):
        z = hyperbola(time, time, 1e-15).nodes
        along = solve_along(spectrum, *sizes, z)
        direct = solve(spectrum, *sizes, z[::7])
        assert np.allclose(along.value[::7], direct.value, rtol=1e-12)
        product = along.value * along.feature_response * along.sample_response
        assert np.allclose(product, z, rtol=1e-13)
        assert np.all(along.value.imag >= 0)


def test_responses_keep_their_digits_at_late_times():
    """At t = 1e12 the plain bracket 1 − D₁/N has seven digits left; κR₁R₃ = z gives all of them."""
    spectrum, n, t = PowerLaw(alpha=0.5, size=300), 40, 100
    z = hyperbola(1e12, 1e12, 1e-15).nodes[::5]
    along = solve_along(spectrum, n, t, z)
    with mpmath.workdps(50):
        exact = solve_along_exactly(
            spectrum, n, t, as_array([mpmath.mpmathify(x) for x in z], True)
        )
    reference = exact.feature_response.astype(complex)
    assert np.max(np.abs(along.feature_response / reference - 1)) < 1e-13
    plain = 1 - spectrum.resolvent_sum(along.value, 1, 1) / n
    assert np.max(np.abs(plain / reference - 1)) > 1e-8


@settings(max_examples=60, deadline=None)
@given(r1=st.complex_numbers(min_magnitude=1e-8, max_magnitude=1.5), ratio=st.floats(0.1, 10))
def test_responses_solve_their_quadratic(r1, ratio):
    tau, nu = 1 / 30, ratio / 30
    d1 = np.array([(1 - r1) / tau])
    r3 = 1 - d1 * nu
    found3, found1 = responses(d1, 1 / nu, 1 / tau, r3 * r1, r3 + r1)
    if np.abs(r1 + r3[0]) > 1e-6:  # the branch is known by the sum
        assert np.allclose([found3[0], found1[0]], [r3[0], r1], rtol=1e-6, atol=1e-12)


def test_coarse_spectrum_is_short_and_close():
    spectrum = PowerLaw(alpha=0.5)
    rate, weight = coarse_modes(spectrum)
    assert len(rate) < 1000
    k = np.geomspace(1e-12, 10, 20)
    coarse = (rate * weight / (rate + k[:, None])).sum(axis=1)
    assert np.max(np.abs(coarse / spectrum.resolvent_sum(k, 1, 1) - 1)) < 0.01


@settings(max_examples=60, deadline=None)
@given(steps=st.integers(1, 400), log_accuracy=st.floats(-12, -2), radius=st.floats(0.5, 2))
def test_circle_has_the_nodes_that_its_accuracy_needs(steps, log_accuracy, radius):
    """Where μ lies on the circle's radius ρ what is wrong is ρ^steps e^{−2 half c/steps}."""
    accuracy = 10.0**log_accuracy
    contour = circle(steps, radius, accuracy)
    terms = np.exp(steps * (contour.nodes - math.log(radius)))
    found = 2 * np.sum(contour.weights * terms / (1 - radius * np.exp(-contour.nodes))).real
    assert abs(found - 1) < accuracy + 2e-15 * steps  # and rounding
    growth = steps * (contour.nodes[0].real - math.log(radius))
    assert len(contour.nodes) < -math.log(accuracy) * steps / (2 * growth) + 3
