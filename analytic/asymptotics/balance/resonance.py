r"""Coefficients that are infinite at the representative point: logarithms as limits.

Where a − 1 = m b the residues of two poles are infinite and of opposite sign, and their powers
coincide.  With a = 1 + mb + ε every coefficient is a Laurent series in ε, from

    (π/b)/sin(π(k + yε)) = (−1)^k/b [1/(yε) + π²yε/6 + …],     ζ(1 + sε) = 1/(sε) + γ − γ₁ sε + …,

every monomial is its value times exp(ε Σ e_s' log s), and the sum of all terms of one monomial in
what grows is finite at ε → 0: the poles cancel, by the equations of constants where there are some,
and logarithms are left.  A pole that is left is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import mpmath
import sympy as sp

from ... import precision
from ...errors import OutsideTheoryError
from ...notation import a, b
from ...spectral_functions import DegreesOfFreedom, Moment, TargetSum
from .corner_sums import PREFACTOR, c
from .multiseries import PoleLeft, Scales, Series, used_symbols
from .places import Implicit

ORDER = 3  # powers of ε beyond the poles


class ZetaDerivative(sp.Function):
    """The n-th derivative of ζ at s: ``ZetaDerivative(n, s)``."""

    nargs = 2

    def _eval_evalf(self, prec: int) -> sp.Expr:
        with precision.workprec(prec + 30):
            s = mpmath.mpmathify(self.args[1]._to_mpmath(prec + 30))
            return sp.Float._new(mpmath.zeta(s, 1, int(self.args[0]))._mpf_, prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\zeta^{{({self.args[0]})}}\left({printer._print(self.args[1])}\right)"
        return rf"\left({body}\right)^{{{exp}}}" if exp else body


Laurent = dict[int, sp.Expr]


def resonant(scales: Scales, series: Series) -> sp.Expr | None:
    """The value of a, in b, at which a coefficient of the series is infinite, or None."""
    used = {s for c in series.terms.values() for s in used_symbols(scales, c)}
    for value, symbol in scales.atoms.items():
        if symbol not in used:
            continue
        relation = _singular(value, scales)
        if relation is not None and relation.has(a):
            return sp.expand(sp.solve(relation, a)[0])
        if relation is not None:
            raise OutsideTheoryError(f"{value} is infinite at the point: no limit of its own here")
    return None


def _singular(value: sp.Expr, scales: Scales) -> sp.Expr | None:
    """An expression that vanishes where the atom is infinite, if that is at the point."""
    if isinstance(value, sp.zeta):
        distance = sp.expand(value.args[0] - 1)
        return distance if distance.subs(scales.point) == 0 else None
    sines = list(value.atoms(sp.sin))
    if not sines:
        return None
    phase = sp.expand(sines[0].args[0] / sp.pi)
    nearest = phase.subs(scales.point)
    return sp.together(phase - nearest) * b if nearest.is_Integer else None


def at_resonance(
    scales: Scales, series: Series, place: sp.Expr, notes: Mapping[sp.Expr, Any]
) -> dict[Any, sp.Expr]:
    """Exponents (by scale) → coefficient with logarithms, at a = ``place``.

    Powers of constants stay beside the sizes where all terms of a monomial share them; ``notes``
    says what the constants are.
    """
    groups: dict[Any, dict[Any, Laurent]] = {}
    atoms = {symbol: _local(value, place) for value, symbol in scales.atoms.items()}
    for vector, coefficient in series.terms.items():
        exponents = scales.exponents(vector)
        slope = sum((sp.diff(e, a) * sp.log(s) for s, e in exponents.items()), sp.S.Zero)
        at_place = [(s, e) for s, x in exponents.items() if (e := sp.expand(x.subs(a, place))) != 0]
        key = frozenset(pair for pair in at_place if scales.growth.get(pair[0]))
        constants = frozenset(at_place) - key
        local = _quotient(_local_polynomial(coefficient.numer, scales, atoms, place),
                          _local_polynomial(coefficient.denom, scales, atoms, place))  # fmt: skip
        exponential = {k: slope**k / sp.factorial(k) for k in range(2 * ORDER)}
        group = groups.setdefault(key, {}).setdefault(constants, {})
        for power, value in _product(local, exponential).items():
            group[power] = group.get(power, sp.S.Zero) + value
    result = {}
    for key, parts in groups.items():
        shared = frozenset.intersection(*parts)
        laurent = _joined(parts, shared)
        for power, value in laurent.items():
            if power < 0 and not _vanishes(value, scales, notes):
                raise PoleLeft("a pole is left at the resonance: the order is too low")
        finite = sp.expand(laurent.get(0, sp.S.Zero))
        if finite != 0 and not _vanishes(finite, scales, notes):
            result[key | shared] = finite
    return result


def _joined(parts: dict[Any, Laurent], shared: Set[Any]) -> Laurent:
    """The sum of series with the powers of constants that not all of them share."""
    total: Laurent = {}
    for constants, laurent in parts.items():
        factor = sp.Mul(*(s**e for s, e in constants - shared))
        for power, value in laurent.items():
            total[power] = total.get(power, sp.S.Zero) + factor * value
    return total


def _vanishes(value: sp.Expr, scales: Scales, notes: Mapping[sp.Expr, Any]) -> bool:
    """Whether it is zero at generic values that satisfy the equations of the constants."""
    value = sp.expand(value)
    if value == 0:
        return True
    defined = {s: x for s, x in notes.items() if isinstance(x, Implicit)}
    open_ = set().union(value.free_symbols, *(x.expression.free_symbols for x in defined.values()))
    free = value.atoms(DegreesOfFreedom, TargetSum, Moment) | open_ - {*defined, c}
    generic = {s: sp.Rational(17 + 5 * k, 7) for k, s in enumerate(sorted(free, key=str))}
    generic |= scales.point
    generic[c] = sp.N(PREFACTOR.subs(scales.point), 40)
    for symbol, meaning in defined.items():
        generic[symbol] = meaning.number(generic, scales.spectrum, 40)
    terms = [sp.N(term.xreplace(generic), 30) for term in sp.Add.make_args(value)]
    number, size = sp.Add(*terms), max(map(abs, terms))
    return bool(abs(number) <= 1e-20 * size)


def _local(value: sp.Expr, place: sp.Expr) -> Laurent:
    """An atom at a = place + ε."""
    if isinstance(value, sp.zeta):
        start, slope = sp.expand(value.args[0].subs(a, place)), sp.diff(value.args[0], a)
        if start == 1:
            found = {-1: 1 / slope}
            for n in range(ORDER):
                found[n] = (-1) ** n * sp.stieltjes(n) / sp.factorial(n) * slope**n
            return found
        regular = {0: sp.zeta(start)}
        for n in range(1, ORDER if slope != 0 else 1):
            regular[n] = ZetaDerivative(n, start) * slope**n / sp.factorial(n)
        return regular
    sines = list(value.atoms(sp.sin))
    if sines and value.has(a):
        phase = sp.expand(sines[0].args[0] / sp.pi)
        start, slope = sp.simplify(phase.subs(a, place)), sp.simplify(sp.diff(phase, a))
        if start.is_Integer:
            front = sp.Integer(-1) ** int(start) / b
            return {-1: front / slope, 0: sp.S.Zero, 1: front * sp.pi**2 * slope / 6}
    return {n: value.diff(a, n).subs(a, place) / sp.factorial(n)
            for n in range(ORDER if value.has(a) else 1)}  # fmt: skip


def _local_polynomial(polynomial: Any, scales: Scales, atoms: Any, place: sp.Expr) -> Laurent:
    total: Laurent = {}
    for monomial, coefficient in polynomial.terms():
        part: Laurent = {0: sp.Integer(coefficient)}
        for symbol, power in zip(scales.field.symbols, monomial):
            if power:
                local = {0: place, 1: sp.S.One} if symbol == a else atoms.get(symbol, {0: symbol})
                for _ in range(power):
                    part = _product(part, local)
        for k, value in part.items():
            total[k] = total.get(k, sp.S.Zero) + value
    return {k: sp.expand(v) for k, v in total.items() if sp.expand(v) != 0}


def _product(f: Laurent, g: Laurent) -> Laurent:
    found: Laurent = {}
    for i, x in f.items():
        for j, y in g.items():
            if i + j <= ORDER:
                found[i + j] = found.get(i + j, sp.S.Zero) + x * y
    return found


def _quotient(f: Laurent, g: Laurent) -> Laurent:
    start = min(g)
    lead = g[start]
    inverse: Laurent = {-start: 1 / lead}
    for n in range(1, ORDER + 2):
        known = sum(
            (g.get(start + k, 0) * inverse[-start + n - k] for k in range(1, n + 1)), sp.S.Zero
        )
        inverse[-start + n] = sp.simplify(-known / lead) if known != 0 else sp.S.Zero
    return _product(f, inverse)
