r"""Which law holds where: maps of the (N, T) plane and of the (N, t) plane.

**(N, T), zero ridge.**  The candidates, simplest first, each with its leading term and its domain:

    features        k_N N^{-e_N}                      N < T, N < M         plateau in T
    samples         k_T T^{-e_T}                      T < N, T < M         plateau in N
    features, peak  k_N N^{-e_N}/(1 − N/T)            N < T, N < M         double descent below N =
    T samples, peak   (series at fixed T/N, lead)       T < N, T < M         double descent above
    noise           σ_ε² V(N, T)                      min(N, T) < M        noise-dominated
    breakdown       C (M − n)                         M/2 < n < M          linear vanishing, n =
    min(N, T) noise beyond    σ_ε² M/(T − M)                    N, T > M

A law *holds* at a point when it is within ``tolerance`` of the exact loss there; the simplest law
that holds is shown, and "between" where none does.  So the map is a statement about the exact loss,
not a sketch.  Borders are the curves N = T, N = M, T = M, and σ_ε² V = L₀ (found on each column).

**(N, t), unlimited data.**  The candidates are the power laws of `analytic.dynamic_laws`; a law
holds where it is within ``tolerance`` of the exact loss of gradient flow, as above.  For hard tasks
the loss at t ~ N^b is a scaling function and no sum of laws: there the map says "between".  Each
border t(N) is where two laws are equal, a power law itself.  Before t = 1 (in units of 1/λ₊)
nothing has been learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import arguments
from ..arguments import Level, checked
from ..equality import Comparable
from ..loss import static_loss
from ..spectral_functions import Moment
from ..spectrum import PowerLaw
from .expansion import exact_number

__all__ = ["Border", "RegimeMap", "size_map", "time_map"]

BETWEEN = "between"
BISECTIONS = 30
COLUMNS = 24  # sizes at which the loss of a trained model is computed for a map


@dataclass(frozen=True, eq=False)
class Border(Comparable):
    """A curve between regimes, as points; ``relation`` is its equation in text."""

    relation: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class RegimeMap(Comparable):
    """Regimes on a grid: ``index[i, j]`` is the place in ``names`` of the law at (x[j], y[i]).

    ``loss[i, j]`` is the exact loss there, ``error[i, j]`` the relative distance of the law shown
    from it.

    ``axes`` names x and y, arrays *(nx,)* and *(ny,)*; ``index``, ``loss``, ``error`` are *(ny,
    nx)*; ``borders`` are the curves on which two laws are equal. Made by `size_map` and
    `time_map`, with their errors. Source: Bahri et al. 2102.06701, the four regimes; dynamical
    paper, eq. (13).

    >>> grid = np.geomspace(10, 1e4, 7)
    >>> chart = size_map(PowerLaw(alpha=0.5), grid, grid)
    >>> chart.loss.shape, sorted(chart.as_data())[:3]
    ((7, 7), ['axes', 'borders', 'formulas'])
    """

    axes: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    formulas: tuple[str, ...]
    index: np.ndarray
    loss: np.ndarray
    error: np.ndarray
    borders: tuple[Border, ...]

    def at(self, x: float, y: float) -> str:
        """The name of the regime at the grid point nearest to (x, y), in logarithms."""
        j = int(np.argmin(np.abs(np.log(self.x / x))))
        i = int(np.argmin(np.abs(np.log(self.y / y))))
        return self.names[self.index[i, j]]

    def as_data(self) -> dict[str, Any]:
        """Lists and strings, ready for JSON."""
        return {
            "axes": list(self.axes), "x": self.x.tolist(), "y": self.y.tolist(),
            "names": list(self.names), "formulas": list(self.formulas),
            "index": self.index.tolist(),
            "loss": [[float(v) if np.isfinite(v) else None for v in row] for row in self.loss],
            "borders": [{"relation": b.relation, "x": b.x.tolist(), "y": b.y.tolist()}
                        for b in self.borders],
        }  # fmt: skip


@dataclass(frozen=True)
class _Candidate:
    """A law with its formula, its domain and its values."""

    name: str
    formula: str
    value: Callable[[np.ndarray, np.ndarray], np.ndarray]
    domain: Callable[[np.ndarray, np.ndarray], np.ndarray]


@checked
def size_map(
    spectrum: PowerLaw,
    features: ArrayLike,
    samples: ArrayLike,
    *,
    noise: float = 0.0,
    tolerance: Level = 0.25,
) -> RegimeMap:
    """The map of the (N, T) plane at zero ridge, on the grid features × samples.

    Raises `InputError` for sizes or a noise that are not allowed, or a tolerance outside (0, 1).

    ``features`` *(nx,)* and ``samples`` *(ny,)* ascend; ``noise`` is σ_ε²; a law holds where it is
    within the relative ``tolerance`` of the exact excess loss. Source: Bahri et al. 2102.06701;
    solvable-model paper, eqs. (163), (186), (188).

    >>> grid = np.geomspace(10, 1e4, 7)
    >>> size_map(PowerLaw(alpha=0.5), grid, grid).at(10, 1e4)
    'features'
    """
    n = np.asarray(arguments.positive("features", np.asarray(features, dtype=float)))
    t = np.asarray(arguments.positive("samples", np.asarray(samples, dtype=float)))
    arguments.nonnegative("noise", noise)
    arguments.grid("samples", n.shape, t.shape, each=10)
    columns, rows = np.meshgrid(n, t)
    exact = np.asarray(static_loss(spectrum, columns, rows, noise=noise).excess_loss)
    candidates = _candidates(spectrum, noise)
    index = np.full(exact.shape, len(candidates))
    error = np.full(exact.shape, np.inf)
    for i, law in reversed(list(enumerate(candidates))):
        with np.errstate(all="ignore"):
            distance = np.abs(law.value(columns, rows) / exact - 1)
        holds = law.domain(columns, rows) & (distance < tolerance)
        index, error = np.where(holds, i, index), np.where(holds, distance, error)
    return RegimeMap(
        ("N", "T"),
        n,
        t,
        (*[c.name for c in candidates], BETWEEN),
        (*[c.formula for c in candidates], "no law within the tolerance"),
        index,
        exact,
        error,
        tuple(_size_borders(spectrum, n, t, noise)),
    )


def _candidates(spectrum: PowerLaw, noise: float) -> list[_Candidate]:
    """Every law of the (N, T) plane that this spectrum and noise have, simplest first."""
    found = [*_plateaus(spectrum)] if spectrum.exponent > 1 else []
    if noise > 0:
        found.append(
            _Candidate(
                "noise",
                "σ² V(N, T)",
                lambda n, t: noise * _amplification(spectrum, n, t),
                lambda n, t: (np.minimum(n, t) < spectrum.size) & (n != t),
            )
        )
    if spectrum.size < np.inf:
        found.append(_breakdown(spectrum))
        if noise > 0:
            found.append(
                _Candidate(
                    "noise beyond M",
                    "σ² M/(T − M)",
                    lambda n, t: noise * spectrum.size / (t - spectrum.size),
                    lambda n, t: (n > spectrum.size) & (t > spectrum.size),
                )
            )
    return found


def _plateaus(spectrum: PowerLaw) -> list[_Candidate]:
    """Leading terms in the smaller size: the other one infinite, then at the actual ratio."""
    import sympy as sp

    from ..notation import N, T, a, b, lambda_plus, sigma_w
    from .limits import limit
    from .limits.named import expand_static, ratio
    from .static_laws import ALONE

    target = None if spectrum.isotropic else exact_number(spectrum.target_exponent)
    exponent = exact_number(spectrum.exponent)
    values = {
        b: exponent,
        a: exponent if target is None else target,
        lambda_plus: spectrum.scale,
        sigma_w: sp.sqrt(sp.sympify(spectrum.target_variance)),
    }
    found: dict[bool, list[_Candidate]] = {False: [], True: []}
    for name, regime in (("features", "N/T"), ("samples", "T/N")):
        letter, size = regime[0], N if regime[0] == "N" else T
        alone = expand_static("loss", ALONE["data" if letter == "T" else name], exponent, target, 1)
        at_ratio = limit(regime, exponent=exponent, target_exponent=target).loss
        for peaked, series in ((False, alone), (True, at_ratio)):
            first, *others = series.resolved().terms  # the logarithm, and the constant beside it
            lead = sum((t.coefficient * sp.log(size) ** t.log for t in (first, *others)
                        if t.power == first.power), sp.S.Zero).subs(values)  # fmt: skip
            power = float(first.power.subs(values))
            shown = f"({sp.N(lead, 4)})" if first.log else str(sp.N(lead, 4))
            formula = f"{shown} {letter}^{power:.4g}".replace("**", "^")
            face = sp.lambdify((ratio, size), sp.N(lead, 17), "numpy")
            value = _leading(letter, face, power, peaked)
            title = f"{name}, peak" if peaked else name
            found[peaked].append(_Candidate(title, formula, value, _below(letter, spectrum.size)))
    return found[False] + found[True]


def _leading(
    letter: str, prefactor: Callable[..., Any], power: float, at_ratio: bool
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """prefactor(r, n) n^power of the smaller size n, ``letter``; r = 0 unless ``at_ratio``."""

    def value(n: np.ndarray, t: np.ndarray) -> np.ndarray:
        small, large = (n, t) if letter == "N" else (t, n)
        r = np.minimum(small / large, 1 - 1e-12) if at_ratio else 0.0
        return prefactor(r, small) * small**power

    return value


def _below(letter: str, size: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Where ``letter`` is the smaller of N and T, and below M."""

    def domain(n: np.ndarray, t: np.ndarray) -> np.ndarray:
        small, large = (n, t) if letter == "N" else (t, n)
        return (small < large) & (small < size)

    return domain


