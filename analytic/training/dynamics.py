r"""Loss against time, model size and data, for every linear training rule.

A rule is a filter p_t of the eigenvalue with a quadrature p_t(λ) = Σ_i w_i(t)/(z_i + λ) over the
nodes of a contour (`learners`, `contour`). Both losses are the two-point function (2) seen
through it in both frequencies,

    L(t) = Σ_ij w_i(t) w_j(t) C₀(z_i, z_j),       L̂(t) = Σ_ij w_i(t) w_j(t) C₁(z_i, z_j),

L the excess test loss Σ λ_k E[v_k²] and L̂ the mean squared training residual, label noise
included. The contour scales with 1/t, so t = 10¹⁵ costs what t = 1 costs, and the modes enter by
power sums, so M = ∞ does too. The gap between test and training loss is that of C₀ + σ²/(zz') =
C₁/(R₁R₁') and C₁ (dynamical paper, eq. (18) in the frequency domain).

Averages of models: E feature draws times K data draws, all E·K trained, predictions averaged.
Two members share features or not and data or not, which switches C₃/N and C₁/T in (2):

    L = Σ_{f,d} [1/E or 1 − 1/E] [1/K or 1 − 1/K] C₀^{(f,d)}.

The training loss of the average is taken over the pooled data of all K draws; with C the
correlations averaged over the features, X those of C₀ without shared data and s = σ²/(zz'),

    L̂ = [C₁ + (K−1)(R₁ + R₁')(X + s) + (K−1)(C₀ + s) + (K−1)(K−2)(X + s)]/K²,

since the residual of a model on data that it has not seen does not feed back (no factor R₁).

Normalisation: unit-variance features, v̇ = −(AᵀA/N)(ΨᵀΨ/P)v, no 1/M. The estimate of the error
compares two contours with different numbers of nodes, and adds the rounding errors.

Source: dynamical paper, eqs. (9), (18), (35), (110)–(115).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np

from .. import arguments, precision
from ..arguments import Number, checked
from ..equality import Comparable
from ..errors import InputError, PrecisionError
from ..formula import Rounded, as_objects, is_mp
from ..loss import static_loss
from ..power_sums.exponents import exact
from ..resolvent import solve_along_exactly, solve_paths
from ..spectrum import Spectrum, as_spectrum
from ..spectrum.listed import mode_by_mode
from .contour import real
from .convolution import losses_on_circle
from .correlation import Points, points, two_point
from .learners import GradientFlow, RidgeRegression
from .scheduled_training import LONGEST
from .training_rule import Filter, Learner, Quadrature

ACCURACY = (1e-15, 1e-13)  # of the fine and of the coarse contour, in float64
ROUNDING = 1e-15  # of a sum over pairs of nodes, κ and the sums over modes included
LARGEST_EXPONENT = 600.0  # a loss of e^600 and more is given as infinite in float64
PAIRS = 1 << 19  # of nodes that are held at once
GUARD_DIGITS = 12
GUARD_SHARE = 0.4  # digits that rounding on the contour may cost, per digit asked for
MANY_MODELS = 256  # pairs (N, T) that are evaluated at once
MANY_TIMES = 1 << 15  # of all models together that are evaluated at once
MANY_NODES = 200  # of a circle in one half-plane: from here on convolutions are used
MOST_PAIRED = 5000  # nodes of which all pairs are formed
EXACT_FIELDS = ("features", "samples", "noise")
EXTREME = 1e70  # beyond this time, float64 loses the squares of frequencies
SETTLED, SETTLING = 1e-6, 1e-9  # a share of that time, and the relative change that may be left
ABSENT = 1e-60  # a loss that is zero but for rounding
EXTENSIONS = 6  # of the precision before it is declared insufficient


@dataclass(frozen=True, eq=False)
class DynamicLoss(Comparable):
    """Losses at ``times``: arrays of shape *(broadcast of features and samples…, times…)*.

    ``excess_loss`` Σ λ_k E[v_k²], ``train_loss`` the mean squared training residual with its
    label noise, ``error_estimate`` and ``train_error_estimate`` their absolute errors; ``noise``
    σ_ε²; ``critical_step`` the step size above which the rule diverges (∞ for a flow) and
    ``diverges`` whether the step is above it, shaped as features and samples.

    Made by `dynamics`, with its errors. Source: dynamical paper, eqs. (9), (18).

    >>> from solvable.analytic.spectrum import Flat
    >>> found = dynamics(Flat(10), [20, 40], 30, [1.0, 2.0, 3.0], noise=0.5)
    >>> found.excess_loss.shape, found.gap.shape
    ((2, 3), (2, 3))
    """

    times: np.ndarray
    excess_loss: np.ndarray
    train_loss: np.ndarray
    error_estimate: np.ndarray
    train_error_estimate: np.ndarray
    noise: Any
    critical_step: Any
    diverges: Any

    @property
    def gap(self) -> np.ndarray:
        """Test loss with its label noise minus training loss: eq. (18)."""
        first = np.ravel(self.excess_loss)[0]
        with precision.workdps(getattr(first, "digits", mpmath.mp.dps)):
            return self.excess_loss + self.noise - self.train_loss


@checked
def dynamics(
    spectrum: Spectrum, features: Any, samples: Any, times: Any, *, learner: Learner | None = None,
    noise: Number = 0, ensemble: int = 1, bags: int = 1, digits: int | None = None,
) -> DynamicLoss:  # fmt: skip
    """Test and training loss at ``times`` (numbers of steps for discrete rules).

    Parameters
    ----------
    features, samples: N and T, numbers > 0 or infinity; arrays broadcast in float64.
    learner: by default `GradientFlow()`; see `analytic.training.learners`. One-pass SGD needs
        ``samples`` = ∞. For `RidgeRegression` the "times" are ridges z = γ/(σ_u²NT).
    noise: σ_ε². ensemble, bags: numbers of feature and of data draws averaged over.
    digits: None for float64 (mpmath's precision if a size is an mpmath number); else the number
        of digits to which mpmath results are right; a loss of which none is certain, below
        10^(−2·digits) of the initial one, is 0, with its bound in ``error_estimate``.

    Raises `InputError` for arguments that are not allowed, `PrecisionError` where digits are not
    reached. Source: dynamical paper, eqs. (9), (18), (35), (110)–(115).

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> law = PowerLaw(exponent=1.25, target_exponent=1.5, size=200)
    >>> dynamics(law, 60, 120, [0, 10, 1000]).excess_loss[1:].round(9)
    array([0.59153814, 0.55854042])
    """
    spectrum = as_spectrum(spectrum, numbers=True)
    rule = GradientFlow() if learner is None else learner
    spectrum = rule.seen(spectrum)
    _check(features, samples, noise, ensemble, bags, rule)
    moments = np.asarray(arguments.plain("times", times), dtype=object)
    shape, flat = moments.shape, list(moments.flat)
    if not flat:
        raise InputError("times", times, "at least one time")
    lead = arguments.together(10, features=features, samples=samples)
    arguments.grid("times", lead, moments.shape, each=10)
    rule.check_times(flat)
    if digits is None and is_mp(features, samples, noise, *flat):
        digits = mpmath.mp.dps
    if isinstance(rule, RidgeRegression) and ensemble == bags == 1:
        return _ridge_regression(spectrum, features, samples, moments, noise, digits)
    if isinstance(rule, RidgeRegression) and 0 in flat:
        raise InputError("ridges", 0, "ridges > 0 where predictions are averaged")
    hidden = spectrum.irreducible  # acts on training as label noise does, and stays
    total = exact("noise", noise) + exact("irreducible", hidden) if hidden else noise
    if hidden:
        spectrum = spectrum.learnable
    if digits is not None:
        digits = arguments.count("digits", digits)
        for name, size in (("features", features), ("samples", samples)):
            if np.ndim(size):
                raise InputError(name, size, "one number where digits are asked for")
        model = _Model(spectrum, features, samples, total, ensemble, bags, rule, mp=True)
        return _with_hidden(model.exact(flat, shape, digits), hidden, noise, digits)
    n, t = (np.asarray(x, float) for x in (features, samples))
    model = _Model(mode_by_mode(spectrum), n, t, float(total), ensemble, bags, rule)
    found = model.fast(np.array([float(t) for t in flat]), shape)
    return _with_hidden(found, float(hidden), float(noise), None)


def _with_hidden(found: DynamicLoss, hidden: Any, noise: Any, digits: int | None) -> DynamicLoss:
    """The losses with the irreducible one, and mpmath numbers rounded to their digits."""
    if digits is None:
        return replace(found, excess_loss=found.excess_loss + hidden, noise=noise)

    def rounded(values: Any, extra: Any = 0) -> Any:
        with precision.workdps(digits + GUARD_DIGITS):
            parts = [Rounded(x + mpmath.mpmathify(extra), digits) for x in np.ravel(values)]
        return as_objects(parts).reshape(np.shape(values))[()]

    return replace(
        found, times=rounded(found.times), excess_loss=rounded(found.excess_loss, hidden),
        train_loss=rounded(found.train_loss), noise=noise,
    )  # fmt: skip


def _ridge_regression(
    spectrum: Spectrum, features: Any, samples: Any, ridges: np.ndarray, noise: Any, digits: Any
) -> DynamicLoss:
    """The losses at ``ridges`` z = γ/(σ_u²NT), in closed form."""
    options = {"noise": noise, "normalisation": "rate"}
    if digits is None:
        n, t = (np.asarray(x, float)[(..., *(None,) * ridges.ndim)] for x in (features, samples))
        ridges = ridges.astype(float)[()]
        found = static_loss(spectrum, n, t, ridge=ridges, **options)
        excess, train = found.excess_loss, found.train_loss
        errors = ROUNDING * excess, ROUNDING * train
    else:
        each = [
            static_loss(spectrum, features, samples, ridge=z, digits=digits, **options)
            for z in ridges.flat
        ]
        excess, train = (
            as_objects([getattr(x, name) for x in each]).reshape(ridges.shape)[()]
            for name in ("excess_loss", "train_loss")
        )
        unit = mpmath.mpf(10) ** -digits
        errors = unit * excess, unit * train
    never = np.zeros(np.broadcast_shapes(np.shape(features), np.shape(samples)), bool)[()]
    return DynamicLoss(ridges, excess, train, *errors, noise, never + math.inf, never)


def _check(features: Any, samples: Any, noise: Any, ensemble: Any, bags: Any, rule: Any) -> None:
    arguments.positive_or_infinite("features", features)
    arguments.positive_or_infinite("samples", samples)
    arguments.nonnegative("noise", noise)
    arguments.count("ensemble", ensemble)
    arguments.count("bags", bags)
    if bags > 1 and np.any(np.isinf(np.asarray(samples, float))):
        raise InputError("samples", samples, "a finite number with bagging: bags of infinitely "
                         "many samples are all the same")  # fmt: skip
    if not isinstance(rule, Filter) and not ensemble == bags == 1:
        raise InputError("ensemble, bags", f"{ensemble}, {bags}", "1 with stochastic descent")
    rule.check_samples(samples)


@dataclass(frozen=True)
class _Model:
    """Sizes, noise, averages and rule, and the evaluation of their losses on contours."""

    spectrum: Spectrum
    features: Any
    samples: Any
    noise: Any
    ensemble: int
    bags: int
    learner: Any
    mp: bool = False

    def fast(self, times: np.ndarray, shape: tuple[int, ...]) -> DynamicLoss:
        """Float64, all sizes and times at once; the first axis holds (excess, training) loss."""
        lead = np.broadcast_shapes(np.shape(self.features), np.shape(self.samples))
        critical, diverges = self._stability()
        if math.prod(lead) > 1 and np.any(diverges):  # each diverging model has its own contours
            return self._in_parts(lead, times, shape, 1)
        if math.prod(lead) > MANY_MODELS:
            return self._in_parts(lead, times, shape, MANY_MODELS)
        given, start = times, float(self.spectrum.total_target_power())
        losses = np.empty((2, *lead, len(times)))
        losses[0], losses[1] = start, start + self.noise
        errors = ROUNDING * losses
        step, last = float(np.min(critical)), math.inf
        if np.any(diverges):
            sizes = (float(np.max(size)) for size in (self.features, self.samples))
            rate = self.learner.growth_rate(self.spectrum, *sizes, step)
            last = LARGEST_EXPONENT / rate if rate else math.inf
            losses[..., times > last] = errors[..., times > last] = np.inf
        later = np.flatnonzero((times > 0) & (times <= last))
        furthest = self._furthest()
        self._saturated(times[later][times[later] > furthest], furthest, step)
        times = np.where(times > 0, np.clip(times, 1 / EXTREME, furthest), 0)
        for part in self._parts(later, times[later], math.prod(lead)):
            fine, coarse = (self._losses(times[part], accuracy, step) for accuracy in ACCURACY)
            losses[..., part] = np.maximum(fine[0], 0)
            known = np.isfinite(fine[0])
            spread = np.abs(np.where(known, fine[0], 0) - np.where(known, coarse[0], 0))
            errors[..., part] = np.where(known, spread + fine[1], np.inf)
        parts = [x.reshape((*lead, *shape))[()] for x in (*losses, *errors)]
        return self._result(given.reshape(shape)[()], parts, critical, diverges)

    def _parts(self, later: np.ndarray, times: np.ndarray, models: int) -> list[np.ndarray]:
        """Indices of times in parts whose nodes fit into memory; steps that follow are in one."""
        if not self._contoured or len(later) * models <= MANY_TIMES:
            return [later] if len(later) else []
        ordered = later[np.argsort(times, kind="stable")]
        return np.array_split(ordered, math.ceil(len(later) * models / MANY_TIMES))

    def _furthest(self) -> float:
        """The time beyond which float64 has only losses that have stopped to change."""
        if self._contoured:
            return EXTREME
        return LONGEST if getattr(self.learner, "steady", False) else math.inf

    @property
    def _contoured(self) -> bool:
        """Whether the losses are integrals over frequencies, and not followed step by step."""
        return isinstance(self.learner, Filter) or getattr(self.learner, "plain", False)

    def _saturated(self, late: np.ndarray, furthest: float, step: float) -> None:
        """`PrecisionError` unless the losses have stopped to change long before these times."""
        if not len(late):
            return
        moments = np.array([np.rint(SETTLED * furthest), furthest])
        early, now = np.moveaxis(self._losses(moments, ACCURACY[0], step)[0], -1, 0)
        with np.errstate(invalid="ignore"):  # ∞ − ∞ of losses that have overflowed
            settled = np.abs(now - early) <= SETTLING * np.abs(now) + ABSENT
        if not np.all(settled | np.isinf(early)):
            more = "; digits=15 evaluates them in multi-precision" if self._contoured else ""
            raise PrecisionError(
                f"the losses still change at time {furthest:g}, and float64 does not hold "
                f"{late.max():.3g}{more}"
            )

    def _result(self, times: Any, parts: list[Any], critical: Any, diverges: Any) -> DynamicLoss:
        excess, train, error, train_error = parts
        return DynamicLoss(times, excess, train, error, train_error, self.noise, critical, diverges)

    def _in_parts(
        self, lead: tuple[int, ...], times: np.ndarray, shape: tuple[int, ...], size: int
    ) -> DynamicLoss:
        """The same for ``size`` pairs (N, T) at a time."""
        n, t = (np.broadcast_to(x, lead).ravel() for x in (self.features, self.samples))
        parts = [
            replace(self, features=n[i : i + size], samples=t[i : i + size]).fast(times, shape)
            for i in range(0, len(n), size)
        ]

        def gather(name: str) -> np.ndarray:
            values = np.concatenate([getattr(part, name) for part in parts])
            return values.reshape((*lead, *values.shape[1:]))

        shared = ("times", "noise")
        names = [field.name for field in fields(DynamicLoss) if field.name not in shared]
        return replace(parts[0], **{name: gather(name) for name in names})

    def exact(self, times: list[Any], shape: tuple[int, ...], digits: int) -> DynamicLoss:
        """Mpmath: precision is raised until the digits are certain, and rounded once."""
        critical, diverges = self._stability()
        guard = GUARD_DIGITS + int(GUARD_SHARE * digits)
        rows = [self._exact_at(time, digits, guard, critical) for time in times]
        with precision.workdps(digits):
            columns = ([+loss for loss in column] for column in zip(*rows))
            parts = [as_objects(column).reshape(shape)[()] for column in columns]
            moments = as_objects([mpmath.mpmathify(t) for t in times]).reshape(shape)[()]
        return self._result(moments, parts, critical, diverges)

    def _exact_at(self, time: Any, digits: int, guard: int, critical: float) -> tuple[Any, ...]:
        """(excess, train, their errors) at one time, with ``digits`` certain digits."""
        certain, level = 0, digits
        for _ in range(EXTENSIONS):
            with precision.workdps(level + guard):
                exact = {name: mpmath.mpmathify(getattr(self, name)) for name in EXACT_FIELDS}
                model = replace(self, **exact)
                if time == 0:
                    start = self.spectrum.total_target_power(mp=True)
                    return start, start + model.noise, mpmath.mpf(0), mpmath.mpf(0)
                moment = as_objects([mpmath.mpmathify(time)])
                fine, _ = model._losses(moment, mpmath.mpf(10) ** -(level + 5), critical)
                with precision.extradps(GUARD_DIGITS):  # sees the rounding errors, too
                    coarse, _ = model._losses(moment, mpmath.mpf(10) ** -(level + 2), critical)
                losses, errors = fine[:, 0], abs(fine - coarse)[:, 0]
                unit = mpmath.mpf(10) ** -digits
                known = [e <= unit * abs(x) for x, e in zip(losses, errors)]
                least = unit**2 * self.spectrum.total_target_power(mp=True)
                none = [abs(x) <= 10 * e <= least for x, e in zip(losses, errors)]
                if all(map(max, known, none)):
                    return (*(x if k else mpmath.mpf(0) for x, k in zip(losses, known)), *errors)
                certain = min(_digits_of(x, e) for x, e in zip(losses, errors))
                level += digits - certain + 2
                guard += GUARD_DIGITS
        raise PrecisionError(
            f"only {certain} digits are certain at time {time}, where the losses are "
            f"{mpmath.nstr(losses[0], 2)} and {mpmath.nstr(losses[1], 2)}; float64 gives them "
            "with their absolute errors", certain,
        )  # fmt: skip

    def _stability(self) -> tuple[Any, Any]:
        """(critical step, whether the rule diverges), shaped as features and samples."""
        n, t = (np.asarray(x, dtype=float) for x in (self.features, self.samples))
        n, t = np.broadcast_arrays(n, t)
        steps = [self.learner.critical_step(self.spectrum, *pair) for pair in zip(n.flat, t.flat)]
        critical = np.array(steps).reshape(n.shape)[()]
        return critical, getattr(self.learner, "step", 0.0) > critical

    def _losses(self, times: np.ndarray, accuracy: Any, critical: float) -> tuple[np.ndarray, ...]:
        """Losses (excess, train) at positive times and their rounding errors, *(2, …, times)*."""
        if not isinstance(self.learner, Filter):
            return self.learner.losses(self, times, accuracy, critical)
        lead = np.broadcast_shapes(np.shape(self.features), np.shape(self.samples))
        kind = object if self.mp else float
        out = tuple(np.zeros((2, *lead, len(times)), dtype=kind) for _ in "12")
        contours = self.learner.quadratures(times, accuracy, critical, mp=self.mp)
        for rule, nodes in zip(contours, self.nodes(contours)):
            for total, part in zip(out, self._filtered(rule, nodes)):
                total[..., rule.index] = part
        return out

    def nodes(self, rules: list[Quadrature]) -> list[Points]:
        """κ and the one-point sums at the nodes of each quadrature, solved for together."""
        pairs = [len(rule.z) for rule in rules if not self._convolves(rule)]
        if max(pairs, default=0) > MOST_PAIRED:
            raise PrecisionError(
                f"these averages of models need all pairs of {max(pairs)} frequencies, of "
                f"{MOST_PAIRED} at most: fewer steps, less momentum, or one model"
            )
        paths = [path for rule in rules for path in rule.paths]
        sizes = (self.features, self.samples)
        if self.mp:
            solution = solve_along_exactly(self.spectrum, *sizes, np.concatenate(paths))
        else:
            solution = solve_paths(self.spectrum, *sizes, paths)
        ends = np.cumsum([0, *(len(rule.z) for rule in rules)])
        groups = [slice(*pair) for pair in pairwise(ends)]
        paired = [group for rule, group in zip(rules, groups) if not self._convolves(rule)]
        joined = points(self.spectrum, solution, np.concatenate(paths), paired)
        return [joined.part(group) for group in groups]

    def _convolves(self, rule: Quadrature) -> bool:
        """Whether the nodes are so many that not all pairs of them are formed."""
        single = self.ensemble == self.bags == 1 and rule.circle is not None
        return single and (self.mp or len(rule.z) > MANY_NODES)

    def _filtered(self, rule: Quadrature, x: Points) -> tuple[np.ndarray, np.ndarray]:
        """Σ_ij w_i w_j C(z_i, z_j) over both half-planes, for C₀ and C₁, and rounding errors."""
        if rule.circle is not None and self._convolves(rule):
            sizes = (self.features, self.samples, self.noise)
            return losses_on_circle(x, rule.weights, rule.circle, *sizes)
        y = x.mirrored()
        w = np.concatenate([rule.weights, np.conj(rule.weights)], axis=1)
        count, cells = len(rule.z), max(1, math.prod(x.kappa.shape[:-1]))
        rows = max(1, PAIRS // (2 * count * cells))
        total: Any = 0
        error: Any = 0
        for start in range(0, count, rows):
            part = slice(start, start + rows)
            half, pairs = rule.weights[:, part], np.stack(self._correlations(x.part(part), y))
            total = total + 2 * np.sum(half * np.swapaxes(pairs @ w.T, -1, -2), axis=-1)
            if not self.mp:  # there two precisions are compared
                size = np.swapaxes(np.abs(pairs) @ np.abs(w).T, -1, -2)
                error = error + ROUNDING * np.sum(np.abs(half) * size, axis=-1)
        return real(total), error

    def _correlations(self, x: Points, y: Points) -> tuple[np.ndarray, np.ndarray]:
        """C₀ and C₁ of the averaged prediction on all pairs of nodes."""
        e, k = _exact_or_float(self.ensemble, self.mp), _exact_or_float(self.bags, self.mp)
        kinds = [(f, d) for f in (True, False)[: min(self.ensemble, 2)]
                 for d in (True, False)[: min(self.bags, 2)]]  # fmt: skip
        sizes = (self.features, self.samples, self.noise)
        found = {
            kind: two_point(x, y, *sizes, shared_features=kind[0], shared_data=kind[1])
            for kind in kinds
        }
        features = {True: 1 / e, False: 1 - 1 / e}

        def averaged(data: bool, which: int) -> np.ndarray:
            return sum(features[f] * found[f, d][which] for f, d in kinds if d is data)

        if self.bags == 1:
            return averaged(True, 0), averaged(True, 1)
        c0, c1, crossed = averaged(True, 0), averaged(True, 1), averaged(False, 0)
        noise = self.noise / (x.z[..., :, None] * y.z[..., None, :])
        r1 = x.R1[..., :, None] + y.R1[..., None, :]
        unseen = (k - 1) * (c0 + noise) + (k - 1) * (k - 2 + r1) * (crossed + noise)
        return c0 / k + (1 - 1 / k) * crossed, (c1 + unseen) / k**2


def _digits_of(value: Any, error: Any) -> int:
    """Digits of ``value`` that its error leaves."""
    return max(0, int(mpmath.log10(abs(value) / error))) if value and error else 0


def _exact_or_float(value: int, mp: bool) -> Any:
    return mpmath.mpf(value) if mp else float(value)
