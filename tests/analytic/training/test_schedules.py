"""Schedules and reused batches: complex modes against step-by-step recursions, and their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError, PrecisionError
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.complex_modes import complex_modes
from solvable.analytic.training.difference_equation import Modes, evolve
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import (
    GradientDescent,
    HeavyBall,
    MinibatchSGD,
    OnePassSGD,
    PreconditionedDescent,
)
from solvable.analytic.training.preconditioner import scaled
from solvable.analytic.training.scheduled_training import scheduled_dynamics
from solvable.analytic.training.schedules import (
    AVERAGES,
    SCHEDULES,
    averaging,
    flat_schedule,
    fractions,
    from_values,
    read_schedule,
    read_values,
    schedule,
)
from solvable.analytic.training.stochastic_gradient import batch_noise, recursion

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


@pytest.mark.slow
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
    lambda: schedule("hyperbolic", 1, 10), lambda: schedule("cosine", 1, 10, final=2),
    lambda: schedule("linear", 1, 10, decay=0.1), lambda: schedule("wsd", 1, 10, warmup=1),
    lambda: schedule("wsd", 1, 10, warmup=0.7, decay=0.7), lambda: schedule("linear", 1, 10**300),
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
    for text in ("0_1", "٠.١", "０.１"):
        path.write_text(f"0.1\n{text}\n")
        with pytest.raises(InputError, match="line 2"):
            read_schedule(path)
    path.write_text("0.1\n0.2\n-0.3\n")
    with pytest.raises(InputError, match="line 3"):
        read_schedule(path)


@pytest.mark.parametrize("line", [
    "٠.١", "０.１", "0.1x", "0_1", "0x1", "1/2", "50%", "−0.1", "-0.1", "0.1 # warm-up", "0.1\t0.2",
    "0.1,", "0.1,0.2", "0,1", "nan", "inf", "1e400", "1" * 5000, "½",
])  # fmt: skip
def test_what_is_no_rate_is_no_heading_and_no_comment(tmp_path, line):
    path = tmp_path / "rates.csv"
    for before in ("", "rate\n", "\n  \n# η\n\n", "0.1\r\n"):
        path.write_text(f"{before}{line}\n0.2\n", encoding="utf-8", newline="")
        with pytest.raises(InputError, match=f"line {before.count(chr(10)) + 1} of"):
            read_schedule(path)


@pytest.mark.parametrize("text", [
    "0.1\n0.2", "0.1\r\n0.2\r\n", "0.1\r0.2\r", "\n \nrate_1\n\n0.1\n  \n0.2\n\n", '"0.1"\n"0.2"',
    "# rates, one a step\n0.1\n 0.2 \n", "learning rate,\n1e-1\n+.2\n", "η\n0.1\n0.2\n",
])  # fmt: skip
def test_rates_are_read_in_any_file(tmp_path, text):
    path = tmp_path / "rates.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_values(path) == (0.1, 0.2)


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


@pytest.mark.parametrize("batch", [1, 64, 10**6])
@pytest.mark.parametrize("beta", [0.3, 0.6, 0.9])
def test_momentum_near_the_critical_step_keeps_within_its_error(beta, batch):
    """Modes oscillate there: a contour outside the ellipse of stability gains factors."""
    times = np.array([1, 3, 20, 40, 63, 64, 65, 150, 700])
    critical = OnePassSGD(1.0, batch, momentum=beta).critical_step(LAW, INF, INF)
    for share in (0.5, 0.9, 0.99):
        rates = flat_schedule("step", share * critical)
        found = scheduled_dynamics(
            LAW, INF, INF, times, rates, batch=batch, momentum=beta, noise=0.1
        )
        exact = second_moments(rates, batch, flat_schedule("momentum", beta), 0, 700, 0.1)[times]
        assert np.all(np.abs(found.excess_loss - exact) <= found.error_estimate + 1e-12)
        assert np.all(found.error_estimate < 1e-7 * exact + 1e-8)


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


@pytest.mark.parametrize(("options", "named"), [
    ({"schedule": (0.1, 0.2)}, "schedule = 2 values"),
    ({"batch_schedule": (1, 2)}, "batch_schedule = 2 values"),
    ({"momentum_schedule": (0.1, 0.2)}, "momentum_schedule = 2 values"),
    ({"schedule": "cosine", "steps": 2}, "steps = 2"), ({"forgetting": 2}, "forgetting = 2"),
    ({"pull_schedule": "cosine"}, "pull_schedule = cosine"),
])  # fmt: skip
def test_what_a_schedule_lacks_is_named_by_its_argument(options, named):
    with pytest.raises(InputError, match=f"^{named} is not allowed"):
        dynamics(LAW, 5, INF, [3], learner=OnePassSGD(0.1, 2, **options))


# ---- averages, decay with momentum, dimension-adapted momentum, preconditioning ---------


def full_moments(step_of, batch, start, scored, count, noise, law=LAW):
    """Σ of the scored second moment, each mode's covariance of its whole state, one by one.

    ``step_of(n, x)`` is the matrix of a step on (u, …) and the column that takes the noise.
    """
    lam = law.eigenvalues()
    spread = law.target_power()[:, None, None] * np.outer(start, start)
    losses = []
    for n in range(count + 1):
        losses.append(spread[:, scored, scored].sum())
        total = spread[:, 0, 0].sum()
        following = np.empty_like(spread)
        for k, x in enumerate(lam):
            matrix, column = step_of(n, x)
            kick = x**2 * (spread[k, 0, 0] + total + noise) / batch
            following[k] = matrix @ spread[k] @ matrix.T + kick * np.outer(column, column)
        spread = following
    return np.array(losses)


FEW = PowerLaw(exponent=1.25, target_exponent=1.5, size=30)


def test_averages_of_momentum_with_decay_equal_the_recursion():
    """u' = u + β(u − u₋) − η(xu + w(u − u₀)), state (u, u₋, u₀, ū)."""
    beta, w, eta = 0.6, 0.05, schedule("cosine", 0.2, 400)
    weights = averaging("tail:start=0.25", 400)

    def step_of(n, x):
        rate, alpha = eta(np.array([n]))[0], weights(np.array([n]))[0]
        u = np.array([1 + beta - rate * (x + w), -beta, rate * w, 0])
        rows = [u, [1, 0, 0, 0], [0, 0, 1, 0], alpha * u + [0, 0, 0, 1 - alpha]]
        return np.array(rows), -rate * np.array([1, 0, 0, alpha])

    expected = full_moments(step_of, 4, [1, 1, 1, 1], 3, 400, 0.2, FEW)
    times = np.array([0, 1, 50, 100, 101, 150, 300, 400])
    found = scheduled_dynamics(
        FEW, INF, INF, times, eta, batch=4, momentum=beta, decay=w, average=weights, noise=0.2
    )
    assert found.excess_loss == pytest.approx(expected[times], rel=1e-8)
    last = scheduled_dynamics(FEW, INF, INF, times, eta, batch=4, momentum=beta, decay=w, noise=0.2)
    assert np.all(np.abs(last.excess_loss / expected[times] - 1)[5:7] > 1e-3)


