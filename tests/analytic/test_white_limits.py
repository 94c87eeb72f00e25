"""Limits of white data, against the matrix equations with ones for eigenvalues; and loss at z."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.asymptotics.balance.exact_value import compare
from solvable.analytic.asymptotics.limits import limit
from solvable.analytic.free_probability.models import expression
from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import Flat, PowerLaw


def by_matrices(name, numbers):
    equations = expression(name).derive()
    ones = {matrix: np.ones(int(numbers["M"])) for matrix in equations.model.fixed}
    wanted = {s.name: numbers.get(s.name, 1) for s in equations.all_scalars()}
    return complex(equations.solve(wanted, ones).value).real


@pytest.mark.parametrize(
    ("name", "statement", "numbers"),
    [
        ("sample-covariance", "T/M = 4, z -> 0, 1 << M", {"M": 400, "T": 1600, "z": 1e-3}),
        ("sample-covariance", "T/M = 1/4, z -> 0, 1 << M", {"M": 400, "T": 100, "z": 1e-3}),
        ("sample-covariance", "1 << T << M, z -> 0", {"M": 4000, "T": 40, "z": 1e-3}),
        ("gram-matrix", "T/M = 3, z -> inf, 1 << M", {"M": 300, "T": 900, "z": 50.0}),
        ("ridge-bias", "T/M = 1/2, z -> 0, 1 << M", {"M": 400, "T": 200, "z": 1e-3}),
        ("random-feature-resolvent", "N/M = 1/2, T/M = 3, z -> inf, 1 << M",
         {"M": 400, "N": 200, "T": 1200, "z": 80.0}),
    ],
)  # fmt: skip
def test_rows_of_white_data(name, statement, numbers):
    """The exact value beside the terms is that of ones for eigenvalues, and no other law's."""
    form = limit(name, statement, spectrum=Flat(5), terms=2)
    found = compare(form, numbers, 15)
    right = by_matrices(name, numbers)
    assert float(found.exact) == pytest.approx(right, rel=1e-7)
    assert float(found.partial[-1]) == pytest.approx(right, rel=3e-3)
    assert float(found.partial[-1]) != pytest.approx(1.1 * right, rel=3e-3)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.sampled_from(["z -> 0", "z -> inf"]))
def test_any_ratio_to_the_number_of_white_modes(above, below, ridge):
    """Whichever of the two sizes is solved for."""
    rows = 120 * below
    numbers = {"M": rows, "T": 120 * above, "z": 1e-4 if "0" in ridge else 1e4}
    if above == below:
        numbers["z"] = 1e-8 if "0" in ridge else 1e4
    statement = f"T/M = {above}/{below}, {ridge}, 1 << M"
    form = limit("sample-covariance", statement, spectrum=Flat(5), terms=2)
    assert float(compare(form, numbers, 15).errors[-1]) < 1e-3


@pytest.mark.parametrize(
    ("statement", "numbers", "error"),
    [
        ("M = inf, z -> 0", {"z": 1e-5}, 1e-3),
        ("M = inf, z -> inf", {"z": 1e4}, 1e-11),
        ("M = inf, z = 1/2", {"z": 0.5}, 1e-13),
        ("1 << M, z = 1/2", {"z": 0.5, "M": 1000}, 1e-4),
        ("1 << M, z ~ M^-b", {"z": 3e-6, "M": 10**4}, 1e-8),
        ("1 << M, z -> 0, z << M^-b", {"z": 1e-9, "M": 10**4}, 2e-6),
        ("1 << M, M^-b << z << 1, z -> 0", {"z": 1e-2, "M": 10**6}, 1e-2),
    ],
)
def test_unlimited_features_and_samples_at_a_ridge(statement, numbers, error):
    """κ = z, wherever it lies: beside, between, at the edge of, or below the eigenvalues."""
    form = limit("loss", f"N = inf, T = inf, {statement}", exponent="3/2", target_exponent=2)
    found = compare(form, {**numbers, "a": 2, "b": sp.Rational(3, 2)}, 20)
    size, z = numbers.get("M", mp.inf), mp.mpf(sp.Rational(str(numbers["z"])))
    modes = PowerLaw(exponent=1.5, target_exponent=2, size=size)
    # at N = T ≫ everything that z N² is compared with, κ = z
    far = mp.mpf(10) ** 40
    right = static_loss(modes, far, far, ridge=z * far**2, digits=20).excess_loss
    assert mp.almosteq(found.exact, right, rel_eps=mp.mpf(10) ** -12)
    assert found.errors[-1] < error
