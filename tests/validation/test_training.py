"""The streamed path against explicit matrices, rule by rule and seed by seed."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import Empirical, PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import (
    GradientDescent,
    GradientFlow,
    HeavyBall,
    OnePassSGD,
    PreconditionedDescent,
    RidgeRegression,
)
from solvable.analytic.training.training_rule import RULES, Filter, learner_from_dict
from solvable.validation import dense
from solvable.validation.cells import Cell
from solvable.validation.entry_laws import EntryLaw, Role, Streams
from solvable.validation.stochastic import descend, gaussian_batches, streamed_batches
from solvable.validation.sweep import seed_sequence
from solvable.validation.theory import theory
from solvable.validation.training import factorise, simulate

ISOTROPIC = PowerLaw(alpha=0.5, size=60)
EASY = PowerLaw(exponent=1.2, target_exponent=2.0, size=700)
AT = {"ridge": (0, 0.01, 0.5), "time": (0, 1, 30.0, 300.0), "step": (0, 1, 7, 40)}
#: every rule at its example, and at its defaults where it has them
FILTERS = [kind(*kind.example) for kind in RULES.values() if issubclass(kind, Filter)]
LEARNERS = [*FILTERS, GradientFlow()]
SHAPES = [(10, 25), (25, 10), (18, 18)]


def agree(cell, seed=3, tolerance=1e-9):
    streamed, explicit = simulate(cell, seed), dense.losses(cell, seed)
    assert streamed.keys() == explicit.keys() == set(cell.observables())
    for name, value in explicit.items():
        assert streamed[name] == pytest.approx(value, rel=tolerance, abs=1e-11), name


@pytest.mark.parametrize("learner", LEARNERS, ids=repr)
@pytest.mark.parametrize(("features", "samples"), SHAPES)
@pytest.mark.parametrize("spectrum", [ISOTROPIC, EASY], ids=["isotropic", "easy"])
def test_every_rule_equals_explicit_matrices(learner, features, samples, spectrum):
    at = AT[learner.scored]
    agree(Cell(spectrum, features, samples, learner, at, noise=0.1, feature_variance=0.7))


@pytest.mark.parametrize("law", ["gaussian", "rademacher", "uniform", "laplace"])
@pytest.mark.parametrize("targets", ["average", "fixed"])
def test_every_law_and_target_equals_explicit_matrices(law, targets):
    for data_law in (
        EntryLaw(law),
        EntryLaw("student", 5),
        EntryLaw("sparse", 0.3),
        EntryLaw("elliptical", 4),
    ):
        agree(Cell(EASY, 12, 20, at=(0, 0.1), noise=0.2, targets=targets,
                   feature_law=EntryLaw(law), data_law=data_law))  # fmt: skip


@pytest.mark.parametrize(("feature_draws", "data_draws"), [(3, 1), (1, 3), (2, 2)])
def test_ensembles_and_bags_equal_explicit_matrices(feature_draws, data_draws):
    for learner, at in ((RidgeRegression(), (0, 0.1)), (GradientFlow(), (5.0,))):
        agree(Cell(EASY, 9, 14, learner, at, noise=0.1, feature_draws=feature_draws,
                   data_draws=data_draws))  # fmt: skip


@pytest.mark.parametrize("learner", LEARNERS, ids=repr)
def test_a_wrong_rule_does_not_agree(learner):
    right = Cell(EASY, 15, 25, learner, AT[learner.scored], noise=0.1)
    wrong = replace(right, at=[value + 1 for value in right.at])
    streamed, explicit = simulate(right, 3), dense.losses(wrong, 3)
    pairs = list(zip(streamed.values(), explicit.values(), strict=True))
    assert all(abs(a / b - 1) > 1e-8 for a, b in pairs if b > 1e-9), pairs


def test_ridgeless_reveals_the_rank_when_there_are_few_modes():
    few = PowerLaw(alpha=1.5, size=15)
    agree(Cell(few, 40, 30, noise=0.3), tolerance=1e-7)
    noiseless = simulate(Cell(few, 40, 30), 1)
    assert abs(noiseless["excess_loss[ridge=0]"]) < 1e-10  # nothing is lost beyond M


def test_ridgeless_reveals_the_rank_where_the_factorisation_rounds_more_than_the_matrix():
    """The 251st of 250 singular values comes out as a few ε times the largest."""
    cell = Cell(PowerLaw(alpha=1.0, size=250), 500, 375)
    for index in range(4):
        loss = simulate(cell, seed_sequence(0, cell, index))["excess_loss[ridge=0]"]
        assert abs(loss) < 1e-10


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rank_is_that_of_the_modes_and_not_of_the_rounding(dtype):
    rng = np.random.default_rng(0)
    for rank, exponent in itertools.product((5, 20), (0.0, 0.5, 1.0)):
        scale = np.arange(1, rank + 1.0) ** -exponent
        left, right = rng.normal(size=(60, rank)) * scale, rng.normal(size=(rank, 50))
        kernel = (left.astype(dtype) @ right.astype(dtype)).astype(float)
        assert len(factorise(kernel, float(np.finfo(dtype).eps)).values) == rank


def test_ridge_tends_to_ridgeless_and_flow_to_ridge():
    cell = Cell(EASY, 15, 25, at=(0, 1e-9))
    first, second, *_ = simulate(cell, 0).values()
    assert second == pytest.approx(first, rel=1e-6)
    late = simulate(Cell(EASY, 15, 25, GradientFlow(0.3 / 375), (1e9,), noise=0.1), 0)
    ridge = simulate(Cell(EASY, 15, 25, at=(0.3,), noise=0.1), 0)
    assert list(late.values()) == pytest.approx(list(ridge.values()), rel=1e-9)


def test_descent_tends_to_flow_at_first_order_in_the_rate():
    time, rates = 4.0, np.array([0.04, 0.02, 0.01])
    flow = simulate(Cell(EASY, 15, 25, GradientFlow(), (time,)), 0)["excess_loss[time=4]"]
    errors = []
    for rate in rates:
        steps = round(time / rate)
        cell = Cell(EASY, 15, 25, GradientDescent(rate), (steps,))
        errors.append(abs(simulate(cell, 0)[f"excess_loss[step={steps}]"] - flow))
    slope = np.polyfit(np.log(rates), np.log(errors), 1)[0]
    assert slope == pytest.approx(1, abs=0.1), f"observed rate {slope:.3f}, expected 1"


SGD, STEPS = OnePassSGD(0.4, batch=3), (0, 1, 5, 12)


@pytest.mark.parametrize("law", [EntryLaw(), EntryLaw("laplace")], ids=lambda law: law.name)
def test_one_pass_sgd_equals_steps_on_explicit_batches(law):
    cell = Cell(EASY, 8, 36, SGD, STEPS, noise=0.2, targets="fixed", data_law=law)
    drawn = dense.realise(cell, 5)
    u, x = drawn.features[0], drawn.data[0]
    root = np.sqrt(drawn.variances)
    noise = Streams.of(5)(Role.NOISE)
    v, losses = root, [np.sum(drawn.eigenvalues * root**2)]
    for step in range(12):
        batch = x[:, 3 * step : 3 * step + 3]
        errors = batch.T @ v + np.sqrt(0.2) * noise.standard_normal((3, 1))[:, 0]
        v = v - 0.4 / (8 * 3) * u.T @ (u @ batch @ errors)
        losses.append(np.sum(drawn.eigenvalues * v**2))
    population, batches = streamed_batches(cell, 5)
    (streamed,) = descend(population, batches, cell, Streams.of(5))
    assert streamed == pytest.approx(np.array(losses)[list(STEPS)], rel=1e-10)


def test_projected_batches_have_the_law_of_streamed_ones():
    cell = Cell(EASY, 8, 1, SGD, STEPS, noise=0.2, targets=3)
    population, _ = gaussian_batches(cell, 5)
    same, _ = streamed_batches(cell, 5)
    assert population.kernel == pytest.approx(same.kernel, rel=1e-10)
    assert population.cross == pytest.approx(same.cross, rel=1e-10)
    assert population.power == pytest.approx(same.power, rel=1e-10)
    both = []
    for batches_of in (gaussian_batches, streamed_batches):
        runs = [descend(*batches_of(cell, k), cell, Streams.of(k))[0] for k in range(150)]
        both.append((np.mean(runs, axis=0)[1:], np.std(runs, axis=0)[1:] / np.sqrt(150)))
    z = (both[0][0] - both[1][0]) / np.hypot(both[0][1], both[1][1])
    assert np.abs(z).max() < 3.5, z


def test_close_values_have_different_names():
    ridges = (1.0, 1.0 + 1e-9, 1.0 + 2e-9)
    names = simulate(Cell(EASY, 4, 5, at=ridges), 0)
    assert len(names) == 6 and "excess_loss[ridge=1]" in names


def test_gains_tend_to_their_limits_at_zero_and_small_eigenvalues():
    eigenvalues = np.array([0.0, 1e-14, 1e-9, 0.3, 1.0])
    for learner, at, first in (
        (GradientDescent(0.7), [5, 2000], [3.5, 1400.0]),
        (GradientFlow(), [5.0, 2000.0], [5.0, 2000.0]),
        (HeavyBall(0.5, 0.5), [1, 2], [0.5, 1.25]),
    ):
        gain = learner.gain(eigenvalues, np.array(at)[:, None])
        assert gain[:, 0] == pytest.approx(first, rel=1e-14)
        assert gain[:, 1] == pytest.approx(first, rel=1e-9)
    steps = np.array([[3], [50]])
    same = HeavyBall(1.7).gain(eigenvalues, steps)  # 1 − ηλ < 0 at λ = 1
    assert GradientDescent(1.7).gain(eigenvalues, steps) == pytest.approx(same, rel=1e-12)


def test_learners_refuse_bad_parameters():
    for make in (
        lambda: Cell(EASY, 3, 4, at=(-1,)), lambda: Cell(EASY, 3, 4, at=()),
        lambda: Cell(EASY, 3, 4, GradientFlow(), (float("nan"),)),
        lambda: Cell(EASY, 3, 4, GradientDescent(1), (1.5,)), lambda: HeavyBall(0.1, momentum=1.0),
        lambda: GradientDescent(0), lambda: OnePassSGD(0.1, batch=0),
        lambda: learner_from_dict({"rule": "adam"}),
        lambda: learner_from_dict({"rule": "ridge", "gamma": [1]}),
    ):  # fmt: skip
        with pytest.raises(InputError):
            make()


@pytest.mark.parametrize("kind", RULES.values(), ids=RULES)
def test_every_rule_goes_to_json_and_back(kind):
    learner = kind(*kind.example)
    assert learner_from_dict(json.loads(json.dumps(learner.to_dict()))) == learner


@pytest.mark.parametrize("exponent", [-1.0, -0.4, 0.3])
def test_a_preconditioner_makes_another_spectrum(exponent):
    rule = PreconditionedDescent(0.2, exponent)
    law = PowerLaw(exponent=1.5, target_exponent=2, size=60, scale=0.8)
    same = Empirical(law.eigenvalues(), law.target_power())
    found = dynamics(law, 30, 40, [5, 50], learner=rule, noise=0.1).excess_loss
    listed = dynamics(same, 30, 40, [5, 50], learner=rule, noise=0.1).excess_loss
    assert found == pytest.approx(listed, rel=1e-10)
    runs = np.array([
        list(dense.losses(Cell(law, 30, 40, rule, (5, 50), noise=0.1), seed).values())[:2]
        for seed in range(80)
    ])  # fmt: skip
    error = runs.std(axis=0) / np.sqrt(80)
    assert np.all(np.abs(runs.mean(axis=0) - found) < 3.5 * error + 0.02 * found)
    plain = dynamics(law, 30, 40, [5, 50], learner=GradientDescent(0.2), noise=0.1).excess_loss
    assert np.all(np.abs(plain / found - 1) > 0.02)


def test_target_power_on_no_mode_is_in_theory_and_simulation_alike():
    """Labels with E f_⊥² = 0.5 by hand, against both; without their noise it is rejected."""
    modes = np.geomspace(1, 0.01, 40)
    cell = Cell(Empirical([*modes, 0], [*(0.1 * modes), 0.5]), 60, 90, at=(20.0,), noise=0.1)
    generator = np.random.default_rng(5)
    by_hand = []
    for _ in range(60):
        u = generator.standard_normal((60, 40))
        x = np.sqrt(modes)[:, None] * generator.standard_normal((40, 90))
        w = np.sqrt(0.1) * generator.standard_normal(40)
        labels = w @ x + np.sqrt(0.6) * generator.standard_normal(90)
        phi = u @ x
        theta = np.linalg.solve(phi @ phi.T + 20 * np.eye(60), phi @ labels)
        by_hand.append(np.sum(modes * (w - u.T @ theta) ** 2) + 0.5)
    mean, error = np.mean(by_hand), np.std(by_hand) / np.sqrt(60)
    simulated = np.mean([simulate(cell, seed)["excess_loss[ridge=20]"] for seed in range(60)])
    expected = theory(cell)["excess_loss[ridge=20]"]
    assert abs(simulated - mean) < 5 * error and abs(expected - mean) < 5 * error
    assert dense.losses(cell, 3) == pytest.approx(simulate(cell, 3), rel=1e-9)
    bare = theory(Cell(Empirical(modes, 0.1 * modes), 60, 90, at=(20.0,), noise=0.1))
    assert abs(bare["excess_loss[ridge=20]"] + 0.5 - mean) > 5 * error
