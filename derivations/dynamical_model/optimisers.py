r"""Appendix K: gradient descent, momentum and one-pass SGD as other frequencies.

A discrete rule is transformed by v(μ) = Σ_n μ^{−n} v_n. Every rule that is linear in v⁴ with the
same memory for all modes keeps the mean-field equations and only moves the frequency:

    gradient descent    z = (μ − 1)/η                        initial term μ w/η
    heavy ball          z = (μ − 1)(1 − β/μ)/η               initial term (μ − β) w/η
    momentum flow       z = βs² + s                          initial term (1 + βs) w

One-pass SGD draws a new batch each step: R₁ = 1. For Gaussian samples the second moments V of
Λ^{1/2}v on the eigenvalues x of the kernel close exactly, at any batch size, as the Volterra
equation

    L_n = F_n + (η²/B) Σ_{m<n} K_{n−1−m} (L_m + σ_ε²),   F_n = Σ_x V₀ qⁿ,   K_n = Σ_x x² qⁿ,
    q(x) = 1 − 2ηx + (1 + 1/B)η²x².

White gradient noise of variance (λ_k/B)(L + σ_ε²) alone, without the term ηx²/B of the fourth
moment, has (1 − ηx)² for q: that is the limit of large batches.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import sympy as sp
from scipy.optimize import brentq

from solvable.analytic.notation import (
    C3,
    R1,
    R3,
    N,
    T,
    kappa,
    kappa_prime,
    lam,
    letter,
    noise,
    sigma_eps,
    target,
    z,
    z_prime,
)
from solvable.analytic.resolvent import solve
from solvable.analytic.spectral_functions import D1, D1_prime, h1, h1_prime
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import OnePassSGD

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Solves, rational
from ..derivation import Step
from ..relations import Expectation, Relation, equation
from .averages import crossed
from .mean_field import PAPER
from .mode_sums import U_lam2, divided_differences, unlimited
from .two_point import REDUCED, X

eta, beta, batch = sp.symbols("eta beta B", positive=True)
mu, s = sp.symbols("mu s")  #: transform variables of steps and of time
v, force = sp.symbols("v^0_k v^4_k")
drive = lam * R1 * R3  # the force on a mode is λ_kR₁R₃v plus fields


def recursion(momentum: sp.Expr, start: sp.Expr = target, sign: int = -1) -> Relation:
    """v_{n+1} = v_n ∓ ηv⁴_n + β(v_n − v_{n−1}) from rest, transformed: v_{−1} = v_0 = w."""
    following = mu * (v - start)
    previous = v / mu + start
    return equation(following, v + sign * eta * force + momentum * (v - previous))


def _solved(momentum: sp.Expr) -> sp.Expr:
    return sp.factor(sp.solve(recursion(momentum).difference.subs(force, drive * v), v)[0])


@derivation(
    "gradient-descent",
    "Gradient descent and momentum: the flow at another frequency",
    *references(PAPER, "136", "137", "139", "140", "141"),
)  # fmt: skip
def gradient_descent() -> Parts:
    """Step size and momentum enter the self-consistent equations through the frequency alone: the
    denominator of every mode is η(z + λ_kR₁R₃) at a frequency z that the rule determines."""
    descent = mu * target / (mu - 1 + eta * drive)
    ball = (mu - beta) * target / (mu - 1 - beta + beta / mu + eta * drive)
    flow = (mu - beta) / eta * target / (z + drive)
    largest = eta * sp.Symbol("lambda_max")
    heavy_ball = Step(
        "heavy-ball", equation(v, ball), "The two-term recursion from rest, initial term (μ − β)w.",
        Solves([recursion(beta).subs(force, drive * v)]), Reference(PAPER, "141"),
        (equation(v, target / (mu - 1 - beta + beta / mu + eta * R1 * R3)),
         equation(v, ball / (mu - beta) * mu), equation(v, ball.subs(lam, 1))),
    )  # fmt: skip
    steps = [
        Step("descent", equation(v, descent), "v_{n+1} = v_n − ηv⁴_n transformed, initial term μw.",
             Solves([recursion(sp.Integer(0)).subs(force, drive * v)]), Reference(PAPER, "136"),
             (equation(v, descent / mu), equation(v, mu * target / (mu - 1 - eta * drive)))),
        heavy_ball,
        _heavy_ball_in_time(heavy_ball),
        Step("frequency", equation(z, (mu - 1) * (1 - beta / mu) / eta),
             "At this z @heavy-ball is (μ − β)/η times the flow's transfer function 1/(z + λR₁R₃).",
             Exact(residual=lambda claim: ball - flow.subs(z, claim.rhs), simplify=rational),
             Reference(PAPER, "139"), (equation(z, (mu - 1) / eta),)),
        Step("momentum-flow", equation(v, (1 + beta * s) * target / (beta * s**2 + s + drive)),
             "βv̈ + v̇ = −v⁴ from rest: ∂_t becomes β∂_t² + ∂_t.",
             Solves([_momentum_flow()]), Reference(PAPER, "137"),
             (equation(v, target / (beta * s**2 + s + drive)),)),
        Step("largest-step", equation(largest, 2 * (1 + beta)),
             "The mode at λ_{max} leaves the unit circle at μ = −1: where the spectral radius of "
             "μ² − (1 + β − ηλ)μ + β crosses 1, for three β.",
             Agrees(_critical_steps,
                    lambda claim: [float(claim.rhs.subs(beta, x)) for x in MOMENTA], 1e-8),
             Reference(PAPER, "136"), (equation(largest, 2), equation(largest, 2 / (1 + beta)))),
    ]  # fmt: skip
    return Parts(
        steps, heavy_ball.claim,
        ("training from rest: v_{−1} = v_0 = w",),
        ("The paper's (141): the denominator needs λ_k beside ηR₁R₃, and the numerator is "
         "(μ − β)w, the momentum analogue of the z w⋆ of the paper's (136); the printed one fails "
         "the check of @heavy-ball.",),
    )  # fmt: skip


MOMENTA = (0.1, 0.5, 0.9)


def _critical_steps() -> list[float]:
    """ηλ at which the spectral radius of the recursion crosses 1, for several β."""

    def excess(step: float, momentum: float) -> float:
        return max(abs(np.roots([1, -(1 + momentum - step), momentum]))) - 1

    return [brentq(excess, 1.0, 5.0, args=(momentum,)) for momentum in MOMENTA]


def _momentum_flow() -> Relation:
    """βv̈ + v̇ = −v⁴ transformed with v(0) = w, v̇(0) = 0."""
    acceleration = s**2 * v - s * target
    velocity = s * v - target
    return equation(beta * acceleration + velocity, -drive * v)


def _heavy_ball_in_time(heavy_ball: Step) -> Step:
    """Σ H_k(n) μ^{−n} of the time-stepped equations, with R₁R₃ = z/κ at the rule's frequency."""
    law, features, samples = PowerLaw(exponent=1.25, size=20), 6, 9
    step, momentum, point, mode = 0.4, 0.5, 3.0, 2

    @cache
    def stepped() -> float:
        from solvable.validation.time_stepping import momentum_update, solve_mean_field

        solution = solve_mean_field(
            law.eigenvalues(), law.target_power(), momentum_update(50, step, momentum),
            features=features, samples=samples,
        )  # fmt: skip
        return float(solution.transfer[mode - 1] @ point ** -np.arange(51.0))

    def claimed(claim: Relation) -> float:
        found = solve(law, features, samples, (point - 1) * (1 - momentum / point) / step)
        values = {
            mu: point, beta: momentum, eta: step, target: 1, R1: found.sample_response,
            R3: found.feature_response, lam: float(law.eigenvalue(mode)),
        }  # fmt: skip
        return float(claim.rhs.subs(values))

    return heavy_ball.evidence(
        "heavy-ball-in-time", "50 steps of the mean-field equations with momentum, mode 2.",
        Agrees(stepped, claimed), Reference(PAPER, "141"),
        (equation(v, mu / (mu - beta) * heavy_ball.claim.rhs),
         equation(v, heavy_ball.claim.rhs.subs(lam, 1))),
    )  # fmt: skip


