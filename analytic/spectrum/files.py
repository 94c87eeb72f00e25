"""A spectrum from a file, from text, or from a list of eigenvalues.

| file | content |
|---|---|
| `.csv`, `.txt` | per line an eigenvalue, optionally its target power w_J² λ_J; `#` comments |
| | the first line may be the names of these columns, eigenvalue and power |
| `.npy` | an array of shape (M,), (M, 1) or (M, 2), likewise |
| `.json` | the plain data of any spectrum (`Spectrum.to_dict`) |

Decimals in text keep their exact values. Text of the form ``KIND:name=value,…`` names a kind of
spectrum and its parameters: ``exponential-decay:rate=0.1,size=inf``.
"""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..arguments import checked
from ..errors import InputError
from .listed import ROUNDING, Empirical
from .protocol import KINDS, Spectrum, from_dict

NAMES = ("eigenvalue", "power")
SUFFIXES = (".csv", ".txt", ".npy", ".json")


def as_spectrum(value: Any, *, numbers: bool = False) -> Spectrum:
    """The spectrum itself, or the `Empirical` one of a list of eigenvalues.

    With ``numbers`` a spectrum with symbols among its parameters is refused.

    >>> as_spectrum([1, 0.5]).size
    2
    """
    if isinstance(value, Spectrum):
        if numbers and value.free_symbols:
            names = ", ".join(sorted(map(str, value.free_symbols)))
            raise InputError("spectrum", value, f"numbers in place of {names}: this is computed "
                             "numerically, and only static losses have a formula")  # fmt: skip
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return Empirical(value)
    raise InputError("spectrum", repr(value), "a Spectrum, or a list of eigenvalues")


arguments.ANNOTATIONS["Spectrum"] = lambda _, value: as_spectrum(value)


