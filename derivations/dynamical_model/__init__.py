"""“A Dynamical Model of Neural Scaling Laws” (2402.01092), one module per section.

`mean_field`: the chain and its response functions. `two_point`: its correlation functions.
`cavity`: why the mean-field equations hold. `static_limit`: t → ∞ and ridge regression.
`early_time`: the universal 1/N and 1/T corrections. `generalisation_gap`: test against training
loss. `averages`: ensembling and bagging. `white_spectrum`: isotropic data and the density of time
scales. `optimisers`: gradient descent, momentum, one-pass SGD. `scaling_laws`: exponents,
prefactors, compute-optimal training. `dimension_free`: why the latent dimension does not matter.
`mode_sums` holds the sums that they share. The paper's P,
the number of samples, is T here as everywhere.
"""

ORDER = (
    "mean_field", "two_point", "cavity", "static_limit", "early_time", "generalisation_gap",
    "averages", "white_spectrum", "optimisers", "functional_law", "scaling_laws", "dimension_free",
)  # fmt: skip
