"""`solvable check`: check derivations and experiments.

Check every step of derivations, and compare theory with simulation in experiments. Sizes and seeds
are chosen for experiments; steps of derivations that simulate have their own. Exit status 0 if
every claim passes, 1 if one fails or stays undecided, 2 on bad input.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from solvable.validation.experiments import names as experiment_names
from solvable.validation.experiments.evaluate import Evidence, summary
from solvable.validation.report import ReportRow, check_path, experiment_row, versions, write
from solvable.validation.statistics import bounds, percent
from solvable.validation.sweep import sweep

from .. import catalogue
from ..bibliography import cite
from . import experiments, output
from . import options as types

OUTCOMES = ("pass", "fail", "undecided")
#: what a verdict says of a simulation
SIMULATION = ("seeds", "sizes", "interval", "confidence")
DERIVED = "derivations, whose steps have sizes and seeds of their own where they simulate"
MESSAGE_WIDTH = 300


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable check`."""
    experiments.add_options(parser)
    parser.add_argument("--report", metavar="FILE", help="write a report: FILE.html or FILE.md")
    parser.add_argument("--list", action="store_true", help="list the names and stop")
    types.add_format(parser)


def available() -> list[str]:
    """All names: derivations, then experiments. No name is both."""
    return [*catalogue.names(), *experiment_names()]


def verify(cell: dict[str, str], seed: np.random.SeedSequence) -> dict[str, Any]:
    """In a worker: the verdict of every step of the derivation ``cell["name"]``, and its time.

    A step that simulates says with which seeds and sizes, and which interval decided.
    """
    started = time.perf_counter()
    steps = []
    for step in catalogue.load(cell["name"]).steps:
        begun = time.perf_counter()
        verdict = step.verify()
        simulation = {key: verdict.observed[key] for key in SIMULATION if key in verdict.observed}
        steps.append({
            "name": step.name, "claim": str(step.claim), "outcome": verdict.outcome,
            "message": verdict.message, "seconds": round(time.perf_counter() - begun, 3),
            "simulation": simulation if "seeds" in simulation else None,
        })  # fmt: skip
    return {"steps": steps, "seconds": round(time.perf_counter() - started, 3)}


def run(arguments: argparse.Namespace) -> int:
    """Check, print, report."""
    if arguments.list:
        experiments.no_choice(arguments, "--list")
        return _list(arguments)
    names = experiments.chosen(arguments, available())
    if arguments.report is not None:
        check_path(arguments.report)
    known = set(experiment_names())
    simulated = [name for name in names if name in known]
    derived = [name for name in names if name not in known]
    if not simulated:
        types.unused(arguments, DERIVED, *experiments.OWN)
    results, rows = [], []
    with (
        experiments.opened_store(arguments, simulated) as store,
        experiments.workers(arguments, alone=len(derived) == 1 and not simulated) as executor,
    ):
        simulate = experiments.experiment_runner(arguments, executor, store)
        for result, row in _claims(derived, simulated, executor, simulate):
            results.append(result)
            rows.append(row)
            if arguments.format != "json":
                _print_claim(result)
    if arguments.report is not None:
        write(arguments.report, rows)
    counts = {word: sum(r["outcome"] == word for r in results) for word in OUTCOMES}
    if arguments.format == "json":
        output.print_json({"claims": results, **counts, "versions": versions()})
    else:
        words = "1 claim" if len(results) == 1 else f"{len(results)} claims"
        print(f"{words}: " + ", ".join(f"{n} {word}" for word, n in counts.items()))
    for result in results:
        if result["outcome"] != "pass":
            print(f"{result['outcome']}: {result['name']}", file=sys.stderr)
    return 0 if counts["pass"] == len(results) else 1


def _list(arguments: argparse.Namespace) -> int:
    from solvable.validation.experiments import catalogue as all_experiments

    entries = catalogue.entries().values()
    rows = [(entry.name, "derivation", entry.title) for entry in entries]
    rows += [(e.name, "experiment", e.title) for e in all_experiments().values()]
    if arguments.format == "json":
        output.print_json([dict(zip(("name", "kind", "title"), row)) for row in rows])
    else:
        output.print_table(("name", "kind", "title"), rows)
    return 0


def _claims(
    derived: Sequence[str],
    simulated: Sequence[str],
    executor: Executor,
    simulate: Callable[[str], Evidence],
) -> Iterator[tuple[dict[str, Any], ReportRow]]:
    """(JSON form, row of the report) of each claim, as they are decided."""
    yield from _derivations(derived, executor)
    for name in simulated:
        evidence: Evidence = simulate(name)
        yield dict(summary(evidence)), experiment_row(evidence)


