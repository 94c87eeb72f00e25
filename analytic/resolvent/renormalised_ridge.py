r"""κ(N, T, z) as a function that sympy differentiates: by equation (1), z = κ R₁ R₃.

With F(κ, N, T) the right side of equation (1), implicit differentiation gives

    ∂κ/∂z = 1/F_κ,     ∂κ/∂N = −F_N/F_κ,     ∂κ/∂T = −F_T/F_κ,

so that a formula in κ(N, T, z) has the total derivatives, which one in the symbol κ has not.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.printing.printer import Printer

from ..notation import N, T, kappa
from ..spectral_functions import SpectrumFunction, SpectrumTerm, with_spectrum
from .equation import self_consistent_equation
from .solver import solve

if TYPE_CHECKING:
    from ..spectrum import Spectrum


@cache
def _slopes() -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    right = self_consistent_equation().rhs
    slope = right.diff(kappa)
    return -right.diff(N) / slope, -right.diff(T) / slope, 1 / slope


class RenormalisedRidge(SpectrumFunction):
    """κ(N, T, z), the solution of equation (1); of a given spectrum with a fourth argument.

    With numbers for all arguments `evalf` and functions made by `sympy.lambdify` evaluate it.

    ``RenormalisedRidge(N, T, z)``, in units of the eigenvalues. Raises `InputError` where a number
    is asked for and there is no spectrum. Source: dynamical paper, eqs. (11), (31)–(33).

    >>> from solvable.analytic.notation import z
    >>> from solvable.analytic.spectrum import Flat
    >>> RenormalisedRidge(5, sp.oo, 0, Flat(10)).evalf(20)  # D₁ = 10/(1+κ) = 5
    1.0000000000000000000
    >>> RenormalisedRidge(N, sp.oo, z).diff(z).free_symbols == {N, z}
    True
    """

    nargs = (3, 4)
    without_spectrum = 3

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The derivative with respect to N, T or z."""
        if argindex > 3:
            raise sp.ArgumentIndexError(self, argindex)
        n, t, _, *spectrum = self.args
        slope = _slopes()[argindex - 1]
        if spectrum:
            slope = with_spectrum(slope, spectrum[0].value())
        return slope.subs({kappa: self, N: n, T: t}, simultaneous=True)

    @staticmethod
    def _imp_(n: Any, t: Any, z: Any, spectrum: Spectrum | None = None) -> Any:
        from ..spectrum import as_spectrum

        return solve(as_spectrum(spectrum), n, t, z).value

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.args[2].is_nonnegative else None

    def _sympystr(self, printer: Printer) -> str:
        return f"kappa({', '.join(map(printer._print, self._shown()))})"

    def _latex(self, printer: Printer, exp: str | None = None) -> str:
        inner = ", ".join(map(printer._print, self._shown()))
        head = printer._print_Symbol(sp.Symbol("kappa"))
        return rf"{head}{f'^{{{exp}}}' if exp else ''}\left({inner}\right)"

    def _pretty(self, printer: Printer) -> Any:
        return printer._print_Function(sp.Function("kappa")(*self._shown()))

    def _shown(self) -> tuple[sp.Basic, ...]:
        return tuple(x for x in self.args if not isinstance(x, SpectrumTerm))
