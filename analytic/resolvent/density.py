r"""The eigenvalues of the features' Gram matrix, and of the covariance of finitely many samples.

K = φφᵀ/(σ_u² N T) has the nonzero eigenvalues of xᵀuᵀu x/(σ_u² N T); N = ∞ gives the
empirical covariance xxᵀ/T of T samples, T = ∞ the matrix uΛuᵀ/N of N features. With κ(z) of
equation (1),

    Σ_i μ_i/(μ_i + z) = D₁(κ),      Σ_i ln(1 + μ_i/z) = G(κ),
    G = Σ_J ln(1+λ_J/κ) − N [ln R₃ + D₁/N] − T [ln R₁ + D₁/T],

the second by integrating the first, dG/dz = −D₁/z, which fixes G since both vanish at
infinity. Just below the negative axis, z = −x − i0, imaginary parts count eigenvalues:

    density of nonzero eigenvalues   n(x) = Im D₁/(π x),
    number of eigenvalues above x    Im G/π.

κ has there a negative imaginary part inside the spectrum, and is real outside of it.

Source: solvable-model talk, “Data Properties” and “A Statistical Model”.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import arguments
from ..arguments import checked
from ..errors import InputError
from ..spectrum import Spectrum
from .equation import brackets, product_and_slope
from .path import PART, solve_complex

BELOW_AXIS = 1e-7  # angle below the negative axis from which κ is continued onto it
SHARP = 100.0  # Im κ in units of this angle, above which the point is inside the spectrum
NEWTON_STEPS = 8
BISECTIONS = 24
GRID, DEPTH = 128, 80.0  # values of ln x among which an eigenvalue is looked for


def _on_axis(spectrum: Spectrum, n: Any, t: Any, x: np.ndarray) -> np.ndarray:
    """κ(−x − i0): continued to just below the axis, then Newton's method on it.

    Where that is real (outside the spectrum) or does not converge (at the edges), κ just
    below the axis is kept.
    """
    below = x * np.exp(-1j * (math.pi - BELOW_AXIS))
    k = solve_complex(spectrum, n, t, below).value
    inside = k.imag < -SHARP * BELOW_AXIS * np.abs(k)
    if inside.any():
        k[inside] = _polished(spectrum, n, t, x[inside], k[inside])
    return k


def _polished(spectrum: Spectrum, n: Any, t: Any, x: np.ndarray, start: np.ndarray) -> np.ndarray:
    k = start.copy()
    for _ in range(NEWTON_STEPS):
        _, r3, r1 = brackets(spectrum, k, n, t)
        p, slope = product_and_slope(r3, r1, k * spectrum.resolvent_sum(k, 1, 2), n, t)
        step = k - (k * p + x) / slope
        k = np.where(step.imag < 0, step, k)
    _, r3, r1 = brackets(spectrum, k, n, t)
    good = np.abs(k * r3 * r1 + x) < 1e-10 * np.abs(k)
    return np.where(good & (np.abs(k - start) < 1e-2 * np.abs(start)), k, start)


def _outside(spectrum: Spectrum, n: Any, t: Any, x: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Whether κ is real on the axis: its small imaginary part is that of dκ/dz alone."""
    _, r3, r1 = brackets(spectrum, k, n, t)
    _, slope = product_and_slope(r3, r1, k * spectrum.resolvent_sum(k, 1, 2), n, t)
    linear = -x * BELOW_AXIS * (1 / slope).real
    nearly = k.imag > -SHARP * BELOW_AXIS * np.abs(k)
    return nearly & (np.abs(k.imag - linear) < 1e-3 * np.abs(k.imag))


def _checked(features: Any, samples: Any, x: Any) -> tuple[float, float, np.ndarray]:
    arguments.positive_or_infinite("features", features)
    arguments.positive_or_infinite("samples", samples)
    arguments.positive("x", x)
    if math.isinf(features) and math.isinf(samples):
        raise InputError("features", features, "a finite number, or finite samples")
    return float(features), float(samples), np.asarray(x, dtype=float)


