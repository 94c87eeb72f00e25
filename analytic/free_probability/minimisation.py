r"""Making a pencil small without changing c Q^{-1} b + d.

Four moves, repeated until none applies, in a fixed order:

* **prune.** If Q has no entry from the kept blocks R into the others U and b_U = 0, then x =
  Q^{-1}b vanishes on U, and U can be dropped (*unreachable*); the transposed statement about c
  drops the *unobservable* blocks.
* **lump.** If a partition of the blocks has Σ_{l∈C} Q_il = Σ_{l∈C} Q_jl for every class C and
  b_i = b_j whenever i ~ j, then x is constant on classes and one block for each class is enough.
  The coarsest such partition is found by refinement, starting from the dimensions; likewise for
  Qᵀ and c.
* **eliminate.** A block with scalar diagonal s is removed by Schur complement, Q_ij ← Q_ij −
  Q_ik Q_kj/s, where all products remain linear in the random matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import sympy as sp

from .entries import UNIT, Entry, add, is_fixed, is_scalar, multiply, scale
from .pencil import NotLinearError, Pencil, Realisation

Vector = dict[int, Entry]


@dataclass
class _System:
    """Blocks with several outputs; every move maps a system to a smaller one."""

    spaces: list[sp.Expr]
    q: dict[tuple[int, int], Entry]
    c: list[Vector]
    b: list[Vector]
    d: list[Entry]
    pure: bool = False  # whether c and b must stay deterministic

    def transposed(self) -> _System:
        """Rows and columns exchanged (entries as they are: only equality is looked at)."""
        q = {(j, i): item for (i, j), item in self.q.items()}
        return _System(self.spaces, q, self.b, self.c, self.d, self.pure)


def _product(left: Entry, right: Entry) -> Entry:
    product = multiply(left, right)
    if product is None:
        raise NotLinearError
    return product


def _closure(start: set[int], edges: dict[int, set[int]]) -> set[int]:
    seen, stack = set(start), sorted(start)
    while stack:
        for target in sorted(edges.get(stack.pop(), ())):
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return seen


def _keep(system: _System, kept: list[int]) -> _System:
    number = {old: new for new, old in enumerate(kept)}

    def vector(items: Vector) -> Vector:
        return {number[i]: item for i, item in items.items() if i in number}

    q = {
        (number[i], number[j]): item
        for (i, j), item in system.q.items()
        if i in number and j in number
    }
    spaces = [system.spaces[i] for i in kept]
    cs, bs = [vector(c) for c in system.c], [vector(b) for b in system.b]
    return _System(spaces, q, cs, bs, system.d, system.pure)


def prune(system: _System) -> _System:
    """Drop what the inputs cannot reach or the outputs cannot observe."""
    forward: dict[int, set[int]] = {}
    backward: dict[int, set[int]] = {}
    for i, j in system.q:
        forward.setdefault(j, set()).add(i)
        backward.setdefault(i, set()).add(j)
    reached = _closure({i for b in system.b for i in b}, forward)
    observed = _closure({i for c in system.c for i in c}, backward)
    return _keep(system, sorted(reached & observed))


def _partition(system: _System) -> list[int]:
    """The class of every block in the coarsest lumping."""
    size = len(system.spaces)
    order: dict[object, int] = {}
    label = [order.setdefault(space, len(order)) for space in system.spaces]
    while True:
        signatures = []
        for i in range(size):
            sums: dict[int, Entry] = {}
            for j in range(size):
                if (i, j) in system.q:
                    sums[label[j]] = add(sums.get(label[j], {}), system.q[i, j])
            row = frozenset((k, frozenset(e.items())) for k, e in sums.items() if e)
            inputs = tuple(frozenset(b.get(i, {}).items()) for b in system.b)
            signatures.append((label[i], row, inputs))
        order = {}
        refined = [order.setdefault(signature, len(order)) for signature in signatures]
        if refined == label:
            return label
        label = refined


def lump(system: _System) -> _System:
    """Merge the blocks on which every solution of Qx = b is constant."""
    label = _partition(system)
    count = max(label, default=-1) + 1
    if count == len(label):
        return system
    first = [label.index(k) for k in range(count)]
    q: dict[tuple[int, int], Entry] = {}
    for (i, j), item in system.q.items():
        if i == first[label[i]]:
            key = (label[i], label[j])
            q[key] = add(q.get(key, {}), item)
    c = []
    for vector in system.c:
        merged: Vector = {}
        for i, item in vector.items():
            merged[label[i]] = add(merged.get(label[i], {}), item)
        c.append({i: item for i, item in merged.items() if item})
    b = [{k: v[first[k]] for k in range(count) if first[k] in v} for v in system.b]
    q = {key: item for key, item in q.items() if item}
    return _System([system.spaces[i] for i in first], q, c, b, system.d, system.pure)


def lump_columns(system: _System) -> _System:
    """The same for the transposed pencil."""
    return lump(system.transposed()).transposed()


def eliminate(system: _System) -> _System:
    """Remove a block with scalar diagonal whose Schur complement stays linear.

    Among these the one with the smallest product of in- and outgoing entries goes first
    (Markowitz), so that sums such as y = X x + Z x are kept whole as long as they serve twice.
    """
    size = len(system.spaces)
    for k in sorted(range(size), key=lambda k: (_degree(system, k), k)):
        pivot = system.q.get((k, k), {})
        if is_scalar(pivot):
            try:
                return _without(system, k, -1 / pivot[UNIT])
            except NotLinearError:
                continue
    return system


def _degree(system: _System, k: int) -> int:
    incoming = sum(j == k for _, j in system.q) + sum(k in c for c in system.c) - 1
    outgoing = sum(i == k for i, _ in system.q) + sum(k in b for b in system.b) - 1
    return incoming * outgoing


def _without(system: _System, k: int, factor: sp.Expr) -> _System:
    column = {i: e for (i, j), e in system.q.items() if j == k and i != k}
    row = {j: scale(e, factor) for (i, j), e in system.q.items() if i == k and j != k}
    q = {key: item for key, item in system.q.items() if k not in key}
    for i, left in column.items():
        for j, right in row.items():
            q[i, j] = add(q.get((i, j), {}), _product(left, right))
    cs, bs, ds = [], [], []
    for c, b, d in zip(system.c, system.b, system.d, strict=True):
        new_c = {i: item for i, item in c.items() if i != k}
        new_b = {i: item for i, item in b.items() if i != k}
        source = scale(b.get(k, {}), factor)
        for j, right in row.items():
            new_c[j] = add(new_c.get(j, {}), _product(c.get(k, {}), right))
        for i, left in column.items():
            new_b[i] = add(new_b.get(i, {}), _product(left, source))
        if system.pure and not all(map(is_fixed, (*new_c.values(), *new_b.values()))):
            raise NotLinearError
        constant = scale(_product(c.get(k, {}), source), sp.S.NegativeOne)
        cs.append({i: item for i, item in new_c.items() if item})
        bs.append({i: item for i, item in new_b.items() if item})
        ds.append(add(d, constant))
    q = {key: item for key, item in q.items() if item}
    kept = [i for i in range(len(system.spaces)) if i != k]
    return _keep(_System(system.spaces, q, cs, bs, ds, system.pure), kept)


MOVES: tuple[Callable[[_System], _System], ...] = (prune, lump, lump_columns, eliminate)


def _fixed_point(system: _System) -> _System:
    while True:
        size = len(system.spaces)
        for move in MOVES:
            system = move(system)
        if len(system.spaces) == size:
            return system


def minimise(realisation: Realisation) -> Realisation:
    """The realisation with as few blocks as the moves reach."""
    system = _System(
        realisation.spaces, realisation.q, [realisation.c], [realisation.b], [realisation.d]
    )
    small = _fixed_point(system)
    return replace(
        realisation, spaces=small.spaces, q=small.q, c=small.c[0], b=small.b[0], d=small.d[0]
    )


def minimise_pencil(pencil: Pencil) -> Pencil:
    """The pencil with as few blocks as the moves reach; c, b and d stay deterministic."""
    outs = pencil.outputs
    system = _System(
        pencil.spaces, pencil.q, [o.c for o in outs], [o.b for o in outs], [o.d for o in outs], True
    )
    small = _fixed_point(system)
    outputs = [
        replace(output, c=c, b=b, d=d)
        for output, c, b, d in zip(outs, small.c, small.b, small.d, strict=True)
    ]
    return replace(pencil, spaces=small.spaces, q=small.q, outputs=outputs)
