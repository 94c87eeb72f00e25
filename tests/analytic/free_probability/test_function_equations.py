"""Logarithms, powers and exponentials of random matrices."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from pytest import approx, raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.free_probability.effort import TooLongError
from solvable.analytic.free_probability.function_integral import TraceOfFunction
from solvable.validation.matrix_expressions import Instance, prove_by_simulation, sample

MODEL = parse_declarations(["X:M,T:1/T"])
STRUCTURED = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
SAMPLE = "sqrt(L)*X*X.T*sqrt(L)"
EIGENVALUES = np.tile([2.0, 1.0, 0.5, 0.25], 5)
CLOSED = {
    "Tr(log(X*X.T + z*I))": {},
    f"Tr(log({SAMPLE} + z*I))": {"deterministic": ["L:M"]},
    "tr(log(W + z*I))": {"symmetric": ["W:M:1/M"]},
    "tr(log(L + W + z*I))": {"symmetric": ["W:M:1/M"], "deterministic": ["L:M"]},
    "Tr(log(X*X.T + Y*Y.T + z*I))": {"gaussian": ["X:M,T:1/T", "Y:M,N:1/N"]},
    f"Tr(log(B.T*B*{SAMPLE} + z*I))": {
        "gaussian": ["X:M,T:1/T", "B:N,M:1/N"],
        "deterministic": ["L:M"],
    },
    "Tr(log((A + X)*(A + X).T + z*I))": {"deterministic": ["A:M,T"]},
    "Tr(log(sqrt(L)*X*C*X.T*sqrt(L) + z*I))": {"deterministic": ["L:M", "C:T"]},
}


def model(text):
    given = {"gaussian": ["X:M,T:1/T"], **CLOSED[text]}
    return parse_declarations(**given)


@pytest.mark.parametrize("text", list(CLOSED))
def test_closed_log_determinants_have_planar_proofs(text):
    found = derive(text, model(text))
    assert found.prove_planar(4).orders == (0, 1, 2, 3, 4)
    assert found.prove_planar(4).holds
    M = sp.Symbol("M", positive=True)
    for wrong in (found.value * 2, found.value + 1, found.value + M / found.spectral[0]):
        assert not found.with_value(wrong).prove_planar(4).holds


@pytest.mark.parametrize("text", [t for t in CLOSED if "(A" not in t and "C" not in t])
def test_closed_forms_equal_the_integral(text):
    found = derive(text, model(text))
    at = {"M": 20, "T": 30, "N": 25, "z": 3.0}
    at = {k: v for k, v in at.items() if k in map(str, found.all_scalars())}
    matrices = {"L": EIGENVALUES} if "L" in text else {}
    part = TraceOfFunction(*opened(text))
    expected = found.solve(at, matrices).value * (1 if text.startswith("Tr") else 20)
    assert part.number(at, matrices).value == approx(float(expected), rel=1e-9)


def opened(text):
    from solvable.analytic.free_probability.matrix_function import only_function
    from solvable.analytic.free_probability.text import parse_expression
    from solvable.analytic.free_probability.trace_function import trace_function

    declared = derive(text, model(text)).model
    matrix = trace_function(parse_expression(text, declared)).matrices[0]
    return matrix, only_function(matrix, declared), declared, sp.Symbol("t", positive=True)


def test_known_numbers():
    wigner = parse_declarations(symmetric=["W:M:1/M"])
    square = {"M": 100, "T": 100}
    assert derive("tr(sqrt(X*X.T))", MODEL).solve(square).value == approx(8 / (3 * np.pi), rel=1e-9)
    assert derive("tr(exp(W))", wigner).solve({"M": 7}).value == approx(
        float(mpmath.besseli(1, 2)), rel=1e-10
    )
    # Catalan-like moments of real order: Γ(2a + 1)/(Γ(a + 1) Γ(a + 2)) at M = T
    powers = (
        derive("tr((X*X.T)^a)", MODEL).solve({**square, "a": np.array([-0.3, 0.25, 1.5])}).value
    )
    exact = [float(mpmath.gamma(2 * a + 1) / mpmath.gamma(a + 1) / mpmath.gamma(a + 2))
             for a in (-0.3, 0.25, 1.5)]  # fmt: skip
    np.testing.assert_allclose(powers, exact, rtol=1e-7)
    ratio = {"M": 60, "T": 100}
    whole = derive("tr((X*X.T)^a)", MODEL).solve({**ratio, "a": 2}).value
    assert whole == approx(1 + 0.6, rel=1e-12)
    c = 0.6
    expected = -1 - (1 - c) / c * np.log(1 - c)
    assert derive("tr(log(X*X.T))", MODEL).solve(ratio).value == approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("tr((X*X.T)^(1/3))", marks=pytest.mark.slow),
        "tr(exp(-2*X*X.T))",
        "tr(log(I + X*X.T))",
    ],
)
def test_any_digits(text):
    found, ratio = derive(text, MODEL), {"M": 60, "T": 100}
    few = found.solve(ratio).value
    with mpmath.workdps(25):
        many = found.solve({k: mpmath.mpf(v) for k, v in ratio.items()}).value
        with mpmath.workdps(35):
            more = found.solve({k: mpmath.mpf(v) for k, v in ratio.items()}).value
        assert abs(many / more - 1) < mpmath.mpf(10) ** -22
    assert float(many) == approx(float(few), rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "scalars"),
    [
        ("tr(log(I + c*X*X.T))", {"c": 2.5}),
        (f"Tr(L*log({SAMPLE} + z*I))/Tr(L)", {"z": 0.3}),
        (f"tr(L*exp(-s*{SAMPLE}))", {"s": 3.0}),
        (f"tr(({SAMPLE})^a)", {"a": 0.7}),
        ("tr((X*X.T + L)^a)", {"a": -1.3}),
    ],
)
def test_simulation(text, scalars):
    found = derive(text, STRUCTURED if "L" in text else MODEL)
    at = Instance({"M": 20, "T": 30}, scalars, {"L": EIGENVALUES} if "L" in text else {})
    draws = 96
    scaling = prove_by_simulation(found, at, (1, 2, 4), draws, 1)
    assert scaling.holds, scaling
    drawn = sample(found, at, 4, draws, 1)
    wrong = found.solve({"T": 120, "M": 80, **scalars}, at.scaled(4)).value * 1.2
    assert abs(drawn.mean() - wrong) > 5 * drawn.std() / np.sqrt(draws)


@pytest.mark.slow
def test_refusals():
    with raises(InputError, match="by its eigenvalues, not by its entries"):
        derive("Tr(log(X)*X.T)", MODEL)
    with raises(OutsideTheoryError, match="one function of one matrix"):
        derive("tr(exp(X*X.T)*exp(X*X.T))", MODEL)
    with raises(OutsideTheoryError, match="function of a function"):
        derive("tr(exp(sqrt(X*X.T)))", MODEL)
    with raises(OutsideTheoryError, match="inside an inverse"):
        derive("tr(inv(exp(X*X.T) + I))", MODEL)
    with raises(OutsideTheoryError, match="not positive"):
        derive("tr(sqrt(W))", parse_declarations(symmetric=["W:M:1/M"])).solve({"M": 10})
    with raises(InputError, match="one of"):
        derive("tr((X*X.T)^a)", MODEL).solve({"M": 10, "T": 20, "b": 1})
    with raises(InputError, match="also a"):
        derive("tr((X*X.T)^a)", MODEL).solve({"M": 10, "T": 20})


@pytest.mark.parametrize(
    "text, known",
    [
        ("tr(sqrt(W*W))", 8 / (3 * np.pi)),
        ("tr((W^2)^(3/2))", 64 / (15 * np.pi)),
        ("tr((W^2)^p)", 8 / (3 * np.pi)),
        ("tr(L*sqrt(W*W))", 4 / (3 * np.pi)),
        ("tr(sqrt(L*L))", 0.84),
        ("tr(sqrt(W*W)^2)", 1.0),
        pytest.param("tr(sqrt(inv(W*W + I)^2))", (5**0.5 - 1) / 2, marks=pytest.mark.slow),
    ],
)
def test_a_power_of_a_power_keeps_the_sign(text, known):
    """The eigenvalues of W and L have both signs: √(W²) is |W|, and not W."""
    model = parse_declarations(symmetric=["W:M:1/M"], deterministic=["L:M"])
    equations = derive(text, model)
    numbers = {k: v for k, v in {"M": 100, "p": 0.5}.items()
               if k in {s.name for s in equations.all_scalars()}}  # fmt: skip
    matrices = {"L": np.linspace(-1, 2, 100)} if "L" in equations.model.fixed else {}
    assert abs(equations.solve(numbers, matrices).value - known) < 1e-9


@pytest.mark.parametrize("text", ["inv(X*X.T + z*I)", "(X*X.T + z*I)^(-2)", "inv(L + X*X.T)"])
def test_the_logarithm_of_an_inverse(text):
    model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
    pair = [derive(t, model) for t in (f"tr(log({text}))", f"tr(log({text[:-4]}2))"
                                       if "^" in text else f"tr(log({text[3:]}))")]  # fmt: skip
    names = {s.name for s in pair[0].all_scalars()}
    numbers = {k: v for k, v in {"M": 60, "T": 90, "z": 0.4}.items() if k in names}
    matrices = {"L": np.linspace(0.5, 2, 60)} if "L" in pair[0].model.fixed else {}
    inverse, plain = (e.solve(numbers, matrices).value for e in pair)
    assert abs(inverse + plain) < 1e-12


def test_an_inverse_that_does_not_exist_has_no_exponential():
    equations = derive("tr(exp(-inv(X*X.T)))", MODEL)
    assert 0 < equations.solve({"M": 20, "T": 30}).value < 1
    with raises(OutsideTheoryError, match="does not exist at these numbers"):
        equations.solve({"M": 30, "T": 20})


def test_refusals_name_what_was_typed():
    """No word of the resolvent's own z or t."""
    with raises(OutsideTheoryError) as singular:
        derive("tr(log(X*X.T))", MODEL).solve({"M": 30, "T": 20})
    assert "z" not in str(singular.value).split("spectrum")[0]
    assert "spectral parameter" not in str(singular.value)
    with raises(OutsideTheoryError, match=r"inverse of inv\(I"):
        derive("tr(sqrt(inv(X*X.T + I)*inv(X*X.T + 2*I)))", MODEL)
    with raises(OutsideTheoryError, match="add a multiple of the identity, z\\*I, inside it"):
        derive("tr(log(I + inv(X*X.T)))", MODEL).solve({"M": 20, "T": 30})
    with raises(OutsideTheoryError, match="inside every inverse"):
        derive("tr(inv(X*X.T - I))", MODEL)


@pytest.mark.parametrize(
    "text", ["tr(log(X*X.T + z*I))", "tr(sqrt(X*X.T))", "tr(inv(X*X.T))", "tr(inv(P*P.T + z*I))"]
)
def test_the_time_allowed_holds_for_every_kind(text):
    model = parse_declarations(["X:M,T:1/T"], profile=["P:M+N,T+K:1/T,2/T|3/T,1/T"])
    with raises(TooLongError, match="0 s of processor time"):
        derive(text, model, seconds=0)
