r"""Limits of the static loss, by machine: `limit(regime, …)` computes one of `REGIMES`.

N<<T, T<<N      plateau and its corrections (M = ∞, ridgeless); N/T fixed has exact coefficients
N/T             the same at a ratio that stays; optimal-ridge: with the ridge at its optimum
M->inf          approach of a finite latent space to the infinite one
min(N,T)->M     breakdown
ridge->0        at N ≠ T in powers of z, at N = T in powers of √z;  ridge->inf in powers of 1/z
noise           L₀ + σ_ε² V;  noise-beyond and noise-regularised: the 1/T fall-off at N, T > M
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ... import arguments
from ...errors import InputError
from ..expansion import exact_number
from .limit import Comparison, Limit, Setting, ratio

__all__ = ["REGIMES", "Comparison", "Limit", "Setting", "limit", "ratio"]

#: every regime and what it means, in words
REGIMES = {
    "N<<T": "few features: N large, T much larger, M = ∞, zero ridge",
    "T<<N": "few samples: T large, N much larger, M = ∞, zero ridge",
    "N/T": "N and T large at a fixed ratio below 1 (N the smaller), M = ∞, zero ridge",
    "T/N": "N and T large at a fixed ratio below 1 (T the smaller), M = ∞, zero ridge",
    "optimal-ridge": "N and T large at any fixed ratio, M = ∞, isotropic target, optimal ridge",
    "M->inf": "M finite but much larger than min(N, T), zero ridge",
    "min(N,T)->M": "min(N, T) close to the finite M from below, zero ridge",
    "ridge->0": "N, T fixed and different, weak ridge",
    "ridge->0,N=T": "N = T fixed, weak ridge: the double-descent peak",
    "ridge->inf": "N, T fixed, strong ridge",
    "noise": "label noise larger than the noiseless loss, min(N, T) < M, zero ridge",
    "noise-beyond": "N, T > M with label noise, zero ridge",
    "noise-regularised": "N, T > M with label noise, optimal ridge",
}

ALIASES = {
    "n≪t": "N<<T",
    "t≪n": "T<<N",
    "m->infinity": "M->inf",
    "n=t": "ridge->0,N=T",
    "min->m": "min(N,T)->M",
    "breakdown": "min(N,T)->M",
    "ridge->infinity": "ridge->inf",
}


def regime_name(regime: str) -> str:
    """The canonical name of a regime; spaces, case and ≪, →, ∞ do not matter."""
    plain = "".join(str(regime).split()).lower().replace("→", "->").replace("∞", "inf")
    plain = plain.replace("≪", "<<")
    for name in REGIMES:
        if plain == name.lower():
            return name
    if plain in ALIASES:
        return ALIASES[plain]
    import difflib

    canonical = {n.lower(): n for n in REGIMES}
    close = difflib.get_close_matches(plain, list(canonical), n=1)
    hint = f" (did you mean {canonical[close[0]]}?)" if close else ""
    raise InputError("regime", repr(regime), f"one of {', '.join(REGIMES)}{hint}")


def limit(
    regime: str,
    *,
    alpha: Any = None,
    exponent: Any = None,
    target_exponent: Any = None,
    smaller: str = "N",
    terms: int = 3,
) -> Limit:
    """One limit of the static loss.

    Parameters
    ----------
    regime: a name in `REGIMES`.
    alpha, exponent: α or b = 1 + α, the representative point at which terms are ordered; every
        coefficient stays symbolic.  Not needed where the series has integer powers anyway.
    target_exponent: a; None means isotropic weights (a = b), which also simplifies the formulas.
    smaller: "N" or "T", for the regimes that hold on either side.
    terms: number of terms, leading one included (the default: leading and two corrections).

    Raises `InputError` for an unknown regime and for missing or inadmissible exponents.

    >>> print(limit("N<<T", alpha=0.5).kappa)
    c**b*lambda_+*N**(-b) - b*c**b*lambda_+/2*N**(-b - 1) + b*c**b*lambda_+*(b + 1)/8*N**(-b - 2) \
+ O(N**(-2*b - 1))
    """
    name = regime_name(regime)
    terms = arguments.count("terms", terms)
    arguments.choice("smaller", smaller, ("N", "T"))
    b_value = _exponent(name, alpha, exponent)
    a_value = None if target_exponent is None else exact_number(target_exponent)
    if a_value is not None and not a_value > 1:
        raise InputError(
            "target_exponent", target_exponent, "a > 1, else the target power diverges"
        )
    return _limit(name, b_value, a_value, smaller, terms)


def _exponent(name: str, alpha: Any, exponent: Any) -> Any:
    if alpha is not None and exponent is not None:
        raise InputError("alpha", alpha, "only one of alpha and exponent b = 1 + alpha")
    if alpha is None and exponent is None:
        if name in ("N<<T", "T<<N", "N/T", "T/N", "optimal-ridge", "M->inf"):
            raise InputError(
                "alpha",
                None,
                f"alpha or exponent: the order of terms in the regime {name} depends on it",
            )
        return None
    value = exact_number(exponent) if alpha is None else 1 + exact_number(alpha)
    if not value > 1:
        raise InputError(
            "alpha",
            alpha if exponent is None else value - 1,
            "α > 0 (b > 1), else the trace of an infinite spectrum diverges",
        )
    return value


@cache
def _limit(name: str, b_value: Any, a_value: Any, smaller: str, terms: int) -> Limit:
    from . import infinite_size, local, noise, scaling

    if name in ("N<<T", "N/T", "T<<N", "T/N"):
        side = name[0]
        other = "T" if side == "N" else "N"
        far = "<<" in name
        when = f"1 ≪ {side} {'≪' if far else '<'} {other} ≪ M, zero ridge" + (
            ""
            if far
            else f", {side}/{other} fixed; corrections grow near {side} = {other}"
            " only through the exact coefficients"
        )
        title = f"{'Plateau' if far else 'Fixed ratio'}: {side} the bottleneck"
        return scaling.size_limit(
            side, terms, b_value, a_value, regime=name, when=when, title=title
        )
    if name == "optimal-ridge":
        if a_value is not None and a_value != b_value:
            raise InputError(
                "target_exponent", a_value, "an isotropic target (a = b) at the optimal ridge"
            )
        return scaling.optimal_ridge_limit(b_value, terms)
    if name == "M->inf":
        return infinite_size.infinite_size_limit(smaller, b_value, a_value, terms)
    if name == "min(N,T)->M":
        return local.breakdown_limit(smaller, terms)
    if name.startswith("ridge->0"):
        return local.small_ridge_limit("=" if "=" in name else smaller, terms)
    if name == "ridge->inf":
        return local.large_ridge_limit(terms)
    if name == "noise":
        return noise.noise_limit(smaller)
    if name == "noise-beyond":
        return noise.noise_beyond_limit(terms)
    return noise.regularised_noise_limit(terms)
