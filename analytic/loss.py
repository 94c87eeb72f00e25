r"""The loss of ridge regression on random features, in closed form.

With κ from equation (1), R₃ = 1 − D₁/N, R₁ = 1 − D₁/T, s = D₁ − D₂ and the weight
m = R₃/(R₃ + s/N), the excess loss Σ λ_J E[v_J²] is

    L + σ_ε² = (κ² h₂ m + κ h₁ (1 − m) + σ_ε²)/Q,      Q = R₁ + (s/T) m,          (4)

for any target power and label noise σ_ε², and the mean squared training residual is
R₁² (L + σ_ε²). Both terms of every sum are positive, and 1 − Q = (D₂ + s (1 − m))/T, so

    L = (κ² h₂ m + κ h₁ (1 − m) + σ_ε² (1 − Q))/Q

is evaluated without cancellation (1 − m is (s/N)/(R₃ + s/N)), down to the pole N = T at zero
ridge, where Q = 0 and the loss is infinite. For isotropic weights and no noise it is

    L = σ_w² κ N T (D₁ − D₂)/[N T − D₂ (N + T) + 2 D₁ D₂ − D₁²].                     (3)

Ridgeless limits: κ solves D₁(κ) = min(N, T); where M ≤ min(N, T), κ = 0 and only the
noise remains. The loss of the solvable-model paper is L/2.

Source: solvable-model paper, eqs. (163), (186), (188).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from . import arguments, precision
from .arguments import checked
from .equality import Comparable
from .errors import InputError, PrecisionError
from .formula import Formula, Rounded, is_mp
from .notation import N, T, gamma, kappa, sigma_eps, sigma_u, sigma_w
from .resolvent import RenormalisedRidge, ResolventSolution, solve
from .spectral_functions import DegreesOfFreedom, TargetSum, with_spectrum
from .spectrum import Spectrum, as_spectrum

GUARD_DIGITS, EXTENSIONS = 12, 4
SIZES = ("features", "samples", "ridge", "noise", "feature_variance")
LARGEST_FREQUENCY = 1e120  # whose square float64 holds

_kappa, _d2, _spread, _h1, _h2, _mixing, _rest, _r1, _inverse_t, _noise = sp.symbols(
    "kappa D_2 s h_1 h_2 m m_bar R_1 tau sigma2", positive=True
)
_absorbed = _inverse_t * (_d2 + _spread * _rest)  # 1 − Q
_error = _kappa**2 * _h2 * _mixing + _kappa * _h1 * _rest

#: numerator and denominator Q of the excess loss, equation (4)
NUMERATOR = Formula(
    "numerator of the excess loss",
    {
        "kappa": _kappa, "d2": _d2, "spread": _spread, "h1": _h1, "h2": _h2, "mixing": _mixing,
        "rest": _rest, "inverse_t": _inverse_t, "noise": _noise,
    },
    _error + _noise * _absorbed,
)  # fmt: skip
DENOMINATOR = Formula(
    "Q",
    {"r1": _r1, "spread": _spread, "mixing": _mixing, "inverse_t": _inverse_t},
    _r1 + _inverse_t * _spread * _mixing,
)


def _kappa_function(n: Any = N, t: Any = T, z: Any = None, *spectrum: Any) -> sp.Expr:
    """κ(N, T, z), by default at z = γ/(σ_u²NT)."""
    return RenormalisedRidge(n, t, gamma / (sigma_u**2 * n * t) if z is None else z, *spectrum)


def _losses_formula(k: Any, n: Any, t: Any, noise: Any) -> tuple[sp.Expr, sp.Expr]:
    """(excess loss, training loss) at κ = k: the formulas that the numbers come from."""
    d1, d2 = (DegreesOfFreedom(q, k) for q in (1, 2))
    h1, h2 = (TargetSum(q, k) for q in (1, 2))
    r3, r1, spread = 1 - d1 / n, 1 - d1 / t, d1 - d2
    mixing = r3 / (r3 + spread / n)
    numerator = NUMERATOR(
        kappa=k, d2=d2, spread=spread, h1=h1, h2=h2, mixing=mixing, rest=1 - mixing,
        inverse_t=1 / t, noise=noise,
    )  # fmt: skip
    excess = numerator / DENOMINATOR(r1=r1, spread=spread, mixing=mixing, inverse_t=1 / t)
    return excess, r1**2 * (excess + noise)


@checked
@lru_cache(maxsize=None, typed=True)
def excess_loss_formula(at: sp.Expr | None = None, spectrum: Spectrum | None = None) -> sp.Expr:
    """The excess loss (4) as a sympy expression in N, T, κ, D₁, D₂, h₁, h₂ and σ_ε.

    The very formulas that the numbers come from, with R₁, R₃, s and m written out.

    Parameters
    ----------
    at: κ. By default κ(N, T, z), z = γ/(σ_u²NT), the solution of equation (1), so that a
        derivative by N, T or γ is the total one; the symbol `notation.kappa` gives the loss at
        a fixed κ.
    spectrum: of which D_q and h_q are to be taken, so that the formula has values.

    The symbols are those of `notation.symbol`.

    Raises no error until it is evaluated. Source: dynamical paper, eq. (35), at one real
    frequency.

    >>> from solvable.analytic.notation import kappa
    >>> excess_loss_formula(kappa).has(DegreesOfFreedom(2, kappa))
    True
    >>> from solvable.analytic.spectrum import PowerLaw
    >>> loss = excess_loss_formula(spectrum=PowerLaw(alpha=1)).subs({gamma: 0, sigma_eps: 0})
    >>> loss.diff(N).subs({N: 20, T: 90}).evalf(20)
    -0.0050237494527074942846
    """
    k = _kappa_function() if at is None else at
    formula = _losses_formula(k, N, T, sigma_eps**2)[0]
    return formula if spectrum is None else with_spectrum(formula, spectrum)


@cache
def abbreviated_loss() -> tuple[sp.Eq, ...]:
    """The loss (4) as it is written in the module's docstring: s, m, Q, and L in terms of them.

    >>> print(abbreviated_loss()[2])
    Eq(Q, R_1 + m*s/T)
    """
    d1, d2 = (DegreesOfFreedom(q, kappa) for q in (1, 2))
    h1, h2 = (TargetSum(q, kappa) for q in (1, 2))
    r3, q, loss = sp.Symbol("R_3", positive=True), sp.Symbol("Q"), sp.Symbol("L")
    written = {_kappa: kappa, _d2: d2, _h1: h1, _h2: h2, _inverse_t: 1 / T, _noise: sigma_eps**2}
    written[_rest] = 1 - _mixing
    return (
        sp.Eq(_spread, d1 - d2),
        sp.Eq(_mixing, r3 / (r3 + _spread / N)),
        sp.Eq(q, DENOMINATOR.expression.subs(written)),
        sp.Eq(loss, NUMERATOR.expression.subs(written) / q),
    )


@checked
@lru_cache(maxsize=None, typed=True)
def isotropic_loss_formula(at: sp.Expr | None = None, spectrum: Spectrum | None = None) -> sp.Expr:
    """Equation (3): isotropic weights, no noise; arguments as in `excess_loss_formula`.

    Raises no error until it is evaluated. Source: solvable-model paper, eq. (163), with a ridge;
    arXiv:2405.19398.

    >>> isotropic_loss_formula().subs(sigma_w, 0)
    0
    """
    k = _kappa_function() if at is None else at
    d1, d2 = (DegreesOfFreedom(q, k) for q in (1, 2))
    denominator = N * T - d2 * (N + T) + 2 * d1 * d2 - d1**2
    formula = sigma_w**2 * k * N * T * (d1 - d2) / denominator
    return formula if spectrum is None else with_spectrum(formula, spectrum)


@dataclass(frozen=True, eq=False)
class StaticLoss(Comparable):
    """The loss of a trained model.

    ``kappa`` κ; ``excess_loss`` Σ λ_J E[v_J²]; ``train_loss`` mean squared training
    residual, noise included; ``ridge`` γ; ``residual`` of equation (1); ``certain_digits``
    on which two working precisions agree (None in float64). Test loss is half the excess.
    Numbers of many digits print all of them. Of symbols, all are sympy expressions.

    Shapes are those of all arguments broadcast. Made by `static_loss` and `optimal_ridge`, with
    their errors. Source: solvable-model paper, eq. (163), without ridge; dynamical paper, eq.
    (35).

    >>> from solvable.analytic.spectrum import Flat
    >>> found = static_loss(Flat(10), [20, 30], 40, ridge=0.1)
    >>> found.excess_loss.shape, bool((found.loss == found.excess_loss / 2).all())
    ((2,), True)
    """

    kappa: Any
    excess_loss: Any
    train_loss: Any
    ridge: Any
    residual: Any
    certain_digits: int | None = None

    @property
    def loss(self) -> Any:
        """½ × excess loss: the test loss in the solvable-model paper's normalisation."""
        if is_mp(self.excess_loss):
            half = mpmath.ldexp(self.excess_loss, -1)  # exact at any ambient precision
            return Rounded(half, getattr(self.excess_loss, "digits", mpmath.mp.dps))
        return self.excess_loss / 2

    def _repr_latex_(self) -> str:
        shown = {"kappa": self.kappa, "L": self.excess_loss, "L_train": self.train_loss}
        if any(np.ndim(value) for value in shown.values() if isinstance(value, np.ndarray)):
            return f"$L$: array of shape {np.shape(self.excess_loss)}"
        lines = (sp.Eq(sp.Symbol(k), _displayed(v), evaluate=False) for k, v in shown.items())
        return r"$\displaystyle " + r",\quad ".join(map(sp.latex, lines)) + "$"


