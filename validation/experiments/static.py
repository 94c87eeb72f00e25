"""Building blocks for experiments on the static loss: cells, theory and series of ridge regression.

The solvable-model paper plots the test loss of weights of variance σ_w²/M with a factor ½; per
mode that is excess loss/(2M), and label noise σ_ε² there is Mσ_ε² here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from solvable.analytic.learners import RidgeRegression
from solvable.analytic.loss import static_loss
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import PowerLaw, Spectrum

from ..cells import Cell
from .experiment import Array, Axes, Point, Series

LOSS_AXES_T = Axes("training set size T", "test loss")
LOSS_AXES_N = Axes("number of features N", "test loss")
POLE_MARGIN = 1.6  # N/T or T/N below which a ridgeless model is too near its pole to be tested
SMALLEST = 10  # min(N, T) below which the expansion in its inverse is not trusted
ROUNDING_SHARE = 0.01  # of the loss that the simulation's rounding error may be


def power_law(alpha: float, size: int) -> Spectrum:
    """λ_J = J^{-(1+α)}, J = 1 … M, with isotropic weights."""
    return PowerLaw(alpha=alpha, size=size)


def paper_loss(cell: Cell, index: int = 0) -> Any:
    """Reader of the test loss in the paper's normalisation, at the cell's ``index``-th ridge."""
    name, factor = cell.observables()[index], 1 / (2 * dict(cell.spectrum.parameters)["size"])
    return lambda observables: factor * observables[name]


def theory(spectrum: Spectrum, n: Any, t: Any, *, noise: float = 0.0, ridge: Any = 0) -> Array:
    """Test loss in the paper's normalisation; ``ridge`` is a number ≥ 0 or ``"optimal"``."""
    size = dict(spectrum.parameters)["size"]
    sizes = np.asarray(n, float), np.asarray(t, float)
    if isinstance(ridge, str):
        found = optimal_ridge(spectrum, *sizes, noise=noise)
    else:
        found = static_loss(spectrum, *sizes, ridge=ridge, noise=noise)
    return np.asarray(found.excess_loss) / (2 * size)


def best_ridges(spectrum: Spectrum, n: Any, t: Any, noise: float = 0.0) -> list[float]:
    """γ⋆ of the theory, for each of the sizes."""
    n, t = np.broadcast_arrays(np.asarray(n, float), np.asarray(t, float))
    return np.asarray(optimal_ridge(spectrum, n, t, noise=noise).ridge).tolist()


def ridge_series(
    label: str,
    spectrum: Spectrum,
    points: Sequence[tuple[float, int, int]],
    cells: list[Cell],
    *,
    noise: float = 0.0,
    optimal: bool = False,
    line: tuple[Array, Array, Array] | None = None,
) -> Series:
    """A series of ridge regressions at (x, N, T), whose cells are appended to ``cells``.

    ``line`` holds abscissae, N and T of the theory line. Points near the ridgeless pole at N = T,
    too small ones, and those whose loss is zero or lost in rounding, are drawn and not tested.
    """
    made = []
    _, features, samples = zip(*points)
    ridges = best_ridges(spectrum, features, samples, noise) if optimal else [0.0] * len(points)
    values = theory(spectrum, features, samples, noise=noise, ridge=np.array(ridges)).tolist()
    for (x, n, t), ridge, value in zip(points, ridges, values):
        cell = Cell(spectrum, n, t, RidgeRegression(), (ridge,), noise=noise)
        tested = min(n, t) >= SMALLEST and testable(cell, value)
        made.append(Point(x, len(cells), paper_loss(cell), value, tested))
        cells.append(cell)
    drawn = None
    if line is not None:
        at, *sizes = line
        y = theory(spectrum, *sizes, noise=noise, ridge="optimal" if optimal else 0)
        drawn = (np.asarray(at, float), np.where(np.isfinite(y), y, np.nan))
    return Series(label, tuple(made), drawn)


def testable(cell: Cell, loss: float) -> bool:
    """Whether a simulated mean can be compared with the loss of the theory.

    The simulated loss is a difference of numbers of the size of the target's power, with weights
    of size up to λ₁/κ: its rounding error is that many times the unit roundoff.
    """
    n, t = cell.features, cell.samples
    ridge = min(cell.at) if cell.learner.scored == "ridge" else 0.0
    at_pole = ridge == 0 and max(n, t) < POLE_MARGIN * min(n, t) and min(n, t) <= cell_size(cell)
    if at_pole or not (np.isfinite(loss) and loss > 0):
        return False
    spectrum = cell.spectrum
    kappa = float(static_loss(spectrum, n, t, ridge=ridge).kappa)
    smallest = max(kappa, float(spectrum.eigenvalue(spectrum.size)))
    rounding = np.finfo(float).eps * float(spectrum.total_target_power() / smallest)
    return bool(rounding / (2 * cell_size(cell)) < ROUNDING_SHARE * loss)


def cell_size(cell: Cell) -> int:
    """M."""
    return int(dict(cell.spectrum.parameters)["size"])


def line_grid(low: float, high: float, poles: Sequence[float] = (), count: int = 160) -> Array:
    """Abscissae of a theory line, closer to each other near the poles."""
    x = np.geomspace(low, high, count)
    near = 1 + np.geomspace(1e-3, 0.3, 15)
    extra = [pole * side for pole in poles for side in (*near, *1 / near)]
    x = np.unique(np.concatenate([x, extra]))
    return x[(x >= low) & (x <= high)]
