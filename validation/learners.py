r"""Training rules as gains of the eigenvalues.

Every full-batch linear rule, started from θ = 0 on φ (N×T) and labels y (T), reaches

    θ = (1/NT) g(φφᵀ/NT) φ y,        g(λ) = (1 − p(λ)) / λ,

where p is what the rule leaves of an error along an eigenvector of eigenvalue λ, and g is
its *gain*. A singular value s of φ has λ = s²/NT. Features have unit variance here; features
of variance σ_u² and ridge γ are the same model as unit variance and γ/σ_u².

| rule               | g(λ)                                            |
|--------------------|-------------------------------------------------|
| ridge γ            | 1/(λ + γ/(σ_u² N T)); γ = 0: 1/λ, and 0 at λ = 0 |
| gradient flow      | (1 − e^{−λt})/λ                                 |
| regularised flow   | (1 − e^{−(λ+z)t})/(λ+z), z = γ/(σ_u² N T)       |
| gradient descent   | (1 − (1 − ηλ)^n)/λ                              |
| heavy ball         | g_{n+1} = g_n + μ(g_n − g_{n−1}) + η(1 − λ g_n) |

One-pass SGD is not of this form (each step sees fresh data): θ_{n+1} = θ_n + (η/NB) φ_n r_n
with r_n the residuals of a batch of B fresh samples. Conventions are those of the dynamical
paper: v̇ = −(AᵀA/N)(ΨᵀΨ/P) v.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from solvable.analytic.arguments import choice, count, nonnegative, positive
from solvable.analytic.errors import InputError

Array = np.ndarray


def _tuple(name: str, values: Any, check: Any) -> tuple[Any, ...]:
    """One value or a sequence of them, each checked, as a tuple that is not empty."""
    if isinstance(values, str) or not np.iterable(values):
        values = (values,)
    values = tuple(check(name, value) for value in values)
    if not values:
        raise InputError(name, "()", "at least one value")
    return values


def _nonnegative(name: str, value: Any) -> float:
    return float(nonnegative(name, value))


def _shortest(value: float) -> str:
    """``value`` to six digits where these are all it has, else to all of them."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


@dataclass(frozen=True)
class Learner:
    """A training rule with the values of its parameter at which it is scored."""

    rule: ClassVar[str]
    parameter: ClassVar[str]

    def values(self) -> tuple[float, ...]:
        """Values of the scored parameter: ridges, times, or numbers of steps."""
        return getattr(self, f"{self.parameter}s")

    def labels(self) -> list[str]:
        """Names of the scored points, such as ``time=10``; different values, different names."""
        return [f"{self.parameter}={_shortest(value)}" for value in self.values()]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-serialisable form; `learner_from_dict` is its inverse."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in content.items()}
        return {"rule": self.rule, **plain}


class SpectralLearner(Learner):
    """A full-batch rule: a function of the eigenvalues of φφᵀ/NT."""

    def gain(self, eigenvalues: Array, scale: float) -> Array:
        """g(λ), shaped (number of values, *shape of λ); ``scale`` is σ_u² N T."""
        raise NotImplementedError


@dataclass(frozen=True)
class Ridge(SpectralLearner):
    """θ = y φᵀ (φφᵀ + γ)^{-1} at unnormalised γ; γ = 0 is the pseudo-inverse.

    >>> Ridge([0, 1]).gain(np.array([0.0, 0.5]), scale=2.0)
    array([[0., 2.],
           [2., 1.]])
    """

    ridges: tuple[float, ...] = (0.0,)
    rule: ClassVar[str] = "ridge"
    parameter: ClassVar[str] = "ridge"

    def __post_init__(self) -> None:
        object.__setattr__(self, "ridges", _tuple("ridge", self.ridges, _nonnegative))

    def gain(self, eigenvalues: Array, scale: float) -> Array:
        """1/(λ + γ/scale); at γ = 0 the null space of φ is left alone."""
        denominator = eigenvalues + np.asarray(self.ridges, float)[:, None] / scale
        inverse = np.zeros_like(denominator)
        return np.divide(1.0, denominator, out=inverse, where=denominator > 0)


