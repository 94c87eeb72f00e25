r"""How far a table determines a parameter: profile likelihood and bootstrap.

The profile of a coordinate is the objective minimised over all others. With the scale S_j of its
rise, the variance of the residuals for least squares and ⟨ψ²⟩/⟨ψ′⟩ for an M-estimator of errors
that are alike (`covariance`),

    2 [profile(θ_j) − profile(θ̂_j)]/S_j ≤ F_{1, n−p}(level)

is the interval of θ_j. A profile that stays below on a side leaves the parameter unbounded there:
it is undetermined, and so is one whose interval spans more than a factor `WIDEST`.

Sources: Hampel et al. 1986, sec. 7.2 (tests of M-estimators); Huber 1967 (C); Efron 1979.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import f as fisher

from .huber import TOGETHER, Model, reweighted, score

FARTHEST = 12.0  # in logarithms
ROUNDS, CLOSE = 16, 0.04  # of the search for an end
LONGEST = 3.0  # step of a coordinate
BEYOND = (0.1, 0.4, 1.6, 6.4)  # an end, in logarithms, where other minima are looked for
SINGULAR = 1e-10  # a direction that the rows do not determine has a finite, huge variance
WIDEST = 100.0


def inside(residual: np.ndarray, delta: float) -> np.ndarray:
    """⟨ψ′⟩ at every row: the probability of a residual within δ, by a Gaussian kernel."""
    if np.isinf(delta):
        return np.ones(len(residual))
    scale = min(float(np.std(residual)), float(np.quantile(np.abs(residual), 0.75)) / 1.15)
    width = 1.06 * max(scale, 1e-300) * len(residual) ** -0.2
    smooth = ndtr((delta - residual) / width) - ndtr((-delta - residual) / width)
    return np.maximum(smooth, 1e-300)


def threshold(scale: float, rows: int, parameters: int, level: float) -> float:
    """The rise of the objective at the ends of an interval.

    >>> round(threshold(2.0, 10**6, 3, 0.95), 2)  # χ²₁ = 3.84
    3.84
    """
    return scale * float(fisher.ppf(level, 1, max(rows - parameters, 1))) / 2


def covariance(
    model: Model, theta: np.ndarray, delta: float, log_loss: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(C, S): the covariance of θ̂, and for every coordinate the scale of the objective's rise.

    C = H⁻¹ (Jᵀ diag ψ² J) H⁻¹ n/(n − p), H = Jᵀ diag ψ′ J, so that errors may differ between
    rows, and S_j = C_jj/(H⁻¹)_jj, but no less than ⟨ψ²⟩/⟨ψ′⟩ of all rows, since a coordinate that
    serves one or two rows alone leaves them no residual; for least squares C = s² H⁻¹ and S = s².
    """
    value, jacobian = model(theta[None])
    residual, j = value[0] - log_loss, jacobian[0]
    n, p = j.shape
    squared = score(residual, delta) ** 2 * n / max(n - p, 1)
    scaling = np.sqrt(np.maximum(np.sum(j**2, axis=0), 1e-300))
    j = j / scaling
    hessian = (j.T * inside(residual, delta)) @ j
    inverse = np.linalg.inv(hessian + SINGULAR * np.trace(hessian) / p * np.eye(p))
    if np.isinf(delta):
        error = np.mean(squared) * inverse
        scale = np.full(p, np.mean(squared))
    else:
        error = inverse @ (j.T * squared) @ j @ inverse
        own = np.diag(inverse)
        pooled = np.full(p, np.mean(squared) / np.mean(inside(residual, delta)))
        scale = np.divide(np.diag(error), own, out=pooled.copy(), where=own > 0)
        scale = np.maximum(scale, pooled)
    return error / np.outer(scaling, scaling), scale


