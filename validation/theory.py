"""What theory says of a cell: the losses of its rule on its model."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvable.analytic.training.dynamics import DynamicLoss, dynamics

from .cells import Cell


def curve(cell: Cell, at: Any = None) -> DynamicLoss:
    """Losses of the cell's model at the given times (steps, ridges), by default those it scores."""
    if at is not None and cell.learner.scored == "ridge":
        at = np.asarray(at, float) / (cell.feature_variance * cell.features * cell.samples)
    return dynamics(
        cell.spectrum, cell.features, np.inf if cell.learner.fresh else cell.samples,
        cell.scored() if at is None else np.asarray(at, float), learner=cell.learner,
        noise=cell.noise, ensemble=cell.feature_draws, bags=cell.data_draws,
    )  # fmt: skip


def theory(cell: Cell) -> dict[str, float]:
    """Excess and training loss under the names of `Cell.observables`.

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(alpha=0.5, size=2000)
    >>> round(theory(Cell(law, 100, 400))["excess_loss[ridge=0]"], 9)
    0.405638916
    """
    value = curve(cell)
    losses = [value.excess_loss] if cell.learner.fresh else [value.excess_loss, value.train_loss]
    return dict(zip(cell.observables(), np.concatenate(losses).tolist(), strict=True))
