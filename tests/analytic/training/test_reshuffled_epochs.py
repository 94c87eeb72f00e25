"""Reshuffled epochs: limits to all digits, simulation, and what is refused."""

import math

import numpy as np
import pytest

from solvable.analytic.errors import InputError, PrecisionError
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import GradientDescent, MinibatchSGD, OnePassSGD
from solvable.analytic.training.reshuffled_epochs import reshuffled_epochs
from solvable.validation.cells import Cell
from solvable.validation.stochastic import reused_batches
from solvable.validation.theory import theory
from solvable.validation.training import simulate

INF = math.inf
LAW = PowerLaw(exponent=1.3, target_exponent=1.6, size=80)
STEPS = [0, 1, 3, 10, 20]


def once(batch, step=0.3):
    return MinibatchSGD(step, batch, reshuffled=True)


@pytest.mark.parametrize("features", [40, INF])
def test_all_samples_in_a_batch_are_gradient_descent(features):
    """The mean field of epochs of one step, and the rule that knows of it."""
    found = reshuffled_epochs(
        LAW.eigenvalues(), LAW.target_power(), features=features, samples=60, batch=60, step=0.3,
        steps=20, noise=0.1,
    )  # fmt: skip
    descent = dynamics(LAW, features, 60, STEPS, learner=GradientDescent(0.3), noise=0.1)
    rule = dynamics(LAW, features, 60, STEPS, learner=once(60), noise=0.1)
    for name in ("excess_loss", "train_loss"):
        exact = getattr(descent, name)
        assert getattr(found, name)[STEPS] == pytest.approx(exact, rel=1e-12)
        assert getattr(rule, name) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("features", [40, INF])
def test_unlimited_samples_are_one_pass(features):
    fresh = dynamics(LAW, features, INF, STEPS, learner=OnePassSGD(0.3, 10), noise=0.1).excess_loss
    for samples in (10**15, INF):
        found = dynamics(LAW, features, samples, STEPS, learner=once(10), noise=0.1)
        assert found.excess_loss == pytest.approx(fresh, rel=1e-10)
    mean = reshuffled_epochs(
        LAW.eigenvalues(), LAW.target_power(), features=features, samples=10**15, batch=10,
        step=0.3, steps=20, noise=0.1,
    )  # fmt: skip
    tolerance = 1e-11 if features == INF else 1e-3
    assert mean.excess_loss[STEPS] == pytest.approx(fresh, rel=tolerance)
    assert mean.train_loss[STEPS] == pytest.approx(fresh + 0.1, rel=tolerance)


def test_every_sample_is_used_once_in_an_epoch_in_a_new_order():
    cell = Cell(LAW, 20, 12, once(4), (0, 1, 9), noise=0.1, targets=2)
    _, batches, data = reused_batches(cell, 3)
    drawn = [next(batches)[0][0] for _ in range(9)]
    epochs = [np.concatenate(drawn[i : i + 3]) for i in (0, 3, 6)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(data.kernel[0])
    assert not np.array_equal(epochs[0], epochs[1])


@pytest.mark.parametrize(("features", "batch"), [(10**4, 12), (60, 12), (60, 30)])
def test_theory_inside_the_intervals_where_batches_drawn_anew_are_not(features, batch):
    steps = tuple(60 // batch * np.array([1, 2, 3]))
    cell = Cell(LAW, min(features, 10**3), 60, once(batch), steps, noise=0.1, targets=8)
    count = 60 if features > 100 else 400
    runs = np.array([list(simulate(cell, seed).values()) for seed in range(count)])
    mean, error = runs.mean(axis=0), runs.std(axis=0) / math.sqrt(len(runs))
    exact = np.array(list(theory(cell).values()))
    assert np.all(np.abs(mean - exact) < 3.5 * error + 0.025 * exact), (mean / exact, error / exact)
    if batch == 12:
        other = MinibatchSGD(0.3, batch)
        anew = dynamics(LAW, cell.features, 60, steps, learner=other, noise=0.1).train_loss
        assert np.all(mean[3:] < anew - 2.5 * error[3:])


def test_what_has_no_theory_is_refused_by_name():
    for options in ({"replacement": True}, {"momentum": 0.5}, {"schedule": "cosine"}):
        with pytest.raises(InputError, match="reshuffled"):
            MinibatchSGD(0.1, 4, reshuffled=True, **options)
    with pytest.raises(InputError, match="divisor"):
        dynamics(LAW, 20, 30, 5, learner=once(7))
    with pytest.raises(InputError, match="divisor"):
        Cell(LAW, 20, 30, once(7), targets=1)
    with pytest.raises(PrecisionError, match="400 steps"):
        dynamics(LAW, 20, 30, 1000, learner=once(3))
    with pytest.raises(InputError, match="finite spectrum"):
        dynamics(PowerLaw(exponent=2), 20, 30, 10, learner=once(3))
    with pytest.raises(PrecisionError, match="float64"):
        dynamics(LAW, 20, 30, 10, learner=once(3), digits=20)


def test_a_step_that_is_too_large_diverges_with_its_step():
    found = once(6, 4.0).follow(LAW, 40, 60, [5, 30], 0.1)
    assert found.exceeded is not None and found.excess_loss[1] > found.bound
