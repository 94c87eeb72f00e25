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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ... import notation as symbols
from ...errors import InputError, OutsideTheoryError
from .mellin import Gamma, HurwitzZeta, MellinTransform, Zeta
from .ordering import Ordering
from .series import Expansion, Order, Validity

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
    if regime == "kappa->0":
        return _small(s, b, q, terms, ordering, variable)
    if regime == "kappa->inf":
        return _large(s, b, q, terms, size, ordering, variable)
    if regime == "kappa*M^b<<1":
        return _below(s, b, q, terms, size, ordering, variable)
    return FiniteSizeSeries(
        _small(s, b, q, terms, ordering, variable), _tail(s, b, q, terms, size, ordering, variable)
    )


def _require_convergence(s: sp.Expr, b: sp.Expr, q: sp.Expr, ordering: Ordering) -> None:
    if ordering.sign(s + b * q - 1) <= 0:
        raise InputError(
            "s + b*q",
            sp.expand(ordering.value(s + b * q)),
            "a value > 1: the terms fall as "
            "J^-(s + b*q), so the sum over infinitely many modes diverges (take a finite size)",
        )


def _small(
    s: sp.Expr, b: sp.Expr, q: sp.Expr, terms: int, ordering: Ordering, variable: sp.Symbol
) -> Expansion:
    """κ → 0 at M = ∞: the poles of Γ(u) and of ζ(s+bu) to the left of the strip."""
    transform = power_sum_transform(s, b, q, ordering)
    validity = Validity(
        sp.S.Zero,
        sp.S.One,
        "κ below 1, the smaller the better",
        'at larger κ use the regime "kappa->inf", which converges for κ > 1',
    )
    return transform.series(variable, 0, terms, ordering, validity)


def _large(
    s: sp.Expr,
    b: sp.Expr,
    q: sp.Expr,
    terms: int,
    size: sp.Expr,
    ordering: Ordering,
    variable: sp.Symbol,
) -> Expansion:
    """κ → ∞: the poles of Γ(q−u), each mode's geometric series."""
    validity = Validity(
        sp.S.One,
        sp.oo,
        "κ above 1: every mode is below the resolution κ",
        'at smaller κ use the regime "kappa->0" (infinite size) or '
        '"kappa*M^b<<1", "kappa*M^b>>1" (finite size)',
    )
    coefficients = [
        (sp.binomial(-q, j) * harmonic_number(s + b * (q + j), size, ordering), -q - j)
        for j in range(terms)
    ]
    return Expansion.build(
        variable, sp.oo, coefficients, order=-q - terms, ordering=ordering, validity=validity
    )


def _below(
    s: sp.Expr,
    b: sp.Expr,
    q: sp.Expr,
    terms: int,
    size: sp.Expr,
    ordering: Ordering,
    variable: sp.Symbol,
) -> Expansion:
    """κM^b < 1: every mode is resolved, the binomial series of each term."""
    validity = Validity(
        sp.S.Zero,
        size**-b,
        "κ below the smallest eigenvalue M^-b",
        'at larger κ use the regime "kappa*M^b>>1"',
    )
    coefficients = [
        (sp.binomial(-q, j) * harmonic_number(s - b * j, size, ordering), j) for j in range(terms)
    ]
    return Expansion.build(
        variable, 0, coefficients, order=terms, ordering=ordering, validity=validity
    )


def _tail(
    s: sp.Expr,
    b: sp.Expr,
    q: sp.Expr,
    terms: int,
    size: sp.Expr,
    ordering: Ordering,
    variable: sp.Symbol,
) -> Expansion:
    """Σ_{J>M} J^{−s}/(1+κJ^b)^q for κ(M+1)^b > 1, continued in s where it diverges."""
    for j in range(terms):
        if ordering.sign(s + b * (q + j) - 1) == 0:
            raise OutsideTheoryError(
                f"s + b(q+{j}) = 1: the tail and the infinite sum share a logarithm in M; "
                "use the exact power sum, or the regime kappa*M^b<<1"
            )
    validity = Validity(
        (size + 1) ** -b,
        sp.oo,
        "κ above the first eigenvalue left out, (M+1)^-b",
        'at smaller κ use the regime "kappa*M^b<<1"',
    )
    coefficients = [
        (sp.binomial(-q, j) * HurwitzZeta(s + b * (q + j), size + 1), -q - j) for j in range(terms)
    ]
    return Expansion.build(
        variable, sp.oo, coefficients, order=-q - terms, ordering=ordering, validity=validity
    )


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
        return self.head(kappa, terms, check, **_known(self.head, values)) - self.tail(
            kappa, terms, check, **_known(self.tail, values)
        )

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


def _known(series: Expansion, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those parameters that occur in one of the two series."""
    written = series.resolved()
    names = {
        str(s) for t in written.terms for s in t.coefficient.free_symbols | t.power.free_symbols
    }
    names |= {str(s) for s in written.validity.low.free_symbols}
    return {n: v for n, v in values.items() if n in names}