#: Σ_m K_{n−1−m} (L_m + σ_ε²), and the same without the noise
WITH_NOISE = letter("[K∗(L + σ_ε²)]_{n-1}", r"\left[K*(L+\sigma_\epsilon^{2})\right]_{n-1}")
WITHOUT_NOISE = letter("[K∗L]_{n-1}", r"\left[K*L\right]_{n-1}")

# ---- one-pass SGD ------------------------------------------------------------------------

fresh = sp.Symbol("c_1")  # zz'·C₁/B, the white source
x = sp.Symbol("x", positive=True)  #: eigenvalue of the kernel Λ^{1/2}(AᵀA/N)Λ^{1/2}
V, total = sp.symbols("V ell", positive=True)  #: second moment at x; ℓ = L + σ_ε² = Tr V + σ_ε²
GVG = Expectation(sp.Symbol("GVG"))  #: of a batch's G = (1/B) Σ ggᵀ
root = sp.Symbol("s", positive=True)
curvature = 1 + 1 / batch
multiplier = 1 - 2 * eta * x + curvature * eta**2 * x**2
forcing_of, kernel_of = sp.Function("F")(z, z_prime), sp.Function("K")(z, z_prime)


def online_system() -> list[sp.Expr]:
    """The 2×2 system with R₁ = 1 and the source U[λ²]X/T replaced by a given white one."""
    return [
        line.lhs - line.rhs.subs(X, fresh * T).subs(sigma_eps, 0) for line in REDUCED
    ]  # fmt: skip


