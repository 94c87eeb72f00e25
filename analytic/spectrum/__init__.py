"""Every kind of spectrum behind one protocol: laws, lists of modes, and files of either."""

from .files import as_spectrum, from_text, read_spectrum
from .laws import ExponentialDecay, PowerLaw
from .listed import Atoms, CutoffPowerLaw, Empirical, Flat
from .protocol import KINDS, Spectrum, from_dict

__all__ = [
    "KINDS",
    "Atoms",
    "CutoffPowerLaw",
    "Empirical",
    "ExponentialDecay",
    "Flat",
    "PowerLaw",
    "Spectrum",
    "as_spectrum",
    "from_dict",
    "from_text",
    "read_spectrum",
]
