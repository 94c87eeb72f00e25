r"""Sections 3, A and B: the chain, its mean-field equations, and their solution in Fourier space.

    v¹ = Ψv⁰,  v² = Ψᵀv¹/P,  v³ = Av²,  v⁴ = Aᵀv³/N,  v̇⁰ = −v⁴.

Each random matrix acts on the chain as a Gaussian field plus a linear response (equations (30)
to (33)). Solving the five linear relations of one mode gives the transfer function H_k; the two
responses that close on themselves give equation (1); the covariances of the fields give the
system (2) of two-point functions, whose 2×2 form holds no response function at all.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from solvable.analytic.free_probability.declarations import Eigenvalue
from solvable.analytic.free_probability.models import (
    gradient_flow_two_point,
    random_feature_resolvent,
)
from solvable.analytic.free_probability.spectral_trace import SpectralTrace, in_spectral_functions
from solvable.analytic.notation import N, P, T, kappa, kappa_prime, z, z_prime
from solvable.analytic.resolvent.solution import self_consistent_equation, solve
from solvable.analytic.spectrum import PowerLaw
from solvable.validation import sampled
from solvable.validation.cells import Cell

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, FiniteSize, Numeric, Point, Verdict
from ..derivation import Step, equation
from .notation import (
    C0,
    C1,
    C2,
    C3,
    D1,
    R1,
    R3,
    Agrees,
    Equivalent,
    R1p,
    R3p,
    Solves,
    T_lam,
    T_lam2,
    T_target,
    T_target_lam,
    atomic,
    divided_differences,
    h1,
    lam,
    mode_sums,
    modes,
    noise,
    primed,
    rational,
    target,
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
FIELDS = [equation(v1, u1 + R02 * v1 / P), equation(v3, u3 + R24 * v3 / N)]

SETTING = sampled.task()
FREQUENCY = 0.05


def _at(cell: Cell, frequency: float) -> Point:
    """κ of equation (1) and the sizes of a simulated model."""
    spectrum = cell.spectrum
    solution = solve(spectrum, cell.features, cell.samples, frequency).value
    values = {kappa: solution, N: cell.features, P: cell.samples, z: frequency}
    return Point(values, spectrum)


def _larger(size: int) -> Cell:
    """The setting with all sizes multiplied."""
    return sampled.task(60 * size, 90 * size, 150 * size)


@cache
def mode_solution() -> dict[sp.Symbol, sp.Expr]:
    """v⁰, v², v⁴ of one mode in terms of the target and the fields."""
    solution = sp.solve(CHAIN, [v0, v2, v4], dict=True)[0]
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
    gives the transfer function H_k = 1/(iω + λ_k R₁R₃); the two responses close on
    themselves, and with κ = iω/(R₁R₃) they are one equation, the resolvent's."""
    solution = mode_solution()
    r1 = sp.solve(FIELDS[0], v1)[0].diff(u1)
    r3 = sp.solve(FIELDS[1], v3)[0].diff(u3)
    transferred = transfer * (target - u4 - R3 * u2)
    data = equation(R1, 1 - modes(lam * R1 * R3 * transfer) / P)
    features = equation(R3, 1 - modes(lam * R1 * R3 * transfer) / N)
    product = equation(z, kappa * (1 - D1 / N) * (1 - D1 / P))
    engine = in_spectral_functions(random_feature_resolvent().relations[0])
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
        Step("data-response", equation(R1, r1), "v¹ = u¹ + R₀₂v¹/P solved for ∂v¹/∂u¹.",
             Solves([equation(R1 * (1 - R02 / P), 1)]), Reference(PAPER, "31"),
             (equation(R1, 1 / (1 - 1 / P)), equation(R1, 1 / (1 + R02 / P)))),
        Step("feature-response", equation(R3, r3), "v³ = u³ + R₂₄v³/N solved for ∂v³/∂u³.",
             Solves([equation(R3 * (1 - R24 / N), 1)]), Reference(PAPER, "32"),
             (equation(R3, 1 / (1 - R24 / P)),)),
        *_closure_steps(data, features),
        Step("one-equation", product, "κ R₁R₃ = z with R₁ = 1 − D₁/P and R₃ = 1 − D₁/N.",
             Exact({z: self_consistent_equation().rhs.subs(T, P)}), Reference(PAPER, "11"),
             (equation(z, kappa * (1 - D1 / N) * (1 - D1 / N)),)),
        Step("from-the-matrices", product,
             "The matrix calculus applied to (z + AᵀA ΨΨᵀ)^{-1}, with no mean-field assumption.",
             Equivalent(equation(*(side.subs(T, P) for side in engine.args))), None,
             (equation(z, kappa * (1 - D1 / N)), equation(z, kappa * (1 - 2 * D1 / N)))),
        *_simulated_responses(),
    ]  # fmt: skip
    return Parts(
        steps, product, ("M, N, P large; entries of Ψ Λ^{-1/2} and A independent, unit variance",),
        ("(31): R₁ needs the response R₀₂ inside the bracket; without it data-response fails.",
         "(33): the printed λ_k before R₃u² has no place in v⁰, whose u² already carries the "
         "variance λ_k C₁/P; the step residual rejects it.",
         "(133): the printed v² lacks the λ_k of λ_k R₁v⁰; the step projection rejects it."),
    )  # fmt: skip


