"""Admissible points at which claims about D_q, h_q and κ are evaluated.

Claims about the solution κ(z) of equation (1) are evaluated there. The spectra include an arbitrary
one, so that an identity that holds for power laws alone is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath

from solvable.analytic.notation import M, N, T, kappa, lambda_plus, sigma_eps, sigma_w, z
from solvable.analytic.resolvent import solve
from solvable.analytic.spectrum import Empirical, PowerLaw, Spectrum

from ..checks import Point

ISOTROPIC: tuple[Spectrum, ...] = (
    PowerLaw(alpha=Fraction(1, 2), size=2000),
    PowerLaw(alpha=1),
    Empirical([3, 1, 1, Fraction(1, 2), Fraction(1, 7)]),
)
GENERAL: tuple[Spectrum, ...] = (
    PowerLaw(alpha=Fraction(1, 2), size=500, target_exponent=2),
    PowerLaw(alpha=Fraction(1, 3), target_exponent=Fraction(6, 5)),
    Empirical([3, 1, 1, Fraction(1, 2), Fraction(1, 7)], [1, 0, 2, Fraction(1, 3), 1]),
)


def solved(
    spectra: tuple[Spectrum, ...] = GENERAL,
    sizes: tuple[tuple[int, int], ...] = ((3, 40), (40, 3), (4, 4)),
    frequency: Any = Fraction(1, 1000),
) -> Callable[[], list[Point]]:
    """Points at which κ solves equation (1) at z = ``frequency`` (0: the ridgeless limit)."""

    def points() -> list[Point]:
        out = []
        for spectrum in spectra:
            for n, t in sizes:
                value = mpmath.mpmathify(frequency)
                k = solve(spectrum, n, t, value).value
                values = {
                    N: n, T: t, M: spectrum.size, z: value, kappa: k, lambda_plus: 1,
                    sigma_w: 1, sigma_eps: mpmath.mpf(1) / 3,
                }  # fmt: skip
                out.append(Point(values, spectrum))
        return out

    return points
