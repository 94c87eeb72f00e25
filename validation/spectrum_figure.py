"""The picture of a measured spectrum: sample, population, law, and what the law predicts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from solvable.analytic.data.outliers import Bulk
from solvable.analytic.data.population import PopulationSpectrum
from solvable.analytic.data.tails import TailFit
from solvable.analytic.errors import InputError
from solvable.analytic.resolvent.density import expected_eigenvalues

from .regime_figure import PALETTE

PREDICTED = 60  # ranks at which the finite-sample spectrum is computed


def draw_spectrum(
    population: PopulationSpectrum, tail: TailFit, structure: Bulk, path: str | Path
) -> Path:
    """Draw λ_J against J, both logarithmic, to a PNG, PDF or SVG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    path = Path(path)
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise InputError("path", path, "a file name that ends in .png, .pdf or .svg")
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axis, sample = figure.add_subplot(), population.sample
    measured = sample.eigenvalues
    axis.plot(np.arange(1, len(measured) + 1), measured, ".", color=PALETTE[7], ms=5,
              label="sample eigenvalues")  # fmt: skip
    if structure.outliers:
        marked = np.array(structure.outliers)
        axis.plot(marked, measured[marked - 1], "o", mfc="none", color=PALETTE[6], ms=9,
                  label="not explained by the law")  # fmt: skip
    ranks = population.ranks
    low, high = population.interval(ranks)
    axis.fill_between(ranks, low, high, color=PALETTE[2], alpha=0.4, lw=0,
                      label="population, 95 % interval")  # fmt: skip
    wanted = _predicted_ranks(population)
    expected = expected_eigenvalues(population.atoms(), math.inf, sample.samples, wanted)
    axis.plot(wanted, expected, "--", color=PALETTE[5], lw=1.6,
              label=f"predicted for {sample.samples:.4g} samples")  # fmt: skip
    if tail.alpha:
        inside = np.geomspace(tail.power_law.first, tail.power_law.last, 50)
        axis.plot(inside, tail.scale * inside ** -(1 + tail.alpha.value), color=PALETTE[0], lw=2,
                  label=f"power law, α = {tail.alpha.value:.3f}")  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="rank J", ylabel="eigenvalue",
             ylim=(measured[-1] / 3, 3 * max(measured[0], high.max())))  # fmt: skip
    axis.legend(frameon=False, fontsize=9, loc="lower left")
    figure.savefig(path, dpi=150)
    return path


def _predicted_ranks(population: PopulationSpectrum) -> np.ndarray:
    last = min(len(population.sample.eigenvalues), math.floor(population.sample.samples))
    return np.unique(np.round(np.geomspace(1, last, PREDICTED)))
