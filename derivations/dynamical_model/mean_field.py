r"""Sections 3, A and B: the chain, its mean-field equations, and their solution in Fourier space.

    v¹ = Ψv⁰,  v² = Ψᵀv¹/T,  v³ = Av²,  v⁴ = Aᵀv³/N,  v̇⁰ = −v⁴.

Each random matrix acts on the chain as a Gaussian field plus a linear response (equations (30)
to (33)). Solving the five linear relations of one mode gives the transfer function H_k; the two
responses that close on themselves give equation (1); the covariances of the fields give the
system (2) of two-point functions, whose 2×2 form holds no response function at all.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic import correlation as evaluated
from solvable.analytic.free_probability.models import random_feature_resolvent
from solvable.analytic.free_probability.spectral_trace import in_spectral_functions
from solvable.analytic.notation import (
    C0,
    C1,
    C2,
    C3,
    R1,
    R3,
    M,
    N,
    R1_prime,
    R3_prime,
    T,
    kappa,
    kappa_prime,
    lam,
    noise,
    sigma_eps,
    target,
    z,
    z_prime,
)
from solvable.analytic.resolvent.solution import self_consistent_equation, solve
from solvable.analytic.spectral_functions import D1, D1_prime, h1, h1_prime
from solvable.analytic.spectrum import PowerLaw
from solvable.validation import sampled
from solvable.validation.cells import Cell

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Both, Exact, FiniteSize, Point, Solves, proportional, rational
from ..derivation import Step
from ..relations import Equivalent, Expectation, Relation, equation
from ..solvable_model.regression_loss import two_point_from_the_matrices
from .mode_sums import (
    SUMMANDS,
    S_lam,
    S_lam2,
    S_target,
    S_target_lam,
    U_lam,
    U_lam2,
    U_target,
    U_target_lam,
    atomic,
    divided_differences,
    modes,
    primed,
    transfer,
)

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
    Reference(PAPER, "10"), Reference(PAPER, "11"), Reference(PAPER, "30"),
    Reference(PAPER, "31"), Reference(PAPER, "32"), Reference(PAPER, "33"),
    Reference(PAPER, "68"),
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


# ---- two-point functions -----------------------------------------------------------------


def covariance(field: sp.Symbol) -> sp.Expr:
    """⟨v v'⟩ of one mode: products of the coefficients with the variances of w, u², u⁴."""
    value = sp.expand(mode_solution()[field])
    variances = {target: target**2, u2: lam * C1 / T, u4: C3 / N}
    return sp.Add(*[
        sp.simplify(value.coeff(source, 1)) * primed(sp.simplify(value.coeff(source, 1))) * variance
        for source, variance in variances.items()
    ])  # fmt: skip


def system() -> list[Relation]:
    """System (2): equations (35) of the paper with the sums S[f] = Σ f H H'."""
    driven = C0 + noise / (z * z_prime)
    return [
        equation(C0, S_target + S_lam * C3 / N + R3 * R3_prime * S_lam2 * C1 / T),
        equation(C1, R1 * R1_prime * driven),
        equation(C2, z * z_prime * S_lam * C1 / T
                 + R1 * R1_prime * (S_target_lam + S_lam2 * C3 / N)),
        equation(C3, R3 * R3_prime * C2),
    ]  # fmt: skip


X = sp.Symbol("X")  #: zz'C₀ + σ_ε²
REDUCED = [
    equation(X, noise + kappa * kappa_prime * (U_target + U_lam * C3 / N) + U_lam2 * X / T),
    equation(C3, U_target_lam + U_lam * X / T + U_lam2 * C3 / N),
]


@cache
def two_point_solution() -> dict[sp.Symbol, sp.Expr]:
    """X = z z'C₀ + σ_ε² and C₃, solved from the 2×2 system."""
    solution = sp.solve([line.difference for line in REDUCED], [X, C3], dict=True)[0]
    return {unknown: sp.factor(value) for unknown, value in solution.items()}


