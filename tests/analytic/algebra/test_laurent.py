"""Series in integer powers and their field, against sympy's own series."""

import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import mark, raises

from solvable.analytic.algebra import Field, Laurent, solve_linear, substitute_laurent
from solvable.analytic.errors import InputError

x, p, q = sp.symbols("x p q")
FIELD = Field([p, q])
POINT = {p: sp.Rational(7, 3), q: sp.Rational(-5, 11)}
coefficient = st.sampled_from([0, 1, -1, 2, p, -q, p / q, sp.Rational(2, 3), p + q])
series = st.builds(
    lambda first, rest, v: Laurent.of(FIELD, [first, *rest], v),
    st.sampled_from([1, -2, p, 1 / q, p - q]),
    st.lists(coefficient, min_size=1, max_size=4),
    st.integers(-2, 3),
)


def expression(f):
    return sp.Add(*(c.as_expr() * x**k for k, c in f.coefficients.items()))


def agrees(f, exact, cut=None):
    """Whether the known coefficients of ``f`` are those of a rational function of x, at `POINT`."""
    wrong = (exact - expression(f)).subs(POINT)
    above, below = sp.fraction(sp.cancel(sp.together(wrong)))
    order = min(m[0] for m in sp.Poly(above, x).monoms()) if above else sp.oo
    return order - min(m[0] for m in sp.Poly(below, x).monoms()) > (f.cut if cut is None else cut)


@settings(max_examples=30, deadline=None)
@given(series, series)
def test_arithmetic_is_that_of_the_functions(f, g):
    a, b = expression(f), expression(g)
    assert agrees((f + g).truncated((f + g).cut), sp.expand(a + b) + x ** ((f + g).cut + 1))
    assert agrees(f * g, sp.expand(a * b))
    assert agrees(f.inverse(), 1 / a)
    assert f * g == g * f and (f - f).valuation == f.cut + 1
    assert not agrees(f * g + 1, sp.expand(a * b)) or (f * g).cut < 0


@settings(max_examples=20, deadline=None)
@given(series, st.integers(-3, 4))
def test_powers_are_products(f, e):
    product = Laurent.of(FIELD, [1] + [0] * 20)
    for _ in range(abs(e)):
        product = product * (f if e > 0 else f.inverse())
    assert e == 0 or f.power(e) == product
    if f.cut > f.valuation + 1 and f[f.valuation + 1]:
        assert e == 0 or f.power(e) != product * (1 + Laurent.of(FIELD, [0, 1] + [0] * 20))


@settings(max_examples=20, deadline=None)
@given(st.lists(coefficient, min_size=1, max_size=4), st.sampled_from([1, -3, p, 1 / q]))
def test_reversion_undoes_composition(rest, first):
    f = Laurent.of(FIELD, [first, *rest], 1)
    identity = Laurent.of(FIELD, [1] + [0] * len(rest), 1)
    assert f.compose(f.revert()) == identity == f.revert().compose(f)
    if rest[0] != 0:
        assert f.compose(-f.revert()) != identity


@mark.parametrize("exponent", [sp.Rational(1, 2), p, -q])
def test_powers_that_are_no_integers(exponent):
    f = Laurent.of(FIELD, [1, p, q, -1])
    assert agrees(f.power(exponent), sp.series(expression(f) ** exponent, x, 0, 4).removeO())
    with raises(InputError, match="exponent"):
        (f * 2).power(exponent)
    with raises(InputError, match="integer leading power"):
        (f * Laurent.of(FIELD, [1, 0, 0, 0], 1)).power(exponent)


@given(st.lists(coefficient, max_size=4), st.integers(-3, 3))
def test_a_series_is_known_as_far_as_its_coefficients(coefficients, valuation):
    f = Laurent.of(FIELD, coefficients, valuation)
    assert f.cut == valuation + len(coefficients) - 1
    assert [f[valuation + k].as_expr() for k in range(len(coefficients))] == coefficients


def test_what_is_not_known_is_not_said():
    nothing = Laurent(FIELD, {}, 3)
    with raises(ZeroDivisionError):
        nothing.inverse()
    with raises(IndexError, match="not known"):
        nothing[4]
    assert nothing.power(2).cut == (nothing * nothing).cut == 7
    with raises(InputError, match="rational in"):
        FIELD(sp.sqrt(p))


def test_substitution_shares_the_rules_of_arithmetic():
    f, g = Laurent.of(FIELD, [1, p, q], -1), Laurent.of(FIELD, [2, 0, 1])
    y, w = sp.symbols("y w")
    formula = (y + p) * w / (q - y) + y**-2
    expected = (f + p) * g / (q - f) + f.power(-2)
    assert substitute_laurent(formula, {y: f, w: g}) == expected
    assert substitute_laurent(formula, {y: f, w: g + 1}) != expected


def test_linear_systems_of_fractions_and_of_series():
    rows = [[FIELD(e) for e in row] for row in ([0, p], [q, 1])]
    u, v = solve_linear(rows, [FIELD(p), FIELD(q + 1)])
    assert (u, v) == (FIELD.one, FIELD.one)
    f = Laurent.of(FIELD, [p, 1, q], 1)
    (ratio,) = solve_linear([[f]], [f * f], lambda s: s.valuation)
    assert agrees(ratio, expression(f))
    with raises(ZeroDivisionError):
        solve_linear([[rows[0][0]]], [FIELD.one])


def test_any_expression_can_stand_for_a_symbol():
    field = Field([1 / p, sp.Function("D")(q)])
    value = field(sp.Function("D")(q) ** 2 / p) / field(1 / p)
    assert value.as_expr() == sp.Function("D")(q) ** 2
    assert (field(1 / p) + field(sp.Function("D")(q))).factored() == 1 / p + sp.Function("D")(q)
