"""What an experiment is: a claim of a source text, its parameters, and how to test it.

An `Experiment` is declared as data; its ``build`` turns the parameters, at a scale, into a `Plan`:
the cells to simulate, the curves that theory draws through them, and *facts*, statements of the
claim that are decided on the numbers (the minimum is where it was said to be, the slope is the
predicted one).

The scale multiplies every size (N, T, M) of the source. Theory is the limit of large sizes, from
which a simulation at scale s departs by O(1/s). So the same plan is built at two scales, s/2 and
s; its points correspond one to one, and the departures are extrapolated (`evaluate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..statistics import Outcome

Array = np.ndarray


@dataclass(frozen=True)
class Axes:
    """Labels and scales of a figure's axes."""

    x: str
    y: str
    x_scale: str = "log"
    y_scale: str = "log"


@dataclass(frozen=True)
class Point:
    """One simulated number and what theory says it is.

    ``x`` abscissa; ``cell`` index into the cells of the plan; ``read`` the name of an observable
    of that cell, or a function of all of them; ``theory`` the predicted mean. A point that is
    not ``tested`` is drawn only (its theory is infinite or zero, say).
    """

    x: float
    cell: int
    read: str | Callable[[Mapping[str, Any]], float]
    theory: float
    tested: bool = True

    def value(self, observables: Mapping[str, Any]) -> float:
        """The number of one repetition."""
        value = self.read(observables) if callable(self.read) else observables[self.read]
        return float(value)


@dataclass(frozen=True)
class Series:
    """One curve of a figure: simulated points, and the theory line (x, y) through them."""

    label: str
    points: tuple[Point, ...]
    line: tuple[Array, Array] | None = None


@dataclass(frozen=True)
class Guide:
    """Something drawn for the eye: a dashed ``curve``, a ``vertical`` line, or a ``star``."""

    kind: Literal["curve", "vertical", "star"]
    label: str
    x: Any
    y: Any = None


@dataclass(frozen=True)
class Measured:
    """A series after simulation: arrays over its points; ``samples`` has one row per seed."""

    label: str
    x: Array
    theory: Array
    samples: Array

    @property
    def mean(self) -> Array:
        """Mean over the seeds that gave a number; NaN where none did."""
        return self._moments()[0]

    @property
    def error(self) -> Array:
        """Standard error of the mean; NaN for fewer than two seeds."""
        return self._moments()[1]

    def _moments(self) -> tuple[Array, Array]:
        good = np.isfinite(self.samples)
        count = good.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(good, self.samples, 0.0).sum(axis=0) / count
            squares = np.where(good, (self.samples - mean) ** 2, 0.0).sum(axis=0)
            return mean, np.sqrt(squares / (count - 1) / count)


@dataclass(frozen=True)
class Fact:
    """A statement of the claim, with the number observed, what was expected, and the outcome."""

    statement: str
    observed: float
    expected: str
    outcome: Outcome


def near(statement: str, observed: float, expected: float, tolerance: float) -> Fact:
    """The observed number is within ``tolerance`` of the expected one.

    >>> near("slope", -0.98, -1, 0.05).outcome
    'pass'
    >>> near("slope", -0.9, -1, 0.05).outcome
    'fail'
    """
    good = bool(abs(observed - expected) <= tolerance)
    return Fact(statement, float(observed), f"{expected:.4g} ± {tolerance:.2g}", _word(good))


def below(statement: str, observed: float, bound: float) -> Fact:
    """The observed number is below the bound (NaN is not)."""
    return Fact(statement, float(observed), f"< {bound:.4g}", _word(bool(observed < bound)))


def above(statement: str, observed: float, bound: float) -> Fact:
    """The observed number is above the bound (NaN is not)."""
    return Fact(statement, float(observed), f"> {bound:.4g}", _word(bool(observed > bound)))


def _word(good: bool) -> Outcome:
    return "pass" if good else "fail"


def no_facts(measured: Mapping[str, Measured]) -> list[Fact]:
    """For a claim that is nothing but its curves."""
    return []


@dataclass(frozen=True)
class Plan:
    """All that is to be simulated, compared and drawn at one scale.

    ``facts`` is given the measured series by label.
    """

    cells: Sequence[Any]
    series: tuple[Series, ...]
    facts: Callable[[Mapping[str, Measured]], list[Fact]] = no_facts
    guides: tuple[Guide, ...] = ()


@dataclass(frozen=True)
class Budget:
    """How much is simulated: the scale of the sizes, and repetitions of the large cells.

    ``sizes`` replaces some of the source's sizes (before scaling): a quick run has fewer curves
    and points. ``resolution`` is the relative error that every interval must be able to exclude.
    """

    scale: float
    seeds: int
    sizes: Mapping[str, Any] = field(default_factory=dict)
    resolution: float = 0.05


@dataclass(frozen=True)
class Experiment:
    """A figure or claim of a source text, as data.

    ``sizes`` are parameters that the scale multiplies, ``constants`` those that it does not;
    ``quick`` and ``thorough`` are the two budgets. ``simulate`` is the function of the sweep,
    given by its name ``module:function`` so that it is imported in the workers.
    ``expected`` is what the comparison with theory should say: ``"agreement"``, or ``"rejection"``
    for a control in which the theory does not apply and must be found out.
    """

    name: str
    title: str
    source: str
    claim: str
    sizes: Mapping[str, Any]
    constants: Mapping[str, Any]
    axes: Axes
    build: Callable[[Parameters], Plan] = field(repr=False)
    quick: Budget
    thorough: Budget
    simulate: str = "solvable.validation.training:simulate"
    expected: Literal["agreement", "rejection"] = "agreement"

    def parameters(self, budget: Budget) -> Parameters:
        """The parameters of a budget."""
        return Parameters({**self.sizes, **budget.sizes}, self.constants, budget.scale)

    def plan(self, budget: Budget) -> Plan:
        """The plan of a budget."""
        return self.build(self.parameters(budget))


SYMBOLS = {"alpha": "α", "noise": "σ_ε²", "nu": "ν", "rate": "η", "momentum": "μ", "times": "t"}


@dataclass(frozen=True)
class Parameters:
    """Parameters at a scale: ``p.N`` is the size N of the source, scaled and rounded.

    >>> p = Parameters({"N": (100, 400)}, {"alpha": 1.0}, scale=0.25)
    >>> p.N, p.alpha
    ((25, 100), 1.0)
    """

    sizes: Mapping[str, Any]
    constants: Mapping[str, Any]
    scale: float

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self.sizes:
            return self._scaled(self.sizes[name])
        if name in self.constants:
            return self.constants[name]
        raise AttributeError(f"no parameter {name}")

    def _scaled(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._scaled(entry) for entry in value)
        return max(1, round(value * self.scale))

    def describe(self) -> str:
        """All parameters in one line."""
        values = {**{name: getattr(self, name) for name in self.sizes}, **self.constants}
        return "; ".join(
            f"{SYMBOLS.get(name, name)} = {_short(value)}" for name, value in values.items()
        )


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        nested = [isinstance(entry, tuple) for entry in value]
        parts = [f"({_short(e)})" if inner else _short(e) for e, inner in zip(value, nested)]
        return ", ".join(parts)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def grid(low: float, high: float, count: int) -> tuple[int, ...]:
    """Distinct integers, evenly spaced on a logarithmic axis, ends included.

    >>> grid(1, 1000, 4)
    (1, 10, 100, 1000)
    """
    values = np.unique(np.rint(np.geomspace(low, high, count)).astype(int))
    return tuple(int(value) for value in values)
