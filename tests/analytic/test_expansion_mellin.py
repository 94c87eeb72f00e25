"""Every series of a power sum approaches the sum at the rate of the first term left out."""

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from solvable.analytic.asymptotics.expansion import (
    Gamma,
    HurwitzZeta,
    MellinTransform,
    Ordering,
    decay_sum,
    expand_power_sum,
    hurwitz_tail,
    power_sum_transform,
)
from solvable.analytic.asymptotics.expansion.mellin import Zeta
from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.notation import M, a, b, kappa
from solvable.analytic.power_sums import power_sum

SLOPE_TOLERANCE = 0.02
SMALL = [mp.mpf("1e-6"), mp.mpf("3e-6"), mp.mpf("1e-5")]
CASES = [  # s, q (in a and b), a, b: the sums that the losses need, hard and easy tasks
    (sp.S(0), 1, "1.5", "1.5"),
    (sp.S(0), 2, "1.5", "1.5"),
    (a - b, 1, "1.5", "1.25"),
    (a - b, 1, "3.4", "1.2"),
    (a - 2 * b, 2, "1.5", "1.25"),
    (a - 2 * b, 2, "3.4", "1.2"),
    (a - 2 * b, 2, "4.3", "1.5"),
    (sp.S(0), 3, "2", "1.7"),
    (a, 2, "1.8", "1.4"),
]


def fitted_slope(x, y):
    """Least-squares slope of log|y| against log x."""
    x, y = ([float(mp.log(abs(v))) for v in values] for values in (x, y))
    return np.polyfit(x, y, 1)[0]


def order_of(a_value, b_value):
    return Ordering({a: sp.Rational(a_value), b: sp.Rational(b_value)})


def assert_rates(series, exact, points, values=None):
    """|exact − first k terms| has the slope of term k, for every k."""
    values = values or {}
    resolved = [sp.N(series.ordering.value(t.power).subs(values), 15) for t in series.terms]
    references = [exact(x) for x in points]
    for k in range(1, len(series.terms)):
        kept = replace(series, terms=series.terms[:k], remainder=None)
        errors = [e - kept(x, check=False) for x, e in zip(points, references, strict=True)]
        group = [t for t in series.terms[k:] if t.power == series.terms[k].power]
        logs = replace(series, terms=tuple(replace(t, power=sp.S(0)) for t in group))
        if any(t.log for t in group):
            errors = [e / logs(x, check=False) for x, e in zip(points, errors, strict=True)]
        slope = fitted_slope(points, errors)
        assert abs(slope - resolved[k]) < SLOPE_TOLERANCE, (
            f"after {k} terms of {series}: slope {slope:.4f}, first omitted term {resolved[k]}"
        )


@pytest.mark.parametrize(("s", "q", "a_value", "b_value"), CASES)
def test_small_kappa_rates(s, q, a_value, b_value):
    mp.mp.dps = 40
    ordering = order_of(a_value, b_value)
    series = expand_power_sum(s, b, q, "kappa->0", 5, ordering=ordering)
    s_value = mp.mpf(sp.N(ordering.value(s), 50))
    exact = lambda x: power_sum(s_value, mp.mpf(b_value), q, x)  # noqa: E731
    assert_rates(series, exact, SMALL)


def test_logarithms_are_found_where_poles_meet():
    mp.mp.dps = 40
    for s, q, a_value, b_value, condition in [
        (a - b, 1, "2.25", "1.25", sp.Eq(a, b + 1)),
        (a - 2 * b, 2, "3.5", "1.25", sp.Eq(a, 2 * b + 1)),
        (a - 2 * b, 2, "4.75", "1.25", sp.Eq(a, 3 * b + 1)),
    ]:
        ordering = order_of(a_value, b_value)
        series = expand_power_sum(s, b, q, "kappa->0", 4, ordering=ordering)
        assert [t.log for t in series.terms].count(1) == 1
        assert condition in series.conditions
        s_value = mp.mpf(sp.N(ordering.value(s), 50))
        assert_rates(
            series,
            lambda x, s=s_value, q=q, b_value=b_value: power_sum(s, mp.mpf(b_value), q, x),
            SMALL,
        )


