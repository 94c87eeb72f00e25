"""The planar proof: it holds for every expression, it is right itself, and it rejects."""

import math

import sympy as sp
from pytest import mark, raises

from solvable.analytic.algebra import Laurent
from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.free_probability.expander import Expander, Ground
from solvable.analytic.free_probability.expression import Letter
from solvable.analytic.free_probability.models import EXPRESSIONS
from solvable.analytic.free_probability.planar import PairingSum
from solvable.analytic.free_probability.spectral_trace import SpectralTrace
from solvable.analytic.notation import kappa, z

HEAVY = [name for name in EXPRESSIONS if name in ("gradient-flow", "random-feature-loss")]


def test_moments_equal_pairings(small):
    comparison = small.derive().prove_planar(4)
    assert comparison.holds, comparison.first_failure
    assert len(comparison.orders) >= 5  # the leading one and four beyond it


@mark.slow
@mark.parametrize("name", EXPRESSIONS)
def test_all_moments_equal_pairings(name):
    comparison = EXPRESSIONS[name].derive().prove_planar(5 if name not in HEAVY else 4)
    assert comparison.holds, comparison.first_failure


def corruptions(equations):
    """Each relation and the value with a lost sign, a factor, a doubled trace."""
    for index, relation in enumerate(equations.relations):
        sides = [sp.Eq(relation.lhs, relation.rhs * f, evaluate=False) for f in (-1, 2)]
        if relation.rhs == 0:
            sides = [sp.Eq(relation.lhs + 1, 0, evaluate=False)]
        sides += [
            sp.Eq(relation.lhs, relation.rhs.xreplace({atom: 2 * atom}), evaluate=False)
            for atom in relation.rhs.atoms(SpectralTrace)
        ]
        for side in sides:
            relations = [*equations.relations]
            relations[index] = side
            yield equations.with_relations(*relations)
    yield equations.with_value(-equations.value)
    yield equations.with_value(equations.value + 1 / z**3)
    for atom in equations.value.atoms(SpectralTrace):
        yield equations.with_value(equations.value.xreplace({atom: 2 * atom}))


def test_corrupted_equations_are_rejected(small):
    for number, wrong in enumerate(corruptions(small.derive())):
        assert not wrong.prove_planar(4).holds, number


def test_a_small_corruption_at_high_order_is_rejected():
    equations = EXPRESSIONS["sample-covariance"].derive()
    relation = equations.relations[0]
    wrong = equations.with_relations(sp.Eq(z, relation.rhs + 1 / (10**6 * kappa**2)))
    comparison = wrong.prove_planar(4)
    assert not comparison.holds
    assert comparison.first_failure == 2
    assert sp.simplify(comparison.differences[0] * z**2 * 10**6) == -1


def test_catalan_numbers():
    """Even moments of the semicircle count non-crossing pairings: C_k = binom(2k, k)/(k+1)."""
    model = parse_declarations(symmetric=["W:M:1/M"])
    M = model.random["W"].symbol.rows
    ground = Ground([M], model)
    sums = PairingSum(model, ground)
    for k in range(1, 8):
        value = sums.trace((Letter("W"),) * (2 * k), M).as_expr()
        assert value == M * math.comb(2 * k, k) / (k + 1)
        assert not sums.trace((Letter("W"),) * (2 * k - 1), M)


def test_narayana_polynomials():
    """Moments of XXᵀ: Σ_r binom(k,r) binom(k,r−1) c^{r−1}/k with c = M/T."""
    model = parse_declarations(["X:M,T:1/T"])
    M, T = model.random["X"].symbol.shape
    sums = PairingSum(model, Ground([M, T], model))
    pair = (Letter("X"), Letter("X", True))
    for k in range(1, 7):
        terms = (
            math.comb(k, r) * math.comb(k, r - 1) * (M / T) ** (r - 1) / sp.Integer(k)
            for r in range(1, k + 1)
        )
        assert sp.expand(sums.trace(pair * k, M).as_expr() / M - sp.Add(*terms)) == 0


def test_order_is_kept_in_deterministic_words():
    model = parse_declarations(deterministic=["A:M", "B:M"])
    M = model.fixed["A"].symbol.rows
    sums = PairingSum(model, ground := Ground([M], model))
    a, b = Letter("A"), Letter("B")
    abab, aabb = sums.trace((a, b, a, b), M), sums.trace((a, a, b, b), M)
    assert abab != aabb
    assert sums.trace((b, a, a, b), M) == aabb  # a rotation
    assert len(ground.traces) == 2


def test_series_arithmetic():
    ground = Ground([z], parse_declarations(["X:M,T"]))
    expander = Expander(ground, [z], {}, 6)
    series = expander(z / (1 + z)) * expander((1 + z) / z)
    assert series[0].as_expr() == 1 and all(not series[k] for k in range(1, series.cut + 1))
    with raises(ZeroDivisionError):
        Laurent(ground.field, {}, 3).inverse()
    with raises(IndexError):
        Laurent(ground.field, {}, 3)[4]


def test_what_cannot_be_expanded_is_said():
    model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
    with raises(OutsideTheoryError, match="spectral parameter"):
        derive("tr(inv(X*X.T + I))", model).prove_planar()
    with raises(OutsideTheoryError, match="multiple of the identity"):
        derive("tr(inv(X*X.T + z*I)*inv(L + 2*I))", model).prove_planar()
    with raises(InputError, match="order"):
        derive("tr(inv(X*X.T + z*I))", model).prove_planar(0)
