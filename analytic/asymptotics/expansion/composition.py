r"""Powers, substitution and reversion of generalised asymptotic series.

Everything rests on pulling out the leading term, f = c x^p (1 + δ) with δ → 0:

    f^r      = c^r x^{rp} Σ_n binom(r, n) δ^n,
    log f    = log c + p log x − Σ_{n≥1} (−δ)^n / n,
    f(g(y))  = Σ_i c_i g^{p_i} (log g)^{k_i},
    y = f(x) ⟺ x = (y/c)^{1/p} (1 + δ(x))^{−1/p},

the last line iterated: each pass gains one more power of δ until the remainder of f is met.
Sums over n stop where δ^n falls below the remainder; a series without remainder has to be truncated
first where the sum would not end.  No identity for powers of products is used unless each base is
positive at the representative point.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import sympy as sp

from ...errors import InputError, OutsideTheoryError
from .truncated_series import Order, SeriesTerm, TruncatedSeries, Validity

S = TypeVar("S", bound=TruncatedSeries)

__all__ = ["compose", "logarithm", "power", "revert", "scale_variable", "substitute_series"]

MAX_TERMS = 200


def positive_power(series: S, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """``base**exponent`` with the exponent distributed over the factors that are positive.

    A factor counts as positive when sympy knows it, or when it is positive at the representative
    point; the others stay together under one power.
    """
    if exponent.is_Integer:
        return sp.Pow(base, exponent)
    together = sp.Integer(1)
    result = sp.Integer(1)
    for factor in sp.Mul.make_args(sp.factor_terms(base)):
        root, inner = factor.as_base_exp()
        if _is_positive(series, root):
            result *= sp.Pow(root, sp.expand(inner * exponent))
        else:
            together *= factor
    return result * sp.Pow(together, exponent)


def _is_positive(series: S, expression: sp.Expr) -> bool:
    if expression.is_positive:
        return True
    value = series.ordering.value(series._write_out(expression))
    if value.free_symbols or not value.is_number:
        return False
    try:
        number = complex(sp.N(value, 15))
    except (TypeError, ValueError):
        return False
    return number.real > 0 and number.imag == 0


def _relative(series: S) -> S:
    """δ in f = lead·(1 + δ); the leading term must carry no logarithm."""
    lead = series.lead
    if lead.log:
        raise OutsideTheoryError(
            f"the leading term of {series} carries a logarithm: its powers are series in "
            "log log, which are not implemented"
        )
    return series.monomial(1 / lead.coefficient, -lead.power) * replace(
        series, terms=series.terms[1:]
    )


def _sum_of_powers(delta: S, coefficients: object) -> S:
    """Σ_n coefficient(n) δ^n, stopped where δ^n is covered by the remainder of δ."""
    total, current = delta.constant(coefficients(0)), delta.constant(1)  # type: ignore[operator]
    if not delta.terms:
        return total if delta.remainder is None else replace(total, remainder=delta.remainder)
    order = delta.remainder
    for n in range(1, MAX_TERMS):
        coefficient = sp.sympify(coefficients(n))  # type: ignore[operator]
        if coefficient == 0:
            return total
        current = current * delta
        if order is not None:
            current = current.truncate(order.power, order.log)
        total = total + current * coefficient
        if not current.terms:
            return total
    raise InputError(
        "series", str(delta), f"a series whose powers reach the remainder within {MAX_TERMS} terms"
    )


def _require_truncation(delta: S) -> None:
    """An infinite sum over powers of δ ends only where δ carries a remainder."""
    if delta.remainder is None and delta.terms:
        raise InputError(
            "series",
            f"1 + {delta}",
            "a series with a remainder, because the sum "
            "over its powers does not end: use .truncate(power) first",
        )


def power(series: S, exponent: sp.Expr) -> S:
    """``series ** exponent`` for any exponent free of the variable.

    Raises InputError for an infinite sum of a series without remainder, OutsideTheoryError
    where the leading term carries a logarithm and the exponent is not a natural number.

    >>> from solvable.analytic.asymptotics.expansion import Expansion
    >>> x, b = sp.symbols("x b", positive=True)
    >>> f = Expansion.build(x, 0, [(1, 0), (1, 1)], order=3)
    >>> [t.coefficient for t in power(f, b).terms]
    [1, b, b**2/2 - b/2]
    """
    exponent = sp.sympify(exponent)
    if exponent.has(series.variable):
        raise InputError("exponent", exponent, f"free of {series.variable}")
    if exponent.is_Integer and exponent >= 0 and (series.terms and series.lead.log):
        result = series.constant(1)
        for _ in range(int(exponent)):
            result = result * series
        return result
    lead = series.lead
    prefactor = series.monomial(
        positive_power(series, lead.coefficient, exponent), sp.expand(lead.power * exponent)
    )
    delta = _relative(series)
    if not delta.terms and delta.remainder is None:
        return prefactor
    if not (exponent.is_Integer and exponent >= 0):
        _require_truncation(delta)
    binomial = _sum_of_powers(delta, lambda n: sp.ff(exponent, n) / sp.factorial(n))
    return prefactor * binomial


def logarithm(series: S) -> S:
    """The series of log f, for a leading term without logarithm."""
    lead = series.lead
    delta = _relative(series)
    _require_truncation(delta)
    corrections = (
        _sum_of_powers(delta, lambda n: sp.S.Zero if n == 0 else sp.Rational(-1, n) * (-1) ** n)
        if delta.terms
        else replace(delta.constant(0), remainder=delta.remainder)
    )
    leading = series.monomial(sp.expand_log(sp.log(lead.coefficient), force=True), 0)
    return leading + series.monomial(lead.power, 0, 1) + corrections


def scale_variable(
    series: S, factor: sp.Expr, exponent: sp.Expr, variable: sp.Symbol | None = None
) -> S:
    """Put x = factor · y^exponent into the series, exactly (logarithms included)."""
    variable = variable or series.variable
    sign = series.ordering.sign(exponent)
    if sign == 0:
        raise InputError("power", exponent, "a power other than 0")
    point = series.point if sign > 0 else (sp.oo if series.point == 0 else sp.S.Zero)
    terms = []
    for t in series.terms:
        base = t.coefficient * positive_power(series, factor, t.power)
        for k in range(t.log + 1):  # log x = log factor + exponent·log y
            weight = sp.binomial(t.log, k) * exponent**k
            weight *= sp.expand_log(sp.log(factor), force=True) ** (t.log - k)
            terms.append(SeriesTerm(base * weight, sp.expand(t.power * exponent), k))
    order = series.remainder and Order(
        sp.expand(series.remainder.power * exponent), series.remainder.log
    )
    blank = replace(
        series, variable=variable, point=point, terms=(), remainder=order, validity=Validity()
    )
    return blank._with_terms(terms)


def compose(outer: S, inner: S) -> S:
    """The series of f(g(y)), for ``inner`` = g(y) tending to the point of ``outer``.

    >>> from solvable.analytic.asymptotics.expansion import Expansion
    >>> x, y = sp.symbols("x y", positive=True)
    >>> f = Expansion.build(x, 0, [(1, 0), (1, 1), (1, 2)], order=3)
    >>> g = Expansion.build(y, sp.oo, [(1, -1), (1, -2)], order=-3)
    >>> compose(f, g).expression
    1 + 1/y + 2/y**2
    """
    lead = inner.lead
    direction = inner.ordering.sign(inner.grade(lead.power))
    tends_to = {1: sp.S.Zero, -1: sp.oo, 0: None}[direction]
    if tends_to != outer.point:
        raise InputError("inner", str(inner), f"a series that tends to {outer.point}")
    total = replace(
        inner.constant(0),
        ordering=inner.ordering.merge(outer.ordering),
        definitions={**inner.definitions, **outer.definitions},
        assumed=inner.assumed | outer.assumed,
    )
    inner = replace(inner, ordering=total.ordering, definitions=total.definitions)
    if outer.remainder is not None:
        order = Order(sp.expand(outer.remainder.power * lead.power), outer.remainder.log)
        total = replace(total, remainder=order)
    logs: list[S] = [inner.constant(1)]
    for term in outer.terms:
        while len(logs) <= term.log:
            logs.append(logs[-1] * logarithm(inner))
        image = (
            inner.constant(term.coefficient)
            if term.power == 0
            else (power(inner, term.power) * term.coefficient)
        )
        total = total + image * logs[term.log]
    return total


def revert(series: S, variable: sp.Symbol) -> S:
    """The inverse series x(y) of y = f(x); ``variable`` names y.

    y tends to 0 or ∞ as f does; raises InputError when f tends to a constant (subtract it).

    >>> from solvable.analytic.asymptotics.expansion import Expansion
    >>> x, y = sp.symbols("x y", positive=True)
    >>> f = Expansion.build(x, 0, [(1, 1), (1, 2)], order=4)
    >>> revert(f, y).expression
    2*y**3 - y**2 + y
    """
    lead = series.lead
    direction = series.ordering.sign(series.grade(lead.power))
    if direction == 0:
        raise InputError(
            "series", str(series), "a series that tends to 0 or ∞ (subtract the constant first)"
        )
    point = sp.S.Zero if direction > 0 else sp.oo
    delta = _relative(series)
    _require_truncation(delta)
    start = replace(
        series,
        variable=variable,
        point=point,
        remainder=None,
        validity=Validity(),
        terms=(
            SeriesTerm(positive_power(series, lead.coefficient, -1 / lead.power), 1 / lead.power),
        ),
    )
    if not delta.terms:
        if delta.remainder is None:
            return start
        order = _image_order(delta, delta.remainder, lead.power)
        return start * replace(start.constant(1), remainder=order)
    correction = power(delta + 1, -1 / lead.power)
    first = delta.terms[0]
    image = _image_order(delta, Order(first.power, first.log), lead.power)
    solution = start * replace(start.constant(1), remainder=image)
    correction = replace(correction, validity=Validity())
    for _ in range(MAX_TERMS):
        improved = start * compose(correction, solution)
        if improved.remainder == solution.remainder and improved.terms == solution.terms:
            return improved
        if improved.remainder is None:
            return improved
        solution = improved
    raise InputError("series", str(series), "a truncated series")


def _image_order(series: S, order: Order, leading_power: sp.Expr) -> Order:
    """O(x^p log^k) rewritten in y ~ x^leading_power."""
    return Order(sp.expand(order.power / leading_power), order.log)


def substitute_series(expression: sp.Expr, images: dict[sp.Expr, S]) -> S:
    """Put series in the place of symbols (or function values) of an algebraic expression.

    ``expression`` may be built from +, ×, powers and numbers; whatever is not a key of ``images``
    is a coefficient and must be free of the variable.

    >>> from solvable.analytic.asymptotics.expansion import Expansion
    >>> x = sp.Symbol("x", positive=True)
    >>> f = Expansion.build(x, 0, [(1, 0), (1, 1)], order=2)
    >>> u, v = sp.symbols("u v")
    >>> substitute_series(v/(1 + u), {u: f}).expression
    -v*x/4 + v/2
    """
    some = next(iter(images.values()))
    if expression in images:
        return images[expression]
    if not any(expression.has(key) for key in images):
        return some.constant(expression)
    parts = [substitute_series(part, images) for part in expression.args]
    if expression.is_Add:
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total
    if expression.is_Mul:
        total = parts[0]
        for part in parts[1:]:
            total = total * part
        return total
    if expression.is_Pow:
        return power(parts[0], expression.exp)
    raise InputError("expression", expression, "built from sums, products and powers")
