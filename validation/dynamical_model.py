r"""The dynamics against simulation: loss curves of every training rule.

Source spectrum λ_k = k^{-b}, (w_k*)²λ_k = k^{-a} of the dynamical paper. The cases span its rules
(gradient flow, flow with weight decay, gradient descent, heavy ball, one-pass SGD, ensembles of
feature draws, bags over data draws), N < P and N > P, with and without label noise, each at five
times from the first steps to the plateau. At scale s all sizes are multiplied by s and all times
by s^b, so that each time keeps its place between the modes learnt and those not yet; the
comparison is that of `validation.comparison`.

One-pass SGD draws its targets and its noise, `SGD_TARGETS` at a time; the other rules take both
averages in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solvable.analytic.errors import InputError

from .cells import Cell, SpectrumSpec
from .learners import Flow, GradientDescent, HeavyBall, Learner, OnePassSGD

#: exponents of the spectrum and of the target, and modes per unit of scale
EXPONENT, TARGET_EXPONENT, MODES = 1.25, 1.5, 120
SGD_TARGETS = 64


@dataclass(frozen=True)
class DynamicalCase:
    """One loss curve at scale 1, with the learner's times at scale 1."""

    learner: Learner
    features: int
    samples: int
    noise: float
    feature_draws: int = 1
    data_draws: int = 1

    def cell(self, scale: int) -> Cell:
        """Sizes times s, times times s^b (whole numbers of steps), weight decay times s^{-b}."""
        fresh = isinstance(self.learner, OnePassSGD)
        return Cell(
            SpectrumSpec.power_law(
                exponent=EXPONENT, target_exponent=TARGET_EXPONENT, size=scale * MODES
            ),
            scale * self.features,
            scale * self.samples,
            _slower(self.learner, scale),
            noise=self.noise,
            targets=SGD_TARGETS if fresh else "average",
            feature_draws=self.feature_draws,
            data_draws=self.data_draws,
        )

    def describe(self) -> str:
        """Short text: rule, sizes, noise, members."""
        members = "".join(
            f" {letter}={draws}"
            for letter, draws in (("E", self.feature_draws), ("B", self.data_draws))
            if draws > 1
        )
        sizes = f"N={self.features} P={self.samples}"
        return f"{self.learner.rule} {sizes} noise {self.noise:g}{members}"


def _slower(learner: Learner, scale: int) -> Learner:
    """The learner with its times multiplied by s^b.

    Weight decay acts at the rate γ/NP, which must fall like the rates of the modes: γ ∝ s^{2−b}.
    """
    factor = scale**EXPONENT
    if isinstance(learner, Flow):
        times = tuple(time * factor for time in learner.times)
        return replace(learner, times=times, ridge=learner.ridge * scale**2 / factor)
    steps = tuple(round(value * factor) for value in learner.values())
    return replace(learner, steps=steps)  # type: ignore[call-arg]


def _cases() -> list[DynamicalCase]:
    """Every rule, N < P and N > P, with and without noise."""
    times = (0.5, 3.0, 12.0, 40.0, 120.0)
    steps = (1, 8, 30, 100, 300)
    rules: list[tuple[Learner, int, int]] = [
        (Flow(times), 1, 1),
        (Flow(times, ridge=10.0), 1, 1),
        (GradientDescent(steps, rate=0.3), 1, 1),
        (HeavyBall(steps, rate=0.2, momentum=0.7), 1, 1),
        (OnePassSGD((1, 8, 30, 80, 200), rate=0.3, batch=8), 1, 1),
        (Flow(times), 3, 1),
        (Flow(times), 1, 3),
    ]
    return [
        DynamicalCase(learner, features, samples, noise, feature_draws, data_draws)
        for learner, feature_draws, data_draws in rules
        for features, samples in ((24, 48), (48, 24))
        for noise in (0.0, 0.1)
    ]


CASES: tuple[DynamicalCase, ...] = tuple(_cases())


def dynamic_theory(cell: Cell) -> dict[str, float]:
    """Excess and training loss of a cell at its times, under the names of `Cell.observables`.

    >>> law = SpectrumSpec.power_law(exponent=1.25, target_exponent=1.5, size=200)
    >>> round(dynamic_theory(Cell(law, 60, 120, Flow((10.0,))))["excess_loss[time=10]"], 9)
    0.591538139
    """
    from solvable.analytic.dynamics import dynamics

    fresh = isinstance(cell.learner, OnePassSGD)
    value = dynamics(
        cell.spectrum.build(),
        cell.features,
        np.inf if fresh else cell.samples,
        cell.learner.values(),
        learner=_analytic_learner(cell),
        noise=cell.noise,
        ensemble=cell.feature_draws,
        bags=cell.data_draws,
    )
    losses = [value.excess_loss] if fresh else [value.excess_loss, value.train_loss]
    return dict(zip(cell.observables(), np.concatenate(losses).tolist(), strict=True))


def _analytic_learner(cell: Cell) -> Any:
    """The theory's learner; its weight decay is γ/(σ_u² N P), its features have unit variance."""
    from solvable.analytic import learners

    rule = cell.learner
    if isinstance(rule, Flow):
        scale = cell.feature_variance * cell.features * cell.samples
        return learners.GradientFlow(decay=rule.ridge / scale)
    if isinstance(rule, HeavyBall):
        return learners.HeavyBall(step=rule.rate, momentum=rule.momentum)
    if isinstance(rule, GradientDescent):
        return learners.HeavyBall(step=rule.rate)
    if isinstance(rule, OnePassSGD):
        return learners.OnePassSGD(step=rule.rate, batch=rule.batch)
    raise InputError("learner", rule.rule, "a rule with a time")
