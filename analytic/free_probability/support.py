r"""The spectral density of a resolvent tr (B + z)^{-1}; its edges, gaps, atoms and outliers.

The density is ρ(x) = Im g(−x − i0)/π, exactly zero where the real root is certified (`RealAxis`).

**Edges** are where certified real roots end. There 1 − ρ ∝ √distance, so the edge is the zero of
(1 − ρ)², found by the secant method from outside. **Atoms** have mass lim z g(z) at their position:
zero, or an eigenvalue of a deterministic matrix that is repeated.

**Outliers.** A few eigenvalues ℓ of a deterministic matrix that stand apart from the rest do not
change the bulk, and each may leave one eigenvalue of B outside it: where the block resolvent of the
bulk has a pole on the mode ℓ. For a sample covariance this is x = ℓ (1 + (1/T) Σ λ/(ℓ − λ)).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from .. import arguments
from ..errors import InputError, OutsideTheoryError
from .boundary_values import RealAxis
from .certified_root import components_at, physical_root
from .physical_root import MARGIN
from .trace_values import DeterministicValues

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations

DECADES = 5  # below the size of the spectrum with points in each
TINY = 1e-12  # of the size of the spectrum: an edge this close to zero is at zero
APART = 0.2  # of the width of the bulk: the least gap that makes an eigenvalue a spike


@dataclass(frozen=True)
class Support:
    """The support of a spectral density.

    ``intervals`` of the bulk; ``atoms`` as (position, mass); ``outliers``: positions of single
    eigenvalues that spikes of a deterministic matrix leave outside the bulk.
    """

    intervals: tuple[tuple[float, float], ...]
    atoms: tuple[tuple[float, float], ...] = ()
    outliers: tuple[float, ...] = ()

    @property
    def edges(self) -> list[float]:
        """All ends of the intervals."""
        return [edge for interval in self.intervals for edge in interval]


def density_at(
    equations: SelfConsistentEquations,
    points: Any,
    parameters: Mapping[Any, Any],
    matrices: Mapping[Any, Any],
) -> np.ndarray:
    """The density at real points: ρ(x) = Im g(−x − i0)/π, without its atoms.

    Exactly zero where the real solution is certified. Errors: `OutsideTheoryError` for an
    expression that is no resolvent tr (B + z)^{-1}, `InputError` for points that are no numbers.
    """
    x = np.asarray(arguments.row("points", points), float)
    arguments.grid("points", x.shape, each=10)
    if not np.all(np.isfinite(x)):
        raise InputError("points", "NaN or infinite", "finite numbers")
    value, outside = RealAxis(equations, parameters, matrices).resolvent(x.ravel())
    density = np.where(outside, 0.0, np.maximum(value.imag / np.pi, 0.0))
    return density.reshape(x.shape)[()]  # type: ignore[no-any-return]


def support_of(
    equations: SelfConsistentEquations,
    parameters: Mapping[Any, Any],
    matrices: Mapping[Any, Any],
    points: int = 400,
) -> Support:
    """Edges, gaps, atoms and outliers of the spectrum of B, for an expression tr (B + z)^{-1}.

    Gaps and intervals narrower than the spectrum over ``points`` may be missed.
    """
    whole = RealAxis(equations, parameters, matrices)
    bulk, spikes = _without_spikes(whole)
    grid = _grid(bulk, points)
    outside = np.concatenate([bulk.resolvent(part)[1] for part in _by_size(grid)])
    changes = np.flatnonzero(outside[1:] != outside[:-1])
    ends = [(float(grid[i]), float(grid[i + 1])) for i in changes]
    pairs = [(a, b) if outside[i] else (b, a) for i, (a, b) in zip(changes, ends)]
    tiny = TINY * float(grid[-1])
    pairs = [(a, b) if a * b > 0 else _near_zero(bulk, a, b, tiny) for a, b in pairs]
    edges = [_edge(bulk, out, inner) if out != inner else out for out, inner in pairs]
    least = 1e-11 * max(map(abs, edges), default=0.0)
    edges = [edge if abs(edge) > least else 0.0 for edge in edges]  # a hard edge
    intervals = tuple((float(a), float(b)) for a, b in zip(edges[::2], edges[1::2], strict=False))
    outliers = _outliers(whole, bulk, spikes, intervals) if spikes.size else ()
    return Support(intervals, _atoms(bulk, grid, intervals), outliers)


def _size(bulk: RealAxis) -> float:
    """The height η from which on η² ∫ x²/(x² + η²) ρ dx, which grows to ∫ x² ρ dx, is settled."""
    seen: list[tuple[float, float]] = []  # from above, with what is beyond rounding
    for top in range(12, -8, -1):
        heights = 10.0 ** (top - np.arange(8) / 8)
        z = -1j * heights
        value, certified = bulk.beside(z)
        above = 1 - (z * value).real
        good = certified & (above > 1e-9)
        seen += zip(heights[good], (heights**2 * above)[good])
        most = max((grown for _, grown in seen), default=0.0)
        if seen and seen[-1][1] < 0.5 * most:
            break
    return float(min((height for height, grown in seen if grown >= 0.95 * most), default=1e-8))


def _grid(bulk: RealAxis, points: int) -> np.ndarray:
    """Real points over the whole spectrum, denser towards zero."""
    size = _size(bulk)
    ladder = size * np.geomspace(10.0**-DECADES, 10, 32 * (DECADES + 1))
    grid = np.concatenate([-ladder, ladder])
    outside = np.concatenate([bulk.resolvent(part)[1] for part in _by_size(grid)])
    inner = grid[~outside]
    if not inner.size:
        return np.sort(grid)
    margin = 0.1 * max(np.ptp(inner), 0.1 * np.abs(inner).max())
    low, high = inner.min() - margin, inner.max() + margin
    grid = np.concatenate([grid, np.linspace(low, high, points)])
    return np.unique(grid[grid != 0])


def _by_size(grid: np.ndarray) -> list[np.ndarray]:
    """Points in order, in runs of about one size and sign."""
    key = np.sign(grid) * (np.floor(np.log10(np.abs(grid))) + 1000)
    order = np.argsort(grid, kind="stable")
    return np.split(grid[order], np.flatnonzero(np.diff(key[order])) + 1)


def _near_zero(bulk: RealAxis, out: float, inner: float, tiny: float) -> tuple[float, float]:
    """Closer points around an edge between points of different sign; (0, 0) for a hard edge.

    A gap around an atom at zero ends between its smallest points and the one inside.
    """
    for sign in np.sign([inner, out]):
        within = not bulk.resolvent(np.array([sign * tiny]))[1][0]
        if within and sign == np.sign(out):
            return out, sign * tiny
        if not within and sign == np.sign(inner):
            low, high = tiny, abs(inner)
            while high > 10 * low:
                middle = np.sqrt(low * high)
                if bulk.resolvent(np.array([sign * middle]))[1][0]:
                    low = middle
                else:
                    high = middle
            return sign * low, sign * high
    return 0.0, 0.0


def _edge(bulk: RealAxis, out: float, inner: float) -> float:
    """The end of the support between a point outside and one inside.

    The real root is followed from outside; it ends where (1 − ρ)², linear there, is zero.
    """
    near = bulk.root(out)
    if near is None:  # outside by its density alone
        return (out + inner) / 2
    near, margin = bulk.followed(out, near)
    seen = [(out, margin**2)]
    for k in range(80):
        out, last = seen[-1]
        if abs(out - inner) < 1e-14 * max(abs(out), abs(inner)):
            break
        place = (out + inner) / 2
        if len(seen) > 1 and k % 2:
            (older, above), drop = seen[-2], seen[-2][1] - last
            predicted = out - last * (out - older) / (last - above) if drop else place
            place = predicted + 0.1 * (out - predicted)  # within reach of Newton
            if last < 1e-13 and min(out, inner) <= predicted <= max(out, inner):
                return float(predicted)
            if not min(out, inner) < place < max(out, inner):
                place = (out + inner) / 2
        if place in (out, inner):
            break
        found, margin = bulk.followed(place, near)
        if margin < 0:  # once more in small steps
            found = near
            for x in np.linspace(out, place, 9)[1:]:
                found, margin = bulk.followed(float(x), found)
                if margin < 0:
                    break
        if margin > 0:
            near = found
            seen.append((place, margin**2))
        else:
            inner = place
    return (out + inner) / 2


def _atoms(
    bulk: RealAxis, grid: np.ndarray, intervals: tuple[tuple[float, float], ...]
) -> tuple[tuple[float, float], ...]:
    """Masses lim z g(z) at zero and at repeated eigenvalues of deterministic matrices.

    The limit is read well inside the gap around the place, where z g is even in its distance.
    """
    places = [0.0]
    for letter, values in bulk.given.eigenvalues.items():
        if bulk.given.is_diagonal([letter]):
            repeated, counts = np.unique(values, return_counts=True)
            places += [float(v) for v in repeated[counts > 0.01 * len(values) + 1] if v != 0]
    found = []
    for place in places:
        gap = min((abs(edge - place) for ends in intervals for edge in ends), default=np.inf)
        height = min(1e-6 * np.abs(grid).max(), 1e-3 * gap or np.inf)
        heights = height * np.array([1.0, 0.1])
        z = -place - 1j * heights
        value, certified = bulk.beside(z)
        if not certified.all():
            continue
        masses = (-1j * heights * value).real
        mass, change = float(masses[1]), abs(float(masses[1] - masses[0]))
        if change < 0.05 * abs(mass) and mass > 1e-5:
            agreed = int(-np.log10(change + 1e-12)) - 1  # decimals of the two heights
            found.append((place, round(mass, max(agreed, 2))))
    return tuple(sorted(found))


def _without_spikes(whole: RealAxis) -> tuple[RealAxis, np.ndarray]:
    """The same with every spike moved to the middle of the bulk, and the places of the spikes."""
    given = whole.given
    places: set[int] = set()
    if given.is_diagonal(list(given.eigenvalues)):
        for values in given.eigenvalues.values():
            places |= _spikes(values)
    if not places:
        return whole, np.zeros(0, int)
    rows = np.array(sorted(places))
    moved = {}
    for letter, values in given.eigenvalues.items():
        own = rows[rows < len(values)]
        changed = np.array(values, float)
        changed[own] = np.median(np.delete(values, own))
        moved[letter] = changed
    still = DeterministicValues(
        moved, given.bases, given.dimensions, given.rectangular, {}, given.sides
    )
    bulk = RealAxis.__new__(RealAxis)
    bulk.__dict__.update({**whole.__dict__, "given": still})
    return bulk, rows


def _spikes(values: np.ndarray) -> set[int]:
    """The places of a few largest or smallest values that stand apart from the rest."""
    order, most = np.argsort(values), int(np.sqrt(len(values)) / 2)
    found: set[int] = set()
    for ranked in (order, order[::-1]):
        for count in range(most, 0, -1):
            rest = values[ranked[count : len(values) - most]]
            gap = abs(values[ranked[count - 1]] - values[ranked[count]])
            if gap > APART * np.ptp(rest) and gap > 1e-9 * np.abs(rest).max():
                found |= set(map(int, ranked[:count]))
                break
    return found


def _outliers(
    whole: RealAxis,
    bulk: RealAxis,
    spikes: np.ndarray,
    intervals: tuple[tuple[float, float], ...],
) -> tuple[float, ...]:
    """Where the resolvent of the bulk has a pole on the mode of a spike, outside the bulk."""

    def poles(x: np.ndarray, start: Any = None) -> tuple[np.ndarray, Any]:
        """1/G of the spikes at real points outside (NaN inside), and the root."""
        flat = bulk.at(-x)
        with np.errstate(all="ignore"):
            _, root = physical_root(bulk.equations, flat, bulk.given, start, quick=True)
            parts = components_at(whole.equations, flat, whole.given)
            found = parts.on_modes(root.unknowns, spikes)
        found[~root.certified] = np.nan
        return found, root.unknowns

    size = max(abs(edge) for interval in intervals for edge in interval)
    found: list[float] = []
    gaps = np.concatenate([[-np.inf], np.ravel(intervals), [np.inf]]).reshape(-1, 2)
    for low, high in gaps:
        grid = _in_gap(low, high, size)
        values, known = poles(grid)
        for i, k in zip(*np.nonzero(values[1:] * values[:-1] < 0), strict=True):
            start = {u: np.broadcast_to(r, len(grid))[i] for u, r in known.items()}

            def pole(x: float, k: int = k, start: Any = start) -> float:
                return float(poles(np.array([x]), start)[0][0, k])

            try:
                x = brentq(pole, grid[i], grid[i + 1])
            except ValueError:  # no certified root in between
                continue
            if abs(pole(x)) < 1e-6 * np.abs(values[i : i + 2, k]).max():
                found.append(float(x))
    found.sort()
    return tuple(
        x for x, y in zip(found, [-np.inf, *found]) if x - y > 1e-9 * size and abs(x) > 1e-9 * size
    )


def _in_gap(low: float, high: float, size: float) -> np.ndarray:
    """Points in a gap, denser towards its ends."""
    steps = np.geomspace(1e-6, 1, 60)
    if np.isinf(low) and np.isinf(high):
        return np.concatenate([-size * steps[::-1], size * steps])
    if np.isinf(high):
        return low + size * np.geomspace(1e-6, 1e4, 160)
    if np.isinf(low):
        return (high - size * np.geomspace(1e-6, 1e4, 160))[::-1]
    half = (high - low) / 2
    return np.unique(np.concatenate([low + half * steps, high - half * steps]))


__all__ = ["MARGIN", "OutsideTheoryError", "Support", "density_at", "support_of"]
