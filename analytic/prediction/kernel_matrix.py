r"""The kernel matrix of a data set.

Inputs are divided by their root mean square norm, x → x/⟨|x|²⟩^{1/2}, so that every kernel has
diagonal 1 on average and a ridge means the same for all of them. With u = cos ∠(x, x′),
θ = arccos u, κ₀ = (π − θ)/π and κ₁ = [sin θ + (π − θ) u]/π,

| kernel | k(x, x′) | random features, φφᵀ averaged |
|---|---|---|
| rbf | exp(−\|x − x′\|²/(2ℓ²)) | √2 cos(w·x + b), w Gaussian of width 1/ℓ |
| laplace | exp(−\|x − x′\|/ℓ) | the same, w of the multivariate Cauchy law of width 1/ℓ |
| linear | x·x′ | w·x |
| relu | \|x\| \|x′\| κ₁(u), the arc-cosine kernel of order 1 | √2 relu(w·x) |
| ntk | \|x\| \|x′\| (κ₁ + u κ₀)/2, one hidden ReLU layer | relu(w·x) + relu′(w·x) v·x |

and ℓ is the median of |x − x′| over pairs of the inputs, unless it is given in their units.
The ridge r is that of (K + r)⁻¹, not divided by anything.

Sources: Cho, Saul 2009 (arc-cosine kernels); Jacot, Gabriel, Hongler 2018 (tangent kernel).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import arguments
from ..arguments import Table, checked
from ..equality import Comparable
from ..errors import InputError
from ..features.dual_kernels import arc_cosine, tangent_kernel

KERNELS = ("rbf", "laplace", "ntk", "linear", "relu")
WITH_LENGTH = ("rbf", "laplace")
MOST_POINTS = 8000  # of a pool
LARGEST = 1e140  # whose square is a float
PAIRS = 2_000_000  # of which the median distance is taken


@dataclass(frozen=True, eq=False)
class KernelMatrix(Comparable):
    """K of shape (P, P), what it was made of, and ``scale``, the root mean square norm."""

    matrix: np.ndarray
    kernel: str
    inputs: np.ndarray
    length: float | None
    scale: float


@checked
def kernel_matrix(data: Table, kernel: str, length: float | None = None) -> KernelMatrix:
    """The kernel matrix, shape (P, P), of the rows of ``data``, shape (P, inputs).

    ``kernel`` is one of `KERNELS`: rbf exp(−r²/(2ℓ²)), laplace exp(−r/ℓ) at distance r, linear,
    relu and ntk; inputs are first divided by their root mean square norm, and ``length`` is ℓ in
    the units of the data (default: the median distance). Raises `InputError` for data that are
    no finite numbers, all zero, or have no median distance, and beyond `MOST_POINTS` samples.

    Sources: Cho, Saul 2009; Jacot, Gabriel, Hongler arXiv:1806.07572.

    >>> kernel_matrix([[3.0, 0.0], [0.0, 3.0]], "relu").matrix.round(6)  # κ₁(0) = 1/π
    array([[1.     , 0.31831],
           [0.31831, 1.     ]])
    """
    arguments.choice("kernel", kernel, KERNELS)
    inputs: np.ndarray = data
    if inputs.ndim != 2 or len(inputs) < 2:
        raise InputError(
            "data", f"an array of shape {inputs.shape}", "samples in rows, two or more"
        )
    if len(inputs) > MOST_POINTS:
        raise InputError("data", f"{len(inputs)} samples", f"at most {MOST_POINTS}")
    if length is not None:
        arguments.positive("length", length)
        if kernel not in WITH_LENGTH:
            raise InputError("length", length, f"nothing for the kernel {kernel}")
    largest = float(np.abs(inputs).max(initial=0))
    if largest > LARGEST or 0 < largest < 1 / LARGEST:
        raise InputError("data", f"numbers up to {largest:.3g}", f"sizes from {1 / LARGEST:g} to "
                         f"{LARGEST:g}: change the unit")  # fmt: skip
    scale = float(np.sqrt(np.mean(np.sum(inputs**2, axis=1))))
    if scale == 0:
        raise InputError("data", "all zero", "inputs of which some are not zero")
    x = inputs / scale
    gram = x @ x.T
    if kernel in WITH_LENGTH:
        distance = distances(gram)
        unit = median(distance) if length is None else float(length) / scale
        if unit == 0:
            raise InputError("length", 0, "a length: half of all pairs of samples are equal")
        power = distance / unit if kernel == "laplace" else (distance / unit) ** 2 / 2
        return KernelMatrix(np.exp(-power), kernel, inputs, unit * scale, scale)
    if kernel == "linear":
        return KernelMatrix(gram, kernel, inputs, None, scale)
    return KernelMatrix(_arc_cosine(gram, kernel), kernel, inputs, None, scale)


def distances(gram: np.ndarray) -> np.ndarray:
    """|x − x′| from the scalar products."""
    norms = np.diag(gram)
    squared = np.maximum(norms[:, None] + norms - 2 * gram, 0)
    squared[squared < 1e-13 * norms.max()] = 0  # rounding: equal points
    return np.sqrt(squared)


def median(distance: np.ndarray) -> float:
    """The median over pairs of different rows."""
    count = min(len(distance), int(np.sqrt(2 * PAIRS)))
    rows = np.linspace(0, len(distance) - 1, count).astype(int)
    return float(np.median(distance[np.ix_(rows, rows)][np.triu_indices(count, 1)]))


def _arc_cosine(gram: np.ndarray, kernel: str) -> np.ndarray:
    norms = np.sqrt(np.diag(gram))
    product = np.outer(norms, norms)
    u = np.divide(gram, product, out=np.zeros_like(gram), where=product > 0)
    u = np.clip(u, -1, 1)
    np.fill_diagonal(u, 1)
    return product * (arc_cosine(1, u) if kernel == "relu" else tangent_kernel(u))
