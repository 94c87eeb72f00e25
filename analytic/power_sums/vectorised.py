r"""Power sums in float64 and complex128, vectorised over κ and M, at a cost free of M.

    Σ_{J=1}^{M} f = Σ_{J<N} f + ∫_N^M f dJ + (f(N)+f(M))/2 + Euler–Maclaurin terms,

with f(J) = J^{-s}/(1+κJ^b)^q, twelve terms at each end and the integral from the primitive K
of `tables`. N is 16 or a little more, unless a pole J_p = |κ|^{-1/b} e^{iθ},
θ = (π−|arg κ|)/b, lies so near the real axis that Euler–Maclaurin would miss its
contribution e^{-2π Im J_p}: then N is doubled until it has passed the pole. The cost thus
grows as 1/(π−|arg κ|) near the negative axis and is constant elsewhere.

Magnitude and phase of y = κJ^b are kept apart, so that κ = 10^±300 and M = 10^300 neither
overflow nor lose digits to a large logarithm.

The error estimate is rounding (a few ulp of the sum of the magnitudes of all pieces) plus
the first Euler–Maclaurin term left out.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import flint
import numpy as np

from .. import arguments, precision
from ..errors import InputError, PrecisionError
from .exponents import Exponents
from .tables import NEAR, ORDER, Degenerate, Power, tables

CLEARANCE = 8.0  # smallest distance to a pole, in units of the lattice of J
BLOCK = 8192  # values of κ handled at once
CELLS = 1 << 15  # (J, κ) pairs of the direct sum handled at once
LAST_START = 1 << 22  # largest N
EPSILON = float(np.finfo(float).eps)
ROUNDING = 8 * EPSILON  # bound of the rounding, relative to the magnitudes of all pieces
LOG_NEAR = math.log(NEAR)
LARGE = 1e60  # |y| from which f is written in 1/y, since y^q may overflow
NEGLIGIBLE = EPSILON / 64  # two Euler–Maclaurin terms below this end the series
TINY = float(np.finfo(float).tiny)  # below it float64 has fewer digits


@lru_cache(maxsize=4)
def _nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on (0, 1), correctly rounded (numpy's are not)."""
    with precision.ball_precision(100):
        pairs = [flint.arb.legendre_p_root(count, k, weight=True) for k in range(count)]
        x, w = zip(*((float((1 - x) / 2), float(w / 2)) for x, w in pairs))
    return np.array(x), np.array(w)


class Kappa(NamedTuple):
    """κ as magnitude and phase; ``value`` is κ itself, ``angle`` None when κ is real."""

    value: np.ndarray
    magnitude: np.ndarray
    angle: np.ndarray | None

    def at(self, index: Any) -> Kappa:
        """The entries of a mask or an index."""
        angle = None if self.angle is None else self.angle[index]
        return Kappa(self.value[index], self.magnitude[index], angle)

    def phase(self, power: float) -> Any:
        """e^{i·power·arg κ}."""
        return 1.0 if self.angle is None else np.exp(1j * power * self.angle)


def polar(kappa: np.ndarray) -> Kappa:
    """Split κ into magnitude and phase."""
    if np.iscomplexobj(kappa):
        return Kappa(kappa, np.abs(kappa), np.angle(kappa))
    return Kappa(kappa, kappa, None)


class End(NamedTuple):
    """One end of the integral: J, |y| = |κ|J^b, and y (cut off at 10^300)."""

    j: Any
    size: np.ndarray
    y: np.ndarray

    def at(self, index: Any) -> End:
        """The entries of a mask."""
        j = self.j[index] if isinstance(self.j, np.ndarray) else self.j
        return End(j, self.size[index], self.y[index])

    def inverse(self, kappa: Kappa) -> Any:
        """1/y."""
        return kappa.phase(-1) / self.size


