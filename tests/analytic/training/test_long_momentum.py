"""Momentum at all times: against recursions of moments, across the switch of contours, at the ends.

The recursion is that of (u, y), y' = βy + ηg, u' = u − y', whose differences are not lost.
"""

import math

import numpy as np
import pytest

from solvable.analytic.errors import PrecisionError
from solvable.analytic.spectrum import Empirical, PowerLaw
from solvable.analytic.training import dynamics as module
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import HeavyBall, MinibatchSGD, OnePassSGD

INF = math.inf
LAW = PowerLaw(exponent=1.25, target_exponent=1.5)


def _stepped(eigenvalues, power, rule, last, noise):
    """Excess losses after 0 … ``last`` steps on fresh samples, in extended precision."""
    x, uu = (np.asarray(a, np.longdouble) for a in (eigenvalues, power))
    beta, push = np.longdouble(float(rule.momentum)), np.longdouble(float(rule.step)) * x
    uy, yy, out = 0 * uu, 0 * uu, [uu.sum()]
    for _ in range(last):
        drawn = push**2 * (uu + uu.sum() + noise) / int(rule.batch)
        both = beta * uy + push * uu  # E[u y']
        yy = beta**2 * yy + 2 * beta * push * uy + push**2 * uu + drawn
        uu, uy = uu - 2 * both + yy, both - yy
        out.append(uu.sum())
    return np.array(out, float)


def _drawn(rng):
    modes = int(rng.integers(1, 40))
    kind = int(rng.integers(3))
    steep = float(rng.uniform(1.1, 3))
    laws = (
        np.arange(1, modes + 1.0) ** -steep,
        rng.exponential(1, modes),
        np.exp(-0.2 * steep * np.arange(modes)),
    )
    values = np.sort(laws[kind] * 10 ** rng.uniform(-2, 2))[::-1]
    return Empirical(values, rng.exponential(1, modes) * values)


