r"""Section B: the mean-field equations from the model, by leaving out one sample or one feature.

Transformed, gradient flow is (z + KΣ) v⁰ = w with K = AᵀA/N, Σ = ΨᵀΨ/P. Taking the sample ψ out of
Σ or the feature α out of K changes a rank-one term, and

    v¹ = ψ·v⁰ = ψ·v⁰_(ψ)/(1 + q),      q = ψᵀ (z + KΣ_(ψ))^{-1} K ψ/P,
    v³ = α·v² = α·v²_(α)/(1 + q'),     q' = αᵀ (z + ΣK_(α))^{-1} Σ α/N,

hold for every draw, with v² = Σv⁰. The reduced vectors do not depend on what was left out: ψ·v⁰_(ψ)
is a Gaussian field u¹ whose variance is the test error C₀, and q is a sum of many terms that does
not fluctuate. So v¹ = u¹ + R₀₂v¹/P with R₀₂ = −Pq, v³ = u³ + R₂₄v³/N with R₂₄ = −Nq': equations
(30) and (32).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import sympy as sp

from solvable.analytic.notation import N, P, kappa, z
from solvable.analytic.resolvent.solution import solve
from solvable.analytic.slopes import log_slope
from solvable.validation import sampled
from solvable.validation.cells import Cell
from solvable.validation.dense import Draw, realise

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import FiniteSize, Point, Statistical, Verdict
from ..derivation import Step, equation
from .mean_field import PAPER, R02, R24, u1, u3, v1, v3
from .notation import C0, D1, R1, R3, Agrees, Solves, letter

form, form_features = sp.symbols("q q'")
left_out = letter("ψ·v⁰_(ψ)", r"\psi\cdot v^{0}_{(\psi)}")
left_out_feature = letter("α·v²_(α)", r"\alpha\cdot v^{2}_{(\alpha)}")
REMOVED = {
    "data": (v1, left_out, form),
    "features": (v3, left_out_feature, form_features),
}


@derivation(
    "mean-field-from-the-model",
    "Leave one out: why the mean-field equations hold",
    Reference(PAPER, "30"), Reference(PAPER, "32"),
)  # fmt: skip
def mean_field_from_the_model() -> Parts:
    """Removing one sample or one feature is a rank-one change that is solved exactly. What was
    removed is independent of the rest, so that its projection is a Gaussian field and its action on
    itself a number that does not fluctuate: the response."""
    steps = []
    for kind, (field, source, quadratic) in REMOVED.items():
        exact = equation(field, source / (1 + quadratic))
        steps += [
            Step(f"leave-out-{kind}", exact, "A rank-one change of one draw, solved exactly.",
                 Agrees(_field(kind), _claimed(kind), 10),
                 Reference(PAPER, "30" if kind == "data" else "32"),
                 (equation(field, source), equation(field, source / (1 - quadratic)))),
            _concentration(kind),
            _mean_form(kind),
        ]  # fmt: skip
    responses = {form: -R02 / P, form_features: -R24 / N}
    data = equation(v1, (left_out / (1 + form)).subs(responses).subs(left_out, u1))
    features = equation(
        v3, (left_out_feature / (1 + form_features)).subs(responses).subs(left_out_feature, u3)
    )
    steps += [
        _field_variance(),
        Step("data-field", data, "With R₀₂ = −Pq this is v¹ = u¹ + R₀₂v¹/P.",
             Solves([equation(v1, u1 + R02 * v1 / P)]), Reference(PAPER, "30"),
             (equation(v1, u1 / (1 - R02)),)),
        Step("feature-field", features, "With R₂₄ = −Nq' this is v³ = u³ + R₂₄v³/N.",
             Solves([equation(v3, u3 + R24 * v3 / N)]), Reference(PAPER, "32"),
             (equation(v3, u3 / (1 - R24 / P)),)),
    ]  # fmt: skip
    return Parts(
        steps,
        sp.Tuple(data, features),
        ("independent rows of Ψ and of A with finite fourth moments; M, N, P large",),
    )


@cache
def _one_out(kind: str) -> tuple[float, float, float, float]:
    """Field, reduced projection, quadratic form and variance in one draw of a small model."""
    return sampled.leave_one_out(realise(sampled.task(7, 11, 19), 0), kind, 0.08)


def _field(kind: str) -> Callable[[], float]:
    return lambda: _one_out(kind)[0]


def _claimed(kind: str) -> Callable[[sp.Basic], float]:
    _, source, quadratic = REMOVED[kind]

    def value(claim: sp.Basic) -> float:
        _, projection, number, _ = _one_out(kind)
        return float(claim.args[1].subs({source: projection, quadratic: number}))

    return value


def _setting(size: int) -> tuple[Cell, float]:
    """N = 20s, P = 30s, M = 50s, with the frequency scaled so that D₁/P stays about the same."""
    return sampled.task(20 * size, 30 * size, 50 * size), 0.1 * size**-1.25


@cache
def _forms(kind: str, size: int) -> np.ndarray:
    """The forms of all samples (features) in every draw, shaped *(seeds, P)* or *(seeds, N)*."""
    cell, frequency = _setting(size)
    return sampled.per_seed(cell, lambda draw: sampled.quadratic_forms(draw, kind, frequency), 60)


@cache
def _field_ratios() -> np.ndarray:
    """(ψ·v⁰_(ψ))² over v⁰_(ψ)ᵀΛv⁰_(ψ) of one sample per draw, 4000 draws."""
    cell, frequency = _setting(1)

    def one(draw: Draw) -> float:
        _, projection, _, test = sampled.leave_one_out(draw, "data", frequency)
        return projection**2 / test

    return sampled.per_seed(cell, one, 4000)


def _value(claim: sp.Basic, size: int) -> float:
    """The claim's right side at the sizes and the frequency of ``size``."""
    cell, frequency = _setting(size)
    spectrum = cell.spectrum
    root = solve(spectrum, cell.features, cell.samples, frequency).value
    values = {kappa: root, N: cell.features, P: cell.samples, z: frequency}
    return float(Point(values, spectrum)(claim.args[1]))


