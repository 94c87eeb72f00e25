"""The face: every public name says what it is, its shapes and units, errors, source, an example."""

import inspect
import re
import runpy
import types
from pathlib import Path

import pytest

import solvable as sv

NAMES = sorted(sv.__all__)
STUB = Path(__file__).parents[1] / "derivations" / "face" / "__init__.pyi"


def document(name):
    """The docstring of a public name, its lines joined."""
    return " ".join(inspect.getdoc(getattr(sv, name)).split())


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_function_or_a_class(name):
    value = getattr(sv, name)
    assert callable(value) and not isinstance(value, types.ModuleType)
    assert value.__module__.startswith("solvable.") and value.__name__ == name


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_documented(name):
    text = document(name)
    assert len(text.split(".")[0]) > 10, "no definition"
    assert re.search(r"\b[Rr]aise[sd]?\b|\b[Ee]rrors?\b", text), "no word on errors"
    assert re.search(r"\bSources?: |arXiv", text), "no source"
    assert ">>> " in text, "no example"


@pytest.mark.parametrize("name", NAMES)
def test_a_signature_is_annotated(name):
    value = getattr(sv, name)
    if isinstance(value, type) and not hasattr(value, "__dataclass_fields__"):
        if "__init__" not in vars(value):
            return  # made by its kinds, by sympy, or by Python
        value = value.__init__
    signature = inspect.signature(inspect.unwrap(value))
    for parameter in signature.parameters.values():
        assert parameter.name == "self" or parameter.annotation is not parameter.empty, parameter
    assert signature.return_annotation is not signature.empty


def test_examples_run_as_doctests():
    """Each stands in a module that the doctests collect, under the name of the public object."""
    for name in NAMES:
        value = inspect.unwrap(getattr(sv, name))
        module = inspect.getmodule(value)
        assert vars(module)[name] in (value, getattr(sv, name)), name


def test_the_stub_lists_every_name_once():
    listed = re.findall(r"(\w+) as (\w+)", STUB.read_text(encoding="utf-8"))
    assert all(first == second for first, second in listed)
    assert sorted(first for first, _ in listed) == NAMES


def test_the_reference_has_every_name_where_it_lives():
    docs = STUB.parents[2] / "docs"
    made = runpy.run_path(str(docs / "make_reference.py"))["reference"]()
    assert (docs / "reference.rst").read_text(encoding="utf-8") == made, "run make_reference.py"