@pytest.mark.parametrize("seed", range(12))
def test_one_pass_against_the_recursion_across_the_switch(seed):
    rng = np.random.default_rng(seed)
    spectrum = _drawn(rng)
    momentum, batch = float(1 - 10 ** rng.uniform(-2, -0.3)), int(2 ** rng.integers(0, 7))
    critical = OnePassSGD(1, batch, momentum=momentum).critical_step(spectrum, INF, INF)
    rule = OnePassSGD(float(critical) * rng.uniform(0.02, 1.05), batch, momentum=momentum)
    noise = float(rng.choice([0.0, 0.3]))
    switch = int(-math.log(1e-15) / -math.log(momentum))
    times = np.unique([1, 9, switch // 3, switch - 1, switch, switch + 2, 4 * switch + 100])
    found = dynamics(spectrum, INF, INF, times, learner=rule, noise=noise)
    exact = _stepped(
        spectrum.eigenvalues(), spectrum.target_power(), rule, int(times[-1]), noise
    )[times]
    known = exact < 1e30
    errors = np.abs(found.excess_loss - exact)[known]
    assert np.all(errors <= found.error_estimate[known] + 1e-15 * exact[known].max())
    assert np.all(found.error_estimate[known] <= 1e-8 * np.maximum(exact[known], exact[0]))


@pytest.mark.parametrize("seed", range(5))
def test_one_pass_at_finite_features_is_that_of_complex_modes(seed):
    rng = np.random.default_rng(seed)
    features, momentum = float(rng.integers(5, 300)), float(rng.uniform(0.1, 0.95))
    batch = int(2 ** rng.integers(0, 7))
    critical = OnePassSGD(1, batch, momentum=momentum).critical_step(LAW, features, INF)
    rule = OnePassSGD(float(critical) * rng.uniform(0.05, 1.02), batch, momentum=momentum)
    times = [1, 30, 900]
    found = dynamics(LAW, features, INF, times, learner=rule, noise=0.1)
    again = rule.follow(LAW, features, INF, times, 0.1)
    allowed = found.error_estimate + again.error_estimate
    assert np.all(np.abs(found.excess_loss - again.excess_loss) <= allowed)


def test_one_pass_has_digits_with_momentum():
    rule = OnePassSGD(0.01, 8, momentum=0.5)
    for time in (3, 10**15):
        exact = dynamics(LAW, 100, INF, [time], learner=rule, noise=0.1, digits=20)
        fast = dynamics(LAW, 100, INF, [time], learner=rule, noise=0.1)
        assert abs(float(exact.excess_loss[0]) / fast.excess_loss[0] - 1) < 1e-11


@pytest.mark.parametrize("seed", range(2))
def test_full_batches_with_momentum_are_the_heavy_ball_at_all_times(seed):
    rng = np.random.default_rng(seed)
    features, samples = (float(x) for x in rng.integers(10, 200, 2))
    momentum = float(rng.uniform(0.1, 0.6))
    step = float(HeavyBall(1, momentum).critical_step(LAW, features, samples)) * 0.2
    batch = (samples, INF)[seed % 2]
    batch = batch if batch == INF else int(batch)
    times = [5, 300, 10**6]
    rules = MinibatchSGD(step, batch, momentum=momentum), HeavyBall(step, momentum)
    found, exact = (dynamics(LAW, features, samples, times, learner=r, noise=0.2) for r in rules)
    for name, error in (("excess_loss", "error_estimate"), ("train_loss", "error_estimate")):
        apart = np.abs(getattr(found, name) - getattr(exact, name))
        assert np.all(apart <= 2 * getattr(found, error)), name


def test_heavy_ball_stays_exact_on_many_nodes():
    values, momentum, last = np.array([1.0, 0.3, 0.02]), 0.9999, 3000
    rule, spectrum = HeavyBall(0.7, momentum), Empirical(values, np.array([1.0, 2.0, 0.5]))
    found = dynamics(spectrum, INF, INF, [last], learner=rule)
    filtered = rule.residual(values, np.array([last] * 3))
    exact = np.sum(np.array([1.0, 2.0, 0.5]) * filtered**2)
    assert abs(found.excess_loss[0] - exact) <= found.error_estimate[0] + 1e-12


@pytest.mark.parametrize("rule, samples, time", [
    (HeavyBall(0.5, 0.999999), 200, 10**6),
    (OnePassSGD(0.0001, 8, momentum=0.99999), INF, 10**6),
    (MinibatchSGD(0.1, 8, momentum=0.99), 200, 10**4),
    (MinibatchSGD(0.1, 8, momentum=0.5), 100, 4 * 10**15),
])  # fmt: skip
def test_what_would_take_minutes_is_refused_with_its_reason(rule, samples, time):
    with pytest.raises(PrecisionError, match=r"oscillate|modes"):
        dynamics(LAW, 100, samples, [time], learner=rule)


@pytest.mark.parametrize("rule, samples", [
    (HeavyBall(0.5, 0.999999), 200), (OnePassSGD(1e-4, 8, momentum=0.999), INF),
])  # fmt: skip
def test_momentum_near_one_at_the_end_of_time(rule, samples):
    found = dynamics(LAW, 100, samples, [1e300], learner=rule)
    assert found.error_estimate[0] < 1e-8 * found.excess_loss[0]


@pytest.mark.parametrize("momentum, samples", [(0.0, 80), (0.7, 80), (0.95, INF)])
def test_digits_on_a_circle_are_those_of_all_pairs(momentum, samples, monkeypatch):
    law = PowerLaw(exponent=1.25, target_exponent=1.5, size=20)
    rule, found = HeavyBall(0.1, momentum), []
    for paired in (False, True):
        if paired:
            monkeypatch.setattr(module._Model, "_convolves", lambda self, rule: False)
        found.append(dynamics(law, 50, samples, [9], learner=rule, noise=0.2, digits=30))
    for name in ("excess_loss", "train_loss"):
        circle, pairs = (getattr(x, name)[0] for x in found)
        assert abs(circle / pairs - 1) < 1e-29
