r"""One-pass stochastic gradient descent: fresh samples at every step, no data bottleneck.

From θ_0 = 0, with the B samples of step n drawn once and never again,

    θ_{n+1} = θ_n + (η/NB) φ_n r_n,    r_n = y_n − φ_nᵀ θ_n,

and the excess loss Σλw² − 2 θ·c + θᵀKθ, K = uΛuᵀ, c = uΛw, is exact at every step.

For Gaussian data a step needs no x at all: given u and the targets w_1 … w_D, the columns of
φ_n and the labels are jointly Gaussian with covariance Γ = [u; w] Λ [u; w]ᵀ, of size N + D. So
one pass over the modes gives Γ, and batches are drawn as Γ^{1/2} times white columns: memory
and time per step do not depend on M. For any other law the batches are streamed with all their
modes, exactly as `validation.ensembles` streams the data of full-batch rules.

Targets share features and batches; each has its own label noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from solvable.analytic.learners import OnePassSGD, RidgeRegression

from .cells import Cell
from .ensembles import (
    TILE,
    TileSum,
    accumulate,
    draw_tile,
    explicit_targets,
    scale_modes,
    weighted_targets,
)
from .entries import Role, Seed, Streams
from .memory import check_memory

Array = np.ndarray
Batches = Iterator[tuple[Array, Array]]


@dataclass(frozen=True)
class Population:
    """What the excess loss depends on: K (N, N), c (N, D) and wᵀΛw averaged over the D targets."""

    kernel: Array
    cross: Array
    power: float

    def excess_loss(self, theta: Array) -> float:
        """wᵀΛw − 2 θ·c + θᵀKθ averaged over the columns of θ (N, D)."""
        error = np.sum(theta * (self.kernel @ theta - 2 * self.cross))
        return self.power + float(error) / theta.shape[1]


def simulate_one_pass(cell: Cell, seed: Seed, *, threads: int = 1) -> dict[str, float]:
    """One run of SGD, averaged over its explicit targets. Keys are `Cell.observables`."""
    check_memory(cell, threads=threads)
    if cell.data_law.name == "gaussian":
        population, batches = gaussian_batches(cell, seed)
    else:
        population, batches = streamed_batches(cell, seed, threads)
    losses = descend(population, batches, cell, Streams.of(seed))
    return dict(zip(cell.observables(), losses.tolist(), strict=True))


def descend(population: Population, batches: Batches, cell: Cell, streams: Streams) -> Array:
    """Excess loss after each of the cell's numbers of steps.

    ``batches`` gives (φ_n, noiseless labels), shaped (N, B) and (B, D), for each step; label noise
    is drawn here.
    """
    theta = np.zeros_like(population.cross)
    losses = np.empty(len(cell.at))
    generator = streams(Role.NOISE)
    rate = sgd(cell).step / (len(theta) * sgd(cell).batch)
    for step in range(last_step(cell) + 1):
        if step in cell.at:
            losses[np.equal(cell.at, step)] = population.excess_loss(theta)
        if step < last_step(cell):
            phi, labels = next(batches)
            labels = labels + np.sqrt(cell.noise) * generator.standard_normal(labels.shape)
            theta = theta + rate * phi @ (labels - phi.T @ theta)
    return losses


def sgd(cell: Cell) -> OnePassSGD:
    """The rule of the cell."""
    if not isinstance(cell.learner, OnePassSGD):
        raise TypeError(f"{cell.learner.rule} is not one-pass SGD")
    return cell.learner


def last_step(cell: Cell) -> int:
    """The largest number of steps that is scored."""
    return int(max(cell.at))


def gaussian_batches(cell: Cell, seed: Seed) -> tuple[Population, Batches]:
    """Batches of Gaussian data, drawn in the N + D directions that matter."""
    streams, features, count = Streams.of(seed), cell.features, explicit_targets(cell)
    joint = joint_covariance(cell, streams)
    values, vectors = np.linalg.eigh(joint)
    root = vectors * np.sqrt(np.maximum(values, 0))  # Γ may be singular: M < N + D

    def batches() -> Batches:
        for step in range(last_step(cell)):
            shape = (features + count, sgd(cell).batch)
            white = streams(Role.DATA, tile=step).standard_normal(shape)
            columns = root @ white
            yield columns[:features], columns[features:].T

    power = float(np.trace(joint[features:, features:])) / count
    return Population(joint[:features, :features], joint[:features, features:], power), batches()


def joint_covariance(cell: Cell, streams: Streams) -> Array:
    """Γ = [u; w] Λ [u; w]ᵀ, shaped (N + D, N + D), in one pass over the modes."""
    spectrum = cell.spectrum
    width = cell.features + explicit_targets(cell)
    total = TileSum(width, width, cell.dtype)
    for start in range((spectrum.size - 1) // TILE * TILE, -1, -TILE):
        eigenvalues = spectrum.eigenvalues(start, start + TILE)
        target_power = spectrum.target_power(start, start + TILE)
        shape = (len(eigenvalues), cell.features)
        tile = start // TILE
        u = draw_tile(cell.feature_law, streams, Role.FEATURES, tile, 1, shape, cell.dtype)
        scale_modes(u, np.sqrt(eigenvalues))
        targets = weighted_targets(cell, target_power, streams, tile).astype(u.dtype)
        total.add_square(np.hstack([u, targets]))
    return total.full()


def streamed_batches(cell: Cell, seed: Seed, threads: int = 1) -> tuple[Population, Batches]:
    """Batches of any law: all samples of the run side by side, streamed over modes."""
    batch = sgd(cell).batch
    samples = max(1, last_step(cell)) * batch
    ridge = replace(cell, samples=samples, learner=RidgeRegression())
    drawn = accumulate(ridge, seed, threads=threads)

    def batches() -> Batches:
        for start in range(0, samples, batch):
            part = slice(start, start + batch)
            yield drawn.kernel[:, part], drawn.labels[part]

    power = drawn.power / explicit_targets(cell)
    return Population(drawn.features, drawn.cross, power), batches()
