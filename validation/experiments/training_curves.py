"""Loss against training time: flow, gradient descent, momentum, one-pass SGD, and reused data.

Source: dynamical paper, sections 3, 4 and appendices E and K; figures 2, 3 and 5; equations (9),
(18), (136), (139)–(144). Theory is the two-point function seen through the rule's filter.
"""

from __future__ import annotations

import numpy as np

from solvable.analytic.slopes import log_slope
from solvable.analytic.training.learners import GradientDescent, HeavyBall

from ..cells import Cell
from .building_blocks import (
    TIME_AXES,
    flow,
    one_pass,
    over_time,
    task,
    theory,
    times_around,
    whole_steps,
)
from .experiment import Axes, Budget, Guide, Items, Parameters, experiment
from .facts import Measured, above, below, near

#: times at which wider is better in every model here, and by more than a simulation's error:
#: at t = 1 widths differ by 0.3 %, after t = 100 some models overfit
WIDER_IS_BETTER = (10.0, 100.0)


@experiment(
    title="Gradient flow at several widths",
    source="dynamical paper, figure 2, eqs. (7), (9), (35)",
    claim="Losses of narrow models follow those of wide ones and then stop at a plateau: larger "
    "models train faster. Where N is not far from P, long training overfits.",
    sizes={"M": 4000, "N": (32, 128, 512, 2048), "P": 1000},
    constants={"a": 1.5, "b": 1.25, "times": (1.0, 10.0, 100.0, 1e3, 1e4)}, axes=TIME_AXES,
    quick=Budget(0.25, 32, {"N": (80, 200, 640)}, 0.1), thorough=Budget(1.0, 64),
)  # fmt: skip
def flow_curves(p: Parameters) -> Items:
    """Wider is better once width shows and as long as no model overfits."""
    first, last = WIDER_IS_BETTER
    spectrum, x = task(p.a, p.b, p.M), times_around(p.times)
    for n in p.N:
        yield over_time(f"N = {n}", flow(spectrum, n, p.P, p.times), x)
    wide = flow(spectrum, 10**9, p.P, p.times)
    yield Guide("curve", "N = ∞", x, lambda: theory(wide, x).excess_loss)

    def within(curve: Measured) -> np.ndarray:
        return curve.mean[(first <= curve.x) & (curve.x <= last)]

    yield below(
        f"largest log-increase of the simulated loss with width, {first:g} ≤ t ≤ {last:g}",
        lambda m: np.diff(np.log([within(curve) for curve in m.values()]), axis=0).max(),
        0,
    )


@experiment(
    title="Gradient flow, gradient descent and momentum",
    source="dynamical paper, appendix K, eqs. (136), (139)–(141)",
    claim="Each full-batch rule is a filter on one two-point function; with label noise the test "
    "loss turns up while the training loss falls.",
    sizes={"M": 4000, "N": 600, "P": 300},
    constants={
        "a": 1.5,
        "b": 1.25,
        "noise": 0.1,
        "rate": 0.4,
        "momentum": 0.8,
        "steps": (3, 10, 30, 100, 1000),
    },
    axes=Axes("time: η × steps, over 1 − μ for momentum", "loss"),
    quick=Budget(0.3, 48, resolution=0.1), thorough=Budget(1.0, 160),
)  # fmt: skip
def training_rules(p: Parameters) -> Items:
    """The same model under three rules, against t = η n (momentum: ηn/(1 − μ)).

    All rules end at the ridgeless loss; small steps are the flow.
    """
    spectrum, steps = task(p.a, p.b, p.M), whole_steps(p.steps)
    times = tuple(p.rate * n for n in p.steps)
    yield over_time("flow", flow(spectrum, p.N, p.P, times, noise=p.noise), times_around(times))
    descent = Cell(spectrum, p.N, p.P, GradientDescent(p.rate), p.steps, noise=p.noise)
    yield over_time("gradient descent", descent, steps, stretch=p.rate)
    yield over_time("gradient descent, training", descent, steps, loss="train_loss", stretch=p.rate)
    heavy = Cell(spectrum, p.N, p.P, HeavyBall(p.rate, p.momentum), p.steps, noise=p.noise)
    yield over_time(f"momentum {p.momentum:g}", heavy, steps, stretch=p.rate / (1 - p.momentum))

    def ends() -> float:
        last = flow(spectrum, p.N, p.P, [1e6 * p.rate], noise=p.noise)
        return (theory(descent, [10**6]).excess_loss / theory(last).excess_loss)[0]

    def order() -> float:
        limit = theory(flow(spectrum, p.N, p.P, [10.0])).excess_loss[0]
        rates = np.array([0.01, 0.005])
        fine = [
            theory(Cell(spectrum, p.N, p.P, GradientDescent(h), (10 / h,))).excess_loss[0]
            for h in rates
        ]
        return log_slope(rates, np.abs(fine - limit))

    yield near("gradient descent/flow after 10⁶ steps", ends, 1, 1e-3)
    yield near("order in η of gradient descent → flow", order, 1, 0.02)