class Evaluator:
    """All sums with one (s, b, q); `evaluate` takes flat arrays κ and M."""

    def __init__(self, exps: Exponents) -> None:
        self.t = tables(exps)
        self.s, self.b, self.q, self.c = self.t.s, self.t.b, self.t.q, self.t.c

    def end(self, j: Any, kappa: Kappa) -> End:
        """Describe the summand's argument at J = ``j``."""
        size = kappa.magnitude * self.t.to_b(j)
        lost = ~np.isfinite(size)  # J^b overflowed, or 0·∞ at κ = 0
        if lost.any():
            root = self.t.to_inverse_b(kappa.magnitude)
            size = np.where(lost, self.t.to_b(np.where(root > 0, root * j, 0.0)), size)
        return End(j, size, np.minimum(size, 1e300) * kappa.phase(1))

    def damped(self, base: Any) -> Any:
        """base^{-q}; inverted first, so that a complex result underflows to 0 and not to NaN."""
        if self.t.whole_q is None:
            if not np.iscomplexobj(base):
                return base**-self.q
            return np.abs(base) ** -self.q * np.exp(-1j * self.q * np.angle(base))
        inverse = 1 / base
        if self.t.whole_q == 1:
            return inverse
        return inverse * inverse if self.t.whole_q == 2 else inverse**self.t.whole_q

    def summand(self, end: End, kappa: Kappa) -> Any:
        """f at an end, with neither overflow nor underflow on the way."""
        inner = end.size < LARGE
        near = self.t.to_term(end.j) * self.damped(1 + end.y)
        if inner.all():
            return near
        far = self.far_scale(end.j, kappa, self.t.to_far_term, "term")
        return np.where(inner, near, far * self.damped(1 + end.inverse(kappa)))

    def far_scale(self, j: Any, kappa: Kappa, grown: Power, which: str) -> Any:
        """J^{e−bq} κ^{-q} for e = −s (``which`` = term) or 1 − s (area)."""
        plain = grown(j) * self.t.to_minus_q(kappa.magnitude)
        lost = ~np.isfinite(plain) | (plain == 0)
        if lost.any() and self.q:
            safe = self.t.to_safe_term if which == "term" else self.t.to_safe_area
            plain = np.where(lost, self.t.to_q(safe(j) / kappa.magnitude), plain)
        return plain * kappa.phase(-self.q)

    def boundary(self, end: End, kappa: Kappa) -> tuple[Any, Any, Any]:
        """f, its Euler–Maclaurin correction, and the size of the correction's last term."""
        value, w = self.summand(end, kappa), end.y / (1 + end.y)
        h = np.empty((2 * ORDER, *w.shape), dtype=w.dtype)
        h[0], step, square = 1.0, 1.0 / end.j, 1.0 / np.square(end.j)
        total, previous = np.zeros_like(w), math.inf
        for n in range(1, 2 * ORDER):
            h[n] = ((self.s + n - 1) * h[n - 1] + w * (self.t.recurrence[n] @ h[:n])) / -n
            if n % 2:
                last = self.t.weights[n // 2] * h[n] * step
                total += last
                step, largest = step * square, float(np.abs(last).max())
                if max(largest, previous) < NEGLIGIBLE:
                    break
                previous = largest
        return value, value * total, value * last

    def direct(self, kappa: Kappa, first: int, last: int, size: np.ndarray | None) -> Any:
        """Σ f(J) over first ≤ J ≤ last, and J ≤ size where it is given; smallest terms first."""
        total: Any = np.zeros(kappa.value.shape, dtype=np.result_type(kappa.value, float))
        mass = np.zeros(kappa.value.shape)
        step = max(1, CELLS // max(1, len(kappa.value)))
        for stop in range(last + 1, first, -step):
            j, grown, weight = self.t.columns(max(first, stop - step), stop)
            y = kappa.value * grown
            terms = self.damped(1 + y)
            if self.s:
                terms *= weight
            if size is not None:
                terms = np.where(j <= size, terms, 0.0)
            total = total + terms.sum(axis=0)
            if kappa.angle is None:
                mass = total
            else:  # near a pole the rounding of y is magnified
                mass = mass + (np.abs(terms) * (1 + self.q * np.abs(y / (1 + y)))).sum(axis=0)
        return total, mass

    def integral(self, low: End, high: End, kappa: Kappa) -> tuple[Any, Any]:
        """∫_low^high f dJ and the sum of the magnitudes of its pieces."""
        inner, outer = ((e.size >= NEAR).astype(int) + (e.size > 1 / NEAR) for e in (low, high))
        zone = 3 * inner + outer
        present = np.flatnonzero(np.bincount(zone))
        if len(present) == 1:
            return self._added(*divmod(int(present[0]), 3), low, high, kappa)
        out = np.zeros(kappa.value.shape, dtype=np.result_type(kappa.value, float))
        mass = np.zeros(kappa.value.shape)
        for z in map(int, present):
            mask = zone == z
            ends = low.at(mask), high.at(mask), kappa.at(mask)
            out[mask], mass[mask] = self._added(*divmod(z, 3), *ends)
        return out, mass

    def _added(self, start: int, stop: int, *ends: Any) -> tuple[Any, Any]:
        pieces = self._pieces(start, stop, *ends)
        return sum(pieces), sum(np.abs(piece) for piece in pieces)

    def _pieces(self, start: int, stop: int, low: End, high: End, kappa: Kappa) -> list[Any]:
        if start == stop == 0:
            degenerate = self._degenerate_difference(low, high, kappa, self.t.low_degenerate)
            return [*degenerate, self._near(high), -self._near(low)]
        if start == stop == 2:
            degenerate = self._degenerate_difference(low, high, kappa, self.t.high_degenerate)
            return [*degenerate, self._far(high, kappa), -self._far(low, kappa)]
        unit = self.t.to_unit(kappa.magnitude) * kappa.phase(-self.c) / self.b
        out = []
        if start == 0:
            border = LOG_NEAR
            out += [
                -self._near(low),
                *(-x for x in self._degenerate_value(low, kappa, self.t.low_degenerate)),
            ]
        if stop == 2:
            border = -LOG_NEAR
            out += [
                self._far(high, kappa),
                *self._degenerate_value(high, kappa, self.t.high_degenerate),
            ]
        if (start, stop) == (0, 2):
            return [unit * self.t.whole, *out]
        first, last = (
            self._log_y(end, kappa) if z == 1 else np.full(end.size.shape, border)
            for z, end in ((start, low), (stop, high))
        )
        if start == 0:
            out.append(unit * self.t.below)
        if stop == 2:
            out.append(-unit * self.t.above)
        return [unit * self.middle(first, last, kappa), *out]

    def _near(self, end: End) -> Any:
        """N^{1−s}/b Σ_k C(−q,k) y^k/(c+k), regular terms only."""
        length = self.t.series_length(float(end.size.max()))
        return self.t.to_area(end.j) / self.b * horner(self.t.low[:length], end.y)

    def _far(self, end: End, kappa: Kappa) -> Any:
        """N^{1−s−bq}κ^{-q}/b Σ_k C(−q,k) y^{-k}/(c−q−k), regular terms only."""
        length = self.t.series_length(1 / float(end.size.min()))
        scale = self.far_scale(np.minimum(end.j, 1e308), kappa, self.t.to_far_area, "area")
        scale = np.where(np.isinf(end.j), 0.0, scale)
        return scale / self.b * horner(self.t.high[:length], end.inverse(kappa))

    def _degenerate_difference(
        self, low: End, high: End, kappa: Kappa, terms: list[Degenerate]
    ) -> list[Any]:
        """C(−q,k) κ^m ∫ J^{be−1} dJ: both ends in one outer zone."""
        out: list[Any] = []
        for binomial, _, growth, prefactor in terms:
            ratio = np.log(np.divide(high.j, low.j)) + np.zeros(low.size.shape)
            scale = binomial * prefactor(kappa.magnitude) * kappa.phase(prefactor.high)
            if growth.high == 0:
                length = ratio
            else:
                x = growth.high * ratio
                joined = growth(low.j) * np.expm1(np.minimum(x, 1.0))
                apart = growth(high.j) - growth(low.j)
                length = np.where(np.abs(x) < 1, joined, apart) / growth.high
            out.append(np.where(scale == 0, 0.0, scale * length))  # κ = 0, M = ∞
        return out

    def _degenerate_value(self, end: End, kappa: Kappa, terms: list[Degenerate]) -> list[Any]:
        """C(−q,k) κ^{-c} (y^e − 1)/(b e)."""
        out: list[Any] = []
        for binomial, e, growth, prefactor in terms:
            unit = self.t.to_unit(kappa.magnitude) * kappa.phase(-self.c)
            logarithm = self._log_y(end, kappa)
            if e == 0:
                out.append(binomial / self.b * unit * logarithm)
                continue
            x = e * logarithm
            grown = growth(end.j) * prefactor(kappa.magnitude)
            apart = grown * kappa.phase(prefactor.high) - unit
            close = np.abs(x) < 1
            joined = unit * np.expm1(np.where(close, x, 0.0))
            out.append(binomial / self.b * np.where(close, joined, apart) / e)
        return out

    def _log_y(self, end: End, kappa: Kappa) -> Any:
        fine = (end.size > 1e-300) & (end.size < 1e300)
        logarithm = np.log(end.size)
        if not fine.all():
            wide = np.log(kappa.magnitude) + self.b * np.log(end.j)
            logarithm = np.where(fine, logarithm, wide)
        return logarithm if kappa.angle is None else logarithm + 1j * kappa.angle

    def middle(self, low: Any, high: Any, kappa: Kappa) -> Any:
        """∫ t^{c−1}(1+t)^{-q} dt from e^low to e^high, both between ¼ and 4 in magnitude."""
        if kappa.angle is None:
            return self._middle_straight(low, high)
        low, high = low + 0j, high + 0j
        steep = np.abs(kappa.angle) > math.pi / 2
        out = np.empty(high.shape, dtype=complex)
        out[~steep] = self._middle_straight(low[~steep], high[~steep])
        out[steep] = self._middle_curved(low[steep], high[steep], np.sign(kappa.angle[steep]))
        return out

    def _middle_straight(self, low: Any, high: Any) -> Any:
        """Gauss–Legendre in log t along a straight line."""
        x, weights = _nodes(24)
        t = low + x[:, None] * (high - low)
        return (high - low) * (weights @ (np.exp(self.c * t) * self.damped(1 + np.exp(t))))

    def _middle_curved(self, low: Any, high: Any, side: np.ndarray) -> Any:
        """The same along a spiral about the pole: straight in log(log t ∓ iπ)."""
        x, weights = _nodes(40)
        pole = 1j * math.pi * side
        start = np.log(low - pole)
        length = np.log(high - pole) - start
        away = np.exp(start + x[:, None] * length)
        t = pole + away
        return length * (weights @ (away * np.exp(self.c * t) * self.damped(-np.expm1(away))))

    def clear(self, n: Any, kappa: Kappa) -> np.ndarray:
        """Whether Euler–Maclaurin may start at J = n: no pole near, none missed beyond."""
        if kappa.angle is None and self.b <= 2:  # the poles have negative real parts
            return np.ones(kappa.value.shape, dtype=bool)
        radius = np.minimum(self.t.to_inverse_b(1 / kappa.magnitude), 1e300)
        opening = (math.pi - (0.0 if kappa.angle is None else np.abs(kappa.angle))) / self.b
        x, y = radius * np.cos(opening), radius * np.sin(opening)
        far = np.hypot(x - n, y) >= CLEARANCE
        return (opening >= math.pi) | (far & ((y >= CLEARANCE) | (x <= n)))

    def evaluate(self, value: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sums and their error bounds for flat arrays of κ and M."""
        out = np.empty(value.shape, dtype=np.result_type(value, float))
        error = np.empty(value.shape)
        for i in range(0, len(value), BLOCK):
            part = slice(i, i + BLOCK)
            out[part], error[part] = self._block(polar(value[part]), size[part])
        return out, error

    def _block(self, kappa: Kappa, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out = np.empty(kappa.value.shape, dtype=np.result_type(kappa.value, float))
        error = np.empty(kappa.value.shape)
        left = np.arange(len(out))
        start = self.t.first
        while left.size:
            if start > LAST_START:
                raise PrecisionError("κ lies too near the negative real axis for float64", 0)
            short = size[left] < 2 * start
            clear = ~short & self.clear(start, kappa.at(left))
            for chosen, method in ((left[short], self._short), (left[clear], self._long)):
                if chosen.size:
                    out[chosen], error[chosen] = method(kappa.at(chosen), size[chosen], start)
            left = left[~(short | clear)]
            start *= 2
        return out, error + TINY

    def _short(self, kappa: Kappa, size: np.ndarray, start: int) -> tuple[Any, Any]:
        """Every term: M < 2N."""
        total, mass = self.direct(kappa, 1, int(size.max()), size)
        return total, ROUNDING * mass

    def _long(self, kappa: Kappa, size: np.ndarray, start: int) -> tuple[Any, Any]:
        """Direct terms below N = ``start``, Euler–Maclaurin from there."""
        total, mass = self.direct(kappa, 1, start - 1, None)
        low, high = self.end(float(start), kappa), self.end(size, kappa)
        area, area_mass = self.integral(low, high, kappa)
        f, correction, last = self.boundary(low, kappa)
        tail = area + f / 2 - correction
        finite, g = np.isfinite(size), np.zeros_like(f)
        if finite.any():
            g[finite], correction, _ = self.boundary(high.at(finite), kappa.at(finite))
            tail[finite] += g[finite] / 2 + correction
        mass = mass + area_mass + np.abs(f) + np.abs(g)
        if kappa.angle is not None:  # what rounding y does to the ends of the integral
            mass = mass + np.abs(f) * start + np.abs(g) * np.where(finite, size, 0.0)
        return total + tail, ROUNDING * mass + np.abs(last)


def horner(coefficients: np.ndarray, x: Any) -> Any:
    """Polynomial with ascending coefficients, in place."""
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total *= x
        total += coefficient
    return total


def checked_kappa(kappa: Any) -> np.ndarray:
    """κ as a float64 or complex128 array, finite and off the negative real axis."""
    allowed = "finite numbers ≥ 0, or complex ones off the negative real axis"
    array = np.asarray(arguments.plain("kappa", kappa, allowed))
    if array.dtype.kind not in "iufc":
        raise InputError("kappa", kappa, allowed)
    array = array.astype(complex if array.dtype.kind == "c" else float, copy=False)
    bad = ~np.isfinite(array) | ((array.real < 0) & (array.imag == 0))
    if bad.any():
        raise InputError("kappa", array[bad].flat[0], allowed)
    return array


def checked_size(size: Any) -> np.ndarray:
    """M as a float64 array of whole numbers ≥ 1, infinity allowed."""
    allowed = "whole numbers ≥ 1 that float64 reaches, or infinity"
    array = np.asarray(arguments.plain("size", size, allowed))
    try:  # objects are integers beyond 2^63
        valid = array.dtype.kind in "iufO"
        array = array.astype(float) if valid else array
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid or not ((array >= 1) & (array == np.floor(array))).all():
        raise InputError("size", size, allowed)
    return array


def power_sum_array(exps: Exponents, kappa: Any, size: Any) -> tuple[Any, Any]:
    """The float64 face: values and error bounds, broadcast over κ and M."""
    kappa, size = checked_kappa(kappa), checked_size(size)
    if np.isinf(size).any():
        kappa_is_zero = bool((kappa == 0).any()) and exps.q != 0
        exps.check_convergence(kappa_is_zero)
    try:
        shape = np.broadcast_shapes(kappa.shape, size.shape)
    except ValueError:
        fits = f"a shape that broadcasts with that of kappa, {kappa.shape}"
        raise InputError("size", f"an array of shape {size.shape}", fits) from None
    flat = np.broadcast_to(kappa, shape).ravel(), np.broadcast_to(size, shape).ravel()
    with np.errstate(all="ignore"):
        value, error = Evaluator(exps).evaluate(*flat)
    return value.reshape(shape)[()], error.reshape(shape)[()]
