"""Schedules and reused batches: complex modes against step-by-step recursions, and their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.complex_modes import complex_modes
from solvable.analytic.dynamics import dynamics
from solvable.analytic.errors import InputError, PrecisionError
from solvable.analytic.learners import GradientDescent, MinibatchSGD, OnePassSGD
from solvable.analytic.scheduled_training import scheduled_dynamics
from solvable.analytic.schedules import (
    SCHEDULES,
    from_values,
    read_schedule,
    schedule,
)
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.stochastic_gradient import batch_noise, recursion

INF = math.inf
LAW = PowerLaw(exponent=1.25, target_exponent=1.5, size=200)
OPTIONS = {"wsd": {"warmup": 0.05}, "linear": {"final": 0.1}, "power": {"scale": 50.0}}


def stepped(rates, batch, count, noise):
    """Excess losses of the population's own recursion, N = ∞, one step after another."""
    rule = lambda n: batch_noise(float(rates(np.array([n]))[0]), batch)  # noqa: E731
    return recursion(LAW.eigenvalues(), LAW.target_power(), rule, count, noise)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("batch", [1, 16])
def test_every_schedule_equals_the_recursion(name, batch):
    rates = schedule(name, 0.15 if batch == 1 else 0.5, 3000, **OPTIONS.get(name, {}))
    times = np.array([0, 1, 5, 63, 64, 65, 150, 700, 1500, 2401, 2999, 3000])
    found = scheduled_dynamics(LAW, INF, INF, times[::-1], rates, batch=batch, noise=0.3)
    expected = stepped(rates, batch, 3000, 0.3)[times[::-1]]
    assert found.excess_loss == pytest.approx(expected, rel=1e-10)
    assert found.train_loss == pytest.approx(expected + 0.3, rel=1e-10)
    assert np.all(np.abs(found.excess_loss - expected) < 100 * found.error_estimate)
    other = scheduled_dynamics(LAW, INF, INF, times[3:], rates, batch=batch + 1, noise=0.3)
    assert np.all(np.abs(other.excess_loss / expected[::-1][3:] - 1) > 1e-5)


def test_a_finite_kernel_has_one_recursion_on_its_complex_modes():
    """Finite N and T, a batch schedule, an array of rates: against plain steps on the modes."""
    rng = np.random.default_rng(0)
    rates, sizes = rng.uniform(0, 0.4, 120), rng.integers(1, 30, 120)
    found = scheduled_dynamics(LAW, 50, 80, np.arange(121), rates, batch=sizes, noise=0.2)
    modes = complex_modes(LAW, 50, 80, rates.sum(), 0.8)
    y, losses = modes.power + 0.2 * modes.noisy, []
    for n in range(121):
        losses.append(y.real.sum())
        if n < 120:
            b = batch_noise(rates[n], sizes[n], 80, replacement=False)
            y = b.multiplier(-modes.z) * y + b.strength * modes.response * losses[-1]
    assert found.train_loss == pytest.approx(losses, rel=1e-11)


@pytest.mark.parametrize("sizes", [(60, 120), (120, 60), (80, 80)])
def test_a_batch_of_all_samples_is_gradient_descent(sizes):
    steps = np.array([0, 1, 5, 20, 100, 1000, 10**5])
    rule = MinibatchSGD(0.4, sizes[1])
    found = dynamics(LAW, *sizes, steps, learner=rule, noise=0.1)
    exact = dynamics(LAW, *sizes, steps, learner=GradientDescent(0.4), noise=0.1)
    assert found.excess_loss == pytest.approx(exact.excess_loss, rel=1e-10)
    assert found.train_loss == pytest.approx(exact.train_loss, rel=1e-9, abs=1e-12)
    assert found.critical_step == pytest.approx(exact.critical_step, rel=1e-13)
    other = dynamics(LAW, *sizes, steps[1:5], learner=MinibatchSGD(0.4, sizes[1] - 1), noise=0.1)
    assert np.all(np.abs(other.excess_loss / exact.excess_loss[1:5] - 1) > 1e-6)


