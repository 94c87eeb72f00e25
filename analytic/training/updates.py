r"""One step of a linear stochastic rule: a small matrix for the state of every mode.

At the eigenvalue x of the kernel the state s of a mode, the residual u first, makes the step

    s' = A₀ s + b (x u + noise of the gradient),

with A₀ *(d, d)* and b *(d,)* of the rule alone. With rates η, momenta β, weight decay w, start u₀:

| rule | state | step |
|---|---|---|
| descent | u | u' = u − ηg |
| momentum | u, y | y' = βy + ηg,  u' = u − y' |
| dimension-adapted momentum | u, y | y' = (1 − Δ)y + γ₁g,  u' = u − γ₂g − γ₃y' |
| with weight decay | …, u₀ | g + w(u − u₀) for g |
| average of the iterates | …, ū | ū' = ū + α(u' − ū) |

g = xu + noise. As the noise of a batch has the variance x²[(c − 1)V₀₀ + g_B ℓ], V = E ssᵀ and g_B
its strength at the rate 1 (`stochastic_gradient`), second moments close, V the symmetric one at an
eigenvalue or that between two eigenvalues x and x',

    V' = A V A'ᵀ + [(c − 1) xx' V₀₀ + g_B xx' ℓ] bbᵀ,      A = A₀ + x b e₀ᵀ.

Sources: Polyak 1964; Polyak and Juditsky 1992; Ferbach et al., Dimension-adapted momentum
outscales SGD, 2025, for the third line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from .schedules import Schedule

Array = np.ndarray


@dataclass(frozen=True)
class Update:
    """``matrices(n)`` gives A₀ *(k, d, d)* and b *(k, d)* of the steps n *(k,)* of one piece.

    ``start`` is the state at the start relative to u₀, ``read`` the component that is scored, and
    ``schedules`` what the coefficients depend on.
    """

    matrices: Callable[[Array], tuple[Array, Array]]
    start: tuple[float, ...]
    schedules: tuple[Schedule, ...]
    read: int = 0

    def moments(self, n: Array, share: Array, curvature: Array, x: Array, x_prime: Array | None
                ) -> tuple[Array, Array]:  # fmt: skip
        """1 − M and the source of white noise of the moments, *(modes, k, m, m)* and *(k, m)*.

        ``share`` g_B and ``curvature`` c are *(k,)*, the eigenvalues *(modes,)*; without
        ``x_prime`` the moments are the d(d + 1)/2 different ones, else all d².
        """
        fixed, push = self.matrices(n)
        size, count = fixed.shape[-1], len(fixed)
        first = np.zeros(size)
        first[0] = 1
        gradient = push[:, :, None] * first

        def paired(a: Array, b: Array) -> Array:
            product = a[:, :, None, :, None] * b[:, None, :, None, :]
            return product.reshape(count, size**2, size**2)

        still = np.eye(size**2) - paired(fixed, fixed)
        left, right = paired(gradient, fixed), paired(fixed, gradient)
        both = curvature[:, None, None] * paired(gradient, gradient)
        source = share[:, None] * (push[:, :, None] * push[:, None]).reshape(count, -1)
        x = x[:, None, None, None]
        if x_prime is None:
            kept, spread = _symmetric(size)
            still, slope, both = (kept @ y @ spread for y in (still, left + right, both))
            return still - x * (slope + x * both), source @ kept.T
        x_prime = x_prime[:, None, None, None]
        return still - x * left - x_prime * right - x * x_prime * both, source

    def initial(self, pairs: bool) -> tuple[Array, int]:
        """The moments at the start relative to u₀², and the index of the one that is scored."""
        start = np.outer(self.start, self.start).ravel()
        where = self.read * (len(self.start) + 1)
        if not pairs:
            kept, _ = _symmetric(len(self.start))
            return kept @ start, int(np.argmax(kept[:, where]))
        return start, where


@cache
def _symmetric(size: int) -> tuple[Array, Array]:
    """Matrices that keep the upper triangle of a flat symmetric matrix, and restore it."""
    rows, columns = np.triu_indices(size)
    index = np.arange(len(rows))
    kept, spread = np.zeros((len(rows), size**2)), np.zeros((size**2, len(rows)))
    kept[index, rows * size + columns] = 1
    spread[rows * size + columns, index] = spread[columns * size + rows, index] = 1
    return kept, spread


def descent(rates: Schedule, momenta: Schedule, decay: float = 0.0) -> Update:
    """Gradient steps, with momentum where ``momenta`` are not zero, and weight decay.

    >>> from solvable.analytic.training.schedules import schedule
    >>> rates, momenta = schedule("constant", 0.5, 9), schedule("constant", 0.25, 9)
    >>> fixed, push = descent(rates, momenta).matrices(np.array([0.0]))
    >>> fixed[0].tolist(), push[0].tolist()
    ([[1.0, -0.25], [0.0, 0.25]], [-0.5, 0.5])
    """
    heavy = bool(np.any(momenta.sampled() > 0))
    size = 1 + heavy + (decay > 0)

    def matrices(n: Array) -> tuple[Array, Array]:
        eta = rates.continued(n)
        fixed, push = np.zeros((len(n), size, size)), np.zeros((len(n), size))
        fixed[:, 0, 0], push[:, 0] = 1, -eta
        if heavy:
            beta = momenta.continued(n)
            fixed[:, 1, 1], fixed[:, 0, 1], push[:, 1] = beta, -beta, eta
        if decay:
            fixed[:, -1, -1] = 1
            fixed[:, :-1, 0] += decay * push[:, :-1]
            fixed[:, :-1, -1] -= decay * push[:, :-1]
        return fixed, push

    start = (1.0,) + (0.0,) * heavy + (1.0,) * (decay > 0)
    return Update(matrices, start, (rates, momenta) if heavy else (rates,))


def adapted_momentum(rates: Schedule, pulls: Schedule, forgetting: Schedule) -> Update:
    """y' = (1 − Δ)y + g, u' = u − γ₂g − γ₃y', with γ₂, γ₃ and Δ of every step.

    >>> from solvable.analytic.training.schedules import schedule
    >>> one = schedule("constant", 0.5, 9)
    >>> adapted_momentum(one, one, one).matrices(np.array([0.0]))[0][0].tolist()
    [[1.0, -0.25], [0.0, 0.5]]
    """

    def matrices(n: Array) -> tuple[Array, Array]:
        step, pull = rates.continued(n), pulls.continued(n)
        kept = 1 - forgetting.continued(n)
        fixed, push = np.zeros((len(n), 2, 2)), np.zeros((len(n), 2))
        fixed[:, 0, 0], fixed[:, 0, 1], fixed[:, 1, 1] = 1, -pull * kept, kept
        push[:, 0], push[:, 1] = -step - pull, 1
        return fixed, push

    return Update(matrices, (1.0, 0.0), (rates, pulls, forgetting))


def averaged(update: Update, weights: Schedule) -> Update:
    """The same, scored at the average ū of its iterates, ū' = ū + α(u' − ū).

    >>> from solvable.analytic.training.schedules import flat_schedule
    >>> one, none = flat_schedule("step", 0.5), flat_schedule("momentum", 0.0)
    >>> fixed, push = averaged(descent(one, none), one).matrices(np.array([0.0]))
    >>> fixed[0].tolist(), push[0].tolist()
    ([[1.0, 0.0], [0.5, 0.5]], [-0.5, -0.25])
    """

    def matrices(n: Array) -> tuple[Array, Array]:
        fixed, push = update.matrices(n)
        alpha, last = weights.continued(n), fixed.shape[-1]
        fixed = np.pad(fixed, ((0, 0), (0, 1), (0, 1)))
        fixed[:, last] = alpha[:, None] * fixed[:, 0]
        fixed[:, last, last] = 1 - alpha
        return fixed, np.concatenate([push, (alpha * push[:, 0])[:, None]], axis=1)

    start = (*update.start, 1.0)
    return Update(matrices, start, (*update.schedules, weights), len(update.start))