@derivation(
    "one-pass-sgd",
    "One-pass SGD at any batch size: a Volterra equation with one-frequency forcing and kernel",
    *references(PAPER, "16", "142", "143", "144"), Reference("phases"), Reference("two-point"),
)  # fmt: skip
def one_pass_sgd() -> Parts:
    """Fresh data have no memory: R₁ = 1, test and training loss agree, and the noise of each batch
    is the loss itself, in every mode and once more in the mode it came from. Forcing and kernel of
    the Volterra equation are Stieltjes transforms, one-point functions of one frequency."""
    solution = sp.solve(online_system(), [X, C3], dict=True)[0]
    response = sp.factor(sp.diff(solution[X], fresh))
    brackets = [
        *divided_differences.items(), (z, kappa * (1 - D1 / N)),
        (z_prime, kappa_prime * (1 - D1_prime / N)),
    ]  # fmt: skip
    difference = z * z_prime * (kappa * h1 / z - kappa_prime * h1_prime / z_prime) / (z_prime - z)
    degrees = (z_prime * D1_prime - z * D1) / (z_prime - z)

    def is_image_of(value: sp.Expr) -> Exact:
        return Exact(brackets, rational, lambda: value)

    forcing = Step(
        "forcing", equation(forcing_of, difference),
        "T → ∞ in @two-point-function/error: the forcing zz'C₀ is the divided difference of κh₁/z.",
        is_image_of(sp.factor(solution[X].subs(fresh, 0))), Reference("two-point"),
        (equation(forcing_of, -difference),
         equation(forcing_of, difference.subs({h1: D1, h1_prime: D1_prime}))),
    )  # fmt: skip
    kernel = Step(
        "kernel", equation(kernel_of, degrees),
        "The response of C₀ to the noise of one step: the divided difference of zD₁.",
        is_image_of(response), Reference("two-point"),
        (equation(kernel_of, U_lam2), equation(kernel_of, -degrees)),
    )  # fmt: skip
    following = sp.Symbol("v_{n+1}")
    volterra = _volterra_steps()
    steps = [
        Step("update", equation(following, v - eta * force),
             "The gradient is subtracted: with v⁴ = v a mode stays at η → 0 and shrinks to "
             "1 − η of itself.",
             Agrees(lambda: [1, 0.9, 0.0, -0.9], _multipliers), Reference(PAPER, "142"),
             (equation(following, v + eta * force),)),
        forcing,
        forcing.evidence(
            "forcing-without-data", "The same as the loss of one model with unlimited data.",
            is_image_of(unlimited(crossed(True, True), T)), None,
        ),
        kernel,
        *_closure_steps(),
        *volterra,
    ]  # fmt: skip
    return Parts(
        steps,
        (forcing.claim, kernel.claim, volterra[2].claim),
        ("Gaussian samples, any batch size; N and M large",
         "the mean over samples: near the critical step the loss is heavy-tailed over seeds, and "
         "its mean, carried by rare ones, is above the typical loss"),
        ("The paper's (142): the printed sign of the update makes the loss grow; "
         "v_{n+1} = v_n − ηv⁴_n.",
         "The paper's (143): without the term λ_k²⟨v_k²⟩/B of the fourth moment. For a summable "
         "spectrum it is of relative order one at small B: b = 2, B = 1 diverges above η = 0.611, "
         "not 0.834."),
    )  # fmt: skip


