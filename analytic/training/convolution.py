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
convolutions: O(M log M) by fast Fourier transforms, in mpmath products of polynomials with integer
coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from .contour import exponential, real
from .correlation import Points, confluent_two_point

ROUNDING = 4e-16
GUARD_BITS = 32


@dataclass(frozen=True)
class Circle:
    """The circle |μ| = ``radius`` and the map ηz = (μ − 1)(1 − β/μ) from it."""

    radius: Any
    step: Any
    momentum: Any

    def nodes(self, count: int, first: float = 0.5) -> np.ndarray:
        """``count`` points of the whole circle, from the angle of ``first`` of their distance."""
        exact = isinstance(self.radius, mpmath.mpf)
        turns = np.arange(count).astype(object if exact else float)
        turns = turns + (mpmath.mpf(first) if exact else first)
        return self.radius * exponential(2j * (mpmath.pi if exact else np.pi) * turns / count)


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
    total = real(np.sum(terms, axis=-1))
    total[0] -= noise
    if a.dtype == object:  # two precisions are compared
        return total, 0 * total
    scale = np.linalg.norm(inner, axis=-1) * np.linalg.norm(a * f, axis=-1)
    return total, ROUNDING * (np.sum(np.abs(terms), axis=-1) + scale)


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
    k, mu = np.arange(count), circle.nodes(count)
    apart = circle.nodes(count, 0) / circle.radius
    turn = np.zeros_like(mu)
    turn[1:] = 1 / (1 - 1 / apart[1:])  # 1/(1 − μ_j/μ_i), at i − j
    opposite = 1 / (circle.radius**2 * np.roll(apart, -1) - beta)  # at i + j
    first = _circular(a, turn) / mu
    second = _circular(a[..., -k % count], opposite)
    second = second - a * opposite[2 * k % count]
    return circle.step / (mu**2 - beta) * (mu**2 * first + beta * mu * second)


def _circular(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Σ_j a_j b_{i−j} along the last axis, all indices modulo its length.

    >>> _circular(np.array([1.0, 2, 0]), np.array([1.0, 0, 3])).real.round(9).tolist()
    [7.0, 2.0, 3.0]
    >>> exact = _circular(np.array([mpmath.mpf(1), 2, 0]), np.array([1, 0, 3], object))
    >>> [int(x.real) for x in exact]
    [7, 2, 3]
    """
    if a.dtype != object:
        return np.fft.ifft(np.fft.fft(a) * np.fft.fft(b))
    rows = [_exactly_circular(row, b) for row in a.reshape(-1, a.shape[-1])]
    return np.array(rows, dtype=object).reshape(a.shape)


def _exactly_circular(a: np.ndarray, b: np.ndarray) -> list[Any]:
    (u, v, left), (x, y, right) = _integers(a), _integers(b)
    whole, own, other = (u + v) * (x + y), u * x, v * y
    bits = left + right
    parts = [(own - other).coeffs(), (whole - own - other).coeffs()]
    sums = [
        [sum(int(c) for c in coefficients[k :: len(a)]) for k in range(len(a))]
        for coefficients in parts
    ]
    return [mpmath.mpc(*(mpmath.ldexp(mpmath.mpf(c), -bits) for c in pair)) for pair in zip(*sums)]


def _integers(values: np.ndarray) -> tuple[Any, Any, int]:
    """Real and imaginary parts times 2^bits, as the coefficients of polynomials, and the bits."""
    from flint import fmpz_poly

    parts = [[getattr(mpmath.mpmathify(v), part) for v in values] for part in ("real", "imag")]
    size = max((abs(v) for row in parts for v in row), default=0)
    bits = mpmath.mp.prec + GUARD_BITS - (int(mpmath.mag(size)) if size else 0)
    rows = ([int(mpmath.ldexp(v, bits)) for v in row] for row in parts)
    return (*(fmpz_poly(row) for row in rows), bits)
