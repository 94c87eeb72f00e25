r"""Section B: the mean-field equations from the model, by leaving out one sample or one feature.

Transformed, gradient flow is (z + KΣ) v⁰ = w with K = AᵀA/N, Σ = ΨᵀΨ/T. Taking the sample ψ out of
Σ or the feature α out of K changes a rank-one term, and

    v¹ = ψ·v⁰ = ψ·v⁰_(ψ)/(1 + q),      q = ψᵀ (z + KΣ_(ψ))^{-1} K ψ/T,
    v³ = α·v² = α·v²_(α)/(1 + q'),     q' = αᵀ (z + ΣK_(α))^{-1} Σ α/N,

hold for every draw, with v² = Σv⁰. The reduced vectors do not depend on what was left out: ψ·v⁰_(ψ)
is a Gaussian field u¹ whose variance is the test error C₀, and q is a sum of many terms that does
not fluctuate. So v¹ = u¹ + R₀₂v¹/T with R₀₂ = −Tq, v³ = u³ + R₂₄v³/N with R₂₄ = −Nq': equations
(30) and (32).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import sympy as sp

from solvable.analytic.notation import N, T, kappa, letter, z
from solvable.analytic.resolvent import solve
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectral_functions import D1
from solvable.validation import sampled
from solvable.validation.cells import Cell
from solvable.validation.dense import Draw, realise

from ..bibliography import Reference, references
from ..catalogue import Parts, derivation
from ..checks import Agrees, FiniteSize, Inequality, Point, Solves, Statistical
from ..derivation import Step
from ..relations import Equivalent, Expectation, Less, Relation, equation
from .mean_field import PAPER, R02, R24, u1, u3, v1, v3

form, form_features = sp.symbols("q q'")
left_out = letter("ψ·v⁰_(ψ)", r"\psi\cdot v^{0}_{(\psi)}")
left_out_error = letter("v⁰_(ψ)ᵀΛv⁰_(ψ)", r"v^{0\top}_{(\psi)}\Lambda v^{0}_{(\psi)}")
left_out_feature = letter("α·v²_(α)", r"\alpha\cdot v^{2}_{(\alpha)}")
FORMS = {"data": "q = ψᵀ(z + KΣ_(ψ))^{-1}Kψ/T.", "features": "q' = αᵀ(z + ΣK_(α))^{-1}Σα/N."}
REMOVED = {"data": (v1, left_out, form), "features": (v3, left_out_feature, form_features)}


@derivation(
    "mean-field-from-the-model",
    "Leave one out: why the mean-field equations hold",
    *references(PAPER, "30", "32"),
)  # fmt: skip
def mean_field_from_the_model() -> Parts:
    """Removing one sample or one feature is a rank-one change that is solved exactly. What was
    removed is independent of the rest, so that its projection is a Gaussian field and its action on
    itself a number that does not fluctuate: the response."""
    steps = []
    for kind, (field, source, quadratic) in REMOVED.items():
        exact = equation(field, source / (1 + quadratic))
        steps += [
            Step(f"leave-out-{kind}", exact,
                 "A rank-one change of one draw, solved exactly; " + FORMS[kind],
                 Agrees(_field(kind), _claimed(kind)),
                 Reference(PAPER, "30" if kind == "data" else "32"),
                 (equation(field, source), equation(field, source / (1 - quadratic)))),
            _concentration(kind),
            _mean_form(kind),
        ]  # fmt: skip
    responses = {form: -R02 / T, form_features: -R24 / N}
    data = equation(v1, (left_out / (1 + form)).subs(responses).subs(left_out, u1))
    features = equation(
        v3, (left_out_feature / (1 + form_features)).subs(responses).subs(left_out_feature, u3)
    )
    steps += [
        _field_variance(),
        Step("data-field", data, "With R₀₂ = −Tq this is v¹ = u¹ + R₀₂v¹/T.",
             Solves([equation(v1, u1 + R02 * v1 / T)]), Reference(PAPER, "30"),
             (equation(v1, u1 / (1 - R02)),)),
        Step("feature-field", features, "With R₂₄ = −Nq' this is v³ = u³ + R₂₄v³/N.",
             Solves([equation(v3, u3 + R24 * v3 / N)]), Reference(PAPER, "32"),
             (equation(v3, u3 / (1 - R24 / T)),)),
    ]  # fmt: skip
    return Parts(
        steps,
        (data, features),
        ("independent rows of Ψ and of A with finite fourth moments; M, N, T large",),
    )


@cache
def _one_out(kind: str) -> tuple[float, float, float, float]:
    """Field, reduced projection, quadratic form and variance in one draw of a small model."""
    return sampled.leave_one_out(realise(sampled.task(7, 11, 19), 0), kind, 0.08)


def _field(kind: str) -> Callable[[], float]:
    return lambda: _one_out(kind)[0]


def _claimed(kind: str) -> Callable[[Relation], float]:
    _, source, quadratic = REMOVED[kind]

    def value(claim: Relation) -> float:
        _, projection, number, _ = _one_out(kind)
        return float(claim.rhs.subs({source: projection, quadratic: number}))

    return value


def _setting(size: int) -> tuple[Cell, float]:
    """N = 20s, T = 30s, M = 50s, with the frequency scaled so that D₁/T stays about the same."""
    return sampled.task(20 * size, 30 * size, 50 * size), 0.1 * size**-1.25


@cache
def _forms(kind: str, size: int) -> np.ndarray:
    """The forms of all samples (features) in every draw, shaped *(seeds, T)* or *(seeds, N)*."""
    cell, frequency = _setting(size)
    return sampled.per_seed(cell, lambda draw: sampled.quadratic_forms(draw, kind, frequency), 60)


@cache
def _field_ratios() -> np.ndarray:
    """(ψ·v⁰_(ψ))² over v⁰_(ψ)ᵀΛv⁰_(ψ) of one sample per draw, 10⁴ draws."""
    cell, frequency = _setting(1)

    def one(draw: Draw) -> float:
        _, projection, _, test = sampled.leave_one_out(draw, "data", frequency)
        return projection**2 / test

    return sampled.per_seed(cell, one, 10_000)


def _value(claim: Relation, size: int) -> float:
    """The claim's right side at the sizes and the frequency of ``size``."""
    cell, frequency = _setting(size)
    spectrum = cell.spectrum
    root = solve(spectrum, cell.features, cell.samples, frequency).value
    values = {kappa: root, N: cell.features, T: cell.samples, z: frequency}
    return float(Point(values, spectrum)(claim.rhs))


