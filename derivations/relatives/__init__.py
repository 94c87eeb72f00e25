"""Results of neighbouring papers, and what follows from both core papers together."""
