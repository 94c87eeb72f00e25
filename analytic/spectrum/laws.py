r"""Spectra that follow a law, with any number of modes up to infinitely many.

Power law: λ_J = λ₊ J^{-b}, w_J² = σ_w² J^{b−a}. Every sum is a power sum (see `power_sums`),

    S(κ; p, q) = λ₊^{p−q} σ_w^{2τ} Σ_J J^{-s}/(1 + (κ/λ₊) J^b)^q,   s = b(p−q) + τ(a−b),

which costs the same for M = 10² and for M = ∞. At κ < −λ₁ the leading modes are summed one by
one and the others by their traces, (λ−y)^{-q} = (−y)^{-q} Σ_k binom(q+k−1, k) (λ/y)^k.

Exponential decay: λ_J = λ₊ e^{-cJ}, w_J² = σ_w² e^{(c−a)J}. With u_J = (κ/λ₊) e^{cJ},

    S(κ; p, q) = λ₊^{p−q} σ_w^{2τ} Σ_J e^{-sJ}/(1 + u_J)^q,        s = c(p−q) + τ(a−c).

Where |ln |u_J|| ≤ ℓ the modes are summed one by one; left and right of this window (1 + u)^{-q}
is expanded in u or 1/u, and the sums over J are geometric. With ℓ = max(1, √(c B ln 2)) for B
bits the cost is 2ℓ/c modes and 2B ln 2/ℓ terms, whatever M and κ. Every term at κ > 0 is
bounded by the sum, so that the accuracy is that of the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .. import arguments, precision
from ..errors import InputError
from ..formula import is_mp
from ..notation import J, M
from ..power_sums import power_sum
from ..power_sums.exponents import exact
from .protocol import (
    CHUNK,
    MODE,
    WEIGHT,
    Spectrum,
    converter,
    isotropic_pair,
    never,
    parameter,
)

GUARD_BITS = 12
DIRECT_MODES = 4096  # at κ < −λ₁ a power law up to this size is summed mode by mode
LEADING_MODES = 64  # else so many of its modes


def _size(value: Any) -> Any:
    value = value if isinstance(value, sp.Expr) else arguments.one("size", value)
    return math.inf if value == math.inf else parameter(arguments.count, "size", value)


@dataclass(frozen=True, init=False)
class PowerLaw(Spectrum):
    """λ_J = λ₊ J^{-b} with b = 1 + α, and w_J² λ_J = σ_w² λ₊ J^{-a}, for J = 1 … M.

    Parameters
    ----------
    alpha, exponent:
        Exactly one of α > 0 and b = 1 + α; b in (0, 1] needs a finite M, since the trace
        diverges otherwise.
    size: M, a count or `math.inf`.
    target_exponent: a; None (the default) means isotropic weights, a = b.
    scale: λ₊. target_variance: σ_w².

    Numbers may be ints, floats, `fractions.Fraction` or mpmath numbers; the mpmath face
    keeps their exact values. Sympy expressions with symbols give a symbolic spectrum.
    Source: solvable-model paper, eq. (23); dynamical paper, eq. (13).

    Raises `InputError` for exponents, sizes or scales that are not allowed.

    >>> PowerLaw(alpha=1, size=3).eigenvalues()
    array([1.        , 0.25      , 0.11111111])
    """

    exponent: Any
    size: Any
    target_exponent: Any
    scale: Any
    target_variance: Any

    def __init__(
        self,
        alpha: Any = None,
        *,
        exponent: Any = None,
        size: Any = math.inf,
        target_exponent: Any = None,
        scale: Any = 1,
        target_variance: Any = 1,
    ) -> None:
        if (alpha is None) == (exponent is None):
            raise InputError("alpha", alpha, "exactly one of alpha and exponent b = 1 + alpha")
        size = _size(size)
        if exponent is None:
            alpha = parameter(arguments.number, "alpha", alpha)
            valid = alpha > (0 if size == math.inf else -1)
            if never(valid) or never(alpha < math.inf):
                raise InputError(
                    "alpha", alpha, "a number > 0 when M is infinite (the trace Σ λ diverges "
                    "otherwise), > -1 when M is finite",
                )  # fmt: skip
            exponent = 1 + alpha
        exponent = parameter(arguments.positive, "exponent", exponent)
        if size == math.inf and never(exponent > 1):
            raise InputError("exponent", exponent, "b > 1 when M is infinite (Σ J^-b diverges)")
        target = isotropic_pair("target_exponent", target_exponent, exponent)
        if never(abs(target) < math.inf):
            raise InputError("target_exponent", target, "a finite number")
        if size == math.inf and never(target > 1):
            raise InputError(
                "target_exponent", target,
                "a > 1 when M is infinite (the power Σ J^-a of the target diverges)",
            )  # fmt: skip
        self._set(
            exponent=exponent, size=size, target_exponent=target,
            scale=parameter(arguments.positive, "scale", scale),
            target_variance=parameter(arguments.positive, "target_variance", target_variance),
        )  # fmt: skip

    @classmethod
    def examples(cls) -> Sequence[Spectrum]:
        return (
            cls(0.5, size=300),
            cls(Fraction(1, 4), size=200, target_exponent=Fraction(3, 2)),
            cls(exponent=0.75, size=150, scale=2.5, target_variance=0.5),
            cls(0.5),
            cls(2, scale=0.5),
            cls(exponent=1.25, target_exponent=2.75, scale=3),
            cls(exponent=1.2, target_exponent=3.4),  # coinciding poles
        )

    @property
    def alpha(self) -> Any:
        """α = b − 1."""
        return self.exponent - 1

    @property
    def isotropic(self) -> bool:
        """Whether all weights have the same variance, a = b."""
        return bool(self.target_exponent == self.exponent)

    def _sum(self, kappa: Any, p: int, q: int, target: bool) -> Any:
        b, a = self._exact_exponents
        s = b * (p - q) + (a - b if target else 0)
        if is_mp(kappa):
            with precision.extraprec(GUARD_BITS):
                scale = mpmath.mpmathify(self.scale)
                weight = mpmath.mpmathify(self.target_variance) if target else 1
                total = weight * scale ** (p - q) * power_sum(s, b, q, kappa / scale, self.size)
            return +total
        scale, weight = float(self.scale), float(self.target_variance) if target else 1.0
        if isinstance(kappa, float | int) and kappa < -scale:
            return self._exterior_sum(-float(kappa), p, q, target)
        return weight * scale ** (p - q) * power_sum(s, b, q, kappa / scale, self.size)

    def _exterior_sum(self, y: float, p: int, q: int, target: bool) -> float:
        """Σ λ^p/(λ−y)^q at y > λ₁."""
        modes, weights = self._leading
        near = (weights if target else 1.0) * modes ** float(p) / (modes - y) ** q
        if len(modes) == self.size:
            return float(np.sum(near))
        terms = math.ceil(math.log(1e-17) / math.log(modes[-1] / modes[0])) + 4 * q
        orders = np.arange(terms)
        binomials = np.cumprod(np.append(1.0, (q + orders[:-1]) / (orders[:-1] + 1.0)))
        far = binomials * _far_traces(self, p, terms, target) / y**orders
        return float(np.sum(near) + np.sum(far) / (-y) ** q)

    @cached_property
    def _leading(self) -> tuple[np.ndarray, np.ndarray]:
        modes = self.eigenvalues(0, None if self.size <= DIRECT_MODES else LEADING_MODES)
        return modes, self.target_power(0, len(modes)) / modes

    @cached_property
    def _exact_exponents(self) -> tuple[Fraction, Fraction]:
        """b and a as fractions, so that sums and differences of them are exact."""
        return exact("exponent", self.exponent), exact("target_exponent", self.target_exponent)

    def symbolic(self) -> tuple[sp.Eq, ...]:
        b, a, scale, variance = map(
            sp.nsimplify, (self.exponent, self.target_exponent, self.scale, self.target_variance)
        )
        size = sp.oo if self.size == math.inf else sp.sympify(self.size)
        target = sp.Eq(WEIGHT**2 * MODE, variance * scale * J**-a)
        return sp.Eq(MODE, scale * J**-b), target, sp.Eq(M, size, evaluate=False)

    def eigenvalue(self, index: Any) -> Any:
        convert = sp.sympify if self.free_symbols or isinstance(index, sp.Basic) else (
            converter(index)
        )  # fmt: skip
        with precision.kept_for(index):
            return convert(self.scale) * index ** -convert(self.exponent)

    def target_power(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        index = np.arange(start + 1, self._stop(stop, start) + 1, dtype=float)
        return float(self.target_variance * self.scale) * index ** -float(self.target_exponent)


@lru_cache(maxsize=64)
def _far_traces(law: PowerLaw, p: int, terms: int, target: bool) -> np.ndarray:
    """Σ λ^{p+k} (w²) over the modes beyond the leading ones, k = 0 … terms − 1."""
    modes, weights = law._leading
    known = weights if target else np.ones_like(modes)
    whole = [float(law.resolvent_sum(0.0, p + k, 0, target)) for k in range(terms)]
    return np.array([x - known @ modes ** float(p + k) for k, x in enumerate(whole)])


@dataclass(frozen=True)
class ExponentialDecay(Spectrum):
    """λ_J = λ₊ e^{-cJ}, and w_J² λ_J = σ_w² λ₊ e^{-aJ}, for J = 1 … M.

    Parameters
    ----------
    rate: c > 0. size: M, a count or `math.inf`.
    target_rate: a, > 0 if M is infinite; None (the default) means isotropic weights, a = c.
    scale: λ₊. target_variance: σ_w².

    The sums cost some √(B/c) + 1/c terms for B bits, whatever M. They are right to the
    current mpmath precision, or to a few units of the last place of float64.

    Raises `InputError` for a rate that is not > 0, or a sum that diverges. Source: this package;
    equation (1) holds for any spectrum.

    >>> float(ExponentialDecay(rate=0.5).trace().round(6))  # 1/(e^c − 1)
    1.541494
    """

    rate: Any
    size: Any = math.inf
    target_rate: Any = None
    scale: Any = 1
    target_variance: Any = 1

    def __post_init__(self) -> None:
        rate = parameter(arguments.positive, "rate", self.rate)
        size = _size(self.size)
        target = isotropic_pair("target_rate", self.target_rate, rate)
        if never(abs(target) < math.inf) or (size == math.inf and never(target > 0)):
            raise InputError("target_rate", target, "a finite number, > 0 when M is infinite")
        self._set(
            rate=rate, size=size, target_rate=target,
            scale=parameter(arguments.positive, "scale", self.scale),
            target_variance=parameter(arguments.positive, "target_variance", self.target_variance),
        )  # fmt: skip

    @classmethod
    def examples(cls) -> Sequence[Spectrum]:
        return (
            cls(Fraction(1, 20), size=120),
            cls(0.5, size=30, target_rate=-0.1, scale=3, target_variance=0.02),
            cls(Fraction(1, 10), target_rate=Fraction(1, 3), target_variance=2),
            cls(0.01),
        )

    def symbolic(self) -> tuple[sp.Eq, ...]:
        c, a, scale, variance = map(
            sp.nsimplify, (self.rate, self.target_rate, self.scale, self.target_variance)
        )
        target = sp.Eq(WEIGHT**2 * MODE, variance * scale * sp.exp(-a * J))
        return sp.Eq(MODE, scale * sp.exp(-c * J)), target, *super().symbolic()

    def eigenvalue(self, index: Any) -> Any:
        if self.free_symbols or isinstance(index, sp.Basic):
            return sp.sympify(self.scale) * sp.exp(-self.rate * index)
        exp, convert = (mpmath.exp if is_mp(index) else np.exp), converter(index)
        with precision.kept_for(index):
            return convert(self.scale) * exp(-convert(self.rate) * index)

    def target_power(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        index = np.arange(start + 1, self._stop(stop, start) + 1, dtype=float)
        return float(self.target_variance * self.scale) * np.exp(-float(self.target_rate) * index)

    def _sum(self, kappa: Any, p: int, q: int, target: bool) -> Any:
        if is_mp(kappa):
            with precision.extraprec(GUARD_BITS + 8 * q):
                (total,) = self._split(np.array([kappa], dtype=object), p, q, target)
            return +total
        k = np.asarray(kappa)
        flat = k.ravel().astype(np.result_type(k.dtype, float))
        wide = max(1, int(2 / float(self.rate)))
        step = max(1, CHUNK // wide)
        parts = [self._split(flat[i : i + step], p, q, target) for i in range(0, len(flat), step)]
        return np.concatenate(parts).reshape(k.shape)[()]

    def _split(self, kappa: np.ndarray, p: int, q: int, target: bool) -> np.ndarray:
        """The sum as two geometric tails and a window, for float64 or mpmath entries."""
        mp = kappa.dtype == object
        convert, bits = (mpmath.mpmathify, mpmath.mp.prec) if mp else (float, 53)
        rate, scale, weight = map(convert, (self.rate, self.scale, self.target_variance))
        s = rate * (p - q) + (convert(self.target_rate) - rate if target else 0)
        unit = scale ** (p - q) * (weight if target else 1)
        zero = kappa == 0
        y = np.where(zero, 1, kappa / scale)
        if not zero.all() and any(x.real < -self.eigenvalue(1) and x.imag == 0 for x in kappa):
            y = y + 0j
        elif any(x.real < 0 and x.imag == 0 for x in kappa):
            raise InputError("kappa", kappa[0], "a number ≥ 0, < -λ_1, or off the real axis")
        log = _log(y)
        width = max(1.0, math.sqrt(float(rate) * bits * math.log(2)))
        place = -np.array([float(x.real) for x in log]) / float(rate)
        half = width / float(rate)
        last = np.clip(np.floor(place - half), 0, self.size)
        first = np.clip(np.ceil(place + half), 1, float(self.size) + 1)
        first = np.maximum(first, last + 1)
        index = last[:, None] + 1 + np.arange(int(np.max(first - last)) - 1)
        inside = (index < first[:, None]) & (index <= self.size)
        index = np.where(inside, index, 1.0)
        if mp:
            index = np.vectorize(int, otypes=[object])(index)
        terms = _exp(index * -s) / (1 + y[:, None] * _exp(index * rate)) ** q
        total = np.sum(np.where(inside, terms, 0), axis=1)
        orders, binomial = (
            range(math.ceil((bits * math.log(2) + 9 * q) / width) + 4 * q),
            convert(1),
        )
        for k in orders if q else (0,):
            total = total + _geometric(k * log, s - rate * k, 1, last) * binomial
            if q:
                right = -(q + k) * log
                total = total + _geometric(right, s + rate * (q + k), first, self.size) * binomial
            binomial = -binomial * (q + k) / (k + 1)
        if zero.any():
            total = np.where(zero, self._at_zero(s, convert), total)
        total = total * unit
        return total if mp or kappa.dtype.kind == "c" else total.real

    def _at_zero(self, s: Any, convert: Any) -> Any:
        if self.size == math.inf and not s > 0:
            raise InputError("size", "inf", "a finite count: at κ = 0 this sum diverges")
        return _geometric(np.array([convert(0)]), s, 1, self.size)[0]


def _exp(x: np.ndarray) -> np.ndarray:
    return np.exp(x) if x.dtype != object else np.vectorize(mpmath.exp, otypes=[object])(x)


def _log(x: np.ndarray) -> np.ndarray:
    return np.log(x) if x.dtype != object else np.vectorize(mpmath.log, otypes=[object])(x)


def _geometric(log_factor: np.ndarray, h: Any, first: Any, last: Any) -> np.ndarray:
    """e^{log_factor} Σ e^{-hJ} over J = first … last, from the larger end, 0 where empty."""
    if log_factor.dtype == object:
        places = np.broadcast(log_factor, first, last)
        return np.array([_geometric_sum(x, i, j, h) for x, i, j in places], dtype=object)
    count = last - first + 1
    start = np.broadcast_to(first if h > 0 else last, log_factor.shape)
    ratio = count if h == 0 else np.expm1(-abs(h) * count) / np.expm1(-abs(h))
    empty = np.broadcast_to(count <= 0, log_factor.shape)
    exponent = np.where(empty, 0, log_factor - h * np.where(empty, 0, start))
    return np.where(empty, 0, ratio * _exp(exponent))


def _geometric_sum(log_factor: Any, first: float, last: float, h: Any) -> Any:
    """The same for numbers of mpmath."""
    count = last - first + 1
    if count <= 0:
        return mpmath.mpf(0)
    ratio = count if h == 0 else _expm1(-abs(h) * count) / _expm1(-abs(h))
    return mpmath.exp(log_factor - h * (first if h > 0 else last)) * ratio


def _expm1(x: Any) -> Any:
    """e^x − 1, of which a few bits may cancel."""
    return mpmath.expm1(x) if abs(x) < 0.1 else mpmath.exp(x) - 1
