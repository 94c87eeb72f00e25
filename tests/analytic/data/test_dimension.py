"""Intrinsic dimensions of data whose dimension is known, and of what has none."""

import tracemalloc

import numpy as np
import pytest

from solvable.analytic.data.dimension import (
    CONFIDENCE,
    PARTS,
    _scattered,
    dimension,
    nearest_distances,
    neighbour_law,
)
from solvable.analytic.errors import InputError


def flat(d, samples=1000, inputs=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(samples, d)) @ rng.normal(size=(d, inputs))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_flat_data_have_their_dimension(d):
    found = dimension(flat(d))
    for interval in (found.two_nearest, found.likelihood, found.distance_exponent):
        assert interval.value == pytest.approx(d, rel=0.25)
        assert interval.low < interval.value < interval.high
    rank = np.linalg.matrix_rank(np.cov(flat(d).T), tol=1e-9)
    assert rank == d and found.participation.value <= d + 0.1


def test_scale_rotation_and_order_change_nothing():
    data = flat(3)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))[0]
    first, second = dimension(data), dimension((data @ turn * 1e6)[::-1] + 5)
    for name in ("two_nearest", "likelihood", "participation"):
        one, other = getattr(first, name), getattr(second, name)
        assert one.value == pytest.approx(other.value, rel=0.05)


def test_one_outlier_changes_little():
    data = flat(3)
    data[0] += 1e3
    assert dimension(data).two_nearest.value == pytest.approx(3, rel=0.2)


def test_high_dimensions_give_numbers():
    data = np.random.default_rng(0).normal(size=(300, 400))
    found = dimension(data)
    assert all(np.isfinite([found.two_nearest.value, found.likelihood.value]))
    assert found.participation.value > 200


def test_copies_and_bad_data():
    data = flat(2, 100)
    found = dimension(np.concatenate([data, data[:30]]))
    assert found.samples == 100 and "30 copies" in found.notes[0]
    with pytest.raises(InputError, match="different rows"):
        dimension(np.ones((100, 3)))
    with pytest.raises(InputError, match="neighbours"):
        dimension(data, neighbours=1)


def test_distances_are_those_of_all_pairs():
    data = flat(4, 60)
    pairs = np.linalg.norm(data[:, None] - data[None], axis=2)
    np.fill_diagonal(pairs, np.inf)
    assert np.allclose(nearest_distances(data, 5), np.sort(pairs, axis=1)[:, :5])


def test_distances_of_long_rows_take_no_more_memory_than_these():
    data = np.random.default_rng(0).normal(size=(60, 10**5))
    tracemalloc.start()
    try:
        found = nearest_distances(data, 5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * data.nbytes
    assert np.allclose(found[7, 0], min(np.linalg.norm(data[7] - x) for x in np.delete(data, 7, 0)))


def test_distances_that_do_not_fall_leave_the_dimension_open():
    """Samples of a lattice that repeat: every new one has the same distance to the others."""
    rows = np.vstack([np.full((40, 2), 0.5), np.tile([[0.0, 0.0], [1.0, 1.0]], (80, 1))])
    _, distances, found = neighbour_law(rows)
    assert np.ptp(distances) < 1e-12
    assert (found.low, found.high) == (0, np.inf)


@pytest.mark.parametrize(("rows", "parts"), [(30, 4), (10 * PARTS, PARTS)])
def test_the_error_is_that_of_disjoint_parts(rows, parts):
    near = np.random.default_rng(3).normal(size=(rows, 2))
    found = _scattered(near, lambda part: float(np.mean(part)) + 9)
    means = [near[i::parts].mean() for i in range(parts)]
    assert (found.high - found.low) / 2 == pytest.approx(
        CONFIDENCE * np.std(means, ddof=1) / np.sqrt(parts)
    )
