"""The book: every result derived, checked, typeset, drawn and explained, from the code alone.

    catalogue ──► record (claims as LaTeX, verdicts, figure; cached by content) ──► chapters
                                                                                      │
                                            one self-contained page  ◄───────────────┼──► LaTeX, PDF

A record is all that is shown of a derivation, as plain data. It is made once for a state of the
code that the derivation rests on (`fingerprint`), in parallel, and kept; pages are made of records.
"""

from __future__ import annotations

from .assembly import Book, build

__all__ = ["Book", "build"]
