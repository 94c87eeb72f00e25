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

*Verdict.* K claims are one question: estimate i has the mean θ_i. Each has a simultaneous interval,
Student's at confidence 1 − a/2K, and the family is rejected if one of them does not hold its θ_i.
It is also rejected if the squared normal scores of G independent groups of claims add up to more
than the χ²_G quantile of level a/2; with only one group, the intervals have all of a. True claims
are then rejected with probability at most a, whatever K is and however the claims of a group depend
on each other: the first test sees one claim that is far off, the second many that are a little off.
A family that is not rejected passes only if each interval could have excluded a stated relative
error; otherwise it is *undecided*. A rounding floor may be stated for quantities that are zero in
theory. What is printed is what decided: these intervals, at these levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from solvable.analytic.arguments import count as checked_count
from solvable.analytic.arguments import nonnegative
from solvable.analytic.errors import InputError
from solvable.analytic.slopes import slope_weights

Array = np.ndarray

Outcome = Literal["pass", "fail", "undecided"]
LEVEL = 0.01  # probability of rejecting a true theory


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

    def half_width(self, confidence: float = 0.99, floor: float = 0.0) -> float:
        """Half the width of Student's interval; ``floor`` as in `score`."""
        level = 1 - _fraction("confidence", confidence)
        return math.hypot(self.error, floor) * student_quantile(level, self.degrees)

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
    parts = [combined(row, observed) for row in weights]
    slope = parts[1] / (1 / s.min()) if terms else Estimate(0.0, 0.0)
    return Extrapolation(parts[0], slope, float(residuals @ residuals), len(s) - terms - 1)


def combined(weights: Array, estimates: Sequence[Estimate]) -> Estimate:
    """Σ w_i m_i of independent estimates, with the degrees of freedom of Welch–Satterthwaite."""
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
    weights = slope_weights(np.log(np.asarray(sizes, float)), errors)
    slope = float(weights @ np.log(np.abs(deviations)))
    return Estimate(slope, float(np.linalg.norm(weights * errors)))


# ---------------------------------------------------------------------- verdicts


@dataclass(frozen=True)
class Judgement:
    """The verdict on a family of claims, with all that decided it.

    ``outcome`` is "pass", "fail" or "undecided", ``message`` says why in one sentence. Claim i says
    that ``estimates[i]`` has the mean ``targets[i]``, up to the error ``floors[i]`` of arithmetic;
    it is rejected if the target is outside of ``interval(i)``, which covers with ``confidence``.
    ``groups`` independent scores give ``chi_square``, rejected above ``chi_square_limit``; there is
    no such test where ``groups`` is 0. ``level`` is the probability of rejecting true claims, and
    ``resolution`` the relative error that each interval must be able to exclude.
    """

    outcome: Outcome
    message: str
    level: float
    confidence: float
    estimates: tuple[Estimate, ...]
    targets: tuple[float, ...]
    floors: tuple[float, ...]
    groups: int
    chi_square: float
    chi_square_limit: float
    resolution: float

    @property
    def passed(self) -> bool:
        """Whether the outcome is a pass; undecided is not."""
        return self.outcome == "pass"

    def half_width(self, index: int) -> float:
        """Half the width of the interval that decided claim ``index``."""
        return self.estimates[index].half_width(self.confidence, self.floors[index])

    def interval(self, index: int) -> tuple[float, float]:
        """The interval that decided claim ``index``: all of them together cover at the level."""
        mean, half = self.estimates[index].mean, self.half_width(index)
        return mean - half, mean + half

    @property
    def scores(self) -> tuple[float, ...]:
        """Normal scores of the targets."""
        return tuple(e.score(t, f) for e, t, f in zip(self.estimates, self.targets, self.floors))

    @property
    def score_limit(self) -> float:
        """The |score| above which a single claim is rejected."""
        return student_quantile(1 - self.confidence, math.inf)

    @property
    def rejected(self) -> tuple[int, ...]:
        """The claims whose target is outside of their interval."""
        limit = self.score_limit
        return tuple(i for i, score in enumerate(self.scores) if abs(score) > limit)

    @property
    def half_widths(self) -> tuple[float, ...]:
        """Half-widths relative to the targets; 0 where the target is 0."""
        return tuple(self.half_width(i) / abs(t) if t else 0.0 for i, t in enumerate(self.targets))


