r"""Spectral sums in an expression, read as Tr λ^i w^{2j}/(λ+κ)^q, and put in as series or numbers.

D_q, h_q and traces of matrices that commute are such sums; where one trace holds several shifts,
1/((λ+κ)(λ+κ')) = [1/(λ+κ) − 1/(λ+κ')]/(κ'−κ), it is split into partial fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import mpmath
import sympy as sp

from ... import precision
from ...errors import InputError, OutsideTheoryError
from ...spectral_functions import DegreesOfFreedom, Moment, TargetSum

if TYPE_CHECKING:
    from ...spectrum import Spectrum
    from .corner_sums import Corner
    from .multiseries import Series


class TracePart(NamedTuple):
    """coefficient · Tr λ^i w^{2j}/(λ+κ)^q."""

    coefficient: sp.Expr
    kappa: sp.Expr
    i: int
    j: int
    q: int


def traces_of(expression: sp.Expr) -> set[sp.Expr]:
    """The spectral sums in an expression: D_q, h_q, and traces that know their letters."""
    return {f for f in expression.atoms(sp.Function)
            if isinstance(f, DegreesOfFreedom | TargetSum) or hasattr(f, "letters")}  # fmt: skip


@lru_cache(maxsize=4096)
def read_trace(atom: sp.Expr) -> tuple[TracePart, ...]:
    """The parts of a spectral sum.

    >>> from solvable.analytic.notation import kappa
    >>> read_trace(TargetSum(2, kappa))
    (TracePart(coefficient=1, kappa=kappa, i=1, j=1, q=2),)
    """
    if isinstance(atom, DegreesOfFreedom):
        return (TracePart(sp.S.One, atom.args[1], int(atom.args[0]), 0, int(atom.args[0])),)
    if isinstance(atom, TargetSum):
        return (TracePart(sp.S.One, atom.args[1], 1, 1, int(atom.args[0])),)
    if len(atom.factors) != 1:
        raise OutsideTheoryError(f"{atom}: matrices that do not commute have no common power law")
    numerator, denominator = sp.fraction(sp.factor(atom.factors[0]))
    letters = atom.letters
    inner = [g for g in sp.Mul.make_args(denominator) if g.has(*letters)]
    if not inner:
        raise OutsideTheoryError(f"{atom}: a trace without a shift")
    main = next(x for x in letters if inner[0].has(x))
    others = [x for x in letters if x != main]
    if any(g.has(*others) for g in inner) or len(others) > 1:
        raise OutsideTheoryError(f"{atom}: not a sum of λ^i w^j/(λ+κ)^q")
    outer = sp.Mul(*(g for g in sp.Mul.make_args(denominator) if not g.has(*letters)))
    parts = []
    for powers, coefficient in sp.Poly(numerator, *(others or [main])).terms():
        j = powers[0] if others else 0
        rest = coefficient if others else coefficient * main ** powers[0]
        parts += [part._replace(j=j) for part in _shifts(rest / outer, inner, main)]
    return tuple(parts)


def _shifts(front: sp.Expr, inner: list[sp.Expr], main: sp.Symbol) -> list[TracePart]:
    """Σ coefficient λ^i/(λ+κ)^q of front(λ)/Π(linear factors)."""
    shifts = []
    for factor in inner:
        base, q = factor.as_base_exp()
        slope = sp.expand(base).coeff(main, 1)
        kappa = sp.factor((base - slope * main).expand() / slope)
        if kappa.has(main) or not q.is_Integer:
            raise OutsideTheoryError(f"{base}: not a shift λ + κ")
        front = front / slope**q
        shifts.append((kappa, int(q)))
    polynomial = sp.Poly(front, main)
    parts = []
    for (i,), coefficient in polynomial.terms():
        if len(shifts) == 1:
            parts.append(TracePart(coefficient, shifts[0][0], i, 0, shifts[0][1]))
            continue
        for value, kappa, q in _split(main, shifts):
            parts.append(TracePart(coefficient * value, kappa, i, 0, q))
    return parts


def _split(main: sp.Symbol, shifts: list[tuple[sp.Expr, int]]) -> list[tuple[sp.Expr, Any, int]]:
    """1/Π(λ+κ_m)^{q_m} as Σ value/(λ+κ)^q."""
    found = []
    for index, (kappa, most) in enumerate(shifts):
        rest = sp.Mul(*((main + k) ** -q for n, (k, q) in enumerate(shifts) if n != index))
        for n in range(most):  # the Taylor coefficients at λ = −κ
            value = sp.diff(rest, main, n).subs(main, -kappa) / sp.factorial(n)
            found.append((sp.factor(value), kappa, most - n))
    return found


def spectral_number(
    atom: sp.Expr, point: Mapping[sp.Symbol, Any], spectrum: Spectrum | None, digits: int
) -> sp.Expr:
    """D_q(κ₀), h_q(κ₀) or a moment, summed over the spectrum to these digits."""
    if spectrum is None:
        raise InputError("spectrum", None, f"a spectrum, to evaluate {atom}")
    with precision.workdps(digits + 5):
        if isinstance(atom, Moment):
            n, j = map(int, atom.args)
            value = spectrum.resolvent_sum(mpmath.mpf(0), n, 0, target=bool(j))
        else:
            order, place = atom.args
            where = mpmath.mpmathify(sp.N(place.subs(point), digits + 5))
            beyond = where < 0  # a real sum there, up to the square of a height
            if beyond:
                where = mpmath.mpc(where, -where * mpmath.mpf(10) ** (-digits))
            degrees = isinstance(atom, DegreesOfFreedom)
            family = spectrum.degrees_of_freedom if degrees else spectrum.target_sum
            value = family(where, int(order))
            value = value.real if beyond else value
        return sp.Float(value, digits)


def evaluate(
    expression: sp.Expr,
    images: Mapping[sp.Symbol, Series],
    corners: Mapping[sp.Symbol, Corner],
) -> Series:
    """The expression with unknowns and the spectral sums at them as series."""
    scales = next(iter(images.values())).scales
    known: dict[sp.Expr, Series] = dict(images)
    for atom in traces_of(expression):
        total = scales.constant(0)
        for coefficient, kappa, i, j, q in read_trace(atom):
            if kappa not in corners:
                raise OutsideTheoryError(f"{atom}: its shift is not an unknown of the equations")
            total = total + scales.evaluate(coefficient, images) * corners[kappa].trace(i, j, q)
        known[atom] = total
    return scales.evaluate(expression, known)


def compiled(
    expression: sp.Expr, symbols: list[sp.Symbol]
) -> Callable[[Mapping[sp.Symbol, Any], Callable[..., Any]], Any]:
    """The expression as a function of (values, sum over modes) for mpmath numbers.

    The sum takes (dimension, κ, i, j, q), the dimension None for D_q and h_q.
    Raises `OutsideTheoryError` at a pole of the expression.
    """
    atoms = sorted(traces_of(expression), key=sp.default_sort_key)
    names = {atom: sp.Dummy(f"trace{k}") for k, atom in enumerate(atoms)}
    parts = {
        atom: [
            (sp.lambdify(symbols, p.coefficient, "mpmath"),
             sp.lambdify(symbols, p.kappa, "mpmath"), p.i, p.j, p.q)
            for p in read_trace(atom)
        ]
        for atom in atoms
    }  # fmt: skip
    outer = sp.lambdify([*symbols, *names.values()], expression.xreplace(names), "mpmath")

    def value(values: Mapping[sp.Symbol, Any], mode_sum: Callable[..., Any]) -> Any:
        numbers = [values[s] for s in symbols]
        sums = [
            sum(c(*numbers) * mode_sum(getattr(atom, "dimension", None), k(*numbers), i, j, q)
                for c, k, i, j, q in parts[atom])
            for atom in atoms
        ]  # fmt: skip
        try:
            return outer(*numbers, *sums)
        except ZeroDivisionError as problem:
            raise OutsideTheoryError(f"{expression} has a pole at these numbers") from problem

    return value


__all__ = ["TracePart", "compiled", "evaluate", "read_trace", "spectral_number", "traces_of"]
