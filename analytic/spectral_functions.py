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

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import mpmath
import sympy as sp
from sympy.printing.printer import Printer

from . import arguments, precision
from .arguments import checked
from .errors import InputError
from .notation import J, M, kappa, kappa_prime

if TYPE_CHECKING:
    from .spectrum import Spectrum

GUARD_BITS = 10
BITS_APART = 64  # between the precisions at which functions are evaluated


#: name → class of every kind of spectrum, entered where it is defined
KINDS: dict[str, type[Spectrum]] = {}


class SpectrumTerm(sp.Function):
    """A spectrum inside a sympy expression: its kind, and its parameters as sympy numbers.

    Symbols among the parameters are substituted as anywhere else.

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> from solvable.analytic.notation import alpha
    >>> sp.sympify(PowerLaw(alpha)).subs(alpha, 1).value()
    PowerLaw(exponent=2, size=inf, target_exponent=2, scale=1, target_variance=1)
    """

    is_commutative = True

    def value(self) -> Spectrum:
        """The spectrum."""
        return self._imp_(self.args[0].name, *map(_plain, self.args[1:]))

    @staticmethod
    def _imp_(kind: str, *values: Any) -> Spectrum:
        known = [None if value == () else value for value in values]
        return KINDS[kind](**dict(zip(KINDS[kind].parameter_names(), known)))

    def _code(self, printer: Printer) -> str:
        kind, *values = self.args
        return f"SpectrumTerm({', '.join([repr(kind.name), *map(printer._print, values)])})"

    _pythoncode = _numpycode = _mpmathcode = _lambdacode = _code

    def _sympystr(self, printer: Printer) -> str:
        return f"{self.args[0].name}({', '.join(map(printer._print, self.args[1:]))})"


def _plain(value: sp.Basic) -> Any:
    if isinstance(value, sp.Tuple):
        return tuple(map(_plain, value)) or None
    if value.is_Integer:
        return int(value)
    if value.is_Rational:
        return Fraction(int(value.p), int(value.q))
    return math.inf if value is sp.oo else value


class SpectrumFunction(sp.Function):
    """A function of numbers and, as its last argument or not at all, of a spectrum."""

    without_spectrum = 0  #: arguments

    def __new__(cls, *args: Any, evaluate: bool | None = None) -> Any:
        """The function of expressions; `InputError` for anything else, which is not evaluated."""
        numbers, spectrum = args[: cls.without_spectrum], args[cls.without_spectrum :]
        given = [
            x if isinstance(x, sp.Expr) and x is not sp.nan
            else arguments.expression(f"argument {i} of {cls.__name__}", x)
            for i, x in enumerate(numbers, 1)
        ]  # fmt: skip
        given += [
            x if isinstance(x, SpectrumTerm | sp.Symbol)
            else arguments.ANNOTATIONS["Spectrum"]("spectrum", x)
            for x in spectrum
        ]  # fmt: skip
        return super().__new__(cls, *given, **({} if evaluate is None else {"evaluate": evaluate}))

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        return evaluated(self, prec)


class ModeFunction(SpectrumFunction):
    """A function f_q(κ) or f_q(κ, spectrum) of κ, whose derivative is one of the same family.

    With numbers for all arguments `evalf` gives its value to any precision; functions that
    `sympy.lambdify` returns evaluate it in numpy and mpmath.
    """

    nargs = (2, 3)
    without_spectrum = 2
    letter = ""

    @property
    def spectrum(self) -> tuple[sp.Basic, ...]:
        """The spectrum, as the arguments that follow κ."""
        return tuple(self.args[2:])

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[1].is_positive else None

    def _sympystr(self, printer: Printer) -> str:
        return f"{self.letter}_{self.args[0]}({printer._print(self.args[1])})"

    def _pretty(self, printer: Printer) -> Any:
        from sympy.printing.pretty.pretty_symbology import pretty_symbol
        from sympy.printing.pretty.stringpict import prettyForm

        name = f"{self.letter}_{self.args[0]}"
        inner = prettyForm(*printer._print(self.args[1]).parens())
        return prettyForm(
            *prettyForm(pretty_symbol(name) if printer._use_unicode else name).right(inner)
        )

    def _latex(self, printer: Printer, exp: str | None = None) -> str:
        body = printer._print_Symbol(sp.Symbol(f"{self.letter}_{self.args[0]}"))
        power = f"^{{{exp}}}" if exp else ""
        return rf"{body}{power}\left({printer._print(self.args[1])}\right)"


