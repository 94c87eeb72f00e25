"""Run an experiment and judge it.

Every point is simulated at the scales s/2 and s. Relative to theory its mean is 1 + c/s + O(1/s²)
if theory is right, so the two are extrapolated to s → ∞ (`validation.statistics.extrapolate`)
and compared with 1. The relative spread of one repetition falls like 1/min(N, T), so a small cell
is repeated more often than a large one, by a rule that looks at its size and not at its results.

The points of one experiment are one question, answered at one level (`LEVEL`), half of it each to

* the cells, which are independent: one number per cell, the mean over its points, judged by
  `validation.statistics.verdict` (Holm and χ²);
* the points, which are dependent where they share a cell: Holm, which allows that.

A failed fact fails the experiment; a cell without enough repetitions, or intervals too wide to
exclude an error of `Budget.resolution`, leave it undecided.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solvable.analytic.arguments import count, positive
from solvable.analytic.errors import InputError

from ..comparison import Family
from ..executors import require_memory
from ..memory import peak_bytes
from ..statistics import Estimate, Outcome, estimate
from ..sweep import Failure, SweepResult
from .experiment import Budget, Experiment, Fact, Guide, Measured, Plan, Series

REFERENCE_SIZE = 100  # cells with min(N, T) at least this have the fewest repetitions
MOST_REPETITIONS = 64  # times as many as those, at most

Runner = Callable[[Any, Sequence[Any], Sequence[int]], SweepResult]


@dataclass(frozen=True)
class PointEvidence:
    """One point: theory and simulation at scale s, and their ratio as s → ∞ (None: untested)."""

    x: float
    theory: float
    simulated: Estimate
    limit: Estimate | None
    score: float | None
    seeds: int


@dataclass(frozen=True)
class SeriesEvidence:
    """A series with its evidence; ``line`` is the theory line of the plan at scale s."""

    label: str
    points: tuple[PointEvidence, ...]
    line: tuple[Any, Any] | None


@dataclass(frozen=True)
class Evidence:
    """What an experiment found: outcome, one sentence, and all the numbers behind them."""

    experiment: Experiment
    outcome: Outcome
    message: str
    scale: float
    parameters: str
    root_seed: int
    seeds: tuple[int, int]
    series: tuple[SeriesEvidence, ...]
    facts: tuple[Fact, ...]
    guides: tuple[Guide, ...]
    failures: tuple[str, ...]
    cells: int
    computed: int
    resumed: int
    seconds: float

    @property
    def passed(self) -> bool:
        """True only for a pass."""
        return self.outcome == "pass"

    def worst(self) -> tuple[str, PointEvidence] | None:
        """Label and point of the largest |z| among the tested points."""
        tested = [(s.label, p) for s in self.series for p in s.points if p.score is not None]
        return max(tested, key=lambda pair: abs(pair[1].score or 0.0), default=None)


def repetitions(cell: Any, seeds: int) -> int:
    """Seeds of one cell: ``seeds``, times (reference size/min(N, T))² for a smaller cell."""
    sizes = [getattr(cell, name, None) for name in ("features", "samples")]
    smaller = min((size for size in sizes if size), default=REFERENCE_SIZE)
    factor = min(max((REFERENCE_SIZE / smaller) ** 2, 1.0), MOST_REPETITIONS)
    return math.ceil(seeds * factor)


def imported(name: str) -> Any:
    """The function ``module:function``."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


def plans(experiment: Experiment, budget: Budget) -> tuple[Plan, Plan]:
    """The plans at scales s/2 and s, whose points correspond one to one."""
    small = experiment.plan(replace(budget, scale=budget.scale / 2))
    large = experiment.plan(budget)
    shapes = [[(s.label.split("=")[0], len(s.points)) for s in p.series] for p in (small, large)]
    if shapes[0] != shapes[1]:
        allowed = "a scale at which the sizes stay distinct; try a larger one"
        raise InputError("size", budget.scale, allowed)
    return small, large


def evaluate(
    experiment: Experiment,
    run: Runner,
    *,
    scale: float | None = None,
    seeds: int | None = None,
    thorough: bool = False,
    root_seed: int = 0,
    workers: int = 1,
) -> Evidence:
    """Simulate, compare, decide.

    ``run(function, cells, repetitions)`` performs the sweep; ``scale`` and ``seeds`` replace those
    of the quick or thorough budget. Raises `InputError` when ``workers`` of the largest cell do
    not fit in memory, before anything is simulated.
    """
    started = time.perf_counter()
    budget = experiment.thorough if thorough else experiment.quick
    scale = float(positive("size", budget.scale if scale is None else scale))
    seeds = count("seeds", budget.seeds if seeds is None else seeds, at_least=2)
    budget = replace(budget, scale=scale, seeds=seeds)
    small, large = plans(experiment, budget)
    cells = [*small.cells, *large.cells]
    _check_memory(cells, scale, workers)
    tested = {id(plan.cells[point.cell]) for plan in (small, large)
              for one in plan.series for point in one.points if point.tested}  # fmt: skip
    counts = [repetitions(cell, seeds) if id(cell) in tested else seeds for cell in cells]
    result = run(imported(experiment.simulate), cells, counts)
    split = len(small.cells)
    halves = (result.values[:split], result.values[split:])
    series, measured, decided, family = [], {}, [], Family((scale / 2, scale))
    for low, high in zip(small.series, large.series):
        evidence, samples = _series(low, high, halves, family)
        series.append(evidence)
        measured[high.label] = samples
        decided += [p for p in evidence.points if p.limit is not None]
    facts = tuple(large.facts(measured))
    outcome, message = _judge(experiment, family, facts, result.failures, budget.resolution)
    return Evidence(
        experiment, outcome, message, scale, experiment.parameters(budget).describe(), root_seed,
        (min(counts[split:]), max(counts[split:])), tuple(series), facts, large.guides,
        tuple(_describe(failure, cells) for failure in result.failures), len(cells),
        result.computed, result.resumed, time.perf_counter() - started,
    )  # fmt: skip


