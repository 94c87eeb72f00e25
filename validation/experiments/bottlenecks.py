"""Power laws in time, model size, data and compute.

Source: dynamical paper, section 4 and appendices D, J, N; figures 2 and 4; equations (13), (14),
(17), (83), (153)–(156). One law is misprinted there: the exponent in N is min(a − 1, b), not
min(a − 1, 2b), which counts the bias and leaves out the variance of the features; simulation
decides, at the hard-to-miss a = 3.4, b = 1.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from solvable.analytic.dynamics import dynamics
from solvable.analytic.loss import static_loss
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import PowerLaw

from ..cells import Cell
from .dynamic import SMALLEST, Sheet, flow, task
from .experiment import (
    Axes,
    Budget,
    Experiment,
    Fact,
    Guide,
    Measured,
    Parameters,
    Plan,
    Point,
    Series,
    above,
    below,
    near,
)

# ---- early time: 1/N and 1/P -------------------------------------------------------------


def _early(p: Parameters) -> Plan:
    sheet, spectrum = Sheet.empty(), task(p.a, p.b, p.M)
    guides, x = [], np.geomspace(min(p.N), max(p.N) * 1.1, 60)
    curves = dynamics(spectrum, x, p.P, p.times).excess_loss
    limits = dynamics(spectrum, [1e6, math.inf], p.P, p.times).excess_loss
    for index, time in enumerate(p.times):
        cells = [flow(spectrum, n, p.P, p.times) for n in p.N]
        sheet.against_size(f"t = {time:g}", p.N, cells, index, (x, curves[:, index]))
        coefficient = 1e6 * (limits[0, index] - limits[1, index])
        label = "N = ∞ plus c(t)/N" if not index else ""
        guides.append(Guide("curve", label, x, limits[1, index] + coefficient / x))
    return Plan(sheet.cells, tuple(sheet.series), _early_facts, tuple(guides))


def _early_facts(measured: Mapping[str, Measured]) -> list[Fact]:
    """The corrections are 1/N and 1/P for an easy and for a hard task, with one coefficient."""
    facts = []
    for a in (1.5, 3.0):
        law = PowerLaw(exponent=1.25, target_exponent=a, size=10**6)
        sizes = np.array([1e5, 2e5])
        base = dynamics(law, math.inf, math.inf, [10.0]).excess_loss
        in_n = dynamics(law, sizes, math.inf, [10.0]).excess_loss[:, 0] - base
        in_p = dynamics(law, math.inf, sizes, [10.0]).excess_loss[:, 0] - base
        facts += [
            near(
                f"exponent of the correction in N, t = 10, a = {a:g}",
                log_slope(sizes, np.abs(in_n)),
                -1,
                0.01,
            ),
            near(
                f"exponent of the correction in P, t = 10, a = {a:g}",
                log_slope(sizes, np.abs(in_p)),
                -1,
                0.01,
            ),
        ]
    return facts


EARLY = Experiment(
    name="early-time-corrections",
    title="Early in training finite size costs 1/N and 1/P",
    source="dynamical paper, figure 2, eq. (83), appendix D",
    claim="At fixed time the loss approaches that of the infinite model as 1/N (dashed) and as "
    "1/P, whatever the task; the corrections grow with time.",
    sizes={"M": 4000, "N": (32, 64, 128, 256, 512, 1024, 2048), "P": 1000},
    constants={"a": 1.5, "b": 1.25, "times": (10.0, 20.0, 50.0, 100.0)},
    axes=Axes("number of features N", "test loss"),
    build=_early,
    quick=Budget(0.25, 10, {"N": (80, 160, 320, 800)}, 0.1),
    thorough=Budget(1.0, 32),
)

# ---- late time: the exponents of the bottlenecks -----------------------------------------


def _late_series(p: Parameters, a: float, b: float, narrow: str, cells: list[Cell]) -> Series:
    """Trained to the end, N or P the bottleneck and the other ``p.excess`` times as large."""
    spectrum = task(a, b, p.M)

    def sizes(m: Any) -> tuple[Any, Any]:
        return (m, p.excess * m) if narrow == "N" else (p.excess * m, m)

    points = []
    for m in p.m:
        n, size = (int(v) for v in sizes(m))
        cell = Cell(spectrum, n, size)
        value = float(static_loss(spectrum, n, size).excess_loss)
        points.append(Point(m, len(cells), cell.observables()[0], value, m >= SMALLEST))
        cells.append(cell)
    x = np.geomspace(min(p.m) * 0.8, max(p.m) * 1.2, 60)
    label = f"against {narrow}, a = {a:g}, b = {b:g}"
    line = np.asarray(static_loss(spectrum, *sizes(x)).excess_loss)
    return Series(label, tuple(points), (x, line))


def _late(p: Parameters) -> Plan:
    cells: list[Cell] = []
    series = tuple(
        _late_series(p, a, b, narrow, cells) for a, b in p.tasks for narrow in ("N", "P")
    )
    guides, x = [], np.array([min(p.m) * 0.8, max(p.m) * 1.2], float)
    _, b = p.tasks[-1]
    start = series[-2].points[0].theory
    for power, label in ((-b, "slope −b"), (-2 * b, "slope −2b")):
        guides.append(Guide("curve", label, x, start * (x / p.m[0]) ** power))
    return Plan(cells, series, partial(_late_facts, p), tuple(guides))


def _late_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """Exponents of infinite models, and the simulated one that decides about the misprint."""
    facts = []
    far = np.array([1e6, 1e7])
    for a, b in p.tasks:
        law = PowerLaw(exponent=b, target_exponent=a)
        for narrow, exponent in (("N", min(a - 1, b)), ("P", min(a - 1, 2 * b))):
            sizes = (far, math.inf) if narrow == "N" else (math.inf, far)
            loss = np.asarray(static_loss(law, *sizes).excess_loss)
            if narrow == "P" and math.isclose(a - 1, 2 * b):
                loss = loss / np.log(far)  # two terms of the same power leave a logarithm
            slope = log_slope(far, loss)
            name = f"exponent of {narrow}, a = {a:g}, b = {b:g}"
            facts.append(near(name, slope, -exponent, 0.02))
        times = np.array([1e7, 1e8])
        slope = log_slope(times, dynamics(law, math.inf, math.inf, times).excess_loss)
        facts.append(near(f"exponent of t, a = {a:g}, b = {b:g}", slope, -(a - 1) / b, 0.02))
    a, b = p.tasks[-1]
    hard = measured[f"against N, a = {a:g}, b = {b:g}"]
    facts.append(
        above(
            f"simulated exponent of N at a = {a:g}, b = {b:g}: not −2b = {-2 * b:g}",
            log_slope(hard.x, hard.mean),
            -1.5 * b,
        )
    )
    return facts


LATE = Experiment(
    name="late-time-exponents",
    title="Late in training the exponents depend on the task",
    source="dynamical paper, eqs. (13), (14), (70), (73), (76), appendix J",
    claim="With N the bottleneck the loss falls as N^-min(a−1, b) (in print: 2b), with P as "
    "P^-min(a−1, 2b), with time as t^-(a−1)/b.",
    sizes={"M": 4000, "m": (32, 64, 128, 256)},
    constants={"tasks": ((1.5, 1.25), (3.4, 1.2)), "excess": 8},
    axes=Axes("bottleneck N or P (the other is 8 times larger)", "test loss"),
    build=_late,
    quick=Budget(0.25, 12, {"m": (80, 128, 192, 256)}, 0.3),
    thorough=Budget(1.0, 400, resolution=0.1),
)

# ---- the compute-optimal frontier --------------------------------------------------------


@dataclass(frozen=True)
class Surface:
    """log loss of gradient flow over (log N, log t), interpolated from a grid.

    >>> surface = Surface.of(PowerLaw(exponent=1.5, target_exponent=2, size=50), 9, (4, 40), (1, 9))
    >>> loss, width = surface.frontier(np.array([100.0]))
    >>> bool(4 < width[0] < 40)
    True
    """

    spline: Any
    widths: tuple[float, float]
    times: tuple[float, float]

    @classmethod
    def of(
        cls, law: Any, samples: float, widths: tuple[float, float], times: tuple[float, float],
        count: int = 40,
    ) -> Surface:  # fmt: skip
        """Compute the grid; ``samples`` may be infinite."""
        from scipy.interpolate import RectBivariateSpline

        n, t = np.geomspace(*widths, count), np.geomspace(*times, count)
        loss = dynamics(law, n, samples, t).excess_loss
        return cls(RectBivariateSpline(np.log(n), np.log(t), np.log(loss)), widths, times)

    def frontier(self, compute: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lowest loss over N at compute C = N t, and the N that reaches it."""
        lowest, best = [], []
        for c in compute:
            low = max(self.widths[0], c / self.times[1])
            high = min(self.widths[1], c / self.times[0])
            n = np.linspace(np.log(low), np.log(high), 4001)
            loss = self.spline.ev(n, np.log(c) - n)
            lowest.append(np.exp(loss.min()))
            best.append(np.exp(n[loss.argmin()]))
        return np.array(lowest), np.array(best)


