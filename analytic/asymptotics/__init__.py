"""Asymptotics: the expansion engine and all that stands on it.

expansion       generalised asymptotic series and the Mellin machinery that produces them
limits          limiting forms of the static loss
static_laws     exponents as the outcome of competing poles; `dynamic_laws` of the dynamics
regimes         which law holds where
allocation      how to spend a budget
"""
