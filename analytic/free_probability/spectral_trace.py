r"""Tr f(Λ) and Tr f(Λ) Γ g(Λ)…: the deterministic traces that equations are written in.

``SpectralTrace(M, f)`` is the plain trace Σ_J f(λ_J) over a space of dimension M, f being
written in eigenvalue letters; ``SpectralTrace(M, f, g, …)`` is the trace of a product of
functions of matrices that do not commute, in this order, brought to one of its cyclic rotations
(and transposes).

    D_q(κ) = Tr (Λ/(Λ+κ))^q            prints as D_q(κ)
    h_q(κ) = Tr W Λ (Λ+κ)^{-q}         for W commuting with Λ, prints as h_q(κ)

A factor may be the inverse of a sum of matrices that do not commute (`sum_inverse`).

It differentiates with respect to every symbol but the letters; `trace_values` evaluates it.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from .declarations import Eigenvalue
from .sum_inverse import SumInverse, flattened, slope_words, transposed


class SpectralTrace(sp.Function):
    r"""The plain trace of a product of functions of deterministic matrices.

    >>> M, kappa = sp.symbols("M kappa", positive=True)
    >>> L = Eigenvalue("lambda")
    >>> D1 = SpectralTrace(M, L / (L + kappa))
    >>> D1
    D_1(kappa)
    >>> D1.diff(kappa)
    Tr[-lambda/(lambda + kappa)**2]
    """

    @classmethod
    def eval(cls, dimension: Any, *factors: Any) -> sp.Expr | None:
        if all(factor == 1 for factor in factors):
            return dimension
        if any(factor == 0 for factor in factors):
            return sp.S.Zero
        return None

    @property
    def dimension(self) -> sp.Expr:
        """The dimension of the space of the trace."""
        return self.args[0]

    @property
    def factors(self) -> tuple[sp.Expr, ...]:
        """The functions, in their order."""
        return self.args[1:]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """All symbols but the eigenvalue letters, which are summed over."""
        return {s for s in super().free_symbols if not isinstance(s, Eigenvalue)}

    @property
    def letters(self) -> list[Eigenvalue]:
        """The eigenvalue letters, sorted."""
        found = {s for f in self.factors for s in f.free_symbols if isinstance(s, Eigenvalue)}
        return sorted(found, key=lambda s: s.name)

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        total = sp.S.Zero
        for i, factor in enumerate(self.factors):
            for coefficient, word in slope_words(factor, symbol):
                changed = [*self.factors[:i], *word, *self.factors[i + 1 :]]
                total += coefficient * SpectralTrace(self.dimension, *changed)
        return total

    def _eval_is_real(self) -> bool | None:
        return None

    def _eval_rewrite_as_Sum(self, *args: Any, **_: Any) -> sp.Expr:
        if len(self.factors) > 1 or self.has(SumInverse):
            return self
        index = sp.Symbol("J", integer=True, positive=True)
        named = {x: sp.Function(x.name, positive=True)(index) for x in self.letters}
        return sp.Sum(self.factors[0].xreplace(named), (index, 1, self.dimension))

    def standard(self) -> tuple[str, int, sp.Expr] | None:
        """("D", q, κ) or ("h", q, κ) if the trace is one of the papers' two sums."""
        if len(self.factors) > 1 or not self.letters or self.has(SumInverse):
            return None
        factor = self.factors[0]
        _, denominator = sp.fraction(factor)
        base, power = denominator.as_base_exp()
        for letter in self.letters:
            kappa = sp.expand(base - letter)
            if kappa.has(*self.letters) or kappa == 0 or not power.is_Integer:
                continue
            if factor == (letter / base) ** power:
                return ("D", int(power), kappa)
            others = [x for x in self.letters if x != letter]
            if len(others) == 1 and factor == others[0] * letter / base**power:
                return ("h", int(power), kappa)
        return None

    def _sympystr(self, printer: Any) -> str:
        special = self.standard()
        if special and self._is_default(special[0]):
            return f"{special[0]}_{special[1]}({printer._print(special[2])})"
        return "Tr[" + " . ".join(printer._print(f) for f in self.factors) + "]"

    def _pretty(self, printer: Any) -> Any:
        from sympy.printing.pretty.stringpict import prettyForm, stringPict

        special = self.standard()
        if special and self._is_default(special[0]):
            name, inner = printer._print(sp.Symbol(f"{special[0]}_{special[1]}")), [special[2]]
        else:
            name, inner = prettyForm("Tr"), list(self.factors)
        parts: list[Any] = [printer._print(inner[0])]
        for factor in inner[1:]:
            parts += [" · ", printer._print(factor)]
        body = prettyForm(*stringPict.next(*parts))
        brackets = "()" if name != prettyForm("Tr") else "[]"
        return prettyForm(*name.right(prettyForm(*body.parens(*brackets))))

    def _is_default(self, kind: str) -> bool:
        names = [letter.name for letter in self.letters]
        return "lambda" in names and len(names) == (1 if kind == "D" else 2)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        special = self.standard()
        power = f"^{{{exp}}}" if exp else ""
        if special and self._is_default(special[0]):
            kind, order, kappa = special
            head = printer._print_Symbol(sp.Symbol(f"{kind}_{order}"))
            return rf"{head}{power}\left({printer._print(kappa)}\right)"
        body = r" \cdot ".join(printer._print(f) for f in self.factors)
        text = rf"\operatorname{{Tr}}\left[{body}\right]"
        return rf"\left({text}\right){power}" if exp else text


def spectral_trace(dimension: sp.Expr, factors: list[sp.Expr]) -> sp.Expr:
    """The canonical trace of a product: the first of its rotations and reversals.

    Reversal is allowed because it is the trace of the transpose: every factor is a symmetric
    matrix, or the inverse of a sum, which is transposed.
    """
    kept = [factor for factor in flattened(factors) if factor != 1]
    if not kept:
        return dimension
    options = []
    for sequence in (kept, [transposed(factor) for factor in kept[::-1]]):
        for start in range(len(sequence)):
            options.append(tuple(sequence[start:] + sequence[:start]))
    best = min(options, key=lambda option: [sp.default_sort_key(f) for f in option])
    return SpectralTrace(dimension, *best)


def in_spectral_functions(expression: sp.Expr) -> sp.Expr:
    """The expression in D_q(κ) and h_q(κ) of `analytic.spectral_functions`, where it can be.

    >>> from solvable.analytic.notation import kappa
    >>> L = Eigenvalue("lambda")
    >>> type(in_spectral_functions(SpectralTrace(sp.Symbol("M"), L / (L + kappa)))).__name__
    'DegreesOfFreedom'
    """
    from ..spectral_functions import DegreesOfFreedom, TargetSum

    families = {"D": DegreesOfFreedom, "h": TargetSum}
    found = {trace: trace.standard() for trace in expression.atoms(SpectralTrace)}
    return expression.xreplace(
        {trace: families[kind[0]](*kind[1:]) for trace, kind in found.items() if kind}
    )