def _concentration(kind: str) -> Step:
    """The variance of the form falls as 1/size."""
    slope = sp.Symbol("r_q" if kind == "data" else "r_q'")
    name = "q" if kind == "data" else "q'"

    def observed() -> list[dict[sp.Symbol, float]]:
        sizes = (1, 2, 4)
        return [{slope: log_slope(sizes, [np.var(_forms(kind, size)) for size in sizes])}]

    return Step(
        f"no-fluctuation-{kind}", Less(sp.Abs(slope + 1), sp.Rational(3, 10)),
        f"The variance of {name} falls as the power r = −1 of the size, at 1, 2, 4; 60 draws each.",
        Inequality(observed), Reference(PAPER, "30" if kind == "data" else "32"),
        (Less(sp.Abs(slope), sp.Rational(3, 10)),),
    )  # fmt: skip


def _mean_form(kind: str) -> Step:
    """1/(1 + q) is the response 1 − D₁/T (1 − D₁/N)."""
    size, other = (T, N) if kind == "data" else (N, T)
    average = Expectation(1 / (1 + REMOVED[kind][2]))
    return Step(
        f"response-{kind}", Equivalent(average, 1 - D1 / size),
        "The response of the field to itself: means over draws, extrapolated in the size.",
        FiniteSize(lambda size: (1 / (1 + _forms(kind, size))).mean(axis=1), _value,
                   sizes=_setting(1)[0].sizes()),
        Reference(PAPER, "11"), (Equivalent(average, 1 - D1 / other),),
    )  # fmt: skip


def _field_variance() -> Step:
    ratio = Expectation(left_out**2 / left_out_error)
    return Step(
        "variance-of-the-field", Equivalent(ratio, 1),
        "The squared projection on a sample that was left out, over the error without it: the "
        "variance of the field u¹ is the test error C₀. 10⁴ draws.",
        Statistical(_field_ratios, lambda claim: _value(claim, 1), sizes=_setting(1)[0].sizes()),
        Reference(PAPER, "30"),
        (Equivalent(ratio, (1 - D1 / T) ** 2),),
    )  # fmt: skip
