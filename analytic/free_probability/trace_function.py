r"""Functions of traces: φ(Tr E₁, Tr E₂, …) with φ rational, such as generalised cross-validation.

A normalised trace of a function of large random matrices does not fluctuate to leading order, so

    E φ(Tr E₁, Tr E₂, …) ≃ φ(E Tr E₁, E Tr E₂, …)

wherever φ is regular at the limit and homogeneous in the size (products and ratios of normalised
traces). A sum of traces, φ = c₀ + Σ c_i Tr E_i, is the case that needs no concentration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp
from sympy.matrices.expressions import MatrixExpr, Trace

from ..errors import InputError, OutsideTheoryError
from .declarations import Internal
from .expression import ordered_traces, trace


@dataclass(frozen=True)
class TraceFunction:
    """``body`` in one slot for the plain trace of each of ``matrices``."""

    body: sp.Expr
    slots: tuple[sp.Symbol, ...]
    matrices: tuple[MatrixExpr, ...]

    def at(self, traces: Sequence[Any]) -> sp.Expr:
        """φ at values of the plain traces."""
        return self.body.xreplace(dict(zip(self.slots, traces, strict=True)))

    @cached_property
    def weights(self) -> tuple[sp.Expr, ...]:
        """∂φ/∂Tr E_i: the coefficients, if φ is a sum of traces."""
        return tuple(sp.cancel(self.body.diff(slot)) for slot in self.slots)

    @cached_property
    def constant(self) -> sp.Expr:
        """φ − Σ Tr E_i ∂φ/∂Tr E_i: what is added to a sum of traces."""
        products = (w * s for w, s in zip(self.weights, self.slots, strict=True))
        return sp.cancel(self.body - sp.Add(*products))

    @property
    def is_sum(self) -> bool:
        """Whether φ is a constant plus a sum of traces with scalar coefficients."""
        return not any(weight.has(*self.slots) for weight in self.weights)

    @property
    def scalars(self) -> set[sp.Symbol]:
        """The symbols of φ that are not slots."""
        return self.body.free_symbols - set(self.slots)


def trace_function(expression: Any) -> TraceFunction:
    """Write a scalar as φ(Tr E₁, …); a matrix expression stands for its normalised trace.

    >>> M = sp.Symbol("M", positive=True)
    >>> L = sp.MatrixSymbol("L", M, M)
    >>> ratio = trace_function(trace(L * L) / trace(L) ** 2)
    >>> ratio.is_sum, ratio.at((2 * M, M))
    (False, 2)

    Errors: `InputError` without a trace, `OutsideTheoryError` if it is not rational in the traces.
    """
    if isinstance(expression, MatrixExpr):
        expression = trace(expression)
    if isinstance(expression, str):
        raise InputError("expression", "text", "a sympy expression (see parse_expression)")
    expression = sp.sympify(expression)
    traces = ordered_traces(expression)
    if not traces:
        raise InputError("expression", expression, "an expression that holds a trace")
    by_matrix = {matrix: Internal(f"trace_{i}") for i, matrix in enumerate(_matrices(traces))}
    body = expression.xreplace({t: by_matrix[t.arg] for t in traces})
    if not body.is_rational_function(*by_matrix.values()):
        raise OutsideTheoryError(
            f"{expression}: sums, products, ratios and integer powers of traces are derived; "
            "derive the traces and apply other functions to their values"
        )
    kept = {m: slot for m, slot in by_matrix.items() if body.has(slot)}
    body = sp.expand(body) if body.is_polynomial(*kept.values()) else body
    return TraceFunction(body, tuple(kept.values()), tuple(kept))


def _matrices(traces: Sequence[Trace]) -> list[MatrixExpr]:
    return sorted({t.arg for t in traces}, key=sp.default_sort_key)