def test_a_logarithm_with_a_wrong_constant_is_rejected():
    mp.mp.dps = 40
    series = expand_power_sum(a - b, b, 1, "kappa->0", 4, ordering=order_of("2.25", "1.25"))
    wrong = replace(
        series,
        terms=(
            series.terms[0],
            replace(series.terms[1], coefficient=series.terms[1].coefficient + sp.Rational(1, 100)),
            *series.terms[2:],
        ),
    )
    with pytest.raises(AssertionError, match="slope"):
        assert_rates(wrong, lambda x: power_sum(mp.mpf(1), mp.mpf("1.25"), 1, x), SMALL)


def test_a_series_without_the_half_is_rejected():
    mp.mp.dps = 40
    series = expand_power_sum(0, b, 1, "kappa->0", 4, ordering=order_of(1, "1.5"))
    wrong = replace(series, terms=(series.terms[0], *series.terms[2:]))
    with pytest.raises(AssertionError, match="slope"):
        assert_rates(wrong, lambda x: power_sum(mp.mpf(0), mp.mpf("1.5"), 1, x), SMALL)


def test_the_series_of_the_mathematics_page():
    """D₁ = κ^{-1/b} (π/b)/sin(π/b) + Σ (−1)^j ζ(−bj) κ^j, and its measured remainders."""
    mp.mp.dps = 40
    series = expand_power_sum(0, b, 1, "kappa->0", 5, ordering=order_of(1, "1.5"))
    assert sp.simplify(series.terms[0].coefficient - sp.pi / b / sp.sin(sp.pi / b)) == 0
    for j in range(4):
        assert series.terms[j + 1].coefficient == (-1) ** j * sp.zeta(-b * j)
    x = mp.mpf("1e-4")
    exact = power_sum(mp.mpf(0), mp.mpf("1.5"), 1, x)
    remainders = [abs(exact - replace(series, terms=series.terms[:k])(x)) for k in (1, 2, 3, 4)]
    for got, measured in zip(remainders, (5e-1, 2.5e-6, 8e-11, 3e-15), strict=True):
        assert got == pytest.approx(measured, rel=0.15), f"{got} against {measured}"


@pytest.mark.parametrize(("s", "q", "a_value", "b_value"), CASES)
def test_large_kappa_rates(s, q, a_value, b_value):
    mp.mp.dps = 40
    ordering = order_of(a_value, b_value)
    s_value = mp.mpf(sp.N(ordering.value(s), 50))
    points = [mp.mpf(2000), mp.mpf(4000)]
    for size in (sp.oo, sp.Integer(60)):
        series = expand_power_sum(s, b, q, "kappa->inf", 4, size=size, ordering=ordering)
        count = mp.inf if size == sp.oo else int(size)
        assert_rates(
            series, lambda x, n=count: power_sum(s_value, mp.mpf(b_value), q, x, n), points
        )


@pytest.mark.parametrize(("s", "q", "a_value", "b_value"), CASES)
def test_finite_size_rates_on_both_sides(s, q, a_value, b_value):
    mp.mp.dps = 40
    ordering = order_of(a_value, b_value)
    s_value, slope, size = mp.mpf(sp.N(ordering.value(s), 50)), mp.mpf(b_value), 300
    edge = mp.mpf(size) ** -slope
    below = expand_power_sum(s, b, q, "kappa*M^b<<1", 4, size=size, ordering=ordering)
    assert_rates(below, lambda x: power_sum(s_value, slope, q, x, size), [edge / 2000, edge / 1000])
    above = expand_power_sum(s, b, q, "kappa*M^b>>1", 4, size=size, ordering=ordering)
    assert_rates(
        above.tail,
        lambda x: power_sum(s_value, slope, q, x) - power_sum(s_value, slope, q, x, size),
        [1000 * edge, 2000 * edge],
    )


