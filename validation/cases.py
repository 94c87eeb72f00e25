r"""Families of cases on which theory and simulation are compared (`validation.comparison`).

`STATIC`: ridge regression over the whole plane. α in {0.3, 0.5, 1, 1.5}; N < T, N = T, N > T;
ridge zero, small (γ*/10) and optimal (γ*); noise zero and positive; M above N and T, and below (the
breakdown regime, where a ridgeless noiseless loss is zero, and a noisy one falls like M/(T − M)).
At N = T < M a zero ridge is the pole, whose loss has no mean, and is replaced by γ*/100.

`DYNAMIC`: loss curves of every rule on λ_k = k^{-b}, (w_k*)²λ_k = k^{-a}, N < P and N > P, with and
without label noise, each at five times from the first steps to the plateau; ensembles of feature
draws and bags over data draws. At scale s all sizes are multiplied by s and all times by s^b, so
that each time keeps its place between the modes learnt and those not yet. Rules with fresh data
draw their targets and their noise, `TARGETS` at a time; the others average in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from solvable.analytic.arguments import choice
from solvable.analytic.learners import (
    GradientDescent,
    GradientFlow,
    HeavyBall,
    OnePassSGD,
    RidgeRegression,
)
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training_rule import Learner

from .cells import Cell
from .comparison import Findings, compare, simulate_cases
from .sweep import Status
from .theory import theory

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
        from solvable.analytic.optimal_ridge import optimal_ridge

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
#: what a quick look shows: one case of each kind
QUICK: tuple[StaticCase, ...] = (
    StaticCase(0.5, 50, 100, 400, "zero", 0.0),
    StaticCase(0.5, 60, 60, 400, "optimal", 0.1),
    StaticCase(1.0, 100, 50, 400, "small", 0.1),
    StaticCase(1.5, 50, 100, 20, "zero", 0.1),
)


def quick_look(
    *, seeds: int = 50, root_seed: int = 0, progress: Callable[[Status], None] | None = None
) -> Findings:
    """A few small cases at two scales, in seconds; intervals of a few per cent."""
    drawn = simulate_cases(
        QUICK, scales=(1, 2), seeds=seeds, root_seed=root_seed, progress=progress
    )
    return compare(drawn, theory, resolution=0.1)
