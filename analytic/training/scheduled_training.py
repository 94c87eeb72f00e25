r"""The exact mean loss of stochastic descent under schedules of rates, batches and momentum.

On the complex modes of the kernel (`complex_modes`) a step is, with c_n and g_n of the batch,

    y ← (1 + 2η_n z + c_n η_n² z²) y + g_n k ℓ_n,       ℓ_n = Re Σ y + σ²,

for the mean training loss, noise included, which is the test loss on fresh samples; on T samples
seen again and again the test loss is the sum of the pairs of modes,

    y' ← [(1 + η_n z)(1 + η_n z') + (c_n − 1)η_n² zz'] y' + g_n T N₀ ℓ_n,

N₀ the coefficient of σ²/(zz') in C₀. A rule with a memory (momentum, weight decay, an average of
its iterates) has several second moments a mode, and a small matrix for the brackets (`updates`).

`scheduled_dynamics` takes, of each step (a number, a `Schedule`, or one number a step),

- ``rates`` η_n ≥ 0 and ``batch`` B_n, samples in a batch, ``inf`` for all of them, without noise;
- ``momentum`` β_n in [0, 1): v_{n+1} = v_n − η_n g + β_n(v_n − v_{n−1});
- ``average``, weights α_n of an average that is scored, ū' = ū + α_n(u' − ū) (`averaging`);
- ``pull`` and ``forgetting``, γ₃ and Δ of dimension-adapted momentum, y' = (1 − Δ)y + g and
  v' = v − ηg − γ₃y', instead of ``momentum``;

and ``decay`` w, the gradient of the ridge penalty w|θ|²/2, ``preconditioner`` s, of a diagonal one
λ^s, and ``noise`` σ_ε².

All are solved piece by piece (`difference_equation`), in a time that grows with the logarithm of
the number of steps where schedules are smooth; the modes of dimension-adapted momentum oscillate,
so that they are stepped one by one, on as many modes as there are steps.

Momentum near 1 on samples that are used again is refused: the contour stays inside an ellipse of
half-axis 1 − β (`complex_modes`), so that modes grow as 1/(1 − β) and their pairs as its square. A
quotient of generating functions, as on fresh samples, exists for the training loss alone: that of
the test loss keeps two frequencies, since the factor 1/(R₁R₁') of C₀ is analytic in neither.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..equality import Comparable
from ..errors import InputError, PrecisionError
from ..spectrum import Spectrum, as_spectrum
from ..spectrum.listed import mode_by_mode
from .complex_modes import ComplexModes, complex_modes, oscillating_modes
from .difference_equation import MOST_WORK, Modes, diagonal, evolve, work
from .preconditioner import scaled
from .schedules import Schedule, flat_schedule, from_values
from .stochastic_gradient import BatchNoise, batch_noise
from .training_rule import finite
from .updates import Update, adapted_momentum, averaged, descent

Array = np.ndarray
PerStep = float | Schedule | Sequence[float] | Array

LONGEST = 2.0**53  # steps
OPTIONAL = "average", "pull"  # which may be None
FEWEST = "1, or at least 2, with batches of them"  # samples
RESOLUTION = {False: 2e-10, True: 1e-8}  # relative errors, of modes without and with a memory
SMALLEST, ROUNDED = 1e-300, 4e-16  # a factor of growth, and what rounding makes of ln 1
OVERFLOW, SOON = 1e300, 64  # a loss beyond numbers, and the steps after which it is first sought
FEW = 200  # times the work of looking for it is what is allowed
GONE = 1e-14  # what is left of modes that oscillate when they are no longer followed
FADING = 0.3  # of the largest rate of a piece: at a lower last one it is resolved at its end
SEARCHED = 1000  # steps in which an overflow of modes that oscillate is sought
MOST_OSCILLATING = {False: 20_000, True: 200}  # steps, of modes and of pairs of modes


@dataclass(frozen=True, eq=False)
class ScheduledLoss(Comparable):
    """Losses at ``times``, arrays *(times,)*, and their absolute errors.

    ``excess_loss`` Σ λ_k E[v_k²]; ``train_loss`` the mean squared training residual with its noise;
    infinite after an overflow. ``exceeded`` is the first step, up to the last of the times, after
    which the excess loss is above ``bound``, None if none is.

    Made by `scheduled_dynamics`, with its errors. Source: arXiv:2502.05074 for SGD at constant
    rate.

    >>> from solvable.analytic.spectrum import Flat
    >>> found = scheduled_dynamics(Flat(10), 20, math.inf, [0, 1], [0.5])
    >>> found.excess_loss.shape, found.exceeded
    ((2,), None)
    """

    times: Array
    excess_loss: Array
    train_loss: Array
    error_estimate: Array
    bound: float
    exceeded: int | None


@checked
def scheduled_dynamics(
    spectrum: Spectrum,
    features: float,
    samples: float,
    times: Any,
    rates: PerStep,
    *,
    batch: PerStep = 1,
    replacement: bool = False,
    momentum: PerStep = 0.0,
    decay: float = 0.0,
    average: Schedule | Sequence[float] | Array | None = None,
    pull: PerStep | None = None,
    forgetting: PerStep = 1.0,
    preconditioner: float = 0.0,
    noise: float = 0.0,
    bound: float | None = None,
) -> ScheduledLoss:
    """Exact mean losses of stochastic descent after ``times`` steps; see the module.

    Infinite ``samples`` are fresh ones (one pass); of finitely many each step draws a ``batch``
    anew, with or without ``replacement``. ``bound`` of the excess loss: 1000 times its start.

    Result: arrays *(times,)* in float64. Raises `InputError` for what is not allowed and for too
    few values. Source: arXiv:2502.05074 at constant rate; dynamical paper, eq. (16).

    >>> from solvable.analytic.training.schedules import schedule
    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law, rates = PowerLaw(exponent=1.25, target_exponent=1.5), schedule("cosine", 0.5, 10**6)
    >>> scheduled_dynamics(law, 100, math.inf, [10**6], rates, batch=8).excess_loss.round(6)
    array([0.529527])
    """
    problem, moments = _problem(
        spectrum, features, samples, times, noise, decay, replacement, preconditioner,
        rates=rates, batch=batch, momentum=momentum, average=average, pull=pull,
        forgetting=forgetting,
    )  # fmt: skip
    start, hidden = (float(f) for f in (problem.spectrum.total_target_power(), problem.hidden))
    limit = 1e3 * start if bound is None else float(arguments.positive("bound", bound))
    return problem.resolved().solved(moments, limit, hidden)


def scheduled_correlations(
    spectrum: Spectrum, features: float, samples: float, times: Any, rates: PerStep, *,
    momentum: PerStep = 0.0, decay: float = 0.0,
    average: Schedule | Sequence[float] | Array | None = None, noise: Sequence[float] = (0.0,),
) -> Array:  # fmt: skip
    """Σ λ_k E[v_k v_k'] of two models trained by the same steps on all of their samples.

    *(len(noise), 4, times)*, of models that share features and data, features, data, nothing; each
    is the loss that the average of infinitely many models has. Arguments and errors as those of
    `scheduled_dynamics`. Source: dynamical paper, eqs. (110)–(115).

    >>> from solvable.analytic.spectrum import Flat
    >>> found = scheduled_correlations(Flat(10), 20, 30, [1, 2], [0.5, 0.25])
    >>> bool((np.diff(found[0], axis=0)[[0, 2]] < 0).all())
    True
    """
    problem, moments = _problem(
        spectrum, features, samples, times, 0.0, decay, False, 0.0, paired=True,
        rates=rates, batch=math.inf, momentum=momentum, average=average, pull=None, forgetting=1.0,
    )  # fmt: skip
    return problem.resolved().correlations(moments, noise)


def _problem(
    spectrum: Spectrum, features: float, samples: float, times: Any, noise: float, decay: float,
    replacement: bool, preconditioner: float, *, paired: bool = False, **given: Any,
) -> tuple[_ScheduledProblem, Array]:  # fmt: skip
    """The modes of a model under what is given of each step, and the times; all checked."""
    found = {
        name: None if value is None and name in OPTIONAL else _one_a_step(name, value)
        for name, value in given.items()
    }
    moments = _checked(features, samples, times, found, replacement)
    spectrum = as_spectrum(spectrum, numbers=True)
    if finite("preconditioner", preconditioner):
        spectrum = scaled(spectrum, preconditioner)
    spectrum = mode_by_mode(spectrum)
    hidden = float(spectrum.irreducible)  # acts on training as label noise does, and stays
    problem = _ScheduledProblem(
        spectrum, features, samples, found, float(arguments.nonnegative("decay", decay)),
        replacement, float(arguments.nonnegative("noise", noise)) + hidden, float(moments.max()),
        hidden, paired,
    )  # fmt: skip
    return problem, moments


def _one_a_step(name: str, value: Any) -> Schedule:
    """One number, one a step, or a schedule of them, as a schedule."""
    if isinstance(value, Schedule):
        return value
    if np.ndim(value):
        return from_values(value, name)
    check = arguments.positive_or_infinite if name == "batch" else arguments.nonnegative
    return flat_schedule(name, float(check(name, arguments.floating(name, value))))


def _checked(
    features: Any, samples: Any, times: Any, found: dict[str, Schedule | None], replacement: bool
) -> Array:
    """The times; `InputError` for what is not allowed."""
    for name, size in (("features", features), ("samples", samples)):
        if np.ndim(arguments.positive_or_infinite(name, size)):
            raise InputError(name, size, "one number")
    moments = np.asarray(arguments.nonnegative("times", times), float)
    arguments.grid("times", moments.shape, each=10)
    if not moments.size:
        raise InputError("times", times, "at least one number of steps")
    if np.any(moments != np.floor(moments)):
        raise InputError("times", times, "whole numbers of steps")
    if moments.max() > LONGEST:
        raise PrecisionError(f"float64 does not count {moments.max():.3g} steps, only to 2^53")
    for name, values in found.items():
        if values is None:
            continue
        short = values.last < moments.max() and not values.everywhere
        if short:
            raise InputError(
                name, f"a schedule of {values.last} steps",
                f"one value for each of {moments.max():.0f} steps, the last of the times",
            )  # fmt: skip
        most = values.sampled().max()
        if (name in ("momentum", "average", "forgetting") and most > 1) or (
            name == "momentum" and most == 1
        ):
            raise InputError(name, most, "numbers in [0, 1" + (")" if name == "momentum" else "]"))
    sizes = found["batch"].sampled()  # type: ignore[union-attr]
    if not np.all(sizes >= 1):
        raise InputError("batch", sizes.min(), "at least one sample")
    if np.any(sizes < math.inf) and samples < 2 and samples != 1:
        raise InputError("samples", samples, FEWEST)
    if not replacement and np.any((sizes > samples) & (sizes < math.inf)):
        raise InputError("batch", sizes.max(), f"at most the {samples:g} samples")
    if found["pull"] is not None and np.any(found["momentum"].sampled() > 0):  # type: ignore[union-attr]
        raise InputError("momentum", "more than 0", "0 with dimension-adapted momentum (pull)")
    return moments


@dataclass
class _ScheduledProblem:
    """The modes of a model, and what a step does to them."""

    spectrum: Spectrum
    features: float
    samples: float
    given: dict[str, Any]
    decay: float
    replacement: bool
    noise: float
    last: float
    hidden: float = 0.0
    paired: bool = False
    alone: bool = False

    def __post_init__(self) -> None:
        rates, pull, weights = (self.given[name] for name in ("rates", "pull", "average"))
        if pull is not None and self.decay:
            raise InputError("decay", self.decay, "0 with dimension-adapted momentum (pull)")
        if pull is not None:
            self.update = adapted_momentum(rates, pull, self.given["forgetting"])
        else:
            self.update = descent(rates, self.given["momentum"], self.decay)
        self.scored = self.update if weights is None else averaged(self.update, weights)

    @cached_property
    def modes(self) -> ComplexModes:
        """The modes of one frequency."""
        return self._modes(self.paired or (self.tested and self.given["pull"] is None))

    @cached_property
    def pairs(self) -> Any:
        """Those of two frequencies, of the test loss; None where it is the training loss."""
        if not self.tested or self.paired:
            return None
        oscillating = self.given["pull"] is not None
        modes = self._modes(True, self.last) if oscillating else self.modes
        return modes.pairs(self.noise)

    @property
    def tested(self) -> bool:
        """Whether the test loss is another than that of training."""
        return self.samples < math.inf and not self.alone

    def resolved(self) -> _ScheduledProblem:
        """The problem, its steps ended where its losses overflow if modes resolve no more."""
        try:
            return self._built()
        except PrecisionError:
            end = self._overflow()
            if end is None:
                raise
            return replace(self, last=end)._built()

    def _built(self) -> _ScheduledProblem:
        """Itself, or the `PrecisionError` of its modes: too many, or of too much work."""
        active, passive = self.active(), self.passive()
        needed = work(active, passive, self.pieces())
        if needed > MOST_WORK:
            count = max(len(modes.values) for modes in (active, *passive))
            raise PrecisionError(
                f"{self.last:.0f} steps of {count} complex modes take {needed / MOST_WORK:.1f} "
                "times the time that is allowed: fewer steps, or samples that are not used again"
            )
        return self

    def _overflow(self) -> float | None:
        """The step after which the training loss is beyond numbers, if modes resolve so many."""
        steps, oscillating = float(SOON), self.given["pull"] is not None
        while steps < min(self.last, SEARCHED if oscillating else math.inf):
            short = replace(self, last=steps, alone=True)
            try:
                active, pieces = short.active(), short.pieces()
                if work(active, (), pieces) > MOST_WORK / FEW:
                    return None
                found = evolve(active, (), pieces, np.array([steps]), OVERFLOW)
            except PrecisionError:
                return None
            if found.crossed is not None:
                return found.crossed
            steps *= 2
        return None

    def correlations(self, moments: Array, noise: Sequence[float]) -> Array:
        """C₀ of two models at ``moments``, for each label noise: see `scheduled_correlations`."""
        order = np.argsort(moments.ravel(), kind="stable")
        back = np.argsort(order, kind="stable")
        shares = ((True, True), (True, False), (False, True), (False, False))
        followed = []
        for sigma in noise:
            for features, data in shares:
                z, other, power, _ = self.modes.pairs(
                    sigma + self.hidden, shared_features=features, shared_data=data
                )
                alone = np.zeros_like(power)
                modes = self.driven(self.scored, power, alone, -z, -other)
                followed.append(self._simplest(modes))
        found = evolve(self.active(), followed, self.pieces(), moments.ravel()[order])
        sums = found.sums[1:, back] + self.hidden
        return sums.reshape(len(noise), len(shares), *moments.shape)

    def solved(self, moments: Array, bound: float, hidden: float) -> ScheduledLoss:
        """The losses at ``moments``, the excess loss with what is ``hidden``."""
        order = np.argsort(moments.ravel(), kind="stable")
        back = np.argsort(order, kind="stable")
        found = evolve(
            self.active(), self.passive(), self.pieces(), moments.ravel()[order], bound - hidden
        )
        test, train = found.sums[-1], found.sums[-2 if self.samples < math.inf else -1]
        if self.samples == math.inf:
            train = train + self.noise
        error = found.error + self.resolution() * np.abs(found.sums[-1])
        parts = np.maximum(test, 0) + hidden, np.maximum(train, 0), error
        test, train, error = (x[back].reshape(moments.shape)[()] for x in parts)
        return ScheduledLoss(moments, test, train, error, bound, found.crossed)

    def _modes(self, paired: bool, degree: float | None = None) -> ComplexModes:
        sizes = (self.spectrum, self.features, self.samples)
        if self.given["pull"] is not None:
            most = MOST_OSCILLATING[self.tested]
            if self.last > most:
                raise PrecisionError(
                    f"dimension-adapted momentum is followed for {most} steps "
                    f"at most{' on samples that are used again' if self.tested else ''}, not "
                    f"{self.last:.0f}: its modes oscillate, each step needs its own"
                )
            return oscillating_modes(*sizes, degree or 2 * self.last, paired=paired)
        beta = float(self.given["momentum"].sampled().max())
        rate = float(self.given["rates"].sampled().max())
        curvature = float(np.max(self.batch(self.given["batch"].sampled()).curvature))
        more = 1 + (curvature - 1) * (1 + beta) / (1 - beta)  # noise comes back with momentum
        total = self.given["rates"].total(self.last) / (1 - beta)
        growth = partial(self._growth, rate, beta, curvature)
        largest = rate * more / (1 + beta) or 1.0
        return complex_modes(*sizes, total, largest, growth=growth, paired=paired)

    def _growth(self, rate: float, beta: float, curvature: float, x: Array) -> Array:
        """ln of the growth of E|u|² at complex x, if all steps are the largest and as long."""
        steps = self.given["rates"].total(self.last) / rate if rate else 0.0
        update = descent(flat_schedule("rates", rate), flat_schedule("momentum", beta), self.decay)
        with np.errstate(over="ignore", invalid="ignore"):
            one = update.moments(np.zeros(1), np.zeros(1), np.array([curvature]), x, np.conj(x))[0]
        known = np.isfinite(one).all(axis=(1, 2, 3))
        radius = np.full(len(x), math.inf)  # beyond any number
        radius[known] = np.abs(1 - np.linalg.eigvals(one[known, 0])).max(axis=-1)
        return steps * (np.log(np.maximum(radius, SMALLEST)) - ROUNDED)

    def resolution(self) -> float:
        """Relative error of the contour, and of blocks that modes with a memory follow."""
        return RESOLUTION[len(self.scored.start) > 1]

    def pieces(self) -> list[tuple[int, int, int]]:
        """(first, last, layers) of the stretches of steps up to the last one: see `evolve`."""
        every = (*self.scored.schedules, self.given["batch"])
        edges = {int(e) for x in every for e in x.edges if e < self.last and not x.everywhere}
        ends = sorted(edges | {int(self.last)})

        def layers(first: int) -> int:
            if self.given["pull"] is not None or not all(x.piece(first).smooth for x in every):
                return 0
            values = self.given["rates"].piece(first).sampled()
            return 2 if values[-1] < FADING * values.max() else 1

        return [(first, last, layers(first)) for first, last in zip([0, *ends], ends)]

    def batch(self, size: Array) -> BatchNoise:
        """c and g at the rate 1 of batches; of all samples where the size is infinite."""
        whole = np.isinf(size)
        found = batch_noise(
            1.0, np.where(whole, 1, size), self.samples, replacement=self.replacement
        )
        curvature = np.where(whole, 1.0, found.curvature)
        return BatchNoise(1.0, curvature, np.where(whole, 0.0, found.strength))

    def driven(
        self, update: Update, power: Array, response: Array, x: Array, x_prime: Array | None = None
    ) -> Modes:
        """Modes of the second moments of an update, by their power at the start."""
        batches = self.given["batch"]
        start, read = update.initial(x_prime is not None)

        def coefficients(n: Array) -> tuple[Array, Array]:
            if all(s.piece(n[0]).constant for s in (*update.schedules, batches)):
                n = n[:1]
            noise = self.batch(batches.continued(n))
            loss, source = update.moments(n, noise.strength, noise.curvature, x, x_prime)
            source = response[:, None, None] * source
            return (loss[..., 0, 0], source[..., 0]) if len(start) == 1 else (loss, source)

        values = power if len(start) == 1 else power[:, None] * start
        turning = 0.0
        if len(start) > 1:
            most = float(self.given["momentum"].sampled().max())
            turning = math.log(GONE) / math.log(most) if most > 0 else 0.0
        return Modes(values.astype(complex), coefficients, read=read, turning=turning)

    @property
    def power(self) -> Array:
        """Of the modes at the start: training loss, or excess loss on fresh samples."""
        reused = self.samples < math.inf
        return self.modes.power + self.noise * self.modes.noisy if reused else self.modes.power

    def active(self) -> Modes:
        """The modes of the training loss; of the excess loss, and σ² beside them, if T = ∞."""
        found = self.driven(self.update, self.power, self.modes.response, -self.modes.z)
        found.offset = self.noise if self.samples == math.inf else 0.0
        return self._simplest(found)

    def _simplest(self, modes: Modes) -> Modes:
        """Numbers instead of vectors where all steps are alike."""
        every = (*self.scored.schedules, self.given["batch"])
        alike = all(len(x.pieces) == 1 and x.pieces[0].constant for x in every)
        return diagonal(modes) if alike and modes.values.ndim > 1 else modes

    def passive(self) -> list[Modes]:
        """The modes of what is scored, where it is not what drives: training and test loss."""
        out = []
        if self.scored is not self.update:
            out.append(self.driven(self.scored, self.power, self.modes.response, -self.modes.z))
        if self.pairs is not None:
            z, z_prime, power, response = self.pairs
            out.append(self.driven(self.scored, power, self.samples * response, -z, -z_prime))
        return [self._simplest(modes) for modes in out]