def _eliminated() -> dict[sp.Symbol, sp.Expr]:
    """C₀ … C₃ of system (2) in terms of X and C₃ of the 2×2 system, and S[f] through U[f]."""
    factor = kappa * kappa_prime / (z * z_prime)
    sums = {
        S_lam: factor * U_lam, S_lam2: factor * U_lam2,
        S_target: factor * U_target, S_target_lam: factor * U_target_lam,
    }  # fmt: skip
    brackets = {R3: z / (kappa * R1), R3_prime: z_prime / (kappa_prime * R1_prime)}
    first = two_point_solution()
    fields = {
        C0: (first[X] - noise) / (z * z_prime),
        C1: R1 * R1_prime * first[X] / (z * z_prime),
        C2: first[C3] * (kappa * kappa_prime * R1 * R1_prime) / (z * z_prime),
        C3: first[C3],
    }
    return {**sums, **brackets, **fields}


@derivation(
    "two-point-function",
    "The two-point function of the residual: every loss at every time",
    Reference(PAPER, "9"), Reference(PAPER, "35"), Reference(PAPER, "104"),
)  # fmt: skip
def two_point_function() -> Parts:
    """The covariances of the four Gaussian fields close into a linear system for the two-point
    functions C₀ … C₃. Written with κ and κ' it has two unknowns, X = zz'C₀ + σ_ε² and C₃, and
    holds no response function, so that t → ∞ (z → 0) is no special case."""
    equations = system()
    value = two_point_solution()[X]
    isotropic = sp.factor(
        value.subs({sigma_eps: 0, U_target: U_lam, U_target_lam: U_lam2}, simultaneous=True)
    )
    solved = sp.Function("X")
    mirrored = isotropic.subs({N: T, T: N}, simultaneous=True)
    reduced = Both([Exact(residual=lambda _: _residuals(equations)), Exact(two_point_solution())])
    error = Step(
        "error", equation(X, value), "@reduced-error and @reduced-features solved.",
        Solves([_without_features()]), Reference(PAPER, "35"),
        (equation(X, value.subs(sigma_eps, 0)), equation(X, 2 * value)),
    )  # fmt: skip
    steps = [
        *_covariance_steps(equations),
        *_divided_difference_steps(),
        Step("reduced-error", REDUCED[0],
             "@excess-error and @projected-gradient with the filters C₁ = R₁R₁'X/(zz'), "
             "C₃ = R₃R₃'C₂ and R₁R₃ = z/κ: the responses cancel in X = zz'C₀ + σ_ε².",
             reduced, None,
             (equation(X, noise + kappa * kappa_prime * (U_target + U_lam * C3 / N) + U_lam2 * X),
              equation(X, kappa * kappa_prime * (U_target + U_lam * C3 / N) + U_lam2 * X / T))),
        Step("reduced-features", REDUCED[1], "And in C₃.", reduced, None,
             (equation(C3, U_target_lam + U_lam * X / T + U_lam2 * C3 / T),)),
        error,
        error.evidence(
            "from-the-matrices",
            "The matrix calculus applied to E v(z)ᵀΛv(z'), v = (z + AᵀA ΨᵀΨ)^{-1}(w − AᵀAΨᵀε/z).",
            Exact(simplify=rational, value=lambda: z * z_prime * _engine_value() + noise),
            Reference(PAPER, "35"), (equation(X, value.subs(T, N)),),
        ),
        _evaluated(error),
        _stepped(error),
        Step("duality", equation(solved(N, T), solved(T, N)),
             "Isotropic target, no noise: N and T may be exchanged, at any pair of frequencies.",
             Exact({solved(N, T): isotropic, solved(T, N): mirrored}), None,
             (equation(solved(N, T), solved(T, T)), equation(solved(N, T), 2 * solved(T, N)))),
        _one_frequency_step(value),
    ]  # fmt: skip
    return Parts(
        steps, error.claim,
        ("as for the response functions; label noise independent, of variance σ_ε²",),
        ("The paper's (104): the matrix that multiplies the data's fields carries 1/T like its "
         "partner carries 1/N; without it the check of @reduced-error fails.",),
    )  # fmt: skip


