r"""Compare a theory with simulation over a family of cases, apart from finite-size bias.

A *case* gives a `validation.cells.Cell` for each scale s, with all sizes multiplied by s. Every
case is simulated at several scales; the ratio of simulation to theory is extrapolated to
s → ∞ (`validation.statistics.extrapolate`, with an allowance for the 1/s² term) and all cases get
one verdict (`validation.statistics.verdict`), one for the test and one for the training loss.

The loss is averaged over targets and noise in closed form and scored exactly, so that the spread
over seeds is that of features and data alone: small enough that 1/s effects show, and are stated
(`Row.bias`). Several observables of one case share their draws; then only Holm's test is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from solvable.analytic.arguments import count
from solvable.analytic.errors import InputError

from .cells import Cell
from .statistics import Estimate, Extrapolation, Verdict, estimate, extrapolate, verdict
from .sweep import Status, sweep
from .training import simulate

SCALES = (1, 2, 4)
#: size of the 1/s² term, as a fraction of the drift between the smallest and the largest size
REMAINDER = 0.5
#: rounding error of a loss, relative to the target power
ROUNDING = 1e-10

Theory = Callable[[Cell], Mapping[str, float]]


class Case(Protocol):
    """A point of an experiment that can be made larger."""

    def cell(self, scale: int) -> Cell:
        """The cell with all sizes multiplied by ``scale``."""

    def describe(self) -> str:
        """Short text."""


@dataclass(frozen=True)
class Row:
    """One loss of one case: theory and simulation at each scale, and the limit of their ratio.

    ``fit`` extrapolates simulation/theory, or the absolute loss where theory is zero. ``point``
    counts the scored points of the case (ridges, times, numbers of steps).
    """

    case: Case
    loss: str
    point: int
    scales: tuple[int, ...]
    theory: tuple[float, ...]
    simulated: tuple[Estimate, ...]
    fit: Extrapolation

    @property
    def vanishes(self) -> bool:
        """Whether theory says that this loss is exactly zero."""
        return all(value == 0 for value in self.theory)

    @property
    def target(self) -> float:
        """What ``fit.limit`` should be: 1, or 0 where the loss vanishes."""
        return 0.0 if self.vanishes else 1.0

    @property
    def score(self) -> float:
        """Normal score of the theory after extrapolation."""
        return self.fit.limit.score(self.target, ROUNDING)

    @property
    def bias(self) -> Estimate:
        """Leading finite-size departure from theory at the largest scale, relative to theory."""
        return self.fit.bias / self.scales[-1]


@dataclass(frozen=True)
class Comparison:
    """All rows, one verdict for the test loss and one for the training loss (if there is one)."""

    rows: tuple[Row, ...]
    test: Verdict
    train: Verdict | None
    seeds: tuple[int, ...]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Both verdicts pass, and nothing failed to run."""
        train = self.train is None or self.train.passed
        return self.test.passed and train and not self.failures


@dataclass(frozen=True)
class Simulated:
    """The repetitions of every case at every scale: ``values[i][j]`` is a list of results."""

    cases: tuple[Case, ...]
    scales: tuple[int, ...]
    cells: tuple[tuple[Cell, ...], ...]
    values: tuple[tuple[Any, ...], ...]
    seeds: tuple[int, ...]
    failures: tuple[str, ...]


def simulate_cases(
    cases: Sequence[Case],
    *,
    scales: Sequence[int] = SCALES,
    seeds: int = 50,
    root_seed: int = 0,
    executor: Any = None,
    store: Any = None,
    progress: Callable[[Status], None] | None = None,
) -> Simulated:
    """Simulate every case at every scale; keywords as in `validation.sweep.sweep`.

    ``seeds`` is the number at the largest scale; smaller sizes, cheaper and noisier, get more:
    in inverse proportion to the scale.
    """
    if len(scales) < 2:
        raise InputError("scales", tuple(scales), "at least two, to extrapolate")
    scales = tuple(sorted(scales))
    repeats = tuple(count("seeds", seeds) * scales[-1] // scale for scale in scales)
    cells = tuple(tuple(case.cell(scale) for scale in scales) for case in cases)
    result = sweep(
        simulate, [cell for row in cells for cell in row], repeats * len(cases),
        root_seed=root_seed, executor=executor, store=store, progress=progress,
    )  # fmt: skip
    n = len(scales)
    values = tuple(tuple(result.values[i * n : (i + 1) * n]) for i in range(len(cases)))
    reasons = tuple(failure.reason for failure in result.failures)
    return Simulated(tuple(cases), scales, cells, values, repeats, reasons)


def compare(
    simulated: Simulated,
    theory: Theory,
    *,
    resolution: float = 0.05,
) -> Comparison:
    """Extrapolate the ratio of simulation to ``theory`` and judge it, all cases as one family.

    Repetitions that failed are left out and listed, and the comparison does not pass.
    """
    rows = []
    for case, cells, values in zip(simulated.cases, simulated.cells, simulated.values):
        rows += _rows(case, simulated.scales, cells, values, theory)
    test, train = (
        [row for row in rows if row.loss == loss] for loss in ("excess_loss", "train_loss")
    )
    return Comparison(
        rows=tuple(rows),
        test=_family(test, resolution),
        train=_family(train, resolution) if train else None,
        seeds=simulated.seeds,
        failures=simulated.failures,
    )


def _rows(
    case: Case, scales: tuple[int, ...], cells: Sequence[Cell], values: Any, theory: Theory
) -> list[Row]:
    """Every observable of one case: the same position in the list of observables at each scale.

    A case of which a scale has fewer than two repetitions (the others failed) has no rows.
    """
    rows: list[Row] = []
    values = [[run for run in runs if run is not None] for runs in values]
    if min(map(len, values)) < 2:
        return rows
    predictions = [theory(cell) for cell in cells]
    points = len(cells[0].at)
    for index, name in enumerate(cells[0].observables()):
        names = [cell.observables()[index] for cell in cells]
        claimed = tuple(float(p[name]) for p, name in zip(predictions, names))
        simulated = tuple(
            estimate([run[name] for run in runs]) for runs, name in zip(values, names)
        )
        ratios = [s / c if c else s for s, c in zip(simulated, claimed)]
        fit = extrapolate(scales, ratios, remainder=REMAINDER)
        loss = name.split("[")[0]
        rows.append(Row(case, loss, index % points, scales, claimed, simulated, fit))
    return rows


def _family(rows: Sequence[Row], resolution: float) -> Verdict:
    """Holm and χ² for rows of different cases; Holm alone where rows share a case."""
    return verdict(
        [row.fit.limit for row in rows],
        [row.target for row in rows],
        resolution=resolution,
        floor=ROUNDING,
        independent=all(row.point == 0 for row in rows),
    )
