r"""The mean-field equations of the training dynamics, stepped forward on a time grid.

The model trains v⁰(t) ∈ ℝ^M along the chain (2402.01092, equations (4) and (7))

    v¹ = Ψ v⁰ + ε,   v² = Ψᵀ v¹ / P,   v³ = A v²,   v⁴ = Aᵀ v³ / N,   v⁰ = w − B v⁴,

in which the last relation is the training rule.  On a time grid t₀ … t_L every causal linear rule
is a lower triangular matrix B: n steps of gradient descent are B_{nm} = η for m < n, heavy ball is
B_{nm} = η (1 − β^{n−m})/(1 − β), and gradient flow is any quadrature of v⁰(t) = w − ∫₀^t v⁴(s) ds.

For large M, N, P the matrices Ψ (rows of covariance Λ) and A (unit variance) are replaced by
Gaussian fields and response matrices (equations (30) to (33); all L×L and lower triangular):

    v¹ = u¹ + R₀₂ v¹ / P            u¹ ~ (0, C₀ + σ² 1 1ᵀ)       R₀₂ = Σ_k λ_k ∂v⁰_k/∂u²_k
    v²_k = u²_k + λ_k R₁ v⁰_k        u²_k ~ (0, λ_k C₁ / P)        R₁ = ∂v¹/∂u¹
    v³ = u³ + R₂₄ v³ / N            u³ ~ (0, C₂)                  R₂₄ = Σ_k ∂v²_k/∂u⁴_k
    v⁴_k = u⁴_k + R₃ v²_k            u⁴_k ~ (0, C₃ / N)            R₃ = ∂v³/∂u³
    v⁰_k = w_k 1 − B v⁴_k

with C₀ = Σ λ_k⟨v⁰_k v⁰_kᵀ⟩, C₁ = ⟨v¹v¹ᵀ⟩, C₂ = Σ ⟨v²_k v²_kᵀ⟩, C₃ = ⟨v³v³ᵀ⟩.  Without the fields,

    G_k = (I + λ_k X)^{-1},  X = B R₃ R₁,  D = Σ_k (I − G_k),
    R₁ = I − D/P,   B R₃ = (I − D/N) B,   so   X = (I − D/N) B (I − D/P),                    (a)
    C₀ = Σ w²λ g gᵀ + (1/N) Σ λ E C₃ Eᵀ + (1/P) Σ λ² F C₁ Fᵀ,     g = G 1, E = G B, F = E R₃
    C₂ = Σ w²λ² (R₁g)(R₁g)ᵀ + (1/N) Σ λ² (R₁E) C₃ (R₁E)ᵀ + (1/P) Σ λ (I − λR₁F) C₁ (I − λR₁F)ᵀ
    C₁ = R₁ (C₀ + σ² 1 1ᵀ) R₁ᵀ,   C₃ = R₃ C₂ R₃ᵀ.                                            (b)

(a) is the scalar equation z = κ(1 − D₁/N)(1 − D₁/P) with matrices in place of 1/z = B and 1/κ = X.
Both (a) and (b) are causal, so they are solved row after row; nothing is assumed about
time-translation invariance and no Fourier or Laplace transform is taken.  The cost is O(M L³) and
the memory O(M L²): this is the slow, obvious oracle for the fast evaluation in `analytic`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvable.analytic.errors import InputError, PrecisionError

Matrix = NDArray[Any]

RESIDUAL_TOLERANCE = 1e-8
"""Largest accepted relative residual of the mean-field equations, re-inserted after solving."""


@dataclass(frozen=True)
class MeanField:
    """A solution of the mean-field equations on a time grid.

    The matrices are shaped *(L, L)*, row = later index; `transfer` is ⟨v⁰_k(t)⟩/w_k = H_k(t),
    shaped *(M, L)*; `residual` is the largest entry by which the matrices fail equations (a) and
    (b) when inserted again, relative to the largest entry.
    """

    transfer: Matrix
    data_response: Matrix
    feature_response: Matrix
    correlations: tuple[Matrix, Matrix, Matrix, Matrix]
    residual: float

    @property
    def excess_loss(self) -> Matrix:
        """Excess test loss C₀(t, t) = Σ λ_k ⟨v⁰_k(t)²⟩ at every grid time, shaped *(L,)*."""
        return np.diag(self.correlations[0]).copy()

    @property
    def train_loss(self) -> Matrix:
        """Mean squared training residual C₁(t, t), label noise included, shaped *(L,)*."""
        return np.diag(self.correlations[1]).copy()


def gradient_descent_update(steps: int, step_size: float) -> Matrix:
    """B of gradient descent v⁰ₙ₊₁ = v⁰ₙ − η v⁴ₙ: η strictly below the diagonal; *(steps+1)²*.

    >>> gradient_descent_update(2, 0.5)
    array([[0. , 0. , 0. ],
           [0.5, 0. , 0. ],
           [0.5, 0.5, 0. ]])
    """
    return step_size * np.tri(steps + 1, k=-1)


def momentum_update(steps: int, step_size: float, momentum: float) -> Matrix:
    """B of heavy ball v⁰ₙ₊₁ = v⁰ₙ − η v⁴ₙ + β (v⁰ₙ − v⁰ₙ₋₁): η (1 − β^{n−m})/(1 − β) for m < n."""
    if not 0 <= momentum < 1:
        raise InputError("momentum", momentum, "a number in [0, 1)")
    lag = np.subtract.outer(np.arange(steps + 1), np.arange(steps + 1))
    return np.where(lag > 0, step_size * (1 - momentum ** np.maximum(lag, 0)) / (1 - momentum), 0.0)


def flow_update(times: ArrayLike, rule: str = "trapezoid", ridge: float = 0.0) -> Matrix:
    """B of gradient flow with weight decay, v⁰ = w − f with ḟ = v⁴ − g f, on the grid `times`.

    `rule` is "euler" (left end points, first order), "backward" (right end points, first order) or
    "trapezoid" (second order); `times` ascend from 0 and may be spaced unevenly; `ridge` is g.
    """
    grid = np.asarray(times, dtype=float)
    if grid.ndim != 1 or grid.size < 2 or grid[0] != 0 or np.any(np.diff(grid) <= 0):
        raise InputError("times", times, "at least two ascending times, the first of them 0")
    steps = np.tri(grid.size, k=-1)[:, :-1] * np.diff(grid)
    left, right = np.zeros((2, grid.size, grid.size))
    left[:, :-1], right[:, 1:] = steps, steps
    weights = {"euler": left, "backward": right, "trapezoid": (left + right) / 2}
    if rule not in weights:
        raise InputError("rule", rule, "one of " + ", ".join(weights))
    integral = weights[rule]  # f = integral (v⁴ − g f)
    return np.tril(np.linalg.solve(np.eye(grid.size) + ridge * integral, integral))


def graded_times(time: float, points: int, fastest: float = 1.0) -> Matrix:
    """A smooth grid from 0 to `time`: steps of about `fastest`·x at first, then proportional to t.

    t(x) = fastest·(eˣ − 1) at `points` + 1 equidistant x; refining it keeps the even powers of the
    spacing in the error of the trapezoid rule, which is what extrapolation needs.
    """
    return fastest * np.expm1(np.linspace(0, math.log1p(time / fastest), points + 1))


def solve_mean_field(
    eigenvalues: ArrayLike, target_power: ArrayLike, update: Matrix, *, features: float = math.inf,
    samples: float = math.inf, noise: float = 0.0, shared_features: bool = True,
    shared_data: bool = True,
) -> MeanField:  # fmt: skip
    """Solve equations (a) and (b) for the training rule B = `update`.

    `eigenvalues` λ_k and `target_power` w_k²λ_k are shaped *(M,)*, `update` is lower triangular
    with nonnegative diagonal, shaped *(L, L)*; `noise` is σ².  With `shared_features`
    (`shared_data`) false the correlations are those between two learners that differ in A (in Ψ):
    the terms with C₃/N (with C₁/P) are left out, as in equations (110) and (113).

    >>> lam = np.array([1.0, 0.5])
    >>> exact = [sum(lam * (1 - 0.3 * lam) ** (2 * n)) for n in range(3)]
    >>> loss = solve_mean_field(lam, lam, gradient_descent_update(2, 0.3)).excess_loss
    >>> bool(np.allclose(loss, exact))
    True
    """
    for name, value in (("features", features), ("samples", samples)):
        if not value > 0:
            raise InputError(name, value, "a positive number or inf")
    lam, power = np.asarray(eigenvalues, float), np.asarray(target_power, float)
    propagators, deficit = _responses(lam, update, features, samples)
    data_response, feature_response, residual = _read_responses(
        lam, update, propagators, deficit, features, samples
    )
    sums = _ModeSums(lam, power, update, propagators, data_response, feature_response)
    rates = (
        1 / samples if shared_data else 0.0,
        1 / features if shared_features else 0.0,
    )
    correlations = _correlations(sums, *rates, noise)
    residual = max(residual, _correlation_residual(sums, correlations, *rates, noise))
    if not residual < RESIDUAL_TOLERANCE:
        raise PrecisionError(f"the mean-field equations are met only to {residual:.1e}")
    transfer = propagators.sum(axis=2)
    return MeanField(transfer, data_response, feature_response, correlations, residual)


def gradient_flow(
    eigenvalues: ArrayLike, target_power: ArrayLike, time: float, *, points: int = 24,
    levels: int = 3, ridge: float = 0.0, **model: float,
) -> tuple[Matrix, Matrix]:  # fmt: skip
    """Excess and training loss of gradient flow at `time`, extrapolated, with an error estimate.

    The trapezoid rule on `points`, 2·`points`, … graded steps (`levels` grids) is extrapolated in
    even powers of the spacing.  Returns two arrays *(2,)*: (excess loss, training loss) and the
    difference of the last two diagonal entries of the extrapolation table.
    """

    def losses(steps: int) -> Matrix:
        update = flow_update(graded_times(time, steps), "trapezoid", ridge)
        solution = solve_mean_field(eigenvalues, target_power, update, **model)  # type: ignore[arg-type]
        return np.array([solution.excess_loss[-1], solution.train_loss[-1]])

    return extrapolate(losses, points, levels)


def extrapolate(
    values: Callable[[int], Matrix], points: int, levels: int, order: int = 2
) -> tuple[Matrix, Matrix]:
    """Richardson's table for values(points·2^j), errors in powers of points^−`order`.

    >>> value, error = extrapolate(lambda n: np.array([1 + 1 / n**2 + 3 / n**4]), 2, 3)
    >>> bool(np.allclose(value, 1))
    True
    """
    column = [values(points * 2**level) for level in range(levels)]
    previous = column[0]
    for depth in range(1, levels):
        previous = column[-1]
        factor = 2.0 ** (order * depth)
        column = [(factor * fine - coarse) / (factor - 1) for coarse, fine in pairwise(column)]
    return column[-1], np.abs(column[-1] - previous)


def forcing_and_kernel(
    eigenvalues: ArrayLike, target_power: ArrayLike, steps: int, step_size: float, batch: float,
    features: float = math.inf,
) -> tuple[Matrix, Matrix]:  # fmt: skip
    """F_n = Σ_x V₀(x) q(x)ⁿ and K_n = Σ_x x² q(x)ⁿ for n ≤ `steps`, x the kernel's eigenvalues.

    With p = 1 − ηx, q = p² + (1 − p)²/B is a polynomial, and Σ V₀ p^k and Σ p^k are the loss and
    the transfer of gradient descent on the population. The binomials lose digits as (1 + 4/B)ⁿ.
    """
    update = gradient_descent_update(2 * steps + 2, step_size)
    solution = solve_mean_field(eigenvalues, target_power, update, features=features)
    powers, traces = solution.correlations[0][0], solution.transfer.sum(axis=0)
    forcing, kernel = np.zeros((2, steps + 1))
    power = np.ones(1)
    for n in range(steps + 1):
        forcing[n] = power @ powers[: len(power)]
        square = np.convolve(power, [1, -2, 1])
        kernel[n] = square @ traces[: len(square)] / step_size**2
        power = np.convolve(power, [1 / batch, -2 / batch, 1 + 1 / batch])
    return forcing, kernel


def one_pass_sgd(
    eigenvalues: ArrayLike, target_power: ArrayLike, *, steps: int, step_size: float, batch: float,
    features: float = math.inf, noise: float = 0.0,
) -> Matrix:  # fmt: skip
    """Excess loss after 0 … `steps` steps of one-pass SGD, shaped *(steps+1,)*, for few steps.

    Every step draws its own Gaussian batch: L_n = F_n + (η²/B) Σ_m K_{n−1−m} (L_m + σ²).

    >>> lam = np.array([1.0])  # one mode: L_{n+1} = ((1−η)² + 2 η²/B) L_n
    >>> loss = one_pass_sgd(lam, lam, steps=2, step_size=0.5, batch=4)
    >>> bool(np.allclose(loss, [1, 0.375, 0.375**2]))
    True
    """
    forcing, kernel = forcing_and_kernel(
        eigenvalues, target_power, steps, step_size, batch, features
    )
    loss = np.zeros(steps + 1)
    for n in range(steps + 1):
        loss[n] = forcing[n] + step_size**2 / batch * kernel[:n][::-1] @ (loss[:n] + noise)
    return loss


def _responses(
    lam: Matrix, update: Matrix, features: float, samples: float
) -> tuple[Matrix, Matrix]:
    """G_k, shaped *(M, L, L)*, and D, shaped *(L, L)*, of equation (a), one row after the other."""
    if update.ndim != 2 or np.any(np.triu(update, 1)) or np.any(np.diag(update) < 0):
        raise InputError(
            "update", f"shaped {update.shape}", "lower triangular matrices, diagonal not negative"
        )
    size = len(update)
    propagators = np.zeros((lam.size, size, size))
    deficit, partial = np.zeros((2, size, size))  # D and Y = B (I − D/P)
    identity = np.eye(size)
    for n in range(size):
        own = update[n, n]
        diagonal = _diagonal(lam, own, features, samples)
        gain = 1 / (1 + lam * diagonal)  # G_k[n, n]
        delta = float(np.sum(lam * diagonal * gain))
        past = propagators[:, :n, :n]
        # d = x·slope is the row of D that a row x of X makes
        slope = np.tensordot(lam * gain, past, axes=1)
        rest = 1 - delta / features
        couple = rest * own / samples * identity[:n, :n] + partial[:n, :n] / features
        source = rest * update[n, :n] @ (identity - deficit / samples)[:n, :n]
        row = np.linalg.solve((identity[:n, :n] + slope @ couple).T, source) if n else source
        deficit[n, :n], deficit[n, n] = row @ slope, delta
        partial[n, : n + 1] = update[n, : n + 1] @ (identity - deficit / samples)[: n + 1, : n + 1]
        propagators[:, n, :n] = -(lam * gain)[:, None] * np.einsum("m,kmn->kn", row, past)
        propagators[:, n, n] = gain
    return propagators, deficit


def _diagonal(lam: Matrix, own: float, features: float, samples: float) -> float:
    """X[n, n] from B[n, n] = b: x = b (1 − d/N)(1 − d/P) with d = Σ λx/(1 + λx) < min(N, P)."""
    if own == 0:
        return 0.0
    from scipy.optimize import brentq

    def excess(x: float) -> float:
        degrees = float(np.sum(lam * x / (1 + lam * x)))
        return x - own * max(0, 1 - degrees / features) * max(0, 1 - degrees / samples)

    return float(brentq(excess, 0.0, own, xtol=1e-300, rtol=1e-14, maxiter=500))


def _read_responses(
    lam: Matrix, update: Matrix, propagators: Matrix, deficit: Matrix, features: float,
    samples: float,
) -> tuple[Matrix, Matrix, float]:  # fmt: skip
    """R₁, R₃ and the residual of their definitions by the fields' responses R₀₂ and R₂₄."""
    identity = np.eye(len(update))
    data_response = identity - deficit / samples
    weighted = np.tensordot(lam, propagators, axes=1)  # Σ λ G
    inner = -data_response @ weighted @ update  # R₂₄ = Σ ∂v²/∂u⁴
    feature_response = np.linalg.inv(identity - inner / features)
    outer = -weighted @ update @ feature_response  # R₀₂ = Σ λ ∂v⁰/∂u²
    failure = data_response - identity - outer @ data_response / samples
    return data_response, feature_response, float(np.abs(failure).max())