def test_averages_over_a_million_steps():
    """Equal steps: the average of a stationary state has less noise, and is followed in blocks."""
    steps = 10**6
    options = {"batch": 2, "noise": 0.5}
    one = scheduled_dynamics(LAW, 60, INF, [steps], 0.2, **options)
    mean = scheduled_dynamics(
        LAW, 60, INF, [steps], 0.2, average=averaging("polyak", steps), **options
    )
    quiet = scheduled_dynamics(LAW, 60, INF, [steps], 0.2, batch=INF, noise=0.5)
    assert quiet.excess_loss < mean.excess_loss < 0.9 * one.excess_loss


@pytest.mark.parametrize("size", [INF, 20])
def test_dimension_adapted_momentum_equals_the_recursion(size):
    """y' = (1 − Δ)y + g, u' = u − γ₂g − γ₃y'; finite N by plain steps on other complex modes."""
    pull, rates = (
        schedule("power", 0.05, 80, exponent=0.3, scale=5.0),
        schedule("constant", 0.2, 80),
    )
    forget = fractions(3.0, 80)
    times = np.array([0, 1, 2, 10, 40, 80])
    found = scheduled_dynamics(
        FEW, size, INF, times, rates, batch=4, pull=pull, forgetting=forget, noise=0.2
    )

    def step_of(n, x):
        at = np.array([n])
        g2, g3, kept = 0.2, pull(at)[0], 1 - forget(at)[0]
        return np.array([[1 - (g2 + g3) * x, -g3 * kept], [x, kept]]), np.array([-g2 - g3, 1])

    if size == INF:
        expected = full_moments(step_of, 4, [1, 0], 0, 80, 0.2, FEW)[times]
        assert found.excess_loss == pytest.approx(expected, rel=1e-9)
        plain = scheduled_dynamics(FEW, size, INF, times, rates, batch=4, noise=0.2)
        assert np.all(np.abs(plain.excess_loss / expected - 1)[3:] > 1e-2)
    else:  # the degree of the contour does not matter
        long = scheduled_dynamics(
            FEW, size, INF, [*times, 79], rates, batch=4, pull=pull, forgetting=forget, noise=0.2
        )
        short = scheduled_dynamics(
            FEW, size, INF, [40], rates, batch=4, pull=pull, forgetting=forget, noise=0.2
        )
        assert long.excess_loss[:-1] == pytest.approx(found.excess_loss, rel=1e-9)
        assert short.excess_loss[0] == pytest.approx(found.excess_loss[4], rel=1e-8)


