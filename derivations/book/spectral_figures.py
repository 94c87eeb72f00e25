"""Spectra of matrix expressions: the derived density over the eigenvalues of a few draws.

An expression tr (B + z)^{-1} is the resolvent of B, whose density the derived equations give;
other expressions have no figure of this kind.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from solvable.analytic.errors import OutsideTheoryError
from solvable.analytic.free_probability import SelfConsistentEquations
from solvable.analytic.free_probability.certified_root import resolvent_parameter
from solvable.analytic.free_probability.expression import evaluate
from solvable.analytic.free_probability.models import EXPRESSIONS, LimitExpression
from solvable.validation.matrix_expressions import Instance, draw_matrices, instance

from .pictures import HISTOGRAM, Picture, PictureCurve

SCALE, DRAWS, BINS = 8, 6, 36
POINTS, FEW = 240, 70  # of a curve; where rotations make each of them expensive
WIDE = 40.0  # ratio of outer to inner deciles from which the axis is logarithmic
ZERO = 1e-9  # of the largest eigenvalue: what counts as zero


def spectrum(name: str) -> Picture | None:
    """The density of the matrix whose resolvent is the expression of this name."""
    expression = EXPRESSIONS.get(name)
    if expression is None or isinstance(expression, LimitExpression):
        return None
    equations, numbers = expression.derive(), instance(name)
    try:
        parameter = resolvent_parameter(equations)
    except OutsideTheoryError:
        return None
    drawn, size = eigenvalues(equations, numbers, parameter)
    positive = drawn[np.abs(drawn) > ZERO * np.abs(drawn).max()]
    low, high = np.quantile(positive, [0.1, 0.9])
    wide = bool(positive.min() > 0 and high / low > WIDE)
    edges = (np.geomspace if wide else np.linspace)(positive.min(), positive.max(), BINS + 1)
    counts = np.histogram(positive, edges)[0] / size
    heights = counts / np.diff(np.log(edges) if wide else edges)
    count = FEW if any(r.rotation for r in equations.model.random.values()) else POINTS
    reach = 0.03 * (edges[-1] - edges[0])
    x = np.geomspace(edges[0] / 1.2, 1.2 * edges[-1], count) if wide else np.linspace(
        max(edges[0] - reach, 1e-4 * reach) if edges[0] > 0 else edges[0] - reach,
        edges[-1] + reach, count)  # fmt: skip
    scalars = {n: v for n, v in numbers.scalars.items() if n != str(parameter)}
    density = equations.density(x, {**numbers.dimensions, **scalars}, numbers.matrices)
    density = np.asarray(density) * (x if wide else 1)
    top = 1.25 * float(np.max(heights[1:]))
    sizes = ", ".join(f"{d} = {SCALE * n}" for d, n in numbers.dimensions.items())
    return Picture(
        "x", "x ρ(x)" if wide else "ρ(x)",
        (PictureCurve(f"{DRAWS} draws", list(edges), [*heights, 0.0], HISTOGRAM),
         PictureCurve("derived density", list(x), list(density))),
        "The density of eigenvalues x of the matrix whose resolvent this is, from the derived "
        f"equations, over the eigenvalues of {DRAWS} draws; {sizes}."
        + (" Of eigenvalues that are zero nothing is shown." if len(positive) < len(drawn) else ""),
        ("log" if wide else "linear", "linear"), (0.0, top),
    )  # fmt: skip


def eigenvalues(
    equations: SelfConsistentEquations, numbers: Instance, parameter: sp.Symbol
) -> tuple[np.ndarray, int]:
    """All eigenvalues of `DRAWS` draws of B at `SCALE` times the base size, and their number."""
    matrix = equations.targets[0][1].arg
    body = matrix.subs(parameter, 0) if not matrix.is_Identity else matrix
    symbols = {symbol.name: symbol for symbol in equations.all_scalars()}
    values = {symbols[n]: SCALE * d for n, d in numbers.dimensions.items()}
    values |= {symbols[n]: v for n, v in numbers.scalars.items()}
    values[parameter] = 0
    fixed = {n: np.diag(m) if np.ndim(m) == 1 else m for n, m in numbers.scaled(SCALE).items()}
    found = []
    for child in np.random.SeedSequence(0).spawn(DRAWS):
        drawn = draw_matrices(equations.model, values, values, np.random.default_rng(child))
        found.append(np.linalg.eigvals(evaluate(body, {**drawn, **fixed}, values)).real)
    return np.concatenate(found), sum(map(len, found))
