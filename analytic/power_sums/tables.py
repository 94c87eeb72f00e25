r"""The constants of the float64 power sums: all that depends on (s, b, q) and not on κ.

Boundary terms. With u = x/N and w = y/(1+y), y = κN^b,

    f(N(1+u)) = f(N) Σ_n h_n(w) u^n,    h_n(w) = Σ_j C(−q, j) w^j [u^n] (1+u)^{-s} ((1+u)^b − 1)^j,

so the Euler–Maclaurin correction is f(N) Σ_k (B_{2k}/2k) h_{2k−1}(w) N^{1−2k}: one
polynomial in w and 1/N.

Integral. ∫ J^{-s}(1+κJ^b)^{-q} dJ = κ^{-c}/b · K(y), K(y) = ∫_1^y t^{c−1}(1+t)^{-q} dt, and

    K = K_0 + Σ_k C(−q, k) [y^{c+k}]/(c+k)       for |y| < ¼,
    K = K_∞ + Σ_k C(−q, k) [y^{c−q−k}]/(c−q−k)   for |y| > 4,

where [y^e]/e stands for (y^e − 1)/e if |e| < ½ (a logarithm at e = 0): no degenerate case
is left, and no cancellation. In between K is a Gauss–Legendre sum.
"""

from __future__ import annotations

from functools import lru_cache

import flint
import numpy as np
from flint import acb, arb, fmpq

from .certified import ball
from .exponents import Exponents

ORDER = 12  # Euler–Maclaurin terms
NEAR = 0.25  # series in y below, series in 1/y above 1/NEAR
DEGENERATE = 0.5  # |e| below this: [y^e]/e is regularised
SERIES = 64  # terms of the series kept at most
PRECISION = 160  # bits for the constants


def split(x: Exponents | object) -> tuple[float, float]:
    """An exact number as a float and the float of what is left."""
    high = float(x)  # type: ignore[arg-type]
    return high, float(x - type(x)(high))  # type: ignore[operator,call-arg]


class Tables:
    """Constants for one triple (s, b, q); see the module."""

    def __init__(self, exps: Exponents) -> None:
        self.exps = exps
        self.s, self.b, self.q = map(float, exps)
        self.c = float(exps.lower)
        self.whole_q = int(exps.q) if exps.q.denominator == 1 else None
        growth = max(abs(self.s), abs(self.s + self.b * self.q))
        self.first = int(16 + 2 * growth)
        with flint.ctx.workprec(PRECISION):
            binomials = self._binomials()
            self.boundary = self._boundary()
            self.low, self.low_degenerate, shift = self._series(binomials, exps.lower, 1)
            self.k_zero = float(self._k_at(NEAR) - shift)
            self.high, self.high_degenerate, shift = self._series(binomials, exps.upper, -1)
            self.k_infinity = float(self._k_at(1 / NEAR) - shift)

    def _binomials(self) -> list[arb]:
        """C(−q, k), k = 0, 1, …"""
        out, q = [arb(1)], ball(self.exps.q)
        for k in range(SERIES):
            out.append(out[-1] * (-q - k) / (k + 1))
        return out

    def _boundary(self) -> np.ndarray:
        """Matrix over (k, j): coefficient of N^{1−2k} w^j, k = 1 … ORDER."""
        top = 2 * ORDER
        with flint.ctx.workprec(2 * PRECISION):
            grown = flint.arb_series([1, 1], top) ** ball(self.exps.b) - 1
            shape = flint.arb_series([1, 1], top) ** ball(-self.exps.s)
            out, q = np.zeros((ORDER, top)), ball(self.exps.q)
            binomial = arb(1)
            for j in range(top):
                for k in range(1, ORDER + 1):
                    weight = fmpq.bernoulli(2 * k) / (2 * k)
                    out[k - 1, j] = float((weight * binomial * shape[2 * k - 1]).mid())
                shape = shape * grown
                binomial *= (-q - j) / (j + 1)
        return out

    def _series(self, binomials: list[arb], c: object, sign: int) -> tuple:
        """Coefficients C(−q,k)/(c ± k), the regularised terms, and the value at the border."""
        border, shift = arb(NEAR) ** sign, arb(0)
        regular, degenerate = [], []
        for k, binomial in enumerate(binomials):
            exact = c + sign * k  # type: ignore[operator]
            e = ball(exact)
            if abs(exact) < DEGENERATE:
                degenerate.append((k, exact, float(binomial)))
                regular.append(0.0)
                shift += binomial * (border.log() if exact == 0 else (border**e - 1) / e)
            else:
                regular.append(float((binomial / e).mid()))
                shift += binomial * border**e / e
        return np.array(regular), degenerate, shift

    def _k_at(self, y: float) -> arb:
        """K(y) at real y > 0."""
        c, q = acb(ball(self.exps.lower)), acb(ball(self.exps.q))

        def integrand(t: acb, _: bool) -> acb:
            return (c * t).exp() / (1 + t.exp()) ** q

        return acb.integral(integrand, acb(0), acb(arb(y).log())).real

    def series_length(self, y: float) -> int:
        """Terms of the series in y needed at |y| ≤ ``y`` ≤ ¼."""
        k = np.arange(SERIES)
        growth = np.cumprod(np.maximum(1.0, (self.q + k) / (k + 1)))
        with np.errstate(under="ignore"):
            small = growth * y**k < 1e-18
        return int(np.argmax(small)) + 1 if small.any() else SERIES


@lru_cache(maxsize=128)
def tables(exps: Exponents) -> Tables:
    """The constants of (s, b, q), made once."""
    return Tables(exps)
