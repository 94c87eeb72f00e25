"""The resolvent of random features: κ(z) of equation (1), real, along paths, exact.

equation    the equation, its brackets without cancellation, its slope
real        κ at real z ≥ 0, float64 arrays
path        κ at complex z, along contours
exact       κ to any number of digits
renormalised_ridge  κ(N, T, z) as a sympy function
density     the eigenvalue density that κ implies
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..formula import is_mp
from ..spectrum import Spectrum
from .density import eigenvalue_density, expected_eigenvalues
from .equation import Solution, self_consistent_equation
from .exact import solve_along_exactly, solve_exactly
from .path import solve_along, solve_complex, solve_paths
from .real import solve_real
from .renormalised_ridge import RenormalisedRidge

__all__ = [
    "RenormalisedRidge",
    "Solution",
    "eigenvalue_density",
    "expected_eigenvalues",
    "self_consistent_equation",
    "solve",
    "solve_along",
    "solve_along_exactly",
    "solve_paths",
]


def solve(spectrum: Spectrum, features: Any, samples: Any, z: Any = 0) -> Solution:
    """κ(z) of equation (1).

    Parameters
    ----------
    features, samples: N and T, numbers > 0 or infinity.
    z: real ≥ 0 or complex off the negative axis. The three broadcast against one another;
        if any is an mpmath number the answer is one, at the current precision.

    Raises `InputError` for arguments that are not allowed, `PrecisionError` if the residual
    of the answer is not small.

    >>> from solvable.analytic.spectrum import Flat
    >>> round(float(solve(Flat(10), 5, np.inf).value), 12)  # D₁ = 10/(1+κ) = 5
    1.0
    """
    arguments.positive_or_infinite("features", features)
    arguments.positive_or_infinite("samples", samples)
    if is_mp(features, samples, z):
        return solve_exactly(spectrum, features, samples, z)
    if np.asarray(z).dtype.kind == "c":
        return solve_complex(spectrum, features, samples, z)
    arguments.nonnegative("z", z)
    return solve_real(spectrum, features, samples, z)
