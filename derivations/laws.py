"""Laws as catalogue entries: competing poles, four regimes, allocation, the phenomenological form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp

from analytic import allocation
from analytic.allocation import A, B, C, kaplan_form, kaplan_relation, p, q, r_N, r_t
from analytic.allocation import ratio as size_ratio
from analytic.laws import bottleneck_law, four_regimes
from analytic.limits import Setting
from analytic.loss import static_loss
from analytic.optimal_ridge import optimal_ridge
from analytic.spectrum import PowerLaw
from analytic.symbols import N, T, a, alpha, b, lambda_plus, sigma_w, t

from .bibliography import Reference
from .catalogue import Parts, derivation
from .checks import Asymptotic, Check, Exact, Numeric, Point, Verdict
from .derivation import Step, equation

LOSS = sp.Symbol("L")
EXPONENT = sp.Symbol("r", real=True)
#: one task of each kind for b: hard (ζ pole), at the crossover, easy (Γ pole), for q = 1, 2
TASKS = ((Fraction(3, 2), Fraction(5, 4)), (Fraction(5), Fraction(6, 5)))


@dataclass(frozen=True)
class ExponentCheck:
    """The claimed exponent is the slope of the exact loss at huge sizes, for every task."""

    resource: str
    tolerance: float = 0.01
    tasks: tuple[tuple[Fraction, Fraction], ...] = TASKS

    def __call__(self, claim: sp.Basic) -> Verdict:
        worst, slopes = 0.0, {}
        for target, exponent in self.tasks:
            spectrum = PowerLaw(exponent=exponent, target_exponent=target)
            claimed = float(claim.rhs.subs({a: target, b: exponent}))  # type: ignore[attr-defined]
            observed = _slope(spectrum, self.resource)
            slopes[f"a={target}, b={exponent}"] = observed
            worst = max(worst, abs(observed + claimed))
        outcome = "pass" if worst <= self.tolerance else "fail"
        return Verdict(outcome, f"slopes of the exact loss {slopes}", slopes)  # type: ignore[arg-type]


def _slope(spectrum: PowerLaw, resource: str) -> float:
    """d ln L/d ln n of the exact loss with one finite resource, between n = 10¹⁶ and 10¹⁷."""
    with mpmath.workdps(50):
        sizes = [mpmath.mpf(10) ** e for e in (16, 17)]
        infinite = mpmath.mpf(10) ** 120
        settings = [(n, infinite) if resource == "features" else (infinite, n) for n in sizes]
        losses = [static_loss(spectrum, *s, digits=25).excess_loss for s in settings]
        return float(mpmath.log10(losses[1] / losses[0]))


def _bottleneck(resource: str, wrong: sp.Expr, source: Reference, note: str) -> Parts:
    size = {"features": N, "data": T}[resource]
    hard, easy = (bottleneck_law(resource, e, x) for x, e in TASKS)
    crossing = _crossing(resource)
    steps = [
        Step("competing-poles", equation(EXPONENT, hard.general),
             "κ ∝ n^{-b} turns each Mellin pole of the target sum into a power of n. The ζ pole is "
             "the tail of the target beyond mode n, the first Γ pole the remainder of the modes "
             "that are learnt; the slower one wins.", ExponentCheck(resource), source,
             (equation(EXPONENT, wrong),)),
        *[Step(f"{name}-task", equation(LOSS, law.prefactor * size**-law.exponent),
               f"The leading term for {name} tasks, with its prefactor.",
               _prefactor_check(law, resource, task), None,
               (equation(LOSS, 2 * law.prefactor * size**-law.exponent),))
          for name, law, task in (("hard", hard, TASKS[0]), ("easy", easy, TASKS[1]))],
        Step("crossover", equation(LOSS, crossing.loss.resolved().expression),
             f"At {sp.sstr(hard.crossover)} both poles coincide: their double pole is a logarithm. "
             "The first terms are shown; the remainder falls with the next power.",
             _crossing_check(crossing, resource), None,
             (equation(LOSS, crossing.loss.resolved().terms[0].expression(size)),)),
    ]  # fmt: skip
    return Parts(steps, steps[0].claim, ("M = ∞, no noise, zero ridge, the other resource infinite",
                                         "λ_J = λ₊ J^{-b}, w_J² λ_J = σ_w² λ₊ J^{-a}"), (note,))  # fmt: skip


def _crossing(resource: str) -> Any:
    exponent = Fraction(5, 4)
    law = bottleneck_law(resource, exponent, Fraction(3))  # any a: only the equation is used
    target = sp.solve(law.crossover, a)[0].subs(b, exponent)
    return bottleneck_law(resource, exponent, target, 2)


def _exact_loss(resource: str, task: tuple[Any, Any]) -> Callable[[Any], Any]:
    spectrum = PowerLaw(exponent=task[1], target_exponent=task[0])

    def exact(n: Any) -> Any:
        sizes = (n, mpmath.inf) if resource == "features" else (mpmath.inf, n)
        return Setting(spectrum, *sizes).exact().excess_loss

    return exact


def _values(task: tuple[Any, Any]) -> dict[sp.Symbol, Any]:
    return {a: mpmath.mpf(task[0].numerator) / task[0].denominator,
            b: mpmath.mpf(task[1].numerator) / task[1].denominator, lambda_plus: 1, sigma_w: 1}  # fmt: skip


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
    task = tuple(Fraction(str(law.loss.ordering.point[s])) for s in (a, b))
    order = law.loss.remainder
    slope = float(order.power.subs({a: task[0], b: task[1]}))
    grid = tuple(mpmath.mpf(10) ** e for e in (60, 62))
    with mpmath.workdps(300):
        values = _values(task)
    return Asymptotic(_exact_loss(resource, task), size, grid, slope, values, 0.03, digits=300)


@derivation("feature-exponent", "Model-size exponent from competing poles: min(a − 1, b)",
            Reference("dynamical-model", "14"), Reference("solvable-model", "163"))  # fmt: skip
def feature_exponent() -> Parts:
    """With N alone finite the loss is κ h₁ at D₁(κ) = N. Its poles give N^{-min(a−1, b)}, with a
    logarithm at a − 1 = b. The dynamical paper prints min(a − 1, 2b), the bias alone."""
    return _bottleneck("features", sp.Min(a - 1, 2 * b), Reference("dynamical-model", "14"),
                       "The printed min(a − 1, 2b) differs for easy tasks, a − 1 > b.")  # fmt: skip


@derivation("data-exponent", "Data exponent from competing poles: min(a − 1, 2b)",
            Reference("dynamical-model", "14"), Reference("solvable-model", "163"))  # fmt: skip
def data_exponent() -> Parts:
    """With T alone finite the loss is κ² h₂/(1 − D₂/T) at D₁(κ) = T. Its poles give
    T^{-min(a−1, 2b)}, with a logarithm at a − 1 = 2b."""
    return _bottleneck("data", sp.Min(a - 1, b), Reference("dynamical-model", "14"),
                       "For isotropic targets, a = b, both exponents are α = b − 1.")  # fmt: skip


@derivation("four-regimes", "Resolution-limited and variance-limited exponents",
            Reference("explaining"))  # fmt: skip
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
        steps.append(Step(
            name, equation(EXPONENT, regime.exponent),
            f"{regime.quantity} falls as {regime.resource}^-({regime.exponent}).",
            _RegimeCheck(kind, regime.limited_by, spectrum), Reference("explaining"),
            (equation(EXPONENT, regime.exponent + sp.Rational(1, 2)),)))  # fmt: skip
    equal = equation(regimes[0].exponent, regimes[2].exponent)
    steps.append(Step("same-exponent", equal, "Isotropic target: both resources have the exponent "
                      "of the spectrum.", Exact(), Reference("explaining"),
                      (equation(regimes[0].exponent, 2 * regimes[2].exponent),)))  # fmt: skip
    return Parts(steps, equal, ("isotropic target, zero ridge, M = ∞, no noise",))


@dataclass(frozen=True)
class _RegimeCheck:
    """The slope of the plateau, or of the approach to it, in the exact loss."""

    resource: str
    limited_by: str
    spectrum: PowerLaw

    def __call__(self, claim: sp.Basic) -> Verdict:
        claimed = float(claim.rhs.subs(b, self.spectrum.exponent))  # type: ignore[attr-defined]
        with mpmath.workdps(60):
            sizes = [mpmath.mpf(10) ** e for e in (12, 13)]
            other = mpmath.mpf(20) if self.limited_by == "variance" else mpmath.inf
            values = [self._loss(n, other) for n in sizes]
            if self.limited_by == "variance":
                limit = self._loss(mpmath.inf, other)
                values = [v - limit for v in values]
            observed = float(mpmath.log10(abs(values[1] / values[0])))
        outcome = "pass" if abs(observed + claimed) < 0.01 else "fail"
        return Verdict(outcome, f"slope {observed:.4f}, claimed {-claimed:.4f}",  # type: ignore[arg-type]
                       {"slope": observed})  # fmt: skip

    def _loss(self, size: Any, other: Any) -> Any:
        sizes = (size, other) if self.resource == "features" else (other, size)
        return Setting(self.spectrum, *sizes).exact().excess_loss


@derivation("equiparameterisation", "How to split a budget between features and samples",
            Reference("solvable-model"), Reference("talk"))  # fmt: skip
def equiparameterisation() -> Parts:
    """At the optimal ridge the loss is N^{-α} G(N/T). Under N^p T^q = C the best N/T does not depend
    on C: N = T for p = q whatever α, q/p at α = 1, and something else otherwise. Without ridge the
    best ratio keeps away from the peak at N = T."""
    below = allocation.ridgeless_loss("N")
    closed = sp.solve(allocation.stationarity(below), size_ratio)[0]
    loss = allocation.reduced_optimal_loss()
    unequal = allocation.allocate(Fraction(1, 2), 1, 2).ratio
    returns = size_ratio * sp.diff(loss, size_ratio) / loss
    steps = [
        Step("equal-powers", equation(returns.subs(size_ratio, 1), alpha / 2),
             "N ↔ T symmetry: at N = T the returns on both resources agree, d ln G/d ln r = α/2, "
             "for every α. Equal powers in the budget mean N = T.", Numeric(_alphas, digits=18),
             Reference("solvable-model"), (equation(returns.subs(size_ratio, 1), alpha),)),
        Step("at-one", equation(sp.simplify(returns.subs(alpha, 1)), size_ratio / (1 + size_ratio)),
             "α = 1: G = k (1 + r), so r/(1 + r) = q/(p + q) and N/T = q/p.", Exact()),
        Step("unequal-powers", equation(size_ratio, sp.Float(unequal, 12)),
             "α = ½ under N T² = C: the law (1/N + 1/T)^α would give N/T = 2.", _budget_check(),
             None, (equation(size_ratio, sp.Integer(2)),)),
        Step("without-ridge", equation(size_ratio, closed),
             "Zero ridge, N < T: G = k/(1 − r).", _ridgeless_budget_check(), None,
             (equation(size_ratio, q / p),)),
    ]  # fmt: skip
    return Parts(steps, steps[0].claim, ("isotropic target, M = ∞, N and T large, no noise",
                                         "r = N/T, budget N^p T^q = C"))  # fmt: skip


def _alphas() -> list[Point]:
    return [Point({alpha: mpmath.mpf(x) / 3}) for x in (1, 2, 4, 7)]


@dataclass(frozen=True)
class _RatioCheck:
    """The claimed N/T minimises the exact loss under the budget, extrapolated in the size."""

    loss: Callable[[float, float], float]
    powers: tuple[int, int]
    values: dict[sp.Symbol, Any]
    tolerance: float = 0.02

    def __call__(self, claim: sp.Basic) -> Verdict:
        from scipy.optimize import minimize_scalar

        claimed = float(claim.rhs.subs(self.values))  # type: ignore[attr-defined]
        one, two = self.powers
        budget = 3 * 10.0 ** (4 * (one + two))

        def along(log_ratio: float) -> float:
            r = float(sp.exp(log_ratio))
            features = (budget * r**two) ** (1 / (one + two))
            return self.loss(features, features / r)

        centre = float(sp.log(claimed))
        best = minimize_scalar(along, bounds=(centre - 1, min(centre + 1, self._limit())),
                               method="bounded", options={"xatol": 1e-5})  # fmt: skip
        observed = float(sp.exp(best.x))
        outcome = "pass" if abs(observed / claimed - 1) < self.tolerance else "fail"
        return Verdict(outcome, f"exact minimum at N/T = {observed:.5f}, claimed {claimed:.5f}",  # type: ignore[arg-type]
                       {"ratio": observed})  # fmt: skip

    def _limit(self) -> float:
        return -0.01 if self.values else 10.0


def _budget_check() -> Check:
    spectrum = PowerLaw(alpha=0.5)
    return _RatioCheck(lambda n, m: float(optimal_ridge(spectrum, n, m).excess_loss), (1, 2), {})


def _ridgeless_budget_check() -> Check:
    spectrum = PowerLaw(alpha=0.5)
    return _RatioCheck(lambda n, m: float(static_loss(spectrum, n, m).excess_loss), (1, 2),
                       {alpha: Fraction(1, 2), p: 1, q: 2})  # fmt: skip


@derivation("phenomenological-law", "The phenomenological law, N(T), and what the model says",
            Reference("solvable-model", "1"), Reference("solvable-model", "6"),
            Reference("kaplan"))  # fmt: skip
def phenomenological_law() -> Parts:
    """[(N_c/N)^{α_N/α_T} + T_c/T]^{α_T} has both terms equal at N(T) = N_c (T/T_c)^{α_T/α_N}. The
    model has α_N = α_T = α and N_c = T_c; its loss at the optimal ridge is the law times a factor
    that depends on N/T and α only, and is 1 at α = 1."""
    form, relation = kaplan_form(), kaplan_relation()
    first, second = form.base.args
    error = allocation.law_error()
    one = allocation.law_error().subs(alpha, 1)
    equal = sp.Symbol("rho", positive=True)
    steps = [
        Step("balance", equation(N, relation), "Where (N_c/N)^{α_N/α_T} = T_c/T.",
             _balance_check(first, second), Reference("solvable-model", "6"),
             (equation(N, 1 / relation),)),
        Step("exact-at-one", equation(sp.simplify(one), 1), "α = 1: the law is exact at the "
             "optimal ridge.", Exact(), Reference("zhang")),
        Step("factor", equation(equal, error),
             "L*/[k (1/N + 1/T)^α] as a function of r = N/T; the exact loss approaches it "
             "as the sizes grow.", _factor_check(), Reference("talk"),
             (equation(equal, sp.Integer(1)),)),
    ]  # fmt: skip
    return Parts(steps, steps[-1].claim, ("isotropic target, M = ∞, N and T large, no noise",))


def _balance_check(first: sp.Expr, second: sp.Expr) -> Check:
    def check(claim: sp.Basic) -> Verdict:
        residual = sp.expand_log(sp.log((first / second).subs(N, claim.rhs)), force=True)  # type: ignore[attr-defined]
        zero = sp.simplify(sp.expand(residual)) == 0
        return Verdict("pass" if zero else "fail", "ln(first term/second term) at N(T) "
                       + ("vanishes" if zero else f"is {residual}"))  # fmt: skip

    return check


def _factor_check() -> Check:
    def check(claim: sp.Basic) -> Verdict:
        rows = []
        for exponent, r in ((Fraction(1, 2), 1), (Fraction(1, 2), 3), (Fraction(2), 1)):
            claimed = float(sp.N(claim.rhs.subs({alpha: exponent, size_ratio: r})))  # type: ignore[attr-defined]
            n = 3e4
            best = optimal_ridge(PowerLaw(alpha=float(exponent)), n, n / r).excess_loss
            power = 1 + float(exponent)
            k = (mpmath.pi / power / mpmath.sin(mpmath.pi / power)) ** power
            observed = float(best / (k * (1 / n + r / n) ** float(exponent)))
            rows.append((claimed, observed))
        worst = max(abs(x / y - 1) for x, y in rows)
        return Verdict("pass" if worst < 1e-3 else "fail",
                       f"claimed and exact factors {rows}", {"worst": worst})  # fmt: skip

    return check


@derivation("time-and-features", "The best model size and training time for a compute budget",
            Reference("dynamical-model", "153"), Reference("dynamical-model", "156"))  # fmt: skip
def time_and_features() -> Parts:
    """Minimise A t^{-r_t} + B N^{-r_N} under N^p t^q = C: in logarithms the condition of equal
    returns is linear, so exponents and prefactors follow for every budget."""
    best = allocation.time_allocation()
    total = A * t**-r_t + B * N**-r_N
    paper = r_t * r_N / (r_t + r_N)
    steps = [
        Step("features", equation(N, best.features), "The optimum of the linear system.",
             _optimum_check(total, best, "features"), Reference("dynamical-model", "154"),
             (equation(N, 2 * best.features),)),
        Step("time", equation(t, best.time), "The time that the budget leaves.",
             _optimum_check(total, best, "time"), Reference("dynamical-model", "155"),
             (equation(t, 2 * best.time),)),
        Step("loss", equation(LOSS, best.loss), "The loss there: one of the two terms times "
             "1 + p r_t/(q r_N).", _optimum_check(total, best, "loss"),
             Reference("dynamical-model", "156"), (equation(LOSS, 2 * best.loss),)),
        Step("exponent", equation(-best.exponents()[2].subs({p: 1, q: 1}), paper),
             "For C = N t the exponent of the paper.", Exact(), Reference("dynamical-model", "156"),
             (equation(-best.exponents()[2].subs({p: 1, q: 1}), 2 * paper),)),
    ]  # fmt: skip
    return Parts(steps, steps[2].claim, ("L = A t^{-r_t} + B N^{-r_N}, budget N^p t^q = C",))


def _optimum_check(total: sp.Expr, best: Any, which: str) -> Check:
    values = {A: 0.7, B: 1.3, r_t: 0.4, r_N: 0.8, p: 1, q: 2, C: 1e6}

    def check(claim: sp.Basic) -> Verdict:
        from scipy.optimize import minimize_scalar

        def along(log_size: float) -> float:
            size = float(sp.exp(log_size))
            moment = (values[C] / size ** values[p]) ** (1 / values[q])
            return float(total.subs({**values, N: size, t: moment}))

        found = minimize_scalar(along, bounds=(0, 12), method="bounded", options={"xatol": 1e-9})
        size = float(sp.exp(found.x))
        exact = {"features": size, "time": (values[C] / size) ** 0.5, "loss": found.fun}[which]
        claimed = float(claim.rhs.subs(values))  # type: ignore[attr-defined]
        off = abs(claimed / exact - 1)
        return Verdict("pass" if off < 1e-5 else "fail",
                       f"claimed {claimed:.8g}, numerical minimum {exact:.8g}", {"off": off})  # fmt: skip

    return check
