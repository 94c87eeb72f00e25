"""What is exported compiles with pdflatex, under any names; prose becomes LaTeX without loss."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.notation import letter
from solvable.analytic.prose import escape
from solvable.analytic.prose import symbols as symbols_of
from solvable.analytic.typesetting import as_mathematics, latex, math
from solvable.derivations import catalogue
from solvable.derivations.cli import main
from solvable.derivations.export import (
    Style,
    article,
    bibtex,
    equation,
    formula,
    fragment,
    parse_renames,
    preamble,
    printed,
    sources,
)
from solvable.derivations.export.display import display

needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
SOME = ("ridgeless-loss", "breakdown", "resolvent")
PLAIN = r"""\documentclass{article}
\usepackage{amsmath,amssymb}
%s\begin{document}
%s
\end{document}"""


def compiled(folder, code):
    """What pdflatex says the second time; every complaint of it is one of ours."""
    source = folder / "document.tex"
    source.write_text(code)
    for _ in range(2):
        result = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source.name],
            cwd=folder, capture_output=True, text=True, errors="replace",
        )  # fmt: skip
        assert result.returncode == 0, result.stdout[-2000:]
    assert "undefined" not in result.stdout.lower()
    wide = [float(w) for w in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", result.stdout)]
    assert max(wide, default=0) < 5, result.stdout
    return result.stdout


@needs_latex
def test_an_article_compiles(tmp_path):
    compiled(tmp_path, article([catalogue.load(name) for name in SOME]))
    assert (tmp_path / "document.pdf").stat().st_size > 10_000


@needs_latex
@pytest.mark.parametrize("macros", [False, True])
def test_fragments_compile_in_a_plain_article(tmp_path, macros):
    style = Style({"kappa": r"\lambda_*"}, macros=macros)
    body = "\n".join(fragment(catalogue.load(name), style) for name in SOME)
    assert r"\cite" not in body
    compiled(tmp_path, PLAIN % (preamble() if macros else "", body))


@needs_latex
@pytest.mark.thorough
def test_the_whole_catalogue_compiles(tmp_path):
    every = [catalogue.load(name) for name in catalogue.names()]
    compiled(tmp_path, article(every))
    compiled(tmp_path, PLAIN % ("", "\n".join(map(fragment, every))))


def test_a_renamed_symbol_is_renamed_everywhere():
    every = [catalogue.load(name) for name in SOME]
    new = {"kappa": "k_{new}", "N": "p", "sigma_w": "s", "D_1": r"\mathrm{df}_1"}
    text = article(every, style=Style(new, citations=True))
    before = article(every)
    for old in (r"\\kappa(?![A-Za-z_])", r"\\sigma_\{?w", r"D_\{1\}(?!\^\{\\star)"):
        assert re.search(old, before)
        assert not re.search(old, text), re.search(f".*{old}.*", text)
    assert not re.search(r"(?<![A-Za-z\\_{])N(?![A-Za-z])", _mathematics(text))
    assert text.count("k_{new}") == len(re.findall(r"\\kappa(?![A-Za-z_])", before))


def _mathematics(text):
    displayed = re.findall(r"\\begin\{equation\}(?:\\label\{.*?\})?(.*?)\\end", text, re.S)
    return " ".join(displayed + re.findall(r"\$([^$]*)\$", text))


@pytest.mark.parametrize(
    "renames, said",
    [
        (["kappa=N"], "no other symbol"), (["kappa=x", "N=x"], "no other symbol"),
        (["kapa=x"], "kappa"), (["kappa"], "NAME=LATEX"), (["kappa=\\input{a}"], "input"),
        (["kappa=x}{"], "accents"), (["kappa=$x$"], "accents"), (["kappa=1"], "accents"),
        (["kappa=x", "kappa=y"], "not two"),
    ],
)  # fmt: skip
def test_bad_renamings_are_refused(renames, said):
    with pytest.raises(InputError, match=said):
        parse_renames(renames, {"kappa", "N", "z"})
    assert parse_renames(["κ=N", "N=\\kappa"], {"kappa", "N"}) == {"kappa": "N", "N": "\\kappa"}


def test_the_forms(capsys, tmp_path):
    def shown(*argv):
        status = main(["show", *argv])
        out, err = capsys.readouterr()
        return status, out, err

    latex = ("--format", "latex")
    assert shown("test-loss/duality", *latex, "--form", "formula")[1].startswith("L{")
    assert shown("test-loss/duality", *latex)[1].startswith(r"\begin{equation}\label{test-loss:dua")
    assert shown("breakdown", *latex, "--form", "article")[1].startswith(r"\documentclass")
    macros, bib = tmp_path / "macros.tex", tmp_path / "some.bib"
    status, out, _ = shown(
        "resolvent", *latex, "--cite", "--macros", str(macros), "--bib", str(bib)
    )
    assert status == 0
    assert r"\E" in out and r"\cite" in out and r"\mathbb{E}" not in out
    assert (
        r"\providecommand{\E}" in macros.read_text() and "@misc{dynamical-model" in bib.read_text()
    )
    assert shown("test-loss/dualty")[0] == 2 and "duality" in shown("test-loss/dualty")[2]
    assert shown("test-loss", "--rename", "N=p")[0] == 2
    assert shown("test-loss", *latex, "--bib", str(tmp_path / "no" / "a.bib"))[0] == 2


def test_sources_as_bibtex():
    keys = sources([catalogue.load("ridgeless-loss")])
    assert keys == ["solvable-model"] and "eprint = {2210.16859}" in bibtex(keys)


def test_a_formula_is_broken_and_never_shrunk():
    wide = catalogue.load("limit-weak-ridge")["second-correction"].claim
    assert display(wide).count(r"\\") > 5 and display(wide).count(r"\Bigl[") == display(wide).count(
        r"\Bigr]"
    )
    assert r"\\" not in formula(wide) and "adjustbox" not in equation(wide, "x")


PIECES = ["κ", "N", "λ_J", "σ_w²", " ", " = ", ", ", "/", "(", ")", "2", "½", "→", "the", "A", "^2"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_prose_keeps_its_symbols(parts):
    text = " ".join(parts)
    code = escape(text)
    assert code.count("$") % 2 == 0
    assert not any(c for c in code if ord(c) > 127)
    for name in symbols_of(text):
        assert all(re.search(part, code) for part in name.split("_")), (name, code)


def test_a_letter_with_latex_of_its_own_is_renamed():
    one = letter("⟨v̄v̄⟩", r"\langle\bar v\bar v\rangle")
    assert latex(one, parse_renames(["N=p"], {one.name, "N"})) == r"\langle\bar v\bar v\rangle"
    assert latex(one**2, parse_renames([f"{one.name}=m"], {one.name, "N"})) == "m^{2}"


def test_every_printed_name_can_be_renamed():
    known = printed([catalogue.load("test-loss")])
    assert {"kappa", "N", "T", "D_1", "S", "lambda", "sigma_epsilon"} <= known


@pytest.mark.parametrize(
    "text, expected",
    [
        ("100 % & $5 #1 x~y {word}", r"100 \% \& \$5 \#1 $x$\textasciitilde{}$y$ \{word\}"),
        ("σ_w²", r"$\sigma_{w}^{2}$"),
        ("m^{-b-1}", "$m^{-b-1}$"),
        ("Λᵏ", r"$\Lambda^{k}$"),
        ("v̇", r"$\dot{v}$"),
        ("1 − D₁/N → 0, so", r"$1 - D_{1}/N \to 0$, so"),
        ("as N, T → ∞.", r"as $N$, $T \to \infty$."),
        ("a task at a = 2 of A", "a task at $a = 2$ of A"),
    ],
)
def test_prose(text, expected):
    assert escape(text) == expected


def test_a_character_without_latex_is_not_lost_silently():
    with pytest.raises(ValueError, match="no LaTeX"):
        escape("\N{SNOWMAN}")
    with pytest.raises(ValueError, match="no LaTeX"):
        math("\N{SNOWMAN}")


@pytest.mark.parametrize(
    "code, expected",
    [
        ("z/(u_10*u_4)", "z/(u₁₀ u₄)"),
        ("a + 2 < 3*b", "a + 2 < 3 b"),
        ("kappa**2*sigma_epsilon", "κ^2 σ_ε"),
        ("Tr((z*I + X*X.T)**(-1))", "Tr((z I + X Xᵀ)^{-1})"),
    ],
)
def test_code_becomes_mathematics(code, expected):
    assert as_mathematics(code) == expected
