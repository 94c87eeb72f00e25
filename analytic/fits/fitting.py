r"""Fit one form to a table of losses, with intervals and a verdict on what is determined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..equality import Comparable
from ..errors import InputError
from .exact_form import COORDINATES, ExactForm
from .forms import PUBLISHED, Form
from .huber import DELTA, best, reweighted
from .likelihood import WIDEST, bootstrap, covariance, profile_end, threshold
from .loss_table import LossTable

FORMS = ("exact", *PUBLISHED)
LEVEL = 0.95
SIGMAS = 2.0
STARTS = 5  # every fifth start of the grid serves the search for the ends of intervals
SAME_SIZE = 1e-3  # of the logarithm of a size: below, sizes do not differ


@dataclass(frozen=True)
class FittedParameter:
    """A parameter: its value, interval and standard error.

    Where the table does not determine it ``determined`` is False, the value is None, a side on
    which nothing bounds it is 0 or infinity, and ``reason`` says what is wrong.
    """

    value: float | None
    low: float
    high: float
    determined: bool
    standard_error: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Fit(Comparable):
    """A fitted form.

    ``theta`` are its coordinates, ``model`` gives ln L from them, ``draws`` bootstrap replicates of
    them (none for the exact form), ``scatter`` the root mean square log residual.
    """

    form: str
    parameters: dict[str, FittedParameter]
    objective: float
    scatter: float
    rows: int
    delta: float
    level: float
    theta: np.ndarray = field(repr=False)
    model: Any = field(repr=False)
    covariance: np.ndarray = field(repr=False)
    draws: np.ndarray = field(repr=False)
    settings: dict[str, Any] = field(default_factory=dict)

    def losses(self, *sizes: Any, theta: np.ndarray | None = None) -> np.ndarray:
        """The fitted losses at other sizes, shape (rows,), or (draws, rows) for several θ."""
        sizes = tuple(np.atleast_1d(np.asarray(x, float)) for x in sizes)
        coordinates = self.theta[None] if theta is None else theta
        model = self.model.at(*sizes) if self.form == "exact" else self.model.at(sizes)
        values = model.values(coordinates) if self.form == "exact" else (
            model.evaluate(coordinates)[0])  # fmt: skip
        return np.exp(values[0] if theta is None else values)

    def forecast(self, *sizes: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Loss at other sizes with the interval of the fitted curve there, at ``level``.

        Linearised in θ; without the scatter of single losses about the curve.
        """
        from scipy.stats import t

        value, jacobian = self._at(*sizes)
        variance = np.einsum("ip,pq,iq->i", jacobian, self.covariance, jacobian)
        free = max(self.rows - len(self.theta), 1)
        reach = t.ppf((1 + self.level) / 2, free) * np.sqrt(np.maximum(variance, 0))
        return np.exp(value), np.exp(value - reach), np.exp(value + reach)

    def mean_error(self, *sizes: Any) -> float:
        """The standard error of the mean of ln L over these sizes."""
        mean = self._at(*sizes)[1].mean(axis=0)
        return float(np.sqrt(max(mean @ self.covariance @ mean, 0.0)))

    def _at(self, *sizes: Any) -> tuple[np.ndarray, np.ndarray]:
        """ln L and its derivative by θ at other sizes."""
        sizes = tuple(np.atleast_1d(np.asarray(x, float)) for x in sizes)
        model = self.model.at(*sizes) if self.form == "exact" else self.model.at(sizes)
        value, jacobian = model.evaluate(self.theta[None])
        return value[0], jacobian[0]