def _surface(p: Parameters) -> Surface:
    """Of the simulated models: P samples, widths and times around those simulated."""
    spectrum = task(p.a, p.b, p.M)
    return Surface.of(spectrum, p.P, (2, 4 * max(p.N)), (min(p.times) / 4, max(p.times) * 4))


def _compute(p: Parameters) -> Plan:
    sheet, spectrum = Sheet.empty(), task(p.a, p.b, p.M)
    line = np.geomspace(min(p.times) / 2, max(p.times) * 2, 100)
    for n in p.N:
        sheet.curve(f"N = {n}", flow(spectrum, n, p.P, p.times), line=line, stretch=n)
    compute = np.geomspace(min(p.N) * min(p.times), max(p.N) * max(p.times) / 2, 40)
    guide = Guide("curve", "frontier", compute, _surface(p).frontier(compute)[0])
    return Plan(sheet.cells, tuple(sheet.series), partial(_compute_facts, p), (guide,))


def _compute_facts(p: Parameters, measured: Mapping[str, Measured]) -> list[Fact]:
    """Exponents of the exact frontier of the infinite task, and no curve below the frontier."""
    rate_t, rate_n = (p.a - 1) / p.b, min(p.a - 1, p.b)
    law = PowerLaw(exponent=p.b, target_exponent=p.a)
    compute = np.array([1e12, 1e14])
    lowest, best = Surface.of(law, math.inf, (1e3, 1e8), (1e4, 1e10)).frontier(compute)
    surface = _surface(p)
    margins = [float(np.min(m.mean / surface.frontier(m.x)[0])) for m in measured.values()]
    return [
        near(
            "exponent of N⋆ in compute", log_slope(compute, best), rate_t / (rate_t + rate_n), 0.02
        ),
        near(
            "exponent of the loss in compute",
            log_slope(compute, lowest),
            -rate_t * rate_n / (rate_t + rate_n),
            0.02,
        ),
        above("lowest simulated loss relative to the frontier", min(margins), 0.95),
        below(
            "exponent of N⋆ minus exponent of t⋆: t grows faster",
            2 * log_slope(compute, best) - 1,
            0,
        ),
    ]


COMPUTE = Experiment(
    name="compute-optimal-frontier",
    title="Compute-optimal frontier",
    source="dynamical paper, figure 4, eqs. (17), (153)–(156), appendix N",
    claim="At fixed compute C = Nt the best loss falls as C^-r_t r_N/(r_t+r_N); the optimal "
    "width and time are powers of C, and time grows faster.",
    sizes={"M": 4000, "N": (32, 64, 128, 256, 512, 1024), "P": 4096},
    constants={"a": 2.0, "b": 1.5, "times": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)},
    axes=Axes("compute C = N t", "test loss"),
    build=_compute,
    quick=Budget(0.125, 20, {"N": (160, 320, 640, 1280), "M": 4000}, 0.1),
    thorough=Budget(1.0, 32),
)

EXPERIMENTS = (EARLY, LATE, COMPUTE)
