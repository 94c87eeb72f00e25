"""Experiments whose truth is known: repetitions are drawn around a value that depends on the scale.

A cell's mean is true (1 + c/s) with relative spread ``spread``; theory says ``claimed``.
"""

import dataclasses
import math

import numpy as np

from solvable.validation.experiments.experiment import Axes, Budget, Curve, Experiment, Guide, Mark
from solvable.validation.experiments.facts import above, near


@dataclasses.dataclass(frozen=True)
class Cell:
    x: float
    scale: float
    true: float = 1.0
    bias: float = 0.5
    spread: float = 0.05
    broken: bool = False


def simulate(cell, seed):
    if cell.broken:
        raise FloatingPointError("this cell is broken")
    generator = np.random.default_rng(seed)
    mean = cell.true * cell.x**-0.5 * (1 + cell.bias / (20 * cell.scale))
    value = mean * (1 + cell.spread * generator.standard_normal())
    return {"early": value}


def build(p):
    early, late = [], []
    for x in p.x:
        cell = Cell(float(x), p.scale, p.true, p.bias, p.spread, x in p.broken)
        early.append(Mark(x, cell, "early", p.claimed * x**-0.5))
        late.append(Mark(x, cell, "early", p.claimed * x**-0.5 / 2, factor=0.5))
    pole = Mark(2.0 * max(p.x), early[0].cell, "early", math.inf, untested="a pole")
    line = np.geomspace(min(p.x), max(p.x), 30)
    yield Curve(
        "early <b>&amp;</b> | N = 1", (*early, pole), lambda: (line, p.claimed * line**-0.5)
    )
    yield Curve("late", tuple(late))
    yield Guide("vertical", "N = T", 10.0)
    yield Guide("star", "a star", 5.0, 0.5)
    yield Guide("curve", "a fit", line, 1.1 * line**-0.5)
    yield above("first simulated value", lambda m: m["late"].mean[0], p.least)
    yield near("a number of the theory", lambda: p.claimed, p.claimed, 0.1)


def experiment(name="synthetic", **constants):
    defaults = {
        "true": 1.0,
        "claimed": 1.0,
        "bias": 0.5,
        "spread": 0.02,
        "broken": (),
        "least": 0.0,
        "x": (1.0, 4.0, 16.0, 64.0),
    }
    expected = constants.pop("expected", "agreement")
    seeds = constants.pop("seeds", 40)
    return Experiment(
        name=name, title="A synthetic experiment", source="no paper <script>alert(1)</script>",
        claim="The loss falls as x^-½ | by construction.", sizes={"N": 100},
        constants={**defaults, **constants}, axes=Axes("x", "loss"), build=build,
        quick=Budget(1.0, seeds), thorough=Budget(2.0, 60), simulate=f"{__name__}:simulate",
        expected=expected,
    )  # fmt: skip


EXPERIMENTS = {
    e.name: e
    for e in (
        experiment("synthetic-true"),
        experiment("synthetic-wrong", claimed=1.05),
        experiment("synthetic-broken", broken=(4.0,)),
        experiment("synthetic-vague", spread=0.5),
    )
}
