"""The regimes that have names, and the statements that the names are short for."""

from ...arguments import meant
from ...errors import InputError

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

#: what the names are short for; S is the smaller and L the larger of N and T
STATEMENTS = {
    "N<<T": "1 << N, N/T = r, r -> 0, M = inf, z = 0",
    "T<<N": "1 << T, T/N = r, r -> 0, M = inf, z = 0",
    "N/T": "1 << N, N/T = r, M = inf, z = 0",
    "T/N": "1 << T, T/N = r, M = inf, z = 0",
    "M->inf": "M -> inf, S < L, z = 0",
    "min(N,T)->M": "M - S = m, m -> 0, M < L, z = 0",
    "ridge->0": "z -> 0, S < L < M",
    "ridge->0,N=T": "z -> 0, T = N, N < M",
    "ridge->inf": "z -> inf, S < L < M",
    "noise": "sigma_epsilon -> inf, S < L < M, z = 0",
    "noise-beyond": "T -> inf, M < N, sigma_epsilon < N, z = 0",
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
    if any(sign in plain for sign in (",", "=", "~", "->", "1<<")):
        return None
    hint = meant(str(regime), REGIMES, 1)
    names = ", ".join(REGIMES)
    raise InputError("regime", repr(regime), f"one of {names}, or a statement{hint}")
