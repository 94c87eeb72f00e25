r"""Generalised asymptotic series as objects.

    f(x) = Σ_i c_i x^{p_i} log(x)^{k_i} + O(x^{p} log(x)^{k}),     x → 0⁺ or x → ∞,

with coefficients c_i and exponents p_i any expressions in the parameters (α, a, b, M, …) and k_i
non-negative integers.  A term is smaller than another when its *grade* is larger: the grade is p at
x → 0 and −p at x → ∞, and at equal grade the term with the higher power of the logarithm is the
larger one.  Grades of symbolic exponents are compared by :class:`~.ordering.Ordering`,
and every inequality that was taken from the representative point and not proved is kept in
:attr:`Expansion.conditions`: outside it the same terms stand in another order.

Arithmetic keeps track of the remainder: a sum has the larger of both remainders, a product the
larger of leading term × remainder, and no term is kept that is not larger than the remainder.
``remainder=None`` means that no power is missing (a finite sum, or an error beyond all orders).

Long coefficients can be named: ``definitions`` maps symbols that occur in the coefficients to their
values (for instance c = (π/b)/sin(π/b)), so that formulas stay short, and numbers stay exact.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from . import composition, evaluation, printing
from .truncated_series import TruncatedSeries

__all__ = ["Expansion"]


class Expansion(TruncatedSeries):
    """A truncated generalised series in ``variable`` at ``point`` (0 from above, or ∞).

    Raises :class:`InputError` for another point, and for series that do not fit together.

    >>> from solvable.analytic.asymptotics.expansion import Ordering
    >>> x, p = sp.symbols("x p", positive=True)
    >>> f = Expansion.build(x, 0, [(1, 0), (2, p)], order=2*p, ordering=Ordering({p: 1}))
    >>> (f*f).expression
    4*x**p + 1
    >>> (f*f).remainder.power
    2*p
    """

    def __pow__(self, exponent: Any) -> Expansion:
        return composition.power(self, sp.sympify(exponent))

    def __truediv__(self, other: Any) -> Expansion:
        if isinstance(other, Expansion):
            return self * other**-1
        return self * (1 / sp.sympify(other))

    def __rtruediv__(self, other: Any) -> Expansion:
        return self**-1 * other

    def scale_variable(
        self, factor: Any, power: Any = 1, variable: sp.Symbol | None = None
    ) -> Expansion:
        """Put x = factor · y^power, exactly; ``power`` < 0 exchanges 0 and ∞."""
        return composition.scale_variable(self, sp.sympify(factor), sp.sympify(power), variable)

    def compose(self, inner: Expansion) -> Expansion:
        """The series of f(x(y)) for ``inner`` = x(y), which must tend to this series' point."""
        return composition.compose(self, inner)

    def revert(self, variable: sp.Symbol) -> Expansion:
        """The series of the inverse function x(y), where y = f(x) is named ``variable``."""
        return composition.revert(self, variable)

    # -- numeric faces ---------------------------------------------------------------------------

    def __call__(self, x: Any, terms: int | None = None, check: bool = True, **values: Any) -> Any:
        """Value at ``x`` of the first ``terms`` terms: sympy, mpmath or numpy, after the type of x.

        ``values`` give the parameters by name; those of the representative point are the default.
        Raises InputError outside the range of validity (unless ``check=False``).
        """
        return evaluation.evaluate(self, x, values, terms, check)

    def best(self, x: Any, **values: Any) -> Any:
        """Optimal truncation at ``x``: value, size of the first term left out, number of terms."""
        return evaluation.optimal_truncation(self, x, values)

    # -- printing --------------------------------------------------------------------------------

    def latex(self, **options: Any) -> str:
        """LaTeX with the largest term first and the remainder as O(…)."""
        return printing.latex(self, **options)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return printing.text(self)

    __repr__ = __str__
