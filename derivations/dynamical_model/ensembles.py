r"""Appendix H: averages over feature draws (ensembles) and over data draws (bags).

Two learners that differ in their features have independent fields u⁴: the term C₃/N is missing
between them. Two that differ in their data have independent u² and u¹: the terms C₁/P and the label
noise are missing. An average over E feature draws times B data draws has the error

    C = Σ_{f,d} (1/E or 1−1/E)(1/B or 1−1/B) C^{(f,d)},

and the part that no averaging removes is the bias Σ w_k²λ_k H_k H_k'.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from solvable.analytic.notation import N, P, kappa, kappa_prime
from solvable.analytic.resolvent.solution import solve
from solvable.validation import sampled

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, Point, Statistical, Verdict
from ..derivation import Step, equation
from .mean_field import PAPER, REDUCED, E, two_point_solution
from .notation import (
    C3,
    D2,
    Solves,
    T_lam,
    T_lam2,
    T_target,
    T_target_lam,
    coincident,
    h2,
    letter,
    noise,
    rational,
)

members, bags = sp.symbols("E B", positive=True)  #: sizes of the two averages
own, feature_pair, data_pair, full_pair = sp.symbols("C C_f C_d C_fd")
FREQUENCY = 0.02
SETTING = sampled.task(noise=0.1)


@cache
def crossed(shared_features: bool, shared_data: bool) -> sp.Expr:
    """z z'C₀ between two learners that share their features, their data, both or neither."""
    if shared_features and shared_data:
        return sp.factor(two_point_solution()[E] - noise)
    features = C3 / N if shared_features else sp.Integer(0)
    data = sp.Symbol("F") if shared_data else sp.Integer(0)  # E/P, with E = zz'C₀ + σ²
    error = REDUCED[0].rhs.xreplace({C3 / N: features}).subs(C3, features * N)
    error = (error - noise).subs(E, data * P)
    inner = REDUCED[1].rhs.subs(C3, features * N).subs(E, data * P)
    unknowns = [sp.Symbol("X"), C3]
    equations = [equation(unknowns[0], error), equation(C3, inner)]
    closed = [item.subs(sp.Symbol("F"), (unknowns[0] + noise) / P) for item in equations]
    solution = sp.solve(closed, unknowns, dict=True)[0]
    return sp.factor(solution[unknowns[0]])


@derivation(
    "ensembling",
    "Ensembles and bags: what averaging removes and what it leaves",
    Reference(PAPER, "19"), Reference(PAPER, "110"), Reference(PAPER, "111"),
    Reference(PAPER, "112"), Reference(PAPER, "113"), Reference(PAPER, "114"),
    Reference(PAPER, "115"),
)  # fmt: skip
def ensembling() -> Parts:
    """Learners that do not share a random matrix lose the corresponding term of the two-point
    system. Averages interpolate; what remains of infinitely many is the irreducible bias."""
    bias = kappa * kappa_prime * T_target
    shared = ((True, True), (False, True))
    limit = {kind: _without_bottleneck(crossed(*kind)) for kind in shared}
    mean_square = own / members + (1 - 1 / members) * feature_pair
    pooled = (
        own + (members - 1) * feature_pair + (bags - 1) * data_pair
        + (members - 1) * (bags - 1) * full_pair
    ) / (members * bags)  # fmt: skip
    mean = letter("⟨v̄v̄⟩", r"\langle\bar v\bar v\rangle")
    variance = sp.Symbol("V")
    steps = [
        Step("other-features", equation(E, crossed(False, True) + noise),
             "C₃/N dropped: E = σ² + κκ'T[w²λ] + T[λ²]E/P.",
             Solves([equation(E, noise + bias + T_lam2 * E / P)]), Reference(PAPER, "110"),
             (equation(E, crossed(True, True) + noise), equation(E, crossed(False, True)))),
        Step("other-data", equation(E, crossed(True, False)),
             "E/P and σ² dropped: C₃ = T[w²λ²] + T[λ²]C₃/N.",
             Solves([_features_alone()]), Reference(PAPER, "113"),
             (equation(E, crossed(True, False) + noise), equation(E, crossed(False, True)))),
        Step("other-both", equation(E, crossed(False, False)),
             "Neither term: the bias Σ w²λHH' is all that two such learners share.",
             Solves([equation(E, REDUCED[0].rhs.subs({C3: 0, E: 0, noise: 0}))]),
             Reference(PAPER, "115"), (equation(E, bias / (1 - T_lam2 / P)),)),
        Step("mean-of-members", equation(mean, mean_square),
             "The square of a mean of E exchangeable residuals, counted for E = 2 … 5.",
             _counted(1), Reference(PAPER, "111"),
             (equation(mean, own / members + feature_pair), equation(mean, own / members))),
        Step("grid-of-members", equation(mean, pooled),
             "All pairs of a feature draw and a data draw, counted up to 5 × 4.",
             _counted(4), Reference(PAPER, "114"),
             (equation(mean, mean_square.subs(members, members * bags)),)),
        Step("online", equation(limit[True, True] / members + (1 - 1 / members) * bias,
                                bias + variance / members),
             "P → ∞: the loss of an ensemble is bias + variance/E.",
             Exact({variance: limit[True, True] - bias}, rational), Reference(PAPER, "19"),
             (equation(limit[True, True] / members, bias + variance / members),)),
        Step("variance-positive", equation(limit[True, True] - limit[False, True],
                                           _feature_variance()),
             "The variance is κκ'T[λ]T[w²λ²]/(N − T[λ²]).",
             Exact(simplify=rational), Reference(PAPER, "19"),
             (equation(limit[True, True] - limit[False, True], _feature_variance() / 2),)),
        *_simulated_pairs(),
    ]  # fmt: skip
    return Parts(
        steps,
        equation(sp.Symbol("L"), bias + variance / members),
        ("z z'C₀, to be divided by z z' and transformed back like C₀ itself",),
    )


