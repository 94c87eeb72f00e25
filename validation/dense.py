r"""The same simulation with explicit matrices and the obvious algorithms.

An oracle for small sizes: it holds u (N×M), x (M×T) and a learned-weights operator (M×M), trains
by matrix inversion, pseudo-inverse, a matrix exponential or one step after another, and scores

    excess = Σ_J λ_J E v_J²,   v = (1 − uᵀ A xᵀ) w − uᵀ A ε,   θ = A (xᵀw + ε),

by writing this very line. It draws its entries from the same counters as the streamed path, so
the two must agree to rounding, seed by seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cells import Cell
from .ensembles import TILE, draw_tile
from .laws import Law, Role, Seed, Streams
from .learners import Flow, GradientDescent, HeavyBall, Learner, Ridge

Array = np.ndarray


@dataclass(frozen=True)
class Realisation:
    """One draw: ``features`` u is (E, N, M), ``data`` x is (B, M, T)."""

    features: Array
    data: Array
    eigenvalues: Array
    variances: Array


def realise(cell: Cell, seed: Seed) -> Realisation:
    """Explicit u, with entries of variance σ_u², and x, from the counters of ``seed``."""
    streams, spectrum = Streams.of(seed), cell.spectrum.build()
    eigenvalues = spectrum.eigenvalues()

    def entries(law: Law, role: Role, draws: int, width: int) -> Array:
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
    return Realisation(
        features=np.sqrt(cell.feature_variance) * u.transpose(1, 2, 0),
        data=(np.sqrt(eigenvalues)[:, None, None] * g).transpose(1, 0, 2),
        eigenvalues=eigenvalues,
        variances=spectrum.target_power() / eigenvalues,
    )


def trained(learner: Learner, kernel: Array, variance: float, index: int) -> Array:
    """A with θ = A y after training on φ = ``kernel`` (N, T), at one value of the learner."""
    features, samples = kernel.shape
    size = variance * features * samples
    gram = kernel @ kernel.T
    if isinstance(learner, Ridge):
        ridge = learner.ridges[index]
        if ridge == 0:
            return np.linalg.pinv(kernel.T)
        return np.linalg.solve(gram + ridge * np.eye(features), kernel)
    if isinstance(learner, Flow):
        return _flow(kernel, gram + learner.ridge * np.eye(features), learner.times[index] / size)
    if isinstance(learner, GradientDescent | HeavyBall):
        momentum = learner.momentum if isinstance(learner, HeavyBall) else 0.0
        before = current = np.zeros_like(kernel)
        for _ in range(learner.steps[index]):
            gradient = (gram @ current - kernel) / size
            push = momentum * (current - before) - learner.rate * gradient
            before, current = current, current + push
        return current
    raise TypeError(f"no dense form of {learner.rule}")


def _flow(kernel: Array, generator: Array, time: float) -> Array:
    """∫_0^time e^{−s·generator} ds φ, the solution of Ȧ = φ − generator·A, as one exponential."""
    from scipy.linalg import expm

    features = len(generator)
    block = np.block(
        [[-generator, np.eye(features)], [np.zeros_like(generator), np.zeros_like(generator)]]
    )
    return expm(time * block)[:features, features:] @ kernel


def losses(cell: Cell, seed: Seed) -> dict[str, float]:
    """The observables of `validation.training.simulate`, for averaged or fixed targets."""
    drawn = realise(cell, seed)
    variance, members = cell.feature_variance, cell.feature_draws * cell.data_draws
    x, samples = np.hstack(list(drawn.data)), cell.samples  # all data side by side
    root = np.sqrt(drawn.eigenvalues)[:, None]
    values: dict[str, float] = {}
    for index, label in enumerate(cell.learner.labels()):
        learned = np.zeros((len(root), x.shape[1]))  # uᵀA: v = (1 − uᵀA xᵀ) w − uᵀA ε
        for start in range(0, x.shape[1], samples):
            own = slice(start, start + samples)
            for u in drawn.features:
                a = trained(cell.learner, u @ x[:, own], variance, index)
                learned[:, own] += u.T @ a / members
        excess = _second_moment(cell, root * (np.eye(len(root)) - learned @ x.T), drawn)
        values[f"excess_loss[{label}]"] = excess + cell.noise * float(np.sum((root * learned) ** 2))
        residual = np.eye(x.shape[1]) - x.T @ learned
        fit = _second_moment(cell, residual @ x.T, drawn)
        error = cell.noise * float(np.sum(residual**2))
        values[f"train_loss[{label}]"] = (fit + error) / x.shape[1]
    return {name: values[name] for name in cell.observables()}


def _second_moment(cell: Cell, operator: Array, drawn: Realisation) -> float:
    """E‖O w‖² for averaged targets, ‖O w‖² for the fixed one."""
    if cell.targets == "fixed":
        return float(np.sum((operator @ np.sqrt(drawn.variances)) ** 2))
    return float(np.sum(operator**2 * drawn.variances))