def _displayed(value: Any) -> sp.Basic:
    """A number with all its digits, for sympy to print."""
    if isinstance(value, sp.Basic):
        return value
    digits = value.digits if isinstance(value, Rounded) else 15
    return sp.Float(str(value), digits)


@checked
def static_loss(
    spectrum: Spectrum, features: Any, samples: Any, *, ridge: Any = 0, noise: Any = 0,
    feature_variance: Any = 1, normalisation: str | None = None, digits: int | None = None,
) -> StaticLoss:  # fmt: skip
    """The loss (4) of ridge regression on N random features of T samples.

    N = ∞ is kernel ridge regression, with the kernel K = φᵀφ/(Nσ_u²) = xᵀx.

    Parameters
    ----------
    features, samples: N and T (numbers > 0, or infinity).
    ridge: γ ≥ 0. noise: σ_ε². feature_variance: σ_u².
    normalisation: what γ is added to: "features", (φφᵀ + γ)^{-1}, so that z = γ/(σ_u²NT) in (1);
        "kernel", (K + γ)^{-1}, z = γ/T; "rate", z = γ. By default "features", and "kernel" for
        N = ∞, where a ridge added to φφᵀ ∝ N would not be felt.
    digits: None for float64, with all arguments broadcasting; else the number of digits to
        which the mpmath results are right (exact input: ints, Fractions, mpmath numbers). By
        default mpmath's own number of digits if a size is an mpmath number.

    Sympy symbols, as sizes or in the spectrum, give formulas: ``.subs(...)`` with the missing
    numbers and ``.evalf(digits)`` gives what numbers would have given. The target power of modes
    of zero variance is part of every loss (`Spectrum.irreducible`).

    Raises `InputError` for arguments that are not allowed, `PrecisionError` if the digits are not
    reached. Source: solvable-model paper, eq. (163) without ridge, (186) with noise; dynamical
    paper, eq. (35), at one frequency.

    >>> from solvable.analytic.spectrum import Flat, PowerLaw
    >>> float(static_loss(Flat(10), 20, 40, noise=1).excess_loss.round(12))  # σ² M/(T − M)
    0.333333333333
    >>> law = PowerLaw(alpha=0.5, size=1000)
    >>> float(static_loss(law, float("inf"), 100, ridge=1).excess_loss.round(6))
    0.385544
    """
    spectrum = as_spectrum(spectrum)
    sizes = (features, samples, ridge, noise, feature_variance)  # `SIZES`
    for name, size in zip(SIZES, sizes):
        if isinstance(size, sp.Basic) and (size is sp.nan or size.is_extended_real is False):
            raise InputError(name, size, "a real number or an expression of one")
    sizes = tuple(
        arguments.plain(name, size) if isinstance(size, sp.Number) else size
        for name, size in zip(SIZES, sizes)
    )
    features, samples, ridge, noise, feature_variance = sizes
    if spectrum.free_symbols or any(isinstance(size, sp.Basic) for size in sizes):
        return _symbolic_loss(spectrum, normalisation, digits, *map(sp.sympify, sizes))
    arguments.positive_or_infinite("features", features)
    arguments.positive_or_infinite("samples", samples)
    for name, value in (("ridge", ridge), ("noise", noise)):
        arguments.nonnegative(name, value)
    arguments.positive("feature_variance", feature_variance)
    kind = _normalisation(normalisation, features, ridge)
    if digits is None and is_mp(*sizes):
        digits = mpmath.mp.dps
    if digits is None:
        floats = [np.asarray(x, dtype=float) for x in sizes]
        arguments.together(**dict(zip(SIZES, floats)))
        return _static_loss(spectrum, kind, *floats)
    exact = partial(map, arguments.exactly, SIZES, sizes)
    return _to_digits(lambda: _static_loss(spectrum, kind, *exact()), digits)