def _without_features() -> Relation:
    """The 2×2 system with C₃ eliminated by its own equation: one equation for X."""
    c3 = sp.solve(REDUCED[1].difference, C3)[0]
    return equation(X, REDUCED[0].rhs.xreplace({C3: c3}))


def _covariance_steps(equations: list[Relation]) -> list[Step]:
    """⟨v⁰v⁰'⟩ and ⟨v²v²'⟩ of one mode, summed as C₀ = Σ λ⟨v⁰v⁰'⟩ and C₂ = Σ⟨v²v²'⟩."""
    pair = transfer * primed(transfer)
    summand = {symbol: factor * pair for symbol, factor in SUMMANDS.items()}

    def step(
        name: str, result: Relation, weight: sp.Expr, field: sp.Symbol, *wrong: Relation
    ) -> Step:
        per_mode = weight * covariance(field)
        return Step(
            name, result, "Variances of the fields times squared coefficients, summed over modes.",
            Exact({result.lhs: per_mode, **summand}, atomic), Reference(PAPER, "35"), wrong,
        )  # fmt: skip

    return [
        step("excess-error", equations[0], lam, v0,
             equation(C0, S_target + S_lam * C3 / N + R3 * R3_prime * S_lam * C1 / T),
             equation(C0, S_target + S_lam * C3 / N + S_lam2 * C1 / T)),
        step("projected-gradient", equations[2], sp.Integer(1), v2,
             equation(C2, S_lam * C1 / T + R1 * R1_prime * (S_target_lam + S_lam2 * C3 / N)),
             equation(C2, z * z_prime * S_lam * C1 / T
                      + R1 * R1_prime * (S_target + S_lam * C3 / N))),
    ]  # fmt: skip


def _divided_difference_steps() -> list[Step]:
    pair = (lam + kappa) * (lam + kappa_prime)
    claims = {
        "sum-of-eigenvalues": (U_lam, lam, equation(U_lam, divided_differences[U_lam])),
        "sum-of-squares": (U_lam2, lam**2, equation(U_lam2, divided_differences[U_lam2])),
    }
    summands = {D1: lam / (lam + kappa), primed(D1): lam / (lam + kappa_prime)}
    return [
        Step(name, claim, "Partial fractions in λ, mode by mode.",
             Exact({symbol: summand / pair, **summands}), None,
             (equation(symbol, -claim.rhs), equation(symbol, claim.rhs * kappa)))
        for name, (symbol, summand, claim) in claims.items()
    ]  # fmt: skip


def _residuals(equations: list[Relation]) -> list[sp.Expr]:
    """What the solution of the 2×2 system leaves in the four equations of the full one."""
    names = _eliminated()
    return [
        item.lhs.xreplace(names).xreplace(names) - item.rhs.xreplace(names).xreplace(names)
        for item in equations
    ]


def _one_frequency_step(error: sp.Expr) -> Step:
    """C₁ is a divided difference of a function of one frequency, F = R₁(κh₁ + σ_ε²)/z."""
    single = R1 * (kappa * h1 + noise) / z

    def difference(function: sp.Expr, sign: int = -1) -> sp.Expr:
        second = function.xreplace({h1: h1_prime}).xreplace({kappa: kappa_prime})
        return sign * (function - primed(second)) / (z - z_prime)

    value = R1 * R1_prime / (z * z_prime) * error.xreplace(divided_differences)
    brackets = [
        (C1, value), (z, kappa * R1 * R3), (z_prime, kappa_prime * R1_prime * R3_prime),
        (R1, 1 - D1 / T), (R3, 1 - D1 / N), (R1_prime, 1 - D1_prime / T),
        (R3_prime, 1 - D1_prime / N),
    ]  # fmt: skip
    return Step(
        "one-frequency", equation(C1, difference(single)),
        "With C₁ = R₁R₁'X/(zz') and z = κR₁R₃, @error is a divided difference: two sums with one "
        "frequency are enough.",
        Exact(brackets, rational), Reference(PAPER, "35"),
        (equation(C1, difference(single, 1)), equation(C1, difference(single / R1))),
    )  # fmt: skip


