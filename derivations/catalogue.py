"""The catalogue: every derivation by name, built when it is asked for.

A module of derivations registers a function that builds one:

    @derivation("static-loss", "The loss of ridge regression on random features",
                Reference("solvable-model", "163"))
    def static_loss() -> Parts: …

The function's docstring is the summary; it returns the steps and the conclusion.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import sympy as sp

from solvable.analytic.errors import InputError

from .bibliography import Reference
from .derivation import Derivation, Step

MODULES = (
    "solvable.derivations.solvable_model.regression",
    "solvable.derivations.solvable_model.self_consistent_kernel",
    "solvable.derivations.solvable_model.regression_loss",
    "solvable.derivations.solvable_model.ridgeless",
    "solvable.derivations.solvable_model.optimal_regularisation",
    "solvable.derivations.solvable_model.data_spectrum",
    "solvable.derivations.matrices.random_matrices",
    "solvable.derivations.dynamical_model.mean_field",
    "solvable.derivations.dynamical_model.cavity",
    "solvable.derivations.dynamical_model.static_limit",
    "solvable.derivations.dynamical_model.early_time",
    "solvable.derivations.dynamical_model.generalisation_gap",
    "solvable.derivations.dynamical_model.ensembles",
    "solvable.derivations.dynamical_model.white_spectrum",
    "solvable.derivations.dynamical_model.optimisers",
    "solvable.derivations.dynamical_model.scaling_laws",
    "solvable.derivations.dynamical_model.dimension_free",
    "solvable.derivations.relatives.dynamical_relatives",
    "solvable.derivations.relatives.limiting_forms",
    "solvable.derivations.relatives.competing_poles",
    "solvable.derivations.relatives.equiparameterisation",
    "solvable.derivations.relatives.static_relatives",
)


@dataclass(frozen=True)
class Parts:
    """What a building function returns."""

    steps: Sequence[Step]
    conclusion: sp.Basic
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
    for module in MODULES:
        importlib.import_module(module)
    place = {module: index for index, module in enumerate(MODULES)}
    ordered = sorted(_entries.values(), key=lambda entry: place.get(entry.build.__module__, 0))
    return {entry.name: entry for entry in ordered}


def names() -> list[str]:
    """The names of all derivations."""
    return list(entries())


@cache
def load(name: str) -> Derivation:
    """Build the derivation called ``name``."""
    if name not in entries():
        raise InputError("NAME", name, "a name that `solvable list` prints" + _hint(name))
    entry = entries()[name]
    parts = entry.build()
    return Derivation(
        name, entry.title, entry.summary, tuple(parts.steps), parts.conclusion,
        entry.references, tuple(parts.assumptions), tuple(parts.notes),
    )  # fmt: skip


def _hint(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, names(), n=3)
    return f" (did you mean {', '.join(close)}?)" if close else ""
