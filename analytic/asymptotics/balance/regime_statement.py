r"""A regime as a statement about sizes, parsed, checked and printed back.

    1 << N << T << M        orderings, of sizes or of products of powers: z*T^b << 1
    N < T < M               fixed numbers in this order
    z -> 0,  T -> inf       one limit
    N = inf,  z = 0         taken first: no term that vanishes with it is kept
    N/T = r                 a fixed ratio; with r -> 0 or r -> inf also small or large, exactly in r
    M - N = m               a distance; m stays, or m -> 0
    z ~ T^-b,  N = T^2      a power: z = y T^-b with y fixed;  N = T^2 exactly

Every size of the problem must be named.  The exponents p in s ~ L^p are the point of the cone
{orderings} farthest from its walls, or the logarithms of the sizes that are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy as sp

from ...errors import InputError
from ...notation import M, N, T, a, b
from .dominant import BEYOND
from .representatives import representatives

TOKENS = re.compile(r"\s*(\d+\.?\d*|[^\W\d]\w*'?|[-+*/^()])")
DENOMINATOR = 12
TIED = 1e-9  # relative
MUCH = 8  # a ratio that is small is read as smaller than the first powers of the sizes
TYPED = {"≪": "<<", "≫": ">>", "→": "->", "∞": "inf", "∼": "~", "≃": "~", "−": "-", "·": "*",
         "×": "*", "η": "eta", "κ": "kappa"}  # fmt: skip
FORMS = ("an ordering (1 << N), a limit (z -> 0), a ratio (N/T = r), a distance (M - N = m), "
         "a power (z ~ T^-b), or a value (z = 0, N = inf)")  # fmt: skip


@dataclass(frozen=True)
class Regime:
    """A statement with its meaning.

    ``text``; ``substitutions`` of sizes by others; ``growth`` of every scale; ``values`` of the
    numbers that stay, at the representative point; ``ranked``: parameters that are small or large
    though the result is exact in them, with their growth; ``infinite``: symbols called ∞.
    """

    text: str
    substitutions: Mapping[sp.Symbol, sp.Expr]
    growth: Mapping[sp.Symbol, Fraction]
    values: Mapping[sp.Symbol, sp.Expr]
    ranked: Mapping[sp.Symbol, Fraction] = field(default_factory=dict)
    infinite: frozenset[sp.Symbol] = frozenset()
    orderings: tuple[sp.Expr, ...] = ()
    chains: tuple[tuple[sp.Expr, ...], ...] = ()

    def __str__(self) -> str:
        return self.text

    @property
    def parameters(self) -> list[sp.Symbol]:
        """The numbers that stay, as symbols of the result."""
        return list(self.values)

    def new_values(self, known: Mapping[sp.Symbol, Any]) -> dict[sp.Symbol, sp.Expr]:
        """The numbers of ratios, distances and shares, from the sizes they are made of."""
        found: dict[sp.Symbol, sp.Expr] = {}
        for symbol, value in [*self.substitutions.items()] * len(self.substitutions):
            missing = value.free_symbols - set(known) - set(found)
            if symbol in known and len(missing) == 1:
                new = missing.pop()
                solved = sp.solve(value.subs({**known, **found}) - symbol, new)
                found |= {new: solved[0].subs(symbol, known[symbol])} if len(solved) == 1 else {}
            elif not missing and symbol not in {*known, *found}:
                found[symbol] = value.subs({**known, **found})
        return found

    def check(self, known: Mapping[sp.Symbol, Any]) -> None:
        """Raise `InputError` where numbers are not in the order, or not the tie, that is stated."""
        for chain in self.chains:
            numbers = [sp.sympify(x).subs(known) for x in chain]
            if any(x.is_number and y.is_number and not x < y for x, y in pairwise(numbers)):
                given = ", ".join(f"{x} = {x.subs(known)}" for x in chain if x.free_symbols)
                order = " < ".join(map(str, chain))
                raise InputError("at", given, f"{order}, as the regime says")
        for symbol, value in self.substitutions.items():
            if {symbol, *value.free_symbols} <= set(known):
                off = sp.N(sp.sympify(value.subs(known)) / known[symbol]) - 1
                if off.is_finite and abs(off) > TIED:
                    raise InputError("at", f"{symbol} = {known[symbol]}",
                                     f"{symbol} = {value}, as the regime says")  # fmt: skip

    def weight_of(self, coefficient: sp.Expr) -> Fraction:
        """The weight of the leading power of small or large parameters in a coefficient."""
        weight = Fraction(0)
        for symbol, growth in self.ranked.items():
            powers = []
            for part in sp.fraction(sp.together(coefficient)):
                degrees = [m[0] for m in sp.Poly(sp.expand(part), symbol).monoms()]
                powers.append(min(degrees) if growth < 0 else max(degrees))
            weight -= growth * (powers[0] - powers[1])
        return weight

    def applied(self, expression: sp.Expr) -> sp.Expr:
        """The expression with ratios, distances and powers put in."""
        return expression.subs(self.substitutions, simultaneous=True)


class _Parser:
    """+ − * / ^ and parentheses over numbers, known names and new ones."""

    def __init__(self, text: str, symbol: Callable[[str], sp.Expr]) -> None:
        self.text, self.symbol = text, symbol
        self.tokens: list[str] = []
        position = 0
        while text[position:].strip():
            match = TOKENS.match(text, position)
            if match is None:
                raise InputError("regime", repr(text), FORMS)
            self.tokens.append(match.group(1))
            position = match.end()

    def parse(self) -> sp.Expr:
        value = self.sum()
        if self.tokens:
            raise InputError("regime", repr(self.text), FORMS)
        return value

    def take(self, *options: str) -> str | None:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in options else None

    def sum(self) -> sp.Expr:
        value = -self.product() if self.take("-") else self.product()
        while sign := self.take("+", "-"):
            value = value + self.product() if sign == "+" else value - self.product()
        return value

    def product(self) -> sp.Expr:
        value = self.power()
        while sign := self.take("*", "/"):
            value = value * self.power() if sign == "*" else value / self.power()
        return value

    def power(self) -> sp.Expr:
        base = self.atom()
        if self.take("^"):
            return base ** (-self.power() if self.take("-") else self.power())
        return base

    def atom(self) -> sp.Expr:
        if self.take("("):
            value = self.sum()
            if not self.take(")"):
                raise InputError("regime", repr(self.text), "closed parentheses")
            return value
        if not self.tokens or not re.match(r"[\w]", self.tokens[0]):
            raise InputError("regime", repr(self.text), FORMS)
        token = self.tokens.pop(0)
        return sp.Rational(token) if token[0].isdigit() else self.symbol(token)


class _Reader:
    """Collects what the relations of one statement say."""

    def __init__(
        self, sizes: Iterable[sp.Symbol], point: Mapping[sp.Symbol, Any], keep: sp.Expr | None
    ) -> None:
        self.keep = keep
        self.known = {s.name: s for s in sizes} | {"a": a, "b": b}
        self.sizes, self.point = set(sizes), dict(point)
        self.substitutions: dict[sp.Symbol, sp.Expr] = {}
        self.small: list[sp.Expr] = []  # monomials that vanish
        self.fixed: list[list[sp.Expr]] = []
        self.infinite: dict[sp.Symbol, int] = {}
        self.new: list[sp.Symbol] = []
        self.shares: set[sp.Symbol] = set()  # y of z ~ T^-b, z = y T^-b

    def symbol(self, name: str) -> sp.Expr:
        if name in ("inf", "oo"):
            return sp.oo
        if name not in self.known:
            self.known[name] = sp.Symbol(name, positive=True)
            self.new.append(self.known[name])
        return self.known[name]

    def expression(self, text: str) -> sp.Expr:
        return _Parser(text, self.symbol).parse()

    def read(self, relation: str) -> None:
        parts = re.split(r"(<<|>>|->|<|>|=|~)", relation)
        if len(parts) < 3 or not all(p.strip() for p in parts):
            raise InputError("regime", repr(relation), FORMS)
        sides, signs = [self.expression(p) for p in parts[::2]], parts[1::2]
        if all(s in ("<<", ">>") for s in signs):
            for (x, y), sign in zip(zip(sides, sides[1:]), signs):
                self.small.append(x / y if sign == "<<" else y / x)
        elif all(s in ("<", ">") for s in signs):
            if len(set(signs)) > 1 or not all(s.is_Symbol or s.is_Rational for s in sides):
                raise InputError("regime", repr(relation), "numbers, and sizes or ratios that "
                                 "stay, in one direction (N < T < M, r < 1)")  # fmt: skip
            self.fixed.append(sides if signs[0] == "<" else sides[::-1])
        elif len(signs) == 1:
            self.pair(sides[0], sides[1], signs[0], relation)
        else:
            raise InputError("regime", repr(relation), "one kind of relation in a chain")

    def pair(self, left: sp.Expr, right: sp.Expr, sign: str, text: str) -> None:
        if sign == "->" and right in (0, sp.oo) and (left.is_Symbol or left.is_Mul or left.is_Pow):
            self.small.append(left if right == 0 else 1 / left)
        elif sign == "=" and left.is_Symbol and right in (0, sp.oo):
            self.infinite[left] = 1 if right == sp.oo else -1
        elif sign == "=" and left.is_Symbol:
            self.substitute(left, right)
        elif sign == "=" and (left.is_Mul or left.is_Add):
            left = left.subs(self.substitutions)  # N/T = r, T/M = s: of N/M, once T is gone
            if not left.free_symbols & self.sizes:
                return self.said_twice(left - right.subs(self.substitutions), text)
            first = _eliminated(left, self.sizes - set(self.substitutions), self.keep)
            solved = sp.solve(left - right, first)
            if len(solved) != 1:
                raise InputError("regime", repr(text), FORMS)
            self.substitute(first, solved[0])
        elif sign == "~" and left.is_Symbol:
            share = sp.Symbol(f"y_{left.name}", positive=True)
            self.new.append(share)
            self.shares.add(share)
            self.substitute(left, share * right)
        else:
            raise InputError("regime", repr(text), FORMS)

    def said_twice(self, difference: sp.Expr, text: str) -> None:
        if sp.cancel(difference) != 0:
            raise InputError("regime", repr(text), "a relation that the others leave open")

    def substitute(self, symbol: sp.Symbol, value: sp.Expr) -> None:
        powers = set().union(*(p.exp.free_symbols for p in value.atoms(sp.Pow)))
        if powers - {a, b}:
            raise InputError("regime", f"{symbol} = {value}", "powers that are numbers, or of a, b")
        known = value.subs(self.substitutions)
        if known.has(symbol) or symbol in self.substitutions:
            both = self.substitutions.get(symbol, symbol)
            return self.said_twice(both - known, f"{symbol} = {value}")
        others = value.free_symbols & self.sizes
        if symbol == self.keep and len(others) == 1:  # solved for the other size
            (other,) = others
            solved = [s for s in sp.solve(value - symbol, other) if s.is_positive]
            if len(solved) == 1:
                symbol, value = other, solved[0]
        self.substitutions[symbol] = value


def parse_regime(
    text: str, sizes: Iterable[sp.Symbol], point: Mapping[sp.Symbol, Any],
    at: Mapping[sp.Symbol, Any] | None = None, keep: sp.Expr | None = None, turned: bool = False,
) -> Regime:  # fmt: skip
    """Read a statement about ``sizes``; ``point`` gives a and b, ``at`` sizes to be near to.

    ``keep`` is a size that ratios and powers are not solved for: the number of modes.  Of what the
    statement leaves open another choice is made if ``turned``.

    >>> from solvable.analytic.notation import N, T
    >>> z = sp.Symbol("z", positive=True)
    >>> regime = parse_regime("1 << N << T, z = 0", [N, T, z], {})
    >>> regime.growth[T] > regime.growth[N] > 0, regime.growth[z] < -100
    (True, True)
    """
    sizes = list(sizes)
    reader = _Reader(sizes, point, keep)
    for relation in re.split(r"[,;]", "".join(TYPED.get(x, x) for x in text)):
        if relation.strip() or not text.strip(" ,;"):
            reader.read(relation)
    substitutions = _closed(reader.substitutions)
    at = {**(at or {})}
    at |= Regime(text, substitutions, {}, {}).new_values({**point, **at})
    left = [s for s in (*sizes, *reader.new) if s not in substitutions]
    near = {s: v.subs(dict.fromkeys(reader.new, 0)) if v.is_Add else v
            for s, v in substitutions.items()}  # fmt: skip
    quotients = _quotients(reader.fixed, near)
    reader.fixed += [[r, sp.S.One] if q == r else [sp.S.One, r]
                     for q in quotients for r in q.free_symbols & set(reader.new)
                     if q in (r, 1 / r)]  # fmt: skip
    numbers = [s for chain in reader.fixed for s in chain if s.is_Symbol]
    small = [sp.expand_power_base(m.subs(near), force=True) for m in reader.small]
    said = {s for m in (*reader.small, *small) for s in m.free_symbols
            if m.free_symbols <= set(reader.new) or m in reader.small}  # fmt: skip
    small = [m.subs(dict.fromkeys(set(reader.new) - said, 1)) for m in small]
    ranked = {s for m in small for s in m.free_symbols if s in reader.new and _is_ratio(s, reader)}
    moving = {s for m in small for s in m.free_symbols} - {a, b}
    staying = [s for s in left if s in numbers or (s in reader.new and s not in moving)]
    if not moving:
        small = _one_that_grows({*left} - {*staying, *reader.infinite}, reader, substitutions)
        moving = {s for m in small for s in m.free_symbols}
    _check_complete([s for s in left if s in sizes], moving, staying, reader, text)
    growth, text = _large(sorted(moving, key=str, reverse=turned), small, point, at, text)
    growth |= {s: sign * BEYOND for s, sign in reader.infinite.items()}
    _check_order(quotients, growth, point, text)
    values = representatives(staying, reader.fixed, at)
    values |= {s: sp.Rational(1, 2) for s in ranked if growth[s] < 0}
    values |= {s: sp.Integer(2) for s in ranked if growth[s] > 0}
    return Regime(
        text,
        substitutions,
        {s: p for s, p in growth.items() if s not in ranked},
        values,
        {s: MUCH * growth[s] for s in ranked},
        frozenset(s for s, sign in reader.infinite.items() if sign > 0),
        tuple(small),
        tuple(map(tuple, reader.fixed)),
    )


def read_expression(text: str, sizes: Iterable[sp.Symbol]) -> sp.Expr:
    """A rational expression in powers of the sizes, by their names.

    >>> from solvable.analytic.notation import N, T
    >>> read_expression("N^2*T", [N, T])
    N**2*T
    """
    names = {s.name: s for s in sizes}

    def symbol(name: str) -> sp.Symbol:
        if name not in names:
            raise InputError("expression", name, f"the sizes {', '.join(names)}")
        return names[name]

    return _Parser(text, symbol).parse()


def _quotients(chains: list[list[sp.Expr]], near: Mapping[sp.Symbol, sp.Expr]) -> list[sp.Expr]:
    """x/y, which is below 1, of sizes x < y next to each other, ratios and powers put in."""
    pairs = [pair for chain in chains for pair in pairwise(chain) if all(x.is_Symbol for x in pair)]
    return [sp.powsimp(sp.cancel(x.subs(near) / y.subs(near)), force=True) for x, y in pairs
            if x.subs(near) != y.subs(near)]  # fmt: skip


def _check_order(
    quotients: list[sp.Expr], growth: Mapping[sp.Symbol, Fraction],
    point: Mapping[sp.Symbol, Any], text: str,
) -> None:  # fmt: skip
    """Raise `InputError` where a size that is to be below another one outgrows it."""
    for quotient in quotients:
        moving = sorted(quotient.free_symbols & set(growth), key=str)
        rates = _rates(quotient, moving, point)
        rate = sum((growth[s] * r for s, r in zip(moving, rates)), Fraction(0))
        if rate > 0 or (quotient.is_number and not quotient < 1):
            raise InputError("regime", f"{text}: {quotient} < 1", "orders that do not contradict "
                             "what grows")  # fmt: skip


def _eliminated(left: sp.Expr, sizes: set[sp.Symbol], keep: sp.Expr | None) -> sp.Symbol:
    """Of X/Y and of X − Y the size Y, so that X is the one that the result is written in."""
    part = sp.denom(left) if left.is_Mul else sp.Add(*(
        t for t in left.args if t.could_extract_minus_sign()))  # fmt: skip
    inside = sorted(left.free_symbols & sizes - {keep}, key=str)
    found = [s for s in inside if part.has(s)] or inside
    if not found:
        raise InputError("regime", str(left), "a ratio or a distance of two sizes that "
                         "the others leave open")  # fmt: skip
    return found[0]


def _closed(substitutions: Mapping[sp.Symbol, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    closed = dict(substitutions)
    for _ in closed:
        closed = {s: v.subs(closed) for s, v in closed.items()}
    for symbol, value in closed.items():
        if value.free_symbols & set(closed):
            raise InputError("regime", f"{symbol} = {value}", "relations without a circle")
    return closed


def _is_ratio(symbol: sp.Symbol, reader: _Reader) -> bool:
    """Whether the symbol was introduced as the ratio of two sizes."""
    return any(
        v.has(symbol) and v.is_Mul and len(v.free_symbols & reader.sizes) == 1
        for v in reader.substitutions.values()
    )


def _one_that_grows(
    left: set[sp.Symbol], reader: _Reader, substitutions: Mapping[sp.Symbol, sp.Expr]
) -> list[sp.Expr]:
    """What vanishes where all sizes are powers of one: 1/N for N, z for a ridge."""
    free = {s for s in left & reader.sizes if not _falls(s)} or left & reader.sizes
    tied = {s for s in free for v in substitutions.values() if v.has(s)
            and (v.has(*reader.shares) or v.as_powers_dict().get(s, 1) != 1)}  # fmt: skip
    return [s if _falls(s) else 1 / s for s in tied] if len(free) == 1 else []


def _falls(size: sp.Symbol) -> bool:
    return size.name.startswith("z")


def _check_complete(
    left: list[sp.Symbol], moving: set[sp.Symbol], staying: list[sp.Symbol], reader: _Reader,
    text: str,
) -> None:  # fmt: skip
    missing = [s for s in left if s not in moving and s not in staying and s not in reader.infinite]
    if missing:
        s = missing[0]
        tied = any(v.has(s) for v in reader.substitutions.values())
        ways = (
            (f"{s} = 0", f"{s} ~ T^-b", f"{s} -> 0")
            if _falls(s)
            else (f"1 << {s}", *(() if tied else (f"{s} = inf",)), f"{s} < …, fixed in a chain")
        )
        offers = "; or ".join(f"{way}, {text}" for way in ways)
        raise InputError("regime", f"{text}: nothing about {', '.join(map(str, missing))}", offers)


def _large(
    moving: list[sp.Symbol], small: list[sp.Expr], point: Mapping[sp.Symbol, Any],
    at: Mapping[sp.Symbol, Any], text: str,
) -> tuple[dict[sp.Symbol, Fraction], str]:  # fmt: skip
    """The growth and the statement, numbers of modes, features and samples not vanishing."""
    growth = _growth(moving, small, point, at, text)
    counts = [s for s in (M, N, T) if growth.get(s, 0) < 0]
    if not counts:
        return growth, text
    small += [1 / s for s in counts]
    text = ", ".join([*(f"1 << {s}" for s in counts), text])
    return _growth(moving, small, point, at, text), text


def _growth(
    moving: list[sp.Symbol], small: list[sp.Expr], point: Mapping[sp.Symbol, Any],
    at: Mapping[sp.Symbol, Any], text: str,
) -> dict[sp.Symbol, Fraction]:  # fmt: skip
    """Exponents inside the cone of the orderings: farthest from its walls, or as at ``at``."""
    if not moving:
        return {}
    rows = [_rates(m, moving, point) for m in small]
    if all(s in at for s in moving):
        logs = [Fraction(float(sp.log(at[s]))).limit_denominator(1000) for s in moving]
        if all(sum(r * p for r, p in zip(row, logs)) < 0 for row in rows):
            return dict(zip(moving, logs))
        raise InputError("at", dict(at), f"sizes that are ordered as the regime says: {text}")
    from scipy.optimize import linprog

    found = linprog(
        [0.0] * len(moving) + [-1.0],
        A_ub=[[*map(float, row), 1.0] for row in rows],
        b_ub=[0.0] * len(rows),
        bounds=[(-1, 1)] * len(moving) + [(0, 1)],
    )
    if not found.success or found.x[-1] < 1e-9:
        raise InputError("regime", repr(text), "orderings that do not contradict one another")
    for denominator in (DENOMINATOR, DENOMINATOR**3):
        middle = [2 * Fraction(float(p)).limit_denominator(denominator) for p in found.x[:-1]]
        for halvings in range(6):  # off the walls between equal powers, but inside the cone
            spread = Fraction(3, 11 * 2**halvings)
            growth = [p * (1 + k * spread) for k, p in enumerate(middle)]
            rates = [sum(r * p for r, p in zip(row, growth)) for row in rows]
            if all(rate < -float(found.x[-1]) for rate in rates):
                return dict(zip(moving, growth))
    return dict(zip(moving, middle))


def _rates(
    monomial: sp.Expr, moving: list[sp.Symbol], point: Mapping[sp.Symbol, Any]
) -> list[Fraction]:
    """The exponents of the moving symbols in a monomial."""
    powers = monomial.as_powers_dict()
    found = []
    for s in moving:
        exponent = sp.sympify(powers.get(s, 0)).subs(point)
        if not exponent.is_Rational:
            raise InputError("regime", monomial, "products of powers of sizes")
        found.append(Fraction(int(exponent.p), int(exponent.q)))
    return found
