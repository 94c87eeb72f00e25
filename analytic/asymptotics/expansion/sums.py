r"""Series of the power sums P(s, b, q; κ, M) = Σ_{J=1}^{M} J^{−s}/(1 + κJ^b)^q in every corner.

With f(x) = (1+x)^{−q}, f̃(u) = Γ(u)Γ(q−u)/Γ(q), the Mellin transform of the infinite sum is

    Φ(u) = Γ(u) Γ(q−u) ζ(s + bu)/Γ(q),      max(0, (1−s)/b) < Re u < q,

which is not empty exactly when s + bq > 1, the condition for the sum to converge.

    regime             series                                                 converges
    κ → 0,  M = ∞      ζ pole (1/b) B((1−s)/b, q−(1−s)/b) κ^{−(1−s)/b}        asymptotic for b > 1
                       + Σ_j binom(−q, j) ζ(s−bj) κ^j; log κ where both meet
    κ → ∞,  M = ∞      Σ_j binom(−q, j) ζ(s+b(q+j)) κ^{−q−j}                  κ > 1
    κM^b < 1           Σ_j binom(−q, j) H_M(s−bj) κ^j                         κM^b < 1
    κM^b > 1           (series at M = ∞)                                      κ(M+1)^b > 1
                       − Σ_j binom(−q, j) ζ(s+b(q+j), M+1) κ^{−q−j}

H_M(σ) = Σ_{J≤M} J^{−σ} = ζ(σ) − ζ(σ, M+1).  The Hurwitz tail has its own series in M,

    ζ(σ, M+1) = M^{1−σ}/(σ−1) − M^{−σ}/2 + Σ_{k≥1} B_{2k}/(2k)! (σ)_{2k−1} M^{1−σ−2k},

and Σ_J J^{−s} exp(−tJ^{−b}), the loss of a gradient flow, has Φ(u) = Γ(u) ζ(s−bu): one pole to the
right, and an error smaller than any power of t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ... import notation as symbols
from ...errors import InputError, OutsideTheoryError
from .asymptotic_series import Expansion
from .mellin import Gamma, HurwitzZeta, MellinTransform, Zeta
from .ordering import Ordering
from .truncated_series import Order, Validity

__all__ = [
    "FiniteSizeSeries",
    "decay_sum",
    "expand_power_sum",
    "harmonic_number",
    "hurwitz_tail",
    "power_sum_transform",
]

REGIMES = ("kappa->0", "kappa->inf", "kappa*M^b<<1", "kappa*M^b>>1")


def power_sum_transform(
    s: Any, b: Any, q: Any, ordering: Ordering | None = None
) -> MellinTransform:
    """Φ(u) of the infinite sum, with its strip max(0, (1−s)/b) < Re u < q.

    ``ordering`` is needed where s, b are symbols, to tell which of the two edges is the larger.
    """
    s, b, q = map(sp.sympify, (s, b, q))
    edge = (1 - s) / b
    if (ordering or Ordering()).sign(edge) <= 0:
        edge = sp.S.Zero
    return MellinTransform(
        (Gamma(sp.S.Zero, sp.S.One), Gamma(q, -sp.S.One), Zeta(s, b)), (edge, q), 1 / sp.gamma(q)
    )


def expand_power_sum(
    s: Any,
    b: Any,
    q: Any,
    regime: str,
    terms: int = 4,
    *,
    size: Any = sp.oo,
    ordering: Ordering | None = None,
    variable: sp.Symbol = symbols.kappa,
) -> Expansion | FiniteSizeSeries:
    """The series of P(s, b, q; κ, M) in one of the four regimes.

    ``regime`` is one of "kappa->0", "kappa->inf" (M = ∞ or finite), "kappa*M^b<<1" and
    "kappa*M^b>>1" (finite M, number or symbol).  ``terms`` counts terms (poles).  Raises InputError
    for an unknown regime, a regime that needs the other kind of size, and a divergent sum.

    >>> b = symbols.b
    >>> D1 = expand_power_sum(0, b, 1, "kappa->0", 3, ordering=Ordering({b: 1.5}, {b: (1, sp.oo)}))
    >>> [t.power for t in D1.terms], D1.terms[1].coefficient, D1.terms[2].coefficient
    ([-1/b, 0, 1], -1/2, -zeta(-b))
    """
    s, b, q, size = map(sp.sympify, (s, b, q, size))
    ordering = ordering or Ordering()
    if regime not in REGIMES:
        raise InputError("regime", repr(regime), f"one of {', '.join(REGIMES)}")
    if terms < 1:
        raise InputError("terms", terms, "an integer ≥ 1")
    if ordering.sign(b) <= 0 or ordering.sign(q) <= 0:
        raise InputError("b, q", (b, q), "positive exponents")
    if size == sp.oo:
        if regime.startswith("kappa*"):
            raise InputError("size", size, f"a finite number of modes in the regime {regime}")
        _require_convergence(s, b, q, ordering)
    elif regime == "kappa->0":
        raise InputError(
            "regime",
            repr(regime),
            "kappa*M^b<<1 or kappa*M^b>>1 for a finite "
            "number of modes: at κ → 0 they are different",
        )
    sums = _Corners(s, b, q, terms, size, ordering, variable)
    if regime == "kappa*M^b>>1":
        return FiniteSizeSeries(sums.small(), sums.tail())
    corner = {"kappa->0": sums.small, "kappa->inf": sums.large, "kappa*M^b<<1": sums.below}
    return corner[regime]()


def _require_convergence(s: sp.Expr, b: sp.Expr, q: sp.Expr, ordering: Ordering) -> None:
    if ordering.sign(s + b * q - 1) <= 0:
        raise InputError(
            "s + b*q",
            sp.expand(ordering.value(s + b * q)),
            "a value > 1: the terms fall as "
            "J^-(s + b*q), so the sum over infinitely many modes diverges (take a finite size)",
        )


@dataclass(frozen=True)
class _Corners:
    """One power sum, expanded in each corner to a number of terms."""

    s: sp.Expr
    b: sp.Expr
    q: sp.Expr
    terms: int
    size: sp.Expr
    ordering: Ordering
    variable: sp.Symbol

    def small(self) -> Expansion:
        """κ → 0 at M = ∞: the poles of Γ(u) and of ζ(s+bu) to the left of the strip."""
        transform = power_sum_transform(self.s, self.b, self.q, self.ordering)
        validity = Validity(
            sp.S.Zero,
            sp.S.One,
            "κ below 1, the smaller the better",
            'at larger κ use the regime "kappa->inf", which converges for κ > 1',
        )
        return transform.series(self.variable, 0, self.terms, self.ordering, validity)

    def large(self) -> Expansion:
        """κ → ∞: the poles of Γ(q−u), each mode's geometric series."""
        validity = Validity(
            sp.S.One,
            sp.oo,
            "κ above 1: every mode is below the resolution κ",
            'at smaller κ use the regime "kappa->0" (infinite size) or '
            '"kappa*M^b<<1", "kappa*M^b>>1" (finite size)',
        )
        return self._geometric(True, self._harmonic, validity)

    def below(self) -> Expansion:
        """κM^b < 1: every mode is resolved, the binomial series of each term."""
        validity = Validity(
            sp.S.Zero,
            self.size**-self.b,
            "κ below the smallest eigenvalue M^-b",
            'at larger κ use the regime "kappa*M^b>>1"',
        )
        return self._geometric(False, self._harmonic, validity)

    def tail(self) -> Expansion:
        """Σ_{J>M} J^{−s}/(1+κJ^b)^q for κ(M+1)^b > 1, continued in s where it diverges."""
        validity = Validity(
            (self.size + 1) ** -self.b,
            sp.oo,
            "κ above the first eigenvalue left out, (M+1)^-b",
            'at smaller κ use the regime "kappa*M^b<<1"',
        )
        return self._geometric(True, self._hurwitz, validity)

    def _geometric(
        self, large: bool, moment: Callable[[sp.Expr], sp.Expr], validity: Validity
    ) -> Expansion:
        """Σ_j binom(−q, j) moment(σ_j) κ^{p_j}: σ_j = s+b(q+j), p_j = −q−j; else s−bj, j."""
        powers = [-self.q - j if large else sp.Integer(j) for j in range(self.terms + 1)]
        terms = [
            (sp.binomial(-self.q, j) * moment(self.s - self.b * power), power)
            for j, power in enumerate(powers[:-1])
        ]
        return Expansion.build(
            self.variable,
            sp.oo if large else 0,
            terms,
            order=powers[-1],
            ordering=self.ordering,
            validity=validity,
        )

    def _harmonic(self, exponent: sp.Expr) -> sp.Expr:
        return harmonic_number(exponent, self.size, self.ordering)

    def _hurwitz(self, exponent: sp.Expr) -> sp.Expr:
        if self.ordering.sign(exponent - 1) == 0:
            raise OutsideTheoryError(
                f"{exponent} = 1: the tail and the infinite sum share a logarithm in M; "
                "use the exact power sum, or the regime kappa*M^b<<1"
            )
        return HurwitzZeta(exponent, self.size + 1)


