r"""Families of cases on which theory and simulation are compared at three sizes.

`STATIC`: ridge regression over the whole plane. α in {0.3, 0.5, 1, 1.5}; N < T, N = T, N > T;
ridge zero, small (γ*/10) and optimal (γ*); noise zero and positive; M above N and T, and below (the
breakdown regime, where a ridgeless noiseless loss is zero, and a noisy one falls like M/(T − M)).
At N = T < M a zero ridge is the pole, whose loss has no mean, and is replaced by γ*/100.

`DYNAMIC`: loss curves of every rule on λ_k = k^{-b}, (w_k*)²λ_k = k^{-a}, N < P and N > P, with and
without label noise, each at five times from the first steps to the plateau; ensembles of feature
draws and bags over data draws. At scale s all sizes are multiplied by s and all times by s^b, so
that each time keeps its place between the modes learnt and those not yet. Rules with fresh data
draw their targets and their noise, `TARGETS` at a time; the others average in closed form.

`UNIVERSAL` and `BROKEN` are laws of the entries. The theory is that of Gaussian u and x. Its limit
N, T → ∞ holds for every law of independent standardised entries whose quadratic forms
concentrate, gᵀBg ≈ tr B with a relative variance

    2 tr B²/(tr B)² + (kurtosis − 3) Σ_i B_ii²/(tr B)²,

which is O(1/N) at finite kurtosis: the law of the entries changes the 1/s correction and not the
limit. It fails, at every size, where this variance does not vanish:

* *elliptical data*: a common factor τ_t per sample, xᵀBx ≈ τ_t² tr B. The samples have different
  weights, and the bracket 1 − D₁/T becomes an average over τ² (for λ flat: a generalised
  Marchenko–Pastur law);
* *features that stay sparse*: p = c/s non-zero entries, kurtosis 1/p growing with the size, so that
  a feature sees few of the modes that matter and some see none;
* *heavy tails*: Student's law with ν ≤ 4 degrees of freedom has infinite kurtosis, and the
  concentration is slower than 1/s, the slower the closer ν is to 2, where the variance ends: at
  ν = 2.2 no departure decays visibly at sizes that can be simulated.

A case gives a cell for each scale; `simulate_cases` and `compare` make one family of all ratios of
a loss to theory, with one verdict on the test loss and one on the training loss.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from solvable.analytic.arguments import choice, count
from solvable.analytic.errors import InputError
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.learners import (
    GradientDescent,
    GradientFlow,
    HeavyBall,
    OnePassSGD,
    RidgeRegression,
)
from solvable.analytic.training.training_rule import Learner
from solvable.validation.cells import Cell
from solvable.validation.comparison import Family, Ratio
from solvable.validation.entry_laws import EntryLaw
from solvable.validation.statistics import Judgement
from solvable.validation.sweep import sweep
from solvable.validation.training import simulate

SCALES = (1, 2, 4)
Theory = Callable[[Cell], Mapping[str, float]]


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
    executor: Any = None,
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
        root_seed=root_seed, executor=executor,
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


#: γ/γ* of the named ridges
RIDGES = {"zero": 0.0, "tiny": 0.01, "small": 0.1, "optimal": 1.0}
#: exponents of the spectrum and of the target, and modes per unit of scale
EXPONENT, TARGET_EXPONENT, MODES = 1.25, 1.5, 120
TARGETS = 64


@dataclass(frozen=True)
class StaticCase:
    """Ridge regression at scale 1; ``ridge`` is a key of `RIDGES`.

    >>> StaticCase(0.5, 40, 80, 320, "optimal", 0.1).cell(2).features
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
        fraction = RIDGES[choice("ridge", self.ridge, RIDGES)]
        spectrum = PowerLaw(alpha=self.alpha, size=scale * self.modes)
        sizes, ridge = (scale * self.features, scale * self.samples), 0.0
        if fraction:
            best = optimal_ridge(spectrum, *sizes, noise=self.noise)
            ridge = fraction * float(best.ridge)
        return Cell(spectrum, *sizes, RidgeRegression(), (ridge,), noise=self.noise)

    def describe(self) -> str:
        """Short text: α, sizes, ridge, noise."""
        sizes = f"N={self.features} T={self.samples} M={self.modes}"
        return f"α={self.alpha:g} {sizes} ridge {self.ridge} noise {self.noise:g}"


