r"""Appendix D: early in training, corrections are 1/N and 1/P whatever the task.

To first order in ν = 1/N and τ = 1/P, with the sums over modes j of the unperturbed problem,

    H_k(t) = e^{−λt} + (ν + τ) Σ_j f_kj(t),
    f_kj(t) = λ_kλ_j [ (e^{−λ_jt} − e^{−λ_kt})/(λ_k−λ_j)² − t e^{−λ_kt}/(λ_k−λ_j) ],

and the loss is L(t) = Σ w²λ e^{−2λt} + ν A(t) + τ B(t), g_kj = (e^{−λ_jt} − e^{−λ_kt})/(λ_k−λ_j),

    A = 2 Σ_k w_k²λ_k e^{−λ_kt} Σ_j f_kj + Σ_kj w_k²λ_k² λ_j g_kj²,
    B = 2 Σ_k w_k²λ_k e^{−λ_kt} Σ_j f_kj + Σ_kj w_k²λ_k λ_j² g_kj² + σ² Σ_j (1 − e^{−λ_jt})².

While λ_j t ≪ 1 for the modes j that carry the trace c = Σλ_j, f becomes the paper's (83).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sympy as sp

from analytic.dynamics import dynamics
from analytic.spectrum import PowerLaw
from analytic.symbols import N, P, kappa, t, z

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Exact, Verdict
from ..derivation import Step, equation
from .mean_field import PAPER
from .notation import rational

mode, other = sp.symbols("lambda_k lambda_j", positive=True)
order = sp.Symbol("epsilon", positive=True)  # bookkeeping of 1/N and 1/P
nu, tau = sp.symbols("nu tau", positive=True)
trace = sp.Symbol("c", positive=True)
perturbation = sp.Symbol("f_kj")
spread = sp.Symbol("g_kj")

#: size of the example on which asymptotic steps are run, and its time
MODES, TIME, NOISE = 6, 3.0, 0.1


def transformed_correction() -> sp.Expr:
    """The 1/N correction of H_k(z) due to a mode j, from the self-consistent equations."""
    response = 1 - order * other / (z + other)  # R₁R₃ to first order, one mode j
    series = sp.series(1 / (z + mode * response), order, 0, 2).removeO()
    return sp.factor(series.coeff(order, 1))


@cache
def correction() -> sp.Expr:
    """f_kj(t): the inverse transform, from the residues at z = −λ_j and the double pole −λ_k."""
    image = transformed_correction()
    simple = sp.factor(sp.cancel(image * (z + other)).subs(z, -other))
    double = sp.cancel(image * (z + mode) ** 2)
    slope = sp.factor(sp.diff(double, z).subs(z, -mode))
    return (
        simple * sp.exp(-other * t)
        + slope * sp.exp(-mode * t)
        + t * sp.factor(double.subs(z, -mode)) * sp.exp(-mode * t)
    )


@cache
def filter_pair() -> sp.Expr:
    """g_kj(t), the inverse transform of 1/((z+λ_k)(z+λ_j))."""
    return (sp.exp(-other * t) - sp.exp(-mode * t)) / (mode - other)


@derivation(
    "early-time",
    "Universal 1/N and 1/P corrections early in training",
    Reference(PAPER, "83"),
)  # fmt: skip
def early_time() -> Parts:
    """Expanding the self-consistent equations in 1/N and 1/P gives the first corrections of
    the transfer functions and of the loss in closed form: the same power of N and P for every
    task, with a coefficient that grows with time."""
    image, value = transformed_correction(), correction()
    printed = other / mode * (1 - sp.exp(-mode * t) - mode * t * sp.exp(-mode * t))
    early = sp.series(value, t, 0, 4).removeO()
    steps = [
        Step("correction-in-frequency", equation(perturbation, image),
             "R₁R₃ = 1 − (1/N + 1/P) Σ λ_j/(z+λ_j) to first order, put into H_k",
             _FirstOrder(), None,
             (equation(perturbation, -image), equation(perturbation, image * (z + mode)))),
        Step("correction-in-time", equation(perturbation, value),
             "residues at −λ_j and −λ_k; the transform of the claim is the correction above",
             _Transforms(image), None,
             (equation(perturbation, 2 * value), equation(perturbation, printed))),
        Step("paper-form", equation(sp.limit(value / other, other, 0) * other, printed),
             "λ_j t ≪ 1 in the modes that carry c = Σ λ_j", Exact(), Reference(PAPER, "83"),
             (equation(sp.limit(value / other, other, 0) * other,
                       other / mode * (1 - sp.exp(-mode * t))),)),
        Step("start", equation(early.coeff(t, 2), mode * other / 2),
             "both begin as λ_kλ_j t²/2: the correction sets in with the square of time",
             Exact(), None, (equation(early.coeff(t, 2), mode * other),)),
        Step("small-width-loss", equation(*_loss_claim(t)),
             "the exact loss minus the claim is of second order in 1/N = 1/P",
             _remainder(2.0), Reference(PAPER, "83"),
             (equation(_loss_claim(t)[0], _zeroth(t)),
              equation(_loss_claim(t)[0], _zeroth(t) + (nu + tau) * _coefficients(t)[0]))),
        *_universality(),
    ]  # fmt: skip
    total = equation(
        sp.Symbol("H_k"), sp.exp(-mode * t) + (1 / N + 1 / P) * trace * printed / other
    )
    return Parts(
        steps, total, ("1/N and 1/P small at fixed t; λ_j t ≪ 1 for the form with c = Σ λ",),
        ("(83) is exact in λ_k t but of first order in λ_j t; f_kj holds at every fixed t.",),
    )  # fmt: skip


class _FirstOrder:
    """The claim is the derivative of H_k(z) at ν = 0, with R₁R₃ solved self-consistently."""

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Compare with implicit differentiation of ρ = (1 − ε λ_jρ/(z+λ_jρ)) at one mode j."""
        rho = sp.Function("rho")(order)
        relation = rho - 1 + order * other * rho / (z + other * rho)
        slope = sp.solve(sp.diff(relation, order), sp.Derivative(rho, order))[0]
        slope = slope.subs(rho, 1).subs(order, 0)
        derivative = sp.diff(1 / (z + mode * kappa), kappa).subs(kappa, 1) * slope
        return Exact()(equation(claim.args[1], derivative))


