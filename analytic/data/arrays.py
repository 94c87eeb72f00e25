"""Arrays from files: samples in rows, read whole or in blocks of rows.

| file | content |
|---|---|
| `.npy` | an array of shape (T, …), streamed; the axes after the first are flattened |
| `.npz` | the same, one member, or `FILE.npz:NAME`; compressed or not |
| `.csv`, `.txt`, `.tsv` | a sample per line, cells between `;`, tabs, commas or spaces, `#` comments; a first line without numbers names the columns |
| `.parquet` | the numeric columns of a table, where pandas and a reader of it are installed |

Whatever is no finite number is an `InputError` that names the file and the line (of an array, the
row). Nothing is filled in and nothing is left out.
"""  # noqa: E501

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError

TEXT = (".csv", ".txt", ".tsv")
SUFFIXES = (".npy", ".npz", *TEXT, ".parquet")
BLOCK_BYTES = 1 << 25  # of the float64 rows that one step holds
NUMBERS = "a finite number in every cell"

#: the numbers of the lines (or rows) of a block, and the block
_Block = tuple[Iterable[int], np.ndarray]


@dataclass(frozen=True)
class Samples:
    """T samples in rows of N_in inputs, in memory or in a file that may be larger than it.

    ``argument`` and ``source`` are what errors call it, ``length`` is T, ``width`` N_in, ``unit``
    "row" or "line"; ``names`` are those of the columns, where the file has them, ``texts`` columns
    of words, which are no inputs.
    """

    argument: str
    source: str
    length: int
    width: int
    read: Callable[[int], Iterator[_Block]]
    unit: str = "row"
    names: tuple[str, ...] | None = None
    texts: dict[str, np.ndarray] = field(default_factory=dict)

    def blocks(self, rows: int | None = None) -> Iterator[np.ndarray]:
        """Consecutive blocks of rows as float64, each checked; ``rows`` of them at a time."""
        rows = rows or max(1, BLOCK_BYTES // (8 * self.width))
        for numbers, block in self.read(rows):
            block = np.asarray(block, dtype=float).reshape(len(block), -1)
            with np.errstate(over="ignore", invalid="ignore"):
                sound = np.isfinite(np.sum(block))  # or the sum overflows: look closer
            if not sound:
                self._check(numbers, block)
            yield block

    def _check(self, numbers: Iterable[int], block: np.ndarray) -> None:
        for number, finite, row in zip(numbers, np.isfinite(block), block):
            if not finite.all():
                column = int(np.argmin(finite))
                names = [name for name in self.names or () if name not in self.texts]
                shown = names[column] if names else column + 1
                place = f"{self.source}, {self.unit} {number}, column {shown}"
                raise InputError(self.argument, f"{row[column]} ({place})", NUMBERS)

    def whole(self) -> np.ndarray:
        """All rows, shape (T, N_in), float64."""
        rows, filled = np.empty((self.length, self.width)), 0
        for block in self.blocks():
            rows[filled : filled + len(block)] = block
            filled += len(block)
        if not filled:
            raise InputError(self.argument, self.source, "at least two samples, not none")
        return rows


def as_samples(data: Any, argument: str = "data") -> Samples:
    """An array, or `Samples` as they are.

    >>> as_samples([[1, 2], [3, 4.5]]).whole()
    array([[1. , 2. ],
           [3. , 4.5]])
    """
    if isinstance(data, Samples):
        return data
    try:
        array = np.asanyarray(data)
    except ValueError:
        raise InputError(argument, "rows of different lengths", "rows of equal length") from None
    return _from_array(array, argument, argument)


def open_samples(path: str | Path, argument: str = "FILE", words: bool = False) -> Samples:
    """The samples in a file; see the table above. Rows are read when they are asked for.

    ``words`` allows named columns of text, which are kept apart.
    """
    path, member = _member(str(path))
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(argument, path, "a file " + ", ".join(SUFFIXES))
    opener = {".npy": _open_npy, ".npz": _open_npz}
    try:
        if suffix in TEXT:
            return _open_text(path, argument, words)
        if suffix == ".parquet":
            return _open_parquet(path, argument, words)
        return opener[suffix](path, argument, member)
    except InputError:
        raise
    except OSError as error:
        raise InputError(argument, path, f"a file to read ({error.strerror or error})") from None
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(argument, path, f"a readable {suffix} file ({error})") from error


def read_array(path: str | Path, argument: str = "FILE") -> np.ndarray:
    """The samples in a file as one float64 array of shape (T, N_in), every number finite.

    Raises `InputError` for anything else, and for fewer than two rows.
    """
    array = open_samples(path, argument).whole()
    if len(array) < 2:
        raise InputError(argument, f"{path} ({len(array)} row)", "at least two samples")
    return array


def read_labels(
    path: str | Path, argument: str = "labels", samples: int | None = None
) -> np.ndarray:
    """Labels in a file: shape (T,) where there is one column, else (T, C); text stays text.

    Raises `InputError` where there are not ``samples`` of them.
    """
    file, member = _member(str(path))
    suffix = file.suffix.lower()
    labels: np.ndarray | None = None
    if suffix in TEXT:
        labels = _text_labels(file, argument)
    elif suffix == ".npy" and file.is_file():
        labels = _named_classes(np.load(file, mmap_mode="r", allow_pickle=False))
    elif suffix == ".npz" and member and zipfile.is_zipfile(file):
        with np.load(file, allow_pickle=False) as archive:
            labels = _named_classes(archive[member]) if member in archive else None
    if labels is None:
        labels = open_samples(path, argument).whole()
        labels = labels[:, 0] if labels.shape[1] == 1 else labels
    if samples is not None and len(labels) == samples + 1 and labels.dtype.kind in "US" and (
        labels[0] not in labels[1:]
    ):  # the name of the column
        labels = labels[1:]
    if samples is not None and len(labels) != samples:
        raise InputError(argument, f"{path} ({len(labels)} labels)", f"{samples} labels, one "
                         "per sample")  # fmt: skip
    return labels


def read_table(path: str | Path, argument: str = "TABLE") -> dict[str, np.ndarray]:
    """The columns of a text or parquet file by the names in its first line, as float64.

    Columns in which nothing is a number stay text.
    """
    samples = open_samples(path, argument, words=True)
    if samples.names is None:
        raise InputError(argument, path, "names of the columns in the first line")
    if len(set(samples.names)) < len(samples.names):
        raise InputError(argument, path, f"different names of columns, not {samples.names}")
    if samples.texts and len(samples.texts) == len(samples.names):
        return dict(samples.texts)
    numeric = [name for name in samples.names if name not in samples.texts]
    return {**dict(zip(numeric, samples.whole().T)), **samples.texts}


# ---- arrays --------------------------------------------------------------------------------


def _from_array(array: np.ndarray, argument: str, source: str) -> Samples:
    _check_type(array.dtype, array.shape, argument, source)

    def read(rows: int) -> Iterator[_Block]:
        for i in range(0, len(array), rows):
            yield range(i + 1, len(array) + 1), array[i : i + rows]

    return Samples(argument, source, len(array), _width(array.shape), read)


def _check_type(dtype: np.dtype, shape: tuple[int, ...], argument: str, source: str) -> None:
    if dtype.kind not in "biuf":
        raise InputError(argument, f"{source} (of type {dtype})", "real numbers")
    if not shape or 0 in shape:
        raise InputError(argument, f"{source} (of shape {shape})", "an array of shape (T, N_in), "
                         "a sample per row")  # fmt: skip


def _width(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:], dtype=int))


