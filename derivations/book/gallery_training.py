"""Figures of training: curves in time, in compute, and what they end in."""

from __future__ import annotations

import math

import mpmath
import numpy as np

from solvable.analytic.asymptotics.dynamic_laws import compute_frontier
from solvable.analytic.loss import static_loss
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.learners import (
    GradientDescent,
    HeavyBall,
    OnePassSGD,
    RidgeRegression,
)
from solvable.analytic.training.training_rule import Learner

from ..dynamical_model.white_spectrum import transfer_white
from .gallery import curve, hard_task, logarithmic, shows
from .pictures import DASHED, POINTS, Picture, PictureCurve

TASK = "b = 5/4, a = 3/2, M = 2000"


def _steps(last: float, count: int = 40) -> np.ndarray:
    return np.unique(np.round(logarithmic(1, last, count)))


def _level(label: str, height: float, x: np.ndarray) -> PictureCurve:
    return curve(label, x[[0, -1]], np.full(2, height), DASHED)


@shows("gradient-descent")
def other_frequencies() -> Picture:
    """Steps in units of flow time."""
    law, t = hard_task(2000), logarithmic(0.3, 1e4, 50)
    steps, momentum = 0.3, 0.5
    rules: tuple[tuple[str, Learner, float], ...] = (
        ("η = 0.3", GradientDescent(step=steps), steps),
        ("η = 0.3, β = 0.5", HeavyBall(step=steps, momentum=momentum), steps / (1 - momentum)),
    )
    curves = [curve("gradient flow", t, dynamics(law, 64, 128, t).excess_loss)]
    for label, rule, unit in rules:
        n = _steps(1e4 / unit, 30)
        loss = dynamics(law, 64, 128, n, learner=rule).excess_loss
        curves.append(curve(label, n * unit, loss, POINTS))
    return Picture(
        "t", "L", tuple(curves),
        "Gradient descent against t = ηn after n steps, and with momentum against t = ηn/(1 − β): "
        f"the flow but for its first steps. N = 64, T = 128, {TASK}.",
    )  # fmt: skip


@shows("one-pass-sgd")
def batches() -> Picture:
    """The loss against the number of samples seen."""
    law, curves = hard_task(2000), []
    for size in (1, 8, 64):
        n = _steps(2e5 / size)
        found = dynamics(law, 100, math.inf, n, learner=OnePassSGD(0.2, size), noise=0.1)
        curves.append(curve(f"B = {size}", n * size, found.excess_loss))
    return Picture(
        "number of samples, B n", "L", tuple(curves),
        "One-pass SGD against the number of samples: large batches spend them on fewer steps, "
        f"small ones end in the noise of their gradients. η = 0.2, N = 100, σ_ε² = 0.1, {TASK}.",
    )  # fmt: skip