def verdict(
    estimates: Sequence[Estimate],
    targets: Sequence[float],
    *,
    resolution: float = 0.05,
    level: float = LEVEL,
    floor: float | Sequence[float] = 0.0,
    groups: Sequence[float] | None = None,
) -> Judgement:
    """One verdict on the claims that the ``estimates`` have the means ``targets``.

    Parameters
    ----------
    resolution : relative error that every interval must be able to exclude.
    level : probability of rejecting true claims.
    floor : absolute error of arithmetic, one number or one for each claim.
    groups : independent normal scores for the χ² test; by default those of the estimates, which
        must then be independent. Fewer than two: no χ² test, and the intervals have all the level.

    >>> pair = [Estimate(1.0, 0.01, 49), Estimate(2.0, 0.02, 49)]
    >>> verdict(pair, [1.01, 1.98]).outcome, verdict(pair, [1.1, 2.0]).outcome
    ('pass', 'fail')
    >>> verdict(pair, [1.01, 1.98], resolution=0.01).outcome
    'undecided'
    """
    from scipy.special import chdtri

    level = _fraction("level", level)
    if not len(estimates) == len(targets) > 0:
        raise InputError("targets", len(targets), f"one value per estimate ({len(estimates)} ≥ 1)")
    if not np.isfinite(np.asarray(targets, float)).all():
        raise InputError("targets", list(targets), "finite values: a pole has no sample mean")
    floors = np.broadcast_to(np.asarray(floor, float), len(estimates))
    if groups is None:
        groups = [e.score(t, f) for e, t, f in zip(estimates, targets, floors)]
    number = len(groups) if len(groups) > 1 else 0
    share = level / 2 if number else level
    found = Judgement(
        "undecided",
        "",
        level,
        1 - share / len(estimates),
        tuple(estimates),
        tuple(map(float, targets)),
        tuple(floors.tolist()),
        number,
        float(np.sum(np.square(groups))) if number else 0.0,
        float(chdtri(number, share)) if number else math.inf,
        resolution,
    )
    outcome, why = _decide(found)
    return replace(found, outcome=outcome, message=f"{why}: {_thresholds(found)}")


def _decide(found: Judgement) -> tuple[Outcome, str]:
    """Outcome and its reason."""
    number, rejected = len(found.targets), len(found.rejected)
    intervals = "interval" + "s" * (number > 1)
    if rejected:
        return "fail", f"theory outside {rejected} of {number} {intervals}"
    if found.chi_square > found.chi_square_limit:
        return "fail", "deviations of all cells together are too large"
    wide = sum(width > found.resolution for width in found.half_widths)
    if wide:
        error = f"an error of {100 * found.resolution:g} %"
        return "undecided", f"{wide} of {number} {intervals} cannot exclude {error}"
    return "pass", "theory inside " + (f"all {number} intervals" if number > 1 else "the interval")


def _thresholds(found: Judgement) -> str:
    """The numbers that decided, each beside its threshold."""
    number = len(found.targets)
    together = percent(1 - number * (1 - found.confidence))
    parts = [f"{percent(found.confidence)} each, {together} together" if number > 1 else together]
    parts.append("largest |z| " + compared(max(map(abs, found.scores)), found.score_limit))
    if found.groups:
        relation = compared(found.chi_square, found.chi_square_limit, 1)
        parts.append(f"χ² {relation} for {found.groups} cells, {together}")
    width = compared(100 * max(found.half_widths), 100 * found.resolution, 1, " %")
    return ", ".join([*parts, f"widest interval ± {width}"])


def compared(value: float, limit: float, digits: int = 2, unit: str = "") -> str:
    """Which of two numbers is larger, with as many digits as show it.

    >>> compared(1.5, 3.57), compared(3.5701, 3.57)
    ('1.50 ≤ 3.57', '3.5701 > 3.5700')
    """
    for places in range(digits, 18):
        left, right = f"{value:.{places}f}", f"{limit:.{places}f}"
        if (float(left) > float(right)) == (value > limit):
            break
    else:
        left, right = repr(float(value)), repr(float(limit))
    return f"{left}{unit} {'>' if value > limit else '≤'} {right}{unit}"


def bounds(interval: tuple[float, float], *marks: float, digits: int = 5) -> str:
    """An interval with as many digits as show on which sides of its ends the marks lie.

    >>> bounds((0.95003, 1.00001), 1.0), bounds((0.95003, 1.2), 1.0)
    ('[0.95003, 1.00001]', '[0.95003, 1.2]')
    """
    for places in range(digits, 18):
        texts = [f"{end:.{places}g}" for end in interval]
        if all((float(x) < m) == (end < m) and (float(x) > m) == (end > m)
               for x, end in zip(texts, interval) for m in marks):  # fmt: skip
            break
    return f"[{texts[0]}, {texts[1]}]"


def percent(confidence: float) -> str:
    """A confidence with as many digits as tell it from 1.

    >>> percent(0.99), percent(1 - 0.005 / 14)
    ('99 %', '99.964 %')
    """
    digits = 1 + max(2, -math.floor(math.log10(1 - confidence)))
    return f"{100 * confidence:.{digits}g} %"


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
