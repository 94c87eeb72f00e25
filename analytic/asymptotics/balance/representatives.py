"""Numbers at which terms are ordered, for sizes and ratios that stay.

Each lies between the numbers that bound it, in every order that is stated, and on none of the
borders where two are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any

import sympy as sp

from ...errors import InputError

FIXED = (50, 120, 300, 700, 1500)


def representatives(
    staying: list[sp.Symbol], chains: list[list[sp.Expr]], at: Mapping[sp.Symbol, Any]
) -> dict[sp.Symbol, sp.Expr]:
    """Numbers for what stays: as given, else in the order of the chains, else 1/2."""
    values = in_order(chains)
    for symbol in staying:
        values[symbol] = sp.nsimplify(at[symbol]) if symbol in at else values.get(
            symbol, sp.Rational(1, 2))  # fmt: skip
    for symbol, value in values.items():
        if not value > 0:
            raise InputError("regime", f"{symbol} < 0", "orders of what is positive")
    return {s: v for s, v in values.items() if s in staying}


def in_order(chains: list[list[sp.Expr]]) -> dict[sp.Expr, sp.Expr]:
    """Values in every order that is stated, between the numbers that bound them.

    >>> N, T, r = sp.symbols("N T r")
    >>> in_order([[N, T], [sp.S.One, r, sp.Integer(2)]])
    {N: 50, r: 3/2, T: 120}
    """
    numbers = sorted({x for chain in chains for x in chain if x.is_number})
    sorter: TopologicalSorter[sp.Expr] = TopologicalSorter()
    for x, y in (pair for chain in [numbers, *chains] for pair in pairwise(chain)):
        sorter.add(y, x)
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        circle = " < ".join(map(str, error.args[1]))
        raise InputError("regime", circle, "orders that do not contradict one another") from None
    low: dict[sp.Expr, set[sp.Expr]] = {x: set() for x in order}
    for y in order:  # everything that lies below
        for chain in [numbers, *chains]:
            for x in chain[: chain.index(y)] if y in chain else ():
                low[y] |= {x} | low[x]
    values = {}
    for x in (x for x in order if not x.is_number):
        below = max((y for y in low[x] if y.is_number), default=None)
        above = min((y for y in numbers if x in low[y]), default=None)
        rank = sum(not y.is_number and (below is None or below in low[y]) for y in low[x])
        if above is None:
            values[x], step = sp.Integer(FIXED[rank]) if below is None else below * (2 + rank), 1
        else:
            start = sp.S.Zero if below is None else below
            higher = sum(x in low[y] and above not in low[y] for y in order if y != above)
            step = (above - start) / (8 * (2 + rank + higher))
            values[x] = start + 8 * step * (1 + rank)
        while values[x] in [v for y, v in values.items() if y != x]:  # of which nothing is said
            values[x] += step
    return values


__all__ = ["in_order", "representatives"]
