r"""The root of equations with rotations, followed from infinity through the upper half plane.

With weights Φ of rotations the equations are not those of Gaussian matrices, and the positive map T
of `physical_root` proves nothing. But the resolvent of a symmetric matrix is analytic in the upper
half plane and decays at infinity, so its equations have one solution there that continues the
expansion in 1/z: every spectral parameter z is taken to z + y e^{iθ}, the iteration from 0
contracts for large y, and y is lowered to zero, with Newton's method at each step. A step that
changes the unknowns by more than a fraction is made shorter, for it could pass to another root.
Two paths are followed, θ = π/2 and π/3, and must end alike; at a real z the end must be real, else
z lies on the spectrum. This is evidence of two independent paths and no proof: there is no margin
1 − ρ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..errors import OutsideTheoryError
from .physical_root import ComponentCertificate, PhysicalRoot
from .reduced_problem import ReducedProblem
from .tape import Tape
from .trace_values import DeterministicValues

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

PATHS = ((0.6, np.pi / 2), (0.7, np.pi / 3))  # ratio of steps, angle θ
START, END = 1e4, 1e-7  # y, in units of the spectral parameters
MOVED = 0.7  # the largest relative change of an unknown in one step
SHORTEST = 0.998  # ratio of steps beyond which the path is given up
RESIDUAL = 1e-11


class FollowedRoot(PhysicalRoot):
    """A root found by continuation."""

    def describe(self) -> str:
        """How it was found."""
        return (
            "two paths from infinity through the upper half plane that end at the same root "
            "(rotations: no contraction is known that proves it)"
        )

    def refuse(self) -> None:
        """`OutsideTheoryError` where the two paths are lost or end apart."""
        if not self.certified.all():
            raise OutsideTheoryError(
                "no root could be followed from infinity along two paths (rotations): the point "
                "lies on the spectrum, or an inverse has no symbol times the identity inside "
                "that could be made large: write z*I, and give z its number afterwards"
            )


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

    def at(self, y: complex) -> dict[sp.Symbol, np.ndarray]:
        """The parameters at z + y, or at its conjugate where z is below the axis."""
        moved = dict(self.flat)
        for s in self.equations.spectral:
            below = np.imag(self.flat[s]) < 0
            moved[s] = self.flat[s] + np.where(below, np.conj(y), y) * self.scale
        return moved

    def mapped(self, u: np.ndarray, y: complex) -> tuple[np.ndarray, np.ndarray]:
        """f(u) and its derivatives: (unknowns, points), (points, unknowns, unknowns)."""
        values = {**self.at(y), **dict(zip(self.unknowns, u, strict=True))}
        problem = ReducedProblem(self.equations, self.at(y), self.given)
        found, slopes = self.tape.gradient(values, problem.traces(self.tape.slope_traces, values))
        right = np.array([np.broadcast_to(v, self.points) for v in found], complex)
        rows = [[np.broadcast_to(x, self.points) for x in row] for row in slopes]
        return right, np.array(rows, complex).transpose(2, 0, 1)

    def newton(self, u: np.ndarray, y: complex, steps: int = 12) -> tuple[np.ndarray, np.ndarray]:
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

    def followed(self, ratio: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
        """The root at y = 0 and its residual, NaN where the path is lost."""
        direction = np.exp(1j * angle)
        u = np.zeros((len(self.unknowns), self.points), complex)
        for _ in range(60):
            u, _ = self.mapped(u, START * direction)
        lost = np.abs(np.linalg.eigvals(self.mapped(u, START * direction)[1])).max(axis=1) >= 0.5
        y, step = START, ratio
        while y > END and step < SHORTEST:
            target = y * step
            new, size = self.newton(u, target * direction, 8)
            moved = np.abs(new - u) / np.maximum(np.abs(new), np.abs(u)).clip(1e-300)
            if np.all((np.max(moved, axis=0) < MOVED) & (size < 1e-8)):
                u, y, step = new, target, max(step**1.5, ratio)
            else:
                step = step**0.5
        u, size = self.newton(u, 0.0, 40)
        return u, np.where(lost | (y > END), np.nan, size)


def followed_root(
    equations: SelfConsistentEquations,
    flat: Mapping[sp.Symbol, np.ndarray],
    given: DeterministicValues,
    points: int,
) -> PhysicalRoot:
    """The unknowns at the end of both paths, where these agree and are real at a real z."""
    path = _Path(equations, dict(flat), given, points)
    with np.errstate(all="ignore"):
        ends = [path.followed(ratio, angle) for ratio, angle in PATHS]
    (first, residual), (second, other) = ends
    scale = np.abs(first) + 1e-12
    apart = np.max(np.abs(first - second) / scale, axis=0, initial=0.0)
    real = np.all([np.imag(path.flat[s]) == 0 for s in equations.spectral], axis=0)
    tilt = np.max(np.abs(first.imag) / scale, axis=0, initial=0.0)
    good = (
        (apart < 1e-6)
        & (np.fmax(residual, other) < RESIDUAL)
        & ~np.isnan(residual + other)
        & (~real | (tilt < 1e-7))
    )
    first = np.where(real & good, first.real + 0j, first)
    certificate = ComponentCertificate((), np.full(points, np.nan), residual, np.where(good, 0, -1))
    found: dict[sp.Symbol, Any] = dict(zip(path.unknowns, first, strict=True))
    return FollowedRoot(found, (certificate,))
