r"""Diagonal preconditioning: features of mode J scaled by √p_J are the model of eigenvalues pλ.

With P = diag(p), training moves v̇ = −P^{1/2}KP^{1/2}Σv, and P^{−1/2}v by K and P^{1/2}ΣP^{1/2}:
data of covariance PΛ, with the same target power w²λ and loss Σ λv². Here p = λ^s.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import InputError
from ..spectrum import Empirical, PowerLaw, Spectrum


def scaled(spectrum: Spectrum, exponent: Any) -> Spectrum:
    """The spectrum of eigenvalues λ^{1+s} with the same target power.

    >>> scaled(PowerLaw(exponent=2, target_exponent=3), -0.25).exponent
    1.5
    """
    if isinstance(spectrum, PowerLaw) and exponent > -1:
        return PowerLaw(
            exponent=spectrum.exponent * (1 + exponent), size=spectrum.size,
            target_exponent=spectrum.target_exponent, scale=spectrum.scale ** (1 + exponent),
            target_variance=spectrum.target_variance * spectrum.scale**-exponent,
        )  # fmt: skip
    if spectrum.size == math.inf:
        raise InputError(
            "preconditioner", exponent, "0 unless modes are finitely many or a power law"
        )
    values = spectrum.eigenvalues() ** (1 + float(exponent))
    order = np.argsort(-values, kind="stable")
    seen, power = list(values[order]), list(spectrum.target_power()[order])
    hidden = spectrum.irreducible
    return Empirical(seen + [0.0] * bool(hidden), power + [hidden] * bool(hidden))
