"""What is inside the theory; evaluation on matrices."""

import numpy as np
import sympy as sp
from pytest import mark, raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import (
    MatrixModel,
    derive,
    evaluate,
    parse_declarations,
    trace,
)
from solvable.analytic.free_probability import parse_expression as parse
from solvable.analytic.free_probability.expression import check, outputs, show, words

MODEL = parse_declarations(
    ["X:M,T:1/T", "Y:M,T", "S:M,M:1/M", "R:M,M:1/M"],
    ["W:M:1/M", "V:M:1/M"],
    ["L:M", "G:M", "A:M,T"],
)


def refuse(text, match, error=OutsideTheoryError):
    with raises(error, match=match):
        derive(text, MODEL)


@mark.parametrize(
    ("text", "part"),
    [
        ("tr(inv(S + z*I))", "S"),  # complex spectrum: the disc
        ("tr(inv(W*V + z*I))", "W[*]V"),
        ("tr(inv(L*S + z*I))", "L[*]S"),
        ("tr(inv(S*R*S.T*R.T + z*I))", "S[*]R"),
        ("tr(X*A.T)", "X is not paired"),
        ("tr(S*inv(W + z*I))", "S is not paired"),
    ],
)
def test_outside_the_theory(text, part):
    refuse(text, part)


@mark.parametrize(
    "text",
    [
        "tr(inv(S*S.T + z*I))",  # square Gaussian
        "tr(inv(S + S.T + z*I))",
        "tr(inv(X*X.T*L + z*I))",  # positive times symmetric
        "tr(inv(L*X*X.T + z*I))",
        "tr(inv(W*X*X.T + z*I))",
        "tr(inv(X*X.T*(W + L) + z*I))",
        "tr(inv(A*X.T + X*A.T + z*I))",
    ],
)
def test_real_spectra_are_accepted(text):
    expression = parse(text, MODEL)
    check(outputs(expression)[1][0][1], MODEL)


def test_python_objects_are_checked_too():
    M, T = sp.symbols("M T", positive=True)
    model = MatrixModel()
    X = model.gaussian("X", M, T, 1 / T)
    with raises(InputError, match="declare"):
        derive(trace(sp.MatrixSymbol("Y", M, M)), model)
    with raises(InputError, match="shape"):
        derive(trace(sp.MatrixSymbol("X", M, M)), model)
    with raises(InputError, match="square"):
        trace(X)
    with raises(OutsideTheoryError, match="Hadamard"):
        derive(trace(sp.HadamardProduct(X, X) * X.T), model)
    with raises(OutsideTheoryError, match="integer powers of traces"):
        derive(sp.sqrt(trace(X * X.T)), model)
    with raises(InputError, match="positive"):
        model.gaussian("Z", M, T, variance="__import__('os')")
    with raises(InputError, match="symmetric"):
        model.deterministic("B", M, M)
    with raises(InputError, match="count"):
        model.gaussian("Z", "M", T)


def test_a_square_gaussian_equals_the_rectangular_one_at_equal_sides():
    square = derive("tr(inv(S*S.T + z*I))", MODEL)
    M, T = sp.symbols("M T", positive=True)
    wide = derive("tr(inv(X*X.T + z*I))", MODEL)
    difference = square.relations[0].rhs - wide.relations[0].rhs.subs(T, M)
    assert sp.simplify(difference) == 0


def test_words_expand_and_print():
    expression = outputs(parse("tr((L + G)*(L - G))", MODEL))[1][0][1]
    assert set(show(words(expression, MODEL)).split(" + ")) == {
        "L*L",
        "G*L",
        "(-1)*L*G",
        "(-1)*G*G",
    }


def test_evaluation_on_matrices():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, 6))
    a = rng.standard_normal((4, 4))
    lam = a @ a.T
    M, T = sp.symbols("M T", positive=True)
    z = parse("z", MODEL)
    value = evaluate(
        parse("tr(sqrt(L)*inv(X*X.T + z*I)*sqrt(L))", MODEL), {"X": x, "L": lam}, {M: 4, T: 6, z: 2}
    )
    expected = np.trace(lam @ np.linalg.inv(x @ x.T + 2 * np.eye(4))) / 4
    assert abs(value / expected - 1) < 1e-12
    with raises(InputError, match="value of X"):
        evaluate(parse("tr(X*X.T)", MODEL), {}, {M: 4, T: 6})


@mark.parametrize("power", [1, 2])
def test_a_matrix_commutes_with_its_resolvent(power):
    """YYᵀ (YYᵀ + a)^{-1} is symmetric, and 1 − a (YYᵀ + a)^{-1}."""
    model = parse_declarations(["Y:M,N:1/N"], deterministic=["L:M"])
    factor = "Y*Y.T*inv(Y*Y.T + a*I)"
    other = "(I - a*inv(Y*Y.T + a*I))"
    texts = (f"tr(inv(L + {'*'.join([f] * power)} + z*I))" for f in (factor, other))
    numbers = {"N": 30, "a": 0.4, "z": 0.3}
    values = [
        derive(text, model).solve(numbers, {"L": np.linspace(0.1, 2, 20)}).value for text in texts
    ]
    assert abs(values[0] / values[1] - 1) < 1e-11
    with raises(OutsideTheoryError, match="as far as its words show"):
        derive("tr(inv(L + Y*Y.T*inv(Y*Y.T + L) + z*I))", model)
