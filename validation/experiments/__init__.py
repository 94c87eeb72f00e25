"""One named experiment per figure or claim of the source texts.

`names` lists them and `load` gives one; the modules are imported when they are asked for. A module
listed here contributes every experiment that it declares.
"""

from __future__ import annotations

import importlib
from functools import cache

from solvable.analytic.errors import InputError

from .experiment import Experiment

MODULES = (
    "spectra",
    "ridgeless_curves",
    "breakdown",
    "regularised",
    "training_curves",
    "bottlenecks",
    "averaging",
    "stochastic_descent",
)


@cache
def catalogue() -> dict[str, Experiment]:
    """All experiments by name, in the order of the modules."""
    found: dict[str, Experiment] = {}
    for module in MODULES:
        for value in vars(importlib.import_module(f"{__name__}.{module}")).values():
            if isinstance(value, Experiment):
                if value.name in found:
                    raise ValueError(f"two experiments are called {value.name}")
                found[value.name] = value
    return found


def names() -> list[str]:
    """The names of all experiments."""
    return list(catalogue())


def load(name: str) -> Experiment:
    """The experiment of that name.

    >>> load("ridgeless-against-samples").source
    'solvable-model paper, eq. (163) and the figures of its section 3'
    """
    if name not in catalogue():
        raise InputError("name", repr(name), "one of " + ", ".join(catalogue()))
    return catalogue()[name]
