r"""Finished cells of a sweep, kept in an append-only file that survives being killed.

A store is a text file of JSON lines. The first is a header that says what the numbers belong to
(the *identity*: experiment, root seed, version of the simulation, …); each further line is one
finished cell::

    {"crc":"5f1a0c3e","record":{"key":"…","value":{…},…}}

The checksum is the CRC-32 of the record's own bytes, so that a damaged line is recognised
without trusting its contents.

* A line goes to the operating system in one ``write`` on a descriptor opened with ``O_APPEND``:
  ``kill -9`` loses no line that was written, and cuts at most the one being written. ``fsync``,
  which only a loss of power needs, is called at most once per `SYNC_INTERVAL` and at the end.
* A last line without its newline is *torn*: it is cut off when the store is opened, and said so.
  A line elsewhere whose checksum fails is *damaged*: it is left where it is, its cell counts as
  unfinished and is computed and appended again, and this is said too.
* A file that is not a store, or the store of another identity, is refused and not touched; so is
  a store that another process is writing (advisory lock, where the system has one).
* A write that fails half-way (full disk) is taken back, so that the file ends with a whole line.
"""

from __future__ import annotations

import json
import os
import stat
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from solvable.analytic.errors import SolvableError

FORMAT = "solvable store"
FORMAT_VERSION = 1
SYNC_INTERVAL = 1.0  # seconds between two fsync
_PREFIX = b'{"crc":"%08x","record":'
_PREFIX_LENGTH = len(_PREFIX % 0)


class StoreError(SolvableError):
    """A store that cannot be used: names the file, says why, and what to do."""


def encode(record: Mapping[str, Any]) -> bytes:
    """One line of the store, checksum and newline included.

    >>> encode({"key": "a", "value": 1.5})
    b'{"crc":"0a954332","record":{"key":"a","value":1.5}}\\n'
    """
    body = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode()
    return _PREFIX % zlib.crc32(body) + body + b"}\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of one line (without newline), or None when the line is damaged.

    >>> decode(encode({"key": "a", "value": 1.5}).rstrip())
    {'key': 'a', 'value': 1.5}
    >>> decode(encode({"key": "a", "value": 1.5}).rstrip().replace(b"1.5", b"2.5")) is None
    True
    """
    body = line[_PREFIX_LENGTH:-1]
    if line[-1:] != b"}" or line[:_PREFIX_LENGTH] != _PREFIX % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def describe_difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """The entries in which two identities differ, in words.

    >>> describe_difference({"experiment": "a", "seed": 0}, {"experiment": "b", "seed": 0})
    "experiment 'a' instead of 'b'"
    """
    names = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    return ", ".join(f"{n} {found.get(n)!r} instead of {expected.get(n)!r}" for n in names)


class Store:
    """Append-only store of finished cells, open for reading and appending.

    Parameters
    ----------
    path : file, created when it is missing or empty (its folder must exist).
    identity : JSON mapping that every run which shares the file must repeat exactly.
    sync_interval : seconds between two ``fsync``.

    ``results`` maps the key of each finished cell to its value; ``messages`` says what had to be
    repaired or ignored on opening. Use it as a context manager.

    Raises `StoreError` when the file cannot be read or written, is not a store, belongs to
    another identity or format, or is being written by another process.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        identity: Mapping[str, Any],
        *,
        sync_interval: float = SYNC_INTERVAL,
    ) -> None:
        self.path = Path(path)
        self.identity = json.loads(json.dumps(dict(identity)))
        self.results: dict[str, Any] = {}
        self.messages: list[str] = []
        self._sync_interval = sync_interval
        self._descriptor = self._open()
        try:
            self._lock()
            self._load()
        except BaseException:
            os.close(self._descriptor)
            raise
        self._synced = time.monotonic()

    def __len__(self) -> int:
        return len(self.results)

    def __contains__(self, key: str) -> bool:
        return key in self.results

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, key: str, value: Any, **about: Any) -> None:
        """Add one finished cell: ``value`` and ``about`` are JSON values."""
        try:
            line = encode({"key": key, "value": value, **about})
        except (TypeError, ValueError) as error:
            raise StoreError(f"{self.path}: cell {key} has no JSON form: {error}") from error
        self._write(line)
        self.results[key] = value
        if time.monotonic() - self._synced >= self._sync_interval:
            self.sync()

    def sync(self) -> None:
        """Ask the operating system to put on the disk what was appended."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be synchronised: {error.strerror}") from error
        self._synced = time.monotonic()

    def close(self) -> None:
        """Synchronise and close; a second call does nothing."""
        if self._descriptor < 0:
            return
        try:
            self.sync()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    # -- opening ---------------------------------------------------------------------------

    def _open(self) -> int:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be opened: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StoreError(f"{self.path}: is not a regular file")
        return descriptor

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # a system without advisory locks
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"{self.path}: another process is writing this store") from error
        except OSError as error:  # a file system without locks: go on, but say so
            self.messages.append(f"{self.path}: cannot be locked ({error.strerror})")

    def _header(self) -> bytes:
        return encode({"format": FORMAT, "version": FORMAT_VERSION, "identity": self.identity})

    def _load(self) -> None:
        """Check the header, read the cells, cut a torn end."""
        header, size = self._header(), os.fstat(self._descriptor).st_size
        if size < len(header) and self._read(size) == header[:size]:  # new, or torn at birth
            if size:
                self._cut(0, "its header was torn and is written again")
            self._write(header)
            self.sync()
            return
        lines = self._lines()
        self._check_header(next(lines)[1])
        end = size
        for number, (start, line) in enumerate(lines, start=2):
            record = decode(line.rstrip(b"\n"))
            complete = line.endswith(b"\n")
            if record is not None and isinstance(record.get("key"), str) and "value" in record:
                self.results[record["key"]] = record["value"]
                if not complete:
                    self._write(b"\n")
            elif complete:
                self.messages.append(
                    f"{self.path}: line {number} is damaged; its cell counts as unfinished"
                )
            else:
                end = start
        if end < size:
            self._cut(end, f"its last line was torn ({size - end} bytes) and is cut off")

    def _check_header(self, line: bytes) -> None:
        record = decode(line.rstrip(b"\n")) if line.endswith(b"\n") else None
        if record is None or record.get("format") != FORMAT:
            raise StoreError(f"{self.path}: is not a store (or its first line is damaged)")
        advice = "nothing was changed; name another file"
        if record.get("version") != FORMAT_VERSION:
            raise StoreError(
                f"{self.path}: is a store of format version {record.get('version')}, this program "
                f"writes version {FORMAT_VERSION}; {advice}"
            )
        if record.get("identity") != self.identity:
            found = record.get("identity")
            difference = describe_difference(
                found if isinstance(found, dict) else {}, self.identity
            )
            raise StoreError(f"{self.path}: belongs to another run: {difference}; {advice}")

    def _read(self, size: int) -> bytes:
        with open(self.path, "rb") as file:
            return file.read(size)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """(offset, line) of every line of the file."""
        offset = 0
        with open(self.path, "rb") as file:
            for line in file:
                yield offset, line
                offset += len(line)

    # -- writing ---------------------------------------------------------------------------

    def _write(self, line: bytes) -> None:
        """Append all of the line, or nothing of it."""
        end = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, line)
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            os.ftruncate(self._descriptor, end)
            raise StoreError(
                f"{self.path}: cannot be written: {error.strerror}; "
                f"the {len(self.results)} cells finished so far are safe in it"
            ) from error

    def _cut(self, end: int, reason: str) -> None:
        os.ftruncate(self._descriptor, end)
        self.messages.append(f"{self.path}: {reason}")
