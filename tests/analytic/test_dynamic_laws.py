"""Laws of the dynamics: exponents of the exact curves, prefactors, the compute-optimal frontier."""

import math
import random
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from solvable.analytic.asymptotics.dynamic_laws import (
    bottleneck_laws,
    compute_frontier,
    compute_optimal,
    data_law,
    feature_law,
    time_law,
)
from solvable.analytic.asymptotics.expansion import exact_number
from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import (
    GradientDescent,
    HeavyBall,
    MinibatchSGD,
    OnePassSGD,
    RidgeRegression,
)
from tests.processor_time import bounded

TARGETS = (1.3, 1.5, 2, 4)
EXPONENTS = (1.1, 1.25, 1.5, 2)
PAIRS = [(a, b) for a in TARGETS for b in EXPONENTS]


def law(a, b):
    return PowerLaw(exponent=b, target_exponent=a)


def slope(x, y):
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_time_exponent_and_prefactor(a, b):
    times = np.geomspace(1e3, 1e7, 9)
    exact = dynamics(law(a, b), math.inf, math.inf, times).excess_loss
    predicted = time_law(a, b)
    observed = -slope(times, exact)
    assert observed == pytest.approx(float(predicted.exponents[0]), abs=0.01), observed
    assert np.allclose(exact, predicted(time=times), rtol=1e-7)


def decades(a, b, competitor):
    """Four decades of sizes where the next pole is below 0.3 % of the leading one."""
    gap = min(abs(a - 1 - competitor), 1)
    start = 1e4 if gap == 0 else 10 ** min(2.5 + 3 / gap, 60)
    return start * np.geomspace(1, 1e4, 9)


def check_size_law(predicted, index, sizes, exact):
    expected = float(predicted.exponents[index])
    keyword = {1: "features", 2: "samples"}[index]
    observed = -slope(sizes, exact)
    if predicted.log:
        scaled = exact * sizes**expected
        line, constant = np.polyfit(np.log(sizes), scaled, 1)
        ratio = predicted(**{keyword: math.e}) * math.e**expected
        assert line == pytest.approx(ratio, rel=0.01), (line, ratio)
        residual = np.abs(scaled - line * np.log(sizes) - constant) / scaled
        assert residual.max() < 1e-3, residual
        assert abs(observed - expected) > 0.01, "a pure power would not show the logarithm"
    else:
        assert observed == pytest.approx(expected, abs=0.01), observed
        assert exact[-1] == pytest.approx(predicted(**{keyword: sizes[-1]}), rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b"), [*PAIRS, (2.5, 1.5)])
def test_feature_exponent(a, b):
    sizes = decades(a, b, b)
    exact = static_loss(law(a, b), sizes, math.inf).excess_loss
    check_size_law(feature_law(a, b), 1, sizes, exact)


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_data_exponent(a, b):
    sizes = decades(a, b, 2 * b)
    exact = static_loss(law(a, b), math.inf, sizes).excess_loss
    check_size_law(data_law(a, b), 2, sizes, exact)


def test_feature_exponent_of_easy_tasks_is_b():
    sizes = np.geomspace(1e3, 1e7, 9)
    observed = -slope(sizes, static_loss(law(4, 2), sizes, math.inf).excess_loss)
    assert observed == pytest.approx(2, abs=0.01), observed
    assert abs(observed - min(4 - 1, 2 * 2)) > 0.9  # the exponent as printed


def test_symmetric_exponents_of_hard_tasks():
    for a, b in PAIRS:
        if a - 1 < b:
            assert (
                feature_law(a, b).exponents[1]
                == data_law(a, b).exponents[2]
                == (pytest.approx(a - 1))
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "a", "b", "value"),
    [("feature embedding", "features", 4, 1.25, 1e10), ("data reuse", "samples", 6, 1.25, 1e8)],
)
def test_embedding_and_reuse_are_the_late_first_corrections(name, size, a, b, value):
    """(exact − limit) at N → ∞ or P → ∞ first, t large second."""
    times = np.array([1e4, 1e5])
    sizes = {"features": math.inf, "samples": math.inf, size: value}
    correction = dynamics(law(a, b), times=times, **sizes).excess_loss - time_law(a, b)(time=times)
    ratio = correction / bottleneck_laws(a, b)[name](time=times, **{size: value})
    assert np.all(np.abs(ratio - 1) < 0.005), ratio


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(1.5, 1.25, Fraction(2, 9)), (2, 1.1, Fraction(10, 21)), (4, 2, Fraction(3, 4))],
)
def test_compute_optimal_exponents(a, b, expected):
    found = compute_optimal(a, b)
    assert found.loss == expected
    assert found.time + found.size == 1
    if a - 1 < b:  # the paper's (154)–(156), m = a − 1
        assert found.time == Fraction(b).limit_denominator(100) / (
            1 + Fraction(b).limit_denominator(100)
        )
        assert found.time > found.size, "time grows faster than the model"


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b"), [(1.5, 1.25), (2, 1.5), (4, 2), (4, 1.5)])
def test_exact_frontier_has_the_predicted_exponents(a, b):
    predicted = compute_optimal(a, b)
    frontier = compute_frontier(law(a, b), np.geomspace(1e10, 1e14, 3))
    observed = frontier.exponents
    expected = [float(x) for x in (predicted.time, predicted.size, predicted.loss)]
    assert observed == pytest.approx(expected, abs=0.01), observed
    ratio = frontier.loss / [predicted(c)[2] for c in frontier.compute]
    if predicted.sum_is_exact:
        assert np.allclose(ratio, 1, atol=0.01), ratio
    else:  # the sum of the two laws is an upper estimate, off by a constant factor
        assert ratio[-1] == pytest.approx(ratio[0], rel=0.02) and ratio[-1] < 0.95, ratio


