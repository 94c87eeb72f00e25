r"""The scaling regimes of a power law, M = ∞: N ≪ T, T ≪ N, N/T fixed, and the optimal ridge.

With x = κ/λ₊ every sum is a power sum, whose series at x → 0 has one ζ pole and integer powers:

    D_q = P(0, b, q; x),   h_1 = σ_w² P(a−b, b, 1; x),   h_2 = σ_w²/λ₊ · P(a−2b, b, 2; x).

Ridgeless means D₁(κ) = n = min(N, T).  Reverting D₁ gives κ as a series in n, and putting it into
the general formula (4) of the static loss gives the loss as a series in n whose coefficients are
exact functions of r = min/max.  The expansion at n → ∞ with r fixed is thus one object; r → 0 gives
N ≪ T and T ≪ N.

D₁ = c x^{-1/b} − 1/2 − ζ(−b) x + … : the constant ζ(0) = −1/2 is why x = (c/(n+½))^b up to a
relative error n^{-b-1}.

At the optimal ridge (isotropic target) D₁ = N d is free, x = x(D₁), and L = N^{-α} Σ ℓ_i(d; r)
N^{-i}; the minimum over d follows by perturbation from the leading order, whose stationary point d₀
is the quadratic solved in `analytic.optimal_ridge`:

    L* = N^{-α} [ℓ₀ + ℓ₁/N + (ℓ₂ − ℓ₁'²/(2ℓ₀''))/N² + …] at d₀.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import sympy as sp

from ... import notation as symbols
from ...algebra import Field, Laurent, substitute_laurent
from ...errors import InputError
from ...loss import excess_loss_formula
from ...notation import N, T, b, kappa, lambda_plus, sigma_eps, sigma_w
from ...optimal_ridge import scaling_optimum
from ...spectral_functions import DegreesOfFreedom, isotropic
from ..balance.corner_sums import PREFACTOR, c
from ..expansion import Expansion, Ordering, expand_power_sum
from .limit import Limit, Setting, at_optimal_ridge, ratio
from .stated import scaling_ordering

__all__ = ["optimal_ridge_limit"]

D = {q: DegreesOfFreedom(q, kappa) for q in (1, 2)}


def _at_zero(s: sp.Expr, q: int, terms: int, ordering: Ordering) -> Expansion:
    """P(s, b, q; κ, ∞) at κ → 0."""
    series = expand_power_sum(s, b, q, "kappa->0", terms, ordering=ordering)
    assert isinstance(series, Expansion)
    return series


def degrees_series(q: int, terms: int, ordering: Ordering) -> Expansion:
    """D_q as a series in x = κ/λ₊ (called κ), with the constant c named."""
    series = _at_zero(sp.S.Zero, q, terms, ordering)
    lead = series.lead
    named = c * sp.simplify(lead.coefficient / PREFACTOR)
    return replace(
        series,
        terms=(replace(lead, coefficient=named), *series.terms[1:]),
        definitions={c: PREFACTOR},
    )


def _relative(series: Expansion, depth: int) -> Expansion:
    """Cut a series in x at relative order n^{-depth}, x ~ n^{-b}."""
    return series.truncate(series.lead.power + sp.Integer(depth) / b)


def optimal_ridge_limit(exponent: Any, terms: int = 3) -> Limit:
    """The loss at the optimal ridge, isotropic target, as a series in N at fixed ratio N/T = r.

    r may be any positive number.  Up to three terms: relative corrections 1/N and 1/N².
    """
    if not 1 <= terms <= 3:
        raise InputError("terms", terms, "1, 2 or 3 (later corrections mix with N^-(b+1))")
    d = sp.Symbol("d", positive=True)
    ordering = scaling_ordering({b: exponent})
    levels = _levels_at_fixed_share(d)
    optimum = sp.Symbol("d_0", positive=True)
    second = [sp.diff(levels[0], d, 2), sp.diff(levels[1], d)]
    coefficients = [levels[0], levels[1], levels[2] - second[1] ** 2 / (2 * second[0])]
    coefficients = [sp.factor(sp.powsimp(sp.factor(q))).subs(d, optimum) for q in coefficients]
    share = scaling_optimum().subs(
        {symbols.alpha: b - 1, T: 1 / ratio, N: 1}
    )  # homogeneous in N, T
    loss = Expansion.build(
        N,
        sp.oo,
        [(q, 1 - b - i) for i, q in enumerate(coefficients)],
        order=-2 * b if ordering.value(b) < 2 else -b - 2,
        ordering=ordering,
        definitions={c: PREFACTOR, optimum: share},
    )
    x = _relative(degrees_series(1, 4, ordering), 3).revert(sp.Symbol("D_1", positive=True))
    kappa_series = (x * lambda_plus).scale_variable(optimum, 1, N)
    kappa_series = replace(kappa_series, definitions=loss.definitions).keep(1)
    when = (
        "M = ∞, isotropic target, no noise, N and T large at a fixed ratio, ridge optimal; "
        "no peak at N = T"
    )
    return Limit(
        "optimal-ridge",
        "Optimal ridge at fixed N/T",
        when,
        loss.keep(min(terms, len(loss.terms))),
        variable_of=lambda s: s.features,
        constants=_any_ratio,
        expand=lambda name: kappa_series,
        exact=at_optimal_ridge,
        meaning={ratio: N / T, c: PREFACTOR, optimum: sp.Symbol("D_1^*") / N},
    )


def _any_ratio(setting: Setting) -> Mapping[sp.Symbol, Any]:
    import mpmath

    return {ratio: mpmath.mpmathify(setting.features) / mpmath.mpmathify(setting.samples)}


@cache
def _levels_at_fixed_share(d: sp.Symbol) -> list[sp.Expr]:
    """ℓ₀, ℓ₁, ℓ₂ of L = N^{1−b} Σ ℓ_i N^{-i} at D₁ = N d, T = N/r.

    The next relative order, N^{-b-1}, is beyond.  x = (c/(D₁+½))^b and
    D₂ = (b−1)/b (D₁+½) − ½ + O(x), both read off their series.
    """
    share = sp.Symbol("D_1", positive=True)
    ordering = scaling_ordering({b: 2})
    x = _relative(degrees_series(1, 4, ordering), 3).revert(share)
    d2 = _relative(degrees_series(2, 4, ordering), 3).compose(x)
    field = Field([b, d, ratio])
    rows = [
        [
            sp.simplify(t.coefficient / x.lead.coefficient) * d**-i
            for i, t in enumerate(x.terms[:3])
        ],
        [sp.factor(d2.terms[0].coefficient) * d, d2.terms[1].coefficient, 0],
    ]
    small = {
        kappa: Laurent.of(field, rows[0]),
        D[2]: Laurent.of(field, rows[1], -1),
        D[1]: Laurent.of(field, [d, 0, 0], -1),
        N: Laurent.of(field, [1, 0, 0], -1),
    }
    formula = isotropic(excess_loss_formula(kappa), sp.S.One).subs(sigma_eps, 0).subs(T, N / ratio)
    loss = substitute_laurent(formula, small)  # N^{-1} counts; κ in units of c^b (N d)^{-b}
    scale = sigma_w**2 * lambda_plus * c**b * d**-b
    return [scale * loss[i - 1].factored() for i in range(3)]
