"""Small seeded random-matrix experiments that decide the statistical steps of this paper.

One learner: data Ψ (P×M, rows of covariance Λ), features A (N×M, unit variance), and the kernel
step K = (AᵀA/N)(ΨᵀΨ/P) that moves v⁰. Every function returns one number per seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Setting:
    """A model of finite size, λ_k = k^{-b} and w_k² λ_k = k^{-a}, and the number of seeds."""

    features: int = 60
    samples: int = 90
    modes: int = 150
    b: float = 1.25
    a: float = 1.5
    noise: float = 0.0
    seeds: int = 60
    entropy: int = 240201092

    @property
    def eigenvalues(self) -> np.ndarray:
        """λ_k, shaped *(M,)*."""
        return np.arange(1, self.modes + 1.0) ** -self.b

    @property
    def target_power(self) -> np.ndarray:
        """w_k² λ_k, shaped *(M,)*."""
        return np.arange(1, self.modes + 1.0) ** -self.a

    def draws(self) -> Iterator[Draw]:
        """One draw of (Ψ, A, w, ε) per seed."""
        for seed in np.random.SeedSequence(self.entropy).spawn(self.seeds):
            yield Draw(self, np.random.default_rng(seed))


class Draw:
    """One realisation: data Ψ, features A, residual weights w at the start, label noise ε."""

    def __init__(self, setting: Setting, rng: np.random.Generator) -> None:
        size = (setting.samples, setting.modes)
        self.setting, self.rng = setting, rng
        self.data = rng.normal(size=size) * np.sqrt(setting.eigenvalues)
        self.features = rng.normal(size=(setting.features, setting.modes))
        signs = rng.choice([-1.0, 1.0], size=setting.modes)
        self.target = signs * np.sqrt(setting.target_power / setting.eigenvalues)
        self.label_noise = np.sqrt(setting.noise) * rng.normal(size=setting.samples)

    @property
    def kernel(self) -> np.ndarray:
        """AᵀA/N, shaped *(M, M)*."""
        return self.features.T @ self.features / self.setting.features

    @property
    def covariance(self) -> np.ndarray:
        """ΨᵀΨ/P, shaped *(M, M)*."""
        return self.data.T @ self.data / self.setting.samples

    def force(self, residual: np.ndarray) -> np.ndarray:
        """v⁴ = (AᵀA/N) Ψᵀ (Ψ v⁰ + ε)/P."""
        inner = self.data.T @ (self.data @ residual + self.label_noise) / self.setting.samples
        return self.features.T @ (self.features @ inner) / self.setting.features

    def leave_one_out(self, kind: str, z: float) -> tuple[float, float, float, float]:
        """Field, reduced projection, quadratic form and variance of the first sample or feature.

        With ``kind`` "data": v¹, ψ·v⁰_(ψ), ψᵀ(z + KΣ_(ψ))^{-1}Kψ/P and v⁰_(ψ)ᵀΛv⁰_(ψ) of noiseless
        gradient flow at the frequency z; "features": v³, α·v²_(α), αᵀ(z + ΣK_(α))^{-1}Σα/N and
        |v²_(α)|².
        """
        unit, kernel, covariance = np.eye(self.setting.modes), self.kernel, self.covariance
        residual = np.linalg.solve(z * unit + kernel @ covariance, self.target)
        if kind == "data":
            row, count, field = self.data[0], self.setting.samples, self.data[0] @ residual
            matrix = kernel @ (covariance - np.outer(row, row) / count)
            sources, metric = np.stack([self.target, kernel @ row]), self.setting.eigenvalues
        else:
            row, count = self.features[0], self.setting.features
            field = row @ covariance @ residual
            matrix = covariance @ (kernel - np.outer(row, row) / count)
            sources, metric = np.stack([self.target, row]) @ covariance, np.ones(len(row))
        reduced, image = np.linalg.solve(z * unit + matrix, sources.T).T
        variance = float(metric @ reduced**2)
        return float(field), float(row @ reduced), float(row @ image) / count, variance

    def quadratic_forms(self, kind: str, z: float) -> np.ndarray:
        """The forms q of all samples, *(P,)*, or q' of all features, *(N,)*.

        ψᵀ(z + KΣ)^{-1}Kψ/P with nothing left out is q/(1 + q), for all ψ at once.
        """
        unit, kernel, covariance = np.eye(self.setting.modes), self.kernel, self.covariance
        if kind == "data":
            rows, count = self.data, self.setting.samples
            action = np.linalg.solve(z * unit + kernel @ covariance, kernel)
        else:
            rows, count = self.features, self.setting.features
            action = np.linalg.solve(z * unit + covariance @ kernel, covariance)
        diagonal = np.einsum("ij,ij->i", rows @ action, rows) / count
        return diagonal / (1 - diagonal)

    def flow(self, time: float) -> np.ndarray:
        """v⁰(t) = w − Aᵀθ/√N of gradient flow, θ̇ = g − Gθ with G = AΨᵀΨAᵀ/(NP), θ(0) = 0."""
        count = self.setting.features
        image = self.data @ self.features.T / np.sqrt(count)  # P×N
        gradient = image.T @ (self.data @ self.target + self.label_noise) / self.setting.samples
        values, vectors = np.linalg.eigh(image.T @ image / self.setting.samples)
        values = np.clip(values, 0, None)
        gain = np.where(values > 1e-13, -np.expm1(-values * time) / np.maximum(values, 1e-13), time)
        weights = vectors @ (gain * (vectors.T @ gradient))
        return self.target - self.features.T @ weights / np.sqrt(count)

    def ridge(self, z: float) -> np.ndarray:
        """The residual w − Aᵀθ/√N of ridge regression with γ = zNP."""
        root = np.sqrt(self.setting.features)
        image = self.data @ self.features.T / root
        labels = self.data @ self.target + self.label_noise
        normal = image.T @ image / self.setting.samples + z * np.eye(self.setting.features)
        weights = np.linalg.solve(normal, image.T @ labels / self.setting.samples)
        return self.target - self.features.T @ weights / root

    def sibling(self, own_features: bool, own_data: bool) -> Draw:
        """A learner of the same target that differs in its features, its data or both."""
        other = Draw(self.setting, self.rng)
        other.target = self.target
        if not own_features:
            other.features = self.features
        if not own_data:
            other.data, other.label_noise = self.data, self.label_noise
        return other

    def test_loss(self, residual: np.ndarray) -> float:
        """Σ λ_k v_k²."""
        return float((self.setting.eigenvalues * residual**2).sum())

    def train_loss(self, residual: np.ndarray) -> float:
        """Mean squared training residual, label noise included."""
        return float(((self.data @ residual + self.label_noise) ** 2).mean())


@cache
def data_response(setting: Setting, z: float) -> np.ndarray:
    """(1/P) tr (1 + ΨKΨᵀ/(zP))^{-1} with K = AᵀA/N: the response R₁ of v¹ to u¹ at real z."""

    def one(draw: Draw) -> float:
        inner = draw.data @ draw.features.T / np.sqrt(setting.features)
        gram = np.linalg.eigvalsh(inner @ inner.T / setting.samples)
        return float(np.mean(1 / (1 + gram / z)))

    return per_seed(setting, one)


@cache
def feature_response(setting: Setting, z: float) -> np.ndarray:
    """(1/N) tr (1 + A(ΨᵀΨ/P)Aᵀ/(zN))^{-1}: the response R₃ of v³ to u³ at real z."""

    def one(draw: Draw) -> float:
        inner = draw.data @ draw.features.T / np.sqrt(setting.samples)
        gram = np.linalg.eigvalsh(inner.T @ inner / setting.features)
        return float(np.mean(1 / (1 + gram / z)))

    return per_seed(setting, one)


@cache
def transfer_function(setting: Setting, z: float, mode: int) -> np.ndarray:
    """[(z + KΣ)^{-1}]_kk with K = AᵀA/N, Σ = ΨᵀΨ/P: the transfer function H_k at real z."""

    def one(draw: Draw) -> float:
        matrix = z * np.eye(setting.modes) + draw.kernel @ draw.covariance
        unit = np.zeros(setting.modes)
        unit[mode - 1] = 1
        return float(np.linalg.solve(matrix, unit)[mode - 1])

    return per_seed(setting, one)


@cache
def ridge_training(setting: Setting, z: float) -> np.ndarray:
    """Mean squared training residual of ridge regression at z = γ/(NP)."""
    return per_seed(setting, lambda draw: draw.train_loss(draw.ridge(z)))


@cache
def ridge_frequencies(setting: Setting, z: float, z_prime: float) -> np.ndarray:
    """Σ λ v(z) v(z') of two ridge regressions on the same draw, w averaged over its signs."""

    def one(draw: Draw) -> float:
        step = draw.kernel @ draw.covariance
        unit = np.eye(setting.modes)
        first, second = (q * np.linalg.inv(q * unit + step) for q in (z, z_prime))
        weights = setting.target_power / setting.eigenvalues
        return float(setting.eigenvalues @ (first * second) @ weights)

    return per_seed(setting, one)


@cache
def ridge_pairs(setting: Setting, z: float, own_features: bool, own_data: bool) -> np.ndarray:
    """Σ λ v v' of two ridge regressions that differ in their features, their data or both."""

    def one(draw: Draw) -> float:
        other = draw.sibling(own_features, own_data)
        return float((setting.eigenvalues * draw.ridge(z) * other.ridge(z)).sum())

    return per_seed(setting, one)


@cache
def best_readout(setting: Setting) -> np.ndarray:
    """Σ λ v² of the best read-out of the features on the population: t, P → ∞."""

    def one(draw: Draw) -> float:
        root = np.sqrt(setting.eigenvalues)
        scaled = (draw.features * root).T  # Λ^{1/2}Aᵀ
        weights, *_ = np.linalg.lstsq(scaled, root * draw.target, rcond=None)
        return float(((root * draw.target - scaled @ weights) ** 2).sum())

    return per_seed(setting, one)


@cache
def population_flow(setting: Setting, time: float) -> np.ndarray:
    """Σ λ v² of gradient flow on the population at ``time``: P → ∞, w averaged over its signs."""

    def one(draw: Draw) -> float:
        root = np.sqrt(setting.eigenvalues)
        scaled = draw.features * root / np.sqrt(setting.features)  # AΛ^{1/2}/√N
        _, values, right = np.linalg.svd(scaled, full_matrices=False)
        decay = np.expm1(-(values**2) * time)
        # Λ^{1/2}v(t) = (1 + Vᵀ(e^{−s²t} − 1)V) Λ^{1/2}w, and ⟨ww⟩ is diagonal
        change = (right.T * decay) @ right
        matrix = np.eye(setting.modes) + change
        return float((matrix**2 @ setting.target_power).sum())

    return per_seed(setting, one)


def per_seed(setting: Setting, one: Callable[[Draw], Any]) -> np.ndarray:
    """``one`` of every draw, shaped *(seeds, …)*, BLAS on one thread."""
    from solvable.validation.executors import one_blas_thread

    with one_blas_thread():
        return np.array([one(draw) for draw in setting.draws()])
