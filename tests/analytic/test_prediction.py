"""Learning curves from kernel matrices: against training on subsets, and one another."""

from itertools import combinations

import numpy as np
import pytest

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.prediction import KERNELS, as_targets, kernel_matrix, predict
from solvable.analytic.prediction.compression import free_compression
from solvable.analytic.prediction.hermite_eigenstructure import hermite_modes, hermite_prediction
from solvable.analytic.prediction.loops import disturbances
from solvable.analytic.prediction.one_training_set import cross_validation
from solvable.analytic.prediction.sites import medium, site_errors
from solvable.analytic.prediction.textbook import eigensystem, textbook
from solvable.analytic.prediction.training_set_spread import spread
from solvable.analytic.prediction.training_time import flow_errors
from solvable.validation.subset_training import measure, measure_flow


def pool(points=240, inputs=6, seed=0):
    """Inputs with a decaying spectrum, and a target that is partly noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((points, inputs)) / np.arange(1, inputs + 1)
    y = np.sin(3 * x[:, 0]) + x[:, 1] ** 2 + 0.3 * rng.standard_normal(points)
    return x, y[:, None]


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_site_formula_is_what_training_shows(kernel):
    x, y = pool()
    k = kernel_matrix(x, kernel)
    sizes = np.array([30, 80, 120])
    found, trained = predict(k, y, sizes, 0.1), measure(k, y, sizes, 0.1, 60)
    slack = 0.03 * trained.mean + 4 * trained.standard_error
    np.testing.assert_array_less(np.abs(found.predicted - trained.mean), slack)
    if kernel != "linear":  # which has no more modes than inputs
        uncorrected = found.others["textbook-uncorrected"]
        assert np.all(np.abs(uncorrected - trained.mean)[1:] > slack[1:])


@pytest.mark.slow
def test_random_features_are_what_training_shows():
    x, y = pool()
    k = kernel_matrix(x, "relu")
    few, wide = (predict(k, y, [40, 100], 0.01, features=n) for n in (20, np.inf))
    for found, other, features in ((few, wide, 20), (wide, few, np.inf)):
        trained = measure(k, y, [40, 100], 0.01, 200, features=features)
        off = np.abs(found.predicted - trained.mean)
        slack = 0.03 * trained.mean + 3 * trained.standard_error
        np.testing.assert_array_less(off, slack)
        assert abs(other.predicted[1] - trained.mean[1]) > off[1]
        np.testing.assert_allclose(found.spread, trained.spread, rtol=0.25)


def test_the_draw_of_features_widens_the_spread():
    """Ridge regression on Gaussian features of a given covariance, drawn anew for every set."""
    x, y = pool(120)
    matrix = kernel_matrix(x, "relu").matrix
    rng, errors = np.random.default_rng(1), []
    root = np.linalg.cholesky(matrix + 1e-9 * np.eye(120))
    for _ in range(1500):
        phi, order = root @ rng.standard_normal((120, 15)) / 15**0.5, rng.permutation(120)
        drawn, rest = order[:40], order[40:]
        gram = phi[drawn] @ phi[drawn].T + np.eye(40)
        fitted = phi[rest] @ phi[drawn].T @ np.linalg.solve(gram, y[drawn])
        errors.append(np.mean((y[rest] - fitted) ** 2))
    found, fixed = (predict(matrix, y, [40], 1.0, features=n).spread[0] for n in (15, np.inf))
    assert found == pytest.approx(np.std(errors), rel=0.08)
    assert fixed < 0.96 * found


def test_label_noise_is_what_training_shows():
    x, y = pool()
    k = kernel_matrix(x, "rbf")
    found = predict(k, y, [60], 0.3, noise=0.5)
    trained = measure(k, y, [60], 0.3, 20, noise=0.5, seed=1)
    clean = predict(k, y, [60], 0.3).predicted
    assert found.predicted[0] > clean[0] + 0.5  # noise of the test labels alone is 0.5
    assert found.predicted[0] == pytest.approx(trained.mean[0], rel=0.05)


def test_haar_vectors_make_free_compression_exact():
    rng = np.random.default_rng(3)
    points = 300
    vectors = np.linalg.qr(rng.standard_normal((points, points)))[0]
    values = points * np.arange(1, points + 1.0) ** -1.5
    matrix, y = (vectors * values) @ vectors.T, vectors[:, :60].sum(axis=1)[:, None]
    sizes = [40, 100, 150]
    for features in (np.inf, 120.0):
        free = free_compression(eigensystem(matrix, y), sizes, 0.5, features)
        for i, size in enumerate(sizes):
            site = site_errors(matrix, y, medium(matrix, size, 0.5, features))
            assert site.test == pytest.approx(free.test[i], rel=0.06)
            assert site.train == pytest.approx(free.train[i], rel=0.06)
    book = textbook(eigensystem(matrix, y), sizes, 0.5)
    assert np.all(book.uncorrected < book.test)


def test_site_errors_solve_their_equations():
    x, y = pool(80)
    k = kernel_matrix(x, "laplace").matrix
    at = medium(k, 30, 0.2, 50.0)
    g, share = at.diagonal, 30 / 80
    np.testing.assert_allclose(at.kappa, 0.2 + (1 - share) / g, rtol=1e-7)
    resolvent = np.linalg.inv(at.compression * k + np.diag(at.kappa))
    np.testing.assert_allclose(at.resolvent, resolvent, atol=1e-9)
    assert 1 / at.compression == pytest.approx(1 + np.trace(k @ resolvent) / 50, rel=1e-7)
    # the test error is a derivative: yᵀ𝒢y with a ridge 1/ε on the points left out
    found = site_errors(k, y, at)
    energy = [float(y[:, 0] @ _average(k, share, 0.2, 50.0, e) @ y[:, 0]) for e in (0.0, 1e-5)]
    assert found.test == pytest.approx((energy[1] - energy[0]) / 1e-5 / 50, rel=1e-3)


def _average(k, share, ridge, features, epsilon):
    """𝒢 by plain iteration, with a ridge 1/ε on the points left out."""
    kappa, c = np.full(len(k), 1.0), 1.0
    for _ in range(400):
        g_matrix = np.linalg.inv(c * k + np.diag(kappa))
        g = np.diag(g_matrix)
        h = 1 / g - kappa
        kappa = 1 / (share / (h + ridge) + (1 - share) * epsilon / (1 + epsilon * h)) - h
        c = 1 / (1 + np.trace(k @ g_matrix) / features)
    return np.linalg.inv(c * k + np.diag(kappa))


def test_permuting_and_scaling_change_nothing():
    x, y = pool(100)
    base = predict(kernel_matrix(x, "ntk"), y, [20, 50], 0.1)
    order = np.random.default_rng(1).permutation(100)
    moved = predict(kernel_matrix(x[order] * 1000, "ntk"), y[order], [50, 20], 0.1)
    np.testing.assert_allclose(moved.predicted[::-1], base.predicted, rtol=1e-7)
    doubled = predict(kernel_matrix(x, "ntk").matrix * 2, y, [20, 50], 0.2)
    np.testing.assert_allclose(doubled.predicted, base.predicted, rtol=1e-7)
    two = predict(kernel_matrix(x, "ntk"), np.hstack([y, 2 * y]), [20, 50], 0.1)
    np.testing.assert_allclose(two.predicted, 5 * base.predicted, rtol=1e-7)


def test_kernels_are_those_of_their_definitions():
    x = np.array([[3.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    scale = np.sqrt(np.mean(np.sum(x**2, axis=1)))
    distance = np.linalg.norm(x[:, None] - x, axis=2)
    length = np.median(distance[np.triu_indices(3, 1)])
    laplace = kernel_matrix(x, "laplace")
    np.testing.assert_allclose(laplace.matrix, np.exp(-distance / length), atol=1e-12)
    assert laplace.length == pytest.approx(length)
    given = kernel_matrix(x, "rbf", 0.7).matrix
    np.testing.assert_allclose(given, np.exp(-(distance**2) / 2 / 0.49), atol=1e-12)
    np.testing.assert_allclose(kernel_matrix(x, "linear").matrix, x @ x.T / scale**2, atol=1e-12)


def test_targets():
    assert as_targets(np.array([0, 1, 1, 0]), 4).shape == (4, 1)
    assert as_targets(np.arange(3).repeat(10), 30).shape == (30, 3)
    assert as_targets(np.arange(30), 30).shape == (30, 1)  # no classes: all different
    assert as_targets(["x", "y", "x", "y"], 4).tolist()[0] == [1, 0]


@pytest.mark.parametrize(
    ("labels", "said"),
    [([1, 1, 1, 1], "nothing|two or more"), ([1, 2, 3], "one per sample"),
     ([1, 2, 3, np.nan], "finite"), (["a", "b", "c", "d"], "classes")],
)  # fmt: skip
def test_bad_labels_are_refused(labels, said):
    with pytest.raises(InputError, match=said):
        as_targets(labels, 4)


@pytest.mark.parametrize(
    "change",
    [{"samples": [100]}, {"samples": [0]}, {"ridge": 0}, {"ridge": -1}, {"features": 0},
     {"noise": -1}, {"kernel": np.ones((3, 4))}, {"kernel": -np.eye(100)},
     {"targets": np.full(100, np.nan)}, {"targets": np.ones(99)}],
)  # fmt: skip
def test_bad_arguments_are_refused(change):
    x, y = pool(100)
    given = {
        "kernel": kernel_matrix(x, "rbf"),
        "targets": y,
        "samples": [10],
        "ridge": 0.1,
    } | change
    with pytest.raises(InputError):
        predict(**given)
    for data in (np.zeros((5, 2)), np.full((5, 2), np.nan), np.ones(5), np.ones((5, 2))):
        with pytest.raises(InputError):
            kernel_matrix(data, "rbf")


@pytest.mark.parametrize("samples", [0, 5, 6])
def test_a_medium_is_of_a_part_of_the_pool(samples):
    with pytest.raises(OutsideTheoryError, match="of 5 points"):
        medium(np.eye(5), samples, 1.0)


def test_hermite_modes_are_those_of_gaussian_inputs():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((1000, 30)) / np.arange(1, 31) ** 0.25  # many inputs: |x| hardly varies
    x -= x.mean(axis=0)
    y = x[:, :1] + x[:, 1:2] * x[:, :1] + 0.3 * rng.standard_normal((1000, 1))
    for name in ("rbf", "relu"):
        k = kernel_matrix(x, name)
        length = None if k.length is None else k.length / k.scale
        modes = hermite_modes(np.mean(x**2, axis=0), name, length)
        eigen = np.linalg.eigvalsh(k.matrix)[::-1] / 1000
        np.testing.assert_allclose(modes.values[:6], eigen[:6], rtol=0.2)
    k = kernel_matrix(x, "rbf")
    found, trained = hermite_prediction(k, y, [100, 300], 0.1), measure(k, y, [100, 300], 0.1, 5)
    np.testing.assert_allclose(found, trained.mean, rtol=0.35)  # an ansatz: |x| varies by 14 %
    with pytest.raises(InputError, match="centred"):
        hermite_prediction(kernel_matrix(x + 1, "rbf"), y, [50], 0.1)


def test_leaving_one_out_is_what_retraining_shows():
    x, y = pool(40)
    k = kernel_matrix(x, "laplace").matrix
    general, left_out = cross_validation(k, y, 0.1)
    errors = []
    for i in range(40):
        rest = np.delete(np.arange(40), i)
        a = np.linalg.solve(k[np.ix_(rest, rest)] + 0.1 * np.eye(39), y[rest])
        errors.append(float((y[i] - k[i, rest] @ a)[0] ** 2))
    assert left_out == pytest.approx(np.mean(errors), rel=1e-9)
    assert general != pytest.approx(left_out, rel=1e-3)
    with pytest.raises(InputError):
        cross_validation(k, y[:5], 0.1)


def test_the_spread_is_that_of_repetition():
    x, y = pool()
    for kernel, ridge in (("laplace", 0.1), ("laplace", 10.0), ("linear", 1.0)):
        k = kernel_matrix(x, kernel)
        found, trained = predict(k, y, [40, 120], ridge), measure(k, y, [40, 120], ridge, 600)
        np.testing.assert_allclose(found.spread, trained.spread, rtol=0.15)
        inside = (trained.test > found.low[:, None]) & (trained.test < found.high[:, None])
        assert np.all(inside.mean(axis=1) > 0.88) and np.all(inside.mean(axis=1) < 0.99)


def test_what_two_points_do_together_is_what_all_training_sets_show():
    """At a large ridge the error is a sum over pairs, whose spread all subsets of a few show."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((8, 2)), rng.standard_normal((8, 1))
    k = kernel_matrix(x, "rbf").matrix
    errors = []
    for drawn in map(list, combinations(range(8), 4)):
        rest = [i for i in range(8) if i not in drawn]
        weights = np.linalg.solve(k[np.ix_(drawn, drawn)] + 1e3 * np.eye(4), y[drawn])
        errors.append(np.mean((y[rest] - k[np.ix_(rest, drawn)] @ weights) ** 2))
    found = predict(k, y, [4], 1e3)
    assert found.spread[0] == pytest.approx(np.std(errors), rel=0.01)


