r"""Optimal early stopping: the training time at which the test loss is smallest.

With label noise, or where data are reused, L(t) falls and rises again. The minimum is located on
a grid of times that ascend by a constant factor, which one call of `dynamics` evaluates, and
refined around the smallest loss until the bracket is narrow. If the loss is still falling where
the fastest and the slowest mode have long been learned, no finite time is optimal and t = ∞ is
returned, with the loss of the trained model (`loss.static_loss`). Training that ends, as schedules
of a given number of steps do, is looked at until then.

A rule that diverges passes any bound: `divergence_step` is the first step that does, found on grids
of steps that grow and close in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..errors import InputError
from ..loss import static_loss
from ..optimum import Bracket, lowest, minimum
from ..spectrum import Spectrum, as_spectrum
from .dynamics import dynamics
from .learners import GradientFlow
from .training_rule import Learner

FIRST, LAST = 1e-2, 1e14  # times of the grid, in units of 1/λ_1
PER_DECADE = 6
SECTIONS = 9  # whole times of one refinement
DIVERGED = 1e3  # times the loss at the start
FLAT = 1e-10  # relative excess over the last loss that counts as a minimum


@dataclass(frozen=True)
class Stopping:
    """The optimal ``time``, the loss there, and the ``final`` one.

    If training should not be stopped the time is that of its end, ∞ unless one is given.
    """

    time: float
    excess_loss: float
    final: float

    @property
    def gain(self) -> float:
        """The fraction of the final loss that stopping early saves."""
        return 1 - self.excess_loss / self.final if self.final < math.inf else 1.0


@checked
def optimal_stopping(
    spectrum: Spectrum, features: float, samples: float, *, learner: Learner | None = None,
    noise: float = 0.0, ensemble: int = 1, bags: int = 1, last: float = math.inf,
) -> Stopping:  # fmt: skip
    """The training time of smallest excess loss; for discrete rules a whole number of steps.

    ``features`` and ``samples`` are N and T, ``noise`` σ_ε², ``ensemble`` and ``bags`` the draws
    that are averaged over; ``last`` is when training ends at the latest, by default never, or with
    the schedules of the rule. Result: ``time``, the ``excess_loss`` there, and ``final`` at the
    end. Raises `InputError` for arguments that are not allowed, among them ridge regression, which
    has no time, and schedules without their ``steps``. Source: dynamical paper, eq. (35), minimised
    over time.

    >>> from solvable.analytic.spectrum import Flat
    >>> best = optimal_stopping(Flat(100), 300, 110, noise=1.0)
    >>> best.time < math.inf and best.excess_loss < best.final
    True
    """
    spectrum = as_spectrum(spectrum, numbers=True)
    rule: Any = GradientFlow() if learner is None else learner
    last = _end(rule, last)

    def loss(times: Any) -> np.ndarray:
        result = dynamics(
            spectrum, features, samples, times,
            learner=rule, noise=noise, ensemble=ensemble, bags=bags,
        )  # fmt: skip
        return result.excess_loss

    unit = 1 / float(spectrum.eigenvalue(1))
    grid = np.geomspace(FIRST * unit, LAST * unit, round(PER_DECADE * math.log10(LAST / FIRST)) + 1)
    if rule.discrete:
        grid = np.unique(np.round(grid / float(rule.step)))
    end = [last] if last < math.inf else []
    grid = np.concatenate([[0.0], grid[(grid > 0) & (grid < last)], end])
    values = loss(grid)
    final = float(values[-1])
    plain = isinstance(rule, GradientFlow) and not rule.decay
    if plain and ensemble == bags == 1 and last == math.inf:
        final = float(static_loss(spectrum, features, samples, noise=noise).excess_loss)
    bracket = lowest(grid, values)
    if values.min() >= final * (1 - FLAT):
        return Stopping(last, final, final)
    time, value = (_whole_minimum if rule.discrete else minimum)(loss, bracket)
    return Stopping(float(time), float(value), final)


def _end(rule: Any, last: Any) -> float:
    """When training ends: as asked, and not later than the rule's schedules."""
    arguments.positive_or_infinite("last", last)
    if rule.scored == "ridge":
        raise InputError("learner", rule.rule, "a rule that trains in time; `optimal_ridge` has "
                         "the ridge of smallest loss")  # fmt: skip
    end = min(float(last), getattr(rule, "horizon", math.inf))
    if end == 0:
        raise InputError("learner", rule.rule, "`steps`, the length of its schedules")
    if rule.discrete and end < math.inf and end != int(end):
        raise InputError("last", last, "a whole number of steps")
    return end


def divergence_step(
    spectrum: Spectrum, features: float, samples: float, *, learner: Learner, noise: float = 0.0,
    bound: float | None = None,
) -> int | None:  # fmt: skip
    """The first step after which the excess loss of a rule that diverges is above ``bound``.

    By default the bound is 1000 times the loss at the start. None if the step size is not above the
    critical one, or where so slow a growth passes it after `LAST` steps only.

    >>> from solvable.analytic.training.learners import GradientDescent
    >>> from solvable.analytic.spectrum import Flat
    >>> divergence_step(Flat(10), math.inf, math.inf, learner=GradientDescent(3.0))  # 4ⁿ > 1000
    5
    """
    spectrum = as_spectrum(spectrum, numbers=True)
    limit = DIVERGED * float(spectrum.total_target_power()) if bound is None else float(bound)

    def above(steps: np.ndarray) -> np.ndarray:
        found = dynamics(spectrum, features, samples, steps, learner=learner, noise=noise)
        return np.asarray(found.excess_loss) > limit if found.diverges else np.zeros(0, bool)

    low, high = 0, 1
    while high < LAST:
        steps = np.unique(np.geomspace(low + 1, high, SECTIONS).astype(np.int64))
        passed = above(steps)
        if not len(passed):
            return None
        if passed.any():
            first = int(np.argmax(passed))
            low, high = (int(steps[first - 1]) if first else low), int(steps[first])
            if high - low <= 1:
                return high
        else:
            low, high = high, 16 * high
    return None


def _whole_minimum(loss: Any, bracket: Bracket) -> tuple[float, float]:
    """The same over whole numbers: the smallest of a few losses, until none is left between."""
    low, high = float(bracket.low), float(bracket.high)
    while True:
        times = np.unique(np.round([low, *np.geomspace(max(low, 1), high, SECTIONS)]))
        values = loss(times)
        around = lowest(times, values)
        low, high = float(around.low), float(around.high)
        if high - low <= 2:
            return float(around.middle), float(values.min())
