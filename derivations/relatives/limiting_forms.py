"""Limits of the static loss as catalogue entries: one term after the other, each with its rate.

Every entry takes a `Limit` that `analytic.limits` has computed.  Step k claims the series after k
terms; its check evaluates the exact loss along a grid and requires the remainder to fall with the
power of the first term left out.  A wrong coefficient in the last term is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from solvable.analytic.asymptotics.expansion import Expansion, Order, SeriesTerm
from solvable.analytic.asymptotics.expansion.printing import neat
from solvable.analytic.asymptotics.limits import Limit, Setting, limit
from solvable.analytic.asymptotics.limits.breakdown_fit import (
    end_point_ratio,
    fit_ratio,
    smaller,
    talk_fit,
)
from solvable.analytic.notation import M, alpha, b, kappa, lambda_plus, loss
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.typesetting import one_line

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Asymptotic, Numeric, Point
from ..derivation import Step
from ..relations import Truncated, equation

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
            PowerLaw(exponent=Fraction(8, 5), target_exponent=Fraction(3, 2)), x**4, x
        ),
        LARGE,
        (Reference("dynamical-model", "14"),),
        {"exponent": Fraction(8, 5), "target_exponent": Fraction(3, 2)},
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
        "At N = T both brackets of @resolvent/equation close together: the loss rises as the "
        "inverse square root of the ridge.",
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


def _written_out(law: Limit, term: SeriesTerm) -> SeriesTerm:
    short = {s: v for s, v in law.loss.definitions.items() if v.free_symbols <= {b}}
    return replace(term, coefficient=neat(term.coefficient.subs(short)))


def order_of(term: SeriesTerm | Order, variable: sp.Symbol) -> sp.Expr:
    """variable^power log^k variable: the size of a term or of a remainder."""
    return variable**term.power * sp.log(variable) ** term.log


def _after(law: Limit, count: int) -> SeriesTerm | Order:
    """The first term that ``count`` terms leave out, or the remainder of the series."""
    after = law.loss.terms[count] if count < len(law.loss.terms) else law.loss.remainder
    assert after is not None
    return after


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
    after, variable = _after(law, count), law.loss.variable
    with mpmath.workdps(DIGITS):
        somewhere = case.setting(case.grid[0])
        spectrum = law.form().over(somewhere.spectrum)
        values = {s: v for s, v in law.values(somewhere).items() if v != sp.oo}
        del values[variable]
        slope = after.power.subs(
            {s: sp.Rational(str(v)) for s, v in values.items() if s in after.power.free_symbols}
        )
    return Asymptotic(
        _exact_at(case),
        variable,
        case.grid,
        float(slope),
        values,
        digits=DIGITS,
        spectrum=spectrum,
        drawn=[mpmath.mpf(case.grid[-1]) ** (mpmath.mpf(k) / 32) for k in range(1, 17)],
        where=_where(case, law.loss.variable),
    )


def _where(case: Case, variable: sp.Symbol) -> str:
    """The setting of a case: what is fixed, and what is a multiple of a power of the variable."""
    (x, first), (y, last) = ((x, case.setting(x).parameters()) for x in case.grid[:2])
    words = []
    for symbol, value in first.items():
        if symbol.name == variable.name or value in (0, 1, mpmath.inf):
            continue
        if last[symbol] == value:
            words.append(f"{one_line(symbol)} = {float(value):.6g}")
        elif (power := mpmath.log(last[symbol] / value, y / x)) == int(power):
            factor = sp.nsimplify(value / x**power, rational=True)
            words.append(f"{one_line(symbol)} = {one_line(factor * variable ** int(power))}")
    return ", ".join(words)


ORDINALS = ("leading", "first-correction", "second-correction")


def build(case: Case) -> Parts:
    """The derivation of one limit."""
    law = case.limit()
    steps = []
    for count in range(1, len(law.loss.terms) + 1):
        order = order_of(_after(law, count), law.loss.variable)
        words = "The leading term" if count == 1 else "One term more"
        steps.append(
            Step(
                ORDINALS[count - 1],
                Truncated(loss, truncated(law, count), order),
                f"{words}; the remainder of the exact loss falls with the power of the next one.",
                rate_check(case, law, count),
                case.references[0],
                (Truncated(loss, perturbed(law.loss, count), order),),
            )
        )
    used = steps[-1].claim.free_symbols
    for definition in (v for k, v in law.loss.definitions.items() if k in used):
        used |= definition.free_symbols
    meaning = [f"{one_line(k)} = {_in_words(v)}" for k, v in law.meaning.items() if k in used]
    conditions = [f"this order of the terms needs {one_line(c)}" for c in law.loss.conditions]
    return Parts(steps, steps[-1].claim, (law.when, *meaning, *conditions))


def _in_words(value: Any) -> str:
    """A definition on one line, in the letters of the paper."""
    return one_line(value) if isinstance(value, sp.Basic) else str(value).replace("^{1}", "")


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
    gap = sp.Symbol("epsilon", positive=True)
    form = kappa * smaller / talk_fit()
    end = end_point_ratio() * gap ** (1 - alpha)

    @cache
    def exact(x: Any) -> Any:
        size = 10**14
        return fit_ratio(Fraction(1, 2), size, size * (1 - x))

    steps = [
        Step("ratio", equation(ratio, form), "Exact loss over fit; the pole at m = n cancels.",
             Numeric(_ratio_points, digits=20), Reference("talk"),
             (equation(ratio, form * smaller / M),)),
        *_table(),
        Step("end-point", Truncated(ratio, end, gap ** (2 - alpha)),
             "Close to m = M (ε = 1 − m/M) the exact loss is linear in ε and the fit is ε^α; "
             "here at M = 10¹⁴ and α = ½.",
             Asymptotic(exact, gap, tuple(mpmath.mpf(2) ** -e for e in (16, 20)), 1.5,
                        {alpha: mpmath.mpf(1) / 2, lambda_plus: 1}, digits=60),
             None, (Truncated(ratio, end * sp.Rational(9, 8), gap ** (2 - alpha)),)),
    ]  # fmt: skip
    return Parts(
        steps,
        steps[-1].claim,
        ("isotropic target, no ridge, no noise", "m = min(N, T) < M, n = max(N, T), ε = 1 − m/M"),
    )


ratio = sp.Symbol("rho", positive=True)
SIZES = (100, 1000, 1900)
#: exact/fit at M = 2000 and m = 100, 1000, 1900, to the digits that are quoted
QUOTED = {
    Fraction(1, 2): ("0.83", "0.50", "0.15"),
    Fraction(1): ("1.00", "1.10", "1.20"),
    Fraction(2): ("1.09", "3.1", "44"),
}


@cache
def _ratios(exponent: Fraction) -> list[Any]:
    return [fit_ratio(exponent, 2000, m) for m in SIZES]


def _table() -> list[Step]:
    """The ratio at three m for each α, every one to within 0.6 units of its last digit."""
    return [
        _row(name, exponent, quoted)
        for name, (exponent, quoted) in zip(("half", "one", "two"), QUOTED.items())
    ]


def _row(name: str, exponent: Fraction, quoted: Sequence[str]) -> Step:
    units = [mpmath.mpf(10) ** -len(text.partition(".")[2]) for text in quoted]
    ratios = sp.Matrix([[sp.Function("rho")(m) for m in SIZES]])
    values = sp.Matrix([[sp.Float(text, len(text.replace(".", ""))) for text in quoted]])

    def in_units(row: Any) -> list[Any]:
        return [mpmath.mpmathify(x) / unit for x, unit in zip(row, units)]

    return Step(
        f"table-alpha-{name}",
        equation(ratios, values),
        f"M = 2000, α = {exponent}: exact over fit at three m.",
        Agrees(
            lambda: in_units(_ratios(exponent)),
            lambda claim: in_units(claim.rhs),
            0.6,
            absolute=True,
        ),
        None,
        (equation(ratios, 2 * values),),
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
                    ratio: result.excess_loss / (value * pole),
                    kappa: result.kappa,
                    smaller: m,
                    M: size,
                    alpha: mpmath.mpmathify(exponent),
                    lambda_plus: 1,
                }
            )
        )
    return points
