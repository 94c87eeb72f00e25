"""Limits of the static loss as catalogue entries: one term after the other, each with its rate.

Every entry takes a `Limit` that `analytic.limits` has computed.  Step k claims the series after k
terms; its check evaluates the exact loss along a grid and requires the remainder to fall with the
power of the first term left out.  A wrong coefficient in the last term is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.asymptotics.expansion import Expansion, Term
from solvable.analytic.asymptotics.expansion.printing import neat
from solvable.analytic.asymptotics.limits import Limit, Setting, limit
from solvable.analytic.asymptotics.limits.breakdown_fit import (
    end_point_ratio,
    fit_ratio,
    smaller,
    talk_fit,
)
from solvable.analytic.notation import M, alpha, b, lambda_plus
from solvable.analytic.spectral_functions import evaluate
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Asymptotic, Numeric, Point
from ..derivation import Step, equation

LOSS = sp.Symbol("L")
DIGITS = 80
TERMS = 3
HALF = PowerLaw(alpha=Fraction(1, 2))
FINITE = PowerLaw(exponent=Fraction(5, 4), target_exponent=Fraction(3, 2), size=200)
SMALL = PowerLaw(alpha=Fraction(1, 2), size=10)
LARGE = tuple(mpmath.mpf(10) ** e for e in (12, 13))
TINY = tuple(mpmath.mpf(2) ** -e for e in (36, 40))


@dataclass(frozen=True, eq=False)
class Case:
    """A limit with the setting in which it is checked: ``setting(x)`` at the variable's value x."""

    name: str
    title: str
    summary: str
    regime: str
    setting: Callable[[Any], Setting]
    grid: tuple[Any, ...]
    references: tuple[Reference, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def limit(self) -> Limit:
        """The limit itself."""
        return limit(self.regime, terms=TERMS, **self.options)


SOLVABLE = Reference("solvable-model", "163")
CASES = (
    Case(
        "limit-few-features",
        "N ≪ T: the plateau of a small model, with corrections",
        "The bottleneck N alone: k N^{-α} and its corrections in 1/N, which come from the constant "
        "ζ(0) = −1/2 in D₁ and are absorbed by N → N + ½; times the exact 1/(1 − N/T).",
        "N<<T",
        lambda x: Setting(HALF, x, 10**6 * x),
        LARGE,
        (SOLVABLE,),
        {"alpha": Fraction(1, 2)},
    ),
    Case(
        "limit-few-samples",
        "T ≪ N: the plateau of a small data set, any target",
        "The bottleneck T alone, for a target exponent a of its own: the tail of the target "
        "and the remainder of the learnt modes compete.",
        "T<<N",
        lambda x: Setting(
            PowerLaw(exponent=Fraction(5, 4), target_exponent=Fraction(3, 2)), 3 * x, x
        ),
        LARGE,
        (Reference("dynamical-model", "14"),),
        {"exponent": Fraction(5, 4), "target_exponent": Fraction(3, 2)},
    ),
    Case(
        "limit-infinite-latent",
        "M → ∞: how a finite latent space is left behind",
        "The modes beyond M that are missing enter as M^{1−b}: slowly, for a slowly falling "
        "spectrum.",
        "M->inf",
        lambda x: Setting(PowerLaw(alpha=Fraction(1, 2), size=int(x)), 20, 50),
        tuple(mpmath.mpf(10) ** e for e in (18, 19)),
        (Reference("solvable-model"),),
        {"alpha": Fraction(1, 2)},
    ),
    Case(
        "limit-breakdown",
        "min(N, T) → M: breakdown, to third order",
        "Close to the size of the latent space every quantity is analytic in the number m of "
        "modes that stay unresolved.",
        "min(N,T)->M",
        lambda x: Setting(FINITE, 200 - x, 500),
        TINY,
        (Reference("talk"),),
    ),
    Case(
        "limit-weak-ridge",
        "Ridge → 0 away from N = T",
        "A weak ridge lowers the loss linearly, with a coefficient that grows as (1 − N/T)^{-3} "
        "towards the peak.",
        "ridge->0",
        lambda x: Setting(FINITE, 50, 120, x),
        TINY,
        (Reference("zhang"),),
    ),
    Case(
        "limit-peak",
        "Ridge → 0 at N = T: the height of the double-descent peak",
        "At N = T both brackets of equation (1) close together: the loss rises as the inverse "
        "square root of the ridge.",
        "ridge->0,N=T",
        lambda x: Setting(FINITE, 50, 50, x),
        tuple(x**2 for x in TINY),
        (Reference("solvable-model"), Reference("zhang")),
    ),
    Case(
        "limit-strong-ridge",
        "Ridge → ∞: nothing is learnt",
        "The loss before training, and how the first moments of the spectrum lower it.",
        "ridge->inf",
        lambda x: Setting(FINITE, 50, 120, x),
        tuple(1 / x for x in TINY),
        (Reference("zhang"),),
    ),
    Case(
        "limit-noise-beyond",
        "N, T > M: label noise falls as 1/T",
        "Beyond the latent space only the noise is left: σ_ε² M/(T − M).",
        "noise-beyond",
        lambda x: Setting(SMALL, 3 * x, x, 0, Fraction(1, 3)),
        LARGE,
        (Reference("solvable-model", "186"),),
    ),
    Case(
        "limit-noise-regularised",
        "N, T > M with the optimal ridge: the same fall-off",
        "The optimal ridge changes the noise beyond the latent space only at order 1/T².",
        "noise-regularised",
        lambda x: Setting(SMALL, 100, x, 0, Fraction(1, 3)),
        (mpmath.mpf(10) ** 7, mpmath.mpf(10) ** 8),
        (Reference("solvable-model", "188"),),
    ),
)


def truncated(law: Limit, count: int) -> sp.Expr:
    """The first ``count`` terms of the loss, as prefactor × (1 + corrections) where shorter.

    The named constant c of the scaling regime is written out; the names of longer expressions stay.
    """
    terms = [_written_out(law, t) for t in law.loss.terms[:count]]
    x = law.loss.variable
    plain = sp.Add(*(t.expression(x) for t in terms))
    if terms[0].log:
        return plain
    lead = terms[0].expression(x)
    relative = [sp.powsimp(sp.simplify(t.coefficient / terms[0].coefficient)) for t in terms]
    powers = [sp.expand(t.power - terms[0].power) for t in terms]
    corrections = sp.Add(*(r * x**k for r, k in zip(relative, powers)))
    factored = lead * corrections
    return factored if factored.count_ops() < plain.count_ops() else plain


def _written_out(law: Limit, term: Term) -> Term:
    short = {s: v for s, v in law.loss.definitions.items() if v.free_symbols <= {b}}
    return replace(term, coefficient=neat(term.coefficient.subs(short)))


def perturbed(series: Expansion, count: int) -> sp.Expr:
    """The same with the last coefficient changed by one part in eight: a wrong claim."""
    last = series.terms[count - 1]
    wrong = replace(last, coefficient=last.coefficient * sp.Rational(9, 8))
    terms = (*series.terms[: count - 1], wrong)
    return replace(series, terms=terms, remainder=None).expression


@cache
def _exact_at(case: Case) -> Callable[[Any], Any]:
    """The exact loss along the grid; every check of a case asks for the same few values."""
    return cache(lambda x: case.limit().exact(case.setting(x)))


def rate_check(case: Case, law: Limit, count: int) -> Asymptotic:
    """The remainder after ``count`` terms falls with the power of the next term."""
    law_terms = law.loss.terms
    after = law_terms[count] if count < len(law_terms) else law.loss.remainder
    assert after is not None
    with mpmath.workdps(DIGITS):
        somewhere = case.setting(case.grid[0])
        spectrum = law.reference(somewhere.spectrum)
        values = {**somewhere.parameters(), **law.constants(replace(somewhere, spectrum=spectrum))}
        values = {s: v for s, v in values.items() if s != law.loss.variable}
        for name, definition in law.loss.definitions.items():
            values[name] = evaluate(definition, values, spectrum)
        slope = after.power.subs(
            {s: sp.Rational(str(v)) for s, v in values.items() if s in after.power.free_symbols}
        )
    return Asymptotic(
        _exact_at(case),
        law.loss.variable,
        case.grid,
        float(slope),
        values,
        digits=DIGITS,
        spectrum=spectrum,
    )


WORDS = {2: "two", 3: "three"}
ORDINALS = ("leading", "first-correction", "second-correction")


def build(case: Case) -> Parts:
    """The derivation of one limit."""
    law = case.limit()
    steps = []
    for count in range(1, len(law.loss.terms) + 1):
        reason = (
            "the leading term" if count == 1 else f"{WORDS[count]} terms"
        ) + "; the remainder falls with the power of the next one"
        steps.append(
            Step(
                ORDINALS[count - 1],
                equation(LOSS, truncated(law, count)),
                reason[0].upper() + reason[1:] + ".",
                rate_check(case, law, count),
                case.references[0],
                (equation(LOSS, perturbed(law.loss, count)),),
            )
        )
    used = steps[-1].claim.free_symbols
    for definition in (v for k, v in law.loss.definitions.items() if k in used):
        used |= definition.free_symbols
    meaning = [f"{_letter(k)}: {_in_words(v)}" for k, v in law.meaning.items() if k in used]
    conditions = [f"this order of the terms needs {c}" for c in law.loss.conditions]
    return Parts(steps, steps[-1].claim, (law.when, *meaning, *conditions))


def _letter(symbol: sp.Symbol) -> str:
    return str(sp.pretty(symbol, use_unicode=True))


def _in_words(value: Any) -> str:
    """A definition on one line, in the letters of the paper."""
    if not isinstance(value, sp.Expr):
        return str(value)
    named = value.xreplace({s: sp.Symbol(_letter(s)) for s in value.free_symbols})
    return str(named).replace("**", "^").replace("*", " ")


def _register(case: Case) -> None:
    def parts() -> Parts:
        return build(case)

    parts.__doc__ = case.summary
    derivation(case.name, case.title, *case.references)(parts)


for _case in CASES:
    _register(_case)


@derivation(
    "breakdown-fit",
    "The talk's breakdown law is a fit, and how far off it is",
    Reference("talk"),
    Reference("solvable-model"),
)
def breakdown_fit() -> Parts:
    """The talk draws (1/m − 1/M)^α/(1 − m/n) through the simulated breakdown. The exact loss has
    the same pole and the same plateau, but vanishes linearly, not with the power α: the ratio of
    the two depends on m = min(N, T), M and α alone."""
    ratio = sp.Symbol("rho", positive=True)
    gap = sp.Symbol("epsilon", positive=True)
    table = (
        (Fraction(1, 2), 100, "0.83"),
        (Fraction(1, 2), 1000, "0.50"),
        (Fraction(1, 2), 1900, "0.15"),
        (Fraction(1), 100, "1.00"),
        (Fraction(1), 1000, "1.10"),
        (Fraction(1), 1900, "1.20"),
        (Fraction(2), 100, "1.09"),
        (Fraction(2), 1000, "3.1"),
        (Fraction(2), 1900, "44"),
    )
    kappa = sp.Symbol("kappa", positive=True)
    form = kappa * smaller / talk_fit()
    end = end_point_ratio() * gap ** (1 - alpha)

    @cache
    def exact(x: Any) -> Any:
        size = 10**14
        return fit_ratio(Fraction(1, 2), size, size * (1 - x))

    measured = sp.Matrix([[sp.Rational(str(a)), m, sp.Float(v, 3)] for a, m, v in table])
    steps = [
        Step(
            "ratio",
            equation(ratio, form),
            "Exact loss over fit; the pole at m = n cancels.",
            Numeric(_ratio_points, digits=20),
            Reference("talk"),
            (equation(ratio, form * smaller / M),),
        ),
        Step(
            "table",
            equation(sp.Symbol("R"), measured),
            "α, m and exact/fit at M = 2000: within 20 % at α = 1, but too large by 6 near the end "
            "at α = ½, and too small by 44 at α = 2.",
            _TableCheck(table),
            None,
            (equation(sp.Symbol("R"), measured * 2),),
        ),
        Step(
            "end-point",
            equation(ratio, end),
            "Close to m = M (ε = 1 − m/M) the exact loss is linear in ε and the fit is ε^α; "
            "the relative remainder is of order ε, here at M = 10¹⁴ and α = ½.",
            Asymptotic(
                exact,
                gap,
                tuple(mpmath.mpf(2) ** -e for e in (16, 20)),
                1.5,
                {alpha: mpmath.mpf(1) / 2, lambda_plus: 1},
                digits=60,
            ),
            None,
            (equation(ratio, end * sp.Rational(9, 8)),),
        ),
    ]
    return Parts(
        steps,
        steps[-1].claim,
        ("isotropic target, no ridge, no noise", "m = min(N, T) < M, n = max(N, T), ε = 1 − m/M"),
    )


def _ratio_points() -> list[Point]:
    from solvable.analytic.loss import static_loss

    points = []
    for exponent, size, m, n in ((Fraction(1, 2), 50, 20, 90), (Fraction(2), 30, 29, 31)):
        spectrum = PowerLaw(alpha=exponent, size=size)
        result = static_loss(spectrum, m, n, digits=mpmath.mp.dps)
        fit = sp.lambdify((smaller, M, alpha, lambda_plus), talk_fit(), "mpmath")
        value = fit(mpmath.mpf(m), mpmath.mpf(size), mpmath.mpmathify(exponent), mpmath.mpf(1))
        pole = 1 / (1 - mpmath.mpf(m) / n)
        points.append(
            Point(
                {
                    sp.Symbol("rho", positive=True): result.excess_loss / (value * pole),
                    sp.Symbol("kappa", positive=True): result.kappa,
                    smaller: m,
                    M: size,
                    alpha: mpmath.mpmathify(exponent),
                    lambda_plus: 1,
                }
            )
        )
    return points


@dataclass(frozen=True)
class _TableCheck:
    """Every quoted ratio is the computed one, to the digits that are quoted."""

    table: tuple[tuple[Fraction, int, str], ...]

    def __call__(self, claim: sp.Basic) -> Any:
        from ..checks import Verdict

        rows = claim.rhs.tolist()  # type: ignore[attr-defined]
        worst = mpmath.mpf(0)
        for (exponent, m, quoted), row in zip(self.table, rows):
            got = fit_ratio(exponent, 2000, m)
            unit = mpmath.mpf(10) ** -len(quoted.partition(".")[2])
            worst = max(worst, abs(got - mpmath.mpf(str(row[2]))) / unit)
        message = f"the largest difference is {mpmath.nstr(worst, 3)} units of the last digit"
        return Verdict("pass" if worst <= 0.6 else "fail", message, {"units": float(worst)})
