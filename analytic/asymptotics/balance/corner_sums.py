r"""Tr λ^i w^{2j} (λ+κ)^{−q} as a series in κ, in every corner.

For a power law λ_J = λ₊ J^{−b}, w_J² λ_J = σ_w² λ₊ J^{−a}, and x = κ/λ₊ it is

    λ₊^{i−q} σ_w^{2j} Σ_{J≤M} J^{−s}/(1+xJ^b)^q,     s = b(i−q) + j(a−b),

with, for y = (1 − j(a−b))/b and (·)_n the rising factorial,

    κ → 0, κM^b → ∞   S (−1)^{i+1} (1−i+y)_{q−1}/(q−1)! x^{i−q−y}  +  Σ_k binom(−q, k) ζ(s−bk) x^k
                      − Σ_k binom(−q, k) ζ(s+b(q+k), M+1) x^{−q−k},        S = (π/b)/sin(πy)
    κM^b = y fixed    M^{1−s} ∫₀¹ u^{-s}/(1+yu^b)^q du  +  Euler–Maclaurin at J = M
                      +  Σ_k binom(−q, k) ζ(s−bk) (yM^{-b})^k
    κM^b → 0          Σ_k binom(−q, k) H_M(s−bk) x^k
    κ → ∞             Σ_k binom(−q, k) H_M(s+b(q+k)) x^{−q−k}

(the poles of Γ(u)Γ(q−u)ζ(s+bu), see `expansion.sums`; H_M(σ) = ζ(σ) − ζ(σ, M+1)).  For any
spectrum of fixed size the sums at κ → 0 and κ → ∞ are geometric series whose coefficients are
moments, and at κ → κ₀ Taylor series whose coefficients are D_q(κ₀) and h_q(κ₀).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from ...algebra.rational import Fraction
from ...errors import OutsideTheoryError
from ...notation import M, a, b, lambda_plus, sigma_w
from ...spectral_functions import DegreesOfFreedom, Moment, TargetSum
from .multiseries import Scales, Series, binomial_sum, powers
from .places import EdgeIntegral

MAX_TERMS = 300
OSCILLATION = (
    "the limit does not exist: between eigenvalues that fall exponentially the sums oscillate in "
    "log κ (poles of Γ(u)Γ(q−u)/(e^{-cu}−1) at u = 2πik/c) and no power law is approached"
)
c = sp.Symbol("c", positive=True)  #: (π/b)/sin(π/b)
PREFACTOR = sp.pi / (b * sp.sin(sp.pi / b))


@dataclass(frozen=True)
class Corner:
    """Where κ is: ``kind`` zero, resolved, infinity, fixed or edge, and the series below."""

    scales: Scales
    kind: str
    kappa: Series
    size: sp.Expr
    isotropic: bool = False
    place: sp.Expr | None = None
    known: Mapping[sp.Expr, sp.Expr] = field(default_factory=dict)
    most: int = MAX_TERMS

    def trace(self, i: int, j: int, q: int) -> Series:
        """The sum with these three powers."""
        if j and self.isotropic:
            return self.trace(i, 0, q) * self.scales.evaluate(sigma_w**2, {}) ** j
        if self.kind in ("fixed", "edge"):
            return self._taylor(i, j, q)
        if self.scales.listed or (self.size not in self.scales.growth and self.size != sp.oo):
            return self._moments(i, j, q)
        series = self._power_law(i, j, q)
        scale = self.scales.scale(lambda_plus, i - q)
        return series * scale * self.scales.evaluate(sigma_w ** (2 * j), {})

    # -- the power law ---------------------------------------------------------------------------

    def _power_law(self, i: int, j: int, q: int) -> Series:
        x = self.kappa * self.scales.scale(lambda_plus, -1)
        s = sp.expand(b * (i - q) + j * (a - b))
        if self.kind == "resolved":
            return self._sum(_Powers(x), ((k, self._harmonic(s - b * k), q) for k in _naturals()))
        if self.kind == "infinity":
            return self._sum(
                _Powers(x), ((-q - k, self._harmonic(s + b * (q + k)), q) for k in _naturals())
            )
        y = sp.expand((1 - j * (a - b)) / b)
        amount, vector = self._pole(y, i, q)
        xs = _Powers(x)
        pole = xs(sp.expand(i - q - y)) * Series(self.scales, {vector: amount})
        regular = self._sum(xs, ((k, self._zeta(s - b * k), q) for k in _naturals()))
        if self.size == sp.oo:
            return pole + regular
        tail = self._sum(xs, ((-q - k, self._hurwitz(s + b * (q + k)), q) for k in _naturals()))
        return pole + regular - tail

    def _pole(self, y: sp.Expr, i: int, q: int) -> tuple[Any, Any]:
        """The coefficient of the ζ pole, and the constants it is multiplied by."""
        rational = (-1) ** (i + 1) * sp.expand_func(sp.rf(1 - i + y, q - 1)) / sp.factorial(q - 1)
        factor = self.scales.element(sp.together(rational))
        if y == 1 / b:
            return factor, self.scales.vector(c)
        sine = self.scales.atom(sp.pi / b / sp.sin(sp.pi * sp.together(y)))
        return factor * sine, self.scales.unit

    def _sum(self, xs: _Powers, terms: Iterator[tuple[Any, Series, int]]) -> Series:
        """Σ_k binom(−q, k) coefficient x^power, until a term is beyond the depth."""
        scales, total, first = self.scales, None, None
        for index, (power, coefficient, q) in enumerate(terms):
            if index == MAX_TERMS:
                break
            weight = scales.weight(xs.vector(power)) + (coefficient.order or 0)
            if first is None and coefficient.terms:
                first = weight
            done = weight >= first + scales.depth if first is not None else False
            if total is not None and (done or index > self.most):
                return total.known_to(weight) if done else total
            if coefficient.terms:
                term = xs(power) * coefficient * sp.binomial(-q, index)
                total = term if total is None else total + term
        raise OutsideTheoryError("κM^b ~ 1 or κ ~ 1: the spectral sums have no series there")

    def _zeta(self, argument: sp.Expr) -> Series:
        argument = sp.expand(argument)
        value = sp.zeta(argument)
        if value.is_Rational:
            return self.scales.constant(value)
        return self.scales.constant(self.scales.atom(sp.zeta(argument)))

    def _hurwitz(self, sigma: sp.Expr) -> Series:
        """ζ(σ, M+1) = M^{1−σ}/(σ−1) − M^{−σ}/2 + Σ B_{2k}/(2k)! (σ)_{2k−1} M^{1−σ−2k}."""
        scales, sigma = self.scales, sp.expand(sigma)
        total = scales.scale(self.size, 1 - sigma) * (1 / (sigma - 1))
        total = total - scales.scale(self.size, -sigma) * sp.Rational(1, 2)
        rate = scales.growth[self.size]
        k = 1
        while 2 * k * rate < scales.depth and k <= self.most:
            factor = sp.bernoulli(2 * k) / sp.factorial(2 * k)
            factor *= sp.expand_func(sp.rf(sigma, 2 * k - 1))
            total = total + scales.scale(self.size, sp.expand(1 - sigma - 2 * k)) * factor
            k += 1
        if k > self.most:  # as in `_sum`
            return total
        start = scales.weight(scales.vector(self.size, sp.expand(1 - sigma)))
        return total.known_to(start + 2 * k * rate)

    def _harmonic(self, sigma: sp.Expr) -> Series:
        if self.size == sp.oo:
            return self._zeta(sigma)
        if sp.expand(sigma) == 0:
            return self.scales.scale(self.size)
        return self._zeta(sigma) - self._hurwitz(sigma)

    # -- any spectrum ----------------------------------------------------------------------------

    def _moments(self, i: int, j: int, q: int) -> Series:
        if self.kind == "zero":
            raise OutsideTheoryError(OSCILLATION)
        if self.kind == "infinity":
            return self._sum(
                _Powers(self.kappa), ((-q - k, self._moment(i + k, j), q) for k in _naturals())
            )
        return self._sum(
            _Powers(self.kappa), ((k, self._moment(i - q - k, j), q) for k in _naturals())
        )

    def _moment(self, n: int, j: int) -> Series:
        if n == 0 and j == 0:
            return self.scales.evaluate(self.size, {})
        return self.scales.constant(self.scales.atom(Moment(n, j)))

    def _taylor(self, i: int, j: int, q: int) -> Series:
        """At κ₀(1+δ): λ^i w^{2j}/(λ+κ)^q = Σ_k binom(−q, k) (κ₀δ)^k λ^i w^{2j}/(λ+κ₀)^{q+k}."""
        scales, place = self.scales, self.place
        assert place is not None
        edge = self.kind == "edge"
        unit = scales.evaluate(place, {})
        if edge:
            unit = unit * scales.scale(lambda_plus) * scales.scale(self.size, -b)
        delta = self.kappa / unit - 1
        total = scales.constant(0)
        for k, delta_power in enumerate(powers(delta)):
            term = self._at_edge(i, j, q, k) if edge else self._at_place(i, j, q, k)
            total = total + delta_power * term * sp.binomial(-q, k)
        if self.size in scales.growth and not edge:
            total = total - self._tail(i, j, q)
        return total

    # -- the edge of the spectrum ------------------------------------------------------------------

    def _at_edge(self, i: int, j: int, q: int, k: int) -> Series:
        """κ₀^k Tr λ^i w^{2j}/(λ+κ₀)^{q+k} at κ₀ = yλ₊M^{-b}: ∫, Euler–Maclaurin, and ζ."""
        scales, n, y = self.scales, q + k, self.place
        assert y is not None
        s = sp.expand(b * (i - q) + j * (a - b))
        total = scales.scale(self.size, sp.expand(1 - s)) * scales.evaluate(
            y**k * self._bulk(i, j, n), {})  # fmt: skip
        total = total + scales.scale(self.size, -s) * scales.evaluate(
            y**k * (1 + y) ** -n / 2, {})  # fmt: skip
        order, rate = 1, scales.growth[self.size]
        share = scales.element(y.xreplace(scales.atoms))
        slopes = _slopes_at_one(scales, sp.expand(b * k - s), n, share)
        while 2 * order * rate < scales.depth:
            factor = scales.element(sp.bernoulli(2 * order) / sp.factorial(2 * order))
            value = share**k * factor * slopes(2 * order - 1)
            power = sp.expand(1 - s - 2 * order)
            total = total + scales.scale(self.size, power) * scales.constant(value)
            order += 1
        lead = scales.weight(scales.vector(self.size, sp.expand(1 - s)))
        total = total.known_to(lead + 2 * order * rate)
        low = _Powers(scales.scale(self.size, -b) * scales.evaluate(y, {}))
        head = self._sum(low, ((k + m, self._zeta(s - b * (k + m)), n) for m in _naturals()))
        scale = scales.scale(lambda_plus, i - q) * scales.evaluate(sigma_w ** (2 * j), {})
        return (total + head) * scale

    def _bulk(self, i: int, j: int, n: int) -> sp.Expr:
        """∫₀¹ u^{b(n−i)−σ}/(1+yu^b)^n du, σ = j(a−b), through the integral with n = 1."""
        y, sigma, m = self.place, sp.expand(j * (a - b)), n - i
        assert y is not None
        first, steps = sp.S.Zero, 0  # Φ(σ) = 1/(1−σ) − yΦ(σ−b), until it is an integral
        while self.scales.value(sigma - steps * b) >= 1:
            first, steps = first + (-y) ** steps / (1 + steps * b - sigma), steps + 1
        last = self._named(EdgeIntegral(sp.expand(sigma - steps * b), b, y))
        integrals = [1 / (1 - sigma), first + (-y) ** steps * last]
        for r in range(1, n):
            step = (1 - sigma) / (r * b)
            integrals.append(integrals[r] * (1 - step) + (1 + y) ** -r / (r * b))
        return sp.Add(*(sp.binomial(m, r) * (-1) ** (m - r) * integrals[n - r]
                        for r in range(m + 1))) * y**-m  # fmt: skip

    def _at_place(self, i: int, j: int, q: int, k: int) -> Series:
        """κ₀^k Tr λ^i w^{2j}/(λ+κ₀)^{q+k} in D_n(κ₀) and h_n(κ₀)."""
        assert self.place is not None
        place, n = self.place, q + k
        known = self.scales.atoms
        if j == 0:
            if i > n:
                raise OutsideTheoryError("a trace that is no D_q")
            total = sp.Add(*(sp.binomial(n - i, m) * (-1) ** m * self._degrees(i + m)
                             for m in range(n - i + 1))) * place ** (i - q)  # fmt: skip
        elif j == 1 and i >= 1:
            total = sp.Add(*(sp.binomial(i - 1, m) * (-place) ** (i - 1 - m) * place**k
                             * self._named(TargetSum(n - m, place))
                             for m in range(i)))  # fmt: skip
        else:
            raise OutsideTheoryError("a trace that is neither D_q nor h_q")
        return self.scales.evaluate(total.xreplace(known), {})

    def _degrees(self, q: int) -> sp.Expr:
        if q == 0:
            return self.size if self.size != sp.oo else sp.S.ComplexInfinity
        return self._named(DegreesOfFreedom(q, self.place))

    def _named(self, value: sp.Expr) -> sp.Expr:
        if value in self.known:
            return self.known[value]
        self.scales.atom(value)
        return value

    def _tail(self, i: int, j: int, q: int) -> Series:
        """The modes beyond M, at κ near κ₀: Σ_k binom(−q, k) ζ(s+b(q+k), M+1) x^{−q−k}."""
        x = self.kappa * self.scales.scale(lambda_plus, -1)
        s = sp.expand(b * (i - q) + j * (a - b))
        tail = self._sum(
            _Powers(x), ((-q - k, self._hurwitz(s + b * (q + k)), q) for k in _naturals())
        )
        scale = self.scales.scale(lambda_plus, i - q)
        return tail * scale * self.scales.evaluate(sigma_w ** (2 * j), {})


def _slopes_at_one(
    scales: Scales, power: sp.Expr, n: int, y: Fraction
) -> Callable[[int], Fraction]:
    """Derivatives of u^power (1+yu^b)^{-n} at u = 1, by order.

    That of order m is Σ_j c_j y^j (1+y)^{-j-n}, since b u ∂_u of w = yu^b/(1+yu^b) is b w (1−w).
    """
    exponent, rate, zero = scales.element(power), scales.element(b), scales.field.zero
    chain = [[scales.field.one]]

    def value(order: int) -> Fraction:
        while len(chain) <= order:
            known, m = [*chain[-1], zero], len(chain) - 1
            chain.append([
                known[j] * (exponent + rate * j - m) - known[j - 1] * rate * (n + j - 1)
                if j else known[0] * (exponent - m)
                for j in range(len(known))
            ])  # fmt: skip
        total, below = zero, y + 1
        for j, coefficient in enumerate(chain[order]):
            total = total + coefficient * y**j * below ** (order - j)
        return total / below ** (order + n)

    return value


class _Powers:
    """x^p for many p: the powers of δ in x = lead (1+δ) are made once."""

    def __init__(self, x: Series) -> None:
        self.scales = x.scales
        vector, coefficient = x.lead()
        self.head = Series(self.scales, {vector: coefficient})
        self.lead = vector
        delta = x * self.head**-1 - 1
        self.exact = not delta.terms and delta.cut is None
        self.delta_powers = [] if self.exact else powers(delta)
        self.memory: dict[sp.Expr, Series] = {}

    def vector(self, exponent: Any) -> Any:
        return self.scales.scaled(self.lead, sp.sympify(exponent))

    def __call__(self, exponent: Any) -> Series:
        exponent = sp.sympify(exponent)
        if exponent not in self.memory:
            head = self.head**exponent
            if not self.exact:
                head = head * binomial_sum(self.delta_powers, exponent)
            self.memory[exponent] = head
        return self.memory[exponent]


def _naturals() -> Iterator[int]:
    index = 0
    while True:
        yield index
        index += 1


__all__ = ["PREFACTOR", "Corner", "M", "Moment", "c"]