class _ModeSums:
    """The four response matrices per mode, and the row-wise sums Σ_k f_k A_k C A_kᵀ of (b)."""

    def __init__(
        self, lam: Matrix, power: Matrix, update: Matrix, propagators: Matrix,
        data_response: Matrix, feature_response: Matrix,
    ) -> None:  # fmt: skip
        self.data_response, self.feature_response = data_response, feature_response
        start = propagators.sum(axis=2)  # g = G 1
        trained = start @ data_response.T  # R₁ g
        self.target = (power * start.T) @ start  # Σ w²λ g gᵀ
        self.target_inner = (power * lam * trained.T) @ trained  # Σ w²λ² (R₁g)(R₁g)ᵀ
        to_features = propagators @ update  # E
        to_data = to_features @ feature_response  # F
        inner_data = np.eye(len(update)) - lam[:, None, None] * (data_response @ to_data)
        self.terms = {  # (weights f_k, matrices A_k): C₀ from C₃ and C₁, C₂ from C₃ and C₁
            (0, 3): (lam, to_features),
            (0, 1): (lam**2, to_data),
            (2, 3): (lam**2, data_response @ to_features),
            (2, 1): (lam, inner_data),
        }

    def row(self, key: tuple[int, int], known: Matrix, n: int) -> tuple[Matrix, Matrix]:
        """Row n of Σ_k f_k A_k C A_kᵀ as fixed + C[n, :n+1] @ transfer, given C[:n, :n]."""
        weights, matrices = self.terms[key]
        return _split_row(weights, matrices, known, n)


