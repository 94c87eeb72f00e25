"""Shared fixtures: the mpmath precision is reset around every test; BLAS runs on one thread."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is first imported

import mpmath
import pytest


@pytest.fixture(autouse=True)
def default_precision():
    before = mpmath.mp.prec
    mpmath.mp.prec = 53
    yield
    mpmath.mp.prec = before
