r"""Label noise beyond the latent space at the optimal ridge, equation (188).

The condition dL/dκ = 0 can be
solved for T, because L + σ_ε² = (R + σ_ε²)/(1 − D_F/T) with R and D_F functions of κ and N alone:

    T(κ) = D_F − (R + σ_ε²) D_F'/R'.

T → ∞ as κ → 0.  Reverting T(κ) gives κ*(T), and with it L* as a series in 1/T at fixed N > M:
σ_ε² M/T as without ridge, and a correction −(…)/T² that the ridge gains.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from .limit import Limit, Setting, at_optimal_ridge

__all__ = ["regularised_noise_limit"]

D = {q: DegreesOfFreedom(q, kappa) for q in (1, 2)}
H = {q: TargetSum(q, kappa) for q in (1, 2)}


def _moment_series(field: Field, q: int, moments: Sequence[sp.Expr], first: int) -> Laurent:
    """Σ_j binom(−q, j) moments[j] x^{first+j}."""
    return Laurent.of(field, [sp.binomial(-q, j) * m for j, m in enumerate(moments)], first)


def _moment_meaning(
    names: Sequence[sp.Symbol], weight: str, first: int, sign: int = 1
) -> dict[sp.Symbol, Any]:
    """What each moment is, in words: Σ_J λ_J^k or Σ_J w_J² λ_J^k."""
    powers = [sign * (first + j) for j in range(len(names))]
    modes = [f"λ_J^{{{k}}}" if k else "" for k in powers]
    return {s: f"Σ_J {weight}{m}".strip() for s, m in zip(names, modes)}


def _moments(
    setting: Setting, names: Sequence[sp.Symbol], first: int, target: bool, sign: int = 1
) -> dict[sp.Symbol, Any]:
    """Σ (w²) λ^{±(first + j)} for each name."""
    zero = mpmath.mpf(0)
    return {
        s: setting.spectrum.resolvent_sum(zero, sign * (first + j), 0, target=target)
        for j, s in enumerate(names)
    }


class ResolvedModes:
    """All sums at κ → 0, finite M, through Λ_j = Σ λ^{-j} and W_j = Σ w² λ^{-j}."""

    def __init__(self, terms: int, *others: sp.Expr) -> None:
        count = terms + 2
        self.inverse = sp.symbols(f"Lambda_1:{count + 2}", positive=True)
        self.power = sp.symbols(f"W_0:{count + 2}", positive=True)
        self.field = Field([M, *others, *self.inverse, *self.power])
        modes = [M, *self.inverse]
        self.images = {
            kappa: Laurent.of(self.field, [1] + [0] * count, 1),
            **{D[q]: _moment_series(self.field, q, modes[:count], 0) for q in (1, 2)},
            **{
                H[q]: _moment_series(self.field, q, self.power[q - 1 : q - 1 + count], 0)
                for q in (1, 2)
            },
        }
        self.meaning = _moment_meaning(self.inverse, "", 1, -1) | _moment_meaning(
            self.power, "w_J² ", 0, -1
        )

    def constants(self, setting: Setting) -> dict[sp.Symbol, Any]:
        """The numbers Λ_j and W_j of a spectrum."""
        return _moments(setting, self.inverse, 1, False, -1) | _moments(
            setting, self.power, 0, True, -1
        )


def _beyond(setting: Setting) -> Any:
    size = setting.spectrum.size
    if not (size < setting.features and size < setting.samples):
        raise InputError("N, T", (setting.features, setting.samples), f"both above M = {size}")
    return mpmath.mpmathify(setting.samples)


def _only_kappa(name: str, series: Expansion) -> Expansion:
    if name != "kappa":
        raise InputError("series", repr(name), "loss or kappa, in this regime")
    return series


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
    kappa_series = Expansion.of_laurent(
        optimum, T, sp.oo, max(1, terms - 1), definitions=definitions
    )
    when = "N > M, T ≫ M, σ_ε² > 0, ridge optimal: T ≫ σ_ε² Λ₁²/(M W₁)"
    return Limit(
        "noise-regularised",
        "Noise beyond the latent space, optimal ridge",
        when,
        Expansion.of_laurent(loss, T, sp.oo, terms, definitions=definitions),
        variable_of=_beyond,
        constants=modes.constants,
        expand=lambda name: _only_kappa(name, kappa_series),
        exact=at_optimal_ridge,
        meaning={**definitions, **modes.meaning},
    )


@cache
def _bias_and_freedom() -> tuple[sp.Expr, sp.Expr]:
    """R and D_F of L + σ_ε² = (R + σ_ε²)/(1 − D_F/T), read off formula (4)."""
    formula = sp.together(excess_loss_formula(kappa) + sigma_eps**2)
    at_infinite = sp.limit(sp.cancel(formula.subs(T, 1 / sp.Symbol("x"))), sp.Symbol("x"), 0)
    bias = sp.cancel(at_infinite.subs(sigma_eps, 0))
    share = sp.cancel(sp.together(1 - (bias + sigma_eps**2) / formula) * T)
    return bias, sp.factor(share)