@dataclass(frozen=True)
class Flow(SpectralLearner):
    """Gradient flow θ̇ = φ(y − φᵀθ)/NT − zθ with z = γ/(σ_u² N T), scored at each time.

    ``ridge`` = 0 is plain gradient flow; t → ∞ is `Ridge` of the same γ.
    """

    times: tuple[float, ...] = (1.0,)
    ridge: float = 0.0
    rule: ClassVar[str] = "flow"
    parameter: ClassVar[str] = "time"

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", _tuple("time", self.times, _nonnegative))
        object.__setattr__(self, "ridge", _nonnegative("ridge", self.ridge))

    def gain(self, eigenvalues: Array, scale: float) -> Array:
        """(1 − e^{−(λ+z)t})/(λ+z), and its limit t at λ + z = 0."""
        rates = eigenvalues + self.ridge / scale
        times = np.asarray(self.times, float)[:, None]
        gains = times * np.ones_like(rates)
        return np.divide(-np.expm1(-times * rates), rates, out=gains, where=rates > 0)


@dataclass(frozen=True)
class HeavyBall(SpectralLearner):
    """Heavy ball v_{n+1} = v_n + μ(v_n − v_{n−1}) − ηφφᵀ/NT v_n, from rest (v_{−1} = v_0)."""

    steps: tuple[int, ...] = (1,)
    rate: float = 1.0
    momentum: float = 0.0
    rule: ClassVar[str] = "heavy-ball"
    parameter: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        _check_steps(self)
        object.__setattr__(self, "momentum", _nonnegative("momentum", self.momentum))
        if self.momentum >= 1:
            raise InputError("momentum", self.momentum, "a number in [0, 1)")

    def gain(self, eigenvalues: Array, scale: float) -> Array:
        """The two-term recursion of the gain, run once up to the largest step."""
        before = current = np.zeros_like(eigenvalues)
        gains = np.zeros((len(self.steps), *eigenvalues.shape))
        for step in range(1, max(self.steps) + 1):
            push = self.rate * (1 - eigenvalues * current)
            before, current = current, current + self.momentum * (current - before) + push
            for index in np.flatnonzero(np.equal(self.steps, step)):
                gains[index] = current
        return gains


@dataclass(frozen=True)
class GradientDescent(SpectralLearner):
    """Gradient descent θ_{n+1} = θ_n + (η/NT) φ(y − φᵀθ_n), scored after each number of steps."""

    steps: tuple[int, ...] = (1,)
    rate: float = 1.0
    rule: ClassVar[str] = "gradient-descent"
    parameter: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        _check_steps(self)

    def gain(self, eigenvalues: Array, scale: float) -> Array:
        """(1 − (1 − ηλ)^n)/λ, without cancellation at small ηλ, and its limit nη at λ = 0."""
        steps = np.asarray(self.steps, float)[:, None]
        shrink = self.rate * eigenvalues
        slow = np.where(shrink < 0.5, shrink, 0.0)
        left = np.where(shrink < 0.5, np.expm1(steps * np.log1p(-slow)), (1 - shrink) ** steps - 1)
        gains = steps * self.rate * np.ones_like(shrink)
        return np.divide(-left, eigenvalues, out=gains, where=eigenvalues > 0)


@dataclass(frozen=True)
class OnePassSGD(Learner):
    """Stochastic gradient descent on fresh batches, scored after each number of steps."""

    steps: tuple[int, ...] = (1,)
    rate: float = 1.0
    batch: int = 1
    rule: ClassVar[str] = "one-pass-sgd"
    parameter: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        _check_steps(self)
        count("batch", self.batch)


def _check_steps(learner: Any) -> None:
    """Numbers of steps are counts (0 allowed), the learning rate is positive."""

    def step(name: str, value: Any) -> int:
        return count(name, value, at_least=0)

    object.__setattr__(learner, "steps", _tuple("step", learner.steps, step))
    object.__setattr__(learner, "rate", float(positive("rate", learner.rate)))


LEARNERS: dict[str, type[Learner]] = {
    kind.rule: kind for kind in (Ridge, Flow, GradientDescent, HeavyBall, OnePassSGD)
}


def learner_from_dict(content: Mapping[str, Any]) -> Learner:
    """Inverse of `Learner.to_dict`; an unknown rule or parameter is an `InputError`.

    >>> learner_from_dict({"rule": "flow", "times": [1, 10]})
    Flow(times=(1.0, 10.0), ridge=0.0)
    """
    values = dict(content)
    kind = LEARNERS[choice("rule", values.pop("rule", None), LEARNERS)]
    known = [field.name for field in fields(kind)]
    for name in values:
        choice(f"parameter of {kind.rule}", name, known)
    return kind(**values)
