"""The exported article compiles with pdflatex, and prose becomes LaTeX without loss."""

import shutil
import subprocess

import pytest

from solvable.derivations import catalogue
from solvable.derivations.export import article
from solvable.derivations.unicode_text import escape, math


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_an_article_compiles(tmp_path):
    source = tmp_path / "article.tex"
    source.write_text(article([catalogue.load("ridgeless-loss"), catalogue.load("breakdown")]))
    for _ in range(2):
        result = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source.name],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout[-2000:]
    assert "undefined" not in result.stdout.lower()
    assert (tmp_path / "article.pdf").stat().st_size > 10_000


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