@pytest.mark.parametrize("replacement", [False, True])
def test_many_samples_are_one_pass(replacement):
    steps, rule = np.array([0, 1, 10, 1000]), MinibatchSGD(0.3, 4, replacement)
    one = dynamics(LAW, 60, INF, steps, learner=OnePassSGD(0.3, 4), noise=0.1)
    many = dynamics(LAW, 60, 1e15, steps, learner=rule, noise=0.1)
    limit = dynamics(LAW, 60, INF, steps, learner=rule, noise=0.1)
    for found in (many, limit):
        assert found.excess_loss == pytest.approx(one.excess_loss, rel=1e-11)
        assert found.train_loss == pytest.approx(one.train_loss, rel=1e-11)
        assert found.critical_step == pytest.approx(one.critical_step, rel=1e-12)
    few = dynamics(LAW, 60, 1e3, steps[1:], learner=rule, noise=0.1)
    assert np.all(np.abs(few.excess_loss / one.excess_loss[1:] - 1) > 1e-5)


def test_a_million_steps_of_reused_batches():
    """The stationary test loss does not depend on how long it is followed."""
    rule = MinibatchSGD(0.3, 8)
    late = dynamics(LAW, 30, 60, [10**6, 10**9], learner=rule, noise=0.1)
    assert late.excess_loss[1] == pytest.approx(late.excess_loss[0], rel=1e-3)
    descent = dynamics(LAW, 30, 60, [10**9], learner=GradientDescent(0.3), noise=0.1)
    assert late.train_loss[1] > descent.train_loss[0] > 0


@settings(max_examples=15, deadline=None)
@given(
    step=st.floats(0.01, 0.4), batch=st.integers(1, 20), features=st.integers(5, 100),
    samples=st.integers(20, 100), steps=st.integers(1, 50),
)  # fmt: skip
def test_replacement_only_adds_noise(step, batch, features, samples, steps):
    sizes = (features, samples)
    losses = [
        dynamics(LAW, *sizes, steps, learner=rule, noise=0.1).train_loss
        for rule in (
            GradientDescent(step), MinibatchSGD(step, batch), MinibatchSGD(step, batch, True)
        )
    ]  # fmt: skip
    assert losses[0] <= losses[1] * (1 + 1e-9) and losses[1] <= losses[2] * (1 + 1e-9)


def test_divergence_is_a_result():
    rates = schedule("constant", 2.5, 10**5)
    steps = [10, 100, 10**4, 10**5]
    found = scheduled_dynamics(LAW, INF, INF, steps, rates, batch=4)
    assert np.all(np.diff(found.excess_loss[:2]) > 0) and found.excess_loss[-1] == INF
    every = scheduled_dynamics(LAW, INF, INF, np.arange(11), rates, batch=4).excess_loss
    assert found.exceeded == np.argmax(every > found.bound) and found.exceeded < 10
    assert not np.any(np.isnan(found.excess_loss))
    gentle = schedule("linear", 2.5, 200)  # unstable at first, stable in the end
    found = scheduled_dynamics(LAW, INF, INF, np.arange(201), gentle, batch=4)
    loss = found.excess_loss
    assert loss == pytest.approx(stepped(gentle, 4, 200, 0.0), rel=1e-9)
    assert loss.max() > 10 * loss[-1] and np.all(found.error_estimate < 1e-9 * loss)


@pytest.mark.parametrize("bad", [
    lambda: schedule("cosine", -1, 10), lambda: schedule("cosine", math.nan, 10),
    lambda: schedule("cosine", 1, 10.5), lambda: schedule("cosine", 1, 0),
    lambda: schedule("hyperbolic", 1, 10), lambda: schedule("linear", 1, 10, final=2),
    lambda: schedule("linear", 1, 10, decay=0.1), lambda: schedule("wsd", 1, 10, warmup=1),
    lambda: from_values([0.1, -0.1]), lambda: from_values([]), lambda: from_values([INF]),
    lambda: read_schedule("/nowhere/rates.csv"),
    lambda: scheduled_dynamics(LAW, 5, 9, [11], [0.1] * 10),
    lambda: scheduled_dynamics(LAW, 5, 9, [1.5], [0.1] * 10),
    lambda: scheduled_dynamics(LAW, 5, 9, [-1], [0.1] * 10),
    lambda: scheduled_dynamics(LAW, 5, 9, [1], [0.1] * 10, batch=0),
    lambda: scheduled_dynamics(LAW, 5, 9, [1], [0.1] * 10, batch=10),
    lambda: scheduled_dynamics(LAW, 5, 9, [9], [0.1] * 10, batch=[1, 3, 2]),
    lambda: scheduled_dynamics(LAW, 0, 9, [1], [0.1] * 10),
    lambda: MinibatchSGD(0.1, 0), lambda: MinibatchSGD(-0.1), lambda: MinibatchSGD(0.1, 1, 2),
    lambda: dynamics(LAW, 5, 9, [1], learner=MinibatchSGD(0.1, 10)),
])  # fmt: skip
def test_bad_input_is_refused(bad):
    with pytest.raises(InputError):
        bad()


