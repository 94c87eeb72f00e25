"""From the sample spectrum to the population spectrum and back."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from solvable.analytic.data.outliers import spike
from solvable.analytic.notation import T, kappa, letter, z
from solvable.analytic.resolvent import self_consistent_equation, solve
from solvable.analytic.spectral_functions import D1
from solvable.analytic.spectrum import Empirical

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Solves, Statistical
from ..derivation import Step
from ..relations import Equality, Equivalent, Expectation

if TYPE_CHECKING:
    from ..relations import Relation

value = sp.Symbol("lambda", positive=True)  # a population eigenvalue that stands apart
position = sp.Symbol("psi", positive=True)  # the sample eigenvalue that it gives
rest = sp.Function("S")(value)  # Σ_i λ_i/(λ − λ_i) over the other modes
sample_sum = sp.Symbol("Dhat", positive=True)  # Σ_i l_i/(l_i + z)
ratio = sp.Symbol("c", positive=True)  # M/T
SEEDS, SAMPLES = 60, 200
MODES = np.r_[12.0, 5.0, np.full(98, 1.0)]
LEVELS = (0.02, 0.3, 2.0)


@derivation(
    "population-map",
    "The map between sample and population eigenvalues",
    Reference("marchenko-pastur"),
    Reference("spiked"),
)
def population_map() -> Parts:
    """The resolvent of a sample covariance knows the population at every shift κ that it reaches:
    κ follows from the sample alone. At a negative shift κ = −λ the same equation gives the place
    of the sample eigenvalue that a population eigenvalue λ outside of the bulk gives rise to, and
    where it merges with the bulk."""
    law = self_consistent_equation(T)  # N = ∞
    shift = sp.solve(law.subs(D1, sample_sum), kappa)[0]
    mapped = sp.expand(-law.rhs.subs(D1, -rest).subs(kappa, -value))
    slope = sp.diff(mapped.subs(rest, ratio * T / (value - 1)), value)  # white others, λ_i = 1
    edge = next(root for root in sp.solve(sp.numer(sp.together(slope)), value)
                if sp.simplify(root - 1).subs(ratio, 2) > 0)  # fmt: skip
    merged = sp.simplify(mapped.subs(rest, ratio * T / (value - 1)).subs(value, edge))
    steps = [
        Step(
            "shift-from-sample",
            Equality(kappa, shift),
            "D₁(κ) is the sum Dhat = Σ l/(l+z) over the sample eigenvalues themselves: κ is "
            "measured without knowing the population.",
            Solves([law.subs(D1, sample_sum)]),
            wrong=(Equality(kappa, z * (1 - sample_sum / T)),),
        ),
        Step(
            "degrees-of-freedom",
            Equivalent(D1, Expectation(sample_sum)),
            f"The population D₁ at that κ, for M = {len(MODES)}, T = {SAMPLES}, against the "
            "average of the sample's in draws.",
            Agrees(_population_sums, lambda claim: _scaled(claim, _sample_sums()), 0.004),
            wrong=(Equivalent(D1, Expectation(sample_sum) * (1 + sample_sum / T)),),
        ),
        Step(
            "spike-position",
            Equality(position, mapped),
            "The equation continued to κ = −λ, z = −ψ; S(λ) = Σ λ_i/(λ−λ_i) over the other modes "
            "is −D₁(−λ).",
            Agrees(_positions, lambda claim: [
                float(claim.rhs.subs(rest, _other_sum(x)).subs({value: x, T: SAMPLES}))
                for x in (5.0, 12.0, 3.0)], 1e-12),
            Reference("spiked"),
        ),
        Step(
            "merging",
            Equality(sp.Symbol("lambda_c"), edge),
            "Among white modes, λ_i = 1 and c = M/T, the position has its least value where its "
            "derivative vanishes: below this λ an eigenvalue no longer stands apart.",
            Exact(value=lambda: 1 + sp.sqrt(ratio)),
            Reference("spiked"),
        ),
        Step(
            "edge",
            Equality(sp.Symbol("psi_c"), merged),
            "The position there is Marchenko and Pastur's upper edge.",
            Exact(value=lambda: (1 + sp.sqrt(ratio)) ** 2),
            Reference("marchenko-pastur"),
        ),
        _simulation(),
    ]  # fmt: skip
    return Parts(
        steps, (steps[0].claim, steps[2].claim),
        assumptions=("Gaussian rows, T and M large at a fixed ratio",),
    )  # fmt: skip


def _simulation() -> Step:
    top = letter("l_1", "l_1")
    return Step(
        "simulation",
        Equivalent(Expectation(top), sp.Float(float(_positions()[1]), 8)),
        f"The largest sample eigenvalue of the same population in {SEEDS} draws.",
        Statistical(
            _largest,
            lambda claim: float(claim.rhs),
            resolution=0.05,
            sizes=f"M = {len(MODES)}, T = {SAMPLES}",
        ),
    )


def _other_sum(x: float) -> float:
    others = MODES[x != MODES]
    return float(np.sum(others / (x - others)))


@cache
def _positions() -> list[float]:
    places = []
    for x in (5.0, 12.0, 3.0):
        others = MODES[x != MODES]
        counts = np.ones(len(others))
        places.append(float(spike(np.array([x]), others, counts, float(SAMPLES))[0, 0]))
    return places


@cache
def _draws() -> list[np.ndarray]:
    found = []
    for seed in np.random.SeedSequence(1967).spawn(SEEDS):
        data = np.random.default_rng(seed).normal(size=(SAMPLES, len(MODES))) * np.sqrt(MODES)
        found.append(np.linalg.svd(data, compute_uv=False) ** 2 / SAMPLES)
    return found


def _largest() -> np.ndarray:
    return np.array([draw[0] for draw in _draws()])


def _sample_sums() -> list[float]:
    return [float(np.mean([np.sum(d / (d + x)) for d in _draws()])) for x in LEVELS]


def _population_sums() -> list[float]:
    law = Empirical(MODES)
    shifts = [x / (1 - d / SAMPLES) for x, d in zip(LEVELS, _sample_sums())]
    exact = [float(solve(law, math.inf, SAMPLES, x).value) for x in LEVELS]
    assert np.allclose(shifts, exact, rtol=0.02)
    return [float(law.degrees_of_freedom(k)) for k in shifts]


def _scaled(claim: Relation, sums: list[float]) -> list[float]:
    """The right side of the claim at measured sums."""
    right = claim.rhs
    return [
        float(right.subs({Expectation(sample_sum): d}).subs({sample_sum: d, T: SAMPLES}))
        for d in sums
    ]
