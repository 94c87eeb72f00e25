"""The regimes that have names, and the statements that the names are short for."""

import re
from typing import NamedTuple

from ...arguments import meant
from ...errors import InputError


class NamedRegime(NamedTuple):
    """What a name means in words; its title, and the statement that it is short for.

    In ``statement`` and ``when`` S is the smaller and L the larger of N and T.
    """

    words: str
    title: str
    statement: str
    when: str


REGIMES = {
    "N<<T": NamedRegime(
        "few features: N large, T much larger, M = ∞, zero ridge",
        "Plateau: N the bottleneck",
        "1 << N, N/T = r, r -> 0, r < 1, M = inf, z = 0",
        "1 ≪ N ≪ T ≪ M, zero ridge; exact in r = N/T",
    ),
    "T<<N": NamedRegime(
        "few samples: T large, N much larger, M = ∞, zero ridge",
        "Plateau: T the bottleneck",
        "1 << T, T/N = r, r -> 0, r < 1, M = inf, z = 0",
        "1 ≪ T ≪ N ≪ M, zero ridge; exact in r = T/N",
    ),
    "N/T": NamedRegime(
        "N and T large at a fixed ratio below 1 (N the smaller), M = ∞, zero ridge",
        "Fixed ratio: N the bottleneck",
        "1 << N, N/T = r, r < 1, M = inf, z = 0",
        "1 ≪ N < T ≪ M, zero ridge, N/T fixed",
    ),
    "T/N": NamedRegime(
        "N and T large at a fixed ratio below 1 (T the smaller), M = ∞, zero ridge",
        "Fixed ratio: T the bottleneck",
        "1 << T, T/N = r, r < 1, M = inf, z = 0",
        "1 ≪ T < N ≪ M, zero ridge, T/N fixed",
    ),
    "optimal-ridge": NamedRegime(
        "N and T large at any fixed ratio, M = ∞, optimal ridge",
        "Optimal ridge at fixed N/T",
        "1 << N, N/T = r, M = inf",
        "1 ≪ N, T ≪ M at a fixed ratio, no noise, ridge optimal; no peak at N = T",
    ),
    "M->inf": NamedRegime(
        "M finite but much larger than min(N, T), zero ridge",
        "Approach to the infinite latent space",
        "M -> inf, S < L, z = 0",
        "finite M with λ₊M^(1−b)/((b−1)κ₀) ≪ S: the modes beyond M count little",
    ),
    "min(N,T)->M": NamedRegime(
        "min(N, T) close to the finite M from below, zero ridge",
        "Breakdown at the size of the latent space",
        "M - S = m, m -> 0, M < L, z = 0",
        "M finite, S < L and S → M from below: m Λ₂/Λ₁² ≪ 1, Λ_k = Tr λ^-k; the loss without "
        "noise is zero beyond",
    ),
    "ridge->0": NamedRegime(
        "N, T fixed and different, weak ridge",
        "Small ridge",
        "z -> 0, S < L < M",
        "S the smaller size, below M; z = γ/(σ_u² N T) small against κ₀ (1 − min/max)²",
    ),
    "ridge->0,N=T": NamedRegime(
        "N = T fixed, weak ridge: the double-descent peak",
        "Small ridge at N = T",
        "z -> 0, T = N, N < M",
        "N = T below M; z = γ/(σ_u² N T) small against κ₀: the peak is cut off at height z^(-1/2)",
    ),
    "ridge->inf": NamedRegime(
        "N, T fixed, strong ridge",
        "Large ridge",
        "z -> inf, S < L < M",
        "z = γ/(σ_u² N T) large against the largest eigenvalue and Σλ (1/N + 1/T)",
    ),
    "noise": NamedRegime(
        "label noise larger than the noiseless loss, min(N, T) < M, zero ridge",
        "Noise-dominated loss",
        "sigma_epsilon -> inf, S < L < M, z = 0",
        "S the smaller size, below M; σ_ε² V above the noiseless loss; exact at zero ridge",
    ),
    "noise-beyond": NamedRegime(
        "N, T > M with label noise, zero ridge",
        "Noise beyond the latent space",
        "T -> inf, M < N, sigma_epsilon < N, z = 0",
        "N > M and T > M, zero ridge: the noiseless loss is zero, T ≫ M for the series",
    ),
    "noise-regularised": NamedRegime(
        "N, T > M with label noise, optimal ridge",
        "Noise beyond the latent space, optimal ridge",
        "T -> inf, M < N, sigma_epsilon < N",
        "N > M, T ≫ M, σ_ε² > 0, ridge optimal: T ≫ σ_ε² Λ₁²/(M W₁)",
    ),
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
#: the regimes of which either size may be the smaller one
EITHER_SIDE = tuple(name for name, one in REGIMES.items() if re.search(r"\bS\b", one.statement))
SCALING = ("N<<T", "T<<N", "N/T", "T/N", "optimal-ridge", "M->inf")


def regime_name(regime: str) -> str | None:
    """The canonical name of a regime, or None for a statement; ≪, →, ∞ and case do not matter."""
    plain = "".join(str(regime).split()).lower().replace("→", "->").replace("∞", "inf")
    plain = plain.replace("≪", "<<")
    for name in REGIMES:
        if plain == name.lower():
            return name
    if plain in ALIASES:
        return ALIASES[plain]
    if any(sign in plain for sign in (",", "=", "~", "->", "<", ">")):
        return None
    hint = meant(str(regime), REGIMES, 1)
    names = ", ".join(REGIMES)
    raise InputError("regime", repr(regime), f"one of {names}, or a statement{hint}")
