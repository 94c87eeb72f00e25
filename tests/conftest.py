"""Shared fixtures: the mpmath precision is reset around every test."""

import mpmath
import pytest


@pytest.fixture(autouse=True)
def default_precision():
    before = mpmath.mp.prec
    mpmath.mp.prec = 53
    yield
    mpmath.mp.prec = before
