r"""A power law in a population spectrum, or the reason why it is none.

Five laws of ln λ against the rank J are fitted to the nearly unconstrained estimate y of the
population, whose covariance is V, by generalised least squares:

    power law        a − b ln J
    exponential      a − J/ξ
    cutoff           a − b ln J − J/J_c
    log-normal       a + s Φ⁻¹(1 − (J − ½)/M′)       (quantiles of M′ log-normal eigenvalues)

**Criterion.** Each law is given the longest range J₁ … J₂ (in ln J) that it describes within
`TOLERANCE`: P(χ²) ≥ `ACCEPTED` with V + TOLERANCE² on the diagonal. The power law is refused where
its range is below a factor `SHORTEST` in J (or, for α < 0, in λ), where another law describes a
range longer by `LONGER` (equal eigenvalues, the simpler law: a range as long), where another law is
better on the same range (BIC lower by `BETTER`), and where rows that were held out contradict the
population (`held_out`), depend on one another or are dominated by one.

The interval of α = b − 1 is that of generalised least squares on the range; where V alone does not
explain the scatter, the least common variance that does is added and Student's law is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import chi2, norm, t

from ..arguments import Level, checked
from ..equality import Comparable
from ..errors import PrecisionError
from .population import PopulationSpectrum

TOLERANCE = 0.1  # of ln λ
ACCEPTED = 0.05
SHORTEST = 10.0  # J₂/J₁
LONGER = 1.25  # in ln J
BETTER = 6.0
FEWEST = 5  # ranks of a range
SIZES = (1.0, 2.0, 8.0, 64.0)  # M′ over M


@dataclass(frozen=True)
class Interval:
    """A number and the ends of its interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Plain data."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=False)
class LawFit(Comparable):
    """One law on the range of ranks that it describes.

    ``parameters`` by name; ``probability`` that of a χ² as large; ``bic`` of the law on the range
    of the power law.
    """

    law: str
    first: float
    last: float
    parameters: dict[str, float]
    probability: float
    bic: float = math.nan

    @property
    def extent(self) -> float:
        """ln J₂/J₁."""
        return math.log(self.last / self.first)


@dataclass(frozen=True, eq=False)
class TailFit(Comparable):
    """The verdict on the power law.

    ``alpha`` is None where it is refused, for the ``reason`` given. ``power_law`` is the fit in
    either case, ``others`` the other laws on the longest ranges that they describe. ``scale`` is
    λ₊ of λ_J = λ₊ J^-(1+α).
    """

    alpha: Interval | None
    reason: str | None
    power_law: LawFit
    others: tuple[LawFit, ...]
    population: PopulationSpectrum = field(repr=False)
    confidence: float

    @property
    def scale(self) -> float:
        """λ₊."""
        return self.power_law.parameters["scale"]


@checked
def fit_tail(population: PopulationSpectrum, confidence: Level = 0.95) -> TailFit:
    """Fit the laws; α with its interval, or the reason for which it is refused.

    ``confidence`` is that of the interval; errors: `InputError` for one outside 0 … 1. The
    exponent is that of λ_J = λ₊ J^-(1+α), as in arXiv:2210.16859. Source of the criterion: this
    package.

    >>> import numpy as np
    >>> from solvable.analytic.data import population_spectrum, sample_spectrum
    >>> draw = np.random.default_rng(5).normal(size=(400, 100))
    >>> tail = fit_tail(population_spectrum(sample_spectrum(draw * np.arange(1, 101) ** -0.75)))
    >>> tail.alpha.low < 0.5 < tail.alpha.high
    True
    >>> white = fit_tail(population_spectrum(sample_spectrum(draw)))
    >>> white.alpha, white.reason
    (None, 'the eigenvalues hardly decay')
    """
    fits = {name: _longest(population, name) for name in LAWS}
    power = fits.pop("power law")
    rows = _rows(population, power.first, power.last)
    alpha = _interval(population, rows, confidence)
    fits = {name: _with_bic(fit, population, rows) for name, fit in fits.items()}
    power = _with_bic(power, population, rows)
    reason = _reason(alpha, power, list(fits.values())) or population.contradiction
    return TailFit(
        None if reason else alpha, reason, power, tuple(fits.values()), population, confidence
    )


