"""Checks of claims about matrices: on random rational matrices, exactly.

An identity between rational expressions of matrices that holds for a random draw of
rational entries holds identically, up to a set of measure zero of draws (Schwartz–Zippel).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from ..checks import Verdict, passes_if
from ..relations import Expectation, Minimiser, Relation


def draw(rows: int, columns: int, generator: random.Random) -> sp.Matrix:
    """A matrix of small random rationals."""
    return sp.Matrix(
        rows, columns, lambda *_: sp.Rational(generator.randint(-9, 9), generator.randint(1, 5))
    )


def explicit(expression: Any, matrices: Mapping[Any, Any], sizes: Mapping[Any, int]) -> Any:
    """The expression with explicit matrices for its MatrixSymbols, multiplied out."""
    if isinstance(expression, sp.MatrixSymbol):
        return matrices[expression.name]
    if isinstance(expression, sp.Identity):
        return sp.eye(int(expression.shape[0].subs(sizes)))
    if not expression.args:
        return expression.subs(sizes)
    parts = [explicit(part, matrices, sizes) for part in expression.args]
    if isinstance(expression, Expectation):
        return parts[0]
    if isinstance(expression, sp.Trace):
        return parts[0].trace()
    if isinstance(expression, sp.Transpose):
        return parts[0].T
    if isinstance(expression, sp.Inverse):
        return parts[0].inv()
    total = parts[0]
    if isinstance(expression, sp.MatAdd | sp.Add):
        for part in parts[1:]:
            total = total + part
        return total
    if isinstance(expression, sp.MatMul | sp.Mul):
        for part in parts[1:]:
            total = total * part
        return total
    if isinstance(expression, sp.Pow | sp.MatPow):
        return parts[0] ** parts[1]
    raise TypeError(f"no explicit form is known for {type(expression).__name__}")


def gaussian_average(polynomial: sp.Expr, variances: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """⟨·⟩ of a polynomial of degree ≤ 2 in independent centred variables.

    >>> x, y, s = sp.symbols("x y s")
    >>> gaussian_average((x + 2*y)**2 + x, {x: s, y: 1})
    s + 4
    """
    variables = list(variances)
    poly = sp.Poly(sp.expand(polynomial), *variables)
    total = sp.Integer(0)
    for powers, coefficient in poly.terms():
        if sum(powers) > 2:
            raise ValueError("the average of a polynomial of degree above 2 is not covered")
        if sum(powers) == 0:
            total += coefficient
        elif 2 in powers:
            total += coefficient * variances[variables[powers.index(2)]]
    return total


@dataclass(frozen=True)
class OnMatrices:
    """The claim holds on random rational matrices, exactly.

    ``sizes`` gives a number to each symbolic dimension; other scalars are drawn too.
    ``definitions`` maps the name of a matrix to the expression that it abbreviates.
    ``averaged`` maps names of random matrices on the left side to the variance of their
    entries: those are averaged over.
    A claimed `Minimiser` must make the gradient of the (convex) function vanish.
    """

    sizes: Mapping[sp.Symbol, int]
    definitions: Mapping[str, sp.MatrixExpr] = field(default_factory=dict)
    averaged: Mapping[str, sp.Expr] = field(default_factory=dict)
    seeds: Sequence[int] = (0, 1, 2)

    def __call__(self, claim: Relation) -> Verdict:
        for seed in self.seeds:
            residual = self._residual(claim, random.Random(seed))
            if any(sp.simplify(entry) != 0 for entry in residual):
                return passes_if(False, f"the sides differ on the matrices of seed {seed}")
        return passes_if(True, f"exact on {len(self.seeds)} draws of random rational matrices")

    def _residual(self, claim: Relation, generator: random.Random) -> list[sp.Expr]:
        everything = [claim.lhs, claim.rhs, *self.definitions.values()]
        variable = claim.args[2].name if isinstance(claim, Minimiser) else None
        matrices: dict[str, Any] = {}
        variances: dict[sp.Symbol, sp.Expr] = {}
        scalars = self._scalars(everything, generator)
        for symbol in sorted(_atoms(everything, sp.MatrixSymbol), key=lambda s: s.name):
            rows, columns = (int(sp.sympify(n).subs(self.sizes)) for n in symbol.shape)
            if symbol.name in self.averaged or symbol.name == variable:
                entries = sp.Matrix(rows, columns, lambda i, j: sp.Dummy(f"e{i}{j}"))
                matrices[symbol.name] = entries
                if symbol.name in self.averaged:
                    variance = self.averaged[symbol.name].subs(scalars)
                    variances |= dict.fromkeys(entries, variance)
            elif symbol.name not in self.definitions:
                matrices[symbol.name] = draw(rows, columns, generator)
        for name, definition in self.definitions.items():
            matrices[name] = explicit(definition, matrices, scalars)
        x, y = (explicit(side, matrices, scalars) for side in claim.args[:2])
        if variable:
            unknowns = list(matrices[variable])
            return [
                sp.diff(_number(y), unknown).subs(dict(zip(unknowns, x))) for unknown in unknowns
            ]
        if variances:
            return [gaussian_average(_number(x), variances) - _number(y)]
        return list(x - y) if isinstance(x, sp.MatrixBase) else [x - y]

    def _scalars(self, expressions: list[Any], generator: random.Random) -> dict[Any, Any]:
        """Values of the dimensions, and positive rationals for all other scalars."""
        scalars: dict[Any, Any] = dict(self.sizes)
        known = {symbol for symbol in self.sizes}
        averaged = [sp.sympify(variance) for variance in self.averaged.values()]
        for symbol in sorted(_atoms([*expressions, *averaged], sp.Symbol) - known, key=str):
            scalars[symbol] = sp.Rational(generator.randint(1, 9), generator.randint(1, 5))
        return scalars


def _atoms(expressions: list[Any], kind: type) -> set[Any]:
    return set().union(*(expression.atoms(kind) for expression in expressions))


def _number(value: Any) -> sp.Expr:
    return value[0] if isinstance(value, sp.MatrixBase) else value
