r"""κ(z) of equation (1) at real z ≥ 0, in float64: Newton's method on ln κ inside a bracket.

g(ln κ) (see `equation`) is nearly straight, so that a handful of steps suffices from anywhere; a
step that leaves the bracket is replaced by its geometric mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import PrecisionError
from ..spectrum import Spectrum
from .equation import ResolventSolution, brackets, excess, inverse_gap, responses

MAX_ITERATIONS = 200
TOLERANCE = 1e-9
NEWTON_TOLERANCE = 1e-8  # a step of this size leaves an error of its square
SMALLEST = 1e-305


def solve_real(spectrum: Spectrum, features: Any, samples: Any, z: Any) -> ResolventSolution:
    """κ, R₃ and R₁ at real z ≥ 0; all arguments broadcast."""
    n, t, z = np.broadcast_arrays(*(np.asarray(x, float) for x in (features, samples, z)))
    shape, (n, t, z) = z.shape, (n.ravel(), t.ravel(), z.ravel())
    smaller = np.minimum(n, t)
    k = np.where(np.isinf(smaller), z, 0.0)
    active = np.isfinite(smaller) & ~((z == 0) & (smaller >= spectrum.size))
    if active.any():
        k[active] = _bracketed_newton(spectrum, n[active], t[active], z[active])
    positive = k > 0
    known = positive | (spectrum.size < np.inf)  # else N = T = M = ∞: both brackets are 1
    d1, r3, r1 = brackets(spectrum, np.where(known, k, 1.0), n, t)
    d1 = np.where(known, d1, 0.0)
    r3, r1 = (np.where(known, x, 1.0) for x in (r3, r1))
    residual = np.abs(k * r3 * r1 - z) / np.maximum(k, np.finfo(float).tiny)
    if np.any(residual > TOLERANCE):
        raise PrecisionError(
            f"equation (1) holds only to {residual.max():.1e}; ask for more digits", 0
        )
    d1 = np.where((z == 0) & positive & np.isfinite(smaller), smaller, d1)  # what κ₀ solves
    product = np.divide(z, k, out=np.zeros_like(k), where=positive)
    exact = responses(d1, n, t, product, r3 + r1)
    r3, r1 = (np.where(positive, x, y) for x, y in zip(exact, (r3, r1)))
    return ResolventSolution(*(y.reshape(shape)[()] for y in (k, r3, r1, residual, d1)))


def _lower_bound(spectrum: Spectrum, smaller: np.ndarray) -> np.ndarray:
    """A κ at which D₁(κ) ≥ min(N, T): λ_J (J−m)/m at J = 2m or J = M, since D₁ ≥ Jλ_J/(λ_J+κ)."""
    index = np.minimum(np.ceil(2 * smaller) + 1, spectrum.size)
    reach = np.clip(index - smaller, 0, None) / smaller
    return np.where(reach > 0, spectrum.eigenvalue(index) * reach, 0.0)


def _bracketed_newton(
    spectrum: Spectrum, n: np.ndarray, t: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """κ of entries that have κ > 0."""
    smaller, gap = np.minimum(n, t), np.abs(inverse_gap(n, t))
    low = np.maximum(np.maximum(_lower_bound(spectrum, smaller), z), SMALLEST)
    high = np.maximum(4 * z, 2 * spectrum.trace() / smaller) * (1 + 1e-9)
    low = np.minimum(low, high)
    k, todo = low.copy(), np.arange(len(z))
    for _ in range(MAX_ITERATIONS):
        here, top, bottom = k[todo], high[todo], low[todo]
        with np.errstate(all="ignore"):
            g, slope = excess(spectrum, here, smaller[todo], gap[todo], z[todo])
            step = -g / slope
            new = here * np.exp(step)
        low[todo] = bottom = np.where(g >= 0, here, bottom)
        high[todo] = top = np.where(g <= 0, here, top)
        small = np.abs(step) <= NEWTON_TOLERANCE
        inside = small | ((new > bottom) & (new < top))
        k[todo] = np.where(inside, new, np.sqrt(bottom) * np.sqrt(top))
        todo = todo[~small]
        if not todo.size:
            break
    return k
