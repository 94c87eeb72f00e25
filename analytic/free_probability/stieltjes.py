r"""log x, x^a and exp x of a matrix as integrals over its resolvent.

On a spectrum that is not negative, with certified real resolvents only:

    x^a    = (sin πq/π) ∫_0^∞ t^{q−1} x^{m+1}/(x + t) dt,        a = m + q,  0 < q < 1,
    log x  = log s + ∫_0^∞ (1/(s + t) − 1/(x + t)) dt.

The substitution t = (s (1 + y)/(1 − y))^p makes the powers of t at both ends weights of Jacobi's
kind, and what is left is analytic on −1 ≤ y ≤ 1: for p = 1 if the spectrum has a gap above zero,
for p = 2, 3 … where its density grows as x^{1/p − 1} at zero. Gauss–Jacobi quadrature converges
geometrically; the number of nodes is doubled until two results agree. Its nodes stay within
s/n² … s n², so that no resolvent is needed where it is close to singular.

An entire function, exp x, is its Cauchy integral over an ellipse around the spectrum, by the
trapezoid rule, which converges geometrically too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
from scipy.special import roots_jacobi

from ..errors import OutsideTheoryError, PrecisionError

NODES = (8, 16, 32, 64, 128)
MASS = 1e-6  # of the spectrum, which a contour may miss
CIRCLE = (16, 32, 64, 128, 256, 512)
BRANCHES = (1, 2, 3, 4)  # t^{1/p} in which the resolvent may be analytic at t = 0
TOLERANCE = 1e-10
GROWTH = 3.0  # how much larger, in powers of e, exp may be on the ellipse than on the spectrum


class Integral(NamedTuple):
    """A value, and the relative difference from that with half as many nodes."""

    value: Any
    change: Any


def gauss_jacobi(count: int, alpha: Any, beta: Any, exact: bool) -> tuple[Any, Any]:
    """Nodes and weights of ∫_{−1}^1 (1−y)^α (1+y)^β f(y) dy.

    >>> nodes, weights = gauss_jacobi(4, 0.5, -0.25, False)
    >>> bool(abs(sum(weights) - sum(gauss_jacobi(4, 0.5, -0.25, True)[1])) < 1e-14)
    True
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 inside for α + β = −1
        nodes, weights = roots_jacobi(count, float(alpha), float(beta))
    if not exact:
        return nodes, weights
    total, rows = alpha + beta, _recurrence(count, alpha, beta)
    found = [_polished(rows, alpha, beta, mpmath.mpf(float(y))) for y in nodes]
    scale = (
        mpmath.gamma(alpha + count + 1) * mpmath.gamma(beta + count + 1)
        / (mpmath.gamma(total + count + 1) * mpmath.factorial(count)) * mpmath.mpf(2) ** (total + 1)
    )  # fmt: skip
    return [y for y, _ in found], [scale / ((1 - y * y) * slope**2) for y, slope in found]


def _recurrence(count: int, a: Any, b: Any) -> list[tuple[Any, Any, Any]]:
    """(A, B, C) of P_k = (A y + B) P_{k−1} − C P_{k−2}, k = 1 … count."""
    rows = [((a + b + 2) / 2, (a - b) / 2, mpmath.mpf(0))]
    for k in range(2, count + 1):
        c = 2 * k + a + b
        below = 2 * k * (k + a + b) * (c - 2)
        third = 2 * (k + a - 1) * (k + b - 1) * c
        middle = (c - 1) * (a * a - b * b)
        rows.append(((c - 1) * c * (c - 2) / below, middle / below, third / below))
    return rows


