"""Files that are whole or not there: everything is written beside its target and then renamed.

Folders are made when they are missing, and are gone again where nothing came to be in them.

A full disk, an interrupt or an error while drawing leaves the old file as it was. What cannot be
written is known before the work begins (`check_writable`) and is said with the option that asked
for it and the path.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from solvable.analytic.errors import InputError


def unwritable(option: str, path: str | os.PathLike[str], error: Exception | str) -> InputError:
    """The error for a file that cannot be written: names the option, the path and the reason."""
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(option, os.fspath(path), f"a file that can be written ({reason})")


def check_writable(path: str | os.PathLike[str], option: str) -> Path:
    """The path as a `Path`; `InputError` if a file could not be put there. Leaves no file.

    >>> check_writable("/no/such/folder/laws.tex", "--to")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    InputError: --to = /no/such/folder/laws.tex is not allowed
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if not path.parent.is_dir():
            raise NotADirectoryError(None, "no such folder")
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # a name that the system does not take
        with tempfile.TemporaryFile(dir=path.parent):
            return path
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        raise unwritable(option, path, error) from error


@contextlib.contextmanager
def folder(path: str | os.PathLike[str], option: str) -> Iterator[Path]:
    """The folder within the block, made when it is missing; `InputError` if no file can be there.

    What was made of it and of the folders above is removed at the end of the block, if empty.
    """
    path = Path(path)
    made: list[Path] = []
    try:
        try:
            made = [one for one in (path, *path.parents) if not one.exists()]
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(option, path, f"a folder that can be written ({reason})") from error
        yield path
    finally:
        for one in made:
            with contextlib.suppress(OSError, ValueError):
                one.rmdir()


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], option: str) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed to ``path`` when the block ends well.

    It has the same ending, from which some writers take their format.
    """
    path = check_writable(path, option)
    beside = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise unwritable(option, path, error) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str, option: str) -> Path:
    """Replace the file by the text, in UTF-8."""
    with replacing(path, option) as beside:
        beside.write_text(text, encoding="utf-8")
    return Path(path)
