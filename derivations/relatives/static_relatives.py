"""Static formulas of neighbouring papers as corollaries of equations (1), (3) and (4).

Each paper's formula is written in its own letters, the dictionary to ours is stated, and every
identity is then exact.  A formula that was only recalled is thereby verified before it is used.
"""

from __future__ import annotations

from functools import cache

import mpmath
import sympy as sp

from solvable.analytic.loss import excess_loss_formula, isotropic_loss_formula
from solvable.analytic.notation import N, T, alpha, kappa, sigma_eps, z
from solvable.analytic.optimal_ridge import law_ratio, optimal_ridge, scaling_optimum
from solvable.analytic.resolvent.solution import self_consistent_equation
from solvable.analytic.spectral_functions import DegreesOfFreedom, TargetSum
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Check, Exact, Verdict
from ..derivation import Step, equation

D1, D2 = (DegreesOfFreedom(q, kappa) for q in (1, 2))
H1, H2 = (TargetSum(q, kappa) for q in (1, 2))
LOSS = sp.Symbol("L")
BRACKETS = self_consistent_equation().rhs


def _total() -> sp.Expr:
    """L + σ_ε², the loss on fresh noisy data: what the other papers call the test error."""
    return excess_loss_formula() + sigma_eps**2


def _rational(residual: sp.Expr) -> sp.Expr:
    """Normal form of a rational function in D_q, h_q, κ, N, T."""
    return sp.cancel(sp.together(residual))


EXACT = Exact(simplify=_rational)


@derivation(
    "beyond-ridgeless", "Duality, the optimal ridge and its constants (Zhang)", Reference("zhang")
)
def beyond_ridgeless() -> Parts:
    """The field-theory solution of the same model at any ridge is equation (3). It is symmetric
    under N ↔ T; at α = 1 the optimal ridge does not depend on N and T, and the optimal loss is
    exactly proportional to 1/N + 1/T. For other α it is not a power of that sum."""
    loss = isotropic_loss_formula()
    swap = {N: T, T: N}
    best = scaling_optimum()
    constant = sp.Symbol("c", positive=True)
    kappa_of = (constant / D1) ** (1 + alpha)
    best_at_one = sp.simplify(best.subs(alpha, 1))  # NT/(N + T)
    at_best = (kappa_of * (N - D1) * (T - D1)).subs(alpha, 1).subs(D1, best_at_one)
    numbers = [
        sp.N((law_ratio() * 2**alpha).subs({N: 1, T: 1}).subs(alpha, value), 3)
        for value in (sp.Rational(1, 2), sp.Integer(1), sp.Integer(2))
    ]
    relative = sp.Symbol("rho", positive=True)
    steps = [
        Step(
            "duality",
            equation(loss, loss.subs(swap, simultaneous=True)),
            "Equation (3) does not change under N ↔ T, and neither does equation (1).",
            EXACT,
            Reference("zhang"),
            (equation(loss, loss.subs(swap, simultaneous=True) * N / T),),
        ),
        Step(
            "ridge",
            equation(BRACKETS * N * T, kappa * (N - D1) * (T - D1)),
            "γ = σ_u² N T z with z from equation (1), σ_u = 1.",
            EXACT,
            None,
            (equation(BRACKETS * N * T, kappa * (N - D1) * (T + D1)),),
        ),
        Step(
            "constant-ridge",
            equation(at_best, constant**2),
            "α = 1: D₁⋆ = NT/(N+T) and κ = (c/D₁)² give a ridge without N and T, "
            "c = π/2 for λ₊ = 1.",
            Exact(),
            Reference("zhang"),
        ),
        Step(
            "optimal-loss",
            equation(law_ratio().subs(alpha, 1), 1),
            "α = 1: L⋆ = k (1/N + 1/T), exactly.",
            Exact(),
            Reference("zhang"),
        ),
        Step(
            "equal-sizes",
            equation(sp.Symbol("R"), sp.Matrix(numbers)),
            "L⋆ at N = T over the plateau at the same N, for α = ½, 1, 2: not 2^α.",
            _equal_sizes_check(),
            Reference("zhang"),
            (equation(sp.Symbol("R"), sp.Matrix([sp.sqrt(2), 2, 4])),),
        ),
    ]
    return Parts(
        steps,
        equation(relative, law_ratio()),
        (
            "isotropic target, no noise; the last three steps: M = ∞, N and T large",
            "ρ = L⋆/[k (1/N + 1/T)^α]",
        ),
    )


