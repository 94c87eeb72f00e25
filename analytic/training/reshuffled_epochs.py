r"""The mean field of reshuffled epochs, on the grid of all steps.

In each epoch of E = T/B steps every sample is used once, in an order drawn anew. With s_m ∈ {0, 1}
saying whether a sample is used in step m, its residual v¹ = r obeys

    r_n = u_n + (E/T) Σ_m R₀₂(n, m) s_m r_m,        u ~ (0, Ĉ),   Ĉ = C₀ + σ²,    (m < n)

R₀₂ = Σ_k λ_k ∂v⁰_k/∂u²_k being the response of the error to a push by a sample,

and where it is used, only earlier epochs have moved it: s_n r_n = s_n r°_n with the sum over m of
earlier epochs, R₀₂^<. There s_n is independent of r°_n, and ζ_n = (E s_n − 1) r°_n is noise that is
white between epochs. So with ρ = E r°r°ᵀ, and [·] what lies inside an epoch,

    R₁ = (1 − R₀₂^</T)^{-1},    ρ = R₁(Ĉ + R₀₂^< Z R₀₂^<ᵀ/T²)R₁ᵀ,    Z = [E diag ρ − ρ],
    Q = E² cov(s r°) = ρ + Z,

are what R₁ and C₁ are for gradient descent: the mean drift, and Q/T the covariance of the gradient
per λ. The features do not know of batches, so that with η the rates, B_nm = η for m < n, the other
equations are those of the dynamical paper (eqs. 30–33) for any linear rule, at any N,

    G_k = (1 + λ_kX)^{-1},  X = B₃R₁,  B₃ = (1 − D/N)B,  D = Σ_k (1 − G_k),  R₀₂ = −Σ_k λ_kG_kB₃,
    V_k = w_k² G11ᵀGᵀ + F(C₂/N + λ_kQ/T)Fᵀ,  F = G_kB₃,  C₀ = Σ_k λ_kV_k,
    C₂ = Σ_k λ_k²R₁(w_k² G11ᵀGᵀ + FC₂Fᵀ/N)R₁ᵀ + (λ_k/T)(1 − λ_kR₁F)Q(1 − λ_kR₁F)ᵀ.

E = 1 is gradient descent, one epoch is one pass of the batches. It is exact for large T and
B of one order. Of relative order 1/B a mode also moves its own noise, λ²[E diag − 1](R₁V_kR₁ᵀ)/T
for V_k = ⟨v⁰_kv⁰_kᵀ⟩, which is kept and makes the first epoch exact at N = ∞.

The training loss counts the samples that the present epoch has used,

    L̂_n = ρ_nn + (2/T) Σ_m R₀₂(n, m) ρ_nm + (E/T²) Σ_m R₀₂(n, m)² ρ_mm,     m < n in its epoch.

All steps matter to all later ones and none is like another, so the cost is O(M L³) for L steps: a
closed form in time, as that of batches drawn anew (`scheduled_training`), is not known.

Source: this package, from the dynamical paper, eqs. (30)–(33).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import count, nonnegative, positive
from ..errors import InputError, PrecisionError

Array = np.ndarray

MOST_STEPS, MOST_ENTRIES = 400, 1e7  # of a run, and of the matrices of all modes
FIRST, OVERFLOW = 2, 1e5  # steps of a first try, all others being left if the loss grows so much
ITERATIONS, SETTLED = 400, 1e-13


@dataclass(frozen=True)
class EpochLoss:
    """Excess loss Σ λ_k⟨v_k²⟩ and training loss after 0, 1, … steps, *(L + 1,)* each.

    Made by `reshuffled_epochs`, with its errors. Source: this package.
    """

    excess_loss: Array
    train_loss: Array


def reshuffled_epochs(
    eigenvalues: ArrayLike, target_power: ArrayLike, *, features: float, samples: int, batch: int,
    step: float, steps: int, noise: float = 0.0,
) -> EpochLoss:  # fmt: skip
    """The mean losses of SGD on ``samples`` in epochs of batches, reshuffled for each.

    ``eigenvalues`` λ_k and ``target_power`` w_k²λ_k are *(M,)*; ``features`` N may be infinite.
    Losses that have grown by `OVERFLOW` are infinite later.
    Raises `InputError` where the batch does not divide the samples, `PrecisionError` for more steps
    or modes than are held at once. Source: this package, from the dynamical paper, eqs. (30)–(33).

    >>> lam = np.array([1.0, 0.5])
    >>> model = {"features": np.inf, "samples": 100, "step": 0.1, "steps": 3}
    >>> found = reshuffled_epochs(lam, lam, batch=20, **model).excess_loss
    >>> bool(np.all(np.diff(found) < 0))
    True
    """
    samples, batch = count("samples", samples), count("batch", batch)
    if samples % batch:
        raise InputError("batch", batch, f"a divisor of the {samples} samples")
    if not count("steps", steps) <= MOST_STEPS:
        raise PrecisionError(f"reshuffled epochs are followed for {MOST_STEPS} steps at most")
    if np.size(eigenvalues) * (steps + 1) ** 2 > MOST_ENTRIES:
        raise PrecisionError(
            f"{steps} steps of reshuffled epochs are followed for "
            f"{MOST_ENTRIES / (steps + 1) ** 2:.0f} modes at most, not {np.size(eigenvalues)}"
        )
    step, noise = float(positive("step", step)), float(nonnegative("noise", noise))
    lam, power = np.asarray(eigenvalues, float), np.asarray(target_power, float)
    last = min(FIRST, steps)
    while True:
        update = step * np.tri(last + 1, k=-1)
        sizes = float(features), float(samples), samples // batch
        found = _Epochs(lam, power, *sizes, noise, update).losses()
        overflow = not found.excess_loss[-1] < OVERFLOW * found.excess_loss[0]
        if last == steps or overflow:
            break
        last = min(2 * last, steps)
    rest = np.full(steps - last, math.inf)
    return EpochLoss(*(np.concatenate([x, rest]) for x in (found.excess_loss, found.train_loss)))


@dataclass
class _Epochs:
    """One model; matrices are *(L + 1, L + 1)*, row = later, those of modes have one axis more."""

    eigenvalues: Array
    power: Array
    features: float
    samples: float
    length: int
    noise: float
    update: Array

    def __post_init__(self) -> None:
        self.unit = np.eye(len(self.update))
        self.data_response: Array = self.unit
        epoch = np.arange(len(self.update)) // self.length
        self.same = epoch[:, None] == epoch
        self.respond()

    def respond(self) -> None:
        """G, F = G(1 − D/N)B, R₁ and R₀₂: causal, so that iterating ends."""
        lam, unit = self.eigenvalues[:, None, None], self.unit

        def improved(sums: Array) -> Array:
            """Σ λ G from itself: D = B₃R₁ΣλG gives B₃ = (1 + BR₁ΣλG/N)^{-1}B, and this R₁ and X."""
            held = unit + self.update @ self.data_response @ sums / self.features
            self.drive = drive = np.linalg.solve(held, self.update)
            self.response = -sums @ drive
            self.data_response = np.linalg.inv(unit - np.where(self.same, 0, self.response)
                                               / self.samples)  # fmt: skip
            self.propagators = np.linalg.inv(unit + lam * (drive @ self.data_response))
            return np.sum(lam * self.propagators, axis=0)

        _settle(improved, float(self.eigenvalues.sum()) * unit)
        self.moved = self.propagators @ self.drive

    def reshuffling(self, rho: Array) -> Array:
        """[E diag ρ − ρ]."""
        diagonal = np.einsum("...ii->...i", rho)[..., None] * self.unit
        return self.length * diagonal - np.where(self.same, rho, 0)

    def losses(self) -> EpochLoss:
        """Solve for the covariances: linear and causal, too."""
        lam, t, n = self.eigenvalues[:, None, None], self.samples, self.features
        r1, f, size = self.data_response, self.moved, len(self.unit)
        start = self.propagators.sum(axis=2)
        own = (self.power / self.eigenvalues)[:, None, None] * start[:, :, None] * start[:, None, :]
        seen = r1 @ f
        kept = self.unit - lam * seen
        back = np.where(self.same, 0, self.response) / t

        def improved(state: Array) -> Array:
            rho, second, modes = state[0], state[1], state[2:]
            q = rho + self.reshuffling(rho)
            noise = lam * q / t + lam**2 * self.reshuffling(r1 @ modes @ r1.T) / t
            modes = own + f @ (second / n + noise) @ f.swapaxes(1, 2)
            excess = np.sum(lam * modes, axis=0)
            drift = own + f @ (second / n) @ f.swapaxes(1, 2)
            second = np.sum(
                lam**2 * (r1 @ drift @ r1.T) + kept @ noise @ kept.swapaxes(1, 2), axis=0
            )
            again = back @ self.reshuffling(rho) @ back.T
            rho = r1 @ (excess + self.noise + again) @ r1.T
            return np.concatenate([rho[None], second[None], modes])

        state = _settle(improved, np.zeros((2 + len(self.eigenvalues), size, size)))
        rho, response = state[0], np.where(self.same, np.tril(self.response, -1), 0) / t
        used = 2 * response * rho + self.length * response**2 * np.diag(rho)
        excess = np.einsum("k,kii->i", self.eigenvalues, state[2:])
        return EpochLoss(excess, np.diag(rho) + used.sum(axis=1))


def _settle(improved: Callable[[Array], Array], start: Array) -> Array:
    """The fixed point of a causal map."""
    for _ in range(ITERATIONS):
        found = improved(start)
        if np.abs(found - start).max() <= SETTLED * np.abs(found).max():
            return found
        start = found
    raise PrecisionError(f"not settled after {ITERATIONS} iterations")