def _closure_steps(data: sp.Eq, features: sp.Eq) -> list[Step]:
    """R₀₂ and R₂₄ of the mode's solution close the responses on themselves."""
    outer, inner = responses()
    shared = sp.Symbol("X")  # Σ λR₁R₃H, the sum in both closed forms
    return [
        Step("data-closed", data, "R₀₂ = Σλ ∂v⁰/∂u² of the mode's solution closes R₁.",
             Equivalent(equation(R1 * (1 - outer / P), 1)), Reference(PAPER, "11"),
             (equation(R1, 1 - modes(R1 * R3 * transfer) / P),
              equation(R1, 1 - modes(lam * R1 * R3 * transfer) / N))),
        Step("feature-closed", features, "R₂₄ = Σ ∂v²/∂u⁴ of the mode's solution closes R₃.",
             Equivalent(equation(R3 * (1 - inner / N), 1)), Reference(PAPER, "32"),
             (equation(R3, 1 - modes(lam * R1 * R3 * transfer) / P),)),
        Step("conservation", equation(N * (1 - R3), P * (1 - R1)),
             "Both brackets subtract the same sum over modes.",
             Exact({R1: 1 - shared / P, R3: 1 - shared / N}), Reference(PAPER, "68"),
             (equation(P * (1 - R3), N * (1 - R1)),)),
        Step("occupation", equation(lam * R1 * R3 * transfer, lam / (lam + kappa)),
             "With κ = z/(R₁R₃) the summand is the resolvent's.",
             Exact({kappa: z / (R1 * R3)}, atomic), None,
             (equation(lam * R1 * R3 * transfer, kappa / (lam + kappa)),)),
    ]  # fmt: skip


def _simulated_responses() -> list[Step]:
    mode, closed_transfer = 3, kappa / (z * (kappa + lam))

    def frequency(size: int) -> float:
        """Scaled so that D₁/P stays about the same."""
        return FREQUENCY * size**-1.25

    def value(claim: sp.Basic, size: int) -> float:
        cell = _larger(size)
        known = {lam: sp.Float(cell.spectrum.eigenvalue(mode))}
        return float(_at(cell, frequency(size))(claim.args[1].xreplace(known)))

    def simulated(one: Any) -> FiniteSize:
        return FiniteSize(
            lambda size: one(_larger(size), frequency(size)), value, (1, 2),
            resolution=0.1, sizes=SETTING.sizes(),
        )  # fmt: skip

    return [
        Step("simulated-data-response", equation(R1, 1 - D1 / P),
             "Trace of the P×P resolvent of simulated data and features.",
             simulated(lambda cell, z: sampled.response(cell, "data", z)), None,
             (equation(R1, 1 - D1 / N),)),
        Step("simulated-feature-response", equation(R3, 1 - D1 / N),
             "Trace of the N×N resolvent of simulated data and features.",
             simulated(lambda cell, z: sampled.response(cell, "features", z)), None,
             (equation(R3, 1 - D1 / P),)),
        Step("simulated-transfer", equation(sp.Symbol("H_k"), closed_transfer),
             "Diagonal of the M×M resolvent of simulated data and features.",
             simulated(lambda cell, z: sampled.transfer_function(cell, z, mode, 150)),
             Reference(PAPER, "10"), (equation(sp.Symbol("H_k"), 1 / (z + lam)),)),
    ]  # fmt: skip


# ---- two-point functions -----------------------------------------------------------------


def covariance(field: sp.Symbol) -> sp.Expr:
    """⟨v v'⟩ of one mode: products of the coefficients with the variances of w, u², u⁴."""
    value = sp.expand(mode_solution()[field])
    variances = {target: target**2, u2: lam * C1 / P, u4: C3 / N}
    return sp.Add(*[
        sp.simplify(value.coeff(source, 1)) * primed(sp.simplify(value.coeff(source, 1))) * variance
        for source, variance in variances.items()
    ])  # fmt: skip


