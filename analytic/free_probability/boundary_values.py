r"""The resolvent of B at real points, g(−x − i0), for an expression tr (B + z)^{-1}.

A coarse set of points is certified at a height of the order of x, where g is smooth; from there the
reduced unknowns are interpolated to all points, and Newton's method is followed down to height 0,
by way of smaller heights where it does not go straight. What is found is then certified:

* a real root with spectral radius ρ < 1: the point lies outside the support, g is real;
* a complex root that, raised by a millionth of x, has ρ < 1: the point lies inside, and as the
  root is continuous in the height its limit is the boundary value of g.

Points that neither certificate settles (within rounding of an edge) are taken down one by one
with a certificate at every height.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from scipy.interpolate import CubicSpline

from ..errors import InputError
from .certified_root import (
    block_unknowns,
    check_roots,
    components_at,
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

ANCHORS = 24
HEIGHTS = (0.5, 0.1, 0.02, 4e-3, 2e-4)  # in units of the size of x
LIFT, LIFTS = 100.0, 4  # how much higher, how many times, if nothing is certified there
RAISED = (1e-6, 1e-4, 1e-2, 1.0, 100.0)  # where boundary values are certified
FLAT = 1e-9  # imaginary parts that are rounding
CAREFUL = tuple(10.0**-k for k in range(-1, 6))  # certified one after the other
DESCENT = tuple(10.0**-k for k in range(6, 18))  # followed by Newton's method


class RealAxis:
    """The resolvent of B at real points, for given numbers."""

    def __init__(
        self,
        equations: SelfConsistentEquations,
        parameters: Mapping[Any, Any],
        matrices: Mapping[Any, Any] | DeterministicValues,
    ) -> None:
        self.equations, self.parameter = equations, resolvent_parameter(equations)
        if not isinstance(matrices, DeterministicValues):
            matrices = DeterministicValues.read(equations.model, matrices)
        self.given = matrices
        check_roots(equations, self.given)
        values = read_parameters(equations, {**dict(parameters), self.parameter: 0.0}, self.given)
        self.flat = {s: np.atleast_1d(floating(v)) for s, v in values.items()}
        if any(v.size > 1 for v in self.flat.values()):
            raise InputError("parameters", "an array", "one number each: points are the array")

    def at(self, z: np.ndarray) -> dict[sp.Symbol, np.ndarray]:
        """All parameters at these spectral parameters."""
        return {**self.flat, self.parameter: np.asarray(z)}

    def problem(self, z: np.ndarray) -> ReducedProblem:
        """The reduced equations at these spectral parameters."""
        return ReducedProblem(self.equations, self.at(z), self.given)

    def outside(self, x: np.ndarray) -> np.ndarray:
        """Which points have a certified real root, so that they lie outside the support."""
        with np.errstate(all="ignore"):
            _, root = physical_root(self.equations, self.at(-x), self.given, quick=True)
        return root.certified

    def beside(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """g at spectral parameters off the real axis, and which values are certified."""
        problem = self.problem(z)
        parts, root = physical_root(self.equations, self.at(z), self.given)
        unknowns, _, _ = read_out(problem, parts, root)
        return problem.value(unknowns), root.certified

    def resolvent(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """g(−x − i0) at every point, and which points are certified to lie outside the support."""
        x = np.asarray(x, float)
        unknowns, outside = self._boundary(x)
        return self.problem(-x + 0j).value(unknowns), outside

    def _boundary(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The reduced unknowns at −x − i0, and which points lie outside the support."""
        outside = np.zeros(len(x), bool)
        anchors, scale = _anchors(x)
        going = np.arange(len(x))
        start = self._smooth(x, scale, anchors)
        for _ in range(LIFTS):  # a point far inside: the size of the spectrum is larger
            if start is None:
                scale = LIFT * scale
                start = self._smooth(x, scale, anchors)
        if start is None:
            return self._carefully(x)
        found = start.astype(complex)
        for k, height in enumerate(HEIGHTS):
            if k:
                problem = self.problem(-x[going] - 1j * height * scale[going])
                start, _ = problem.newton(start, 6, 1e-3)
            flat, real, settled = self._settled(x[going], scale[going], start)
            found[:, going[settled]], outside[going] = flat[:, settled], real & settled
            going, start = going[~settled], start[:, ~settled]
            if not going.size:
                return found, outside
        found[:, going], outside[going] = self._carefully(x[going])
        return found, outside

    def _smooth(self, x: np.ndarray, scale: np.ndarray, anchors: np.ndarray) -> np.ndarray | None:
        """The reduced unknowns at height `HEIGHTS[0]`, from certified ones at the anchors."""
        z = -x[anchors] - 1j * HEIGHTS[0] * scale[anchors]
        parts, root = physical_root(self.equations, self.at(z), self.given)
        if not root.certified.all():
            return None
        unknowns, _, good = read_out(self.problem(z), parts, root)
        if not good.all():
            return None
        if len(anchors) > 3:
            start = CubicSpline(x[anchors], unknowns, axis=1)(x)
        else:
            start = unknowns[:, np.abs(x[:, None] - x[anchors]).argmin(axis=1)]
        return self.problem(-x - 1j * HEIGHTS[0] * scale).newton(start, 4, 1e-4)[0]

    def _settled(
        self, x: np.ndarray, scale: np.ndarray, unknowns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The unknowns at height 0 from some height above, whether real, whether certified."""
        problem = self.problem(-x + 0j)
        unknowns, residual = problem.newton(unknowns, 7, 1e-8)
        flat = np.abs(unknowns.imag) <= FLAT * np.abs(unknowns)
        real = flat.all(axis=0)
        unknowns = np.where(real, unknowns.real, unknowns)
        good = np.isfinite(unknowns).all(axis=0) & (residual < 1e-7)
        value = problem.value(np.where(good, unknowns, 1.0))
        real &= good
        inside = good & ~real & (value.imag > 0)
        settled = np.zeros(len(x), bool)
        if real.any():
            settled[real] = self._certified(-x[real], unknowns[:, real].real)
        for height in RAISED:
            open_ = np.flatnonzero(inside & ~settled)
            if not open_.size:
                break
            z, near = -x[open_] - 1j * height * scale[open_], unknowns[:, open_]
            raised, _ = self.problem(z).newton(near, 2 if height == RAISED[0] else 6)
            close = np.max(np.abs(raised - near) / np.abs(near), axis=0) < 1e-2
            settled[open_] = close & self._certified(z, raised)
        return unknowns, real, settled

    def _certified(self, z: np.ndarray, unknowns: np.ndarray) -> np.ndarray:
        """Which points have a root of the Dyson equation with ρ < 1 at these reduced unknowns."""
        margin, residual = self._judged(z, unknowns)
        return (margin > MARGIN) & (residual < 1e-8)

    def _judged(self, z: np.ndarray, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """1 − ρ at these reduced unknowns, and how far they are from a root."""
        flat = self.at(z)
        known = block_unknowns(ReducedProblem(self.equations, flat, self.given), unknowns)
        return components_at(self.equations, flat, self.given).judged(known)

    def root(self, x: float) -> np.ndarray | None:
        """The certified real reduced unknowns at a point outside the support; None inside."""
        unknowns, outside = self._boundary(np.array([x]))
        return unknowns if outside[0] else None

    def followed(self, x: float, near: np.ndarray) -> tuple[np.ndarray, float]:
        """The real root at x from the one at a point nearby, and its 1 − ρ; −∞ inside.

        Close to an edge the residual of a point inside is small as well: its distance to the edge,
        like (1 − ρ)². A residual well below that leaves room for a root (Kantorovich).
        """
        z = np.array([-x])
        unknowns, _ = self.problem(z).newton(near)
        (margin,), (residual,) = self._judged(z, unknowns)
        margin = float(np.nan_to_num(margin, nan=1.0, posinf=1.0))
        return unknowns, margin if residual < 0.01 * margin**2 else -np.inf

    def _carefully(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, certified at falling heights; what cannot be certified is refused."""
        with np.errstate(all="ignore"):
            parts, root = physical_root(self.equations, self.at(-x), self.given, quick=True)
        outside = root.certified
        found, _, _ = read_out(self.problem(-x), parts, root)
        found = found.astype(complex)
        inner = x[~outside]
        scale = np.maximum(np.abs(inner), 0.1 * np.abs(x).max(initial=1e-3))
        known = None
        for height in CAREFUL if inner.size else ():
            z = -inner - 1j * height * scale
            flat, quick = self.at(z), known is not None
            parts, root = physical_root(self.equations, flat, self.given, known, quick)
            if known is not None and not root.certified.all():  # heights below rounding
                break
            root.refuse()
            known = root.unknowns
            near, _, _ = read_out(self.problem(z), parts, root)
        if inner.size:
            found[:, ~outside] = self._descended(inner, scale, near)
        return found, outside

    def _descended(self, x: np.ndarray, scale: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Newton's method at height 0; close to an edge by way of smaller heights."""
        unknowns, going = near.copy(), np.arange(len(x))
        for height in (0.0, *DESCENT, 0.0):
            problem = self.problem(-x[going] - 1j * height * scale[going])
            new, residual = problem.newton(unknowns[:, going])
            jump = np.max(np.abs(new - unknowns[:, going]) / np.abs(new), axis=0)
            good = (residual < 1e-7) & (jump < (0.01 if height == 0 else 0.6))
            unknowns[:, going[good]] = new[:, good]
            going = going[~good] if height == 0 else going
            if not going.size:
                break
        return unknowns


def _anchors(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of some points that represent all, in order, and a size for every point.

    The size is |x|, or the distance of the representatives where that is larger.
    """
    _, order = np.unique(x, return_index=True)
    picked = np.linspace(0, len(order) - 1, ANCHORS).round().astype(int)
    anchors = order[np.unique(picked)]
    steps = np.diff(x[anchors])
    near = np.zeros(len(anchors))
    if steps.size:
        near = 2 * np.maximum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))
    least = 1e-3 * (np.abs(x).max(initial=0.0) or 1.0)
    sizes = np.maximum(np.maximum(np.abs(x[anchors]), near), least)
    return anchors, np.interp(x, x[anchors], sizes)
