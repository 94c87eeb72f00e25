r"""The Dyson equation of a pencil: G = (F − Σ(G))^{-1}, block by block.

Q = F + 𝒳 with F deterministic and 𝒳 linear in independent Gaussian matrices. To leading order in
the dimensions E Q^{-1} = G with

    G = (F − Σ)^{-1},     Σ_il = Σ_{jk} E[ 𝒳_ij G_jk 𝒳_kl ].

For an m×n matrix X with entries of variance v, E[X B Xᵀ] = v Tr(B) 1, and E[X B X] = v Bᵀ is
smaller by one power of the dimension; for a symmetric Gaussian W, E[W B W] = v Tr(B) 1 + v Bᵀ
likewise. So each term L X R at (i,j) and L'XᵀR' at (k,l) contribute to Σ_il

    L R' · u,          u = v Tr( R G_jk L' ),                                            (unknown)

and the deterministic factors stay inside the trace in their order. Taking the trace of the
blocks of (F − Σ)^{-1} closes the system: one equation per unknown u, each with the trace it
stands for.

A Haar matrix O, E |O_ij|² = 1/n, has besides its pairings the free cumulants (−1)^{k−1} C_{k−1} of
alternating words (O Oᵀ)^k, C the Catalan numbers. With the matrices of traces U_ab between a term
a with O and a term b with Oᵀ, V_ba between b and a, their coefficients c, and W = cVcU, they are

    Σ_ab ∝ (U Φ)_ab,     Σ_ba ∝ (Φ c V c)_ba,     Φ = Σ_k (−1)^k C_k W^k = 1 − W Φ²,     (rotation)

one weight Φ_bb' more for each pair of terms with Oᵀ, closed by polynomial equations.

Only blocks that can be non-zero are kept: the support of G is the least one that contains the
support of F^{-1} and is closed under G ↦ (F − Σ(G))^{-1}; this selects the solution that is a
power series in the variances, the one that decays as 1/z. Since it is block triangular where the
expression has several resolvents, unknowns that belong to one resolvent decouple from the
two-point ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from ..errors import OutsideTheoryError
from .declarations import Internal, free_stem
from .deterministic import Algebra, Element, Matrix, invert
from .entries import Entry, Word
from .pencil import Pencil, free_scalars

Support = set[tuple[int, int]]


@dataclass(frozen=True)
class Unknown:
    """u = ``variance``·Tr( R G_jk L ): the trace that pairs ``matrix`` with its transpose."""

    symbol: sp.Symbol
    matrix: str
    variance: sp.Expr
    block: tuple[int, int]
    right: Word
    left: Word


@dataclass(frozen=True)
class Pairing:
    """One contribution coefficient·L·u·R at block (i, l) of the self-energy."""

    position: tuple[int, int]
    coefficient: sp.Expr
    left: Word
    unknown: Unknown
    right: Word
    strength: sp.Expr | None = None

    @property
    def factor(self) -> sp.Expr:
        """u, or for rotations the sum over all alternating cumulants that begin and end here."""
        return self.unknown.symbol if self.strength is None else self.strength


@dataclass(frozen=True)
class SelfEnergy:
    """The unknowns, the pairings that they enter, and the equations of the weights Φ."""

    unknowns: list[Unknown]
    pairings: list[Pairing]
    weights: dict[sp.Symbol, sp.Expr] = field(default_factory=dict)

    def symbols(self, merged: Mapping[sp.Symbol, sp.Expr]) -> list[sp.Symbol]:
        """All unknowns that are not merged."""
        every = [*(u.symbol for u in self.unknowns), *self.weights]
        return [symbol for symbol in every if symbol not in merged]


def _random_terms(pencil: Pencil) -> Iterator[tuple[int, int, Any, sp.Expr]]:
    for i, j in sorted(pencil.q):
        terms = sorted(pencil.q[i, j].items(), key=lambda item: str(item[0]))
        for term, coefficient in terms:
            if term[1] is not None:
                yield i, j, term, coefficient


def fixed_part(item: Entry) -> Entry:
    """The deterministic terms of an entry."""
    return {term: c for term, c in item.items() if term[1] is None}


def _matching(pattern: Support, size: int) -> list[int] | None:
    """A row for every column such that all (row, column) are in the pattern, or None."""
    owner: dict[int, int] = {}

    def assign(row: int, seen: set[int]) -> bool:
        for column in [row, *range(size)]:
            if (row, column) in pattern and column not in seen:
                seen.add(column)
                if column not in owner or assign(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    for row in range(size):
        if not assign(row, set()):
            return None
    return [owner[column] for column in range(size)]


def _inverse_pattern(pattern: Support, size: int) -> Support | None:
    """Where the inverse of a generic matrix with this pattern can be non-zero."""
    match = _matching(pattern, size)
    if match is None:
        return None
    # permuted to a non-zero diagonal: column j is solved by row match[j]
    column_of = {row: column for column, row in enumerate(match)}
    edges: dict[int, set[int]] = {}
    for row, column in pattern:
        edges.setdefault(column_of[row], set()).add(column)
    result: Support = set()
    for start in range(size):
        seen, stack = {start}, [start]
        while stack:
            for nxt in edges.get(stack.pop(), set()) - seen:
                seen.add(nxt)
                stack.append(nxt)
        result |= {(start, match[column]) for column in seen}
    return result


class NoExpansionError(OutsideTheoryError):
    """An inverse without a deterministic part that could be inverted."""


def self_energy(pencil: Pencil) -> tuple[SelfEnergy, Support]:
    """The self-energy on the least closed support of G, and that support; remembered."""
    if "energy" not in pencil.memory:
        pencil.memory["energy"] = _self_energy(pencil)
    return pencil.memory["energy"]  # type: ignore[no-any-return]


def _self_energy(pencil: Pencil) -> tuple[SelfEnergy, Support]:
    fixed = {key for key, item in pencil.q.items() if fixed_part(item)}
    support = _inverse_pattern(fixed, pencil.size)
    if support is None:
        raise NoExpansionError(
            "an inverse in the expression has no invertible deterministic part, so that it has no "
            "expansion to start from (X Xᵀ alone is singular for few columns): add a multiple of "
            "the identity, z*I, inside it"
        )
    while True:
        energy = _contract(pencil, support)
        pattern = fixed | {pairing.position for pairing in energy.pairings}
        larger = (_inverse_pattern(pattern, pencil.size) or set()) | support
        if larger == support:
            return energy, support
        support = larger


def _contract(pencil: Pencil, support: Support) -> SelfEnergy:
    unknowns: dict[Any, Unknown] = {}
    pairings: list[Pairing] = []
    stem = free_stem(("u", "v", "y"), {s.name for s in free_scalars(pencil) | _counts(pencil)})
    terms = list(_random_terms(pencil))
    for i, j, (left, letter, right), first in terms:
        record = pencil.model.random[letter.name]
        for k, m, (left2, letter2, right2), second in terms:
            paired = letter.name == letter2.name and (
                record.symmetric or letter.transposed != letter2.transposed
            )
            if not paired or (j, k) not in support:
                continue
            key = (letter.name, j, k, right, left2)
            if key not in unknowns:
                symbol = Internal(f"{stem}_{len(unknowns) + 1}")
                unknowns[key] = Unknown(symbol, letter.name, record.variance, (j, k), right, left2)
            if not record.rotation:
                pairings.append(Pairing((i, m), first * second, left, unknowns[key], right2))
    weights: dict[sp.Symbol, sp.Expr] = {}
    for name in sorted({t[2][1].name for t in terms if pencil.model.random[t[2][1].name].rotation}):
        own = [t for t in terms if t[2][1].name == name]
        found, more = rotation_pairings(own, unknowns, stem, len(unknowns) + len(weights))
        pairings += found
        weights |= more
    return SelfEnergy(list(unknowns.values()), pairings, weights)


def rotation_pairings(
    terms: list[Any], unknowns: Mapping[Any, Unknown], stem: str, count: int
) -> tuple[list[Pairing], dict[sp.Symbol, sp.Expr]]:
    """The contributions of one Haar matrix, and the equations of its weights Φ."""
    plain = [t for t in terms if not t[2][1].transposed]
    turned = [t for t in terms if t[2][1].transposed]

    def between(first: Any, second: Any) -> Unknown | None:
        (_, j, (_, letter, right), _), (k, _, (left, _, _), _) = first, second
        return unknowns.get((letter.name, j, k, right, left))

    def matrix(rows: list[Any], columns: list[Any]) -> sp.Matrix:
        found = [[between(r, c) for c in columns] for r in rows]
        return sp.Matrix([[u.symbol if u else 0 for u in row] for row in found])

    if not plain or not turned:
        return [], {}
    u, v = matrix(plain, turned), matrix(turned, plain)
    v = sp.diag(*(t[3] for t in turned)) * v * sp.diag(*(t[3] for t in plain))
    w = v * u
    reach = _reachable(w)
    size = len(turned)
    phi = sp.zeros(size, size)
    for b in range(size):
        for c in range(size):
            if reach[b][c]:
                phi[b, c] = Internal(f"{stem}_{count + 1}")
                count += 1
    closed = sp.eye(size) - w * phi * phi
    weights = {phi[b, c]: sp.expand(closed[b, c]) for b, c in _positions(phi)}
    forward, backward = u * phi, phi * v
    pairings = []
    for a, first in enumerate(plain):
        for b, second in enumerate(turned):
            for one, other, factor, coefficient in (
                (first, second, forward[a, b], first[3] * second[3]),
                (second, first, backward[b, a], sp.S.One),
            ):
                if factor != 0:
                    position, named = (one[0], other[1]), next(iter(unknowns.values()))
                    named = between(one, other) or named
                    left, right = one[2][0], other[2][2]
                    pairings.append(Pairing(position, coefficient, left, named, right, factor))
    return pairings, weights


def _positions(matrix: sp.Matrix) -> list[tuple[int, int]]:
    rows, columns = matrix.shape
    return [(i, j) for i in range(rows) for j in range(columns) if matrix[i, j] != 0]


def _reachable(matrix: sp.Matrix) -> list[list[bool]]:
    """Which entries of the powers of a matrix, the identity among them, can be non-zero."""
    size = matrix.shape[0]
    reach = [[i == j or matrix[i, j] != 0 for j in range(size)] for i in range(size)]
    for k in range(size):
        for i in range(size):
            for j in range(size):
                reach[i][j] = reach[i][j] or (reach[i][k] and reach[k][j])
    return reach


@dataclass(frozen=True)
class Traced:
    """prefactor·Tr(element) on a space of the given dimension."""

    prefactor: sp.Expr
    element: Element
    dimension: sp.Expr


class DysonSystem:
    """The closed equations u = v Tr(R G_jk(u) L) and the outputs in terms of G(u).

    ``merged`` maps unknowns to the one that they equal, or to zero.
    """

    def __init__(
        self,
        pencil: Pencil,
        energy: SelfEnergy,
        support: Support,
        merged: dict[sp.Symbol, sp.Expr],
    ) -> None:
        self.pencil, self.energy, self.support, self.merged = pencil, energy, support, merged
        kept = energy.symbols(merged)
        self.kept = kept
        self.algebra = Algebra(pencil.model, [*free_scalars(pencil), *kept, *_counts(pencil)])
        self.matrix = self._matrix()
        self.blocks = self._green()

    def element(self, item: Entry) -> Element:
        """A deterministic entry of the pencil in the algebra."""
        algebra = self.algebra
        total = algebra.constant(algebra.zero)
        for (left, _, _), coefficient in sorted(item.items(), key=lambda pair: str(pair[0])):
            total = total + algebra.word(left).scaled(algebra.scalar(coefficient))
        return total

    def _matrix(self) -> Matrix:
        """F − Σ."""
        algebra = self.algebra
        matrix: Matrix = {}
        for key, item in sorted(self.pencil.q.items()):
            if fixed := fixed_part(item):
                matrix[key] = self.element(fixed)
        zero = algebra.constant(algebra.zero)
        for pairing in self.energy.pairings:
            symbol = pairing.factor.xreplace(self.merged)
            if symbol == 0:
                continue
            factor = algebra.scalar(-pairing.coefficient * symbol)
            term = (algebra.word(pairing.left) * algebra.word(pairing.right)).scaled(factor)
            matrix[pairing.position] = matrix.get(pairing.position, zero) + term
        return {key: element for key, element in matrix.items() if element}

    def _green(self) -> Matrix:
        """G = (F − Σ)^{-1}: strongly connected groups of blocks first, then between them."""
        groups = components(range(self.pencil.size), self.matrix)
        unknowns = frozenset(self.algebra.field.position[u] for u in self.kept)
        green: Matrix = {}
        for group in groups:
            try:
                green.update(invert(self.matrix, sorted(group), self.algebra, unknowns))
            except ZeroDivisionError as problem:
                raise OutsideTheoryError(
                    "an inverse in the expression is singular: its self-consistent block resolvent "
                    "does not exist; add a multiple of the identity inside it"
                ) from problem
        for later in range(len(groups)):
            for earlier in range(later - 1, -1, -1):
                self._between(green, groups, earlier, later)
        return green

    def _between(self, green: Matrix, groups: list[list[int]], earlier: int, later: int) -> None:
        """G_{s,t} = −G_{s,s} Σ_{s<r≤t} A_{s,r} G_{r,t} for upper block triangular A."""
        middle: Matrix = {}
        zero = self.algebra.constant(self.algebra.zero)
        for group in groups[earlier + 1 : later + 1]:
            for i in groups[earlier]:
                for r in group:
                    if (i, r) not in self.matrix:
                        continue
                    for k in groups[later]:
                        if (r, k) in green:
                            product = self.matrix[i, r] * green[r, k]
                            middle[i, k] = middle.get((i, k), zero) + product
        for i in groups[earlier]:
            for k in groups[later]:
                total = zero
                for r in groups[earlier]:
                    if (i, r) in green and (r, k) in middle:
                        total = total - green[i, r] * middle[r, k]
                if total:
                    green[i, k] = total

    def traced(self, unknown: Unknown) -> Traced:
        """The right-hand side of the equation of an unknown."""
        algebra = self.algebra
        j, k = unknown.block
        block = self.blocks.get((j, k), algebra.constant(algebra.zero))
        element = algebra.word(unknown.right) * block * algebra.word(unknown.left)
        record = self.pencil.model.random[unknown.matrix].symbol
        space = self.pencil.spaces[j] if not unknown.right else None
        dimension = space if space is not None else self._dimension(unknown, record)
        return Traced(unknown.variance, element, dimension)

    def _dimension(self, unknown: Unknown, record: sp.MatrixSymbol) -> sp.Expr:
        """The dimension between X and Xᵀ, which is that of the rows of R."""
        first = unknown.right[0]
        symbol = self.pencil.model.fixed[first.name].symbol if hasattr(first, "name") else None
        if symbol is None:
            return self.pencil.spaces[unknown.block[0]]
        return symbol.cols if first.transposed else symbol.rows

    def outputs(self) -> list[list[Traced]]:
        """For every output of the pencil the traces whose sum it is."""
        result = []
        for output in self.pencil.outputs:
            total = self.element(output.d)
            for i, left in sorted(output.c.items()):
                for j, right in sorted(output.b.items()):
                    if (i, j) in self.blocks:
                        total = total + self.element(left) * self.blocks[i, j] * self.element(right)
            result.append([Traced(output.weight, total, output.space)])
        return result


def _counts(pencil: Pencil) -> set[sp.Symbol]:
    """The dimensions that are symbols."""
    found: set[sp.Symbol] = set()
    for space in (*pencil.spaces, *pencil.model.dimensions()):
        found |= sp.sympify(space).free_symbols
    return found


def components(nodes: Iterable[int], edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Strongly connected groups, in an order in which every edge goes forward (Tarjan)."""
    targets: dict[int, list[int]] = {}
    for i, j in sorted(edges):
        targets.setdefault(i, []).append(j)
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    found: list[list[int]] = []

    def visit(node: int) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in targets.get(node, []):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = []
            while True:
                group.append(stack.pop())
                if group[-1] == node:
                    break
            found.append(sorted(group))

    for node in sorted(nodes):
        if node not in index:
            visit(node)
    return found[::-1]