def _open_npy(path: Path, argument: str, member: str) -> Samples:
    return _streamed(argument, str(path), lambda: open(path, "rb"), lambda: np.load(
        path, mmap_mode="r", allow_pickle=False))  # fmt: skip


def _open_npz(path: Path, argument: str, member: str) -> Samples:
    with zipfile.ZipFile(path) as archive:
        known = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
    if member not in known:
        if member or len(known) != 1:
            raise InputError(argument, f"{path}:{member}", "FILE.npz:NAME, with a NAME among "
                             + ", ".join(known[:8]))  # fmt: skip
        member = known[0]

    def load() -> np.ndarray:
        with np.load(path, allow_pickle=False) as loaded:
            return loaded[member]

    return _streamed(argument, f"{path}:{member}",
                     lambda: zipfile.ZipFile(path).open(f"{member}.npy"), load)  # fmt: skip


def _streamed(
    argument: str, source: str, opened: Callable[[], IO[bytes]], load: Callable[[], np.ndarray]
) -> Samples:
    """An array whose rows are read from a stream one block after the other, never mapped.

    Where columns lie together there are no rows to stream, and ``load`` gives the array.
    """
    with opened() as stream:
        shape, fortran, dtype = _header(stream)
    _check_type(dtype, shape, argument, source)
    if fortran and len(shape) > 1:
        return _from_array(load(), argument, source)
    width, length = _width(shape), shape[0]

    def read(rows: int) -> Iterator[_Block]:
        with opened() as stream:
            _header(stream)
            for i in range(0, length, rows):
                taken = min(rows, length - i)
                flat = np.frombuffer(stream.read(taken * width * dtype.itemsize), dtype)
                if flat.size < taken * width:
                    raise InputError(argument, source, f"{length} rows, not a file cut short")
                yield range(i + 1, length + 1), flat.reshape(taken, width)

    return Samples(argument, source, length, width, read)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    major, _ = np.lib.format.read_magic(stream)
    readers = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    if major not in readers:
        raise ValueError(f"version {major} of the format")
    return readers[major](stream)


