"""Run an experiment and judge it.

Every mark is simulated at the scales s/2 and s. Its ratio to theory is extrapolated to s → ∞ and
compared with 1, all tested marks of the experiment as one `validation.comparison.Family`: marks of
one cell share their draws and are one group. The relative spread of one repetition falls with
min(N, T), so a small cell is repeated more often than a large one, by a rule that looks at its
size and not at its results.

A failed fact fails the experiment; one that is undecided, a mark without enough repetitions, or
intervals too wide to exclude an error of `Budget.resolution`, leave it undecided.
"""

from __future__ import annotations

import importlib
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from solvable.analytic.arguments import count, positive
from solvable.analytic.errors import InputError

from ..comparison import Family
from ..executors import require_memory
from ..memory import peak_bytes
from ..statistics import Estimate, Judgement, Outcome, estimate
from ..sweep import Failure, SweepResult, digest
from .experiment import Budget, Experiment, Guide, Plan
from .facts import FactEvidence, Sampled, decide

REFERENCE_SIZE = 100  # min(N, T) of cells that have as many repetitions as the budget says
MOST_REPETITIONS = 64  # times as many as those, at most

Runner = Callable[[Any, Sequence[Any], Sequence[int]], SweepResult]


@dataclass(frozen=True)
class MarkEvidence:
    """One mark: theory and simulation at scale s.

    ``limit`` is their ratio as s → ∞, ``interval`` the one that decided it and ``score`` the normal
    score of 1; None for a mark that is not tested, for the reason in ``untested``.
    """

    x: float
    theory: float
    simulated: Estimate
    seeds: int
    limit: Estimate | None
    interval: tuple[float, float] | None
    score: float | None
    untested: str


@dataclass(frozen=True)
class CurveEvidence:
    """A curve with its evidence; ``line`` computes the theory line of the plan at scale s."""

    label: str
    points: tuple[MarkEvidence, ...]
    line: Callable[[], tuple[Any, Any]] | None
    shown: bool
    panel: str = ""

    @cached_property
    def drawn(self) -> tuple[Any, Any] | None:
        """The theory line, computed when it is drawn: verdicts do not wait for it."""
        return None if self.line is None else self.line()

    @property
    def name(self) -> str:
        """The label inside its panel."""
        return self.label.removeprefix(f"{self.panel}, ")


@dataclass(frozen=True)
class Evidence:
    """What an experiment found: outcome, one sentence, and all the numbers behind them.

    ``judgement`` is the comparison with theory, None where no mark could be tested.
    """

    experiment: Experiment
    outcome: Outcome
    message: str
    judgement: Judgement | None
    scale: float
    parameters: str
    root_seed: int
    seeds: tuple[int, int]
    series: tuple[CurveEvidence, ...]
    facts: tuple[FactEvidence, ...]
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

    def worst(self) -> tuple[str, MarkEvidence] | None:
        """Label and mark of the largest |z| among those tested."""
        tested = [(s.label, p) for s in self.series for p in s.points if p.score is not None]
        return max(tested, key=lambda pair: abs(pair[1].score or 0.0), default=None)

    def uncovered(self) -> str:
        """What the verdict does not cover, in words; empty if nothing."""
        reasons = Counter(
            p.untested for s in self.series if s.shown for p in s.points if p.untested
        )
        marks = [f"{number} drawn and not tested: {why}" for why, number in reasons.items()]
        alone = sum(fact.interval is None for fact in self.facts)
        facts = [f"{alone} of {len(self.facts)} facts are of the theory alone"] if alone else []
        return "; ".join(marks + facts)


def is_repetition(value: Any) -> bool:
    """Whether a value, say of a file, has the form of one repetition: named numbers or lists.

    >>> is_repetition({"test": 0.5, "train": [0.1, 0.2]}), is_repetition({"test": "0.5"})
    (True, False)
    """

    def is_number(entry: Any) -> bool:
        return entry is None or (isinstance(entry, int | float) and not isinstance(entry, bool))

    return isinstance(value, Mapping) and all(
        all(map(is_number, entry)) if isinstance(entry, list) else is_number(entry)
        for entry in value.values()
    )