def test_finite_size_with_a_symbolic_size_and_three_faces():
    mp.mp.dps = 30
    series = expand_power_sum(0, b, 1, "kappa*M^b>>1", 6, size=M, ordering=order_of(1, "1.5"))
    x = mp.mpf("3e-3")
    exact = power_sum(mp.mpf(0), mp.mpf("1.5"), 1, x, 2000)
    value = series(x, M=2000)
    assert abs(value / exact - 1) < 1e-12
    array = series(np.array([3e-3, 5e-3]), M=2000)
    assert array[0] == pytest.approx(float(exact), rel=1e-12)
    symbolic = series.expression.subs({kappa: sp.Float("3e-3", 30), M: 2000, b: sp.Rational(3, 2)})
    assert abs(sp.N(symbolic, 25) / sp.Float(str(value), 30) - 1) < 1e-20


def test_hurwitz_tail_rates_and_a_wrong_sign():
    mp.mp.dps = 40
    points = [mp.mpf(200), mp.mpf(400)]
    for sigma in (sp.Rational(3, 2), sp.Rational(-7, 4), sp.Rational(1, 3)):
        series = hurwitz_tail(b, M, 5, Ordering({b: sigma}))
        exact = lambda x, s=sigma: mp.zeta(mp.mpf(s.p) / s.q, x + 1)  # noqa: E731
        assert_rates(series, exact, points)
        wrong = replace(
            series,
            terms=(
                series.terms[0],
                replace(series.terms[1], coefficient=-series.terms[1].coefficient),
                *series.terms[2:],
            ),
        )
        with pytest.raises(AssertionError):
            assert_rates(wrong, exact, points)


def test_time_law_has_one_pole_and_an_error_beyond_all_powers():
    mp.mp.dps = 30
    series = decay_sum(a, b, ordering=order_of("1.5", "1.25"))
    assert series.remainder is None and len(series.terms) == 1
    assert sp.simplify(series.terms[0].coefficient - sp.gamma((a - 1) / b) / b) == 0
    errors = []
    for time in (20, 200):
        exact = mp.nsum(
            lambda j, t=time: mp.mpf(j) ** -1.5 * mp.exp(-t * mp.mpf(j) ** -1.25), [1, 4000]
        ) + mp.nsum(  # beyond 4000: expand the exponential
            lambda m, t=time: (-t) ** m / mp.factorial(m) * mp.zeta(1.5 + 1.25 * m, 4001), [0, 60]
        )
        errors.append(abs(series(mp.mpf(time)) / exact - 1))
    assert errors[0] < 1e-5 and errors[1] < 1e-9 * errors[0], errors


def test_a_general_transform_gives_the_exponential_and_catches_double_poles():
    x = sp.Symbol("x", positive=True)
    exponential = MellinTransform((Gamma(sp.S(0), sp.S(1)),), (sp.S(0), sp.oo))
    assert exponential.series(x, 0, 4, Ordering()).expression == sp.exp(x).series(
        x, 0, 4
    ).removeO().subs(x, -x)
    # Γ(u)² belongs to 2 K₀(2√x): a double pole at every place, −log x − 2γ at the first
    bessel = MellinTransform((Gamma(sp.S(0), sp.S(1)), Gamma(sp.S(0), sp.S(1))), (sp.S(0), sp.oo))
    series = bessel.series(x, 0, 3, Ordering())
    mp.mp.dps = 30
    exact = lambda v: 2 * mp.besselk(0, 2 * mp.sqrt(v))  # noqa: E731
    error = abs(series(mp.mpf("1e-3"), check=False) - exact(mp.mpf("1e-3")))
    assert error < 5 * 1e-9 / 6**2 * 2 * abs(mp.log("1e-3")), error


