r"""Spectra of data and of random features: what bounds the power law, and what extends it.

K = φφᵀ/(NT), φ = ux, has eigenvalues whose number above x > 0 follows from ln det(1 + K/z)
(`analytic.resolvent.density`): the theory line of every plot of eigenvalues against rank, without
integrating a density. N = ∞ leaves the sample covariance of the data, xᵀx/T. Eigenvalues of rank i
are compared with the point where the number is i − ½.

Source: talk, slides on data properties and feature maps; solvable-model paper, section 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from solvable.analytic.resolvent.density import eigenvalue_count, expected_eigenvalues
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import PowerLaw

from .experiment import Array, Axes, Budget, Curve, Guide, Items, Mark, Parameters, experiment
from .facts import below, near

AXES = Axes("rank", "eigenvalue")
RANK_TOLERANCE = 1e-10  # of the largest eigenvalue, below which one counts as zero
SIMULATE = f"{__name__}:simulate"


@dataclass(frozen=True)
class SpectrumCell:
    """Eigenvalues of a covariance at the given ``ranks``.

    T = ``samples`` of M = ``size`` latent modes λ_J = J^{-(1+α)}; N = ``features`` random features,
    or None for the data themselves; ``activation`` "linear" or "relu".
    """

    alpha: float
    size: int
    samples: int
    features: int | None
    activation: str
    ranks: tuple[int, ...]


def simulate(cell: SpectrumCell, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Draw, map, and give the eigenvalues at the ranks and the number that are not zero."""
    generator = np.random.default_rng(seed)
    scale = np.sqrt(PowerLaw(cell.alpha, size=cell.size).eigenvalues())
    x = scale[:, None] * generator.standard_normal((cell.size, cell.samples))
    if cell.features is not None:
        x = generator.standard_normal((cell.features, cell.size)) @ x
        if cell.activation == "relu":
            x = np.maximum(x, 0)
        x /= math.sqrt(cell.features)
    values = np.linalg.svd(x / math.sqrt(cell.samples), compute_uv=False) ** 2
    chosen = {str(rank): float(values[rank - 1]) for rank in cell.ranks}
    return {**chosen, "count": int(np.sum(values > RANK_TOLERANCE * values[0]))}


def _ranks(p: Parameters, label: str, n: int | None, t: int) -> Curve:
    """Eigenvalues against rank; tested in the bulk, not at the first few, which are not many."""
    bound = min(n or t, t, p.M)
    tested = {max(1, round(bound * fraction)) for fraction in np.linspace(0.2, 0.9, 7)}
    ranks, spectrum, size = (
        tuple(sorted({1, 2, *tested})),
        PowerLaw(p.alpha, size=p.M),
        n or math.inf,
    )
    *values, low = expected_eigenvalues(spectrum, size, t, [*ranks, bound - 0.4])
    cell = SpectrumCell(p.alpha, p.M, t, n, "linear", ranks)
    marks = tuple(
        Mark(rank, cell, str(rank), float(value), untested="" if rank in tested else "edge")
        for rank, value in zip(ranks, values)
    )

    def line() -> tuple[Array, Array]:
        x = low * (values[0] / low) ** np.linspace(0, 1, 80) ** 2  # closer at the lower end
        return eigenvalue_count(spectrum, size, t, x) + 0.5, x

    return Curve(label, marks, line)


def _population(p: Parameters) -> Guide:
    rank = np.geomspace(1, p.M, 50)
    return Guide("curve", "population $\\lambda_J$", rank, rank ** -(1 + p.alpha))


@experiment(
    title="The number of samples bounds the power law of the data",
    source="talk, “Data Properties: spectrum”; solvable-model paper, section 2, eq. (23)",
    claim="The sample spectrum follows the population's power law to its end at rank T; more "
    "samples extend it.",
    sizes={"M": 3072, "T": (100, 200, 300, 400, 500)}, constants={"alpha": 0.5}, axes=AXES,
    quick=Budget(0.25, 64, {"T": (160, 400)}), thorough=Budget(1.0, 96), simulate=SIMULATE,
)  # fmt: skip
def sample_spectra(p: Parameters) -> Items:
    """The spectrum ends at T, and until there it is the population's power law within a factor."""
    for t in p.T:
        yield _ranks(p, f"T = {t}", None, t)
    yield _population(p)

    def number(t: int) -> float:
        return eigenvalue_count(PowerLaw(p.alpha, size=p.M), math.inf, t, 1e-12)

    def factor(t: int, m: dict) -> float:
        curve = m[f"T = {t}"]
        return np.exp(np.abs(np.log(curve.mean * curve.x ** (1 + p.alpha))).max())

    for t in p.T:
        yield near(f"number of eigenvalues, T = {t}", partial(number, t), t, 0.01)
        name = f"largest factor from the population's power law, T = {t}"
        yield below(name, partial(factor, t), 2)


