r"""A limit of the static loss as an object: series, range, and numbers to compare with.

A limit holds the series of the excess loss L and of κ in one variable, with whatever else belongs
to it (the noise amplification V in L = L₀ + σ_ε² V, the expansion in the ratio r, …), the words
that say when it holds, and the meaning of each symbol that is left in the coefficients.  Given a
spectrum and sizes it evaluates its series and the exact quantity side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import mpmath
import sympy as sp

from ... import loss as static
from ... import notation as symbols
from ... import precision
from ...errors import InputError
from ...spectral_functions import DegreesOfFreedom, Moment, TargetSum
from ...spectrum import Spectrum
from ..balance.exact_value import Comparison
from ..balance.limiting_form import exact_or_float
from ..balance.traces import spectral_number
from ..expansion import Expansion

__all__ = ["Comparison", "Limit", "Setting", "numeric_series", "ratio"]

#: N/T or T/N, whichever is below 1
ratio = sp.Symbol("r", positive=True)

GUARD_DIGITS = 15
DIGITS_AT_RISK = 20


def signs_resolved(expression: sp.Expr) -> sp.Expr:
    """A product with every sum among its factors turned positive, the sign in front.

    The sign is read at a typical place: 1 ≫ D₂ ≫ D₃ …, as D_q/n is, N < T (or T < N where only
    1/(T − N) would be negative otherwise) and r = 1/2.  The value does not change.

    >>> signs_resolved(symbols.N/(symbols.N - symbols.T))
    -N/(-N + T)
    """
    coefficient, factors = expression.as_coeff_mul()
    result = coefficient
    for factor in factors:
        base, exponent = factor.as_base_exp()
        if base.is_Add and exponent.is_Integer and _typically_negative(base):
            base, result = -base, result * (-1) ** exponent
        result *= base**exponent
    return result


def _typically_negative(expression: sp.Expr) -> bool:
    point = {
        symbols.N: sp.Integer(100),
        symbols.T: sp.Integer(300),
        symbols.M: sp.Integer(10**4),
        ratio: sp.Rational(1, 2),
        symbols.b: sp.Rational(7, 4),
        symbols.a: sp.Rational(3, 2),
    }
    for atom in expression.atoms(DegreesOfFreedom, TargetSum, Moment):
        point[atom] = sp.Integer(60) if isinstance(atom, Moment) else 60 / atom.args[0]
    value = expression.xreplace(point)
    if value.free_symbols:
        value = value.subs(dict.fromkeys(value.free_symbols, sp.Rational(1, 10)))
    return bool(value.is_number and value.is_real and value < 0)


def with_noise(setting: Setting) -> Any:
    """The exact loss, label noise included."""
    return setting.exact().excess_loss


def without_noise(setting: Setting) -> Any:
    """The exact loss of noiseless labels."""
    return replace(setting, noise=0).exact().excess_loss


def at_optimal_ridge(setting: Setting) -> Any:
    """The exact loss at the ridge that minimises it, label noise included."""
    from ...optimal_ridge import optimal_ridge

    return optimal_ridge(
        setting.spectrum,
        mpmath.mpmathify(setting.features),
        mpmath.mpmathify(setting.samples),
        digits=mpmath.mp.dps,
        noise=mpmath.mpmathify(setting.noise),
    ).excess_loss


@dataclass(frozen=True)
class Setting:
    """Where a limit is evaluated: a spectrum, sizes N and T, z = γ/(σ_u² N T), σ_ε²."""

    spectrum: Spectrum
    features: Any = mpmath.inf
    samples: Any = mpmath.inf
    z: Any = 0
    noise: Any = 0

    def parameters(self) -> dict[sp.Symbol, Any]:
        """Values of the symbols of the model that this setting fixes."""
        spectrum = self.spectrum
        known = {
            symbols.N: self.features,
            symbols.T: self.samples,
            symbols.z: self.z,
            symbols.sigma_eps: mpmath.sqrt(mpmath.mpmathify(self.noise)),
            symbols.M: spectrum.size,
        }
        for symbol, attribute in (
            (symbols.b, "exponent"),
            (symbols.alpha, "alpha"),
            (symbols.a, "target_exponent"),
            (symbols.lambda_plus, "scale"),
        ):
            if hasattr(spectrum, attribute):
                known[symbol] = getattr(spectrum, attribute)
        variance = getattr(spectrum, "target_variance", None)
        if variance is not None:
            known[symbols.sigma_w] = mpmath.sqrt(mpmath.mpmathify(variance))
        return known

    def exact(self) -> static.StaticLoss:
        """The exact static loss, noise included, to twenty digits less than the mp precision.

        Those may be lost where the loss vanishes, close to breakdown.
        """
        n, t = mpmath.mpmathify(self.features), mpmath.mpmathify(self.samples)
        gamma = mpmath.mpmathify(self.z) * n * t if self.z else mpmath.mpf(0)
        return static.static_loss(
            self.spectrum,
            n,
            t,
            ridge=gamma,
            noise=mpmath.mpmathify(self.noise),
            digits=max(15, mpmath.mp.dps - DIGITS_AT_RISK),
        )


@dataclass(frozen=True)
class Limit:
    """One limit of the static loss.

    ``loss`` is a series in ``loss.variable``, and ``expand`` gives those of "kappa" and "noise"
    (the amplification V in L = L₀ + σ_ε² V); ``variable_of`` gives the value of the variable in a
    setting; ``constants`` the values of the symbols that belong to this limit only (for instance
    the ridgeless κ₀); ``meaning`` says in sympy what each symbol is; ``reference`` is the spectrum
    that the sums in the coefficients run over; ``exact`` gives the loss that the series
    approximates.
    """

    regime: str
    title: str
    when: str
    loss: Expansion
    variable_of: Callable[[Setting], Any] = field(repr=False)
    constants: Callable[[Setting], Mapping[sp.Symbol, Any]] = field(repr=False)
    expand: Callable[[str], Expansion] = field(repr=False)
    meaning: Mapping[sp.Symbol, Any] = field(default_factory=dict)
    reference: Callable[[Spectrum], Spectrum] = field(default=lambda s: s, repr=False)
    exact: Callable[[Setting], Any] = field(default=without_noise, repr=False)

    @property
    def kappa(self) -> Expansion:
        """The series of κ."""
        return self.expand("kappa")

    @property
    def noise(self) -> Expansion:
        """The series of V in L = L₀ + σ_ε² V."""
        return self.expand("noise")

    @property
    def terms(self) -> tuple[Any, ...]:
        """The terms of the loss series, largest first."""
        return self.loss.terms

    def series(self, name: str) -> Expansion:
        """One of the series: "loss", "kappa", "noise", or "ratio", in the larger size."""
        if name == "loss":
            return self.loss
        if name not in ("kappa", "noise", "ratio"):
            raise InputError("series", repr(name), "one of loss, kappa, noise, ratio")
        return self.expand(name)

    def numeric(self, setting: Setting, name: str = "loss") -> Expansion:
        """The named series with numbers in the place of every parameter."""
        spectrum = self.reference(setting.spectrum)
        values = {**setting.parameters(), **self.constants(replace(setting, spectrum=spectrum))}
        return numeric_series(self.series(name), values, spectrum)

    def partial_sums(self, setting: Setting, name: str = "loss", x: Any = None) -> tuple[Any, ...]:
        """The named series after 1, 2, … terms, at the current mpmath precision."""
        with precision.extraprec(40):
            series = self.numeric(setting, name)
            x = mpmath.mpmathify(self.variable_of(setting) if x is None else x)
            total, sums = mpmath.mpf(0), []
            for k in range(len(series.terms)):
                one = replace(series, terms=(series.terms[k],), remainder=None)
                total += one(x, check=False)
                sums.append(total)
        return tuple(+s for s in sums)

    def compare(self, setting: Setting) -> Comparison:
        """Exact loss against the truncated series, at the current precision.

        >>> from solvable.analytic.asymptotics.limits import limit
        >>> from solvable.analytic.spectrum import PowerLaw
        >>> law = limit("N<<T", alpha=0.5)
        >>> far = Setting(PowerLaw(alpha=0.5), 100, mpmath.inf)
        >>> [mpmath.nstr(e, 2) for e in law.compare(far).errors]
        ['0.0075', '4.8e-5', '1.1e-6']
        """
        return Comparison(self.exact(setting), self.partial_sums(setting))

    def exponents(self) -> tuple[sp.Expr, ...]:
        """The powers of the variable in the loss series, largest term first."""
        return tuple(t.power for t in self.loss.terms)

    def latex(self) -> str:
        """The loss as a LaTeX equation, leading term factored out."""
        return rf"L = {self.loss.latex(factored=True)}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"


def numeric_series(
    series: Expansion, values: Mapping[sp.Symbol, Any], spectrum: Spectrum | None
) -> Expansion:
    """Put numbers, and sums over ``spectrum``, in the place of all symbols but the variable."""
    digits = mpmath.mp.dps + GUARD_DIGITS
    exact = {s: exact_or_float(v, digits) for s, v in values.items() if s != series.variable}
    known = {s: sp.N(v, digits) for s, v in exact.items()}
    cache: dict[sp.Expr, sp.Expr] = {}

    def put(expression: sp.Expr) -> sp.Expr:
        for atom in expression.atoms(DegreesOfFreedom, TargetSum, Moment):
            if atom not in cache:
                cache[atom] = spectral_number(atom, known, spectrum, digits)
        return sp.N(expression.xreplace(cache | known), digits)

    for name, definition in series.definitions.items():
        known[name] = put(definition)
    terms = []
    for t in series.terms:
        coefficient = put(t.coefficient)
        missing = coefficient.free_symbols
        if missing:
            raise InputError(
                "values",
                f"no value for {', '.join(sorted(map(str, missing)))}",
                "a value for every parameter of the limit",
            )
        terms.append(replace(t, coefficient=coefficient, power=t.power.subs(exact)))
    return replace(series, terms=tuple(terms), remainder=None, definitions={})
