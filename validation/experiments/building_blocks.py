"""Building blocks of experiments: models, and the curves of theory and simulation through them.

Losses are excess test losses Σ λ_k E[v_k²] and mean squared training residuals. The solvable-model
paper plots the test loss of weights of variance σ_w²/M with a factor ½: per mode that is
excess loss/(2M), and label noise σ_ε² there is Mσ_ε² here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from solvable.analytic.loss import static_loss
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.spectrum import PowerLaw, Spectrum
from solvable.analytic.training.learners import GradientFlow, OnePassSGD

from ..cells import Cell
from ..theory import curve as theory
from .experiment import Array, Axes, Curve, Mark

TIME_AXES = Axes("training time t", "loss")
LOSS_AXES_T = Axes("training set size T", "test loss")
LOSS_AXES_N = Axes("number of features N", "test loss")
SMALLEST = 10  # min(N, T) below which the expansion in its inverse is not trusted
LEAST_TRAINING = 0.05  # of the initial loss: an exponentially small residual is not self-averaging
POLE_MARGIN = 1.6  # N/T or T/N below which a ridgeless model is too near its pole to be tested
UNKNOWN = 0.1  # relative error of the theory beyond which its line ends
ROUNDING_SHARE = 0.01  # of the loss that the simulation's rounding error may be


def power_law(alpha: float, size: int) -> Spectrum:
    """λ_J = J^{-(1+α)}, J = 1 … M, with isotropic weights."""
    return PowerLaw(alpha=alpha, size=size)


def task(a: float, b: float, size: int) -> Spectrum:
    """λ_k = k^{-b}, target power w_k²λ_k = k^{-a}, k = 1 … M."""
    return PowerLaw(exponent=b, target_exponent=a, size=size)


def flow(spectrum: Spectrum, n: int, p: int, times: Sequence[float], **options: Any) -> Cell:
    """Gradient flow on N features and P samples."""
    return Cell(spectrum, n, p, GradientFlow(), tuple(times), **options)


def one_pass(
    spectrum: Spectrum, n: int, steps: Sequence[int], rate: float, batch: int, noise: float = 0
) -> Cell:
    """One-pass SGD on w_k fixed at the roots of their variances; ``samples`` plays no part."""
    rule = OnePassSGD(rate, batch)
    return Cell(spectrum, n, max(n, batch), rule, tuple(steps), noise=noise, targets="fixed")


def _small(cell: Cell) -> str:
    return f"min(N, T) < {SMALLEST}" if min(cell.features, cell.samples) < SMALLEST else ""


# ---- curves against time and size --------------------------------------------------------


def over_time(
    label: str,
    cell: Cell,
    line: Array,
    *,
    loss: str = "excess_loss",
    stretch: float = 1.0,
    panel: str = "",
) -> Curve:
    """Loss (or ``train_loss``) of a cell against the times it scores, times ``stretch``.

    ``line`` are the times of the theory line.
    """
    names = [name for name in cell.observables() if name.startswith(loss)]
    least = LEAST_TRAINING * initial(cell) if loss == "train_loss" else 0.0
    reasons = {False: f"below {LEAST_TRAINING:.0%} of the initial loss", True: _small(cell)}
    marks = tuple(
        Mark(t * stretch, cell, name, float(value), untested=reasons[bool(value > least)])
        for t, name, value in zip(cell.at, names, getattr(theory(cell), loss))
    )
    drawn = partial(_line, cell, line, loss, stretch)
    return Curve(label, marks, drawn, panel=panel)


def _line(cell: Cell, times: Array, loss: str, stretch: float) -> tuple[Array, Array]:
    """The losses as far as they are known: what has faded below its error is left out."""
    found = theory(cell, times)
    values = getattr(found, loss)
    error = found.train_error_estimate if loss == "train_loss" else found.error_estimate
    known = ~(error > UNKNOWN * values)
    return times[known] * stretch, values[known]


def initial(cell: Cell) -> float:
    """Loss before training, Σ w²λ + σ_ε²."""
    spectrum = cell.spectrum
    return float(spectrum.total_target_power()) + float(spectrum.irreducible) + cell.noise


def over_size(
    label: str,
    x: Sequence[float],
    cells: Sequence[Cell],
    line: Callable[[], tuple[Array, Array]],
    index: int = 0,
) -> Curve:
    """Loss of one cell per abscissa, at the ``index``-th of the times that each scores."""
    marks = tuple(
        Mark(
            position,
            cell,
            cell.observables()[index],
            float(theory(cell).excess_loss[index]),
            untested=_small(cell),
        )
        for position, cell in zip(x, cells)
    )
    return Curve(label, marks, line)


def times_around(times: Sequence[float], count: int = 120) -> Array:
    """Times of a theory line through the given ones."""
    return np.geomspace(min(times) / 2, max(times) * 1.5, count)


def whole_steps(steps: Sequence[float], count: int = 60) -> Array:
    """Numbers of steps of a theory line from the first to the last of the given ones."""
    return np.unique(np.rint(np.geomspace(min(steps), max(steps), count)))


# ---- ridge regression in the solvable-model paper's normalisation ------------------------


def static(spectrum: Spectrum, n: Any, t: Any, *, noise: float = 0.0, ridge: Any = 0) -> Array:
    """Test loss in the paper's normalisation; ``ridge`` is a number ≥ 0 or ``"optimal"``."""
    sizes = np.asarray(n, float), np.asarray(t, float)
    if isinstance(ridge, str):
        found = optimal_ridge(spectrum, *sizes, noise=noise)
    else:
        found = static_loss(spectrum, *sizes, ridge=ridge, noise=noise)
    return np.asarray(found.excess_loss) / (2 * spectrum.size)


