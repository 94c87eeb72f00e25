r"""Evidence: estimates with errors, finite-size bias apart from noise, verdicts for families.

*Estimate.* n independent repetitions give a mean, a standard error and n − 1 degrees of freedom;
intervals are Student's.

*Bias.* The theory is the limit of infinite size. At sizes s = s₀·(1, 2, 4, …) the mean is
m(s) = m_∞ + c₁/s + … + c_k/s^k + noise. A least-squares fit, weighted by the standard errors,
is linear in the means, m̂_∞ = Σ w_i m_i with Σ w_i = 1, so that its error is
(Σ w_i² e_i²)^{1/2} and its degrees of freedom follow from Welch–Satterthwaite. With as many
sizes as coefficients it is Richardson's extrapolation. The first neglected term can be given a
size: c_{k+1}/s₀^{k+1} = 0 ± r·|m(s₀) − m(s_max)| enters the fit as one more observation, so that
a fit whose smallest sizes are not yet on the asymptote leans on the larger ones and has a larger
error. The 1/s approach is tested on its own: the slope of log|m(s) − theory| against log s, with
its error (`fitted_rate`).

*Verdict.* K cells are one question. Each z = (theory − estimate)/error is compared with Student's
law; the family is rejected if Holm's procedure at level a/2 rejects some cell, or if the sum of
squared normal scores Σ Φ^{-1}(p/2)² exceeds the χ²_K quantile of level a/2. A true theory is
then rejected with probability at most a, whatever K is; the first test sees one cell that is far
off, the second many cells that are a little off. A family that is not rejected passes only if
each simultaneous (Bonferroni) interval could have excluded a stated relative error; otherwise it
is *undecided*. A rounding floor may be stated for quantities that are zero in theory.

*Power.* A theory that is off by δ, in units of the standard error, is rejected at level a with
the probability of a noncentral Student law (`power`), and `repetitions_needed` inverts it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvable.analytic.arguments import count as checked_count
from solvable.analytic.arguments import nonnegative
from solvable.analytic.errors import InputError

Array = np.ndarray

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"


def _fraction(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise InputError(name, value, "a number in (0, 1)")
    return float(value)


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error and degrees of freedom (∞ for a normal law).

    >>> round(Estimate(1.0, 0.1, 9).half_width(0.99), 6)
    0.324984
    """

    mean: float
    error: float
    degrees: float = math.inf

    def half_width(self, confidence: float = 0.99) -> float:
        """Half the width of Student's interval."""
        level = 1 - _fraction("confidence", confidence)
        return self.error * student_quantile(level, self.degrees)

    def interval(self, confidence: float = 0.99) -> tuple[float, float]:
        """Student's interval for the mean."""
        half = self.half_width(confidence)
        return self.mean - half, self.mean + half

    def score(self, theory: float, floor: float = 0.0) -> float:
        """Normal score of ``theory``: standard normal when it is the true mean.

        ``floor`` is an error that is not statistical, such as rounding; it adds to the standard
        error in quadrature. With no error at all the score is 0 or infinite.
        """
        error = math.hypot(self.error, floor)
        deviation = theory - self.mean
        if error == 0:
            return math.copysign(math.inf, deviation) if deviation else 0.0
        return normal_score(deviation / error, self.degrees)

    def __truediv__(self, scale: float) -> Estimate:
        return Estimate(self.mean / scale, self.error / abs(scale), self.degrees)


def estimate(samples: Any) -> Estimate:
    """Mean and standard error of independent repetitions.

    >>> estimate([1.0, 2.0, 3.0])
    Estimate(mean=2.0, error=0.5773502691896258, degrees=2)
    """
    samples = np.asarray(samples, float)
    if samples.ndim != 1 or samples.size < 2 or not np.isfinite(samples).all():
        raise InputError("samples", samples, "at least two finite repetitions")
    error = samples.std(ddof=1) / math.sqrt(samples.size)
    return Estimate(float(samples.mean()), float(error), samples.size - 1)


def student_quantile(level: float, degrees: float) -> float:
    """t with P(|t| > t) = ``level`` for Student's law, the normal law at infinite degrees."""
    from scipy.special import ndtri, stdtrit

    if math.isinf(degrees):
        return float(-ndtri(level / 2))
    return float(-stdtrit(degrees, level / 2))


def tail_probability(t: Any, degrees: Any) -> Any:
    """P(|t'| > |t|) for Student's law with these degrees of freedom; arrays allowed."""
    from scipy.special import ndtr, stdtr

    t, degrees = np.abs(np.asarray(t, float)), np.asarray(degrees, float)
    finite = np.where(np.isinf(degrees), 1.0, degrees)
    return np.where(np.isinf(degrees), 2 * ndtr(-t), 2 * stdtr(finite, -t))


def normal_score(t: float, degrees: float) -> float:
    """The normal quantile with the same tail probability as ``t`` has under Student's law."""
    from scipy.special import ndtri

    probability = max(float(tail_probability(t, degrees)), 5e-324)
    return math.copysign(float(-ndtri(probability / 2)), t)


# ------------------------------------------------------------------ finite size


