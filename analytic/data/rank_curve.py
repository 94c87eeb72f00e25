r"""A curve of ln λ against ln J: straight between some ranks, rough to a stated degree.

A power law is represented exactly. The prior makes the slope d ln λ/d ln J a random walk of
variance s² per unit of ln J about a mean slope of deviation `STEEP`, so that power laws cost next
to nothing; s, the roughness, is the value of the greatest evidence. The mean slope matters where
all eigenvalues are alike, and their order, to first order, shows in nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..equality import Comparable

FIRST_RANKS = (1, 2, 3, 4, 6)
NEAR, BLOCK, NODES = 64, 0.35, 3  # modes one by one; then blocks in ln J of Gauss nodes each
FREE, ROUGHNESS = 3.0, (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # nearly unconstrained, and those tried
STEEP = 5.0
LEAST_LENGTH = 0.4  # of ln J over which the slope may wander as much as over this length


@dataclass(frozen=True, eq=False)
class CurveEstimate(Comparable):
    """ln λ at the ranks, from data of Fisher ``information`` alone, and its fit to them.

    ``gradient`` is information · θ + score, so that the prior of any roughness can be put in.
    """

    theta: np.ndarray
    information: np.ndarray
    gradient: np.ndarray
    chi_squared: float
    degrees: int


@dataclass(frozen=True)
class RankCurve:
    """The curves of ``size`` modes that bend at ranks in the ratio ``ratio``.

    ``end``: with ranks as dense at the end of the spectrum as at its beginning.

    >>> RankCurve(20, 1.5).ranks
    array([ 1. ,  2. ,  3. ,  4. ,  6. ,  9. , 13.5, 20. ])
    """

    size: int
    ratio: float
    end: bool = False

    @cached_property
    def ranks(self) -> np.ndarray:
        """Where the curves bend, from 1 to ``size``."""
        size = self.size
        ranks = [float(x) for x in FIRST_RANKS if x < size / 1.1]
        while ranks and ranks[-1] * self.ratio < size / 1.1:
            ranks.append(max(ranks[-1] * self.ratio, ranks[-1] + 1))
        if self.end:
            gaps = 2.0 ** np.arange(0, max(0, int(math.log2(size / 4)) + 1) if size > 4 else 0)
            last = [size - gap for gap in gaps]
            ranks = [r for r in ranks if all(abs(r - x) > 1 for x in last)] + last
        return np.array([*sorted(set(ranks)), float(size)])

    @cached_property
    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Ranks that stand for modes 1 … size, and multiplicities that add up to size."""
        near = np.arange(1.0, min(self.size, NEAR) + 1)
        if self.size <= NEAR:
            return near, np.ones_like(near)
        low, high = math.log(NEAR + 0.5), math.log(self.size + 0.5)
        edges = np.linspace(low, high, int((high - low) / BLOCK) + 2)
        x, weights = np.polynomial.legendre.leggauss(NODES)
        width = np.diff(edges)[:, None] / 2
        ranks = np.exp(edges[:-1, None] + width * (1 + x)).ravel()
        counts = (width * weights).ravel() * ranks
        counts *= (self.size - NEAR) / counts.sum()
        return np.concatenate([near, ranks]), np.concatenate([np.ones_like(near), counts])

    def hats(self, x: Any) -> np.ndarray:
        """The weights with which ln λ at ranks x is made of ln λ at the ranks of the curve."""
        u, v = np.log(self.ranks), np.log(np.atleast_1d(np.asarray(x, float)))
        return np.stack([np.interp(v, u, unit) for unit in np.eye(len(u))], axis=1)

    def prior(self, roughness: float) -> np.ndarray:
        """The precision of ln λ at the ranks."""
        gaps = np.diff(np.log(self.ranks))
        lengths = np.maximum(gaps, LEAST_LENGTH)
        bends = np.zeros((len(gaps), len(self.ranks)))
        for i, (left, right) in enumerate(zip(gaps, gaps[1:])):
            bends[i, i : i + 3] = (1 / left, -1 / left - 1 / right, 1 / right)
            bends[i] /= roughness * math.sqrt((lengths[i] + lengths[i + 1]) / 2)
        bends[-1, [0, -1]] = np.array([-1, 1]) / (gaps.sum() * STEEP)
        return bends.T @ bends

    def covariance(self, estimate: CurveEstimate, roughness: float) -> np.ndarray:
        """Of ln λ at the ranks, with the prior."""
        return np.linalg.inv(estimate.information + self.prior(roughness))

    def roughness(self, estimate: CurveEstimate) -> float:
        """The s of the greatest evidence, the estimate being quadratic about its centre."""

        def evidence(s: float) -> float:
            precision = estimate.information + self.prior(s)
            best = np.linalg.solve(precision, estimate.gradient)
            bends = len(self.ranks) - 2
            exponent = best @ precision @ best
            return float(exponent - np.linalg.slogdet(precision)[1] - 2 * bends * math.log(s)) / 2

        return max(ROUGHNESS, key=evidence)
