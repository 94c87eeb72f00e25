r"""The same simulation with explicit matrices and the obvious algorithms.

An oracle for small sizes: it holds u (N×M), x (M×T) and a learned-weights operator (M×M), trains
by matrix inversion, pseudo-inverse, a matrix exponential or one step after another, and scores

    excess = Σ_J λ_J E v_J²,   v = (1 − uᵀ A xᵀ) w − uᵀ A ε,   θ = A (xᵀw + ε),

by writing this very line. It shares no formula with the filters of
`analytic.training.learners`, and draws its entries from
the same counters as the streamed path, so that the two must agree to rounding, seed by
seed. A rule is trained by its `trained`, registered for its class.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from solvable.analytic.training.learners import (
    GradientDescent,
    GradientFlow,
    MinibatchSGD,
    RidgeRegression,
)
from solvable.analytic.training.training_rule import Learner

from .cells import Cell, with_irreducible
from .ensembles import draw_tile
from .entry_laws import TILE, EntryLaw, Role, Seed, Streams

Array = np.ndarray


@dataclass(frozen=True)
class Draw:
    """One realisation: ``features`` u is (E, N, M), ``data`` x is (B, M, T)."""

    cell: Cell
    features: Array
    data: Array
    eigenvalues: Array
    variances: Array
    label_noise: Array

    @property
    def target(self) -> Array:
        """The fixed target w (M,), the roots of its variances."""
        return np.sqrt(self.variances)

    @property
    def kernel(self) -> Array:
        """uᵀu/N of the first features, *(M, M)*."""
        return self.features[0].T @ self.features[0] / self.cell.features

    @property
    def covariance(self) -> Array:
        """xxᵀ/T of the first data, *(M, M)*."""
        return self.data[0] @ self.data[0].T / self.cell.samples

    def learned(self, value: float, features: int = 0, data: int = 0) -> Array:
        """uᵀA (M, T), scored at ``value``: v = (1 − uᵀA xᵀ) w − uᵀA ε."""
        u = self.features[features] * self.eigenvalues ** (self.cell.learner.preconditioner / 2)
        kernel = u @ self.data[data]
        return u.T @ trained(self.cell.learner, kernel, self.cell.feature_variance, value)


def realise(cell: Cell, seed: Seed) -> Draw:
    """Explicit u, with entries of variance σ_u², and x, from the counters of ``seed``."""
    streams, spectrum = Streams.of(seed), cell.spectrum
    eigenvalues = spectrum.eigenvalues()

    def entries(law: EntryLaw, role: Role, draws: int, width: int) -> Array:
        blocks = [
            draw_tile(law, streams, role, start // TILE, draws, (len(part), width), cell.dtype)
            for start in range(0, spectrum.size, TILE)
            for part in [eigenvalues[start : start + TILE]]
        ]
        return np.concatenate(blocks).astype(float).reshape(spectrum.size, draws, width)

    u = entries(cell.feature_law, Role.FEATURES, cell.feature_draws, cell.features)
    g = entries(cell.data_law, Role.DATA, cell.data_draws, cell.samples)
    for draw in range(cell.data_draws):
        norms = cell.data_law.column_factors(streams, draw, cell.samples)
        g[:, draw] *= 1 if norms is None else norms
    return Draw(
        cell=cell,
        features=np.sqrt(cell.feature_variance) * u.transpose(1, 2, 0),
        data=(np.sqrt(eigenvalues)[:, None, None] * g).transpose(1, 0, 2),
        eigenvalues=eigenvalues,
        variances=spectrum.target_power() / eigenvalues,
        label_noise=np.sqrt(cell.noise) * streams(Role.NOISE).standard_normal(cell.samples),
    )


@singledispatch
def trained(learner: Learner, kernel: Array, variance: float, value: float) -> Array:
    """A with θ = A y after training on φ = ``kernel`` (N, T) of variance σ_u², scored at value."""
    raise TypeError(f"no dense form of {learner}")


@trained.register
def _(learner: RidgeRegression, kernel: Array, variance: float, value: float) -> Array:
    if value == 0:
        return np.linalg.pinv(kernel.T)
    return np.linalg.solve(kernel @ kernel.T + value * np.eye(len(kernel)), kernel)


@trained.register
def _(learner: GradientFlow, kernel: Array, variance: float, value: float) -> Array:
    """∫_0^t e^{−sG} ds φ/NT, the solution of Ȧ = φ/NT − GA, as one exponential."""
    from scipy.linalg import expm

    size, features = variance * kernel.size, len(kernel)
    generator = kernel @ kernel.T / size + learner.decay * np.eye(features)
    block = np.zeros((2 * features, 2 * features))
    block[:features] = np.hstack([-generator, np.eye(features)])
    return expm(value * block)[:features, features:] @ kernel / size


@trained.register
def _(learner: GradientDescent, kernel: Array, variance: float, value: float) -> Array:
    size, gram = variance * kernel.size, kernel @ kernel.T
    before = current = np.zeros_like(kernel)
    for _step in range(int(value)):
        push = learner.step * (kernel - gram @ current) / size
        before, current = current, current + learner.momentum * (current - before) + push
    return current


@trained.register
def _(learner: MinibatchSGD, kernel: Array, variance: float, value: float) -> Array:
    """Weights are linear in the labels: trained on the unit ones, with all samples a batch."""
    from .stochastic import iterate

    if learner.batch != np.inf:
        raise TypeError("batches are drawn by validation.stochastic")
    iterates = iterate(learner, int(value), np.zeros_like(kernel))
    found = next(iterates)
    for _step in range(int(value)):
        found = iterates.send((kernel / np.sqrt(variance), np.eye(kernel.shape[1])))
    return found / np.sqrt(variance)


@with_irreducible
def losses(cell: Cell, seed: Seed) -> dict[str, float]:
    """The observables of `validation.training.simulate`, for averaged or fixed targets."""
    drawn = realise(cell, seed)
    members = cell.feature_draws * cell.data_draws
    x, samples = np.hstack(list(drawn.data)), cell.samples  # all data side by side
    root = np.sqrt(drawn.eigenvalues)[:, None]
    values: dict[str, float] = {}
    for value, label in zip(cell.at, cell.labels()):
        learned = np.zeros((len(root), x.shape[1]))  # uᵀA: v = (1 − uᵀA xᵀ) w − uᵀA ε
        for data in range(cell.data_draws):
            own = slice(data * samples, (data + 1) * samples)
            for features in range(cell.feature_draws):
                learned[:, own] += drawn.learned(value, features, data) / members
        excess = _second_moment(cell, root * (np.eye(len(root)) - learned @ x.T), drawn)
        values[f"excess_loss[{label}]"] = excess + cell.noise * float(np.sum((root * learned) ** 2))
        residual = np.eye(x.shape[1]) - x.T @ learned
        fit = _second_moment(cell, residual @ x.T, drawn)
        error = cell.noise * float(np.sum(residual**2))
        values[f"train_loss[{label}]"] = (fit + error) / x.shape[1]
    return {name: values[name] for name in cell.observables()}


def _second_moment(cell: Cell, operator: Array, drawn: Draw) -> float:
    """E‖O w‖² for averaged targets, ‖O w‖² for the fixed one."""
    if cell.targets == "fixed":
        return float(np.sum((operator @ drawn.target) ** 2))
    return float(np.sum(operator**2 * drawn.variances))
