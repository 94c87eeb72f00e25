"""Derivations about random matrices themselves: expressions, their equations, their proofs."""
