r"""What a training rule is: its name, its parameters, and its losses or its filter.

A rule has a name, parameters (the fields of its class, which say how they are checked and what
they are), and its class is found by its name in `RULES`: in JSON, on the command line, and in the
tests, which run every rule at its `example`. Where a rule is scored (times, numbers of steps,
ridges) belongs to what uses it. A subclass is a new rule; `learners` holds those of the papers.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from .. import arguments
from ..errors import InputError
from ..spectrum import Spectrum
from .convolution import Circle
from .preconditioner import scaled

RULES: dict[str, type[Learner]] = {}  #: every rule by its name


def about(
    check: Any, text: str, plain: Callable[[Any], Any] = float, *, listed: bool = False
) -> dict[str, Any]:
    """Of a parameter of a rule: ``check(name, value)``, what it is, and its type in JSON.

    Where it is ``listed`` it may be several values, one for each step.
    """
    return {"check": check, "help": text, "plain": plain, "listed": listed}


def finite(name: str, value: Any) -> Any:
    """A finite number."""
    if not abs(arguments.number(name, value)) < math.inf:
        raise InputError(name, value, "a finite number")
    return value


def below_one(name: str, value: Any) -> Any:
    """A number in [0, 1)."""
    if not arguments.nonnegative(name, value) < 1:
        raise InputError(name, value, "a number in [0, 1)")
    return value


@dataclass(frozen=True)
class Quadrature:
    """p_t(λ) = 2 Re Σ_i w_i(t)/(z_i + λ) for the times with the given indices.

    ``index`` *(k,)*; ``paths``, the nodes z in the upper half-plane as one or more paths along
    which neighbours are close, n nodes in all; ``weights`` *(k, n)*; ``circle``, if the contour
    is one.
    """

    index: np.ndarray
    paths: tuple[np.ndarray, ...]
    weights: np.ndarray
    circle: Circle | None = None

    @property
    def z(self) -> np.ndarray:
        """All nodes, *(n,)*."""
        return np.concatenate(self.paths)


@dataclass(frozen=True)
class Learner:
    """A training rule; ``scored`` is what its losses are a function of.

    ``fresh`` rules never see a sample twice: they have no training loss, and T = ∞.
    """

    rule: ClassVar[str]
    scored: ClassVar[Literal["time", "step", "ridge"]]
    example: ClassVar[tuple[float, ...]] = ()
    fresh: ClassVar[bool] = False
    preconditioner = 0  # the exponent s of features that are scaled by λ^{s/2}

    def __init_subclass__(cls) -> None:
        if "rule" in cls.__dict__:
            RULES[cls.rule] = cls

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not item.metadata["listed"]:
                value = arguments.one(item.name, value)
                object.__setattr__(self, item.name, value)
            item.metadata["check"](item.name, value)

    @property
    def discrete(self) -> bool:
        """Whether time is counted in steps."""
        return self.scored == "step"

    def check_times(self, times: Sequence[Any]) -> None:
        """`InputError` unless all times are allowed: ≥ 0, and whole numbers of steps."""
        for time in times:
            arguments.nonnegative(f"{self.scored}s", time)
            if self.discrete and time != int(time):
                raise InputError("times", time, "whole numbers of steps")

    def check_samples(self, samples: Any) -> None:
        """`InputError` for finitely many samples of a rule that sees none twice."""
        if self.fresh and not np.all(np.isinf(np.asarray(samples, float))):
            raise InputError("samples", samples, "inf with fresh data: no sample is seen twice")

    def seen(self, spectrum: Spectrum) -> Spectrum:
        """The spectrum that the rule learns: a diagonal preconditioner p makes λ → pλ.

        With P the preconditioner, v̇ = −P^{1/2}KP^{1/2}Σv is the plain flow of P^{−1/2}v on data of
        covariance PΛ, whose target power w²λ and loss Σ λv² are the same.
        """
        return spectrum if self.preconditioner == 0 else scaled(spectrum, self.preconditioner)

    def critical_step(self, spectrum: Spectrum, features: float, samples: float) -> float:
        """The step size above which the rule diverges."""
        return math.inf

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-serialisable form; `learner_from_dict` is its inverse."""
        values = {x.name: x.metadata["plain"](getattr(self, x.name)) for x in fields(self)}
        return {"rule": self.rule, **values}


def learner_from_dict(content: Mapping[str, Any]) -> Learner:
    """Inverse of `Learner.to_dict`; an unknown rule or parameter is an `InputError`.

    >>> from solvable.analytic.training import learners
    >>> learner_from_dict({"rule": "momentum", "step": 1, "momentum": 0.5})
    HeavyBall(step=1, momentum=0.5)
    """
    values = dict(content)
    kind = RULES[arguments.choice("rule", values.pop("rule", None), RULES)]
    for name in values:
        arguments.choice(f"parameter of {kind.rule}", name, [x.name for x in fields(kind)])
    return kind(**values)


class Model(Protocol):
    """What the losses of a rule that is no filter depend on: sizes, noise, arithmetic."""

    spectrum: Spectrum
    features: Any
    samples: Any
    noise: Any
    mp: bool


class Filter(Learner):
    """A rule that is a filter: its gain, and contours of what it leaves of an error."""

    @abstractmethod
    def gain(self, eigenvalue: Any, times: Any) -> np.ndarray:
        """g_t(λ) = (1 − p_t(λ))/λ without cancellation, broadcasting in float64."""

    def residual(self, eigenvalue: Any, times: Any) -> np.ndarray:
        """p_t(λ) = 1 − λ g_t(λ), broadcasting in float64.

        >>> from solvable.analytic.training.learners import HeavyBall
        >>> HeavyBall(step=0.5, momentum=0.5).residual(1.0, [0, 1, 2])
        array([1. , 0.5, 0. ])
        """
        return 1 - np.asarray(eigenvalue, float) * self.gain(eigenvalue, times)

    @abstractmethod
    def quadratures(
        self, times: np.ndarray, accuracy: Any, critical: float, *, mp: bool = False
    ) -> list[Quadrature]:
        """Contours for all positive ``times``; ``critical`` is the critical step size."""
