"""Training for a time on a part of a pool: the ladder between the media of two ridges."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import sympy as sp

from solvable.analytic.notation import letter
from solvable.analytic.prediction.sites import medium, site_errors
from solvable.analytic.prediction.training_time import between_ridges, flow_errors

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Statistical
from ..derivation import Step
from ..relations import Equivalent, Expectation, equation
from .site_formula import POOL, local, ridge, share, small_pool, training_sets

DRAWN, FIRST, SECOND, DRAWS = 16, 0.1, 1.0, 1000
TIME, DECAY = 0.6, 0.05
eigenvalue, time = sp.symbols("lambda t", positive=True)
rate = sp.Symbol("s", positive=True)  #: the variable of Laplace
other = letter("g'", "g'", positive=True)  #: g at the other ridge
arriving = letter("W_i", "W_i", positive=True)  #: the mean product of amplitudes that arrive
ladder = letter("v_i", "v_i", positive=True)


coefficient = sp.Function("c")(time)


@cache
def fitted() -> sp.Expr:
    """What gradient flow fits of a label, from c′ = 1 − (λ + r) c, c(0) = 0."""
    decay = sp.Dummy(positive=True)  # λ + r
    flow = sp.Eq(coefficient.diff(time), 1 - decay * coefficient)
    solved = sp.dsolve(flow, coefficient, ics={coefficient.subs(time, 0): 0}).rhs
    return sp.expand(solved).subs(decay, eigenvalue + ridge)


def transform() -> sp.Expr:
    """Its Laplace transform, a term at a time."""
    decay = sp.Dummy(positive=True)
    terms = fitted().subs(eigenvalue, decay - ridge)
    found = sp.laplace_transform(sp.expand(terms), time, rate, noconds=True)
    return found.subs(decay, eigenvalue + ridge)


def amplitude(g: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The T-matrix of a site drawn and left out; their mean is zero."""
    return -(1 - share) / (share * g), 1 / g


@cache
def rung() -> sp.Expr:
    """⟨T T′⟩ of one site in the media of two ridges."""
    (drawn, left), (drawn2, left2) = amplitude(local), amplitude(other)
    return sp.simplify(share * drawn * drawn2 + (1 - share) * left * left2)


@cache
def diagonal() -> sp.Expr:
    """What multiplies v_i in W_i = u_i u′_i + Σ_j≠i 𝒢_ij 𝒢′_ij ⟨TT′⟩_j W_j, with g g′ added."""
    return sp.simplify(1 / rung() + local * other)


def _later_steps() -> list[Step]:
    """The ladder in numbers, and what training shows."""
    product = letter("E_{z,z'}", r"E(z, z')", positive=True)
    return [
        Step(
            "one-ridge",
            equation(letter("E_{z,z}", r"E(z, z)", positive=True), sp.Float(_one_ridge(), 8)),
            f"At z = z′ = {FIRST:g} it is the test error, which @site-formula/leak finds as a "
            f"derivative; {DRAWN} of {POOL} points are drawn.",
            Agrees(_test_error, lambda claim: float(claim.rhs), 1e-7),
        ),
        Step(
            "two-ridges",
            Equivalent(Expectation(product), sp.Float(_two_ridges(), 6)),
            f"At z = {FIRST:g} and z′ = {SECOND:g} it is the mean product of the two residuals of "
            f"every point left out, over {DRAWS} training sets.",
            Statistical(_products, lambda claim: float(claim.rhs), resolution=0.05,
                        sizes=f"P = {POOL}, T = {DRAWN}"),
            wrong=(Equivalent(Expectation(product), sp.Float(_one_ridge(), 6)),),
        ),
        Step(
            "training",
            Equivalent(Expectation(letter("E_t", "E_t", positive=True)), sp.Float(_flow(), 6)),
            f"The test error at t = {TIME:g} with r = {DECAY:g}, by the contour integral, against "
            "as many training sets whose gradient flow is solved by their eigenvectors.",
            Statistical(_trained, lambda claim: float(claim.rhs), resolution=0.05,
                        sizes=f"P = {POOL}, T = {DRAWN}"),
        ),
    ]  # fmt: skip


