r"""Equation (35) of the dynamical paper: correlations of the residual at two frequencies.

The covariances of the Gaussian fields of the chain close into a linear system for the two-point
functions C₀ … C₃ of v⁰ … v³. In κ and κ' it has two unknowns, X = zz'C₀ + σ_ε² and C₃, and no
response function, so that t → ∞ (z → 0) is no special case.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.notation import (
    C0,
    C1,
    C2,
    C3,
    R1,
    R3,
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
from solvable.analytic.resolvent import solve
from solvable.analytic.spectral_functions import D1, D1_prime, h1, h1_prime
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training import correlation as evaluated

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, Both, Exact, Point, Solves, rational
from ..derivation import Step
from ..relations import Relation, equation
from ..solvable_model.regression_loss import two_point_from_the_matrices
from .mean_field import PAPER, mode_solution, u2, u4, v0, v2
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
    primed,
    transfer,
)


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
    *references(PAPER, "9", "35", "104"),
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
    """C₀ in the cancellation-free form that `analytic.training.correlation` evaluates."""
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
