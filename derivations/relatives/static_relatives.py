"""Static formulas of neighbouring papers as corollaries of equations (1), (3) and (4).

Each paper's formula is written in its own letters, the dictionary to ours is stated, and every
identity is then exact.  A formula that was only recalled is thereby verified before it is used.
"""

from __future__ import annotations

from functools import cache

import mpmath
import sympy as sp

from solvable.analytic.loss import excess_loss_formula, isotropic_loss_formula
from solvable.analytic.notation import N, T, alpha, kappa, loss, noise, z
from solvable.analytic.optimal_ridge import law_ratio, optimal_ridge, scaling_optimum
from solvable.analytic.resolvent import self_consistent_equation
from solvable.analytic.spectral_functions import D1, D2, h1, h2
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, rational
from ..derivation import Step
from ..relations import equation

BRACKETS = self_consistent_equation().rhs
gamma = sp.Symbol("gamma", positive=True)
test_error = sp.Symbol("E_test")  #: L + σ_ε², the loss on fresh noisy data


def _total() -> sp.Expr:
    """L + σ_ε² of @test-loss/excess-loss: what the other papers call the test error."""
    return excess_loss_formula(kappa) + noise


def _is(value: sp.Expr) -> Exact:
    """The claimed form of a rational function in D_q, h_q, κ, N, T that is known otherwise."""
    return Exact(simplify=rational, value=lambda: value)


@derivation(
    "beyond-ridgeless", "Duality, the optimal ridge and its constants (Zhang)", Reference("zhang")
)
def beyond_ridgeless() -> Parts:
    """The field-theory solution of the same model at any ridge is @test-loss/isotropic-target. It
    is symmetric under N ↔ T; at α = 1 the optimal ridge does not depend on N and T, and the optimal
    loss is exactly proportional to 1/N + 1/T. For other α it is not a power of that sum."""
    swapped = isotropic_loss_formula(kappa).subs({N: T, T: N}, simultaneous=True)
    dual = sp.Function("L")
    best = scaling_optimum()
    constant = sp.Symbol("c", positive=True)
    best_at_one = sp.simplify(best.subs(alpha, 1))  # NT/(N + T)
    at_best = ((constant / D1) ** 2 * (N - D1) * (T - D1)).subs(D1, best_at_one)
    equal = (sp.Function("R")(alpha), sp.simplify(law_ratio().subs(T, N) * 2**alpha))
    relative = sp.Function("rho")(alpha)
    steps = [
        Step("duality", equation(dual(N, T), dual(T, N)),
             "@test-loss/isotropic-target does not change under N ↔ T, and neither does "
             "@resolvent/equation.",
             Exact({dual(N, T): isotropic_loss_formula(kappa), dual(T, N): swapped}),
             Reference("zhang"), (equation(dual(N, T), dual(T, N) * N / T),)),
        Step("ridge", equation(gamma, kappa * (N - D1) * (T - D1)),
             "γ = σ_u² N T z with z from @resolvent/equation, σ_u = 1.", _is(BRACKETS * N * T),
             None, (equation(gamma, kappa * (N - D1) * (T + D1)),)),
        Step("constant-ridge", equation(gamma, constant**2),
             "α = 1: D₁⋆ = NT/(N+T) and κ = (c/D₁)² in @ridge give a ridge without N and T, "
             "c = π/2 for λ₊ = 1.",
             Exact(value=lambda: at_best), Reference("zhang")),
        Step(
            "law",
            equation(relative, law_ratio()),
            "ρ = L⋆/[k (1/N + 1/T)^α] at the optimum of @optimal-ridge/optimum, where k N^{-α} is "
            "the plateau; against the exact optimal loss at N = T = 3·10⁴, α = ½, 1, 2.",
            Agrees(
                lambda: [_relative_loss(x) / 2**x for x in EXPONENTS],
                lambda claim: [float(claim.rhs.subs({N: 1, T: 1, alpha: x})) for x in EXPONENTS],
                2e-3,
            ),
            Reference("zhang"),
            (equation(relative, 2**alpha * law_ratio()),),
        ),
        Step(
            "optimal-loss",
            equation(sp.Function("rho")(1), 1),
            "α = 1: L⋆ = k (1/N + 1/T), exactly.",
            Exact(value=lambda: law_ratio().subs(alpha, 1)),
            Reference("zhang"),
        ),
        Step("equal-sizes", equation(*equal),
             "R = L⋆ at N = T over the plateau at the same N: 1.55, 2 and 2.87 at α = ½, 1, 2, "
             "not 2^α.",
             Agrees(lambda: [_relative_loss(x) for x in EXPONENTS],
                    lambda claim: [float(claim.rhs.subs(alpha, x)) for x in EXPONENTS], 2e-3),
             Reference("zhang"), (equation(equal[0], 2**alpha),)),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[3].claim,
        ("isotropic target, no noise; @law to @equal-sizes: M = ∞, N and T large",),
    )


