"""The text form: what is read, what is refused, and that nothing is ever evaluated."""

import contextlib

import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises

from solvable.analytic.errors import InputError, OutsideTheoryError, SolvableError
from solvable.analytic.free_probability import derive, parse_declarations, parse_expression

MODEL = parse_declarations(
    ["X:M,T:1/T", "Y:M,T", "S:M,M:1/M"], ["W:M:1/M"], ["L:M", "G:M", "A:M,T", "C:T"], ["L,G"]
)


@mark.parametrize(
    ("left", "right"),
    [
        ("tr(inv(X*X.T + z*I))", "tr((X@X.T + I*z).I)"),
        ("tr(2*L - L)", "tr(L)"),
        ("tr(L^2)", "tr(L*L)"),
        ("Tr(L)/M", "tr(L)"),
        ("tr(X*(Y.T))", "tr(X*transpose(Y))"),
        ("tr(inv(2*I)*L)", "tr(L)/2"),
        ("tr(z*I + L)", "tr(L + z*I)"),
        ("tr(0.25*L)", "tr(L/4)"),
        ("-tr(-L)", "tr(L)"),
    ],
)
def test_equivalent_forms(left, right):
    difference = parse_expression(left, MODEL) - parse_expression(right, MODEL)
    assert sp.simplify(difference.doit()) == 0


def test_primes_name_the_second_frequency():
    from solvable.analytic.notation import z_prime

    assert parse_expression("z'", MODEL) == z_prime


@mark.parametrize(
    ("text", "part"),
    [
        ("tr(X)", "M×T"),
        ("inv(X)", "M×T"),
        ("tr(X*X)", "X*X"),
        ("tr(X*X.T + C)", "X*X.T + C"),
        ("tr(V)", "V"),
        ("tr(L", "parenthesis"),
        ("tr(L))", "end"),
        ("tr(L) + L", "sum"),
        ("tr(inv(X*X.T + z))", "times I"),
        ("tr(inv(L - L))", "inv(L - L)"),
        ("tr(L)/0", "non-zero"),
        ("tr(L/L)", "L/L"),
        ("tr(L**tr(L))", "L**tr(L)"),
        ("tr(L**1000)", "L**1000"),
        ("det(L)", "det(L)"),
        ("tr(L) $ 2", "$"),
        ("", "text"),
        ("tr(z)", "tr(z)"),
        ("(" * 100 + "L" + ")" * 100, "nested"),
        ("-" * 500 + "L", "nested"),
        ("L" * 5000, "characters"),
        ("__import__('os').system('x')", "'"),
        ("L.shape", "."),
    ],
)
def test_bad_text_names_the_part(text, part):
    with raises(InputError) as caught:
        parse_expression(text, MODEL)
    assert part in str(caught.value), str(caught.value)


@mark.parametrize("text", ["tr(relu(X)*X.T)", "tr(tanh(L))", "tr(sigmoid(L))"])
def test_entrywise_functions_are_outside(text):
    with raises(OutsideTheoryError, match="not rational"):
        parse_expression(text, MODEL)


@mark.parametrize(
    "declarations",
    [
        {"gaussian": ["X"]},
        {"gaussian": ["X:M,T,K"]},
        {"gaussian": ["X:M,T:M*"]},
        {"gaussian": ["X:M,T", "X:M,T"]},
        {"gaussian": ["X:0,T"]},
        {"gaussian": ["2:M,T"]},
        {"gaussian": ["X:M,T:-1"]},
        {"symmetric": ["W:"]},
        {"deterministic": ["L:M:1"]},
        {"deterministic": ["L:M"], "commuting": ["L,G"]},
        {"deterministic": ["L:M", "C:T"], "commuting": ["L,C"]},
    ],
)
def test_bad_declarations(declarations):
    with raises(InputError):
        parse_declarations(**declarations)


def test_a_law_that_is_not_gaussian_is_refused():
    with raises(OutsideTheoryError, match="rademacher"):
        parse_declarations(["X:M,T:1/T:rademacher"])


@given(st.text(alphabet="XLWz()*+-/.TI 12^ainvtr", max_size=25))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(SolvableError):
        parse_expression(text, MODEL)


def test_scalars_may_be_named():
    model = parse_declarations(["X:M,T:1/T"])
    with raises(InputError, match="undeclared"):
        derive("tr(inv(X*X.T + Z*I))", model)
    assert derive("tr(inv(X*X.T + Z*I))", model, scalars=["Z"]).spectral[0].name == "Z"