def _symbolic_loss(
    spectrum: Spectrum, normalisation: str | None, digits: int | None,
    n: Any, t: Any, ridge: Any, noise: Any, v: Any,
) -> StaticLoss:  # fmt: skip
    """The same in sympy: κ(N, T, z) and the losses in D_q and h_q of this spectrum."""
    if digits is not None:
        raise InputError("digits", digits, "None beside symbols: .evalf(digits) of what is "
                         "returned, once it holds numbers only")  # fmt: skip
    kind = normalisation or ("kernel" if n == sp.oo else "features")
    arguments.choice("normalisation", kind, ("features", "kernel", "rate"))
    z = ridge / {"features": v * n * t, "kernel": t, "rate": 1}[kind] if ridge else sp.S.Zero
    k, hidden = _kappa_function(n, t, z, spectrum), sp.sympify(spectrum.irreducible)
    excess, train = (
        with_spectrum(loss, spectrum) for loss in _losses_formula(k, n, t, noise + hidden)
    )
    return StaticLoss(k, excess + hidden, train, ridge, sp.S.Zero)


def _normalisation(name: str | None, features: Any, ridge: Any) -> str:
    """The normalisation by its name; by default that which means something at these sizes."""
    infinite, kernel = np.isinf(np.asarray(features, float)), np.asarray(ridge, float) > 0
    if name is None:
        if np.any(infinite & kernel) and not np.all(infinite):
            raise InputError("normalisation", name, "a name, where some sizes are infinite")
        return "kernel" if np.all(infinite) else "features"
    arguments.choice("normalisation", name, ("features", "kernel", "rate"))
    if name == "features" and np.any(infinite & kernel):
        raise InputError("normalisation", name, "kernel or rate, where N is infinite")
    return name


