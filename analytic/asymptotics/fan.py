r"""The fan of regimes: which law leads for every way in which the sizes can grow.

Sizes s ~ L^{p_s} grow along a direction p.  The leading term of a quantity along p is the same in
a whole cone of directions: where the terms that were dropped stay smaller, which is Σ e_s p_s < 0
for the exponents e of each ratio that was taken to vanish.  These cones, the *cells*, are found one
from another: the law at a direction gives the cone around it; a step across each of its walls gives
the next direction; until every wall leads to a known cell or out of the region.

A ratio that was never compared could still grow where a cell ends.  So the law is computed again
close to every corner of a cell; if another one leads there, the two laws agree at a wall, which

    law₂/law₁ ~ L^{Σ (e₂−e₁)_s p_s} < 1      (or > 1, whichever is so at a direction inside)

puts beside the cell of law₁, and the walk goes on from there.  Cells of one law that meet are one
regime.  On a wall itself the sizes are proportional, N = r T^p, which is a regime of its own with r
in its law.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from .. import arguments
from ..errors import InputError, OutsideTheoryError
from ..notation import M, N, T, a, b, t
from .balance.limiting_form import DEEP, LimitingForm, limiting_form, number_of
from .balance.problem import Problem
from .balance.regime_statement import Regime, parse_regime
from .balance.rivals import corners, row_at
from .balance.systems import AT_KAPPA, eta, named_problem, ridge_z
from .expansion import exact_number

__all__ = ["Fan", "FanCell", "regime_fan"]

NUDGE = Fraction(1, 97)  # off a wall that a direction happens to lie on
STEP, CORNER = 0.03, 0.1  # across a wall; from a corner towards the middle, where laws are probed
FAR, EDGE = 0.3, 0.02  # the same, from a corner at the edge of the region: first and last
NEAR_EDGE = 24  # powers of the slowest size that series go to there, where it hardly grows
MAX_CELLS, ATTEMPTS = 60, 4
DENOMINATOR = 120
SIZES = {"N": N, "T": T, "M": M, "z": ridge_z, "t": t, "eta": eta}
SIGNS = {N: 1, T: 1, M: 1, ridge_z: -1, t: 1, eta: -1}


@dataclass(frozen=True)
class FanCell:
    """A cone of directions with one leading law.

    ``walls`` are rows e with e·p < 0 inside (p the exponents of ``sizes``); ``inside`` a direction.
    """

    law: LimitingForm
    sizes: tuple[sp.Symbol, ...]
    walls: tuple[tuple[float, ...], ...]
    inside: tuple[Fraction, ...]
    ratios: tuple[sp.Expr, ...] = ()

    @property
    def lead(self) -> sp.Expr:
        """The leading term."""
        return self.law.terms[0].expression

    def holds(self, direction: Sequence[float], slack: float = 1e-12) -> bool:
        """Whether a direction is in the cone."""
        return all(np.dot(row, direction) < slack for row in self.walls)

    def exponent(self, point: Mapping[sp.Symbol, Any]) -> tuple[float, ...]:
        """The exponents of the law in the sizes."""
        return row_at(self.law.terms[0].exponents, self.sizes, point)


@dataclass(frozen=True)
class Fan:
    """All cells of a quantity, with the point (a, b) they were found at."""

    quantity: str
    sizes: tuple[sp.Symbol, ...]
    point: Mapping[sp.Symbol, Any]
    cells: tuple[FanCell, ...]
    region: tuple[tuple[float, ...], ...] = field(repr=False, default=())

    @property
    def laws(self) -> list[sp.Expr]:
        """The different leading terms."""
        return list(dict.fromkeys(cell.lead for cell in self.cells))

    def cell_at(self, direction: Any) -> FanCell:
        """The cell that a direction is in, or the nearest one where it is on a wall."""
        return min(self.cells, key=lambda c: max([np.dot(w, direction) for w in c.walls] or [0]))

    def allows(self, direction: Sequence[float]) -> bool:
        """Whether a direction is in the region that the fan covers."""
        return all(np.dot(row, direction) < 0 for row in self.region)

    def bounds(self) -> list[str]:
        """The region that the fan covers, as relations between sizes."""
        return [_much_less(row, self.sizes) for row in self.region]

    def walls(self) -> list[sp.Eq]:
        """Every wall between two laws as an equation between sizes, constants left out."""
        found: dict[Any, sp.Eq] = {}
        for cell in self.cells:
            for row, ratio in zip(cell.walls, cell.ratios):
                if ratio != 1 and self._parts_laws(cell, row):
                    key = tuple(np.round(np.array(row) / _first(row), 9))
                    found.setdefault(key, _relation(ratio, self.sizes))
        return list(found.values())

    def _parts_laws(self, cell: FanCell, row: tuple[float, ...]) -> bool:
        """Whether the other side of a wall has another law."""
        middle = _facet_point(cell.walls + self.region, row)
        if middle is None:
            return False
        other = self.cell_at(middle + STEP * np.array(row) / np.linalg.norm(row))
        return other.lead != cell.lead

    def value(self, sizes: Mapping[sp.Symbol, Any]) -> float:
        """The law of the cell that sizes are in, at the sizes; `InputError` outside all cells."""
        direction = [float(sp.log(sizes[s])) for s in self.sizes]
        if not self.allows(direction):
            given = ", ".join(f"{s} = {sizes[s]}" for s in self.sizes)
            raise InputError("sizes", given, ", ".join(self.bounds()))
        cell = self.cell_at(direction)
        return float(number_of(cell.lead, cell.law.completed({**sizes, **self.point}, None), None))


def _much_less(row: Sequence[float], sizes: Sequence[sp.Symbol]) -> str:
    """Σ e_s p_s < 0 as a relation between sizes.

    >>> _much_less((1.0, -1.0), (N, M)), _much_less((-1.0, 0.0), (N, M))
    ('N << M', '1 << N')
    """
    powers = [(s, exact_number(e)) for s, e in zip(sizes, row)]
    small = sp.Mul(*(s**e for s, e in powers if e > 0))
    return f"{small} << {sp.Mul(*(s**-e for s, e in powers if e < 0))}"


def _first(row: Sequence[float]) -> float:
    return next(x for x in row if abs(x) > 1e-12)


def _relation(ratio: sp.Expr, sizes: Sequence[sp.Symbol]) -> sp.Eq:
    """ratio ~ 1 solved for the last size in it: N = T^{…}."""
    powers = {s: sp.sympify(ratio.as_powers_dict().get(s, 0)) for s in sizes}
    target = next(s for s in (ridge_z, N, M, T) if powers.get(s, 0) != 0)
    rest = sp.Mul(*(s ** sp.together(-p / powers[target]) for s, p in powers.items()
                    if s != target and p != 0))  # fmt: skip
    return sp.Eq(target, rest, evaluate=False)


def regime_fan(
    sizes: Sequence[str] = ("N", "T"),
    *,
    exponent: Any,
    target_exponent: Any = None,
    quantity: str = "loss",
    where: str = "",
) -> Fan:
    """The fan of a loss in two or three free powers.

    ``quantity``: "loss", "kappa", "noise" or "with noise" of the static model; "loss-at-kappa" and
    "noisy-loss-at-kappa", where z stands for κ above κ₀, which is what a ridge chooses;
    "flow-loss", "flow-train-loss" or "sgd-loss" in training. ``sizes`` among N, T, M, and z or the
    time t; what is left out is taken first: z = 0, M = ∞, and N or T = ∞, but what ``where`` ties
    to the sizes ("N = M/2"). All grow, z and the step eta of SGD fall, 1/t ≪ η ≪ 1/Tr λ; M stays
    above N and T.
    Raises `InputError` for other names, `OutsideTheoryError` where a law has no series.

    >>> fan = regime_fan(("N", "T"), exponent=1.5)
    >>> [str(wall) for wall in fan.walls()]
    ['Eq(N, T)']
    """
    problem = named_problem(quantity, target_exponent is None)
    own = [name for name, s in SIZES.items() if s in (*problem.sizes, *problem.typical)]
    if not set(sizes) <= set(own) or not 2 <= len(sizes) == len(set(sizes)) <= 3:
        expected = f"two or three of {', '.join(own)}, each once, for the {quantity}"
        raise InputError("sizes", ",".join(sizes), expected)
    point: dict[sp.Symbol, Any] = {b: exact_number(arguments.positive("exponent", exponent))}
    if target_exponent is not None:
        point[a] = exact_number(target_exponent)
    symbols = tuple(SIZES[s] for s in sizes)
    for name, symbol in (("exponent", b), ("target_exponent", a)):
        if M not in symbols and symbol in point and not point[symbol] > 1:
            raise InputError(name, point[symbol], "a number > 1 at M = ∞; or M among the sizes")
    left = [s for s in problem.sizes if s not in symbols]
    tied = [part for part in where.split(",") if part.strip()]
    taken = {part.split("=")[0].split("/")[0].strip() for part in tied}
    relations = [f"{s} << 1" if SIGNS[s] < 0 else f"1 << {s}" for s in symbols] + tied
    relations += [f"{s} = {'0' if SIGNS[s] < 0 else 'inf'}" for s in left if s.name not in taken]
    base = parse_regime(", ".join(relations), problem.sizes, point, keep=problem.size)
    return _walk(problem, symbols, point, base)


def _walk(
    problem: Problem, sizes: tuple[sp.Symbol, ...], point: dict[sp.Symbol, Any], base: Regime
) -> Fan:
    region = _region(sizes, point, problem.name in AT_KAPPA)
    cells: list[FanCell] = []
    queue: list[Any] = [_middle(region)]
    while queue:
        direction = queue.pop(0)
        if any(np.dot(row, direction) > -1e-9 for row in region):
            continue
        if any(cell.holds(direction, -1e-9) for cell in cells):
            continue
        cell = _cell(problem, sizes, point, direction, region, base)
        if len(cells) == MAX_CELLS:
            raise OutsideTheoryError(f"more than {MAX_CELLS} cells")
        cells.append(cell)
        for row in cell.walls:
            on_wall = _facet_point(cell.walls + region, row)
            if on_wall is not None:
                queue.append(on_wall + STEP * np.array(row) / np.linalg.norm(row))
    return Fan(problem.name, sizes, point, tuple(cells), region)


def _region(
    sizes: tuple[sp.Symbol, ...], point: Mapping[sp.Symbol, Any], at_kappa: bool = False
) -> tuple[tuple[float, ...], ...]:
    """Rows e with e·p < 0 where sizes grow or fall as they may, M the largest, η Tr λ small.

    Where z stands for κ, D₁(κ) ~ z^{−1/b} stays below N and T.
    """
    rows = []
    for k, s in enumerate(sizes):
        rows.append(tuple(-float(SIGNS[s]) if i == k else 0.0 for i in range(len(sizes))))
        if s == M:
            for other in (N, T):
                if other in sizes:
                    i = sizes.index(other)
                    rows.append(tuple(float(j == i) - float(j == k) for j in range(len(sizes))))
        if at_kappa and s in (N, T):
            rows.append(tuple(-float(x == ridge_z) - float(point[b]) * (x == s) for x in sizes))
        if s == eta and M in sizes and point[b] < 1:
            trace = float(1 - point[b])
            rows.append(tuple(float(x == eta) + trace * float(x == M) for x in sizes))
        if s == eta and t in sizes:  # something is learnt
            rows.append(tuple(-float(x in (eta, t)) for x in sizes))
    return tuple(rows)


def _middle(rows: Sequence[Sequence[float]]) -> np.ndarray:
    """A direction of the cone far from its walls."""
    from scipy.optimize import linprog

    size = len(rows[0])
    scaled = [[*(np.array(r) / np.linalg.norm(r)), 1.0] for r in rows]
    found = linprog([0.0] * size + [-1.0], A_ub=scaled, b_ub=[0.0] * len(rows),
                    bounds=[(-1, 1)] * size + [(0, 1)])  # fmt: skip
    weights = 1 + np.arange(size) / (7.0 * size)  # off the symmetric directions
    return np.asarray(found.x[:size]) * weights


def _facet_point(rows: Sequence[Sequence[float]], wall: Sequence[float]) -> np.ndarray | None:
    """A direction on one wall, far from the others; None where it is no wall of the cone."""
    from scipy.optimize import linprog

    size = len(wall)
    others = [r for r in rows if not _parallel(r, wall)]
    scaled = [[*(np.array(r) / np.linalg.norm(r)), 1.0] for r in others]
    found = linprog(
        [0.0] * size + [-1.0], A_ub=scaled or None, b_ub=[0.0] * len(others) or None,
        A_eq=[[*wall, 0.0]], b_eq=[0.0], bounds=[(-1, 1)] * size + [(0, 1)],
    )  # fmt: skip
    if not found.success or found.x[-1] < 1e-7:
        return None
    return np.asarray(found.x[:size])


def _parallel(first: Sequence[float], second: Sequence[float]) -> bool:
    x, y = np.array(first), np.array(second)
    return bool(np.linalg.norm(x / np.linalg.norm(x) - y / np.linalg.norm(y)) < 1e-9)


def _cell(
    problem: Problem, sizes: tuple[sp.Symbol, ...], point: dict[sp.Symbol, Any],
    direction: np.ndarray, region: tuple[tuple[float, ...], ...], base: Regime,
) -> FanCell:  # fmt: skip
    """The cell around a direction, its corners probed."""
    inside, law = _law(problem, sizes, point, direction, base)
    rows, ratios = _rows(law, sizes, point)
    walls, kept = _irredundant(rows, ratios, region)
    cell = FanCell(law, sizes, walls, inside, kept)
    for _ in range(ATTEMPTS):
        rival = _rival(problem, cell, point, region, base)
        if rival is None:
            return cell
        ours, theirs = law.terms[0].exponents, rival.terms[0].exponents
        ratio = sp.Mul(*(s ** sp.expand(theirs.get(s, 0) - ours.get(s, 0)) for s in sizes))
        row = tuple(y - x for x, y in zip(cell.exponent(point), row_at(theirs, sizes, point)))
        if not any(abs(x) > 1e-12 for x in row):
            return cell
        if np.dot(row, [float(x) for x in inside]) > 0:  # the law that leads need not be the larger
            row, ratio = tuple(-x for x in row), 1 / ratio
        rows, ratios = [*rows, row], [*ratios, ratio]
        walls, kept = _irredundant(rows, ratios, region)
        cell = FanCell(law, sizes, walls, inside, kept)
    return cell


def _rival(
    problem: Problem, cell: FanCell, point: dict[sp.Symbol, Any],
    region: tuple[tuple[float, ...], ...], base: Regime,
) -> LimitingForm | None:  # fmt: skip
    """The law close to a corner of the cell, if it is another one."""
    rows = [*cell.walls, *region]
    inside = _middle(rows), np.array([float(x) for x in cell.inside])  # may be close to a wall
    middle = sum(x / np.linalg.norm(x) for x in inside) / 2
    for corner in corners(rows, len(cell.sizes)):
        at_edge = any(np.dot(row, corner) > -1e-9 for row in region)
        parts = (FAR, CORNER, EDGE)[: 2 + (len(corner) == 2)] if at_edge else (CORNER,)
        for part in parts:
            near = (1 - part) * corner + part * middle
            try:
                _, law = _law(problem, cell.sizes, point, near, base, part != parts[0])
            except OutsideTheoryError:  # too many terms compete that close to the edge
                if part == parts[0]:
                    raise
                break
            if row_at(law.terms[0].exponents, cell.sizes, point) != cell.exponent(point):
                return law
    return None


def _law(
    problem: Problem, sizes: Sequence[sp.Symbol], point: dict[sp.Symbol, Any], direction: Any,
    base: Regime, at_edge: bool = False,
) -> tuple[tuple[Fraction, ...], LimitingForm]:  # fmt: skip
    """The leading term along a direction, moved a little where it lies on a wall."""
    scale = max(abs(x) for x in direction) / 2
    exact = [_simple(float(x / scale)) for x in direction]
    for attempt in range(1 if at_edge else ATTEMPTS):
        moved = tuple(p * (1 + attempt * (k + 1) * NUDGE / 4) for k, p in enumerate(exact))
        growth = dict(zip(sizes, moved))
        try:
            text = ", ".join(f"{s} ~ L^({p})" for s, p in growth.items())
            regime = replace(base, text=text, growth={**base.growth, **growth}, orderings=())
            return moved, limiting_form(problem, regime, point, 1, remainder=False,
                                        deepest=_deepest(moved) if at_edge else DEEP)  # fmt: skip
        except OutsideTheoryError as error:
            last = error
    raise last


def _deepest(growth: Iterable[Fraction]) -> Fraction:
    """How deep the series are made near an edge, in units of the largest growth."""
    rates = [abs(p) for p in growth]
    return NEAR_EDGE * min(rates) / max(rates)


def _simple(x: float) -> Fraction:
    """A fraction of few digits near x, of its sign however small it is."""
    if x and abs(x) < 12 / DENOMINATOR:
        return Fraction(1 if x > 0 else -1, round(1 / abs(x)))
    return Fraction(x).limit_denominator(DENOMINATOR)


def _rows(
    law: LimitingForm, sizes: Sequence[sp.Symbol], point: Mapping[sp.Symbol, Any]
) -> tuple[list[tuple[float, ...]], list[sp.Expr]]:
    rows, ratios = [], []
    for exponents in law.cell:
        row = row_at(exponents, sizes, point)
        if any(abs(x) > 1e-12 for x in row):
            rows.append(row)
            ratios.append(sp.Mul(*(s**e for s, e in exponents.items() if s in sizes)))
    return rows, ratios


def _irredundant(
    rows: Sequence[tuple[float, ...]], ratios: Sequence[sp.Expr],
    region: tuple[tuple[float, ...], ...],
) -> tuple[tuple[tuple[float, ...], ...], tuple[sp.Expr, ...]]:  # fmt: skip
    """The rows that are walls of the cone inside the region."""
    kept: list[int] = []
    for k, row in enumerate(rows):
        if any(_parallel(row, rows[i]) for i in kept) or any(_parallel(row, r) for r in region):
            continue
        if _facet_point([*rows, *region], row) is not None:
            kept.append(k)
    return tuple(rows[k] for k in kept), tuple(ratios[k] for k in kept)
