r"""Other terms that lead elsewhere in a statement: conditions that no comparison has shown.

A statement allows a cone of growths, p in s ~ L^p; a law is found at one p, from series that are
cut where enough terms are known.  A term beyond the cut was compared with nothing, and may lead at
another p of the same statement.  So the leading term is looked for again close to every extreme
direction of the cone {orderings, conditions}; where another one leads,

    law₂/law₁ < 1      (or > 1, whichever is so at p)

is a condition more, and the cone that is left is searched again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import sympy as sp

from ...errors import SolvableError
from ...notation import M, N, T
from ..expansion import Ordering
from .dominant import BEYOND
from .limiting_form import LimitingForm, limiting_form, not_implied
from .problem import Problem
from .walls import divided

Row = tuple[float, ...]
PARTS = (Fraction(1, 2), Fraction(1, 10))  # of the way from a corner to the growth of the law
SEARCHES = 4
DEEP = Fraction(1, 4)  # a law that leads clearly is seen in short series
DENOMINATOR = 120
TINY = 1e-9


def with_rivals(
    form: LimitingForm, problem: Problem, point: Mapping[sp.Symbol, Any]
) -> LimitingForm:
    """The form with a condition for every other leading term that the statement allows."""
    growth = form.regime.growth
    sizes = [s for s, p in growth.items() if 0 < abs(p) < BEYOND]
    if len(sizes) < 2:
        return form
    stated = [row_at(m.as_powers_dict(), sizes, point) for m in form.regime.orderings]
    stated += [row_at({s: -1}, sizes, point) for s in sizes if s in (M, N, T)]
    known: dict[Any, Any] = {}
    for _ in range(SEARCHES):
        rows = [*stated, *(row_at(e, sizes, point) for e in form.cell)]
        rival = _rival(form, problem, point, sizes, [r for r in rows if any(r)], known)
        if rival is None:
            break
        form = replace(form, cell=(*form.cell, rival), conditions=_added(
            form.conditions, rival, sizes, point, stated))  # fmt: skip
    return form


def corners(rows: Sequence[Sequence[float]], size: int) -> list[np.ndarray]:
    """The extreme directions of a cone e·p ≤ 0 in ``size`` dimensions.

    >>> [r.round(1).tolist() for r in corners([(-1, 0), (1, -1)], 2)]
    [[0.0, 1.0], [0.7, 0.7]]
    """
    found: list[np.ndarray] = []
    for chosen in combinations(rows, size - 1):
        _, values, vectors = np.linalg.svd(np.array(chosen))
        if size > 1 and len(values) == size - 1 and values[-1] < TINY:
            continue
        for sign in (1, -1):
            ray = sign * vectors[-1]
            known = any(np.allclose(ray, other) for other in found)
            if not known and all(np.dot(row, ray) < TINY for row in rows):
                found.append(ray)
    return found


def row_at(
    exponents: Mapping[sp.Expr, Any], sizes: Sequence[sp.Symbol], point: Mapping[sp.Symbol, Any]
) -> Row:
    """Exponents of the sizes as numbers at a point."""
    return tuple(float(sp.sympify(exponents.get(s, 0)).subs(point)) for s in sizes)


def _rival(
    form: LimitingForm, problem: Problem, point: Mapping[sp.Symbol, Any],
    sizes: Sequence[sp.Symbol], rows: Sequence[Row], known: dict[Any, Any],
) -> dict[sp.Symbol, sp.Expr] | None:  # fmt: skip
    """The exponents of a ratio that vanishes here, and grows where another term leads."""
    here = np.array([float(form.regime.growth[s]) for s in sizes])
    middle, first = here / np.linalg.norm(here), form.terms[0].exponents
    for corner in corners(rows, len(sizes)):
        for part in PARTS:
            near = float(1 - part) * corner + float(part) * middle
            growth = _simple(near)
            if growth not in known:
                known[growth] = _lead(form, problem, point, dict(zip(sizes, growth)))
            second = known[growth]
            if second is None:
                continue
            ratio = {s: e for s in sizes if (e := divided(second, first).get(s, 0)) != 0}
            row = row_at(ratio, sizes, point)
            if any(abs(x) > TINY for x in row) and abs(np.dot(row, here)) > TINY:
                sign = 1 if np.dot(row, here) < 0 else -1
                return _shortest({s: sp.expand(sign * e) for s, e in ratio.items()}, point)
    return None


def _simple(direction: np.ndarray) -> tuple[Fraction, ...]:
    """A direction in fractions of few digits."""
    scale = max(abs(direction)) / 2
    return tuple(Fraction(float(x / scale)).limit_denominator(DENOMINATOR) for x in direction)


def _lead(
    form: LimitingForm, problem: Problem, point: Mapping[sp.Symbol, Any],
    growth: Mapping[sp.Symbol, Fraction],
) -> Mapping[sp.Expr, sp.Expr] | None:  # fmt: skip
    """The exponents of the leading term at another growth; None where there is no law."""
    elsewhere = replace(form.regime, growth={**form.regime.growth, **growth})
    try:
        found = limiting_form(problem, elsewhere, dict(point), 1, remainder=False, deepest=DEEP)
    except SolvableError:
        return None
    return found.terms[0].exponents


def _shortest(
    ratio: dict[sp.Symbol, sp.Expr], point: Mapping[sp.Symbol, Any]
) -> dict[sp.Symbol, sp.Expr]:
    """A positive power of the ratio, as small as it: (ηt)^{(a−1)/b} < 1 is ηt < 1."""
    ranges = Ordering({}, {s: (1, sp.oo) if x > 1 else (0, 1) for s, x in point.items()})
    found = [ratio]
    for exponent in ratio.values():
        if (sign := ranges.proved_sign(exponent)) is not None:
            found.append({s: sp.expand(sp.cancel(sign * e / exponent)) for s, e in ratio.items()})
    return min(found, key=lambda r: sum(sp.sympify(e).count_ops() for e in r.values()))


def _added(
    conditions: tuple[sp.Basic, ...], rival: Mapping[sp.Symbol, sp.Expr],
    sizes: Sequence[sp.Symbol], point: Mapping[sp.Symbol, Any], stated: Sequence[Row],
) -> tuple[sp.Basic, ...]:  # fmt: skip
    """The conditions with one more, and without the ratios that follow from it and the others."""
    new = sp.Lt(sp.Mul(*(s**e for s, e in rival.items())), 1, evaluate=False)
    ratios = [c for c in (*conditions, new) if c.rel_op == "<" and c.lhs.has(*sizes)]
    rows = {row_at(c.lhs.as_powers_dict(), sizes, point): c for c in ratios}
    left = {rows[row] for row in not_implied(list(rows), list(stated))}
    plain = [c for c in conditions if c not in ratios]
    return (*plain, *sorted(left, key=sp.default_sort_key))


__all__ = ["corners", "row_at", "with_rivals"]
