"""The algebra of generalised series: order tracking, powers, substitution, reversion, printing."""

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.asymptotics.expansion import (
    Expansion,
    Ordering,
    Validity,
    expand_power_sum,
    logarithm,
    substitute_series,
)
from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.notation import N, a, b
from solvable.analytic.power_sums import power_sum

x, y, p = sp.symbols("x y p", positive=True)
PLAIN = Ordering({p: sp.Rational(3, 2)})


def series(coefficients, order, point=0, variable=x):
    sign = 1 if point == 0 else -1
    return Expansion.build(
        variable, point, [(c, sign * i) for i, c in enumerate(coefficients)], order=sign * order
    )


def taylor(expression, order):
    return sp.series(expression, x, 0, order).removeO()


small = st.lists(st.integers(-3, 3), min_size=4, max_size=4)


@settings(max_examples=6, deadline=None)
@given(small, small)
def test_arithmetic_agrees_with_taylor(first, second):
    f, g = series([2, *first], 5), series([3, *second], 5)
    f_x, g_x = f.expression, g.expression
    for ours, theirs in [
        (f + g, f_x + g_x),
        (f * g, f_x * g_x),
        (f - 2 * g, f_x - 2 * g_x),
        (f / g, f_x / g_x),
        (f ** sp.Rational(-1, 2), f_x ** sp.Rational(-1, 2)),
        (1 / g, 1 / g_x),
        (f**3, f_x**3),
    ]:
        assert sp.expand(ours.expression - taylor(theirs, 5)) == 0
        assert ours.remainder.power == 5
    assert sp.expand((f * g).expression - taylor(f_x * g_x, 5) + x**4) != 0


@settings(max_examples=10, deadline=None)
@given(small)
def test_reversion_undoes_itself(tail):
    f = Expansion.build(x, 0, [(2, 1)] + [(c, i + 2) for i, c in enumerate(tail)], order=6)
    inverse = f.revert(y)
    assert inverse.remainder.power == 6
    identity = f.compose(inverse)
    assert identity.expression == y and identity.remainder.power == 6
    wrong = inverse + replace(inverse, terms=()).monomial(1, 3)
    assert f.compose(wrong).expression != y


def test_reversion_with_symbolic_exponents_and_logarithms():
    f = Expansion.build(
        x, 0, [(1, p), (1, 2 * p, 1), (3, 3 * p)], order=4 * p, order_log=2, ordering=PLAIN
    )
    inverse = f.revert(y)
    identity = f.compose(inverse)
    assert sp.expand(identity.expression - y) == 0
    assert identity.remainder.power == 4 and len(inverse.terms) >= 3


def test_remainders_of_products_and_cancellation():
    f = Expansion.build(x, 0, [(1, -1), (1, 0)], order=1)
    g = Expansion.build(x, 0, [(1, 2)], order=3)
    assert (f * g).remainder.power == 2  # x^{-1} O(x³) against O(x) x²: the larger
    assert (f - f).terms == () and (f - f).remainder.power == 1
    assert f.constant(0).terms == () and (f * 0).terms == ()


def test_expansions_at_infinity():
    f = series([1, 2, 3], 3, sp.oo)
    assert (f * f).expression == 1 + 4 / x + 10 / x**2
    assert f.truncate(-1).expression == 1
    assert f.scale_variable(2, -1).point == 0


def test_logarithm_and_derivative():
    f = Expansion.build(x, 0, [(p, p), (1, p + 1), (1, p + 2)], order=p + 3, ordering=PLAIN)
    difference = logarithm(f).expression - (
        sp.log(p) + p * sp.log(x) + x / p + x**2 / p - x**2 / (2 * p**2)
    )
    assert sp.expand(difference) == 0
    g = Expansion.build(x, 0, [(2, p, 1)], order=3, ordering=PLAIN)
    assert sp.expand(g.derivative().expression - sp.diff(g.expression, x)) == 0


def test_the_order_of_terms_is_a_statement_about_the_parameters():
    terms = [(1, a - 1), (1, 2 * b)]
    proved = Expansion.build(x, 0, terms, ordering=Ordering({a: 2, b: 2}, {a: (1, 3), b: (1, 4)}))
    assert proved.lead.power == a - 1 and proved.conditions == ()
    chosen = Expansion.build(x, 0, terms, ordering=Ordering({a: 2, b: 2}))
    assert chosen.conditions == (sp.StrictLessThan(a, 2 * b + 1),)
    other = Expansion.build(x, 0, terms, ordering=Ordering({a: 8, b: 2}))
    assert other.lead.power == 2 * b and other.conditions == (sp.StrictLessThan(2 * b + 1, a),)
    with pytest.raises(InputError, match="no value for"):
        Expansion.build(x, 0, terms)


