"""From data: arrays read from files, and what their spectra and neighbours say.

arrays      samples and labels from files, whole or in blocks
"""

from .arrays import Samples, as_samples, open_samples, read_array, read_labels, read_table

__all__ = [
    "Samples",
    "as_samples",
    "open_samples",
    "read_array",
    "read_labels",
    "read_table",
]
