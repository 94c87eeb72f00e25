"""Asymptotics: the expansion engine and all that stands on it.

expansion       generalised asymptotic series and the Mellin machinery that produces them
balance         limits of anything derived: regimes as statements, dominant balance, many scales
limits          `limit`: the static loss by names of regimes, anything else by statements
static_laws     exponents as the outcome of competing poles; `dynamic_laws` of the dynamics
regimes         which law holds where
allocation      how to spend a budget
"""
