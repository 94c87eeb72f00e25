"""The spectra over which every property of the theory is tested: the examples of every kind."""

import math

import pytest

from solvable.analytic.spectrum import KINDS

SPECTRA = {
    f"{name} {i}": example
    for name, kind in KINDS.items()
    for i, example in enumerate(kind.examples())
}
FINITE = {name: x for name, x in SPECTRA.items() if x.size < math.inf}
INFINITE = {name: x for name, x in SPECTRA.items() if x.size == math.inf}


@pytest.fixture(params=SPECTRA.values(), ids=SPECTRA, scope="session")
def spectrum(request):
    return request.param


@pytest.fixture(params=FINITE.values(), ids=FINITE, scope="session")
def finite_spectrum(request):
    return request.param


@pytest.fixture(params=INFINITE.values(), ids=INFINITE, scope="session")
def infinite_spectrum(request):
    return request.param