EXPONENTS = (0.5, 1.0, 2.0)


@cache
def _relative_loss(exponent: float) -> float:
    """Exact L* at N = T = 3·10⁴, M = ∞, over the plateau k N^{-α}."""
    power, n = 1 + exponent, 3e4
    k = float((mpmath.pi / power / mpmath.sin(mpmath.pi / power)) ** power)
    return float(optimal_ridge(PowerLaw(alpha=exponent), n, n).excess_loss) / (k * n**-exponent)


@derivation(
    "renormalised-ridge",
    "The renormalised ridge and infinite ensembles",
    Reference("renormalization"),
)
def renormalised_ridge() -> Parts:
    """Each Gaussian factor of the data matrix renormalises the ridge by its S-transform,
    S(df) = 1/(1 − df/size). Features and samples in turn give @resolvent/equation. An ensemble of K
    feature draws removes the part of the loss that is caused by the features, as 1/K."""
    degrees, size = sp.symbols("df n", positive=True)
    transform = 1 / (1 - degrees / size)
    factors = [transform.subs({degrees: D1, size: s}) for s in (N, T)]
    infinite, single, several = sp.symbols("E_oo E_1 E_K", positive=True)
    count = sp.Symbol("K", positive=True)
    solution = sp.solve(infinite - kappa**2 * h2 - noise - D2 / T * infinite, infinite)[0]
    limit = sp.limit(rational(_total().subs(N, 1 / sp.Symbol("x"))), sp.Symbol("x"), 0)
    print_form = (kappa**2 * h2 + noise) / (1 - D2 / T)
    wrong_form = (kappa**2 * h2 + noise) / (1 - D1 / T)
    wide = sp.Limit(sp.Function("E_1")(N), N, sp.oo)
    steps = [
        Step("product", equation(kappa / z, factors[0] * factors[1]),
             "κ/z is the product of the S-transforms of both white Wishart factors at df = D₁(κ): "
             "this is @resolvent/equation.",
             Exact({z: BRACKETS}), Reference("renormalization"),
             (equation(kappa / z, factors[0]),)),
        Step("infinite-ensemble", equation(infinite, print_form),
             "Without the term C₃/N of @two-point-function/reduced-error the system closes on "
             "E = C₀ + σ_ε² alone: E = κ²h₂ + σ_ε² + (D₂/T) E.",
             _is(solution), Reference("renormalization"), (equation(infinite, wrong_form),)),
        Step("infinite-width", equation(wide, print_form),
             "At the same κ the formula of an infinite ensemble is that of an infinite model; the "
             "κ of the ensemble still knows N.",
             _is(limit), None, (equation(wide, wrong_form),)),
        Step(
            "variance-of-features",
            equation(single - infinite, _feature_variance()),
            "The variance over feature draws: non-negative, and zero only without sampling of the "
            "features.",
            _is(_total() - print_form),
            Reference("renormalization"),
            (equation(single - infinite, 2 * _feature_variance()),),
        ),
        Step("ensemble", equation(several, print_form + _feature_variance() / count),
             "K members: the mean of @ensembling/mean-of-members, E_K = E_1/K + (1 − 1/K) E_∞.",
             _is(_total() / count + (1 - 1 / count) * print_form), Reference("renormalization"),
             (equation(several, print_form / count + _feature_variance()),)),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[4].claim,
        (
            "any target, any label noise, ridge or none",
            "E = L + σ_ε² with L of @test-loss/excess-loss",
        ),
    )


def _feature_variance() -> sp.Expr:
    """E₁ − E_∞ in a form whose sign is visible."""
    spread, share = D1 - D2, T - D2
    error = kappa * (h1 - kappa * h2) * share + spread * (kappa**2 * h2 + noise)
    width = (N - D2) * share
    return T * spread * error / (share * (width - spread**2))