@pytest.mark.parametrize(
    ("rule", "powers"),
    [
        (OnePassSGD(0.3, 4), (1, 2)),
        pytest.param(GradientDescent(0.3), (1, 1), marks=pytest.mark.slow),
        pytest.param(HeavyBall(0.2, 0.5), (2, 1), marks=pytest.mark.slow),
    ],
)
def test_no_other_number_of_steps_is_better(rule, powers):
    found = compute_frontier(
        law(1.6, 1.3), [3000.0], learner=rule, features_power=powers[0], time_power=powers[1]
    )
    best = int(found.times[0])
    assert found.times[0] == best and found.features[0] ** powers[0] * best ** powers[1] == (
        pytest.approx(3000)
    )
    for steps in (best - 1, best + 1, best // 2, 2 * best):
        size = (3000 / steps ** powers[1]) ** (1 / powers[0])
        other = float(dynamics(law(1.6, 1.3), size, math.inf, steps, learner=rule).excess_loss)
        assert other > found.loss[0], steps


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b", "powers"), [(1.5, 1.25, (1, 2)), (4, 2, (1, 2))])
def test_a_budget_of_other_powers(a, b, powers):
    named = {"features_power": powers[0], "time_power": powers[1]}
    predicted = compute_optimal(a, b, **named)
    frontier = compute_frontier(law(a, b), np.geomspace(1e16, 1e20, 3), **named)
    expected = [float(x) for x in (predicted.time, predicted.size, predicted.loss)]
    assert frontier.exponents == pytest.approx(expected, abs=0.01)
    if predicted.sum_is_exact:
        assert predicted(1e20)[2] == pytest.approx(frontier.loss[-1], rel=0.01)


@pytest.mark.slow
def test_a_budget_that_the_law_leaves_open():
    """N²t = C at (4, 2): t^{-1/2}/N is the same for all splits; t^{-3/2} and N^{-2} decide."""
    with pytest.raises(OutsideTheoryError, match=r"for N from C\^\(1/4\) to C\^\(1/3\)"):
        compute_optimal(4, 2, features_power=2)
    frontier = compute_frontier(law(4, 2), np.geomspace(1e16, 1e20, 3), features_power=2)
    assert frontier.exponents == pytest.approx([2 / 5, 3 / 10, 1 / 2], abs=0.02)


@pytest.mark.slow
def test_two_term_law_overestimates_the_easy_frontier():
    """For a − 1 > b, time against features alone would give b(a−1)/(a−1+b²) > (a−1)/a."""
    a, b = 4, 2
    observed = compute_frontier(law(a, b), np.geomspace(1e8, 1e12, 3)).exponents[2]
    assert abs(observed - (a - 1) / a) < 0.01 < b * (a - 1) / (a - 1 + b * b) - observed


@pytest.mark.slow
def test_one_pass_phases():
    """The balances of 2405.15074 at b = 2α > 1: Ia, II and III."""
    assert compute_optimal(1.5, 1.25, one_pass=True).balance == ("time", "features")
    assert compute_optimal(2.8, 1.5, one_pass=True).balance == ("time", "feature embedding")
    third = compute_optimal(4, 1.5, one_pass=True)
    assert third.balance == ("batch noise", "feature embedding")
    assert third.size == Fraction(1, 2) and third.loss == Fraction(2, 3)  # 1 − 1/(2b)


def test_at_a_resonance_the_laws_are_those_of_a_hard_task():
    assert sorted(bottleneck_laws(3, 2)) == ["data", "features", "time"]
    assert sorted(bottleneck_laws(3, 2, unlimited_data=True)) == ["features", "time"]


def test_logarithms_are_said():
    assert feature_law(2.5, 1.5).log == 1
    with pytest.raises(OutsideTheoryError):
        compute_optimal(2.5, 1.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: time_law(1, 1.5),
        lambda: feature_law(1.5, 1),
        lambda: compute_frontier(law(1.5, 1.5), [0.5]),
        lambda: compute_frontier(law(1.5, 1.5), [100], samples=-1),
        lambda: compute_frontier(law(1.5, 1.5), [100], time_power=0),
        lambda: compute_frontier(law(1.5, 1.5), [100], learner=RidgeRegression()),
        lambda: compute_frontier(law(1.5, 1.5), [100], learner=OnePassSGD(0.1, 2, momentum=0.5)),
        lambda: compute_frontier(
            law(1.5, 1.5), [100], samples=20, learner=MinibatchSGD(0.1, 2, reshuffled=True)
        ),
    ],
)
def test_bad_input_is_named(call):
    with pytest.raises(InputError):
        call()


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b"), [(4, 2), (30, 2), (12, 1.5), (2.1, 1.05)])
def test_easy_tasks_are_split_by_their_own_exponent(a, b):
    """(a − 1)/a where a − 1 > b, however thin the cell of the time is; refused beyond."""
    found = compute_optimal(a, b)
    assert float(found.loss) == pytest.approx((a - 1) / a, abs=1e-6)
    assert found.balance == ("time", "feature embedding")


