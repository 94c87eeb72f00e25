r"""Where the loss comes from: bias, and variance by source.

Of two models that share their features or not (f) and their data or not (d), the correlation of the
residuals is C_fd (`correlation`). The mean over everything that is not shared leaves

    bias                   C_00
    features               C_10 − C_00        which features were drawn
    samples, noise         C_01 − C_00        which inputs were drawn, and their label noise
    features × samples     C_11 − C_10 − C_01 + C_00, and the same of the noise
    gradient noise         L − L(gradient descent), of stochastic rules,

whose sum is the loss: an analysis of variance. All are variances or a squared bias, and not
negative; the variance of the mean prediction of E feature draws is a 1/E-th of the terms with
features, of K data draws a 1/K-th of those with samples or noise. Label noise is linear in σ² and
part of the data: its parts are those of C_11 and C_01 with noise less those without. Under a
schedule, or with momentum, decay or an average, gradient descent is that with the same steps on all
samples. What rounding leaves of a part below zero is taken from the others in their
proportion.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import checked
from ..equality import Comparable
from ..errors import InputError, PrecisionError
from ..spectrum import Spectrum, as_spectrum
from .dynamics import EXTREME, SETTLED, dynamics
from .learners import GradientFlow, OnePassSGD, PreconditionedDescent, RidgeRegression
from .scheduled_training import scheduled_correlations
from .training_rule import Learner

Array = np.ndarray

LOST, ABSENT = 1e-9, 1e-20  # of the loss, and of one: what may be left of a part that is zero


@dataclass(frozen=True, eq=False)
class Decomposition(Comparable):
    """Parts of the excess loss Σ λ_k E[v_k²] at the times, arrays *(times,)*, which sum to it.

    ``bias`` is the loss of the predictor averaged over features, samples, noise; ``features``,
    ``samples`` and ``noise`` the variances due to one of them, the others their joint parts;
    ``gradient_noise`` that of stochastic gradients. Made by `decompose`, with its errors. Source:
    dynamical paper, eqs. (19), (110)–(115).

    >>> from solvable.analytic.spectrum import Flat
    >>> parts = decompose(Flat(10), np.inf, np.inf, [1.0, 2.0])
    >>> bool((parts.bias == parts.excess_loss).all())  # no randomness is left
    True
    """

    bias: Array
    features: Array
    samples: Array
    noise: Array
    features_samples: Array
    features_noise: Array
    gradient_noise: Array

    @property
    def excess_loss(self) -> Array:
        """The sum of all parts."""
        return sum(self.parts().values())  # type: ignore[return-value]

    def parts(self) -> dict[str, Array]:
        """All parts by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@checked
def decompose(
    spectrum: Spectrum, features: float, samples: float, times: ArrayLike, *,
    learner: Learner | None = None, noise: float = 0.0,
) -> Decomposition:  # fmt: skip
    """The excess loss of `dynamics` by source, for one pair of sizes, in float64.

    Ridge regression is scored at z = γ/(σ_u²NT), as there.

    ``features`` and ``samples`` are N and T, one number each, possibly infinite; ``times``
    *(times,)*; ``noise`` σ_ε². Raises `InputError` for arrays of sizes and other arguments that
    are not allowed, `PrecisionError` where the loss is infinite or its parts are lost to rounding.
    Source: dynamical paper, eqs. (19), (110)–(115).

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(exponent=1.25, target_exponent=1.5, size=200)
    >>> parts = decompose(law, 60, 120, [10.0, 1000.0], noise=0.1)
    >>> (parts.bias / parts.excess_loss).round(3)
    array([0.781, 0.22 ])
    """
    rule: Learner = GradientFlow() if learner is None else learner
    if isinstance(rule, OnePassSGD) and not rule.memoryless:
        return _scheduled(spectrum, features, samples, np.asarray(times, float), rule, noise)
    whole = dynamics(spectrum, features, samples, times, learner=rule, noise=noise).excess_loss
    descent = rule
    if isinstance(rule, OnePassSGD):
        descent = PreconditionedDescent(rule.step, preconditioner=rule.preconditioner)
    at, one = _smooth(descent, times)

    def averaged(e: int, k: int, sigma: float = 0.0) -> Array:
        return np.asarray(dynamics(
            spectrum, features, samples, at, learner=one, noise=sigma, ensemble=e, bags=k,
        ).excess_loss)  # fmt: skip

    def correlations(sigma: float) -> Array:
        """C_11 and C_01, *(2, times)*, from averages over pairs of models."""
        same = whole if descent is rule and sigma == noise else averaged(1, 1, sigma)
        return np.stack([same, 2 * averaged(2, 1, sigma) - same])

    _finite(whole, times)
    same, other_features = clean = correlations(0.0)
    if samples == np.inf:
        return _assembled((features, samples), np.asarray(whole), clean, clean, clean)
    other_data = 2 * averaged(1, 2) - same
    both = 4 * averaged(2, 2) - same - other_features - other_data
    unseen = np.stack([other_data, both])
    noisy = correlations(noise) if noise else clean
    return _assembled((features, samples), np.asarray(whole), clean, unseen, noisy)