def repetitions(cell: Any, budget: Budget) -> int:
    """Seeds of one cell: those of the budget, times (reference size/min(N, T))^(2 spread)."""
    sizes = [getattr(cell, name, None) for name in ("features", "samples")]
    smaller = min((size for size in sizes if size), default=REFERENCE_SIZE)
    factor = min((REFERENCE_SIZE / smaller) ** (2 * budget.spread), MOST_REPETITIONS)
    return max(math.ceil(budget.seeds * factor), budget.fewest or budget.seeds)


def imported(name: str) -> Any:
    """The function ``module:function``."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


def plans(experiment: Experiment, budget: Budget) -> tuple[Plan, Plan]:
    """The plans at scales s/2 and s, whose marks correspond one to one."""
    small = experiment.plan(replace(budget, scale=budget.scale / 2))
    large = experiment.plan(budget)
    shapes = [[(c.label.split("=")[0], len(c.marks)) for c in p.curves] for p in (small, large)]
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
    fewest = min(seeds, budget.fewest or seeds)
    budget = replace(budget, scale=scale, seeds=seeds, fewest=fewest)
    small, large = plans(experiment, budget)
    cells = {**small.cells, **large.cells}
    _check_memory(cells.values(), scale, workers)
    tested = {digest(mark.cell) for plan in (small, large) for curve in plan.curves
              for mark in curve.marks if not mark.untested}  # fmt: skip
    counts = {
        key: repetitions(cell, budget) if key in tested else fewest
        for key, cell in cells.items()
    }
    result = run(imported(experiment.simulate), list(cells.values()), list(counts.values()))
    runs = dict(zip(cells, result.values))
    family = Family((scale / 2, scale))
    ratios = _ratios(small, large, runs, family)
    judgement = family.judge(resolution=budget.resolution) if family.ratios else None
    facts = decide(large.facts, _sampled(large, runs))
    outcome, message = _decide(experiment, judgement, family.incomplete, facts, result.failures)
    large_counts = [counts[key] for key in large.cells]
    return Evidence(
        experiment, outcome, message, judgement, scale, experiment.parameters(budget).describe(),
        root_seed, (min(large_counts), max(large_counts)),
        tuple(_curves(small, large, runs, ratios, judgement)), facts,
        large.guides,
        tuple(_describe(failure, list(cells.values())) for failure in result.failures),
        len(cells), result.computed, result.resumed, time.perf_counter() - started,
    )  # fmt: skip


def _check_memory(cells: Any, scale: float, workers: int) -> None:
    needs = [peak_bytes(cell) for cell in cells if hasattr(cell, "feature_draws")]
    if needs:
        require_memory("size", scale, max(needs), workers)


def _describe(failure: Failure, cells: Sequence[Any]) -> str:
    return f"{cells[failure.cell]} with seed {failure.seed}: {failure.reason}"


# ---- the comparison with theory ----------------------------------------------------------


def _ratios(
    small: Plan, large: Plan, runs: Mapping[str, Any], family: Family
) -> dict[tuple[int, int], int]:
    """Add every tested mark to the family: (curve, mark) to the index of its claim there."""
    claims = {}
    for i, (low, high) in enumerate(zip(small.curves, large.curves)):
        for j, pair in enumerate(zip(low.marks, high.marks)):
            if not (pair[0].untested or pair[1].untested):
                samples = [mark.values(runs[digest(mark.cell)]) for mark in pair]
                theory = [mark.theory for mark in pair]
                if family.add(digest(pair[1].cell), samples, theory) is not None:
                    claims[i, j] = len(family.ratios) - 1
    return claims


def _curves(
    small: Plan, large: Plan, runs: Mapping[str, Any], claims: Mapping[tuple[int, int], int],
    judgement: Judgement | None,
) -> list[CurveEvidence]:  # fmt: skip
    """Evidence of every curve."""
    found = []
    for i, (low, curve) in enumerate(zip(small.curves, large.curves)):
        points = []
        for j, (before, mark) in enumerate(zip(low.marks, curve.marks)):
            values = mark.values(runs[digest(mark.cell)])
            finite = values[np.isfinite(values)]
            simulated = estimate(finite) if len(finite) > 1 else Estimate(math.nan, math.nan)
            limit = interval = score = None
            untested, claim = mark.untested, claims.get((i, j))
            if judgement is not None and claim is not None:
                limit, score = judgement.estimates[claim], judgement.scores[claim]
                interval = judgement.interval(claim)
            elif not untested:
                smaller = before.untested and f"{before.untested} at the smaller scale"
                untested = smaller or "too few repetitions"
            points.append(MarkEvidence(mark.x, mark.theory, simulated, len(finite), limit, interval,
                                       score, untested))  # fmt: skip
        found.append(
            CurveEvidence(curve.label, tuple(points), curve.line, curve.shown, curve.panel)
        )
    return found


def _sampled(plan: Plan, runs: Mapping[str, Any]) -> list[Sampled]:
    """The repetitions of every mark."""
    return [
        Sampled(
            curve.label,
            np.array([mark.x for mark in curve.marks]),
            np.array([mark.theory for mark in curve.marks]),
            tuple(digest(mark.cell) for mark in curve.marks),
            tuple(mark.values(runs[digest(mark.cell)]) for mark in curve.marks),
        )
        for curve in plan.curves
    ]


# ---- the verdict -------------------------------------------------------------------------


def _decide(
    experiment: Experiment,
    judgement: Judgement | None,
    incomplete: int,
    facts: Sequence[FactEvidence],
    failures: Sequence[Failure],
) -> tuple[Outcome, str]:
    """Outcome and a sentence."""
    outcome, parts = ("pass", []) if judgement is None else (judgement.outcome, [judgement.message])
    if judgement is None and incomplete:
        outcome, parts = "undecided", ["no point has enough repetitions"]
    if experiment.expected == "rejection":
        opposite: dict[Outcome, Outcome] = {"fail": "pass", "pass": "fail"}
        outcome = opposite.get(outcome, outcome)
        parts.insert(0, "a theory that does not apply must be rejected")
    outcomes = Counter(fact.outcome for fact in facts)
    if facts:
        parts.append(f"{outcomes['pass']} of {len(facts)} facts hold")
    words = {"fail": "not so", "undecided": "undecided"}
    parts += [f"{words[fact.outcome]}: {fact}" for fact in facts
              if fact.outcome != "pass"]  # fmt: skip
    if outcomes["fail"]:
        outcome = "fail"
    elif outcome == "pass" and (incomplete or outcomes["undecided"]):
        outcome = "undecided"
    if failures:
        parts.append(f"{len(failures)} repetitions failed, first: {failures[0].reason}")
    return outcome, "; ".join(parts)


# ---- the JSON form -----------------------------------------------------------------------


def summary(evidence: Evidence) -> Mapping[str, Any]:
    """The JSON form of the evidence."""
    experiment, judged = evidence.experiment, evidence.judgement
    return {
        "name": experiment.name, "kind": "experiment", "title": experiment.title,
        "source": experiment.source, "claim": experiment.claim, "outcome": evidence.outcome,
        "message": evidence.message, "scale": evidence.scale, "parameters": evidence.parameters,
        "root_seed": evidence.root_seed, "seeds": list(evidence.seeds),
        "cells": evidence.cells, "computed": evidence.computed, "resumed": evidence.resumed,
        "seconds": round(evidence.seconds, 3), "failures": list(evidence.failures),
        "not_covered": evidence.uncovered(),
        "thresholds": None if judged is None else {
            "level": judged.level, "confidence": judged.confidence, "points": len(judged.targets),
            "score": judged.score_limit, "resolution": judged.resolution, "groups": judged.groups,
            "chi_square": _number(judged.chi_square),
            "chi_square_limit": _number(judged.chi_square_limit),
        },
        "series": [
            {"label": s.label, "points": [_point_summary(p) for p in s.points]}
            for s in evidence.series
        ],
        "facts": [
            {"statement": f.statement, "observed": _number(f.observed), "expected": f.expected,
             "outcome": f.outcome, "interval": f.interval and [_number(x) for x in f.interval],
             "confidence": f.confidence}
            for f in evidence.facts
        ],
    }  # fmt: skip


def _point_summary(point: MarkEvidence) -> dict[str, Any]:
    return {
        "x": _number(point.x), "theory": _number(point.theory),
        "simulated": _number(point.simulated.mean),
        "standard_error": _number(point.simulated.error), "seeds": point.seeds,
        "ratio_limit": _number(point.limit.mean if point.limit else math.nan),
        "ratio_interval": point.interval and [_number(x) for x in point.interval],
        "z": _number(point.score if point.score is not None else math.nan),
        "untested": point.untested,
    }  # fmt: skip


def _number(value: float) -> float | str | None:
    """A JSON number; None for NaN, "inf" for infinity."""
    value = float(value)
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
