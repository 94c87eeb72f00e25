r"""The static loss against simulation: ridge regression on random features, over the whole plane.

The cases span α in {0.3, 0.5, 1, 1.5}; N < T, N = T, N > T; ridge zero, small (γ*/10) and
optimal (γ*); noise zero and positive; M above N and T, and below (the breakdown regime, where a
ridgeless noiseless loss is zero, and a noisy one falls like M/(T − M)). At N = T < M a zero ridge
is the pole, whose loss has no mean, and is replaced by γ*/100.

Each case is simulated at sizes s·(N, T, M), s = 1, 2, 4, with the ridge that plays the same part
at each. The loss is averaged over targets and noise in closed form and scored exactly, so that
the spread over seeds is that of features and data alone, small enough that 1/s effects show:
these are measured, and the ratio to theory is extrapolated to s → ∞ before it is judged. All
cases are one family with one verdict (`validation.statistics.verdict`); test and training loss
share their draws and have a verdict each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytic.arguments import count
from analytic.errors import InputError

from .cells import Cell, SpectrumSpec
from .learners import Ridge
from .statistics import Estimate, Extrapolation, Verdict, estimate, extrapolate, verdict
from .sweep import Status, sweep
from .training import simulate

SCALES = (1, 2, 4)
#: γ/γ* of the named ridges
RIDGES = {"zero": 0.0, "tiny": 0.01, "small": 0.1, "optimal": 1.0}
#: size of the 1/s² term, as a fraction of the drift between the smallest and the largest size
REMAINDER = 0.5
#: rounding error of a loss, relative to the target power
ROUNDING = 1e-10


@dataclass(frozen=True)
class Case:
    """One point of the static model at scale 1; ``ridge`` is a key of `RIDGES`.

    >>> Case(0.5, 40, 80, 320, "optimal", 0.1).cell(2).features
    80
    """

    alpha: float
    features: int
    samples: int
    modes: int
    ridge: str
    noise: float

    def cell(self, scale: int) -> Cell:
        """The cell with all sizes multiplied by ``scale``; γ* is computed at these sizes."""
        from analytic.optimal_ridge import optimal_ridge

        if self.ridge not in RIDGES:
            raise InputError("ridge", repr(self.ridge), "one of " + ", ".join(RIDGES))
        spectrum = SpectrumSpec.power_law(alpha=self.alpha, size=scale * self.modes)
        features, samples = scale * self.features, scale * self.samples
        fraction, ridge = RIDGES[self.ridge], 0.0
        if fraction:
            best = optimal_ridge(spectrum.build(), features, samples, noise=self.noise)
            ridge = fraction * float(best.ridge)
        return Cell(spectrum, features, samples, Ridge((ridge,)), noise=self.noise)

    def describe(self) -> str:
        """Short text: α, sizes, ridge, noise."""
        sizes = f"N={self.features} T={self.samples} M={self.modes}"
        return f"α={self.alpha:g} {sizes} ridge {self.ridge} noise {self.noise:g}"


def _plane() -> list[Case]:
    """All cases of the module docstring."""
    cases = []
    for i, alpha in enumerate((0.3, 0.5, 1.0, 1.5)):
        for j, (features, samples) in enumerate(((40, 80), (50, 50), (80, 40))):
            for k, ridge in enumerate(("zero", "small", "optimal")):
                noise = 0.1 * ((i + j + k) % 2)
                pole = features == samples and ridge == "zero"
                cases.append(Case(alpha, features, samples, 320, "tiny" if pole else ridge, noise))
        features, samples = ((40, 80), (60, 60), (80, 40), (50, 90))[i]
        cases.append(Case(alpha, features, samples, 20, "zero", 0.1))
        cases.append(Case(alpha, features, samples, 20, "optimal", 0.1))
    cases.append(Case(1.0, 40, 80, 20, "zero", 0.0))
    cases.append(Case(1.0, 80, 40, 20, "zero", 0.0))
    return cases


CASES: tuple[Case, ...] = tuple(_plane())
#: what a quick look shows: one case of each kind
QUICK: tuple[Case, ...] = (
    Case(0.5, 50, 100, 400, "zero", 0.0),
    Case(0.5, 60, 60, 400, "optimal", 0.1),
    Case(1.0, 100, 50, 400, "small", 0.1),
    Case(1.5, 50, 100, 20, "zero", 0.1),
)


def static_theory(cell: Cell) -> dict[str, float]:
    """Excess and training loss of a `Ridge` cell, under the names of `Cell.observables`.

    >>> cell = Case(0.5, 100, 400, 2000, "zero", 0.0).cell(1)
    >>> round(static_theory(cell)["excess_loss[ridge=0]"], 9)
    0.405638916
    """
    from analytic.loss import static_loss

    if not isinstance(cell.learner, Ridge) or cell.feature_draws * cell.data_draws > 1:
        raise InputError("cell", cell.learner.rule, "ridge regression of a single learner")
    value = static_loss(
        cell.spectrum.build(),
        cell.features,
        cell.samples,
        ridge=np.array(cell.learner.ridges),
        noise=cell.noise,
        feature_variance=cell.feature_variance,
    )
    losses = np.concatenate([np.ravel(value.excess_loss), np.ravel(value.train_loss)])
    return dict(zip(cell.observables(), losses.tolist(), strict=True))


@dataclass(frozen=True)
class Row:
    """One loss of one case: theory and simulation at each scale, and the limit of their ratio.

    ``fit`` extrapolates simulation/theory − or the absolute loss, where theory is zero.
    """

    case: Case
    loss: str
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
    """All rows, one verdict for the test loss and one for the training loss."""

    rows: tuple[Row, ...]
    test: Verdict
    train: Verdict
    seeds: tuple[int, ...]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Both verdicts pass, and nothing failed to run."""
        return self.test.passed and self.train.passed and not self.failures


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
    cases: Sequence[Case] = CASES,
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
    theory: Callable[[Cell], dict[str, float]] = static_theory,
    *,
    resolution: float = 0.05,
) -> Comparison:
    """Extrapolate the ratio of simulation to ``theory`` and judge it, all cases as one family."""
    rows = []
    for case, cells, values in zip(simulated.cases, simulated.cells, simulated.values):
        rows += _rows(case, simulated.scales, cells, values, theory)
    return Comparison(
        rows=tuple(rows),
        test=_family([row for row in rows if row.loss == "excess_loss"], resolution),
        train=_family([row for row in rows if row.loss == "train_loss"], resolution),
        seeds=simulated.seeds,
        failures=simulated.failures,
    )


