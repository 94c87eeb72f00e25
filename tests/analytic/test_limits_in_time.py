"""Limits of losses in training: the remainder falls as claimed, at random exponents."""

import math
import random
from fractions import Fraction as F

import mpmath
import pytest
import sympy as sp

from solvable.analytic.asymptotics.balance.exact_value import compare
from solvable.analytic.asymptotics.balance.limiting_form import limiting_form
from solvable.analytic.asymptotics.balance.regime_statement import parse_regime
from solvable.analytic.asymptotics.balance.slope_check import measured_slope, sizes_at
from solvable.analytic.asymptotics.balance.systems import TRAINING, training_problem
from solvable.analytic.asymptotics.balance.time_domain import PairTransform, pair_transform
from solvable.analytic.asymptotics.fan import regime_fan
from solvable.analytic.asymptotics.fan_allocation import allocate_on
from solvable.analytic.asymptotics.limits import limit
from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.notation import a, b, lambda_plus, t
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from tests.processor_time import Endless, bounded

STATEMENTS = {
    "flow-loss": (
        "1 << t << N, T = inf, M = inf", "1 << t << T, N = inf, M = inf",
        "1 << N, N^b << t, T = inf, M = inf", "1 << T, T^b << t, N = inf, M = inf",
        "1 << t, t^2 << T << N, M = inf", "1 << T, N = T, T^b << t, M = inf",
    ),
    "flow-train-loss": ("1 << t << T, N = inf, M = inf", "1 << T, N = T, T^b << t, M = inf"),
    "sgd-loss": ("1 << t, N = inf, M = inf", "1 << t << N, M = inf"),
}  # fmt: skip


def found(quantity, statement, point, terms=1, wrong=1, logarithms=(6, 7)):
    problem = training_problem(quantity)
    regime = parse_regime(statement, problem.sizes, point, keep=problem.size)
    form = limiting_form(problem, regime, point, terms)
    return form, measured_slope(problem, form, point, logarithms, wrong)