@experiment(
    title="N and T bound the spectrum of random linear features alike",
    source="talk, “By varying either of N and T, we can control the extent”",
    claim="Random linear features have a power-law spectrum that ends at min(N, T), and N and T "
    "play the same part.",
    sizes={"M": 6000, "smaller": (100, 200, 500), "larger": 3072}, constants={"alpha": 0.5},
    axes=AXES, quick=Budget(0.15, 80, {"smaller": (200, 500)}), thorough=Budget(1.0, 96),
    simulate=SIMULATE,
)  # fmt: skip
def random_linear_features(p: Parameters) -> Items:
    """The spectrum at (N, T) is that at (T, N), in theory and in simulation."""
    few, many = p.smaller[-1], p.larger
    for n in p.smaller:
        yield _ranks(p, f"N = {n}, T = {many}", n, many)
    yield _ranks(p, f"N = {many}, T = {few}", many, few)
    yield _population(p)

    def gap() -> float:
        count = partial(eigenvalue_count, PowerLaw(p.alpha, size=p.M))
        x = np.geomspace(1e-6, 1, 9)
        return np.abs(count(few, many, x) - count(many, few, x)).max()

    def ratio(m: dict) -> float:
        return np.mean(m[f"N = {few}, T = {many}"].mean / m[f"N = {many}, T = {few}"].mean)

    yield below("duality in theory: largest difference of numbers", gap, 1e-6)
    name = "duality in simulation: eigenvalues at (N, T) relative to (T, N), mean over ranks"
    yield near(name, ratio, 1, 0.05)


@experiment(
    title="A nonlinear map extends the spectrum, a linear one does not",
    source="talk, “DNN extends power law, samples for T > N_in are useful”; solvable-model "
    "paper, section 2",
    claim="More features than inputs add no eigenvalue under a linear map; under a ReLU map the "
    "spectrum goes on to min(N, T).",
    sizes={"M": 3072, "N": 12000, "T": 15000}, constants={"alpha": 0.5}, axes=AXES,
    quick=Budget(1 / 32, 80), thorough=Budget(1 / 8, 96), simulate=SIMULATE,
)  # fmt: skip
def nonlinear_features(p: Parameters) -> Items:
    """M plays the part of the input dimension; the features outnumber it."""
    relu = partial(SpectrumCell, p.alpha, p.M, p.T, p.N, "relu")
    linear = _ranks(p, "linear map", p.N, p.T)
    ranks = tuple(sorted({1, 4, *(round(p.M * f) for f in (0.2, 0.5, 1.0, 1.5, 2.0, 3.0))}))
    cell = relu(ranks)
    marks = tuple(Mark(rank, cell, str(rank), math.nan, untested="no theory") for rank in ranks)
    yield linear
    yield Curve("ReLU map", marks)
    counts = ((linear.marks[0].cell, p.M), (cell, min(p.N, p.T)))
    yield Curve("number of eigenvalues", tuple(
        Mark(math.nan, one, "count", float(bound), untested="a fact") for one, bound in counts
    ), shown=False)  # fmt: skip
    yield Guide("vertical", "input dimension", p.M)

    def count(index: int, bound: int, m: dict) -> float:
        return m["number of eigenvalues"].mean[index] / bound

    def slope(m: dict, part: Any) -> float:
        return log_slope(m["ReLU map"].x[part], m["ReLU map"].mean[part])

    def steepness(m: dict) -> float:
        x = m["ReLU map"].x
        return slope(m, x >= p.M) / slope(m, x <= p.M / 2)

    name = "non-zero eigenvalues of the linear map relative to the input dimension"
    yield near(name, partial(count, 0, p.M), 1, 1e-9)
    name = "non-zero eigenvalues of the ReLU map relative to min(N, T)"
    yield near(name, partial(count, 1, min(p.N, p.T)), 1, 1e-9)
    name = "steepness of the ReLU spectrum beyond the input dimension, against ranks before"
    yield below(name, steepness, 3)