def quick_look(
    *, seeds: int = 50, root_seed: int = 0, progress: Callable[[Status], None] | None = None
) -> Comparison:
    """A few small cases at two scales, in seconds; intervals of a few per cent."""
    drawn = simulate_cases(
        QUICK, scales=(1, 2), seeds=seeds, root_seed=root_seed, progress=progress
    )
    return compare(drawn, resolution=0.1)


def _rows(
    case: Case, scales: tuple[int, ...], cells: Sequence[Cell], values: Any, theory: Any
) -> list[Row]:
    """Test and training loss of one case."""
    rows = []
    predictions = [theory(cell) for cell in cells]
    for index, loss in enumerate(("excess_loss", "train_loss")):
        names = [cell.observables()[index] for cell in cells]
        claimed = tuple(p[name] for p, name in zip(predictions, names))
        simulated = tuple(
            estimate([run[name] for run in runs if run is not None])
            for runs, name in zip(values, names)
        )
        ratios = [s / c if c else s for s, c in zip(simulated, claimed)]
        fit = extrapolate(scales, ratios, remainder=REMAINDER)
        rows.append(Row(case, loss, scales, claimed, simulated, fit))
    return rows


def _family(rows: Sequence[Row], resolution: float) -> Verdict:
    return verdict(
        [row.fit.limit for row in rows],
        [row.target for row in rows],
        resolution=resolution,
        floor=ROUNDING,
    )
