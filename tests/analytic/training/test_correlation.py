"""System (2): its solution, its cancellation-free form, and the sums over pairs of modes."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.loss import static_loss
from solvable.analytic.notation import kappa, kappa_prime, z, z_prime
from solvable.analytic.resolvent import ResolventSolution, solve, solve_along
from solvable.analytic.spectrum import CutoffPowerLaw, Empirical, Flat, PowerLaw
from solvable.analytic.training import correlation
from solvable.analytic.training.correlation import (
    NU,
    R1,
    R1_PRIME,
    R3,
    R3_PRIME,
    TAU,
    A,
    B,
    D,
    E,
    correlation_solution,
    correlation_system,
    distance_to_spectrum,
    pair_sums,
    points,
    two_point,
    two_point_formula,
)

SPECTRA = [
    Flat(50),
    PowerLaw(alpha=0.25, target_exponent=1.5, size=120),
    PowerLaw(alpha=1, target_exponent=3.4),
    CutoffPowerLaw(0.5, 20, 80),
    Empirical([3.0, 1.0, 1.0, 0.2, 1e-3], [1.0, 0.0, 2.0, 0.5, 0.1]),
]
SIZES = [(20, 45), (45, 20), (30, 30), (math.inf, 25), (25, math.inf)]
SHARED = list(itertools.product((True, False), repeat=2))


def pair_values(seed):
    """Random positive values of everything that the formulas are written in, consistently."""
    rng = np.random.default_rng(seed)
    modes, power = rng.uniform(0.1, 2, 6), rng.uniform(0.1, 2, 6)
    n, t = rng.uniform(8, 20, 2)
    k, kp = (sp.Float(x, 40) for x in rng.uniform(0.2, 3, 2))
    modes, power = ([sp.Float(x, 40) for x in values] for values in (modes, power))

    def total(f, *scales):
        terms = (f(x, p) / sp.prod([x + s for s in scales]) for x, p in zip(modes, power))
        return sum(terms, sp.Integer(0))

    sizes = {NU: 1 / sp.Float(n, 40), TAU: 1 / sp.Float(t, 40)}
    brackets = {
        r: 1 - total(lambda x, p: x, s) * sizes[inverse]
        for r, inverse, s in (
            (R1, TAU, k), (R1_PRIME, TAU, kp), (R3, NU, k), (R3_PRIME, NU, kp),
        )
    }  # fmt: skip
    pairs = {
        A: total(lambda x, p: p, k, kp),
        B: total(lambda x, p: x, k, kp),
        D: total(lambda x, p: x * x, k, kp),
        E: total(lambda x, p: p * x, k, kp),
        correlation.H1: total(lambda x, p: p, k),
    }
    frequencies = {
        z: k * brackets[R1] * brackets[R3],
        z_prime: kp * brackets[R1_PRIME] * brackets[R3_PRIME],
    }
    scales = {kappa: k, kappa_prime: kp, correlation.NOISE: sp.Float(rng.uniform(), 40)}
    return {**sizes, **brackets, **pairs, **frequencies, **scales}


def with_pair_sums(expression, values):
    unit = values[kappa] * values[kappa_prime] / (values[z] * values[z_prime])
    names = (correlation.S_TARGET, correlation.S_MODE, correlation.S_MODE2, correlation.S_TARGET2)
    sums = dict(zip(names, (unit * values[x] for x in (A, B, D, E))))
    return expression.subs({**values, **sums})


@pytest.mark.parametrize(("features", "data"), SHARED)
def test_solution_solves_the_system(features, data):
    c0, c1 = correlation_solution(shared_features=features, shared_data=data)
    system = correlation_system(shared_features=features, shared_data=data)
    ((_, _, c2, c3),) = sp.linsolve(system, correlation.C)
    for equation in system:
        value = (equation.lhs - equation.rhs).subs(dict(zip(correlation.C, (c0, c1, c2, c3))))
        assert sp.cancel(sp.together(value)) == 0
    wrong = c0.subs(correlation.NU, 2 * correlation.NU)
    assert (sp.cancel(wrong - c0) == 0) == (not features)  # sensitive to 1/N if it is present


@pytest.mark.parametrize(("features", "data"), SHARED)
@pytest.mark.parametrize("seed", range(3))
def test_stable_form_equals_the_solution(features, data, seed):
    values = pair_values(seed)
    exact = correlation_solution(shared_features=features, shared_data=data)
    stable = two_point_formula(shared_features=features, shared_data=data)
    for one, other in zip(exact, stable):
        expected = with_pair_sums(one, values)
        assert abs(other.expression.subs(values) / expected - 1) < 1e-30
    # a wrong bracket is noticed: R₁' where R₁ should be
    swapped = stable[0].expression.subs(R1, R1_PRIME)
    assert abs(swapped.subs(values) / with_pair_sums(exact[0], values) - 1) > 1e-6


@pytest.mark.parametrize(("features", "data"), SHARED)
def test_stable_form_has_no_differences(features, data):
    for formula in two_point_formula(shared_features=features, shared_data=data):
        numerator, denominator = sp.fraction(sp.together(formula.expression))
        for part in (numerator, denominator):
            signs = {sp.sign(c) for c in sp.Poly(sp.expand(part)).coeffs()}
            assert len(signs) == 1


def test_training_correlation_is_a_divided_difference():
    """C₁(z,z') = −(F − F')/(z − z') with F = R₁(κh₁ + σ²)/z: one frequency is enough."""
    for spectrum, (n, t) in itertools.product(SPECTRA, SIZES):
        frequencies = np.array([0.3 + 0.2j, 0.05 + 0.4j, 2j])
        x = points(spectrum, solve_along(spectrum, n, t, frequencies), frequencies)
        c0, c1 = two_point(x, x, n, t, 0.3)
        one = x.R1 * (x.kappa * x.target + 0.3) / x.z
        rows, columns = np.nonzero(~np.eye(3, dtype=bool))
        difference = (one[rows] - one[columns]) / (frequencies[columns] - frequencies[rows])
        assert np.allclose(c1[rows, columns], difference, rtol=1e-11)
        noisy = c0 + 0.3 / np.multiply.outer(frequencies, frequencies)
        assert np.allclose(c1, noisy * np.multiply.outer(x.R1, x.R1), rtol=1e-12)
        wrong = x.R3 * (x.kappa * x.target + 0.3) / x.z
        wrong = (wrong[rows] - wrong[columns]) / (frequencies[columns] - frequencies[rows])
        assert n == t or not np.allclose(c1[rows, columns], wrong, rtol=1e-3)


@pytest.mark.parametrize("spectrum", SPECTRA, ids=repr)
@pytest.mark.parametrize("sizes", SIZES)
def test_static_ridge_loss_is_the_diagonal(spectrum, sizes):
    n, t = sizes
    ridges = np.geomspace(1e-6, 10, 8)
    solution = solve(spectrum, n, t, ridges)
    x = points(spectrum, solution, ridges)
    c0, c1 = (np.diagonal(c) * ridges**2 for c in two_point(x, x, n, t, 0.25))
    finite = [float(s) if s < math.inf else 1e18 for s in sizes]
    closed = static_loss(spectrum, *finite, ridge=ridges * finite[0] * finite[1], noise=0.25)
    assert np.allclose(c0, closed.excess_loss, rtol=1e-10)
    assert np.allclose(c1, closed.train_loss, rtol=1e-10)


@pytest.mark.parametrize("spectrum", SPECTRA[1:], ids=repr)
def test_pair_sums_equal_direct_sums_however_close(spectrum):
    modes = min(spectrum.size, 200)
    short = spectrum if spectrum.size < 200 else PowerLaw(
        alpha=spectrum.alpha, target_exponent=spectrum.target_exponent, size=modes
    )  # fmt: skip
    values, power = short.eigenvalues(), short.target_power()
    for centre in (0.3, 1e-4, -0.05 + 0.02j, 4.0):
        offsets = np.concatenate([[0], 10.0 ** np.arange(-15, 1)])
        k = np.atleast_1d(centre) * (1 + offsets * (1 + 0.3j))
        exact = ResolventSolution(k, k, k, k, short.resolvent_sum(k, 1, 1))
        a, b = pair_sums(points(short, exact, k), points(short, exact, k))
        kernel = 1 / ((values + k[:, None, None]) * (values + k[None, :, None]))
        for found, weights in ((a, power), (b, values)):
            direct = kernel @ weights
            assert np.max(np.abs(found / direct - 1)) < 3e-13


def test_naive_difference_would_fail():
    """The confluent form is needed: the plain quotient has lost ten digits here."""
    spectrum = PowerLaw(alpha=0.5, size=100)
    k = np.array([0.1, 0.1 * (1 + 1e-11)])
    d = spectrum.resolvent_sum(k, 1, 1)
    plain = (d[0] - d[1]) / (k[1] - k[0])
    x = points(spectrum, ResolventSolution(k, k, k, k, spectrum.resolvent_sum(k, 1, 1)), k)
    _, b = pair_sums(x, x)
    assert abs(plain / b[0, 1] - 1) > 1e-8
    assert abs(b[0, 1] / spectrum.resolvent_sum(0.1, 1, 2) - 1) < 1e-10


def test_mpmath_face_agrees_with_float64():
    spectrum = PowerLaw(alpha=0.5, target_exponent=2, size=60)
    frequencies = [mpmath.mpc(0.1, 0.2), mpmath.mpc(0.02, 0.3)]
    with mpmath.workdps(30):
        from solvable.analytic.resolvent import solve_along_exactly

        exact = correlation.as_objects(frequencies)
        x = points(spectrum, solve_along_exactly(spectrum, 20, 30, exact), exact)
        slow = two_point(x, x, mpmath.mpf(20), mpmath.mpf(30), mpmath.mpf("0.1"))
    floats = np.array([complex(f) for f in frequencies])
    y = points(spectrum, solve_along(spectrum, 20, 30, floats), floats)
    fast = two_point(y, y, 20, 30, 0.1)
    for one, other in zip(slow, fast):
        assert np.allclose(one.astype(complex), other, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    real=st.floats(-3, 3),
    imaginary=st.floats(1e-3, 3),
    which=st.sampled_from(SPECTRA[:2] + SPECTRA[3:]),
)
def test_distance_is_a_lower_bound(real, imaginary, which):
    k = np.array([complex(real, imaginary)])
    assert distance_to_spectrum(which, k)[0] <= np.min(np.abs(which.eigenvalues() + k)) * (
        1 + 1e-12
    )


def test_sizes_broadcast():
    spectrum = PowerLaw(alpha=0.5, size=60)
    n, t = np.array([10.0, 20.0]), np.array([30.0, np.inf])
    frequencies = np.array([0.1 + 0.1j, 1j])
    x = points(spectrum, solve_along(spectrum, n, t, frequencies), frequencies)
    both = two_point(x, x, n, t, 0.1)[0]
    for i in range(2):
        one = points(spectrum, solve_along(spectrum, n[i], t[i], frequencies), frequencies)
        assert np.allclose(both[i], two_point(one, one, n[i], t[i], 0.1)[0], rtol=1e-13)


def test_without_noise_unless_said_otherwise():
    spectrum = PowerLaw(exponent=1.5, size=30)
    z = np.array([0.5 + 0.2j, 0.1 + 1j])
    x = points(spectrum, solve(spectrum, 20, 40, z), z)
    for one, other in zip(two_point(x, x, 20, 40), two_point(x, x, 20, 40, 0.0), strict=True):
        assert np.array_equal(one, other)
