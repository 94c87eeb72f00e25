"""How well the exponent of a known spectrum is recovered from draws of data.

Data of M modes of variance J^-(1+α) are drawn, the power law is fitted to each draw, and the
intervals are counted that hold the true α: the coverage, with its own (Clopper–Pearson) interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from solvable.analytic.data import fit_tail, population_spectrum, sample_spectrum


@dataclass(frozen=True)
class Recovery:
    """What was found in the draws in which a power law was accepted.

    ``mean`` and ``deviation`` are those of α, ``half_width`` the mean half width of the intervals,
    ``coverage`` the share that holds the truth, between ``coverage_low`` and ``coverage_high`` with
    95 % confidence; ``error`` is the root mean square of ln λ over all modes of the population.
    """

    alpha: float
    draws: int
    accepted: int
    mean: float
    deviation: float
    half_width: float
    coverage: float
    coverage_low: float
    coverage_high: float
    error: float


def recover(
    size: int, samples: int, alpha: float = 0.5, draws: int = 200, seed: int = 0
) -> Recovery:
    """Draw, fit and count; seeds are spawned per draw."""
    ranks = np.arange(1, size + 1)
    scale = ranks ** (-(1 + alpha) / 2)
    values, ends, errors = [], [], []
    for sequence in np.random.SeedSequence(seed).spawn(draws):
        data = np.random.default_rng(sequence).normal(size=(samples, size)) * scale
        population = population_spectrum(sample_spectrum(data))
        error = np.log(population.eigenvalue(ranks)) - 2 * np.log(scale)
        errors.append(float(np.sqrt(np.mean(error**2))))
        found = fit_tail(population).alpha
        if found:
            values.append(found.value)
            ends.append((found.low, found.high))
    low, high = np.array(ends).T
    hits = int(np.sum((low <= alpha) & (alpha <= high)))
    return Recovery(
        alpha, draws, len(values), float(np.mean(values)), float(np.std(values, ddof=1)),
        float(np.mean(high - low)) / 2, hits / len(values),
        float(beta.ppf(0.025, hits, len(values) - hits + 1)) if hits else 0.0,
        float(beta.ppf(0.975, hits + 1, len(values) - hits)) if hits < len(values) else 1.0,
        float(np.mean(errors)),
    )  # fmt: skip
