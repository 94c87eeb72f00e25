r"""A random kernel as a few complex modes, exact for every polynomial of its eigenvalue.

On a closed contour around the spectrum [0, λ_max] of the kernel, z = −x, every polynomial p of the
eigenvalue that does not grow on the contour has

    Σ_x V(x) p(x) = ∮ f(z) p(−z) dz/2πi ≈ 2 Re Σ_i w_i f(z_i) p(−z_i),     f(z) = Σ_x V(x)/(x + z),

so that the nodes are modes of eigenvalue −z_i and power 2 w_i f(z_i). The contour is

    z = (e^s − 1) x_c,    s(u) = m (1 + sin(iu − α)),    λ_max < x_c,

the hyperbola of `contour` with the segment [0, x_c] mapped to the negative axis: about a hundred
nodes for 10⁶ steps, more only as their logarithm. It is narrowed until steps nowhere multiply a
mode by more than they do on the spectrum, neither on the hyperbola nor on a wider one beside it,
which is what makes the sum converge; and where x_c is close to λ_max until the copies of the
spectrum at 2πi (e^s is periodic) are as far from it as the spectrum itself. With momentum β,
|μ| ≤ 1 holds in an ellipse of half-axes 1 + β and 1 − β around ηx = 1 + β only. Polynomials of
degree n that are bounded on the spectrum alone, such as those of modes that oscillate, grow by no
more than ρ^n on the ellipse

    z = −λ_max (w + 1)²/(4w),     |w| = ρ = e^{c/n},

on which O(n) nodes are needed. What two frequencies describe, C₀(z, z') of `correlation`, has the
pairs of nodes as its modes, with the eigenvalues −z_i and −z_j'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..errors import PrecisionError
from ..resolvent import solve_along
from ..spectrum import Spectrum
from .contour import FLOAT_ANGLE, hyperbola
from .correlation import Points, points, two_point
from .stability import spectral_edge

Array = np.ndarray
Growth = Callable[[Array], Array]

ACCURACY = 1e-15
END = -31.0  # of ln(1 + z/x_c): what is left out is e^{−31} of it
LEAST = 16.0  # x_c × sum of steps: below it the hyperbola would wind around e^s = 0
NEAR = 1.003  # x_c/λ_max where steps are too large
OPENING, NARROWER = math.pi / 2 - FLOAT_ANGLE, 0.8  # of the hyperbola: half its angle
WIDE, BESIDE = 2.2, 1e-6  # opening of the hyperbola beside it, as a multiple, and its accuracy
GRID, MOST_TRIALS = 201, 40  # points of the spectrum; contours that are tried
HIGHEST = 0.3  # scale m of the hyperbola
SPARE = 4.0, 7.0  # growth of modes (ln) on the hyperbola and beside it that does no harm
PAIRS = 1 << 17  # of nodes that are evaluated at once
MOST_NODES = {False: 20_000, True: 900}  # of modes, and of pairs of modes
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

    def pairs(
        self, noise: float, *, shared_features: bool = True, shared_data: bool = True
    ) -> tuple[Array, Array, Array, Array]:
        """(z, z', power of C₀, response to a white source of variance 1 per sample), *(pairs,)*.

        Re of their sums is over all pairs of the whole contour; each is there once, in one order.
        C₀ may be that between models which do not share their features, or data.
        """
        shares = {"shared_features": shared_features, "shared_data": shared_data}
        mirrored = self.sums.mirrored()
        other = np.concatenate([self.weights, np.conj(self.weights)])
        quiet, others = _without_target(self.sums), _without_target(mirrored)
        power, response = [], []
        rows = max(1, PAIRS // len(other))
        for start in range(0, len(self.z), rows):
            part = slice(start, start + rows)
            weight = 2 * self.weights[part, None] * other
            sizes = self.features, self.samples
            correlation = two_point(self.sums.part(part), mirrored, *sizes, noise, **shares)[0]
            power.append(weight * correlation)
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


def _no_growth(x: Array) -> Array:
    return np.zeros(len(x))


def complex_modes(
    spectrum: Spectrum, features: float, samples: float, total: float, largest: float,
    *, growth: Growth = _no_growth, paired: bool = False,
) -> ComplexModes:  # fmt: skip
    """The modes for polynomials of steps that sum to ``total``, none above the rate ``largest``.

    ``largest`` is the largest of cη, so that the contour stays where |q| ≤ 1 if it can. ``growth``
    gives the logarithm by which all steps together multiply a mode of eigenvalue x at most: the
    contour is narrowed to where that is no more than on the spectrum. `PrecisionError` where this
    takes too many nodes.

    >>> from solvable.analytic.spectrum import Flat
    >>> modes = complex_modes(Flat(4), math.inf, math.inf, 1000.0, 0.5)
    >>> float(modes.power.real.sum().round(12))  # Σ w²λ
    4.0
    """
    edge = spectral_edge(spectrum, features, samples)
    crossing, slowest, opening = min(2 * edge, math.sqrt(2 * edge / largest)), LEAST, OPENING
    stable = crossing > NEAR * edge
    if not stable:  # |q| > 1 beyond the spectrum, if not on it: stay close
        crossing, slowest = NEAR * edge, 10 * LEAST
    allowed = max(0.0, growth(np.linspace(0, edge, GRID)).max())
    for _ in range(MOST_TRIALS):
        opening = min(opening, _free_angle(edge / crossing) / 2)
        s, weights, beside = _hyperbolas(opening, max(2 * crossing * total, slowest))
        if len(s) > MOST_NODES[paired]:
            break
        z, outside = np.expm1(s) * crossing, np.expm1(beside) * crossing
        if all(np.all(growth(-x) <= allowed + y) for x, y in zip((z, outside), SPARE)):
            return _modes_at(z, weights * np.exp(s) * crossing, spectrum, features, samples, paired)
        opening *= NARROWER
        crossing = crossing if stable else edge + NARROWER * (crossing - edge)
    used = ", all pairs of which are followed where samples are used again" if paired else ""
    raise PrecisionError(
        "steps near the largest stable one, or far beyond it, or momentum near 1 need more than "
        f"{MOST_NODES[paired]} modes{used}"
    )


def _free_angle(share: float) -> float:
    """The angle, seen from s = 0, between the negative axis and the nearest copy of the spectrum.

    As e^s has the period 2πi, [0, x] for x/x_c = ``share`` lies on [ln(1 − share), 0] + 2πik.
    """
    return math.atan2(2 * math.pi, -math.log1p(-share))


def _hyperbolas(opening: float, slowest: float) -> tuple[Array, Array, Array]:
    """Nodes s and weights on a hyperbola of half-angle ``opening``, and nodes beside it.

    These are on one so much wider that what is bounded there is summed to `ACCURACY`.
    """
    scale = min(SPARE[1] / (1 - math.cos(WIDE * opening)) / slowest, HIGHEST)
    inner, outer = (
        hyperbola(1.0, slowest, accuracy, angle=math.pi / 2 - width * opening, scale=scale)
        for width, accuracy in ((1, ACCURACY), (WIDE, BESIDE))
    )
    kept = inner.nodes.real > END
    return inner.nodes[kept], inner.weights[kept], outer.nodes[outer.nodes.real > END]


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
