"""Answers that would fill the memory are refused by the argument; large ones are made in parts."""

import math

import numpy as np
import pytest

from solvable.analytic.asymptotics.dynamic_laws import compute_frontier
from solvable.analytic.asymptotics.regimes import size_map, time_map
from solvable.analytic.errors import InputError
from solvable.analytic.features.maps import map_spectrum
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.loss import static_loss
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.prediction import kernel_matrix
from solvable.analytic.prediction.training_time import flow_errors
from solvable.analytic.resolvent import eigenvalue_density, expected_eigenvalues, solve
from solvable.analytic.spectrum import Atoms, Empirical, ExponentialDecay, Flat, PowerLaw
from solvable.analytic.training.decomposition import decompose
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import GradientDescent, MinibatchSGD, RidgeRegression
from solvable.analytic.training.learning_curves import (
    mode_learning_curve,
    time_scale_density,
    unlearned,
)
from solvable.analytic.training.scheduled_training import scheduled_dynamics
from tests.processor_time import bounded

LAW = PowerLaw(exponent=1.5, target_exponent=2, size=200)
RESOLVENT = derive("tr(inv(X*X.T + z*I))", parse_declarations(gaussian="X:M,T:1/T"))


def many(*shape):
    """Ones that take no memory."""
    return np.broadcast_to(1.0, shape)


ROW, COLUMN, LONG = many(10**4), many(10**4, 1), many(2 * 10**7)


@pytest.mark.parametrize(("call", "named"), [
    (lambda: static_loss(LAW, COLUMN, ROW), "features"),
    (lambda: static_loss(LAW, 60, LONG), "samples"),
    (lambda: optimal_ridge(LAW, COLUMN, ROW), "features"),
    (lambda: solve(LAW, COLUMN, ROW), "features"),
    (lambda: solve(LAW, COLUMN, 120, 1j * ROW), "features"),
    (lambda: solve(LAW, 60, 120, 1j * LONG[: 10**7]), "z"),
    (lambda: dynamics(LAW, COLUMN, ROW, 1.0), "features"),
    (lambda: dynamics(LAW, ROW, 120, ROW), "times"),
    (lambda: dynamics(LAW, 60, 120, LONG[: 3 * 10**6]), "times"),
    (lambda: dynamics(LAW, ROW, 120, ROW, learner=RidgeRegression()), "times"),
    (lambda: decompose(LAW, 60, 120, LONG[: 3 * 10**6]), "times"),
    (lambda: scheduled_dynamics(LAW, 60, 120, LONG, 0.1), "times"),
    (lambda: mode_learning_curve(LAW, 60, 120, ROW, ROW), "times"),
    (lambda: unlearned(LAW, 60, 120, LONG), "modes"),
    (lambda: time_scale_density(LAW, 60, 120, ROW, ROW), "rates"),
    (lambda: time_scale_density(LAW, 60, 120, 1, LONG), "rates"),
    (lambda: eigenvalue_density(LAW, 60, 120, LONG), "x"),
    (lambda: expected_eigenvalues(LAW, 60, 120, LONG), "index"),
    (lambda: size_map(LAW, ROW, ROW), "samples"),
    (lambda: time_map(1.5, 2, ROW, ROW), "times"),
    (lambda: compute_frontier(LAW, 2 * ROW), "budgets"),
    (lambda: Empirical(LONG), "eigenvalues"),
    (lambda: RESOLVENT.density(LONG, {"M": 2, "T": 4}), "points"),
    (lambda: flow_errors(np.eye(30), np.ones(30), [10], LONG), "times"),
])  # fmt: skip
def test_an_answer_that_would_fill_the_memory_is_refused(call, named):
    with pytest.raises(InputError, match="numbers in one answer") as said:
        call()
    assert said.value.argument == named


