"""Shared fixtures: the mpmath precision is reset around every test; BLAS runs on one thread.

The examples of property tests are drawn alike in every run, so that a commit has one verdict;
HYPOTHESIS_PROFILE=random draws others.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is first imported

import hypothesis
import mpmath
import pytest

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("random", derandomize=False, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def default_precision():
    before = mpmath.mp.prec
    mpmath.mp.prec = 53
    yield
    mpmath.mp.prec = before
