"""Responses and correlations of explicit random matrices, one number a seed.

Statistics of the draws of `validation.dense` that are no loss of a trained model: resolvent traces,
quadratic forms with one sample or feature left out, products of two models, limits of unlimited
data. Features have unit variance; K = uᵀu/N, Σ = xxᵀ/T; ``z`` are frequencies, real and positive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.learners import RidgeRegression

from .cells import Cell
from .dense import Draw, realise
from .executors import one_blas_thread
from .sweep import seed_sequence

Array = np.ndarray


@cache
def task(
    features: int = 60, samples: int = 90, modes: int = 150,
    b: float = 1.25, a: float = 1.5, noise: float = 0.0,
) -> Cell:  # fmt: skip
    """A model of finite size with λ_k = k^{-b} and w_k² λ_k = k^{-a}.

    >>> task(6, 9, 15, 1.25, 1.5).spectrum.size
    15
    """
    law = PowerLaw(exponent=b, target_exponent=a, size=modes)
    return Cell(law, features, samples, noise=noise)


def per_seed(cell: Cell, one: Callable[[Draw], Any], seeds: int) -> Array:
    """``one`` of every draw, shaped *(seeds, …)*."""
    with one_blas_thread():
        return np.array([one(realise(cell, seed_sequence(0, cell, i))) for i in range(seeds)])


def leave_one_out(draw: Draw, kind: str, z: float) -> tuple[float, float, float, float]:
    """Field, reduced projection, quadratic form and variance of the first sample or feature.

    With ``kind`` "data": v¹, ψ·v⁰_(ψ), ψᵀ(z + KΣ_(ψ))^{-1}Kψ/P and v⁰_(ψ)ᵀΛv⁰_(ψ) of noiseless
    gradient flow at the frequency z; "features": v³, α·v²_(α), αᵀ(z + ΣK_(α))^{-1}Σα/N and
    |v²_(α)|².
    """
    kernel, covariance, target = draw.kernel, draw.covariance, draw.target
    unit = np.eye(len(target))
    residual = np.linalg.solve(z * unit + kernel @ covariance, target)
    if kind == "data":
        row, count, metric = draw.data[0, :, 0], draw.cell.samples, draw.eigenvalues
        matrix = kernel @ (covariance - np.outer(row, row) / count)
        field, sources = row @ residual, np.stack([target, kernel @ row])
    else:
        row, count, metric = draw.features[0, 0], draw.cell.features, np.ones(len(target))
        matrix = covariance @ (kernel - np.outer(row, row) / count)
        field, sources = row @ covariance @ residual, np.stack([target, row]) @ covariance
    reduced, image = np.linalg.solve(z * unit + matrix, sources.T).T
    variance = float(metric @ reduced**2)
    return float(field), float(row @ reduced), float(row @ image) / count, variance


def quadratic_forms(draw: Draw, kind: str, z: float) -> Array:
    """The forms q of all samples, *(P,)*, or q' of all features, *(N,)*.

    ψᵀ(z + KΣ)^{-1}Kψ/P with nothing left out is q/(1 + q), for all ψ at once.
    """
    first, second, rows = draw.kernel, draw.covariance, draw.data[0].T
    if kind == "features":
        first, second, rows = second, first, draw.features[0]
    action = np.linalg.solve(z * np.eye(len(first)) + first @ second, first)
    diagonal = np.einsum("ij,ij->i", rows @ action, rows) / len(rows)
    return diagonal / (1 - diagonal)


@cache
def response(cell: Cell, kind: str, z: float, seeds: int = 60) -> Array:
    """R₁ ("data"): (1/P) tr (1 + φᵀφ/(zNP))^{-1}; R₃ ("features"): (1/N) tr of the N×N one."""

    def one(draw: Draw) -> float:
        phi = draw.features[0] @ draw.data[0]
        gram = phi.T @ phi if kind == "data" else phi @ phi.T
        return float(np.mean(1 / (1 + np.linalg.eigvalsh(gram / phi.size) / z)))

    return per_seed(cell, one, seeds)


@cache
def transfer_function(cell: Cell, z: float, mode: int, seeds: int = 60) -> Array:
    """[(z + KΣ)^{-1}]_kk: the transfer function H_k."""

    def one(draw: Draw) -> float:
        unit = np.eye(len(draw.eigenvalues))
        matrix = z * unit + draw.kernel @ draw.covariance
        return float(np.linalg.solve(matrix, unit[mode - 1])[mode - 1])

    return per_seed(cell, one, seeds)


@cache
def ridge_product(
    cell: Cell,
    z: tuple[float, float],
    seeds: int = 60,
    *,
    own_features: bool = False,
    own_data: bool = False,
) -> Array:
    """Σ λ v(z) v(z') of two ridge regressions with their own or the same features and data.

    Averaged over targets and label noise.
    """
    cell = replace(cell, learner=RidgeRegression(), feature_draws=2, data_draws=2)
    size = cell.feature_variance * cell.features * cell.samples
    other = int(own_features), int(own_data)

    def one(draw: Draw) -> float:
        first, second = draw.learned(z[0] * size), draw.learned(z[1] * size, *other)
        unit, x, y = np.eye(len(draw.eigenvalues)), draw.data[0], draw.data[other[1]]
        product = (unit - first @ x.T) * (unit - second @ y.T)
        signal = draw.eigenvalues @ product @ draw.variances
        shared = draw.eigenvalues @ np.sum(first * second, axis=1)
        return float(signal + (0 if own_data else cell.noise * shared))

    return per_seed(cell, one, seeds)


@cache
def best_readout(cell: Cell, seeds: int) -> Array:
    """Σ λ v² of the best read-out of the features on the population: t, P → ∞."""

    def one(draw: Draw) -> float:
        directions, _ = np.linalg.qr((draw.features[0] * np.sqrt(draw.eigenvalues)).T)
        power = draw.eigenvalues * draw.variances
        return float(power.sum() - np.sum(directions**2, axis=1) @ power)

    return per_seed(cell, one, seeds)


@cache
def population_flow(cell: Cell, time: float, seeds: int) -> Array:
    """Σ λ v² of gradient flow on the population at ``time``: P → ∞."""

    def one(draw: Draw) -> float:
        scaled = draw.features[0] * np.sqrt(draw.eigenvalues / draw.cell.features)  # AΛ^{1/2}/√N
        _, values, right = np.linalg.svd(scaled, full_matrices=False)
        decay = np.expm1(-(values**2) * time)
        # Λ^{1/2}v(t) = (1 + Vᵀ(e^{−s²t} − 1)V) Λ^{1/2}w, and ⟨ww⟩ is diagonal
        matrix = np.eye(len(draw.eigenvalues)) + (right.T * decay) @ right
        return float((matrix**2 @ (draw.eigenvalues * draw.variances)).sum())

    return per_seed(cell, one, seeds)
