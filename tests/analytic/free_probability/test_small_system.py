"""Where a closed form would fill pages, a few named traces are given instead."""

import numpy as np
import sympy as sp
from pytest import approx, mark

from solvable.analytic.free_probability.models import EXPRESSIONS, expression
from solvable.analytic.free_probability.small_system import LONGEST, written

LONG = ["neural-tangent-kernel", "nonlinear-features-loss", "federated-loss"]
SIZES = {"M": 60, "N": 90, "T": 130, "z": 0.3, "a": 0.7, "b": 0.6, "s": 0.4}


def numbers(equations):
    names = {s.name for s in equations.all_scalars()}
    rng = np.random.default_rng(0)
    matrices = {name: rng.uniform(0.2, 2, SIZES["M"]) for name in equations.model.fixed}
    return {k: v for k, v in SIZES.items() if k in names}, matrices


@mark.thorough
def test_no_formula_of_the_table_is_long():
    for name, entry in EXPRESSIONS.items():
        short(entry.derive(), name)


def short(equations, name):
    formulas = [side for r in equations.relations for side in (r.lhs, r.rhs)]
    lengths = [written(formula) for formula in (*formulas, equations.value)]
    assert max(lengths) <= LONGEST, (name, lengths)


@mark.thorough
def test_a_distilled_ridge_regression_fits_a_page():
    equations = expression("distilled-ridge").derive()
    assert written(equations.closed_form.value) > 10 * LONGEST
    parameters, matrices = numbers(equations)
    value = equations.solve(parameters, matrices).value
    assert equations.closed_form.solve(parameters, matrices).value == approx(value, rel=1e-10)


@mark.parametrize("name", LONG)
def test_the_small_system_has_the_value_of_the_closed_form(name):
    equations = expression(name).derive()
    short(equations, name)
    assert equations.reduction.shortened and not equations.closed_form.reduction.shortened
    parameters, matrices = numbers(equations)
    value = equations.solve(parameters, matrices).value
    assert equations.closed_form.solve(parameters, matrices).value == approx(value, rel=1e-10)


def test_the_small_system_is_proved_and_a_wrong_one_rejected():
    equations = expression("federated-loss").derive()
    assert equations.prove_planar(3).holds
    index = next(
        i for i, r in enumerate(equations.relations) if r.lhs in equations.reduction.defined
    )
    relations = list(equations.relations)
    relations[index] = sp.Eq(relations[index].lhs, relations[index].rhs * 2, evaluate=False)
    assert not equations.with_relations(*relations).prove_planar(3).holds


def test_every_named_unknown_says_what_it_measures():
    equations = expression("federated-loss").derive()
    meaning = {u.symbol: u.meaning for u in equations.unknowns}
    assert all("Tr(" in meaning[symbol] for symbol in equations.reduction.defined)
    assert set(meaning) == set(equations.unknown_symbols)
