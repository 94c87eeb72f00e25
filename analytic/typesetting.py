"""How mathematics is written: LaTeX, two-dimensional text, one line of text.

Sympy's printers are taught the order in which a person writes a sum (it begins with a positive
term where it has one: T − N, not −N + T) and the trace of the field: Tr is the plain trace, Σ of
the diagonal; the normalised trace is tr A = Tr A/dim A.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.pretty.pretty import PrettyPrinter
from sympy.printing.pretty.pretty_symbology import pretty_use_unicode
from sympy.printing.pretty.stringpict import prettyForm
from sympy.printing.str import StrPrinter

_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
GREEK = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _NAMES.split(), strict=True))
SYMBOLS = {
    "→": r"\to", "←": r"\leftarrow", "⇒": r"\Rightarrow", "↔": r"\leftrightarrow",
    "≤": r"\leq", "≥": r"\geq",
    "≪": r"\ll", "≫": r"\gg", "≈": r"\approx", "≃": r"\simeq", "∼": r"\sim",
    "≡": r"\equiv", "≠": r"\neq",
    "∝": r"\propto", "∞": r"\infty", "±": r"\pm", "×": r"\times", "·": r"\cdot", "−": "-",
    "√": r"\surd", "∂": r"\partial", "∫": r"\int", "∮": r"\oint", "∬": r"\iint", "Σ": r"\Sigma",
    "∈": r"\in", "⟨": r"\langle", "⟩": r"\rangle", "‖": r"\|", "°": r"^\circ", "½": r"\tfrac12",
    "¼": r"\tfrac14", "′": r"'", "″": r"''", "⋆": r"\star", "★": r"\star", "†": r"\dagger",
    "⊗": r"\otimes", "∘": r"\circ", "ℓ": r"\ell", "⌈": r"\lceil", "⌉": r"\rceil",
    "⌊": r"\lfloor", "⌋": r"\rfloor", "∇": r"\nabla", "∏": r"\Pi", "⁻": "^{-}", "⁺": "^{+}",
    "ϕ": r"\phi", "ϵ": r"\epsilon", "∑": r"\Sigma", "⊤": r"\top", "ᵀ": r"^{\top}", "⩽": r"\leq",
    "≲": r"\lesssim", "≳": r"\gtrsim", "∎": r"\square", "∥": r"\|", "∓": r"\mp", "𝕀": r"\mathbb{I}",
}  # fmt: skip


def script(character: str) -> tuple[str, str] | None:
    """("^", "2") for a superscript ², ("_", "1") for a subscript ₁, None for anything else."""
    kind, _, code = unicodedata.decomposition(character).partition(" ")
    if kind not in ("<super>", "<sub>"):
        return None
    return "^" if kind == "<super>" else "_", chr(int(code, 16))


def math(text: str) -> str:
    """Text that already stands in mathematics: only its non-ASCII characters are replaced.

    >>> print(math("S[w^2λ]"))
    S[w^2\\lambda ]
    """
    return "".join(
        character
        if character.isascii()
        else _script_in_math(character) or rf"{command(character)} "
        for character in text
    )


def _script_in_math(character: str) -> str | None:
    found = script(character)
    return f"{found[0]}{{{math(found[1])}}}" if found else None


def command(character: str) -> str:
    """The LaTeX command of one mathematical character."""
    if character in GREEK:
        return "\\" + GREEK[character]
    if character in SYMBOLS:
        return SYMBOLS[character]
    raise ValueError(f"no LaTeX is known for {character!r}")


def positive_first(terms: list[sp.Expr]) -> list[sp.Expr]:
    """The terms in sympy's order, the first positive one moved to the front."""
    for index, term in enumerate(terms):
        if not term.could_extract_minus_sign():
            return [term, *terms[:index], *terms[index + 1 :]]
    return terms


class _PositiveFirst:
    def _as_ordered_terms(self, expr: sp.Expr, order: Any = None) -> list[sp.Expr]:
        return positive_first(super()._as_ordered_terms(expr, order))  # type: ignore[misc]


class _Latex(_PositiveFirst, LatexPrinter):
    """``names``: the LaTeX of symbols by name, in place of what their names say."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        super().__init__({"mode": "plain"})
        self.names = names or {}

    def _print_Symbol(self, expr: sp.Symbol, style: str = "plain") -> str:
        """κ' keeps its prime, S[λ^2] its brackets."""
        if expr.name in self.names:
            return self.names[expr.name]
        head, bracket, body = expr.name.partition("[")
        if bracket:
            inner = "".join(self.names.get(GREEK.get(c, c), c) for c in body.rstrip("]"))
            inner = re.sub(r"\^(\w)", r"^{\1}", inner)
            return rf"{self.names.get(head, head)}\left[{inner}\right]"
        bare = expr.name.rstrip("'")
        if bare != expr.name:
            return self._print_Symbol(sp.Symbol(bare)) + "'" * (len(expr.name) - len(bare))
        return super()._print_Symbol(expr)

    def _print_MatrixSymbol(self, expr: sp.MatrixSymbol, style: str = "plain") -> str:
        return self._print_Symbol(sp.Symbol(expr.name))

    def _print_Sum(self, expr: sp.Sum) -> str:
        """One sign for every index."""
        if len(expr.limits) == 1:
            return super()._print_Sum(expr)
        *outer, last = expr.limits
        signs = "".join(
            rf"\sum_{{{self._print(i)}={self._print(low)}}}^{{{self._print(high)}}} "
            for i, low, high in outer
        )
        return signs + super()._print_Sum(sp.Sum(expr.function, last))

    def _print_EulerGamma(self, expr: sp.Expr) -> str:
        return r"\gamma_{E}"  # γ is the ridge

    def _hprint_Function(self, func: str) -> str:
        return self.names.get(func) or super()._hprint_Function(func)

    def _print_Trace(self, expr: sp.Trace, exp: str | None = None) -> str:
        body = rf"\operatorname{{Tr}}\left[{self._print(expr.arg)}\right]"
        return rf"\left({body}\right)^{{{exp}}}" if exp else body