@pytest.mark.parametrize(("call", "named"), [
    (lambda: kernel_matrix(many(10**5, 2), "linear"), "data"),
    (lambda: map_spectrum(np.eye(20), "relu", 10**9), "width"),
    (lambda: Flat(10**9).eigenvalues(), "size"),
    (lambda: PowerLaw(exponent=2, size=10**9).eigenvalues(3, 10**9), "stop"),
    (lambda: ExponentialDecay(rate=1, size=10**9).target_power(0, 10**9), "stop"),
])  # fmt: skip
def test_what_would_be_listed_is_refused(call, named):
    with pytest.raises(InputError) as said:
        call()
    assert said.value.argument == named


def test_a_block_of_many_modes_is_listed():
    law = PowerLaw(exponent=2, size=10**12)
    assert law.eigenvalues(10**12 - 3).shape == law.target_power(5, 8).shape == (3,)


def test_long_lists_of_eigenvalues_are_read_at_once():
    with bounded(2):
        assert Empirical(np.linspace(2, 1, 10**5)).size == 10**5
        assert Atoms(np.linspace(2, 1, 10**5), np.ones(10**5), np.ones(10**5)).size == 10**5
    for wrong in ([2.0, -1.0], [math.inf, 1.0]):
        with pytest.raises(InputError, match="eigenvalues"):
            Empirical(wrong)
        with pytest.raises(InputError, match="values"):
            Atoms(wrong, [1, 1])
        with pytest.raises(InputError, match="multiplicities"):
            Atoms([1, 1], wrong)
        with pytest.raises(InputError, match="power"):
            Atoms([1, 1], [1, 1], wrong)
    with pytest.raises(InputError, match="target_power"):
        Empirical([2.0, 1.0], [1.0, -1.0])


@pytest.mark.parametrize("call", [
    lambda n, t: static_loss(LAW, n, t), lambda n, t: solve(LAW, n, t),
    lambda n, t: solve(LAW, n, 5, 1j * np.array(t)), lambda n, t: optimal_ridge(LAW, n, t),
    lambda n, t: dynamics(LAW, n, t, 1.0),
])  # fmt: skip
def test_sizes_that_do_not_broadcast_are_said(call):
    with pytest.raises(InputError, match="shapes that broadcast"):
        call([1, 2], [1, 2, 3])


def test_times_of_rows_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="times = "):
        dynamics(LAW, 60, 120, [0.1, [0.2]])


@pytest.mark.parametrize("rule", [None, GradientDescent(0.3), MinibatchSGD(0.3, batch=4)])
def test_losses_at_many_times_are_those_of_their_parts(rule, monkeypatch):
    times = np.random.default_rng(0).integers(0, 10**4, size=(5, 8)).astype(float)
    whole = dynamics(LAW, [60, 80], 120, times, learner=rule)
    monkeypatch.setattr("solvable.analytic.training.dynamics.MANY_TIMES", 7)
    parts = dynamics(LAW, [60, 80], 120, times, learner=rule)
    assert parts.excess_loss.shape == (2, 5, 8)
    for name in ("excess_loss", "train_loss"):
        error = 2e-13 * np.ravel(getattr(whole, name)).max()
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), 1e-9, error)


def test_many_points_are_those_of_their_parts(monkeypatch):
    n, t = np.geomspace(3, 1e4, 5)[:, None], np.geomspace(2, 1e3, 4)
    z = np.exp(1j * np.linspace(-3, 3, 4))
    whole, best = solve(LAW, n, t, z), optimal_ridge(LAW, n, t, noise=0.1)
    monkeypatch.setattr("solvable.analytic.resolvent.path.PART", 3)
    monkeypatch.setattr("solvable.analytic.optimal_ridge.PART", 3)
    parts, ridge = solve(LAW, n, t, z), optimal_ridge(LAW, n, t, noise=0.1)
    np.testing.assert_allclose(parts.value, whole.value, 1e-13)
    np.testing.assert_allclose(ridge.excess_loss, best.excess_loss, 1e-12)
    np.testing.assert_allclose(ridge.ridge, best.ridge, 1e-6)
    assert solve(LAW, 60, math.inf, 1j).value.shape == ()
