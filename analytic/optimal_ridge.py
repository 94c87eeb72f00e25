r"""The ridge that minimises the test loss.

Exactly, for any spectrum, target and noise. Equation (1) gives the ridge of every κ in
closed form, γ = σ_u² N T κ R₃(κ) R₁(κ), so the loss (4) is an explicit function of κ, and

    d L/d ln κ = 0,    κ > κ₀ (the ridgeless κ),

is one equation in one unknown, whose derivative sympy takes. Where the loss rises from
the start, the optimum is γ = 0.

In the scaling regime (M → ∞, D₁ ∝ κ^{-1/(1+α)}, hence D₂ = α D₁/(1+α)) minimising (3)
over D₁ is a quadratic equation,

    D₁* = 2αNT / ( α(N+T) + √[α²(N+T)² − 4αNT(α−1)(α+2)/(α+1)] ),                    (5)

which `scaling_optimum` derives from (3). At α = 1, D₁* = NT/(N+T), and the law
L ∝ (1/N + 1/T)^α is exact; elsewhere `law_ratio` says how far it is off.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from . import arguments, precision
from .arguments import checked
from .formula import Formula, is_mp
from .loss import (
    GUARD_DIGITS,
    StaticLoss,
    excess_loss_formula,
    isotropic_loss_formula,
    loss_at,
    static_loss,
)
from .notation import N, T, alpha, kappa, sigma_eps, sigma_w
from .optimum import Bracket, crossing, lowest
from .resolvent import ResolventSolution
from .resolvent.equation import brackets
from .spectral_functions import DegreesOfFreedom, TargetSum
from .spectrum import Spectrum, as_spectrum

NUMBERS = ("features", "samples", "noise", "feature_variance")
GRID = 160  # values of ln κ among which the lowest loss is looked for
COARSE, NODE = 300, 0.12  # nodes for the start of that grid; distance of the nodes of a table
PART = 1 << 14  # points that are solved for at once: each has as many numbers as the table
NEWTON, STEPS, SETTLED = 4, 2, 1e-6  # steps on the table; corrections by exact sums, the last one


@cache
def slope_formula() -> Formula:
    """d L/d ln κ at fixed N and T, as a formula in D₁, D₂, D₃, h₁, h₂, h₃."""
    d = {f"d{q}": DegreesOfFreedom(q, kappa) for q in (1, 2, 3)}
    h = {f"h{q}": TargetSum(q, kappa) for q in (1, 2, 3)}
    names = {"n": N, "t": T, "kappa": kappa, "sigma_eps": sigma_eps, **d, **h}
    return Formula("dL/dlnκ", names, kappa * sp.diff(excess_loss_formula(kappa), kappa))


def _values(spectrum: Spectrum, n: Any, t: Any, k: Any, noise: Any, orders: int) -> dict[str, Any]:
    sums = {f"d{q}": spectrum.degrees_of_freedom(k, q) for q in range(1, orders + 1)}
    sums |= {f"h{q}": spectrum.target_sum(k, q) for q in range(1, orders + 1)}
    root = mpmath.sqrt if isinstance(k, mpmath.mpf) else np.sqrt
    convert = mpmath.mpmathify if isinstance(k, mpmath.mpf) else float
    total = noise + convert(spectrum.irreducible)  # which acts on training as label noise does
    return {"n": n, "t": t, "kappa": k, "sigma_eps": root(total), **sums}


def _slope(spectrum: Spectrum, n: Any, t: Any, k: Any, noise: Any) -> Any:
    return slope_formula()(**_values(spectrum, n, t, k, noise, 3))


def _bracket(
    spectrum: Any, n: np.ndarray, t: np.ndarray, noise: np.ndarray, start: np.ndarray, top: Any
) -> Bracket:
    """The lowest loss on a grid of ln κ from ``start``, dense there, to ``top``."""
    fractions = np.linspace(0, 1, GRID) ** 3  # N ≈ T has its minimum near κ₀
    grid = start + 1e-13 + (top - start) * fractions[:, None]
    k = np.exp(grid)
    d1, r3, r1 = brackets(spectrum, k, n, t)
    possible = (r3 > 0) & (r1 > 0)
    r3, r1 = (np.where(possible, x, 1.0) for x in (r3, r1))
    losses, _ = loss_at(spectrum, n, t, ResolventSolution(k, r3, r1, 0.0, d1), noise)
    return lowest(grid, np.where(possible, losses, np.inf))


def _ends(
    spectrum: Spectrum, n: np.ndarray, t: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """ln κ between which the optimum is: at D₁ = min(N, T), and far above every eigenvalue."""
    smaller = np.minimum(n, t)
    scale = spectrum.trace() / np.minimum(smaller, spectrum.size)
    top = np.log(scale) + np.log1p((noise + float(spectrum.irreducible) + 1) * smaller) + 8
    start = np.log(1e-9 * scale) - 20
    x = np.linspace(start.min(), top.max(), COARSE)
    d1 = spectrum.degrees_of_freedom(np.exp(x))
    open_ = smaller < min(d1[0], spectrum.size)
    start = np.where(open_, np.interp(-smaller, -d1, x), start)
    for _ in range(STEPS):  # on ln D₁, nearly straight in ln κ
        k = np.exp(start)
        here = spectrum.degrees_of_freedom(k)
        slope = -k * spectrum.resolvent_sum(k, 1, 2) / here
        start = np.where(open_, start - np.log(here / smaller) / slope, start)
    return start, top


class _Table:
    """Sums over the modes between nodes of ln κ, by cubic splines of their logarithms.

    It stands for a spectrum where sums are wanted at many κ and the place, not the value, matters.
    """

    def __init__(self, spectrum: Spectrum, low: float, high: float) -> None:
        self.size, self.irreducible = spectrum.size, spectrum.irreducible
        self.x, self.width = np.linspace(low, high, int((high - low) / NODE) + 2, retstep=True)
        self.k, self.spectrum = np.exp(self.x), spectrum
        self.faces: dict[tuple[int, int, bool], np.ndarray] = {}
        self.at: tuple[Any, Any, Any] = (None, None, None)

    def _place(self, kappa: Any) -> tuple[Any, Any]:
        """The interval that ln κ is in, and how far it is from its left end."""
        if self.at[0] is not kappa:
            x = np.log(kappa)
            i = np.clip(((x - self.x[0]) / self.width).astype(int), 0, len(self.x) - 2)
            self.at = kappa, i, x - self.x[i]
        return self.at[1:]

    def resolvent_sum(self, kappa: Any, p: int, q: int, target: bool = False) -> Any:
        """Σ λ^p (w²)/(λ+κ)^q, to some seven digits."""
        if (p, q, target) not in self.faces:
            from scipy.interpolate import CubicSpline

            value = self.spectrum.resolvent_sum(self.k, p, q, target)
            self.faces[p, q, target] = CubicSpline(self.x, np.log(value)).c
        i, left = self._place(kappa)
        cubic, square, linear, constant = self.faces[p, q, target][:, i]
        return np.exp(((cubic * left + square) * left + linear) * left + constant)

    def degrees_of_freedom(self, kappa: Any, order: int = 1) -> Any:
        """D_order(κ)."""
        return self.resolvent_sum(kappa, order, order)

    def target_sum(self, kappa: Any, order: int = 1) -> Any:
        """h_order(κ)."""
        return self.resolvent_sum(kappa, 1, order, True)


@checked
def optimal_ridge(
    spectrum: Spectrum, features: Any, samples: Any, *, noise: Any = 0, feature_variance: Any = 1,
    digits: int | None = None,
) -> StaticLoss:  # fmt: skip
    """The ridge γ* ≥ 0 that minimises the excess loss, and the loss there.

    Arguments as in `static_loss`; features and samples must be finite (γ* grows with NT).
    In float64 all arguments broadcast.

    Raises `InputError` for arguments that are not allowed, infinite sizes among them,
    `PrecisionError` if the digits are not reached. Source: arXiv:2405.19398; solvable-model talk.

    >>> from solvable.analytic.spectrum import Flat
    >>> best = optimal_ridge(Flat(50), 10**7, 40, noise=2)
    >>> float(round(best.ridge / 10**7, 4))  # γ*/N → σ_ε²/σ_w² for white data, N → ∞
    2.0
    """
    spectrum = as_spectrum(spectrum, numbers=True)
    for name, value in (("features", features), ("samples", samples)):
        arguments.positive(name, value)
    arguments.nonnegative("noise", noise)
    arguments.positive("feature_variance", feature_variance)
    if digits is None and is_mp(features, samples, noise, feature_variance):
        digits = mpmath.mp.dps
    if digits is not None:
        return _optimal_mp(spectrum, features, samples, noise, feature_variance, digits)
    given = [np.asarray(x, dtype=float) for x in (features, samples, noise, feature_variance)]
    shape = arguments.together(3, **dict(zip(NUMBERS, given)))
    flat = [np.broadcast_to(x, shape).ravel() for x in given]
    parts = ([x[i : i + PART] for x in flat] for i in range(0, flat[0].size, PART))
    found = zip(*(_optimal_floats(spectrum, *part) for part in parts))
    kappa_, excess, train, ridge, residual = (
        np.concatenate(columns).reshape(shape)[()] for columns in found
    )
    return StaticLoss(kappa_, excess, train, ridge, residual)


def _optimal_floats(
    spectrum: Spectrum, n: np.ndarray, t: np.ndarray, s2: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, ...]:
    """κ, both losses, the ridge and the residual of equation (1), for rows of numbers."""
    k, interior = _optimal_kappa(spectrum, n, t, s2)
    d1, r3, r1 = brackets(spectrum, np.where(interior, k, 1.0), n, t)
    solution = ResolventSolution(k, r3, r1, 0.0, d1)
    z = np.where(interior, k * r3 * r1, 0.0)
    found = [k, *loss_at(spectrum, n, t, solution, s2), np.maximum(z, 0) * v * n * t]
    found.append(np.zeros(len(k)))  # the ridge is made from κ: equation (1) holds as it stands
    place = np.flatnonzero(~interior | (np.minimum(n, t) >= spectrum.size))
    if len(place):  # all modes learned, a loss without ridge may be as low to rounding
        rest = static_loss(spectrum, n[place], t[place], noise=s2[place])
        lower = ~interior[place] | (rest.excess_loss <= found[1][place])
        values = (rest.kappa, rest.excess_loss, rest.train_loss, 0.0, rest.residual)
        for array, value in zip(found, values):
            array[place] = np.where(lower, value, array[place])
    return tuple(found)


def _optimal_kappa(
    spectrum: Spectrum, n: np.ndarray, t: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """κ* and whether it is above κ₀: found on a table of the sums, then closed in on."""
    start, top = _ends(spectrum, n, t, noise)
    table = _Table(spectrum, float(start.min()) - NODE, float(top.max()) + NODE)
    bracket = _bracket(table, n, t, noise, start, top)
    interior = _interior(spectrum, n, t, noise, bracket, start)
    x = np.array(bracket.low)
    place = np.flatnonzero(interior)
    if not len(place):
        return np.exp(x), interior
    low, high = bracket.low[place], bracket.high[place]

    def slope(x: np.ndarray, i: np.ndarray, sums: Any = spectrum) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # at κ = 0 it is 0/0
            return _slope(sums, n[i], t[i], np.exp(x), noise[i])

    near, rate = _newton(lambda x: slope(x, place, table), low, bracket.middle[place], high)
    best, moved = near, np.full(len(place), np.inf)
    for _ in range(STEPS):
        change = slope(best, place) / rate
        best, moved = best - change, np.abs(change)
        if np.all(moved < SETTLED):
            break
    lost = ~((moved < SETTLED) & (best > low) & (best < high))
    if lost.any():
        best[lost] = crossing(slope, low[lost], high[lost], place[lost])
    x[place] = best
    return np.exp(x), interior


def _newton(
    slope: Any, low: np.ndarray, middle: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where a slope crosses zero between two ends, and how fast it does; not always found."""
    x = middle
    for _ in range(NEWTON):
        step = np.maximum(1e-5, 1e-3 * np.minimum(high - x, x - low))
        down, up = slope(x - step), slope(x + step)
        rate = (up - down) / (2 * step)
        x = np.clip(x - (up + down) / 2 / rate, (low + x) / 2, (high + x) / 2)
    return x, rate


