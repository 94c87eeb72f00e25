r"""Tr f(Λ) and Tr f(Λ) Γ g(Λ)…: the deterministic traces that equations are written in.

``SpectralTrace(M, f)`` is the plain trace Σ_J f(λ_J) over a space of dimension M, f being written in
eigenvalue letters; ``SpectralTrace(M, f, g, …)`` is the trace of a product of functions of matrices
that do not commute, in this order, brought to one of its cyclic rotations (and transposes).

    D_q(κ) = Tr (Λ/(Λ+κ))^q            prints as D_q(κ)
    h_q(κ) = Tr W Λ (Λ+κ)^{-q}         for W commuting with Λ, prints as h_q(κ)

It differentiates with respect to every symbol but the letters, and `trace_value` evaluates
it on eigenvalues or matrices, for arrays of the other symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ..errors import InputError
from .declarations import Eigenvalue


class SpectralTrace(sp.Function):
    r"""The plain trace of a product of functions of deterministic matrices.

    >>> M, kappa = sp.symbols("M kappa", positive=True)
    >>> L = Eigenvalue("lambda")
    >>> D1 = SpectralTrace(M, L / (L + kappa))
    >>> D1
    D_1(kappa)
    >>> D1.diff(kappa)
    Tr[-lambda/(kappa + lambda)**2]
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
            slope = sp.factor(factor.diff(symbol))
            if slope != 0:
                changed = (*self.factors[:i], slope, *self.factors[i + 1 :])
                total += SpectralTrace(self.dimension, *changed)
        return total

    def _eval_is_real(self) -> bool | None:
        return None

    def _eval_rewrite_as_Sum(self, *args: Any, **_: Any) -> sp.Expr:
        if len(self.factors) > 1:
            return self
        index = sp.Symbol("J", integer=True, positive=True)
        named = {x: sp.Function(x.name, positive=True)(index) for x in self.letters}
        return sp.Sum(self.factors[0].xreplace(named), (index, 1, self.dimension))

    def standard(self) -> tuple[str, int, sp.Expr] | None:
        """("D", q, κ) or ("h", q, κ) if the trace is one of the papers' two sums."""
        if len(self.factors) > 1 or not self.letters:
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

    def _is_default(self, kind: str) -> bool:
        names = [letter.name for letter in self.letters]
        return "lambda" in names and len(names) == (1 if kind == "D" else 2)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        special = self.standard()
        power = f"^{{{exp}}}" if exp else ""
        if special and self._is_default(special[0]):
            kind, order, kappa = special
            return rf"{kind}_{{{order}}}{power}\left({printer._print(kappa)}\right)"
        body = r" \cdot ".join(printer._print(f) for f in self.factors)
        text = rf"\operatorname{{Tr}}\left[{body}\right]"
        return rf"\left({text}\right){power}" if exp else text


def spectral_trace(dimension: sp.Expr, factors: list[sp.Expr]) -> sp.Expr:
    """The canonical trace of a product: the first of its rotations and reversals.

    Reversal is allowed because every factor is a symmetric matrix, so that the trace of the
    reversed product is the trace of the transpose.
    """
    kept = [factor for factor in factors if factor != 1]
    if not kept:
        return dimension
    options = []
    for sequence in (kept, kept[::-1]):
        for start in range(len(sequence)):
            options.append(tuple(sequence[start:] + sequence[:start]))
    best = min(options, key=lambda option: [sp.default_sort_key(f) for f in option])
    return SpectralTrace(dimension, *best)


def trace_value(
    atom: SpectralTrace, values: Mapping[sp.Symbol, Any], matrices: Mapping[sp.Symbol, Any]
) -> Any:
    """The trace for numpy (or mpmath) values of its symbols.

    ``matrices`` maps eigenvalue letters to a vector (diagonal matrices in one basis) or
    to a square array; the shape of the result is that of the broadcast values.
    """
    given = {}
    for letter in atom.letters:
        if letter not in matrices:
            raise InputError("matrices", sorted(map(str, matrices)), f"a value of {letter}")
        given[letter] = matrices[letter]
    symbols = sorted(atom.free_symbols - set(sp.sympify(atom.dimension).free_symbols), key=str)
    inside = set().union(*(f.free_symbols for f in atom.factors))
    symbols = [s for s in symbols if s in inside]
    exact = any(isinstance(values[s], (mpmath.mpf, mpmath.mpc)) for s in symbols) or any(
        isinstance(matrix, list) for matrix in given.values()
    )
    if exact:
        return _exact_value(atom, values, given)
    if all(np.ndim(matrix) == 1 for matrix in given.values()):
        product = sp.Mul(*atom.factors)
        return _diagonal_sum(product, given, symbols, values)
    return _matrix_value(atom, given, symbols, values)


