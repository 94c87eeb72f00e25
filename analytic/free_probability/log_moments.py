r"""The planar proof of a closed log det: its expansion in 1/z against non-crossing pairings.

With z → z/ε in E = z + B,

    −ε ∂_ε Tr log E = Tr E^{-1} z ∂_z E,     Tr log E = M log(z/ε) + Σ_{k ≥ 1} φ_k ε^k,

so that −k φ_k is a sum over pairings. On the other side the closed form is differentiated by the
chain rule, on the power series of the unknowns, and its constant term as ε → 0 is compared: the
logarithms of the leading coefficients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.matrices.expressions import Identity, MatAdd, MatMul, MatrixExpr

from ..algebra import Fraction, Laurent
from .expander import Expander, Ground, NotExpandableError
from .planar import (
    NotASolutionError,
    PlanarComparison,
    ground_of,
    pairing_series,
    solution_series,
)
from .spectral_trace import SpectralTrace

if TYPE_CHECKING:
    from .equations import SelfConsistentEquations


def derivative(series: Laurent) -> Laurent:
    """ε ∂_ε, term by term."""
    items = {k: k * c for k, c in series.coefficients.items() if k}
    return Laurent(series.field, items, series.cut)


def scaling(matrix: MatrixExpr, spectral: set[sp.Symbol]) -> MatrixExpr:
    """Σ z ∂E/∂z over the spectral parameters, which multiply whole terms of E."""
    found = []
    for term in matrix.args if isinstance(matrix, MatAdd) else (matrix,):
        coefficient, rest = term.as_coeff_mmul()
        if rest.free_symbols & spectral:
            raise NotExpandableError("a spectral parameter stands inside a product")
        slope = sp.Add(*(s * coefficient.diff(s) for s in spectral))
        if slope != 0:
            found.append(slope * rest)
    return MatAdd(*found).doit() if len(found) > 1 else found[0]


def compare(equations: SelfConsistentEquations, order: int) -> PlanarComparison:
    """Order 0 is the constant beside M log z, order k the coefficient φ_k."""
    spectral = set(equations.spectral)
    key = ("pairings", order)
    if key not in equations.memory:
        ground = ground_of(equations)
        inverse = equations.function.matrices[0]
        moved = MatMul(inverse, scaling(inverse.arg, spectral))
        plain = pairing_series(moved, equations.model, ground, spectral, order)
        equations.memory[key] = (ground, plain)
    ground, plain = equations.memory[key]
    weight = ground.field(equations.function.weights[0])
    found = solution_series(equations, ground, plain.cut, key)
    if isinstance(found, NotASolutionError):
        defect = _shown(ground, found.defect)
        return PlanarComparison((found.order,), (defect,), (sp.S.Zero,), (defect,))
    solution, cut = found
    left = -_chain(equations, ground, solution, cut)
    right = plain * weight
    last = min(left.cut, right.cut, order)
    orders = range(1, last + 1)
    constant = _constant(equations, ground, solution, cut)
    constant += _shown(ground, left[0] - right[0])
    terms = [[_shown(ground, -s[k] / k) for k in orders] for s in (left, right)]
    differences = [_shown(ground, (right[k] - left[k]) / k) for k in orders]
    return PlanarComparison(
        (0, *orders),
        (constant, *terms[0]),
        (sp.S.Zero, *terms[1]),
        (constant, *differences),
    )


def _shown(ground: Ground, value: Fraction) -> sp.Expr:
    return value.as_expr().xreplace({slot: atom for atom, slot in ground.traces.items()})


def _chain(equations: SelfConsistentEquations, ground: Ground, solution: Any, cut: int) -> Laurent:
    """ε ∂_ε of the value: Σ ∂value/∂u · ε u'(ε), a spectral parameter being z/ε."""
    expander = ground.expander(equations.spectral, solution, cut)
    total = Laurent(ground.field, {}, cut)
    for symbol in (*equations.unknown_symbols, *equations.spectral):
        slope = equations.value.diff(symbol)
        if slope != 0:
            total = total + expander(slope) * derivative(expander(symbol))
    return total


def _constant(
    equations: SelfConsistentEquations, ground: Ground, solution: Any, cut: int
) -> sp.Expr:
    """The value as ε → 0, less its log ε and the logarithms of the leading part of E."""
    expander = ground.expander(equations.spectral, solution, cut)
    value, total = equations.value, sp.S.Zero
    inside = [t for t in value.atoms(SpectralTrace) if isinstance(t.factors[0], sp.log)]
    plain = value.xreplace({t: t.dimension * t.factors[0] for t in inside})
    logarithms = {x: sp.Dummy() for x in plain.atoms(sp.log)}
    body = sp.expand(plain.xreplace(logarithms))
    for logarithm, slot in logarithms.items():
        total += body.coeff(slot) * sp.log(_leading(ground, expander, logarithm.args[0]))
    rest = expander(body.xreplace(dict.fromkeys(logarithms.values(), sp.S.Zero)))
    if rest.valuation < 0:
        return sp.zoo
    matrix = equations.function.matrices[0]
    coefficient, unit = scaling(matrix.arg, set(equations.spectral)).as_coeff_mmul()
    if not isinstance(unit.doit(), Identity):
        raise NotExpandableError("the matrix that dominates as z → ∞ is not the identity")
    identity = _leading(ground, expander, coefficient)
    total -= equations.function.weights[0] * matrix.rows * sp.log(identity)
    total = sp.expand_log(sp.expand(total + _shown(ground, rest[0])), force=True)
    return sp.simplify(sp.expand(total))


def _leading(ground: Ground, expander: Expander, argument: sp.Expr) -> sp.Expr:
    series = expander(argument)
    return _shown(ground, series[series.valuation])


__all__ = ["compare", "derivative", "scaling"]