@checked
def fit(
    table: LossTable,
    form: str = "chinchilla",
    *,
    delta: float | None = None,
    draws: int = 0,
    level: float = LEVEL,
    ridge: Any = "auto",
    floor: bool | None = None,
    intervals: bool = True,
    seed: int = 0,
) -> Fit:
    """Fit a form of `FORMS` to a table.

    Parameters
    ----------
    delta: δ of the Huber loss on log loss; by default 10⁻³, and ∞ (least squares) for "exact".
    draws: bootstrap replicates. level: of all intervals.
    ridge, floor: for "exact": "optimal", a number, or "auto" (the column of that name, else the
        better of the optimal and the zero ridge); whether the losses contain σ² (None: the better).

    Every parameter has its value, interval and verdict. Raises `InputError` for tables with too
    few rows or without the sizes that the form needs. Source: arXiv:2210.16859 for the exact loss;
    Hoffmann et al. 2022 and Kaplan et al. 2020 for two of the forms.

    >>> from solvable.analytic.fits import loss_table
    >>> x = np.geomspace(1e3, 1e8, 30)
    >>> found = fit(loss_table({"compute": x, "loss": 1 + 20 * x**-0.3}), "power")
    >>> [round(found.parameters[name].value, 4) for name in ("E", "A", "alpha")]
    [1.0, 20.0, 0.3]
    """
    arguments.choice("form", form, FORMS)
    width = DELTA if delta is None and form != "exact" else delta or np.inf
    arguments.positive("delta", width if np.isfinite(width) else 1)
    needed = len(COORDINATES if form == "exact" else PUBLISHED[form].parameters)
    distinct = len(np.unique(np.column_stack([table.loss, table.order()]), axis=0))
    if distinct < needed + 1:
        rows = f"{distinct} different row{'s' * (distinct != 1)}"
        raise InputError("table", rows, f"at least {needed + 1}: the form {form} has {needed} "
                         "parameters")  # fmt: skip
    if form == "exact":
        return _fit_exact(table, width, level, ridge, floor, intervals)
    log_loss = np.log(table.loss)
    model = PUBLISHED[form].on(table)
    theta, objective = best(model.evaluate, *model.starts(log_loss), log_loss, width)
    found = _result(form, model, theta, objective, log_loss, width, level)
    if intervals:
        found = _with_intervals(found, _published_intervals(found, model, log_loss))
    if arguments.count("draws", draws, at_least=0):
        replicates = bootstrap(model.evaluate, theta, log_loss, width, draws, seed)
        found = _with(found, draws=model.physical(replicates))
    return found


def _result(
    form: str, model: Any, theta: np.ndarray, objective: float, log_loss: np.ndarray,
    delta: float, level: float, **settings: Any,
) -> Fit:  # fmt: skip
    value, _ = model.evaluate(theta[None])
    scatter = float(np.sqrt(np.mean((value[0] - log_loss) ** 2)))
    error, _ = covariance(model.evaluate, theta, delta, log_loss)
    return Fit(form, {}, objective, scatter, len(log_loss), delta, level, theta, model, error,
               np.empty((0, len(theta))), settings)  # fmt: skip


def _with(found: Fit, **changes: Any) -> Fit:
    from dataclasses import replace

    return replace(found, **changes)


def _with_intervals(found: Fit, parameters: dict[str, FittedParameter]) -> Fit:
    return _with(found, parameters=parameters)


def _ends(
    model: Any, theta: np.ndarray, found: Fit, log_loss: np.ndarray, index: int,
    starts: np.ndarray | None = None,
) -> tuple[float, float, float]:  # fmt: skip
    """Interval of a coordinate (possibly infinite) and its standard error."""
    error, scale = covariance(model.evaluate, theta, found.delta, log_loss)
    rounding = 1e-14 * len(log_loss)  # where there are no residuals
    limit = threshold(scale[index], len(log_loss), len(theta), found.level) + rounding
    deviation = float(np.sqrt(max(error[index, index], 0.0)))
    along = error[:, index] / error[index, index] if deviation > 0 else np.eye(len(theta))[index]
    step = SIGMAS * max(deviation, 1e-7) * along
    least = getattr(model, "least", None)
    ends = [
        theta[index] + profile_end(model.evaluate, theta, found.objective, log_loss, found.delta,
                                   index, sign * step, limit, least, starts)
        for sign in (-1, 1)
    ]  # fmt: skip
    return ends[0], ends[1], deviation


