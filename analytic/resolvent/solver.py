"""κ(z) of equation (1) for whatever z is: real, complex, or an mpmath number."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..formula import is_mp
from ..spectrum import Spectrum
from .equation import ResolventSolution
from .exact import solve_exactly
from .path import solve_complex
from .real import solve_real


@checked
def solve(spectrum: Spectrum, features: Any, samples: Any, z: Any = 0) -> ResolventSolution:
    """κ(z) of equation (1).

    Parameters
    ----------
    features, samples: N and T, numbers > 0 or infinity.
    z: real ≥ 0 or complex off the negative axis. The three broadcast against one another;
        if any is an mpmath number the answer is one, at the current precision.

    Raises `InputError` for arguments that are not allowed, `PrecisionError` if the residual
    of the answer is not small.

    Source: dynamical paper, eqs. (11), (31)–(33).

    >>> from solvable.analytic.spectrum import Flat
    >>> round(float(solve(Flat(10), 5, np.inf).value), 12)  # D₁ = 10/(1+κ) = 5
    1.0
    """
    arguments.positive_or_infinite("features", features)
    arguments.positive_or_infinite("samples", samples)
    if is_mp(features, samples, z):
        return solve_exactly(spectrum, features, samples, z)
    curved = np.asarray(z).dtype.kind == "c"
    arguments.together(10 if curved else 1, features=features, samples=samples, z=z)
    if curved:
        return solve_complex(spectrum, features, samples, z)
    arguments.nonnegative("z", z)
    return solve_real(spectrum, features, samples, z)
