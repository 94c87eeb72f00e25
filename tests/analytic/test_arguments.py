"""Numbers of every type as the fraction that is meant."""

from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import solvable as sv
from solvable.analytic.arguments import fraction
from solvable.analytic.asymptotics.expansion import exact_number
from solvable.analytic.errors import InputError
from solvable.analytic.notation import kappa

TYPES = (float, np.float64, mpmath.mpf, sp.Float, str, Decimal, Fraction, sp.Rational)
decimals = st.decimals(-1000, 1000, places=6).map(lambda x: x.normalize())


@given(decimals)
def test_a_short_decimal_is_itself_in_every_type(x):
    meant = sp.Rational(str(x))
    for kind in TYPES:
        assert fraction("x", kind(str(x))) == exact_number(kind(str(x))) == meant, kind


@given(st.integers(1, 10**60), st.integers(-40, 40), st.integers(20, 60))
def test_every_bit_of_a_multiprecision_number_counts(mantissa, power, digits):
    with mpmath.workdps(digits):
        x = mpmath.mpf(mantissa) * mpmath.mpf(10) ** power
        found = fraction("x", x)
    with mpmath.workprec(1000):
        precise = mpmath.mpf(found.p) / found.q
    with mpmath.workprec(max(53, x._mpf_[3])):
        assert +precise == x
    assert fraction("x", x) == found  # whatever the precision around it


@given(st.sampled_from([np.int8, np.uint16, np.int64, np.float16, np.float32]), st.integers(0, 100))
def test_short_types_of_numpy(kind, value):
    assert fraction("x", kind(value)) == value
    assert fraction("x", np.float32(value / 10)) == sp.Rational(value, 10)


@pytest.mark.parametrize(
    "value", [None, True, np.True_, 1j, [1], np.ones(2), float("nan"), mpmath.inf, "0.1+1", "", {}]
)
def test_what_is_no_number(value):
    with pytest.raises(InputError, match=r"^alpha = .* is not allowed"):
        fraction("alpha", value)


@pytest.mark.slow
def test_limits_take_every_type():
    regime = "1 << N << T << M, z = 0"
    kinds = (np.float64, mpmath.mpf, Decimal)
    forms = {str(sv.limit("loss", regime, alpha=kind("0.5"), terms=1)) for kind in kinds}
    assert forms == {str(sv.limit("static-loss", regime, exponent=sp.Rational(3, 2), terms=1))}


def test_a_row_of_the_table_by_name():
    name, regime = "ridge-bias", "1 << T << M, z = 0"
    from solvable.analytic.free_probability.models import EXPRESSIONS

    derived = sv.limit(EXPRESSIONS[name].derive(), regime, terms=1)
    assert str(sv.limit(name, regime, terms=1)) == str(derived)


@pytest.mark.parametrize("made", [
    sv.excess_loss_formula, sv.isotropic_loss_formula, sv.to_latex,
    lambda text: sv.with_spectrum(text, sv.Flat(6)), lambda text: sv.TargetSum(1, text),
    lambda text: sv.DegreesOfFreedom(text, kappa), lambda text: sv.RenormalisedRidge(1, 2, text),
    lambda text: sv.Formula("half", {"x": kappa}, text),
])  # fmt: skip
@pytest.mark.parametrize("text", ["[].append(1)", "kappa", "", "1 +"])
def test_no_text_is_evaluated(made, text):
    with pytest.raises(InputError, match="of sympy"):
        made(text)


@pytest.mark.parametrize("size", ["1e400", "1e5000"])
def test_numbers_beyond_float64(size):
    z = mpmath.mpf(size)
    assert abs(sv.solve(sv.Flat(10), 5, 7, z).value / z - 1) < 1e-14  # all modes are lost
    with pytest.raises(InputError, match=r"^noise = .* float64"):
        sv.optimal_ridge(sv.Flat(50), 100, 40, noise=z)


def test_a_kernel_and_its_ridge_are_of_one_size():
    for scale, ridge in ((1, 1e-80), (1, 1e80), (1e100, 1e100)):
        with pytest.raises(InputError, match=r"^(ridge|kernel) = "):
            sv.predict(scale * np.eye(40), np.ones(40), [20], ridge)
    with pytest.raises(sv.PrecisionError, match="lost to rounding"):
        sv.predict(np.eye(40), np.ones(40), [20], 1e-16, features=30)
