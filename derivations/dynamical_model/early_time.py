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

from solvable.analytic.dynamics import dynamics
from solvable.analytic.notation import M, N, P, k, kappa, t, z
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Exact, Verdict
from ..derivation import Step, equation
from .mean_field import PAPER
from .notation import lam, noise, rational, target

mode, other = sp.symbols("lambda_k lambda_j", positive=True)
order = sp.Symbol("epsilon", positive=True)  # bookkeeping of 1/N and 1/P
nu, tau = sp.symbols("nu tau", positive=True)
trace = sp.Symbol("c", positive=True)
perturbation = sp.Symbol("f_kj")
spread = sp.Symbol("g_kj")

LOSS = sp.Symbol("L")
index = sp.Symbol("j", integer=True, positive=True)
lam_other = lam.base[index]  # λ_j
f_pair, g_pair = sp.IndexedBase("f")[k, index], sp.IndexedBase("g")[k, index]

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
             "R₁R₃ = 1 − (1/N + 1/P) Σ λ_j/(z+λ_j) to first order, put into H_k.",
             _FirstOrder(), None,
             (equation(perturbation, -image), equation(perturbation, image * (z + mode)))),
        Step("correction-in-time", equation(perturbation, value),
             "Residues at −λ_j and −λ_k; the transform of the claim is the correction above.",
             _Transforms(image), None,
             (equation(perturbation, 2 * value), equation(perturbation, printed))),
        Step("paper-form", equation(sp.limit(value / other, other, 0) * other, printed),
             "λ_j t ≪ 1 in the modes that carry c = Σ λ_j.", Exact(), Reference(PAPER, "83"),
             (equation(sp.limit(value / other, other, 0) * other,
                       other / mode * (1 - sp.exp(-mode * t))),)),
        Step("start", equation(early.coeff(t, 2), mode * other / 2),
             "Both begin as λ_kλ_j t²/2: the correction sets in with the square of time.",
             Exact(), None, (equation(early.coeff(t, 2), mode * other),)),
        Step("small-width-loss", equation(LOSS, corrected_loss()),
             "ν = 1/N, τ = 1/P; the exact loss minus the claim is of second order in 1/N = 1/P.",
             _remainder(2.0), Reference(PAPER, "83"),
             (equation(LOSS, limiting_loss()),
              equation(LOSS, limiting_loss() + (nu + tau) * loss_coefficients()[0]))),
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


def _pairs(term: sp.Expr) -> sp.Expr:
    return sp.Sum(term, (k, 1, M), (index, 1, M))


def limiting_loss() -> sp.Expr:
    """Σ w²λ e^{−2λt}, the loss without bottlenecks."""
    return sp.Sum(target**2 * lam * sp.exp(-2 * lam * t), (k, 1, M))


def loss_coefficients() -> tuple[sp.Expr, sp.Expr]:
    """A(t) and B(t), the coefficients of 1/N and 1/P in the loss."""
    bias = _pairs(2 * target**2 * lam * sp.exp(-lam * t) * f_pair)
    label = noise * sp.Sum((1 - sp.exp(-lam_other * t)) ** 2, (index, 1, M))
    variance_n = _pairs(target**2 * lam**2 * lam_other * g_pair**2)
    variance_p = _pairs(target**2 * lam * lam_other**2 * g_pair**2)
    return bias + variance_n, bias + variance_p + label


def corrected_loss() -> sp.Expr:
    """The loss to first order in ν = 1/N and τ = 1/P."""
    first, second = loss_coefficients()
    return limiting_loss() + nu * first + tau * second


def _explicit(expression: sp.Expr, law: PowerLaw) -> sp.Expr:
    """The sums written out for the modes of ``law``: a function of ν, τ and t."""
    values, powers = (list(map(float, x)) for x in (law.eigenvalues(), law.target_power()))
    written = sp.sympify(expression).subs(M, MODES).doit()
    numbers: dict[sp.Expr, sp.Expr] = {noise: sp.Float(NOISE)}
    for atom in written.atoms(sp.Indexed):
        mode_values = [values[int(i) - 1] for i in atom.indices]
        if atom.base == lam.base:
            numbers[atom] = sp.Float(mode_values[0])
        elif atom.base == target.base:
            power = powers[int(atom.indices[0]) - 1]
            numbers[atom] = sp.sqrt(sp.Float(power / mode_values[0]))
        else:
            form = correction if atom.base == f_pair.base else filter_pair
            numbers[atom] = _at(form, *mode_values)
    return written.xreplace(numbers)


@cache
def _diagonal(form: Callable[[], sp.Expr]) -> sp.Expr:
    """f_kk or g_kk: the removable singularity at λ_j = λ_k by its limit."""
    return sp.simplify(sp.limit(form(), other, mode))


def _at(form: Callable[[], sp.Expr], x: float, y: float) -> sp.Expr:
    return form().subs({mode: x, other: y}) if x != y else _diagonal(form).subs(mode, x)


def _remainder(slope: float, a: float = 1.5, b: float = 1.25) -> Callable[[sp.Basic], Verdict]:
    """|exact − claim| against ν along N = P = 1/ν, in a claim that holds ν, τ and t."""

    @cache
    def exact(inverse: Any) -> Any:
        size = float(1 / inverse)
        return dynamics(_law(a, b), size, size, TIME, noise=NOISE).excess_loss

    grid = (1e-3, 5e-4) if slope > 1 else (1e-5, 5e-6)
    check = Asymptotic(exact, nu, grid, slope, {}, 0.03, 16)

    def run(claim: sp.Basic) -> Verdict:
        return check(equation(0, _explicit(claim.args[1], _law(a, b)).subs({tau: nu, t: TIME})))

    return run


def _universality() -> list[Step]:
    """The distance to the limit N, P → ∞ falls as 1/N for hard and easy tasks alike."""
    steps = []
    for a, b in ((1.3, 1.25), (2.0, 1.25), (4.0, 2.0)):
        limit = limiting_loss()
        wrong = sp.Sum(target**2 * lam * sp.exp(-lam * t), (k, 1, M))  # t for 2t
        steps.append(Step(
            f"universal-a{a}-b{b}", equation(LOSS, limit),
            "Loss at t = 3 minus its limit is of first order in 1/N = 1/P.",
            _remainder(1.0, a, b), Reference(PAPER, "83"),
            (equation(LOSS, wrong), equation(LOSS, 2 * limit)),
        ))  # fmt: skip
    return steps
