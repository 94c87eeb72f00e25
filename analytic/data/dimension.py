r"""How many dimensions data have: four questions with four answers.

* two-NN: μ = r₂/r₁, the ratio of the distances to the second and first neighbour, has the law
  1 − F(μ) = μ^{-d} where the density is constant over r₂: d is the slope of −ln(1 − F) against ln μ
  through zero, without the largest tenth of the μ.
* maximum likelihood: 1/d = mean over samples of (1/(k−1)) Σ_{j<k} ln(r_k/r_j).
* participation ratio: (Tr Λ)²/Tr Λ², from unbiased moments.
* D₁(κ) = Σ λ/(λ + κ) at a ridge: the degrees of freedom that regression with this ridge uses.

The mean distance ⟨δ⟩ to the nearest of T samples falls as T^{-1/d}. With a power-law covariance
the count of directions that are resolved at scale δ grows as δ^{-2/α}, so that there is no one d:
δ² is the variance left beyond the first J modes, ∝ J^{-α}, and the exponent found from ⟨δ⟩ depends
on the range of T. Geometry answers with some tens where M is in the thousands: M itself shows in
losses, not in distances.

Sources: Facco et al. 2017 (two-NN); Levina, Bickel 2004 and MacKay, Ghahramani 2005 (likelihood);
Sharma, Kaplan 2022 (⟨δ⟩ and 4/α).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import Seed, checked
from ..equality import Comparable
from ..errors import InputError
from ..slopes import slope_weights
from .arrays import as_samples
from .sample_spectrum import SMALLEST, unbiased_moments
from .tails import Interval

DISCARDED = 0.1  # of the largest ratios
NEIGHBOURS = 10
MOST_SAMPLES = 20_000
BLOCK = 512  # rows whose distances to all are held
HELD = 2**22  # numbers of these rows
PARTS = 20  # of the samples, for errors
SUBSETS, FEWEST = 8, 16  # sizes T at which ⟨δ⟩ is measured, and the smallest
CONFIDENCE = 1.96


@dataclass(frozen=True, eq=False)
class Dimension(Comparable):
    """Intrinsic dimensions, each with a 95 % interval; see the module for what each means.

    ``distance_exponent`` is d of ⟨δ⟩ ∝ T^{-1/d}, between ``sizes`` where ⟨δ⟩ is ``distances``;
    ``notes`` say what was left out.
    """

    two_nearest: Interval
    likelihood: Interval
    participation: Interval
    distance_exponent: Interval
    sizes: np.ndarray
    distances: np.ndarray
    samples: int
    inputs: int
    notes: tuple[str, ...] = ()


@checked
def dimension(data: Any, *, neighbours: int = NEIGHBOURS, seed: Seed = 0) -> Dimension:
    """The dimensions of the rows of ``data``.

    Two-NN and maximum-likelihood dimension, participation ratio and the exponent of the distance
    to the nearest sample; ``data`` has shape (T, N_in), and copies of a row count once. Raises
    `InputError` for fewer than 32 different rows and more than `MOST_SAMPLES`.
    Source: Facco et al. 2017; Levina and Bickel 2004; Sharma and Kaplan 2022.

    >>> draw = np.random.default_rng(0).normal(size=(800, 3))
    >>> flat = np.arctan(draw) @ np.cos(np.outer(np.arange(1, 4), np.arange(20)))
    >>> found = dimension(flat)
    >>> 2.5 < found.two_nearest.value < 3.5 and 2.3 < found.likelihood.value < 3.5
    True
    """
    samples = as_samples(data)
    neighbours = arguments.count("neighbours", neighbours, at_least=2)
    if samples.length > MOST_SAMPLES:
        raise InputError(samples.argument, f"{samples.length} samples", f"at most {MOST_SAMPLES}")
    rows = np.unique(samples.whole(), axis=0)
    notes: tuple[str, ...] = ()
    if len(rows) < samples.length:
        notes = (f"{samples.length - len(rows)} copies of rows left out: a distance of zero has no "
                 "logarithm",)  # fmt: skip
    if len(rows) < max(32, neighbours + 2):
        raise InputError(samples.argument, f"{len(rows)} different rows",
                         f"at least {max(32, neighbours + 2)}")  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):
        variance = float(np.sum(np.var(rows, axis=0)))
    if not SMALLEST < variance < 1 / SMALLEST:
        raise InputError(samples.argument, f"{samples.source} (variance {variance:.3g})",
                         f"a variance from {SMALLEST:g} to {1 / SMALLEST:g}: change the unit")
    if np.sum(np.ptp(rows, axis=0) > 0) < 2:
        raise InputError(samples.argument, f"{samples.source} (one column that varies)",
                         "at least two columns that vary")  # fmt: skip
    rows = np.random.default_rng(np.random.SeedSequence(seed)).permutation(rows)
    rows -= rows.mean(axis=0)
    near = nearest_distances(rows, neighbours)
    sizes, distances, exponent = neighbour_law(rows)
    return Dimension(
        two_nearest_dimension(near), likelihood_dimension(near), participation_ratio(rows),
        exponent, sizes, distances, len(rows), rows.shape[1], notes,
    )  # fmt: skip


def nearest_distances(
    rows: np.ndarray, neighbours: int, among: np.ndarray | None = None
) -> np.ndarray:
    """Distances to the nearest ``neighbours`` of the other rows (or of ``among``), ascending."""
    others = rows if among is None else among
    squares = np.einsum("ij,ij->i", others, others)
    out = np.empty((len(rows), neighbours))
    step = min(BLOCK, max(1, HELD // rows.shape[1]))
    for i in range(0, len(rows), step):
        block = rows[i : i + step]
        gap = np.sum(block**2, axis=1)[:, None] + squares - 2 * (block @ others.T)
        if among is None:
            gap[np.arange(len(block)), np.arange(i, i + len(block))] = np.inf
        best = np.argpartition(gap, neighbours - 1, axis=1)[:, :neighbours]
        exact = [np.linalg.norm(block - others[near], axis=1) for near in best.T]
        out[i : i + step] = np.sort(exact, axis=0).T
    return out


def two_nearest_dimension(near: np.ndarray) -> Interval:
    """d from r₂/r₁, with the scatter of parts of the samples."""

    def slope(part: np.ndarray) -> float:
        ratios = np.sort(np.log(part[:, 1] / part[:, 0]))
        kept = max(2, int(len(ratios) * (1 - DISCARDED)))
        count = -np.log1p(-np.arange(1, kept + 1) / len(ratios))
        return float(ratios[:kept] @ count / (ratios[:kept] @ ratios[:kept]))

    return _scattered(near, slope)


def likelihood_dimension(near: np.ndarray) -> Interval:
    """d of the mean of the inverse local estimates (MacKay and Ghahramani's average)."""
    return _scattered(near, lambda part: float(1 / np.mean(_inverse_local(part))))


def _inverse_local(near: np.ndarray) -> np.ndarray:
    last = near.shape[1] - 1
    return np.sum(np.log(near[:, -1:] / near[:, :-1]), axis=1) / max(1, last - 1)


def _scattered(near: np.ndarray, estimate: Any) -> Interval:
    """The estimate of all, with the standard error that parts of them show."""
    parts = [estimate(near[i::PARTS]) for i in range(PARTS)] if len(near) >= 10 * PARTS else \
        [estimate(near[i::4]) for i in range(4)]  # fmt: skip
    half = CONFIDENCE * float(np.std(parts, ddof=1)) / math.sqrt(len(parts))
    value = float(estimate(near))
    return Interval(value, max(0.0, value - half), value + half)


def participation_ratio(rows: np.ndarray) -> Interval:
    """(Tr Λ)²/Tr Λ² of unbiased moments, with the scatter of tenths of the samples."""
    moments, _ = unbiased_moments(rows[:4096])
    parts = np.array([unbiased_moments(rows[i:4096:5])[0] for i in range(5)])
    ratios = parts[:, 0] ** 2 / parts[:, 1]
    value = float(moments[0] ** 2 / moments[1])
    half = CONFIDENCE * float(np.std(ratios, ddof=1)) / math.sqrt(len(ratios))
    return Interval(value, max(1.0, value - half), value + half)


def neighbour_law(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Interval]:
    """⟨δ⟩, the mean distance of a new sample to the nearest of T, and d of ⟨δ⟩ ∝ T^{-1/d}.

    A fifth of the rows are the new samples; the interval is that of the straight line.
    """
    from scipy.stats import t

    queries, pool = rows[: len(rows) // 5], rows[len(rows) // 5 :]
    sizes = np.unique(np.round(np.geomspace(min(FEWEST, len(pool) // 2), len(pool), SUBSETS)))
    distances = np.array([
        float(np.mean(nearest_distances(queries, 1, pool[: int(size)]))) for size in sizes
    ])  # fmt: skip
    x, y = np.log(sizes), np.log(distances)
    weights = slope_weights(x)
    slope = float(weights @ y)
    residual = y - y.mean() - slope * (x - x.mean())
    error = math.sqrt(np.sum(residual**2) / (len(x) - 2) * np.sum(weights**2))
    half = float(t.isf(0.025, len(x) - 2)) * error
    if slope + half >= 0:
        return sizes, distances, Interval(-1 / slope if slope < 0 else math.inf, 0.0, math.inf)
    return sizes, distances, Interval(-1 / slope, -1 / (slope - half), -1 / (slope + half))