S_lam, S_lam2, S_target, S_target_lam = mode_sums("S")
SUMS = {
    S_lam: lam, S_lam2: lam**2, S_target: target**2 * lam, S_target_lam: target**2 * lam**2,
}  # fmt: skip


def system() -> list[sp.Eq]:
    """System (2): equations (35) of the paper with the sums S[f] = Σ f H H'."""
    driven = C0 + noise / (z * z_prime)
    return [
        equation(C0, S_target + S_lam * C3 / N + R3 * R3p * S_lam2 * C1 / P),
        equation(C1, R1 * R1p * driven),
        equation(C2, z * z_prime * S_lam * C1 / P
                 + R1 * R1p * (S_target_lam + S_lam2 * C3 / N)),
        equation(C3, R3 * R3p * C2),
    ]  # fmt: skip


E = sp.Symbol("E")
REDUCED = [
    equation(E, noise + kappa * kappa_prime * (T_target + T_lam * C3 / N) + T_lam2 * E / P),
    equation(C3, T_target_lam + T_lam * E / P + T_lam2 * C3 / N),
]


@cache
def two_point_solution() -> dict[sp.Symbol, sp.Expr]:
    """E = z z'C₀ + σ² and C₃, solved from the 2×2 system."""
    solution = sp.solve(REDUCED, [E, C3], dict=True)[0]
    return {unknown: sp.factor(value) for unknown, value in solution.items()}


