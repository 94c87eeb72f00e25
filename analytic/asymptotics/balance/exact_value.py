r"""The quantity that a limiting form approximates, at numbers, to any precision.

The equations are solved as they stand, with the sums taken over the spectrum itself: nothing of
the series is used but, where several roots exist and none is certified, the place from where the
root is looked for.  What is called infinite is put in as a limit, 1/N = 0; where an unknown grows
with it, as a number that exceeds every digit (the sums stay those of infinitely many modes).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ... import precision
from ...errors import InputError, OutsideTheoryError, PrecisionError, SolvableError
from ...notation import N, T, a, b, lambda_plus
from ...optimum import root_between
from ...power_sums import power_sum
from ...spectrum import PowerLaw, Spectrum
from ..expansion import exact_number
from .dominant import BEYOND
from .limiting_form import LimitingForm, number_of
from .problem import Problem
from .time_domain import Clock
from .traces import compiled, traces_of
from .unknowns import blocks

GUARD, ROUNDS = 15, 5
MOST_CERTIFIED = 4000  # modes up to which matrix equations are solved with eigenvalues listed
MAX_STEPS, ALL_ROOTS = 200, 2000  # of one root, and of all that a polynomial has
NO_ROOT = "no root of the equations near the one that the series points to"
FLOAT_DIGITS = 10  # that float64 has of a loss in training
HUGE = 4  # log₁₀ of a size that stands for infinity, per digit


@dataclass(frozen=True)
class ExactValue:
    """A value, the unknowns behind it, and what says that they are the physical ones."""

    value: Any
    unknowns: Mapping[sp.Symbol, Any]
    certified_by: str
    spectrum: Spectrum | None = None


def exact_value(
    problem: Problem,
    form: LimitingForm,
    values: Mapping[sp.Symbol, Any],
    digits: int = 30,
) -> ExactValue:
    """The output of the problem at numbers for every size, b, a and parameter.

    ``form`` says which sizes are infinite and gives the root to start from. The precision is raised
    until two values agree to ``digits``; `PrecisionError` if they do not.
    """
    problem = problem if form.unbounded else problem.at_infinity(form.regime.infinite)
    if problem.clock is not None:
        return _trained(problem, problem.clock, form, values, digits)
    before, guard = None, GUARD
    for _ in range(ROUNDS):
        try:
            with precision.workdps(digits + guard):
                found = _solution(problem, form, values, None if form.unbounded else before)
        except ZeroDivisionError:  # unknowns that differ by less than the digits
            found = None
        if found and before and _agree(found.value, before.value, digits):
            return found
        before, guard = found or before, 3 * guard
    raise PrecisionError(f"{digits} digits of the exact value")


def _agree(x: Any, y: Any, digits: int) -> bool:
    return bool(abs(x - y) <= mpmath.mpf(10) ** -digits * abs(x))


def _solution(
    problem: Problem, form: LimitingForm, values: Mapping[sp.Symbol, Any], before: ExactValue | None
) -> ExactValue:
    """The exact value in the present precision, from a certified root or the one found before."""
    known = _numbers(problem, form, values)
    modes = known | dict.fromkeys(form.regime.infinite, mpmath.inf)
    mode_sum, spectrum = _mode_sum(problem, modes, values), mode_law(problem, modes, values)
    certified = None if before else _certified(problem, known, values)
    if problem.physical is not None and spectrum is not None and not form.unbounded:
        certified = {problem.equations[0][0]: problem.physical(spectrum, known)}
    unknowns = dict(certified or {})
    huge = {s: sp.Float(known[s]) for s in form.regime.infinite if form.unbounded}
    starts = dict(unknowns) or (dict(before.unknowns) if before else {
        u: _start(form, u, {**values, **huge}, spectrum) for u, _ in problem.equations
    })  # fmt: skip
    near = mpmath.mpf(10) ** (-mpmath.mp.dps // 4 if before else -6)
    for block in blocks(problem.equations):
        unknowns |= _solved(block, known, mode_sum, starts, near)
    output = compiled(problem.output, [*known, *unknowns])
    value = output({**known, **unknowns}, mode_sum)
    words = "the certified solution" if certified else "the root that the series points to"
    return ExactValue(value, unknowns, before.certified_by if before else words, spectrum)


def _trained(
    problem: Problem, clock: Clock, form: LimitingForm, values: Mapping[sp.Symbol, Any], digits: int
) -> ExactValue:
    """The loss of training itself at numbers."""
    from ...training.dynamics import dynamics
    from ...training.learners import GradientFlow, OnePassSGD

    with precision.workdps(digits + GUARD):
        known: Mapping[sp.Symbol, Any] = _numbers(problem, form, values)
        known = {**known, **dict.fromkeys(form.regime.infinite, mpmath.inf)}
        spectrum = mode_law(problem, known, values)
    assert spectrum is not None  # a loss in training has modes
    short = digits <= FLOAT_DIGITS
    if short:
        known = {s: float(x) for s, x in known.items()}
    rule: Any = GradientFlow()
    if clock.descent is not None:
        rule = OnePassSGD(known[clock.descent.step], int(known[clock.descent.batch]))
    found = dynamics(
        spectrum, known.get(N, math.inf), known.get(T, math.inf), known[clock.time],
        learner=rule, digits=None if short else digits,
    )  # fmt: skip
    value = found.train_loss if clock.kept == "flow-train-loss" else found.excess_loss
    return ExactValue(value, {}, "contours of the two-point function", spectrum)


@dataclass(frozen=True)
class Comparison:
    """Exact value, the series truncated after 1, 2, … terms, and relative differences.

    ``certified_by`` says why the exact value is the physical one, where that is not built in.
    """

    exact: Any
    partial: tuple[Any, ...]
    certified_by: str = ""

    @property
    def errors(self) -> tuple[Any, ...]:
        """Relative difference of each truncation from the exact value."""
        return tuple(abs(p / self.exact - 1) for p in self.partial)


def compare(form: LimitingForm, values: Mapping[str, Any], digits: int = 30) -> Comparison:
    """The quantity itself at sizes, exponents and parameters by name, beside the terms.

    Raises `InputError` where a size has no value.
    """
    problem = form.problem
    assert problem is not None
    regime = form.regime
    known = (*problem.sizes, *problem.parameters, *regime.values, *regime.ranked, *regime.growth)
    symbols = {s.name: s for s in (*known, a, b, lambda_plus)}
    unknown = sorted(set(values) - set(symbols))
    if unknown:
        raise InputError("at", ", ".join(unknown), f"among {', '.join(sorted(symbols))}")
    typical = {s: problem.typical.get(s, sp.S.One) for s in problem.parameters}
    given = typical | {symbols[name]: sp.oo if v == math.inf else exact_number(v)
             for name, v in values.items()}  # fmt: skip
    with precision.workdps(digits + GUARD):
        form.regime.check(given | form.regime.new_values(given))
        found = exact_value(problem, form, given, digits)
        sums = form.partial_sums(given, form.over(found.spectrum))
    return Comparison(found.value, sums, found.certified_by)


def mode_law(
    problem: Problem, known: Mapping[sp.Symbol, Any], values: Mapping[sp.Symbol, Any]
) -> Spectrum | None:
    """The spectrum at numbers."""
    if problem.spectrum is not None or problem.size is None:
        return problem.spectrum
    return _power_law(values, known.get(problem.size, mpmath.inf))


def _power_law(values: Mapping[sp.Symbol, Any], size: Any) -> PowerLaw:
    if size != mpmath.inf and int(size) != size:
        raise InputError("at", size, "a whole number of modes, or inf")
    if b not in values:
        raise InputError("at", "nothing for b", "the exponent b, and that of a target, a")
    return PowerLaw(
        exponent=values[b], target_exponent=values.get(a), scale=values.get(lambda_plus, 1),
        size=math.inf if size == mpmath.inf else int(size),
    )  # fmt: skip


def _numbers(
    problem: Problem, form: LimitingForm, values: Mapping[sp.Symbol, Any]
) -> dict[sp.Symbol, Any]:
    """Every symbol of the problem but a and b as an mpmath number."""
    regime, known = form.regime, {}
    completed = dict(values)
    completed |= regime.new_values({s: sp.sympify(v) for s, v in completed.items()})
    for symbol in [*problem.sizes, *problem.parameters, lambda_plus]:
        value = completed.get(symbol)
        if abs(regime.growth.get(symbol, Fraction(0))) >= BEYOND:
            huge = sp.Integer(10) ** (HUGE * mpmath.mp.dps) if form.unbounded else sp.oo
            value = huge if symbol in regime.infinite else sp.S.Zero
        elif value is None and symbol not in problem.sizes:
            value = sp.S.One
        if value is None:
            raise InputError("at", f"nothing for {symbol}", "a value for every size")
        number = sp.N(sp.sympify(value), mpmath.mp.dps + 5)
        known[symbol] = mpmath.inf if value == sp.oo else mpmath.mpmathify(number)
    return known


def _mode_sum(
    problem: Problem, known: Mapping[sp.Symbol, Any], values: Mapping[sp.Symbol, Any]
) -> Any:
    @cache
    def law(dimension: sp.Expr | None) -> Spectrum | None:
        if dimension is None or problem.spectrum is not None:
            return mode_law(problem, known, values)
        return _power_law(
            values,
            known[dimension] if dimension in known else mpmath.mpmathify(dimension.subs(known)),
        )

    def value(dimension: sp.Expr | None, kappa: Any, i: int, j: int, q: int) -> Any:
        own = law(dimension)
        assert own is not None
        if j <= 1:
            return own.resolvent_sum(mpmath.mpmathify(kappa), i, q, target=bool(j))
        assert isinstance(own, PowerLaw)
        s = own.exponent * (i - q) + j * (own.target_exponent - own.exponent)
        return power_sum(s, own.exponent, q, kappa, own.size)

    return value


def _certified(
    problem: Problem, known: Mapping[sp.Symbol, Any], values: Mapping[sp.Symbol, Any]
) -> dict[sp.Symbol, Any] | None:
    """The certified solution of matrix equations, where the sizes allow it.

    In float64 beside matrices with listed eigenvalues, else to the digits of mpmath: roots may be
    closer to one another than float64 can tell.
    """
    sizes = [known[s] for s in {problem.size, *problem.spaces.values()} if s in known]
    if problem.source is None or max(sizes, default=1) > MOST_CERTIFIED:
        return None
    listed = bool(problem.source.model.fixed)
    named = problem.source_numbers(known)
    numbers = {name: float(v) if listed else mpmath.mpmathify(v) for name, v in named.items()}
    if not all(map(mpmath.isfinite, numbers.values())):
        return None
    try:
        found = problem.source.solve(numbers, _matrices(problem, known, values))
    except (SolvableError, ArithmeticError, np.linalg.LinAlgError):
        return None
    by_name = {u.name: value for u, value in found.unknowns.items()}
    return {u: mpmath.mpmathify(by_name[u.name]).real for u, _ in problem.equations}


def _matrices(
    problem: Problem, known: Mapping[sp.Symbol, Any], values: Mapping[sp.Symbol, Any]
) -> dict[str, np.ndarray]:
    """Eigenvalues of every deterministic matrix by name; of a target, its weights."""
    found = {}
    for name, record in problem.source.model.fixed.items():
        law = problem.spectrum
        if law is None:
            by_name = {problem.names.get(s, s.name): v for s, v in known.items()}
            rows = sp.sympify(record.symbol.rows)
            size = mpmath.mpmathify(rows.subs({s: by_name[s.name] for s in rows.free_symbols}))
            white = problem.white
            law = replace(white, size=size) if white else _power_law(values, size)
        modes = law.eigenvalues()
        target = record.eigenvalue in problem.targets
        found[name] = law.target_power() / modes if target else modes
    return found


def _solved(
    block: list[tuple[sp.Symbol, sp.Expr]], known: Mapping[sp.Symbol, Any], mode_sum: Any,
    starts: Mapping[sp.Symbol, Any], near: Any,
) -> dict[sp.Symbol, Any]:  # fmt: skip
    """The unknowns of equations that share them, from where they start, about ``near`` from them.
    """
    unknowns = [u for u, _ in block]
    faces = [compiled(e, [*known, *unknowns]) for _, e in block]

    def at(*x: Any) -> list[Any]:
        return [face({**known, **dict(zip(unknowns, x))}, mode_sum) for face in faces]

    first = [mpmath.mpmathify(starts[u]) for u in unknowns]
    if len(block) == 1:
        (unknown, equation), start = block[0], first[0]
        if traces_of(equation):
            return {unknown: _root(lambda x: at(x)[0], start, near)}
        return {unknown: _nearest_root(equation, unknown, known, start)}
    try:
        logs = mpmath.findroot(
            lambda *x: at(*map(mpmath.exp, x)), [mpmath.log(x) for x in first], solver="mdnewton",
            tol=mpmath.mpf(10) ** (-2 * mpmath.mp.dps), verify=False, maxsteps=MAX_STEPS,
        )  # fmt: skip
    except TypeError:  # mpmath looks for a pivot among numbers that are none
        raise OutsideTheoryError(NO_ROOT) from None
    found = [mpmath.exp(x) for x in logs]
    if not _settled(at, found):
        raise OutsideTheoryError(NO_ROOT)
    return dict(zip(unknowns, found))


def _settled(at: Callable[..., list[Any]], found: Sequence[Any]) -> bool:
    """Whether residuals are far below what a change of the unknowns by half the digits makes."""
    residual, change = at(*found), mpmath.mpf(10) ** (-mpmath.mp.dps // 2)
    moved = [at(*(x * (1 + change) if i == k else x for i, x in enumerate(found)))
             for k in range(len(found))]  # fmt: skip
    return all(
        abs(rest) <= max(abs(row[i] - rest) for row in moved) for i, rest in enumerate(residual)
    )


def _nearest_root(
    equation: sp.Expr, unknown: sp.Symbol, known: Mapping[sp.Symbol, Any], start: Any
) -> Any:
    """The real root of an equation without sums that is nearest to a start: of all of them."""
    polynomial = sp.Poly(sp.fraction(sp.together(equation))[0], unknown)
    parts = [sp.lambdify(list(known), c, "mpmath")(*known.values()) for c in
             polynomial.all_coeffs()]  # fmt: skip
    while parts and not parts[0]:
        parts = parts[1:]
    roots = mpmath.polyroots(parts, maxsteps=ALL_ROOTS, extraprec=3 * mpmath.mp.prec)
    real = [r.real for r in roots if abs(r.imag) <= abs(r) * mpmath.mpf(10) ** -mpmath.mp.dps]
    if not real:
        raise OutsideTheoryError(NO_ROOT)
    return min(real, key=lambda x: abs(x - start))


def _start(
    form: LimitingForm,
    unknown: sp.Symbol,
    values: Mapping[sp.Symbol, Any],
    spectrum: Spectrum | None,
) -> Any:
    return number_of(form.solutions[unknown], form.completed(values, spectrum), spectrum)


def _root(at: Callable[[Any], Any], start: Any, step: Any) -> Any:
    """The root nearest to a start: bracketed in growing steps, then closed in on."""
    if at(start) == 0:
        return start
    low = high = start
    below = above = at(start)
    for _ in range(MAX_STEPS):
        wider = high * (1 + step), low / (1 + step)
        values = at(wider[0]), at(wider[1])
        if values[0] * above <= 0 or values[1] * below <= 0:
            ends = (high, wider[0]) if values[0] * above <= 0 else (wider[1], low)
            return start * root_between(lambda x: at(start * x), *(x / start for x in ends))
        (high, low), (above, below) = wider, values
        step = min(2 * step, mpmath.mpf("0.2"))
    raise OutsideTheoryError(NO_ROOT)


__all__ = ["Comparison", "ExactValue", "compare", "exact_value", "mode_law"]
