r"""Stochastic gradient descent: on fresh samples at every step, or on batches of T samples.

From θ_0 = 0, with the B samples of step n,

    θ_{n+1} = θ_n + (η/NB) φ_n r_n,    r_n = y_n − φ_nᵀ θ_n,

(with the schedules, momenta, penalty and average of the rule: `iterate`), and the excess loss
Σλw² − 2 θ·c + θᵀKθ, K = uΛuᵀ, c = uΛw, is exact at every step. In one pass the samples are drawn
once and never again; else a batch is drawn anew for each step from the T samples of the cell, with
or without replacement inside it, or the samples are gone through in epochs, in a new order each;
their labels keep their noise.

For fresh Gaussian data a step needs no x at all: given u and the targets w_1 … w_D, the columns of
φ_n and the labels are jointly Gaussian with covariance Γ = [u; w] Λ [u; w]ᵀ, of size N + D. So
one pass over the modes gives Γ, and batches are drawn as Γ^{1/2} times white columns: memory
and time per step do not depend on M. For any other law the batches are streamed with all their
modes, exactly as `validation.ensembles` streams the data of full-batch rules.

Targets share features and batches; each has its own label noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np

from solvable.analytic.training.learners import MinibatchSGD, OnePassSGD, RidgeRegression

from .cells import Cell
from .ensembles import (
    TileSum,
    accumulate,
    draw_tile,
    scale_modes,
    weighted_targets,
)
from .entry_laws import TILE, Role, Seed, Streams
from .memory import check_memory

Array = np.ndarray
Batches = Iterator[tuple[Array, Array]]


@dataclass(frozen=True)
class Population:
    """What the excess loss depends on: K (N, N), c (N, D) and wᵀΛw averaged over the D targets."""

    kernel: Array
    cross: Array
    power: float

    def losses(self, theta: Array) -> Array:
        """wᵀΛw − 2 θ·c + θᵀKθ averaged over the columns of θ (…, N, D), shaped (…)."""
        error = np.sum(theta * (self.kernel @ theta - 2 * self.cross), axis=(-2, -1))
        return self.power + error / theta.shape[-1]


@dataclass(frozen=True)
class DataSet:
    """T samples that are used again: φ (N, T) and noisy labels (T, D)."""

    kernel: Array
    labels: Array

    def train_loss(self, theta: Array) -> float:
        """Mean squared residual, averaged over the columns of θ (N, D)."""
        return float(np.mean((self.labels - self.kernel.T @ theta) ** 2))


def simulate_sgd(cell: Cell, seed: Seed, *, threads: int = 1) -> dict[str, float]:
    """One run of SGD, averaged over its explicit targets. Keys are `Cell.observables`."""
    check_memory(cell, threads=threads)
    data = None
    if not sgd(cell).fresh:
        population, batches, data = reused_batches(cell, seed, threads)
    elif cell.data_law.name == "gaussian":
        population, batches = gaussian_batches(cell, seed)
    else:
        population, batches = streamed_batches(cell, seed, threads)
    losses = descend(population, batches, cell, Streams.of(seed), data)
    return dict(zip(cell.observables(), losses.ravel().tolist(), strict=True))


def descend(
    population: Population,
    batches: Batches,
    cell: Cell,
    streams: Streams,
    data: DataSet | None = None,
) -> Array:
    """Excess loss, and the training loss on ``data``, after each number of steps, *(1|2, times)*.

    ``batches`` gives (φ_n, labels), shaped (N, B) and (B, D), for each step; the label noise of
    fresh samples is drawn here.
    """
    scored = np.zeros(population.cross.shape)
    losses = np.empty((1 if data is None else 2, len(cell.at)))
    generator = streams(Role.NOISE)
    iterates = iterate(sgd(cell), last_step(cell), scored)
    scored = next(iterates)
    for step in range(last_step(cell) + 1):
        if step in cell.at:
            at = np.equal(cell.at, step)
            losses[0, at] = population.losses(scored)
            if data is not None:
                losses[1, at] = data.train_loss(scored)
        if step < last_step(cell):
            phi, labels = next(batches)
            if data is None:
                labels = labels + np.sqrt(cell.noise) * generator.standard_normal(labels.shape)
            scored = iterates.send((phi, labels))
    return losses


def iterate(
    rule: OnePassSGD, last: int, theta: Array
) -> Generator[Array, tuple[Array, Array], None]:
    """Weights to be scored after 0, 1, … steps; each is sent the batch (φ_n, labels) of a step.

    Written as rules are taught: gradient, penalty, velocity, average.
    """
    values = values_of_steps(rule, last)
    average, velocity = theta, np.zeros_like(theta)
    for n in itertools.count():
        phi, labels = yield average
        residual = phi.swapaxes(-1, -2) @ theta - labels
        gradient = phi @ residual / (theta.shape[-2] * labels.shape[-2]) + rule.decay * theta
        eta = values["step"][n]
        if rule.pull:
            forget = min(1.0, rule.forgetting / (1 + n))
            velocity = (1 - forget) * velocity + gradient
            theta = theta - eta * gradient - values["pull"][n] * velocity
        else:
            velocity = values["momentum"][n] * velocity - eta * gradient
            theta = theta + velocity
        weight = values["average"][n]
        average = average + weight * (theta - average)


def values_of_steps(rule: OnePassSGD, last: int) -> dict[str, Array]:
    """Step size, batch, momentum, pull and weight in the average of each of the steps."""
    found, n = rule.schedules(last), np.arange(last)
    names = {"step": "rates", "batch": "batch", "momentum": "momentum", "average": "average",
             "pull": "pull"}  # fmt: skip
    last_iterate, out = 1.0, {}
    for name, key in names.items():
        value = found.get(key)
        value = last_iterate if value is None else value
        out[name] = value(n) if callable(value) else np.full(last, value)
    return out


def batch_sizes(cell: Cell) -> list[int]:
    """Whole numbers of samples in the batches; infinite ones are all of the cell's samples."""
    sizes = values_of_steps(sgd(cell), last_step(cell))["batch"]
    return [cell.samples if np.isinf(size) else round(float(size)) for size in sizes]


