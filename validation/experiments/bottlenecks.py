"""Power laws in time, model size, data and compute.

Source: dynamical paper, section 4 and appendices D, J, N; figures 2 and 4; equations (13), (14),
(17), (83), (153)–(156). One law is misprinted there: the exponent in N is min(a − 1, b), not
min(a − 1, 2b), which counts the bias and leaves out the variance of the features; simulation
decides, at the hard-to-miss a = 3.4, b = 1.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from solvable.analytic.loss import static_loss
from solvable.analytic.slopes import log_slope
from solvable.analytic.spectrum import PowerLaw, Spectrum
from solvable.analytic.training.dynamics import dynamics

from ..cells import Cell
from .building_blocks import flow, over_size, over_time, task
from .experiment import Array, Axes, Budget, Guide, Items, Parameters, experiment
from .facts import above, below, near

# ---- early time: 1/N and 1/P -------------------------------------------------------------


def _correction(a: float, narrow: str) -> float:
    """The exponent of the finite-size correction at t = 10."""
    law, sizes = PowerLaw(exponent=1.25, target_exponent=a, size=10**6), np.array([1e5, 2e5])
    base = dynamics(law, math.inf, math.inf, [10.0]).excess_loss
    n, p = (sizes, math.inf) if narrow == "N" else (math.inf, sizes)
    finite = dynamics(law, n, p, [10.0]).excess_loss[:, 0]
    return log_slope(sizes, np.abs(finite - base))


@experiment(
    title="Early in training finite size costs 1/N and 1/P",
    source="dynamical paper, figure 2, eq. (83), appendix D",
    claim="At fixed time the loss approaches that of the infinite model as 1/N (dashed) and as "
    "1/P, whatever the task; the corrections grow with time.",
    sizes={"M": 4000, "N": (32, 64, 128, 256, 512, 1024, 2048), "P": 1000},
    constants={"a": 1.5, "b": 1.25, "times": (10.0, 20.0, 50.0, 100.0)},
    axes=Axes("number of features N", "test loss"),
    quick=Budget(0.25, 10, {"N": (80, 160, 320, 800)}, 0.1), thorough=Budget(1.0, 32),
)  # fmt: skip
def early_time_corrections(p: Parameters) -> Items:
    """The corrections are 1/N and 1/P for an easy and for a hard task, with one coefficient."""
    spectrum, x = task(p.a, p.b, p.M), np.geomspace(min(p.N), max(p.N) * 1.1, 60)
    cells = [flow(spectrum, n, p.P, p.times) for n in p.N]
    curves = dynamics(spectrum, x, p.P, p.times).excess_loss
    far, infinite = dynamics(spectrum, [1e6, math.inf], p.P, p.times).excess_loss

    def curve(index: int) -> tuple[Array, Array]:
        return x, curves[:, index]

    for index, time in enumerate(p.times):
        yield over_size(f"t = {time:g}", p.N, cells, partial(curve, index), index)
        y = infinite[index] + 1e6 * (far - infinite)[index] / x
        yield Guide("curve", "N = ∞ plus c(t)/N" * (not index), x, y)
    for a in (1.5, 3.0):
        for narrow in "NP":
            name = f"exponent of the correction in {narrow}, t = 10, a = {a:g}"
            yield near(name, partial(_correction, a, narrow), -1, 0.01)


# ---- late time: the exponents of the bottlenecks -----------------------------------------


def _static_exponent(a: float, b: float, narrow: str) -> float:
    law, far = PowerLaw(exponent=b, target_exponent=a), np.array([1e6, 1e7])
    sizes = (far, math.inf) if narrow == "N" else (math.inf, far)
    loss = np.asarray(static_loss(law, *sizes).excess_loss)
    if narrow == "P" and math.isclose(a - 1, 2 * b):
        loss = loss / np.log(far)  # two terms of the same power leave a logarithm
    return log_slope(far, loss)


def _time_exponent(a: float, b: float) -> float:
    law, times = PowerLaw(exponent=b, target_exponent=a), np.array([1e7, 1e8])
    return log_slope(times, dynamics(law, math.inf, math.inf, times).excess_loss)


@experiment(
    title="Late in training the exponents depend on the task",
    source="dynamical paper, eqs. (13), (14), (70), (73), (76), appendix J",
    claim="With N the bottleneck the loss falls as N^-min(a−1, b) (in print: 2b), with P as "
    "P^-min(a−1, 2b), with time as t^-(a−1)/b.",
    sizes={"M": 4000, "m": (32, 64, 128, 256)},
    constants={"tasks": ((1.5, 1.25), (3.4, 1.2)), "excess": 8},
    axes=Axes("bottleneck N or P (the other is 8 times larger)", "test loss"),
    quick=Budget(0.25, 12, {"m": (80, 128, 192, 256)}, 0.3),
    thorough=Budget(1.0, 150, resolution=0.1),
)  # fmt: skip
def late_time_exponents(p: Parameters) -> Items:
    """Trained to the end; exponents of infinite models, and one that decides the misprint."""
    x = np.geomspace(min(p.m) * 0.8, max(p.m) * 1.2, 60)

    def sizes(narrow: str, m: Any) -> tuple[Any, Any]:
        return (m, p.excess * m) if narrow == "N" else (p.excess * m, m)

    def loss_at(spectrum: Spectrum, narrow: str) -> tuple[Array, Array]:
        return x, np.asarray(static_loss(spectrum, *sizes(narrow, x)).excess_loss)

    for a, b in p.tasks:
        spectrum = task(a, b, p.M)
        for narrow in "NP":
            cells = [Cell(spectrum, *sizes(narrow, m)) for m in p.m]
            line = partial(loss_at, spectrum, narrow)
            yield over_size(f"against {narrow}, a = {a:g}, b = {b:g}", p.m, cells, line)
    a, b = p.tasks[-1]
    start = float(static_loss(task(a, b, p.M), *sizes("N", p.m[0])).excess_loss)
    for power, label in ((-b, "slope −b"), (-2 * b, "slope −2b")):
        yield Guide("curve", label, x[[0, -1]], start * (x[[0, -1]] / p.m[0]) ** power)
    for a, b in p.tasks:
        of = f"a = {a:g}, b = {b:g}"
        for narrow, exponent in (("N", min(a - 1, b)), ("P", min(a - 1, 2 * b))):
            number = partial(_static_exponent, a, b, narrow)
            yield near(f"exponent of {narrow}, {of}", number, -exponent, 0.02)
        yield near(f"exponent of t, {of}", partial(_time_exponent, a, b), -(a - 1) / b, 0.02)
    yield above(
        f"simulated exponent of N at {of}: not −2b = {-2 * b:g}",
        lambda m: log_slope(m[f"against N, {of}"].x, m[f"against N, {of}"].mean),
        -1.5 * b,
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

    def frontier(self, compute: Array) -> tuple[Array, Array]:
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


@experiment(
    title="Compute-optimal frontier",
    source="dynamical paper, figure 4, eqs. (17), (153)–(156), appendix N",
    claim="At fixed compute C = Nt the best loss falls as C^-r_t r_N/(r_t+r_N); the optimal "
    "width and time are powers of C, and time grows faster.",
    sizes={"M": 4000, "N": (32, 64, 128, 256, 512, 1024), "P": 4096},
    constants={"a": 2.0, "b": 1.5, "times": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)},
    axes=Axes("compute C = N t", "test loss"),
    quick=Budget(0.125, 20, {"N": (160, 320, 640, 1280), "M": 4000}, 0.2),
    thorough=Budget(1.0, 200, spread=0.5, fewest=32),
)  # fmt: skip
def compute_optimal_frontier(p: Parameters) -> Items:
    """Exponents of the exact frontier of the infinite task, and no curve below the frontier."""
    spectrum, line = task(p.a, p.b, p.M), np.geomspace(min(p.times) / 2, max(p.times) * 2, 100)
    # of the simulated models: P samples, widths and times around those simulated
    around = (2, 4 * max(p.N)), (min(p.times) / 4, max(p.times) * 4)
    surface = cache(partial(Surface.of, spectrum, p.P, *around))
    for n in p.N:
        yield over_time(f"N = {n}", flow(spectrum, n, p.P, p.times), line, stretch=n)
    compute = np.geomspace(min(p.N) * min(p.times), max(p.N) * max(p.times) / 2, 40)
    yield Guide("curve", "frontier", compute, lambda: surface().frontier(compute)[0])

    rate_t, rate_n = (p.a - 1) / p.b, min(p.a - 1, p.b)
    budgets = np.array([1e12, 1e14])

    @cache
    def exponents() -> tuple[float, float]:
        law = PowerLaw(exponent=p.b, target_exponent=p.a)
        lowest, best = Surface.of(law, math.inf, (1e3, 1e8), (1e4, 1e10)).frontier(budgets)
        return log_slope(budgets, lowest), log_slope(budgets, best)

    @cache
    def bound(width: int) -> Array:
        return surface().frontier(width * np.array(p.times))[0]

    yield near(
        "exponent of N⋆ in compute", lambda: exponents()[1], rate_t / (rate_t + rate_n), 0.02
    )
    yield near(
        "exponent of the loss in compute",
        lambda: exponents()[0],
        -rate_t * rate_n / (rate_t + rate_n),
        0.02,
    )
    yield above(
        "lowest simulated loss relative to the frontier",
        lambda m: min(np.min(m[f"N = {n}"].mean / bound(n)) for n in p.N),
        0.95,
    )
    name = "exponent of N⋆ minus exponent of t⋆: t grows faster"
    yield below(name, lambda: 2 * exponents()[1] - 1, 0)
