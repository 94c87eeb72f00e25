"""Calibration, power and extrapolation, each tested as what it claims to be."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from solvable.analytic.errors import InputError
from solvable.validation.comparison import Family
from solvable.validation.statistics import (
    Estimate,
    combined,
    compared,
    estimate,
    extrapolate,
    fitted_rate,
    normality,
    percent,
    tail_probability,
    verdict,
)

REPETITIONS, SPREAD = 30, 0.05


def families(shift, cells, trials, seed=0):
    """Families of estimates of 1 from skewed (gamma) repetitions, and the theory 1 + shift."""
    rng = np.random.default_rng(seed)
    shape = 1 / SPREAD**2
    draws = rng.gamma(shape, 1 / shape, (trials, cells, REPETITIONS))
    return [([estimate(cell) for cell in family], [1 + shift] * cells) for family in draws]


def test_scores_of_the_true_theory_are_standard_normal():
    (cells, theory), *_ = families(0.0, 4000, 1)
    scores = np.array([cell.score(value) for cell, value in zip(cells, theory, strict=True)])
    assert normality(scores) > 0.01
    assert abs(scores.mean()) < 4 / math.sqrt(4000)
    assert abs(scores.std() - 1) < 4 / math.sqrt(8000)


def test_normality_rejects_scores_of_wrong_width_or_centre():
    scores = np.random.default_rng(1).normal(size=1500)
    assert normality(scores) > 0.01
    assert normality(1.3 * scores) < 0.01
    assert normality(scores + 0.2) < 0.01


# ---- coverage ----------------------------------------------------------------------------
# Each interval function is drawn TRIALS times; its coverage must be what it says within four
# binomial standard errors, and the interval at twice the level must be told from it.

TRIALS, CONFIDENCE = 2000, 0.9
TOLERANCE = 4 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / TRIALS)


def _mean(rng):
    return estimate(rng.normal(3.0, 0.5, 6)), 3.0


def _combined(rng):
    """Two estimates of few repetitions and very different errors: Welch and Satterthwaite."""
    parts = [estimate(rng.normal(1.0, 1.0, 5)), estimate(rng.normal(2.0, 0.3, 12))]
    return combined(np.array([2.0, -1.0]), parts), 0.0


def _draws(rng, sizes, limit=1.0, slope=0.7):
    return [estimate(rng.normal(limit + slope / s, 0.1, 12)) for s in sizes]


def _limit(rng):
    return extrapolate([1, 2, 4], _draws(rng, (1, 2, 4))).limit, 1.0


def _limit_of_two(rng):
    return extrapolate([1, 2], _draws(rng, (1, 2))).limit, 1.0


def _bias(rng):
    return extrapolate([1, 2, 4], _draws(rng, (1, 2, 4))).bias, 0.7


def _rate(rng):
    sizes = np.array([1.0, 2.0, 4.0])
    errors = 0.01 / sizes
    values = [Estimate(1 + 1 / s + e * rng.normal(), e) for s, e in zip(sizes, errors, strict=True)]
    return fitted_rate(sizes, values, 1.0), -1.0


def _ratio(rng):
    """A `Family` of one: simulation over theory at two sizes."""
    family = Family((1, 2))
    samples = [rng.normal(3.0 * (1 + 0.01 / s), 0.2, 12) for s in (1, 2)]
    return family.add("all", samples, [3.0, 3.0]).fit.limit, 1.0


@pytest.mark.parametrize(
    "draw",
    [_mean, _combined, _limit, _limit_of_two, _bias, _rate, _ratio],
    ids=lambda f: f.__name__,
)
def test_every_interval_covers_as_often_as_it_says(draw):
    rng = np.random.default_rng(11)
    found = [draw(rng) for _ in range(TRIALS)]
    inside = np.mean([low < t < high for (low, high), t in
                      ((e.interval(CONFIDENCE), t) for e, t in found)])  # fmt: skip
    wrong = np.mean([low < t < high for (low, high), t in
                     ((e.interval(1 - 2 * (1 - CONFIDENCE)), t) for e, t in found)])  # fmt: skip
    # the allowance for a second-order term makes `_ratio` err on the side of caution
    allowed = (CONFIDENCE - TOLERANCE, 1.0 if draw is _ratio else CONFIDENCE + TOLERANCE)
    assert allowed[0] <= inside <= allowed[1], f"covers {inside:.3f}, says {CONFIDENCE}"
    assert wrong < allowed[0] or draw is _ratio, f"twice the level is not told apart: {wrong:.3f}"


@pytest.mark.parametrize("cells", [1, 5, 20])
def test_simultaneous_intervals_cover_together(cells):
    """K independent intervals of confidence 1 − a/K all cover with probability (1 − a/K)^K."""
    level, trials = 0.1, 1000
    found = [verdict(*f, level=level, resolution=1) for f in families(0, cells, trials, seed=6)]
    together = np.mean([not judgement.rejected for judgement in found])
    stated = found[0].confidence ** cells
    assert stated == pytest.approx(1 - (level if cells == 1 else level / 2), abs=0.004)
    assert together == pytest.approx(stated, abs=4 * math.sqrt(stated * (1 - stated) / trials))


@pytest.mark.slow
@pytest.mark.parametrize("cells", [1, 6])
def test_a_level_halved_once_too_little_or_too_often_is_seen(cells):
    """The rate of rejection at twice the level, or at half of it, is not the one stated."""
    level, trials = 0.08, 3000
    drawn = families(0, cells, trials, seed=7)

    def rate(stated):
        judged = [verdict(*family, level=stated, resolution=1) for family in drawn]
        return np.mean([judgement.outcome == "fail" for judgement in judged])

    # with one claim the test is exact; Holm and χ² overlap a little where there are more
    low, high = (level, level) if cells == 1 else (0.75 * level, level)
    tolerance = 4 * math.sqrt(level / trials)
    assert low - tolerance < rate(level) < high + tolerance
    assert rate(2 * level) > high + tolerance and rate(level / 2) < low - tolerance


def test_intervals_cover_as_often_as_they_say():
    (cells, _), *_ = families(0.0, 4000, 1, seed=2)
    for confidence in (0.9, 0.99):
        inside = [low < 1 < high for low, high in (c.interval(confidence) for c in cells)]
        error = math.sqrt(confidence * (1 - confidence) / len(cells))
        assert np.mean(inside) == pytest.approx(confidence, abs=4 * error)


@pytest.mark.parametrize("cells", [1, 12, 40])
def test_true_theory_is_rejected_at_most_at_the_stated_level(cells):
    level, trials = 0.05, 400
    outcomes = [verdict(*f, level=level, resolution=1).outcome for f in families(0, cells, trials)]
    rate = outcomes.count("fail") / trials
    # Holm and χ² each use half of the level and overlap: between level/2 and level
    assert rate < level + 3 * math.sqrt(level / trials), f"rejected {rate:.3f}, stated {level}"
    assert rate > level / 2 - 3 * math.sqrt(level / trials), f"rejected {rate:.3f}"


def test_theory_wrong_by_two_per_cent_is_rejected_with_the_stated_power():
    trials, level = 1500, 0.01
    shift = 0.02 / (SPREAD / math.sqrt(REPETITIONS))
    law, limit = stats.nct(REPETITIONS - 1, shift), stats.t.isf(level / 2, REPETITIONS - 1)
    stated = law.sf(limit) + law.cdf(-limit)
    wrong = families(0.02, 1, trials, seed=3)
    rejected = np.mean([abs(c[0].score(t[0])) > 2.5758293 for c, t in wrong])
    assert rejected == pytest.approx(
        stated, abs=4 * math.sqrt(stated * (1 - stated) / trials) + 0.02
    )
    family = families(0.02, 12, 40, seed=4)
    outcomes = [verdict(*f, level=level, resolution=0.05).outcome for f in family]
    assert outcomes.count("fail") == len(outcomes)  # twelve cells, each off by two errors


def test_verdict_outcomes_and_their_reasons():
    good = [Estimate(1.0, 0.01, 49)] * 10
    assert verdict(good, [1.005] * 10).passed
    wide = verdict(good, [1.005] * 10, resolution=0.01)
    assert wide.outcome == "undecided" and "1 %" in wide.message
    single = verdict(good, [1.005] * 9 + [1.08])
    assert single.outcome == "fail" and single.rejected == (9,)
    together = verdict(good, [1.021] * 10)  # no cell stands out, all of them do
    assert together.outcome == "fail" and not together.rejected
    assert verdict(good, [1.021] * 10, groups=()).outcome == "pass"


def test_one_large_deviation_among_many_cells_is_expected():
    cells = [Estimate(0.0, 1.0)] * 200
    theory = np.random.default_rng(5).normal(size=200)
    theory[0] = 3.0  # outside its own 99 % interval, as two in two hundred are
    assert verdict(cells, theory, resolution=math.inf).outcome == "pass"
    assert verdict(cells[:1], theory[:1], resolution=math.inf).outcome == "fail"


def test_zero_in_theory_is_judged_by_the_rounding_floor():
    noise = [Estimate(3e-16, 1e-17, 49)]
    assert verdict(noise, [0.0]).outcome == "fail"
    assert verdict(noise, [0.0], floor=1e-14).outcome == "pass"
    assert Estimate(1.0, 0.0).score(1.0) == 0 and Estimate(1.0, 0.0).score(2.0) == math.inf


@given(
    st.lists(st.tuples(st.floats(-6, 6), st.floats(0.01, 5), st.integers(1, 200)), min_size=1,
             max_size=30),
    st.floats(0.001, 0.2), st.booleans(),
)  # fmt: skip
def test_what_is_printed_is_what_decided(claims, level, independent):
    """The outcome follows from the intervals, χ² and their thresholds; they use up the level."""
    estimates = [Estimate(-score * error, error, n) for score, error, n in claims]
    groups = None if independent else ()
    found = verdict(estimates, [0.0] * len(claims), level=level, groups=groups)
    outside = [i for i in range(len(claims)) if abs(estimates[i].mean) > found.half_width(i)]
    assert list(found.rejected) == outside
    failed = bool(outside) or found.chi_square > found.chi_square_limit
    assert found.outcome == ("fail" if failed else "pass")
    spent = len(claims) * (1 - found.confidence)
    if found.groups:
        spent += stats.chi2.sf(found.chi_square_limit, found.groups)
    assert spent == pytest.approx(level, rel=1e-6)
    for i in range(len(claims)):
        low, high = found.interval(i)
        assert (low <= 0 <= high) == (i not in outside)
    assert percent(found.confidence) in found.message
    widest, limit = re.search(r"widest interval ± (\S+) % . (\S+) %", found.message).groups()
    assert float(widest) == pytest.approx(100 * max(found.half_widths), abs=0.051)
    assert float(limit) == pytest.approx(100 * found.resolution, abs=0.051)


@given(st.floats(-100, 100), st.floats(-100, 100) | st.none(), st.integers(0, 4))
def test_numbers_compared_are_printed_as_they_compare(value, limit, digits):
    limit = math.nextafter(value, math.inf) if limit is None else limit
    for high, low in ((value, limit), (limit, value), (value, value)):
        left, sign, right = compared(high, low, digits).split()
        assert sign == (">" if high > low else "≤")
        assert (float(left) > float(right)) == (high > low)
        fewer = [f"{x:.{digits}f}" for x in (high, low)]
        if (float(fewer[0]) > float(fewer[1])) == (high > low):
            assert [left, right] == fewer


@settings(max_examples=50)
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5))
def test_three_sizes_remove_two_orders_exactly(limit, first, second):
    sizes = (50, 100, 200)
    values = [Estimate(limit + first / s + second / s**2, 0.1, 20) for s in sizes]
    fit = extrapolate(sizes, values, terms=2)
    assert fit.limit.mean == pytest.approx(limit, abs=1e-9)
    assert fit.bias.mean == pytest.approx(first, abs=1e-6)
    weights = np.array([1 / 3, -2, 8 / 3])  # Richardson
    assert fit.limit.error == pytest.approx(0.1 * np.linalg.norm(weights), rel=1e-9)


def test_extrapolated_error_is_the_spread_of_the_extrapolation():
    rng, sizes = np.random.default_rng(6), np.array([50.0, 100.0, 200.0])
    errors = np.array([0.02, 0.01, 0.02])
    limits, scores, surplus = [], [], []
    for _ in range(2000):
        means = 1 + 0.7 / sizes + errors * rng.normal(size=3)
        fit = extrapolate(sizes, [Estimate(m, e) for m, e in zip(means, errors, strict=True)])
        limits.append(fit.limit.mean)
        scores.append(fit.limit.score(1.0))
        surplus.append(fit.chi_square)
    assert np.std(limits) == pytest.approx(fit.limit.error, rel=0.06)
    assert normality(scores) > 0.01
    assert np.mean(surplus) == pytest.approx(fit.surplus, abs=4 * math.sqrt(2 / 2000))


def test_allowing_for_a_remainder_keeps_the_limit_calibrated_far_from_the_asymptote():
    rng, sizes = np.random.default_rng(9), np.array([1.0, 2.0, 4.0])
    errors = np.array([0.004, 0.003, 0.002])
    scores = {None: [], 0.5: []}
    for _ in range(400):
        means = 1 + 0.015 / sizes + 0.025 / sizes**2 + errors * rng.normal(size=3)
        values = [Estimate(m, e) for m, e in zip(means, errors, strict=True)]
        for remainder, kept in scores.items():
            kept.append(extrapolate(sizes, values, remainder=remainder).limit.score(1.0))
    assert abs(np.mean(scores[None])) > 1.5  # the 1/s² term misleads a fit that neglects it
    assert abs(np.mean(scores[0.5])) < 1.0 and np.std(scores[0.5]) < 1.1
    flat = [Estimate(1.0, 0.1)] * 3  # without drift nothing changes
    plain, allowed = (extrapolate(sizes, flat, remainder=r).limit for r in (None, 0.5))
    assert allowed.mean == pytest.approx(1.0) and allowed.error == pytest.approx(
        plain.error, rel=1e-3
    )


def test_bias_is_rejected_without_extrapolation_and_passes_with_it():
    rng, sizes = np.random.default_rng(7), (50, 100, 200)
    cells = [[estimate(1 + 2 / s + 0.02 * rng.normal(size=100)) for s in sizes] for _ in range(10)]
    assert verdict([cell[0] for cell in cells], [1.0] * 10).outcome == "fail"
    assert verdict([extrapolate(sizes, cell).limit for cell in cells], [1.0] * 10).passed
    assert (
        verdict([extrapolate(sizes, cell).limit for cell in cells], [1.02] * 10).outcome == "fail"
    )


@pytest.mark.parametrize("rate", [-1.0, -2.0])
def test_fitted_rate_is_the_rate_within_its_error(rate):
    rng, sizes = np.random.default_rng(8), np.array([25.0, 50.0, 100.0, 200.0])
    noise = 0.02 * sizes**rate
    values = [
        Estimate(1 + 3 * s**rate + e * rng.normal(), e) for s, e in zip(sizes, noise, strict=True)
    ]
    slope = fitted_rate(sizes, values, 1.0)
    message = f"observed rate {slope.mean:.3f} ± {slope.error:.3f}, true {rate}"
    assert abs(slope.mean - rate) < 4 * slope.error < 0.2, message
    other = -3.0 - rate
    assert abs(slope.score(other)) > 10, "a wrong rate is not rejected"


def test_bad_input_is_named():
    one = [Estimate(1.0, 0.1, 9)]
    for call in (
        lambda: estimate([1.0]), lambda: estimate([1.0, float("nan")]),
        lambda: verdict(one, [1.0, 2.0]), lambda: verdict([], []),
        lambda: verdict(one, [math.inf]), lambda: verdict(one, [1.0], level=1.5),
        lambda: extrapolate([50], one), lambda: extrapolate([50, 50], one * 2),
        lambda: normality([0.1]),
        lambda: one[0].half_width(99),
    ):  # fmt: skip
        with pytest.raises(InputError):
            call()


@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(0.1, 9), st.sampled_from([-1, 1]))
def test_an_estimate_is_scaled_and_bracketed(mean, error, factor, sign):
    scaled = Estimate(mean, error, 7) / (sign * factor)
    assert scaled.mean == pytest.approx(sign * mean / factor)
    assert scaled.error == pytest.approx(error / factor) and scaled.degrees == 7
    low, high = Estimate(mean, error, 7).interval()
    assert (low, high) == pytest.approx(stats.t(7, mean, error).interval(0.99))


def test_tails_of_student_and_of_the_normal_law():
    t, degrees = np.array([-2.0, 0.5, 3.0, 1.5]), np.array([4.0, math.inf, 9.0, math.inf])
    expected = [
        2 * (stats.norm.sf(abs(x)) if math.isinf(d) else stats.t.sf(abs(x), d))
        for x, d in zip(t, degrees, strict=True)
    ]
    assert tail_probability(t, degrees) == pytest.approx(expected)


def test_a_next_term_that_is_allowed_for_is_the_next_power():
    sizes = [1, 2, 3, 5]
    exact = [Estimate(1 + 2 / s + 3 / s**2, 1e-6) for s in sizes]
    assert extrapolate(sizes, exact, remainder=1e3).limit.mean == pytest.approx(1, abs=1e-4)
    other = [Estimate(1 + 2 / s + 3 / s**3, 1e-6) for s in sizes]
    assert abs(extrapolate(sizes, other, remainder=1e3).limit.mean - 1) > 1e-3


def test_a_confidence_has_as_many_digits_as_tell_it_from_one():
    assert percent(0.9) == "90 %" and percent(1 - 1e-6) == "99.9999 %"


@given(st.floats(1e-6, 1e6), st.floats(1e-3, 1))
def test_widths_are_relative_to_what_is_claimed(scale, error):
    claimed = [2 * scale, -5 * scale, 0.0]
    found = verdict([Estimate(x, error * scale, 30) for x in claimed], claimed)
    widths = [found.half_width(i) for i in range(3)]
    assert found.half_widths == pytest.approx((widths[0] / claimed[0], widths[1] / -claimed[1], 0))
    one = verdict([Estimate(x, error, 30) for x in (2, -5, 0)], [2, -5, 0])
    assert found.half_widths == pytest.approx(one.half_widths, rel=1e-9)


def test_the_bias_is_the_first_coefficient_over_the_size():
    fit = extrapolate([1.0, 2.0, 4.0], [Estimate(1 + 0.3 / s, 1e-9) for s in (1.0, 2.0, 4.0)])
    assert [fit.bias_at(s) for s in (2.0, 10.0)] == pytest.approx([0.15, 0.03], rel=1e-6)
