r"""The population spectrum behind a sample spectrum, through the resolvent.

The unknown is a curve of ln λ against ln J (`rank_curve`). What is fitted depends on what a sample
of n degrees of freedom shows of M modes:

* the linear statistics G(z) of the sample along a ray (`ray_statistics`);
* where n ≥ 2M, and no smooth curve explains these: ln l_J of each eigenvalue, whose mean is ln λ_J
  and the logarithm of the ratio of expected sample to population eigenvalue, from the resolvent of
  the fitted curve, and whose variance is 2/n, times the excess of data that are not Gaussian.

Single eigenvalues may scatter about the curve by ε, the least with which all fits.

Sources: Bai and Silverstein 2004 (the fluctuations); Mestre 2008 and Ledoit and Wolf 2015 (the
population through the resolvent).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import chi2

from ..arguments import checked
from ..equality import Comparable
from ..errors import InputError
from ..resolvent.density import expected_eigenvalues
from ..spectrum import Atoms
from .held_out import disagreement
from .rank_curve import FREE, CurveEstimate, RankCurve
from .ray_statistics import LinearStatistics
from .sample_spectrum import SampleSpectrum

RATIO, FINE_RATIO = 1.5, 1.25  # of ranks at which the curve bends
RESOLVED = 2.0  # samples per mode from which eigenvalues are taken one by one
UNKNOWN_SIZE = 16  # times the samples, where the number of modes is not known
SMOOTH = 0.03  # scatter of eigenvalues one by one above which no smooth curve is tried
SCATTER = (0.2, 0.05, 0.02, 0.0)  # of single ln λ about the curve, tried
MISFIT = 0.01  # probability of a χ² as large, below which there is more scatter
ROUNDS, BIAS_RANKS = 3, 40
MOST_CHECKED = 20_000  # modes, for which rows are drawn


@dataclass(frozen=True, eq=False)
class PopulationSpectrum(Comparable):
    """ln λ at ``ranks``, with its covariance.

    ``free`` and ``free_covariance`` are those of the nearly unconstrained estimate, on which laws
    are tested; ``log_eigenvalues`` and ``covariance`` those at the ``roughness`` of greatest
    evidence; ``scatter`` is the standard deviation of single ln λ_J about this curve.
    ``chi_squared`` over ``degrees`` says how the statistics fit.
    """

    sample: SampleSpectrum
    curve: RankCurve
    log_eigenvalues: np.ndarray
    covariance: np.ndarray
    free: np.ndarray
    free_covariance: np.ndarray
    roughness: float
    scatter: float
    chi_squared: float
    degrees: int

    @property
    def ranks(self) -> np.ndarray:
        """The ranks at which the curve bends."""
        return self.curve.ranks

    @property
    def size(self) -> int:
        """The number M of modes."""
        return self.curve.size

    def eigenvalue(self, rank: Any) -> Any:
        """λ at any rank, interpolated as a power law."""
        rank = np.asarray(rank, float)
        return np.exp(np.interp(np.log(rank), np.log(self.ranks), self.log_eigenvalues))

    def interval(self, rank: Any, deviations: float = 1.96) -> tuple[Any, Any]:
        """The eigenvalue at a rank times and over e^(deviations × standard error of ln λ)."""
        hats = self.curve.hats(rank)
        error = np.sqrt(np.einsum("ij,jk,ik->i", hats, self.covariance, hats))
        factor, value = np.exp(deviations * error), self.eigenvalue(np.atleast_1d(rank))
        return value / factor, value * factor

    @cached_property
    def contradiction(self) -> str | None:
        """What speaks against it: outliers, dependent rows, what held-out rows show; or None."""
        if self.sample.doubt is not None:
            return self.sample.doubt
        if self.sample.held_out is None or self.size > MOST_CHECKED:
            return None
        every = np.arange(1.0, self.size + 1)
        hats = self.curve.hats(every)
        error = np.sqrt(np.einsum("ij,jk,ik->i", hats, self.covariance, hats, optimize=True))
        return disagreement(self.sample.held_out, np.asarray(self.eigenvalue(every)), error)

    def atoms(self) -> Atoms:
        """The spectrum as atoms, for everything that takes a `Spectrum`."""
        ranks, counts = self.curve.nodes
        return Atoms(self.eigenvalue(ranks), counts)

    def trace(self, power: int = 1) -> tuple[float, float]:
        """Tr Λ^power and its standard error."""
        ranks, counts = self.curve.nodes
        terms = counts * self.eigenvalue(ranks) ** power
        slope = power * terms @ self.curve.hats(ranks)
        return float(terms.sum()), float(np.sqrt(slope @ self.covariance @ slope))


@checked
def population_spectrum(sample: SampleSpectrum) -> PopulationSpectrum:
    """The population spectrum behind a sample.

    ln λ at some ranks with its covariance, in the units of the sample's eigenvalues. Raises
    `InputError` for fewer than four eigenvalues or eight samples. Source: this package; Bai and
    Silverstein 2004 for the fluctuations that weigh the data.

    >>> from solvable.analytic.data import from_eigenvalues
    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(alpha=0.5, size=100)
    >>> sample = from_eigenvalues(expected_eigenvalues(law, np.inf, 50, np.arange(1, 51)), 50, 100)
    >>> found = population_spectrum(sample)
    >>> bool(abs(np.log(found.eigenvalue(20) / law.eigenvalue(20))) < 0.05)
    True
    """
    values, n = sample.eigenvalues, sample.samples
    if len(values) < 4 or n < 8:
        raise InputError("samples", f"{len(values)} eigenvalues of {n:g} samples",
                         "at least four eigenvalues and eight samples")  # fmt: skip
    size = max(sample.inputs or UNKNOWN_SIZE * math.ceil(n), len(values))
    curve = RankCurve(size, RATIO)
    statistics = LinearStatistics(sample, curve)
    if n < RESOLVED * size or len(values) < size:
        return _by_statistics(statistics, statistics.start(), SCATTER)
    resolved = _one_by_one(sample, RankCurve(size, FINE_RATIO, end=True))
    if resolved.scatter > SMOOTH:
        return resolved
    start = np.log(resolved.eigenvalue(curve.ranks))
    together = _by_statistics(statistics, start, (0.0,))
    fits = chi2.sf(together.chi_squared, together.degrees) > MISFIT
    return together if fits else resolved


def _by_statistics(
    statistics: LinearStatistics, theta: np.ndarray, scatters: Sequence[float]
) -> PopulationSpectrum:
    """The curve that explains the linear statistics, with the least scatter that fits."""
    free, scatter, curve = None, scatters[0], statistics.curve
    for tried in scatters:  # from a problem that is nearly linear to the sharpest that fits
        found = statistics.fit(theta, FREE, tried)
        if free and not _fits(found):
            found = statistics.fit(statistics.flat(), FREE, tried)
            if not _fits(found):
                break
        theta, free, scatter = found.theta, found, tried
    assert free is not None
    roughness = curve.roughness(free)
    best = statistics.fit(free.theta, roughness, scatter)
    return _found(statistics.sample, curve, free, best, roughness, scatter)


def _fits(found: CurveEstimate) -> bool:
    return bool(chi2.sf(found.chi_squared, found.degrees) > MISFIT)


def _found(
    sample: SampleSpectrum,
    curve: RankCurve,
    free: CurveEstimate,
    best: CurveEstimate,
    roughness: float,
    scatter: float,
) -> PopulationSpectrum:
    return PopulationSpectrum(
        sample, curve, best.theta, curve.covariance(best, roughness), free.theta,
        curve.covariance(free, FREE), roughness, scatter, free.chi_squared, free.degrees,
    )  # fmt: skip


# ---- eigenvalues one by one ----------------------------------------------------------------


def _one_by_one(sample: SampleSpectrum, curve: RankCurve) -> PopulationSpectrum:
    """The curve through ln l_J less its bias, which depends on the curve."""
    every = np.arange(1.0, curve.size + 1)
    hats, log = curve.hats(every), np.log(sample.eigenvalues)
    excess = np.ones(curve.size) if sample.own_excess is None else sample.own_excess
    sampled, bias = 2 * excess / sample.samples, np.zeros(curve.size)
    for _ in range(ROUNDS):
        scatter = _scatter(hats, log - bias, sampled, curve)
        free = _linear(hats, log - bias, sampled + scatter**2, curve, FREE)
        roughness = curve.roughness(free)
        best = _linear(hats, log - bias, sampled + scatter**2, curve, roughness)
        bias = _bias(best.theta, sample.samples, curve)
    return _found(sample, curve, free, best, roughness, scatter)


def _linear(
    hats: np.ndarray, log: np.ndarray, variance: np.ndarray, curve: RankCurve, roughness: float
) -> CurveEstimate:
    """The weighted least squares of the curve."""
    information = hats.T @ (hats / variance[:, None])
    gradient = hats.T @ (log / variance)
    theta = np.linalg.solve(information + curve.prior(roughness), gradient)
    residual = (log - hats @ theta) / np.sqrt(variance)
    return CurveEstimate(theta, information, gradient, float(residual @ residual), len(log))


def _scatter(hats: np.ndarray, log: np.ndarray, sampled: np.ndarray, curve: RankCurve) -> float:
    """The least of a fine list of ε with which the eigenvalues fit."""
    fine = np.concatenate([[0.0], np.geomspace(0.01, 1.0, 13)])
    for scatter in fine:
        found = _linear(hats, log, sampled + scatter**2, curve, FREE)
        degrees = max(1, len(log) - len(curve.ranks))
        if chi2.sf(found.chi_squared, degrees) > MISFIT:
            break
    return float(scatter)


def _bias(theta: np.ndarray, samples: float, curve: RankCurve) -> np.ndarray:
    """ln of expected sample over population eigenvalue at every rank."""
    nodes, counts = curve.nodes
    law = Atoms(np.exp(curve.hats(nodes) @ theta), counts)
    some = np.unique(np.round(np.geomspace(1, curve.size, BIAS_RANKS)))
    expected = expected_eigenvalues(law, math.inf, samples, some)
    bias = np.log(expected) - curve.hats(some) @ theta
    return np.interp(np.log(np.arange(1.0, curve.size + 1)), np.log(some), bias)
