r"""Many runs of one-pass SGD at once, and a mean freed of most of what its features vary by.

Runs on one draw of the features go side by side, each on its own Gaussian samples: a step is one
product with the root of Γ for all of them. The mean over runs still varies with the features. Given
these, with x the eigenvalues of K = Λ^{1/2}(uᵀu/N)Λ^{1/2} and p the target power along its
eigenvectors, the loss averaged over samples is close to the recursion Y(x, p) of
`analytic.training.stochastic_gradient`, which costs no run at all. So with features 0 … C, of
which the first are trained,

    ℓ = L(u₀) − Y(u₀) + (1/(C + 1)) Σ_c Y(u_c)

has exactly the mean of L, whatever Y is, and the variance of features only once in C + 1 draws (a
control variate, with the same features in L and in Y).
"""

from __future__ import annotations

import numpy as np

from solvable.analytic.training.stochastic_gradient import recursion

from .cells import Cell
from .ensembles import draw_tile, weighted_targets
from .entry_laws import TILE, Role, Seed, Streams
from .stochastic import gaussian_batches, iterate, last_step, sgd

Array = np.ndarray

SAMPLES_A_STEP, LEAST_RUNS = 256, 16  # of all runs side by side, and of these
CONTROLS = 64  # further draws of the features
ENTRIES = 1 << 21  # of their kernels, at most


def simulate_replicas(cell: Cell, seed: Seed) -> dict[str, float]:
    """Mean loss of runs side by side with the features averaged, and the median of the runs.

    Keys are ``excess_loss[…]`` as in `Cell.observables`, and ``median_loss[…]``, of the runs on
    one draw of the features.

    >>> from solvable.analytic.training.learners import OnePassSGD
    >>> from solvable.analytic.spectrum import PowerLaw
    >>> rule, law = OnePassSGD(0.2, 64), PowerLaw(exponent=2, size=9)
    >>> cell = Cell(law, 6, 6, rule, (1, 3), targets="fixed")
    >>> sorted(simulate_replicas(cell, 1))[:2]
    ['excess_loss[step=1]', 'excess_loss[step=3]']
    """
    streams = Streams.of(seed)
    runs = losses_of_runs(cell, seed, max(LEAST_RUNS, SAMPLES_A_STEP // int(sgd(cell).batch)))
    mean = runs.mean(axis=0)
    if cell.weights == cell.features and sgd(cell).memoryless:
        known = expected_losses(cell, streams)
        mean = mean - known[0] + known.mean(axis=0)
    names = cell.observables()
    medians = (name.replace("excess", "median") for name in names)
    values = np.concatenate([mean, np.median(runs, axis=0)]).tolist()
    return dict(zip([*names, *medians], values, strict=True))


def losses_of_runs(cell: Cell, seed: Seed, count: int) -> Array:
    """The excess losses of ``count`` runs on one draw of the features, *(runs, times)*."""
    population, batches = gaussian_batches(cell, seed, count)
    generator, last = Streams.of(seed)(Role.NOISE), last_step(cell)
    iterates = iterate(sgd(cell), last, np.zeros((count, *population.cross.shape)))
    theta, losses = next(iterates), np.empty((len(cell.at), count))
    for step in range(last + 1):
        losses[np.equal(cell.at, step)] = population.losses(theta)
        if step < last:
            phi, labels = next(batches)
            noise = np.sqrt(cell.noise) * generator.standard_normal(labels.shape)
            theta = iterates.send((phi, labels + noise))
    return losses.T


def expected_losses(cell: Cell, streams: Streams) -> Array:
    """Y of the cell's features and of `CONTROLS` further draws, *(draws, times)*."""
    size = cell.spectrum.size
    draws = 1 + max(1, min(CONTROLS, ENTRIES // size**2))
    starts = range(0, size, TILE)
    ends = [(start, start + TILE) for start in starts]
    u = np.concatenate([
        draw_tile(cell.feature_law, streams, Role.FEATURES, i, draws,
                  (len(cell.spectrum.eigenvalues(*end)), cell.features), cell.dtype)
        for i, end in enumerate(ends)
    ])  # fmt: skip
    targets = np.concatenate([
        weighted_targets(cell, cell.spectrum.target_power(*end), streams, i)
        for i, end in enumerate(ends)
    ])  # fmt: skip
    u = u.reshape(size, draws, cell.features).swapaxes(0, 1)
    u = u * np.sqrt(cell.spectrum.eigenvalues())[:, None]
    x, vectors = np.linalg.eigh(u @ u.swapaxes(-1, -2) / cell.features)
    power = np.mean((vectors.swapaxes(-1, -2) @ targets) ** 2, axis=-1)
    rule = sgd(cell)
    found = recursion(x, power, rule.noise(np.inf), last_step(cell), cell.noise)
    return found[np.asarray(cell.at, int)].T
