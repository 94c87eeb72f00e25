"""Experiments whose truth is known: repetitions are drawn around a value that depends on the scale.

A cell's mean is true (1 + c/s) with relative spread ``spread``; theory says ``claimed``.
"""

import dataclasses
import math

import numpy as np

from solvable.validation.experiments.experiment import (
    Axes,
    Budget,
    Experiment,
    Guide,
    Plan,
    Point,
    Series,
    above,
)


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
    return {"early": value, "late": value / 2}


def build(p):
    cells, early, late = [], [], []
    for x in p.x:
        cells.append(Cell(float(x), p.scale, p.true, p.bias, p.spread, x in p.broken))
        index = len(cells) - 1
        early.append(Point(x, index, "early", p.claimed * x**-0.5))
        late.append(Point(x, index, lambda values: values["late"], p.claimed * x**-0.5 / 2))
    pole = Point(2.0 * max(p.x), 0, "early", math.inf, tested=False)
    line = np.geomspace(min(p.x), max(p.x), 30)
    series = (
        Series("early <b>&amp;</b> | N = 1", (*early, pole), (line, p.claimed * line**-0.5)),
        Series("late", tuple(late)),
    )

    def facts(measured):
        return [above("first simulated value", float(measured["late"].mean[0]), p.least)]

    guides = (
        Guide("vertical", "N = T", 10.0), Guide("star", "a star", 5.0, 0.5),
        Guide("curve", "a fit", line, 1.1 * line**-0.5),
    )  # fmt: skip
    return Plan(cells, series, facts, guides)


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
    return Experiment(
        name=name, title="A synthetic experiment", source="no paper <script>alert(1)</script>",
        claim="The loss falls as x^-½ | by construction.", sizes={"N": 100},
        constants={**defaults, **constants}, axes=Axes("x", "loss"), build=build,
        quick=Budget(1.0, 40), thorough=Budget(2.0, 60), simulate=f"{__name__}:simulate",
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
