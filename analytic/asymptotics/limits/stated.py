r"""The named regimes of the static loss as series in one size: statements, expanded by `balance`.

The multi-scale terms of a limiting form have one size that moves; its powers and logarithms make
an `Expansion`, all other scales (c, λ₊, …) belong to the coefficients.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from ... import precision
from ...errors import InputError
from ...notation import M, N, T, a, b
from ...resolvent import solve
from ...spectrum import PowerLaw, Spectrum
from ..balance.corner_sums import PREFACTOR, c
from ..balance.dominant import BEYOND
from ..balance.limiting_form import LimitingForm, LimitTerm, limiting_form
from ..balance.regime_statement import parse_regime
from ..balance.systems import OPTIMAL, static_problem
from ..expansion import Expansion, Order, Ordering, SeriesTerm
from .limit import (
    Limit,
    Setting,
    at_optimal_ridge,
    ratio,
    signs_resolved,
    with_noise,
    without_noise,
)
from .regime_names import REGIMES, SCALING

__all__ = ["as_expansion", "expand_static", "kappa_0", "ridgeless_kappa", "scaling_ordering",
           "stated_limit"]  # fmt: skip

kappa_0 = sp.Symbol("kappa_0", positive=True)  #: the ridgeless κ, D₁(κ₀) = min(N, T)
missing = sp.Symbol("m", positive=True)  #: M − min(N, T)
ANYWHERE, ANY_TARGET = sp.Rational(3, 2), sp.Rational(12, 5)  # where the order does not matter
RANGES = {b: (1, sp.oo), a: (1, sp.oo)}
QUANTITIES = {
    "noise": ("with noise", with_noise),
    "noise-beyond": ("with noise", with_noise),
    "noise-regularised": ("optimal-noisy-loss", at_optimal_ridge),
}


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


@cache
def expand_static(
    quantity: str, statement: str, b_value: Any, a_value: Any, terms: int
) -> Expansion:
    """A quantity of the static model in a statement that lets one size move.

    >>> print(expand_static("loss", "1 << T, N = inf, M = inf, z = 0", 2, 6, 1).lead.power)
    -2*b
    """
    point = {b: ANYWHERE if b_value is None else b_value}
    if a_value is not None:
        point[a] = a_value
    problem = static_problem(quantity, a_value is None)
    regime = parse_regime(statement, problem.sizes, point, keep=problem.size)
    return as_expansion(limiting_form(problem, regime, point, terms), point)


def ridgeless_kappa(setting: Setting) -> Mapping[sp.Symbol, Any]:
    """κ₀ of a setting, at the current precision; zero beyond breakdown."""
    n, t = mpmath.mpmathify(setting.features), mpmath.mpmathify(setting.samples)
    if min(n, t) == mpmath.inf:
        return {kappa_0: mpmath.mpf(0)}
    with precision.extraprec(40):
        return {kappa_0: solve(setting.spectrum, n, t, mpmath.mpf(0)).value}


def stated_limit(name: str, b_value: Any, a_value: Any, smaller: str, terms: int) -> Limit:
    """The limit that a name stands for."""
    if name in ("N<<T", "T<<N", "N/T", "T/N"):
        smaller = name[0]
    larger = "T" if smaller == "N" else "N"
    words = {"S": smaller, "L": larger}
    statement, when = (
        re.sub(r"\b[SL]\b", lambda m: words[m.group()], text)
        for text in (REGIMES[name].statement, REGIMES[name].when)
    )
    quantity, exact = QUANTITIES.get(name, ("loss", without_noise))
    target = a_value if name in SCALING else ANY_TARGET

    def expand(which: str) -> Expansion:
        if quantity in OPTIMAL:
            if which not in (quantity, "kappa"):
                raise InputError("series", repr(which), "loss or kappa, in this regime")
            which = OPTIMAL[quantity] if which == "kappa" else which
        if which == "ratio":
            approach = f"{larger} -> inf, {smaller} < M, z = 0"
            return expand_static("loss", approach, b_value, target, terms)
        return expand_static(which, statement, b_value, target, terms)

    size = {"N": N, "T": T}[smaller]
    return Limit(
        name,
        REGIMES[name].title,
        when,
        expand(quantity),
        variable_of=lambda setting: _variable(name, setting, smaller),
        constants=lambda setting: _constants(name, setting, smaller),
        meaning={
            ratio: size / {"N": N, "T": T}[larger],
            c: PREFACTOR,
            kappa_0: f"the ridgeless κ, D₁(κ₀) = {size}",
            missing: M - size,
        },
        expand=expand,
        reference=_without_end if name == "M->inf" else _same,
        exact=exact,
    )


def _same(spectrum: Spectrum) -> Spectrum:
    return spectrum


def _without_end(spectrum: Spectrum) -> Spectrum:
    """The same power law with M = ∞."""
    if not isinstance(spectrum, PowerLaw):
        raise InputError("spectrum", spectrum, "a power law, whose limit M → ∞ exists")
    return replace(spectrum, size=math.inf)


def _variable(name: str, setting: Setting, smaller: str) -> Any:
    """The value of the size that moves."""
    small = setting.features if smaller == "N" else setting.samples
    if name in ("N<<T", "T<<N", "N/T", "T/N"):
        return small
    return {
        "M->inf": setting.spectrum.size,
        "min(N,T)->M": setting.spectrum.size - mpmath.mpmathify(small),
        "noise": mpmath.sqrt(mpmath.mpmathify(setting.noise)),
        "noise-beyond": setting.samples,
        "noise-regularised": setting.samples,
    }.get(name, setting.z)


def _constants(name: str, setting: Setting, smaller: str) -> Mapping[sp.Symbol, Any]:
    """r and κ₀ of a setting that lies in the regime; else an `InputError` says what is missing."""
    n, t = mpmath.mpmathify(setting.features), mpmath.mpmathify(setting.samples)
    low, high = (n, t) if smaller == "N" else (t, n)
    size = setting.spectrum.size
    if name in ("noise-beyond", "noise-regularised"):
        _require(size < n and size < t, "N, T", (n, t), f"both above M = {size}")
        return {}
    if name == "ridge->0,N=T":
        _require(n == t < size, "N, T", (n, t), "N = T below M")
    else:
        equal = low == high and name == "ridge->inf"  # where r may be one
        _require(low < high or equal, "features, samples", (n, t),
                 f"{smaller} the smaller of the two sizes in this regime")  # fmt: skip
    if name == "M->inf":  # the spectrum is the infinite one here
        return ridgeless_kappa(setting)
    if name == "min(N,T)->M":
        _require(low <= size < mpmath.inf, "M", size, f"a finite M ≥ {smaller}, the smaller size")
        return {}
    if name == "ridge->inf":
        return {}
    share = mpmath.mpf(0) if high == mpmath.inf else low / high
    return {ratio: share, **ridgeless_kappa(setting)}


def _require(holds: bool, argument: str, value: Any, allowed: str) -> None:
    if not holds:
        raise InputError(argument, value, allowed)
