"""Derivations about random matrices themselves: expressions, their equations, their proofs."""

ORDER = ("random_matrices",)
