"""Loss curves of every rule against simulation, and wrong curves against the same simulation."""

from dataclasses import replace

import numpy as np
import pytest

from solvable.analytic.errors import InputError
from solvable.validation.cells import Cell, SpectrumSpec
from solvable.validation.comparison import compare, simulate_cases
from solvable.validation.dynamical_model import CASES, DynamicalCase, dynamic_theory
from solvable.validation.executors import process_pool
from solvable.validation.learners import Flow, GradientDescent, HeavyBall, OnePassSGD, Ridge

SPECTRUM = SpectrumSpec.power_law(exponent=1.25, target_exponent=1.5, size=200)
REFERENCE = [  # N, P, t, σ_ε², excess loss, training loss
    (60, 120, 10, 0.0, 0.5915381394696, 0.4479990032734),
    (60, 120, 1000, 0.0, 0.5585404227196, 0.1522909792756),
    (120, 60, 100, 0.1, 0.4810804525493, 0.0718681607334),
]


@pytest.mark.parametrize(("features", "samples", "time", "noise", "test", "train"), REFERENCE)
def test_theory_of_a_cell_is_the_reference_value(features, samples, time, noise, test, train):
    cell = Cell(SPECTRUM, features, samples, Flow((time,)), noise=noise)
    assert list(dynamic_theory(cell).values()) == pytest.approx([test, train], rel=1e-10)


def test_cases_span_the_rules_at_five_times_each():
    kinds = {(type(c.learner), c.feature_draws > 1, c.data_draws > 1) for c in CASES}
    rules = (Flow, GradientDescent, HeavyBall, OnePassSGD)
    assert kinds == {*((rule, False, False) for rule in rules),
                     (Flow, True, False), (Flow, False, True)}  # fmt: skip
    assert any(isinstance(c.learner, Flow) and c.learner.ridge > 0 for c in CASES)
    for kind in kinds:
        same = [
            c for c in CASES if (type(c.learner), c.feature_draws > 1, c.data_draws > 1) == kind
        ]
        assert {(c.features < c.samples, c.noise > 0) for c in same} == {
            (a, b) for a in (True, False) for b in (True, False)
        }
        assert all(len(c.learner.values()) == 5 for c in same)


def test_scaled_cases_keep_their_times_between_the_same_modes():
    flow = DynamicalCase(Flow((8.0,), ridge=3.0), 10, 20, 0.0)
    one, four = (flow.cell(scale) for scale in (1, 4))
    rate = lambda cell: cell.learner.ridge / (cell.features * cell.samples)  # noqa: E731
    assert one.learner.times[0] * rate(one) == pytest.approx(four.learner.times[0] * rate(four))
    assert four.learner.times[0] == pytest.approx(8 * 4**1.25)
    steps = DynamicalCase(GradientDescent((8,), 0.3), 10, 20, 0.0).cell(4).learner.steps
    assert steps == (45,)


TIMES = (1.0, 10.0, 60.0)
FEW = [
    DynamicalCase(Flow(TIMES, ridge=5.0), 20, 40, 0.1),
    DynamicalCase(HeavyBall((1, 10, 60), 0.2, 0.7), 20, 40, 0.1),
    DynamicalCase(Flow(TIMES), 20, 30, 0.1, feature_draws=2),
    DynamicalCase(Flow(TIMES), 20, 30, 0.1, data_draws=2),
]


@pytest.fixture(scope="module")
def few():
    return simulate_cases(FEW, scales=(1, 2), seeds=80)


def test_the_theory_passes(few):
    result = compare(few, dynamic_theory, resolution=0.1)
    assert result.passed, f"{result.test.message}; {result.train.message}"


def _without_members(cell):
    return dynamic_theory(replace(cell, feature_draws=1, data_draws=1))


def _without_decay_or_momentum(cell):
    rule = cell.learner
    if isinstance(rule, Flow):
        return dynamic_theory(replace(cell, learner=Flow(rule.times)))
    return dynamic_theory(replace(cell, learner=GradientDescent(rule.steps, rule.rate)))


def _without_noise(cell):
    return dynamic_theory(replace(cell, noise=0.0))


@pytest.mark.parametrize("wrong", [_without_members, _without_decay_or_momentum, _without_noise])
def test_wrong_theories_are_rejected(few, wrong):
    result = compare(few, wrong, resolution=0.1)
    assert result.test.outcome == "fail", result.test.message
    assert result.train.outcome == "fail", result.train.message


def test_one_pass_sgd_passes_and_flow_in_its_place_does_not():
    learner = OnePassSGD((2, 10, 40), rate=0.3, batch=2)
    drawn = simulate_cases([DynamicalCase(learner, 20, 1, 0.1)], scales=(1, 2), seeds=80)
    result = compare(drawn, dynamic_theory, resolution=0.2)
    assert result.passed and result.train is None, result.test.message

    def without_gradient_noise(cell):
        flow = replace(cell.learner, batch=10**9)
        return dynamic_theory(replace(cell, learner=flow))

    assert compare(drawn, without_gradient_noise).test.outcome == "fail"


def test_theory_refuses_a_rule_without_time():
    with pytest.raises(InputError):
        dynamic_theory(Cell(SPECTRUM, 3, 4, Ridge((1.0,))))


@pytest.mark.slow
def test_theory_inside_the_intervals_of_all_cases():
    with process_pool(2) as executor:
        result = compare(simulate_cases(CASES, seeds=50, executor=executor), dynamic_theory,
                         resolution=0.15)  # fmt: skip
    assert not result.failures and min(result.seeds) >= 50
    assert result.test.passed, result.test.message
    assert result.train.outcome != "fail", result.train.message
    inside = np.mean([abs(row.score) < 2.576 for row in result.rows])
    assert inside > 0.95, f"{100 * inside:.1f} % inside their own 99 % interval"
