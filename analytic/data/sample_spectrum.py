r"""The spectrum of a sample: eigenvalues of the covariance or Gram matrix of T rows.

    S = (1/n) Σ_i (x_i − x̄)(x_i − x̄)ᵀ,     n = T − 1,      or, not centred,  S = (1/T) Σ_i x_i x_iᵀ,

whose nonzero eigenvalues are those of the Gram matrix XXᵀ/n. The smaller of the two is formed, from
blocks of rows, so that memory is what one block and that matrix need: where rows are longer than
there are many, √n v_ji √l_j, from the eigenvectors of the Gram matrix, stand for row i, of which
they have all scalar products. Gaussian data of covariance Λ make nS a Wishart matrix of n degrees
of freedom, which is all that the estimators beside this module assume of the centring.

How far data are from Gaussian shows in their leverages: with q_i = x_iᵀ(S₋ᵢ + z)⁻¹x_i/n, found from
h_i = x_iᵀ(S + z)⁻¹x_i/n as h_i/(1 − h_i),

    Var q_i = (2/n)(κ/z)² a/(1 − a),      a = D₂(κ)/n,

for Gaussian data; the ratio of the observed variance to this one, the `excess`, multiplies the
variance of every smooth statistic of the spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..equality import Comparable
from ..errors import InputError
from .arrays import Samples, as_samples
from .held_out import HeldOutVariance, held_out

MOST_SQUARE = 20_000  # rows of a matrix whose eigenvalues are computed
CACHED = 2**21  # bytes of a block that is read several times
STRIP_BYTES = 2**27  # of the rows with which all others are multiplied at once
SORTED = 2**22  # numbers in the columns that are sorted at once
KEPT_ROWS = 2048  # for leverages and unbiased moments
SMALLEST = 1e-50  # variance of a row, and one over the largest: its sixth power is a float
ZERO = 1e-13  # relative to the largest eigenvalue and per row: rounding
SAME = 1e-12  # relative difference of the marks of equal rows
LEVELS = 12  # values of z at which leverages are compared
LARGEST_LEVERAGE = 0.9
BY_CHANCE = 10.0  # times the probability that rows agree, from which equal rows are copies
LARGEST_ROW = 50.0  # times the mean square of rows: beyond all Gaussian ones
SERIAL = 0.5  # correlation of consecutive rows
SIGNIFICANT = 2.0  # standard errors by which the excess must differ from 1


@dataclass(frozen=True, eq=False)
class SampleSpectrum(Comparable):
    """The nonzero eigenvalues of a sample, and what the estimators need beside them.

    ``eigenvalues`` descend; ``samples`` is the number n of degrees of freedom (T, T − 1 if
    centred); ``inputs`` the number of modes that the population can have (None: unknown, as for
    a kernel). ``excess`` holds ln z and the excess there, ``own_excess`` that of the variance of
    each eigenvalue; ``moments`` unbiased estimates of Tr Λ^k with their standard errors,
    k = 1, 2, 3; ``held_out`` variances along directions of other rows; ``doubt`` what speaks
    against independent rows that are alike; ``notes`` what a reader should know of the data.
    """

    eigenvalues: np.ndarray
    samples: float
    inputs: int | None
    excess: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    own_excess: np.ndarray | None = field(default=None, repr=False)
    moments: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    held_out: HeldOutVariance | None = field(default=None, repr=False)
    doubt: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def trace(self) -> float:
        """Σ l_i, the total variance."""
        return float(self.eigenvalues.sum())

    def excess_at(self, z: np.ndarray) -> np.ndarray:
        """The factor by which variances at z exceed those of Gaussian data."""
        if self.excess is None:
            return np.ones(len(z))
        return np.exp(np.interp(np.log(np.abs(z)), self.excess[0], np.log(self.excess[1])))


def from_eigenvalues(
    eigenvalues: Any, samples: Any, inputs: int | None = None, notes: tuple[str, ...] = ()
) -> SampleSpectrum:
    """Eigenvalues that were computed elsewhere, of ``samples`` degrees of freedom.

    Raises `InputError` for negative ones beyond rounding, and for fewer than two above it.

    >>> from_eigenvalues([1.0, 0.5, -1e-18, 0.25], samples=100).eigenvalues
    array([1.  , 0.5 , 0.25])
    """
    values = np.sort(np.asarray(arguments.number("eigenvalues", eigenvalues), float).ravel())[::-1]
    arguments.positive("samples", samples)
    if not np.isfinite(values).all():
        raise InputError("eigenvalues", values[:4], "finite numbers")
    largest = values[0]
    if values[-1] < -1e-8 * abs(largest):
        raise InputError("eigenvalues", values[-1], "eigenvalues ≥ 0 of a covariance or a kernel")
    kept = values[_above_rounding(values) > 0]
    if len(kept) < 2:
        raise InputError("eigenvalues", f"{len(kept)} above rounding", "at least two that are > 0")
    for name, least in (("inputs", inputs), ("samples", samples)):
        if least is not None and len(kept) > least:
            raise InputError(name, least, f"at least {len(kept)}, the number of eigenvalues that "
                             "are not zero")  # fmt: skip
    return SampleSpectrum(kept, float(samples), inputs, notes=notes)


@checked
def sample_spectrum(data: Any, *, centred: bool = True) -> SampleSpectrum:
    """The spectrum of the rows of ``data``, an array of shape (T, N_in) or `Samples`.

    Needs memory for one block and for one square matrix of the smaller side. Raises `InputError`
    for fewer than two rows, for rows that are all equal, and for sides beyond `MOST_SQUARE`.
    Eigenvalues are in the units of ``data`` squared. Source: this package.

    >>> spectrum = sample_spectrum([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    >>> spectrum.eigenvalues.round(3), spectrum.samples
    (array([2.667, 0.667]), 3.0)
    """
    samples = as_samples(data)
    rows, width = samples.length, samples.width
    if rows < 2:
        raise InputError(samples.argument, f"{samples.source} ({rows} row)", "at least two samples")
    if min(rows, width) > MOST_SQUARE:
        raise InputError(samples.argument, f"{samples.source} ({rows} × {width})", "at most "
                         f"{MOST_SQUARE} rows or columns: draw a part of them")  # fmt: skip
    gathered = _Gathered(samples)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # said by `check`
        matrix = (_gram if rows < width else _covariance)(samples, gathered, centred)
    gathered.check(samples, float(np.trace(matrix)) / rows)
    degrees, weight, notes = gathered.degrees(centred)
    values, vectors = _eigh(matrix / weight)
    if np.sum(values > 0) < 2:
        raise InputError(samples.argument, f"{samples.source} (one direction that varies)",
                         "at least two columns that vary")  # fmt: skip
    spectrum = from_eigenvalues(values[::-1], max(degrees, len(values)), notes=notes)
    inputs, more = gathered.modes(len(spectrum.eigenvalues), degrees, centred)
    if rows < width:
        kept = vectors[gathered.kept_places()] * np.sqrt(weight * _above_rounding(values))
        scores = kept**2
    else:
        kept = gathered.kept(centred)
        scores = (kept @ vectors) ** 2
    different = gathered.different(kept)
    return replace(
        spectrum, samples=degrees, inputs=inputs, notes=notes + more,
        moments=unbiased_moments(kept), held_out=held_out(different), doubt=_doubt(different),
        excess=_excess(values, scores, degrees),
        own_excess=_own_excess(scores[:, ::-1][:, : len(spectrum.eigenvalues)]),
    )  # fmt: skip


def kernel_spectrum(matrix: Any, argument: str = "kernel") -> SampleSpectrum:
    """The eigenvalues of K/T of a kernel matrix K of T samples (symmetric, shape (T, T)).

    >>> kernel_spectrum([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
    array([1. , 0.5])
    """
    kernel = as_samples(matrix, argument).whole()
    if kernel.shape[0] != kernel.shape[1] or not np.allclose(kernel, kernel.T, rtol=1e-6):
        raise InputError(argument, f"an array of shape {kernel.shape}", "a symmetric matrix")
    values, vectors = _eigh(kernel / len(kernel))
    spectrum = from_eigenvalues(values, len(kernel))
    excess = _excess(values, vectors**2 * values * len(kernel), float(len(kernel)))
    return replace(spectrum, excess=excess)


def _above_rounding(values: np.ndarray) -> np.ndarray:
    """Those that are rounding errors as zeros."""
    return np.where(values > ZERO * len(values) * values.max(), values, 0.0)


def _eigh(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending eigenvalues and vectors, from the upper triangle."""
    from scipy.linalg import eigh

    values, vectors = eigh(matrix, lower=False, overwrite_a=True, driver="evd")
    return np.maximum(values, 0), vectors


class _Gathered:
    """What one pass over the rows gathers beside their products."""

    def __init__(self, samples: Samples) -> None:
        width = samples.width
        self.samples = samples
        self.total, self.varies = np.zeros(width), np.zeros(width, bool)
        self.pivot: np.ndarray | None = None
        self.room = np.empty((0, width))
        self.count, self.stride = 0, -(-samples.length // KEPT_ROWS)
        self.rows: list[np.ndarray] = []
        self.marks: list[np.ndarray] = []
        self.directions = np.random.default_rng(0).normal(size=(width, 2))
        self.copied = False  # whether rows that are equal count as copies

    def shifted(self, block: np.ndarray) -> np.ndarray:
        """The block less the first row of all, in C order; the next call overwrites it."""
        if self.pivot is None:
            self.pivot = block[0].copy()
        if len(self.room) < len(block):
            self.room = np.empty(block.shape)
        return np.subtract(block, self.pivot, out=self.room[: len(block)])

    def add(self, block: np.ndarray) -> None:
        """Note the shifted block."""
        self.total += block.sum(axis=0)
        if not self.varies.all():
            self.varies |= (block != 0).any(axis=0)
        self.marks.append(block @ self.directions)  # by which equal rows are known
        if len(self.varies) <= self.samples.length:
            self.rows.append(block[-self.count % self.stride :: self.stride].copy())
        self.count += len(block)

    def mean(self) -> np.ndarray:
        """The mean of the shifted rows."""
        return self.total / self.count

    def kept(self, centred: bool) -> np.ndarray:
        """Every so many rows, less their mean or as they came."""
        rows = np.concatenate(self.rows)
        return rows - self.mean() if centred else rows + self.pivot

    def different(self, rows: np.ndarray) -> np.ndarray:
        """The kept rows without those that are copies."""
        if not self.copied:
            return rows
        marks = np.concatenate(self.marks)[self.kept_places(), 0]
        _, first = np.unique(np.round(marks / (SAME * np.abs(marks).max())), return_index=True)
        return rows[np.sort(first)]

    def kept_places(self) -> np.ndarray:
        """Where the kept rows were."""
        return np.arange(0, self.count, self.stride)

    def check(self, samples: Samples, trace: float) -> None:
        """`InputError` where all rows are equal, or squares leave the range of float64."""
        if not self.varies.any():
            raise InputError(samples.argument, f"{samples.source} ({self.count} equal rows)",
                             "samples that differ")  # fmt: skip
        if not SMALLEST < trace < 1 / SMALLEST:
            raise InputError(samples.argument, f"{samples.source} (variance {trace:.3g})",
                             f"a variance from {SMALLEST:g} to {1 / SMALLEST:g}: change the unit")

    def degrees(self, centred: bool) -> tuple[float, float, tuple[str, ...]]:
        """n, and the number W that makes the products over W unbiased.

        Rows that are copies count as T² / Σ m² for their multiplicities m; where columns have so
        few values that rows agree by chance, equal rows are no copies.
        """
        copies = _multiplicities(np.concatenate(self.marks))
        squares = float(np.sum(copies.astype(float) ** 2))
        effective, notes = float(self.count), ()  # type: float, tuple[str, ...]
        if len(copies) < self.count:
            equal = f"{self.count - len(copies)} of {self.count} rows are "
            self.copied = not self._by_chance((squares - self.count) / self.count**2)
            if self.copied:
                effective = self.count**2 / squares
                notes = (f"{equal}copies of others: counted as {effective:.4g} independent "
                         "samples",)  # fmt: skip
            else:
                notes = (f"{equal}equal to others, as is likely where columns have few values: "
                         "counted as independent",)  # fmt: skip
        if effective < 3:
            raise InputError("samples", f"{effective:.3g} independent rows", "at least three")
        lost = 1.0 if centred else 0.0
        return effective - lost, self.count * (1 - lost / effective), notes

    def _by_chance(self, share: float) -> bool:
        """Whether so large a share of pairs of rows agree where columns are independent."""
        left = BY_CHANCE / share
        part = max(1, SORTED // len(self.kept_places()))
        for start in range(0, self.samples.width, part):
            for column in np.sort(self._columns(slice(start, start + part)), axis=1):
                starts = np.flatnonzero(np.r_[True, np.diff(column) != 0])
                counts = np.diff(np.r_[starts, len(column)])
                left *= np.sum((counts / len(column)) ** 2)
                if left < 1:
                    return False
        return True

    def _columns(self, some: slice) -> np.ndarray:
        """Some of the columns, in rows, of every so many samples."""
        found, count = [], 0
        for block in self.samples.blocks():
            found.append(block[-count % self.stride :: self.stride, some].T.copy())
            count += len(block)
        return np.concatenate(found, axis=1)

    def modes(self, rank: int, degrees: float, centred: bool) -> tuple[int, tuple[str, ...]]:
        """How many modes the population can have, and what is said of it."""
        assert self.pivot is not None
        constant = int(np.sum(~self.varies & (centred | (self.pivot == 0))))
        still, width = int(np.sum(~self.varies)), len(self.varies)
        inputs, notes = width - constant, []
        if still:
            notes.append(f"{still} of {width} columns are constant: "
                         + ("they hold no mode" if centred else "they act as a mean"))  # fmt: skip
        if rank < min(inputs, round(degrees)):
            notes.append(f"rank {rank} above rounding: the {inputs} columns that vary depend on "
                         "one another, or few directions outweigh all others")  # fmt: skip
            inputs = rank
        return max(inputs, rank), tuple(notes)


def _multiplicities(marks: np.ndarray) -> np.ndarray:
    """How often each row occurs: rows are equal where both of their marks are."""
    ordered = marks[np.argsort(marks[:, 0])]
    gap = np.abs(np.diff(ordered, axis=0)) > SAME * np.abs(marks).max()
    starts = np.flatnonzero(np.r_[True, gap.any(axis=1)])
    return np.diff(np.r_[starts, len(marks)])


def _covariance(samples: Samples, gathered: _Gathered, centred: bool) -> np.ndarray:
    """Σ x xᵀ (its upper triangle), centred or not."""
    from scipy.linalg.blas import dsyrk

    products = np.zeros((samples.width, samples.width), order="F")
    for block in samples.blocks(max(1, CACHED // (8 * samples.width))):
        shifted = gathered.shifted(block)
        gathered.add(shifted)
        products = dsyrk(1.0, shifted.T, beta=1.0, c=products, overwrite_c=1)
    mean = gathered.mean()
    if centred:
        return products - gathered.count * np.outer(mean, mean)
    assert gathered.pivot is not None
    cross = np.outer(mean, gathered.pivot)
    return products + gathered.count * (cross + cross.T + np.outer(gathered.pivot, gathered.pivot))


def _gram(samples: Samples, gathered: _Gathered, centred: bool) -> np.ndarray:
    """X Xᵀ, centred or not; for each strip of rows the rows are read again."""
    products, above = np.zeros((samples.length, samples.length)), 0
    for left in samples.blocks(max(1, STRIP_BYTES // (8 * samples.width))):
        a = gathered.shifted(left)
        gathered.add(a)
        a, right_of = (a if centred else left), 0
        strip = slice(above, above + len(a))
        for right in samples.blocks():
            place = slice(right_of, right_of + len(right))
            if place.stop > above:
                products[strip, place] = a @ (right - gathered.pivot if centred else right).T
            right_of = place.stop
        above = strip.stop
    products = np.triu(products) + np.triu(products, 1).T
    if centred:
        mean = products.mean(axis=0)
        products = products - mean - mean[:, None] + mean.mean()
    return products


def _doubt(rows: np.ndarray) -> str | None:
    """What speaks against independent rows that are alike, or None."""
    squares = np.sum(rows**2, axis=1)
    largest = float(squares.max() / squares.mean())
    serial = float(np.sum(rows[1:] * rows[:-1]) / squares.sum())
    if largest > LARGEST_ROW:
        return f"one row has {largest:.3g} times the mean square of all: an outlier, or heavy tails"
    if serial > SERIAL and len(rows) >= KEPT_ROWS // 100:
        return f"consecutive rows correlate by {serial:.2f}: they are no independent samples"
    return None


def unbiased_moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unbiased estimates of Tr Λ^k, k = 1, 2, 3, of rows of mean zero, and their errors.

    Sums of x_iᵀx_j x_jᵀx_l … over different samples i < j < …, which no fluctuation of one sample
    biases; the errors are those of ten subsets of the rows.

    Source: Kong and Valiant 2017, arXiv:1602.00061, algorithm 1.
    """
    whole = _increasing_cycles(rows)
    parts = [_increasing_cycles(rows[i::10]) for i in range(10) if len(rows) >= 60]
    error = np.std(parts, axis=0, ddof=1) / np.sqrt(len(parts)) if parts else np.full(3, np.nan)
    return whole, error


def _increasing_cycles(rows: np.ndarray) -> np.ndarray:
    """Σ over i < j < … of the cycles through one, two and three rows, over their number."""
    from math import comb

    from scipy.linalg.blas import dtrmm

    gram = rows @ rows.T
    upper = np.triu(gram, 1)
    sums = np.trace(gram), np.sum(upper * gram), np.sum(dtrmm(1.0, upper, upper) * gram)
    return np.array([total / comb(len(rows), k) if len(rows) >= k else np.nan
                     for k, total in enumerate(sums, 1)])  # fmt: skip


def _excess(
    values: np.ndarray, scores: np.ndarray, degrees: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """ln z and the excess of the variance of leverages there; None without enough of them.

    ``scores`` are the squared projections of rows on the eigenvectors, in the order of ``values``.
    """
    if len(scores) < 20:
        return None
    levels, found = np.geomspace(values.max(), values[values > 1e-10 * values.max()].min(),
                                 LEVELS), []  # fmt: skip
    for z in levels:
        leverage = scores @ (1 / (values + z)) / degrees
        if leverage.max() > LARGEST_LEVERAGE:
            break
        found.append(_variance_ratio(values, leverage / (1 - leverage), z, degrees))
    if not found:
        return None
    ratio, error = np.array(found)[::-1].T
    if not np.any(ratio - 1 > SIGNIFICANT * error):  # at no z more than chance
        ratio = np.ones(len(ratio))
    return np.log(levels[: len(found)][::-1]), np.maximum(ratio, 1.0)


def _own_excess(scores: np.ndarray) -> np.ndarray | None:
    """Var s²/2(E s²)² of the projections s on each eigenvector, 1 where it is not clearly more."""
    if len(scores) < 20:
        return None
    mean = scores.mean(axis=0)
    squares = (scores - mean) ** 2
    found = squares.mean(axis=0) / (2 * mean**2)
    error = np.std(squares, axis=0) / np.sqrt(len(scores)) / (2 * mean**2)
    return np.where(found - 1 > SIGNIFICANT * error, found, 1.0)


def _variance_ratio(
    values: np.ndarray, q: np.ndarray, z: float, degrees: float
) -> tuple[float, float]:
    """Var q over its value for Gaussian data, and the standard error of this ratio."""
    d1 = np.sum(values / (values + z))  # D₁(κ), and z = κ(1 − D₁/n)
    ratio = 1 / (1 - d1 / degrees)  # κ/z
    slope = np.sum(values / (values + z) ** 2)  # −dD₁/dz = (D₁ − D₂)/κ · dκ/dz
    # dz/dκ = 1 − D₂/n, so that slope · κ = (D₁ − D₂)/(1 − D₂/n)
    step = slope * z * ratio
    d2 = (d1 - step) / (1 - step / degrees)
    a = d2 / degrees
    expected = 2 * ratio**2 * a / (1 - a) / degrees
    squares = (q - q.mean()) ** 2
    found = squares.sum() / (len(q) - 1) / expected
    error = np.std(squares) / np.sqrt(len(q)) / expected
    return float(found), float(error)
