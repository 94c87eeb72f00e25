"""Learning from a part of a finite pool of data: what real learning curves follow."""

ORDER = ("site_formula", "free_compression", "spread_of_training_sets", "errors_in_training_time")
