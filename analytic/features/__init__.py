"""Feature maps: Hermite coefficients, dual kernels, and the spectra that maps make."""
