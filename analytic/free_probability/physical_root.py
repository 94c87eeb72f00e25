r"""The physical solution of the Dyson equation, and what proves that it is.

A root G of G = (F − E[𝒳 G 𝒳])^{-1} is physical if it is the limit ε → 0 of the solution of the
Hermitian double [[−iε, Q], [Q*, −iε]] with positive imaginary part, which exists and is unique for
every ε > 0. With the positive map

    T(V) = G* E[𝒳* V 𝒳] G

a root with spectral radius ρ(T) < 1 is physical, and there is at most one: two roots obey
G₁ − G₂ = G₁ E[𝒳 (G₁ − G₂) 𝒳] G₂, which by Cauchy–Schwarz contracts with √(ρ(T₁) ρ(T₂)) < 1.
So any method may propose a root; the certificate decides. The radius is that of each strongly
connected component of the pencil; between components the equations are linear.

Proposals, in turn, each only for the points that have no certified root yet:

* iterate u ← f(u) from 0 at the target, then Newton's method;
* the variances times t, t → 1, extrapolating log u, every step certified;
* the Hermitian double, ε from large to 0, each step kept only while Im 𝐆 > 0 (four times as many
  unknowns, so the last).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..errors import OutsideTheoryError
from .block_equation import BlockEquation, DoubledEquation
from .block_layout import Layout
from .dyson import SelfEnergy, Support, components
from .pencil import Pencil
from .pencil_numbers import Numbers
from .trace_values import CACHE, DeterministicValues

MARGIN = 3e-8  # 1 − ρ below the root of rounding decides nothing
RESIDUAL = 1e-11  # relative residual of u = f(u) in a root
SETTLED = 1e-8  # a step of Newton's method after which the next is that of rounding
STAGES = ("iteration and Newton's method", "Hermitian double, ε → 0", "variances raised to one")


@dataclass(frozen=True)
class ComponentCertificate:
    """What proves the root of one component, at every point: 1 − ρ(T), residual, stage."""

    blocks: tuple[int, ...]
    margin: np.ndarray
    residual: np.ndarray
    stage: np.ndarray

    def reason(self, point: int) -> str:
        """Why nothing is certified at a point."""
        if np.isfinite(self.margin[point]) and abs(self.margin[point]) < 1e-3:
            return f"1 − ρ = {self.margin[point]:.1e} is not above rounding: the edge of a spectrum"
        return "no root with ρ < 1: the parameters lie on the spectrum, or Q is singular there"


@dataclass(frozen=True)
class PhysicalRoot:
    """The one-point unknowns u by symbol, with a certificate for each distinct component."""

    unknowns: dict[sp.Symbol, np.ndarray]
    certificates: tuple[ComponentCertificate, ...]
    approach: str = ""

    @property
    def certified(self) -> np.ndarray:
        """Which points have a certified root."""
        return np.all([c.stage >= 0 for c in self.certificates], axis=0)

    @property
    def margin(self) -> np.ndarray:
        """1 − ρ, the least over the components."""
        return np.min([c.margin for c in self.certificates], axis=0)

    def refuse(self) -> None:
        """`OutsideTheoryError` with the reason if some point is not certified."""
        for certificate in self.certificates:
            missing = np.flatnonzero(certificate.stage < 0)
            if missing.size:
                raise OutsideTheoryError(
                    f"no physical solution is certified: {certificate.reason(int(missing[0]))}; "
                    "move z, in z*I inside the inverse, off the spectrum or give it an imaginary "
                    "part"
                )

    def describe(self) -> str:
        """The stages that found the certified roots."""
        stages = sorted({int(s) for c in self.certificates for s in np.unique(c.stage)})
        found = " and ".join(STAGES[s] for s in stages if s >= 0) or "nothing to solve"
        return f"{self.approach}spectral radius below one (root found by {found})"


class _Search:
    """Proposals for one component until every point has a certified root."""

    def __init__(self, equation: BlockEquation, double: Any) -> None:
        self.equation, self.double = equation, double
        points = equation.numbers.points
        self.u = equation.zero()
        self.margin, self.residual = np.full(points, -np.inf), np.full(points, np.inf)
        self.stage = np.full(points, -1)

    @property
    def open(self) -> np.ndarray:
        """The points without a certified root."""
        return np.flatnonzero(self.stage < 0)

    def run(self, start: np.ndarray | None = None, quick: bool = False) -> None:
        """All proposals in turn (``quick``: those that take all points at once)."""
        everywhere = np.arange(self.equation.numbers.points)
        if start is not None:
            self.propose(start, everywhere, 0)
        if self.open.size:
            at = self.open
            self.propose(self.iterated(at), at, 0)
        if quick:
            return
        if self.open.size and self.equation.size:
            self.from_variances(self.open)
        if self.open.size and self.equation.size:
            self.from_double(self.open)

    def propose(self, u: np.ndarray, at: np.ndarray, stage: int, polish: bool = True) -> np.ndarray:
        """Newton's method from u and the certificate; which points it settles."""
        u = self.newton(u, at) if polish else u
        margin, residual = judged(self.equation, u, at)
        good = (margin > MARGIN) & (residual < RESIDUAL)
        better = np.isfinite(residual) & (residual < RESIDUAL) & (self.stage[at] < 0)
        self.margin[at[better]] = margin[better]
        self.residual[at[better]] = residual[better]
        self.u[:, at[good]] = u[:, good]
        self.stage[at[good]] = stage
        return good

    def iterated(self, at: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """u ← f(u) from 0: plain steps, then damped ones, until steps are small."""
        equation = self.equation
        u = np.zeros((equation.size, len(at)), complex)
        going = np.arange(len(at))
        with np.errstate(all="ignore"):
            for count in range(300):
                new = equation.mapped(equation.green(u[:, going], at[going], scale), at[going])
                step = new - u[:, going]
                u[:, going] = u[:, going] + step * (1.0 if count < 100 else 0.5)
                moving = ~(relative(step, new) < 1e-4)
                going = going[moving]
                if not going.size:
                    break
        return np.where(np.isfinite(u), u, 0)

    def newton(
        self, u: np.ndarray, at: np.ndarray, scale: float = 1.0, steps: int = 25
    ) -> np.ndarray:
        """Newton's method for u = f(u), the points that settle dropping out."""
        return newton(self.equation, u, at, scale, steps)

    def from_double(self, at: np.ndarray) -> None:
        """Follow the solution of the Hermitian double from large ε to 0."""
        for point in at:
            self._double_at(np.array([point]))

    def _double_at(self, at: np.ndarray) -> None:
        double = self.double()
        fixed = double.coefficients[double.layout.fixed]
        size = float(np.abs(fixed[:, at]).max(initial=0.0))
        epsilon, ratio = 4.0 * (1 + size), 0.3
        u = self._double_start(double, at, epsilon)
        if u is None:
            return
        for _ in range(120):
            if epsilon < 1e-13 * (1 + size) or ratio > 0.995:
                return
            target = epsilon * ratio
            double.shifted(at, -1j * target)
            new = newton(double, u, at, 1.0, 12)
            if self._positive(double, new, at):
                u, epsilon, ratio = new, target, max(ratio**1.5, 1e-2)
                plain = double.plain(self.equation, u, at)
                if self.propose(plain, at, 1).all():
                    return
            else:
                ratio = ratio**0.5

    def _double_start(self, double: Any, at: np.ndarray, epsilon: float) -> np.ndarray | None:
        double.shifted(at, -1j * epsilon)
        u = np.zeros((double.size, 1), complex)
        for _ in range(300):
            new = double.mapped(double.green(u, at), at)
            step = new - u
            u = u + 0.5 * step
            if relative(step, new)[0] < 1e-6:
                u = newton(double, u, at, 1.0, 12)
                return u if self._positive(double, u, at) else None
        return None

    @staticmethod
    def _positive(double: Any, u: np.ndarray, at: np.ndarray) -> bool:
        """Whether u solves the doubled equation with Im 𝐆 > 0."""
        with np.errstate(all="ignore"):
            green = double.green(u, at)
            if not relative(double.mapped(green, at) - u, u)[0] < 1e-9:
                return False
        return all(
            _positive_definite(group.stacked(own))
            for group, own in zip(double.groups, green, strict=True)
            if group.group.blocks
        )

    def from_variances(self, at: np.ndarray) -> None:
        """Raise the variances from 0 to 1, every step certified."""
        for point in at:
            self._variances_at(np.array([point]))

    def _variances_at(self, at: np.ndarray) -> None:
        t = 1e-3
        while t > 1e-40:
            u = self.newton(self.iterated(at, t), at, t)
            margin, residual = judged(self.equation, u, at, t)
            if margin[0] > 0.1 and residual[0] < RESIDUAL:
                break
            t = t**1.5 if t > 1e-9 else t * 1e-4
        else:
            return
        before, ratio = (t, u), 10.0
        for _ in range(400):
            target = min(t * ratio, 1.0)
            with np.errstate(all="ignore"):
                power = np.log(target / t) / np.log(t / before[0]) if t > before[0] else 0.0
                guess = u * np.where(before[1] != 0, u / before[1], 1) ** power
            guess = np.where(np.isfinite(guess), guess, u)
            new = self.newton(guess, at, target, 8)
            margin, residual = judged(self.equation, new, at, target)
            if margin[0] > MARGIN and residual[0] < RESIDUAL:
                before, t, u = (t, u), target, new
                ratio = min(ratio**1.5, 1e3)
                if t == 1.0:
                    self.propose(u, at, 2)
                    return
            else:
                ratio = ratio**0.5
                if ratio < 1 + 1e-6:
                    return


def _positive_definite(matrix: np.ndarray) -> bool:
    """Whether (G − G*)/2i > 0, its diagonal scaled to one."""
    imaginary = (matrix - np.conj(np.swapaxes(matrix, -1, -2))) / 2j
    scale = np.sqrt(np.maximum(np.einsum("...ii->...i", imaginary).real, 0))
    if not np.all(scale > 0):
        return False
    scaled = imaginary / scale[..., :, None] / scale[..., None, :]
    return bool(np.linalg.eigvalsh(scaled).min() > -1e-9)


def relative(step: np.ndarray, u: np.ndarray) -> np.ndarray:
    """max_a |step_a|/|u_a| at every point, unknowns that vanish beside the rest left out."""
    if not len(u):
        return np.zeros(u.shape[1])
    size = np.abs(u)
    floor = 1e-14 * size.max(axis=0, initial=0) + 1e-300
    return np.max(np.abs(step) / np.maximum(size, floor), axis=0)


def judged(
    equation: BlockEquation, u: np.ndarray, at: np.ndarray, scale: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """1 − ρ and the relative residual of u = f(u) at the points ``at``, some at a time."""
    each = max(CACHE // equation.modes, 1)
    if len(at) > each:
        pieces = [slice(i, i + each) for i in range(0, len(at), each)]
        found = [judged(equation, u[:, p], at[p], scale) for p in pieces]
        margins, residuals = zip(*found, strict=True)
        return np.concatenate(margins), np.concatenate(residuals)
    with np.errstate(all="ignore"):
        green = equation.green(u, at, scale)
        radius = equation.radius(green, at, scale)
        residual = relative(equation.mapped(green, at) - u, u)
    residual = np.where(np.isfinite(residual), residual, np.inf)
    return 1 - radius, residual


def newton(
    equation: BlockEquation, u: np.ndarray, at: np.ndarray, scale: float, steps: int
) -> np.ndarray:
    """Newton's method for u = f(u) at the points ``at``."""
    u, going, identity = u.copy(), np.arange(len(at)), np.eye(equation.size)
    if not equation.size:
        return u
    with np.errstate(all="ignore"):
        for _ in range(steps):
            green = equation.green(u[:, going], at[going], scale)
            residual = (equation.mapped(green, at[going]) - u[:, going]).T
            slopes = identity - equation.jacobian(green, at[going], scale)
            size = np.maximum(np.abs(u[:, going]).T, 1e-300)
            slopes = slopes * size[:, None, :] / size[:, :, None]
            try:
                step = np.linalg.solve(slopes, (residual / size)[..., None])[..., 0]
            except np.linalg.LinAlgError:
                return np.where(np.isfinite(u), u, np.nan)
            step = np.where(np.isfinite(step), step, 0)
            u[:, going] += (step * size).T
            going = going[np.abs(step).max(axis=1) > SETTLED]
            if not going.size:
                break
    return u


class Components:
    """The components of a pencil at given numbers, equal ones once."""

    def __init__(
        self,
        pencil: Pencil,
        energy: SelfEnergy,
        support: Support,
        values: Mapping[sp.Symbol, Any],
        given: DeterministicValues,
    ) -> None:
        self.pencil, self.energy, self.support = pencil, energy, support
        self.numbers = Numbers(pencil, values, given)
        self.terms = self.numbers.terms()
        if "components" not in pencil.memory:
            groups = components(range(pencil.size), list(pencil.q))
            pencil.memory["components"] = [(b, *self._signature(b)) for b in groups]
        self.distinct: dict[Any, tuple[list[int], list[list[int]]]] = {}
        for blocks, shape, order in pencil.memory["components"]:
            key = (shape, *(self.terms[n].coefficient.tobytes() for n in order))
            self.distinct.setdefault(key, (blocks, []))[1].append(blocks)

    @cached_property
    def finite(self) -> np.ndarray:
        """The points where every coefficient of the pencil is finite: it may hold 1/z."""
        return np.all([np.isfinite(t.coefficient) for t in self.terms], axis=0)

    @cached_property
    def symbols(self) -> dict[Any, sp.Symbol]:
        """The symbol of every unknown, by what it is the trace of."""
        return {(u.matrix, *u.block, u.right, u.left): u.symbol for u in self.energy.unknowns}

    def _signature(self, blocks: list[int]) -> tuple[Any, list[int]]:
        """What a component is but for its coefficients, and the order of these."""
        order = {b: k for k, b in enumerate(blocks)}
        entries = sorted(
            (order[t.row], order[t.column], str(t.left), t.matrix, t.transposed, str(t.right), n)
            for n, t in enumerate(self.terms)
            if t.row in order and t.column in order
        )
        shape = tuple(entry[:-1] for entry in entries)
        return (tuple(str(self.pencil.spaces[b]) for b in blocks), shape), [e[-1] for e in entries]

    def _layout(self, blocks: list[int], *outside: Any) -> Layout:
        """Where the terms enter the equation of some blocks, the same at all numbers."""
        memory, key = self.pencil.memory, ("layout", len(outside), *blocks)
        if key not in memory:
            terms, _ = memory["terms"]
            model, spaces = self.numbers.model, self.pencil.spaces
            memory[key] = Layout(model, terms, spaces, blocks, self._supported, *outside)
        return memory[key]  # type: ignore[no-any-return]

    def _equation(self, blocks: list[int], *outside: Any) -> BlockEquation:
        layout = self._layout(blocks, *outside)
        return BlockEquation(self.numbers, self.terms, self.pencil.spaces, blocks, layout=layout)

    def solve(
        self, start: Mapping[sp.Symbol, np.ndarray] | None = None, quick: bool = False
    ) -> PhysicalRoot:
        """The certified root of every component, as values of the one-point unknowns."""
        found: dict[sp.Symbol, np.ndarray] = {}
        certificates = []
        for blocks, copies, equation in self.equations:
            search = _Search(
                equation,
                lambda blocks=blocks: DoubledEquation(
                    self.numbers, self.terms, self.pencil.spaces, blocks
                ),
            )
            search.run(self._stacked(equation, start or {}), quick)
            search.stage[~self.finite] = -1
            certificates.append(
                ComponentCertificate(tuple(blocks), search.margin, search.residual, search.stage)
            )
            for copy in copies:
                to = dict(zip(blocks, copy))
                for index, (matrix, j, k, right, left) in enumerate(equation.keys):
                    symbol = self.symbols.get((matrix, to[j], to[k], right, left))
                    if symbol is not None:
                        found[symbol] = search.u[index]
        return PhysicalRoot(found, tuple(certificates))

    @cached_property
    def equations(self) -> list[tuple[list[int], list[list[int]], BlockEquation]]:
        """The equation of every distinct component, with the blocks of its copies."""
        return [(b, copies, self._equation(b)) for b, copies in self.distinct.values()]

    def _stacked(
        self, equation: BlockEquation, known: Mapping[sp.Symbol, Any]
    ) -> np.ndarray | None:
        """The unknowns of an equation as one array, if all are known."""
        names = [self.symbols[key] for key in equation.keys]
        if not names or not all(s in known for s in names):
            return None
        rows = [np.broadcast_to(known[s], self.numbers.points) for s in names]
        return np.array(rows, complex)

    def judged(self, known: Mapping[sp.Symbol, Any]) -> tuple[np.ndarray, np.ndarray]:
        """1 − ρ, the least over the components, and the largest residual, at unknowns."""
        margin, residual = np.full(self.numbers.points, np.inf), np.zeros(self.numbers.points)
        everywhere = np.arange(self.numbers.points)
        for _, _, equation in self.equations:
            u = self._stacked(equation, known)
            if u is None and equation.size:
                return np.full_like(margin, -np.inf), np.full_like(residual, np.inf)
            u = equation.zero() if u is None else u
            own, defect = judged(equation, u, everywhere)
            margin, residual = np.fmin(margin, own), np.fmax(residual, defect)
        return margin, residual

    def on_modes(self, known: Mapping[sp.Symbol, Any], modes: np.ndarray) -> np.ndarray:
        """1/G_jj on some modes, for all blocks that have modes, over points and what is asked."""
        everywhere, found = np.arange(self.numbers.points), []
        for _, _, equation in self.equations:
            u = self._stacked(equation, known)
            if u is None and equation.size:
                continue
            with np.errstate(all="ignore"):
                green = equation.green(equation.zero() if u is None else u, everywhere)
            for block in equation.blocks:
                entry = equation.entry(green, block, block)
                if entry.shape[-1] > modes.max():
                    whole = np.broadcast_to(entry, (len(everywhere), entry.shape[1]))
                    with np.errstate(all="ignore"):  # a pole is a zero of 1/G
                        found.append(np.where(np.isfinite(whole), 1 / whole, 0.0))
        picked = [np.real(f[:, modes]) for f in found]
        return np.concatenate(picked, axis=1) if picked else np.zeros((len(everywhere), 0))

    def _supported(self, j: int, k: int) -> bool:
        return (j, k) in self.support

    @cached_property
    def whole(self) -> BlockEquation:
        """The equation of all blocks together, and the words of the outputs."""
        blocks = list(range(self.pencil.size))
        words = [
            word
            for output in self.pencil.outputs
            for item in (*output.c.values(), *output.b.values(), output.d)
            for word, _, _ in item
        ]
        spaces = [output.space for output in self.pencil.outputs]
        return self._equation(blocks, words, spaces)
