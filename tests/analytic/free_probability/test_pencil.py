"""The pencil realises the expression, and is small."""

import sympy as sp
from pytest import mark

from solvable.analytic.free_probability import parse_declarations, parse_expression
from solvable.analytic.free_probability.expression import outputs
from solvable.analytic.free_probability.matrix_function import only_function
from solvable.analytic.free_probability.minimisation import minimise_pencil
from solvable.analytic.free_probability.models import EXPRESSIONS
from solvable.analytic.free_probability.pencil import Pencil
from solvable.analytic.free_probability.realisation import build_pencil
from solvable.analytic.free_probability.trace_function import trace_function


def pencil_of(text, minimal=True, **declarations):
    model = parse_declarations(**declarations)
    targets = outputs(parse_expression(text, model))[1]
    return build_pencil(targets, model, minimise_pencil if minimal else lambda pencil: pencil)


@mark.parametrize("name", EXPRESSIONS)
def test_schur_complement_is_the_expression(name):
    model = EXPRESSIONS[name].declarations()
    matrices = trace_function(parse_expression(EXPRESSIONS[name].text, model)).matrices
    if model.blocks or any(only_function(m, model) for m in matrices):
        pencil = EXPRESSIONS[name].derive().pencil  # of the inverse of what is in the logarithm
    else:
        pencil = build_pencil([(sp.S.One, m) for m in matrices], model, minimise_pencil)
    assert max(pencil.check(seed) for seed in range(3)) < 1e-10


@mark.parametrize(
    ("name", "size"),
    [
        ("marchenko-pastur", 2),
        ("sample-covariance", 2),
        ("deformed-wigner", 1),
        ("wishart-plus-wigner", 2),
        ("information-plus-noise", 2),
        ("random-feature-resolvent", 4),
        ("deep-random-features", 6),
        ("ridge-bias-shift", 4),
        ("nonlinear-features", 4),
    ],
)
def test_pencils_are_no_larger_than_by_hand(name, size):
    e = EXPRESSIONS[name]
    pencil = pencil_of(
        e.text,
        gaussian=e.gaussian,
        symmetric=e.symmetric,
        deterministic=e.deterministic,
        commuting=e.commuting,
    )
    assert pencil.size <= size


@mark.parametrize(
    "text",
    [
        "tr(X*X.T)",
        "tr(X*X.T*X*X.T)",
        "tr(X*inv(X.T*X + z*I)*X.T)",
        "tr((X + A)*inv(I + X.T*X)*(X + A).T)",
        "tr(inv(z*I + L + X*inv(C + X.T*L*X)*X.T))",
        "tr(inv(z*I + L)*G*inv(z*I + L + W)^2)",
        "tr(inv(z*I + W)) + 3*Tr(L*inv(z*I + W))/M - 2",
        "tr(sqrt(L)*inv(sqrt(L)*W*sqrt(L) + z*I)*inv(L))",
    ],
)
def test_rational_expressions_with_and_without_minimisation(text):
    declarations = {
        "gaussian": ["X:M,T:1/T"],
        "symmetric": ["W:M:1/M"],
        "deterministic": ["L:M", "G:M", "C:T", "A:M,T"],
    }
    small, large = (pencil_of(text, minimal, **declarations) for minimal in (True, False))
    assert small.check(1) < 1e-10 and large.check(1) < 1e-10
    assert small.size <= large.size


def test_a_changed_pencil_is_noticed():
    pencil = pencil_of("tr(inv(X*X.T + z*I))", gaussian=["X:M,T:1/T"])
    key = next(key for key in pencil.q if key[0] != key[1])
    wrong = {**pencil.q, key: {t: 2 * c for t, c in pencil.q[key].items()}}
    assert Pencil(pencil.model, pencil.spaces, wrong, pencil.outputs).check() > 1e-3


def test_equal_resolvents_are_merged():
    one = pencil_of("tr(inv(X*X.T + z*I))", gaussian=["X:M,T:1/T"])
    twice = pencil_of("tr(inv(X*X.T + z*I) + 2*inv(X*X.T + z*I))", gaussian=["X:M,T:1/T"])
    assert twice.size == one.size


def test_unreachable_blocks_are_dropped():
    text = "tr(inv(X*X.T + z*I)*(L - L) + W*W)"
    pencil = pencil_of(text, gaussian=["X:M,T:1/T"], symmetric=["W:M:1/M"], deterministic=["L:M"])
    assert sp.Symbol("T", positive=True) not in pencil.spaces
