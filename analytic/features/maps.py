r"""Spectra of feature maps: what a linear map keeps, and how far a nonlinear one extends it.

T inputs x (rows, divided by their root mean square norm) are mapped to N features φ = σ(W x), the
entries of W standard normal. The Gram matrix K̂ = φφᵀ/(N T) of shape (T, T) is

    linear map      x Wᵀ W xᵀ/(N T): rank ≤ min(T, N_in), whatever N;
    nonlinear map   rank min(T, N): the law of the spectrum goes on beyond N_in.

Two predictions of its eigenvalues, both a sample covariance of N Gaussian features in T dimensions
whose population is

    the kernel's    the eigenvalues of the dual kernel E σσ′/T;
    linear's        those of the Gaussian equivalent (a₀² 11ᵀ + a₁² x xᵀ + a⋆² 1)/T,
                    a⋆² = Σ_{k≥2} a_k²: exact where all u = x·x′ are of order T^(−1/2), blind to
                    structure of higher order elsewhere.

Source: solvable-model talk, “Data Properties”; Pennington and Worah 2017; Mei and Montanari 2022.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import Seed, checked
from ..data.arrays import as_samples
from ..equality import Comparable
from ..errors import InputError
from ..resolvent.density import expected_eigenvalues
from ..spectrum import Atoms
from .activation import Activation, activation
from .dual_kernels import dual_kernel
from .hermite import coefficients

MOST_SAMPLES = 4000  # rows of a Gram matrix
RANKS = 24  # at which predictions are computed
INNER = 0.9  # of the ranks: the last eigenvalues fluctuate most
ZERO = 1e-12  # relative to the largest eigenvalue


@dataclass(frozen=True, eq=False)
class MapSpectrum(Comparable):
    """Eigenvalues of K̂ at ``ranks``: measured with one draw of W, and predicted.

    ``inputs`` are the eigenvalues of x xᵀ/T, ``linear`` those of a linear map to N features,
    ``features`` those of the nonlinear map, all descending and without zeros; ``kernel`` those of
    the dual kernel. ``by_kernel`` and ``by_equivalent`` are the predictions at ``ranks``,
    ``kernel_error`` and ``equivalent_error`` their root mean square errors of ln μ.
    ``hermite`` are a₀, a₁, … at unit norm, ``higher`` is a⋆².
    """

    function: Activation
    width: int
    inputs: np.ndarray
    linear: np.ndarray
    features: np.ndarray
    kernel: np.ndarray
    ranks: np.ndarray
    by_kernel: np.ndarray
    by_equivalent: np.ndarray
    kernel_error: float
    equivalent_error: float
    hermite: np.ndarray
    higher: float

    @property
    def extension(self) -> float:
        """How many eigenvalues the nonlinear map has per eigenvalue of the linear one."""
        return len(self.features) / len(self.linear)


@checked
def map_spectrum(
    data: Any, function: str | Activation, width: int, *, seed: Seed = 0
) -> MapSpectrum:
    """The spectra of linear and nonlinear maps of the rows of ``data`` to ``width`` features.

    Eigenvalues of φφᵀ/(width · T), measured, and predicted from the kernel's eigensystem and from
    the linear Gaussian equivalent. Raises `InputError` for inputs that are zero, for fewer than
    eight of them, for more than `MOST_SAMPLES`, and for widths that would fill the memory. Source:
    arXiv:2210.16859, section 2.

    >>> found = map_spectrum(np.random.default_rng(1).normal(size=(60, 10)), "relu", 200)
    >>> len(found.linear), len(found.features), found.kernel_error < found.equivalent_error
    (10, 60, True)
    """
    function, width = activation(function), arguments.count("width", width, at_least=2)
    rows = normalised(data)
    most = 10 * arguments.MOST_NUMBERS // sum(rows.shape)
    if width > most:
        raise InputError("width", width, f"at most {most} for {len(rows)} samples of "
                         f"{rows.shape[1]} inputs")  # fmt: skip
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    weights = rng.normal(size=(rows.shape[1], width))
    gram = rows @ rows.T
    drawn = rows @ weights
    kernel = _eigenvalues(dual_kernel(gram, function))
    features = _nonzero(np.linalg.svd(function(drawn), compute_uv=False) ** 2 / width / len(rows))
    linear = _nonzero(np.linalg.svd(drawn, compute_uv=False) ** 2 / width / len(rows))
    hermite = coefficients(function, 12)
    higher = _higher(function, hermite)
    equivalent = hermite[0] ** 2 + hermite[1] ** 2 * gram + higher * np.eye(len(rows))
    last = max(2, int(INNER * min(len(features), width)))
    ranks = np.unique(np.round(np.geomspace(1, last, RANKS)))
    predicted = [_prediction(values, width, ranks) for values in
                 (kernel, _eigenvalues(equivalent))]  # fmt: skip
    measured = features[ranks.astype(int) - 1]
    errors = [float(np.sqrt(np.nanmean(np.log(p / measured) ** 2))) for p in predicted]
    return MapSpectrum(
        function, width, _nonzero(_eigenvalues(gram)), linear, features, _nonzero(kernel), ranks,
        predicted[0], predicted[1], errors[0], errors[1], hermite, higher,
    )  # fmt: skip


def normalised(data: Any) -> np.ndarray:
    """The rows over their root mean square norm."""
    samples = as_samples(data)
    if samples.length > MOST_SAMPLES:
        raise InputError(samples.argument, f"{samples.length} samples", f"at most {MOST_SAMPLES}")
    rows = samples.whole()
    if len(rows) < 8:
        raise InputError(samples.argument, f"{len(rows)} samples", "at least eight")
    if np.any(np.sum(rows**2, axis=1) == 0):
        at = int(np.argmin(np.sum(rows**2, axis=1))) + 1
        raise InputError(samples.argument, f"row {at} is zero", "inputs of some length")
    return rows / math.sqrt(np.mean(np.sum(rows**2, axis=1)))


def _higher(function: Activation, hermite: np.ndarray) -> float:
    """a⋆² = E σ² − a₀² − a₁²."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    square = float(weights @ function(nodes) ** 2 / math.sqrt(2 * math.pi))
    return max(0.0, square - hermite[0] ** 2 - hermite[1] ** 2)


def _eigenvalues(gram: np.ndarray) -> np.ndarray:
    """Of gram/T, descending."""
    return np.maximum(np.linalg.eigvalsh(gram / len(gram))[::-1], 0)


def _nonzero(values: np.ndarray) -> np.ndarray:
    return values[values > ZERO * len(values) * values[0]]


def _prediction(values: np.ndarray, width: int, ranks: np.ndarray) -> np.ndarray:
    """The expected eigenvalues of ``width`` Gaussian features of these population eigenvalues."""
    kept = _nonzero(values)
    last = min(len(kept), width)
    found = np.full(len(ranks), np.nan)
    inside = ranks <= last
    law = Atoms(*_grouped(kept))
    found[inside] = expected_eigenvalues(law, math.inf, float(width), ranks[inside])
    return found


def _grouped(values: np.ndarray, most: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring eigenvalues put together, so that some hundred atoms are left."""
    if len(values) <= most:
        return values, np.ones(len(values))
    edges = np.unique(np.round(np.geomspace(1, len(values) + 1, most)).astype(int) - 1)
    sums, counts = np.add.reduceat(values, edges[:-1]), np.diff(edges)
    return sums / counts, counts.astype(float)
