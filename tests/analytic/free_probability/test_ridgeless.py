"""Limits without a ridge: inverse Wishart, F and Jacobi matrices, pseudo-inverses."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from pytest import approx, raises

from solvable.analytic.errors import OutsideTheoryError
from solvable.analytic.free_probability import derive, exact_mean, parse_declarations
from solvable.validation.matrix_expressions import Instance, prove_by_simulation

EIGENVALUES = np.tile([2.0, 1.0, 0.5, 0.25], 5)
PLAIN = parse_declarations(["X:M,T:1/T"])
STRUCTURED = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
TWO = parse_declarations(["X:M,T:1", "Y:M,N:1"])
PROJECTION = "(I - sqrt(L)*X*pinv(sqrt(L)*X))"


@pytest.mark.parametrize("text", ["tr(inv(X*X.T))", "tr(inv(X*X.T)^2)", "tr(inv(X*X.T)^3)"])
def test_inverse_wishart_moments_are_the_leading_exact_means(text):
    found = derive(text, PLAIN)
    (closed,) = found.parts[0].branches.values()
    assert sp.simplify(closed - exact_mean(text, PLAIN).expansion(1).coefficients[0]) == 0
    at = {"M": 20, "T": 30}
    assert found.solve(at).value == approx(float(closed.subs(dict(zip(symbols(), (20, 30))))))
    assert found.prove_planar(4).holds  # with the ridge


def symbols():
    return sp.symbols("M T", positive=True)


def test_inverse_sample_covariance():
    found = derive("tr(inv(sqrt(L)*X*X.T*sqrt(L)))", STRUCTURED)
    value = found.solve({"T": 30}, {"L": EIGENVALUES}).value
    assert value == approx(np.mean(1 / EIGENVALUES) * 30 / 10, rel=1e-12)
    with raises(OutsideTheoryError, match="pinv"):  # and what is advised is accepted
        found.solve({"T": 10}, {"L": EIGENVALUES})
    advised = derive("tr(pinv(sqrt(L)*X)*sqrt(L)*X)", STRUCTURED)
    assert advised.solve({"T": 10}, {"L": EIGENVALUES}).value == approx(1.0, rel=1e-9)


def test_minimum_norm_interpolation_on_both_sides():
    loss = derive(f"Tr(L*{PROJECTION}*{PROJECTION})", STRUCTURED)
    assert loss.solve({"T": 30}, {"L": EIGENVALUES}).value == approx(0.0, abs=1e-12)
    # κ solves D₁(κ) = T; the loss is κ² Σ λ/(λ+κ)²/(1 − D₂/T)
    T = 10
    kappa = float(mpmath.findroot(lambda k: sum(x / (x + k) for x in EIGENVALUES) - T, 0.5))
    d2 = np.sum((EIGENVALUES / (EIGENVALUES + kappa)) ** 2)
    expected = kappa**2 * np.sum(EIGENVALUES / (EIGENVALUES + kappa) ** 2) / (1 - d2 / T)
    assert loss.solve({"T": T}, {"L": EIGENVALUES}).value == approx(expected, rel=1e-9)


def test_jacobi_and_f_matrices():
    share = derive("tr(inv(X*X.T + Y*Y.T)*Y*Y.T)", TWO)
    assert share.solve({"M": 20, "T": 30, "N": 40}).value == approx(4 / 7, rel=1e-12)
    assert share.solve({"M": 20, "T": 5, "N": 10}).value == approx(0.5, rel=1e-9)
    mean = derive("tr(inv(X*X.T)*Y*Y.T)", TWO).solve({"M": 20, "T": 30, "N": 40})
    assert mean.value == approx(40 / 10, rel=1e-9)  # N/(T − M)


def test_any_digits():
    with mpmath.workdps(30):
        third = {"M": mpmath.mpf(20), "T": mpmath.mpf(30)}
        value = derive("tr(inv(X*X.T)^2)", PLAIN).solve(third).value
        assert abs(value - 27) < mpmath.mpf(10) ** -28


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "dimensions", "model"),
    [
        ("tr(inv(X*X.T)*Y*Y.T)", {"M": 10, "T": 60, "N": 30}, TWO),
        ("tr(inv(X*X.T + Y*Y.T)*Y*Y.T*inv(X*X.T + Y*Y.T)*Y*Y.T)", {"M": 20, "T": 15, "N": 15}, TWO),
        ("tr(pinv(X)*X*X.T*X)/tr(X*X.T)", {"M": 20, "T": 30}, PLAIN),
        (f"Tr(L*{PROJECTION}*L*{PROJECTION})", {"M": 20, "T": 10}, STRUCTURED),
    ],
)
def test_simulation(text, dimensions, model):
    matrices = {"L": EIGENVALUES} if "L" in text else {}
    found, at = derive(text, model), Instance(dimensions, {}, matrices)
    assert prove_by_simulation(found, at, (2, 4, 8), 32, 1).holds
    wrong = found.with_value(found.value * sp.Rational(6, 5))
    assert not prove_by_simulation(wrong, at, (2, 4, 8), 32, 1).holds
