"""Prose with mathematical characters, as LaTeX that pdflatex typesets.

The reasons and titles of derivations are plain text in which κ, λ₊, → or ½ may stand;
each such character has one LaTeX command. A character without one is an error, so that
nothing is silently lost.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

from solvable.analytic.typesetting import GREEK, SYMBOLS, command, math, script

_TEXT = {
    "“": "``", "”": "''", "’": "'", "‘": "`", "–": "--", "—": "---", "…": r"\dots{}",
    "\u00a0": "~", "é": r"\'e", "ö": r"\"o", "ü": r"\"u", "č": r"\v{c}", "ä": r"\"a", "§": r"\S{}",
    "\u2009": r"\,", "\u202f": r"\,",
}  # fmt: skip
_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "|": r"\ensuremath{|}",
}  # fmt: skip
_COMBINING = {
    "\u0308": r"\ddot", "\u0302": r"\hat", "\u0304": r"\bar", "\u0307": r"\dot",
    "\u0303": r"\tilde",
}  # fmt: skip


# λ_J, m^{-b-1}, σ_w^2: a letter with subscripts and superscripts written in ASCII
_SCRIPTED = re.compile(
    r"([0-9A-Za-zα-ωΑ-Ω∂)\]₀-₉⁰-⁹¹²³])"
    r"((?:[_^](?:\{[^{}]*\}|\([^()]*\)|[A-Za-zα-ω⋆∞](?![a-z])|-?\d+))+)"
)
# a letter on its own is a variable; "a", "A" and "I" are words, "D." is an initial
_VARIABLE = re.compile(r"(?<![A-Za-z\\'’])([B-HJ-Zb-hj-z])(?![A-Za-z.'’\u0300-\u036f])")
# a minus sign, not a hyphen
_MINUS = re.compile(r"(?:(?<=[\s(=])|^)-(?=[\s\dA-Za-zΑ-ω(])")
_ONE_SCRIPT = re.compile(r"([_^])(\{[^{}]*\}|\([^()]*\)|-?\d+|.)")


def escape(text: str) -> str:
    """The text as LaTeX.

    >>> print(escape("κ ≥ 0 & λ₁"))
    \\ensuremath{\\kappa} \\ensuremath{\\geq} 0 \\& \\ensuremath{\\lambda}\\ensuremath{_{1}}
    >>> print(escape("m^{-b}"))
    \\ensuremath{m^{-b}}
    """
    text = _MINUS.sub("−", text)
    out, last = [], 0
    for match in _SCRIPTED.finditer(text):
        out.append(_with_unicode_scripts(text[last : match.start()]))
        scripts = (
            f"{mark}{{{math(body.strip('{}'))}}}" for mark, body in _ONE_SCRIPT.findall(match[2])
        )
        out.append(rf"\ensuremath{{{math(match[1])}{''.join(scripts)}}}")
        last = match.end()
    return "".join([*out, _with_unicode_scripts(text[last:])])


def _with_unicode_scripts(text: str) -> str:
    out = []
    for mark, run in itertools.groupby(text, key=lambda c: (script(c) or ("", ""))[0]):
        if mark:
            base = "".join((script(c) or ("", ""))[1] for c in run)
            out.append(rf"\ensuremath{{{mark}{{{math(base)}}}}}")
        else:
            pieces = _VARIABLE.split("".join(run))  # odd ones are variables
            out += [rf"\ensuremath{{{p}}}" if i % 2 else _plain(p) for i, p in enumerate(pieces)]
    return "".join(out)


def _plain(text: str) -> str:
    out: list[str] = []
    for character in "".join(c if c in _TEXT else unicodedata.normalize("NFD", c) for c in text):
        if character in _COMBINING:
            out[-1] = rf"\ensuremath{{{_COMBINING[character]}{{{out[-1]}}}}}"
        elif character in GREEK or character in SYMBOLS:
            out.append(rf"\ensuremath{{{command(character)}}}")
        elif character in _TEXT:
            out.append(_TEXT[character])
        elif character in _SPECIAL:
            out.append(_SPECIAL[character])
        elif character.isascii():
            out.append(character)
        else:
            raise ValueError(f"no LaTeX is known for {character!r} in {text!r}")
    return "".join(out)
