r"""The static loss against simulation: ridge regression on random features, over the whole plane.

The cases span α in {0.3, 0.5, 1, 1.5}; N < T, N = T, N > T; ridge zero, small (γ*/10) and
optimal (γ*); noise zero and positive; M above N and T, and below (the breakdown regime, where a
ridgeless noiseless loss is zero, and a noisy one falls like M/(T − M)). At N = T < M a zero ridge
is the pole, whose loss has no mean, and is replaced by γ*/100.

Each case is simulated at sizes s·(N, T, M), s = 1, 2, 4, with the ridge that plays the same part
at each, and compared as `validation.comparison` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvable.analytic.errors import InputError

from .cells import Cell, SpectrumSpec
from .comparison import Comparison, compare, simulate_cases
from .learners import Ridge
from .sweep import Status

#: γ/γ* of the named ridges
RIDGES = {"zero": 0.0, "tiny": 0.01, "small": 0.1, "optimal": 1.0}


@dataclass(frozen=True)
class Case:
    """One point of the static model at scale 1; ``ridge`` is a key of `RIDGES`.

    >>> Case(0.5, 40, 80, 320, "optimal", 0.1).cell(2).features
    80
    """

    alpha: float
    features: int
    samples: int
    modes: int
    ridge: str
    noise: float

    def cell(self, scale: int) -> Cell:
        """The cell with all sizes multiplied by ``scale``; γ* is computed at these sizes."""
        from solvable.analytic.optimal_ridge import optimal_ridge

        if self.ridge not in RIDGES:
            raise InputError("ridge", repr(self.ridge), "one of " + ", ".join(RIDGES))
        spectrum = SpectrumSpec.power_law(alpha=self.alpha, size=scale * self.modes)
        features, samples = scale * self.features, scale * self.samples
        fraction, ridge = RIDGES[self.ridge], 0.0
        if fraction:
            best = optimal_ridge(spectrum.build(), features, samples, noise=self.noise)
            ridge = fraction * float(best.ridge)
        return Cell(spectrum, features, samples, Ridge((ridge,)), noise=self.noise)

    def describe(self) -> str:
        """Short text: α, sizes, ridge, noise."""
        sizes = f"N={self.features} T={self.samples} M={self.modes}"
        return f"α={self.alpha:g} {sizes} ridge {self.ridge} noise {self.noise:g}"


def _plane() -> list[Case]:
    """All cases of the module docstring."""
    cases = []
    for i, alpha in enumerate((0.3, 0.5, 1.0, 1.5)):
        for j, (features, samples) in enumerate(((40, 80), (50, 50), (80, 40))):
            for k, ridge in enumerate(("zero", "small", "optimal")):
                noise = 0.1 * ((i + j + k) % 2)
                pole = features == samples and ridge == "zero"
                cases.append(Case(alpha, features, samples, 320, "tiny" if pole else ridge, noise))
        features, samples = ((40, 80), (60, 60), (80, 40), (50, 90))[i]
        cases.append(Case(alpha, features, samples, 20, "zero", 0.1))
        cases.append(Case(alpha, features, samples, 20, "optimal", 0.1))
    cases.append(Case(1.0, 40, 80, 20, "zero", 0.0))
    cases.append(Case(1.0, 80, 40, 20, "zero", 0.0))
    return cases


CASES: tuple[Case, ...] = tuple(_plane())
#: what a quick look shows: one case of each kind
QUICK: tuple[Case, ...] = (
    Case(0.5, 50, 100, 400, "zero", 0.0),
    Case(0.5, 60, 60, 400, "optimal", 0.1),
    Case(1.0, 100, 50, 400, "small", 0.1),
    Case(1.5, 50, 100, 20, "zero", 0.1),
)


def static_theory(cell: Cell) -> dict[str, float]:
    """Excess and training loss of a `Ridge` cell, under the names of `Cell.observables`.

    >>> cell = Case(0.5, 100, 400, 2000, "zero", 0.0).cell(1)
    >>> round(static_theory(cell)["excess_loss[ridge=0]"], 9)
    0.405638916
    """
    from solvable.analytic.loss import static_loss

    if not isinstance(cell.learner, Ridge) or cell.feature_draws * cell.data_draws > 1:
        raise InputError("cell", cell.learner.rule, "ridge regression of a single learner")
    value = static_loss(
        cell.spectrum.build(),
        cell.features,
        cell.samples,
        ridge=np.array(cell.learner.ridges),
        noise=cell.noise,
        feature_variance=cell.feature_variance,
    )
    losses = np.concatenate([np.ravel(value.excess_loss), np.ravel(value.train_loss)])
    return dict(zip(cell.observables(), losses.tolist(), strict=True))


def quick_look(
    *, seeds: int = 50, root_seed: int = 0, progress: Callable[[Status], None] | None = None
) -> Comparison:
    """A few small cases at two scales, in seconds; intervals of a few per cent."""
    drawn = simulate_cases(
        QUICK, scales=(1, 2), seeds=seeds, root_seed=root_seed, progress=progress
    )
    return compare(drawn, static_theory, resolution=0.1)
