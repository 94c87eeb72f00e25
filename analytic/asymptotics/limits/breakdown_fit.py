r"""The talk's breakdown law beside the exact one.

With m = min(N, T) < M, n = max(N, T) and isotropic weights the exact ridgeless loss is
σ_w² κ m/(1 − m/n), D₁(κ) = m, and the talk draws through it

    k σ_w² (1/m − 1/M)^α/(1 − m/n),        k = λ₊ [(π/(1+α))/sin(π/(1+α))]^{1+α}.

Both have the same pole at m = n, so their ratio depends on m, M and α alone:

    exact/fit = κ m/[k (1/m − 1/M)^α] → 1                            (m → ∞, m ≪ M)
                                      → (2+α)/k · (1 − m/M)^{1−α}    (m → M, M → ∞),

the first because the plateau has the same prefactor, the second because κ = (M − m)/Σλ^{-1} is
linear while the fit has the power α.  Only at α = 1 do both vanish alike, and then the ratio tends
to 3/k.
"""

from __future__ import annotations

from typing import Any

import mpmath
import sympy as sp

from ... import arguments
from ...errors import InputError
from ...notation import M, alpha, b, lambda_plus
from ...resolvent import solve
from ...spectrum import PowerLaw
from ..balance.corner_sums import PREFACTOR

__all__ = ["end_point_ratio", "fit_ratio", "plateau_prefactor", "talk_fit"]

smaller = sp.Symbol("m", positive=True)  #: min(N, T)


def plateau_prefactor() -> sp.Expr:
    """k in L → k σ_w² m^{-α}, from the leading pole of D₁.

    >>> plateau_prefactor().subs(alpha, 1)
    pi**2*lambda_+/4
    """
    return lambda_plus * PREFACTOR.subs(b, 1 + alpha) ** (1 + alpha)


def talk_fit() -> sp.Expr:
    """k (1/m − 1/M)^α: the fit without its pole 1/(1 − m/n), for σ_w = 1."""
    return plateau_prefactor() * (1 / smaller - 1 / M) ** alpha


def end_point_ratio() -> sp.Expr:
    """The limit of exact/fit divided by (1 − m/M)^{1−α} at m → M, then M → ∞.

    κ ≈ (M − m)/Λ₁ with Λ₁ = Σ J^b/λ₊ ≈ M^{b+1}/((b+1)λ₊).

    >>> end_point_ratio().subs(alpha, 1)
    12/pi**2
    """
    gap = sp.Symbol("epsilon", positive=True)  # 1 − m/M
    resolved = M ** (b + 1) / ((b + 1) * lambda_plus)
    exact = (gap * M / resolved * M).subs(b, 1 + alpha)
    fit = talk_fit().subs(smaller, M * (1 - gap))
    fit_end = plateau_prefactor() * (gap / M) ** alpha
    if sp.limit((fit / fit_end).subs({alpha: 1, M: 1, lambda_plus: 1}), gap, 0) != 1:
        raise AssertionError("the fit's end point was not taken correctly")
    return sp.powsimp(sp.simplify(exact / fit_end / gap ** (1 - alpha)), force=True)


def fit_ratio(exponent: Any, size: int, smallest: Any) -> Any:
    """exact/fit at α = ``exponent``, M = ``size``, min(N, T) = ``smallest``, in mp precision.

    >>> [float(round(fit_ratio(0.5, 2000, m), 2)) for m in (100, 1000, 1900)]
    [0.83, 0.5, 0.15]
    """
    arguments.positive("alpha", exponent)
    size = arguments.count("size", size)
    arguments.positive("smallest", smallest)
    if not smallest < size:
        raise InputError("smallest", smallest, f"a size below M = {size}")
    m = mpmath.mpmathify(smallest)
    kappa = solve(PowerLaw(alpha=exponent, size=size), m, mpmath.inf, mpmath.mpf(0))
    face = sp.lambdify((smaller, M, alpha, lambda_plus), talk_fit(), "mpmath")
    return kappa.value * m / face(m, mpmath.mpf(size), mpmath.mpmathify(exponent), mpmath.mpf(1))
