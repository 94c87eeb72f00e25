r"""`derive`: from an expression to its reduced self-consistent equations, in one object.

    expression ──► pencil ──► self-energy, block resolvent ──► traces ──► reduction
                   (`pencil`)  (`dyson`)        (`trace_expansion`)   (`reduction`)

The result holds the equations as sympy objects and as LaTeX, says what trace each unknown stands
for, solves them numerically (`solve`), and proves itself against planar pairings (`planar`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.matrices.expressions import MatrixExpr

from .. import precision
from ..typesetting import aligned
from .declarations import MatrixModel, free_stem
from .dyson import self_energy
from .effort import SECONDS, limited
from .equal_unknowns import merge_equal
from .naming import NamedUnknown, closed_system, describe
from .pencil import Pencil, free_scalars
from .preparation import prepared
from .realisation import build_pencil
from .reduced_form import LinearSystem, Reduction
from .reduction import reduce_system
from .scalar_system import ScalarSystem, ordered_atoms
from .small_system import LONGEST
from .trace_function import TraceFunction

if TYPE_CHECKING:
    from ..asymptotics.limits import LimitingForm
    from .numerics import NumericalSolution
    from .planar import PlanarComparison


@dataclass(frozen=True)
class SelfConsistentEquations:
    """The limit of an expression: ``value`` in unknowns that solve ``relations``.

    * ``relations``: one equation for each unknown of ``unknowns``;
    * ``linear``: the linear systems of two-point unknowns, already solved in ``value``;
    * ``value``: the expression, exact to leading order in the dimensions;
    * ``read_from_blocks``: whether it is φ of traces of the block resolvent, as it is unless a
      logarithm is taken.

    Made by `derive`, with its errors; its own `solve`, `density`, `limit` and `prove_planar` raise
    `InputError` for numbers that are missing, `PrecisionError` where no root is certified. Traces
    are normalised, sizes large. Source: Rashidi Far et al. cs/0610045, operator-valued free
    probability.

    >>> from solvable.analytic.free_probability import derive, parse_declarations
    >>> semicircle = derive("tr(inv(W + z*I))", parse_declarations(symmetric=["W:N:1/N"]))
    >>> float(round(semicircle.solve({"N": 100, "z": 2.5}).value.real, 12))  # g + 1/g = z
    0.5
    """

    expression: sp.Expr
    function: TraceFunction
    model: MatrixModel
    pencil: Pencil
    system: ScalarSystem
    reduction: Reduction
    spectral: tuple[sp.Symbol, ...]
    relations: tuple[sp.Eq, ...]
    value: sp.Expr
    output_symbol: sp.Symbol | None
    read_from_blocks: bool = True
    memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def targets(self) -> list[tuple[sp.Expr, MatrixExpr]]:
        """The matrices whose plain traces are taken, each with its weight in the expression."""
        return list(zip(self.function.weights, self.function.matrices, strict=True))

    @property
    def constant(self) -> sp.Expr:
        """What is added to the weighted traces."""
        return self.function.constant

    @property
    def equations(self) -> list[sp.Eq]:
        """Everything: the relations, the linear systems, and the value."""
        linear = [equation for system in self.linear for equation in system.equations()]
        name = free_stem(("value", "result"), (s.name for s in self.all_scalars()))
        value = sp.Eq(sp.Symbol(name), self.value, evaluate=False)
        return [*self.relations, *linear, value]

    @property
    def closed_form(self) -> SelfConsistentEquations:
        """The same with every unknown put in that can be, however long the formulas become.

        `derive` stops where a formula would fill more than some lines, see `small_system`.
        """
        if not self.reduction.shortened:
            return self
        if "closed form" not in self.memory:
            arguments = self.expression, self.function, self.model, self.spectral
            self.memory["closed form"] = _derived(*arguments, longest=math.inf)
        return self.memory["closed form"]  # type: ignore[no-any-return]

    @property
    def linear(self) -> list[LinearSystem]:
        """The linear systems for two-point unknowns."""
        return self.reduction.linear

    @property
    def unknown_symbols(self) -> list[sp.Symbol]:
        """The unknowns of the relations: shifts κ first."""
        return self.reduction.unknowns

    @property
    def unknowns(self) -> list[NamedUnknown]:
        """All unknowns with the traces that they stand for."""
        return describe(self)

    @property
    def closed_system(self) -> list[tuple[sp.Eq, str]]:
        """The Dyson system before reduction: each equation with the trace that it names."""
        return closed_system(self)

    @property
    def traces(self) -> list[sp.Expr]:
        """The deterministic traces in which the equations are written."""
        return list(ordered_atoms([*(r.rhs for r in self.relations), self.value]))

    def renamed(self, symbol: sp.Symbol) -> sp.Symbol:
        """The final name of a symbol of the unreduced system."""
        return self.reduction.renamed.get(symbol, symbol)

    def all_scalars(self) -> list[sp.Symbol]:
        """Every scalar parameter: dimensions, variances, spectral parameters."""
        found = free_scalars(self.pencil) | self.function.scalars
        for dimension in self.model.dimensions():
            found |= sp.sympify(dimension).free_symbols
        return sorted(found, key=sp.default_sort_key)

    def with_relations(self, *relations: sp.Eq) -> SelfConsistentEquations:
        """The same with other relations: a proof must reject wrong ones."""
        return replace(self, relations=tuple(relations))

    def with_value(self, value: sp.Expr) -> SelfConsistentEquations:
        """The same with another value: a proof must reject a wrong one."""
        return replace(self, value=value)

    def prove_planar(self, order: int = 4) -> PlanarComparison:
        """Compare moments with non-crossing pairings, exactly, to this order in 1/z."""
        from . import log_moments, planar

        room = planar if self.read_from_blocks else log_moments
        return room.compare(self, order)

    def solve(
        self,
        parameters: Mapping[Any, Any],
        matrices: Mapping[Any, Any] | None = None,
        **options: Any,
    ) -> NumericalSolution:
        """Solve at numbers or arrays of the parameters; see `numerics.solve`."""
        from .numerics import solve

        with precision.kept_for(*parameters.values()):
            return solve(self, parameters, matrices or {}, **options)

    def density(
        self,
        points: Any,
        parameters: Mapping[Any, Any],
        matrices: Mapping[Any, Any] | None = None,
    ) -> Any:
        """The spectral density, if the expression is a resolvent; see `support.density_at`."""
        from .support import density_at

        return density_at(self, points, parameters, matrices or {})

    def limit(self, regime: str, **options: Any) -> LimitingForm:
        """The value in a regime such as "1 << N << T << M, z = 0"; see `asymptotics.limits`."""
        from ..asymptotics.balance.systems import matrix_problem
        from ..asymptotics.limits.stated import stated_limit

        return stated_limit(lambda isotropic: matrix_problem(self, isotropic), regime, **options)

    def latex(self) -> str:
        r"""The equations in an ``aligned`` environment."""
        rows = [rf"{sp.latex(e.lhs)} &= {sp.latex(e.rhs)}" for e in self.equations[:-1]]
        rows.append(rf"{self.latex_expression()} &\simeq {sp.latex(self.value)}")
        return aligned(rows)

    def latex_expression(self) -> str:
        """The expression itself."""
        return sp.latex(self.expression)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return "\n".join(f"{e.lhs} = {e.rhs}" for e in self.equations)


def _value(function: TraceFunction, reduction: Reduction) -> sp.Expr:
    """φ at the outputs, which are normalised traces; a weight may cancel in each term of a sum."""
    outputs = list(zip(function.matrices, reduction.outputs, strict=True))
    if not function.is_sum:
        return function.at([matrix.rows * output for matrix, output in outputs])
    terms = (
        weight * matrix.rows * term
        for weight, (matrix, output) in zip(function.weights, outputs, strict=True)
        for term in sp.Add.make_args(output)
    )
    return function.constant + sp.Add(*terms)


def derive(
    expression: Any,
    model: MatrixModel,
    *,
    scalars: Iterable[str] = (),
    seconds: float = SECONDS,
    pencil: Pencil | None = None,
) -> SelfConsistentEquations:
    """The self-consistent equations of the limit of an expression.

    ``expression`` is a sympy matrix expression (its normalised trace is meant), a rational
    function of traces, or the text form. Errors: `InputError` for what is not an expression of the
    declared matrices, `OutsideTheoryError` for what has no such equations; both name the part.

    ``pencil`` is one of the same traces in their order, if a smaller one is known than that of the
    expression; ``scalars`` are further names of the text that are numbers; beyond ``seconds`` of
    the processor the expression is refused. The result holds for large dimensions, with normalised
    traces. Source: Rashidi Far et al. cs/0610045; for the model itself, dynamical paper, eqs.
    (30)–(33).

    >>> from solvable.analytic.free_probability import derive, parse_declarations
    >>> model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
    >>> print(derive("tr(inv(sqrt(L)*X*X.T*sqrt(L) + z*I))", model))
    z = kappa*(1 - D_1(kappa)/T)
    value = (1 - D_1(kappa)/M)/z
    """
    with limited(seconds):
        shown, function, model, ordered = prepared(expression, model, scalars)
        return _derived(shown, function, model, ordered, pencil=pencil)


def _derived(
    expression: Any,
    function: TraceFunction,
    model: MatrixModel,
    spectral: tuple[sp.Symbol, ...],
    longest: float = LONGEST,
    pencil: Pencil | None = None,
) -> SelfConsistentEquations:
    """The equations of a function of traces, with formulas up to ``longest``."""
    if pencil is None:
        pencil = build_pencil([(1 / sp.sympify(m.rows), m) for m in function.matrices], model)
    energy, support = self_energy(pencil)
    system, witness = merge_equal(pencil, energy, support, spectral)
    reduction = reduce_system(system, witness, spectral, longest)
    value = _value(function, reduction)
    output = reduction.outputs[0] if reduction.outputs[0] in reduction.kept else None
    relations = tuple(reduction.relations)
    return SelfConsistentEquations(
        expression, function, model, pencil, system, reduction, spectral, relations, value, output
    )
