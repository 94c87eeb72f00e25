"""Covariances of linear statistics against exact covariances, closed forms and draws."""

import numpy as np
import pytest
from pytest import approx, raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import (
    derive_covariance,
    exact_covariance,
    parse_declarations,
)
from solvable.analytic.free_probability.finite_size import ExactMean, evaluated
from solvable.derivations.cli import main

PLAIN = parse_declarations(["X:M,T:1/T"])
COMPLEX = parse_declarations(complex_gaussian=["X:M,T:1/T"])
STRUCTURED = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
SAMPLE = "sqrt(L)*X*X.T*sqrt(L)"
EIGENVALUES = np.tile([2.0, 1.0, 0.5, 0.25], 25)
SIZES = {"M": 300, "T": 500}


@pytest.mark.parametrize(("first", "second"), [(1, 1), (2, 1), (2, 2), (3, 1)])
@pytest.mark.parametrize("model", [PLAIN, COMPLEX], ids=["real", "complex"])
def test_moments_are_the_leading_exact_covariances(model, first, second):
    square = "X*X.H" if model is COMPLEX else "X*X.T"
    powers = [f"Tr({'*'.join([square] * k)})" for k in (first, second)]
    expected = exact_covariance(*powers, model).expansion(1).coefficients[0]
    names = {s: SIZES[s.name] for s in expected.free_symbols}
    found = derive_covariance(*powers, model).solve(SIZES).value
    assert found == approx(float(expected.subs(names)), rel=1e-10)


def test_structured_moments():
    text = f"Tr({SAMPLE}*{SAMPLE})"
    exact = exact_covariance(text, text, STRUCTURED)
    leading = ExactMean(exact.expansion(1).coefficients[0], exact.model, exact.fraction,
                        exact.ground)  # fmt: skip
    expected = float(evaluated(leading, {"T": 150, "M": 100}, {"L": EIGENVALUES}))
    found = derive_covariance(text, text, STRUCTURED).solve({"T": 150}, {"L": EIGENVALUES})
    assert found.value == approx(expected, rel=1e-9)


def test_log_determinants():
    text = "Tr(log(X*X.T))"
    found = derive_covariance(text, text, PLAIN).solve(SIZES).value
    assert found == approx(-2 * np.log(1 - 0.6), rel=1e-8)
    text = "Tr(log(I + c*X*X.T))"
    found = derive_covariance(text, text, PLAIN).solve({**SIZES, "c": 2.5}).value
    assert found**0.5 == approx(0.7142597958607793, rel=1e-9)


@pytest.mark.slow
def test_draws():
    texts = f"Tr(log({SAMPLE} + z*I))", f"Tr(inv({SAMPLE} + z*I))"
    rng, rows = np.random.default_rng(0), []
    for _ in range(3000):
        x = rng.standard_normal((100, 150)) / 150**0.5
        root = EIGENVALUES[:, None] ** 0.5 * x
        e = np.linalg.eigvalsh(root @ root.T) + 0.3
        rows.append((np.log(e).sum(), (1 / e).sum()))
    drawn = np.cov(np.array(rows).T)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        value = derive_covariance(texts[i], texts[j], STRUCTURED)
        value = value.solve({"T": 150, "z": 0.3}, {"L": EIGENVALUES}).value
        spread = np.sqrt((drawn[i, i] * drawn[j, j] + drawn[i, j] ** 2) / 3000)
        assert abs(drawn[i, j] - value) < 4 * spread
        assert abs(drawn[i, j] - 1.3 * value) > 4 * spread  # a wrong factor is seen


def test_refusals():
    with raises(OutsideTheoryError, match="without other factors"):
        derive_covariance(f"Tr(L*{SAMPLE})", f"Tr({SAMPLE})", STRUCTURED)
    with raises(OutsideTheoryError, match="inside the spectrum"):
        derive_covariance("Tr(inv(X*X.T - z*I))", "Tr(X*X.T)", PLAIN).solve({**SIZES, "z": 1.0})
    with raises(InputError, match="also z"):
        derive_covariance("Tr(inv(X*X.T + z*I))", "Tr(X*X.T)", PLAIN).solve(SIZES)
    with raises(OutsideTheoryError, match="one Gaussian X"):
        derive_covariance("Tr(W*W)", "Tr(W)", parse_declarations(symmetric=["W:M:1/M", "V:M"]))


def test_command_line(capsys):
    command = ["derive", "Tr(X*X.T)", "--covariance", "Tr(X*X.T)", "--gaussian", "X:M,T:1/T"]
    assert main([*command, "--at", "M=300,T=500"]) == 0
    printed = capsys.readouterr().out
    value = next(row for row in printed.splitlines() if row.startswith("value: "))
    assert float(value.removeprefix("value: ")) == approx(1.2, rel=1e-9)
