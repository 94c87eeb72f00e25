"""The simulation proof: errors fall as 1/size, and wrong equations are seen."""

import numpy as np
import sympy as sp
from pytest import mark, raises

from solvable.analytic.errors import InputError
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.free_probability.models import EXPRESSIONS, expression
from solvable.validation.matrix_expressions import (
    Instance,
    instance,
    prove_by_simulation,
    sample,
    unknown_traces,
)

FAST = ["sample-covariance", "wishart-plus-wigner", "ridge-variance-shift"]


@mark.parametrize("name", FAST)
def test_the_error_falls_as_one_over_size(name):
    proof = prove_by_simulation(expression(name).derive(), instance(name), (1, 2, 4), 24, seed=3)
    assert proof.holds, str(proof)


@mark.slow
@mark.parametrize("name", EXPRESSIONS)
def test_every_error_falls_as_one_over_size(name):
    proof = prove_by_simulation(expression(name).derive(), instance(name), (1, 2, 4, 8), 24, 5)
    assert proof.holds, str(proof)


@mark.parametrize("name", FAST)
def test_wrong_values_are_seen(name):
    equations = expression(name).derive()
    for factor in (sp.Rational(21, 20), -1, 2):
        wrong = equations.with_value(factor * equations.value)
        proof = prove_by_simulation(wrong, instance(name), (1, 2, 4), 24, seed=3)
        assert not proof.holds, f"{factor}: {proof}"


def test_the_scalar_treatment_of_matrices_that_do_not_commute_is_seen():
    """A test covariance replaced by its eigenvalues, in the wrong basis, is far off."""
    text, name = expression("ridge-bias-shift").text, "ridge-bias-shift"
    declared = expression(name)
    commuting = parse_declarations(
        declared.gaussian, deterministic=declared.deterministic, commuting=["L,G,B"]
    )
    numbers = instance(name)
    right = derive(text, declared.declarations())
    assert prove_by_simulation(right, numbers, (1, 2, 4), 24, seed=1).holds
    theory = right.solve({**numbers.dimensions, **numbers.scalars}, numbers.matrices).value
    diagonal = {
        k: np.linalg.eigvalsh(m)[::-1] if np.ndim(m) == 2 else m
        for k, m in numbers.matrices.items()
    }
    scalar = derive(text, commuting).solve({**numbers.dimensions, **numbers.scalars}, diagonal)
    assert abs(scalar.value / theory - 1) > 0.1


@mark.parametrize(
    "name", ["random-feature-resolvent", "ridge-bias-shift", "information-plus-noise"]
)
def test_every_unknown_is_the_trace_that_it_names(name):
    pairs = unknown_traces(expression(name).derive(), instance(name), scale=6, draws=6, seed=0)
    assert pairs
    for symbol, (solved, drawn) in pairs.items():
        assert abs(drawn / solved - 1) < 0.06, f"{symbol}: solved {solved}, drawn {drawn}"


def test_draws_are_seeded_and_have_the_declared_moments():
    equations = derive("Tr(X*X.T)", parse_declarations(["X:M,T:3/T"]))
    numbers = Instance({"M": 20, "T": 30})
    first, again, other = (sample(equations, numbers, 1, 200, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert abs(first.mean() / 60 - 1) < 5 * first.std() / 60 / np.sqrt(200)
    wigner = derive("Tr(W*W)", parse_declarations(symmetric=["W:M:1/M"]))
    drawn = sample(wigner, Instance({"M": 40}), 1, 200, 0)
    assert abs(drawn.mean() / 41 - 1) < 0.01  # M + 1: variance 2/M on the diagonal


def test_too_little_is_refused():
    equations = expression("semicircle").derive()
    with raises(InputError, match="scales"):
        prove_by_simulation(equations, instance("semicircle"), (1, 2), 24)
    with raises(InputError, match="draws"):
        prove_by_simulation(equations, instance("semicircle"), (1, 2, 4), 2)
