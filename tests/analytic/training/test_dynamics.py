"""Loss against time: reference values, limits, averages, and every rule against simulation."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from solvable.analytic.errors import InputError, PrecisionError
from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import CutoffPowerLaw, Empirical, Flat, PowerLaw
from solvable.analytic.training import dynamics as module
from solvable.analytic.training.contour import hyperbola
from solvable.analytic.training.correlation import two_point
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import (
    GradientDescent,
    GradientFlow,
    HeavyBall,
    MinibatchSGD,
    OnePassSGD,
    RidgeRegression,
)
from solvable.analytic.training.learning_curves import (
    mode_learning_curve,
    time_scale_density,
    unlearned,
)
from solvable.analytic.training.training_rule import Quadrature
from solvable.validation.time_stepping import (
    gradient_flow,
    momentum_update,
    one_pass_sgd,
    solve_mean_field,
)

LAW = PowerLaw(exponent=Fraction(5, 4), target_exponent=Fraction(3, 2), size=200)
SPECTRA = [
    LAW,
    Flat(90),
    PowerLaw(alpha=0.5, target_exponent=1.8),
    PowerLaw(alpha=1, size=10**9),
    CutoffPowerLaw(0.5, 20, 80),
    Empirical([3.0, 1.0, 1.0, 0.2, 1e-3] * 1, [1.0, 0.0, 2.0, 0.5, 0.1]),
]
RULES = [GradientFlow(), GradientDescent(0.2), HeavyBall(0.1, 0.6)]

# gradient flow on LAW: N, T, t, σ², excess loss, training loss
REFERENCE = [
    (60, 120, 10, 0, 0.5915381394696, 0.4479990032734),
    (60, 120, 1000, 0, 0.5585404227196, 0.1522909792756),
    (120, 60, 100, Fraction(1, 10), 0.4810804525493, 0.0718681607334),
]


@pytest.mark.parametrize(("n", "t", "time", "noise", "excess", "train"), REFERENCE)
def test_reference_values(n, t, time, noise, excess, train):
    result = dynamics(LAW, n, t, time, noise=noise)
    assert abs(result.excess_loss - excess) < 1e-12
    assert abs(result.train_loss - train) < 1e-12
    assert result.error_estimate < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("n", "t", "time", "noise", "excess", "train"), REFERENCE)
def test_reference_values_to_twenty_digits(n, t, time, noise, excess, train):
    exact = dynamics(LAW, n, t, time, noise=noise, digits=20)
    fast = dynamics(LAW, n, t, time, noise=noise)
    for name, reference in (("excess_loss", excess), ("train_loss", train)):
        assert abs(float(getattr(exact, name)) - reference) < 1e-12
        assert abs(float(getattr(exact, name)) - getattr(fast, name)) < 3 * fast.error_estimate


def test_digits_are_certain_and_do_not_depend_on_the_contour(monkeypatch):
    spectrum = Flat(6)
    low, high = (dynamics(spectrum, 3, 9, [0, 2], digits=d) for d in (5, 12))
    monkeypatch.setattr("solvable.analytic.training.contour.MP_ANGLE", 0.95)
    other = dynamics(spectrum, 3, 9, [0, 2], digits=12)
    for one, two in zip(high.excess_loss, other.excess_loss):
        assert abs(one - two) < mpmath.mpf(10) ** -11 * abs(one)
    assert abs(low.excess_loss[1] - high.excess_loss[1]) < mpmath.mpf(10) ** -4
    assert high.excess_loss[0] == 6 and high.train_loss[0] == 6


def test_digits_against_the_closed_form():
    """25 digits that come from elsewhere: 1/N, 1/T and σ² must not pass through float64."""
    late = dynamics(Flat(6), 3, 7, 10**5, noise=Fraction(1, 7), digits=25)
    closed = static_loss(Flat(6), 3, 7, noise=Fraction(1, 7), digits=25)
    for name in ("excess_loss", "train_loss"):
        difference = getattr(late, name) - getattr(closed, name)
        assert abs(difference) < mpmath.mpf(10) ** -24 * getattr(closed, name)


def test_digits_of_every_rule_against_exact_recursions():
    """One mode λ = 1, N = T = ∞: rational numbers, and e^{−2t}."""
    third, noise, steps = Fraction(1, 3), Fraction(1, 7), 9
    before = descent = ball = sgd = Fraction(1)
    for _ in range(steps):
        descent *= 1 - third
        before, ball = ball, ball - third * ball + (ball - before) / 5
        sgd = (1 - third) ** 2 * sgd + third**2 / 4 * (2 * sgd + noise)
    with mpmath.workdps(40):
        expected = {
            GradientDescent(third): mpmath.mpmathify(descent) ** 2,
            HeavyBall(third, Fraction(1, 5)): mpmath.mpmathify(ball) ** 2,
            OnePassSGD(third, 4): mpmath.mpmathify(sgd),
            GradientFlow(): mpmath.exp(-2 * steps),
            GradientFlow(third): ((1 + 3 * mpmath.exp(-4 * mpmath.mpf(steps) / 3)) / 4) ** 2,
        }
        for rule, value in expected.items():
            found = dynamics(
                Flat(1), math.inf, math.inf, steps, learner=rule, noise=noise, digits=25
            )
            assert abs(found.excess_loss - value) < mpmath.mpf(10) ** -24 * value, rule


def test_late_times_in_mpmath_need_no_more_than_more_digits():
    """At t = 1e15 the κ of all nodes agree to 15 digits; the precision is raised by itself."""
    exact = dynamics(Flat(6), 3, 9, 10**15, noise=Fraction(1, 4), digits=15)
    closed = static_loss(Flat(6), 3, 9, noise=0.25)
    assert float(exact.excess_loss) == pytest.approx(float(closed.excess_loss), rel=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "time", "rule"),
    [
        ((6, 12), 1000, GradientDescent(Fraction(1, 2))),
        ((6, 12), 10**15, GradientDescent(Fraction(1, 2))),
        ((6, 12), 10, HeavyBall(Fraction(1, 2), Fraction(1, 2))),
        ((6, 12), 1000, HeavyBall(Fraction(1, 2), Fraction(1, 2))),
        ((6, math.inf), 10, OnePassSGD(Fraction(1, 4), 8)),
        ((6, math.inf), 10**10, OnePassSGD(Fraction(1, 4), 8)),
        ((6, 12), 10**6, GradientFlow(Fraction(1, 1000))),
        ((12, 6), 10**6, GradientFlow()),
    ],
)
def test_every_rule_to_fifteen_digits(sizes, time, rule):
    """The mpmath face, and float64 within its own error estimate of it."""
    spectrum = PowerLaw(exponent=Fraction(5, 4), target_exponent=Fraction(3, 2), size=20)
    slow = dynamics(spectrum, *sizes, time, noise=Fraction(1, 10), learner=rule, digits=15)
    fast = dynamics(spectrum, *sizes, time, noise=Fraction(1, 10), learner=rule)
    assert abs(fast.excess_loss - float(slow.excess_loss)) <= fast.error_estimate < 1e-11
    assert abs(fast.train_loss - float(slow.train_loss)) <= fast.train_error_estimate < 1e-11


@pytest.mark.parametrize("angle", [0.85, 1.0, 1.1])
def test_result_does_not_depend_on_the_contour(angle, monkeypatch):
    times = [1e-3, 1.0, 30.0, 1e6]
    plain = dynamics(LAW, 60, 120, times, noise=0.1)
    monkeypatch.setattr("solvable.analytic.training.contour.FLOAT_ANGLE", angle)
    other = dynamics(LAW, 60, 120, times, noise=0.1)
    assert np.allclose(plain.excess_loss, other.excess_loss, rtol=1e-11)
    assert np.allclose(plain.train_loss, other.train_loss, rtol=1e-11)


def test_two_different_contours_for_the_two_frequencies():
    model = module._Model(LAW, 60.0, 120.0, 0.1, 1, 1, GradientFlow())
    time, value = 20.0, 0.0
    sides = []
    for scale in (1.0, 1.7):
        contour = hyperbola(time / scale, time, 1e-14)
        weights = contour.weights * np.exp(time * contour.nodes)
        rule = Quadrature(np.array([0]), (contour.nodes,), weights[None])
        sides.append((model.nodes([rule])[0], weights))
    (x, w), (y, v) = sides
    c0, _ = two_point(x, y.mirrored(), 60.0, 120.0, 0.1)
    value = 2 * (w @ c0 @ np.concatenate([v, np.conj(v)])).real
    assert value == pytest.approx(dynamics(LAW, 60, 120, time, noise=0.1).excess_loss, rel=1e-11)


def test_float_error_estimate_is_honest():
    spectrum = Flat(12)
    for n, t, time in ((5, 8, 0.5), (30, math.inf, 2.0)):
        fast = dynamics(spectrum, n, t, time, noise=0.5)
        slow = dynamics(spectrum, n, t, time, noise=0.5, digits=13)
        assert abs(fast.excess_loss - float(slow.excess_loss)) <= fast.error_estimate
        assert abs(fast.train_loss - float(slow.train_loss)) <= fast.train_error_estimate


# ---- limits ---------------------------------------------------------------------------


@pytest.mark.parametrize("spectrum", SPECTRA, ids=repr)
@pytest.mark.parametrize("rule", [*RULES, GradientFlow(decay=0.1)], ids=repr)
def test_time_zero(spectrum, rule):
    result = dynamics(spectrum, 7, 9, [0], noise=0.3, learner=rule)
    assert result.excess_loss[0] == pytest.approx(spectrum.total_target_power(), rel=1e-14)
    assert result.train_loss[0] == pytest.approx(result.excess_loss[0] + 0.3, rel=1e-14)
    early = dynamics(spectrum, 7, 9, [1e-9], noise=0.3)
    assert early.excess_loss[0] == pytest.approx(result.excess_loss[0], rel=1e-6)


@pytest.mark.parametrize("spectrum", SPECTRA, ids=repr)
@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("sizes", [(3, 9), (9, 3), (3, math.inf), (math.inf, 3)])
def test_infinite_time_is_the_static_loss(spectrum, rule, sizes):
    late = dynamics(spectrum, *sizes, [1e15, 1e17], noise=0.3, learner=rule)
    closed = static_loss(spectrum, *sizes, noise=0.3)
    if not late.diverges:
        assert np.allclose(late.excess_loss, closed.excess_loss, rtol=1e-9)
        assert np.allclose(late.train_loss, closed.train_loss, rtol=1e-9, atol=1e-6)
    else:
        assert float(rule.step) > late.critical_step


@pytest.mark.parametrize("spectrum", SPECTRA, ids=repr)
@pytest.mark.parametrize("sizes", [(3, 9), (9, 3), (6, 6)])
@pytest.mark.parametrize("decay", [1e-8, 1e-3, 0.2])
def test_weight_decay_ends_at_the_static_ridge_loss(spectrum, sizes, decay):
    late = dynamics(spectrum, *sizes, [1e12, 1e15], noise=0.3, learner=GradientFlow(decay))
    closed = static_loss(spectrum, *sizes, ridge=decay * sizes[0] * sizes[1], noise=0.3)
    assert np.allclose(late.excess_loss, closed.excess_loss, rtol=1e-9)
    assert np.allclose(late.train_loss, closed.train_loss, rtol=1e-9)
    assert late.excess_loss[1] != pytest.approx(static_loss(spectrum, *sizes).excess_loss, rel=1e-9)


def test_infinite_sizes_are_exponentials():
    """N = P = ∞: L = Σ w²λ e^{−2λt} (1 − ηλ)^{2n}, …"""
    times = np.array([0.5, 3.0, 200.0, 5000])
    values, power = LAW.eigenvalues(), LAW.target_power()
    flow = dynamics(LAW, math.inf, math.inf, times)
    assert np.allclose(flow.excess_loss, np.exp(-2 * np.outer(times, values)) @ power, rtol=1e-12)
    assert np.allclose(flow.gap, 0, atol=1e-12)
    steps = np.array([1.0, 12, 90])
    for rule in (GradientDescent(0.7), HeavyBall(0.4, 0.5)):
        filtered = rule.residual(values, steps[:, None]) ** 2 @ power
        assert np.allclose(
            dynamics(LAW, math.inf, math.inf, steps, learner=rule).excess_loss, filtered, rtol=1e-11
        )


@pytest.mark.parametrize("rule", [GradientFlow(), GradientDescent(0.3)])
def test_exponents_at_late_times_in_infinite_models(rule):
    """N = P = M = ∞: L ~ t^{−(a−1)/b}, fitted over four decades."""
    a, b = 1.8, 1.5
    times = np.round(np.geomspace(1e6, 1e10, 9))
    loss = dynamics(
        PowerLaw(exponent=b, target_exponent=a), math.inf, math.inf, times, learner=rule
    ).excess_loss
    slope = np.polyfit(np.log(times), np.log(loss), 1)[0]
    assert slope == pytest.approx(-(a - 1) / b, abs=1e-3), slope
    step = getattr(rule, "step", 1.0)
    law = math.gamma((a - 1) / b) / b * (2 * step * times) ** (-(a - 1) / b)
    assert loss[-1] / law[-1] == pytest.approx(1, abs=1e-4)


def test_pole_at_equal_sizes_grows_without_bound():
    times = 10.0 ** np.arange(2, 16, 2)
    loss = dynamics(LAW, 60, 60, times, noise=0.1).excess_loss
    slope = np.polyfit(np.log(times[2:]), np.log(loss[2:]), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.01), slope
    assert static_loss(LAW, 60, 60, noise=0.1).excess_loss == math.inf


# ---- shapes, gap, averages ------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_sizes_and_times_broadcast(rule):
    n, t = np.array([[10.0], [np.inf]]), np.array([12.0, 30.0, np.inf])
    times = np.array([[1.0, 2.0], [20.0, 0.0]])
    result = dynamics(Flat(15), n, t, times, learner=rule, noise=0.2)
    assert result.excess_loss.shape == (2, 3, 2, 2) == result.error_estimate.shape
    for i, j in np.ndindex(2, 3):
        one = dynamics(Flat(15), n[i, 0], t[j], times, learner=rule, noise=0.2)
        assert np.allclose(result.excess_loss[i, j], one.excess_loss, rtol=1e-11)
        assert np.allclose(result.train_loss[i, j], one.train_loss, rtol=1e-11)


def test_many_models_at_once(monkeypatch):
    n, t = np.geomspace(3, 100, 7)[:, None], np.geomspace(5, 50, 3)
    together = dynamics(LAW, n, t, [1.0, 20.0])
    monkeypatch.setattr(module, "MANY_MODELS", 4)
    in_parts = dynamics(LAW, n, t, [1.0, 20.0])
    assert together.excess_loss.shape == in_parts.excess_loss.shape == (7, 3, 2)
    assert np.allclose(together.excess_loss, in_parts.excess_loss, rtol=1e-12)
    assert in_parts.critical_step.shape == (7, 3)


@pytest.mark.parametrize("sizes", [(20, 50), (50, 20), (np.array([9.0, 50]), math.inf)])
@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_convolutions_equal_all_pairs(sizes, momentum, monkeypatch):
    """The same circle, evaluated in two ways."""
    results = []
    for limit in (0, 10**9):
        monkeypatch.setattr(module, "MANY_NODES", limit)
        rule = HeavyBall(0.1, momentum)
        results.append(dynamics(LAW, *sizes, [1, 7, 30], learner=rule, noise=0.2))
    fast, slow = results
    for name in ("excess_loss", "train_loss"):
        assert np.allclose(getattr(fast, name), getattr(slow, name), rtol=1e-11)
    assert np.all(fast.error_estimate < 1e-10)
    assert not np.array_equal(fast.excess_loss, slow.excess_loss)  # the two ways were taken


def test_many_steps_of_large_momentum():
    """β = 0.97, 400 steps: a circle of thousands of nodes, against the recursion itself."""
    rule, steps = HeavyBall(0.05, 0.97), np.array([30.0, 400])
    values, power = LAW.eigenvalues(), LAW.target_power()
    expected = rule.residual(values, steps[:, None]) ** 2 @ power
    found = dynamics(LAW, math.inf, math.inf, steps, learner=rule)
    assert np.allclose(found.excess_loss, expected, rtol=1e-9)
    assert np.all(np.abs(found.excess_loss - expected) < found.error_estimate)


def test_scalar_time_gives_numbers():
    result = dynamics(LAW, 60, 120, 10)
    assert np.shape(result.excess_loss) == ()
    assert result.gap == result.excess_loss - result.train_loss


def test_gap_is_the_memory_of_the_data():
    """Eq. (18): L + σ² is C₁ seen through 1/R₁ twice; the gap falls as 1/P."""
    gaps = [dynamics(LAW, 100, p, 5.0, noise=0.1).gap for p in (1e4, 1e5)]
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.01)
    assert np.all(dynamics(LAW, 60, 120, np.geomspace(0.1, 1e4, 9), noise=0.1).gap > 0)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_averages(rule):
    times = [2.0, 30.0]

    def loss(e, k, n=40, t=70):
        return dynamics(LAW, n, t, times, learner=rule, noise=0.1, ensemble=e, bags=k)

    one, pair, many = (loss(e, 1).excess_loss for e in (1, 2, 10**9))
    assert np.all(one > pair) and np.all(pair > many)
    assert np.allclose(pair - many, (one - many) / 2, rtol=1e-6)  # bias + variance/E
    assert np.allclose(many, loss(1, 1, n=1e9).excess_loss, rtol=2) and np.all(
        loss(4, 1, n=40).excess_loss > loss(1, 1, n=160).excess_loss
    )  # an ensemble of four loses to one model four times as large
    bagged = loss(1, 10**9).excess_loss
    both = loss(10**9, 10**9).excess_loss
    assert np.all(both < bagged) and np.all(both < many)
    assert np.allclose(both, curve_bias(rule, times), rtol=1e-6)


def curve_bias(rule, times):
    """Σ w²λ H_k(t)², the loss of the average over all features and all data."""
    curves = mode_learning_curve(LAW, 40, 70, np.arange(1, 201), times, learner=rule)
    return LAW.target_power() @ curves**2


def test_shared_members_change_nothing():
    """E features of an infinite model are one and the same."""
    one = dynamics(LAW, math.inf, 50, [3.0, 80.0], noise=0.1)
    several = dynamics(LAW, math.inf, 50, [3.0, 80.0], noise=0.1, ensemble=7)
    assert np.allclose(one.excess_loss, several.excess_loss, rtol=1e-12)
    assert np.allclose(one.train_loss, several.train_loss, rtol=1e-12)


# ---- single modes and stopping ----------------------------------------------------------


def test_marchenko_pastur_density():
    ratio = 2.5
    low, high = (1 - ratio**-0.5) ** 2, (1 + ratio**-0.5) ** 2
    u = np.array([0.1, low * 1.01, 0.5, 1.0, 2.0, high * 0.99, high * 1.1])
    found = time_scale_density(Flat(100), math.inf, 250, 1, u)
    inside = np.maximum((u - low) * (high - u), 0)
    assert np.allclose(found, ratio * np.sqrt(inside) / (2 * np.pi * u), atol=1e-6)
    printed = ratio * np.sqrt(np.maximum((u - low) * (u - high), 0)) / (2 * np.pi * u)  # wrong sign
    assert not np.allclose(found, printed, atol=1e-3)


@pytest.mark.parametrize("mode", [1, 4])
def test_density_gives_the_learning_curve(mode):
    spectrum, n, t = PowerLaw(alpha=0.5, size=8), 5, 12
    edges = np.geomspace(1e-6, 10, 241)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    u = (edges[:-1, None] + edges[1:, None]) / 2 + np.diff(edges)[:, None] / 2 * nodes
    rho = time_scale_density(spectrum, n, t, mode, u) * np.diff(edges)[:, None] / 2 * weights
    rest = unlearned(spectrum, n, t, mode)
    for time in (0.0, 1.0, 20.0):
        total = rest + np.sum(rho * np.exp(-u * time))
        curve = mode_learning_curve(spectrum, n, t, mode, time)
        assert total == pytest.approx(float(curve), abs=1e-4), time


def test_learning_curves_start_at_one_and_end_unlearned():
    modes = np.array([1, 10, 200])
    curve = mode_learning_curve(LAW, 60, 120, modes, [0.0, 1e15])
    assert np.allclose(curve[:, 0], 1)
    assert np.allclose(curve[:, 1], unlearned(LAW, 60, 120, modes), rtol=1e-9)


# ---- divergence -----------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.3, 0.7])
def test_divergence_with_momentum_begins_at_its_own_step(momentum):
    critical = HeavyBall(0.1, momentum).critical_step(LAW, 60, 120)
    for factor, diverging in ((0.97, False), (1.03, True)):
        rule = HeavyBall(factor * critical, momentum)
        found = dynamics(LAW, 60, 120, 2000, learner=rule)
        assert bool(found.diverges) is diverging is bool(found.excess_loss > 1e3)


def test_growth_rate_is_that_of_the_loss():
    descent = GradientDescent(1)
    rule = GradientDescent(1.05 * descent.critical_step(LAW, 60, 120))
    critical = rule.critical_step(LAW, 60, 120)
    first, second = dynamics(LAW, 60, 120, [400, 800], learner=rule).excess_loss
    rate = rule.growth_rate(LAW, 60, 120, critical)
    assert math.log(second / first) / 400 == pytest.approx(rate, rel=0.1)


@pytest.mark.parametrize("bags", [2, 3, 7])
def test_bags_of_very_many_samples_are_all_the_same(bags):
    one, several = (
        dynamics(LAW, 40, 1e10, [2.0, 30.0], noise=0.1, bags=k).train_loss for k in (1, bags)
    )
    assert np.allclose(one, several, rtol=1e-6)


def test_divergence_is_recognised():
    critical = dynamics(LAW, 60, 120, [1], learner=GradientDescent(1)).critical_step
    for factor, diverging in ((0.99, False), (1.01, True)):
        rule = GradientDescent(factor * critical)
        result = dynamics(LAW, 60, 120, [10, 10**4, 10**6], learner=rule)
        assert bool(result.diverges) is diverging
        assert (result.excess_loss[1] > 1e10) is np.bool_(diverging)
        assert (result.excess_loss[2] == math.inf) is np.bool_(diverging)
    mixed = dynamics(LAW, np.array([5.0, 500.0]), 500, [1000], learner=GradientDescent(1.4))
    assert mixed.diverges.tolist() == [True, False]
    assert mixed.excess_loss[1, 0] < 1 < mixed.excess_loss[0, 0]


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        ({"times": [-1]}, "times"), ({"times": []}, "times"), ({"times": math.nan}, "times"),
        ({"times": 1.5, "learner": GradientDescent(1)}, "times"),
        ({"features": 0}, "features"), ({"samples": -3}, "samples"), ({"noise": -1}, "noise"),
        ({"ensemble": 0}, "ensemble"), ({"bags": 1.5}, "bags"),
        ({"samples": math.inf, "bags": 2}, "samples"), ({"learner": OnePassSGD(1)}, "samples"),
        ({"digits": 0}, "digits"), ({"features": np.array([1.0, 2]), "digits": 5}, "features"),
    ],
)  # fmt: skip
def test_bad_input(settings, argument):
    arguments = {"features": 10, "samples": 20, "times": 1} | settings
    with pytest.raises(InputError, match=argument):
        dynamics(LAW, **arguments)


# ---- the same mean-field equations, stepped in time ---------------------------------------

SMALL = PowerLaw(exponent=1.25, target_exponent=1.5, size=30)
STEPS = 40


@pytest.mark.parametrize("sizes", [(12, 20), (20, 12), (math.inf, 9), (9, math.inf)])
@pytest.mark.parametrize("rule", [GradientDescent(0.5), HeavyBall(0.3, 0.5)], ids=repr)
@pytest.mark.parametrize("shared", [(True, True), (False, True), (True, False)])
def test_discrete_rules_against_time_stepping(sizes, rule, shared):
    """Exact in time, so the two must agree to rounding, with each term of (2) switched off."""
    update = momentum_update(STEPS, rule.step, rule.momentum)
    stepped = solve_mean_field(
        SMALL.eigenvalues(), SMALL.target_power(), update, features=sizes[0], samples=sizes[1],
        noise=0.2, shared_features=shared[0], shared_data=shared[1],
    )  # fmt: skip
    many = 10**12  # an average of so many is the correlation between two members
    ensemble, bags = (1 if same else many for same in shared)
    if bags > 1 and sizes[1] == math.inf:
        return
    steps = np.arange(STEPS + 1)
    found = dynamics(SMALL, *sizes, steps, learner=rule, noise=0.2, ensemble=ensemble, bags=bags)
    assert np.allclose(found.excess_loss, stepped.excess_loss, rtol=1e-9)
    if shared[1]:
        assert np.allclose(found.train_loss, stepped.train_loss, rtol=1e-9)
    if shared == (True, True):
        late = dynamics(SMALL, *sizes, steps + 1, learner=rule, noise=0.2)
        assert not np.allclose(late.excess_loss, stepped.excess_loss, rtol=1e-4)


@pytest.mark.parametrize("features", [12, math.inf])
def test_one_pass_sgd_against_time_stepping(features):
    stepped = one_pass_sgd(
        SMALL.eigenvalues(), SMALL.target_power(), steps=15, step_size=0.4, batch=6,
        features=features, noise=0.2,
    )  # fmt: skip
    rule = OnePassSGD(0.4, 6)
    found = dynamics(SMALL, features, math.inf, np.arange(16), learner=rule, noise=0.2)
    assert np.allclose(found.excess_loss, stepped, rtol=1e-10)


def test_weight_decay_against_time_stepping():
    rule = GradientFlow(decay=0.05)
    for time in (3.0, 60.0):
        (excess, train), error = gradient_flow(
            SMALL.eigenvalues(), SMALL.target_power(), time, points=12, ridge=0.05,
            features=12, samples=20, noise=0.2,
        )  # fmt: skip
        found = dynamics(SMALL, 12, 20, time, learner=rule, noise=0.2)
        assert abs(found.excess_loss - excess) < 10 * error[0] < 1e-3
        assert abs(found.train_loss - train) < 10 * error[1] < 1e-3


# ---- simulation -----------------------------------------------------------------------


def simulate(rule, n, p, noise, ensemble, bags, times, rng):
    """(excess, train) of the averaged prediction of all members, for one draw of everything."""
    values, power = LAW.eigenvalues(), LAW.target_power()
    target = rng.standard_normal(200) * np.sqrt(power / values)
    features = [rng.standard_normal((n, 200)) for _ in range(ensemble)]
    data = [rng.standard_normal((p, 200)) * np.sqrt(values) for _ in range(bags)]
    labels = [x @ target + math.sqrt(noise) * rng.standard_normal(p) for x in data]
    learned = np.zeros((len(times), 200))
    for u, (x, y) in itertools.product(features, zip(data, labels)):
        left, s, right = np.linalg.svd(x @ u.T, full_matrices=False)
        rates = s**2 / (n * p)
        gain = np.where(rates > 1e-13, (1 - rule.residual(rates, times[:, None])) / rates, 0)
        learned += (gain * s * (left.T @ y)) @ right @ u / (n * p * ensemble * bags)
    excess = ((target - learned) ** 2) @ values
    train = np.mean(
        [np.mean((y - learned @ x.T) ** 2, axis=1) for x, y in zip(data, labels)], axis=0
    )
    return np.concatenate([excess, train])


@pytest.mark.slow
@pytest.mark.parametrize("rule", [*RULES, GradientFlow(decay=0.02)], ids=repr)
@pytest.mark.parametrize(
    ("n", "p", "noise", "ensemble", "bags"),
    [(120, 180, 0.1, 1, 1), (180, 120, 0, 1, 1), (120, 180, 0.1, 2, 1), (90, 120, 0.1, 2, 3)],
)
def test_simulation(rule, n, p, noise, ensemble, bags):
    rng = np.random.default_rng([n, p, ensemble, bags])
    times = np.array([1.0, 5, 20, 100, 1000])
    draws = np.array([simulate(rule, n, p, noise, ensemble, bags, times, rng) for _ in range(40)])
    mean, error = draws.mean(axis=0), draws.std(axis=0) / math.sqrt(len(draws))
    result = dynamics(LAW, n, p, times, learner=rule, noise=noise, ensemble=ensemble, bags=bags)
    theory = np.concatenate([result.excess_loss, result.train_loss])
    assert np.all(np.abs(mean - theory) < 3.5 * error), (mean - theory) / error
    if ensemble > 1:
        single = dynamics(LAW, n, p, times, learner=rule, noise=noise).excess_loss
        assert np.any(np.abs(mean[:5] - single) > 4 * error[:5])


@pytest.mark.slow
def test_simulation_of_one_pass_sgd():
    rng = np.random.default_rng(11)
    n, step, batch, noise, times = 120, 0.3, 16, 1.0, np.array([1, 5, 20, 100, 300])
    values, power = LAW.eigenvalues(), LAW.target_power()
    draws = []
    for _ in range(40):
        u = rng.standard_normal((n, 200))
        kernel, v = u.T @ u / n, rng.choice([-1, 1], 200) * np.sqrt(power / values)
        losses = []
        for _ in range(times[-1]):
            x = rng.standard_normal((batch, 200)) * np.sqrt(values)
            residual = x @ v + math.sqrt(noise) * rng.standard_normal(batch)
            v = v - step * kernel @ (x.T @ residual) / batch
            losses.append(v**2 @ values)
        draws.append(np.array(losses)[times - 1])
    mean, error = np.mean(draws, axis=0), np.std(draws, axis=0) / math.sqrt(40)
    result = dynamics(LAW, n, math.inf, times, learner=OnePassSGD(step, batch), noise=noise)
    assert np.all(np.abs(mean - result.excess_loss) < 3.5 * error), (mean, result.excess_loss)
    quiet = dynamics(LAW, n, math.inf, times, learner=OnePassSGD(step, 2 * batch), noise=noise)
    assert np.any(np.abs(mean - quiet.excess_loss) > 4 * error)
    assert np.allclose(result.train_loss, result.excess_loss + noise)


# ---- extremes -------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [*RULES, OnePassSGD(0.2, 8)], ids=repr)
@pytest.mark.parametrize("time", [1e160, 1e300])
def test_very_late_times_are_the_limit(rule, time):
    samples = math.inf if rule.fresh else 120
    late = dynamics(LAW, 60, samples, [1e15, time], learner=rule, noise=0.1)
    assert np.all(late.excess_loss > 0) and np.all(late.train_loss >= 0)
    assert late.excess_loss[1] == pytest.approx(late.excess_loss[0], rel=1e-9)


@pytest.mark.slow
def test_very_late_losses_of_reused_batches_are_the_limit():
    spectrum = PowerLaw(exponent=1.5, target_exponent=1.8, size=8)
    rule = MinibatchSGD(0.3, 4)
    late = dynamics(spectrum, 5, 9, [10**10, 10**20, 10**300], learner=rule, noise=0.1)
    assert late.excess_loss == pytest.approx([late.excess_loss[0]] * 3, rel=1e-8)
    assert late.train_loss == pytest.approx([late.train_loss[0]] * 3, rel=1e-8)
    with pytest.raises(PrecisionError, match="steps"):
        dynamics(spectrum, 5, 9, [10**20], learner=replace(rule, decay=0.1))
    with pytest.raises(InputError, match="momentum_schedule = 2 values"):
        dynamics(spectrum, 5, 9, [10**20], learner=replace(rule, momentum_schedule=(0.1, 0.2)))


def test_very_early_times_are_the_start_and_endless_ones_are_refused():
    start = float(LAW.total_target_power())
    assert dynamics(LAW, 60, 120, [1e-300, 1e-160]).excess_loss == pytest.approx([start] * 2)
    endless = PowerLaw(exponent=1.25, target_exponent=1.5)
    with pytest.raises(PrecisionError, match="digits"):
        dynamics(endless, math.inf, math.inf, 1e200)
    assert dynamics(endless, 60, 120, 1e300).excess_loss == pytest.approx(
        float(static_loss(endless, 60, 120).excess_loss), rel=1e-10
    )


def test_ridge_regression_is_a_rule_too():
    ridges = np.array([0, 1e-3, 0.5])
    found = dynamics(LAW, 60, 120, ridges, learner=RidgeRegression(), noise=0.1)
    closed = static_loss(LAW, 60, 120, ridge=ridges * 7200, noise=0.1)
    assert found.excess_loss == pytest.approx(closed.excess_loss, rel=1e-12)
    late = dynamics(LAW, 60, 120, 1e15, learner=GradientFlow(0.5), noise=0.1, ensemble=3, bags=2)
    many = dynamics(LAW, 60, 120, 0.5, learner=RidgeRegression(), noise=0.1, ensemble=3, bags=2)
    assert many.excess_loss == pytest.approx(late.excess_loss, rel=1e-10)
    assert many.train_loss == pytest.approx(late.train_loss, rel=1e-10)
    with pytest.raises(InputError, match="ridges"):
        dynamics(LAW, 60, 120, ridges, learner=RidgeRegression(), ensemble=2)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_errors_are_in_the_unit_of_the_losses(unit):
    curves = [
        dynamics(PowerLaw(exponent=1.25, target_exponent=1.5, size=200, target_variance=v),
                 60, 120, [3.0, 1e4])
        for v in (1.0, unit)
    ]  # fmt: skip
    for name in ("excess_loss", "error_estimate"):
        one, other = (getattr(curve, name) for curve in curves)
        assert other == pytest.approx(unit * one, rel=0.9 if name == "error_estimate" else 1e-12)
