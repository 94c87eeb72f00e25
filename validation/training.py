r"""Train and score: every full-batch rule from one factorisation of φ.

With φ = U S Vᵀ (thin, of rank r) a rule of gain g (`validation.learners`) reaches θ = A y,
A = U f Vᵀ, f_i = s_i g(s_i²/NT)/NT. The excess loss and the training loss are then quadratic
forms in f, or in h = s f:

    excess   = Σλw² − 2 Σ_i f_i (UᵀCV)_ii + Σ_ij f_i f_j (UᵀKU)_ij (Vᵀ(G + σ²)V)_ij,
    training = (1/T) tr (1 − V h Vᵀ)(G + σ²)(1 − V h Vᵀ),

so that a hundred ridges or times cost little more than one. Members (feature draws, data draws)
have their own factors, and the prediction averaged over them is the same quadratic form in the
f of all members, side by side.

The rank is revealed by the singular values: those below the rounding error of φ itself are
zero. Entrywise that error is ~ε‖φ‖_F/√(NT), and as a random matrix of this size its norm is
(√N + √T) times that; `RANK_SAFETY` times it is the threshold. Ridgeless regression is the
pseudo-inverse on what remains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cells import Cell
from .ensembles import Moments, moments
from .laws import Seed
from .learners import OnePassSGD, SpectralLearner

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
    kept = values > RANK_SAFETY * noise
    return Factors(left[:, kept], values[kept], right[kept].T)


@dataclass(frozen=True)
class Scores:
    """The quadratic forms that give the losses of any rule; index i runs over members and modes.

    ``values`` s (R,); ``linear`` (R,) and ``signal``, ``noise`` (R, R) of the excess loss;
    ``train_linear`` and ``train_quadratic`` likewise, as pairs (signal, noise), in h, or None when
    members have different data. ``members`` is their number and ``shape`` one member's (N, T).
    """

    values: Array
    power: float
    linear: Array
    signal: Array
    noise: Array
    train_power: float
    train_linear: tuple[Array, Array] | None
    train_quadratic: tuple[Array, Array] | None
    members: int
    shape: tuple[int, int]

    def losses(
        self, learner: SpectralLearner, *, noise: float = 0.0, feature_variance: float = 1.0
    ) -> tuple[Array, Array | None]:
        """Excess loss and mean squared training residual at each value of the learner.

        ``noise`` is σ_ε²; both losses are averaged over the label noise.
        """
        size = self.shape[0] * self.shape[1]
        gain = learner.gain(self.values**2 / size, feature_variance * size)
        f = gain * self.values / (size * self.members)
        form = self.signal + noise * self.noise
        excess = self.power - 2 * f @ self.linear + np.einsum("ki,ij,kj->k", f, form, f)
        if self.train_linear is None or self.train_quadratic is None:
            return excess, None
        h = self.values * f
        slope = self.train_linear[0] + noise * self.train_linear[1]
        form = self.train_quadratic[0] + noise * self.train_quadratic[1]
        residual = self.train_power + noise - 2 * h @ slope + np.einsum("ki,ij,kj->k", h, form, h)
        return excess, residual


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
    linear = [
        np.einsum("ni,ni->i", f.left, drawn.cross[block] @ f.right)
        for block, f in zip(blocks, factors)
    ]

    def assemble(part: object) -> Array:
        pairs = range(len(blocks))
        return np.block([[part(m, n) for n in pairs] for m in pairs])  # type: ignore[operator]

    def left(m: int, n: int) -> Array:
        return factors[m].left.T @ drawn.features[blocks[m][0], blocks[n][0]] @ factors[n].left

    def labels(m: int, n: int) -> Array:
        return factors[m].right.T @ drawn.labels[blocks[m][1], blocks[n][1]] @ factors[n].right

    def overlap(m: int, n: int) -> Array:
        shared = blocks[m][1] == blocks[n][1]
        product = factors[m].right.T @ factors[n].right
        return product if shared else np.zeros_like(product)

    rotated, target, same = assemble(left), assemble(labels), assemble(overlap)
    train_linear = train_quadratic = None
    if data_draws == 1:
        train_linear = (np.diag(target) / samples, np.diag(same) / samples)
        train_quadratic = (same * target / samples, same * same / samples)
    return Scores(
        values=np.concatenate([f.values for f in factors]),
        power=drawn.power,
        linear=np.concatenate(linear),
        signal=rotated * target,
        noise=rotated * same,
        train_power=float(np.trace(drawn.labels)) / drawn.labels.shape[0],
        train_linear=train_linear,
        train_quadratic=train_quadratic,
        members=len(blocks),
        shape=shape,
    )


def simulate(cell: Cell, seed: Seed, *, threads: int = 1) -> dict[str, float]:
    """One repetition of a cell: draw, train, score. Keys are `Cell.observables`.

    >>> from validation.cells import SpectrumSpec
    >>> cell = Cell(SpectrumSpec.of("Flat", size=30), features=10, samples=20)
    >>> sorted(simulate(cell, 1))
    ['excess_loss[ridge=0]', 'train_loss[ridge=0]']
    """
    if isinstance(cell.learner, OnePassSGD):
        from .stochastic import simulate_one_pass

        return simulate_one_pass(cell, seed, threads=threads)
    shape = (cell.features, cell.samples)
    scores = score(moments(cell, seed, threads=threads), shape, cell.feature_draws, cell.data_draws)
    if not isinstance(cell.learner, SpectralLearner):
        raise TypeError(f"{cell.learner.rule} is not a function of the eigenvalues")
    excess, residual = scores.losses(
        cell.learner, noise=cell.noise, feature_variance=cell.feature_variance
    )
    losses = excess if residual is None else np.concatenate([excess, residual])
    return dict(zip(cell.observables(), losses.tolist(), strict=True))
