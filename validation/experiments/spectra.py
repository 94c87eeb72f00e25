r"""Spectra of data and of random features: what bounds the power law, and what extends it.

A = φφᵀ/(NT), φ = ux, has tr A(A+z)^{-1} = D₁(κ(z)). With equation (1), ln z = ln κ + ln R₁ + ln R₃,
the integral of D₁ over ln z from z to ∞ is elementary:

    ln det(1 + A/z) = Σ_J ln(1 + λ_J/κ) − D₁ − T ln(1 − D₁/T) − D₁ − N ln(1 − D₁/N).

An eigenvalue a > x turns the argument of 1 + a/z by −π at z = −x + i0, so the expected number of
eigenvalues above x is −1/π times the imaginary part there: the theory line of every plot of
eigenvalues against rank, without integrating a density. N = ∞ leaves the sample covariance of the
data, xᵀx/T. Eigenvalues of rank i are compared with the point where the number is i − ½.

Source: talk, slides on data properties and feature maps; solvable-model paper, section 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from solvable.analytic.resolvent.solution import solve
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import PowerLaw, Spectrum

from .experiment import (
    Axes,
    Budget,
    Experiment,
    Fact,
    Guide,
    Measured,
    Parameters,
    Plan,
    Point,
    Series,
    below,
    near,
)

AXES = Axes("rank", "eigenvalue")
ANGLE = 1e-5  # of z above the negative axis
REFINEMENTS = 4
RANK_TOLERANCE = 1e-10  # of the largest eigenvalue, below which one counts as zero


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


def number_above(spectrum: Spectrum, n: float, t: float, x: np.ndarray) -> np.ndarray:
    """Expected number of eigenvalues of φφᵀ/(NT) above each x > 0.

    >>> law = PowerLaw(0.5, size=100)
    >>> number_above(law, 20, 40, np.array([1e-9, 100.0])).round(3) + 0.0
    array([20.,  0.])
    """
    z = -np.asarray(x, float) * np.exp(-1j * ANGLE)
    kappa = np.asarray(solve(spectrum, n, t, z).value)
    d1 = np.asarray(spectrum.degrees_of_freedom(kappa))
    potential = np.log(1 + spectrum.eigenvalues() / kappa[..., None]).sum(axis=-1)
    for size in (n, t):
        if math.isfinite(size):
            potential = potential - d1 - size * np.log(1 - d1 / size)
    return -potential.imag / math.pi


def quantiles(spectrum: Spectrum, n: float, t: float, ranks: np.ndarray) -> np.ndarray:
    """The eigenvalue x of each rank i: the number above x is i − ½.

    Inverse interpolation of the number as a function of ln x, on a grid that is refined
    `REFINEMENTS` times by the values found.
    """
    low, high = 1e-3 * float(spectrum.eigenvalue(spectrum.size)), 20 * float(spectrum.trace())
    x = np.log(np.geomspace(low, high, 60))
    number = number_above(spectrum, n, t, np.exp(x))
    wanted = np.asarray(ranks, float) - 0.5
    for _ in range(REFINEMENTS):
        found = np.interp(-wanted, -number, x)
        x = np.concatenate([x, found])
        number = np.concatenate([number, number_above(spectrum, n, t, np.exp(found))])
        order = np.argsort(x)
        x, number = x[order], np.minimum.accumulate(number[order])
    return np.exp(np.interp(-wanted, -number, x))


def _ranks(bound: int, count: int = 7) -> tuple[int, ...]:
    """From the bulk of the spectrum, not its first few eigenvalues, which are not many."""
    return tuple(sorted({max(1, round(bound * f)) for f in np.linspace(0.2, 0.9, count)}))


def _series(
    label: str, p: Parameters, n: int | None, t: int, cells: list[SpectrumCell],
    activation: str = "linear",
) -> Series:  # fmt: skip
    bound = min(n or t, t, p.M)
    tested = _ranks(bound)
    ranks = tuple(sorted({1, 2, *tested}))
    spectrum = PowerLaw(p.alpha, size=p.M)
    line_ranks = np.unique(np.concatenate([
        np.geomspace(1, bound, 30), np.linspace(bound / 2, bound - 0.4, 20)
    ]))  # fmt: skip
    both = np.concatenate([np.array(ranks, float), line_ranks])
    x = quantiles(spectrum, n or math.inf, t, both)
    cells.append(SpectrumCell(p.alpha, p.M, t, n, activation, ranks))
    points = tuple(
        Point(rank, len(cells) - 1, str(rank), float(value), rank in tested)
        for rank, value in zip(ranks, x)
    )
    return Series(label, points, (line_ranks, x[len(ranks) :]))


def _population(p: Parameters) -> Guide:
    rank = np.geomspace(1, p.M, 50)
    return Guide("curve", "population $\\lambda_J$", rank, rank ** -(1 + p.alpha))


def _data(p: Parameters) -> Plan:
    cells: list[SpectrumCell] = []
    series = tuple(_series(f"T = {t}", p, None, t, cells) for t in p.T)
    return Plan(cells, series, partial(_extent, p), (_population(p),))


def _extent(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """The spectrum ends at T, and until there it is the population's power law within a factor."""
    facts = []
    for t, m in zip(p.T, measured.values()):
        spectrum = PowerLaw(p.alpha, size=p.M)
        number = number_above(spectrum, math.inf, t, np.array([1e-12]))
        facts.append(near(f"number of eigenvalues, T = {t}", float(number[0]), t, 0.01))
        ratio = m.mean / m.x ** -(1 + p.alpha)
        facts.append(
            below(
                f"largest factor from the population's power law, T = {t}",
                float(np.exp(np.abs(np.log(ratio)).max())),
                2,
            )
        )
    return facts


