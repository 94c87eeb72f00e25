"""Every step of the dynamical paper's derivations passes, and rejects its wrong variants."""

import importlib

import pytest

from solvable.derivations import catalogue

MODULES = (
    "mean_field",
    "cavity",
    "static_limit",
    "early_time",
    "generalisation_gap",
    "ensembles",
    "white_spectrum",
    "optimisers",
    "scaling_laws",
    "dimension_free",
)


LONG = {
    "bottleneck-exponents",
    "compute-optimal",
    "dimension-free",
    "early-time",
    "ensembling",
    "ensembling-is-not-compute-optimal",
    "late-time-limit",
    "mean-field-from-the-model",
    "one-pass-sgd",
    "two-point-function",
    "white-spectrum",
    "wider-is-better",
}


def own_names():
    prefix = "solvable.derivations.dynamical_model."
    for module in MODULES:
        importlib.import_module(prefix + module)
    return [name for name, entry in catalogue.entries().items()
            if entry.build.__module__.startswith(prefix)]  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in own_names()]
)
def test_every_step_passes_and_rejects_its_wrong_variants(name):
    derivation = catalogue.load(name)
    for step, verdict in derivation.verify():
        assert verdict.passed, f"{step.name}: {verdict.message}"
        assert step.wrong, f"{step.name} has no wrong variant"
        for claim in step.wrong:
            wrong = step.with_claim(claim).verify()
            assert wrong.outcome == "fail", f"{step.name} accepts {claim}: {wrong.message}"


@pytest.mark.parametrize("name", own_names())
def test_titles_references_and_conclusion_are_stated(name):
    derivation = catalogue.load(name)
    assert derivation.summary and derivation.references
    assert derivation._repr_latex_().count("$") == 2