@cache
def _engine_value() -> sp.Expr:
    """The two-point function as the matrix calculus returns it, in the sums U[f]."""
    names = {evaluated.A: U_target, evaluated.B: U_lam, evaluated.D: U_lam2,
             evaluated.E: U_target_lam}  # fmt: skip
    return two_point_from_the_matrices().xreplace(names)


def _evaluated(error: Step) -> Step:
    """C₀ in the cancellation-free form that `analytic.correlation` evaluates."""
    spectrum = PowerLaw(exponent=1.25, target_exponent=1.5, size=40)
    form = evaluated.two_point_formula()[0].expression.xreplace({
        evaluated.R1: 1 - D1 / T, evaluated.R1_PRIME: 1 - D1_prime / T,
        evaluated.R3: 1 - D1 / N, evaluated.R3_PRIME: 1 - D1_prime / N,
        evaluated.A: divided_differences[U_target], evaluated.B: divided_differences[U_lam],
        evaluated.D: divided_differences[U_lam2], evaluated.H1: h1,
        evaluated.NU: 1 / N, evaluated.TAU: 1 / T, evaluated.NOISE: noise,
    })  # fmt: skip

    def at_points(expression: sp.Expr) -> list[Any]:
        pairs = ((5, 9, 0.3, 0.7), (20, 6, 0.01, 2))
        return [_pair(spectrum, *pair)(expression) for pair in pairs]

    return error.evidence(
        "evaluation",
        "The form without differences in which C₀ is evaluated is the same function.",
        Agrees(lambda: at_points(form * z * z_prime + noise),
               lambda claim: at_points(claim.rhs.xreplace(divided_differences)), 1e-20),
        Reference(PAPER, "35"),
    )  # fmt: skip


def _pair(
    spectrum: PowerLaw, features: int, samples: int, first: float, second: float, sigma: float = 0.2
) -> Point:
    """Values of every letter at two real frequencies; ``sigma`` is σ_ε²."""
    kappas = [solve(spectrum, features, samples, mpmath.mpf(q)).value for q in (first, second)]
    values = {
        kappa: kappas[0], kappa_prime: kappas[1], N: features, T: samples,
        sigma_eps: mpmath.sqrt(sigma), z: first, z_prime: second,
    }  # fmt: skip
    return Point(values, spectrum)


def _stepped(error: Step) -> Step:
    """Σ C₀(n,m) xⁿyᵐ of gradient descent is C₀(z,z')/(η²xy) at z = (1/x − 1)/η."""
    size, features, samples, sigma, eta, x, y = 12, 5, 7, 0.25, 0.5, 0.25, 0.2
    spectrum = PowerLaw(exponent=1.25, target_exponent=1.5, size=size)
    first, second = (1 / x - 1) / eta, (1 / y - 1) / eta

    @cache
    def stepped() -> float:
        from solvable.validation.time_stepping import gradient_descent_update, solve_mean_field

        solution = solve_mean_field(
            spectrum.eigenvalues(), spectrum.target_power(), gradient_descent_update(30, eta),
            features=features, samples=samples, noise=sigma,
        )  # fmt: skip
        powers = [[x**n * y**m for m in range(31)] for n in range(31)]
        generated = float((solution.correlations[0] * powers).sum())
        return first * second * generated * eta**2 * x * y + sigma

    def claimed(claim: Relation) -> Any:
        point = _pair(spectrum, features, samples, first, second, sigma)
        return point(claim.rhs.xreplace(divided_differences))

    return error.evidence(
        "time-domain",
        "The generating function of C₀ of gradient descent, stepped by the mean-field equations in "
        "time.",
        Agrees(stepped, claimed), Reference(PAPER, "35"),
        (equation(X, error.claim.rhs + noise), equation(X, error.claim.rhs.subs(T, N))),
    )  # fmt: skip