def evaluated(function: sp.Function, prec: int) -> sp.Expr | None:
    """`evalf` by the function's ``_imp_``; None while symbols are left or no spectrum is known."""
    if function.free_symbols or not isinstance(function.args[-1], SpectrumTerm):
        return None
    working = -(-(prec + GUARD_BITS) // BITS_APART) * BITS_APART  # few, so that values are reused
    value = _value(function, working)
    with precision.workprec(prec):
        value = +value
    if isinstance(value, mpmath.mpf) and value.bc < 53 < prec:  # one entry of sympy's caches
        mantissa, exponent = value.man_exp
        return sp.Integer(mantissa) * sp.Integer(2) ** exponent
    return sp.Expr._from_mpmath(value, prec)


@lru_cache(maxsize=4096)
def _value(function: sp.Function, bits: int) -> Any:
    *numbers, spectrum = function.args
    with precision.workprec(bits):
        values = [mpmath.mpmathify(x._to_mpmath(bits)) for x in numbers]
        return function._imp_(*values, spectrum.value())


def _needed(spectrum: Spectrum | None, letter: str) -> Spectrum:
    if spectrum is None:
        raise InputError("spectrum", None, f"a spectrum, to evaluate {letter}: make the formula "
                         "with one, or substitute with `with_spectrum`")  # fmt: skip
    return spectrum


class DegreesOfFreedom(ModeFunction):
    """D_q(κ) = Σ_J (λ_J/(λ_J+κ))^q; of a given spectrum with a third argument.

    ``DegreesOfFreedom(q, κ)`` has no unit: it counts modes. Raises `InputError` where a number is
    asked for and there is no spectrum. Source: arXiv:2405.00592 (df₁, df₂); dynamical paper, eq.
    (11).

    >>> from solvable.analytic.notation import kappa
    >>> D1 = DegreesOfFreedom(1, kappa)
    >>> D1.diff(kappa)
    (-D_1(kappa) + D_2(kappa))/kappa
    >>> from solvable.analytic.spectrum import Flat
    >>> DegreesOfFreedom(1, kappa, Flat(6)).subs(kappa, sp.Rational(1, 2)).evalf(5)
    4.0000
    """

    letter = "D"

    def fdiff(self, argindex: int = 2) -> sp.Expr:
        """The derivative with respect to κ."""
        q, x, *spectrum = self.args
        if argindex != 2:
            raise sp.ArgumentIndexError(self, argindex)
        return -q * (self - DegreesOfFreedom(q + 1, x, *spectrum)) / x

    @staticmethod
    def _imp_(q: Any, kappa: Any, spectrum: Spectrum | None = None) -> Any:
        return _needed(spectrum, f"D_{int(q)}").degrees_of_freedom(kappa, int(q))

    def _eval_rewrite_as_Sum(self, q: Any, x: Any, *_: Any, **__: Any) -> sp.Expr:
        eigenvalue = sp.Function("lambda", positive=True)(J)
        return sp.Sum((eigenvalue / (eigenvalue + x)) ** q, (J, 1, M))


class TargetSum(ModeFunction):
    """h_q(κ) = Σ_J w_J² λ_J/(λ_J+κ)^q; of a given spectrum with a third argument.

    κ^q h_q is a loss, in units of Σ w²λ. Raises `InputError` where a number is asked for and there
    is no spectrum. Source: dynamical paper, eq. (35), at one frequency.

    >>> from solvable.analytic.notation import kappa
    >>> TargetSum(1, kappa).diff(kappa)
    -h_2(kappa)
    """

    letter = "h"

    def fdiff(self, argindex: int = 2) -> sp.Expr:
        """The derivative with respect to κ."""
        q, *rest = self.args
        if argindex != 2:
            raise sp.ArgumentIndexError(self, argindex)
        return -q * TargetSum(q + 1, *rest)

    @staticmethod
    def _imp_(q: Any, kappa: Any, spectrum: Spectrum | None = None) -> Any:
        return _needed(spectrum, f"h_{int(q)}").target_sum(kappa, int(q))

    def _eval_rewrite_as_Sum(self, q: Any, x: Any, *_: Any, **__: Any) -> sp.Expr:
        eigenvalue = sp.Function("lambda", positive=True)(J)
        weight = sp.Function("w")(J)
        return sp.Sum(weight**2 * eigenvalue / (eigenvalue + x) ** q, (J, 1, M))


class Moment(ModeFunction):
    r"""Σ_J w_J^{2j} λ_J^n as ``Moment(n, j)``, j = 0 or 1; a third argument is the spectrum.

    >>> from solvable.analytic.spectrum import Flat
    >>> Moment(-1, 0, Flat(6)).evalf(5)
    6.0000
    """

    letter = "Tr"

    def _eval_is_positive(self) -> bool:
        return True

    @staticmethod
    def _imp_(n: Any, j: Any, spectrum: Spectrum | None = None) -> Any:
        zero = mpmath.mpf(0)
        return _needed(spectrum, f"Tr λ^{int(n)}").resolvent_sum(zero, int(n), 0, target=bool(j))

    def _sympystr(self, printer: Printer) -> str:
        n, j = self.args[:2]
        return f"Tr[{'w^2*' * int(bool(j))}lambda^{n}]"

    def _pretty(self, printer: Printer) -> Any:
        from sympy.printing.pretty.stringpict import prettyForm

        n, j = self.args[:2]
        return prettyForm(f"Tr[{'w² ' * int(bool(j))}λ^{n}]")

    def _latex(self, printer: Printer, exp: str | None = None) -> str:
        n, j = self.args[:2]
        mode = printer._print(sp.Symbol("Lambda"))
        power = f"{mode}^{{{n}}}" if n not in (0, 1) else mode if n == 1 or not j else ""
        body = rf"\operatorname{{Tr}}\left[{'W ' if j else ''}{power}\right]"
        return rf"{body}^{{{exp}}}" if exp else body


@checked
def with_spectrum(expression: sp.Basic, spectrum: Spectrum) -> sp.Expr:
    """The expression with every D_q(κ), h_q(κ) and κ(N, T, z) taken of this spectrum.

    Raises `InputError` only where it is evaluated at κ that is not allowed. Source: this package.

    >>> from solvable.analytic.notation import kappa
    >>> from solvable.analytic.spectrum import Flat
    >>> sp.lambdify(kappa, with_spectrum(DegreesOfFreedom(1, kappa), Flat(6)))(1.0)
    np.float64(3.0)
    """
    return expression.replace(
        lambda x: len(x.args) == getattr(x, "without_spectrum", -1),
        lambda x: x.func(*x.args, spectrum),
    )


#: the sums at κ, and primed at κ'
D1, D2 = DegreesOfFreedom(1, kappa), DegreesOfFreedom(2, kappa)
h1, h2 = TargetSum(1, kappa), TargetSum(2, kappa)
D1_prime, h1_prime = DegreesOfFreedom(1, kappa_prime), TargetSum(1, kappa_prime)


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
    for atom in expression.atoms(ModeFunction):
        order, argument, *own = atom.args
        point = mpmath.mpmathify(evaluate(argument, values, spectrum))
        replacements[atom] = atom._imp_(order, point, own[0].value() if own else spectrum)
    known = {sp.sympify(symbol): mpmath.mpmathify(value) for symbol, value in values.items()}
    atoms = {**replacements, **{s: v for s, v in known.items() if s in expression.free_symbols}}
    dummies = {atom: sp.Dummy() for atom in atoms}
    body = expression.xreplace(dummies)
    if body.free_symbols - set(dummies.values()):
        missing = sorted(map(str, body.free_symbols - set(dummies.values())))
        raise InputError("values", list(map(str, values)), "values for " + ", ".join(missing))
    return mpmath.mpmathify(sp.lambdify(list(dummies.values()), body, "mpmath")(*atoms.values()))
