"""Critical steps at finite N (and T) against the condition itself, computed twice on another way.

At the critical step the noise of one step returns as much loss as drove it: the moments of a mode
at the kernel eigenvalue x, with the matrix M(x) and driven by g x², have Σ_x g x² [(1 − M)⁻¹]₀₀ = 1
in the sum over all x. The sum is taken over the mean-field density, by a contour of the resolvent
in many digits, and over kernels that are drawn, whose recursion is exact.
"""

import math
from functools import partial

import mpmath
import numpy as np
import pytest
from mpmath import mp
from scipy.optimize import brentq

from solvable.analytic.spectrum import Empirical
from solvable.analytic.training.learners import MinibatchSGD, OnePassSGD

INF, DIGITS = math.inf, 30


def _noise(batch, samples):
    """(c, g/η²) of batches drawn without replacement."""
    if samples == INF:
        return 1 + 1 / batch, 1 / batch
    drawn = (samples - batch) / (samples - 1) / batch
    return 1 + drawn * (samples - 2) / (samples + 2), drawn * samples / (samples + 2)


def _moments(step, beta, curvature, x):
    """1 − M(x) of E[u²], E[uy], E[y²], with y' = βy + ηg and u' = u − y', and its source."""
    p = step * x
    noise = (curvature - 1) * p**2
    matrix = [
        [2 * p - p**2 - noise, 2 * beta * (1 - p), -(beta**2)],
        [p**2 - p + noise, 1 - beta * (1 - 2 * p), beta**2],
        [-(p**2) - noise, -2 * beta * p, 1 - beta**2],
    ]
    return matrix, [1, -1, 1]


def _returned(step, beta, batch, samples, x):
    """g x² [(1 − M)⁻¹ s]₀ in mpmath."""
    curvature, strength = _noise(batch, samples)
    matrix, source = _moments(step, beta, curvature, x)
    found = mp.lu_solve(mp.matrix(matrix), mp.matrix(source))
    return strength * step**2 * x**2 * found[0]


def _contour(lam, features, samples, nearest, edge, height):
    """(x, dx/2πi, Σ λ/(λ+κ(−x))) on the upper half of an ellipse around [0, ``edge``]."""
    count = int(20 / height) + 1
    k, out = None, []
    for index in range(count):
        w = mp.expjpi((index + mp.mpf(1) / 2) / count) * mp.exp(height)
        x = edge * (w + 1) ** 2 / (4 * w)
        if k is None:  # from the real axis, beyond the spectrum
            start = edge * mp.cosh(height / 2) ** 2
            k = -_bisected(partial(_below, lam, features, samples, start), nearest)
            for share in np.linspace(0, 1, 9)[1:]:
                k = _followed(lam, features, samples, k, -(start + (x - start) * share))
        k = _followed(lam, features, samples, k, -x)
        degrees = sum(v / (v + k) for v in lam)
        out.append((x, edge * (w - 1 / w) / (8 * count), degrees))
    return out


def _followed(lam, features, samples, k, z):
    """κ(1 − D/N)(1 − D/T) = z by Newton's method from a value nearby."""
    for _ in range(60):
        d = sum(v / (v + k) for v in lam)
        slope = -sum(v / (v + k) ** 2 for v in lam)
        r3, r1 = 1 - d / features, 1 - d / samples
        change = (k * r3 * r1 - z) / (r3 * r1 - k * slope * (r1 / features + r3 / samples))
        k -= change
        if abs(change) < abs(k) * mp.mpf(10) ** (5 - DIGITS):
            return k
    raise AssertionError("κ is not found")


def _magnitude(lam, features, samples, y):
    """−z at κ = −y."""
    d = sum(v / (y - v) for v in lam)
    return y * (1 + d / features) * (1 + d / samples)


def _below(lam, features, samples, end, y):
    return _magnitude(lam, features, samples, y) < end


def _bisected(below, least):
    """The y > ``least`` at which ``below`` ends."""
    low, high = mp.mpf(-30), mp.mpf(20)
    for _ in range(DIGITS * 4):
        middle = (low + high) / 2
        low, high = (middle, high) if below(least * (1 + mp.exp(middle))) else (low, middle)
    return least * (1 + mp.exp(high))


def _largest(lam, features, samples):
    """(y, λ_max): the least −z of κ = −y, y > λ_1, is where the spectrum ends."""

    def falls(y):
        d, e = (sum(v / (y - v) ** q for v in lam) for q in (1, 2))
        return y * e / (features + d) + y * e / (samples + d) > 1

    y = _bisected(falls, max(lam))
    return y, _magnitude(lam, features, samples, y)


