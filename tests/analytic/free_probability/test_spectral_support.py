"""Edges and atoms where closed forms are known: any shape, however close to square."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import solvable as sv
from solvable.analytic.free_probability.support import support_of

MODEL = sv.parse_declarations(["X:p,n:1/n"])
WISHART = sv.derive("tr(inv(X*X.T + z*I))", MODEL)
SMOOTH = sv.derive("tr(inv(X*X.T - e*I + z*I))", MODEL)


def assert_marchenko_pastur(found, ratio):
    """Edges (1 ∓ √c)² and the atom max(0, 1 − 1/c) at zero, for c = p/n."""
    ((low, high),) = found.intervals
    assert math.isclose(high, (1 + math.sqrt(ratio)) ** 2, rel_tol=1e-12)
    assert abs(low - (1 - math.sqrt(ratio)) ** 2) < 1e-12 * high and low >= 0
    mass = 1 - 1 / ratio if ratio > 1 else 0
    atoms = dict(found.atoms)
    if mass > 1e-4:
        assert set(atoms) == {0.0} and abs(atoms[0.0] - mass) < 1e-6 * mass
    else:
        assert not atoms


@settings(max_examples=4, deadline=None)
@given(ratio=st.floats(math.log(1e-3), math.log(1e3)).map(math.exp))
@example(ratio=1.0)
@example(ratio=400.0)
@example(ratio=400 / 3)
def test_edges_and_atom_of_a_wishart_matrix(ratio):
    if ratio != 1 and abs(ratio - 1) < 0.02:
        ratio += 0.05
    found = support_of(WISHART, {"p": 400, "n": 400 / ratio}, {})
    assert_marchenko_pastur(found, ratio)


@pytest.mark.slow
@pytest.mark.parametrize("n", [399, 401])
def test_edges_of_almost_square_matrices(n):
    assert_marchenko_pastur(support_of(WISHART, {"p": 400, "n": n}, {}), 400 / n)


def test_an_edge_on_either_side_of_zero():
    """X Xᵀ − e I has its edges moved by e, through zero as well."""
    low, high = (1 - math.sqrt(2)) ** 2, (1 + math.sqrt(2)) ** 2
    for e in (0.1, low - 1e-5, low + 1e-5, 7.0):
        ((below, above),) = support_of(SMOOTH, {"p": 400, "n": 200, "e": e}, {}).intervals
        assert abs(below - (low - e)) < 1e-11 and abs(above - (high - e)) < 1e-11


def test_a_gap_moved_is_found_to_be_wrong():
    found = support_of(WISHART, {"p": 400, "n": 200}, {})
    with pytest.raises(AssertionError):
        assert_marchenko_pastur(found, 2.001)