@experiment(
    title="One-pass SGD: width and batch size",
    source="dynamical paper, figure 3, eqs. (16), (142)–(144)",
    claim="On fresh data there is no data bottleneck; the width sets the plateau, and the noise of "
    "the gradient adds a loss ∝ η/B.",
    sizes={"M": 2000, "N": (64, 256, 1024), "width": 256},
    constants={
        "a": 1.5,
        "b": 1.25,
        "rate": 0.4,
        "batch": 32,
        "batches": (8, 128),
        "steps": (3, 10, 30, 100),
    },
    axes=Axes("steps", "loss"),
    quick=Budget(0.5, 20, {"N": (64, 320), "width": 128, "M": 1000}, 0.2),
    thorough=Budget(1.0, 256, resolution=0.1),
)  # fmt: skip
def one_pass_sgd_curves(p: Parameters) -> Items:
    """The noise of the gradient falls as 1/B."""
    spectrum = task(p.a, p.b, p.M)

    def model(n: int, batch: int, steps: tuple[int, ...] = p.steps) -> Cell:
        return one_pass(spectrum, n, steps, p.rate, batch)

    models = [*((n, p.batch) for n in p.N), *((p.width, batch) for batch in p.batches)]
    for n, batch in models:
        yield over_time(f"N = {n}, B = {batch}", model(n, batch), whole_steps(p.steps))
    growing = [f"N = {p.width}, B = {batch}" for n, batch in sorted(models) if n == p.width]

    def power() -> float:
        sizes = np.array([10**4, 2 * 10**4])
        *noisy, limit = (
            theory(model(p.width, int(b), (100,))).excess_loss[0] for b in (*sizes, 10**12)
        )
        return log_slope(sizes, np.array(noisy) - limit)

    yield near("power of B in the noise of the gradient", power, -1, 0.01)
    yield below(
        "largest log-increase with B of the simulated loss after the last step",
        lambda m: np.diff(np.log([m[label].mean[-1] for label in growing])).max(),
        0,
    )


@experiment(
    title="Reuse of data: the gap between training and test loss",
    source="dynamical paper, figure 5, eq. (18), appendix E",
    claim="Training and test loss agree at first; reusing the same samples opens a gap that grows "
    "with time and is smaller for more data.",
    sizes={"M": 4000, "N": 1024, "P": (128, 512)},
    constants={"a": 1.5, "b": 1.25, "noise": 0.0, "times": (1.0, 10.0, 100.0, 1e3, 1e4)},
    axes=TIME_AXES, quick=Budget(0.25, 16, resolution=0.1), thorough=Budget(1.0, 64),
)  # fmt: skip
def train_test_gap(p: Parameters) -> Items:
    """The gap opens with time, closes with P as 1/P, and late training overfits narrow data."""
    spectrum, x, few = task(p.a, p.b, p.M), times_around(p.times), min(p.P)
    for size in p.P:
        cell = flow(spectrum, p.N, size, p.times, noise=p.noise)
        yield over_time(f"P = {size}, test", cell, x)
        yield over_time(f"P = {size}, training", cell, x, loss="train_loss")
    fresh = flow(spectrum, p.N, 10**9, p.times)
    yield Guide("curve", "P = ∞", x, lambda: theory(fresh, x).excess_loss)

    def exponent() -> float:
        sizes = np.array([10**6, 10**7])
        return log_slope(sizes, [theory(flow(spectrum, p.N, s, [10.0])).gap[0] for s in sizes])

    yield above(
        "smallest step of the gap in time",
        lambda: np.diff(theory(flow(spectrum, p.N, few, p.times)).gap).min(),
        0,
    )
    yield near("exponent of P in the gap at t = 10", exponent, -1, 0.01)
    yield above(
        "simulated gap at the last time, relative to the test loss",
        lambda m: 1 - m[f"P = {few}, training"].mean[-1] / m[f"P = {few}, test"].mean[-1],
        0.2,
    )
