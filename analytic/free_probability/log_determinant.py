r"""log det in closed form: the potential whose stationary point is the Dyson equation.

For a pencil Q = F + 𝒳 with self-energy Σ(G)_il = Σ_jk E[𝒳_ij G_jk 𝒳_kl], let

    Φ(G) = log|det(F − Σ(G))| + ½ Tr G Σ(G).

Tr(G Σ(G')) is symmetric, so dΦ = −Tr[((F − Σ)^{-1} − G) Σ(dG)]: Φ is stationary at the solution
of G = (F − Σ(G))^{-1}, and there E log|det Q| ≃ Φ. Indeed ∂Φ/∂s at fixed G is Tr G ∂F/∂s, which is
∂_s E log|det Q|, and both vanish beside Tr log F as the variances go to zero.

In the unknowns u = v Tr(R G_jk L) the second term is ½ Σ c u u'/v over the pairings, u' being the
unknown of the pairing read backwards. The determinant of F − Σ is the product of the pivots of the
block elimination, each a function p(λ) of deterministic matrices: Tr log p(Λ), factor by factor.

For E = d + c Q₀^{-1} b of polynomial entries the pencil of the inverse is [[Q₀, b], [−c, d]], whose
determinant is det Q₀ · det E, and det Q₀ = det F₀ holds no random matrix.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import sympy as sp
from sympy.matrices.expressions import MatrixExpr

from .declarations import Eigenvalue, Internal, MatrixModel
from .deterministic import Algebra, Element, Matrix
from .dyson import DysonSystem, SelfEnergy, fixed_part, self_energy
from .effort import go_on
from .equal_unknowns import merge_equal
from .equations import SelfConsistentEquations
from .expression import InverseLetter, check
from .pencil import Output, Pencil
from .preparation import spectral_parameters
from .realisation import realise
from .reduced_form import Reduction
from .reduction import reduce_system
from .scalar_system import ScalarSystem, Witness
from .spectral_trace import SpectralTrace
from .trace_function import TraceFunction

Pivots = list[tuple[sp.Expr, Element]]  # the dimension of the space of a pivot, and the pivot


class NoClosedFormError(Exception):
    """The potential is not written in traces of one commuting family at a time."""


def log_determinant(
    matrix: MatrixExpr, model: MatrixModel, shown: MatrixExpr
) -> SelfConsistentEquations:
    """log det of a polynomial in the matrices, from the potential of the pencil of its inverse.

    ``shown`` is the matrix whose trace is derived, log of ``matrix``. `NoClosedFormError` where
    deterministic matrices do not commute, or for an inverse inside or rotations.
    """
    if model.has_rotations:
        raise NoClosedFormError("the potential is that of Gaussian matrices")
    words = check(matrix.inv(), model)
    letters = {letter for word in words for letter in word}
    whole = all(isinstance(letter, InverseLetter) for letter in letters)
    inside = {x for letter in letters for w, _ in letter.terms for x in w} if whole else letters
    if not whole or any(isinstance(letter, InverseLetter) for letter in inside):
        raise NoClosedFormError("an inverse inside the logarithm")
    dimensions = set().union(*(sp.sympify(d).free_symbols for d in model.dimensions()))
    spectral = sorted(spectral_parameters(words, dimensions), key=sp.default_sort_key)
    plain = realise(matrix, model)
    inverse = plain.inverse()
    size = matrix.rows
    output = Output(1 / size, matrix.inv(), size, inverse.c, inverse.b, inverse.d)
    pencil = Pencil(model, inverse.spaces, inverse.q, [output])
    energy, support = self_energy(pencil)
    system, witness = merge_equal(pencil, energy, support, spectral)
    dyson = DysonSystem(pencil, energy, support, system.merged)
    potential = _logarithms(
        log_pivots(dyson.matrix, pencil.spaces, dyson.algebra), dyson, system, witness
    )
    potential += pairing_term(energy, system.merged)
    fixed = {key: fixed_part(item) for key, item in plain.q.items()}
    constants = {key: dyson.element(item) for key, item in fixed.items() if item}
    potential -= _logarithms(
        log_pivots(constants, plain.spaces, dyson.algebra), dyson, system, witness
    )
    reduction = reduce_system(replace(system, outputs=[]), witness, spectral, math.inf)
    value = in_kept_unknowns(potential, system, reduction)
    slot = Internal("trace_0")
    return SelfConsistentEquations(
        sp.Trace(shown),
        TraceFunction(slot, (slot,), (matrix.inv(),)),
        model,
        pencil,
        system,
        reduction,
        tuple(spectral),
        tuple(reduction.relations),
        value,
        None,
        read_from_blocks=False,
    )


def log_pivots(matrix: Matrix, spaces: list[sp.Expr], algebra: Algebra) -> Pivots:
    """The pivots of a block elimination, whose determinants multiply to that of the matrix."""
    rows = {i: {j: e for (r, j), e in matrix.items() if r == i} for i in range(len(spaces))}
    left, columns, found = set(rows), set(rows), []
    zero = algebra.constant(algebra.zero)
    while left:
        options = [
            (rows[i][j].weight(), i != j, i, j)
            for i in left
            for j in columns
            if j in rows[i] and rows[i][j].is_square() and spaces[i] == spaces[j]
        ]
        if not options:
            raise NoClosedFormError("no square pivot")
        *_, i, j = min(options)
        pivot = rows[i][j]
        if pivot.function() is None:
            raise NoClosedFormError("matrices that do not commute")
        found.append((spaces[i], pivot))
        inverse = pivot.inverse()
        left.remove(i)
        columns.remove(j)
        for other in left:
            if j in rows[other]:
                factor = rows[other].pop(j) * inverse
                for k in columns & set(rows[i]):
                    total = rows[other].get(k, zero) - factor * rows[i][k]
                    rows[other][k] = total
                    if not total:
                        del rows[other][k]
    return found


def _logarithms(pivots: Pivots, dyson: DysonSystem, system: ScalarSystem, witness: Witness) -> Any:
    """Σ Tr log|p(Λ)|, one logarithm for each factor, its sign that of the witness."""
    roots = {root: sp.sqrt(letter) for root, letter in dyson.algebra.rooted.items()}
    numbers = {**witness.values, **{x: v[0] for x, v in witness.eigenvalues.items()}}
    counts: dict[tuple[sp.Expr, sp.Expr], int] = {}

    def count(dimension: sp.Expr, base: sp.Expr, power: int) -> None:
        if complex(sp.sympify(base).subs(numbers)).real < 0:
            base = -base
        key = (dimension, sp.expand(base))
        counts[key] = counts.get(key, 0) + power

    for dimension, pivot in pivots:
        go_on("the logarithms of pivots")
        function = pivot.function()
        if function is None:
            raise NoClosedFormError("matrices that do not commute")
        whole = sp.factor(function.as_expr().xreplace(roots))
        for sign, part in zip((1, -1), sp.fraction(whole), strict=True):
            for factor in sp.Mul.make_args(part):
                base, power = factor.as_base_exp()
                scale, monic = _monic(base, system)
                count(dimension, scale, sign * int(power))
                count(dimension, monic, sign * int(power))
    total = sp.S.Zero
    for (dimension, base), power in counts.items():
        inside = bool(base.atoms(Eigenvalue))
        logarithm = SpectralTrace(dimension, sp.log(base)) if inside else dimension * sp.log(base)
        total += power * logarithm
    return total


def _monic(polynomial: sp.Expr, system: ScalarSystem) -> tuple[sp.Expr, sp.Expr]:
    """A polynomial in letters as scale·monic, with its coefficients named as shifts."""
    letters = sorted(polynomial.atoms(Eigenvalue), key=lambda x: str(x.name))
    if not letters:
        return polynomial, sp.S.One
    poly = sp.Poly(polynomial, *letters)
    scale, monic = poly.LC(), sp.S.Zero
    for powers, coefficient in poly.terms():
        ratio = sp.cancel(coefficient / scale)
        if ratio.free_symbols & set(system.equations):
            same = (k for k, e in system.shifts.items() if sp.cancel(e - ratio) == 0)
            ratio = next(same, None)
            if ratio is None:
                raise NoClosedFormError("a coefficient that is no unknown of the equations")
        monic += ratio * sp.Mul(*(x**p for x, p in zip(letters, powers, strict=True)))
    return scale, monic


def pairing_term(energy: SelfEnergy, merged: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    """½ Tr G Σ(G) = ½ Σ c u u'/v over the pairings."""
    by_key = {(u.matrix, u.block, u.right, u.left): u for u in energy.unknowns}
    total = sp.S.Zero
    for pairing in energy.pairings:
        first, (i, m) = pairing.unknown, pairing.position
        back = by_key.get((first.matrix, (m, i), pairing.right, pairing.left))
        if back is not None:
            product = first.symbol * back.symbol / first.variance
            total += pairing.coefficient * product.xreplace(merged)
    return sp.expand(total / 2)


