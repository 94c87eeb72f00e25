"""Facts: statements of a claim that are decided on numbers.

A number of the theory alone is between its bounds or not. One of simulated numbers is a function
f(m) of the means m of the marks; its error is that of its linear part in the means, summed seed by
seed within a cell, so that what the marks of a cell share is counted. It passes if its whole
interval is between the bounds, fails if none of it is, and is undecided otherwise; the facts of one
experiment share the level `validation.statistics.LEVEL` (Bonferroni).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..statistics import LEVEL, Estimate, Outcome, bounds, combined, estimate, percent

Array = np.ndarray
STEP = 0.01  # of the derivative of a fact by a mean, in standard errors of that mean


@dataclass(frozen=True)
class Measured:
    """A curve after simulation: arrays over its marks, the mean being that over the seeds."""

    label: str
    x: Array
    theory: Array
    mean: Array


@dataclass(frozen=True)
class Fact:
    """A statement of the claim: a number that is to lie between ``low`` and ``high``.

    ``number`` takes the measured curves by label, or nothing when it is one of the theory alone.
    """

    statement: str
    number: Callable[..., Any]
    low: float
    high: float
    expected: str

    @property
    def simulated(self) -> bool:
        """Whether the number depends on what was simulated."""
        return bool(inspect.signature(self.number).parameters)

    def __call__(self, measured: Mapping[str, Measured]) -> float:
        """The number."""
        return float(self.number(measured) if self.simulated else self.number())


def near(statement: str, number: Callable[..., Any], expected: float, tolerance: float) -> Fact:
    """The number is within ``tolerance`` of the expected one.

    >>> near("slope", lambda: -0.98, -1, 0.05).expected
    '-1 ± 0.05'
    """
    text = f"{expected:.4g} ± {tolerance:.2g}"
    return Fact(statement, number, expected - tolerance, expected + tolerance, text)


def below(statement: str, number: Callable[..., Any], bound: float) -> Fact:
    """The number is below the bound."""
    return Fact(statement, number, -math.inf, bound, f"< {bound:.4g}")


def above(statement: str, number: Callable[..., Any], bound: float) -> Fact:
    """The number is above the bound."""
    return Fact(statement, number, bound, math.inf, f"> {bound:.4g}")


@dataclass(frozen=True)
class FactEvidence:
    """A fact with the number observed, which is to lie between ``low`` and ``high``.

    If it is simulated, ``interval`` decided it, at ``confidence``.
    """

    statement: str
    observed: float
    expected: str
    low: float
    high: float
    outcome: Outcome
    interval: tuple[float, float] | None = None
    confidence: float | None = None

    def decided(self) -> str:
        """The interval that decided, or that there is none."""
        if self.interval is None or self.confidence is None:
            return "theory alone"
        return f"in {bounds(self.interval, self.low, self.high)} ({percent(self.confidence)})"

    def __str__(self) -> str:
        return f"{self.statement}: {self.observed:.4g}, {self.decided()}, expected {self.expected}"


@dataclass(frozen=True)
class Sampled:
    """A curve with the repetitions of each mark, and the cell that each belongs to."""

    label: str
    x: Array
    theory: Array
    cells: tuple[str, ...]
    samples: tuple[Array, ...]

    def measured(self, mark: int | None = None, shift: float = 0.0) -> Measured:
        """The means, one of them shifted."""
        finite = [values[np.isfinite(values)] for values in self.samples]
        mean = np.array([values.mean() if len(values) else math.nan for values in finite])
        if mark is not None:
            mean[mark] += shift
        return Measured(self.label, self.x, self.theory, mean)


def decide(facts: Sequence[Fact], curves: Sequence[Sampled]) -> tuple[FactEvidence, ...]:
    """Every fact; those about simulated numbers with simultaneous intervals."""
    simulated, found = sum(fact.simulated for fact in facts), []
    measured = {curve.label: curve.measured() for curve in curves}
    for fact in facts:
        number, interval, confidence = fact(measured), None, None
        low = high = number
        if fact.simulated:
            confidence = 1 - LEVEL / simulated
            interval = low, high = _linearised(fact, number, curves, measured).interval(confidence)
        outcome: Outcome = "undecided"
        if fact.low <= low and high <= fact.high:
            outcome = "pass"
        elif low > fact.high or high < fact.low or not (fact.simulated or math.isfinite(number)):
            outcome = "fail"
        found.append(FactEvidence(fact.statement, number, fact.expected, fact.low, fact.high,
                                  outcome, interval, confidence))  # fmt: skip
    return tuple(found)


def _linearised(
    fact: Fact, number: float, curves: Sequence[Sampled], measured: Mapping[str, Measured]
) -> Estimate:
    """The fact's number with the error of its linear part, cells being independent."""
    if not math.isfinite(number):  # repetitions that it needs have failed
        return Estimate(number, math.nan)
    influences: dict[str, Any] = {}
    for curve in curves:
        for mark, values in enumerate(curve.samples):
            finite = values[np.isfinite(values)]
            step = STEP * estimate(finite).error if len(finite) > 1 else 0.0
            if step:
                rise, fall = (
                    fact({**measured, curve.label: curve.measured(mark, shift)})
                    for shift in (step, -step)
                )
                part = np.nan_to_num(values - finite.mean()) * (rise - fall) / (2 * step)
                influences[curve.cells[mark]] = influences.get(curve.cells[mark], 0.0) + part
    parts = [estimate(part) for part in influences.values()]
    spread = combined(np.ones(len(parts)), parts)
    return Estimate(number, spread.error, spread.degrees)
