r"""Spectra given mode by mode, or eigenvalue by eigenvalue with multiplicities.

    S(κ; p, q) = Σ_i m_i w_i^{2τ} λ_i^p/(λ_i+κ)^q

costs the number of different eigenvalues that are listed, in both numeric faces.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .. import arguments, precision
from ..errors import InputError
from ..formula import is_mp
from ..notation import J
from .laws import PowerLaw
from .protocol import CHUNK, MODE, MOST_LISTED, Spectrum, parameter

#: eigenvalues, multiplicities, weights
_Modes = tuple[Sequence[Any] | np.ndarray, Sequence[Any] | np.ndarray, Sequence[Any] | np.ndarray]

LISTED_MODES = 400  # a spectrum up to this size is summed mode by mode in float64
UNDERFLOW = 746  # cutoffs after which a mode is zero in float64
ROUNDING = 8 * np.finfo(float).eps  # of an eigenvalue solver, per mode and largest eigenvalue


class _Listed(Spectrum):
    """What all finite lists share."""

    listed = True

    @abstractmethod
    def _modes(self, mp: bool) -> _Modes:
        """λ_i descending, m_i and w_i², as floats or as mpmath numbers."""

    @cached_property
    def _floats(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values, counts, weights = self._modes(False)
        return tuple(np.array([float(x) for x in part]) for part in (values, counts, weights))  # type: ignore[return-value]

    def atoms(self) -> tuple[np.ndarray, np.ndarray]:
        return self._floats[:2]

    def _sum(self, kappa: Any, p: int, q: int, target: bool) -> Any:
        if is_mp(kappa):
            return self._sum_mp(kappa, p, q, target)
        kappa = np.asarray(kappa)
        flat = kappa.ravel()
        values, counts, weights = self._floats
        factor = counts * values ** float(p) * (weights if target else 1.0)
        out = np.empty(flat.shape, dtype=np.result_type(flat.dtype, float))
        step = max(1, CHUNK // len(values))
        for i in range(0, len(flat), step):
            block = values[:, None] + flat[None, i : i + step]
            out[i : i + step] = factor @ (1 / block) ** float(q)
        return out.reshape(kappa.shape)[()]

    def _sum_mp(self, kappa: Any, p: int, q: int, target: bool) -> Any:
        with precision.extraprec(20 + len(self._floats[0]).bit_length()):
            values, counts, weights = self._modes(True)
            terms = [m * x**p / (x + kappa) ** q for x, m in zip(values, counts)]
            total = mpmath.fdot(weights, terms) if target else mpmath.fsum(terms)
        return +total

    def log_sum(self, kappa: np.ndarray) -> np.ndarray:
        values, counts, _ = self._floats
        return self._log_sum(kappa, values, counts)

    @cached_property
    def _last(self) -> list[Any]:
        """The index of the last mode of each eigenvalue."""
        return list(accumulate(self._modes(False)[1]))

    def _place(self, index: Any) -> Any:
        place = np.searchsorted(np.array(self._last, float), np.asarray(index, dtype=float))
        return np.minimum(place, len(self._last) - 1)

    def eigenvalue(self, index: Any) -> Any:
        if is_mp(index):
            return self._modes(True)[0][int(self._place(index))]
        return self._floats[0][self._place(index)]

    def target_power(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        values, _, weights = self._floats
        return (weights * values)[self._place(np.arange(start + 1, self._stop(stop, start) + 1))]


@dataclass(frozen=True, init=False)
class Atoms(_Listed):
    """Finitely many different eigenvalues, each of any multiplicity.

    Parameters
    ----------
    values: λ_i > 0, in any order. multiplicities: m_i > 0, integers or reals (shares of N, say).
    power: the target power w_J² λ_J of each mode of the atom; None means isotropic weights.
    target_variance: σ_w², for isotropic weights.

    The size is M = Σ m_i; sums cost the number of atoms.

    Raises `InputError` for values, multiplicities or powers that are not > 0 (powers: ≥ 0) or
    differ in number. Source: this package; equation (1) holds for any spectrum.

    >>> float(Atoms([1, 0.25], [10**18, 4]).degrees_of_freedom(1.0))
    5e+17
    """

    values: tuple[Any, ...]
    multiplicities: tuple[Any, ...]
    power: tuple[Any, ...] | None
    target_variance: Any

    def __init__(
        self, values: Any, multiplicities: Any, power: Any = None, target_variance: Any = 1
    ) -> None:
        columns = [_entries("values", values), _entries("multiplicities", multiplicities)]
        if power is not None:
            columns.append(_entries("power", power))
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(str(len(column)) for column in columns)
            raise InputError("multiplicities", f"{lengths} entries", "as many as eigenvalues")
        for name, column in zip(("values", "multiplicities"), columns):
            for value in (max(column), min(column)):
                arguments.positive(name, value)
        rows = sorted(zip(*columns), key=lambda row: row[0], reverse=True)
        ordered = [tuple(column) for column in zip(*rows)]
        for value in (max(ordered[2]), min(ordered[2])) if power is not None else ():
            arguments.nonnegative("power", value)
        self._set(
            values=ordered[0], multiplicities=ordered[1],
            power=ordered[2] if power is not None else None,
            target_variance=parameter(arguments.positive, "target_variance", target_variance),
        )  # fmt: skip

    @classmethod
    def examples(cls) -> Sequence[Spectrum]:
        return (
            cls([2, 0.5, 0.01], [3, 20, 50], power=[1, 0, 0.2]),
            cls([1, 0.125], [6, 30], target_variance=3),
        )

    @cached_property
    def size(self) -> Any:  # type: ignore[override]
        """M = Σ m_i."""
        total = sum(self.multiplicities)
        return int(total) if total == int(total) else total

    def _modes(self, mp: bool) -> _Modes:
        convert = mpmath.mpmathify if mp else _same
        values, counts = ([convert(x) for x in part] for part in (self.values, self.multiplicities))
        return values, counts, _weights(self, values, convert)


@dataclass(frozen=True)
class Flat(_Listed):
    """λ_J = λ for J = 1 … M, isotropic target: white data.

    M ≥ 1 modes. Raises `InputError` for a size or scale that is not > 0. Source: dynamical paper,
    eqs. (118)–(122).

    >>> float(Flat(4).trace())
    4.0
    """

    size: Any
    scale: Any = 1
    target_variance: Any = 1

    def __post_init__(self) -> None:
        self._set(
            size=arguments.count("size", self.size),
            scale=parameter(arguments.positive, "scale", self.scale),
            target_variance=parameter(arguments.positive, "target_variance", self.target_variance),
        )

    @classmethod
    def examples(cls) -> Sequence[Spectrum]:
        return (cls(60, scale=0.75, target_variance=2),)

    def _modes(self, mp: bool) -> _Modes:
        convert = mpmath.mpmathify if mp else _same
        return [convert(self.scale)], [convert(self.size)], [convert(self.target_variance)]

    def symbolic(self) -> tuple[sp.Eq, ...]:
        return sp.Eq(MODE, sp.nsimplify(self.scale)), *super().symbolic()


@dataclass(frozen=True, init=False)
class Empirical(_Listed):
    """A measured spectrum: any finite list of eigenvalues, with the target power of each mode.

    Parameters
    ----------
    eigenvalues: λ_J ≥ 0. What is not in descending order is sorted, negative numbers as small as
        the rounding errors of an eigenvalue solver are set to zero, and a warning says so. Modes
        of zero variance hold no data: ``size`` is the number of the others.
    target_power: w_J² λ_J ≥ 0, of the same length; None means isotropic weights. That of modes
        of zero variance is ``irreducible``.
    target_variance: σ_w², for isotropic weights.

    The entries may be floats, Fractions or mpmath numbers.

    Raises `InputError` for entries that are not finite or too negative to be rounding, named by
    their place. Source: solvable-model paper, eq. (23), whose eigenvalues it replaces by measured
    ones.

    >>> float(Empirical([1, 0.5, 0.25]).degrees_of_freedom(1.0).round(3))
    1.033
    >>> Empirical([1, 0.5, 0], [1, 0.5, 7]).irreducible
    7
    """

    values: tuple[Any, ...] = field(metadata={"argument": "eigenvalues"})
    power: tuple[Any, ...] | None = field(metadata={"argument": "target_power"})
    target_variance: Any

    def __init__(
        self, eigenvalues: Any, target_power: Any = None, target_variance: Any = 1
    ) -> None:
        values = _entries("eigenvalues", eigenvalues)
        power = None if target_power is None else _entries("target_power", target_power)
        if power is not None and len(power) != len(values):
            raise InputError("target_power", f"{len(power)} entries", f"{len(values)} entries")
        for value in (max(power), min(power)) if power else ():
            arguments.nonnegative("target_power", value)
        values, power = _ordered(_clipped(values), power)
        if not values[0] > 0:
            raise InputError("eigenvalues", values[:4], "at least one eigenvalue > 0")
        self._set(
            values=tuple(values), power=power and tuple(power),
            target_variance=parameter(arguments.positive, "target_variance", target_variance),
        )  # fmt: skip

    @classmethod
    def examples(cls) -> Sequence[Spectrum]:
        values = np.sort(np.random.default_rng(11).gamma(0.5, size=40))[::-1]
        return (
            cls(values, target_power=values**2 * 3),
            cls([1, 0.5, 0.5, 0.125, 0.01, 0.01, 0], target_variance=4),
        )

    @cached_property
    def size(self) -> int:  # type: ignore[override]
        """M, the number of eigenvalues > 0."""
        return sum(1 for value in self.values if value > 0)

    @cached_property
    def irreducible(self) -> Any:  # type: ignore[override]
        """The target power of the modes of zero variance."""
        return sum(self.power[self.size :]) if self.power else 0

    @property
    def learnable(self) -> Empirical:
        """The modes of the data alone."""
        power = self.power and self.power[: self.size]
        return Empirical(self.values[: self.size], power, self.target_variance)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} eigenvalues)"

    def _modes(self, mp: bool) -> _Modes:
        convert = mpmath.mpmathify if mp else _same
        values = [convert(x) for x in self.values[: self.size]]
        return values, [1] * len(values), _weights(self, values, convert)


@dataclass(frozen=True)
class CutoffPowerLaw(_Listed):
    """λ_J = λ₊ J^{-b} e^{-J/J_c} for J = 1 … M: a power law with a soft end at J_c.

    ``target_exponent`` a gives w_J² = σ_w² J^{b−a}; None means isotropic weights. Modes below
    the range of float64 are left out of M.

    Raises `InputError` for α, cutoff or size that are not > 0. Source: solvable-model paper, eq.
    (23), with an end that data have and the model has not.

    >>> CutoffPowerLaw(alpha=1, cutoff=2, size=2).eigenvalues().round(4)
    array([0.6065, 0.092 ])
    """

    alpha: Any
    cutoff: Any
    size: Any
    target_exponent: Any = None
    scale: Any = 1
    target_variance: Any = 1

    def __post_init__(self) -> None:
        self._set(size=arguments.count("size", self.size))
        law = self.law
        for name in ("alpha", "target_exponent", "scale", "target_variance"):
            self._set(**{name: getattr(law, name)})
        self._set(cutoff=parameter(arguments.positive, "cutoff", self.cutoff))
        if self.free_symbols:
            raise InputError("parameters", tuple(self.free_symbols), "numbers in a cut off law")
        self._set(size=min(self.size, int(UNDERFLOW * self.cutoff) + 2))
        if self.size > MOST_LISTED:
            raise InputError("size", self.size, f"at most {MOST_LISTED} modes: they are listed")
        self._set(size=int(np.count_nonzero(self._modes(False)[0])))

    @classmethod
    def examples(cls) -> Sequence[Spectrum]:
        return (cls(1, 20, 80, target_exponent=1.5),)

    @property
    def law(self) -> PowerLaw:
        """The power law that is cut off."""
        return PowerLaw(
            self.alpha, size=self.size, target_exponent=self.target_exponent, scale=self.scale,
            target_variance=self.target_variance,
        )  # fmt: skip

    def symbolic(self) -> tuple[sp.Eq, ...]:
        b, scale, end = map(sp.nsimplify, (self.law.exponent, self.scale, self.cutoff))
        return sp.Eq(MODE, scale * J**-b * sp.exp(-J / end)), *super().symbolic()

    def _modes(self, mp: bool) -> _Modes:
        law, convert = self.law, mpmath.mpmathify if mp else float
        b, a, scale, end, weight = map(
            convert, (law.exponent, law.target_exponent, law.scale, self.cutoff,
                      law.target_variance),
        )  # fmt: skip
        if mp:
            index: Any = [mpmath.mpf(j) for j in range(1, int(self.size) + 1)]
            modes: Any = [scale * j**-b * mpmath.exp(-j / end) for j in index]
            return modes, [1] * len(modes), [weight * j ** (b - a) for j in index]
        index = np.arange(1.0, self.size + 1)
        modes = scale * index**-b * np.exp(-index / end)
        return modes, np.ones(len(modes)), weight * index ** (b - a)


def _same(value: Any) -> Any:
    return value


def _weights(spectrum: Any, values: Sequence[Any], convert: Any) -> list[Any]:
    if spectrum.power is None:
        return [convert(spectrum.target_variance)] * len(values)
    return [convert(w) / x for w, x in zip(spectrum.power, values)]


def _entries(name: str, given: Any) -> list[Any]:
    """A flat list of Python or mpmath numbers."""
    array = np.asarray(given, dtype=object)
    if array.ndim != 1 or not array.size:
        allowed = "a list of at least one number"
        raise InputError(name, f"an array of shape {array.shape}" if array.size else "[]", allowed)
    arguments.grid(name, array.shape)
    if isinstance(given, np.ndarray) and given.dtype.kind in "iuf":
        return list(arguments.number(name, given).tolist())
    return [arguments.real(name, x) for x in given]


def _clipped(values: list[Any]) -> list[Any]:
    """Negative numbers of the size of rounding errors as zeros; `InputError` for others."""
    tolerance = ROUNDING * len(values) * float(max(values))
    negative = [value for value in values if value < 0]
    for value in (max(values), min(values)):
        arguments.nonnegative("eigenvalues", 0 if -tolerance <= value < 0 else value)
    if negative:
        _say(f"{len(negative)} negative eigenvalues, down to {float(min(negative)):.1e}, are "
             "rounding errors: set to zero")  # fmt: skip
    return [0 if value < 0 else value for value in values]


def _ordered(values: list[Any], power: list[Any] | None) -> tuple[list[Any], list[Any] | None]:
    if all(x >= y for x, y in zip(values, values[1:])):
        return values, power
    _say("eigenvalues sorted in descending order" + (", with their target power" if power else ""))
    order = sorted(range(len(values)), key=values.__getitem__, reverse=True)
    return [values[i] for i in order], power and [power[i] for i in order]


def _say(what: str) -> None:
    warnings.warn(what, UserWarning, stacklevel=4)


@lru_cache(maxsize=16)
def mode_by_mode(spectrum: Spectrum) -> Spectrum:
    """A short spectrum as a list of modes: summing them in float64 beats any closed form.

    >>> mode_by_mode(PowerLaw(exponent=2, size=2)).eigenvalues()
    array([1.  , 0.25])
    """
    if spectrum.listed or spectrum.size > LISTED_MODES or not spectrum.eigenvalues()[-1] > 0:
        return spectrum
    return Empirical(spectrum.eigenvalues(), spectrum.target_power())