def _amplification(spectrum: PowerLaw, n: np.ndarray, t: np.ndarray) -> np.ndarray:
    """V in L = L₀ + σ_ε² V, as a difference of two exact losses (linear in the noise)."""
    quiet, loud = (np.asarray(static_loss(spectrum, n, t, noise=s).excess_loss) for s in (0.0, 1.0))
    return loud - quiet


def _breakdown(spectrum: PowerLaw) -> _Candidate:
    """The leading term of the breakdown limit, linear in M − min(N, T)."""
    size, zero = float(spectrum.size), 0.0
    first = float(spectrum.resolvent_sum(zero, -1, 0))
    w_0 = float(spectrum.resolvent_sum(zero, 0, 0, target=True))
    w_1 = float(spectrum.resolvent_sum(zero, -1, 0, target=True))

    moments = {Moment(-1, 0): first, Moment(0, 1): w_0, Moment(-1, 1): w_1}
    faces = {smaller: _breakdown_face(smaller, moments) for smaller in ("N", "T")}

    def value(n: np.ndarray, t: np.ndarray) -> np.ndarray:
        below, above = (faces[s](size, n, t) * (size - low) for s, low in (("N", n), ("T", t)))
        return np.where(n < t, below, above)

    return _Candidate(
        "breakdown",
        "∝ M − min(N, T)",
        value,
        lambda n, t: (np.minimum(n, t) < size) & (np.minimum(n, t) > size / 2) & (n != t),
    )


