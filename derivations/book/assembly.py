"""Records put together: numbers of chapters, results and equations, and where each is displayed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from solvable.validation import writing

from .. import catalogue
from .chapters import Chapter, chapters
from .fingerprint import fingerprint
from .record import Record, record

CACHE = ".cache"


@dataclass(frozen=True)
class Book:
    """Chapters of records, and the names of symbols that were changed."""

    chapters: tuple[tuple[Chapter, tuple[Record, ...]], ...]
    names: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def records(self) -> dict[str, Record]:
        """All records by name."""
        return {record["name"]: record for _, found in self.chapters for record in found}

    @cached_property
    def numbers(self) -> dict[str, str]:
        """The number of each result: chapter and place in it."""
        return {
            record["name"]: f"{c}.{r}"
            for c, (_, found) in enumerate(self.chapters, 1)
            for r, record in enumerate(found, 1)
        }

    @cached_property
    def displayed(self) -> dict[str, str]:
        """Where the claim of each step is displayed: its own id, or that of an equal one before.

        A claim is displayed once in a chapter, at the first result that has it: in the conclusion
        if it is there, else in its step.
        """
        found: dict[str, str] = {}
        for _, records in self.chapters:
            seen: dict[str, str] = {}
            for one in records:
                own = {step["name"]: step for step in one["steps"] if not step["supports"]}
                first = [c["step"] for c in one["conclusion"] if c["step"]]
                for name in [*first, *(name for name in own if name not in first)]:
                    place = f"{one['name']}/{name}"
                    found[place] = seen.setdefault(own[name]["latex"], place)
                for index, relation in enumerate(one["conclusion"]):
                    if not relation["step"]:
                        place = f"{one['name']}/conclusion-{index + 1}"
                        found[place] = seen.setdefault(relation["latex"], place)
        return found

    def equation(self, place: str) -> str:
        """The number of an equation: chapter, result, step."""
        name, _, step = place.partition("/")
        if step.startswith("conclusion-"):
            count = 1 + max(s["number"] for s in self.records[name]["steps"])
            return f"{self.numbers[name]}.{count}"
        steps = {s["name"]: s for s in self.records[name]["steps"]}
        return f"{self.numbers[name]}.{steps[step]['number']}"

    def place(self, name: str, step: str) -> str:
        """Where the claim of a step, or that which it supports, is displayed."""
        found = next(s for s in self.records[name]["steps"] if s["name"] == step)
        return self.displayed[f"{name}/{found['supports'] or step}"]

    def outcomes(self) -> dict[str, int]:
        """How many checks passed, failed, stayed undecided."""
        every = [s["outcome"] for one in self.records.values() for s in one["steps"]]
        return {word: every.count(word) for word in ("pass", "fail", "undecided")}


def build(
    folder: Path,
    wanted: Sequence[str],
    executor: Executor,
    names: Mapping[str, str] | None = None,
    advance: Callable[[str], None] = lambda name: None,
) -> Book:
    """The book of these derivations; records that are in the folder and up to date are taken.

    ``advance`` is called with each name when its record is there.
    """
    entries = catalogue.entries()
    with writing.folder(folder / CACHE, "--to") as kept:
        found = _records(kept, wanted, executor, names, advance)
    rooms = {name: entries[name].build.__module__.split(".")[-2] for name in wanted}
    made = tuple((c, tuple(found[name] for name in c.names)) for c in chapters(rooms))
    return Book(made, names or {})


def _records(
    kept: Path, wanted: Sequence[str], executor: Executor, names: Mapping[str, str] | None,
    advance: Callable[[str], None],
) -> dict[str, Record]:  # fmt: skip
    """The records by name: those that are kept and up to date, the others made and kept."""
    paths = {name: kept / f"{name}-{_state(name, names)}.json" for name in wanted}
    found: dict[str, Record] = {}
    for name, path in paths.items():
        one = _read(path)
        if one is not None:
            found[name] = one
            advance(name)
    missing = sorted(set(wanted) - set(found), key=lambda name: -_seconds(kept, name))
    futures = {executor.submit(record, name, names): name for name in missing}
    for future in as_completed(futures):
        name = futures[future]
        found[name] = future.result()
        writing.write_text(paths[name], json.dumps(found[name], ensure_ascii=False), "--to")
        for old in {*kept.glob(f"{name}-{'?' * 20}.json")} - {paths[name]}:
            old.unlink()
        advance(name)
    return found


def _state(name: str, names: Mapping[str, str] | None) -> str:
    """What a record depends on: the code of its derivation and of records, and the names."""
    own = fingerprint(
        catalogue.entries()[name].build.__module__, name, repr(sorted((names or {}).items()))
    )
    return fingerprint(f"{__package__}.record", own)


def _read(path: Path) -> Record | None:
    """A kept record; None if there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "steps" in found else None


def _seconds(kept: Path, name: str) -> float:
    """How long the record took the last time, to begin with the longest."""
    old = (_read(path) for path in kept.glob(f"{name}-{'?' * 20}.json"))
    return next((float(one["seconds"]) for one in old if one), 0.0)


def walk(book: Book) -> Iterator[tuple[Chapter, Record]]:
    """All results with their chapters."""
    for chapter, records in book.chapters:
        for one in records:
            yield chapter, one
