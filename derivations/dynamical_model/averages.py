r"""Appendix H: averages over feature draws (ensembles) and over data draws (bags).

Two learners that differ in their features have independent fields u⁴: the term C₃/N is missing
between them. Two that differ in their data have independent u² and u¹: the terms C₁/T and the label
noise are missing. An average over E feature draws times B data draws has the error

    C = Σ_{f,d} (1/E or 1−1/E)(1/B or 1−1/B) C^{(f,d)},

and the part that no averaging removes is the bias Σ w_k²λ_k H_k H_k'.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from solvable.analytic.notation import C3, N, T, kappa, kappa_prime, letter, noise, sigma_eps
from solvable.analytic.resolvent import solve
from solvable.validation import sampled
from solvable.validation.cells import Cell

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Exact, FiniteSize, Point, Solves, rational
from ..derivation import Step
from ..relations import Relation, equation
from .mean_field import PAPER
from .mode_sums import U_lam, U_lam2, U_target, U_target_lam, coincident, unlimited
from .two_point import REDUCED, X, two_point_solution

members, bags = sp.symbols("E B", positive=True)  #: sizes of the two averages
own, feature_pair, data_pair, full_pair = sp.symbols("C C_f C_d C_fd")
X_f, X_d, X_fd, X_E, V = sp.symbols("X_f X_d X_fd X_E V")


@cache
def crossed(shared_features: bool, shared_data: bool) -> sp.Expr:
    """z z'C₀ between two learners that share their features, their data, both or neither."""
    if shared_features and shared_data:
        return sp.factor(two_point_solution()[X] - noise)
    shared = sp.Symbol("F")  # X/T, with X = zz'C₀ + σ_ε²
    features = C3 if shared_features else sp.Integer(0)
    data = shared * T if shared_data else sp.Integer(0)
    error, inner = (line.rhs.subs({C3: features, X: data}, simultaneous=True) for line in REDUCED)
    value = sp.Symbol("value")
    closed = [value - error + noise, C3 - inner]
    closed = [item.subs(shared, (value + noise) / T) for item in closed]
    return sp.factor(sp.solve(closed, [value, C3], dict=True)[0][value])


@derivation(
    "ensembling",
    "Ensembles and bags: what averaging removes and what it leaves",
    *references(PAPER, "19", "110", "111", "112", "113", "114", "115"),
)  # fmt: skip
def ensembling() -> Parts:
    """Learners that do not share a random matrix lose the corresponding term of the two-point
    system. Averages interpolate; what remains of infinitely many is the irreducible bias."""
    bias = kappa * kappa_prime * U_target
    single, other_features = (unlimited(crossed(kind, True), T) for kind in (True, False))
    variance = kappa * kappa_prime * U_lam * U_target_lam / (N - U_lam2)
    mean_square = own / members + (1 - 1 / members) * feature_pair
    pooled = (
        own + (members - 1) * feature_pair + (bags - 1) * data_pair
        + (members - 1) * (bags - 1) * full_pair
    ) / (members * bags)  # fmt: skip
    mean = letter("⟨v̄v̄⟩", r"\langle\bar v\bar v\rangle")
    features = Step(
        "other-features", equation(X_f, crossed(False, True) + noise),
        "C₃/N dropped from @two-point-function/reduced-error: X_f = σ_ε² + κκ'U[w²λ] + U[λ²]X_f/T.",
        Solves([equation(X_f, noise + bias + U_lam2 * X_f / T)]), Reference(PAPER, "110"),
        (equation(X_f, crossed(True, True) + noise), equation(X_f, crossed(False, True))),
    )  # fmt: skip
    data = Step(
        "other-data", equation(X_d, crossed(True, False)),
        "X/T and σ_ε² dropped: C₃ = U[w²λ²] + U[λ²]C₃/N in @two-point-function/reduced-features.",
        Solves([_features_alone()]), Reference(PAPER, "113"),
        (equation(X_d, crossed(True, False) + noise), equation(X_d, crossed(False, True))),
    )  # fmt: skip
    both = Step(
        "other-both", equation(X_fd, crossed(False, False)),
        "Neither term: the bias Σ w²λHH' is all that two such learners share.",
        Solves([equation(X_fd, REDUCED[0].rhs.subs({C3: 0, X: 0, sigma_eps: 0}))]),
        Reference(PAPER, "115"), (equation(X_fd, bias / (1 - U_lam2 / T)),),
    )  # fmt: skip
    online = Step(
        "online", equation(X_E, bias + V / members),
        "T → ∞: an ensemble of E models has bias + variance/E, V being the variance of one.",
        Exact({V: single - bias}, rational,
              lambda: single / members + (1 - 1 / members) * other_features),
        Reference(PAPER, "19"), (equation(X_E, bias + V),),
    )  # fmt: skip
    steps = [
        features, _simulated(features, False, True),
        data, _simulated(data, True, False),
        both, _simulated(both, False, False),
        Step("mean-of-members", equation(mean, mean_square),
             "The square of a mean of E exchangeable residuals, counted for E = 2 … 5; C is the "
             "correlation of one with itself, C_f that of two which differ in their features.",
             _counted(1), Reference(PAPER, "111"),
             (equation(mean, own / members + feature_pair), equation(mean, own / members))),
        Step("grid-of-members", equation(mean, pooled),
             "All pairs of one of E feature draws and one of B data draws, counted up to 5 × 4.",
             _counted(4), Reference(PAPER, "114"),
             (equation(mean, mean_square.subs(members, members * bags)),)),
        online,
        Step("variance-positive", equation(V, variance), "The variance of one model over features.",
             Exact(simplify=rational, value=lambda: single - other_features),
             Reference(PAPER, "19"), (equation(V, variance / 2),)),
    ]  # fmt: skip
    return Parts(
        steps, online.claim,
        ("X stands for z z'C₀ (with shared data: + σ_ε²), to be divided by z z' and transformed "
         "back like C₀ itself",),
    )  # fmt: skip


