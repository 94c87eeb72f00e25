"""What a limit can be taken of: the static loss and its parts, and derived matrix equations."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import sympy as sp

from ...errors import InputError
from ...loss import excess_loss_formula
from ...notation import M, N, T, kappa, sigma_eps, sigma_w
from ...spectral_functions import DegreesOfFreedom
from .dominant import traces_of
from .limiting_form import Problem

if TYPE_CHECKING:
    from ...free_probability import SelfConsistentEquations

ridge_z = sp.Symbol("z", positive=True)  #: z = γ/(σ_u² N T), real and positive here


@cache
def static_problem(quantity: str = "loss", isotropic: bool = False) -> Problem:
    """The static loss, its ``kappa``, its ``noise`` amplification, or the loss ``with noise``."""
    formula = excess_loss_formula(kappa)
    outputs = {
        "loss": formula.subs(sigma_eps, 0),
        "kappa": kappa,
        "noise": sp.diff(formula, sigma_eps) / (2 * sigma_eps),
        "with noise": formula,
    }
    if quantity not in outputs:
        raise InputError("quantity", quantity, f"one of {', '.join(outputs)}")
    first = DegreesOfFreedom(1, kappa)
    equation = ridge_z - kappa * (1 - first / N) * (1 - first / T)
    output = sp.cancel(outputs[quantity]) if quantity == "noise" else outputs[quantity]
    return Problem(quantity, ((kappa, equation),), output, M, isotropic, (sigma_w,))


def matrix_problem(equations: SelfConsistentEquations, isotropic: bool = False) -> Problem:
    """The problem of derived equations: every deterministic matrix has the power law."""
    equations = equations.closed_form
    positive = {
        s: sp.Symbol(s.name, positive=True)
        for s in equations.value.free_symbols.union(*(r.free_symbols for r in equations.relations))
        if not s.is_positive
    }

    def real(expression: sp.Expr) -> sp.Expr:
        return expression.xreplace(positive)

    unknowns = [real(u) for u in equations.unknown_symbols]
    relations = [real(r.lhs - r.rhs) for r in equations.relations]
    pairs: list[tuple[sp.Symbol, sp.Expr]] = []
    for relation in relations:
        inside = [u for u in unknowns if relation.has(u)]
        if len(inside) != 1:
            raise InputError("equations", relation, "one unknown in every equation")
        pairs.append((inside[0], relation))
    everything = [real(equations.value), *relations]
    traces = {t for e in everything for t in traces_of(e)}
    sizes = {t.dimension for t in traces}
    if len(sizes) > 1:
        raise InputError("dimensions", sizes, "traces over one space")
    size = sizes.pop() if sizes else None
    fixed = {real(d) for d in equations.model.dimensions()} | {real(x) for x in equations.spectral}
    symbols = set().union(*(e.free_symbols for e in everything)) - set(unknowns) - fixed
    parameters = (sigma_w, *sorted(symbols, key=str))
    return Problem("value", tuple(pairs), everything[0], size, isotropic, parameters)
