r"""Huber regression on log loss, for many problems at once.

    minimise Σ_i c_i ρ_δ(r_i), r = ln L(θ) − ln L,  ρ_δ(r) = r²/2 up to |r| = δ, δ|r| − δ²/2 beyond,

by Levenberg–Marquardt steps on reweighted least squares, W = c ρ′(r)/r, which never raise the
objective. Problems of one batch differ in their weights c (bootstrap), in their start, or in
which coordinates are held (profiles). Variable projection: on a grid of the exponents the
coordinates that enter linearly are solved first, so that the search is over exponents alone.

The last digits come from quasi-Newton steps on the objective itself.

Sources: Hoffmann et al. 2203.15556, App. D.3 (δ = 10⁻³); Golub, Pereyra 1973.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..equality import Comparable

#: θ (problems, p) → ln L (problems, rows) and derivatives (problems, rows, p)
Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

DELTA = 1e-3
BEST = 6  # starts that are followed to the end
BOUND = 40.0  # of the logarithms
TOGETHER = 2**18  # residuals, of all problems


@dataclass(frozen=True, eq=False)
class Minimum(Comparable):
    """θ of shape (problems, p) and the objective there, shape (problems,)."""

    theta: np.ndarray
    objective: np.ndarray


def loss_of(residual: np.ndarray, delta: float) -> np.ndarray:
    """ρ_δ(r); δ = ∞ is r²/2.

    >>> loss_of(np.array([0.5, 2.0]), 1.0)
    array([0.125, 1.5  ])
    """
    if np.isinf(delta):
        return residual**2 / 2
    size = np.abs(residual)
    return np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))


def score(residual: np.ndarray, delta: float) -> np.ndarray:
    """ψ = ρ′ = clip(r, −δ, δ)."""
    return np.clip(residual, -delta, delta)


def reweighted(
    model: Model,
    start: np.ndarray,
    log_loss: np.ndarray,
    delta: float,
    *,
    counts: np.ndarray | None = None,
    held: np.ndarray | None = None,
    least: np.ndarray | None = None,
    steps: int = 60,
    tolerance: float = 1e-7,
) -> Minimum:
    """Minimise from every start, a part of them at a time.

    ``held`` marks coordinates that stay, ``least`` are lower bounds, ``counts`` weigh the rows.
    """
    part = max(1, TOGETHER // len(log_loss))
    found = [
        _reweighted(model, start[i : i + part], log_loss, delta,
                    None if counts is None else counts[i : i + part], held, least, steps, tolerance)
        for i in range(0, len(start), part)
    ]  # fmt: skip
    return Minimum(np.concatenate([one.theta for one in found]),
                   np.concatenate([one.objective for one in found]))  # fmt: skip


def _reweighted(
    model: Model, start: np.ndarray, log_loss: np.ndarray, delta: float,
    counts: np.ndarray | None, held: np.ndarray | None, least: np.ndarray | None, steps: int,
    tolerance: float,
) -> Minimum:  # fmt: skip
    bottom = np.full(np.shape(start)[1], -BOUND) if least is None else least
    theta = np.maximum(np.array(start, float), bottom)
    damping = np.full(len(theta), 1e-3)
    weights = np.ones(len(log_loss)) if counts is None else counts
    free = np.ones(theta.shape[1], bool) if held is None else ~held
    value, jacobian = model(theta)
    residual = value - log_loss
    objective = np.sum(weights * loss_of(residual, delta), axis=1)
    active = np.arange(len(theta))
    for _ in range(steps):
        c = weights if counts is None else weights[active]
        trial = theta[active]
        at_bottom = trial[:, free] <= bottom[free]
        step = _step(jacobian, residual, c, delta, damping[active], free, at_bottom)
        trial[:, free] = np.clip(trial[:, free] + step, bottom[free], BOUND)
        with np.errstate(over="ignore", invalid="ignore"):
            new_value, new_jacobian = model(trial)
            new_residual = new_value - log_loss
            new = np.sum(c * loss_of(new_residual, delta), axis=1)
        better = new <= objective[active]
        gain = np.where(better, objective[active] - new, np.inf)
        gain = gain / np.maximum(objective[active], 1e-300)
        damping[active] = np.where(
            better, damping[active] / 5, np.minimum(damping[active] * 8, 1e8)
        )
        done = (gain < tolerance) | (damping[active] >= 1e8)
        theta[active] = np.where(better[:, None], trial, theta[active])
        objective[active] = np.where(better, new, objective[active])
        residual = np.where(better[:, None], new_residual, residual)[~done]
        jacobian = np.where(better[:, None, None], new_jacobian, jacobian)[~done]
        active = active[~done]
        if not len(active):
            break
    return Minimum(theta, objective)


def _step(
    jacobian: np.ndarray, residual: np.ndarray, counts: np.ndarray, delta: float,
    damping: np.ndarray, free: np.ndarray, at_bottom: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The damped step of weighted least squares in the free coordinates.

    Those at their lower bound stay there if the slope leads out.
    """
    with np.errstate(divide="ignore"):
        weight = counts * np.minimum(1.0, delta / np.maximum(np.abs(residual), 1e-300))
    j = jacobian[..., free]
    weighted = j * weight[..., None]
    gram = weighted.transpose(0, 2, 1) @ j
    slope = (weighted.transpose(0, 2, 1) @ residual[..., None])[..., 0]
    diagonal = np.diagonal(gram, axis1=1, axis2=2)
    floor = 1e-14 * diagonal.max(axis=1, keepdims=True) + 1e-290
    index = np.arange(free.sum())
    stays = at_bottom & (slope > 0)
    gram[:, index, index] += damping[:, None] * diagonal + floor + 1e12 * stays * (diagonal + 1)
    step = -np.linalg.solve(gram, slope[..., None])[..., 0]
    return np.clip(np.nan_to_num(step), -2, 2)


def best(
    model: Model, starts: np.ndarray, linear: np.ndarray, log_loss: np.ndarray, delta: float
) -> tuple[np.ndarray, float]:
    """The lowest minimum from a grid of starts, by variable projection, to the last digits.

    ``linear`` marks the coordinates that are projected out on the grid.
    """
    wide = max(delta, float(np.std(log_loss)) / 10)  # smooth first
    projected = reweighted(model, starts, log_loss, wide, held=~linear, steps=25)
    first = projected.theta[np.argsort(projected.objective)[: 3 * BEST]]
    rough = reweighted(model, first, log_loss, wide, steps=60)
    second = rough.theta[np.argsort(rough.objective)[:BEST]]
    found = reweighted(model, second, log_loss, delta, steps=200, tolerance=1e-10)
    return polished(model, found.theta[np.argmin(found.objective)], log_loss, delta)


def polished(
    model: Model, theta: np.ndarray, log_loss: np.ndarray, delta: float
) -> tuple[np.ndarray, float]:
    """The minimum near θ to the digits that float64 allows."""
    scale = float(np.sum(loss_of(model(theta[None])[0][0] - log_loss, delta))) or 1.0

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, jacobian = model(np.clip(x, -BOUND, BOUND)[None])
        residual = value[0] - log_loss
        slope = score(residual, delta) @ jacobian[0]
        return float(np.sum(loss_of(residual, delta))) / scale, slope / scale

    for _ in range(4):
        found = minimize(objective, theta, jac=True, method="BFGS", options={"gtol": 1e-11})
        if found.fun < objective(theta)[0]:
            theta = found.x
    return np.clip(theta, -BOUND, BOUND), objective(theta)[0] * scale
