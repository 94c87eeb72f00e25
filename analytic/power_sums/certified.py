r"""Power sums in ball arithmetic: a value and a proved bound on its error.

Let f(J) = J^{-s}(1+κJ^b)^{-q}. With N direct terms and n = 2K even, Euler–Maclaurin is

    Σ_{J=1}^{M} f = Σ_{J<N} f + ∫_N^M f dJ + (f(N)+f(M))/2
                    + Σ_{k=1}^{K} B_{2k}/(2k)! (f^{(2k−1)}(M) − f^{(2k−1)}(N)) + R,
    |R| ≤ |B_n|/n! ∫_N^∞ |f^{(n)}(x)| dx,        |B_n|/n! = 2ζ(n)/(2π)^n,

(the terms at M are absent for M = ∞). Rounding is tracked by python-flint's balls, so only
R needs a proof.

**Bound of R.** Let 0 < θ < 1 and x ≥ u. On the circle |z − x| = θx: |z| lies in
[(1−θ)x, (1+θ)x] and |arg z| ≤ asin θ. Suppose that for ζ = κz^b, z on or in these circles,

    |1+ζ| ≥ σ    or    |1+ζ| ≥ σ|ζ|        (σ > 0).

Then f is analytic there and |ζ| ≥ |κ|(1−θ)^b x^b, so that by Cauchy's estimate, with
A = max((1−θ)^{-s}, (1+θ)^{-s}),

    |f^{(n)}(x)| ≤ n! (θx)^{-n} A σ^{-q} x^{-s}  [× (|κ|(1−θ)^b x^b)^{-q} in the second case],

and the part of R from x ≥ u is at most, whenever e = s+n−1 (second case: s+bq+n−1) is > 0,

    2ζ(n) n!/(2πθ)^n A σ^{-q} u^{1−s−n}/e  [× (|κ|(1−θ)^b u^b)^{-q}].                  (1)

Where this is used: (a) near the origin, up to |κ|((1+θ)x)^b = ¼, and (b) far out, from
|κ|((1−θ)x)^b = 4, with σ = ¾ and θ = ¾, since |ζ| ≤ ¼ or |ζ| ≥ 4; (c) in between, where the
poles J = (−1/κ)^{1/b} at the angle (π−φ)/b, φ = |arg κ|, limit θ: with Φ = φ + b asin θ < π
all ζ have |arg ζ| ≤ Φ, and then |1+ζ| ≥ σ max(1, |ζ|) with σ = 1 if Φ ≤ π/2 (for then
|1+ζ|² ≥ 1+|ζ|²) and σ = sin Φ otherwise (the distance of −1 from the ray through ζ, and of −1
from the ray through 1/ζ). N is raised until (1), summed over the zones from N on, is small:
to about digits/2, and beyond the poles where these lie within that distance of the real axis.

**Integral.** With y = κJ^b and c = (1−s)/b, one of two primitives, each free of degenerate
parameters: if c > 0, from 0: J^{1−s}/(1−s) ₂F₁(q, c; c+1; −y); if q − c > 0, from ∞:
−J^{1−s−bq} κ^{-q}/(b(q−c)) ₂F₁(q, q−c; q−c+1; −1/y). The one with less cancellation is taken;
what cancellation remains is seen in the ball and answered by more bits.

Taylor coefficients come from f(N(1+u)) = f(N)(1+u)^{-s}[1 + w((1+u)^b − 1)]^{-q}, w = y/(1+y).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import flint
import mpmath
import numpy as np
from flint import acb, arb, arb_series, fmpq

from .. import arguments
from ..errors import InputError, PrecisionError
from ..precision import ball_precision
from .exponents import Exponents

LOG10_2 = math.log10(2)
MAX_ATTEMPTS = 8
GUARD_BITS = 24
WIDE = 0.75  # θ away from the poles
DIRECT = 0.3  # direct terms per bit, more for many bits: the Taylor series cost bits³
CHUNK = 1 << 11  # direct terms whose powers of J are held at once
LAST_START = 1 << 24  # largest N


def ball(x: Fraction) -> arb:
    """A rational number as a ball of the current precision."""
    return arb(fmpq(x.numerator, x.denominator))


@lru_cache(maxsize=64)
def _power_table(exponent: Fraction, precision: int) -> list[arb]:
    """Growing table of J^exponent for J = 1, 2, … at one precision."""
    return []


def _powers(exponent: Fraction, first: int, last: int) -> list[arb]:
    """J^exponent for first ≤ J ≤ last; the first few are kept for the next sum."""
    e = ball(exponent)
    if last > CHUNK:
        return [arb(j) ** e for j in range(first, last + 1)]
    table = _power_table(exponent, flint.ctx.prec)
    table.extend(arb(j) ** e for j in range(len(table) + 1, last + 1))
    return table[first - 1 : last]


@contextmanager
def _working(bits: int, length: int = 0) -> Iterator[None]:
    """Work at a precision of ``bits``, with power series of ``length`` terms.

    Flint cuts every series at its global cap (10 unless raised), however many terms are asked.
    """
    with ball_precision(bits):
        cap = flint.ctx.cap
        try:
            flint.ctx.cap = max(cap, length)
            yield
        finally:
            flint.ctx.cap = cap


@lru_cache(maxsize=64)
def _binomial_series(exponent: Fraction, order: int, precision: int) -> arb_series:
    """(1+u)^exponent up to u^order."""
    with _working(precision, order + 1):
        return arb_series([1, 1], order + 1) ** ball(exponent)


@lru_cache(maxsize=32)
def _bernoulli_weights(order: int) -> list[fmpq]:
    """B_{2k}/(2k), the weight of Taylor coefficient 2k − 1, for k = 1 … order/2."""
    return [fmpq.bernoulli(2 * k) / (2 * k) for k in range(1, order // 2 + 1)]


class Zone(NamedTuple):
    """Where |1+ζ| ≥ σ (or σ|ζ| if ``far``) on circles of radius θx about x ≥ start."""

    theta: arb
    spread: arb
    start: arb
    far: bool


def arg_of(kappa: Any) -> arb:
    """|arg κ|."""
    return arb(0) if isinstance(kappa, arb) else abs(kappa.arg())


class Summand:
    """f(J) = J^{-s}(1+κJ^b)^{-q}, evaluated in balls at the current precision."""

    def __init__(self, exps: Exponents, kappa: Any) -> None:
        self.s, self.b, self.q = exps
        self.lower, self.upper = exps.lower, exps.upper
        self.kappa = kappa
        self.is_real = isinstance(kappa, arb)
        self.is_zero = bool(kappa == 0) or self.q == 0
        self.size = abs(kappa)
        self.angle = arg_of(kappa)

    def _damped(self, one_plus_y: Any) -> Any:
        """(1+y)^{-q} as a factor."""
        if self.q.denominator == 1:
            return 1 / one_plus_y ** int(self.q)
        return one_plus_y ** ball(-self.q)

    def terms(self, start: int, stop: int) -> Any:
        """Σ f(J) over start ≤ J < stop."""
        total, kappa, q = arb(0), self.kappa, self.q
        for first in range(start, stop, CHUNK):
            last = min(first + CHUNK, stop) - 1
            weights = _powers(-self.s, first, last)
            if self.is_zero:
                total += sum(weights, arb(0))
                continue
            for weight, grown in zip(weights, _powers(self.b, first, last)):
                base = 1 + kappa * grown
                total += weight / base if q == 1 else weight * self._damped(base)
        return total

    def at(self, j: int) -> tuple[Any, Any]:
        """f(j) and w = y/(1+y) at y = κ j^b."""
        weight = arb(j) ** ball(-self.s)
        if self.is_zero:
            return weight, arb(0)
        y = self.kappa * arb(j) ** ball(self.b)
        return weight * self._damped(1 + y), 1 / (1 + 1 / y)

    def boundary(self, j: int, order: int) -> tuple[Any, Any]:
        """f(j), and Σ_k B_{2k}/(2k)! f^{(2k−1)}(j) up to 2k = order."""
        value, w = self.at(j)
        precision = flint.ctx.prec
        grown = _binomial_series(self.b, order, precision)
        shape: Any = _binomial_series(-self.s, order, precision)
        if not self.is_zero:
            with _working(precision, order + 1):
                shape = shape * self._damped_series(1 + (grown - 1) * w)
        assert shape.prec == order + 1
        step, square, total = 1 / arb(j), 1 / arb(j) ** 2, arb(0)
        for k, weight in enumerate(_bernoulli_weights(order)):
            total += weight * shape[2 * k + 1] * step
            step *= square
        return value, value * total

    def _damped_series(self, base: Any) -> Any:
        """base^{-q} as a power series."""
        if self.q.denominator == 1:
            return base.inv() if self.q == 1 else base.inv() ** int(self.q)
        return base ** ball(-self.q)

    def from_zero(self, j: int) -> Any:
        """∫_0^j f, for c > 0."""
        c, q = self.lower, self.q
        y = self.kappa * arb(j) ** ball(self.b)
        series = (-y).hypgeom_2f1(ball(q), ball(c), ball(c + 1), **self._integers(c))
        return arb(j) ** ball(1 - self.s) / ball(1 - self.s) * series

    def to_infinity(self, j: int) -> Any:
        """∫_j^∞ f, for q − c > 0."""
        d, q = -self.upper, self.q
        y = self.kappa * arb(j) ** ball(self.b)
        series = (-1 / y).hypgeom_2f1(ball(q), ball(d), ball(d + 1), **self._integers(d))
        return arb(j) ** ball(1 - self.s) * self._damped_exactly(y) / ball(self.b * d) * series

    def _damped_exactly(self, y: Any) -> Any:
        return 1 / y ** int(self.q) if self.q.denominator == 1 else y ** ball(-self.q)

    def _integers(self, c: Fraction) -> dict[str, bool]:
        """Which differences of the parameters (q, c, c+1) are exact integers."""
        whole = (self.q - c).denominator == 1
        return {"ab": whole, "ac": whole, "bc": True, "abc": self.q.denominator == 1}

    def total_integral(self) -> Any:
        """∫_0^∞ f = κ^{-c} Γ(c) Γ(q−c) / (b Γ(q)), for c > 0 and q − c > 0."""
        c, d = ball(self.lower), ball(-self.upper)
        gammas = c.gamma() * d.gamma() * ball(self.q).rgamma()
        return self.kappa ** (-c) * gammas / ball(self.b)

    def integral(self, start: int, stop: int | float) -> Any:
        """∫_start^stop f dJ."""
        infinite = stop == math.inf
        if self.is_zero:
            e = 1 - self.s
            if e == 0:
                return (arb(int(stop)) / start).log()
            ends = (arb(0) if infinite else arb(int(stop)) ** ball(e)) - arb(start) ** ball(e)
            return ends / ball(e)
        y = abs(self.kappa) * arb(start) ** ball(self.b)
        if self.lower > 0 and (self.upper >= 0 or y < 1):
            end = self.total_integral() if infinite else self.from_zero(int(stop))
            return end - self.from_zero(start)
        return self.to_infinity(start) - (arb(0) if infinite else self.to_infinity(int(stop)))

    def enclose(self, size: int | float, bits: int) -> Any:
        """One evaluation, aiming at an error of 2^-bits of the partial sum."""
        start = max(8, math.ceil(DIRECT * bits * (1 + bits / 1500)))
        total, done = arb(0), 1
        while True:
            if size <= 2 * start:
                return total + self.terms(done, int(size) + 1)
            total, done = total + self.terms(done, start), start
            zones = self.zones(start)
            order = self._order(zones, bits, total)
            if order is not None:
                break
            start += start // 2
            if start > LAST_START:
                raise PrecisionError("κ lies too near the negative real axis", 0)
        bound = self.remainder(zones, order)
        value, derivatives = self.boundary(start, order)
        total += value / 2 - derivatives + self.integral(start, size)
        if size != math.inf:
            value, derivatives = self.boundary(int(size), order)
            total += value / 2 + derivatives
        return total + (arb(0, bound) if self.is_real else acb(arb(0, bound), arb(0, bound)))

    def zones(self, start: int) -> list[Zone]:
        """What bounds |1+ζ| from x = ``start`` on; the list may lack a part near the poles."""
        wide, begin = arb(WIDE), arb(start)
        if self.is_zero:
            return [Zone(wide, arb(1), begin, False)]
        b = ball(self.b)
        if self.size * ((1 - wide) * begin) ** b > 4:
            return [Zone(wide, arb(0.75), begin, True)]
        zones, border = [], (4 * self.size) ** (-1 / b) / (1 + wide)
        if border > begin:
            zones, begin = [Zone(wide, arb(0.75), begin, False)], border
        opening = (math.pi - float(self.angle.mid())) / float(self.b)
        theta = arb(math.sin(min(0.9 * opening, 1.12)))
        reach = self.angle + b * theta.asin()
        spread = arb(1) if reach < arb.pi() / 2 else reach.sin()
        if not (reach < arb.pi() and spread > 0):
            return []
        far = bool(self.size * ((1 - theta) * begin) ** b > 1)
        return [*zones, Zone(theta, spread, begin, far)]

    def bound(self, zone: Zone, n: int) -> arb | None:
        """The bound (1); None where it does not apply."""
        theta, spread, begin, far = zone
        e = self.s + n - 1 + (self.b * self.q if far else 0)
        if e <= 0:
            return None
        result = 2 * arb(n).zeta() * arb(n).fac() / (2 * arb.pi() * theta) ** n
        result *= ((1 - theta) ** ball(-self.s)).max((1 + theta) ** ball(-self.s))
        result *= spread ** ball(-self.q) * begin ** ball(1 - self.s - n) / ball(e)
        if far:
            result *= (self.size * ((1 - theta) * begin) ** ball(self.b)) ** ball(-self.q)
        return result.abs_upper() if result.is_finite() else None

    def remainder(self, zones: list[Zone], n: int) -> arb | None:
        """A bound of |R| at order n; None if there is none."""
        total = arb(0) if zones else None
        for zone in zones:
            part = self.bound(zone, n)
            total = None if part is None or total is None else total + part
        return None if total is None else total.abs_upper()

    def _order(self, zones: list[Zone], bits: int, total: Any) -> int | None:
        """The lowest even order whose remainder is below 2^-bits of ``total``.

        Found with the logarithm of (1) in float64, then confirmed with (1) itself.
        """
        with ball_precision(64):
            target = abs(total) * arb(2) ** (-bits)
            wanted = float(target.log()) - 0.1
            logarithms = [self._log_bound(zone) for zone in zones]
            for n in range(4, 12 + 2 * bits, 2):
                if all(constant + math.lgamma(n + 1) - n * rate - math.log(max(n + e, 0.1)) < wanted
                       for constant, rate, e in logarithms):  # fmt: skip
                    bound = self.remainder(zones, n)
                    if bound is not None and bound < target:
                        return n
        return None

    def _log_bound(self, zone: Zone) -> tuple[float, float, float]:
        """(g, r, e) such that (1) is exp(g + ln n! − r n)/(n + e)."""
        s, b, q = float(self.s), float(self.b), float(self.q)
        theta, log_begin = float(zone.theta), float(zone.start.log())
        constant = math.log(2.2) + max(-s * math.log1p(-theta), -s * math.log1p(theta))
        constant += -q * math.log(float(zone.spread)) + (1 - s) * log_begin
        if zone.far:
            constant -= q * (float(self.size.log()) + b * (math.log1p(-theta) + log_begin))
        return constant, math.log(2 * math.pi * theta) + log_begin, s - 1 + (b * q) * zone.far


def enclose(exps: Exponents, kappa: Any, size: int | float, bits: int) -> Any:
    """A ball that holds P(s, b, q; κ, M), with at least ``bits`` certain bits.

    ``kappa`` is an `arb` ≥ 0, or an `acb` off the negative real axis.
    """
    lost = best = 0
    for _ in range(MAX_ATTEMPTS):
        with ball_precision(bits + bits // 64 + GUARD_BITS + 2 * lost):
            result = Summand(exps, kappa).enclose(size, bits + 6 + lost)
        reached = result.rel_accuracy_bits()
        if reached >= bits:
            return result
        best = max(best, reached)
        lost += max(16, min(bits - reached, bits + 64))
    raise PrecisionError(
        f"power sum: {bits} bits asked for, {best} certain", max(0, int(best * LOG10_2))
    )


def to_ball(kappa: Any) -> Any:
    """κ as an `arb` ≥ 0 or an `acb` off the negative real axis, exactly."""
    allowed = "a finite number ≥ 0, or a complex one off the negative real axis"
    if isinstance(kappa, np.generic) or (isinstance(kappa, np.ndarray) and kappa.size == 1):
        kappa = kappa.item()
    kappa = arguments.one("kappa", kappa, allowed)
    if isinstance(kappa, complex | mpmath.mpc):
        result: Any = acb(arb(kappa.real), arb(kappa.imag))
    elif isinstance(kappa, Fraction):
        result = ball(kappa)
    else:
        try:
            result = kappa if isinstance(kappa, acb | arb) else arb(kappa)
        except (TypeError, ValueError):
            raise InputError("kappa", kappa, allowed) from None
    if isinstance(result, acb) and result.imag == 0:
        result = result.real  # the sum is real there
    real, imag = (result.real, result.imag) if isinstance(result, acb) else (result, arb(0))
    if not (real.is_finite() and imag.is_finite()) or not (real >= 0 or imag != 0):
        raise InputError("kappa", kappa, allowed)
    return result


def _from_arb(x: arb) -> mpmath.mpf:
    mantissa, exponent = x.mid().man_exp()
    return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))


def from_ball(result: Any) -> tuple[Any, mpmath.mpf]:
    """The midpoint rounded to the current mpmath precision, and a bound on its error."""
    if isinstance(result, acb):
        value: Any = mpmath.mpc(_from_arb(result.real), _from_arb(result.imag))
        radius = _from_arb(result.real.rad()) + _from_arb(result.imag.rad())
    else:
        value, radius = _from_arb(result), _from_arb(result.rad())
    return value, radius + abs(value) * mpmath.mp.eps