def _eliminated() -> dict[sp.Symbol, sp.Expr]:
    """C₀ … C₃ of system (2) in terms of E and C₃ of the 2×2 system, and S[f] through T[f]."""
    factor = kappa * kappa_prime / (z * z_prime)
    sums = {
        S_lam: factor * T_lam, S_lam2: factor * T_lam2,
        S_target: factor * T_target, S_target_lam: factor * T_target_lam,
    }  # fmt: skip
    brackets = {R3: z / (kappa * R1), R3p: z_prime / (kappa_prime * R1p)}
    first = two_point_solution()
    fields = {
        C0: (first[E] - noise) / (z * z_prime),
        C1: R1 * R1p * first[E] / (z * z_prime),
        C2: first[C3] * (kappa * kappa_prime * R1 * R1p) / (z * z_prime),
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
    functions C₀ … C₃. Written with κ and κ' it has two unknowns, E = zz'C₀ + σ² and C₃, and
    holds no response function, so that t → ∞ (z → 0) is no special case."""
    equations = system()
    first = two_point_solution()
    eliminated = _eliminated()
    isotropic = sp.factor(
        first[E].subs({noise: 0, T_target: T_lam, T_target_lam: T_lam2}, simultaneous=True)
    )
    steps = [
        *_covariance_steps(equations),
        *_divided_difference_steps(),
        Step("reduced-error", REDUCED[0],
             "System (2) with R₁R₃ = z/κ: the responses cancel in E = zz'C₀ + σ².",
             _Reduction(equations, eliminated), None,
             (equation(E, noise + kappa * kappa_prime * (T_target + T_lam * C3 / N) + T_lam2 * E),
              equation(E, kappa * kappa_prime * (T_target + T_lam * C3 / N) + T_lam2 * E / P))),
        Step("reduced-features", REDUCED[1], "And in C₃.",
             _Reduction(equations, eliminated), None,
             (equation(C3, T_target_lam + T_lam * E / P + T_lam2 * C3 / P),)),
        Step("error", equation(E, first[E]), "The 2×2 system solved.",
             Solves([_without_features()]), Reference(PAPER, "35"),
             (equation(E, first[E].subs(noise, 0)), equation(E, 2 * first[E]))),
        Step("duality", equation(isotropic, isotropic.subs({N: P, P: N}, simultaneous=True)),
             "Isotropic target, no noise: N and P may be exchanged, at any pair of frequencies.",
             Exact(), None,
             (equation(first[E], first[E].subs({N: P, P: N}, simultaneous=True)),)),
        _one_frequency_step(first[E]),
        Step("from-the-matrices", equation((first[E] - noise) / (z * z_prime), _engine_value()),
             "The matrix calculus applied to E v(z)ᵀΛ v(z'), v = (z + AᵀA ΨΨᵀ)^{-1}(w − AᵀAΨε/z).",
             Exact(simplify=rational), Reference(PAPER, "35"),
             (equation((first[E] - noise) / (z * z_prime), _engine_value().subs(P, N)),)),
        _evaluation_step(first[E]),
        _time_domain_step(first[E]),
    ]  # fmt: skip
    return Parts(
        steps, equation(C0, (first[E].xreplace(divided_differences) - noise) / (z * z_prime)),
        ("as for the response functions; label noise independent, of variance σ²",),
        ("(104): the matrix that multiplies the data's fields carries 1/P like its partner "
         "carries 1/N; without it the step reduced-error fails.",),
    )  # fmt: skip


def _without_features() -> sp.Eq:
    """The 2×2 system with C₃ eliminated by its own equation: one equation for E."""
    c3 = sp.solve(REDUCED[1], C3)[0]
    return equation(E, REDUCED[0].rhs.xreplace({C3: c3}))


def _covariance_steps(equations: list[sp.Eq]) -> list[Step]:
    """⟨v⁰v⁰'⟩ and ⟨v²v²'⟩ of one mode, summed as C₀ = Σ λ⟨v⁰v⁰'⟩ and C₂ = Σ⟨v²v²'⟩."""
    pair = transfer * primed(transfer)
    summand = {symbol: factor * pair for symbol, factor in SUMS.items()}

    def step(name: str, result: sp.Eq, weight: sp.Expr, field: sp.Symbol, *wrong: sp.Eq) -> Step:
        per_mode = weight * covariance(field)
        return Step(
            name, result, "Variances of the fields times squared coefficients, summed over modes.",
            Exact({result.lhs: per_mode, **summand}, atomic), Reference(PAPER, "35"), wrong,
        )  # fmt: skip

    return [
        step("excess-error", equations[0], lam, v0,
             equation(C0, S_target + S_lam * C3 / N + R3 * R3p * S_lam * C1 / P),
             equation(C0, S_target + S_lam * C3 / N + S_lam2 * C1 / P)),
        step("projected-gradient", equations[2], sp.Integer(1), v2,
             equation(C2, S_lam * C1 / P + R1 * R1p * (S_target_lam + S_lam2 * C3 / N)),
             equation(C2, z * z_prime * S_lam * C1 / P
                      + R1 * R1p * (S_target + S_lam * C3 / N))),
    ]  # fmt: skip


def _divided_difference_steps() -> list[Step]:
    pair = (lam + kappa) * (lam + kappa_prime)
    claims = {
        "sum-of-eigenvalues": (T_lam, lam, equation(T_lam, divided_differences[T_lam])),
        "sum-of-squares": (T_lam2, lam**2, equation(T_lam2, divided_differences[T_lam2])),
    }
    summands = {D1: lam / (lam + kappa), primed(D1): lam / (lam + kappa_prime)}
    return [
        Step(name, claim, "Partial fractions in λ, mode by mode.",
             Exact({symbol: summand / pair, **summands}), None,
             (equation(symbol, -claim.rhs), equation(symbol, claim.rhs * kappa)))
        for name, (symbol, summand, claim) in claims.items()
    ]  # fmt: skip


class _Reduction:
    """A claim of the 2×2 system holds for the solution that also satisfies all of system (2)."""

    def __init__(self, equations: list[sp.Eq], eliminated: dict[sp.Symbol, sp.Expr]) -> None:
        self.equations, self.eliminated = equations, eliminated

    def __call__(self, claim: sp.Basic) -> Verdict:
        """The verdict on a claim of the 2×2 system."""
        for item in self.equations:
            verdict = Exact({}, sp.simplify)(
                equation(*(side.xreplace(self.eliminated).xreplace(self.eliminated)
                           for side in item.args))
            )  # fmt: skip
            if not verdict.passed:
                return verdict
        return Exact(two_point_solution())(claim)


def _one_frequency_step(error: sp.Expr) -> Step:
    """C₁ is a divided difference of a function of one frequency, F = R₁(κh₁ + σ²)/z."""
    brackets = {R1: 1 - D1 / P, R3: 1 - D1 / N}
    response, frequency = brackets[R1], kappa * brackets[R1] * brackets[R3]
    single = response * (kappa * h1 + noise) / frequency

    def other(expression: sp.Expr) -> sp.Expr:
        return expression.subs(kappa, kappa_prime)

    def difference(function: sp.Expr, sign: int = -1) -> sp.Expr:
        return sign * (function - other(function)) / (frequency - other(frequency))

    responses_over_frequencies = response * other(response) / (frequency * other(frequency))
    value = responses_over_frequencies * error.xreplace(divided_differences)
    return Step(
        "one-frequency", equation(value, difference(single)),
        "C₁(z,z') = −(F − F')/(z − z') with F = R₁(κh₁ + σ²)/z, z = κR₁R₃.",
        Exact(simplify=rational), Reference(PAPER, "35"),
        (equation(value, difference(single, 1)), equation(value, difference(single / response))),
    )  # fmt: skip


@cache
def _engine_value() -> sp.Expr:
    """The two-point function as the matrix calculus returns it, in the sums T[f]."""
    value = gradient_flow_two_point().value
    mode, weight = Eigenvalue("lambda"), Eigenvalue("lambda_W")
    shared = (mode + kappa) * (mode + kappa_prime)
    names = {
        mode: T_lam, mode**2: T_lam2, mode * weight: T_target, mode**2 * weight: T_target_lam,
    }  # fmt: skip
    traces = {
        trace: names[sp.cancel(trace.factors[0] * shared)] for trace in value.atoms(SpectralTrace)
    }
    value = value.xreplace(traces).subs(T, P)
    sigma = next(letter for letter in value.free_symbols if letter.name == "sigma")
    return value.subs(sigma, sp.sqrt(noise))


def _evaluation_step(error: sp.Expr) -> Step:
    """C₀ in the cancellation-free form that `analytic.correlation` evaluates."""
    from solvable.analytic import correlation as evaluated

    def form(samples: sp.Symbol) -> sp.Expr:
        brackets = {
            evaluated.R1: 1 - D1 / samples, evaluated.R1_PRIME: 1 - primed(D1) / samples,
            evaluated.R3: 1 - D1 / N, evaluated.R3_PRIME: 1 - primed(D1) / N,
        }  # fmt: skip
        sums = {
            evaluated.A: divided_differences[T_target], evaluated.B: divided_differences[T_lam],
            evaluated.D: divided_differences[T_lam2], evaluated.H1: h1,
            evaluated.NU: 1 / N, evaluated.TAU: 1 / samples, evaluated.NOISE: noise,
        }  # fmt: skip
        return evaluated.two_point_formula()[0].expression.xreplace({**brackets, **sums})

    def points() -> list[Point]:
        spectrum = PowerLaw(exponent=1.25, target_exponent=1.5, size=40)
        pairs = ((5, 9, 0.3, 0.7), (20, 6, 0.01, 2))
        return [_pair(spectrum, *pair) for pair in pairs]

    value = ((error - noise) / (z * z_prime)).xreplace(divided_differences)
    return Step(
        "evaluation", equation(value, form(P)),
        "The form without differences that is evaluated is the same function.",
        Numeric(points, 20), Reference(PAPER, "35"), (equation(value, form(N)),),
    )  # fmt: skip


def _pair(
    spectrum: PowerLaw, features: int, samples: int, first: float, second: float, sigma: float = 0.2
) -> Point:
    """Values of every letter at two real frequencies."""
    import mpmath

    kappas = [solve(spectrum, features, samples, mpmath.mpf(q)).value for q in (first, second)]
    values = {
        kappa: kappas[0], kappa_prime: kappas[1], N: features, P: samples, noise: sigma,
        z: first, z_prime: second,
    }  # fmt: skip
    return Point(values, spectrum)


def _time_domain_step(error: sp.Expr) -> Step:
    """Σ C₀(n,m) xⁿyᵐ of gradient descent is C₀(z,z')/(η²xy) at z = (1/x − 1)/η."""
    size, features, samples, sigma, eta, x, y = 12, 5, 7, 0.25, 0.5, 0.25, 0.2
    spectrum = PowerLaw(exponent=1.25, target_exponent=1.5, size=size)
    first, second = (1 / x - 1) / eta, (1 / y - 1) / eta

    def stepped() -> float:
        from solvable.validation.time_stepping import gradient_descent_update, solve_mean_field

        solution = solve_mean_field(
            spectrum.eigenvalues(), spectrum.target_power(), gradient_descent_update(30, eta),
            features=features, samples=samples, noise=sigma,
        )  # fmt: skip
        powers = [[x**n * y**m for m in range(31)] for n in range(31)]
        return float((solution.correlations[0] * powers).sum()) * eta**2 * x * y

    def claimed(claim: sp.Basic) -> object:
        point = _pair(spectrum, features, samples, first, second, sigma)
        return point(claim.args[1].xreplace(divided_differences))

    return Step(
        "time-domain", equation(C0, (error - noise) / (z * z_prime)),
        "Generating function of gradient descent stepped by the mean-field equations in time.",
        Agrees(stepped, claimed, 10), Reference(PAPER, "35"),
        (equation(C0, error / (z * z_prime)),
         equation(C0, (error.subs(P, N) - noise) / (z * z_prime))),
    )  # fmt: skip
