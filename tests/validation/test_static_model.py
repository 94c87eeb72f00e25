"""The static theory against simulation; wrong theories against the same simulation."""

from dataclasses import replace

import numpy as np
import pytest

from solvable.analytic.errors import InputError
from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import Flat, PowerLaw
from solvable.validation.cells import Cell
from solvable.validation.executors import process_pool
from solvable.validation.quick_look import MODELS, quick_look
from solvable.validation.statistics import estimate, fitted_rate, normality
from solvable.validation.theory import theory
from tests.validation.case_families import STATIC, StaticCase, compare, simulate_cases

REFERENCE = [  # N, T, γ, σ_ε², excess loss; b = a = 3/2, M = 2000
    (100, 400, 0.0, 0.0, 0.4056389163336442642995),
    (100, 400, 0.5, 0.0, 0.4041909336693050489204),
    (150, 300, 0.01, 0.001, 0.4722514894992058037949),
    (300, 100, 0.01, 0.1, 0.5671994254826834340836),
]


@pytest.mark.parametrize(("features", "samples", "ridge", "noise", "expected"), REFERENCE)
def test_theory_of_a_cell_is_the_reference_value(features, samples, ridge, noise, expected):
    spectrum = PowerLaw(alpha=0.5, size=2000)
    cell = Cell(spectrum, features, samples, at=(ridge,), noise=noise)
    assert theory(cell)[f"excess_loss[ridge={ridge:g}]"] == pytest.approx(expected, rel=1e-12)
    scaled = Cell(spectrum, features, samples, at=(4 * ridge,), noise=noise, feature_variance=4)
    assert theory(scaled).popitem()[1] == pytest.approx(theory(cell).popitem()[1])


def test_cases_span_what_they_claim():
    assert len(set(STATIC)) == len(STATIC) >= 30
    assert {case.alpha for case in STATIC} == {0.3, 0.5, 1.0, 1.5}
    assert {np.sign(case.features - case.samples) for case in STATIC} == {-1, 0, 1}
    assert {case.noise > 0 for case in STATIC} == {True, False}
    assert {case.ridge for case in STATIC} >= {"zero", "small", "optimal"}
    above = {case.modes > max(case.features, case.samples) for case in STATIC}
    assert above == {True, False}
    poles = [c for c in STATIC if c.features == c.samples < c.modes and c.ridge == "zero"]
    assert not poles, "a pole has no sample mean"


@pytest.mark.slow
def test_quick_look_passes():
    result = quick_look()
    assert result.passed, result.message
    assert [curve.label for curve in result.series] == [model.describe() for model in MODELS]
    points = [point for curve in result.series for point in curve.points]
    assert len(points) == 2 * len(MODELS) and all(point.score is not None for point in points)


def wrong(name):
    """Theories with one deliberate error each."""

    def off_by_two_per_cent(cell):
        return {loss: 1.02 * value for loss, value in theory(cell).items()}

    def half(cell):
        return {loss: value / 2 for loss, value in theory(cell).items()}

    def normalised_ridge(cell):
        ridge = cell.at[0] * cell.samples
        value = static_loss(cell.spectrum, cell.features, cell.samples,
                            ridge=ridge, noise=cell.noise)  # fmt: skip
        return dict(zip(cell.observables(), (value.excess_loss, value.train_loss), strict=True))

    def noise_in_features(cell):
        value = static_loss(cell.spectrum, cell.samples, cell.features,
                            ridge=cell.at[0], noise=cell.noise)  # fmt: skip
        return dict(zip(cell.observables(), (value.excess_loss, value.train_loss), strict=True))

    return {wrong.__name__: wrong for wrong in
            (off_by_two_per_cent, half, normalised_ridge, noise_in_features)}[name]  # fmt: skip


FEW = [StaticCase(0.5, 20, 40, 160, "small", 0.1), StaticCase(1.0, 40, 20, 160, "small", 0.1)]


@pytest.fixture(scope="module")
def few():
    return simulate_cases(FEW, seeds=70)


@pytest.mark.parametrize(
    "name", ["off_by_two_per_cent", "half", "normalised_ridge", "noise_in_features"]
)
def test_wrong_theories_are_rejected(few, name):
    right = compare(few, theory)
    assert right.test.passed and right.train.passed, (right.test.message, right.train.message)
    result = compare(few, wrong(name))
    assert result.test.outcome == "fail", result.test.message


def test_departure_from_theory_decays_like_one_over_size():
    case, scales, estimates = StaticCase(1.0, 10, 14, 60, "zero", 0.0), (1, 2, 4), []
    drawn = simulate_cases([case], seeds=400)
    for cell, runs in zip(drawn.cells[0], drawn.values[0], strict=True):
        name = cell.observables()[0]
        estimates.append(estimate([run[name] for run in runs]) / theory(cell)[name])
    rate = fitted_rate(scales, estimates, 1.0)
    message = f"observed rate {rate.mean:.2f} ± {rate.error:.2f}, expected -1"
    assert rate.error < 0.15 and abs(rate.score(-1.0)) < 3, message
    assert abs(rate.score(-2.0)) > 3 and abs(rate.score(-0.5)) > 3, message


def test_failed_repetitions_are_left_out_and_do_not_pass(few):
    lost = replace(few, values=((few.values[0][0][:1], *few.values[0][1:]), few.values[1]))
    lost = replace(lost, failures=("MemoryError",))
    result = compare(lost, theory)
    assert {row.case for row in result.rows} == {FEW[1]}
    assert result.test.passed and not result.passed


def test_a_vanishing_loss_is_judged_absolutely():
    result = compare(
        simulate_cases([StaticCase(1.0, 20, 40, 10, "zero", 0.0)], seeds=10, scales=(1, 2)), theory
    )
    assert all(row.vanishes and row.target == 0 for row in result.rows)
    assert result.passed, result.test.message


def test_theory_refuses_what_it_does_not_cover():
    spectrum = Flat(size=10)
    for cell in (Cell(spectrum, 3, 4, feature_draws=2),):
        with pytest.raises(InputError):
            theory(cell)
    with pytest.raises(InputError):
        StaticCase(0.5, 3, 4, 10, "large", 0.0).cell(1)
    with pytest.raises(InputError):
        simulate_cases(FEW, scales=(1,))


@pytest.mark.slow
def test_theory_inside_the_intervals_of_all_cases():
    with process_pool(2) as executor:
        result = compare(simulate_cases(STATIC, seeds=50, executor=executor), theory)
    assert not result.failures
    assert min(result.seeds) >= 50 and len(result.rows) >= 2 * 30
    assert result.test.passed, result.test.message
    assert result.train.outcome != "fail", result.train.message
    scores = [row.score for row in result.rows if row.loss == "excess_loss" and not row.vanishes]
    assert normality(scores) > 1e-3, "the scores of the true theory are not standard normal"
    inside = sum(abs(row.score) < 2.576 for row in result.rows if row.loss == "excess_loss")
    assert inside >= len(STATIC) - 3, f"{inside} of {len(STATIC)} inside their own 99 % interval"
