r"""Losses during training: inverse Laplace transforms, term by term.

Gradient flow sees the two-point function through e^{zt}, at each of its two frequencies.  With
F = R₁κh₁/z, R₁ = 1 − D₁/T and the divided difference F[z,z'] = (F(z) − F(z'))/(z' − z),

    training loss  C₁ = F[z,z'],        excess loss  C₀ = F[z,z']/(R₁R₁').

A series of F in powers of z is what dominant balance gives where z ~ 1/t.  Since the transform of
f[z,z'] is that of f at the sum of both times, z^e contributes

    z^e  →  (2t)^{−e−1}/Γ(−e):

whole powers, analytic at z = 0, leave nothing behind, and what is left beside the powers of t is
smaller than all of them.  With z^p of 1/R₁ and z'^q of 1/R₁' (T finite)

    z^p z'^q (z^e)[z,z']  →  (2t)^{−p−q−e−1} [I(p+e, q) − I(p, q+e)],        (`PairTransform`)
    I(α, β) = B_{1/2}(−β, −α)/(Γ(−α)Γ(−β)),

from 1/(z'−z) = ∫₀^∞ e^{−u(z'−z)} du with z' right of z, B the incomplete beta function.

A step of one-pass SGD multiplies second moments at eigenvalue x by q(x) = 1 − 2ηx + cη²x²,
c = 1 + 1/B (`stochastic_gradient`).  In z with ξ = q(−z) the contour integral of its generating
function has no roots,

    L_t = ∮ q(−z)^t [f(z) − f(z₋)]/(1 − A(z)) dz/(2πi),    z₋ = −2/(cη) − z,    f = κh₁/z,
    A = η [k(z) − k(z₋)]/(2B(1 + cηz)),                    k = −zD₁,

and q(−z)^t = e^{2ηtz} (1 + …), a series where z ~ 1/(ηt).  At z₋, right of the spectrum on the
negative axis, κ₋ is a series about −2/(cη), or large where η is small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import groupby
from typing import Any

import mpmath
import sympy as sp
from sympy.core.function import ArgumentIndexError

from ... import precision
from ...errors import OutsideTheoryError
from ...notation import N, T, b
from .corner_sums import Corner
from .dominant import SHALLOW, split_scale
from .multiseries import Scales, Series, TooShallow, powers
from .traces import evaluate

MAX_PASSES = 60
DEEPER = 4  # where the noise cancels
ENOUGH = 2000  # products, most of which vanish in time, behind which no further term is looked for
Put = Callable[[sp.Expr], sp.Expr]  # the regime put into an expression


@dataclass(frozen=True)
class Descent:
    """One-pass SGD: its step η and batch B, κ₋, the factor z₋/κ₋ as an expression in it, and A."""

    step: sp.Symbol
    batch: sp.Symbol
    kappa: sp.Symbol
    bracket: sp.Expr
    noise: sp.Expr

    @property
    def curvature(self) -> sp.Expr:
        """c = 1 + 1/B."""
        return 1 + 1 / self.batch

    @property
    def centre(self) -> sp.Expr:
        """−2/(cη)."""
        return -2 / (self.curvature * self.step)


@dataclass(frozen=True)
class Clock:
    """How a function of ``frequency`` z becomes one of ``time``, z^e → (rate·time)^{−e−1}/Γ(−e).

    ``frames``: F and the factor of each of two frequencies (None: 1), in a form that loses no
    order where N < T and in one for T < N.  ``kept`` says which loss it is.
    """

    frequency: sp.Symbol
    time: sp.Symbol
    rate: sp.Expr
    frames: tuple[tuple[sp.Expr, sp.Expr | None], ...]
    kept: str
    descent: Descent | None = None

    @property
    def hidden(self) -> set[sp.Symbol]:
        """What the loss in time does not depend on."""
        return {self.frequency} | ({self.descent.kappa} if self.descent is not None else set())

    def each(self, change: Put) -> Clock:
        """The clock with its expressions changed."""
        frames = tuple((change(f), g if g is None else change(g)) for f, g in self.frames)
        descent = self.descent
        if descent is not None:
            descent = replace(
                descent, bracket=change(descent.bracket), noise=change(descent.noise)
            )
        return replace(self, frames=frames, descent=descent)

    def growth(self, growth: Any, value: Callable[[Any], Any], applied: Put) -> Any:
        """The growth of the frequency, that of 1/(rate·time)."""
        powers_of = applied(self.rate * self.time).as_powers_dict()
        return -sum(growth[s] * value(e) for s, e in powers_of.items() if s in growth)

    def in_sizes(self, exponents: dict[sp.Expr, sp.Expr], applied: Put) -> dict[sp.Expr, sp.Expr]:
        """A monomial with the frequency as 1/(rate · time)."""
        power = exponents.pop(self.frequency, None)
        if power is not None:
            for scale, e in applied(self.rate * self.time).as_powers_dict().items():
                exponents[scale] = sp.expand(exponents.get(scale, sp.S.Zero) - e * power)
        return exponents


class PairTransform(sp.Function):
    r"""z^p z'^q (z^e − z'^e)/(z' − z) at both times 1/2, as ``PairTransform(p, q, e)``.

    >>> PairTransform(0, 0, sp.Rational(-1, 2)).evalf(8), (1 / sp.sqrt(sp.pi)).evalf(8)
    (0.56418958, 0.56418958)
    """

    nargs = 3

    @classmethod
    def eval(cls, p: sp.Expr, q: sp.Expr, e: sp.Expr) -> sp.Expr | None:
        """Zero for whole powers of z or z', which are analytic at zero."""
        whole = any(x.is_Integer and x >= 0 for x in (p, q))
        return sp.S.Zero if e.is_Integer and e >= 0 and whole else None

    def fdiff(self, argindex: int = 3) -> sp.Expr:
        if argindex != 3:
            raise ArgumentIndexError(self, argindex)
        return PairTransformDerivative(1, *self.args)

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        if self.free_symbols:
            return None
        with precision.workprec(prec + 60):
            p, q, e = (mpmath.mpmathify(x._to_mpmath(prec + 60)) for x in self.args)
            return sp.Float._new(mpmath.mpf(pair_transform(p, q, e))._mpf_, prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p, q, e = map(printer._print, self.args)
        body = rf"\mathcal{{I}}_{{{p},{q}}}\left({e}\right)"
        return rf"\left({body}\right)^{{{exp}}}" if exp else body


class PairTransformDerivative(sp.Function):
    """The n-th derivative of `PairTransform` in e: ``PairTransformDerivative(n, p, q, e)``."""

    nargs = 4

    def fdiff(self, argindex: int = 4) -> sp.Expr:
        n, *place = self.args
        if argindex != 4:
            raise ArgumentIndexError(self, argindex)
        return PairTransformDerivative(n + 1, *place)

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        if self.free_symbols:
            return None
        with precision.workprec(prec + 60):
            n, p, q, e = (mpmath.mpmathify(x._to_mpmath(prec + 60)) for x in self.args)
            value = mpmath.diff(lambda x: pair_transform(p, q, x), e, int(n))
            return sp.Float._new(mpmath.mpf(value)._mpf_, prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        n, p, q, e = map(printer._print, self.args)
        body = rf"\mathcal{{I}}^{{({n})}}_{{{p},{q}}}\left({e}\right)"
        return rf"\left({body}\right)^{{{exp}}}" if exp else body


def pair_transform(p: Any, q: Any, e: Any) -> Any:
    """I(p+e, q) − I(p, q+e) as a number."""
    return _one_sided(p + e, q) - _one_sided(p, q + e)


def _one_sided(alpha: Any, beta: Any) -> Any:
    if beta >= 0 and beta == mpmath.floor(beta):
        return mpmath.rgamma(-alpha - beta)
    if alpha >= 0 and alpha == mpmath.floor(alpha):
        return mpmath.mpf(0)
    share = mpmath.betainc(-beta, -alpha, 0, mpmath.mpf(1) / 2)
    return share * mpmath.rgamma(-alpha) * mpmath.rgamma(-beta)


def loss_in_time(
    clock: Clock, scales: Scales, unknowns: Any, size: sp.Expr, put: Put, isotropic: bool,
    most: int,
) -> Series:  # fmt: skip
    """The loss as a series in the time; ``unknowns`` hold the images and corners at z."""
    images, corners = dict(unknowns.images), dict(unknowns.corners)
    if clock.descent is not None:
        kappa, corner = _beyond(clock, scales, size, put, isotropic)
        images[clock.descent.kappa], corners[clock.descent.kappa] = kappa, corner
    output, factor = clock.frames[0]
    if len(clock.frames) > 1:
        few, many = (scales.evaluate(put(s), {}).order or 0 for s in (T, N))
        output, factor = clock.frames[few > many]
    series = evaluate(put(output), images, corners)
    if clock.descent is not None:
        _check_decay(put(1 - clock.descent.noise), scales, images, corners)
        series = series * _slip(clock, clock.descent, scales, put)
    frame = scales.constant(1) if factor is None else evaluate(put(factor), images, corners)
    return _transformed(clock, scales, series, frame, put, most)


def check_modes(clock: Clock, scales: Scales, size: sp.Expr) -> None:
    """`OutsideTheoryError` where every mode is learned: M below N and T, and z below λ_M."""
    modes = scales.growth.get(size)
    rest = [scales.growth[s] for s in (N, T) if s in scales.growth]
    if modes is None or min(rest, default=modes) <= modes:
        return
    if -scales.growth[clock.frequency] > scales.value(b) * modes:
        raise OutsideTheoryError(f"no powers of {clock.time}: the loss falls faster than any where "
                                 "all modes are learned, as e^(-2 lambda_M t)")  # fmt: skip


def readable(coefficient: sp.Expr) -> sp.Expr:
    """A coefficient with π/sin πx = Γ(x)Γ(1−x), where gammas cancel that way."""

    def reflected(sine: sp.Expr) -> sp.Expr:
        x = sp.expand(sine.args[0] / sp.pi)
        return sp.pi / (sp.gamma(x) * sp.gamma(sp.expand(1 - x)))

    if not coefficient.has(sp.gamma) or coefficient.has(PairTransform):
        return coefficient
    return sp.gammasimp(coefficient.replace(lambda x: isinstance(x, sp.sin), reflected))


def _transformed(
    clock: Clock, scales: Scales, series: Series, frame: Series, put: Put, most: int
) -> Series:
    """F[z,z'] times the factors at both frequencies, in time: the ``most`` first terms."""
    low, first = frame.order or 0, series.order or 0
    cuts = [known.cut + rest for known, rest in ((series, 2 * low), (frame, low + first))
            if known.cut is not None]  # fmt: skip
    cut = min([first + 2 * low + scales.depth, *cuts]) if cuts else None
    unit, shift = put(clock.rate * clock.time), -scales.growth[clock.frequency]
    found: dict[Any, Any] = {}
    weights = made = 0  # terms of one weight are one term at a resonance
    for weight, group in groupby(_products(clock, scales, series, frame), lambda x: x[0]):
        if (cut is not None and weight >= cut) or weights >= most or (found and made > ENOUGH):
            cut = weight
            break
        same: dict[Any, Any] = {}
        for _, rest, (p, q, e), coefficient in group:
            made += 1
            halves, value = transform(scales, p, q, e)
            vector = _times(scales, rest, unit, sp.expand(-p - q - e - 1), halves)
            product = coefficient * value
            same[vector] = same[vector] + product if vector in same else product
        left = {v: c for v, c in same.items() if c and not _zero(scales, c)}
        found, weights = found | left, weights + bool(left)
    return Series(scales, found, None if cut is None else cut + shift)


def _products(clock: Clock, scales: Scales, series: Series, frame: Series) -> Iterator[Any]:
    """(weight, monomial without z, (p, q, e), coefficient) of every product, the largest first.

    Of three sorted lists, two of them alike, only as many products are made as are asked for.
    """
    sides = [(w, *split_scale(scales, v, clock.frequency), c) for w, v, c in frame.items]
    inner = [(w, *split_scale(scales, v, clock.frequency), c) for w, v, c in series.items]
    if not sides or not inner:
        return
    heap = [(inner[0][0] + 2 * sides[0][0], 0, 0, 0)]
    while heap:
        weight, i, k, n = heappop(heap)
        after = [(i, k, n + 1), *([(i, k + 1, k + 1)] if n == k else []),
                 *([(i + 1, 0, 0)] if n == k == 0 else [])]  # fmt: skip
        for x, y, z in after:
            if x < len(inner) and y <= z < len(sides):
                heappush(heap, (inner[x][0] + sides[y][0] + sides[z][0], x, y, z))
        (_, e, rest0, c0), (_, p, rest1, c1), (_, q, rest2, c2) = inner[i], sides[k], sides[n]
        rest = tuple(map(sum, zip(rest0, rest1, rest2)))
        yield weight, rest, (p, q, e), c0 * c1 * c2 * (2 if n > k else 1)


def _zero(scales: Scales, coefficient: Any) -> bool:
    """Whether a coefficient with 1/Γ in it vanishes at the point."""
    value = scales.number(coefficient)
    return bool(value.is_finite and abs(value) < sp.Float("1e-25"))


def _times(scales: Scales, vector: Any, unit: sp.Expr, power: sp.Expr, halves: Any) -> Any:
    """The monomial times unit^power 2^halves."""
    for scale, exponent in unit.as_powers_dict().items():
        more = scales.vector(scale, sp.expand(exponent * power))
        vector = tuple(x + y for x, y in zip(vector, more))
    if halves != 0:
        more = scales.vector(sp.Integer(2), sp.expand(halves))
        vector = tuple(x + y for x, y in zip(vector, more))
    return vector


def transform(scales: Scales, p: sp.Expr, q: sp.Expr, e: sp.Expr) -> tuple[sp.Expr, Any]:
    """(n, x): z^p z'^q (z^e)[z,z'] at both times 1/2 is 2^n x."""
    p, q, e = map(sp.expand, (p, q, e))
    if p == 0 and q == 0:
        return sp.S.Zero, reciprocal_gamma(scales, -e)
    if not e.is_Integer:
        return sp.S.Zero, scales.atom(PairTransform(p, q, e))
    total = scales.field.zero  # a sum of products z^i z'^j
    for i in range(int(abs(e))):
        low, high = (i, e - 1 - i) if e > 0 else (-1 - i, e + i)
        product = reciprocal_gamma(scales, -p - low) * reciprocal_gamma(scales, -q - high)
        total = total - product if e > 0 else total + product
    return p + q + e + 1, total


def reciprocal_gamma(scales: Scales, x: sp.Expr) -> Any:
    """1/Γ(x): a rational factor times 1/Γ at x + n, in (0, 1] at the representative point."""
    x = sp.expand(x)
    if x.is_Integer:
        return scales.element(1 / sp.factorial(x - 1) if x > 0 else 0)
    steps = -int(sp.ceiling(scales.value(x))) + 1
    base = sp.expand(x + steps)
    factor = sp.Mul(*(x + k for k in range(steps))) / sp.Mul(*(base + k for k in range(-steps)))
    return scales.element(factor) * scales.atom(1 / sp.gamma(base))


# ---- stochastic gradient descent ----------------------------------------------------------


def _beyond(clock: Clock, scales: Scales, size: sp.Expr, put: Put, isotropic: bool) -> Any:
    """κ₋ = z₋/(1 − D₁(κ₋)/N) and its corner, iterated from z₋."""
    descent = clock.descent
    assert descent is not None
    centre = scales.evaluate(put(descent.centre), {})
    target = centre - scales.scale(clock.frequency)
    fixed = centre.order == 0
    place = put(descent.centre) if fixed else None
    kappa = target
    for _ in range(MAX_PASSES):
        corner = Corner(scales, "fixed" if fixed else "infinity", kappa, size, isotropic, place)
        bracket = evaluate(put(descent.bracket), {descent.kappa: kappa}, {descent.kappa: corner})
        new = (target / bracket).known_to((centre.order or 0) + scales.depth)
        if new.terms == kappa.terms and new.cut == kappa.cut:
            return kappa, corner
        kappa = new
    raise OutsideTheoryError("κ at the upper frequency does not settle: 2/(cη) inside the spectrum")


def _check_decay(rest: sp.Expr, scales: Scales, images: Any, corners: Any) -> None:
    """`OutsideTheoryError` where 1 − A, which falls from 1 as z does, has passed zero."""
    depth, scales.depth = scales.depth, SHALLOW
    total = evaluate(rest, images, corners)
    while not total.terms and scales.depth < depth:
        scales.depth = min(DEEPER * scales.depth, depth)
        total = evaluate(rest, images, corners)
    scales.depth = depth
    if not total.terms:
        raise TooShallow("the noise of the batches cancels to the order that was computed")
    vector, coefficient = total.lead()
    constants = (scales.point.get(s, 1) ** e for s, e in scales.exponents(vector).items()
                 if s not in scales.sizes)  # c < 0 where 1/2 < b < 1
    if sp.N((scales.number(coefficient) * sp.Mul(*constants)).subs(scales.point)) <= 0:
        raise OutsideTheoryError(
            "the loss grows by the noise of the batches: the step is above the critical one, which "
            "for b < 1 falls as M^(b-1); bound it, as in eta ~ M^(b-1), y_eta < 1/10"
        )


def _slip(clock: Clock, descent: Descent, scales: Scales, put: Put) -> Series:
    """q(−z)^t e^{−2ηtz}, in u = ηz: t [ln(1 + 2u + cu²) − 2u] in the exponent."""
    u = scales.evaluate(put(descent.step), {}) * scales.scale(clock.frequency)
    c = scales.evaluate(put(descent.curvature), {})
    time, rate = scales.evaluate(put(clock.time), {}), u.order or 0
    slopes, power = [scales.constant(2), 2 * c - 4], u
    exponent = scales.constant(0)
    for k in range(1, MAX_PASSES):
        power = power * u
        if rate * k >= scales.depth:
            break
        exponent = exponent + time * power * slopes[k] * sp.Rational(1, k + 1)
        slopes.append(-2 * slopes[k] - c * slopes[k - 1])
    total, factor = scales.constant(0), sp.S.One
    for n, part in enumerate(powers(exponent.known_to(scales.depth))):
        factor = factor / n if n else factor
        total = total + part * factor
    return total


__all__ = ["Clock", "Descent", "PairTransform", "check_modes", "loss_in_time", "readable"]