@dataclass(frozen=True, eq=False)
class _Profile:
    """The profile of θ_index on one side of the minimum θ̂, as a function of its distance."""

    model: Model
    theta: np.ndarray
    objective: float
    log_loss: np.ndarray
    delta: float
    index: int
    direction: np.ndarray
    limit: float
    least: np.ndarray | None = None

    @property
    def sign(self) -> float:
        return float(np.sign(self.direction[self.index]))

    @property
    def farthest(self) -> float:
        """How far the coordinate may move."""
        if self.least is None or self.sign > 0:
            return FARTHEST
        return min(FARTHEST, float(self.theta[self.index] - self.least[self.index]))

    def rise(self, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """θ and the root of the rise at the held values of ``start``, shape (problems, p)."""
        held = np.arange(len(self.theta)) == self.index
        tolerance = 1e-3 * self.limit / max(self.objective, 1e-300)
        widths = (self.delta,) if np.isinf(self.delta) else (30 * self.delta, self.delta)
        for width in widths:
            found = reweighted(self.model, start, self.log_loss, width, held=held,
                               least=self.least, steps=25, tolerance=tolerance)  # fmt: skip
            start = found.theta
        return start, np.sqrt(np.maximum(found.objective - self.objective, 0.0))

    def follow(self, last: np.ndarray, near: tuple[float, float], distance: float) -> float:
        """The end of the minimum at ``last``, from (distance, root) inside and a first guess."""
        index, length = self.index, abs(self.direction[self.index])
        far, goal = (np.inf, np.inf), float(np.sqrt(self.limit))
        for _ in range(ROUNDS):
            moved = self.direction / length * (distance - abs(last[index] - self.theta[index]))
            start = last + moved * min(1.0, LONGEST / max(float(np.abs(moved).max()), 1e-300))
            start[index] = self.theta[index] + self.sign * distance
            (found,), (root,) = self.rise(start[None])
            if abs(root / goal - 1) < CLOSE:
                return float(distance + (goal - root) * distance / root)
            if root < goal:
                near, last = (distance, root), found
                if distance >= self.farthest:
                    return np.inf
            else:
                far = (distance, root)
            if np.isinf(far[0]):
                ahead = distance * goal / max(root, 1e-9 * goal)
                distance = min(self.farthest, float(np.clip(ahead, 1.3 * distance, 8 * distance)))
            else:
                share = float(np.clip((goal - near[1]) / (far[1] - near[1]), 0.1, 0.9))
                distance = near[0] + share * (far[0] - near[0])
        return distance if np.isfinite(far[0]) else np.inf

    def beyond(self, end: float, starts: np.ndarray) -> float:
        """The end of a minimum beyond ``end`` that is reached from ``starts``, or ``end``."""
        places = np.minimum(end + np.array(BEYOND), self.farthest)
        trial = np.tile(starts, (len(places), 1))
        trial[:, self.index] = np.repeat(self.theta[self.index] + self.sign * places, len(starts))
        found, roots = self.rise(trial)
        inside = np.flatnonzero(roots**2 <= self.limit)
        if not len(inside):
            return end
        one = inside[-1]
        place = float(places[one // len(starts)])
        if place >= self.farthest:
            return np.inf
        return max(place, self.follow(found[one], (place, float(roots[one])), 1.05 * place))


def profile_end(
    model: Model, theta: np.ndarray, objective: float, log_loss: np.ndarray, delta: float,
    index: int, direction: np.ndarray, limit: float, least: np.ndarray | None = None,
    starts: np.ndarray | None = None,
) -> float:  # fmt: skip
    """How far θ_index moves, with the sign of ``direction``, until the profile rises by ``limit``.

    ``direction`` is the step of all coordinates, two standard errors long, along which the profile
    is expected; ±∞ where it does not rise enough within `FARTHEST`, or above the bound ``least``.
    The search follows one minimum; beyond the end that it finds, others are looked for from
    ``starts``, and followed in their turn.
    """
    profile = _Profile(model, theta, objective, log_loss, delta, index, direction, limit, least)
    first = min(np.clip(abs(direction[index]), 1e-9, 2.0), profile.farthest) or 1e-9
    end = profile.follow(theta, (0.0, 0.0), float(first))
    while starts is not None and end < profile.farthest:
        end, before = profile.beyond(end, starts), end
        if end == before:
            break
    return profile.sign * end


def bootstrap(
    model: Model, theta: np.ndarray, log_loss: np.ndarray, delta: float, draws: int,
    seed: int = 0, workers: int = 2, steps: int = 60,
) -> np.ndarray:  # fmt: skip
    """θ̂ of ``draws`` tables of rows drawn with replacement, shape (draws, p).

    The numbers depend on the seed alone.
    """
    rng = np.random.default_rng(seed)
    n = len(log_loss)
    chunk = max(1, TOGETHER // n)

    def part(c: np.ndarray) -> np.ndarray:
        starts = np.broadcast_to(theta, (len(c), len(theta)))
        return reweighted(model, starts, log_loss, delta, counts=c, steps=steps,
                          tolerance=1e-7).theta  # fmt: skip

    found: list[np.ndarray] = []
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, draws, workers * chunk):  # what is not begun holds no memory
            number = min(workers * chunk, draws - start)
            counts = rng.multinomial(n, np.full(n, 1 / n), size=number).astype(float)
            found += pool.map(part, [counts[i : i + chunk] for i in range(0, number, chunk)])
    return np.concatenate(found)