# ---- laws ----------------------------------------------------------------------------------

#: rank, number of modes → the columns that the law combines
_Columns = Callable[[np.ndarray, float], np.ndarray]


def _power(rank: np.ndarray, size: float) -> np.ndarray:
    return np.stack([np.ones_like(rank), -np.log(rank)], 1)


def _exponential(rank: np.ndarray, size: float) -> np.ndarray:
    return np.stack([np.ones_like(rank), -rank], 1)


def _cutoff(rank: np.ndarray, size: float) -> np.ndarray:
    return np.stack([np.ones_like(rank), -np.log(rank), -rank], 1)


def _white(rank: np.ndarray, size: float) -> np.ndarray:
    return np.ones((len(rank), 1))


def _log_normal(rank: np.ndarray, size: float) -> np.ndarray:
    return np.stack([np.ones_like(rank), norm.isf((rank - 0.5) / size)], 1)


#: the columns, the names of the parameters after the first, and the M′/M tried
LAWS: dict[str, tuple[_Columns, tuple[str, ...], tuple[float, ...]]] = {
    "power law": (_power, ("b",), (1.0,)),
    "exponential": (_exponential, ("rate",), (1.0,)),
    "cutoff": (_cutoff, ("b", "rate"), (1.0,)),
    "log-normal": (_log_normal, ("deviation",), SIZES),
    "white": (_white, (), (1.0,)),
}


