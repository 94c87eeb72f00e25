"""The state of the code that a derivation rests on: its module and all that it imports.

Imports are read from the source, so that nothing is imported to find out that nothing changed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("analytic", "validation", "derivations")
LIBRARIES = ("sympy", "mpmath", "numpy", "scipy", "python-flint")


def fingerprint(module: str, *others: str) -> str:
    """A hash of the module, of everything of ours that it imports, and of the libraries.

    ``others`` are further texts that what is kept depends on.
    """
    found = hashlib.sha256(repr(others).encode())
    for name in sorted(closure(_ours(module))):
        found.update(name.encode() + _source(name).read_bytes())
    found.update(" ".join(map(version, LIBRARIES)).encode())
    return found.hexdigest()[:20]


def _ours(module: str) -> str:
    """The name of a module inside the repository: without ``solvable``."""
    return module.removeprefix("solvable.")


@cache
def _sources() -> dict[str, Path]:
    found = {}
    for room in ROOMS:
        folder = Path(__import__(f"solvable.{room}", fromlist=["_"]).__path__[0])
        for path in folder.rglob("*.py"):
            parts = (room, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _source(name: str) -> Path:
    return _sources()[name]


@cache
def closure(module: str) -> frozenset[str]:
    """The module and all modules of ours that it imports, directly or not."""
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _imports(name)
    return frozenset(seen)


@cache
def _imports(module: str) -> tuple[str, ...]:
    """The modules of ours that one module imports."""
    return tuple(sorted(set(_imported(module))))


def _imported(module: str) -> Iterator[str]:
    path = _source(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = _ours(node.module or "")
        if node.level:
            parts = package.split(".")
            kept = parts[: len(parts) - node.level + 1]
            base = ".".join([*kept, *([node.module] if node.module else [])])
        for alias in node.names:
            full = f"{base}.{alias.name}"
            target = full if full in _sources() else base
            if target in _sources():
                yield target
