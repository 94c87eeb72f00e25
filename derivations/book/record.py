"""All that the book shows of a derivation, as plain data: claims, texts, verdicts, figure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from solvable.analytic.typesetting import latex

from .. import catalogue
from ..bibliography import Reference
from ..checks import Verdict
from ..derivation import Derivation, Step
from ..export import printed
from ..export.display import Display
from ..relations import Relation
from . import gallery_matrices, gallery_training  # noqa: F401  (their figures are in GALLERY)
from .gallery import GALLERY, UNDRAWN
from .pictures import observed, rendered
from .spectral_figures import spectrum

Record = dict[str, Any]


def record(name: str, names: Mapping[str, str] | None = None) -> Record:
    """Build, check and draw one derivation; ``names`` is LaTeX of renamed symbols.

    The result is JSON: ``steps`` with their claims as lines of LaTeX and their verdicts,
    ``conclusion``, texts as they are written, ``figure`` or None.
    """
    started = time.perf_counter()
    derivation = catalogue.load(name)
    verdicts, steps = {}, []
    for step in derivation.steps:
        begun = time.perf_counter()
        verdicts[step.name] = verdict = step.verify()
        seconds = time.perf_counter() - begun
        steps.append(_step(step, derivation, verdict, seconds, names))
    return {
        "name": name,
        "title": derivation.title,
        "summary": derivation.summary,
        "references": list(map(_place, derivation.references)),
        "assumptions": list(derivation.assumptions),
        "notes": list(derivation.notes),
        "steps": steps,
        "conclusion": [_conclusion(r, derivation, names) for r in derivation.conclusion],
        "symbols": sorted(printed([derivation])),
        "figure": _figure(derivation, verdicts),
        "seconds": round(time.perf_counter() - started, 2),
    }


def _figure(derivation: Derivation, verdicts: Mapping[str, Verdict]) -> dict[str, str] | None:
    """Caption, data and drawing: of the quantity itself, or of what the checks observed."""
    if derivation.name in UNDRAWN:
        return None
    own = GALLERY.get(derivation.name)
    found = own() if own else spectrum(derivation.name.removeprefix("matrix-"))
    found = found or observed(derivation, verdicts)
    return rendered(found) if found else None


def _place(reference: Reference) -> list[str | None]:
    return [reference.paper, reference.equation]


def _formula(claim: Relation, names: Mapping[str, str] | None) -> dict[str, Any]:
    """The claim on one line, as a key, and on several."""
    kind, rows = Display(names).rows(claim)
    return {"latex": latex(claim, names), "kind": kind, "rows": rows,
            "trivial": latex(claim.lhs) == latex(claim.rhs)}  # fmt: skip


def _step(
    step: Step,
    derivation: Derivation,
    verdict: Verdict,
    seconds: float,
    names: Mapping[str, str] | None,
) -> dict[str, Any]:
    interval = verdict.observed.get("interval")
    return {
        "name": step.name,
        "number": derivation.number(step.name),
        "supports": step.supports,
        "reason": step.reason,
        "source": _place(step.source) if step.source else None,
        "check": type(step.check).__name__,
        "outcome": verdict.outcome,
        "message": verdict.message,
        "seconds": round(seconds, 2),
        "interval": [[float(x) for x in bounds] for bounds in interval] if interval else None,
        "confidence": verdict.observed.get("confidence"),
        "seeds": verdict.observed.get("seeds"),
        "sizes": verdict.observed.get("sizes"),
        **({} if step.supports else _formula(step.claim, names)),
    }


def _conclusion(
    relation: Relation, derivation: Derivation, names: Mapping[str, str] | None
) -> dict[str, Any]:
    stated = derivation.concluding(relation)
    return {"step": stated.name if stated else None, **_formula(relation, names)}
