"""Ratios, products and powers of traces."""

import numpy as np
import pytest
import sympy as sp
from pytest import raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import derive, exact_mean, parse_declarations
from solvable.analytic.free_probability.models import expression
from solvable.analytic.free_probability.trace_function import trace_function
from solvable.validation.matrix_expressions import Instance, prove_by_simulation

MODEL = parse_declarations(["X:M,T:1/T"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tr(X*X.T*X*X.T)/tr(X*X.T)^2", "1 + M/T"),
        ("tr(X*X.T)*Tr(X.T*X) - M", "0"),
        ("1/tr(X*X.T*X*X.T)", "1/(1 + M/T)"),
    ],
)
def test_moments(text, value):
    assert sp.simplify(derive(text, MODEL).value - sp.sympify(value).subs(symbols())) == 0


def symbols():
    M, T = sp.symbols("M T", positive=True)
    return {"M": M, "T": T}


def test_a_ratio_of_resolvents_has_planar_and_simulated_proofs():
    ratio = derive("tr(inv(X*X.T + z*I)^2)/tr(inv(X*X.T + z*I))^2", MODEL)
    assert ratio.prove_planar(4).holds
    assert not ratio.with_value(ratio.value * ratio.value).prove_planar(4).holds
    found = prove_by_simulation(ratio, Instance({"M": 20, "T": 30}, {"z": 0.5}), (1, 2, 4), 16, 1)
    assert found.holds
    wrong = ratio.with_value(sp.Rational(6, 5) * ratio.value)
    assert not prove_by_simulation(wrong, Instance({"M": 20, "T": 30}, {"z": 0.5}), (1, 2, 4), 16,
                                   1).holds  # fmt: skip


def test_leading_order_of_the_exact_mean_of_a_product():
    text = "tr(X*X.T*X*X.T)*tr(X*X.T)^2"
    leading = exact_mean(text, MODEL).expansion(1)
    assert sp.simplify(leading.coefficients[0] - derive(text, MODEL).value) == 0


def test_cross_validation_is_the_test_loss_in_numbers():
    gcv = expression("generalised-cross-validation").derive()
    loss = expression("ridge-test-loss").derive()
    eigenvalues = np.geomspace(4, 0.01, 40)
    matrices = {"L": eigenvalues, "W": eigenvalues**-0.5}
    at = {"T": 60, "z": np.geomspace(1e-4, 10, 9), "sigma": 0.3}
    np.testing.assert_allclose(gcv.solve(at, matrices).value, loss.solve(at, matrices).value, 1e-10)


def test_refusals():
    X = sp.MatrixSymbol("X", *sp.symbols("M T", positive=True))
    with raises(OutsideTheoryError, match="integer powers of traces"):
        trace_function(sp.log(sp.Trace(X * X.T)))
    with raises(InputError, match="holds a trace"):
        trace_function(sp.Symbol("a"))
