r"""Appendix D: early in training, corrections are 1/N and 1/T whatever the task.

To first order in 1/N and 1/T, with the sums over modes j of the unperturbed problem,

    H_k(t) = e^{−λt} + (1/N + 1/T) Σ_j f_kj(t),
    f_kj(t) = λ_kλ_j [ (e^{−λ_jt} − e^{−λ_kt})/(λ_k−λ_j)² − t e^{−λ_kt}/(λ_k−λ_j) ],

and the loss is L(t) = Σ w²λ e^{−2λt} + A(t)/N + B(t)/T, g_kj = (e^{−λ_jt} − e^{−λ_kt})/(λ_k−λ_j),

    A = 2 Σ_k w_k²λ_k e^{−λ_kt} Σ_j f_kj + Σ_kj w_k²λ_k² λ_j g_kj²,
    B = 2 Σ_k w_k²λ_k e^{−λ_kt} Σ_j f_kj + Σ_kj w_k²λ_k λ_j² g_kj² + σ_ε² Σ_j (1 − e^{−λ_jt})².

While λ_j t ≪ 1 for the modes j that carry the trace c = Σλ_j, f becomes the paper's (83).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sympy as sp

from solvable.analytic.notation import M, N, T, k, kappa, lam, noise, t, target, z
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Exact, rational
from ..derivation import Step
from ..relations import Truncated, equation
from .mean_field import PAPER

mode, other = sp.symbols("lambda_k lambda_j", positive=True)
order = sp.Symbol("epsilon", positive=True)  # bookkeeping of 1/N and 1/T
trace = sp.Symbol("c", positive=True)
pair = sp.Function("f_kj")
loss = sp.Function("L")(t)

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
    "Universal 1/N and 1/T corrections early in training",
    Reference(PAPER, "83"),
)  # fmt: skip
def early_time() -> Parts:
    """Expanding the self-consistent equations in 1/N and 1/T gives the first corrections of
    the transfer functions and of the loss in closed form: the same power of N and T for every
    task, with a coefficient that grows with time."""
    image, value = transformed_correction(), correction()
    printed = other / mode * (1 - sp.exp(-mode * t) - mode * t * sp.exp(-mode * t))
    leading = sp.limit(value / other, other, 0) * other
    early = sp.series(value, t, 0, 4).removeO()
    first, limit, rate = loss_coefficients()[0], limiting_loss(), 1 / N + 1 / T
    halved = sp.Sum(target**2 * lam * sp.exp(-lam * t), (k, 1, M))  # t for 2t
    universal = Step(
        "universal", Truncated(loss, limit, rate),
        "The distance to the limit N, T → ∞ is of first order in 1/N = 1/T, at t = 3, for a task "
        "with a = 1.3, b = 1.25.",
        _remainder(-1.0, 1.3, 1.25), Reference(PAPER, "83"),
        (Truncated(loss, halved, rate), Truncated(loss, 2 * limit, rate)),
    )  # fmt: skip
    others = ((2.0, 1.25), (4.0, 2.0))
    steps = [
        Step("correction-in-frequency", equation(pair(z), image),
             "R₁R₃ = 1 − (1/N + 1/T) Σ λ_j/(z+λ_j) to first order, put into H_k: the correction of "
             "H_k is (1/N + 1/T) Σ_j f_{kj}.",
             Exact(value=_first_order), None,
             (equation(pair(z), -image), equation(pair(z), image * (z + mode)))),
        Step("correction-in-time", equation(pair(t), value),
             "Residues at −λ_j and −λ_k; the transform of the claim is @correction-in-frequency.",
             Exact(residual=lambda claim: _transform(claim.rhs) - image, simplify=rational), None,
             (equation(pair(t), 2 * value), equation(pair(t), printed))),
        Step("paper-form", Truncated(pair(t), printed, other**2),
             "λ_j t ≪ 1 in the modes that carry c = Σ λ_j: summed over j, λ_j becomes c.",
             Exact(value=lambda: leading), Reference(PAPER, "83"),
             (Truncated(pair(t), other / mode * (1 - sp.exp(-mode * t)), other**2),)),
        Step("start", Truncated(pair(t), mode * other * t**2 / 2, t**3),
             "@correction-in-time and @paper-form begin alike: the correction sets in with the "
             "square of time.", Exact(value=lambda: early.coeff(t, 2) * t**2)),
        Step("small-width-loss", Truncated(loss, corrected_loss(), rate**2),
             "f_{kj} from @correction-in-time and g_{kj} = (e^{−λ_jt} − e^{−λ_kt})/(λ_k−λ_j), the "
             "inverse transform of 1/((z+λ_k)(z+λ_j)); the exact loss at 1/N = 1/T.",
             _remainder(-2.0), Reference(PAPER, "83"),
             (Truncated(loss, limit, rate**2), Truncated(loss, limit + rate * first, rate**2))),
        universal,
        *(universal.evidence(f"universal-{kind}", f"The same for a = {a}, b = {b}.",
                             _remainder(-1.0, a, b))
          for kind, (a, b) in zip(("moderate", "easy"), others)),
    ]  # fmt: skip
    return Parts(
        steps, steps[4].claim, ("1/N and 1/T small at fixed t; λ_j t ≪ 1 for @paper-form",),
        ("The paper's (83) is exact in λ_k t but of first order in λ_j t; @correction-in-time "
         "holds at every fixed t.",),
    )  # fmt: skip


def _first_order() -> sp.Expr:
    """∂H_k/∂ε with ρ = R₁R₃ = 1 − ε λ_jρ/(z+λ_jρ) solved by implicit differentiation."""
    rho = sp.Function("rho")(order)
    relation = rho - 1 + order * other * rho / (z + other * rho)
    slope = sp.solve(sp.diff(relation, order), sp.Derivative(rho, order))[0]
    slope = slope.subs(rho, 1).subs(order, 0)
    return sp.diff(1 / (z + mode * kappa), kappa).subs(kappa, 1) * slope


def _transform(value: sp.Expr) -> sp.Expr:
    """The Laplace transform, term by term: t^n e^{−at} ↦ n!/(z+a)^{n+1}."""
    total = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand_mul(value)):
        slope = sp.simplify(sp.diff(term, t) / term)  # n/t − rate
        power = sp.limit(t * slope, t, 0)
        rate = sp.simplify(power / t - slope)
        constant = sp.simplify(term * sp.exp(rate * t) / t**power)
        total += constant * sp.gamma(power + 1) / (z + rate) ** (power + 1)
    return total


def _law(a: float, b: float) -> PowerLaw:
    return PowerLaw(exponent=b, target_exponent=a, size=MODES)


def _pairs(term: sp.Expr) -> sp.Expr:
    return sp.Sum(term, (k, 1, M), (index, 1, M))


def limiting_loss() -> sp.Expr:
    """Σ w²λ e^{−2λt}, the loss without bottlenecks."""
    return sp.Sum(target**2 * lam * sp.exp(-2 * lam * t), (k, 1, M))


def loss_coefficients() -> tuple[sp.Expr, sp.Expr]:
    """A(t) and B(t), the coefficients of 1/N and 1/T in the loss."""
    bias = _pairs(2 * target**2 * lam * sp.exp(-lam * t) * f_pair)
    label = noise * sp.Sum((1 - sp.exp(-lam_other * t)) ** 2, (index, 1, M))
    variance_n = _pairs(target**2 * lam**2 * lam_other * g_pair**2)
    variance_p = _pairs(target**2 * lam * lam_other**2 * g_pair**2)
    return bias + variance_n, bias + variance_p + label


def corrected_loss() -> sp.Expr:
    """The loss to first order in 1/N and 1/T."""
    first, second = loss_coefficients()
    return limiting_loss() + first / N + second / T


def explicit(expression: sp.Expr, law: PowerLaw) -> sp.Expr:
    """The sums written out for the modes of ``law``: a function of N, T and t."""
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


def _remainder(slope: float, a: float = 1.5, b: float = 1.25) -> Asymptotic:
    """|exact − claim| at t = 3 against N = T."""

    @cache
    def exact(size: Any) -> Any:
        return dynamics(_law(a, b), float(size), float(size), TIME, noise=NOISE).excess_loss

    grid = (1e3, 2e3) if slope < -1 else (1e5, 2e5)
    return Asymptotic(
        exact, N, grid, slope, lambda x: {T: x, t: TIME}, 0.03, 16,
        written=lambda right: explicit(right, _law(a, b)),
    )  # fmt: skip
