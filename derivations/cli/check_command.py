"""`solvable check`: decide the claims of derivations and experiments.

Exit status 0 if every claim passes, 1 if one fails or is undecided, 2 on bad input.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from solvable.validation.experiments import names as experiment_names
from solvable.validation.experiments.evaluate import Evidence, summary
from solvable.validation.report import Row, check_path, experiment_row, versions, write
from solvable.validation.sweep import sweep

from .. import catalogue
from ..bibliography import cite
from . import experiments, output
from . import options as types

OUTCOMES = ("pass", "fail", "undecided")
MESSAGE_WIDTH = 300


def add_parser(subparsers: Any) -> None:
    """Declare the arguments of `solvable check`."""
    parser = subparsers.add_parser(
        "check",
        help="check derivations and experiments",
        description="Check every step of derivations, and compare theory with simulation in "
        "experiments. Exit status 1 if a claim fails or stays undecided.",
    )
    experiments.add_options(parser)
    parser.add_argument("--report", metavar="FILE", help="write a report: FILE.html or FILE.md")
    parser.add_argument("--list", action="store_true", help="list the names and stop")
    types.add_json(parser)
    parser.set_defaults(run=run)


def available() -> list[str]:
    """All names: derivations, then experiments. No name is both."""
    return [*catalogue.names(), *experiment_names()]


def verify(cell: dict[str, str], seed: np.random.SeedSequence) -> dict[str, Any]:
    """In a worker: the verdict of every step of the derivation ``cell["name"]``."""
    derivation = catalogue.load(cell["name"])
    steps = [
        {"name": step.name, "claim": str(step.claim), "outcome": verdict.outcome,
         "message": verdict.message}
        for step, verdict in derivation.verify()
    ]  # fmt: skip
    return {"steps": steps}


def run(arguments: argparse.Namespace) -> int:
    """Check, print, report."""
    if arguments.list:
        return _list(arguments)
    names = experiments.chosen(arguments, available())
    if arguments.report is not None:
        check_path(arguments.report)
    known = set(experiment_names())
    simulated = [name for name in names if name in known]
    derived = [name for name in names if name not in known]
    results, rows = [], []
    with (
        experiments.opened_store(arguments, simulated) as store,
        experiments.workers(arguments, alone=len(derived) == 1 and not simulated) as executor,
    ):
        simulate = experiments.experiment_runner(arguments, executor, store)
        for result, row in _claims(derived, simulated, executor, simulate):
            results.append(result)
            rows.append(row)
            if not arguments.json:
                _print_claim(result)
    if arguments.report is not None:
        write(arguments.report, rows)
    counts = {word: sum(r["outcome"] == word for r in results) for word in OUTCOMES}
    if arguments.json:
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
    if arguments.json:
        output.print_json([dict(zip(("name", "kind", "title"), row)) for row in rows])
    else:
        output.print_table(("name", "kind", "title"), rows)
    return 0


def _claims(
    derived: Sequence[str], simulated: Sequence[str], executor: Any, simulate: Any
) -> Iterator[tuple[dict[str, Any], Row]]:
    """(JSON form, row of the report) of each claim, as they are decided."""
    yield from _derivations(derived, executor)
    for name in simulated:
        evidence: Evidence = simulate(name)
        yield dict(summary(evidence)), experiment_row(evidence)


def _derivations(names: Sequence[str], executor: Any) -> Iterator[tuple[dict[str, Any], Row]]:
    """All derivations at once, one cell each."""
    if not names:
        return
    started = time.perf_counter()
    with output.progress("derivations", len(names)) as advance:
        cells = [{"name": name} for name in names]
        result = sweep(verify, cells, executor=executor, progress=lambda status: advance())
    reasons = {failure.cell: failure.reason for failure in result.failures}
    seconds = round((time.perf_counter() - started) / len(names), 3)
    for index, name in enumerate(names):
        value = result.values[index][0]
        steps = [] if value is None else value["steps"]
        yield _derivation_claim(name, steps, reasons.get(index), seconds)


def _derivation_claim(
    name: str, steps: list[dict[str, str]], failure: str | None, seconds: float
) -> tuple[dict[str, Any], Row]:
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
    details = tuple(
        (s["name"], "", s["claim"][:MESSAGE_WIDTH], s["message"], s["outcome"], "", "")
        for s in steps
    )
    row = Row(
        name, "derivation", f"{entry.title}. {entry.summary}", source, f"{len(steps)} steps",
        "none", "exact, numeric and asymptotic checks of each step", outcome, message, "none",
        "none", details,
    )  # fmt: skip
    return result, row


def _print_claim(result: dict[str, Any]) -> None:
    """One claim, as soon as it is decided."""
    message = result["message"]
    if len(message) > MESSAGE_WIDTH:
        message = message[: MESSAGE_WIDTH - 1] + "…"
    print(f"{result['outcome']:9}  {result['name']}: {message} [{result['seconds']:.1f} s]",
          flush=True)  # fmt: skip
