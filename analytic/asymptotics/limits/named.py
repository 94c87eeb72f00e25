r"""The named regimes of the static loss: statements, expanded by `balance`, as series in one size.

A name is a statement in which one size moves.  Its limiting form is read as an `Expansion` in that
size; all other scales (c, λ₊, …) belong to the coefficients.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

import mpmath
import sympy as sp

from ... import loss as static
from ... import notation as symbols
from ... import precision
from ...errors import InputError
from ...notation import M, N, T, a, b
from ...spectral_functions import DegreesOfFreedom, Moment, TargetSum
from ...spectrum import Spectrum
from ..balance.corner_sums import PREFACTOR, c
from ..balance.dominant import BEYOND
from ..balance.exact_value import Comparison
from ..balance.limiting_form import LimitingForm, LimitTerm, limiting_form, number_of
from ..balance.regime_statement import parse_regime
from ..balance.systems import OPTIMAL, ridge_z, static_problem
from ..expansion import Expansion, Order, Ordering, SeriesTerm
from .regime_names import REGIMES, SCALING

__all__ = ["Limit", "Setting", "as_expansion", "expand_static", "kappa_0", "named_limit", "ratio",
           "scaling_ordering"]  # fmt: skip

ratio = sp.Symbol("r", positive=True)  #: N/T or T/N, whichever is below 1
kappa_0 = sp.Symbol("kappa_0", positive=True)  #: the ridgeless κ, D₁(κ₀) = min(N, T)
missing = sp.Symbol("m", positive=True)  #: M − min(N, T)
ANYWHERE, ANY_TARGET = sp.Rational(3, 2), sp.Rational(12, 5)  # where the order does not matter
RANGES = {b: (1, sp.oo), a: (1, sp.oo)}
QUANTITIES = {"noise": "with noise", "noise-beyond": "with noise", "optimal-ridge": "optimal-loss",
              "noise-regularised": "optimal-noisy-loss"}  # fmt: skip
PARTS = ("loss", "kappa", "noise", "ratio")
GUARD_DIGITS, DIGITS_AT_RISK = 20, 20


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
            ridge_z: self.z,
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
            self.spectrum, n, t, ridge=gamma, noise=mpmath.mpmathify(self.noise),
            digits=max(15, mpmath.mp.dps - DIGITS_AT_RISK),
        )  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """A named regime of the static loss.

    ``forms`` are what the mechanism finds, by series; ``loss``, ``kappa`` and ``noise`` (the
    amplification V in L = L₀ + σ_ε² V) read them as series in one size; ``meaning`` says in sympy
    what each symbol is.
    """

    regime: str
    quantity: str
    smaller: str
    point: Mapping[sp.Symbol, Any]
    count: int
    title: str
    when: str
    meaning: Mapping[sp.Symbol, Any] = field(default_factory=dict)

    def form(self, name: str = "loss") -> LimitingForm:
        """The limiting form of one of the series, in several scales."""
        return _form(*self._stated(name), _frozen(self.point), self.count)

    def series(self, name: str) -> Expansion:
        """One of the series: "loss", "kappa", "noise", or "ratio", in the larger size."""
        return _series(*self._stated(name), _frozen(self.point), self.count)

    def _stated(self, name: str) -> tuple[str, str]:
        """What is expanded, and the statement about it."""
        if name not in PARTS:
            raise InputError("series", repr(name), f"one of {', '.join(PARTS)}")
        if self.quantity in OPTIMAL and name not in ("loss", "kappa"):
            raise InputError("series", repr(name), "loss or kappa, in this regime")
        text = "L -> inf, S < M, z = 0" if name == "ratio" else REGIMES[self.regime].statement
        kappa = OPTIMAL.get(self.quantity, "kappa")
        found = {"loss": self.quantity, "kappa": kappa, "ratio": "loss"}.get(name, name)
        return found, _in_sizes(text, self.smaller)

    @property
    def loss(self) -> Expansion:
        """The series of the excess loss."""
        return self.series("loss")

    @property
    def kappa(self) -> Expansion:
        """The series of κ."""
        return self.series("kappa")

    @property
    def noise(self) -> Expansion:
        """The series of V in L = L₀ + σ_ε² V."""
        return self.series("noise")

    @property
    def terms(self) -> tuple[Any, ...]:
        """The terms of the loss series, largest first."""
        return self.loss.terms

    def exponents(self) -> tuple[sp.Expr, ...]:
        """The powers of the variable in the loss series, largest term first."""
        return tuple(t.power for t in self.terms)

    def values(self, setting: Setting, name: str = "loss") -> dict[sp.Symbol, Any]:
        """Every symbol of a series in a setting; `InputError` where that is outside the regime."""
        form = self.form(name)
        return form.completed(setting.parameters(), form.over(setting.spectrum))

    def variable_of(self, setting: Setting) -> Any:
        """The value of the size that moves."""
        return mpmath.mpmathify(self.values(setting)[self.loss.variable])

    @precision.kept
    def partial_sums(self, setting: Setting, name: str = "loss") -> tuple[Any, ...]:
        """The named series after 1, 2, … terms, at the current mpmath precision."""
        series, spectrum = self.series(name), self.form(name).over(setting.spectrum)
        with precision.extraprec(40):
            known, total, sums = self.values(setting, name), mpmath.mpf(0), []
            for term in series.terms:
                total += number_of(term.expression(series.variable), known, spectrum)
                sums.append(total)
        return tuple(+s for s in sums)

    def exact(self, setting: Setting) -> Any:
        """The exact loss that the series approximates, solved as a loss and not by the series."""
        noisy = "nois" in self.quantity
        setting = setting if noisy else replace(setting, noise=0)
        if self.quantity not in OPTIMAL:
            return setting.exact().excess_loss
        from ...optimal_ridge import optimal_ridge

        sizes = mpmath.mpmathify(setting.features), mpmath.mpmathify(setting.samples)
        noise = mpmath.mpmathify(setting.noise)
        return optimal_ridge(
            setting.spectrum, *sizes, digits=mpmath.mp.dps, noise=noise
        ).excess_loss

    @precision.kept
    def compare(self, setting: Setting) -> Comparison:
        """Exact loss against the truncated series, at the current precision.

        >>> from solvable.analytic.asymptotics.limits import limit
        >>> from solvable.analytic.spectrum import PowerLaw
        >>> law = limit("N<<T", alpha=0.5)
        >>> far = Setting(PowerLaw(alpha=0.5), 100, mpmath.inf)
        >>> [mpmath.nstr(e, 2) for e in law.compare(far).errors]
        ['0.0075', '4.8e-5', '1.1e-6']
        """
        sums = self.partial_sums(setting)
        return Comparison(self.exact(setting), sums)

    def latex(self) -> str:
        """The loss as a LaTeX equation, leading term factored out."""
        return rf"L = {self.loss.latex(factored=True)}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"


@lru_cache(maxsize=None, typed=True)
def named_limit(name: str, b_value: Any, a_value: Any, smaller: str, terms: int) -> Limit:
    """The limit that a name stands for."""
    if name in ("N<<T", "T<<N", "N/T", "T/N"):
        smaller = name[0]
    size, larger = (N, T) if smaller == "N" else (T, N)
    target = a_value if name in SCALING else ANY_TARGET
    point = {b: ANYWHERE if b_value is None else b_value} | ({} if target is None else {a: target})
    found = Limit(
        name, QUANTITIES.get(name, "loss"), smaller, point, terms, REGIMES[name].title,
        _in_sizes(REGIMES[name].when, smaller),
        {ratio: size / larger, c: PREFACTOR, kappa_0: f"the ridgeless κ, D₁(κ₀) = {size}",
         missing: M - size},
    )  # fmt: skip
    found.form()  # what does not exist is refused here
    return found


def _in_sizes(text: str, smaller: str) -> str:
    """The text with the smaller size for S and the larger for L."""
    words = {"S": smaller, "L": "T" if smaller == "N" else "N"}
    return re.sub(r"\b[SL]\b", lambda m: words[m.group()], text)


def _frozen(point: Mapping[sp.Symbol, Any]) -> tuple[tuple[sp.Symbol, Any], ...]:
    return tuple(sorted(point.items(), key=str))


@cache
def _form(quantity: str, statement: str, where: tuple[Any, ...], terms: int) -> LimitingForm:
    point = dict(where)
    problem = static_problem(quantity, a not in point)
    regime = parse_regime(statement, problem.sizes, point, keep=problem.size)
    return limiting_form(problem, regime, point, terms)


@cache
def _series(quantity: str, statement: str, where: tuple[Any, ...], terms: int) -> Expansion:
    return as_expansion(_form(quantity, statement, where, terms), dict(where))


def expand_static(
    quantity: str, statement: str, b_value: Any, a_value: Any, terms: int
) -> Expansion:
    """A quantity of the static model in a statement that lets one size move.

    >>> print(expand_static("loss", "1 << T, N = inf, M = inf, z = 0", 2, 6, 1).lead.power)
    -2*b
    """
    point = {b: b_value} | ({} if a_value is None else {a: a_value})
    return _series(quantity, statement, _frozen(point), terms)


def as_expansion(form: LimitingForm, point: Mapping[sp.Symbol, Any]) -> Expansion:
    """A limiting form in which one size moves, as a series in that size."""
    moving = [s for s, p in form.regime.growth.items() if 0 < abs(p) < BEYOND]
    if len(moving) != 1:
        raise InputError("regime", str(form.regime), "a statement in which one size moves")
    variable = moving[0]
    at = sp.oo if form.regime.growth[variable] > 0 else sp.S.Zero
    terms = [t for term in form.terms for t in _one_variable(term, variable)]
    order = None
    if form.remainder is not None:
        last = _one_variable(form.remainder, variable)
        order = Order(last[0].power, max(t.log for t in last))
    named = {c: PREFACTOR} | {s: v for s, v in form.where.items() if isinstance(v, sp.Expr)}
    used = {s for t in terms for s in t.coefficient.free_symbols} - set(form.regime.substitutions)
    named = {s: v for s, v in named.items() if s in used}
    return Expansion(variable, at, tuple(terms), order, scaling_ordering(point), named)


def scaling_ordering(point: Mapping[sp.Symbol, Any]) -> Ordering:
    """The representative point b (and a) with the ranges b > 1, a > 1."""
    return Ordering({s: v for s, v in point.items() if s in RANGES},
                    {s: r for s, r in RANGES.items() if s in point})  # fmt: skip


def _one_variable(term: LimitTerm, variable: sp.Symbol) -> list[SeriesTerm]:
    power = sp.sympify(term.exponents.get(variable, 0))
    others = sp.Mul(*(s**e for s, e in term.exponents.items() if s != variable))
    if not term.coefficient.has(sp.log(variable)):
        return [SeriesTerm(_positive(term.coefficient) * others, power)]
    symbol = sp.Dummy("log")
    poly = sp.Poly(sp.expand(term.coefficient.subs(sp.log(variable), symbol)), symbol)
    return [SeriesTerm(_positive(sp.factor(k)) * others, power, n) for (n,), k in poly.terms()]


def _positive(coefficient: sp.Expr) -> sp.Expr:
    return signs_resolved(coefficient.replace(
        lambda e: isinstance(e, sp.sin) and e.has(a), _reflected))  # fmt: skip


def _reflected(sine: sp.Expr) -> sp.Expr:
    """sin(π − x) = sin x, where that leaves a positive phase (a − 1)/b."""
    phase = sp.expand(sine.args[0] / sp.pi)
    other = sp.together(1 - phase)
    return sp.sin(sp.pi * other) if other.count_ops() < phase.count_ops() + 3 else sine


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
    point = {N: sp.Integer(100), T: sp.Integer(300), M: sp.Integer(10**4),
             ratio: sp.Rational(1, 2), b: sp.Rational(7, 4), a: sp.Rational(3, 2)}  # fmt: skip
    for atom in expression.atoms(DegreesOfFreedom, TargetSum, Moment):
        point[atom] = sp.Integer(60) if isinstance(atom, Moment) else 60 / atom.args[0]
    value = expression.xreplace(point)
    if value.free_symbols:
        value = value.subs(dict.fromkeys(value.free_symbols, sp.Rational(1, 10)))
    return bool(value.is_number and value.is_real and value < 0)
