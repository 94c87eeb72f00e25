r"""Appendices F and I: white data, densities of time scales, and the limits ν ≪ 1, ν ≫ 1.

For λ_k = 1, with ν = N/M and α = P/M, ρ = R₁R₃ and ρH = 1 − zH turn the self-consistent equations
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

from solvable.analytic.notation import alpha, t, z

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Exact, Verdict
from ..derivation import Step, equation
from .mean_field import PAPER
from .notation import R1, R3, Agrees, Equivalent, Identity, Solves

nu = sp.Symbol("nu", positive=True)  #: N/M
H = sp.Symbol("H")
scale, lower, upper = sp.symbols("s s_- s_+", positive=True)  #: time scale u = 1/τ, and its edges
SCALED = sp.Symbol("x", positive=True)  # t/ν
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
    Reference(PAPER, "118"), Reference(PAPER, "119"), Reference(PAPER, "121"),
    Reference(PAPER, "122"),
)  # fmt: skip
def white_spectrum() -> Parts:
    """With all eigenvalues equal the self-consistent equations become a cubic; with unlimited data
    a quadratic, whose solution is a plateau for few features and two time scales for many."""
    absorbed = 1 - z * H
    cubic = equation(1 / H - z, (1 - absorbed / alpha) * (1 - absorbed / nu))
    roots = sp.solve(equation(R3 * nu * (z + R3), nu * (z + R3) - R3), R3)
    other, physical = sorted(roots, key=lambda x: float(x.subs({nu: 2, z: 100})))
    few = (1 - nu) + nu * sp.exp(-t / nu)
    many = sp.exp(-t) * sp.cosh(t / sp.sqrt(nu))
    split = (sp.exp(-t * (1 - 1 / sp.sqrt(nu))) + sp.exp(-t * (1 + 1 / sp.sqrt(nu)))) / 2
    shared = {R1: 1 - absorbed / alpha, R3: 1 - absorbed / nu}
    steps = [
        Step("cubic", cubic, "1/H = z + R₁R₃ with λ_kR₁R₃H = 1 − zH in both responses.",
             Equivalent(equation(1 / H - z, (R1 * R3).xreplace(shared))), Reference(PAPER, "118"),
             (equation(1 / H - z, (1 - absorbed / alpha) ** 2),
              equation(1 / H, (1 - absorbed / alpha) * (1 - absorbed / nu)))),
        Step("unlimited-data", equation(R3, physical),
             "α → ∞: the root of the quadratic that tends to 1 at high frequency.",
             _Root(), Reference(PAPER, "119"),
             (equation(R3, other),
              equation(R3, ((1 - 1 / nu - z) + sp.sqrt((1 - 1 / nu - z) ** 2 - 4 * z)) / 2))),
        Step("moments", equation(sp.Symbol("H"), _series(8)),
             "The cubic at α → ∞ expanded in 1/z: Narayana numbers, non-crossing pairings.",
             _SolvesCubic(), None, (equation(sp.Symbol("H"), _series(8) + z**-4),)),
        Step("few-features", equation(H, few),
             "ν ≪ 1 at fixed t/ν: a fraction ν of the directions is learned at rate 1/ν.",
             _Limit(scaled=True), Reference(PAPER, "121"),
             (equation(H, (1 - nu) + nu * sp.exp(-t)),
              equation(H, nu + (1 - nu) * sp.exp(-t / nu)))),
        Step("many-features", equation(H, many),
             "ν ≫ 1: the spread of the rates about 1 has variance 1/ν.",
             _Limit(scaled=False), Reference(PAPER, "122"),
             (equation(H, sp.exp(-t) * sp.cosh(t / nu)), equation(H, sp.exp(-t)))),
        Step("two-time-scales", equation(split, many),
             "The intermediate form has the exponents 1 ± 1/√ν.",
             Identity({nu: root**2}, lambda x: sp.expand(x.rewrite(sp.exp))),
             Reference(PAPER, "122"),
             (equation((sp.exp(-t * (1 - 1 / nu)) + sp.exp(-t * (1 + 1 / nu))) / 2, many),)),
    ]  # fmt: skip
    return Parts(
        steps, equation(H, sp.Piecewise((few, nu < 1), (many, True))),
        ("M, N, P large at fixed ν = N/M and α = P/M",),
        ("(122): the intermediate exponents are 1 ± 1/√ν; with other powers of ν the two "
         "exponentials do not add up to the hyperbolic cosine.",
         "(121) errs by O(ν²) at fixed t/ν, (122) by O(1/ν²) at fixed t."),
    )  # fmt: skip


class _Root:
    """The claim solves R₃ = 1 − R₃/(ν(z+R₃)) and tends to 1 for z → ∞."""

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Insert the claim and take its limit."""
        verdict = Solves([equation(R3 * nu * (z + R3), nu * (z + R3) - R3)])(claim)
        if verdict.passed and sp.limit(claim.args[1].subs(nu, 2), z, sp.oo) != 1:
            return Verdict("fail", "not the branch that tends to 1 at high frequency")
        return verdict


def _series(terms: int) -> sp.Expr:
    """Σ (−1)ⁿ m_n z^{−n−1}, the transform of Σ (−t)ⁿ m_n/n!."""
    return sp.Add(1 / z, *[
        sp.Integer(-1) ** n * z ** (-n - 1)
        * sum(narayana(n, k) * nu ** (1 - k) for k in range(1, n + 1)) for n in range(1, terms)
    ])  # fmt: skip


