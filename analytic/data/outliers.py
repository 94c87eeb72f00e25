r"""The bulk of a sample spectrum, the eigenvalues that stand apart, and those no law explains.

A population eigenvalue λ among modes λ_i gives a sample eigenvalue of its own at

    ψ(λ) = λ (1 + (1/n) Σ_i λ_i/(λ − λ_i))      where      ψ′(λ) = 1 − (1/n) Σ_i λ_i²/(λ−λ_i)² > 0,

and one in the bulk elsewhere; the sum leaves out λ itself. The bulk ends at the ψ of ψ′ = 0: for
white data (1 ± √(M/n))², Marchenko and Pastur's edges. A sample eigenvalue that stands apart
fluctuates by the share (2 ψ′/n)^½ λ/ψ; the largest of a bulk that ends at λ_e does so by Tracy and
Widom's law times n^{-2/3} λ_e (1 + (1/n) Σ_i (λ_i/(λ_e − λ_i))³)^{1/3} above ψ(λ_e).

Sources: Marchenko and Pastur 1967; Baik, Ben Arous and Péché 2005; Silverstein and Baik 2006;
El Karoui 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ..equality import Comparable
from .population import PopulationSpectrum
from .tails import TailFit

PROBABILITY = 0.01  # that any of the ranks is marked by chance
TRACY_WIDOM = 2.0234  # 99 % quantile of their law at β = 1 (Bejan 2005, table 1)
WELL_APART = 0.5  # ψ′ of the ranks that are compared with the law


@dataclass(frozen=True, eq=False)
class Bulk(Comparable):
    """What a sample spectrum is made of.

    ``separated`` eigenvalues stand apart above ``upper_edge``, the end of the bulk, by more than
    the largest of a bulk does in 99 % of draws;
    ``lower_edge`` is its other end, 0 where n < M. ``expected`` are the sample eigenvalues that
    the law gives to the ranks that stand well apart, ``deviations`` how many standard errors the
    measured ones are from there, and ``outliers`` the ranks where that is beyond chance.
    """

    separated: int
    upper_edge: float
    lower_edge: float
    expected: np.ndarray
    deviations: np.ndarray
    outliers: tuple[int, ...]


def spike(value: np.ndarray, modes: np.ndarray, counts: np.ndarray, samples: float) -> np.ndarray:
    """ψ and ψ′ at ``value``, among ``modes`` of multiplicities ``counts``; shape (2, …).

    >>> spike(np.array([4.0]), np.array([1.0]), np.array([100.0]), 100.0).round(4)
    array([[5.3333],
           [0.8889]])
    """
    gap = np.asarray(value, float)[..., None] - modes
    share = modes / gap / samples
    shift = (counts * share).sum(axis=-1)
    slope = 1 - samples * (counts * share**2).sum(axis=-1)
    return np.stack([value * (1 + shift), slope])


def bulk(population: PopulationSpectrum, tail: TailFit | None = None) -> Bulk:
    """The bulk of the population estimate; outliers are ranks that the law of ``tail`` misses.

    Ranks below the range of the law are compared with its continuation.
    """
    sample, n = population.sample, population.sample.samples
    ranks, counts = population.curve.nodes
    modes = np.asarray(population.eigenvalue(ranks), float)
    separated = _separated(modes, counts, n)
    upper, unit = _upper_edge(modes[separated:], counts[separated:], n)
    while separated and not sample.eigenvalues[separated - 1] > upper + TRACY_WIDOM * unit:
        separated -= 1
    upper = min(upper, float(sample.eigenvalues[0])) if separated == 0 else upper
    expected, deviations = np.empty(0), np.empty(0)
    outliers: tuple[int, ...] = ()
    if tail is not None and tail.alpha is not None:
        law = tail.scale * ranks ** -(1 + tail.alpha.value)
        apart = _separated(law, counts, n, WELL_APART)
        expected, deviations = _compared(sample.eigenvalues, law, counts, n, apart, population)
        limit = norm.isf(PROBABILITY / (2 * max(1, apart)))
        outliers = tuple((np.flatnonzero(np.abs(deviations) > limit) + 1).tolist())
    return Bulk(separated, upper, _lower_edge(modes, counts, n), expected, deviations, outliers)


def _separated(modes: np.ndarray, counts: np.ndarray, samples: float, least: float = 0.0) -> int:
    """How many of the first modes stand apart from all others, ψ′ > ``least``."""
    for j in range(len(modes)):
        others = np.arange(len(modes)) != j
        if counts[j] != 1 or np.any(modes[others] == modes[j]):
            return j
        if not spike(modes[j : j + 1], modes[others], counts[others], samples)[1, 0] > least:
            return j
    return len(modes)


def _upper_edge(modes: np.ndarray, counts: np.ndarray, samples: float) -> tuple[float, float]:
    """The smallest ψ above the largest of the modes, and the unit of Tracy and Widom's law there.

    >>> edge, unit = _upper_edge(np.array([1.0]), np.array([100.0]), 100.0)  # white, M = n
    >>> round(edge, 6), round(unit * 100 ** (2 / 3), 6)  # (1 + 1)², 16^(1/3)
    (4.0, 2.519842)
    """
    if not len(modes):
        return 0.0, 0.0
    low, high = 1e-12, 4 * (1 + math.sqrt(counts.sum() / samples)) + counts.sum() / samples
    top = modes.max()
    for _ in range(200):  # ψ′ rises with λ above the modes
        middle = math.sqrt(low * high)
        slope = spike(np.array([top * (1 + middle)]), modes, counts, samples)[1, 0]
        low, high = (low, middle) if slope > 0 else (middle, high)
    end = top * (1 + high)
    curvature = 1 + (counts * (modes / (end - modes)) ** 3).sum() / samples
    place = spike(np.array([end]), modes, counts, samples)[0, 0]
    return float(place), float(end * (curvature / samples**2) ** (1 / 3))


def _lower_edge(modes: np.ndarray, counts: np.ndarray, samples: float) -> float:
    """The largest ψ below the smallest of the modes, for n > M; else 0."""
    if counts.sum() >= samples:
        return 0.0
    grid = modes.min() * (1 - np.geomspace(1e-6, 1, 400, endpoint=False))
    return float(max(0.0, spike(grid, modes, counts, samples)[0].max()))


def _compared(
    eigenvalues: np.ndarray, law: np.ndarray, counts: np.ndarray, samples: float, apart: int,
    population: PopulationSpectrum,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """ψ of the leading modes of the law, and how far the sample is from there."""
    apart = min(apart, len(eigenvalues))
    own = population.sample.own_excess
    excess = np.ones(apart) if own is None else own[:apart]
    expected, errors = np.empty(apart), np.empty(apart)
    for j in range(apart):
        others = np.arange(len(law)) != j
        position, slope = spike(law[j : j + 1], law[others], counts[others], samples)[:, 0]
        expected[j] = position
        errors[j] = math.sqrt(2 * slope * excess[j] / samples) * law[j]
    return expected, (eigenvalues[:apart] - expected) / errors
