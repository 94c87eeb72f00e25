"""A few models of ridge regression, theory beside simulation, in seconds.

One model of each kind: fewer features than samples and the reverse, N = T at the optimal ridge, and
breakdown (M below N and T) with label noise; intervals of a few per cent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import PowerLaw

from .cells import Cell
from .experiments.evaluate import Evidence, evaluate
from .experiments.experiment import Axes, Budget, Curve, Items, Mark, Parameters, experiment
from .sweep import Status, SweepResult, sweep
from .theory import theory


@dataclass(frozen=True)
class RidgeModel:
    """Ridge regression at scale 1; ``ridge`` is γ in units of the optimal γ⋆."""

    alpha: float
    features: int
    samples: int
    modes: int
    ridge: float
    noise: float

    def cell(self, scale: float) -> Cell:
        """The cell with all sizes multiplied by ``scale``; γ⋆ is computed at these sizes."""
        spectrum = PowerLaw(alpha=self.alpha, size=round(scale * self.modes))
        sizes = round(scale * self.features), round(scale * self.samples)
        best = optimal_ridge(spectrum, *sizes, noise=self.noise) if self.ridge else None
        ridge = self.ridge * float(best.ridge) if best else 0.0
        return Cell(spectrum, *sizes, at=(ridge,), noise=self.noise)

    def describe(self) -> str:
        """Short text: α, sizes, ridge, noise."""
        sizes = f"N={self.features} T={self.samples} M={self.modes}"
        return f"α={self.alpha:g} {sizes} ridge {self.ridge:g} γ⋆ noise {self.noise:g}"


MODELS = (
    RidgeModel(0.5, 50, 100, 400, 0.0, 0.0),
    RidgeModel(0.5, 60, 60, 400, 1.0, 0.1),
    RidgeModel(1.0, 100, 50, 400, 0.1, 0.1),
    RidgeModel(1.5, 50, 100, 20, 0.0, 0.1),
)


@experiment(
    title="A quick look at ridge regression",
    source="solvable-model paper, eqs. (163), (186), with a ridge",
    claim="Test and training loss are those of theory, below, at and beyond N = T and beyond M.",
    sizes={}, constants={}, axes=Axes("features N", "loss"),
    quick=Budget(2.0, 50, resolution=0.1), thorough=Budget(8.0, 50),
)  # fmt: skip
def _models(p: Parameters) -> Items:
    """One curve a model: its test loss and its training loss."""
    for model in MODELS:
        cell = model.cell(p.scale)
        expected = theory(cell).items()
        marks = (Mark(cell.features, cell, name, value) for name, value in expected)
        yield Curve(model.describe(), tuple(marks))


def quick_look(
    *, seeds: int = 50, root_seed: int = 0, progress: Callable[[Status], None] | None = None
) -> Evidence:
    """Theory and simulation of `MODELS` at ×1 and ×2 of their sizes.

    >>> quick_look(seeds=10).judgement.targets
    (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    """

    def run(function: Any, cells: Sequence[Cell], repeats: Sequence[int]) -> SweepResult:
        return sweep(function, cells, repeats, root_seed=root_seed, progress=progress)

    return evaluate(_models, run, seeds=seeds, root_seed=root_seed)
