"""At the ends of what numbers hold: values or a precision error, never nan, never below zero."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import PrecisionError
from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import Flat, PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import (
    GradientDescent,
    GradientFlow,
    HeavyBall,
    MinibatchSGD,
    OnePassSGD,
    RidgeRegression,
)
from solvable.analytic.training.stochastic_gradient import batch_noise, recursion
from solvable.analytic.training.stopping import divergence_step

INF = math.inf
RULES = [
    GradientFlow(), GradientFlow(1e-3), GradientDescent(0.3), HeavyBall(0.2, 0.6),
    OnePassSGD(0.2, 4), MinibatchSGD(0.1, 4), RidgeRegression(), GradientDescent(5.0),
    OnePassSGD(3.0, 4),
]  # fmt: skip

exponents = st.sampled_from([1.001, 1.01, 1.5, 3.0, 8.0])
sizes = st.one_of(st.just(INF), st.floats(0.7, 18).map(lambda x: 10.0**x))


@pytest.mark.parametrize("b", [1.0001, 1.001, 1.5])
def test_at_the_pole_the_loss_rises_as_the_root_of_time(b):
    """N = T: R₁ = R₃ = √(z/κ), less than the rounding of 1 − D₁/N."""
    law = PowerLaw(exponent=b, target_exponent=2)
    times = np.array([1e20, 1e31, 1e32, 1e40, 1e60])
    found = dynamics(law, 100, 100, times).excess_loss / np.sqrt(times)
    assert found == pytest.approx(np.full(5, found[0]), rel=1e-9)


@pytest.mark.parametrize(("features", "samples", "power"), [
    (20, 20, 1 / 2), (31, INF, -1 / 2), (31, 31, 1 / 3), (31, 55, 0), (20, 31, 0),
])  # fmt: skip
def test_the_power_of_time_at_the_edges_of_finite_spectra(features, samples, power):
    """κ and the brackets vanish together where N = M, and R₁ = R₃ at a double root where N = T."""
    times = 10.0 ** np.arange(30, 61, 3)
    law = PowerLaw(exponent=2, size=31)
    found = dynamics(law, features, samples, times, noise=0.1)
    assert found.excess_loss / times**power == pytest.approx(
        np.full(len(times), found.excess_loss[0] / times[0] ** power), rel=1e-8
    )
    assert np.all(found.error_estimate <= 1e-9 * found.excess_loss)


@settings(max_examples=60, deadline=None)
@given(
    rule=st.sampled_from(RULES), b=exponents, a=exponents, latent=st.sampled_from([50, 10**6, INF]),
    features=sizes, samples=sizes, power=st.floats(-300, 300), noise=st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_losses_are_numbers_at_any_size_and_time(
    rule, b, a, latent, features, samples, power, noise
):
    time = 10.0 ** (power if rule.scored == "time" else -abs(power) if rule.scored == "ridge" else
                    abs(power))  # fmt: skip
    time = float(round(time)) if rule.discrete else time
    law = PowerLaw(exponent=b, target_exponent=a, size=latent)
    try:
        found = dynamics(
            law, features, INF if rule.fresh else samples, time, learner=rule, noise=noise
        )
    except PrecisionError:
        return
    values = np.array([found.excess_loss, found.train_loss, found.error_estimate])
    assert not np.any(np.isnan(values)) and np.all(values >= 0), values


@settings(max_examples=60, deadline=None)
@given(
    b=exponents, latent=st.sampled_from([50, 10**6, INF]), features=sizes, samples=sizes,
    power=st.floats(-300, 3), noise=st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_the_static_loss_is_a_number_down_to_the_least_ridge(
    b, latent, features, samples, power, noise
):
    try:
        law = PowerLaw(exponent=b, size=latent)
        found = static_loss(law, features, samples, ridge=10.0**power, noise=noise)
    except PrecisionError:
        return
    values = np.array([found.excess_loss, found.train_loss], float)
    assert not np.any(np.isnan(values)) and np.all(values >= 0), values


@pytest.mark.parametrize("count", [10**14, 10**30, 10**60, 10**200])
def test_one_pass_at_late_times_stays_at_its_plateau(count):
    """z₋ is then nearer to the real axis than float64 resolves."""
    law = PowerLaw(exponent=1.5, target_exponent=1.8, size=60)
    found = dynamics(law, 20, INF, [10**12, count], learner=OnePassSGD(0.2, 4)).excess_loss
    assert found[1] == pytest.approx(found[0], rel=1e-10)


@pytest.mark.slow
def test_averages_under_long_momentum_are_refused_before_they_fill_the_memory():
    law = PowerLaw(exponent=3.57, target_exponent=5.92)
    with pytest.raises(PrecisionError, match="less momentum"):
        dynamics(law, 100, 200, 4919, learner=HeavyBall(0.2, 0.99), ensemble=2)
    assert dynamics(law, 100, 200, 4919, learner=HeavyBall(0.2, 0.99)).excess_loss > 0


@pytest.mark.parametrize("share", [1.02, 1.5, 4.0])
@pytest.mark.parametrize("batch", [1, 16])
def test_the_step_of_divergence_is_that_of_the_recursion(share, batch):
    law = PowerLaw(exponent=1.5, target_exponent=1.8, size=40)
    rule = OnePassSGD(share * OnePassSGD(1.0, batch).critical_step(law, INF, INF), batch)
    noise = batch_noise(float(rule.step), batch)
    count = 1500 if share < 1.1 else 40
    exact = recursion(law.eigenvalues(), law.target_power(), noise, count, 0.1)
    bound = 50 * exact[0]
    expected = int(np.argmax(exact > bound))
    assert exact.max() > bound
    found = divergence_step(law, INF, INF, learner=rule, noise=0.1, bound=bound)
    assert found == expected
    calm = OnePassSGD(0.9 * float(rule.step) / share, batch)
    assert divergence_step(law, INF, INF, learner=calm, noise=0.1) is None


@pytest.mark.parametrize(("rule", "samples"), [
    (OnePassSGD(5.0, 8, momentum=0.5), INF),
    (OnePassSGD(1e10, 8, schedule="cosine", steps=10**15), INF),
    (OnePassSGD(50.0, 8, pull=0.3), INF),
    pytest.param(MinibatchSGD(3.0, 8, momentum=0.5, decay=0.1), 100, marks=pytest.mark.slow),
])  # fmt: skip
def test_divergence_of_any_rule_is_a_result_at_any_time(rule, samples):
    """Modes resolve only the steps up to where the losses overflow."""
    law = PowerLaw(exponent=1.5, target_exponent=1.8)
    few = rule.follow(law, 50, samples, [0, 3, 20])
    many = rule.follow(law, 50, samples, [0, 3, 1e6, 1e15])
    assert few.exceeded == many.exceeded is not None
    assert many.excess_loss[:2] == pytest.approx(few.excess_loss[:2], rel=1e-8)
    assert np.all(np.isinf(many.excess_loss[2:])) and np.all(np.isinf(many.train_loss[2:]))


@pytest.mark.slow
def test_reused_samples_at_the_pole_after_as_many_steps_as_float64_counts():
    law = PowerLaw(exponent=1.5, target_exponent=1.8)
    steps = [1e12, 1e15, 4e15]
    one, two = (
        dynamics(law, 50, 50, steps, learner=rule)
        for rule in (MinibatchSGD(0.1, 50), GradientDescent(0.1))
    )
    assert one.excess_loss == pytest.approx(two.excess_loss, rel=1e-9)
    assert np.all(one.error_estimate < 1e-8 * one.excess_loss)


def test_a_diverging_descent_passes_its_bound():
    assert divergence_step(Flat(10), INF, INF, learner=GradientDescent(3.0), bound=10 * 4.0**7) == 8


@pytest.mark.parametrize("digits", [16, pytest.param(30, marks=pytest.mark.slow)])
def test_exponentially_small_losses_have_their_digits_or_are_zero(digits):
    """N = T = ∞: Σ_J p_J exp(−2 λ_J t), down to 10^-788 of the initial loss."""
    spectrum = PowerLaw(exponent=Fraction(53, 25), target_exponent=Fraction(83, 25), size=81)
    for t in (1e5, 1e6, 1e7):
        found = dynamics(spectrum, math.inf, math.inf, t, digits=digits)
        with mpmath.workdps(40):
            modes = [(mpmath.mpf(J) ** (mpmath.mpf(-53) / 25), mpmath.mpf(J)) for J in range(1, 82)]
            exact = sum(J ** (mpmath.mpf(-83) / 25) * mpmath.exp(-2 * x * t) for x, J in modes)
            value = found.excess_loss
            if value:
                assert abs(value / exact - 1) < 10 ** mpmath.mpf(1 - digits), (t, digits)
            else:
                assert exact < 10 ** mpmath.mpf(-2 * digits) and found.error_estimate < 10**-digits