@checked
def read_spectrum(path: str | Path) -> Spectrum:
    r"""The spectrum in a file: csv or txt (a line an eigenvalue, target power), npy or json.

    Eigenvalues are λ_J, in any order; arrays have the shape *(M,)*, *(M, 1)* or *(M, 2)*. Unsorted
    ones are sorted and negative ones of the size of rounding errors are set to zero, with a
    warning. Raises `InputError` for anything else that is no spectrum, and names the line (of an
    array, the row). Source: this package; the model is solvable-model paper, eq. (23), with
    measured eigenvalues.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "measured.csv"
    >>> _ = path.write_text("1, 0.5\n0.25, 0.5\n")
    >>> read_spectrum(path).target_power()
    array([0.5, 0.5])
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError("spectrum", path, "a file " + ", ".join(SUFFIXES))
    try:
        if suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                return from_dict(content)
            if not isinstance(content, list):
                raise ValueError("neither a list of eigenvalues nor a spectrum's own object")
            return _from_rows(path, _listed_rows(path, content))
        rows = _array_rows(path) if suffix == ".npy" else _text_rows(path)
    except InputError:
        raise
    except (ValueError, EOFError) as error:  # not JSON, not UTF-8, not an array
        raise InputError("spectrum", path, f"a readable {suffix} file ({error})") from error
    return _from_rows(path, rows)


def _listed_rows(path: Path, content: list[Any]) -> list[tuple[str, list[Any]]]:
    """Eigenvalues, or pairs of an eigenvalue and its target power."""
    found = []
    for number, entry in enumerate(content, start=1):
        place = f"{path}, entry {number}"
        cells = entry if isinstance(entry, list) else [entry]
        found.append((place, [_decimal(place, str(cell)) for cell in cells]))
    return found


def _text_rows(path: Path) -> list[tuple[str, list[Any]]]:
    rows: list[tuple[str, list[Any]]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        text = line.partition("#")[0].strip()
        cells = re.split(r"\s*[,;\s]\s*", text) if text else []
        if cells and not (not rows and _are_names(cells)):
            place = f"{path}, line {number}"
            rows.append((place, [_decimal(place, cell) for cell in cells]))
    return rows


def _are_names(cells: list[str]) -> bool:
    return [cell.strip("\"'").lower() for cell in cells] == list(NAMES[: len(cells)])


def _decimal(place: str, cell: str) -> Any:
    """A decimal at its exact value."""
    try:
        value = float(cell)
    except ValueError:
        raise InputError(place, repr(cell), f"a number ({', '.join(NAMES)}: the names that the "
                         "columns may have in the first line)") from None  # fmt: skip
    if not math.isfinite(value) or not value:
        return value
    return Fraction(cell)


def _array_rows(path: Path) -> list[tuple[str, list[Any]]]:
    array = np.load(path, allow_pickle=False)
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or not array.size:
        raise InputError("spectrum", path, "real numbers in an array of shape (M,) or (M, 2), "
                         "at least one")  # fmt: skip
    table = array.reshape(len(array), -1)
    return [(f"{path}, row {i}", row) for i, row in enumerate(table.tolist(), start=1)]


def _from_rows(path: Path, rows: list[tuple[str, list[Any]]]) -> Empirical:
    if not rows:
        raise InputError("spectrum", path, "at least one eigenvalue")
    width = len(rows[0][1])
    largest = max((row[0] for _, row in rows if row[0] < math.inf), default=0)
    lowest = (-ROUNDING * len(rows) * float(largest), 0)
    for place, row in rows:
        if len(row) != width or width > 2:
            raise InputError(place, f"{len(row)} columns", "an eigenvalue, or an eigenvalue and "
                             "its target power, in every line")  # fmt: skip
        for name, value, least in zip(("an eigenvalue", "a target power"), row, lowest):
            if not least <= value < math.inf:
                raise InputError(place, float(value), f"{name}, a finite number ≥ 0")
    columns = [list(column) for column in zip(*(row for _, row in rows))]
    return Empirical(*columns)


LIST = "a list is written [1,1/4]"


def from_text(text: str) -> Spectrum:
    """The spectrum that ``KIND:name=value,…`` describes, or that a file of this name holds.

    >>> from_text("flat:size=4").size
    4
    >>> from_text("atoms:values=[1,1/4],multiplicities=[10,1e18]").degrees_of_freedom(0.25)
    np.float64(5e+17)
    """
    kind, _, rest = text.partition(":")
    kinds = {_dashed(name): name for name in KINDS}
    if kind not in kinds:
        return read_spectrum(text)
    values: dict[str, Any] = {"kind": kinds[kind]}
    for part in re.split(r",(?![^\[]*\])", rest) if rest else ():
        name, equals, value = part.partition("=")
        if not equals:
            names = ", ".join(KINDS[kinds[kind]].parameter_names())
            raise InputError("spectrum", repr(part), f"name=value after {kind}:, the name among "
                             f"{names}; {LIST}")  # fmt: skip
        inner = value.strip("[]").split(",")
        parsed = [_parsed(name, x) for x in inner]
        values[name.replace("-", "_")] = parsed if value.startswith("[") else parsed[0]
    return from_dict(values)


def _parsed(name: str, text: str) -> Any:
    if re.fullmatch(r"[+-]?\d+/\d+", text) and not re.fullmatch(r".*/0+", text):
        return Fraction(text)
    try:
        value = float(text)
    except ValueError:
        raise InputError(name, repr(text), f"a number; {LIST}") from None
    return (
        value if not math.isfinite(value) or not value else arguments.number(name, Fraction(text))
    )


def _dashed(name: str) -> str:
    """PowerLaw → power-law."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def kinds_help() -> str:
    """The kinds of spectra and their parameters, as typed on the command line."""
    return "\n".join(
        f"  {_dashed(name)}:{','.join(f'{p}=' for p in kind.parameter_names())}"
        for name, kind in sorted(KINDS.items())
    )