class _Pretty(_PositiveFirst, PrettyPrinter):
    def _print_Symbol(self, expr: sp.Symbol, bold_name: bool = False) -> prettyForm:
        bare = expr.name.rstrip("'")
        if "[" in expr.name:
            return prettyForm(expr.name.replace("^2", "²"))
        if bare == "sigma_epsilon":  # a subscript that unicode lacks
            return prettyForm("σ_ε")
        drawn = super()._print_Symbol(sp.Symbol(bare))
        return prettyForm(*drawn.right("′" * (len(expr.name) - len(bare))))

    def _print_Trace(self, expr: sp.Trace) -> prettyForm:
        return prettyForm(*prettyForm(*self._print(expr.arg).parens("[", "]")).left("Tr"))


class _Line(_PositiveFirst, StrPrinter):
    def _print_Trace(self, expr: sp.Trace) -> str:
        return f"Tr[{self._print(expr.arg)}]"

    def _print_gamma(self, expr: sp.gamma) -> str:
        return f"Γ({self._print(expr.args[0])})"


def latex(expression: sp.Basic, names: Mapping[str, str] | None = None) -> str:
    r"""The expression as LaTeX that pdflatex takes: symbols may have Greek letters in their names.

    ``names`` gives other LaTeX to symbols and functions, by name.

    >>> from solvable.analytic.notation import N, T
    >>> print(latex(N / (T - N)))
    \frac{N}{T - N}
    >>> print(latex(N / (T - N), {"N": r"\nu"}))
    \frac{\nu}{T - \nu}
    """
    return math(_Latex(names).doprint(expression))


def two_dimensional(expression: sp.Basic) -> str:
    """The expression drawn in unicode text, in as many columns as it needs.

    >>> from solvable.analytic.notation import N, T
    >>> print(two_dimensional(T - N))
    T - N
    """
    before = pretty_use_unicode(True)  # sympy asks the encoding of the terminal
    try:
        return _Pretty({"use_unicode": True, "wrap_line": False}).doprint(expression)
    finally:
        pretty_use_unicode(before)


_WORDS = {name: letter for letter, name in GREEK.items()} | {
    "phi": "φ", "sqrt": "√", "oo": "∞", "EulerGamma": "γ_E",
}  # fmt: skip
_WORD = re.compile(r"(?<![A-Za-z])(" + "|".join(sorted(_WORDS, key=len)[::-1]) + r")(?![a-z])")
_SUBSCRIPT = re.compile(r"(?<=[A-Za-zα-ω])_(\d+|\+)")
_SUBSCRIPTS = str.maketrans("0123456789+", "₀₁₂₃₄₅₆₇₈₉₊")


def as_mathematics(text: str) -> str:
    """A formula typed as code, as one types it in prose.

    >>> as_mathematics("z/(u_10*u_4)")
    'z/(u₁₀ u₄)'
    """
    text = text.replace("**(-1)", "^{-1}").replace("**", "^").replace("*", " ")
    text = re.sub(r"(?<![A-Za-z])gamma\(", "Γ(", text.replace(".T", "ᵀ"))
    text = _WORD.sub(lambda m: _WORDS[m[1]], text)
    return _SUBSCRIPT.sub(lambda m: m[1].translate(_SUBSCRIPTS), text)


def aligned(rows: Iterable[str]) -> str:
    r"""Rows of LaTeX, with & where they align, one below the other.

    >>> print(aligned(["x &= 1", "y &= 2"]))
    \begin{aligned}
    x &= 1 \\
    y &= 2
    \end{aligned}
    """
    body = " \\\\\n".join(rows)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def one_line(expression: sp.Basic) -> str:
    """The expression on one line, with Greek letters and subscripts.

    >>> from solvable.analytic.notation import N, T, kappa
    >>> print(one_line(kappa**2 / (T - N)))
    κ^2/(T - N)
    """
    return as_mathematics(_Line().doprint(expression))


def absorb_sign(expression: sp.Expr) -> sp.Expr:
    """−a/(b − c) written as a/(c − b).

    >>> from solvable.analytic.notation import N, T
    >>> absorb_sign(-N / (N - T))
    N/(-N + T)
    """
    if not (expression.is_Mul and expression.could_extract_minus_sign()):
        return expression
    for factor in expression.args:
        if factor.is_Pow and factor.base.is_Add and factor.exp == -1:
            rest = sp.Mul(-1, expression, factor.base)
            return rest * (-factor.base) ** -1
    return expression
