r"""Compare a theory with simulation over a family of cases, apart from finite-size bias.

A simulated number is given at several scales s, each a multiple of all sizes. Its *ratio* to theory
is 1 + c/s + O(1/s²) if theory is right, so the ratios are extrapolated to s → ∞
(`validation.statistics.extrapolate`, with an allowance for the 1/s² term). A `Family` collects
ratios; those that share draws are one group. All of them get one verdict
(`validation.statistics.verdict`): each ratio in its simultaneous interval, and the groups, which
are independent, together by χ², each represented by the mean of its ratios.

A *case* is a point of an experiment that gives a `validation.cells.Cell` for each scale;
`simulate_cases` and `compare` do all of the above for a list of them, with one verdict on the test
loss and one on the training loss. There the loss is averaged over targets and noise in closed form
and scored exactly, so that the spread over seeds is that of features and data alone: small enough
that 1/s effects show, and are stated (`Ratio.bias`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from solvable.analytic.arguments import count
from solvable.analytic.errors import InputError

from .cells import Cell
from .statistics import LEVEL, Estimate, Extrapolation, Judgement, estimate, extrapolate, verdict
from .store import Store
from .sweep import Status, sweep
from .training import simulate

SCALES = (1, 2, 4)
#: size of the 1/s² term, as a fraction of the drift between the smallest and the largest size
REMAINDER = 0.5
#: rounding error of a loss, relative to the target power
ROUNDING = 1e-10

Array = np.ndarray
Theory = Callable[[Cell], Mapping[str, float]]


@dataclass(frozen=True)
class Ratio:
    """One number: theory and simulation at each scale, and the limit of their ratio.

    ``fit`` extrapolates simulation/theory, or the simulated number itself where theory is zero.
    """

    scales: tuple[float, ...]
    theory: tuple[float, ...]
    simulated: tuple[Estimate, ...]
    fit: Extrapolation

    @property
    def vanishes(self) -> bool:
        """Whether theory says that this number is exactly zero."""
        return all(value == 0 for value in self.theory)

    @property
    def target(self) -> float:
        """What ``fit.limit`` should be: 1, or 0 where the number vanishes."""
        return 0.0 if self.vanishes else 1.0

    @property
    def score(self) -> float:
        """Normal score of the theory after extrapolation."""
        return self.fit.limit.score(self.target, ROUNDING)

    @property
    def bias(self) -> Estimate:
        """Leading finite-size departure from theory at the largest scale, relative to theory."""
        return self.fit.bias / self.scales[-1]


class Family:
    """Ratios at the same scales, decided together.

    >>> family, noise = Family((1, 2)), np.array([-0.01, 0.0, 0.01])
    >>> ratio = family.add("first", [3.3 + noise, 3.15 + noise], [3.0, 3.0])
    >>> round(ratio.fit.limit.mean, 12), family.judge(resolution=0.1).outcome
    (1.0, 'pass')
    """

    def __init__(self, scales: Sequence[float]) -> None:
        self.scales = tuple(scales)
        self.ratios: list[Ratio] = []
        self.incomplete = 0  # numbers with fewer than two repetitions at some scale
        self._groups: dict[Hashable, list[list[Array]]] = {}

    def add(self, group: Hashable, samples: Sequence[Any], theory: Sequence[float]) -> Ratio | None:
        """The ratio of one number, from its repetitions at each scale; None if too few are finite.

        Repetition k of all numbers of a ``group`` belongs to the same draw.
        """
        arrays = [np.asarray(values, float) for values in samples]
        finite = [values[np.isfinite(values)] for values in arrays]
        if min(map(len, finite)) < 2:
            self.incomplete += 1
            return None
        scaled = [values / value if value else values for values, value in zip(arrays, theory)]
        simulated = tuple(map(estimate, finite))
        found = Ratio(self.scales, tuple(map(float, theory)), simulated, self._limit(scaled))
        self.ratios.append(found)
        departures = [values - found.target for values in scaled]
        self._groups.setdefault(group, []).append(departures)
        return found

    def judge(self, *, resolution: float, level: float = LEVEL) -> Judgement:
        """The verdict on all ratios; there must be one."""
        scores = []
        for departures in self._groups.values():
            means = [np.mean(values, axis=0) for values in zip(*departures, strict=True)]
            if min(np.isfinite(mean).sum() for mean in means) > 1:
                scores.append(self._limit(means).limit.score(0.0, ROUNDING))
        return verdict(
            [ratio.fit.limit for ratio in self.ratios],
            [ratio.target for ratio in self.ratios],
            resolution=resolution,
            level=level,
            floor=ROUNDING,
            groups=scores,
        )

    def _limit(self, samples: Sequence[Array]) -> Extrapolation:
        estimates = [estimate(values[np.isfinite(values)]) for values in samples]
        return extrapolate(self.scales, estimates, remainder=REMAINDER)


# ---- lists of cases ----------------------------------------------------------------------


class Scalable(Protocol):
    """A point of an experiment that can be made larger."""

    def cell(self, scale: int) -> Cell:
        """The cell with all sizes multiplied by ``scale``."""

    def describe(self) -> str:
        """Short text."""


@dataclass(frozen=True)
class CaseRatio(Ratio):
    """The ratio of one loss of one case.

    ``point`` counts the scored points of the case (ridges, times, numbers of steps).
    """

    case: Scalable
    loss: str
    point: int


@dataclass(frozen=True)
class Findings:
    """All ratios, one verdict for the test loss and one for the training loss (if there is one)."""

    rows: tuple[CaseRatio, ...]
    test: Judgement
    train: Judgement | None
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

    cases: tuple[Scalable, ...]
    scales: tuple[int, ...]
    cells: tuple[tuple[Cell, ...], ...]
    values: tuple[tuple[Any, ...], ...]
    seeds: tuple[int, ...]
    failures: tuple[str, ...]


def simulate_cases(
    cases: Sequence[Scalable],
    *,
    scales: Sequence[int] = SCALES,
    seeds: int = 50,
    root_seed: int = 0,
    executor: Executor | None = None,
    store: Store | None = None,
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


def compare(simulated: Simulated, theory: Theory, *, resolution: float = 0.05) -> Findings:
    """Extrapolate the ratio of simulation to ``theory`` and judge it, all cases as one family.

    Repetitions that failed are left out and listed, and the comparison does not pass.
    """
    families = {loss: Family(simulated.scales) for loss in ("excess_loss", "train_loss")}
    rows = []
    for index, (case, cells) in enumerate(zip(simulated.cases, simulated.cells)):
        predictions = [theory(cell) for cell in cells]
        points = len(cells[0].at)
        for position, names in enumerate(zip(*(cell.observables() for cell in cells))):
            samples = [
                [run[name] for run in runs if run is not None]
                for runs, name in zip(simulated.values[index], names)
            ]
            claimed = [float(values[name]) for values, name in zip(predictions, names)]
            loss = names[0].split("[")[0]
            found = families[loss].add(index, samples, claimed)
            if found is not None:
                rows.append(CaseRatio(**vars(found), case=case, loss=loss, point=position % points))
    test, train = families.values()
    return Findings(
        rows=tuple(rows),
        test=test.judge(resolution=resolution),
        train=train.judge(resolution=resolution) if train.ratios else None,
        seeds=simulated.seeds,
        failures=simulated.failures,
    )