def test_digits_of_reused_batches_are_refused():
    with pytest.raises(PrecisionError, match="float64"):
        dynamics(LAW, 5, 9, [1], learner=MinibatchSGD(0.1, 2), digits=20)


def test_a_file_of_rates(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text("rate\n0.1\n0.2\n0.3\n0.3\n")
    assert read_schedule(path)(np.arange(4)) == pytest.approx([0.1, 0.2, 0.3, 0.3])
    path.write_text("0.1\n0.2\n-0.3\n")
    with pytest.raises(InputError, match="line 3"):
        read_schedule(path)


# ---- memory ---------------------------------------------------------------------------


def second_moments(rates, batch, momenta, decay, count, noise, law=LAW):
    """Three moments of each mode of the population, step by step: momentum or weight decay."""
    lam, power = law.eigenvalues(), law.target_power()
    a, b, d = (power.copy() for _ in range(3))
    losses = []
    for n in range(count + 1):
        losses.append(a.sum())
        eta, beta = (float(x(np.array([n]))[0]) for x in (rates, momenta))
        push = eta**2 / batch * lam**2 * (a + a.sum() + noise)
        if decay:
            r, w = 1 - eta * (lam + decay), eta * decay
            a, b = r**2 * a + 2 * r * w * b + w**2 * d + push, r * b + w * d
        else:
            r = 1 + beta - eta * lam
            a, b, d = r**2 * a - 2 * beta * r * b + beta**2 * d + push, r * a - beta * b, a
    return np.array(losses)


@pytest.mark.parametrize("beta", [0.3, 0.8, 0.95])
@pytest.mark.parametrize("name", ["constant", "cosine"])
def test_momentum_equals_the_recursion(name, beta):
    rates, times = schedule(name, 0.4 * (1 - beta), 2000), np.array([0, 1, 10, 70, 300, 1000, 2000])
    found = scheduled_dynamics(LAW, INF, INF, times, rates, batch=8, momentum=beta, noise=0.2)
    constant = schedule("constant", beta, 2000)
    expected = second_moments(rates, 8, constant, 0, 2000, 0.2)[times]
    assert found.excess_loss == pytest.approx(expected, rel=1e-8)


def test_momentum_that_changes_and_weight_decay_equal_the_recursion():
    rates, times = schedule("linear", 0.2, 1500), np.array([0, 1, 10, 70, 300, 900, 1500])
    rising = from_values(np.linspace(0, 0.8, 1501), "momentum")
    found = scheduled_dynamics(LAW, INF, INF, times, rates, batch=4, momentum=rising, noise=0.2)
    expected = second_moments(rates, 4, rising, 0, 1500, 0.2)[times]
    assert found.excess_loss == pytest.approx(expected, rel=1e-9)
    zero = schedule("constant", 1.0, 1500, warmup=0.0)
    found = scheduled_dynamics(LAW, INF, INF, times, rates, batch=4, decay=0.05, noise=0.2)
    assert found.excess_loss == pytest.approx(
        second_moments(rates, 4, zero, 0.05, 1500, 0.2)[times], rel=1e-9
    )
    plain = scheduled_dynamics(LAW, INF, INF, times, rates, batch=4, noise=0.2)
    assert np.all(np.abs(found.excess_loss / plain.excess_loss - 1)[2:] > 1e-3)


@pytest.mark.parametrize("options", [
    {"momentum": 1.0}, {"momentum": -0.1}, {"momentum": [0.1] * 5}, {"decay": -1},
    {"decay": math.nan}, {"momentum": 0.5, "pull": 0.1}, {"decay": 0.5, "pull": 0.1},
    {"pull": -1}, {"pull": 0.1, "forgetting": 1.5}, {"average": [2.0] * 10}, {"average": [0.5]},
    {"preconditioner": math.inf}, {"batch": [4.0] * 3}, {"batch": 0.5},
])  # fmt: skip
def test_bad_memory_is_refused(options):
    with pytest.raises(InputError):
        scheduled_dynamics(LAW, 5, INF, [9], [0.1] * 10, **options)
