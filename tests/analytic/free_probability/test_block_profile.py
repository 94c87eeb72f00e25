"""Variance profiles of blocks."""

import numpy as np
from pytest import approx, mark, raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import (
    SelfConsistentEquations,
    UnreducedEquations,
    block_profile,
    derive,
    parse_declarations,
)
from solvable.analytic.free_probability.effort import TooLongError

TWO = parse_declarations(profile=["X:M+N,T+K:1/T,3/T|2/T,1/T"])
AT = {"M": 20, "N": 25, "T": 30, "K": 22, "z": 0.5}


def direct(variances, rows, columns, z):
    """G_a = 1/(z + Σ_b s_ab T_b/(1 + Σ_c s_cb M_c G_c)), iterated: the profile's own equation."""
    g = np.full(len(rows), 1 / z)
    for _ in range(2000):
        below = 1 + (variances * (rows * g)[:, None]).sum(axis=0)
        g = 0.5 * g + 0.5 / (z + (variances * columns / below).sum(axis=1))
    return (rows * g).sum() / rows.sum()


def of_two_rows():
    variances = np.array([[1, 3], [2, 1]]) / 30
    return TWO, AT, direct(variances, np.array([20, 25]), np.array([30, 22]), 0.5)


def test_the_value_solves_the_equation_of_the_profile():
    two, at, expected = of_two_rows()
    assert derive("tr(inv(X*X.T + z*I))", two).solve(at).value == approx(expected, rel=1e-9)


def of_three_rows():
    profile = ["X:M+N+K,T+L:1/T,3/T|2/T,1/T|1/T,2/T"]
    variances = np.array([[1, 3], [2, 1], [1, 2]]) / 30
    at = {"M": 20, "N": 25, "K": 15, "T": 30, "L": 22, "z": 0.5}
    expected = direct(variances, np.array([20, 25, 15]), np.array([30, 22]), 0.5)
    return parse_declarations(profile=profile, deterministic=["A:M"]), at, expected


@mark.slow
def test_three_rows_of_two():
    three, at, expected = of_three_rows()
    found = derive("tr(inv(X*X.T + z*I))", three, seconds=120.0)
    assert isinstance(found, SelfConsistentEquations)
    assert found.solve(at).value == approx(expected, rel=1e-9)


@mark.parametrize("rows", [2, 3])
def test_a_profile_that_is_left_in_blocks(monkeypatch, rows):
    """Where the reduction takes too long."""

    def too_long(*_, **__):
        raise TooLongError("none")

    model, at, expected = of_two_rows() if rows == 2 else of_three_rows()
    monkeypatch.setattr(block_profile, "derive", too_long)
    found = derive("tr(inv(X*X.T + z*I))", model)
    assert isinstance(found, UnreducedEquations) and found.reason == "none"
    assert found.solve(at).value == approx(expected, rel=1e-9)


def test_a_flat_profile_is_a_plain_matrix():
    flat = parse_declarations(profile=["X:M+N,T+K:1/T,1/T|1/T,1/T"])
    plain = parse_declarations(["X:M,K:1/T"])
    value = derive("tr(inv(X*X.T + z*I))", flat).solve(AT).value
    whole = {"M": 45, "K": 52, "T": 30, "z": 0.5}
    assert value == approx(derive("tr(inv(X*X.T + z*I))", plain).solve(whole).value, rel=1e-10)


@mark.slow
def test_planar_proof():
    found = derive("tr(inv(X*X.T + z*I))", TWO)
    assert found.prove_planar(3).holds
    assert not found.with_value(found.value * 2).prove_planar(3).holds


def test_refusals():
    with raises(OutsideTheoryError, match="the resolvent is derived"):
        derive("tr(X*X.T)", TWO)
    with raises(InputError, match="rows of 2 variances"):
        parse_declarations(profile=["X:M+N,T+K:1/T,3/T"])
