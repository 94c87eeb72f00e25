"""Prose with mathematical characters, as LaTeX that pdflatex typesets.

The reasons and titles of derivations are plain text in which κ, λ₊, → or ½ may stand;
each such character has one LaTeX command. A character without one is an error, so that
nothing is silently lost.
"""

from __future__ import annotations

import re

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "upsilon",
            "varphi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Xi",
            "Pi",
            "Sigma",
            "Upsilon",
            "Phi",
            "Psi",
            "Omega",
        ],
    )
)
_SYMBOLS = {
    "→": r"\to", "⇒": r"\Rightarrow", "↔": r"\leftrightarrow", "≤": r"\leq", "≥": r"\geq",
    "≪": r"\ll", "≫": r"\gg", "≈": r"\approx", "∼": r"\sim", "≡": r"\equiv", "≠": r"\neq",
    "∝": r"\propto", "∞": r"\infty", "±": r"\pm", "×": r"\times", "·": r"\cdot", "−": "-",
    "√": r"\surd", "∂": r"\partial", "∫": r"\int", "∮": r"\oint", "∬": r"\iint", "Σ": r"\Sigma",
    "∈": r"\in", "⟨": r"\langle", "⟩": r"\rangle", "‖": r"\|", "°": r"^\circ", "½": r"\tfrac12",
    "¼": r"\tfrac14", "′": r"'", "″": r"''", "⋆": r"\star", "★": r"\star", "†": r"\dagger",
    "⊗": r"\otimes", "∘": r"\circ", "ℓ": r"\ell", "⌈": r"\lceil", "⌉": r"\rceil",
    "⌊": r"\lfloor", "⌋": r"\rfloor", "∇": r"\nabla", "∏": r"\Pi", "⁻": "^{-}", "⁺": "^{+}",
    "ϕ": r"\phi", "ϵ": r"\epsilon", "∑": r"\Sigma", "⊤": r"\top", "ᵀ": r"^{\top}", "⩽": r"\leq",
    "≲": r"\lesssim", "≳": r"\gtrsim", "∎": r"\square", "∥": r"\|", "∓": r"\mp",
}  # fmt: skip
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿᵇᵅᵃᵗˢ", "0123456789-+nb\0ats"))
_SUPERSCRIPTS["ᵅ"] = r"\alpha "
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙₜₖₘₐᵢⱼₓₑₚₛₗ", "0123456789+-ntkmaijxepsl"))
_SUBSCRIPTS["ᵧ"] = r"\gamma "
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
_COMBINING = {"\u0302": r"\hat", "\u0304": r"\bar", "\u0307": r"\dot", "\u0303": r"\tilde"}


def _run(text: str, table: dict[str, str], mark: str) -> str:
    characters = "".join(map(re.escape, table))
    return re.sub(
        f"[{characters}]+",
        lambda match: "\0" + mark + "{" + "".join(table[c] for c in match[0]) + "}\1",
        text,
    )


def escape(text: str) -> str:
    """The text as LaTeX.

    >>> print(escape("κ ≥ 0 & λ₁₀"))
    \\ensuremath{\\kappa} \\ensuremath{\\geq} 0 \\& \\ensuremath{\\lambda}\\ensuremath{_{10}}
    """
    out = []
    for piece in re.split("(\0[^\1]*\1)", _run(_run(text, _SUBSCRIPTS, "_"), _SUPERSCRIPTS, "^")):
        if piece.startswith("\0"):
            out.append(rf"\ensuremath{{{piece[1:-1]}}}")
        else:
            out.append(_plain(piece))
    return "".join(out)


def _plain(text: str) -> str:
    out: list[str] = []
    for character in text:
        if character in _COMBINING:
            out[-1] = rf"\ensuremath{{{_COMBINING[character]}{{{out[-1]}}}}}"
        elif character in _GREEK:
            out.append(rf"\ensuremath{{\{_GREEK[character]}}}")
        elif character in _SYMBOLS:
            out.append(rf"\ensuremath{{{_SYMBOLS[character]}}}")
        elif character in _TEXT:
            out.append(_TEXT[character])
        elif character in _SPECIAL:
            out.append(_SPECIAL[character])
        elif character.isascii():
            out.append(character)
        else:
            raise ValueError(f"no LaTeX is known for {character!r} in {text!r}")
    return "".join(out)