def _to_digits(compute: Callable[[], StaticLoss], digits: int) -> StaticLoss:
    """Evaluate at two working precisions, raised until the digits agree; round once."""
    digits = arguments.count("digits", digits)
    certain, guard = 0, GUARD_DIGITS
    for _ in range(EXTENSIONS):
        with precision.workdps(digits + guard):
            first = compute()
        with precision.workdps(digits + guard + GUARD_DIGITS):
            second = compute()
            certain = min(
                certain_digits(getattr(first, name), getattr(second, name), digits + guard)
                for name in ("kappa", "excess_loss", "train_loss")
            )
        if certain >= digits:
            break
        guard += GUARD_DIGITS + digits - certain
    else:
        raise PrecisionError(
            f"only {certain} of the {digits} digits asked for are certain", certain
        )
    with precision.workdps(digits):
        k, excess, train, ridge = (
            Rounded(x, digits)
            for x in (second.kappa, second.excess_loss, second.train_loss, second.ridge)
        )
    return StaticLoss(k, excess, train, ridge, second.residual, certain)


def certain_digits(first: Any, second: Any, most: int) -> int:
    """The digits on which two evaluations agree, at most ``most``: none if one is zero alone."""
    if first == second:
        return most
    gap = abs(first - second) / abs(second) if second and mpmath.isfinite(second) else 1
    return max(0, min(most, int(-mpmath.log10(gap)))) if gap else most