class _Transforms:
    """The Laplace transform of the claim is ``image``: every exponential is transformed."""

    def __init__(self, image: sp.Expr) -> None:
        self.image = image

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Transform term by term: t^n e^{−at} ↦ n!/(z+a)^{n+1}."""
        total = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand_mul(claim.args[1])):
            slope = sp.simplify(sp.diff(term, t) / term)  # n/t − rate
            power = sp.limit(t * slope, t, 0)
            rate = sp.simplify(power / t - slope)
            constant = sp.simplify(term * sp.exp(rate * t) / t**power)
            total += constant * sp.gamma(power + 1) / (z + rate) ** (power + 1)
        return Exact(simplify=rational)(equation(total, self.image))


def _law(a: float, b: float) -> PowerLaw:
    return PowerLaw(exponent=b, target_exponent=a, size=MODES)


def _zeroth(time: sp.Expr, a: float = 1.5, b: float = 1.25) -> sp.Expr:
    """Σ w²λ e^{−2λt}, the loss without bottlenecks, for the example's spectrum."""
    law = _law(a, b)
    pairs = zip(law.eigenvalues(), law.target_power(), strict=True)
    return sp.Add(*[p * sp.exp(-2 * x * time) for x, p in pairs])


@cache
def _coefficients(time: sp.Expr, a: float = 1.5, b: float = 1.25) -> tuple[sp.Expr, sp.Expr]:
    """A(t) and B(t) for the example's spectrum."""
    law = _law(a, b)
    values, powers = (list(map(float, x)) for x in (law.eigenvalues(), law.target_power()))
    bias = variance_n = variance_p = sp.Integer(0)
    for x, p in zip(values, powers, strict=True):
        for y in values:
            f, g = _at(correction, x, y), _at(filter_pair, x, y)
            bias += 2 * p * sp.exp(-x * time) * f
            variance_n += p * x * y * g**2
            variance_p += p * y**2 * g**2
    label = NOISE * sp.Add(*[(1 - sp.exp(-y * time)) ** 2 for y in values])
    return bias + variance_n, bias + variance_p + label


@cache
def _diagonal(form: Callable[[], sp.Expr]) -> sp.Expr:
    """f_kk or g_kk: the removable singularity at λ_j = λ_k by its limit."""
    return sp.simplify(sp.limit(form(), other, mode))


def _at(form: Callable[[], sp.Expr], x: float, y: float) -> sp.Expr:
    return form().subs({mode: x, other: y}) if x != y else _diagonal(form).subs(mode, x)


def _loss_claim(time: sp.Expr, a: float = 1.5, b: float = 1.25) -> tuple[sp.Expr, sp.Expr]:
    first, second = _coefficients(time, a, b)
    return sp.Symbol("L"), _zeroth(time, a, b) + nu * first + tau * second


def _remainder(slope: float, a: float = 1.5, b: float = 1.25) -> Callable[[sp.Basic], Verdict]:
    """|exact − claim| against ν along N = P = 1/ν, in a claim that holds ν, τ and t."""

    @cache
    def exact(inverse: Any) -> Any:
        size = float(1 / inverse)
        return dynamics(_law(a, b), size, size, TIME, noise=NOISE).excess_loss

    grid = (1e-3, 5e-4) if slope > 1 else (1e-5, 5e-6)
    check = Asymptotic(exact, nu, grid, slope, {}, 0.03, 16)

    def run(claim: sp.Basic) -> Verdict:
        return check(equation(0, claim.args[1].subs({tau: nu, t: TIME})))

    return run


def _universality() -> list[Step]:
    """The distance to the limit N, P → ∞ falls as 1/N for hard and easy tasks alike."""
    steps = []
    for a, b in ((1.3, 1.25), (2.0, 1.25), (4.0, 2.0)):
        limit, wrong = _zeroth(t, a, b), _loss_claim(t, a, b)[1]
        steps.append(Step(
            f"universal-a{a}-b{b}", equation(sp.Symbol("L"), limit),
            "loss at t = 3 minus its limit is of first order in 1/N = 1/P",
            _remainder(1.0, a, b), Reference(PAPER, "83"),
            (equation(sp.Symbol("L"), wrong), equation(sp.Symbol("L"), 2 * limit)),
        ))  # fmt: skip
    return steps