class _Falls:
    """The claimed power of the size with which the variance of the form falls."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, claim: sp.Basic) -> Verdict:
        """Slope of ln variance against ln size, s = 1, 2, 4, against the claim."""
        sizes = np.array([1, 2, 4])
        spread = [np.var(_forms(self.kind, int(s))) for s in sizes]
        observed = log_slope(sizes, spread)
        holds = bool(claim.subs(sp.Symbol("r"), observed))
        message = f"variances {[f'{x:.2g}' for x in spread]}: slope {observed:.2f}"
        found = {"slope": observed, "seeds": "60", "sizes": f"{_setting(1)[0].sizes()}, ×2, ×4"}
        return Verdict("pass" if holds else "fail", message, found)


def _concentration(kind: str) -> Step:
    slope = sp.Symbol("r")
    return Step(
        f"no-fluctuation-{kind}", sp.Lt(sp.Abs(slope + 1), sp.Rational(3, 10)),
        "Variance of the form ~ size^r with r = −1, at sizes 1, 2, 4, 60 draws each.",
        _Falls(kind), Reference(PAPER, "30" if kind == "data" else "32"),
        (sp.Lt(sp.Abs(slope), sp.Rational(3, 10)),),
    )  # fmt: skip


def _mean_form(kind: str) -> Step:
    """1/(1 + q) is the response 1 − D₁/P (1 − D₁/N)."""
    response, size_letter = (R1, P) if kind == "data" else (R3, N)
    wrong = 1 - D1 / (N if kind == "data" else P)

    return Step(
        f"response-{kind}", equation(response, 1 - D1 / size_letter),
        "Mean of 1/(1 + q) over draws, extrapolated in the size.",
        FiniteSize(lambda size: (1 / (1 + _forms(kind, size))).mean(axis=1), _value,
                   sizes=_setting(1)[0].sizes()),
        Reference(PAPER, "11"), (equation(response, wrong),),
    )  # fmt: skip


def _field_variance() -> Step:
    ratio = letter("⟨u¹u¹⟩", r"\langle u^{1}u^{1}\rangle") / C0
    return Step(
        "variance-of-the-field", equation(ratio, 1),
        "The squared projection of a sample that was left out is the test error, 4000 draws.",
        Statistical(_field_ratios, lambda claim: _value(claim, 1), sizes=_setting(1)[0].sizes()),
        Reference(PAPER, "30"),
        (equation(ratio, (1 - D1 / P) ** 2),),
    )  # fmt: skip
