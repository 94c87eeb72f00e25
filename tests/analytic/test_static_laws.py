"""Exponents come out of the poles, and the exact loss has them."""

from fractions import Fraction as F

import mpmath as mp
import pytest
import sympy as sp

from solvable.analytic.asymptotics.limits import Setting
from solvable.analytic.asymptotics.static_laws import bottleneck_law, degrees_share, four_regimes
from solvable.analytic.errors import InputError
from solvable.analytic.notation import N, T, a, b
from solvable.analytic.spectrum import PowerLaw

TASKS = [("1.5", "1.25"), ("3.6", "1.2"), ("2.6", "1.8"), ("5", "1.5"), ("1.2", "1.1")]


def exact_slope(resource, a_value, b_value):
    """d ln L/d ln n of the exact loss between n = 10²⁰ and 10²¹."""
    mp.mp.dps = 60
    spectrum = PowerLaw(exponent=F(b_value), target_exponent=F(a_value))
    losses = []
    for n in (mp.mpf(10) ** 20, mp.mpf(10) ** 21):
        sizes = (n, mp.inf) if resource == "features" else (mp.inf, n)
        losses.append(Setting(spectrum, *sizes).exact().excess_loss)
    return mp.log10(losses[1] / losses[0])


@pytest.mark.parametrize("resource", ["features", "data"])
@pytest.mark.parametrize(
    "task", [*TASKS[:2], *(pytest.param(t, marks=pytest.mark.slow) for t in TASKS[2:])]
)
def test_the_winning_pole_is_the_slope_of_the_exact_loss(resource, task):
    law = bottleneck_law(resource, task[1], task[0], 1)
    point = {a: sp.Rational(task[0]), b: sp.Rational(task[1])}
    claimed, slope = law.general.subs(point), exact_slope(resource, *task)
    assert claimed == law.exponent.subs(point)
    if resource == "features" and task == ("3.6", "1.2"):
        assert claimed != sp.Min(a - 1, 2 * b).subs(point), "the printed exponent is another one"
    assert abs(slope + claimed) < 0.02, f"{resource} {task}: slope {slope}, poles {claimed}"


def test_exponents_are_found():
    assert bottleneck_law("features", 1.25, 1.5, 1).general == sp.Min(a - 1, b)
    assert bottleneck_law("data", 1.25, 1.5, 1).general == sp.Min(a - 1, 2 * b)
    assert bottleneck_law("data", 1.25, 1.5, 1).crossover == sp.Eq(a - 1, 2 * b)
    assert [bottleneck_law("features", "1.25", x, 1).log for x in ("2.24", "2.25")] == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("resource", "a_value"), [("features", "2.25"), ("data", "3.5")])
def test_crossover_logarithm(resource, a_value):
    law = bottleneck_law(resource, "1.25", a_value, 2)
    assert law.log == 1 and law.competitors[0].family == "Gamma+Zeta"
    assert "logarithm" in law.competitors[0].origin
    mp.mp.dps = 60
    n = mp.mpf(10) ** 25
    spectrum = PowerLaw(exponent=F(5, 4), target_exponent=F(a_value))
    sizes = (n, mp.inf) if resource == "features" else (mp.inf, n)
    exact = Setting(spectrum, *sizes).exact().excess_loss
    value = law.loss(n, **{"lambda_+": 1, "sigma_w": 1})
    assert abs(value / exact - 1) < 1e-20, value / exact - 1
    without_log = law.loss.resolved().terms[1]
    lame = sp.N(
        without_log.coefficient.subs({a: sp.Rational(a_value), b: sp.Rational(5, 4)}).subs(
            dict.fromkeys(without_log.coefficient.free_symbols, 1)
        )
    )
    assert (
        abs(lame * n ** (-sp.Rational(law.exponent.subs(b, sp.Rational(5, 4)))) / exact - 1) > 0.1
    )


def test_four_regimes():
    resolution_n, variance_t, resolution_t, variance_n = four_regimes(1.5)
    assert (resolution_n.resource, resolution_t.resource) == (N, T)
    assert resolution_n.exponent == resolution_t.exponent == b - 1
    assert variance_n.exponent == variance_t.exponent == 1
    assert {r.limited_by for r in four_regimes(1.25, 3.5)} == {"resolution", "variance"}


def test_share_of_second_degrees_of_freedom():
    assert degrees_share() == (b - 1) / b and degrees_share() != b / (b + 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bottleneck_law("time", 1.5, 2), "one of features, data"),
        (lambda: bottleneck_law("data", 0.5, 2), "> 1"),
        (lambda: bottleneck_law("data", 1.5, 1), "> 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
