"""The distance to the nearest sample, and what it says of the dimension."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from solvable.analytic.data.dimension import nearest_distances
from solvable.analytic.notation import T

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Exact, Statistical
from ..derivation import Step
from ..relations import Equality, Equivalent, Expectation

if TYPE_CHECKING:
    from ..relations import Relation

r, volume = sp.symbols("r v", positive=True)
dimension = sp.Symbol("d", positive=True)
delta = sp.Symbol("delta", positive=True)
mu, mu_12 = sp.symbols("mu mu_12", positive=True)
SEEDS, SAMPLES, SIDE = 60, 400, 2
BALL = {2: np.pi}  # volume of the unit ball in the simulated dimension


@derivation(
    "nearest-neighbour",
    "The distance to the nearest of T samples",
    Reference("explaining"),
    Reference("two-nearest"),
)
def nearest_neighbour() -> Parts:
    """Where the density is constant over the distance to a neighbour, a ball of radius r holds the
    share v r^d of the samples. The nearest of T is then at ⟨δ⟩ ∝ T^(−1/d), and the ratio of the
    distances to the second and first has a law that holds d alone."""
    outside = (1 - volume * r**dimension) ** T
    u = sp.Symbol("u", positive=True)  # the share v r^d
    integrand = (1 - u) ** T * u ** (1 / dimension - 1) / (dimension * volume ** (1 / dimension))
    mean = (volume ** (-1 / dimension) * sp.gamma(1 + 1 / dimension) * sp.gamma(T + 1)
            / sp.gamma(T + 1 + 1 / dimension))  # fmt: skip
    leading = volume ** (-1 / dimension) * sp.gamma(1 + 1 / dimension) * T ** (-1 / dimension)
    # P(r₂ > μ r₁): the second lies outside of μ r₁, given that all others are outside of r₁
    shell = ((1 - volume * (mu * r) ** dimension) / (1 - volume * r**dimension)) ** (T - 1)
    density = -sp.diff(outside, r)
    share = sp.simplify((shell * density).subs(r, (u / volume) ** (1 / dimension))
                        / (dimension * volume * r ** (dimension - 1)).subs(
                            r, (u / volume) ** (1 / dimension)))  # fmt: skip
    ratio_law = sp.integrate(T * (1 - mu**dimension * u) ** (T - 1), (u, 0, mu ** (-dimension)))
    steps = [
        Step(
            "outside",
            Equality(sp.Function("P")(delta > r), outside),
            "All T samples lie outside of the ball: independent, of volume share v r^d each. Its "
            "derivative at r = 0 is the density of the expected count, T v d r^(d−1).",
            Exact(residual=_first_order),
        ),
        Step(
            "mean-distance",
            Equality(Expectation(delta), mean),
            "The mean is the integral of this probability over r: a Beta integral in the share "
            "u = v r^d.",
            Exact(residual=lambda claim: _beta(claim.rhs, integrand, u)),
        ),
        Step(
            "power-law",
            Equivalent(Expectation(delta), leading),
            "T → ∞: the ratio of Gamma functions is T^(−1/d), here for d = 4; the remainder falls "
            "faster by 1/T.",
            Asymptotic(
                exact=lambda x: _mean_at(mean, x), variable=T, grid=[1e3, 1e4, 1e5], slope=-1.25,
                values={dimension: 4, volume: 2},
            ),
            Reference("explaining"),
        ),
        Step(
            "ratio",
            Equality(sp.Function("P")(mu_12 > mu), sp.simplify(ratio_law)),
            "The ratio of second to first distance exceeds μ with a probability that knows d but "
            "neither density nor T: the integral over the share u of the first.",
            Exact(residual=lambda claim: _tail(claim.rhs, share, u)),
            Reference("two-nearest"),
        ),
        _simulation(mean),
    ]  # fmt: skip
    return Parts(
        steps, (steps[1].claim, steps[2].claim, steps[3].claim),
        assumptions=("the density is constant over the distance to the second neighbour",),
        notes=("Data with a power-law spectrum have no such d: the dimension that distances show "
               "grows with the scale on which they are measured.",),
    )  # fmt: skip


def _simulation(mean: sp.Expr) -> Step:
    simulated = sp.Symbol("delta_400", positive=True)
    return Step(
        "simulation",
        Equivalent(Expectation(simulated), _at_simulation(mean)),
        f"T = {SAMPLES} samples uniform on a torus of {SIDE} dimensions: the mean distance to "
        f"the nearest of them in {SEEDS} draws.",
        Statistical(
            _simulated,
            lambda claim: float(claim.rhs),
            resolution=0.03,
            sizes=f"T = {SAMPLES}, d = {SIDE}",
        ),
    )


def _first_order(claim: Relation) -> list[sp.Expr]:
    """1 at r = 0, and −T v d r^{d−1} next, for d = 1, 2, 3; and independence of T."""
    right = claim.rhs
    found = [right.subs(r, 0).subs(dimension, 2) - 1]
    for d in (1, 2, 3):
        slope = sp.diff(right.subs(dimension, d), r) / (r ** (d - 1))
        found.append(sp.simplify(sp.limit(slope, r, 0) + T * volume * d))
    doubled = sp.expand_log(sp.log(right.subs(T, 2 * T)) - 2 * sp.log(right), force=True)
    return [*found, sp.simplify(doubled)]


def _beta(mean: sp.Expr, integrand: sp.Expr, u: sp.Symbol) -> list[sp.Expr]:
    """The claim less the integral, done exactly for whole T and d."""
    found = []
    for samples, d in ((3, 1), (4, 2), (5, 3)):
        inner = sp.expand(integrand.subs({T: samples, dimension: d}))
        value = sp.integrate(inner, (u, 0, 1))
        found.append(sp.simplify(sp.gammasimp(mean.subs({T: samples, dimension: d})) - value))
    return found


def _mean_at(mean: sp.Expr, samples: Any) -> Any:
    ratio = mpmath.gammaprod([samples + 1], [samples + 1 + mpmath.mpf(1) / 4])
    return mpmath.mpf(2) ** (-mpmath.mpf(1) / 4) * mpmath.gamma(1 + mpmath.mpf(1) / 4) * ratio


def _tail(claimed: sp.Expr, share: sp.Expr, u: sp.Symbol) -> list[sp.Expr]:
    """The claim less ∫ share du up to where the second ball is all, for whole T and d."""
    found = []
    for samples, d in ((2, 1), (3, 2), (5, 3)):
        inner = sp.simplify(share.subs({T: samples, dimension: d}))
        value = sp.integrate(sp.expand(sp.cancel(inner)), (u, 0, mu**-d))
        found.append(sp.simplify(claimed.subs({T: samples, dimension: d}) - value))
    return found


def _at_simulation(mean: sp.Expr) -> sp.Float:
    values = {T: SAMPLES, dimension: SIDE, volume: sp.Float(BALL[SIDE])}
    return sp.Float(float(sp.N(sp.gammasimp(mean.subs(values)))), 8)


@cache
def _simulated() -> np.ndarray:
    """Nearest distances on a torus: the samples are repeated beyond its sides."""
    found = []
    shifts = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
    for seed in np.random.SeedSequence(2102).spawn(SEEDS):
        rng = np.random.default_rng(seed)
        samples, queries = rng.uniform(size=(SAMPLES, 2)), rng.uniform(size=(50, 2))
        around = (samples[None] + shifts[:, None]).reshape(-1, 2)
        found.append(float(np.mean(nearest_distances(queries, 1, around))))
    return np.array(found)