def _derivations(
    names: Sequence[str], executor: Executor
) -> Iterator[tuple[dict[str, Any], ReportRow]]:
    """All derivations at once, one cell each."""
    if not names:
        return
    with output.progress("derivations", len(names)) as advance:
        cells = [{"name": name} for name in names]
        result = sweep(verify, cells, executor=executor, progress=lambda status: advance())
    reasons = {failure.cell: failure.reason for failure in result.failures}
    for index, name in enumerate(names):
        value = result.values[index][0] or {"steps": [], "seconds": 0.0}
        yield _derivation_claim(name, value["steps"], reasons.get(index), value["seconds"])


def _derivation_claim(
    name: str, steps: list[dict[str, Any]], failure: str | None, seconds: float
) -> tuple[dict[str, Any], ReportRow]:
    """Fails if a step fails, undecided if one is or if the derivation could not be built."""
    entry = catalogue.entries()[name]
    outcomes = [step["outcome"] for step in steps]
    outcome = "fail" if failure or "fail" in outcomes else (
        "undecided" if "undecided" in outcomes or not steps else "pass"
    )  # fmt: skip
    message = f"{outcomes.count('pass')} of {len(steps)} steps pass"
    bad = [f"{s['name']}: {s['message']}" for s in steps if s["outcome"] != "pass"]
    if failure:
        bad.append(failure)
    message = "; ".join([message, *bad])
    source = cite(entry.references)
    result = {
        "name": name, "kind": "derivation", "title": entry.title, "source": source,
        "claim": entry.summary, "outcome": outcome, "message": message, "steps": steps,
        "seconds": seconds,
    }  # fmt: skip
    drawn = [step for step in steps if step.get("simulation")]
    details = tuple(
        (s["name"], "", s["claim"][:MESSAGE_WIDTH], s["message"], s["outcome"], "",
         s["simulation"]["seeds"] if s in drawn else "")
        for s in steps
    )  # fmt: skip

    def column(text: Callable[[dict[str, Any]], str], nothing: str = "none") -> str:
        return "; ".join(f"{step['name']}: {text(step)}" for step in drawn) or nothing

    exact = "exact, numeric and asymptotic checks of each step"
    row = ReportRow(
        name, "derivation", f"{entry.title}. {entry.summary}", source, f"{len(steps)} steps",
        column(lambda step: f"{step['message']} [{step['seconds']:.1f} s]"),
        column(_intervals, exact), outcome, message,
        column(lambda step: step["simulation"]["seeds"]),
        column(lambda step: step["simulation"]["sizes"]), details,
    )  # fmt: skip
    return result, row


def _intervals(step: dict[str, Any]) -> str:
    """The intervals that decided a simulated step."""
    found = step["simulation"]
    if "interval" not in found:
        return step["message"]
    return ", ".join(map(bounds, found["interval"])) + f" ({percent(found['confidence'])})"


def _print_claim(result: dict[str, Any]) -> None:
    """One claim, as soon as it is decided: verdict, name, time; below it what decided."""
    print(f"{result['outcome']:9}  {result['name']} [{result['seconds']:.1f} s]")
    for text in (_simulated_lines if result["kind"] == "experiment" else _derived_lines)(result):
        print(output.paragraph(text, indent=11), flush=True)


def _simulated_lines(result: dict[str, Any]) -> Iterator[str]:
    """Of an experiment: why, the mark nearest to its limit, seeds and sizes, what is left out."""
    yield result["message"]
    marks = [(curve["label"], point) for curve in result["series"] for point in curve["points"]]
    tested = [(label, point) for label, point in marks if point["z"] is not None]
    if tested:
        label, worst = max(tested, key=lambda pair: abs(float(pair[1]["z"])))
        low, high = map(float, worst["ratio_interval"])
        yield (
            f"furthest: {label} at {worst['x']:.4g}: simulation/theory in "
            f"{bounds((low, high), 1.0)} at {percent(result['thresholds']['confidence'])}"
        )
    least, most = result["seeds"]
    seeds = str(least) if least == most else f"{least} to {most}"
    scales = f"{result['scale'] / 2:g} and {result['scale']:g}"
    yield f"{seeds} seeds, root {result['root_seed']}; {result['parameters']}; scales {scales}"
    if result["not_covered"]:
        yield f"not covered: {result['not_covered']}"


def _derived_lines(result: dict[str, Any]) -> Iterator[str]:
    """Of a derivation: how many steps pass, what decided each, and the simulations among them."""
    yield result["message"]
    decided: dict[str, list[str]] = {}
    for step in result["steps"]:
        if step["outcome"] == "pass" and not step.get("simulation"):
            decided.setdefault(step["message"], []).append(step["name"])
    for message, names in decided.items():
        yield f"{', '.join(names)}: {message}"
    for step in result["steps"]:
        if found := step.get("simulation"):
            seeds, sizes = found["seeds"], found["sizes"]
            yield (
                f"simulated: {step['name']}: {step['message']}; {seeds} seeds, {sizes} "
                f"[{step['seconds']:.1f} s]"
            )
