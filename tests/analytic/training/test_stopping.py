"""When to stop: against brute force over whole steps, at ends, and where rules have an end."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
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
from solvable.analytic.training.stopping import optimal_stopping

LAW = PowerLaw(exponent=1.25, target_exponent=1.5, size=200)


def test_optimal_stopping_with_noise():
    best = optimal_stopping(LAW, 200, 120, noise=0.5)
    around = dynamics(LAW, 200, 120, best.time * np.array([0.9, 1, 1.1]), noise=0.5).excess_loss
    assert around[1] < min(around[0], around[2]) and best.gain > 0.1
    assert best.excess_loss == pytest.approx(around[1], rel=1e-12)
    assert best.gain == 1 - best.excess_loss / best.final
    assert replace(best, final=math.inf).gain == 1  # of an infinite loss all is saved
    steps = optimal_stopping(LAW, 200, 120, noise=0.5, learner=GradientDescent(0.1))
    assert steps.time == pytest.approx(best.time / 0.1, rel=0.1) and steps.time == round(steps.time)


def test_no_early_stopping_without_noise_or_reuse():
    best = optimal_stopping(LAW, 60, math.inf)
    assert best.time == math.inf
    assert best.excess_loss == pytest.approx(static_loss(LAW, 60, math.inf).excess_loss, rel=1e-12)


@given(
    st.sampled_from([GradientDescent, lambda step: HeavyBall(step, 0.8)]),
    st.floats(0.01, 6), st.floats(0, 4), st.integers(1, 300), st.integers(20, 300),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_the_best_whole_step_is_that_of_all_steps(rule, step, noise, last, samples):
    """Small steps and steps that diverge at once: then the best is to train not at all."""
    learner, steps = rule(step), np.arange(last + 1)
    losses = dynamics(LAW, 60, samples, steps, learner=learner, noise=noise).excess_loss
    best = optimal_stopping(LAW, 60, samples, learner=learner, noise=noise, last=last)
    assert best.final == pytest.approx(losses[-1], rel=1e-9)
    falls = losses[1:] < losses[:-1]
    if np.all(falls[: losses.argmin()]) and not np.any(falls[losses.argmin() :]):
        assert best.excess_loss == pytest.approx(losses.min(), rel=1e-9)
    assert best.excess_loss <= losses[0] * (1 + 1e-9)


def test_a_rule_that_diverges_at_once_is_best_not_begun():
    best = optimal_stopping(LAW, 60, 50, learner=GradientDescent(9.0), noise=0.3)
    assert best.time == 0 and best.final == math.inf
    assert best.excess_loss == pytest.approx(float(LAW.total_target_power()), rel=1e-12)


RULES = {
    "cosine": OnePassSGD(0.3, 4, schedule="cosine", steps=40),
    "values": OnePassSGD(0.3, 4, schedule=(0.3,) * 30 + (0.1,) * 10),
    "batches": OnePassSGD(0.3, 4, batch_schedule="steps:parts=2,factor=2", steps=40),
    "tail": OnePassSGD(0.3, 4, average="tail:start=0.5", steps=40),
    "momentum": MinibatchSGD(0.1, 4, momentum=0.5, steps=40),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rules_with_schedules_end_with_them(rule):
    samples = math.inf if rule.fresh else 50
    steps = np.arange(41)
    losses = dynamics(LAW, 60, samples, steps, learner=rule, noise=0.5).excess_loss
    best = optimal_stopping(LAW, 60, samples, learner=rule, noise=0.5)
    assert best.excess_loss == pytest.approx(losses.min(), rel=1e-8)
    assert best.time == losses.argmin() and best.final == pytest.approx(losses[-1], rel=1e-8)
    early = optimal_stopping(LAW, 60, samples, learner=rule, noise=0.5, last=7)
    assert early.time <= 7 and early.excess_loss == pytest.approx(losses[:8].min(), rel=1e-8)


@pytest.mark.parametrize(("options", "named"), [
    ({"learner": RidgeRegression()}, "optimal_ridge"),
    ({"learner": OnePassSGD(0.3, 4, schedule="cosine")}, "`steps`"),
    ({"learner": OnePassSGD(0.3, 4, average="tail:start=0.5")}, "`steps`"),
    ({"last": -1.0}, "last = -1"), ({"last": math.nan}, "last"), ({"last": 0}, "last"),
    ({"learner": GradientDescent(0.1), "last": 2.5}, "last = 2.5"),
])  # fmt: skip
def test_what_does_not_train_in_time_is_refused(options, named):
    with pytest.raises(InputError, match=named):
        optimal_stopping(LAW, 60, math.inf, **options)
