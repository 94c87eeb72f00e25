"""Derivations as documents: text, LaTeX, BibTeX, JSON."""

from __future__ import annotations

from .bibtex import bibtex, sources
from .latex import Style, article, equation, formula, fragment, notation, preamble, section
from .plain import as_json, as_text
from .renaming import parse_renames
from .symbol_table import printed

__all__ = [
    "Style", "article", "as_json", "as_text", "bibtex", "equation", "formula", "fragment",
    "notation", "parse_renames", "preamble", "printed", "section", "sources",
]  # fmt: skip
