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

from fractions import Fraction
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


class Tables:
    """Constants for one triple (s, b, q); see the module."""

    def __init__(self, exps: Exponents) -> None:
        self.exps = exps
        self.s, self.b, self.q = map(float, exps)
        self.c = float(exps.lower)
        self.whole_q = int(exps.q) if exps.q.denominator == 1 else None
        growth = max(abs(self.s), abs(self.s + self.b * self.q))
        self.first = int(16 + 2 * growth)
        self.recurrence = self._recurrence()
        self.weights = [
            float(Fraction(int(x.p), int(x.q)))
            for x in (fmpq.bernoulli(2 * k) / (2 * k) for k in range(1, ORDER + 1))
        ]
        with flint.ctx.workprec(PRECISION):
            binomials = self._binomials()
            self.low, self.low_degenerate, below = self._series(binomials, exps.lower, 1)
            self.high, self.high_degenerate, above = self._series(binomials, exps.upper, -1)
            self.below, self.above = float(below), float(above)
            self.whole = float(below + self._middle() - above)

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
                degenerate.append((k, exact, float(binomial)))
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
        k = np.arange(SERIES)
        growth = np.cumprod(np.maximum(1.0, (self.q + k) / (k + 1)))
        with np.errstate(under="ignore"):
            small = growth * y**k < 1e-18
        return int(np.argmax(small)) + 1 if small.any() else SERIES


@lru_cache(maxsize=128)
def tables(exps: Exponents) -> Tables:
    """The constants of (s, b, q), made once."""
    return Tables(exps)
