"""Learning from a part of a finite pool of data: what real learning curves follow."""

ORDER = ("site_formula", "free_compression", "training_set_spread", "training_time")
