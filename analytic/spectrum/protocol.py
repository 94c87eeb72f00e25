r"""What a spectrum is: the eigenvalues λ_J of the latent covariance and the target power w_J² λ_J.

Every result of the theory needs a spectrum only through sums over its modes,

    S(κ; p, q) = Σ_J w_J^{2τ} λ_J^p/(λ_J+κ)^q,     τ = 0 or 1,

of which D_q(κ) = S(κ; q, q) at τ = 0 (degrees of freedom) and h_q(κ) = S(κ; 1, q) at
τ = 1 (target sums) carry names.

Sums have three faces, chosen by the type of κ: an mpmath number gives an mpmath number at the
current precision; a sympy expression, or a spectrum with symbols among its parameters, gives
D_q(κ) or h_q(κ) of this spectrum as a sympy function; anything else a float64 or complex128
array.

A kind of spectrum is a frozen dataclass below `Spectrum`: hashable, picklable, and plain data by
`Spectrum.to_dict` and `from_dict`. Defining it enters it in `KINDS`, from where the command line
(`--spectrum KIND:…`) and the property tests (`Spectrum.examples`) find it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .. import arguments, precision
from ..errors import InputError
from ..formula import is_mp
from ..notation import M
from ..power_sums.exponents import exact
from ..spectral_functions import KINDS, DegreesOfFreedom, SpectrumTerm, TargetSum

CHUNK = 1 << 21  # modes × values of κ that one step of a direct sum holds
MOST_LISTED = 5 * 10**7  # 400 MB an array
MODE, WEIGHT = sp.Symbol("lambda_J", positive=True), sp.Symbol("w_J")


def parameter(check: Callable[[str, Any], Any], name: str, value: Any) -> Any:
    """A parameter of a spectrum: a number that ``check`` allows, or a sympy expression.

    >>> parameter(arguments.positive, "scale", sp.Rational(1, 3))
    Fraction(1, 3)
    """
    if isinstance(value, sp.Expr) and value.free_symbols:
        wrong = value.is_nonpositive if check is arguments.positive else not value.is_commutative
        if value.is_extended_real is False or wrong:
            raise InputError(name, value, "an expression that can be such a number")
        return value
    return check(name, arguments.one(name, value))


def never(condition: Any) -> bool:
    """Whether a comparison is known to be false; one between symbols may be open."""
    return condition is False or condition is np.False_ or condition == sp.false


class Spectrum(ABC):
    """Eigenvalues λ_1 ≥ λ_2 ≥ … > 0 and the power of the target in each mode.

    ``size`` is the number M of modes, possibly `math.inf`; ``irreducible`` the power of the
    target that no mode carries (modes of zero variance): it acts on training as label noise
    does, and no training removes it from the loss.

    Not made itself, but by one of its kinds (`KINDS`), each of which raises `InputError` for
    parameters that are not allowed; they agree on the sums Σ_J w_J^{2τ} λ_J^p/(λ_J+κ)^q, of κ of
    any shape. In per-mode normalisation: λ_J is the variance of mode J. Source: solvable-model
    paper, eq. (23).

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(alpha=1, size=3)
    >>> isinstance(law, Spectrum), law.degrees_of_freedom([0.0, 1.0]).round(3)
    (True, array([3. , 0.8]))
    """

    size: Any
    irreducible: Any = 0
    listed = False  #: whether sums over the modes are made one by one

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not cls.__name__.startswith("_"):
            KINDS[cls.__name__] = cls

    @classmethod
    @abstractmethod
    def examples(cls) -> Sequence[Spectrum]:
        """Some spectra of this kind, for which every property of the theory is tested."""

    @abstractmethod
    def _sum(self, kappa: Any, p: int, q: int, target: bool) -> Any:
        """`resolvent_sum` of numbers."""

    @abstractmethod
    def eigenvalue(self, index: Any) -> Any:
        """λ_J at J = ``index`` (counted from 1; an array gives an array)."""

    @abstractmethod
    def target_power(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """The block w_J² λ_J for J = start+1 … stop, as float64."""

    def resolvent_sum(self, kappa: Any, p: int, q: int, target: bool = False) -> Any:
        """Σ_J λ_J^p/(λ_J+κ)^q, with a further factor w_J² if ``target``.

        κ may be real, ≥ 0 or < −λ_1, or complex off the negative axis, of any shape; the
        result has the same shape.
        """
        if isinstance(kappa, list | tuple):
            kappa = np.asarray(kappa)
        if self.free_symbols or isinstance(kappa, sp.Basic):
            return self._as_function(sp.sympify(kappa), p, q, target)
        with precision.kept_for(kappa):
            return self._sum(kappa, p, q, target)

    def _as_function(self, kappa: sp.Expr, p: int, q: int, target: bool) -> sp.Expr:
        if p == (1 if target else q) and q > 0:
            return (TargetSum if target else DegreesOfFreedom)(q, kappa, self)
        names = ", ".join(sorted(map(str, self.free_symbols))) or str(kappa)
        raise InputError("spectrum", self, f"numbers in place of {names}: this sum has no formula")

    def degrees_of_freedom(self, kappa: Any, order: int = 1) -> Any:
        """D_order(κ) = Σ (λ/(λ+κ))^order.

        >>> from solvable.analytic.spectrum import Flat
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
        """Σ w² λ over the modes: the loss before training, less the irreducible part."""
        return self.resolvent_sum(mpmath.mpf(0) if mp else 0.0, 1, 0, target=True)

    @property
    def learnable(self) -> Spectrum:
        """The spectrum without its modes of zero variance, and without what is irreducible."""
        return self

    def log_sum(self, kappa: np.ndarray) -> np.ndarray:
        """Σ_J ln(1 + λ_J/κ) for an array of κ; finite M."""
        return self._log_sum(kappa, self.eigenvalues(), 1.0)

    @staticmethod
    def _log_sum(kappa: np.ndarray, modes: np.ndarray, counts: Any) -> np.ndarray:
        counts = np.broadcast_to(counts, modes.shape)
        out = np.empty(kappa.shape, dtype=complex)
        step = max(1, CHUNK // len(modes))
        for i in range(0, len(kappa), step):
            out[i : i + step] = counts @ np.log(1 + modes[:, None] / kappa[None, i : i + step])
        return out

    def eigenvalues(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """The block λ_J for J = start+1 … stop, descending, as float64."""
        index = np.arange(start + 1, self._stop(stop, start) + 1, dtype=float)
        return np.asarray(self.eigenvalue(index), dtype=float)

    def atoms(self) -> tuple[np.ndarray, np.ndarray]:
        """The different eigenvalues and their multiplicities, as float64; finite M."""
        values = self.eigenvalues()
        return values, np.ones_like(values)

    def symbolic(self) -> tuple[sp.Eq, ...]:
        """The spectrum in formulas: λ_J (and w_J² λ_J where it is not isotropic), and M."""
        return (sp.Eq(M, sp.nsimplify(self.size), evaluate=False),)

    def _repr_latex_(self) -> str:
        return r"$\displaystyle " + r",\quad ".join(map(sp.latex, self.symbolic())) + "$"

    def _stop(self, stop: int | None, start: int = 0) -> int:
        if stop is None and self.size == math.inf:
            raise InputError("stop", stop, "a count: the spectrum has infinitely many modes")
        last = self.size if stop is None else min(stop, self.size)
        if last - start > MOST_LISTED or (stop is None and last != int(last)):
            name, most = ("size", MOST_LISTED) if stop is None else ("stop", start + MOST_LISTED)
            raise InputError(name, last, f"a whole number up to {most}, to list the modes")
        return int(last)

    # ---- as data ------------------------------------------------------------------------

    @classmethod
    def parameter_names(cls) -> dict[str, str]:
        """Each argument that makes a spectrum of this kind → the field that keeps it."""
        return {f.metadata.get("argument", f.name): f.name for f in fields(cls)}  # type: ignore[arg-type]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The arguments that make this spectrum, by name."""
        return {name: getattr(self, kept) for name, kept in self.parameter_names().items()}

    @cached_property
    def free_symbols(self) -> frozenset[sp.Symbol]:
        """The symbols among the parameters."""
        found = (v.free_symbols for v in self.parameters.values() if isinstance(v, sp.Basic))
        return frozenset().union(*found)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, equal for equal spectra; `from_dict` is its inverse.

        >>> from solvable.analytic.spectrum import PowerLaw
        >>> PowerLaw(alpha=Fraction(1, 3)).to_dict()["exponent"]
        '4/3'
        """
        return {"kind": type(self).__name__, **{k: _plain(v) for k, v in self.parameters.items()}}

    def _sympy_(self) -> SpectrumTerm:
        values = [_as_sympy(value) for value in self.parameters.values()]
        return SpectrumTerm(sp.core.symbol.Str(type(self).__name__), *values)


def from_dict(content: Mapping[str, Any]) -> Spectrum:
    """The spectrum that `Spectrum.to_dict` describes.

    Raises `InputError` for a kind or parameters that do not exist.

    >>> from_dict({"kind": "ExponentialDecay", "rate": "1/10", "size": "inf"})
    ExponentialDecay(rate=Fraction(1, 10), size=inf, target_rate=Fraction(1, 10), scale=1, \
target_variance=1)
    """
    values = dict(content)
    kind = arguments.choice("kind", values.pop("kind", None), KINDS)
    try:
        return KINDS[kind](**{name: _number(name, value) for name, value in values.items()})
    except TypeError as error:
        wanted = ", ".join(KINDS[kind].parameter_names())
        raise InputError("spectrum", values, f"the parameters of {kind}: {wanted}") from error


def _plain(value: Any) -> Any:
    """Equal numbers give equal data: an int, a float, "p/q" where no float is exact, "inf"."""
    if value is None or isinstance(value, tuple):
        return value and [_plain(x) for x in value]
    if isinstance(value, sp.Basic):
        raise InputError("spectrum", value, "numbers, to be written as plain data")
    if value == math.inf:
        return "inf"
    fraction = exact("parameter", value)
    if fraction.denominator == 1 and abs(fraction) < 10**30:
        return int(fraction)
    try:
        number = float(fraction)
    except OverflowError:
        return str(fraction)
    return number if number == fraction else str(fraction)


def _number(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_number(name, x) for x in value)
    if not isinstance(value, str):
        return value
    try:
        return math.inf if value == "inf" else Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise InputError(name, repr(value), "a number") from None


def _as_sympy(value: Any) -> sp.Basic:
    if value is None or isinstance(value, tuple):
        return sp.Tuple(*map(_as_sympy, value or ()))
    if isinstance(value, sp.Basic):
        return value
    return sp.oo if value == math.inf else sp.Rational(exact("parameter", value))


def converter(*values: Any) -> Callable[[Any], Any]:
    """How parameters are turned into numbers of the same face as ``values``."""
    return mpmath.mpmathify if is_mp(*values) else float


def isotropic_pair(name: str, target: Any, own: Any) -> Any:
    """The law of the target: that of the eigenvalues, unless it has its own."""
    return own if target is None else parameter(arguments.number, name, target)
