r"""Symbols under the names of one's own paper: ``kappa=\lambda_*``.

A renaming gives LaTeX to a symbol or a function by name; formulas and prose then print it so. It
is refused where it would make two symbols look alike, where it is no formula, and where no such
symbol is printed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

import sympy as sp
from sympy.core.function import AppliedUndef

from solvable.analytic.errors import InputError
from solvable.analytic.notation import printed_as
from solvable.analytic.spectral_functions import ModeFunction
from solvable.analytic.typesetting import GREEK, latex

from ..derivation import Derivation
from ..relations import Relation

_ALLOWED = re.compile(
    "|".join(GREEK.values()) + "|hat|bar|tilde|vec|dot|ddot|widehat|widetilde|overline|underline"
    "|math(?:bf|bb|cal|rm|sf|frak)|boldsymbol|operatorname|star|ast|prime|ell|infty|dagger"
    "|varepsilon|vartheta|varrho|varsigma|varpi|phi|epsilon|top|parallel|perp"
)  # fmt: skip
_TOKEN = re.compile(r"\\[A-Za-z]+|[A-Za-z0-9{}_^*+'().,/\- ]")


def symbols(things: Iterable[Derivation | Relation]) -> set[str]:
    """The names of all symbols, matrices and functions in the claims."""
    found: set[str] = set()
    for thing in things:
        found |= set(_names(thing))
    return found


def _names(thing: Derivation | Relation) -> Iterator[str]:
    if isinstance(thing, Derivation):
        for relation in (*(step.claim for step in thing.claims), *thing.conclusion):
            yield from _names(relation)
        return
    for atom in thing.atoms(sp.Symbol, sp.MatrixSymbol, AppliedUndef, ModeFunction):
        if isinstance(atom, ModeFunction):
            if hasattr(atom, "letter") and atom.letter:
                yield f"{atom.letter}_{atom.args[0]}"
        elif isinstance(atom, AppliedUndef):
            yield atom.func.__name__
        else:
            yield atom.name.rstrip("'")


def parse_renames(texts: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    r"""The LaTeX of each renamed symbol; ``known`` are the names that are printed.

    >>> parse_renames([r"kappa=\lambda_*", "σ_w=s"], {"kappa", "sigma_w", "N"})
    {'kappa': '\\lambda_*', 'sigma_w': 's'}
    """
    names, known = {}, set(known)
    for text in texts:
        name, equals, code = text.partition("=")
        name, code = _ascii(name.strip()), code.strip()
        if not equals or not name or not code:
            raise InputError("--rename", text, r"NAME=LATEX, such as kappa=\lambda_*")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:12]
            raise InputError("--rename", name, f"a symbol that is printed: {', '.join(near)}")
        if name in names:
            raise InputError("--rename", text, f"one name for {name}, not two")
        _check_code(code, text)
        names[name] = rf"{{{code}}}" if "^" in code else code
    _check_distinct(names, known)
    return names


def _ascii(name: str) -> str:
    return "".join(GREEK.get(character, character) for character in name)


def _check_code(code: str, text: str) -> None:
    """A short formula: letters, digits, scripts, accents; nothing that TeX would execute."""
    tokens = _TOKEN.findall(code)
    depth = lowest = 0
    for token in tokens:
        depth += (token == "{") - (token == "}")
        lowest = min(lowest, depth)
    strange = [t for t in tokens if t.startswith("\\") and not _ALLOWED.fullmatch(t[1:])]
    plain = "".join(tokens) == code and not depth and lowest >= 0
    if strange or not plain or not re.search(r"[A-Za-z]", code):
        raise InputError("--rename", text, "a letter with accents, fonts and scripts, in LaTeX"
                         + (f" ({strange[0]} is not)" if strange else ""))  # fmt: skip


def _check_distinct(names: dict[str, str], known: set[str]) -> None:
    """No two symbols are printed alike."""
    printed: dict[str, str] = {}
    for name in sorted(known, key=lambda name: name in names):
        code = re.sub(r"[{}\s]", "", latex(printed_as(name), names))
        other = printed.setdefault(code, name)
        if other != name and (name in names or other in names):
            raise InputError("--rename", f"{name}={names.get(name, names.get(other))}",
                             f"LaTeX that no other symbol has: {other} is printed so")  # fmt: skip
