r"""Formulas as tapes: evaluated at arrays or mpmath numbers without compiling, with derivatives.

A formula is written down once as a list of operations, shared parts once. Running the list over
numbers gives the formula's value; running it over pairs (value, derivatives) gives the gradient by
the chain rule, in which the derivative of a trace by an unknown inside it is a trace again.

>>> x, y = sp.symbols("x y")
>>> tape = Tape([x**2 * y + 1], [x])
>>> values, slopes = tape.gradient({x: 3.0, y: 2.0}, {})
>>> values, slopes
([19.0], [[12.0]])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ..errors import OutsideTheoryError
from .scalar_system import ordered_atoms
from .spectral_trace import SpectralTrace

Values = Mapping[Any, Any]
Slopes = dict[int, Any]  # by the place of the unknown; those that are zero are left out

FUNCTIONS: dict[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    sp.log: (np.log, mpmath.log),
    sp.exp: (np.exp, mpmath.exp),
}


class Tape:
    """Expressions in symbols and traces, as one list of operations."""

    def __init__(self, expressions: Iterable[sp.Expr], unknowns: Sequence[sp.Symbol] = ()) -> None:
        self.steps: list[tuple[str, Any, tuple[int, ...]]] = []
        self.places: dict[sp.Expr, int] = {}
        self.unknowns = {u: i for i, u in enumerate(unknowns)}
        expressions = [sp.sympify(e) for e in expressions]
        self.outputs = [self._place(e) for e in expressions]
        self.plain = len(self.steps)
        self.traces = ordered_atoms(expressions)
        self.trace_slopes = {
            self._place(atom): {
                i: self._place(atom.diff(u)) for u, i in self.unknowns.items() if atom.has(u)
            }
            for atom in self.traces
        }
        self.slope_traces = [e for e in self.places if isinstance(e, SpectralTrace)]

    def _place(self, expression: sp.Expr) -> int:
        """The place of an expression on the tape, written down if it is new."""
        if expression not in self.places:
            step = self._step(expression)
            self.places[expression] = len(self.steps)
            self.steps.append(step)
        return self.places[expression]

    def _step(self, expression: sp.Expr) -> tuple[str, Any, tuple[int, ...]]:
        if isinstance(expression, SpectralTrace):
            return "trace", expression, ()
        if expression.is_Symbol:
            return "symbol", expression, ()
        if expression.is_number:
            return "number", expression, ()
        if isinstance(expression, sp.exp):
            return "function", sp.exp, (self._place(expression.args[0]),)
        if isinstance(expression, sp.Pow):
            base, power = expression.args
            if power.is_Integer and power < -1:  # traces share 1/(λ + κ)
                return "power", -power, (self._place(1 / base),)
            if power.is_number:
                return "power", power, (self._place(base),)
            return self._step(sp.exp(power * sp.log(base), evaluate=False))
        if expression.func in (sp.Add, sp.Mul):
            kind = "sum" if expression.is_Add else "product"
            return kind, None, tuple(map(self._place, expression.args))
        if expression.func in FUNCTIONS:
            return "function", expression.func, (self._place(expression.args[0]),)
        raise OutsideTheoryError(f"no number is known for {expression.func.__name__}")

    def run(self, values: Values, traces: Values) -> list[Any]:
        """The expressions at floating numbers or arrays."""
        return self._picked(self._run(values, traces, False, self.plain))

    def exactly(self, values: Values, traces: Values) -> list[Any]:
        """The expressions at mpmath numbers, at the current precision."""
        return self._picked(self._run(values, traces, True, self.plain))

    def _picked(self, found: list[Any]) -> list[Any]:
        return [found[place] for place in self.outputs]

    def _run(self, values: Values, traces: Values, exact: bool, count: int) -> list[Any]:
        found: list[Any] = []
        for kind, what, places in self.steps[:count]:
            inside = [found[p] for p in places]
            if kind == "symbol":
                found.append(values[what])
            elif kind == "trace":
                found.append(traces[what])
            elif kind == "number":
                found.append(_number(what, exact))
            elif kind == "power":
                found.append(_power(inside[0], what, exact))
            elif kind == "function":
                found.append(_applied(what, inside[0], exact))
            else:
                total = inside[0]
                for other in inside[1:]:
                    total = total + other if kind == "sum" else total * other
                found.append(total)
        return found

    def gradient(
        self, values: Values, traces: Values, exact: bool = False
    ) -> tuple[list[Any], list[list[Any]]]:
        """The expressions and their derivatives by the unknowns, expression by expression.

        ``traces`` holds `slope_traces`.
        """
        found = self._run(values, traces, exact, len(self.steps))
        slopes: list[Slopes] = []
        for place, (kind, what, places) in enumerate(self.steps[: self.plain]):
            inside = [slopes[p] for p in places]
            if kind == "symbol" and what in self.unknowns:
                slopes.append({self.unknowns[what]: 1.0})
            elif kind == "trace":
                own = self.trace_slopes.get(place, {})
                slopes.append({i: found[p] for i, p in own.items()})
            elif not any(inside):
                slopes.append({})
            elif kind == "sum":
                slopes.append(_weighted([(1, s) for s in inside]))
            elif kind == "product":
                slopes.append(_product_slopes([found[p] for p in places], inside))
            else:
                factor = _outer_slope(kind, what, found[places[0]], found[place], exact)
                slopes.append(_weighted([(factor, inside[0])]))
        count = range(len(self.unknowns))
        return self._picked(found), [[slopes[o].get(i, 0.0) for i in count] for o in self.outputs]


def _number(value: sp.Expr, exact: bool) -> Any:
    if not exact:
        return float(value) if value.is_real else complex(value)
    if value.is_Rational:
        return mpmath.mpf(int(value.p)) / int(value.q)
    return mpmath.mpmathify(value.evalf(mpmath.mp.dps + 5))


def _power(base: Any, power: sp.Expr, exact: bool) -> Any:
    if power == -1:
        return 1 / base
    if power.is_Integer:
        return base ** int(power) if power > 0 else 1 / base ** int(-power)
    if exact:
        return base ** _number(power, True)
    real = not np.iscomplexobj(base) and np.all(np.asarray(base) >= 0)
    root = np.sqrt(base if real else np.asarray(base, complex))
    if (2 * power).is_Integer:
        twice = int(2 * power)
        return root**twice if twice > 0 else 1 / root**-twice
    return np.asarray(base, float if real else complex) ** float(power)


def _applied(function: Any, value: Any, exact: bool) -> Any:
    if exact:
        return FUNCTIONS[function][1](value)
    positive = not np.iscomplexobj(value) and np.all(np.asarray(value) > 0)
    plain = positive or function is sp.exp
    return FUNCTIONS[function][0](value if plain else np.asarray(value, complex))


def _outer_slope(kind: str, what: Any, inside: Any, found: Any, exact: bool) -> Any:
    """The derivative of a power or of a function at its argument."""
    if kind == "power":
        return _number(what, exact) * _power(inside, what - 1, exact)
    return found if what is sp.exp else 1 / inside


def _weighted(parts: Iterable[tuple[Any, Slopes]]) -> Slopes:
    total: Slopes = {}
    for weight, slopes in parts:
        for i, slope in slopes.items():
            term = weight * slope
            total[i] = total[i] + term if i in total else term
    return total


def _product_slopes(values: list[Any], slopes: list[Slopes]) -> Slopes:
    parts = []
    for k, own in enumerate(slopes):
        if own:
            rest: Any = 1.0
            for j, value in enumerate(values):
                rest = rest if j == k else rest * value
            parts.append((rest, own))
    return _weighted(parts)


def taped(arguments: Sequence[sp.Symbol], body: sp.Expr) -> Callable[..., Any]:
    """A numpy function of some symbols."""
    tape = Tape([body])
    return lambda *numbers: tape.run(dict(zip(arguments, numbers, strict=True)), {})[0]


@lru_cache(maxsize=4096)
def _single(expression: sp.Expr) -> Tape:
    return Tape([expression])


def number(expression: Any, values: Values) -> Any:
    """An expression without traces at floating numbers or arrays (never machine integers)."""
    return _single(sp.sympify(expression)).run(values, {})[0]
