r"""How well a form extrapolates, and where a law breaks down.

`held_out` fits every form to the same smaller rows and measures the root mean square log error on
the largest. `breakdown` asks of growing parts of the table whether the rows beyond lie above
what the fit to the part forecasts: z is the mean log excess in units of the error of the
forecast mean and of the scatter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, SolvableError
from .exact_form import COORDINATES
from .fitting import FORMS, Fit, fit
from .forms import PUBLISHED
from .loss_table import LossTable

SHARE = 0.2  # of the rows that are held out
SPLITS = (0.5, 0.6, 0.7, 0.8, 0.9)
SIGNIFICANT = 4.0  # z of a breakdown: five looks at the same table


@dataclass(frozen=True)
class HeldOut:
    """Root mean square and mean log error of a form on held-out rows."""

    rms: float
    mean: float
    rows: int


@dataclass(frozen=True)
class Breakdown:
    """The size from which on losses lie above the law of the smaller ones."""

    size: float
    excess: float
    z: float
    rows: int


def sizes_of(found: Fit, table: LossTable) -> tuple[np.ndarray, ...]:
    """The sizes of a table that the fitted form depends on."""
    if found.form == "exact":
        return table.column("parameters", "exact"), table.column("tokens", "exact")
    return PUBLISHED[found.form].columns(table)


def residuals(found: Fit, table: LossTable) -> np.ndarray:
    """ln L − ln of the fit."""
    return np.log(table.loss) - np.log(found.losses(*sizes_of(found, table)))


def runs(found: Fit, table: LossTable) -> float:
    """z of the number of neighbours, in size, whose residuals have one sign: 0 if independent."""
    order = np.argsort(table.order(), kind="stable")
    left = residuals(found, table)[order]
    signs = np.sign(left - np.median(left))
    return float(np.sum(signs[1:] * signs[:-1]) / np.sqrt(max(len(signs) - 1, 1)))


def held_out(
    table: LossTable, share: float = SHARE, forms: tuple[str, ...] = FORMS, **settings: Any
) -> dict[str, HeldOut]:
    """The errors of all forms that the table has the columns and rows for, on the same rows."""
    order = np.argsort(table.order(), kind="stable")
    count = max(1, round(share * len(table)))
    small, large = table.rows(order[:-count]), table.rows(order[-count:])
    found = {}
    for form in forms:
        try:
            one = fit(small, form, intervals=False, **(settings if form == "exact" else {}))
            errors = residuals(one, large)
        except (SolvableError, np.linalg.LinAlgError):
            continue
        if np.all(np.isfinite(errors)):
            rms = float(np.sqrt(np.mean(errors**2)))
            found[form] = HeldOut(rms, float(np.mean(errors)), count)
    return found


def breakdown(table: LossTable, form: str, **settings: Any) -> Breakdown | None:
    """The first of `SPLITS` of the table beyond which the losses are above the forecast."""
    order = np.argsort(table.order(), kind="stable")
    needed = len(COORDINATES if form == "exact" else PUBLISHED[form].parameters)
    for share in SPLITS:
        cut = round(share * len(table))
        beyond = len(table) - cut
        if cut < 2 * needed or beyond < 2:
            continue
        small, large = table.rows(order[:cut]), table.rows(order[cut:])
        try:
            one = fit(small, form, intervals=False, **settings)
            errors = residuals(one, large)
        except InputError:
            continue
        deviation = one.scatter * np.sqrt(cut / (cut - needed) / beyond)
        forecast = one.mean_error(*sizes_of(one, large))
        z = float(np.mean(errors) / max(np.hypot(deviation, forecast), 1e-12))
        if z > SIGNIFICANT and np.mean(errors > 0) > 0.7:
            return Breakdown(float(large.order().min()), float(np.mean(errors)), z, beyond)
    return None
