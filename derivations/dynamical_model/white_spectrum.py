r"""Appendices F and I: white data, densities of time scales, and the limits ν ≪ 1, ν ≫ 1.

For λ_k = 1, with ν = N/M and α = T/M, ρ = R₁R₃ and ρH = 1 − zH turn the self-consistent equations
into one cubic for the transfer function,

    1/H − z = (1 − (1 − zH)/α) (1 − (1 − zH)/ν).

The density of time scales, H(t) = ∫ρ(u) e^{−ut} du, is −Im H(−u + i0)/π: for ν → ∞ the
Marchenko–Pastur law, whose moments m_n = Σ_k Nar(n,k) α^{−(k−1)} (Narayana numbers) count
non-crossing pairings, which gives H(t) = Σ (−t)ⁿ m_n/n! at any time with any number of digits.
"""

from __future__ import annotations

from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.notation import R1, R3, alpha, t, z

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, Asymptotic, Both, Exact, Solves, proportional
from ..derivation import Step
from ..relations import Relation, Truncated, equation
from .mean_field import PAPER

nu = sp.Symbol("nu", positive=True)  #: N/M
H = sp.Symbol("H")  # H(z)
H_time, density_of = sp.Function("H")(t), sp.Function("rho")
scale, lower, upper = sp.symbols("s s_- s_+", positive=True)  #: time scale u = 1/τ, and its edges
root = sp.Symbol("q", positive=True)  # √ν or √α in exact checks


def edges() -> tuple[sp.Expr, sp.Expr]:
    """s± = (1 ± α^{−1/2})²."""
    return (1 - 1 / sp.sqrt(alpha)) ** 2, (1 + 1 / sp.sqrt(alpha)) ** 2


def narayana(n: int, k: int) -> int:
    """The number of non-crossing partitions of n elements into k blocks."""
    return int(sp.binomial(n, k) * sp.binomial(n, k - 1) / n)


def transfer_white(time: Any, inverse: Any) -> Any:
    """H(t) = Σ (−t)ⁿ m_n/n! with m_n = Σ_k Nar(n,k) ν^{−(k−1)}, an mpmath number; inverse = 1/ν."""
    total, size = mpmath.mpf(1), mpmath.mpf(1)
    n = 0
    while n < 8 or abs(size) > mpmath.eps:
        n += 1
        moment = sum(narayana(n, k) * mpmath.mpf(inverse) ** (k - 1) for k in range(1, n + 1))
        size = (-mpmath.mpf(time)) ** n / mpmath.factorial(n) * moment
        total += size
    return total


