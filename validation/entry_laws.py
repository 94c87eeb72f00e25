r"""Laws of the random entries, standardised and drawn from counters.

Features u_{iJ} and data x_{Jt} = √λ_J g_{Jt} have independent standardised entries (mean 0,
variance 1) of a chosen law. Universality says that the losses of large systems do not depend
on the law, provided that it has a few moments. Two laws are here to break it:

* ``sparse``: 0, or ±p^{-1/2} with probability p; kurtosis 1/p, which may grow with the size;
* ``elliptical`` (data only): Gaussian columns times a common factor τ_t per sample,
  τ² = (ν − 2)/χ²_ν, i.e. the multivariate Student law; columns no longer concentrate on a
  sphere, and the Gaussian theory fails at leading order for every size.

Numbers come from the counter-based generator Philox 4×64: the key is the seed, and the four
words of the counter are (position, draw, tile, role). Two streams with different (draw, tile,
role) never meet before 2^64 blocks, so any tile can be drawn again at any time, in any
order, by any thread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from solvable.analytic.arguments import choice
from solvable.analytic.errors import InputError

Array = np.ndarray
Seed = int | np.random.SeedSequence

#: Modes in a tile. The numbers of a seed depend on it, so it is a constant and not an option.
TILE = 512

#: name → (what the parameter is, its lower bound (exclusive), its upper bound) or None
PARAMETERS: dict[str, tuple[str, float, float] | None] = {
    "gaussian": None,
    "rademacher": None,
    "uniform": None,
    "laplace": None,
    "student": ("degrees of freedom", 2.0, math.inf),
    "sparse": ("probability of a non-zero entry", 0.0, 1.0),
    "elliptical": ("degrees of freedom", 2.0, math.inf),
}


class Role(IntEnum):
    """What a stream of numbers is for: the last word of the counter."""

    FEATURES = 0
    DATA = 1
    TARGETS = 2
    NOISE = 3
    NORMS = 4
    BATCHES = 5


@dataclass(frozen=True)
class EntryLaw:
    """A standardised law of entries, with its parameter where it has one.

    >>> EntryLaw("student", 5.0).kurtosis
    9.0
    """

    name: str = "gaussian"
    parameter: float | None = None

    def __post_init__(self) -> None:
        bounds = PARAMETERS[choice("law", self.name, PARAMETERS)]
        if bounds is None:
            if self.parameter is not None:
                raise InputError("parameter", self.parameter, f"none for the {self.name} law")
            return
        meaning, low, high = bounds
        value = self.parameter
        if not isinstance(value, int | float) or not low < value <= high:
            raise InputError("parameter", value, f"{meaning} in ({low:g}, {high:g}]")
        object.__setattr__(self, "parameter", float(value))

    @property
    def kurtosis(self) -> float:
        """Fourth moment of the standardised entry (infinite where it does not exist)."""
        if self.name in ("student", "elliptical"):
            degrees = float(self.parameter or 0)
            return 3 + 6 / (degrees - 4) if degrees > 4 else math.inf
        if self.name == "sparse":
            return 1 / float(self.parameter or 1)
        return {"gaussian": 3.0, "rademacher": 1.0, "uniform": 1.8, "laplace": 6.0}[self.name]

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
        """Independent standardised entries; for ``elliptical`` their Gaussian part."""
        if self.name in ("gaussian", "elliptical"):
            return generator.standard_normal(shape, dtype)
        if self.name == "rademacher":
            return _signs(generator, shape, dtype)
        if self.name == "uniform":
            entries = generator.random(shape, dtype)
            entries -= 0.5
            entries *= math.sqrt(12)
            return entries
        if self.name == "laplace":
            return generator.laplace(0, math.sqrt(0.5), shape).astype(dtype, copy=False)
        if self.name == "student":
            degrees = float(self.parameter or 0)
            entries = generator.standard_t(degrees, shape)
            return (entries * math.sqrt(1 - 2 / degrees)).astype(dtype, copy=False)
        probability = float(self.parameter or 1)
        entries = _signs(generator, shape, dtype) / math.sqrt(probability)
        return np.where(generator.random(shape) < probability, entries, 0).astype(dtype)

    def column_factors(self, stream: Streams, draw: int, samples: int) -> Array | None:
        """τ_t of the elliptical law (E τ² = 1), shaped (T,); None for independent entries."""
        if self.name != "elliptical":
            return None
        degrees = float(self.parameter or 0)
        chi_square = stream(Role.NORMS, draw).chisquare(degrees, samples)
        return np.sqrt((degrees - 2) / chi_square)

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        return {"name": self.name, "parameter": self.parameter}


def _signs(generator: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    """±1 with equal probability, one random bit each."""
    size = math.prod(shape)
    bits = np.unpackbits(np.frombuffer(generator.bytes(-(-size // 8)), np.uint8), count=size)
    signs = bits.astype(dtype)
    signs *= 2
    signs -= 1
    return signs.reshape(shape)


@dataclass(frozen=True)
class Streams:
    """The counter-based streams of one seed: ``streams(role, draw, tile)`` is a generator.

    >>> streams = Streams.of(7)
    >>> streams(Role.DATA, tile=3).integers(100, size=4)
    array([30, 42, 62, 85])
    """

    key: tuple[int, int]

    @classmethod
    def of(cls, seed: Seed) -> Streams:
        """Streams of an integer or of a `numpy.random.SeedSequence`."""
        if not isinstance(seed, np.random.SeedSequence):
            seed = np.random.SeedSequence(seed)
        first, second = (int(word) for word in seed.generate_state(2, np.uint64))
        return cls((first, second))

    def __call__(self, role: Role, draw: int = 0, tile: int = 0) -> np.random.Generator:
        """The generator at counter (0, draw, tile, role)."""
        counter = np.array([0, draw, tile, int(role)], np.uint64)
        return np.random.Generator(np.random.Philox(key=self.key, counter=counter))
