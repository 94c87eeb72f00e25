r"""How wide a formula is on paper, without TeX: the widths of Computer Modern, in ems.

A formula is read as TeX reads it: letters have the widths of their fonts, a binary sign is
surrounded by 4/18 em and a relation by 5/18 em in text size, scripts are 0.7 of the size, the two
parts of a fraction are set above one another, a fraction inside a fraction in the size of
scripts, delimiters grow with what they enclose. Measured against pdflatex, the widths of all
formulas of the catalogue without matrices are right within 15 %; matrices are overestimated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"\\begin\{[a-z]+\*?\}|\\end\{[a-z]+\*?\}|\\[A-Za-z]+|\\.|\S")

#: widths of italic letters and digits; what is not listed is half an em wide
_LETTERS = {
    **dict.fromkeys("ijl", 0.34), **dict.fromkeys("fIrst", 0.45), **dict.fromkeys("mw", 0.8),
    **dict.fromkeys("aceghkoqvxyz", 0.5), **dict.fromkeys("bdnpu", 0.56),
    **dict.fromkeys("ABCEFGLPSTZJ", 0.7), **dict.fromkeys("DHKNOQRUVXY", 0.83),
    **dict.fromkeys("MW", 0.98), **dict.fromkeys(".,;:!|'", 0.28), **dict.fromkeys("()[]", 0.39),
}  # fmt: skip
_COMMANDS = {
    **dict.fromkeys((",", ":", " ", ">"), 0.2), ";": 0.28, "!": -0.17, "quad": 1.0, "qquad": 2.0,
    **dict.fromkeys(("left", "right", "displaystyle", "limits", "nolimits"), 0.0),
    **dict.fromkeys(("{", "}"), 0.5), "|": 0.5, "sum": 1.44, "prod": 1.28, "int": 1.0, "iint": 1.4,
    "oint": 1.0, "infty": 1.0, "partial": 0.57, "omega": 0.63, "Lambda": 0.7, "Delta": 0.83,
    "Sigma": 0.72, "Psi": 0.78, "Omega": 0.72, "Xi": 0.67, "Phi": 0.72, "Pi": 0.75, "psi": 0.65,
    "varphi": 0.65, "iota": 0.35, "top": 0.78, "bigl": 0.46, "Bigl": 0.53, "Bigr": 0.53,
    "Big": 0.6, "langle": 0.39, "rangle": 0.39,
}  # fmt: skip
_BINARY = {"+", "-", r"\cdot", r"\times", r"\pm", "*"}
RELATIONS = {
    "=", "<", ">", ":=", r"\leq", r"\geq", r"\ll", r"\gg", r"\simeq", r"\sim", r"\approx", r"\to",
    r"\propto", r"\equiv", r"\in", r"\neq",
}  # fmt: skip
_OPERATORS = (
    "sin", "cos", "cosh", "sinh", "tanh", "exp", "log", "ln", "min", "max", "lim", "coth", "arcsin",
    "det",
)  # fmt: skip
_FONTS = {"mathbb": 0.7, "mathbf": 0.6, "mathcal": 0.75, "mathrm": 0.5, "text": 0.5}
_SCRIPT = 0.7


@dataclass(frozen=True)
class FormulaBox:
    """A typeset piece: its width, and how many fractions are stacked in it."""

    width: float = 0.0
    stack: int = 0

    def __add__(self, other: FormulaBox) -> FormulaBox:
        return FormulaBox(self.width + other.width, max(self.stack, other.stack))


#: the widest line, in ems: that of a displayed equation with its number in the class article
LINE = 28.0


def width(code: str) -> float:
    r"""The width of a displayed formula in ems of its font size.

    >>> width("x + y") < width(r"\frac{x + y + z}{2}") < width("x + y + z + 2")
    True
    """
    return _FormulaReader(code).row(0).width


class _FormulaReader:
    """Reads tokens once, from left to right."""

    def __init__(self, code: str) -> None:
        self.tokens = _TOKEN.findall(code)
        self.place = 0

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def next(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1]

    def row(self, level: int, *ends: str) -> FormulaBox:
        """Everything up to one of ``ends``; ``level`` 0 is display, 1 text, 2 scripts."""
        total, scripts, after_operand = FormulaBox(), 0.0, False
        while self.peek() and self.peek() not in ends:
            token = self.next()
            if token in "^_" and token:
                size = self.group(2).width * (_SCRIPT if level < 2 else 0.8)
                total += FormulaBox(max(0.0, size - scripts) + 0.05)
                scripts = max(scripts, size)
                continue
            scripts = 0.0
            space = 0.0 if level > 1 else 0.22
            if token in RELATIONS:
                total += FormulaBox(0.78 + 2.5 * space)
            elif token in _BINARY:
                mark = 0.28 if token == r"\cdot" else 0.5 if token == "*" else 0.78
                total += FormulaBox(mark + 2 * space * after_operand)
            else:
                total += self.one(token, level)
                after_operand = token not in ("(", "[", r"\left", ",", "&")
                continue
            after_operand = False
        return total

    def group(self, level: int) -> FormulaBox:
        """A group in braces, or one token."""
        if self.peek() != "{":
            return self.one(self.next(), level) if self.peek() else FormulaBox()
        self.next()
        found = self.row(level, "}")
        if self.peek():
            self.next()
        return found

    def one(self, token: str, level: int) -> FormulaBox:
        """What one token, with its arguments, is set as."""
        name = token.lstrip("\\")
        if token.startswith(r"\begin"):
            return self.array(token[7:-1])
        if name in ("frac", "tfrac"):
            return self.fraction(level)
        if name == "sqrt":
            return self.group(level) + FormulaBox(0.9)
        if name == "left":
            return self.fence(level)
        if name == "operatorname":
            return FormulaBox(0.5 * len("".join(self.raw().split())) + 0.17)
        if name in _FONTS:
            return FormulaBox(_FONTS[name] * len(self.raw()))
        if name in _OPERATORS:
            return FormulaBox(0.5 * len(name) + 0.17)
        if name in ("hat", "bar", "dot", "ddot", "tilde", "overline"):
            return self.group(level)
        if token == "{":
            self.place -= 1
            return self.group(level)
        if token.startswith("\\"):
            return FormulaBox(_COMMANDS.get(name, 0.57))
        if token in "&}":
            return FormulaBox()
        return FormulaBox(_LETTERS.get(token, 0.5) + (0.17 if token == "," else 0.0))

    def raw(self) -> str:
        """The letters of an argument."""
        if self.peek() == "*":
            self.next()
        if self.peek() != "{":
            return self.next()
        self.next()
        letters = []
        while self.peek() and self.peek() != "}":
            letters.append(self.next())
        self.place += 1
        return "".join(letters)

    def fraction(self, level: int) -> FormulaBox:
        parts = [self.group(max(1, level)) if level < 1 else self.group(2) for _ in range(2)]
        wide = max(part.width for part in parts) * (_SCRIPT if level == 1 else 1.0)
        return FormulaBox(wide + 0.24, 1 + max(part.stack for part in parts))

    def fence(self, level: int) -> FormulaBox:
        """A pair of delimiters that grow: 0.39 em around a line, 0.74 and more around fractions."""
        self.next()
        inside = self.row(level, r"\right")
        if self.peek():
            self.next()
            self.next()
        return inside + FormulaBox(2 * (0.42, 0.62, 0.76, 0.85)[min(3, inside.stack)])

    def array(self, kind: str) -> FormulaBox:
        """Columns are as wide as their widest entry, with an em between them."""
        if kind == "array":
            self.raw()
        rows: list[list[FormulaBox]] = [[]]
        ends = ("&", r"\\", rf"\end{{{kind}}}")
        level = 0 if kind in ("aligned", "gathered") else 1
        while self.peek():
            rows[-1].append(self.row(level, *ends))
            end = self.next() if self.peek() else ends[2]
            if end == ends[2]:
                break
            if end == ends[1]:
                rows.append([])
        columns = list(_transposed(rows))
        gap = 0.0 if level == 0 else 1.0
        return FormulaBox(sum(max(x.width for x in column) for column in columns)
                   + gap * len(columns), 3)  # fmt: skip


def _transposed(rows: list[list[FormulaBox]]) -> Iterator[list[FormulaBox]]:
    for index in range(max(map(len, rows))):
        yield [row[index] for row in rows if index < len(row)]
