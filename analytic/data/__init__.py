"""From data: arrays read from files, and what their spectra and neighbours say.

arrays           samples and labels from files, whole or in blocks
sample_spectrum  eigenvalues of a covariance or Gram matrix, streamed
population       the population spectrum behind them, through the resolvent
tails            a power law, or why it is none
outliers         which eigenvalues stand apart, and which do not belong to the law
dimension        intrinsic dimension and degrees of freedom
"""

from .arrays import Samples, as_samples, open_samples, read_array, read_labels, read_table
from .population import PopulationSpectrum, population_spectrum
from .sample_spectrum import SampleSpectrum, from_eigenvalues, kernel_spectrum, sample_spectrum
from .tails import TailFit, fit_tail

__all__ = [
    "PopulationSpectrum",
    "SampleSpectrum",
    "Samples",
    "TailFit",
    "as_samples",
    "fit_tail",
    "from_eigenvalues",
    "kernel_spectrum",
    "open_samples",
    "population_spectrum",
    "read_array",
    "read_labels",
    "read_table",
    "sample_spectrum",
]
