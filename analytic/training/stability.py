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

from ..resolvent.equation import product_and_slope
from ..spectrum import Spectrum

BISECTIONS = 200


def degrees_and_slope(
    spectrum: Spectrum, features: float, samples: float, y: float
) -> tuple[float, float, float]:
    """(d, −z, dz/dκ) at κ = −y < −λ_1.

    >>> from solvable.analytic.spectrum import Flat
    >>> degrees_and_slope(Flat(3), math.inf, math.inf, 2.0)
    (3.0, 2.0, 1.0)
    """
    d = -float(spectrum.degrees_of_freedom(-y))
    spread = -y * float(spectrum.resolvent_sum(-y, 1, 2))
    r3, r1 = 1 + d / features, 1 + d / samples
    p, slope = product_and_slope(r3, r1, spread, features, samples)
    return d, y * p, slope


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
    top = float(spectrum.eigenvalue(1))
    if math.isinf(features) and math.isinf(samples):
        return top, top
    y = _bisect(lambda y: degrees_and_slope(spectrum, features, samples, y)[2] < 0, top)
    return y, degrees_and_slope(spectrum, features, samples, y)[1]


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
    top = float(spectrum.eigenvalue(1))

    def noisy(y: float) -> bool:
        return -float(spectrum.degrees_of_freedom(-y)) > degrees

    if degrees == math.inf or (edge > top and not noisy(edge)):
        return 2 / (curvature * largest)
    y = _bisect(noisy, top)
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
    start, _ = branch_point(spectrum, features, samples)
    y = _bisect(lambda y: degrees_and_slope(spectrum, features, samples, y)[1] < -z, start)
    return -y, -degrees_and_slope(spectrum, features, samples, y)[0]
