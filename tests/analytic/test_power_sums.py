"""Power sums against direct summation, zeta values, Mellin series, and each other."""

import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
from flint import acb, arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError, PrecisionError
from solvable.analytic.power_sums import enclosure, power_sum, power_sum_with_error
from solvable.analytic.power_sums.certified import Summand
from solvable.analytic.power_sums.exponents import Exponents
from solvable.analytic.power_sums.vectorised import ROUNDING, horner
from solvable.analytic.precision import ball_precision

S = [Fraction(0), Fraction(1), Fraction(-1, 2), Fraction(5, 2), Fraction(1, 3), Fraction(-2)]
B = [Fraction(1), Fraction(5, 4), Fraction(3, 2), Fraction(2), Fraction(7, 3), Fraction(1, 2)]
Q = [Fraction(1), Fraction(2), Fraction(3), Fraction(1, 2), Fraction(5, 3)]
exponents = st.tuples(st.sampled_from(S), st.sampled_from(B), st.sampled_from(Q))
log_size = st.floats(-8, 4)
angles = st.one_of(st.just(0.0), st.floats(-0.95, 0.95))


def mp(x):
    return mpmath.mpf(x.numerator) / x.denominator


def direct_mp(s, b, q, kappa, size):
    """The definition, term by term."""
    s, b, q = mp(s), mp(b), mp(q)
    return mpmath.fsum(
        mpmath.mpf(j) ** -s / (1 + kappa * mpmath.mpf(j) ** b) ** q for j in range(1, size + 1)
    )


def direct_ball(s, b, q, kappa, size):
    """The definition, term by term, in balls of the current precision."""
    s, b, q = (arb(fmpq(x.numerator, x.denominator)) for x in (s, b, q))
    total = arb(0)
    for j in range(1, size + 1):
        total += arb(j) ** -s * (1 + kappa * arb(j) ** b) ** -q
    return total


def kappa_mp(log_kappa, angle):
    value = mpmath.mpf(10) ** mpmath.mpf(log_kappa)
    return value * mpmath.expjpi(mpmath.mpf(angle)) if angle else value


@settings(max_examples=60, deadline=None)
@given(exponents, log_size, angles, st.integers(1, 800), st.integers(15, 60))
def test_equals_direct_summation_to_all_digits(exps, log_kappa, angle, size, digits):
    with mpmath.workdps(digits):
        kappa = kappa_mp(log_kappa, angle)
        value = power_sum(*exps, kappa, size)
        with mpmath.extradps(30):
            exact = direct_mp(*exps, kappa, size)
        assert abs(value - exact) <= 1.01 * mpmath.mp.eps * abs(exact)


@pytest.mark.parametrize(
    ("exps", "kappa"), [((0, 1.5, 1), "1e-7"), ((0, 1.5, 2), "1e-3"), ((0.25, 1.5, 1), "2")]
)
def test_hundred_thousand_terms_at_forty_digits(exps, kappa):
    exps = tuple(map(Fraction, exps))
    with mpmath.workdps(40), flint.ctx.workprec(200):
        kappa = mpmath.mpf(kappa)
        value = power_sum(*exps, kappa, 10**5)
        error = abs(arb(value) - direct_ball(*exps, arb(kappa), 10**5))
        assert error < abs(arb(value)) * arb(10) ** -40


@settings(max_examples=80, deadline=None)
@given(exponents, log_size, angles, st.integers(1, 10**40))
def test_two_precisions_agree(exps, log_kappa, angle, size):
    with mpmath.workdps(25):
        kappa = kappa_mp(log_kappa, angle)
        low = power_sum(*exps, kappa, size)
        with mpmath.workdps(61):
            high = power_sum(*exps, kappa, size)
        assert abs(low - high) <= 1.01 * mpmath.mp.eps * abs(high)


