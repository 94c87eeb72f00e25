"""The picture of a measured spectrum: sample, population, law, and what the law predicts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from solvable.analytic.data.outliers import Bulk
from solvable.analytic.data.population import PopulationSpectrum
from solvable.analytic.data.tails import TailFit
from solvable.analytic.resolvent.density import expected_eigenvalues

from . import figure_style as style
from .regime_figure import checked_picture

PREDICTED = 60  # ranks at which the finite-sample spectrum is computed


def draw_spectrum(
    population: PopulationSpectrum, tail: TailFit, structure: Bulk, path: str | Path
) -> Path:
    """Draw λ_J against J, both logarithmic, to a PNG, PDF or SVG file."""
    import matplotlib

    path, sample = checked_picture(path), population.sample
    measured, ranks = sample.eigenvalues, population.ranks
    blue, red, green, *_, light, _, grey = style.COLOURS
    with matplotlib.rc_context(style.STYLE):
        figure, axis = style.new_figure()
        axis.plot(np.arange(1, len(measured) + 1), measured, ".", color=grey, ms=3.5,
                  label="sample eigenvalues")  # fmt: skip
        if structure.outliers:
            marked = np.array(structure.outliers)
            axis.plot(marked, measured[marked - 1], "o", mfc="none", color=red, ms=6,
                      label="not explained by the law")  # fmt: skip
        low, high = population.interval(ranks)
        axis.fill_between(ranks, low, high, color=light, alpha=0.4, lw=0,
                          label="population, 95 % interval")  # fmt: skip
        wanted = _predicted_ranks(population)
        expected = expected_eigenvalues(population.atoms(), math.inf, sample.samples, wanted)
        axis.plot(wanted, expected, color=green, linestyle=style.STYLES[1],
                  label=f"predicted for {sample.samples:.4g} samples")  # fmt: skip
        if tail.alpha:
            inside = np.geomspace(tail.power_law.first, tail.power_law.last, 50)
            law = style.mathematics(f"power law, α = {tail.alpha.value:.3f}")
            axis.plot(inside, tail.scale * inside ** -(1 + tail.alpha.value), color=blue, label=law)
        axis.set(xscale="log", yscale="log", xlabel="rank $J$", ylabel="eigenvalue",
                 ylim=(measured[-1] / 3, 3 * max(measured[0], high.max())))  # fmt: skip
        axis.legend(loc="lower left")
        style.finish(axis)
        style.write_picture(figure, path, path.suffix[1:].lower())
    return path


def _predicted_ranks(population: PopulationSpectrum) -> np.ndarray:
    last = min(len(population.sample.eigenvalues), math.floor(population.sample.samples))
    return np.unique(np.round(np.geomspace(1, last, PREDICTED)))
