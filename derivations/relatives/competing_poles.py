"""Laws as catalogue entries: competing poles, four regimes, allocation, the phenomenological
form."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.asymptotics.limits import Setting
from solvable.analytic.asymptotics.static_laws import bottleneck_law, four_regimes
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import N, T, a, b, lambda_plus, loss, sigma_w
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.typesetting import one_line

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Exact, Slope
from ..derivation import Step
from ..relations import Truncated, equation
from .limiting_forms import order_of

EXPONENT = sp.Symbol("r", real=True)
#: one task of each kind for b: hard (ζ pole), at the crossover, easy (Γ pole), for q = 1, 2
TASKS = ((Fraction(3, 2), Fraction(5, 4)), (Fraction(5), Fraction(6, 5)))


def _exact_curve(resource: str, task: tuple[Fraction, Fraction]) -> Callable[[], Any]:
    """The exact loss with one finite resource n at n = 10¹⁶ and 10¹⁷."""
    spectrum = PowerLaw(exponent=task[1], target_exponent=task[0])

    @cache
    def curve() -> Any:
        with mpmath.workdps(50):
            sizes = [mpmath.mpf(10) ** e for e in (16, 17)]
            infinite = mpmath.mpf(10) ** 120
            pairs = [(n, infinite) if resource == "features" else (infinite, n) for n in sizes]
            return sizes, [static_loss(spectrum, *p, digits=25).excess_loss for p in pairs]

    return curve


def _bottleneck(resource: str, wrong: sp.Expr, source: Reference, note: str) -> Parts:
    size = {"features": N, "data": T}[resource]
    hard, easy = (bottleneck_law(resource, e, x) for x, e in TASKS)
    crossing = _crossing(resource)
    crossed = crossing.loss.resolved()
    cases = [(dict(zip((a, b), task)), _exact_curve(resource, task)) for task in TASKS]
    steps = [
        Step("competing-poles", equation(EXPONENT, hard.general),
             f"L falls as {size}^{{-r}}: κ ∝ n^{{-b}} turns each Mellin pole of the target sum "
             "into a power of n. The ζ pole is the tail of the target beyond mode n, the first Γ "
             "pole the remainder of the modes that are learnt; the slower one wins.",
             Slope(cases, axes=(str(size), "L"), tolerance=0.001), source,
             (equation(EXPONENT, wrong),)),
        *[
            Step(
                f"{name}-task",
                Truncated(
                    loss, law.prefactor * size**-law.exponent, order_of(law.loss.terms[1], size)
                ),
                f"The leading term for {name} tasks, with its prefactor.",
                _prefactor_check(law, resource, task),
            )
            for name, law, task in (("hard", hard, TASKS[0]), ("easy", easy, TASKS[1]))
        ],
        Step("crossover", Truncated(loss, crossed.expression, order_of(crossed.remainder, size)),
             f"At {one_line(hard.crossover.lhs)} = {one_line(hard.crossover.rhs)} both poles "
             "coincide: their double pole is a logarithm.",
             _crossing_check(crossing, resource), None,
             (Truncated(loss, crossed.terms[0].expression(size),
                        order_of(crossed.remainder, size)),)),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[0].claim,
        (
            "M = ∞, no noise, zero ridge, the other resource infinite",
            "λ_J = λ₊ J^{-b}, w_J² λ_J = σ_w² λ₊ J^{-a}",
        ),
        (note,),
    )


def _crossing(resource: str) -> Any:
    exponent = Fraction(5, 4)
    law = bottleneck_law(resource, exponent, Fraction(3))  # any a: only the equation is used
    target = sp.solve(law.crossover, a)[0].subs(b, exponent)
    return bottleneck_law(resource, exponent, target, 2)


def _exact_loss(resource: str, task: tuple[Any, Any]) -> Callable[[Any], Any]:
    spectrum = PowerLaw(exponent=task[1], target_exponent=task[0])

    @cache
    def exact(n: Any) -> Any:
        sizes = (n, mpmath.inf) if resource == "features" else (mpmath.inf, n)
        return Setting(spectrum, *sizes).exact().excess_loss

    return exact


def _values(task: tuple[Any, Any]) -> dict[sp.Symbol, Any]:
    return {
        a: mpmath.mpf(task[0].numerator) / task[0].denominator,
        b: mpmath.mpf(task[1].numerator) / task[1].denominator,
        lambda_plus: 1,
        sigma_w: 1,
    }


def _prefactor_check(law: Any, resource: str, task: tuple[Fraction, Fraction]) -> Asymptotic:
    size = {"features": N, "data": T}[resource]
    after = law.loss.terms[1]
    slope = float(after.power.subs({a: task[0], b: task[1]}))
    grid = tuple(mpmath.mpf(10) ** e for e in (30, 31))
    with mpmath.workdps(160):
        values = _values(task)
    return Asymptotic(_exact_loss(resource, task), size, grid, slope, values, digits=160)


def _crossing_check(law: Any, resource: str) -> Asymptotic:
    size = {"features": N, "data": T}[resource]
    point = law.loss.ordering.point
    task = Fraction(str(point[a])), Fraction(str(point[b]))
    order = law.loss.remainder
    slope = float(order.power.subs({a: task[0], b: task[1]}))
    grid = tuple(mpmath.mpf(10) ** e for e in (60, 62))
    with mpmath.workdps(300):
        values = _values(task)
    return Asymptotic(_exact_loss(resource, task), size, grid, slope, values, 0.03, digits=300)


@derivation(
    "feature-exponent",
    "Model-size exponent from competing poles: min(a − 1, b)",
    Reference("dynamical-model", "14"),
    Reference("solvable-model", "163"),
)
def feature_exponent() -> Parts:
    """With N alone finite the loss is κ h₁ at D₁(κ) = N. Its poles give N^{-min(a−1, b)}, with a
    logarithm at a − 1 = b. The dynamical paper prints min(a − 1, 2b), the bias alone."""
    return _bottleneck(
        "features",
        sp.Min(a - 1, 2 * b),
        Reference("dynamical-model", "14"),
        "The printed min(a − 1, 2b) differs for easy tasks, a − 1 > b.",
    )


@derivation(
    "data-exponent",
    "Data exponent from competing poles: min(a − 1, 2b)",
    Reference("dynamical-model", "14"),
    Reference("solvable-model", "163"),
)
def data_exponent() -> Parts:
    """With T alone finite the loss is κ² h₂/(1 − D₂/T) at D₁(κ) = T. Its poles give
    T^{-min(a−1, 2b)}, with a logarithm at a − 1 = 2b."""
    return _bottleneck(
        "data",
        sp.Min(a - 1, b),
        Reference("dynamical-model", "14"),
        "For isotropic targets, a = b, both exponents are α = b − 1.",
    )


@derivation(
    "four-regimes", "Resolution-limited and variance-limited exponents", Reference("explaining")
)
def four_scaling_regimes() -> Parts:
    """A plateau scales with its own resource with an exponent of the spectrum (resolution-limited);
    it is approached as the first power of the other resource whatever the spectrum
    (variance-limited). Bahri et al. find α_D = α_P, which is the isotropic target."""
    spectrum = PowerLaw(alpha=Fraction(1, 2))
    steps, exponents = [], {}
    for regime in four_regimes(Fraction(3, 2)):
        kind = "features" if regime.resource == N else "data"
        exponent = sp.Symbol(f"r_{regime.resource}^{'res' if regime.exponent != 1 else 'var'}")
        exponents[exponent] = regime.exponent
        steps.append(
            Step(
                f"{regime.limited_by}-{kind}",
                equation(exponent, regime.exponent),
                f"{one_line(regime.quantity)} falls as the power −r of {regime.resource}: slope of "
                "the exact "
                "loss between 10¹² and 10¹³.",
                Slope(
                    [({b: spectrum.exponent}, _plateau(kind, regime.limited_by, spectrum))],
                    axes=(str(regime.resource), one_line(regime.quantity)),
                    tolerance=0.001,
                ),
                Reference("explaining"),
                (equation(exponent, regime.exponent + sp.Rational(1, 2)),),
            )
        )
    features, data = (sp.Symbol(f"r_{size}^res") for size in (N, T))
    equal = equation(features, data)
    steps.append(
        Step(
            "same-exponent",
            equal,
            "Isotropic target: both resources have the exponent of the spectrum.",
            Exact(exponents),
            Reference("explaining"),
            (equation(features, 2 * data),),
        )
    )
    return Parts(steps, equal, ("isotropic target, zero ridge, M = ∞, no noise",))


def _plateau(resource: str, limited_by: str, spectrum: PowerLaw) -> Callable[[], Any]:
    """The plateau, or the approach to it, in the exact loss."""

    def at(size: Any, other: Any) -> Any:
        sizes = (size, other) if resource == "features" else (other, size)
        return Setting(spectrum, *sizes).exact().excess_loss

    @cache
    def curve() -> Any:
        with mpmath.workdps(60):
            sizes = [mpmath.mpf(10) ** e for e in (12, 13)]
            if limited_by != "variance":
                return sizes, [at(n, mpmath.inf) for n in sizes]
            limit = at(mpmath.inf, mpmath.mpf(20))
            return sizes, [at(n, mpmath.mpf(20)) - limit for n in sizes]

    return curve