def _features_alone() -> Relation:
    inner = sp.solve(C3 - REDUCED[1].rhs.subs(X, 0), C3)[0]
    return equation(X_d, kappa * kappa_prime * (U_target + U_lam * inner / N))


def _counted(largest: int) -> Exact:
    """The claim against the sum over all pairs of members, for E ≤ 5 and B ≤ ``largest``."""
    cases = [(e, k) for e in range(1, 6) for k in range(1, largest + 1)]

    def residual(claim: Relation) -> list[sp.Expr]:
        return [
            claim.rhs.subs({members: e, bags: k}) - _square_of_grid(e, k) for e, k in cases
        ]  # fmt: skip

    return Exact(residual=residual)


def _square_of_grid(features: int, data: int) -> sp.Expr:
    """E(mean of v)² over a grid of feature draws times data draws, pair by pair."""
    kinds = {(True, True): own, (False, True): feature_pair, (True, False): data_pair,
             (False, False): full_pair}  # fmt: skip
    grid = [(i, j) for i in range(features) for j in range(data)]
    total = sum(kinds[x[0] == y[0], x[1] == y[1]] for x in grid for y in grid)
    return sp.expand(total / sp.Integer(features * data) ** 2)


def _simulated(step: Step, shared_features: bool, shared_data: bool) -> Step:
    """Pairs of simulated ridge regressions at one real frequency against the closed form."""

    def at(size: int) -> tuple[Cell, float]:
        """The setting with all sizes multiplied; D₁/T stays about the same."""
        return sampled.task(60 * size, 90 * size, 150 * size, noise=0.1), 0.02 * size**-1.25

    def simulated(size: int) -> Any:
        cell, frequency = at(size)
        pair = {"own_features": not shared_features, "own_data": not shared_data}
        return sampled.ridge_product(cell, (frequency, frequency), 100, **pair)

    def theory(claim: Relation, size: int) -> float:
        cell, frequency = at(size)
        spectrum = cell.spectrum
        root = solve(spectrum, cell.features, cell.samples, frequency).value
        values = {kappa: root, N: cell.features, T: cell.samples, sigma_eps: cell.noise**0.5}
        label = cell.noise if shared_data else 0.0
        return float(Point(values, spectrum)(claim.rhs.xreplace(coincident))) - label

    return step.evidence(
        f"simulated-{step.name}", "100 pairs of ridge regressions at one frequency, z' = z.",
        FiniteSize(simulated, theory, (1, 2), sizes=at(1)[0].sizes()),
        Reference(PAPER, "110"),
    )  # fmt: skip
