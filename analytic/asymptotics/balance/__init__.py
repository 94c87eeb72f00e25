r"""Limits of anything that has self-consistent equations, by one mechanism.

regime_statement   what is large, small, fixed: parsed, checked, given exponents
representatives    numbers at which terms are ordered, for what stays
whole_powers       fixed numbers under fractional powers, as whole powers of a root
coefficients       exact rational functions of a, b, parameters and named numbers
multiseries        series in several scales with symbolic exponents over these
corner_sums        spectral sums in every corner of κ
polygon            how the unknown may grow: the Newton polygon of its equation
dominant           the unknown by dominant balance, then corrections to any order
walls              where two terms are of one size
rivals             conditions that part a law from others of its statement
resonance          infinite coefficients: logarithms as limits
limiting_form      the result: terms, remainder, conditions, numbers
ranges             the side of 1 on which the terms lead, for ratios left free
systems            the static loss, and derived matrix equations, as problems
"""
