"""Allocations minimise what they say they minimise."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from solvable.analytic.asymptotics.allocation import (
    A,
    B,
    C,
    N_c,
    T_c,
    allocate,
    allocate_exactly,
    allocation_law,
    alpha_N,
    alpha_T,
    kaplan_form,
    kaplan_relation,
    law_error,
    p,
    q,
    r_N,
    r_t,
    ratio,
    reduced_optimal_loss,
    ridgeless_loss,
    stationarity,
    time_allocation,
)
from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import N, T, alpha, t
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import PowerLaw


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exponent", "powers", "ridge"),
    [
        (0.5, (1, 2), "optimal"),
        (2.0, (1, 2), "optimal"),
        (1.0, (1, 1), "optimal"),
        (0.5, (1, 2), "zero"),
        (1.0, (2, 1), "zero"),
    ],
)
def test_the_exact_loss_has_its_minimum_there(exponent, powers, ridge):
    mp.mp.dps = 20
    best = allocate(exponent, *powers, ridge)
    spectrum, budget = PowerLaw(alpha=exponent), 1e4 ** sum(powers)

    def loss(log_ratio):
        r = np.exp(log_ratio)
        n = (budget * r ** powers[1]) ** (1 / sum(powers))
        solve = optimal_ridge if ridge == "optimal" else static_loss
        return float(solve(spectrum, n, n / r).excess_loss)

    centre = float(mp.log(best.ratio))
    width = 1.0 if ridge == "optimal" else min(1.0, 0.9 * abs(centre))
    found = minimize_scalar(
        loss, bounds=(centre - width, centre + width), method="bounded", options={"xatol": 1e-5}
    )
    assert abs(found.x - centre) < 0.01, (np.exp(found.x), best.ratio)
    size, samples, value = best.at(budget)
    assert float(value) == pytest.approx(found.fun, rel=3e-3)
    assert float(size ** powers[0] * samples ** powers[1]) == pytest.approx(budget)


def test_residual_and_closed_forms():
    mp.mp.dps = 30
    for exponent, powers in ((0.3, (1, 1)), (0.7, (3, 1)), (4, (1, 5))):
        assert abs(allocate(exponent, *powers).condition) < mp.mpf(10) ** -25
    assert allocate(1, 2, 7).ratio == pytest.approx(3.5)
    assert allocate(0.5, 1, 2).ratio != pytest.approx(2, rel=0.1), "not the phenomenological q/p"
    closed = sp.solve(stationarity(ridgeless_loss("N")), ratio)
    assert sp.simplify(closed[0] - alpha * q / (p + q + alpha * q)) == 0


@settings(max_examples=8, deadline=None)
@given(st.floats(0.1, 5), st.floats(0.05, 20))
def test_duality_of_the_reduced_loss(exponent, r):
    face = sp.lambdify((ratio, alpha), reduced_optimal_loss(), "mpmath")
    mp.mp.dps = 20
    r, exponent = mp.mpf(r), mp.mpf(exponent)
    # L = N^-α G(N/T) = T^-α G(T/N)
    assert mp.almosteq(face(r, exponent), r**exponent * face(1 / r, exponent), 1e-12)


def test_kaplan_form_and_relation():
    first, second = kaplan_form().base.args
    balanced = sp.powdenest((first / second).subs(N, kaplan_relation()), force=True)
    assert sp.simplify(balanced) == 1
    assert sp.simplify(kaplan_relation() - N_c * (T / T_c) ** (alpha_T / alpha_N)) == 0
    assert sp.simplify(kaplan_relation() - N_c * (T / T_c) ** (alpha_N / alpha_T)) != 0


def test_law_error_values():
    value = sp.lambdify((ratio, alpha), law_error(), "mpmath")
    for r in (mp.mpf("0.01"), mp.mpf(1), mp.mpf(30)):
        assert value(r, mp.mpf(1)) == pytest.approx(1)
    assert value(mp.mpf(1), mp.mpf("0.5")) * 1.5 == pytest.approx(1.642, abs=5e-4)
    assert value(mp.mpf("1e-9"), mp.mpf("0.5")) == pytest.approx(1, rel=1e-6)


@settings(max_examples=8, deadline=None)
@given(
    st.floats(0.2, 5),
    st.floats(0.2, 5),
    st.floats(0.1, 2),
    st.floats(0.1, 2),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_time_allocation_is_the_minimum(a_value, b_value, time_exponent, size_exponent, pp, qq):
    budget = 1e5
    best = time_allocation().at(
        A=a_value, B=b_value, r_t=time_exponent, r_N=size_exponent, p=pp, q=qq, C=budget
    )
    size, moment, loss = (float(x) for x in (best.features, best.time, best.loss))
    assert size**pp * moment**qq == pytest.approx(budget)

    def along(n):
        return a_value * (budget / n**pp) ** (-time_exponent / qq) + b_value * n**-size_exponent

    assert along(size) == pytest.approx(loss)
    assert along(size) <= min(along(size * 1.01), along(size / 1.01))


def test_time_allocation_exponents_and_a_wrong_one():
    exponents = [e.subs({p: 1, q: 1}) for e in time_allocation().exponents()]
    expected = [r_t / (r_t + r_N), r_N / (r_t + r_N), -r_t * r_N / (r_t + r_N)]
    assert all(sp.simplify(x - y) == 0 for x, y in zip(exponents, expected, strict=True))
    assert sp.simplify(exponents[0] - expected[1]) != 0
    assert time_allocation().loss.free_symbols <= {A, B, C, p, q, r_t, r_N} and t not in (
        time_allocation().loss.free_symbols
    )


@settings(max_examples=3, deadline=None)
@given(
    st.floats(1.2, 2.5),
    st.floats(1.3, 4.5),
    st.sampled_from(["zero", "optimal", 0.3]),
    st.sampled_from([0.0, 0.05]),
    st.sampled_from([(1, 1), (1, 2), (2, 0.5)]),
    st.floats(1e3, 1e6),
)
def test_no_split_has_a_smaller_exact_loss(b_value, a_value, ridge, noise, powers, budget):
    spectrum = PowerLaw(exponent=b_value, target_exponent=a_value)
    best = allocate_exactly(spectrum, budget, *powers, ridge, noise)
    n = np.geomspace(1, budget ** (1 / powers[0]), 997)
    t = (budget / n ** powers[0]) ** (1 / powers[1])
    if ridge == "optimal":
        others = optimal_ridge(spectrum, n, t, noise=noise)
    else:
        others = static_loss(spectrum, n, t, ridge=0 if ridge == "zero" else ridge, noise=noise)
    lowest = np.min(others.excess_loss)
    assert best.excess_loss <= lowest * (1 + 1e-9) and best.excess_loss > lowest * 0.99
    assert best.features ** powers[0] * best.samples ** powers[1] == pytest.approx(budget)


@pytest.mark.parametrize(
    ("exponents", "ridge", "noise", "powers", "loss"),
    [
        ((2, None), "optimal", True, (1, 1), "1/3"),
        pytest.param((1.25, 1.5), "zero", True, (1, 2), "1/8", marks=pytest.mark.slow),
        pytest.param((1.5, 3.1), "optimal", True, (1, 1), "21/47", marks=pytest.mark.slow),
        pytest.param((1.5, 3.1), "zero", True, (1, 1), "3/7", marks=pytest.mark.slow),
        pytest.param((1.3, 4.1), "zero", False, (1, 1), "26/33", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_the_law_is_how_the_smallest_exact_loss_falls(exponents, ridge, noise, powers, loss):
    law = allocation_law(*exponents, *powers, ridge, noise)
    assert str(law.loss) == loss
    spectrum = PowerLaw(exponent=exponents[0], target_exponent=exponents[1])
    budgets = [10 ** (k * sum(powers)) for k in (9, 10)]
    low, high = (
        allocate_exactly(spectrum, c, *powers, ridge, 1.0 if noise else 0.0) for c in budgets
    )
    decades = np.log10(budgets[1] / budgets[0])
    for name, claimed in (
        ("excess_loss", -law.loss), ("features", law.shares[N]), ("samples", law.shares[T]),
    ):  # fmt: skip
        slope = np.log10(getattr(high, name) / getattr(low, name)) / decades
        assert slope == pytest.approx(float(claimed), abs=0.02), name


@pytest.mark.slow
def test_splits_that_the_law_does_not_tell_apart_are_said():
    with pytest.raises(OutsideTheoryError, match=r"alike, as C\^\(-1/2\), for N from"):
        allocation_law(1.5, 3.1, 2, 1)
    spectrum, at = PowerLaw(exponent=1.5, target_exponent=3.1), {}
    for share in (0.35, 0.37):
        pairs = ((c**share, c ** (1 - 2 * share)) for c in (1e33, 1e36))
        at[share] = [float(optimal_ridge(spectrum, *pair).excess_loss) for pair in pairs]
    for low, high in at.values():
        assert np.log10(high / low) / 3 == pytest.approx(-0.5, abs=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: allocate(-1), "alpha"),
        (lambda: allocate(1, 0), "features_power"),
        (lambda: allocate(1, 1, float("nan")), "samples_power"),
        (lambda: allocate(1, ridge="small"), "one of optimal, zero"),
        (lambda: allocate(1).at(-5), "budget"),
        (lambda: allocate_exactly(PowerLaw(alpha=1), 1), "above 1"),
        (lambda: allocate_exactly(PowerLaw(alpha=1), 1e12, 1, 1e-3), "at the powers 1 and 0.001"),
        (lambda: allocate_exactly(PowerLaw(alpha=1), 10, ridge=-1), "ridge"),
        (lambda: allocate_exactly(PowerLaw(alpha=1), 10, ridge="some"), "optimal, zero"),
        (lambda: time_allocation().at(D=1), "among"),
        (lambda: ridgeless_loss("M"), "one of N, T"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("noise", [False, True])
def test_the_law_splits_features_times_samples_unless_said_otherwise(noise):
    usual, said = allocation_law(2, noise=noise), allocation_law(2, None, 1, 1, noise=noise)
    assert usual == said and str(usual.loss) == ("1/3" if noise else "1/2")
    assert allocation_law(2, None, 2, noise=noise).shares != usual.shares


@pytest.mark.parametrize("ridge", ["zero", "optimal"])
@pytest.mark.parametrize("powers", [(1, 2), (3, 1)])
@pytest.mark.parametrize("exponent", [0.5, 2.0])
def test_the_loss_of_a_split_is_the_exact_one_and_the_lower_of_two_sides(exponent, powers, ridge):
    mp.mp.dps = 20
    best, spectrum = allocate(exponent, *powers, ridge), PowerLaw(alpha=exponent)
    solve = optimal_ridge if ridge == "optimal" else static_loss
    n, samples, value = map(float, best.at(1e5 ** sum(powers)))
    assert value == pytest.approx(float(solve(spectrum, n, samples).excess_loss), rel=1e-2)
    for r in np.geomspace(0.05, 20, 12):  # N/T elsewhere
        size = (1e5 ** sum(powers) * r ** powers[1]) ** (1 / sum(powers))
        assert float(solve(spectrum, size, size / r).excess_loss) > 0.98 * value


def test_one_parameter_costs_one_unless_said_otherwise():
    spectrum = PowerLaw(alpha=0.5)
    usual, said = allocate_exactly(spectrum, 1e4), allocate_exactly(spectrum, 1e4, 1, 1)
    assert usual == said and usual.features * usual.samples == pytest.approx(1e4)
