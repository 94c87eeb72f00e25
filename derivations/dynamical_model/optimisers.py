r"""Appendix K: gradient descent, momentum and one-pass SGD as other frequencies.

A discrete rule is transformed by v(μ) = Σ_n μ^{−n} v_n. Every rule that is linear in v⁴ with the
same memory for all modes keeps the mean-field equations and only moves the frequency:

    gradient descent    z = (μ − 1)/η                        initial term μ w/η
    heavy ball          z = (μ − 1)(1 − β/μ)/η               initial term (μ − β) w/η
    momentum flow       z = βs² + s                          initial term (1 + βs) w

One-pass SGD draws a new batch each step: R₁ = 1. For Gaussian samples the second moments V of
Λ^{1/2}v on the eigenvalues x of the kernel close exactly, at any batch size, as the Volterra
equation

    L_n = F_n + (η²/B) Σ_{m<n} K_{n−1−m} (L_m + σ²),   F_n = Σ_x V₀ qⁿ,   K_n = Σ_x x² qⁿ,
    q(x) = 1 − 2ηx + (1 + 1/B)η²x².

White gradient noise of variance (λ_k/B)(L + σ²) alone, without the term ηx²/B of the fourth moment,
has (1 − ηx)² for q: that is the limit of large batches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.notation import N, P, kappa, kappa_prime, z, z_prime

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, Verdict
from ..derivation import Step, equation
from .ensembles import crossed
from .mean_field import PAPER, REDUCED, E
from .notation import (
    C3,
    D1,
    R1,
    R3,
    Agrees,
    D1p,
    Identity,
    Solves,
    T_lam2,
    divided_differences,
    h1,
    h1p,
    lam,
    letter,
    noise,
    rational,
    target,
)

eta, beta, batch = sp.symbols("eta beta B", positive=True)
mu, s = sp.symbols("mu s")  #: transform variables of steps and of time
v, force = sp.symbols("v^0_k v^4_k")
drive = lam * R1 * R3  # the force on a mode is λ_kR₁R₃v plus fields


def recursion(momentum: sp.Expr, start: sp.Expr = target, sign: int = -1) -> sp.Eq:
    """v_{n+1} = v_n ∓ ηv⁴_n + β(v_n − v_{n−1}) from rest, transformed: v_{−1} = v_0 = w."""
    following = mu * (v - start)
    previous = v / mu + start
    return equation(following, v + sign * eta * force + momentum * (v - previous))


def _solved(momentum: sp.Expr) -> sp.Expr:
    return sp.factor(sp.solve(recursion(momentum).subs(force, drive * v), v)[0])


@derivation(
    "gradient-descent",
    "Gradient descent and momentum: the flow at another frequency",
    Reference(PAPER, "136"), Reference(PAPER, "137"), Reference(PAPER, "139"),
    Reference(PAPER, "140"), Reference(PAPER, "141"),
)  # fmt: skip
def gradient_descent() -> Parts:
    """Step size and momentum enter the self-consistent equations through the frequency alone: the
    denominator of every mode is η(z + λ_kR₁R₃) at a frequency z that the rule determines."""
    descent = mu * target / (mu - 1 + eta * drive)
    ball = (mu - beta) * target / (mu - 1 - beta + beta / mu + eta * drive)
    frequency = (mu - 1) * (1 - beta / mu) / eta
    steps = [
        Step("descent", equation(v, sp.factor(_solved(sp.Integer(0)))),
             "v_{n+1} = v_n − ηv⁴_n transformed, initial term μw.",
             Solves([recursion(sp.Integer(0)).subs(force, drive * v)]), Reference(PAPER, "136"),
             (equation(v, descent / mu), equation(v, mu * target / (mu - 1 - eta * drive)))),
        Step("heavy-ball", equation(v, _solved(beta)),
             "The two-term recursion from rest, initial term (μ − β)w.",
             Solves([recursion(beta).subs(force, drive * v)]), Reference(PAPER, "141"),
             (equation(v, target / (mu - 1 - beta + beta / mu + eta * R1 * R3)),
              equation(v, ball / (mu - beta) * mu))),
        Step("heavy-ball-form", equation(_solved(beta), ball),
             "The denominator of the paper, with λ_k beside ηR₁R₃.",
             Identity(simplify=rational), Reference(PAPER, "141"),
             (equation(_solved(beta), ball.subs(lam, 1)),)),
        Step("frequency", equation(ball, (mu - beta) / eta * target / (frequency + drive)),
             "Both are the flow's transfer function at z = (μ − 1)(1 − β/μ)/η.",
             Identity(simplify=rational), Reference(PAPER, "139"),
             (equation(ball, (mu - beta) / eta * target / ((mu - 1) / eta + drive)),)),
        Step("momentum-flow", equation(v, (1 + beta * s) * target / (beta * s**2 + s + drive)),
             "βv̈ + v̇ = −v⁴ from rest: ∂_t becomes β∂_t² + ∂_t.",
             Solves([_momentum_flow()]), Reference(PAPER, "137"),
             (equation(v, target / (beta * s**2 + s + drive)),)),
        _heavy_ball_in_time(ball),
        Step("largest-step", equation(eta * sp.Symbol("lambda_max"), 2 * (1 + beta)),
             "The mode at λ_max leaves the unit circle at μ = −1.",
             _Stability(), Reference(PAPER, "136"),
             (equation(eta * sp.Symbol("lambda_max"), 2),
              equation(eta * sp.Symbol("lambda_max"), 2 / (1 + beta)))),
    ]  # fmt: skip
    return Parts(
        steps, equation(v, ball),
        ("training from rest: v_{−1} = v_0 = w",),
        ("(141): the denominator needs λ_k beside ηR₁R₃, and the numerator is (μ − β)w, the "
         "momentum analogue of the z w⋆ of (136); the printed one fails the step heavy-ball.",),
    )  # fmt: skip


def _momentum_flow() -> sp.Eq:
    """βv̈ + v̇ = −v⁴ transformed with v(0) = w, v̇(0) = 0."""
    acceleration = s**2 * v - s * target
    velocity = s * v - target
    return equation(beta * acceleration + velocity, -drive * v)


def _heavy_ball_in_time(ball: sp.Expr) -> Step:
    """Σ H_k(n) μ^{−n} of the time-stepped equations, with R₁R₃ = z/κ at the rule's frequency."""
    size, features, samples, step, momentum, point = 20, 6, 9, 0.4, 0.5, 3.0
    mode = 2

    def stepped() -> float:
        from solvable.analytic.spectrum import PowerLaw
        from solvable.validation.time_stepping import momentum_update, solve_mean_field

        law = PowerLaw(exponent=1.25, size=size)
        solution = solve_mean_field(
            law.eigenvalues(), law.target_power(), momentum_update(50, step, momentum),
            features=features, samples=samples,
        )  # fmt: skip
        return float(solution.transfer[mode - 1] @ point ** -np.arange(51.0))

    def claimed(claim: sp.Basic) -> Any:
        from solvable.analytic.resolvent.solution import solve
        from solvable.analytic.spectrum import PowerLaw

        law = PowerLaw(exponent=1.25, size=size)
        frequency = (point - 1) * (1 - momentum / point) / step
        found = solve(law, features, samples, frequency)
        values = {
            mu: point, beta: momentum, eta: step, target: 1, R1: found.sample_response,
            R3: found.feature_response, lam: float(law.eigenvalue(mode)),
        }  # fmt: skip
        return float(claim.args[1].subs(values))

    return Step(
        "heavy-ball-in-time", equation(v, ball),
        "50 steps of the mean-field equations with momentum, mode 2.",
        Agrees(stepped, claimed, 10), Reference(PAPER, "141"),
        (equation(v, mu / (mu - beta) * ball), equation(v, ball.subs(lam, 1))),
    )  # fmt: skip


