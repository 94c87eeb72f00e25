r"""Sections 3, A and B: the chain, its mean-field equations, and their solution in Fourier space.

    v¹ = Ψv⁰,  v² = Ψᵀv¹/T,  v³ = Av²,  v⁴ = Aᵀv³/N,  v̇⁰ = −v⁴.

Each random matrix acts on the chain as a Gaussian field plus a linear response (equations (30)
to (33)). Solving the five linear relations of one mode gives the transfer function H_k; the two
responses that close on themselves give equation (1).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from solvable.analytic.free_probability.models import random_feature_resolvent
from solvable.analytic.free_probability.spectral_trace import in_spectral_functions
from solvable.analytic.notation import R1, R3, M, N, T, kappa, lam, target, z
from solvable.analytic.resolvent import self_consistent_equation, solve
from solvable.analytic.spectral_functions import D1
from solvable.validation import sampled
from solvable.validation.cells import Cell

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Exact, FiniteSize, Point, Solves, proportional
from ..derivation import Step
from ..relations import Equivalent, Expectation, Relation, equation
from .mode_sums import atomic, modes, transfer

PAPER = "dynamical-model"
v0, v1, v2, v3, v4 = sp.symbols("v^0_k v^1 v^2_k v^3 v^4_k")
u1, u2, u3, u4 = sp.symbols("u^1 u^2_k u^3 u^4_k")
R02, R24 = sp.symbols("R_02 R_24")

#: equations (30)–(33) of one mode, transformed; u are the Gaussian fields
CHAIN = [
    equation(z * v0 - target, -v4),
    equation(v2, u2 + lam * R1 * v0),
    equation(v4, u4 + R3 * v2),
]
FIELDS = [equation(v1, u1 + R02 * v1 / T), equation(v3, u3 + R24 * v3 / N)]

H = sp.Symbol("H_k")
SETTING = sampled.task()
FREQUENCY = 0.05


def _at(cell: Cell, frequency: float) -> Point:
    """κ of equation (1) and the sizes of a simulated model."""
    spectrum = cell.spectrum
    solution = solve(spectrum, cell.features, cell.samples, frequency).value
    values = {kappa: solution, N: cell.features, T: cell.samples, z: frequency}
    return Point(values, spectrum)


def _larger(size: int) -> Cell:
    """The setting with all sizes multiplied."""
    return sampled.task(60 * size, 90 * size, 150 * size)


@cache
def mode_solution() -> dict[sp.Symbol, sp.Expr]:
    """v⁰, v², v⁴ of one mode in terms of the target and the fields."""
    solution = sp.solve([line.difference for line in CHAIN], [v0, v2, v4], dict=True)[0]
    return {field: sp.factor(value) for field, value in solution.items()}


def responses() -> tuple[sp.Expr, sp.Expr]:
    """R₀₂ = Σ λ ∂v⁰/∂u² and R₂₄ = Σ ∂v²/∂u⁴, read off the solution of one mode."""
    solution = mode_solution()
    outer = modes(sp.simplify(lam * sp.diff(solution[v0], u2)))
    inner = modes(sp.simplify(sp.diff(solution[v2], u4)))
    return outer, inner


@derivation(
    "dynamical-response",
    "Response functions of training: the chain solved in Fourier space",
    *references(PAPER, "10", "11", "30", "31", "32", "33", "68"),
)  # fmt: skip
def dynamical_response() -> Parts:
    """Each mode of the residual obeys a linear chain driven by Gaussian fields. Its solution
    gives the transfer function H_k = 1/(z + λ_k R₁R₃), z = iω; the two responses close on
    themselves, and with κ = z/(R₁R₃) they are one equation, @resolvent/equation."""
    solution = mode_solution()
    r1 = sp.solve(FIELDS[0].difference, v1)[0].diff(u1)
    r3 = sp.solve(FIELDS[1].difference, v3)[0].diff(u3)
    transferred = transfer * (target - u4 - R3 * u2)
    product = equation(z, kappa * (1 - D1 / N) * (1 - D1 / T))
    engine = in_spectral_functions(random_feature_resolvent().relations[0])
    one = Step(
        "one-equation", product,
        "κR₁R₃ = z with R₁ = 1 − D₁/T and R₃ = 1 − D₁/N, from @occupation.",
        Exact({z: self_consistent_equation().rhs}), Reference(PAPER, "11"),
        (equation(z, kappa * (1 - D1 / N) * (1 - D1 / N)),),
    )  # fmt: skip
    steps = [
        Step("residual", equation(v0, sp.factor(transferred)),
             "The three linear relations of a mode, solved for v⁰.",
             Solves(CHAIN, {v2: solution[v2], v4: solution[v4]}), Reference(PAPER, "33"),
             (equation(v0, transfer * (target - u4 - lam * R3 * u2)),
              equation(v0, transfer * (target + u4 - R3 * u2)))),
        Step("projection", equation(v2, z * transfer * u2 + lam * R1 * transfer * (target - u4)),
             "The same solution for v².", Solves(CHAIN, {v0: solution[v0], v4: solution[v4]}),
             Reference(PAPER, "133"),
             (equation(v2, z * transfer * u2 + R1 * transfer * (target - u4)),)),
        Step("data-response", equation(R1, r1), "v¹ = u¹ + R₀₂v¹/T solved for R₁ = ∂v¹/∂u¹.",
             Solves([equation(R1 * (1 - R02 / T), 1)]), Reference(PAPER, "31"),
             (equation(R1, 1 / (1 - 1 / T)), equation(R1, 1 / (1 + R02 / T)))),
        Step("feature-response", equation(R3, r3), "v³ = u³ + R₂₄v³/N solved for R₃ = ∂v³/∂u³.",
             Solves([equation(R3 * (1 - R24 / N), 1)]), Reference(PAPER, "32"),
             (equation(R3, 1 / (1 - R24 / T)),)),
        *_closure_steps(),
        one,
        one.evidence(
            "from-the-matrices",
            "The matrix calculus applied to (z + AᵀA ΨᵀΨ)^{-1}, with no mean-field assumption.",
            Exact(residual=proportional(engine)), None,
            (equation(z, kappa * (1 - D1 / N)), equation(z, kappa * (1 - 2 * D1 / N))),
        ),
        *_simulated_responses(),
    ]  # fmt: skip
    return Parts(
        steps, product,
        ("M, N, T large; entries of ΨΛ^{-1/2} (T×M) and A (N×M) independent, unit variance",),
        ("The paper's (31): R₁ needs the response R₀₂ inside the bracket; without it the check of "
         "@data-response fails.",
         "The paper's (33): the printed λ_k before R₃u² has no place in v⁰, whose u² already "
         "carries the variance λ_k C₁/T; the check of @residual rejects it.",
         "The paper's (133): the printed v² lacks the λ_k of λ_k R₁v⁰; the check of @projection "
         "rejects it."),
    )  # fmt: skip


def _closure_steps() -> list[Step]:
    """R₀₂ and R₂₄ of the mode's solution close the responses on themselves."""
    outer, inner = responses()
    shared = sp.Symbol("X")  # Σ λR₁R₃H, the sum in both closed forms
    total = modes(lam * R1 * R3 * transfer)
    return [
        Step("data-closed", equation(R1, 1 - total / T),
             "R₀₂ = Σλ ∂v⁰/∂u² of @residual closes @data-response.",
             Exact(residual=proportional(equation(R1 * (1 - outer / T), 1))),
             Reference(PAPER, "11"),
             (equation(R1, 1 - modes(R1 * R3 * transfer) / T), equation(R1, 1 - total / N))),
        Step("feature-closed", equation(R3, 1 - total / N),
             "R₂₄ = Σ ∂v²/∂u⁴ of @projection closes @feature-response.",
             Exact(residual=proportional(equation(R3 * (1 - inner / N), 1))),
             Reference(PAPER, "32"), (equation(R3, 1 - total / T),)),
        Step("conservation", equation(N * (1 - R3), T * (1 - R1)),
             "@data-closed and @feature-closed subtract the same sum over modes.",
             Exact({R1: 1 - shared / T, R3: 1 - shared / N}), Reference(PAPER, "68"),
             (equation(T * (1 - R3), N * (1 - R1)),)),
        Step("occupation", equation(lam * R1 * R3 * H, lam / (lam + kappa)),
             "H_k = 1/(z + λ_kR₁R₃) is the transfer function; with κ = z/(R₁R₃) the summand is "
             "that of D₁(κ).", Exact({H: transfer, kappa: z / (R1 * R3)}, atomic),
             Reference(PAPER, "10"), (equation(lam * R1 * R3 * H, kappa / (lam + kappa)),)),
    ]  # fmt: skip


