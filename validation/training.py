r"""Train and score: every full-batch rule from one factorisation of φ.

With φ = U S Vᵀ (thin, of rank r) a rule of gain g (`analytic.training.learners`) reaches θ = A y,
A = U f Vᵀ, f_i = s_i g(s_i²/NT)/NT. The excess loss and the training loss are then quadratic
forms in f, or in h = s f:

    excess   = Σλw² − 2 Σ_i f_i (UᵀCV)_ii + Σ_ij f_i f_j (UᵀKU)_ij (Vᵀ(G + σ²)V)_ij,
    training = (1/T) tr (1 − V h Vᵀ)(G + σ²)(1 − V h Vᵀ),

so that a hundred ridges or times cost little more than one. Members (feature draws, data draws)
have their own factors, and the prediction averaged over them gives the same quadratic forms in
the f of all members, side by side; its training loss is taken over the data of all draws.

The rank is revealed by the singular values: those below the rounding error of φ itself and of the
factorisation are zero. Entrywise the first is ~ε‖φ‖_F/√(NT), and as a random matrix of this size
its norm is (√N + √T) times that; the second is ~ε‖φ‖. `RANK_SAFETY` times both is the threshold.
Ridgeless regression is the pseudo-inverse on what remains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from solvable.analytic.training.learners import OnePassSGD
from solvable.analytic.training.training_rule import Filter

from .cells import Cell, with_irreducible
from .ensembles import Moments, moments
from .entry_laws import Seed

Array = np.ndarray

RANK_SAFETY = 16.0


@dataclass(frozen=True)
class Factors:
    """Thin singular factors of one member's φ, truncated to its numerical rank r.

    ``left`` U is (N, r), ``values`` s is (r,), ``right`` V is (T, r).
    """

    left: Array
    values: Array
    right: Array


def factorise(kernel: Array, accuracy: float = float(np.finfo(float).eps)) -> Factors:
    """Singular value decomposition of φ (N, T) without the part that is rounding error.

    >>> factorise(np.outer([1.0, 2.0, 3.0], [1.0, 1.0])).values.round(12)
    array([5.29150262])
    """
    left, values, right = np.linalg.svd(kernel, full_matrices=False)
    rows, columns = kernel.shape
    noise = accuracy * np.linalg.norm(kernel) * (rows**-0.5 + columns**-0.5)
    noise += np.finfo(values.dtype).eps * values[0]
    kept = values > RANK_SAFETY * noise
    return Factors(left[:, kept], values[kept], right[kept].T)


@dataclass(frozen=True)
class QuadraticForm:
    """c − 2 x·b + xᵀQx with b = signal + σ²noise parts, and Q likewise; (R,) and (R, R)."""

    constant: float
    linear: tuple[Array, Array]
    quadratic: tuple[Array, Array]

    def __call__(self, x: Array, noise: float) -> Array:
        """Values at the rows of x (k, R), for label noise σ² = ``noise``."""
        slope = self.linear[0] + noise * self.linear[1]
        form = self.quadratic[0] + noise * self.quadratic[1]
        return self.constant - 2 * x @ slope + np.einsum("ki,ij,kj->k", x, form, x)


@dataclass(frozen=True)
class Scores:
    """The quadratic forms that give the losses of any rule; index i runs over members and modes.

    ``values`` s (R,); ``excess`` is a form in f and ``residual`` (without its σ² itself) in
    h = s f, both divided by the number of ``members``; ``shape`` is one member's (N, T).
    """

    values: Array
    excess: QuadraticForm
    residual: QuadraticForm
    members: int
    shape: tuple[int, int]

    def losses(self, learner: Filter, times: Array, noise: float = 0.0) -> tuple[Array, Array]:
        """Excess loss and mean squared training residual at each of the times (steps, ridges).

        ``noise`` is σ_ε²; both losses are averaged over the label noise.
        """
        size = self.shape[0] * self.shape[1]
        gain = learner.gain(self.values**2 / size, times[:, None])
        f = gain * self.values / (size * self.members)
        return self.excess(f, noise), noise + self.residual(self.values * f, noise)


def score(
    drawn: Moments, shape: tuple[int, int], feature_draws: int = 1, data_draws: int = 1
) -> Scores:
    """Factorise each member's φ and rotate the moments into its singular vectors.

    ``shape`` is (N, T) of one member; member (e, b) is block (e, b) of φ.
    """
    features, samples = shape
    rows = [slice(e * features, (e + 1) * features) for e in range(feature_draws)]
    columns = [slice(b * samples, (b + 1) * samples) for b in range(data_draws)]
    blocks = [(row, column) for row in rows for column in columns]
    factors = [factorise(drawn.kernel[block], drawn.accuracy) for block in blocks]
    fits = [_fit(drawn.kernel[row], column, f) for (row, column), f in zip(blocks, factors)]

    def assemble(part: Callable[[int, int], Array]) -> Array:
        pairs = range(len(blocks))
        return np.block([[part(m, n) for n in pairs] for m in pairs])

    def rotated_features(m: int, n: int) -> Array:
        return factors[m].left.T @ drawn.features[blocks[m][0], blocks[n][0]] @ factors[n].left

    def rotated_labels(m: int, n: int) -> Array:
        return factors[m].right.T @ drawn.labels[blocks[m][1], blocks[n][1]] @ factors[n].right

    def rotated_noise(m: int, n: int) -> Array:
        shared = blocks[m][1] == blocks[n][1]
        product = factors[m].right.T @ factors[n].right
        return product if shared else np.zeros_like(product)

    kernel, signal, noise = map(assemble, (rotated_features, rotated_labels, rotated_noise))
    cross = [_diagonal(f.left, drawn.cross[block] @ f.right) for block, f in zip(blocks, factors)]
    labelled = [
        _diagonal(fit, drawn.labels[:, column] @ f.right)
        for (_, column), f, fit in zip(blocks, factors, fits)
    ]
    noisy = [_diagonal(fit[column], f.right) for (_, column), f, fit in zip(blocks, factors, fits)]
    nothing = np.zeros(len(kernel))
    overlap, pooled = np.hstack(fits).T @ np.hstack(fits), samples * data_draws
    return Scores(
        values=np.concatenate([f.values for f in factors]),
        excess=QuadraticForm(
            drawn.power, (np.concatenate(cross), nothing), (kernel * signal, kernel * noise)
        ),
        residual=QuadraticForm(
            float(np.trace(drawn.labels)) / pooled,
            (np.concatenate(labelled) / pooled, np.concatenate(noisy) / pooled),
            (overlap * signal / pooled, overlap * noise / pooled),
        ),
        members=len(blocks),
        shape=shape,
    )


def _fit(kernel: Array, own: slice, factors: Factors) -> Array:
    """φᵀU/s on the pooled data (BT, r): what a member predicts; V itself on its own data."""
    fit = (kernel.T @ factors.left) / factors.values
    fit[own] = factors.right
    return fit


def _diagonal(a: Array, b: Array) -> Array:
    """Diagonal of aᵀb."""
    return np.einsum("ni,ni->i", a, b)


@with_irreducible
def simulate(cell: Cell, seed: Seed, *, threads: int = 1) -> dict[str, float]:
    """One repetition of a cell: draw, train, score. Keys are `Cell.observables`.

    >>> from solvable.analytic.spectrum import PowerLaw, Flat
    >>> cell = Cell(Flat(size=30), features=10, samples=20)
    >>> sorted(simulate(cell, 1))
    ['excess_loss[ridge=0]', 'train_loss[ridge=0]']
    """
    if cell.learner.preconditioner:
        cell = replace(cell, spectrum=cell.learner.seen(cell.spectrum))
    if isinstance(cell.learner, OnePassSGD):
        from .stochastic import simulate_sgd

        return simulate_sgd(cell, seed, threads=threads)
    shape = (cell.features, cell.samples)
    if not isinstance(cell.learner, Filter):
        raise TypeError(f"{cell.learner.rule} is not a function of the eigenvalues")
    scores = score(moments(cell, seed, threads=threads), shape, cell.feature_draws, cell.data_draws)
    losses = scores.losses(cell.learner, cell.scored(), cell.noise)
    return dict(zip(cell.observables(), np.concatenate(losses).tolist(), strict=True))
