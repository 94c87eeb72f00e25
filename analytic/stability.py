r"""The largest eigenvalue of the training kernel, and the step sizes at which training diverges.

The random matrix whose resolvent equation (1) gives has its largest eigenvalue at λ_max = −z*,
where κ(z), continued from −∞ along the real axis, first fails to be analytic: dz/dκ = 0. On
κ = −y, y > λ_1, with d(y) = Σ λ/(y−λ) and e(y) = y Σ λ/(y−λ)²,

    −z(y) = y (1 + d/N)(1 + d/T),      −dz/dκ: (1 + d/N)(1 + d/T) = e ((1 + d/T)/N + (1 + d/N)/T);

the left side of the second equation falls to 1 and its right side from ∞ to 0 as y goes from λ_1
to ∞. (N = T = ∞: λ_max = λ_1.)

Gradient descent of step η contracts every mode if ηλ_max < 2, heavy ball of momentum β if
ηλ_max < 2(1 + β). Stochastic gradient descent also amplifies its own noise: with q(x) = 1 − 2ηx +
cη²x² and the strength g (`stochastic_gradient`) the noise of one step returns, over all later ones,
as g Σ_j Σ_x x² q(x)^j = (g/cη²) d(y) with −z(y) = 2/(cη), so that it is stable as long as

    d(y) < d_c = cη²/g,     critical at   d(y) = d_c,   η_c = 2/(c y (1 + d_c/N)(1 + d_c/T)).

On fresh samples d_c = B + 1. All of these are edges of the mean field, sharp for infinite sizes: at
finite sizes a random model may diverge below them, or train above.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .spectrum import Spectrum

DIRECT_MODES = 4096  # a spectrum up to this size is summed mode by mode
LEADING_MODES = 64  # modes summed one by one otherwise; the rest by their traces
BISECTIONS = 200


def exterior_sums(spectrum: Spectrum) -> Callable[[float], tuple[float, float]]:
    """The function y ↦ (Σ λ/(y−λ), y Σ λ/(y−λ)²) for y > λ_1.

    Modes beyond the leading ones enter by their traces: Σ λ/(y−λ) = Σ_p tr λ^p/y^p.

    >>> from solvable.analytic.spectrum import Flat
    >>> exterior_sums(Flat(3))(2.0)
    (3.0, 6.0)
    """
    few = spectrum.size <= DIRECT_MODES
    values = spectrum.eigenvalues(0, None if few else LEADING_MODES)
    powers = np.arange(1, 1)
    traces = np.zeros(0)
    if not few:
        ratio = float(spectrum.eigenvalue(LEADING_MODES + 1) / values[0])
        powers = np.arange(1, max(2, math.ceil(math.log(1e-17) / math.log(ratio))) + 1)
        whole = np.array([float(spectrum.trace(int(p))) for p in powers])
        traces = whole - np.array([np.sum(values ** float(p)) for p in powers])

    def sums(y: float) -> tuple[float, float]:
        near = values / (y - values)
        far = traces / y**powers
        first = float(np.sum(near) + np.sum(far))
        second = float(np.sum(near * y / (y - values)) + np.sum(powers * far))
        return first, second

    return sums


def _bisect(below: Callable[[float], bool], low: float) -> float:
    """The y > ``low`` at which ``below`` turns from true to false, to the last bit of y − low."""
    short, long = 0.0, low
    while below(low + long):
        short, long = long, 2 * long
    for _ in range(BISECTIONS):
        middle = (short + long) / 2 if short else long / 4
        short, long = (middle, long) if below(low + middle) else (short, middle)
        if long - short <= 4e-16 * (low + long):
            break
    return low + long


def branch_point(spectrum: Spectrum, features: float, samples: float) -> tuple[float, float]:
    """(y, λ_max): where dz/dκ = 0 on κ = −y < −λ_1, and the largest eigenvalue −z there.

    >>> from solvable.analytic.spectrum import Flat
    >>> y, largest = branch_point(Flat(100), 400, math.inf)
    >>> round(largest, 12)  # Marchenko–Pastur: (1 + √(M/N))²
    2.25
    """
    nu, tau = 1 / float(features), 1 / float(samples)
    top = float(spectrum.eigenvalue(1))
    if nu == tau == 0:
        return top, top
    sums = exterior_sums(spectrum)

    def below(y: float) -> bool:
        d, e = sums(y)
        r3, r1 = 1 + d * nu, 1 + d * tau
        return r1 * r3 < e * (r1 * nu + r3 * tau)

    y = _bisect(below, top)
    d, _ = sums(y)
    return y, y * (1 + d * nu) * (1 + d * tau)


def spectral_edge(spectrum: Spectrum, features: float, samples: float) -> float:
    """λ_max, the upper edge of the eigenvalues of the training kernel (N, T or both finite).

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> spectral_edge(PowerLaw(alpha=1), math.inf, math.inf)
    1.0
    """
    return branch_point(spectrum, features, samples)[1]


def critical_sgd_step(
    spectrum: Spectrum, features: float, samples: float, curvature: float, degrees: float
) -> float:
    """The step size above which stochastic gradient descent of given c and d_c = cη²/g diverges.

    Where the noise would only diverge beyond the step 2/(cλ_max), at which q(λ_max) = 1, that one.

    >>> from solvable.analytic.spectrum import Flat
    >>> critical_sgd_step(Flat(10), math.inf, math.inf, 6 / 5, 6)  # η²(10 + 6)/5 = 2η
    0.625
    """
    edge, largest = branch_point(spectrum, features, samples)
    sums = exterior_sums(spectrum)
    if degrees == math.inf or (edge > float(spectrum.eigenvalue(1)) and sums(edge)[0] <= degrees):
        return 2 / (curvature * largest)
    y = _bisect(lambda y: sums(y)[0] > degrees, float(spectrum.eigenvalue(1)))
    responses = (1 + degrees / float(features)) * (1 + degrees / float(samples))
    return 2 / (curvature * y * responses)


def exterior_kappa(
    spectrum: Spectrum, features: float, samples: float, z: float
) -> tuple[float, float]:
    """(κ, D₁(κ)) at real z < −λ_max, where κ < 0 and D₁ < 0.

    >>> from solvable.analytic.spectrum import Flat
    >>> k, d1 = exterior_kappa(Flat(10), 20, math.inf, -4.0)
    >>> round(k * (1 - d1 / 20), 12)
    -4.0
    """
    nu, tau = 1 / float(features), 1 / float(samples)
    sums = exterior_sums(spectrum)
    start, _ = branch_point(spectrum, features, samples)

    def below(y: float) -> bool:
        d = sums(y)[0]
        return y * (1 + d * nu) * (1 + d * tau) < -z

    y = _bisect(below, start)
    return -y, -sums(y)[0]
