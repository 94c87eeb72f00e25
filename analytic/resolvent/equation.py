r"""The resolvent of random features: one scalar κ(z), and the equation that it solves.

    z = κ (1 − D₁(κ)/N) (1 − D₁(κ)/T)                                            (1)

z is the ridge γ/(σ_u² N T), or a frequency iω; N features, T samples, either possibly
infinite (its bracket is then 1). κ(z) is the solution that behaves as z for |z| → ∞. The
brackets are the response functions of the dynamical paper, R₃ = 1 − D₁/N and R₁ = 1 − D₁/T.

Close to N = M, where κ → 0 and D₁ → M, the vacancy M − D₁ = κ Σ 1/(λ+κ) takes the place of D₁ in
the brackets, which then lose no digits. Close to N = T and z = 0 both brackets of the solution are
small; they follow from their product p = R₁R₃ = z/κ and difference δ = R₃ − R₁ = D₁ (1/T − 1/N),

    R₃ = (δ + √(δ² + 4p))/2,   R₁ = p/R₃   (δ ≥ 0, and mirrored).

With E = D₁ − D₂ = κ Σ λ/(λ+κ)² one has dD₁/d ln κ = −E and dz/dκ = R₁R₃ + E (R₁/N + R₃/T). At
real z ≥ 0, κR₁R₃ rises from 0 at κ₀, D₁(κ₀) = min(N, T) (κ₀ = 0 if M ≤ min), to infinity: the root
is unique. With m = min(N, T) and ν = 1/m − 1/max(N, T), the smaller bracket R of a given product
solves R (R + νD₁) = z/κ, and equation (1) becomes

    g(ln κ) = ln(D₁/m + R) = 0,   R = 2(z/κ)/(νD₁ + √(ν²D₁² + 4z/κ)),   g' < 0,

the logarithm of a sum of near powers of κ, hence nearly straight; where more than half of the
modes are resolved, mR = (m − M) + (M − D₁) with every term on its positive side. At z = 0, R = 0
and the root is κ₀ itself: the ridgeless limit is a limit, not a small ridge.

The functions below are one definition for float64 arrays, complex arrays and mpmath numbers.

Source: dynamical paper, eqs. (10), (32), (68); mathematics in the solvable-model paper, §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ..equality import Comparable
from ..errors import InputError
from ..formula import is_mp, select
from ..notation import N, T, kappa, z
from ..spectral_functions import DegreesOfFreedom
from ..spectrum import Spectrum

DECISIVE = 1e3  # multiples of rounding error from which a sum of brackets has a known sign


def self_consistent_equation(*factors: sp.Expr) -> sp.Eq:
    """Equation (1) as a sympy object; ``factors`` are the sizes, by default N and T.

    Further Gaussian factors add one bracket each (deep linear random features).

    Raises `InputError` for factors that are 0 or no sympy expressions. Source: dynamical
    paper, eqs. (11), (31)–(33); arXiv:2405.00592 for more factors.

    >>> self_consistent_equation()
    Eq(z, kappa*(1 - D_1(kappa)/N)*(1 - D_1(kappa)/T))
    """
    for size in factors:
        if not isinstance(size, sp.Expr) or size.is_zero or size.has(sp.nan, sp.zoo):
            raise InputError("factors", size, "expressions in sympy that are not 0")
    brackets = [1 - DegreesOfFreedom(1, kappa) / size for size in factors or (N, T)]
    return sp.Eq(z, sp.Mul(kappa, *brackets), evaluate=False)


@dataclass(frozen=True, eq=False)
class ResolventSolution(Comparable):
    """κ(z) with its response functions and its residual.

    ``value`` κ; ``feature_response`` R₃ = 1 − D₁/N; ``sample_response`` R₁ = 1 − D₁/T;
    ``residual`` the relative error with which equation (1), evaluated afresh, holds;
    ``degrees`` D₁(κ).

    Arrays, or mpmath numbers, of the shape of N, T and z broadcast; κ in units of the eigenvalues.
    Made by `solve`, with its errors. Source: dynamical paper, eqs. (11), (31), (32).

    >>> from solvable.analytic.resolvent import solve
    >>> from solvable.analytic.spectrum import Flat
    >>> found = solve(Flat(10), [5, 20], 40, 0.1)
    >>> bool((found.residual < 1e-12).all()), found.degrees.round(3)
    (True, array([4.533, 8.237]))
    """

    value: Any
    feature_response: Any
    sample_response: Any
    residual: Any
    degrees: Any


def inverse_gap(n: Any, t: Any) -> Any:
    """1/N − 1/T, to all digits where N ≈ T."""
    finite = (n < inf) & (t < inf)
    x, y = select(finite, n, 1.0), select(finite, t, 1.0)
    return select(finite, (y - x) / x / y, 1 / n - 1 / t)


def vacancy(spectrum: Spectrum, k: Any, d1: Any) -> tuple[Any, Any]:
    """(M − D₁, whether more than half of the modes are resolved); then M − D₁ = κ Σ 1/(λ+κ)."""
    if spectrum.size == inf:
        return inf - 0 * d1.real, d1.real > inf
    crowded, empty = 2 * d1.real > spectrum.size, spectrum.size - d1
    if is_mp(k):
        return (k * spectrum.resolvent_sum(k, 0, 1) if crowded else empty), crowded
    if np.any(crowded):
        few = k[crowded]
        with np.errstate(invalid="ignore"):  # κ = 0, of an infinite sum
            empty[crowded] = np.where(few == 0, 0, few * spectrum.resolvent_sum(few, 0, 1))
    return empty, crowded


def brackets(spectrum: Spectrum, k: Any, n: Any, t: Any) -> tuple[Any, Any, Any]:
    """(D₁, 1 − D₁/N, 1 − D₁/T) at any κ, by way of M − D₁ where that is the smaller number."""
    d1 = spectrum.degrees_of_freedom(k)
    return (d1, *unused(spectrum.size, d1, *vacancy(spectrum, k, d1), n, t))


def unused(count: Any, d1: Any, empty: Any, crowded: Any, n: Any, t: Any) -> tuple[Any, Any]:
    """1 − D₁/N and 1 − D₁/T for M = ``count`` modes, of which M − D₁ is where it is crowded."""
    modes = count if count < inf else 0
    found = []
    for size in (n, t):
        x = select(size < inf, size, 1.0)
        closed = select(crowded, (x - modes) + select(crowded, empty, 0), x - d1) / x
        found.append(select(size < inf, closed, 1.0))
    return found[0], found[1]


def responses(d1: Any, n: Any, t: Any, product: Any, total: Any) -> tuple[Any, Any]:
    """(R₃, R₁) of a solution from p = z/κ and δ; ``total`` is R₁ + R₃, which chooses the root.

    At N = T (δ = 0) it is the principal one, since κ/z never crosses the negative axis; there
    ``total`` is the root of a double zero and may be all rounding.
    """
    delta = d1 * inverse_gap(t, n)
    root = (delta**2 + 4 * product) ** 0.5
    rounding = mpmath.mp.eps if is_mp(product) else np.finfo(float).eps
    decisive = (delta != 0) & (abs(total) > DECISIVE * rounding)
    wrong = decisive & ((root * total.conjugate()).real < 0)
    root = select(wrong, -root, root)
    plus, minus = (root + delta) / 2, (root - delta) / 2
    first = abs(plus) >= abs(minus)
    large = select(first, plus, minus)
    small = product / select(large == 0, 1, large)
    return select(first, large, small), select(first, small, large)


def product_and_slope(r3: Any, r1: Any, spread: Any, n: Any, t: Any) -> tuple[Any, Any]:
    """p = R₁R₃ = z/κ and dz/dκ = p + E (R₁/N + R₃/T)."""
    return r1 * r3, r1 * r3 + spread * (r1 * (1 / n) + r3 * (1 / t))


def excess(spectrum: Spectrum, k: Any, smaller: Any, gap: Any, z: Any) -> tuple[Any, Any]:
    """g(ln κ) and its slope at real z ≥ 0; ``smaller`` is m, ``gap`` is ν."""
    d1 = spectrum.degrees_of_freedom(k)
    empty, crowded = vacancy(spectrum, k, d1)
    spread = k * spectrum.resolvent_sum(k, 1, 2)
    product, delta = z / k, d1 * gap
    root = (delta**2 + 4 * product) ** 0.5
    open_ = root > 0  # else z = 0 and N = T: R = 0
    safe = select(open_, root, 1.0)
    response = select(open_, 2 * product / (delta + safe), 0.0)
    change = select(open_, (response * spread * gap - product) / safe, 0.0)
    spare = select(crowded, smaller - (spectrum.size if spectrum.size < inf else 0), 0.0)
    left = smaller * response + select(crowded, select(spare < 0, -spare, 0.0), d1)
    right = select(crowded, select(crowded, empty, 0.0) + select(spare > 0, spare, 0.0), smaller)
    slope = (smaller * change - select(crowded, 0.0, spread)) / left
    log = mpmath.log if is_mp(k) else np.log
    return log(left / right), slope - select(crowded, spread, 0.0) / right