@settings(max_examples=80, deadline=None)
@given(exponents, log_size, angles, st.one_of(st.integers(1, 10**12), st.just(math.inf)))
def test_faces_agree_within_the_error_bounds(exps, log_kappa, angle, size):
    s, b, q = exps
    if size == math.inf and s + b * q <= 1:
        size = 10**9
    kappa = 10.0**log_kappa * (np.exp(1j * math.pi * angle) if angle else 1.0)
    s, b, q = map(float, exps)
    value, bound = power_sum_with_error(s, b, q, kappa, size)
    exact, exact_bound = power_sum_with_error(s, b, q, mpmath.mpmathify(kappa), size)
    assert abs(mpmath.mpmathify(complex(value)) - exact) <= bound + exact_bound
    assert bound < 1e-11 * abs(exact) or angle


def sample(rng, count):
    """Random exponents with ``count`` values of κ and M, over the whole range of use."""
    b = float(rng.choice([1, 1.25, 1.5, 2, 3, rng.uniform(0.5, 5)]))
    resonance = 1 + b * rng.integers(-2, 2)
    s = float(rng.choice([0, 1 - b, b, -b, rng.uniform(-2, 5), resonance, resonance + 1e-9]))
    q = float(rng.choice([1, 2, 3, 4, rng.uniform(0.25, 4)]))
    kappa = 10 ** rng.uniform(-10, 4, count)
    kappa[: count // 10] = 10 ** rng.uniform(-290, 290, count // 10)
    if rng.random() < 0.6:
        kappa = kappa * np.exp(1j * np.pi * rng.uniform(-0.95, 0.95, count))
    size = np.round(10 ** rng.uniform(0, 20, count))
    special = rng.choice([3, 31, 32, 33, 64, 1e18, 1e100, 1e300, math.inf], count)
    size = np.where(rng.random(count) < 0.4, special, size)
    if s + b * q <= 1.001:
        size = np.minimum(size, 1e15)
    return (s, b, q), kappa, size


def float_errors(seed, groups, count=20):
    """Errors of the float64 face: relative, and relative to its own estimate."""
    rng = np.random.default_rng(seed)
    relative, against_bound = [], []
    for _ in range(groups):
        exps, kappa, size = sample(rng, count)
        values, bounds = power_sum_with_error(*exps, kappa, size)
        for value, bound, k, m in zip(values, bounds, kappa, size):
            exact = enclosure(*exps, k, m, digits=25)
            if not arb("1e-300") < abs(exact) < arb("1e300"):
                continue  # outside the range of float64
            error = abs(acb(complex(value)) - exact)
            relative.append(float(error / abs(exact)))
            against_bound.append(float(error) / bound)
    return np.array(relative), np.array(against_bound)


def check_float_errors(seed, groups):
    relative, against_bound = float_errors(seed, groups)
    message = (
        f"{len(relative)} sums: relative error median {np.median(relative):.1e}, "
        f"99 % {np.quantile(relative, 0.99):.1e}, largest {relative.max():.1e}; "
        f"error/estimate at most {against_bound.max():.2f}"
    )
    print(message)
    assert against_bound.max() < 1, message
    assert np.quantile(relative, 0.99) < 1e-14, message


def test_float64_accuracy():
    check_float_errors(seed=3, groups=40)


@pytest.mark.slow
def test_float64_accuracy_on_many():
    check_float_errors(seed=4, groups=1000)


def test_float64_real_is_accurate_to_a_few_ulp():
    kappa = np.logspace(-12, 3, 120)
    for q in (1, 2):
        value = power_sum(0, 1.5, q, kappa)
        exact = [power_sum(0, 1.5, q, mpmath.mpf(k)) for k in kappa]
        error = max(float(abs(v - e) / e) for v, e in zip(value, exact))
        assert error < 1e-15, error


def contained(rng, count):
    """How many of ``count`` random enclosures miss the directly summed value."""
    misses = certain = used = 0
    for _ in range(count):
        q = Fraction(int(rng.integers(1, 64)), 16) if rng.random() < 0.3 else rng.integers(1, 4)
        s, b = Fraction(int(rng.integers(-40, 80)), 16), Fraction(int(rng.integers(8, 64)), 16)
        exps = s, b, Fraction(int(q)) if isinstance(q, np.integer) else q
        magnitude = 10 ** rng.uniform(-9, 3)
        angle = math.pi * rng.uniform(-0.99, 0.99)
        kappa = arb(magnitude)
        if rng.random() < 0.6:
            kappa = acb(magnitude * math.cos(angle), magnitude * math.sin(angle))
        size, digits = int(rng.integers(100, 700)), int(rng.integers(5, 40))
        ball = enclosure(*exps, kappa, size, digits=digits)
        with flint.ctx.workprec(256):
            misses += not ball.contains(direct_ball(*exps, kappa, size))
            certain += ball.rel_accuracy_bits() >= digits * math.log2(10)
        used += 1
    return misses, used - certain


def test_enclosures_contain_the_direct_sum():
    assert contained(np.random.default_rng(5), 300) == (0, 0)


@pytest.mark.slow
def test_ten_thousand_enclosures_contain_the_direct_sum():
    assert contained(np.random.default_rng(6), 10_000) == (0, 0)


def test_an_enclosure_rejects_wrong_values():
    ball = enclosure(0, 1.5, 1, 0.01, 400, digits=30)
    with flint.ctx.workprec(256):
        exact = direct_ball(Fraction(0), Fraction(3, 2), Fraction(1), arb(0.01), 400)
        assert ball.contains(exact)
        assert not ball.overlaps(exact * (1 + arb(10) ** -28))
        last = 1 / (1 + arb(0.01) * arb(400) ** 1.5)
        assert not ball.overlaps(exact - last / 2)  # trapezoidal end term forgotten


def random_summand(rng):
    """A summand whose infinite sum converges, with a start and an order of its remainder."""
    b, q = Fraction(int(rng.integers(2, 12)), 4), Fraction(int(rng.integers(1, 4)))
    s = Fraction(int(rng.integers(-4, 20)), 4)
    s = max(s, Fraction(5, 4) - b * q)
    size, angle = 10 ** rng.uniform(-4, 4), math.pi * rng.choice([0, 0, rng.uniform(-0.8, 0.8)])
    kappa = acb(size * math.cos(angle), size * math.sin(angle)) if angle else arb(size)
    if rng.random() < 0.25:
        s, kappa = s + 2, arb(0)
    return Exponents(s, b, q), kappa, int(rng.integers(1, 6)), int(rng.choice([4, 6, 8, 12, 20]))


def cauchy_majorant(summand, zones, n):
    """2ζ(n)/(2π)^n ∫ n! (θx)^-n max |f(z)| dx, the largest on circles |z − x| = θx by trying."""
    s, b, q = float(summand.s), float(summand.b), float(summand.q)
    kappa, total = complex(summand.kappa), 0.0
    around = np.exp(1j * np.linspace(0, 2 * math.pi, 97))
    ends = [*(float(zone.start) for zone in zones[1:]), math.inf]
    for (theta, _, start, _), end in zip(zones, ends):
        theta, start = float(theta), float(start)
        y = np.linspace(0, min(math.log(end / start), 60 / n), 2001)  # x = start · e^y
        z = start * np.exp(y)[:, None] * (1 + theta * around)
        largest = np.abs(z**-s * (1 + kappa * z**b) ** -q).max(axis=1)
        terms = (theta * start) ** -n * np.exp((1 - n) * y) * start * largest
        total += (terms[1:] + terms[:-1]) @ np.diff(y) / 2
    return 2 * float(mpmath.zeta(n)) * math.factorial(n) / (2 * math.pi) ** n * total


def test_the_remainder_majorises_the_estimate_that_proves_it():
    """What Cauchy's estimate gives on the circles of the proof, and close above it."""
    rng, ratios = np.random.default_rng(8), []
    for _ in range(60):
        exps, kappa, start, n = random_summand(rng)
        with ball_precision(200):
            summand = Summand(exps, kappa)
            if zones := summand.zones(start):
                bound = float(summand.remainder(zones, n))
                ratios.append(bound / cauchy_majorant(summand, zones, n))
    assert min(ratios) > 0.999, min(ratios)
    assert np.quantile(ratios, 0.25) < 16, ratios  # a sixteenth of it is no bound


def test_zones_bound_the_summand_where_they_say():
    """|1 + κz^b| ≥ spread · max(1, |κz^b| where far) on every circle |z − x| ≤ θx of a zone."""
    rng = np.random.default_rng(10)
    around = np.exp(1j * np.linspace(0, 2 * math.pi, 97))
    for _ in range(200):
        exps, kappa, start, _ = random_summand(rng)
        summand = Summand(exps, kappa)
        zones = summand.zones(start)
        ends = [*(float(zone.start) for zone in zones[1:]), math.inf]
        for (theta, spread, begin, far), end in zip(zones, ends):
            x = np.geomspace(float(begin), min(end, 1e3 * float(begin)), 60)[:, None]
            power = complex(kappa) * (x * (1 + float(theta) * around)) ** float(summand.b)
            least = np.maximum(1, np.abs(power)) if far else 1
            assert np.min(np.abs(1 + power) / least) > (1 - 1e-12) * float(spread)
            if far:
                assert np.min(np.abs(power)) > 1 - 1e-12


def test_the_remainder_holds_what_the_expansion_leaves_out():
    rng = np.random.default_rng(9)
    for _ in range(60):
        exps, kappa, start, n = random_summand(rng)
        exact = enclosure(*exps, kappa, math.inf, digits=45)
        with ball_precision(300):
            summand = Summand(exps, kappa)
            if zones := summand.zones(start):
                value, derivatives = summand.boundary(start, n)
                found = summand.terms(1, start) + value / 2 - derivatives
                found += summand.integral(start, math.inf)
                assert abs(exact - found) <= summand.remainder(zones, n)


def test_the_sum_is_not_its_integral():
    b, kappa = 1.5, 1e-4
    leading = math.pi / b / math.sin(math.pi / b) * kappa ** (-1 / b)
    value = power_sum(0, b, 1, kappa)
    assert abs(value - leading + 0.5) < 1e-5
    assert abs(value - leading) > 0.4


@pytest.mark.parametrize("b", ["1.25", "1.5", "2.5"])
def test_mellin_series_for_infinite_size(b):
    with mpmath.workdps(30):
        b, kappa = mpmath.mpf(b), mpmath.mpf("1e-6")
        series = kappa ** (-1 / b) * mpmath.pi / b / mpmath.sin(mpmath.pi / b)
        series += sum((-1) ** j * mpmath.zeta(-b * j) * kappa**j for j in range(7))
        assert abs(power_sum(0, b, 1, kappa) - series) < mpmath.mpf("3e-30") * series
        assert abs(power_sum(0, b, 1, kappa) - series - mpmath.zeta(-b) * kappa) > 1e-9


def test_zero_kappa_gives_zeta_and_harmonic_numbers():
    with mpmath.workdps(40):
        zero = mpmath.mpf(0)
        tolerance = mpmath.mpf("1e-38")
        assert abs(power_sum(2.5, 1.5, 1, zero) - mpmath.zeta(2.5)) < tolerance
        assert abs(power_sum(1, 1.5, 1, zero, 10**30) - mpmath.harmonic(10**30)) < 1e2 * tolerance
        exact = mpmath.zeta(3) - mpmath.zeta(3, 1001)
        assert abs(power_sum(3, 1, 2, zero, 1000) - exact) < tolerance
        assert abs(power_sum(1.5, 1, 0, mpmath.mpf(7)) - mpmath.zeta(1.5)) < tolerance
    assert power_sum(0, 1.5, 1, 0.0, 1e300) == pytest.approx(1e300, rel=1e-15)
    assert power_sum(1, 1.5, 1, 0, 10**6) == pytest.approx(float(mpmath.harmonic(10**6)), rel=1e-15)
    assert power_sum(3.4, 1.2, 0, 0.0) == pytest.approx(float(mpmath.zeta(3.4)), rel=1e-15)
    assert power_sum(1.25, 1.5, 1, 0.0) == pytest.approx(float(mpmath.zeta(1.25)), rel=1e-15)


@pytest.mark.parametrize("kappa", [1e-300, 1e-12, 1.0, 1e300])
@pytest.mark.parametrize("size", [50, 10**6, 10**300, math.inf])
def test_extreme_scales(kappa, size):
    value = power_sum(0, 1.5, 2, kappa, size)
    exact = power_sum(0, 1.5, 2, mpmath.mpf(kappa), size)
    if exact > 1e-290:
        assert abs(value - exact) < 2e-15 * exact


def test_nearly_degenerate_exponents_are_continuous():
    """(1−s)/b near an integer: the two poles of the integral cancel, the sum does not jump."""
    with mpmath.workdps(30):
        kappa = mpmath.mpf("1e-5")
        at = power_sum(1, 1.5, 1, kappa, 10**20)
        for step in ("1e-20", "-1e-20"):
            near = power_sum(1 + mpmath.mpf(step), 1.5, 1, kappa, 10**20)
            assert mpmath.mpf("1e-21") < abs(near - at) < mpmath.mpf("1e-18")
    at = power_sum(1, 1.5, 1, 1e-5, 1e20)
    assert power_sum(1 + 1e-13, 1.5, 1, 1e-5, 1e20) == pytest.approx(at, rel=1e-12)


def test_close_to_the_negative_axis():
    kappa = 0.001 * np.exp(0.999j * math.pi)
    value, bound = power_sum_with_error(0, 1.5, 2, kappa, 10**7)
    exact = power_sum(0, 1.5, 2, mpmath.mpc(kappa), 10**7)
    assert abs(mpmath.mpc(value) - exact) < bound < 1e-10 * abs(exact)


def test_conjugate_argument_gives_conjugate_sum():
    kappa = np.array([1e-3 + 2e-3j, -1e-4 + 1e-5j, 3j])
    np.testing.assert_array_equal(
        power_sum(0.25, 1.5, 2, kappa.conj(), 1e9), power_sum(0.25, 1.5, 2, kappa, 1e9).conj()
    )


def test_decreasing_in_kappa_and_increasing_in_size():
    kappa = np.logspace(-14, 6, 3000)
    assert (np.diff(power_sum(0, 1.5, 1, kappa)) < 0).all()
    size = np.unique(np.round(np.logspace(0, 6, 3000)))
    assert (np.diff(power_sum(0, 1.5, 1, 1e-7, size)) > 0).all()


def test_broadcasting_shapes_and_types():
    kappa, size = np.logspace(-4, 1, 3)[:, None], np.array([2, 50, 10**4, math.inf])
    table = power_sum(0, 1.5, 1, kappa, size)
    assert table.shape == (3, 4) and table.dtype == np.float64
    one_by_one = [[power_sum(0, 1.5, 1, float(k), m) for m in size] for k in kappa[:, 0]]
    np.testing.assert_allclose(table, one_by_one, rtol=1e-15)
    assert isinstance(power_sum(0, 1.5, 1, 0.1), float)
    assert power_sum(0, 1.5, 1, 0.1 + 0j).dtype == np.complex128
    assert power_sum(0, 1.5, 1, np.zeros((0, 2)), 5).shape == (0, 2)


def test_blocks_do_not_show():
    kappa = np.logspace(-9, 2, 20001)
    np.testing.assert_array_max_ulp(
        power_sum(0, 1.5, 1, kappa, 10**5)[::500], power_sum(0, 1.5, 1, kappa[::500], 10**5), 8
    )


def test_the_callers_flint_settings_neither_matter_nor_change():
    expected = enclosure(0, 1.5, 2, -0.001 + 0.001j, 10**6, digits=40)
    saved = flint.ctx.prec, flint.ctx.cap
    try:
        flint.ctx.prec, flint.ctx.cap = 20, 3
        ball = enclosure(0, 1.5, 2, -0.001 + 0.001j, 10**6, digits=40)
        assert (flint.ctx.prec, flint.ctx.cap) == (20, 3)
    finally:
        flint.ctx.prec, flint.ctx.cap = saved
    assert ball.overlaps(expected) and ball.rel_accuracy_bits() > 130


def test_a_ball_of_kappa_gives_the_range_of_sums():
    wide = enclosure(0, 1.5, 1, arb(0.01, 1e-12), 10**4, digits=8)
    for kappa in (0.01 - 1e-12, 0.01, 0.01 + 1e-12):
        assert wide.contains(enclosure(0, 1.5, 1, kappa, 10**4, digits=25))
    with pytest.raises(PrecisionError) as caught:
        enclosure(0, 1.5, 1, arb(0.01, 1e-12), 10**4, digits=20)
    assert 8 <= caught.value.certain_digits < 12


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((0, 1, 1, 0.1, math.inf), "size = inf.*s [+] b q = 1 ≤ 1.*diverges"),
        ((0.5, 0.25, 2, 0.1, math.inf), "s [+] b q = 1 ≤ 1"),
        ((1, 1.5, 1, 0.0, math.inf), "with s = 1 ≤ 1 at κ = 0"),
        ((0, -1.5, 1, 0.1, 10), "b = -1.5"),
        ((0, 1.5, -1, 0.1, 10), "q = -1"),
        ((math.nan, 1.5, 1, 0.1, 10), "s = nan"),
        (("1", 1.5, 1, 0.1, 10), "s = '1'"),
        ((0, 1.5, 1, -0.1, 10), "kappa = -0.1"),
        ((0, 1.5, 1, -0.1 + 0j, 10), "kappa = "),
        ((0, 1.5, 1, math.nan, 10), "kappa = nan"),
        ((0, 1.5, 1, math.inf, 10), "kappa = inf"),
        ((0, 1.5, 1, 0.1, 0), "size = 0"),
        ((0, 1.5, 1, 0.1, 2.5), "size = 2.5"),
        ((0, 1.5, 1, 0.1, math.nan), "size = nan"),
    ],
)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(InputError, match=named):
        power_sum(*arguments)
    kappa = mpmath.mpmathify(arguments[3])
    with pytest.raises(InputError, match=named.split("=")[0]):
        power_sum(*arguments[:3], kappa, *arguments[4:])


@settings(max_examples=80, deadline=None)
@given(exponents, st.floats(-12, 0), st.integers(1, 10**12))
def test_the_error_covers_the_rounding_of_every_part(exps, log_kappa, size):
    """No part is negative: together they are at least the sum."""
    value, bound = power_sum_with_error(*map(float, exps), 10.0**log_kappa, size)
    assert bound >= (1 - 1e-9) * ROUNDING * value


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=6), st.floats(-2, 2))
def test_polynomials_have_all_their_coefficients(coefficients, x):
    found = horner(np.array(coefficients), np.array([x]))
    assert found == pytest.approx(sum(c * x**k for k, c in enumerate(coefficients)), abs=1e-10)


def test_digits_of_every_type_are_bounded():
    for digits in (10**7, 1e7, mpmath.mpf(10) ** 7, mpmath.mpf("1e5000"), np.int64(10**7)):
        with pytest.raises(InputError, match=r"digits = .* from 1 to 5000"):
            enclosure(0, 1.5, 1, 0.01, 100, digits=digits)
