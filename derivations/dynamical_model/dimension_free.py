r"""Appendix G: nothing depends on the dimension M of the latent space, if the trace is finite.

N and T count features and samples; M enters through sums over modes only. With c = Σ λ finite,

    D₁(κ) ≤ c/κ,     D₁(κ) ≤ J + (1/κ) Σ_{k>J} λ_k for every J,

so that κ(z) and the loss have limits as M → ∞, whatever N and T. For power laws the missing modes
act through the power Σ_{k>M} w²λ they hold and the trace Σ_{k>M} λ, an additional ridge:

    L(M) − L(∞) ~ M^{-min(a−1, b−1)}.

Multiplying all λ by s only changes the unit of time, L(t; sλ, w) = s L(st; λ, w).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from solvable.analytic.notation import M, a, b, kappa, lam, t
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Inequality, Slope
from ..derivation import Step
from ..relations import AtMost, Equivalent, Relation, equation
from .mean_field import PAPER

unit = sp.Symbol("s", positive=True)
trace = sp.Symbol("c", positive=True)
degrees = sp.Symbol("D_1", positive=True)
FEATURES, SAMPLES, NOISE = 40, 70, 0.1


@derivation(
    "dimension-free",
    "The dynamics do not depend on the latent dimension",
    Reference(PAPER, "83"), Reference("dimension-free"),
)  # fmt: skip
def dimension_free() -> Parts:
    """Every formula holds with M = ∞, N and T being plain numbers: the degrees of freedom are
    bounded by the trace, and the modes beyond M change the loss by a power of M."""
    loss = sp.Function("L")
    r_dimension, missing = sp.symbols("r_M p_M")
    tail = sp.Symbol("c_J", positive=True)
    cut = sp.Symbol("J", positive=True)
    share, scaled = lam / (lam + kappa), loss(t, unit)
    steps = [
        Step("mode-bound", AtMost(share, lam / kappa), "Mode by mode, hence D₁ ≤ c/κ.",
             Inequality(_modes), None, (AtMost(share, lam**2 / kappa), AtMost(lam / kappa, share))),
        Step("trace-bound", AtMost(degrees, cut + tail / kappa),
             "J modes count at most 1 each, the others, of trace c_J, at most λ/κ by @mode-bound.",
             Inequality(lambda: _bounds(cut, tail)), Reference("dimension-free"),
             (AtMost(degrees, tail / kappa), AtMost(degrees, cut))),
        Step("tail-of-the-target", Equivalent(missing, M ** (1 - a) / (a - 1)),
             "p_M = Σ_{k>M} k^{-a}, at M = 10⁸ and a = 3/2.",
             Agrees(_tail, lambda c: float(c.rhs.subs({M: 10**8, a: sp.Rational(3, 2)})), 1e-6),
             None, (Equivalent(missing, M ** (1 - a)),)),
        Step("approach", equation(r_dimension, sp.Min(a - 1, b - 1)),
             "|L(M) − L(∞)| falls as M^{-r_M}: slope at t = 100, N = 40, T = 70, "
             "over M = 10⁶ … 10¹⁰.",
             Slope([_distance((1.3, 1.8)), _distance((2, 1.4))],
                   axes=("M", "|L(M) − L(∞)|")), Reference("dimension-free"),
             (equation(r_dimension, b - 1), equation(r_dimension, a - 1))),
        Step("unit-of-time", equation(scaled, unit * loss(unit * t, 1)),
             "L(t, s) is the loss with all λ multiplied by s; here s = 3, t = 10, without noise.",
             Agrees(lambda: _at_scale(3.0, 10.0), _rescaled), None,
             (equation(scaled, loss(unit * t, 1)), equation(scaled, unit * loss(t / unit, 1)))),
    ]  # fmt: skip
    return Parts(
        steps, steps[3].claim, ("b > 1 and a > 1: finite trace and finite power of the target",)
    )


def _modes() -> list[dict[sp.Expr, float]]:
    return [{lam: x, kappa: y} for x in (1e-3, 0.5, 1.0) for y in (1e-6, 0.1, 1.0, 50.0)]


def _bounds(cut: sp.Symbol, tail: sp.Symbol) -> list[dict[sp.Symbol, float]]:
    """D₁, J and the trace beyond J for a power law, at several κ."""
    law = PowerLaw(exponent=1.25)
    points = []
    for value in (1e-6, 1e-3, 1.0, 1e3):
        for count in (0.0, 3.0, 100.0):
            direct = float(law.eigenvalues(0, int(count)).sum()) if count else 0.0
            points.append({
                kappa: value, cut: count, tail: float(law.trace()) - direct,
                degrees: float(law.degrees_of_freedom(value)),
            })  # fmt: skip
    return points


def _tail() -> float:
    law = PowerLaw(exponent=1.25, target_exponent=1.5)
    finite = PowerLaw(exponent=1.25, target_exponent=1.5, size=10**8)
    return float(law.total_target_power(mp=True) - finite.total_target_power(mp=True))


def _distance(point: tuple[float, float]) -> tuple[dict[Any, Any], Callable[[], Any]]:
    """|L(M) − L(∞)| over nine sizes M, at the task (a, b)."""

    def at(size: float) -> float:
        size = size if size == math.inf else int(size)
        law = PowerLaw(exponent=point[1], target_exponent=point[0], size=size)
        return float(dynamics(law, FEATURES, SAMPLES, 100.0, noise=NOISE).excess_loss)

    sizes = np.geomspace(1e6, 1e10, 9)
    return dict(zip((a, b), point)), cache(lambda: (sizes, [at(x) - at(math.inf) for x in sizes]))


def _at_scale(scale: float, time: float) -> float:
    law = PowerLaw(exponent=1.25, target_exponent=1.5, scale=scale)
    return float(dynamics(law, FEATURES, SAMPLES, time).excess_loss)


def _rescaled(claim: Relation) -> float:
    """The claim's right side with s = 3, t = 10."""
    value = claim.rhs.subs({unit: 3, t: 10})
    return float(
        value.replace(sp.Function("L"), lambda x, s: sp.Float(_at_scale(float(s), float(x))))
    )
