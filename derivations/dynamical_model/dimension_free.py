r"""Appendix G: nothing depends on the dimension M of the latent space, if the trace is finite.

N and P count features and samples; M enters through sums over modes only. With c = Σ λ finite,

    D₁(κ) ≤ c/κ,     D₁(κ) ≤ J + (1/κ) Σ_{k>J} λ_k for every J,

so that κ(z) and the loss have limits as M → ∞, whatever N and P. For power laws the missing modes
act through the power Σ_{k>M} w²λ they hold and the trace Σ_{k>M} λ, an additional ridge:

    L(M) − L(∞) ~ M^{-min(a−1, b−1)}.

Multiplying all λ by s only changes the unit of time, L(t; sλ, w) = s L(st; λ, w).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import sympy as sp

from solvable.analytic.dynamics import dynamics
from solvable.analytic.notation import M, a, b, kappa, t
from solvable.analytic.spectrum import PowerLaw

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact
from ..derivation import Step, equation
from .mean_field import PAPER
from .notation import Agrees, lam
from .scaling_laws import Fitted, Holds

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
    """Every formula holds with M = ∞, N and P being plain numbers: the degrees of freedom are
    bounded by the trace, and the modes beyond M change the loss by a power of M."""
    loss = sp.Function("L")
    r_dimension = sp.Symbol("r_M")
    tail = sp.Symbol("T_M", positive=True)
    cut = sp.Symbol("J", positive=True)
    steps = [
        Step("mode-bound", equation(lam / kappa - lam / (lam + kappa),
                                    lam**2 / (kappa * (lam + kappa))),
             "λ/κ − λ/(λ+κ) is positive, mode by mode: D₁ ≤ c/κ.", Exact(), None,
             (equation(lam / kappa - lam / (lam + kappa), lam / (kappa * (lam + kappa))),)),
        Step("trace-bound", sp.Le(degrees, cut + tail / kappa),
             "J modes count at most 1 each, the others at most λ/κ.",
             Holds(lambda: _bounds(cut, tail)), Reference("dimension-free"),
             (sp.Le(degrees, tail / kappa), sp.Le(degrees, cut))),
        Step("tail-of-the-target", equation(sp.Symbol("p_M"), M ** (1 - a) / (a - 1)),
             "Σ_{k>M} k^{-a}, at M = 10⁸ and a = 3/2.",
             Agrees(_tail, lambda c: float(c.args[1].subs({M: 10**8, a: sp.Rational(3, 2)})), 6),
             None, (equation(sp.Symbol("p_M"), M ** (1 - a)),)),
        *(Step(f"approach-{name}", equation(r_dimension, sp.Min(a - 1, b - 1)),
               "Slope of |L(M) − L(∞)| at t = 100, N = 40, P = 70, over M = 10⁶ … 10¹⁰.",
               Fitted(_distance(point), np.geomspace(1e6, 1e10, 9), point),
               Reference("dimension-free"), (equation(r_dimension, wrong),))
          for name, point, wrong in (("target", (1.3, 1.8), b - 1), ("trace", (2, 1.4), a - 1))),
        Step("unit-of-time", equation(loss(t), unit * loss(unit * t)),
             "All λ multiplied by s = 3: the loss at t = 10 without noise.",
             Agrees(_scaled, _rescaled, 10), None,
             (equation(loss(t), loss(unit * t)), equation(loss(t), unit * loss(t / unit)))),
    ]  # fmt: skip
    return Parts(
        steps,
        equation(r_dimension, sp.Min(a - 1, b - 1)),
        ("b > 1 and a > 1: finite trace and finite power of the target",),
    )


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


def _distance(point: tuple[float, float]) -> Callable[[np.ndarray], np.ndarray]:
    """|L(M) − L(∞)| at the sizes M."""

    @cache
    def at(size: float) -> float:
        size = size if size == math.inf else int(size)
        law = PowerLaw(exponent=point[1], target_exponent=point[0], size=size)
        return float(dynamics(law, FEATURES, SAMPLES, 100.0, noise=NOISE).excess_loss)

    return lambda sizes: np.array([abs(at(float(size)) - at(math.inf)) for size in sizes])


def _at_scale(scale: float, time: float) -> float:
    law = PowerLaw(exponent=1.25, target_exponent=1.5, scale=scale)
    return float(dynamics(law, FEATURES, SAMPLES, time).excess_loss)


def _scaled() -> float:
    return _at_scale(3.0, 10.0)


def _rescaled(claim: sp.Basic) -> float:
    """The claim's right side with s = 3, t = 10 and L the loss at scale 1."""
    value = claim.args[1].subs({unit: 3, t: 10})
    return float(value.replace(sp.Function("L"), lambda x: sp.Float(_at_scale(1.0, float(x)))))
