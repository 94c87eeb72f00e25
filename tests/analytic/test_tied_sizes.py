"""Sizes tied to one another by powers with fixed numbers, where the law is that of a border."""

from fractions import Fraction as F

import pytest
import sympy as sp

from solvable.analytic.asymptotics.balance.slope_check import measured_slope
from solvable.analytic.asymptotics.limits import limit
from solvable.analytic.errors import InputError
from solvable.analytic.notation import a, b

POINT = {b: sp.Rational(3, 2), a: sp.Integer(2)}
TIED = [  # at b = 3/2 the ridge is of the size of the last eigenvalue, or of κ₀
    "M ~ N, z ~ N^(-3/2), N << T",
    "N/T = r, z ~ T^(-3/2), M = inf",
    "M ~ N^(3/2), z ~ M^-1, T ~ N",
    "M ~ T^(1/2), z ~ T^(-3/4), N ~ T",
    "T/M = s, z ~ T^(-3/2), N = inf",
    "M = 2*N, z = N^(-3/2), N << T",
    "M = 5*T^(1/2), z ~ T^(-3/4), N ~ T",
    "1 << M << N << T, z ~ 3*M^-b",
]
QUICK = [("loss", TIED[0]), ("noise", TIED[7]), ("kappa", TIED[1]), ("kappa", TIED[5])]


def cases():
    found = []
    for quantity in ("loss", "kappa", "noise"):
        for statement in TIED:
            marks = () if (quantity, statement) in QUICK else pytest.mark.slow
            found.append(pytest.param(quantity, statement, marks=marks))
    return found


@pytest.mark.parametrize(("quantity", "statement"), cases())
def test_fractional_powers_of_fixed_numbers(quantity, statement):
    form = limit(quantity, statement, exponent=F(3, 2), target_exponent=2, terms=2)
    assert measured_slope(form.problem, form, POINT).holds(), form
    assert not measured_slope(form.problem, form, POINT, wrong=sp.Rational(9, 8)).holds()
    assert "root" not in f"{form} {form.latex()} {form.where} {form.conditions}"


def test_a_sum_keeps_its_signs_in_print():
    form = limit("loss", TIED[7], exponent=F(3, 2), target_exponent=2, terms=1)
    assert str(form).startswith(str(form.terms[0].expression))  # which holds λ₊ − y_z Φ


def test_exponents_among_the_sizes_are_those_of_the_law():
    statement, sizes = "1 << N << T, M = inf, z = 0", {"N": 1e3, "T": 1e9}
    by_name = limit("loss", statement, exponent=2, target_exponent=4, at=sizes)
    among = limit("loss", statement, at={**sizes, "b": 2, "a": 4})
    assert among.terms == by_name.terms
    with pytest.raises(InputError, match="target_exponent = 3"):
        limit("loss", statement, target_exponent=3, at={"a": 4})