def _check_memory(cells: Sequence[Any], scale: float, workers: int) -> None:
    needs = [peak_bytes(cell) for cell in cells if hasattr(cell, "feature_draws")]
    if needs:
        require_memory("size", scale, max(needs), workers)


def _describe(failure: Failure, cells: Sequence[Any]) -> str:
    return f"{cells[failure.cell]} with seed {failure.seed}: {failure.reason}"


def _series(
    low: Series, high: Series, halves: tuple[Any, Any], family: Family
) -> tuple[SeriesEvidence, Measured]:
    """Evidence of one series; the family grows by its tested points."""
    points, rows = [], []
    for small, large in zip(low.points, high.points):
        values = [
            np.array(
                [math.nan if value is None else point.value(value) for value in half[point.cell]]
            )
            for point, half in zip((small, large), halves)
        ]
        limit = None
        if small.tested and large.tested:
            ratio = family.add(large.cell, values, (small.theory, large.theory))
            limit = None if ratio is None else ratio.fit.limit
        finite = values[1][np.isfinite(values[1])]
        simulated = estimate(finite) if len(finite) > 1 else Estimate(math.nan, math.nan)
        score = None if limit is None else limit.score(1.0)
        points.append(PointEvidence(large.x, large.theory, simulated, limit, score, len(finite)))
        rows.append(values[1])
    longest = max((len(row) for row in rows), default=0)
    samples = np.full((longest, len(rows)), math.nan)
    for column, row in enumerate(rows):
        samples[: len(row), column] = row
    x, theory = (np.array([getattr(p, name) for p in points]) for name in ("x", "theory"))
    measured = Measured(high.label, x, theory, samples)
    return SeriesEvidence(high.label, tuple(points), high.line), measured


def _judge(
    experiment: Experiment,
    family: Family,
    facts: Sequence[Fact],
    failures: Sequence[Failure],
    resolution: float,
) -> tuple[Outcome, str]:
    """Outcome and a sentence."""
    outcome, message = _compare(family, resolution)
    if experiment.expected == "rejection":
        opposite: dict[Outcome, Outcome] = {"fail": "pass", "pass": "fail"}
        outcome = opposite.get(outcome, outcome)
        message = f"a theory that does not apply must be rejected; {message}"
    wrong = [fact for fact in facts if fact.outcome == "fail"]
    parts = [message] if message else []
    if facts:
        parts.append(f"{len(facts) - len(wrong)} of {len(facts)} facts hold")
    parts += [f"not so: {f.statement}: {f.observed:.4g}, expected {f.expected}" for f in wrong]
    if wrong:
        outcome = "fail"
    elif outcome == "pass" and (family.incomplete or any(f.outcome == "undecided" for f in facts)):
        outcome = "undecided"
    if failures:
        parts.append(f"{len(failures)} repetitions failed, first: {failures[0].reason}")
    return outcome, "; ".join(parts)


def _compare(family: Family, resolution: float) -> tuple[Outcome, str]:
    """The comparison with theory of all tested points."""
    if not family.ratios:
        missing: tuple[Outcome, str] = ("undecided", "no point has enough repetitions")
        return missing if family.incomplete else ("pass", "")
    judged = family.judge(resolution=resolution)
    return judged.outcome, judged.message


def summary(evidence: Evidence) -> Mapping[str, Any]:
    """The JSON form of the evidence."""
    experiment = evidence.experiment
    return {
        "name": experiment.name, "kind": "experiment", "title": experiment.title,
        "source": experiment.source, "claim": experiment.claim, "outcome": evidence.outcome,
        "message": evidence.message, "scale": evidence.scale, "parameters": evidence.parameters,
        "root_seed": evidence.root_seed, "seeds": list(evidence.seeds),
        "cells": evidence.cells, "computed": evidence.computed, "resumed": evidence.resumed,
        "seconds": round(evidence.seconds, 3), "failures": list(evidence.failures),
        "series": [
            {"label": s.label, "points": [_point_summary(p) for p in s.points]}
            for s in evidence.series
        ],
        "facts": [
            {"statement": f.statement, "observed": _number(f.observed), "expected": f.expected,
             "outcome": f.outcome}
            for f in evidence.facts
        ],
    }  # fmt: skip


def _point_summary(point: PointEvidence) -> dict[str, Any]:
    limit = point.limit
    low, high = limit.interval() if limit else (math.nan, math.nan)
    return {
        "x": point.x, "theory": _number(point.theory), "simulated": _number(point.simulated.mean),
        "standard_error": _number(point.simulated.error), "seeds": point.seeds,
        "ratio_limit": _number(limit.mean if limit else math.nan),
        "ratio_interval_99": [_number(low), _number(high)],
        "z": _number(point.score if point.score is not None else math.nan),
    }  # fmt: skip


def _number(value: float) -> float | str | None:
    """A JSON number; None for NaN, "inf" for infinity."""
    value = float(value)
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