def _closure_steps() -> list[Step]:
    """Second moments close: the fourth moment of a batch, one step, and its generating function."""
    trace = total - noise
    fourth = V + (V + trace) / batch
    upper, lower = (root - 1) / (curvature * eta), -(root + 1) / (curvature * eta)
    poles = (1 / (x + upper) - 1 / (x + lower)) / (2 * eta * root)
    step = (1 - 2 * eta * x) * V + eta**2 * x**2 * (GVG + noise / batch)
    closed = multiplier * V + eta**2 / batch * x**2 * total
    square = 1 + (root**2 - 1) / curvature  # ξ, as s² = 1 + c(ξ − 1)
    following, rate = sp.Symbol("V_{n+1}"), 1 / (square - sp.Symbol("q"))
    return [
        Step("fourth-moment", equation(GVG, fourth),
             "A diagonal entry, by the pairings of the Gaussian fourth moment of B samples, the "
             "same or two different ones; Tr V = ℓ − σ_ε².",
             Exact(residual=_fourth_moment), None,
             (equation(GVG, V + trace / batch), equation(GVG, V + (2 * V + trace) / batch))),
        Step("closure", equation(following, closed),
             "Λ^{1/2}v ← (1 − ηKG)Λ^{1/2}v + label noise, in the eigenbasis of K, with "
             "@fourth-moment.",
             Exact({GVG: fourth}, rational, lambda: step), None,
             (equation(following, (1 - eta * x) ** 2 * V + eta**2 / batch * x**2 * total),
              equation(following, closed.subs(total, trace)))),
        Step("partial-fractions", equation(rate, poles),
             "Σ_n qⁿξ^{−n} = ξ/(ξ − q), with ξ = 1 + (s² − 1)/c and c = 1 + 1/B: poles at "
             "z₊ = (s − 1)/(cη) and z₋ = −(s + 1)/(cη), so that F̂ = ξ[f(z₊) − f(z₋)]/(2ηs).",
             Exact({sp.Symbol("q"): multiplier}, rational), None,
             (equation(rate, poles.subs(root, -root - 1)), equation(rate, curvature * poles))),
    ]  # fmt: skip


def _fourth_moment(claim: Relation) -> list[sp.Expr]:
    """Entries of E[GVG] by Isserlis' theorem, for a symmetric V of three modes, less the claim."""
    size = 3
    matrix = sp.Matrix(size, size, lambda i, j: sp.Symbol(f"V_{min(i, j)}{max(i, j)}"))
    unit, out = sp.eye(size), []
    for i, j in ((0, 0), (0, 1), (2, 2)):
        same = sum(
            matrix[k, m] * (unit[i, k] * unit[m, j] + unit[i, m] * unit[k, j]
                            + unit[i, j] * unit[k, m])
            for k in range(size) for m in range(size)
        )  # fmt: skip
        exact = same / batch + (1 - 1 / batch) * matrix[i, j]
        claimed = claim.rhs.subs(total, noise + unit[i, j] * matrix.trace()).subs(V, matrix[i, j])
        out.append(claimed - exact)
    return out