@dataclass(frozen=True)
class Extrapolation:
    """The limit s → ∞, the coefficient of 1/s, and how well the fit describes all sizes.

    ``limit`` and ``bias`` (c₁) are estimates; ``chi_square`` has ``surplus`` degrees of freedom,
    none when there are as many sizes as coefficients.
    """

    limit: Estimate
    bias: Estimate
    chi_square: float
    surplus: int

    def bias_at(self, size: float) -> float:
        """Leading finite-size bias c₁/s."""
        return self.bias.mean / size


def extrapolate(
    sizes: Sequence[float],
    estimates: Sequence[Estimate],
    *,
    terms: int = 1,
    remainder: float | None = None,
) -> Extrapolation:
    """Fit m_∞ + c₁/s + … + c_terms/s^terms to independent estimates at the sizes.

    ``remainder`` r allows for a next term, of size r·|m(s₀) − m(s_max)| at the smallest size s₀;
    None neglects it.

    >>> exact = [Estimate(2 + 3 / s + 5 / s**2, 0.1) for s in (1, 2, 4)]
    >>> round(extrapolate([1, 2, 4], exact, terms=2).limit.mean, 12)
    2.0
    """
    s = np.asarray(sizes, float)
    terms = checked_count("terms", terms, at_least=0)
    if len(s) != len(estimates) or len(set(s.tolist())) <= terms or not (s > 0).all():
        raise InputError("sizes", list(sizes), f"at least {terms + 1} different positive sizes")
    means = np.array([item.mean for item in estimates])
    errors = np.array([item.error for item in estimates])
    # powers of s₀/s are well conditioned; least squares through its pseudo-inverse
    design = (s.min() / s[:, None]) ** np.arange(terms + 1)
    observed = list(estimates)
    if remainder is not None:
        drift = abs(means[s.argmin()] - means[s.argmax()])
        observed.append(Estimate(0.0, nonnegative("remainder", remainder) * float(drift)))
        next_term = (s.min() / s[:, None]) ** (terms + 1)
        design = np.block([[design, next_term], [np.zeros(terms + 1), 1.0]])
        means, errors = np.append(means, 0.0), np.append(errors, observed[-1].error)
    errors = np.maximum(errors, 1e-12 * (errors.max() or 1.0))
    weights = np.linalg.pinv(design / errors[:, None]) / errors
    residuals = (means - design @ (weights @ means)) / errors
    parts = [_combine(row, observed) for row in weights]
    slope = parts[1] / (1 / s.min()) if terms else Estimate(0.0, 0.0)
    return Extrapolation(parts[0], slope, float(residuals @ residuals), len(s) - terms - 1)


def _combine(weights: Array, estimates: Sequence[Estimate]) -> Estimate:
    """Σ w_i m_i with propagated error and Welch–Satterthwaite degrees of freedom."""
    variances = np.array([(w * item.error) ** 2 for w, item in zip(weights, estimates)])
    degrees = np.array([item.degrees for item in estimates])
    spread = float(np.sum(variances**2 / degrees))
    total = float(variances.sum())
    mean = float(sum(w * item.mean for w, item in zip(weights, estimates)))
    return Estimate(mean, math.sqrt(total), total**2 / spread if spread > 0 else math.inf)


def fitted_rate(
    sizes: Sequence[float], estimates: Sequence[Estimate], theory: Sequence[float] | float
) -> Estimate:
    """Slope r of log|m(s) − theory| against log s: the bias decays as s^r (theory: r = −1).

    Weighted by the errors of the logarithms, e/|m − theory|, of which none should be large.
    """
    deviations = np.array([item.mean for item in estimates]) - np.asarray(theory, float)
    errors = np.array([item.error for item in estimates]) / np.abs(deviations)
    design = np.vander(np.log(np.asarray(sizes, float)), 2)
    weights = np.linalg.pinv(design / errors[:, None]) / errors
    slope = float(weights[0] @ np.log(np.abs(deviations)))
    return Estimate(slope, float(np.linalg.norm(weights[0] * errors)))


# ---------------------------------------------------------------------- verdicts


