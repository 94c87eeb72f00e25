r"""The sums over modes that every result is written in, as sympy functions of κ.

    D_q(κ) = Σ_J (λ_J/(λ_J+κ))^q            degrees of freedom
    h_q(κ) = Σ_J w_J² λ_J/(λ_J+κ)^q          target sums

Both families are closed under differentiation,

    D_q' = −q (D_q − D_{q+1})/κ,     h_q' = −q h_{q+1},

so sympy can differentiate, expand and simplify any formula written in them, without a
spectrum. For an isotropic target, w_J² = σ_w² for every mode, and h_q is no new function:

    h_1 = σ_w² D_1,     h_{q+1} = σ_w² (D_q − D_{q+1})/κ^q … (see `isotropic`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mpmath
import sympy as sp

from .errors import InputError
from .notation import J, M

if TYPE_CHECKING:
    from .spectrum import Spectrum


class DegreesOfFreedom(sp.Function):
    r"""D_q(κ) = Σ_J (λ_J/(λ_J+κ))^q.

    >>> from solvable.analytic.notation import kappa
    >>> D1 = DegreesOfFreedom(1, kappa)
    >>> D1.diff(kappa)
    (-D_1(kappa) + D_2(kappa))/kappa
    """

    nargs = 2

    def fdiff(self, argindex: int = 2) -> sp.Expr:
        """The derivative with respect to κ."""
        q, x = self.args
        if argindex != 2:
            raise sp.ArgumentIndexError(self, argindex)
        return -q * (DegreesOfFreedom(q, x) - DegreesOfFreedom(q + 1, x)) / x

    def _eval_rewrite_as_Sum(self, q: Any, x: Any, **_: Any) -> sp.Expr:
        eigenvalue = sp.Function("lambda", positive=True)(J)
        return sp.Sum((eigenvalue / (eigenvalue + x)) ** q, (J, 1, M))

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[1].is_positive else None

    def _sympystr(self, printer: Any) -> str:
        return f"D_{self.args[0]}({printer._print(self.args[1])})"

    def _pretty(self, printer: Any) -> Any:
        return _pretty("D", self, printer)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"D_{{{printer._print(self.args[0])}}}"
        power = f"^{{{exp}}}" if exp else ""
        return rf"{body}{power}\left({printer._print(self.args[1])}\right)"


class TargetSum(sp.Function):
    r"""h_q(κ) = Σ_J w_J² λ_J/(λ_J+κ)^q.

    >>> from solvable.analytic.notation import kappa
    >>> TargetSum(1, kappa).diff(kappa)
    -h_2(kappa)
    """

    nargs = 2

    def fdiff(self, argindex: int = 2) -> sp.Expr:
        """The derivative with respect to κ."""
        q, x = self.args
        if argindex != 2:
            raise sp.ArgumentIndexError(self, argindex)
        return -q * TargetSum(q + 1, x)

    def _eval_rewrite_as_Sum(self, q: Any, x: Any, **_: Any) -> sp.Expr:
        eigenvalue = sp.Function("lambda", positive=True)(J)
        weight = sp.Function("w")(J)
        return sp.Sum(weight**2 * eigenvalue / (eigenvalue + x) ** q, (J, 1, M))

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[1].is_positive else None

    def _sympystr(self, printer: Any) -> str:
        return f"h_{self.args[0]}({printer._print(self.args[1])})"

    def _pretty(self, printer: Any) -> Any:
        return _pretty("h", self, printer)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"h_{{{printer._print(self.args[0])}}}"
        power = f"^{{{exp}}}" if exp else ""
        return rf"{body}{power}\left({printer._print(self.args[1])}\right)"


def _pretty(letter: str, function: sp.Function, printer: Any) -> Any:
    from sympy.printing.pretty.pretty_symbology import pretty_symbol
    from sympy.printing.pretty.stringpict import prettyForm

    order, argument = function.args
    name = pretty_symbol(f"{letter}_{order}") if printer._use_unicode else f"{letter}_{order}"
    inner = prettyForm(*printer._print(argument).parens())
    return prettyForm(*prettyForm(name).right(inner))


def isotropic(expression: sp.Expr, target_variance: sp.Expr) -> sp.Expr:
    r"""Replace every h_q by D's, for isotropic weights E w_J² = σ_w².

    λ/(λ+κ)^{q} with λ/(λ+κ) = x and 1/(λ+κ) = (1−x)/κ gives
    h_q = σ_w² κ^{1−q} Σ_j binom(q−1, j) (−1)^j D_{j+1}.

    >>> from solvable.analytic.notation import kappa
    >>> isotropic(TargetSum(2, kappa), 1)
    (D_1(kappa) - D_2(kappa))/kappa
    """

    def as_degrees(q: sp.Expr, x: sp.Expr) -> sp.Expr:
        terms = [
            sp.binomial(q - 1, j) * (-1) ** j * DegreesOfFreedom(j + 1, x) for j in range(int(q))
        ]
        return target_variance * sp.Add(*terms) / x ** (q - 1)

    return expression.replace(TargetSum, as_degrees)


def evaluate(expression: sp.Expr, values: Mapping[Any, Any], spectrum: Spectrum | None) -> Any:
    """The expression as an mpmath number at the current precision.

    ``values`` maps symbols to numbers; D_q and h_q are summed over ``spectrum``.

    >>> from solvable.analytic.spectrum import Flat
    >>> from solvable.analytic.notation import N, kappa
    >>> float(evaluate(DegreesOfFreedom(1, kappa) / N, {N: 2, kappa: 1}, Flat(6)))
    1.5
    """
    expression = sp.sympify(expression)
    replacements: dict[sp.Expr, Any] = {}
    # innermost first: the argument of one sum may hold no other sum
    for atom in expression.atoms(DegreesOfFreedom, TargetSum):
        if spectrum is None:
            raise InputError("spectrum", spectrum, f"a spectrum, to evaluate {atom}")
        order, argument = atom.args
        point = mpmath.mpmathify(evaluate(argument, values, spectrum))
        family = (
            spectrum.degrees_of_freedom
            if isinstance(atom, DegreesOfFreedom)
            else spectrum.target_sum
        )
        replacements[atom] = family(point, int(order))
    known = {sp.sympify(symbol): mpmath.mpmathify(value) for symbol, value in values.items()}
    atoms = {**replacements, **{s: v for s, v in known.items() if s in expression.free_symbols}}
    dummies = {atom: sp.Dummy() for atom in atoms}
    body = expression.xreplace(dummies)
    if body.free_symbols - set(dummies.values()):
        missing = sorted(map(str, body.free_symbols - set(dummies.values())))
        raise InputError("values", list(map(str, values)), "values for " + ", ".join(missing))
    return mpmath.mpmathify(sp.lambdify(list(dummies.values()), body, "mpmath")(*atoms.values()))
