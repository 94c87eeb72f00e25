"""Equations in blocks: the same values as the reduced ones, and what is refused."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from pytest import approx, raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import (
    SelfConsistentEquations,
    UnreducedEquations,
    derive,
    parse_declarations,
    unreduced,
)
from solvable.analytic.free_probability.models import expression
from solvable.validation.matrix_expressions import Instance, instance, prove_by_simulation, sample

REPEATED = "inv(inv(X*Z*Z.T*X.T + a*I)*X*X.T*inv(X*Z*Z.T*X.T + a*I) + z*I)"
LONG = f"tr({REPEATED}*X*Z*Z.T*X.T*{REPEATED})"
LAYERS = parse_declarations(["X:M,T:1/T", "Z:T,K:1/K"])


@pytest.mark.parametrize(
    "name",
    [
        "sample-covariance",
        "whitened-covariance",
        "variance-profile",
        "two-populations",
        "ridge-variance",
        "ridge-bias-shift",
        "federated-loss",
        "generalised-cross-validation",
        pytest.param("random-feature-loss", marks=pytest.mark.slow),
        pytest.param("distilled-ridge", marks=pytest.mark.slow),
    ],
)
def test_blocks_have_the_value_of_the_reduced_equations(name):
    row, at = expression(name), instance(name)
    blocks = unreduced.derive(row.text, row.declarations())
    numbers = {**at.dimensions, **at.scalars}
    found = blocks.solve(numbers, at.matrices)
    assert found.value == approx(row.derive().solve(numbers, at.matrices).value, rel=1e-9)
    assert found.margin > 0 and found.residual < 1e-9
    meanings = {unknown.symbol: unknown.meaning for unknown in blocks.unknowns}
    assert set(meanings) == {relation.lhs for relation in blocks.relations}


def test_a_long_expression_is_left_in_blocks_and_is_right():
    found = derive(LONG, LAYERS, seconds=0.5)
    assert isinstance(found, UnreducedEquations) and "processor time" in found.reason
    at = Instance({"M": 44, "T": 17, "K": 44}, {"a": 1.0, "z": 2.0})
    scaling = prove_by_simulation(found, at, (1, 2, 4), 24, 1)
    assert scaling.holds, scaling
    drawn = sample(found, at, 4, 24, 1)
    value = found.solve({"M": 176, "T": 68, "K": 176, **at.scalars}).value
    assert abs(drawn.mean() - 1.05 * value) > 5 * drawn.std() / np.sqrt(24)


def test_points_are_solved_together():
    found = derive(LONG, LAYERS, seconds=0.5)
    z = np.array([[0.5, 1.0], [2.0, 4.0]])
    sizes = {"M": 300, "T": 200, "K": 400, "a": 1}
    values = found.solve({**sizes, "z": z}).value
    assert values.shape == (2, 2)
    assert values[1, 0] == approx(found.solve({**sizes, "z": 2}).value, rel=1e-12)


def test_a_high_power_is_reduced():
    """The moments of Marchenko and Pastur, Σ_r c^r N(k, r+1), are those of Narayana."""
    found = derive("tr((I - a*X*X.T)^12)", parse_declarations(["X:M,T:1/T"]))
    assert isinstance(found, SelfConsistentEquations)
    a, c = sp.Rational(1, 10), sp.Rational(3, 10)

    def moment(k):
        steps = range(k)
        terms = (sp.binomial(k, r) * sp.binomial(k, r + 1) / k * c**r for r in steps)
        return sum(terms) if k else 1

    exact = sum(sp.binomial(12, k) * (-a) ** k * moment(k) for k in range(13))
    assert found.solve({"a": 0.1, "M": 300, "T": 1000}).value == approx(float(exact), rel=1e-12)


def test_what_is_printed():
    found = derive("tr(inv(X*X.T + z*I))", parse_declarations(["X:M,T:1/T"]), seconds=0.0)
    lines = str(found).splitlines()
    assert lines[0] == "(G^-1)_{1,1} = (u_1 + 1)*I" and lines[-1] == "value = Trace(G_{2,2})/M"
    assert r"\operatorname{tr}\left(G_{2,2} \right)" in found.latex()
    taken = parse_declarations(["G:M,T:1/T"])
    other = derive("tr(inv(G*G.T + u_1*I))", taken, seconds=0.0)
    assert "G_{" not in str(other) and "u_2" not in str(other)


def test_what_needs_the_reduced_form_is_refused_with_the_reason():
    found = derive("tr(inv(X*X.T + z*I))", parse_declarations(["X:M,T:1/T"]), seconds=0.0)
    numbers = {"M": 100, "T": 200}
    for use in (
        lambda: found.density([1.0], numbers),
        lambda: found.limit("1 << M << T"),
        lambda: found.prove_planar(4),
        lambda: found.closed_form,
    ):
        with raises(OutsideTheoryError, match="0 s of processor time"):
            use()
    with raises(InputError, match="float64"):
        found.solve({**numbers, "z": mpmath.mpf("0.5")})
    with raises(OutsideTheoryError, match="on the spectrum"):
        found.solve({**numbers, "z": -1.0})


def test_nested_inverses_of_deterministic_matrices():
    found = derive("tr(inv(inv(L + a*I) + z*I))", parse_declarations(deterministic=["L:M"]))
    modes = np.array([0.5, 1.0, 3.0])
    exact = np.mean(1 / (1 / (modes + 2) + 0.3))
    assert found.solve({"a": 2, "z": 0.3}, {"L": modes}).value == approx(exact, rel=1e-14)
