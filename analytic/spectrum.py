r"""Spectra: the eigenvalues λ_J of the latent covariance and the target power w_J² λ_J.

Every result of the theory needs a spectrum only through sums over its modes,

    S(κ; p, q) = Σ_J w_J^{2τ} λ_J^p/(λ_J+κ)^q,     τ = 0 or 1,

of which D_q(κ) = S(κ; q, q) at τ = 0 (degrees of freedom) and h_q(κ) = S(κ; 1, q) at
τ = 1 (target sums) carry names. For a power law λ_J = λ₊ J^{-b}, w_J² = σ_w² J^{b−a},

    S(κ; p, q) = λ₊^{p−q} σ_w^{2τ} Σ_J J^{-s}/(1 + (κ/λ₊) J^b)^q,   s = b(p−q) + τ(a−b),

a power sum, which costs the same for M = 10² and for M = ∞ (see `power_sums`).

Sums have two numeric faces, chosen by the type of κ: an mpmath number gives an mpmath
number at the current precision, anything else a float64 or complex128 array.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from . import arguments
from .errors import InputError
from .formula import is_mp
from .notation import J, M

GUARD_BITS = 12
CHUNK = 1 << 21  # modes × values of κ that one step of a direct sum holds


_MODE, _WEIGHT = sp.Symbol("lambda_J", positive=True), sp.Symbol("w_J")


def _float(x: Any) -> Any:
    return x if isinstance(x, np.ndarray) else float(x)


class Spectrum(ABC):
    """Eigenvalues λ_1 ≥ λ_2 ≥ … > 0 and the power of the target in each mode.

    ``size`` is the number M of modes, possibly `math.inf`.
    """

    size: int | float

    @abstractmethod
    def resolvent_sum(self, kappa: Any, p: int, q: int, target: bool = False) -> Any:
        """Σ_J λ_J^p/(λ_J+κ)^q, with a further factor w_J² if ``target``.

        κ may be real ≥ 0 or complex off the negative axis, of any shape; the result has
        the same shape.
        """

    @abstractmethod
    def eigenvalue(self, index: Any) -> Any:
        """λ_J at J = ``index`` (counted from 1; an array gives an array)."""

    @abstractmethod
    def target_power(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """The block w_J² λ_J for J = start+1 … stop, as float64."""

    def degrees_of_freedom(self, kappa: Any, order: int = 1) -> Any:
        """D_order(κ) = Σ (λ/(λ+κ))^order.

        >>> float(Flat(10).degrees_of_freedom(1.0))
        5.0
        """
        return self.resolvent_sum(kappa, order, order)

    def target_sum(self, kappa: Any, order: int = 1) -> Any:
        """h_order(κ) = Σ w² λ/(λ+κ)^order."""
        return self.resolvent_sum(kappa, 1, order, target=True)

    def trace(self, power: int = 1, *, mp: bool = False) -> Any:
        """Σ λ^power, as a float or as an mpmath number."""
        return self.resolvent_sum(mpmath.mpf(0) if mp else 0.0, power, 0)

    def total_target_power(self, *, mp: bool = False) -> Any:
        """Σ w² λ: the loss before training."""
        return self.resolvent_sum(mpmath.mpf(0) if mp else 0.0, 1, 0, target=True)

    def eigenvalues(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """The block λ_J for J = start+1 … stop, descending, as float64."""
        stop = self._stop(stop)
        return np.asarray(self.eigenvalue(np.arange(start + 1, stop + 1, dtype=float)), dtype=float)

    def symbolic(self) -> tuple[sp.Eq, ...]:
        """The spectrum in formulas: λ_J (and w_J² λ_J where it is not isotropic), and M."""
        return (sp.Eq(M, int(self.size)),)

    def _repr_latex_(self) -> str:
        return r"$\displaystyle " + r",\quad ".join(map(sp.latex, self.symbolic())) + "$"

    def _stop(self, stop: int | None) -> int:
        if stop is None and self.size == math.inf:
            raise InputError("stop", stop, "a count: the spectrum has infinitely many modes")
        return int(self.size) if stop is None else int(min(stop, self.size))


class PowerLaw(Spectrum):
    """λ_J = λ₊ J^{-b} with b = 1 + α, and w_J² λ_J = σ_w² λ₊ J^{-a}, for J = 1 … M.

    Parameters
    ----------
    alpha, exponent:
        Exactly one of α > 0 and b = 1 + α; b in (0, 1] needs a finite M, since the trace
        diverges otherwise.
    size: M, a count or `math.inf`.
    target_exponent: a; None (the default) means isotropic weights, a = b.
    scale: λ₊. target_variance: σ_w².

    Numbers may be ints, floats, `fractions.Fraction` or mpmath numbers; the mpmath face
    keeps their exact values. Source: solvable-model paper, eq. (23); dynamical paper, eq. (13).

    >>> PowerLaw(alpha=1, size=3).eigenvalues()
    array([1.        , 0.25      , 0.11111111])
    """

    def __init__(
        self,
        alpha: Any = None,
        *,
        exponent: Any = None,
        size: float = math.inf,
        target_exponent: Any = None,
        scale: Any = 1,
        target_variance: Any = 1,
    ) -> None:
        if (alpha is None) == (exponent is None):
            raise InputError("alpha", alpha, "exactly one of alpha and exponent b = 1 + alpha")
        if size != math.inf:
            size = arguments.count("size", size)
        if exponent is None:
            arguments.number("alpha", alpha)
            if not (alpha > 0 or size < math.inf) or not -1 < alpha < math.inf:
                raise InputError(
                    "alpha", alpha, "a number > 0 when M is infinite (the trace Σ λ diverges "
                    "otherwise), > -1 when M is finite",
                )  # fmt: skip
            exponent = 1 + alpha
        arguments.positive("exponent", exponent)
        if size == math.inf and not exponent > 1:
            raise InputError("exponent", exponent, "b > 1 when M is infinite (Σ J^-b diverges)")
        self.exponent, self.size = exponent, size
        self.isotropic = target_exponent is None
        self.target_exponent = exponent if target_exponent is None else target_exponent
        arguments.number("target_exponent", self.target_exponent)
        if not abs(self.target_exponent) < math.inf:
            raise InputError("target_exponent", target_exponent, "a finite number")
        if size == math.inf and not self.target_exponent > 1:
            raise InputError(
                "target_exponent", target_exponent,
                "a > 1 when M is infinite (the power Σ J^-a of the target diverges)",
            )  # fmt: skip
        self.scale = arguments.positive("scale", scale)
        self.target_variance = arguments.positive("target_variance", target_variance)

    @property
    def alpha(self) -> Any:
        """α = b − 1."""
        return self.exponent - 1

    def __repr__(self) -> str:
        return (
            f"PowerLaw(exponent={self.exponent}, size={self.size}, "
            f"target_exponent={self.target_exponent}, scale={self.scale}, "
            f"target_variance={self.target_variance})"
        )

    def resolvent_sum(self, kappa: Any, p: int, q: int, target: bool = False) -> Any:
        from .power_sums import power_sum

        b, a = self._exact_exponents
        s = b * (p - q) + (a - b if target else 0)
        if is_mp(kappa):
            with mpmath.extraprec(GUARD_BITS):
                scale = mpmath.mpmathify(self.scale)
                weight = mpmath.mpmathify(self.target_variance) if target else 1
                total = weight * scale ** (p - q) * power_sum(s, b, q, kappa / scale, self.size)
            return +total
        scale, weight = float(self.scale), float(self.target_variance) if target else 1.0
        return weight * scale ** (p - q) * power_sum(s, b, q, kappa / scale, self.size)

    @cached_property
    def _exact_exponents(self) -> tuple[Fraction, Fraction]:
        """b and a as fractions, so that sums and differences of them are exact."""
        from .power_sums.exponents import exact

        return exact("exponent", self.exponent), exact("target_exponent", self.target_exponent)

    def symbolic(self) -> tuple[sp.Eq, ...]:
        b, a, scale, variance = map(
            sp.nsimplify, (self.exponent, self.target_exponent, self.scale, self.target_variance)
        )
        size = sp.oo if self.size == math.inf else int(self.size)
        target = sp.Eq(_WEIGHT**2 * _MODE, variance * scale * J**-a)
        return sp.Eq(_MODE, scale * J**-b), target, sp.Eq(M, size, evaluate=False)

    def eigenvalue(self, index: Any) -> Any:
        convert = mpmath.mpmathify if is_mp(index) else _float
        return convert(self.scale) * index ** -convert(self.exponent)

    def target_power(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        index = np.arange(start + 1, self._stop(stop) + 1, dtype=float)
        return float(self.target_variance * self.scale) * index ** -float(self.target_exponent)


class Flat(Spectrum):
    """λ_J = λ for J = 1 … M, isotropic target: white data.

    >>> float(Flat(4).trace())
    4.0
    """

    def __init__(self, size: int, scale: Any = 1, target_variance: Any = 1) -> None:
        self.size = arguments.count("size", size)
        self.scale = arguments.positive("scale", scale)
        self.target_variance = arguments.positive("target_variance", target_variance)

    def __repr__(self) -> str:
        return f"Flat({self.size}, scale={self.scale}, target_variance={self.target_variance})"

    def resolvent_sum(self, kappa: Any, p: int, q: int, target: bool = False) -> Any:
        convert = mpmath.mpmathify if is_mp(kappa) else _float
        scale, weight = convert(self.scale), convert(self.target_variance) if target else 1
        if not is_mp(kappa):
            kappa = np.asarray(kappa)[()]
        return weight * int(self.size) * scale ** (p - q) * (scale / (scale + kappa)) ** q

    def symbolic(self) -> tuple[sp.Eq, ...]:
        return sp.Eq(_MODE, sp.nsimplify(self.scale)), sp.Eq(M, int(self.size))

    def eigenvalue(self, index: Any) -> Any:
        return (mpmath.mpmathify if is_mp(index) else _float)(self.scale) * index**0

    def target_power(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        return np.full(self._stop(stop) - start, float(self.scale * self.target_variance))


class Empirical(Spectrum):
    """A measured spectrum: any finite array of eigenvalues, with the target power of each mode.

    Parameters
    ----------
    eigenvalues: λ_J in descending order, ≥ 0; trailing zeros are dropped (such modes hold
        no data), and then ``size`` is the number that remain.
    target_power: w_J² λ_J ≥ 0, of the same length; None means isotropic weights.
    target_variance: σ_w², for isotropic weights.

    The entries may be floats or mpmath numbers.

    >>> float(Empirical([1, 0.5, 0.25]).degrees_of_freedom(1.0).round(3))
    1.033
    """

    def __init__(
        self,
        eigenvalues: Sequence[Any] | np.ndarray,
        target_power: Sequence[Any] | np.ndarray | None = None,
        target_variance: Any = 1,
    ) -> None:
        values = list(eigenvalues)
        if not values:
            raise InputError("eigenvalues", "[]", "at least one eigenvalue")
        for value in values:
            arguments.nonnegative("eigenvalues", value)
        if any(x < y for x, y in zip(values, values[1:])):
            raise InputError("eigenvalues", values[:4], "descending order")
        rank = sum(1 for value in values if value > 0)
        if rank == 0:
            raise InputError("eigenvalues", values[:4], "at least one eigenvalue > 0")
        self.size = rank
        self.target_variance = arguments.positive("target_variance", target_variance)
        self._exact_values = values[:rank]
        self._exact_target: list[Any] | None = None
        if target_power is not None:
            self._exact_target = self._checked_target(list(target_power), len(values))[:rank]

    @staticmethod
    def _checked_target(target: list[Any], length: int) -> list[Any]:
        if len(target) != length:
            raise InputError("target_power", f"{len(target)} entries", f"{length} entries")
        for value in target:
            arguments.nonnegative("target_power", value)
        return target

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} eigenvalues)"

    @cached_property
    def _values(self) -> np.ndarray:
        return np.array([float(x) for x in self._exact_values])

    @cached_property
    def _weights(self) -> np.ndarray:
        if self._exact_target is None:
            return np.full(int(self.size), float(self.target_variance))
        return np.array([float(x) for x in self._exact_target]) / self._values

    def resolvent_sum(self, kappa: Any, p: int, q: int, target: bool = False) -> Any:
        if is_mp(kappa):
            return self._sum_mp(kappa, p, q, target)
        kappa = np.asarray(kappa)
        flat = kappa.ravel()
        factor = self._values**p * (self._weights if target else 1.0)
        out = np.empty(flat.shape, dtype=np.result_type(flat.dtype, float))
        step = max(1, CHUNK // int(self.size))
        for i in range(0, len(flat), step):
            block = self._values[:, None] + flat[None, i : i + step]
            out[i : i + step] = factor @ (1 / block) ** float(q)
        return out.reshape(kappa.shape)[()]

    def _modes_mp(self) -> tuple[list[Any], list[Any]]:
        """(λ_J, w_J²) as mpmath numbers at the current precision."""
        modes = [mpmath.mpmathify(x) for x in self._exact_values]
        if self._exact_target is None:
            return modes, [mpmath.mpmathify(self.target_variance)] * len(modes)
        return modes, [mpmath.mpmathify(w) / x for w, x in zip(self._exact_target, modes)]

    def _sum_mp(self, kappa: Any, p: int, q: int, target: bool) -> Any:
        with mpmath.extraprec(20 + int(self.size).bit_length()):
            modes, weights = self._modes_mp()
            terms = [x**p / (x + kappa) ** q for x in modes]
            total = mpmath.fdot(weights, terms) if target else mpmath.fsum(terms)
        return +total

    def eigenvalue(self, index: Any) -> Any:
        if is_mp(index):
            return mpmath.mpmathify(self._exact_values[int(index) - 1])
        return self._values[np.asarray(index, dtype=int) - 1]

    def target_power(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        return (self._weights * self._values)[start : self._stop(stop)]


class CutoffPowerLaw(Empirical):
    """λ_J = λ₊ J^{-b} e^{-J/J_c} for J = 1 … M: a power law with a soft end at J_c.

    ``target_exponent`` a gives w_J² = σ_w² J^{b−a}; None means isotropic weights.

    >>> CutoffPowerLaw(alpha=1, cutoff=2, size=2).eigenvalues().round(4)
    array([0.6065, 0.092 ])
    """

    def __init__(
        self,
        alpha: Any,
        cutoff: Any,
        size: int,
        *,
        target_exponent: Any = None,
        scale: Any = 1,
        target_variance: Any = 1,
    ) -> None:
        law = PowerLaw(
            alpha, size=arguments.count("size", size), target_exponent=target_exponent,
            scale=scale, target_variance=target_variance,
        )  # fmt: skip
        arguments.positive("cutoff", cutoff)
        self.law, self.cutoff = law, cutoff
        values = law.eigenvalues() * np.exp(-np.arange(1, size + 1) / float(cutoff))
        values = values[values > 0]  # e^{-J/J_c} may leave the range of float64
        weights = law.target_power(0, len(values)) / law.eigenvalues(0, len(values))
        super().__init__(values, None if law.isotropic else weights * values, target_variance)

    def symbolic(self) -> tuple[sp.Eq, ...]:
        b, scale, end = map(sp.nsimplify, (self.law.exponent, self.law.scale, self.cutoff))
        return sp.Eq(_MODE, scale * J**-b * sp.exp(-J / end)), sp.Eq(M, self.size)

    def _modes_mp(self) -> tuple[list[Any], list[Any]]:
        law = self.law
        b, a, scale, end, weight = map(
            mpmath.mpmathify,
            (law.exponent, law.target_exponent, law.scale, self.cutoff, law.target_variance),
        )
        index = [mpmath.mpf(j) for j in range(1, int(self.size) + 1)]
        modes = [scale * j**-b * mpmath.exp(-j / end) for j in index]
        return modes, [weight * j ** (b - a) for j in index]
