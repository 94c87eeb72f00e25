"""SGD in the mean: generating functions against the exact recursion and against simulation."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag
from scipy.optimize import brentq

from solvable.analytic.spectrum import Empirical, Flat, PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import GradientDescent, OnePassSGD
from solvable.analytic.training.stability import critical_sgd_step, spectral_edge
from solvable.analytic.training.stochastic_gradient import batch_noise, growth_factor, recursion

INF = math.inf
SPECTRA = [
    PowerLaw(exponent=2, target_exponent=2, size=300),
    PowerLaw(exponent=1.25, target_exponent=1.5, size=300),
    Empirical(np.array([1.0] * 5 + [0.3] * 20), np.array([0.2] * 5 + [0.05] * 20)),
]
STEPS = np.array([0, 1, 2, 5, 20, 34, 35, 36, 100, 400])


def exact(spectrum, step, batch, count, noise=0.0):
    rule = batch_noise(step, batch)
    return recursion(spectrum.eigenvalues(), spectrum.target_power(), rule, count, noise)


@pytest.mark.parametrize("spectrum", SPECTRA, ids=["b=2", "b=1.25", "atoms"])
@pytest.mark.parametrize("batch", [1, 2, 8, 32])
@pytest.mark.parametrize("share", [0.3, 0.95, 1.2])
def test_every_batch_equals_the_exact_recursion(spectrum, batch, share):
    step = share * OnePassSGD(1, batch).critical_step(spectrum, INF, INF)
    found = dynamics(spectrum, INF, INF, STEPS, learner=OnePassSGD(step, batch), noise=0.3)
    expected = exact(spectrum, step, batch, 400, 0.3)[STEPS]
    assert found.excess_loss == pytest.approx(expected, rel=1e-11)
    assert found.train_loss == pytest.approx(expected + 0.3, rel=1e-11)
    assert bool(found.diverges) is (share > 1)
    white = np.abs(exact(spectrum, step, batch + 1, 400, 0.3)[STEPS[1:]] / expected[1:] - 1)
    assert np.all(white > 1e-4)  # one sample more in the batch is noticed


def test_known_values_at_small_batches():
    """Exact recursion of 10⁵ modes of λ = w²λ = k⁻², η = 0.7, B = 1."""
    law = PowerLaw(exponent=2, target_exponent=2)
    found = dynamics(law, INF, INF, [1, 10, 100, 1000], learner=OnePassSGD(0.7, 1)).excess_loss
    assert found == pytest.approx([1.99904942, 7.65229, 605709.27, 3.394e54], rel=2e-4)
    for batch, edge in ((1, 0.611), (2, 0.951), (32, 1.881)):
        assert OnePassSGD(1, batch).critical_step(law, INF, INF) == pytest.approx(edge, abs=5e-4)


@pytest.mark.parametrize("spectrum", SPECTRA, ids=["b=2", "b=1.25", "atoms"])
@pytest.mark.parametrize("batch", [1, 2, 8, 32])
def test_critical_step_is_that_of_the_exact_recursion(spectrum, batch):
    lam, curvature = spectrum.eigenvalues(), 1 + 1 / batch

    def excess(step):
        return step / batch * np.sum(lam / (2 - curvature * step * lam)) - 1

    top = 2 / (curvature * lam[0])
    edge = brentq(excess, 0, top * (1 - 1e-13), xtol=1e-16, rtol=1e-15)
    assert OnePassSGD(1, batch).critical_step(spectrum, INF, INF) == pytest.approx(edge, rel=1e-10)


def test_growth_beyond_the_critical_step():
    rule = batch_noise(1.6, 4)
    losses = exact(SPECTRA[1], 1.6, 4, 300)
    assert losses[300] / losses[299] == pytest.approx(
        growth_factor(SPECTRA[1], INF, INF, rule), rel=1e-10
    )
    assert growth_factor(SPECTRA[1], 50, INF, rule) > growth_factor(SPECTRA[1], INF, INF, rule)


def test_growth_far_beyond_the_critical_step():
    """Of many equal modes, by hundreds of times the growth of one of them by itself."""
    law = Flat(1000)
    losses = exact(law, 3.0, 1, 5)
    assert losses[5] / losses[4] == pytest.approx(
        growth_factor(law, INF, INF, batch_noise(3.0, 1)), rel=1e-10
    )


@pytest.mark.parametrize("batch", [1, 8])
def test_finite_features_are_the_average_over_explicit_features(batch):
    """The exact recursion on drawn kernels, N = 60, extrapolated against N and M together."""
    rng, noise, at, departures = np.random.default_rng(batch), 0.1, np.array([1, 5, 20, 60]), []
    for scale in (1, 2):
        law = Empirical(np.repeat(np.arange(1, 31.0) ** -1.3, scale))
        n, step = 30 * scale, 0.25 * batch / (batch + 4)
        batch_size = batch * scale
        rule, runs = batch_noise(step, batch_size), []
        for _ in range(150):
            u = rng.standard_normal((n, law.size)) * np.sqrt(law.eigenvalues())
            x, vectors = np.linalg.eigh(u.T @ u / n)
            power = (vectors**2 * law.target_power()[:, None]).sum(axis=0)
            runs.append(recursion(x, power, rule, 60, noise)[at])
        theory = dynamics(law, n, INF, at, learner=OnePassSGD(step, batch_size), noise=noise)
        ratio = np.array(runs) / theory.excess_loss
        departures.append((ratio.mean(axis=0) - 1, ratio.std(axis=0) / math.sqrt(len(runs))))
    (small, first), (large, second) = departures
    limit, error = 2 * large - small, np.sqrt(4 * second**2 + first**2)
    assert np.all(np.abs(limit) < 3.5 * error + 2e-3), (limit, error)
    assert np.all(error < 0.02)


@pytest.mark.parametrize("features", [40, INF])
def test_large_batches_are_gradient_descent_on_the_population(features):
    law = PowerLaw(exponent=1.25, target_exponent=1.5)
    steps = [1, 10, 1000, 10**9]
    descent = dynamics(law, features, INF, steps, learner=GradientDescent(0.5), noise=0.1)
    found = dynamics(law, features, INF, steps, learner=OnePassSGD(0.5, 10**14), noise=0.1)
    assert found.excess_loss == pytest.approx(descent.excess_loss, rel=1e-11)


def test_digits():
    law, rule = PowerLaw(exponent=2, target_exponent=2, size=20), OnePassSGD(Fraction(1, 2), 1)
    found = dynamics(law, INF, INF, 100, learner=rule, digits=25).excess_loss
    assert float(found) == pytest.approx(exact(law, 0.5, 1, 100)[100], rel=1e-13)
    both = [dynamics(law, 7, INF, 50, learner=rule, noise=1, digits=d) for d in (20, 30)]
    assert abs(both[0].excess_loss / both[1].excess_loss - 1) < 1e-19


@settings(max_examples=25, deadline=None)
@given(
    share=st.floats(0.01, 0.98), batch=st.integers(1, 60), b=st.floats(1.05, 3),
    steps=st.integers(1, 200), features=st.one_of(st.just(INF), st.integers(3, 300)),
)  # fmt: skip
def test_losses_are_positive_and_the_noise_only_adds(share, batch, b, steps, features):
    law = PowerLaw(exponent=b, target_exponent=1.5)
    step = share * OnePassSGD(1, batch).critical_step(law, features, INF)
    loss = dynamics(law, features, INF, steps, learner=OnePassSGD(step, batch)).excess_loss
    descent = dynamics(law, features, INF, steps, learner=OnePassSGD(step, 10**12)).excess_loss
    assert 0 < descent <= loss * (1 + 1e-9)


def test_the_largest_step_may_be_that_of_the_descent():
    spectrum = Flat(100)
    edge = spectral_edge(spectrum, 20, INF)
    assert critical_sgd_step(spectrum, 20, INF, 1.0, INF) == pytest.approx(2 / edge, rel=1e-13)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("step", [0.4, 1.7])
def test_second_moments_of_a_mode_grow_as_those_of_its_map(beta, step):
    """(u, u₋) ↦ ((1 + β − ηx)u − βu₋, u), with the noise of batches on u²."""
    rule = replace(batch_noise(step, 4), momentum=beta)
    for x in (0.3, 1.0, 2.2):
        map_ = np.array([[1 + beta - step * x, -beta], [1, 0]])
        moments = np.kron(map_, map_)
        moments[0, 0] += (rule.curvature - 1) * (step * x) ** 2
        both = [*rule.eigenvalues(np.array([x]))[0], beta]  # β: of what is not symmetric
        assert np.sort_complex(both) == pytest.approx(
            np.sort_complex(np.linalg.eigvals(moments)), abs=1e-9
        )


@pytest.mark.parametrize("beta", [0.3, 0.8])
@pytest.mark.parametrize("spectrum", [Empirical([1.0]), Empirical([1.0, 0.5, 0.1])])
def test_growth_with_momentum_is_that_of_all_moments(beta, spectrum):
    """The largest eigenvalue of the map of all second moments, coupled by the loss."""
    step, x = 3.0, spectrum.eigenvalues()
    rule = replace(batch_noise(step, 2), momentum=beta)
    blocks = []
    for value in x:
        map_ = np.array([[1 + beta - step * value, -beta], [1, 0]])
        block = np.kron(map_, map_)
        block[0, 0] += (rule.curvature - 1) * (step * value) ** 2
        blocks.append(block)
    whole = block_diag(*blocks)
    for i, value in enumerate(x):  # η²x/B of the loss Σ x v, v the moments of weights
        whole[4 * i, ::4] += rule.strength * value**2 * x / value
    assert growth_factor(spectrum, INF, INF, rule) == pytest.approx(
        np.abs(np.linalg.eigvals(whole)).max(), rel=1e-9
    )