def _published_intervals(
    found: Fit, model: Form, log_loss: np.ndarray
) -> dict[str, FittedParameter]:
    """Profiles of the physical parameters: scales in coordinates that are not centred."""
    plain = model.moved(tuple(0.0 for _ in model.centres))
    physical = model.physical(found.theta)
    starts = model.starts(log_loss)[0][::STARTS]
    elsewhere = plain.coordinates(model.physical(starts))
    parameters = {}
    for index, name in enumerate(type(model).parameters):
        centred = name not in ("A", "B")
        one = model if centred else plain
        theta = found.theta if centred else plain.coordinates(physical)
        low, high, deviation = _ends(one, theta, found, log_loss, index,
                                     starts if centred else elsewhere)  # fmt: skip
        parameters[name] = _judged(
            name, float(physical[index]), float(np.exp(low)), float(np.exp(min(high, 700))),
            deviation,
        )  # fmt: skip
    reasons = _not_told_apart(model)
    parameters |= {name: FittedParameter(None, 0.0, np.inf, False, None, reasons[name])
                   for name in parameters if name in reasons}  # fmt: skip
    exponents = [name for name in ("alpha", "beta") if name in parameters]
    zero = [name for name in exponents if not parameters[name].low]
    constant = zero if model.adds or zero == exponents else []
    return parameters | _beside_a_constant(parameters.get("E"), constant)


def _beside_a_constant(
    floor: FittedParameter | None, exponents: Sequence[str]
) -> dict[str, FittedParameter]:
    """E, where exponents may be 0: A N^-0 is a constant, any share of which is E."""
    if floor is None or not floor.determined or not exponents:
        return {}
    reason = f"{exponents[0]} may be 0, and a power with exponent 0 is a constant like E"
    return {"E": FittedParameter(None, 0.0, floor.high, False, None, reason)}


def _not_told_apart(model: Form) -> dict[str, str]:
    """Parameters that no losses at these sizes can determine, and why, whatever the scatter."""
    logs = [x - x.mean() for x in model.sizes]
    names = type(model).parameters
    reasons: dict[str, str] = {}
    for needed, scale, exponent, x in zip(type(model).needs, ("A", "B"), ("alpha", "beta"), logs):
        if np.ptp(x) < SAME_SIZE:
            alike = ("E", scale, exponent) if "E" in names else (scale, exponent)
            reasons |= {name: f"all {needed} are the same, and {name} cannot be told from the rest "
                        "of a constant" for name in alike}  # fmt: skip
    if len(logs) == 2 and not reasons:
        along = float(logs[0] @ logs[1]) / float(logs[0] @ logs[0])
        if np.std(logs[1] - along * logs[0]) < SAME_SIZE:
            reasons = {name: "tokens are a power of parameters, and what is due to either cannot "
                       f"be told apart: {name}" for name in ("A", "B", "alpha", "beta")}
    return reasons


def _judged(name: str, value: float, low: float, high: float, relative: float) -> FittedParameter:
    """The verdict on an interval; ``relative`` is the standard error of the logarithm."""
    low = 0.0 if low < 1e-6 * value and name != "M" else low
    reason = ""
    if name == "noise" and np.isfinite(high):  # whose lower bound is zero
        return FittedParameter(value, low, high, True, value * relative)
    if not np.isfinite(high) or high > 1e4 * max(value, 1e-300):
        high, reason = np.inf, f"the table sets no upper bound on {name}"
    if low == 0 and name not in ("E", "noise"):
        reason = f"the table sets no lower bound on {name}"
        if np.isinf(high):
            reason = f"the table does not bound {name}"
    elif not reason and low > 0 and high / low > WIDEST:
        reason = f"the interval of {name} spans a factor {high / low:.3g}"
    if reason:
        return FittedParameter(None, low, high, False, None, reason)
    return FittedParameter(value, low, high, True, value * relative)


