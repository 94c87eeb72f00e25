"""Runs side by side, and a control variate that changes no mean."""

import math

import numpy as np
import pytest

from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.learners import OnePassSGD
from solvable.validation import replicas
from solvable.validation.cells import UNLIMITED, Cell
from solvable.validation.entry_laws import Streams
from solvable.validation.sweep import seed_sequence
from solvable.validation.theory import theory
from solvable.validation.training import simulate

LAW = PowerLaw(exponent=1.5, target_exponent=1.7, size=16)
STEPS = (1, 5, 12)


def cell(batch=8, width=12, noise=0.1):
    return Cell(LAW, width, 12, OnePassSGD(0.2, batch), STEPS, noise=noise, targets="fixed")


def drawn(one, cell, count):
    return np.array([one(cell, seed_sequence(0, cell, i)) for i in range(count)])


def excess(cell, seed):
    return list(replicas.simulate_replicas(cell, seed).values())[:3]


def close(first, second, sigmas=4.0):
    """Means of two samples *(seeds, times)* equal within their errors."""
    error = np.sqrt(sum(x.var(axis=0, ddof=1) / len(x) for x in (first, second)))
    return np.abs(first.mean(axis=0) - second.mean(axis=0)) < sigmas * error


@pytest.mark.parametrize("width", [12, UNLIMITED])
def test_the_mean_is_that_of_single_runs_with_far_less_spread(width):
    found = drawn(excess, cell(width=width), 60)
    single = drawn(lambda c, seed: list(simulate(c, seed).values()), cell(width=width), 600)
    assert np.all(close(found, single))
    assert np.all(found.std(axis=0) < single.std(axis=0) / 3)
    assert not np.any(close(1.1 * found, single))


def test_any_control_leaves_the_mean(monkeypatch):
    found = drawn(excess, cell(), 100)
    right = replicas.expected_losses
    monkeypatch.setattr(replicas, "expected_losses", lambda *args: 1.5 * right(*args) ** 2)
    other = drawn(excess, cell(), 100)
    assert np.all(close(found, other)) and not np.allclose(found, other, rtol=1e-3)


@pytest.mark.parametrize("batch", [1, 8])
def test_given_the_features_the_recursion_is_the_mean_over_runs(batch):
    one = cell(batch)
    for seed in range(3):
        runs = replicas.losses_of_runs(one, seed, 20_000 // batch)
        known = replicas.expected_losses(one, Streams.of(seed))[0]
        error = runs.std(axis=0) / math.sqrt(len(runs))
        assert np.all(np.abs(runs.mean(axis=0) - known) < 4.5 * error)
        assert np.all(error < 0.02 * known)


def test_medians_of_typical_runs_are_near_the_mean():
    one = cell(batch=32, width=UNLIMITED)
    found = replicas.simulate_replicas(one, 0)
    exact = theory(one)
    for name, value in exact.items():
        assert found[name.replace("excess", "median")] == pytest.approx(value, rel=0.15)
