r"""The losses of one model on a circle, by two convolutions instead of all pairs of nodes.

Heavy ball with β near 1 needs a circle |μ| = r with M ∝ n nodes for n steps (`learners`), and the
double sum over its nodes M² evaluations of (2). For one model (no averages over features or data)
the two-point function is a divided difference of one function of one frequency,

    C₁(z, z') = −(F(z) − F(z'))/(z − z'),     F = R₁ (κh₁ + σ²)/z,     C₀ = C₁/(R₁R₁') − σ²/(zz'),

(`correlation`: Δ = (z − z')/(κ − κ') is the determinant of (2)). With a_i = w_i/R₁ for the test
loss, a_i = w_i for the training loss,

    Σ_ij a_i a_j C₁(z_i, z_j) = −2 Σ_i a_i F_i Σ_{j≠i} a_j/(z_i − z_j) + Σ_i a_i² C₁(z_i, z_i).

On the circle ηz = (μ − 1)(1 − β/μ), so that

    1/(z_i − z_j) = η/(μ_i² − β) · [μ_i²/(μ_i − μ_j) + βμ_i/(μ_iμ_j − β)],

and with μ_k = r e^{2πi(k+½)/M} the first term depends on j − i, the second on i + j: both sums are
convolutions, O(M log M) by fast Fourier transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .correlation import Points, confluent_two_point

ROUNDING = 4e-16


@dataclass(frozen=True)
class Circle:
    """The circle |μ| = ``radius`` and the map ηz = (μ − 1)(1 − β/μ) from it."""

    radius: float
    step: float
    momentum: float


def losses_on_circle(
    x: Points, weights: np.ndarray, circle: Circle, features: Any, samples: Any, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """(excess, training) loss and rounding errors, *(2, …, times)*.

    ``x`` holds the n = M/2 nodes of the upper half-plane in the order of their angle, *(…, n)*,
    and ``weights`` *(times, n)* those of the filter. The sums over all w_i/z_i are 1.
    """
    f = x.R1 * (x.kappa * x.target + noise) / x.z
    _, diagonal = confluent_two_point(x, features, samples, noise)
    f, diagonal, r1, w = (whole_circle(y) for y in (f, diagonal, x.R1, weights))
    rows = (w / r1[..., None, :], np.broadcast_to(w, (*r1.shape[:-1], *w.shape)))
    a = np.stack(rows)  # (2, …, times, M)
    f, diagonal = f[..., None, :], diagonal[..., None, :]
    inner = difference_sums(a, circle)
    terms = -2 * a * f * inner + a**2 * diagonal
    total = np.sum(terms, axis=-1).real
    scale = np.linalg.norm(inner, axis=-1) * np.linalg.norm(a * f, axis=-1)
    error = ROUNDING * (np.sum(np.abs(terms), axis=-1) + scale)
    total[0] -= noise
    return total, error


def whole_circle(y: np.ndarray) -> np.ndarray:
    """Values on the whole circle from those on its upper half, real functions of μ understood."""
    return np.concatenate([y, np.conj(y[..., ::-1])], axis=-1)


def difference_sums(a: np.ndarray, circle: Circle) -> np.ndarray:
    """Σ_{j≠i} a_j/(z_i − z_j) for all nodes i of the whole circle, along the last axis.

    >>> circle = Circle(1.3, 0.5, 0.2)
    >>> mu = 1.3 * np.exp(2j * np.pi * (np.arange(8) + 0.5) / 8)
    >>> z, a = (mu - 1) * (1 - 0.2 / mu) / 0.5, np.arange(8.0)
    >>> slow = [sum(a[j] / (z[i] - z[j]) for j in range(8) if j != i) for i in range(8)]
    >>> bool(np.allclose(difference_sums(a, circle), slow))
    True
    """
    count, beta = a.shape[-1], circle.momentum
    k = np.arange(count)
    mu = circle.radius * np.exp(2j * np.pi * (k + 0.5) / count)
    turn = np.zeros(count, dtype=complex)
    turn[1:] = 1 / (1 - np.exp(-2j * np.pi * k[1:] / count))  # 1/(1 − μ_j/μ_i), at i − j
    opposite = 1 / (circle.radius**2 * np.exp(2j * np.pi * (k + 1) / count) - beta)  # at i + j
    first = np.fft.ifft(np.fft.fft(a) * np.fft.fft(turn)) / mu
    second = np.fft.ifft(np.fft.fft(a[..., -k % count]) * np.fft.fft(opposite))
    second = second - a * opposite[2 * k % count]
    return circle.step / (mu**2 - beta) * (mu**2 * first + beta * mu * second)