def reused_batches(cell: Cell, seed: Seed, threads: int = 1) -> tuple[Population, Batches, DataSet]:
    """Batches of the cell's T samples, drawn anew for each step, and the samples."""
    streams = Streams.of(seed)
    drawn = accumulate(replace(cell, learner=RidgeRegression()), seed, threads=threads)
    noise = streams(Role.NOISE).standard_normal(drawn.labels.shape)
    data = DataSet(drawn.kernel, drawn.labels + np.sqrt(cell.noise) * noise)
    rule, choices = sgd(cell), streams(Role.BATCHES)
    if not isinstance(rule, MinibatchSGD):
        raise TypeError(f"{rule.rule} does not use its samples again")

    def batches() -> Batches:
        order = np.arange(cell.samples)
        for step, size in enumerate(batch_sizes(cell)):
            if rule.in_epochs(cell.samples):
                place = step * size % cell.samples
                order = choices.permutation(cell.samples) if place == 0 else order
                chosen = order[place : place + size]
            else:
                chosen = choices.choice(cell.samples, size, replace=rule.replacement)
            yield data.kernel[:, chosen], data.labels[chosen]

    population = Population(drawn.features, drawn.cross, drawn.power / cell.explicit_targets)
    return population, batches(), data


def sgd(cell: Cell) -> OnePassSGD:
    """The rule of the cell."""
    if not isinstance(cell.learner, OnePassSGD):
        raise TypeError(f"{cell.learner.rule} is not stochastic")
    return cell.learner


def last_step(cell: Cell) -> int:
    """The largest number of steps that is scored."""
    return int(max(cell.at))


def gaussian_batches(cell: Cell, seed: Seed, runs: int = 0) -> tuple[Population, Batches]:
    """Batches of Gaussian data, drawn in the N + D directions that matter.

    Those of several ``runs`` have an axis for them in front.
    """
    streams, features, count = Streams.of(seed), cell.weights, cell.explicit_targets
    joint = joint_covariance(cell, streams)
    values, vectors = np.linalg.eigh(joint)
    root = vectors * np.sqrt(np.maximum(values, 0))  # Γ may be singular: M < N + D

    def batches() -> Batches:
        for step, size in enumerate(batch_sizes(cell)):
            shape = (features + count, max(1, runs) * size)
            columns = root @ streams(Role.DATA, tile=step).standard_normal(shape)
            if runs:
                columns = columns.reshape(len(columns), runs, size).swapaxes(0, 1)
            yield columns[..., :features, :], columns[..., features:, :].swapaxes(-1, -2)

    power = float(np.trace(joint[features:, features:])) / count
    return Population(joint[:features, :features], joint[:features, features:], power), batches()


def joint_covariance(cell: Cell, streams: Streams) -> Array:
    """Γ = [u; w] Λ [u; w]ᵀ, shaped (N + D, N + D), in one pass over the modes."""
    spectrum, features = cell.spectrum, cell.weights
    size = features + cell.explicit_targets
    total = TileSum(size, size, cell.dtype)
    for start in range((spectrum.size - 1) // TILE * TILE, -1, -TILE):
        eigenvalues = spectrum.eigenvalues(start, start + TILE)
        target_power = spectrum.target_power(start, start + TILE)
        shape = (len(eigenvalues), features)
        tile = start // TILE
        if features == cell.features:
            u = draw_tile(cell.feature_law, streams, Role.FEATURES, tile, 1, shape, cell.dtype)
        else:
            u = np.sqrt(features) * np.eye(*shape, k=start)
        scale_modes(u, np.sqrt(eigenvalues))
        targets = weighted_targets(cell, target_power, streams, tile).astype(u.dtype)
        total.add_square(np.hstack([u, targets]))
    return total.full()


def streamed_batches(cell: Cell, seed: Seed, threads: int = 1) -> tuple[Population, Batches]:
    """Batches of any law: all samples of the run side by side, streamed over modes."""
    ends = np.cumsum([0, *batch_sizes(cell)])
    ridge = replace(cell, samples=max(1, int(ends[-1])), learner=RidgeRegression())
    drawn = accumulate(ridge, seed, threads=threads)

    def batches() -> Batches:
        for part in map(slice, ends, ends[1:]):
            yield drawn.kernel[:, part], drawn.labels[part]

    power = drawn.power / cell.explicit_targets
    return Population(drawn.features, drawn.cross, power), batches()
