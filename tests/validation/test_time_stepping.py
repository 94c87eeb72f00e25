"""The time-stepping oracle: observed order, reference rows, simulation, exact special cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import GradientFlow, HeavyBall, OnePassSGD
from solvable.validation.time_stepping import (
    flow_update,
    gradient_descent_update,
    gradient_flow,
    momentum_update,
    one_pass_sgd,
    solve_mean_field,
)

MODES = np.arange(1, 201.0)
REFERENCE = MODES**-1.25, MODES**-1.5

# (N, P, t, σ²) → (excess loss, training loss).  The last training loss is confirmed by a contour
# integral of the Fourier-space solution and by this solver, both to 1e-9.
ROWS = {
    (60, 120, 10, 0.0): (0.5915381394696, 0.4479990032734),
    (60, 120, 1000, 0.0): (0.5585404227196, 0.1522909792756),
    (120, 60, 100, 0.1): (0.4810804525493, 0.0718681607334),
}


def power_law(modes, b=1.25, a=1.5):
    k = np.arange(1, modes + 1.0)
    return k**-b, k**-a


@pytest.mark.parametrize("row", ROWS)
def test_reference_rows_within_the_own_error_estimate(row):
    features, samples, time, noise = row
    model = {"features": features, "samples": samples, "noise": noise}
    value, error = gradient_flow(*REFERENCE, time, points=16, **model)
    distance = np.abs(value - ROWS[row])
    assert np.all(error < 1e-6), error
    assert np.all(distance <= error), f"distance {distance}, own estimate {error}"


@pytest.mark.parametrize(("rule", "order"), [("euler", 1), ("backward", 1), ("trapezoid", 2)])
def test_observed_order_of_convergence(rule, order):
    spectrum, model = power_law(40), {"features": 15, "samples": 25, "noise": 0.05}
    exact, _ = gradient_flow(*spectrum, 4.0, points=32, **model)
    counts = np.array([16, 32, 64])
    errors = []
    for count in counts:
        update = flow_update(np.linspace(0, 4, count + 1), rule)
        solution = solve_mean_field(*spectrum, update, **model)
        errors.append([solution.excess_loss[-1] - exact[0], solution.train_loss[-1] - exact[1]])
    slopes = np.diff(np.log(np.abs(errors)), axis=0)[-1] / np.log(2)
    assert np.all(np.abs(slopes + order) < 0.12), f"observed orders {-slopes}, expected {order}"


def test_without_bottlenecks_every_mode_trains_alone():
    lam, power = power_law(30)
    descent = solve_mean_field(lam, power, gradient_descent_update(12, 0.7)).excess_loss
    steps = np.arange(13)[:, None]
    assert np.allclose(descent, (power * (1 - 0.7 * lam) ** (2 * steps)).sum(axis=1), rtol=1e-13)
    flow, _ = gradient_flow(lam, power, 5.0)
    assert np.isclose(flow[0], (power * np.exp(-10 * lam)).sum(), rtol=1e-8)


def test_one_step_by_hand():
    """C₀(1,1) after one step, from ⟨u⁴u⁴⟩ = C₃/N and ⟨u²u²⟩ = λC₁/P, is the first planar moment."""
    (lam, power), eta, n, p, noise = power_law(20), 0.4, 7, 9, 0.3
    solution = solve_mean_field(
        lam, power, gradient_descent_update(1, eta), features=n, samples=p, noise=noise
    )
    train = power.sum() + noise
    inner = (power * lam).sum() + lam.sum() * train / p
    excess = (
        (power * (1 - eta * lam) ** 2).sum()
        + eta**2 * lam.sum() * inner / n
        + eta**2 * (lam**2).sum() * train / p
    )
    assert solution.train_loss[0] == pytest.approx(train, rel=1e-13)
    assert solution.excess_loss[1] == pytest.approx(excess, rel=1e-13)


def simulate(rule, *, features, samples, noise, seeds, steps, modes=120):
    """Excess and training loss of `rule(kernel step) → iterates` over independent draws."""
    lam, power = power_law(modes)
    losses = []
    for seed in np.random.SeedSequence(20240201).spawn(seeds):
        rng = np.random.default_rng(seed)
        data = rng.normal(size=(samples, modes)) * np.sqrt(lam)
        project = rng.normal(size=(features, modes))
        label = np.sqrt(noise) * rng.normal(size=samples)
        signs = rng.choice([-1.0, 1.0], size=modes)
        residual = np.sqrt(power / lam) * signs

        def force(v, data=data, project=project, label=label):
            inner = data.T @ (data @ v + label) / samples
            return project.T @ (project @ inner) / features

        path = rule(force, residual, steps)
        losses.append([[(lam * v**2).sum(), ((data @ v + label) ** 2).mean()] for v in path])
    losses = np.array(losses)
    return losses.mean(axis=0), losses.std(axis=0, ddof=1) / np.sqrt(seeds)


def heavy_ball(step_size, momentum):
    def rule(force, start, steps):
        path, velocity = [start], np.zeros_like(start)
        for _ in range(steps):
            velocity = momentum * velocity - step_size * force(path[-1])
            path.append(path[-1] + velocity)
        return path

    return rule


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize(("features", "samples"), [(80, 130), (130, 80)])
def test_against_simulated_training(momentum, features, samples):
    steps, noise = 15, 0.1
    model = {"features": features, "samples": samples, "noise": noise}
    mean, error = simulate(heavy_ball(0.3, momentum), seeds=60, steps=steps, **model)
    spectrum = power_law(120)
    solution = solve_mean_field(*spectrum, momentum_update(steps, 0.3, momentum), **model)
    theory = np.stack([solution.excess_loss, solution.train_loss], axis=1)
    score = np.abs(theory - mean)[[1, 4, 8, 12, 15]] / error[[1, 4, 8, 12, 15]]
    assert np.all(score < 3.3), f"distance in standard errors {score}"
    # the same equations without the features' bottleneck are excluded by the same data
    wrong = solve_mean_field(
        *spectrum, momentum_update(steps, 0.3, momentum), samples=samples, noise=noise
    )
    assert np.abs(wrong.excess_loss - mean[:, 0])[-1] / error[-1, 0] > 4.5


def test_one_pass_sgd_against_simulation():
    modes, features, batch, step, noise, steps, seeds = 120, 90, 6, 0.25, 0.1, 15, 200
    lam, power = power_law(modes)
    losses = []
    for seed in np.random.SeedSequence(7).spawn(seeds):
        rng = np.random.default_rng(seed)
        project = rng.normal(size=(features, modes))
        v = np.sqrt(power / lam) * rng.choice([-1.0, 1.0], size=modes)
        path = [(lam * v**2).sum()]
        for _ in range(steps):
            data = rng.normal(size=(batch, modes)) * np.sqrt(lam)
            residual = data @ v + np.sqrt(noise) * rng.normal(size=batch)
            v = v - step * project.T @ (project @ (data.T @ residual)) / (features * batch)
            path.append((lam * v**2).sum())
        losses.append(path)
    mean, error = np.mean(losses, axis=0), np.std(losses, axis=0, ddof=1) / np.sqrt(seeds)
    theory = one_pass_sgd(
        lam, power, steps=steps, step_size=step, batch=batch, features=features, noise=noise
    )
    score = np.abs(theory - mean)[[1, 4, 8, 12, 15]] / error[[1, 4, 8, 12, 15]]
    assert np.all(score < 3.5), f"distance in standard errors {score}"
    quiet = one_pass_sgd(
        lam, power, steps=steps, step_size=step, batch=1e9, features=features, noise=noise
    )
    assert abs(quiet[-1] - mean[-1]) / error[-1] > 4.5


@settings(max_examples=15, deadline=None)
@given(
    features=st.integers(3, 40),
    samples=st.integers(3, 40),
    step=st.floats(0.05, 0.5),
    b=st.floats(1.05, 2.5),
)
def test_isotropic_noiseless_loss_is_symmetric_in_features_and_samples(features, samples, step, b):
    lam, _ = power_law(25, b)
    update = gradient_descent_update(8, step)
    one = solve_mean_field(lam, lam, update, features=features, samples=samples).excess_loss
    two = solve_mean_field(lam, lam, update, features=samples, samples=features).excess_loss
    assert np.allclose(one, two, rtol=1e-10)


def test_symmetry_is_broken_by_noise():
    lam, _ = power_law(25)
    update = gradient_descent_update(8, 0.4)
    one = solve_mean_field(lam, lam, update, features=5, samples=20, noise=0.5).excess_loss
    two = solve_mean_field(lam, lam, update, features=20, samples=5, noise=0.5).excess_loss
    assert abs(one[-1] / two[-1] - 1) > 0.01


def test_learners_with_separate_features_or_data_are_less_correlated():
    spectrum, update = power_law(40), flow_update(np.linspace(0, 10, 30))
    model = {"features": 12, "samples": 20}
    own = solve_mean_field(*spectrum, update, **model).excess_loss[-1]
    features = solve_mean_field(*spectrum, update, **model, shared_features=False).excess_loss[-1]
    data = solve_mean_field(*spectrum, update, **model, shared_data=False).excess_loss[-1]
    both = solve_mean_field(
        *spectrum, update, **model, shared_features=False, shared_data=False
    ).excess_loss[-1]
    assert both < min(features, data) < max(features, data) < own


def test_weight_decay_leaves_the_target_unlearnt():
    lam, power = power_law(30)
    value, _ = gradient_flow(lam, power, 200.0, ridge=0.5)
    assert value[0] == pytest.approx((power * (0.5 / (0.5 + lam)) ** 2).sum(), rel=1e-6)


LAW = PowerLaw(exponent=1.25, target_exponent=1.5, size=60)
MODEL = {"features": 20, "samples": 35, "noise": 0.1}


def test_contours_agree_with_the_flow_within_the_step_error():
    arrays = LAW.eigenvalues(), LAW.target_power()
    for time in (0.5, 20.0, 1e4):
        value, error = gradient_flow(*arrays, time, points=16, **MODEL)
        exact = dynamics(LAW, 20, 35, time, noise=0.1)
        found = np.array([exact.excess_loss, exact.train_loss])
        assert np.all(np.abs(value - found) <= np.maximum(error, 1e-11)), (time, value - found)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_contours_agree_with_discrete_rules_to_rounding(momentum):
    arrays, steps = (LAW.eigenvalues(), LAW.target_power()), np.arange(1, 31)
    stepped = solve_mean_field(*arrays, momentum_update(30, 0.4, momentum), **MODEL)
    exact = dynamics(LAW, 20, 35, steps, noise=0.1, learner=HeavyBall(0.4, momentum))
    assert np.allclose(stepped.excess_loss[1:], exact.excess_loss, rtol=1e-9)
    assert np.allclose(stepped.train_loss[1:], exact.train_loss, rtol=1e-9)


def test_contours_agree_with_one_pass_sgd_to_rounding():
    stepped = one_pass_sgd(
        LAW.eigenvalues(), LAW.target_power(), steps=15, step_size=0.4, batch=5, features=20,
        noise=0.1,
    )  # fmt: skip
    exact = dynamics(LAW, 20, np.inf, np.arange(1, 16), noise=0.1, learner=OnePassSGD(0.4, 5))
    assert np.allclose(stepped[1:], exact.excess_loss, rtol=1e-9)


def test_contours_agree_with_weight_decay():
    value, error = gradient_flow(LAW.eigenvalues(), LAW.target_power(), 20.0, ridge=0.05, **MODEL)
    exact = dynamics(LAW, 20, 35, 20.0, noise=0.1, learner=GradientFlow(decay=0.05))
    assert abs(value[0] - exact.excess_loss) <= max(error[0], 1e-9)


def test_contours_agree_with_ensembles_and_bags():
    """Averages of E × K learners from the correlations of pairs."""
    arrays, update = (LAW.eigenvalues(), LAW.target_power()), gradient_descent_update(12, 0.4)
    pairs = {
        (f, d): solve_mean_field(
            *arrays, update, **MODEL, shared_features=f, shared_data=d
        ).excess_loss[-1]
        for f in (True, False)
        for d in (True, False)
    }
    share = {"E": {True: 1 / 3, False: 2 / 3}, "K": {True: 1 / 4, False: 3 / 4}}
    mean = sum(share["E"][f] * share["K"][d] * value for (f, d), value in pairs.items())
    exact = dynamics(LAW, 20, 35, 12, noise=0.1, learner=HeavyBall(0.4), ensemble=3, bags=4)
    assert exact.excess_loss == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: flow_update([1, 2]),
        lambda: flow_update([0, 2, 1]),
        lambda: flow_update([0, 1], "simpson"),
        lambda: momentum_update(3, 0.1, 1.0),
        lambda: solve_mean_field([1.0], [1.0], np.triu(np.ones((3, 3)))),
        lambda: solve_mean_field([1.0], [1.0], np.eye(2), features=-1),
        lambda: solve_mean_field([1.0], [1.0], np.eye(2), samples=float("nan")),
    ],
)
def test_bad_input_is_named(call):
    with pytest.raises(InputError):
        call()
