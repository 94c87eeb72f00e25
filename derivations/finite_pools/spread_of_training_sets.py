"""How the test error scatters over training sets: walks between sites in two copies."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import sympy as sp

from solvable.analytic.notation import letter
from solvable.analytic.prediction.loops import disturbances
from solvable.analytic.prediction.sites import medium, site_errors
from solvable.analytic.prediction.training_set_spread import spread

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, Statistical
from ..derivation import Step
from ..relations import Equivalent, Expectation, equation
from .site_formula import local, scattering, share, site_ridge, small_pool, test_errors

DRAWN, RIDGE, DRAWS = 24, 0.2, 1500
scatterers = sp.symbols("T_1:4", real=True)  #: the T-matrices of three sites
links = sp.symbols("G_12 G_23 G_13", real=True)  #: the mean resolvent between them
other_links = sp.symbols("G'_12 G'_23 G'_13", real=True)  #: that of a second copy
weights = tuple(letter(f"γ_{i}", rf"\gamma_{i}", positive=True) for i in (1, 2, 3))
values = sp.symbols("f_11 f_10 f_01 f_00", real=True)  #: of a function of two draws
inside, outside = letter("T_in", r"T_{\mathrm{in}}"), letter("T_out", r"T_{\mathrm{out}}")


def between(t: tuple[sp.Symbol, ...], g: tuple[sp.Symbol, ...]) -> sp.Matrix:
    """The resolvent off its diagonal, each row times the T-matrix of its site."""
    off = sp.Matrix([[0, g[0], g[2]], [g[0], 0, g[1]], [g[2], g[1], 0]])
    return sp.diag(*t) * off


@cache
def two_sites() -> sp.Expr:
    """½ ln det(1 + T G) of two sites."""
    block = between(scatterers, links)[:2, :2]
    return sp.log(sp.expand((sp.eye(2) + block).det())) / 2


@cache
def interaction_variance() -> sp.Expr:
    """The variance of what two independent draws do together, from the analysis of variance."""
    chance = {1: share, 0: 1 - share}
    f = dict(zip(product((1, 0), repeat=2), values))
    first = {i: sum(chance[j] * f[i, j] for j in (0, 1)) for i in (0, 1)}
    second = {j: sum(chance[i] * f[i, j] for i in (0, 1)) for j in (0, 1)}
    mean = sum(chance[i] * first[i] for i in (0, 1))
    parts = {(i, j): f[i, j] - first[i] - second[j] + mean for i, j in f}
    return sp.factor(sum(chance[i] * chance[j] * part**2 for (i, j), part in parts.items()))


def amplitudes() -> tuple[sp.Expr, sp.Expr]:
    """T of a site that is drawn, by ⟨T⟩ = 0, and of one left out."""
    out = 1 / local
    return -(1 - share) * out / share, out


@cache
def three_sites() -> sp.Expr:
    """What three sites do together at lowest order: the part of ½ ln det(1 + TG) linear in each."""
    determinant = sp.expand((sp.eye(3) + between(scatterers, links)).det())
    found = sp.log(determinant) / 2
    for t in scatterers:
        found = sp.diff(found, t).subs(t, 0)
    return sp.simplify(found * sp.prod(scatterers))


@cache
def three_in_two_copies() -> sp.Expr:
    """Tr S³/6 for S_ij = √γ_i G_ij G′_ij √γ_j."""
    ring = sp.Matrix(3, 3, lambda i, j: between((1, 1, 1), links)[i, j]
                     * between((1, 1, 1), other_links)[i, j]
                     * sp.sqrt(weights[i] * weights[j]))  # fmt: skip
    return sp.expand(sp.trace(ring**3)) / 6


def walks(x: sp.Symbol) -> sp.Expr:
    """−½ [ln(1 − x) + x + x²/2], x an eigenvalue of S."""
    return -(sp.log(1 - x) + x + x**2 / 2) / 2


def _later_steps() -> list[Step]:
    """Walks through three and more sites, and what training sets show."""
    x, order = letter("x", "x", positive=True), sp.Symbol("k", integer=True, positive=True)
    ring = weights[0] * weights[1] * weights[2] * sp.prod(links) * sp.prod(other_links)
    return [
        Step(
            "three-sites",
            equation(letter("F_3", "F_3"), sp.prod(scatterers) * sp.prod(links)),
            "What three sites do together, at lowest order in each T-matrix: the walk round the "
            "triangle, once.",
            Exact(value=three_sites),
        ),
        Step(
            "ring",
            equation(letter("K_3", "K_3"), ring),
            "Its covariance between two copies: means of T T′ at every site. It is Tr S³/6 for "
            "the matrix S whose elements are the products of those of G and G′ and of the roots of "
            "both γ, and Tr S^k/(2k) for k sites.",
            Exact(value=three_in_two_copies),
            wrong=(equation(letter("K_3", "K_3"), 2 * ring),),
        ),
        Step(
            "walks",
            equation(sp.Sum(x**order / (2 * order), (order, 3, sp.oo)), walks(x)),
            "All lengths from three on, at an eigenvalue of S; the trace of S is zero.",
            Exact(residual=lambda claim: [
                sp.diff(claim.rhs, x) - x**2 / (2 * (1 - x)),  # the geometric series from x²
                sp.limit(claim.rhs, x, 0),
            ]),
        ),
        Step(
            "simulation",
            Equivalent(Expectation(letter("V", "V")), sp.Float(_variance(), 6)),
            "The variance of the test error on the pool of @site-formula/simulation, "
            f"{DRAWN} points drawn {DRAWS} times: derivatives of @two-sites and of @walks by the "
            "sources and leaks of two copies, and the single sites. By these alone it would be "
            f"{_variance(False) / _variance():.2f} of that.",
            Statistical(
                _squares, lambda claim: float(claim.rhs), resolution=0.15,
                sizes=f"P = 48, T = {DRAWN}",
            ),
            wrong=(Equivalent(Expectation(letter("V", "V")), sp.Float(_variance(False), 6)),),
        ),
    ]  # fmt: skip


@derivation(
    "spread-of-training-sets",
    "How the test error scatters over the training sets that a pool gives",
    Reference("renormalization"),
)
def spread_of_training_sets() -> Parts:
    """The test error is a function of independent draws, one for every point. What a set of points
    does together is uncorrelated with what any other set does, so that the variance is a sum over
    sets: of one point, by the derivative of the site formula; of two, exactly; of more, by closed
    walks through all of them, which in two copies of the training set must be the same walk. The
    errors in the copies are derivatives by a source and a leak (@site-formula/leak)."""
    steps = [
        Step(
            "two-sites",
            equation(letter("F_2", "F_2"),
                     sp.log(1 - scatterers[0] * scatterers[1] * links[0] ** 2) / 2),
            "½ ln det(1 + T G) of two sites, G the mean resolvent off its diagonal: half of the "
            "logarithm of the determinant is what errors are derivatives of.",
            Exact(value=two_sites),
        ),
        Step(
            "interaction",
            equation(letter("V_2", "V_2"), (share * (1 - share)) ** 2
                     * (values[0] - values[1] - values[2] + values[3]) ** 2),
            "What two draws do together, of any function f of them: its value less the means over "
            "one and the other. Its variance knows the mixed difference alone.",
            Exact(value=interaction_variance),
            wrong=(equation(letter("V_2", "V_2"), share * (1 - share)
                            * (values[0] - values[1] - values[2] + values[3]) ** 2),),
        ),
        Step(
            "amplitude",
            equation(inside, -(1 - share) / (share * local)),
            "The T-matrix of a site that is drawn, in the medium of @site-formula/effective-ridge; "
            "one that is left out has 1/g, and the mean of the two is zero.",
            Exact(value=lambda: sp.simplify(
                ((sp.Symbol("r", positive=True) - site_ridge) / share).subs(
                    site_ridge, sp.Symbol("r", positive=True) + (1 - share) / local))),
        ),
        Step(
            "weight",
            equation(letter("γ_i", r"\gamma_i", positive=True),
                     share * (1 - share) * (inside - outside) ** 2),
            "The mean square of the T-matrix, @site-formula/scattering, is p (1 − p) times the "
            "square of what drawing the site changes, so that @interaction at lowest order is a "
            "walk to and fro.",
            Exact(residual=lambda claim: scattering()
                  - claim.rhs.subs(dict(zip((inside, outside), amplitudes())))),
        ),
        *_later_steps(),
    ]  # fmt: skip
    return Parts(
        steps,
        (steps[0].claim, steps[6].claim),
        assumptions=("walks that visit a site twice are left out",),
    )


@cache
def _variance(walking: bool = True) -> float:
    kernel, targets = small_pool()
    at = medium(kernel, DRAWN, RIDGE)
    disturbed = disturbances(kernel, targets, at) if walking else []
    return spread(at, targets, site_errors(kernel, targets, at), disturbed)[0] ** 2


@cache
def _squares() -> np.ndarray:
    """Squared deviations from the mean, whose mean is the unbiased variance."""
    errors = test_errors(DRAWN, RIDGE, DRAWS, seed=2424)
    return (errors - errors.mean()) ** 2 * DRAWS / (DRAWS - 1)
