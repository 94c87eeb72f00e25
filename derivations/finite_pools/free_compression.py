"""Free compression: the site formula where all sites are alike, and cross-validation."""

from __future__ import annotations

from functools import cache

import numpy as np
import sympy as sp

from solvable.analytic.notation import letter
from solvable.analytic.prediction.compression import free_compression as compressed
from solvable.analytic.prediction.sites import medium, site_errors
from solvable.analytic.prediction.textbook import eigensystem

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact
from ..derivation import Step
from ..relations import equation

drawn, ridge, kappa = sp.symbols("T r kappa", positive=True)
pool = sp.Symbol("Q", positive=True)
degrees, squares = sp.symbols("z q", positive=True)  #: ΣL and ΣL² over all Q modes
bias = letter("B", "B", positive=True)  #: Σ(1 − L)² c²
tested, trained = (letter(f"E_{x}", rf"E_{{\mathrm{{{x}}}}}", positive=True)
                   for x in ("test", "train"))  # fmt: skip


def site_quantities() -> tuple[sp.Expr, sp.Expr]:
    """g and the mean of 𝒢² at κ_i = Qκ for all sites: means over the modes, 𝒢 = (1 − L)/(Qκ)."""
    scale = pool * kappa
    first = (1 - degrees / pool) / scale
    second = (1 - 2 * degrees / pool + squares / pool) / scale**2
    return first, second


@cache
def balance() -> sp.Expr:
    """κ_i − r − (1 − p)/g of the site formula, times 1 − z/Q: zero at the solution."""
    g, _ = site_quantities()
    condition = pool * kappa - ridge - (1 - drawn / pool) / g
    return sp.simplify(condition * (1 - degrees / pool))


@cache
def test_error() -> sp.Expr:
    """Σ k u²/(Q − T) with k = p/[g²/(1 − p) − mean 𝒢²], u² = B/(Qκ)²."""
    g, second = site_quantities()
    share = drawn / pool
    k = share / (g**2 / (1 - share) - second)
    return sp.simplify(k * bias / (pool * kappa) ** 2 / (pool - drawn))


def _ratio() -> sp.Expr:
    """r g/p, whose square is E_train/E_test, with r from the balance."""
    solved = sp.solve(balance(), ridge)[0]
    return sp.simplify(solved * site_quantities()[0] * pool / drawn)


@derivation(
    "free-compression",
    "Learning from a part of a pool whose eigenvectors are delocalised",
    Reference("renormalization"),
    Reference("more-is-better"),
)
def free_compression() -> Parts:
    """Where the eigenvectors of the kernel matrix are those of a random rotation, all sites have
    one κ, and the kernel matrix of a subset is a free compression of that of the pool. Only
    eigenvalues and alignments are left: with λ the eigenvalues over Q, L = λ/(λ + κ), z = ΣL and
    q = ΣL² over all Q modes, and B = Σ(1 − L)² c². Cross-validation is exact then."""
    balanced = drawn * kappa * (1 - degrees / drawn)
    denominator = drawn * (1 - 2 * degrees / pool + squares / pool) - squares + degrees**2 / pool
    steps = [
        Step(
            "balance",
            equation(balanced, ridge * (1 - degrees / pool)),
            "κ_i = r + (1 − p)/g of @site-formula/effective-ridge, κ_i = Qκ for all sites.",
            Exact(residual=lambda claim: balance() - (claim.lhs - claim.rhs)),
        ),
        Step(
            "test-error",
            equation(tested, drawn * bias / (pool * denominator)),
            "The ladder of @site-formula/leak, whose matrix has constant rows.",
            Exact(value=test_error),
            wrong=(equation(tested, bias / (pool * (1 - squares / drawn))),),
        ),
        Step(
            "infinite-pool",
            equation(sp.Limit(pool * tested / bias, pool, sp.oo), drawn / (drawn - squares)),
            "At fixed T, z and q an infinite pool has the variance of the textbook, 1/(1 − D₂/T).",
            Exact(value=lambda: sp.limit(pool * test_error() / bias, pool, sp.oo)),
        ),
        Step(
            "cross-validation",
            equation(trained / tested, (1 - degrees / drawn) ** 2),
            "A point that is drawn has the residual r g/p times its error when left out, and r "
            "follows from @balance: E_train/(1 − z/T)² is the test error, all sites being alike.",
            Exact(value=lambda: _ratio() ** 2),
        ),
        Step(
            "rotation",
            equation(letter("E_50", r"E_{50}"), sp.Float(_formula(), 6)),
            f"Numbers: {SIZE} points with eigenvectors of a random rotation, 50 drawn, against "
            "the site formula, which knows the vectors.",
            Agrees(_by_sites, lambda claim: float(claim.rhs), 0.008),
        ),
    ]  # fmt: skip
    return Parts(steps, (steps[0].claim, steps[1].claim, steps[3].claim))


SIZE, TAKEN, RIDGE = 300, 50, 1.0


@cache
def _rotated() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    vectors = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
    values = SIZE * np.arange(1, SIZE + 1.0) ** -1.2
    return (vectors * values) @ vectors.T, vectors


@cache
def _formula() -> float:
    kernel, vectors = _rotated()
    return float(compressed(eigensystem(kernel, vectors), [TAKEN], RIDGE).test[0]) / SIZE


@cache
def _by_sites() -> float:
    kernel, vectors = _rotated()
    return site_errors(kernel, vectors, medium(kernel, TAKEN, RIDGE)).test / SIZE
