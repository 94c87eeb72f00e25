r"""A cell: one point of an experiment, as plain data.

A cell says everything that determines the law of a simulated number: the spectrum, N, T, the
training rule and where it is scored, the noise, the laws of the entries, the arithmetic. It is
frozen, picklable, and goes to JSON and back; `Cell.key` is a hash of that JSON, the same in
every process and on every machine. Finished cells are stored under it, and the seeds of a cell
are spawned from it (`validation.sweep.seed_sequence`), so the numbers of a cell depend neither
on the grid it is part of nor on who computes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, wraps
from typing import Any

import numpy as np

from solvable.analytic.arguments import choice, count, nonnegative, positive
from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import Spectrum
from solvable.analytic.spectrum import from_dict as spectrum_from_dict
from solvable.analytic.training.learners import OnePassSGD, RidgeRegression
from solvable.analytic.training.training_rule import Learner, learner_from_dict

from .entry_laws import EntryLaw

#: from as many features on, SGD on fresh samples trains the modes themselves
UNLIMITED = 10**9


def _shortest(value: float) -> str:
    """``value`` to six digits where these are all it has, else to all of them."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


@dataclass(frozen=True)
class Cell:
    r"""One point of an experiment; each field below enters the key.

    Parameters
    ----------
    spectrum : eigenvalues λ_J and target power w_J²λ_J, finitely many modes.
    features, samples : N and T.
    learner : training rule, of `analytic.training.learners`.
    at : where the rule is scored: times, numbers of steps, or ridges γ (not normalised).
    noise : σ_ε², variance of the label noise; its average is taken in closed form.
    feature_variance : σ_u² (enters only with a ridge).
    feature_law, data_law : laws of the standardised entries of u and of x/√λ.
    targets : "average" over independent w_J of the spectrum's variances, in closed form; "fixed"
        w_J, the roots of these variances; or a number of Gaussian targets to draw and average.
    feature_draws, data_draws : E members that differ in their features (same data), or B in
        their data (same features); their predictions are averaged (ensembling, bagging).
    dtype : arithmetic of the entries and of the products, "float64" or "float32".

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> cell = Cell(PowerLaw(alpha=0.5, size=300), features=20, samples=40)
    >>> Cell.from_dict(cell.to_dict()) == cell
    True
    """

    spectrum: Spectrum
    features: int
    samples: int
    learner: Learner = field(default_factory=RidgeRegression)
    at: tuple[float, ...] = (0.0,)
    noise: float = 0.0
    feature_variance: float = 1.0
    feature_law: EntryLaw = field(default_factory=EntryLaw)
    data_law: EntryLaw = field(default_factory=EntryLaw)
    targets: int | str = "average"
    feature_draws: int = 1
    data_draws: int = 1
    dtype: str = "float64"

    def __post_init__(self) -> None:
        count("size", self.spectrum.size)
        for name in ("features", "samples", "feature_draws", "data_draws"):
            object.__setattr__(self, name, count(name, getattr(self, name)))
        if self.targets not in ("average", "fixed"):
            if isinstance(self.targets, str):
                raise InputError("targets", repr(self.targets), "average, fixed or a count")
            object.__setattr__(self, "targets", count("targets", self.targets))
        object.__setattr__(self, "noise", float(nonnegative("noise", self.noise)))
        variance = float(positive("feature_variance", self.feature_variance))
        object.__setattr__(self, "feature_variance", variance)
        at = tuple(float(value) for value in np.atleast_1d(np.asarray(self.at, float)))
        if not at:
            raise InputError("at", "()", f"at least one {self.learner.scored}")
        self.learner.check_times(at)
        object.__setattr__(self, "at", at)
        if isinstance(self.learner, OnePassSGD) and not (
            self.learner.memoryless or self.learner.steps
        ):
            steps = max(1, int(max(at)))  # of its schedules, whichever of the times is asked for
            object.__setattr__(self, "learner", replace(self.learner, steps=steps))
        choice("dtype", self.dtype, ("float64", "float32"))
        if self.feature_law.name == "elliptical":
            raise InputError("feature_law", "elliptical", "a law of independent entries")
        if isinstance(self.learner, OnePassSGD):
            if self.feature_draws * self.data_draws > 1:
                raise InputError("feature_draws, data_draws", "more than 1", "1 for SGD")
            self.learner.noise(self.samples)  # a batch larger than the samples is refused
            if self.learner.fresh and self.learner.batch == float("inf"):
                raise InputError("batch", "inf", "a finite number of fresh samples, to be drawn")
            if self.targets == "average":
                raise InputError("targets", "average", "fixed or a count for SGD")

    @property
    def explicit_targets(self) -> int:
        """Number D of targets held explicitly: 1 for the fixed one."""
        return self.targets if isinstance(self.targets, int) else 1

    @property
    def weights(self) -> int:
        """Number of weights of SGD on fresh samples: N, or M where features are `UNLIMITED`."""
        return self.spectrum.size if self.features >= UNLIMITED else self.features

    def sizes(self) -> str:
        """N, T and M in words."""
        return f"N = {self.features}, T = {self.samples}, M = {self.spectrum.size}"

    def labels(self) -> list[str]:
        """Names of the scored points, such as ``time=10``; different values, different names."""
        return [f"{self.learner.scored}={_shortest(value)}" for value in self.at]

    def scored(self) -> np.ndarray:
        """``at`` in the units of the eigenvalues of φφᵀ/(σ_u²NT): ridges over σ_u²NT."""
        unit = self.feature_variance * self.features * self.samples
        return np.array(self.at) / (unit if self.learner.scored == "ridge" else 1)

    def observables(self) -> list[str]:
        """Names of the simulated numbers: test and training loss at each scored point.

        The training loss is that of the averaged predictor on the data of all draws; with fresh
        batches there is no such thing and only the test loss is listed.
        """
        losses = ["excess_loss"]
        if not self.learner.fresh:
            losses.append("train_loss")
        return [f"{loss}[{label}]" for loss in losses for label in self.labels()]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-serialisable form; `Cell.from_dict` is its inverse."""
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        plain = {k: v.to_dict() if hasattr(v, "to_dict") else v for k, v in content.items()}
        return {**plain, "at": list(self.at)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Cell:
        """Inverse of `Cell.to_dict`."""
        values = dict(content)
        for name in values:
            choice("field of a cell", name, [item.name for item in fields(cls)])
        for name in ("spectrum", "features", "samples"):
            if name not in values:
                raise InputError(name, None, "a value")
        values["spectrum"] = spectrum_from_dict(values["spectrum"])
        if "learner" in values:
            values["learner"] = learner_from_dict(values["learner"])
        for name in ("feature_law", "data_law"):
            if name in values:
                values[name] = EntryLaw(**values[name])
        return cls(**values)

    @cached_property
    def key(self) -> str:
        """Hash of the cell's content, 32 hexadecimal digits, the same everywhere."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def with_irreducible(run: Callable[..., dict[str, float]]) -> Callable[..., dict[str, float]]:
    """A simulation (cell, seed, …) → observables that knows of target power on no mode.

    The data do not show where it comes from: it is noise of the labels, and error on any test.
    """

    @wraps(run)
    def simulated(cell: Cell, *others: Any, **options: Any) -> dict[str, float]:
        hidden = float(cell.spectrum.irreducible)
        if not hidden:
            return run(cell, *others, **options)
        values = run(replace(cell, noise=cell.noise + hidden), *others, **options)
        return {k: v + hidden * k.startswith("excess_loss") for k, v in values.items()}

    return simulated