@dataclass(frozen=True)
class Verdict:
    """Outcome ("pass", "fail", "undecided"), a sentence that says why, and the numbers.

    ``scores`` are the normal scores of the cells, ``half_widths`` those of their simultaneous
    intervals relative to the theory, ``rejected`` the indices of the cells that Holm rejects.
    """

    outcome: str
    message: str
    level: float
    chi_square: float
    chi_square_probability: float
    scores: tuple[float, ...]
    half_widths: tuple[float, ...]
    rejected: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether the outcome is a pass; undecided is not."""
        return self.outcome == PASS


def holm(probabilities: Any, level: float) -> list[int]:
    """Indices rejected by Holm's step-down procedure with family-wise error ``level``.

    >>> holm([0.001, 0.2, 0.016], 0.05)
    [0, 2]
    """
    probabilities = np.asarray(probabilities, float)
    rejected: list[int] = []
    for rank, index in enumerate(np.argsort(probabilities, kind="stable")):
        if probabilities[index] > level / (len(probabilities) - rank):
            break
        rejected.append(int(index))
    return sorted(rejected)


def verdict(
    estimates: Sequence[Estimate],
    theory: Sequence[float],
    *,
    resolution: float = 0.05,
    level: float = 0.01,
    floor: float | Sequence[float] = 0.0,
    independent: bool = True,
) -> Verdict:
    """One verdict for a family of cells.

    ``resolution`` is the relative error that every interval must be able to exclude; ``level``
    the probability of rejecting a true theory; ``floor`` an absolute error of arithmetic. Cells
    that share draws are not ``independent``: only Holm's test is made then, at the full level.

    >>> cells = [Estimate(1.0, 0.01, 49), Estimate(2.0, 0.02, 49)]
    >>> verdict(cells, [1.01, 1.98]).outcome, verdict(cells, [1.1, 2.0]).outcome
    ('pass', 'fail')
    >>> verdict(cells, [1.01, 1.98], resolution=0.01).outcome
    'undecided'
    """
    from scipy.special import chdtrc, ndtr

    level = _fraction("level", level)
    if not len(estimates) == len(theory) > 0:
        raise InputError("theory", len(theory), f"one value per estimate ({len(estimates)} ≥ 1)")
    if not np.isfinite(np.asarray(theory, float)).all():
        raise InputError("theory", list(theory), "finite values: a pole has no sample mean")
    floors = np.broadcast_to(np.asarray(floor, float), len(estimates))
    scores = np.array([e.score(t, f) for e, t, f in zip(estimates, theory, floors)])
    rejected = holm(2 * ndtr(-np.abs(scores)), level / 2 if independent else level)
    chi_square = float(np.sum(scores**2))
    probability = float(chdtrc(len(scores), chi_square)) if math.isfinite(chi_square) else 0.0
    widths = np.array(
        [
            math.hypot(e.half_width(1 - level / len(estimates)), f) / abs(t) if t else 0.0
            for e, t, f in zip(estimates, theory, floors)
        ]
    )
    outcome, why = _judge(rejected, probability if independent else 1.0, widths, resolution, level)
    cells = f"{len(scores)} cell" + "s" * (len(scores) > 1)
    message = (
        f"{why}: {cells}, largest |z| {np.abs(scores).max():.2f}, χ² {chi_square:.1f} "
        f"(p = {probability:.2g}), widest interval ± {100 * widths.max():.2g} %"
    )
    return Verdict(
        outcome,
        message,
        level,
        chi_square,
        probability,
        tuple(scores.tolist()),
        tuple(widths.tolist()),
        tuple(rejected),
    )


def _judge(
    rejected: list[int], probability: float, widths: Array, resolution: float, level: float
) -> tuple[str, str]:
    """Outcome and its reason."""
    if rejected:
        return FAIL, f"theory outside the simultaneous interval of {len(rejected)} of the cells"
    if probability <= level / 2:
        return FAIL, "deviations of all cells together are too large"
    wide = int(np.sum(widths > resolution))
    if wide:
        return UNDECIDED, f"{wide} intervals cannot exclude an error of {100 * resolution:g} %"
    return PASS, f"theory inside the {100 * (1 - level):g} % simultaneous intervals"


# ------------------------------------------------------------------------- power


def power(shift: float, degrees: float, level: float = 0.01) -> float:
    """Probability that one cell rejects, at ``level``, a theory off by ``shift`` standard errors.

    >>> round(power(0.0, 49), 6), round(power(4.0, 49), 2)
    (0.01, 0.9)
    """
    from scipy.special import nctdtr, ndtr

    quantile = student_quantile(level, degrees)
    if math.isinf(degrees):
        return float(ndtr(shift - quantile) + ndtr(-shift - quantile))
    # P(t' > q) + P(t' < −q), the second as the upper tail of the opposite shift
    return float(2 - nctdtr(degrees, shift, quantile) - nctdtr(degrees, -shift, quantile))


def repetitions_needed(
    spread: float, error: float, *, cells: int = 1, level: float = 0.01, wanted: float = 0.9
) -> int:
    """Repetitions that see a relative ``error`` in one of ``cells`` with probability ``wanted``.

    ``spread`` is the relative standard deviation of one repetition.

    >>> repetitions_needed(0.05, 0.02)
    97
    """
    if not (spread > 0 and error > 0):
        raise InputError("spread, error", (spread, error), "positive numbers")
    _fraction("wanted", wanted)
    low, high = 2, 4
    level = _fraction("level", level) / cells

    def enough(n: int) -> bool:
        return power(error / spread * math.sqrt(n), n - 1, level) >= wanted

    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def normality(scores: Sequence[float]) -> float:
    """p-value of the Kolmogorov–Smirnov test that the scores are standard normal.

    Small when intervals are miscalibrated: too narrow, too wide or off centre.
    """
    from scipy.special import kolmogorov, ndtr

    ordered = np.sort(ndtr(np.asarray(scores, float)))
    n = len(ordered)
    if n < 8:
        raise InputError("scores", n, "at least 8 scores")
    steps = np.arange(n + 1) / n
    distance = max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1]))
    # Stephens' finite-size form of Kolmogorov's limit law
    return float(kolmogorov(distance * (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n))))
