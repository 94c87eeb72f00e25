"""A table of losses: parameters N, tokens D, compute C and the loss, a row per trained model.

Columns are found by their names (case, spaces and underscores do not matter); of N, D and C any two
give the third by C = 6 N D, where it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import checked
from ..equality import Comparable
from ..errors import InputError

NAMES = {
    "parameters": ("parameters", "features", "params", "n", "modelsize", "width", "nparams",
                   "nparameters", "numparams"),
    "tokens": ("tokens", "samples", "d", "t", "trainingtokens", "datasetsize", "data", "ntokens",
               "numtokens"),
    "compute": ("compute", "flop", "flops", "c", "trainingflop", "trainingflops", "budget"),
    "loss": ("loss", "l", "testloss", "excessloss", "finalloss", "valloss", "validationloss",
             "evalloss"),
    "ridge": ("ridge",),
}
FLOP_PER_PARAMETER_AND_TOKEN = 6
MOST_ROWS = 10**5  # which a fit takes minutes for
RISING = 0.5  # rank correlation of loss and size from which on the units are doubted


@dataclass(frozen=True, eq=False)
class LossTable(Comparable):
    """Columns of equal length, None where the table has none, and ``notes`` on what was found."""

    loss: np.ndarray
    parameters: np.ndarray | None = None
    tokens: np.ndarray | None = None
    compute: np.ndarray | None = None
    ridge: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.loss)

    def column(self, name: str, form: str) -> np.ndarray:
        """A column, or an `InputError` that says which form needs it."""
        values = getattr(self, name)
        if values is None:
            raise InputError("table", f"no column of {name}", f"one: the form {form} needs it "
                             f"(names: {', '.join(NAMES[name])})")  # fmt: skip
        return values

    def rows(self, index: Any) -> LossTable:
        """The table of some of the rows."""
        names = ("loss", "parameters", "tokens", "compute", "ridge")
        taken = {n: x[index] for n in names if (x := getattr(self, n)) is not None}
        return LossTable(**taken, notes=self.notes)

    def order(self) -> np.ndarray:
        """What rows are ordered by from small to large: compute, or the only size there is."""
        for values in (self.compute, self.parameters, self.tokens):
            if values is not None:
                return values
        raise InputError("table", "no column of sizes", "parameters, tokens or compute")


@checked
def loss_table(columns: Mapping[str, Any]) -> LossTable:
    """The table of losses with these named columns; other columns are left aside.

    Of parameters, tokens and compute (FLOP) any two give the third. Raises `InputError` for columns
    that are no positive numbers or of different lengths, without a loss, of more than `MOST_ROWS`
    rows, and for losses that rise with the size. Source: this package; C = 6 N D of Kaplan et al.
    2020.

    >>> table = loss_table({"N": [1e6, 2e6, 4e6], "D": [1e9, 1e9, 1e9], "Loss": [3.0, 2.8, 2.7]})
    >>> float(table.compute[0])
    6000000000000000.0
    """
    found: dict[str, np.ndarray] = {}
    for given, values in columns.items():
        plain = "".join(x for x in str(given).lower() if x.isalnum())
        for name, known in NAMES.items():
            if plain in known:
                if name in found:
                    raise InputError("table", f"two columns of {name} (one of them {given})", "one")
                found[name] = _numbers(str(given), values)
    if "loss" not in found:
        raise InputError("table", f"columns {', '.join(map(str, columns)) or 'none'}",
                         "a column called loss")  # fmt: skip
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) > 1:
        raise InputError("table", f"columns of lengths {lengths}", "columns of one length")
    if len(found["loss"]) > MOST_ROWS:
        raise InputError("table", f"{len(found['loss'])} rows", f"at most {MOST_ROWS}, one per "
                         "trained model: draw a part of them")  # fmt: skip
    for name, values in found.items():
        least = 0 if name == "ridge" else np.nextafter(0, 1)
        if not np.all(np.isfinite(values)) or np.any(values < least):
            row = int(np.flatnonzero(~np.isfinite(values) | (values < least))[0])
            raise InputError(name, f"{values[row]} (row {row + 1})", "finite numbers > 0")
    notes = _different(found) + _unit_notes(found) + _complete(found)
    table = LossTable(**found, notes=tuple(notes))
    if table.parameters is None and table.tokens is None and table.compute is None:
        raise InputError("table", f"columns {', '.join(map(str, columns))}", "a column of sizes, "
                         "called parameters, tokens or compute, in plain numbers")  # fmt: skip
    _check_direction(table)
    return table


def _different(found: dict[str, np.ndarray]) -> list[str]:
    """Leave out rows that repeat another in every number, with a note."""
    rows = np.column_stack(list(found.values()))
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    repeated = len(rows) - len(first)
    for name, values in found.items():
        found[name] = values[first]
    return [f"{repeated} of {len(rows)} rows repeat another in every number and count once"] * (
        repeated > 0)  # fmt: skip


def _unit_notes(found: dict[str, np.ndarray]) -> list[str]:
    """Sizes are counts: small numbers that are not whole are something else."""
    notes = []
    for name in ("parameters", "tokens"):
        values = found.get(name, np.ones(1))
        if values.max() < 1e4 and np.mean(values != np.round(values)) > 0.5:
            notes.append(f"{name} are no whole numbers (the first is {values[0]:.4g}): logarithms, "
                         "or another unit? A, B and allocations hold in the numbers given")
    return notes


def _numbers(name: str, values: Any) -> np.ndarray:
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError):
        shown = str(np.ravel(np.asarray(values, dtype=object))[0])[:40]
        raise InputError(name, f"a column with text ({shown!r})", "plain numbers") from None
    if array.ndim != 1 or not len(array):
        raise InputError(name, f"of shape {array.shape}", "a column of numbers")
    return array


def _complete(found: dict[str, np.ndarray]) -> list[str]:
    """Fill in the third of N, D and C; a note where all three are given and do not fit."""
    n, d, c = (found.get(name) for name in ("parameters", "tokens", "compute"))
    flop = FLOP_PER_PARAMETER_AND_TOKEN
    if n is not None and d is not None and c is None:
        found["compute"] = flop * n * d
    elif n is not None and c is not None and d is None:
        found["tokens"] = c / (flop * n)
        return [f"tokens = compute/({flop} × parameters)"]
    elif d is not None and c is not None and n is None:
        found["parameters"] = c / (flop * d)
        return [f"parameters = compute/({flop} × tokens)"]
    elif n is not None and d is not None and c is not None:
        ratio = np.median(c / (n * d))
        if not 1 / 4 < ratio / flop < 4:
            return [f"compute is {ratio:.3g} × parameters × tokens, not {flop}: units?"]
    return []


def _check_direction(table: LossTable) -> None:
    """`InputError` where the loss rises with what it should fall with."""
    from scipy.stats import rankdata

    if len(table) < 4:
        return
    loss = rankdata(table.loss)
    if np.ptp(loss) == 0:
        raise InputError("loss", f"{table.loss[0]:g} in every row", "losses that differ: nothing "
                         "can be learned from a constant")  # fmt: skip
    size = table.order()
    if np.ptp(size) > 0 and np.corrcoef(rankdata(size), loss)[0, 1] > RISING:
        name = "compute" if table.compute is not None else "the size"
        raise InputError("loss", f"rising with {name}", "losses that fall: are columns or units "
                         "mixed up, or is this an accuracy?")  # fmt: skip
