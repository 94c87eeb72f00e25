"""The loss by source: sums, signs, limits, and what pairs of simulated models isolate."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError, PrecisionError
from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import Empirical, ExponentialDecay, Flat, PowerLaw
from solvable.analytic.training.decomposition import decompose
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import (
    GradientDescent,
    GradientFlow,
    HeavyBall,
    MinibatchSGD,
    OnePassSGD,
    RidgeRegression,
)
from solvable.validation import sampled

INF = math.inf
LAW = PowerLaw(exponent=1.25, target_exponent=1.5, size=150)
RULES = [
    GradientFlow(), GradientFlow(0.02), GradientDescent(0.3), HeavyBall(0.2, 0.6),
    MinibatchSGD(0.2, 4), RidgeRegression(),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("sizes", [(60, 90), (90, 60)])
def test_parts_sum_to_the_loss(rule, sizes):
    at = [0.001, 0.1] if rule.scored == "ridge" else [1, 10, 500]
    parts = decompose(LAW, *sizes, at, learner=rule, noise=0.2)
    loss = dynamics(LAW, *sizes, at, learner=rule, noise=0.2).excess_loss
    assert parts.excess_loss == pytest.approx(loss, rel=1e-12)
    for name, part in parts.parts().items():
        assert np.all(part >= 0), name
    assert np.all(parts.features > 1e-4) and np.all(parts.samples > 1e-4)


def test_one_pass_has_no_samples_and_a_wide_model_no_features():
    parts = decompose(LAW, 60, math.inf, [5, 50], learner=OnePassSGD(0.2, 4), noise=0.1)
    assert np.all(parts.gradient_noise > 1e-3) and np.all(parts.features > 1e-3)
    for name in ("samples", "noise", "features_samples", "features_noise"):
        assert np.all(getattr(parts, name) == 0)
    wide = decompose(LAW, math.inf, 60, [5.0, 50.0], noise=0.1)
    assert np.all(wide.features == 0) and np.all(wide.noise > 1e-3)


SCHEDULED = [
    {"schedule": "wsd:warmup=0.1,decay=0.3", "batch_schedule": "steps:parts=2,factor=2"},
    {"decay": 0.05}, {"preconditioner": -0.2},
    pytest.param({"momentum": 0.6}, marks=pytest.mark.slow),
    pytest.param({"average": "tail:start=0.5"}, marks=pytest.mark.slow),
]  # fmt: skip


@pytest.mark.parametrize("options", SCHEDULED, ids=str)
@pytest.mark.parametrize("sizes", [(60, 90), (60, math.inf), (math.inf, 60)])
def test_parts_sum_to_the_loss_under_schedules(options, sizes):
    kind = OnePassSGD if sizes[1] == math.inf else MinibatchSGD
    rule = kind(0.2, 4, steps=60, **options)
    parts = decompose(LAW, *sizes, [1, 10, 60], learner=rule, noise=0.2)
    loss = dynamics(LAW, *sizes, [1, 10, 60], learner=rule, noise=0.2).excess_loss
    assert parts.excess_loss == pytest.approx(loss, rel=1e-12)
    for name, part in parts.parts().items():
        assert np.all(part >= 0), name
    for unlimited, size in zip(("features", "samples"), sizes):
        for name, part in parts.parts().items():
            if unlimited in name or (unlimited == "samples" and name.endswith("noise")):
                assert size < math.inf or name == "gradient_noise" or np.all(part == 0), name
        assert np.all((getattr(parts, unlimited) > 1e-6) == (size < math.inf))


@pytest.mark.parametrize("options", [{}, {"momentum": 0.5}, {"decay": 0.1}, {"schedule": "cosine"}])
def test_fresh_samples_are_not_of_a_finite_number(options):
    """Nowhere: parts, losses, curves and critical steps of one pass have no T."""
    rule = OnePassSGD(0.2, 4, **options)
    asked = (
        lambda: decompose(LAW, 60, 90, [1, 10], learner=rule),
        lambda: dynamics(LAW, 60, 90, [1, 10], learner=rule),
        lambda: rule.follow(LAW, 60, 90, [1, 10]),
        lambda: rule.critical_step(LAW, 60, 90),
    )
    for each in asked:
        with pytest.raises(InputError, match=r"samples = 90.* no sample is seen twice"):
            each()


def test_equal_steps_given_one_by_one_have_the_parts_of_the_rule():
    """Two roads: pairs of complex modes, and averages over pairs of models on contours."""
    rule, listed = MinibatchSGD(0.2, 4), MinibatchSGD(0.2, 4, schedule=[0.2] * 60)
    one, two = (decompose(LAW, 60, 90, [1, 10, 60], learner=x, noise=0.2) for x in (rule, listed))
    for name, part in one.parts().items():
        assert getattr(two, name) == pytest.approx(part, abs=1e-11), name
    assert not np.allclose(two.features, one.samples, rtol=1e-2)  # which of the two is seen


def test_noise_is_linear_and_the_ridgeless_model_is_the_limit():
    one, two = (decompose(LAW, 40, 70, [30.0], noise=s) for s in (0.1, 0.3))
    assert two.noise == pytest.approx(3 * one.noise, rel=1e-9)
    assert two.features_noise == pytest.approx(3 * one.features_noise, rel=1e-9)
    assert two.bias == pytest.approx(one.bias, rel=1e-12)
    ridgeless = decompose(LAW, 40, 70, [0.0], learner=RidgeRegression(), noise=0.1)
    closed = static_loss(LAW, 40, 70, noise=0.1).excess_loss
    assert ridgeless.excess_loss == pytest.approx([float(closed)], rel=1e-9)
    with pytest.raises(InputError, match="ridges"):
        decompose(LAW, 40, 70, [0.0, 1.0], learner=RidgeRegression())


def test_pairs_of_simulated_models_isolate_the_parts():
    z, cell = 0.02, sampled.task(noise=0.3)
    parts = decompose(cell.spectrum, cell.features, cell.samples, [z], learner=RidgeRegression(),
                      noise=0.3)  # fmt: skip
    p = {name: float(value[0]) for name, value in parts.parts().items()}
    for own_features, own_data, expected in (
        (True, True, p["bias"]),
        (False, True, p["bias"] + p["features"]),
        (True, False, p["bias"] + p["samples"] + p["noise"]),
        (False, False, float(parts.excess_loss[0])),
    ):
        runs = sampled.ridge_product(
            cell, (z, z), 150, own_features=own_features, own_data=own_data
        )
        error = runs.std() / math.sqrt(len(runs))
        assert abs(runs.mean() - expected) < 3.5 * error + 0.01 * expected
        assert error < 0.02 * expected


SPECTRA = [
    LAW, PowerLaw(exponent=1.001, size=12), PowerLaw(exponent=1.5, target_exponent=3), Flat(30),
    ExponentialDecay(rate=0.3, size=20), Empirical([1, 0.3, 1e-5, 0], [1, 0.5, 2, 3]),
]  # fmt: skip


def compare(spectrum, n, t, rule, at, noise):
    """The parts sum to the loss and none is negative, at any sizes, rule and noise."""
    parts = decompose(spectrum, n, INF if rule.fresh else t, at, learner=rule, noise=noise)
    loss = dynamics(spectrum, n, INF if rule.fresh else t, at, learner=rule, noise=noise)
    assert parts.excess_loss == pytest.approx(loss.excess_loss, rel=1e-12, abs=1e-60)
    for name, part in parts.parts().items():
        assert np.all(part >= 0), name


ANY = given(
    spectrum=st.sampled_from(SPECTRA), n=st.sampled_from([2, 12, 30, 150, 10**7, INF]),
    t=st.sampled_from([2, 12, 30, 150, 10**7, INF]), noise=st.sampled_from([0, 1e-6, 0.3, 1e3]),
    rule=st.sampled_from([*RULES, GradientFlow(1e-8), OnePassSGD(0.2, 8), RidgeRegression()]),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@ANY
def test_parts_of_any_model_sum_to_the_loss(spectrum, n, t, rule, noise):
    at = [1e-12, 0.01, 3.0] if rule.scored == "ridge" else [1, 20, 70]
    compare(spectrum, n, 150 if isinstance(rule, MinibatchSGD) else t, rule, at, noise)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@ANY
def test_parts_of_ridgeless_models_sum_to_the_loss(spectrum, n, t, rule, noise):
    smaller = min(n, t)
    if n != t and not (t == smaller == spectrum.size and noise):  # where it is infinite
        compare(spectrum, n, t, RidgeRegression(), [0.0], noise)


def test_parts_of_a_loss_beyond_numbers_are_refused():
    rule = HeavyBall(0.28, 0.9)
    assert decompose(Flat(575), 50, INF, [2, 83], learner=rule).excess_loss[-1] > 1e80
    with pytest.raises(PrecisionError, match="at 396"):
        decompose(Flat(575), 50, INF, [2, 83, 396], learner=rule)