def _without_bottleneck(value: sp.Expr) -> sp.Expr:
    """The limit P → ∞ of a rational function of P."""
    inverse = sp.Symbol("tau", positive=True)
    return sp.factor(sp.cancel(sp.together(value.subs(P, 1 / inverse))).subs(inverse, 0))


def _features_alone() -> sp.Eq:
    inner = sp.solve(equation(C3, REDUCED[1].rhs.subs(E, 0)), C3)[0]
    return equation(E, kappa * kappa_prime * (T_target + T_lam * inner / N))


def _feature_variance() -> sp.Expr:
    return kappa * kappa_prime * T_lam * T_target_lam / (N - T_lam2)


def _counted(largest: int) -> Callable[[sp.Basic], Verdict]:
    """The claim against the sum over all pairs of members, for E ≤ 5 and B ≤ ``largest``."""

    def check(claim: sp.Basic) -> Verdict:
        cases = [(e, k) for e in range(1, 6) for k in range(1, largest + 1)]
        for e, k in cases:
            residual = sp.expand(claim.args[1].subs({members: e, bags: k}) - _square_of_grid(e, k))
            if residual != 0:
                return Verdict("fail", f"E = {e}, B = {k}: residual {residual}")
        return Verdict("pass", f"equal to the sum over all pairs in {len(cases)} cases")

    return check


def _square_of_grid(features: int, data: int) -> sp.Expr:
    """E(mean of v)² over a grid of feature draws times data draws, pair by pair."""
    kinds = {(True, True): own, (False, True): feature_pair, (True, False): data_pair,
             (False, False): full_pair}  # fmt: skip
    grid = [(i, j) for i in range(features) for j in range(data)]
    total = sum(kinds[x[0] == y[0], x[1] == y[1]] for x in grid for y in grid)
    return sp.expand(total / sp.Integer(features * data) ** 2)


def _simulated_pairs() -> list[Step]:
    """Pairs of simulated ridge regressions at one real frequency against the closed forms."""
    spectrum = SETTING.spectrum
    root = solve(spectrum, SETTING.features, SETTING.samples, FREQUENCY).value
    values = {kappa: root, N: SETTING.features, P: SETTING.samples, noise: SETTING.noise}
    point = Point(values, spectrum)
    bias = kappa**2 * h2

    def step(name: str, shared: tuple[bool, bool], *wrong: sp.Expr) -> Step:
        value = crossed(*shared).xreplace(coincident)
        product = letter("z²C₀", "z^{2}C_{0}")
        own_features, own_data = (not part for part in shared)
        return Step(
            name, equation(product, value), "100 pairs of ridge regressions at one frequency.",
            Statistical(
                lambda: sampled.ridge_product(
                    SETTING, (FREQUENCY, FREQUENCY), 100,
                    own_features=own_features, own_data=own_data,
                ),
                lambda claim: float(point(claim.args[1])),
                sizes=SETTING.sizes(),
            ),
            Reference(PAPER, "110"), tuple(equation(product, other) for other in wrong),
        )  # fmt: skip

    same = crossed(True, True).xreplace(coincident)
    return [
        step("simulated-other-features", (False, True), same, bias),
        step("simulated-other-data", (True, False), same, bias * (1 + D2 / P) + noise),
        step("simulated-other-both", (False, False), same, bias / (1 - D2 / P)),
    ]
