"""The limit of a quantity in a statement: its exponents, sizes and conditions, read and checked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from ... import arguments
from ... import notation as symbols
from ...arguments import checked
from ...errors import InputError, OutsideTheoryError
from ...spectrum import PowerLaw, Spectrum
from ..balance.coefficients import TooMany
from ..balance.limiting_form import LimitingForm, limiting_form
from ..balance.problem import Problem
from ..balance.ranges import with_ranges
from ..balance.regime_statement import Regime, parse_regime
from ..balance.rivals import with_rivals
from ..expansion import exact_number


def given_exponent(alpha: Any, exponent: Any) -> sp.Expr | None:
    """b, from one of the two."""
    if alpha is not None and exponent is not None:
        raise InputError("alpha", alpha, "only one of alpha and exponent b = 1 + alpha")
    if alpha is not None:
        return 1 + exact_number(alpha, "alpha")
    return None if exponent is None else exact_number(exponent, "exponent")


@checked
def stated_limit(
    problem_of: Callable[[bool], Problem], regime: str, *, alpha: Any = None, exponent: Any = None,
    target_exponent: Any = None, terms: int = 3, at: Mapping[str, Any] | None = None,
    spectrum: Spectrum | None = None,
) -> LimitingForm:  # fmt: skip
    """The limiting form of the equations that ``problem_of`` gives, for an isotropic target or not.

    The other arguments are those of `limit`.
    """
    terms, at = arguments.count("terms", terms), dict(at or {})
    exponent = _either("exponent", exponent, at.pop("b", None))
    target = _either("target_exponent", target_exponent, at.pop("a", None))
    if spectrum is not None and not (alpha is exponent is target is None):
        raise InputError("spectrum", spectrum, "exponents, or a spectrum that has them")
    if isinstance(spectrum, PowerLaw):
        exponent = spectrum.exponent
        target = None if spectrum.isotropic else spectrum.target_exponent
    point = _point(alpha, exponent, target)
    problem = problem_of(target is None)
    if spectrum is not None:
        problem = problem.with_spectrum(spectrum)
    own = {s.name: s for s in problem.parameters}
    chosen = {own[k]: exact_number(v) for k, v in at.items() if k in own}
    problem = replace(problem, typical={**problem.typical, **chosen})
    names = {s.name: s for s in problem.sizes}
    near = {{**names, **own}.get(k, sp.Symbol(k, positive=True)): exact_number(v)
            for k, v in at.items() if 0 < v < math.inf}  # fmt: skip
    statement = parse_regime(_endless(regime, problem), problem.sizes, point, near, problem.size)
    statement.check(near)
    _check_names(problem, statement)
    stated = (*statement.values, *statement.ranked, *statement.growth)
    others = {s.name for s in (*problem.parameters, *stated)}
    unknown = sorted(set(at) - set(names) - others - {symbols.lambda_plus.name})
    if unknown:
        allowed = ", ".join(sorted({*names, *others}))
        raise InputError("at", ", ".join(unknown), f"values for {allowed}")
    _check_sums(point, statement.infinite, problem.size)
    try:
        form = limiting_form(problem, statement, point, terms)
    except TooMany as close:
        form = _elsewhere(close, statement, problem, point, near, terms)
    form = with_ranges(form, problem, point)
    return with_rivals(form, problem, point)


def _elsewhere(
    close: TooMany, statement: Regime, problem: Problem, point: Mapping[sp.Symbol, Any],
    near: Mapping[sp.Symbol, Any], terms: int,
) -> LimitingForm:  # fmt: skip
    """The form at another place of the regime; the first error where there is none, or no form."""
    other = parse_regime(statement.text, problem.sizes, point, near, problem.size, turned=True)
    if other.growth == statement.growth:
        raise close
    try:
        return limiting_form(problem, other, point, terms)
    except OutsideTheoryError:
        raise close from None


def _endless(regime: str, problem: Problem) -> str:
    """The statement, in which the modes of a spectrum without end need not be called infinite."""
    if problem.spectrum is None or not isinstance(problem.size, sp.Symbol):
        return regime
    name, spaceless = problem.size.name, "".join(str(regime).split()).replace("∞", "inf")
    if re.search(rf"(?<!\w){name}=(inf|oo)(?!\w)", spaceless):
        return regime
    if re.search(rf"(?<!\w){name}(?!\w)", spaceless):
        raise InputError("regime", regime, f"{name} = inf: the spectrum has infinitely many modes")
    return f"{regime}, {name} = inf"


def _either(name: str, value: Any, other: Any) -> Any:
    """An exponent as an argument, or among the sizes."""
    if value is not None and other is not None:
        raise InputError(name, value, "nothing beside the same exponent in at")
    return value if other is None else other


def _check_names(problem: Problem, statement: Regime) -> None:
    """`InputError` where something else grows or vanishes than what the quantity is made of."""
    tied = set().union(*(v.free_symbols for v in statement.substitutions.values()))
    own = {*problem.sizes, *problem.parameters, *tied}
    foreign = sorted(str(s) for s in (*statement.growth, *statement.substitutions) if s not in own)
    if foreign:
        names = ", ".join(str(s) for s in problem.sizes)
        raise InputError("regime", f"{statement}: {', '.join(foreign)}",
                         f"the sizes of {problem.name}: {names}")  # fmt: skip


def _point(alpha: Any, exponent: Any, target: Any) -> dict[sp.Symbol, Any]:
    """b and a, for which the terms are ordered."""
    value = given_exponent(alpha, exponent)
    value = sp.Rational(3, 2) if value is None else value
    if not value > 0:
        raise InputError("exponent", value, "b = 1 + α > 0")
    if value == 1:
        raise OutsideTheoryError("b = 1: Σ 1/J is a logarithm of M, and the sums are no series in "
                                 "powers; take b above or below 1")  # fmt: skip
    return {symbols.b: value} | (
        {} if target is None else {symbols.a: exact_number(target, "target_exponent")}
    )


def _check_sums(point: Mapping[sp.Symbol, Any], infinite: frozenset[sp.Symbol], size: Any) -> None:
    """At M = ∞ the trace and the power of the target must converge."""
    if size not in infinite:
        return
    for name, symbol in (("exponent", symbols.b), ("target_exponent", symbols.a)):
        if symbol in point and not point[symbol] > 1:
            raise InputError(name, point[symbol], f"{symbol} > 1 at {size} = inf, else the sum "
                             f"diverges; or a statement with a finite {size}")  # fmt: skip