@checked
def eigenvalue_density(spectrum: Spectrum, features: float, samples: float, x: ArrayLike) -> Any:
    """n(x): the number density of the nonzero eigenvalues of φφᵀ/(σ_u² N T) at x > 0.

    ``features`` = ∞ gives xxᵀ/T. The integral of n is min(N, T, M); outside the support n is 0.
    Shape of x.

    Raises `InputError` for x ≤ 0 and where both sizes are infinite. Source: solvable-model talk,
    “A Statistical Model”; for white data Marchenko and Pastur 1967.

    >>> from solvable.analytic.spectrum import Flat  # white data: the Marchenko–Pastur density
    >>> float(round(eigenvalue_density(Flat(50), math.inf, 200, 1.0), 3))
    30.82
    """
    n, t, points = _checked(features, samples, x)
    arguments.grid("x", points.shape, each=30)
    flat = points.ravel()
    parts = [flat[i : i + PART] for i in range(0, flat.size, PART)]
    density = np.concatenate([_density(spectrum, n, t, part) for part in parts])
    return density.reshape(points.shape)[()]


def _density(spectrum: Spectrum, n: float, t: float, x: np.ndarray) -> np.ndarray:
    """The density at so many points that arrays of points × modes are small."""
    k = _on_axis(spectrum, n, t, x)
    density = spectrum.degrees_of_freedom(k).imag / (math.pi * x)
    density[_outside(spectrum, n, t, x, k)] = 0.0
    return np.maximum(density, 0.0)


def eigenvalue_count(spectrum: Spectrum, features: Any, samples: Any, x: Any) -> Any:
    """The expected number of eigenvalues of φφᵀ/(σ_u² N T) above x; finite M.

    >>> from solvable.analytic.spectrum import Flat
    >>> float(round(eigenvalue_count(Flat(50), math.inf, 200, 1e-3), 4))
    50.0
    """
    n, t, points = _checked(features, samples, x)
    k = _on_axis(spectrum, n, t, points.ravel())
    d1 = spectrum.degrees_of_freedom(k)
    total = spectrum.log_sum(k)
    for size in (n, t):
        if math.isfinite(size):
            total = total - size * np.log(1 - d1 / size) - d1
    return (total.imag / math.pi).reshape(points.shape)[()]


@checked
def expected_eigenvalues(
    spectrum: Spectrum, features: float, samples: float, index: ArrayLike
) -> Any:
    """The eigenvalue of rank ``index`` (1 is the largest): where i − ½ eigenvalues lie above.

    This is the curve λ_i against i of the talk: it follows the latent power law and ends in
    a rapid decline at i = min(N, T, M).

    Result of the shape of ``index``, eigenvalues of φφᵀ/(σ_u²NT). Raises `InputError` for ranks
    beyond min(N, T, M). Source: solvable-model talk, “Data Properties”.

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(alpha=0.5, size=1000)
    >>> bool(expected_eigenvalues(law, math.inf, 100, 100) < law.eigenvalue(100))
    True
    """
    n, t, _ = _checked(features, samples, 1.0)
    rank = np.asarray(arguments.positive("index", index), dtype=float)
    arguments.grid("index", rank.shape, each=1000)
    largest = min(n, t, spectrum.size)
    if np.any(rank > largest):
        raise InputError("index", index, f"ranks from 1 to {largest:g}")
    wanted = rank.ravel() - 0.5
    top = math.log(4 * spectrum.trace() * (1 + 1 / min(n, t)))
    grid = np.linspace(top, top - DEPTH, GRID)
    counts = eigenvalue_count(spectrum, n, t, np.exp(grid))
    place = np.searchsorted(np.maximum.accumulate(counts), wanted)
    high, low = grid[np.maximum(place - 1, 0)], grid[np.minimum(place, GRID - 1)]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = eigenvalue_count(spectrum, n, t, np.exp(middle)) >= wanted
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.exp((low + high) / 2).reshape(rank.shape)[()]