@derivation(
    "white-spectrum",
    "White data: a cubic for the transfer function, and its limits",
    *references(PAPER, "118", "119", "121", "122"),
)  # fmt: skip
def white_spectrum() -> Parts:
    """With all eigenvalues equal the self-consistent equations become a cubic; with unlimited data
    a quadratic, whose solution is a plateau for few features and two time scales for many."""
    absorbed = 1 - z * H
    cubic = equation(1 / H - z, (1 - absorbed / alpha) * (1 - absorbed / nu))
    quadratic = equation(R3 * nu * (z + R3), nu * (z + R3) - R3)
    roots = sp.solve(quadratic.difference, R3)
    other, physical = sorted(roots, key=lambda x: float(x.subs({nu: 2, z: 100})))
    few = (1 - nu) + nu * sp.exp(-t / nu)
    many = sp.exp(-t) * sp.cosh(t / sp.sqrt(nu))
    shared = {R1: 1 - absorbed / alpha, R3: 1 - absorbed / nu}

    def split(width: sp.Expr) -> sp.Expr:
        return (sp.exp(-t * (1 - width)) + sp.exp(-t * (1 + width))) / 2

    branch = Agrees(lambda: 1, lambda claim: claim.rhs.subs({nu: 2, z: 10**8}).evalf(30), 1e-6)
    steps = [
        Step("cubic", cubic, "1/H = z + R₁R₃ with λ_kR₁R₃H = 1 − zH in both responses.",
             Exact(residual=proportional(equation(1 / H - z, (R1 * R3).xreplace(shared)))),
             Reference(PAPER, "118"),
             (equation(1 / H - z, (1 - absorbed / alpha) ** 2),
              equation(1 / H, (1 - absorbed / alpha) * (1 - absorbed / nu)))),
        Step("unlimited-data", equation(R3, physical),
             "α → ∞: the root of R₃ν(z + R₃) = ν(z + R₃) − R₃ that tends to 1 at high frequency.",
             Both((Solves([quadratic]), branch)), Reference(PAPER, "119"),
             (equation(R3, other),
              equation(R3, ((1 - 1 / nu - z) + sp.sqrt((1 - 1 / nu - z) ** 2 - 4 * z)) / 2))),
        Step("moments", Truncated(H, _series(8), z**-9),
             "@cubic at α → ∞ expanded in 1/z: Narayana numbers, non-crossing pairings.",
             Exact(residual=_orders), None, (Truncated(H, _series(8) + z**-4, z**-9),)),
        Step("few-features", Truncated(H_time, few, nu**2),
             "ν ≪ 1 at fixed t/ν: a fraction ν of the directions is learned at rate 1/ν. Here "
             "t = 3ν/2, the exact H(t) being Σ (−t)ⁿ m_n/n! with the moments m_n of @moments.",
             Asymptotic(lambda x: transfer_white(1.5 * x, 1 / x), nu, (1e-3, 1e-4), 2.0,
                        lambda x: {t: 1.5 * x}, 0.02, 30),
             Reference(PAPER, "121"),
             (Truncated(H_time, (1 - nu) + nu * sp.exp(-t), nu**2),
              Truncated(H_time, nu + (1 - nu) * sp.exp(-t / nu), nu**2))),
        Step("many-features", Truncated(H_time, many, nu**-2),
             "ν ≫ 1 at fixed t: the spread of the rates about 1 has variance 1/ν. Here t = 3/2.",
             Asymptotic(lambda x: transfer_white(1.5, 1 / x), nu, (1e3, 1e4), -2.0, {t: 1.5},
                        0.02, 30),
             Reference(PAPER, "122"),
             (Truncated(H_time, sp.exp(-t) * sp.cosh(t / nu), nu**-2),
              Truncated(H_time, sp.exp(-t), nu**-2))),
        Step("two-time-scales", Truncated(H_time, split(1 / sp.sqrt(nu)), nu**-2),
             "@many-features as a sum of exponentials with the rates 1 ± 1/√ν.",
             Exact({nu: root**2}, lambda x: sp.expand(x.rewrite(sp.exp)), lambda: many),
             Reference(PAPER, "122"), (Truncated(H_time, split(1 / nu), nu**-2),)),
    ]  # fmt: skip
    return Parts(
        steps, (steps[3].claim, steps[4].claim),
        ("M, N, T large at fixed ν = N/M and α = T/M",),
        ("The paper's (122): the intermediate exponents are 1 ± 1/√ν; with other powers of ν the "
         "two exponentials do not add up to the hyperbolic cosine.",),
    )  # fmt: skip


def _series(terms: int) -> sp.Expr:
    """Σ (−1)ⁿ m_n z^{−n−1}, the transform of Σ (−t)ⁿ m_n/n!."""
    return sp.Add(1 / z, *[
        sp.Integer(-1) ** n * z ** (-n - 1)
        * sum(narayana(n, k) * nu ** (1 - k) for k in range(1, n + 1)) for n in range(1, terms)
    ])  # fmt: skip


def _orders(claim: Relation) -> list[sp.Expr]:
    """What the claimed series leaves in the cubic at α → ∞, order by order in 1/z."""
    small = sp.Symbol("y", positive=True)
    value = sp.expand(claim.rhs.subs(z, 1 / small))
    residual = sp.expand((1 - value / small) - value * (1 - (1 - value / small) / nu))
    return [residual.coeff(small, n) for n in range(8)]


