"""What an experiment is: a claim of a source text, its parameters, and how to test it.

An experiment is one declaration: `experiment` decorates a function that, given the parameters at a
scale, yields the *curves* to simulate and to draw, *guides* for the eye, and *facts*, statements of
the claim that are decided on the numbers (the minimum is where it was said to be, the slope is the
predicted one):

    @experiment(title="…", source="…", claim="…", sizes={"N": (100, 400)}, constants={"b": 1.5},
                axes=…, quick=Budget(0.5, 10), thorough=Budget(1.0, 50))
    def name_with_dashes(p):
        yield Curve("loss", (Mark(x, cell, "excess_loss", predicted), …))
        yield near("exponent of N", lambda m: log_slope(m["loss"].x, m["loss"].mean), -1, 0.05)

The scale multiplies every size (N, T, M) of the source. Theory is the limit of large sizes, from
which a simulation at scale s departs by O(1/s). So the same plan is made at two scales, s/2 and s;
its marks correspond one to one, and the departures are extrapolated (`evaluate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ..sweep import digest
from .facts import Fact

Array = np.ndarray


@dataclass(frozen=True)
class Axes:
    """Labels and scales of a figure's axes."""

    x: str
    y: str
    x_scale: str = "log"
    y_scale: str = "log"


@dataclass(frozen=True)
class Mark:
    """One simulated number and what theory says it is.

    ``x`` abscissa; the number is ``factor`` times the observable ``read`` of ``cell``, and its
    predicted mean ``theory``. One that is drawn and not tested says why not in ``untested``.
    """

    x: float
    cell: Any
    read: str
    theory: float
    factor: float = 1.0
    untested: str = ""

    def values(self, runs: Sequence[Mapping[str, Any] | None]) -> Array:
        """The number of each repetition; NaN where it failed or lacks the observable."""
        read = [None if run is None else run.get(self.read) for run in runs]
        return np.array([math.nan if x is None else self.factor * float(x) for x in read])


@dataclass(frozen=True)
class Curve:
    """Simulated marks, and the theory line (x, y) through them, computed when it is drawn.

    A curve that is not ``shown`` in the figure is there for its facts. Curves of different
    ``panel`` are drawn side by side; their labels begin with it.
    """

    label: str
    marks: tuple[Mark, ...]
    line: Callable[[], tuple[Array, Array]] | None = None
    shown: bool = True
    panel: str = ""


@dataclass(frozen=True)
class Guide:
    """Something drawn for the eye: a dashed ``curve``, a ``vertical`` line, or a ``star``.

    ``y`` may be a function, called when the guide is drawn.
    """

    kind: Literal["curve", "vertical", "star"]
    label: str
    x: Any
    y: Any = None

    def drawn(self) -> Guide:
        """The guide with its ordinates."""
        return replace(self, y=self.y()) if callable(self.y) else self


@dataclass(frozen=True)
class Plan:
    """All that is to be simulated, compared and drawn at one scale; ``cells`` by their digest."""

    cells: Mapping[str, Any]
    curves: tuple[Curve, ...]
    guides: tuple[Guide, ...]
    facts: tuple[Fact, ...]

    @classmethod
    def of(cls, items: Iterable[Curve | Guide | Fact]) -> Plan:
        """Sort what a declaration yields."""
        items = list(items)
        curves = tuple(item for item in items if isinstance(item, Curve))
        guides = tuple(item for item in items if isinstance(item, Guide))
        facts = tuple(item for item in items if isinstance(item, Fact))
        cells = {digest(mark.cell): mark.cell for curve in curves for mark in curve.marks}
        return cls(cells, curves, guides, facts)


@dataclass(frozen=True)
class Budget:
    """How much is simulated: the scale of the sizes, and repetitions of the large cells.

    ``sizes`` replaces some of the source's sizes (before scaling): a quick run has fewer curves
    and points. ``resolution`` is the relative error that every interval must be able to exclude.
    One repetition spreads about its mean as min(N, T) to the power −``spread``: so much more often
    smaller cells are repeated, and larger ones less, down to ``fewest`` (by default ``seeds``).
    """

    scale: float
    seeds: int
    sizes: Mapping[str, Any] = field(default_factory=dict)
    resolution: float = 0.05
    spread: float = 1.0
    fewest: int | None = None


Items = Iterator[Curve | Guide | Fact]
Build = Callable[["Parameters"], Items]


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
    build: Build = field(repr=False)
    title: str
    source: str
    claim: str
    sizes: Mapping[str, Any]
    constants: Mapping[str, Any]
    axes: Axes
    quick: Budget
    thorough: Budget
    simulate: str = "solvable.validation.training:simulate"
    expected: Literal["agreement", "rejection"] = "agreement"

    def parameters(self, budget: Budget) -> Parameters:
        """The parameters of a budget."""
        return Parameters({**self.sizes, **budget.sizes}, self.constants, budget.scale)

    def plan(self, budget: Budget) -> Plan:
        """The plan of a budget."""
        return Plan.of(self.build(self.parameters(budget)))


def experiment(**declared: Any) -> Callable[[Build], Experiment]:
    """The experiment that a function builds, named after it; keywords as in `Experiment`."""
    return lambda build: Experiment(build.__name__.replace("_", "-"), build, **declared)


SYMBOLS = {
    "alpha": "α", "noise": "σ_ε²", "nu": "ν", "rate": "η", "momentum": "μ", "times": "t",
    "lengths": "batches in an epoch",
}  # fmt: skip


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