def harmonic_number(exponent: Any, size: Any, ordering: Ordering) -> sp.Expr:
    """H_M(σ) = Σ_{J=1}^{M} J^{−σ}; ζ(σ) at M = ∞.

    >>> sp.N(harmonic_number(sp.Rational(-3, 2), 3, Ordering()), 15)
    9.02457954745282
    """
    exponent, size = sp.sympify(exponent), sp.sympify(size)
    if size == sp.oo:
        return sp.zeta(exponent)
    if ordering.sign(exponent - 1) == 0:
        return sp.digamma(size + 1) + sp.EulerGamma
    return sp.zeta(exponent) - HurwitzZeta(exponent, size + 1)


def hurwitz_tail(
    exponent: Any, variable: sp.Symbol = symbols.M, terms: int = 4, ordering: Ordering | None = None
) -> Expansion:
    """The series of ζ(σ, M+1) = Σ_{J>M} J^{−σ} (continued in σ ≠ 1) at M → ∞, Euler–Maclaurin.

    >>> M = symbols.M
    >>> hurwitz_tail(2, M, 3).expression
    1/M - 1/(2*M**2) + 1/(6*M**3)
    """
    sigma, ordering = sp.sympify(exponent), ordering or Ordering()
    if ordering.sign(sigma - 1) == 0:
        raise InputError("exponent", sigma, "a value other than 1, where the sum is logarithmic")
    pieces = [(1 / (sigma - 1), 1 - sigma), (-sp.Rational(1, 2), -sigma)]
    for k in range(1, terms + 1):
        pieces.append(
            (
                sp.bernoulli(2 * k) / sp.factorial(2 * k) * sp.expand_func(sp.rf(sigma, 2 * k - 1)),
                1 - sigma - 2 * k,
            )
        )
    series = Expansion.build(
        variable, sp.oo, pieces[:terms], order=pieces[terms][1], ordering=ordering
    )
    return series


