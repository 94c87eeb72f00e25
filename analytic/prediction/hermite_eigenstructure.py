r"""The eigensystem of a kernel from the covariance of the inputs alone.

For Gaussian inputs of covariance Γ, Tr Γ = 1, and a kernel that is f(x·x′) on the sphere |x| = 1,

    λ_α = f^(|α|)(0) Π_i γ_i^{α_i},        φ_α(x) = Π_i h_{α_i}(x·v_i/√γ_i),

one eigenvalue and eigenfunction for every multi-index α, with h the normalised Hermite
polynomials and γ_i, v_i the eigensystem of Γ. What is left of f(1) = Σ λ_α beyond the modes that
are listed acts as a ridge on every point, what is left of the target as noise. Coefficients of the
target are taken after orthogonalising the functions on the data in the order of their eigenvalues,
as real data are not Gaussian.

| kernel | f(u) |
|---|---|
| rbf | e^{−(1 − u)/ℓ²} |
| laplace | e^{−√(2 − 2u)/ℓ} |
| linear, relu, ntk | u, κ₁(u), [κ₁(u) + u κ₀(u)]/2 (`kernel_matrix`) |

Source: "Hermite eigenstructure ansatz", arXiv:2510.14878.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb
from typing import Any

import mpmath
import numpy as np

from .. import arguments, precision
from ..equality import Comparable
from ..errors import InputError
from ..loss import static_loss
from ..spectrum import Empirical
from .kernel_matrix import KERNELS, WITH_LENGTH, KernelMatrix

DEGREE = 8
MODES = 3000  # per degree
ROWS_PER_MODE = 4  # of which the target's coefficient is taken


@dataclass(frozen=True, eq=False)
class HermiteModes(Comparable):
    """λ_α descending, α as rows of exponents of the inputs' principal directions, and the rest.

    ``rest`` is f(1) − Σ λ_α over the modes that are listed.
    """

    values: np.ndarray
    exponents: list[tuple[int, ...]]
    rest: float


@lru_cache(maxsize=32, typed=True)
def level_coefficients(kernel: str, length: float | None) -> tuple[tuple[float, ...], float]:
    """f^(ℓ)(0) for ℓ = 0 … `DEGREE`, and f(1).

    >>> [round(x, 6) for x in level_coefficients("relu", None)[0][:3]]  # 1/π, ½, 1/π
    [0.31831, 0.5, 0.31831]
    """
    with precision.workdps(30):
        f = _profile(kernel, length)
        series = mpmath.taylor(f, 0, DEGREE)
        values = tuple(float(c * mpmath.factorial(i)) for i, c in enumerate(series))
        return tuple(x if abs(x) > 1e-12 else 0.0 for x in values), float(f(mpmath.mpf(1)))


def _profile(kernel: str, length: float | None) -> Any:
    if kernel == "rbf":
        return lambda u: mpmath.exp(-(1 - u) / mpmath.mpf(length) ** 2)
    if kernel == "laplace":
        return lambda u: mpmath.exp(-mpmath.sqrt(2 - 2 * u) / mpmath.mpf(length))
    if kernel == "linear":
        return lambda u: u

    def ramp(u: Any) -> Any:
        return (mpmath.sqrt(1 - u * u) + (mpmath.pi - mpmath.acos(u)) * u) / mpmath.pi

    if kernel == "relu":
        return ramp
    return lambda u: (ramp(u) + u * (mpmath.pi - mpmath.acos(u)) / mpmath.pi) / 2


def hermite_modes(variances: Any, kernel: str, length: float | None = None) -> HermiteModes:
    """The leading modes for inputs whose covariance has these eigenvalues.

    ``length`` is ℓ relative to the root mean square norm, for rbf and laplace. Raises `InputError`
    for variances that are not positive and a kernel that is not known.

    >>> found = hermite_modes([0.75, 0.25], "linear")
    >>> found.values, found.exponents
    (array([0.75, 0.25]), [(0,), (1,)])
    """
    arguments.choice("kernel", kernel, KERNELS)
    gamma = np.sort(np.asarray(arguments.nonnegative("variances", np.asarray(variances, float))))
    gamma = gamma[::-1] / gamma.sum() if gamma.sum() > 0 else gamma
    gamma = gamma[gamma > 1e-12]
    if not len(gamma):
        raise InputError("variances", "all zero", "some that are not")
    if kernel in WITH_LENGTH:
        arguments.positive("length", 0 if length is None else length)
    levels, total = level_coefficients(kernel, length)
    values, exponents = [], []
    for degree, coefficient in enumerate(levels):
        if coefficient <= 0:
            continue
        width = len(gamma)
        while comb(width + degree - 1, degree) > MODES:
            width -= 1
        for index in combinations_with_replacement(range(width), degree):
            values.append(coefficient * float(np.prod(gamma[list(index)])))
            exponents.append(index)
    order = np.argsort(values)[::-1][:MODES]
    kept = np.array(values)[order]
    return HermiteModes(kept, [exponents[i] for i in order], max(total - float(kept.sum()), 0.0))


def hermite_functions(inputs: np.ndarray, exponents: list[tuple[int, ...]]) -> np.ndarray:
    """φ_α at whitened inputs, shape (points, modes).

    >>> hermite_functions(np.array([[2.0]]), [(), (0,), (0, 0)]).round(6)  # 1, z, (z² − 1)/√2
    array([[1.     , 2.     , 2.12132]])
    """
    from scipy.special import eval_hermitenorm, gammaln

    degree = max((len(index) for index in exponents), default=0)
    orders = np.arange(degree + 1)
    norm = np.exp(-gammaln(orders + 1) / 2)
    table = norm[:, None, None] * eval_hermitenorm(orders[:, None, None], inputs[None])
    columns = []
    for index in exponents:
        column = np.ones(len(inputs))
        for direction in set(index):
            column = column * table[index.count(direction), :, direction]
        columns.append(column)
    return np.stack(columns, axis=1)


def hermite_prediction(
    kernel: KernelMatrix, targets: Any, samples: Any, ridge: float, features: float = np.inf
) -> np.ndarray:
    """The test error along ``samples``: eigenvalues from the covariance of centred inputs alone,
    target coefficients from the labels.

    Raises `InputError` where the inputs of the kernel are not centred.
    """
    x, y = kernel.inputs / kernel.scale, np.asarray(targets, float)
    y = y[:, None] if y.ndim == 1 else y
    if np.abs(x.mean(axis=0)).max() > 1e-6:
        raise InputError("inputs", "a mean that is not zero", "centred inputs")
    gamma, vectors = np.linalg.eigh(x.T @ x / len(x))
    positive = gamma[::-1] > 1e-12 * gamma[-1]
    gamma, vectors = gamma[::-1][positive], vectors[:, ::-1][:, positive]
    length = None if kernel.length is None else kernel.length / kernel.scale
    modes = hermite_modes(gamma, kernel.kernel, length)
    kept = modes.exponents[: max(1, len(x) // ROWS_PER_MODE)]
    basis, _ = np.linalg.qr(hermite_functions(x @ vectors / np.sqrt(gamma), kept))
    squares = np.sum((basis.T @ y) ** 2, axis=1) / len(x)
    total = float(np.sum(y**2) / len(x))
    unexplained = max(total - float(squares.sum()), 0.0) / (1 - len(kept) / len(x))
    power = np.zeros(len(modes.values))  # less what noise alone would show
    power[: len(kept)] = np.maximum(squares - unexplained / len(x), 0)
    noise = max(total - float(power.sum()), 0.0)
    found = static_loss(Empirical(modes.values, power), features, np.asarray(samples, float),
                        ridge=ridge + modes.rest, noise=noise, normalisation="kernel")  # fmt: skip
    return np.asarray(found.excess_loss) + noise