def test_momentum_of_all_samples_is_the_heavy_ball():
    steps, rule = np.array([1, 3, 10, 50, 120]), HeavyBall(0.3, 0.6)
    exact = dynamics(LAW, 50, 80, steps, learner=rule, noise=0.1)
    found = dynamics(LAW, 50, 80, steps, learner=MinibatchSGD(0.3, INF, momentum=0.6), noise=0.1)
    assert found.excess_loss == pytest.approx(exact.excess_loss, rel=1e-8)
    assert found.train_loss == pytest.approx(exact.train_loss, rel=1e-7)
    assert found.critical_step == pytest.approx(exact.critical_step, rel=1e-12)
    less = MinibatchSGD(0.3, INF, momentum=0.55)
    other = dynamics(LAW, 50, 80, steps[1:3], learner=less, noise=0.1).excess_loss
    assert np.all(np.abs(other / exact.excess_loss[1:3] - 1) > 1e-3)


def test_preconditioned_sgd_is_sgd_on_the_scaled_spectrum():
    rule = MinibatchSGD(0.2, INF, preconditioner=-0.4)
    exact = dynamics(LAW, 50, 80, [10, 200], learner=PreconditionedDescent(0.2, -0.4), noise=0.1)
    found = dynamics(LAW, 50, 80, [10, 200], learner=rule, noise=0.1)
    assert found.excess_loss == pytest.approx(exact.excess_loss, rel=1e-9)
    one = OnePassSGD(0.2, 4, preconditioner=-0.4)
    same = OnePassSGD(0.2, 4)
    first = dynamics(LAW, 50, INF, [10, 200], learner=one, noise=0.1).excess_loss
    other = dynamics(scaled(LAW, -0.4), 50, INF, [10, 200], learner=same, noise=0.1).excess_loss
    assert first == pytest.approx(other, rel=1e-12)


@pytest.mark.parametrize(("size", "count", "beta"), [
    (INF, INF, 0.5), (40, INF, 0.8), pytest.param(40, 60, 0.5, marks=pytest.mark.slow)
])  # fmt: skip
def test_critical_step_of_momentum(size, count, beta):
    """Just below it the loss comes down, just above it grows."""
    rule = MinibatchSGD if count < INF else OnePassSGD
    edge = rule(1.0, 4, momentum=beta).critical_step(LAW, size, count)
    late = [300, 600] if count < INF else [10_000, 20_000]
    for share, grows in ((0.95, False), (1.05, True)):
        step = rule(share * edge, 4, momentum=beta)
        first, second = dynamics(LAW, size, count, late, learner=step, noise=0.1).train_loss
        assert (second > 2 * first or second == INF) == grows


