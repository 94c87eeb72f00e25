"""What data and feature maps do to a spectrum: samples, maps, neighbours, correlations."""

ORDER = ("correlated_data", "population_map", "dual_kernel_series", "extended_spectrum",
         "nearest_neighbour")  # fmt: skip