class _Stability:
    """At the claimed ηλ the recursion's characteristic root is −1, and just below it is inside."""

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Roots of μ² − (1 + β − ηλ)μ + β at several β."""
        for value in (0.1, 0.5, 0.9):
            limit = float(claim.args[1].subs(beta, value))
            radii = [
                max(abs(np.roots([1, -(1 + value - limit * factor), value])))
                for factor in (0.999, 1.001)
            ]
            if not radii[0] < 1 < radii[1]:
                return Verdict("fail", f"β = {value}: radii {radii} around the claimed limit")
        return Verdict("pass", "spectral radius crosses 1 at the claimed step for three β")


#: Σ_m K_{n−1−m} (L_m + σ²), and the same without the noise
WITH_NOISE = letter("K*(L+σ²)", r"\left[K*(L+\sigma^{2})\right]_{n-1}")
WITHOUT_NOISE = letter("K*L", r"\left[K*L\right]_{n-1}")

# ---- one-pass SGD ------------------------------------------------------------------------

forcing_image = sp.Symbol("f")
fresh = sp.Symbol("c_1")  # zz'·C₁/B, the white source
x = sp.Symbol("x", positive=True)  #: eigenvalue of the kernel Λ^{1/2}(AᵀA/N)Λ^{1/2}
V, total = sp.symbols("V ell", positive=True)  #: second moment at x; ℓ = L + σ² = tr V + σ²
GVG = letter("E[GVG]", r"\mathbb{E}[G V G]")  #: of a batch's G = (1/B) Σ ggᵀ
xi, root = sp.symbols("xi s", positive=True)
curvature = 1 + 1 / batch
multiplier = 1 - 2 * eta * x + curvature * eta**2 * x**2


def online_system() -> list[sp.Eq]:
    """The 2×2 system with R₁ = 1 and the source T[λ²]E/P replaced by a given white one."""
    replace = {E / P: fresh}
    return [
        equation(item.lhs, item.rhs.subs(E, fresh * P).xreplace(replace).subs(noise, 0))
        for item in REDUCED
    ]


@derivation(
    "one-pass-sgd",
    "One-pass SGD at any batch size: a Volterra equation with one-frequency forcing and kernel",
    Reference(PAPER, "16"), Reference(PAPER, "142"), Reference(PAPER, "143"),
    Reference(PAPER, "144"), Reference("phases"), Reference("two-point"),
)  # fmt: skip
def one_pass_sgd() -> Parts:
    """Fresh data have no memory: R₁ = 1, test and training loss agree, and the noise of each batch
    is the loss itself, in every mode and once more in the mode it came from. Forcing and kernel of
    the Volterra equation are Stieltjes transforms, one-point functions of one frequency."""
    solution = sp.solve(online_system(), [E, C3], dict=True)[0]
    response = sp.factor(sp.diff(solution[E], fresh))
    forcing = sp.factor(solution[E].subs(fresh, 0))
    frequencies = {z: kappa * (1 - D1 / N), z_prime: kappa_prime * (1 - D1p / N)}
    difference = (z * z_prime * (kappa * h1 / z - kappa_prime * h1p / z_prime)) / (z_prime - z)
    degrees = (z_prime * D1p - z * D1) / (z_prime - z)

    def explicit(value: sp.Expr) -> sp.Expr:
        return value.xreplace(divided_differences).subs(frequencies)

    steps = [
        Step("update", equation(sp.Symbol("v_{n+1}"), v - eta * force),
             "The gradient is subtracted: a mode without noise decays.",
             _Descends(), Reference(PAPER, "142"),
             (equation(sp.Symbol("v_{n+1}"), v + eta * force),)),
        Step("forcing", equation(explicit(forcing), explicit(difference)),
             "P → ∞: zz'C₀ is the divided difference of f = κh₁/z.",
             Identity(simplify=rational), Reference("two-point"),
             (equation(explicit(forcing), explicit(-difference)),
              equation(explicit(forcing), explicit(difference.subs({h1: D1, h1p: D1p}))))),
        Step("forcing-without-data", equation(forcing, _online(crossed(True, True))),
             "The same as the loss with unlimited data.", Identity(simplify=rational), None,
             (equation(forcing, _online(crossed(False, True))),)),
        Step("kernel", equation(explicit(response), explicit(degrees)),
             "The response of C₀ to the noise of one step: the divided difference of zD₁.",
             Identity(simplify=rational), Reference("two-point"),
             (equation(explicit(response), explicit(T_lam2)),
              equation(explicit(response), explicit(-degrees)))),
        *_closure_steps(),
        *_volterra_steps(),
    ]  # fmt: skip
    return Parts(
        steps,
        equation(forcing_image, kappa * h1 / z),
        ("Gaussian samples, any batch size; N and M large",
         "the mean over samples: near the critical step the loss is heavy-tailed over seeds, and "
         "its mean, carried by rare ones, is above the typical loss"),
        ("(142): the printed sign of the update makes the loss grow; v_{n+1} = v_n − ηv⁴_n.",
         "(143): without the term λ_k²⟨v_k²⟩/B of the fourth moment. For a summable spectrum it is "
         "of relative order one at small B: b = 2, B = 1 diverges above η = 0.611, not 0.834.",),
    )  # fmt: skip


def _online(value: sp.Expr) -> sp.Expr:
    inverse = sp.Symbol("tau", positive=True)
    return sp.cancel(sp.together(value.subs(P, 1 / inverse))).subs(inverse, 0)


class _Descends:
    """One noiseless mode stays at η → 0 and shrinks, |v_{n+1}| < |v_n|, for 0 < ηλ < 2."""

    def __call__(self, claim: sp.Basic) -> Verdict:
        """The multiplier of the claim at λ = 1."""
        factor = sp.simplify(claim.args[1].subs(force, v) / v)
        values = [abs(float(factor.subs(eta, x))) for x in (0.1, 1.0, 1.9)]
        still = float(factor.subs(eta, 0))
        outcome = "pass" if max(values) < 1 and still == 1 else "fail"
        return Verdict(outcome, f"multipliers {values}, {still} without a step")  # type: ignore[arg-type]


def _closure_steps() -> list[Step]:
    """Second moments close: the fourth moment of a batch, one step, and its generating function."""
    trace = total - noise
    fourth = V + (V + trace) / batch
    upper, lower = (root - 1) / (curvature * eta), -(root + 1) / (curvature * eta)
    poles = (1 / (x + upper) - 1 / (x + lower)) / (2 * eta * root)
    step = (1 - 2 * eta * x) * V + eta**2 * x**2 * (GVG + noise / batch)
    closed = multiplier * V + eta**2 / batch * x**2 * total
    square = 1 + (root**2 - 1) / curvature  # ξ, as s² = 1 + c(ξ − 1)
    pole = 1 / (square - multiplier)
    return [
        Step("fourth-moment", equation(GVG, fourth),
             "Pairings of the Gaussian fourth moment, B samples: the same or two different ones.",
             _FourthMoment(), None,
             (equation(GVG, V + trace / batch), equation(GVG, V + (2 * V + trace) / batch))),
        Step("closure", equation(step, closed),
             "Λ^{1/2}v ← (1 − ηKG)Λ^{1/2}v + label noise, in the eigenbasis of K.",
             Exact({GVG: fourth}, rational), None,
             (equation(step, (1 - eta * x) ** 2 * V + eta**2 / batch * x**2 * total),
              equation(step, closed.subs(total, trace)))),
        Step("partial-fractions", equation(pole, poles),
             "Σ_n qⁿξ^{−n} = ξ/(ξ − q), with ξ = 1 + (s² − 1)/c: poles at z₊ = (s − 1)/(cη) and "
             "z₋ = −(s + 1)/(cη), so that F̂ = ξ[f(z₊) − f(z₋)]/(2ηs).",
             Identity(simplify=rational), None,
             (equation(pole, poles.subs(root, -root - 1)), equation(pole, curvature * poles))),
    ]  # fmt: skip


class _FourthMoment:
    """E[GVG] of a batch by Isserlis' theorem, entry by entry, for a symmetric V of three modes."""

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Every entry of the claim, with V its matrix and ℓ − σ² its trace."""
        size = 3
        matrix = sp.Matrix(size, size, lambda i, j: sp.Symbol(f"V_{min(i, j)}{max(i, j)}"))
        trace = matrix.trace()
        for i, j in ((0, 0), (0, 1), (2, 2)):
            same = sum(
                matrix[k, m] * (_d(i, k) * _d(m, j) + _d(i, m) * _d(k, j) + _d(i, j) * _d(k, m))
                for k in range(size) for m in range(size)
            )  # fmt: skip
            exact = same / batch + (1 - 1 / batch) * matrix[i, j]
            claimed = claim.args[1].subs(total, noise + _d(i, j) * trace).subs(V, matrix[i, j])
            if sp.expand(claimed - exact) != 0:
                return Verdict("fail", f"entry {i, j}: off by {sp.factor(claimed - exact)}")
        return Verdict("pass", "diagonal and other entries for three modes, any B")


def _d(i: int, j: int) -> int:
    return int(i == j)


def _volterra_steps() -> list[Step]:
    """The recursion; at N → ∞ the sum of its kernel, its critical step and its stationary loss."""
    loss, excess = sp.Symbol("L_n"), letter("L_∞", r"L_{\infty}")
    kernel_sum = eta / batch * sp.Symbol("S")  # S = Σ λ/(2 − cηλ)
    series = sp.Symbol("S_x")
    closed = x / (eta * (2 - curvature * eta * x))
    forcing = sp.Function("F")(sp.Symbol("n"))
    ratio = noise * kernel_sum / (1 - kernel_sum)
    edge = sp.Symbol("y", positive=True)
    critical = equation(eta / batch * x / (2 - curvature * eta * x), x / (edge - x) / (batch + 1))
    return [
        Step("kernel-sum", equation(series, closed),
             "S_x = Σ_j x² q^j, a geometric series: S_x = x² + qS_x.",
             Solves([equation(series, x**2 + multiplier * series)]), None,
             (equation(series, x / (2 - curvature * eta * x)),
              equation(series, x / (eta * (2 - eta * x))))),
        Step("critical", critical,
             "The noise returns as (η²/B) Σ S_x, which is 1 where Σ λ/(y − λ) = B + 1.",
             Exact({edge: 2 / (curvature * eta)}, rational), None,
             (equation(critical.lhs, critical.rhs * (batch + 1) / batch),)),
        Step("volterra", equation(loss, forcing + eta**2 / batch * WITH_NOISE),
             "The Volterra recursion with q against the mean field of gradient descent, stepped in "
             "time and combined by the binomials of q, 12 steps.",
             _Volterra(), Reference(PAPER, "16"),
             (equation(loss, forcing + eta / batch * WITH_NOISE),
              equation(loss, forcing + eta**2 / batch * WITHOUT_NOISE))),
        Step("stationary", equation(excess, ratio),
             "L_∞ = r(L_∞ + σ²), r = (η/B) Σ λ/(2 − cηλ): finite while r < 1, and of order η/B.",
             Solves([equation(excess, kernel_sum * (excess + noise))]), Reference(PAPER, "144"),
             (equation(excess, noise * kernel_sum), equation(excess, -ratio))),
    ]  # fmt: skip


class _Volterra:
    """The claimed combination of forcing, kernel and noise is the loss, step by step."""

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Run the recursion with the claimed prefactor and noise for 12 steps."""
        from solvable.analytic.dynamics import dynamics
        from solvable.analytic.learners import OnePassSGD
        from solvable.analytic.spectrum import PowerLaw
        from solvable.validation.time_stepping import forcing_and_kernel

        law, step, size, sigma, features = PowerLaw(exponent=1.25, size=20), 0.4, 5, 0.2, 8
        right, steps = claim.args[1], np.arange(13)
        with_noise = WITH_NOISE in right.free_symbols
        prefactor = float(
            right.coeff(WITH_NOISE if with_noise else WITHOUT_NOISE).subs({eta: step, batch: size})
        )
        forcing, kernel = forcing_and_kernel(
            law.eigenvalues(), law.target_power(), 12, step, size, features
        )
        found = np.zeros(13)
        for n in steps:
            history = found[:n] + (sigma if with_noise else 0.0)
            found[n] = forcing[n] + prefactor * kernel[:n][::-1] @ history
        rule = OnePassSGD(step, size)
        exact = dynamics(law, features, np.inf, steps, learner=rule, noise=sigma).excess_loss
        error = float(np.max(np.abs(found / exact - 1)))
        outcome = "pass" if error < 1e-7 else "fail"
        return Verdict(outcome, f"12 steps differ by {error:.1e}", {"error": error})  # type: ignore[arg-type]