@dataclass(frozen=True)
class DynamicCase:
    """One loss curve at scale 1, with its times at scale 1."""

    learner: Learner
    at: tuple[float, ...]
    features: int
    samples: int
    noise: float
    feature_draws: int = 1
    data_draws: int = 1

    def cell(self, scale: int) -> Cell:
        """Sizes times s, times times s^b (whole numbers of steps), weight decay times s^{-b}."""
        slower, learner = scale**EXPONENT, self.learner
        if isinstance(learner, GradientFlow):
            learner = replace(learner, decay=learner.decay / slower)
        times = tuple(round(t * slower) if learner.discrete else t * slower for t in self.at)
        spectrum = PowerLaw(exponent=EXPONENT, target_exponent=TARGET_EXPONENT, size=scale * MODES)
        return Cell(
            spectrum, scale * self.features, scale * self.samples, learner, times,
            noise=self.noise, targets=TARGETS if learner.fresh else "average",
            feature_draws=self.feature_draws, data_draws=self.data_draws,
        )  # fmt: skip

    def describe(self) -> str:
        """Short text: rule, sizes, noise, members."""
        members = "".join(
            f" {letter}={draws}"
            for letter, draws in (("E", self.feature_draws), ("B", self.data_draws))
            if draws > 1
        )
        sizes = f"N={self.features} P={self.samples}"
        return f"{self.learner.rule} {sizes} noise {self.noise:g}{members}"


def _plane() -> list[StaticCase]:
    cases = []
    for i, alpha in enumerate((0.3, 0.5, 1.0, 1.5)):
        for j, sizes in enumerate(((40, 80), (50, 50), (80, 40))):
            for k, ridge in enumerate(("zero", "small", "optimal")):
                noise = 0.1 * ((i + j + k) % 2)
                pole = sizes[0] == sizes[1] and ridge == "zero"
                cases.append(StaticCase(alpha, *sizes, 320, "tiny" if pole else ridge, noise))
        sizes = ((40, 80), (60, 60), (80, 40), (50, 90))[i]
        cases += [StaticCase(alpha, *sizes, 20, ridge, 0.1) for ridge in ("zero", "optimal")]
    return [*cases, *(StaticCase(1.0, *sizes, 20, "zero", 0.0) for sizes in ((40, 80), (80, 40)))]


def _curves() -> list[DynamicCase]:
    times, steps = (0.5, 3.0, 12.0, 40.0, 120.0), (1, 8, 30, 100, 300)
    rules: list[tuple[Learner, tuple[float, ...], int, int]] = [
        (GradientFlow(), times, 1, 1),
        (GradientFlow(decay=0.0087), times, 1, 1),
        (GradientDescent(0.3), steps, 1, 1),
        (HeavyBall(0.2, 0.7), steps, 1, 1),
        (OnePassSGD(0.3, 8), (1, 8, 30, 80, 200), 1, 1),
        (GradientFlow(), times, 3, 1),
        (GradientFlow(), times, 1, 3),
    ]
    return [
        DynamicCase(learner, at, *sizes, noise, *draws)
        for learner, at, *draws in rules
        for sizes in ((24, 48), (48, 24))
        for noise in (0.0, 0.1)
    ]


STATIC: tuple[StaticCase, ...] = tuple(_plane())
DYNAMIC: tuple[DynamicCase, ...] = tuple(_curves())


ALPHA, NOISE, MODES = 0.5, 0.1, 320


@dataclass(frozen=True)
class LawCase:
    """Ridge regression at ridge γ·s^{2−b} with the given laws of features and data.

    ``dilute`` divides the probability of a non-zero feature entry by the scale.
    """

    feature_law: EntryLaw = field(default_factory=EntryLaw)
    data_law: EntryLaw = field(default_factory=EntryLaw)
    features: int = 40
    samples: int = 80
    ridge: float = 1.0
    dilute: bool = False

    def cell(self, scale: int) -> Cell:
        """The cell with all sizes multiplied by ``scale``; the ridge keeps its place in κ."""
        law = self.feature_law
        if self.dilute:
            law = EntryLaw(law.name, float(law.parameter or 0) / scale)
        return Cell(
            PowerLaw(alpha=ALPHA, size=scale * MODES),
            scale * self.features,
            scale * self.samples,
            at=(self.ridge * scale ** (1 - ALPHA),),
            noise=NOISE,
            feature_law=law,
            data_law=self.data_law,
        )

    def describe(self) -> str:
        """Short text: the two laws."""
        names = [
            law.name if law.parameter is None else f"{law.name}({law.parameter:g})"
            for law in (self.feature_law, self.data_law)
        ]
        return f"features {names[0]}{'/s' * self.dilute}, data {names[1]}"


UNIVERSAL: tuple[LawCase, ...] = (
    LawCase(),
    LawCase(EntryLaw("rademacher"), EntryLaw("rademacher")),
    LawCase(EntryLaw("uniform"), EntryLaw("laplace")),
    LawCase(EntryLaw("laplace"), EntryLaw("uniform")),
    LawCase(EntryLaw("student", 8), EntryLaw("student", 8)),
    LawCase(EntryLaw("rademacher"), EntryLaw(), features=80, samples=40),
    LawCase(EntryLaw(), EntryLaw("laplace"), features=80, samples=40),
)
BROKEN: tuple[LawCase, ...] = (
    LawCase(EntryLaw(), EntryLaw("elliptical", 6)),
    LawCase(EntryLaw("rademacher"), EntryLaw("elliptical", 3)),
    LawCase(EntryLaw("sparse", 0.02), dilute=True),
    LawCase(EntryLaw(), EntryLaw("student", 2.2)),
)
