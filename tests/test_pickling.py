"""Everything that the examples of the public names make pickles, and compares equal after it."""

import contextlib
import doctest
import importlib
import inspect
import io
import pickle
import sys

import numpy as np
import pytest

import solvable
from solvable.analytic.equality import same
from solvable.derivations.catalogue import load, names


def made_by_the_examples(name):
    """What the examples of a public name print and assign."""
    thing = getattr(solvable, name)
    known = vars(importlib.import_module(thing.__module__))
    for example in doctest.DocTestFinder(recurse=False).find(thing, name, globs=dict(known)):
        world = dict(example.globs)
        printed = []
        for line in example.examples:
            before, sys.displayhook = sys.displayhook, printed.append
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
                    exec(compile(line.source, name, "single"), world)
            finally:
                sys.displayhook = before
        yield from printed
        yield from (x for key, x in world.items() if example.globs.get(key) is not x)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(dir(solvable)))
def test_what_the_examples_make(name):
    for value in made_by_the_examples(name):
        if inspect.ismodule(value) or (isinstance(value, dict) and "__name__" in value):
            continue
        again = pickle.loads(pickle.dumps(value))
        assert same(again, value) and type(again) is type(value), type(value)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_derivations(name):
    assert pickle.loads(pickle.dumps(load(name))) is load(name)


def test_results_with_arrays_differ_where_an_entry_does():
    law = solvable.PowerLaw(0.5)
    losses = [solvable.static_loss(law, np.array([10.0, n]), 30.0) for n in (20.0, 20.0, 21.0)]
    assert losses[0] == losses[1] and losses[0] != losses[2]
    assert not same(np.array([1.0, np.nan]), np.array([np.nan, 1.0]))
    rates = [solvable.schedule("cosine", 0.5, steps) for steps in (100, 100, 101)]
    assert rates[0] == rates[1] and rates[0] != rates[2]
