"""Stochastic gradient descent at any batch size, on fresh and on reused samples, and its schedules.

Source: dynamical paper, eqs. (16), (142)–(144), with the whole Gaussian fourth moment, and
arXiv:2405.15074. Steps stay below half of the critical one, where the mean loss is typical.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import brentq

from solvable.analytic.spectrum import ExponentialDecay, PowerLaw, Spectrum
from solvable.analytic.training.learners import GradientDescent, MinibatchSGD, OnePassSGD

from ..cells import UNLIMITED, Cell
from ..typical import TYPICAL
from .building_blocks import over_time, task, theory, whole_steps
from .experiment import Axes, Budget, Curve, Items, Mark, Parameters, experiment
from .facts import Measured, above, below, near

STEPS_AXES = Axes("steps", "loss")
SHARE = 0.3  # of the critical step
SLOW = 0.1  # decay of an exponential spectrum from mode to mode, at any size
DECAYS = 8.0  # of an exponential spectrum: −ln of its last eigenvalue, as its modes are more


def _spectra(size: int) -> dict[str, Spectrum]:
    """Three kinds: a heavy tail, a summable one with a hard target, and an exponential one."""
    return {
        "b = 1.25, a = 1.5": task(1.5, 1.25, size),
        "b = 2, a = 1.8": task(1.8, 2.0, size),
        "exponential": ExponentialDecay(rate=DECAYS / size, size=size),  # the same at any size
    }


def _fresh(
    spectrum: Spectrum, width: int, size: int, steps: tuple[int, ...], batch: int,
    share: float = SHARE,
) -> Cell:  # fmt: skip
    """One-pass SGD at a share of its critical step; ``size`` says how often it is repeated."""
    n = math.inf if width >= UNLIMITED else float(width)
    step = share * OnePassSGD(1.0, batch).critical_step(spectrum, n, math.inf)
    rule = OnePassSGD(float(f"{step:.2g}"), batch)
    return Cell(spectrum, width, size, rule, steps, targets="fixed")


def _medians(label: str, cell: Cell) -> Curve:
    """The median over the runs of a cell, beside the mean of the theory."""
    names = [name.replace("excess", "median") for name in cell.observables()]
    why = "a median over runs, for a fact"
    marks = zip(cell.at, names, theory(cell).excess_loss)
    return Curve(label, tuple(
        Mark(t, cell, name, float(value), untested=why) for t, name, value in marks
    ), shown=False)  # fmt: skip


def _skew(label: str, measured: Mapping[str, Measured]) -> float:
    """The largest mean over median of single runs."""
    return float(np.max(measured[label].theory / measured[label].mean))


@experiment(
    title="One-pass SGD is exact at every batch size",
    source="dynamical paper, eq. (16) with the whole fourth moment; arXiv:2405.15074",
    claim="The mean loss on fresh Gaussian samples is a quotient of generating functions at every "
    "batch, width and spectrum; where few modes lead, rare runs carry it near the critical step.",
    sizes={"M": 160, "N": 128},
    constants={"batches": (1, 2, 8, 32), "steps": (4, 20, 60), "shares": (SHARE, 0.9)},
    axes=STEPS_AXES, quick=Budget(0.25, 4, resolution=0.08),
    thorough=Budget(1.0, 300, resolution=0.02),
    simulate="solvable.validation.replicas:simulate_replicas",
)  # fmt: skip
def sgd_at_every_batch(p: Parameters) -> Items:
    """Three spectra, four batches, narrow and unlimited width; the mean is typical where tested."""
    for name, spectrum in _spectra(p.M).items():
        for width in (p.N, UNLIMITED):
            for batch in p.batches:
                cell = _fresh(spectrum, width, p.N, p.steps, batch)
                size = "∞" if width == UNLIMITED else str(width)
                label = f"{name}, N = {size}, B = {batch}"
                yield over_time(label, cell, whole_steps(p.steps, 40), panel=name)
        if not isinstance(spectrum, PowerLaw):
            spectrum = ExponentialDecay(rate=SLOW, size=p.M)  # in which none leads
        for share in p.shares:
            heavy = share > SHARE and isinstance(spectrum, PowerLaw)  # a few modes lead
            fact = above if heavy else below
            label = f"{name}, B = 1 at {share:g} of the critical step"
            yield _medians(label, _fresh(spectrum, UNLIMITED, p.N, p.steps, 1, share))
            yield fact(f"mean over median of runs: {label}", partial(_skew, label), TYPICAL)
        for batch in p.batches:
            text = f"{name}: critical step at B = {batch} over that of the exact recursion"
            yield near(text, partial(_critical_ratio, spectrum, batch), 1, 1e-10)


def _critical_ratio(spectrum: Spectrum, batch: int) -> float:
    """N = ∞: the edge by the resolvent, and where the matrix of one step has the eigenvalue 1."""
    found = OnePassSGD(1.0, batch).critical_step(spectrum, math.inf, math.inf)
    x = spectrum.eigenvalues()

    def largest(step: float) -> float:
        one = np.diag((1 - step * x) ** 2 + step**2 * x**2 / batch)
        return float(
            np.abs(np.linalg.eigvals(one + np.outer(step**2 * x**2 / batch, 1 + 0 * x))).max()
        )

    return found / brentq(
        lambda step: largest(step) - 1, found / 2, 2 * found, xtol=1e-15, rtol=1e-14
    )


@experiment(
    title="Minibatches of samples that are used again",
    source="dynamical paper, eq. (16), to reused samples; arXiv:2405.15074",
    claim="Test and training loss of minibatch SGD on T samples, with and without replacement; all "
    "samples in a batch are gradient descent, unlimited samples are one pass.",
    sizes={"M": 400, "N": 80, "T": (80, 200)},
    constants={"batches": (1, 4, 16), "rate": 0.12, "steps": (5, 25, 100), "noise": 0.1},
    axes=STEPS_AXES, quick=Budget(0.5, 15, resolution=0.4),
    thorough=Budget(1.0, 3200, resolution=0.03),
)  # fmt: skip
def minibatches_of_reused_samples(p: Parameters) -> Items:
    """A grid of batches, samples and times."""
    spectrum = task(1.6, 1.3, p.M)

    def model(samples: int, rule: Any) -> Cell:
        return Cell(spectrum, p.N, samples, rule, p.steps, noise=p.noise, targets=8)

    line = whole_steps(p.steps, 40)
    for samples in p.T:
        panel = f"T = {samples}"
        for batch in p.batches:
            for again in (False, True) if batch == p.batches[1] else (False,):
                cell = model(samples, MinibatchSGD(p.rate, batch, replacement=again))
                label = f"{panel}, B = {batch}" + (", replaced" if again else "")
                yield over_time(f"{label}, test", cell, line, panel=panel)
                yield over_time(f"{label}, training", cell, line, loss="train_loss", panel=panel)

    def whole() -> float:
        found = theory(model(p.T[0], MinibatchSGD(p.rate, p.T[0])))
        descent = Cell(spectrum, p.N, p.T[0], GradientDescent(p.rate), p.steps, noise=p.noise)
        return float(np.abs(found.excess_loss / theory(descent).excess_loss - 1).max())

    def plenty() -> float:
        found = theory(model(10**15, MinibatchSGD(p.rate, 4)))
        fresh = Cell(spectrum, p.N, p.N, OnePassSGD(p.rate, 4), p.steps, noise=p.noise, targets=8)
        return float(np.abs(found.excess_loss / theory(fresh).excess_loss - 1).max())

    yield below("relative distance of B = T from gradient descent", whole, 1e-9)
    yield below("relative distance of T = 10¹⁵ from one pass", plenty, 1e-9)


@experiment(
    title="Epochs that are reshuffled",
    source="this package, from dynamical paper, eqs. (30)–(33)",
    claim="Samples used once in an epoch, in a new order for each, have a mean field of their own, "
    "with less noise than batches drawn anew: it is gradient descent where the batch is all "
    "samples and one pass in the first epoch.",
    sizes={"M": 150, "N": 80, "T": 120},
    constants={"lengths": (10, 5), "rate": 0.3, "epochs": (1, 2, 4), "noise": 0.1},
    axes=STEPS_AXES,
    quick=Budget(0.5, 15, resolution=0.25), thorough=Budget(1.0, 1500, resolution=0.03),
)  # fmt: skip
def reshuffled_epochs(p: Parameters) -> Items:
    """Two batches, test and training loss; what drawing anew would cost."""
    spectrum = task(1.6, 1.3, p.M)

    def model(batch: int, reshuffled: bool = True, samples: int = p.T) -> Cell:
        rule = MinibatchSGD(p.rate, batch, reshuffled=reshuffled)
        length = p.T // batch
        steps = (max(1, length // 2), *(length * epoch for epoch in p.epochs))
        return Cell(spectrum, p.N, samples, rule, steps, noise=p.noise, targets=8)

    def cost(batch: int) -> float:
        once, anew = (theory(model(batch, again)).excess_loss for again in (True, False))
        return float(anew[-1] / once[-1] - 1)

    batches = [p.T // length for length in p.lengths]
    for batch in batches:
        cell = model(batch)
        line = np.arange(1, cell.at[-1] + 1)
        yield over_time(f"B = {batch}, test", cell, line)
        yield over_time(f"B = {batch}, training", cell, line, loss="train_loss")
        yield above(f"what drawing batches of {batch} anew adds to the test loss",
                    partial(cost, batch), 0.005)  # fmt: skip

    def whole() -> float:
        found = theory(model(p.T))
        descent = replace(model(p.T), learner=GradientDescent(p.rate), targets="average")
        return float(np.abs(found.excess_loss / theory(descent).excess_loss - 1).max())

    def plenty() -> float:
        batch = batches[0]
        found = theory(model(batch, samples=batch * 10**12))
        fresh = replace(model(batch), learner=OnePassSGD(p.rate, batch))
        return float(np.abs(found.excess_loss / theory(fresh).excess_loss - 1).max())

    yield below("relative distance of B = T from gradient descent", whole, 1e-9)
    yield below("relative distance of unlimited samples from one pass", plenty, 1e-9)


SCHEDULED: dict[str, dict[str, Any]] = {
    "cosine": {"schedule": "cosine"},
    "warm-up, stable, decay": {"schedule": "wsd:warmup=0.1,decay=0.3"},
    "growing batch": {"batch_schedule": "steps:parts=3,factor=2"},
    "momentum 0.6": {"momentum": 0.6},
    "momentum 0.6, cosine": {"momentum": 0.6, "schedule": "cosine"},
    "dimension-adapted momentum": {"pull": 0.03, "forgetting": 4.0},
    "weight decay": {"decay": 0.1},
    "average of the last half": {"average": "tail:start=0.5"},
    "preconditioned": {"preconditioner": -0.2},
}


@experiment(
    title="Schedules, momentum, decay, averages and preconditioning of SGD",
    source="this package, from dynamical paper, eq. (16); Polyak 1964; arXiv:2505.16098",
    claim="What changes from step to step, and what a rule remembers, only changes the matrix of "
    "a step: the same theory holds on fresh samples and on samples that are used again.",
    sizes={"M": 400, "N": 80, "T": 120},
    constants={"batch": 4, "rate": 0.1, "steps": (8, 40, 80), "noise": 0.1}, axes=STEPS_AXES,
    quick=Budget(0.5, 12, resolution=0.35), thorough=Budget(1.0, 2000, resolution=0.03),
)  # fmt: skip
def sgd_schedules_and_memory(p: Parameters) -> Items:
    """Nine rules, in one pass and on T samples."""
    spectrum = task(1.6, 1.3, p.M)
    last = p.steps[-1]
    for name, options in SCHEDULED.items():
        rule = OnePassSGD(p.rate, p.batch, steps=last, **options)
        cell = Cell(spectrum, p.N, p.N, rule, p.steps, noise=p.noise, targets=8)
        panel = "fresh samples"
        yield over_time(f"{panel}, {name}", cell, whole_steps(p.steps, 40), panel=panel)
        if "pull" in options:  # its theory grows with the square of the steps on reused samples
            continue
        again, panel = MinibatchSGD(p.rate, p.batch, steps=last, **options), "reused samples"
        cell = Cell(spectrum, p.N, p.T, again, p.steps, noise=p.noise, targets=8)
        yield over_time(f"{panel}, {name}", cell, np.array(p.steps), panel=panel)


@experiment(
    title="The critical step is the edge of the mean field",
    source="dynamical paper, appendix K; this package",
    claim="Models of infinite size go from none to all diverging at 2/λ_max; of finite ones some "
    "diverge below it and some train above, within a window that narrows with the size.",
    sizes={"M": 600, "N": 120, "T": 180},
    constants={"a": 1.5, "b": 1.25, "shares": (0.6, 1.0, 1.4, 2.2)},
    axes=Axes("step size over the critical one", "fraction that diverges", "linear", "linear"),
    quick=Budget(1.0, 80), thorough=Budget(2.0, 400),
    simulate="solvable.validation.typical:simulate_edge",
)  # fmt: skip
def probability_of_divergence(p: Parameters) -> Items:
    """The fraction of drawn models that diverge at steps around the critical one."""
    spectrum = task(p.a, p.b, p.M)
    for name, shrink in (("whole size", 1), ("a quarter", 4)):
        n, t = p.N // shrink, p.T // shrink
        critical = GradientDescent(1.0).critical_step(spectrum, float(n), float(t))
        cells = [Cell(spectrum, n, t, GradientDescent(x * critical), (1,)) for x in p.shares]
        yield Curve(name, tuple(
            Mark(share, cell, "diverges", float(share > 1), untested="a probability, not a loss")
            for share, cell in zip(p.shares, cells)
        ))  # fmt: skip
    whole = "whole size"
    yield below("fraction that diverges at 0.6 of it", lambda m: m[whole].mean[0], 0.2)
    yield above("fraction that diverges at 2.2 of it", lambda m: m[whole].mean[-1], 0.8)
    yield above(
        "rise of that fraction at 1.4 of it from a quarter of the sizes to all",
        lambda m: m[whole].mean[2] - m["a quarter"].mean[2],
        0,
    )
