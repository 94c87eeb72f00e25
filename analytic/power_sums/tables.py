r"""The constants of the float64 power sums: all that depends on (s, b, q) and not on κ.

Boundary terms. With u = x/N, w = y/(1+y), y = κN^b and (1+u)^b = Σ c_k u^k, the Taylor
coefficients of f(N(1+u)) = f(N)(1+u)^{-s}[1 + w((1+u)^b − 1)]^{-q} = f(N) Σ h_n u^n obey

    −n h_n = (s+n−1) h_{n−1} + w Σ_{k=1}^{n} r_{nk} h_{n−k},
    r_{nk} = (n−k+qk) c_k + (n−k+s+q(k−1)) c_{k−1} [k ≥ 2],

(the logarithmic derivative, multiplied out), which is stable up to the poles. The
Euler–Maclaurin correction is f(N) Σ_k (B_{2k}/2k) h_{2k−1} N^{1−2k}.

Integral. ∫ J^{-s}(1+κJ^b)^{-q} dJ = κ^{-c}/b ∫ t^{c−1}(1+t)^{-q} dt at t = y, with

    ∫^y = Σ_k C(−q, k) [y^{c+k}]/(c+k)        for |y| < ¼,
    ∫^y = Σ_k C(−q, k) [y^{c−q−k}]/(c−q−k)    for |y| > 4,

where [y^e]/e stands for (y^e − 1)/e if |e| < ½ (a logarithm at e = 0): no case is degenerate
and nothing cancels. In between the integral is a Gauss–Legendre sum. Kept here: the
coefficients, the values ``below`` and ``above`` of the two series at y = ¼ and y = 4, and
``whole``, which joins them: ∫_{y'}^{y} = series at y − series at y' + whole for y' < ¼, y > 4.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from flint import acb, arb, fmpq

from .. import precision
from .certified import ball
from .exponents import Exponents

ORDER = 12  # Euler–Maclaurin terms
NEAR = 0.25  # series in y below, series in 1/y above 1/NEAR
DEGENERATE = 0.5  # |e| below this: [y^e]/e is regularised
SERIES = 64  # terms of the series kept at most
MAX_KEPT = 256  # direct terms whose powers of J are kept
PRECISION = 160  # bits for the constants


class Power(NamedTuple):
    """An exact exponent as a float and the float of what is left."""

    high: float
    rest: float

    def __call__(self, x: Any) -> Any:
        """x^exponent for x ≥ 0, correct even where rounding the exponent would show."""
        out = np.power(x, self.high)
        if self.rest:
            correction = 1 + self.rest * np.log(x)
            out = out * np.where(np.isfinite(correction), correction, 1.0)
        return out


def split(exponent: Fraction) -> Power:
    """The function x ↦ x^exponent in float64."""
    high = float(exponent)
    return Power(high, float(exponent - Fraction(high)))


class Degenerate(NamedTuple):
    """One regularised term: C(−q,k), e, and the powers J^{be} and κ^m that it contains."""

    binomial: float
    e: float
    growth: Power
    kappa: Power


class Tables:
    """Constants for one triple (s, b, q); see the module."""

    def __init__(self, exps: Exponents) -> None:
        self.exps = exps
        self.s, self.b, self.q = map(float, exps)
        self.c = float(exps.lower)
        self.whole_q = int(exps.q) if exps.q.denominator == 1 else None
        growth = max(abs(self.s), abs(self.s + self.b * self.q))
        self.first = int(16 + 2 * growth)
        self._set_powers()
        self.recurrence = self._recurrence()
        self.weights = [
            float(Fraction(int(x.p), int(x.q)))
            for x in (fmpq.bernoulli(2 * k) / (2 * k) for k in range(1, ORDER + 1))
        ]
        self._lengths = [self._series_length(2.0**-i) for i in range(64)]
        self._columns: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}
        with precision.ball_precision(PRECISION):
            binomials = self._binomials()
            self.low, self.low_degenerate, below = self._series(binomials, exps.lower, 1)
            self.high, self.high_degenerate, above = self._series(binomials, exps.upper, -1)
            self.below, self.above = float(below), float(above)
            self.whole = float(below + self._middle() - above)

    def _set_powers(self) -> None:
        s, b, q = self.exps
        self.to_b, self.to_inverse_b = split(b), split(1 / b)
        self.to_term, self.to_area = split(-s), split(1 - s)
        self.to_far_term, self.to_far_area = split(-s - b * q), split(1 - s - b * q)
        self.to_unit, self.to_minus_q, self.to_q = split(-self.exps.lower), split(-q), split(q)
        if q:
            self.to_safe_term, self.to_safe_area = split(-s / q - b), split((1 - s) / q - b)

    def columns(self, first: int, stop: int) -> tuple[np.ndarray, ...]:
        """J, J^b and J^{-s} for first ≤ J < stop as descending columns."""
        if (first, stop) in self._columns:
            return self._columns[first, stop]
        j = np.arange(first, stop, dtype=float)[::-1, None]
        out = j, self.to_b(j), self.to_term(j)
        if stop <= MAX_KEPT:
            self._columns[first, stop] = out
        return out

    def _binomials(self) -> list[arb]:
        """C(−q, k), k = 0, 1, …"""
        out, q = [arb(1)], ball(self.exps.q)
        for k in range(SERIES):
            out.append(out[-1] * (-q - k) / (k + 1))
        return out

    def _recurrence(self) -> list[np.ndarray]:
        """For each n, the row r_{n,n}, …, r_{n,1}."""
        top, (s, b, q) = 2 * ORDER, self.exps
        c = [Fraction(1)]
        for k in range(top):
            c.append(c[-1] * (b - k) / (k + 1))
        c[0] = Fraction(0)
        return [
            np.array([
                float((n - k + q * k) * c[k] + (n - k + s + q * (k - 1)) * c[k - 1])
                for k in range(n, 0, -1)
            ])
            for n in range(top)
        ]  # fmt: skip

    def _series(self, binomials: list[arb], c: Fraction, sign: int) -> tuple:
        """Coefficients C(−q,k)/(c ± k), the regularised terms, and the value at the border."""
        border, shift = arb(NEAR) ** sign, arb(0)
        regular, degenerate = [], []
        for k, binomial in enumerate(binomials):
            exact = c + sign * k
            e = ball(exact)
            if abs(exact) < DEGENERATE:
                kappa = split(Fraction(k) if sign > 0 else -self.exps.q - k)
                growth = split(self.exps.b * exact)
                degenerate.append(Degenerate(float(binomial), float(exact), growth, kappa))
                regular.append(0.0)
                shift += binomial * (border.log() if exact == 0 else (border**e - 1) / e)
            else:
                regular.append(float((binomial / e).mid()))
                shift += binomial * border**e / e
        return np.array(regular), degenerate, shift

    def _middle(self) -> arb:
        """∫ t^{c−1}(1+t)^{-q} dt from ¼ to 4."""
        c, q = acb(ball(self.exps.lower)), acb(ball(self.exps.q))

        def integrand(t: acb, _: bool) -> acb:
            return (c * t).exp() / (1 + t.exp()) ** q

        border = acb(arb(NEAR).log())
        return acb.integral(integrand, border, -border).real

    def series_length(self, y: float) -> int:
        """Terms of the series in y needed at |y| ≤ ``y`` ≤ ¼."""
        return self._lengths[min(63, int(-math.log2(max(y, 1e-300))))]

    def _series_length(self, y: float) -> int:
        k = np.arange(SERIES)
        growth = np.cumprod(np.maximum(1.0, (self.q + k) / (k + 1)))
        with np.errstate(under="ignore"):
            small = growth * y**k < 1e-18
        return int(np.argmax(small)) + 1 if small.any() else SERIES


@lru_cache(maxsize=128)
def tables(exps: Exponents) -> Tables:
    """The constants of (s, b, q), made once."""
    return Tables(exps)
