"""Random schedules and rules against a recursion of its own, on a contour of its own, step by step.

The contour is an ellipse around the spectrum on which polynomials of the degree 2L grow by e⁴; its
nodes are solved for one by one.
"""

import math

import numpy as np
import pytest

from solvable.analytic.resolvent.path import solve_complex
from solvable.analytic.spectrum import Empirical
from solvable.analytic.training.learners import MinibatchSGD, OnePassSGD
from solvable.analytic.training.scheduled_training import scheduled_dynamics
from solvable.analytic.training.schedules import schedule
from solvable.analytic.training.stability import spectral_edge

INF, NODES = math.inf, 1500
KINDS = "cosine", "wsd", "linear", "power", "steps", "array"


def _own(spectrum, features, samples, noise, rates, batch, momentum):
    """The training loss, or the excess loss on fresh samples, after all steps."""
    edge, fresh = spectral_edge(spectrum, features, samples), samples == INF
    w = np.exp(2j * np.pi * (np.arange(NODES) + 0.5) / NODES + 2 / len(rates))
    x, weight = edge * (w + 1) ** 2 / (4 * w), edge * (w - 1 / w) / (4 * NODES)
    found = solve_complex(spectrum, features, samples, -x)
    sums = spectrum.target_power() / (spectrum.eigenvalues() + found.value[:, None])
    start = found.value * sums.sum(axis=1) + (0 if fresh else noise)
    uu = weight * found.sample_response * start / x
    white = -weight * x * found.degrees
    drawn = 1 if fresh else (samples - batch) / (samples - 1)
    more = 1 if fresh else (samples - 2) / (samples + 2)
    each = 1 if fresh else samples / (samples + 2)
    uy, yy = 0 * uu, 0 * uu
    for rate in rates:
        loss, push = uu.sum().real + noise * fresh, rate * x
        gradient = drawn / batch * (more * push**2 * uu + each * rate**2 * white * loss)
        both = momentum * uy + push * uu
        yy = momentum**2 * yy + 2 * momentum * push * uy + push**2 * uu + gradient
        uu, uy = uu - 2 * both + yy, both - yy
    return uu.sum().real


@pytest.mark.parametrize("seed", range(12))
def test_against_an_own_recursion(seed):
    rng = np.random.default_rng(seed)
    modes, kind = int(rng.integers(3, 40)), KINDS[seed % 6]
    values = (np.arange(1, modes + 1.0) ** -rng.uniform(1.1, 3), rng.exponential(1, modes))
    values = np.sort(values[seed % 2])[::-1]
    spectrum = Empirical(values, rng.exponential(1, modes) * values)
    features, noise = float(rng.integers(5, 150)), float(rng.choice([0, 0.3]))
    samples = float(rng.choice([INF, rng.integers(5, 150)]))
    last, batch = int(rng.integers(10, 60)), int(rng.integers(1, 5))
    momentum = float(rng.choice([0, 0.3]))
    rule = (MinibatchSGD if samples < INF else OnePassSGD)(1, batch, momentum=momentum)
    step = float(rule.critical_step(spectrum, features, samples)) * rng.uniform(0.1, 0.5)
    given = rng.uniform(0, step, last) if kind == "array" else schedule(kind, step, last)
    rates = given if kind == "array" else given(np.arange(last))
    found = scheduled_dynamics(
        spectrum, features, samples, [last], given, batch=batch, momentum=momentum, noise=noise
    )
    exact = _own(spectrum, features, samples, noise, rates, batch, momentum)
    loss = found.excess_loss if samples == INF else found.train_loss
    assert abs(loss[0] / exact - 1) < 1e-11