def _open_parquet(path: Path, argument: str, words: bool) -> Samples:
    import pandas

    try:
        frame = pandas.read_parquet(path)
    except ImportError as error:
        raise InputError(argument, path, "another file: pandas finds no reader of parquet "
                         f"({str(error).splitlines()[0]})") from None  # fmt: skip
    texts = [name for name in frame.columns if frame[name].dtype.kind not in "biuf"]
    if texts and not words:
        raise InputError(argument, f"{path}, column {texts[0]}", "a column of numbers")
    numbers = frame.drop(columns=texts).to_numpy(dtype=float)
    found = _from_array(numbers, argument, str(path))
    return Samples(argument, str(path), len(frame), found.width, found.read,
                   names=tuple(map(str, frame.columns)),
                   texts={str(name): frame[name].to_numpy(dtype=str) for name in texts})


# ---- text ----------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines with content, and their numbers."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            text = line.partition("#")[0].strip()
            if text:
                yield number, text


def _delimiter(line: str) -> str | None:
    return next((mark for mark in (";", "\t", ",") if mark in line), None)


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _numbers(
    lines: list[str], delimiter: str | None, columns: list[int] | None = None
) -> np.ndarray:
    return np.loadtxt(lines, delimiter=delimiter, ndmin=2, comments=None, quotechar='"',
                      usecols=columns)  # fmt: skip


def _is_number(cell: str) -> bool:
    try:
        return bool(cell) and _numbers([cell], "\x1f").size == 1
    except ValueError:
        return False


def _open_text(path: Path, argument: str, words: bool) -> Samples:
    first = next(_lines(path), None)
    if first is None:
        raise InputError(argument, path, "at least two lines of numbers, not an empty file")
    delimiter = _delimiter(first[1])
    cells = _cells(first[1], delimiter)
    named = not any(map(_is_number, cells)) and any(x.isalpha() for cell in cells for x in cell)
    width = len(cells)
    texts = _texts(path, cells, delimiter) if words and named else {}
    taken = [j for j, name in enumerate(cells) if name not in texts]
    if named and not words and "" in cells:
        raise InputError(argument, f"{path} (column {cells.index('') + 1} without a name)", "names "
                         "for all columns or for none: an index column is no input")  # fmt: skip

    def read(rows: int) -> Iterator[_Block]:
        lines = _lines(path)
        if named:
            next(lines)
        while block := list(islice(lines, rows)):
            numbers, lines_of = zip(*block)
            try:
                parsed = _numbers(list(lines_of), delimiter, taken if texts else None)
                if parsed.shape[1] != len(taken):
                    raise ValueError
            except ValueError:
                raise _bad_line(path, argument, block, delimiter, width, taken) from None
            yield numbers, parsed

    names = tuple(cells) if named else None
    length = sum(1 for _ in _lines(path)) - named
    return Samples(argument, str(path), length, len(taken), read, "line", names, texts)


def _texts(path: Path, names: list[str], delimiter: str | None) -> dict[str, np.ndarray]:
    """The named columns in which no cell is a number or empty."""
    rows = [_cells(text, delimiter) for _, text in islice(_lines(path), 1, None)]
    columns = zip(names, zip(*(row for row in rows if len(row) == len(names))))
    return {name: np.array(cells) for name, cells in columns
            if not any(not cell or _is_number(cell) for cell in cells)}  # fmt: skip


def _bad_line(
    path: Path, argument: str, block: list[tuple[int, str]], delimiter: str | None, width: int,
    taken: list[int],
) -> InputError:  # fmt: skip
    """The error for the first line of the block that is none of ``width`` numbers."""
    for number, text in block:
        cells, place = _cells(text, delimiter), f"{path}, line {number}"
        if len(cells) != width:
            return InputError(argument, f"{len(cells)} cells ({place})", f"{width} cells in every "
                              "line, as in the first")  # fmt: skip
        for cell in (cells[j] for j in taken):
            if not _is_number(cell):
                shown = repr(cell[:40]) if cell else "an empty cell"
                return InputError(argument, f"{shown} ({place})", NUMBERS)
    return InputError(argument, path, "lines of numbers")


def _text_labels(path: Path, argument: str) -> np.ndarray | None:
    """One column of words as they are; None where the file holds numbers."""
    try:
        lines = [text for _, text in _lines(path)]
    except OSError:
        return None  # said where samples are opened
    if not lines or any(_delimiter(line) for line in lines) or any(map(_is_number, lines[1:])):
        return None
    if _is_number(lines[0]) and len(lines) == 1:
        return None
    return np.array(lines)


def _named_classes(array: np.ndarray) -> np.ndarray | None:
    return np.array(array).reshape(len(array)) if array.dtype.kind in "US" and array.ndim else None


def _member(path: str) -> tuple[Path, str]:
    """FILE.npz:NAME taken apart."""
    file, mark, name = path.rpartition(":")
    if mark and file.lower().endswith(".npz"):
        return Path(file), name
    return Path(path), ""
