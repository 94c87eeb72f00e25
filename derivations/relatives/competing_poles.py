"""Laws as catalogue entries: competing poles, four regimes, allocation, the phenomenological
form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.asymptotics.limits import Setting
from solvable.analytic.asymptotics.static_laws import bottleneck_law, four_regimes
from solvable.analytic.loss import static_loss
from solvable.analytic.notation import N, T, a, b, lambda_plus, sigma_w
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Check, Exact, Verdict
from ..derivation import Step, equation

LOSS = sp.Symbol("L")
EXPONENT = sp.Symbol("r", real=True)
#: one task of each kind for b: hard (ζ pole), at the crossover, easy (Γ pole), for q = 1, 2
TASKS = ((Fraction(3, 2), Fraction(5, 4)), (Fraction(5), Fraction(6, 5)))


def right_side(claim: sp.Basic) -> Any:
    """The right side of a claimed equation."""
    assert isinstance(claim, sp.Eq)
    return claim.rhs


def judge(passed: bool, message: str, observed: dict[str, Any] | None = None) -> Verdict:
    """A verdict from a truth value."""
    return Verdict("pass" if passed else "fail", message, observed or {})


@dataclass(frozen=True)
class ExponentCheck:
    """The claimed exponent is the slope of the exact loss at huge sizes, for every task."""

    resource: str
    tolerance: float = 0.001
    tasks: tuple[tuple[Fraction, Fraction], ...] = TASKS

    def __call__(self, claim: sp.Basic) -> Verdict:
        worst, slopes = 0.0, {}
        for target, exponent in self.tasks:
            claimed = float(right_side(claim).subs({a: target, b: exponent}))
            observed = _slope(exponent, target, self.resource)
            slopes[f"a={target}, b={exponent}"] = observed
            worst = max(worst, abs(observed + claimed))
        return judge(worst <= self.tolerance, f"slopes of the exact loss {slopes}", slopes)


@cache
def _slope(exponent: Fraction, target: Fraction, resource: str) -> float:
    """d ln L/d ln n of the exact loss with one finite resource, between n = 10¹⁶ and 10¹⁷."""
    spectrum = PowerLaw(exponent=exponent, target_exponent=target)
    with mpmath.workdps(50):
        sizes = [mpmath.mpf(10) ** e for e in (16, 17)]
        infinite = mpmath.mpf(10) ** 120
        settings = [(n, infinite) if resource == "features" else (infinite, n) for n in sizes]
        losses = [static_loss(spectrum, *s, digits=25).excess_loss for s in settings]
        return float(log_slope(sizes, losses))


def _bottleneck(resource: str, wrong: sp.Expr, source: Reference, note: str) -> Parts:
    size = {"features": N, "data": T}[resource]
    hard, easy = (bottleneck_law(resource, e, x) for x, e in TASKS)
    crossing = _crossing(resource)
    steps = [
        Step(
            "competing-poles",
            equation(EXPONENT, hard.general),
            "κ ∝ n^{-b} turns each Mellin pole of the target sum into a power of n. The ζ pole is "
            "the tail of the target beyond mode n, the first Γ pole the remainder of the modes "
            "that are learnt; the slower one wins.",
            ExponentCheck(resource),
            source,
            (equation(EXPONENT, wrong),),
        ),
        *[
            Step(
                f"{name}-task",
                equation(LOSS, law.prefactor * size**-law.exponent),
                f"The leading term for {name} tasks, with its prefactor.",
                _prefactor_check(law, resource, task),
                None,
                (equation(LOSS, 2 * law.prefactor * size**-law.exponent),),
            )
            for name, law, task in (("hard", hard, TASKS[0]), ("easy", easy, TASKS[1]))
        ],
        Step(
            "crossover",
            equation(LOSS, crossing.loss.resolved().expression),
            f"At {sp.sstr(hard.crossover)} both poles coincide: their double pole is a logarithm. "
            "The first terms are shown; the remainder falls with the next power.",
            _crossing_check(crossing, resource),
            None,
            (equation(LOSS, crossing.loss.resolved().terms[0].expression(size)),),
        ),
    ]
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


def _prefactor_check(law: Any, resource: str, task: tuple[Fraction, Fraction]) -> Check:
    size = {"features": N, "data": T}[resource]
    after = law.loss.terms[1]
    slope = float(after.power.subs({a: task[0], b: task[1]}))
    grid = tuple(mpmath.mpf(10) ** e for e in (30, 31))
    with mpmath.workdps(160):
        values = _values(task)
    return Asymptotic(_exact_loss(resource, task), size, grid, slope, values, digits=160)


def _crossing_check(law: Any, resource: str) -> Check:
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
    regimes = four_regimes(Fraction(3, 2))
    spectrum = PowerLaw(alpha=Fraction(1, 2))
    steps = []
    for regime in regimes:
        kind = "features" if regime.resource == N else "data"
        name = f"{regime.limited_by}-{kind}"
        steps.append(
            Step(
                name,
                equation(EXPONENT, regime.exponent),
                f"{regime.quantity} falls as {regime.resource}^-({regime.exponent}).",
                _RegimeCheck(kind, regime.limited_by, spectrum),
                Reference("explaining"),
                (equation(EXPONENT, regime.exponent + sp.Rational(1, 2)),),
            )
        )
    equal = equation(regimes[0].exponent, regimes[2].exponent)
    steps.append(
        Step(
            "same-exponent",
            equal,
            "Isotropic target: both resources have the exponent of the spectrum.",
            Exact(),
            Reference("explaining"),
            (equation(regimes[0].exponent, 2 * regimes[2].exponent),),
        )
    )
    return Parts(steps, equal, ("isotropic target, zero ridge, M = ∞, no noise",))


@dataclass(frozen=True)
class _RegimeCheck:
    """The slope of the plateau, or of the approach to it, in the exact loss."""

    resource: str
    limited_by: str
    spectrum: PowerLaw

    def __call__(self, claim: sp.Basic) -> Verdict:
        claimed = float(right_side(claim).subs(b, self.spectrum.exponent))
        with mpmath.workdps(60):
            sizes = [mpmath.mpf(10) ** e for e in (12, 13)]
            other = mpmath.mpf(20) if self.limited_by == "variance" else mpmath.inf
            values = [self._loss(n, other) for n in sizes]
            if self.limited_by == "variance":
                limit = self._loss(mpmath.inf, other)
                values = [v - limit for v in values]
            observed = float(log_slope(sizes, [abs(value) for value in values]))
        return judge(
            abs(observed + claimed) < 0.001,
            f"slope {observed:.4f}, claimed {-claimed:.4f}",
            {"slope": observed},
        )

    def _loss(self, size: Any, other: Any) -> Any:
        sizes = (size, other) if self.resource == "features" else (other, size)
        return _loss_of(self.spectrum, *sizes)


@cache
def _loss_of(spectrum: PowerLaw, features: Any, samples: Any) -> Any:
    """The exact loss without noise; the checks of wrong claims ask for the same values again."""
    return Setting(spectrum, features, samples).exact().excess_loss
