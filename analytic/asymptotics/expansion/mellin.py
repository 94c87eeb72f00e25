r"""Asymptotic series from the poles of a Mellin transform.

For F(x) = Σ_J g(J) f(x J^b) with f̃(u) = ∫₀^∞ x^{u−1} f(x) dx one has

    F(x) = (1/2πi) ∫ Φ(u) x^{−u} du,      Φ(u) = f̃(u) Σ_J g(J) J^{−bu},

along a vertical line in the strip where everything converges.  Moving the line to the left and
collecting residues gives the series at x → 0, moving it to the right (with a minus sign) the one at
x → ∞ [Flajolet, Gourdon, Dumas, "Mellin transforms and asymptotics: harmonic sums", 1995].

Here Φ is any product of Γ(c + du)^{±1}, ζ(c + du), ζ(c + du, M) and constants.  A simple pole at u₀
contributes a power x^{−u₀}; where two poles coincide the local Laurent series of the factors are
multiplied, and the logarithm appears by itself from x^{−u₀−ε} = x^{−u₀} Σ (−ε log x)^n/n!.
For symbolic exponents coincidence is decided by the :class:`Ordering`, and reported as an equation
among the conditions of the series.

Local expansions used:

    Γ(−j + δ) = (−1)^j/j! · δ^{−1} exp(ψ(j+1) δ + …)   (through Γ(1+δ)/[δ(δ−1)…(δ−j)]),
    ζ(1 + δ)  = 1/δ + Σ_n (−1)^n γ_n δ^n/n!             (Stieltjes constants γ_n).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp
from mpmath.libmp import from_man_exp
from sympy.printing.printer import Printer

from ... import precision
from ...errors import InputError, OutsideTheoryError, PrecisionError
from .asymptotic_series import Expansion
from .ordering import Ordering
from .truncated_series import Order, SeriesTerm, Validity

__all__ = ["Gamma", "HurwitzZeta", "MellinTransform", "Pole", "Zeta"]


class HurwitzZeta(sp.Function):
    """ζ(s, A) = Σ_{J≥0} (J + A)^{−s}, continued in s; never expanded into A fractions.

    >>> sp.N(HurwitzZeta(3, 10**6), 20)
    5.0000050000025000000e-13
    """

    nargs = 2

    def _eval_evalf(self, prec: int) -> sp.Expr:
        from flint import arb  # balls: mpmath's ζ(s, A) loses digits at large s or A

        for bits in (prec + 40, 2 * prec + 200, 8 * prec + 1000):
            exponent, start = (arb(a._to_mpmath(bits)) for a in self.args)
            with precision.ball_precision(bits):
                ball = exponent.zeta(start)
            if ball.rel_accuracy_bits() >= prec:
                mantissa, power = ball.mid().man_exp()
                return sp.Float._new(from_man_exp(int(mantissa), int(power), prec), prec)
        raise PrecisionError(f"{self} to {prec} bits", int(ball.rel_accuracy_bits() * 0.301))

    def _latex(self, printer: Printer, exp: str | None = None) -> str:
        inner = ", ".join(printer._print(a) for a in self.args)
        power = f"^{{{exp}}}" if exp else ""
        return rf"\zeta{power}\left({inner}\right)"


def _taylor(coefficients: Sequence[sp.Expr], slope: sp.Expr, shift: int = 0) -> dict[int, sp.Expr]:
    """Σ c_n (slope·ε)^{n+shift} as a map from powers of ε to coefficients."""
    return {n + shift: c * slope ** (n + shift) for n, c in enumerate(coefficients)}


@dataclass(frozen=True)
class Gamma:
    """The factor Γ(constant + slope·u)^exponent with exponent ±1."""

    constant: sp.Expr
    slope: sp.Expr
    exponent: int = 1

    def expression(self, u: sp.Expr) -> sp.Expr:
        """The factor as a sympy expression."""
        return sp.gamma(self.constant + self.slope * u) ** self.exponent

    def pole(self, index: int) -> sp.Expr:
        """Place of the pole with number ``index`` = 0, 1, … (for exponent +1)."""
        return (-index - self.constant) / self.slope

    def laurent(self, place: sp.Expr, order: int, ordering: Ordering) -> dict[int, sp.Expr]:
        """Coefficients of the local expansion in ε = u − place, ``order`` of them."""
        argument = sp.expand(self.constant + self.slope * place)
        value = ordering.value(argument)
        delta = sp.Dummy("delta")
        if value.is_Integer and value <= 0:
            j = -int(value)
            regular = sp.gamma(1 + delta) / sp.prod([delta - m for m in range(1, j + 1)])
            shift = -1
        else:
            regular, shift = sp.gamma(argument + delta), 0
        if self.exponent == -1:
            regular, shift = 1 / regular, -shift
        return _taylor(_derivatives(regular, delta, order), self.slope, shift)


@dataclass(frozen=True)
class Zeta:
    """The factor ζ(constant + slope·u) or, with ``start``, Hurwitz ζ(constant + slope·u, start)."""

    constant: sp.Expr
    slope: sp.Expr
    start: sp.Expr = sp.S.One
    exponent: int = 1

    def expression(self, u: sp.Expr) -> sp.Expr:
        """The factor as a sympy expression."""
        return _zeta(self.constant + self.slope * u, self.start)

    def pole(self, index: int) -> sp.Expr | None:
        """The only pole, where the argument is 1 (``index`` = 0)."""
        return (1 - self.constant) / self.slope if index == 0 else None

    def laurent(self, place: sp.Expr, order: int, ordering: Ordering) -> dict[int, sp.Expr]:
        """Coefficients of the local expansion in ε = u − place, ``order`` of them."""
        argument = sp.expand(self.constant + self.slope * place)
        if ordering.sign(argument - 1) == 0:
            constants = [sp.S.One] + [
                (-1) ** n
                * sp.stieltjes(*((n,) if self.start == 1 else (n, self.start)))
                / sp.factorial(n)
                for n in range(order - 1)
            ]
            return _taylor(constants, self.slope, -1)
        if order > 1:
            raise OutsideTheoryError(
                f"a double pole of the other factors at u = {place}, where ζ({argument}) is "
                "regular, needs derivatives of ζ, which are not implemented"
            )
        return {0: _zeta(argument, self.start)}


def _zeta(argument: sp.Expr, start: sp.Expr) -> sp.Expr:
    return sp.zeta(argument) if start == 1 else HurwitzZeta(argument, start)


def _derivatives(expression: sp.Expr, delta: sp.Symbol, count: int) -> list[sp.Expr]:
    """Taylor coefficients at 0 of an expression that is regular there."""
    coefficients, current = [], expression
    for n in range(count):
        coefficients.append(current.subs(delta, 0) / sp.factorial(n))
        current = current.diff(delta) if n + 1 < count else current
    return coefficients


@dataclass(frozen=True)
class Pole:
    """A pole of Φ: its place u₀, its multiplicity, its residue terms, and which factors meet there.

    The residue of Φ(u) x^{−u} is the sum of ``terms``, each a coefficient × x^{−u₀} log^k x.
    """

    place: sp.Expr
    multiplicity: int
    terms: tuple[SeriesTerm, ...]
    origin: tuple[str, ...]


@dataclass(frozen=True)
class MellinTransform:
    """Φ(u) = constant · Π factors, with the strip (left, right) in which the integral runs.

    >>> u, x = sp.symbols("u x", positive=True)
    >>> phi = MellinTransform((Gamma(sp.S(0), sp.S(1)),), (sp.S(0), sp.oo))   # of e^{-x}
    >>> phi.series(x, 0, 3, Ordering()).expression
    x**2/2 - x + 1
    """

    factors: tuple[Gamma | Zeta, ...]
    strip: tuple[sp.Expr, sp.Expr]
    constant: sp.Expr = sp.S.One

    def expression(self, u: sp.Expr) -> sp.Expr:
        """Φ(u) as a sympy expression."""
        return self.constant * sp.Mul(*(f.expression(u) for f in self.factors))

    def poles(self, side: int, count: int, ordering: Ordering) -> list[Pole]:
        """The first ``count`` poles to the left (side = −1) or to the right (+1) of the strip."""
        places = self._places(side, count, ordering)
        found: list[Pole] = []
        while places and len(found) < count:
            nearest = places[0]
            for place in places[1:]:
                if side * ordering.sign(sp.expand(place - nearest)) < 0:
                    nearest = place
            group = [p for p in places if ordering.sign(sp.expand(p - nearest)) == 0]
            places = [p for p in places if p not in group]
            # of coinciding places the simplest to read is shown
            nearest = min(group, key=lambda p: (not p.is_number, p.count_ops()))
            pole = self._residue(nearest, ordering)
            if pole.terms:
                found.append(pole)
        return found

    def _places(self, side: int, count: int, ordering: Ordering) -> list[sp.Expr]:
        """Candidate pole places on one side, enough of each factor; zeros may cancel some."""
        edge = self.strip[0] if side < 0 else self.strip[1]
        places: list[sp.Expr] = []
        for factor in self.factors:
            if factor.exponent < 0:
                continue
            taken, index = 0, 0
            while taken < count + 2 and index < 4 * count + 40:
                place = factor.pole(index)
                index += 1
                if place is None:
                    break
                place = sp.expand(place)
                if edge in (sp.oo, -sp.oo):
                    break
                if side * ordering.sign(sp.expand(place - edge)) >= 0:
                    places.append(place)
                    taken += 1
                elif side * ordering.sign(factor.slope) > 0 and isinstance(factor, Gamma):
                    break  # this family runs the other way
        return places

    def _residue(self, place: sp.Expr, ordering: Ordering) -> Pole:
        """Residue of Φ(u) x^{−u} at ``place`` from the Laurent series of the factors."""
        singular = [f for f in self.factors if _lowest(f, place, ordering) < 0]
        multiplicity = -sum(_lowest(f, place, ordering) for f in self.factors)
        if multiplicity <= 0:
            return Pole(place, 0, (), ())
        product: dict[int, sp.Expr] = {0: self.constant}
        for factor in self.factors:
            local = factor.laurent(place, multiplicity, ordering)
            product = _multiply(product, local, -1)
        terms = []
        for k in range(multiplicity):  # x^{−ε} = Σ (−ε log x)^k/k!
            coefficient = product.get(-1 - k, sp.S.Zero) * (-1) ** k / sp.factorial(k)
            if coefficient != 0:
                terms.append(SeriesTerm(coefficient, sp.expand(-place), k))
        return Pole(place, multiplicity, tuple(terms), tuple(type(f).__name__ for f in singular))

    def series(
        self,
        x: sp.Symbol,
        point: Any,
        count: int,
        ordering: Ordering,
        validity: Validity | None = None,
    ) -> Expansion:
        """The first ``count`` poles as a series at x → ``point`` (0 or ∞).

        The remainder is the contribution of the next pole; None when there is none.
        """
        if count < 1:
            raise InputError("terms", count, "an integer ≥ 1")
        point = sp.sympify(point)
        side = -1 if point == 0 else 1
        poles = self.poles(side, count + 1, ordering)
        if not poles:
            raise InputError("point", point, "a side on which the Mellin transform has poles")
        remainder = None
        if len(poles) > count:
            last = poles[count].terms[-1]
            remainder = Order(last.power, last.log)
        assumed = {c for p in poles[: count + 1] for c in self._coincidences(p, ordering)}
        terms = [
            replace(t, coefficient=_reflect(-side * t.coefficient))
            for p in poles[:count]
            for t in p.terms
        ]
        blank = Expansion(
            x, point, (), remainder, ordering, {}, validity or Validity(), frozenset(assumed)
        )
        return blank._with_terms(terms)

    def _coincidences(self, pole: Pole, ordering: Ordering) -> list[sp.Basic]:
        """The equations between parameters on which a multiple pole rests."""
        found = []
        if pole.multiplicity > 1:
            for factor in self.factors:
                argument = sp.expand(factor.constant + factor.slope * pole.place)
                value = ordering.value(argument)
                condition = ordering.condition(argument - value) if value.is_number else None
                if condition is not None and _lowest(factor, pole.place, ordering) < 0:
                    found.append(condition)
        return found


def _lowest(factor: Gamma | Zeta, place: sp.Expr, ordering: Ordering) -> int:
    """The order in ε at which the local expansion of ``factor`` begins (−1, 0 or 1)."""
    value = ordering.value(sp.expand(factor.constant + factor.slope * place))
    if isinstance(factor, Zeta):
        return -1 if ordering.sign(factor.constant + factor.slope * place - 1) == 0 else 0
    return -factor.exponent if value.is_Integer and value <= 0 else 0


def _reflect(coefficient: sp.Expr) -> sp.Expr:
    """Use Γ(x)Γ(1−x) = π/sin(πx) where that removes gamma functions."""
    simpler = sp.gammasimp(coefficient)
    fewer = len(simpler.atoms(sp.gamma)) < len(coefficient.atoms(sp.gamma))
    return simpler if fewer else coefficient


def _multiply(
    first: dict[int, sp.Expr], second: dict[int, sp.Expr], highest: int
) -> dict[int, sp.Expr]:
    """Product of two Laurent series, up to ε^highest beyond the poles still to come."""
    result: dict[int, sp.Expr] = {}
    for i, c in first.items():
        for j, d in second.items():
            result[i + j] = result.get(i + j, sp.S.Zero) + c * d
    return result
