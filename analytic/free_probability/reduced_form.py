r"""The reduced equations: what they are, how they are written, and the names of their unknowns.

A relation that is linear in a spectral parameter is solved for it, as a product of brackets or as
the sum of partial fractions of free convolution. Shifts are called κ, κ', κ_1 …, two-point unknowns
C_1, C_2 …, wherever the user has not taken these letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from .. import notation as papers
from ..algebra import Fraction, Polynomial
from .declarations import free_stem
from .scalar_system import ordered_atoms
from .spectral_trace import SpectralTrace, spectral_trace
from .workspace import Workspace, presented


@dataclass(frozen=True)
class LinearSystem:
    """matrix·unknowns = sources, in terms of the shifts."""

    unknowns: tuple[sp.Symbol, ...]
    matrix: sp.Matrix
    sources: sp.Matrix

    def renamed(self, names: Mapping[sp.Symbol, sp.Symbol]) -> LinearSystem:
        """The same in other symbols."""
        unknowns = tuple(names.get(u, u) for u in self.unknowns)
        return LinearSystem(unknowns, self.matrix.xreplace(names), self.sources.xreplace(names))

    def equations(self) -> list[sp.Eq]:
        """One equation for each unknown, u = …"""
        rows = []
        for i, unknown in enumerate(self.unknowns):
            others = [(int(i == j) - self.matrix[i, j]) * u for j, u in enumerate(self.unknowns)]
            rows.append(sp.Eq(unknown, sp.Add(self.sources[i], *others), evaluate=False))
        return rows


def renamed_sides(relation: sp.Eq, names: Mapping[sp.Symbol, sp.Symbol]) -> sp.Eq:
    """The same equation in other symbols."""
    return sp.Eq(relation.lhs.xreplace(names), relation.rhs.xreplace(names), evaluate=False)


@dataclass
class Reduction:
    """The reduced equations of one scalar system."""

    shifts: list[sp.Symbol]
    kept: list[sp.Symbol]
    relations: list[sp.Eq]
    linear: list[LinearSystem]
    eliminated: dict[sp.Symbol, sp.Expr]
    outputs: list[sp.Expr]
    defined: tuple[sp.Symbol, ...] = ()
    shortened: bool = False
    renamed: dict[sp.Symbol, sp.Symbol] = field(default_factory=dict)

    @property
    def unknowns(self) -> list[sp.Symbol]:
        """All unknowns that a numerical solution finds: shifts first."""
        return [*self.shifts, *self.kept]


APART = 60  # terms up to which partial fractions are looked for


def joint_form(atom: SpectralTrace, atoms: list[SpectralTrace]) -> sp.Expr | None:
    """S₂ + κ'S₁ for Tr[wλ/(λ+κ)], if S₁ and S₂ are among the atoms."""
    special = len(atom.factors) == 1 and sp.fraction(atom.factors[0])
    if not special:
        return None
    below = special[1]
    for letter in atom.letters:
        if sp.expand(below - letter).has(letter) or not below.has(letter):
            continue
        for first in atoms:
            if first.dimension != atom.dimension or len(first.factors) != 1:
                continue
            ratio = sp.cancel(atom.factors[0] / first.factors[0])
            kappa = sp.expand(ratio - letter)
            if kappa.is_Symbol and not kappa.has(letter) and kappa not in below.free_symbols:
                second = spectral_trace(atom.dimension, [first.factors[0] * letter])
                if second in atoms:
                    return second + kappa * first
    return None


def solved_form(work: Workspace, value: Fraction, kept: list[sp.Symbol]) -> sp.Expr:
    """z = Z(κ) as a product, or as a sum of partial fractions if that is shorter.

    The sum is the form of free convolution: 1/g plus one term for each summand of the matrix.
    """
    whole = presented(work, value)
    inside = [s for s in kept if work.holds(value.numer, s) or work.holds(value.denom, s)]
    if len(inside) != 1 or len(value.numer) + len(value.denom) > APART:
        return whole
    parts = sp.Add.make_args(sp.apart(value.as_expr(), inside[0]))
    total = sp.Add(*(presented(work, work.element(part)) for part in parts))
    return min(whole, total, key=sp.count_ops)


def collected(work: Workspace, polynomial: Polynomial, kept: list[sp.Symbol]) -> sp.Expr:
    """A polynomial relation, collected in its unknowns."""
    expression = polynomial.as_expr()
    inside = [s for s in kept if expression.has(s)]
    leading = sp.LC(sp.Poly(expression, *inside)) if inside else sp.S.One
    if leading.could_extract_minus_sign():
        expression = -expression
    return work.restore(sp.collect(sp.expand(expression), inside))


def renamed(reduction: Reduction, explicit: Mapping[sp.Symbol, Any], taken: set[str]) -> Reduction:
    """κ for z, κ' for z', κ_1, κ_2 … otherwise; C_1, C_2 … for the unknowns of linear systems.

    Other letters are used where these are taken.
    """
    names: dict[sp.Symbol, sp.Symbol] = {}
    free = list(reduction.shifts)
    stem = free_stem(("kappa", "chi", "mu", "nu"), taken)
    kappa = sp.Symbol(stem, positive=True)
    kappa_prime = sp.Symbol(f"{stem}'", positive=True)
    for relation in reduction.relations:
        own = [s for s in free if relation.rhs.has(s) or _in_traces(relation.rhs, s)]
        special = {papers.z: kappa, papers.z_prime: kappa_prime}
        if relation.lhs in explicit and len(own) == 1:
            target = special.get(relation.lhs)
            if target is not None and target not in names.values():
                names[own[0]] = target
                free.remove(own[0])
    if len(reduction.shifts) == 1 and free:
        names[free.pop()] = kappa
    for index, symbol in enumerate(free):
        names[symbol] = sp.Symbol(f"{stem}_{index + 1}", positive=True)
    inside = [u for system in reduction.linear for u in system.unknowns] + [*reduction.defined]
    stem = free_stem(("C", "K", "E"), {name for name in taken if len(name) > 1})
    names.update({u: sp.Symbol(f"{stem}_{i + 1}") for i, u in enumerate(inside)})
    return apply_names(reduction, names)


def _in_traces(expression: sp.Expr, symbol: sp.Symbol) -> bool:
    return any(atom.has(symbol) for atom in ordered_atoms([expression]))


def apply_names(reduction: Reduction, names: dict[sp.Symbol, sp.Symbol]) -> Reduction:
    """The same reduction in other symbols."""

    def new(expression: Any) -> Any:
        return expression.xreplace(names)

    return Reduction(
        [new(s) for s in reduction.shifts],
        [new(s) for s in reduction.kept],
        [renamed_sides(relation, names) for relation in reduction.relations],
        [system.renamed(names) for system in reduction.linear],
        {new(s): new(v) for s, v in reduction.eliminated.items()},
        [new(o) for o in reduction.outputs],
        tuple(map(new, reduction.defined)),
        reduction.shortened,
        names,
    )