def _scheduled(
    spectrum: Spectrum, features: float, samples: float, times: Array, rule: OnePassSGD,
    noise: float,
) -> Decomposition:  # fmt: skip
    """The same where steps are not alike, or have a memory: the same steps with all samples."""
    if rule.pull:
        raise InputError("pull", rule.pull, "0, to be decomposed")
    seen = rule.seen(as_spectrum(spectrum, numbers=True))
    given = rule.schedules(float(times.max()))
    whole = rule.follow(seen, features, samples, times, noise).excess_loss
    _finite(whole, times)
    clean, noisy = scheduled_correlations(
        seen, features, samples, times, given["rates"], momentum=given["momentum"],
        decay=float(rule.decay), average=given["average"], noise=(0.0, noise),
    )  # fmt: skip
    return _assembled((features, samples), whole, clean[::2], clean[1::2], noisy[::2])


def _finite(loss: Array, times: Any) -> None:
    """`PrecisionError` where the loss is beyond float64, and its parts with it."""
    late = np.broadcast_to(np.asarray(times, float), np.shape(loss))[~np.isfinite(loss)]
    if late.size:
        raise PrecisionError(f"at {late.min():g} the loss is infinite or beyond float64, and is "
                             "not decomposed")  # fmt: skip


def _assembled(
    sizes: tuple[float, float], whole: Array, seen: Array, unseen: Array, noisy: Array
) -> Decomposition:
    """The parts of a loss, from C_11 and C_01, C_10 and C_00 without label noise, and the former
    with it. Unlimited features, or samples, are all the same, whatever rounding says."""
    features, samples = sizes
    if samples == np.inf:
        unseen = noisy = seen
    if features == np.inf:
        seen, unseen, noisy = (np.stack([each[0]] * 2) for each in (seen, unseen, noisy))
    (same, data), (other, none) = seen, unseen
    label_same, label_data = noisy - seen
    parts = {
        "bias": none, "features": other - none, "samples": data - none, "noise": label_data,
        "features_samples": same - data - other + none,
        "features_noise": label_same - label_data, "gradient_noise": whole - noisy[0],
    }  # fmt: skip
    found = np.stack([np.broadcast_to(part, whole.shape) for part in parts.values()])
    if np.any(found < -LOST * np.abs(whole) - ABSENT):
        raise PrecisionError("float64 does not resolve the parts of this loss")
    found = np.maximum(found, 0)
    total = found.sum(0)
    return Decomposition(*found * (whole / np.where(total > 0, total, 1)))


def _smooth(rule: Learner, times: Any) -> tuple[Any, Learner]:
    """The ridgeless limit as that of the flow, which has averages over models."""
    if not isinstance(rule, RidgeRegression) or np.all(np.asarray(times) > 0):
        return times, rule
    if np.any(np.asarray(times) > 0):
        raise InputError("ridges", times, "all zero, or all > 0")
    return np.full(np.shape(times), SETTLED * EXTREME), GradientFlow()
