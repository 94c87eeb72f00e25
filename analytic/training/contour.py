r"""Contours for functions of a matrix whose eigenvalues lie on the negative axis.

A filter p_t applied to a resolvent is a contour integral. In continuous time,

    p_t = (1/2πi) ∫ e^{st} R(s) ds,        R analytic off the negative real axis,

and in discrete time e^{st} is μⁿ, with μ = e^s. The contour is a hyperbola (Weideman and
Trefethen, Math. Comp. 76, 2007),

    s(u) = m (1 + sin(iu − α)),     −∞ < u < ∞,

and the trapezoid rule with nodes u_k = (k + ½)h, |u_k| ≤ nh. The map is conformal in the strip
−α < Im u < π/2 − α, whose upper edge is the negative axis and whose lower edge is a vertical
line, so that for t in [t₀, t₁] three errors arise,

    e^{−2π(π/2−α)/h},    e^{m t₁ − 2πα/h}    and    e^{m t₀ (1 − sin α cosh nh)},

which are equal to ε if, with ℓ = ln(1/ε),

    h = (π² − 2πα)/ℓ,    m t₁ = (4πα − π²)/h,    cosh nh = (1 + ℓ/(m t₀))/sin α.

The number of nodes n = O(ln(1/ε) ln(t₁/t₀)) does not depend on t: only the scale does. Rounding
errors grow by e^{m t₁(1 − sin α)}, which a small α keeps near 10 in float64.

Few steps of a discrete rule (n ≲ ℓ) leave no room for a hyperbola in |Im s| < π. There the
contour is the circle |μ| = ρ e^{c/n}, a vertical segment in s, on which M nodes give μⁿ with
the relative error e^{−cM/n}.

Functions that are real on the real axis need the upper half-plane only:
p_t = 2 Re Σ_k w_k e^{s_k t} R(s_k).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from ..formula import as_objects

#: opening α of the hyperbola: in float64 little rounding error, in mpmath few nodes
FLOAT_ANGLE = 0.92
MP_ANGLE = 1.05
#: c of the circle, and the fraction of ℓ that it is in mpmath
FLOAT_GROWTH = 3.5
MP_GROWTH = 0.25
WINDOW = 8.0  # largest t₁/t₀ that shares a contour


@dataclass(frozen=True)
class Contour:
    """Nodes s_k in the upper half-plane and weights w_k: ∫ f ds/(2πi) ≈ 2 Re Σ w_k f(s_k).

    Arrays of shape *(n,)*: complex128, or objects holding mpmath numbers.
    """

    nodes: np.ndarray
    weights: np.ndarray


def hyperbola(
    first: Any, last: Any, accuracy: Any, *, angle: float | None = None,
    scale: float | None = None, mp: bool = False,
) -> Contour:  # fmt: skip
    """The hyperbola for all times t in [first, last], 0 < first ≤ last, with error ``accuracy``.

    ``angle`` α and ``scale`` m are by default the best for the arithmetic; near π/2 the hyperbola
    is narrow.

    >>> contour = hyperbola(2.0, 2.0, 1e-14)
    >>> value = 2 * np.sum(contour.weights * np.exp(2 * contour.nodes) / (contour.nodes + 1)).real
    >>> bool(abs(value - np.exp(-2)) < 1e-13)
    True
    """
    ctx = mpmath.mp if mp else mpmath.fp
    angle, pi = ctx.mpf(angle or (MP_ANGLE if mp else FLOAT_ANGLE)), ctx.pi
    level = -ctx.log(accuracy)
    step = (pi**2 - 2 * pi * angle) / level
    scale = scale or (4 * pi * angle - pi**2) / (step * last)
    reach = (1 + level / (scale * first)) / ctx.sin(angle)
    reach = ctx.log(reach + ctx.sqrt(reach**2 - 1))  # arcosh
    nodes, weights = [], []
    for index in range(int(ctx.ceil(reach / step))):
        u = (index + ctx.mpf(0.5)) * step
        nodes.append(scale * (1 + ctx.sin(1j * u - angle)))
        weights.append(step * scale * ctx.cos(1j * u - angle) / (2 * pi))
    return Contour(as_array(nodes, mp), as_array(weights, mp))


def window_hyperbola(times: np.ndarray, accuracy: Any, *, mp: bool = False) -> Contour:
    """The hyperbola for the ascending ``times`` of one window.

    All windows of several times have the full width: their nodes are as many, and can be
    solved for together.
    """
    last = times[0] * WINDOW if len(times) > 1 else times[0]
    return hyperbola(times[0], last, accuracy, mp=mp)


def circle(steps: int, radius: Any, accuracy: Any, *, mp: bool = False) -> Contour:
    """The circle |μ| = radius · e^{c/steps} in s = ln μ, for up to ``steps`` steps.

    >>> contour = circle(5, 1.0, 1e-14)
    >>> value = 2 * np.sum(contour.weights / (1 - 0.5 * np.exp(-contour.nodes))
    ...                    * np.exp(5 * contour.nodes)).real
    >>> bool(abs(value - 0.5**5) < 1e-13)
    True
    """
    ctx = mpmath.mp if mp else mpmath.fp
    level = -ctx.log(accuracy)
    growth = MP_GROWTH * level if mp else FLOAT_GROWTH
    half = math.ceil(level * max(steps, 1) / (2 * growth)) + 1
    height = ctx.log(radius) + growth / max(steps, 1)
    nodes = [ctx.mpc(height, ctx.pi * (k + ctx.mpf(0.5)) / half) for k in range(half)]
    return Contour(as_array(nodes, mp), as_array([1 / ctx.mpc(2 * half)] * half, mp))


def windows(times: np.ndarray, ratio: float = WINDOW) -> list[np.ndarray]:
    """Indices of positive times in groups with largest/smallest ≤ ``ratio``, ascending.

    >>> windows(np.array([1.0, 100.0, 5.0]))
    [array([0, 2]), array([1])]
    """
    order = np.argsort(np.array([float(t) for t in times]), kind="stable")
    groups: list[list[int]] = []
    for index in order:
        if groups and times[index] <= ratio * times[groups[-1][0]]:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    return [np.array(group) for group in groups]


def as_array(values: list[Any], mp: bool) -> np.ndarray:
    """A one-dimensional array of complex128, or of mpmath numbers as objects."""
    return as_objects(values) if mp else np.array(values, dtype=complex)


def exponential(x: np.ndarray) -> np.ndarray:
    """e^x of a complex128 array or of an object array of mpmath numbers."""
    return _elementwise(np.exp, mpmath.exp, x)


def exponential_less_one(x: np.ndarray) -> np.ndarray:
    """e^x − 1 without loss of digits at small x; complex128 or mpmath objects."""
    return _elementwise(np.expm1, mpmath.expm1, x)


def _elementwise(fast: Any, exact: Any, x: np.ndarray) -> np.ndarray:
    if x.dtype != object:
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging rule may overflow
            return fast(x)
    return np.frompyfunc(exact, 1, 1)(x)


def real(x: np.ndarray) -> np.ndarray:
    """Real parts, of complex128 or of mpmath objects."""
    return np.real(x) if x.dtype != object else np.frompyfunc(mpmath.re, 1, 1)(x)
