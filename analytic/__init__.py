"""The mathematics: spectra, equations, sums, expansions, and their evaluation at any precision."""