@pytest.mark.parametrize("seed", [
    *range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 24))
])  # fmt: skip
def test_against_the_density_of_the_mean_field(seed):
    rng = np.random.default_rng(seed)
    modes = int(rng.integers(2, 25))
    laws = np.arange(1, modes + 1.0) ** -rng.uniform(1.05, 3), rng.exponential(1, modes)
    values = np.sort(laws[seed % 2])[::-1]
    features, beta = float(rng.integers(3, 120)), float(rng.choice([0, rng.uniform(0.1, 0.95)]))
    samples = INF if seed % 3 else float(rng.integers(8, 150))
    batch = int(2 ** rng.integers(0, 4)) if samples == INF else int(rng.integers(1, 5))
    rule = OnePassSGD if samples == INF else MinibatchSGD
    found = float(rule(1, batch, momentum=beta).critical_step(
        Empirical(values, values), features, samples))  # fmt: skip
    with mpmath.workdps(DIGITS):
        lam = [mp.mpf(v) for v in values]
        nearest, edge = _largest(lam, features, samples)
        curvature = _noise(batch, samples)[0]
        more = 1 + (curvature - 1) * (1 + beta) / (1 - beta)
        top = 2 * (1 + beta) / (more * edge)  # where 1 − M is singular at λ_max
        capped = found > (1 - 1e-9) * top
        tried = 0.99 * top if capped else found
        height = mp.acosh(mp.sqrt(top / tried))  # half of ln |w| where 1 − M is singular
        nodes = _contour(lam, features, samples, nearest, edge, height)

        def excess(step):
            total = sum(
                _returned(step, beta, batch, samples, x) / x * degrees * weight
                for x, weight, degrees in nodes
            )
            return -2 * mp.re(total) - 1

        if capped:  # the noise alone would only diverge beyond
            exact, below = top, excess(tried)
        else:
            exact, below = mp.findroot(excess, (0.9999 * found, 1.0001 * found), tol=1e-20), -1
    assert abs(found / float(exact) - 1) < 1e-10 and below < 0


def _drawn_step(x, beta, batch, samples):
    """The step at which Σ_x g x² [(1 − M)⁻¹ s]₀ = 1 for kernel eigenvalues x."""
    curvature, strength = _noise(batch, samples)

    def excess(step):
        matrix, source = _moments(step, beta, curvature, x)
        matrix = np.moveaxis(np.array([np.broadcast_arrays(*row, x)[:3] for row in matrix]), -1, 0)
        found = np.linalg.solve(matrix, np.array(source, float)[:, None])[:, 0, 0]
        return strength * np.sum((step * x) ** 2 * found) - 1

    largest = 2 * (1 + beta) / (1 + (curvature - 1) * (1 + beta) / (1 - beta)) / x.max()
    return brentq(excess, 1e-9 * largest, (1 - 1e-9) * largest, xtol=1e-15, rtol=1e-14)


def _kernel(rng, law, features):
    u = rng.standard_normal((features, law.size)) * np.sqrt(law.eigenvalues())
    return np.linalg.eigvalsh(u @ u.T / features)


@pytest.mark.parametrize("beta", [0.0, 0.6])
def test_the_recursion_of_a_drawn_kernel_neither_falls_nor_grows_at_its_step(beta):
    law = Empirical(np.arange(1, 61.0) ** -1.3)
    x = _kernel(np.random.default_rng(3), law, 40)
    step, (curvature, strength) = _drawn_step(x, beta, 4, INF), _noise(4, INF)
    blocks, source = zip(*(_moments(step, beta, curvature, value) for value in x))
    full = np.eye(3 * len(x))
    for i, (block, pushed) in enumerate(zip(blocks, source)):
        full[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] -= np.array(block, float)
        full[3 * i : 3 * i + 3, ::3] += strength * (step * x[i]) ** 2 * np.array(pushed)[:, None]
    assert abs(np.abs(np.linalg.eigvals(full)).max() - 1) < 1e-11


@pytest.mark.slow
@pytest.mark.parametrize("beta", [0.0, 0.6])
@pytest.mark.parametrize("batch", [1, 8])
def test_steps_of_drawn_kernels_tend_to_it_as_their_size_grows(beta, batch):
    """N, modes and batch grow together: the mean over kernels approaches as 1/N."""
    rng, departures = np.random.default_rng(batch), []
    for scale in (1, 2, 4):
        law, features = Empirical(np.repeat(np.arange(1, 21.0) ** -1.3, scale)), 20 * scale
        edge = OnePassSGD(1, batch * scale, momentum=beta).critical_step(law, features, INF)
        ratios = np.array([
            _drawn_step(_kernel(rng, law, features), beta, batch * scale, INF) / edge
            for _ in range(1600 // scale)
        ])  # fmt: skip
        departures.append((ratios.mean() - 1, ratios.std() / math.sqrt(len(ratios))))
    means, errors = np.array(departures).T
    limit, error = 2 * means[2] - means[1], math.hypot(2 * errors[2], errors[1])
    assert abs(limit) < 3.5 * error < 0.05, (limit, error)
    assert np.all(means[1:] < 0.75 * means[:-1]), means