# ---- the exact form ------------------------------------------------------------------------


def _fit_exact(
    table: LossTable, delta: float, level: float, ridge: Any, floor: bool | None, intervals: bool
) -> Fit:
    log_loss = np.log(table.loss)
    tried = []
    for kind in _ridges(table, ridge):
        model = ExactForm.on(table, kind, bool(floor))
        tried.append((model, *_minimum(model, log_loss, delta)))
    model, theta, objective = min(tried, key=lambda one: one[2])
    if floor is None and theta[2] > 0:
        other = ExactForm.on(table, model.ridge, True)
        start = reweighted(other.evaluate, theta[None], log_loss, delta, steps=20,
                           tolerance=1e-6, least=other.least)  # fmt: skip
        if start.objective[0] < 0.8 * objective:
            model, theta, objective = other, start.theta[0], float(start.objective[0])
    kind = model.ridge if isinstance(model.ridge, str) else "given" if np.any(model.ridge) else "0"
    found = _result("exact", model, theta, objective, log_loss, delta, level, ridge=kind,
                    floor=model.floor)  # fmt: skip
    return _with_intervals(found, _exact_intervals(found, log_loss)) if intervals else found


def _ridges(table: LossTable, ridge: Any) -> list[Any]:
    """The ridges that are tried."""
    if not isinstance(ridge, str):
        return [arguments.nonnegative("ridge", ridge)]
    arguments.choice("ridge", ridge, ("auto", "optimal"))
    if ridge == "optimal":
        return ["optimal"]
    if table.ridge is not None:
        return [table.ridge]
    n, t = table.column("parameters", "exact"), table.column("tokens", "exact")
    return ["optimal"] if np.any(n == t) else ["optimal", 0.0]


def _minimum(model: ExactForm, log_loss: np.ndarray, delta: float) -> tuple[np.ndarray, float]:
    starts = model.starts(log_loss)
    squares = np.sum((model.values(starts) - log_loss) ** 2, axis=1)
    first = starts[np.argsort(squares)[:2]]
    settings: dict[str, Any] = {"least": model.least}
    rough = reweighted(model.evaluate, first, log_loss, delta, steps=5, **settings)
    one = rough.theta[[int(np.argmin(rough.objective))]]
    found = reweighted(model.evaluate, one, log_loss, delta, steps=40, tolerance=1e-7, **settings)
    return found.theta[0], float(found.objective[0])


def _exact_intervals(found: Fit, log_loss: np.ndarray) -> dict[str, FittedParameter]:
    """Profiles in the coordinates of `ExactForm`, told as α, M, σ² and A."""
    model, theta = found.model, found.theta
    alpha, size, noise, log_amplitude = model.physical(theta)
    ends = [_ends(model, theta, found, log_loss, index) for index in range(4)]
    amplitude = float(np.exp(log_amplitude))

    def modes(q: float) -> float:
        return float(model.unit / q**2) if q > model.least[1] else np.inf

    low, high, deviation = ends[1]
    alphas, amplitudes = ([float(x) for x in np.exp(ends[i][:2])] for i in (0, 3))
    return {
        "alpha": _judged("alpha", alpha, alphas[0], alphas[1], ends[0][2]),
        "M": _judged("M", size, modes(min(high, 1e3)), modes(low),
                     2 * deviation / float(theta[1])),
        "noise": _judged("noise", noise * amplitude, max(float(ends[2][0]), 0.0) * amplitude,
                         float(ends[2][1]) * amplitude, ends[2][2] / max(noise, 1e-300)),
        "amplitude": _judged("amplitude", amplitude, amplitudes[0], amplitudes[1], ends[3][2]),
    }  # fmt: skip
