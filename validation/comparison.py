r"""Compare a theory with simulation over a family of cases, apart from finite-size bias.

A simulated number is given at several scales s, each a multiple of all sizes. Its *ratio* to theory
is 1 + c/s + O(1/s²) if theory is right, so the ratios are extrapolated to s → ∞
(`validation.statistics.extrapolate`, with an allowance for the 1/s² term). A `Family` collects
ratios; those that share draws are one group. All of them get one verdict
(`validation.statistics.verdict`): each ratio in its simultaneous interval, and the groups, which
are independent, together by χ², each represented by the mean of its ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cells import Cell
from .statistics import LEVEL, Estimate, Extrapolation, Judgement, estimate, extrapolate, verdict

SCALES = (1, 2, 4)
#: size of the 1/s² term, as a fraction of the drift between the smallest and the largest size
REMAINDER = 0.5
#: rounding error of a loss, relative to the target power
ROUNDING = 1e-10

Array = np.ndarray
Theory = Callable[[Cell], Mapping[str, float]]


@dataclass(frozen=True)
class Ratio:
    """One number: theory and simulation at each scale, and the limit of their ratio.

    ``fit`` extrapolates simulation/theory, or the simulated number itself where theory is zero.
    """

    scales: tuple[float, ...]
    theory: tuple[float, ...]
    simulated: tuple[Estimate, ...]
    fit: Extrapolation

    @property
    def vanishes(self) -> bool:
        """Whether theory says that this number is exactly zero."""
        return all(value == 0 for value in self.theory)

    @property
    def target(self) -> float:
        """What ``fit.limit`` should be: 1, or 0 where the number vanishes."""
        return 0.0 if self.vanishes else 1.0

    @property
    def score(self) -> float:
        """Normal score of the theory after extrapolation."""
        return self.fit.limit.score(self.target, ROUNDING)

    @property
    def bias(self) -> Estimate:
        """Leading finite-size departure from theory at the largest scale, relative to theory."""
        return self.fit.bias / self.scales[-1]


class Family:
    """Ratios at the same scales, decided together.

    >>> family, noise = Family((1, 2)), np.array([-0.01, 0.0, 0.01])
    >>> ratio = family.add("first", [3.3 + noise, 3.15 + noise], [3.0, 3.0])
    >>> round(ratio.fit.limit.mean, 12), family.judge(resolution=0.1).outcome
    (1.0, 'pass')
    """

    def __init__(self, scales: Sequence[float]) -> None:
        self.scales = tuple(scales)
        self.ratios: list[Ratio] = []
        self.incomplete = 0  # numbers with fewer than two repetitions at some scale
        self._groups: dict[Hashable, list[list[Array]]] = {}

    def add(self, group: Hashable, samples: Sequence[Any], theory: Sequence[float]) -> Ratio | None:
        """The ratio of one number, from its repetitions at each scale; None if too few are finite.

        Repetition k of all numbers of a ``group`` belongs to the same draw.
        """
        arrays = [np.asarray(values, float) for values in samples]
        finite = [values[np.isfinite(values)] for values in arrays]
        if min(map(len, finite)) < 2:
            self.incomplete += 1
            return None
        scaled = [values / value if value else values for values, value in zip(arrays, theory)]
        simulated = tuple(map(estimate, finite))
        found = Ratio(self.scales, tuple(map(float, theory)), simulated, self._limit(scaled))
        self.ratios.append(found)
        departures = [values - found.target for values in scaled]
        self._groups.setdefault(group, []).append(departures)
        return found

    def judge(self, *, resolution: float, level: float = LEVEL) -> Judgement:
        """The verdict on all ratios; there must be one."""
        scores = []
        for departures in self._groups.values():
            means = [np.mean(values, axis=0) for values in zip(*departures, strict=True)]
            if min(np.isfinite(mean).sum() for mean in means) > 1:
                scores.append(self._limit(means).limit.score(0.0, ROUNDING))
        return verdict(
            [ratio.fit.limit for ratio in self.ratios],
            [ratio.target for ratio in self.ratios],
            resolution=resolution,
            level=level,
            floor=ROUNDING,
            groups=scores,
        )

    def _limit(self, samples: Sequence[Array]) -> Extrapolation:
        estimates = [estimate(values[np.isfinite(values)]) for values in samples]
        return extrapolate(self.scales, estimates, remainder=REMAINDER)
