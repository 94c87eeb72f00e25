"""Minibatch SGD on reused samples: theory inside the intervals of simulated runs."""

import math

import numpy as np
import pytest

from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.learners import GradientDescent, MinibatchSGD, RidgeRegression
from solvable.validation.cells import Cell
from solvable.validation.stochastic import reused_batches
from solvable.validation.theory import theory
from solvable.validation.training import simulate

LAW = PowerLaw(exponent=1.3, target_exponent=1.6, size=200)
STEPS = (0, 1, 5, 20, 60)


def test_all_samples_in_a_batch_are_gradient_descent_on_the_same_data():
    cell = Cell(LAW, 20, 30, MinibatchSGD(0.2, 30), STEPS, noise=0.1, targets=3)
    found = simulate(cell, 4)
    _, batches, data = reused_batches(cell, 4)
    theta = np.zeros((20, 3))
    for _ in range(60):
        theta += 0.2 / 600 * data.kernel @ (data.labels - data.kernel.T @ theta)
    assert found["train_loss[step=60]"] == pytest.approx(data.train_loss(theta), rel=1e-10)
    phi, _ = next(batches)
    assert sorted(phi[0]) == sorted(data.kernel[0])  # every sample once
    again = Cell(LAW, 20, 30, MinibatchSGD(0.2, 30, replacement=True), STEPS, noise=0.1, targets=3)
    _, batches, _ = reused_batches(again, 4)
    assert len(np.unique(next(batches)[0][0])) < 30


@pytest.mark.parametrize(("batch", "replacement"), [(1, False), (6, False), (6, True)])
@pytest.mark.parametrize(("features", "samples"), [(40, 60), (60, 40)])
def test_theory_inside_the_intervals(features, samples, batch, replacement):
    """Medians of a moderate step: 150 runs, test and training loss at four numbers of steps."""
    rule = MinibatchSGD(0.12 if batch == 1 else 0.3, batch, replacement)
    cell = Cell(LAW, features, samples, rule, STEPS[1:], noise=0.1, targets=8)
    runs = np.array([list(simulate(cell, seed).values()) for seed in range(150)])
    mean, error = runs.mean(axis=0), runs.std(axis=0) / math.sqrt(len(runs))
    exact = np.array(list(theory(cell).values()))
    assert np.all(np.abs(mean - exact) < 3.5 * error + 0.02 * exact), (mean / exact, error / exact)
    assert np.all(error < 0.04 * exact)
    descent = Cell(LAW, features, samples, GradientDescent(rule.step), STEPS[1:], noise=0.1)
    quiet = np.array(list(theory(descent).values()))
    assert np.any(np.abs(mean - quiet) > 5 * error + 0.02 * exact)


def test_a_batch_larger_than_the_samples_is_refused():
    with pytest.raises(ValueError, match="batch"):
        Cell(LAW, 5, 9, MinibatchSGD(0.1, 10), targets=1)
    assert Cell(LAW, 5, 9, RidgeRegression()).learner.rule == "ridge"
