"""The sources as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable

from solvable.analytic.prose import words

from ..bibliography import PAPERS, Paper
from ..derivation import Derivation


def sources(derivations: Iterable[Derivation]) -> list[str]:
    """The keys of the papers that the derivations cite, in the order of the bibliography."""
    used = {
        reference.paper
        for derivation in derivations
        for reference in (*derivation.references, *(s.source for s in derivation.steps if s.source))
    }
    return [key for key in PAPERS if key in used]


def bibtex(keys: Iterable[str]) -> str:
    """The entries of these papers.

    >>> print(bibtex(["talk"]))
    @misc{talk,
      author = {D. A. Roberts},
      title = {{A Solvable Model of Neural Scaling Laws, talk of August 26}},
      year = {2022},
    }
    <BLANKLINE>
    """
    return "\n".join(_entry(PAPERS[key]) for key in keys)


def _entry(paper: Paper) -> str:
    authors = [name.strip() for name in paper.authors.split(",")]
    if authors[-1].endswith(" et al."):
        authors[-1:] = [authors[-1].removesuffix(" et al."), "others"]
    fields = {"author": " and ".join(map(words, authors)), "title": f"{{{words(paper.title)}}}",
              "year": str(paper.year)}  # fmt: skip
    if paper.arxiv:
        fields |= {"eprint": paper.arxiv, "archivePrefix": "arXiv"}
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{{paper.key},\n{body}}}\n"
