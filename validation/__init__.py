"""Experiments: random matrices drawn and trained in numpy, compared with statistics."""