def _breakdown_face(smaller: str, moments: Mapping[Any, float]) -> Callable[..., Any]:
    """The leading coefficient of the breakdown limit as a function of M, N, T."""
    import sympy as sp

    from ..notation import M, N, T
    from .limits import limit

    lead = limit("min(N,T)->M", smaller=smaller, terms=1).loss.lead.coefficient
    return sp.lambdify((M, N, T), lead.xreplace(dict(moments)), "numpy")


def _size_borders(spectrum: PowerLaw, n: np.ndarray, t: np.ndarray, noise: float) -> list[Border]:
    low, high = max(n.min(), t.min()), min(n.max(), t.max())
    borders = []
    if low < high:
        borders.append(Border("N = T", np.array([low, high]), np.array([low, high])))
    size = spectrum.size
    if n.min() < size < n.max():
        borders.append(Border("N = M", np.array([size, size]), np.array([t.min(), t.max()])))
    if t.min() < size < t.max():
        borders.append(Border("T = M", np.array([n.min(), n.max()]), np.array([size, size])))
    if noise > 0:
        borders += _noise_borders(spectrum, n, t, noise)
    return borders


def _noise_borders(spectrum: PowerLaw, n: np.ndarray, t: np.ndarray, noise: float) -> list[Border]:
    """Where σ_ε² V = L₀: sign changes along T for each N, bisected in log T all at once."""
    fine = np.geomspace(t.min(), t.max(), 160)
    columns, rows = np.meshgrid(n, fine)
    share = _log_noise_share(spectrum, columns, rows, noise)
    i, j = np.nonzero(share[:-1] * share[1:] < 0)
    if len(i) == 0:
        return []
    low, high, sign = np.log(fine[i]), np.log(fine[i + 1]), np.sign(share[i, j])
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        same = np.sign(_log_noise_share(spectrum, n[j], np.exp(middle), noise)) == sign
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    order = np.lexsort((high, j))
    return [Border("σ² V = L₀", n[j][order], np.exp(high)[order])]