def best_ridges(spectrum: Spectrum, n: Any, t: Any, noise: float = 0.0) -> list[float]:
    """γ⋆ of the theory, for each of the sizes."""
    n, t = np.broadcast_arrays(np.asarray(n, float), np.asarray(t, float))
    return np.asarray(optimal_ridge(spectrum, n, t, noise=noise).ridge).tolist()


def ridge_curves(
    labels: Mapping[Any, str], spectrum: Spectrum, points: Sequence[tuple[float, int, int]],
    line: tuple[Array, Array, Array], *, noise: float = 0.0,
) -> Iterator[Curve]:  # fmt: skip
    """Ridge regressions at (x, N, T): one labelled curve for each ridge, 0 or ``"optimal"``.

    All ridges of a point are those of one cell, which draws and factorises once. ``line`` holds
    abscissae, N and T of the theory lines. Points near the ridgeless pole at N = T, too small
    ones, and those whose loss is zero or lost in rounding, are drawn and not tested.
    """
    _, features, samples = zip(*points)
    ridges = [
        best_ridges(spectrum, features, samples, noise)
        if isinstance(each, str)
        else [float(each)] * len(points)
        for each in labels
    ]
    cells = [
        Cell(spectrum, n, t, at=tuple(dict.fromkeys(at)), noise=noise)
        for (_, n, t), *at in zip(points, *ridges)
    ]
    for (each, label), column in zip(labels.items(), ridges):
        losses = static(spectrum, features, samples, noise=noise, ridge=np.array(column)).tolist()
        marks = tuple(
            ridge_mark(x, cell, ridge, loss)
            for (x, *_), cell, ridge, loss in zip(points, cells, column, losses)
        )
        yield Curve(label, marks, partial(_ridge_line, spectrum, line, noise, each))


def ridge_curve(label: str, *arguments: Any, ridge: Any = 0, **options: Any) -> Curve:
    """The curve of `ridge_curves` for one ridge, 0 or ``"optimal"``."""
    return next(ridge_curves({ridge: label}, *arguments, **options))


def _ridge_line(
    spectrum: Spectrum, line: tuple[Array, Array, Array], noise: float, ridge: Any
) -> tuple[Array, Array]:
    """Abscissae and losses of a theory line, NaN at a pole."""
    x, *sizes = line
    y = static(spectrum, *sizes, noise=noise, ridge=ridge)
    return np.asarray(x, float), np.where(np.isfinite(y), y, np.nan)


def ridge_mark(x: float, cell: Cell, ridge: float, loss: float) -> Mark:
    """The test loss at one of the cell's ridges in the paper's normalisation."""
    factor, read = 1 / (2 * int(cell.spectrum.size)), cell.observables()[cell.at.index(ridge)]
    return Mark(x, cell, read, loss, factor, _untestable(cell, ridge, loss))


def _untestable(cell: Cell, ridge: float, loss: float) -> str:
    """Why a simulated mean cannot be compared with the loss of the theory, or nothing.

    The simulated loss is a difference of numbers of the size of the target's power, with weights
    of size up to λ₁/κ: its rounding error is that many times the unit roundoff.
    """
    low, high = sorted((cell.features, cell.samples))
    size = int(cell.spectrum.size)
    if _small(cell):
        return _small(cell)
    if ridge == 0 and high < POLE_MARGIN * low and low <= size:
        return "near the pole at N = T"
    if not (math.isfinite(loss) and loss > 0):
        return "loss zero in theory"
    spectrum = cell.spectrum
    kappa = float(static_loss(spectrum, cell.features, cell.samples, ridge=ridge).kappa)
    smallest = max(kappa, float(spectrum.eigenvalue(size)))
    rounding = np.finfo(float).eps * float(spectrum.total_target_power() / smallest)
    return "" if rounding / (2 * size) < ROUNDING_SHARE * loss else "loss lost in rounding"


def line_grid(low: float, high: float, poles: Sequence[float] = (), count: int = 160) -> Array:
    """Abscissae of a theory line, closer to each other near the poles."""
    x = np.geomspace(low, high, count)
    near = 1 + np.geomspace(1e-3, 0.3, 15)
    extra = [pole * side for pole in poles for side in (*near, *1 / near)]
    x = np.unique(np.concatenate([x, extra]))
    return x[(x >= low) & (x <= high)]