def _split_row(weights: Matrix, matrices: Matrix, known: Matrix, n: int) -> tuple[Matrix, Matrix]:
    """Row n of Σ_k f_k A_k C A_kᵀ: what C[:n, :n] gives, and a map of the row C[n, :n+1]."""
    latest = weights[:, None] * matrices[:, n, : n + 1]
    until = matrices[:, : n + 1, : n + 1]
    fixed = np.einsum("kmi,ki->m", until[:, :, :n], latest[:, :n] @ known[:n, :n], optimize=True)
    transfer = np.tensordot(latest[:, n], until, axes=1).T
    transfer[:n, n] *= 2  # C[n, i] and C[i, n] both enter the corner entry
    return fixed, transfer


def _correlations(
    sums: _ModeSums, data_rate: float, feature_rate: float, noise: float,
) -> tuple[Matrix, Matrix, Matrix, Matrix]:  # fmt: skip
    """C₀ … C₃ of (b)."""
    size = len(sums.target)
    zero, one, two, three = np.zeros((4, size, size))
    unit = np.ones(1)
    for n in range(size):
        now = slice(0, n + 1)
        fixed3, a03 = sums.row((0, 3), three, n)
        fixed1, a01 = sums.row((0, 1), one, n)
        inner3, a23 = sums.row((2, 3), three, n)
        inner1, a21 = sums.row((2, 1), one, n)
        outer1, r1 = _split_row(unit, sums.data_response[None], zero + noise, n)
        outer3, r3 = _split_row(unit, sums.feature_response[None], two, n)
        zero_fixed = sums.target[n, now] + feature_rate * fixed3 + data_rate * fixed1
        two_fixed = sums.target_inner[n, now] + feature_rate * inner3 + data_rate * inner1
        # c₁ = outer1 + (c₀ + σ²) r1, c₃ = outer3 + c₂ r3, with c₀ and c₂ linear in (c₁, c₃)
        system = np.eye(2 * (n + 1))
        a01, a21 = data_rate * a01, data_rate * a21
        system -= np.block(
            [[a01 @ r1, a21 @ r3], [feature_rate * a03 @ r1, feature_rate * a23 @ r3]]
        )
        right = np.concatenate([outer1 + (zero_fixed + noise) @ r1, outer3 + two_fixed @ r3])
        c1, c3 = np.split(np.linalg.solve(system.T, right), 2)
        c0 = zero_fixed + feature_rate * c3 @ a03 + c1 @ a01
        c2 = two_fixed + feature_rate * c3 @ a23 + c1 @ a21
        for matrix, row in ((zero, c0), (one, c1), (two, c2), (three, c3)):
            matrix[n, now] = matrix[now, n] = row
    return zero, one, two, three


def _correlation_residual(
    sums: _ModeSums, correlations: tuple[Matrix, Matrix, Matrix, Matrix], data_rate: float,
    feature_rate: float, noise: float,
) -> float:  # fmt: skip
    """Largest failure of (b) when whole matrices are inserted, relative to the largest entry."""
    zero, one, two, three = correlations

    def full(key: tuple[int, int], inner: Matrix) -> Matrix:
        weights, matrices = sums.terms[key]
        left = weights[:, None, None] * matrices @ inner
        return np.einsum("kmi,kni->mn", left, matrices, optimize=True)

    outer = feature_rate * full((0, 3), three) + data_rate * full((0, 1), one)
    inner = feature_rate * full((2, 3), three) + data_rate * full((2, 1), one)
    failures = (
        zero - sums.target - outer,
        two - sums.target_inner - inner,
        one - sums.data_response @ (zero + noise) @ sums.data_response.T,
        three - sums.feature_response @ two @ sums.feature_response.T,
    )
    scales = (zero, two, one, three)
    return max(
        float(np.abs(failure).max() / np.abs(scale).max())
        for failure, scale in zip(failures, scales, strict=True)
    )