def _log_noise_share(spectrum: PowerLaw, n: np.ndarray, t: np.ndarray, noise: float) -> np.ndarray:
    """log(σ_ε² V/L₀), NaN where the noiseless loss is 0 or a loss is infinite."""
    quiet = np.asarray(static_loss(spectrum, n, t).excess_loss)
    with np.errstate(all="ignore"):
        value = np.log(noise * _amplification(spectrum, n, t) / quiet)
    return np.where(np.isfinite(value), value, np.nan)


@checked
def time_map(
    exponent: Any, target_exponent: Any, features: ArrayLike, times: ArrayLike,
    *, tolerance: Level = 0.25,
) -> RegimeMap:  # fmt: skip
    """The map of the (N, t) plane for gradient flow with unlimited data, M = ∞.

    ``exponent`` b > 1 and ``target_exponent`` a > 1; ``features`` *(nx,)* and ``times`` *(ny,)* >
    0 ascend. Raises `InputError` for anything else. Source: dynamical paper, eqs. (13), (17).

    >>> grid = np.geomspace(10, 1e6, 4)
    >>> chart = time_map(1.25, 1.5, grid, grid)
    >>> chart.at(1e6, 10), chart.at(10, 1e6)
    ('time', 'features')
    """
    from .dynamic_laws import bottleneck_laws

    n = np.atleast_1d(arguments.positive("features", features))
    t = np.atleast_1d(arguments.positive("times", times))
    arguments.grid("times", n.shape, t.shape, each=10)
    laws = list(bottleneck_laws(target_exponent, exponent, unlimited_data=True).values())
    columns, rows = np.meshgrid(n, t)
    loss = _flow_loss(PowerLaw(exponent=exponent, target_exponent=target_exponent), n, t)
    values = np.array(
        [np.broadcast_to(law(time=rows, features=columns), columns.shape) for law in laws]
    )
    distance = np.abs(values / loss - 1)
    best = np.argmin(distance, axis=0)
    error = np.min(distance, axis=0)
    index = np.where(rows < 1, len(laws) + 1, np.where(error < tolerance, best, len(laws)))
    borders = [
        b
        for i, first in enumerate(laws)
        for second in laws[i + 1 :]
        if (b := _law_border(first, second, laws, n, t)) is not None
    ]
    return RegimeMap(
        ("N", "t"),
        n,
        t,
        (*[law.name for law in laws], BETWEEN, "early"),
        (*[str(law.expression) for law in laws], "no law within the tolerance",
         "t < 1: nothing learnt"),
        index,
        loss,
        np.where(index < len(laws), error, np.inf),
        tuple(borders),
    )  # fmt: skip


def _flow_loss(spectrum: PowerLaw, n: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The exact loss of gradient flow, by (t, N)."""
    from ..training.dynamics import dynamics

    few = n if len(n) <= COLUMNS else np.geomspace(n.min(), n.max(), COLUMNS)
    loss = np.stack([
        np.asarray(dynamics(spectrum, size, np.inf, t).excess_loss, dtype=float) for size in few
    ], axis=1)  # fmt: skip
    if few is n:
        return loss
    from scipy.interpolate import CubicSpline

    return np.asarray(np.exp(CubicSpline(np.log(few), np.log(loss), axis=1)(np.log(n))))


def _law_border(
    first: Any, second: Any, laws: Sequence[Any], n: np.ndarray, t: np.ndarray
) -> Border | None:
    """t(N) on which two laws are equal, restricted to where no third one is larger."""
    p1, q1, _ = map(float, first.exponents)
    p2, q2, _ = map(float, second.exponents)
    if p1 == p2 or first.log or second.log:
        return None
    grid = np.geomspace(n.min(), n.max(), 200)
    c1, c2 = float(first.prefactor), float(second.prefactor)
    moment = (c1 / c2 * grid ** (q2 - q1)) ** (1 / (p1 - p2))
    value = first(time=moment, features=grid)
    largest = np.max(
        [np.broadcast_to(law(time=moment, features=grid), grid.shape) for law in laws], axis=0
    )
    keep = (largest <= value * (1 + 1e-9)) & (moment >= max(t.min(), 1)) & (moment <= t.max())
    if not keep.any():
        return None
    power = (q2 - q1) / (p1 - p2)
    return Border(f"{first.name} = {second.name}: t ∝ N^{power:.4g}", grid[keep], moment[keep])
