r"""Limits in integer powers: small ridge, large ridge, breakdown at finite M.

They hold for any spectrum.  All are Taylor or Laurent series over a field of rational functions.

- ridge → 0: with κ = κ₀(1+δ), p = λ/(λ+κ₀) and λ+κ = (λ+κ₀)(1 + (1−p)δ),

      D_q(κ)       = Σ_j binom(−q, j) δ^j Σ_i binom(j, i) (−1)^i D_{q+i}(κ₀),
      κ₀^q h_q(κ)  = Σ_j binom(−q, j) δ^j κ₀^{q+j} h_{q+j}(κ₀).

  N ≠ T: equation (1) gives z/κ₀ as a series in δ that begins with δ; reverted, κ and L are series
  in z = γ/(σ_u² N T).  N = T: both brackets close at once and √(z/κ₀) = (1 − D₁/N)√(1+δ) begins
  with δ; κ and L are series in √z, and L begins with z^{-1/2}: the height of the double-descent
  peak.
- ridge → ∞: D_q = Σ_j binom(−q, j) t_{q+j} κ^{−q−j}, t_j = Σ λ^j, and likewise h_q with
  τ_j = Σ w² λ^j: series in 1/z.
- breakdown, n = min(N, T) → M: κ → 0, D_q = Σ_j binom(−q, j) Λ_j κ^j with Λ_j = Σ λ^{-j}, Λ_0 = M:
  a series in the number m = M − n of modes that cannot be resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import sympy as sp

from ...algebra import Field, Laurent, substitute_laurent
from ...errors import InputError
from ...loss import excess_loss_formula
from ...notation import M, N, T, kappa, sigma_eps
from ...resolvent import self_consistent_equation, solve
from ...spectral_functions import DegreesOfFreedom, TargetSum
from ..expansion import Expansion
from .limit import Limit, Setting, signs_resolved

__all__ = [
    "breakdown_limit",
    "kappa_0",
    "large_ridge_limit",
    "ridgeless_kappa",
    "small_ridge_limit",
]

kappa_0 = sp.Symbol("kappa_0", positive=True)  #: the ridgeless κ, D₁(κ₀) = min(N, T)
missing = sp.Symbol("m", positive=True)  #: M − min(N, T)
ridge_z = sp.Symbol("z", positive=True)  #: z = γ/(σ_u² N T), real and positive here
D = {q: DegreesOfFreedom(q, kappa) for q in (1, 2)}
H = {q: TargetSum(q, kappa) for q in (1, 2)}


def ridgeless_kappa(setting: Setting) -> Mapping[sp.Symbol, Any]:
    """κ₀ of a setting, at the current precision; zero beyond breakdown."""
    n, t = mpmath.mpmathify(setting.features), mpmath.mpmathify(setting.samples)
    if min(n, t) == mpmath.inf:
        return {kappa_0: mpmath.mpf(0)}
    with mpmath.extraprec(40):
        return {kappa_0: solve(setting.spectrum, n, t, mpmath.mpf(0)).value}


def ridgeless_words(size: sp.Symbol) -> str:
    """What κ₀ is."""
    return f"the ridgeless κ, D₁(κ₀) = {size}"


def noiseless_formula() -> sp.Expr:
    """Formula (4) of the static loss at σ_ε = 0."""
    return excess_loss_formula().subs(sigma_eps, 0)


# ---- ridge → 0 ------------------------------------------------------------------------


class NearRidgeless:
    """All sums as series in δ, κ = κ₀(1+δ), in units of κ₀: D_q and κ₀^q h_q."""

    def __init__(self, order: int, size: sp.Symbol, *others: sp.Symbol) -> None:
        top = order + 3
        self.degrees = {q: DegreesOfFreedom(q, kappa_0) for q in range(1, top)}
        self.targets = {q: sp.Symbol(f"g_{q}") for q in range(1, top)}
        free = [self.degrees[q] for q in range(2, top)]
        self.field = Field([size, *others, *free, *self.targets.values()])
        self.degrees[1] = size
        self.order = order

    def degrees_series(self, q: int) -> Laurent:
        """D_q(κ₀(1+δ))."""
        return Laurent.of(
            self.field,
            [
                sp.binomial(-q, j)
                * sum(sp.binomial(j, i) * (-1) ** i * self.degrees[q + i] for i in range(j + 1))
                for j in range(self.order + 1)
            ],
        )

    def target_series(self, q: int) -> Laurent:
        """κ₀^q h_q(κ₀(1+δ))."""
        return Laurent.of(
            self.field, [sp.binomial(-q, j) * self.targets[q + j] for j in range(self.order + 1)]
        )

    def images(self) -> dict[sp.Expr, Laurent]:
        """Every quantity of formula (4) and of equation (1), κ in units of κ₀."""
        one = [1, 1] + [0] * (self.order - 1)
        return (
            {kappa: Laurent.of(self.field, one)}
            | {D[q]: self.degrees_series(q) for q in (1, 2)}
            | {H[q]: self.target_series(q) for q in (1, 2)}
        )

    def written_out(self, expression: sp.Expr) -> sp.Expr:
        """g_q = κ₀^q h_q(κ₀) put back."""
        return signs_resolved(expression).xreplace(
            {g: kappa_0**q * TargetSum(q, kappa_0) for q, g in self.targets.items()}
        )


def small_ridge_limit(smaller: str, terms: int = 3) -> Limit:
    """Ridge → 0 at fixed N and T; ``smaller`` is "N", "T", or "=" for N = T."""
    size = {"N": N, "T": T, "=": N}[smaller]
    equal = smaller == "="
    near = NearRidgeless(terms + 1, size, *([] if equal else [T if size == N else N]))
    images = near.images()
    formula, bracket = noiseless_formula(), self_consistent_equation().rhs
    if equal:
        closing = substitute_laurent(1 - D[1] / N, images)
        root = closing * images[kappa].power(sp.Rational(1, 2))  # √(z/κ₀)
        formula = formula.subs(T, N)
    else:
        root = substitute_laurent(bracket, images)  # z/κ₀
    shift = root.revert()
    step = sp.Rational(1, 2) if equal else sp.Integer(1)
    series = substitute_laurent(formula, images).compose(shift)
    loss = _in_powers_of_ridge(series, step, near, terms)
    kappa_series = _in_powers_of_ridge(shift + 1, step, near, terms, kappa_0)
    when = (
        ("N = T" if equal else f"{smaller} the smaller size, below M")
        + "; z = γ/(σ_u² N T) small against κ₀"
        + (": the peak is cut off at height z^{-1/2}" if equal else " (1 − min/max)²")
    )
    return Limit(
        "ridge->0",
        "Small ridge at N = T" if equal else "Small ridge",
        when,
        loss,
        kappa_series,
        variable_of=lambda s: s.z,
        constants=_ridgeless_sizes(smaller),
        meaning={kappa_0: ridgeless_words(size), ridge_z: "γ/(σ_u² N T)"},
    )


def _in_powers_of_ridge(
    series: Laurent, step: sp.Expr, near: NearRidgeless, terms: int, factor: sp.Expr = sp.S.One
) -> Expansion:
    """Σ c_i (z/κ₀)^{i·step} as an `Expansion` in z, with ``terms`` terms."""
    pieces = []
    for k, c in series.known()[: terms + 1]:
        power = step * k
        value = near.written_out(c.factored() * kappa_0**-power) * factor
        pieces.append((value, power))
    return Expansion.build(ridge_z, 0, pieces[:terms], order=pieces[terms][1])


def _ridgeless_sizes(smaller: str) -> Callable[[Setting], Mapping[sp.Symbol, Any]]:
    def constants(setting: Setting) -> Mapping[sp.Symbol, Any]:
        n, t = setting.features, setting.samples
        holds = {"N": n < t, "T": t < n, "=": n == t}[smaller]
        if not (holds and min(n, t) < setting.spectrum.size):
            relation = {"N": "N < T", "T": "T < N", "=": "N = T"}[smaller]
            raise InputError("features, samples", (n, t), f"{relation} and the smaller below M")
        return ridgeless_kappa(setting)

    return constants


# ---- ridge → ∞ ------------------------------------------------------------------------


def _moment_series(field: Field, q: int, moments: Sequence[sp.Expr], first: int) -> Laurent:
    """Σ_j binom(−q, j) moments[j] x^{first+j}."""
    return Laurent.of(field, [sp.binomial(-q, j) * m for j, m in enumerate(moments)], first)


def large_ridge_limit(terms: int = 3) -> Limit:
    """Ridge → ∞: nothing is learnt, and the corrections are series in 1/z."""
    traces = sp.symbols(f"t_1:{terms + 4}", positive=True)
    powers = sp.symbols(f"tau_1:{terms + 4}", positive=True)
    field = Field([1 / N, 1 / T, *traces, *powers])
    count = terms + 2
    images = {
        kappa: Laurent.of(field, [1] + [0] * count, -1),
        **{D[q]: _moment_series(field, q, traces[q - 1 : q - 1 + count], q) for q in (1, 2)},
        **{H[q]: _moment_series(field, q, powers[:count], q) for q in (1, 2)},
    }
    inverse = substitute_laurent(self_consistent_equation().rhs, images).power(-1)
    solution = inverse.revert()  # 1/κ as a series in 1/z
    loss = substitute_laurent(noiseless_formula(), images).compose(solution)
    meaning = _moment_meaning(traces, "", 1) | _moment_meaning(powers, "w_J² ", 1)

    def constants(setting: Setting) -> Mapping[sp.Symbol, Any]:
        return _moments(setting, traces, 1, False) | _moments(setting, powers, 1, True)

    when = "z = γ/(σ_u² N T) large against the largest eigenvalue and Σλ (1/N + 1/T)"
    return Limit(
        "ridge->inf",
        "Large ridge",
        when,
        Expansion.of_laurent(loss, ridge_z, sp.oo, terms),
        Expansion.of_laurent(solution.power(-1), ridge_z, sp.oo, terms),
        variable_of=lambda s: s.z,
        constants=constants,
        meaning=meaning,
    )


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


# ---- breakdown ------------------------------------------------------------------------


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


def breakdown_limit(smaller: str, terms: int = 3) -> Limit:
    """min(N, T) → M from below at finite M: the loss vanishes linearly in m = M − min(N, T)."""
    size, larger = {"N": (N, T), "T": (T, N)}[smaller]
    modes = ResolvedModes(terms, larger)
    unresolved = (M - modes.images[D[1]]).revert()  # M − D₁ = m
    images = {f: s.compose(unresolved) for f, s in modes.images.items()}
    images[size] = Laurent.of(modes.field, [M, -1] + [0] * (terms + 1))
    formula = sp.together(noiseless_formula().subs(D[1], size))
    loss = substitute_laurent(sp.cancel(formula), images)

    def constants(setting: Setting) -> Mapping[sp.Symbol, Any]:
        _require_breakdown(setting, smaller)
        return modes.constants(setting)

    when = (
        f"M finite, {smaller} < {larger} and {smaller} → M from below: m Λ₂/Λ₁² ≪ 1; the loss "
        "without noise is zero beyond"
    )
    return Limit(
        "min(N,T)->M",
        "Breakdown at the size of the latent space",
        when,
        Expansion.of_laurent(loss, missing, 0, terms).map_coefficients(signs_resolved),
        Expansion.of_laurent(unresolved, missing, 0, terms),
        variable_of=lambda s: (
            s.spectrum.size - mpmath.mpmathify(s.features if smaller == "N" else s.samples)
        ),
        constants=constants,
        meaning={missing: M - size, **modes.meaning},
    )


def _require_breakdown(setting: Setting, smaller: str) -> None:
    low, high = setting.features, setting.samples
    if smaller == "T":
        low, high = high, low
    if not (setting.spectrum.size < mpmath.inf and low <= setting.spectrum.size and low < high):
        raise InputError(
            "M, N, T",
            (setting.spectrum.size, setting.features, setting.samples),
            f"finite M ≥ {smaller}, the smaller of N and T",
        )