def drawn(rng):
    return {b: 1 + sp.Rational(rng.randint(2, 9), 8), a: 1 + sp.Rational(rng.randint(2, 27), 9)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_remainders_fall_as_claimed(seed):
    rng = random.Random(seed)
    quantity = TRAINING[seed % 3]
    statement = rng.choice(STATEMENTS[quantity])
    form, slope = found(quantity, statement, drawn(rng))
    assert slope.holds(0.1), (quantity, statement, form.terms[0].monomial, slope)


@pytest.mark.slow
def test_a_wrong_prefactor_is_noticed():
    point = {b: sp.Rational(3, 2), a: sp.Integer(2)}
    statement = "1 << t << N, T = inf, M = inf"
    assert found("flow-loss", statement, point, 2)[1].holds()
    assert not found("flow-loss", statement, point, 2, sp.Rational(9, 8))[1].holds()


def test_the_time_law_is_exact_up_to_less_than_any_power():
    form = limit("flow-loss", "1 << t, N = inf, T = inf, M = inf", exponent=1.5, target_exponent=2,
                 terms=3)  # fmt: skip
    assert len(form.terms) == 1 and form.remainder is None
    assert form.rest() == "smaller than any power of t"
    exact = dynamics(PowerLaw(exponent=1.5, target_exponent=2), math.inf, math.inf, 1e4).excess_loss
    assert float(form.partial_sums({b: 1.5, a: 2, t: 1e4})[0]) == pytest.approx(exact, rel=1e-9)


@pytest.mark.slow
def test_the_peak_grows_as_the_root_of_time():
    point = {b: sp.Rational(3, 2), a: sp.Integer(2)}
    form, slope = found("flow-loss", "1 << T, N = T, T^b << t, M = inf", point)
    assert form.terms[0].exponents[t] == sp.Rational(1, 2)
    assert slope.holds(0.05), slope


@pytest.mark.slow
@pytest.mark.parametrize("power", ["2", "3/2", "13/11"])
def test_limited_data_where_the_time_law_meets_its_correction(power):
    """a − 1 = 2b: 1/T stands beside t^{−2+1/b} log t; each term makes the error smaller."""
    power = sp.Rational(power)
    values = {"b": power, "a": 1 + 2 * power}
    form = limit("flow-loss", "1 << t << T, N = inf, M = inf", exponent=power,
                 target_exponent=values["a"], terms=2)  # fmt: skip
    assert form.terms[1].coefficient.has(sp.log(t)) and not form.expression.has(PairTransform)
    first, second = compare(form, {**values, "t": 1000, "T": 10**12}, 20).errors
    assert first > 1e-10 and second < 0.01 * first


@pytest.mark.parametrize("powers", [(-0.5, -0.5, -0.5), (0.3, -0.7, -1.2), (0, -0.4, 0.6)])
def test_pairs_of_powers_transform_as_their_double_integral(powers):
    """Bromwich contours of z^p z'^q (z^e)[z, z'], by Talbot's rule in both frequencies."""
    p, q, e = powers
    nodes = 48
    angle = [(-math.pi + (2 * k + 1) * math.pi / nodes) for k in range(nodes)]
    half = mpmath.mpf(1) / 2
    z = [nodes / half * mpmath.mpc(0.5017 * x * mpmath.cot(0.6407 * x) - 0.6122, 0.2645 * x)
         for x in angle]  # fmt: skip
    slope = [nodes / half * mpmath.mpc(
        0.5017 * mpmath.cot(0.6407 * x) - 0.5017 * 0.6407 * x / mpmath.sin(0.6407 * x) ** 2, 0.2645)
        for x in angle]  # fmt: skip
    weight = [mpmath.exp(x / 2) * s / (1j * nodes) for x, s in zip(z, slope)]
    total = mpmath.mpf(0)
    for x, u in zip(z, weight):
        for y, v in zip(z, weight):
            quotient = -e * x ** (e - 1) if x == y else (x**e - y**e) / (y - x)
            total += u * v * x**p * y**q * quotient
    assert complex(total).real == pytest.approx(float(pair_transform(p, q, e)), rel=1e-6)


@pytest.mark.parametrize(
    ("quantity", "exponents", "loss"),
    [("flow-loss", (1.25, 1.5), "2/9"), ("sgd-loss", (1.5, 4), "2/3"),
     pytest.param("flow-loss", (2, 4), "3/4", marks=pytest.mark.slow),
     pytest.param("sgd-loss", (1.5, 2.8), "9/14", marks=pytest.mark.slow)],
)  # fmt: skip
def test_phases_are_cells_of_a_fan(quantity, exponents, loss):
    fan = regime_fan(
        ("N", "t"), exponent=exponents[0], target_exponent=exponents[1], quantity=quantity
    )
    assert str(allocate_on(fan, {"N": 1, "t": 1}).loss) == loss


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("1 << t << M, M << N, eta = 1/10, B = 1", "above the critical one"),
        ("1 << N << M << t, eta = 1/10, B = 1", "above the critical one"),
        ("1 << N << M << t, eta ~ M^(b-1), B = 1", "bound it, as in"),  # stable below 2(1 − b)
        ("1 << M << t, M << N, eta ~ M^(b-1), B = 1, y_eta < 1/4", "falls faster than any"),
    ],
)
def test_steps_of_sgd_where_the_trace_diverges(statement, message):
    with pytest.raises((InputError, OutsideTheoryError), match=message):
        limit("sgd-loss", statement, exponent="4/5", target_exponent="7/5", terms=1)


def test_the_largest_steps_of_sgd_where_the_trace_diverges():
    """η = y M^{b−1}: the noise of the batches divides the loss by 1 − λ₊ y/(2B(1 − b))."""
    statement = "1 << N << M << t, eta ~ M^(b-1), B = 1, y_eta < 1/4"
    at = {"M": 10**6, "N": 1000, "t": 10**12, "eta": 0.002, "a": F(7, 5), "b": F(4, 5)}
    form = limit("sgd-loss", statement, at=at, terms=3)
    share = next(s for s in form.regime.values if s.name == "y_eta")
    lead = form.terms[0].expression
    divided = 1 - lambda_plus * share / (2 * (1 - b))
    assert sp.simplify(lead.subs(share, 0) / lead - divided) == 0
    found = compare(form, at, 8)
    assert found.errors[-1] < 0.01 < found.errors[-2]
    factor = divided.subs({lambda_plus: 1, share: 0.002 * 10**1.2, b: 0.8})
    assert abs(found.partial[-1] * factor / found.exact - 1) > 0.05


