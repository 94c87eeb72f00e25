r"""Whether rows that were held out vary as a population spectrum says.

Of n rows A the sample eigenvectors v_j are found; the others, B, vary along them by

    c_j = E_B (x·v_j)² = v_jᵀ Λ v_j,

which is what the spectrum of Gaussian data of covariance Λ determines: l_j is too large along the
first directions and too small along the last, c_j is not, and by how much they differ follows from
Λ and n. Measured and expected c_j are compared in sums over ranks 1, 2, 3–4, 5–8, …, the expected
ones from Gaussian draws of n rows. They disagree where rows are heavy-tailed, where few rows are
large, where rows are copies of others or depend on one another: in all of these the resolvent of
the sample does not lead back to the population.

Source: this package; Ledoit and Péché 2011 for c_j at large sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..equality import Comparable

ROWS, FEWEST = 128, 20  # of A, at most and at least
DRAWS = 16
TOLERANCE = 0.1  # of ln c, which is forgiven
BEYOND = 5.0  # standard errors


@dataclass(frozen=True, eq=False)
class HeldOutVariance(Comparable):
    """ln of the summed variances along the sample directions of ``rows`` rows, and its errors.

    Both of shape (splits, groups of ranks).
    """

    rows: int
    variance: np.ndarray
    error: np.ndarray


def held_out(samples: np.ndarray) -> HeldOutVariance | None:
    """Measured along the directions of two disjoint parts of rows of mean zero; None if too few.

    >>> found = held_out(np.random.default_rng(0).normal(size=(400, 8)))
    >>> bool(np.all(np.abs(np.exp(found.variance) - [1, 1, 2, 4]) < 0.6))
    True
    """
    count = min(len(samples) // 2, ROWS)
    if count < FEWEST:
        return None
    order = np.random.default_rng(0).permutation(len(samples))
    found = []
    for part in (order[:count], order[count : 2 * count]):
        directions = _directions(samples[part])
        rest = np.setdiff1d(order, part)
        squares = _grouped((samples[rest] @ directions.T) ** 2)
        mean = squares.mean(axis=0)
        spread = squares.std(axis=0) / np.sqrt(len(rest))
        with np.errstate(divide="ignore"):  # −∞ where nothing varies
            log = np.log(mean)
        found.append((log, np.divide(spread, mean, out=np.zeros_like(mean), where=mean > 0)))
    groups = min(len(variance) for variance, _ in found)
    variance, error = (np.array([x[:groups] for x in part]) for part in zip(*found))
    return HeldOutVariance(count, variance, error)


def disagreement(
    found: HeldOutVariance, eigenvalues: np.ndarray, uncertainty: np.ndarray
) -> str | None:
    """What contradicts a population of these eigenvalues, or None.

    ``uncertainty`` holds the standard errors of ln λ.
    """
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(DRAWS):
        rows = rng.normal(size=(found.rows, len(eigenvalues))) * np.sqrt(eigenvalues)
        draws.append(np.log(_grouped(_directions(rows) ** 2 @ eigenvalues)))
    groups = min(len(draws[0]), found.variance.shape[1])
    expected = np.mean(draws, axis=0)[:groups]
    spread = np.var(draws, axis=0, ddof=1)[:groups]
    known = np.sqrt(
        _grouped(uncertainty**2)[:groups] / _grouped(np.ones(len(eigenvalues)))[:groups]
    )
    error = np.sqrt(found.error[:, :groups] ** 2 + spread + known**2 + TOLERANCE**2)
    score = (found.variance[:, :groups] - expected) / error
    if np.all(np.abs(score) < BEYOND):
        return None
    split, group = np.unravel_index(np.nanargmax(np.abs(score)), score.shape)
    ratio = float(np.exp(found.variance[split, group] - expected[group]))
    first, last = (1, 1) if group == 0 else (2 ** (group - 1) + 1, 2**group)
    ranks = f"{first}" if first == last else f"{first} to {last}"
    return (f"rows that are held out have {ratio:.2g} times the variance that this spectrum "
            f"gives them along the sample directions {ranks} of {found.rows} others: heavy "
            "tails, outliers, near copies or dependent rows")  # fmt: skip


def _directions(rows: np.ndarray) -> np.ndarray:
    """The eigenvectors of rowsᵀ rows of positive eigenvalue, in rows, the largest first."""
    _, values, directions = np.linalg.svd(rows, full_matrices=False)
    return directions[values > 1e-7 * values[0]]


def _grouped(x: np.ndarray) -> np.ndarray:
    """Sums along the last axis over 1, 2, 3–4, 5–8, … ."""
    starts, start = [0], 1
    while start < x.shape[-1]:
        starts.append(start)
        start *= 2
    return np.add.reduceat(x, starts, axis=-1)
