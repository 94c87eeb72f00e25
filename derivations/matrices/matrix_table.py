"""The table of docs/matrix-table.md: every matrix expression, its equation, proofs and times.

Times are processor seconds of one process, measured while the table is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import sympy as sp

from solvable.analytic.free_probability import PlanarComparison, Reduced, SpectralTrace
from solvable.analytic.free_probability.models import EXPRESSIONS, LIMITS, MatrixExpression
from solvable.analytic.typesetting import one_line

HEADER = (
    "| expression | derived equations | blocks | unknowns | derived in | planar | simulation |\n"
    "|---|---|---|---|---|---|---|"
)
LONGEST = 110
Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """What is known of one expression after deriving and proving it."""

    expression: MatrixExpression
    equations: Reduced
    derived: float
    planar: PlanarComparison
    planar_time: float
    simulation: str
    simulation_time: float

    def markdown(self) -> str:
        """The row of the table."""
        named = len(self.equations.reduction.defined)
        before = len(self.equations.system.unknowns)
        after = len(self.equations.unknown_symbols) - named
        linear = named + sum(len(system.unknowns) for system in self.equations.linear)
        unknowns = f"{before} → {after}" + (f" + {linear} linear" if linear else "")
        proof = "equal" if self.planar.holds else "DIFFERENT"
        compared = len(self.planar.orders)
        cells = [
            f"{self.expression.title} (`{self.expression.name}`)",
            equation_text(self.equations),
            str(self.equations.pencil.size),
            unknowns,
            f"{self.derived:.2f} s",
            f"{compared} moments {proof}, {self.planar_time:.1f} s",
            f"{self.simulation}, {self.simulation_time:.1f} s",
        ]
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def equation_text(equations: Reduced) -> str:
    """The relations and the value, or what they are if they are long."""
    defined = equations.reduction.defined
    relations = [r for r in equations.relations if r.lhs not in defined]
    texts = [f"{one_line(r.lhs)} = {one_line(r.rhs)}" for r in relations]
    parts = [text for text in texts if len(text) <= LONGEST]
    long = [r for r, text in zip(relations, texts) if len(text) > LONGEST]
    if len(long) == 1 and not long[0].has(SpectralTrace):
        unknown = equations.unknown_symbols[0]
        difference = sp.numer(sp.together(long[0].lhs - long[0].rhs))
        degree = sp.degree(sp.expand(difference), unknown)
        parts.append(f"one polynomial of degree {degree} in {unknown}")
    elif long:
        count = len(long)
        parts.append(f"{count} equation{'s' * (count > 1)} in {len(texts)} unknowns")
    if defined:
        parts.append(f"{len(defined)} named traces, linear in one another")
    if equations.linear:
        sizes = [len(system.unknowns) for system in equations.linear]
        parts.append(" and ".join(f"{n}×{n}" for n in sizes) + " linear")
    value = one_line(equations.value)
    if equations.output_symbol is None:
        parts.append(f"→ {value}" if len(value) <= LONGEST else "a closed form")
    return "; ".join(f"`{part}`" if "=" in part or "→" in part else part for part in parts)


def _timed(function: Callable[[], Result]) -> tuple[Result, float]:
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def rows() -> Iterator[Row]:
    """Derive and prove every expression."""
    from solvable.validation.matrix_expressions import SizeScaling, instance, prove_by_simulation

    from .pairings import ORDER
    from .random_matrices import DRAWS, SCALES, SEED

    def simulated(name: str, equations: Reduced) -> SizeScaling:
        return prove_by_simulation(equations, instance(name), SCALES, DRAWS, SEED)

    for name, expression in {**EXPRESSIONS, **LIMITS}.items():
        equations, derived = _timed(expression.derive_anew)
        planar, planar_time = _timed(partial(equations.prove_planar, ORDER))
        scaling, simulation_time = _timed(partial(simulated, name, equations))
        outcome = "" if scaling.holds else "FAILS: "
        yield Row(
            expression,
            equations,
            derived,
            planar,
            planar_time,
            f"{outcome}error ∝ size^{scaling.slope:.2f}",
            simulation_time,
        )


def table() -> Iterator[str]:
    """The lines of the Markdown table."""
    yield HEADER
    for row in rows():
        yield row.markdown()
