"""The catalogue: every derivation by name, built when it is asked for.

A module of derivations registers a function that builds one:

    @derivation("static-loss", "The loss of ridge regression on random features",
                Reference("solvable-model", "163"))
    def static_loss() -> Parts: …

The function's docstring is the summary; it returns the steps and the conclusion.
"""

from __future__ import annotations

import copyreg
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from solvable.analytic.arguments import meant
from solvable.analytic.errors import InputError

from .bibliography import Reference
from .derivation import Derivation, Step

#: the rooms in the order of the catalogue; each names the order of its modules, others follow
ROOMS = (
    "solvable_model", "matrices", "dynamical_model", "relatives", "data_and_maps", "finite_pools",
)  # fmt: skip


def modules() -> list[str]:
    """The modules of all rooms: first those that a room orders (its ``ORDER``), then the others."""
    found = []
    for room in ROOMS:
        package = importlib.import_module(f"{__package__}.{room}")
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        ordered = [*package.ORDER, *sorted(set(names) - set(package.ORDER))]
        found += [f"{package.__name__}.{name}" for name in ordered]
    return found


@dataclass(frozen=True)
class Parts:
    """What a building function returns."""

    steps: Sequence[Step]
    conclusion: Any
    assumptions: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Entry:
    """What is known of a derivation before it is built."""

    name: str
    title: str
    summary: str
    references: tuple[Reference, ...]
    build: Callable[[], Parts] = field(repr=False)


_entries: dict[str, Entry] = {}


def derivation(
    name: str, title: str, *references: Reference
) -> Callable[[Callable[[], Parts]], Callable[[], Parts]]:
    """Register the decorated function as the derivation ``name``."""

    def register(build: Callable[[], Parts]) -> Callable[[], Parts]:
        if name in _entries:
            raise ValueError(f"two derivations are called {name}")
        summary = " ".join((build.__doc__ or "").split())
        _entries[name] = Entry(name, title, summary, references, build)
        return build

    return register


@cache
def entries() -> dict[str, Entry]:
    """All entries of the catalogue, in the order of its modules."""
    place = {module: index for index, module in enumerate(modules())}
    for module in place:
        importlib.import_module(module)
    ordered = sorted(_entries.values(), key=lambda entry: place.get(entry.build.__module__, 0))
    return {entry.name: entry for entry in ordered}


def names() -> list[str]:
    """The names of all derivations."""
    return list(entries())


def _reduced(derivation: Derivation) -> Any:
    """A derivation of the catalogue travels by its name: its checks are functions."""
    if derivation.name in entries() and load(derivation.name) is derivation:
        return load, (derivation.name,)
    return object.__reduce_ex__(derivation, 4)


copyreg.pickle(Derivation, _reduced)


@cache
def load(name: str) -> Derivation:
    """Build the derivation called ``name``."""
    if name not in entries():
        raise InputError("NAME", name, "a name that `solvable list` prints" + meant(name, names()))
    entry = entries()[name]
    parts = entry.build()
    return Derivation(
        name, entry.title, entry.summary, tuple(parts.steps), parts.conclusion,
        entry.references, tuple(parts.assumptions), tuple(parts.notes),
    )  # fmt: skip