@shows("ensembling-is-not-compute-optimal")
def ensembles_at_equal_compute() -> Picture:
    """The same number of features in all."""
    law, t, curves = hard_task(2000), logarithmic(0.3, 1e4, 40), []
    for members in (1, 4, 16):
        found = dynamics(law, 256 // members, math.inf, t, ensemble=members)
        curves.append(curve(f"E = {members}, N = {256 // members}", 256 * t, found.excess_loss))
    return Picture(
        "compute, E N t", "L", tuple(curves),
        "E models of N features each against compute, E N = 256 in all: one wide model has the "
        f"least loss throughout. T = ∞, {TASK}.",
    )  # fmt: skip


@shows("wider-is-better")
def widths() -> Picture:
    """The loss against width at several times."""
    law, times = hard_task(2000), [10.0, 100.0, 1e4]
    n = logarithmic(10, 1000, 25)
    limited = np.array([dynamics(law, x, 100, times).excess_loss for x in n])
    free = [float(dynamics(law, x, math.inf, 1e4).excess_loss) for x in n]
    curves = [curve(f"t = {t:g}", n, limited[:, k]) for k, t in enumerate(times)]
    return Picture(
        "N", "L", (*curves, curve("t = 10000, T = ∞", n, np.array(free), DASHED)),
        "The loss against width: with unlimited data (dashed) it falls always, with T = 100 "
        f"samples it rises towards N = T late in training. {TASK}.",
        lines=(100.0,),
    )  # fmt: skip


@shows("late-time-limit")
def end_of_training() -> Picture:
    """The flow and the ridgeless loss."""
    law, t = hard_task(2000), logarithmic(0.3, 1e7, 50)
    curves = []
    for n, samples in ((40, 160), (160, 40)):
        curves.append(curve(f"N = {n}, T = {samples}", t, dynamics(law, n, samples, t).excess_loss))
        end = float(static_loss(law, n, samples).excess_loss)
        curves.append(_level("" if curves[1:] else "ridgeless", end, t))
    return Picture(
        "t", "L", tuple(curves),
        f"Gradient flow ends in the ridgeless loss, on both sides of N = T. {TASK}.",
    )  # fmt: skip


@shows("flow-to-ridge")
def flow_beside_ridge() -> Picture:
    """Stopping early, and a ridge."""
    law, t = hard_task(2000), logarithmic(0.3, 1e5, 50)
    flow = dynamics(law, 64, 128, t, noise=0.3).excess_loss
    ridge = dynamics(law, 64, 128, 1 / t, learner=RidgeRegression(), noise=0.3).excess_loss
    return Picture(
        "t, 1/z", "L", (curve("flow at t", t, flow), curve("ridge at z", t, ridge)),
        "The loss of gradient flow stopped at t and of ridge regression at z = 1/t, two filters "
        f"of one two-point function. N = 64, T = 128, σ_ε² = 0.3, {TASK}.",
    )  # fmt: skip


@shows("renormalised-ridge")
def members_at_a_ridge() -> Picture:
    """Ensembles of ridge regressions."""
    law, n, z = hard_task(2000), logarithmic(10, 1000, 60), 1e-3
    curves = []
    for members in (1, 4, 100):
        loss = [
            float(dynamics(law, x, 200, z, learner=RidgeRegression(), ensemble=members).excess_loss)
            for x in n
        ]
        curves.append(curve(f"K = {members}", n, np.array(loss)))
    return Picture(
        "N", "L", tuple(curves),
        "The mean of K ridge regressions on the same T = 200 samples, each with its own N "
        f"features: what the features cause falls as 1/K. z = 0.001, {TASK}.",
        lines=(200.0,),
    )  # fmt: skip


@shows("time-and-features")
def frontier() -> Picture:
    """Curves of several sizes, and the frontier."""
    law, t, curves = hard_task(10**4), logarithmic(0.3, 1e4, 40), []
    for n in (16, 64, 256):
        curves.append(curve(f"N = {n}", n * t, dynamics(law, n, math.inf, t).excess_loss))
    found = compute_frontier(law, logarithmic(30, 1e6, 7), grid=6)
    return Picture(
        "compute, N t", "L", (*curves, curve("frontier", found.compute, found.loss, DASHED)),
        "The loss against compute for several sizes, and the best size for every budget. "
        "T = ∞, b = 5/4, a = 3/2.",
    )  # fmt: skip


@shows("white-spectrum")
def white_transfer() -> Picture:
    """The transfer function of white data and its two limits."""
    t, curves = np.linspace(0, 3, 16), []
    limits = {
        0.25: lambda nu: 1 - nu + nu * np.exp(-t / nu),
        4.0: lambda nu: np.exp(-t) * np.cosh(t / math.sqrt(nu)),
    }
    for nu, limit in limits.items():
        with mpmath.workdps(40):
            exact = np.array([float(transfer_white(x, 1 / nu)) for x in t])
        curves.append(curve(f"ν = {nu:g}", t, exact))
        curves.append(curve("", t, limit(nu), DASHED))
    return Picture(
        "t", "H(t)", tuple(curves),
        "The transfer function of white data at ν = N/M with unlimited samples; dashed: the forms "
        "for few and for many features.",
    )  # fmt: skip