@cache
def _relative_loss(exponent: float) -> float:
    """Exact L* at N = T = 3·10⁴, M = ∞, over the plateau k N^{-α}."""
    power, n = 1 + exponent, 3e4
    k = float((mpmath.pi / power / mpmath.sin(mpmath.pi / power)) ** power)
    return float(optimal_ridge(PowerLaw(alpha=exponent), n, n).excess_loss) / (k * n**-exponent)


def _equal_sizes_check() -> Check:
    """The claimed ratios against the exact optimal loss at N = T = 3·10⁴, M = ∞."""

    def check(claim: sp.Basic) -> Verdict:
        claimed = [float(x) for x in claim.rhs]  # type: ignore[attr-defined]
        exact = [_relative_loss(exponent) for exponent in (0.5, 1.0, 2.0)]
        worst = max(abs(x - y) for x, y in zip(claimed, exact))
        return Verdict(
            "pass" if worst < 0.006 else "fail",
            f"claimed {claimed}, exact {[round(x, 4) for x in exact]}",
            {"worst": worst},
        )

    return check


@derivation(
    "renormalised-ridge",
    "The renormalised ridge and infinite ensembles",
    Reference("renormalization"),
)
def renormalised_ridge() -> Parts:
    """Each Gaussian factor of the data matrix renormalises the ridge by its S-transform,
    S(df) = 1/(1 − df/size). Features and samples in turn give equation (1). An ensemble of K
    feature draws removes the part of the loss that is caused by the features, as 1/K."""
    degrees, size = sp.symbols("df n", positive=True)
    transform = 1 / (1 - degrees / size)
    factors = [transform.subs({degrees: D1, size: s}) for s in (N, T)]
    ensemble = sp.Symbol("E", positive=True)
    solution = sp.solve(
        sp.Eq(ensemble, kappa**2 * H2 + sigma_eps**2 + D2 / T * ensemble), ensemble
    )[0]
    limit = sp.limit(_rational(_total().subs(N, 1 / sp.Symbol("x"))), sp.Symbol("x"), 0)
    print_form = (kappa**2 * H2 + sigma_eps**2) / (1 - D2 / T)
    steps = [
        Step(
            "product",
            equation(kappa / z, factors[0] * factors[1]),
            "κ/z is the product of the S-transforms of both white Wishart factors at df = D₁(κ): "
            "this is equation (1).",
            Exact({z: BRACKETS}),
            Reference("renormalization"),
            (equation(kappa / z, factors[0]),),
        ),
        Step(
            "infinite-ensemble",
            equation(solution, print_form),
            "Without the term C₃/N the two-point system closes on C₀ alone: E = κ²h₂ + σ_ε² "
            "+ (D₂/T) E.",
            EXACT,
            Reference("renormalization"),
            (equation(solution, (kappa**2 * H2 + sigma_eps**2) / (1 - D1 / T)),),
        ),
        Step(
            "infinite-width",
            equation(limit, print_form),
            "At the same κ the formula of an infinite ensemble is that of an infinite model; the "
            "κ of the ensemble still knows N.",
            EXACT,
            None,
            (equation(limit, (kappa**2 * H2 + sigma_eps**2) / (1 - D1 / T)),),
        ),
        Step(
            "variance-of-features",
            equation(sp.factor(_rational(_total() - print_form)), _feature_variance()),
            "E₁ − E_∞ is the variance over feature draws: non-negative, and zero only without "
            "sampling of the features.",
            EXACT,
            Reference("renormalization"),
            (equation(sp.factor(_rational(_total() - print_form)), 2 * _feature_variance()),),
        ),
    ]
    count = sp.Symbol("K", positive=True)
    return Parts(
        steps,
        equation(sp.Symbol("E_K"), print_form + _feature_variance() / count),
        ("any target, any label noise, ridge or none", "E = L + σ_ε²"),
    )


def _feature_variance() -> sp.Expr:
    """E₁ − E_∞ in a form whose sign is visible."""
    spread, share = D1 - D2, T - D2
    error = kappa * (H1 - kappa * H2) * share + spread * (kappa**2 * H2 + sigma_eps**2)
    width = (N - D2) * share
    return T * spread * error / (share * (width - spread**2))