def test_the_spread_at_a_small_ridge_needs_walks_through_many_points():
    x, y = pool(200)
    k = kernel_matrix(x, "laplace")
    for size in (20, 80):
        at = medium(k.matrix, size, 1e-3)
        errors = site_errors(k.matrix, y, at)
        walking, single = (spread(at, y, errors, walks)[0]
                           for walks in (disturbances(k.matrix, y, at), []))  # fmt: skip
        trained = measure(k, y, [size], 1e-3, 800).spread[0]
        assert walking == pytest.approx(trained, rel=0.12)
        assert single < 0.8 * trained


def test_copies_of_points_leave_a_spread():
    x, y = pool(60)
    k = kernel_matrix(np.vstack([x, x]), "rbf")
    for ridge in (1e-6, 1.0):
        found = predict(k, np.vstack([y, y]), [20, 60], ridge)
        assert np.all(np.isfinite(found.spread)) and np.all(found.spread > 0)


def test_loops_take_the_bias_out():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((150, 3))
    x[75:] = x[:75] + 0.05 * rng.standard_normal((75, 3))  # every point has a close neighbour
    y = np.sin(2 * x[:, :1]) + x[:, 1:2]
    k = kernel_matrix(x, "rbf")
    found, trained = predict(k, y, [60], 1e-3), measure(k, y, [60], 1e-3, 1500)
    off, alone = found.predicted - trained.mean, found.others["site-formula"] - trained.mean
    assert abs(off[0]) < 0.6 * abs(alone[0])
    assert abs(off[0]) < 3 * trained.standard_error[0] + 2 * found.accuracy[0]


