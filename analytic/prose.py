"""Prose with mathematical characters, as pieces of words and of LaTeX mathematics.

The reasons and titles of derivations are plain text in which κ, λ₊, m^{-b}, → or ½ may stand; each
such character has one LaTeX command, and what belongs together (`1 − D₁/N`) is one formula. A
character without a command is an error, so that nothing is silently lost.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from .typesetting import GREEK, SYMBOLS, command, math, script

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

_LETTER = r"[A-Za-zα-ωΑ-Ωϕϵ∂ℓ]"
_MATHEMATICAL = "".join(c for c in SYMBOLS if c not in "ϕϵ∂ℓ½¼")
_ONE_SCRIPT = re.compile(r"([_^])(\{[^{}]*\}|\([^()]*\)|[-−]?\d+|[-−][A-Za-z]|.)")
_SCRIPTS = r"(?:[_^](?:\{[^{}]*\}|\([^()]*\)|[-−]?[A-Za-zα-ωΑ-Ω⋆∞+−*](?![a-z])|-?\d+))"
# a letter with scripts or primes; scripts of a bracket or a number; a letter on its own ("a", "A"
# and "I" are words); a product of letters that hangs on a formula; a Greek letter; a sign
_TOKEN = re.compile(
    rf"(?P<scripted>(?:{_LETTER}[\u0300-\u036f]?|(?<![\d.])\d+|[)\]])'*{_SCRIPTS}+'*)"
    rf"|(?P<accented>{_LETTER}[\u0300-\u036f]'*)"
    rf"|(?P<variable>(?<![A-Za-z\\'’\-])(?:[B-HJ-Zb-hj-z]|E(?=\[)|(?<=\}})A|A(?=\^)|[aA](?=\s*[=−><≥≤+≪≫→/]))'*(?![A-Za-z'’\-]))"
    rf"|(?P<operator>\b(?:(?:min|max)(?=[(])|(?:Tr|ln|Im)(?=[\s(\[](?!of|for|is|the))))"
    rf"|(?P<product>(?<=[}}∫−α-ωΑ-Ω])(?!th|st|nd|rd)(?:[A-Za-z](?![_^])){{1,3}}['′]*(?![A-Za-z'’\-^_]|$)"
    rf"|(?<=[}}∫−α-ωΑ-Ω])[A-Za-z]{{1,3}}(?=[A-Za-z][_^]))"
    rf"|(?P<greek>[α-ωΑ-Ωϕϵ∂ℓ]['′″]*)"
    rf"|(?P<sign>[½¼{re.escape(_MATHEMATICAL)}<>|])"
)
# what may stand between two formulas that are one
_BETWEEN = re.compile(r"[\s=+\-/(){}\[\]0-9.!·]*$")
# a number with a power of ten, as a program prints it
_POWER_OF_TEN = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]?\d+)(?![\w.]\w)")
# a minus sign, not a hyphen
_MINUS = re.compile(r"(?:(?<=[\s(=/])|^)-(?=[\s\dA-Za-zΑ-ω(])")

Names = Mapping[str, str]


def escape(text: str, names: Names | None = None) -> str:
    """The text as LaTeX, with the symbols called as ``names`` says.

    >>> print(escape("κ ≥ 0 & λ₁"))
    $\\kappa \\geq 0$ \\& $\\lambda_{1}$
    >>> print(escape("for m^{-b} terms"))
    for $m^{-b}$ terms
    >>> print(escape("σ² = 1e-06 or 2.5e9"))
    $\\sigma^{2} = 10^{-6}$ or $2.5\\cdot10^{9}$
    >>> print(escape("R₀ = −Tq of ΛKG, the 2nd κth"))
    $R_{0} = -T q$ of $\\Lambda K G$, the 2nd $\\kappa$th
    """
    return "".join(
        f"${piece}$" if formula else words(piece) for formula, piece in segments(text, names)
    )


def words(text: str) -> str:
    """Words as LaTeX."""
    return "".join(_TEXT.get(c) or _SPECIAL.get(c) or _ascii(c, text) for c in text)


def segments(text: str, names: Names | None = None) -> Iterator[tuple[bool, str]]:
    """(whether it is mathematics, words or LaTeX), in order.

    >>> list(segments("as κ → 0, N grows"))
    [(False, 'as '), (True, '\\\\kappa \\\\to 0'), (False, ', '), (True, 'N'), (False, ' grows')]
    """
    found = _merged(list(_tokens(_normal(text), names or {})))
    for formula, piece in found:
        yield formula, " ".join(piece.split()) if formula else piece


def symbols(text: str) -> Iterator[str]:
    """The names of the symbols in a text.

    >>> sorted(set(symbols("κ₀ → 0 as N/T → ∞")))
    ['N', 'T', 'kappa_0']
    """
    for match in _TOKEN.finditer(_normal(text)):
        if match.lastgroup in ("scripted", "accented", "variable", "greek"):
            head, *scripts = _parts(match[0])
            if head[0].isalpha() and len(head) == 1:
                yield "_".join([_word(head), *(_word(b) for mark, b in scripts if mark == "_")])


def _normal(text: str) -> str:
    """One way of writing: ASCII scripts, composed letters, a minus where one is meant."""
    text = _POWER_OF_TEN.sub(_power_of_ten, text)
    text = _MINUS.sub("−", text).replace("⋆", "^⋆").replace(" ~ ", " ∼ ")
    kept = (c if c in _TEXT else unicodedata.normalize("NFD", c) for c in text)
    out: list[str] = []
    kind = ""
    for character in "".join(kept):
        mark, plain = script(character) or ("", character)
        if mark != kind:
            out.append("}" * bool(kind) + f"{mark}{{" * bool(mark))
        out.append("-" if mark and plain == "−" else plain)
        kind = mark
    return "".join(out) + "}" * bool(kind)


def _power_of_ten(found: re.Match[str]) -> str:
    """1e-06 is 10^{-6}, 2.5e9 is 2.5·10^{9}."""
    factor = "" if found[1] == "1" else f"{found[1]}·"
    return f"{factor}10^{{{int(found[2])}}}"


def _tokens(text: str, names: Names) -> Iterator[tuple[bool, str]]:
    last = 0
    for match in _TOKEN.finditer(text):
        if match.start() > last:
            yield False, text[last : match.start()]
        yield True, _formula(match.lastgroup or "", match[0], names)
        last = match.end()
    if last < len(text):
        yield False, text[last:]


def _formula(kind: str, token: str, names: Names) -> str:
    """The LaTeX of one token."""
    if kind == "operator":
        return rf"\operatorname{{{token}}}"
    if kind == "sign":
        return _plain(token)
    primes = "'" * len(re.findall("['′]", token)) + "''" * token.count("″")
    if kind == "product":
        return " ".join(names.get(c) or c for c in token if c.isalpha()) + primes
    letter, *scripts = _parts(token)
    name = "_".join([_word(letter), *(_word(body) for mark, body in scripts if mark == "_")])
    code = names.get(name)
    if code is None:
        code = _letter(letter, names)
        code += "".join(rf"_{{{_inside(body, names)}}}" for mark, body in scripts if mark == "_")
    raised = "".join(rf"^{{{_inside(body, names)}}}" for mark, body in scripts if mark == "^")
    return code + primes + (f"{{}}{raised}" if raised and primes else raised)


def _parts(token: str) -> list[Any]:
    """The letter of a token, and (mark, script) for each of its scripts."""
    bare = re.sub("['′″]", "", token)
    head = re.split(r"[_^]", bare, maxsplit=1)[0]
    scripts = _ONE_SCRIPT.findall(bare[len(head) :])
    return [head, *((m, b[1:-1] if b.startswith("{") else b) for m, b in scripts)]


def _word(character: str) -> str:
    return GREEK.get(character, character)


def _letter(letter: str, names: Names) -> str:
    """A letter, perhaps with an accent, under its name."""
    if letter[0].isascii() and not letter[0].isalpha():
        return letter
    base, accent = letter[0], letter[1:]
    known = names.get(_word(base))
    code = rf"{{{known}}}" if known and "_" in known else known or _plain(base)
    return rf"{_COMBINING[accent]}{{{code}}}" if accent else code


def _plain(character: str) -> str:
    """A character in mathematics; a command does not swallow the letter after it."""
    return character if character.isascii() else command(character)


def _inside(body: str, names: Names) -> str:
    body = re.sub(r"\b(min|max|ln)(?=\()", r"\\\1", body)
    pieces = re.split(r"([α-ωΑ-Ω]|(?<![A-Za-z])[A-Za-z](?![A-Za-z]))", body)
    shown = (names.get(_word(p)) or math(p) if i % 2 else math(p) for i, p in enumerate(pieces))
    return "".join(shown).strip()


def _merged(found: list[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """Formulas that only signs, numbers and spaces separate are one formula."""
    out: list[tuple[bool, str]] = []
    for index, (formula, piece) in enumerate(found):
        inside = 0 < index < len(found) - 1 and _BETWEEN.match(
            piece.replace(",", "") if out and _opened(out[-1][1], ")") else piece
        )
        if not formula and inside and not re.search(r"\.(\s|$)", piece):
            formula, piece = True, piece.replace("{", r"\{").replace("}", r"\}")
            signs = _ENDS.search(found[index - 1][1]) or _STARTS.match(found[index + 1][1])
            piece = piece if piece.strip() or signs else r"\, "
        if out and out[-1][0] is formula:
            out[-1] = (formula, out[-1][1] + _apart(out[-1][1], piece))
        else:
            out.append((formula, piece))
    return _with_numbers(out)


def _apart(before: str, piece: str) -> str:
    """The piece, kept apart from a command that ends in letters."""
    return f" {piece}" if re.search(r"\\[A-Za-z]+$", before) and piece[0].isalpha() else piece


_SIGNS = r"(?:[-+=<>|]|\\(?:" + "|".join(
    code[1:] for code in SYMBOLS.values() if re.fullmatch(r"\\[a-z]+", code)
) + r"))\s*"  # fmt: skip
_STARTS, _ENDS = re.compile(_SIGNS), re.compile(rf"{_SIGNS}$")


_AFTER = re.compile(r"\s*[-+=/]\s*\d+(?:\.\d+)?(?![\w.]\w)")
_NUMBER = re.compile(r"\s*\d+(?:\.\d+)?")
_BEFORE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:\s*/)?\s*$")


def _with_numbers(found: list[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """Numbers before or after a sign, and closing brackets, belong to the formula beside them."""
    out: list[tuple[bool, str]] = []
    for formula, piece in found:
        if not formula and out:
            before = out[-1][1]
            number = (_NUMBER if _ENDS.search(before) else _AFTER).match(piece)
            taken = number.end() if number else 0
            while taken < len(piece) and _opened(before + piece[:taken], piece[taken]):
                taken += 1
            out[-1] = (True, before + piece[:taken])
            piece = piece[taken:]
        if formula and out:
            number = _BEFORE.search(out[-1][1])
            if number and ("/" in number[0] or _STARTS.match(piece)):
                out[-1] = (False, out[-1][1][: number.start()])
                piece = number[0] + piece
        out.append((formula, piece))
    pieces = (part for one in out for part in (_balanced(one[1]) if one[0] else [one]))
    return [one for one in pieces if one[1]]


def _opened(code: str, closing: str) -> bool:
    """Whether the bracket closes one that the formula has opened."""
    opening = {")": "(", "]": "["}.get(closing, "")
    return bool(opening) and code.count(opening) > code.count(closing)


def _balanced(code: str) -> list[tuple[bool, str]]:
    """A formula without the brackets at its ends that have no partner in it."""
    code, space = code.rstrip(), " " * (len(code) - len(code.rstrip()))
    before = after = ""
    while code.endswith(")") and code.count(")") > code.count("("):
        code, after = code[:-1], ")" + after
    while code.startswith("(") and code.count("(") > code.count(")"):
        code, before = code[1:], before + "("
    pieces = [(False, before), (True, code), (False, after + space)]
    return [one for one in pieces if one[1]]


def _ascii(character: str, text: str) -> str:
    if not character.isascii():
        raise ValueError(f"no LaTeX is known for {character!r} in {text!r}")
    return character
