r"""The field in which a scalar system is reduced, and how its elements are written.

All equations are kept as polynomials in parameters, unknowns, shifts and traces; the witness
gives each of these generators its value.
"""

from __future__ import annotations

import sympy as sp

from .. import precision
from ..algebra import Elimination, Field, Fraction, Polynomial
from .declarations import Internal
from .scalar_system import DIGITS, ScalarSystem, Witness


class Workspace(Elimination):
    """The field of rational functions in everything, and the witness values of its generators."""

    def __init__(self, system: ScalarSystem, witness: Witness, extra: list[sp.Symbol]) -> None:
        self.system, self.extra = system, extra
        self.atoms = system.atoms()
        self.names = {atom: Internal(f"t_{i}") for i, atom in enumerate(self.atoms)}
        self.traces = {name: atom for atom, name in self.names.items()}
        symbols = [
            *extra,
            *system.equations,
            *system.shifts,
            *self.names.values(),
            *system.scalars(),
        ]
        super().__init__(Field(symbols), DIGITS)
        self.parameters = {self.position[s] for s in system.scalars()}
        with precision.workdps(DIGITS + 10):
            for symbol in symbols:
                known = symbol in self.traces
                self.set_value(
                    symbol,
                    witness.trace(self.traces[symbol]) if known else witness.values.get(symbol),
                )

    def element(self, expression: sp.Expr) -> Fraction:
        """An expression in the field; traces become generators."""
        return self.field(sp.sympify(expression).xreplace(self.names))

    def restore(self, expression: sp.Expr) -> sp.Expr:
        """Put the traces back."""
        return expression.xreplace(self.traces)


def factored_length(value: Fraction) -> int:
    """How many symbols, powers and numbers a field element has in factored form."""
    total = 0
    for polynomial in (value.numer, value.denom):
        for factor, power in polynomial.factor_list()[1]:
            total += (power > 1) + sum(
                sum((p > 0) + (p > 1) for p in monomial) + (abs(coefficient) != 1)
                for monomial, coefficient in factor.terms()
            )
    return total


def presented(workspace: Workspace, value: Fraction) -> sp.Expr:
    """A field element as a factored expression, with traces put back.

    A factor N − D₁ over N is written as the bracket 1 − D₁/N.
    """
    content, tops = value.numer.factor_list()
    below_content, bottoms = value.denom.factor_list()
    constant = sp.Rational(content, below_content)
    above, below = dict(tops), dict(bottoms)
    factors: list[sp.Expr] = []
    dimensions = workspace.parameters
    for own, other, side in ((above, below, 1), (below, above, -1)):
        for g in sorted(own, key=lambda g: (len(g), str(g))):
            while own.get(g, 0) > 0 and len(g) > 1:
                bracket, sign = _bracket(g, other, dimensions)
                if bracket is None:
                    break
                factors.append(bracket**side)
                constant *= sign
                own[g] -= 1
    for own, side in ((above, 1), (below, -1)):
        for g, power in sorted(own.items(), key=lambda item: str(item[0])):
            sign = _orientation(workspace, g)
            constant *= sign**power
            factors.append(
                sp.Add(*(sign * t for t in sp.Add.make_args(g.as_expr()))) ** (side * power)
            )
    return workspace.restore(constant * sp.Mul(*factors))


def _orientation(workspace: Workspace, g: Polynomial) -> int:
    """The sign that makes the first term of parameters alone positive."""
    inner = [workspace.position[s] for s in (*workspace.system.shifts, *workspace.traces)]
    inner += [workspace.position[s] for s in workspace.extra]
    terms = sorted(g.terms(), key=lambda t: (sum(t[0][i] for i in inner), [-e for e in t[0]]))
    return 1 if terms[0][1] > 0 else -1


def _bracket(
    g: Polynomial, others: dict[Polynomial, int], parameters: set[int]
) -> tuple[sp.Expr | None, int]:
    """g/n as 1 − … for a parameter n among the others, which is then used up."""
    for monomial, coefficient in sorted(g.terms()):
        single = [i for i, power in enumerate(monomial) if power]
        if abs(coefficient) != 1 or sum(monomial) != 1 or single[0] not in parameters:
            continue
        generator = g.field.from_dict({monomial: 1})
        if others.get(generator, 0) > 0:
            others[generator] -= 1
            name = generator.as_expr()
            terms = sp.Add.make_args(g.as_expr())
            return sp.Add(*(sp.expand(coefficient * t / name) for t in terms)), coefficient
    return None, 1