def test_kappa_of_features_is_reverted_with_the_right_rate():
    """κ(N) from D₁(κ) = N: every kept term improves at the rate of the next."""
    mp.mp.dps = 100
    c = sp.Symbol("c", positive=True)
    D1 = expand_power_sum(
        0, b, 1, "kappa->0", 3, ordering=Ordering({b: sp.Rational(7, 4)}, {b: (1, sp.oo)})
    )
    named = replace(
        D1,
        terms=(replace(D1.terms[0], coefficient=c), *D1.terms[1:]),
        definitions={c: D1.terms[0].coefficient},
    )
    kappa = named.revert(N)
    assert kappa.terms[0].expression(N) == c**b * N**-b
    assert sp.simplify(kappa.terms[1].coefficient + b * c**b / 2) == 0
    points, errors = [mp.mpf(10) ** 16, mp.mpf(10) ** 17], {}
    for features in points:
        guess = kappa(features)
        exact = mp.findroot(
            lambda k, n=features: power_sum(0, mp.mpf("1.75"), 1, k) / n - 1,
            (guess, guess * (1 + mp.mpf(10) ** -20)),
            tol=mp.mpf(10) ** -180,
        )
        for k in range(1, len(kappa.terms)):
            errors.setdefault(k, []).append(exact - kappa.keep(k)(features))
    for k, pair in errors.items():
        slope = mp.log(abs(pair[1] / pair[0])) / mp.log(points[1] / points[0])
        predicted = kappa.ordering.value(kappa.terms[k].power)
        assert abs(slope - predicted) < 0.02, f"after {k} terms {slope} against {predicted}"


def test_substitution_into_a_formula():
    u, v = sp.symbols("u v")
    f = series([0, 1], 5)
    result = substitute_series((v + u) / (1 - u) ** 2, {u: f})
    assert sp.expand(result.expression - taylor((v + x) / (1 - x) ** 2, 5)) == 0
    with pytest.raises(InputError, match="sums, products and powers"):
        substitute_series(sp.sin(u), {u: f})


def test_three_faces_agree():
    f = Expansion.build(x, 0, [(p, -p), (sp.gamma(p), 0, 1), (sp.pi, 1)], order=2, ordering=PLAIN)
    mp.mp.dps = 30
    exact = f(mp.mpf("0.125"))
    assert (
        abs(sp.N(f(sp.Rational(1, 8)).subs(p, sp.Rational(3, 2)), 30) - sp.Float(str(exact), 30))
        < 1e-27
    )
    array = f(np.array([0.125, 0.25]))
    assert array.shape == (2,) and array[0] == pytest.approx(float(exact), rel=1e-14)
    assert f(0.125) == pytest.approx(float(exact), rel=1e-14)
    assert f(mp.mpf("0.125"), p=2) != exact


def test_latex_and_text():
    f = Expansion.build(
        x, sp.oo, [(p, -p), (-sp.Rational(1, 2), -p - 1, 2)], order=-p - 2, ordering=PLAIN
    )
    assert f.latex() == (
        r"p\,x^{- p} - \frac{1}{2}\,x^{- p - 1}\,\log^{2} x"
        r" + O\!\left(x^{- p - 2}\right)"
    )
    assert str(f) == "p*x**(-p) - 1/2*x**(-p - 1)*log(x)**2 + O(x**(-p - 2))"
    assert f._repr_latex_().startswith("$")
    assert r"\left[1 - " in f.latex(factored=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Expansion.build(x, 1, [(1, 0)]), "from above"),
        (lambda: Expansion.build(x, 0, [(x, 0)]), "free of x"),
        (lambda: series([1, 1], 2) + series([1, 1], 2, sp.oo), "series in"),
        (lambda: series([1, 1], 2).keep(7), "from 0 to 2"),
        (lambda: Expansion.build(x, 0, [(1, 0), (1, 1)]) ** p, "truncate"),
        (lambda: series([1, 1], 3).revert(y), "subtract"),
        (lambda: series([1, 1], 3).compose(series([1, 1], 3, variable=y)), "tends to"),
        (lambda: series([1, 1], 3) ** x, "free of x"),
        (lambda: series([p, 1], 3)(mp.mpf("0.1")), "no value for p"),
        (lambda: series([p, 1], 3)(mp.mpf("0.1"), q=3), "among"),
        (
            lambda: replace(series([1, 1], 3), validity=Validity(high=sp.S(1), otherwise="use g"))(
                2.0
            ),
            "use g",
        ),
        (lambda: Ordering({p: 1}).merge(Ordering({p: 2})), "the same value"),
        (lambda: Ordering({p: 3}, {p: (1, 2)}), "a value in"),
        (lambda: Ordering({p: "word"}), "a real number"),
        (lambda: series([1], 1).best(0.1), "three terms"),
        (lambda: series([1, 1, 1], 3).scale_variable(1, 0), "other than 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_powers_of_a_leading_logarithm_are_refused():
    f = Expansion.build(x, 0, [(1, 0, 1), (1, 0)], order=1)
    with pytest.raises(OutsideTheoryError, match="log log"):
        f**-1
    assert (f**2).terms[0].log == 2