@derivation(
    "random-feature-eigenframework",
    "The eigenframework of random features (Simon et al.)",
    Reference("more-is-better"),
)
def eigenframework() -> Parts:
    """n = Σ λ/(λ+γ) + δ/κ′ and k = Σ λ/(λ+γ) + kκ′/γ, with test and training error in terms of
    q = Σ (λ/(λ+γ))²: equations (1) and (4) in other letters."""
    inner, ridge = sp.symbols("kappa' delta", positive=True)
    first = sp.Eq(T, D1 + ridge / inner)
    second = sp.Eq(N, D1 + N * inner / kappa)
    solved_inner = sp.solve(second, inner)[0]
    solved_ridge = sp.solve(first.subs(inner, solved_inner), ridge)[0]
    square = H1 - kappa * H2  # Σ v² λ/(λ+γ)²
    error = (kappa * H1 - solved_inner * N / (N - D2) * square + sigma_eps**2) / (
        1 - (D2 * (N - 2 * D1) + D1**2) / (T * (N - D2))
    )
    train = (solved_ridge / (T * solved_inner)) ** 2
    steps = [
        Step(
            "equation-one",
            equation(solved_ridge / T, BRACKETS),
            "k = N, n = T, γ = κ; eliminating κ′ gives equation (1) with z = δ/n.",
            EXACT,
            Reference("more-is-better"),
            (equation(solved_ridge / N, BRACKETS),),
        ),
        Step(
            "test-error",
            equation(error, _total()),
            "v_i² = w_i² λ_i: the test error of the eigenframework is L + σ_ε² of equation (4).",
            EXACT,
            Reference("more-is-better"),
            (equation(error, excess_loss_formula()),),
        ),
        Step(
            "training-error",
            equation(train, (1 - D1 / T) ** 2),
            "Training over test error, (δ/(nκ′))², is R₁².",
            EXACT,
            Reference("more-is-better"),
            (equation(train, (1 - D1 / N) ** 2),),
        ),
    ]
    return Parts(steps, steps[1].claim, ("any target and noise; δ is the ridge",))


@derivation(
    "deterministic-equivalents",
    "Bias and variance over 1 − Υ (Defilippis et al.)",
    Reference("dimension-free"),
)
def deterministic_equivalents() -> Parts:
    """The pair (ν₁, ν₂) and the functions Υ and χ give the risk of random feature ridge regression
    as bias and variance over 1 − Υ. With ν₂ = κ and ν₁ = κ R₃ this is equation (4)."""
    first, second, ridge, root = sp.symbols("nu_1 nu_2 lambda S", positive=True)
    degrees = (1 + T / N - root) * N / 2  # 1 + n/p − S = (2/p) Tr Σ(Σ+ν₂)⁻¹
    solved_root = sp.solve(sp.Eq(D1, degrees), root)[0]
    solved_ridge = sp.solve(
        sp.Eq(solved_root**2, (1 - T / N) ** 2 + 4 * ridge / (N * kappa)), ridge
    )[0]
    response = (1 - T / N + solved_root) / 2  # ν₁/ν₂
    share = (first / second).subs({first: response * kappa, second: kappa})
    upsilon = N / T * ((1 - share) ** 2 + share**2 * D2 / (N - D2))
    chi = (D1 - D2) / kappa / (N - D2)  # Tr Σ(Σ+ν₂)⁻² = (D₁ − D₂)/κ
    bias = kappa**2 * (H2 + chi * (H1 - kappa * H2)) / (1 - upsilon)
    variance = sigma_eps**2 * upsilon / (1 - upsilon)
    steps = [
        Step(
            "equation-one",
            equation(solved_ridge / T, BRACKETS),
            "p = N, n = T, ν₂ = κ: the fixed point of (ν₁, ν₂) is equation (1) with z = λ/n.",
            EXACT,
            Reference("dimension-free"),
            (equation(solved_ridge / N, BRACKETS),),
        ),
        Step(
            "response",
            equation(share, 1 - D1 / N),
            "ν₁/ν₂ is the response function R₃.",
            EXACT,
            Reference("dimension-free"),
            (equation(share, 1 - D1 / T),),
        ),
        Step(
            "upsilon",
            equation(upsilon, (D2 * (N - 2 * D1) + D1**2) / (T * (N - D2))),
            "Υ is D_F/T, the share of the samples that the noise is fitted with.",
            EXACT,
            Reference("dimension-free"),
            (equation(upsilon, D2 / T),),
        ),
        Step(
            "risk",
            equation(bias + variance, excess_loss_formula()),
            "Bias and variance add up to the excess loss (4).",
            EXACT,
            Reference("dimension-free"),
            (equation(bias + 2 * variance, excess_loss_formula()),),
        ),
    ]
    return Parts(steps, steps[-1].claim, ("any target and noise; λ is the ridge",))