def _polished(rows: list[tuple[Any, Any, Any]], a: Any, b: Any, y: Any) -> tuple[Any, Any]:
    """A zero of the Jacobi polynomial and its slope there, by Newton's method."""
    n = len(rows)
    c = 2 * n + a + b

    def at(y: Any) -> tuple[Any, Any]:
        before, value = mpmath.mpf(0), mpmath.mpf(1)
        for first, second, third in rows:
            before, value = value, (first * y + second) * value - third * before
        slope = n * (a - b - c * y) * value + 2 * (n + a) * (n + b) * before
        return value, slope / (c * (1 - y * y))

    for _ in range(60):
        value, slope = at(y)
        step = value / slope
        y -= step
        if abs(step) < mpmath.mpf(10) ** (-mpmath.mp.dps // 2 - 2):
            break
    return y, at(y)[1]


class Rule(NamedTuple):
    """∫ t^{power−1} h(t) dt, h ~ t^{−decay} at ∞; t^{1/p−1} at 0 if ``singular``, p the branch."""

    power: Any
    decay: int
    scale: Any
    singular: bool = False

    def weights(self, branch: int) -> tuple[Any, Any]:
        """The exponents α at t = ∞ and β at t = 0 of Jacobi's weight."""
        beta = branch * self.power - 1 - (branch - 1) * self.singular
        return branch * (self.decay - self.power) - 1, beta

    def total(self, integrand: Callable[[Any], Any], branch: int, count: int, exact: bool) -> Any:
        """The sum over ``count`` nodes."""
        alpha, beta = self.weights(branch)
        nodes, weights = gauss_jacobi(count, alpha, beta, exact)
        ys = list(nodes)
        t = [(self.scale * (1 + y) / (1 - y)) ** branch for y in ys]
        values = integrand(t if exact else np.array(t))
        low, high = (branch - 1) * self.singular, branch * self.decay
        rows = zip(weights, values, ys, strict=True)
        terms = [w * v * (1 + y) ** low / (1 - y) ** high for w, v, y in rows]
        total = mpmath.fsum(terms) if exact else np.sum(terms)
        return total * 2 * branch * self.scale ** (branch * self.power)


def half_line(
    integrand: Callable[[Any], Any], rule: Rule, exact: Callable[[Any], Any] | None = None
) -> Integral:
    """The integral of a rule, with nodes that are doubled until two sums agree.

    With ``exact``, the integrand at lists of mpmath numbers, to the current precision: the branch
    and the number of nodes are those that serve in float64, in proportion to the digits.

    >>> import numpy as np
    >>> found = half_line(lambda t: 1 / (2 + t), Rule(0.5, 1, 1.0))
    >>> bool(abs(found.value - np.pi / np.sqrt(2)) < 1e-9)
    True
    """
    plain = rule._replace(power=float(rule.power), scale=float(rule.scale))
    best, branch, count = _doubled(integrand, plain)
    if best.change > 10 * TOLERANCE:
        raise PrecisionError(
            f"the integral over the resolvent changes by {float(best.change):.1e} when its nodes "
            "are doubled: the density is too singular at zero"
        )
    if exact is None:
        return best
    target = mpmath.mpf(10) ** (-mpmath.mp.dps + 2)
    count, before = count * (mpmath.mp.dps + 2) // 14 + 2, None
    for _ in range(5):
        value = rule.total(exact, branch, count, True)
        if before is not None and abs(value - before) < target * abs(value):
            return Integral(value, abs(value - before) / abs(value))
        before, count = value, count * 4 // 3 + 1
    raise PrecisionError("the integral over the resolvent converges too slowly for these digits")


def _doubled(integrand: Callable[[Any], Any], rule: Rule) -> tuple[Integral, int, int]:
    """The best sum in float64, its branch and its number of nodes."""
    best = Integral(None, float("inf")), 1, NODES[0]
    for branch in BRANCHES:
        before = None
        if min(rule.weights(branch)) <= -1:
            continue
        for count in NODES:
            value = rule.total(integrand, branch, count, False)
            if before is not None:
                change = float(abs(value - before) / max(abs(value), 1e-300))
                if change < best[0].change:
                    best = Integral(value, change), branch, count
                if change < TOLERANCE:
                    return best
                if count == NODES[2] and change > 1e-3:
                    break  # algebraic convergence: another branch
            before = value
    return best


def ellipse(
    function: Callable[[Any], Any],
    resolvent: Callable[[Any], Any],
    low: float,
    high: float,
    mass: Any,
    exact: bool,
) -> Integral:
    r"""(1/2πi) ∮ f(x) G(x) dx for G(x) = tr (x − E)^{-1} with spectrum in [low, high].

    ``resolvent`` takes a sequence of points in the upper half plane; ``mass`` is the integral
    without f, from which one that misses a part of the spectrum is known.
    """
    target = mpmath.mpf(10) ** (-mpmath.mp.dps + 2) if exact else TOLERANCE
    centre, half = (low + high) / 2, max((high - low) / 2, 1e-3 * (1 + abs(high)))
    width = 1 + min(GROWTH / half, 3.0)  # (ρ + 1/ρ)/2
    rho = width + (width * width - 1) ** 0.5
    best, before = Integral(None, float("inf")), None
    pi = mpmath.pi if exact else np.pi
    for count in CIRCLE:
        angles = [pi * (2 * k + 1) / (2 * count) for k in range(count)]
        exp = mpmath.expj if exact else lambda x: np.exp(1j * x)
        turns = [exp(angle) for angle in angles]
        points = [centre + half / 2 * (rho * e + 1 / (rho * e)) for e in turns]
        slopes = [half / 2 * (rho * e - 1 / (rho * e)) for e in turns]
        values = resolvent(points if exact else np.array(points))
        weights = [g * s for g, s in zip(values, slopes, strict=True)]
        terms = [function(x) * w for x, w in zip(points, weights, strict=True)]
        value = sum(term.real for term in terms) / count
        if before is not None:
            change = abs(value - before) / max(abs(value), 1e-300)
            if change < best.change:
                best = Integral(value, change)
            if change < target:
                break
        before = value
    missing = abs(sum(w.real for w in weights) / count - mass)
    if missing > MASS * max(map(abs, weights)):
        raise OutsideTheoryError(
            "a part of the spectrum is infinite or beyond every bound: an inverse does not exist "
            "at these numbers; add a multiple of I inside it"
        )
    if best.change > 10 * target:
        raise PrecisionError(
            f"the contour integral changes by {float(best.change):.1e} when its nodes are doubled"
        )
    return best
