"""The exported article compiles with pdflatex, and prose becomes LaTeX without loss."""

import shutil
import subprocess

import pytest

from solvable.analytic.typesetting import as_mathematics, math
from solvable.derivations import catalogue
from solvable.derivations.export import article
from solvable.derivations.export.prose import escape

needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")


def compiled(folder, names):
    """The transcript of the second run of pdflatex on an article of these derivations."""
    source = folder / "article.tex"
    source.write_text(article([catalogue.load(name) for name in names]))
    for _ in range(2):
        result = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source.name],
            cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout[-2000:]
    assert "undefined" not in result.stdout.lower()
    return result.stdout


@needs_latex
def test_an_article_compiles(tmp_path):
    compiled(tmp_path, ["ridgeless-loss", "breakdown"])
    assert (tmp_path / "article.pdf").stat().st_size > 10_000


@pytest.mark.slow
@needs_latex
def test_the_whole_catalogue_compiles(tmp_path):
    transcript = compiled(tmp_path, catalogue.names())
    assert "Overfull \\vbox" not in transcript and "Float too large" not in transcript


@pytest.mark.parametrize(
    "text, expected",
    [
        ("100 % & $5 #1 ~ {word}", r"100 \% \& \$5 \#1 \textasciitilde{} \{word\}"),
        ("σ_w²", r"\ensuremath{\sigma _{w}}\ensuremath{^{2}}"),
        ("m^{-b-1}", r"\ensuremath{m^{-b-1}}"),
        ("Λᵏ", r"\ensuremath{\Lambda}\ensuremath{^{k}}"),
        ("v̇", r"\ensuremath{\dot{v}}"),
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
