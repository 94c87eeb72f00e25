r"""A rational matrix expression as c·Q^{-1}·b + d with Q linear in the random matrices.

**Realisation.** Every sub-expression is held as E = d + c Q^{-1} b with block matrices whose
entries are sums of terms s·L X R: a scalar s, deterministic words L and R, and at most one
random matrix X or Xᵀ. The rules are those of descriptor systems:

* sum:      Q = diag(Q₁, Q₂),                c = (c₁, c₂),      b = (b₁; b₂),     d = d₁ + d₂;
* product:  Q = [[Q₁, −b₁c₂], [0, Q₂]],      c = (c₁, d₁c₂),    b = (b₁d₂; b₂),   d = d₁d₂,
            after making E₂'s output a state where a product of entries would not be linear;
* inverse:  Q = [[Q, b], [−c, d]], c = (0, 1), b = (0; 1), d = 0: the Schur complement of the
            upper block is d + cQ^{-1}b.

**Minimisation** repeats four moves until none applies; each keeps c Q^{-1} b + d: drop a block
that the input b cannot reach or the output c cannot observe; merge blocks that obey the same
equations (x_i = x_j, the coarsest lumping of Qx = b), and the same for the transposed pencil;
eliminate a block whose diagonal is a scalar, wherever the Schur complement stays linear.

A pencil may have several outputs, one for every trace in the expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp
from sympy import MatrixExpr

from .declarations import MatrixModel
from .entries import (
    Entry,
    FixedInverse,
    add,
    entry,
    entry_expression,
    entry_value,
    is_fixed,
    multiply,
    scale,
)
from .expression import evaluate


class NotLinearError(Exception):
    """A product of two random entries."""


def _times(left: Entry, right: Entry) -> Entry:
    product = multiply(left, right)
    if product is None:
        raise NotLinearError
    return product


@dataclass
class Realisation:
    """d + c Q^{-1} b: blocks Q[i, j], row c[i], column b[i]; ``spaces[i]`` is a dimension."""

    rows: sp.Expr
    columns: sp.Expr
    d: Entry = field(default_factory=dict)
    spaces: list[sp.Expr] = field(default_factory=list)
    q: dict[tuple[int, int], Entry] = field(default_factory=dict)
    c: dict[int, Entry] = field(default_factory=dict)
    b: dict[int, Entry] = field(default_factory=dict)

    def shifted(self, by: int) -> Realisation:
        """The same with block numbers raised by ``by``."""
        return Realisation(
            self.rows,
            self.columns,
            self.d,
            self.spaces,
            {(i + by, j + by): e for (i, j), e in self.q.items()},
            {i + by: e for i, e in self.c.items()},
            {i + by: e for i, e in self.b.items()},
        )

    def plus(self, other: Realisation) -> Realisation:
        """The sum E₁ + E₂."""
        right = other.shifted(len(self.spaces))
        return Realisation(
            self.rows,
            self.columns,
            add(self.d, right.d),
            self.spaces + right.spaces,
            {**self.q, **right.q},
            {**self.c, **right.c},
            {**self.b, **right.b},
        )

    def times(self, other: Realisation) -> Realisation:
        """The product E₁E₂; the output of E₂ becomes a block where linearity asks for it."""
        try:
            return self._cascade(other)
        except NotLinearError:
            return self._cascade(other.with_output_block())

    def _cascade(self, other: Realisation) -> Realisation:
        right = other.shifted(len(self.spaces))
        q = {**self.q, **right.q}
        for i, left in self.b.items():
            for j, item in right.c.items():
                q[i, j] = scale(_times(left, item), sp.S.NegativeOne)
        c = {**self.c, **{j: _times(self.d, item) for j, item in right.c.items()}}
        b = {**{i: _times(item, right.d) for i, item in self.b.items()}, **right.b}
        spaces = self.spaces + right.spaces
        d = _times(self.d, right.d)
        return Realisation(self.rows, other.columns, d, spaces, _tidy(q), _tidy(c), _tidy(b))

    def inverse(self) -> Realisation:
        """E^{-1}, as the lower right block of the inverse of [[Q, b], [−c, d]]."""
        last = len(self.spaces)
        q = dict(self.q)
        q.update({(i, last): item for i, item in self.b.items()})
        q.update({(last, i): scale(item, sp.S.NegativeOne) for i, item in self.c.items()})
        q[last, last] = self.d
        unit = {last: entry()}
        return Realisation(
            self.rows, self.rows, {}, [*self.spaces, self.rows], _tidy(q), unit, unit
        )

    def with_output_block(self) -> Realisation:
        """The same with one more block y = d u + c x, which is the output."""
        last = len(self.spaces)
        q = {**self.q, (last, last): entry()}
        q.update({(last, i): scale(item, sp.S.NegativeOne) for i, item in self.c.items()})
        b = _tidy({**self.b, last: self.d})
        spaces = [*self.spaces, self.rows]
        return Realisation(self.rows, self.columns, {}, spaces, q, {last: entry()}, b)

    def with_input_block(self) -> Realisation:
        """The same with one more block u, which is the input."""
        last = len(self.spaces)
        q = {**self.q, (last, last): entry()}
        q.update({(i, last): scale(item, sp.S.NegativeOne) for i, item in self.b.items()})
        c = _tidy({**self.c, last: self.d})
        spaces = [*self.spaces, self.columns]
        return Realisation(self.rows, self.columns, {}, spaces, q, c, {last: entry()})

    def purified(self) -> Realisation:
        """The same with c, b and d deterministic, so that only Q^{-1} is random."""
        result = self
        fixed = is_fixed(result.d) and all(map(is_fixed, result.c.values()))
        if not fixed:
            result = result.with_output_block()
        if not all(map(is_fixed, result.b.values())):
            result = result.with_input_block()
        return result


def _tidy(items: dict[Any, Entry]) -> dict[Any, Entry]:
    return {key: item for key, item in items.items() if item}


@dataclass(frozen=True)
class Output:
    """One trace: ``weight``·Tr(c Q^{-1} b + d) over a space of dimension ``space``."""

    weight: sp.Expr
    expression: MatrixExpr
    space: sp.Expr
    c: dict[int, Entry]
    b: dict[int, Entry]
    d: Entry


@dataclass(frozen=True)
class Pencil:
    """Q linear in the random matrices and the outputs read off Q^{-1}."""

    model: MatrixModel
    spaces: list[sp.Expr]
    q: dict[tuple[int, int], Entry]
    outputs: list[Output]
    memory: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def size(self) -> int:
        """The number of blocks of Q."""
        return len(self.spaces)

    def numeric(
        self, matrices: Mapping[str, np.ndarray], scalars: Mapping[sp.Symbol, complex]
    ) -> tuple[np.ndarray, list[slice]]:
        """Q as a numpy matrix, and the slice of every block."""
        sizes = [round(complex(sp.N(sp.sympify(s).subs(scalars))).real) for s in self.spaces]
        edges = [0, *np.cumsum(sizes)]
        blocks = [slice(int(a), int(b)) for a, b in pairwise(edges)]
        total = np.zeros((edges[-1], edges[-1]), complex)
        for (i, j), item in self.q.items():
            total[blocks[i], blocks[j]] = entry_value(item, sizes[i], matrices, scalars)
        return total, blocks

    def block_matrix(self) -> sp.BlockMatrix:
        """Q as a sympy block matrix."""
        rows = [
            [
                entry_expression(self.q.get((i, j), {}), self.spaces[i], self.spaces[j], self.model)
                for j in range(self.size)
            ]
            for i in range(self.size)
        ]
        return sp.BlockMatrix(rows)

    def check(self, seed: int = 0) -> float:
        """The largest relative difference between c Q^{-1} b + d and the expression.

        Both are evaluated on random numeric matrices of small, different dimensions; the result
        is of the order of rounding if and only if the pencil realises the expression.
        """
        return self.check_matrix(None, seed)

    def check_matrix(self, claimed: MatrixExpr | None, seed: int = 0) -> float:
        """The same with a claimed block matrix in the place of Q."""
        rng = np.random.default_rng(seed)
        matrices, scalars = random_instance(self, rng)
        q, blocks = self.numeric(matrices, scalars)
        if claimed is not None:
            q = evaluate(claimed, matrices, scalars)
        inverse = np.linalg.inv(q)
        worst = 0.0
        for output in self.outputs:
            rows = round(complex(sp.N(sp.sympify(output.space).subs(scalars))).real)
            value = np.zeros((rows, rows), complex) + entry_value(output.d, rows, matrices, scalars)
            for i, left in output.c.items():
                for j, right in output.b.items():
                    block = inverse[blocks[i], blocks[j]]
                    lv = entry_value(left, rows, matrices, scalars)
                    value = value + lv @ block @ entry_value(
                        right, block.shape[1], matrices, scalars
                    )
            expected = evaluate(output.expression, matrices, scalars)
            worst = max(worst, np.abs(value - expected).max() / np.abs(expected).max())
        return float(worst)


def random_instance(
    pencil: Pencil, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[sp.Symbol, complex]]:
    """Random matrices and scalars of small different dimensions, for numeric checks."""
    model = pencil.model
    scalars: dict[sp.Symbol, complex] = {}
    symbols = [d for d in model.dimensions() if isinstance(d, sp.Symbol)]
    for offset, dimension in enumerate(symbols):
        scalars[dimension] = 3 + offset
    for symbol in sorted(free_scalars(pencil) - set(symbols), key=sp.default_sort_key):
        scalars[symbol] = rng.uniform(1, 2)

    def size(dimension: sp.Expr) -> int:
        return int(complex(scalars.get(dimension, dimension)).real)

    matrices = {}
    records: dict[str, Any] = {**model.random, **model.fixed}
    for name, record in sorted(records.items()):
        matrix = rng.standard_normal([size(d) for d in record.symbol.shape])
        if getattr(record, "complex_entries", False):
            matrix = matrix + 1j * rng.standard_normal(matrix.shape)
        matrices[name] = matrix @ np.conj(matrix.T) if record.symmetric else matrix
    _share_eigenvectors(model, matrices, rng)
    return matrices, scalars


def _share_eigenvectors(
    model: MatrixModel, matrices: dict[str, np.ndarray], rng: np.random.Generator
) -> None:
    for name in sorted(model.fixed):
        first = model.family(name)
        if first != name:
            vectors = np.linalg.eigh(matrices[first])[1]
            matrices[name] = (vectors * rng.uniform(0.5, 2, len(vectors))) @ vectors.T


def free_scalars(pencil: Pencil) -> set[sp.Symbol]:
    """All scalar symbols of the pencil: spectral parameters, dimensions, variances."""
    found: set[sp.Symbol] = set()

    def visit(items: Any) -> None:
        for term, coefficient in items:
            found.update(coefficient.free_symbols)
            read((*term[0], *term[2]))

    def read(word: Any) -> None:
        for letter in word:
            if isinstance(letter, FixedInverse):
                for inner, coefficient in letter.terms:
                    found.update(coefficient.free_symbols)
                    read(inner)

    for item in pencil.q.values():
        visit(item.items())
    for output in pencil.outputs:
        found.update(output.weight.free_symbols)
        for item in (*output.c.values(), *output.b.values(), output.d):
            visit(item.items())
    for record in pencil.model.random.values():
        found.update(record.variance.free_symbols)
    return found
