r"""The split of a compute budget C = c N D that a fitted form calls best, with its interval.

For E + A N^−α + B D^−β it is N = G (C/c)^{β/(α+β)}, G = (αA/βB)^{1/(α+β)}; for all forms the
minimum is looked for on a grid of ln N and closed in by a parabola. The interval is that of the
minima of bootstrap replicates, or of draws from the covariance of the fit.

Source: Hoffmann et al. 2203.15556, eq. (4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import arguments
from ..errors import InputError
from .fitting import Fit
from .loss_table import FLOP_PER_PARAMETER_AND_TOKEN

GRID = 400
DRAWS = 200


@dataclass(frozen=True)
class Split:
    """N, D and the loss at a budget, each as (value, low, high)."""

    budget: float
    parameters: tuple[float, float, float]
    tokens: tuple[float, float, float]
    loss: tuple[float, float, float]


def best_split(
    found: Fit, budget: float, cost: float = FLOP_PER_PARAMETER_AND_TOKEN, seed: int = 0
) -> Split:
    """The compute-optimal N and D of a fit in these, with ``cost`` operations per N D."""
    arguments.positive("budget", budget)
    arguments.positive("cost", cost)
    if found.form == "power":
        raise InputError("budget", budget, "a form of both parameters and tokens, not power")
    product = np.log(budget / cost)
    if product <= 0:
        raise InputError("budget", budget, f"more than {cost:g}, the cost of N = D = 1")
    draws = _draws(found, seed)
    grid = np.linspace(0, product, GRID)
    theta = np.vstack([found.theta[None], draws])
    with np.errstate(over="ignore"):
        values = np.log(found.losses(np.exp(grid), np.exp(product - grid), theta=theta))
    middle = np.clip(np.argmin(values, axis=1), 1, GRID - 2)
    rows = np.arange(len(theta))
    a, b, c = (values[rows, middle + k] for k in (-1, 0, 1))
    curved = np.maximum(a - 2 * b + c, 1e-300)
    shift = np.clip((a - c) / (2 * curved), -1, 1)
    log_n = grid[middle] + shift * (grid[1] - grid[0])
    lowest = b - (a - c) ** 2 / (16 * curved) * (np.abs(shift) < 1) * 2
    tails = [50 * (1 - found.level), 50 * (1 + found.level)]

    def with_interval(x: np.ndarray) -> tuple[float, float, float]:
        low, high = np.exp(np.percentile(x[1:], tails))
        return float(np.exp(x[0])), float(low), float(high)

    split = with_interval(log_n), with_interval(product - log_n), with_interval(lowest)
    return Split(float(budget), *split)


def _draws(found: Fit, seed: int) -> np.ndarray:
    """θ of replicates."""
    if len(found.draws):
        return found.model.coordinates(found.draws[:1000])
    rng = np.random.default_rng(seed)
    count = DRAWS if found.form != "exact" else DRAWS // 4
    values, vectors = np.linalg.eigh(found.covariance)
    half = vectors * np.sqrt(np.maximum(values, 0))
    drawn = found.theta + rng.standard_normal((count, len(found.theta))) @ half.T
    least = getattr(found.model, "least", None)
    return drawn if least is None else np.maximum(drawn, least)
