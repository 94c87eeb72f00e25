"""Exact means: against enumeration, known Wishart moments, draws, and the planar limit."""

import math
from itertools import product

import numpy as np
import sympy as sp
from pytest import mark, raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.free_probability.finite_size import (
    evaluated,
    exact_covariance,
    exact_mean,
    resolvent_means,
)
from solvable.analytic.free_probability.weingarten import (
    inverse_wishart_weights,
    loop_type,
    pairings,
    weingarten,
)
from solvable.analytic.notation import M, T, z

REAL = parse_declarations(
    ["X:M,T:1/T", "Y:M,T:1/T", "S:M,M"], symmetric=["W:M"], deterministic=["L:M", "G:M"]
)
COMPLEX = parse_declarations(
    complex_gaussian=["X:M,T:1/T"], hermitian=["W:M"], deterministic=["L:M", "G:M"]
)


def double_factorial_moment(count):
    return math.prod(range(1, count, 2)) if count % 2 == 0 else 0


def enumerated(word, size):
    """E tr of a word in a square Gaussian S or a symmetric W, entry by entry."""
    total = 0
    for indices in product(range(size), repeat=len(word)):
        powers = {}
        for k, letter in enumerate(word):
            i, j = indices[k], indices[(k + 1) % len(word)]
            if letter == "t":
                i, j = j, i
            if letter == "W":
                i, j = min(i, j), max(i, j)
            powers[letter == "W", i, j] = powers.get((letter == "W", i, j), 0) + 1
        weight = 1
        for (symmetric, i, j), power in powers.items():
            scale = 2 ** (power // 2) if symmetric and i == j else 1
            weight *= scale * double_factorial_moment(power)
        total += weight
    return sp.Rational(total, size)


@mark.parametrize(
    ("text", "word"),
    [
        ("tr(S*S.T*S*S.T)", "StSt"),
        ("tr(S*S*S.T*S.T)", "SStt"),
        ("tr(S*S*S*S)", "SSSS"),
        ("tr(S*S*S.T*S*S*S.T)", "SStSSt"),
        ("tr(W^4)", "WWWW"),
        ("tr(W^6)", "WWWWWW"),
        ("tr(S*W*S.T*W)", "SWtW"),
        ("tr(S*W*S*W)", "SWSW"),
    ],
)
def test_means_are_the_sums_over_entries(text, word):
    value = exact_mean(text, REAL).value
    for size in (1, 2, 3):
        assert value.subs(M, size) == enumerated(word, size), size


def test_known_moments_of_wishart_matrices():
    """Letac and Massam; E tr W³ of the Gaussian unitary ensemble is Harer and Zagier's."""
    third = exact_mean("tr((X*X.T)^3)", REAL).value
    assert sp.expand(third * T**2 - (M**2 + 3 * M * T + 3 * M + T**2 + 3 * T + 4)) == 0
    third = exact_mean("tr((X*X.H)^3)", COMPLEX).value
    assert sp.expand(third * T**2 - (M**2 + 3 * M * T + T**2 + 1)) == 0
    values = [exact_mean(f"tr(W^{2 * k})", COMPLEX).value for k in range(1, 6)]
    assert values[:2] == [M, sp.factor(2 * M**2 + 1)]
    c = [1, M]  # Harer–Zagier: (k+2) c_{k+1} = (4k+2) M c_k + k(4k²−1) c_{k−1}
    for k in range(1, 5):
        c.append(sp.expand(((4 * k + 2) * M * c[k] + k * (4 * k**2 - 1) * c[k - 1]) / (k + 2)))
    assert [sp.expand(v) for v in values] == c[1:]


def test_inverse_wishart_means():
    """Means and second moments of von Rosen (1988), and of the complex case."""
    inverse = "inv(sqrt(L)*X*X.T*sqrt(L))"
    first = exact_mean(f"Tr({inverse})", REAL)
    number = evaluated(first, {"T": 9}, {"L": [1, 2, 4], "G": [1, 1, 1]})
    assert abs(number - sp.Rational(9 * 7, 4 * (9 - 3 - 1))) < 1e-12
    second = exact_mean("tr(inv(X*X.T)^2)", REAL).value / T**2
    right = (T - 1) / ((T - M) * (T - M - 1) * (T - M - 3))
    assert sp.simplify(second - right) == 0
    square = exact_mean("tr(inv(X*X.H)^2)", COMPLEX).value
    assert sp.simplify(square - T**3 / ((T - M) * ((T - M) ** 2 - 1))) == 0
    third = exact_mean("Tr(inv(X*X.T))^3", REAL).value.subs({M: 1, T: 12})
    assert third == sp.Rational(12**3, 10 * 8 * 6)  # an inverse χ² variable


def test_an_f_matrix():
    value = exact_mean("tr(X*X.T*inv(Y*Y.T))", REAL).value
    assert sp.simplify(value - T / (T - M - 1)) == 0


@mark.parametrize("unitary", [False, True])
def test_weingarten_functions_invert_the_gram_matrix(unitary):
    n = sp.Symbol("n")
    for count in (2, 3):
        table = weingarten(count, unitary)
        every = [
            p
            for p in pairings(tuple(range(2 * count)))
            if not unitary or all((a - b) % 2 for a, b in p)
        ]
        for right in every:
            total = sum(
                n ** len(loop_type(every[0], p)) * table[loop_type(p, right)] for p in every
            )
            assert sp.simplify(total - int(right == every[0])) == 0
    wrong = weingarten(2, unitary)[2,] * 2
    assert wrong != weingarten(2, unitary)[2,]
    with raises(InputError, match="pairs"):
        weingarten(9)


def test_weights_of_the_inverse_wishart_matrix_of_one_row():
    m, t = sp.symbols("m t")
    for count in (1, 2, 3, 4):
        every = pairings(tuple(range(2 * count)))
        base = tuple((2 * i, 2 * i + 1) for i in range(count))
        table = inverse_wishart_weights(count)
        total = sum(table[loop_type(base, p)] for p in every).subs(m, 1)
        assert sp.simplify(total * sp.prod(t - 2 * k for k in range(1, count + 1)) - 1) == 0


CASES = [
    (REAL, "Tr(W*L)*Tr(W*G*W*W)"),
    (REAL, "tr(sqrt(L)*S*G*S.T*G*S*S*sqrt(L))"),
    (REAL, "Tr(G*inv(Y*Y.T))*Tr(inv(Y*Y.T)*L*inv(Y*Y.T)*X*X.T)"),
    (COMPLEX, "tr(W*G*W*L*W*W)"),
    (COMPLEX, "tr(inv(sqrt(L)*X*X.H*sqrt(L))*G*inv(sqrt(L)*X*X.H*sqrt(L)))"),
]


@mark.slow
@mark.parametrize(("model", "text"), CASES)
def test_means_against_draws(model, text):
    from solvable.analytic.free_probability.expression import evaluate
    from solvable.analytic.free_probability.text import parse_expression
    from solvable.validation.matrix_expressions import draw_matrices

    rng = np.random.default_rng(5)
    fixed = {n: (a := rng.standard_normal((3, 3))) @ a.T / 3 + np.eye(3) for n in "LG"}
    sizes = {M: 3, T: 20}
    right = complex(sp.N(evaluated(exact_mean(text, model), {"M": 3, "T": 20}, fixed)))
    parsed = parse_expression(text, model)
    drawn = np.array(
        [
            evaluate(parsed, {**draw_matrices(model, sizes, {}, rng), **fixed}, sizes)
            for _ in range(2500)
        ]
    )
    error = drawn.real.std() / 50
    assert abs(drawn.mean() - right) < 4.5 * error, (drawn.mean(), right, error)
    assert error < 0.1 * abs(right) or "W*L" in text


def test_the_leading_term_is_planar_and_the_next_is_the_bias():
    text = "tr(inv(sqrt(L)*X*X.T*sqrt(L) + z*I)*G)"
    model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M", "G:M"])
    planar = derive(text, model).prove_planar(4)
    means = resolvent_means(text, model, 4)
    for order, value in zip(planar.orders, planar.pairings, strict=True):
        expansion = means[order].expansion(2)
        assert expansion.power == 0
        assert sp.simplify(expansion.coefficients[0] - value) == 0
        assert sp.simplify(expansion.coefficients[0] * 2 - value) != 0
    # each twist of X X costs one power of the size: the third moment has one twist
    first = exact_mean("tr((X*X.T)^2)", REAL).expansion(2)
    assert first.coefficients[1] == 1 / T
    assert sp.simplify(first.bias - 1 / (M + T)) == 0
    complex_bias = exact_mean("tr((X*X.H)^3)", COMPLEX).expansion(3)
    assert complex_bias.coefficients[1] == 0 and complex_bias.coefficients[2] == 1 / T**2


def test_covariances():
    linear = exact_covariance("Tr(X*X.T)", "Tr(X*X.T)", REAL).value
    assert sp.simplify(linear - 2 * M / T) == 0
    linear = exact_covariance("Tr(X*X.H)", "Tr(X*X.H)", COMPLEX).value
    assert sp.simplify(linear - M / T) == 0
    quartic = exact_covariance("Tr(W*W)", "Tr(W*W)", REAL).expansion(1)
    assert quartic.power == 2  # unit variances: 4 (1 + 1/M) M²


def test_what_is_refused():
    with raises(OutsideTheoryError, match="resolvent_means"):
        exact_mean("tr(inv(X*X.T + z*I))", REAL)
    with raises(OutsideTheoryError, match="inside an inverse and outside"):
        exact_mean("tr(inv(X*X.T)*G*X*X.T)", REAL)
    with raises(InputError, match="polynomial"):
        exact_mean(sp.exp(sp.Trace(sp.MatrixSymbol("W", M, M))), REAL)
    with raises(InputError, match="adjoint"):
        exact_mean("tr(X*X.T)", COMPLEX)
    with raises(InputError, match="factors"):
        exact_mean("tr(W^9*W^9)", REAL)
    assert exact_mean("tr(W^3)", REAL).value == 0
    assert z not in exact_mean("tr(W^2)", REAL).value.free_symbols


def test_complex_equations_are_those_of_real_matrices():
    """The limit does not know the field; the pencil and the draws do."""
    real = derive("tr(inv(X*X.T + z*I))", parse_declarations(["X:M,T:1/T"]))
    hermitian = derive(
        "tr(inv(X*X.H + z*I))", model := parse_declarations(complex_gaussian=["X:M,T:1/T"])
    )
    assert hermitian.relations == real.relations and hermitian.prove_planar(4).holds
    assert hermitian.pencil.check() < 1e-9
    assert model.random["X"].complex_entries
