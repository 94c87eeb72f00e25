r"""The spectral density of a resolvent tr (B + z)^{-1}, and the support: edges, gaps, atoms.

The density is ρ(x) = Im g(−x − i0)/π. Outside the support the root at z = −x is real and certified
as it stands, and the density is exactly zero. Inside, the physical root is certified at a small
height, z = −x − iη, and followed by Newton's method to η = 0, where it is no longer isolated by the
certificate but still by its imaginary part; so nothing is smoothed, and the square roots at the
edges are resolved.

The edges are where certified real roots end: between a point of the support and one outside it
the edge is found by bisection, and mended to the zero of (1 − ρ)², which is linear in the distance.
Atoms have mass lim z g(z) at their position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..errors import InputError, OutsideTheoryError
from .certified_root import (
    check_roots,
    physical_root,
    read_out,
    read_parameters,
    resolvent_parameter,
)
from .pencil_numbers import floating
from .physical_root import MARGIN
from .reduced_problem import ReducedProblem
from .trace_values import DeterministicValues

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

HEIGHTS = tuple(10.0**-k for k in range(-1, 6))  # certified, in units of the size of x
DESCENT = tuple(10.0**-k for k in range(6, 18))  # followed by Newton's method


@dataclass(frozen=True)
class Support:
    """The support of a spectral density: its intervals, and its atoms as (position, mass)."""

    intervals: tuple[tuple[float, float], ...]
    atoms: tuple[tuple[float, float], ...] = ()

    @property
    def edges(self) -> list[float]:
        """All ends of the intervals."""
        return [edge for interval in self.intervals for edge in interval]


class RealAxis:
    """The resolvent of B at real points, for given numbers."""

    def __init__(
        self,
        equations: SelfConsistentEquations,
        parameters: Mapping[Any, Any],
        matrices: Mapping[Any, Any],
    ) -> None:
        self.equations, self.parameter = equations, resolvent_parameter(equations)
        self.given = DeterministicValues.read(equations.model, matrices)
        check_roots(equations, self.given)
        values = read_parameters(equations, {**dict(parameters), self.parameter: 0.0}, self.given)
        self.flat = {s: np.atleast_1d(floating(v)) for s, v in values.items()}
        if any(v.size > 1 for v in self.flat.values()):
            raise InputError("parameters", "an array", "one number each: points are the array")

    def at(self, z: np.ndarray) -> dict[sp.Symbol, np.ndarray]:
        """All parameters at these spectral parameters."""
        return {**self.flat, self.parameter: np.asarray(z)}

    def outside(self, x: np.ndarray) -> np.ndarray:
        """Which points have a certified real root, so that they lie outside the support."""
        with np.errstate(all="ignore"):
            _, root = physical_root(self.equations, self.at(-x), self.given, quick=True)
        return root.certified

    def resolvent(self, x: np.ndarray) -> np.ndarray:
        """g(−x − i0): the certified root at falling heights, then Newton's method to 0."""
        scale = np.maximum(np.abs(x), 0.1 * np.abs(x).max(initial=1e-3))
        known = None
        for height in HEIGHTS:
            flat = self.at(-x - 1j * height * scale)
            parts, root = physical_root(self.equations, flat, self.given, known)
            root.refuse()
            known = root.unknowns
        problem = ReducedProblem(self.equations, flat, self.given)
        near, _, _ = read_out(problem, parts, root)
        return self._descended(x, scale, near)

    def _descended(self, x: np.ndarray, scale: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Newton's method at height 0; close to an edge by way of smaller heights."""
        unknowns, going = near.copy(), np.arange(len(x))
        for height in (0.0, *DESCENT, 0.0):
            z = -x[going] - 1j * height * scale[going]
            problem = ReducedProblem(self.equations, self.at(z), self.given)
            new, residual = problem.newton(unknowns[:, going])
            jump = np.max(np.abs(new - unknowns[:, going]) / np.abs(new), axis=0)
            good = (residual < 1e-7) & (jump < (0.01 if height == 0 else 0.6))
            unknowns[:, going[good]] = new[:, good]
            going = going[~good] if height == 0 else going
            if not going.size:
                break
        return ReducedProblem(self.equations, self.at(-x + 0j), self.given).value(unknowns)

    def density(self, x: np.ndarray) -> np.ndarray:
        """ρ at every point."""
        result = np.zeros(len(x))
        inside = np.flatnonzero(~self.outside(x))
        if inside.size:
            values = self.resolvent(x[inside])
            result[inside] = np.maximum(values.imag / np.pi, 0.0)
        return result


def density_at(
    equations: SelfConsistentEquations,
    points: Any,
    parameters: Mapping[Any, Any],
    matrices: Mapping[Any, Any],
) -> np.ndarray:
    """The spectral density of B at real ``points``, for an expression tr (B + z)^{-1}.

    ρ(x) = Im g(−x − i0)/π, not smoothed: exactly zero where the real solution is certified.
    Other expressions: `OutsideTheoryError`.
    """
    x = np.asarray(points, float)
    if not np.all(np.isfinite(x)):
        raise InputError("points", "NaN or infinite", "finite numbers")
    spectrum = RealAxis(equations, parameters, matrices)
    return spectrum.density(x.ravel()).reshape(x.shape)[()]


def support_of(
    equations: SelfConsistentEquations,
    parameters: Mapping[Any, Any],
    matrices: Mapping[Any, Any],
    points: int = 400,
) -> Support:
    """Edges, gaps and atoms of the spectrum of B, for an expression tr (B + z)^{-1}.

    Gaps and intervals narrower than the spectrum over ``points`` may be missed.
    """
    spectrum = RealAxis(equations, parameters, matrices)
    low, high = _bounds(spectrum)
    grid = np.linspace(low, high, points)
    grid = np.unique(np.concatenate([grid, np.geomspace(1e-6, 1, points // 4) * high]))
    grid = grid[(grid >= low) & (grid <= high) & (grid != 0)]
    outside = spectrum.outside(grid)
    changes = np.flatnonzero(outside[1:] != outside[:-1])
    edges = [_edge(spectrum, grid[i], grid[i + 1], bool(outside[i])) for i in changes]
    intervals = tuple(zip(edges[::2], edges[1::2], strict=False))
    atoms = _atoms(spectrum, high)
    return Support(tuple((float(a), float(b)) for a, b in intervals), atoms)


def _bounds(spectrum: RealAxis) -> tuple[float, float]:
    """Points on either side of the whole spectrum."""
    sizes = np.geomspace(1e-8, 1e8, 900)
    ends = []
    for sign in (-1, 1):
        inside = np.flatnonzero(~spectrum.outside(sign * sizes))
        last = min(inside[-1] + 1, len(sizes) - 1) if inside.size else 0
        ends.append(sign * float(sizes[last]))
    return ends[0], ends[1]


def _edge(spectrum: RealAxis, low: float, high: float, first_outside: bool) -> float:
    """The end of the support between two points, of which one lies outside."""
    out, inner = (low, high) if first_outside else (high, low)
    for _ in range(60):
        middle = (out + inner) / 2
        if middle in (out, inner) or abs(out - inner) < 1e-13 * abs(out):
            break
        if spectrum.outside(np.array([middle]))[0]:
            out = middle
        else:
            inner = middle
    return (out + inner) / 2


def _atoms(spectrum: RealAxis, size: float) -> tuple[tuple[float, float], ...]:
    """The mass at zero: lim z g(z) for small z of either sign of its real part."""
    heights = 1e-6 * size * np.array([1.0, 0.1])
    flat = spectrum.at(-1j * heights)
    parts, root = physical_root(spectrum.equations, flat, spectrum.given)
    if not root.certified.all():
        return ()
    problem = ReducedProblem(spectrum.equations, flat, spectrum.given)
    unknowns, _, _ = read_out(problem, parts, root)
    masses = (-1j * heights * problem.value(unknowns)).real
    mass = float(masses[1])
    stable = abs(masses[1] - masses[0]) < 0.05 * abs(mass)
    return ((0.0, round(mass, 9)),) if stable and mass > 1e-5 else ()


__all__ = ["MARGIN", "OutsideTheoryError", "RealAxis", "Support", "density_at", "support_of"]
