"""Fractions over ℤ, and over a field that a root of a polynomial extends."""

import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from solvable.analytic.algebra.rational import Field

x, y, u = sp.symbols("x y u")
SMALL = st.integers(-3, 3)
POINT = {x: sp.Rational(7, 5), y: sp.Rational(2, 3)}


def polynomials(degree):
    """Σ c xⁱ yʲ uᵏ with k ≤ degree and few terms."""
    term = st.tuples(SMALL, st.integers(0, 2), st.integers(0, 2), st.integers(0, degree))
    return st.lists(term, min_size=1, max_size=4).map(
        lambda terms: sum(c * x**i * y**j * u**k for c, i, j, k in terms)
    )


@st.composite
def relations(draw):
    """An irreducible polynomial of degree 2, 3 or 4 in u."""
    degree = draw(st.integers(2, 4))
    found = sum(draw(SMALL) * x ** draw(st.integers(0, 1)) * u**k for k in range(degree))
    found = sp.expand(found + draw(st.sampled_from([1, x, y + 1, x - y])) * u**degree + y)
    assume(sp.Poly(found, u, x, y).is_irreducible)
    return found


def extended(relation):
    field = Field([x, y, u])
    field.relate(u, field(relation).numer)
    return field


@settings(max_examples=60, deadline=None)
@given(relations(), polynomials(6), polynomials(6))
def test_a_root_obeys_its_equation(relation, first, second):
    field, degree = extended(relation), sp.degree(relation, u)
    top, bottom = field(first), field(second)
    assert not field(relation)
    assume(bottom)
    quotient = top / bottom
    assert quotient * bottom == top and quotient - top / bottom == field.zero
    assert quotient**2 * bottom == quotient * top
    assert quotient.denom.degree(2) == 0 and quotient.numer.degree(2) < degree
    roots = sp.Poly(relation.subs(POINT), u).nroots(n=50, maxsteps=500)
    for root in roots:
        above, below = (sp.N(e.subs(POINT).subs(u, root), 40) for e in (first, second))
        got = sp.N(quotient.as_expr().subs(POINT).subs(u, root), 40)
        assert abs(got * below - above) < 1e-25 * (1 + abs(above) + abs(got * below))


@pytest.mark.parametrize("relation", [u**2 - x, u**3 - x * u - y, u**4 + u - x * y])
def test_only_the_equation_that_was_given_vanishes(relation):
    field = extended(relation)
    assert not field(relation) and field(relation + 1) == field.one
    field.relate(u, None)
    assert field(relation) and field(relation).numer.degree(2) == sp.degree(relation, u)


def test_nothing_is_divided_by_what_vanishes():
    field = extended(u**2 - x * u + y)
    with pytest.raises(ZeroDivisionError, match="zero function"):
        field.one / field(u**3 - x * u**2 + y * u)