def test_errors_along_training_time_are_what_training_shows():
    x, y = pool(150)
    k, times = kernel_matrix(x, "laplace"), [0.1, 3.0, 1e3]
    found = flow_errors(k, y, [40], times, 0.05, noise=0.02)
    trained, error = measure_flow(k, y, [40], times, 0.05, 300, noise=0.02)
    np.testing.assert_allclose(found, trained, atol=float((4 * error + 0.02 * trained).max()))
    slower = flow_errors(k, y, [40], np.array(times) / 2, 0.05, noise=0.02)  # a wrong rate
    assert np.any(np.abs(slower - trained) > 6 * error + 0.03 * trained)


def test_training_for_ever_is_the_ridge_solution_and_no_training_is_none():
    x, y = pool(90)
    k = kernel_matrix(x, "rbf")
    late = flow_errors(k, y, [30], [1e7], 0.2)[0, 0]
    assert late == pytest.approx(site_errors(k.matrix, y, medium(k.matrix, 30, 0.2)).test, rel=1e-4)
    early = flow_errors(k, y, [30], [1e-7], 0.2)[0, 0]
    assert early == pytest.approx(np.mean(y**2), rel=1e-4)
    both = flow_errors(7 * k.matrix, y, [30], [0.5, 1.0], 1.4)  # rates and times are inverse
    np.testing.assert_allclose(both, flow_errors(k, y, [30], [3.5, 7.0], 0.2), rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"times": [0.0]}, "times"), ({"samples": [90]}, "samples"), ({"ridge": -1.0}, "ridge"),
     ({"targets": np.ones(5)}, "targets")],
)  # fmt: skip
def test_bad_arguments_of_training_time_are_refused(change, said):
    x, y = pool(90)
    plain = {"kernel": kernel_matrix(x, "rbf"), "targets": y, "samples": [9], "times": [1.0]}
    with pytest.raises(InputError, match=said):
        flow_errors(**plain | change)


def test_features_that_are_not_gaussian_are_taken_as_they_are():
    """Clusters away from the origin: many features are off or linear, and count for little."""
    rng = np.random.default_rng(3)
    x = 1.5 + 0.4 * rng.normal(size=(160, 12)) + rng.normal(size=(4, 12))[rng.integers(0, 4, 160)]
    k, y = kernel_matrix(x, "relu"), np.sign(x[:, :1] - 1.5) + 0.3 * x[:, 1:2]
    trained = measure(k, y, [20], 1e-3, 300, features=40)
    mean, error = trained.mean[0], trained.standard_error[0]
    as_they_are = predict(k, y, [20], 1e-3, features=40)
    gaussian = predict(k.matrix, y, [20], 1e-3, features=40)
    off = np.hypot(as_they_are.accuracy[0], error)
    assert abs(as_they_are.predicted[0] - mean) < 3 * off
    assert abs(gaussian.predicted[0] - mean) > 1.4 * abs(as_they_are.predicted[0] - mean) > 0
    assert as_they_are.spread[0] > 1.05 * gaussian.spread[0]
