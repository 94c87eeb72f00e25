"""What single runs do: medians beside means, and how often a finite model diverges.

The mean of SGD is carried by rare runs near the critical step: the loss is a product of random
factors, with heavy tails over seeds. The critical steps of `analytic.training.stability` are those
of infinite models; a finite one has its own, the largest eigenvalue of its own kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from solvable.analytic.arguments import count, positive
from solvable.analytic.training.learners import GradientDescent, RidgeRegression

from .cells import Cell
from .dense import realise
from .entry_laws import Seed
from .executors import one_blas_thread
from .sweep import seed_sequence
from .training import simulate

Array = np.ndarray

TYPICAL = 1.2  # mean/median above which the mean is called not typical


@dataclass(frozen=True)
class Runs:
    """Losses of independent runs, *(runs, times)*, and their statistics, *(times,)*."""

    values: Array

    @property
    def mean(self) -> Array:
        """Average over the runs."""
        return self.values.mean(axis=0)

    @property
    def error(self) -> Array:
        """Standard error of the mean."""
        return self.values.std(axis=0, ddof=1) / np.sqrt(len(self.values))

    @property
    def median(self) -> Array:
        """The loss that half of the runs are below."""
        return np.median(self.values, axis=0)

    @property
    def typical(self) -> bool:
        """Whether no mean is far above its median."""
        return bool(np.all(self.mean <= TYPICAL * self.median))


def runs(cell: Cell, seeds: int, *, root_seed: int = 0) -> Runs:
    """The excess loss of ``seeds`` runs of a cell at each of its times.

    >>> from solvable.analytic.training.learners import OnePassSGD
    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(exponent=1.5, size=30)
    >>> cell = Cell(law, 10, 1, OnePassSGD(0.1), (0, 5), targets="fixed")
    >>> runs(cell, 4).values.shape
    (4, 2)
    """
    names = cell.observables()[: len(cell.at)]
    with one_blas_thread():
        found = [
            simulate(cell, seed_sequence(root_seed, cell, i))
            for i in range(count("seeds", seeds, at_least=2))
        ]
    return Runs(np.array([[run[name] for name in names] for run in found]))


def divergence_probability(
    cell: Cell, step: float, *, momentum: float = 0.0, seeds: int = 100, root_seed: int = 0
) -> float:
    """The fraction of random models of the cell's size on which full-batch descent diverges.

    Those whose largest kernel eigenvalue exceeds 2(1 + β)/η; the mean-field edge is where an
    infinite model goes from none to all.

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> cell = Cell(PowerLaw(exponent=1.5, size=30), 10, 20)
    >>> divergence_probability(cell, 0.1, seeds=5), divergence_probability(cell, 10.0, seeds=5)
    (0.0, 1.0)
    """
    cell = Cell(cell.spectrum, cell.features, cell.samples, RidgeRegression())
    edge = 2 * (1 + momentum) / float(positive("step", step))
    found = [
        largest_eigenvalue(cell, seed_sequence(root_seed, cell, i))
        for i in range(count("seeds", seeds))
    ]
    return float(np.mean(np.array(found) > edge))


def simulate_edge(cell: Cell, seed: Seed) -> dict[str, float]:
    """Whether the cell's rule diverges on one random model: 1 or 0, and its largest eigenvalue."""
    rule = cell.learner
    if not isinstance(rule, GradientDescent):
        raise TypeError(f"{rule.rule} has no edge of its own")
    edge = 2 * (1 + float(rule.momentum)) / float(rule.step)
    largest = largest_eigenvalue(cell, seed)
    return {"diverges": float(largest > edge), "largest": largest}


def largest_eigenvalue(cell: Cell, seed: Seed) -> float:
    """Of the training kernel of one random model of the cell's size."""
    draw = realise(replace(cell, learner=RidgeRegression(), at=(0.0,)), seed)
    kernel = draw.features[0] @ draw.data[0]
    return float(np.linalg.norm(kernel, 2) ** 2 / kernel.size)
