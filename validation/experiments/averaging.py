"""Averages of models against larger models, white spectra, and universality.

Source: dynamical paper, appendices H and I, figures 6 and 9; equations (110)–(122).
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from solvable.analytic.spectrum import Flat

from ..cells import Cell
from ..entry_laws import EntryLaw
from . import building_blocks as blocks
from .building_blocks import LOSS_AXES_T, TIME_AXES, flow, over_time, task, theory, times_around
from .experiment import Axes, Budget, Curve, Guide, Items, Parameters, experiment
from .facts import above, below, near

PLENTY = 10**12  # samples that stand for unlimited data


@experiment(
    title="Ensembling is not the same as going wider",
    source="dynamical paper, figure 6, eqs. (19), (110)–(115), appendix H",
    claim="Averaging E models removes the variance over features as 1/E and leaves a bias that "
    "only width removes: at equal compute one wider model is better.",
    sizes={"M": 4000, "N": (64, 256, 1024), "P": 1024},
    constants={"a": 1.5, "b": 1.25, "members": (1, 4), "times": (1.0, 10.0, 100.0, 1e3)},
    axes=TIME_AXES, quick=Budget(0.3125, 16, {"N": (64, 256), "P": 640, "M": 3000}, 0.1),
    thorough=Budget(1.0, 170, spread=0.5, fewest=32),
)  # fmt: skip
def ensembling_against_width(p: Parameters) -> Items:
    """One model of E times the width beats an ensemble of E; the variance falls as 1/E."""
    spectrum, line, members = task(p.a, p.b, p.M), times_around(p.times, 100), p.members[-1]
    for n in p.N:
        for e in p.members:
            cell = flow(spectrum, n, p.P, p.times, feature_draws=e)
            yield over_time(f"N = {n}, E = {e}", cell, line)
    narrow, wide = p.N[:2]
    bagged = flow(spectrum, narrow, p.P, p.times, data_draws=members)
    yield over_time(f"N = {narrow}, B = {members} bags", bagged, line)

    @cache
    def loss(draws: int) -> float:
        return float(
            theory(flow(spectrum, narrow, p.P, [100.0], feature_draws=draws)).excess_loss[0]
        )

    def wider() -> float:
        times = (1.0, 10.0, 100.0, 1e3, 1e4)
        return np.max([
            theory(flow(spectrum, members * n, PLENTY, times)).excess_loss
            / theory(flow(spectrum, n, PLENTY, times, feature_draws=members)).excess_loss
            for n in p.N
        ])  # fmt: skip

    yield below(
        f"simulated loss of one model of width {wide} relative to {members} of {narrow}",
        lambda m: m[f"N = {wide}, E = 1"].mean[-1] / m[f"N = {narrow}, E = {members}"].mean[-1],
        1,
    )
    yield below("the same in theory at P = ∞, largest over widths and times", wider, 1)
    yield near(
        "variance of one model relative to 8",
        lambda: (loss(1) - loss(10**9)) / (loss(8) - loss(10**9)),
        8,
        1e-6,
    )
    yield above(
        "bias that no ensemble removes, relative to the loss", lambda: loss(10**9) / loss(1), 0.1
    )


@experiment(
    title="White spectrum: narrow models and their ensembles",
    source="dynamical paper, figure 9, eqs. (118), (119), appendix I",
    claim="For white data a fraction ν of the modes can be learned: with unlimited data the loss "
    "ends at 1 − ν, that of an infinite ensemble at (1 − ν)².",
    sizes={"M": 400, "P": 4000},
    constants={"nu": (0.25, 0.75), "members": (1, 4), "times": (0.3, 1.0, 3.0, 10.0, 30.0)},
    axes=Axes("training time t", "test loss", "log", "linear"),
    quick=Budget(0.2, 3, {"P": 2400}, 0.1), thorough=Budget(1.0, 64),
)  # fmt: skip
def white_ensembles(p: Parameters) -> Items:
    """λ = 1 and M modes: N = νM features; the target power is 1 in total."""

    def model(size: int, nu: float, samples: int, times: Any, members: int) -> Cell:
        white = Flat(size=size, target_variance=1 / size)
        return flow(white, round(nu * size), samples, times, feature_draws=members)

    def plateau(nu: float, members: int) -> float:
        return float(theory(model(10**6, nu, 10**14, [1e5], members)).excess_loss[0])

    line = times_around(p.times, 100)
    for nu in p.nu:
        for e in p.members:
            yield over_time(f"ν = {nu:g}, E = {e}", model(p.M, nu, p.P, p.times, e), line)
    for nu in p.nu:
        for name, e, end in (
            ("one model", 1, 1 - nu), ("an infinite ensemble", 10**9, (1 - nu) ** 2)
        ):  # fmt: skip
            text = f"plateau of {name}, ν = {nu:g}, P = ∞"
            yield near(text, partial(plateau, nu, e), end, 1e-4)


# ---- universality ------------------------------------------------------------------------

LAWS = {
    "Rademacher": EntryLaw("rademacher"),
    "Laplace": EntryLaw("laplace"),
    "Student t₅": EntryLaw("student", 5.0),
    "multivariate Student t₄": EntryLaw("elliptical", 4.0),
}
#: what both experiments share
MODEL = {"alpha": 0.5, "noise": 0.1}
COMMON: dict[str, Any] = {
    "sizes": {"M": 3000, "N": 600, "T": (200, 500, 1500)},
    "axes": LOSS_AXES_T,
    "quick": Budget(0.2, 10, resolution=0.1),
    "thorough": Budget(1.0, 64),
}


def _laws(p: Parameters) -> Items:
    """The optimal ridge regressions of each law of the entries, beside the Gaussian theory."""
    spectrum, x = blocks.power_law(p.alpha, p.M), np.geomspace(min(p.T) / 1.3, max(p.T) * 1.3, 80)
    ridges = blocks.best_ridges(spectrum, p.N, p.T, p.noise)
    for label in p.laws:
        features = LAWS[label] if "features" in p.entries else EntryLaw()
        marks = []
        for t, ridge in zip(p.T, ridges):
            cell = Cell(spectrum, p.N, t, at=(ridge,), noise=p.noise,
                        feature_law=features, data_law=LAWS[label])  # fmt: skip
            loss = float(blocks.static(spectrum, p.N, t, noise=p.noise, ridge=ridge))
            marks.append(blocks.ridge_mark(t, cell, ridge, loss))
        yield Curve(label, tuple(marks))
    yield Guide("vertical", "T = N", p.N)
    line = blocks.static(spectrum, p.N, x, noise=p.noise, ridge="optimal")
    yield Guide("curve", "Gaussian theory", x, line)


@experiment(
    title="The law of the entries does not matter",
    source="random matrix theory; solvable-model paper, section 4.4",
    claim="Rademacher, Laplace and heavy-tailed independent entries (Student, 5 degrees of "
    "freedom) give the Gaussian losses.",
    constants={**MODEL, "entries": "of features and data",
               "laws": ("Rademacher", "Laplace", "Student t₅")},
    **COMMON,
)  # fmt: skip
def universality(p: Parameters) -> Items:
    """Independent entries."""
    return _laws(p)


@experiment(
    title="Samples of unequal norm break the theory",
    source="random matrix theory: elliptical data, a control of the method",
    claim="When each sample has its own random norm (multivariate Student data), the theory fails "
    "at every size, and the comparison must reject it.",
    constants={**MODEL, "entries": "of data", "laws": ("multivariate Student t₄",)},
    expected="rejection", **COMMON,
)  # fmt: skip
def universality_fails(p: Parameters) -> Items:
    """Elliptical data."""
    return _laws(p)