def _solve(
    population: PopulationSpectrum, rows: np.ndarray, columns: np.ndarray, added: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Parameters, their covariance and χ² on some ranks, with ``added`` variance of each."""
    variance = population.free_covariance[np.ix_(rows, rows)] + added * np.eye(len(rows))
    try:
        root = np.linalg.cholesky(variance)
    except np.linalg.LinAlgError:
        raise PrecisionError("the errors of the population's eigenvalues are lost to rounding: so "
                             "many samples leave none that matters", 0) from None  # fmt: skip
    design = np.linalg.solve(root, columns)
    wanted = np.linalg.solve(root, population.free[rows])
    found, *_ = np.linalg.lstsq(design, wanted, rcond=None)
    residual = wanted - design @ found
    return found, np.linalg.pinv(design.T @ design), float(residual @ residual)


def _best(
    population: PopulationSpectrum, rows: np.ndarray, law: str, added: float
) -> tuple[np.ndarray, float, float]:
    """Parameters, χ² and M′ of a law; χ² is infinite where a decay has the wrong sign."""
    columns, names, sizes = LAWS[law]
    ranks, best = population.ranks[rows], (np.zeros(1 + len(names)), math.inf, 1.0)
    for ratio in sizes:
        size = ratio * population.size
        found, _, square = _solve(population, rows, columns(ranks, size), added)
        if law != "power law" and np.any(found[1:] <= 0):
            continue
        if square < best[1]:
            best = (found, square, size)
    return best


def _longest(population: PopulationSpectrum, law: str) -> LawFit:
    """The law on the longest range that it describes; on the shortest of all if on none."""
    ranks, parameters = population.ranks, 1 + len(LAWS[law][1])
    count, best = len(ranks), None
    fewest = min(FEWEST, count)
    for first in range(count - fewest + 1):
        for last in range(count - 1, first + fewest - 2, -1):
            extent = math.log(ranks[last] / ranks[first])
            if best and extent <= best.extent:
                break  # shorter ones from this rank cannot win
            rows = np.arange(first, last + 1)
            found, square, size = _best(population, rows, law, TOLERANCE**2)
            probability = float(chi2.sf(square, max(1, len(rows) - parameters)))
            if probability >= ACCEPTED:
                best = _fit(law, ranks[first], ranks[last], found, size, probability)
                break
    if best:
        return best
    rows = np.arange(fewest)
    found, square, size = _best(population, rows, law, TOLERANCE**2)
    return _fit(law, ranks[0], ranks[0], found, size, 0.0)


def _fit(
    law: str, first: float, last: float, found: np.ndarray, size: float, probability: float
) -> LawFit:
    named = dict(zip(("scale", *LAWS[law][1]), map(float, found)))
    named["scale"] = math.exp(min(named["scale"], 700.0))
    if law == "log-normal":
        named["size"] = float(size)
    return LawFit(law, float(first), float(last), named, probability)


def _rows(population: PopulationSpectrum, first: float, last: float) -> np.ndarray:
    inside = (population.ranks >= first) & (population.ranks <= last)
    rows = np.flatnonzero(inside)
    return rows if len(rows) >= 3 else np.arange(min(FEWEST, len(inside)))


def _with_bic(fit: LawFit, population: PopulationSpectrum, rows: np.ndarray) -> LawFit:
    found, square, _ = _best(population, rows, fit.law, TOLERANCE**2)
    bic = square + len(found) * math.log(len(rows))
    return LawFit(fit.law, fit.first, fit.last, fit.parameters, fit.probability, bic)


# ---- verdict -------------------------------------------------------------------------------


def _interval(population: PopulationSpectrum, rows: np.ndarray, confidence: float) -> Interval:
    """α by generalised least squares, with what variance the scatter asks for."""
    columns = _power(population.ranks[rows], population.size)
    degrees = max(1, len(rows) - 2)
    found, covariance, square = _solve(population, rows, columns, 0.0)
    quantile = float(norm.isf((1 - confidence) / 2))
    if chi2.sf(square, degrees) < ACCEPTED:
        low, high = 0.0, 4.0
        for _ in range(50):
            middle = (low + high) / 2
            excess = _solve(population, rows, columns, middle)[2] > degrees
            low, high = (middle, high) if excess else (low, middle)
        found, covariance, _ = _solve(population, rows, columns, high)
        quantile = float(t.isf((1 - confidence) / 2, degrees))
    value, half = float(found[1]) - 1, quantile * math.sqrt(covariance[1, 1])
    return Interval(value, value - half, value + half)


def _reason(alpha: Interval, power: LawFit, others: list[LawFit]) -> str | None:
    """Why there is no α, or None."""
    winner = max(others, key=lambda fit: fit.extent)
    flat = winner.law == "white" and winner.extent >= power.extent
    if not flat and winner.extent > LONGER * power.extent:
        own = f"ranks {power.first:g} to {power.last:g}" if power.extent else "no range"
        return f"{_said(winner)} describes ranks {winner.first:g} to {winner.last:g}, " \
               f"a power law {own}"  # fmt: skip
    fall = (1 + alpha.value) * power.extent / math.log(SHORTEST)
    if flat or alpha.low <= -1 or (power.extent and alpha.value < 0 and fall < 1):
        return "the eigenvalues hardly decay"
    if power.extent < math.log(SHORTEST) * (1 - 1e-9):
        return f"the longest range within {TOLERANCE:.0%} of a power law is {power.first:g} to " \
               f"{power.last:g}, less than a factor {SHORTEST:g}"  # fmt: skip
    better = min(others, key=lambda fit: fit.bic)
    if better.bic < power.bic - BETTER:
        return f"{_said(better)} describes ranks {power.first:g} to {power.last:g} better " \
               f"(BIC lower by {power.bic - better.bic:.1f})"  # fmt: skip
    return None


def _said(fit: LawFit) -> str:
    values: dict[str, Any] = fit.parameters
    if fit.law == "exponential":
        return f"an exponential of e-folding rank {1 / values['rate']:.4g}"
    if fit.law == "cutoff":
        return f"a power law (α = {values['b'] - 1:.3g}) cut off at rank {1 / values['rate']:.4g}"
    return f"a log-normal law (deviation {values['deviation']:.3g} of ln λ)"
