r"""Linear statistics of a sample spectrum, and the population that explains them.

    G(z) = Σ_i ln(1 + l_i/z),      E G = Σ_J ln(1+λ_J/κ) − n ln(1−D₁/n) − D₁ + ½ ln(1−a(κ,κ)),
    Cov[G(z), G(z′)] = −2 ln(1−a(κ,κ′)),      a(κ,κ′) = (1/n) Σ_J λ_J²/((λ_J+κ)(λ_J+κ′)),

with z = κ(1 − D₁(κ)/n): mean and covariance of a linear statistic, to O(1/n), for Gaussian data of
n degrees of freedom. z runs along the ray arg z = π − `ANGLE`, where eigenvalues are resolved to
e^ANGLE. G is stationary in κ, so that ∂G/∂λ_J = 1/(λ_J+κ). Directions in which the statistics
fluctuate less than what the mean neglects are left out.

Source: Bai and Silverstein 2004, the central limit theorem of linear spectral statistics.
"""

from __future__ import annotations

import math

import numpy as np

from ..resolvent.path import solve_along
from ..spectrum import Atoms
from .rank_curve import CurveEstimate, RankCurve
from .sample_spectrum import SampleSpectrum

ANGLE = 0.5  # of the ray to the negative axis, and the step along it in ln|z|
ABOVE = 3.0  # times the largest eigenvalue, where the ray begins
NEGLECTED = 0.1  # /n², the variance relative to the largest below which a direction is left out
BENT = 0.3  # the same per squared scatter, whose second order the mean neglects
FLOOR = 1e-10
STEPS, HALVINGS, LARGEST_STEP = 40, 8, 1.0
SETTLED = 1e-3  # of the weighted square, which is a χ²
SEEN = 0.6  # of the eigenvalues give the start, where the end of the spectrum is not seen
DEEPEST = 60.0  # ln of the range of eigenvalues that an estimate may span


class LinearStatistics:
    """The statistics of one sample, and the model of them."""

    def __init__(self, sample: SampleSpectrum, curve: RankCurve) -> None:
        self.sample, self.curve = sample, curve
        self.samples, self.values = sample.samples, sample.eigenvalues
        nodes, self.counts = curve.nodes
        self.hats = curve.hats(nodes)
        top, bottom = np.log(ABOVE * self.values[0]), np.log(self.values[-1])
        steps = int((top - bottom) / ANGLE) + 2
        self.z = np.exp(np.linspace(top, bottom, steps) + 1j * (math.pi - ANGLE))
        self.excess = np.sqrt(np.tile(sample.excess_at(self.z), 2))
        self.statistics = _parts(np.log1p(self.values / self.z[:, None]).sum(axis=1))

    def model(self, theta: np.ndarray, scatter: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """E G, its covariance, and its derivative by θ."""
        values, n = np.exp(self.hats @ theta), self.samples
        kappa = solve_along(Atoms(values, self.counts), np.inf, n, self.z).value[:, None]
        shares = values / (values + kappa)
        d1 = shares @ self.counts
        weighted = np.sqrt(self.counts) * shares
        plain, crossed = weighted @ weighted.T, weighted @ weighted.conj().T
        own = np.log(1 - np.diag(plain) / n) / 2
        mean = np.log1p(values / kappa) @ self.counts - n * np.log(1 - d1 / n) - d1 + own
        sampled = _real(-2 * np.log(1 - plain / n), -2 * np.log(1 - crossed / n))
        covariance = self.excess[:, None] * sampled * self.excess
        covariance += scatter**2 * _real(plain, crossed)
        return _parts(mean), covariance, _parts((self.counts * shares) @ self.hats)

    def whitening(self, covariance: np.ndarray, scatter: float) -> np.ndarray:
        """What takes the statistics to independent ones of unit variance."""
        variance, directions = np.linalg.eigh(covariance)
        least = max(FLOOR, NEGLECTED / self.samples**2 + BENT * scatter**2)
        kept = variance > variance[-1] * least
        return directions[:, kept].T / np.sqrt(variance[kept])[:, None]

    def fit(self, theta: np.ndarray, roughness: float, scatter: float) -> CurveEstimate:
        """Gauss–Newton with bounded steps, each halved until the weighted square falls."""
        prior = self.curve.prior(roughness)
        mean, covariance, slope = self.model(theta, scatter)
        for _ in range(STEPS):
            white = self.whitening(covariance, scatter)
            residual, weighted = white @ (self.statistics - mean), white @ slope
            information, score = weighted.T @ weighted, weighted.T @ residual
            gradient = information @ theta + score
            step = np.linalg.solve(information + prior, score - prior @ theta)
            step *= min(1.0, LARGEST_STEP / np.abs(step).max())
            square = residual @ residual + theta @ prior @ theta
            for _ in range(HALVINGS):
                new = np.maximum(theta + step, theta.max() - DEEPEST)
                mean, covariance, slope = self.model(new, scatter)
                residual = white @ (self.statistics - mean)
                gained = square - residual @ residual - new @ prior @ new
                if gained >= 0:
                    break
                step = step / 2
            theta = new
            if gained < SETTLED:
                break
        return CurveEstimate(
            theta, information, gradient, float(residual @ residual), len(residual)
        )

    def flat(self) -> np.ndarray:
        """ln λ of equal eigenvalues."""
        return np.full(len(self.curve.ranks), np.log(self.values.sum() / self.curve.size))

    def start(self) -> np.ndarray:
        """ln l at ranks that the sample resolves, continued with the last slope."""
        ranks = self.curve.ranks
        known = ranks[ranks <= max(3.0, SEEN * len(self.values))]
        places = np.clip(np.round(known).astype(int) - 1, 0, len(self.values) - 1)
        log = np.log(self.values)[places]
        if len(known) < len(ranks):
            u = np.log(ranks)
            few = max(2, len(known) // 3)
            slope = min(-0.3, float(np.polyfit(u[len(known) - few : len(known)], log[-few:], 1)[0]))
            rest = log[-1] + max(slope, -6.0) * (u[len(known) :] - u[len(known) - 1])
            log = np.concatenate([log, rest])
        return log


def _parts(x: np.ndarray) -> np.ndarray:
    """Real parts, then imaginary parts, along the first axis."""
    return np.concatenate([x.real, x.imag])


def _real(plain: np.ndarray, crossed: np.ndarray) -> np.ndarray:
    """The covariance of real and imaginary parts from E[g gᵀ] and E[g g†]."""
    return np.block([[(plain + crossed).real, (plain - crossed).imag],
                     [(plain - crossed).imag.T, (crossed - plain).real]]) / 2  # fmt: skip
