r"""Weingarten functions: averages over Haar matrices and over inverse Wishart matrices, exactly.

A product of entries of a Haar orthogonal matrix O of size n has the average

    E O_{i₁j₁} ⋯ O_{i₂ₖj₂ₖ} = Σ_{π,σ} δ_π(i) δ_σ(j) Wg(π, σ; n),

π and σ running over the pairings of 1 … 2k. As a matrix Wg is the inverse of the Gram matrix
n^{loops(π,σ)}, loops(π, σ) counting the cycles of π ∪ σ; it depends on the lengths of these
cycles only, a partition of k. For unitary matrices the pairings join U to Ū and are permutations
of k, loops are their cycles.

The same function at a negative argument gives the inverse Wishart matrix. With X of m×t
independent unit Gaussian entries and J = (XXᵀ)^{-1},

    E J_{a₁b₁} ⋯ J_{aₖbₖ} = (−1)^k Σ_π δ_π Wg(π, π₀; −(t − m − 1)),      π₀ = {(a_i, b_i)},

and with complex entries, E|X_ij|² = 1, the argument is −(t − m). It exists for t > m + 2k − 1
(complex: t > m + k − 1).

Sources: Collins, Śniady, math-ph/0402073, section 3 and 2; Matsumoto, 1004.4717, theorem 3.1;
Graczyk, Letac, Massam, Annals of Statistics 31 (2003) 287.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import sympy as sp

from ..errors import InputError

Pairing = tuple[tuple[int, int], ...]
Partition = tuple[int, ...]

MOST = 6  # 10,395 pairings


def pairings(points: tuple[int, ...]) -> Iterator[Pairing]:
    """All pairings of an even number of points.

    >>> len(list(pairings((0, 1, 2, 3))))
    3
    """
    if not points:
        yield ()
        return
    first, rest = points[0], points[1:]
    for index, second in enumerate(rest):
        for others in pairings(rest[:index] + rest[index + 1 :]):
            yield ((first, second), *others)


def loop_type(first: Pairing, second: Pairing) -> Partition:
    """The half lengths of the cycles of first ∪ second, in descending order.

    >>> loop_type(((0, 1), (2, 3)), ((0, 2), (1, 3)))
    (2,)
    """
    one, two = _partners(first), _partners(second)
    left = set(one)
    lengths = []
    while left:
        start = point = min(left)
        length = 0
        while True:
            left -= {point, one[point]}
            point = two[one[point]]
            length += 1
            if point == start:
                break
        lengths.append(length)
    return tuple(sorted(lengths, reverse=True))


def _partners(pairing: Pairing) -> dict[int, int]:
    return {a: b for pair in pairing for a, b in (pair, pair[::-1])}


def bipartite(pairing: Pairing) -> bool:
    """Whether every pair joins an even point to an odd one."""
    return all((a - b) % 2 for a, b in pairing)


@cache
def _standard(count: int) -> Pairing:
    return tuple((2 * i, 2 * i + 1) for i in range(count))


@cache
def _all_pairings(count: int, unitary: bool) -> list[Pairing]:
    found = pairings(tuple(range(2 * count)))
    return [p for p in found if not unitary or bipartite(p)]


@cache
def weingarten(count: int, unitary: bool = False) -> dict[Partition, sp.Expr]:
    """Wg by partition of ``count``, as rational functions of the symbol n.

    Solved from Σ_π n^{loops(π,ρ)} Wg(π, π₀) = δ_{ρπ₀}, one equation for each type of ρ.

    >>> weingarten(1)
    {(1,): 1/n}
    >>> weingarten(2)[2,]
    -1/(n*(n - 1)*(n + 2))
    >>> weingarten(2, unitary=True)[1, 1]
    1/((n - 1)*(n + 1))
    """
    if not 1 <= count <= MOST:
        raise InputError("number of pairs", count, f"1 to {MOST}")
    n = sp.Symbol("n")
    base = _standard(count)
    everything = _all_pairings(count, unitary)
    kinds = {p: loop_type(base, p) for p in everything}
    representatives: dict[Partition, Pairing] = {}
    for pairing, kind in kinds.items():
        representatives.setdefault(kind, pairing)
    order = sorted(representatives)
    rows = []
    for kind in order:
        row = dict.fromkeys(order, sp.S.Zero)
        powers: dict[tuple[Partition, int], int] = {}
        for pairing, other in kinds.items():
            key = (other, len(loop_type(representatives[kind], pairing)))
            powers[key] = powers.get(key, 0) + 1
        for (other, loops), number in powers.items():
            row[other] += number * n**loops
        rows.append([row[other] for other in order])
    right = [sp.Integer(kind == (1,) * count) for kind in order]
    domain = sp.QQ[n]
    matrix = sp.polys.matrices.DomainMatrix.from_Matrix(sp.Matrix(rows)).convert_to(domain)
    column = sp.polys.matrices.DomainMatrix.from_Matrix(sp.Matrix(right)).convert_to(domain)
    top, below = matrix.solve_den(column)
    solved = (top.to_Matrix() / domain.to_sympy(below)).applyfunc(sp.factor)
    return {kind: solved[i] for i, kind in enumerate(order)}


@cache
def inverse_wishart_weights(count: int, complex_entries: bool = False) -> dict[Partition, sp.Expr]:
    """The coefficients of E J ⋯ J by loop type, in the symbols t (columns) and m (rows).

    >>> inverse_wishart_weights(1)
    {(1,): 1/(-m + t - 1)}
    """
    m, t, n = sp.symbols("m t n")
    argument = -(t - m) if complex_entries else -(t - m - 1)
    table = weingarten(count, complex_entries)
    return {k: sp.factor((-1) ** count * w.subs(n, argument)) for k, w in table.items()}