def _static_loss(
    spectrum: Spectrum, kind: str, n: Any, t: Any, ridge: Any, noise: Any, feature_variance: Any
) -> StaticLoss:
    if kind == "features":
        frequency = ridge / (feature_variance * n) / t
    else:
        frequency = ridge / t if kind == "kernel" else ridge
    if not is_mp(frequency):  # beyond it the weights are zero to rounding
        frequency = np.minimum(frequency, LARGEST_FREQUENCY)
    solution = solve(spectrum, n, t, frequency)
    excess, train = loss_at(spectrum, n, t, solution, noise)
    return StaticLoss(solution.value, excess, train, _like(ridge, excess), solution.residual)


def _like(ridge: Any, excess: Any) -> Any:
    return ridge if is_mp(ridge) else np.broadcast_to(ridge, np.shape(excess))[()]


def loss_at(
    spectrum: Spectrum, n: Any, t: Any, solution: ResolventSolution, noise: Any
) -> tuple[Any, Any]:
    """(excess loss, training loss) at a solution of equation (1).

    Target power on no mode acts on training as label noise does, and stays in the excess loss.
    """
    k, r3, r1 = solution.value, solution.feature_response, solution.sample_response
    where = _where_mp if is_mp(k) else np.where
    hidden = mpmath.mpmathify(spectrum.irreducible) if is_mp(k) else float(spectrum.irreducible)
    noise, positive = noise + hidden, k > 0
    safe = where(positive, k, 1)
    at_zero = spectrum.size if spectrum.size < np.inf else 0  # M = ∞: only for N = T = ∞
    d2 = where(positive, spectrum.degrees_of_freedom(safe, 2), at_zero)
    spread = k * spectrum.resolvent_sum(safe, 1, 2)
    shared = spread / n
    mixing, rest = (_ratio(x, r3 + shared, where) for x in (r3, shared))
    h1 = spectrum.target_sum(safe, 1)
    h2 = spectrum.target_sum(safe, 2)
    numerator = NUMERATOR(
        kappa=k, d2=d2, spread=spread, h1=h1, h2=h2, mixing=mixing, rest=rest, inverse_t=1 / t,
        noise=noise,
    )  # fmt: skip
    q = DENOMINATOR(r1=r1, spread=spread, mixing=mixing, inverse_t=1 / t)
    infinite = mpmath.inf if is_mp(k) else np.inf
    excess = where(
        q > 0, numerator / where(q > 0, q, 1), where(numerator > 0, infinite, 0 * numerator)
    )
    total = where(r1 > 0, excess + noise, 0)  # interpolation: no training residual
    return _scalar(excess + hidden), _scalar(r1**2 * total)


def _where_mp(condition: bool, yes: Any, no: Any) -> Any:
    return yes if condition else no


def _ratio(numerator: Any, denominator: Any, where: Callable[..., Any]) -> Any:
    """numerator/denominator; at 0/0 (both brackets closed, κ = 0) its limit 1/2."""
    closed = denominator == 0
    return where(closed, 0.5, numerator / where(closed, 1, denominator))


def _scalar(value: Any) -> Any:
    return value[()] if isinstance(value, np.ndarray) else value