@derivation(
    "errors-in-training-time",
    "The test error after a time of training on a part of a pool",
    Reference("renormalization"),
)
def errors_in_training_time() -> Parts:
    """Gradient flow with weight decay r fits of every mode what ridge regression fits at the
    ridges r + s, transformed back from s to time. The test error is a product of two residuals,
    each with a variable of its own, and its mean over training sets needs the ladder of
    @site-formula/leak between the media of two ridges."""
    product = letter("E_{z,z'}", r"E(z, z')", positive=True)
    steps = [
        Step(
            "filter",
            equation(
                coefficient, (1 - sp.exp(-(eigenvalue + ridge) * time)) / (eigenvalue + ridge)
            ),
            "What the weights hold of a label of size one, by c′ = 1 − (λ + r) c from zero, λ an "
            "eigenvalue of the kernel matrix of the points drawn.",
            Exact(value=fitted),
        ),
        Step(
            "transform",
            equation(sp.LaplaceTransform(coefficient, time, rate),
                     1 / (rate * (eigenvalue + ridge + rate))),
            "Its transform is that of a step, times ridge regression at the ridge r + s: the "
            "residual at time t is an integral over residuals at ridges.",
            Exact(value=transform),
        ),
        Step(
            "rung",
            equation(letter("γ_i", r"\gamma_i", positive=True),
                     (1 - share) / (share * local * other)),
            "The mean of T T′ of a site in two media; at one ridge it is @site-formula/scattering.",
            Exact(value=rung),
            wrong=(equation(letter("γ_i", r"\gamma_i", positive=True),
                            (1 - share) / (share * local**2)),),
        ),
        Step(
            "ladder",
            equation(letter("A_ii", "A_{ii}", positive=True), local * other / (1 - share)),
            "The product W of amplitudes that arrive at a site is u u′ and what other sites have "
            "scattered, G G′ γ W by elements of the mean resolvents G and G′. For v = γ W that is "
            "(A − G G′) v = u u′, where the diagonal of G G′ is taken in on both sides and A is "
            "diagonal.",
            Exact(value=diagonal),
        ),
        Step(
            "left-out",
            equation(product, share * ladder / (1 - share)),
            "A point left out has the residual ũ/g, so that its mean product is W/(g g′), "
            "averaged over points.",
            Exact(value=lambda: sp.simplify(ladder / rung() / (local * other))),
        ),
        *_later_steps(),
    ]  # fmt: skip
    return Parts(
        steps,
        (steps[1].claim, steps[4].claim),
        assumptions=("the resolvent is close to its mean: closed walks between sites are few",),
    )


@cache
def _one_ridge() -> float:
    kernel, targets = small_pool()
    at = medium(kernel, DRAWN, FIRST)
    return between_ridges(at, at, targets).real


@cache
def _test_error() -> float:
    kernel, targets = small_pool()
    return site_errors(kernel, targets, medium(kernel, DRAWN, FIRST)).test


@cache
def _two_ridges() -> float:
    kernel, targets = small_pool()
    one, second = (medium(kernel, DRAWN, z) for z in (FIRST, SECOND))
    return between_ridges(one, second, targets).real


@cache
def _flow() -> float:
    kernel, targets = small_pool()
    return float(flow_errors(kernel, targets, [DRAWN], [TIME], DECAY)[0, 0])


def _residuals(filters: list[Callable[[np.ndarray], np.ndarray]], seed: int) -> np.ndarray:
    """Mean products of residuals of the points left out, one for each training set.

    ``filters`` are two functions of the eigenvalues of the kernel matrix of the points drawn.
    """
    kernel, targets = small_pool()
    found = []
    for taken, rest in training_sets(DRAWN, DRAWS, seed):
        values, vectors = np.linalg.eigh(kernel[np.ix_(taken, taken)])
        labels, onto = vectors.T @ targets[taken], kernel[np.ix_(rest, taken)] @ vectors
        left = [targets[rest] - onto @ (f(values)[:, None] * labels) for f in filters]
        found.append(np.mean(left[0] * left[1]))
    return np.array(found)


@cache
def _products() -> np.ndarray:
    return _residuals([lambda x: 1 / (x + FIRST), lambda x: 1 / (x + SECOND)], 616)


@cache
def _trained() -> np.ndarray:
    decaying = sp.lambdify((eigenvalue, ridge, time), fitted(), "numpy")
    return _residuals(2 * [lambda x: decaying(np.maximum(x, 0), DECAY, TIME)], 617)
