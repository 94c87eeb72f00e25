"""Neighbouring papers, limits and laws as corollaries of both models."""

ORDER = (
    "dynamical_relatives", "limiting_forms", "competing_poles", "equiparameterisation",
    "static_relatives",
)  # fmt: skip