def statement_in_time(rng):
    """(quantity, statement, b, a): sizes in any order, times and steps, b < 1 in half of them."""
    quantity = rng.choice(["sgd-loss", "sgd-loss", "flow-loss", "flow-train-loss"])
    power = F(rng.randint(6, 9), 10) if rng.random() < 0.5 else F(rng.randint(11, 30), 10)
    sizes = ["M", "N"] + ["T"] * (quantity != "sgd-loss")
    rng.shuffle(sizes)
    small, late = sizes[0], rng.choice(["b", "2", "3"])
    if among := rng.random() < 0.6:
        sizes.insert(rng.randint(0, len(sizes)), "t")
    text = "1 << " + " << ".join(sizes) + ("" if among else f", {small}^{late} << t")
    if quantity == "sgd-loss":
        steps = ["eta -> 0, 1 << eta*t", "eta = 1/20", "eta ~ M^(b-1), y_eta < 1/20"]
        text += f", B = {rng.choice([1, 4])}, {rng.choice(steps[: 2 + (power < 1)])}"
    return quantity, text, power, 1 + F(rng.randint(1, 30), 10)


@pytest.mark.slow
def test_no_law_of_a_loss_is_negative():
    """At whatever order of sizes, and at any step: the leading term has the sign of a loss."""
    rng, found = random.Random("losses are positive"), 0
    for _ in range(20):
        quantity, text, power, target = statement_in_time(rng)
        try:
            with bounded(5):
                form = limit(quantity, text, exponent=power, target_exponent=target, terms=1)
        except (OutsideTheoryError, Endless):
            continue
        point = {b: sp.Rational(power), a: sp.Rational(target)}
        values = sizes_at(form.problem, form, point, mpmath.mpf(10) ** 9)
        law = PowerLaw(exponent=power, target_exponent=target, size=10**6)
        (lead,) = form.partial_sums(values, law)
        assert lead > 0, (quantity, text, power, target)
        found += 1
    assert found >= 4


def test_a_loss_below_every_power_is_said():
    with pytest.raises(OutsideTheoryError, match="faster than any"):
        limit("flow-loss", "1 << M, M << N, M << T, M^b << t", exponent=F(3, 2), terms=1)


def test_what_has_no_law_in_time_is_refused():
    with pytest.raises(InputError, match="a time that grows"):
        limit("flow-loss", "1 << N, t = inf, T = inf, M = inf", exponent=1.5)
    with pytest.raises(InputError, match="for the flow-loss"):
        regime_fan(("N", "z"), exponent=1.5, quantity="flow-loss")


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.35), (0.4, 0.7)])
def test_phases_below_a_summable_spectrum(alpha, beta):
    """Steps of 1/Tr λ, M/N fixed: the four terms of 2405.15074, in its α and β."""
    b_value, a_value = round(2 * alpha, 6), round(2 * alpha + 2 * beta, 6)
    fan = regime_fan(
        ("M", "t", "eta"), exponent=b_value, target_exponent=a_value, quantity="sgd-loss",
        where="N = M/2",
    )  # fmt: skip
    best = 0.0
    for share in (0.3, 0.45, 0.5, 0.55, 0.7):
        step = (b_value - 1) * share
        learnt = 1 - share + step
        terms = [
            b_value * share - max(0, 1 - 2 * beta) * share,
            (a_value - 1) / b_value * learnt,
            -step + (2 - 1 / b_value) * learnt if alpha > 0.25 else math.inf,
        ]
        if beta < 0.5:
            terms = terms[:2]
        direction = (share, 1 - share, step - 1e-9)
        falls = -sum(x * y for x, y in zip(fan.cell_at(direction).exponent(fan.point), direction))
        assert falls == pytest.approx(min(terms), abs=1e-6), share
        best = max(best, falls)
    assert float(allocate_on(fan, {"M": 1, "t": 1}).loss) >= best - 1e-9