def _diagonal_sum(
    function: sp.Expr, given: Mapping[Any, Any], symbols: list[Any], values: Mapping[Any, Any]
) -> Any:
    evaluate = sp.lambdify([*given, *symbols], function, "numpy", cse=True)
    columns = [np.asarray(values[s])[..., None] for s in symbols]
    return np.sum(evaluate(*(np.asarray(m) for m in given.values()), *columns) + 0 * sum(
        columns, np.zeros(1)
    ) + np.zeros(len(next(iter(given.values())))), axis=-1)


def _matrix_value(
    atom: SpectralTrace, given: Mapping[Any, Any], symbols: list[Any], values: Mapping[Any, Any]
) -> Any:
    """Non-commuting matrices: every factor in the eigenbasis of its own first letter."""
    dense = {x: np.diag(m) if np.ndim(m) == 1 else np.asarray(m) for x, m in given.items()}
    bases: dict[Any, tuple[np.ndarray, dict[Any, np.ndarray]]] = {}
    for factor in atom.factors:
        letters = [x for x in atom.letters if factor.has(x)]
        if letters[0] not in bases:
            vectors = np.linalg.eigh(dense[letters[0]])[1]
            rotated = {x: np.diag(vectors.T @ dense[x] @ vectors) for x in letters}
            bases[letters[0]] = (vectors, rotated)
        else:
            vectors, rotated = bases[letters[0]]
            rotated.update({x: np.diag(vectors.T @ dense[x] @ vectors) for x in letters})
    shape = np.broadcast_shapes(*(np.shape(values[s]) for s in symbols))
    flat = [np.broadcast_to(values[s], shape).ravel() for s in symbols]
    evaluators = []
    for factor in atom.factors:
        letters = [x for x in atom.letters if factor.has(x)]
        vectors, rotated = bases[letters[0]]
        function = sp.lambdify([*letters, *symbols], factor, "numpy")
        evaluators.append((vectors, [rotated[x] for x in letters], function))
    results = []
    for point in zip(*flat) if flat else [()]:
        product: Any = None
        for vectors, diagonals, function in evaluators:
            matrix = (vectors * (function(*diagonals, *point) + 0 * diagonals[0])) @ vectors.T
            product = matrix if product is None else product @ matrix
        results.append(np.trace(product))
    return np.asarray(results).reshape(shape)[()]


def _exact_value(atom: SpectralTrace, values: Mapping[Any, Any], given: Mapping[Any, Any]) -> Any:
    """The same with mpmath numbers; matrices are vectors (lists) or mpmath matrices."""
    inside = set().union(*(f.free_symbols for f in atom.factors))
    symbols = [s for s in values if s in inside]
    numbers = [values[s] for s in symbols]
    if all(not isinstance(m, mpmath.matrix) and np.ndim(m) <= 1 for m in given.values()):
        function = sp.lambdify([*given, *symbols], sp.Mul(*atom.factors), "mpmath")
        modes = zip(*([mpmath.mpmathify(x) for x in m] for m in given.values()))
        return mpmath.fsum(function(*mode, *numbers) for mode in modes)
    dense = {
        x: m if isinstance(m, mpmath.matrix) else mpmath.matrix(np.asarray(m).tolist())
        for x, m in given.items()
    }
    product: Any = None
    for factor in atom.factors:
        matrix = _matrix_function(factor, dense, dict(zip(symbols, numbers)))
        product = matrix if product is None else product * matrix
    return mpmath.fsum(product[i, i] for i in range(product.rows))


def _matrix_function(factor: sp.Expr, dense: Mapping[Any, Any], numbers: Mapping[Any, Any]) -> Any:
    """A rational function of commuting matrices, by matrix arithmetic."""
    size = next(iter(dense.values())).rows
    numerator, denominator = sp.fraction(sp.together(factor))

    def polynomial(expression: sp.Expr) -> Any:
        letters = [x for x in dense if expression.has(x)]
        if not letters:
            value = sp.lambdify(list(numbers), expression, "mpmath")(*numbers.values())
            return mpmath.eye(size) * value
        total = mpmath.zeros(size)
        for powers, coefficient in sp.Poly(expression, *letters).terms():
            scalar = sp.lambdify(list(numbers), coefficient, "mpmath")(*numbers.values())
            term = mpmath.eye(size) * scalar
            for letter, power in zip(letters, powers):
                term = term * dense[letter] ** power
            total = total + term
        return total

    return polynomial(numerator) * polynomial(denominator) ** -1