class _SolvesCubic:
    """The claimed series in 1/z satisfies the cubic at α → ∞ to the order it is given."""

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Insert and collect the orders that the truncation leaves exact."""
        small = sp.Symbol("y", positive=True)
        value = sp.expand(claim.args[1].subs(z, 1 / small))
        residual = sp.expand((1 - value / small) - value * (1 - (1 - value / small) / nu))
        kept = [sp.simplify(residual.coeff(small, n)) for n in range(8)]
        wrong = [n for n, x in enumerate(kept) if x != 0]
        if wrong:
            return Verdict("fail", f"order z^-{wrong[0]} does not cancel", {"orders": wrong})
        return Verdict("pass", "8 orders in 1/z cancel")


class _Limit:
    """The remainder of the claim is of second order in ν (few features) or 1/ν (many)."""

    def __init__(self, scaled: bool) -> None:
        self.scaled = scaled

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Slope of |H − claim| at fixed t/ν or at fixed t."""
        small = sp.Symbol("epsilon", positive=True)
        value = claim.args[1]
        if self.scaled:
            value = value.subs(t, nu * SCALED).subs({nu: small, SCALED: sp.Rational(3, 2)})

            def exact(x: Any) -> Any:
                return transfer_white(mpmath.mpf(3) / 2 * x, 1 / x)
        else:
            value = value.subs({nu: 1 / small, t: sp.Rational(3, 2)})

            def exact(x: Any) -> Any:
                return transfer_white(mpmath.mpf(3) / 2, x)

        grid = (1e-3, 1e-4)
        return Asymptotic(exact, small, grid, 2.0, {}, 0.02, 30)(equation(0, value))


@derivation(
    "time-scale-density",
    "The density of time scales is the spectral density seen by a mode",
    Reference(PAPER, "88"), Reference(PAPER, "89"), Reference(PAPER, "90"), Reference(PAPER, "95"),
)  # fmt: skip
def time_scale_density() -> Parts:
    """A transfer function is a superposition of exponentials with a nonnegative density, its cut
    on the negative frequency axis. For white data and unlimited features: Marchenko–Pastur."""
    low, high = edges()
    quadratic = equation(z * H**2 / alpha + (z + 1 - 1 / alpha) * H, 1)
    at_cut = quadratic.subs(z, -scale)
    discriminant = sp.discriminant(at_cut.lhs - at_cut.rhs, H)
    product = (upper - scale) * (scale - lower)
    density = alpha * sp.sqrt(product) / (2 * sp.pi * scale)
    squared = sp.expand(density.subs({lower: low, upper: high}) ** 2)
    imaginary = -discriminant / (2 * scale / alpha) ** 2 / sp.pi**2
    printed = alpha * sp.sqrt((scale - upper) * (scale - lower)) / (2 * sp.pi * scale)
    steps = [
        Step("quadratic", quadratic, "ν → ∞: R₃ = 1, and R₁ = 1/H − z closes on itself.",
             Equivalent(equation(H * (1 / H - z), H * (1 - (1 - z * H) / alpha))), None,
             (equation(z * H**2 / alpha + (z + 1 + 1 / alpha) * H, 1),)),
        Step("cut", equation(-discriminant, product.subs({lower: low, upper: high})),
             "Between s₋ and s₊ the discriminant at z = −s is negative: H is complex there.",
             Identity({alpha: root**2}, sp.factor), Reference(PAPER, "95"),
             (equation(discriminant, product.subs({lower: low, upper: high})),)),
        Step("density", equation(sp.Symbol("rho") ** 2, squared),
             "ρ(s) = −Im H(−s + i0)/π, squared: (−discriminant)/(2πs/α)².",
             Exact({sp.Symbol("rho"): sp.sqrt(imaginary)}, lambda x: sp.simplify(sp.expand(x))),
             Reference(PAPER, "95"),
             (equation(sp.Symbol("rho") ** 2,
                       sp.expand(printed.subs({lower: low, upper: high}) ** 2)),)),
        *_density_numbers(density),
    ]  # fmt: skip
    return Parts(
        steps, equation(sp.Symbol("rho"), density),
        ("α = P/M; for α < 1 a further weight 1 − α at s = 0: directions that no sample shows",),
        ("(95): under the root stands (s₊ − s)(s − s₋), which is positive between the edges; with "
         "the printed sign the density is imaginary there.",),
    )  # fmt: skip


def _density_numbers(density: sp.Expr) -> list[Step]:
    """Norm and transform of the claimed density by quadrature."""

    def integral(claim: sp.Basic, weight: Any) -> Any:
        low, high = ((1 - 1 / mpmath.sqrt(2)) ** 2, (1 + 1 / mpmath.sqrt(2)) ** 2)
        values = {alpha: 2, lower: low, upper: high}
        function = sp.lambdify(scale, claim.args[1].subs(values), "mpmath")
        # s = middle + half·sin θ removes the square-root edges
        middle, half = (low + high) / 2, (high - low) / 2

        def smooth(theta: Any) -> Any:
            s = middle + half * mpmath.sin(theta)
            return mpmath.re(function(s)) * weight(s) * half * mpmath.cos(theta)

        return mpmath.quad(smooth, [-mpmath.pi / 2, 0, mpmath.pi / 2])

    rho = sp.Symbol("rho")
    wrong = (equation(rho, 2 * density), equation(rho, density.subs(alpha, 1)))
    return [
        Step("normalised", equation(rho, density), "∫ρ ds = 1 at α = 2.",
             Agrees(lambda: 1, lambda c: integral(c, lambda s: 1), 12), None, wrong),
        Step("transform", equation(rho, density),
             "∫ρ(s) e^{−st} ds at t = 3, α = 2, against the series of moments.",
             Agrees(lambda: transfer_white(3, 0.5),
                    lambda c: integral(c, lambda s: mpmath.exp(-3 * s)), 12),
             Reference(PAPER, "88"), wrong),
    ]  # fmt: skip