def _multipliers(claim: Relation) -> list[float]:
    """v_{n+1}/v_n of the claimed update for a mode with v⁴ = v, at several η."""
    factor = sp.simplify(claim.rhs.subs(force, v) / v)
    return [float(factor.subs(eta, x)) for x in (0.0, 0.1, 1.0, 1.9)]


def _volterra_steps() -> list[Step]:
    """The recursion; at N → ∞ the sum of its kernel, its critical step and its stationary loss."""
    step_loss, excess = sp.Symbol("L_n"), letter("L_∞", r"L_{\infty}")
    kernel_sum = eta / batch * sp.Symbol("S")  # S = Σ λ/(2 − cηλ)
    series = sp.Symbol("S_x")
    closed = x / (eta * (2 - curvature * eta * x))
    ratio = noise * kernel_sum / (1 - kernel_sum)
    edge = sp.Symbol("y", positive=True)
    returned, per_mode = eta**2 / batch * series, x / (edge - x) / (batch + 1)
    return [
        Step("kernel-sum", equation(series, closed),
             "S_x = Σ_j x² q^j, a geometric series: S_x = x² + qS_x.",
             Solves([equation(series, x**2 + multiplier * series)]), None,
             (equation(series, x / (2 - curvature * eta * x)),
              equation(series, x / (eta * (2 - eta * x))))),
        Step("critical", equation(returned, per_mode),
             "The noise returns as (η²/B) Σ S_x, with y = 2/(cη): this is 1 where "
             "Σ λ/(y − λ) = B + 1.",
             Exact([(series, closed), (edge, 2 / (curvature * eta))], rational), None,
             (equation(returned, per_mode * (batch + 1) / batch),)),
        Step("volterra", equation(step_loss, FORCING + eta**2 / batch * WITH_NOISE),
             "The Volterra recursion with q against the mean field of gradient descent, stepped in "
             "time and combined by the binomials of q, 12 steps.",
             Agrees(_exact_losses, _recursion, 1e-7), Reference(PAPER, "16"),
             (equation(step_loss, FORCING + eta / batch * WITH_NOISE),
              equation(step_loss, FORCING + eta**2 / batch * WITHOUT_NOISE))),
        Step("stationary", equation(excess, ratio),
             "L_∞ = r(L_∞ + σ_ε²), r = (η/B) Σ λ/(2 − cηλ): finite while r < 1, and of order η/B.",
             Solves([equation(excess, kernel_sum * (excess + noise))]), Reference(PAPER, "144"),
             (equation(excess, noise * kernel_sum), equation(excess, -ratio))),
    ]  # fmt: skip


FORCING = sp.Function("F")(sp.Symbol("n"))
LAW, STEP, BATCH, SIGMA, FEATURES = PowerLaw(exponent=1.25, size=20), 0.4, 5, 0.2, 8
STEPS = np.arange(13)


@cache
def _exact_losses() -> np.ndarray:
    rule = OnePassSGD(STEP, BATCH)
    return dynamics(LAW, FEATURES, np.inf, STEPS, learner=rule, noise=SIGMA).excess_loss


def _recursion(claim: Relation) -> np.ndarray:
    """The recursion with the claimed prefactors and noise, forcing and kernel stepped in time."""
    from solvable.validation.time_stepping import forcing_and_kernel

    with_noise = WITH_NOISE in claim.rhs.free_symbols
    memory = claim.rhs.coeff(WITH_NOISE if with_noise else WITHOUT_NOISE)
    prefactor = float(memory.subs({eta: STEP, batch: BATCH}))
    forcing, kernel = forcing_and_kernel(
        LAW.eigenvalues(), LAW.target_power(), len(STEPS) - 1, STEP, BATCH, FEATURES
    )
    found = float(claim.rhs.coeff(FORCING)) * forcing
    for n in STEPS:
        history = found[:n] + (SIGMA if with_noise else 0.0)
        found[n] += prefactor * kernel[:n][::-1] @ history
    return found
