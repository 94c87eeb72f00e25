"""Averages of models against larger models, white spectra, and universality.

Source: dynamical paper, appendices H and I, figures 6 and 9; equations (110)–(122).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from solvable.analytic.spectrum import Flat

from ..cells import Cell
from ..entries import EntryLaw
from .dynamic import TIME_AXES, Sheet, flow, task, theory
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
    above,
    below,
    near,
)
from .static import LOSS_AXES_T, best_ridges, paper_loss, power_law
from .static import theory as static_theory

# ---- ensembling --------------------------------------------------------------------------


def _ensemble(p: Parameters) -> Plan:
    sheet, spectrum = Sheet.empty(), task(p.a, p.b, p.M)
    line = np.geomspace(min(p.times) / 2, max(p.times) * 1.5, 100)
    for n in p.N:
        for members in p.members:
            cell = flow(spectrum, n, p.P, p.times, feature_draws=members)
            sheet.curve(f"N = {n}, E = {members}", cell, line=line)
    bagged = flow(spectrum, p.N[0], p.P, p.times, data_draws=p.members[-1])
    sheet.curve(f"N = {p.N[0]}, B = {p.members[-1]} bags", bagged, line=line)
    return Plan(sheet.cells, tuple(sheet.series), partial(_ensemble_facts, p))


def _ensemble_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """One model of E times the width beats an ensemble of E; the variance falls as 1/E."""
    spectrum, members = task(p.a, p.b, p.M), p.members[-1]
    narrow = measured[f"N = {p.N[0]}, E = {members}"].mean[-1]
    wide = measured[f"N = {p.N[1]}, E = 1"].mean[-1]

    def loss(draws: int) -> float:
        cell = flow(spectrum, p.N[0], p.P, [100.0], feature_draws=draws)
        return float(theory(cell).excess_loss[0])

    bias = loss(10**9)
    ratio = (loss(1) - bias) / (loss(8) - bias)
    times, plenty = (1.0, 10.0, 100.0, 1e3, 1e4), 10**12
    wider = [
        theory(flow(spectrum, members * n, plenty, times)).excess_loss
        / theory(flow(spectrum, n, plenty, times, feature_draws=members)).excess_loss
        for n in p.N
    ]
    return [
        below(
            f"simulated loss of one model of width {p.N[1]} relative to {members} of {p.N[0]}",
            float(wide / narrow),
            1,
        ),
        below(
            "the same in theory at P = ∞, largest over widths and times", float(np.max(wider)), 1
        ),
        near("variance of one model relative to 8", float(ratio), 8, 1e-6),
        above("bias that no ensemble removes, relative to the loss", bias / loss(1), 0.1),
    ]


ENSEMBLE = Experiment(
    name="ensembling-against-width",
    title="Ensembling is not the same as going wider",
    source="dynamical paper, figure 6, eqs. (19), (110)–(115), appendix H",
    claim="Averaging E models removes the variance over features as 1/E and leaves a bias that "
    "only width removes: at equal compute one wider model is better.",
    sizes={"M": 4000, "N": (64, 256, 1024), "P": 1024},
    constants={"a": 1.5, "b": 1.25, "members": (1, 4), "times": (1.0, 10.0, 100.0, 1e3)},
    axes=TIME_AXES,
    build=_ensemble,
    quick=Budget(0.3125, 10, {"N": (64, 256), "P": 640, "M": 3000}, 0.1),
    thorough=Budget(1.0, 32),
)

# ---- white spectrum ----------------------------------------------------------------------


def _white(p: Parameters) -> Plan:
    """λ = 1 and M modes: N = νM features; the target power is 1 in total."""
    sheet = Sheet.empty()
    spectrum = Flat(size=p.M, target_variance=1 / p.M)
    line = np.geomspace(min(p.times) / 2, max(p.times) * 1.5, 100)
    for nu in p.nu:
        for members in p.members:
            cell = flow(spectrum, round(nu * p.M), p.P, p.times, feature_draws=members)
            sheet.curve(f"ν = {nu:g}, E = {members}", cell, line=line)
    return Plan(sheet.cells, tuple(sheet.series), partial(_white_facts, p))


def _white_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """With unlimited data the plateaus are 1 − ν, and (1 − ν)² for an infinite ensemble."""
    size = 10**6
    spectrum = Flat(size=size, target_variance=1 / size)
    facts = []
    for nu in p.nu:
        for members, expected in ((1, 1 - nu), (10**9, (1 - nu) ** 2)):
            cell = flow(spectrum, round(nu * size), 10**14, (1e5,), feature_draws=members)
            name = "one model" if members == 1 else "an infinite ensemble"
            facts.append(
                near(
                    f"plateau of {name}, ν = {nu:g}, P = ∞",
                    float(theory(cell).excess_loss[0]),
                    expected,
                    1e-4,
                )
            )
    return facts


WHITE = Experiment(
    name="white-ensembles",
    title="White spectrum: narrow models and their ensembles",
    source="dynamical paper, figure 9, eqs. (118), (119), appendix I",
    claim="For white data a fraction ν of the modes can be learned: with unlimited data the loss "
    "ends at 1 − ν, that of an infinite ensemble at (1 − ν)².",
    sizes={"M": 400, "P": 4000},
    constants={"nu": (0.25, 0.75), "members": (1, 4), "times": (0.3, 1.0, 3.0, 10.0, 30.0)},
    axes=Axes("training time t", "test loss", "log", "linear"),
    build=_white,
    quick=Budget(0.2, 3, {"P": 2400}, 0.1),
    thorough=Budget(1.0, 64),
)

# ---- universality ------------------------------------------------------------------------


LAWS = {
    "Rademacher": EntryLaw("rademacher"),
    "Laplace": EntryLaw("laplace"),
    "Student t₅": EntryLaw("student", 5.0),
    "multivariate Student t₄": EntryLaw("elliptical", 4.0),
}


def _universality(p: Parameters) -> Plan:
    spectrum = power_law(p.alpha, p.M)
    cells: list[Cell] = []
    series: list[Series] = []
    x = np.geomspace(min(p.T) / 1.3, max(p.T) * 1.3, 80)
    line = static_theory(spectrum, p.N, x, noise=p.noise, ridge="optimal")
    ridges = best_ridges(spectrum, p.N, p.T, p.noise)
    for label in p.laws:
        points = []
        for t, ridge in zip(p.T, ridges):
            features = LAWS[label] if "features" in p.entries else EntryLaw()
            cell = Cell(spectrum, p.N, t, at=(ridge,), noise=p.noise,
                        feature_law=features, data_law=LAWS[label])  # fmt: skip
            value = float(static_theory(spectrum, p.N, t, noise=p.noise, ridge=ridge))
            points.append(Point(t, len(cells), paper_loss(cell), value))
            cells.append(cell)
        series.append(Series(label, tuple(points)))
    guides = (Guide("vertical", "T = N", p.N), Guide("curve", "Gaussian theory", x, line))
    return Plan(cells, tuple(series), guides=guides)


UNIVERSALITY = Experiment(
    name="universality",
    title="The law of the entries does not matter",
    source="random matrix theory; solvable-model paper, section 4.4",
    claim="Rademacher, Laplace and heavy-tailed independent entries (Student, 5 degrees of "
    "freedom) give the Gaussian losses.",
    sizes={"M": 3000, "N": 600, "T": (200, 500, 1500)},
    constants={
        "alpha": 0.5,
        "noise": 0.1,
        "entries": "of features and data",
        "laws": ("Rademacher", "Laplace", "Student t₅"),
    },
    axes=LOSS_AXES_T,
    build=_universality,
    quick=Budget(0.2, 10, resolution=0.1),
    thorough=Budget(1.0, 64),
)

FAILURE = Experiment(
    name="universality-fails",
    title="Samples of unequal norm break the theory",
    source="random matrix theory: elliptical data, a control of the method",
    claim="When each sample has its own random norm (multivariate Student data), the theory fails "
    "at every size, and the comparison must reject it.",
    sizes={"M": 3000, "N": 600, "T": (200, 500, 1500)},
    constants={
        "alpha": 0.5,
        "noise": 0.1,
        "entries": "of data",
        "laws": ("multivariate Student t₄",),
    },
    axes=LOSS_AXES_T,
    build=_universality,
    quick=Budget(0.2, 10, resolution=0.1),
    thorough=Budget(1.0, 64),
    expected="rejection",
)

EXPERIMENTS = (ENSEMBLE, WHITE, UNIVERSALITY, FAILURE)