def _interior(
    spectrum: Spectrum, n: np.ndarray, t: np.ndarray, noise: np.ndarray, bracket: Bracket,
    start: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Whether the loss falls from κ₀ on, so that a ridge is worth having."""
    at_start = bracket.low <= start + 1e-12
    rising = np.zeros(len(n), dtype=bool)
    place = np.flatnonzero(at_start)
    if len(place):
        k = np.exp(bracket.low[place])
        with np.errstate(all="ignore"):  # at κ = 0 it is 0/0
            rising[place] = ~(_slope(spectrum, n[place], t[place], k, noise[place]) < 0)
    silent = noise + float(spectrum.irreducible) == 0
    lossless = silent & (np.minimum(n, t) >= spectrum.size)  # without ridge nothing is lost
    return ~(rising | lossless)


def _optimal_mp(
    spectrum: Spectrum, features: Any, samples: Any, noise: Any, variance: Any, digits: int
) -> StaticLoss:
    digits = arguments.count("digits", digits)
    with precision.workdps(digits + 2 * GUARD_DIGITS):
        given = (features, samples, noise, variance)
        n, t, s2, v = map(arguments.exactly, NUMBERS, given)
        first, second, third = (
            np.array([arguments.number(name, arguments.floating(name, x))], float)
            for name, x in zip(NUMBERS, (n, t, s2))
        )
        sizes = (first, second, third)
        start, top = _ends(spectrum, *sizes)
        bracket = _bracket(spectrum, *sizes, start, top)
        interior = _interior(spectrum, *sizes, bracket, start)
        ridge = mpmath.mpf(0)
        if interior[0]:
            ends = (mpmath.mpf(float(x[0])) for x in (bracket.low, bracket.high))
            x = crossing(lambda x: _slope(spectrum, n, t, mpmath.exp(x), s2), *ends)
            k = mpmath.exp(x)
            d1 = spectrum.degrees_of_freedom(k)
            ridge = v * n * t * k * (1 - d1 / n) * (1 - d1 / t)
    return static_loss(
        spectrum, features, samples, ridge=ridge, noise=noise, feature_variance=variance,
        digits=digits,
    )  # fmt: skip


# ---- the scaling regime ---------------------------------------------------------------


degrees = sp.Symbol("D_1", positive=True)  #: D₁ in the scaling regime, where it is free


@cache
def scaling_loss() -> sp.Expr:
    """(3) in the scaling regime, up to a constant: D₁^{-α} NT/[…], with D₁ a symbol.

    κ ∝ D₁^{-(1+α)} and D₂ = αD₁/(1+α) are put into equation (3).
    """
    loss = isotropic_loss_formula(kappa) / kappa / sigma_w**2
    loss = loss.subs(DegreesOfFreedom(2, kappa), alpha * degrees / (1 + alpha))
    return sp.simplify(degrees ** -(1 + alpha) * loss.subs(DegreesOfFreedom(1, kappa), degrees))


@cache
def scaling_optimum() -> sp.Expr:
    """D₁* of equation (5), by setting the derivative of `scaling_loss` to zero.

    >>> sp.simplify(scaling_optimum().subs(alpha, 1))
    N*T/(N + T)
    """
    bracket = sp.Poly(sp.simplify(degrees**-alpha / scaling_loss()), degrees)
    # −D₁ L'/L times the bracket
    condition = alpha * bracket + sp.Poly(degrees, degrees) * bracket.diff(degrees)
    c2, c1, c0 = condition.all_coeffs()
    # normalised to c₁ = −α(N+T); the root below min(N, T), which is no 0/0 where c₂ = 0
    linear = alpha * (N + T)
    c2, c0 = (sp.factor(-linear * c / c1) for c in (c2, c0))
    return 2 * c0 / (linear + sp.sqrt(linear**2 - 4 * c2 * c0))


@cache
def law_ratio() -> sp.Expr:
    """L*(N, T)/[k (1/N + 1/T)^α]: the optimal loss against the phenomenological law.

    k is the prefactor of the plateau of a ridgeless model, L → k N^{-α} as T → ∞, so the
    ratio is the exact answer to how well the law holds with the constants of the model.

    >>> sp.simplify(law_ratio().subs(alpha, 1))
    1
    """
    optimum = scaling_loss().subs(degrees, scaling_optimum())
    plateau = sp.limit(scaling_loss().subs(degrees, N), T, sp.oo) * N**alpha
    return optimum / plateau / (1 / N + 1 / T) ** alpha