def _simulated_responses() -> list[Step]:
    """The three resolvents of Ψ (T×M) and A (N×M), averaged over draws."""
    mode = 3
    psi, a = sp.MatrixSymbol("Psi", T, M), sp.MatrixSymbol("A", N, M)
    scale = 1 / (N * T * z)
    data = (sp.Identity(T) + scale * psi * a.T * a * psi.T).I
    features = (sp.Identity(N) + scale * a * psi.T * psi * a.T).I
    full = (z * sp.Identity(M) + a.T * a * psi.T * psi / (N * T)).I

    def frequency(size: int) -> float:
        """Scaled so that D₁/T stays about the same."""
        return FREQUENCY * size**-1.25

    def value(claim: Relation, size: int) -> float:
        cell = _larger(size)
        known = {lam: sp.Float(cell.spectrum.eigenvalue(mode))}
        return float(_at(cell, frequency(size))(claim.rhs.xreplace(known)))

    def step(name: str, average: sp.Expr, right: sp.Expr, wrong: sp.Expr, one: Any,
             why: str) -> Step:  # fmt: skip
        left = Expectation(average)
        check = FiniteSize(
            lambda size: one(_larger(size), frequency(size)), value, (1, 2), resolution=0.1,
            sizes=SETTING.sizes(),
        )  # fmt: skip
        reason = f"{why}; {SETTING.sizes()} and twice as large."
        return Step(name, Equivalent(left, right), reason, check, Reference(PAPER, "10"),
                    (Equivalent(left, wrong),))  # fmt: skip

    return [
        step("simulated-data-response", sp.Trace(data) / T, 1 - D1 / T, 1 - D1 / N,
             lambda cell, z: sampled.response(cell, "data", z),
             "R₁ is the trace of the T×T resolvent"),
        step("simulated-feature-response", sp.Trace(features) / N, 1 - D1 / N, 1 - D1 / T,
             lambda cell, z: sampled.response(cell, "features", z),
             "R₃ is the trace of the N×N resolvent"),
        step("simulated-transfer", sp.Trace(full * unit_projector()), kappa / (z * (kappa + lam)),
             1 / (z + lam), lambda cell, z: sampled.transfer_function(cell, z, mode, 150),
             "H_k is a diagonal entry of the M×M resolvent, that of the unit vector e_k, k = 3"),
    ]  # fmt: skip


def unit_projector() -> sp.MatrixExpr:
    """e_k e_kᵀ, the projector on mode k."""
    unit = sp.MatrixSymbol("e_k", M, 1)
    return unit * unit.T
