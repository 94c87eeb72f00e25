"""Numbers for traces that hold inverses of sums of matrices that do not commute.

Every factor is made a matrix in the common basis of the given arrays, the sums are inverted, and
the product is traced: with numpy point by point, with mpmath at the current precision. Matrices of
a rectangular A act on either side through its full singular vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import mpmath
import numpy as np
import sympy as sp

from .declarations import Eigenvalue
from .spectral_trace import SpectralTrace
from .sum_inverse import SumInverse

MEMORY = 60  # matrices kept


class Space(NamedTuple):
    """How letters act on one space: eigenvalues (padded) and eigenvectors (None: the identity)."""

    size: int
    eigenvalues: Callable[[sp.Symbol], Any]
    vectors: Callable[[sp.Symbol], Any]
    memory: dict[Any, Any] | None = None  # matrices that several traces share


class Backend(NamedTuple):
    """The matrix operations of numpy or mpmath."""

    module: str
    unit: Callable[[int], Any]
    diagonal: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    trace: Callable[[Any], Any]


NUMPY = Backend("numpy", np.eye, np.diag, np.linalg.inv, np.trace)
MPMATH = Backend(
    "mpmath",
    mpmath.eye,
    mpmath.diag,
    lambda matrix: matrix**-1,
    lambda matrix: mpmath.fsum(matrix[i, i] for i in range(matrix.rows)),
)


class CompiledWord:
    """One trace of a word of matrices, compiled for numbers of one kind."""

    def __init__(self, atom: SpectralTrace, backend: Backend) -> None:
        self.atom, self.backend = atom, backend
        self.symbols = sorted(atom.free_symbols - {atom.dimension}, key=sp.default_sort_key)
        self.functions: dict[sp.Expr, tuple[list[sp.Symbol], Any]] = {}
        self.inside: dict[sp.Expr, list[sp.Symbol]] = {}
        for factor in atom.factors:
            self._compile(factor)

    def _compile(self, expression: sp.Expr) -> None:
        self.inside[expression] = [s for s in self.symbols if expression.has(s)]
        if isinstance(expression, SumInverse):
            for coefficient, factors in expression.terms:
                for part in (coefficient, *factors):
                    self._compile(part)
        elif expression not in self.functions:
            letters = sorted(expression.atoms(Eigenvalue), key=lambda s: str(s.name))
            symbols = self.inside[expression]
            arguments = [*letters, *symbols]
            body = sp.lambdify(arguments, expression, self.backend.module, dummify=True)
            self.functions[expression] = (letters, (symbols, body))

    def __call__(self, space: Space, numbers: Mapping[sp.Symbol, Any]) -> Any:
        memory = {} if space.memory is None else space.memory
        if len(memory) > MEMORY:
            memory.clear()

        def value(expression: sp.Expr) -> Any:
            inside = tuple(numbers[s] for s in self.inside[expression])
            key = (self.atom.dimension, expression, inside)
            if key not in memory:
                memory[key] = self._value(expression, space, numbers, value)
            return memory[key]

        product: Any = None
        for factor in self.atom.factors:
            matrix = value(factor)
            product = matrix if product is None else product @ matrix
        return self.backend.trace(product)

    def _value(
        self, expression: sp.Expr, space: Space, numbers: Mapping[sp.Symbol, Any], value: Any
    ) -> Any:
        backend = self.backend
        if isinstance(expression, SumInverse):
            return expression.matrix(value, backend.unit(space.size), backend.inverse)
        letters, (symbols, body) = self.functions[expression]
        inside = [numbers[s] for s in symbols]
        if not letters:
            return body(*inside)
        columns = [space.eigenvalues(x) for x in letters]
        diagonal = backend.diagonal([body(*modes, *inside) for modes in zip(*columns, strict=True)])
        vectors = space.vectors(letters[0])
        return diagonal if vectors is None else vectors @ diagonal @ vectors.T


def over_points(word: CompiledWord, space: Space, values: Mapping[sp.Symbol, Any]) -> Any:
    """The trace at every point of arrays of the symbols."""
    columns = {s: np.asarray(values[s]) for s in word.symbols}
    shape = np.broadcast_shapes(*(c.shape for c in columns.values()))
    flat = {s: np.broadcast_to(c, shape).ravel() for s, c in columns.items()}
    count = int(np.prod(shape, dtype=int))
    found = np.empty(count, complex)
    for p in range(count):
        try:
            found[p] = word(space, {s: c[p] for s, c in flat.items()})
        except np.linalg.LinAlgError:  # a singular sum: no number at this point
            found[p] = np.nan
    real = not any(np.iscomplexobj(c) for c in columns.values())
    return (found.real if real else found).reshape(shape)[()]
