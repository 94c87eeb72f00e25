r"""Where the loss comes from: bias, and variance by source.

Of two models that share their features or not (f) and their data or not (d), the correlation of the
residuals is C_fd (`correlation`). The mean over everything that is not shared leaves

    bias                   C_00
    features               C_10 − C_00        which features were drawn
    samples, noise         C_01 − C_00        which inputs were drawn, and their label noise
    features × samples     C_11 − C_10 − C_01 + C_00, and the same of the noise
    gradient noise         L − L(gradient descent), of stochastic rules,

whose sum is the loss: an analysis of variance. All but the interactions are variances or a squared
bias, and not negative; the variance of the mean prediction of E feature draws is a 1/E-th of the
terms with features, of K data draws a 1/K-th of those with samples or noise. Label noise is linear
in σ², so that its parts are those of the loss with noise less those without. Under a schedule, or
with momentum, decay or an average, gradient descent is that with the same steps on all samples.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .arguments import checked
from .dynamics import SETTLED, dynamics
from .equality import Comparable
from .errors import InputError
from .learners import GradientFlow, OnePassSGD, PreconditionedDescent, RidgeRegression
from .scheduled_training import scheduled_correlations
from .spectrum import Spectrum, as_spectrum
from .training_rule import Learner

Array = np.ndarray

LOST = 3e-13  # of the loss: what rounding may leave of a part that is zero


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
    spectrum: Spectrum, features: float, samples: float, times: Any, *,
    learner: Learner | None = None, noise: float = 0.0,
) -> Decomposition:  # fmt: skip
    """The excess loss of `dynamics` by source, for one pair of sizes, in float64.

    Ridge regression is scored at z = γ/(σ_u²NT), as there.

    ``features`` and ``samples`` are N and T, one number each, possibly infinite; ``times``
    *(times,)*; ``noise`` σ_ε². Raises `InputError` for arrays of sizes and other arguments that
    are not allowed. Source: dynamical paper, eqs. (19), (110)–(115).

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(exponent=1.25, target_exponent=1.5, size=200)
    >>> parts = decompose(law, 60, 120, [10.0, 1000.0], noise=0.1)
    >>> (parts.bias / parts.excess_loss).round(3)
    array([0.781, 0.22 ])
    """
    if np.ndim(features) or np.ndim(samples):
        raise InputError("features, samples", "arrays", "one number each")
    rule: Learner = GradientFlow() if learner is None else learner
    if isinstance(rule, OnePassSGD) and not rule.memoryless:
        return _scheduled(spectrum, features, samples, np.asarray(times, float), rule, noise)
    whole = dynamics(spectrum, features, samples, times, learner=rule, noise=noise).excess_loss
    descent = rule
    if isinstance(rule, OnePassSGD):
        descent = PreconditionedDescent(rule.step, preconditioner=rule.preconditioner)

    def correlations(sigma: float) -> Array:
        """C_11, C_10, C_01, C_00, *(4, times)*, from averages over pairs of models."""
        pairs = 1 if samples == np.inf else 2  # unlimited data are all the same

        def averaged(e: int, k: int) -> Array:
            at, one = _smooth(descent, times)
            return np.asarray(dynamics(
                spectrum, features, samples, at, learner=one, noise=sigma, ensemble=e,
                bags=min(k, pairs),
            ).excess_loss)  # fmt: skip

        same = averaged(1, 1)
        other_features = 2 * averaged(2, 1) - same
        if pairs == 1:
            return np.stack([same, same, other_features, other_features])
        other_data = 2 * averaged(1, 2) - same
        both = 4 * averaged(2, 2) - same - other_features - other_data
        return np.stack([same, other_data, other_features, both])

    return _assembled(np.asarray(whole), correlations(0.0), correlations(noise))


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
    clean, noisy = scheduled_correlations(
        seen, features, samples, times, given["rates"], momentum=given["momentum"],
        decay=float(rule.decay), average=given["average"], noise=(0.0, noise),
    )  # fmt: skip
    return _assembled(whole, clean, noisy)


def _assembled(whole: Array, clean: Array, noisy: Array) -> Decomposition:
    """The parts of a loss, from the correlations without and with label noise."""
    found = _parts(clean)
    label = _parts(noisy - clean)

    def variance(part: Array) -> Array:
        """A part that is not negative but for rounding."""
        return np.where(np.abs(part) < LOST * np.abs(whole), np.maximum(part, 0), part)

    return Decomposition(
        bias=variance(found["bias"]), features=variance(found["features"]),
        samples=variance(found["data"]), noise=variance(label["data"]),
        features_samples=found["both"], features_noise=label["both"],
        gradient_noise=variance(whole - noisy[0]),
    )  # fmt: skip


def _smooth(rule: Learner, times: Any) -> tuple[Any, Learner]:
    """The ridgeless limit as that of the flow, which has averages over models."""
    if not isinstance(rule, RidgeRegression) or np.all(np.asarray(times) > 0):
        return times, rule
    if np.any(np.asarray(times) > 0):
        raise InputError("ridges", times, "all zero, or all > 0")
    return np.full(np.shape(times), SETTLED), GradientFlow()


def _parts(c: Array) -> dict[str, Array]:
    same, data, features, none = c
    return {
        "bias": none,
        "features": data - none,
        "data": features - none,
        "both": same - data - features + none,
    }