def test_a_schedule_in_an_array_is_the_schedule():
    """Smooth arrays become polynomials, kinks and jumps stay where they are, noise is a table."""
    for name in SCHEDULES:
        rates = schedule(name, 0.3, 20_000, **OPTIONS.get(name, {}))
        values = rates(np.arange(20_000))
        again = from_values(values)
        assert np.abs(again(np.arange(20_000)) - values).max() < 1e-12
        assert sum(p.last - p.first for p in again.pieces if not p.smooth) < 200
        times = [100, 19_999, 20_000]
        one, two = (scheduled_dynamics(LAW, INF, INF, times, x, batch=8) for x in (rates, again))
        assert one.excess_loss == pytest.approx(two.excess_loss, rel=1e-8)
    rough = np.random.default_rng(0).uniform(0, 0.3, 3000)
    assert from_values(rough)(np.arange(3000)) == pytest.approx(rough, abs=0)


def test_sums_that_are_lost_in_rounding_errors_are_refused():
    def noisy(n):
        return np.sin(1e3 * n)[None] / 1e3, np.zeros((1, 1))

    with pytest.raises(PrecisionError, match="one by one"):
        evolve(Modes(np.ones(1, complex), noisy), (), [(0, 2**50, 1)], np.array([2.0**50]))


@pytest.mark.parametrize("name", [*SCHEDULES, *AVERAGES])
def test_pieces_follow_one_another_from_the_first_step(name):
    options = OPTIONS.get(name, {})
    found = averaging(name, 40) if name in AVERAGES else schedule(name, 0.2, 40, **options)
    assert [piece.first for piece in found.pieces] == [0, *found.edges[:-1]]


@pytest.mark.parametrize("length", [64, 5000, 10**6])
def test_equal_steps_are_followed_as_any_steps_are(length):
    """Columns that repeat one another are solved for as others are: the same in two ways."""
    modes = complex_modes(LAW, 50, INF, 0.4 * length, 0.45)
    z, source = modes.z[:, None], 0.02 * modes.response[:, None]
    loss = -(2 + 0.45 * z) * 0.4 * z

    def equal(n):
        return loss, source

    def repeated(n):
        return loss + 0 * n, source + 0 * n

    found = []
    for coefficients in (equal, repeated):
        active, passive = (Modes(modes.power, coefficients, offset=0.1) for _ in "12")
        run = evolve(active, [passive], [(0, length, 1)], np.array([length // 3, length]))
        found.append(np.append(run.sums, [active.values, passive.values]))
    assert found[0] == pytest.approx(found[1], rel=1e-11, abs=1e-13)
    assert found[0][:2] == pytest.approx(found[0][2:4], rel=1e-11)


def test_named_schedules_have_their_formulas():
    n, left = np.arange(40), 1 - np.arange(40) / 40
    for name, expected, options in (
        ("constant", 0 * n + 0.3, {}),
        ("linear", 0.3 * left, {}),
        ("linear", 0.3 * (0.1 + 0.9 * left), {"final": 0.1}),
        ("cosine", 0.15 * (1 + np.cos(np.pi * n / 40)), {}),
        ("cosine", 0.06 + 0.12 * (1 + np.cos(np.pi * n / 40)), {"final": 0.2}),
        ("power", 0.3 * (1 + n / 7) ** -0.6, {"scale": 7.0, "exponent": 0.6}),
    ):
        found = schedule(name, 0.3, 40, **options)
        assert found(n) == pytest.approx(expected, rel=1e-12), name
        assert found.total() == pytest.approx(expected.sum(), rel=1e-9), name


def test_schedules_in_parts_have_their_formulas():
    steps = np.arange(8)
    wsd = schedule("wsd", 1.0, 8, warmup=0.25, decay=0.5, final=0.2)(steps)
    assert wsd == pytest.approx([0.5, 1, 1, 1, 1, 0.8, 0.6, 0.4])
    assert schedule("wsd", 1.0, 8, decay=0.01)(steps) == pytest.approx(np.ones(8))
    assert schedule("linear", 1.0, 8, warmup=0.25)(steps) == pytest.approx(
        [0.5, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    )
