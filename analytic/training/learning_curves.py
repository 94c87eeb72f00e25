r"""Learning curves of single modes, and the density of their time scales.

The mean error of mode k, H_k(t) = E[v_k(t)]/w_k, is the transfer function seen through the
filter of the training rule,

    H_k(z) = 1/(z + λ_k R₁R₃) = (κ/z)/(λ_k + κ),      H_k(t) = Σ_i w_i(t) H_k(z_i),

and a mixture of exponentials, H_k(t) = ∫ ρ_k(u) e^{−ut} du: the density of its time scales is the
jump of H_k across the cut,

    ρ_k(u) = −(1/π) Im H_k(−u + i0),

together with a point mass at u = 0, the part that is never learned (`unlearned`): κ₀/(λ_k+κ₀)
with the ridgeless κ₀, since κ/z stays finite there only if κ₀ = 0. For white data, N = ∞ and
P = αM it is the Marchenko–Pastur density ρ(s) = α √((s − s₋)(s₊ − s))/(2πs),
s± = (1 ± α^{−1/2})².

Source: dynamical paper, eqs. (11), (70), (88)–(90), (95) (whose root has the wrong sign in print).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..errors import InputError
from ..resolvent import solve, solve_along
from ..resolvent.path import PART
from ..spectrum import Spectrum
from .dynamics import ACCURACY
from .learners import GradientFlow
from .training_rule import Filter

ARC_HALVINGS = 34  # of the angle to the cut
"""The cut is approached to the angle π 2^{-34}, where κ differs from its limit by rounding."""


@checked
def mode_learning_curve(
    spectrum: Spectrum, features: float, samples: float, modes: Any, times: Any, *,
    learner: Filter | None = None,
) -> np.ndarray:  # fmt: skip
    """H_k(t) for modes k (counted from 1) and times t, shape *(modes…, times…)*.

    A mean error relative to its start, of the target's mode k under a rule that is a `Filter`.
    Raises `InputError` for modes that the spectrum has not and for times that the rule has not.
    Source: dynamical paper, eqs. (11), (70).

    >>> from solvable.analytic.spectrum import Flat
    >>> import math
    >>> mode_learning_curve(Flat(5), math.inf, math.inf, 1, [0.0, 1.0]).round(6)
    array([1.      , 0.367879])
    """
    rule = GradientFlow() if learner is None else learner
    spectrum = rule.seen(spectrum)
    arguments.positive_or_infinite("features", features)
    arguments.positive_or_infinite("samples", samples)
    moments = np.asarray(arguments.nonnegative("times", times), float)
    rate = np.asarray(spectrum.eigenvalue(_modes(spectrum, modes)), float)
    flat = moments.ravel()
    rule.check_times(list(flat))
    curve = np.ones(arguments.grid("times", rate.shape, flat.shape, each=10))
    later = np.flatnonzero(flat > 0)
    critical = rule.critical_step(spectrum, features, samples)
    for quadrature in rule.quadratures(flat[later], ACCURACY[0], critical):
        k = np.concatenate(
            [solve_along(spectrum, features, samples, z).value for z in quadrature.paths]
        )
        transfer = k / quadrature.z / (rate[..., None] + k)
        curve[..., later[quadrature.index]] = 2 * (transfer @ quadrature.weights.T).real
    return curve.reshape((*rate.shape, *moments.shape))[()]


def _modes(spectrum: Spectrum, modes: Any) -> np.ndarray:
    index = np.asarray(arguments.positive("modes", modes), float)
    if np.any(index > spectrum.size) or np.any(index != np.floor(index)) or np.any(index < 1):
        raise InputError("modes", modes, f"whole numbers from 1 to {spectrum.size}")
    return index


@checked
def unlearned(spectrum: Spectrum, features: float, samples: float, modes: Any) -> np.ndarray:
    """H_k(∞) = κ₀/(λ_k + κ₀), the weight of the point mass of the density at u = 0.

    Shape of ``modes``, between 0 and 1. Raises `InputError` for modes that the spectrum has not.
    Source: dynamical paper, eq. (70).

    >>> from solvable.analytic.spectrum import Flat
    >>> import math
    >>> float(unlearned(Flat(10), 4, math.inf, 1).round(12))
    0.6
    """
    index = _modes(spectrum, modes)
    arguments.grid("modes", index.shape)
    rate = np.asarray(spectrum.eigenvalue(index), float)
    rest = solve(spectrum, features, samples, 0.0).value
    return rest / (rate + rest)


@checked
def time_scale_density(
    spectrum: Spectrum, features: float, samples: float, modes: Any, rates: Any
) -> np.ndarray:
    """ρ_k(u) for modes k and rates u > 0, shape *(modes…, rates…)*; see `unlearned` for u = 0.

    Rates are in units of the eigenvalues; with the mass of `unlearned` at 0 the density integrates
    to 1. Raises `InputError` for rates ≤ 0 and modes that the spectrum has not. Source: dynamical
    paper, eqs. (88)–(90), (95).

    >>> from solvable.analytic.spectrum import Flat
    >>> import math
    >>> time_scale_density(Flat(100), math.inf, 400, 1, [1.0]).round(9)  # Marchenko–Pastur
    array([0.61640444])
    """
    arguments.positive_or_infinite("features", features)
    arguments.positive_or_infinite("samples", samples)
    rate = np.asarray(spectrum.eigenvalue(_modes(spectrum, modes)), float)
    u = np.asarray(arguments.positive("rates", rates), float)
    arguments.grid("rates", rate.shape, u.shape)
    arguments.grid("rates", u.shape, each=100)
    angle = np.pi * (1 - 0.5 ** np.arange(1, ARC_HALVINGS + 1))
    end = u.ravel() * np.exp(1j * angle[-1])
    k = np.concatenate([
        solve_along(spectrum, features, samples, part[:, None] * np.exp(1j * angle)).value[:, -1]
        for part in (u.ravel()[i : i + PART] for i in range(0, u.size, PART))
    ])  # fmt: skip
    transfer = k / end / (rate[..., None] + k)
    density = np.maximum(-transfer.imag / np.pi, 0.0)
    return density.reshape((*rate.shape, *u.shape))[()]
