r"""How to spend a budget: features against samples, features against time.

**Features and samples** (equiparameterisation).  At the optimal ridge, isotropic target, scaling
regime, the loss is homogeneous, L* = N^{-α} G(r), r = N/T.  Under a budget N^p T^q = C

    N = (C r^q)^{1/(p+q)},  T = (C r^{-p})^{1/(p+q)},  L = C^{-α/(p+q)} · r^{-αq/(p+q)} G(r),

so that the best r does not depend on C and solves

    d ln G/d ln r = α q/(p+q).

The law k (1/N + 1/T)^α would give r = q/p; the model agrees exactly at α = 1 or p = q.  Without
ridge G = k/(1−r) below the peak (N < T) and k r^α/(1 − 1/r) above, and the same condition gives
r = αq/(p+q+αq) or its mirror image: a ridgeless model has to stay away from N = T.

**The phenomenological law** [(N_c/N)^{α_N/α_T} + T_c/T]^{α_T} (solvable-model paper, eq. 1) says
that both terms are equal at N(T) = N_c (T/T_c)^{α_T/α_N} (eq. 6).  In the model α_N = α_T = α,
hence N ∝ T; `law_error` is the exact ratio of L* to it, as a function of r and α.

**Features and time.**  L = A t^{-r_t} + B N^{-r_N} under N^p t^q = C.  At the optimum the two
marginal returns agree, which in logarithms is a linear system:

    ln(r_t A/q) − r_t ln t = ln(r_N B/p) − r_N ln N,        p ln N + q ln t = ln C,

so N ∝ C^{r_t/(q r_N + p r_t)} and L ∝ C^{-r_t r_N/(q r_N + p r_t)} for *any* budget, with
prefactors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .. import arguments, precision
from ..arguments import Number, checked
from ..errors import InputError, PrecisionError
from ..loss import StaticLoss, static_loss
from ..notation import N, T, alpha, t
from ..optimal_ridge import degrees, law_ratio, optimal_ridge, scaling_loss, scaling_optimum
from ..optimum import crossing, lowest, minimum
from ..spectrum import Spectrum
from .fan import regime_fan
from .fan_allocation import FanAllocation, allocate_on

__all__ = [
    "Allocation",
    "TimeAllocation",
    "allocate",
    "kaplan_form",
    "kaplan_relation",
    "law_error",
    "reduced_optimal_loss",
    "stationarity",
    "time_allocation",
]

ratio = sp.Symbol("r", positive=True)  #: N/T
share = sp.Symbol("d", positive=True)  #: D₁/N
p, q = sp.symbols("p q", positive=True)  #: budget N^p T^q (or N^p t^q)
LONGEST = 690  # ln of the largest N and T
C = sp.Symbol("C", positive=True)  #: budget
GRID, SPACING = 60, 0.25  #: points in ln N, and at most what between them, for the exact loss
A, B, r_t, r_N = sp.symbols("A B r_t r_N", positive=True)
N_c, T_c, alpha_N, alpha_T = sp.symbols("N_c T_c alpha_N alpha_T", positive=True)


@cache
def reduced_optimal_loss() -> sp.Expr:
    """G(r)/k: the loss at the optimal ridge, in units of the plateau k N^{-α} (r = N/T).

    >>> sp.simplify(reduced_optimal_loss().subs(alpha, 1))
    r + 1
    """
    unit = {N: sp.Integer(1), T: 1 / ratio}
    loss = scaling_loss().subs(unit).subs(degrees, share)
    plateau = sp.limit(scaling_loss().subs({N: 1, degrees: 1}), T, sp.oo)
    optimum = scaling_optimum().subs(unit)
    return (loss / plateau).subs(share, optimum)


def ridgeless_loss(side: str) -> sp.Expr:
    """G(r)/k without ridge: ``side`` "N" for N < T, "T" for T < N; a pole at r = 1.

    >>> ridgeless_loss("N")
    1/(1 - r)
    """
    arguments.choice("side", side, ("N", "T"))
    size = N if side == "N" else T
    loss = scaling_loss().subs(degrees, size)
    plateau = sp.limit(scaling_loss().subs({N: 1, degrees: 1}), T, sp.oo)
    value = sp.simplify((loss / plateau).subs({N: 1, T: 1 / ratio}))
    numerator, denominator = sp.fraction(sp.factor(value))
    if sp.N(denominator.subs({ratio: sp.Rational(1, 2) if side == "N" else 2, alpha: 1})) < 0:
        numerator, denominator = -numerator, -denominator
    return numerator / denominator


def stationarity(loss: sp.Expr) -> sp.Expr:
    """d ln G/d ln r − αq/(p+q) for a reduced loss G(r): zero at the best ratio.

    >>> sp.solve(stationarity(ridgeless_loss("N")), ratio)
    [alpha*q/(alpha*q + p + q)]
    """
    return sp.together(ratio * sp.diff(loss, ratio) / loss - alpha * q / (p + q))


@dataclass(frozen=True)
class Allocation:
    """The best N and T for a budget N^p T^q = C, isotropic target, scaling regime.

    ``ratio`` N/T; ``features``, ``samples`` and ``loss`` = prefactor · C^power as pairs
    (prefactor, power), the loss in the per-mode normalisation with λ₊ = σ_w = 1;
    ``condition`` the residual of d ln G/d ln r = αq/(p+q).

    Made by `allocate`, with its errors. Source: solvable-model paper, eq. (1), whose two terms the
    loss (3) at the optimal ridge replaces; near-equiparameterisation, eq. (6).

    >>> found = allocate(1, 1, 1)  # N = T = C^{1/2}
    >>> [float(x) for x in (*found.features, *found.samples)]
    [1.0, 0.5, 1.0, 0.5]
    >>> [round(float(x), 3) for x in found.at(10**4)]
    [100.0, 100.0, 0.049]
    """

    ratio: Any
    features: tuple[Any, Any]
    samples: tuple[Any, Any]
    loss: tuple[Any, Any]
    condition: Any

    @precision.kept
    def at(self, budget: Any) -> tuple[Any, Any, Any]:
        """(N, T, loss) at one budget C."""
        arguments.positive("budget", budget)
        c = mpmath.mpmathify(budget)
        return tuple(f * c**e for f, e in (self.features, self.samples, self.loss))  # type: ignore[return-value]


@checked
@precision.kept
def allocate(
    exponent: Number, features_power: Number = 1, samples_power: Number = 1, ridge: str = "optimal"
) -> Allocation:
    """The best split of N^p T^q = C between features and samples, at the current mp precision.

    Parameters
    ----------
    exponent: α > 0 of the power law. features_power, samples_power: p, q > 0.
    ridge: "optimal" or "zero".

    Minimised is the loss (3) for M → ∞ and isotropic weights, λ₊ = σ_w = 1. Raises `InputError` for
    α ≤ 0, powers ≤ 0 or another ridge, `PrecisionError` if the ratio is not found to all digits.
    Source: solvable-model paper, eqs. (1) and (6).

    >>> float(allocate(1, 1, 3).ratio), float(allocate(0.5, 1, 1).ratio)
    (3.0, 1.0)
    """
    for name, value in (
        ("alpha", exponent),
        ("features_power", features_power),
        ("samples_power", samples_power),
    ):
        arguments.positive(name, value)
    arguments.choice("ridge", ridge, ("optimal", "zero"))
    al, pp, qq = (_mp(v) for v in (exponent, features_power, samples_power))
    if ridge == "zero":
        sides = [_ridgeless_ratio(side, al, pp, qq) for side in ("N", "T")]
        best, value, residual = min(sides, key=lambda s: s[1] * s[0] ** (-al * qq / (pp + qq)))
    else:
        best, value, residual = _optimal_ratio(al, pp, qq)
    total = pp + qq
    b = 1 + al
    plateau = (mpmath.pi / b / mpmath.sin(mpmath.pi / b)) ** b
    return Allocation(
        best,
        (best ** (qq / total), 1 / total),
        (best ** (-pp / total), 1 / total),
        (plateau * value * best ** (-al * qq / total), -al / total),
        residual,
    )


def _mp(value: Any) -> Any:
    if hasattr(value, "numerator") and not isinstance(value, int):
        return mpmath.mpf(value.numerator) / value.denominator
    return mpmath.mpmathify(value)


def _faces(loss: sp.Expr) -> tuple[Any, Any]:
    """The reduced loss and its stationarity condition as mpmath functions of (r, α, p, q)."""
    order = (ratio, alpha, p, q)
    return (sp.lambdify(order, loss, "mpmath"), sp.lambdify(order, stationarity(loss), "mpmath"))


@cache
def _optimal_faces() -> tuple[Any, Any]:
    return _faces(reduced_optimal_loss())


def _optimal_ratio(al: Any, pp: Any, qq: Any) -> tuple[Any, Any, Any]:
    """(r, G(r)/k, residual) at the optimal ridge: bracketed around q/p, then bisected and polished.

    d ln G/d ln r rises from 0 at r → 0 to α at r → ∞, so there is exactly one root.
    """
    loss, slope = _optimal_faces()
    with precision.extraprec(40):
        x = mpmath.log(qq / pp)
        low, high = x - 1, x + 1
        while slope(mpmath.exp(low), al, pp, qq) > 0:
            low -= 1
        while slope(mpmath.exp(high), al, pp, qq) < 0:
            high += 1
        root = crossing(lambda y: slope(mpmath.exp(y), al, pp, qq), low, high)
        best = mpmath.exp(root)
        residual = slope(best, al, pp, qq)
    if abs(residual) > mpmath.mpf(10) ** (4 - mpmath.mp.dps):
        raise PrecisionError("the best ratio was not found to the current precision", 0)
    return +best, +loss(best, al, pp, qq), +residual


def _ridgeless_ratio(side: str, al: Any, pp: Any, qq: Any) -> tuple[Any, Any, Any]:
    """(r, G(r)/k, residual) without ridge on one side of the peak, from the closed form."""
    closed = sp.solve(stationarity(ridgeless_loss(side)), ratio)
    if len(closed) != 1:
        raise AssertionError(f"one stationary ratio expected, found {closed}")
    best = sp.lambdify((alpha, p, q), closed[0], "mpmath")(al, pp, qq)
    loss, slope = _faces(ridgeless_loss(side))
    return best, loss(best, al, pp, qq), slope(best, al, pp, qq)


# ---- the phenomenological law -----------------------------------------------------------


def kaplan_form() -> sp.Expr:
    """[(N_c/N)^{α_N/α_T} + T_c/T]^{α_T}, equation (1) of the solvable-model paper.

    >>> kaplan_form().subs({alpha_N: alpha, alpha_T: alpha, N_c: T_c}).simplify()
    (T_c/T + T_c/N)**alpha
    """
    return ((N_c / N) ** (alpha_N / alpha_T) + T_c / T) ** alpha_T


def kaplan_relation() -> sp.Expr:
    """N(T): where both terms of the form are equal, equation (6), solved from equation (1).

    >>> kaplan_relation()
    N_c*(T/T_c)**(alpha_T/alpha_N)
    """
    first, second = kaplan_form().base.args
    if not first.has(N):
        first, second = second, first
    base, exponent = first.as_base_exp()
    # (N_c/N)^e = T_c/T: invert the power, then the fraction
    return sp.powdenest(N * base / (second**-1) ** (-1 / exponent), force=True)


def law_error() -> sp.Expr:
    """L*(N, T)/[k (1/N + 1/T)^α] as a function of r = N/T and α; 1 at α = 1 and at r → 0, ∞."""
    return law_ratio().subs({N: sp.Integer(1), T: 1 / ratio})


# ---- features and time ---------------------------------------------------------------------


@dataclass(frozen=True)
class TimeAllocation:
    """Minimum of A t^{-r_t} + B N^{-r_N} under N^p t^q = C, as sympy expressions in C.

    Made by `time_allocation`, without errors. Symbols: A, r_t prefactor and exponent of time, B,
    r_N of the model size N, budget C. Source: dynamical paper, eq. (14).

    >>> time_allocation().exponents()[2].subs({p: 1, q: 1})
    -r_N*r_t/(r_N + r_t)
    """

    features: sp.Expr
    time: sp.Expr
    loss: sp.Expr

    def exponents(self) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        """Powers of C in N, t and the loss.

        >>> [str(e.subs({p: 1, q: 1})) for e in time_allocation().exponents()]
        ['r_t/(r_N + r_t)', 'r_N/(r_N + r_t)', '-r_N*r_t/(r_N + r_t)']
        """
        return tuple(
            sp.factor(sp.simplify(C * sp.diff(sp.log(x), C)))
            for x in (self.features, self.time, self.loss)
        )  # type: ignore[return-value]

    def at(self, **values: Any) -> TimeAllocation:
        """The same with values put in: A, B, r_t, r_N, p, q, C by name."""
        names = {"A": A, "B": B, "r_t": r_t, "r_N": r_N, "p": p, "q": q, "C": C}
        unknown = set(values) - set(names)
        if unknown:
            raise InputError("values", ", ".join(sorted(unknown)), f"among {', '.join(names)}")
        point = {names[k]: v for k, v in values.items()}
        return TimeAllocation(*(x.subs(point) for x in (self.features, self.time, self.loss)))


@cache
def time_allocation() -> TimeAllocation:
    """The best split of N^p t^q = C between model size and time, for any two power laws, by sympy.

    Minimised is A t^{-r_t} + B N^{-r_N}; the logarithms of N and t obey a linear system. Raises no
    error: all exponents are positive symbols. Source: dynamical paper, eq. (14).

    >>> sorted(map(str, time_allocation().features.free_symbols))
    ['A', 'B', 'C', 'p', 'q', 'r_N', 'r_t']
    """
    log_n, log_t = sp.symbols("n tau", real=True)
    loss = A * t**-r_t + B * N**-r_N
    returns = [
        sp.expand_log(sp.log(sp.simplify(-x * sp.diff(loss, x) / weight)), force=True)
        for x, weight in ((N, p), (t, q))
    ]
    logs = {sp.log(N): log_n, sp.log(t): log_t}
    equations = [(returns[0] - returns[1]).subs(logs), p * log_n + q * log_t - sp.log(C)]
    solution = sp.solve(equations, [log_n, log_t], dict=True)[0]
    size, moment = (sp.exp(sp.expand_log(solution[x], force=True)) for x in (log_n, log_t))
    size, moment = (sp.powsimp(sp.expand(sp.simplify(x)), force=True) for x in (size, moment))
    # at the optimum B N^{-r_N} r_N/p = A t^{-r_t} r_t/q: the loss is one term times a constant
    best = A * moment**-r_t * (1 + p * r_t / (q * r_N))
    return TimeAllocation(size, moment, best)


@dataclass(frozen=True)
class ExactAllocation:
    """The N and T of the smallest exact loss for one budget, and that loss (float64)."""

    features: float
    samples: float
    excess_loss: float
    ridge: float


def allocate_exactly(
    spectrum: Spectrum,
    budget: Any,
    features_power: Any = 1,
    samples_power: Any = 1,
    ridge: Any = "optimal",
    noise: float = 0.0,
) -> ExactAllocation:
    """The best split of N^p T^q = C by the exact loss of any spectrum, target and noise.

    N ≥ 1 and T ≥ 1 are real numbers; ``ridge`` is "optimal", "zero" or γ > 0. The smallest of a
    grid in ln N is closed in on. Raises `InputError` for a budget of at most 1, and for a ridge
    that is none of these.

    >>> from solvable.analytic.spectrum import Flat
    >>> best = allocate_exactly(Flat(100), 400)
    >>> round(best.features, 3), round(best.samples, 3)
    (20.0, 20.0)
    """
    p, q, c = (
        float(arguments.positive(name, value))
        for name, value in (
            ("features_power", features_power), ("samples_power", samples_power),
            ("budget", budget),
        )
    )  # fmt: skip
    if isinstance(ridge, str):
        arguments.choice("ridge", ridge, ("optimal", "zero"))
    if not 1 < c < math.inf:
        raise InputError("budget", budget, "a finite number above 1, so that N, T ≥ 1")
    if math.log(c) > LONGEST * min(p, q):
        allowed = f"N and T up to e^{LONGEST} at the powers {p:g} and {q:g}"
        raise InputError("budget", budget, allowed)
    fixed = 0.0 if ridge in ("optimal", "zero") else float(arguments.positive("ridge", ridge))

    def solved(log_n: np.ndarray) -> StaticLoss:
        n = np.exp(log_n)
        t = np.exp((math.log(c) - p * log_n) / q)
        if ridge == "optimal":
            return optimal_ridge(spectrum, n, t, noise=noise)
        return static_loss(spectrum, n, t, ridge=fixed, noise=noise)

    longest = math.log(c) / p
    grid = np.linspace(0.0, longest, max(GRID, math.ceil(longest / SPACING)))
    bracket = lowest(grid, np.asarray(solved(grid).excess_loss))
    best, _ = minimum(lambda x: np.asarray(solved(x).excess_loss), bracket)
    found, n = solved(best), float(np.exp(best))
    return ExactAllocation(
        n, (c / n**p) ** (1 / q), float(found.excess_loss), float(np.asarray(found.ridge))
    )


def allocation_law(
    exponent: Any, target_exponent: Any = None, features_power: Any = 1, samples_power: Any = 1,
    ridge: str = "optimal", noise: bool = False,
) -> FanAllocation:  # fmt: skip
    """How N, T and the loss of a power law, M = ∞, grow with N^p T^q = C: from the fan.

    The loss at the optimal ridge is the least over κ, which is free above κ₀. Raises `InputError`
    as `regime_fan` and `allocate_on`, `OutsideTheoryError` where they do.

    >>> quiet, loud = allocation_law(2), allocation_law(2, noise=True)
    >>> [str(law.loss) for law in (quiet, loud)]  # noise: κ ~ T^{-b/(1+b)}
    ['1/2', '1/3']
    """
    quantity = "with noise" if noise else "loss"
    sizes: tuple[str, ...] = ("N", "T")
    if arguments.choice("ridge", ridge, ("optimal", "zero")) == "optimal":
        sizes, quantity = (*sizes, "z"), "noisy-loss-at-kappa" if noise else "loss-at-kappa"
    fan = regime_fan(
        sizes, exponent=exponent, target_exponent=target_exponent, quantity=quantity,
        where="sigma_epsilon = 1" if noise else "",
    )  # fmt: skip
    return allocate_on(fan, {"N": features_power, "T": samples_power})
