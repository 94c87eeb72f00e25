"""What is refused is refused with advice, and what is advised is accepted."""

import pytest
from pytest import raises

from solvable.analytic.errors import InputError, OutsideTheoryError, SolvableError
from solvable.analytic.free_probability import derive, derive_covariance, parse_declarations

X = ["X:M,T:1/T"]
SIZES = {"M": 30, "T": 20}


def accepted(text, model=None, at=None):
    """Derived, and solved where numbers are given."""
    found = derive(text, model or parse_declarations(X))
    return found.solve(at) if at else found


@pytest.mark.parametrize(
    ("refused", "word", "advised", "declared"),
    [
        ("tr(relu(X)*relu(X).T)", "equivalent", "tr((a*X + b*Q)*(a*X + b*Q).T)", [*X, "Q:M,T"]),
        ("tr(tanh(X*X.T))", "Gaussian equivalent", "tr(a*X*X.T + b*Q*Q.T)", [*X, "Q:M,T:1/T"]),
        ("logdet(I + X*X.T)", "log", "Tr(log(I + X*X.T))", X),
        ("tr(log(X))", "square", "tr(log(X*X.T))", X),
        ("tr(exp(X*X.T)*exp(X*X.T))", "single one", "tr(exp(2*X*X.T))", X),
        ("tr(X*X.T)^(1/2)", "integer powers", "tr((X*X.T)^(1/2))", X),
        ("tr((X*X.T)^99)", "up to 12", "tr((X*X.T)^3)", X),
        ("tr(X + X.T)", "matching", "tr(X*X.T)", X),
        ("tr(inv(S + z*I))", "symmetric", "tr(inv(S*S.T + z*I))", [*X, "S:M,M:1/M"]),
    ],
)
def test_expressions(refused, word, advised, declared):
    model = parse_declarations(declared)
    with raises((InputError, OutsideTheoryError), match=word):
        derive(refused, model)
    accepted(advised, model)


def test_numbers():
    infinite = derive("tr(inv(X*X.T))", parse_declarations(X))
    with raises(OutsideTheoryError, match=r"keep a ridge z[*]I, or use the pseudo-inverse pinv"):
        infinite.solve(SIZES)
    accepted("tr(inv(X*X.T + z*I))", at={**SIZES, "z": 0.1})
    accepted("tr(pinv(X)*X)", at=SIZES)
    resolvent = derive("tr(inv(z*I - X*X.T))", parse_declarations(X))
    with raises(SolvableError, match="imaginary part"):
        resolvent.solve({**SIZES, "z": 1.0})
    resolvent.solve({**SIZES, "z": 1.0 + 0.1j})


@pytest.mark.parametrize("law", ["haar", "orthogonal", "permutation", "unitary"])
def test_rotations_are_not_advised_to_be_gaussian(law):
    with raises(OutsideTheoryError, match="--haar") as caught:
        parse_declarations([f"O:M,M:1/M:{law}"])
    assert "Gaussian" not in str(caught.value)
    kind = law if law in ("permutation", "unitary") else "haar"
    derive("tr(inv(z*I - O - O.H))", parse_declarations(**{kind: ["O:M"]}))


def test_a_permutation_beside_a_fixed_matrix():
    with raises(OutsideTheoryError, match="declare a Haar matrix"):
        model = parse_declarations(permutation=["P:M"], deterministic=["L:M"])
        derive("tr(inv(L + P*L*P.T + z*I))", model)
    derive("tr(inv(L + O*L*O.T + z*I))", parse_declarations(haar=["O:M"], deterministic=["L:M"]))


def test_a_pseudo_inverse_inside_a_function():
    model = parse_declarations(X)
    with raises(OutsideTheoryError, match=r"E.T.inv.E.E.T . z.I. for pinv.E.") as caught:
        derive("tr(log(pinv(X)*X + I))", model)
    assert "PseudoInverse" not in str(caught.value)
    derive("tr(log(X.T*inv(X*X.T + z*I)*X + I))", model)


@pytest.mark.parametrize("text", ["inv(X)", "X.I"])
def test_the_inverse_of_a_rectangular_matrix(text):
    with raises(InputError, match=r"pinv[(]E[)]"):
        derive(f"tr({text}*X)", parse_declarations(X))
    derive("tr(pinv(X*X.T))", parse_declarations(X))


def test_covariances():
    model = parse_declarations(X, deterministic=["L:M"])
    with raises(OutsideTheoryError, match=r"S = sqrt[(]L[)][*]X[*]X.T[*]sqrt[(]L[)]"):
        derive_covariance("Tr(L*X*X.T*L)", "Tr(X*X.T)", model)
    derive_covariance("Tr(sqrt(L)*X*X.T*sqrt(L))", "Tr(log(L*X*X.T + z*I))", model)