@derivation(
    "random-feature-eigenframework",
    "The eigenframework of random features (Simon et al.)",
    Reference("more-is-better"),
)
def eigenframework() -> Parts:
    """n = Σ λ/(λ+γ) + δ/κ′ and k = Σ λ/(λ+γ) + kκ′/γ, with test and training error in terms of
    q = Σ (λ/(λ+γ))²: @resolvent/equation and @test-loss/excess-loss in other letters."""
    inner, ridge = sp.symbols("kappa' delta", positive=True)
    solved_inner = sp.solve(N - D1 - N * inner / kappa, inner)[0]
    solved_ridge = sp.solve((T - D1 - ridge / inner).subs(inner, solved_inner), ridge)[0]
    square = h1 - kappa * h2  # Σ v² λ/(λ+γ)²
    share = (D2 * (N - 2 * D1) + D1**2) / (T * (N - D2))
    error = (kappa * h1 - inner * N / (N - D2) * square + noise) / (1 - share)
    train = (ridge / (T * inner)) ** 2
    known = [(ridge, solved_ridge), (inner, solved_inner)]
    steps = [
        Step("equation-one", equation(ridge / T, BRACKETS),
             "k = N, n = T, γ = κ; eliminating κ′ gives @resolvent/equation with z = δ/n.",
             Exact(known, rational), Reference("more-is-better"), (equation(ridge / N, BRACKETS),)),
        Step("test-error", equation(test_error, error),
             "v_i² = w_i² λ_i: the test error of the eigenframework is L + σ_ε² of "
             "@test-loss/excess-loss.",
             Exact(known, rational, _total), Reference("more-is-better"),
             (equation(test_error, error - noise),)),
        Step("training-error", equation(train, (1 - D1 / T) ** 2),
             "Training over test error is R₁².", Exact(known, rational),
             Reference("more-is-better"), (equation(train, (1 - D1 / N) ** 2),)),
    ]  # fmt: skip
    return Parts(steps, steps[1].claim, ("any target and noise; δ is the ridge",))


@derivation(
    "deterministic-equivalents",
    "Bias and variance over 1 − Υ (Defilippis et al.)",
    Reference("dimension-free"),
)
def deterministic_equivalents() -> Parts:
    """The pair (ν₁, ν₂) and the functions Υ and χ give the risk of random feature ridge regression
    as bias and variance over 1 − Υ. With ν₂ = κ and ν₁ = κ R₃ this is @test-loss/excess-loss."""
    first, second, ridge, root = sp.symbols("nu_1 nu_2 lambda S", positive=True)
    degrees = (1 + T / N - root) * N / 2  # 1 + n/p − S = (2/p) Tr Σ(Σ+ν₂)⁻¹
    solved_root = sp.solve(D1 - degrees, root)[0]
    solved_ridge = sp.solve(solved_root**2 - (1 - T / N) ** 2 - 4 * ridge / (N * kappa), ridge)[0]
    response = (1 - T / N + solved_root) / 2  # ν₁/ν₂
    upsilon = N / T * ((1 - first / second) ** 2 + (first / second) ** 2 * D2 / (N - D2))
    chi = (D1 - D2) / kappa / (N - D2)  # Tr Σ(Σ+ν₂)⁻² = (D₁ − D₂)/κ
    share = sp.Symbol("Upsilon", positive=True)
    bias = kappa**2 * (h2 + chi * (h1 - kappa * h2)) / (1 - share)
    variance = noise * share / (1 - share)
    known = [(ridge, solved_ridge), (first, response * kappa), (second, kappa)]
    overlap = (D2 * (N - 2 * D1) + D1**2) / (T * (N - D2))
    steps = [
        Step("equation-one", equation(ridge / T, BRACKETS),
             "p = N, n = T, ν₂ = κ: the fixed point of (ν₁, ν₂) is @resolvent/equation with "
             "z = λ/n.",
             Exact(known, rational), Reference("dimension-free"), (equation(ridge / N, BRACKETS),)),
        Step("response", equation(first / second, 1 - D1 / N), "This is the response function R₃.",
             Exact(known, rational), Reference("dimension-free"),
             (equation(first / second, 1 - D1 / T),)),
        Step("upsilon", equation(share, overlap),
             "Υ = (N/T)[(1 − ν₁/ν₂)² + (ν₁/ν₂)² D₂/(N − D₂)], the share of the samples that the "
             "noise is fitted with.",
             Exact(known, rational, lambda: upsilon), Reference("dimension-free"),
             (equation(share, D2 / T),)),
        Step("risk", equation(loss, bias + variance),
             "Bias and variance add up to the excess loss @test-loss/excess-loss.",
             Exact({share: overlap}, rational, lambda: excess_loss_formula(kappa)),
             Reference("dimension-free"), (equation(loss, bias + 2 * variance),)),
    ]  # fmt: skip
    return Parts(steps, steps[-1].claim, ("any target and noise; λ is the ridge",))
