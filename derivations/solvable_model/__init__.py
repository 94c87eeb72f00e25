"""“A Solvable Model of Neural Scaling Laws” (2210.16859), one module per result."""

ORDER = (
    "regression", "self_consistent_kernel", "regression_loss", "ridgeless_loss",
    "optimal_regularisation", "data_spectrum",
)  # fmt: skip
