r"""Equations that are left in blocks, where their traces would fill pages.

An expression of several nested and repeated inverses has a block resolvent of thousands of terms,
which nobody reads. Its Dyson equation is still short: a block matrix A = F − Σ(u), its inverse G,
and one trace for every unknown,

    G = A^{-1},      u = v Tr(R G_jk L),      value = φ(Tr Σ c_i G_ij b_j + d),

and is solved, and its root certified, exactly as that of every other expression. What needs the
reduced form, a density with its edges, a limit, more digits than float64, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import sympy as sp
from sympy.matrices.expressions import MatAdd, MatMul, MatrixExpr

from ..errors import OutsideTheoryError, PrecisionError
from ..typesetting import aligned
from .declarations import MatrixModel, free_stem
from .dyson import SelfEnergy, Support, fixed_part, self_energy
from .entries import Entry, entry_expression, word_expression
from .naming import NamedUnknown, unknown_text
from .pencil import Pencil, free_scalars
from .preparation import prepared
from .realisation import build_pencil
from .reduced_form import LinearSystem, Reduction
from .trace_function import TraceFunction

TOLERANCE = 1e-8  # relative residual of all unknowns together


@dataclass(frozen=True)
class UnreducedEquations:
    """The Dyson equation of an expression, block by block.

    ``blocks``: the blocks of A = F − Σ(u); ``relations``: one equation for each unknown trace;
    ``value``: the expression in the blocks G_ij of A^{-1}; ``reason``: why it is not reduced. Made
    by `derive`. Source: Rashidi Far et al. cs/0610045.

    >>> from solvable.analytic.free_probability import parse_declarations
    >>> model = parse_declarations(["X:M,T:1/T"])
    >>> equations = derive("tr(inv(X*X.T + z*I))", model)
    >>> round(float(equations.solve({"M": 100, "T": 200, "z": 0.5}).value), 10)
    0.8284271247
    """

    expression: sp.Expr
    function: TraceFunction
    model: MatrixModel
    pencil: Pencil
    energy: SelfEnergy
    support: Support
    spectral: tuple[sp.Symbol, ...]
    reason: str
    memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def reduction(self) -> Reduction:
        """Nothing is eliminated."""
        return Reduction([], [], [], [], {}, [])

    @property
    def linear(self) -> list[LinearSystem]:
        """No linear system is set apart."""
        return []

    @property
    def closed_form(self) -> NoReturn:
        """There is none that can be written down."""
        raise self._refusal("the closed form")

    @property
    def unknown_symbols(self) -> list[sp.Symbol]:
        """The traces u."""
        return [u.symbol for u in self.energy.unknowns]

    @property
    def targets(self) -> list[tuple[sp.Expr, MatrixExpr]]:
        """The matrices whose plain traces are taken, each with its weight in the expression."""
        return list(zip(self.function.weights, self.function.matrices, strict=True))

    @property
    def unknowns(self) -> list[NamedUnknown]:
        """What each unknown is the trace of."""
        return [NamedUnknown(u.symbol, unknown_text(u)) for u in self.energy.unknowns]

    @property
    def closed_system(self) -> list[tuple[sp.Eq, str]]:
        """The relations, and the trace that each unknown names."""
        meanings = [unknown.meaning for unknown in self.unknowns]
        return list(zip(self.relations, meanings, strict=True))

    @property
    def blocks(self) -> dict[tuple[int, int], MatrixExpr]:
        """The blocks of A = F − Σ(u) that are not zero."""
        found: dict[tuple[int, int], list[MatrixExpr]] = {}
        for key, item in sorted(self.pencil.q.items()):
            if fixed := fixed_part(item):
                found.setdefault(key, []).append(self._entry(fixed, *key))
        for pairing in self.energy.pairings:
            i, j = pairing.position
            word = (*pairing.left, *pairing.right)
            body = word_expression(word, self.model) if word else sp.Identity(self.pencil.spaces[i])
            term = MatMul(-pairing.coefficient * pairing.factor, body).doit()
            found.setdefault((i, j), []).append(term)
        return {key: MatAdd(*terms).doit() for key, terms in sorted(found.items())}

    @property
    def relations(self) -> list[sp.Eq]:
        """u = v Tr(R G_jk L), and the weights of rotations."""
        rows = []
        for unknown in self.energy.unknowns:
            words = (word_expression(w, self.model) for w in (unknown.right, unknown.left) if w)
            block = self.resolvent(*unknown.block)
            factors = [*words]
            place = 1 if unknown.right else 0
            factors.insert(place, block)
            right = unknown.variance * sp.Trace(MatMul(*factors).doit())
            rows.append(sp.Eq(unknown.symbol, right, evaluate=False))
        return rows

    @property
    def value(self) -> sp.Expr:
        """φ of the traces in blocks of G."""
        return self.function.at([self._output(output) for output in self.pencil.outputs])

    def _output(self, output: Any) -> sp.Expr:
        terms: list[MatrixExpr] = []
        if output.d:
            terms.append(entry_expression(output.d, output.space, output.space, self.model))
        for i, left in sorted(output.c.items()):
            for j, right in sorted(output.b.items()):
                if (i, j) in self.support:
                    ends = (
                        entry_expression(left, output.space, self.pencil.spaces[i], self.model),
                        entry_expression(right, self.pencil.spaces[j], output.space, self.model),
                    )
                    terms.append(MatMul(ends[0], self.resolvent(i, j), ends[1]).doit())
        return sp.Trace(MatAdd(*terms).doit()) if terms else sp.S.Zero

    def _entry(self, item: Entry, i: int, j: int) -> MatrixExpr:
        return entry_expression(item, self.pencil.spaces[i], self.pencil.spaces[j], self.model)

    def resolvent(self, i: int, j: int) -> sp.MatrixSymbol:
        """The block G_ij of A^{-1}."""
        taken = {s.name for s in self.all_scalars()} | set(self.model.random)
        stem = free_stem(("G", "R", "H"), taken | set(self.model.fixed))
        shape = self.pencil.spaces[i], self.pencil.spaces[j]
        return sp.MatrixSymbol(f"{stem}_{{{i + 1},{j + 1}}}", *shape)

    def all_scalars(self) -> list[sp.Symbol]:
        """Every scalar parameter: dimensions, variances, spectral parameters."""
        found = free_scalars(self.pencil) | self.function.scalars
        for dimension in self.model.dimensions():
            found |= sp.sympify(dimension).free_symbols
        return sorted(found, key=sp.default_sort_key)

    def solve(
        self, parameters: Mapping[Any, Any], matrices: Mapping[Any, Any] | None = None
    ) -> Any:
        """The certified physical solution in float64; see `numerics.solve`."""
        from .numerics import solve

        return solve(self, parameters, matrices or {}, solve_points)

    def _refusal(self, what: str) -> OutsideTheoryError:
        return OutsideTheoryError(f"{what} needs the reduced equations: {self.reason}")

    def prove_planar(self, order: int = 4) -> NoReturn:
        """Needs the reduced equations (`OutsideTheoryError`)."""
        raise self._refusal("the planar proof")

    def density(self, points: Any, parameters: Any, matrices: Any = None) -> NoReturn:
        """Needs the reduced equations (`OutsideTheoryError`)."""
        raise self._refusal("a density")

    def limit(self, regime: str, **options: Any) -> NoReturn:
        """Needs the reduced equations (`OutsideTheoryError`)."""
        raise self._refusal("a limit")

    def latex(self) -> str:
        r"""The equations in an ``aligned`` environment."""
        stem = sp.latex(self.resolvent(0, 0)).partition("_")[0]
        rows = [
            rf"({stem}^{{-1}})_{{{i + 1},{j + 1}}} &= {sp.latex(block)}"
            for (i, j), block in self.blocks.items()
        ]
        rows += [rf"{sp.latex(e.lhs)} &= {sp.latex(e.rhs)}" for e in self.relations]
        rows.append(rf"{sp.latex(self.expression)} &\simeq {sp.latex(self.value)}")
        return aligned(rows)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        stem = self.resolvent(0, 0).name.partition("_")[0]
        rows = [f"({stem}^-1)_{{{i + 1},{j + 1}}} = {b}" for (i, j), b in self.blocks.items()]
        rows += [f"{e.lhs} = {e.rhs}" for e in self.relations]
        return "\n".join([*rows, f"value = {self.value}"])


def derive(
    expression: Any,
    model: MatrixModel,
    scalars: Iterable[str] = (),
    reason: str = "they were not asked for",
    pencil: Pencil | None = None,
) -> UnreducedEquations:
    """The Dyson equation of an expression, without taking the traces of its block resolvent.

    ``pencil`` is one of the same traces in their order, if one is known.
    """
    shown, function, model, spectral = prepared(expression, model, scalars)
    targets = [(1 / sp.sympify(m.rows), m) for m in function.matrices]
    pencil = build_pencil(targets, model) if pencil is None else pencil
    energy, support = self_energy(pencil)
    return UnreducedEquations(shown, function, model, pencil, energy, support, spectral, reason)


def solve_points(
    equations: UnreducedEquations, flat: dict[sp.Symbol, np.ndarray], given: Any
) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """Root, unknowns, value and residual at flat arrays of the parameters."""
    from .certified_root import block_solution, components_at

    parts = components_at(equations, flat, given)
    root = parts.solve()
    root.refuse()
    value, known, defect = block_solution(equations, parts, root)
    zero = np.zeros(parts.numbers.points, complex)
    unknowns = np.array([known.get(u, zero) for u in equations.unknown_symbols], complex)
    residuals = [certificate.residual for certificate in root.certificates]
    residual = np.max([*residuals, defect], axis=0)
    if not np.all(residual < TOLERANCE):
        raise PrecisionError(
            f"the two-point unknowns are known to {float(np.max(residual)):.1e} only: move the "
            "parameters away from the spectrum"
        )
    return root, unknowns, value, residual
