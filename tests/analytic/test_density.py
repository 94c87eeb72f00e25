"""The number of eigenvalues above a point, against closed forms, integrals and simulation."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from solvable.analytic.asymptotics.regimes import size_map
from solvable.analytic.errors import InputError
from solvable.analytic.loss import static_loss
from solvable.analytic.resolvent import density
from solvable.analytic.resolvent.density import (
    eigenvalue_count,
    eigenvalue_density,
    expected_eigenvalues,
)
from solvable.analytic.spectrum import Flat, PowerLaw
from solvable.analytic.training.learning_curves import mode_learning_curve, time_scale_density


@pytest.mark.parametrize(("size", "t"), [(50, 200), (200, 50), (100, 120)])
def test_number_of_eigenvalues_of_white_data_is_marchenko_and_pasturs(size, t):
    ratio = size / t
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2

    def density(x):
        return math.sqrt(max((high - x) * (x - low), 0)) / (2 * math.pi * ratio * x)

    for x in np.linspace(low, high, 7)[1:-1]:
        expected = size * quad(density, x, high)[0]
        assert eigenvalue_count(Flat(size), math.inf, t, x) == pytest.approx(expected, rel=1e-6)


def test_the_number_is_the_integral_of_the_density():
    law, ends = PowerLaw(0.5, size=200), (0.02, 0.2)
    x = np.geomspace(*ends, 2001)
    area = np.trapezoid(eigenvalue_density(law, 40, 90, x), x)
    high, low = eigenvalue_count(law, 40, 90, np.array(ends))
    assert area == pytest.approx(high - low, rel=1e-3) and abs(area / (high - low) - 2) > 0.5


def test_number_of_eigenvalues_of_random_features_is_that_of_a_simulation():
    law, n, t = PowerLaw(0.5, size=400), 60, 120
    generator = np.random.default_rng(3)
    counts, x = [], np.array([1e-3, 1e-2, 1e-1])
    for _ in range(40):
        data = np.sqrt(law.eigenvalues())[:, None] * generator.standard_normal((400, t))
        features = generator.standard_normal((n, 400)) @ data / math.sqrt(n * t)
        values = np.linalg.svd(features, compute_uv=False) ** 2
        counts.append((values[:, None] > x).sum(axis=0))
    error = np.std(counts, axis=0, ddof=1) / math.sqrt(40)
    gap = np.abs(np.mean(counts, axis=0) - eigenvalue_count(law, n, t, x))
    assert (gap < 4 * error + 0.25).all(), gap


def test_expected_eigenvalues_invert_the_number():
    law, ranks = PowerLaw(0.5, size=200), np.array([1.0, 5.0, 20.0, 35.0])
    x = expected_eigenvalues(law, 40, 90, ranks)
    assert np.allclose(eigenvalue_count(law, 40, 90, x), ranks - 0.5, atol=1e-4)


def test_density_is_zero_outside_of_the_support_and_there_alone():
    x = np.concatenate([np.geomspace(1e-6, 1e3, 300), 0.25 + np.geomspace(1e-7, 1e-3, 9)])
    found = eigenvalue_density(Flat(50), math.inf, 200, x)
    inside = (x > 0.25) & (x < 2.25)  # (1 ± 1/2)², Marchenko and Pastur
    assert np.array_equal(found > 0, inside)
    law = PowerLaw(0.5, size=50)
    x = np.geomspace(1e-4, 30, 300)
    found, low = eigenvalue_density(law, math.inf, 200, x), eigenvalue_count(law, math.inf, 200, x)
    flat = np.abs(np.diff(low)) < 1e-5  # no eigenvalue between two points
    assert (found == 0).sum() > 50 and np.all(found[1:][flat] == 0)


def test_the_density_at_many_points_is_that_of_each(monkeypatch):
    x = np.geomspace(0.01, 20, 40).reshape(5, 8)
    whole = eigenvalue_density(Flat(50), 70, 200, x)
    monkeypatch.setattr(density, "PART", 7)
    np.testing.assert_allclose(eigenvalue_density(Flat(50), 70, 200, x), whole, rtol=1e-12)
    assert whole.shape == x.shape and whole.max() > 0


def test_grids_that_fill_the_memory_are_refused_before_they_are_made():
    long = np.geomspace(1, 1e9, 4000)
    law = PowerLaw(alpha=0.5)
    for call in (
        lambda: static_loss(law, long[:, None], long),
        lambda: size_map(law, long, long),
        lambda: mode_learning_curve(law, 10, 20, np.arange(1, 4001), long),
        lambda: time_scale_density(law, 10, 20, np.arange(1, 4001), long),
    ):
        with pytest.raises(InputError, match="4000 × 4000 is not allowed: expected at most 1e"):
            call()
