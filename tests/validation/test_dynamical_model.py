"""Loss curves of every rule against simulation, and wrong curves against the same simulation."""

from dataclasses import replace

import numpy as np
import pytest

from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.learners import GradientDescent, GradientFlow, HeavyBall, OnePassSGD
from solvable.validation.cells import Cell
from solvable.validation.executors import process_pool
from solvable.validation.theory import theory
from tests.validation.case_families import DYNAMIC, DynamicCase, compare, simulate_cases

SPECTRUM = PowerLaw(exponent=1.25, target_exponent=1.5, size=200)
REFERENCE = [  # N, P, t, σ_ε², excess loss, training loss
    (60, 120, 10, 0.0, 0.5915381394696, 0.4479990032734),
    (60, 120, 1000, 0.0, 0.5585404227196, 0.1522909792756),
    (120, 60, 100, 0.1, 0.4810804525493, 0.0718681607334),
]


@pytest.mark.parametrize(("features", "samples", "time", "noise", "test", "train"), REFERENCE)
def test_theory_of_a_cell_is_the_reference_value(features, samples, time, noise, test, train):
    cell = Cell(SPECTRUM, features, samples, GradientFlow(), (time,), noise=noise)
    assert list(theory(cell).values()) == pytest.approx([test, train], rel=1e-10)


def test_cases_span_the_rules_at_five_times_each():
    kinds = {(type(c.learner), c.feature_draws > 1, c.data_draws > 1) for c in DYNAMIC}
    rules = (GradientFlow, GradientDescent, HeavyBall, OnePassSGD)
    assert kinds == {*((rule, False, False) for rule in rules),
                     (GradientFlow, True, False), (GradientFlow, False, True)}  # fmt: skip
    assert any(isinstance(c.learner, GradientFlow) and c.learner.decay > 0 for c in DYNAMIC)
    for kind in kinds:
        same = [
            c for c in DYNAMIC if (type(c.learner), c.feature_draws > 1, c.data_draws > 1) == kind
        ]
        assert {(c.features < c.samples, c.noise > 0) for c in same} == {
            (a, b) for a in (True, False) for b in (True, False)
        }
        assert all(len(c.at) == 5 for c in same)


def test_scaled_cases_keep_their_times_between_the_same_modes():
    flow = DynamicCase(GradientFlow(decay=0.02), (8.0,), 10, 20, 0.0)
    one, four = (flow.cell(scale) for scale in (1, 4))
    assert one.at[0] * one.learner.decay == pytest.approx(four.at[0] * four.learner.decay)
    assert four.at[0] == pytest.approx(8 * 4**1.25)
    steps = DynamicCase(GradientDescent(0.3), (8,), 10, 20, 0.0).cell(4).at
    assert steps == (45,)


TIMES = (1.0, 10.0, 60.0)
FEW = [
    DynamicCase(GradientFlow(5 / 800), TIMES, 20, 40, 0.1),
    DynamicCase(HeavyBall(0.2, 0.7), (1, 10, 60), 20, 40, 0.1),
    DynamicCase(GradientFlow(), TIMES, 20, 30, 0.1, feature_draws=2),
    DynamicCase(GradientFlow(), TIMES, 20, 30, 0.1, data_draws=2),
]


@pytest.fixture(scope="module")
def few():
    return simulate_cases(FEW, scales=(1, 2), seeds=80)


def test_the_theory_passes(few):
    result = compare(few, theory, resolution=0.1)
    assert result.passed, f"{result.test.message}; {result.train.message}"


def _without_members(cell):
    return theory(replace(cell, feature_draws=1, data_draws=1))


def _without_decay_or_momentum(cell):
    rule = cell.learner
    plain = GradientFlow() if rule.scored == "time" else GradientDescent(rule.step)
    return theory(replace(cell, learner=plain))


def _without_noise(cell):
    return theory(replace(cell, noise=0.0))


@pytest.mark.parametrize("wrong", [_without_members, _without_decay_or_momentum, _without_noise])
def test_wrong_theories_are_rejected(few, wrong):
    result = compare(few, wrong, resolution=0.1)
    assert result.test.outcome == "fail", result.test.message
    assert result.train.outcome == "fail", result.train.message


@pytest.mark.slow
def test_one_pass_sgd_passes_and_flow_in_its_place_does_not():
    case = DynamicCase(OnePassSGD(0.3, batch=2), (2, 10, 40), 20, 1, 0.1)
    drawn = simulate_cases([case], scales=(1, 2), seeds=80)
    result = compare(drawn, theory, resolution=0.2)
    assert result.passed and result.train is None, result.test.message

    def without_gradient_noise(cell):
        flow = replace(cell.learner, batch=10**9)
        return theory(replace(cell, learner=flow))

    assert compare(drawn, without_gradient_noise).test.outcome == "fail"


@pytest.mark.slow
def test_theory_inside_the_intervals_of_all_cases():
    with process_pool(2) as executor:
        result = compare(simulate_cases(DYNAMIC, seeds=50, executor=executor), theory,
                         resolution=0.15)  # fmt: skip
    assert not result.failures and min(result.seeds) >= 50
    assert result.test.passed, result.test.message
    assert result.train.outcome != "fail", result.train.message
    inside = np.mean([abs(row.score) < 2.576 for row in result.rows])
    assert inside > 0.95, f"{100 * inside:.1f} % inside their own 99 % interval"
