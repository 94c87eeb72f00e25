"""The site formula: the average over training sets drawn from a pool, one site at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import sympy as sp

from solvable.analytic.notation import letter
from solvable.analytic.prediction import kernel_matrix, predict
from solvable.analytic.prediction.sites import medium, site_errors

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Statistical
from ..derivation import Step
from ..relations import Equivalent, Expectation, equation

share = sp.Symbol("p", positive=True)  #: T/Q
ridge, local = sp.symbols("r g", positive=True)
unexplained = sp.Symbol("h", positive=True)
leak = letter("ε", r"\varepsilon", positive=True)  #: 1/ε is the ridge of a point left out
site_ridge = letter("κ_i", r"\kappa_i", positive=True)
POOL, DRAWN, RIDGE, DRAWS = 48, 16, 0.2, 400


def site_average(ridge_left_out: sp.Expr) -> sp.Expr:
    """The mean of 1/(h + D) for D = r with probability p and another ridge otherwise."""
    return share / (unexplained + ridge) + (1 - share) / (unexplained + ridge_left_out)


@cache
def effective_ridge() -> sp.Expr:
    """κ_i = 1/g − h, with h from g = p/(h + r)."""
    found = sp.solve(sp.Eq(local, share / (unexplained + ridge)), unexplained)[0]
    return sp.expand(1 / local - found)


@cache
def response_to_leak() -> sp.Expr:
    """∂κ_i/∂ε at ε = 0 and fixed g, from g = ⟨1/(h + D)⟩ with D = 1/ε for points left out."""
    average = sp.together(site_average(1 / leak))
    by_leak, by_h = (sp.limit(sp.diff(average, x), leak, 0) for x in (leak, unexplained))
    moved = -by_leak / by_h  # ∂h/∂ε
    return sp.simplify((-moved).subs(unexplained, share / local - ridge))


@cache
def scattering() -> sp.Expr:
    """⟨T²⟩ of the T-matrix of a site, whose mean vanishes."""
    h = share / local - ridge
    kappa = effective_ridge()
    drawn = (ridge - kappa) / (local * (h + ridge))
    return sp.simplify(share * drawn**2 + (1 - share) / local**2)


@derivation(
    "site-formula",
    "The test error on a finite pool, from its kernel matrix and labels",
    Reference("renormalization"),
)
def site_formula() -> Parts:
    """Ridge regression on T of Q points is the inverse of K + D, D the ridge r on the points drawn
    and infinite on the others. Averaged over the draws, with each site exact in the mean of
    the others, it is the inverse of K + diag κ; the errors are derivatives of its quadratic form in
    the labels, since a point with a huge ridge 1/ε adds ε times the square of its error."""
    weight = letter("γ_i", r"\gamma_i", positive=True)
    slope = sp.Derivative(sp.Function("kappa_i")(leak), leak)
    tested = letter("E_test", r"E_{\mathrm{test}}")
    steps = [
        Step(
            "one-site",
            equation(local, share / (unexplained + ridge)),
            "A site is drawn with probability p = T/Q, and has the ridge r then; else its ridge is "
            "infinite, and its resolvent is zero. h is the variance that the others leave.",
            Exact(value=lambda: sp.limit(site_average(1 / leak), leak, 0)),
        ),
        Step(
            "effective-ridge",
            equation(site_ridge, ridge + (1 - share) / local),
            "The mean of the site is that of a site which always has the ridge κ_i, 1/(h + κ_i).",
            Exact(value=effective_ridge),
        ),
        Step(
            "scattering",
            equation(weight, (1 - share) / (share * local**2)),
            "The mean square of the T-matrix of a site: its mean is zero by @effective-ridge. The "
            "ladder of the variance has the rungs γ_i, and converges while γ times the squares of "
            "the mean resolvent off its diagonal has eigenvalues below 1.",
            Exact(value=scattering),
        ),
        Step(
            "leak",
            equation(slope, -share * (1 - share) / local**2),
            "A point left out with ridge 1/ε instead of infinity, at ε = 0 and fixed g: the "
            "source of the ladder that gives the test error.",
            Exact(value=response_to_leak),
        ),
        Step(
            "derivative",
            equation(tested, sp.Float(_formula(), 8)),
            f"The formula, on a pool of {POOL} points of which {DRAWN} are drawn, is the "
            "derivative of the quadratic form of the labels by ε, taken by differences.",
            Agrees(_by_differences, lambda claim: float(claim.rhs), 1e-5),
        ),
        Step(
            "simulation",
            Equivalent(Expectation(tested), sp.Float(_predicted(), 6)),
            f"The same pool, {DRAWS} training sets drawn: the formula and the loops beyond it.",
            Statistical(
                _simulated, lambda claim: float(claim.rhs), resolution=0.05,
                sizes=f"P = {POOL}, T = {DRAWN}",
            ),
        ),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[1].claim,
        assumptions=("the resolvent is close to its mean: closed walks between sites are few",),
    )


@cache
def small_pool() -> tuple[np.ndarray, np.ndarray]:
    """A kernel matrix and targets."""
    rng = np.random.default_rng(15)
    inputs = rng.standard_normal((POOL, 4))
    targets = np.sin(2 * inputs[:, :1]) + 0.5 * rng.standard_normal((POOL, 1))
    return kernel_matrix(inputs, "laplace").matrix, targets


@cache
def _formula() -> float:
    kernel, targets = small_pool()
    return site_errors(kernel, targets, medium(kernel, DRAWN, RIDGE)).test


@cache
def _predicted() -> float:
    kernel, targets = small_pool()
    return float(predict(kernel, targets, DRAWN, RIDGE).predicted[0])


@cache
def _by_differences() -> float:
    kernel, targets = small_pool()
    at, step = medium(kernel, DRAWN, RIDGE), 1e-4
    values = [
        float(
            np.sum(targets * (medium(kernel, DRAWN, RIDGE, start=at, leak=e).resolvent @ targets))
        )
        for e in (-step, step)
    ]
    return (values[1] - values[0]) / (2 * step) / (POOL - DRAWN)


def training_sets(drawn: int, draws: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The points drawn and those left out, for every draw."""
    for own in np.random.SeedSequence(seed).spawn(draws):
        order = np.random.default_rng(own).permutation(POOL)
        yield order[:drawn], order[drawn:]


def test_errors(drawn: int, at_ridge: float, draws: int, seed: int) -> np.ndarray:
    """The test error after training on so many of the points, for every draw."""
    kernel, targets = small_pool()
    errors = []
    for taken, rest in training_sets(drawn, draws, seed):
        gram = kernel[np.ix_(taken, taken)] + at_ridge * np.eye(drawn)
        fitted = kernel[np.ix_(rest, taken)] @ np.linalg.solve(gram, targets[taken])
        errors.append(np.mean((targets[rest] - fitted) ** 2))
    return np.array(errors)


@cache
def _simulated() -> np.ndarray:
    return test_errors(DRAWN, RIDGE, DRAWS, seed=1515)
