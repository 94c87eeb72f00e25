"""Loss against training time: flow, gradient descent, momentum, one-pass SGD, and reused data.

Source: dynamical paper, sections 3, 4 and appendices E and K; figures 2, 3 and 5; equations (9),
(18), (136), (139)–(144). Theory is the two-point function seen through the rule's filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from solvable.analytic.learners import GradientDescent, HeavyBall

from ..cells import Cell
from .dynamic import TIME_AXES, Sheet, flow, one_pass, task, theory
from .experiment import (
    Axes,
    Budget,
    Experiment,
    Fact,
    Guide,
    Measured,
    Parameters,
    Plan,
    above,
    below,
    near,
)

OVERFITTING = 100.0  # time until which wider is better in every model here


def _line(times: tuple[float, ...]) -> np.ndarray:
    return np.geomspace(min(times) / 2, max(times) * 1.5, 120)


def _steps(steps: tuple[int, ...]) -> np.ndarray:
    return np.unique(np.rint(np.geomspace(min(steps), max(steps), 60)))


# ---- gradient flow at several widths -----------------------------------------------------


def _flow(p: Parameters) -> Plan:
    sheet, spectrum = Sheet.empty(), task(p.a, p.b, p.M)
    for n in p.N:
        sheet.curve(f"N = {n}", flow(spectrum, n, p.P, p.times), line=_line(p.times))
    wide = flow(spectrum, 10**9, p.P, p.times)
    x = _line(p.times)
    guide = Guide("curve", "N = ∞", x, theory(wide, x).excess_loss)
    return Plan(sheet.cells, tuple(sheet.series), partial(_flow_facts, p), (guide,))


def _flow_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """Wider is better as long as no model overfits."""
    means = np.array([m.mean[m.x <= OVERFITTING] for m in measured.values()])
    steps = np.diff(np.log(means), axis=0)
    name = f"largest log-increase of the simulated loss with width, t ≤ {OVERFITTING:g}"
    return [below(name, float(steps.max()), 0)]


FLOW = Experiment(
    name="flow-curves",
    title="Gradient flow at several widths",
    source="dynamical paper, figure 2, eqs. (7), (9), (35)",
    claim="Losses of narrow models follow those of wide ones and then stop at a plateau: larger "
    "models train faster. Where N is not far from P, long training overfits.",
    sizes={"M": 4000, "N": (32, 128, 512, 2048), "P": 1000},
    constants={"a": 1.5, "b": 1.25, "times": (1.0, 10.0, 100.0, 1e3, 1e4)},
    axes=TIME_AXES,
    build=_flow,
    quick=Budget(0.25, 10, {"N": (80, 200, 640)}, 0.1),
    thorough=Budget(1.0, 32),
)

# ---- the full-batch rules side by side ---------------------------------------------------


def _rules(p: Parameters) -> Plan:
    """The same model under three rules, against t = η n (momentum: ηn/(1 − μ))."""
    sheet, spectrum = Sheet.empty(), task(p.a, p.b, p.M)
    times = tuple(p.rate * n for n in p.steps)
    sheet.curve("flow", flow(spectrum, p.N, p.P, times, noise=p.noise), line=_line(times))
    steps = _steps(p.steps)
    for label, rule, stretch in (
        ("gradient descent", GradientDescent(p.rate), p.rate),
        (f"momentum {p.momentum:g}", HeavyBall(p.rate, p.momentum),
         p.rate / (1 - p.momentum)),
    ):  # fmt: skip
        cell = Cell(spectrum, p.N, p.P, rule, p.steps, noise=p.noise)
        sheet.curve(label, cell, line=steps, stretch=stretch)
        if label == "gradient descent":
            sheet.curve(f"{label}, training", cell, loss="train_loss", line=steps, stretch=stretch)
    return Plan(sheet.cells, tuple(sheet.series), partial(_rules_facts, p))


def _rules_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """All rules end at the ridgeless loss; small steps are the flow."""
    spectrum = task(p.a, p.b, p.M)
    last = 10**6
    ends = [
        float(theory(cell).excess_loss[0])
        for cell in (
            flow(spectrum, p.N, p.P, [last * p.rate], noise=p.noise),
            Cell(spectrum, p.N, p.P, GradientDescent(p.rate), (last,), noise=p.noise),
        )
    ]
    fine = [
        float(theory(Cell(spectrum, p.N, p.P, GradientDescent(h), (10 / h,))).excess_loss[0])
        for h in (0.01, 0.005)
    ]
    limit = float(theory(flow(spectrum, p.N, p.P, [10.0])).excess_loss[0])
    order = np.log2((fine[0] - limit) / (fine[1] - limit))
    return [
        near("gradient descent/flow after 10⁶ steps", ends[1] / ends[0], 1, 1e-3),
        near("order in η of gradient descent → flow", float(order), 1, 0.02),
    ]


RULES = Experiment(
    name="training-rules",
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
    build=_rules,
    quick=Budget(0.3, 32, resolution=0.1),
    thorough=Budget(1.0, 64),
)

# ---- one-pass SGD ------------------------------------------------------------------------


def _sgd(p: Parameters) -> Plan:
    sheet, spectrum, steps = Sheet.empty(), task(p.a, p.b, p.M), _steps(p.steps)
    for n in p.N:
        cell = one_pass(spectrum, n, p.steps, p.rate, p.batch)
        sheet.curve(f"N = {n}, B = {p.batch}", cell, line=steps)
    for batch in p.batches:
        cell = one_pass(spectrum, p.width, p.steps, p.rate, batch)
        sheet.curve(f"N = {p.width}, B = {batch}", cell, line=steps)
    return Plan(sheet.cells, tuple(sheet.series), partial(_sgd_facts, p))


def _sgd_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """The noise of the gradient falls as 1/B."""
    spectrum, steps = task(p.a, p.b, p.M), (100,)
    limit = theory(one_pass(spectrum, p.width, steps, p.rate, 10**12)).excess_loss[0]
    sizes = (10**4, 2 * 10**4)
    excess = [
        theory(one_pass(spectrum, p.width, steps, p.rate, b)).excess_loss[0] - limit for b in sizes
    ]
    means = [m.mean[-1] for label, m in measured.items() if f"N = {p.width}," in label]
    return [
        near(
            "power of B in the noise of the gradient",
            float(np.log2(excess[1] / excess[0])),
            -1,
            0.01,
        ),
        below(
            "largest log-increase with B of the simulated loss after the last step",
            float(np.diff(np.log(means)).max()),
            0,
        ),
    ]


SGD = Experiment(
    name="one-pass-sgd-curves",
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
    build=_sgd,
    quick=Budget(0.5, 20, {"N": (64, 320), "width": 128, "M": 1000}, 0.2),
    thorough=Budget(1.0, 256, resolution=0.1),
)

# ---- train–test gap ----------------------------------------------------------------------


def _gap(p: Parameters) -> Plan:
    sheet, spectrum = Sheet.empty(), task(p.a, p.b, p.M)
    for n, size in ((p.N, p.P), (p.N, p.more)):
        cell = flow(spectrum, n, size, p.times, noise=p.noise)
        for loss, words in (("excess_loss", "test"), ("train_loss", "training")):
            sheet.curve(f"P = {size}, {words}", cell, loss=loss, line=_line(p.times))
    x = _line(p.times)
    fresh = flow(spectrum, p.N, 10**9, p.times)
    guide = Guide("curve", "P = ∞", x, theory(fresh, x).excess_loss)
    return Plan(sheet.cells, tuple(sheet.series), partial(_gap_facts, p), (guide,))


def _gap_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """The gap opens with time, closes with P as 1/P, and late training overfits narrow data."""
    spectrum = task(p.a, p.b, p.M)
    few = theory(flow(spectrum, p.N, p.P, p.times))
    early = [theory(flow(spectrum, p.N, size, [10.0])).gap[0] for size in (10**6, 10**7)]
    test, train = (measured[f"P = {p.P}, {words}"].mean for words in ("test", "training"))
    return [
        above("smallest step of the gap in time", float(np.diff(few.gap).min()), 0),
        near("exponent of P in the gap at t = 10", float(np.log10(early[1] / early[0])), -1, 0.01),
        above(
            "simulated gap at the last time, relative to the test loss",
            float(1 - train[-1] / test[-1]),
            0.2,
        ),
    ]


GAP = Experiment(
    name="train-test-gap",
    title="Reuse of data: the gap between training and test loss",
    source="dynamical paper, figure 5, eq. (18), appendix E",
    claim="Training and test loss agree at first; reusing the same samples opens a gap that grows "
    "with time and is smaller for more data.",
    sizes={"M": 4000, "N": 1024, "P": 128, "more": 512},
    constants={"a": 1.5, "b": 1.25, "noise": 0.0, "times": (1.0, 10.0, 100.0, 1e3, 1e4)},
    axes=TIME_AXES,
    build=_gap,
    quick=Budget(0.25, 16, resolution=0.1),
    thorough=Budget(1.0, 64),
)

EXPERIMENTS = (FLOW, RULES, SGD, GAP)