def test_poles_say_where_they_come_from():
    ordering = order_of("2.25", "1.25")
    pole = power_sum_transform(a - b, b, 1, ordering).poles(-1, 1, ordering)[0]
    assert pole.multiplicity == 2 and set(pole.origin) == {"Gamma", "Zeta"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: expand_power_sum(-b, b, 1, "kappa->0", ordering=order_of(1, "1.5")), "diverges"),
        (lambda: expand_power_sum(0, b, 1, "kappa->2", ordering=order_of(1, "1.5")), "one of"),
        (lambda: expand_power_sum(0, b, 1, "kappa*M^b<<1", ordering=order_of(1, "1.5")), "finite"),
        (lambda: expand_power_sum(0, b, 1, "kappa->0", size=7, ordering=order_of(1, 2)), "M\\^b"),
        (lambda: expand_power_sum(0, b, 1, "kappa->0", 0, ordering=order_of(1, 2)), "≥ 1"),
        (lambda: expand_power_sum(a, b, 1, "kappa->0"), "no value"),
        (lambda: hurwitz_tail(1), "other than 1"),
        (lambda: decay_sum(a, b, ordering=order_of("0.5", 1)), "> 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_outside_the_range_offers_the_right_series():
    series = expand_power_sum(0, b, 1, "kappa->0", ordering=order_of(1, "1.5"))
    with pytest.raises(InputError, match="kappa->inf"):
        series(mp.mpf(3))
    far = expand_power_sum(0, b, 1, "kappa->inf", ordering=order_of(1, "1.5"))
    with pytest.raises(InputError, match="kappa->0"):
        far(np.array([0.5, 3.0]))


def test_a_tail_with_a_logarithm_in_the_size_is_refused():
    with pytest.raises(OutsideTheoryError, match="logarithm"):
        expand_power_sum(sp.Rational(-1, 2), sp.Rational(3, 2), 1, "kappa*M^b>>1", size=100)


def test_complex_kappa():
    mp.mp.dps = 30
    series = expand_power_sum(0, b, 1, "kappa->0", 6, ordering=order_of(1, "1.5"))
    z = mp.mpc("1e-3", "2e-3")
    exact = mp.fsum(1 / (1 + z * mp.mpf(j) ** 1.5) for j in range(1, 3001)) + mp.fsum(
        (-1) ** j * z ** (-1 - j) * mp.zeta(1.5 * (j + 1), 3001) for j in range(20)
    )
    assert abs(series(z) - exact) < 1e-12
    assert abs(series(complex(z)) - complex(exact)) < 1e-11


def test_optimal_truncation_states_its_error():
    mp.mp.dps = 30
    series = expand_power_sum(0, b, 1, "kappa->0", 30, ordering=order_of(1, "2.5"))
    for x in (mp.mpf("0.3"), mp.mpf("0.1"), mp.mpf("0.03")):
        exact = power_sum(mp.mpf(0), mp.mpf("2.5"), 1, x)
        value, error, terms = series.best(x)
        assert terms < 30
        assert error / 100 < abs(value - exact) < 10 * error, (x, value - exact, error)


def test_hurwitz_zeta_is_right_where_mpmath_loses_digits():
    """ζ(60, 5000): mpmath is off at the 11th digit; recursion ζ(s, A) = A^{-s} + ζ(s, A+1)."""
    mp.mp.dps = 30
    for s, start in ((sp.Integer(60), 5000), (sp.Rational(-7, 2), 10**6), (sp.Rational(5, 2), 2)):
        step = sp.N(HurwitzZeta(s, start) - HurwitzZeta(s, start + 1), 30)
        assert abs(sp.N(step * sp.Integer(start) ** s - 1, 30)) < sp.Float("1e-20")


@pytest.mark.parametrize("start", [sp.S.One, sp.Rational(3, 2)])
def test_zeta_beside_its_pole(start):
    """The Laurent coefficients at the pole give ζ at a point nearby."""
    factor = Zeta(sp.Rational(1, 3), sp.Rational(-2), start)
    place, near = factor.pole(0), sp.Rational(1, 50)
    coefficients = factor.laurent(place, 9, Ordering())
    total = sum(sp.N(value, 30) * near**k for k, value in coefficients.items())
    exact = mp.zeta(mp.mpf(1) / 3 - 2 * mp.mpf((place + near).p) / (place + near).q, start)
    assert abs(total / exact - 1) < 1e-10