def test_a_split_that_no_cell_resolves_is_refused():
    with pytest.raises(OutsideTheoryError, match="t grows so little"):
        compute_optimal(200, 2)


@pytest.mark.parametrize(("target", "exponent"), [
    (1.5416053790183715, 1.3847384588280427), (1.2553812789960808, 2.178111716660905),
    (4.418264555516194, 2.264658305034919),
])  # fmt: skip
@pytest.mark.parametrize("weights", [(1, 1), (1.37, 1.21)])
def test_the_optimum_at_exponents_of_sixteen_digits(target, exponent, weights):
    power, other = weights
    best = compute_optimal(target, exponent, features_power=power, time_power=other)
    time, size, loss = best(1e12)
    assert size**power * time**other == pytest.approx(1e12, rel=1e-9)
    laws = bottleneck_laws(target, exponent)
    first, second = (laws[name] for name in best.balance)

    def total(moment):
        features = (1e12 / moment**other) ** (1 / power)
        return sum(law(time=moment, features=features) for law in (first, second))

    assert total(time) == pytest.approx(loss, rel=1e-9)
    assert min(total(0.9 * time), total(1.1 * time)) > loss


def optimum(target, exponent, seconds=60, **options):
    """The split within some time of the processor, if its exponents are exact."""
    with bounded(seconds):
        best = compute_optimal(target, exponent, **options)
    power, other = (exact_number(options.get(f"{x}_power", 1)) for x in ("features", "time"))
    assert power * best.size + other * best.time == 1
    laws = bottleneck_laws(target, exponent, one_pass=options.get("one_pass", False))
    for name in best.balance:
        p, q, _ = laws[name].exponents
        assert best.loss == p * best.time + q * best.size
    return best


def test_an_optimum_with_many_terms_close_to_its_walls():
    best = optimum(2.213395895640355, 1.091, features_power=2.810146298451312,
                   time_power=2.2103985)  # fmt: skip
    assert best.balance == ("time", "feature embedding")


@pytest.mark.parametrize("exponent", [1.0755727, 1.0716, 1.0714286, 1.071, sp.Rational(15, 14)])
def test_the_optimum_where_a_wall_is_close_to_where_the_search_begins(exponent):
    """That is at t = N^(15/14); the wall t = N^b, an accident of units, decides nothing."""
    best = optimum(1.5504637, exponent, one_pass=True, features_power=1.37)
    assert best.balance == ("time", "features")
    assert best.time == exact_number(exponent) * best.size


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_the_optimum_at_any_decimals(seed):
    draw = random.Random(f"decimals {seed}")

    def decimal(low, high):
        return round(draw.uniform(low, high), draw.choice([3, 5, 7, 9, 15]))

    exponent = decimal(1.01, draw.choice([1.2, 3.5]))
    options = {"features_power": decimal(0.3, 3), "time_power": decimal(0.3, 3)}
    try:
        optimum(decimal(1.01, 6), exponent, 180, one_pass=draw.random() < 0.5, **options)
    except OutsideTheoryError as refused:
        assert exponent < 1.2 and "too close" in str(refused)


def test_the_optimum_in_one_pass_asks_for_step_and_batch():
    best = compute_optimal(4, 2, one_pass=True)
    with pytest.raises(InputError, match="values of B, eta, too"):
        best(1e9)
