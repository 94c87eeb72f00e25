r"""The root of equations with rotations, followed from infinity through the upper half plane.

With weights Φ of rotations the equations are not those of Gaussian matrices, and the positive map T
of `physical_root` proves nothing. But the resolvent of a symmetric matrix is analytic in the upper
half plane and decays at infinity, so its equations have one solution there that continues the
expansion in 1/z: every spectral parameter z is taken to z + iy, the iteration from 0 converges for
large y, and y is lowered to zero, with Newton's method at each step. The path is followed twice
with different steps, and both must end alike; at a real z the end must be real, else z lies on the
spectrum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from .physical_root import ComponentCertificate, PhysicalRoot
from .reduced_problem import ReducedProblem
from .tape import Tape
from .trace_values import DeterministicValues

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

RATIOS = (0.6, 0.75)
START, END = 1e4, 1e-7  # y, in units of the spectral parameters
RESIDUAL = 1e-11


class FollowedRoot(PhysicalRoot):
    """A root found by continuation."""

    def describe(self) -> str:
        """How it was found."""
        return "followed from z = i∞ through the upper half plane, twice, to the same root"


class _Path:
    """Newton's method for u = f(u) along z + iy, at every point."""

    def __init__(
        self,
        equations: SelfConsistentEquations,
        flat: dict[sp.Symbol, np.ndarray],
        given: DeterministicValues,
        points: int,
    ) -> None:
        self.equations, self.points = equations, points
        self.flat = {s: np.broadcast_to(v, points) for s, v in flat.items()}
        self.unknowns = list(equations.system.unexpanded)
        key = "followed tape"
        if key not in equations.memory:
            right = list(equations.system.unexpanded.values())
            equations.memory[key] = Tape(right, self.unknowns)
        self.tape: Tape = equations.memory[key]
        self.given = given
        inside = [np.abs(self.flat[s]) for s in equations.spectral]
        self.scale = np.maximum(np.max(inside, axis=0, initial=0.0), 1.0)

    def at(self, y: float) -> dict[sp.Symbol, np.ndarray]:
        """The parameters at height y."""
        moved = dict(self.flat)
        for s in self.equations.spectral:
            sign = np.where(np.imag(self.flat[s]) < 0, -1.0, 1.0)
            moved[s] = self.flat[s] + 1j * y * self.scale * sign
        return moved

    def mapped(self, u: np.ndarray, y: float) -> tuple[np.ndarray, np.ndarray]:
        """f(u) and its derivatives: (unknowns, points), (points, unknowns, unknowns)."""
        values = {**self.at(y), **dict(zip(self.unknowns, u, strict=True))}
        problem = ReducedProblem(self.equations, self.at(y), self.given)
        found, slopes = self.tape.gradient(values, problem.traces(self.tape.slope_traces, values))
        right = np.array([np.broadcast_to(v, self.points) for v in found], complex)
        rows = [[np.broadcast_to(x, self.points) for x in row] for row in slopes]
        return right, np.array(rows, complex).transpose(2, 0, 1)

    def newton(self, u: np.ndarray, y: float, steps: int = 12) -> tuple[np.ndarray, np.ndarray]:
        """The root near u and the relative size of the last step."""
        size = np.full(self.points, np.inf)
        identity = np.eye(len(self.unknowns))
        for _ in range(steps):
            right, slopes = self.mapped(u, y)
            try:
                step = np.linalg.solve(identity - slopes, (right - u).T[..., None])[..., 0].T
            except np.linalg.LinAlgError:
                return u, np.full(self.points, np.inf)
            u = u + step
            size = np.max(np.abs(step) / (np.abs(u) + 1e-300), axis=0)
            if np.all(size < 1e-15):
                break
        return u, size

    def followed(self, ratio: float) -> tuple[np.ndarray, np.ndarray]:
        """The root at y = 0 and its residual."""
        u = np.zeros((len(self.unknowns), self.points), complex)
        for _ in range(60):
            u, _ = self.mapped(u, START)
        y = START
        while y > END:
            u, _ = self.newton(u, y, 6)
            y *= ratio
        return self.newton(u, 0.0, 40)


def followed_root(
    equations: SelfConsistentEquations,
    flat: Mapping[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    points: int,
) -> PhysicalRoot:
    """The unknowns at the end of the path; certified where both paths agree and are real."""
    path = _Path(equations, dict(flat), given, points)
    with np.errstate(all="ignore"):
        ends = [path.followed(ratio) for ratio in RATIOS]
    (first, residual), (second, _) = ends
    scale = np.abs(first) + 1e-12
    apart = np.max(np.abs(first - second) / scale, axis=0, initial=0.0)
    real = np.all([np.imag(path.flat[s]) == 0 for s in equations.spectral], axis=0)
    tilt = np.max(np.abs(first.imag) / scale, axis=0, initial=0.0)
    good = (apart < 1e-6) & (residual < RESIDUAL) & (~real | (tilt < 1e-7))
    first = np.where(real & good, first.real + 0j, first)
    certificate = ComponentCertificate(
        (), np.where(good, 1.0, np.nan), residual, np.where(good, 0, -1)
    )
    found: dict[sp.Symbol, Any] = dict(zip(path.unknowns, first, strict=True))
    return FollowedRoot(found, (certificate,))
