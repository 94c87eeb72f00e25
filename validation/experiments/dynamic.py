"""Building blocks for experiments on training: cells, theory and series against time or size.

Losses are those of the dynamical paper without its 1/M: excess test loss Σ λ_k E[v_k²], and mean
squared training residual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvable.analytic.learners import GradientFlow, OnePassSGD
from solvable.analytic.spectrum import PowerLaw, Spectrum

from ..cells import Cell
from ..theory import curve as theory
from .experiment import Array, Axes, Point, Series

TIME_AXES = Axes("training time t", "loss")
SMALLEST = 10  # min(N, P) below which the expansion in its inverse is not trusted
LEAST_TRAINING = 0.05  # of the initial loss: an exponentially small residual is not self-averaging


def task(a: float, b: float, size: int) -> Spectrum:
    """λ_k = k^{-b}, target power w_k²λ_k = k^{-a}, k = 1 … M."""
    return PowerLaw(exponent=b, target_exponent=a, size=size)


@dataclass
class Sheet:
    """Collects the cells and series of a plan; series may share a cell."""

    cells: list[Cell]
    series: list[Series]

    @classmethod
    def empty(cls) -> Sheet:
        """Nothing yet."""
        return cls([], [])

    def add(self, cell: Cell) -> int:
        """Index of the cell, which is appended when it is new."""
        if cell not in self.cells:
            self.cells.append(cell)
        return self.cells.index(cell)

    def curve(
        self, label: str, cell: Cell, *, loss: str = "excess_loss", line: Array | None = None,
        stretch: float = 1.0, line_cell: Cell | None = None,
    ) -> None:  # fmt: skip
        """Loss (or ``train_loss``) of a cell against the times it scores, times ``stretch``.

        ``line`` are the times of the theory line; ``line_cell`` replaces the cell there.
        """
        times = np.asarray(cell.at)
        values = getattr(theory(cell), loss)
        index, large = self.add(cell), min(cell.features, cell.samples) >= SMALLEST
        least = LEAST_TRAINING * self.initial(cell) if loss == "train_loss" else 0.0
        half = len(times)
        names = cell.observables()[half:] if loss == "train_loss" else cell.observables()[:half]
        points = tuple(
            Point(float(t) * stretch, index, name, float(value), large and bool(value > least))
            for t, name, value in zip(times, names, values)
        )
        drawn = None
        if line is not None:
            drawn = (line * stretch, getattr(theory(line_cell or cell, line), loss))
        self.series.append(Series(label, points, drawn))

    @staticmethod
    def initial(cell: Cell) -> float:
        """Loss before training, Σ w²λ + σ_ε²."""
        return float(cell.spectrum.total_target_power()) + cell.noise

    def against_size(
        self, label: str, x: Sequence[float], cells: Sequence[Cell], index: int = 0,
        line: tuple[Array, Array] | None = None,
    ) -> None:  # fmt: skip
        """Loss of one cell per abscissa, at the ``index``-th of the times that each scores."""
        points = []
        for position, cell in zip(x, cells):
            value = float(theory(cell).excess_loss[index])
            tested = min(cell.features, cell.samples) >= SMALLEST
            name = cell.observables()[index]
            points.append(Point(position, self.add(cell), name, value, tested))
        self.series.append(Series(label, tuple(points), line))


def flow(spectrum: Spectrum, n: int, p: int, times: Sequence[float], **options: Any) -> Cell:
    """Gradient flow on N features and P samples."""
    return Cell(spectrum, n, p, GradientFlow(), tuple(times), **options)


def one_pass(
    spectrum: Spectrum, n: int, steps: Sequence[int], rate: float, batch: int, noise: float = 0
) -> Cell:
    """One-pass SGD on w_k fixed at the roots of their variances; ``samples`` plays no part."""
    rule = OnePassSGD(rate, batch)
    return Cell(spectrum, n, max(n, batch), rule, tuple(steps), noise=noise, targets="fixed")
