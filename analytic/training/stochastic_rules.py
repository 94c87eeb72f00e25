r"""Stochastic gradient descent as training rules: fresh samples at every step, or reused ones.

Their mean loss is no filter but a quotient of generating functions (`stochastic_gradient`) of fresh
samples at a constant step, with constant momentum or none, and else followed on complex modes
(`scheduled_training`). What may change from step to step is given as text, ``name:option=value,…``
of `schedules`, or as a list of numbers, one a step, with which the parameter it belongs to (the
largest rate) plays no part.

Constant momentum β is as good as batches of B(1 − β)/(1 + β) at the step η/(1 + β): the noise of a
step comes back from a mode as Σ_j h_j² = (1 + β)/((1 − β)ηx(2(1 + β) − ηx)) of its square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar

import mpmath
import numpy as np

from .. import arguments
from ..errors import InputError, PrecisionError
from ..spectrum import Spectrum
from .reshuffled_epochs import reshuffled_epochs
from .scheduled_training import FEWEST, ScheduledLoss, scheduled_dynamics
from .schedules import averaging, fractions, given_schedule
from .stability import critical_sgd_step
from .stochastic_gradient import BatchNoise, MeanLoss, batch_noise, growth_factor
from .training_rule import Learner, Model, about, below_one, finite

CONSTANT = "constant"
CHANGING = ("schedule", "batch_schedule", "momentum_schedule", "pull_schedule")
EPOCH_ACCURACY = 1e-11  # relative, of the fixed point on the grid of steps


def _truth(name: str, value: Any) -> bool:
    return arguments.truth(name, value)


def _batch(name: str, value: Any) -> Any:
    """A number of samples, or infinity: all."""
    return value if value == math.inf else arguments.count(name, value)


def _whole_or_all(value: Any) -> Any:
    return value if value == math.inf else int(value)


def changing(name: str, value: Any) -> Any:
    """Text that names a schedule, or numbers ≥ 0, one a step."""
    if isinstance(value, str):
        given_schedule(name, value, 1.0, 10)
        return value
    values = np.asarray(arguments.nonnegative(name, value), float)
    if values.ndim != 1 or not values.size:
        raise InputError(name, f"an array of shape {values.shape}", "one value a step")
    return tuple(values.tolist())


def as_text_or_list(value: Any) -> Any:
    """A schedule in JSON."""
    return value if isinstance(value, str) else list(value)


def _length(name: str, value: Any) -> int:
    return arguments.count(name, value, at_least=0)


def _average(name: str, value: Any) -> Any:
    averaging(value, 10)
    return value


def _changes(of: str) -> dict[str, Any]:
    text = f"how the {of} changes: NAME[:OPTION=X,…], or one value a step"
    return about(changing, text, as_text_or_list, listed=True)


@dataclass(frozen=True)
class OnePassSGD(Learner):
    """v_{n+1} = v_n − η × gradient on ``batch`` fresh Gaussian samples: no filter.

    The theory is exact in the mean over the samples at any batch size (`stochastic_gradient`).
    Beyond about half the critical step that mean is not typical: the loss is a product of random
    factors, heavy-tailed over seeds, and its mean is carried by rare ones (B = 1 at 0.9 of the
    critical step: mean 0.41, median 0.27). `validation.stochastic` simulates the median.

    ``step`` η > 0, ``batch`` B ≥ 1 samples. Raises `InputError` for others, and `dynamics` one for
    finite ``samples``. Source: dynamical paper, eqs. (16), (142)–(144); arXiv:2502.05074.

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> float(OnePassSGD(0.3).critical_step(PowerLaw(exponent=2), math.inf, math.inf).round(3))
    0.611
    >>> OnePassSGD(0.3, 8, schedule="cosine:final=0.1", momentum=0.5).memoryless
    False
    """

    step: Any = field(metadata=about(arguments.positive, "step size η"))
    batch: Any = field(default=1, metadata=about(_batch, "samples in a batch", _whole_or_all))
    schedule: Any = field(default=CONSTANT, kw_only=True, metadata=_changes("step size"))
    steps: Any = field(default=0, kw_only=True, metadata=about(
        _length, "steps of the schedules; 0: up to the last one that is scored", int))  # fmt: skip
    batch_schedule: Any = field(default=CONSTANT, kw_only=True, metadata=_changes("batch"))
    momentum: Any = field(
        default=0, kw_only=True, metadata=about(below_one, "momentum β in [0, 1)")
    )
    momentum_schedule: Any = field(default=CONSTANT, kw_only=True, metadata=_changes("momentum"))
    decay: Any = field(default=0, kw_only=True, metadata=about(
        arguments.nonnegative, "rate γ/(NT) of weight decay"))  # fmt: skip
    average: Any = field(default="none", kw_only=True, metadata=about(
        _average, "score an average of the iterates: polyak, tail:start=X, ema:rate=X",
        str))  # fmt: skip
    preconditioner: Any = field(default=0, kw_only=True, metadata=about(
        finite, "exponent s of the preconditioner λ^s"))  # fmt: skip
    pull: Any = field(default=0, kw_only=True, metadata=about(
        arguments.nonnegative, "γ₃ of dimension-adapted momentum, if not 0"))  # fmt: skip
    pull_schedule: Any = field(default=CONSTANT, kw_only=True, metadata=_changes("γ₃"))
    forgetting: Any = field(default=1, kw_only=True, metadata=about(
        arguments.nonnegative,
        "δ of dimension-adapted momentum, which forgets δ/(1 + n) a step"))  # fmt: skip
    rule: ClassVar[str] = "sgd"
    scored = "step"
    example: ClassVar[tuple[float, ...]] = (0.3, 8)
    fresh = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in CHANGING:
            object.__setattr__(self, name, changing(name, getattr(self, name)))
        if self.pull and (self.momentum or self.decay):
            raise InputError("pull", self.pull, "0 with momentum or weight decay")
        for name, unused in (("pull_schedule", CONSTANT), ("forgetting", 1)):
            if not self.pull and getattr(self, name) != unused:
                raise InputError(name, getattr(self, name), "nothing without a pull")
        if not isinstance(self.batch_schedule, str):
            for size in self.batch_schedule:
                arguments.count("batch_schedule", size)

    @property
    def steady(self) -> bool:
        """Whether all steps are alike, but for what is averaged."""
        return not self.pull and all(getattr(self, name) == CONSTANT for name in CHANGING)

    @property
    def horizon(self) -> float:
        """How many steps the schedules have; 0 if that depends on what is scored, ∞ if steady."""
        if not self.steps and (self._named or self.average.startswith("tail")):
            return 0
        return min([*self._lengths.values(), int(self.steps) or math.inf])

    @property
    def _named(self) -> bool:
        """Whether something changes by a schedule that has a name, and no length of its own."""
        schedules = [getattr(self, name) for name in CHANGING]
        return any(isinstance(each, str) and each != CONSTANT for each in schedules)

    @property
    def _lengths(self) -> dict[str, int]:
        """The numbers of values of what is given step by step."""
        schedules = {name: getattr(self, name) for name in CHANGING}
        return {name: len(x) for name, x in schedules.items() if not isinstance(x, str)}

    @property
    def memoryless(self) -> bool:
        """Whether it is the same step without memory again and again, scored at its end."""
        return self.steady and not (self.momentum or self.decay or self.average != "none")

    @property
    def plain(self) -> bool:
        """Whether the loss is a quotient of generating functions: with momentum, too."""
        return self.steady and not self.decay and self.average == "none"

    def noise(self, samples: Any, *, mp: bool = False, step: Any = None) -> BatchNoise:
        """Curvature and strength of the noise of the gradients, at the rule's step or another."""
        step = self.step if step is None else step
        found = batch_noise(_number(step, mp), _number(self.batch, mp))
        return replace(found, momentum=_number(self.momentum, mp)) if self.momentum else found

    def critical_step(self, spectrum: Spectrum, features: float, samples: float) -> float:
        """The step size above which the noise of the gradients amplifies itself.

        Infinity, not known, for weight decay and where steps are not alike.
        """
        self.check_samples(samples)
        if not self.steady or self.decay:
            return math.inf
        beta = float(self.momentum)
        one, more = self.noise(samples, step=1), (1 + beta) / (1 - beta)
        noise = BatchNoise(one.step, 1 + (one.curvature - 1) * more, one.strength * more)
        found = critical_sgd_step(spectrum, features, samples, noise.curvature, noise.degrees)
        return (1 + beta) * found

    def growth_rate(
        self, spectrum: Spectrum, features: float, samples: float, critical: float
    ) -> float:
        """The rate at which the logarithm of the loss grows per step, if it does; 0: not known."""
        if not self.plain:
            return 0.0
        return math.log(growth_factor(spectrum, features, samples, self.noise(samples)))

    def schedules(self, last: float) -> dict[str, Any]:
        """What changes from step to step, as arguments of `scheduled_dynamics`, for its steps."""
        until = f"{last:.0f}, the last of the times"
        for name, length in self._lengths.items():
            if length < last:
                raise InputError(name, f"{length} values", f"one a step, up to step {until}")
        if self._named and 0 < self.steps < last:
            raise InputError("steps", self.steps, f"at least {until}")
        steps = int(self.steps) or max(1, int(last))
        made = {
            name: given_schedule(name, getattr(self, other), float(getattr(self, name)), steps)
            for name, other in (
                ("step", "schedule"), ("batch", "batch_schedule"), ("momentum", "momentum_schedule")
            )
        }  # fmt: skip
        out: dict[str, Any] = {"rates": made["step"], "batch": made["batch"]}
        out["momentum"] = made["momentum"] if self.momentum or self.has_momenta else 0.0
        out["average"] = averaging(self.average, steps)
        if self.pull:
            out["pull"] = given_schedule("pull", self.pull_schedule, float(self.pull), steps)
            out["forgetting"] = fractions(float(self.forgetting), steps)
        return out

    def largest_batch(self, last: int) -> int:
        """The most samples in a batch of the first ``last`` steps."""
        values = self.schedules(last)["batch"]
        return math.ceil(float(np.max(values.sampled())))

    @property
    def has_momenta(self) -> bool:
        """Whether the momenta are given one by one."""
        return not isinstance(self.momentum_schedule, str)

    def follow(
        self, spectrum: Spectrum, features: float, samples: float, times: Any, noise: float = 0.0,
        bound: float | None = None,
    ) -> ScheduledLoss:  # fmt: skip
        """The losses after ``times`` steps, on the spectrum that the rule has seen."""
        self.check_samples(samples)
        return scheduled_dynamics(
            spectrum, features, samples, times, **self.schedules(float(np.max(times))),
            replacement=bool(getattr(self, "replacement", False)), decay=float(self.decay),
            noise=noise, bound=bound,
        )  # fmt: skip

    def losses(
        self, model: Model, times: np.ndarray, accuracy: Any, critical: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """(excess, training) loss at positive times, and their rounding errors."""
        if not self.plain:
            return self._followed(model, times)
        sizes, growth = (model.spectrum, model.features, math.inf), 1.0
        if float(self.step) > critical:
            growth = growth_factor(*sizes, self.noise(math.inf))
        batch = self.noise(math.inf, mp=model.mp)
        loss = MeanLoss(*sizes, batch, model.noise, model.mp)
        lead = np.broadcast_shapes(np.shape(model.features), np.shape(model.samples))
        parts = loss(times, accuracy, growth)
        excess, error = (np.broadcast_to(x, (*lead, len(times))) for x in parts)
        return np.stack([excess, excess + model.noise]), np.stack([error, error])

    def _followed(self, model: Model, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same on complex modes."""
        if model.mp:
            raise PrecisionError(
                "batches that are used again, schedules and memory are evaluated in float64 only, "
                "to 8 digits or more: no digits can be asked for", 8
            )  # fmt: skip
        sizes = np.broadcast_arrays(model.features, model.samples)
        found = [
            _followed(model.spectrum, float(n), float(t), model.noise, self, tuple(times))
            for n, t in zip(*(size.flat for size in sizes))
        ]
        losses = np.array(found).reshape(*sizes[0].shape, 3, len(times))
        losses = np.moveaxis(losses, -2, 0)
        return losses[:2], np.stack([losses[2], losses[2]])


@dataclass(frozen=True)
class MinibatchSGD(OnePassSGD):
    """v_{n+1} = v_n − η × gradient on ``batch`` of the T samples, drawn anew for each step.

    With or without ``replacement`` inside a batch; all samples without it (or a batch of infinite
    size) are gradient descent. Exact in the mean over the batches for Gaussian data, large N and T,
    at any batch size; for T = ∞ it is `OnePassSGD`. In float64 only. ``reshuffled``, it goes
    through the samples in epochs instead, and is exact for large batches (`reshuffled_epochs`).

    ``step`` η > 0, ``batch`` B ≥ 1. Raises `InputError` for others and for more than T samples
    without replacement, `PrecisionError` where digits beyond float64 are asked for. Source:
    arXiv:2502.05074, from the dynamical paper, eq. (16), to reused samples.

    >>> from solvable.analytic.training.dynamics import dynamics
    >>> from solvable.analytic.training.learners import GradientDescent, MinibatchSGD
    >>> from solvable.analytic.spectrum import Flat
    >>> rules = MinibatchSGD(0.3, batch=30), GradientDescent(0.3)  # all samples: no noise
    >>> every, plain = (dynamics(Flat(10), 20, 30, [5], learner=rule).excess_loss for rule in rules)
    >>> bool(abs(every - plain) < 1e-9)
    True
    """

    replacement: bool = field(
        default=False, metadata=about(_truth, "draw the samples of a batch with replacement", bool)
    )
    reshuffled: bool = field(default=False, metadata=about(
        _truth, "use every sample once in an epoch, in an order drawn anew for each", bool
    ))  # fmt: skip
    rule = "minibatch"
    fresh = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reshuffled and (self.replacement or not self.memoryless):
            raise InputError(
                "reshuffled", True, "equal batches without replacement, at equal steps without "
                "memory: no theory of other epochs is known"
            )  # fmt: skip

    @property
    def plain(self) -> bool:
        """Never: all of it is followed on complex modes."""
        return False

    def noise(self, samples: Any, *, mp: bool = False, step: Any = None) -> BatchNoise:
        """Curvature and strength of the noise of the gradients, at the rule's step or another."""
        step = self.step if step is None else step
        sizes = np.asarray(samples, float)
        if not self.replacement and self.batch != math.inf and np.any(sizes < self.batch):
            raise InputError("batch", self.batch, f"at most the {np.min(sizes):g} samples")
        if self.in_epochs(samples) and np.any(sizes % float(self.batch) != 0):
            raise InputError(
                "batch", self.batch, f"a divisor of the {np.min(sizes):g} samples, reshuffled"
            )
        if self.batch == math.inf:
            return BatchNoise(_number(step, mp), 1.0, 0.0)
        if np.any((sizes < 2) & (sizes != 1)):
            raise InputError("samples", samples, FEWEST)
        return batch_noise(
            _number(step, mp), _number(self.batch, mp), samples, replacement=self.replacement
        )

    def in_epochs(self, samples: Any) -> bool:
        """Whether samples come again in epochs: fewer than all in a batch, and finitely many."""
        sizes = np.asarray(samples, float)
        return self.reshuffled and bool(np.all(sizes < math.inf) and np.any(sizes > self.batch))

    def critical_step(self, spectrum: Spectrum, features: float, samples: float) -> float:
        """The critical step size; infinity, not known, of epochs."""
        if self.in_epochs(samples):
            return math.inf
        return super().critical_step(spectrum, features, samples)

    def follow(
        self, spectrum: Spectrum, features: float, samples: float, times: Any, noise: float = 0.0,
        bound: float | None = None,
    ) -> ScheduledLoss:  # fmt: skip
        """The losses after ``times`` steps, of epochs by `reshuffled_epochs`.

        The test loss of the first epoch, whose samples are fresh, is that of one pass, exactly.
        """
        if not self.in_epochs(samples):
            return super().follow(spectrum, features, samples, times, noise, bound)
        self.noise(samples)
        if spectrum.size == math.inf:
            raise InputError("size", spectrum.size, "a finite spectrum, for reshuffled epochs")
        at = np.asarray(times, float).astype(int)
        found = reshuffled_epochs(
            spectrum.eigenvalues(), spectrum.target_power(), features=features,
            samples=int(samples), batch=int(self.batch), step=float(self.step),
            steps=max(1, int(at.max())), noise=noise + float(spectrum.irreducible),
        )  # fmt: skip
        excess = found.excess_loss + float(spectrum.irreducible)
        first = np.arange(min(len(excess), int(samples / self.batch) + 1))
        excess[first] = super().follow(spectrum, features, math.inf, first, noise).excess_loss
        limit = 1e3 * excess[0] if bound is None else bound
        above = np.flatnonzero(excess > limit)
        return ScheduledLoss(
            np.asarray(times, float), excess[at], found.train_loss[at], EPOCH_ACCURACY * excess[at],
            limit, int(above[0]) if len(above) else None,
        )  # fmt: skip

    def growth_rate(
        self, spectrum: Spectrum, features: float, samples: float, critical: float
    ) -> float:
        """The rate at which the logarithm of the loss grows per step; 0: not known."""
        if not self.memoryless:
            return 0.0
        return math.log(growth_factor(spectrum, features, samples, self.noise(samples)))


@lru_cache(16)
def _followed(
    spectrum: Spectrum, features: float, samples: float, noise: float, rule: OnePassSGD,
    times: tuple[float, ...],
) -> np.ndarray:  # fmt: skip
    """(excess, training) loss and error of a rule, *(3, times)*."""
    found = rule.follow(spectrum, features, samples, times, float(noise))
    return np.stack([found.excess_loss, found.train_loss, found.error_estimate])


def _number(value: Any, mp: bool) -> Any:
    return mpmath.mpmathify(value) if mp else float(value)