@derivation(
    "time-scale-density",
    "The density of time scales is the spectral density seen by a mode",
    *references(PAPER, "88", "89", "90", "95"),
)  # fmt: skip
def time_scale_density() -> Parts:
    """A transfer function is a superposition of exponentials with a nonnegative density, its cut
    on the negative frequency axis. For white data and unlimited features: Marchenko–Pastur."""
    low, high = edges()
    quadratic = equation(z * H**2 / alpha + (z + 1 - 1 / alpha) * H, 1)
    discriminant = sp.discriminant(quadratic.difference.subs(z, -scale), H)
    product = (upper - scale) * (scale - lower)
    delta = sp.Symbol("Delta")
    rho = density_of(scale)
    value = alpha * sp.sqrt(product) / (2 * sp.pi * scale)
    printed = alpha * sp.sqrt((scale - upper) * (scale - lower)) / (2 * sp.pi * scale)
    imaginary = -discriminant / (2 * scale / alpha) ** 2 / sp.pi**2
    ends = {lower: low, upper: high}
    density = Step(
        "density", equation(rho, value),
        "ρ(s) = −Im H(−s + i0)/π, from @cut: ρ² = −Δ/(2πs/α)²; at α = 2 its integral is 1.",
        Both((Exact(residual=lambda claim: claim.rhs.subs(ends) ** 2 - imaginary,
                    simplify=lambda x: sp.simplify(sp.expand(x))),
              Agrees(lambda: 1, lambda claim: _integral(claim, lambda s: 1), 1e-12))),
        Reference(PAPER, "95"), (equation(rho, printed),),
    )  # fmt: skip
    wrong = (equation(rho, 2 * value), equation(rho, value.subs(alpha, 1)))
    steps = [
        Step("quadratic", quadratic, "ν → ∞: R₃ = 1, and R₁ = 1/H − z closes on itself.",
             Exact(residual=proportional(equation(H * (1 / H - z), H * (1 - (1 - z * H) / alpha)))),
             None, (equation(z * H**2 / alpha + (z + 1 + 1 / alpha) * H, 1),)),
        Step("cut", equation(delta, -product),
             "The discriminant of @quadratic at z = −s, with s± = (1 ± α^{-1/2})²: between s₋ and "
             "s₊ it is negative and H is complex.",
             Exact([(delta, discriminant), *ends.items(), (alpha, root**2)], sp.factor),
             Reference(PAPER, "95"), (equation(delta, product),)),
        density,
        density.evidence(
            "transform", "∫ρ(s) e^{−st} ds at t = 3, α = 2, against the series of moments, "
            "@white-spectrum/moments.",
            Agrees(lambda: transfer_white(3, 0.5),
                   lambda c: _integral(c, lambda s: mpmath.exp(-3 * s)), 1e-12),
            Reference(PAPER, "88"), wrong,
        ),
    ]  # fmt: skip
    return Parts(
        steps, density.claim,
        ("α = T/M; for α < 1 a further weight 1 − α at s = 0: directions that no sample shows",),
        ("The paper's (95): under the root stands (s₊ − s)(s − s₋), which is positive between the "
         "edges; with the printed sign the density is imaginary there.",),
    )  # fmt: skip


def _integral(claim: Relation, weight: Any) -> Any:
    """∫ρ(s) weight(s) ds of the claimed density at α = 2, by quadrature."""
    low, high = ((1 - 1 / mpmath.sqrt(2)) ** 2, (1 + 1 / mpmath.sqrt(2)) ** 2)
    function = sp.lambdify(scale, claim.rhs.subs({alpha: 2, lower: low, upper: high}), "mpmath")
    # s = middle + half·sin θ removes the square-root edges
    middle, half = (low + high) / 2, (high - low) / 2

    def smooth(theta: Any) -> Any:
        s = middle + half * mpmath.sin(theta)
        return mpmath.re(function(s)) * weight(s) * half * mpmath.cos(theta)

    return mpmath.quad(smooth, [-mpmath.pi / 2, 0, mpmath.pi / 2])