DATA = Experiment(
    name="sample-spectra",
    title="The number of samples bounds the power law of the data",
    source="talk, “Data Properties: spectrum”; solvable-model paper, section 2, eq. (23)",
    claim="The sample spectrum follows the population's power law to its end at rank T; more "
    "samples extend it.",
    sizes={"M": 3072, "T": (100, 200, 300, 400, 500)},
    constants={"alpha": 0.5},
    axes=AXES,
    build=_data,
    quick=Budget(0.25, 64, {"T": (160, 400)}),
    thorough=Budget(1.0, 96),
    simulate="solvable.validation.experiments.spectra:simulate",
)


def _features(p: Parameters) -> Plan:
    cells: list[SpectrumCell] = []
    series = []
    for n in p.smaller:
        series.append(_series(f"N = {n}, T = {p.larger}", p, n, p.larger, cells))
    last = p.smaller[-1]
    series.append(_series(f"N = {p.larger}, T = {last}", p, p.larger, last, cells))
    return Plan(cells, tuple(series), partial(_dual, p), (_population(p),))


def _dual(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """The spectrum at (N, T) is that at (T, N), in theory and in simulation."""
    one, two = list(measured.values())[-2:]
    spectrum, few, x = PowerLaw(p.alpha, size=p.M), p.smaller[-1], np.geomspace(1e-6, 1, 9)
    gap = number_above(spectrum, few, p.larger, x) - number_above(spectrum, p.larger, few, x)
    spread = np.hypot(one.error / one.mean, two.error / two.mean)
    score = np.abs(np.log(one.mean / two.mean)) / spread
    return [
        below("duality in theory: largest difference of numbers", float(np.abs(gap).max()), 1e-6),
        below(
            "duality in simulation: largest difference in standard errors, over "
            f"{len(score)} ranks",
            float(score.max()),
            4.5,
        ),
    ]


FEATURES = Experiment(
    name="random-linear-features",
    title="N and T bound the spectrum of random linear features alike",
    source="talk, “By varying either of N and T, we can control the extent”",
    claim="Random linear features have a power-law spectrum that ends at min(N, T), and N and T "
    "play the same part.",
    sizes={"M": 6000, "smaller": (100, 200, 500), "larger": 3072},
    constants={"alpha": 0.5},
    axes=AXES,
    build=_features,
    quick=Budget(0.15, 48, {"smaller": (200, 500)}),
    thorough=Budget(1.0, 96),
    simulate="solvable.validation.experiments.spectra:simulate",
)


def _nonlinear(p: Parameters) -> Plan:
    """M plays the part of the input dimension; the features outnumber it."""
    cells: list[SpectrumCell] = []
    linear = _series("linear map", p, p.N, p.T, cells)
    ranks = tuple(sorted({1, 4, *(round(p.M * f) for f in (0.2, 0.5, 1.0, 1.5, 2.0, 3.0))}))
    cells.append(SpectrumCell(p.alpha, p.M, p.T, p.N, "relu", ranks))
    relu = Series("ReLU map", tuple(
        Point(rank, len(cells) - 1, str(rank), math.nan, False) for rank in ranks
    ))  # fmt: skip
    cells.append(SpectrumCell(p.alpha, p.M, p.T, p.N, "relu", (1,)))
    cells.append(SpectrumCell(p.alpha, p.M, p.T, p.N, "linear", (1,)))
    counts = Series("", tuple(
        Point(math.nan, len(cells) - back, "count", float(bound), False)
        for back, bound in ((1, p.M), (2, min(p.N, p.T)))
    ))  # fmt: skip
    guide = Guide("vertical", "input dimension", p.M)
    return Plan(cells, (linear, relu, counts), partial(_extension, p), (guide,))


def _extension(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """Number of non-zero eigenvalues of either map, and the ReLU's power law beyond M."""
    counts, relu = measured[""].mean, measured["ReLU map"]
    before, after = relu.x <= p.M / 2, relu.x >= p.M
    slopes = [log_slope(relu.x[part], relu.mean[part]) for part in (before, after)]
    return [
        near(
            "non-zero eigenvalues of the linear map relative to the input dimension",
            float(counts[0] / p.M),
            1,
            1e-9,
        ),
        near(
            "non-zero eigenvalues of the ReLU map relative to min(N, T)",
            float(counts[1] / min(p.N, p.T)),
            1,
            1e-9,
        ),
        below(
            "steepness of the ReLU spectrum beyond the input dimension, against ranks before",
            slopes[1] / slopes[0],
            3,
        ),
    ]


RELU = Experiment(
    name="nonlinear-features",
    title="A nonlinear map extends the spectrum, a linear one does not",
    source="talk, “DNN extends power law, samples for T > N_in are useful”; solvable-model "
    "paper, section 2",
    claim="More features than inputs add no eigenvalue under a linear map; under a ReLU map the "
    "spectrum goes on to min(N, T).",
    sizes={"M": 3072, "N": 12000, "T": 15000},
    constants={"alpha": 0.5},
    axes=AXES,
    build=_nonlinear,
    quick=Budget(1 / 32, 64),
    thorough=Budget(1 / 8, 96),
    simulate="solvable.validation.experiments.spectra:simulate",
)

EXPERIMENTS = (DATA, FEATURES, RELU)