def in_kept_unknowns(potential: sp.Expr, system: ScalarSystem, reduction: Reduction) -> sp.Expr:
    """The potential with the eliminated unknowns put in."""
    known = {u: e for u, e in reduction.eliminated.items() if u not in reduction.kept}
    rest = {
        u: e.xreplace(reduction.renamed)
        for u, e in system.equations.items()
        if u not in known and u not in reduction.kept
    }
    value = potential.xreplace(reduction.renamed)
    for _ in range(len(rest) + 1):
        if not value.free_symbols & set(rest):
            break
        value = value.xreplace(rest)
    value = value.xreplace(known)
    return sp.Add(*(_tidied(term, reduction) for term in sp.Add.make_args(value)))


def _tidied(term: sp.Expr, reduction: Reduction) -> sp.Expr:
    """A term with its rational parts factored, on the solution in the shorter form."""
    explicit = {r.lhs: r.rhs for r in reduction.relations if r.lhs.is_Symbol}

    def factored(logarithm: sp.Expr) -> sp.Expr:
        plain = sp.factor(sp.together(logarithm.args[0]))
        other = sp.factor(sp.together(plain.xreplace(explicit)))
        return sp.log(min(plain, other, key=sp.count_ops))

    traces = {t: sp.Dummy() for t in term.atoms(SpectralTrace)}
    explicit = {s: e.xreplace(traces) for s, e in explicit.items()}
    plain = term.xreplace(traces)
    logs = {x: sp.Dummy() for x in plain.atoms(sp.log)}
    back = {dummy: factored(x) for x, dummy in logs.items()}
    body = sp.factor(plain.xreplace(logs))
    other = sp.factor(body.xreplace(explicit))
    body = min(body, other, key=sp.count_ops).xreplace(back)
    return body.xreplace({dummy: t for t, dummy in traces.items()})


__all__ = ["NoClosedFormError", "log_determinant", "pairing_term"]