def decay_sum(
    s: Any, b: Any, variable: sp.Symbol = symbols.t, ordering: Ordering | None = None
) -> Expansion:
    """The series of Σ_{J≥1} J^{−s} exp(−t J^{−b}) at t → ∞, for s > 1.

    Modes with J ≪ t^{1/b} are learnt, the others are not: (1/b) Γ((s−1)/b) t^{−(s−1)/b}.  Γ(u) has
    no pole to the right, so that nothing else stands in the power series.
    """
    s, b, ordering = sp.sympify(s), sp.sympify(b), ordering or Ordering()
    if ordering.sign(s - 1) <= 0:
        raise InputError("s", ordering.value(s), "a value > 1, else the sum diverges")
    transform = MellinTransform((Gamma(sp.S.Zero, sp.S.One), Zeta(s, -b)), (sp.S.Zero, (s - 1) / b))
    validity = Validity(sp.S.One, sp.oo, "t λ_1 above 1", "at early times expand in powers of t")
    return transform.series(variable, sp.oo, 1, ordering, validity)


@dataclass(frozen=True)
class FiniteSizeSeries:
    """P = head − tail for (M+1)^{-b} < κ < 1: two series on two scales, κ → 0 and κM^b → ∞."""

    head: Expansion
    tail: Expansion

    def __call__(
        self, kappa: Any, terms: int | None = None, check: bool = True, **values: Any
    ) -> Any:
        """Value of both series; faces and errors as for :class:`Expansion`."""
        parts = (self.head, self.tail)
        known = ({k: v for k, v in values.items() if k in part.parameter_names} for part in parts)
        head, tail = (part(kappa, terms, check, **own) for part, own in zip(parts, known))
        return head - tail

    @property
    def expression(self) -> sp.Expr:
        """The kept terms of both series as one sympy expression."""
        return self.head.expression - self.tail.expression

    @property
    def remainders(self) -> tuple[Order | None, Order | None]:
        """The order of the remainder on each of the scales."""
        return self.head.remainder, self.tail.remainder

    def latex(self) -> str:
        """LaTeX: the head, then the tail in brackets."""
        return rf"{self.head.latex()} - \left[{self.tail.latex()}\right]"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return f"{self.head} - [{self.tail}]"
