r"""A random kernel as a few complex modes, exact for every polynomial of its eigenvalue.

On a closed contour around the spectrum [0, λ_max] of the kernel, z = −x, every polynomial p of the
eigenvalue that does not grow on the contour has

    Σ_x V(x) p(x) = ∮ f(z) p(−z) dz/2πi ≈ 2 Re Σ_i w_i f(z_i) p(−z_i),     f(z) = Σ_x V(x)/(x + z),

so that the nodes are modes of eigenvalue −z_i and power 2 w_i f(z_i). The contour is

    z = (e^s − 1) x_c,    s(u) = m (1 + sin(iu − α)),    λ_max < x_c,

the hyperbola of `contour` with the segment [0, x_c] mapped to the negative axis: about a hundred
nodes for 10⁶ steps, more only as their logarithm. Polynomials of degree n that are bounded on the
spectrum alone, such as those of modes that oscillate, grow by no more than ρ^n on the ellipse

    z = −λ_max (w + 1)²/(4w),     |w| = ρ = e^{c/n},

on which O(n) nodes are needed. What two frequencies describe, C₀(z, z') of `correlation`, has the
pairs of nodes as its modes, with the eigenvalues −z_i and −z_j'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .contour import FLOAT_ANGLE, hyperbola
from .correlation import Points, points, two_point
from .resolvent import solve_along
from .spectrum import Spectrum
from .stability import spectral_edge

Array = np.ndarray

ACCURACY = 1e-15
END = -31.0  # of ln(1 + z/x_c): what is left out is e^{−31} of it
LEAST = 16.0  # x_c × sum of steps: below it the hyperbola would wind around e^s = 0
ROOM = 1.05  # x_c/λ_max; the hyperbola winds around e^s = 0 at s ≈ −4, inside 1 − λ_max/x_c
NEAR, NARROW = 1.003, 1.2  # the same where steps are too large; the angle that winds at s ≈ −8
PAIRS = 1 << 17  # of nodes that are evaluated at once
#: of the ellipse: its accuracy, how much polynomials grow on it (ln), and λ_max beside the edge
ELLIPSE_ACCURACY, ELLIPSE_GROWTH, ELLIPSE_ROOM = 1e-14, 5.0, 1 + 1e-12


@dataclass(frozen=True)
class ComplexModes:
    """Nodes z in the upper half-plane and the one-point sums there; *(n,)* each.

    ``power`` 2w(h₁/R₃) is the excess loss at the start, ``noisy`` 2wR₁/z that of label noise of
    variance 1 in the training residual, ``response`` −2wzd₁ the image of white noise.
    """

    z: Array
    weights: Array
    sums: Points
    features: float
    samples: float

    @property
    def power(self) -> Array:
        """Of the target."""
        return 2 * self.weights * self.sums.target / self.sums.R3

    @property
    def noisy(self) -> Array:
        """Of label noise."""
        return 2 * self.weights * self.sums.R1 / self.z

    @property
    def response(self) -> Array:
        """Σ x²/(x + z), up to what is analytic."""
        return -2 * self.weights * self.z * self.sums.degrees

    def pairs(self, noise: float) -> tuple[Array, Array, Array, Array]:
        """(z, z', power of C₀, response to a white source of variance 1 per sample), *(pairs,)*.

        Re of their sums is over all pairs of the whole contour; each is there once, in one order.
        """
        mirrored = self.sums.mirrored()
        other = np.concatenate([self.weights, np.conj(self.weights)])
        quiet, others = _without_target(self.sums), _without_target(mirrored)
        power, response = [], []
        rows = max(1, PAIRS // len(other))
        for start in range(0, len(self.z), rows):
            part = slice(start, start + rows)
            weight = 2 * self.weights[part, None] * other
            sizes = self.features, self.samples
            power.append(weight * two_point(self.sums.part(part), mirrored, *sizes, noise)[0])
            white = two_point(quiet.part(part), others, *sizes, 1.0)[0]
            response.append(weight * white * self.z[part, None] * mirrored.z)
        z, z_prime = np.broadcast_arrays(self.z[:, None], mirrored.z)
        twice = 2 * np.triu(np.ones((len(self.z),) * 2)) - np.eye(len(self.z))
        twice = np.hstack([twice, twice])
        once = twice > 0
        joined = (twice[once] * np.concatenate(parts)[once] for parts in (power, response))
        return z[once], z_prime[once], *joined


def _without_target(sums: Points) -> Points:
    degrees, target = sums.derivatives
    silent = tuple(np.zeros_like(x) for x in target)
    return replace(sums, target=np.zeros_like(sums.target), derivatives=(degrees, silent))


def complex_modes(
    spectrum: Spectrum, features: float, samples: float, total: float, largest: float,
    *, angle: float = FLOAT_ANGLE, paired: bool = False,
) -> ComplexModes:  # fmt: skip
    """The modes for polynomials of steps that sum to ``total``, none above the rate ``largest``.

    ``largest`` is the largest of cη, so that the contour stays where |q| ≤ 1 if it can.

    >>> from solvable.analytic.spectrum import Flat
    >>> modes = complex_modes(Flat(4), math.inf, math.inf, 1000.0, 0.5)
    >>> float(modes.power.real.sum().round(12))  # Σ w²λ
    4.0
    """
    edge = spectral_edge(spectrum, features, samples)
    crossing, least = min(2 * edge, math.sqrt(2 * edge / largest)), LEAST
    if crossing < ROOM * edge:  # |q| > 1 beyond the spectrum, if not on it: stay close
        crossing, least, angle = NEAR * edge, 10 * LEAST, max(angle, NARROW)
    contour = hyperbola(1.0, max(2 * crossing * total, least), ACCURACY, angle=angle)
    kept = contour.nodes.real > END
    s, weights = contour.nodes[kept], contour.weights[kept]
    z = np.expm1(s) * crossing
    return _modes_at(z, weights * np.exp(s) * crossing, spectrum, features, samples, paired)


def oscillating_modes(
    spectrum: Spectrum, features: float, samples: float, degree: float, *, paired: bool = False
) -> ComplexModes:
    """The modes for polynomials of a ``degree`` that are bounded on the spectrum, on the ellipse.

    >>> from solvable.analytic.spectrum import Flat
    >>> modes = oscillating_modes(Flat(4), math.inf, math.inf, 30)
    >>> float((modes.power * np.cos(9 * np.arccos(1 + 2 * modes.z))).real.sum().round(9))
    -4.0
    """
    edge = spectral_edge(spectrum, features, samples) * ELLIPSE_ROOM
    height = ELLIPSE_GROWTH / max(degree, 1.0)
    count = math.ceil((ELLIPSE_GROWTH - math.log(ELLIPSE_ACCURACY)) / height / 2)
    angle = -np.pi * (np.arange(count) + 0.5) / count
    half = (height + 1j * angle) / 2  # w = e^{2 half}
    z = -edge * np.cosh(half) ** 2
    return _modes_at(
        z, -edge * np.sinh(2 * half) / (4 * count), spectrum, features, samples, paired
    )


def _modes_at(
    z: Array, weights: Array, spectrum: Spectrum, features: float, samples: float, paired: bool
) -> ComplexModes:
    solution = solve_along(spectrum, features, samples, z)
    sums = points(spectrum, solution, z, (slice(None),) if paired else ())
    return ComplexModes(z, weights, sums, features, samples)
