"""Derivations as documents: text, LaTeX articles, JSON."""

from __future__ import annotations

from .latex import article, section
from .plain import as_json, as_text

__all__ = ["article", "as_json", "as_text", "section"]
