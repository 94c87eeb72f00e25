r"""Label noise: how much of it survives, and the 1/T fall-off beyond the latent space.

The loss is linear in the noise at fixed κ, L = L₀ + σ_ε² V, so for σ_ε² → ∞ two terms are all of
it. V is formula (4) at L₀ = 0:

    N < T, N < M, ridgeless     V = N/(T − N)
    T < N, T < M, ridgeless     V = T/s − 1 + T/(N − T),     s = T − D₂(κ₀) = Σ λκ₀/(λ+κ₀)²
    N, T > M                    V = M/(T − M)

half of which, times σ_ε², is what equation (186) of the solvable-model paper amounts to.

With the optimal ridge beyond the latent space (equation (188)) the condition dL/dκ = 0 can be
solved for T, because L + σ_ε² = (R + σ_ε²)/(1 − D_F/T) with R and D_F functions of κ and N alone:

    T(κ) = D_F − (R + σ_ε²) D_F'/R'.

T → ∞ as κ → 0.  Reverting T(κ) gives κ*(T), and with it L* as a series in 1/T at fixed N > M:
σ_ε² M/T as without ridge, and a correction −(…)/T² that the ridge gains.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import sympy as sp

from ...algebra import Field, Laurent, substitute_laurent
from ...errors import InputError
from ...loss import excess_loss_formula
from ...notation import M, N, T, kappa, sigma_eps
from ...spectral_functions import DegreesOfFreedom, TargetSum
from ..expansion import Expansion
from .limit import Limit, Setting, at_optimal_ridge, signs_resolved, with_noise
from .local import ResolvedModes, kappa_0, ridgeless_kappa, ridgeless_words

__all__ = ["amplification", "noise_beyond_limit", "noise_limit", "regularised_noise_limit"]

D = {q: DegreesOfFreedom(q, kappa) for q in (1, 2)}
H = {q: TargetSum(q, kappa) for q in (1, 2)}
variance = sp.Symbol("s", positive=True)  #: σ_ε²


@cache
def amplification(regime: str) -> sp.Expr:
    """V in L = L₀ + σ_ε² V, from formula (4): ``regime`` is "N", "T" (the smaller) or "M".

    >>> amplification("N")
    N/(-N + T)
    >>> amplification("M")
    -M/(M - T)
    """
    formula = excess_loss_formula()
    at = {"N": {D[1]: N}, "T": {D[1]: T}, "M": {D[1]: M, D[2]: M, kappa: 0}}
    if regime not in at:
        raise InputError("regime", repr(regime), "N, T or M")
    coefficient = sp.diff(sp.together(formula), sigma_eps, 2) / 2
    return signs_resolved(sp.factor(sp.cancel(sp.together(coefficient.subs(at[regime])))))


def noise_limit(smaller: str) -> Limit:
    """σ_ε² → ∞ at fixed N and T: L = σ_ε² V + L₀, exactly two terms."""
    size = {"N": N, "T": T}[smaller]
    formula = excess_loss_formula().subs(sigma_eps, 0).subs(D[1], size)
    rest = signs_resolved(sp.factor(sp.cancel(sp.together(formula)).subs(kappa, kappa_0)))
    factor = amplification(smaller).subs(kappa, kappa_0)
    loss = Expansion.build(variance, sp.oo, [(factor, 1), (rest, 0)])
    when = (
        f"{smaller} the smaller size, below M; σ_ε² V above the noiseless loss; exact for "
        "every σ_ε² at zero ridge"
    )
    kappa_series = Expansion.build(variance, sp.oo, [(kappa_0, 0)])
    return Limit(
        "noise",
        "Noise-dominated loss",
        when,
        loss,
        kappa_series,
        variable_of=lambda s: s.noise,
        constants=ridgeless_kappa,
        exact=with_noise,
        meaning={kappa_0: ridgeless_words(size), variance: sigma_eps**2},
    )


def noise_beyond_limit(terms: int = 3) -> Limit:
    """N, T > M at zero ridge: σ_ε² M/(T − M) as a series in 1/T, equation (186)'s fall-off."""
    exact = amplification("M") * sigma_eps**2
    x = sp.Dummy("x", positive=True)
    taylor = sp.series(sp.cancel(exact.subs(T, 1 / x)), x, 0, terms + 1).removeO()
    loss = Expansion.build(
        T, sp.oo, [(taylor.coeff(x, j), -j) for j in range(1, terms + 1)], order=-terms - 1
    )
    when = "N > M and T > M, zero ridge: the noiseless loss is zero, T ≫ M for the series"
    return Limit(
        "noise-beyond",
        "Noise beyond the latent space",
        when,
        loss,
        Expansion.build(T, sp.oo, []),
        variable_of=_beyond,
        constants=lambda s: {},
        exact=with_noise,
    )


def _beyond(setting: Setting) -> Any:
    size = setting.spectrum.size
    if not (size < setting.features and size < setting.samples):
        raise InputError("N, T", (setting.features, setting.samples), f"both above M = {size}")
    return mpmath.mpmathify(setting.samples)


def regularised_noise_limit(terms: int = 3) -> Limit:
    """N, T > M at the optimal ridge: L* as a series in 1/T at fixed N, as in equation (188)."""
    modes = ResolvedModes(terms + 1, N)
    bias, freedom = (substitute_laurent(e, modes.images) for e in _bias_and_freedom())
    count = terms + 2
    rho = sp.symbols(f"rho_2:{count + 2}", positive=True)  # R = ρ₂κ² + ρ₃κ³ + …
    phi = sp.symbols(f"phi_1:{count}", positive=True)  # D_F = M + φ₁κ + φ₂κ² + …
    field = Field([M, sigma_eps, *rho, *phi])
    named_bias = Laurent.of(field, rho, 2)
    named_freedom = Laurent.of(field, [M, *phi])
    total = named_bias + sigma_eps**2
    inverse_time = (
        named_freedom - total * named_freedom.derivative() / named_bias.derivative()
    ).power(-1)
    optimum = inverse_time.revert()  # κ* as a series in 1/T
    x = Laurent.of(field, [1] + [0] * (terms + 3), 1)
    loss = total.compose(optimum) / (1 - named_freedom.compose(optimum) * x) - sigma_eps**2
    definitions = {r: bias[2 + i].factored() for i, r in enumerate(rho)}
    definitions |= {f: freedom[1 + i].factored() for i, f in enumerate(phi)}
    when = "N > M, T ≫ M, σ_ε² > 0, ridge optimal: T ≫ σ_ε² Λ₁²/(M W₁)"
    return Limit(
        "noise-regularised",
        "Noise beyond the latent space, optimal ridge",
        when,
        Expansion.of_laurent(loss, T, sp.oo, terms, definitions=definitions),
        Expansion.of_laurent(optimum, T, sp.oo, max(1, terms - 1), definitions=definitions),
        variable_of=_beyond,
        constants=modes.constants,
        exact=at_optimal_ridge,
        meaning={**definitions, **modes.meaning},
    )


@cache
def _bias_and_freedom() -> tuple[sp.Expr, sp.Expr]:
    """R and D_F of L + σ_ε² = (R + σ_ε²)/(1 − D_F/T), read off formula (4)."""
    formula = sp.together(excess_loss_formula() + sigma_eps**2)
    at_infinite = sp.limit(sp.cancel(formula.subs(T, 1 / sp.Symbol("x"))), sp.Symbol("x"), 0)
    bias = sp.cancel(at_infinite.subs(sigma_eps, 0))
    share = sp.cancel(sp.together(1 - (bias + sigma_eps**2) / formula) * T)
    return bias, sp.factor(share)
